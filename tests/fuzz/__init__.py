"""Fuzzing: targets that assert what must hold for any octets, run in full by ``make fuzz`` and bounded by pytest."""
