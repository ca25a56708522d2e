"""relay.toml and the environment."""
