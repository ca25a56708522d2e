"""The console in a real browser: every page, what people do there, and what strangers write into it."""

import json
import os
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.system.admin import Admin
from tests.system.browser import AXE, NARROW, WIDE, Window, started_browser
from tests.system.conftest import Demo
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, started_ses, trusting
from tests.system.rows import CEO, DOMAIN, FORBIDDEN, PERMITTED, Row, secret_of
from tests.system.test_admin_explain import by_command
from tests.system.test_admin_tokens import MINE, SECRETS, kept, with_tokens

pytestmark = pytest.mark.system

#: Direction turned round, what has no width, an end of a line, a control, and markup in every place it could bite.
HOSTILE = "\u202e\u2066<script>pwned=1</script>\x00\x1b[31m\r\n'\"><img src=x onerror=pwned=1>javascript:pwned=1\ufeff"
MAIL = (
    b"From: billing@example.com\r\nTo: bob@example.net\r\nSubject: <script>pwned=1</script>"
    b" =?utf-8?B?4oCuPGltZyBzcmM9eCBvbmVycm9yPXB3bmVkPTE+?=\r\n"
    b"X-Odd: " + b"x" * 900 + b"\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b"<h1>Hello</h1><script>pwned=1</script><img src=http://tracker.example/pixel>\r\n"
)


@pytest.fixture(scope="module")
def browser(tool: Callable[[str], str]) -> Iterator[Browser]:
    """One for the module: while it is there, no other test of this worker may have a loop."""
    if not AXE.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("axe-core is missing; tests/provide brings it")
    with started_browser(tool("chromium")) as running:
        yield running


@contextmanager
def window(browser: Browser, relay: RunningRelay, **options: Any) -> Iterator[Window]:
    """Open a window; by its end nothing may have been complained of, and nothing run that was written into a page."""
    one = Window(browser, relay.addresses["admin"], **options)
    yield one
    assert one.complaints == []
    assert one.page.evaluate("typeof pwned") == "undefined"
    one.close()


def send(demo: Demo, row: Row, raw: bytes | None = None) -> str:
    """Hand a message over; return the refusal, if it is one."""
    with smtplib.SMTP(*demo.relay.smtp, timeout=20) as smtp:
        smtp.starttls(context=trusting())
        smtp.login(row.delegate, secret_of(row.delegate))
        try:
            smtp.sendmail(row.mail_from, row.recipients, raw or row.raw, mail_options=["BODY=8BITMIME"])
        except smtplib.SMTPResponseException as refusal:
            return str(refusal.smtp_error)
        except smtplib.SMTPRecipientsRefused as refusal:
            return str(refusal)
    return ""


def places(demo: Demo) -> dict[str, str]:
    """Every page by its heading, with something on it."""
    send(demo, PERMITTED[0])
    send(demo, PERMITTED[0], MAIL)
    send(demo, FORBIDDEN[0])
    api = Admin(demo.relay.addresses["admin"])
    decision = api.get("/api/decisions?outcome=rejected").told["decisions"][0]["id"]
    mail = api.get("/api/inbox").told["messages"][0]["id"]
    return {
        "Traffic": "traffic",
        "Decisions": "decisions?outcome=rejected",
        "Decision": f"decisions/{decision}",
        "What if": "what-if",
        "Identities": "identities",
        "Identity": f"identities/{quote(DOMAIN, safe='')}",
        "Delegates": "delegates",
        "Spool": "spool",
        "Inbox": "inbox",
        "Message taken": f"inbox/{quote(mail, safe='')}",
        "There is no such page": "nowhere",
    }


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark"), (NARROW, "light"), (WIDE, "dark")])
def test_every_page_is_whole_and_open_to_everybody(browser: Browser, demo: Demo, width: int, scheme: str) -> None:
    """Nothing sticks out of the window, and axe-core finds no barrier; each is opened by its address alone."""
    pages = places(demo)
    with window(browser, demo.relay, width=width, scheme=scheme) as one:
        for heading, place in pages.items():
            one.open(place)
            expect(one.page.locator("h1")).to_have_text(heading)
            assert one.sticking_out() == [], heading
            if (width, scheme) in ((WIDE, "light"), (NARROW, "dark")):
                assert one.barriers() == [], heading


