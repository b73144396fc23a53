"""Training of sentence encoders: contrastive objectives over sentence vectors, with terms over words and subwords."""

from __future__ import annotations

from lexenc.registry import Registry

OBJECTIVES = Registry(
    "objective",
    {
        "awp": ("lexenc.sentences.aligned_words:AlignedWordPrediction", "Aligned word prediction (WACSE)."),
        "wtr": ("lexenc.sentences.word_ranking:WordRanking", "Word translation ranking (WACSE)."),
        "rtl": (
            "lexenc.sentences.representation_translation:RepresentationTranslation",
            "Representation translation learning (DAP).",
        ),
        "tlm": ("lexenc.sentences.masked_text:MaskedTranslations", "Translation language modelling."),
        "mlm": ("lexenc.sentences.masked_text:MaskedSentences", "Masked language modelling."),
    },
)
"""Objectives of single pairs, by name: classes with the members of `terms.Term`, made from `terms.TermInputs`.

What a class needs it says in attributes, which it may leave out: `needs_links`, whether it needs word links;
`needs_head`, a prediction head; `needs_parallel`, parallel rows, because it learns nothing from others; and `options`,
the argument of its own for each option of `train` that it reads.
"""

RANKING, TEACHER = "tr", "teacher"
"""Names of the objectives that are no classes: the ranking of sentences, and the vectors of a teacher."""
