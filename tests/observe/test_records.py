"""The decision record: always in the form that its readers were promised."""

import json
from collections import UserList
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.judgement.verdicts import Mode, Role, Verdict
from relay.observe import records
from relay.observe.record_texts import FIELDS, text_of, to_json
from relay.observe.records import Recorder
from relay.words.addresses import Address, NullPath
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session
from tests.observe.givens import IDENTITY, NOON, ROLE, SCHEMA, SENT, SESSION, VALIDATOR, assert_valid, record


def objects(schema: object) -> Iterator[dict[str, Any]]:
    """Every schema of an object inside *schema*."""
    if isinstance(schema, dict):
        if schema.get("type") in ("object", ["object", "null"]):
            yield schema
        for part in schema.values():
            yield from objects(part)


def test_the_schema_is_strict():
    """
    Draft 2020-12, and no object in it takes fields that it does not name.
    """
    VALIDATOR.check_schema(SCHEMA)

    found = list(objects(SCHEMA))
    assert len(found) == 6
    for schema in found:
        assert schema["additionalProperties"] is False
        assert schema["required"]


def test_the_schema_follows_the_words():
    """
    Closed sets of the schema are those of the types: a new end or verdict cannot be forgotten here.
    """
    fields = SCHEMA["properties"]
    role = fields["roles"]["items"]["properties"]

    assert [reason.value for reason in Reason] == fields["reason"]["enum"]
    assert [outcome.value for outcome in Outcome] == fields["outcome"]["enum"]
    assert {role.value for role in Role} == set(role["role"]["enum"])
    assert {verdict.value for verdict in Verdict} == set(role["verdict"]["enum"])
    assert {None, *(mode.value for mode in Mode)} == set(fields["mode"]["enum"])
    assert records.APIS | {None} == set(fields["api"]["enum"])
    assert fields["schema"]["const"] == records.SCHEMA_VERSION


def test_every_field_is_there_and_described():
    """
    Fields that do not apply are null rather than absent, and each says what it means.
    """
    kept = record(Ending(Outcome.ABORTED, Reason.CLIENT_GONE, Reply(421, (4, 4, 2), "gone")), principal=None)

    assert set(SCHEMA["properties"]) - {"redacted"} == set(kept) == set(SCHEMA["required"])
    assert all(field["description"] for field in SCHEMA["properties"].values())
    assert (kept["ses_id"], kept["api"], kept["display_name"], kept["roles"]) == (None, None, None, [])


def test_a_sent_message():
    """
    Everything that the walk found out is kept.
    """
    kept = record()

    assert_valid(kept)
    assert kept["time"] == "2026-11-21T12:00:00.000000Z"
    assert kept["reply"] == {"code": 250, "status": "2.0.0", "text": "Ok 0100-sent"}
    assert kept["timings"] == {"judgement": 0.000041, "ses": 0.0712, "total": 0.0931}
    assert kept["roles"] == SENT.facts["roles"]
    assert (kept["ses_id"], kept["region"], kept["delegate"]) == ("0100-sent", "us-east-1", "billing")


def test_a_message_that_only_observing_spared():
    """
    The reply is what the client heard; beside it stands what it would have heard.
    """
    spared = {"code": 554, "status": "5.7.1", "text": "Access denied (decision d-1)"}

    kept = record(Ending(SENT.outcome, SENT.reason, SENT.reply, {"mode": "observe", "unenforced": spared}))

    assert_valid(kept)
    assert (kept["mode"], kept["reply"]["code"], kept["unenforced"]) == ("observe", 250, spared)
    assert record()["unenforced"] is None


