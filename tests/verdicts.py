"""
``python -m tests.verdicts``: what this Python makes of every message and policy among the cases, a line each.

Needs nothing beside the standard library, as the pure rooms do.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from relay.mail.reading import read_facts
from relay.policy.batch import answer
from relay.policy.strict_json import JsonProblem, decode
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


def problems() -> Iterator[str]:
    """Where and why text is no JSON: policies with an octet less, and with a comma, a quote or a bracket too many."""
    cases = [json.loads(line) for name in ("policy-unreadable", "lint") for line in lines(CASES / f"{name}.jsonl")]
    texts = [case["text"] for case in cases if "text" in case][::4]
    for text in texts:
        for at in range(0, len(text), 3):
            for inserted in ("", ",", '"', "]", " }", "1"):
                try:
                    decode(text[:at] + inserted + text[at + (not inserted) :])
                except JsonProblem as problem:
                    yield f"{problem.offset}: {problem}"


def verdicts() -> list[str]:
    """All of them, in letters that every terminal takes."""
    return [each.encode("ascii", "backslashreplace").decode() for each in (*readings(), *answers(), *problems())]


if __name__ == "__main__":
    print(*verdicts(), sep="\n")  # noqa: T201  for whoever compares
