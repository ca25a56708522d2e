"""The sidecar's manifest starts a relay that sends: its own variables and policies, before the embedded SES."""

from pathlib import Path

from tests.deployment.manifests import environ_of, mounted, relay_of
from tests.system.relays import Client, EmbeddedSes, started

CALLER = "arn:aws:iam::111111111111:role/billing"


def test_the_sidecar_of_the_manifest_sends_as_its_caller(ses: EmbeddedSes, tmp_path: Path) -> None:
    """No file of settings, no password: loopback is the application's alone, and its role is who is judged."""
    paths = mounted("sidecar.yaml", tmp_path / "volumes")
    elsewhere = {
        "SES_RELAY__LISTENER__ADDRESS": "127.0.0.1:0",
        "SES_RELAY__ADMIN__ADDRESS": "127.0.0.1:0",
        "SES_RELAY__SES__ENDPOINT_URL": ses.url,
        "SES_RELAY__POLICIES__REFRESH_INTERVAL": "100ms",
    }
    with started(relay_of("sidecar.yaml")["args"], tmp_path, environ_of("sidecar.yaml", paths) | elsewhere) as relay:
        caller = relay.wait_for("caller.known")["arn"]
        refusal = handed_over(relay.smtp, "billing@example.com")
        assert refusal.startswith("550 5.7.1"), "the policy names the pod's role, and the key here is another's"
        assert caller in refusal
        (policy,) = Path(paths["/etc/ses-relay/policies"]).rglob("billing.json")
        policy.chmod(0o600)
        policy.write_text(policy.read_text().replace(CALLER, caller))
        relay.wait_until(lambda: handed_over(relay.smtp, "billing@example.com").startswith("250"), "250")
        assert handed_over(relay.smtp, "ceo@example.com").startswith("554 5.7.1")
        assert relay.is_ready()


def handed_over(address: tuple[str, int], author: str) -> str:
    with Client(address) as client:
        client.command("EHLO application")
        raw = f"From: {author}\r\nTo: bob@example.net\r\nSubject: Hello\r\n\r\nYour invoice.\r\n".encode()
        return client.hand_over("billing@example.com", ["bob@example.net"], raw)
