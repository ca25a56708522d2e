"""What is taken out of the image is not missed: every client that the code makes has its description."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest
from botocore.loaders import Loader

from config.prune import CALLED, CREDENTIALS, SERVICES, prune
from tests.docs.pages import ROOT

DATA = Path(botocore.__file__).parent / "data"
KNOWN = {path.name for path in DATA.iterdir() if path.is_dir()}


@pytest.fixture
def pruned(tmp_path: Path) -> Path:
    """Packages as in the image: the real files of botocore's data, and of its services what is left."""
    data = tmp_path / "botocore" / "data"
    data.mkdir(parents=True)
    for path in DATA.iterdir():
        if path.is_dir() and path.name not in SERVICES:
            (data / path.name).mkdir()
        else:
            (data / path.name).symlink_to(path)
    prune(tmp_path)
    return data


def calls() -> Iterator[tuple[str, str]]:
    """Every service and operation that the code names, as ``"sesv2.get_account"`` or in ``session.client("sts")``."""
    for file in sorted((ROOT / "relay").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                service, dot, operation = node.value.partition(".")
                if dot and service in KNOWN and operation.isidentifier():
                    yield service, operation
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "client":
                yield from ((str(each.value), "") for each in node.args[:1] if isinstance(each, ast.Constant))


@cache
def session_of(data: Path) -> Any:
    session = botocore.session.Session()
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    session.register_component("data_loader", loader)
    return session


@cache
def client_of(service: str, data: Path = DATA) -> Any:
    key = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return session_of(data).create_client(service, region_name="eu-central-1", **key)


def test_what_is_kept_is_what_is_asked():
    """A call of another service fails here before it fails in the image."""
    asked = {service for service, operation in calls() if operation == "" or is_operation(service, operation)}

    assert asked == CALLED
    assert KNOWN >= SERVICES


def is_operation(service: str, operation: str) -> bool:
    """A text such as ``ses.region`` is a key of the settings, no call."""
    return hasattr(client_of(service), operation)


def test_its_clients_can_be_made(pruned):
    """With their endpoints."""
    for service in SERVICES:
        assert client_of(service, pruned).meta.endpoint_url.startswith("https://"), service


def test_nothing_else_is_left(pruned):
    assert {path.name for path in pruned.iterdir() if path.is_dir()} == SERVICES
    assert CALLED.isdisjoint(CREDENTIALS)
