"""How far long work has come, on a terminal only: rich's bar where rich is installed, else a figure."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """
    Show progress on standard error while inside.

    Yields what to call with each advance; *total* is where the advances end, None where nobody knows.
    """
    if not sys.stderr.isatty():
        yield lambda _by: None
        return
    try:
        from rich.console import Console  # noqa: PLC0415  an extra
        from rich.progress import Progress  # noqa: PLC0415  the same
    except ImportError:
        with _figure(what, total) as advance:
            yield advance
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda by: bar.advance(task, by)


@contextmanager
def _figure(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    done, shown = 0, ""

    def advance(by: int) -> None:
        nonlocal done, shown
        done += by
        text = f"{what}: {done}" if not total else f"{what}: {min(100, 100 * done // total)} %"
        if text != shown:
            shown = text
            sys.stderr.write(f"\r{text}")
            sys.stderr.flush()

    try:
        yield advance
    finally:
        sys.stderr.write("\r" + " " * len(shown) + "\r")
        sys.stderr.flush()
