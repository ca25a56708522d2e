"""
Scenes that end in every sentence the judge has: what was judged, by name. What is told of each stands in
``tests/cases/judgements.txt``, to be read as a client, an owner and an operator would; after a sentence was changed on
purpose ``python -m tests.judgement.scenes`` writes it anew.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from relay.judgement.catalog import Catalog
from relay.judgement.explanation import to_json
from relay.judgement.message import Bulk, judge_early
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Judgement, Role
from relay.mail.facts import DisplayName
from relay.words.addresses import NullPath
from relay.words.apis import LARGEST
from tests.judgement.building import (
    NOW,
    OWNER,
    REGION,
    address,
    allow,
    arn,
    catalog,
    delegate,
    deny,
    envelope,
    facts,
    identity,
    judge,
    policy,
    statement,
)

TOLD: Final = Path(__file__).parent.parent / "cases" / "judgements.txt"
OTHER = "arn:aws:iam::999999999999:user/other"
FRANKFURT = "eu-central-1"
SEALED = Rules(sealed=frozenset({("777777777777", REGION)}))
THEIRS = arn("sealed.example", account="777777777777")
Scene = Callable[[], Judgement | None]


def early(known: Catalog, path: str = "app@example.com", who: Any = None, rules: Rules | None = None) -> Any:
    reverse_path = NullPath.NULL if path == "<>" else address(path)
    return judge_early(reverse_path, who or delegate(), known, rules or Rules(), NOW)


def home(*statements: Mapping[str, Any], **more: Any) -> Catalog:
    """``example.com`` with a policy of these statements."""
    return catalog(identity("example.com", *statements, **more))


def asked(*statements: Mapping[str, Any], full: bool = True, **message: Any) -> Judgement:
    """A message to ``example.com`` with these statements, by a delegate that is told all."""
    found: Judgement = judge(home(*statements), facts(**message), who=delegate(reveal="full" if full else None))
    return found


def reading(condition: Mapping[str, Any], *recipients: str, rules: Rules | None = None, **message: Any) -> Judgement:
    path = envelope(recipients=recipients or ("bob@rcpt.example",))
    found: Judgement = judge(home(allow(**condition)), facts(**message), path, rules=rules)
    return found


def steered(name: str, value: str, **granted: Any) -> Judgement:
    found: Judgement = judge(home(allow()), facts(x_ses={name: value}), who=delegate(**granted))
    return found


TWO_POLICIES = catalog(
    replace(
        identity("example.com"),
        policies=(
            policy(allow(), resource=arn("example.com"), name="one"),
            policy(allow("*"), deny(OTHER), resource=arn("example.com"), name="two"),
        ),
    )
)
EVERYWHERE = catalog(
    identity("example.com", allow()),
    identity("example.com", allow(), region=FRANKFURT),
    identity("example.com", allow(), account="666666666666"),
)
KIN = catalog(
    identity("example.com", allow()),
    identity("sub.example.com", allow()),
    identity("App@sub.example.com", allow()),
)
LONG = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.example"

TRUSTED = delegate(
    f"arn:aws:iam::{OWNER}:user/app", same_account="allow-unless-denied", allow_identities=("example.com",)
)

LARGE = Bulk(20 << 20)


def by_three(author: str, feedback: str, mail_from: str) -> Judgement:
    """A large message whose three addresses belong to an identity each, all of which allow it."""
    both = allow() | {"Action": ["ses:SendRawEmail", "ses:SendEmail"]}
    known = catalog(*(identity(name, both) for name in (author, feedback, mail_from)))
    message = facts(f"x@{author}", return_path=f"x@{feedback}")
    found: Judgement = judge(known, message, envelope(f"x@{mail_from}"), bulk=LARGE)
    return found


SCENES: Final[dict[str, Scene]] = {
    # --- allowed ---
    "allowed by two policies": lambda: judge(TWO_POLICIES, path=envelope("bounces@example.com"), trace=True),
    "allowed by a subdomain, its parent and a spelling": lambda: judge(
        KIN, facts("app@sub.example.com"), envelope("app@sub.example.com")
    ),
    "allowed by an address in place of its domain": lambda: judge(
        catalog(identity("example.com", deny("*")), identity("app@example.com", allow()))
    ),
    "allowed by a domain over an address without policies": lambda: judge(
        catalog(identity("example.com", allow()), identity("app@example.com"))
    ),
    "allowed by the operator's word, unless denied": lambda: judge(home(deny(OTHER)), who=TRUSTED),
    "three questions": lambda: judge(home(allow()), facts(return_path="back@example.com"), envelope("b@example.com")),
    "sealed, named": lambda: judge(
        home(allow()),
        facts("a@sealed.example", source_arn=THEIRS),
        envelope("a@sealed.example"),
        who=delegate(is_caller=True),
        rules=SEALED,
    ),
    "sealed, pinned": lambda: judge(
        home(allow()),
        facts("a@sealed.example"),
        envelope("a@sealed.example"),
        who=delegate(is_caller=True, allow_source_arns=("no arn", THEIRS)),
        rules=SEALED,
    ),
    "observed": lambda: judge(home(allow(OTHER)), who=delegate(mode="observe")),
    # --- a Deny ---
    "denied": lambda: asked(allow(), deny(), full=False),
    "denied, told in full": lambda: asked(allow(), deny()),
    "denied unless unknown keys spare it": lambda: asked(
        allow(), deny(StringNotEquals={"aws:PrincipalOrgID": "o-1", "aws:PrincipalTag/team": "a"})
    ),
    "denied by one identity, silence of the other": lambda: judge(
        catalog(identity("sub.example.com", allow(OTHER)), identity("example.com", deny())),
        facts("app@sub.example.com"),
        envelope("app@sub.example.com"),
        who=delegate(reveal="full"),
    ),
    "denied by one identity, the other unreadable": lambda: judge(
        catalog(identity("sub.example.com", unreadable=True), identity("example.com", deny())),
        facts("app@sub.example.com"),
        envelope("app@sub.example.com"),
    ),
    "denied by one identity, allowed by the other": lambda: judge(
        catalog(identity("sub.example.com", allow()), identity("example.com", deny())),
        facts("app@sub.example.com"),
        envelope("app@sub.example.com"),
    ),
    # --- silence ---
    "no policy": asked,
    "another principal": lambda: asked(allow(OTHER), full=False),
    "another principal, told in full": lambda: asked(allow(OTHER)),
    "another action": lambda: asked(statement(Action="ses:SendEmail"), full=False),
    "another action, told in full": lambda: asked(statement(Action=["ses:SendEmail", "ses:Get*"])),
    "all but this action": lambda: asked({k: v for k, v in allow().items() if k != "Action"} | {"NotAction": "ses:*"}),
    "another resource": lambda: judge(
        catalog(replace(identity("example.com"), policies=(policy(allow(), resource=arn("other.example")),))),
        who=delegate(reveal="full"),
    ),
    "another From": lambda: asked(allow(StringEquals={"ses:FromAddress": "b@example.com"}), full=False),
    "another From, told in full": lambda: asked(
        allow(StringLikeIfExists={"ses:FromAddress": [f"{n}*@example.com" for n in "bcdefghi"]})
    ),
    "another feedback address": lambda: asked(allow(StringNotEquals={"ses:FeedbackAddress": "app@example.com"})),
    "other recipients": lambda: judge(
        home(allow(**{"ForAllValues:StringLike": {"ses:Recipients": "*@rcpt.example"}})),
        path=envelope(recipients=("a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example")),
        who=delegate(reveal="full"),
    ),
    "no display name": lambda: asked(allow(StringEquals={"ses:FromDisplayName": "App"})),
    "another time": lambda: asked(allow(DateGreaterThan={"aws:CurrentTime": "2999-01-01T00:00:00Z"})),
    "another key of the caller": lambda: asked(allow(StringEquals={"aws:PrincipalAccount": "1"})),
    "a key that is absent": lambda: asked(allow(StringEquals={"aws:CalledVia": "x"})),
    "an empty display name": lambda: asked(
        allow(StringEquals={"ses:FromDisplayName": "App"}), name=DisplayName("", "")
    ),
    "only the account": lambda: asked(allow("111111111111")),
    "only the account, not told in full": lambda: asked(allow("111111111111"), full=False),
    "an unknown key": lambda: asked(allow(StringEquals={"aws:PrincipalOrgID": "o-1"}), full=False),
    "unknown keys": lambda: asked(
        allow(
            StringEquals={"aws:PrincipalTag/a/b": "x", "aws:SourceIp": "1", "aws:SourceVpc": "v", "ses:ApiVersion": "1"}
        )
    ),
    "the nearest of several misses": lambda: asked(
        allow(OTHER),
        statement(Action="ses:SendEmail"),
        allow(StringEquals={"ses:FromAddress": "b@example.com"}),
        allow(OTHER),
    ),
    "in the owner's account, unless the operator vouches": lambda: judge(
        home(allow(OTHER)), who=delegate(f"arn:aws:iam::{OWNER}:user/app")
    ),
    # --- readings ---
    "a From domain in upper case": lambda: reading(
        {"StringLike": {"ses:FromAddress": "*@EXAMPLE.com"}}, author="app@EXAMPLE.com"
    ),
    "a From domain in lower case": lambda: reading(
        {"StringLike": {"ses:FromAddress": "*@example.com"}}, author="app@EXAMPLE.com"
    ),
    "a display name as written": lambda: reading(
        {"StringEquals": {"ses:FromDisplayName": "Ä"}}, name=DisplayName("=?utf-8?q?=C3=84?=", "Ä")
    ),
    "a display name decoded": lambda: reading(
        {"StringLike": {"ses:FromDisplayName": "=*"}}, name=DisplayName("=?utf-8?q?=C3=84?=", "Ä")
    ),
    "a bare operator that means all": lambda: reading(
        {"StringLike": {"ses:Recipients": "a@*"}}, "a@rcpt.example", "b@rcpt.example"
    ),
    "a bare operator on one recipient": lambda: reading({"StringLike": {"ses:Recipients": "b@*"}}, "a@rcpt.example"),
    "two readings at once": lambda: reading(
        {"StringLike": {"ses:FromAddress": "*@EXAMPLE.com", "ses:Recipients": "a@*"}},
        "a@rcpt.example",
        "b@rcpt.example",
        author="app@EXAMPLE.com",
    ),
    "sent from two addresses": lambda: reading(
        {"IpAddress": {"aws:SourceIp": "192.0.2.1"}}, rules=Rules(egress=("192.0.2.1", "192.0.2.2"))
    ),
    "sent through two endpoints": lambda: reading(
        {"StringEquals": {"aws:SourceVpce": "vpce-1"}}, rules=Rules(egress=("vpce-1", "vpce-2", "vpc-1", "vpc-2"))
    ),
    "sent from two networks": lambda: reading(
        {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, rules=Rules(egress=("192.0.2.1", "vpc-1", "vpc-2"))
    ),
    "two addresses that matter to nobody": lambda: reading(
        {"StringEquals": {"ses:FromAddress": "b@example.com"}}, rules=Rules(egress=("192.0.2.1", "192.0.2.2"))
    ),
    # --- no identity ---
    "unverified": lambda: judge(catalog(identity("other.example", allow()))),
    "unverified in two regions": lambda: judge(
        catalog(identity("other.example", allow()), identity("other.example", region=FRANKFURT)),
        facts("app@example.com"),
        envelope("b@example.com"),
    ),
    "verified in another spelling": lambda: judge(catalog(identity("App@example.com", allow()))),
    "unverified, with sealed owners": lambda: judge(catalog(identity("App@example.com", allow())), rules=SEALED),
    "nothing named of sealed owners": lambda: judge(Catalog({}), rules=SEALED, who=delegate(is_caller=True)),
    "verified in several places": lambda: judge(EVERYWHERE),
    "several sealed pins": lambda: judge(
        home(allow()),
        facts("a@b.sealed.example"),
        envelope("a@b.sealed.example"),
        rules=SEALED,
        who=delegate(is_caller=True, allow_source_arns=(arn("b.sealed.example", "777777777777"), THEIRS)),
    ),
    "sealed, but sent as the relay": lambda: judge(
        home(allow()), facts("a@sealed.example", source_arn=THEIRS), envelope("a@sealed.example"), rules=SEALED
    ),
    "nothing named, but required": lambda: judge(home(allow()), rules=Rules(source_arn="required")),
    "outside what is allowed to be named": lambda: judge(
        home(allow()), who=delegate(allow_source_arns=(arn("other.example"),))
    ),
    "named outside what is allowed to be named": lambda: judge(
        home(allow()), facts(source_arn=arn("example.com")), who=delegate(allow_source_arns=(arn("other.example"),))
    ),
    # --- named ---
    "named, but no ARN": lambda: judge(home(allow()), facts(source_arn="example.com")),
    "named, but not in ASCII": lambda: judge(home(allow()), facts(from_arn="arn:aws:ses:é:1:identity/a")),
    "named, but of another service": lambda: judge(home(allow()), facts(source_arn="arn:aws:sns:us-east-1:1:topic")),
    "named, for every region": lambda: judge(home(allow()), facts(source_arn=arn("example.com", region="*"))),
    "named, but nobody's": lambda: judge(home(allow()), facts(source_arn=arn("example.com", "111"))),
    "named, but does not cover the author": lambda: judge(home(allow()), facts(from_arn=arn("other.example"))),
    "named, but does not cover the feedback address": lambda: judge(
        home(allow()), facts(return_path_arn=arn("other.example"))
    ),
    "named by a setting, but does not cover the author": lambda: judge(
        home(allow()), who=delegate(default_from_arn=arn("other.example"))
    ),
    "named by a setting, but does not cover the feedback address": lambda: judge(
        home(allow()), who=delegate(default_return_path_arn=arn("other.example"))
    ),
    "named by a setting, but no ARN": lambda: judge(home(allow()), who=delegate(default_source_arn="x")),
    "named by a setting, and found": lambda: judge(home(allow()), who=delegate(default_source_arn=arn("example.com"))),
    "named, but not verified": lambda: judge(
        catalog(identity("other.example", allow())), facts(source_arn=arn("example.com"))
    ),
    "named, but covers no address": lambda: judge(
        home(allow()), facts(source_arn=arn("other.example")), envelope("b@example.com")
    ),
    "named beside one that covers no address": lambda: judge(
        home(allow()), facts(from_arn=arn("example.com"), source_arn=arn("other.example"))
    ),
    "named badly, beside a Deny": lambda: judge(home(deny()), facts(from_arn="x"), envelope("b@example.com")),
    "identities in two regions": lambda: judge(
        catalog(identity("example.com", allow()), identity("b.example", allow(), region=FRANKFURT)),
        facts(),
        envelope("a@b.example"),
    ),
    # --- not known ---
    "owners not known": lambda: judge(Catalog({}, problem="x")),
    "owners not known, one named": lambda: judge(Catalog({}, problem="x"), facts(source_arn=arn("example.com"))),
    "identities not read": lambda: judge(catalog(identity("example.com", allow()), problem="x")),
    "identities too old": lambda: judge(
        catalog(identity("example.com", allow()), listed_at=0), facts(source_arn=arn("example.com"))
    ),
    "policies not read, and too old": lambda: judge(
        catalog(
            identity("sub.example.com", allow(), problem="x"),
            identity("example.com", allow(), read_at=0),
        ),
        facts("app@sub.example.com"),
        envelope("app@sub.example.com"),
    ),
    "policies unreadable": lambda: judge(home(allow(), unreadable=True), who=delegate(reveal="full")),
    # --- of the message ---
    "a null reverse-path": lambda: judge(home(allow()), path=envelope("<>")),
    "a configuration set": lambda: steered("x-ses-configuration-set", "a", allow_configuration_sets=("b",)),
    "a tenant": lambda: steered("x-ses-tenant", "a"),
    "message tags": lambda: steered("x-ses-message-tags", "a=b"),
    "another field of SES": lambda: steered(f"x-ses-{'y' * 80}", "a"),
    "message tags out of form": lambda: steered("x-ses-message-tags", "a", allow_message_tags=True),
    "message tags twice": lambda: steered("x-ses-message-tags", "a=b, a=c", allow_message_tags=True),
    "message tags of our own": lambda: steered("x-ses-message-tags", "SES-Relay-x=b", allow_message_tags=True),
    # --- large, or for many ---
    "too large": lambda: judge(home(allow()), bulk=Bulk(LARGEST + 1)),
    "large, and one of two actions is allowed": lambda: judge(home(allow()), bulk=LARGE),
    "large, and the other one is allowed": lambda: judge(home(statement(Action="ses:SendEmail")), bulk=LARGE),
    "large, of three identities": lambda: by_three("a.example", "b.example", "c.example"),
    "in several calls, of which one is not allowed": lambda: judge(
        home(allow(**{"ForAnyValue:StringEquals": {"ses:Recipients": "r0@rcpt.example"}})),
        path=envelope(recipients=[f"r{n}@rcpt.example" for n in range(52)]),
    ),
    # --- too long to be told ---
    "long names": lambda: judge(
        catalog(identity(LONG, allow(OTHER))),
        facts(f"a@{LONG}"),
        envelope(f"a@{LONG}"),
        who=delegate(f"arn:aws:iam::111111111111:user/{'p' * 128}", reveal="full"),
    ),
    "long reasons": lambda: asked(allow(StringEquals={"ses:FromAddress": [f"{c * 60}@example.com" for c in "bcde"]})),
    # --- early ---
    "early: a null reverse-path": lambda: early(home(allow()), "<>"),
    "early: nobody's address": lambda: early(
        catalog(identity("other.example"), identity("other.example", region=FRANKFURT)), rules=SEALED
    ),
    "early: denied": lambda: early(home(allow(), deny()), who=delegate(reveal="full")),
    "early: nothing could allow": lambda: early(home(allow(OTHER)), who=delegate(reveal="full")),
    "early: nothing could allow, by precedence": lambda: early(
        catalog(identity("example.com", allow()), identity("app@example.com", allow(OTHER)))
    ),
    "early: one of two roads is closed": lambda: early(
        home(allow(IpAddress={"aws:SourceIp": "192.0.2.1"})), rules=Rules(egress=("192.0.2.1", "192.0.2.2"))
    ),
    "early: another region": lambda: early(home(allow(StringEquals={"aws:RequestedRegion": "eu-west-1"}))),
    "early: a second owner could allow": lambda: early(
        catalog(
            identity("other.example", allow(), account="111"),
            identity("example.com", allow(OTHER), account="222"),
            identity("example.com", allow()),
        )
    ),
}


def told(scene: str) -> str:
    """All that is told of a scene, line by line; what was told before is left out."""
    judgement = SCENES[scene]()
    if judgement is None:
        return "nothing\n"
    explained = to_json(judgement, TRUSTED if "operator's word" in scene else delegate())
    lines = [f"{explained['verdict']} ({explained['reason']}, {explained['mode']})"]
    lines += [f"{name}: {explained[name]}" for name in ("reply", "unenforced") if explained[name]]
    permit = [value for key, value in (explained["permit"] or {}).items() if key != "api"]
    lines += [f"permit: {' '.join(map(str, permit))}"] if permit else []
    before = None
    for question in explained["questions"]:
        lines.append(f"{question['role']} {question['address']}")
        now = list(_lines(question, explained["reply"] or explained["unenforced"] or ""))
        lines += ["  as above"] if now == before else now
        before = now
    return "\n".join(lines) + "\n"


def _lines(question: dict[str, Any], reply: str) -> Iterator[str]:
    for name in ("verdict", "identity", "chosen", "why"):
        yield f"  {name}: {question[name]}"
    for one in question["asked"]:
        yield f"  asked {one['identity'].rpartition('/')[2]}: {_answer(one, question['why'])}".rstrip()
    for advice in question["advice"]:
        yield f"  advice: {advice}"
    own = f", {question['role']}"
    if question["reply"] and question["reply"].replace(own, "") not in [
        reply.replace(f", {role}", "") for role in Role
    ]:
        yield "  reply: " + question["reply"].replace(own, ", ROLE")


def _answer(one: dict[str, Any], why: str) -> str:
    because = " ".join(f"{ref['policy']}/{ref['sid']}/{ref['index']}" for ref in one["because"])
    fates = ", ".join(f"{s['policy']}/{s['sid'] or s['index']} {s['fate']}" for s in one["statements"])
    more = {key: one[key] for key in ("reading", "grant", "unknown", "problems") if one[key]}
    if one["nearest_miss"] and one["nearest_miss"] not in why:
        more["nearest miss"] = one["nearest_miss"]
    parts = (one["verdict"], because and f"by {because}", fates and f"({fates})", *map(str, more.items()))
    return " ".join(filter(None, parts))


def written() -> dict[str, str]:
    """What is told of each scene according to the file."""
    parts = TOLD.read_text("utf-8").split("\n\n# ")
    return {name: text for name, _, text in (part.removeprefix("# ").partition("\n") for part in parts)}


if __name__ == "__main__":
    TOLD.write_text("\n".join(f"# {scene}\n{told(scene)}" for scene in SCENES), "utf-8")
