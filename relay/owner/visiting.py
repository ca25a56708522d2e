"""All identities of all places, each asked for its policies: at SES's pace, but in every account and region at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Final, TypeAlias, TypeVar

from relay.identities.accounts import AwsProblem, Refused
from relay.identities.ses_api import Held, SesApi
from relay.owner.putting import arn_at
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

#: Places that are asked at once. Each is asked once a second, so threads hardly do anything but wait.
_AT_ONCE: Final = 32

T = TypeVar("T")
R = TypeVar("R")
#: Asked between two calls: whether the work is to end, because somebody wants it or another place failed.
IsOver: TypeAlias = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Place:
    """The identities in the list of one account and region. ``problem``: why there is none; sentences of AWS."""

    api: SesApi
    names: tuple[str, ...] = ()
    problem: str | None = None

    def __str__(self) -> str:
        return f"{self.api.account} {self.api.region}"


@dataclass(frozen=True, slots=True)
class Seen:
    """One identity as SES tells it now. ``held`` None: there is none of the name; or, with ``problem``, who knows."""

    arn: IdentityArn
    held: Held | None
    problem: str | None = None


def list_places(apis: Sequence[SesApi]) -> list[Place]:
    """Ask every place for its list of identities; in the order of the names."""
    return everywhere(apis, _list)


def _list(api: SesApi, is_over: IsOver) -> Place:
    names: list[str] = []
    try:
        for page in api.pages():
            names += [listed.name for listed in page]
            if is_over():
                return Place(api, problem=f"{api.account} {api.region}: the list was not read to its end")
    except AwsProblem as problem:
        return Place(api, problem=str(problem))
    return Place(api, tuple(sorted(names)))


def look_at(api: SesApi, names: Iterable[str], is_over: IsOver) -> Iterator[Seen]:
    """
    Ask for each of the identities *names*.

    Raises:
        AwsProblem: SES went away; or it refused the first, and would refuse all the others, a second each.

    """
    has_any = False
    for name in names:
        if is_over():
            return
        try:
            seen = Seen(arn_at(api, name), api.identity(name))
        except Refused as refused:
            if not has_any:
                raise
            seen = Seen(arn_at(api, name), None, str(refused))
        has_any = True
        yield seen


def everywhere(things: Sequence[T], work: Callable[[T, IsOver], R]) -> list[R]:
    """
    Do *work* for each of *things* at once, in threads; return what each gave, in order.

    Whatever ends it early, an error or somebody at the keyboard, makes ``is_over`` true for the others.
    """
    if len(things) == 1:
        return [work(things[0], lambda: False)]
    over = Event()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            return list(pool.map(lambda thing: work(thing, over.is_set), things))
        except BaseException:
            over.set()
            raise
