"""Every command line in the documentation is one that the program takes."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from relay.cli import main as ses_relay
from tests.docs.pages import NAMES, Block, blocks_of, spans_of
from tests.generated import commands, context_of

ASSIGNMENT = re.compile(r"[A-Z_]+=")


def command_lines(block: Block) -> Iterator[list[str]]:
    """The words after ``ses-relay`` of every call in a block of shell."""
    text = re.sub(r"\\\n\s*", " ", block.text).replace("$(", "\n").replace("$", "")
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a text over several lines; no call of ours spans them
            continue
        yield from calls(words)


def calls(words: list[str]) -> Iterator[list[str]]:
    at = 0
    while at < len(words):
        end = next((n for n in range(at, len(words)) if words[n] in {"|", "&&", "||", ";", ">"}), len(words))
        call = words[at:end]
        while call and ASSIGNMENT.match(call[0]):
            call.pop(0)
        if call and call[0].rpartition("/")[2] == "ses-relay":
            yield call[1:]
        at = end + 1


def parse(words: list[str]) -> None:
    """
    Parse as click would, without opening a file.

    Raises:
        click.UsageError: It is not understood.
    """
    context = context_of(ses_relay, "ses-relay")
    while isinstance(context.command, click.Group) and words:
        name = words[0]
        command = context.command.get_command(context, name)
        if command is None:
            raise click.UsageError(f"there is no command {name}")
        context, words = context_of(command, name, context), words[1:]
    _, rest, _ = context.command.make_parser(context).parse_args(list(words))
    if rest:
        raise click.UsageError(f"too many arguments: {rest}")


SHELL = [block for page in NAMES for block in blocks_of(page) if block.words[:1] == ("sh",)]
CALLS = [(block.place, words) for block in SHELL for words in command_lines(block)]


@pytest.mark.parametrize(("place", "words"), CALLS, ids=[f"{place} {' '.join(words)}" for place, words in CALLS])
def test_the_program_understands(place, words):
    parse(words)


def test_what_it_does_not_understand_would_be_found():
    for words in (["serf"], ["check", "--colour"], ["delegate", "hash", "now"]):
        with pytest.raises(click.UsageError):
            parse(words)
    assert len(CALLS) > 10


@pytest.mark.parametrize("page", [name for name in NAMES if name != "CHANGELOG.md"])
def test_commands_named_in_prose_are_there(page):
    """Of a piece of code in the prose that begins with ses-relay: its command, and every option."""
    for span in spans_of(page):
        words = span.split()
        if words[:1] != ["ses-relay"] or len(words) == 1 or words[1].isupper():
            continue
        context = context_of(ses_relay, "ses-relay")
        command = context.command
        for word in words[1:]:
            if not isinstance(command, click.Group):
                break
            found = command.get_command(context, word)
            assert found is not None, f"{page}: {span}"
            command = found
        known = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
        assert {word for word in words if word.startswith("-") and len(word) > 1} <= known, f"{page}: {span}"


EVERY = [context.command_path for context in commands()]


@pytest.mark.parametrize("path", EVERY)
def test_the_help_of_a_command_shows_it_typed_and_that_of_a_group_is_whole(path: str) -> None:
    """A group's lines are read on a terminal of 80 columns, where a long one would be cut."""
    context = next(each for each in commands() if each.command_path == path)
    if isinstance(context.command, click.Group):
        said = click.Context(context.command, info_name=path, terminal_width=80).get_help()
        assert [line for line in said.splitlines()[1:] if line.endswith("...")] == []
    else:
        assert re.search(rf"Examples?:\n.*\b{path}\b", context.get_help(), re.DOTALL)
