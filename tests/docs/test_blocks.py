"""What can be copied from the documentation works."""

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from relay.localses.accounts import read_accounts
from relay.owner.cases import read_cases
from relay.policy.document import Policy, parse_policy
from relay.settings.problems import Reading
from relay.settings.reading import read_settings
from tests.docs.pages import NAMES, ROOT, Block, blocks, blocks_of

KNOWN_WORDS = {
    (),
    ("python",),
    ("json",),
    ("js",),
    ("yaml",),
    ("toml",),
    ("toml", "fragment"),
    ("toml", "accounts"),
    ("dotenv",),
    ("dotenv", "fragment"),
}
TABLE = re.compile(r"^\[+([a-z]+)", re.MULTILINE)


def by_place(block: Block) -> str:
    return block.place


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the samples name: policies, passwords, a certificate, delegates."""
    home = tmp_path_factory.mktemp("machine")
    shutil.copytree(ROOT / "config" / "demo" / "policies", home / "policies")
    for name in ("billing", "newsletter"):
        (home / name).write_text("a password of its own\n")
        (home / name).chmod(0o600)
    for name in ("admin-token", "dashboards", "team-billing", "on-call"):
        (home / name).write_text(f"a token of its own: {name}\n")
        (home / name).chmod(0o600)
    certificate = trustme.CA().issue_cert("relay.example.com")
    certificate.cert_chain_pems[0].write_to_path(home / "certificate.pem")
    certificate.private_key_pem.write_to_path(home / "key.pem")
    (home / "key.pem").chmod(0o600)
    shutil.copy(home / "certificate.pem", home / "clients.pem")
    (home / "htpasswd").write_text("billing:$2y$05$lKspgpBEqv1n0UbkeHQ9oei4//S5Oc5iHGrRGkT4I3zaQmP7uJwiK\n")
    (home / "htpasswd").chmod(0o600)
    (home / "delegates.toml").write_text(
        '[[delegate]]\nname = "billing"\nprincipal = "111111111111"\npassword_file = "billing"\n'
    )
    return home


def at_home(text: str, machine: Path) -> str:
    """Put the machine's folder in the place of the folders that the samples name."""
    return re.sub(r"(?:/etc/ses-relay|/run/secrets|/srv/current|/srv)/(?=[a-z])", f"{machine}/", text)


def trouble(reading: Reading) -> list[str]:
    return [str(problem) for problem in (*reading.problems, *reading.warnings)]


def read(text: str, machine: Path, name: str) -> Reading:
    path = machine / f"{re.sub(r'[^a-z0-9]', '-', name.lower())}.toml"
    path.write_text(at_home(text, machine))
    return read_settings(path, {})


def whole(fragment: str) -> str:
    """Put a fragment in the place of the tables of the same name of the README's sample."""
    sample = next(block.text for block in blocks_of("README.md") if block.words == ("toml",))
    tables = re.split(r"^(?=\[)", sample, flags=re.MULTILINE)
    said = set(TABLE.findall(fragment))
    return "".join(table for table in tables if not said & set(TABLE.findall(table))) + fragment


@pytest.mark.parametrize("page", NAMES)
def test_every_block_says_what_it_is(page):
    """Of shell: test_shell.py."""
    assert {block.words for block in blocks_of(page) if block.words[:1] != ("sh",)} <= KNOWN_WORDS


@pytest.mark.parametrize("block", blocks("toml"), ids=by_place)
def test_settings_are_good_as_they_stand(block, machine):
    """No problem and no warning, with everything there that they name."""
    assert trouble(read(block.text, machine, block.place)) == []


@pytest.mark.parametrize("block", blocks("toml", "fragment"), ids=by_place)
def test_fragments_are_good_in_the_smallest_settings(block, machine):
    assert trouble(read(whole(block.text), machine, block.place)) == []


@pytest.mark.parametrize("block", blocks("toml", "accounts"), ids=by_place)
def test_accounts_are_good(block, tmp_path):
    (tmp_path / "keys.toml").write_text(block.text)

    assert read_accounts(tmp_path / "keys.toml")


@pytest.mark.parametrize("block", blocks("dotenv") + blocks("dotenv", "fragment"), ids=by_place)
def test_environments_are_good(block, machine):
    """A fragment is added to the first environment of its page."""
    first = next(each for each in blocks_of(block.page) if each.words == ("dotenv",))
    lines = at_home(first.text * ("fragment" in block.words) + block.text, machine).splitlines()

    assert trouble(read_settings(None, dict(line.split("=", 1) for line in lines))) == []


def is_of_an_identity(policy: Any) -> bool:
    """Not a policy in IAM, which names nobody, nor the trust policy of a role."""
    return all("Principal" in each and each["Action"] != "sts:AssumeRole" for each in policy["Statement"])


@pytest.mark.parametrize("block", blocks("json"), ids=by_place)
def test_json_parses_and_policies_are_policies(block):
    document = json.loads(block.text)
    policy = document.get("policy", document) if isinstance(document, dict) else {}

    if "Statement" in policy and is_of_an_identity(policy):
        assert isinstance(parse_policy("sample", json.dumps(policy)), Policy)


@pytest.mark.parametrize("block", blocks("yaml"), ids=by_place)
def test_cases_are_cases(block):
    cases, problems = read_cases(yaml.safe_load(block.text), block.place)

    assert cases
    assert problems == []


@pytest.mark.parametrize("block", blocks("python"), ids=by_place)
def test_python_compiles(block):
    assert ast.parse(block.text).body


def test_the_sample_policies_are_those_of_the_demo():
    """The quickstart's policy is the demo's, with one address more."""
    shown = next(block.text for block in blocks_of("docs/quickstart.md") if block.words == ("json",))
    file = ROOT / "config/demo/policies/888888888888/us-east-1/example.com/billing.json"

    assert json.loads(shown.replace(', "reminders@example.com"', "")) == json.loads(file.read_text())
