"""Every source of the standard chain: taken, renewed before its end, and never used beyond it."""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relay.sending.credentials import Credentials
from relay.sending.keys import AccessKey, Unusable

from .conftest import notes, settled
from .vendor import TOKEN, Shop

pytestmark = pytest.mark.usefixtures("nowhere", "impatient")

ROLE = "arn:aws:iam::444455556666:role/relay"
SHORT, LONG = timedelta(minutes=12), timedelta(hours=6)
START = "https://people.awsapps.test/start"


@dataclass(frozen=True)
class Place:
    """Where a relay runs: what lies around it is made here."""

    folder: Path
    shop: Shop
    monkeypatch: pytest.MonkeyPatch

    def has(self, **variables: str) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def profile(self, *sections: str) -> None:
        """Have a file of profiles, of which ``mail`` is the relay's."""
        self.has(AWS_PROFILE="mail", AWS_DEFAULT_REGION="us-east-1", AWS_ENDPOINT_URL_STS=self.shop.url)
        self.has(AWS_ENDPOINT_URL_SSO=self.shop.url, AWS_ENDPOINT_URL_SSO_OIDC=self.shop.url)
        self.write("config", "\n".join(sections))

    def logged_in(self, session: str = "people", *, for_: timedelta = LONG, token: str = TOKEN) -> None:
        """Have somebody logged in, as ``aws sso login`` leaves it."""
        end = f"{datetime.now(UTC) + for_:%Y-%m-%dT%H:%M:%SZ}"
        left = {"accessToken": token, "expiresAt": end, "startUrl": START, "region": "us-east-1"}
        (self.folder / "sso").mkdir(exist_ok=True)
        self.write(f"sso/{hashlib.sha1(session.encode()).hexdigest()}.json", json.dumps(left))


@pytest.fixture
def place(tmp_path, shop, monkeypatch):
    return Place(tmp_path, shop, monkeypatch)


# What lies around the relay, source by source


