"""The console's files over real HTTP: what a browser may load, keep and run."""

import re
from importlib.resources import files

import pytest

from relay.console.page import HEADERS
from tests.console.test_admin import TOKEN, Endpoint, raw, running

STATIC = files("relay.console").joinpath("static")
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(|\.style\b")
NAMES = sorted(file.name for file in STATIC.iterdir())


async def test_every_file_is_served_with_its_guards():
    """Off loopback without a token, too: who signs in has none yet, and they hold nothing that is secret."""
    async with running(host="0.0.0.0", tokens=(TOKEN,)) as endpoint:
        for name in NAMES:
            path = "/" if name == "index.html" else f"/static/{name}"
            status, text, headers = await endpoint.ask(path)

            assert (status, text) == (200, STATIC.joinpath(name).read_text("utf-8"))
            assert {field: headers[field] for field in HEADERS} == dict(HEADERS)
            assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")


async def test_what_a_browser_has_it_is_not_sent_again():
    """It asks each time, so that a new release counts at once."""
    async with running() as endpoint:
        _, _, headers = await endpoint.ask("/static/main.js")
        again = await endpoint.ask("/static/main.js", headers={"If-None-Match": headers["ETag"]})
        other = await endpoint.ask("/static/main.js", headers={"If-None-Match": '"of-another-release"'})

    assert headers["Cache-Control"] == "no-cache"
    assert (again[0], again[1], again[2]["ETag"]) == (304, "", headers["ETag"])
    assert other[0] == 200


OUTSIDE = [
    "/static",
    "/static/",
    "/static/index.html",
    "/static/..%2fpage.py",
    "/static/%2e%2e/page.py",
    "/static//etc/passwd",
]


@pytest.mark.parametrize("path", [*OUTSIDE, "/static/main.js/", "/static/main.js%00", "/static/../page.py"])
async def test_there_is_no_way_out_of_the_folder(path):
    """Files are known by name before anybody asks."""
    async with running() as endpoint:
        answered = await raw_get(endpoint, path)

    assert answered.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert b"import" not in answered


async def raw_get(endpoint: Endpoint, path: str) -> bytes:
    """Ask for *path* as it is: clients would tidy it up."""
    return await raw(endpoint.port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".js")])
def test_a_script_makes_no_markup_and_loads_its_neighbours_only(name):
    """The browser forbids it, too: a script that tried would stop there, in front of a reader."""
    text = STATIC.joinpath(name).read_text("utf-8")
    imported = re.findall(r'from "([^"]+)"', text)

    assert not MARKUP.search(text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert [each for each in imported if each.removeprefix("./") not in NAMES] == []
