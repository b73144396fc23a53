"""Stages that find and use senses of words."""
