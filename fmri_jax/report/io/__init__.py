"""What the report reads: the files of a run's folder."""
