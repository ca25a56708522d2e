"""What the settings say of feedback."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from relay.words.values import dataclass

if TYPE_CHECKING:
    from relay.feedback.queues import Queue
    from relay.feedback.standing import Tolerance


@dataclass(frozen=True, slots=True)
class FeedbackOptions:
    """``queues``: none, and nothing is read. ``path``: the ledger's. ``tolerances``: of every delegate there is."""

    queues: "tuple[Queue, ...]" = ()
    path: Path | None = None
    tolerances: "Mapping[str, Tolerance]" = field(default_factory=dict)
