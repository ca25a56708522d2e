"""What would make a refused message pass: by its sender, by the identity's owner, by the operator."""

from collections.abc import Iterable
from typing import Final

from relay.judgement.context import caller_of
from relay.judgement.misses import Miss, doubted_key
from relay.judgement.wording import listed, wish
from relay.policy.answers import PolicyProblem, StatementTrace
from relay.words.addresses import Address
from relay.words.apis import MOST_RECIPIENTS, Api
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate

_BY_THE_SENDER: Final = {
    "ses:fromaddress": "Send with another From address",
    "ses:fromdisplayname": "Send with another display name in From",
    "ses:feedbackaddress": "Give another MAIL FROM (or Return-Path)",
    "ses:recipients": "Send to other recipients",
    "aws:currenttime": "Send at another time",
    "aws:epochtime": "Send at another time",
}
_BY_THE_OPERATOR: Final = {
    "aws:principalarn": "Set principal of the delegate to the ARN of its user, role or session (with its role_arn).",
    "aws:principalorgid": "Set organization_id for the delegate.",
    "aws:sourceip": "Set ses.egress to the addresses from which the relay reaches SES.",
    "aws:sourcevpc": "Set ses.egress to the VPC and the VPC endpoint through which the relay reaches SES.",
    "aws:sourcevpce": "Set ses.egress to the VPC and the VPC endpoint through which the relay reaches SES.",
}


def advice_for(arn: IdentityArn, label: str, miss: Miss, address: Address, delegate: Delegate) -> tuple[str, ...]:
    """Say what to change: the message first, then the policy, then the configuration."""
    by_all = _by_sender_and_owner(arn, label, miss, address, delegate)
    return by_all if miss.denies else by_all + _in_one_account(arn, delegate)


def _by_sender_and_owner(
    arn: IdentityArn, label: str, miss: Miss, address: Address, delegate: Delegate
) -> tuple[str, ...]:
    owner = f"the owner of {arn.name} (account {arn.account})"
    trace = miss.trace
    if trace is None:
        return (f"Ask {owner} for a policy on {arn} that lets {delegate.principal} use {miss.action}.",)
    if miss.denies:
        return (f"Only {owner} can lift the Deny {trace.statement}{_denied(trace)}.",)
    if miss.by_account:
        return _for_an_account(owner, trace, delegate)
    if trace.unknown and doubted_key(trace) is None:
        return tuple(dict.fromkeys(_to_know(key) for key in trace.unknown))
    return _for_a_mismatch(miss, owner, trace, delegate) + _for_a_reading(label, address)


def advice_for_problems(problems: Iterable[PolicyProblem], *, doubtful: bool) -> tuple[str, ...]:
    """Say which policies to mend, and where to look when they could not be had at all."""
    mend = tuple(f"Mend policy {p.policy} at {p.path}: {p.why}." for p in dict.fromkeys(problems))
    look = ("Look at the policy source: its last good reading is too old, or some of it cannot be read.",)
    return mend + look * doubtful


def _for_a_mismatch(miss: Miss, owner: str, trace: StatementTrace, delegate: Delegate) -> tuple[str, ...]:
    mismatch = trace.mismatch
    if mismatch is None:
        return ()
    if mismatch.element == "Principal":
        return (f"Ask {owner} to name {delegate.principal} as Principal of an Allow.",)
    if mismatch.element != "Condition":
        return (f"Ask {owner} to allow {miss.action} on this identity in {trace.statement}.",)
    found = listed(mismatch.found or ()) or "a message without it"
    by_owner = f"Or ask {owner} to let {mismatch.key} of {trace.statement} match {found}."
    by_sender = _BY_THE_SENDER.get((mismatch.key or "").lower())
    if by_sender is None:
        return (f"A{by_owner.removeprefix('Or a')}",)
    return f"{by_sender}: {wish(mismatch.key, mismatch.operator, mismatch.wanted)}.", by_owner


def _for_an_account(owner: str, trace: StatementTrace, delegate: Delegate) -> tuple[str, ...]:
    return (
        f"Ask {owner} to name {delegate.principal} itself as Principal in {trace.statement}, not its account.",
        f"Or set account_grant = true for delegate {delegate.name}, if you vouch that its account lets it send.",
        "Or give the delegate a role_arn, so that SES asks its account.",
    )


def _in_one_account(arn: IdentityArn, delegate: Delegate) -> tuple[str, ...]:
    """Where the delegate's account owns the identity, its own IAM policies may allow what no identity policy does."""
    if caller_of(delegate).account != arn.account:
        return ()
    setting = f'same_account = "allow-unless-denied" and allow_identities = ["{arn.name}"]'
    return (f"Or set {setting} for delegate {delegate.name}, if IAM in account {arn.account} lets it send.",)


def _to_know(key: str) -> str:
    if key.startswith("aws:principaltag/"):
        return f"Set {key.partition('/')[2]} in principal_tags of the delegate."
    return _BY_THE_OPERATOR.get(key, f"Set {key} in authorization.context, if it is always the same.")


def _for_a_reading(label: str, address: Address) -> tuple[str, ...]:
    """Some readings are the message's own doing: it could be written so that there is only one."""
    cures = (
        ("From domain", f"Write the domain of {address} in lower case in From."),
        ("display name", "Write the display name in plain ASCII with single blanks, so that it has one reading."),
        (
            Api.V2.action,
            f"Or send less than 7.5 MiB: that goes by {Api.RAW}, and {Api.V2.action} is not asked for.",
        ),
        ("in one call", f"Or send to at most {MOST_RECIPIENTS} recipients at once: that is one call to SES."),
        (
            "bare operator",
            "Or ask the owner to write ForAllValues: or ForAnyValue: before the operator on ses:Recipients.",
        ),
    )
    return tuple(cure for sign, cure in cures if sign in label)


def _denied(trace: StatementTrace) -> str:
    return f", which hangs on {', '.join(trace.unknown)}" if trace.unknown else ""
