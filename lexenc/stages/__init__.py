"""The stages in the order of the work: where each is declared, and what it does."""

from __future__ import annotations

from collections.abc import Sequence

from lexenc.registry import Registry
from lexenc.stage import Stage

STAGES = Registry(
    "stage",
    {
        "train-static": (
            "lexenc.stages.encoders.train_static:TRAIN_STATIC",
            "Train static word vectors on text with fastText.",
        ),
        "new-encoder": (
            "lexenc.stages.encoders.new_encoder:NEW_ENCODER",
            "Make an untrained encoder with a tokenizer learned from text, for finetune or train.",
        ),
        "pretrain": (
            "lexenc.stages.encoders.pretrain:PRETRAIN",
            "Pretrain a small multilingual language model, with a tokenizer of its own, on text.",
        ),
        "trim-vocabulary": (
            "lexenc.stages.encoders.trim_vocabulary:TRIM_VOCABULARY",
            "Remove the subwords that a corpus does not need from an encoder; its texts keep their vectors.",
        ),
        "mine-negatives": (
            "lexenc.stages.lexical.mine_negatives:MINE_NEGATIVES",
            "Mine hard negatives: target words that the encoder wrongly ranks close to a source word.",
        ),
        "finetune": (
            "lexenc.stages.lexical.finetune:FINETUNE",
            "Fine-tune an encoder on text pairs or on synonym sets with a contrastive loss.",
        ),
        "map": (
            "lexenc.stages.lexical.map:MAP",
            "Map word vectors of two languages into a shared space, with a dictionary or without one.",
        ),
        "map-hub": (
            "lexenc.stages.lexical.map_hub:MAP_HUB",
            "Map word vectors of many languages into the space of one of them, or add languages to such a space.",
        ),
        "apply-mapping": (
            "lexenc.stages.lexical.apply_mapping:APPLY_MAPPING",
            "Map vectors of new words with a saved mapping.",
        ),
        "encode": ("lexenc.stages.encoders.encode:ENCODE", "Encode each line of a file as a vector."),
        "plot": (
            "lexenc.stages.encoders.plot:PLOT",
            "Draw sentences or words of several languages as a picture of the space of each encoder.",
        ),
        "senses": (
            "lexenc.stages.senses.senses:SENSES_STAGE",
            "Find the senses of words in a corpus, and tag text with them.",
        ),
        "project": (
            "lexenc.stages.lexical.project:PROJECT",
            "Map the layers of an encoder of one language into the space of that of another.",
        ),
        "interpolate": (
            "lexenc.stages.lexical.interpolate:INTERPOLATE",
            "Blend the vectors of a shared space with an encoder: (1 - lambda) static + lambda encoder.",
        ),
        "eval bli": (
            "lexenc.stages.evaluation.bli:EVAL_BLI",
            "Score word translation: precision at 1, 5 and 10, MRR and MAP.",
        ),
        "cross-pairs": (
            "lexenc.stages.evaluation.cross_pairs:CROSS_PAIRS",
            "Build cross-lingual similarity pairs from the same pairs in two languages.",
        ),
        "eval xlsim": (
            "lexenc.stages.evaluation.xlsim:EVAL_XLSIM",
            "Score word similarity within or across languages: correlation with human ratings.",
        ),
        "eval sts": (
            "lexenc.stages.evaluation.sts:EVAL_STS",
            "Score sentence similarity within or across languages: correlation with human ratings.",
        ),
        "eval bitext": (
            "lexenc.stages.evaluation.bitext:EVAL_BITEXT",
            "Score bitext mining: precision, recall and F1 of mined sentence pairs, as for BUCC.",
        ),
        "eval topics": (
            "lexenc.stages.evaluation.topics:EVAL_TOPICS",
            "Score a classifier of topics on document vectors: trained in one language, tested in others.",
        ),
        "eval clustering": (
            "lexenc.stages.evaluation.clustering:EVAL_CLUSTERING",
            "Score clusters of document vectors against labels: purity and V-measure over several seeds.",
        ),
        "eval senses": (
            "lexenc.stages.evaluation.senses:EVAL_SENSES",
            "Score induced senses of words against gold senses: adjusted Rand index, and accuracy with few examples.",
        ),
        "eval wsd": (
            "lexenc.stages.evaluation.wsd:EVAL_WSD",
            "Score senses of words in context: the nearest of the sense vectors that are learned from tagged text.",
        ),
        "eval ner": (
            "lexenc.stages.evaluation.ner:EVAL_NER",
            "Score named entities: train a tagger on one language, test it on any, with several seeds.",
        ),
        "eval language-id": (
            "lexenc.stages.evaluation.language_id:EVAL_LANGUAGE_ID",
            "Score how well sentence vectors show their language. Lower means more language-neutral.",
        ),
        "eval mteb": (
            "lexenc.stages.evaluation.mteb:EVAL_MTEB",
            "Score an encoder in tasks of mteb, which has to be installed.",
        ),
        "eval retrieval": (
            "lexenc.stages.evaluation.retrieval:EVAL_RETRIEVAL",
            "Score sentence retrieval: how often the nearest sentence of the other language is the translation.",
        ),
        "eval nli": (
            "lexenc.stages.evaluation.nli:EVAL_NLI",
            "Score language inference: train a classifier on English, test it on every language, with several seeds.",
        ),
        "eval paraphrase": (
            "lexenc.stages.evaluation.paraphrase:EVAL_PARAPHRASE",
            "Score the detection of paraphrases: train on English, test on every language, with several seeds.",
        ),
        "eval sentiment": (
            "lexenc.stages.evaluation.sentiment:EVAL_SENTIMENT",
            "Score the sentiment of texts: train on one language, test on every language, with several seeds.",
        ),
        "encode-concepts": (
            "lexenc.stages.lexical.encode_concepts:ENCODE_CONCEPTS",
            "Encode the names of a knowledge base once, for link and eval xel.",
        ),
        "link": ("lexenc.stages.lexical.link:LINK", "Link mentions to the concepts of a knowledge base."),
        "eval xel": (
            "lexenc.stages.evaluation.xel:EVAL_XEL",
            "Score entity linking: precision at 1 and 5, by name and by concept, with a control.",
        ),
        "induce": (
            "lexenc.stages.lexical.induce:INDUCE",
            "Build a dictionary: the best translations of each word with calibrated probabilities.",
        ),
        "align": ("lexenc.stages.alignment.align:ALIGN", "Align the words of parallel sentences."),
        "train": (
            "lexenc.stages.sentences.train:TRAIN",
            "Train a sentence encoder on parallel text, language inference or plain sentences.",
        ),
        "mine-bitext": (
            "lexenc.stages.sentences.mine_bitext:MINE_BITEXT",
            "Mine translations in two files, score the pairs of a corpus, or look up sentences in another file.",
        ),
        "align-documents": (
            "lexenc.stages.sentences.align_documents:ALIGN_DOCUMENTS",
            "Align the sentences of two documents, or of two folders of documents, that are translations.",
        ),
        "align-train span": (
            "lexenc.stages.alignment.align_train:ALIGN_TRAIN_SPAN",
            "Train an encoder to predict the translation of a marked word as a span of the other sentence.",
        ),
        "align-train softmax": (
            "lexenc.stages.alignment.align_train:ALIGN_TRAIN_SOFTMAX",
            "Fine-tune an encoder on parallel sentences so that its token states align words.",
        ),
        "eval alignment": (
            "lexenc.stages.evaluation.alignment:EVAL_ALIGNMENT",
            "Score word alignments: precision, recall, F1 and alignment error rate.",
        ),
        "read-review": (
            "lexenc.stages.lexical.read_review:READ_REVIEW",
            "Turn a reviewed table of induce into a dictionary, or one of senses into senses.",
        ),
        "export": ("lexenc.stages.encoders.export:EXPORT", "Write vectors to files that VecMap, MUSE and gensim read."),
        "compare": (
            "lexenc.stages.evaluation.compare:COMPARE",
            "Compare two evaluations of the same questions by paired bootstrap.",
        ),
        "audit": (
            "lexenc.stages.lexical.audit:AUDIT",
            "Check training and test dictionaries for leaks, repeats and words without vectors.",
        ),
    },
)


def stage_of(words: Sequence[str]) -> Stage | None:
    """Return the stage that a command line begins with, if any. The commands of a group are two words."""
    for name in (" ".join(words[:2]), *words[:1]):
        if name in STAGES:
            stage: Stage = STAGES[name]
            return stage
    return None
