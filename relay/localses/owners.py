"""Whose things they are: an account, in one region."""

import re
from typing import Final

from relay.localses.refusals import Refused
from relay.words.values import dataclass

_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}", re.ASCII)
_ACCOUNT = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)
_PARTITIONS: Final = {"cn": "aws-cn", "us-gov": "aws-us-gov", "eusc": "aws-eusc"}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose identities: an account, in one region. Both become names of folders, so both are checked."""

    account: str
    region: str

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.region) or not _ACCOUNT.fullmatch(self.account):
            raise Refused("SignatureDoesNotMatch", "Credential should be scoped to a valid region.")

    @property
    def partition(self) -> str:
        """The partition of the region (AWS General Reference, "Amazon Resource Names")."""
        return _PARTITIONS.get(self.region.rpartition("-")[0].rpartition("-")[0], "aws")
