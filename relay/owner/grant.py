"""A policy from plain words: who may send as whom, with bounces where, to whom, until when. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from relay.owner.statements import ACTION, Json, Pattern, allow, compare, compare_each, document, join
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

#: What stands for what only the owner knows, in a statement that is handed over to be filled in.
FILL_IN: Final = IdentityArn("aws", "REGION", "OWNER-ACCOUNT", "YOUR-DOMAIN")


@dataclass(frozen=True, slots=True)
class Grant:
    """
    What an identity owner grants. Empty sequences restrict nothing; ``until`` is timezone-aware, the first moment at
    which the grant is over.
    """

    identity: IdentityArn
    principal: str
    authors: Sequence[Pattern] = ()
    feedback: Sequence[Pattern] = ()
    recipients: Sequence[Pattern] = ()
    names: Sequence[Pattern] = ()
    until: datetime | None = None
    sid: str = "Grant"
    actions: Sequence[str] = (ACTION,)


def policy_of(grant: Grant) -> Json:
    """Return the policy with the one statement that grants it."""
    conditions: list[Json] = []
    if not _is_any(grant.authors):
        conditions.append(compare("ses:FromAddress", grant.authors))
    if not _is_any(grant.feedback):
        conditions.append(compare("ses:FeedbackAddress", grant.feedback))
    if grant.names:
        conditions.append(compare("ses:FromDisplayName", grant.names))
    if not _is_any(grant.recipients):
        conditions.append(compare_each("ses:Recipients", grant.recipients))
    if grant.until is not None:
        conditions.append({"DateLessThan": {"aws:CurrentTime": _moment(grant.until)}})
    statement = allow(grant.sid, grant.principal, grant.actions, str(grant.identity), join(*conditions))
    return document([statement])


def read_until(text: str) -> datetime:
    """
    Read a date, which is granted to its end in UTC, or a time; one without an offset is UTC.

    Raises:
        ValueError: Neither.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment + timedelta(days=1) if len(text) <= len("2027-01-31") else moment


def remarks(grant: Grant) -> list[str]:
    """Say what about the grant may not be what is meant."""
    found = [
        f"{pattern.text} is not of {grant.identity.name}: its own identity must grant, too"
        for pattern in _foreign(grant.identity, grant.feedback)
    ]
    if grant.until is not None:
        found.append(f"ends at {_moment(grant.until)}")
    if not grant.feedback:
        found.append("any feedback address: bounces may go anywhere that another policy allows; --feedback names where")
    if grant.principal.isdigit() or grant.principal.endswith(":root"):
        found.append(
            f"{grant.principal} is a whole account: the relay counts it only for delegates with account_grant = true"
        )
    return found


def hand_over(identity: IdentityArn) -> str:
    """Return the field that a delegate adds to its mail to name the identity."""
    return f"X-SES-SOURCE-ARN: {identity}"


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_any(patterns: Sequence[Pattern]) -> bool:
    return not patterns or Pattern("*", is_wild=True) in patterns


def _foreign(identity: IdentityArn, patterns: Sequence[Pattern]) -> list[Pattern]:
    """Return the patterns of which no address belongs to the identity, going by the domain."""
    own = identity.name.rpartition("@")[2].lower()
    return [p for p in patterns if p.text != "*" and not _is_of(p.text.rpartition("@")[2].lower(), own)]


def _is_of(domain: str, own: str) -> bool:
    return domain in {own, "*"} or domain.endswith(f".{own}") or "*" in domain or "?" in domain
