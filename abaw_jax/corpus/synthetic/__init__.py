"""Makes a corpus that nobody had to record: faces, voices and labels from one seed."""
