"""Encoders: texts to vectors, with gradients where wanted."""

from __future__ import annotations

from lexenc.registry import Registry

ENCODERS = Registry(
    "encoder",
    {
        "projected": (
            "lexenc.encoders.kinds:PROJECTED",
            "An encoder mapped into the space of another (lexenc project).",
        ),
        "static": ("lexenc.encoders.kinds:STATIC", "One vector per subword; a text is their mean."),
        "elmo": ("lexenc.encoders.kinds:ELMO", "Two stacks of LSTMs over words, forward and backward (ELMo)."),
        "transformer": ("lexenc.encoders.kinds:TRANSFORMER", "A transformer with pooling, such as BERT."),
    },
)
"""Kinds of encoders; see `lexenc.encoders.base.EncoderKind`."""
