"""Training of sentence encoders: contrastive objectives over sentence vectors, with terms over words and subwords."""

from __future__ import annotations

from lexenc.registry import Registry

OBJECTIVES = Registry(
    "objective",
    {
        "wtr": ("lexenc.sentences.word_ranking:WordRanking", "Word translation ranking (WACSE)."),
    },
)
"""Objectives of single pairs, by name: classes with the members of `terms.Term`."""
