"""Every reply of the program is on its page, and the page has no reply of its own."""

import ast
import importlib
import re
from collections.abc import Iterator

import pytest

from relay.smtp.paths import PathProblem, read_mail, read_rcpt
from relay.words.replies import Reply
from relay.words.transactions import Ending
from tests.docs.pages import ROOT, text_of

PAGE = "docs/reference/replies.md"
SAID = re.compile(r"`(\d{3})(?: (\d\.\d+\.\d+))?[ `]")
#: Arguments of MAIL and RCPT, one for each way to be wrong.
WRONG_PATHS = [
    "<a@example.com>",
    "X:a@example.com",
    "X:<a>",
    'X:<"a b"@example.com>',
    "X:<a@[192.0.2.1]>",
    "X:<\xe9@example.com>",
    "X:<>",
    "X:<postmaster>",
    "X:<a@example.com> =",
    "X:<a@example.com> SIZE=x",
    "X:<a@example.com> SIZE=99999999",
    "X:<a@example.com> BODY=x",
    "X:<a@example.com> SMTPUTF8",
]


def constants() -> Iterator[tuple[str, Reply]]:
    """Every reply that a module holds by name, alone or as the end of a message."""
    for path in sorted((ROOT / "relay").rglob("*.py")):
        if "Reply(" in path.read_text("utf-8"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for name, value in vars(importlib.import_module(module)).items():
                reply = value.reply if isinstance(value, Ending) else value
                if isinstance(reply, Reply):
                    yield f"{module}.{name}", reply


def codes_in_source() -> Iterator[tuple[str, str]]:
    """Every code and status that the source writes down as literals: ``Reply(554, (5, 6, 0), ...)`` and its kin."""
    for path in (ROOT / "relay").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call):
                yield from codes_of(call)


def codes_of(call: ast.Call) -> Iterator[tuple[str, str]]:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name == "broken_form":
        given = [status_of(each.value) for each in call.keywords if each.arg == "status"]
        yield "550", (given or ["5.6.0"])[0]
    elif name == "_refuse" and call.args and isinstance(call.args[0], ast.Constant):
        code = str(call.args[0].value)
        yield code, f"{code[0]}.7.1"
    for first, second in zip(call.args, call.args[1:], strict=False):
        if isinstance(first, ast.Constant) and isinstance(first.value, int) and 200 <= first.value < 600:
            if isinstance(second, ast.Constant) and second.value is None:
                yield str(first.value), ""
            elif status := status_of(second):
                yield str(first.value), status


def status_of(node: ast.expr) -> str:
    if isinstance(node, ast.Tuple) and all(isinstance(part, ast.Constant) for part in node.elts):
        return ".".join(str(ast.literal_eval(part)) for part in node.elts)
    return ""


def codes_of_paths() -> Iterator[tuple[str, str]]:
    for argument in WRONG_PATHS:
        for read, keyword in ((lambda text: read_mail(text, longest=1000), "FROM"), (read_rcpt, "TO")):
            try:
                read(argument.replace("X:", f"{keyword}:"))
            except PathProblem as problem:
                yield str(problem.reply.code), problem.reply.status


def test_every_code_of_the_source_is_on_the_page_and_no_other():
    page = set(SAID.findall(text_of(PAGE)))
    source = set(codes_in_source()) | set(codes_of_paths())

    assert page - source == set()
    assert source - page == set()


@pytest.mark.parametrize(
    ("name", "reply"), list(constants()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_reply_with_a_name_is_on_the_page_in_its_words(name, reply):
    assert f"`{reply}`" in text_of(PAGE)


def test_the_replies_with_names_are_found():
    names = {name for name, _ in constants()}

    assert {"relay.smtp.replies.NEED_TLS", "relay.sending.answers.MAYBE_SENT", "relay.walk.NOT_KNOWN"} <= names
