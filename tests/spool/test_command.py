"""``ses-relay spool``: what an operator types, and what becomes of it."""

import asyncio
import json
import re
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.audit.book import entries_between
from relay.cli import main as ses_relay
from relay.cli.spool import acting
from relay.journal.files import open_to_read
from relay.spool.desk import Desk
from relay.spool.details import HOLD, NOT_OWED, NOTICE, OWED
from relay.spool.entries import Batch, Entry, Kind, State
from relay.spool.ports import Wanted
from relay.spool.sqlite import SqliteSpool, open_spool
from relay.words.addresses import parse_address
from relay.words.endings import Reason
from relay.words.unavailable import Unavailable
from tests.spool.building import NOON, RAW, entry

POLICIES = Path(__file__).parents[2] / "config" / "demo" / "policies"
SETTINGS = f"""
[[listener]]
address = "127.0.0.1:2525"
require_auth = false

[[delegate]]
name = "billing"
principal = "arn:aws:iam::111111111111:user/billing"
trusted_networks = ["127.0.0.1/32"]

[policies]
source = "directory"
directory = "{POLICIES}"

[ses]
region = "us-east-1"
"""


class Place:
    """A folder with settings and a spool, and the operator at its prompt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool.db"
        self.write()

    def write(self, more: str = "") -> None:
        spool = f'[spool]\nurl = "sqlite://{self.spool}"\n'
        (self.folder / "relay.toml").write_text(SETTINGS + spool + more)

    def keep(self, *entries: Entry) -> None:
        async def keep() -> None:
            spool = await open_spool(self.spool, max_bytes=1 << 24)
            for one in entries:
                assert await spool.commit(one, RAW) is None
            await spool.close()

        asyncio.run(keep())

    def entries(self) -> dict[str, Entry]:
        async def find() -> dict[str, Entry]:
            spool = await open_spool(self.spool, max_bytes=1 << 24, visiting=True)
            found = await spool.find(Wanted(), limit=1000)
            await spool.close()
            assert not isinstance(found, Unavailable)
            return {one.id: one for one in found}

        return asyncio.run(find())

    def type(self, *words: str, answer: str = "") -> Result:
        arguments = ["spool", *words, "-c", str(self.folder / "relay.toml")]
        return CliRunner().invoke(ses_relay, arguments, input=answer)

    def json(self, *words: str, answer: str = "") -> Any:
        return json.loads(self.type(*words, "--json", answer=answer).stdout)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def full(place: Place) -> Place:
    """Five messages in five states."""
    place.keep(
        entry("d1", accepted_at=NOON + 5),
        entry("f1", state=State.FAILED, accepted_at=NOON + 4, reason=Reason.SES_REFUSED, last="554 5.6.0 Illegal"),
        entry("h1", state=State.HELD, accepted_at=NOON + 3, delegate="news"),
        entry("q1", state=State.QUARANTINED, accepted_at=NOON + 2, crashes=3, last="the relay ended"),
        entry("s1", state=State.SENDING, accepted_at=NOON + 1, attempts=1),
    )
    return place


def test_the_oldest_come_first(full):
    assert [one["id"] for one in full.json("list")] == ["s1", "q1", "h1", "f1", "d1"]
    assert [one["id"] for one in full.json("list", "--limit", "2")] == ["s1", "q1"]


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (["--state", "due", "--state", "held"], ["h1", "d1"]),
        (["--delegate", "news"], ["h1"]),
        (["--reason", "Illegal"], ["f1"]),
        (["--reason", "ses-refused"], ["f1"]),
        (["--older-than", "1d", "--state", "failed"], ["f1"]),
        (["--older-than", "9000d"], []),
    ],
)
def test_filters_choose(full, filters, ids):
    assert [one["id"] for one in full.json("list", *filters)] == ids


def test_in_a_pipe_a_line_is_whole_and_plain(full):
    """
    What is counted goes to standard error, so that lines can be counted.
    """
    result = full.type("list", "--state", "failed")

    header, line = result.stdout.splitlines()
    assert header.split() == ["ID", "STATE", "AGE", "NEXT", "TRIES", "SIZE", "DELEGATE", "FROM", "TO", "WHY"]
    assert re.fullmatch(
        r"f1  failed  \d+ d  -     0      55 B  billing   bounces@example\.com  ann@example\.net and 1 more  "
        r"ses-refused: 554 5\.6\.0 Illegal",
        line,
    )
    assert result.stderr == "1 message: 1 failed\n"


def test_an_empty_spool_is_no_trouble(place):
    place.keep()
    result = place.type("list")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "0 messages\n")
    assert place.json("list") == []


def test_what_was_said_cannot_steer_the_terminal(place):
    place.keep(entry("a1", last="\x1b[2Jboo\nb2 due"))

    assert "none: ?[2Jboo?b2 due" in place.type("list").stdout
    assert "\x1b" not in place.type("show", "a1").stdout


def test_show_tells_each_fate(place):
    batches = (
        Batch(("ann@example.net",), ses_id="0100-1"),
        Batch(("bob@example.net",), refused="554 5.6.0 no"),
        Batch(("eve@example.net",)),
    )
    place.keep(entry("a1", state=State.FAILED, batches=batches, attempts=3, maybe=1, details={NOTICE: OWED}))
    result = place.type("show", "a1")

    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "a1 failed"
    assert lines[-3:] == [
        "sent ann@example.net 0100-1",
        "refused bob@example.net 554 5.6.0 no",
        "open eve@example.net",
    ]
    assert "attempts 3; SES may have it after 1 of them" in lines
    assert "notice owed, not written yet" in lines
    assert "Yours." not in result.output
    assert [one["fate"] for one in place.json("show", "a1")["fates"]] == ["sent", "refused", "open"]


def test_show_prints_the_header_only_and_writes_the_message_for_one_person(full):
    shown = full.type("show", "d1", "--headers")
    target = full.folder / "message.eml"
    written = full.type("show", "d1", "--eml", str(target))
    again = full.type("show", "d1", "--eml", str(target))

    assert shown.stdout == "From: billing@example.com\nSubject: Invoice\n"
    assert (written.exit_code, written.stdout, written.stderr) == (0, "", f"{target}: 55 B\n")
    assert target.read_bytes() == RAW
    assert target.stat().st_mode & 0o777 == 0o600
    assert (again.exit_code, target.read_bytes()) == (2, RAW)


def test_what_is_not_there_is_said(full):
    for words in (["show", "zz"], ["retry", "zz"], ["delete", "zz", "--yes"]):
        result = full.type(*words)
        assert result.exit_code == 1
        assert "zz" in result.stderr


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (["retry", "f1"], State.DUE),
        (["retry", "q1"], State.DUE),
        (["hold", "d1"], State.HELD),
        (["release", "h1"], State.DUE),
    ],
)
def test_one_message_is_acted_on_without_a_question(full, words, state):
    result = full.type(*words)

    assert (result.exit_code, result.stdout) == (0, f"{words[0]}: 1 message\n")
    assert full.entries()[words[1]].state is state


def test_what_cannot_be_done_is_said_for_each_and_the_rest_is_done(full):
    result = full.type("hold", "d1", "f1", "h1")

    assert (result.exit_code, result.stdout) == (1, "hold: 1 message\n")
    assert result.stderr == "f1 is failed: nothing of it is sent, held or not\nh1 is held already\n"
    assert full.json("hold", "d1") == {"action": "hold", "done": [], "left": [{"id": "d1", "why": "is held already"}]}


def test_what_was_done_before_an_interruption_is_kept_for_an_audit(full, monkeypatch):
    """Whoever deletes and is quick with Ctrl-C leaves a trace, too."""
    act = Desk.act

    async def interrupted(desk: Desk, name: str, *more: Any) -> Any:
        if name == "q1":
            raise KeyboardInterrupt
        return await act(desk, name, *more)

    monkeypatch.setattr(Desk, "act", interrupted)
    monkeypatch.setattr(acting, "_AT_ONCE", 1)
    journal = full.folder / "journal.db"
    full.write(f'[journal]\npath = "{journal}"\n')
    assert full.type("delete", "d1", "f1", "q1", "--yes").exit_code == 1
    assert sorted(full.entries()) == ["h1", "q1", "s1"]

    with closing(open_to_read(journal)) as file:
        (entry,) = entries_between(file, 0.0, 1e12)
    assert entry.what["action"] == "spool.changed"
    assert (entry.what["details"]["action"], entry.what["details"]["ids"]) == ("delete", ["d1", "f1"])


def test_a_hold_of_what_is_being_sent_is_noted(full):
    assert full.type("hold", "s1").exit_code == 0
    assert HOLD in full.entries()["s1"].details
    assert "held when the attempt is over" in full.type("show", "s1").stdout


def test_a_deletion_asks_and_says_that_nobody_is_notified(full):
    refused = full.type("delete", "d1", answer="n\n")
    assert refused.exit_code == 1
    assert "Delete this message? It is gone for good, and no notification is sent. [y/N]" in refused.stderr
    assert "d1" in full.entries()

    assert full.type("delete", "d1", answer="y\n").exit_code == 0
    assert full.type("delete", "f1", "q1", "--yes").exit_code == 0
    assert sorted(full.entries()) == ["h1", "s1"]


def test_what_is_being_sent_is_not_deleted(full):
    result = full.type("delete", "s1", "--yes")

    assert (result.exit_code, "s1" in full.entries()) == (1, True)
    assert result.stderr == "s1 is being sent now: hold it, or wait for the end of the attempt\n"


def test_a_deletion_with_a_notification_needs_somebody_who_writes_it(full):
    assert full.type("delete", "d1", "--notify", "--yes").exit_code == 2
    full.write('[notifications]\nfrom = "postmaster@example.com"\n')
    assert full.type("delete", "d1", "--notify", "--yes").exit_code == 0

    given_up = full.entries()["d1"]
    assert (given_up.state, given_up.details[NOTICE]) == (State.FAILED, OWED)


def test_many_are_shown_counted_and_asked_about(place):
    """
    A count of each kind, the first ten, what is left; nothing is done without a yes.
    """
    failed = [entry(f"f{number:02}", state=State.FAILED, reason=Reason.SES_REFUSED) for number in range(12)]
    failed[0] = replace(failed[0], details={NOTICE: "n1"})
    failed[1] = replace(failed[1], details={NOTICE: NOT_OWED})
    place.keep(*failed, entry("s1", state=State.SENDING))
    result = place.type("retry", "--delegate", "billing", answer="n\n")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "retry: 12 messages\n      12  billing  failed  ses-refused\n" in result.stderr
    assert len(re.findall(r"(?m)^  f\d\d  failed", result.stderr)) == 10
    assert "  and 2 more\n" in result.stderr
    assert "of 1 message the author was notified already that it will not be delivered\n" in result.stderr
    assert "left as it is: 1 message, each is being sent now" in result.stderr
    assert "Retry these 12 messages? [y/N]" in result.stderr
    assert {one.state for one in place.entries().values()} == {State.FAILED, State.SENDING}

    done = place.type("retry", "--delegate", "billing", "--yes")
    assert (done.exit_code, done.stdout) == (0, "retry: 12 messages\n")
    assert {one.state for one in place.entries().values()} == {State.DUE, State.SENDING}


def test_no_answer_is_no(full):
    assert full.type("delete", "--state", "due").exit_code == 1
    assert len(full.entries()) == 5


def test_none_that_match_is_no_failure(full):
    result = full.type("retry", "--delegate", "nobody", "--yes")

    assert (result.exit_code, result.stdout) == (0, "retry: 0 messages\n")


@pytest.mark.parametrize(
    "words",
    [
        ["retry"],
        ["delete", "--yes"],
        ["hold", "d1", "--state", "due"],
        ["list", "--state", "lost"],
        ["list", "--older-than", "soon"],
        ["list", "--limit", "0"],
        ["list", "--reason", "\udcff"],
        ["show"],
    ],
)
def test_wrong_usage(full, words):
    """
    Nothing is ever chosen by saying nothing.
    """
    assert full.type(*words).exit_code == 2
    assert len(full.entries()) == 5


def test_a_spool_that_is_not_there_is_said(place):
    result = place.type("list")
    assert (result.exit_code, str(place.spool) in result.stderr) == (1, True)
    assert not place.spool.exists()

    (place.folder / "relay.toml").write_text(f'{SETTINGS}[delivery]\nmode = "direct"\n')
    assert "no messages are kept" in place.type("list").stderr


def test_what_cannot_be_read_is_listed_and_can_be_deleted(place):
    place.keep(entry("a1"))
    _change(place.spool, "UPDATE entries SET size = size + 1")

    assert [one["is_readable"] for one in place.json("list")] == [False]
    assert "damage" in place.type("show", "a1").stdout
    assert place.type("retry", "a1").exit_code == 1
    assert place.type("delete", "a1", "--yes").exit_code == 0
    assert place.entries() == {}


def test_a_message_that_is_damaged_is_not_shown(place):
    place.keep(entry("a1"))
    _change(place.spool, "UPDATE bodies SET octets = x'00'")
    result = place.type("show", "a1", "--headers")

    assert (result.exit_code, result.stdout) == (1, "")


def test_a_notification_is_shown_as_one(place):
    place.keep(entry("n1", kind=Kind.NOTIFICATION, state=State.FAILED))

    assert "notification" in place.type("show", "n1").stdout
    place.write('[notifications]\nfrom = "postmaster@example.com"\n')
    assert place.type("delete", "n1", "--notify", "--yes").exit_code == 1


def test_a_message_for_many_is_one_line(place):
    paths = tuple(parse_address(f"r{number}@example.net") for number in range(200))
    place.keep(entry("a1", envelope=replace(entry("a1").envelope, forward_paths=paths)))

    assert "r0@example.net and 199 more" in place.type("list").stdout


def _change(path: Path, statement: str) -> None:
    async def change() -> None:
        spool = await open_spool(path, max_bytes=1 << 24)
        assert isinstance(spool, SqliteSpool)
        await spool._written(lambda connection: connection.execute(statement).rowcount)
        await spool.close()

    run: Coroutine[Any, Any, None] = change()
    asyncio.run(run)
