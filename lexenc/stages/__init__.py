"""The stages, in the order of the work."""

from __future__ import annotations

from lexenc.registry import Registry

STAGES = Registry(
    "stage",
    {
        "train-static": "lexenc.stages.train_static:TRAIN_STATIC",
        "new-encoder": "lexenc.stages.new_encoder:NEW_ENCODER",
        "mine-negatives": "lexenc.stages.mine_negatives:MINE_NEGATIVES",
        "finetune": "lexenc.stages.finetune:FINETUNE",
        "map": "lexenc.stages.map:MAP",
        "encode": "lexenc.stages.encode:ENCODE",
        "interpolate": "lexenc.stages.interpolate:INTERPOLATE",
        "eval bli": "lexenc.stages.eval_bli:EVAL_BLI",
        "cross-pairs": "lexenc.stages.cross_pairs:CROSS_PAIRS",
        "eval xlsim": "lexenc.stages.eval_xlsim:EVAL_XLSIM",
        "encode-concepts": "lexenc.stages.encode_concepts:ENCODE_CONCEPTS",
        "link": "lexenc.stages.link:LINK",
        "eval xel": "lexenc.stages.eval_xel:EVAL_XEL",
        "induce": "lexenc.stages.induce:INDUCE",
        "align": "lexenc.stages.align:ALIGN",
        "align-train span": "lexenc.stages.align_train:ALIGN_TRAIN_SPAN",
        "align-train softmax": "lexenc.stages.align_train:ALIGN_TRAIN_SOFTMAX",
        "eval alignment": "lexenc.stages.eval_alignment:EVAL_ALIGNMENT",
        "read-review": "lexenc.stages.read_review:READ_REVIEW",
        "export": "lexenc.stages.export:EXPORT",
        "compare": "lexenc.stages.compare:COMPARE",
        "audit": "lexenc.stages.audit:AUDIT",
    },
)
