"""What is decided over messages, and the policies that it is decided by."""

from collections.abc import Callable, Iterable
from typing import Any

from relay.observe import events, labels
from relay.observe.freshness import PolicyFreshness
from relay.observe.labels import Heard, Names, among
from relay.observe.observed import ObservedDelegates
from relay.observe.series import ROW, Series


class PolicyMetrics:
    """Counts decisions, and tells how old the policies are; ``clock``: wall-clock seconds since the epoch."""

    def __init__(self, series: Series, names: Names, *, clock: Callable[[], float]) -> None:
        self._delegate, self._identity = names.delegates.label, names.identities.label
        self._account, self._region = names.accounts.label, names.regions.label
        self._role, self._verdict, self._mode = among(labels.ROLES), among(labels.VERDICTS), among(labels.MODES)
        self._refresh, self._change = among(labels.REFRESHES), among(labels.POLICY_CHANGES)
        self._decisions = Heard(series.counts("ses_relay_decisions_total").__getitem__, self._question)
        self._decision_seconds = series.spread("ses_relay_decision_seconds")
        self._observed = ObservedDelegates(ROW["ses_relay_observing"], self._delegate, clock=clock)
        ages, problems = ROW["ses_relay_policy_age_seconds"], ROW["ses_relay_policy_problems"]
        self._freshness = PolicyFreshness(ages, problems, names.identities, clock=clock)
        series.show(self._observed, self._freshness)
        self._max_stale = series.gauge("ses_relay_policy_max_stale_seconds")
        results = ((each,) for each in sorted(labels.REFRESHES))
        self._refreshes = series.counters("ses_relay_policy_refreshes_total", results)
        self._revocation = series.places("ses_relay_policy_revocation_seconds")
        kinds = ((each,) for each in sorted(labels.POLICY_CHANGES))
        self._policy_changes = series.counters("ses_relay_policy_changes_total", kinds)

    def counts(self) -> dict[type, Callable[[Any], None]]:
        """Return what counts events of each kind."""
        return {
            events.Judged: self._judged,
            events.JudgementTimed: self._judgement_timed,
            events.PoliciesRefreshed: self._policies_refreshed,
            events.PoliciesForgotten: self._policies_forgotten,
            events.PolicyChanged: self._policy_changed,
            events.RevocationStated: self._revocation_stated,
            events.StalenessBounded: self._staleness_bounded,
            events.DelegatesObserved: self._observed.told,
        }

    def admit(self, delegates: Iterable[str]) -> None:
        """Show whether *delegates* are observed."""
        self._observed.admit(delegates)

    def _judged(self, event: events.Judged) -> None:
        self._decisions[event.delegate, event.identity, event.role, event.verdict, event.mode].value += event.times

    def _question(self, delegate: str, identity: str, role: str, verdict: str, mode: str) -> tuple[str, ...]:
        words = self._role(role), self._verdict(verdict), self._mode(mode)
        return self._delegate(delegate), self._identity(identity), *words

    def _judgement_timed(self, event: events.JudgementTimed) -> None:
        self._decision_seconds.observe(event.seconds, event.decision)

    def _policies_refreshed(self, event: events.PoliciesRefreshed) -> None:
        self._refreshes[self._refresh(event.result),].inc()
        self._freshness.refreshed(event)

    def _policies_forgotten(self, event: events.PoliciesForgotten) -> None:
        self._freshness.forgotten(event.source)
        self._revocation.forget(self._account(event.account), self._region(event.region))

    def _policy_changed(self, event: events.PolicyChanged) -> None:
        for kind in event.kinds:
            self._policy_changes[self._change(kind),].inc()

    def _revocation_stated(self, event: events.RevocationStated) -> None:
        self._revocation[self._account(event.account), self._region(event.region)].set(event.seconds)

    def _staleness_bounded(self, event: events.StalenessBounded) -> None:
        self._max_stale.set(event.seconds)
