"""Targets of who is asking: what follows AUTH with other mechanisms, tokens, lines of an htpasswd file."""

import base64
import json
from collections.abc import Callable
from typing import Final

from relay.delegates.tokens import LONGEST_TOKEN, _read_unverified
from relay.smtp import sasl
from relay.smtp.sasl import Bearer, SaslProblem
from relay.words.hashes import crypt_form, is_argon2, read_htpasswd
from tests.fuzz.of_mail import check_reply
from tests.fuzz.target import Target, tokens


def bearer(octets: bytes) -> None:
    """A token is cut from the message as it stands, and no name has a NUL; a refusal says nothing of it."""
    for read in (sasl.oauthbearer, sasl.xoauth2, sasl.external):
        found = _read(read, octets)
        if isinstance(found, SaslProblem):
            check_reply(found.reply)
            assert len(octets) < 30 or octets.decode("latin-1") not in str(found)
        elif isinstance(found, Bearer):
            assert found.token.encode("ascii") in octets
            assert found.token not in repr(found) or len(found.token) < 30
            assert not set(found.token) & set(" \x01\0,")
        else:
            assert found.encode("utf-8") == octets
            assert "\0" not in found


def _read(read: Callable[[bytes], Bearer | str], octets: bytes) -> Bearer | str | SaslProblem:
    try:
        return read(octets)
    except SaslProblem as problem:
        return problem


def token(octets: bytes) -> None:
    """Three parts, two of them JSON objects; ``alg`` and ``iss`` are texts. Nothing is believed yet."""
    text = octets.decode("latin-1")
    found = _read_unverified(text)
    if found is None:
        return
    assert len(text) <= LONGEST_TOKEN
    assert text.isascii()
    assert text.count(".") == 2
    assert isinstance(found.algorithm, str)
    assert isinstance(found.issuer, str)


def htpasswd(octets: bytes) -> None:
    """Every line is a name with a hash that costs no more than a second, or a problem that does not quote it."""
    text = octets.decode("utf-8", "replace")
    found = read_htpasswd(text)
    lines = text.split("\n")
    for name, hashes in found.hashes.items():
        assert name
        assert ":" not in name
        for hashed in hashes:
            assert is_argon2(hashed) or crypt_form(hashed) is not None
            assert any(line.rstrip("\r") == f"{name}:{hashed}" for line in lines)
    for problem in found.problems:
        secret = lines[problem.line - 1].partition(":")[2].strip()
        assert len(secret) < 12 or secret not in str(problem)
    meant = [line for line in lines if line.rstrip("\r").strip() and not line.startswith("#")]
    assert sum(map(len, found.hashes.values())) + len(found.problems) == len(meant)


_CLAIMS: Final = [
    {"alg": "RS256", "kid": "1"},
    {"iss": "https://issuer.example", "aud": "relay", "exp": 1, "sub": "app1"},
]


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _tokens() -> list[bytes]:
    whole = ".".join((*map(_part, _CLAIMS), "c2ln"))
    others = [
        f"{_part({'alg': 'none'})}.{_part(_CLAIMS[1])}.",
        f"{_part([])}.{_part(7)}.x",
        f"{whole}.{whole}",
        "a.b.c",
    ]
    return [text.encode() for text in (whole, *others)]


def _messages() -> list[bytes]:
    whole = _tokens()[0]
    return [
        b"n,a=app1,\x01host=relay.test\x01port=587\x01auth=Bearer " + whole + b"\x01\x01",
        b"n,,\x01auth=Bearer abc\x01\x01",
        b"y,a=a=2Cb=3D,\x01auth=bearer abc=\x01\x01",
        b"user=app1\x01auth=Bearer " + whole + b"\x01\x01",
        b"user=z\xc3\xb6e\x01auth=Bearer abc\x01\x01",
        b"user=app1\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
        b"app1",
    ]


def _lines() -> list[bytes]:
    hashed = [
        "$2y$10$" + "a" * 22 + "b" * 31,
        "$2b$31$" + "a" * 53,
        "$6$rounds=5000$salt$" + "c" * 86,
        "$5$salt$" + "d" * 43,
        "$y$j9T$salt$" + "e" * 43,
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        "$apr1$salt$hash",
        "{SHA}0000",
        "cleartext password",
    ]
    lines = [f"app{at}:{text}\n".encode() for at, text in enumerate(hashed)]
    return [*lines, b"".join(lines), b"# remark\r\n\r\n" + lines[0].replace(b"\n", b"\r\n"), b":x\nname\n"]


TARGETS: Final = (
    Target("bearer", bearer, _messages, tokens("bearer")),
    Target("token", token, _tokens, tokens("token")),
    Target("htpasswd", htpasswd, _lines, tokens("htpasswd")),
)
