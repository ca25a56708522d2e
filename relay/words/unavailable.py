"""A door that did not open in time: nobody said no, nobody could say yes."""

from __future__ import annotations

from dataclasses import field

from relay.words.values import dataclass

__all__ = ["Unavailable"]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """
    An answer that could not be had now and may be had later: always a temporary failure to the client.

    *why* is for our own log, never for a reply (RFC 4954 section 6: a 454 says no more than try again).
    ``is_guess``: of a password, what could be compared was compared and was different; who asks on is guessing.
    """

    why: str
    is_guess: bool = field(default=False, repr=False)
