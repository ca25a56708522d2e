"""The spool of the other rooms' tests keeps the contract of the real ones."""

import pytest

from relay.spool.ports import Spool
from tests.contracts.spool import Place, SpoolContract
from tests.spool.memory import MemorySpool


class Memory(Place):
    """Nowhere."""

    async def open(self, *, max_bytes: int = 1 << 30) -> Spool:
        return MemorySpool(max_bytes=max_bytes, max_failed_bytes=max_bytes // 4)

    async def crash(self, spool: Spool) -> Spool:
        assert isinstance(spool, MemorySpool)
        return spool.crashed()

    def damage(self, spool: Spool, name: str) -> None:
        assert isinstance(spool, MemorySpool)
        spool.damage(name)


class TestMemory(SpoolContract):
    @pytest.fixture
    def place(self) -> Place:
        return Memory()
