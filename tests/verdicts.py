"""
``python -m tests.verdicts``: what this Python makes of every message and policy among the cases, a line each.

Needs nothing beside the standard library, as the pure rooms do.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from relay.mail.reading import read_facts
from relay.policy.batch import answer
from tests.mail.letters import attacks, messages

CASES = Path(__file__).parent / "cases"


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def readings() -> Iterator[str]:
    """How each message is read, or why it is refused."""
    raw = [case["raw"] for case in (*attacks(), *messages())]
    raw += [json.loads(line)["message"].encode() for line in lines(CASES / "readings.jsonl")]
    for each in raw:
        yield repr(read_facts(each))


def answers() -> Iterator[str]:
    """What the judge says to each case, whole or broken."""
    for path in sorted(CASES.glob("*.jsonl")):
        for line in lines(path):
            yield json.dumps(answer(line), sort_keys=True)


if __name__ == "__main__":
    for verdict in (*readings(), *answers()):
        print(verdict.encode("ascii", "backslashreplace").decode())  # noqa: T201  for whoever compares
