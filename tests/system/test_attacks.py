"""
The attack cases against the whole relay: real process, real TLS, and a recording SES behind it.

A verdict is right only if the reply and the number of forwarded messages both are.
"""

import base64
import json
import re
import zlib
from typing import Any

import pytest

from tests.system.attack_field import CASES, FIXTURE
from tests.system.recording_ses import RecordingSes, Taken
from tests.system.relays import RunningRelay

pytestmark = pytest.mark.system

ALL = [json.loads(line) for line in (CASES / "attacks.jsonl").read_text().splitlines()]
MESSAGES = [case for case in ALL if case["kind"] == "message" and not case.get("stress")]


def raw_of(case: dict[str, Any]) -> bytes:
    if "message_zb64" in case:
        return zlib.decompress(base64.b64decode(case["message_zb64"]))
    return base64.b64decode(case["message_b64"])


def play(relay: RunningRelay, case: dict[str, Any]) -> str:
    """Hand the message over as its delegate; the first refusal, or the reply to the dot."""
    defaults = FIXTURE["defaults"]
    delegate = case.get("delegate", defaults["delegate"])
    with relay.client(delegate, FIXTURE["users"][delegate]) as client:
        mail_from, recipients = (case.get(key, defaults[key]) for key in ("mail_from", "rcpt"))
        return client.hand_over(mail_from, recipients, raw_of(case))


def verdicts(case: dict[str, Any]) -> list[tuple[str, str]]:
    """The verdict of the case and its permitted alternative; 550 and 554 count as one code."""
    alternative = case.get("alt") or ""
    wanted = [(case["expect"], case["code"])]
    if alternative.startswith("reject"):
        wanted.append(("reject", " ".join(alternative.split()[1:3])))
    elif alternative.startswith("accept"):
        wanted.append(("accept", "250"))
    return wanted


def is_code(pattern: str, reply: str) -> bool:
    code, _, status = pattern.strip().partition(" ")
    regex = re.sub("55[04]", "55[04]", code).replace("x", r"\d")
    return re.match(regex, reply) is not None and (not status or status in reply)


def check_forwarded(case: dict[str, Any], taken: Taken) -> None:
    """Nothing that steers SES, three ARNs, the envelope's recipients, the body untouched."""
    raw = raw_of(case)
    sent = (raw if raw.endswith(b"\r\n") else raw + b"\r\n").partition(b"\r\n\r\n")[2]
    assert not re.search(rb"(?im)^(x-ses-|bcc:|return-path:)", taken.head)
    assert all(taken.fields[name] for name in ("SourceArn", "FromArn", "ReturnPathArn"))
    assert sorted(taken.destinations) == sorted(set(case.get("rcpt", FIXTURE["defaults"]["rcpt"])))
    assert taken.body == sent


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case["id"])
def test_message(case: dict[str, Any], attacked: tuple[RunningRelay, RecordingSes]) -> None:
    """Every message case: the reply and what reached SES are one of the permitted verdicts."""
    relay, ses = attacked
    ses.taken.clear()
    reply = play(relay, case)
    forwarded = list(ses.taken)
    fitting = [
        expect
        for expect, codes in verdicts(case)
        if any(is_code(code, reply) for code in codes.split("|"))
        and len(forwarded) == (case.get("forwarded", 1) if expect == "accept" else 0)
    ]
    assert fitting, f"got {reply!r} and {len(forwarded)} forwarded; {case['why']}"
    for taken in forwarded:
        check_forwarded(case, taken)
