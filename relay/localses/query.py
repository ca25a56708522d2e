"""The AWS Query protocol: flat form parameters in, XML out (botocore calls it ``query``)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes
from uuid import uuid4
from xml.sax.saxutils import escape

from relay.localses.refusals import Refused
from relay.localses.wire import Wire
from relay.words.values import dataclass

NAMESPACES: Final = {
    "ses": "http://ses.amazonaws.com/doc/2010-12-01/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
_FORM: Final = "application/x-www-form-urlencoded"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INDEX = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_BASE64_ESCAPES: Final = ((b"%2B", b"+"), (b"%2F", b"/"), (b"%3D", b"="), (b"%0A", b"\n"))

#: Codes of errors that v1 has no name of its own for.
_CODES: Final = {"AccountSuspended": "MessageRejected"}


def read_parameters(wire: Wire) -> dict[str, str]:
    """
    Read the parameters of a Query request, from the target of a GET or the form of a POST.

    Raises:
        Refused: UnknownOperationException for another content type; MalformedQueryString for broken escapes, text that
            is no UTF-8, or a parameter given twice.
    """
    if wire.body and (wire.header("content-type") or "").partition(";")[0].strip().lower() != _FORM:
        raise Refused("UnknownOperationException", f"The Query API takes a body of {_FORM}.")
    parameters: dict[str, str] = {}
    for pair in b"&".join(filter(None, (wire.query.encode("utf-8", "surrogateescape"), wire.body))).split(b"&"):
        name, _, value = pair.partition(b"=")
        if not pair:
            continue
        key = _plain(name)
        if key in parameters:
            raise Refused("MalformedQueryString", f"The parameter {key} is given twice.")
        parameters[key] = _plain(value)
    return parameters


def _plain(text: bytes) -> str:
    text = text.replace(b"+", b" ")
    if b"%" in text:
        for escaped, plain in _BASE64_ESCAPES:  # a message is base64: its escapes go without a loop over megabytes
            text = text.replace(escaped, plain)
        if _BROKEN_ESCAPE.search(text):
            raise Refused("MalformedQueryString", "The query string contains a syntax error.")
        text = unquote_to_bytes(text)
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise Refused("MalformedQueryString", "The query string contains a syntax error.") from None


def read_list(parameters: Mapping[str, str], name: str) -> list[str]:
    """
    Return the texts ``NAME.member.1``, ``NAME.member.2`` ... in the order of their numbers.

    Raises:
        Refused: MalformedInput for any other spelling.
    """
    found: dict[int, str] = {}
    for key, value in _of_list(parameters, name):
        found[_index(key, name)] = value
    return [found[number] for number in sorted(found)]


def read_structures(parameters: Mapping[str, str], name: str, members: Iterable[str]) -> list[dict[str, str]]:
    """
    Return the structures ``NAME.member.1.MEMBER`` ... in the order of their numbers.

    Raises:
        Refused: MalformedInput for any other spelling.
    """
    found: dict[int, dict[str, str]] = {}
    for key, value in _of_list(parameters, name):
        head, _, member = key.rpartition(".")
        if member not in members:
            raise Refused("MalformedInput", f"{key}: a list of structures is {name}.member.1.MEMBER")
        found.setdefault(_index(head, name), {})[member] = value
    return [found[number] for number in sorted(found)]


def _of_list(parameters: Mapping[str, str], name: str) -> Iterator[tuple[str, str]]:
    """The parameters of a list; of an empty one its name alone is sent, without a value."""
    for key, value in parameters.items():
        if (key == name and value) or key.startswith(f"{name}."):
            yield key, value


def _index(key: str, name: str) -> int:
    number = key.removeprefix(f"{name}.member.")
    if not _INDEX.fullmatch(number):
        raise Refused("MalformedInput", f"{key}: a list is {name}.member.1, {name}.member.2 and so on")
    return int(number)


def xml_text(text: str) -> str:
    """Return *text* safe inside an XML 1.0 element; what XML cannot hold becomes ``?``."""
    return escape(_NOT_XML.sub("?", text))


@dataclass(frozen=True, slots=True)
class Entries:
    """A map of the model, told as a list of keys and values; a plain mapping is told as a structure."""

    by_key: Mapping[str, Any]


def result_xml(service: str, action: str, result: Mapping[str, Any], request_id: str) -> str:
    """Render the answer of *action*: texts, lists, structures and :class:`Entries`."""
    return (
        f'<{action}Response xmlns="{NAMESPACES[service]}"><{action}Result>{_members(result)}</{action}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )


def _members(structure: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{_inner(value)}</{name}>" for name, value in structure.items())


def _inner(value: Any) -> str:
    if isinstance(value, str):
        return xml_text(value)
    if isinstance(value, Entries):
        pairs = value.by_key.items()
        return "".join(f"<entry><key>{xml_text(k)}</key><value>{_inner(v)}</value></entry>" for k, v in pairs)
    if isinstance(value, Mapping):
        return _members(value)
    return "".join(f"<member>{_inner(member)}</member>" for member in value)


def error_xml(service: str, refused: Refused, request_id: str) -> str:
    """Render an error: ``Sender`` is at fault below 500, ``Receiver`` from there."""
    fault = "Sender" if refused.status < 500 else "Receiver"
    code = _CODES.get(refused.code, refused.code)
    return (
        f'<ErrorResponse xmlns="{NAMESPACES[service]}"><Error><Type>{fault}</Type>'
        f"<Code>{xml_text(code)}</Code><Message>{xml_text(refused.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def new_request_id() -> str:
    """Draw the id an answer is known by."""
    return str(uuid4())
