"""
Messages by grammar, of the parts in ``tests/cases/header_parts.json``: honest ones, and beside each what RFC 822,
sloppy programs or attackers make of it.

One part in eight is odd: a message of honest parts alone says little, one of many odd parts is refused for the first.
"""

import json
from base64 import b64encode
from typing import Final

from hypothesis import strategies as st

from tests.mail.letters import CASES

_PARTS: Final = json.loads((CASES / "header_parts.json").read_text("utf-8"))
_OF_Q: Final = frozenset(b' =?_"<>@,\r\n')


def _mostly(honest: st.SearchStrategy[str], odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.integers(0, 7).flatmap(lambda n: odd if n == 0 else honest)


def _part(name: str) -> st.SearchStrategy[str]:
    return _mostly(st.sampled_from(_PARTS[name]["honest"]), st.sampled_from(_PARTS[name]["odd"]))


@st.composite
def encoded_words(draw: st.DrawFn) -> str:
    """``=?charset?encoding?text?=``, sometimes with an end that is none."""
    octets = draw(_part("texts")).encode("utf-8")
    if draw(st.booleans()):
        written = "B?" + b64encode(octets).decode()
    else:
        written = "q?" + "".join(f"={octet:02X}" if octet > 126 or octet in _OF_Q else chr(octet) for octet in octets)
    end = draw(_mostly(st.just("?="), st.sampled_from(["", "?", "?=x", "?=="])))
    return f"=?{draw(_part('charsets'))}?{written}{end}"


blanks = _part("blanks")
gaps = _mostly(st.sampled_from([" ", "  ", "\t", "\r\n "]), blanks)
quoted = st.lists(_part("quoted"), max_size=4).map(lambda parts: '"' + "".join(parts) + '"')
words = st.one_of(_part("atoms"), _part("atoms"), quoted, encoded_words())
phrases = st.lists(st.tuples(words, gaps), max_size=3).map(lambda pairs: "".join(word + gap for word, gap in pairs))
addresses = _part("addresses")
bracketed = st.builds("{}<{}>{}".format, phrases, addresses, st.sampled_from(["", "", "", " ", "\r\n ", " (c)"]))
mailboxes = st.one_of(addresses, bracketed, bracketed)
lists_and_groups = st.one_of(
    st.builds("{}{}{}{}".format, mailboxes, st.sampled_from([",", ";", "", "<>"]), blanks, mailboxes),
    st.builds("{}:{}{};".format, _part("atoms"), blanks, mailboxes),
    st.builds("{}{}".format, _part("comments"), mailboxes),
    st.builds("{}{}".format, mailboxes, _part("comments")),
)
from_fields = st.builds("{}{}{}".format, _part("from_names"), _part("colons"), _mostly(mailboxes, lists_and_groups))
mailbox_fields = st.builds("{}{}{}".format, _part("mailbox_names"), _part("colons"), mailboxes)
other_fields = _mostly(_part("fields"), st.one_of(from_fields, mailbox_fields))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """One message: a From field somewhere among others, a boundary, a body."""
    fields = draw(st.lists(other_fields, max_size=5))
    fields.insert(draw(st.integers(0, len(fields))), draw(from_fields))
    text = "\r\n".join(fields) + draw(_part("boundaries")) + draw(_part("bodies"))
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "latin-1"])), "replace")
