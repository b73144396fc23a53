"""Stages of word alignment."""
