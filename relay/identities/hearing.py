"""What other relays read, made known at a place as if it had been read there: unless more is known there already."""

import math
from typing import Final

from relay.identities.fellows import News, Told
from relay.identities.ses_answers import Clocks
from relay.identities.ses_place import Place

#: Times that came from another clock may differ by this many seconds where they mean the same moment.
BLUR: Final = 1.0


def hear(place: Place, news: News, clocks: Clocks) -> None:
    """Let *place* know what is new in *news*. A message that waits for it need not any longer."""
    ago = clocks.wall() - clocks.monotonic()
    fresh = [told.known for told in news.told if _is_news(place, told)]
    gone = [name for name, at in news.gone.items() if name in place.shelf.known and _seen_at(place, name) <= at + BLUR]
    changed = [(known, place.shelf.policies_of(known.name, known.policies)) for known in fresh]
    place.shelf.change(changed, gone)
    for name in gone:
        place.rounds.forget(name)
    for known, policies in changed:
        place.keep_texts(known, policies)
        if known.matters:
            place.rounds.heard(known.name, -math.inf if known.read_at is None else known.read_at - ago)
        else:
            place.rounds.forget(known.name)
    if news.listed is not None and news.listed[0] >= place.shelf.owned.listed_at - BLUR:
        place.listed_elsewhere(*news.listed)
    for name in [*gone, *(known.name for known in fresh)]:
        place.land(name)


def _is_news(place: Place, told: Told) -> bool:
    """Whether it is no older than what is known; of an unknown one, than the list that does not have it."""
    known = place.shelf.known.get(told.known.name)
    if known is None:
        return told.as_of >= place.shelf.owned.listed_at - BLUR
    return (told.known.read_at or 0.0) >= (known.read_at or 0.0) - BLUR


def _seen_at(place: Place, name: str) -> float:
    """Return when it was known last, by what is known here, that SES has *name*."""
    return max(place.shelf.owned.listed_at, place.shelf.known[name].read_at or 0.0)
