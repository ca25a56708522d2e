"""Messages that SES itself composes: SendEmail of v1, and Simple content of v2."""

import re
from collections.abc import Mapping, Sequence
from email.header import Header
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from typing import Final

from relay.localses.addresses import NON_ASCII
from relay.localses.constraints import required, violation
from relay.localses.query import read_list, read_structures
from relay.localses.raw_email import RawEmail, checked, read_tags
from relay.localses.refusals import invalid
from relay.words.values import dataclass

_TO, _CC, _BCC = "Destination.ToAddresses", "Destination.CcAddresses", "Destination.BccAddresses"
_AS_IT_IS: Final = compat32.clone(mangle_from_=False)
_FIELD_NAME = re.compile("[!-9;-~]{1,126}", re.ASCII)
_CHARSETS: Final = ("us-ascii", "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "iso-2022-jp", "shift_jis")


@dataclass(frozen=True, slots=True)
class Content:
    """A text, and the charset it is to be sent in; None is ASCII."""

    data: str
    charset: str | None


@dataclass(frozen=True, slots=True)
class Simple:
    """What a message is composed from; ``headers`` are further fields, name and value."""

    author: str
    to: Sequence[str]
    cc: Sequence[str]
    reply_to: Sequence[str]
    subject: Content
    text: Content | None
    html: Content | None
    headers: Sequence[tuple[str, str]] = ()

    def composed(self) -> bytes:
        """
        Return the message.

        Raises:
            Refused: InvalidParameterValue for a line end in a field, an unknown charset, or no body.
        """
        parts = [_part(content, kind) for content, kind in ((self.text, "plain"), (self.html, "html")) if content]
        if not parts:
            raise invalid("A message wants a body of text or HTML.")
        message: MIMEBase = parts[0] if len(parts) == 1 else MIMEMultipart("alternative", _subparts=parts)
        message["From"] = _field(self.author)
        for name, addresses in (("To", self.to), ("Cc", self.cc), ("Reply-To", self.reply_to)):
            if addresses:
                message[name] = _field(", ".join(addresses))
        data, charset = _encodable(self.subject)
        message["Subject"] = Header(_line(data), charset).encode()
        for name, value in self.headers:
            if not _FIELD_NAME.fullmatch(name):
                raise invalid(f"Invalid header name {name}.")
            message[name] = _field(value)
        return message.as_bytes(policy=_AS_IT_IS).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def read_simple_email(parameters: Mapping[str, str]) -> RawEmail:
    """
    Read and check the parameters of SendEmail (SES API Reference, "SendEmail").

    Raises:
        Refused: ValidationError, MalformedInput or InvalidParameterValue.
    """
    source = required(parameters, "Source")
    subject = _content(parameters, "Message.Subject")
    if subject is None:
        raise violation("null", "message.subject", "Member must not be null")
    to, cc, bcc = (read_list(parameters, name) for name in (_TO, _CC, _BCC))
    if not to + cc + bcc:
        raise invalid("Missing required header 'To'.")
    text, html = (_content(parameters, f"Message.Body.{kind}") for kind in ("Text", "Html"))
    simple = Simple(source, to, cc, read_list(parameters, "ReplyToAddresses"), subject, text, html)
    return checked(
        RawEmail(
            source=parameters.get("ReturnPath", source),
            source_arn=parameters.get("SourceArn"),
            from_arn=parameters.get("SourceArn"),
            return_path_arn=parameters.get("ReturnPathArn"),
            destinations=tuple(to + cc + bcc),
            configuration_set=parameters.get("ConfigurationSetName"),
            tags=read_tags(read_structures(parameters, "Tags", {"Name", "Value"})),
            raw=simple.composed(),
        )
    )


def _content(parameters: Mapping[str, str], name: str) -> Content | None:
    data = parameters.get(f"{name}.Data")
    return None if data is None else Content(data, parameters.get(f"{name}.Charset"))


def _part(content: Content, kind: str) -> MIMEText:
    text, charset = _encodable(content)
    return MIMEText(text, kind, charset)


def _encodable(content: Content) -> tuple[str, str]:
    """The text with ``?`` for what its charset lacks, and the charset."""
    charset = (content.charset or "us-ascii").lower()
    if charset not in _CHARSETS:
        raise invalid(f"Invalid charset: {content.charset}")
    return content.data.encode(charset, "replace").decode(charset), charset


def _field(text: str) -> str:
    """What may stand in a field as it is; names beyond ASCII are to be encoded by whoever asks (RFC 2047)."""
    if not text.isascii():
        raise invalid(NON_ASCII)
    return _line(text)


def _line(text: str) -> str:
    if any(character < " " and character != "\t" for character in text):
        raise invalid("Header fields hold no control characters.")
    return text
