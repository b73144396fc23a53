"""Lexical encoders: negatives, losses, mappings, interpolation and translation, as functions on arrays."""
