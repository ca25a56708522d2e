"""What a start does not pay for: what is not asked for is not loaded."""

import gc
import json
import os
import subprocess
import sys
from typing import Final

import pytest

from tests.system.relays import Client, clean_environ

#: Ours and others', and what asks for them.
NOT_LOADED: Final = {
    "relay.workers": "server.workers",
    "relay.staffing": "server.workers",
    "relay.shared": "shared.url",
    "redis": "shared.url",
    "relay.localses": "the demo",
    "relay.console.interior": "who asks the admin endpoint for more than a probe",
    "relay.console.schemas": "the same",
    "relay.desks": "the same",
    "relay.explaining": "the same",
    "relay.journal.queries": "the same",
    "relay.delegates.jwks": "delegates.oauth",
    "relay.delegates.secrets": "delegate.password_secret",
    "relay.delegates.tokens": "delegates.oauth",
    "relay.feedback.counting": "feedback.queue_url",
    "relay.feedback.invalidation": "policies.events_queue",
    "relay.feedback.queues": "either",
    "relay.identities.accounts": "policies at SES, or a queue",
    "relay.identities.ses_directory": "policies at SES",
    "relay.identities.snapshot": "policies.snapshot",
    "relay.owner.effects": "a policy that changed",
    "relay.owner.past": "who asks about a decision of the past",
    "relay.owner.policy_texts": "journal.path",
    "relay.owner.folder": "who looks at a policy",
    "relay.policy.lint": "ses-relay policy lint",
    "relay.owner.doctor": "ses-relay doctor",
    "relay.owner.migrate": "ses-relay migrate",
    "boto3": "an entry whose password is in Secrets Manager",
    "joserfc": "delegates.issuer",
    "cryptography": "delegates.issuer",
    "bcrypt": "a hash of bcrypt",
    "passlib": "a hash of SHA-crypt",
    "yaml": "cases in YAML",
}
LOADED: Final = """
import gc, json, sys
from relay.cli import main
main.get_command(None, "serve")
told = {"modules": sorted(sys.modules), "frozen": gc.get_freeze_count(), "looks": gc.get_threshold()}
gc.unfreeze()
print(json.dumps({**told, "garbage": gc.collect()}))
"""

#: Python runs a module of this name before all else: this one notes each pattern that is compiled.
NOTING: Final = """
import re._compiler
compiled = re._compiler.compile
def noted(pattern, flags=0):
    with open({note!r}, "a") as note:
        print(ascii(pattern), file=note)
    return compiled(pattern, flags)
re._compiler.compile = noted
"""

#: The bound of a line is the operator's: how long lines are looked for is made of it, in no time.
OF_THE_BOUND: Final = "b'(?s:.{0,"
FIRST: Final = b"""\
From: Billing <billing@example.com>\r
To: ann@example.net\r
Subject: Your invoice\r
Date: Sat, 21 Nov 2026 10:00:00 +0000\r
Message-ID: <1@example.com>\r
MIME-Version: 1.0\r
Content-Type: multipart/alternative; boundary="b"\r
\r
--b\r
\r
Please pay.\r
--b--\r
"""


@pytest.fixture(scope="module")
def loaded():
    told = subprocess.run(
        [sys.executable, "-c", LOADED], env=clean_environ(), capture_output=True, check=True, timeout=60
    )
    return json.loads(told.stdout)


@pytest.mark.parametrize("name", NOT_LOADED)
def test_a_plain_relay_does_not_load(loaded, name):
    assert [each for each in loaded["modules"] if each == name or each.startswith(f"{name}.")] == []


def test_what_was_loaded_is_not_looked_at_for_garbage(loaded):
    """The collector looks again, but not at what stays: it would take longer than reading all settings."""
    assert loaded["looks"] == list(gc.get_threshold())
    assert loaded["frozen"] > 10_000


def test_what_loading_left_behind_is_gone(loaded):
    """Classes that were made twice and their like: thousands of objects, a megabyte."""
    assert loaded["garbage"] < 1000


@pytest.mark.system
def test_the_first_message_waits_for_no_pattern(house, tmp_path):
    """What ordinary mail is matched with is compiled before the relay is ready."""
    note, place = tmp_path / "patterns", tmp_path / "noting"
    place.mkdir()
    (place / "sitecustomize.py").write_text(NOTING.format(note=str(note)))
    path = os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH")])])
    with house.serve({"PYTHONPATH": path}) as relay:
        before = note.read_text()
        with Client(relay.smtp) as client:
            client.command("EHLO client.test")
            client.log_in("billing", "demo-billing-secret")
            reply = client.hand_over("billing@example.com", ["ann@example.net"], FIRST)
        compiled = note.read_text().removeprefix(before).splitlines()
    assert reply.startswith("250")
    assert before.count("\n") > 100
    assert [each for each in compiled if not each.startswith(OF_THE_BOUND)] == []
