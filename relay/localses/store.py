"""
The messages that were accepted, in order, bounded; in memory, or in a folder as well.

In a folder a message is two files, ``ID.eml`` (its octets) and ``ID.json`` (everything else). The ``.json`` comes last
and makes the message count. Nothing is flushed to the disk by force: this is for laptops, not for mail that matters.
"""

import base64
import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from relay.words.values import dataclass

MOST_MESSAGES: Final = 100_000
MOST_OCTETS: Final = 256 * 1024 * 1024

_FOR_EVENTS: Final = frozenset({"action", "region", "source_ip", "identity_arn"})


class StateProblem(ValueError):
    """A folder of messages that cannot be used. ``str()`` names the file and why."""


@dataclass(frozen=True, slots=True)
class Message:
    """
    One accepted message; ``received_at`` in seconds since the epoch, ``principal`` the ARN of the key's owner.

    What follows ``raw`` is for its events: the action and region it came by, from which address, and the identity
    (ARN) that its author was used under.
    """

    id: str
    source: str | None
    source_arn: str | None
    from_arn: str | None
    return_path_arn: str | None
    destinations: tuple[str, ...]
    configuration_set: str | None
    tags: dict[str, str]
    principal: str
    received_at: float
    raw: bytes
    action: str = "SendRawEmail"
    region: str = "us-east-1"
    source_ip: str = ""
    identity_arn: str = ""

    def described(self) -> dict[str, Any]:
        """Return what was said about it, JSON-ready: everything but the octets and what is for its events."""
        return {name: value for name, value in self.kept().items() if name not in _FOR_EVENTS}

    def kept(self) -> dict[str, Any]:
        """Return everything but the octets, JSON-ready."""
        return {name: value for name, value in asdict(self).items() if name != "raw"}

    def told(self) -> dict[str, Any]:
        """Return the message as ``/_local/messages`` tells it: the octets in base64."""
        return {**self.described(), "raw_base64": base64.b64encode(self.raw).decode("ascii")}


class Store:
    """
    Keeps the newest messages, at most ``most_messages`` of them and ``most_octets`` in all; the oldest go first.

    With a *folder* they are kept there too and read again at the start.

    Raises:
        StateProblem: The folder cannot be read or made.
    """

    def __init__(
        self, folder: Path | None = None, *, most_messages: int = MOST_MESSAGES, most_octets: int = MOST_OCTETS
    ) -> None:
        self._folder = folder
        self._most = (most_messages, most_octets)
        self._messages: OrderedDict[str, Message] = OrderedDict()
        self._octets = 0
        if folder is not None:
            for message in _read_folder(folder):
                self._remember(message)

    def __iter__(self) -> Iterator[Message]:
        return iter(tuple(self._messages.values()))

    def __len__(self) -> int:
        return len(self._messages)

    def find(self, message_id: str) -> Message | None:
        """Return the message of that id, unless it is forgotten."""
        return self._messages.get(message_id)

    def add(self, message: Message) -> None:
        """
        Keep *message*, and forget the oldest while there are too many.

        Raises:
            OSError: The folder took it not; it is not kept in memory either.
        """
        if self._folder is not None:
            _write(self._folder / f"{message.id}.eml", message.raw)
            _write(self._folder / f"{message.id}.json", json.dumps(message.kept(), indent=1).encode())
        self._remember(message)

    def clear(self) -> None:
        """Forget every message, and remove the files of each."""
        while self._messages:
            self._forget_oldest()

    def _remember(self, message: Message) -> None:
        self._messages[message.id] = message
        self._octets += len(message.raw)
        while len(self._messages) > self._most[0] or self._octets > self._most[1]:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        name, message = self._messages.popitem(last=False)
        self._octets -= len(message.raw)
        if self._folder is not None:
            (self._folder / f"{name}.json").unlink(missing_ok=True)
            (self._folder / f"{name}.eml").unlink(missing_ok=True)


def put_in_place(path: Path, text: str) -> None:
    """Write a file so that whoever reads the folder meanwhile finds the old or the new; what UTF-8 lacks becomes ?."""
    unfinished = path.with_name(f".{path.name}.tmp")  # hidden: it is passed over
    unfinished.write_bytes(text.encode("utf-8", "replace"))
    unfinished.replace(path)


def _write(path: Path, octets: bytes) -> None:
    unfinished = path.with_suffix(path.suffix + ".tmp")
    unfinished.write_bytes(octets)
    unfinished.replace(path)


def _read_folder(folder: Path) -> list[Message]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return sorted((_read(path) for path in folder.glob("*.json")), key=lambda message: message.received_at)
    except OSError as error:
        raise StateProblem(f"{error.filename or folder}: {error.strerror}") from None


def _read(path: Path) -> Message:
    try:
        described = json.loads(path.read_bytes())
        described["destinations"] = tuple(described["destinations"])
        message = Message(**described, raw=path.with_suffix(".eml").read_bytes())
    except (ValueError, KeyError, TypeError):
        raise StateProblem(f"{path}: not a message written by this program; move it away") from None
    if message.id != path.stem:
        raise StateProblem(f"{path}: holds the message {message.id}; move it away")
    return message
