"""Targets at the street door: MAIL and RCPT, AUTH, the PROXY header, the octets of DATA."""

import base64
import re
from typing import Final

from relay.smtp import paths, sasl
from relay.smtp.content import Content
from relay.smtp.paths import PathProblem
from relay.smtp.proxy import LONGEST, Header, ProxyProblem, read_header
from relay.smtp.sasl import Credentials, SaslProblem
from relay.words.addresses import Address, ReversePath
from tests.fuzz.of_mail import check_reply
from tests.fuzz.target import Target, rows, tokens

_LONGEST_PASSWORD: Final = 1024
_LONGEST_MESSAGE: Final = 200
_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"


def path(octets: bytes) -> None:
    """A path is one address spelt in the command, domain lower-cased; parameters never change it."""
    text = octets.decode("latin-1")
    for read in (_reverse_path, paths.read_rcpt):
        try:
            found = read(text)
        except PathProblem as problem:
            check_reply(problem.reply)
            continue
        if isinstance(found, Address):
            assert found == found.with_domain_lowered()
            assert f"<{found}>".lower() in text.lower()
            assert read(f"{text.partition(':')[0]}:<{found}>") == found
        else:
            assert text.replace(" ", "").upper().startswith("FROM:<>")


def _reverse_path(text: str) -> ReversePath:
    return paths.read_mail(text, longest=1 << 20).reverse_path


def auth(octets: bytes) -> None:
    """Credentials are whole, UTF-8 and without NUL; what is refused never shows in the refusal."""
    try:
        message = sasl.decode(octets)
    except SaslProblem as problem:
        check_reply(problem.reply)
        return
    assert octets == b"=" or base64.b64encode(message) == octets
    for said in (_plain, _login):
        found = said(message)
        if isinstance(found, SaslProblem):
            check_reply(found.reply)
            assert len(message) < 12 or message.decode("latin-1") not in str(found)
            continue
        assert found.name
        assert found.password
        assert "\0" not in found.name + found.password
        assert found.name.encode() in message
        assert message.endswith(found.password.encode())
        assert found.password not in repr(found) or len(found.password) < 20
        wanted = f"\0{found.name}\0{found.password}".encode()
        assert sasl.plain(wanted, longest=_LONGEST_PASSWORD) == found


def _plain(message: bytes) -> Credentials | SaslProblem:
    try:
        return sasl.plain(message, longest=_LONGEST_PASSWORD)
    except SaslProblem as problem:
        return problem


def _login(message: bytes) -> Credentials | SaslProblem:
    name, _, password = message.partition(b"\0")
    try:
        return sasl.login(name, password, longest=_LONGEST_PASSWORD)
    except SaslProblem as problem:
        return problem


