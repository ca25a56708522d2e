"""The htpasswd file: every form by a hash that its own maker made, changes, breakage, and what a wrong one costs."""

import asyncio
import ctypes
import os
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import bcrypt
import pytest
from passlib.hash import sha256_crypt, sha512_crypt

from relay.delegates.credentials import Cost, price_of
from relay.delegates.crypts import CannotCheck, decoy_crypt, verify_crypt
from relay.delegates.entries import Elsewhere, Entry
from relay.delegates.htpasswd import HtpasswdFile
from relay.delegates.passwords import hash_password, verify_hash
from relay.delegates.registry import Registry
from relay.observe.events import Event, Noted
from relay.words.delegates import Delegate
from relay.words.hashes import CryptForm, crypt_form
from relay.words.unavailable import Unavailable
from tests.delegates.test_registry import CHEAP, HOME

PASSWORD = "grüße an den Kanarienvogel"


def yescrypt(password: str) -> str:
    """By the C library, as mkpasswd makes it."""
    library, setting, data = ctypes.CDLL("libcrypt.so.1"), ctypes.create_string_buffer(192), bytes(32768)
    library.crypt_gensalt_rn.restype = library.crypt_rn.restype = ctypes.c_char_p
    library.crypt_gensalt_rn(b"$y$", ctypes.c_ulong(1), None, 0, setting, 192)
    made: bytes = library.crypt_rn(password.encode(), setting.value, data, len(data))
    return made.decode()


