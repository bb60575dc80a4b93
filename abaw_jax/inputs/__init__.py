"""Windows of cached features and labels: planned as integers, read as gathers, ordered by step alone."""
