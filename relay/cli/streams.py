"""The standard streams, as a shell or a supervisor left them."""

import errno
import os
import sys


def open_what_is_closed() -> None:
    """Point closed streams (``<&-``, ``>&-``) nowhere: the next file to be opened would be taken for them."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, mode, encoding="utf-8", errors="replace", closefd=False))  # noqa: SIM115


def in_words(problem: OSError) -> str:
    """Say what was refused, and where, as far as that is known: of standard output the system tells no name."""
    if problem.filename is not None:
        return f"{problem.filename}: {problem.strerror}"
    is_full = problem.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
    return f"standard output, or a file: {problem.strerror}" if is_full else str(problem)
