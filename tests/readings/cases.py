"""Every message of ``tests/cases``, hostile and honest."""

import base64
import json
from typing import Final

from relay.mail.facts import MessageFacts
from relay.mail.reading import read_facts
from tests.mail.letters import CASES, attacks, messages


def _further() -> list[bytes]:
    rows = [json.loads(line) for line in (CASES / "more_attacks.jsonl").read_text().splitlines()]
    raws = [base64.b64decode(row["message_b64"]) for row in rows if row["kind"] == "message" and "message_b64" in row]
    measured = [json.loads(line)["message"] for line in (CASES / "readings.jsonl").read_text().splitlines()]
    return [raw if raw.endswith(b"\r\n") else raw + b"\r\n" for raw in raws] + [
        text.encode("latin-1") for text in measured
    ]


MESSAGES: Final = [case["raw"] for case in attacks() + messages()] + _further()
ACCEPTED: Final = [raw for raw in MESSAGES if isinstance(read_facts(raw), MessageFacts)]
#: Accepted, and small enough to be made mutants of.
SMALL: Final = [raw for raw in ACCEPTED if len(raw) < 4000]
