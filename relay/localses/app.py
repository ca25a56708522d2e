"""The embedded SES on HTTP: Amazon's wire at ``/``, and ``/_local`` for whoever looks at what arrived."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Final

from aiohttp import web

from relay.localses.desk import Desk
from relay.localses.events_desk import EventsDesk
from relay.localses.faults import Fault, Faults
from relay.localses.house import House
from relay.localses.identities import Identities
from relay.localses.keys import Key
from relay.localses.listening import is_loopback
from relay.localses.naming import owner_of
from relay.localses.operations import OPERATIONS, ROUTES, find_operation, find_route, service_of
from relay.localses.outlet import Outlet
from relay.localses.publishing import Publisher
from relay.localses.query import error_xml, new_request_id, read_parameters, result_xml
from relay.localses.quota import Allowance, Quota
from relay.localses.refusals import Refused
from relay.localses.rest import error_of, read_asked
from relay.localses.sessions import Role, Sessions
from relay.localses.sigv4 import Caller, claimed_scope, trusting_caller, verified_caller
from relay.localses.store import Store
from relay.localses.verification import Ask, AtOnce, ByDns
from relay.localses.wire import Wire
from relay.words.values import dataclass

LARGEST_REQUEST: Final = 44 * 1024 * 1024
"""Octets of a request: by v1 10 MiB in base64 of nothing but ``+``, each written ``%2B``; by v2 40 MiB in base64; and
the other parameters."""

READ_TIMEOUT: Final = 60.0
WELCOME: Final = """\
This is an embedded SES, for laptops and tests: nothing is delivered.
GET    /_local/messages   the accepted messages
DELETE /_local/messages   forget them
GET    /_local/events     what became of them: Send, Delivery, Bounce, Complaint, Reject
POST   /_local/events     {"message_id": "...", "type": "Complaint"}: let that happen to a message
PUT    /_local/faults     {"SendRawEmail": [{"code": "Throttling", "message": "Maximum sending rate exceeded."}]}
PUT    /_local/accounts   {"888888888888": {"paused": true}}: also sandbox, suspended
GET    /_local/judged     what policies were asked, and their answers
"""

_SENDING: Final = frozenset({"SendEmail", "SendRawEmail"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """
    One answered request, for whoever watches.

    ``code`` and ``message`` are those of an error; ``message_id`` that of an accepted message.
    """

    operation: str
    status: int
    principal: str = "-"
    code: str = ""
    message: str = ""
    message_id: str = ""


class LocalSes:
    """
    A small SES, with STS beside it at the same address.

    Args:
        keys: The access keys it knows; ``keys.DEMO_KEYS`` for the demo.
        verify_signatures: False takes every request's word for its key; an unknown key is account 000000000000.
        allowance: What accounts may send and ask, and whether that is enforced.
        store: Where accepted messages are kept; in memory by default.
        identities: Where identities and their policies are kept; in memory by default.
        outlet: How events reach a queue, topics and buses; by default they do not.
        roles: The roles whose sessions STS gives out.
        ask_dns: Gives DNS records, by which domains are verified; None: all are at once.
        clock: Seconds since the epoch.
        tell: Hears of every answered request.
    """

    def __init__(  # noqa: PLR0913  each is given by its name, few by most
        self,
        keys: Sequence[Key],
        *,
        verify_signatures: bool = True,
        allowance: Allowance = Allowance(),  # noqa: B008  frozen
        store: Store | None = None,
        identities: Identities | None = None,
        outlet: Outlet | None = None,
        roles: Sequence[Role] = (),
        ask_dns: Ask | None = None,
        clock: Callable[[], float] = time.time,
        tell: Callable[[Served], None] | None = None,
    ) -> None:
        self.store = store if store is not None else Store()
        self.faults = Faults([*(action for _, action in OPERATIONS), *(name for _, _, name, _ in ROUTES)])
        self._keys = {key.id: key for key in keys}
        self._verify = verify_signatures
        sessions = Sessions(self._keys, roles)
        known = identities or Identities()
        verification = AtOnce() if ask_dns is None else ByDns(ask_dns, clock, time.monotonic)
        publisher = Publisher(known, outlet)
        self._house = House(self.store, known, sessions, Quota(allowance), publisher, clock, verification)
        self._tell = tell or (lambda _served: None)
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    def application(self) -> web.Application:
        """Return the application, to be run by whoever likes; run it without decompression of requests."""
        application = web.Application(client_max_size=LARGEST_REQUEST)
        application.add_routes([*EventsDesk(self._house).routes(), *Desk(self._house, self.faults).routes()])
        application.router.add_route("*", "/{rest:.*}", self._answer)
        return application

    async def start(self, host: str, port: int, *, allow_remote: bool = False) -> tuple[str, int]:
        """
        Listen, and return the address; port 0 takes a free one.

        Raises:
            ValueError: *host* is no loopback address and ``allow_remote`` was not said.
            OSError: The address is not to be had.
        """
        if not allow_remote and not is_loopback(host):
            raise ValueError(f"{host} is not a loopback address: everyone who reaches it could read the messages")
        runner = web.AppRunner(
            self.application(), access_log=None, auto_decompress=False, handle_signals=False, shutdown_timeout=1.0
        )
        await runner.setup()
        self._runner = runner
        self._stopping.clear()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:
            await self.stop()
            raise
        address = runner.addresses[0]
        return str(address[0]), int(address[1])

    async def stop(self) -> None:
        """Stop listening, end what is delayed, let running requests end for a second, close every connection."""
        self._stopping.set()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()
        await self._house.publisher.stop()

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method == "GET" and request.raw_path == "/":
            return web.Response(text=WELCOME)
        visit = _Visit(new_request_id(), rest=request.raw_path.startswith("/v2/"))
        try:
            result = await self._serve(request, visit)
        except Refused as refused:
            return self._refuse(visit, refused)
        except Exception:  # noqa: BLE001  a mistake of ours is an answer too: clients parse it and try again
            _log.exception("request %s failed", visit.id)
            return self._refuse(visit, Refused("InternalFailure", "Internal failure."))
        self._tell(Served(visit.operation, 200, visit.principal, message_id=result.get("MessageId", "")))
        if visit.rest:
            return self._respond_json(visit, 200, result)
        return self._respond(visit, 200, result_xml(visit.service, visit.operation, result, visit.id))

    async def _serve(self, request: web.Request, visit: "_Visit") -> dict[str, Any]:
        wire = await _read(request)
        visit.operation = f"{wire.method} {wire.path}"
        route = find_route(wire.method, wire.path)
        if route is not None:
            visit.operation, work, labels = route
            caller = self._identify(request, wire, visit)
            asked = read_asked(wire, labels)
            return await self._carry_out(request, visit, caller, lambda: work(self._house, caller, asked))
        if visit.rest or wire.path != "/":
            self._identify(request, wire, visit)
            raise Refused("UnknownOperationException", f"This embedded SES does not serve {visit.operation}")
        parameters = read_parameters(wire)
        visit.operation = parameters.get("Action") or "-"
        visit.service = _service(wire, visit.operation)
        caller = self._identify(request, wire, visit)
        operation = find_operation(visit.service, parameters)
        return await self._carry_out(request, visit, caller, lambda: operation(self._house, caller, parameters))

    async def _carry_out(
        self, request: web.Request, visit: "_Visit", caller: Caller, work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Do the *work*, but for the fault that this call meets."""
        fault = self.faults.take(visit.operation)
        try:
            await self._suffer(request, fault)
            if visit.service == "ses" and visit.operation not in _SENDING:
                self._house.quota.check_call(owner_of(caller), self._house.clock())
            await self._house.verification.look(self._house.identities, caller.region)
            return work()
        finally:
            if fault is not None and fault.drop == "after":
                _hang_up(request)

    async def _suffer(self, request: web.Request, fault: Fault | None) -> None:
        """Go through the fault: wait, lose the connection, or be refused. A client that gives up changes nothing."""
        if fault is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), fault.delay)
            raise Refused("ServiceUnavailable", "The embedded SES is stopping.")
        if fault.drop == "before":
            _hang_up(request)
            raise Refused("InternalFailure", "The connection was cut as asked for.")
        if fault.code is not None:
            raise Refused(fault.code, fault.message, fault.status)

    def _identify(self, request: web.Request, wire: Wire, visit: "_Visit") -> Caller:
        now = datetime.fromtimestamp(self._house.clock(), UTC)
        caller = (
            verified_caller(wire, self._keys, visit.service, now) if self._verify else trusting_caller(wire, self._keys)
        )
        visit.principal = caller.key.principal
        return replace(caller, address=request.remote or "")

    def _refuse(self, visit: "_Visit", refused: Refused) -> web.Response:
        self._tell(Served(visit.operation, refused.status, visit.principal, refused.code, refused.message))
        if not visit.rest:
            return self._respond(visit, refused.status, error_xml(visit.service, refused, visit.id))
        status, code = error_of(refused)
        response = self._respond_json(visit, status, {"message": refused.message})
        response.headers["x-amzn-ErrorType"] = code
        return response

    def _respond_json(self, visit: "_Visit", status: int, body: dict[str, Any]) -> web.Response:
        response = self._respond(visit, status, json.dumps(body))
        response.content_type = "application/json"
        return response

    def _respond(self, visit: "_Visit", status: int, body: str) -> web.Response:
        """Answer with the request's id and with the time of our clock, which clients set theirs by."""
        headers = {"x-amzn-RequestId": visit.id, "Date": formatdate(self._house.clock(), usegmt=True)}
        return web.Response(text=body, status=status, content_type="text/xml", headers=headers)


@dataclass(slots=True)
class _Visit:
    """What is known of a request by now: an answer, and whoever watches, gets as far as this."""

    id: str
    rest: bool
    service: str = "ses"
    operation: str = "-"
    principal: str = "-"


def _service(wire: Wire, action: str) -> str:
    scope = claimed_scope(wire)
    return service_of(action, "sts" if scope is not None and scope.service == "sts" else "ses")


async def _read(request: web.Request) -> Wire:
    try:
        async with asyncio.timeout(READ_TIMEOUT):
            body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refused("RequestEntityTooLarge", "The request is too large.") from None
    except TimeoutError:
        raise Refused("RequestTimeout", "The request did not arrive in time.") from None
    path, _, query = request.raw_path.partition("?")
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.raw_headers)
    return Wire(request.method, path, query, headers, body)


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
