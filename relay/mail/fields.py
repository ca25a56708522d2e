"""Rules P2 and P3: where the header section ends, what its fields are, which of them may come once only."""

import re
from typing import Final, TypeAlias

from relay.mail.octets import check_header_octets
from relay.mail.problems import Broken, broken_form, looping, shown, too_big
from relay.mail.profile import ONCE_ONLY, X_SES, Profile, is_plain
from relay.words.values import dataclass

# A name is printable ASCII without colon, up against the colon; a fold begins with a blank and holds something else
# (RFC 5322 section 2.2, without its obsolete forms). Possessive and atomic: a hostile header is read once.
_NAME, _VALUE = rb"[!-9;-~]++", rb"[^\r]*+(?>(?:\r\n[ \t]++(?!\r)[^\r]*+)*)"
_HEAD = re.compile(rb"(?>(?:" + _NAME + rb":" + _VALUE + rb"\r\n)*)")
#: A line that begins a field, with the LF before it.
_BEGINNING = re.compile(rb"\n(" + _NAME + rb"):")
_BETWEEN_FIELDS = re.compile(rb"\r\n(?![ \t])")
_BLANK_FOLD = re.compile(rb"\r\n[ \t]++(?=\r)")
_CIRCLE: Final = "it goes round in circles; see which mail servers send to each other"
_NAME_THEN_BLANK = re.compile(rb"([!-9;-~]+)[ \t]+:")

#: Fields that name one mailbox: bounded apart, for software truncates a monster in different places.
_MAILBOX_FIELDS = frozenset({b"from", b"sender", b"return-path", b"resent-from", b"resent-sender"})


#: One field: the whole of it with name, folds and CRLF; its name lower-cased; its value after the colon, folds and all.
Field: TypeAlias = tuple[bytes, bytes, bytes]


@dataclass(slots=True)
class Section:
    """
    A header section: its ``octets`` without the empty line behind them, and the lower-cased ``names`` of its fields in
    order. ``lines``: the fields, each with its folds but without its CRLF. ``is_plain``: as
    :func:`relay.mail.profile.is_plain` has it. Nobody changes it.
    """

    octets: bytes
    names: list[bytes]
    lines: list[bytes]
    is_plain: bool

    @property
    def body_start(self) -> int:
        """Where the body begins, in octets from the first of the message."""
        return len(self.octets) + 2

    @property
    def fields(self) -> list[Field]:
        """Every field, in order."""
        return [
            (line + b"\r\n", name, line[len(name) + 1 :]) for name, line in zip(self.names, self.lines, strict=True)
        ]

    def value(self, name: bytes) -> bytes | None:
        """The value of the field *name* (lower-cased), the first if there are more; None without one."""
        names = self.names
        return self.lines[names.index(name)][len(name) + 1 :] if name in names else None

    def values(self, name: bytes) -> list[bytes]:
        """Every value of the field *name* (lower-cased), in order."""
        return [line[len(name) + 1 :] for each, line in zip(self.names, self.lines, strict=True) if each == name]


def read_section(raw: bytes, profile: Profile) -> Section:
    """
    Read the header section of *raw*, whose octets and line ends were checked.

    Raises:
        Broken: 552 5.3.4 for its size, 550 5.6.11 for its octets, 550 5.6.0 for its form.
    """
    head = _head(raw, profile)
    lines = head.split(b"\r\n")
    lines.pop()  # what is behind the last CRLF: nothing
    if len(lines) > profile.fields or len(lines) > profile.folds:  # else there cannot be too many of either
        _check_number(head, profile)
    check_header_octets(head)
    names = _BEGINNING.findall(b"\n" + head.lower())
    if len(names) != len(lines):
        lines = _folded_lines(head, names)
    if len(head) > profile.one_field or len(set(names)) != len(names):  # else no field is too large, none comes twice
        _check_fields(names, lines, profile)
    return Section(head, names, lines, is_plain(names))


def _folded_lines(head: bytes, names: list[bytes]) -> list[bytes]:
    """Cut *head* into its fields where it has folds; each must begin with one of *names*."""
    lines = _BETWEEN_FIELDS.split(head[:-2])
    if len(lines) != len(names) or _BLANK_FOLD.search(head):
        raise _malformed(head)
    return lines


