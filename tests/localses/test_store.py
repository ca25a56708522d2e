"""Accepted messages: bounded, and kept in a folder when asked."""

import pytest

from relay.localses.store import Message, StateProblem, Store


def message(number: int, raw: bytes = b"raw") -> Message:
    return Message(
        f"id-{number}", "a@b.example", None, None, None, ("c@d.example",), None, {"k": "v"}, "arn", float(number), raw
    )


def ids(store: Store) -> list[str]:
    return [kept.id for kept in store]


def test_the_oldest_go_when_there_are_too_many():
    store = Store(most_messages=2)

    for number in range(4):
        store.add(message(number))

    assert ids(store) == ["id-2", "id-3"]


def test_the_oldest_go_when_they_are_too_large():
    store = Store(most_octets=10)

    for number, size in enumerate((4, 4, 4, 10)):
        store.add(message(number, b"x" * size))

    assert ids(store) == ["id-3"]


def test_a_folder_is_read_again(tmp_path):
    """Order, octets and every word survive a restart."""
    folder = tmp_path / "deep" / "state"
    before = Store(folder)
    for number in (2, 1, 3):
        before.add(message(number, bytes(range(256))))

    after = Store(folder)

    assert ids(after) == ["id-1", "id-2", "id-3"]
    assert set(map(repr, after)) == set(map(repr, before))
    assert (folder / "id-1.eml").read_bytes() == bytes(range(256))


def test_what_is_forgotten_leaves_the_folder_and_nothing_else_does(tmp_path):
    store = Store(tmp_path, most_messages=2)
    (tmp_path / "notes.txt").write_text("mine")
    for number in range(3):
        store.add(message(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "id-1.eml", "id-1.json", "id-2.eml", "id-2.json", "notes.txt"
    ]  # fmt: skip

    store.clear()

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": "id-1"}'])
def test_a_foreign_file_is_named(tmp_path, text):
    (tmp_path / "id-1.json").write_text(text)

    with pytest.raises(StateProblem, match=r"id-1\.json: not a message written by this program"):
        Store(tmp_path)


def test_a_message_without_its_octets_is_named(tmp_path):
    Store(tmp_path).add(message(1))
    (tmp_path / "id-1.eml").unlink()

    with pytest.raises(StateProblem, match=r"id-1\.eml: No such file"):
        Store(tmp_path)


def test_a_renamed_message_is_named(tmp_path):
    Store(tmp_path).add(message(1))
    for ending in ("eml", "json"):
        (tmp_path / f"id-1.{ending}").rename(tmp_path / f"id-2.{ending}")

    with pytest.raises(StateProblem, match=r"id-2\.json: holds the message id-1"):
        Store(tmp_path)


def test_a_folder_that_cannot_be_one_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StateProblem, match="file"):
        Store(tmp_path / "file")
