"""Gates before SES: when they shut, who probes, how they open."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sending.answers import MAYBE_SENT, NOT_KNOWN, NOT_LET, TRY_LATER
from relay.sending.gates import FIRST_WINDOW, OUTAGE_FAILURES, PAUSES, PROBE_SECONDS, Gates
from relay.sending.outcomes import Ambiguous, Deferred, Outcome, Refused, Sent
from relay.sending.troubles import Lane, Trouble, details_of, lane_of, trouble_of
from relay.words.endings import Reason
from relay.words.replies import Reply

LANE = Lane("888888888888", "us-east-1", "arn:aws:ses:us-east-1:888888888888:identity/example.com")
BESIDE = Lane("888888888888", "us-east-1", "arn:aws:ses:us-east-1:888888888888:identity/example.org")
ELSEWHERE = Lane("888888888888", "eu-west-1", "arn:aws:ses:eu-west-1:888888888888:identity/example.com")
AS_BILLING = Lane("111111111111", "us-east-1", LANE.identity, "arn:aws:sts::111111111111:assumed-role/billing/x")
AS_AUDIT = Lane("111111111111", "us-east-1", LANE.identity, "arn:aws:sts::111111111111:assumed-role/audit/x")

LANES = [LANE, BESIDE, ELSEWHERE, AS_BILLING, AS_AUDIT]

SENT = Sent("0100")
DOWN = Deferred("NotSent", "refused", TRY_LATER, Reason.SES_UNAVAILABLE)
SILENT = Ambiguous("NoAnswer", "timeout", MAYBE_SENT, Reason.SES_UNAVAILABLE)
BUSY = Deferred("Busy", "no connection became free", TRY_LATER, Reason.SES_UNAVAILABLE)
THROTTLED = Deferred("Throttling", "Maximum sending rate exceeded.", TRY_LATER, Reason.SES_THROTTLED)
OVER_QUOTA = Deferred("Throttling", "Daily message quota exceeded.", TRY_LATER, Reason.SES_THROTTLED)
NO_KEY = Deferred("InvalidClientTokenId", "The token is invalid", NOT_KNOWN, Reason.SES_CREDENTIALS)
NO_ROLE = Deferred("RoleNotAssumed", "STS said AccessDenied", NOT_KNOWN, Reason.SES_CREDENTIALS)
DENIED = Deferred("AccessDenied", "User is not authorized", NOT_LET, Reason.SES_REFUSED)
NOT_VERIFIED = Deferred("MessageRejected", "Email address is not verified.", NOT_LET, Reason.SES_REFUSED)
NO_SET = Deferred("ConfigurationSetDoesNotExistException", "no such set", NOT_LET, Reason.SES_REFUSED)
PAUSED = Deferred("AccountSendingPausedException", "paused", NOT_LET, Reason.SES_REFUSED)
SUSPENDED = Deferred("MessageRejected", "Sending suspended for this account", NOT_LET, Reason.SES_REFUSED)
STRANGE = Deferred("NeverSeen", "what?", TRY_LATER, Reason.SES_REFUSED)
REFUSED = Refused("MessageRejected", "Illegal", Reply(554, (5, 6, 0), "Message rejected"), Reason.SES_REFUSED)


class Clock:
    """Time that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gates(clock: Clock) -> Gates:
    return Gates(most=10, now=clock, chance=lambda: 0.5)


@pytest.mark.parametrize(
    ("outcome", "trouble"),
    [
        (SENT, None),
        (REFUSED, None),
        (STRANGE, None),
        (BUSY, None),
        (DOWN, Trouble.OUTAGE),
        (SILENT, Trouble.OUTAGE),
        (THROTTLED, Trouble.RATE),
        (OVER_QUOTA, Trouble.QUOTA),
        (NO_KEY, Trouble.CREDENTIALS),
        (NO_ROLE, Trouble.CREDENTIALS),
        (DENIED, Trouble.NOT_LET),
        (NOT_VERIFIED, Trouble.NOT_LET),
        (NO_SET, Trouble.NOT_LET),
        (PAUSED, Trouble.PAUSED),
        (SUSPENDED, Trouble.PAUSED),
    ],
)
def test_whose_trouble_it_is(outcome: Outcome, trouble: Trouble | None) -> None:
    """
    What SES says of one message says nothing of the others; a code nobody has seen neither.
    """
    assert trouble_of(outcome) is trouble


@pytest.mark.parametrize("before", [[], [DOWN], [DOWN] * OUTAGE_FAILURES, [SENT] * 10])
@pytest.mark.parametrize("times", [1, 2, 9, 30])
def test_successes_told_at_once_are_as_many_told_one_by_one(
    gates: Gates, clock: Clock, before: list[Outcome], times: int
) -> None:
    one_by_one = Gates(most=10, now=clock, chance=lambda: 0.5)
    for outcome in before:
        gates.told(LANE, outcome)
        one_by_one.told(LANE, outcome)

    gates.told(LANE, SENT, times)
    for _ in range(times):
        one_by_one.told(LANE, SENT)

    assert gates._gates == one_by_one._gates


