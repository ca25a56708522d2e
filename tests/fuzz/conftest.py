"""The certificate authority of the street door's tests."""

from tests.smtp.conftest import authority

__all__ = ["authority"]
