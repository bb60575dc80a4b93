"""Blocks that the systems and the encoders share; they know nothing of tasks, files or configs."""
