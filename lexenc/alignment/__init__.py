"""Word alignment: links between the words of a sentence and of its translation."""

from __future__ import annotations

from typing import Literal

from lexenc.registry import Registry

ALIGNERS = Registry(
    "aligner",
    {
        "argmax": ("lexenc.alignment.aligners:ARGMAX", "Link words that are most similar to each other."),
        "itermax": ("lexenc.alignment.aligners:ITERMAX", "As argmax, repeated among the words that are left."),
        "match": ("lexenc.alignment.aligners:MATCH", "Link one to one with the largest sum of similarities."),
        "softmax": ("lexenc.alignment.aligners:SOFTMAX", "Link words that are probable in both directions."),
        "span": ("lexenc.alignment.aligners:SPAN", "Predict the span of each word in the other sentence."),
        "statistical": ("lexenc.alignment.aligners:STATISTICAL", "Learn from the corpus alone."),
        "eflomal": ("lexenc.alignment.aligners:EFLOMAL", "Run the program eflomal, if it is installed."),
    },
)
"""Methods of `align`, each an `AlignerKind`. Other packages can add theirs."""

Symmetrisation = Literal[
    "threshold", "intersection", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and", "forward", "backward"
]
"""How the links of two directions are combined."""

Model = Literal["fertility", "diagonal"]
"""Models of the statistical aligner."""
