"""SMTP replies: code, enhanced status code and text, apart until the wire."""

from functools import lru_cache

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What a client hears: code (RFC 5321 section 4.2), enhanced status code (RFC 3463), text.

    ``text`` is one line of printable ASCII; anything else becomes ``?``, so that no name, address or policy of somebody
    else can break the dialogue or the terminal of its reader. ``enhanced`` is None where RFC 2034 has none (3xx, EHLO).
    """

    code: int
    enhanced: tuple[int, int, int] | None
    text: str

    def __post_init__(self) -> None:
        if self.enhanced is not None and self.code // 100 != self.enhanced[0]:
            raise ValueError(f"reply {self.code} disagrees with status class {self.enhanced[0]}")
        if not (self.text.isascii() and self.text.isprintable()):
            clean = "".join(c if " " <= c <= "~" else "?" for c in self.text)
            object.__setattr__(self, "text", clean)

    @property
    def is_permanent(self) -> bool:
        """Whether the client must not try the same again (RFC 5321 section 4.2.1)."""
        return self.code // 100 == 5

    @property
    def status(self) -> str:
        """The enhanced status code as text, ``5.7.1``; empty where there is none."""
        return "" if self.enhanced is None else _dotted(self.enhanced)

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.status, self.text)))


@lru_cache(256)
def _dotted(enhanced: tuple[int, int, int]) -> str:
    kind, subject, detail = enhanced
    return f"{kind}.{subject}.{detail}"