def proxy(octets: bytes) -> None:
    """A header is the same in whatever pieces it comes, whatever comes behind it, and nothing shorter is one."""
    found = _header(octets)
    if found is None:
        assert len(octets) < LONGEST
        return
    if isinstance(found, str):
        assert found
        return
    assert 0 < found.length <= min(len(octets), LONGEST)
    assert _header(octets[: found.length] + b"EHLO a\r\n") == found
    for length in {0, 1, 5, 6, 12, 15, 16, found.length // 2, found.length - 1} - {found.length}:
        if length < found.length:
            assert _header(octets[:length]) is None, length


def _header(octets: bytes) -> Header | str | None:
    try:
        return read_header(octets)
    except ProxyProblem as problem:
        return str(problem)


def data(octets: bytes) -> None:
    """
    DATA ends at CRLF.CRLF and nowhere else, wherever its blocks are cut; what is handed on has no bare octet.

    The first two octets say where to cut.
    """
    cuts, wire = octets[:2], octets[2:]
    whole = _taken([wire])
    assert _taken([wire[at : at + 1] for at in range(len(wire))]) == whole
    step = 1 + sum(cuts) % 13
    assert _taken([wire[at : at + step] for at in range(0, len(wire), step)]) == whole
    assert whole == _by_the_book(wire)


def _taken(blocks: list[bytes]) -> tuple[bytes | None, bytes] | None:
    """The message, None for a faulty one, and what follows it; None while it has not ended."""
    content = Content(_LONGEST_MESSAGE)
    for at, block in enumerate(blocks):
        if not block:
            continue
        rest = content.feed(block)
        if rest is not None:
            return None if content.fault else content.raw(), rest + b"".join(blocks[at + 1 :])
    return None


def _by_the_book(wire: bytes) -> tuple[bytes | None, bytes] | None:
    """Read DATA as RFC 5321 section 4.5.2 says, in the simplest way."""
    end = (b"\r\n" + wire).find(b"\r\n.\r\n")
    if end < 0:
        return None
    kept, rest = wire[:end], wire[end + 3 :]
    lines = [line.removeprefix(b".") for line in kept.split(b"\r\n")]
    message = b"\r\n".join(lines)
    is_faulty = set(b"".join(lines)) & set(b"\r\n\0") or len(message) > _LONGEST_MESSAGE
    return (None if is_faulty else message), rest


def _steps() -> list[bytes]:
    cases = rows("attacks.jsonl") + rows("more_attacks.jsonl")
    steps = [base64.b64decode(step["b64"]) for case in cases for step in case.get("smtp") or [] if step.get("b64")]
    return [step for step in steps if len(step) < 4000]


def _arguments() -> list[bytes]:
    found = {line[5:] for step in _steps() for line in step.split(b"\r\n") if line[:5].upper() in (b"MAIL ", b"RCPT ")}
    return sorted(found | {b"FROM:<a@b.co> SIZE=1 BODY=8BITMIME AUTH=<>", b"TO:<Postmaster>", b"FROM: <a@B.co>"})


def _responses() -> list[bytes]:
    found = {word for step in _steps() for word in re.findall(rb"(?im)^(?:AUTH \w+ )?([A-Za-z0-9+/=]{4,})\r$", step)}
    texts = [
        b"\0app1\0s3cret",
        b"app1\0app1\0s3cret",
        b"app1\0s3cret",
        b"a\0b\0c\0d",
        b"\0z\xc3\xb6e\0p\xff",
        b"\0a\0" + b"p" * 1030,
    ]
    return sorted(found | {base64.b64encode(text) for text in texts} | {b"="})


def _headers() -> list[bytes]:
    v4 = b"\xc0\x00\x02\x01\xc0\x00\x02\x02\x30\x39\x00\x19"
    binary = [
        _SIGNATURE + b"\x21\x11\x00\x0c" + v4,
        _SIGNATURE + b"\x21\x21\x00\x24" + bytes(36),
        _SIGNATURE + b"\x20\x00\x00\x00",
        _SIGNATURE + b"\x21\x00\x00\x00",
        _SIGNATURE + b"\x21\x11\x00\x13" + v4 + b"\x01\x00\x04h2zz",
        _SIGNATURE + b"\x21\x11\x00\x13" + v4 + b"\x03\x00\x04\x9a\xb1\xc2\xd3",
    ]
    lines = [
        b"PROXY TCP4 192.0.2.1 192.0.2.2 12345 25\r\n",
        b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
        b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 65535\r\n",
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN anything at all\r\n",
    ]
    return [octets + rest for octets in binary + lines for rest in (b"", b"EHLO a\r\n")]


def _data() -> list[bytes]:
    found = {step for step in _steps() if b"." in step}
    return [b"\1\2" + step for step in sorted(found)] + [
        b"\0\0.\r\n",
        b"\0\0a\r\n..\r\n.\r\nQUIT\r\n",
        b"\0\0" + b"x\r\n" * 80 + b".\r\n",
    ]


TARGETS: Final = (
    Target("path", path, _arguments, tokens("path")),
    Target("auth", auth, _responses, tokens("auth")),
    Target("proxy", proxy, _headers, tokens("proxy")),
    Target("data", data, _data, tokens("data"), longest=500),
)
