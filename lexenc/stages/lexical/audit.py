"""audit: training + test dictionary -> what would make a score dishonest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.reading import fold_pairs, language_param, lowercase_param

if TYPE_CHECKING:
    from lexenc.files.dictionaries import Pairs
    from lexenc.lexical.audit import Leaks


@dataclass(frozen=True)
class AuditParams:
    """Parameters of `audit`."""

    lowercase: bool = lowercase_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    drop_sources: bool = param(False, "train.tsv of the result also loses pairs whose source word is tested.")
    fail_on_leak: bool = param(
        False,
        "Exit with 1 where a test pair is in the training dictionary with --out too; without --out, where nothing is "
        "cleaned, that is always so.",
    )


def audit(inputs: dict[str, Any], params: AuditParams, job: Job) -> Outcome:
    """Compare two dictionaries and write what may stay."""
    from lexenc.files.dictionaries import read_pairs, write_pairs
    from lexenc.lexical import audit as core

    languages = (params.source_language, params.target_language)
    written = [read_pairs(inputs["train"], languages=languages), _test_pairs(inputs["test"], languages)]
    # As they are in the files: nothing has capitals any more once --lowercase was applied.
    capitals = [core.with_capitals(pairs) for pairs in written]
    train, test = (fold_pairs(pairs, params) for pairs in written)
    leaks = core.find_leaks(list(train), list(test))
    kept = core.without_leaks(list(train), list(test), sources=params.drop_sources)
    write_pairs(job.out / "train.tsv", train.chosen(kept))
    write_pairs(job.out / "leaks.tsv", leaks.pairs)
    result: dict[str, Any] = {
        "leaked_pairs": len(leaks.pairs),
        "leaked_lines": leaks.lines,
        "leaked_sources": len(leaks.sources),
        "leaked_targets": len(leaks.targets),
        "train_kept": len(kept),
    }
    rows = [_row(pairs, count) for pairs, count in zip((train, test), capitals, strict=True)]
    for name in ("source_vectors", "target_vectors"):
        if inputs.get(name) is not None:
            result |= _out_of_vocabulary(inputs[name], name.split("_")[0], {"train": train, "test": test}, params)
    for label, row in zip(("train", "test"), rows, strict=True):
        result |= {f"{label}_{key}": value for key, value in row.items()}
    tables = [_leak_table(leaks, len(test), result), _dictionary_table(rows)]
    # What was asked is whether there are leaks; where a clean dictionary is made of it, that is the answer.
    answer = not leaks.pairs or (job.kept and not params.fail_on_leak)
    if not answer:
        are = "pair is" if len(leaks.pairs) == 1 else "pairs are"
        cleaned = "" if job.kept else " With --out a training dictionary without them is written."
        job.notices.warn(
            f"{len(leaks.pairs):,} test {are} in the training dictionary.", f"The exit code is 1.{cleaned}"
        )
    return Outcome(result, [result], tables, answer=answer)


def _test_pairs(path: Path, languages: tuple[str | None, str | None]) -> Pairs:
    """Read what is tested: a dictionary, or the pairs of a result of cross-pairs without their scores."""
    from lexenc.files.dictionaries import Pairs, read_pairs
    from lexenc.files.multi_simlex import read_scored_pairs

    if not path.is_dir():
        return read_pairs(path, languages=languages)
    scored = read_scored_pairs(path)
    return Pairs(scored.first, scored.second, [], str(path))


def _row(pairs: Pairs, capitals: int) -> dict[str, int]:
    from lexenc.lexical import audit as core

    listed = list(pairs)
    return {
        "lines": len(listed),
        "sources": len(set(pairs.sources)),
        "repeated_lines": core.repeated(listed),
        "sources_with_several_translations": core.several_translations(listed),
        "lines_with_capitals": capitals,
        "phrases": sum(" " in source or " " in target for source, target in listed),
        "identical_pairs": sum(source == target for source, target in listed),
    }


def _out_of_vocabulary(path: Path, side: str, dictionaries: Mapping[str, Pairs], params: AuditParams) -> dict[str, int]:
    """Count the distinct words without a vector; a word list will do in place of vectors."""
    language = params.source_language if side == "source" else params.target_language
    known = set(_known_words(path, params.lowercase, language))
    counts = {}
    for label, pairs in dictionaries.items():
        words = set(pairs.sources if side == "source" else pairs.targets)
        counts[f"{label}_{side}_words_out_of_vocabulary"] = len(words - known)
    return counts


def _known_words(path: Path, lowercase: bool, language: str | None) -> list[str]:
    from lexenc.files.text import fold_case
    from lexenc.files.vectors import read_vectors
    from lexenc.files.vocabularies import read_vocabulary

    if path.is_dir() or path.name.endswith((".txt", ".txt.gz")):
        return read_vocabulary(path, lowercase=lowercase, language=language).words
    words = read_vectors(path, bad_lines="skip").words
    return [fold_case(word, language) for word in words] if lowercase else words


def _leak_table(leaks: Leaks, lines: int, result: dict[str, Any]) -> Table:
    rows = [
        ["test pairs in train (distinct)", f"{len(leaks.pairs)}"],
        ["test lines that hold them", f"{leaks.lines} of {lines}"],
        ["test sources that are train sources", f"{len(leaks.sources)}"],
        ["test targets that are train targets", f"{len(leaks.targets)}"],
        ["train lines that may stay", f"{result['train_kept']}"],
    ]
    rows += [
        [key.replace("_", " "), str(value)] for key, value in result.items() if key.endswith("_words_out_of_vocabulary")
    ]
    return Table(
        "Leaks", ["what", "count"], rows, "Distinct pairs, compared as they are read; case counts unless --lowercase."
    )


def _dictionary_table(rows: list[dict[str, int]]) -> Table:
    lines = [[key.replace("_", " "), *(str(row[key]) for row in rows)] for key in rows[0]]
    note = "Counted after --lowercase, where that is given, except for lines with capitals: those are the files' own."
    return Table("Dictionaries", ["what", "train", "test"], lines, note)


AUDIT = Stage(
    name="audit",
    version=2,
    inputs={
        "train": Input("Training dictionary: source, TAB, target."),
        "test": Input("Test dictionary, or a result of cross-pairs."),
        "source_vectors": Input(
            "Vectors or word list of the source language, to count words without one.", required=False
        ),
        "target_vectors": Input("The same of the target language.", required=False),
    },
    params=AuditParams,
    run=audit,
    makes="train.tsv without the leaked pairs, and leaks.tsv. Without --out nothing is written, and the exit code is 1 "
    "where there are leaks.",
    examples=(("lexenc audit --train train.tsv --test test.tsv --lowercase", ""),),
    out_required=False,
)
