"""Lexical encoders: hard negatives, mappings, interpolation, translation and entity linking, as functions on arrays."""

from __future__ import annotations

from lexenc.registry import Registry

# Kinds of mapping; each is a `lexenc.lexical.map_learning.Fit`.
MAPPINGS = Registry(
    "mapping",
    {
        "advanced": "lexenc.lexical.map_learning:fit_linear",
        "orthogonal": "lexenc.lexical.map_learning:fit_linear",
        "unconstrained": "lexenc.lexical.map_learning:fit_linear",
        "rcsls": "lexenc.lexical.map_learning:fit_for_csls",
    },
)
