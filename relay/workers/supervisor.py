"""
The supervisor of the workers: starts them, starts them again, tells them what changes, and lets them go.

To the house it is the street door: opened, renewed, drained and closed as the one of a single process is.
"""

import asyncio
import secrets
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Any, Final

from relay.background import PAUSE, going_on
from relay.observe.events import Incident, Noted, Observer, WorkersCounted
from relay.smtp.entrance import bind
from relay.smtp.gossip import Gossip, Guess, Tried
from relay.smtp.listeners import Listener, ListenerProblem
from relay.smtp.ports import MakeRecord
from relay.words.values import dataclass
from relay.workers.books import Books
from relay.workers.crowd import StaffCrowd
from relay.workers.desk import Desk, Rooms
from relay.workers.mirror import EVERY, Mirror, Sights
from relay.workers.orders import Beginning, Orders
from relay.workers.post import Post
from relay.workers.tables import Memory
from relay.workers.wire import Message, pickled

#: Seconds that the first workers have to open their doors, and a later one to tell anything; and that a worker has to
#: take over new orders.
START_PATIENCE: Final = 60.0
RENEWAL_PATIENCE: Final = 15.0
#: Seconds after which a worker that serves and tells nothing, not even of its loop, is killed.
SILENCE: Final = 30
#: Who lived for so many seconds is started again at once; else pauses double, from the first to the longest.
LIVED: Final = 10.0
PAUSES: Final = (0.25, 30.0)
#: Wrong passwords that a new worker is told of.
MOST_GUESSES: Final = 10_000
#: Of the drain's time, what a worker has to answer that it is done.
ANSWERING: Final = 1.0


@dataclass(frozen=True, slots=True)
class Staff:
    """
    So many workers; ``observe`` hears of all that happens at them, much of it within ``with together()``.

    What the supervisor writes in place of a worker that died: its messages' records, under new ids.
    """

    number: int
    observe: Observer
    make_record: MakeRecord
    new_id: Callable[[], str]
    together: Callable[[], AbstractContextManager[None]]


