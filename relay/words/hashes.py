"""
Hashes of passwords, by their text alone: which form it has, what checking it costs, and the lines of an htpasswd file.

Only forms that are slow on purpose, and within our means: a check must not stop the relay.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final, Literal

from relay.words.patterns import on_demand
from relay.words.values import dataclass

#: Passwords of one delegate that are right at the same time: each makes every wrong one dearer.
MOST_PASSWORDS: Final = 4

_ARGON2: Final = re.compile(
    r"\$argon2(?:id|i|d)\$v=19\$m=([0-9]{1,7}),t=([0-9]{1,3}),p=([0-9]{1,3})\$([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{16,86})",
    re.ASCII,
)
#: A salt of 16 octets leaves four bits of its last character empty; bcrypt raises at others.
_BCRYPT: Final = on_demand(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}", re.ASCII)
_SHA_CRYPT: Final = on_demand(
    r"\$(?:(5)\$(?:rounds=([1-9][0-9]{3,6})\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43}"
    r"|(6)\$(?:rounds=([1-9][0-9]{3,6})\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86})",
    re.ASCII,
)
_YESCRYPT: Final = on_demand(r"\$y\$(j[789A-C][5T])\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}", re.ASCII)
_DES: Final = on_demand(r"[./A-Za-z0-9]{13}", re.ASCII)
_SHA_ROUNDS: Final = 5000  # what a hash that names none has

#: How a hash of a refused form begins, and its name.
_REFUSED: Final = {
    "$apr1$": "an MD5 hash",
    "$1$": "an MD5 hash",
    "{SHA}": "an unsalted SHA-1 hash",
    "{SSHA}": "a SHA-1 hash",
}
_MAKE_ANEW: Final = "make it anew with `htpasswd -B FILE NAME`"


@dataclass(frozen=True, slots=True)
class CryptForm:
    """A hash of the crypt family and what sets its price: bcrypt's cost, SHA-crypt's rounds, yescrypt's parameters."""

    kind: Literal["bcrypt", "sha256", "sha512", "yescrypt"]
    parameter: str


def is_argon2(text: str) -> bool:
    """
    Whether *text* is an argon2 hash in PHC form, ``$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH``, within our means.

    At most 1 GiB, 100 passes and 64 lanes.
    """
    match = _ARGON2.fullmatch(text)
    if match is None:
        return False
    memory, passes, lanes = (int(match[group]) for group in (1, 2, 3))
    in_bounds = 1 <= lanes <= 64 and 8 * lanes <= memory <= 1 << 20 and 1 <= passes <= 100
    return in_bounds and _is_base64(match[4]) and _is_base64(match[5])


def crypt_form(text: str) -> CryptForm | None:
    """
    Read the form of a crypt hash; None when it is none that is taken.

    bcrypt up to cost 14, SHA-crypt up to a million rounds, yescrypt up to 128 MiB: about a second each.
    """
    if match := _BCRYPT.fullmatch(text):
        return CryptForm("bcrypt", match[1]) if 4 <= int(match[1]) <= 14 else None
    if match := _SHA_CRYPT.fullmatch(text):
        rounds = int(match[2] or match[4] or _SHA_ROUNDS)
        kind: Literal["sha256", "sha512"] = "sha256" if match[1] else "sha512"
        return CryptForm(kind, str(rounds)) if 1000 <= rounds <= 1_000_000 else None
    if match := _YESCRYPT.fullmatch(text):
        return CryptForm("yescrypt", match[1])
    return None


@dataclass(frozen=True, slots=True)
class LineProblem:
    """What is wrong with one line, counted from 1, and how to mend it. The line itself is never quoted."""

    line: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


@dataclass(frozen=True, slots=True, repr=False)
class Htpasswd:
    """
    What an htpasswd file says: the hashes of each name in the order of the lines, and every problem.

    A name on two lines has two passwords. It has no repr: a hash is a secret.
    """

    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[LineProblem, ...] = ()


def read_htpasswd(text: str) -> Htpasswd:
    """Read ``NAME:HASH`` lines as ``htpasswd`` writes them. Empty ones and those with ``#`` in front mean nothing."""
    hashes: dict[str, tuple[str, ...]] = {}
    problems = []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.rstrip("\r")
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, hashed = line.partition(":")
        why = _why_not(name, colon, hashed, hashes.get(name, ()))
        if why:
            problems.append(LineProblem(number, why))
        else:
            hashes[name] = (*hashes.get(name, ()), hashed)
    return Htpasswd(MappingProxyType(hashes), tuple(problems))


def _why_not(name: str, colon: str, hashed: str, before: tuple[str, ...]) -> str:
    if not colon or not name:
        return "no NAME:HASH"
    if not is_argon2(hashed) and crypt_form(hashed) is None:
        return f"{_kind_of(hashed)}: {_MAKE_ANEW}"
    if len(before) >= MOST_PASSWORDS:
        return f"more than {MOST_PASSWORDS} passwords for one name: remove the old ones"
    return ""


def _kind_of(hashed: str) -> str:
    for beginning, kind in _REFUSED.items():
        if hashed.startswith(beginning):
            return f"{kind}, which is soon broken"
    if hashed.startswith(("$2", "$5$", "$6$", "$y$", "$argon2")):
        return "a hash that is cut off, malformed or dearer than a second"
    if _DES.fullmatch(hashed):
        return "a DES hash, or a password in clear"
    return "a password in clear, or a hash of an unknown form"


def _is_base64(text: str) -> bool:
    """Whether *text* is Base64 without padding, and nothing is left in its last character (RFC 4648 section 3.5)."""
    try:
        octets = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return False
    return b64encode(octets).decode().rstrip("=") == text
