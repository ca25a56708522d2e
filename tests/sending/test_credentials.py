"""The standard chain, walked for real: when a key is looked for, kept, renewed, and given up."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from relay.sending import credentials as room
from relay.sending.credentials import Credentials
from relay.sending.keys import AccessKey, Unusable

from .conftest import notes, settled

pytestmark = pytest.mark.usefixtures("nowhere")


async def test_no_credentials_anywhere_is_a_value_with_a_reason(heard):
    credentials = Credentials(heard)

    key = await credentials.get()

    assert isinstance(key, Unusable)
    assert "no credentials" in key.why
    assert credentials.state == key
    assert notes(heard) == ["credentials.unusable"]


async def test_the_environment(heard, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-s")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-t")

    assert await Credentials(heard).get() == AccessKey("AKIAENV", "canary-s", "canary-t")
    assert notes(heard) == ["credentials.found"]
    assert "canary" not in repr(heard.events)


async def test_a_profile(heard, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_PROFILE", "mail")
    (tmp_path / "credentials").write_text("[mail]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n")

    assert await Credentials(heard).get() == AccessKey("AKIAFILE", "s")


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_ACCESS_KEY_ID", "AKIA\nX: y"), ("AWS_SECRET_ACCESS_KEY", "canary s"), ("AWS_SESSION_TOKEN", "t\r\n")],
)
async def test_a_key_with_blanks_is_named_as_such_and_not_shown(heard, monkeypatch, name, value):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv(name, value)

    key = await Credentials(heard).get()

    assert isinstance(key, Unusable)
    assert "blanks" in key.why
    assert "canary" not in repr(heard.events)


@pytest.mark.parametrize(
    ("profile", "file", "told"),
    [
        ("absent", "", "ProfileNotFound"),
        ("half", "[half]\naws_access_key_id = AKIA\n", "PartialCredentialsError"),
        ("odd", "[odd", "ConfigParseError"),
        ("out", "[profile out]\ncredential_process = sh -c 'echo canary >&2; exit 1'\n", "credential process failed"),
    ],
)
async def test_what_is_wrong_with_a_profile_is_told(heard, monkeypatch, tmp_path, profile, file, told):
    monkeypatch.setenv("AWS_PROFILE", profile)
    (tmp_path / "credentials").write_text(file)
    (tmp_path / "config").write_text(file)

    key = await Credentials(heard).get()

    assert isinstance(key, Unusable)
    assert told in key.why
    assert "canary" not in key.why


async def test_many_messages_at_the_start_make_one_look(heard, container):
    credentials = Credentials(heard)

    keys = await asyncio.gather(*(credentials.get() for _ in range(50)))

    assert {key.id for key in keys if isinstance(key, AccessKey)} == {"ASIA1"}
    assert container.sold == 1


async def test_a_key_near_its_end_is_renewed_behind_the_messages(heard, container, impatient):
    """The vendor is slow; the message gets the key that still works, at once, and the next one the new key."""
    container.lifetime = timedelta(minutes=12)
    credentials = Credentials(heard)
    first = await credentials.get()
    sold = container.sold
    container.lifetime = timedelta(hours=6)
    container.gate.clear()

    during = await credentials.get()
    container.gate.set()
    await settled(credentials)
    after = await credentials.get()

    assert isinstance(after, AccessKey)
    assert during == first
    assert after.id == f"ASIA{sold + 1}"
    assert container.sold == sold + 1


async def test_a_key_is_asked_for_its_end_once_in_a_while(heard, container, impatient, monkeypatch):
    """Botocore takes 10 us to tell. What AWS refused is looked for at once, all the same."""
    monkeypatch.setattr(room, "MOMENT", 60.0)
    credentials, asked = Credentials(heard), list[float]()
    key = await credentials.get()
    assert isinstance(key, AccessKey)
    needed = credentials._found.refresh_needed

    def counted(seconds: float) -> bool:
        asked.append(seconds)
        return bool(needed(seconds))

    monkeypatch.setattr(credentials._found, "refresh_needed", counted)
    assert {await credentials.get() for _ in range(100)} == {key}
    assert asked == [room.AHEAD, 0, room.MOMENT]

    credentials.reject(key)
    await credentials.get()
    await settled(credentials)
    assert container.sold == 2


async def test_nobody_is_sure_of_a_key_beyond_its_end(heard, container, monkeypatch):
    """However long it would not be asked for its end otherwise."""
    monkeypatch.setattr(room, "MOMENT", 60.0)
    credentials = Credentials(heard)
    await credentials.get()
    credentials._found._expiry_time = datetime.now(UTC) + timedelta(seconds=30)
    last = await credentials.get()
    credentials._found._expiry_time = datetime.now(UTC)

    assert isinstance(last, AccessKey)
    assert isinstance(await credentials.get(), Unusable)


async def test_a_renewal_that_fails_takes_nothing_away(heard, container, impatient):
    """Up to the last second the old key is handed out."""
    container.lifetime = timedelta(minutes=9)
    credentials = Credentials(heard)
    first = await credentials.get()
    container.closed = True

    await credentials.get()
    await settled(credentials)

    assert isinstance(first, AccessKey)
    assert credentials.state == first
    assert notes(heard) == ["credentials.found", "credentials.not-renewed"]


async def test_an_expired_key_is_not_handed_out(heard, container, impatient):
    credentials = Credentials(heard)
    first = await credentials.get()
    container.closed = True
    credentials._found._expiry_time = datetime.now(UTC) - timedelta(seconds=1)

    state = credentials.state
    last = await credentials.get()
    container.closed = False
    again = await credentials.get()

    assert isinstance(first, AccessKey)
    assert isinstance(state, Unusable)
    assert isinstance(last, Unusable)
    assert isinstance(again, AccessKey)
    assert notes(heard) == ["credentials.found", "credentials.unusable", "credentials.found"]


async def test_a_rejected_key_is_looked_for_from_the_beginning(heard, monkeypatch, tmp_path, impatient):
    """The operator has put a new key into the file; nothing is restarted."""
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = s\n")
    credentials = Credentials(heard)
    old = await credentials.get()
    assert isinstance(old, AccessKey)
    file.write_text("[default]\naws_access_key_id = AKIANEW\naws_secret_access_key = s\n")
    assert await credentials.get() == old

    credentials.reject(old)
    meanwhile = await credentials.get()
    await settled(credentials)
    new = await credentials.get()
    credentials.reject(old)

    assert meanwhile == old
    assert new == AccessKey("AKIANEW", "s")
    assert await credentials.get() == new
    assert credentials._look is None


async def test_a_key_with_blanks_is_looked_for_from_the_beginning(heard, monkeypatch, tmp_path, impatient):
    """The operator has taken a remark out of the file; nothing is restarted."""
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s # of the relay\n")
    credentials = Credentials(heard)
    odd = await credentials.get()
    file.write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n")

    assert isinstance(odd, Unusable)
    assert await credentials.get() == AccessKey("AKIAFILE", "s")


async def test_a_key_rejected_again_and_again_is_looked_for_now_and_then(heard, container):
    """A key that AWS does not want costs one walk of the chain in a while, not one a message."""
    credentials = Credentials(heard)
    for _ in range(20):
        key = await credentials.get()
        assert isinstance(key, AccessKey)
        credentials.reject(key)

    await settled(credentials)
    assert container.sold == 1


async def test_in_the_background_the_key_is_kept_fresh_without_any_message(heard, container, impatient, monkeypatch):
    monkeypatch.setattr(room, "GLANCE", 0.01)
    container.lifetime = timedelta(minutes=12)
    credentials = Credentials(heard)
    await credentials.start()
    sold = container.sold
    container.lifetime = timedelta(hours=6)
    container.visited.clear()
    await asyncio.to_thread(container.visited.wait, 10)
    await settled(credentials)
    await credentials.close()

    state = credentials.state
    assert isinstance(state, AccessKey)
    assert state.id == f"ASIA{sold + 1}"
    assert container.sold == sold + 1


async def test_closing_during_a_look_ends_the_wait_of_a_message(heard, container):
    credentials = Credentials(heard)
    container.gate.clear()
    waiting = asyncio.create_task(credentials.get())
    await asyncio.sleep(0.02)

    await credentials.close()

    assert isinstance(await waiting, Unusable)
    container.gate.set()


async def test_a_look_that_hangs_holds_no_message_for_ever(heard, container, monkeypatch):
    """What it finds at last is for those that come then."""
    monkeypatch.setattr(room, "PATIENCE", 0.02)
    credentials = Credentials(heard)
    container.gate.clear()

    none = await asyncio.wait_for(credentials.get(), 4)
    container.gate.set()
    await settled(credentials)

    assert none == Unusable("not found yet")
    assert isinstance(await credentials.get(), AccessKey)
    assert container.sold == 1


async def test_who_gives_up_waiting_does_not_stop_the_look(heard, container):
    credentials = Credentials(heard)
    container.gate.clear()
    waiting = asyncio.create_task(credentials.get())
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    container.gate.set()

    assert isinstance(await credentials.get(), AccessKey)
    assert container.sold == 1
