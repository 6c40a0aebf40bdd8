"""Declarations, no code: recipes, suites, what papers report, checksums."""
