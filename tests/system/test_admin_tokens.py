"""Who may ask a running relay for what: tokens, roles and delegates, over real HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.admin import Admin
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, started_ses
from tests.system.rows import PERMITTED, secret_of

pytestmark = pytest.mark.system

SECRETS = {
    "admin": "the-token-of-the-file-7f21",
    "watch": "a-viewer-of-everything-90ab",
    "team": "a-viewer-of-billing-alone-11c4",
    "ops": "an-operator-of-everything-5d5d",
    "desk": "an-operator-of-billing-alone-8e03",
}
TOKENS = """
[[admin.token]]
name = "watch"
file = "watch"

[[admin.token]]
name = "team"
file = "team"
delegates = ["billing"]

[[admin.token]]
name = "ops"
file = "ops"
role = "operator"

[[admin.token]]
name = "desk"
file = "desk"
role = "operator"
delegates = ["billing"]
"""
NEWS = next(row for row in PERMITTED if row.delegate == "newsletter")
MINE = next(row for row in PERMITTED if row.delegate == "billing")


def with_tokens(house: House) -> House:
    """Let *house* have a token of every kind."""
    for name, secret in SECRETS.items():
        (house.folder / name).write_text(f"{secret}\n")
        (house.folder / name).chmod(0o600)
    house.edit("[admin]\n", '[admin]\ntoken_file = "admin"\n')
    house.settings.write_text(house.settings.read_text() + TOKENS)
    return house


@dataclass(frozen=True)
class Guarded:
    """A relay with a token of every kind, and a message of billing and one of newsletter that wait."""

    relay: RunningRelay
    house: House
    ids: dict[str, str]

    def as_(self, token: str) -> Admin:
        return Admin(self.relay.addresses["admin"], SECRETS.get(token, token))


@pytest.fixture(scope="module")
def guarded(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    with started_ses(tmp_path_factory.mktemp("guarded-ses")) as ses:
        house = with_tokens(House(folder, certificate, ses=ses.url).keep("spool", retry_first="10m"))
        with house.serve() as relay:
            ids = {row.delegate: kept(relay, ses, row.delegate) for row in (MINE, NEWS)}
            yield Guarded(relay, house, ids)


def kept(relay: RunningRelay, ses: EmbeddedSes, delegate: str) -> str:
    """Hand over a message that SES will not take for ten minutes, and return its id once it waits."""
    row = MINE if delegate == "billing" else NEWS
    ses.suffer({"code": "Throttling", "message": "slow down", "status": 400, "times": 9})
    with relay.client(delegate, secret_of(delegate)) as client:
        reply = client.hand_over(row.mail_from, row.recipients, row.raw)
    entry = reply.rpartition(" ")[2]
    operator = Admin(relay.addresses["admin"], SECRETS["ops"])
    operator.post(f"/api/spool/{entry}/hold")
    relay.wait_until(lambda: operator.get(f"/api/spool/{entry}").told.get("state") == "held", f"held: {reply}")
    return entry


#: Who asks, in the order of the columns below. 409: it is let in, and the message is held already.
WHO = ("", "wrong", "team", "watch", "desk", "ops", "admin")
TABLE = [
    ("GET", "/livez", 200, 200, 200, 200, 200, 200, 200),
    ("GET", "/readyz?verbose", 200, 200, 200, 200, 200, 200, 200),
    ("GET", "/metrics", 200, 200, 200, 200, 200, 200, 200),
    ("GET", "/", 200, 200, 200, 200, 200, 200, 200),
    ("GET", "/api/openapi.json", 401, 401, 200, 200, 200, 200, 200),
    ("GET", "/api/nothing", 401, 401, 404, 404, 404, 404, 404),
    ("GET", "/api/decisions", 401, 401, 200, 200, 200, 200, 200),
    ("HEAD", "/api/decisions", 401, 401, 200, 200, 200, 200, 200),
    ("POST", "/api/decisions", 401, 401, 405, 405, 405, 405, 405),
    ("GET", "/api/decisions?delegate=newsletter", 401, 401, 200, 200, 200, 200, 200),
    ("GET", "/api/decisions/{billing}", 401, 401, 200, 200, 200, 200, 200),
    ("GET", "/api/decisions/{newsletter}", 401, 401, 404, 200, 404, 200, 200),
    ("GET", "/api/delegates", 401, 401, 200, 200, 200, 200, 200),
    ("GET", "/api/traffic", 401, 401, 200, 200, 200, 200, 200),
    ("POST", "/api/delegates/billing/resume", 401, 401, 403, 403, 409, 409, 409),
    ("POST", "/api/delegates/newsletter/resume", 401, 401, 403, 403, 404, 409, 409),
    ("GET", "/api/decisions/{billing}/explanation", 401, 401, 200, 200, 200, 200, 200),
    ("GET", "/api/decisions/{newsletter}/explanation", 401, 401, 404, 200, 404, 200, 200),
    ("GET", "/api/identities/policies", 401, 401, 403, 400, 403, 400, 400),
    ("GET", "/api/inbox", 401, 401, 404, 404, 404, 404, 404),
    ("GET", "/api/identities", 401, 401, 403, 200, 403, 200, 200),
    ("POST", "/api/identities/refresh", 401, 401, 403, 403, 403, 202, 202),
    ("GET", "/api/spool", 401, 401, 200, 200, 200, 200, 200),
    ("GET", "/api/spool/{billing}", 401, 401, 200, 200, 200, 200, 200),
    ("GET", "/api/spool/{newsletter}", 401, 401, 404, 200, 404, 200, 200),
    ("POST", "/api/spool/{billing}/hold", 401, 401, 403, 403, 409, 409, 409),
    ("POST", "/api/spool/{newsletter}/hold", 401, 401, 403, 403, 404, 409, 409),
    ("GET", "/api/spool/{billing}/hold", 401, 401, 405, 405, 405, 405, 405),
    ("POST", "/api/spool/{newsletter}/delete", 401, 401, 403, 403, 404, None, None),
]


@pytest.mark.parametrize(("method", "path", "expected"), [(row[0], row[1], row[2:]) for row in TABLE])
def test_each_token_opens_what_its_role_and_delegates_say(guarded, method, path, expected):
    """No token opens nothing, on loopback too; a viewer changes nothing; of others' messages there are none."""
    body = b"{}" if method == "POST" else None
    headers = {"Content-Type": "application/json"} if method == "POST" else None
    got = [
        None if wanted is None else guarded.as_(who).ask(method, path.format(**guarded.ids), body, headers).status
        for who, wanted in zip(WHO, expected, strict=True)
    ]

    assert got == list(expected)


