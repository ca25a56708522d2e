"""The running relay's judge, for the admin endpoint: by the policies and the settings of the moment."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import Any, Final

from relay.console.explain_pages import Wanted
from relay.console.spool_pages import Declined, Json, Told
from relay.explaining import Premises, Question, Rehearsal, on_the_wire, with_policies
from relay.identities.ports import Directory
from relay.judgement.catalog import Catalog
from relay.policy.document import Policy, UnreadablePolicy, parse_policy
from relay.words.addresses import AddressProblem, parse_address
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn
from relay.words.unavailable import Unavailable

#: Questions that may wait while another is answered: each takes the interpreter from the mail.
MOST_WAITING: Final = 8
#: What one question may cost. Characters of pasted policies: all that SES keeps for one identity.
LONGEST_POLICIES: Final = 20 * 4096
MOST_RECIPIENTS: Final = 100
LONGEST_ANSWER: Final = 4 << 20
#: Seconds for which an identity that was not read yet is waited for, as mail does.
PATIENCE: Final = 2.0
_BUSY: Final = Unavailable("too many ask at once: ask again in a moment")
_UNKNOWN: Final = Declined(
    "there is no such delegate; or it is the relay itself, and STS has not told who that is", is_known=False
)


class ExplainDesk:
    """
    A :class:`relay.console.explain_pages.ExplainPort`.

    Args:
        premises: Returns what holds for a delegate of this name now; None where there is none.
        directory: Returns the directory of the moment: a reload brings another one.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        premises: Callable[[str], Premises | None],
        directory: Callable[[], Directory],
        clock: Callable[[], float],
    ) -> None:
        self._premises = premises
        self._directory = directory
        self._clock = clock
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def explain(self, wanted: Wanted) -> Told:
        """Explain one message, in a thread, one after the other."""
        premises = self._premises(wanted.delegate)
        if premises is None:
            return _UNKNOWN
        if self._waiting >= MOST_WAITING:
            return _BUSY
        self._waiting += 1
        try:
            async with self._turn:
                return await self._explained(wanted, premises)
        finally:
            self._waiting -= 1

    async def _explained(self, wanted: Wanted, premises: Premises) -> Json:
        now = self._clock()
        if wanted.at is not None:  # what is known now is taken for what will be, or was
            now, premises = wanted.at, replace(premises, rules=replace(premises.rules, max_stale=inf))
        pasted, rehearsal = await asyncio.to_thread(_read, wanted, premises)
        told = await self._judged(rehearsal, pasted, now)
        if rehearsal.unknown and await self._directory().look(wanted.delegate, rehearsal.unknown, PATIENCE):
            told = await self._judged(rehearsal, pasted, now)
        return told

    async def _judged(self, rehearsal: Rehearsal, pasted: "_Policies", now: float) -> Json:
        return await asyncio.to_thread(_judge, rehearsal, self._directory().catalog, pasted, now)


_Policies = Mapping[IdentityArn, tuple[Policy | UnreadablePolicy, ...]]


def _read(wanted: Wanted, premises: Premises) -> tuple[_Policies, Rehearsal]:
    texts = {arn: _texts(policies) for arn, policies in wanted.policies.items()}
    if sum(len(text) for each in texts.values() for text in each.values()) > LONGEST_POLICIES:
        raise ValueError(f"policies are longer than {LONGEST_POLICIES} characters together; SES takes no more")
    pasted = {_identity(arn): _attached(each) for arn, each in texts.items()}
    raw = _made_up(wanted) if wanted.raw is None else on_the_wire(wanted.raw)
    rehearsal = Rehearsal(Question(raw, wanted.mail_from, wanted.recipients), premises)
    if rehearsal.recipients > MOST_RECIPIENTS:
        raise ValueError(f"recipients: {rehearsal.recipients}, and at most {MOST_RECIPIENTS} are explained")
    return pasted, rehearsal


def _judge(rehearsal: Rehearsal, catalog: Catalog, pasted: _Policies, now: float) -> Json:
    """Write the answer piece by piece: at once it would keep the interpreter from the mail."""
    told = rehearsal.judged(with_policies(catalog, pasted, now), now)
    pieces, octets = [], 0
    for piece in json.JSONEncoder().iterencode(told):
        pieces.append(piece)
        octets += len(piece)
        if octets > LONGEST_ANSWER:
            raise ValueError(f"the explanation is longer than {LONGEST_ANSWER} octets: ask with fewer recipients")
    return Json("".join(pieces))


def _identity(text: str) -> IdentityArn:
    try:
        return parse_identity_arn(text)
    except ArnProblem as problem:
        raise ValueError(f"policies: {text[:100]}: {problem}") from None


def _texts(policies: Mapping[str, str | Mapping[str, Any]]) -> Mapping[str, str]:
    return {name: each if isinstance(each, str) else json.dumps(each) for name, each in policies.items()}


def _attached(texts: Mapping[str, str]) -> tuple[Policy | UnreadablePolicy, ...]:
    return tuple(parse_policy(name, texts[name]) for name in sorted(texts))


def _made_up(wanted: Wanted) -> bytes:
    """Write the least message that this author can send."""
    author = wanted.author or wanted.mail_from
    if author is None:
        raise ValueError("give a message, or the address in from")
    try:
        return f"From: <{parse_address(author.strip('<>'))}>\r\n\r\n".encode()
    except AddressProblem as problem:
        raise ValueError(f"from: {author[:320]}: {problem}") from None
