"""
The AWS accounts of identity owners, asked through boto3: by our own credentials, or through a role that an owner lends.

SES takes one call a second of every kind but sending, in each account and region (Amazon SES Developer Guide, "Service
quotas in Amazon SES"); all of an owner's tools share it. Whoever asks brings a pace.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from relay.words.throttling import THROTTLED, is_passing
from relay.words.values import dataclass

#: Attempts at one call, the first included, and the seconds before the second; each later wait is twice as long.
TRIES: Final = 6
WAIT: Final = 1.0
LONGEST_WAIT: Final = 16.0

#: The services that ses.endpoint_url stands for, and those whose calls are counted.
_AT_ENDPOINT: Final = frozenset({"ses", "sesv2", "sts"})
_SES: Final = frozenset({"ses", "sesv2"})
_LONGEST_WHY: Final = 400


@dataclass(frozen=True, slots=True)
class Access:
    """How one account is reached; without ``role_arn`` by our own credentials."""

    account: str
    role_arn: str | None = None
    external_id: str | None = None


class AwsProblem(Exception):
    """
    A call that did not give what was asked for; ``str()`` names the call, the place and what AWS said.

    ``code`` is AWS's own, or the class of what went wrong before AWS could say anything. ``date`` is the time at which
    AWS answered, as HTTP has it; empty where it did not.
    """

    def __init__(self, call: str, code: str, message: str, date: str = "") -> None:
        super().__init__(f"{call}: {code}: {' '.join(message.split())}"[:_LONGEST_WHY])
        self.code = code
        self.message = message
        self.date = date


class Refused(AwsProblem):
    """AWS understood and said no; asked again, it would again."""


class Away(AwsProblem):
    """No answer, a fault of theirs, throttled to the end, or no credentials: later it may be otherwise."""

    @property
    def is_throttled(self) -> bool:
        """Whether there were too many calls, by whomever."""
        return self.code in THROTTLED


class Pace(Protocol):
    """Makes a caller wait until SES may be asked again."""

    def __call__(self, account: str, region: str) -> None:
        """Wait, in the calling thread, for a turn in this account and region."""


class OneASecond:
    """A turn a second in each account and region, from any thread."""

    def __init__(
        self,
        seconds: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._next: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def __call__(self, account: str, region: str) -> None:
        """Wait for a turn, in order of asking."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next.get((account, region), now))
            self._next[account, region] = turn + self._seconds
        if turn > now:
            self._sleep(turn - now)


class AtOnce:
    """No pace: for who counts for himself, and for services without such a limit."""

    def __call__(self, account: str, region: str) -> None:
        """Do not wait."""