def container(place: Place) -> None:
    place.has(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{place.shop.url}/key")


def pod(place: Place) -> None:
    """Amazon EKS Pod Identity."""
    container(place)
    place.has(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=place.write("token", TOKEN))


def web_identity(place: Place) -> None:
    """IAM roles for service accounts."""
    place.has(AWS_DEFAULT_REGION="us-east-1", AWS_ENDPOINT_URL_STS=place.shop.url)
    place.has(AWS_WEB_IDENTITY_TOKEN_FILE=place.write("token", TOKEN), AWS_ROLE_ARN=ROLE)


def web_identity_of_a_profile(place: Place) -> None:
    place.profile(f"[profile mail]\nrole_arn = {ROLE}\nweb_identity_token_file = {place.write('token', TOKEN)}\n")


def role_by_a_profile(place: Place) -> None:
    """STS is asked with the key of another profile."""
    place.write("credentials", "[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n")
    place.profile(f"[profile mail]\nrole_arn = {ROLE}\nsource_profile = base\n")


def role_by_a_container(place: Place) -> None:
    container(place)
    place.profile(f"[profile mail]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\n")


PERSON = "sso_account_id = 444455556666\nsso_role_name = Mail\n"
SESSION = f"[sso-session people]\nsso_start_url = {START}\nsso_region = us-east-1\n"


def sso(place: Place) -> None:
    """IAM Identity Center."""
    place.logged_in()
    place.profile(SESSION, f"[profile mail]\nsso_session = people\n{PERSON}")


def sso_without_a_session(place: Place) -> None:
    """As profiles were written before there were sections of sessions."""
    place.logged_in(START)
    place.profile(f"[profile mail]\nsso_start_url = {START}\nsso_region = us-east-1\n{PERSON}")


def role_by_sso(place: Place) -> None:
    place.logged_in()
    person = f"[profile person]\nsso_session = people\n{PERSON}"
    place.profile(SESSION, person, f"[profile mail]\nrole_arn = {ROLE}\nsource_profile = person\n")


def process(place: Place) -> None:
    """A credential process: a program that asks whom it likes."""
    ask = f"import urllib.request\nprint(urllib.request.urlopen('{place.shop.url}/key').read().decode())\n"
    place.profile(f"[profile mail]\ncredential_process = {sys.executable} {place.write('ask.py', ask)}\n")


Source = Callable[[Place], None]
SOURCES: list[Source] = [
    *(container, pod, web_identity, web_identity_of_a_profile, role_by_a_profile, role_by_a_container),
    *(sso, sso_without_a_session, role_by_sso, process),
]
each_source = pytest.mark.parametrize("source", SOURCES, ids=[source.__name__ for source in SOURCES])
#: Those that show a token from a file, which others renew there.
BY_TOKEN: list[Source] = [pod, web_identity, web_identity_of_a_profile]


def newest(shop: Shop) -> AccessKey:
    return AccessKey(f"ASIA{shop.sold}", "canary-s", "canary-t")


@each_source
async def test_it_is_taken_and_renewed_ahead_of_its_end(heard, place, shop, source):
    """The message behind which it is renewed has the old key, at once."""
    source(place)
    shop.lifetime = SHORT
    credentials = Credentials(heard)
    first = await credentials.get()
    assert first == newest(shop)

    shop.lifetime = LONG
    shop.gate.clear()
    during = await credentials.get()
    shop.gate.set()
    await settled(credentials)

    assert during == first
    assert await credentials.get() == newest(shop) != first
    assert notes(heard) == ["credentials.found", "credentials.found"]
    assert "canary" not in repr(heard.events)


@each_source
async def test_it_is_never_used_beyond_its_end(heard, place, shop, source):
    """While it cannot be renewed there is a reason in place of a key; once it can, there is a key again."""
    source(place)
    shop.lifetime = SHORT
    credentials = Credentials(heard)
    first = await credentials.get()
    shop.closed = True
    await credentials.get()
    await settled(credentials)
    assert credentials.state == first

    credentials._found._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
    assert isinstance(credentials.state, Unusable)
    gone = await credentials.get()
    assert isinstance(gone, Unusable)
    assert "canary" not in gone.why

    shop.closed, shop.lifetime = False, LONG
    assert await credentials.get() == newest(shop)


@pytest.mark.parametrize("source", BY_TOKEN, ids=[source.__name__ for source in BY_TOKEN])
async def test_the_token_of_the_moment_is_shown(heard, place, shop, source):
    """Kubernetes writes another into the file long before the first one ends."""
    source(place)
    shop.lifetime = SHORT
    credentials = Credentials(heard)
    await credentials.get()
    place.write("token", "another-token")
    await credentials.get()
    await settled(credentials)

    assert (shop.shown[0], shop.shown[-1]) == (TOKEN, "another-token")


@pytest.mark.parametrize("source", [role_by_a_profile, web_identity, web_identity_of_a_profile])
async def test_sts_is_asked_for_the_role(heard, place, shop, source):
    source(place)
    await Credentials(heard).get()

    (asked,) = shop.asked
    by_profile = source is role_by_a_profile
    assert (asked["Action"], asked["RoleArn"]) == ("AssumeRole" if by_profile else "AssumeRoleWithWebIdentity", ROLE)
    assert ("AKIABASE" in shop.shown[0]) == by_profile


# IAM Identity Center: who has logged in is not logged in for ever


async def test_a_login_that_ends_is_renewed_where_it_can_be(heard, place, shop):
    place.logged_in()
    sso(place)
    (file,) = (place.folder / "sso").iterdir()
    soon, late = (f"{datetime.now(UTC) + each:%Y-%m-%dT%H:%M:%SZ}" for each in (timedelta(minutes=5), LONG))
    renewable = {"clientId": "c", "clientSecret": "s", "registrationExpiresAt": late, "refreshToken": "canary-refresh"}
    file.write_text(json.dumps(json.loads(file.read_text()) | renewable | {"expiresAt": soon}))

    assert await Credentials(heard).get() == newest(shop)
    assert shop.shown == ["canary-refresh", "canary-renewed"]
    assert json.loads(file.read_text())["accessToken"] == "canary-renewed"


@pytest.mark.parametrize("source", [sso, sso_without_a_session])
async def test_who_logs_in_again_is_found_without_a_restart(heard, place, shop, source):
    """Until then the log says what to do."""
    session = "people" if source is sso else START
    source(place)
    place.logged_in(session, for_=-timedelta(hours=1))
    credentials = Credentials(heard)

    gone = await credentials.get()
    assert isinstance(gone, Unusable)
    assert "sso" in gone.why.lower()
    assert "expired" in gone.why
    assert notes(heard) == ["credentials.unusable"]
    assert (shop.sold, shop.shown) == (0, [])

    place.logged_in(session, token="canary-again")
    assert await credentials.get() == newest(shop)
    assert shop.shown == ["canary-again"]


async def test_nobody_who_has_logged_in_is_told_as_such(heard, place):
    place.profile(SESSION, f"[profile mail]\nsso_session = people\n{PERSON}")
    gone = await Credentials(heard).get()

    assert isinstance(gone, Unusable)
    assert "Token for people does not exist" in gone.why


# An instance's metadata: AWS would have a key used on whose renewal is late


async def test_the_key_of_an_instance_is_taken_and_used_on_while_its_renewal_is_late(heard, place, shop):
    """
    So AWS SDKs do (AWS SDKs and Tools Reference Guide, "IMDS credential provider": static stability): SES takes it as
    long as AWS says so. One that SES does not take is looked for anew at once.
    """
    place.monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    place.has(AWS_EC2_METADATA_SERVICE_ENDPOINT=shop.url)
    shop.lifetime = -timedelta(minutes=5)
    credentials = Credentials(heard)
    late = await credentials.get()
    assert late == newest(shop)
    assert await credentials.get() == late

    shop.lifetime = LONG
    assert isinstance(late, AccessKey)
    credentials.reject(late)
    await credentials.get()
    await settled(credentials)
    assert await credentials.get() == newest(shop) != late
