"""A request as it came over the wire, before anybody interpreted it."""

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Wire:
    """
    Method, target and header fields as sent; names in lower case, nothing percent-decoded, body whole.

    ``headers`` keeps order and repetition: signatures are computed over them.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of the header *name* (lower case), or None."""
        return next((value for known, value in self.headers if known == name), None)
