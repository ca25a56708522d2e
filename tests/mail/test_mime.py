"""MIME is counted, not parsed: bounds hold, ordinary structures pass, and the count is that of the parts written."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.mime import content_type
from relay.mail.profile import Profile
from relay.mail.reading import read_facts
from tests.mail.letters import letter


def multipart(boundary: str, *parts: bytes, kind: str = "mixed", close: bool = True) -> bytes:
    """Write a multipart entity: its header, empty line and body."""
    delimiter = b"--" + boundary.encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts)
    end = delimiter + b"--\r\n" if close else b""
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"'.encode() + b"\r\n\r\n" + body + end


def message(entity: bytes) -> bytes:
    return b"From: app1@example.com\r\n" + entity


def nested(depth: int, boundary: str = "b{}") -> bytes:
    entity = b"Content-Type: text/plain\r\n\r\nx"
    for level in range(depth):
        entity = multipart(boundary.format(level), entity)
    return message(entity)


def rule_broken(raw: bytes, profile: Profile | None = None) -> str | None:
    reading = read_facts(raw, profile or Profile())
    return f"{reading.reply.code} {reading.reply.status}" if isinstance(reading, MessageProblem) else None


PLAIN = b"Content-Type: text/plain\r\n\r\nx"


@pytest.mark.parametrize("boundary", ["b{}", "b", "{}b", "level-{}"])
def test_depth_is_bounded(boundary: str):
    """Fifty levels pass, one more does not, whether boundaries differ, begin alike or are all the same."""
    assert rule_broken(nested(50, boundary)) is None
    assert rule_broken(nested(51, boundary)) == "554 5.6.0"


def test_enclosed_messages_count_as_levels():
    enclosing = b"Content-Type: message/rfc822\r\n\r\n"

    assert rule_broken(message(enclosing * 50 + PLAIN)) is None
    assert rule_broken(message(enclosing * 51 + PLAIN)) == "554 5.6.0"


def test_parts_are_bounded():
    """SES takes 500 parts."""
    assert rule_broken(message(multipart("b", *[PLAIN] * 500))) is None
    assert rule_broken(message(multipart("b", *[PLAIN] * 501))) == "554 5.6.0"


def test_boundary_is_bounded():
    assert rule_broken(message(multipart("b" * 70, PLAIN))) is None
    assert rule_broken(message(multipart("b" * 71, PLAIN))) == "554 5.6.0"
    assert rule_broken(message(multipart("b", multipart("c" * 71, PLAIN)))) == "554 5.6.0"


@pytest.mark.parametrize(
    "kind",
    [
        "message/partial",
        "Message/PARTIAL; number=1",
        "\r\n message/partial",
        " message / partial",
        "message/(x)partial",
        "(a (b) c) message/partial ; id=x",
        "message/(;)partial",
    ],
)
def test_partial_is_refused(kind: str):
    """A message/partial becomes a message that nobody judged, as the whole or as a part, however it is spelt."""
    field = b"Content-Type:" + kind.encode()

    assert rule_broken(letter(field)) == "550 5.7.1"
    assert rule_broken(message(multipart("b", PLAIN, field + b"\r\n\r\nx"))) == "550 5.7.1"
    assert rule_broken(message(multipart("b", PLAIN, field, close=False))) == "550 5.7.1"
    assert rule_broken(message(multipart("b", b"X: y\r\nContent-Type: a/b\r\n" + field + b"\r\n\r\n"))) == "550 5.7.1"
    assert rule_broken(letter("Content-Type: message/rfc822", body=field + b"\r\n\r\nx")) == "550 5.7.1"
    assert rule_broken(message(multipart("b", field + b"\r\n\r\n", kind="digest"))) == "550 5.7.1"


@pytest.mark.parametrize(
    "parameters",
    [
        "boundary*=us-ascii''c-b",
        "boundary*=us-ascii'en'c%2Db",
        'boundary*0="c-"; boundary*1=b',
        "BOUNDARY*1=b; boundary*0*=''c%2d",
        'x="; boundary=q"; boundary=c-b',
        'x="; boundary="; boundary="c-b"',
        "boundary=c-b; boundary=q",
        "boundary (x) = c-b",
        "(x) boundary=c-b (y)",
    ],
)
def test_partial_is_refused_however_the_boundary_before_it_is_spelt(parameters: str):
    """As the whole says it, or a part of it."""
    body = b"--c-b\r\nContent-Type: message/partial\r\n\r\nx\r\n--c-b--\r\n"
    entity = f"Content-Type: multipart/mixed; {parameters}".encode() + b"\r\n\r\n" + body

    assert rule_broken(message(entity)) == "550 5.7.1"
    assert rule_broken(message(multipart("b", PLAIN, entity))) == "550 5.7.1"


@pytest.mark.parametrize(
    "entity",
    [
        b"Content-Type: text/plain; name=message/partial\r\n\r\nx",
        b"Content-Type: text/plain\r\n\r\nContent-Type: message/partial\r\n\r\nx",
        multipart("b", PLAIN, b"\r\nContent-Type: message/partial"),
        multipart("b", PLAIN, close=False),
        multipart("b", multipart("c", PLAIN, close=False), PLAIN),
        multipart("b", multipart("b1", PLAIN, PLAIN), PLAIN),
        multipart("b1", multipart("b", PLAIN, PLAIN), PLAIN),
        multipart("b", b"\r\nNo header", b"\r\n"),
        multipart("b") + b"--b--\r\n--b\r\nContent-Type: multipart/mixed; boundary=c",
        multipart("b", b"\r\nFrom: ceo@example.com\r\n\r\nx", kind="digest"),
        multipart("b", PLAIN, b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny", kind="report"),
        b"Content-Type: multipart/mixed\r\n\r\n--b\r\n",
        b'Content-Type: multipart/mixed; boundary=""\r\n\r\n----\r\n',
        b"Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\nx",
        b"Content-Type: \r\n\r\nx",
        b"Content-Type: garbage ((\r\n\r\nx",
        b"Content-Type: message/external-body; access-type=URL\r\n\r\nx",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\r\n" * 4000 + b"--b\r\n\r\nx\r\n--b--\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"-- \r\n--\r\n" * 20000,
    ],
    ids=range(19),
)
def test_ordinary_or_odd_structure_passes(entity: bytes):
    """What is inside a body is the recipient's matter."""
    assert rule_broken(message(entity)) is None


