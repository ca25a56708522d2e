"""A folder of identities as what an owner wants SES to have: ``DIR/ACCOUNT/REGION/IDENTITY/NAME.json``."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from relay.identities.files import PolicyFiles
from relay.identities.scan import read_folder
from relay.judgement.catalog import Identity
from relay.owner.catalogs import identities_in
from relay.owner.folder import PolicyFolderProblem
from relay.words.arns import IdentityArn
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    The texts of the policies by name, for each identity. ``problems``: what in the folder cannot be taken for a text
    that anybody wants, as sentences; ``notes``: what was passed over.
    """

    texts: Mapping[IdentityArn, Mapping[str, str]]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_wanted(root: Path, now: float) -> Wanted:
    """
    Read the folder *root* of every account and region in it. *now*: seconds since the epoch.

    Raises:
        PolicyFolderProblem: It cannot be read at all, or holds no identity.

    """
    files = PolicyFiles(collect=True)
    try:
        scan = read_folder(root, (), files, now)
    except OSError as error:
        raise PolicyFolderProblem(f"{root}: {error.strerror or type(error).__name__}") from error
    identities = identities_in(scan.catalog())
    problems = [*filter(None, (scan.problem, *(owned.problem for owned in scan.owners.values())))]
    if not identities and not problems:
        raise PolicyFolderProblem(f"{root} holds no identity: the layout is {root}/ACCOUNT/REGION/IDENTITY/NAME.json")
    texts = {}
    for identity in sorted(identities, key=lambda identity: identity.arn):
        texts[identity.arn], unread = _texts_of(identity, files.texts)
        problems += unread
    if scan.is_torn():
        problems.append(f"{root} was written while it was read: try again")
    return Wanted(texts, tuple(problems), tuple(scan.notes))


def _texts_of(identity: Identity, texts: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The texts by name; what has none, or is not UTF-8, is a problem."""
    problems = [f"{identity.arn.name}: {identity.problem}"] if identity.problem is not None else []
    found = {}
    for policy in identity.policies:
        text = texts.get(policy.digest)
        if text is not None and sha256(text.encode()).hexdigest() == policy.digest:
            found[policy.name] = text
        else:
            why = "; ".join(problem.why for problem in getattr(policy, "problems", ()))
            problems.append(f"{identity.arn.name}/{policy.name}: {why}")
    return found, problems
