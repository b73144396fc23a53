"""The stages, in the order of the work."""

from __future__ import annotations

from lexenc.registry import Registry

STAGES = Registry(
    "stage",
    {
        "train-static": "lexenc.stages.encoders.train_static:TRAIN_STATIC",
        "new-encoder": "lexenc.stages.encoders.new_encoder:NEW_ENCODER",
        "mine-negatives": "lexenc.stages.lexical.mine_negatives:MINE_NEGATIVES",
        "finetune": "lexenc.stages.lexical.finetune:FINETUNE",
        "map": "lexenc.stages.lexical.map:MAP",
        "encode": "lexenc.stages.encoders.encode:ENCODE",
        "interpolate": "lexenc.stages.lexical.interpolate:INTERPOLATE",
        "eval bli": "lexenc.stages.evaluation.bli:EVAL_BLI",
        "cross-pairs": "lexenc.stages.evaluation.cross_pairs:CROSS_PAIRS",
        "eval xlsim": "lexenc.stages.evaluation.xlsim:EVAL_XLSIM",
        "encode-concepts": "lexenc.stages.lexical.encode_concepts:ENCODE_CONCEPTS",
        "link": "lexenc.stages.lexical.link:LINK",
        "eval xel": "lexenc.stages.evaluation.xel:EVAL_XEL",
        "induce": "lexenc.stages.lexical.induce:INDUCE",
        "align": "lexenc.stages.alignment.align:ALIGN",
        "align-train span": "lexenc.stages.alignment.align_train:ALIGN_TRAIN_SPAN",
        "align-train softmax": "lexenc.stages.alignment.align_train:ALIGN_TRAIN_SOFTMAX",
        "eval alignment": "lexenc.stages.evaluation.alignment:EVAL_ALIGNMENT",
        "read-review": "lexenc.stages.lexical.read_review:READ_REVIEW",
        "export": "lexenc.stages.encoders.export:EXPORT",
        "compare": "lexenc.stages.evaluation.compare:COMPARE",
        "audit": "lexenc.stages.lexical.audit:AUDIT",
    },
)
