"""Rules P2 and P3: where the header section ends, what its fields are, which of them may come once only."""

import re
from typing import Final, TypeAlias

from relay.mail.octets import check_header_octets
from relay.mail.problems import Broken, broken_form, looping, shown, too_big
from relay.mail.profile import ONCE_ONLY, X_SES, Profile
from relay.words.values import dataclass

# A name is printable ASCII without colon, up against the colon; a fold begins with a blank and holds something else
# (RFC 5322 section 2.2, without its obsolete forms). Possessive and atomic: a hostile header is read once.
_NAME, _VALUE = rb"[!-9;-~]++", rb"[^\r]*+(?>(?:\r\n[ \t]++(?!\r)[^\r]*+)*)"
_FIELDS = re.compile(rb"((" + _NAME + rb"):(" + _VALUE + rb")\r\n)")
_HEAD = re.compile(rb"(?>(?:" + _NAME + rb":" + _VALUE + rb"\r\n)*)")
_CIRCLE: Final = "it goes round in circles; see which mail servers send to each other"
_NAME_THEN_BLANK = re.compile(rb"([!-9;-~]+)[ \t]+:")

#: Fields that name one mailbox: bounded apart, for software truncates a monster in different places.
_MAILBOX_FIELDS = frozenset({b"from", b"sender", b"return-path", b"resent-from", b"resent-sender"})


#: One field: the whole of it with name, folds and CRLF; its name lower-cased; its value after the colon, folds and all.
Field: TypeAlias = tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Section:
    """A header section: its fields in order, the once-only and X-SES values by name, and where the body begins."""

    fields: list[Field]
    once: dict[bytes, bytes]
    body_start: int

    def values(self, name: bytes) -> list[bytes]:
        """Every value of the field *name* (lower-cased), in order."""
        return [value for _, each, value in self.fields if each == name]


def read_section(raw: bytes, profile: Profile) -> Section:
    """
    Read the header section of *raw*, whose octets and line ends were checked.

    Raises:
        Broken: 552 5.3.4 for its size, 550 5.6.11 for its octets, 550 5.6.0 for its form.
    """
    head = _head(raw, profile)
    check_header_octets(head)
    if not _HEAD.fullmatch(head):
        raise _malformed(head)
    fields: list[Field] = []
    once: dict[bytes, bytes] = {}
    for whole, spelt, value in _FIELDS.findall(head):
        name = spelt.lower()
        fields.append((whole, name, value))
        if name in _MAILBOX_FIELDS and len(whole) > profile.one_field:
            raise too_big(
                "P2", f"The {name.decode()} field is larger than {profile.one_field} octets: shorten the name"
            )
        if name in ONCE_ONLY or name.startswith(X_SES):
            if name in once:
                raise _twice(spelt)
            once[name] = value
    return Section(fields, once, len(head) + 2)


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
    head = raw[: end + 2]
    folds = head.count(b"\r\n ") + head.count(b"\r\n\t")
    if folds > profile.folds:
        raise too_big("P2", f"The header section has more than {profile.folds} folded lines: send shorter fields")
    if head.count(b"\r\n") - folds > profile.fields:
        raise too_big("P2", f"The header section has more than {profile.fields} fields: send fewer")
    return head


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
    received = section.values(b"received")
    if len(received) > profile.received:
        raise looping(f"The message has more than {profile.received} Received fields: {_CIRCLE}")
    if profile.own_name and received:
        name = re.escape(profile.own_name.encode("ascii", "replace"))
        ours = re.compile(rb"(?i)(?:^|[\s)])by\s+" + name + rb"\.?(?=[\s;(]|$)(?!\s*\((?!ses-relay\b))")
        if any(ours.search(value) for value in received):
            raise looping(f"The message has been through this relay before, a Received field names us: {_CIRCLE}")
    return len(received)
