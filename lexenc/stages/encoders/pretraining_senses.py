"""Senses in `pretrain`: options, presets, dictionary, and what is told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lexenc.arrays import Ragged
from lexenc.errors import ConfigError
from lexenc.files.dictionaries import read_pairs
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Job, Table
from lexenc.stages.encoders.pretraining_presets import published_senses
from lexenc.stages.reading import tell_remarks
from lexenc.training.sense_aware.settings import SensePlan, SenseSettings, looks_like_word, sense_counts

if TYPE_CHECKING:
    from lexenc.training.language_models import LanguageModelKind, TrainableModel
    from lexenc.training.sense_aware.table import SenseTable

_GROUP = "Senses of words"
_COLLAPSE, _ONE_SENSE = 0.05, 0.9  # entropy below which senses have collapsed, and share of words with one sense
_PART = 8192  # words that are tokenised at once

# The settings that have a default by preset, by option.
_FIELDS = {
    "sense_scope": "scope", "sense_min_count": "min_count", "skip_top": "skip_top", "sense_projection": "projection",
    "sense_dimensions": "width", "sense_queue": "queue", "sense_refit_every": "refit_every", "sense_start": "start",
    "sense_choice": "choice", "center_decay": "decay", "sense_rate": "rate", "sense_warmup": "warmup",
    "prune_every": "prune_every", "prune_below": "prune_below", "prune_from": "prune_from",
}  # fmt: skip
_TRANSLATIONS = 4  # of a word, as in the paper
_OTHERS = ("translations", "sense_context", "reset_senses")


@dataclass(frozen=True)
class SenseParams:
    """Parameters of senses. None stands for a default that depends on the preset."""

    senses: int | None = param(
        None,
        "Largest number of senses of a word. 1: the plain model. With more, the model learns to predict senses, which "
        "it finds itself by clusters of its states. By default that of --preset saelmo, sabert-tiny or bi-saelmo, "
        "else 1.",
        ge=1,
        le=100,
        group=_GROUP,
    )
    sense_scope: Literal["all", "frequent", "pseudo"] | None = param(
        None,
        "Words with several senses. all: all but the most frequent (--skip-top). frequent: of these, words with at "
        "least --sense-min-count occurrences. pseudo: only --pseudo-words.",
        group=_GROUP,
    )
    sense_min_count: int | None = param(None, "Occurrences of a word, see --sense-scope.", ge=1, group=_GROUP)
    skip_top: int | None = param(None, "Number of the most frequent words that keep one sense.", ge=0, group=_GROUP)
    sense_projection: Literal["paper", "word-centred"] | None = param(
        None,
        "Directions by which states are compared. paper: the principal components of all states, by cosine. "
        "word-centred: those of states minus the mean of their word, all of which count alike, by distance.",
        group=_GROUP,
    )
    sense_dimensions: int | None = param(None, "Number of these directions.", ge=1, group=_GROUP)
    sense_queue: int | None = param(
        None, "Number of states from which the directions are computed.", ge=2, group=_GROUP
    )
    sense_refit_every: int | None = param(None, "Steps after which they are computed again.", ge=1, group=_GROUP)
    sense_context: Literal["own", "both"] | None = param(
        None,
        "For elmo: states by which a sense is chosen, those of the direction that predicts (own) or of both. By "
        "default own with the presets of published models, else both.",
        group=_GROUP,
    )
    sense_start: Literal["noise", "kmeans"] | None = param(
        None,
        "Senses at the end of the warm-up: one with noise added (noise), or clusters of the last states of each word.",
        group=_GROUP,
    )
    sense_choice: Literal["clusters", "random", "logits", "oracle"] | None = param(
        None,
        "How a sense is chosen. clusters: the nearest centre. random: any, a control. logits: the one that the model "
        "predicts best. oracle: the right one of --pseudo-words, a control.",
        group=_GROUP,
    )
    center_decay: Literal["selected", "global"] | None = param(
        None,
        "selected: only the centres of chosen senses move. global: all others shrink, as in the authors' program.",
        group=_GROUP,
    )
    sense_rate: float | None = param(
        None, "Share of a step's states in the centre of their sense. Larger follows faster.", gt=0, le=1, group=_GROUP
    )
    sense_warmup: float | None = param(
        None,
        "Share of the steps in which every word has one sense. 1 never splits words: a plain model with output vectors "
        "of its own, a control.",
        ge=0,
        le=1,
        group=_GROUP,
    )
    reset_senses: bool = param(
        False, "Draw the vectors of senses anew after the warm-up, as in the authors' program.", group=_GROUP
    )
    prune_every: int | None = param(
        None, "Steps after which rare senses are removed. Use 0 to keep all.", ge=0, group=_GROUP
    )
    prune_below: float | None = param(
        None, "Share of a word's occurrences below which a sense is removed.", ge=0, le=0.5, group=_GROUP
    )
    prune_from: float | None = param(
        None, "Share of the steps before which nothing is removed.", ge=0, le=1, group=_GROUP
    )
    translations: int | None = param(
        None, "Largest number of translations of a word; the first ones of --dictionary.", ge=1, group=_GROUP
    )


def uses_senses(inputs: Mapping[str, Any], params: Any) -> bool:
    """Return whether a model is to predict senses, or translations."""
    return params.senses > 1 or bool(inputs.get("dictionary"))


def sense_values(inputs: Mapping[str, Any], params: Any) -> dict[str, Any]:
    """Return the values of the options that were left out. Empty for a plain model."""
    if not uses_senses(inputs, params):
        return {}
    table: dict[str, Any] = {option: getattr(SenseSettings(), name) for option, name in _FIELDS.items()}
    table["translations"] = _TRANSLATIONS
    if params.model == "elmo":
        table["sense_context"] = "both"
    table |= {} if inputs.get("encoder") else published_senses(params.model, params.preset)
    if not inputs.get("dictionary"):
        del table["translations"]
    return {name: value for name, value in table.items() if getattr(params, name) is None}


def check_senses(inputs: Mapping[str, Any], params: Any) -> list[ConfigError]:
    """Return the errors in options of senses that involve more than one option."""
    faults: list[ConfigError] = []
    given = [name for name in (*_FIELDS, *_OTHERS) if getattr(params, name) not in (None, False)]
    shown = [f"--{name.replace('_', '-')}" for name in given]
    if inputs.get("pseudo_words") and params.model != "elmo":
        faults.append(ConfigError("--pseudo-words needs --model elmo.", hint="Leave it out, or add --model elmo."))
    if not uses_senses(inputs, params):
        return faults + [ConfigError(f"{name} has no effect without senses.", hint="Add --senses 3.") for name in shown]
    if params.translations is not None and not inputs.get("dictionary"):
        faults.append(ConfigError("--translations has no effect without --dictionary.", hint="Leave it out."))
    if params.sense_context is not None and params.model != "elmo":
        faults.append(
            ConfigError(
                f"--sense-context has no effect with --model {params.model}, whose states see both sides.",
                hint="Leave it out.",
            )
        )
    if inputs.get("dictionary") and len(inputs["text"]) < 2:
        faults.append(
            ConfigError("--dictionary needs the text of two languages.", hint="Give --text twice, such as en= and de=.")
        )
    if params.reset_senses and params.sense_start == "kmeans":
        faults.append(ConfigError("--reset-senses and --sense-start kmeans exclude each other.", hint="Use noise."))
    pseudo = inputs.get("pseudo_words")
    needing = [f"--{name.replace('_', '-')} {value}" for name, value in (("sense_choice", "oracle"),
               ("sense_scope", "pseudo")) if getattr(params, name) == value and not pseudo]  # fmt: skip
    faults += [ConfigError(f"{each} needs --pseudo-words.", hint="Give pairs of words to merge.") for each in needing]
    below = sense_values(inputs, params).get("prune_below", params.prune_below)
    if below * params.senses >= 1 and params.senses > 1:
        faults.append(
            ConfigError(
                f"--prune-below {below:g} would remove all of {params.senses} senses that are used alike.",
                hint=f"Use less than {1 / params.senses:.2f}, such as 0.02.",
            )
        )
    return faults


def settings_of(params: Any, seed: int) -> SenseSettings:
    """Return the settings of parameters whose values are filled in."""
    values = {name: getattr(params, option) for option, name in _FIELDS.items()}
    if params.sense_scope == "pseudo":
        values["scope"] = "all"
    return SenseSettings(senses=params.senses, reset=params.reset_senses, seed=seed, **values)


def give_senses_to(
    kind: LanguageModelKind,
    model: Any,
    dictionary: Path | None,
    params: Any,
    texts: Ragged,
    pseudo: Sequence[tuple[int, int]],
    job: Job,
) -> tuple[Any, dict[str, SenseTable], dict[str, Any]]:
    """Choose the words that have several senses, read the dictionary, and give the model tables of senses.

    Args:
        kind: Kind of the model.
        model: The model, a `TrainableModel`.
        dictionary: File of word pairs. None without.
        params: Parameters of `pretrain`, with all values.
        texts: The training texts.
        pseudo: Pseudo-words, see `read_pseudo_words`.
        job: Seed and messages.

    Returns:
        The model, its tables by name, and numbers for the result.
    """
    settings = settings_of(params, job.seed)
    regular: Any = model.regular & looks_like_word(model.names)
    known = texts.values[~model.unknown(texts.values)]
    occurrences = np.bincount(known, minlength=len(regular))
    if params.sense_scope == "pseudo":
        counts = np.ones(len(regular), dtype=np.int64)
        counts[[one for one, _ in pseudo]] = params.senses
    else:
        counts = sense_counts(occurrences, regular, settings)
    several = int((counts > 1).sum())
    facts: dict[str, Any] = {"words_of_several_senses": several}
    if params.senses > 1:
        share = occurrences[counts > 1].sum() / max(1, occurrences.sum())
        job.notices.say(f"{counted(several, 'word')} with {params.senses} senses, {100 * share:.0f} % of the text.")
        if not several:
            job.notices.warn(
                f"No word besides the {params.skip_top} most frequent ones occurs {params.sense_min_count:,} times, so "
                "that all have one sense.",
                "Lower --sense-min-count or --skip-top, or use more text.",
            )
    translations = None
    if dictionary is not None:
        translations, more = _translations(dictionary, params.translations, model, len(occurrences), job)
        facts |= more
    model, tables = kind.with_senses(model, SensePlan(counts, settings, translations), vars(params))
    return model, tables, facts


def has_divided(tables: Mapping[str, SenseTable]) -> bool:
    """Return whether words have their senses, after the warm-up. True for a model without, or if it never ends."""
    inventories = [each.inventory for each in tables.values()]
    return all(bool(each.divided) or not each.several or each.settings.warmup == 1 for each in inventories)


def _translations(path: Path, most: int, model: TrainableModel, size: int, job: Job) -> tuple[Ragged, dict[str, Any]]:
    from lexenc.training.sense_aware.dictionary import translations_of

    pairs = read_pairs(path)
    tell_remarks(pairs, job)
    words = list(dict.fromkeys(word for pair in pairs for word in pair))
    found = translations_of(pairs, numbers_of(words, model), size, most=most)
    translated = int((found.words.lengths > 0).sum())
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in found.left_out.items())
    job.notices.say(
        f"{found.used:,} of {counted(len(pairs), 'pair')} of the dictionary used, for {counted(translated, 'word')}."
        + (f" Left out: {left_out}." if left_out else "")
    )
    if not found.used:
        job.notices.warn(
            "No pair of the dictionary has both words in the vocabulary, so that nothing aligns the languages.",
            "Check the columns and the case of the dictionary, or use more text.",
        )
    return found.words, {
        "dictionary_pairs": len(pairs),
        "dictionary_pairs_used": found.used,
        "dictionary_left_out": dict(found.left_out),
        "words_with_translations": translated,
    }


def numbers_of(words: Sequence[str], model: TrainableModel) -> dict[str, int]:
    """Return the numbers of words that are one subword or word of a model's vocabulary."""
    split = model.splitter()
    found: dict[str, int] = {}
    for begin in range(0, len(words), _PART):
        part = words[begin : begin + _PART]
        ids = split(part)
        places = np.flatnonzero(ids.lengths == 1)
        numbers = ids.values[ids.starts[places]]
        usable = ~model.unknown(numbers)
        usable[usable] = model.regular[numbers[usable]]
        found |= {part[i]: number for i, number in zip(places[usable].tolist(), numbers[usable].tolist(), strict=True)}
    return found


