"""What is fast is measured here: CPU time, medians, named peers, one run (``make bench``; docs/performance.md)."""
