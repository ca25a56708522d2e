"""Names by chance: none is given twice, in this process or in one that is forked from it."""

import os
import re

from relay.ids import new_id


def test_no_id_is_given_twice():
    given = [new_id() for _ in range(1000)]

    assert len(set(given)) == 1000
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in given)


def test_a_forked_process_gives_none_of_its_parents():
    new_id()  # there is a stock
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "".join(new_id() for _ in range(100)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        theirs = re.findall("[0-9a-f]{16}", told.read())

    assert len(theirs) == 100
    assert not {new_id() for _ in range(100)} & set(theirs)
