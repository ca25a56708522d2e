"""What statements let do (SES Developer Guide, "Policy anatomy"; IAM User Guide, "Action")."""

from collections.abc import Iterator, Sequence

from relay.policy.actions import compile_actions, is_action
from relay.policy.lint.findings import Remark
from relay.policy.lint.ses_actions import ALL, MANAGEMENT, OF_IDENTITIES, RAW, SENDING
from relay.policy.lint.views import PolicyView, Spelled, StatementView
from relay.policy.lint.wording import did_you_mean, listed, quoted
from relay.policy.truths import YES


def check_actions(view: PolicyView) -> Iterator[Remark]:
    """The actions of each statement, one by one and together."""
    for statement in view.statements:
        wrong = [remark for action in statement.actions for remark in _one(action)]
        yield from wrong
        whole = not any(remark.code in ("bad-action", "unknown-action") for remark in wrong)
        if statement.action == "Action" and statement.actions and whole:
            yield from _together(statement, view)


def _one(action: Spelled) -> Iterator[Remark]:
    text, path = action.text, action.path
    service, _, name = text.rpartition(":")
    meant = did_you_mean(f"ses:{name}", ALL)
    if not is_action(text):
        yield Remark("bad-action", path, f"{quoted(text)} is no action: it is service:Name or *.", meant)
    elif text != "*" and service.lower() != "ses":
        yield Remark(
            "unknown-action", path, f"{quoted(text)} is an action of another service, which SES refuses.", meant
        )
    elif not _named([text], ALL):
        what = "No action of SES matches" if "*" in text or "?" in text else "SES has no action"
        yield Remark("unknown-action", path, f"{what} {quoted(text)}.", meant)
    elif not _named([text], OF_IDENTITIES):
        message = f"{quoted(text)} is not among the actions that SES lists for policies of identities."
        yield Remark("action-not-for-identities", path, message)


def _together(statement: StatementView, view: PolicyView) -> Iterator[Remark]:
    path, named = statement.place("Action"), actions_named(statement)
    sends = [name for name in SENDING if name in named]
    if sends and RAW not in sends:
        yield from _without_raw(statement, view, path, sends)
    elif is_about_management(statement):
        yield Remark("management-only", path, "The statement is about managing the identity, not about sending.")
    for action in statement.actions if statement.effect == "Allow" else ():
        if "*" in action.text and _named([action.text], MANAGEMENT):
            message = f"{quoted(action.text)} allows more than to send: to change or delete the identity as well."
            yield Remark("all-actions", action.path, message)


def _without_raw(statement: StatementView, view: PolicyView, path: str, sends: Sequence[str]) -> Iterator[Remark]:
    if statement.effect is None or any(_gives_raw(other, statement) for other in view.statements):
        return
    does = "denied" if statement.effect == "Deny" else "allowed"
    message = f"Mail by SMTP is sent with {RAW}; only {listed(sends)} {'is' if len(sends) == 1 else 'are'} {does} here."
    yield Remark("no-raw-sending", path, message)


def _gives_raw(other: StatementView, statement: StatementView) -> bool:
    """Whether *other* says of SendRawEmail what *statement* leaves out, for some of the same principals."""
    if other.effect != statement.effect or RAW not in actions_named(other):
        return False
    named = {principal.text for principal in other.principals}
    return "*" in named or not named.isdisjoint(principal.text for principal in statement.principals)


def is_about_management(statement: StatementView) -> bool:
    """Whether it is about managing the identity, and not about sending."""
    named = actions_named(statement)
    return named.isdisjoint(SENDING) and not named.isdisjoint(MANAGEMENT)


def actions_named(statement: StatementView) -> frozenset[str]:
    """The actions of SES that *statement* is about, by all of its elements that are actions."""
    good = [action.text for action in statement.actions if is_action(action.text)]
    return _named(good, ALL, negated=statement.action == "NotAction") if good else frozenset()


def _named(patterns: Sequence[str], actions: Sequence[str], *, negated: bool = False) -> frozenset[str]:
    compiled = compile_actions(patterns, negated=negated)
    return frozenset(name for name in actions if compiled.match(name.lower()) == YES)
