"""The settings of align: what they mean for which method, and what they are where nothing is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from lexenc.alignment import ALIGNERS
from lexenc.errors import ConfigError
from lexenc.parameters import param
from lexenc.stages.alignment.align_eflomal import eflomal_program
from lexenc.stages.reading import language_param

# A score below which a link is left out, where the method does not say itself.
_LEAST = {"statistical": 0.45, "eflomal": 0.45, "softmax": 0.001, "span": 0.4}
Segmentation = Literal["words", "spaces", "characters", "spacy"]


@dataclass(frozen=True)
class AlignParams:
    """Parameters of `align`."""

    method: str | None = param(
        None,
        "argmax: each the other's nearest; itermax: again among the words left; match: the best matching; softmax: "
        "probable both ways; span: a span predicted in the other sentence; statistical: learnt from the corpus alone; "
        "eflomal: by that program, if installed. If left out itermax with --encoder or --vectors, else statistical.",
        choices=ALIGNERS,
    )
    words: Segmentation = param(
        "words",
        "What is linked. words: Unicode words and signs; spaces: what stands between spaces; characters: for languages "
        "without spaces; spacy: by spaCy, if installed.",
    )
    source_words: Segmentation | None = param(None, "The same for the source alone.")
    target_words: Segmentation | None = param(None, "The same for the target alone.")
    layer: int | None = param(
        None, "Layer of the encoder that words are taken from; negative from the end. By default 8, or the last."
    )
    unit: Literal["words", "subwords"] = param(
        "subwords", "What is compared: words (the mean of their subwords), or subwords, any of which links a word."
    )
    distortion: float = param(0.0, "How much far-off pairs are held back (argmax, itermax).", ge=0, le=1)
    threshold: float | None = param(
        None,
        "Least score of a link; if left out 0.45 for statistical, 0.4 for span, 0.001 for softmax, else 0.",
        ge=0,
        le=1,
    )
    symmetrise: Literal[
        "threshold", "intersection", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and", "forward",
        "backward",
    ] | None = param(
        None,
        "How the directions of statistical and eflomal become one. threshold: by their mean probability; the others by "
        "the most probable link of each direction. If left out threshold, for eflomal intersection.",
    )  # fmt: skip
    model: Literal["fertility", "diagonal"] = param(
        "fertility", "Of statistical. fertility: an HMM with fertilities; diagonal: IBM 2 by the diagonal, faster."
    )
    chains: int = param(3, "Chains of each direction that are averaged (statistical).", ge=1)
    sweeps: float = param(1.0, "Times as many sweeps of each chain as is usual for a corpus of this size.", gt=0)
    dictionary_weight: float = param(
        10.0, "Links that a pair of --dictionary counts as, times its probability where it is a lexicon.", gt=0
    )
    max_words: int = param(200, "Sentence pairs with a longer side get no links, and are counted (statistical).", ge=1)
    lowercase: bool = param(
        True, "Count words without their case (statistical, vectors, lexicon); they are written as they are."
    )
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    min_count: int = param(2, "Links that a pair of the lexicon has at least.", ge=1)
    min_probability: float = param(
        0.05, "Share of the links of its source word that a pair of the lexicon has at least.", ge=0, le=1
    )
    drawn: int = param(50, "Sentence pairs drawn in alignments.html, the first ones.", ge=0)


_ENCODED = ("argmax", "itermax", "match", "softmax")
# What means something for some methods only.
_MEANT_FOR = {
    "layer": _ENCODED,
    "unit": _ENCODED,
    "distortion": ("argmax", "itermax"),
    "symmetrise": ("statistical", "eflomal"),
    "model": ("statistical",),
    "chains": ("statistical",),
    "sweeps": ("statistical",),
    "dictionary_weight": ("statistical",),
    "max_words": ("statistical",),
}


def resolve_align(inputs: Mapping[str, Any], params: AlignParams) -> AlignParams:
    """Fill in what depends on the inputs, and on the method."""
    method = params.method or ("itermax" if inputs.get("encoder") or inputs.get("vectors") else "statistical")
    threshold = _LEAST.get(method, 0.0) if params.threshold is None else params.threshold
    return replace(
        params,
        method=method,
        threshold=threshold,
        symmetrise=params.symmetrise or ("intersection" if method == "eflomal" else "threshold"),
        source_words=params.source_words or params.words,
        target_words=params.target_words or params.words,
    )


def check_align(inputs: Mapping[str, Any], params: AlignParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    resolved = resolve_align(inputs, params)
    method = resolved.method
    pairs, encoder, vectors = (bool(inputs.get(name)) for name in ("pairs", "encoder", "vectors"))
    sides = [name for name in ("source", "target") if inputs.get(name)]
    table = [
        (not pairs and not sides, "align needs --pairs, or --source and --target.", "One file of both, or two."),
        (pairs and bool(sides), "--pairs already has both sides.", "Leave --source and --target out."),
        (
            not pairs and len(sides) == 1,
            f"align needs --{'target' if sides == ['source'] else 'source'} too.",
            "Or one file of both as --pairs.",
        ),
        (
            method in _ENCODED and not encoder and not vectors,
            f"--method {method} needs --encoder or --vectors.",
            "Without either: --method statistical.",
        ),
        (method == "span" and not encoder, "--method span needs --encoder.", "lexenc align-train span makes one."),
        (
            method in ("statistical", "eflomal") and (encoder or vectors),
            f"--method {method} learns from the corpus alone.",
            "Leave --encoder and --vectors out, or choose another method.",
        ),
        (
            bool(inputs.get("dictionary")) and method != "statistical",
            f"--method {method} takes no --dictionary.",
            "Known translations help --method statistical.",
        ),
        (method == "span" and vectors, "--method span takes no --vectors.", "It needs an encoder that finds spans."),
        (encoder and vectors, "--encoder and --vectors do not go together.", "Give one of them."),
    ]
    faults = [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]
    return faults + _without_meaning(params, resolved) + _missing_program(method)


def _without_meaning(params: AlignParams, resolved: AlignParams) -> list[ConfigError]:
    """Give the options that were set and mean nothing for the method.

    Args:
        params: As they were set.
        resolved: With what depends on the inputs and on the method.
    """
    method, how = resolved.method, resolved.symmetrise
    usual, faults = AlignParams(), []
    for name, methods in _MEANT_FOR.items():
        if method not in methods and getattr(params, name) != getattr(usual, name):
            option = f"--{name.replace('_', '-')}"
            faults.append(
                ConfigError(f"{option} means nothing for --method {method}.", hint=f"It is for {', '.join(methods)}.")
            )
    if method in _MEANT_FOR["symmetrise"] and how != "threshold" and params.threshold is not None:
        faults.append(ConfigError(f"--threshold means nothing for --symmetrise {how}.", hint="It is for threshold."))
    return faults


def _missing_program(method: str | None) -> list[ConfigError]:
    """Give the fault of a program that is not installed."""
    try:
        if method == "eflomal":
            eflomal_program()
    except ConfigError as fault:
        return [fault]
    return []
