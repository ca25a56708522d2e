"""What SES refuses: an error code, a message and an HTTP status, apart until the wire."""

from typing import Final

STATUS: Final = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "ExpiredToken": 403,
    "InternalFailure": 500,
    "InternalServiceErrorException": 500,
    "InvalidClientTokenId": 403,
    "MalformedQueryString": 404,
    "MissingAuthenticationToken": 403,
    "NotFoundException": 404,
    "OptInRequired": 403,
    "RequestEntityTooLarge": 413,
    "RequestTimeout": 408,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "TooManyRequestsException": 429,
    "UnknownOperationException": 404,
}
"""HTTP status by error code; every other code is a 400 (SES API Reference, "Common Errors")."""


class Refused(Exception):
    """A request that SES answers with an error. ``code`` is the wire code of the Query API."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or STATUS.get(code, 400)


def invalid(message: str) -> Refused:
    """Name a parameter or a message that SES cannot take."""
    return Refused("InvalidParameterValue", message)
