"""The date of an HTTP message's header, as a moment."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def http_date(text: str) -> datetime | None:
    """
    Read the value of a ``Date`` header (RFC 9110, section 5.6.7): the moment in UTC, which a date without a zone is
    held to be in as well; None for a text that is no date, or one whose moment no calendar has.
    """
    try:
        date = parsedate_to_datetime(text)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