def test_a_message_refused_before_auth():
    """
    The delegate is - and nothing was judged.
    """
    stranger = Session("s-2", "127.0.0.1:2525", "203.0.113.7", "", "ESMTP", "-")
    refused = Ending(Outcome.REJECTED, Reason.ADDRESS_FORM, Reply(553, (5, 1, 7), "not an address"))

    kept = record(refused, session=stranger, principal=None, reverse_path=None, recipients=[], size=None)

    assert_valid(kept)
    assert (
        kept["delegate"],
        kept["principal"],
        kept["reverse_path"],
        kept["recipients"],
        kept["bytes"],
    ) == ("-", None, None, [], None)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1795262400.0, "2026-11-21T12:00:00.000000Z"),
        (1795262400.25, "2026-11-21T12:00:00.250000Z"),
        (1795262399.9999, "2026-11-21T11:59:59.999900Z"),
    ],
)
def test_time_is_told_in_utc(seconds, written):
    """
    To the microsecond, all digits always there.
    """
    assert record(time=seconds)["time"] == written


def test_facts_cannot_overwrite_what_the_street_door_knows():
    """
    Facts fill their own fields only.
    """
    hostile = Ending(SENT.outcome, SENT.reason, SENT.reply, {"delegate": "ceo", "outcome": "x", "password": "hunter2"})

    kept = record(hostile)

    assert_valid(kept)
    assert "hunter2" not in json.dumps(kept)
    assert (kept["delegate"], kept["outcome"]) == ("billing", "accepted")


@pytest.mark.parametrize(
    "facts",
    [
        {"roles": [{"role": "nobody", "verdict": "allowed", "address": "a@b.c"}]},
        {"roles": [{"role": "from"}]},
        {"roles": "from"},
        {"roles": [{**ROLE, "digests": "abc", "deciding": None, "identity": 7, "extra": 1}] * 50},
        {"timings": {"ses": float("nan"), "judgement": float("inf"), "total": -5, "Other Thing": 1, "x": True}},
        {"timings": {"ses": -1, "queue": 10**400}},
        {"api": "ses:DeleteIdentity", "mode": "off", "ses_id": 12, "region": b"us-east-1"},
        {"unenforced": {"code": 250, "status": "2.0.0", "text": "Ok"}},
        {"unenforced": {"code": 554, "status": "5.7", "text": "x" * 100_000}},
        {"unenforced": {"code": True, "status": 1, "text": None}},
        {"unenforced": "554 5.7.1 no"},
        {"display_name": "x" * 100_000, "ses_error": "half \udc80 pair"},
    ],
    ids=str,
)
def test_wrong_facts_make_no_wrong_record(facts):
    """
    What is not of its field's type is left out; a record is never the reason why mail fails.
    """
    assert_valid(record(Ending(SENT.outcome, SENT.reason, SENT.reply, facts)))


@pytest.mark.parametrize(
    ("envelope", "reverse_path", "recipients"),
    [
        (None, None, []),
        (Envelope(NullPath.NULL, ()), "<>", []),
        (Envelope(Address("a", "b.example"), (Address("c", "d.example"),)), "a@b.example", ["c@d.example"]),
    ],
    ids=["unreadable", "null", "whole"],
)
def test_the_recorder_adds_time_and_principal(envelope, reverse_path, recipients):
    """
    The street door gives what it knows; clock and principals are given once.
    """
    recorder = Recorder(clock=NOON.timestamp, principal_of={"billing": "arn:aws:iam::1:user/b"}.get)

    kept = recorder(session=SESSION, envelope=envelope, ending=SENT, size=7, seconds=0.5, message_id="7Q")

    assert_valid(kept)
    assert (kept["id"], kept["time"][:10], kept["principal"]) == ("7Q", "2026-11-21", "arn:aws:iam::1:user/b")
    assert (kept["reverse_path"], kept["recipients"]) == (reverse_path, recipients)


