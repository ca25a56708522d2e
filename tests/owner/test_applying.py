"""Plans carried out at an embedded SES: from any state to any other, and never wider on the way."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.owner.applying import carry_out
from relay.owner.backups import Backup
from relay.owner.plan import Everything, Plan, make_plan
from relay.owner.putting import ChangedMeanwhile
from relay.words.arns import IdentityArn
from tests.owner.at_ses import OWNER, REGION, AtSes, at_ses, policy
from tests.owner.test_ordering import BELOW, CEO, DOMAIN, LABEL, STATES, State, allowed, written

ARN = IdentityArn("aws", REGION, OWNER, "example.com")
OLD, NEW = policy(), policy(StringLike={"ses:FromAddress": "invoices*@example.com"})


@pytest.fixture(scope="module")
def ses() -> Iterator[AtSes]:
    with at_ses() as ses:
        for identity in (DOMAIN, BELOW, CEO, LABEL):
            ses.holds(identity.name)
        yield ses


def state_of(ses: AtSes) -> dict[IdentityArn, dict[str, str]]:
    return {identity: ses.api().policies(identity.name) for identity in (DOMAIN, BELOW, CEO, LABEL)}


def make(ses: AtSes, wanted: State) -> None:
    """Bring SES to a state, in any order."""
    for identity, own in wanted.items():
        for name in ses.api().policies(identity.name):
            ses.api().delete_policy(identity.name, name)
        ses.holds(identity.name, **own)


def plan(ses: AtSes, wanted: State) -> Plan:
    return make_plan(Everything(wanted, {identity: ses.api().identity(identity.name) for identity in wanted}))


def apply(ses: AtSes, wanted: State, steps: int | None = None) -> Iterator[State]:
    """Plan and carry out so many steps; what SES has after each of them."""
    with TemporaryDirectory() as kept:
        made = carry_out(plan(ses, wanted).steps[:steps], ses.known, state_of(ses), Backup(Path(kept)))
        for _ in made:
            yield state_of(ses)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STATES, STATES, st.integers(0, 8))
def test_from_any_folder_to_any_other_interrupted_and_gone_on_with(ses, before, after, stopped):
    before, after = written(before), written(after)
    make(ses, before)
    ends = allowed(before) | allowed(after)
    for steps in (stopped, None):
        assert all(allowed(state) <= ends for state in apply(ses, after, steps))
    assert state_of(ses) == after
    assert plan(ses, after).steps == ()


def test_each_step_wants_all_policies_of_its_identity_as_they_were(ses, tmp_path):
    make(ses, {ARN: {"a": OLD, "b": OLD}})
    planned = plan(ses, {ARN: {"a": NEW, "b": OLD}})
    held: Mapping[IdentityArn, Mapping[str, str]] = {ARN: {"a": OLD, "b": OLD}}
    for other, said in (({"b": NEW}, "is another"), ({"c": OLD}, "is new")):
        make(ses, {ARN: {"a": OLD, "b": OLD, **other}})
        with pytest.raises(ChangedMeanwhile, match=f"of example.com {said} since the plan was made"):
            list(carry_out(planned.steps, ses.known, held, Backup(tmp_path)))
    make(ses, {ARN: {"a": OLD}})
    with pytest.raises(ChangedMeanwhile, match=r"policy b of example\.com is gone"):
        list(carry_out(planned.steps, ses.known, held, Backup(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_the_same_text_laid_out_otherwise_is_no_surprise(ses, tmp_path):
    make(ses, {ARN: {"a": OLD, "b": OLD}})
    steps = plan(ses, {ARN: {"a": NEW, "b": OLD}}).steps
    held = {ARN: {"a": OLD.replace(",", ", "), "b": OLD.replace(":", " : ", 1)}}
    assert len(list(carry_out(steps, ses.known, held, Backup(tmp_path)))) == 1
