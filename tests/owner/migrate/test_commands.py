"""``ses-relay migrate``: what it writes is whole, checked, linted and explained; nothing is written over."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from tests.owner.migrate.peers import ACCOUNT, ARN, HASH, decke, postfix


def run(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


def of_blueimp(folder: Path, *more: str) -> list[object]:
    env = folder / "relay.env"
    env.write_text(f"# of the container\nBCRYPT_HASH={HASH}\nexport AWS_REGION='us-east-1'\n")
    flags = ["--", "-u", "app", "-l", r"@example\.com$", "-d", r"@blocked\.example$"]
    return ["blueimp", "--env", env, "--account", ACCOUNT, *more, *flags]


def peer(name: str, folder: Path) -> list[object]:
    """The words that carry over a peer's settings."""
    if name == "blueimp":
        return of_blueimp(folder)
    if name == "decke":
        return ["decke", decke(folder), "--account", ACCOUNT]
    settings = postfix(folder, "maximal_queue_lifetime = 1w\n")
    # addresses under example.com are all owned by logins: what is left for mynetworks is named
    return ["postfix", settings, "--passwords", settings / "users", "--account", ACCOUNT, "--identity", "example.net"]


def to(words: list[object], folder: Path) -> list[object]:
    return ["migrate", words[0], "--to", folder, *words[1:]]


PEERS = ("blueimp", "decke", "postfix")


@pytest.mark.parametrize("name", PEERS)
def test_what_is_written_is_good_as_it_stands(name, tmp_path):
    """Settings pass check, policies pass lint, and the cases that are written beside them hold."""
    new = tmp_path / "new"
    result = run(*to(peer(name, tmp_path), new))

    assert result.exit_code == 0, result.output
    assert run("check", "-c", new / "relay.toml").exit_code == 0
    assert "clean" in run("policy", "lint", new / "policies").output
    assert run("policy", "test", new / "cases.json", "-c", new / "relay.toml").exit_code == 0
    assert sorted(each.name for each in new.iterdir()) == [
        "README.md",
        "cases.json",
        "htpasswd",
        "policies",
        "relay.toml",
    ]


@pytest.mark.parametrize("name", PEERS)
def test_hashes_are_kept_where_only_their_owner_reads_them_and_told_nowhere(name, tmp_path):
    new = tmp_path / "new"
    result = run(*to(peer(name, tmp_path), new))

    assert f"app:{HASH}\n" in (new / "htpasswd").read_text()
    assert (new / "htpasswd").stat().st_mode & 0o777 == 0o600
    for text in (result.output, (new / "README.md").read_text(), (new / "relay.toml").read_text()):
        assert HASH not in text
        assert "smtp-secret" not in text


def test_a_password_in_clear_is_hashed(tmp_path):
    (tmp_path / "env").write_text("PASSWORD=s3cret-of-app\n")
    new = tmp_path / "new"
    words = ["--env", tmp_path / "env", "--account", ACCOUNT, "--region", "us-east-1", "--identity", "example.com"]
    result = run("migrate", "blueimp", "--to", new, *words, "--", "-u", "app")

    assert result.exit_code == 0, result.output
    assert "\napp:$argon2id$" in (new / "htpasswd").read_text()
    assert all("s3cret-of-app" not in path.read_text() for path in new.iterdir() if path.is_file())
    assert "s3cret-of-app" not in result.output


def test_nothing_is_written_over(tmp_path):
    new = tmp_path / "new"
    new.mkdir()
    (new / "mine").write_text("mine")
    result = run(*to(of_blueimp(tmp_path), new))

    assert result.exit_code == 2
    assert "is there and not empty" in result.output
    assert [path.name for path in new.iterdir()] == ["mine"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "new").mkdir()

    assert run(*to(of_blueimp(tmp_path), tmp_path / "new")).exit_code == 0
    assert (tmp_path / "new" / "relay.toml").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "relay.env"]


def test_a_dry_run_writes_nothing_and_tells_the_same(tmp_path):
    words = of_blueimp(tmp_path)
    dry = run("migrate", words[0], "--dry-run", "--to", tmp_path / "new", *words[1:])

    assert dry.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["relay.env"]
    wet = run(*to(words, tmp_path / "new"))
    assert dry.output.splitlines()[:-1] == wet.output.splitlines()[:-1]


