"""Every pair of languages of a space, scored on its test dictionary, beside the same pair mapped by itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.errors import LexencError
from lexenc.files.text import counted
from lexenc.stage import Job, Notices, Table
from lexenc.stages.lexical.hub_settings import code_of

if TYPE_CHECKING:
    import numpy as np

    from lexenc.evaluation.bli import Questions, Scores
    from lexenc.stages.lexical.hub import Plan
    from lexenc.stages.lexical.map import MapParams

_UNIT, _POLICY = "source word, in vocabulary", "left out"


@dataclass(frozen=True)
class _Language:
    """A language ready to be compared.

    Args:
        words: Its words.
        unit: Their vectors, of length 1. Shape [n, d].
        index: Row of every word.
    """

    words: list[str]
    unit: np.ndarray
    index: dict[str, int]


def score_pairs(plan: Plan, params: MapParams, job: Job, *, scratch: Path) -> list[dict[str, Any]]:
    """Score every pair that has a test dictionary, each way; two languages are in memory at a time.

    Args:
        plan: The languages, all of them mapped in `job.out`.
        params: Of the stage.
        job: Its place, seed and device.
        scratch: Folder for what comparisons leave behind.

    Returns:
        One object per pair, direction and way of retrieval; before them their means.
    """
    results: list[dict[str, Any]] = []
    loaded: dict[str, _Language] = {}
    ways = list(plan.tests.pairs())
    for first, second in dict.fromkeys(tuple(sorted(way, key=plan.about.languages.index)) for way in ways):
        for name in [name for name in loaded if name not in (first, second)]:
            del loaded[name]
        for name in (first, second):
            if name not in loaded:
                loaded[name] = _load(job.out / name)
        both = loaded[first], loaded[second]
        alone = _map_alone(first, second, plan, params, scratch, job)
        for way in ((first, second), (second, first)):
            sides = both if way[0] == first else both[::-1]
            others = alone if alone is None or way[0] == first else alone[::-1]
            results += _score(way, sides, others, plan, params, job)
    _tell_coverage(results, job)
    return _means(results, params.retrieval) + results


def _tell_coverage(results: Sequence[Mapping[str, Any]], job: Job) -> None:
    """Warn once where less than half of the test words of some pairs have vectors, with the worst pair."""
    ways = {(each["source_language"], each["target_language"]): each["coverage"] for each in results}
    low = [way for way, coverage in ways.items() if coverage < 0.5]
    if low:
        worst = min(low, key=lambda way: ways[way])
        job.notices.warn(
            "Less than half of the test words have vectors on both sides in "
            f"{len(low)} of {counted(len(ways), 'pair')} (each way counts); fewest in {'-'.join(worst)}, "
            f"{100 * ways[worst]:.0f} %.",
            "Words without vectors are left out. Does the case agree? --lowercase folds it.",
        )


def _load(folder: Path) -> _Language:
    from lexenc.files.vectors import load_vectors

    found = load_vectors(folder)
    return _language(found.words, found.matrix)


def _language(words: list[str], matrix: np.ndarray) -> _Language:
    """Make vectors ready to be compared; they are changed in place."""
    from lexenc.files.vectors import index_of
    from lexenc.lexical.mapping import normalise

    return _Language(words, normalise(matrix, ["unit"], out=matrix)[0], index_of(words))


# ---------------------------------------------------------------- one pair, one direction


def _score(
    way: tuple[str, str],
    sides: tuple[_Language, ...],
    alone: tuple[_Language, ...] | None,
    plan: Plan,
    params: MapParams,
    job: Job,
) -> list[dict[str, Any]]:
    """Score one direction of a pair under every way of retrieval."""
    import numpy as np

    from lexenc.evaluation.bli import ask, control_scores
    from lexenc.evaluation.bootstrap import paired_difference
    from lexenc.randomness import generator

    dictionary = plan.tests.find(*way)
    if dictionary is None:
        return []
    questions = ask(dictionary.read(*way, lowercase=params.lowercase).translations(), sides[0].index, sides[1].index)
    covered = np.flatnonzero(questions.covered)
    shared = _shared(way, questions, len(sides[1].words), dictionary.backwards, plan, job)
    shared |= {f"{name}_precision_at_1": value for name, value in control_scores(questions, sides[1].words).items()}
    known = _known(way, questions, covered, plan, params)
    results = []
    if not len(covered):
        return [shared | {"retrieval": retrieval, "queries": 0} for retrieval in params.retrieval]
    for retrieval in params.retrieval:
        own = _ranked(questions, covered, sides, retrieval, job)
        result = shared | {"retrieval": retrieval} | own.summary(generator(job.seed, f"bootstrap {_UNIT}"))
        result |= _on_new(own, known)
        if alone is not None:
            other = _ranked(questions, covered, alone, retrieval, job)
            gain = paired_difference(own.hits[1], other.hits[1], generator=generator(job.seed, "hub and alone"))
            result |= {
                "alone_precision_at_1": float(other.hits[1].mean()),
                "gain_over_alone": gain.mean,
                "gain_over_alone_low": gain.low,
                "gain_over_alone_high": gain.high,
            }
        results.append(result)
    return results


def _shared(
    way: tuple[str, str], questions: Questions, words: int, backwards: bool, plan: Plan, job: Job
) -> dict[str, Any]:
    hub = plan.about.hub
    return {
        "task": "bli",
        "source_language": way[0],
        "target_language": way[1],
        "route": "with the hub" if hub in way else f"by way of {hub}",
        "dictionary_columns": "-".join(way[::-1] if backwards else way),
        "query_unit": "source word",
        "out_of_vocabulary": _POLICY,
        "search_space": "whole target vocabulary",
        "search_space_words": words,
        "gold": "any translation counts",
        "ties": "lower index first",
        "seed": job.seed,
        "coverage": float(questions.covered.mean()),
    }


def _ranked(
    questions: Questions, covered: np.ndarray, sides: tuple[_Language, ...], retrieval: str, job: Job
) -> Scores:
    """Score the covered questions, each by the rank of its best gold answer among all target words."""
    import numpy as np

    from lexenc.evaluation.bli import conventions
    from lexenc.search.retrieval import fit_correction, rank_of

    source, target = sides[0].unit, sides[1].unit
    ranks: list[np.ndarray] = [np.zeros(0, dtype=np.int64)] * len(questions.words)
    device = job.device.name
    correction = fit_correction(
        target,
        source,
        criterion=retrieval,
        device=device,
        progress=job.progress,
    )
    golds = [questions.gold_rows[place] for place in covered]
    found = rank_of(source[questions.rows[covered]], target, golds, correction=correction, device=device)
    for number, place in enumerate(covered):
        ranks[place] = found[number]
    return conventions(questions, ranks)[_UNIT]


# ---------------------------------------------------------------- what was known before


def _known(
    way: tuple[str, str], questions: Questions, covered: np.ndarray, plan: Plan, params: MapParams
) -> np.ndarray | None:
    """Tell which covered questions the training dictionaries answer, alone or by way of the hub; None without any."""
    import numpy as np

    from lexenc.lexical.hub import composed

    hub = plan.about.hub
    wanted = [(word, gold) for word, golds in zip(questions.words, questions.golds, strict=True) for gold in golds]
    if hub in way:
        found = plan.training.find(*way)
        answered = set(found.read(*way, lowercase=params.lowercase)) if found is not None else None
    else:
        both = [plan.training.find(name, hub) for name in way]
        if both[0] is None or both[1] is None:
            return None
        pairs = [each.read(name, hub, lowercase=params.lowercase)
                 for each, name in zip(both, way, strict=True) if each is not None]  # fmt: skip
        answered = composed(pairs[0], pairs[1], wanted)
    if answered is None:
        return None
    chosen = ((questions.words[place], questions.golds[place]) for place in covered)
    return np.array([any((word, gold) in answered for gold in golds) for word, golds in chosen], dtype=bool)


def _on_new(own: Scores, known: np.ndarray | None) -> dict[str, Any]:
    """Give the score on the questions that no training dictionary answers."""
    if known is None:
        return {}
    new = own.hits[1][~known]
    return {"known_queries": int(known.sum()), "precision_at_1_of_new": float(new.mean()) if len(new) else None}


# ---------------------------------------------------------------- the pair by itself


def _map_alone(
    first: str, second: str, plan: Plan, params: MapParams, scratch: Path, job: Job
) -> tuple[_Language, ...] | None:
    """Map two languages to each other as `map` without a hub does, with the same preset; None where that cannot be."""
    found = plan.training.find(first, second)
    needs = params.supervision in ("dictionary", "semi")
    if not params.compare_alone or not {first, second} <= set(plan.raw) or (needs and found is None):
        return None
    from lexenc.stages.lexical.hub import own_place, read_language
    from lexenc.stages.lexical.map_learning import learn_mapping
    from lexenc.stages.lexical.mappings import moved

    pairs = found.read(first, second, lowercase=params.lowercase) if found is not None and needs else None
    sides = [read_language(name, plan, params, _silent(job)) for name in (first, second)]
    name = f"{first}-{second} by itself"
    try:
        with own_place(name, scratch / "alone", job):
            given = {"dictionary": pairs}
            learnt = learn_mapping(sides[0], sides[1], given, _plain(params, first, second), _silent(job))
    except LexencError as error:
        job.notices.warn(f"{name}: {error.message}", "There is nothing to compare with.")
        return None
    finally:
        shutil.rmtree(scratch / "alone", ignore_errors=True)
    mapped = [moved(each, learnt.mapping, side) for each, side in zip(sides, ("source", "target"), strict=True)]
    return tuple(_language(each.words, each.matrix) for each in mapped)


def _silent(job: Job) -> Job:
    """Give the same job without remarks: they were made when the languages were mapped."""
    silent = replace(job, notices=Notices())
    silent.__dict__["device"] = job.device
    return silent


def _plain(params: MapParams, first: str, second: str) -> MapParams:
    """Give the parameters of a pair by itself: where the hub had to stay, the preset's own values."""
    from lexenc.resources import read_preset

    preset = read_preset(params.preset or "supervised")
    names = ("source_reweight", "target_reweight", "source_dewhiten", "target_dewhiten")
    return replace(
        params,
        hub=None,
        source_language=code_of(first),
        target_language=code_of(second),
        **{name: preset[name] for name in names},
    )


