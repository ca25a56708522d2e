"""The configuration sets that delegates name: there, where their mail goes, and whether they publish events."""

from collections.abc import Iterator, Sequence

from relay.identities.accounts import AwsProblem
from relay.identities.names import partition_of
from relay.identities.ses_api import NOT_FOUND
from relay.owner.doctor import iam
from relay.owner.doctor.account import is_denied
from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok
from relay.owner.doctor.setup import Means, Setup

CHECK = "configuration-set"
_ASKED = ("ses:GetConfigurationSet", "ses:GetConfigurationSetEventDestinations")


def look_at_sets(setup: Setup, means: Means) -> Iterator[Look]:
    """Look at each set of the delegates whose mail is sent as the relay, once, in every region."""
    own = [each for each in setup.delegates if each.role is None]
    for name in dict.fromkeys(name for each in own for name in each.configuration_sets):
        users = [each.name for each in own if name in each.configuration_sets]
        yield _look(means, name, setup.regions(), ", ".join(users))
    known = {name for each in own for name in each.configuration_sets}
    theirs = {name: each for each in setup.delegates if each.role for name in each.configuration_sets}
    for name, delegate in theirs.items():
        if name not in known:
            yield _not_ours(name, delegate.name)


def _not_ours(name: str, user: str) -> Look:
    why = f"it is one of the account of {user}'s role, which may send and need not do more"
    return Look((CHECK,), lambda: [not_checked(CHECK, why, name)], name)


def _look(means: Means, name: str, regions: Sequence[str], users: str) -> Look:
    return Look((CHECK,), lambda: _findings(means, name, regions, users), name, (("credentials", ""),), asks="aws")


def _findings(means: Means, name: str, regions: Sequence[str], users: str) -> Iterator[Finding]:
    for region in regions:
        yield _in_region(means, name, region, users)


def _in_region(means: Means, name: str, region: str, users: str) -> Finding:
    caller = means.known_caller()
    try:
        means.own.call(caller.account, region, "sesv2.get_configuration_set", ConfigurationSetName=name)
        told = means.own.call(
            caller.account, region, "sesv2.get_configuration_set_event_destinations", ConfigurationSetName=name
        )
    except AwsProblem as problem:
        if problem.code == NOT_FOUND:
            fix = f"aws sesv2 create-configuration-set --configuration-set-name {name} --region {region}"
            return failing(CHECK, f"there is none in {region}; {users} would use it", fix, name)
        arn = f"arn:{partition_of(region)}:ses:{region}:{caller.account}:configuration-set/{name}"
        fix = iam.added_to(caller.arn, [iam.statement(_ASKED, [arn])]) if is_denied(problem) else ""
        return not_checked(CHECK, str(problem), name, fix)
    events = [each for each in told.get("EventDestinations", ()) if each.get("Enabled")]
    if any({"BOUNCE", "COMPLAINT"} <= set(each.get("MatchingEventTypes", ())) for each in events):
        means.with_events.add(name)
    return ok(CHECK, f"in {region}, {len(events)} event destination{'s' if len(events) != 1 else ''}", name)
