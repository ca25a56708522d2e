"""Raw UTF-8 in names and texts of header fields, written anew as encoded-words (RFC 2047)."""

import binascii
import unicodedata
from typing import Final

from relay.words.patterns import on_demand

_TOKEN = on_demand(
    r'(?P<quoted>"(?>(?:[^"\\]|\\.)*)")|(?P<address><[^<>"]*>)|(?P<blank>[ \t]+)|(?P<mark>[,;:])'
    r'|(?P<atom>[^ \t"<>,;:()\\\[\]]+)'
)
_QUOTED_PAIR = on_demand(r"\\(.)")
#: Octets of UTF-8 in one encoded-word: 56 letters of base64, 68 in all, where 75 are allowed (RFC 2047 section 2).
_CHUNK: Final = 42
_FOLD: Final = "\r\n "


def text_encoded(value: bytes) -> bytes | None:
    """
    Write the unfolded, trimmed *value* of an unstructured field as encoded-words.

    Returns:
        The new value, folded; None where *value* is no UTF-8, holds controls, or holds encoded-words already.
    """
    text = _plain_text(value)
    return None if text is None else encoded_words(text).encode("ascii")


def phrases_encoded(value: bytes) -> bytes | None:
    """
    Write every phrase before an ``<address>`` in the unfolded, trimmed *value* that is not 7-bit as encoded-words.

    Returns:
        The new value, all of it 7-bit, folded behind commas; None where *value* is no UTF-8, holds controls, comments
        or encoded-words, or is 8-bit elsewhere than in a phrase.
    """
    text = _plain_text(value)
    return None if text is None else _mailboxes(text)


def encoded_words(text: str) -> str:
    """Write *text* as encoded-words of whole characters, one a line."""
    words, chunk = [], b""
    for character in text.replace("\t", " "):
        octets = character.encode("utf-8")
        if len(chunk) + len(octets) > _CHUNK:
            words.append(chunk)
            chunk = b""
        chunk += octets
    return _FOLD.join(f"=?utf-8?b?{binascii.b2a_base64(word, newline=False).decode()}?=" for word in (*words, chunk))


def _plain_text(value: bytes) -> str | None:
    """Decode *value*; None where encoding it would hide something: line ends of Unicode, controls, encoded-words."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    hides = "=?" in text or any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text if c != "\t")
    return None if hides else text


def _mailboxes(text: str) -> bytes | None:
    """Go through *text* token by token; words wait until it shows whether they are a phrase."""
    written: list[str] = []
    words: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        at = token.end()
        kind = token.lastgroup or ""
        if kind in ("quoted", "atom", "blank"):
            words.append((kind, token[0]))
            continue
        phrase = "".join(word for _, word in words)
        if kind == "address" and not phrase.isascii():
            encoded = _phrase(words)
            if encoded is None:
                return None
            phrase = _FOLD * bool(written) + encoded + " "
        elif kind == "address" and written and phrase[:1] in (" ", "\t"):
            phrase = "\r\n" + phrase
        written += (phrase, token[0])
        words = []
    whole = "".join((*written, *(word for _, word in words)))
    return whole.encode("ascii") if whole.isascii() else None


def _phrase(words: list[tuple[str, str]]) -> str | None:
    """Encode a phrase as a whole, its quotes undone; None where a word of it is an address."""
    if any(kind == "atom" and "@" in word for kind, word in words):
        return None
    return encoded_words("".join(_shown(kind, word) for kind, word in words).strip(" \t"))


def _shown(kind: str, word: str) -> str:
    if kind == "quoted":
        return _QUOTED_PAIR.sub(r"\1", word[1:-1])
    return " " if kind == "blank" else word
