"""Why a spool cannot be opened, in words for the operator."""


class SpoolProblem(Exception):
    """The relay must not start on this spool. ``str()`` says what is wrong, where, and what cures it."""


class EntryProblem(ValueError):
    """An entry at rest that cannot be read as it was written. ``str()`` says what is wrong, without its values."""