@pytest.mark.parametrize(
    ("delegate", "expected"),
    [("billing", (401, 401, 200, 200, 200, 200, 200)), ("newsletter", (401, 401, 403, 200, 403, 200, 200))],
)
def test_a_token_of_some_delegates_has_only_theirs_explained(guarded, delegate, expected):
    """Whether there is a delegate of another name it does not learn."""
    asked = {"delegate": delegate, "from": "billing@example.com", "recipients": ["bob@example.net"]}

    assert [guarded.as_(who).post("/api/explain", asked).status for who in WHO] == list(expected)
    unknown = {**asked, "delegate": "nobody"}
    assert [guarded.as_(who).post("/api/explain", unknown).status for who in ("team", "watch")] == [403, 404]


def test_a_token_of_some_delegates_sees_only_theirs(guarded):
    """In each list, and in what is counted."""
    for who, seen in (("team", {"billing"}), ("watch", {"billing", "newsletter"})):
        asker = guarded.as_(who)
        decisions, spool = asker.get("/api/decisions").told, asker.get("/api/spool").told

        assert {each["delegate"] for each in decisions["decisions"]} == seen
        assert {each["delegate"] for each in spool["entries"]} == seen
        assert (spool["counts"] is None) == (who == "team")
    assert guarded.as_("team").get("/api/decisions?delegate=newsletter").told["decisions"] == []
    assert guarded.as_("team").get("/api/spool?delegate=newsletter").told["entries"] == []
    assert [each["name"] for each in guarded.as_("team").get("/api/delegates").told["delegates"]] == ["billing"]
    assert len(guarded.as_("watch").get("/api/delegates").told["delegates"]) == 3


def test_a_refusal_says_nothing_of_what_there_is(guarded):
    """The same words whatever was asked, and none of the token."""
    nobody, viewer = guarded.as_("wrong"), guarded.as_("team")
    paths = ("/api/decisions", "/api/spool/a1", "/api/nothing")

    assert {str(nobody.get(path).told) for path in paths} == {"{'error': 'a bearer token is needed'}"}
    assert {nobody.get(path).headers["www-authenticate"] for path in paths} == {"Bearer"}
    assert viewer.post("/api/spool/nothing/hold").told == viewer.get("/api/identities").told


