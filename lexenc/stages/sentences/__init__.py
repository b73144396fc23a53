"""Stages of sentence encoders."""
