"""What the answer of an identity's policies is worth for a delegate: of a whole account, and of the owner's own."""

from relay.judgement.context import caller_of
from relay.judgement.verdicts import Verdict
from relay.policy.answers import Decision as Answer
from relay.policy.answers import Evaluation
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate


def verdict_of(evaluation: Evaluation, delegate: Delegate, arn: IdentityArn) -> Verdict:
    """
    Read a verdict off what the policies of *arn* answer.

    A grant to a whole account only lets that account's administrators grant (IAM User Guide, "AWS JSON policy elements:
    Principal"). It counts where SES will ask them, for a role, or where the operator vouches for them.
    """
    match evaluation.decision:
        case Answer.ALLOW:
            counts = evaluation.grant != "account" or delegate.account_grant or delegate.role is not None
            return Verdict.ALLOWED if counts or is_vouched_for(delegate, arn) else Verdict.NOT_ALLOWED
        case Answer.EXPLICIT_DENY:
            return Verdict.DENIED
        case Answer.IMPLICIT_DENY:
            return Verdict.ALLOWED if is_vouched_for(delegate, arn) else Verdict.NOT_ALLOWED
        case Answer.UNDECIDED:
            return Verdict.UNDECIDED


def is_vouched_for(delegate: Delegate, arn: IdentityArn) -> bool:
    """
    Whether the delegate may use *arn* unless its policies deny: it lives in the account that owns it, and the operator
    named the identity (``same_account = "allow-unless-denied"``).

    Inside one account an Allow in the delegate's own IAM policies is enough, and one Deny anywhere is too much (IAM
    User Guide, "Policy evaluation logic"). The relay cannot see the former: the operator vouches for it.
    """
    if delegate.same_account != "allow-unless-denied":
        return False
    if arn.name not in delegate.allow_identities and str(arn) not in delegate.allow_identities:
        return False
    caller = caller_of(delegate)
    return caller.account == arn.account and caller.partition in (None, arn.partition)
