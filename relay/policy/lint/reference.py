"""The rules as a page of the documentation, written from the catalog."""

from typing import Final

from relay.policy.lint.catalog import CHAPTERS
from relay.policy.lint.findings import Rule

_HEAD: Final = """\
# What lint finds

<!-- Written from relay/policy/lint by `make docs`; a test holds it equal. -->

`ses-relay policy lint` looks for these faults in sending authorization policies ([how to](../how-to/lint-policies.md)).
Each finding names one of the codes below, which are stable, with a sentence about the very place and mostly with a fix
of its own; what stands here is what is true of all of its kind.

- **error**: SES would refuse the policy, the place can never do what it says, or the whole world may send.
- **warning**: likely a mistake.
- **note**: right, but worth knowing.

What SES refuses is what its guide says; nobody has tried it all. Where no guide decides, it is a warning or a note.
"""


def reference_markdown() -> str:
    """Write the page: one section a chapter, one row a rule."""
    return _HEAD + "".join(_chapter(title, rules) for title, rules in CHAPTERS.items())


def _chapter(title: str, rules: tuple[Rule, ...]) -> str:
    rows = [f"| `{rule.code}` | {rule.severity} | {_cell(rule.means)} | {_cell(rule.fix)} |" for rule in rules]
    lines = ["", f"## {title}", "", "| code | severity | what it is | fix |", "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
