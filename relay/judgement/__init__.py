"""What must be asked of whom for one message, and what the answers mean. Pure."""
