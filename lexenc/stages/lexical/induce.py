"""induce: shared space + dictionary -> a lexicon in which every translation has a calibrated probability."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.evaluation.calibration import Calibrator
from lexenc.evaluation.probabilities import Calibration, fit_probabilities, measure_probabilities, shuffled_control
from lexenc.files.dictionaries import LEXICON, Pairs
from lexenc.files.evaluations import UNFAIR
from lexenc.files.lexicons import LexiconEntry, writable, write_lexicon, write_review
from lexenc.files.spaces import Space, load_space
from lexenc.files.text import counted, write_lines, writing
from lexenc.files.vectors import index_of
from lexenc.files.vocabularies import read_vocabulary
from lexenc.lexical.evidence import (
    FEW,
    ChosenEntries,
    JudgedCandidates,
    choose_held_out,
    choose_known,
    few,
    judge_candidates,
)
from lexenc.lexical.induction import (
    FEATURES,
    Candidates,
    Density,
    DirectedSpace,
    chosen,
    features,
    find_candidates,
    has_letter,
    measure_density,
    same_strings,
    score_others,
)
from lexenc.lexical.mapping import normalise
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.lexical.interpolate import BlendAgain
from lexenc.stages.lexical.map import MapAgain, NotAgainError, made_by
from lexenc.stages.lineage import common_origins, learned_words
from lexenc.stages.reading import (
    clear_gain,
    coverage_advice,
    fold_vectors,
    folding_of,
    language_param,
    low_coverage,
    lowercase_param,
    read_dictionary,
    tell_findings,
    uncovered,
    unicode_param,
)
from lexenc.structured import checked, read_json
from lexenc.text.folding import SAME_TEXT, UnicodeForm

CALIBRATION = "calibration.json"
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Default minimum probability. At most a tenth of the best candidates is below it, of which 2 in 100 are right: less
# than one percent of all right ones. With 0.1 it would be up to four percent. To learn from a lexicon or to print it,
# use a far higher value: see the curve.
FLOOR = 0.05
_FORMAT = 2
_HEADLINE = 0.9
_DEPTH = 5  # candidates used to learn probabilities, even if fewer are shown


@dataclass(frozen=True)
class InduceParams:
    """Parameters of `induce`."""

    top: int = param(1, "Maximum number of translations per word.", ge=1)
    limit: int | None = param(None, "Translate only the first words of the vocabulary, the most frequent ones.", ge=1)
    min_probability: float = param(
        FLOOR,
        "Minimum probability of a translation that the dictionary does not list. A larger value leaves fewer, better "
        "ones; 0 keeps all.",
        ge=0,
        le=1,
    )
    mutual: bool = param(False, "Keep only pairs of which each word is the other's best translation.")
    margin: float | None = param(None, "Minimum difference to the word's best other candidate, in CSLS.", ge=0)
    identical: Literal["mark", "keep", "drop"] = param(
        "mark",
        "Translations that are spelled the same as the source word: mark: in the column status; keep: like others; "
        "drop: leave them out.",
    )
    keep_numbers: bool = param(False, "Keep words and translations without a letter, such as numbers.")
    only_new: bool = param(
        False,
        "Keep only pairs that are not in the dictionary. Further translations of its words then have no probability, "
        "as probabilities are measured on words that are new as a whole.",
    )
    direction: Literal["source-target", "target-source"] = param(
        "source-target", "Direction of lookup. The query language fills the first column."
    )
    csls_neighbours: int = param(10, "Neighbours that CSLS averages over.", ge=1)
    thresholds: tuple[float, ...] = param(
        (),
        "Probabilities at which precision and coverage are shown. Default: "
        f"{', '.join(f'{each:g}' for each in THRESHOLDS)}.",
        ge=0,
        le=1,
    )
    folds: int = param(5, "Parts of the entries. Each is judged by what was learned from the others.", ge=2)
    cross_fit: bool = param(
        True,
        "Learn the mapping again without each part of the entries that it was learned from, for unbiased "
        "probabilities. It takes --folds times as long as map.",
    )
    out_of_vocabulary: Literal["wrong", "left-out"] = param(
        "wrong",
        "Entries whose translations all have no vector: wrong: they count as wrong; left-out: they do not count.",
    )
    control: Literal["none", "shuffled-pairs"] = param(
        "none", "none: no control; shuffled-pairs: learn from shuffled translations. All probabilities should be low."
    )
    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")

    @property
    def languages(self) -> tuple[str | None, str | None]:
        """Language codes, that of the queries first."""
        pair = self.source_language, self.target_language
        return pair if self.direction == "source-target" else pair[::-1]

    @property
    def threshold(self) -> float:
        """Probability at which precision is reported: the requested minimum, or what a printed lexicon needs."""
        return self.min_probability if self.min_probability > FLOOR else _HEADLINE


def check_induce(inputs: Mapping[str, Any], params: InduceParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    faults = []
    given = {name for name in ("dictionary", "held_out", "calibration") if inputs.get(name)}
    if not given:
        hint = "Give --dictionary (or --held-out) to learn probabilities from, or --calibration of an earlier run."
        faults.append(ConfigError("induce needs --dictionary, --held-out or --calibration.", hint=hint))
    if params.only_new and "dictionary" not in given:
        faults.append(ConfigError("--only-new needs --dictionary.", hint="Its pairs are left out."))
    if params.control != "none" and "calibration" in given:
        faults.append(ConfigError("--control and --calibration do not go together.", hint="Leave one of them out."))
    return faults


def induce(inputs: dict[str, Any], params: InduceParams, job: Job) -> Outcome:
    """Induce a lexicon."""
    space = load_space(inputs["vectors"])
    for vectors in (space.source, space.target):
        tell_findings(vectors, job)
    lookup = _CandidateSearch(_directed(space, params), params.csls_neighbours, job)
    del space
    dictionary, held_out = (_read_pairs(inputs.get(name), params, job) for name in ("dictionary", "held_out"))
    rows = _rows_to_translate(inputs.get("words"), lookup.space, params, job)
    # All errors of the inputs are found before the long work.
    saved = _read_calibration(inputs["calibration"], params, job) if inputs.get("calibration") else None
    known, name = (held_out, "held_out") if held_out is not None else (dictionary, "dictionary")
    words = None
    if known is not None and (saved is None or held_out is not None):
        words = _words_to_ask(known, lookup.space, params, inputs[name])
    for pairs in (dictionary, held_out):
        if pairs is not None:
            kept = pairs is dictionary and not params.only_new
            _tell_coverage(pairs, lookup.space, params, job, kept=kept)
    judged = None
    if words is not None and known is not None:
        judged = _judge(words, known, lookup, inputs, params, job)
    calibration, report = _calibrated(saved, judged, params, job)
    if saved is not None:
        report["headline"]["calibration"] = str(inputs["calibration"])
    counts = _write(job.out, lookup, rows, dictionary, calibration, params, job)
    _write_calibration(job.out, calibration, report, params)
    head = {**_conventions(params, lookup.space, job), **report["headline"], **counts}
    tables = [_curve_table(head), _bin_table(head, report["bins"])] if report["bins"] else []
    errors = {name: head[name] for name in ("expected_calibration_error",) if name in head}
    return Outcome(counts | errors, [head, *report["others"]], tables)


# ---------------------------------------------------------------- looking up


def _directed(space: Space, params: InduceParams) -> DirectedSpace:
    """Scale both languages to unit length, fold their words as requested, and put the query language first."""
    folding = folding_of(params)
    source, target = (
        fold_vectors(space.source, folding, params.source_language),
        fold_vectors(space.target, folding, params.target_language),
    )
    if params.direction == "target-source":
        source, target = target, source
    unit = [normalise(each.matrix, ["unit"])[0] for each in (source, target)]
    return DirectedSpace(source.words, target.words, unit[0], unit[1])


@dataclass
class _CandidateSearch:
    """A space to look up candidates in; its density is computed on first use."""

    space: DirectedSpace
    neighbours: int
    job: Job
    _density: Density | None = None

    @property
    def density(self) -> Density:
        """Density of both vocabularies."""
        if self._density is None:
            self._density = measure_density(
                self.space.queries,
                self.space.targets,
                neighbours=self.neighbours,
                device=self.job.device.name,
                progress=self.job.progress,
            )
        return self._density

    def candidates(self, rows: np.ndarray, depth: int) -> Candidates:
        """Find the best candidates of the words at some rows."""
        return find_candidates(
            self.space.queries,
            self.space.targets,
            rows,
            k=depth,
            density=self.density,
            device=self.job.device.name,
            progress=self.job.progress,
        )

    def others(self, found: Candidates, known: Mapping[str, Sequence[str]]) -> Candidates:
        """Score the known translations of some words that are not among their candidates."""
        index, pairs = index_of(self.space.choices), list[tuple[int, int]]()
        for place, row in enumerate(found.rows):
            listed = [index[word] for word in known.get(self.space.words[row], ()) if word in index]
            pairs += [(place, target) for target in listed if target not in found.targets[place]]
        places, targets = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return score_others(found, places, targets, self.space.queries, self.space.targets, density=self.density)

    def candidates_of(self, words: Sequence[str], depth: int) -> Candidates:
        """Find the best candidates of some words."""
        index = index_of(self.space.words)
        return self.candidates(np.array([index[word] for word in words], dtype=np.int64), depth)


def _read_pairs(path: Path | None, params: InduceParams, job: Job) -> Pairs | None:
    """Read a dictionary with the query language first."""
    if path is None:
        return None
    pairs = read_dictionary(path, params, job)
    return pairs if params.direction == "source-target" else pairs.swapped()


def _rows_to_translate(path: Path | None, space: DirectedSpace, params: InduceParams, job: Job) -> np.ndarray:
    """Return the rows of the words to translate, the most frequent first. Shape [q]."""
    rows: Sequence[int] = range(len(space.words))
    if path is not None:
        words = set(read_vocabulary(path, folding=folding_of(params), language=params.languages[0]).words)
        rows = [row for row in rows if space.words[row] in words]
        missing = len(words) - len({space.words[row] for row in rows})
        if missing:
            job.notices.warn(
                f"{path}: {missing:,} of {counted(len(words), 'word')} without a vector, left out.",
                "--lowercase folds case; interpolate --source-vocabulary adds words.",
            )
    kept = [row for row in rows[: params.limit] if params.keep_numbers or has_letter(space.words[row])]
    usable = [row for row in kept if writable(space.words[row])]
    if len(usable) < len(kept):
        lost = counted(len(kept) - len(usable), "word")
        job.notices.warn(f"{lost} of bytes that are not UTF-8, or with TABs or outer spaces, left out.", None)
    if not usable:
        raise DataError("No word is left to translate.", hint="Check --words; --keep-numbers also keeps numbers.")
    return np.array(usable, dtype=np.int64)


# ---------------------------------------------------------------- dictionary entries as evidence


def _advice(pairs: Pairs, space: DirectedSpace, params: InduceParams) -> str | None:
    return coverage_advice(pairs, space.words, space.choices, folding=folding_of(params), languages=params.languages)


def _words_to_ask(pairs: Pairs, space: DirectedSpace, params: InduceParams, path: Path) -> list[str]:
    """Return the dictionary words that can be looked up.

    Raises:
        DataError: If there are fewer than two.
    """
    gold, known, choices = pairs.translations(), set(space.words), set(space.choices)
    words = [word for word in gold if word in known]
    answerable = [word for word in words if any(target in choices for target in gold[word])]
    if len(answerable) < 2:
        advice = _advice(pairs, space, params)
        if not answerable:
            raise uncovered("dictionary entry", len(pairs), pairs, advice)
        raise DataError(
            f"{path}: only one entry has vectors on both sides, too few to learn from.",
            hint=advice or "Give a larger dictionary.",
        )
    return answerable if params.out_of_vocabulary == "left-out" else words


def _tell_coverage(pairs: Pairs, space: DirectedSpace, params: InduceParams, job: Job, *, kept: bool) -> None:
    """Warn of pairs without vectors if they are many, if a wrong option explains it, or if they should be kept."""
    words, choices = set(space.words), set(space.choices)
    covered, total = sum(left in words and right in choices for left, right in pairs), len(pairs)
    advice = _advice(pairs, space, params) if total - covered >= clear_gain(total) else None
    if 2 * covered < total or advice or (kept and covered < total):
        hint = "The others are not in the lexicon." if kept else "Words without a vector are not looked up."
        job.notices.warn(low_coverage("dictionary pair", covered, total), f"{hint} {advice or ''}".rstrip())


def learner_again(folder: Path, column: int, job: Job) -> MapAgain | BlendAgain:
    """Return what learns a space again without some entries.

    Raises:
        NotAgainError: If that is not possible.
    """
    return (BlendAgain if made_by(folder).stage == "interpolate" else MapAgain)(folder, column, job)


def _judge(
    words: list[str], pairs: Pairs, lookup: _CandidateSearch, inputs: Mapping[str, Any], params: InduceParams, job: Job
) -> JudgedCandidates:
    """Judge candidates of dictionary words in vectors that were not learned from these words, as far as possible."""
    files = [inputs[name] for name in ("dictionary", "held_out") if inputs.get(name) is not None]
    learned = learned_words(inputs["vectors"], files)
    learned.origin = common_origins([inputs["vectors"]], files[-1])[0]
    column = 0 if params.direction == "source-target" else 1
    again: list[MapAgain | BlendAgain] = []

    def problem() -> str | None:
        if not params.cross_fit:
            return "--no-cross-fit"
        try:
            again.append(learner_again(inputs["vectors"], column, job))
        except NotAgainError as error:
            return error.message.rstrip(".")
        return None

    if inputs.get("held_out") is not None:
        entries = choose_held_out(words, learned, column, inputs["held_out"])
    else:
        entries = choose_known(words, learned, column, inputs["dictionary"], problem)
    for message, hint in entries.warnings:
        job.notices.warn(message, hint)
    count = max(2, min(params.folds, len(entries.words)))
    folds = generator(job.seed, "folds").permutation(np.arange(len(entries.words)) % count)
    depth, gold = max(params.top, _DEPTH), pairs.translations()
    if len(entries.words) < FEW:
        job.notices.warn(*few(len(entries.words)))

    def judged(found: Candidates) -> JudgedCandidates:
        drawn = generator(job.seed, "shuffled pairs")
        return judge_candidates(found, lookup.space, gold, entries, folds, drawn)

    if not entries.again:
        return judged(lookup.candidates_of(entries.words, depth))
    # The parts one after the other, in the order of their results.
    order = np.argsort(folds, kind="stable")
    entries, folds = replace(entries, words=[entries.words[row] for row in order]), folds[order]
    found = Candidates.joined(list(_cross_fitted(entries, folds, again[0], depth, params, job)))
    seen = judged(lookup.candidates_of(entries.words, 1)).correct.mean()
    return replace(judged(found), seen=float(seen))


def _cross_fitted(
    entries: ChosenEntries, folds: np.ndarray, again: MapAgain | BlendAgain, depth: int, params: InduceParams, job: Job
) -> Iterator[Candidates]:
    """Look up every part of the words in a space that was learned without them."""
    count = int(folds.max()) + 1
    for fold in range(count):
        job.notices.say(f"Learning the space again without part {fold + 1} of {count} of the entries.")
        held = [entries.words[row] for row in np.flatnonzero(folds == fold)]
        try:
            space = _directed(again.without({SAME_TEXT.fold(word) for word in held}), params)
        except LexencError as error:
            hint = "Give entries that map never saw: --held-out test.tsv"
            raise DataError(f"Without part of the entries: {error.message}", hint=hint) from None
        yield _CandidateSearch(space, params.csls_neighbours, job).candidates_of(held, depth)


# ---------------------------------------------------------------- probabilities


def _calibrated(
    saved: Calibration | None, judged: JudgedCandidates | None, params: InduceParams, job: Job
) -> tuple[Calibration, dict[str, Any]]:
    """Learn probabilities unless an earlier run did, and measure them on words that the fit did not see."""
    if saved is not None:
        if judged is None:
            return saved, {"headline": {"basis": "learnt before"}, "others": [], "bins": []}
        found = saved.calibrator.probabilities(judged.features)
        return saved, _measured(found, judged.correct, judged, params, job)
    assert judged is not None  # check_induce asks for a dictionary
    correct = judged.shuffled if params.control == "shuffled-pairs" else judged.correct
    calibrator, unseen = fit_probabilities(judged.features, correct, judged.folds)
    report = _measured(unseen, correct, judged, params, job)
    control = shuffled_control(judged.features[:, 0], judged.shuffled[:, 0], judged.folds, threshold=params.threshold)
    report["others"].append(control)
    return Calibration(calibrator, judged.sentence, judged.basis == "optimistic"), report


def _measured(
    unseen: np.ndarray, correct: np.ndarray, judged: JudgedCandidates, params: InduceParams, job: Job
) -> dict[str, Any]:
    head, others, bins = measure_probabilities(
        unseen,
        correct,
        threshold=params.threshold,
        thresholds=params.thresholds or THRESHOLDS,
        seed=job.seed,
        seen=judged.seen,
    )
    head |= {"entries_unanswerable": judged.unanswerable, "basis": judged.basis}
    return {
        "headline": head | {"optimistic": judged.basis == "optimistic", UNFAIR: judged.unfair},
        "others": others,
        "bins": bins,
    }


@dataclass(frozen=True)
class _Saved:
    """What a calibration is read from. The file holds more, for readers."""

    csls_neighbours: int
    basis: str
    optimistic: bool
    calibrator: dict[str, Any]


def _read_calibration(path: Path, params: InduceParams, job: Job) -> Calibration:
    place = path / CALIBRATION if path.is_dir() else path
    if not place.is_file():
        raise DataError(f"{path} holds no {CALIBRATION}.", hint="Give a folder that lexenc induce made.")
    hint = "Make it again with lexenc induce."
    body = checked(dict[str, Any], read_json(place, hint=hint), place, hint=hint)
    if (body.get("format"), body.get("features")) != (_FORMAT, list(FEATURES)):
        raise DataError(f"{place} is of another version.", hint=hint)
    saved = checked(_Saved, body, place, hint=hint, others=True)
    if saved.csls_neighbours != params.csls_neighbours:
        raise DataError(
            f"{place} was learnt with {saved.csls_neighbours} CSLS neighbours, not {params.csls_neighbours}.",
            hint=f"Use --csls-neighbours {saved.csls_neighbours}.",
        )
    calibrator = Calibrator.from_dict(saved.calibrator, width=len(FEATURES), place=f"{place}: calibrator")
    calibration = Calibration(calibrator, saved.basis, saved.optimistic)
    if calibration.optimistic:
        job.notices.warn(f"{place}: {calibration.basis}.", "Learn probabilities again with --held-out test.tsv.")
    return calibration


def _write_calibration(out: Path, calibration: Calibration, report: dict[str, Any], params: InduceParams) -> None:
    """Write the calibration, and the curve of precision and coverage."""
    body = {
        "format": _FORMAT,
        "features": list(FEATURES),
        "csls_neighbours": params.csls_neighbours,
        "direction": params.direction,
        "basis": calibration.basis,
        "optimistic": calibration.optimistic,
        "measured": report["headline"],
        "bins": report["bins"],
        "calibrator": calibration.calibrator.as_dict(),
    }
    with writing(out / CALIBRATION) as stream:
        stream.write(json.dumps(body, ensure_ascii=False, indent=1).encode("utf-8") + b"\n")
    if report["bins"]:
        rows = report["headline"]["thresholds"]
        lines = ["\t".join(rows[0])]
        lines += ["\t".join("" if cell is None else f"{cell:g}" for cell in row.values()) for row in rows]
        write_lines(out / "curve.tsv", lines)


# ---------------------------------------------------------------- the lexicon


def _entries(
    found: Candidates,
    space: DirectedSpace,
    probabilities: np.ndarray | None,
    known: Mapping[str, Sequence[str]],
    params: InduceParams,
) -> tuple[list[LexiconEntry], int]:
    """Return the pairs that pass all filters, and how many only the minimum probability leaves out.

    Args:
        found: Candidates, or known translations that are not among them. Shape [q, k].
        space: Words of both languages.
        probabilities: Of candidates, shape [q, k]. Other translations have no probability and no rank.
        known: Translations that the dictionary lists.
        params: Settings.
    """
    entries, improbable = [], 0
    identical = same_strings(found, space.words, space.choices)
    kept = chosen(found, margin=params.margin, mutual=params.mutual)
    if params.identical == "drop":
        kept &= ~identical
    for row, place in zip(*kept.nonzero(), strict=True):
        pair = space.words[found.rows[row]], space.choices[found.targets[row, place]]
        listed = known.get(pair[0], ())
        status = "known" if pair[1] in listed else "new further" if listed else "new"
        if not writable(pair[1]) or not (params.keep_numbers or has_letter(pair[1])):
            continue
        if params.only_new and status == "known":
            continue
        probability = None if probabilities is None else float(probabilities[row, place])
        if status != "known" and probability is not None and probability < params.min_probability:
            improbable += 1
            continue
        same = identical[row, place] and params.identical == "mark"
        entry = LexiconEntry(
            *pair,
            None if params.only_new and status == "new further" else probability,
            float(found.csls[row, place]),
            float(found.cosine[row, place]),
            float(found.margin[row, place]),
            bool(found.mutual[row, place]),
            None if probabilities is None else int(place) + 1,
            f"{status} identical" if same else status,
        )
        entries.append(entry)
    return entries, improbable


def _joined(ranked: Sequence[LexiconEntry], others: Sequence[LexiconEntry], words: Sequence[str]) -> list[LexiconEntry]:
    """Put known translations without a rank before the first new one of their word."""
    entries: dict[str, list[LexiconEntry]] = {word: [] for word in words}
    for entry in ranked:
        entries[entry.source].append(entry)
    for entry in others:
        own = entries[entry.source]
        own.insert(next((i for i, each in enumerate(own) if each.status.startswith("new")), len(own)), entry)
    return [entry for own in entries.values() for entry in own]


def _write(
    out: Path,
    lookup: _CandidateSearch,
    rows: np.ndarray,
    dictionary: Pairs | None,
    calibration: Calibration,
    params: InduceParams,
    job: Job,
) -> dict[str, Any]:
    """Translate the words, write the lexicon and the table for its review, and return the counts."""
    found, space = lookup.candidates(rows, params.top), lookup.space
    known = {} if dictionary is None else dictionary.translations()
    identical = same_strings(found, space.words, space.choices)
    probabilities = calibration.calibrator.probabilities(features(found, identical))
    ranked, improbable = _entries(found, space, probabilities, known, params)
    others, _ = _entries(lookup.others(found, known), space, None, known, params)
    entries = _joined(ranked, others, [space.words[row] for row in found.rows])
    if improbable:
        job.notices.say(
            f"{counted(improbable, 'pair')} less probable than {params.min_probability:g} left out; "
            "--min-probability 0 keeps all."
        )
    further = sum(entry.status.startswith("new further") for entry in entries)
    kept_known = sum(entry.status.startswith("known") for entry in entries)
    words, choices = set(space.words), set(space.choices)
    usable = [word in words and choice in choices for word, own in known.items() for choice in own]
    absent = sum(usable) - kept_known
    if absent and not params.only_new:
        job.notices.say(
            f"{counted(absent, 'dictionary pair')} with vectors not in the lexicon: the options leave them out."
        )
    if further and params.only_new:
        job.notices.say(
            f"{counted(further, 'further translation')} of words in the dictionary without a probability, which is "
            "measured on words that are new as a whole."
        )
    if not entries:
        job.notices.warn("No translation passes the filters; the lexicon is empty.", "Lower --min-probability.")
    write_lexicon(out / LEXICON, entries, optimistic=calibration.optimistic)
    write_review(out / "review.csv", entries, optimistic=calibration.optimistic)
    return {
        "words": len(found),
        "pairs": len(entries),
        "improbable_pairs": improbable,
        "known_pairs": kept_known,
        "known_pairs_without_vectors": len(usable) - sum(usable),
        "further_pairs": further,
        "words_with_translation": len({entry.source for entry in entries}),
    }


def _conventions(params: InduceParams, space: DirectedSpace, job: Job) -> dict[str, Any]:
    return {
        "task": "induce",
        "direction": params.direction,
        "search_space": f"whole {params.direction.split('-')[1]} vocabulary",
        "search_space_words": len(space.choices),
        "retrieval": f"csls {params.csls_neighbours}",
        "out_of_vocabulary": params.out_of_vocabulary,
        "unlisted": "counted wrong",
        "bins": "10 of equal mass",
        "control_of_fit": params.control,
        "seed": job.seed,
    }


_BASES = {
    "held out": "held out from everything that the vectors were learnt from",
    "not learnt from": "none of which the vectors were learnt from",
    "cross-fitted": "each translated by a mapping that was learnt without it",
    "optimistic": "OPTIMISTIC: the vectors were learnt from these very words, or both have the same origin",
}


def _curve_table(head: dict[str, Any]) -> Table:
    """Return the table of precision and coverage by threshold."""
    rows = []
    for point in head["thresholds"]:
        cells = ["0", "", "", "0.0"]
        if point["precision"] is not None:
            span = f"{100 * point['low']:.1f}-{100 * point['high']:.1f}"
            cells = [f"{point['kept']:,}", f"{100 * point['precision']:.1f}", span, f"{100 * point['coverage']:.1f}"]
        rows.append([f"{point['threshold']:g}", *cells])
    without = ""
    if head["entries_unanswerable"]:
        treated = "count as wrong as well" if head["out_of_vocabulary"] == "wrong" else "are left out"
        without = (
            f" The translations of {counted(head['entries_unanswerable'], 'word')} have no vector; they {treated}."
        )
    bound = "" if head["optimistic"] else ", so precision is a lower bound"
    note = (
        f"Best candidate of each of {counted(head['entries'], 'dictionary word')}, "
        f"{_BASES[head['basis']]}; {head['direction']}, candidates: the {head['search_space']} "
        f"({head['search_space_words']:,} words). A translation that the dictionary does not list counts as wrong"
        f"{bound}.{without} Wilson intervals. Seed {head['seed']}."
    )
    return Table("Precision and coverage", ["probability from", "words", "precision", "95 %", "coverage"], rows, note)


def _bin_table(head: dict[str, Any], bins: list[dict[str, Any]]) -> Table:
    """Return the table of probabilities and how often they were right."""
    rows = [
        [f"{each['low']:.3f}-{each['high']:.3f}", f"{each['count']:,}", f"{each['mean']:.3f}", f"{each['right']:.3f}"]
        for each in bins
    ]
    note = (
        f"Expected calibration error {head['expected_calibration_error']:.3f} (10 bins of equal mass; 95 % interval "
        f"{head['expected_calibration_error_low']:.3f}-{head['expected_calibration_error_high']:.3f}; perfect "
        f"probabilities would reach {head['expected_calibration_error_if_perfect']:.3f} on so few words); "
        f"{head['expected_calibration_error_equal_width']:.3f} in bins of equal width. Brier score "
        f"{head['brier_score']:.4f}."
    )
    return Table("Are the probabilities true?", ["probability", "words", "mean", "right"], rows, note)


INDUCE = Stage(
    name="induce",
    version=4,
    inputs={
        "vectors": Input("Shared space: a folder of map or interpolate."),
        "dictionary": Input(
            "Known entries. Probabilities are learned from them, in vectors that were not learned from them.",
            required=False,
        ),
        "held_out": Input("Entries that the vectors were not learned from, to use instead.", required=False),
        "words": Input("Translate only these words: a list, or a folder with words.txt.", required=False),
        "calibration": Input(
            "Folder of an earlier induce, whose probabilities to use, for vectors of the same kind.", required=False
        ),
    },
    params=InduceParams,
    run=induce,
    makes="lexicon.tsv (every command reads it, and the folder, as a dictionary), review.csv for a spreadsheet, "
    "calibration.json, curve.tsv.",
    examples=(
        "lexenc induce --vectors runs/blended --dictionary train.tsv --out lexicon.tsv",
        "lexenc induce --vectors runs/blended --dictionary train.tsv --top 3 --min-probability 0.5 --only-new "
        "--out review.csv",
        "lexenc induce --vectors runs/blended --dictionary train.tsv --held-out test.tsv --out runs/lexicon",
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_induce,
    files={".tsv": LEXICON, ".csv": "review.csv"},
)
