"""Rules P4 to P7: the one mailbox of From, and of the fields that must agree with it."""

import re
from functools import lru_cache
from typing import Final

from relay.mail.display_names import check_display_name
from relay.mail.encoded_words import decode_word, is_marked
from relay.mail.facts import DisplayName
from relay.mail.problems import Broken, broken_form, shown
from relay.mail.repairs_names import phrases_encoded
from relay.words.addresses import Address, AddressProblem, parse_address
from relay.words.values import dataclass

# RFC 5322 section 3.4 without CFWS comments, groups, routes and lists. A dot inside an unquoted word is its obs-phrase:
# "J. Public" is everywhere, and parsers read it alike (but "J.<" makes one fail). Possessive, and words are set apart
# by blanks: read once.
_QUOTED = r'"(?>(?:[^"\\]|\\.)*)"'
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]*+"
_WORD = f"(?:{_QUOTED}|{_ATOM})"
_NAMED = re.compile(rf"(?P<phrase>(?:{_WORD}(?>(?:[ \t]++{_WORD})*))?)[ \t]*+(?<!\.)<(?P<address>[^<>]*)>")
_WORDS = re.compile(rf"({_QUOTED})|{_ATOM}|[ \t]+")
_QUOTED_PAIR = re.compile(r"\\(.)")

_WRITE: Final = "write 'Name <local@domain>' or 'local@domain'"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address, and the name before it."""

    address: Address
    name: DisplayName | None


@lru_cache(maxsize=512)
def read_mailbox(value: bytes, field: str, rule: str = "P4") -> Mailbox:
    """
    Read the unfolded, trimmed *value* of the field called *field*: ``[phrase] <addr-spec>`` or ``addr-spec``.

    Remembered: an application writes one From field over and over.

    Raises:
        Broken: 550 5.6.7 for 8-bit octets, 5.7.1 for a name that shows another address, 5.6.0 for anything else.
    """
    text = _seven_bit(value, field, rule)
    match = _NAMED.fullmatch(text)
    try:
        if match is None:
            return Mailbox(parse_address(text), None)
        address = parse_address(match["address"])
    except AddressProblem as problem:
        raise _no_mailbox(text, field, rule, str(problem)) from None
    name = _display_name(match["phrase"], field)
    if name is not None:
        check_display_name(name, match["phrase"], address, field)
    return Mailbox(address, name)


def read_return_path(value: bytes) -> Address:
    """
    Read the unfolded, trimmed value of Return-Path: ``<addr-spec>`` or ``addr-spec``.

    Raises:
        Broken: 550 5.7.1 for ``<>``; 5.6.7 and 5.6.0 as for From.
    """
    text = _seven_bit(value, "Return-Path", "P7")
    if text == "<>":
        raise broken_form(
            "P7",
            "Return-Path is the null path <>: SES has no such feedback address; name an address that reads bounces, or "
            "leave the field out",
            status=(5, 7, 1),
        )
    inner = text[1:-1] if text.startswith("<") and text.endswith(">") else text
    try:
        return parse_address(inner).with_domain_lowered()
    except AddressProblem as problem:
        raise broken_form("P7", f"Return-Path is not one address, <local@domain>: {problem}") from None


def check_same_author(value: bytes, field: str, author: Address) -> None:
    """
    Refuse a Sender, Resent-From or Resent-Sender that names another mailbox than From.

    Some programs show it in place of the author, and SES verifies it too.

    Raises:
        Broken: 550 5.7.1, or as for From when it is no mailbox.
    """
    other = read_mailbox(value, field, "P6").address
    if other != author:
        raise broken_form(
            "P6",
            f"{field} names{shown(str(other)) or ' one address'}, From names{shown(str(author)) or ' another'}: "
            f"they must be spelt the same; leave {field} out",
            status=(5, 7, 1),
        )


def _seven_bit(value: bytes, field: str, rule: str) -> str:
    if value.isascii():
        return value.decode("ascii")
    raise broken_form(
        rule,
        f"{field} has raw 8-bit octets: encode the display name by RFC 2047 (=?utf-8?q?...?=), and write an "
        "internationalised domain in punycode",
        status=(5, 6, 7),
        repair=None if rule == "P7" or phrases_encoded(value) is None else "8bit-names",
    )


def _display_name(phrase: str, field: str) -> DisplayName | None:
    """Return both readings of *phrase*; None when it is blank. Words and the blanks between them take turns."""
    words = [(match[0], match[1] is not None) for match in _WORDS.finditer(phrase)]
    texts = [_unquoted(word) if quoted else word for word, quoted in words]
    raw = "".join(texts)
    if not raw.strip(" \t"):
        return None
    if not is_marked(raw):
        return DisplayName(raw.strip(" \t"), _joined(texts))
    if any(quoted and is_marked(text) for text, (_, quoted) in zip(texts, words, strict=True)):
        # Some programs decode inside quotes, some do not, and all decode outside: of one quoted string alone there
        # are two readings, which are both judged; a mixture would have a third.
        if len(words) > 1:
            raise broken_form("P4", f"{field} has an encoded-word in double quotes: encode the name without quotes")
        texts = re.split(r"([ \t]+)", raw)
    return DisplayName(raw.strip(" \t"), _decoded(texts, field))


def _decoded(texts: list[str], field: str) -> str:
    """Decode encoded-words; the blank between two of them belongs to neither (RFC 2047 section 6.2)."""
    marked = [is_marked(text) for text in texts]
    decoded = [decode_word(text, field) if mark else text for text, mark in zip(texts, marked, strict=True)]
    for blank in range(1, len(texts) - 1, 2):
        if marked[blank - 1] and marked[blank + 1]:
            decoded[blank] = ""
    return _joined(decoded)


def _joined(texts: list[str]) -> str:
    """Join words, the blanks between them (every second text) shortened to one."""
    return "".join(text[:1].replace("\t", " ") if at % 2 else text for at, text in enumerate(texts)).strip(" \t")


def _unquoted(word: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", word[1:-1])


def _no_mailbox(text: str, field: str, rule: str, problem: str) -> Broken:
    """Say what kind of thing *text* is instead of one mailbox, and how to write it."""
    bare = re.sub(_QUOTED, '""', text[:500])
    if not text:
        why = "is empty"
    elif '"' in bare.replace('""', ""):
        why = "has a quoted string that does not end"
    elif "(" in bare or ")" in bare:
        why = "has a comment in parentheses, which mail programs read differently; put the name in double quotes"
    elif "," in bare or ";" in bare or bare.count("<") > 1:
        why = "holds a list, a group or more than one address; name exactly one author, quote a name with a comma"
    elif ":" in bare:
        why = "holds a group, a route or an unquoted colon; put a name with a colon in double quotes"
    elif "\\" in bare:
        why = "has a backslash outside a quoted string"
    elif "=?" in bare and "<" not in bare:
        why = "has its address inside or beside an encoded-word; encode the display name only, never the address"
    elif "<" not in bare and "@" not in bare:
        why = "names no address"
    else:
        why = f"is not one address after an optional name: {problem}"
    return broken_form(rule, f"{field} {why}; {_WRITE}")
