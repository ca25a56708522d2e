"""What a message is: the strict profile, rule by rule, and what is sent in the end."""
