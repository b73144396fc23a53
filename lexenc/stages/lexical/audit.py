"""audit: training + test dictionary, or sentences -> leaks, repeats, capitals, and words without vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lexenc.artifact import maker_of, owner_of
from lexenc.errors import ConfigError, DataError
from lexenc.files.dictionaries import Pairs, read_pairs, write_pairs
from lexenc.files.exchange.xml import looks_like_xml
from lexenc.files.multi_simlex import read_scored_pairs
from lexenc.files.parallel import BARS, parallel_text
from lexenc.files.text import counted, read_lines, write_lines
from lexenc.files.vectors import read_vectors
from lexenc.files.vocabularies import read_vocabulary
from lexenc.lexical.audit import (
    Leaks,
    Pair,
    decomposed,
    find_leaks,
    repeated,
    several_translations,
    with_capitals,
    without_leaks,
)
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.lineage import seen_lines, seen_pairs, tell_origin
from lexenc.stages.reading import fold_pairs, folding_of, language_param, lowercase_param, tell_remarks, unicode_param
from lexenc.text.folding import Folding, UnicodeForm, same_sentence, trim


@dataclass(frozen=True)
class AuditParams:
    """Parameters of `audit`."""

    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    sentences: bool = param(
        False,
        "Compare sentences: parallel text in one file (TAB, |||, TMX or XLIFF) or, with --train-target and "
        "--test-target, in two; or one sentence per line. Only letters and digits count, in any case, since a file may "
        "be tokenised.",
    )
    drop_sources: bool = param(
        False, "Also drop training pairs whose source word or sentence is tested from train.tsv."
    )
    fail_on_leak: bool = param(
        False,
        "Exit with 1 if a test pair is in the training data, in either order of its sides. Without --out, where "
        "nothing is cleaned, and with --encoder this is always so.",
    )


def audit(inputs: dict[str, Any], params: AuditParams, job: Job) -> Outcome:
    """Compare two dictionaries or sentence files, and write the training pairs that do not leak."""
    if inputs.get("encoder"):
        return _audit_encoder(inputs, params, job)
    if _of_sentences(inputs, params):
        return _audit_sentences(inputs, params, job)
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
    return _judged(leaks, params, job, "training dictionary", result, tables)


def _judged(
    leaks: Leaks,
    params: AuditParams,
    job: Job,
    where: str,
    result: dict[str, Any],
    tables: list[Table],
    *,
    what: str = "pair",
) -> Outcome:
    """Warn of leaks, and return the outcome."""
    # The question is whether there are leaks. If clean training data is written, that answers it.
    answer = not (leaks.pairs or leaks.swapped) or (job.kept and not params.fail_on_leak)
    data = where.replace("training ", "")
    cleaned = "train.tsv is without them." if job.kept else f"With --out a training {data} without them is written."
    hint = cleaned if answer else f"The exit code is 1. {cleaned}"
    if leaks.pairs and not answer:
        are = "is" if len(leaks.pairs) == 1 else "are"
        job.notices.warn(f"{counted(len(leaks.pairs), f'test {what}')} {are} in the {where}.", hint)
    if leaks.swapped:
        are, their = ("pair is", "its") if len(leaks.swapped) == 1 else ("pairs are", "their")
        job.notices.warn(f"{len(leaks.swapped):,} test {are} in the {where} with {their} sides swapped.", hint)
    return Outcome(result, [result], tables, answer=answer)


def check_audit(inputs: Mapping[str, Any], params: AuditParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    given = {name for name in inputs if inputs[name]}
    table = [
        (
            ("train" in given) == ("encoder" in given),
            "Give either --train or --encoder.",
            "--train is a file of training data. With --encoder it is found by the manifests.",
        ),
        (
            "train_target" in given and "train" not in given,
            "--train-target means nothing without --train.",
            "It has the translations of --train, line by line.",
        ),
        (
            bool(given & {"source_vectors", "target_vectors"})
            and ("encoder" in given or _of_sentences(inputs, params)),
            "--source-vectors and --target-vectors are for dictionaries given as --train.",
            "Leave them out.",
        ),
        (
            _of_sentences(inputs, params) and (params.lowercase or params.unicode != "keep"),
            "Sentences are always compared without case and Unicode form.",
            "Leave --lowercase and --unicode out.",
        ),
    ]
    return [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]


def _of_sentences(inputs: Mapping[str, Any], params: AuditParams) -> bool:
    return params.sentences or bool(inputs.get("train_target") or inputs.get("test_target"))


def _audit_sentences(inputs: Mapping[str, Any], params: AuditParams, job: Job) -> Outcome:
    train, test = (_sentences(inputs, name, params, job) for name in ("train", "test"))
    # Sentences without partners are compared one by one, also with those of pairs.
    alone = not all(any(target for _, target in pairs) for pairs in (train, test))
    singles = [[(side, "") for pair in pairs for side in pair if side] for pairs in (train, test)]
    asked = {one for one, _ in map(same_sentence, singles[1])}
    number = len(asked & {one for one, _ in map(same_sentence, singles[0])})
    if alone:
        leaks = find_leaks(*singles, form=same_sentence)
        kept = [place for place, pair in enumerate(map(same_sentence, train)) if asked.isdisjoint(filter(None, pair))]
    else:
        leaks = find_leaks(train, test, form=same_sentence)
        kept = without_leaks(train, test, sources=params.drop_sources, form=same_sentence)
    write_pairs(job.out / "leaks.tsv", map(_cells, [*leaks.pairs, *leaks.swapped]))
    columns = 2 if any(target for _, target in train) else 1
    write_lines(job.out / "train.tsv", ("\t".join(_cells(train[place])[:columns]) for place in kept))
    result = {
        "leaked_pairs": len(leaks.pairs),
        "leaked_swapped_pairs": len(leaks.swapped),
        "leaked_lines": leaks.lines,
        "leaked_sentences": number,
        "train_kept": len(kept),
        "train_lines": len(train),
        "test_lines": len(test),
        "test_sentences": len(asked),
    }
    rows = [
        ["test pairs in train (distinct)", f"{len(leaks.pairs):,}"],
        ["test lines with them", f"{leaks.lines:,} of {len(test):,}"],
        ["test pairs in train with sides swapped", f"{len(leaks.swapped):,}"],
    ]
    rows = [] if alone else rows
    rows += [
        ["test sentences anywhere in train (distinct)", f"{number:,} of {len(asked):,}"],
        ["train lines without leaks", f"{len(kept):,} of {len(train):,}"],
    ]
    table = Table(
        "Leaks", ["what", "count"], rows, "Only letters and digits are compared, in any case. Empty lines do not count."
    )
    return _judged(leaks, params, job, "training text", result, [table], what="sentence" if alone else "pair")


def _sentences(inputs: Mapping[str, Any], name: str, params: AuditParams, job: Job) -> list[Pair]:
    """Read sentence pairs, or sentences that have no partner, with an empty one. Empty lines are left out."""
    path, target = inputs[name], inputs.get(f"{name}_target")
    found: Iterable[Pair]
    if target is not None or looks_like_xml(path) or _has_sides(path):
        text = parallel_text(path, target, languages=(params.source_language, params.target_language))
        found = [(trim(one), trim(other)) for _, one, other in text]
        tell_remarks(text, job)
    else:
        found = ((trim(line), "") for _, line in read_lines(path))
    pairs = [pair for pair in found if any(pair)]
    if not pairs:
        raise DataError(f"There is no sentence in {path}.", hint="One sentence, or sentence pair, per line.")
    return pairs


def _has_sides(path: Path) -> bool:
    """Return whether the first line with a text has two sides."""
    first = next((line for _, line in read_lines(path) if trim(line)), "")
    return "\t" in first or f" {BARS} " in first


def _cells(pair: Pair) -> Pair:
    one, other = (text.replace("\t", " ") for text in pair)
    return one, other


def _audit_encoder(inputs: Mapping[str, Any], params: AuditParams, job: Job) -> Outcome:
    """Look for the test pairs in the data that an encoder was trained on, which its manifests name."""
    encoder, path = inputs["encoder"], inputs["test"]
    home = owner_of(encoder)
    if home is None or maker_of(home) is None:
        raise DataError(
            f"{encoder} has no manifest that says what it was trained on.", hint="Give its training data: --train FILE"
        )
    if _of_sentences(inputs, params):
        pairs = _sentences(inputs, "test", params, job)
        files = [each for each in (path, inputs.get("test_target")) if each is not None]
        found = seen_lines([encoder], [(files, pairs)])[0]
        found = replace(found, pairs=[_cells(pair) for pair in found.pairs])
    else:
        words = _test_pairs(path, (params.source_language, params.target_language))
        tell_remarks(words, job)
        pairs = list(words)
        found = seen_pairs([encoder], pairs, path)
    write_pairs(job.out / "leaks.tsv", found.pairs)
    result: dict[str, Any] = {"leaked_pairs": len(found.pairs), "test_lines": len(pairs), "files": found.files}
    rows = [["distinct test pairs", f"{len(found.pairs):,} of {len(set(pairs)):,}"]]
    if found.sentences is not None:
        distinct = {side for pair in map(same_sentence, pairs) for side in pair if side}
        result |= {"leaked_sentences": found.sentences[0], "test_sentences": len(distinct)}
        result["files"] = list(dict.fromkeys([*found.files, *found.text_files]))
        rows.append(["distinct test sentences, alone or in a pair", f"{found.sentences[0]:,} of {len(distinct):,}"])
    result["unfair"] = found.unfair
    tell_origin(found, job)
    for why in found.unchecked:
        job.notices.warn(why, None)
    note = f"Found in: {', '.join(result['files'])}." if result["files"] else ""
    return Outcome(result, [result], [Table("Trained on", ["what", "count"], rows, note)], answer=not found.pairs)


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
    version=5,
    inputs={
        "train": Input("Training dictionary: source, TAB, target; or training text.", required=False),
        "test": Input("Test dictionary, a result of cross-pairs, or test sentences."),
        "train_target": Input("Translations of --train, line by line, for sentences in two files.", required=False),
        "test_target": Input("Translations of --test, line by line, for sentences in two files.", required=False),
        "encoder": Input(
            "Encoder, instead of --train: the data that it was trained on, as its manifests name it.",
            kind="encoder",
            required=False,
        ),
        "source_vectors": Input(
            "Vectors or word list of the source language, to count words without vectors.", required=False
        ),
        "target_vectors": Input("The same for the target language.", required=False),
    },
    params=AuditParams,
    run=audit,
    check=check_audit,
    makes="train.tsv without the leaked pairs, and leaks.tsv. Without --out nothing is written, and the exit code is 1 "
    "if there are leaks.",
    examples=(
        "lexenc audit --train train.tsv --test test.tsv --lowercase",
        "lexenc audit --train train.en --train-target train.sw --test test.en --test-target test.sw --out runs/clean",
        "lexenc audit --encoder runs/encoder --sentences --test stsb-en-test.tsv",
    ),
    out_required=False,
)
