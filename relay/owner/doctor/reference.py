"""The checks as a page of the documentation, written from the catalog."""

from typing import Final

from relay.owner.doctor.catalog import GROUPS, Check

_HEAD: Final = """\
# What the doctor checks

<!-- Written from relay/owner/doctor by `make docs`; a test holds it equal. -->

`ses-relay doctor` looks at everything that a relay needs ([how to](../how-to/doctor.md)) and changes nothing. Each line
bears one of the ids below, which are stable, and one of four words:

- **ok**: as it should be.
- **warning**: mail goes out, and somebody should know.
- **failing**: mail does not go out, or soon will not, or policies cannot be enforced. Only this makes the exit code 1.
- **not checked** (`not-checked` in JSON): it could not be looked at, and why.

Below every failing line stands a fix for the very place; here is what it is in general.
"""


def reference_markdown() -> str:
    """Write the page: one section a group, one row a check."""
    return _HEAD + "".join(_section(group, checks) for group, checks in GROUPS.items())


def _section(group: str, checks: tuple[Check, ...]) -> str:
    lines = ["", f"## {group}", "", "| id | looks at | warning | failing | fix |", "|---|---|---|---|---|"]
    lines += [
        f"| `{check.id}` | {' | '.join(map(_cell, (check.looks_at, check.warns, check.fails, check.fix)))} |"
        for check in checks
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*") or "-"
