"""The nearest miss: of the statements that did not let a message pass, the one that came closest; what it lacked."""

from relay.policy.answers import Decision as Answer
from relay.policy.answers import Evaluation, StatementTrace, Truth
from relay.words.apis import Api
from relay.words.values import dataclass

_STEPS = ("Principal", "NotAction", "Action", "NotResource", "Resource", "Condition")


@dataclass(frozen=True, slots=True)
class Miss:
    """
    What kept a message from passing.

    ``trace``: the statement concerned, None when there is none at all. ``by_account``: it applies, but grants only the
    caller's account. ``denies``: it is a Deny that applies. ``action``: what was asked for.
    """

    trace: StatementTrace | None
    by_account: bool = False
    denies: bool = False
    action: str = Api.RAW.action


def nearest_miss(evaluation: Evaluation) -> Miss:
    """
    Pick the miss to speak of, from an evaluation that was traced and did not end in a counted Allow.

    An explicit Deny comes first; then the Allow that got furthest: one that only an account grant or an unknown key
    holds back, one whose condition failed, and last one for other resources, actions or principals.
    """
    if evaluation.decision is Answer.EXPLICIT_DENY:
        denies = (trace for trace in evaluation.traces if trace.effect == "Deny" and trace.applies is not Truth.NO)
        return Miss(next(denies, None), denies=True, action=evaluation.action)
    allows = [trace for trace in evaluation.traces if trace.effect == "Allow"]
    if evaluation.decision is Answer.ALLOW:
        granting = next((trace for trace in allows if trace.applies is Truth.YES), None)
        return Miss(granting, by_account=True, action=evaluation.action)
    return Miss(max(allows, key=_progress, default=None), action=evaluation.action)


def certain_miss(evaluation: Evaluation) -> Miss:
    """Pick the miss of a request of which much is unknown yet: only a Deny that surely applies counts as one."""
    denies = (trace for trace in evaluation.traces if trace.effect == "Deny" and trace.applies is Truth.YES)
    if (deny := next(denies, None)) is not None:
        return Miss(deny, denies=True)
    allows = (trace for trace in evaluation.traces if trace.effect == "Allow" and trace.applies is Truth.NO)
    return Miss(max(allows, key=_progress, default=None))


def doubted_key(trace: StatementTrace) -> str | None:
    """Name the key on which a statement hangs though its value is known: AWS does not define what becomes of it."""
    mismatch = trace.mismatch
    if mismatch is None or mismatch.key is None or mismatch.found is None:
        return None
    return mismatch.key if mismatch.key.lower() in trace.unknown else None


def _progress(trace: StatementTrace) -> int:
    if trace.applies is not Truth.NO or trace.mismatch is None:
        return len(_STEPS)
    return _STEPS.index(trace.mismatch.element)