def test_the_keyboard_alone_will_do(browser: Browser, demo: Demo) -> None:
    """Past the menu, through it, to a decision; one sees where one is, and a new page is where one begins."""
    send(demo, FORBIDDEN[0])
    with window(browser, demo.relay) as one:
        one.open("traffic")
        one.page.keyboard.press("Tab")
        assert one.page.evaluate("document.activeElement.textContent") == "Skip to content"
        one.page.keyboard.press("Enter")
        assert one.page.evaluate("document.activeElement.id") == "main"
        one.page.get_by_role("link", name="Traffic").focus()
        one.page.keyboard.press("Tab")
        outline = one.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert (one.page.evaluate("document.activeElement.textContent"), outline) == ("Decisions", "solid")
        one.page.keyboard.press("Enter")
        expect(one.page.locator("h1")).to_have_text("Decisions")
        expect(one.page.locator("h1")).to_be_focused()
        one.page.locator("tbody a").first.focus()
        one.page.keyboard.press("Enter")
        expect(one.page.locator("h1")).to_have_text("Decision")
        expect(one.page.locator("h1")).to_be_focused()
        one.page.go_back()
        expect(one.page.locator("h1")).to_have_text("Decisions")


@pytest.mark.parametrize(
    ("place", "label", "typed", "name"),
    [
        ("decisions", "Delegate", "nobody", "delegate"),
        ("spool", "Reason or answer has", "no such & reason", "reason"),
        ("identities", "Domain or address", "nowhere.example", "name"),
        ("delegates", "Delegate", "nobody", "name"),
    ],
)
def test_what_a_page_shows_is_found_by_its_fields(
    browser: Browser, demo: Demo, place: str, label: str, typed: str, name: str
) -> None:
    """What is typed stands in the address, for whoever is sent it, and in the field again; *All* undoes it."""
    with window(browser, demo.relay) as one:
        one.open(place)
        field = one.page.get_by_label(label, exact=True)
        field.fill(f" {typed} ")
        one.page.get_by_role("button", name="Find").click()
        one.page.wait_for_url(f"{one.base}/#/{place}?{urlencode({name: typed})}")
        expect(field).to_have_value(typed)
        expect(one.page.locator("main tbody a")).to_have_count(0)
        one.page.get_by_role("link", name="All", exact=True).click()
        one.page.wait_for_url(f"{one.base}/#/{place}")
        expect(field).to_have_value("")


def test_a_refusal_is_found_and_explained_on_a_phone(browser: Browser, demo: Demo) -> None:
    """From the front page, by touching alone; and by the id that the client was told."""
    row = next(row for row in FORBIDDEN if row.delegate == "billing" and row.author == "ceo@example.com")
    refusal = send(demo, row)
    with window(browser, demo.relay, width=NARROW) as one:
        one.open("")
        one.page.get_by_role("link", name="decisions of billing, rejected, policy-not-allowed").click()
        expect(one.page.locator("h1")).to_have_text("Decisions")
        one.page.locator("tbody a").first.click()
        answer = one.page.locator(".answer")
        expect(answer).to_contain_text("No policy of the identity's owner permits it.")
        expect(answer).to_contain_text("assistant/OnlyTheAssistant")
        expect(answer).to_contain_text("arn:aws:iam::888888888888:user/assistant")
        expect(answer).to_contain_text("arn:aws:iam::111111111111:user/billing")
        expect(answer).to_contain_text("To pass: Ask the owner of ceo@example.com")
        expect(one.page.locator(".chain")).to_contain_text(CEO)
        expect(one.page.locator(".statement.closest").first).to_be_visible()
        expect(one.page.locator("main")).to_contain_text("554 5.7.1 Access denied")

        decision = refusal.rpartition("decision ")[2].split(")")[0]
        one.open("decisions")
        one.page.get_by_label("Decision id").fill(decision)
        one.page.get_by_role("button", name="Show").click()
        expect(one.page.locator("main")).to_contain_text(decision)


