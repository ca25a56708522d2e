"""``python -m tests.journal.child FILE``: a journal that writes until it is killed; prints what a reader has found."""

import sys
from itertools import count
from pathlib import Path

from relay.journal.queries import Wanted, page
from tests.journal.building import Keeping


def main() -> None:
    """Append for ever, in batches that a reader waits for."""
    kept = Keeping(Path(sys.argv[1]), 3000)
    for number in count():
        kept.tell(number)
        if number % 50 == 49:
            found = kept.journal.read(lambda file: page(file, Wanted(), 1))
            sys.stdout.write(f"{number} {found!r:.20}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