class Accounts:
    """
    boto3 clients for the services of each account and region, made when first asked for; for use in threads.

    Before SES is asked for the first time in an account, STS is asked whose credentials these are: an identity of the
    same name in another account is another identity.

    Args:
        accesses: How accounts are reached; one that is not among them is asked by our own credentials.
        endpoint_url: In place of AWS's own endpoints of SES and STS; None for AWS's.
        pace: Whom a call to SES waits for.
        tries: Attempts at a call that AWS throttles or does not answer.
        session_name: Of the sessions of roles, as the owners' CloudTrail shows them.
        endpoints: In place of AWS's own endpoints of other services, by their names.
        new_session: Gives a boto3 session: the standard chain of credentials.

    """

    def __init__(
        self,
        accesses: Iterable[Access] = (),
        *,
        endpoint_url: str | None = None,
        pace: Pace | None = None,
        tries: int = TRIES,
        session_name: str = "ses-relay",
        endpoints: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        new_session: Callable[[], Any] | None = None,
    ) -> None:
        self._accesses = {access.account: access for access in accesses}
        self._endpoint_url = endpoint_url
        self._pace = pace or OneASecond()
        self._tries = tries
        self._session_name = session_name
        self._endpoints = {} if endpoints is None else dict(endpoints)
        self._sleep = sleep
        self._new_session = new_session
        self._sessions: dict[str | None, Any] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._checked: set[str] = set()
        self._making = threading.Lock()

    def call(self, account: str, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """
        Make one call, ``"sesv2.get_email_identity"``, and return its answer as boto3 gives it.

        Raises:
            Refused: AWS said no; or our credentials belong to another account, ``code`` "WrongAccount".
            Away: It could not be asked, or was too busy at every attempt.

        """
        if operation.partition(".")[0] in _SES and account not in self._checked:
            self._check_whose(account, region)
        return self._call(account, region, operation, parameters)

    def caller(self, account: str, region: str) -> dict[str, str]:
        """Ask STS who we are where we ask for *account*: ``Account``, ``Arn``, ``UserId``. Raises as :meth:`call`."""
        return self._call(account, region, "sts.get_caller_identity", {})

    def origin(self) -> str | None:
        """
        Return where the chain found our own credentials, in botocore's word for it (``env``); None where it found none.

        Raises:
            Away: A provider of credentials failed.

        """
        with self._making:
            try:
                found = self._own().get_credentials()
            except Exception as error:  # noqa: BLE001 - providers raise anything
                raise problem_of(error, "the chain of credentials") from None
        return None if found is None else str(found.method)

    def _check_whose(self, account: str, region: str) -> None:
        caller = self.caller(account, region)
        if caller["Account"] != account:
            call = f"ses ({account} {region})"
            why = f"the credentials are those of {caller['Arn']}; set role_arn for the owner {account}"
            raise Refused(call, "WrongAccount", why)
        self._checked.add(account)

    def _call(self, account: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        service, _, method = operation.partition(".")
        named = f"{service} {method} ({' '.join(filter(None, (account, region)))})"
        wait = WAIT
        for attempt in range(1, self._tries + 1):
            try:
                client = self._client(service, account, region)  # before the turn: the first takes a moment to make
                if service in _SES:
                    self._pace(account, region)
                answer: dict[str, Any] = getattr(client, method)(**parameters)
            except Exception as error:  # noqa: BLE001 - botocore's providers and parsers raise anything
                problem = problem_of(error, named)
                if isinstance(problem, Refused) or attempt == self._tries:
                    raise problem from None
                self._sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)
            else:
                return answer
        raise AssertionError("every attempt returns or raises")

    def _client(self, service: str, account: str, region: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - a third of a second, for those who want it

        with self._making:  # sessions are not thread-safe; the clients they make are
            key = (service, account, region)
            if key not in self._clients:
                config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})
                url = self._endpoint_url if service in _AT_ENDPOINT else self._endpoints.get(service)
                session = self._session(account, region)
                self._clients[key] = session.client(service, region_name=region, endpoint_url=url, config=config)
            return self._clients[key]

    def _session(self, account: str, region: str) -> Any:
        access = self._accesses.get(account, Access(account))
        if access.role_arn is None:
            return self._own()
        if account not in self._sessions:
            self._sessions[account] = self._borrowed(self._own(), access, region)
        return self._sessions[account]

    def _own(self) -> Any:
        import boto3  # noqa: PLC0415 - a third of a second, for those who want it

        if None not in self._sessions:
            self._sessions[None] = (self._new_session or boto3.Session)()
        return self._sessions[None]

    def _borrowed(self, own: Any, access: Access, region: str) -> Any:
        """Return a session whose credentials are those of the owner's role, renewed by botocore ahead of their end."""
        import boto3  # noqa: PLC0415 - a third of a second, for those who want it
        import botocore.session  # noqa: PLC0415 - the same
        from botocore.credentials import (  # noqa: PLC0415 - the same
            AssumeRoleCredentialFetcher,
            DeferredRefreshableCredentials,
        )

        def client_creator(service: str, **given: Any) -> Any:
            return own.client(service, region_name=region, endpoint_url=self._endpoint_url, **given)

        extra = {"RoleSessionName": self._session_name}
        if access.external_id is not None:
            extra["ExternalId"] = access.external_id
        source = own.get_credentials()
        if source is None:
            raise LookupError("no credentials in the environment, profile, container or instance role")
        fetcher = AssumeRoleCredentialFetcher(client_creator, source, access.role_arn, extra_args=extra)
        session = botocore.session.Session()
        session._credentials = DeferredRefreshableCredentials(  # noqa: SLF001 - botocore has no other way to give them
            refresh_using=fetcher.fetch_credentials, method="assume-role"
        )
        return boto3.Session(botocore_session=session)


def problem_of(error: Exception, call: str) -> AwsProblem:
    """Tell what AWS refused from what may go better later; *call* names it in the text."""
    from botocore.exceptions import ClientError, ParamValidationError  # noqa: PLC0415 - loaded by then

    if isinstance(error, AwsProblem):
        return error
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        code, status = str(said.get("Code", "")), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        operation = error.operation_name
        if operation == "AssumeRole":
            call = f"{call}, by sts AssumeRole"
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        kind = Away if is_passing(code, status) else Refused
        return kind(call, code or "Unknown", str(said.get("Message", "")), str(headers.get("date", "")))
    if isinstance(error, ParamValidationError):
        return Refused(call, "ParamValidation", str(error))
    if getattr(error, "kwargs", {}).get("provider") == "custom-process":
        return Away(call, type(error).__name__, "the credential process failed")  # botocore quotes what it printed
    return Away(call, type(error).__name__, str(error))
