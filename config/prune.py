"""
Take out of an installation what the relay never reads: descriptions of AWS services that it does not call, 400 of them.

``python config/prune.py`` prunes what is installed beside this Python, for the image. A test holds SERVICES equal to
the clients that the code makes.
"""

import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Final

#: Whom the code asks.
CALLED: Final = frozenset({"events", "iam", "secretsmanager", "ses", "sesv2", "sns", "sqs", "sts"})
#: Whom the standard chain of credentials asks, besides STS.
CREDENTIALS: Final = frozenset({"signin", "sso", "sso-oidc"})
SERVICES: Final = CALLED | CREDENTIALS
#: Folders of packages that only people read, or that describe resources, which the code does not use.
UNREAD: Final = ("boto3/data", "boto3/examples")


def main() -> None:
    """Prune, and say what is left of what there was."""
    packages = Path(sysconfig.get_paths()["purelib"])
    before = size_of(packages)
    prune(packages)
    sys.stdout.write(f"packages: {before / 1e6:.1f} MB, pruned to {size_of(packages) / 1e6:.1f} MB\n")


def prune(packages: Path) -> None:
    """
    Remove the services of ``botocore/data`` that are not asked. Files stay: endpoints, partitions, retries.

    Args:
        packages: Where packages are installed.

    Raises:
        FileNotFoundError: botocore is not there, or not as it was.
    """
    data = packages / "botocore" / "data"
    for service in sorted(path for path in data.iterdir() if path.is_dir()):
        if service.name not in SERVICES:
            shutil.rmtree(service)
    for name in UNREAD:
        shutil.rmtree(packages / name, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Octets of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
