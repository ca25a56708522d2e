"""The back door: SendRawEmail and SendEmail over HTTP, signed, and what SES's answers mean."""
