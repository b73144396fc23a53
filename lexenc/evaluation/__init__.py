"""Evaluation: what systems are scored on, by which metrics, and how certain the scores are."""

from __future__ import annotations

from lexenc.registry import Registry

TASKS = Registry(
    "task",
    {
        "bli": "lexenc.evaluation.bli:TASK",
        "xlsim": "lexenc.evaluation.similarity:TASK",
        "xel": "lexenc.evaluation.linking:TASK",
        "alignment": "lexenc.evaluation.alignment:TASK",
        "sts": "lexenc.stages.evaluation.sts:TASK",
        "bitext": "lexenc.evaluation.bitext:TASK",
        "bitext-mteb": "lexenc.evaluation.bitext:MTEB_TASK",
        "topics": "lexenc.stages.evaluation.topics:TASK",
        "clustering": "lexenc.stages.evaluation.clustering:TASK",
        "senses": "lexenc.evaluation.senses:TASK",
        "language-id": "lexenc.stages.evaluation.language_id:TASK",
        "mteb": "lexenc.stages.evaluation.mteb:TASK",
        "retrieval": "lexenc.stages.evaluation.retrieval:TASK",
        "nli": "lexenc.stages.evaluation.nli:TASK",
        "wsd": "lexenc.evaluation.wsd:TASK",
        "sentiment": "lexenc.stages.evaluation.sentiment:TASK",
        "ner": "lexenc.evaluation.entities:TASK",
        "paraphrase": "lexenc.stages.evaluation.paraphrase:TASK",
    },
)
