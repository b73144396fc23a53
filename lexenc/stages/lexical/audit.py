"""audit: training + test dictionary -> leaks, repeats, capitals, and words without vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexenc.files.dictionaries import Pairs, read_pairs, write_pairs
from lexenc.files.multi_simlex import read_scored_pairs
from lexenc.files.vectors import read_vectors
from lexenc.files.vocabularies import read_vocabulary
from lexenc.lexical.audit import (
    Leaks,
    decomposed,
    find_leaks,
    repeated,
    several_translations,
    with_capitals,
    without_leaks,
)
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.reading import fold_pairs, folding_of, language_param, lowercase_param, tell_remarks, unicode_param
from lexenc.text.folding import Folding, UnicodeForm


@dataclass(frozen=True)
class AuditParams:
    """Parameters of `audit`."""

    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    drop_sources: bool = param(False, "Also drop training pairs whose source word is tested from train.tsv.")
    fail_on_leak: bool = param(
        False,
        "Exit with 1 if a test pair is in the training dictionary, in either order of its sides. Without --out, where "
        "nothing is cleaned, this is always so.",
    )


def audit(inputs: dict[str, Any], params: AuditParams, job: Job) -> Outcome:
    """Compare two dictionaries, and write the training pairs that do not leak."""
    languages = (params.source_language, params.target_language)
    written = [read_pairs(inputs["train"], languages=languages), _test_pairs(inputs["test"], languages)]
    for pairs in written:
        tell_remarks(pairs, job)
    train, test = (fold_pairs(pairs, params) for pairs in written)
    leaks = find_leaks(list(train), list(test))
    kept = without_leaks(list(train), list(test), sources=params.drop_sources)
    write_pairs(job.out / "train.tsv", train.chosen(kept))
    write_pairs(job.out / "leaks.tsv", [*leaks.pairs, *leaks.swapped])
    result: dict[str, Any] = {
        "leaked_pairs": len(leaks.pairs),
        "leaked_swapped_pairs": len(leaks.swapped),
        "leaked_lines": leaks.lines,
        "leaked_sources": len(leaks.sources),
        "leaked_targets": len(leaks.targets),
        "train_kept": len(kept),
    }
    both = {"train": train, "test": test}
    for side, language in zip(("source", "target"), languages, strict=True):
        path = inputs.get(f"{side}_vectors")
        known = set() if path is None else set(_known_words(path, folding_of(params), language))
        for label, pairs in both.items() if path is not None else ():
            words = set(pairs.sources if side == "source" else pairs.targets)
            result[f"{label}_{side}_words_out_of_vocabulary"] = len(words - known)
    rows = [_counts(pairs, own) for pairs, own in zip((train, test), written, strict=True)]
    for label, row in zip(both, rows, strict=True):
        result |= {f"{label}_{key}": value for key, value in row.items()}
    counts = [[key.replace("_", " "), *(str(row[key]) for row in rows)] for key in rows[0]]
    note = (
        "Counted after --lowercase and --unicode, if they are given, except for lines with capitals or "
        "decomposed letters (not in NFC), which are counted in the files."
    )
    tables = [_leak_table(leaks, len(test), result), Table("Dictionaries", ["what", "train", "test"], counts, note)]
    # The question is whether there are leaks. If a clean dictionary is written, that answers it.
    answer = not (leaks.pairs or leaks.swapped) or (job.kept and not params.fail_on_leak)
    cleaned = "train.tsv is without them." if job.kept else "With --out a training dictionary without them is written."
    hint = cleaned if answer else f"The exit code is 1. {cleaned}"
    if leaks.pairs and not answer:
        are = "pair is" if len(leaks.pairs) == 1 else "pairs are"
        job.notices.warn(f"{len(leaks.pairs):,} test {are} in the training dictionary.", hint)
    if leaks.swapped:
        are, their = ("pair is", "its") if len(leaks.swapped) == 1 else ("pairs are", "their")
        job.notices.warn(
            f"{len(leaks.swapped):,} test {are} in the training dictionary with {their} sides swapped.", hint
        )
    return Outcome(result, [result], tables, answer=answer)


def _test_pairs(path: Path, languages: tuple[str | None, str | None]) -> Pairs:
    """Read a test dictionary, or the pairs of a result of cross-pairs without their scores."""
    if not path.is_dir():
        return read_pairs(path, languages=languages)
    scored = read_scored_pairs(path)
    return Pairs(scored.first, scored.second, [], str(path))


def _counts(pairs: Pairs, written: Pairs) -> dict[str, int]:
    listed = list(pairs)
    return {
        "lines": len(listed),
        "sources": len(set(pairs.sources)),
        "repeated_lines": repeated(listed),
        "sources_with_several_translations": several_translations(listed),
        "lines_with_capitals": with_capitals(written),
        "lines_with_decomposed_letters": decomposed(written),
        "phrases": sum(" " in source or " " in target for source, target in listed),
        "identical_pairs": sum(source == target for source, target in listed),
    }


def _known_words(path: Path, folding: Folding, language: str | None) -> list[str]:
    """Read the words of vectors or of a word list."""
    if path.is_dir() or path.name.endswith((".txt", ".txt.gz")):
        return read_vocabulary(path, folding=folding, language=language).words
    return [folding.fold(word, language) for word in read_vectors(path, bad_lines="skip").words]


def _leak_table(leaks: Leaks, lines: int, result: dict[str, Any]) -> Table:
    rows = [
        ["test pairs in train (distinct)", f"{len(leaks.pairs)}"],
        ["test lines with them", f"{leaks.lines} of {lines}"],
        ["test pairs in train with sides swapped", f"{len(leaks.swapped)}"],
        ["test sources that are train sources", f"{len(leaks.sources)}"],
        ["test targets that are train targets", f"{len(leaks.targets)}"],
        ["train lines without leaks", f"{result['train_kept']}"],
    ]
    rows += [
        [key.replace("_", " "), str(value)] for key, value in result.items() if key.endswith("_words_out_of_vocabulary")
    ]
    note = "Distinct pairs. Case counts unless --lowercase is given; Unicode normal forms do not count."
    return Table("Leaks", ["what", "count"], rows, note)


AUDIT = Stage(
    name="audit",
    version=4,
    inputs={
        "train": Input("Training dictionary: source, TAB, target."),
        "test": Input("Test dictionary, or a result of cross-pairs."),
        "source_vectors": Input(
            "Vectors or word list of the source language, to count words without vectors.", required=False
        ),
        "target_vectors": Input("The same for the target language.", required=False),
    },
    params=AuditParams,
    run=audit,
    makes="train.tsv without the leaked pairs, and leaks.tsv. Without --out nothing is written, and the exit code is 1 "
    "if there are leaks.",
    examples=("lexenc audit --train train.tsv --test test.tsv --lowercase",),
    out_required=False,
)
