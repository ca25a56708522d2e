"""A real relay before a recording SES; one set for each test worker."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.honest.post import Office
from tests.system.houses import House
from tests.system.recording_ses import RecordingSes

OLD = """
[[delegate]]
name = "old"
principal = "arn:aws:iam::111111111111:user/billing"
password_hash = {hash}
repair = ["bare-lf", "8bit-names", "long-lines", "missing-headers"]

[policies]
"""


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Iterator[Office]:
    """The demo's settings, a further domain in punycode, and ``old``: billing with every repair."""
    folder = tmp_path_factory.mktemp("honest")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    chain, key = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    (folder / "house").mkdir()
    with RecordingSes() as ses:
        house = House(folder / "house", (chain, key), ses=ses.url)
        _add_old(house)
        _add_domain(house, "xn--bcher-kva.example")
        with house.serve() as relay:
            yield Office(relay, ses, folder / "authority.pem", tool)


@pytest.fixture
def post(office: Office, tmp_path: Path) -> Office:
    """The same for one test, the SES empty."""
    office.ses.taken.clear()
    return office.at(tmp_path)


def _add_old(house: House) -> None:
    hashed = next(line for line in house.settings.read_text().splitlines() if line.startswith("password_hash"))
    house.edit("[policies]\n", OLD.format(hash=hashed.partition("= ")[2]).lstrip())


def _add_domain(house: House, domain: str) -> None:
    """Give *domain* the policies of example.com, for its own addresses."""
    for policy in house.policy("example.com/billing").parent.glob("*.json"):
        copy = house.policy(f"{domain}/{policy.stem}")
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(policy.read_text().replace("example.com", domain))
