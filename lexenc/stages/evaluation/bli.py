"""eval bli: word translation scored under every convention of the field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lexenc.encoders.base import Pooling
from lexenc.errors import ConfigError, DataError, unknown_name
from lexenc.evaluation.bli import HEADLINE, MEASURE, TASK, Queries, ask, control_scores, conventions
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
    writing_evaluation,
)
from lexenc.files.hubs import HubDictionaries, is_hub, load_languages, read_hub
from lexenc.files.spaces import Space, load_space
from lexenc.files.text import counted
from lexenc.files.vec_report import ReadReport
from lexenc.files.vectors import Vectors, index_of, read_two
from lexenc.files.vocabularies import read_vocabulary
from lexenc.lexical.mapping import normalise
from lexenc.lexical.procrustes import blends, join_views
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.search import RETRIEVAL
from lexenc.search.retrieval import fit_correction, rank_of, retrieve
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import (
    PAPER_WEIGHTS,
    IntervalParams,
    TestSet,
    check_blend,
    evaluate,
    swept,
    weights_param,
)
from lexenc.stages.lexical.shared import encode_to_file, learn_projection, warn_of_second_blend
from lexenc.stages.lineage import Seen, seen_in_hub, seen_pairs, tell_seen_pairs
from lexenc.stages.reading import (
    POOLING,
    clear_gain,
    coverage_advice,
    encode_words,
    fold_vectors,
    folding_of,
    language_param,
    low_coverage,
    lowercase_param,
    open_encoder,
    read_dictionary,
    tell_findings,
    tell_remarks,
    uncovered,
    unicode_param,
)
from lexenc.text.folding import UnicodeForm

if TYPE_CHECKING:
    from lexenc.search.neighbours import Neighbours


@dataclass(frozen=True)
class EvalBliParams:
    """Parameters of `eval bli`."""

    retrieval: str = param("nearest", "How answers are ranked.", choices=RETRIEVAL)
    csls_neighbours: int = param(10, "Neighbours that CSLS averages over.", ge=1)
    inverse_temperature: float = param(1.0, "Factor on the cosine in the inverted softmax (VecMap 1, MUSE 30).", gt=0)
    direction: Literal["source-target", "target-source"] = param("source-target", "Direction of lookup.")
    candidates: Literal["vocabulary", "test"] = param(
        "vocabulary", "vocabulary: the whole target vocabulary; test: the test targets only, which is far easier."
    )
    lambda_: tuple[float, ...] = weights_param()
    pair: tuple[str, ...] = param(
        (), "Pairs of languages of a hub to score, e.g. en-de. Default: all that have a dictionary, in both directions."
    )
    top: int = param(10, "Number of answers to keep for every test word.", ge=1)
    pooling: Pooling = param("auto", POOLING)
    limit: int | None = param(None, "Use the first words of each vocabulary only; they are the most frequent.", ge=1)
    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    fail_under: float = param(
        0.0, "Exit with 1 if the precision at 1 of the headline (of the first lambda) is below this.", ge=0, le=1
    )


def check_eval_bli(inputs: Mapping[str, Any], params: EvalBliParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    given = {name for name, value in inputs.items() if value}
    static, hub = "vectors" in given or {"source", "target"} <= given, _is_hub(inputs)
    files = "Give --vectors, or --source and --target, or --encoder with --source-vocabulary and --target-vocabulary."
    table = [
        (
            not static and not {"encoder", "source_vocabulary", "target_vocabulary"} <= given,
            "eval bli has nothing to score.",
            files,
        ),
        (
            bool(params.pair) and not hub,
            "--pair is for a hub.",
            "Leave --pair out, or give --vectors, a folder of map-hub.",
        ),
        (hub and "encoder" in given, "--encoder cannot be used with a hub.", "Leave it out."),
        (
            hub and params.direction != "source-target",
            "--direction cannot be used with a hub.",
            "The order of --pair is the direction.",
        ),
    ]
    faults = [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]
    return check_blend(inputs, params.lambda_, static=static) + faults


def _is_hub(inputs: Mapping[str, Any]) -> bool:
    return bool(inputs.get("vectors")) and is_hub(Path(inputs["vectors"]))


def eval_bli(inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Outcome:
    """Score one system, one for every lambda, or the pairs of a hub."""
    if _is_hub(inputs):
        return _eval_hub(inputs, params, job)
    results: list[list[ScoredSystem]] = []
    translations = read_dictionary(inputs["dictionary"], params, job)
    made = [inputs.get(name) for name in ("vectors", "source", "target", "encoder")]
    seen = seen_pairs(made, list(translations), inputs["dictionary"], taught=[inputs.get("train_dictionary")])
    tell_seen_pairs(seen, len(set(translations)), job)
    if params.direction == "target-source":
        translations = translations.swapped()
    with writing_evaluation(job.out, "bli") as writer:
        for labels, whole in _systems(inputs, params, job):
            system = _test_targets(whole, translations) if params.candidates == "test" else whole
            questions = ask(translations, index_of(system.source.words), index_of(system.target.words))
            if not results:
                _check_coverage(whole, questions, translations, params, job)
            results.append(_score_system(system, labels, questions, seen, params, writer, job))
        outcome = swept(
            writer,
            results,
            job,
            test=inputs["dictionary"],
            note=f"{_NOTE}{seen.note}",
            sweep_note=seen.note,
        )
    return _judged(
        outcome, {own[0].labels.get("lambda"): own[0].scores[0].value or 0.0 for own in results}, params, job
    )


_NOTE = "Words without vectors are left out, or counted wrong. Controls: the word itself, and a random answer."


def _judged(outcome: Outcome, values: Mapping[float | None, float], params: EvalBliParams, job: Job) -> Outcome:
    """Answer whether the first value reaches --fail-under; if not, warn."""
    weight, value = next(iter(values.items()))
    if value < params.fail_under:
        where, hint = "", "The exit code is 1."
        if len(values) > 1:
            where, hint = f" at lambda {weight:g}", f"{hint} The first lambda decides. Choose it on other words."
        job.notices.warn(f"Precision at 1{where} is {value:.4f}, below --fail-under {params.fail_under:g}.", hint)
    return replace(outcome, answer=value >= params.fail_under)


def _convention(params: EvalBliParams, name: str = HEADLINE, **more: Any) -> Convention:
    """Return one of the conventions of `lexenc.evaluation.bli`."""
    asks, answers = params.direction.split("-")
    unit, policy = name.split(", ")
    return Convention(
        retrieval=params.retrieval,
        search_space=f"whole {answers} vocabulary" if params.candidates == "vocabulary" else f"test {answers}s only",
        query_unit=unit.replace("source", asks),
        out_of_vocabulary={"in vocabulary": "left out", "all lines": "counted wrong"}[policy],
        ties="lower index first",
        **more,
    )


# ---------------------------------------------------------------- the pairs of a hub


def _eval_hub(inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Outcome:
    """Score pairs of languages of a hub, and their mean."""
    folder, given = inputs["vectors"], inputs["dictionary"]
    space = read_hub(folder)
    if given.is_file() and len(params.pair) != 1:
        hint = "Name it: --pair en-de. Or give a folder with files such as en-de.tsv."
        raise ConfigError(f"{given} is one dictionary, and the hub has many pairs.", hint=hint)
    files = {params.pair[0] if given.is_file() else "": given}
    tests = HubDictionaries(files, space.languages, "--dictionary", folding=space.folding)
    known = {"-".join(way): way for way in tests}
    for name in params.pair:
        if name not in known:
            raise unknown_name("pair with a test dictionary", name, known)
    outcome = evaluate(
        TASK,
        _hub_pairs(folder, given, tests, [known[name] for name in params.pair or known], params, job),
        IntervalParams(),
        job,
        convention=_convention(params),
        note="Words without vectors are left out. Macro mean: every pair has the same weight.",
    )
    return _judged(outcome, {None: outcome.results[0]["precision_at_1"]}, params, job)


def _hub_pairs(
    folder: Path, given: Path, tests: HubDictionaries, ways: list[tuple[str, str]], params: EvalBliParams, job: Job
) -> Iterator[TestSet]:
    """Yield the answers to the test words of every pair; two languages are in memory at a time."""
    low: dict[str, float] = {}
    for way in ways:
        pairs = tests.read(*way)
        if pairs is None:
            continue
        tell_remarks(pairs, job)
        whole = Space(*(_first(each, params.limit) for each in load_languages(folder, way)))
        name = "-".join(way)
        system = _test_targets(whole, pairs) if params.candidates == "test" else whole
        questions = ask(pairs, index_of(system.source.words), index_of(system.target.words))
        coverage = float(questions.covered.mean())
        if coverage < 0.5:
            low[name] = coverage
        if not coverage:
            job.notices.warn(f"{name}: no test word has vectors on both sides; the pair is left out.", None)
            continue
        seen = seen_in_hub(folder, *way, list(pairs), given)
        for gap in seen.gaps[:1]:
            job.notices.warn(f"{name}: whether the test was learnt from cannot be checked: {gap}.", None)
        if seen.pairs:
            count = f"{len(seen.pairs):,} of {counted(len(set(pairs)), 'test pair')}"
            hint = "The scores are too high for words that are new. Test on other pairs."
            job.notices.warn(f"{name}: {count} follow from the training dictionaries.", hint)
        if seen.origin:
            job.notices.warn(f"{seen.origin}: the scores are too high.", "Use a test set of another origin.")
        controls = control_scores(questions, system.target.words).items()
        facts = {
            "source_language": way[0],
            "target_language": way[1],
            "search_space_words": len(system.target.words),
            "gold": "any translation counts",
            **seen.facts,
            **{f"{control}_precision_at_1": value for control, value in controls},
        }
        yield TestSet(name, list(_items(system, questions, *_search(system, questions, params, job))), facts)
    if low:
        worst = min(low, key=lambda name: low[name])
        job.notices.warn(
            f"Less than half of the test words have vectors on both sides in {len(low)} of "
            f"{counted(len(ways), 'pair')}; fewest in {worst}, {100 * low[worst]:.0f} %.",
            "Words without vectors are left out. Does the case agree? map-hub --lowercase folds it.",
        )
    if len(low) == len(ways) and not any(low.values()):
        raise DataError(
            "No test word of any pair has vectors on both sides.", hint="Check the languages of the columns."
        )


# ---------------------------------------------------------------- what is scored


def _systems(inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Iterator[tuple[dict[str, Any], Space]]:
    """Yield the labels of every system and its vectors in the direction of the lookup; one blend is in memory."""
    systems: Iterable[tuple[dict[str, Any], Space]]
    if inputs.get("vectors") is None and inputs.get("source") is None:
        systems = [({}, _encoded_space(inputs, params, job))]
    elif inputs.get("encoder") is None:
        systems = [({}, _static_space(inputs, params, job))]
    else:
        systems = _blends(_static_space(inputs, params, job), inputs, params, job)
    for labels, space in systems:
        yield labels, Space(space.target, space.source) if params.direction == "target-source" else space


def _static_space(inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Space:
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
    sides = []
    for vectors, language in ((space.source, params.source_language), (space.target, params.target_language)):
        tell_findings(vectors, job)
        own = _first(vectors, params.limit)
        sides.append(fold_vectors(own, folding_of(params), language))
    return Space(*sides)


def _first(vectors: Vectors, limit: int | None) -> Vectors:
    return vectors if limit is None else Vectors(vectors.words[:limit], vectors.matrix[:limit], vectors.report)


def _encoded_space(inputs: dict[str, Any], params: EvalBliParams, job: Job) -> Space:
    encoder = open_encoder(inputs["encoder"], params.pooling, job)
    sides = []
    for side, language in (("source", params.source_language), ("target", params.target_language)):
        path = inputs[f"{side}_vocabulary"]
        words = read_vocabulary(path, limit=params.limit, folding=folding_of(params), language=language).words
        sides.append(Vectors(words, encode_words(encoder, words, job), ReadReport(str(path))))
    return Space(*sides)


def _blends(
    space: Space, inputs: dict[str, Any], params: EvalBliParams, job: Job
) -> Iterator[tuple[dict[str, Any], Space]]:
    encoder = open_encoder(inputs["encoder"], params.pooling, job)
    train = read_dictionary(inputs["train_dictionary"], params, job)
    paths = [job.out / f"{side}.npy" for side in ("source", "target")]
    encoded = [
        encode_to_file(encoder, side.words, path, job)
        for side, path in zip((space.source, space.target), paths, strict=True)
    ]
    projection = learn_projection(space, (encoded[0], encoded[1]), train, job, folding=folding_of(params))
    weights = params.lambda_ or PAPER_WEIGHTS
    if inputs.get("vectors") is not None:
        warn_of_second_blend(inputs["vectors"], weights, job)
    left, right = (
        blends(join_views(side.matrix, other, projection), weights)
        for side, other in zip((space.source, space.target), encoded, strict=True)
    )
    for (weight, source), (_, target) in zip(left, right, strict=True):
        yield {"lambda": weight}, Space(replace(space.source, matrix=source), replace(space.target, matrix=target))
    for path in paths:
        path.unlink()


def _test_targets(system: Space, pairs: Pairs) -> Space:
    """Leave only test targets to choose from."""
    wanted = set(pairs.targets)
    rows = [row for row, word in enumerate(system.target.words) if word in wanted]
    matrix = system.target.matrix[np.array(rows, dtype=np.int64)]
    return Space(system.source, Vectors([system.target.words[row] for row in rows], matrix, system.target.report))


# ---------------------------------------------------------------- scoring


def _check_coverage(system: Space, questions: Queries, pairs: Pairs, params: EvalBliParams, job: Job) -> None:
    """Warn if few test words have vectors or a wrong option explains why, and raise if none has."""
    covered, total = int(questions.covered.sum()), len(questions.words)
    if total - covered < clear_gain(total):
        return
    languages = (params.source_language, params.target_language)
    swapped = params.direction == "target-source"
    advice = coverage_advice(
        pairs,
        system.source.words,
        system.target.words,
        folding=folding_of(params),
        languages=languages[::-1] if swapped else languages,
    )
    if not covered:
        raise uncovered("test word", total, pairs.swapped() if swapped else pairs, advice)
    hint = advice or "The others are out of vocabulary: left out of the headline, wrong in the rows 'counted wrong'."
    if 2 * covered < total or advice:
        job.notices.warn(low_coverage("test word", covered, total), hint)


def _score_system(
    system: Space,
    labels: dict[str, Any],
    questions: Queries,
    seen: Seen,
    params: EvalBliParams,
    writer: EvaluationWriter,
    job: Job,
) -> list[ScoredSystem]:
    """Score a system; the first is the headline, the others are other conventions and controls."""
    ranks, found = _search(system, questions, params, job)
    writer.write(_items(system, questions, ranks, found), labels)
    scores: list[tuple[str, dict[str, str], tuple[Score, ...]]] = [
        (name, {}, MEASURE.scores([columns], generator=generator(job.seed, f"bootstrap {name}"))[0])
        for name, columns in conventions(questions, ranks).items()
    ]
    n = scores[0][2][0].n
    for control, value in control_scores(questions, system.target.words).items():
        scores.append((HEADLINE, {CONTROL: control}, (Score("precision_at_1", value, n=n),)))
    facts = {"gold": "any translation counts", "coverage": float(questions.covered.mean()), **seen.facts}
    known = {"direction": params.direction, "search_space_words": len(system.target.words), "seed": job.seed}
    return [
        ScoredSystem("bli", own, _convention(params, name, **known), {**labels, **more}, facts)
        for name, more, own in scores
    ]


def _search(system: Space, questions: Queries, params: EvalBliParams, job: Job) -> tuple[list[np.ndarray], Neighbours]:
    """Return the rank of every gold answer, and the best answers of every covered question."""
    sources, _ = normalise(system.source.matrix, ["unit"])
    targets, _ = normalise(system.target.matrix, ["unit"])
    covered = np.flatnonzero(questions.covered)
    queries, device = sources[questions.rows[covered]], job.device.name
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


def _items(system: Space, questions: Queries, ranks: list[np.ndarray], found: Neighbours) -> Iterator[Item]:
    best = zip(found.indices, found.scores, strict=True)
    for row, word, golds, covered, own in zip(
        questions.rows.tolist(), questions.words, questions.golds, questions.covered, ranks, strict=True
    ):
        pairs = zip(*next(best), strict=True) if covered else ()
        answers = [{"target": system.target.words[i], "score": round(float(s), 6)} for i, s in pairs if i >= 0]
        numbers = {"ranks": own.tolist()} | ({"frequency_rank": row + 1} if row >= 0 else {})
        yield Item((word,), tuple(golds), bool(covered), tuple(answers), numbers)


EVAL_BLI = Stage(
    name="eval bli",
    version=5,
    inputs={
        "dictionary": Input(
            "Test dictionary: source, TAB, target; several lines for several translations. For a hub, a folder with "
            "files such as en-de.tsv."
        ),
        "vectors": Input("Shared space: a folder of map, interpolate or map-hub.", required=False),
        "source": Input("Source vectors in one space with --target, in place of --vectors.", required=False),
        "target": Input("Target vectors.", required=False),
        "encoder": Input("Encoder, alone or blended with the vectors.", kind="encoder", required=False),
        "train_dictionary": Input("Dictionary for blending vectors with an encoder.", required=False),
        "source_vocabulary": Input("Source words for an encoder alone. CSLS averages over them.", required=False),
        "target_vocabulary": Input("Target words that an encoder alone can choose from.", required=False),
    },
    params=EvalBliParams,
    run=eval_bli,
    makes=f"{SCORES}, and {ITEMS} with the answers to every test word, for lexenc compare and results.",
    examples=(
        "lexenc eval bli --vectors runs/blended --dictionary test.tsv --retrieval csls --json",
        "lexenc eval bli --vectors runs/hub --dictionary test/ --pair en-de,de-fr",
        "lexenc eval bli --vectors runs/mapped --encoder runs/encoder --train-dictionary train.tsv "
        "--dictionary test.tsv --lambda 0,0.1,0.2,1",
        "lexenc eval bli --encoder mini --source-vocabulary en.txt --target-vocabulary de.txt --dictionary test.tsv",
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_eval_bli,
)
