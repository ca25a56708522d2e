"""``policy plan`` and ``policy apply`` as they are typed, against an embedded SES that checks signatures and roles."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from relay.cli.policy import planning
from relay.identities import accounts
from relay.identities.ses_api import SesApi
from relay.localses.accounts import Accounts as Known
from relay.localses.app import LocalSes
from relay.localses.keys import Key
from relay.localses.sessions import Role
from tests.localses.running import House
from tests.owner.at_ses import BILLING, KEY, OWNER, REGION, AtSes, at_ses, policy

SESSION = boto3.Session(KEY.id, KEY.secret)
OLD, NEW = policy(), policy(StringLike={"ses:FromAddress": "invoices*@example.com"})
Texts = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module")
def running() -> Iterator[AtSes]:
    with at_ses() as ses:
        yield ses


@pytest.fixture
def ses(running: AtSes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AtSes:
    """An embedded SES without identities that the environment leads to; nobody waits a second for it."""
    monkeypatch.setattr(accounts, "OneASecond", accounts.AtOnce)
    monkeypatch.setattr(boto3, "Session", lambda *_keys: SESSION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.door.url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    running.door.local("PUT", "faults", {})
    for listed in running.api().identities():
        running.api().call("delete_email_identity", EmailIdentity=listed.name)
    return running


def put(root: Path, texts: Texts, *place: str) -> Path:
    """Make the folder hold exactly these texts."""
    account, region = place or (OWNER, REGION)
    for name, policies in texts.items():
        folder = root / account / region / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for policy_name, text in policies.items():
            (folder / f"{policy_name}.json").write_text(text)
    return root


def at(ses: AtSes, name: str = "example.com") -> dict[str, str]:
    return ses.api().policies(name)


SETTINGS = """
[[listener]]
address = "127.0.0.1:2525"
require_auth = false

[[delegate]]
name = "billing"
principal = "arn:aws:iam::111111111111:user/billing"
trusted_networks = ["127.0.0.0/8"]

[[delegate]]
name = "intern"
principal = "arn:aws:iam::333333333333:user/intern"
trusted_networks = ["10.1.0.0/16"]

[delivery]
mode = "direct"

