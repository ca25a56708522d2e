"""A Redis of the settings: there, away, shut, and one that promises too little for a spool."""

from collections.abc import Iterator

import pytest

from relay.owner.doctor.findings import Look, Status
from relay.owner.doctor.redis import look_at_shared, look_at_spool_server
from relay.owner.doctor.rounds import Rounds
from relay.spools import place_of
from tests.shared.servers import RedisServer

SECRET = "sesame-for-redis"


@pytest.fixture(scope="module")
def server(tool) -> Iterator[RedisServer]:
    served = RedisServer(tool("redis-server"), {"requirepass": SECRET}, port=None).start()
    yield served
    served.close()


def made(look: Look) -> tuple[Status, str]:
    (found,) = Rounds().make([look])
    assert SECRET not in repr(found)
    return found.status, found.what


def url_of(server: RedisServer, password: str = SECRET) -> str:
    return f"redis://:{password}@127.0.0.1:{server.port}"


def spool_at(url: str) -> Look:
    return look_at_spool_server(place_of(url, max_bytes=1 << 30, lease_seconds=60))


def test_a_server_that_lets_us_in_is_named_with_its_version(server):
    status, what = made(look_at_shared(url_of(server)))
    assert (status, "redis" in what.lower()) == (Status.OK, True)


def test_a_server_that_is_away_is_worth_a_warning_for_mail_goes_on(tmp_path):
    status, what = made(look_at_shared(f"unix://{tmp_path}/none"))
    assert status is Status.WARNING
    assert "is away" in what


def test_a_wrong_password_is_told_and_never_shown(server):
    status, what = made(look_at_shared(url_of(server, "wrong-password")))
    assert status is Status.WARNING
    assert "WRONGPASS" in what
    assert "wrong-password" not in what


def test_a_spool_whose_server_promises_less_than_is_asked_fails_with_what_mends_it(server):
    status, what = made(spool_at(url_of(server)))
    assert status is Status.FAILING
    assert "set appendonly yes" in what


def test_a_spool_that_is_not_made_yet_is_told_with_what_its_server_promises(server):
    status, what = made(spool_at(f"{url_of(server)}?durability=unchecked"))
    assert status is Status.OK
    assert what.startswith(f"127.0.0.1:{server.port}: ")


def test_a_spool_whose_server_is_away_fails(tmp_path):
    assert made(spool_at(f"unix://{tmp_path}/none"))[0] is Status.FAILING
