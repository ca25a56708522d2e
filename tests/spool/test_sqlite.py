"""The embedded engine keeps the contract."""

import shutil
from pathlib import Path

import pytest

from relay.spool.ports import Spool
from relay.spool.sqlite import open_spool
from tests.contracts.spool import Place, SpoolContract


class Folder(Place):
    """A folder, copied as it is on disk when the process dies: the copy is what the next start finds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies = 0

    async def open(self, *, max_bytes: int = 1 << 30) -> Spool:
        self._folder.mkdir(exist_ok=True)
        return await open_spool(self._folder / "spool.db", max_bytes=max_bytes, idle=60)

    async def crash(self, spool: Spool) -> Spool:
        self._copies += 1
        copy = self._folder.with_name(f"crash{self._copies}")
        shutil.copytree(self._folder, copy)
        return await open_spool(copy / "spool.db", max_bytes=1 << 30, idle=60)

    def damage(self, spool: Spool, name: str) -> None:
        (file,) = (self._folder / "spool.db.messages").glob(f"{name}.*")
        file.unlink()


class TestSqlite(SpoolContract):
    @pytest.fixture
    def place(self, tmp_path) -> Place:
        return Folder(tmp_path / "spool")
