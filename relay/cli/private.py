"""Files for their owner alone, whatever umask a service or a shell comes with."""

import os
from pathlib import Path


def keep_files_private() -> None:
    """
    Let everything that this process makes from now on be its owner's alone: it holds addresses and decisions over mail.

    What is meant for others, such as folders of policies, is given its mode where it is made.
    """
    os.umask(0o077)


def write_private(path: Path, text: str) -> None:
    """
    Write *text*, UTF-8, to a file of its owner alone; one that is there keeps its mode.

    Raises:
        OSError: It cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
