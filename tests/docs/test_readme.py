"""The first page: short, readable on a phone, honest about what is not there."""

from xml.etree import ElementTree

from tests.docs.pages import ROOT, text_of


def test_it_is_short():
    assert text_of("README.md").count("\n") <= 150


PICTURE = ROOT / "docs" / "images" / "walk.svg"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_of_the_walk_is_for_everyone():
    """On a phone, in the dark, to who cannot see it; small, and it fetches nothing."""
    drawn = ElementTree.parse(PICTURE).getroot()
    width = float(drawn.attrib["viewBox"].split()[2])
    title, told = drawn.find(f"{SVG}title"), drawn.find(f"{SVG}desc")

    assert f"(docs/images/{PICTURE.name})" in text_of("README.md")
    assert width <= 480
    assert title is not None
    assert told is not None
    assert all(code in str(told.text) for code in ("535", "550", "554", "451", "250"))
    assert "prefers-color-scheme: dark" in PICTURE.read_text()
    assert PICTURE.stat().st_size < 10_000
    assert "href" not in PICTURE.read_text()
