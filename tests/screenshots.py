"""``make screenshots``: the pictures of the console in docs/images, made anew from the running demo."""

import json
import shutil
import smtplib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from playwright.sync_api import Browser, Route

from tests.system.admin import Admin
from tests.system.browser import NARROW, Window, started_browser
from tests.system.relays import RunningRelay, started_demo, trusting
from tests.system.rows import DOMAIN, ROWS, secret_of

IMAGES: Final = Path(__file__).parent.parent / "docs" / "images"
AS_THE_CEO: Final = {"role": "from", "address": "ceo@example.com"}
WIDTH, HEIGHT = 1100, 860
#: What an hour at a relay may look like: the demo has no past.
HOUR: Final[Mapping[tuple[str, str, str], Callable[[int], int]]] = {
    ("billing", "accepted", "none"): lambda minute: 14 + minute % 7 - minute % 4,
    ("newsletter", "accepted", "none"): lambda minute: 40 if 20 <= minute < 34 else 0,
    ("newsletter", "queued", "ses-throttled"): lambda minute: 9 if 27 <= minute < 34 else 0,
    ("billing", "rejected", "policy-not-allowed"): lambda minute: 3 if minute in (41, 42, 43, 50) else 0,
    ("intern", "rejected", "policy-denied"): lambda minute: 1 if minute % 11 == 5 else 0,
}


def main() -> None:
    """Start the demo, send what may go and what may not, and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        started_demo(Path(folder)) as relay,
        started_browser(str(shutil.which("chromium"))) as browser,
    ):
        send_all(relay)
        asked = "/api/decisions?delegate=billing&reason=policy-not-allowed"
        decisions = Admin(relay.addresses["admin"]).get(asked).told["decisions"]
        refused = next(each["id"] for each in decisions if AS_THE_CEO.items() <= each["roles"][0].items())
        with window(browser, relay) as one:
            one.page.route("**/api/traffic", lambda route: route.fulfill(body=json.dumps(an_hour(route))))
            take(one, "traffic", "console-traffic")
            take(one, f"decisions/{refused}", "console-decision")
            take(one, f"identities/{quote(DOMAIN, safe='')}", "console-identity")
        with window(browser, relay, width=NARROW, scheme="dark") as one:
            take(one, f"decisions/{refused}", "console-phone")


def send_all(relay: RunningRelay) -> None:
    """Send what the tests send."""
    for row in ROWS:
        with smtplib.SMTP(*relay.smtp) as client, suppress(smtplib.SMTPException):
            client.starttls(context=trusting())
            client.login(row.delegate, secret_of(row.delegate))
            client.sendmail(row.mail_from, row.recipients, row.raw, mail_options=["BODY=8BITMIME"])


def an_hour(route: Route) -> dict[str, Any]:
    """Answer as the relay would after such an hour."""
    told: dict[str, Any] = route.fetch().json()
    rows = [
        {"delegate": delegate, "outcome": outcome, "reason": reason, "counts": [count(each) for each in range(60)]}
        for (delegate, outcome, reason), count in HOUR.items()
    ]
    return {**told, "series": rows}


@contextmanager
def window(browser: Browser, relay: RunningRelay, **options: Any) -> Iterator[Window]:
    one = Window(browser, relay.addresses["admin"], **{"width": WIDTH, **options})
    one.page.route("**/readyz?verbose", lambda route: route.fulfill(body="ok credentials\nok listeners\nready\n"))
    yield one
    one.close()


def take(one: Window, place: str, name: str) -> None:
    """Keep what a window of a usual height shows."""
    one.page.set_viewport_size({"width": one.width, "height": HEIGHT})
    one.open(place)
    one.page.locator("#readiness .badge").wait_for()
    one.page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    main()
