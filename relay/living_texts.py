"""
The texts of policies that are in force, for people who look: from the folder, or as SES told them.

What reads them is loaded by who looks first, in a thread.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from relay.identities.ports import Directory
from relay.identities.several import parts_of
from relay.words.arns import IdentityArn
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class LivingTexts:
    """``directory`` and ``folder`` return those of the moment: a reload brings others. ``folder``: None for none."""

    directory: Callable[[], Directory]
    folder: Callable[[], Path | None]

    def of(self, arn: IdentityArn) -> Mapping[str, str]:
        """Return the texts of an identity's policies by name, as far as they can be had now; blocks."""
        told = _told_by_ses(self.directory(), arn)
        if told is not None:
            return told
        root = self.folder()
        if root is None:
            return {}
        from relay.owner.folder import texts_in  # noqa: PLC0415  see above

        return {each.name: each.text for each in texts_in(root, [str(arn)])}


def _told_by_ses(directory: Directory, arn: IdentityArn) -> Mapping[str, str] | None:
    """Return what SES told; None where it was not asked about this account and region."""
    from relay.identities.ses_directory import SesDirectory  # noqa: PLC0415  see above

    parts = (part for part in parts_of(directory) if isinstance(part, SesDirectory))
    places = (part.place(arn.account, arn.region) for part in parts)
    place = next(filter(None, places), None)
    if place is None:
        return None
    known = place.shelf.known.get(arn.name)
    return {} if known is None else known.policies
