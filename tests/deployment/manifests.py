"""The manifests of Kubernetes, read, and what they would bring into a container, as files."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from tests.docs.pages import ROOT

FOLDER: Final = ROOT / "config" / "kubernetes"
FILES: Final = sorted(path.name for path in FOLDER.glob("*.yaml"))
#: Of those the ones with a relay; the others go beside one of them.
NAMES: Final = [name for name in FILES if "kind: Deployment\n" in (FOLDER / name).read_text("utf-8")]


def manifests_of(name: str) -> list[dict[str, Any]]:
    """Every object of a file, in order."""
    return [dict(each) for each in yaml.safe_load_all((FOLDER / name).read_text("utf-8"))]


def one(name: str, kind: str, called: str | None = None) -> dict[str, Any]:
    """The only object of a kind in a file, or the one with a name."""
    found = [each for each in manifests_of(name) if each["kind"] == kind and called in (None, each["metadata"]["name"])]
    assert len(found) == 1, (name, kind, called)
    return found[0]


def pod_of(name: str) -> dict[str, Any]:
    """The pod that a file's Deployment makes."""
    pod: dict[str, Any] = one(name, "Deployment")["spec"]["template"]["spec"]
    return pod


def containers_of(name: str) -> list[dict[str, Any]]:
    """Every container of a file's pod."""
    return [*pod_of(name).get("initContainers", ()), *pod_of(name)["containers"]]


def relay_of(name: str) -> dict[str, Any]:
    """The relay's container."""
    return next(each for each in containers_of(name) if each["name"] == "ses-relay")


def mounted(name: str, folder: Path) -> dict[str, str]:
    """
    Write what the relay's volumes hold, secrets made up, each volume to a folder of its own.

    Returns:
        From the path in the container to the path here.
    """
    volumes = {each["name"]: each for each in pod_of(name)["volumes"]}
    paths = {}
    for mount in relay_of(name)["volumeMounts"]:
        here = folder / mount["name"]
        here.mkdir(parents=True)
        paths[mount["mountPath"]] = str(here)
        for path, text in _files_of(name, volumes[mount["name"]]).items():
            (here / path).parent.mkdir(parents=True, exist_ok=True)
            (here / path).write_text(text)
            (here / path).chmod(0o440)
    return paths


def _files_of(name: str, volume: dict[str, Any]) -> dict[str, str]:
    if "secret" in volume:
        secrets = dict.fromkeys(("token", "billing", "newsletter", "tls.crt", "tls.key"), "a secret of its own\n")
        return {**secrets, "url": "rediss://ses-relay:a-secret-of-its-own@redis.example.com:6379\n"}
    if "configMap" not in volume:
        return {}
    data = one(name, "ConfigMap", volume["configMap"]["name"])["data"]
    items = volume["configMap"].get("items") or [{"key": key, "path": key} for key in data]
    assert {each["key"] for each in items} == set(data), "a policy without a path, or a path without a policy"
    return {each["path"]: data[each["key"]] for each in items}


def at_home(text: str, paths: dict[str, str]) -> str:
    """Put the paths here in the place of those in the container."""
    longest_first = "|".join(re.escape(there) for there in sorted(paths, key=len, reverse=True))
    return re.sub(rf'(?<![\w/])(?:{longest_first})(?=[/"]|$)', lambda found: paths[found[0]], text)


def environ_of(name: str, paths: dict[str, str]) -> dict[str, str]:
    """The relay's variables, with the paths here."""
    return {each["name"]: at_home(each["value"], paths) for each in relay_of(name).get("env", ())}
