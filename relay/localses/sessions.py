"""Sessions of roles (STS API Reference, "AssumeRole"): who may assume what is configuration, ``[[role]]``."""

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from relay.localses.constraints import check_length, required, violation, whole_number
from relay.localses.keys import Key, unique_id
from relay.localses.refusals import Refused
from relay.words.values import dataclass

_SESSION = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_ALPHABET: Final = string.ascii_uppercase + "234567"
_UNSERVED: Final = ("Policy", "PolicyArns.member.1.arn", "SerialNumber", "TokenCode")


@dataclass(frozen=True, slots=True)
class Role:
    """
    A role and whom it trusts: principals by ARN, whole accounts by id or root, ``*`` for every key.

    ``external_id`` must be given where it is not empty.
    """

    arn: str
    trusts: tuple[str, ...]
    external_id: str = ""

    def trusted(self, key: Key) -> bool:
        """Whether the principal of *key* may assume it."""
        names = {"*", key.principal, key.role, key.account, f"arn:aws:iam::{key.account}:root"}
        return not names.isdisjoint(self.trusts)


class Sessions:
    """Gives out the keys of sessions, and adds them to the known ones."""

    def __init__(self, keys: dict[str, Key], roles: Sequence[Role]) -> None:
        self._keys = keys
        self._roles = {role.arn: role for role in roles}

    def assume(self, key: Key, asked: Mapping[str, str], now: float) -> dict[str, Any]:
        """
        Give out a session of the role that *asked* names; those that have ended are forgotten.

        Raises:
            Refused: ValidationError or AccessDenied, which tells not whether there is such a role.
        """
        arn, name = required(asked, "RoleArn"), required(asked, "RoleSessionName")
        check_length("RoleArn", arn, 2048)
        if not _SESSION.fullmatch(name):
            raise violation("", "RoleSessionName", "Member must satisfy regular expression pattern: [\\w+=,.@-]*")
        seconds = whole_number("DurationSeconds", asked.get("DurationSeconds", "3600"), 900, 43_200)
        if any(each in asked for each in _UNSERVED):
            raise Refused("ValidationError", "This embedded SES knows neither session policies nor MFA.")
        role = self._roles.get(arn)
        if role is None or not role.trusted(key) or role.external_id not in {"", asked.get("ExternalId", "")}:
            words = f"User: {key.principal} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise Refused("AccessDenied", words)
        session = _session(role, name, now + seconds)
        for ended in [each for each in self._keys.values() if each.has_ended(now)]:
            del self._keys[ended.id]
        self._keys[session.id] = session
        return _told(session)


def _session(role: Role, name: str, ends: float) -> Key:
    partition, account, resource = role.arn.split(":")[1], role.arn.split(":")[4], role.arn.split(":", 5)[5]
    principal = f"arn:{partition}:sts::{account}:assumed-role/{resource.rpartition('/')[2]}/{name}"
    key_id = "ASIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return Key(key_id, secrets.token_urlsafe(30), principal, secrets.token_urlsafe(96), ends, role.arn)


def _told(session: Key) -> dict[str, Any]:
    ends = datetime.fromtimestamp(session.ends or 0.0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "Credentials": {
            "AccessKeyId": session.id,
            "SecretAccessKey": session.secret,
            "SessionToken": session.token or "",
            "Expiration": ends,
        },
        "AssumedRoleUser": {"AssumedRoleId": unique_id(session), "Arn": session.principal},
    }
