"""A fleet in a network: relays with an address each, a Redis with TLS and a user of few rights, and what both said."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import trustme

from tests.shared.servers import RedisServer
from tests.shared.test_engine_access import rights
from tests.system.relays import RunningRelay
from tests.torture.field import DELEGATES, Field, Ses, kill
from tests.torture.network import CLIENTS, Network, Place

#: In the relays' own words: it must appear nowhere but in a file that is named.
PASSWORD: Final = "canary-of-the-fleet"
TOKEN: Final = "canary-of-the-admin-endpoint"
NAME: Final = "redis.fleet.example"
PORT: Final = 6380
SECRETS: Final = (PASSWORD, TOKEN)


class Store:
    """A Redis at a place, by TLS only; relays are a user of few rights there."""

    def __init__(self, program: str, place: Place, folder: Path, options: dict[str, str]) -> None:
        self.place = place
        chain, key, authority = (str(folder / name) for name in ("chain.pem", "key.pem", "authority.pem"))
        tls = {"tls-cert-file": chain, "tls-key-file": key, "tls-ca-cert-file": authority, "tls-auth-clients": "no"}
        self.server = RedisServer(
            program,
            {
                **tls,
                "tls-port": str(PORT),
                "bind": place.address,
                "tls-replication": "yes",
                "protected-mode": "no",
                "user": f"ses-relay on >{PASSWORD} {' '.join(rights())}",
                **options,
            },
            wrapper=place.wrapper,
        )

    def follow(self, other: "Store") -> None:
        """Be the replica of another, in step with it."""
        assert self.server.ask("REPLICAOF", other.place.address, str(PORT)) == b"+OK"

    def is_in_step(self) -> bool:
        return "master_link_status:up" in self.server.tell("INFO", "replication")

    def lead(self) -> None:
        """Be nobody's replica any more."""
        assert self.server.ask("REPLICAOF", "NO", "ONE") == b"+OK"

    def calls(self) -> dict[str, int]:
        """How often each command came, those that scripts gave included."""
        lines = self.server.tell("INFO", "commandstats").splitlines()
        stats = [line.removeprefix("cmdstat_").split(":") for line in lines if line.startswith("cmdstat_")]
        return {name: int(told.split(",")[0].removeprefix("calls=")) for name, told in stats}


class Fleet:
    """Relays of the same settings, numbered; each in a folder and a place of its own."""

    def __init__(self, network: Network, ses: Ses, folder: Path, *, spool: bool) -> None:
        self.network, self.ses, self.folder = network, ses, folder
        self._spools = spool
        self.sources = {name: network.address(last) for name, last in zip(DELEGATES, CLIENTS, strict=True)}
        self.fields: list[Field] = []
        self.places: list[Place] = []
        self.relays: list[RunningRelay] = []
        (folder / "token").write_text(TOKEN)
        (folder / "token").chmod(0o400)
        _certify(folder)

    @property
    def url(self) -> str:
        return f"rediss://ses-relay:{PASSWORD}@{NAME}:{PORT}?ssl_ca_certs={self.folder / 'authority.pem'}"

    def add(self, redis: str, mode: str, **options: str) -> Field:
        """Make the folder and the place of one more relay, for whom Redis's name leads to the address *redis*."""
        number = len(self.fields)
        place = self.network.place(11 + number)
        place.knows(**{NAME.replace(".", "_"): redis})
        field = Field(self.folder / f"r{number}", self.ses, mode, **options)
        field.edit('address = "127.0.0.1:0"\ntls', f'address = "{place.address}:2525"\ntls')
        field.edit('address = "127.0.0.1:0"', f'address = "{place.address}:8025"\ntoken_file = "{self.folder}/token"')
        for name, address in DELEGATES.items():
            field.edit(f'name = "{name}"', f'name = "{name}" #')
            field.edit(f'"{address}/32"', f'"{self.sources[name]}/32"')
        if self._spools:
            field.edit(f'url = "sqlite://{field.folder}/spool/spool.db"', f'url = "{self.url}&replicas=1"')
        settings = field.folder / "relay.toml"
        settings.write_text(f'{settings.read_text()}\n[shared]\nurl = "{self.url}"\n')
        settings.chmod(0o400)
        self.fields.append(field)
        self.places.append(place)
        return field

    def launch(self, number: int, environ: dict[str, str] | None = None) -> RunningRelay:
        """Start a relay, again or for the first time, and wait for nothing."""
        relay = self.fields[number].launch(self.places[number].wrapper, environ)
        self.relays[number : number + 1] = [relay]
        return relay

    def start_all(self, environ: Callable[[int], dict[str, str]] = lambda _: {}) -> None:
        """Start all relays side by side and wait until they take mail."""
        for number in range(len(self.fields)):
            self.launch(number, environ(number))
        for relay in self.relays:
            relay.addresses = relay.wait_for("relay.ready")

    def all_that_ran(self) -> list[RunningRelay]:
        return [relay for field in self.fields for relay in field.relays]

    def said(self) -> str:
        """All that relays wrote, and what those that live answer to whoever asks."""
        answers = [relay.get("/metrics") + relay.readiness() for relay in self.relays if relay.process.poll() is None]
        return "".join([*(relay.text for relay in self.all_that_ran()), *answers])

    def end(self) -> None:
        for relay in self.all_that_ran():
            kill(relay)


def _certify(folder: Path) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = authority.issue_cert(NAME, key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
