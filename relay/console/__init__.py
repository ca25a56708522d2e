"""The admin HTTP endpoint."""
