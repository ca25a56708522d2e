"""What the code writes is what stands in the repository."""

import re

import pytest

from relay.assembly import RELOADED
from tests.generated import FILES, ROOT


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_as_the_code_writes_it(name):
    """Not equal: ``make docs`` writes it anew."""
    assert FILES[name]() == (ROOT / name).read_text("utf-8")


def test_no_help_text_shows_its_markup():
    r"""click's ``\b`` keeps lines as they are; in a raw string it would be printed."""
    assert "\\b" not in FILES["docs/reference/cli.md"]()


def test_the_page_of_settings_names_what_a_reload_takes_over():
    """And admin, of which the tokens are: ``Relay.reload``."""
    [told] = re.findall(r"(?s)`SIGHUP` takes over (.*?)\. The rest", FILES["docs/reference/settings.md"]())

    assert {*RELOADED, "admin"} == set(re.findall(r"`\[+(\w+)\]+`", told))
