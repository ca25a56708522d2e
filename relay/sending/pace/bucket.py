"""A bucket that may go into debt: a message of many recipients passes when one could, and is paid off after."""

from relay.words.values import dataclass


@dataclass(slots=True)
class Bucket:
    """``room`` recipients may go now; at most ``most``. ``at``: when it was looked at last, in monotonic seconds."""

    room: float
    at: float

    def fill(self, rate: float, most: float, now: float) -> None:
        """Let *rate* recipients a second come in, up to *most*."""
        if now > self.at:
            self.room = min(most, self.room + (now - self.at) * rate)
            self.at = now

    def wait(self, rate: float) -> float:
        """Seconds until a message may pass; 0 when one may now."""
        return 0.0 if self.room > 0 else (-self.room + 1e-3) / rate

    def take(self, recipients: int) -> None:
        """Let a message of so many pass."""
        self.room -= recipients
