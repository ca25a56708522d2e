"""The journal: recent decisions, and every policy text that was in force, in one SQLite file or in memory."""
