"""An export holds what happened in its span, in the order of time, in constant memory; and says what is missing."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from relay.audit.book import ACTION, CHANGE, MOST_ENTRIES, AuditBook, Entry
from relay.audit.chain import Chain, Verified, verify
from relay.audit.export import Count, Span, lines_of, oldest_decision
from relay.journal.files import open_to_read, open_to_write
from relay.journal.ring import Pack, Ring, packs_of, row_of
from relay.observe.record_texts import to_json
from relay.owner.changes import Change, Standing
from relay.words.arns import IdentityArn
from tests.observe.givens import ended

TEXT = '{"Version": "2012-10-17", "Statement": []}'
DIGEST = sha256(TEXT.encode()).hexdigest()
ARN = IdentityArn("aws", "us-east-1", "888888888888", "example.com")
ALL = Span(0.0, 2e9)


def record(number: int, *, delegate: str = "billing", minute: int = 0, arn: str | None = str(ARN)) -> dict[str, Any]:
    role = {"role": "from", "identity": arn, "agreeing": [], "digests": [DIGEST], "verdict": "allowed"}
    time = f"2026-11-21T08:{minute:02}:00.000000Z"
    return {**ended().record, "id": f"id{number}", "delegate": delegate, "time": time, "roles": [role]}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def packed(records: Iterable[dict[str, Any]]) -> list[Pack]:
    return packs_of([(row_of(each), to_json(each)) for each in records])


def keep(path: Path, *records: dict[str, Any], entries: int = 1000) -> None:
    with closing(open_to_write(path)) as file:
        Ring(file, entries).append(packed(records))


def keep_text(path: Path, text: str = TEXT) -> None:
    with closing(open_to_write(path)) as file:
        file.execute("INSERT INTO policy_text VALUES (?, ?)", (DIGEST, text))
        file.execute("INSERT INTO policy_period VALUES (1, ?, 'one', ?, 1.0, 2.0)", (str(ARN), DIGEST))


def alter(path: Path, statement: str) -> None:
    with closing(open_to_write(path)) as file:
        file.execute(statement)


def exported(path: Path, span: Span = ALL) -> tuple[list[tuple[str, Any]], Count]:
    count = Count()
    with closing(open_to_read(path)) as file:
        return list(lines_of(file, span, count)), count


def change(at: float, arn: str = str(ARN), delegate: str | None = None) -> Entry:
    policies = [{"name": "one", "kind": "added", "old": None, "new": DIGEST}]
    effects = None if delegate is None else [{"delegate": delegate}]
    return Entry(at, CHANGE, {"identity": arn, "policies": policies, "effects": effects})


def test_everything_in_the_order_of_its_time_and_each_text_once_before_it_is_named(journal):
    keep_text(journal)
    keep(journal, record(1, minute=1), record(2, minute=3))
    middle = 1795248120.0  # 08:02
    AuditBook(journal).write([change(middle), Entry(middle + 120, ACTION, {"action": "relay.reloaded", "details": {}})])

    lines, count = exported(journal)

    assert [kind for kind, _ in lines] == ["policy-text", "decision", "policy-change", "decision", "action"]
    assert lines[0][1]["text"] == TEXT
    assert [each["name"] for each in lines[0][1]["attached"]] == ["one"]
    assert count.kinds == {"policy-text": 1, "decision": 2, "policy-change": 1, "action": 1}
    assert lines[2][1]["time"] == "2026-11-21T08:02:00.000000Z"


def test_a_span_a_delegate_and_an_identity(journal):
    keep(
        journal,
        record(1, minute=1),
        record(2, minute=2, delegate="other"),
        record(3, minute=3, arn=None),
        record(4, minute=9),
    )
    middle = 1795248120.0
    AuditBook(journal).write(
        [change(middle, delegate="billing"), change(middle, delegate="other"), change(middle, f"{ARN}x")]
    )

    def ids(span: Span) -> list[str]:
        return [what["record"]["id"] for kind, what in exported(journal, span)[0] if kind == "decision"]

    def changes(span: Span) -> int:
        return sum(kind == "policy-change" for kind, _ in exported(journal, span)[0])

    assert ids(Span(middle, middle + 120)) == ["id2", "id3"]
    assert ids(Span(0, 2e9, delegate="billing")) == ["id1", "id3", "id4"]
    assert ids(Span(0, 2e9, identity="example.com")) == ids(Span(0, 2e9, identity=str(ARN))) == ["id1", "id2", "id4"]
    assert changes(Span(0, 2e9, delegate="billing")) == 2  # of one it is not known what it means
    assert changes(Span(0, 2e9, identity="example.com")) == 2


def test_what_was_taken_out_of_the_middle_is_a_gap_and_what_the_ring_let_go_is_none(journal):
    keep(journal, *(record(number, minute=number) for number in range(1, 9)), entries=6)
    assert exported(journal)[1].missing == 0
    alter(journal, "DELETE FROM decision WHERE number IN (4, 5)")

    lines, count = exported(journal)

    assert count.missing == 2
    (gap,) = [what for kind, what in lines if kind == "gap"]
    assert gap == {"after": 3, "before": 6, "missing": 2, "why": "taken out of the journal"}


@pytest.mark.parametrize(
    ("since", "until", "missing"),
    [(1, 4, 2), (4, 6, 2), (5, 9, 2), (6, 9, 2), (1, 3, 0), (7, 9, 0), (1, 60, 2), (9, 60, 0), (0, 1, 0)],
)
def test_what_was_taken_out_where_spans_meet_is_a_gap_of_both(journal, since, until, missing):
    """Whoever exports month by month misses nothing; nor where all of a span is gone."""
    keep(journal, *(record(number, minute=number) for number in range(1, 9)))
    alter(journal, "DELETE FROM decision WHERE number IN (4, 5)")
    start = row_of(record(0))[1]

    lines, count = exported(journal, Span(start + 60 * since, start + 60 * until))

    told = {"after": 3, "before": 6, "missing": 2, "why": "taken out of the journal"}
    assert [what for kind, what in lines if kind == "gap"] == [told] * (missing // 2)
    assert count.missing == missing


def test_what_somebody_changed_is_told(journal):
    keep_text(journal, TEXT.replace("[]", "[1]"))
    keep(journal, record(1))
    keep(journal, record(2))
    alter(journal, "UPDATE pack SET records = x'00' WHERE last = 2")

    lines, count = exported(journal)

    assert (count.altered, count.spoiled) == (1, 1)
    assert (lines[0][1]["is_altered"], lines[0][1]["text"]) == (True, None)
    assert lines[-1][0] == "unreadable"


def test_a_text_that_is_not_kept_is_named_all_the_same(journal):
    keep(journal, record(1))
    (text, _), _ = exported(journal)
    assert text == ("policy-text", {"digest": DIGEST, "text": None, "is_altered": False, "attached": []})


def test_tens_of_thousands_of_lines_in_constant_memory(journal):
    """Written and verified, a line at a time: the last four fifths need no more than the first."""
    made = packed(record(number) for number in range(1000))
    with closing(open_to_write(journal)) as file:
        file.execute("PRAGMA synchronous = OFF")
        ring = Ring(file, 50_000)
        for _ in range(50):
            ring.append(made)
    held: list[int] = []

    def watched(lines: Iterator[bytes]) -> Iterator[bytes]:
        for number, line in enumerate(lines):
            if number in (10_000, 50_000):
                held.append(resident())
            yield line

    with closing(open_to_read(journal)) as file:
        found = verify(watched(Chain().chain({}, lines_of(file, ALL, Count()))))

    assert isinstance(found, Verified)
    assert found.lines == 50_003
    assert held[1] - held[0] < 4 << 20


def resident() -> int:
    """Octets of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_what_is_too_old_goes_and_what_is_in_force_stays(journal):
    keep_text(journal)
    book = AuditBook(journal)
    book.write([change(10.0), change(20.0)])
    with closing(open_to_write(journal)) as file:
        file.execute("INSERT INTO policy_text VALUES ('new', '{}')")
        file.execute("INSERT INTO policy_period VALUES (2, ?, 'two', 'new', 1.0, 30.0)", (str(ARN),))
        Ring(file, 100).append(packed([record(1, minute=1), record(2, minute=2)]))
        assert not Ring(file, 100).forget(1795248110.0)

    assert book.forget(15.0) is None

    lines, _ = exported(journal)
    assert [what["record"]["id"] for kind, what in lines if kind == "decision"] == ["id2"]
    assert [kind for kind, _ in lines].count("policy-change") == 1
    assert book.texts(["new", DIGEST]) == {"new": "{}", DIGEST: TEXT}  # a change names it
    assert book.forget(25.0) is None
    assert book.texts(["new", DIGEST]) == {"new": "{}"}


