"""Word alignment: which words of a sentence and its translation belong together."""

from __future__ import annotations

from lexenc.registry import Registry

ALIGNERS = Registry(
    "aligner",
    {
        "argmax": (None, "Link words that are each other's nearest."),
        "itermax": (None, "As argmax, and again among the words that are left."),
        "match": (None, "Link one to one so that the sum of similarities is the largest."),
        "softmax": (None, "Link words that are probable translations in both directions."),
        "span": (None, "Predict the span of each word in the other sentence."),
        "statistical": (None, "Learn from the corpus alone."),
        "eflomal": (None, "Run the program eflomal, if installed."),
    },
)
"""Methods of `align`. Those that it runs itself have no part. A part of another package is a function of the inputs,
the parameters and the job of `align`; it returns an object with the methods `align(pairs)` and `finish(job)`."""
