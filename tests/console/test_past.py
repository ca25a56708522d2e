"""``/api/decisions/ID/explanation``: the judge asked again about a message of the past, by the policies of then."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from relay.judgement.catalog import Catalog, Identity
from relay.judgement.rules import Rules
from relay.owner.past import MOST_RECIPIENTS
from relay.owner.policy_texts import PolicyTexts
from relay.past_desk import MOST_WAITING, PastDesk, Present
from relay.policy.document import parse_policy
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable
from tests.judgement.building import APP, NOW, OWNER, REGION, allow, catalog, delegate, identity, judge
from tests.observe.givens import record

TEXT = json.dumps({"Statement": [{**allow(StringEquals={"ses:FromAddress": "a@b.example"}), "Resource": "*"}]})
KNOWN = catalog(identity("example.com", allow(StringEquals={"ses:FromAddress": "other@example.com"})))
NOTHING = catalog(identity("example.com"))


def kept(known: Catalog = KNOWN, **changes: Any) -> dict[str, Any]:
    """The record of a message as *known* had it judged."""
    judgement = judge(known)
    roles = [
        {
            "role": str(each.role),
            "address": str(each.address),
            "identity": None if each.identity is None else str(each.identity),
            "chosen": each.chosen,
            "named": None,
            "agreeing": [],
            "digests": list(each.digests),
            "verdict": str(each.verdict),
            "deciding": [],
            "why": each.why,
        }
        for each in judgement.decisions
    ]
    told = {"delegate": "app", "principal": APP, "reverse_path": "app@example.com", "recipients": ["bob@rcpt.example"]}
    return record() | told | {"roles": roles, "display_name": None, "reason": str(judgement.reason)} | changes


async def explained(
    record_: dict[str, Any], known: Catalog = KNOWN, *, who: Delegate | None = None, texts: PolicyTexts | None = None
) -> dict[str, Any]:
    desk = PastDesk(Present(lambda name: who if name == "app" else None, Rules, lambda: known, texts))
    answer = await desk.explain(json.dumps(record_))
    assert isinstance(answer, str)
    told: dict[str, Any] = json.loads(answer)
    return told


async def test_it_is_judged_again_by_what_is_still_in_force():
    """Every statement is there, with what it wanted and what was found."""
    told = await explained(kept())
    [statement] = told["explanation"]["questions"][0]["asked"][0]["statements"]

    assert (told["not_judged_again"], told["policies_gone"], told["same_answer"]) == (None, [], True)
    assert told["explanation"]["verdict"] == "not-allowed"
    assert (statement["mismatch"]["wanted"], statement["mismatch"]["found"]) == (
        ["other@example.com"],
        ["app@example.com"],
    )
    assert told["explanation"]["questions"][0]["asked"][0]["nearest"] == {"policy": "p", "sid": "S0", "index": 0}


async def test_what_was_taken_away_is_read_where_texts_are_kept(tmp_path: Path):
    """The journal's file has every text that was in force."""
    policy = parse_policy("p", TEXT)
    owned = Identity(IdentityArn("aws", REGION, OWNER, "example.com"), True, (policy,), NOW)
    texts = PolicyTexts(tmp_path / "journal.db")
    assert texts.keep({policy.digest: TEXT}, catalog(owned), NOW) is None
    told = await explained(kept(catalog(owned)), NOTHING, texts=texts)

    assert (told["policies_gone"], told["same_answer"]) == ([], True)
    assert told["explanation"]["questions"][0]["asked"][0]["statements"][0]["mismatch"]["wanted"] == ["a@b.example"]


async def test_a_file_that_cannot_be_read_leaves_them_gone(tmp_path: Path):
    (tmp_path / "journal.db").write_text("no database at all, and long enough to be seen as none" * 40)
    told = await explained(kept(), NOTHING, texts=PolicyTexts(tmp_path / "journal.db"))

    assert told["policies_gone"] == kept()["roles"][0]["digests"]


async def test_what_nobody_has_any_more_is_named():
    """Where it might have mattered the judge cannot tell; that is said, too."""
    told = await explained(kept(), NOTHING)

    assert told["policies_gone"] == kept()["roles"][0]["digests"]
    assert (told["explanation"]["verdict"], told["same_answer"]) == ("undecided", False)


async def test_the_delegate_is_that_of_now_if_it_is_the_same_to_aws():
    """What its settings let count, counts; of another one the record tells."""
    grant = catalog(identity("example.com", allow("arn:aws:iam::111111111111:root")))
    old = kept(grant)
    now = await explained(old, grant, who=delegate(account_grant=True))
    other = await explained(old, grant, who=delegate("arn:aws:iam::222222222222:user/other"))

    assert (now["explanation"]["verdict"], now["same_answer"]) == ("allowed", False)
    assert (other["explanation"]["verdict"], other["explanation"]["delegate"]["principal"]) == ("not-allowed", APP)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"roles": [], "rule": "P3", "reason": "message-form"}, "refused for the form"),
        ({"roles": [], "reason": "size"}, "ended before a policy was asked"),
        ({"recipients": ["hash:0123"]}, "are hashed"),
        ({"redacted": ["recipients"]}, "kept without recipients"),
        ({"recipients": [f"r{number}@rcpt.example" for number in range(MOST_RECIPIENTS + 1)]}, "more than 100"),
        ({"schema": 99}, "later version"),
    ],
)
async def test_what_cannot_be_judged_again_says_why(changes, why):
    told = await explained(kept(**changes))

    assert why in told["not_judged_again"]
    assert (told["explanation"], told["same_answer"]) == (None, None)


async def test_what_only_ses_judged_is_not_judged_here():
    old = kept()
    for role in old["roles"]:
        role["verdict"] = "sealed"

    assert (await explained({**old, "reason": "none"}))["not_judged_again"] == "SES alone judged it"


async def test_too_many_at_once_are_told_to_come_again():
    """Each takes the interpreter from the mail."""
    desk = PastDesk(Present(lambda _: None, Rules, lambda: KNOWN))
    told = await asyncio.gather(*[desk.explain(json.dumps(kept())) for _ in range(MOST_WAITING + 2)])

    assert sum(isinstance(each, Unavailable) for each in told) == 2
