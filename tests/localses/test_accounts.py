"""The file of keys."""

import pytest

from relay.localses.accounts import AccountsProblem, read_accounts
from relay.localses.keys import Key
from relay.localses.sessions import Role


def test_keys_are_read(tmp_path):
    """Account ids are opaque strings: the one of AWS's own example is no number."""
    path = tmp_path / "accounts.toml"
    path.write_text(
        '[[key]]\nid = "A1"\nsecret = "s"\nprincipal = "arn:aws:iam::EXAMPLE65304:user/a/b"\n'
        '[[key]]\nid = "A2"\nsecret = "t"\nprincipal = "arn:aws-us-gov:sts::222222222222:assumed-role/r/s"\n'
    )

    first, second = read_accounts(path).keys

    assert first == Key("A1", "s", "arn:aws:iam::EXAMPLE65304:user/a/b")
    assert (first.account, second.account) == ("EXAMPLE65304", "222222222222")


def test_a_key_does_not_show_its_secret():
    assert "hush" not in repr(Key("A1", "hush", "arn:aws:iam::1:root"))


def test_every_problem_is_named_at_once(tmp_path):
    path = tmp_path / "accounts.toml"
    path.write_text(
        'keys = 1\n[[key]]\nid = "A 1"\nsecret = ""\nprincipal = "billing"\ncolour = "red"\n'
        '[[key]]\nid = "A2"\nsecret = "hush"\nprincipal = "arn:aws:iam::1:root"\n'
        '[[key]]\nid = "A2"\nprincipal = "arn:aws:iam::1:root"\n'
    )

    with pytest.raises(AccountsProblem) as raised:
        read_accounts(path)

    said = [line.removeprefix(f"{path}: ") for line in str(raised.value).splitlines()]
    assert said == [
        "keys: unknown; the file holds [[key]] and [[role]] tables",
        "key 1: colour: unknown; a key has id, secret and principal",
        "key 1: id: give 1 to 128 letters, digits, - or _, such as AKIAEXAMPLE000000000",
        "key 1: secret: give a text that is not empty",
        "key 1: principal: give the ARN of a user, role or role session, such as arn:aws:iam::111111111111:user/app",
        "key 3: secret: give a text that is not empty",
        "key 3: id A2 is listed twice",
    ]


def test_roles_are_read(tmp_path):
    path = tmp_path / "accounts.toml"
    path.write_text(
        '[[key]]\nid = "A1"\nsecret = "s"\nprincipal = "arn:aws:iam::1:user/a"\n'
        '[[role]]\narn = "arn:aws:iam::2:role/r"\ntrusts = ["1"]\nexternal_id = "x"\n'
    )

    assert read_accounts(path).roles == (Role("arn:aws:iam::2:role/r", ("1",), "x"),)


def test_every_problem_of_a_role_is_named(tmp_path):
    path = tmp_path / "accounts.toml"
    path.write_text(
        '[[key]]\nid = "A1"\nsecret = "s"\nprincipal = "arn:aws:iam::1:user/a"\n'
        '[[role]]\narn = "mail"\ntrusts = "1"\nexternal_id = 5\nname = "r"\n'
    )

    with pytest.raises(AccountsProblem) as raised:
        read_accounts(path)

    assert [line.removeprefix(f"{path}: ") for line in str(raised.value).splitlines()] == [
        "role 1: name: unknown; a role has arn, trusts and external_id",
        "role 1: arn: give the ARN of a role, such as arn:aws:iam::111111111111:role/mail",
        'role 1: trusts: list ARNs of principals or ids of accounts, such as ["888888888888"]; "*" is every key',
        "role 1: external_id: give a text",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"no \[\[key\]\]"),
        ("key = []", r"no \[\[key\]\]"),
        ("key = [1]", "key 1: is no table"),
        ("key", "Expected '='"),
        (None, "No such file"),
    ],
)
def test_a_file_without_keys_is_refused(tmp_path, text, says):
    path = tmp_path / "accounts.toml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(AccountsProblem, match=says):
        read_accounts(path)