MAKERS = {
    "bcrypt": lambda password: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode(),
    "bcrypt as Apache writes it": lambda password: (
        "$2y" + bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()[3:]
    ),
    "SHA-256": sha256_crypt.using(rounds=1000).hash,
    "SHA-256, rounds unsaid": sha256_crypt.using(rounds=5000).hash,
    "SHA-512": sha512_crypt.using(rounds=1000).hash,
    "yescrypt": yescrypt,
    "argon2": partial(hash_password, cost=CHEAP),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_each_form_knows_its_password_and_no_other(maker):
    hashed = MAKERS[maker](PASSWORD)

    assert verify_hash(hashed, PASSWORD)
    for wrong in ("", PASSWORD + "x", PASSWORD.upper(), PASSWORD + "\0", "x" * 1024, "\udcff"):
        assert not verify_hash(hashed, wrong)


def test_bcrypt_cuts_where_its_makers_cut():
    """htpasswd looks at 72 octets; a longer password that it hashed has to be right."""
    long = "p" * 100
    hashed = bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode()

    assert verify_crypt(hashed, long)


@pytest.mark.parametrize(
    "form",
    [CryptForm("bcrypt", "04"), CryptForm("sha256", "1000"), CryptForm("sha512", "5000"), CryptForm("yescrypt", "j75")],
    ids=str,
)
def test_a_decoy_costs_the_same_and_has_no_password(form):
    hashed = decoy_crypt(form)

    assert crypt_form(hashed) == form
    assert verify_crypt(hashed, PASSWORD) is False


def test_sha_crypt_does_not_hang_on_a_module_that_replaces_itself(monkeypatch):
    """While one thread imports passlib.hash, another finds what stands there until then: a module without hashes."""
    monkeypatch.setitem(sys.modules, "passlib.hash", ModuleType("passlib.hash"))

    assert verify_crypt(sha512_crypt.using(rounds=1000).hash("right"), "right")


def test_what_is_no_hash_is_no_answer():
    with pytest.raises(CannotCheck):
        verify_crypt("canary", "canary")


class Bench:
    """A registry over an htpasswd file, whose checks are counted and whose events are kept."""

    def __init__(self, path: Path, *names: str, **passwords: str) -> None:
        self.checked: list[str] = []
        self.events: list[Noted] = []
        self.told = asyncio.Event()
        entries = [Entry.of(Delegate(name, "111111111111"), password_hash=passwords.get(name)) for name in names]
        self.registry = Registry(entries, Elsewhere(path), verify=self._verify, observe=self._tell)

    def _tell(self, event: Event) -> None:
        assert isinstance(event, Noted)
        if self.events:
            self.told.set()
        self.events.append(event)

    def _verify(self, hashed: str, password: str) -> bool:
        self.checked.append(hashed)
        return verify_hash(hashed, password)

    async def ask(self, name: str = "billing", password: str = PASSWORD):
        return await self.registry.verify(name, password, HOME)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    path.write_text(f"billing:{MAKERS['bcrypt'](PASSWORD)}\nstranger:{MAKERS['bcrypt'](PASSWORD)}\n")
    return path


@pytest.fixture
def bench(path):
    made: list[Bench] = []

    def make(*names: str, **passwords: str) -> Bench:
        made.append(Bench(path, *names, **passwords))
        return made[-1]

    yield make
    for each in made:
        each.registry.close()


async def test_a_name_is_the_delegate_of_that_name(bench):
    """Who is in the file and no delegate is nobody."""
    tried = bench("billing", "news")

    assert await tried.ask() == "billing"
    assert await tried.ask(password="wrong") is None
    assert await tried.ask("stranger") is None
    assert await tried.ask("news") is None


@pytest.mark.parametrize(
    "question", [("nobody", "x"), ("stranger", PASSWORD), ("news", "x"), ("billing", "x")], ids=str
)
async def test_every_no_costs_the_same_checks(bench, path, question):
    """Two passwords are two checks of their forms, for an unknown name as for a known one."""
    path.write_text(f"billing:{MAKERS['bcrypt'](PASSWORD)}\nbilling:{MAKERS['SHA-256']('another')}\n")
    tried = bench("billing", "news")

    assert await tried.ask(*question) is None

    assert [price_of(hashed) for hashed in tried.checked] == [CryptForm("bcrypt", "04"), CryptForm("sha256", "1000")]


async def test_all_passwords_of_a_name_are_right_at_once(bench, path):
    """The new one in the file, and the one of the settings."""
    path.write_text(f"billing:{MAKERS['bcrypt']('old')}\nbilling:{MAKERS['SHA-512']('new')}\n")
    tried = bench("billing", billing=hash_password("set", CHEAP))

    assert [await tried.ask(password=text) for text in ("old", "new", "set", "none")] == ["billing"] * 3 + [None]


async def test_a_changed_file_counts_and_a_broken_one_changes_nothing(bench, path):
    """It is told once, with line and fix, that it was not taken; the next good one counts again."""
    tried = bench("billing")
    await tried.registry.start()
    assert await tried.ask() == "billing"

    path.write_text(f"billing:{MAKERS['bcrypt']('new')}\nnews:canary\n")
    for _ in range(2):
        await tried.registry.reload([Entry.of(Delegate("billing", "111111111111"))], Elsewhere(path))
    assert await tried.ask() == "billing"
    path.write_text(f"billing:{MAKERS['bcrypt']('new')}\n")
    os.utime(path, (1, 1))
    await tried.registry.reload([Entry.of(Delegate("billing", "111111111111"))], Elsewhere(path))

    assert await tried.ask() is None
    assert await tried.ask(password="new") == "billing"
    assert [event.event for event in tried.events] == ["htpasswd.read", "htpasswd.refused", "htpasswd.read"]
    (problem,) = tried.events[1].details["problems"]
    assert problem.startswith("line 2: a password in clear")
    assert tried.events[1].details["kept"]
    assert "canary" not in repr(tried.events)


async def test_a_changed_file_is_found_without_anybody_asking(bench, path):
    tried = bench("billing")
    await tried.registry.start()
    path.write_text(f"billing:{MAKERS['bcrypt']('new')}\n")
    async with asyncio.timeout(10):
        await tried.told.wait()

    assert await tried.ask(password="new") == "billing"


async def test_without_a_good_file_nobody_hears_no(bench, path):
    """It may be on its way: the answer is temporary, and that it is missing is told."""
    path.unlink()
    tried = bench("billing")

    assert isinstance(await tried.ask(), Unavailable)
    assert tried.registry.troubles() == {"htpasswd": "it cannot be read: No such file or directory"}
    assert await tried.ask("nobody") is None


async def test_what_was_compared_and_was_different_is_a_guess(bench, path):
    """The answer stays temporary, for the file may say otherwise; the door counts it all the same."""
    path.unlink()
    tried = bench("billing", "reports", billing=MAKERS["bcrypt"](PASSWORD))
    answers = [await tried.ask(password="wrong"), await tried.ask("reports")]

    assert [isinstance(answer, Unavailable) and answer.is_guess for answer in answers] == [True, False]
    assert await tried.ask() == "billing"


async def test_so_it_is_where_one_hash_cannot_be_checked(bench):
    def verify(hashed: str, _password: str) -> bool:
        if hashed == unusable:
            raise CannotCheck("it needs a library")
        return False

    good, unusable = MAKERS["bcrypt"](PASSWORD), MAKERS["bcrypt"]("other")
    tried = bench("both", "one", both=f"{good}\n{unusable}", one=unusable)
    tried.registry._checkpoint._verify = verify
    answers = [await tried.ask("both"), await tried.ask("one")]

    assert [isinstance(answer, Unavailable) and answer.is_guess for answer in answers] == [True, False]


@pytest.mark.parametrize("octets", [b"a:\xff\n", b"a" * (1 << 20) + b"\n\n"])
def test_a_file_that_is_no_text_or_endless_is_refused(path, octets):
    path.write_bytes(octets)
    told = HtpasswdFile(path).look()

    assert told is not None
    assert told.event == "htpasswd.refused"


def test_costs_are_told_apart():
    assert {type(price_of(MAKERS[maker](PASSWORD))) for maker in MAKERS} == {Cost, CryptForm}
