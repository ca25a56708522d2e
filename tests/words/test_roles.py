"""Roles that mail is sent as, and the names of their sessions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.words.roles import LONGEST_SESSION, AssumedRole, session_of

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:iam::111111111111:role/mail", "arn:aws:sts::111111111111:assumed-role/mail/ses-relay-app"),
        ("arn:aws:iam::111111111111:role/a/b/mail", "arn:aws:sts::111111111111:assumed-role/mail/ses-relay-app"),
        ("arn:aws-cn:iam::222222222222:role/mail", "arn:aws-cn:sts::222222222222:assumed-role/mail/ses-relay-app"),
    ],
)
def test_a_session_is_named_without_the_path_of_its_role(arn, principal):
    """
    In the role's own account and partition.
    """
    role = AssumedRole(arn, session_of("app"))

    assert role.principal == principal
    assert role.account == principal.split(":")[4]


def test_no_external_id_is_shown():
    """
    It is no secret, and nobody's business.
    """
    assert "canary" not in repr(AssumedRole("arn:aws:iam::111111111111:role/mail", "s", "canary"))


@given(NAMES)
def test_every_delegate_has_a_name_that_sts_takes(name):
    """
    Letters, digits, ``_`` and ``-`` of the delegate's own name, 64 at most.
    """
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", session_of(name), re.ASCII)


@given(NAMES, NAMES)
def test_two_delegates_have_two_sessions(one, other):
    """
    However long their names are.
    """
    assert (session_of(one) == session_of(other)) is (one == other)
    assert session_of("x" * 64) != session_of("x" * 63 + "y")
    assert len(session_of("x" * 64)) == LONGEST_SESSION
