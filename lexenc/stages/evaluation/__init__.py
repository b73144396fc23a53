"""Stages that score and compare."""
