"""What a person may do with an entry: the table of docs/reliability.md, cell by cell."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from relay.spool.actions import GIVEN_UP, Action, Impossible, Removal, acted
from relay.spool.details import AGAIN, ALONE, HOLD, NOT_OWED, NOTICE, OWED, PAUSE
from relay.spool.entries import Batch, Entry, Kind, State
from relay.words.addresses import NullPath
from tests.spool.building import NOON, entry

KEEP = 1000.0
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

#: What becomes of an entry in each state. "no": it is refused; "removed": it is gone; "as it is": the state stays.
TABLE = {
    State.DUE: ("due", "held", "no", "removed", "failed"),
    State.SENDING: ("no", "sending", "no", "no", "no"),
    State.HELD: ("due", "no", "due", "removed", "failed"),
    State.FAILED: ("due", "no", "no", "removed", "no"),
    State.QUARANTINED: ("due", "no", "no", "removed", "failed"),
}
CELLS = [(state, action, cell) for state, row in TABLE.items() for action, cell in zip(Action, row, strict=True)]


def act(one: Entry, action: Action) -> Entry | Removal | Impossible:
    return acted(one, action, NOON + 500, keep_failed=KEEP)


def becomes(one: Entry, action: Action) -> Entry:
    found = act(one, action)
    assert isinstance(found, Entry), found
    return found


@pytest.mark.parametrize(("state", "action", "cell"), CELLS)
def test_each_action_in_each_state(state, action, cell):
    found = act(entry(state=state, version=3), action)

    match found:
        case Entry():
            assert (found.state.value, found.version) == (cell, 3)
        case Removal(first):
            assert cell == "removed"
            assert first is not None
            assert (first.state, first.details[NOTICE]) == (State.FAILED, NOT_OWED)
        case Impossible(why):
            assert cell == "no"
            assert why


def test_the_table_in_the_documentation_is_this_one():
    section = PAGE.read_text("utf-8").partition("## What people may do")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.MULTILINE)
    told = {State(name): tuple(cell.split(":")[0].strip() for cell in cells.split("|")) for name, cells in rows}

    assert told == TABLE


def test_retry_makes_it_due_and_young():
    one = becomes(entry(state=State.HELD, due_at=NOON + 9e9, details={PAUSE: "900", HOLD: "yes"}), Action.RETRY)

    assert one.due_at == NOON + 500
    assert one.details == {AGAIN: f"{NOON + 500:.0f}"}
    assert one.accepted_at == NOON


def test_retry_gives_the_refused_another_chance_and_nobody_a_second_copy():
    batches = (Batch(("a@a.test",), ses_id="0100"), Batch(("b@b.test",), refused="554 no"), Batch(("c@c.test",)))
    one = becomes(entry(state=State.FAILED, batches=batches, details={NOTICE: "n1"}), Action.RETRY)

    assert [batch.is_open for batch in one.batches] == [False, True, True]
    assert one.batches[0].ses_id == "0100"
    assert NOTICE not in one.details


def test_what_the_relay_may_have_died_of_is_retried_alone():
    """
    Its crashes still count: one more, and it is back in quarantine.
    """
    one = becomes(entry(state=State.QUARANTINED, crashes=3), Action.RETRY)

    assert (one.crashes, one.details[ALONE]) == (3, "yes")
    assert ALONE not in becomes(entry(state=State.QUARANTINED), Action.RETRY).details


def test_released_goes_on_as_it_was_due():
    one = becomes(becomes(entry(due_at=NOON + 700, details={PAUSE: "300"}), Action.HOLD), Action.RELEASE)

    assert (one.state, one.due_at, one.details[PAUSE]) == (State.DUE, NOON + 700, "300")
    assert one.details[AGAIN] == f"{NOON + 500:.0f}"


def test_a_hold_of_what_is_being_sent_is_a_mark_and_can_be_taken_back():
    sending = entry(state=State.SENDING)
    asked = becomes(sending, Action.HOLD)

    assert (asked.state, asked.details) == (State.SENDING, {HOLD: "yes"})
    assert act(asked, Action.HOLD) == Impossible("is held already")
    assert becomes(asked, Action.RELEASE) == sending


def test_given_up_owes_a_notification_that_says_so():
    one = becomes(entry(state=State.HELD, last="Throttling: slow down"), Action.GIVE_UP)

    assert (one.state, one.due_at, one.details[NOTICE]) == (State.FAILED, NOON + 500 + KEEP, OWED)
    assert one.last == f"{GIVEN_UP}; before that: Throttling: slow down"
    assert becomes(entry(), Action.GIVE_UP).last == GIVEN_UP


def test_nobody_is_notified_of_a_notification_nor_at_the_null_reverse_path():
    null = replace(entry().envelope, reverse_path=NullPath.NULL)

    for one in (entry(kind=Kind.NOTIFICATION), entry(envelope=null)):
        assert isinstance(act(one, Action.GIVE_UP), Impossible)
        assert isinstance(act(one, Action.DELETE), Removal)


@pytest.mark.parametrize("action", Action)
def test_what_cannot_be_read_can_only_be_deleted(action):
    found = act(entry(state=State.QUARANTINED, version=-1), action)

    assert found == Removal(None) if action is Action.DELETE else isinstance(found, Impossible)
