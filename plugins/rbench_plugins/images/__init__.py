"""Scores, mappings and controls of image reconstruction."""
