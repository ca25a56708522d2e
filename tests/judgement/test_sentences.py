"""Everything the judge says, as it is said; and that what is said fits a line."""

import pytest

from relay.judgement.answers import (
    LONGEST_TEXT,
    LONGEST_WITH_ID,
    Asker,
    access_denied,
    found,
    missed,
    not_verified,
    three_identities,
    undecided,
    with_id,
)
from relay.judgement.misses import Miss, certain_miss, nearest_miss
from relay.judgement.verdicts import Role
from relay.judgement.wording import alternatives, listed, wish
from relay.policy.answers import Decision, Evaluation, Mismatch, StatementRef, StatementTrace, Truth
from relay.words.arns import IdentityArn
from relay.words.replies import Reply
from tests.judgement.building import delegate
from tests.judgement.scenes import SCENES, told, written

ASKER = Asker(delegate(), Role.FROM, full=False)


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_is_told_as_written(scene):
    """
    Verdict, reply, identity and why this one, every reading asked, advice: in tests/cases/judgements.txt.
    """
    assert told(scene) == written()[scene] + ("" if written()[scene].endswith("\n") else "\n")


def test_no_scene_is_written_that_is_not_played():
    """
    Nor the other way round.
    """
    assert list(written()) == list(SCENES)


def test_a_reply_is_cut_only_when_it_must_be():
    """
    Whole up to the last octet that fits; of full length, and with its end, from the first that does not.
    """
    frame = len(undecided("", ASKER).text)
    for length in range(LONGEST_TEXT - frame - 5, LONGEST_TEXT - frame + 6):
        reply = undecided("x" * length, ASKER)
        assert (reply.code, reply.enhanced) == (451, (4, 7, 1))
        if frame + length <= LONGEST_TEXT:
            assert reply.text.count("x") == length
        else:
            assert len(reply.text) == LONGEST_TEXT
            assert "x... (delegate app, from)" in reply.text


@pytest.mark.parametrize("text", ["said", "said (why)"])
def test_an_id_is_added_within_bounds(text):
    """
    Inside the parentheses that end the text; where it would not fit, after what is left of the text.
    """
    assert with_id(Reply(554, (5, 7, 1), text), "7Q").text == text.removesuffix(")") + (
        "; decision 7Q)" if text.endswith(")") else " (decision 7Q)"
    )
    fits = LONGEST_WITH_ID - len(" (decision 7Q)")
    for length in range(fits - 4, fits + 5):
        told_with_id = with_id(Reply(554, (5, 7, 1), "x" * length), "7Q").text
        assert told_with_id.endswith(" (decision 7Q)")
        assert len(told_with_id) == min(length + 14, LONGEST_WITH_ID)
        assert ("..." in told_with_id) is (length > fits)


def test_an_id_takes_the_place_of_the_last_parenthesis():
    """
    Up to the last octet that fits.
    """
    fits = LONGEST_WITH_ID - len("; decision 7Q)")
    for length in range(fits - 2, fits + 3):
        told_with_id = with_id(Reply(554, (5, 7, 1), "x" * length + ")"), "7Q").text
        assert ("..." in told_with_id) is (length > fits)
        assert len(told_with_id) <= LONGEST_WITH_ID


def test_long_names_are_cut_where_the_reason_would_not_have_a_hundred_octets():
    """
    Not before.
    """
    arn, frame = IdentityArn("aws", "us-east-1", "888888888888", "example.com"), len("Access denied: User `'")
    frame += len(f" is not authorized to perform `ses:SendRawEmail' on resource `{arn}'")
    for length in range(LONGEST_TEXT - 103 - frame, LONGEST_TEXT - 97 - frame):
        text = access_denied(arn, Miss(None), Asker(delegate("p" * length), Role.FROM, full=False)).text
        assert ("p..." in text) is (frame + length > LONGEST_TEXT - 100)
        assert text.endswith("; the identity has no policy that allows)")


def test_three_names_are_told_as_far_as_they_fit():
    """
    The code comes first: it says what the trouble is.
    """
    assert len(three_identities(["n" * 200, "m" * 200, "o"]).text) == LONGEST_TEXT


def test_a_reason_is_left_out_where_twenty_octets_of_it_would_not_fit():
    """
    A stump would tell nothing.
    """
    for length in range(LONGEST_TEXT - 200, LONGEST_TEXT - 100):
        bare = not_verified(["x" * length], ["us-east-1"], "", ASKER).text
        told_why = not_verified(["x" * length], ["us-east-1"], "y" * 300, ASKER).text
        has_room = LONGEST_TEXT - len(bare) - len("; ") > 20
        assert ("; y" in told_why) is has_room
        assert len(told_why) == (LONGEST_TEXT if has_room else len(bare))


