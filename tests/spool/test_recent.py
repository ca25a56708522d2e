"""What the spool remembers of what was just written is what a disk that nobody touched would say."""

from relay.spool.entries import Entry
from relay.spool.recent import Recent
from relay.spool.rows import READ, row_of
from relay.spool.sqlite import open_spool
from tests.spool.building import NOON, RAW, entry


def test_an_entry_stands_for_its_row_and_for_no_other():
    recent, row = Recent(), row_of(entry("a1"), b"digest")
    read = tuple(getattr(row, name) for name in READ)
    for place in range(1, len(read)):
        recent.committed(entry("a1"), row)
        assert recent.entry((*read[:place], "changed", *read[place + 1 :])) is None
    recent.committed(entry("a1"), row)
    assert recent.entry(read) == entry("a1")
    assert recent.entry(read) is None


def test_a_message_is_that_of_the_attempt_that_began():
    recent, body = Recent(), (b"digest", RAW)
    recent.begun(entry("a1", version=1), body)
    assert recent.body(entry("a1", version=2)) is None
    recent.begun(entry("a1", version=1), body)
    recent.forget("a1")
    assert recent.body(entry("a1", version=1)) is None


def test_memory_is_bounded():
    recent = Recent()
    for number in range(1500):
        recent.committed(entry(f"n{number}"), row_of(entry(f"n{number}"), b""))
        recent.begun(entry(f"n{number}"), (b"", b""))
    assert len(recent._entries) <= 512
    assert len(recent._bodies) <= 64


async def test_what_is_remembered_is_what_is_read_after_a_start(tmp_path):
    """The same entry and message, whether they come from memory or from the disk."""
    spool = await open_spool(tmp_path / "spool.db", max_bytes=1 << 30)
    assert await spool.commit(entry("a1"), RAW) is None
    fast = await spool.due(NOON * 2, limit=9, per_delegate=9)
    assert fast == await spool.due(NOON * 2, limit=9, per_delegate=9) == [entry("a1")]
    begun = await spool.begin(entry("a1"), NOON)
    assert isinstance(begun, Entry)
    assert await spool.body(begun) == await spool.body(begun) == RAW
    await spool.close()
