"""
What identity owners ask of SES, as values: the calls of the v2 API on identities and their policies.

One GetEmailIdentity gives status and policies (Amazon SES API v2 Reference). Every call may raise
:class:`relay.identities.accounts.AwsProblem`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from relay.identities.accounts import Accounts, Refused
from relay.words.values import dataclass

PAGE: Final = 1000
#: How SES says that an identity is not there.
NOT_FOUND: Final = "NotFoundException"


@dataclass(frozen=True, slots=True)
class Listed:
    """One identity of the list. ``kind``: EMAIL_ADDRESS, DOMAIN or MANAGED_DOMAIN. ``status``: SUCCESS, PENDING ..."""

    name: str
    kind: str
    status: str
    may_send: bool


@dataclass(frozen=True, slots=True)
class Held:
    """
    One identity as SES holds it.

    ``policies``: their texts by name. ``whole``: the answer as the API Reference of GetEmailIdentity describes it.
    """

    name: str
    verified: bool
    status: str
    policies: Mapping[str, str]
    whole: Mapping[str, Any]


class SesApi:
    """The SES of one account in one region."""

    def __init__(self, accounts: Accounts, account: str, region: str) -> None:
        self._accounts = accounts
        self.account = account
        self.region = region

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make any other call of v2, ``"put_email_identity_mail_from_attributes"``, or of v1, ``"ses.list_..."``."""
        named = operation if "." in operation else f"sesv2.{operation}"
        return self._accounts.call(self.account, self.region, named, **parameters)

    def pages(self) -> Iterator[tuple[Listed, ...]]:
        """Return the list of identities, a page and a call at a time."""
        token: str | None = None
        while True:
            page, token = self.page(token)
            yield page
            if token is None:
                return

    def page(self, token: str | None) -> tuple[tuple[Listed, ...], str | None]:
        """Return one page of the list, the first for None, and the token of the next; None after the last."""
        more = {} if token is None else {"NextToken": token}
        answer = self.call("list_email_identities", PageSize=PAGE, **more)
        return tuple(map(_listed, answer.get("EmailIdentities", ()))), answer.get("NextToken") or None

    def identities(self) -> list[Listed]:
        """Return all of the list."""
        return [listed for page in self.pages() for listed in page]

    def identity(self, name: str) -> Held | None:
        """Return status and policies of one identity, by name or ARN; None when there is none."""
        try:
            answer = self.call("get_email_identity", EmailIdentity=name)
        except Refused as refused:
            if refused.code == NOT_FOUND:
                return None
            raise
        return Held(
            name,
            bool(answer.get("VerifiedForSendingStatus")),
            str(answer.get("VerificationStatus", "")),
            dict(answer.get("Policies") or {}),
            answer,
        )

    def policies(self, name: str) -> dict[str, str]:
        """Return the texts of one identity's policies by name."""
        return dict(self.call("get_email_identity_policies", EmailIdentity=name).get("Policies") or {})

    def create_policy(self, identity: str, name: str, text: str) -> None:
        """Attach a policy whose name is not there yet."""
        self.call("create_email_identity_policy", EmailIdentity=identity, PolicyName=name, Policy=text)

    def update_policy(self, identity: str, name: str, text: str) -> None:
        """Put *text* in the place of a policy."""
        self.call("update_email_identity_policy", EmailIdentity=identity, PolicyName=name, Policy=text)

    def delete_policy(self, identity: str, name: str) -> None:
        """Take a policy away; also of a name that is not there."""
        self.call("delete_email_identity_policy", EmailIdentity=identity, PolicyName=name)


def _listed(row: Mapping[str, Any]) -> Listed:
    return Listed(
        str(row.get("IdentityName", "")),
        str(row.get("IdentityType", "")),
        str(row.get("VerificationStatus", "")),
        bool(row.get("SendingEnabled")),
    )
