"""A folder of identities and policies, read once: ``DIR/ACCOUNT/REGION/IDENTITY/NAME.json``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from relay.identities.folder import FolderDirectory
from relay.judgement.catalog import Catalog
from relay.observe.events import Event, PoliciesRefreshed
from relay.policy.document import UnreadablePolicy


class PolicyFolderProblem(ValueError):
    """The folder cannot be read, or holds no identity. ``str()`` says which."""


@dataclass(frozen=True, slots=True)
class PolicyFolder:
    """What the folder holds. ``warnings``: sentences about what in it cannot be judged, or was passed over."""

    catalog: Catalog
    warnings: tuple[str, ...] = ()


def read_policy_folder(root: Path, clock: Callable[[], float]) -> PolicyFolder:
    """
    Read the identities of every account and region in *root*, all of them taken for verified.

    *clock* tells seconds since the epoch.

    Raises:
        PolicyFolderProblem: Nothing there can be judged by.
    """
    told: list[Event] = []
    directory = FolderDirectory(root, (), told.append, clock)
    directory.refresh()
    refreshed = next(event for event in told if isinstance(event, PoliciesRefreshed))
    if refreshed.result == "failed":
        raise PolicyFolderProblem(refreshed.why)
    catalog = directory.catalog
    if not any(owned.by_folded_name for owned in catalog.owners.values()):
        raise PolicyFolderProblem(f"{root} holds no identity: the layout is {root}/ACCOUNT/REGION/IDENTITY/NAME.json")
    return PolicyFolder(catalog, (*_unreadable(catalog), *filter(None, refreshed.why.split("; "))))


def _unreadable(catalog: Catalog) -> list[str]:
    identities = [i for owned in catalog.owners.values() for group in owned.by_folded_name.values() for i in group]
    return [
        f"{identity.arn.name}: policy {problem.policy} at {problem.path}: {problem.why}"
        for identity in identities
        for policy in identity.policies
        if isinstance(policy, UnreadablePolicy)
        for problem in policy.problems
    ]
