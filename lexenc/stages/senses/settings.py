"""Parameters of `senses`, and what its options exclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexenc.errors import ConfigError
from lexenc.parameters import param
from lexenc.stage import Input
from lexenc.text.folding import Folding
from lexenc.text.words import Segmentation

_SHOWN, _READING = "What is shown", "Reading of texts"


@dataclass(frozen=True)
class SensesParams:
    """Parameters of `senses`."""

    word: tuple[str, ...] = param(
        (),
        "Headword. Several words in sequence are one headword if they are quoted. It belongs to the language of the "
        "first --text; of another language write de=Bank.",
        positional=True,
    )
    count: int | None = param(
        None, "Number of senses of each headword. auto, the default: it is chosen.", ge=1, le=64, none="auto"
    )
    most: int = param(8, "Largest number of senses that is chosen.", ge=1, le=64)
    layer: int | None = param(
        None,
        "Layer of the encoder whose states are clustered, negative from the end. If left out, the last but one.",
    )
    most_occurrences: int = param(
        1000, "Largest number of occurrences of a headword to use, drawn at random.", ge=2, le=1_000_000
    )
    sentences: int = param(
        4000,
        "Sentences of each text, drawn at random, over which the vectors of words are averaged to find the words "
        "nearest to a sense. More sentences: more words, and more time.",
        ge=1,
        le=10_000_000,
    )
    contrast: float = param(
        0.7,
        "How far the mean of a word is removed from its senses before the nearest words are looked up. 0: not at all, "
        "which shows what the senses have in common; 1: wholly, which shows only how they differ.",
        ge=0,
        le=1,
    )
    top: int = param(10, "Number of nearest words, typical words and translations of a sense.", ge=1, group=_SHOWN)
    examples: int = param(5, "Number of examples of a sense on the page and in senses.json.", ge=0, group=_SHOWN)
    drawn: int = param(
        8, "Number of headwords in the picture, and of those on the page that have charts.", ge=0, group=_SHOWN
    )
    words: Segmentation = param(
        "words",
        "How texts are split into words. words: Unicode words and punctuation. spaces: the text between spaces. "
        "characters: for languages without spaces. spacy: tokens of spaCy, if installed.",
        group=_READING,
    )
    lowercase: bool = param(
        True, "Ignore case when headwords and words are compared. The encoder sees words as they are.", group=_READING
    )

    @property
    def folding(self) -> Folding:
        """How words are compared."""
        return Folding(self.lowercase, "nfc")


def check_senses(inputs: Mapping[str, Any], params: SensesParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    given = {name for name, value in inputs.items() if value}
    if "senses" in given:
        wrong = sorted(given & {"text", "headwords", "alignments", "model"})
        faults = [
            ConfigError(f"--senses and --{name} exclude each other.", hint="--senses tags a text with known senses.")
            for name in wrong
        ]
        if params.word:
            hint = "Leave the words out, or find their senses: --text en=corpus.txt instead of --senses."
            faults.append(ConfigError("--senses has headwords already.", hint=hint))
        if "tag" not in given:
            faults.append(ConfigError("--senses needs --tag.", hint="Give the text to tag: --tag text.txt"))
        return faults
    table = [
        (not params.word and "headwords" not in given, "There is no headword.",
         "Give words, or a list of them: lexenc senses bank --encoder ENC --text en=corpus.txt --out runs/senses"),
        ("text" not in given, "senses needs --text.", "Give the text with its language: --text en=corpus.txt"),
        (not given & {"encoder", "model"}, "senses needs --encoder.",
         "Give an encoder with context: --encoder ENC, or a model of pretrain --senses: --model runs/lm"),
        ({"encoder", "model"} <= given, "--encoder and --model exclude each other.", "Give one of them."),
    ]  # fmt: skip
    if "model" in given:
        table += [
            (params.count is not None, "--count has no effect with --model.", "The model has its own senses."),
            (params.layer is not None, "--layer has no effect with --model.", "It chooses senses at its top layer."),
        ]
    faults = [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]
    texts = inputs.get("text") or []
    for each in [] if isinstance(texts, Mapping) else [texts] if isinstance(texts, str | Path) else texts:
        if not TEXT.label(str(each)):
            faults.append(ConfigError(f"--text {each} has no language.", hint=f"Name it: --text en={each}"))
    return faults


TEXT = Input(
    "Text of a language with its name, e.g. en=corpus.txt, one sentence per line. Once per language; further ones are "
    "compared with the senses, e.g. for translations.",
    required=False,
    many=True,
    named=True,
)
"""Input of texts: they have languages."""
