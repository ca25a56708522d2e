"""README.md of a migration: what is here, every difference, what to verify, what to do. Pure text, Markdown."""

from collections.abc import Iterator, Sequence
from typing import Final

from relay.owner.migrate.model import Client, Kind, Note
from relay.owner.migrate.settling import Settled
from relay.owner.statements import Pattern

_PEERS: Final = {
    "blueimp": "blueimp/aws-smtp-relay",
    "decke": "decke/smtprelay",
    "postfix": "Postfix",
}
_CHECK: Final = "`ses-relay check -c relay.toml` and `ses-relay policy lint policies` find nothing wrong."
_CASES: Final = "`ses-relay policy test cases.json -c relay.toml`: what each delegate may send and may not, to add to."
_OWN: Final = "The relay's own credentials (AWS's standard chain, a role rather than a user) may call"
_OTHERS: Final = "For identities of another account their owner's policies at SES must name the relay, too."
_PRINCIPALS: Final = (
    "The principals above are names to the policies in this folder. They need not be there in IAM while the relay "
    "reads policies from here; SES refuses a policy that names one that is not (`--principal` names others)."
)
_DOCTOR: Final = "`ses-relay doctor -c relay.toml` looks at all of it."
_OBSERVE: Final = (
    'Start with `mode = "observe"` under `[authorization]`: what would be refused is logged and goes all the same. '
    "Enforce when the log is quiet."
)
_SERVE: Final = "`ses-relay serve -c relay.toml`; then stop the old one."
_CHAPTERS: Final = {
    Kind.TO_DO: "To do",
    Kind.STRICTER: "Stricter than before",
    Kind.DIFFERENT: "Otherwise than before",
    Kind.LEFT: "Left behind",
    Kind.KEPT: "Kept",
}


def readme(settled: Settled, notes: Sequence[Note]) -> str:
    """Return the page."""
    lines = [
        f"# From {_PEERS[settled.found.peer]} to ses-relay",
        "",
        "Written by `ses-relay migrate`. Nothing of it is in use yet.",
        "",
        "| delegate | was | to policies | may send as | to |",
        "|---|---|---|---|---|",
        *(
            f"| {each.client.name} | {_code(each.client.called)} | {_code(each.principal)} | {_addresses(each.client)} "
            f"| {_patterns(each.client.recipients) or 'anybody'}{_but(each.client.not_to)} |"
            for each in settled.delegates
        ),
        "",
        *_next(settled),
    ]
    for kind, title in _CHAPTERS.items():
        if some := [note for note in notes if note.kind is kind]:
            lines += ["", f"## {title}", "", *(_line(note) for note in some)]
    return "\n".join([*lines, ""])


def _next(settled: Settled) -> Iterator[str]:
    yield "## What to do next"
    yield ""
    identities = ", ".join(_code(str(arn)) for arn in settled.identities)
    actions = "`ses:SendRawEmail` and `ses:SendEmail`" if settled.found.is_large else "`ses:SendRawEmail`"
    yield from (
        f"{number}. {step}"
        for number, step in enumerate(
            [
                _CHECK,
                _CASES,
                f"Verified in SES, in the account and region that they name: {identities}.",
                f"{_OWN} {actions}. {_OTHERS}",
                _PRINCIPALS,
                _DOCTOR,
                _OBSERVE,
                _SERVE,
            ],
            start=1,
        )
    )


def _line(note: Note) -> str:
    where = f" ({_code(note.place)})" if note.place else ""
    why = _plain(note.why).replace("*", "\\*")
    return f"- {_code(note.subject)}{where}: {why}"


def _addresses(client: Client) -> str:
    said = "any address of the identities" if client.addresses is None else _patterns(client.addresses)
    return said + _but(client.not_as)


def _but(patterns: Sequence[Pattern]) -> str:
    return f", but not {_patterns(patterns)}" if patterns else ""


def _patterns(patterns: Sequence[Pattern]) -> str:
    return ", ".join(_code(pattern.text) for pattern in patterns)


def _code(text: str) -> str:
    plain = _plain(text)
    return f"`{plain}`" if "`" not in plain else f"`` {plain} ``"


def _plain(text: str) -> str:
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable.replace("|", "\\|")
