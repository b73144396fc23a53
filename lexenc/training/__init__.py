"""Training of encoders: losses, data, the training loop and its checkpoints."""

from __future__ import annotations

from lexenc.registry import Registry

HISTORY = "training.jsonl"
"""Name of the log of a run: one line per step."""

LOSSES = Registry(
    "loss",
    {
        "mneg": "lexenc.training.losses:mneg",
        "own-hard": "lexenc.training.losses:own_hard",
        "symmetric": "lexenc.training.losses:symmetric",
        "printed": "lexenc.training.losses:printed",
        "multi-similarity": "lexenc.training.losses:multi_similarity",
    },
)
"""Contrastive losses: functions of a `losses.Contrast` and of keyword settings that return a scalar."""

LANGUAGE_MODELS = Registry(
    "language model",
    {
        "xlm-r": ("lexenc.training.masked:XLM_R", "Transformer of XLM-R that predicts masked subwords."),
        "bert": ("lexenc.training.masked:BERT", "Transformer of BERT that predicts masked words."),
        "elmo": ("lexenc.training.word_prediction:ELMO", "LSTMs that predict the next and the previous word."),
    },
)
"""Models that `pretrain` can train on text; see `lexenc.training.language_models.LanguageModelKind`."""

HEADS = Registry(
    "classifier",
    {
        "fine-tune": "lexenc.training.classification:FineTuned",
        "dense": "lexenc.training.classification:Dense",
        "bilstm": "lexenc.training.recurrent:BiLstm",
    },
)
"""Kinds of classifiers of sentences and of pairs; see `lexenc.training.classification.Classifier`."""

TAGGERS = Registry(
    "tagger",
    {
        "bilstm-crf": "lexenc.training.tagging:BiLstmCrf",
        "fine-tune": "lexenc.training.tagging:FineTunedTagger",
    },
)
"""Kinds of taggers of words; see `lexenc.training.tagging.Tagger`."""