def test_a_thousand_recipients():
    """
    All recipients that a message may have are kept.
    """
    many = [f"r{number}@example.net" for number in range(1000)]

    kept = record(recipients=many)

    assert_valid(kept)
    assert many == kept["recipients"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
ROWS = st.fixed_dictionaries(
    {
        "role": st.sampled_from([*(role.value for role in Role), "nobody"]),
        "address": st.text(max_size=30),
        "verdict": st.sampled_from([*(verdict.value for verdict in Verdict), "sealed", ""]),
    },
    optional={
        "identity": st.just(IDENTITY) | JSON,
        "chosen": JSON,
        "named": st.fixed_dictionaries({}, optional={"by": st.text(max_size=20) | JSON, "arn": JSON}) | JSON,
        "agreeing": JSON,
        "digests": st.lists(st.text(max_size=70), max_size=3) | JSON,
        "deciding": JSON,
        "why": JSON,
    },
)
FACTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys((*records._FACTS, "unheard_of", "id", "time", "reply"), JSON),
        "roles": st.lists(ROWS | JSON, max_size=10) | JSON,
        "timings": st.dictionaries(st.sampled_from(["total", "ses", "judgement", "spool", "No"]), JSON) | JSON,
    },
)
REPLIES = st.builds(
    lambda kind, detail, text: Reply(kind * 100 + 50, (kind, *detail), text),
    st.sampled_from([2, 4, 5]),
    st.tuples(st.integers(0, 999), st.integers(0, 999)),
    st.text(),
)
ENDINGS = st.builds(Ending, st.sampled_from(Outcome), st.sampled_from(Reason), REPLIES, FACTS)
SURROGATES_TOO = st.text(st.characters(), max_size=30)


@settings(deadline=None)
@given(
    ending=ENDINGS,
    id=st.text(min_size=1, max_size=30),
    time=st.floats(0, 7e9),
    session=st.builds(Session, *[SURROGATES_TOO] * 6),
    principal=st.none() | st.text(),
    reverse_path=st.none() | st.text(),
    recipients=st.lists(SURROGATES_TOO, max_size=5),
    size=st.none() | st.integers(),
    seconds=st.floats(),
)
def test_every_record_is_valid(**given):
    """
    Whatever a message was and however it ended, its record is one of the schema, and written as any JSON is.
    """
    kept = record(**given)

    assert_valid(kept)
    assert tuple(kept) == FIELDS
    assert text_of(kept) == to_json({"time": kept["time"], **kept})


@settings(deadline=None)
@given(
    ending=ENDINGS,
    rows=st.lists(ROWS | JSON, min_size=1, max_size=3),
    recipients=st.lists(st.sampled_from(['"roles":0', 'a","roles":0,"b', "\\"]) | SURROGATES_TOO, max_size=3),
)
def test_rows_that_records_have_in_common_are_told_like_any(ending, rows, recipients):
    """
    The JSON of roles that the walk tells again and again is put together with the rest of each record.
    """
    common = replace(ending, facts={**ending.facts, "roles": tuple(rows)})
    each = replace(ending, facts={**ending.facts, "roles": rows})
    for _ in range(2):
        assert text_of(record(common, recipients=recipients)) == text_of(record(each, recipients=recipients))
    assert json.loads(text_of(record(common, recipients=recipients))) == record(each, recipients=recipients)


def test_rows_are_read_once_for_the_tuple_that_they_are_and_for_no_other():
    rows = tuple(SENT.facts["roles"])
    first, again = (record(replace(SENT, facts={"roles": rows}))["roles"] for _ in range(2))
    assert first is again
    for _ in range(3 * records.MOST_READ):
        other = (dict(rows[0], address="other@example.com"),)
        assert record(replace(SENT, facts={"roles": other}))["roles"][0]["address"] == "other@example.com"
    assert record(replace(SENT, facts={"roles": rows}))["roles"] == first


def test_of_what_kind_a_list_or_a_table_is_makes_no_difference():
    """
    The kinds that are met most are told apart from all others by a short cut.
    """
    plain = record()
    facts = {name: rarely(value) for name, value in SENT.facts.items()}

    assert record(replace(SENT, facts=MappingProxyType(facts))) == plain


def rarely(value: Any) -> Any:
    """The same value, of types that are seldom used."""
    match value:
        case dict():
            return MappingProxyType({name: rarely(item) for name, item in value.items()})
        case list():
            return UserList(map(rarely, value))
        case _:
            return value
