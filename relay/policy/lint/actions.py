"""What statements let do (SES Developer Guide, "Policy anatomy"; IAM User Guide, "Action")."""

from collections.abc import Iterator
from typing import Final

from relay.policy.actions import Actions, compile_actions, is_action
from relay.policy.lint import ses_actions
from relay.policy.lint.findings import Remark
from relay.policy.lint.views import PolicyView, Spelled, StatementView
from relay.policy.lint.wording import did_you_mean, quoted
from relay.policy.truths import YES

_RAW: Final = f"ses:{ses_actions.RAW}"
_SENDING: Final = tuple(f"ses:{name}" for name in ses_actions.SENDING)
_MANAGEMENT: Final = tuple(f"ses:{name}" for name in ses_actions.MANAGEMENT)
_KNOWN: Final = frozenset(name.lower() for name in ses_actions.ALL)
_OF_IDENTITIES: Final = frozenset(name.lower() for name in ses_actions.OF_IDENTITIES)


def check_actions(view: PolicyView) -> Iterator[Remark]:
    """The actions of each statement, one by one and together."""
    for statement in view.statements:
        wrong = [remark for action in statement.actions for remark in _one(action)]
        yield from wrong
        whole = not any(remark.code in ("bad-action", "unknown-action") for remark in wrong)
        if statement.action == "Action" and statement.actions and whole:
            yield from _together(statement, view)


def _one(action: Spelled) -> Iterator[Remark]:
    text, lowered = action.text, action.text.lower()
    if not is_action(text):
        meant = text if ":" in text else f"ses:{text}"
        fix = did_you_mean(meant, ses_actions.ALL)
        yield Remark("bad-action", action.path, f"{quoted(text)} is no action: it is service:Name or *.", fix)
    elif text != "*" and not lowered.startswith("ses:"):
        fix = did_you_mean(f"ses:{text.partition(':')[2]}", _SENDING)
        message = f"{quoted(text)} is an action of another service, which SES refuses."
        yield Remark("foreign-action", action.path, message, fix)
    elif not any(_covers(text, name) for name in ses_actions.ALL):
        what = "No action of SES matches" if "*" in text or "?" in text else "SES has no action"
        fix = did_you_mean(text, ses_actions.ALL)
        yield Remark("unknown-action", action.path, f"{what} {quoted(text)}.", fix)
    elif lowered in _KNOWN and lowered not in _OF_IDENTITIES:
        message = f"{quoted(text)} is not among the actions that SES lists for policies of identities."
        yield Remark("action-not-for-identities", action.path, message)


def _covers(pattern: str, action: str) -> bool:
    return compile_actions([pattern], negated=False).match(action.lower()) == YES


def _together(statement: StatementView, view: PolicyView) -> Iterator[Remark]:
    actions = actions_of(statement)
    path = statement.place("Action")
    sends = [name for name in _SENDING if actions.match(name.lower()) == YES]
    manages = any(actions.match(name.lower()) == YES for name in _MANAGEMENT)
    if not sends and manages:
        yield Remark("management-only", path, "The statement is about managing the identity, not about sending.")
    elif sends and _RAW not in sends:
        yield from _without_raw(statement, view, path, sends)
    if statement.effect == "Allow" and manages:
        for action in statement.actions:
            if "*" in action.text and any(_covers(action.text, name) for name in _MANAGEMENT):
                message = f"{quoted(action.text)} allows more than to send: to change or delete the identity as well."
                yield Remark("all-actions", action.path, message)


def _without_raw(statement: StatementView, view: PolicyView, path: str, sends: list[str]) -> Iterator[Remark]:
    if any(_gives_raw(other, statement) for other in view.statements):
        return
    if statement.effect == "Deny":
        message = f"Only {', '.join(sends)} is denied; mail by SMTP is sent with {_RAW}."
        yield Remark("deny-misses-raw", path, message)
    elif statement.effect == "Allow":
        message = f"No mail by SMTP: that is {_RAW}, and only {', '.join(sends)} is allowed."
        yield Remark("no-raw-sending", path, message)


def _gives_raw(other: StatementView, statement: StatementView) -> bool:
    """Whether *other* says of SendRawEmail what *statement* leaves out, for some of the same principals."""
    if other.effect != statement.effect or other.action != "Action" or not other.actions:
        return False
    named = {principal.text for principal in other.principals}
    shared = "*" in named or not named.isdisjoint(principal.text for principal in statement.principals)
    return shared and actions_of(other).match(_RAW.lower()) == YES


def actions_of(statement: StatementView) -> Actions:
    """The actions of *statement* as far as they are actions, ready to match."""
    good = [action.text for action in statement.actions if is_action(action.text)]
    return compile_actions(good, negated=statement.action == "NotAction")


def actions_named(statement: StatementView) -> frozenset[str]:
    """The actions of SES that *statement* is about."""
    actions = actions_of(statement)
    return frozenset(name for name in ses_actions.ALL if actions.match(name.lower()) == YES)
