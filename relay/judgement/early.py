"""
The question turned round, at MAIL: whether any message with this reverse-path could end in ALLOWED.

Refusing early spares client and relay the body; refusing wrongly would lose mail. So an Allow is taken to apply if it
could, a Deny only if it must, every owner that an ARN in the message might name is tried, and only what is surely
known and fresh may refuse.
"""

from relay.judgement.advice import advice_for
from relay.judgement.answers import (
    NULL_REVERSE_PATH,
    Asker,
    access_denied,
    missed,
    not_verified,
    reason_of,
)
from relay.judgement.catalog import Catalog
from relay.judgement.choice import Choice, Governing, Lack
from relay.judgement.context import Circumstances, caller_of, contexts
from relay.judgement.decisions import Evaluated, digests_of, keys_of
from relay.judgement.governing import rank
from relay.judgement.grants import is_vouched_for
from relay.judgement.misses import certain_miss
from relay.judgement.observing import mode_of
from relay.judgement.rules import Rules
from relay.judgement.sealed import could_be_sealed
from relay.judgement.verdicts import Decision, Judgement, Mode, Role, Verdict
from relay.policy.evaluation import could_allow, evaluate
from relay.policy.request import Request
from relay.words.addresses import Address, NullPath, ReversePath
from relay.words.apis import Api
from relay.words.delegates import Delegate
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.values import replace


def judge_early(
    reverse_path: ReversePath, delegate: Delegate, catalog: Catalog, rules: Rules, now: float
) -> Judgement | None:
    """
    Refuse a reverse-path that no message could make good, with 550 5.7.1; None to hear the rest of the message.

    Not asked when ``return_path`` replaces MAIL FROM, nor while the delegate is observed; the null reverse-path is
    then, too, refused unless the author may stand in for it.
    """
    return judge_early_by(Choice(delegate, catalog, rules, now), reverse_path)


def judge_early_by(choice: Choice, reverse_path: ReversePath) -> Judgement | None:
    """Judge as :func:`judge_early` does; *choice* notes what the answer rests on."""
    delegate, rules = choice.delegate, choice.rules
    mode = mode_of(delegate, rules, choice.now)
    if isinstance(reverse_path, NullPath):
        refused = rules.null_reverse_path == "refuse"
        return Judgement((), None, NULL_REVERSE_PATH, Reason.ADDRESS_FORM, mode) if refused else None
    if delegate.return_path != "envelope" or mode is not Mode.ENFORCE:
        return None
    return _refusal(reverse_path.with_domain_lowered(), choice)


def _refusal(address: Address, choice: Choice) -> Judgement | None:
    if choice.unknown_owners is not None or could_be_sealed(address, choice):
        return None
    hopeless: Judgement | None = None
    for owner, owned in choice.owners.items():
        if choice.unknown_list(owner) is not None:
            return None
        bearing = owned.bearing_on(address)
        if not bearing.covers:
            continue
        governing = rank(bearing, choice, "the reverse-path is known")
        refused = None if governing.doubts else _refused_by(address, governing, choice)
        if refused is None:
            return None
        hopeless = hopeless or refused
    return hopeless or _nobodys(address, choice)


def _refused_by(address: Address, governing: Governing, choice: Choice) -> Judgement | None:
    """Refuse for the first of the agreeing identities that could not allow; None if all could."""
    seen = Circumstances(
        None, None, str(address), None, caller_of(choice.delegate), choice.delegate, choice.rules, None, tenant=""
    )
    for identity in governing.agreeing:
        keys, bare_keys = keys_of(identity.policies)
        for label, context in contexts(seen, identity.arn, keys, bare_keys):
            request = Request(seen.caller, Api.RAW.action, str(identity.arn), context)
            if could_allow(request, identity.policies):
                continue
            evaluation = evaluate(request, identity.policies, trace=True)
            if certain_miss(evaluation).denies or not is_vouched_for(choice.delegate, identity.arn):
                return _not_allowed(address, governing, (identity.arn, label, evaluation), choice)
    return None


def _not_allowed(address: Address, governing: Governing, evaluated: Evaluated, choice: Choice) -> Judgement:
    miss = certain_miss(evaluated[2])
    verdict = Verdict.DENIED if miss.denies else Verdict.NOT_ALLOWED
    asker = Asker.of(choice.delegate, Role.FEEDBACK, choice.rules)
    decision = Decision(
        Role.FEEDBACK,
        address,
        governing.identity.arn,
        governing.chosen,
        verdict,
        (evaluated,),
        digests_of(governing.agreeing),
        f"no message with this reverse-path could pass: {missed(miss, full=True)}",
        advice_for(evaluated[0], evaluated[1], miss, address, choice.delegate),
        _early(access_denied(evaluated[0], miss, asker)),
        reason_of(verdict),
        agreeing=governing.others,
    )
    return Judgement((decision,), None, decision.refusal, decision.reason)


def _nobodys(address: Address, choice: Choice) -> Judgement:
    asker = Asker.of(choice.delegate, Role.FEEDBACK, choice.rules)
    regions = sorted({region for _, region in choice.catalog.owners.keys() | choice.rules.sealed})
    why = f"no verified identity covers {address}"
    refusal = _early(not_verified([str(address)], regions, "", asker))
    reason = reason_of(Verdict.NOT_ALLOWED, Lack.UNVERIFIED)
    decision = Decision(
        Role.FEEDBACK,
        address,
        None,
        "no identity governs",
        Verdict.NOT_ALLOWED,
        why=why,
        refusal=refusal,
        reason=reason,
    )
    return Judgement((decision,), None, refusal, reason)


def _early(reply: Reply) -> Reply:
    """550, not 554: nothing has been said about the message yet, only about the mailbox (RFC 5321 section 4.2.2)."""
    return replace(reply, code=550)