def test_each_change_leaves_a_line_with_who_asked_for_what(guarded):
    """And no line where nothing was changed."""
    entry, before = guarded.ids["billing"], len(guarded.relay.lines("admin.changed"))
    guarded.as_("desk").post(f"/api/spool/{entry}/release")
    guarded.as_("desk").post(f"/api/spool/{entry}/hold")
    guarded.as_("team").post(f"/api/spool/{entry}/hold")
    guarded.as_("desk").post("/api/spool/nothing/hold")
    guarded.as_("ops").post("/api/identities/refresh")
    guarded.as_("ops").get("/api/spool")
    guarded.relay.wait_until(lambda: len(guarded.relay.lines("admin.changed")) > before + 2, "three lines")

    told = [(line["token"], line["action"], line["object"]) for line in guarded.relay.lines("admin.changed")[before:]]
    assert told[:2] == [("desk", "spool.release", entry), ("desk", "spool.hold", entry)]
    assert told[2:] == [("ops", "identities.refresh", "all")]
    assert not [secret for secret in SECRETS.values() if secret in guarded.relay.text]


def test_tokens_are_read_again_at_a_reload(guarded):
    """A new token opens, the old one no longer; a file that is gone changes nothing."""
    house, relay = guarded.house, guarded.relay
    (house.folder / "watch").write_text("another-token-of-the-viewer-33\n")
    house.edit('file = "watch"', 'file = "watch"\nrole = "operator"')
    assert relay.reload()["needs_restart"] == []

    assert guarded.as_("watch").get("/api/spool").status == 401
    renewed = Admin(relay.addresses["admin"], "another-token-of-the-viewer-33")
    assert renewed.post("/api/identities/refresh").status == 202

    (house.folder / "watch").unlink()
    assert relay.reload()["event"] == "relay.reload-refused"
    assert renewed.get("/api/spool").status == 200

    (house.folder / "watch").write_text(SECRETS["watch"])
    house.edit('file = "watch"\nrole = "operator"', 'file = "watch"')
    assert relay.reload()["event"] == "relay.reloaded"
    assert renewed.get("/api/spool").status == 401
    assert guarded.as_("watch").post("/api/identities/refresh").status == 403


@pytest.mark.parametrize(
    "path",
    ["/%61pi/spool", "/api/%73pool", "//api/spool", "/api//spool", "/API/spool", "/api/./spool", "/x/../api/spool"],
)
def test_no_spelling_of_a_path_goes_by_the_guard(guarded, path):
    """Without a token it is a 401, or there is no such page."""
    assert guarded.as_("").get(path).status in {401, 404}
    assert guarded.as_("team").get(path.replace("spool", "identities").replace("%73pool", "identities")).status != 200


def test_delegates_are_told_with_what_became_of_their_mail(guarded):
    """Counted since the start; nothing that proves them."""
    answer = guarded.as_("watch").get("/api/delegates")
    told = {each["name"]: each for each in answer.told["delegates"]}

    assert (told["billing"]["messages"]["queued"], told["intern"]["messages"]["queued"]) == (1, 0)
    assert (told["billing"]["recipients"], bool(told["billing"]["last_seen"])) == (len(MINE.recipients), True)
    assert told["billing"]["mechanisms"] == ["PLAIN", "LOGIN"]
    assert told["intern"]["last_seen"] is None
    assert "argon2" not in str(answer.told)


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", "[::1].evil.example", "evil.example:8025"])
def test_a_name_that_was_made_to_mean_this_machine_opens_nothing(demo, name):
    """DNS rebinding: a stranger's page asks us by the stranger's name; without a token that is refused."""
    admin = Admin(demo.relay.addresses["admin"], headers={"Host": name})

    for path in ("/api/decisions", "/api/delegates", "/api/spool", "/api/identities", "/api/openapi.json"):
        assert admin.get(path).status == 403
    assert admin.post("/api/explain", {"delegate": "billing"}).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/api/explain", "/api/identities/refresh", "/api/spool/a1/delete"])
def test_the_page_of_another_site_asks_for_no_change(demo, path, headers):
    """A browser says where it comes from, and a form cannot say that it sends JSON."""
    admin = Admin(demo.relay.addresses["admin"], headers=headers)

    assert admin.post(path, {}).status in {403, 415}