def _check_fields(names: list[bytes], lines: list[bytes], profile: Profile) -> None:
    """Look for a mailbox in too many octets, and for a field that comes twice, whichever comes first."""
    seen: set[bytes] = set()
    for name, line in zip(names, lines, strict=True):
        if name in _MAILBOX_FIELDS and len(line) + 2 > profile.one_field:
            raise too_big(
                "P2", f"The {name.decode()} field is larger than {profile.one_field} octets: shorten the name"
            )
        if name in seen and (name in ONCE_ONLY or name.startswith(X_SES)):
            raise _twice(line[: len(name)])
        seen.add(name)


def unfolded(value: bytes) -> bytes:
    """Undo folding (RFC 5322 section 2.2.3) and trim blanks."""
    return value.replace(b"\r\n", b"").strip(b" \t")


def _head(raw: bytes, profile: Profile) -> bytes:
    """Return the header section, CRLF of its last line included, without the empty line after it."""
    if raw.startswith(b"\r\n") or not raw:
        raise broken_form("P2", "The message has no header section: begin with the From field, at the first octet")
    end = raw.find(b"\r\n\r\n", 0, profile.header_bytes + 2)
    if end < 0 and len(raw) > profile.header_bytes:
        raise too_big(
            "P2",
            f"The header section has more than {profile.header_bytes} octets before its empty line: send fewer or "
            "shorter fields, and an empty line before the body",
        )
    if end < 0:
        raise broken_form("P2", "No empty line ends the header section: put one (CRLF CRLF) between header and body")
    return raw[: end + 2]


def _check_number(head: bytes, profile: Profile) -> None:
    """Count fields and folds."""
    folds = head.count(b"\r\n ") + head.count(b"\r\n\t")
    if folds > profile.folds:
        raise too_big("P2", f"The header section has more than {profile.folds} folded lines: send shorter fields")
    if head.count(b"\r\n") - folds > profile.fields:
        raise too_big("P2", f"The header section has more than {profile.fields} fields: send fewer")


def _twice(name: bytes) -> Broken:
    return broken_form(
        "P3",
        f"The field{shown(name)} occurs twice: send it once; SES refuses duplicates, and mail programs choose "
        "different ones",
    )


def _malformed(head: bytes) -> Broken:
    """Say which line is no field, and what it may have been meant to be."""
    good = _HEAD.match(head)
    start = good.end() if good else 0
    number = head.count(b"\n", 0, start) + 1
    line, _, _ = head[start:].partition(b"\r\n")
    name, colon, _ = line.partition(b":")
    before_colon = _NAME_THEN_BLANK.match(line)
    if line.startswith((b" ", b"\t")):
        text = f"Header line {number} is blank, or continues nothing: a folded line holds text and follows a field"
    elif before_colon:
        text = f"Header line {number} has a blank between{shown(before_colon[1])} and the colon: remove the blank"
    elif line.startswith(b"From "):
        text = f"Header line {number} is an mbox 'From ' line: remove it, a message begins with its first field"
    elif not colon:
        text = f"Header line {number} has no colon: write 'Name: value', and an empty line before the body"
    elif start == 0 and line.startswith(b"\xef\xbb\xbf"):
        text = "The message begins with a byte order mark: write it as UTF-8 without BOM"
    elif not name:
        text = f"Header line {number} begins with a colon: a field needs a name"
    elif not name.isascii():
        text = f"The name of the field in header line {number} has 8-bit octets: names are printable ASCII"
    else:
        text = f"Header line {number} has a blank in the name of its field: write 'Name: value'"
    return broken_form("P2", text)


def check_received(section: Section, profile: Profile) -> int:
    """
    Count the Received fields; too many, or one of our own, are a loop (RFC 5321 section 6.3).

    A field "by" our name followed by another program's comment, as ``by HOST (Postfix)``, is that of a neighbour on
    our host, not ours.

    Raises:
        Broken: 554 5.4.6.
    """
    number = section.names.count(b"received")
    if number > profile.received:
        raise looping(f"The message has more than {profile.received} Received fields: {_CIRCLE}")
    name = profile.own_name.encode("ascii", "replace")
    if number and name and name.lower() in section.octets.lower():
        ours = re.compile(rb"(?i)(?:^|[\s)])by\s+" + re.escape(name) + rb"\.?(?=[\s;(]|$)(?!\s*\((?!ses-relay\b))")
        if any(ours.search(value) for value in section.values(b"received")):
            raise looping(f"The message has been through this relay before, a Received field names us: {_CIRCLE}")
    return number
