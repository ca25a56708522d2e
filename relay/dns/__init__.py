"""Questions to DNS servers, their answers as values, and who serves a zone. dnspython lives here."""