def test_one_failure_is_no_outage_and_five_are(gates: Gates) -> None:
    """
    In a row: a success in between begins anew.
    """
    told: list[Outcome] = [DOWN, SILENT, DOWN, SILENT, SENT, *[DOWN] * (OUTAGE_FAILURES - 1)]
    for outcome in told:
        assert gates.admit(LANE)
        gates.told(LANE, outcome)
    assert gates.admit(LANE)

    gates.told(LANE, DOWN)

    assert not gates.admit(LANE)
    assert not gates.admit(BESIDE)
    assert gates.admit(ELSEWHERE), "another region is not concerned"
    assert gates.trouble(LANE) is Trouble.OUTAGE
    assert gates.reason(LANE) is Reason.SES_UNAVAILABLE


@pytest.mark.parametrize(("outcome", "pause"), [(NO_KEY, 5.0), (OVER_QUOTA, 60.0), (PAUSED, 10.0)])
def test_what_waiting_does_not_mend_shuts_at_the_first_word(
    gates: Gates, clock: Clock, outcome: Outcome, pause: float
) -> None:
    """
    One probe at a time, each failure doubling the pause.
    """
    gates.told(LANE, outcome)

    for wanted in (pause, 2 * pause, 4 * pause):
        assert gates.wait(LANE) == wanted
        clock.now += wanted - 0.001
        assert not gates.admit(LANE)
        clock.now += 0.001
        assert gates.admit(LANE)
        assert not gates.admit(BESIDE), "one probe at a time"
        gates.told(LANE, outcome)
    assert gates.shut_for(LANE) == pytest.approx(7 * pause)


def test_the_longest_pause_is_a_bound(gates: Gates, clock: Clock) -> None:
    """
    However long it lasts.
    """
    for _ in range(60):
        clock.now += gates.wait(LANE)
        gates.admit(LANE)
        gates.told(LANE, NO_KEY)

    assert gates.wait(LANE) == PAUSES[Trouble.CREDENTIALS][1]


def test_an_identity_has_a_gate_of_its_own(gates: Gates, clock: Clock) -> None:
    """
    What SES does not let us use shuts that; the account stays open.
    """
    gates.told(LANE, DENIED)

    assert not gates.admit(LANE)
    assert gates.admit(BESIDE)
    clock.now += gates.wait(LANE)
    assert gates.admit(LANE)
    gates.told(LANE, SENT)
    assert gates.admit(LANE)
    assert gates.troubles() == {}


@pytest.mark.parametrize("outcome", [NO_KEY, NO_ROLE, DENIED, NO_SET])
def test_a_role_has_gates_of_its_own(gates: Gates, outcome: Outcome) -> None:
    """
    What is wrong with it is nothing to another role of its account, nor to the relay's own key.
    """
    gates.told(AS_BILLING, outcome)

    assert not gates.admit(AS_BILLING)
    assert gates.admit(AS_AUDIT)
    assert gates.admit(LANE)
    gates.told(LANE, outcome)
    assert not gates.admit(LANE)
    assert gates.admit(AS_AUDIT)


def test_roles_of_one_account_share_what_is_the_accounts(gates: Gates) -> None:
    """
    An outage, the quota, a pause; and how many calls it bears.
    """
    gates.told(AS_BILLING, PAUSED)

    assert not gates.admit(AS_BILLING)
    assert not gates.admit(AS_AUDIT)
    assert gates.admit(LANE)
    assert gates.window(AS_AUDIT) == 1


@pytest.mark.parametrize("outcome", [SENT, REFUSED])
def test_an_answer_of_ses_opens_the_roles_gate(gates: Gates, clock: Clock, outcome: Outcome) -> None:
    gates.told(AS_BILLING, NO_ROLE)
    clock.now += gates.wait(AS_BILLING)
    assert gates.admit(AS_BILLING)
    gates.told(AS_BILLING, outcome)

    assert gates.trouble(AS_BILLING) is None
    assert gates.troubles() == {}


def test_a_role_that_can_be_assumed_again_is_probed_at_once(gates: Gates) -> None:
    """
    By one message; what else is wrong is not mended by that.
    """
    gates.told(AS_BILLING, NO_ROLE)
    gates.told(AS_AUDIT, NO_ROLE)
    gates.mended(AS_BILLING.session)

    assert gates.wait(AS_BILLING) == 0
    assert gates.admit(AS_BILLING)
    assert not gates.admit(AS_BILLING)
    assert not gates.admit(AS_AUDIT)
    gates.told(AS_AUDIT, PAUSED)
    gates.mended(AS_AUDIT.session)
    assert not gates.admit(AS_AUDIT), "the account is paused all the same"


def test_a_role_that_nobody_has_any_more_shuts_nothing(gates: Gates) -> None:
    gates.told(AS_BILLING, NO_ROLE)
    gates.told(AS_BILLING, DENIED)
    gates.forget(AS_BILLING.session)

    assert gates.troubles() == {}


