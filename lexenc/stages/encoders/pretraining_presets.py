"""Sizes and schedules of `pretrain`, by kind of language model, and the options that only some kinds have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_USUAL = {"optimiser": "adamw", "weight_decay": 0.01, "schedule": "linear", "warmup": 0.1, "clip": 1.0}
_WHOLE = {"words": "words", "minimum_count": 5}  # of models of whole words
_WORDS = {"input": "words", "vector": "mean", "sampling": "log-uniform", **_WHOLE}

# The preset paper of xlm-r is XLM-R base (Conneau et al. 2020), with the peak learning rate of RoBERTa base. That of
# elmo is the model of Peters et al. 2018, with the schedule of Liu et al. 2020, Table 6: their 8,192 words of a step
# are about 300 sentences, and their loss is 16 times ours.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "xlm-r": {
        "tiny": {"layers": 2, "dimensions": 128, "heads": 2, "vocabulary": 8_000, "max_length": 64,
                 "batch_size": 64, "learning_rate": 2e-3, "steps": 3_000, **_USUAL},
        "small": {"layers": 6, "dimensions": 384, "heads": 6, "vocabulary": 16_000, "max_length": 128,
                  "batch_size": 64, "learning_rate": 6e-4, "steps": 12_000, **_USUAL},
        "paper": {"layers": 12, "dimensions": 768, "heads": 12, "vocabulary": 250_002, "max_length": 512,
                  "batch_size": 8_192, "learning_rate": 6e-4, "steps": 1_500_000, **_USUAL},
    },
    # The preset paper is the BERT-Tiny of Liu et al. 2022, Table 7.
    "bert": {
        "tiny": {"layers": 3, "dimensions": 128, "heads": 4, "vocabulary": 12_000, "max_length": 64,
                 "batch_size": 64, "learning_rate": 2e-3, "steps": 3_000, **_USUAL, **_WHOLE},
        "small": {"layers": 6, "dimensions": 384, "heads": 6, "vocabulary": 30_000, "max_length": 128,
                  "batch_size": 64, "learning_rate": 6e-4, "steps": 12_000, **_USUAL, **_WHOLE},
        "paper": {"layers": 4, "dimensions": 512, "heads": 8, "vocabulary": 27_654, "max_length": 128,
                  "batch_size": 128, "learning_rate": 1e-4, "steps": 1_000_000, **_USUAL, **_WHOLE, "warmup": 0.02},
    },
    "elmo": {
        "tiny": {"layers": 2, "dimensions": 192, "cells": 192, "vocabulary": 30_000, "max_length": 128,
                 "batch_size": 64, "learning_rate": 4e-3, "steps": 5_000, "negatives": 1_024, **_USUAL, **_WORDS},
        "small": {"layers": 2, "dimensions": 256, "cells": 1_024, "vocabulary": 100_000, "max_length": 256,
                  "batch_size": 128, "learning_rate": 1e-3, "steps": 200_000, "negatives": 8_192, **_USUAL, **_WORDS,
                  "input": "characters"},
        "paper": {"layers": 2, "dimensions": 512, "cells": 4_096, "vocabulary": 800_000, "max_length": 512,
                  "batch_size": 300, "learning_rate": 0.2, "steps": 1_000_000, "negatives": 8_192,
                  **_WORDS, "input": "characters", "optimiser": "adagrad", "minimum_count": 3,
                  "weight_decay": 0.0, "schedule": "constant", "warmup": 0.0, "clip": 10 / 16},
    },
}  # fmt: skip
CONTINUED: dict[str, dict[str, Any]] = {
    "xlm-r": {"batch_size": 32, "learning_rate": 1e-4, "steps": 3_000, **_USUAL},
    "bert": {"batch_size": 32, "learning_rate": 1e-4, "steps": 3_000, **_USUAL},
    "elmo": {"batch_size": 64, "learning_rate": 5e-4, "steps": 3_000, "negatives": 1_024, **_USUAL,
             "sampling": "log-uniform"},
}  # fmt: skip
NO_OBJECTIVES = ("elmo",)
"""Kinds that learn in one way, so that they have no --objective."""
USUAL_MODEL = "xlm-r"
"""The kind whose values hold for kinds of other packages."""
SHAPE = ("layers", "dimensions", "heads", "vocabulary", "cells", "input", "minimum_count", "cased", "words", "vector")
"""Options of a new model, which one that is continued has already."""
SPECIFIC: dict[str, tuple[str, ...]] = {
    "heads": ("xlm-r", "bert"),
    **dict.fromkeys(("minimum_count", "cased", "words"), ("bert", "elmo")),
    **dict.fromkeys(("cells", "input", "vector", "negatives", "sampling", "optimiser"), ("elmo",)),
}
"""Options that only some kinds have, and which kinds."""


def values_of(model: str, preset: str | None) -> Mapping[str, Any]:
    """Return the values of a preset of a kind of models. None for those of a model that is continued."""
    known = model if model in PRESETS else USUAL_MODEL
    return CONTINUED[known] if preset is None else PRESETS[known][preset]
