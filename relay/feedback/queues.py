"""
SQS queues: read by long polls, each in a daemon thread of its own, so that nothing waits for one at the end.

A message is deleted after it was taken, and comes again where it was not (Amazon SQS Developer Guide, "Amazon SQS
short and long polling", "Amazon SQS visibility timeout").
"""

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from relay.background import aside
from relay.feedback.wrappings import Malformed
from relay.identities.accounts import Access, Accounts, AwsProblem
from relay.observe.events import Event, Noted, Observer, QueueRead
from relay.words.values import dataclass

_T = TypeVar("_T")

#: Seconds that SQS holds a poll of an empty queue, and messages of one answer: the most it knows.
POLL_SECONDS: Final = 20
MOST_LETTERS: Final = 10
#: Polls at once while the queue is full.
BUSY: Final = 4
#: Seconds before a queue that is away is asked again: twice as long each time.
PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
_ACCOUNT: Final = re.compile(r"/(\d{12})/", re.ASCII)
_REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue by its URL, and how it is reached; ``region`` where its host does not tell one."""

    url: str
    role_arn: str | None = None
    external_id: str | None = None
    region: str = "us-east-1"
    sts_url: str | None = None

    @property
    def name(self) -> str:
        """The last part of its URL."""
        return self.url.rpartition("/")[2]

    @property
    def account(self) -> str:
        """Whose it is, as far as the URL or the role tells."""
        found = _ACCOUNT.search(self.url)
        return found[1] if found else (self.role_arn or ":::::").split(":")[4]

    def accounts(self) -> Accounts:
        """Return who asks it, once a call: patience is the reader's."""
        parts = urlsplit(self.url)
        access = [] if self.role_arn is None else [Access(self.account, self.role_arn, self.external_id)]
        endpoints = {"sqs": f"{parts.scheme}://{parts.netloc}"}
        return Accounts(
            access, endpoint_url=self.sts_url, tries=1, session_name="ses-relay-feedback", endpoints=endpoints
        )

    def told_region(self) -> str:
        """Return its region, from the host's name if that has one."""
        labels = (urlsplit(self.url).hostname or "").split(".")
        return next((label for label in labels if _REGION.fullmatch(label)), self.region)


@dataclass(frozen=True, slots=True)
class Letter:
    """One message of a queue: its id, its text, and what it is deleted by."""

    id: str
    body: str
    receipt: str


def sort_letters(
    letters: Sequence[Letter], read: Callable[[str], _T | None], purpose: str
) -> tuple[list[_T], list[Event]]:
    """Return what *read* finds in them, and what is to be told of the others: malformed, or not ours to hear."""
    found: list[_T] = []
    told: list[Event] = []
    for letter in letters:
        try:
            said = read(letter.body)
        except Malformed as problem:
            told.append(QueueRead(purpose, "malformed"))
            told.append(Noted("warning", f"{purpose}.malformed", {"message": letter.id, "why": str(problem)}))
        else:
            if said is None:
                told.append(QueueRead(purpose, "ignored"))
            else:
                found.append(said)
    return found, told


class Unready(Exception):
    """Nothing is to be taken from queues now. ``str()`` says why."""


class QueueReader(Generic[_T]):
    """
    Reads one queue until cancelled; whatever goes wrong is tried again, ever more rarely, and harms nobody.

    Args:
        queue: Which.
        purpose: What its messages are for: the label of the metric.
        take: Reads and keeps messages, in a thread; what it returns is handed to *told*, in the event loop. What
            raises :class:`Unready` leaves the messages in the queue.
        told: Hears what was taken, before it is deleted from the queue.
        ready: Called in a thread before messages are asked for; may raise :class:`Unready`.

    ``why`` is what is wrong now, empty where nothing is.
    """

    def __init__(
        self,
        queue: Queue,
        purpose: str,
        *,
        take: Callable[[Sequence[Letter]], _T],
        told: Callable[[_T], None],
        ready: Callable[[], None] = lambda: None,
        observe: Observer,
    ) -> None:
        self.queue = queue
        self.why = ""
        self._purpose = purpose
        self._take = take
        self._told = told
        self._ready = ready
        self._observe = observe
        self._accounts = queue.accounts()
        self._region = queue.told_region()
        self._width = 1

    async def run(self) -> None:
        """Read."""
        pause = PAUSE
        while True:
            try:
                await self._round()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - one message that nobody foresaw must not end the reading
                self._trouble(error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                pause = min(LONGEST_PAUSE, pause * 2)
            else:
                self._mended()
                pause = PAUSE

    async def _round(self) -> None:
        """Ask once, and take what comes: so many polls side by side as were full the last time."""
        await aside(self._ready, "queue")
        polls = [asyncio.create_task(aside(self._receive, "queue")) for _ in range(self._width)]
        try:
            answers = await asyncio.gather(*polls)
        except BaseException:
            for poll in polls:
                poll.cancel()
            await asyncio.gather(*polls, return_exceptions=True)
            raise
        letters = [letter for answer in answers for letter in answer]
        self._width = BUSY if all(len(answer) == MOST_LETTERS for answer in answers) else 1
        if letters:
            self._told(await aside(lambda: self._take(letters), "queue"))
            await asyncio.gather(*[aside(partial(self._delete, some), "queue") for some in answers if some])
        self._observe(QueueRead(self._purpose, "ok"))

    def _receive(self) -> list[Letter]:
        answer = self._call(
            "sqs.receive_message",
            MaxNumberOfMessages=MOST_LETTERS,
            WaitTimeSeconds=POLL_SECONDS if self._width == 1 else 1,
        )
        return [Letter(each["MessageId"], each["Body"], each["ReceiptHandle"]) for each in answer.get("Messages", ())]

    def _delete(self, letters: Sequence[Letter]) -> None:
        """One that is not deleted comes again, and is known."""
        entries = [{"Id": str(number), "ReceiptHandle": each.receipt} for number, each in enumerate(letters)]
        self._call("sqs.delete_message_batch", Entries=entries)

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        account = self.queue.account
        return self._accounts.call(account, self._region, operation, QueueUrl=self.queue.url, **parameters)

    def _trouble(self, error: Exception) -> None:
        why = str(error) if isinstance(error, AwsProblem | Unready) else f"{type(error).__name__}: {error}"
        self._observe(QueueRead(self._purpose, "failed"))
        if why != self.why:
            self.why = why
            self._observe(Noted("error", "queue.away", {"queue": self.queue.url, "for": self._purpose, "why": why}))

    def _mended(self) -> None:
        if self.why:
            self.why = ""
            self._observe(Noted("info", "queue.back", {"queue": self.queue.url, "for": self._purpose}))
