"""All policies of one account and region, as SES has them, brought into a folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from relay.identities.accounts import AwsProblem
from relay.identities.names import is_identity
from relay.owner.mirroring import Brought, Mirror, MirrorProblem, NoPlace, RegionFolder
from relay.owner.visiting import IsOver, Place, Seen, look_at


@dataclass(slots=True)
class Fetched:
    """
    What came of one place.

    ``identities``: how many lie in the folder as SES has them; ``brought``: those of which there is something to say.
    ``left_out``: identities that do not belong into the folder, and why. ``problems``: sentences; the folder is then
    not what SES has, but each identity in it is whole.
    """

    place: Place
    identities: int = 0
    brought: list[Brought] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def names_for(place: Place, mirror: Mirror) -> tuple[str, ...]:
    """
    Return the identities to ask for: those of the list, and those that have a folder and may be gone.

    Raises:
        MirrorProblem: The folder cannot be read.
    """
    folder = _folder_of(place, mirror)
    folder.make()
    return folder.in_order(tuple(sorted({*place.names, *folder.identities()})))


def fetch(
    place: Place, names: tuple[str, ...], mirror: Mirror, *, advance: Callable[[int], None], is_over: IsOver
) -> Fetched:
    """Bring each of the identities *names* into the folder, or out of it; *advance* is called for each."""
    fetched, folder = Fetched(place), _folder_of(place, mirror)
    try:
        for seen in look_at(place.api, _noted(names, folder, fetched), is_over):
            _treat(seen, mirror, fetched)
            advance(1)
        if is_over():
            fetched.problems.append(f"{place}: ended early; the next run goes on there")
        else:
            folder.forget()
    except (AwsProblem, MirrorProblem) as problem:
        fetched.problems.append(str(problem))
    return fetched


def _folder_of(place: Place, mirror: Mirror) -> RegionFolder:
    return mirror.region(place.api.account, place.api.region)


def _noted(names: tuple[str, ...], folder: RegionFolder, fetched: Fetched) -> Iterator[str]:
    for name in names:
        if not is_identity(name):
            fetched.left_out.append((name, "mail cannot be sent under an identity of this name"))
            continue
        folder.note(name)
        yield name


def _treat(seen: Seen, mirror: Mirror, fetched: Fetched) -> None:
    held = seen.held
    if seen.problem is not None:
        fetched.problems.append(seen.problem)
        return
    try:
        if held is None:
            brought = mirror.take_away(seen.arn)
        elif not held.verified:
            fetched.left_out.append((seen.arn.name, f"not verified: {held.status or 'no status'}"))
            brought = mirror.take_away(seen.arn)
        else:
            brought = mirror.bring(seen.arn, held.policies)
            fetched.identities += 1
    except NoPlace as problem:
        if held is not None and held.verified:
            fetched.problems.append(str(problem))
        return
    if brought.is_change or brought.kept or brought.strangers:
        fetched.brought.append(brought)