[ses]
region = "us-east-1"
"""


# --- plan -------------------------------------------------------------------------------------------------------------


def test_a_plan_shows_each_change_what_it_means_and_the_order(run, ses, tmp_path):
    ses.holds("example.com", changed=OLD, gone=policy(effect="Deny"))
    ses.holds("other.example", b=policy(identity="other.example"))
    put(tmp_path / "policies", {"example.com": {"changed": NEW, "new": NEW.replace("invoices", "bills")}})
    (tmp_path / "relay.toml").write_text(f'{SETTINGS}\n[[policies.owner]]\naccount = "{OWNER}"\n')

    result = run("policy", "plan", "policies", "-c", "relay.toml")

    assert (result.exit_code, result.stderr) == (2, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "example.com (888888888888 us-east-1)"
    assert {"change changed", "add new", "delete gone"} <= set(lines)
    assert '+          "ses:FromAddress": "invoices*@example.com"' in lines
    assert '-      "Effect": "Deny",' in lines
    assert "  billing gains From invoices*@example.com; From bills*@example.com" in lines
    assert "  unchanged for 1 delegate: no statement is about them" in lines
    assert lines[lines.index("In this order:") + 1 :][:3] == [
        "   1  add     example.com  new",
        "   2  change  example.com  changed",
        "   3  delete  example.com  gone",
    ]
    assert lines[-2:] == [
        "not in the folder, left alone: arn:aws:ses:us-east-1:888888888888:identity/other.example (b)",
        "1 identity: 1 to add, 1 to change, 1 to delete, 0 the same, about 9 s at one call a second",
    ]
    assert at(ses) == {"changed": OLD, "gone": policy(effect="Deny")}


def test_a_plan_in_a_pipe_is_plain_and_one_on_a_terminal_is_coloured(run, ses, tmp_path):
    ses.holds("example.com")
    put(tmp_path / "policies", {"example.com": {"a": OLD}})
    plain, coloured = run("policy", "plan", "policies"), run("policy", "plan", "policies", color=True)
    assert "\x1b" not in plain.stdout
    assert "\x1b[32m+{\x1b[0m" in coloured.stdout


def test_what_is_there_as_it_is_wanted_is_nothing_to_do(run, ses, tmp_path):
    ses.holds("example.com", a=OLD)
    put(tmp_path / "policies", {"example.com": {"a": json.dumps(json.loads(OLD), indent=2)}})
    result = run("policy", "plan", "policies")
    assert (result.exit_code, result.stdout) == (0, "1 identity: nothing to do, 1 the same\n")


def test_an_error_that_lint_finds_ends_it_before_ses_is_asked(run, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    put(tmp_path / "policies", {"example.com": {"a": OLD.replace("888888888888", "999999999999")}})
    for command in ("plan", "apply"):
        result = run("policy", command, "policies")
        assert result.exit_code == 1
        assert "policies/888888888888/us-east-1/example.com/a.json:1:" in result.stderr
        assert result.stderr.endswith("nothing was asked of SES\n")


def test_what_is_no_policy_ends_it_too(run, tmp_path):
    put(tmp_path / "policies", {"example.com": {"a": OLD}})
    (tmp_path / "policies" / OWNER / REGION / "example.com" / "b.txt").write_text(OLD)
    result = run("policy", "plan", "policies")
    assert result.exit_code == 1
    assert "error: example.com/b.txt: a policy is a file NAME.json" in result.stderr


def test_identities_that_cannot_have_them_are_problems(run, ses, tmp_path):
    ses.holds("example.com")
    put(tmp_path / "policies", {"example.com": {"a": OLD}, "nowhere.example": {}})
    for command in (("plan", "policies"), ("apply", "policies", "--yes")):
        result = run("policy", *command)
        assert result.exit_code == 1
        assert "identity/nowhere.example: SES has no such identity" in result.stdout
        assert "2 identities: 1 to add, 1 problem, 0 the same" in result.stdout
    assert at(ses) == {}


def test_a_folder_without_the_account_that_was_named_is_wrong_usage(run, tmp_path):
    put(tmp_path / "policies", {"example.com": {}})
    assert run("policy", "plan", "policies", "--account", "111111111111").exit_code == 2
    assert run("policy", "plan", "policies", "--region", "eu-west-1").exit_code == 2


def test_json_and_the_file_are_the_same_plan(run, ses, tmp_path):
    ses.holds("example.com", gone=OLD)
    put(tmp_path / "policies", {"example.com": {"a": NEW}})
    result = run("policy", "plan", "policies", "--json", "--out", "plan.json")
    told = json.loads(result.stdout)
    assert result.exit_code == 2
    assert told == json.loads((tmp_path / "plan.json").read_text())
    assert [(change["do"], change["policy"]) for change in told["changes"]] == [("add", "a"), ("delete", "gone")]


def test_identities_beyond_the_folder_are_not_looked_at_when_not_asked_for(run, ses, tmp_path):
    ses.holds("example.com")
    ses.holds("other.example", b=policy(identity="other.example"))
    put(tmp_path / "policies", {"example.com": {}})
    result = run("policy", "plan", "policies", "--no-others")
    assert result.stdout == "not in the folder, not looked at: other.example\n1 identity: nothing to do, 0 the same\n"


def test_many_beyond_the_folder_are_spoken_of_before_they_are_looked_at(run, ses, tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "_MANY", 1)
    for name in ("example.com", "a.example", "b.example"):
        ses.holds(name)
    put(tmp_path / "policies", {"example.com": {}})
    result = run("policy", "plan", "policies")
    assert result.stderr == "looking at 2 identities beyond the folder, one a second; --no-others leaves them\n"
    assert run("policy", "plan", "policies", "--no-others").stderr == ""


def test_ses_out_of_reach_is_told(run, ses, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    put(tmp_path / "policies", {"example.com": {}})
    monkeypatch.setattr(accounts.Accounts.__init__, "__kwdefaults__", {**_defaults(), "tries": 1})
    result = run("policy", "plan", "policies")
    assert result.exit_code == 1
    assert "EndpointConnectionError" in result.stderr


def _defaults() -> dict[str, Any]:
    return dict(accounts.Accounts.__init__.__kwdefaults__ or {})


# --- apply ------------------------------------------------------------------------------------------------------------


def test_apply_brings_the_folder_to_ses_and_keeps_old_texts(run, ses, tmp_path):
    ses.holds("example.com", changed=OLD, gone=OLD)
    ses.holds("other.example", b=policy(identity="other.example"))
    put(tmp_path / "policies", {"example.com": {"changed": NEW, "new": NEW}})

    result = run("policy", "apply", "policies", "--yes")

    assert result.exit_code == 0, result.output
    assert at(ses) == {"changed": NEW, "new": NEW}
    assert at(ses, "other.example") == {"b": policy(identity="other.example")}
    done = [line for line in result.stdout.splitlines() if line.startswith("done")]
    assert [line.partition("  (")[0] for line in done] == [
        "done  add     example.com  new",
        "done  change  example.com  changed",
        "done  delete  example.com  gone",
    ]
    kept = sorted((tmp_path / "state" / "ses-relay" / "policies" / OWNER / REGION / "example.com").iterdir())
    assert [(path.name.partition(".")[0], path.read_text()) for path in kept] == [("changed", OLD), ("gone", OLD)]
    assert run("policy", "plan", "policies").exit_code == 0


def test_apply_asks_and_a_no_changes_nothing(run, ses, tmp_path):
    ses.holds("example.com")
    put(tmp_path / "policies", {"example.com": {"a": OLD}})
    no, yes = (run("policy", "apply", "policies", input=f"{answer}\n") for answer in ("n", "y"))
    assert (no.exit_code, yes.exit_code) == (1, 0)
    assert "Make this change? [y/N]" in no.stderr
    assert at(ses) == {"a": OLD}


def test_nothing_to_do_is_not_asked_about(run, ses, tmp_path):
    ses.holds("example.com", a=OLD)
    result = run("policy", "apply", str(put(tmp_path / "policies", {"example.com": {"a": OLD}})))
    assert (result.exit_code, result.stdout) == (0, "1 identity: nothing to do, 1 the same\n")


def test_json_says_what_was_done(run, ses, tmp_path):
    ses.holds("example.com", a=OLD)
    put(tmp_path / "policies", {"example.com": {"a": NEW}})
    assert run("policy", "apply", "policies", "--json").exit_code == 2
    told = json.loads(run("policy", "apply", "policies", "--json", "--yes").stdout)
    assert [(one["do"], one["policy"], one["result"]) for one in told["done"]] == [("change", "a", "replaced")]
    assert Path(told["done"][0]["backup"]).read_text() == OLD
    assert (told["left"], told["stopped"]) == ([], None)


THREE = {"example.com": {"a": OLD, "b": OLD, "c": OLD}}


def during(monkeypatch: pytest.MonkeyPatch, number: int, happen: Callable[[], None]) -> None:
    """Let something happen right after the writing of policy *number*, from 1."""
    writings, create = Counter[str](), SesApi.create_policy

    def creating(self: SesApi, *what: str) -> None:
        create(self, *what)
        writings["made"] += 1
        if writings["made"] == number:
            happen()

    monkeypatch.setattr(SesApi, "create_policy", creating)


@pytest.mark.parametrize("name", ["b", "z"])
def test_a_surprise_ends_it_with_what_is_done_and_left(run, ses, tmp_path, monkeypatch, name):
    """Be it the policy itself, or another of the same identity."""
    ses.holds("example.com")
    put(tmp_path / "policies", THREE)
    during(monkeypatch, 1, lambda: ses.holds("example.com", **{name: NEW}))

    result = run("policy", "apply", "policies", "--yes")

    assert result.exit_code == 1
    assert at(ses) == {"a": OLD, name: NEW}
    stopped, counts, *left, again = result.stderr.splitlines()
    assert stopped.startswith("stopped: policy ")
    assert name in stopped
    assert counts == "1 done, 2 left:"
    assert left == ["left  add     example.com  b", "left  add     example.com  c"]
    assert again == "run it again to go on from here"


def test_an_interruption_lets_the_policy_under_way_end_and_the_next_run_goes_on(run, ses, tmp_path, monkeypatch):
    ses.holds("example.com")
    put(tmp_path / "policies", THREE)
    during(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)

    first = run("policy", "apply", "policies", "--yes")
    second = run("policy", "apply", "policies", "--yes")

    assert first.exit_code == 1
    assert "interrupted: the policy under way comes to its end first" in first.stderr
    assert "2 done, 1 left:" in first.stderr
    assert [line for line in second.stdout.splitlines() if line.startswith("done")] == ["done  add     example.com  c"]
    assert (second.exit_code, at(ses)) == (0, THREE["example.com"])
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interruption_ends_it_at_once(run, ses, tmp_path, monkeypatch):
    ses.holds("example.com")
    put(tmp_path / "policies", THREE)

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    during(monkeypatch, 2, twice)
    result = run("policy", "apply", "policies", "--yes")
    assert result.exit_code == 1
    assert "stopped: interrupted in the middle of a step" in result.stderr
    assert run("policy", "apply", "policies", "--yes").exit_code == 0
    assert at(ses) == THREE["example.com"]


def test_throttling_is_waited_out_and_an_answer_that_is_lost_is_looked_after(run, ses, tmp_path, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(accounts.Accounts.__init__, "__kwdefaults__", {**_defaults(), "sleep": waits.append})
    ses.holds("example.com")
    put(tmp_path / "policies", THREE)
    ses.fails("CreateEmailIdentityPolicy", code="TooManyRequestsException", status=429, times=2)
    assert run("policy", "apply", "policies", "--yes").exit_code == 0
    assert waits == [1.0, 2.0]
    put(tmp_path / "policies", {"example.com": {"d": OLD}})
    ses.fails("DeleteEmailIdentityPolicy", drop="after", times=1)
    assert run("policy", "apply", "policies", "--yes").exit_code == 0
    assert at(ses) == {"d": OLD}


def test_what_ses_refuses_ends_it(run, ses, tmp_path):
    ses.holds("example.com")
    put(tmp_path / "policies", THREE)
    ses.fails("CreateEmailIdentityPolicy", code="BadRequestException", message="no", status=400, times=1)
    result = run("policy", "apply", "policies", "--yes", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["done"], len(told["left"])) == (1, [], 3)
    assert "BadRequestException: no" in told["stopped"]


CROSSED: list[dict[str, tuple[str, ...]]] = [
    {"a": ("Allow", "ceo*", "Deny", "x@*"), "b": ("Deny", "ceo*", "Allow", "x@*")},
    {"a": ("Allow", "ann@*"), "b": ("Allow", "b@*")},
]


def crossed(policies: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {
        name: json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        **json.loads(policy(effect=effect))["Statement"][0],
                        "Condition": {"StringLike": {"ses:FromAddress": f"{authors}"}},
                    }
                    for effect, authors in zip(words[::2], words[1::2], strict=True)
                ],
            }
        )
        for name, words in policies.items()
    }


def test_policies_that_wait_for_each_other_are_held_and_an_interrupted_hold_is_told_and_ended(
    run, ses, tmp_path, monkeypatch
):
    before, after = crossed(CROSSED[0]), crossed(CROSSED[1])
    ses.holds("example.com", **before)
    put(tmp_path / "policies", {"example.com": after})
    update, writings = SesApi.update_policy, Counter[str]()

    def updating(self: SesApi, *what: str) -> None:
        update(self, *what)
        writings["made"] += 1
        if writings["made"] == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(SesApi, "update_policy", updating)
    planned, first = run("policy", "plan", "policies"), run("policy", "apply", "policies", "--yes")
    held = json.loads(at(ses)["a"])["Statement"][0]
    second = run("policy", "apply", "policies", "--yes")

    assert "example.com is refused for about 9 seconds." in " ".join(planned.stdout.split())
    assert (held["Effect"], held["Principal"]) == ("Deny", {"AWS": ["111111111111"]})
    assert "held, mail is refused until it goes on: example.com" in first.stderr
    assert (first.exit_code, second.exit_code, at(ses)) == (1, 0, after)


# --- apply --plan -----------------------------------------------------------------------------------------------------


@pytest.fixture
def planned(run: Any, ses: AtSes, tmp_path: Path) -> Path:
    """A plan in a file."""
    ses.holds("example.com", a=OLD)
    put(tmp_path / "policies", {"example.com": {"a": NEW, "b": OLD}})
    assert run("policy", "plan", "policies", "--out", "plan.json").exit_code == 2
    return tmp_path / "plan.json"


def test_a_plan_is_carried_out_and_again_it_is_nothing(run, ses, planned):
    for _ in range(2):
        assert run("policy", "apply", "policies", "--yes", "--plan", planned).exit_code == 0
        assert at(ses) == {"a": NEW, "b": OLD}


def test_a_plan_is_refused_when_ses_has_changed(run, ses, planned):
    ses.holds("example.com", a=policy("ses:SendEmail"))
    result = run("policy", "apply", "policies", "--yes", "--plan", planned)
    assert result.exit_code == 1
    assert "policy a of arn:aws:ses:us-east-1:888888888888:identity/example.com: SES has another text" in result.stderr
    assert "plan again" in result.stderr
    assert set(at(ses)) == {"a"}


def test_a_plan_is_refused_when_the_folder_has_changed(run, ses, planned, tmp_path):
    put(tmp_path / "policies", {"example.com": {"a": NEW, "b": NEW}})
    result = run("policy", "apply", "policies", "--yes", "--plan", planned)
    assert result.exit_code == 1
    assert "the folder has changed" in result.stderr
    assert at(ses) == {"a": OLD}


def test_what_is_no_plan_is_wrong_usage(run, ses, planned):
    planned.write_text("{}")
    assert run("policy", "apply", "policies", "--yes", "--plan", planned).exit_code == 2


# --- many of them -----------------------------------------------------------------------------------------------------


ONE_A_SECOND = accounts.OneASecond


class Time:
    """A clock that nobody waits for."""

    now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_two_hundred_identities_at_one_call_a_second(run, ses, tmp_path, monkeypatch):
    time = Time()
    monkeypatch.setattr(accounts, "OneASecond", lambda: ONE_A_SECOND(clock=time.clock, sleep=time.sleep))
    names = [f"d{number}.example" for number in range(200)]
    for name in names:
        ses.api().call("create_email_identity", EmailIdentity=name)
    put(tmp_path / "policies", {name: {"a": policy(identity=name)} for name in names[:20]})
    put(tmp_path / "policies", {name: {} for name in names[20:]})

    result = run("policy", "plan", "policies")
    read = time.now
    applied = run("policy", "apply", "policies", "--yes")

    assert result.stdout.splitlines()[-1] == ("200 identities: 20 to add, 0 the same, about 60 s at one call a second")
    assert read == 200  # a list and 200 identities, one at once and then one a second
    assert time.now - read == 200 + 3 * 20
    assert applied.exit_code == 0


# --- accounts and regions ---------------------------------------------------------------------------------------------


OURS = Key("AKIARELAY", "relay-secret", "arn:aws:iam::999999999999:user/relay")
OWNERS = ("888888888888", "777777777777")
ROLES = [f"arn:aws:iam::{owner}:role/policies" for owner in OWNERS]


def test_accounts_and_regions_each_by_their_role(run, tmp_path, monkeypatch):
    monkeypatch.setattr(accounts, "OneASecond", accounts.AtOnce)
    monkeypatch.setattr(accounts.Accounts.__init__, "__kwdefaults__", {**_defaults(), "new_session": _ours})
    known = Known((OURS, *(Key(f"K{n}", "s", f"arn:aws:iam::{o}:root") for n, o in enumerate(OWNERS))), ())
    house = House()
    roles = tuple(Role(role, ("999999999999",)) for role in ROLES)
    places = [(owner, region) for owner in OWNERS for region in ("us-east-1", "eu-west-1")]
    with house.running(LocalSes(known.keys, roles=roles)) as door:
        owners = "".join(
            f'[[policies.owner]]\naccount = "{owner}"\nregions = ["us-east-1", "eu-west-1"]\nrole_arn = "{role}"\n'
            for owner, role in zip(OWNERS, ROLES, strict=True)
        )
        (tmp_path / "relay.toml").write_text(f'{SETTINGS}endpoint_url = "{door.url}"\n{owners}')
        for number in range(len(OWNERS)):
            for region in ("us-east-1", "eu-west-1"):
                door.client("sesv2", f"K{number}", "s", region).create_email_identity(EmailIdentity="example.com")
        for place in places:
            put(tmp_path / "policies", {"example.com": {"a": _policy_of(*place)}}, *place)

        one = run("policy", "apply", "policies", "-c", "relay.toml", "--region", "eu-west-1", "--yes")
        rest = run("policy", "apply", "policies", "-c", "relay.toml", "--yes", "--json")
        plan = run("policy", "plan", "policies", "-c", "relay.toml")
    house.close()

    assert one.exit_code == 0, one.output
    assert one.stdout.count("done") == 2
    assert [step["identity"].split(":")[3:5] for step in json.loads(rest.stdout)["done"]] == [
        ["us-east-1", "777777777777"],
        ["us-east-1", "888888888888"],
    ]
    assert (plan.exit_code, plan.stdout) == (0, "4 identities: nothing to do, 4 the same\n")


def _ours() -> boto3.Session:
    return boto3.Session(OURS.id, OURS.secret)


def _policy_of(account: str, region: str) -> str:
    return policy(account=account, principal=BILLING).replace(f":{REGION}:", f":{region}:")
