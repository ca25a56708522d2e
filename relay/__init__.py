"""ses-relay: an SMTP relay that enforces Amazon SES sending authorization."""

__version__ = "0.1.0"
