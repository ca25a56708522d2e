"""
The relay's own AWS credentials, from the standard chain: environment, profile, web identity, container, instance role
(AWS SDKs and Tools Reference Guide, "Standardized credential providers").

botocore finds and renews them, and blocks while it does; so it runs in a thread, ahead of expiry, one look at a time.
A message waits for it only while there is no key at all.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Final

import botocore.session

from relay.background import aside, call_off
from relay.observe.events import Noted, Observer
from relay.sending.keys import AccessKey, Unusable, checked

#: Temporary credentials are renewed when less than this is left, as botocore itself does.
AHEAD: Final = 15 * 60.0
#: Between two looks: one at a time, and not for every message while the answer stays bad.
PAUSE: Final = 5.0
#: For so long nobody asks again whether a key is about to expire: that takes botocore more than signing takes us.
MOMENT: Final = 1.0
#: The longest wait of a message for a key where there is none: a credential process may hang, STS be away for minutes.
PATIENCE: Final = 30.0
#: How often the background looks at the clock.
GLANCE: Final = 30.0

_LONGEST_WHY: Final = 300


class Chain(botocore.session.Session):  # type: ignore[misc]  # botocore has no types
    """
    A session for its credentials alone: the hundred handlers of API calls take as long as everything else of it.

    A link of the chain that makes a call makes it by a whole session.
    """

    def __init__(self) -> None:
        super().__init__(include_builtin_handlers=False)

    def create_client(self, *args: Any, **kwargs: Any) -> Any:
        """Return a client with its handlers."""
        return botocore.session.Session().create_client(*args, **kwargs)


class Credentials:
    """
    The keeper of the relay's access key.

    ``start`` looks for the key once and then keeps it fresh until ``close``; without ``start`` the key is looked for
    when first asked for. ``new_session`` gives a botocore session: a new one starts the chain from the beginning, so
    an edited file or a new role is found.
    """

    def __init__(self, observe: Observer, new_session: Callable[[], Any] = Chain) -> None:
        self._observe = observe
        self._new_session = new_session
        self._found: Any = None  # botocore's credentials; they know when they expire, and how to renew themselves
        self._now: AccessKey | Unusable = Unusable("not found yet")
        self._rejected: AccessKey | None = None
        self._look: asyncio.Task[None] | None = None
        self._looked_at: float | None = None
        self._sure_until = 0.0
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look for the key, then keep it fresh in the background."""
        await self.get()
        self._keeper = asyncio.create_task(self._keep_fresh(), name="credentials")

    async def close(self) -> None:
        """Stop. A look that runs in its thread ends by itself."""
        await call_off(self._keeper, self._look)
        self._keeper = self._look = None

    @property
    def state(self) -> AccessKey | Unusable:
        """What is known without waiting: for readiness."""
        if isinstance(self._now, AccessKey) and self._is_expired():
            return Unusable("expired, and not renewed yet")
        return self._now

    async def get(self) -> AccessKey | Unusable:
        """Return the key to sign with, or why there is none. Waits a while, only when there is none to begin with."""
        now = monotonic()
        if now < self._sure_until:
            return self._now
        if not self._is_due():
            state = self.state
            if isinstance(state, AccessKey) and not self._expires_within(MOMENT):
                self._sure_until = now + MOMENT
            return state
        look = self._start_look()
        if isinstance(self.state, Unusable):
            await asyncio.wait([look], timeout=PATIENCE)  # neither end cancels the other
        return self.state

    def reject(self, key: AccessKey) -> None:
        """
        Take note that AWS no longer accepts *key*: the chain is walked from the beginning, behind the messages.

        The key is still handed out until another is found: AWS may have erred, and the chain may have no better one.
        """
        if key == self._now:
            self._rejected = key
            self._sure_until = 0.0

    def _is_due(self) -> bool:
        if self._looked_at is None or self._look is not None:
            return True
        if asyncio.get_running_loop().time() - self._looked_at < PAUSE:
            return False
        return isinstance(self._now, Unusable) or self._rejected is not None or self._expires_within(AHEAD)

    def _is_expired(self) -> bool:
        return self._expires_within(0)

    def _expires_within(self, seconds: float) -> bool:
        refresh_needed = getattr(self._found, "refresh_needed", None)
        return refresh_needed is not None and bool(refresh_needed(seconds))

    def _start_look(self) -> asyncio.Task[None]:
        if self._look is None:
            self._look = asyncio.create_task(self._look_once(), name="credentials-look")
        return self._look

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(GLANCE)
            if self._is_due():
                await asyncio.wait([self._start_look()])

    async def _look_once(self) -> None:
        try:
            afresh = isinstance(self._now, Unusable) or self._rejected is not None
            found, now = await aside(partial(self._walk_chain, None if afresh else self._found), "credentials")
            if isinstance(now, Unusable) and isinstance(self._now, AccessKey) and not self._is_expired():
                self._tell("warning", "credentials.not-renewed", why=now.why)
                return  # what there is still works; the next look may do better
            if now != self._now:
                self._tell_of(found, now)
            self._found, self._now, self._rejected = found, now, None
            self._sure_until = 0.0
        finally:
            self._look = None
            self._looked_at = asyncio.get_running_loop().time()

    def _walk_chain(self, found: Any) -> tuple[Any, AccessKey | Unusable]:
        """Blocks, so it runs in a thread; returns botocore's credentials beside the key."""
        try:
            found = found or self._new_session().get_credentials()
            if found is None:
                return None, Unusable("no credentials in the environment, profile, container or instance role")
            frozen = found.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - providers raise anything, from KeyError to SSL errors: unusable all
            return None, Unusable(_why(error))
        return found, checked(AccessKey(str(frozen.access_key), str(frozen.secret_key), frozen.token or None))

    def _tell_of(self, found: Any, now: AccessKey | Unusable) -> None:
        if isinstance(now, Unusable):
            self._tell("error", "credentials.unusable", why=now.why)
        else:
            self._tell(
                "info", "credentials.found", method=str(getattr(found, "method", "?")), temporary=bool(now.token)
            )

    def _tell(self, level: str, event: str, **details: object) -> None:
        self._observe(Noted(level, event, details))


def _why(error: Exception) -> str:
    name = type(error).__name__
    if getattr(error, "kwargs", {}).get("provider") == "custom-process":
        return f"{name}: the credential process failed"  # botocore quotes its stderr, which may hold anything
    return f"{name}: {' '.join(str(error).split())}"[:_LONGEST_WHY]
