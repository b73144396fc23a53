"""Senses of words: found by clustering the contextual vectors of their occurrences, and assigned to new ones."""
