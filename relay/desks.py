"""The rooms for the admin endpoint, put together. Loaded by the first who asks it for more than a probe."""

import time
from collections.abc import Callable

from relay.console.inbox_pages import InboxPort
from relay.console.interior import Ports
from relay.decision_desk import DecisionDesk
from relay.delegate_desk import DelegateDesk, Standing
from relay.delegates.registry import Registry
from relay.dispatch import Dispatch
from relay.explain_desk import ExplainDesk
from relay.explaining import Premises
from relay.feedback.feedback import Feedback
from relay.identities.ports import Directory
from relay.identity_desk import IdentityDesk
from relay.judgement.observing import observed_until
from relay.living_texts import LivingTexts
from relay.past_desk import PastDesk, Present
from relay.sending.pace.pacer import Pacer
from relay.sending.pace.shares import Share
from relay.sending.roles import Roles
from relay.settings.model import Settings
from relay.settings.units import read_duration
from relay.smtp.limits import Limits
from relay.spool_desk import SpoolDesk
from relay.translation import keeper_of
from relay.walk import House
from relay.watching import Watching
from relay.words.delegates import CALLER, Delegate
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms that are asked; what a reload replaces is returned as it is now."""

    settings: Callable[[], Settings]
    directory: Callable[[], Directory]
    house: Callable[[], House]
    limits: Callable[[], Limits]
    delegate: Callable[[str], Delegate | None]
    registry: Registry
    dispatch: Dispatch
    roles: Roles
    pacer: Pacer
    feedback: Feedback
    watching: Watching
    inbox: InboxPort | None


class Desks:
    """What the admin endpoint asks: ``ports``."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        observe, watching = rooms.watching.observe, rooms.watching
        texts_now = LivingTexts(rooms.directory, lambda: rooms.settings().policies.directory)
        present = Present(
            rooms.delegate,
            lambda: rooms.house().rules,
            lambda: rooms.directory().catalog,
            keeper_of(rooms.settings()),
        )
        self._decisions = DecisionDesk(watching.journal, PastDesk(present))
        self.ports = Ports(
            spool=SpoolDesk(rooms.dispatch, read_duration=read_duration, observe=observe),
            identities=IdentityDesk(rooms.directory, observe, texts_now.of, time.time),
            decisions=self._decisions,
            explain=ExplainDesk(self._premises, rooms.directory, time.time),
            delegates=DelegateDesk(
                rooms.registry,
                self._standing,
                watching.tally,
                watching.traffic,
                rooms.feedback.resume,
                clock=time.time,
            ),
            inbox=rooms.inbox,
        )

    def close(self) -> None:
        """Answer nobody any more."""
        self._decisions.close()

    def _standing(self, delegate: Delegate) -> Standing:
        """Tell what is known of a delegate beside its entry."""
        rooms = self._rooms
        role, shares = delegate.role, rooms.pacer.shares
        return Standing(
            principal=None if delegate.principal == CALLER else delegate.principal,
            role_trouble=None if role is None else rooms.roles.trouble_of(role),
            observed_until=observed_until(delegate, rooms.house().rules),
            share=shares.shares.get(delegate.name, Share()),
            recipients_today=shares.sent_today(delegate.name, time.monotonic()),
            feedback=rooms.feedback.told_of(delegate.name),
        )

    def _premises(self, name: str) -> Premises | None:
        """Return what mail of a delegate would be judged by now."""
        rooms = self._rooms
        delegate, house = rooms.delegate(name), rooms.house()
        return None if delegate is None else Premises(delegate, house.rules, rooms.limits(), house.hostname)
