"""A folder compared with SES: values in, a plan out; and a plan kept in a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from relay.identities.ses_api import Held
from relay.owner.folder import PolicyFolderProblem
from relay.owner.plan import Everything, Plan, make_plan
from relay.owner.plan_file import PlanFileProblem, Planned, changes_since, digest, read_plan, to_json
from relay.owner.steps import Step, hold_text, is_hold_text
from relay.owner.wanted import read_wanted
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from tests.owner.at_ses import BILLING, OWNER, REGION, policy

ARN = IdentityArn("aws", REGION, OWNER, "example.com")
OTHER = IdentityArn("aws", REGION, OWNER, "other.example")
CEO = IdentityArn("aws", REGION, OWNER, "ceo@example.com")
DELEGATES = (Delegate("billing", BILLING),)
OLD, NEW = policy(), policy(StringLike={"ses:FromAddress": "invoices*@example.com"})


def held(name: str = "example.com", *, verified: bool = True, **policies: str) -> Held:
    return Held(name, verified, "SUCCESS" if verified else "PENDING", policies, {})


def plan(wanted: dict[IdentityArn, dict[str, str]], at_ses: dict[IdentityArn, Held | None], **more: Any) -> Plan:
    return make_plan(Everything(wanted, at_ses, delegates=DELEGATES, **more))


def verbs(made: Plan) -> list[str]:
    return [f"{step.verb} {step.identity.name}/{step.name}" for step in made.steps]


def test_adds_changes_and_deletes_are_found_and_what_is_alike_is_the_same():
    laid_out = json.dumps(dict(reversed(json.loads(OLD).items())), indent=4)
    made = plan(
        {ARN: {"new": NEW, "changed": NEW, "alike": laid_out}},
        {ARN: held(gone=OLD, changed=OLD, alike=OLD)},
    )
    assert sorted(verbs(made)) == ["add example.com/new", "change example.com/changed", "delete example.com/gone"]
    assert (made.same, made.identities, made.problems) == (1, 1, ())


def test_nothing_to_do_is_no_step_and_takes_no_time():
    made = plan({ARN: {"a": OLD}}, {ARN: held(a=OLD)})
    assert (made.changes, made.steps, made.seconds, made.same) == ([], (), 0, 1)


def test_an_empty_folder_takes_all_policies_away_and_no_folder_takes_none():
    made = plan({ARN: {}}, {ARN: held(a=OLD), OTHER: held("other.example", b=OLD)})
    assert verbs(made) == ["delete example.com/a"]
    assert made.left_alone == {OTHER: ("b",)}


def test_identities_without_policies_or_a_folder_are_not_spoken_of():
    made = plan({ARN: {}}, {ARN: held(), OTHER: held("other.example")}, unseen=[CEO])
    assert made.left_alone == {}
    assert made.unseen == (CEO,)


def test_an_identity_that_ses_does_not_have_is_a_problem():
    made = plan({ARN: {"a": OLD}, OTHER: {}}, {ARN: None, OTHER: held("other.example")})
    assert made.problems == (f"{ARN}: SES has no such identity; ses-relay identity create {ARN.name} makes it",)
    assert made.changes == []


def test_another_spelling_of_it_is_named():
    spelled = IdentityArn("aws", REGION, OWNER, "Example.com")
    made = plan({spelled: {}}, {spelled: None}, unseen=[ARN])
    assert made.problems[0].endswith(
        "SES has no such identity; there is example.com, and names are compared letter by letter"
    )


def test_an_identity_that_is_not_verified_is_a_problem():
    made = plan({ARN: {"a": OLD}}, {ARN: held(verified=False)})
    assert made.problems == (f"{ARN}: it is not verified (PENDING), and the folder says that it is",)
    assert made.changes == []


def test_delegates_hear_what_it_means_for_them():
    made = plan({ARN: {"a": NEW}}, {ARN: held()})
    assert [str(effect) for effect in made.changed[0].effects] == ["gains From invoices*@example.com"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"a": OLD}, "its policies take the place of its domain's from now on"),
        ({"a": OLD}, {}, "without policies of its own, those of its domain decide from now on"),
    ],
)
def test_the_first_and_the_last_policy_of_an_address_do_more_than_they_say(before, after, said):
    assert plan({CEO: after}, {CEO: held("ceo@example.com", **before)}).changed[0].remarks == (said,)


# --- folders ----------------------------------------------------------------------------------------------------------


def folder(root: Path, **files: str | bytes) -> Path:
    place = root / OWNER / REGION / "example.com"
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / f"{name}.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def test_a_folder_is_read_octet_by_octet(tmp_path):
    wanted = read_wanted(folder(tmp_path, a=OLD + "\n", b=OLD), 0.0)
    assert wanted.texts == {ARN: {"a": OLD + "\n", "b": OLD}}
    assert wanted.problems == ()


def test_a_folder_without_policies_wants_none(tmp_path):
    assert read_wanted(folder(tmp_path), 0.0).texts == {ARN: {}}


def test_what_is_no_policy_is_a_problem_and_no_text(tmp_path):
    place = folder(tmp_path, good=OLD, latin=b'{"\xe9": 1}') / OWNER / REGION / "example.com"
    (place / "policy.txt").write_text(OLD)
    (place / "gone.json").symlink_to("nowhere")
    wanted = read_wanted(tmp_path, 0.0)
    assert wanted.texts == {ARN: {"good": OLD}}
    assert [problem.partition(": ")[0] for problem in wanted.problems] == [
        "example.com/gone",
        "example.com/latin",
        "example.com/policy.txt",
    ]


def test_a_folder_of_nothing_is_told(tmp_path):
    with pytest.raises(PolicyFolderProblem, match="holds no identity"):
        read_wanted(tmp_path, 0.0)
    with pytest.raises(PolicyFolderProblem, match="No such file"):
        read_wanted(tmp_path / "nowhere", 0.0)


# --- plans in files ---------------------------------------------------------------------------------------------------


WANTED = {ARN: {"new": NEW, "changed": NEW}}
AT_SES = held(changed=OLD, gone=OLD)


def kept() -> list[Planned]:
    return read_plan(json.dumps(to_json(plan(WANTED, {ARN: AT_SES}), 0.0)))


def since(wanted: dict[IdentityArn, dict[str, str]], at_ses: Held) -> list[str]:
    return [text.partition(": ")[2] for text in changes_since(kept(), plan(wanted, {ARN: at_ses}), wanted)]


def test_a_plan_is_read_as_it_was_written():
    assert kept() == [
        Planned(ARN, "changed", digest(OLD), digest(NEW)),
        Planned(ARN, "gone", digest(OLD), None),
        Planned(ARN, "new", None, digest(NEW)),
    ]


def test_a_plan_in_json_says_all():
    told = to_json(plan(WANTED, {ARN: AT_SES, OTHER: held("other.example", b=OLD)}), 1_790_000_000.0)
    assert (told["version"], told["made_at"], told["ok"], told["seconds"]) == (1, "2026-09-21T14:13:20Z", True, 9)
    assert [step["do"] for step in told["steps"]] == ["add", "change", "delete"]
    assert told["changes"][1]["diff"][:2] == ["--- SES", "+++ folder"]
    assert told["effects"][0]["delegate"] == "billing"
    assert told["left_alone"] == [{"identity": str(OTHER), "policies": ["b"]}]


def test_the_same_folder_and_ses_are_as_planned():
    assert since(WANTED, AT_SES) == []


def test_so_is_what_an_earlier_run_did_and_what_it_holds():
    assert since(WANTED, held(changed=NEW, gone=OLD)) == []
    assert since(WANTED, held(changed=hold_text(ARN, frozenset()), gone=OLD)) == []
    assert since(WANTED, held(changed=NEW, new=NEW)) == []


@pytest.mark.parametrize(
    ("wanted", "at_ses", "said"),
    [
        ({ARN: {"new": OLD, "changed": NEW}}, AT_SES, "the folder has changed"),
        ({ARN: {"changed": NEW}}, AT_SES, "the folder has changed"),
        ({ARN: {**WANTED[ARN], "gone": OLD}}, AT_SES, "the folder has changed"),
        (WANTED, held(changed=policy("ses:SendEmail"), gone=OLD), "SES has another text than when it was planned"),
        (WANTED, held(changed=OLD, gone=NEW), "SES has another text than when it was planned"),
        (
            WANTED,
            held(changed=OLD, gone=OLD, more=OLD),
            "nothing was planned for it, and now it is not as the folder has it",
        ),
    ],
)
def test_whatever_else_has_changed_is_told(wanted, at_ses, said):
    assert since(wanted, at_ses) == [said]


def test_an_identity_that_left_the_folder_is_told_of():
    made = plan({OTHER: {}}, {OTHER: held("other.example")})
    assert len(list(changes_since(kept(), made, {OTHER: {}}))) == 3


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 1, "changes": [{"policy": "a"}]}'])
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(PlanFileProblem, match="no plan"):
        read_plan(text)


def test_a_plan_of_another_version_is_refused():
    with pytest.raises(PlanFileProblem, match="of version 2; this program reads version 1"):
        read_plan('{"version": 2, "changes": []}')


# --- holds ------------------------------------------------------------------------------------------------------------


def test_a_hold_is_known_by_its_text():
    assert is_hold_text(hold_text(ARN, frozenset({"111111111111"})))
    assert not is_hold_text(OLD)
    assert not is_hold_text("{")


def test_a_hold_for_who_cannot_be_named_is_for_everybody():
    for people in (frozenset(), frozenset({"*"}), frozenset({"111111111111", "text ecs.amazonaws.com"})):
        assert json.loads(hold_text(ARN, people))["Statement"][0]["Principal"] == "*"
    many = frozenset(f"{number:012}" for number in range(101))
    assert len(hold_text(ARN, many)) < 4096


def test_a_step_says_what_is_done():
    assert [Step(ARN, "a", *ends).verb for ends in ((None, NEW), (OLD, NEW), (OLD, None))] == [
        "add",
        "change",
        "delete",
    ]
    assert Step(ARN, "a", OLD, NEW, is_hold=True).verb == "hold"
