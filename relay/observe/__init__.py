"""Events become metrics and log lines here, and nowhere else."""
