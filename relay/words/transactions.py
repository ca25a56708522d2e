"""What the street door hands on: who speaks (Session), to whom the mail goes (Envelope), and how it ended (Ending)."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, TypeVar

from relay.words.addresses import Address, ReversePath
from relay.words.apis import MOST_RECIPIENTS
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.values import dataclass

_Recipient = TypeVar("_Recipient", Address, str)


@dataclass(frozen=True, slots=True)
class Session:
    """
    One client's connection, as far as the rest of the house may know it.

    ``helo`` is sanitised to ``[A-Za-z0-9.:[]-]``; ``client`` is the address of the real client in text (after PROXY);
    ``protocol`` is the word of RFC 3848 for Received fields (``ESMTPSA``); ``delegate`` is a name of the configuration.
    """

    id: str
    listener: str
    client: str
    helo: str
    protocol: str
    delegate: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """
    Reverse-path and forward-paths of one transaction (RFC 5321 section 2.3.1); domains lower-cased, duplicates
    merged. ``id`` names the transaction: in the reply, in the Received field and in the decision record.
    """

    reverse_path: ReversePath
    forward_paths: tuple[Address, ...]
    id: str = ""


def batches_of(recipients: Sequence[_Recipient]) -> tuple[tuple[_Recipient, ...], ...]:
    """Divide recipients, in their order, into the calls to SES that a message for all of them takes."""
    if len(recipients) <= MOST_RECIPIENTS:
        return (tuple(recipients),) if recipients else ()
    starts = range(0, len(recipients), MOST_RECIPIENTS)
    return tuple([tuple(recipients[start : start + MOST_RECIPIENTS]) for start in starts])


@dataclass(frozen=True, slots=True)
class Ending:
    """
    How one message ended, once: what the client hears and what is counted and recorded.

    ``facts`` are further fields of the decision record (roles, display name, api, SES id, timings ...), JSON-ready.
    """

    outcome: Outcome
    reason: Reason
    reply: Reply
    facts: Mapping[str, Any] = field(default_factory=dict)
