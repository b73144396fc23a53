"""Search among vectors: nearest neighbours, retrieval methods and approximate indexes."""

from __future__ import annotations

from lexenc.registry import Registry

RETRIEVAL = Registry(
    "retrieval",
    {
        "nearest": "lexenc.search.retrieval:fit_nearest",
        "csls": "lexenc.search.retrieval:fit_csls",
        "inverted-softmax": "lexenc.search.retrieval:fit_inverted_softmax",
    },
)
"""Retrieval methods: functions that return a `retrieval.Correction`, called as `fit_correction` calls them."""

MARGINS = Registry(
    "margin",
    {
        "ratio": "lexenc.search.margins:ratio",
        "distance": "lexenc.search.margins:distance",
        "absolute": "lexenc.search.margins:absolute",
    },
)
"""Margins of sentence pairs: functions of the cosines and of the mean cosines to the nearest neighbours."""