def tell_usage(usage: Mapping[str, Mapping[str, float]], job: Job) -> Table:
    """Warn of senses that have collapsed, and return a table of how they are used.

    Args:
        usage: `SenseInventory.usage` by name of the inventory.
        job: Messages.
    """
    for name, each in usage.items():
        entropy, one = each.get("sense_entropy"), each.get("one_sense_share")
        if entropy is not None and one is not None and (entropy < _COLLAPSE or one > _ONE_SENSE):
            job.notices.warn(
                f"The senses have collapsed ({name}): {100 * one:.0f} % of the words have nearly all occurrences in "
                "one sense.",
                "Try --sense-projection word-centred, --sense-start kmeans, or a smaller --sense-rate.",
            )
    rows = [
        [
            name,
            f"{each['senses']:,.0f}",
            *(f"{each[key]:.2f}" if key in each else "-" for key in ("sense_entropy", "one_sense_share")),
        ]
        for name, each in usage.items()
    ]
    note = (
        "Entropy: of the senses of a word, 1 if all are used alike, 0 if one is; the mean of the words. A high entropy "
        "is no proof that senses are real: random choice has 1. Look at them with lexenc senses."
    )
    return Table("Senses", ["chosen by", "senses left", "entropy", "words in one sense"], rows, note)


