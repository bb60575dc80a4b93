"""What lies on disk and what it means: annotations, tracks and splits, submission files."""
