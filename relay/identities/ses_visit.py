"""The first list of an account and region, before the relay opens its doors."""

import threading

from relay.identities.accounts import AwsProblem
from relay.identities.rounds import Wait
from relay.identities.ses_answers import Clocks
from relay.identities.ses_place import Place


class FirstVisit:
    """The first list of one place, asked for in a thread, as long as somebody waits for it."""

    def __init__(self, place: Place, clocks: Clocks, taking_over: threading.Lock) -> None:
        self._place = place
        self._clocks = clocks
        self._taking_over = taking_over
        self._ended = threading.Event()
        self.thread = threading.Thread(target=self._work, name=place.source, daemon=True)

    def end(self) -> None:
        """What comes from now on is passed over."""
        with self._taking_over:
            self._ended.set()

    def _work(self) -> None:
        place = self._place
        while not place.rounds.is_listed:
            step = place.rounds.take(self._clocks.monotonic())
            if isinstance(step, Wait):
                if self._ended.wait(step.seconds):
                    return
                continue
            place.begin(step)
            asked = place.ask(step)
            with self._taking_over:
                if self._ended.is_set():
                    return
                place.take_over(step, asked)
            if isinstance(asked.answer, AwsProblem):
                return
