"""The question to STS for a session of a role, and what it answers (STS API Reference, "AssumeRole")."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from relay.sending.documents import read_fields
from relay.sending.http_answers import Answer
from relay.sending.keys import AccessKey, Unusable, checked
from relay.words.dates import http_date
from relay.words.roles import AssumedRole
from relay.words.values import dataclass

#: What a role gives at the most to whoever is in a role's session already, as a relay in a container is
#: (IAM User Guide, "Roles terms and concepts": role chaining).
SECONDS: Final = 3600
#: No session lasts longer, whoever says so.
LONGEST: Final = 43_200.0
#: Where a partition has its STS when the settings name no region.
_REGIONS: Final = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_LONGEST_WHY: Final = 300


@dataclass(frozen=True, slots=True)
class Session:
    """The key of a role's session, and the seconds that AWS takes it for."""

    key: AccessKey
    seconds: float


def region_for(role: AssumedRole, region: str | None) -> str:
    """Return where to ask: in *region*, or without one in a region of the role's partition."""
    return region or _REGIONS.get(role.partition, "us-east-1")


def question_for(role: AssumedRole) -> bytes:
    """Return the request's body."""
    fields = {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": role.arn,
        "RoleSessionName": role.session,
        "DurationSeconds": SECONDS,
    }
    if role.external_id is not None:
        fields["ExternalId"] = role.external_id
    return urlencode(fields).encode("ascii")


def session_of(answer: Answer, role: AssumedRole, now: datetime) -> Session | Unusable:
    """
    Return the session that STS gave; Unusable when it gave none, or one of another principal than is judged.

    *now* is our own clock's, for an answer without a Date: how long the session lasts is told by AWS's.
    """
    fields = read_fields(answer.body) or {}
    if answer.status != 200:
        code, text = fields.get("Error/Code", "")[:64], " ".join(fields.get("Error/Message", "").split())
        why = f"STS said {code}: {text}" if code else f"STS answered HTTP status {answer.status} and no error of STS"
        return Unusable(why[:_LONGEST_WHY], code or str(answer.status))
    principal = fields.get("AssumedRoleUser/Arn", "")
    if principal != role.principal:
        return Unusable(f"STS gave a session of {principal[:100] or 'nobody'}, not of {role.principal}", "WrongSession")
    told = (fields.get(f"Credentials/{name}", "") for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    key = checked(AccessKey(*told))
    if isinstance(key, Unusable):
        return key
    seconds = min(LONGEST, _seconds(fields.get("Credentials/Expiration", ""), http_date(answer.date) or now))
    return Session(key, seconds) if seconds > 0 else Unusable("STS gave a session that is over", "Expired")


def _seconds(expiration: str, now: datetime) -> float:
    try:
        end = datetime.fromisoformat(expiration)
    except ValueError:
        return 0.0
    return ((end if end.tzinfo else end.replace(tzinfo=UTC)) - now).total_seconds()
