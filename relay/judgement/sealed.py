"""
Owners whose policies the relay has no sight of (``source = "sealed"``): which identity of theirs a message uses.

There is no list of what they verified and nothing to judge by: SES judges alone. That is sound only where SES sees the
delegate's own principal; sent as the relay, the mail of every delegate would be judged as the relay's.
"""

from collections.abc import Iterator

from relay.judgement.catalog import Identity
from relay.judgement.choice import Choice, Governing, Lack, Ungoverned
from relay.words.addresses import Address
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn


def seal(arn: IdentityArn, how: str, choice: Choice) -> Governing | Ungoverned:
    """Let a sealed identity govern, taken for verified because it was named; refuse a delegate sent as the relay."""
    delegate = choice.delegate
    if not delegate.is_its_own_sender:
        why = (
            f"the policies of account {arn.account} are sealed to this relay, and mail of delegate {delegate.name} "
            "is not sent as its own principal"
        )
        advice = 'Give the delegate a role_arn or principal = "caller", so that SES itself judges it.'
        return Ungoverned(Lack.NAMED, why, (advice, f"Or let the relay read the policies of account {arn.account}."))
    return Governing(
        Identity(arn, verified=True), (), f"{arn.name} governs; {how}, and its owner is sealed", sealed=True
    )


def pinned(address: Address, choice: Choice) -> list[IdentityArn]:
    """Find the sealed identities among the delegate's ``allow_source_arns`` that cover *address*."""
    return [arn for arn in _sealed_pins(choice) if covers(arn, address)]


def could_be_sealed(address: Address, choice: Choice) -> bool:
    """Whether an ARN in the message might name a sealed identity for *address* that this delegate may use."""
    if not choice.rules.sealed or not choice.delegate.is_its_own_sender:
        return False
    return not choice.delegate.allow_source_arns or bool(pinned(address, choice))


def covers(arn: IdentityArn, address: Address) -> bool:
    """
    Whether an identity so named may permit mail of *address*: it is its domain, a parent domain, or equal to it.

    Narrower than :meth:`IdentityArn.covers`: an address identity grants only its exact spelling, for it is not
    documented which spellings SES takes for the same.
    """
    return arn.name == str(address) if arn.is_address else arn.covers(address)


def _sealed_pins(choice: Choice) -> Iterator[IdentityArn]:
    if not choice.rules.sealed:
        return
    for text in choice.delegate.allow_source_arns:
        try:
            arn = parse_identity_arn(text)
        except ArnProblem:
            continue  # no identity is ever of this name
        if (arn.account, arn.region) in choice.rules.sealed:
            yield arn
