"""Pixels and sound in: videos with their real presentation times, images, 16 kHz mono sound; numpy out."""
