"""A thousand calls that make little sense, and what a machine makes of the OpenAPI document, at a running relay."""

import json
import random
import re
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Ok

from relay.console.openapi import document
from relay.console.routes import TABLE
from tests.system.admin import Admin
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, split, started_ses
from tests.system.rows import DOMAIN, PERMITTED, secret_of
from tests.system.test_admin_tokens import SECRETS, with_tokens

pytestmark = pytest.mark.system

#: Examples for each operation and kind of data.
EXAMPLES = 25
CALLS = 1000
#: What no answer holds: how it is made, what proves anybody, what mail says.
NEVER = re.compile(
    r"Traceback|File \"|aiohttp|sqlite3|argon2|demo-[a-z]+-secret|/work/|site-packages|A body of its own"
)


@pytest.fixture(scope="module")
def fuzzed(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    """A relay with tokens, some decisions and some messages that wait; it has no incident in all that follows."""
    with started_ses(tmp_path_factory.mktemp("fuzzed-ses")) as ses:
        house = House(tmp_path_factory.mktemp("fuzzed"), certificate, ses=ses.url).keep("spool", retry_first="10m")
        with with_tokens(house).serve() as relay:
            fill(relay, ses)
            yield relay
            assert not relay.lines("incident")
            assert not [line for line in relay.all_lines() if line["level"] == "error"]
            assert "Traceback" not in relay.text


def fill(relay: RunningRelay, ses: EmbeddedSes) -> None:
    ses.suffer({"code": "Throttling", "message": "slow down", "status": 400, "times": 99})
    row = PERMITTED[0]
    with relay.client(row.delegate, secret_of(row.delegate)) as client:
        for _ in range(5):
            client.hand_over(
                row.mail_from, row.recipients, row.raw.replace(b"\r\n\r\n", b"\r\n\r\nA body of its own\r\n")
            )
    operator = Admin(relay.addresses["admin"], SECRETS["ops"])
    relay.wait_until(lambda: len(operator.get("/api/spool").told["entries"]) == 5, "five that wait")


API = schemathesis.openapi.from_dict(document())
OPERATIONS = {
    found.ok().definition.raw["operationId"]: found.ok() for found in API.get_all_operations() if isinstance(found, Ok)
}
CHECKED = [
    checks.not_a_server_error,
    checks.CHECKS.get_one("status_code_conformance"),
    checks.CHECKS.get_one("content_type_conformance"),
    checks.CHECKS.get_one("response_schema_conformance"),
]


#: Of what has nothing but a path every name is a good one.
MODES = [
    (route.name, mode)
    for route in TABLE
    if not route.is_of_demo
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or route.query or route.body is not None
]


@pytest.mark.parametrize(("name", "mode"), MODES, ids=lambda value: getattr(value, "value", value))
def test_every_answer_is_one_of_the_document(fuzzed: RunningRelay, name: str, mode: GenerationMode) -> None:
    """Whatever is asked, right or wrong: a status and a body that are told beforehand, and never more than that."""
    headers = {"Authorization": f"Bearer {SECRETS['ops']}"}
    entry = Admin(fuzzed.addresses["admin"], SECRETS["ops"]).get("/api/spool").told["entries"][0]["id"]
    heard = set()

    @given(case=OPERATIONS[name].as_strategy(generation_mode=mode), is_known=st.booleans())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any, *, is_known: bool) -> None:
        if is_known:
            name_what_there_is(case, entry, mode)
        case.headers = {**(case.headers or {}), **headers}
        answer = case.call(base_url=f"http://{fuzzed.addresses['admin']}")
        assert not NEVER.search(answer.text)
        case.validate_response(answer, checks=CHECKED)
        heard.add(answer.status_code)

    ask()
    assert heard & ({200, 202, 409} if mode is GenerationMode.POSITIVE else {400}), heard


def name_what_there_is(case: Any, entry: str, mode: GenerationMode) -> None:
    """Let it be about a message and a delegate that there are; a good question is then one that can be answered."""
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = entry
    if "name" in (case.path_parameters or {}):
        case.path_parameters["name"] = "billing"
    if "identity" in (case.query or {}):
        case.query["identity"] = DOMAIN
    if isinstance(case.body, dict) and "delegate" in case.body:
        case.body["delegate"] = "billing"
        if mode is GenerationMode.POSITIVE:
            for name in ("from", "mail_from", "message_base64", "policies"):
                case.body.pop(name, None)
            author = {} if "message" in case.body else {"from": "billing@example.com"}
            case.body.update(author, recipients=["bob@example.net"])


def test_a_thousand_malformed_calls_are_answered_shortly(fuzzed: RunningRelay) -> None:
    """Methods, paths, fields and bodies by chance: 4xx in JSON, or 503 where it is honest, and the relay goes on."""
    chance = random.Random(7)
    statuses = [malformed_call(fuzzed, chance) for _ in range(CALLS)]

    assert {status for status in statuses if status >= 500} <= {503}
    assert {400, 401, 403, 404, 405} <= set(statuses)
    assert fuzzed.readiness().endswith("\n")


METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW"]
PATHS = [re.sub(r"\{\w+\}", "a1", route.path) for route in TABLE]
NOISE = ["", "/", "//", "%00", "%2e%2e/", "%ff", "?", "?limit=", "?limit=-1", "?limit=1e9", "?delegate=%00", "?a=b&a=c"]
NOISE += [
    "?limit=٣",
    "?after=" + "x" * 3000,
    "/../../etc/passwd",
    ";x",
    "?since=infinity",
    "?until=0001-01-01T00:00:00Z",
]
BODIES: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"1e999",
    b"NaN",
    b'{"x":1}',
    b"\xff\xfe",
    b"[" * 5000,
    b'{"a":' * 5000,
]
BODIES += [b'{"delegate":null}', b'{"identity":1}', b'{"notify":"yes"}', b'"\\ud800"', b"[[]]"]
BODIES += [b'{"delegate":"billing","message":"\\ud800"}', b'{"delegate":"billing","recipients":[{}]}', b"{}" * 9000]
TYPES = [
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "",
    "application/xml",
    "application/json;;",
]


def malformed_call(relay: RunningRelay, chance: random.Random) -> int:
    """Make one, and return its status."""
    path = chance.choice(PATHS) + chance.choice(NOISE)
    headers = {"Content-Type": chance.choice(TYPES)}
    if chance.random() < 0.9:
        headers["Authorization"] = f"Bearer {chance.choice([*SECRETS.values(), 'x', ''])}"
    with closing(HTTPConnection(relay.addresses["admin"], timeout=20)) as connection:
        connection.request(chance.choice(METHODS), quoted(path), chance.choice(BODIES), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    assert not NEVER.search(text), (path, text)
    if answer.status >= 400 and text:
        assert list(json.loads(text)) == ["error"]
    return answer.status


def quoted(path: str) -> str:
    """The octets of *path*, which http.client sends as they are if they are ASCII."""
    return "".join(each if each.isascii() else "".join(f"%{octet:02X}" for octet in each.encode()) for each in path)


@given(octets=st.binary(max_size=300))
@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_octets_that_are_no_http_are_answered_or_hung_up_on(fuzzed: RunningRelay, octets: bytes) -> None:
    """Never with more than a refusal."""
    with closing(socket.create_connection(split(fuzzed.addresses["admin"]), 10)) as client, suppress(OSError):
        client.sendall(octets + b"\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        answered = client.recv(65536)
        assert not answered or re.match(rb"HTTP/1\.[01] [1-4]\d\d ", answered)
        assert not NEVER.search(answered.decode(errors="replace"))
