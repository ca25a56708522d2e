"""Relays with workers: how they are set up, and who of them does what."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.system.houses import House
from tests.system.relays import Client, RunningRelay
from tests.system.rows import PERMITTED, Row, secret_of

MINE = PERMITTED[0]


def with_workers(house: House, number: int = 2) -> House:
    """Let a relay have so many workers."""
    text = house.settings.read_text()
    head = "[server]\n"
    text = text.replace(head, f"{head}workers = {number}\n", 1) if head in text else f"{head}workers = {number}\n{text}"
    house.settings.write_text(text)
    return house


def workers_of(relay: RunningRelay) -> list[int]:
    """The processes of the workers."""
    return children_of(relay.process.pid)


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def sockets_of(pid: int) -> int:
    """How many sockets a process has open."""
    found = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found += str(each.readlink()).startswith("socket:")
    return found


def send(relay: RunningRelay, row: Row = MINE) -> str:
    """Send one message on a connection of its own."""
    with relay.client(row.delegate, secret_of(row.delegate)) as client:
        return hand_over(client, row)


def hand_over(client: Client, row: Row = MINE) -> str:
    return client.hand_over(row.mail_from, row.recipients, row.raw)


@contextmanager
def of_each(relay: RunningRelay, row: Row = MINE, *, most: int = 40) -> Iterator[list[Client]]:
    """Connect until every worker has a client of ours, logged in; one of each, as long as the block runs."""
    found: dict[int, Client] = {}
    workers = workers_of(relay)
    with ExitStack() as stack:
        for _ in range(most):
            before = {pid: sockets_of(pid) for pid in workers}
            client = stack.enter_context(relay.client(row.delegate, secret_of(row.delegate)))
            grown = [pid for pid in workers if sockets_of(pid) > before[pid]]
            if len(grown) == 1:
                found.setdefault(grown[0], client)
            if len(found) == len(workers):
                break
        assert len(found) == len(workers), f"{most} connections went to {list(found)} of {workers}"
        yield list(found.values())
