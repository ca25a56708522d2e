"""
More cases of the classes of attacks.jsonl, and honest mail as real programs write it, against the whole relay.

Messages and dialogues both: the reply is right, and as many messages as the case says reached SES, none steered.
"""

import base64
import json
import re
from contextlib import suppress
from typing import Any

import pytest

from tests.system.attack_field import CASES, FIXTURE
from tests.system.recording_ses import RecordingSes
from tests.system.relays import Client, RunningRelay, trusting
from tests.system.test_attacks import check_forwarded, is_code, play, verdicts

pytestmark = pytest.mark.system

ALL = [json.loads(line) for line in (CASES / "more_attacks.jsonl").read_text().splitlines()]
MESSAGES = [case for case in ALL if case["kind"] == "message"]
DIALOGUES = [case for case in ALL if case["kind"] == "smtp"]


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case["id"])
def test_message(case: dict[str, Any], attacked: tuple[RunningRelay, RecordingSes]) -> None:
    """Hostile messages are refused by the right rule, honest ones arrive octet for octet."""
    relay, ses = attacked
    ses.taken.clear()

    reply = play(relay, case)

    forwarded = list(ses.taken)
    fitting = [
        expect
        for expect, codes in verdicts(case)
        if any(is_code(code, reply) for code in codes.split("|")) and len(forwarded) == (expect == "accept")
    ]
    assert fitting, f"got {reply!r} and {len(forwarded)} forwarded; {case['why']}"
    for taken in forwarded:
        check_forwarded(case, taken)


@pytest.mark.parametrize("case", DIALOGUES, ids=lambda case: case["id"])
def test_dialogue(case: dict[str, Any], attacked: tuple[RunningRelay, RecordingSes]) -> None:
    """What a client says octet for octet, and what it hears; a wrong octet never becomes a message."""
    relay, ses = attacked
    ses.taken.clear()
    with opened(relay, case["preamble"]) as client:
        for step in case["smtp"]:
            converse(client, case, step)
    if case["smtp"][-1].get("op") != "close":
        assert len(ses.taken) == case["forwarded"], case["why"]


def opened(relay: RunningRelay, preamble: str) -> Client:
    """A client that has come as far as *preamble* says."""
    implicit = preamble == "implicit_tls_greeted"
    client = Client(relay.implicit if implicit else relay.smtp, implicit=implicit)
    if preamble in ("greeted", "implicit_tls_greeted"):
        client.command("EHLO client.test")
    elif preamble in ("tls_greeted", "authed"):
        client.start_tls()
    elif preamble == "tls_connect":
        client.start_tls(greets=False)
    if preamble == "authed":
        client.log_in("app1", FIXTURE["users"]["app1"])
    return client


def converse(client: Client, case: dict[str, Any], step: dict[str, Any]) -> None:
    """Play one step of a dialogue."""
    match step.get("op"):
        case "close":
            client.socket.close()
        case "expect_closed":
            assert client.reply() == "CLOSED"
        case "read_timeout":
            with suppress(OSError):  # closed by a handshake that failed
                client.socket.settimeout(0.3)
            assert client.reply() == "CLOSED"
        case "tls_handshake":
            with suppress(OSError):
                client.socket = trusting().wrap_socket(client.socket)
        case _:
            with suppress(OSError):  # hung up on in the middle of it: the next reply tells
                client.socket.sendall(base64.b64decode(step["b64"]))
            if "expect" in step:
                answer = client.reply()
                assert re.match(pattern_of(case, step), answer), f"{case['why']}: {answer}"


def pattern_of(case: dict[str, Any], step: dict[str, Any]) -> str:
    """550 and 554 are one code; the last answer may be the case's alternative."""
    pattern = re.sub("55[04]", "55[04]", step["expect"])
    if case.get("alt", "").startswith("accept") and step is case["smtp"][-1]:
        pattern += "|[23]"
    return f"(?:{pattern})"
