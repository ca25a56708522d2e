"""
Who asks (:func:`parse_caller`) and whom a statement names (:class:`Principals`): IAM User Guide, "Principal" and
"NotPrincipal".
"""

import re
from typing import Final

from relay.policy.answers import Grant
from relay.policy.request import Caller
from relay.policy.truths import MAYBE, NO, YES
from relay.words.values import dataclass

#: What stands for the caller among ``unknown`` keys when it is named less precisely than the policy names people.
CALLER_KEY: Final = "aws:principalarn"

_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>iam|sts)::(?P<account>[A-Za-z0-9_-]*):"
    r"(?P<resource>root|(?P<kind>[a-z-]+)/(?P<name>[A-Za-z0-9_+=,.@/ -]+))"
)
_KINDS: Final = frozenset({("iam", "user"), ("iam", "role"), ("sts", "assumed-role"), ("sts", "federated-user")})


@dataclass(frozen=True, slots=True)
class PrincipalArn:
    """An account, user, role or session by its ARN. ``role_name`` as in :class:`~relay.policy.request.Caller`."""

    text: str
    partition: str
    account: str
    is_root: bool = False
    is_session: bool = False
    role_name: str | None = None

    @property
    def role(self) -> tuple[str, str, str | None]:
        """The role that this is, or is a session of; a role's name is unique in its account, whatever its path."""
        return self.partition, self.account, self.role_name


def read_principal_arn(text: str) -> PrincipalArn | None:
    """The account root, user, role, role session or federated user that *text* names exactly; else None."""
    found = _ARN.fullmatch(text)
    if found is None:
        return None
    partition, service, account = found["partition"], found["service"], found["account"]
    if found["resource"] == "root":
        return PrincipalArn(text, partition, account, is_root=True) if service == "iam" else None
    kind, name = found["kind"], found["name"]
    parts = name.split("/")
    if (service, kind) not in _KINDS or not all(parts) or (kind == "assumed-role" and len(parts) != 2):
        return None
    role_name = {"role": parts[-1], "assumed-role": parts[0]}.get(kind)
    return PrincipalArn(text, partition, account, is_session=kind == "assumed-role", role_name=role_name)


def is_mistyped(account: str) -> bool:
    """Whether *account*, of an ARN, can be none: nothing, or digits that are not 12. One with letters is opaque."""
    return not account.strip("0123456789") and not _ACCOUNT.fullmatch(account)


def parse_caller(text: str) -> Caller:
    """
    Who *text* is: a 12-digit account id (somebody of that account), the ARN of a root, user, role, role session or
    federated user, a service (``ecs.amazonaws.com``), or ``anonymous``.

    Anything else, an opaque account id that stands alone among it, is a literal that only a Service, Federated or
    CanonicalUser principal of the very same text names. Never fails.
    """
    if text == "anonymous":
        return Caller(text, anonymous=True)
    if _ACCOUNT.fullmatch(text):
        return Caller(text, account=text)
    arn = read_principal_arn(text)
    if arn is not None:
        return Caller(
            text,
            partition=arn.partition,
            account=arn.account,
            arn=text,
            role_name=arn.role_name,
            is_session=arn.is_session,
        )
    if _SERVICE.fullmatch(text):
        return Caller(text, service=text)
    return Caller(text, literal=text)


@dataclass(frozen=True, slots=True)
class Principals:
    """
    Whom a statement names.

    ``accounts``: (partition, id), partition None for a bare id. ``roles`` and ``sessions``: (partition, account, role
    name) of the roles named, and of the roles of which single sessions are named. ``members_of``: the accounts of the
    users, roles and sessions named. ``texts``: Service, Federated and CanonicalUser. ``any_text``: a ``*`` among those.
    """

    spelled: tuple[str, ...]
    negated: bool
    everyone: bool
    arns: frozenset[str]
    accounts: frozenset[tuple[str | None, str]]
    roles: frozenset[tuple[str, str, str | None]]
    sessions: frozenset[tuple[str, str, str | None]]
    members_of: frozenset[str]
    texts: frozenset[str]
    any_text: bool

    def match(self, caller: Caller) -> int:
        """
        Whether the statement is about *caller*.

        ``*`` is everyone, services and anonymous callers too. NotPrincipal spares only those of whom every identity is
        listed: account, role, session ("NotPrincipal": AWS "might validate the account first, then the role").
        """
        if self.negated:
            return self._spares_not(caller)
        if self.everyone or self._names_account(caller):
            return YES
        return self._names(caller)

    def grant(self, caller: Caller) -> Grant:
        """``account`` if an applying statement names no more of *caller* than its account."""
        named_account_only = self._names_account(caller) == YES and self._names(caller) != YES
        return "account" if named_account_only and not self.negated and not self.everyone else "direct"

    def _names(self, caller: Caller) -> int:
        """Whether *caller* itself, or the role of a session, is named."""
        if caller.arn is not None:
            if caller.arn in self.arns:
                return YES
            return self._names_role(caller)
        if caller.account is not None:  # somebody of the account, perhaps the one who is named
            return MAYBE if caller.account in self.members_of else NO
        if caller.anonymous:
            return NO
        if caller.text in self.texts:
            return YES
        return MAYBE if self.any_text else NO

    def _names_role(self, caller: Caller) -> int:
        if not caller.is_session:  # whoever the role's session is, it may be the one that is named
            return MAYBE if (caller.partition, caller.account, caller.role_name) in self.sessions else NO
        if caller.role is not None and caller.role in self.arns:
            return YES
        if (caller.partition, caller.account, caller.role_name) not in self.roles:
            return NO
        return YES if caller.role is None else MAYBE  # the same name under another path: deleted and made anew

    def _names_account(self, caller: Caller) -> int:
        if not self.accounts or caller.account is None:
            return NO
        if (caller.partition, caller.account) in self.accounts or (None, caller.account) in self.accounts:
            return YES
        if caller.partition is None and any(account == caller.account for _, account in self.accounts):
            return YES
        return NO

    def _spares_not(self, caller: Caller) -> int:
        if self.everyone:
            return NO
        listed = [self._names(caller)]
        if caller.account is not None:
            account = self._names_account(caller)
            is_root = caller.arn is not None and caller.arn.endswith(":root")
            listed = [account] if is_root else [account, *listed]
        if caller.is_session:
            listed.append(YES if caller.arn in self.arns else NO)
            if not (caller.role in self.arns or (caller.partition, caller.account, caller.role_name) in self.roles):
                listed.append(NO)
        if min(listed) == YES:
            return NO
        return YES if max(listed) == NO else MAYBE
