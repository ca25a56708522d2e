"""The first page: short, readable on a phone, honest about what is not there."""

import pytest

from relay.settings.later import features_to_come
from tests.docs.pages import text_of

#: What the README calls not yet built, by the name it has in the settings.
NOT_YET = {
    "a spool": "the spool",
    "sending as the delegate's own role": "sending as the delegate's role",
    "several workers": "several workers",
    "the PROXY protocol": "the PROXY protocol",
    "SES tenants": "SES tenants",
    "observing": "observing",
}


@pytest.mark.parametrize(("words", "feature"), NOT_YET.items())
def test_not_yet_means_not_yet(words, feature):
    """A feature that is built leaves the list, one that is not stays in it."""
    listed = " ".join(text_of("README.md").partition("**Not yet:**")[2].partition("\n\n")[0].split())

    assert (words in listed) is (feature in features_to_come())


def test_it_is_short():
    assert text_of("README.md").count("\n") <= 150


def test_the_picture_fits_a_phone():
    """The walk is at most 48 columns wide."""
    picture = text_of("README.md").partition("```\n")[2].partition("```")[0]

    assert "ses-relay" in picture
    assert max(map(len, picture.splitlines())) <= 48
