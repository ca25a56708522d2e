"""The back door: SendRawEmail over HTTP, signed, and what SES's answers mean."""
