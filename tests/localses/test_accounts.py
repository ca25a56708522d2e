"""The file of keys."""

import pytest

from relay.localses.keys import AccountsProblem, Key, read_accounts


def test_keys_are_read(tmp_path):
    """Account ids are opaque strings: the one of AWS's own example is no number."""
    path = tmp_path / "accounts.toml"
    path.write_text(
        '[[key]]\nid = "A1"\nsecret = "s"\nprincipal = "arn:aws:iam::EXAMPLE65304:user/a/b"\n'
        '[[key]]\nid = "A2"\nsecret = "t"\nprincipal = "arn:aws-us-gov:sts::222222222222:assumed-role/r/s"\n'
    )

    first, second = read_accounts(path)

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
        "keys: unknown; the file holds [[key]] tables",
        "key 1: colour: unknown; a key has id, secret and principal",
        "key 1: id: give 1 to 128 letters, digits, - or _, such as AKIAEXAMPLE000000000",
        "key 1: secret: give a text that is not empty",
        "key 1: principal: give the ARN of a user, role or role session, such as arn:aws:iam::111111111111:user/app",
        "key 3: secret: give a text that is not empty",
        "key 3: id A2 is listed twice",
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
