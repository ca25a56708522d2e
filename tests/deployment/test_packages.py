"""Wheel and sdist: the same octets from the same sources, whenever and wherever built, with all that is needed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

import relay
from tests.docs.pages import ROOT

SOURCES = ["pyproject.toml", ".gitignore", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"]
SOURCES += ["relay.toml.example", "constraints.txt", "Makefile", "Dockerfile", ".dockerignore", ".importlinter"]
FOLDERS = ["relay", "config", "docs"]
SAYS_WHERE_IT_IS = "import relay, runpy; print(relay.__file__); runpy.run_module('relay', run_name='__main__')"


def sources(folder: Path) -> Path:
    """A tree of its own, with what lies about where somebody works."""
    folder.mkdir(parents=True)
    for name in SOURCES:
        shutil.copyfile(ROOT / name, folder / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def build(tree: Path, *targets: str, **environ: str) -> Path:
    """Build into a folder ``dist`` beside the tree, as ``pip wheel`` would have it built."""
    dist = tree.with_name(f"{tree.name}-dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(dist), *(f"-t{each}" for each in targets)]
    told = subprocess.run(
        command, cwd=tree, env=os.environ | environ, capture_output=True, text=True, check=False, timeout=50
    )
    assert told.returncode == 0, told.stderr
    return dist


def digests(dist: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in dist.iterdir()}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel and the sdist."""
    return build(sources(tmp_path_factory.mktemp("built") / "one"), "wheel", "sdist", SOURCE_DATE_EPOCH="1790000000")


def wheel_of(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


def test_the_same_sources_make_the_same_octets(dist, tmp_path):
    """Elsewhere, later, by another umask, in another zone and language; with secrets and caches lying about."""
    tree = sources(tmp_path / "quite" / "elsewhere")
    (tree / "config" / "secrets").mkdir()
    (tree / "config" / "secrets" / "billing").write_text("a secret of its own\n")
    (tree / "relay" / "__pycache__").mkdir()
    (tree / "relay" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"x")
    for path in tree.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_600_000_000, 1_600_000_000))
    environ = {"SOURCE_DATE_EPOCH": "1790000000", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"}

    assert digests(build(tree, "wheel", "sdist", **environ)) == digests(dist)


def test_the_wheel_of_the_sdist_is_the_wheel(dist, tmp_path):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # from 3.11.4 on
        archive.extractall(tmp_path)
    again = build(tmp_path / f"ses_relay-{relay.__version__}", "wheel", SOURCE_DATE_EPOCH="1790000000")

    assert digests(again) == {wheel_of(dist).name: digests(dist)[wheel_of(dist).name]}


def test_the_sdist_has_what_is_shipped_beside_the_program(dist):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    shipped = {"Dockerfile", "constraints.txt", "config/compose.yaml", "config/systemd/ses-relay.service"}
    assert shipped | {"config/kubernetes/sidecar.yaml", "config/prometheus/alerts.yaml", "docs/index.md"} <= names


def test_the_wheel_runs_by_itself(dist, tmp_path):
    """From another folder, with nothing of the sources in reach; the demo's settings are inside."""
    with zipfile.ZipFile(wheel_of(dist)) as archive:
        archive.extractall(tmp_path / "installed")
    told = subprocess.run(
        [sys.executable, "-c", SAYS_WHERE_IT_IS, "--version"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert told.stdout.splitlines()[0].startswith(str(tmp_path / "installed")), told.stdout
    assert relay.__version__ in told.stdout.splitlines()[1]
    assert (tmp_path / "installed" / "relay" / "demo" / "relay.toml").is_file()
    assert (tmp_path / "installed" / "relay" / "py.typed").is_file()
    console = Path("relay", "console", "static")
    installed, ours = ({path.name for path in (root / console).iterdir()} for root in (tmp_path / "installed", ROOT))
    assert installed == ours


def bill() -> dict[str, object]:
    told = subprocess.run(
        [sys.executable, str(ROOT / "config" / "sbom.py")], capture_output=True, text=True, check=True, timeout=30
    )
    found: dict[str, object] = json.loads(told.stdout)
    return found


def test_the_bill_of_materials_names_everything_that_is_installed():
    """Each with version and address; whatever is needed is in it; the same twice."""
    first = bill()
    assert first == bill()
    assert (first["bomFormat"], first["specVersion"]) == ("CycloneDX", "1.6")
    parts = first["components"]
    assert isinstance(parts, list)
    named = {(part["name"], part["version"]) for part in parts if part["type"] == "library"}

    assert named == {(each.name, each.version) for each in distributions() if not is_ours(each)}
    references = {part["bom-ref"] for part in parts} | {f"pkg:pypi/ses-relay@{relay.__version__}"}
    assert len(references) == len(parts) + 1
    needed = first["dependencies"]
    assert isinstance(needed, list)
    assert {each["ref"] for each in needed} | {each for one in needed for each in one["dependsOn"]} <= references
    ours = next(each for each in needed if each["ref"].startswith("pkg:pypi/ses-relay@"))
    assert {each.rpartition("@")[0] for each in ours["dependsOn"]} >= {"pkg:pypi/boto3", "pkg:pypi/aiosmtpd"}


def is_ours(each: Distribution) -> bool:
    return each.name == "ses-relay"
