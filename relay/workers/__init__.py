"""Several processes that serve one relay's street door: a supervisor, which keeps the books, and its workers."""
