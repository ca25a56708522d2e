"""Whole relays, processes of their own, that share a Redis."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from relay.owner.doctor.doors import look_at_admin
from tests.shared.servers import RedisServer
from tests.shared.spools import DURABLE
from tests.system.houses import House
from tests.system.relays import RunningRelay, started_ses
from tests.system.rows import PERMITTED, secret_of

pytestmark = pytest.mark.system

ROW = PERMITTED[0]
PASSWORD = "canary-of-redis"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "private.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o600)
    return chain, key


def send(relay: RunningRelay) -> str:
    with relay.client(ROW.delegate, secret_of(ROW.delegate)) as client:
        return client.hand_over(ROW.mail_from, ROW.recipients, ROW.raw)


def test_what_a_spool_at_redis_promises_is_no_trouble(
    own_server: Callable[..., RedisServer], tmp_path: Path, certificate: tuple[Path, Path]
):
    """
    It stands in the readiness; neither the metric that an alert is made of nor the doctor takes it for something wrong.
    """
    server = own_server(DURABLE)
    with started_ses(tmp_path) as ses:
        house = House(tmp_path / "one", certificate, ses=ses.url).keep("fallback", url=server.url)
        with house.serve() as relay:
            relay.wait_until(lambda: "\nok spool (its server writes each message" in relay.readiness(), "the promise")
            relay.wait_until(lambda: relay.count("ses_relay_ready") == 1, "the metric of readiness")
            assert relay.count("ses_relay_trouble", check="spool") == 0
            host, _, port = str(relay.addresses["admin"]).rpartition(":")
            found = [str(each) for each in look_at_admin(host, int(port)).work()]
            server.kill()
            relay.wait_until(lambda: relay.count("ses_relay_trouble", check="spool") == 1, "a trouble")
    assert found
    assert not any("spool" in each for each in found)


def test_two_relays_are_one_to_a_delegate_with_and_without_redis(
    own_server: Callable[..., RedisServer], tmp_path: Path, certificate: tuple[Path, Path]
):
    """
    A day's limit holds for both together and both know the count; Redis killed, mail goes on and every place says so;
    its password is nowhere to be read.
    """
    server = own_server({"requirepass": PASSWORD})
    with ExitStack() as stack:
        ses = stack.enter_context(started_ses(tmp_path))
        relays = []
        for name in ("one", "other"):
            house = House(tmp_path / name, certificate, ses=ses.url)
            house.edit(f'name = "{ROW.delegate}"', f'name = "{ROW.delegate}"\ndaily_recipients = 6')
            secret = house.folder / "redis-url"
            secret.write_text(server.url.replace("unix://", f"unix://:{PASSWORD}@"))
            environ = {"SES_RELAY__SHARED__URL_FILE": str(secret)}
            relays.append(stack.enter_context(house.serve(environ)))
        one, other = relays
        assert "\nok shared\n" in one.readiness()
        assert one.count("ses_relay_shared_up", use="shared") == 1

        answers = [send(relay)[:3] for relay in (one, other, one, other)]
        assert answers == ["250"] * 4

        def today(relay: RunningRelay) -> int:
            rows = json.loads(relay.get("/api/delegates"))["delegates"]
            return int(next(row["recipients_today"] or 0 for row in rows if row["name"] == ROW.delegate))

        other.wait_until(lambda: today(one) == today(other) == 4, "the same count at both")

        server.kill()
        replies = {send(one)[:3], send(other)[:3]}
        assert replies == {"250"}
        one.wait_until(lambda: "goes by itself, at 1/2 of the pace" in one.readiness(), "the state without Redis")
        assert one.is_ready()
        assert one.count("ses_relay_shared_up", use="shared") == 0
        assert one.lines("shared.lost")

        server.start()
        one.wait_until(lambda: "\nok shared\n" in one.readiness(), "the state with Redis")
        assert one.count("ses_relay_shared_up", use="shared") == 1
        assert PASSWORD not in one.text + other.text + one.readiness() + one.get("/metrics")
