"""The HTTP connection under the admin server: bounded, and silent about what it is made of."""

from typing import Any, Final

from aiohttp import web

SERVER: Final = "ses-relay"
MOST_CONNECTIONS: Final = 128
#: Seconds in which a request must have come whole, and for which an idle connection is kept for the next.
PATIENCE: Final = 75.0
MOST_BODY_OCTETS: Final = 1024 * 1024

_WORDS: Final = {
    400: "bad request",
    401: "a bearer token is needed",
    404: "not found",
    405: "method not allowed",
    408: "the body did not come in time",
    429: "too many wrong tokens: wait a minute",
    413: f"the body is larger than {MOST_BODY_OCTETS} octets",
}


def said(status: int, why: str | None = None, **more: Any) -> web.Response:
    """Return a short JSON answer in the place of a page: *why*, or the words of the status."""
    words = why or _WORDS.get(status, "internal error" if status >= 500 else "refused")
    return web.json_response({"error": words}, status=status, **more)


class Door(web.RequestHandler):
    """One connection. Past ``MOST_CONNECTIONS`` it is closed at once; a malformed request is answered, not logged."""

    __slots__ = ("_server",)

    def __init__(self, server: web.Server, **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self._server = server

    def connection_made(self, transport: Any) -> None:
        """Let the client in, unless the house is full."""
        super().connection_made(transport)
        if len(self._server.connections) > MOST_CONNECTIONS:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  aiohttp's signature; its words name aiohttp's own parts
    ) -> web.StreamResponse:
        """Answer what never reached a page: malformed requests, and exceptions of ours, which are logged."""
        if status >= 500:
            self.log_exception("an admin request failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer is already on its way")
        response = said(status, headers={"Server": SERVER})
        response.force_close()
        return response
