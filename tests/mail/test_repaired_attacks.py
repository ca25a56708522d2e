"""Every hostile message, with every repair on: refused as before, or sent for the one author whom the repair leaves."""

import json
import random
import re
from typing import Any

import pytest

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.reading import read_facts
from relay.mail.repairs import repair
from tests.attacks.cases import Case
from tests.mail.letters import CASES, attacks, messages
from tests.mail.test_properties import OCTETS, TOKENS, check_one_reading
from tests.mail.test_repairs import EVERY, plan

#: Refused as they come, and taken when repaired; each with what was wrong with it.
MENDED = {
    "c-utf8-name-raw": "a name in raw UTF-8 before the delegate's own address",
    "nc-8bit-name": "the same",
    "From with a no-break space": "the same, of a blank that is not ASCII",
    "From with a quoted 8-bit name": "the same, in quotes",
    "Sender has 8-bit octets": "the same, in Sender, which names the author",
    "d-line-header-999": "a long line in a field of no meaning: folded",
    "a header line of 999 octets": "the same",
    "nd-line-999": "a long line in a text: encoded",
    "a body line of 999 octets": "the same",
    "a last line of 999 octets without its end": "the same",
    "a bare LF at the very end": "one LF, behind the last line of a message of LF",
    "LF line ends throughout": "every line ends alike, in LF",
}
AUTHOR = "app1@example.com"


def more_attacks() -> list[dict[str, Any]]:
    cases = [json.loads(line) for line in (CASES / "more_attacks.jsonl").read_text().splitlines()]
    return [case | {"raw": Case(case).raw} for case in cases if case["kind"] == "message"]


ALL = [*attacks(), *more_attacks(), *messages()]
#: Those that are not about line ends: in LF they are the same messages.
OF_WHOLE_LINES = [case for case in ALL if not re.search(rb"\r(?!\n)|(?<!\r)\n", case["raw"])]


def name_of(case: dict[str, Any]) -> str:
    name: str = case.get("id") or case["name"]
    return name


@pytest.mark.parametrize("case", ALL, ids=name_of)
def test_case(case: dict[str, Any]):
    """What is taken stays the same in all that is judged; what is refused stays refused, but for the list."""
    before, after = read_facts(case["raw"]), read_facts(repair(case["raw"], plan(*EVERY)).raw)
    if isinstance(before, MessageFacts):
        assert after == before
    elif name_of(case) in MENDED:
        assert isinstance(after, MessageFacts), after
        assert str(after.author) == AUTHOR
    else:
        assert isinstance(after, MessageProblem), after


@pytest.mark.parametrize("case", OF_WHOLE_LINES, ids=name_of)
def test_case_in_lines_of_lf(case: dict[str, Any]):
    """As software would send it that ends lines in LF: nothing becomes another's mail by that."""
    before, after = read_facts(case["raw"]), read_facts(repair(case["raw"].replace(b"\r\n", b"\n"), plan(*EVERY)).raw)
    if isinstance(after, MessageFacts):
        assert str(after.author) == AUTHOR or (isinstance(before, MessageFacts) and after == before)
        assert isinstance(before, MessageFacts) or name_of(case) in MENDED


def test_every_case_of_the_list_is_there():
    assert MENDED.keys() <= {name_of(case) for case in ALL}


@pytest.mark.parametrize("seed", range(12))
def test_repaired_mutants_have_one_reading(seed: int):
    """Octets and tokens put in, taken out, changed, CRLF made LF: refused, or one author for CPython's parsers too."""
    chance = random.Random(seed)
    new = [b"", b"\n", b"\n.\n", b"\xc3\xa9", b"\xc3\xa9 <ceo@example.com>", b"x" * 999, *OCTETS, *TOKENS]
    small = [case["raw"] for case in ALL if len(case["raw"]) < 2000]
    for _ in range(100):
        raw = chance.choice(small)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(raw) + 1)
            raw = raw[:at] + chance.choice(new) + raw[at + chance.randint(0, 2) :]
        if chance.random() < 0.5:
            raw = raw.replace(b"\r\n", b"\n")
        check_one_reading(repair(raw, plan(*EVERY)).raw)
