"""The feature store: written once, memory-mapped, and never read for something that it is not."""
