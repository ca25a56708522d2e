"""An explanation for people who know mail but not IAM: the JSON of :mod:`relay.judgement.explanation` in words."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

from relay.judgement.wording import alternatives, listed, wish
from relay.words.apis import Api

Json = Mapping[str, Any]

WIDTH: Final = 100

_MARKS: Final = {"allowed": "+", "denied": "x", "not-allowed": "x", "undecided": "?", "refused": "x", "sealed": "~"}
_COLOURS: Final = {"+": "\x1b[32m", "x": "\x1b[31m", "?": "\x1b[33m", "~": "\x1b[33m"}
_RESET: Final = "\x1b[0m"
_VERDICTS: Final = {
    "allowed": "ALLOWED: the message may go.",
    "denied": "DENIED: a policy of the identity's owner forbids it.",
    "not-allowed": "NOT ALLOWED: no policy of the identity's owner permits it.",
    "sealed": "SEALED: the relay cannot see the policies of the identity's owner; the message may go, and SES judges.",
    "undecided": "UNDECIDED: it is not known now what the owner's policies say; nothing is sent meanwhile.",
    "refused": "REFUSED: not for a policy, but for what the message asks of SES.",
}
_ROLES: Final = {
    "from": "the author's address (From)",
    "feedback": "the feedback address, where bounces go (Return-Path, else MAIL FROM)",
    "envelope": "MAIL FROM, which differs from the feedback address",
}


def render(explanation: Json, *, colour: bool = False) -> str:
    """Return the whole explanation as text, lines of at most about 100 columns; ANSI colour for terminals if wished."""
    lines = [_printable(line) for line in _lines(explanation)]
    return "\n".join(_coloured(line) if colour else line for line in lines) + "\n"


def _lines(explanation: Json) -> Iterator[str]:
    yield from _who(explanation)
    for number, question in enumerate(explanation["questions"]):
        yield ""
        before = explanation["questions"][number - 1] if number else None
        yield from _question(question, before)
    yield ""
    yield f"{_MARKS[explanation['verdict']]} {_VERDICTS[explanation['verdict']]}"
    yield from _ending(explanation)


def _who(explanation: Json) -> Iterator[str]:
    delegate = explanation["delegate"]
    yield f"delegate  {delegate['name']}, to AWS {delegate['principal']}"
    if delegate["role"]:
        yield f"          a session of the role {delegate['role']}"
    message, envelope = explanation["message"], explanation["envelope"]
    if message:
        name = f'"{message["display_name"]}" ' if message["display_name"] else ""
        yield f"From      {name}<{message['from']}>"
    if envelope:
        yield f"MAIL FROM <{envelope['mail_from'].strip('<>')}>"
        yield from _hanging(envelope["recipients"], "RCPT TO   ", ", ")


def _question(question: Json, before: Json | None) -> Iterator[str]:
    verdict = question["verdict"]
    yield f"{_MARKS[verdict]} {question['address']}: {_ROLES[question['role']]}"
    identity = question["identity"] or "none"
    yield f"    identity  {identity}"
    yield from _hanging([question["chosen"]], "    chosen    ")
    if before is not None and question["asked"] and question["asked"] == before["asked"]:
        yield f"    result    {verdict}, by the same statements as above"
        return
    for asked in question["asked"]:
        yield from _asked(asked, question)
    yield from _hanging([question["why"]], "    result    ")
    for advice in question["advice"]:
        yield from _hanging([advice], "    to pass   ")


def _asked(asked: Json, question: Json) -> Iterator[str]:
    if asked["identity"] != question["identity"]:
        yield f"    and asked {asked['identity']}"
    if asked["reading"]:
        yield from _hanging([asked["reading"]], "    read as   ")
    for statement in asked["statements"]:
        yield from _statement(statement)
    for problem in asked["problems"]:
        yield from _hanging([f"policy {problem['policy']} at {problem['path']}: {problem['why']}"], "      ? ")


def _statement(statement: Json) -> Iterator[str]:
    name = f"{statement['policy']}/{statement['sid'] or statement['index']}"
    mark = "-"
    if statement["fate"] == "applies":
        mark = "+" if statement["effect"] == "Allow" else "x"
    elif statement["fate"] == "may apply":
        mark = "?"
    yield from _hanging([f"{name} ({statement['effect']}) {_fate(statement)}"], f"      {mark} ")


def _fate(statement: Json) -> str:
    if statement["fate"] == "may apply":
        return _open(statement)
    mismatch = statement["mismatch"]
    if mismatch is None:
        return "applies" + (", through the whole account" if statement["grant"] == "account" else "")
    wanted = alternatives(mismatch["wanted"])
    if mismatch["element"] in {"Principal", "NotPrincipal"}:
        return f"is for somebody else: {wanted}"
    if mismatch["element"] in {"Action", "NotAction"}:
        return f"is for other actions: {wanted}"
    if mismatch["element"] in {"Resource", "NotResource"}:
        return f"is for another identity: {wanted}"
    found = "it is absent" if mismatch["found"] is None else f"found {listed(mismatch['found'], 6) or 'nothing'}"
    return f"wants {wish(mismatch['key'], mismatch['operator'], mismatch['wanted'])}; {found}"


def _open(statement: Json) -> str:
    """Say what a statement hangs on: keys that are not known, or what AWS makes of what is known."""
    mismatch, unknown = statement["mismatch"], statement["unknown"]
    is_known = mismatch["found"] is not None and (mismatch["key"] or "").lower() in unknown
    if unknown and not is_known:
        return f"hangs on {', '.join(unknown)}, which the relay does not know"
    wants = f"{mismatch['element']} {alternatives(mismatch['wanted'])}"
    if mismatch["key"]:
        wants = wish(mismatch["key"], mismatch["operator"], mismatch["wanted"])
    return f"wants {wants}; AWS does not say whether {listed(mismatch['found'], 6) or 'nothing'} matches"


def _ending(explanation: Json) -> Iterator[str]:
    permit, unenforced = explanation["permit"], explanation["unenforced"]
    if unenforced:
        yield "  The delegate is observed: the message goes all the same."
        yield from _hanging([f"enforced, the client would hear: {unenforced}"], "  ")
    if permit:
        by = "" if permit["api"] == Api.RAW.action else f" by {permit['api'].partition(':')[2]}"
        yield f"  sent{by} from {permit['region']} with Source {permit['source']}"
        yield f"    SourceArn     {permit['source_arn']}"
        yield f"    FromArn       {permit['from_arn']}"
        yield f"    ReturnPathArn {permit['return_path_arn']}"
    if explanation["reply"]:
        yield from _hanging([f"the client would hear: {explanation['reply']}"], "  ")


def _hanging(parts: Sequence[str], head: str, joint: str = " ") -> list[str]:
    text = joint.join(parts)
    return wrap(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [head.rstrip()]


def _printable(text: str) -> str:
    """What a message says must not steer the terminal of whoever reads about it."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _coloured(line: str) -> str:
    mark = line.lstrip()[:1]
    colour = _COLOURS.get(mark) if line.lstrip()[1:2] == " " else None
    return f"{colour}{line}{_RESET}" if colour else line