def test_what_if_is_what_the_command_explains(browser: Browser, demo: Demo, tmp_path: Path) -> None:
    """The same question, the same answer; also of a file, and by a policy that is not there yet."""
    row = next(row for row in FORBIDDEN if row.delegate == "billing")
    file = tmp_path / "message.eml"
    file.write_bytes(row.raw)
    with window(browser, demo.relay, width=NARROW) as one:
        one.open("what-if")
        one.page.get_by_label("Delegate", exact=True).select_option(row.delegate)
        one.page.get_by_label("Recipients").fill(", ".join(row.recipients))
        one.page.get_by_label("Or a message").set_input_files(file)
        one.page.get_by_text("More of the message").click()
        one.page.get_by_label("MAIL FROM").fill(row.mail_from)
        told = judged(one)
        assert told == by_command(row, demo)
        expect(one.page.locator(".answer")).to_contain_text(told["questions"][0]["why"])
        expect(one.page.get_by_role("heading", name="The answer")).to_be_focused()

        one.open("what-if?delegate=billing&from=ceo@example.com&recipients=bob@example.net")
        one.page.get_by_text("More of the message").click()
        one.page.get_by_label("Display name").fill("Gr\u00fc\u00dfe, \U0001f4ee & " + "long " * 12)
        one.page.get_by_label("Return-Path").fill("bounces@example.com")
        one.page.get_by_label("At the time").fill("2031-05-01T10:00:00Z")
        one.page.get_by_text("By another policy").click()
        one.page.get_by_label("Identity").fill(CEO)
        allow = {"Sid": "Pasted", "Effect": "Allow", "Principal": "*", "Action": "ses:*", "Resource": "*"}
        until = {"DateLessThan": {"aws:CurrentTime": "2031-05-01T10:00:01Z"}}
        policy = {"Version": "2012-10-17", "Statement": [{**allow, "Condition": until}]}
        one.page.get_by_label("Policy").fill(json.dumps(policy))
        told = judged(one)
        assert told["message"]["display_name"].startswith("Gr\u00fc\u00dfe, \U0001f4ee & long")
        assert (told["message"]["return_path"], told["questions"][0]["verdict"]) == ("bounces@example.com", "allowed")
        one.page.get_by_label("At the time").fill("2031-05-01T10:00:02Z")
        assert judged(one)["questions"][0]["verdict"] == "not-allowed"
        one.page.get_by_label("Policy").fill("{")
        assert judged(one)["questions"][0]["verdict"] == "undecided"
        one.complaints.clear()
        one.page.get_by_label("Identity").fill("no ARN")
        one.page.get_by_role("button", name="Judge").click()
        expect(one.page.locator("main")).to_contain_text("It cannot be judged so: policies: no ARN")
        assert one.complaints.pop().startswith("Failed to load resource: the server responded with a status of 400")


def judged(one: Window) -> dict[str, Any]:
    """Ask, wait until it is drawn, and return what the relay answered."""
    with one.page.expect_response("**/api/explain") as heard:
        one.page.get_by_role("button", name="Judge").click()
    told: dict[str, Any] = heard.value.json()
    expect(one.page.locator(".answer")).to_contain_text(told["verdict"].replace("-", " "))
    return told


#: Of what pages make their way: who writes these is the relay.
KNOWN = frozenset({"id", "arn", "time", "verdict", "role", "effect", "fate", "format", "next"})


def poisoned(told: Any, key: str = "") -> Any:
    """The same answer, as if strangers had written every text of it; times, and names that pages know, stay."""
    if isinstance(told, dict):
        return {name: poisoned(each, name) for name, each in told.items()}
    if isinstance(told, list):
        return [poisoned(each, key) for each in told]
    if isinstance(told, str) and key not in KNOWN:
        return told + HOSTILE + "W" * 700
    return told


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_what_strangers_write_stays_text(browser: Browser, demo: Demo, width: int) -> None:
    """
    In every field of every page: no script runs, nothing steers the direction, nothing is loaded, nothing sticks out.
    """
    pages = places(demo)

    def answer(route: Route) -> None:
        real = route.fetch()
        route.fulfill(response=real, json=poisoned(real.json()))

    with window(browser, demo.relay, width=width) as one:
        one.page.route("**/api/**", answer)
        for heading, place in pages.items():
            one.open(place)
            expect(one.page.locator("h1")).to_have_text(heading)
            text = one.page.locator("main").inner_text()
            assert not set(text) & set("\u202e\u2066\ufeff\x00\x1b"), heading
            assert one.sticking_out() == [], heading
            assert one.page.locator("main script, main img, main iframe, main [onerror]").count() == 0
        assert "\u2039U+202E\u203a" in text or "no such page" in text
        one.page.unroute("**/api/**")
        one.open(pages["Message taken"])
        expect(one.page.locator("h1")).to_have_text("Message taken")
        one.page.get_by_text("Source of its HTML").click()
        expect(one.page.locator("main pre")).to_contain_text("<script>pwned=1</script><img src=http://tracker.example/")
        expect(one.page.locator("main")).to_contain_text("\u2039U+202E\u203a<img src=x onerror=pwned=1>")


Guarded = tuple[RunningRelay, str]


