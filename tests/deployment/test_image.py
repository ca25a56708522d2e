"""The Dockerfile, read: whom the image runs as, what it may write, what it probes, what goes into it."""

import json
import re
from fnmatch import fnmatch

from relay.cli import main as ses_relay
from relay.settings.model import Settings
from tests.docs.pages import ROOT, text_of
from tests.generated import context_of

USER = "10001:10001"


def instructions() -> list[tuple[str, str]]:
    """Every instruction and its words, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in text.splitlines() if line.strip()]


def final() -> list[tuple[str, str]]:
    """The instructions of the last stage."""
    every = instructions()
    return every[max(n for n, (name, _) in enumerate(every) if name == "FROM") :]


def words(name: str) -> str:
    found = [text for each, text in final() if each == name]
    assert len(found) == 1, (name, found)
    return found[0]


def test_it_runs_as_a_user_with_a_number():
    """A number, so that an orchestrator can see that it is not root's; and nothing is run as root behind it."""
    assert words("USER") == USER
    names = [name for name, _ in final()]
    assert "RUN" not in names[names.index("USER") :]


def test_what_it_keeps_is_a_volume_of_that_user():
    """A named volume takes the owner of what it is mounted over."""
    uid, gid = USER.split(":")

    assert words("VOLUME") == "/var/lib/ses-relay"
    assert words("RUN") == f"install -d -m 700 -o {uid} -g {gid} {words('VOLUME')}"
    names = [name for name, _ in final()]
    assert names.index("RUN") < names.index("VOLUME") < names.index("USER")


def test_its_commands_are_ours():
    probe = json.loads(words("HEALTHCHECK").partition("CMD ")[2])
    words_of_command = [*json.loads(words("ENTRYPOINT")), *json.loads(words("CMD"))]
    for program, command, *_ in (probe, words_of_command):
        assert program == "ses-relay"
        assert ses_relay.get_command(context_of(ses_relay, "ses-relay"), command) is not None


def test_its_ports_are_those_of_the_settings():
    defaults = Settings()

    assert words("EXPOSE").split() == [str(port_of(defaults.listener[0].address)), str(port_of(defaults.admin.address))]


def port_of(address: object) -> str:
    return str(address).rpartition(":")[2]


def test_what_it_copies_is_there_and_not_ignored():
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name, text in instructions():
        if name != "COPY" or text.startswith("--from="):
            continue
        for source in text.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(source == each or fnmatch(source, f"{each}/*") for each in kept), source


def test_its_dependencies_are_pinned():
    installs = [text for name, text in instructions() if name == "RUN" and "pip install" in text]

    assert all("--constraint constraints.txt" in each or "--no-deps" in each for each in installs)


def test_the_docs_know_the_user_and_the_volume():
    page = text_of("docs/how-to/central-relay.md")

    assert USER.split(":", maxsplit=1)[0] in page
    assert words("VOLUME") in page
