"""eval xlsim: word similarity within a language or across two, against what people say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import ConfigError, DataError
from lexenc.files.text import check_language, counted
from lexenc.lexical.text_vectors import Origin, TextVectors, WordTables, blended_texts, count_origins
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.bli import PAPER_WEIGHTS
from lexenc.stages.evaluation.similarity_tables import convention_table, sweep_table
from lexenc.stages.lexical.shared import open_words, projection_between, repeated_weight, warn_of_second_blend
from lexenc.stages.reading import (
    POOLING,
    PoolingChoice,
    clearly_more,
    coverage_advice,
    encode_words,
    low_coverage,
    lowercase_param,
    open_encoder,
    read_dictionary,
    uncovered,
)

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder
    from lexenc.evaluation.similarity import Agreement, Correlation
    from lexenc.files.dictionaries import Pairs
    from lexenc.files.similarity import ScoredPairs

_LANGUAGE = (
    "Language code (BCP-47) of the {side} words: chooses them in a file of many languages; for --lowercase 'tr' gives "
    "I its dotless small form."
)


@dataclass(frozen=True)
class EvalXlsimParams:
    """Parameters of `eval xlsim`."""

    side: Literal["both", "source", "target"] = param(
        "both",
        "Where the words are in a shared space. both: left words in source, right words in target; source, target: "
        "pairs of one language.",
    )
    missing: Literal["encoder", "average", "drop", "back-off"] | None = param(
        None,
        "Words without a static vector. encoder: the encoder alone; average: the mean of a phrase's parts; drop: pairs "
        "with one are left out of the headline; back-off: they count in it, with the similarity of --back-off. If left "
        "out encoder in a blend, else drop. With several --lambda the headline has only the pairs with static vectors, "
        "the same for all; the others count in a row beside it.",
    )
    back_off: float = param(0.0, "Similarity of pairs with a missing word, where all pairs count.", ge=-1, le=1)
    lambda_: tuple[float, ...] = param(
        (),
        "With --encoder and --vectors: weights of the encoder to compare; "
        f"if left out {', '.join(f'{weight:g}' for weight in PAPER_WEIGHTS)}.",
        ge=0,
        le=1,
    )
    pooling: PoolingChoice = param("auto", POOLING)
    limit: int | None = param(None, "Use the first words of each vocabulary only; they are the most frequent.", ge=1)
    lowercase: bool = lowercase_param()
    source_language: str | None = param(None, _LANGUAGE.format(side="left"), check=check_language)
    target_language: str | None = param(None, _LANGUAGE.format(side="right"), check=check_language)
    language: str | None = param(None, "The same for both words: pairs of one language.", check=check_language)
    draws: int = param(10_000, "Bootstrap resamplings of the pairs.", ge=100)
    level: float = param(0.95, "Share of draws inside the intervals.", gt=0, le=0.999)

    @property
    def languages(self) -> tuple[str | None, str | None]:
        """Languages of the left and the right words."""
        return self.language or self.source_language, self.language or self.target_language


@dataclass(frozen=True)
class _Case:
    """The case policy with the languages of both words, however they were given."""

    lowercase: bool
    source_language: str | None
    target_language: str | None


@dataclass(frozen=True)
class _System:
    """Something to score.

    Args:
        label: For file names; empty for a single system.
        weight: Lambda, where there is one.
        first: Left words.
        second: Right words.
        compared: Which pairs are scored so that systems can be compared, those with static vectors; None for all that
            have both vectors. Shape [n], bool.
    """

    label: str
    weight: float | None
    first: TextVectors
    second: TextVectors
    compared: np.ndarray | None = None

    @cached_property
    def covered(self) -> np.ndarray:
        """Which pairs have both vectors. Shape [n], bool."""
        both: np.ndarray = self.first.covered & self.second.covered
        return both


def check_eval_xlsim(inputs: Mapping[str, Any], params: EvalXlsimParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    vectors, encoder = bool(inputs.get("vectors")), bool(inputs.get("encoder"))
    repeated = repeated_weight(params.lambda_)
    table = [
        (not vectors and not encoder, "eval xlsim has nothing to score.", "Give --encoder, or --vectors, or both."),
        (
            vectors and encoder and not inputs.get("train_dictionary"),
            "Blending vectors with an encoder needs --train-dictionary.",
            "It is the dictionary from which the projection between the two is learnt.",
        ),
        (
            bool(params.lambda_) and not (vectors and encoder),
            "--lambda needs --vectors and --encoder.",
            "Add what is missing, or leave --lambda out.",
        ),
        (repeated is not None, f"--lambda has {repeated} more than once.", "Give every weight once."),
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
    return [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]


def eval_xlsim(inputs: dict[str, Any], params: EvalXlsimParams, job: Job) -> Outcome:
    """Score one system, or one for every lambda."""
    pairs = _read(inputs["pairs"], params)
    case = _Case(params.lowercase, *params.languages)
    if params.lowercase:
        pairs = pairs.folded(*params.languages)
    train = None if inputs.get("train_dictionary") is None else read_dictionary(inputs["train_dictionary"], case)
    leaks = None if train is None else _leaks(pairs, train, job)
    results: list[list[dict[str, Any]]] = []
    asked = _Asked(params, inputs.get("encoder"), inputs.get("vectors"))
    for system in _systems(asked, pairs, train, job):
        shared = _shared_keys(system, pairs, asked, job)
        if leaks is not None:
            shared["pairs_in_train_dictionary"] = leaks
        results.append(_score(system, pairs, shared, params, job))
    headline = results[0][0]
    if headline["undefined"]:
        job.notices.warn(f"There is no correlation: {headline['undefined']}.", None)
    flat = [own[0] for own in results] + [each for own in results for each in own[1:]]
    tables = [sweep_table(results, inputs["pairs"])] if len(results) > 1 else []
    tables.append(convention_table(results[0], sweep=len(results) > 1))
    return Outcome(_summary(results), flat, tables)


def _summary(results: list[list[dict[str, Any]]]) -> dict[str, Any]:
    headline = results[0][0]
    summary = {key: headline[key] for key in ("pairs", "coverage", "spearman")}
    found = [own[0]["spearman"] for own in results if own[0]["spearman"] is not None]
    if len(results) > 1 and found:
        summary["best_spearman"] = max(found)
    return summary


# ---------------------------------------------------------------- pairs


def _read(path: Path, params: EvalXlsimParams) -> ScoredPairs:
    """Read pairs; two languages of one file are crossed as `cross-pairs` does it."""
    from lexenc.files.multi_simlex import find_multi_simlex, read_scored_pairs
    from lexenc.files.similarity import ScoredPairs
    from lexenc.lexical.similarity_pairs import MAX_DIFFERENCE
    from lexenc.stages.evaluation.similarity_sets import cross, known_scale

    found, (source, target) = find_multi_simlex(path), params.languages
    if found is None:
        return read_scored_pairs(path)
    if found.column(source) == found.column(target):
        return read_scored_pairs(path, source)
    first, second = (read_scored_pairs(path, language) for language in (source, target))
    scale = known_scale(first, second, path, None)
    crossed, keys = cross(first, second, scale=scale, max_difference=MAX_DIFFERENCE, names=(str(path), str(path)))
    left, right = ([pair[side] for pair in crossed.pairs] for side in (0, 1))
    return ScoredPairs(
        left, right, crossed.scores, f"{first.form}, crossed", scale, [keys[row] for row in crossed.rows]
    )


def _leaks(pairs: ScoredPairs, train: Pairs, job: Job) -> int:
    """Count distinct test pairs that are pairs of the training dictionary, list them, and warn."""
    from lexenc.files.dictionaries import write_pairs
    from lexenc.lexical.audit import find_leaks

    found = find_leaks(list(train), list(zip(pairs.first, pairs.second, strict=True))).pairs
    if found:
        listed = "With --out they are listed in leaks.tsv of the result."
        if job.kept:
            write_pairs(job.out / "leaks.tsv", found)
            listed = "They are listed in leaks.tsv of the result; lexenc audit --test leaks.tsv takes them out."
        are = "is a translation pair" if len(found) == 1 else "are translation pairs"
        job.notices.warn(f"{counted(len(found), 'test pair')} {are} of the training dictionary.", listed)
    return len(found)


# ---------------------------------------------------------------- what is scored


@dataclass(frozen=True)
class _Asked:
    """What to score, on what.

    Args:
        params: The settings.
        encoder: The encoder, if one was given.
        vectors: Where static vectors are, if they were given.
    """

    params: EvalXlsimParams
    encoder: Path | None
    vectors: Path | None

    @property
    def system(self) -> str:
        """What the vectors are."""
        if self.vectors is None:
            return "encoder"
        return "static vectors" if self.encoder is None else "blend"

    @property
    def missing(self) -> str:
        """What becomes of words without a static vector."""
        return self.params.missing or ("drop" if self.encoder is None else "encoder")

    @property
    def encoder_alone(self) -> bool:
        """Whether the encoder alone stands for a word without a static vector."""
        return self.encoder is not None and self.missing in ("encoder", "average")


def _systems(asked: _Asked, pairs: ScoredPairs, train: Pairs | None, job: Job) -> Iterator[_System]:
    """Give the systems one after the other."""
    encoder = None if asked.encoder is None else open_encoder(asked.encoder, asked.params.pooling, job)
    if asked.vectors is None:
        if encoder is not None:
            yield _System("", None, *_encoded(pairs, encoder, job))
        return
    params = asked.params
    case = _Case(params.lowercase, *params.languages)
    languages = open_words(asked.vectors, case, job, limit=params.limit)
    sides = _chosen(languages, asked.vectors, params)
    average = params.missing == "average"
    static = _System(
        "",
        None,
        sides.source.look_up(pairs.first, average=average),
        sides.target.look_up(pairs.second, average=average),
    )
    _check_coverage(static, languages, pairs, asked, job)
    if encoder is None or train is None:
        yield static
        return
    if not languages.shared:
        raise DataError(
            f"{asked.vectors} holds one language; blending needs a shared space of two.",
            hint="Make one with lexenc map, or leave --encoder out.",
        )
    projection = projection_between(languages, encoder, train, job, lowercase=params.lowercase)
    weights = params.lambda_ or PAPER_WEIGHTS
    warn_of_second_blend(asked.vectors, weights, job)
    encoded = _encoded(pairs, encoder, job)
    left, right = (
        blended_texts(own, other, projection, weights, encoder_alone=asked.encoder_alone)
        for own, other in zip((static.first, static.second), encoded, strict=True)
    )
    compared = static.covered if len(weights) > 1 else None
    for (weight, first), (_, second) in zip(left, right, strict=True):
        yield _System(f"-{weight:g}", weight, first, second, compared)


def _encoded(pairs: ScoredPairs, encoder: Encoder, job: Job) -> tuple[TextVectors, TextVectors]:
    first, second = (TextVectors.encoded(own, encode_words(encoder, own, job)) for own in (pairs.first, pairs.second))
    return first, second


def _chosen(languages: WordTables, path: Path, params: EvalXlsimParams) -> WordTables:
    if params.side == "both":
        return languages
    if not languages.shared:
        raise DataError(
            f"--side {params.side} means nothing: {path} holds one language.", hint="Leave --side out, or give a space."
        )
    return languages.only(params.side)


def _check_coverage(static: _System, languages: WordTables, pairs: ScoredPairs, asked: _Asked, job: Job) -> None:
    """Warn where less than half of the pairs have static vectors, or a slip explains why some have none.

    Raises:
        DataError: If no pair has, and no encoder stands in.
    """
    from lexenc.files.dictionaries import Pairs

    covered, total, params = int(static.covered.sum()), len(pairs), asked.params
    if covered == total:
        return
    words = Pairs(pairs.first, pairs.second, [])
    sides = languages if params.side == "both" else languages.only(params.side)
    advice = _side_advice(languages, covered, pairs, params) or coverage_advice(
        words, sides.source.index, sides.target.index, lowercase=params.lowercase, languages=params.languages
    )
    if not covered and not asked.encoder_alone:
        raise uncovered("test pair", total, words, advice)
    if 2 * covered < total or advice:
        fate = "The others are left out of the headline" if params.missing != "back-off" else "All count"
        rest = "The encoder alone stands for the other words." if asked.encoder_alone else f"{fate}; see coverage."
        job.notices.warn(_static_coverage(covered, total), advice or rest)


def _static_coverage(covered: int, total: int) -> str:
    sentence = low_coverage("test pair", covered, total)
    return sentence if 2 * covered < total else sentence.removeprefix("Only ")


def _side_advice(languages: WordTables, covered: int, pairs: ScoredPairs, params: EvalXlsimParams) -> str | None:
    """Look whether pairs of one language were looked up in two, or those of the one language in the other."""
    if not languages.shared:
        return None
    for side in ("source", "target"):
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
    system: _System, pairs: ScoredPairs, shared: dict[str, Any], params: EvalXlsimParams, job: Job
) -> list[dict[str, Any]]:
    """Score a system: covered pairs, all pairs, and the control; the first object is the headline.

    Systems of a sweep are scored on the pairs that all of them cover first, and then on all that they cover.
    """
    import numpy as np

    from lexenc.evaluation.similarity import agreement, cosines, shuffled_spearman
    from lexenc.randomness import generator

    found, gold, covered = cosines(system.first.matrix, system.second.matrix), np.array(pairs.scores), system.covered
    _write(system, pairs, found, job)

    def scored(values: np.ndarray, scores: np.ndarray) -> Agreement:
        drawn = generator(job.seed, "bootstrap")
        return agreement(values, scores, generator=drawn, draws=params.draws, level=params.level)

    first = covered if system.compared is None else covered & system.compared
    inside = scored(found[first], gold[first])
    whole = inside if first.all() else scored(np.where(covered, found, params.back_off), gold)
    objects = [
        _object(shared, inside, int(first.sum()), "left out", "covered" if system.compared is None else "static"),
        _object(shared, whole, len(gold), f"similarity {params.back_off:g}", "all"),
    ]
    chance = shuffled_spearman(
        found[first], gold[first], generator=generator(job.seed, "shuffled scores"), level=params.level
    )
    if params.missing == "back-off":
        objects.reverse()
    if (covered & ~first).any():
        more = scored(found[covered], gold[covered])
        objects.insert(1, _object(shared, more, int(covered.sum()), "left out", "covered"))
    return [*objects, _control(shared, chance, int(first.sum()))]


def _object(shared: dict[str, Any], found: Agreement, count: int, policy: str, counted_pairs: str) -> dict[str, Any]:
    return {
        **shared,
        "counted": counted_pairs,
        "coverage": count / shared["test_pairs"] if policy == "left out" else shared["coverage"],
        "out_of_vocabulary": policy,
        "pairs": count,
        "spearman": found.spearman.value,
        "spearman_low": found.spearman.low,
        "spearman_high": found.spearman.high,
        "pearson": found.pearson.value,
        "pearson_low": found.pearson.low,
        "pearson_high": found.pearson.high,
        "undefined": found.undefined,
    }


def _control(shared: dict[str, Any], found: Correlation, count: int) -> dict[str, Any]:
    """Give the object of the control; `low` and `high` are the spread over shuffles, no interval of a mean."""
    from lexenc.evaluation.similarity import SHUFFLES

    return {
        **shared,
        "control": "shuffled scores",
        "out_of_vocabulary": "left out",
        "pairs": count,
        "shuffles": SHUFFLES,
        "spearman": found.value,
        "spearman_low": found.low,
        "spearman_high": found.high,
    }


def _shared_keys(system: _System, pairs: ScoredPairs, asked: _Asked, job: Job) -> dict[str, Any]:
    keys: dict[str, Any] = {"task": "xlsim", "format": pairs.form, "similarity": "cosine", "system": asked.system}
    if asked.vectors is not None:
        keys |= {"side": asked.params.side, "missing": asked.missing}
    if system.weight is not None:
        keys["lambda"] = system.weight
    words = count_origins(system.first, system.second)
    return keys | {
        "test_pairs": len(pairs),
        "repeated_pairs": pairs.repeated,
        "coverage": float(system.covered.mean()),
        "words_static": words[Origin.STATIC],
        "words_with_underscores": words[Origin.UNDERSCORES],
        "words_averaged": words[Origin.AVERAGE],
        "words_encoder_alone": words[Origin.ENCODER],
        "words_missing": words[Origin.MISSING],
        "words_zero": words[Origin.ZERO],
        "ties": "average rank",
        "draws": asked.params.draws,
        "level": asked.params.level,
        "seed": job.seed,
    }


def _write(system: _System, pairs: ScoredPairs, found: np.ndarray, job: Job) -> None:
    from lexenc.files.similarities import Similarity, write_similarities

    rows = (
        Similarity(first, second, score, float(cosine) if covered else None, (str(left), str(right)))
        for first, second, score, cosine, covered, left, right in zip(
            pairs.first,
            pairs.second,
            pairs.scores,
            found,
            system.covered,
            system.first.origins,
            system.second.origins,
            strict=True,
        )
    )
    write_similarities(job.out / f"similarities{system.label}.tsv", rows)


EVAL_XLSIM = Stage(
    name="eval xlsim",
    version=2,
    inputs={
        "pairs": Input(
            "Scored pairs: SimLex, WordSim-353, Multi-SimLex, a result of cross-pairs, or word, TAB, word, TAB, score."
        ),
        "vectors": Input("Shared space (a folder of map or interpolate), or vectors of one language.", required=False),
        "encoder": Input("Encoder, alone or blended with the vectors.", kind="encoder", required=False),
        "train_dictionary": Input(
            "Dictionary for blending vectors with an encoder; test pairs in it are counted.", required=False
        ),
    },
    params=EvalXlsimParams,
    run=eval_xlsim,
    makes="similarities.tsv (similarities-LAMBDA.tsv in a sweep) for lexenc compare, and scores in manifest.json.",
    examples=(
        ("lexenc eval xlsim --encoder mini --pairs simlex-german.txt --json", ""),
        ("lexenc eval xlsim --vectors runs/mapped --side target --pairs simlex-german.txt", ""),
        (
            "lexenc eval xlsim --vectors runs/mapped --encoder runs/encoder --train-dictionary train.tsv "
            "--pairs runs/pairs --lambda 0,0.5,1",
            "",
        ),
        (
            "lexenc eval xlsim --encoder mini --pairs multi-simlex.tsv --source-language en --target-language fi",
            "",
        ),
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_eval_xlsim,
)
