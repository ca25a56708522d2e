"""What a message is: scanned strictly, its facts read once, its steering headers removed. Pure."""
