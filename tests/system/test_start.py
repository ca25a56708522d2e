"""What a start does not pay for: what is not asked for is not loaded."""

import gc
import json
import subprocess
import sys
from typing import Final

import pytest

from tests.system.relays import clean_environ

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