def test_values_are_listed_up_to_a_few():
    """
    What is all there, and what would each do.
    """
    letters = "abcdefgh"
    assert [alternatives(letters[:n]) for n in (0, 1, 6, 7, 8)] == [
        "nothing",
        "a",
        "a or b or c or d or e or f",
        "a or b or c or d or e or f or 1 more",
        "a or b or c or d or e or f or 2 more",
    ]
    assert [listed(letters[:n]) for n in (0, 1, 3, 4, 5)] == [
        "",
        "a",
        "a, b, c",
        "a, b, c and 1 more",
        "a, b, c and 2 more",
    ]


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        ("StringEquals", "k to be a"),
        ("StringEqualsIgnoreCaseIfExists", "k, if any, to be, in any case, a"),
        ("ForAnyValue:StringNotLike", "one of k unlike a"),
        ("ForAllValues:NumericLessThanEqualsIfExists", "each of k, if any, at most a"),
        ("stringequals", "k stringequals a"),
        (None, "k  a"),
    ],
)
def test_a_wish_is_worded(operator, words):
    """
    An operator in another spelling is quoted as it stands.
    """
    assert wish("k", operator, ["a"]) == words
    assert wish(None, operator, ["a"]) == words.removeprefix("k").replace("of k", "of ")


def test_what_was_found_is_told_of_the_message_only():
    """
    Keys that SES fills in from the relay's surroundings are not told.
    """

    def told_of(key: str | None, values: tuple[str, ...] | None) -> str:
        return found(Mismatch("Condition", ("w",), values, "StringEquals", key))

    assert told_of("ses:FromAddress", ("a",)) == "ses:FromAddress is a"
    assert told_of("SES:FromAddress", ("a",)) == "SES:FromAddress is a"
    assert told_of("ses:FromAddress", ()) == "ses:FromAddress is empty"
    assert told_of("aws:SourceIp", ("192.0.2.1",)) == "aws:SourceIp does not match"
    assert told_of("aws:SourceIp", None) == "aws:SourceIp is absent"
    assert told_of(None, None) == " is absent"


# --- the nearest miss -------------------------------------------------------------------------------------------------


def trace(
    name: str, effect: str = "Allow", fate: Truth = Truth.NO, element: str | None = "Principal"
) -> StatementTrace:
    mismatch = None if element is None else Mismatch(element, ("w",), ("f",))
    return StatementTrace(StatementRef("p", name, 0), "Deny" if effect == "Deny" else "Allow", fate, mismatch)


DENY = trace("deny", "Deny", Truth.YES, None)
MAYBE_DENY = trace("maybe", "Deny", Truth.UNKNOWN, "Condition")
NO_DENY = trace("not", "Deny", Truth.NO, "Condition")
ALLOW = trace("allow", fate=Truth.YES, element=None)
MAYBE = trace("may", fate=Truth.UNKNOWN, element="Condition")


def name_of(miss: Miss) -> str | None:
    return None if miss.trace is None else miss.trace.statement.sid


@pytest.mark.parametrize(
    ("decision", "traces", "name"),
    [
        (Decision.EXPLICIT_DENY, (ALLOW, NO_DENY, MAYBE_DENY, DENY), "maybe"),
        (Decision.EXPLICIT_DENY, (ALLOW, NO_DENY, DENY), "deny"),
        (Decision.EXPLICIT_DENY, (), None),
        (Decision.ALLOW, (DENY, MAYBE, ALLOW), "allow"),
        (Decision.ALLOW, (), None),
        (Decision.IMPLICIT_DENY, (), None),
        (Decision.IMPLICIT_DENY, (NO_DENY,), None),
        (Decision.IMPLICIT_DENY, (trace("p"), trace("a", element="Action")), "a"),
        (Decision.IMPLICIT_DENY, (trace("a", element="NotAction"), trace("p")), "a"),
        (Decision.IMPLICIT_DENY, (trace("c", element="Condition"), trace("r", element="Resource")), "c"),
        (Decision.IMPLICIT_DENY, (trace("r", element="NotResource"), trace("a", element="Action")), "r"),
        (Decision.IMPLICIT_DENY, (trace("c", element="Condition"), MAYBE), "may"),
        (Decision.IMPLICIT_DENY, (trace("p"), trace("q")), "p"),
    ],
)
def test_the_nearest_miss(decision, traces, name):
    """
    The Deny that counts; the Allow that got furthest, the first among equals.
    """
    miss = nearest_miss(Evaluation(decision, traces=traces, action="ses:SendEmail"))

    assert (name_of(miss), miss.action) == (name, "ses:SendEmail")
    assert (miss.denies, miss.by_account) == (decision is Decision.EXPLICIT_DENY, decision is Decision.ALLOW)


@pytest.mark.parametrize(
    ("traces", "name", "denies"),
    [
        ((MAYBE_DENY, ALLOW, DENY), "deny", True),
        ((MAYBE_DENY, MAYBE, trace("p")), "p", False),
        ((NO_DENY, trace("p"), trace("a", element="Action")), "a", False),
        ((MAYBE_DENY, MAYBE), None, False),
        ((), None, False),
    ],
)
def test_the_miss_of_a_question_turned_round(traces, name, denies):
    """
    Only what surely denies, or surely does not apply.
    """
    miss = certain_miss(Evaluation(Decision.IMPLICIT_DENY, traces=traces))

    assert (name_of(miss), miss.denies, miss.by_account) == (name, denies, False)


def test_a_miss_without_a_trace_has_words():
    """
    So has one that nothing explains.
    """
    assert missed(Miss(None, denies=True), full=True) == "an explicit Deny applies"
    assert missed(Miss(None), full=True) == "the identity has no policy that allows"
    assert missed(Miss(ALLOW), full=True) == "no policy allows it"
