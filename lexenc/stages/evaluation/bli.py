"""eval bli: word translation scored under every convention of the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import ConfigError, DataError
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.search import RETRIEVAL
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.bli_tables import convention_table, sweep_table
from lexenc.stages.lexical.shared import encode_to_file, learn_projection, repeated_weight, warn_of_second_blend
from lexenc.stages.reading import (
    POOLING,
    PoolingChoice,
    coverage_advice,
    encode_words,
    fold_vectors,
    language_param,
    low_coverage,
    lowercase_param,
    open_encoder,
    read_dictionary,
    tell_findings,
    uncovered,
)

if TYPE_CHECKING:
    import numpy as np

    from lexenc.evaluation.bli import Questions
    from lexenc.files.dictionaries import Pairs
    from lexenc.files.spaces import Space
    from lexenc.search.neighbours import Neighbours

_TIES = "lower index first"
PAPER_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)  # the columns of Table 8


@dataclass(frozen=True)
class EvalBliParams:
    """Parameters of `eval bli`."""

    retrieval: str = param("nearest", "How answers are ranked.", choices=RETRIEVAL)
    csls_neighbours: int = param(10, "Neighbours that CSLS averages over.", ge=1)
    inverse_temperature: float = param(1.0, "Factor on the cosine in the inverted softmax (VecMap 1, MUSE 30).", gt=0)
    direction: Literal["source-target", "target-source"] = param("source-target", "Which language asks.")
    candidates: Literal["vocabulary", "test"] = param(
        "vocabulary",
        "vocabulary: the whole target vocabulary; test: the test targets only, far easier and labelled so.",
    )
    lambda_: tuple[float, ...] = param(
        (),
        "With --encoder and --vectors: weights of the encoder to compare; "
        f"if left out {', '.join(f'{weight:g}' for weight in PAPER_WEIGHTS)}.",
        ge=0,
        le=1,
    )
    top: int = param(10, "Answers kept in the predictions.", ge=1)
    pooling: PoolingChoice = param("auto", POOLING)
    limit: int | None = param(None, "Use the first words of each vocabulary only; they are the most frequent.", ge=1)
    lowercase: bool = lowercase_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    fail_under: float = param(
        0.0, "Exit with 1 where the headline's precision at 1 (of the first lambda) is below this.", ge=0, le=1
    )


@dataclass(frozen=True)
class _System:
    """Something to score: two languages with vectors.

    Args:
        label: For tables and file names; empty for a single system.
        weight: Lambda, where there is one.
        source_words: Words of the side that asks.
        target_words: Words of the side that answers.
        source: Their vectors. Shape [n, d].
        target: Theirs. Shape [m, d].
    """

    label: str
    weight: float | None
    source_words: list[str]
    target_words: list[str]
    source: np.ndarray
    target: np.ndarray


def check_eval_bli(inputs: Mapping[str, Any], params: EvalBliParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    given = {name for name, value in inputs.items() if value}
    static = "vectors" in given or {"source", "target"} <= given
    faults = []
    if static and "encoder" in given and "train_dictionary" not in given:
        hint = "It is the dictionary from which the projection between the two is learnt."
        faults.append(ConfigError("Blending vectors with an encoder needs --train-dictionary.", hint=hint))
    if params.lambda_ and not (static and "encoder" in given):
        faults.append(
            ConfigError("--lambda needs --vectors and --encoder.", hint="Add --encoder, or leave --lambda out.")
        )
    repeated = repeated_weight(params.lambda_)
    if repeated is not None:
        faults.append(ConfigError(f"--lambda has {repeated} more than once.", hint="Give every weight once."))
    if not static and not {"encoder", "source_vocabulary", "target_vocabulary"} <= given:
        hint = (
            "Give --vectors, or --source and --target, or --encoder with --source-vocabulary and --target-vocabulary."
        )
        faults.append(ConfigError("eval bli has nothing to score.", hint=hint))
    return faults


def eval_bli(inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Outcome:
    """Score one system, or one for every lambda."""
    from lexenc.evaluation.bli import ask
    from lexenc.files.vectors import index_of

    results: list[list[dict[str, Any]]] = []
    translations = read_dictionary(inputs["dictionary"], params)
    learnt = _learnt_from(inputs, translations, job)
    if params.direction == "target-source":
        translations = translations.swapped()
    gold = translations.translations()
    for whole in _systems(inputs, params, job):
        system = _restricted(whole, gold) if params.candidates == "test" else whole
        questions = ask(gold, index_of(system.source_words), index_of(system.target_words))
        if not results:
            _check_coverage(whole, questions, translations, params, job)
        results.append(_score_system(system, questions, learnt, params, job))
    headline = results[0][0]
    flat = [own[0] for own in results] + [each for own in results for each in own[1:]]
    tables = [sweep_table(results, inputs["dictionary"])] if len(results) > 1 else []
    tables += [convention_table(results[0], sweep=len(results) > 1)]
    summary = {"queries": headline["queries"], "precision_at_1": headline["precision_at_1"]}
    if len(results) > 1:
        summary["best_precision_at_1"] = max(own[0]["precision_at_1"] for own in results)
    answer = headline["precision_at_1"] >= params.fail_under
    if not answer:
        _tell_failure([own[0] for own in results], params, job)
    return Outcome(summary, flat, tables, answer=answer)


def _tell_failure(heads: list[dict[str, Any]], params: EvalBliParams, job: Job) -> None:
    """Say what was too low, and in a sweep whether another lambda would have passed."""
    headline, best = heads[0], max(heads, key=lambda head: head["precision_at_1"])
    where = f" at lambda {headline['lambda']:g}" if len(heads) > 1 else ""
    hint = "The exit code is 1."
    if best["precision_at_1"] >= params.fail_under:
        hint = (
            f"The exit code is 1. Lambda {best['lambda']:g} reaches {best['precision_at_1']:.4f}, "
            "but the first one of --lambda decides."
        )
    value = f"{headline['precision_at_1']:.4f}"
    job.notices.warn(f"Precision at 1{where} is {value}, below --fail-under {params.fail_under:g}.", hint)


def _learnt_from(inputs: dict[str, Any], pairs: Pairs, job: Job) -> int:
    """Count the distinct test pairs that what is scored was learnt from, as far as manifests tell, and warn."""
    from lexenc.stages.lineage import seen_pairs, tell_seen_pairs

    made = [inputs.get(name) for name in ("vectors", "source", "target", "encoder")]
    found = seen_pairs(made, list(pairs), inputs["dictionary"], taught=[inputs.get("train_dictionary")])
    tell_seen_pairs(found, len(set(pairs)), job)
    return len(found.pairs)


# ---------------------------------------------------------------- what is scored


def _systems(inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Iterator[_System]:
    """Give the systems one after the other, so that only one blend is in memory at a time."""
    if inputs.get("vectors") is None and inputs.get("source") is None:
        yield _directed(_encoded_space(inputs, params, job), params)
        return
    space = _static_space(inputs, params, job)
    if inputs.get("encoder") is None:
        yield _directed(space, params)
    else:
        yield from _blends(space, inputs, params, job)


def _static_space(inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Space:
    from lexenc.files.spaces import Space, load_space
    from lexenc.files.vectors import Vectors, read_two

    if inputs.get("vectors") is not None:
        space = load_space(inputs["vectors"])
    else:
        space = Space(*read_two(inputs["source"], inputs["target"], limit=params.limit, progress=job.progress))
        left, right = space.source.matrix.shape[1], space.target.matrix.shape[1]
        if left != right:
            raise DataError(
                f"Source vectors have {counted(left, 'column')}, target vectors {right}.",
                hint="Map them into one space first.",
            )
    for vectors in (space.source, space.target):
        tell_findings(vectors, job)
    if params.limit is not None:
        space = Space(
            *(
                Vectors(v.words[: params.limit], v.matrix[: params.limit], v.report)
                for v in (space.source, space.target)
            )
        )
    if params.lowercase:
        space = Space(
            fold_vectors(space.source, params.source_language), fold_vectors(space.target, params.target_language)
        )
    return space


def _encoded_space(inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Space:
    from lexenc.files.spaces import Space
    from lexenc.files.vectors import ReadReport, Vectors
    from lexenc.files.vocabularies import read_vocabulary

    encoder = open_encoder(inputs["encoder"], params.pooling, job)
    sides = []
    for side, language in (("source", params.source_language), ("target", params.target_language)):
        path = inputs[f"{side}_vocabulary"]
        words = read_vocabulary(path, limit=params.limit, lowercase=params.lowercase, language=language).words
        sides.append(Vectors(words, encode_words(encoder, words, job), ReadReport(str(path))))
    return Space(*sides)


def _directed(space: Space, params: EvalBliParams, label: str = "", weight: float | None = None) -> _System:
    first, second = space.source, space.target
    if params.direction == "target-source":
        first, second = second, first
    return _System(label, weight, first.words, second.words, first.matrix, second.matrix)


def _blends(space: Space, inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Iterator[_System]:
    """Blend the same encodings with every weight; nothing is encoded twice."""
    from lexenc.files.spaces import Space
    from lexenc.files.vectors import Vectors
    from lexenc.lexical.procrustes import blends, join_views

    encoder = open_encoder(inputs["encoder"], params.pooling, job)
    train = read_dictionary(inputs["train_dictionary"], params)
    paths = [job.out / f"{side}.npy" for side in ("source", "target")]
    encoded = [
        encode_to_file(encoder, side.words, path, job)
        for side, path in zip((space.source, space.target), paths, strict=True)
    ]
    projection = learn_projection(space, (encoded[0], encoded[1]), train, job, lowercase=params.lowercase)
    weights = params.lambda_ or PAPER_WEIGHTS
    if inputs.get("vectors") is not None:
        warn_of_second_blend(inputs["vectors"], weights, job)
    left, right = (
        blends(join_views(side.matrix, other, projection), weights)
        for side, other in zip((space.source, space.target), encoded, strict=True)
    )
    for (weight, source), (_, target) in zip(left, right, strict=True):
        sides = (
            Vectors(space.source.words, source, space.source.report),
            Vectors(space.target.words, target, space.target.report),
        )
        yield _directed(Space(*sides), params, f"-{weight:g}", weight)
    for path in paths:
        path.unlink()


# ---------------------------------------------------------------- scoring


def _check_coverage(system: _System, questions: Questions, pairs: Pairs, params: EvalBliParams, job: Job) -> None:
    """Warn where less than half of the questions can be asked.

    Raises:
        DataError: If none can.
    """
    covered, total = int(questions.covered.sum()), len(questions.words)
    if 2 * covered >= total:
        return
    languages = (params.source_language, params.target_language)
    swapped = params.direction == "target-source"
    advice = coverage_advice(
        pairs,
        system.source_words,
        system.target_words,
        lowercase=params.lowercase,
        languages=languages[::-1] if swapped else languages,
    )
    if not covered:
        raise uncovered("test word", total, pairs.swapped() if swapped else pairs, advice)
    hint = advice or "The others count as out of vocabulary: left out of the headline, wrong in 'all lines'."
    job.notices.warn(low_coverage("test word", covered, total), hint)


def _score_system(
    system: _System, questions: Questions, learnt: int, params: EvalBliParams, job: Job
) -> list[dict[str, Any]]:
    """Score a system; the first object is the headline, the others are other conventions and controls."""
    from lexenc.evaluation.bli import control_scores, conventions
    from lexenc.randomness import generator

    ranks, found = _search(system, questions, params, job)
    _write_predictions(system, questions, ranks, found, job)
    shared = _shared_keys(system, questions, params, job) | {"pairs_learnt_from": learnt}
    asks = params.direction.split("-")[0]
    objects = []
    for name, scores in conventions(questions, ranks).items():
        unit, policy = name.split(", ")
        own = scores.summary(generator(job.seed, f"bootstrap {name}"))
        objects.append(
            {**shared, "query_unit": unit.replace("source", asks), "out_of_vocabulary": _POLICIES[policy], **own}
        )
    controls = control_scores(questions, system.target_words)
    for name, value in controls.items():
        own = {"control": name, "query_unit": f"{asks} word", "out_of_vocabulary": _POLICIES["in vocabulary"]}
        objects.append({**shared, **own, "queries": objects[0]["queries"], "precision_at_1": value})
    return objects


_POLICIES = {"in vocabulary": "left out", "all lines": "counted wrong"}


def _shared_keys(system: _System, questions: Questions, params: EvalBliParams, job: Job) -> dict[str, Any]:
    keys: dict[str, Any] = {"task": "bli", "retrieval": params.retrieval, "direction": params.direction}
    if system.weight is not None:
        keys["lambda"] = system.weight
    answers = params.direction.split("-")[1]
    return keys | {
        "search_space": f"whole {answers} vocabulary" if params.candidates == "vocabulary" else f"test {answers}s only",
        "search_space_words": len(system.target_words),
        "gold": "any translation counts",
        "ties": _TIES,
        "seed": job.seed,
        "coverage": float(questions.covered.mean()),
    }


def _restricted(system: _System, gold: Mapping[str, list[str]]) -> _System:
    """Leave only test targets to choose from."""
    import numpy as np

    wanted = {word for own in gold.values() for word in own}
    rows = [row for row, word in enumerate(system.target_words) if word in wanted]
    words = [system.target_words[row] for row in rows]
    target = system.target[np.array(rows, dtype=np.int64)]
    return _System(system.label, system.weight, system.source_words, words, system.source, target)


def _search(
    system: _System, questions: Questions, params: EvalBliParams, job: Job
) -> tuple[list[np.ndarray], Neighbours]:
    """Give the rank of every gold answer, and the best answers of every covered question."""
    import numpy as np

    from lexenc.lexical.mapping import normalise
    from lexenc.search.retrieval import fit_correction, rank_of, retrieve

    sources, _ = normalise(system.source, ["unit"])
    targets, _ = normalise(system.target, ["unit"])
    covered = np.flatnonzero(questions.covered)
    queries = sources[questions.rows[covered]]
    device = job.device.name
    correction = fit_correction(
        targets,
        sources,
        criterion=params.retrieval,
        csls_neighbours=params.csls_neighbours,
        inverse_temperature=params.inverse_temperature,
        device=device,
        progress=job.progress,
    )
    golds = [questions.gold_rows[i] for i in covered]
    found = retrieve(queries, targets, correction=correction, k=params.top, device=device, progress=job.progress)
    ranks: list[np.ndarray] = [np.zeros(0, dtype=np.int64)] * len(questions.words)
    own = rank_of(queries, targets, golds, correction=correction, device=device)
    for number, place in enumerate(covered):
        ranks[place] = own[number]
    return ranks, found


def _write_predictions(
    system: _System, questions: Questions, ranks: list[np.ndarray], found: Neighbours, job: Job
) -> None:
    from lexenc.files.predictions import Prediction, write_predictions

    rows, place = [], 0
    for number, (word, golds, covered) in enumerate(
        zip(questions.words, questions.golds, questions.covered, strict=True)
    ):
        best = []
        if covered:
            pairs = zip(found.indices[place], found.scores[place], strict=True)
            best = [{"target": system.target_words[i], "score": round(float(s), 6)} for i, s in pairs if i >= 0]
            place += 1
        rows.append(Prediction(word, golds, bool(covered), [int(rank) for rank in ranks[number]], best))
    write_predictions(job.out / f"predictions{system.label}.jsonl", rows)


EVAL_BLI = Stage(
    name="eval bli",
    version=2,
    inputs={
        "dictionary": Input("Test dictionary: source, TAB, target; several lines for several translations."),
        "vectors": Input("Shared space: a folder of map or interpolate.", required=False),
        "source": Input("Source vectors in one space with --target, in place of --vectors.", required=False),
        "target": Input("Target vectors.", required=False),
        "encoder": Input("Encoder, alone or blended with the vectors.", kind="encoder", required=False),
        "train_dictionary": Input("Dictionary for blending vectors with an encoder.", required=False),
        "source_vocabulary": Input("Words that an encoder alone is asked; also the space of CSLS.", required=False),
        "target_vocabulary": Input("Words that it chooses from.", required=False),
    },
    params=EvalBliParams,
    run=eval_bli,
    makes="predictions.jsonl (predictions-LAMBDA.jsonl in a sweep) for lexenc compare, and scores in manifest.json.",
    examples=(
        ("lexenc eval bli --vectors runs/blended --dictionary test.tsv --retrieval csls --json", ""),
        (
            "lexenc eval bli --vectors runs/mapped --encoder runs/encoder --train-dictionary train.tsv "
            "--dictionary test.tsv --lambda 0,0.1,0.2,1",
            "",
        ),
        (
            "lexenc eval bli --encoder mini --source-vocabulary en.txt --target-vocabulary de.txt "
            "--dictionary test.tsv",
            "",
        ),
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_eval_bli,
)