class Workers:
    """
    All workers of a relay; a street door.

    Args:
        staff: How many, and who hears of all that happens at them.
        rooms: What they ask the supervisor for; its ``looked`` is ours to set.
        sights: What the supervisor knows and they need.
        gossip: Of wrong passwords, with the doors of other relays.

    """

    def __init__(self, staff: Staff, rooms: Rooms, sights: Sights, gossip: Gossip) -> None:
        self._staff = staff
        self._observe = staff.observe
        self._mirror = Mirror(sights, self._tell_all)
        self._rooms = replace(rooms, looked=self._mirror.look)
        self._orders: Orders | None = None
        self._posts: dict[int, Post] = {}
        self._bound: list[socket.socket] = []
        self._guesses: deque[tuple[float, Guess]] = deque(maxlen=MOST_GUESSES)
        self._key = secrets.token_bytes(32)
        self._memory: Memory | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._answers: dict[tuple[int, str], deque[asyncio.Future[Any]]] = {}  # in the order of their questions
        self._troubles: dict[int, str] = {}
        self._closing = asyncio.Event()
        self.gossip = gossip
        self.crowd = StaffCrowd(self._tell_all)
        self.addresses: dict[str, list[tuple[str, int]]] = {}

    # The street door

    async def open(self, orders: Orders) -> None:
        """
        Start all, and return when every door is open.

        Raises:
            ListenerProblem: An address cannot be had, or a worker cannot open.
        """
        self._orders = replace(orders, listeners=await self._reserve(orders.listeners))
        self._memory = Memory(self._staff.number, self._key)
        await self._mirror.look()
        numbers = range(self._staff.number)
        opened = [self._expect(number, "serving") for number in numbers]
        self._tasks = [asyncio.create_task(self._keep(number), name=f"worker {number}") for number in numbers]
        for name, look, every in (
            ("mirror", self._mirror.look, EVERY),
            ("silence", self._listen_for_silence, 1.0),
            ("key", self._look_at_key, 1.0),
        ):
            self._tasks.append(asyncio.create_task(self._look_again(name, look, every), name=name))
        try:
            async with asyncio.timeout(START_PATIENCE):
                problems = await asyncio.gather(*opened)
        except TimeoutError:
            problems = [f"not all of {len(numbers)} workers were ready within {START_PATIENCE:.0f} s"]
        if any(problems):
            raise ListenerProblem(next(filter(None, problems)))

    async def renew(self, orders: Orders) -> None:
        """Tell all of other settings; return when they count at each. What one cannot take over is told."""
        if self._orders is None:
            return
        before = self._orders  # who is started later opens the same doors, and needs what they show
        self._orders = replace(orders, listeners=before.listeners, tls=orders.tls or before.tls)
        told = [post for post in self._posts.values() if post.is_told]
        renewed = [self._expect(post.number, "renewed") for post in told]
        for post in told:
            post.say("hold")
        try:
            await self._mirror.look()
        finally:
            for post in told:
                post.say("renew", pickled(orders))
        if renewed:
            await asyncio.wait(renewed, timeout=RENEWAL_PATIENCE)
        for post, answer in zip(told, renewed, strict=True):
            problem = answer.result() if answer.done() else f"no answer within {RENEWAL_PATIENCE:.0f} s"
            if problem:
                self._observe(Noted("error", "worker.not-renewed", {"worker": post.number, "why": problem}))

    async def drain(self, patience: float) -> bool:
        """Let all finish what runs, in *patience* seconds; return whether all came to its own end."""
        self._closing.set()
        posts = [post for post in self._posts.values() if post.is_serving]
        for post in self._posts.values():
            if not post.is_serving:  # else it would let clients in when its door is open
                post.hang_up()
        drained = [self._expect(post.number, "drained") for post in posts]
        for post in posts:
            post.say("drain", patience)
        if not drained:
            return True
        done, late = await asyncio.wait(drained, timeout=patience + ANSWERING)
        return not late and all(each.result() == "quiet" for each in done)

    async def close(self) -> None:
        """Let all go, and wait until they have gone. Also half opened."""
        self._closing.set()
        for post in tuple(self._posts.values()):
            post.hang_up()
        for task in self._tasks[self._staff.number :]:  # those before it end with their workers
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for each in self._bound:
            each.close()
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def heard(self, guess: Guess, ago: float = 0.0) -> None:
        """Tell all of a wrong password at another door, *ago* seconds before now."""
        self._pass_on(guess, ago, None)

    @property
    def trouble(self) -> str:
        """Which workers are not there, and why; empty where all are."""
        return "; ".join(f"worker {number}: {why}" for number, why in sorted(self._troubles.items()))

    @property
    def serving(self) -> int:
        """How many have their doors open."""
        return sum(post.is_serving for post in self._posts.values())

    # One worker

    async def _keep(self, number: int) -> None:
        """Keep a place filled: start a worker, wait for its end, put its books in order, start another."""
        pause = 0.0
        while not self._closing.is_set():
            began = time.monotonic()
            code = await self._one_life(number)
            if self._closing.is_set():
                return
            lived = time.monotonic() - began
            pause = 0.0 if lived >= LIVED else min(PAUSES[1], max(PAUSES[0], pause * 2))
            why = f"ended with {code}" if code is None or code >= 0 else f"killed by signal {-code}"
            self._troubles[number] = f"{why}, to be started again in {pause:g} s" if pause else f"{why}, starting again"
            self._count(died=1)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()

    async def _one_life(self, number: int) -> int | None:
        books = Books(self._observe, self._staff.make_record, self._staff.new_id)
        try:
            post = Post(number, books, self._hear, self._staff.together)
        except OSError as error:  # no descriptors to be had
            self._observe(Incident(f"worker-{number}", "-", error))
            return None
        post.desk = Desk(self._rooms, lambda asked, value: post.say("answer", asked, value))
        self._posts[number] = post
        memory = self._memory
        if memory is None:
            return None
        try:
            post.start(memory.descriptor)
            await self._greet(post, memory)
        except Exception as error:  # noqa: BLE001 - no process to be had, or a fault of ours: the next one may do
            self._observe(Incident(f"worker-{number}", "-", error))
            post.hang_up()
        code = await post.ended()
        self._bury(post, memory, code)
        return code

    async def _greet(self, post: Post, memory: Memory) -> None:
        """Tell a new worker all that it has to know, then have it open its door."""

        def joined() -> None:
            post.is_told = True
            now = time.monotonic()
            for at, guess in self._guesses:
                post.say("guess", *guess.prefix, guess.mark, guess.tried.value, now - at)
            self.crowd.tell_all(post.say)
            beginning = Beginning(post.number, memory.workers, memory.descriptor, self._key)
            post.say("open", pickled(beginning), pickled(self._orders))

        await self._mirror.begin(post.say, joined)

    def _bury(self, post: Post, memory: Memory, code: int | None) -> None:
        was_serving, post.is_serving, post.is_told = post.is_serving, False, False
        del self._posts[post.number]
        if post.desk is not None:
            post.desk.close()
        memory.empty(post.number)
        self.crowd.gone(post.number)
        sessions, messages = post.books.close()
        for what, value in (("serving", f"worker {post.number} ended with {code}"), ("drained", ""), ("renewed", "")):
            for answer in self._answers.pop((post.number, what), ()):
                if not answer.done():
                    answer.set_result(value)
        if not self._closing.is_set():
            told = {"worker": post.number, "pid": post.pid, "code": code, "was_serving": was_serving}
            told |= {"sessions": sessions, "messages": messages}
            self._observe(Noted("error", "worker.died", told))

    def _hear(self, post: Post, message: Message) -> None:
        match message:
            case ("guess", version, prefix, mark, tried):
                self._pass_on(Guess((version, prefix), mark, Tried(tried)), 0.0, post)
            case ("crowd", counts):
                self.crowd.heard(post.number, counts)
            case ("serving",):
                post.is_serving = True
                self._troubles.pop(post.number, None)
                self._observe(Noted("info", "worker.serving", {"worker": post.number, "pid": post.pid}))
                self._count()
                self._answered(post.number, "serving", "")
            case ("failed", why):
                self._failed(post, why)
            case ("renewed" | "drained" as what, value):
                self._answered(post.number, what, value)
            case _ if post.desk is not None:
                post.desk.hear(message)

    def _failed(self, post: Post, why: str) -> None:
        """It could not open its door. Whoever waits for it at the start hears why; later another one may do better."""
        if not self._answered(post.number, "serving", why):
            self._observe(Noted("error", "worker.failed", {"worker": post.number, "pid": post.pid, "why": why}))
            post.hang_up()

    # All of them

    def _tell_all(self, *message: Any) -> None:
        for post in self._posts.values():
            if post.is_told:
                post.say(*message)

    def _pass_on(self, guess: Guess, ago: float, whence: Post | None) -> None:
        self._guesses.append((time.monotonic() - ago, guess))
        for post in self._posts.values():
            if post.is_told and post is not whence:
                post.say("guess", *guess.prefix, guess.mark, guess.tried.value, ago)
        if whence is not None:
            self.gossip.tell(guess)

    def _count(self, died: int = 0) -> None:
        self._observe(WorkersCounted(self.serving, died))

    async def _look_again(self, name: str, look: Callable[[], Awaitable[None]], every: float) -> None:
        """Look each so many seconds. A mistake of ours ends none of the later looks: no worker could do without."""

        async def looks() -> None:
            while True:
                await look()
                await asyncio.sleep(every)

        await going_on(looks, lambda error: self._observe(Incident(name, "-", error)), PAUSE + every)

    async def _listen_for_silence(self) -> None:
        """Seconds are counted, not timed: who was held up himself has heard nothing."""
        for post in tuple(self._posts.values()):
            post.silence += 1
            if post.silence > (SILENCE if post.is_serving else START_PATIENCE):
                self._observe(Noted("error", "worker.silent", {"worker": post.number, "pid": post.pid}))
                post.kill()

    async def _look_at_key(self) -> None:
        """Ask for the relay's own key as messages would: it is renewed, and looked for, when it is asked for."""
        await self._rooms.key.get()

    def _expect(self, number: int, what: str) -> "asyncio.Future[Any]":
        answer = asyncio.get_running_loop().create_future()
        self._answers.setdefault((number, what), deque()).append(answer)
        return answer

    def _answered(self, number: int, what: str, value: Any) -> bool:
        """Tell whoever waits for it first; return whether anybody did."""
        waiting = self._answers.get((number, what))
        if not waiting:
            return False
        answer = waiting.popleft()
        if answer.done():  # the start was given up
            return False
        answer.set_result(value)
        return True

    async def _reserve(self, listeners: Sequence[Listener]) -> tuple[Listener, ...]:
        """
        Bind every address, so that nobody else has it and port 0 is the same for all workers; name what was bound.

        Raises:
            ListenerProblem: One cannot be had.
        """
        reserved = []
        for listener in listeners:
            try:
                bound = await bind(listener, None, reuse_port=True)
            except OSError as error:
                why = f"cannot listen on {listener.host}:{listener.port}: {error.strerror}"
                raise ListenerProblem(f"listener {listener.name}: {why}") from error
            self._bound += bound
            for each in bound:
                host, port = each.getsockname()[:2]
                self.addresses.setdefault(listener.name, []).append((host, port))
                reserved.append(replace(listener, host=host, port=port))
        return tuple(reserved)
