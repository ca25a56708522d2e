"""
A siege: a relay in a process of its own, a crowd that attacks it, and a bystander who measures and sends honest mail.
"""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.attacks.cases import FIXTURE
from tests.attacks.field import Field
from tests.attacks.figures import Figures
from tests.system.attack_field import write_settings
from tests.system.recording_ses import RecordingSes
from tests.system.relays import RunningRelay, started

#: Bounds that hold on a slow machine with other work; the figures are reported beside them.
GENEROUS_P99_SECONDS: Final = 2.0
GENEROUS_STALL_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Toll:
    """What a siege cost: seconds and MiB."""

    greetings: list[float]
    mails: list[float]
    refused: list[str]
    rss_before: float
    rss_peak: float

    @property
    def growth(self) -> float:
        return self.rss_peak - self.rss_before

    def lag(self, share: float) -> float:
        """The greeting that *share* of all were not later than, in milliseconds."""
        ordered = sorted(self.greetings)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    @property
    def columns(self) -> list[str]:
        return [
            f"RSS {self.rss_before:.0f} -> {self.rss_peak:.0f} MiB",
            f"greeting p50 {self.lag(0.5):.1f} p99 {self.lag(0.99):.1f} max {self.lag(1):.0f} ms",
            f"honest mail {len(self.mails) - len(self.refused)}/{len(self.mails)}",
        ]

    def is_bearable(self) -> list[str]:
        """What was worse than generous bounds allow; nothing is right."""
        wrong = {
            f"honest mail was refused: {self.refused[:3]}": bool(self.refused),
            "no honest mail was sent": not self.mails,
            f"p99 of the greeting {self.lag(0.99):.0f} ms": self.lag(0.99) > 1000 * GENEROUS_P99_SECONDS,
            f"the longest stall {self.lag(1):.0f} ms": self.lag(1) > 1000 * GENEROUS_STALL_SECONDS,
        }
        return [what for what, is_wrong in wrong.items() if is_wrong]


class CountingSes(RecordingSes):
    """Counts what the besiegers got through, and keeps none of it: a siege sends hundreds of megabytes."""

    forwarded = 0

    def take(self, fields: dict[str, str]) -> str:
        """Count one SendRawEmail and answer as SES does."""
        head = base64.b64decode(fields["RawMessage.Data"][:2000])
        answer = super().take({**fields, "RawMessage.Data": ""})
        self.taken.clear()
        self.forwarded += b"Subject: honest" not in head
        return answer


@dataclass
class Siege:
    """A relay that is besieged."""

    relay: RunningRelay
    ses: CountingSes
    field: Field

    @property
    def pid(self) -> int:
        return self.relay.process.pid

    def sessions(self) -> int:
        """How many connections the relay has, by its own count."""
        return int(self.relay.count("ses_relay_sessions"))

    def accepted(self, delegate: str) -> int:
        """How many messages of a delegate the relay counts as accepted."""
        return int(self.relay.count("ses_relay_messages_total", delegate=delegate, outcome="accepted"))

    def is_balanced(self) -> bool:
        """Whether every message that was begun has ended."""
        begun, ended = map(self.relay.count, ("ses_relay_messages_received_total", "ses_relay_messages_total"))
        return begun == ended

    @asynccontextmanager
    async def watched(self, name: str, figures: Figures) -> AsyncIterator[list[Toll]]:
        """Have somebody look on while a block runs; afterwards the list holds the toll, which is bearable."""
        tolls: list[Toll] = []
        words = [self.field.starttls, str(self.pid), "app2", FIXTURE["users"]["app2"]]
        bystander = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.attacks.watch", *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert bystander.stdout is not None
        assert await bystander.stdout.readline() == b"watching\n"
        try:
            yield tolls
        finally:
            said, _ = await bystander.communicate(b"")
        toll = Toll(**json.loads(said))
        tolls.append(toll)
        figures.add(name, *toll.columns)
        assert toll.is_bearable() == []


@contextmanager
def besieged(folder: Path, certificate: tuple[Path, Path], limits: str = "") -> Iterator[Siege]:
    """Run a relay with the settings that ship, but for *limits*: lines of that section."""
    ses = CountingSes()
    with ses:
        path = write_settings(folder, certificate=certificate[0], key=certificate[1], ses=ses.url)
        lifted = "auth_failures_per_minute = 100000\nauth_failures_per_day = 1000000\n"
        path.write_text(path.read_text().replace(lifted, limits))
        with started(["serve", "-c", str(path)], folder) as relay:
            starttls, implicit = relay.addresses["listeners"][:2]
            yield Siege(relay, ses, Field(relay, ses, starttls, implicit, clear=""))
