"""induce: shared space + dictionary -> a lexicon in which every translation has a calibrated probability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import ConfigError, DataError
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.lexical.evidence import Sides, askable, density_of, directed, gather, tell_coverage
from lexenc.stages.lexical.induce_tables import bin_table, curve_table
from lexenc.stages.lexical.probabilities import (
    FLOOR,
    THRESHOLDS,
    Calibration,
    fitted,
    read_calibration,
    tested,
    write_calibration,
)
from lexenc.stages.reading import language_param, lowercase_param, read_dictionary, tell_findings

if TYPE_CHECKING:
    import numpy as np

    from lexenc.files.dictionaries import Pairs
    from lexenc.files.lexicons import LexiconEntry
    from lexenc.lexical.induction import Candidates, Density

_ROWS = 16_384


@dataclass(frozen=True)
class InduceParams:
    """Parameters of `induce`."""

    top: int = param(1, "Translations per word at most.", ge=1)
    limit: int | None = param(None, "Only the first words of the vocabulary; they are the most frequent.", ge=1)
    min_probability: float = param(
        FLOOR,
        "Least probability of a translation; 0 keeps all. Below the default hardly two of a hundred are right.",
        ge=0,
        le=1,
    )
    mutual: bool = param(False, "Only pairs of which each is the other's best.")
    margin: float | None = param(None, "Least distance to the word's next candidate, in CSLS.", ge=0)
    identical: Literal["mark", "keep", "drop"] = param(
        "mark", "Translations spelt like their word: mark: with a word in the column status; keep: as any; drop."
    )
    keep_numbers: bool = param(False, "Also words and translations without a letter: numbers, signs.")
    only_new: bool = param(False, "Only pairs that are not in the dictionary.")
    direction: Literal["source-target", "target-source"] = param(
        "source-target", "Which language asks; its words stand in the first column."
    )
    csls_neighbours: int = param(10, "Neighbours that CSLS averages over.", ge=1)
    thresholds: tuple[float, ...] = param(
        (),
        "Probabilities at which precision and coverage are shown; if left out "
        f"{', '.join(f'{each:g}' for each in THRESHOLDS)}.",
        ge=0,
        le=1,
    )
    folds: int = param(5, "Parts of the entries; every part is judged by what was learnt from the others.", ge=2)
    cross_fit: bool = param(
        True, "Learn the mapping again without each part of the entries that it was learnt from, for honest "
        "probabilities; it takes --folds times as long as map."
    )  # fmt: skip
    out_of_vocabulary: Literal["wrong", "left-out"] = param(
        "wrong",
        "Entries of whose translations none has a vector: wrong: they count, as no candidate is right; left-out.",
    )
    control: Literal["none", "shuffled-pairs"] = param(
        "none", "shuffled-pairs: calibrate on every word's translations given to another; nothing may be probable then."
    )
    lowercase: bool = lowercase_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")


def check_induce(inputs: Mapping[str, Any], params: InduceParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    faults = []
    given = {name for name in ("dictionary", "held_out", "calibration") if inputs.get(name)}
    if not given:
        hint = "Give --dictionary (or --held-out) to learn probabilities from, or --calibration, learnt before."
        faults.append(ConfigError("induce needs --dictionary, --held-out or --calibration.", hint=hint))
    if params.only_new and "dictionary" not in given:
        faults.append(ConfigError("--only-new needs --dictionary.", hint="It tells what is known."))
    if params.control != "none" and "calibration" in given:
        faults.append(ConfigError("--control and --calibration do not go together.", hint="Leave one of them out."))
    return faults


def induce(inputs: dict[str, Any], params: InduceParams, job: Job) -> Outcome:
    """Induce a lexicon."""
    from lexenc.files.spaces import load_space

    space = load_space(inputs["vectors"])
    for vectors in (space.source, space.target):
        tell_findings(vectors, job)
    sides = directed(space, params)
    del space
    dictionary = _pairs(inputs.get("dictionary"), params)
    held_out = _pairs(inputs.get("held_out"), params)
    wanted = _wanted_rows(inputs.get("words"), sides, params, job)
    # All that can be wrong with the inputs is found before the long work.
    saved = read_calibration(inputs["calibration"], params, job) if inputs.get("calibration") else None
    entries = None
    if held_out is not None:
        entries = askable(held_out, sides, params, inputs["held_out"], held_out=True)
    elif dictionary is not None and saved is None:
        entries = askable(dictionary, sides, params, inputs["dictionary"], held_out=False)
    for pairs in (dictionary, held_out):
        if pairs is not None:
            tell_coverage(pairs, sides, params, job)
    density = density_of(sides, params, job)
    evidence = None if entries is None else gather(inputs, entries, sides, density, params, job)
    if saved is not None:
        calibration, report = saved, tested(saved, evidence, inputs["calibration"], params, job)
    else:
        assert evidence is not None  # check_induce has seen to it
        calibration, report = fitted(evidence, params, job)
    found = _probable(wanted, sides, density, calibration, params, job)
    known = set(dictionary) if dictionary is not None else set()
    counts = _write(job.out, found, known, calibration, params, job)
    write_calibration(job.out, calibration, report, params)
    head = {**_conventions(params, sides, job), **report["headline"], **counts}
    results = [head, *report["others"]]
    tables = [curve_table(head), bin_table(head, report["bins"])] if report["bins"] else []
    return Outcome(_summary(counts, report), results, tables)


def _summary(counts: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    summary = dict(counts)
    if "expected_calibration_error" in report["headline"]:
        summary["expected_calibration_error"] = report["headline"]["expected_calibration_error"]
    return summary


def _pairs(path: Path | None, params: InduceParams) -> Pairs | None:
    """Read a dictionary with the language that asks first."""
    if path is None:
        return None
    pairs = read_dictionary(path, params)
    return pairs if params.direction == "source-target" else pairs.swapped()


def _wanted_rows(path: Path | None, sides: Sides, params: InduceParams, job: Job) -> np.ndarray:
    """Give the rows of the words to translate, the most frequent first. Shape [q]."""
    import numpy as np

    from lexenc.files.lexicons import writable
    from lexenc.files.vocabularies import read_vocabulary
    from lexenc.lexical.induction import has_letter

    rows = range(len(sides.words))
    if path is not None:
        asks = params.direction.split("-")[0]
        language = params.source_language if asks == "source" else params.target_language
        words = set(read_vocabulary(path, lowercase=params.lowercase, language=language).words)
        chosen = [row for row in rows if sides.words[row] in words]
        missing = len(words) - len({sides.words[row] for row in chosen})
        if missing:
            job.notices.warn(
                f"{path}: {missing:,} of {counted(len(words), 'word')} without a vector, left out.",
                "--lowercase folds case; interpolate --source-vocabulary adds words.",
            )
    else:
        chosen = list(rows)
    chosen = chosen[: params.limit]
    kept = [row for row in chosen if params.keep_numbers or has_letter(sides.words[row])]
    usable = [row for row in kept if writable(sides.words[row])]
    if len(usable) < len(kept):
        lost = counted(len(kept) - len(usable), "word")
        job.notices.warn(f"{lost} of bytes that are not UTF-8, or with TABs or outer spaces, left out.", None)
    if not usable:
        raise DataError("No word is left to translate.", hint="Check --words; --keep-numbers also takes numbers.")
    return np.array(usable, dtype=np.int64)


# ---------------------------------------------------------------- the lexicon


@dataclass(frozen=True)
class _Found:
    """Candidates with their probabilities.

    Args:
        candidates: Shape [q, k].
        identical: Shape [q, k].
        probabilities: Shape [q, k].
        sides: What their rows mean.
    """

    candidates: Candidates
    identical: np.ndarray
    probabilities: np.ndarray
    sides: Sides


def _probable(
    rows: np.ndarray, sides: Sides, density: Density, calibration: Calibration, params: InduceParams, job: Job
) -> _Found:
    import numpy as np

    from lexenc.lexical.induction import features, find_candidates, same_strings

    found = find_candidates(
        sides.asks, sides.answers, rows, k=params.top, density=density, device=job.device.name, progress=job.progress
    )
    same = same_strings(found, sides.words, sides.choices)
    probabilities = np.zeros(found.csls.shape)
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        probabilities[part] = calibration.probabilities(features(found.part(part), same[part]))
    return _Found(found, same, probabilities, sides)


def _write(
    out: Path,
    found: _Found,
    known: set[tuple[str, str]],
    calibration: Calibration,
    params: InduceParams,
    job: Job,
) -> dict[str, Any]:
    """Write the lexicon and the table for its review; give the counts."""
    from lexenc.files.lexicons import write_lexicon, write_review

    entries = list(_entries(found, known, params))
    improbable = 0
    if params.min_probability:
        improbable = sum(1 for _ in _entries(found, known, replace(params, min_probability=0.0))) - len(entries)
    if improbable:
        job.notices.say(
            f"{counted(improbable, 'pair')} less probable than {params.min_probability:g} left out; "
            "--min-probability 0 keeps all."
        )
    if not entries:
        job.notices.warn("No translation passes the filters; the lexicon is empty.", "Lower --min-probability.")
    write_lexicon(out / "lexicon.tsv", entries, optimistic=calibration.optimistic)
    write_review(out / "review.csv", entries, optimistic=calibration.optimistic)
    return {
        "words": len(found.candidates),
        "pairs": len(entries),
        "improbable_pairs": improbable,
        "known_pairs": sum(entry.status.startswith("known") for entry in entries),
        "words_with_translation": len({entry.source for entry in entries}),
    }


def _entries(found: _Found, known: set[tuple[str, str]], params: InduceParams) -> Iterator[LexiconEntry]:
    from lexenc.files.lexicons import LexiconEntry, writable
    from lexenc.lexical.induction import chosen, has_letter

    all_of = found.candidates
    kept = chosen(
        all_of,
        found.probabilities,
        min_probability=params.min_probability,
        margin=params.margin,
        mutual=params.mutual,
    )
    if params.identical == "drop":
        kept &= ~found.identical
    words, choices = found.sides.words, found.sides.choices
    for row, place in zip(*kept.nonzero(), strict=True):
        pair = words[all_of.rows[row]], choices[all_of.targets[row, place]]
        if not writable(pair[1]) or not (params.keep_numbers or has_letter(pair[1])):
            continue
        if params.only_new and pair in known:
            continue
        status = "known" if pair in known else "new"
        if found.identical[row, place] and params.identical == "mark":
            status += " identical"
        yield LexiconEntry(
            *pair,
            float(found.probabilities[row, place]),
            float(all_of.csls[row, place]),
            float(all_of.cosine[row, place]),
            float(all_of.margin[row, place]),
            bool(all_of.mutual[row, place]),
            int(place) + 1,
            status,
        )


def _conventions(params: InduceParams, sides: Sides, job: Job) -> dict[str, Any]:
    return {
        "task": "induce",
        "direction": params.direction,
        "search_space": f"whole {params.direction.split('-')[1]} vocabulary",
        "search_space_words": len(sides.choices),
        "retrieval": f"csls {params.csls_neighbours}",
        "out_of_vocabulary": params.out_of_vocabulary,
        "unlisted": "counted wrong",
        "bins": "10 of equal mass",
        "control_of_fit": params.control,
        "seed": job.seed,
    }


INDUCE = Stage(
    name="induce",
    version=2,
    inputs={
        "vectors": Input("Shared space: a folder of map or interpolate."),
        "dictionary": Input(
            "Known entries; probabilities are learnt from them, without what the vectors saw.", required=False
        ),
        "held_out": Input(
            "Entries that no part of the vectors was learnt from, to learn from instead.", required=False
        ),
        "words": Input("Only these words: a list or a folder with words.txt.", required=False),
        "calibration": Input(
            "Probabilities as an earlier induce learnt them for vectors of the same kind (its folder).", required=False
        ),
    },
    params=InduceParams,
    run=induce,
    makes="lexicon.tsv (every command reads it as a dictionary), review.csv for a spreadsheet, calibration.json, "
    "curve.tsv.",
    examples=(
        ("lexenc induce --vectors runs/blended --dictionary train.tsv --out lexicon.tsv", ""),
        (
            "lexenc induce --vectors runs/blended --dictionary train.tsv --top 3 --min-probability 0.5 --only-new "
            "--out review.csv",
            "",
        ),
        ("lexenc induce --vectors runs/blended --dictionary train.tsv --held-out test.tsv --out runs/lexicon", ""),
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_induce,
    files={".tsv": "lexicon.tsv", ".csv": "review.csv"},
)
