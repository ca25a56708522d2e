"""Passwords in Secrets Manager: by the real client against a server that knows its stages, and by one that fails."""

import asyncio
import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from relay.delegates import registry as registries
from relay.delegates.entries import Elsewhere, Entry
from relay.delegates.passwords import hash_password, verify_hash
from relay.delegates.registry import Doors, Registry
from relay.delegates.secrets import PREVIOUS_SECONDS, AwsSecrets, ReadSecret, SecretProblem, password_in
from relay.observe.events import Event, Noted
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable
from tests.delegates.test_registry import CHEAP, HOME
from tests.words.test_hashes import ARGON2


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer("127.0.0.1", 0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def aws(server, monkeypatch) -> Any:
    """A client of the secrets' owner; the relay finds server and key where it finds AWS's: in the environment."""
    urlopen(Request(f"{server}/moto-api/reset", method="POST"), timeout=60).close()
    monkeypatch.setattr(registries, "PATIENCE_SECONDS", 60.0)  # the client is made meanwhile, in its own time
    for name, value in {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": server,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_CONFIG_FILE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    return boto3.client("secretsmanager", region_name="us-east-1", endpoint_url=server)


class Bench:
    """A registry of delegates with secrets, whose clock stands still."""

    def __init__(self, *secrets: str, read: ReadSecret | None = None) -> None:
        self.now = 1000.0
        self.checked: list[str] = []
        self.events: list[Noted] = []
        self.names = {f"app{number}": secret for number, secret in enumerate(secrets)}
        doors = Doors(read_secret=read, monotonic=lambda: self.now)
        self.registry = Registry(
            [self.entry(name) for name in self.names],
            Elsewhere(region="us-east-1"),
            verify=self._verify,
            hash_file=partial(hash_password, cost=CHEAP),
            doors=doors,
            observe=self._note,
        )

    def entry(self, name: str) -> Entry:
        return Entry.of(Delegate(name, "111111111111"), password_secret=self.names[name])

    def _note(self, event: Event) -> None:
        assert isinstance(event, Noted)
        self.events.append(event)

    def _verify(self, hashed: str, password: str) -> bool:
        self.checked.append(hashed)
        return verify_hash(hashed, password)

    async def ask(self, password: str, name: str = "app0") -> str | Unavailable | None:
        return await self.registry.verify(name, password, HOME)

    async def look(self) -> None:
        keeper = self.registry._keeper
        assert keeper is not None
        await keeper.look()


@pytest.fixture
def bench():
    made: list[Bench] = []

    def make(*secrets: str, **more) -> Bench:
        made.append(Bench(*secrets, **more))
        return made[-1]

    yield make
    for each in made:
        each.registry.close()


async def test_a_rotation_never_leaves_an_application_without_a_password(aws, bench):
    """Pending, then current, then previous: two are right at every moment, and the relay is never started again."""
    arn = aws.create_secret(Name="rotated", SecretString="first")["ARN"]
    tried = bench(arn)
    await tried.registry.start()
    assert [await tried.ask(text) for text in ("first", "second", "")] == ["app0", None, None]

    pending = aws.put_secret_value(SecretId=arn, SecretString="second", VersionStages=["AWSPENDING"])["VersionId"]
    tried.now += 61
    await tried.look()
    assert [await tried.ask(text) for text in ("first", "second")] == ["app0", "app0"]

    current = aws.describe_secret(SecretId=arn)["VersionIdsToStages"]
    (before,) = (version for version, stages in current.items() if "AWSCURRENT" in stages)
    aws.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=pending, RemoveFromVersionId=before
    )
    aws.update_secret_version_stage(SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=pending)
    tried.now += 61
    await tried.look()
    assert [await tried.ask(text) for text in ("first", "second")] == ["app0", "app0"]

    assert await tried.ask("third") is None
    assert all(text not in repr(tried.events) for text in ("first", "second", "third"))


async def test_a_password_that_is_put_without_a_rotation_counts_beside_the_one_before(aws, bench):
    """As the console does it, and as a JSON object."""
    aws.create_secret(Name="put", SecretString="first")
    tried = bench("put")
    await tried.registry.start()
    for text in ("second", "third"):
        aws.put_secret_value(SecretId="put", SecretString=json.dumps({"username": "app0", "password": text}))

    tried.now += 61
    await tried.look()

    assert [await tried.ask(text) for text in ("first", "second", "third")] == [None, "app0", "app0"]


async def test_the_previous_password_is_right_for_a_day(aws):
    aws.create_secret(Name="aged", SecretString="old")
    aws.put_secret_value(SecretId="aged", SecretString="new")
    made = aws.get_secret_value(SecretId="aged")["CreatedDate"].timestamp()

    def known(at: float) -> tuple[str, ...]:
        return AwsSecrets("us-east-1", lambda: at)("aged")

    assert known(made + PREVIOUS_SECONDS - 5) == ("new", "old")
    assert known(made + PREVIOUS_SECONDS + 5) == ("new",)


@pytest.mark.parametrize(
    ("code", "status"),
    [("ThrottlingException", 400), ("RequestLimitExceeded", 400), ("Unheard", 429), ("InternalServiceError", 500)],
)
async def test_a_version_that_aws_cannot_tell_of_now_keeps_what_was_known(aws, bench, code, status):
    """The previous password stays right: its applications must not hear that it is wrong."""
    aws.create_secret(Name=code, SecretString="old")
    aws.put_secret_value(SecretId=code, SecretString="new")
    reading = AwsSecrets("us-east-1", time.time)
    tried = bench(code, read=reading)
    await tried.registry.start()

    client, real = reading._clients["us-east-1"], reading._clients["us-east-1"].get_secret_value
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def busy(SecretId: str, VersionStage: str) -> Any:  # noqa: N803 - as boto3 has it
        if VersionStage == "AWSPREVIOUS":
            raise ClientError(answer, "GetSecretValue")
        return real(SecretId=SecretId, VersionStage=VersionStage)

    client.get_secret_value = busy
    tried.now += 61
    await tried.look()

    assert [await tried.ask(text) for text in ("new", "old")] == ["app0", "app0"]
    assert tried.events[-1].details == {"secret": code, "why": code, "kept": True}


async def test_a_secret_that_is_not_there_is_one_delegates_trouble(aws, bench):
    """The others work; it is told; and once it is there it counts."""
    aws.create_secret(Name="there", SecretString="there")
    tried = bench("missing", "there")
    await tried.registry.start()

    assert isinstance(await tried.ask("x"), Unavailable)
    assert await tried.ask("there", "app1") == "app1"
    assert tried.registry.troubles() == {"secret missing": "ResourceNotFoundException"}
    assert [event.event for event in tried.events if event.level == "error"] == ["secret.unreadable"]

    aws.create_secret(Name="missing", SecretString="late")
    tried.now += 11
    await tried.look()
    assert await tried.ask("late") == "app0"
    assert tried.registry.troubles() == {}


async def test_a_deleted_secret_is_no_password_any_more(aws, bench):
    aws.create_secret(Name="deleted", SecretString="gone")
    tried = bench("deleted")
    await tried.registry.start()
    assert await tried.ask("gone") == "app0"

    aws.delete_secret(SecretId="deleted", RecoveryWindowInDays=7)
    tried.now += 61
    await tried.look()

    assert isinstance(await tried.ask("gone"), Unavailable)


class Store:
    """Answers with what a test puts in, or fails with it."""

    def __init__(self, *passwords: str) -> None:
        self.passwords: tuple[str, ...] | Exception = passwords
        self.asked = 0

    def __call__(self, secret_id: str) -> tuple[str, ...]:
        self.asked += 1
        if isinstance(self.passwords, Exception):
            raise self.passwords
        return self.passwords


async def test_what_was_known_holds_while_aws_is_away(bench):
    """It is told once that it is away, and once that it is back."""
    store = Store("right")
    tried = bench("s", read=store)
    await tried.registry.start()

    store.passwords = TimeoutError("canary")
    for _ in range(3):
        tried.now += 61
        await tried.look()
    assert await tried.ask("right") == "app0"
    assert tried.registry.troubles() == {}

    store.passwords = ("new",)
    tried.now += 11
    await tried.look()
    assert await tried.ask("right") is None
    assert await tried.ask("new") == "app0"
    assert [event.event for event in tried.events] == ["secret.read", "secret.unreadable", "secret.read"]
    assert "canary" not in repr(tried.events)


async def test_a_wrong_password_makes_it_look_sooner_but_not_often(bench):
    """It may be newer than what is known; the client does not wait for AWS, so nobody can tell a secret by the time."""
    store = Store("old")
    tried = bench("s", read=store)
    await tried.registry.start()
    store.passwords = ("new", "old")
    assert await tried.ask("new") is None
    await tried.look()
    assert store.asked == 1

    tried.now += 10
    await tried.look()
    assert await tried.ask("new") == "app0"
    assert store.asked == 2


async def test_an_unchanged_secret_is_not_hashed_again(bench):
    """What is remembered of it stays known."""
    tried = bench("s", read=Store("right"))
    await tried.registry.start()
    for _ in range(3):
        assert await tried.ask("right") == "app0"
        tried.now += 61
        await tried.look()

    assert len(tried.checked) == 1


async def test_a_wrong_password_costs_all_that_are_right_and_an_unknown_name_the_same(bench):
    tried = bench("s", read=Store("one", "two", "three"))
    await tried.registry.start()
    await tried.ask("wrong")
    known, tried.checked = len(tried.checked), []
    await tried.ask("wrong", "nobody")

    assert known == len(tried.checked) == 3


async def test_the_start_waits_for_aws_a_little_only(bench, monkeypatch):
    """Who is not read by then is unavailable; the door opens for the others."""
    monkeypatch.setattr("relay.delegates.registry.PATIENCE_SECONDS", 0.05)
    tried = bench("s", read=Store("right"))
    never = asyncio.Event()
    monkeypatch.setattr(tried.registry._keeper, "_look_at", lambda *_: never.wait())

    await tried.registry.start()

    assert isinstance(await tried.ask("right"), Unavailable)


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("plain", "plain"),
        ("plain\n", "plain"),
        ('{"password": "inside"}', "inside"),
        ('{"username": "x", "password": "inside"}', "inside"),
        (ARGON2, ARGON2),
    ],
)
def test_a_secret_is_a_password_its_hash_or_an_object_with_one(text, password):
    assert password_in(text) == password


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "\n",
        "{canary",
        '{"pass": "canary"}',
        '{"password": 1}',
        "$argon2id$canary",
        ARGON2.replace("m=19456", "m=9999999"),
        "x" * 5000,
    ],
)
def test_what_is_no_password_is_told_without_being_quoted(text):
    with pytest.raises(SecretProblem) as raised:
        password_in(text)
    assert "canary" not in str(raised.value)
