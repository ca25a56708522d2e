"""Messages at rest: what was accepted and is not settled yet. No engine here knows SES, policies or SMTP."""
