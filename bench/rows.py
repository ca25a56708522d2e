"""Which rows are measured: the sensible ones, a few that take a minute, or the whole product."""

from itertools import product
from typing import Final

from bench.contenders import ALONE, BOUND, NAIVE, POSTFIX, Ours
from bench.messages import Load
from bench.turns import USER, Row

SIZES: Final = (1_000, 5_000, 100_000, 1_000_000, 9_000_000)
CLIENTS: Final = (1, 20, 200)
SECURITY: Final = ("plain", "AUTH PLAIN", "STARTTLS and AUTH")
NAMES: Final = {
    NAIVE: "aiosmtpd and boto3 in threads",
    ALONE: "aiosmtpd alone, nothing sent",
    POSTFIX: "Postfix, queued and relayed in clear",
    BOUND: "the bound: encoded, signed and sent",
}
#: A relay for what leaves its trace in one, many clients at once or TLS; and one to compare that of mode spool with.
BUSY: Final = Ours(number=2)
BESIDE_SPOOL: Final = Ours(number=3)


def sensible() -> list[Row]:
    """What the page shows: at 5 KB all there is to say, at other sizes what differs there."""
    rows = []
    for octets in SIZES:
        rows += [peer(each, octets) for each in peers_at(octets)]
        rows += [ours("session for each message", octets), ours("sessions reused", octets, reuses=True)]
        if octets == 5_000:
            rows += _all_at_5_kb(octets)
        elif octets in (100_000, 1_000_000):
            rows += [ours("SendEmail of v2", octets, Ours(api="v2")), _spooled(octets)]
        rows.append(peer(BOUND, octets))
    return rows


def peers_at(octets: int) -> tuple[str, ...]:
    return (NAIVE, ALONE, POSTFIX) if octets in (5_000, 100_000, 1_000_000) else (NAIVE, ALONE)


def _all_at_5_kb(octets: int) -> list[Row]:
    return [
        ours("1 client", octets, BUSY, clients=1),
        ours("200 clients", octets, BUSY, clients=200),
        ours("the client that can AUTH, without", octets, BUSY, own=True),
        ours("AUTH PLAIN", octets, BUSY, user=USER),
        ours("AUTH PLAIN, sessions reused", octets, BUSY, user=USER, reuses=True),
        ours("STARTTLS and AUTH", octets, BUSY, user=USER, starttls=True),
        ours("SendEmail of v2", octets, Ours(api="v2")),
        ours("no journal", octets, Ours(journal="none")),
        ours("journal on disk", octets, Ours(journal="disk")),
        ours("2 workers, sessions reused", octets, Ours(workers=2), reuses=True),
        ours("2 workers, all cores, sessions reused", octets, Ours(workers=2, is_everywhere=True), reuses=True),
        ours("mode fallback", octets, Ours("fallback")),
        ours("32 clients", octets, BESIDE_SPOOL, clients=32),
        _spooled(octets),
    ]


def _spooled(octets: int) -> Row:
    return ours("mode spool, 32 clients", octets, Ours("spool"), clients=32)


def quick() -> list[Row]:
    """What a person wants to know after a change."""
    return [
        *(peer(each, 5_000) for each in (NAIVE, ALONE)),
        ours("session for each message", 5_000),
        ours("sessions reused", 5_000, reuses=True),
        _spooled(5_000),
        peer(BOUND, 5_000),
        peer(NAIVE, 100_000),
        ours("session for each message", 100_000),
        peer(BOUND, 100_000),
    ]


def full() -> list[Row]:
    """The whole product, beside the peers."""
    rows = []
    for octets in SIZES:
        rows += [peer(each, octets) for each in peers_at(octets)]
        for mode, api, how, reuses, clients in product(
            ("direct", "fallback", "spool"), ("v1", "v2"), SECURITY, (False, True), CLIENTS
        ):
            name = ", ".join((mode, api, how, "reused" if reuses else "not reused", f"{clients} clients"))
            user = None if how == SECURITY[0] else USER
            starttls = how == SECURITY[2]
            rows.append(
                ours(name, octets, Ours(mode, api), clients=clients, reuses=reuses, user=user, starttls=starttls)
            )
        rows.append(peer(BOUND, octets))
    return rows


def peer(which: str, octets: int) -> Row:
    return Row(NAMES[which], which, Load(octets, clients=_clients(octets)))


def ours(
    name: str,
    octets: int,
    of: Ours = Ours(),  # noqa: B008 - frozen
    *,
    clients: int | None = None,
    reuses: bool = False,
    user: tuple[str, str] | None = None,
    starttls: bool = False,
    own: bool = False,
) -> Row:
    """A row of our relay."""
    load = Load(octets, clients or _clients(octets), reuses, user, starttls, own)
    return Row(f"ses-relay, {name}", of, load)


def _clients(octets: int) -> int:
    """Four with the largest, of which the naive relay sends one a second."""
    return 4 if octets > 1_000_000 else 20
