"""Stages of word translators, lexicons and entity linking."""
