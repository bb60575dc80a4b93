"""What to optimise and how to score: everything that the trainer does not know."""
