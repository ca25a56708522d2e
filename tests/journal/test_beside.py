"""The journal's file beside other processes: what they do to it costs the relay nothing."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from relay.journal.files import open_to_read, open_to_write

VISIT = """
import sys
from pathlib import Path
from relay.journal.files import open_to_write
open_to_write(Path(sys.argv[1])).close()
"""


def visit(path: Path) -> None:
    """Open the file in another process, as ``ses-relay spool delete`` does to note what was done, and close it."""
    subprocess.run([sys.executable, "-c", VISIT, str(path)], check=True, timeout=30)


def test_who_closes_it_elsewhere_does_not_take_away_the_log_of_who_has_it_twice(tmp_path):
    """The relay opens it for decisions, and again for what operators did: each opening leaves the other its locks."""
    path = tmp_path / "journal.db"
    with closing(open_to_write(path)) as first, closing(open_to_write(path)) as second:
        first.execute("CREATE TABLE noted (what TEXT)")
        second.execute("INSERT INTO noted VALUES ('before')")
        open_to_write(path).close()

        visit(path)

        first.execute("INSERT INTO noted VALUES ('after')")
        with closing(open_to_read(path)) as reading:
            assert reading.execute("SELECT what FROM noted").fetchall() == [("before",), ("after",)]
        assert (tmp_path / "journal.db-wal").stat().st_size > 0
