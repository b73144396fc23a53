"""eval xlsim: word similarity within a language or across two, against human ratings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lexenc.correlation import cosines
from lexenc.encoders.base import Pooling
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.similarity import MEASURE, SHUFFLES, shuffled_spearman, undefined
from lexenc.evaluation.similarity_pairs import cross, known_scale
from lexenc.files.dictionaries import Pairs
from lexenc.files.evaluations import (
    CONTROL,
    ITEMS,
    SCORES,
    Convention,
    EvaluationWriter,
    Item,
    Score,
    ScoredSystem,
    name_of_test,
    writing_evaluation,
)
from lexenc.files.multi_simlex import find_multi_simlex, read_scored_pairs
from lexenc.files.similarity import ScoredPairs
from lexenc.files.text import counted
from lexenc.lexical.text_vectors import Origin, TextVectors, WordTables, blended_texts, count_origins
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import (
    PAPER_WEIGHTS,
    IntervalParams,
    check_blend,
    sweep_table,
    swept,
    weights_param,
)
from lexenc.stages.lexical.shared import open_words, projection_between, warn_of_second_blend
from lexenc.stages.lineage import seen_pairs, tell_seen_pairs
from lexenc.stages.reading import (
    POOLING,
    clearly_more,
    coverage_advice,
    encode_words,
    folding_of,
    low_coverage,
    lowercase_param,
    open_encoder,
    read_dictionary,
    uncovered,
    unicode_param,
)
from lexenc.text.folding import UnicodeForm, check_language

_LANGUAGE = (
    "Language code (BCP-47) of the {side} words. It selects them in a file of many languages, and 'tr' lower-cases I "
    "as Turkish does."
)


@dataclass(frozen=True)
class EvalXlsimParams(IntervalParams):
    """Parameters of `eval xlsim`."""

    side: Literal["both", "source", "target"] = param(
        "both",
        "Where to look words up in a shared space. both: left words in source, right words in target; source, target: "
        "both in one language.",
    )
    missing: Literal["encoder", "average", "drop", "back-off"] | None = param(
        None,
        "Words without a static vector. encoder: use the encoder alone; average: use the mean of a phrase's parts; "
        "drop: leave their pairs out of the headline; back-off: count their pairs, with --back-off. If left out, "
        "encoder in a blend, else drop. With several --lambda the headline has only the pairs with static vectors, the "
        "same for all; the others count in another row.",
    )
    back_off: float = param(0.0, "Similarity of pairs with a missing word, if all pairs count.", ge=-1, le=1)
    lambda_: tuple[float, ...] = weights_param()
    pooling: Pooling = param("auto", POOLING)
    limit: int | None = param(None, "Use the first words of each vocabulary only; they are the most frequent.", ge=1)
    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()
    source_language: str | None = param(None, _LANGUAGE.format(side="left"), check=check_language)
    target_language: str | None = param(None, _LANGUAGE.format(side="right"), check=check_language)
    language: str | None = param(None, "Language of both words, for pairs of one language.", check=check_language)


class _PairVectors(NamedTuple):
    """The vectors of both words of every pair, with the lambda, and which pairs systems are compared on if not all."""

    weight: float | None
    first: TextVectors
    second: TextVectors
    compared: np.ndarray | None = None

    @property
    def covered(self) -> np.ndarray:
        """Which pairs have both vectors. Shape [n], bool."""
        both: np.ndarray = self.first.covered & self.second.covered
        return both


def check_eval_xlsim(inputs: Mapping[str, Any], params: EvalXlsimParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    vectors, encoder = bool(inputs.get("vectors")), bool(inputs.get("encoder"))
    table = [
        (not vectors and not encoder, "eval xlsim has nothing to score.", "Give --encoder, or --vectors, or both."),
        (
            params.missing is not None and not vectors,
            "--missing means nothing without --vectors.",
            "An encoder has a vector for every word.",
        ),
        (
            params.missing == "encoder" and vectors and not encoder,
            "--missing encoder needs --encoder.",
            "Add it, or choose average, drop or back-off.",
        ),
        (
            params.side != "both" and not vectors,
            "--side means nothing without --vectors.",
            "It chooses a language of a shared space.",
        ),
        (
            params.language is not None and (params.source_language or params.target_language) is not None,
            "--language stands for --source-language and --target-language alike.",
            "Give --language for pairs of one language, the others for pairs of two.",
        ),
    ]
    faults = [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]
    return faults + check_blend(inputs, params.lambda_, static=vectors)


def eval_xlsim(inputs: dict[str, Any], params: EvalXlsimParams, job: Job) -> Outcome:
    """Score one system, or one for every lambda."""
    params = replace(
        params,
        source_language=params.language or params.source_language,
        target_language=params.language or params.target_language,
        missing=params.missing or ("drop" if inputs.get("encoder") is None else "encoder"),
    )
    pairs = _read(inputs["pairs"], params)
    pairs = pairs.folded(folding_of(params), params.source_language, params.target_language)
    facts: dict[str, Any] = {"format": pairs.form, "similarity": "cosine", "system": "encoder"}
    if inputs.get("vectors") is not None:
        facts["system"] = "static vectors" if inputs.get("encoder") is None else "blend"
        facts |= {"side": params.side, "missing": params.missing}
    train = None if inputs.get("train_dictionary") is None else read_dictionary(inputs["train_dictionary"], params, job)
    made = [inputs.get(name) for name in ("vectors", "encoder")]
    words = list(zip(pairs.first, pairs.second, strict=True))
    seen = seen_pairs(made, words, inputs["pairs"], taught=[inputs.get("train_dictionary")])
    tell_seen_pairs(seen, len(set(words)), job)
    facts |= seen.facts
    with writing_evaluation(job.out, "xlsim") as writer:
        results = [
            _score(system, pairs, params, facts | _counts(system, pairs), writer, job)
            for system in _systems(inputs, pairs, train, params, job)
        ]
        head = results[0][0]
        wider = [
            each
            for own in (results if len(results) > 1 else ())
            for each in own[1:]
            if each.labels.get("counted") == "covered"
        ]
        more = "More pairs: with words that the encoder alone represents"
        return swept(
            writer,
            results,
            job,
            test=inputs["pairs"],
            level=params.level,
            note=f"{_note(head)}{seen.note}",
            sweep_note=f"{_SWEEP}{seen.note}",
            more=[sweep_table(wider, name=name_of_test(inputs["pairs"]), title=more, level=params.level, note=_WIDER)]
            if wider
            else [],
        )


_SWEEP = "The pairs are the same for every lambda, from 0 (the static vectors alone) to 1 (the encoder alone)."
_WIDER = "Do not compare it with the table above, nor with a lambda that is not in it."


# ---------------------------------------------------------------- pairs


def _read(path: Path, params: EvalXlsimParams) -> ScoredPairs:
    """Read pairs; two languages of one file are crossed as `cross-pairs` does it."""
    found, source, target = find_multi_simlex(path), params.source_language, params.target_language
    if found is None:
        return read_scored_pairs(path)
    if found.column(source) == found.column(target):
        return read_scored_pairs(path, source)
    first, second = (read_scored_pairs(path, language) for language in (source, target))
    scale = known_scale(first, second, path, None)
    crossed = cross(first, second, scale=scale, names=(str(path), str(path)))
    left, right = ([pair[side] for pair in crossed.pairs] for side in (0, 1))
    return ScoredPairs(left, right, crossed.scores, f"{first.form}, crossed", scale, crossed.keys)


# ---------------------------------------------------------------- what is scored


def _systems(
    inputs: dict[str, Any], pairs: ScoredPairs, train: Pairs | None, params: EvalXlsimParams, job: Job
) -> Iterator[_PairVectors]:
    """Yield the systems one after the other."""
    path, encoded = inputs.get("vectors"), None
    if inputs.get("encoder") is not None:
        encoder = open_encoder(inputs["encoder"], params.pooling, job)
        encoded = [TextVectors.encoded(own, encode_words(encoder, own, job)) for own in (pairs.first, pairs.second)]
    if path is None:
        if encoded is not None:
            yield _PairVectors(None, encoded[0], encoded[1])
        return
    languages = open_words(path, params, job, limit=params.limit)
    if params.side != "both" and not languages.shared:
        message = f"--side {params.side} means nothing: {path} holds one language."
        raise DataError(message, hint="Leave --side out, or give a space.")
    sides, average = languages if params.side == "both" else languages.only(params.side), params.missing == "average"
    first, second = (
        table.look_up(own, average=average)
        for table, own in ((sides.source, pairs.first), (sides.target, pairs.second))
    )
    static = _PairVectors(None, first, second)
    encoder_alone = encoded is not None and params.missing in ("encoder", "average")
    covered = int(static.covered.sum())
    if covered < len(pairs):
        advice = _side_advice(languages, covered, pairs, params)
        _tell_coverage(covered, sides, pairs, advice, params, job, encoder_alone=encoder_alone)
    if encoded is None or train is None:
        yield static
        return
    if not languages.shared:
        raise DataError(
            f"{path} holds one language; blending needs a shared space of two.",
            hint="Make one with lexenc map, or leave --encoder out.",
        )
    projection = projection_between(languages, encoder, train, job, folding=folding_of(params))
    weights = params.lambda_ or PAPER_WEIGHTS
    warn_of_second_blend(path, weights, job)
    firsts, seconds = (
        blended_texts(own, other, projection, weights, encoder_alone=encoder_alone)
        for own, other in zip((first, second), encoded, strict=True)
    )
    compared = static.covered if len(weights) > 1 else None
    for (weight, left), (_, right) in zip(firsts, seconds, strict=True):
        yield _PairVectors(weight, left, right, compared)


def _tell_coverage(
    covered: int,
    sides: WordTables,
    pairs: ScoredPairs,
    advice: str | None,
    params: EvalXlsimParams,
    job: Job,
    *,
    encoder_alone: bool,
) -> None:
    """Warn if few pairs have static vectors or a wrong option explains why; raise if none has and nothing stands in."""
    total, words = len(pairs), Pairs(pairs.first, pairs.second, [])
    languages = (params.source_language, params.target_language)
    known = sides.source.index, sides.target.index
    advice = advice or coverage_advice(words, *known, folding=folding_of(params), languages=languages)
    if not covered and not encoder_alone:
        raise uncovered("test pair", total, words, advice)
    if 2 * covered < total or advice:
        fate = "The others are left out of the headline" if params.missing != "back-off" else "All count"
        rest = "The encoder alone represents the other words." if encoder_alone else f"{fate}; see coverage."
        job.notices.warn(low_coverage("test pair", covered, total), advice or rest)


def _side_advice(languages: WordTables, covered: int, pairs: ScoredPairs, params: EvalXlsimParams) -> str | None:
    """Return advice if pairs of one language were looked up in two languages, or in the wrong one."""
    for side in ("source", "target") if languages.shared else ():
        index = getattr(languages, side).index
        count = sum(first in index and second in index for first, second in zip(pairs.first, pairs.second, strict=True))
        if side != params.side and clearly_more(count, covered, len(pairs)):
            return (
                f"Are these pairs of one language? With --side {side} {count:,} of {counted(len(pairs), 'pair')} would "
                "have vectors."
            )
    return None


# ---------------------------------------------------------------- scoring


def _score(
    system: _PairVectors,
    pairs: ScoredPairs,
    params: EvalXlsimParams,
    facts: dict[str, Any],
    writer: EvaluationWriter,
    job: Job,
) -> list[ScoredSystem]:
    """Score a system: covered pairs, all pairs, and the control; the first is the headline.

    Systems of a sweep are scored on the pairs that all of them cover first, and then on all that they cover.
    """
    covered = system.covered
    columns = np.stack([cosines(system.first.matrix, system.second.matrix), np.array(pairs.scores)])
    labels = {} if system.weight is None else {"lambda": system.weight}
    facts |= {"coverage": float(covered.mean()), "draws": params.draws, "level": params.level}
    writer.write(_items(system, pairs, columns[0]), labels)

    def made(scores: Iterable[Score], policy: str, more: Mapping[str, Any], **known: Any) -> ScoredSystem:
        convention = Convention(out_of_vocabulary=policy, ties="average rank", seed=job.seed)
        return ScoredSystem("xlsim", tuple(scores), convention, {**labels, **more}, facts | known, counted="pairs")

    def scored(own: np.ndarray, policy: str, counted_pairs: str) -> ScoredSystem:
        drawn = generator(job.seed, "bootstrap")
        (scores,) = MEASURE.scores([own], generator=drawn, draws=params.draws, level=params.level)
        share = own.shape[1] / len(pairs) if policy == "left out" else facts["coverage"]
        return made(scores, policy, {"counted": counted_pairs}, coverage=share, undefined=undefined(own))

    first = covered if system.compared is None else covered & system.compared
    filled = np.stack([np.where(covered, columns[0], params.back_off), columns[1]])
    found = [
        scored(columns[:, first], "left out", "covered" if system.compared is None else "static"),
        scored(filled, f"similarity {params.back_off:g}", "all"),
    ]
    if params.missing == "back-off":
        found.reverse()
    if (covered & ~first).any():
        found.insert(1, scored(columns[:, covered], "left out", "covered"))
    chance = shuffled_spearman(columns[:, first], generator=generator(job.seed, "shuffled scores"), level=params.level)
    return [*found, made([chance], "left out", {CONTROL: "shuffled scores"}, shuffles=SHUFFLES)]


def _items(system: _PairVectors, pairs: ScoredPairs, found: np.ndarray) -> Iterator[Item]:
    origins = zip(system.first.origins, system.second.origins, strict=True)
    rows = zip(pairs.first, pairs.second, pairs.scores, found.tolist(), system.covered, origins, strict=True)
    for first, second, score, cosine, covered, (left, right) in rows:
        value = cosine if covered else None
        answer = {"score": value, "first_from": str(left), "second_from": str(right)}
        yield Item((first, second), (), bool(covered), (answer,), {"gold": score, "cosine": value})


def _counts(system: _PairVectors, pairs: ScoredPairs) -> dict[str, Any]:
    words = count_origins(system.first, system.second)
    origins = {
        "static": Origin.STATIC,
        "with_underscores": Origin.UNDERSCORES,
        "averaged": Origin.AVERAGE,
        "encoder_alone": Origin.ENCODER,
        "missing": Origin.MISSING,
        "zero": Origin.ZERO,
    }
    return {"test_pairs": len(pairs), "repeated_pairs": pairs.repeated} | {
        f"words_{name}": words[origin] for name, origin in origins.items()
    }


def _note(head: ScoredSystem) -> str:
    facts = head.facts
    side = f", side {facts['side']}, words without a static vector: {facts['missing']}" if "side" in facts else ""
    parts = [
        f"Cosine, {facts['format']}{side}, {counted(facts['test_pairs'], 'pair')}, {facts['draws']:,} draws. A pair "
        "with a word without a vector is left out, or gets the similarity named. The interval of the control is the "
        "spread over random orders of the scores."
    ]
    if facts["words_encoder_alone"] and head.labels.get("lambda", 1) < 1:
        parts.append(f"{counted(facts['words_encoder_alone'], 'word')} encoded without a static vector.")
    if facts["words_averaged"]:
        parts.append(f"{counted(facts['words_averaged'], 'phrase')} represented by the mean of their parts.")
    if facts["words_with_underscores"]:
        parts.append(f"{counted(facts['words_with_underscores'], 'phrase')} found with underscores.")
    if facts["undefined"]:
        parts.append(f"No correlation: {facts['undefined']}.")
    return " ".join(parts)


EVAL_XLSIM = Stage(
    name="eval xlsim",
    version=4,
    inputs={
        "pairs": Input(
            "Scored pairs: SimLex, WordSim-353, Multi-SimLex, a result of cross-pairs, or word, TAB, word, TAB, score."
        ),
        "vectors": Input("Shared space (a folder of map or interpolate), or vectors of one language.", required=False),
        "encoder": Input("Encoder, alone or blended with the vectors.", kind="encoder", required=False),
        "train_dictionary": Input("Dictionary for blending vectors with an encoder.", required=False),
    },
    params=EvalXlsimParams,
    run=eval_xlsim,
    makes=f"{SCORES}, and {ITEMS} with the similarity of every pair, for lexenc compare and results.",
    examples=(
        "lexenc eval xlsim --encoder mini --pairs simlex-german.txt --json",
        "lexenc eval xlsim --vectors runs/mapped --side target --pairs simlex-german.txt",
        "lexenc eval xlsim --vectors runs/mapped --encoder runs/encoder --train-dictionary train.tsv "
        "--pairs runs/pairs --lambda 0,0.5,1",
        "lexenc eval xlsim --encoder mini --pairs multi-simlex.tsv --source-language en --target-language fi",
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_eval_xlsim,
)
