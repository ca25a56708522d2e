"""What a client says in PLAIN (RFC 4616) and LOGIN, read strictly. No password is ever part of an error."""

from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field

from relay.smtp import replies
from relay.words.replies import Reply


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password as typed; neither shows in a representation."""

    name: str = field(repr=False)
    password: str = field(repr=False)


class SaslProblem(ValueError):
    """An exchange that ends without asking anybody: ``reply`` says how, ``result`` is the word counted."""

    def __init__(self, reply: Reply, result: str) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.result = result


NOT_BASE64 = Reply(501, (5, 5, 2), "Not base64")
NOT_PLAIN = Reply(501, (5, 5, 2), "PLAIN is authzid NUL authcid NUL password")


def decode(response: bytes) -> bytes:
    """
    Decode one response: base64 without blanks (RFC 4954 section 4); ``=`` is the empty initial response.

    Raises:
        SaslProblem: Not base64.
    """
    if response == b"=":
        return b""
    try:
        return b64decode(response, validate=True)
    except Base64Error:
        raise SaslProblem(NOT_BASE64, "form") from None


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
