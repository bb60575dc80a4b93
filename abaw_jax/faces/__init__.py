"""Faces in frames: detect, align, track, cut out."""
