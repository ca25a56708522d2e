"""Whatever people write, they are told; nothing is raised."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.settings import read_settings
from relay.settings.environment import PREFIX
from relay.settings.keys import dotted
from tests.settings.toml_texts import WORDS, document, sections, texts

unhurried = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
variables = st.lists(st.sampled_from(WORDS) | st.text("AZ_9", max_size=3), min_size=1, max_size=4).map(
    lambda words: PREFIX + "__".join(words).upper()
)


@unhurried
@given(sections, st.booleans())
def test_any_toml(tmp_path, table, break_lines):
    """A document made of our own keys and of anything is read, or every problem has a place and a reason."""
    path = tmp_path / "relay.toml"
    path.write_text(document(table, break_lines=break_lines), "utf-8")

    reading = read_settings(path, {})

    assert (reading.settings is None) == bool(reading.problems)
    for problem in (*reading.problems, *reading.warnings):
        assert problem.path
        assert problem.why
        assert "\n" not in problem.why


@unhurried
@given(st.dictionaries(variables, texts.filter(lambda text: "\0" not in text), max_size=6))
def test_any_environment(tmp_path, environ):
    """The same for variables."""
    reading = read_settings(None, environ)
    assert (reading.settings is None) == bool(reading.problems)


@unhurried
@given(st.binary(max_size=60))
def test_any_octets(tmp_path, octets):
    """The same for a file that is no TOML."""
    path = tmp_path / "relay.toml"
    path.write_bytes(octets)
    assert all(problem.why for problem in read_settings(path, {}).problems)


def test_paths_are_written_for_people():
    assert dotted(("policies", "owner", 0, "account")) == "policies.owner[0].account"
