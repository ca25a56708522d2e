"""
What many relays share through Redis or Valkey: the only room that knows that library.

Nothing here may hold mail up: every call has a deadline, and an engine that is away says so as a value, at once.
"""
