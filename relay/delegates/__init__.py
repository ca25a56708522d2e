"""Who is calling: the registry of delegates and the check of their credentials."""
