"""Every target, by its name."""

from typing import Final

from tests.fuzz import of_delegates, of_mail, of_policies, of_smtp
from tests.fuzz.target import Target

TARGETS: Final[dict[str, Target]] = {
    target.name: target for target in (*of_mail.TARGETS, *of_smtp.TARGETS, *of_delegates.TARGETS, *of_policies.TARGETS)
}
