"""What lint finds: a rule that was broken, where, in a sentence, and what to write instead."""

from enum import StrEnum

from relay.words.values import dataclass


class Severity(StrEnum):
    """
    How bad it is.

    An error: SES would refuse the policy, the place can never do what it says, or the whole world may send. A warning:
    likely a mistake. A note: right, but worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding. ``code`` is stable; ``means`` and ``fix`` are sentences of the reference."""

    code: str
    severity: Severity
    means: str
    fix: str


@dataclass(frozen=True, slots=True)
class Remark:
    """
    A finding that still lacks its place in the text.

    ``path``: JSON path; ``fix`` None = that of the rule; ``on_key``: it is the key of the path that is meant, not the
    value.
    """

    code: str
    path: str
    message: str
    fix: str | None = None
    on_key: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One finding in one policy.

    ``path`` is a JSON path (``$.Statement[0].Action``); lines and columns count characters from 1, the end is behind
    the last one.
    """

    code: str
    severity: Severity
    policy: str
    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    message: str
    fix: str
