"""
The identities of every account and region, with their settings and policies: in memory, or in a folder.

The folder is ``ACCOUNT/REGION/IDENTITY/POLICY-NAME.json``, the one that the relay reads with ``policies.source =
"directory"``: a policy put here counts there. What is no policy stands in a hidden file beside them.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Final

from relay.localses.configuration_sets import ConfigurationSets, FolderConfigurationSets
from relay.localses.owners import Owner
from relay.localses.refusals import Refused
from relay.localses.store import StateProblem, put_in_place
from relay.words.values import dataclass

_SETTINGS: Final = ".identity.json"


@dataclass(frozen=True, slots=True)
class Traits:
    """
    What an identity carries beside its policies, in the words of v2.

    ``dkim`` is where its signing keys come from: empty = not set up, ``AWS_SES``, or ``EXTERNAL`` with ``selector``.
    ``topics`` are those of SNS by type of notification (``Bounce``, ``Complaint``, ``Delivery``), ``with_headers`` the
    types that carry header fields.
    """

    created_at: float = 0.0
    dkim: str = ""
    selector: str = ""
    key_length: str = "RSA_2048_BIT"
    mail_from: str = ""
    on_mx_failure: str = "USE_DEFAULT_VALUE"
    configuration_set: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    forwards_feedback: bool = True
    topics: dict[str, str] = field(default_factory=dict)
    with_headers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified domain or address; ``policies`` by name, each the text as it was put."""

    owner: Owner
    name: str
    traits: Traits
    policies: Mapping[str, str]

    @property
    def is_address(self) -> bool:
        """Whether it is one address; else a domain."""
        return "@" in self.name

    @property
    def domain(self) -> str:
        """The domain, or that of the address, in lower case."""
        return self.name.rpartition("@")[2].lower()

    @property
    def arn(self) -> str:
        """The ARN that its owner hands to delegates."""
        owner = self.owner
        return f"arn:{owner.partition}:ses:{owner.region}:{owner.account}:identity/{self.name}"


class Identities:
    """The identities that are known, in memory, and the configuration sets of their owners."""

    def __init__(self) -> None:
        self._known: dict[Owner, dict[str, Identity]] = {}
        self.configuration_sets = ConfigurationSets()

    def owners(self) -> list[Owner]:
        """Return whoever has identities, or had some."""
        return list(self._known)

    def names(self, owner: Owner) -> list[str]:
        """Return the names of an owner's identities, sorted."""
        return sorted(self._known.get(owner, ()))

    def read(self, owner: Owner, name: str) -> Identity:
        """Return the identity whose *name* is one of :meth:`names`."""
        return self._known[owner][name]

    def keep(self, identity: Identity) -> None:
        """Remember *identity* in place of what was known by its name."""
        self._known.setdefault(identity.owner, {})[identity.name] = identity

    def remove(self, identity: Identity) -> None:
        """Forget *identity* and its policies."""
        del self._known[identity.owner][identity.name]

    def find(self, owner: Owner, name: str) -> Identity | None:
        """Return the identity *name*; domains compare without case, addresses as they are spelt."""
        wanted = _folded(name)
        found = next((known for known in self.names(owner) if _folded(known) == wanted), None)
        return None if found is None else self.read(owner, found)


class FolderIdentities(Identities):
    """The identities of a folder, read anew for every question: a file changed by hand counts at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.configuration_sets = FolderConfigurationSets(folder)

    def owners(self) -> list[Owner]:
        """Return the owners by their folders, those of messages and the like passed over."""
        found = []
        for path in sorted(self._folder.glob("[!.]*/[!.]*/")):
            with suppress(Refused):
                found.append(Owner(path.parent.name, path.name))
        return found

    def names(self, owner: Owner) -> list[str]:
        """Return the names of the owner's folders."""
        try:
            return sorted(path.name for path in self._of(owner).iterdir() if path.is_dir() and path.name[0] != ".")
        except FileNotFoundError:
            return []

    def read(self, owner: Owner, name: str) -> Identity:
        """
        Read the identity's folder.

        Raises:
            StateProblem: The hidden file is none of ours.
        """
        folder = self._of(owner) / name
        policies = {path.stem: path.read_text("utf-8", "replace") for path in sorted(folder.glob("[!.]*.json"))}
        return Identity(owner, name, _read_traits(folder / _SETTINGS), policies)

    def keep(self, identity: Identity) -> None:
        """Write the hidden file, and what differs among the policies."""
        folder = self._of(identity.owner) / identity.name
        folder.mkdir(parents=True, exist_ok=True)
        before = self.read(identity.owner, identity.name) if (folder / _SETTINGS).exists() else None
        if before is None or before.traits != identity.traits:
            put_in_place(folder / _SETTINGS, json.dumps(asdict(identity.traits), indent=1))
        kept = self.read(identity.owner, identity.name).policies
        for name in kept.keys() - identity.policies.keys():
            (folder / f"{name}.json").unlink(missing_ok=True)
        for name, text in identity.policies.items():
            if kept.get(name) != text:
                put_in_place(folder / f"{name}.json", text)

    def remove(self, identity: Identity) -> None:
        """
        Remove the identity's folder.

        Raises:
            OSError: Something is in it that is neither a policy nor ours; it stays, and so does the identity.
        """
        self.keep(replace(identity, policies={}))
        folder = self._of(identity.owner) / identity.name
        (folder / _SETTINGS).unlink()
        folder.rmdir()

    def _of(self, owner: Owner) -> Path:
        return self._folder / owner.account / owner.region


def _folded(name: str) -> str:
    return name if "@" in name else name.lower()


def _read_traits(path: Path) -> Traits:
    try:
        return Traits(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Traits(dkim="" if "@" in path.parent.name else "AWS_SES")
    except (ValueError, TypeError):
        raise StateProblem(f"{path}: not written by this program; move it away") from None