def test_a_ring_that_forgets_counts_what_is_left(journal):
    with closing(open_to_write(journal)) as file:
        ring = Ring(file, 5)
        ring.append(packed(record(n, minute=n) for n in range(4)))
        ring.forget(1795248110.0)
        assert (ring.kept, oldest_decision(file)) == (2, 1795248120.0)
        ring.append(packed(record(n, minute=n) for n in range(4, 8)))
        assert ring.kept == file.execute("SELECT count(*) FROM decision").fetchone()[0] == 5
        assert ring.octets == file.execute("SELECT sum(length(records)) FROM pack").fetchone()[0]


def test_how_identities_stood_comes_back(journal):
    book = AuditBook(journal)
    stood = Standing(verified=True, policies={"one": DIGEST})
    unread = IdentityArn("aws", "eu-west-1", "999999999999", "b.example")
    listed = Standing(verified=True)
    book.write([], [Change(ARN, None, stood), Change(unread, None, listed)], {_owner(ARN), _owner(unread)})
    assert book.standing() == {_owner(ARN): {ARN: stood}, _owner(unread): {unread: listed}}

    book.write([], [Change(ARN, stood, None)], {_owner(ARN)})
    assert book.standing() == {_owner(ARN): {}}


def test_entries_are_bounded(journal):
    book = AuditBook(journal)
    book.write([Entry(float(number), ACTION, {"action": "x"}) for number in range(10)])
    alter(journal, f"UPDATE audit_entry SET number = number + {MOST_ENTRIES - 5}")
    book.write([Entry(11.0, ACTION, {"action": "y"})])

    with closing(open_to_read(journal)) as file:
        assert file.execute("SELECT count(*), max(time) FROM audit_entry").fetchone() == (11, 11.0)
    alter(journal, f"UPDATE audit_entry SET number = number + {MOST_ENTRIES} WHERE time > 8")
    book.write([Entry(12.0, ACTION, {"action": "z"})])
    with closing(open_to_read(journal)) as file:
        assert [json.loads(what)["action"] for (what,) in file.execute("SELECT entry FROM audit_entry")] == [
            "x",
            "y",
            "z",
        ]


def _owner(arn: IdentityArn) -> tuple[str, str]:
    return arn.account, arn.region
