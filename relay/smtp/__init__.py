"""The street door: aiosmtpd made strict."""
