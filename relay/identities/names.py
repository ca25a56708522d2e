"""What the name of a file or folder in a policy folder means: a policy, of no concern, or a mistake."""

import re
from enum import Enum, auto
from typing import Final

from relay.words.addresses import AddressProblem, parse_address
from relay.words.patterns import on_demand

POLICY_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_REGION: Final = on_demand(r"[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}", re.ASCII)
_DROPPING: Final = on_demand(
    r"""
      .*~                                        # Emacs and nano keep the old text so
    | \#.*\#                                     # Emacs saves unsaved text so
    | 4913                                       # Vim tries a folder with it
    | .*\.(?:sw[a-z]|tmp|temp|bak|old|orig|rej|dpkg-[a-z]+|rpm(?:new|save))
    | .*\.json\.[0-9]+                           # half-written by atomic writers
    """,
    re.VERBOSE | re.DOTALL,
)
_ABOUT: Final = on_demand(
    r"(?i:readme|license|owners|codeowners|changelog)(?:\.(?:txt|md|rst|adoc|html))?|.*\.md|lost\+found", re.DOTALL
)
_PARTITIONS: Final = {
    "cn": "aws-cn",
    "us-gov": "aws-us-gov",
    "eusc": "aws-eusc",
    "us-iso": "aws-iso",
    "us-isob": "aws-iso-b",
}


class Meaning(Enum):
    """What is to be made of a name among policies."""

    POLICY = auto()
    NOTHING = auto()
    MISTAKE = auto()


def meaning_of(file_name: str) -> Meaning:
    """
    Tell policies from what editors, volumes and people leave beside them.

    Whatever might have been meant as a policy is a mistake, not nothing: a Deny that nobody reads would be an allow.
    """
    if is_ignored(file_name) or is_about(file_name):
        return Meaning.NOTHING
    stem, dot, ending = file_name.rpartition(".")
    if dot and ending == "json" and POLICY_NAME.fullmatch(stem):
        return Meaning.POLICY
    return Meaning.MISTAKE


def is_ignored(name: str) -> bool:
    """Whether it is hidden (as the ``..data`` of a mounted ConfigMap), or left by an editor."""
    return name.startswith(".") or _DROPPING.fullmatch(name) is not None


def is_about(name: str) -> bool:
    """Whether a file of this name is about the folder it stands in. A folder may be an identity: ``example.md``."""
    return _ABOUT.fullmatch(name) is not None


def is_region(name: str) -> bool:
    """Whether it is the name of a region by form, ``us-east-1``."""
    return _REGION.fullmatch(name) is not None


def is_identity(name: str) -> bool:
    """Whether mail could be sent under an identity of this name: a domain, or an address of the strict profile."""
    try:
        parse_address(name if "@" in name else f"postmaster@{name}")
    except AddressProblem:
        return False
    return True


def partition_of(region: str) -> str:
    """Return the partition that *region* belongs to (AWS General Reference, "Amazon Resource Names")."""
    area = region.rpartition("-")[0].rpartition("-")[0]
    return _PARTITIONS.get(area, "aws")