def usage_of(tables: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    """Return how the senses of tables are used, once for each inventory."""
    found: dict[int, tuple[str, Any]] = {}
    shared = Counter(id(each.inventory) for each in tables.values())
    for name, each in tables.items():
        label = "both directions" if shared[id(each.inventory)] > 1 else name
        found.setdefault(id(each.inventory), (label, each.inventory))
    return {name: inventory.usage() for name, inventory in found.values() if inventory.several}


# ---------------------------------------------------------------- pseudo-words


def read_pseudo_words(path: Path | None, model: TrainableModel, job: Job) -> list[tuple[int, int]]:
    """Read pairs of words to merge, by number; those that the vocabulary lacks or that occur again are left out.

    Args:
        path: File of word pairs. None without.
        model: The model.
        job: Messages.
    """
    if path is None:
        return []
    pairs = list(read_pairs(path, roles=("first word", "second word")))
    numbers = numbers_of(list(dict.fromkeys(word for pair in pairs for word in pair)), model)
    found: list[tuple[int, int]] = []
    used: set[int] = set()
    for one, other in pairs:
        if one in numbers and other in numbers and len({numbers[one], numbers[other]} - used) == 2:
            found.append((numbers[one], numbers[other]))
            used |= {numbers[one], numbers[other]}
    left_out = len(pairs) - len(found)
    job.notices.say(
        f"{counted(len(found), 'pseudo-word')}."
        + (f" {counted(left_out, 'pair')} left out: not in the vocabulary, or a word occurs again." if left_out else "")
    )
    return found


def rand_indices(objective: Any, tables: Mapping[str, SenseTable], words: Sequence[int]) -> dict[str, float]:
    """Return how well the chosen senses of pseudo-words agree with the words that were merged.

    Args:
        objective: A `WordObjective` with labels. Up to 20,000 of its texts are read.
        tables: Tables of senses, by direction. Empty for a plain model.
        words: The pseudo-words.

    Returns:
        Mean adjusted Rand index of the pseudo-words with 20 occurrences, by direction. What the clusters would choose
        counts, whatever the model learned from. A direction without such words is left out.
    """
    import torch
    from sklearn.metrics import adjusted_rand_score

    found: dict[str, list[np.ndarray]] = {}
    rows = objective.rows(0)[:20_000]
    with torch.no_grad():
        for begin in range(0, len(rows), 256):
            for name, each in objective.predictions(rows[begin : begin + 256]).items():
                if name not in tables:
                    continue
                wanted = torch.isin(each.words, torch.tensor(words, device=each.words.device))
                inventory = tables[name].inventory
                merit = inventory.choose(each.words[wanted], each.own[wanted])
                parts = torch.stack([each.words[wanted], each.labels[wanted], merit]).cpu().numpy()
                found.setdefault(name, []).append(parts)
    indices = {}
    for name, parts in found.items():
        word, label, chosen = np.concatenate(parts, axis=1)
        own = [word == each for each in words if (word == each).sum() >= 20]
        if own:
            indices[name] = float(np.mean([adjusted_rand_score(label[mine], chosen[mine]) for mine in own]))
    return indices


def tell_rand_indices(rand: Mapping[str, float], job: Job) -> None:
    """Tell what `rand_indices` found."""
    if rand:
        shown = ", ".join(f"{name} {value:.2f}" for name, value in rand.items())
        job.notices.say(f"Pseudo-words: adjusted Rand index of the senses that clusters choose: {shown} (chance is 0).")
