"""
What a client says in PLAIN (RFC 4616), LOGIN, EXTERNAL (RFC 4422 appendix A), OAUTHBEARER (RFC 7628) and XOAUTH2, read
strictly. No password and no token is ever part of an error.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import field
from typing import Final

from relay.smtp import replies
from relay.words.replies import Reply
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password as typed; neither shows in a representation."""

    name: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token, and whom the client asks to be with it; empty for whomever the token names."""

    authzid: str = field(repr=False)
    token: str = field(repr=False)


class SaslProblem(ValueError):
    """An exchange that ends without asking anybody: ``reply`` says how, ``result`` is the word counted."""

    def __init__(self, reply: Reply, result: str) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.result = result


NOT_BASE64 = Reply(501, (5, 5, 2), "Not base64")
NOT_PLAIN = Reply(501, (5, 5, 2), "PLAIN is authzid NUL authcid NUL password")
NOT_EXTERNAL = Reply(501, (5, 5, 2), "EXTERNAL is an authorization identity in UTF-8, or nothing")
NOT_OAUTHBEARER = Reply(501, (5, 5, 2), "OAUTHBEARER is a GS2 header and key/value pairs (RFC 7628 section 3.1)")
NOT_XOAUTH2 = Reply(501, (5, 5, 2), "XOAUTH2 is user=NAME and auth=Bearer TOKEN, each ended by ^A, and one ^A more")

#: What goes out in a challenge when a token is not good (RFC 7628 section 3.2.2, and its forerunner).
TOKEN_FAILURES: Final = {
    "OAUTHBEARER": b'{"status":"invalid_token"}',
    "XOAUTH2": b'{"status":"401","schemes":"bearer"}',
}
_LONGEST_NAME: Final = 255
#: GS2 without channel binding: "n" is all that can be asked for here, "y" says so politely (RFC 5801 section 4).
_GS2: Final = re.compile(rb"[ny],(?:a=((?:[^,=\0]|=2C|=3D)+))?,")
_BEARER: Final = re.compile(rb"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


def decode(response: bytes) -> bytes:
    """
    Decode one response: base64 without blanks (RFC 4954 section 4); ``=`` is the empty initial response.

    Raises:
        SaslProblem: Not base64, or not its one spelling (RFC 4648 section 3.5): Python takes a ``=`` too many.
    """
    if response == b"=":
        return b""
    try:
        decoded = b64decode(response, validate=True)
    except Base64Error:
        raise SaslProblem(NOT_BASE64, "form") from None
    if b64encode(decoded) != response:
        raise SaslProblem(NOT_BASE64, "form")
    return decoded


def plain(message: bytes, *, longest: int) -> Credentials:
    """
    Read a PLAIN message. The authorization identity is empty or the name itself: nobody acts for others here.

    Args:
        longest: Octets of a password that is looked at.

    Raises:
        SaslProblem: 501 for another form, 535 for a name or password that can never be right.
    """
    fields = message.split(b"\0")
    if len(fields) != 3:
        raise SaslProblem(NOT_PLAIN, "form")
    authzid, name, password = fields
    if authzid not in (b"", name):
        raise SaslProblem(replies.BAD_CREDENTIALS, "bad-credentials")
    return login(name, password, longest=longest)


def login(name: bytes, password: bytes, *, longest: int) -> Credentials:
    """
    Take a name and a password.

    Raises:
        SaslProblem: 535: empty, too long, with NUL, or not UTF-8; such never authenticate.
    """
    impossible = not name or not password or len(name) > longest or len(password) > longest
    if impossible or b"\0" in name or b"\0" in password:
        raise SaslProblem(replies.BAD_CREDENTIALS, "bad-credentials")
    try:
        return Credentials(name.decode("utf-8"), password.decode("utf-8"))
    except UnicodeDecodeError:
        raise SaslProblem(replies.BAD_CREDENTIALS, "bad-credentials") from None


def external(message: bytes) -> str:
    """
    Read an EXTERNAL message: whom the client asks to be; empty for whomever its certificate names.

    Raises:
        SaslProblem: 501: NUL, or not UTF-8, or too long for a name.
    """
    if b"\0" in message or len(message) > _LONGEST_NAME:
        raise SaslProblem(NOT_EXTERNAL, "form")
    try:
        return message.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslProblem(NOT_EXTERNAL, "form") from None


def oauthbearer(message: bytes) -> Bearer:
    """
    Read an OAUTHBEARER message; its host and port are not looked at, the audience of the token says more.

    Raises:
        SaslProblem: 501 for another form.
    """
    header, separator, rest = message.partition(b"\x01")
    gs2 = _GS2.fullmatch(header)
    pairs = _pairs(rest) if separator and gs2 else None
    bearer = _BEARER.fullmatch(pairs.get(b"auth", b"")) if pairs else None
    if gs2 is None or bearer is None:
        raise SaslProblem(NOT_OAUTHBEARER, "form")
    authzid = (gs2[1] or b"").replace(b"=2C", b",").replace(b"=3D", b"=")
    return _bearer(authzid, bearer[1], NOT_OAUTHBEARER)


def xoauth2(message: bytes) -> Bearer:
    """
    Read an XOAUTH2 message.

    Raises:
        SaslProblem: 501 for another form.
    """
    pairs = _pairs(message)
    bearer = _BEARER.fullmatch(pairs.get(b"auth", b"")) if pairs else None
    if pairs is None or bearer is None or not pairs.get(b"user"):
        raise SaslProblem(NOT_XOAUTH2, "form")
    return _bearer(pairs[b"user"], bearer[1], NOT_XOAUTH2)


def _bearer(authzid: bytes, token: bytes, refusal: Reply) -> Bearer:
    try:
        return Bearer(authzid.decode("utf-8"), token.decode("ascii"))
    except UnicodeDecodeError:
        raise SaslProblem(refusal, "form") from None


def _pairs(message: bytes) -> dict[bytes, bytes] | None:
    """Read ``key=value`` pairs, each ended by ^A, and one ^A behind the last; None for another form, or a key twice."""
    if not message.endswith(b"\x01\x01") or b"\0" in message:
        return None
    parts = [pair.partition(b"=") for pair in message[:-2].split(b"\x01")]
    pairs = {key.lower(): value for key, _, value in parts}
    return pairs if len(pairs) == len(parts) and all(equals and key for key, equals, _ in parts) else None
