"""What is wrong with a policy before it is read: its name, its length, its JSON."""

import re
from collections.abc import Iterator
from typing import Final

from relay.policy.lint.findings import Remark
from relay.policy.lint.wording import quoted

LONGEST_POLICY: Final = 4096
POLICY_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

_BLANKS: Final = re.compile(r'("(?>(?:[^"\\]|\\.)*)"?)|\s+', re.DOTALL)
_TYPOGRAPHIC: Final = tuple("\u201c\u201d\u201e\u2018\u2019")


def check_name(name: str) -> Iterator[Remark]:
    """The name of a policy."""
    if not POLICY_NAME.fullmatch(name):
        why = f"it has {len(name)} characters" if len(name) > 64 else "only letters, digits, - and _ are allowed"
        fixed = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:64]
        yield Remark(
            "policy-name",
            "$",
            f"SES takes no policy of the name {quoted(name)}: {why if name else 'it is empty'}.",
            f"Name it {fixed}." if fixed else None,
        )


def check_size(text: str) -> Iterator[Remark]:
    """The length of a policy in bytes."""
    size = _bytes(text)
    if size > LONGEST_POLICY:
        bare = _bytes(_BLANKS.sub(r"\1", text))
        fix = f"Write it without blanks: then it has {bare:,} bytes." if bare <= LONGEST_POLICY else None
        yield Remark("too-large", "$", f"The policy has {size:,} bytes; SES takes {LONGEST_POLICY:,}.", fix)


def json_fix(text: str, offset: int) -> str | None:
    """What to do about text that stops being JSON at *offset*, where the habit behind it is known."""
    here = text[offset:].lstrip()
    ending = here[:1] == "," and here[1:].lstrip()[:1] in tuple("}]")
    habits = {
        "The file is empty: write a policy, or remove it.": not text.strip(),
        "Save the file without a byte order mark.": text.startswith("\ufeff"),
        "JSON has no comments: take it out.": here[:2] in ("//", "/*") or here[:1] == "#",
        "JSON quotes with double quotes.": here[:1] == "'",
        "Replace the typographic quotes by plain ones.": here[:1] in _TYPOGRAPHIC,
        "Take out the comma before the closing bracket.": ending,
        "The file ends too early: close what is open.": not here,
    }
    return next((fix for fix, is_so in habits.items() if is_so), None)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
