"""The table of the API, the document that is written from it, and what is served: one and the same."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from openapi_spec_validator import validate

from relay.console import schemas
from relay.console.askers import LOCAL, Asker
from relay.console.guard import may
from relay.console.interior import Interior, Ports
from relay.console.openapi import document
from relay.console.reference import api_reference
from relay.console.routes import TABLE, Route, route_of
from relay.decision_desk import _FIELDS as DECISION_FIELDS
from relay.delegate_desk import _FIELDS as DELEGATE_FIELDS
from relay.delegate_desk import _TRAFFIC_FIELDS as TRAFFIC_FIELDS
from relay.identity_desk import _FIELDS as IDENTITY_FIELDS
from relay.identity_desk import _OF_ONE as OF_ONE_IDENTITY
from relay.inbox_desk import _FIELDS as INBOX_FIELDS
from relay.journal.ring import SEVERITY
from relay.spool.entries import State
from relay.spool_desk import _FIELDS as SPOOL_FIELDS
from tests.console.test_admin import running

ANYBODY: Any = object()
PORTS = Ports(**{each.name: ANYBODY for each in fields(Ports)})
FIELDS = {
    "decisions.list": DECISION_FIELDS,
    "delegates.list": DELEGATE_FIELDS,
    "traffic": TRAFFIC_FIELDS,
    "identities.list": IDENTITY_FIELDS,
    "identities.policies": OF_ONE_IDENTITY,
    "inbox.list": INBOX_FIELDS,
    "spool.list": SPOOL_FIELDS,
}


def test_what_is_served_is_what_stands_in_the_table():
    """No page of the API is beside it, and none of it is missing."""
    resources = [route for route in Interior(PORTS, session=None).router.routes() if route.resource is not None]
    served = {(route.method, route.resource.canonical) for route in resources if route.resource}

    assert {(method, path) for method, path in served if path.startswith("/api/") and method != "HEAD"} == {
        (route.method, route.path) for route in TABLE
    }


@pytest.mark.parametrize("route", [route for route in TABLE if route.query], ids=lambda route: route.name)
def test_the_fields_of_a_query_are_those_that_are_read(route):
    assert tuple(query.name for query in route.query) == tuple(FIELDS[route.name])


def test_the_words_of_the_schemas_are_those_of_the_rooms():
    """The console does not know spool and journal: it repeats their words."""
    assert tuple(state.value for state in State) == schemas.STATES
    assert SEVERITY == schemas.VERDICTS


def test_the_document_is_openapi():
    validate(document())
    for route in TABLE:
        for schema in filter(None, (route.answer, route.body)):
            jsonschema.Draft202012Validator.check_schema(schema)


async def test_the_document_is_served():
    """With the guards of every other page."""
    async with running() as endpoint:
        status, text, headers = await endpoint.ask("/api/openapi.json")
        stranger = await endpoint.ask("/api/openapi.json", headers={"Host": "evil.example"})

    assert (status, json.loads(text), headers["Content-Type"]) == (200, document(), "application/json")
    assert stranger[0] == 403


def test_the_page_about_it_is_this_one():
    """`make docs` writes it."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "api.md"

    assert api_reference() == page.read_text("utf-8")


@pytest.mark.parametrize("route", TABLE, ids=lambda route: route.name)
def test_an_operation_is_for_whom_the_table_says(route: Route):
    viewer, team = Asker("v"), Asker("t", delegates=frozenset({"a"}))
    operator, desk = Asker("o", may_change=True), Asker("d", may_change=True, delegates=frozenset({"a"}))
    got = [may(asker, route.path, route) for asker in (viewer, team, operator, desk, LOCAL)]

    scoped = not route.spans_all
    assert got == [not route.changes, not route.changes and scoped, True, scoped, True]


def test_what_stands_in_no_table_is_for_nobody_with_a_narrower_token():
    """A page that somebody forgets to enter stays shut."""
    assert route_of("GET", "/api/new") is None
    assert [may(asker, "/api/new", None) for asker in (Asker("v"), Asker("o", may_change=True))] == [False, True]
    assert not may(Asker("d", may_change=True, delegates=frozenset({"a"})), "/api/new", None)
