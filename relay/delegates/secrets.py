"""
Passwords in AWS Secrets Manager, kept by their hashes and looked at again in the background.

The versions AWSCURRENT and AWSPENDING are right together, and AWSPREVIOUS for a day after AWSCURRENT was made: so a
rotation never finds an application without a password that works (AWS Secrets Manager User Guide, "Rotation by Lambda
function"). A secret that cannot be read keeps what it was; one that never could be, or is gone, makes its delegate
unavailable, and nobody else.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from relay.background import aside
from relay.observe.events import Noted, Observer
from relay.words.hashes import is_argon2
from relay.words.throttling import is_passing
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

PREVIOUS_SECONDS: Final = 86400.0
_AGAIN_SECONDS: Final = 10.0
_TICK_SECONDS: Final = 1.0
_AT_ONCE: Final = 4
_LONGEST: Final = 4096
#: What Secrets Manager says of a secret that is not there, or waits for its deletion.
_GONE: Final = frozenset({"ResourceNotFoundException", "InvalidRequestException"})


class SecretProblem(Exception):
    """
    A secret that could be asked for and holds no password. ``is_gone``: it is deleted; ``is_away``: AWS could not tell
    now. The text quotes nothing.
    """

    def __init__(self, why: str, *, is_gone: bool = False, is_away: bool = False) -> None:
        super().__init__(why)
        self.is_gone = is_gone
        self.is_away = is_away


class ReadSecret(Protocol):
    """Asks for the passwords that are right now, the current one first. Blocks; called in a thread."""

    def __call__(self, secret_id: str) -> tuple[str, ...]:
        """
        Raises:
            SecretProblem: It is gone, or no password.
            Exception: It could not be asked for.
        """


class AwsSecrets:
    """Secrets Manager as boto3 knows it, by the standard chain of credentials."""

    def __init__(self, region: str | None, now: Callable[[], float]) -> None:
        self._region = region
        self._now = now
        self._clients: dict[str | None, Any] = {}
        self._session: Any = None

    def __call__(self, secret_id: str) -> tuple[str, ...]:
        """Ask for one secret, by its name or ARN."""
        current, made = self._version(secret_id, "AWSCURRENT")
        found = [current]
        for stage in ("AWSPENDING", "AWSPREVIOUS"):
            if stage == "AWSPREVIOUS" and self._now() - made.timestamp() > PREVIOUS_SECONDS:
                continue
            try:
                found.append(self._version(secret_id, stage)[0])
            except SecretProblem as problem:  # no such version: nothing is being rotated
                if problem.is_away:
                    raise
        return tuple(dict.fromkeys(found))

    def _version(self, secret_id: str, stage: str) -> tuple[str, datetime]:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - a third of a second, for those who want it

        try:
            answer = self._client(secret_id).get_secret_value(SecretId=secret_id, VersionStage=stage)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise SecretProblem(
                code or "ClientError", is_gone=code in _GONE, is_away=is_passing(code, status)
            ) from None
        return password_in(answer.get("SecretString")), answer["CreatedDate"]

    def _client(self, secret_id: str) -> Any:
        import boto3  # noqa: PLC0415 - a third of a second, for those who want it
        from botocore.config import Config  # noqa: PLC0415 - the same

        region = secret_id.split(":")[3] if secret_id.startswith("arn:") else self._region
        if region not in self._clients:
            self._session = self._session or boto3.Session()
            config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
            self._clients[region] = self._session.client("secretsmanager", region_name=region, config=config)
        return self._clients[region]


def password_in(text: str | None) -> str:
    """
    Read the password out of a secret: the text itself, its argon2 hash, or ``password`` of a JSON object.

    Raises:
        SecretProblem: There is none.
    """
    if text is None:
        raise SecretProblem("binary; store the password as text")
    if text.lstrip().startswith("{"):
        try:
            text = json.loads(text).get("password")
        except ValueError:
            raise SecretProblem("begins like a JSON object and is none") from None
    password = text.rstrip("\r\n") if isinstance(text, str) else ""
    if not password or len(password) > _LONGEST:
        raise SecretProblem("no password, nor a JSON object with one")
    if password.startswith("$argon2") and not is_argon2(password):
        raise SecretProblem("begins like an argon2 hash and is none")
    return password


@dataclass(slots=True)
class _Known:
    """One secret: its hashes by the digest of what was hashed, when it is due, and why it cannot be read if so."""

    due: float = 0.0
    looked_at: float = float("-inf")
    hashes: Mapping[bytes, str] | None = None
    why: str = "not looked at yet"


class SecretKeeper:
    """The secrets of all delegates. Belongs to one event loop."""

    def __init__(
        self,
        read: ReadSecret,
        *,
        hash_password: Callable[[str], str],
        digest: Callable[[bytes], bytes],
        monotonic: Callable[[], float],
        observe: Observer,
    ) -> None:
        """
        Args:
            read: Asks for one secret.
            hash_password: Hashes it, in a thread.
            digest: Keyed; tells whether a password is the one that was hashed.
        """
        self._read = read
        self._hash_password = hash_password
        self._digest = digest
        self._monotonic = monotonic
        self._observe = observe
        self._known: dict[str, _Known] = {}
        self._interval = 60.0

    def want(self, ids: Iterable[str], *, every: float) -> None:
        """Keep these secrets and no others, looked at again *every* so many seconds, and now."""
        self._interval = every
        self._known = {each: self._known.get(each) or _Known() for each in ids}
        for known in self._known.values():
            known.due = 0.0

    def of(self, secret_id: str) -> tuple[str, ...] | Unavailable:
        """Return the hashes that are right for a secret now."""
        known = self._known.get(secret_id)
        if known is None or known.hashes is None:
            return Unavailable(f"its secret cannot be read: {known.why if known else 'not wanted'}")
        return tuple(known.hashes.values())

    def troubles(self) -> dict[str, str]:
        """Return the secrets that were never read or are gone, each with why."""
        return {each: known.why for each, known in self._known.items() if known.hashes is None}

    def hint(self, secret_id: str) -> None:
        """Look at a secret soon: a password was wrong that may be newer than what is known."""
        known = self._known.get(secret_id)
        if known is not None:
            known.due = min(known.due, known.looked_at + _AGAIN_SECONDS)

    async def look(self) -> None:
        """Look at all secrets that are due, a few at once."""
        now, gate = self._monotonic(), asyncio.Semaphore(_AT_ONCE)
        due = [(each, known) for each, known in self._known.items() if known.due <= now]

        async def one(secret_id: str, known: _Known) -> None:
            async with gate:
                await self._look_at(secret_id, known)

        await asyncio.gather(*(one(each, known) for each, known in due))

    async def keep(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_TICK_SECONDS)

    async def _look_at(self, secret_id: str, known: _Known) -> None:
        known.looked_at = self._monotonic()
        known.due = known.looked_at + self._interval
        try:
            known.hashes, changed = await aside(partial(self._fetch, secret_id, known.hashes or {}), "secrets")
        except Exception as error:  # noqa: BLE001 - whatever AWS or the network says, the others go on
            self._failed(secret_id, known, error)
            return
        known.why = ""
        known.due = self._monotonic() + self._interval
        if changed:
            self._observe(Noted("info", "secret.read", {"secret": secret_id, "passwords": len(known.hashes or ())}))

    def _fetch(self, secret_id: str, before: Mapping[bytes, str]) -> tuple[Mapping[bytes, str], bool]:
        """Ask, and hash what is new; a password that is known keeps its hash, and so stays remembered."""
        passwords = {self._digest(password.encode()): password for password in self._read(secret_id)}
        hashes = {
            key: before.get(key) or (text if text.startswith("$argon2") else self._hash_password(text))
            for key, text in passwords.items()
        }
        return hashes, hashes != before

    def _failed(self, secret_id: str, known: _Known, error: Exception) -> None:
        why = str(error) if isinstance(error, SecretProblem) else type(error).__name__
        known.due = self._monotonic() + min(_AGAIN_SECONDS, self._interval)
        if isinstance(error, SecretProblem) and error.is_gone:
            known.hashes = None
        if why != known.why:
            kept = known.hashes is not None
            self._observe(Noted("error", "secret.unreadable", {"secret": secret_id, "why": why, "kept": kept}))
        known.why = why
