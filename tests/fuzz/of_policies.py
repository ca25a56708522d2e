"""Targets of what owners, operators and SES write: policy texts, relay.toml, SES's answers."""

import json
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from relay.policy.answers import Decision
from relay.policy.document import Policy, parse_policy
from relay.policy.evaluation import could_allow, evaluate
from relay.policy.principals import parse_caller
from relay.policy.request import Context, Request
from relay.policy.strict_json import JsonProblem, decode, flaws
from relay.sending.answers import disagreement, outcome_of
from relay.sending.documents import read_fields
from relay.sending.outcomes import Ambiguous, Deferred, Refused, Sent
from relay.settings.lines import lines_of
from relay.settings.reading import read_settings
from tests.fuzz.of_mail import check_reply
from tests.fuzz.target import CASES, Target, rows, tokens

_CONTEXT: Final = {
    "ses:fromaddress": ("app1@example.com",),
    "ses:recipients": ("a@example.com", "b@elsewhere.example"),
    "aws:currenttime": ("2025-11-20T10:00:00Z",),
}
_REQUESTS: Final = [
    Request(parse_caller(who), "ses:SendRawEmail", "arn:aws:ses:us-east-1:888888888888:identity/example.com", context)
    for who in ("arn:aws:iam::111111111111:user/app", "anonymous")
    for context in (
        Context(_CONTEXT),
        Context({}, frozenset({"ses:fromaddress", "aws:sourceip"}), ("aws:principaltag/",), "either"),
    )
]
_DENY_ALL: Final = parse_policy(
    "deny", '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}}'
)
_STATUSES: Final = (200, 400, 403, 404, 413, 429, 500, 502, 503, 504)


def policy(octets: bytes) -> None:
    """Read or not, never an exception; unreadable never allows, and a Deny of everything is stronger than all."""
    text = octets.decode("utf-8", "surrogateescape")
    found = parse_policy("p", text)
    assert parse_policy("p", text) == found
    _check_json(text, readable=isinstance(found, Policy))
    for request in _REQUESTS:
        answer = evaluate(request, [found], trace=True)
        assert evaluate(request, [found, _DENY_ALL]).decision is Decision.EXPLICIT_DENY
        assert not could_allow(request, [found, _DENY_ALL])
        if isinstance(found, Policy):
            assert answer.decision is not Decision.UNDECIDED
            assert len(answer.traces) == len(found.statements)
        else:
            assert found.problems
            assert all(problem.path.startswith("$") for problem in found.problems)
            assert answer.decision is Decision.UNDECIDED
        if answer.decision is Decision.ALLOW:
            assert could_allow(request, [found])
            assert "Allow" in json.loads(text).get("Statement", "").__repr__()


def _check_json(text: str, *, readable: bool) -> None:
    """Assert that whatever is read is JSON for others too, with the same keys and values."""
    try:
        value = decode(text)
    except JsonProblem:
        assert not readable
        return
    plain = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    assert plain == value
    if readable:
        assert list(flaws(value, "$")) == []


def settings(octets: bytes) -> None:
    """Whatever stands in relay.toml: settings, or problems that each have a place; TOML's lines are found."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder) / "relay.toml"
        path.write_bytes(octets)
        reading = read_settings(path, {})
    assert (reading.settings is None) == bool(reading.problems)
    ends = octets.count(b"\n") + 1
    for problem in (*reading.problems, *reading.warnings):
        assert problem.why
        assert problem.line is None or 1 <= problem.line <= ends
    _check_lines(octets)


def _check_lines(octets: bytes) -> None:
    try:
        text = octets.decode()
        values = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    found = lines_of(text)
    assert {key[0] for key in found} == set(values)
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())


def ses_answer(octets: bytes) -> None:
    """Only 2xx with a message id is sent, only a code of SES refuses, all else is temporary; the reply is a line."""
    status = _STATUSES[octets[0] % len(_STATUSES)] if octets else 500
    body = octets[1:]
    fields = read_fields(body)
    for own in (True, False):
        outcome = outcome_of(status, body, own=own)
        match outcome:
            case Sent(message_id):
                assert status == 200
                assert message_id.isascii()
                assert message_id.isprintable()
                assert " " not in message_id
                assert fields is not None
            case Refused():
                assert fields
                assert fields["Error/Code"]
                assert outcome.reply.is_permanent
            case Deferred() | Ambiguous():
                assert not outcome.reply.is_permanent
        if not isinstance(outcome, Sent):
            check_reply(outcome.reply)
            disagreement(outcome)
    assert fields is None or (b"<!DOCTYPE" not in body and all(fields.values()))


def _policies() -> list[bytes]:
    files = ("policy-docs.jsonl", "policy-documentation.jsonl", "policy-ses-examples.jsonl", "policy-unreadable.jsonl")
    found = {json.dumps(row["policy"]) for name in files for row in rows(name) if isinstance(row.get("policy"), dict)}
    return sorted(text.encode() for text in found if len(text) < 3000)


def _settings() -> list[bytes]:
    paths = [*sorted((CASES.parent / "bad_settings").glob("*.toml")), CASES.parents[1] / "relay.toml.example"]
    return [path.read_bytes() for path in paths]


def _answers() -> list[bytes]:
    known = json.loads((CASES / "ses_answers.json").read_text())
    found = [
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{row.get('code')}</Code><Message>{row.get('message')}</Message></Error></ErrorResponse>"
        for row in known
    ]
    found.append(
        "<SendRawEmailResponse><SendRawEmailResult><MessageId>0100-a-b</MessageId></SendRawEmailResult></SendRawEmailResponse>"
    )
    found.append('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    return [bytes([status]) + text.encode() for at, text in enumerate(found) for status in (0, 1 + at % 9)]


TARGETS: Final = (
    Target("policy", policy, _policies, tokens("policy")),
    Target("settings", settings, _settings, tokens("settings")),
    Target("ses-answer", ses_answer, _answers, tokens("ses-answer")),
)
