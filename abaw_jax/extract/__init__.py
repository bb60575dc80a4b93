"""The job that turns pixels and sound into stored features, once."""
