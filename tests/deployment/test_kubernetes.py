"""The manifests: shapes that the API knows, pods as restricted as there is, names that meet, settings that are good."""

from pathlib import Path

import pytest
import trustme

import relay
from relay.policy.document import Policy, parse_policy
from relay.settings.model import Settings
from relay.settings.reading import read_settings
from tests.deployment.manifests import (
    FILES,
    NAMES,
    at_home,
    containers_of,
    environ_of,
    manifests_of,
    mounted,
    one,
    pod_of,
    relay_of,
)
from tests.deployment.shapes import misfits_of
from tests.docs.pages import text_of


@pytest.mark.parametrize("name", FILES)
def test_every_key_is_one_that_the_api_knows(name):
    assert [misfit for each in manifests_of(name) for misfit in misfits_of(each)] == []


def test_a_misspelt_key_or_a_wrong_type_would_be_found():
    manifest = one("central.yaml", "Deployment")
    manifest["spec"]["replicas"] = "2"
    manifest["spec"]["template"]["spec"]["containers"][0]["livnessProbe"] = {}
    del manifest["spec"]["selector"]

    assert [misfit.split(": ", 1)[1] for misfit in misfits_of(manifest)] == [
        "missing",
        "'2' is no <class 'int'>",
        "unknown",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_pods_are_restricted(name):
    """As the Pod Security Standard "restricted" wants it, and read-only besides."""
    pod = pod_of(name)
    context = pod["securityContext"]

    assert (context["runAsNonRoot"], context["runAsUser"], context["fsGroup"]) == (True, 10001, 10001)
    assert pod["automountServiceAccountToken"] is False
    for container in containers_of(name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("name", NAMES)
def test_names_meet(name):
    """Selectors find the pod, mounts have volumes, services have ports, account and namespace are there."""
    deployment = one(name, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in relay_of(name)["ports"]}
    pod = pod_of(name)
    for manifest in manifests_of(name):
        spec = manifest.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector") or {"matchLabels": labels}
        assert selector.get("matchLabels", selector) == labels, manifest["kind"]
        assert manifest["metadata"].get("namespace") == deployment["metadata"].get("namespace") or (
            manifest["kind"] == "Namespace" and manifest["metadata"]["name"] == deployment["metadata"]["namespace"]
        )
        asked = [port["targetPort"] for port in spec.get("ports", ())]
        asked += [port["port"] for rule in spec.get("ingress", ()) for port in rule["ports"]]
        assert set(asked) <= ports
    assert {mount["name"] for each in containers_of(name) for mount in each.get("volumeMounts", ())} == {
        volume["name"] for volume in pod["volumes"]
    }
    assert one(name, "ServiceAccount")["metadata"]["name"] == pod["serviceAccountName"]


@pytest.mark.parametrize("name", NAMES)
def test_probes_ask_what_answers(name):
    """A relay that is not ready is not restarted: only /livez may do that. All are asked at the admin endpoint."""
    container = relay_of(name)
    probes = {key: probe["httpGet"] for key, probe in container.items() if key.endswith("Probe")}

    assert probes["livenessProbe"]["path"] == "/livez"
    assert {probe["path"] for probe in probes.values()} == {"/livez", "/readyz"}
    assert {probe["port"] for probe in probes.values()} == {"admin"}


@pytest.mark.parametrize("name", NAMES)
def test_messages_in_hand_are_finished_before_the_pod_is_killed(name):
    assert pod_of(name)["terminationGracePeriodSeconds"] >= Settings().server.drain_timeout + 10


@pytest.mark.parametrize("name", NAMES)
def test_the_image_is_of_this_release(name):
    assert relay_of(name)["image"] == f"ses-relay:{relay.__version__}"


def test_as_many_pods_as_there_are_share_one_pace(tmp_path):
    """The Deployment that is scaled names a Redis, by a file that is mounted, and may speak to it."""
    scaled = one("with-prometheus.yaml", "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert scaled["name"] == one("central.yaml", "Deployment")["metadata"]["name"]
    environ = environ_of("central.yaml", mounted("central.yaml", tmp_path / "volumes"))
    assert Path(environ["SES_RELAY__SHARED__URL_FILE"]).read_text().startswith("rediss://")
    egress = one("central.yaml", "NetworkPolicy")["spec"]["egress"]
    assert {"port": 6379, "protocol": "TCP"} in [port for rule in egress for port in rule["ports"]]


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_good_with_what_is_mounted(name, tmp_path):
    paths = mounted(name, tmp_path / "volumes")
    config: Path | None = None
    if "-c" in relay_of(name)["args"]:
        certificate = trustme.CA().issue_cert("relay.example.com")
        tls = Path(paths["/run/secrets/tls"])
        for file, blob in (("tls.crt", certificate.cert_chain_pems[0]), ("tls.key", certificate.private_key_pem)):
            (tls / file).unlink()
            blob.write_to_path(tls / file)
            (tls / file).chmod(0o440)
        config = tmp_path / "relay.toml"
        there = relay_of(name)["args"][-1]
        config.write_text(at_home(Path(at_home(there, paths)).read_text(), paths))
    reading = read_settings(config, environ_of(name, paths))

    assert [str(each) for each in (*reading.problems, *reading.warnings)] == []
    assert reading.settings is not None
    assert str(reading.settings.delivery.mode) == "direct", "a pod's disk ends with the pod"


@pytest.mark.parametrize("name", NAMES)
def test_policies_are_policies_of_their_identity(name, tmp_path):
    folder = Path(mounted(name, tmp_path)[policies_of(name)])
    files = [path for path in folder.rglob("*") if path.is_file()]

    assert files
    for path in files:
        account, region, identity, _ = path.relative_to(folder).parts
        assert isinstance(parse_policy(path.stem, path.read_text()), Policy)
        assert f'"arn:aws:ses:{region}:{account}:identity/{identity}"' in path.read_text()


def policies_of(name: str) -> str:
    return next(str(mount["mountPath"]) for mount in relay_of(name)["volumeMounts"] if mount["name"] == "policies")


def test_what_scales_and_scrapes_meets_what_it_is_for():
    """The relay of central.yaml, its admin port, metrics that it has, or that the docs make of those."""
    beside, main = "with-prometheus.yaml", "central.yaml"
    relays, scaler = one(main, "Deployment"), one(beside, "HorizontalPodAutoscaler")["spec"]
    target = scaler["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"]) == (relays["apiVersion"], relays["kind"])
    assert {each["metadata"]["namespace"] for each in manifests_of(beside)} == {relays["metadata"]["namespace"]}
    assert target["name"] == relays["metadata"]["name"]
    assert scaler["minReplicas"] > one(main, "PodDisruptionBudget")["spec"]["minAvailable"]

    service, monitor = one(beside, "Service"), one(beside, "ServiceMonitor")["spec"]
    assert service["spec"]["selector"] == relays["spec"]["template"]["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "ses-relay"
    [endpoint], [port] = monitor["endpoints"], service["spec"]["ports"]
    assert (endpoint["port"], port["targetPort"]) == (port["name"], "admin")

    asked = {each["pods"]["metric"]["name"] for each in scaler["metrics"]}
    reference, page = text_of("docs/reference/metrics.md"), text_of("docs/how-to/deploy-kubernetes.md")
    for name in asked:
        assert f"`{name}`" in reference or f"as: {name}" in page, name
