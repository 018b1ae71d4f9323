"""Reports: a plan, or a front, as one HTML page that needs nothing else."""