def test_the_report_is_for_machines_too(tmp_path):
    words = of_blueimp(tmp_path, "--json", "--dry-run")
    report = json.loads(run("migrate", *words).output)

    assert (report["format"], report["from"], report["written"]) == (1, "blueimp", False)
    assert report["identities"] == [ARN]
    assert report["delegates"][0]["addresses"] == ["*@example.com"]
    assert {"kind", "subject", "why", "place"} == set(report["notes"][0])
    assert report["problems"] == report["lint"] == []


def test_a_certificate_that_is_not_here_is_told_and_the_rest_is_written(tmp_path):
    result = run(*to(of_blueimp(tmp_path), tmp_path / "new"), "-c", "/nowhere/c.pem", "-k", "/nowhere/k.pem")

    assert result.exit_code == 1
    assert "check: tls.certificate" in result.output
    assert (tmp_path / "new" / "relay.toml").exists()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ([], "give --to DIR, or --dry-run"),
        (["--dry-run"], "no region is told by the peer's settings: give --region"),
        (["--dry-run", "--region", "us-east-1"], "no account is told by the peer's settings: give --account"),
        (["--dry-run", "--account", "12"], "--account '12': an account has 12 digits"),
        (["--dry-run", "--delegate", "a b"], "--delegate 'a b': 1 to 64 letters"),
        (["--dry-run", "--trust", "x"], "--trust: 'x' is no address or network"),
        (["--dry-run", "--from", "a@"], "'a@' is no address"),
        (["--dry-run", "--region", "us-east-1", "--account", ACCOUNT], "app might send as anybody: give --identity"),
        (["--dry-run", "--region", "us-east-1", "--account", ACCOUNT, "--identity", "x"], "--identity 'x': no domain"),
        (["--dry-run", "--env", "/nowhere"], "/nowhere: No such file"),
    ],
)
def test_what_only_the_operator_knows_is_asked_for(more, why):
    result = run("migrate", "blueimp", *more)

    assert result.exit_code == 2
    assert why in result.output


def test_delegates_stay_apart_whatever_principals_are_given(tmp_path):
    words = ["migrate", "decke", decke(tmp_path), "--dry-run", "--account", ACCOUNT, "--principal"]
    one = run(*words, "arn:aws:iam::111111111111:user/app")

    assert (one.exit_code, "let {name} stand in it" in one.output) == (2, True)
    many = run(*words, "arn:aws:iam::111111111111:role/mail-{name}", "--json")
    assert [each["principal"] for each in json.loads(many.output)["delegates"]] == [
        "arn:aws:iam::111111111111:role/mail-app",
        "arn:aws:iam::111111111111:role/mail-john-doe",
    ]


def test_many_addresses_are_divided_among_policies(tmp_path):
    """What does not fit into the 4,096 octets of one policy, whose parts allow no more than the whole."""
    addresses = ",".join(f"team-number-{number:03}@example.com" for number in range(150))
    ini = decke(tmp_path, users=f"app {HASH} {addresses}\n")
    result = run("migrate", "decke", ini, "--to", tmp_path / "new", "--account", ACCOUNT)

    assert result.exit_code == 0, result.output
    files = list((tmp_path / "new" / "policies").rglob("*.json"))
    assert len(files) > 1
    assert all(path.stat().st_size <= 4096 for path in files)


def test_the_addresses_of_many_others_are_divided_among_policies(tmp_path):
    """Each Deny stands in one of them, and lint has nothing to say."""
    new, others = tmp_path / "new", [f"someone-else.of-many-{number}@example.com" for number in range(60)]
    login = "@example.com app\n" + "".join(f"{other} other\n" for other in others)
    settings = postfix(
        tmp_path, "smtpd_sender_restrictions = permit_mynetworks, reject_sender_login_mismatch\n", login=login
    )
    result = run("migrate", "postfix", settings, "--to", new, "--account", ACCOUNT)

    assert result.exit_code == 0, result.output
    assert "clean" in run("policy", "lint", new / "policies").output
    assert run("policy", "test", new / "cases.json", "-c", new / "relay.toml").exit_code == 0
    texts = [path.read_text() for path in new.rglob("app-*.json")]
    assert len(texts) > 1
    assert all(sum(f'"{other}"' in text for text in texts) == 1 for other in others)


def test_too_many_addresses_are_a_problem(tmp_path):
    addresses = ",".join(f"team-number-{number:04}@example.com" for number in range(1000))
    ini = decke(tmp_path, users=f"app {HASH} {addresses}\n")
    result = run("migrate", "decke", ini, "--to", tmp_path / "new", "--account", ACCOUNT)

    assert result.exit_code == 2
    assert "example.com: takes" in result.output
    assert not (tmp_path / "new").exists()
