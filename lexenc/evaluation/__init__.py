"""Metrics, tasks and intervals, as functions on arrays."""
