"""A row is sealed as it always was: what an earlier release wrote can be read."""

import hashlib
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from relay.spool.entry_text import columns_of, write_entry
from relay.spool.rows import READ, Row, read, row_of
from tests.spool.building import NOON, entry

MOMENTS = st.floats(0, 1e11)


@given(st.text(), st.text(), MOMENTS, MOMENTS, st.binary(min_size=32, max_size=32))
@example("o'brien", 'a \\ and a "', NOON, NOON, bytes(32))
@example("billing", "", NOON + 0.1, NOON + 0.1, b"'" * 32)
def test_the_seal_is_of_what_python_writes(
    delegate: str, last: str, accepted_at: float, due_at: float, digest: bytes
) -> None:
    """Whatever quotes, escapes and moments are in it, and if one moment stands for both."""
    made = replace(entry(delegate=delegate, last=last), accepted_at=accepted_at, due_at=due_at)
    for each in (made, replace(made, due_at=made.accepted_at)):
        written = repr((*columns_of(each), write_entry(each), digest))
        row = row_of(each, digest)
        assert row.seal == hashlib.sha256(written.encode("ascii", "backslashreplace")).digest()
        assert read(_as_read(row)) == each


def _as_read(row: Row) -> tuple[object, ...]:
    """The columns as an engine gives them back, each a value of its own."""
    return tuple(float(str(value)) if isinstance(value, float) else value for value in map(row._asdict().get, READ))
