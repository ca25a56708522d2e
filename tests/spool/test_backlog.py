"""A long queue costs what a short one does: every question is answered from an index, in little memory."""

import os
import re
import sqlite3

from relay.spool.entries import State
from relay.spool.ports import Wanted
from relay.spool.sqlite import open_spool
from tests.spool.building import NOON, RAW, entry
from tests.spool.trials import command, said_by

QUEUED = os.environ.get("SPOOL_QUEUED", "10000")


def test_memory_does_not_grow_with_the_queue(tmp_path):
    """
    A start on a long queue takes what Python and a few pages take (C27; 100,000 with SPOOL_QUEUED).
    """
    said_by(command("queue", tmp_path, QUEUED))
    said = said_by(command("start", tmp_path))
    memory = re.fullmatch(r"memory (\d+) MiB", said[-1])
    assert said[0].startswith("100 due")
    assert memory
    assert int(memory[1]) < 60


async def test_every_question_is_answered_from_an_index(tmp_path):
    """
    What a courier and a scrape ask every second reads no entry that it does not name.
    """
    spool = await open_spool(tmp_path / "spool.db", max_bytes=1 << 30, idle=60)
    for one in (entry("a1"), entry("b2", delegate="other"), entry("c3", state=State.FAILED, due_at=NOON)):
        assert await spool.commit(one, RAW) is None
    asked: list[str] = []
    spool._reading.set_trace_callback(asked.append)
    await spool.due(NOON, limit=9, per_delegate=9)
    await spool.next_due(NOON)
    await spool.census()
    await spool.recover()
    await spool.body(entry("a1"))
    await spool.find(Wanted(ids=("a1",)), limit=9)
    await spool.sweep(NOON - 1)
    await spool.close()
    database = sqlite3.connect(tmp_path / "spool.db")
    plans = {query: [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")] for query in set(asked)}
    database.close()
    assert len(plans) > 10
    for query, plan in plans.items():
        for step in plan:
            assert not re.match(r"SCAN (entries|bodies)", step), (query, step)
