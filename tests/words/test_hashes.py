"""Which hashes of passwords are taken, and what is said of those that are not."""

import pytest

from relay.words.hashes import CryptForm, crypt_form, is_argon2, read_htpasswd

BCRYPT = "$2y$05$lKspgpBEqv1n0UbkeHQ9oei4//S5Oc5iHGrRGkT4I3zaQmP7uJwiK"
SHA512 = "$6$FCNi52Dx7I4RZoPX$k6cBQuRU0jP6qkF7aj1Kr5i.r5rNkPa3XH/qKXutKFWKFpY/IeR17qHw6RrxEPasaK8DmnwDZTsmB6/O3SSu9."
SHA256 = "$5$TPa0MFvFEatB1lN3$6RnJ9ji1cwSuSzSZ7RBZp8VUPG1NEpiunmgIKdYnWa9"
YESCRYPT = "$y$j9T$VhikteoxctScSV2tNy5u2/$SBSm/frwKmltmDx1S/b2VYvFA5/EECXa8I7brkMxbp/"
ARGON2 = "$argon2id$v=19$m=19456,t=2,p=1$5rwcaAn1NOzkc0zpjPx5aQ$hmIHVu97QmXj/E53gu568mYAg7Pl9hDbBatdyv1gPj4"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (BCRYPT, CryptForm("bcrypt", "05")),
        (BCRYPT.replace("$05$", "$14$"), CryptForm("bcrypt", "14")),
        (BCRYPT.replace("$05$", "$15$"), None),
        (BCRYPT.replace("$05$", "$03$"), None),
        (BCRYPT[:-1], None),
        (SHA256, CryptForm("sha256", "5000")),
        (SHA512, CryptForm("sha512", "5000")),
        (SHA512.replace("$6$", "$6$rounds=656000$"), CryptForm("sha512", "656000")),
        (SHA512.replace("$6$", "$6$rounds=1000001$"), None),
        (SHA512.replace("$6$", "$6$rounds=999$"), None),
        (SHA512.replace("$6$", "$5$"), None),
        (YESCRYPT, CryptForm("yescrypt", "j9T")),
        (YESCRYPT.replace("j9T", "jFT"), None),
        (ARGON2, None),
        (BCRYPT + "\n", None),
        ("", None),
    ],
)
def test_a_form_has_a_price_within_our_means(text, form):
    assert crypt_form(text) == form


def test_every_form_is_taken_in_a_file_and_a_name_twice_has_two_passwords():
    lines = [f"a:{BCRYPT}", f"b:{SHA256}", "", "# a comment", f"c:{SHA512}", f"d:{YESCRYPT}\r", f"a:{ARGON2}"]

    read = read_htpasswd("\n".join(lines) + "\n")

    assert read.problems == ()
    assert dict(read.hashes) == {"a": (BCRYPT, ARGON2), "b": (SHA256,), "c": (SHA512,), "d": (YESCRYPT,)}
    assert is_argon2(ARGON2)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a:canary", "a password in clear"),
        ("a:{PLAIN}canary", "a password in clear"),
        ("a:$apr1$canary$BkUn4nVKNR2kN8UYD1iZz0", "an MD5 hash"),
        ("a:$1$canary$BkUn4nVKNR2kN8UYD1iZz0", "an MD5 hash"),
        ("a:{SHA}canaryNKNR2kN8UYD1iZz0=", "an unsalted SHA-1 hash"),
        ("a:canary8Kx5bfA", "a DES hash, or a password in clear"),
        ("a:$2y$31$" + "canary".ljust(53, "x"), "a hash that is cut off, malformed or dearer than a second"),
        (f"a:{BCRYPT[:28]}x{BCRYPT[29:]}", "a hash that is cut off, malformed or dearer than a second"),
        (f"a:$5$rounds=05000$canary${'x' * 43}", "a hash that is cut off, malformed or dearer than a second"),
        ("a:", "a password in clear"),
        ("canary", "no NAME:HASH"),
        (":canary", "no NAME:HASH"),
    ],
)
def test_what_is_soon_broken_is_refused_with_its_line_and_the_fix(line, why):
    """And never quoted."""
    (problem,) = read_htpasswd(f"ok:{BCRYPT}\n{line}\n").problems

    assert problem.line == 2
    assert why in problem.why
    assert "htpasswd -B" in problem.why or "NAME:HASH" in problem.why
    assert "canary" not in str(problem)


def test_a_fifth_password_of_one_name_is_one_too_many():
    read = read_htpasswd(f"a:{BCRYPT}\n" * 5)

    assert [problem.line for problem in read.problems] == [5]


def test_hashes_do_not_show():
    assert BCRYPT not in repr(read_htpasswd(f"a:{BCRYPT}"))
