"""The text of an entry is JSON, whatever is in the entry, and says all of it."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from relay.spool.entries import Batch, Entry, Kind
from relay.spool.entry_text import columns_of, read_entry, write_entry
from relay.words.addresses import NullPath
from relay.words.endings import Reason
from tests.spool.building import entry

TEXTS = st.text()
BATCHES = st.builds(Batch, st.lists(TEXTS).map(tuple), st.none() | TEXTS, st.none() | TEXTS)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    made = entry()
    envelope = replace(made.envelope, reverse_path=NullPath.NULL) if draw(st.booleans()) else made.envelope
    return replace(
        made,
        session=replace(made.session, helo=draw(TEXTS)),
        envelope=envelope,
        batches=tuple(draw(st.lists(BATCHES, max_size=3))),
        kind=draw(st.sampled_from(Kind)),
        reason=draw(st.sampled_from(Reason)),
        last=draw(TEXTS),
        details=draw(st.dictionaries(TEXTS, TEXTS)),
        attempts=draw(st.integers(0, 9)),
        maybe=draw(st.integers(0, 9)),
    )


@given(entries())
def test_an_entry_is_read_as_it_was_written(made: Entry) -> None:
    """And the text is what a writer of JSON makes of what is in it: one line of ASCII without a space too many."""
    text = write_entry(made)

    assert read_entry(columns_of(made), text) == made
    assert text == json.dumps(json.loads(text), separators=(",", ":"))
