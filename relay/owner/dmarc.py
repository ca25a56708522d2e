"""
What receivers do with mail of a domain that is not aligned: DMARC records, found by walking up the tree (RFC 9989).

Receivers of the older RFC 7489 look at the domain and at its organizational domain by a list of public suffixes; where
no record says ``psd=``, both come to the same record but for names with records of their own in between.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeAlias

from relay.dns.answers import Answer, Found, Trouble
from relay.dns.names import ROOT, parent_of
from relay.words.values import dataclass

Ask: TypeAlias = Callable[[str, str], Awaitable[Answer]]

#: Labels of the longest name of the walk but the first (RFC 9989 section 4.10).
_LONGEST_WALK: Final = 7
_POLICIES: Final = ("none", "quarantine", "reject")
_TAG = re.compile(r"\s*([A-Za-z]+)\s*=\s*(.*?)\s*", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Policy:
    """A DMARC record, of ``domain``. ``subdomains`` is ``sp``, or ``p`` where there is none."""

    domain: str
    text: str
    own: str
    subdomains: str
    dkim: Literal["r", "s"] = "r"
    spf: Literal["r", "s"] = "r"
    is_public_suffix: bool | None = None


@dataclass(frozen=True, slots=True)
class Dmarc:
    """
    What holds for mail from ``domain``.

    ``policy``: the record that speaks, None where none does. ``verdict``: what it asks for, "none" without one.
    ``organization``: the organizational domain. ``problems``: records that receivers pass over, and why; and
    questions without an answer.
    """

    domain: str
    policy: Policy | None
    verdict: str
    organization: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alignment:
    """Whether one identifier satisfies DMARC, and why. ``mechanism``: "dkim" or "spf"."""

    mechanism: str
    is_aligned: bool
    why: str


def read_dmarc(domain: str, values: tuple[str, ...]) -> Policy | str | None:
    """
    Read the TXT records at ``_dmarc.DOMAIN``; None where none of them is for DMARC.

    Returns the sentence of what is wrong, where receivers pass the record over (RFC 9989 section 4.7).
    """
    records = [value for value in values if re.match(r"v\s*=\s*DMARC1\s*(;|$)", value, re.ASCII)]
    if not records:
        near = next((value for value in values if "dmarc1" in value.lower()), None)
        return None if near is None else f'a DMARC record begins with "v=DMARC1;", in these very letters: {near}'
    if len(records) > 1:
        return f"{len(records)} DMARC records: receivers pass over all of them; leave one"
    tags = _tags(records[0])
    own, subdomains = tags.get("p", "").lower(), tags.get("sp", "").lower()
    if own not in _POLICIES:
        own = "none"  # RFC 9989 section 4.7: monitored, as if it said so
    return Policy(
        domain,
        records[0],
        own,
        subdomains if subdomains in _POLICIES else own,
        "s" if tags.get("adkim", "").lower() == "s" else "r",
        "s" if tags.get("aspf", "").lower() == "s" else "r",
        {"y": True, "n": False}.get(tags.get("psd", "").lower()),
    )


async def find_dmarc(domain: str, ask: Ask) -> Dmarc:
    """Find what holds for mail from *domain*; *ask* gives the records of a type."""
    found, problems = await _walk(domain, ask)
    organization = _organization(domain, found)
    policy = found.get(domain) or found.get(organization) or next((each for each in found.values()), None)
    if policy is None:
        return Dmarc(domain, None, "none", organization, problems)
    verdict = policy.own if policy.domain == domain else policy.subdomains
    return Dmarc(domain, policy, verdict, organization, problems)


async def organization_of(domain: str, ask: Ask) -> str:
    """Return the organizational domain of *domain*."""
    found, _ = await _walk(domain, ask)
    return _organization(domain, found)


def aligned(mechanism: str, dmarc: Dmarc, domain: str, organization: str) -> Alignment:
    """
    Say whether *domain*, that DKIM signs for or SPF speaks of, is aligned with the author's domain.

    Args:
        organization: The organizational domain of *domain*.

    """
    mode = "r" if dmarc.policy is None else dmarc.policy.dkim if mechanism == "dkim" else dmarc.policy.spf
    if domain == dmarc.domain:
        return Alignment(mechanism, is_aligned=True, why=f"{domain} is the author's domain")
    if mode == "s":
        tag = "adkim=s" if mechanism == "dkim" else "aspf=s"
        return Alignment(mechanism, is_aligned=False, why=f"{domain} is not {dmarc.domain}, and {tag} wants it so")
    if organization == dmarc.organization:
        return Alignment(mechanism, is_aligned=True, why=f"{domain} is of the same organization, {organization}")
    return Alignment(mechanism, is_aligned=False, why=f"{domain} is of another organization than {dmarc.domain}")


async def _walk(domain: str, ask: Ask) -> tuple[dict[str, Policy], tuple[str, ...]]:
    """The policies at *domain* and above, the lowest first (RFC 9989 section 4.10)."""
    found: dict[str, Policy] = {}
    problems: list[str] = []
    at = domain
    while at != ROOT:
        answer = await ask(f"_dmarc.{at}", "TXT")
        if isinstance(answer, Trouble):
            problems.append(f"_dmarc.{at}: {answer.why}")
        policy = read_dmarc(at, answer.values) if isinstance(answer, Found) else None
        if isinstance(policy, str):
            problems.append(f"_dmarc.{at}: {policy}")
        elif policy is not None:
            found[at] = policy
            if policy.is_public_suffix is not None:
                break
        labels = at.split(".")
        at = ".".join(labels[-_LONGEST_WALK:]) if len(labels) > _LONGEST_WALK + 1 else parent_of(at)
    return found, tuple(problems)


def _organization(domain: str, found: dict[str, Policy]) -> str:
    if not found:
        return domain
    highest = list(found.values())[-1]
    if highest.is_public_suffix and highest.domain != domain:
        below = domain.removesuffix(f".{highest.domain}").rpartition(".")[2]
        return f"{below}.{highest.domain}"
    return highest.domain


def _tags(text: str) -> dict[str, str]:
    pairs = (_TAG.fullmatch(part) for part in text.split(";"))
    return {match[1].lower(): match[2] for match in reversed([pair for pair in pairs if pair is not None])}
