"""A folder of identities and policies, read once: ``DIR/ACCOUNT/REGION/IDENTITY/NAME.json``."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from relay.identities.files import PolicyFiles
from relay.identities.names import is_ignored
from relay.identities.scan import read_folder
from relay.judgement.catalog import Catalog
from relay.owner.catalogs import KeptText, identities_in
from relay.owner.writing import path_in
from relay.policy.document import UnreadablePolicy
from relay.words.arns import parse_identity_arn
from relay.words.values import dataclass


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
    try:
        scan = read_folder(root, (), PolicyFiles(), clock())
    except OSError as error:
        raise PolicyFolderProblem(f"{root}: {error.strerror or type(error).__name__}") from error
    catalog = scan.catalog()
    if not any(owned.by_folded_name for owned in catalog.owners.values()):
        raise PolicyFolderProblem(f"{root} holds no identity: the layout is {root}/ACCOUNT/REGION/IDENTITY/NAME.json")
    troubles = [scan.problem, *(owned.problem for owned in catalog.owners.values())]
    return PolicyFolder(catalog, (*filter(None, troubles), *_unreadable(catalog), *scan.notes))


def _unreadable(catalog: Catalog) -> list[str]:
    identities = identities_in(catalog)
    unread = [f"{identity.arn.name}: {identity.problem}" for identity in identities if identity.problem is not None]
    return unread + [
        f"{identity.arn.name}: policy {problem.policy} at {problem.path}: {problem.why}"
        for identity in identities
        for policy in identity.policies
        if isinstance(policy, UnreadablePolicy)
        for problem in policy.problems
    ]


def texts_in(root: Path, identities: Iterable[str]) -> list[KeptText]:
    """Return the policy texts that lie in *root* for *identities*, ARNs; what cannot be read is left out."""
    return [text for arn in dict.fromkeys(identities) for text in _texts_of(root, arn)]


def _texts_of(root: Path, arn: str) -> Iterator[KeptText]:
    identity = parse_identity_arn(arn)
    folder = path_in(root, identity, "").parent
    for path in sorted(path for path in folder.glob("*.json") if not is_ignored(path.name)):
        try:
            data = path.read_bytes()
            yield KeptText(arn, path.stem, sha256(data).hexdigest(), data.decode())
        except (OSError, UnicodeDecodeError):
            continue
