"""Bodies between being hashed and being sent."""

from asyncio import create_task, sleep
from hashlib import sha256

import pytest

from relay.sending.encoding import RAW_OCTETS_OF_PIECE, Pieces, body
from relay.sending.held import Encoded, Shelf
from relay.sending.outcomes import Mail
from relay.words.apis import Api


def mail(octets: int, api: Api = Api.RAW) -> Mail:
    raw = (bytes(range(256)) * (octets // 256 + 1))[:octets]
    return Mail("a@example.com", ("b@example.net",), "arn:1", "arn:2", "arn:3", raw, api=api)


@pytest.mark.parametrize("api", Api)
@pytest.mark.parametrize("octets", [0, 1, RAW_OCTETS_OF_PIECE + 1, 400_000])
@pytest.mark.parametrize("room", [0, 1000, 100_000, 1 << 20])
async def test_what_was_hashed_is_what_is_sent_held_or_not(octets, api, room):
    shelf, whole = Shelf(room), body(mail(octets, api))

    encoded = Encoded(mail(octets, api), shelf)
    await encoded.read()

    assert isinstance(encoded.pieces, Pieces) is (room < len(whole))
    assert b"".join(encoded.pieces) == b"".join(encoded.pieces) == whole
    assert (encoded.size, encoded.digest) == (len(whole), sha256(whole).hexdigest())
    assert shelf.free == (room if room < len(whole) else room - len(whole))
    encoded.put_away()
    assert shelf.free == room


async def test_bodies_share_the_room():
    """The second finds it taken; when the first is gone there is room again."""
    shelf = Shelf(200_000)
    first, second, third = (Encoded(mail(100_000), shelf) for _ in range(3))

    await first.read()
    await second.read()
    first.put_away()
    await third.read()

    assert [isinstance(each.pieces, list) for each in (first, second, third)] == [True, False, True]


async def test_a_call_given_up_while_it_is_encoded_leaves_its_room():
    shelf = Shelf()
    before, encoded = shelf.free, Encoded(mail(400_000), shelf)

    task = create_task(encoded.read())
    await sleep(0)
    await sleep(0)
    task.cancel()

    assert shelf.free < before
    encoded.put_away()
    assert shelf.free == before
