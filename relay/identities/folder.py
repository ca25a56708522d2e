"""Policies from a folder (``policies.source = "directory"``): read in rounds, handed out as one value."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from relay.identities.files import PolicyFiles
from relay.identities.ports import Keeper, Owner, PlaceState
from relay.identities.scan import Scan, not_read_yet, read_folder
from relay.judgement.catalog import Catalog, Identity
from relay.judgement.verdicts import Decision
from relay.observe.events import Observer, PoliciesRefreshed
from relay.policy.document import UnreadablePolicy
from relay.words.arns import IdentityArn
from relay.words.values import replace

#: How often a round is begun again because the folder changed under it.
ROUNDS: Final = 4


class FolderDirectory:
    """
    The identities and policies of a folder, as they were read last.

    A round never makes things look better than they are: a file, folder or link that cannot be read makes its identity
    undecided; a root that cannot be read changes nothing, and what was read before grows older until it decides
    nothing. A policy that is gone is looked for twice: editors move a file away before they write it anew.

    *clock* tells wall-clock seconds since the epoch. *interval*: seconds between two rounds. *keeper* is handed every
    text that is read. *settle*: seconds to wait before a missing policy counts as removed.
    """

    def __init__(
        self,
        root: Path,
        owners: Sequence[Owner],
        observe: Observer,
        clock: Callable[[], float],
        *,
        interval: float = 60.0,
        keeper: Keeper | None = None,
        settle: float = 0.2,
    ) -> None:
        self._root = root
        self._owners = tuple(owners)
        self._observe = observe
        self._clock = clock
        self._interval = interval
        self._settle = settle
        self._keeper = keeper
        self._files = PolicyFiles(collect=keeper is not None)
        self._catalog = not_read_yet(self._owners)
        self._reading = threading.Lock()
        self._wanted = asyncio.Event()

    @property
    def catalog(self) -> Catalog:
        """The last good reading; before the first one, everything in it is undecided."""
        return self._catalog

    def refresh(self) -> None:
        """Read the folder now, in the calling thread, and tell the observer."""
        self._observe(self._read())

    def fetch(self, _identities: Iterable[IdentityArn]) -> bool:
        """Nothing is left unread by a round."""
        return False

    def refresh_soon(self) -> None:
        """Let :meth:`run` begin a round at once."""
        self._wanted.set()

    def invalidate(self, identity: IdentityArn | None = None) -> bool:
        """Let :meth:`run` begin a round at once: it reads everything that changed."""
        self._wanted.set()
        return identity is None or (identity.account, identity.region) in self._catalog.owners

    def used(self, delegate: str, decisions: Sequence[Decision]) -> None:
        """Nothing comes of it: a round reads what is not in use as well."""

    async def look(self, _delegate: str, _identities: Iterable[IdentityArn], _patience: float) -> bool:
        """Nothing is left unread by a round."""
        return False

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """The folder as a whole."""
        return {PoliciesRefreshed("ok").source: ()}

    def places(self) -> tuple[PlaceState, ...]:
        """Tell of every folder of a region."""
        catalog = self._catalog
        return tuple(
            PlaceState(account, region, "directory", revocation=self._interval) for account, region in catalog.owners
        )

    async def run(self) -> None:
        """Read the folder, off the event loop, now and after every interval, until cancelled."""
        while True:
            self._wanted.clear()
            self._observe(await asyncio.to_thread(self._read))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wanted.wait()

    def _read(self) -> PoliciesRefreshed:
        with self._reading:
            try:
                scan = self._whole_scan()
            except OSError as error:
                return PoliciesRefreshed("failed", why=f"{self._root}: {error.strerror or type(error).__name__}")
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the rounds: all would grow stale
                return PoliciesRefreshed("failed", why=f"{self._root}: {type(error).__name__}")
            self._catalog = scan.catalog()
            return self._keep(_refreshed(scan), scan.now)

    def _keep(self, refreshed: PoliciesRefreshed, at: float) -> PoliciesRefreshed:
        """Have the texts kept. That they cannot be is told, and is no reason not to judge by them."""
        if self._keeper is None:
            return refreshed
        failed = self._keeper.keep(self._files.texts, self._catalog, at)
        if failed is None:
            self._files.texts.clear()
            return refreshed
        why = "; ".join(filter(None, (f"policy texts are not kept: {failed.why}", refreshed.why)))
        return replace(refreshed, result="problems", why=why)

    def _whole_scan(self) -> Scan:
        """
        Read until the folder holds still.

        Raises:
            OSError: The root cannot be listed.
        """
        for _ in range(ROUNDS):
            scan, gone = self._scan()
            if gone:
                time.sleep(self._settle)
            elif not scan.is_torn():
                return scan
        raise BlockingIOError(0, "the folder kept changing while it was read")

    def _scan(self) -> tuple[Scan, frozenset[Path]]:
        self._files.start_round()
        scan = read_folder(self._root, self._owners, self._files, self._clock())
        return scan, self._files.end_round()


def _refreshed(scan: Scan) -> PoliciesRefreshed:
    identities = [i for owned in scan.owners.values() for group in owned.by_folded_name.values() for i in group]
    problems = {str(identity.arn): count for identity in identities if (count := _problems(identity))}
    whys = [owned.problem for owned in scan.owners.values() if owned.problem is not None]
    whys = [*([scan.problem] if scan.problem else []), *whys, *scan.notes]
    whys += [why for identity in identities for why in _whys(identity)]
    return PoliciesRefreshed(
        "problems" if problems or whys else "ok",
        {str(identity.arn): identity.read_at for identity in identities},
        problems,
        "; ".join(whys[:5]) + (f"; and {len(whys) - 5} more" if len(whys) > 5 else ""),
    )


def _whys(identity: Identity) -> list[str]:
    """Say what cannot be read and where, the first place of each policy."""
    unread = [policy for policy in identity.policies if isinstance(policy, UnreadablePolicy)]
    firsts = [(policy.name, policy.problems[0]) for policy in unread]
    whys = [f"{identity.arn.name}/{name} at {first.path}: {first.why}" for name, first in firsts]
    return whys if identity.problem is None else [f"{identity.arn.name}: {identity.problem}", *whys]


def _problems(identity: Identity) -> int:
    """Count what of an identity cannot be read: the whole is one."""
    unread = sum(isinstance(policy, UnreadablePolicy) for policy in identity.policies)
    return unread + (identity.problem is not None)