def test_the_first_success_opens_and_each_one_more_lets_one_more_through(gates: Gates, clock: Clock) -> None:
    """
    After trouble one at a time first; throttled, half as many.
    """
    assert gates.window(LANE) == FIRST_WINDOW
    gates.told(LANE, NO_KEY)
    assert gates.window(LANE) == 1
    clock.now += 60
    windows = []
    told: list[Outcome] = [*[SENT] * 12, THROTTLED, THROTTLED, SENT, *[THROTTLED] * 5]
    for outcome in told:
        gates.told(LANE, outcome)
        windows.append(gates.window(LANE))

    assert windows == [2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 5, 2, 3, 1, 1, 1, 1, 1]
    assert gates.admit(LANE), "throttled is slower, not shut"


def test_an_answer_about_the_message_shows_that_ses_is_there(gates: Gates, clock: Clock) -> None:
    """
    A refusal opens an outage's gate; a code that nobody has seen lets the next one probe.
    """
    for _ in range(OUTAGE_FAILURES):
        gates.told(LANE, DOWN)
    clock.now += 60
    assert gates.admit(LANE)
    gates.told(LANE, STRANGE)
    assert gates.admit(LANE), "that probe told nothing"
    gates.told(LANE, REFUSED)
    assert gates.admit(LANE)
    assert gates.admit(LANE)


def test_a_probe_that_was_not_made_or_never_told_blocks_nobody(gates: Gates, clock: Clock) -> None:
    """
    Given back it is the next one's at once; forgotten, after a while.
    """
    gates.told(LANE, NO_KEY)
    clock.now += 60
    assert gates.admit(LANE)
    gates.leave(LANE)
    assert gates.admit(LANE)
    assert not gates.admit(LANE)
    clock.now += PROBE_SECONDS
    assert gates.admit(LANE)


def test_calls_that_began_before_it_shut_change_nothing(gates: Gates, clock: Clock) -> None:
    """
    Their failures are no failed probes.
    """
    gates.told(LANE, NO_KEY)
    before = gates.wait(LANE)
    for _ in range(20):
        gates.told(LANE, NO_KEY)

    assert gates.wait(LANE) == before


@given(st.lists(st.sampled_from([SENT, DOWN, SILENT, THROTTLED, OVER_QUOTA, NO_KEY, DENIED, STRANGE, REFUSED])))
def test_no_story_shuts_a_gate_for_ever(told: list[Outcome]) -> None:
    """
    Whatever was told in whatever order: half an hour later somebody may go, and a success opens.
    """
    clock = Clock()
    gates = Gates(most=10, now=clock, chance=lambda: 0.99)
    for outcome in told:
        gates.admit(LANE)
        gates.told(LANE, outcome)
        assert 1 <= gates.window(LANE) <= 10
    clock.now += max(longest for _, longest in PAUSES.values()) * 1.25

    assert gates.admit(LANE)
    gates.told(LANE, SENT)
    assert gates.admit(LANE)
    assert gates.admit(LANE)
    assert gates.trouble(LANE) is None


@given(st.lists(st.tuples(st.sampled_from(LANES), st.sampled_from([SENT, DOWN, THROTTLED, NO_KEY, DENIED, REFUSED]))))
def test_what_is_known_to_be_shut_is_what_is_shut(told: list[tuple[Lane, Outcome]]) -> None:
    """
    Whatever was told of whom; nothing waits at a gate that is open, nor passes one that is not.
    """
    gates = Gates(most=10, now=Clock(), chance=lambda: 0.5)
    for lane, outcome in told:
        gates.told(lane, outcome)
        assert gates._are_shut == gates.shut().keys()
    gates.forget(AS_BILLING.session)
    assert gates._are_shut == gates.shut().keys()


def test_a_gate_more_costs_no_look_at_all_others(gates: Gates) -> None:
    """
    One configuration set that is gone shuts the gate of every identity, and there may be a hundred thousand.
    """

    class Unseen(dict[Any, Any]):
        def items(self) -> Any:
            raise AssertionError("all are looked at")

    gates.told(BESIDE, NO_SET)
    gates._gates = Unseen(gates._gates)
    gates.told(LANE, NO_SET)
    gates.told(AS_BILLING, SENT)
    gates.told(AS_AUDIT, REFUSED)
    assert not gates.admit(LANE)
    gates.told(LANE, SENT)

    assert gates.admit(LANE)
    assert not gates.admit(BESIDE)


def test_a_lane_is_kept_as_details() -> None:
    """
    What an entry of the spool keeps says the same again; what is not there is empty.
    """
    assert lane_of(details_of(LANE)) == LANE
    assert lane_of(details_of(AS_BILLING)) == AS_BILLING
    assert lane_of({**details_of(AS_BILLING), **details_of(LANE)}) == LANE, "nothing is left of another way"
    assert lane_of({}) == Lane("", "", "")
