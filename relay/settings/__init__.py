"""relay.toml and the environment, read into Settings; every problem at once."""
