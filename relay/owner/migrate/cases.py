"""Cases for ``policy test``: what each delegate could send at the peer, and what not. Pure."""

from collections.abc import Iterator
from typing import Final

from relay.owner.migrate.regexps import covers
from relay.owner.migrate.settling import Delegated, Settled
from relay.owner.statements import Json, Pattern

_SOMEBODY: Final = "somebody@recipient.example"
_MOST: Final = 5


def cases_of(settled: Settled) -> list[Json]:
    """Return some cases of every delegate."""
    return [case for delegated in settled.delegates for case in _cases(settled, delegated)]


def _cases(settled: Settled, delegated: Delegated) -> Iterator[Json]:
    client = delegated.client
    patterns = client.addresses if client.authors is None else client.authors
    owned = patterns if patterns is not None else [_any_of(arn.name) for arn in delegated.identities]
    envelope = (client.addresses or owned)[0] if client.authors else None
    common: Json = {"delegate": client.name, "recipients": [_one_of(client.recipients)]}
    if envelope is not None:
        common["return_path"] = _sample(envelope)
    samples = [text for text in map(_sample, owned[:_MOST]) if not _is_in(text, client.not_as)]
    for text in samples:
        is_denied = _is_in(common["recipients"][0], client.not_to)
        yield _case(f"{client.name} sends as {text}", common, text, "deny" if is_denied else "allow")
    for pattern in client.not_as[:_MOST]:
        text = _sample(pattern)
        if any(arn.name == text.rpartition("@")[2] for arn in settled.identities):
            yield _case(f"{client.name} does not send as {text}", common, text, "deny")
    for pattern in client.not_to[:_MOST] if samples else ():
        refused = {**common, "recipients": [_sample(pattern)]}
        yield _case(f"{client.name} does not send to {_sample(pattern)}", refused, samples[0], "deny")
    for other in settled.delegates:
        for pattern in (other.client.addresses or ())[:1]:
            text = _sample(pattern)
            if patterns is not None and not _is_in(text, patterns) and other is not delegated:
                yield _case(f"{client.name} does not send as {other.client.name}", common, text, "deny")


def _case(name: str, common: Json, author: str, expect: str) -> Json:
    return {"name": name, **common, "from": author, "expect": expect}


def _any_of(name: str) -> Pattern:
    return Pattern(name) if "@" in name else Pattern(f"*@{name}", is_wild=True)


def _one_of(recipients: tuple[Pattern, ...]) -> str:
    return _sample(recipients[0]) if recipients else _SOMEBODY


def _sample(pattern: Pattern) -> str:
    """Return an address that the pattern matches."""
    if not pattern.is_wild:
        return pattern.text
    local, at, domain = pattern.text.rpartition("@")
    if not at:
        local, domain = pattern.text, "recipient.example"
    filled = local.replace("*", "x").replace("?", "x")
    return f"{filled}@{domain.replace('?', 'x').replace('*.', 'x.').replace('*', '')}"


def _is_in(text: str, patterns: tuple[Pattern, ...] | list[Pattern]) -> bool:
    return any(covers(pattern, text) for pattern in patterns)
