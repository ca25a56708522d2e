"""A delegate as the judge knows it: who it is to AWS, and what the operator granted it. No secrets."""

from dataclasses import field
from typing import Final, Literal, TypeAlias

from relay.words.addresses import Address
from relay.words.roles import AssumedRole
from relay.words.values import dataclass

#: Whom notifications of ours are judged as: the relay itself. No configured delegate may have the name.
NOTIFICATIONS: Final = "ses-relay-notifications"

#: The principal of a delegate that is the relay itself, until STS has told who that is.
CALLER: Final = "caller"

SameAccount: TypeAlias = Literal["policy", "allow-unless-denied"]
#: What may be repaired in a delegate's messages before they are judged (docs/how-to/old-software.md).
Repair: TypeAlias = Literal["bare-lf", "8bit-names", "long-lines", "missing-headers"]


@dataclass(frozen=True, slots=True)
class Delegate:
    """
    One configured delegate (a *delegate sender* of the SES Developer Guide).

    ``principal`` is an account id, a user, role or session ARN, or a service, as in the configuration; ``role`` is the
    role that its mail is sent as, and then ``principal`` is that role's session. ``account_grant``: a statement that
    grants the delegate's whole account counts. ``return_path``: where bounces go: MAIL FROM (``envelope``), the author
    (``author``), or one address that replaces MAIL FROM before anything is judged. ``is_caller``: it is the relay's own
    identity to AWS.
    ``mode`` and ``observe_until`` (seconds since the epoch) are None where those of all delegates hold.
    ``daily_recipients``: no message to more of them can ever go.
    ``same_account``: what holds for ``allow_identities`` (names or ARNs) where the delegate's own account owns them.
    """

    name: str
    principal: str
    role: AssumedRole | None = None
    is_caller: bool = False
    account_grant: bool = False
    mode: Literal["enforce", "observe"] | None = None
    observe_until: float | None = None
    same_account: SameAccount = "policy"
    allow_identities: tuple[str, ...] = ()
    default_source_arn: str | None = None
    default_from_arn: str | None = None
    default_return_path_arn: str | None = None
    allow_source_arns: tuple[str, ...] = ()
    return_path: Literal["envelope", "author"] | Address = "envelope"
    configuration_set: str | None = None
    allow_configuration_sets: tuple[str, ...] = ()
    allow_message_tags: bool = False
    tenant: str | None = None
    allow_tenants: tuple[str, ...] = ()
    organization_id: str | None = None
    principal_tags: dict[str, str] = field(default_factory=dict)
    repair: tuple[Repair, ...] = ()
    daily_recipients: int | None = None
    reveal: Literal["reason", "full"] | None = None

    @property
    def is_its_own_sender(self) -> bool:
        """Whether SES sees the delegate's own principal in its mail, and so judges the delegate itself."""
        return self.is_caller or self.role is not None