# ---------------------------------------------------------------- together


def _means(results: Sequence[Mapping[str, Any]], ways: Sequence[str]) -> list[dict[str, Any]]:
    """Average over pairs, each with the same weight, for every way of retrieval."""
    made = []
    for retrieval in ways:
        own = [each["precision_at_1"] for each in results if each["retrieval"] == retrieval and each["queries"]]
        if own:
            about = {"task": "bli", "average_over": "pairs, each way", "pairs": len(own), "retrieval": retrieval}
            made.append(about | {"precision_at_1": sum(own) / len(own)})
    return made


def headline(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give what the closing line says of the scores."""
    return {"mean_precision_at_1": results[0]["precision_at_1"]} if results and "pairs" in results[0] else {}


def pair_tables(results: Sequence[Mapping[str, Any]], languages: Sequence[str]) -> list[Table]:
    """Show a matrix per way of retrieval, and all pairs with intervals and controls."""
    pairs = [each for each in results if "source_language" in each]
    if not pairs:
        return []
    ways = list(dict.fromkeys(each["retrieval"] for each in pairs))
    return [*(_matrix(pairs, languages, way) for way in ways), _details(pairs, ways)]


def _matrix(pairs: Sequence[Mapping[str, Any]], languages: Sequence[str], retrieval: str) -> Table:
    cells = {
        (each["source_language"], each["target_language"]): _percent(each["precision_at_1"])
        for each in pairs
        if each["retrieval"] == retrieval and each["queries"]
    }
    rows = [[first, *(cells.get((first, second), "-") for second in languages)] for first in languages]
    note = "P@1 x 100, whole target vocabulary, per source word; words without vectors are left out. -: no test."
    return Table(f"Word translation, {retrieval}", ["from \\ to", *languages], rows, note)


def _details(pairs: Sequence[Mapping[str, Any]], ways: Sequence[str]) -> Table:
    rows = []
    for way in dict.fromkeys((each["source_language"], each["target_language"]) for each in pairs):
        own = [each for each in pairs if (each["source_language"], each["target_language"]) == way]
        head = own[0]
        known = head.get("known_queries")
        rows.append(
            ["-".join(way), f"{head['queries']:,}", f"{100 * head['coverage']:.0f} %"]
            + [_with_interval(each) for each in own]
            + [_percent(each.get("alone_precision_at_1")) for each in own]
            + [_percent(head["identity_precision_at_1"]) if head["queries"] else "-"]
            + ["-" if known is None else f"{known:,}"]
        )
    columns = ["pair", "words", "covered", *ways, *(f"alone, {way}" for way in ways), "same word", "known"]
    note = (
        "P@1 x 100 with 95 % bootstrap intervals over the test words. Alone: the same two languages mapped to each "
        "other with a dictionary of their own, without the hub. Same word: answering with the word itself. Known: test "
        "words that the training dictionaries answer, of a pair without the hub by way of it; --json has the score "
        "without them."
    )
    return Table("Every pair", columns, rows, note)


def _with_interval(one: Mapping[str, Any]) -> str:
    if not one["queries"]:
        return "-"
    low, high = one["precision_at_1_low"], one["precision_at_1_high"]
    return f"{_percent(one['precision_at_1'])} ({100 * low:.0f}-{100 * high:.0f})"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
