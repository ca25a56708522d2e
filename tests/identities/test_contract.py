"""The contract of directories, by the folder and by SES (the embedded one, through boto3)."""

import json
import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from relay.identities.accounts import Accounts, AtOnce
from relay.identities.folder import FolderDirectory
from relay.identities.nothing import NoDirectory
from relay.identities.ports import Owner
from relay.identities.rounds import Wait
from relay.identities.ses_answers import Clocks
from relay.identities.ses_directory import SesDirectory
from relay.identities.several import SeveralDirectories
from relay.localses.app import LocalSes
from relay.localses.identities import Identities
from relay.localses.keys import Key
from relay.localses.owners import Owner as LocalOwner
from relay.words.freshness import Terms
from tests.contracts.directory import MAX_STALE, DirectoryContract, Source
from tests.identities.account import text
from tests.judgement.building import NOW, OWNER, REGION
from tests.localses.running import House

KEY = Key("AKIAOWNER", "owner-secret", f"arn:aws:iam::{OWNER}:root")


class Folder(Source):
    """A folder of files."""

    def __init__(self, root: Path) -> None:
        self.root, self.now = root, NOW
        self._region = root / OWNER / REGION
        self._region.mkdir(parents=True)
        owners = (Owner(OWNER, (REGION,)),)
        self.directory = FolderDirectory(root, owners, lambda _event: None, lambda: self.now, settle=0.0)

    def put(self, name: str, *statements: Mapping[str, Any], policy: str = "p") -> None:
        (self._region / name).mkdir(exist_ok=True)
        if statements:
            (self._region / name / f"{policy}.json").write_text(text(*statements, name=name))

    def withdraw(self, name: str, policy: str = "p") -> None:
        (self._region / name / f"{policy}.json").unlink()

    def delete(self, name: str) -> None:
        shutil.rmtree(self._region / name)

    def spoil(self, name: str) -> None:
        (self._region / name / "broken.json").write_text("{")

    def leave(self) -> None:
        self.root.rename(self.root.with_name("away"))

    def come_back(self) -> None:
        self.root.with_name("away").rename(self.root)

    def settle(self) -> None:
        self.now += 1
        self.directory.refresh()

    def wait(self, seconds: float) -> None:
        self.now += seconds


class EmbeddedSes(Source):
    """The embedded SES, asked by boto3; time passes as fast as the plan lets it."""

    def __init__(self, url: str, identities: Identities) -> None:
        self.seconds, self._url = 0.0, url
        self._identities = identities
        self._owner = LocalOwner(OWNER, REGION)
        session = boto3.Session(KEY.id, KEY.secret)
        self.accounts = Accounts(endpoint_url=url, pace=AtOnce(), tries=1, new_session=lambda: session)
        self._client = session.client("sesv2", region_name=REGION, endpoint_url=url)
        clocks = Clocks(lambda: self.now, lambda: self.seconds, random.Random(3).random)
        terms = Terms(60.0, MAX_STALE, 0.5)
        self.ses = SesDirectory([(OWNER, REGION)], self.accounts, terms, lambda _event: None, clocks=clocks)
        self.directory = self.ses

    @property
    def now(self) -> float:  # type: ignore[override]  # it follows the seconds
        return NOW + self.seconds

    def put(self, name: str, *statements: Mapping[str, Any], policy: str = "p") -> None:
        if self._identities.find(self._owner, name) is None:
            self._client.create_email_identity(EmailIdentity=name)
        if statements:
            self._client.update_email_identity_policy(
                EmailIdentity=name, PolicyName=policy, Policy=text(*statements, name=name)
            )

    def withdraw(self, name: str, policy: str = "p") -> None:
        self._client.delete_email_identity_policy(EmailIdentity=name, PolicyName=policy)

    def delete(self, name: str) -> None:
        self._client.delete_email_identity(EmailIdentity=name)

    def spoil(self, name: str) -> None:
        found = self._identities.find(self._owner, name)
        assert found is not None
        self._identities.keep(replace(found, policies={**found.policies, "broken": json.dumps({"Version": "2099"})}))

    def leave(self) -> None:
        self.accounts._endpoint_url = "http://127.0.0.1:9"
        self.accounts._clients.clear()

    def come_back(self) -> None:
        self.accounts._endpoint_url = self._url
        self.accounts._clients.clear()

    def settle(self) -> None:
        self.wait(150)

    def wait(self, seconds: float) -> None:
        (place,) = self.ses._places.values()
        until = self.seconds + seconds
        while self.seconds < until:
            step = place.rounds.take(self.seconds)
            if isinstance(step, Wait):
                self.seconds = min(until, self.seconds + step.seconds)
                continue
            place.take_over(step, place.ask(step))
            self.ses.publish()


class Several(Folder):
    """A folder beside nothing, seen as one."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.directory = SeveralDirectories([NoDirectory(), self.directory])


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


class TestFolder(DirectoryContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        return Folder(tmp_path / "policies")


class TestSes(DirectoryContract):
    @pytest.fixture
    def source(self, house: House) -> Iterator[Source]:
        identities = Identities()
        with house.running(LocalSes([KEY], identities=identities)) as door:
            yield EmbeddedSes(door.url, identities)


class TestSeveral(DirectoryContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        return Several(tmp_path / "policies")