def test_unterminated_multiparts_side_by_side_pass():
    """Each ends where the outer one goes on, and costs no more than its own octets."""
    inner = [multipart(f"c{number}", PLAIN + b"\r\n" * 20000, close=False) for number in range(40)]

    assert rule_broken(message(multipart("b", *inner))) is None


def test_part_says_what_it_is_a_few_times_at_most():
    assert rule_broken(message(multipart("b", b"Content-Type: a/b\r\n" * 8 + b"\r\nx"))) is None
    assert rule_broken(message(multipart("b", b"Content-Type: a/b\r\n" * 9 + b"\r\nx"))) == "554 5.6.0"


@pytest.mark.parametrize("first", [b"text/plain", b"multipart/mixed; boundary=d"])
def test_part_that_has_parts_for_some_is_refused(first: bytes):
    """Who takes the last of two fields would find parts that nobody looked at."""
    inner = multipart("c", b"Content-Type: message/partial\r\n\r\nx")

    assert rule_broken(message(multipart("b", b"Content-Type: " + first + b"\r\n" + inner))) == "554 5.6.0"


def test_flood_of_near_boundaries_is_refused():
    flood = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\r\n" * 6000

    assert rule_broken(message(flood)) == "554 5.6.0"


@pytest.mark.timeout(10)
def test_structure_is_not_searched_without_end():
    """Many open multiparts over a large body cost a bounded number of looks at it."""
    deep = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (level, level + 1) for level in range(49)
    )
    raw = message(b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n" + deep + b"x" * 78 + b"\r\n" * 1_000_000)

    assert rule_broken(raw) == "554 5.6.0"


@pytest.mark.parametrize(
    ("value", "kind", "boundary"),
    [
        (b"multipart/mixed; boundary=b", b"multipart/mixed", b"b"),
        (b' Multipart/Mixed;\r\n\tcharset=x; BOUNDARY = "a b\\"c" ; x=y', b"multipart/mixed", b'a b"c'),
        (b'multipart/mixed; boundary="(x) "', b"multipart/mixed", b"(x)"),
        (b"multipart/mixed; xboundary=no", b"multipart/mixed", b""),
        (b"text/plain; boundary=b", b"text/plain", b""),
        (b"", b"", b""),
    ],
)
def test_content_type(value: bytes, kind: bytes, boundary: bytes):
    assert content_type(value) == (kind, boundary)


@dataclass(frozen=True)
class Tree:
    """A MIME structure as written: its octets, how many parts, how deep."""

    entity: bytes
    parts: int = 0
    depth: int = 0


def _multipart(children: list[Tree], serial: int, boundary: str) -> Tree:
    # The depth in the boundary makes nested ones differ, and one the beginning of another.
    depth = 1 + max(child.depth for child in children)
    entity = multipart(boundary + "x" * depth, *[child.entity for child in children], close=bool(serial % 2))
    return Tree(entity, len(children) + sum(child.parts for child in children), depth)


TREES = st.recursive(
    st.sampled_from([Tree(PLAIN), Tree(b"\r\n"), Tree(b"Content-Type: text/html;\r\n charset=x\r\n\r\n--\r\n--x\r\n")]),
    lambda inner: (
        st.builds(_multipart, st.lists(inner, min_size=1, max_size=4), st.integers(0, 1), st.sampled_from("bc"))
        | inner.map(
            lambda tree: Tree(b"Content-Type: message/rfc822\r\n\r\n" + tree.entity, tree.parts, tree.depth + 1)
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_count_agrees_with_what_was_written(tree: Tree):
    """Parts and depth are counted exactly: a bound at them passes, a bound below them refuses."""
    raw = message(tree.entity)

    assert isinstance(read_facts(raw, Profile(mime_parts=tree.parts, mime_depth=tree.depth)), MessageFacts)
    if tree.parts:
        assert rule_broken(raw, Profile(mime_parts=tree.parts - 1)) == "554 5.6.0"
    if tree.depth:
        assert rule_broken(raw, Profile(mime_depth=tree.depth - 1)) == "554 5.6.0"
