"""Everything in the repository that is written by the code: ``python -m tests.generated`` writes it (``make docs``)."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from relay.cli import main as ses_relay
from relay.console.reference import api_reference
from relay.observe.reference import metrics_reference
from relay.owner.doctor.reference import reference_markdown as doctor_reference
from relay.policy.lint.reference import reference_markdown as lint_reference
from relay.settings.example import example
from relay.settings.reference import reference_markdown
from tests.dashboard import dashboard

ROOT: Final = Path(__file__).parents[1]
WIDTH: Final = 100

_HEAD: Final = """\
# Command line

<!-- Written from relay/cli by `make docs`; a test holds it equal. -->

`ses-relay COMMAND --help` prints what stands here. `python -m relay` is the same program. Exit code 0: good; 1: the
answer is no, or something failed; 2: wrong usage or configuration.
"""


def command_line_reference() -> str:
    """Write docs/reference/cli.md: every command with its help, as the program prints it."""
    return _HEAD + "".join(_section(context) for context in commands())


def commands() -> Iterator[click.Context]:
    """Every command, the whole program first, a group before what is in it."""
    yield from _below(context_of(ses_relay, "ses-relay"))


def context_of(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    """Return a context whose help is as wide as the page, whatever the terminal."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    return click.Context(command, info_name=name, parent=parent, **settings)


def _below(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None, name
            yield from _below(context_of(command, name, context))


def _section(context: click.Context) -> str:
    return f"\n## {context.command_path}\n\n```\n{context.get_help().rstrip()}\n```\n"


FILES: Final[Mapping[str, Callable[[], str]]] = {
    "config/grafana/dashboard.json": dashboard,
    "relay.toml.example": example,
    "docs/reference/api.md": api_reference,
    "docs/reference/cli.md": command_line_reference,
    "docs/reference/doctor.md": doctor_reference,
    "docs/reference/lint.md": lint_reference,
    "docs/reference/metrics.md": metrics_reference,
    "docs/reference/settings.md": reference_markdown,
}


def main() -> None:
    """Write all files, and name those that changed."""
    for name, write in FILES.items():
        path, text = ROOT / name, write()
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"{name} is new")  # noqa: T201 - a program for people


if __name__ == "__main__":
    main()
