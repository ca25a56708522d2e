"""
The configuration sets of every account and region, with their event destinations: in memory, or in a folder.

In the folder of identities they are one hidden file beside those of the account's region.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Any, Final

from relay.localses.owners import Owner
from relay.localses.refusals import Refused
from relay.localses.store import StateProblem, put_in_place
from relay.words.values import dataclass

MOST_SETS: Final = 10_000
"""Of an account in a region (SES Developer Guide, "Service quotas in Amazon SES")."""

_FILE: Final = ".configuration-sets.json"


@dataclass(frozen=True, slots=True)
class ConfigurationSet:
    """
    A group of rules that mail is sent with.

    ``options``: by their names in v2, ``TrackingOptions`` and so on, each as it was given; they are told, not obeyed.
    ``destinations``: by name, each an ``EventDestinationDefinition`` of v2.
    """

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    destinations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class ConfigurationSets:
    """The configuration sets that are known, in memory."""

    def __init__(self) -> None:
        self._known: dict[Owner, dict[str, ConfigurationSet]] = {}

    def all_of(self, owner: Owner) -> Mapping[str, ConfigurationSet]:
        """Return an owner's sets by name."""
        return self._known.get(owner, {})

    def find(self, owner: Owner, name: str) -> ConfigurationSet | None:
        """Return the set *name*; case counts."""
        return self.all_of(owner).get(name)

    def keep(self, owner: Owner, configuration_set: ConfigurationSet) -> None:
        """
        Remember a set in place of the one of its name.

        Raises:
            Refused: LimitExceeded.
        """
        known = {**self.all_of(owner), configuration_set.name: configuration_set}
        if len(known) > MOST_SETS:
            raise Refused("LimitExceeded", f"There are {MOST_SETS} configuration sets, the most there can be.")
        self._replace(owner, known)

    def remove(self, owner: Owner, name: str) -> None:
        """Forget the set *name*, which is there, with its destinations."""
        self._replace(owner, {known: each for known, each in self.all_of(owner).items() if known != name})

    def _replace(self, owner: Owner, known: dict[str, ConfigurationSet]) -> None:
        self._known[owner] = known


class FolderConfigurationSets(ConfigurationSets):
    """The configuration sets in a folder of identities, read anew for every question."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def all_of(self, owner: Owner) -> Mapping[str, ConfigurationSet]:
        """
        Read the owner's file.

        Raises:
            StateProblem: It is none of ours.
        """
        path = self._of(owner)
        try:
            rows = json.loads(path.read_bytes())
            return {row["name"]: ConfigurationSet(**row) for row in rows}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError):
            raise StateProblem(f"{path}: not written by this program; move it away") from None

    def _replace(self, owner: Owner, known: dict[str, ConfigurationSet]) -> None:
        path = self._of(owner)
        if not known:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        put_in_place(path, json.dumps([asdict(each) for each in known.values()], indent=1))

    def _of(self, owner: Owner) -> Path:
        return self._folder / owner.account / owner.region / _FILE
