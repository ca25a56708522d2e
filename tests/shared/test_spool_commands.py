"""``ses-relay spool`` at a spool that relays share, and what its user at the server may do."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from relay.cli import main as ses_relay
from relay.spool.entries import State
from tests.contracts.spool import begun, due, found, kept
from tests.shared.servers import RedisServer
from tests.shared.spools import open_at
from tests.spool.building import NOON, RAW, entry
from tests.spool.test_command import SETTINGS

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "fleet.md"


async def typed(folder: Path, *words: str) -> Result:
    """What the command answers; it has a loop of its own."""
    arguments = ["spool", *words, "-c", str(folder / "relay.toml")]
    return await asyncio.to_thread(lambda: CliRunner().invoke(ses_relay, arguments))


async def test_people_see_and_change_what_relays_share(server: RedisServer, tmp_path: Path):
    (tmp_path / "relay.toml").write_text(f'{SETTINGS}\n[spool]\nurl = "{server.url}"\n')
    nothing = await typed(tmp_path, "list")
    assert (nothing.exit_code, "there is none" in nothing.output) == (1, True)

    spool = await open_at(server)
    try:
        await kept(spool, entry("a1"), entry("b2", delegate="other"), entry("c3"))
        await begun(spool, entry("c3"))
        listed = await typed(tmp_path, "list", "--json")
        told: list[dict[str, Any]] = json.loads(listed.stdout)
        assert [(one["id"], one["state"]) for one in told] == [("a1", "due"), ("b2", "due"), ("c3", "sending")]
        assert json.loads((await typed(tmp_path, "show", "a1", "--json")).stdout)["id"] == "a1"
        assert (await typed(tmp_path, "hold", "a1")).exit_code == 0
        assert (await typed(tmp_path, "retry", "c3")).exit_code == 1
        assert (await typed(tmp_path, "delete", "--delegate", "other", "--yes")).exit_code == 0
        assert await found(spool) == ["a1", "c3"]
        assert await found(spool, states=(State.HELD,)) == ["a1"]
        assert (await typed(tmp_path, "release", "a1")).exit_code == 0
        assert await due(spool, NOON * 2) == ["a1"]
    finally:
        await spool.close()


async def test_the_user_of_the_guide_may_do_what_is_needed_and_no_more(server: RedisServer):
    """
    The line in docs/how-to/fleet.md serves a spool, too.
    """
    (rules,) = re.findall(r"^ACL SETUSER ses-relay (on .*)$", GUIDE.read_text(), re.MULTILINE)
    assert server.ask("FLUSHALL") == b"+OK"
    assert server.ask("ACL", "SETUSER", "spool", *rules.replace(">PASSWORD", ">secret").split()) == b"+OK"
    user = server.url.replace("unix://", "unix://spool:secret@")
    spool = await open_at(server, url=user, lease=0.1)
    try:
        raw = bytes(1 << 20)
        assert await spool.commit(entry("big", raw=raw), raw) is None
        assert await spool.body(entry("big", raw=raw)) == raw
        await kept(spool, entry("a1"), entry("f1", state=State.FAILED, due_at=1.0), entry("hurt"))
        assert server.ask("HSET", "{ses-relay:spool}:e:hurt", "seal", "x") == b":0"
        assert await due(spool, NOON) == ["a1", "big"]
        assert await spool.recover() == []
        assert await spool.next_due(NOON) is None
        assert await spool.remove(await begun(spool, entry("a1"))) is None
        assert len(await spool.sweep(NOON)) == 2
        assert await found(spool) == ["big", "hurt"]
        await asyncio.sleep(0.1)
        assert spool.room(1) is None
        assert await spool.commit(entry("a1"), RAW) is None
    finally:
        await spool.close()
