"""What came of one call to SES. Temporary, permanent and ambiguous are types, not strings; the unknown is temporary."""

from typing import TypeAlias

from relay.words.apis import Api
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.roles import AssumedRole
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Mail:
    """
    Everything SES is told (SES API Reference, "SendRawEmail"; v2, "SendEmail"); nothing of it is left to SES to infer.

    ``source`` is the feedback address; ``destinations`` the recipients of this call. The message is ``head`` and what
    follows it, ``raw``: what is not changed is not copied.
    ``own``: SES judges the relay, whose operator is to blame for a no; else the delegate itself, and no is its answer.
    ``role``: whose session signs, and nothing else may; None for the relay's own key. ``tenant``: of SES; only the call
    of v2 has a word for it. ``api``: the call that takes it.
    """

    source: str
    destinations: tuple[str, ...]
    source_arn: str
    from_arn: str
    return_path_arn: str
    raw: bytes | memoryview
    configuration_set: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    own: bool = True
    role: AssumedRole | None = None
    tenant: str | None = None
    api: Api = Api.RAW
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class Sent:
    """SES accepted the message under this message id."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Common to all that went wrong: SES's code and text, the reply for the client, the reason that is counted."""

    code: str
    message: str
    reply: Reply
    reason: Reason


@dataclass(frozen=True, slots=True)
class Deferred(Failure):
    """Surely not accepted; the same may succeed later. Safe to repeat."""


@dataclass(frozen=True, slots=True)
class Refused(Failure):
    """Surely not accepted, and it never will be."""


@dataclass(frozen=True, slots=True)
class Ambiguous(Failure):
    """The body was sent and no answer came: SES may have it. A repeat may be a duplicate."""


Outcome: TypeAlias = Sent | Deferred | Refused | Ambiguous
