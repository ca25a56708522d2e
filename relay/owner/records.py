"""
Decision records read back into messages. Pure.

What a record tells only in the judge's words (that nobody verified an address, that only an account is granted) is read
off those words; tests hold them to what the judge says.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from relay.judgement.verdicts import Role
from relay.mail.facts import DisplayName
from relay.observe.records import SCHEMA_VERSION
from relay.owner.observed import (
    SEVERITY,
    Answer,
    HashedAddresses,
    NotReplayable,
    Observed,
    ObservedRole,
    RedactedRecord,
)
from relay.words.addresses import AddressProblem, parse_address
from relay.words.endings import Reason

HASHED: Final = "hash:"
#: What the journal may leave out of a record, and policies ask for.
_ASKED_FOR: Final = frozenset({"recipients", "display_name"})
#: What the judge says where nobody verified the address: the one refusal without an identity that can be asked again.
_UNVERIFIED: Final = "no verified identity covers "
#: What it says where a policy names the delegate's account, and the delegate's settings do not let that count.
_ACCOUNT_ONLY: Final = "only the delegate's whole account is granted"
#: Rows that are remembered: most of a week's are alike.
_REMEMBERED: Final = 1 << 16
_REASONS: Final = {
    "denied": Reason.POLICY_DENIED,
    "not-allowed": Reason.POLICY_NOT_ALLOWED,
    "undecided": Reason.POLICY_UNDECIDED,
}
_JUDGED: Final = frozenset({*_REASONS.values(), Reason.IDENTITY_UNKNOWN})


def read_observed(record: Mapping[str, Any]) -> Observed | NotReplayable:
    """
    Read a decision record.

    Raises:
        HashedAddresses: Its addresses are hashed, or what policies ask for was left out.
    """
    version = record.get("schema", SCHEMA_VERSION)
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        return NotReplayable.UNREADABLE
    try:
        _refuse_hashes(record)
        if not _ASKED_FOR.isdisjoint(record.get("redacted") or ()):
            raise RedactedRecord
        return _without_questions(record) if not record["roles"] else _read(record)
    except (KeyError, TypeError, AttributeError, AddressProblem):
        return NotReplayable.UNREADABLE
    except ValueError as error:
        if isinstance(error, HashedAddresses):
            raise
        return NotReplayable.UNREADABLE


def _refuse_hashes(record: Mapping[str, Any]) -> None:
    addresses = [record.get("reverse_path"), *record["recipients"], *(row["address"] for row in record["roles"])]
    if any(isinstance(address, str) and address.startswith(HASHED) for address in addresses):
        raise HashedAddresses


def _without_questions(record: Mapping[str, Any]) -> NotReplayable:
    if record.get("rule") is not None or record["reason"] in {Reason.MESSAGE_FORM, Reason.ADDRESS_FORM}:
        return NotReplayable.FORM
    return NotReplayable.IDENTITY if record["reason"] == Reason.IDENTITY_UNKNOWN else NotReplayable.UNASKED


def _read(record: Mapping[str, Any]) -> Observed | NotReplayable:
    rows = record["roles"]
    if any(row["identity"] is None and not str(row.get("why")).startswith(_UNVERIFIED) for row in rows):
        return NotReplayable.IDENTITY
    roles = tuple(_role(row) for row in rows)
    addresses = {role.role: role.address for role in roles}
    feedback = addresses[Role.FEEDBACK]
    recipients = record["recipients"]
    if not all(isinstance(text, str) for text in recipients):
        return NotReplayable.UNREADABLE
    return Observed(
        id=str(record["id"]),
        time=datetime.fromisoformat(record["time"]).timestamp(),
        delegate=str(record["delegate"]),
        principal=record["principal"],
        author=addresses.get(Role.FROM),
        feedback=feedback,
        mail_from=addresses.get(Role.ENVELOPE, feedback),
        recipients=tuple(recipients),
        display_name=_display_name(record),
        named=_named(rows),
        roles=roles,
        answer=_answer(record),
        outcome=record["outcome"],
        api=record.get("api"),
        octets=_octets(record),
        lacks_account_grant=any(_ACCOUNT_ONLY in str(row.get("why")) for row in rows),
        spared=record.get("unenforced") is not None,
    )


def _role(row: Mapping[str, Any]) -> ObservedRole:
    agreeing, digests = tuple(row.get("agreeing", ())), tuple(row.get("digests", ()))
    return _role_of(row["role"], row["address"], row["identity"], row["verdict"], agreeing, digests)


@lru_cache(maxsize=_REMEMBERED)
def _role_of(
    role: str, address: str, identity: str | None, verdict: str, agreeing: tuple[str, ...], digests: tuple[str, ...]
) -> ObservedRole:
    return ObservedRole(role, parse_address(address), identity, verdict, agreeing, digests)


def _octets(record: Mapping[str, Any]) -> int:
    size = record.get("bytes")
    return size if isinstance(size, int) else 0


def _display_name(record: Mapping[str, Any]) -> DisplayName | None:
    decoded, raw = record.get("display_name"), record.get("display_name_raw")
    return None if decoded is None else DisplayName(decoded if raw is None else raw, decoded)


def _named(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """The identities that were named, each with the field or setting that named it; from version 3 on."""
    told = [row["named"] for row in rows if row.get("named") is not None]
    return tuple(sorted({str(one["by"]): str(one["arn"]) for one in told}.items()))


def _answer(record: Mapping[str, Any]) -> Answer:
    """
    Read the worst of the verdicts, with its reason.

    The record's own reason is of what became of the message: observed mail was sent all the same, and allowed mail may
    have been refused for something else. It is the judge's where it is one that only the judge gives.
    """
    rows = record["roles"]
    verdict = min((row["verdict"] for row in rows), key=SEVERITY.index)
    worst = [row for row in rows if row["verdict"] == verdict]
    deciding = frozenset(text for row in worst for text in row.get("deciding", ()))
    if verdict in _REASONS:
        own = Reason.IDENTITY_UNKNOWN if worst[0]["identity"] is None else _REASONS[verdict]
        return Answer(verdict, record["reason"] if record["reason"] in _JUDGED else own, deciding)
    if record["reason"] == Reason.IDENTITY_UNKNOWN:
        return Answer("refused", Reason.IDENTITY_UNKNOWN, deciding)
    if verdict == "sealed" and record["reason"] == Reason.SES_REFUSED and _is_refused_access(record):
        return Answer("refused", Reason.SES_REFUSED)
    return Answer(verdict, Reason.NONE, deciding)


def _is_refused_access(record: Mapping[str, Any]) -> bool:
    """Whether SES, the only judge of a sealed owner's mail, said no to the delegate and not to the message."""
    error = str(record.get("ses_error"))
    return error.startswith("AccessDenied") or "address is not verified" in error