COUNTS = {"sent": 200, "delivered": 180, "bounced": 20, "complained": 1, "rejected": 0}
RATES = {"bounce_rate": 0.1, "complaint_rate": None}
SUSPENDED = {
    "standing": "suspended",
    "since": "2026-11-21T11:00:00Z",
    "until": None,
    "why": "10.0% bounced in 24h",
    "windows": {"1h": {**COUNTS, **RATES}, "24h": {**COUNTS, **RATES}},
}


def test_a_delegate_that_is_suspended_is_resumed(browser: Browser, demo: Demo) -> None:
    """Its bounces are told, the button asks first, and what the relay says to it is said."""

    def answer(route: Route) -> None:
        real = route.fetch()
        told = real.json()
        told["delegates"][0]["feedback"] = SUSPENDED
        route.fulfill(response=real, json=told)

    with window(browser, demo.relay, width=NARROW) as one:
        one.page.route("**/api/delegates?**", answer)
        one.open("delegates")
        card = one.page.locator(".cards > .panel").first
        expect(card).to_contain_text("10.0% bounced in 24h")
        expect(card.get_by_role("cell", name="20 (10.00 %)").first).to_be_visible()
        assert (one.sticking_out(), one.barriers()) == ([], [])
        card.get_by_role("button", name="Let it send as ever").click()
        one.page.locator("dialog").get_by_role("button", name="Let it send").click()
        expect(one.page.locator("#said")).to_contain_text("That was refused: no feedback is read")
        assert one.complaints.pop().startswith("Failed to load resource: the server responded with a status of 409")


@pytest.fixture(scope="module")
def guarded(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A relay with a token of every kind, and a message that is held."""
    with started_ses(tmp_path_factory.mktemp("console-ses")) as ses:
        house = House(tmp_path_factory.mktemp("console"), certificate, ses=ses.url).keep("spool", retry_first="10m")
        with with_tokens(house).serve() as relay:
            yield relay, held(relay, ses)


def held(relay: RunningRelay, ses: EmbeddedSes) -> str:
    return kept(relay, ses, MINE.delegate)


def sign_in(one: Window, token: str) -> None:
    one.page.get_by_label("Token").fill(SECRETS[token])
    one.page.get_by_role("button", name="Sign in").click()
    one.page.get_by_role("button", name="Sign out").wait_for()
    one.settled()


def test_a_viewer_looks_and_an_operator_acts(browser: Browser, guarded: Guarded) -> None:
    """Each by a cookie that holds no token; what is done is asked about first, and told with the token's name."""
    relay, entry = guarded
    with window(browser, relay, width=NARROW) as one:
        one.page.goto(f"{one.base}/#/spool/{entry}")
        expect(one.page.locator("h1")).to_have_text("Sign in")
        assert (one.sticking_out(), one.barriers()) == ([], [])
        one.page.get_by_label("Token").fill("wrong")
        one.page.get_by_role("button", name="Sign in").click()
        expect(one.page.get_by_role("alert")).to_have_text("this is no token of this relay")
        one.complaints.clear()

        sign_in(one, "watch")
        expect(one.page.locator("main")).to_contain_text(entry)
        assert one.page.get_by_role("button", name="Release").count() == 0
        [cookie] = one.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        stored = one.page.evaluate("JSON.stringify([document.cookie, localStorage, sessionStorage, location.href])")
        assert SECRETS["watch"] not in str(cookie) + stored
        assert "ses-relay-" not in stored
        one.page.get_by_role("button", name="Sign out").click()
        expect(one.page.locator("h1")).to_have_text("Sign in")
        assert one.context.cookies() == []

        sign_in(one, "desk")
        assert one.page.get_by_role("link", name="Identities").count() == 0
        one.page.get_by_role("button", name="Release").click()
        one.page.get_by_role("button", name="Leave it").click()
        expect(one.page.locator("dialog")).to_have_count(0)
        assert not changes(relay)
        one.page.get_by_role("button", name="Release").click()
        assert one.barriers() == []
        one.page.locator("dialog").get_by_role("button", name="Release").click()
        expect(one.page.locator("#said")).to_have_text("Done.")
        expect(one.page.locator("main .badge").first).not_to_contain_text("held")
        told = relay.wait_until(lambda: changes(relay), "a line of it")
        assert [(line["token"], line["action"], line["object"]) for line in told] == [("desk", "spool.release", entry)]


def changes(relay: RunningRelay) -> list[dict[str, Any]]:
    """What was done at the console, as the log has it; the fixture itself held the message."""
    return [line for line in relay.lines("admin.changed") if line["action"] != "spool.hold"]
