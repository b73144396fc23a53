"""Stages that make encoders and vectors."""
