"""Frozen encoders: backbone, preprocessing and weights as one thing."""
