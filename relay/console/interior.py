"""What lies behind the probes: the API and the console, over ports. The first who asks for any of it has it loaded."""

from aiohttp import web

from relay.console import openapi, page
from relay.console.decision_pages import DecisionPages, DecisionsPort
from relay.console.delegate_pages import DelegatePages, DelegatesPort
from relay.console.explain_pages import ExplainPages, ExplainPort
from relay.console.guard import SESSION
from relay.console.identity_pages import IdentitiesPort, IdentityPages
from relay.console.inbox_pages import InboxPages, InboxPort
from relay.console.routes import Route, route_of
from relay.console.session_pages import SessionPages
from relay.console.spool_pages import SpoolPages, SpoolPort
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Ports:
    """What the pages under ``/api/`` ask; None for no such pages. ``delegates`` is asked for ``/api/traffic``, too."""

    spool: SpoolPort | None = None
    identities: IdentitiesPort | None = None
    decisions: DecisionsPort | None = None
    explain: ExplainPort | None = None
    delegates: DelegatesPort | None = None
    inbox: InboxPort | None = None


class Interior:
    """
    The pages, each under its path.

    Args:
        ports: What they ask.
        session: Those by which one signs in to the console; None for no console.
    """

    def __init__(self, ports: Ports, session: SessionPages | None) -> None:
        self.session = session
        self.router = web.UrlDispatcher()
        #: Paths that are open without a token: what is there holds nothing that is secret.
        self.open_paths: frozenset[str] = frozenset()
        if session is not None:
            session.add_to(self.router)
            self.open_paths = page.add_to(self.router) | {SESSION}
        openapi.add_to(self.router)
        if ports.spool is not None:
            SpoolPages(ports.spool).add_to(self.router)
        if ports.identities is not None:
            IdentityPages(ports.identities).add_to(self.router)
        if ports.decisions is not None:
            DecisionPages(ports.decisions).add_to(self.router)
        if ports.explain is not None:
            ExplainPages(ports.explain).add_to(self.router)
        if ports.delegates is not None:
            DelegatePages(ports.delegates).add_to(self.router)
        if ports.inbox is not None:
            InboxPages(ports.inbox).add_to(self.router)
        self.router.freeze()

    def route_of(self, request: web.Request) -> Route | None:
        """Return the operation of the API that *request* asks for."""
        resource = request.match_info.route.resource
        return route_of(request.method, None if resource is None else resource.canonical)
