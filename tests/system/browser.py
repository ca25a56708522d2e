"""Debian's Chromium on the console of a running relay, looked over its shoulder."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

ARGUMENTS: Final = [
    "--headless",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = 1280, 360
AXE: Final = Path(__file__).parents[2] / ".venv" / "node" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE: Final = 20_000
expect.set_options(timeout=PATIENCE)
#: Elements that stick out of the window, whether or not the page lets itself be scrolled there.
STICKING_OUT = """() => [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && each.checkVisibility()
        && !each.closest(".unseen, .skip, thead, svg, pre"))
    .map((each) => each.outerHTML.slice(0, 150))"""


@contextmanager
def started_browser(executable: str) -> Iterator[Browser]:
    """Run Chromium until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


class Window:
    """One window on a console. Whatever its page complains of is in ``complaints``."""

    def __init__(self, browser: Browser, address: str, *, width: int = WIDE, scheme: Any = "light") -> None:
        viewport: Any = {"width": width, "height": 800}
        self.context = browser.new_context(viewport=viewport, color_scheme=scheme, locale="en-GB")
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.base = f"http://{address}"
        self.width = width
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type != "log" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: self._asked(asked.url))

    def _asked(self, url: str) -> None:
        if not url.startswith((self.base, "data:")):
            self.complaints.append(f"asked elsewhere: {url}")

    def open(self, place: str) -> None:
        """Go to a page, and wait until it is there."""
        self.page.goto(f"{self.base}/#/{place}")
        self.settled()

    def settled(self) -> None:
        """Wait until a page is there."""
        self.page.wait_for_selector("main:not([aria-busy]) h1")

    def heading(self) -> str:
        return self.page.locator("h1").inner_text()

    def sticking_out(self) -> list[str]:
        """What is wider than the window."""
        scrolled = self.page.evaluate("document.documentElement.scrollWidth")
        found: list[str] = self.page.evaluate(STICKING_OUT)
        return found if scrolled <= self.width else [*found, f"the page is {scrolled} wide"]

    def barriers(self) -> list[str]:
        """What keeps people out, as axe-core sees it (WCAG 2.2 A and AA, and its best practices)."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [f"{each['id']}: {json.dumps(each['nodes'][0])[:600]}" for each in found["violations"]]

    def close(self) -> None:
        self.context.close()
