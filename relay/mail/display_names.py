"""Rule P4 for the name before the address: it must not look like somebody else's address."""

import re
import unicodedata
from typing import Final

from relay.mail.encoded_words import is_marked
from relay.mail.facts import DisplayName
from relay.mail.problems import broken_form
from relay.words.addresses import Address
from relay.words.patterns import on_demand

#: Characters of the property Bidi_Control (Unicode Standard Annex 9): they show a name in another order.
_BIDI = on_demand("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: C0, DEL, C1, line and paragraph separator.
_CONTROL = on_demand("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: Letters in a circle: no compatibility mapping turns them into ``@``, yet a reader takes them for it.
_LOOKS_LIKE: Final = {0x24D0: "@", 0x24B6: "@"}
_BLANK = re.compile("[ \t]")
_ADDRESS_SIGN = re.compile("[@<>]")


def check_display_name(name: DisplayName, phrase: str, address: Address, field: str) -> None:
    r"""
    Refuse a name with controls, with text that reads backwards, or with the signs of an address that is not *address*.

    Many programs show the name alone: ``"ceo@example.com" <app@example.com>`` is then mail from the ceo. The address
    itself must be one plain word of *phrase*, the name as it is written: in ``"app-\ceo@example.com"`` or in two
    encoded-words some see a part of it only.

    Raises:
        Broken: 550 5.6.0 for controls and nested encoded-words, 550 5.7.1 for a look-alike.
    """
    is_printable = name.decoded.isprintable()  # then it has neither the one nor the other
    if not is_printable and _CONTROL.search(name.decoded):
        raise broken_form("P4", f"The display name in {field} decodes to control characters: remove them")
    if "=?" in name.decoded:
        raise broken_form("P4", f"The display name in {field} decodes to another encoded-word: encode it once")
    if not is_printable and _BIDI.search(name.decoded):
        raise broken_form(
            "P4",
            f"The display name in {field} holds characters that turn the direction of writing: remove them",
            status=(5, 7, 1),
        )
    if _looks_like_address(name.decoded) and not _is_plainly(str(address), name.decoded, phrase):
        raise broken_form(
            "P4",
            f"The display name in {field} holds '@', '<' or '>' or a sign like them, and is not plainly the address "
            "itself: a name must not show another address; use the plain name",
            status=(5, 7, 1),
        )


def _is_plainly(own: str, decoded: str, phrase: str) -> bool:
    word = phrase.strip(" \t")
    if word.startswith('"'):
        return word[1:-1].strip(" \t") == own
    return decoded == own and is_marked(word) and _BLANK.search(word) is None


def _looks_like_address(name: str) -> bool:
    if name.isascii():
        return _ADDRESS_SIGN.search(name) is not None
    # Format characters vanish on the screen, and a combining mark may melt into the sign before it: look at the
    # name as written, without the former, and in its compatibility form.
    visible = "".join(c for c in name if unicodedata.category(c) != "Cf").translate(_LOOKS_LIKE)
    return any(_ADDRESS_SIGN.search(form) for form in (visible, unicodedata.normalize("NFKD", visible)))
