"""Sets of synonyms for tuning: read, folded, paired, and said what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from lexenc.errors import ConfigError, DataError
from lexenc.files.text import counted, fold_case
from lexenc.stage import Job

if TYPE_CHECKING:
    from lexenc.files.synonyms import SynonymEntry, SynonymForm, SynonymReport
    from lexenc.training.data import PairData
    from lexenc.training.synonyms import SynonymSets

_STEP = 8192
# What UMLS calls the language whose case has a rule of its own.
_OWN_CASE = {"TUR": "tr"}


class SynonymPolicy(Protocol):
    """Parameters that say how sets of synonyms become pairs."""

    @property
    def lowercase(self) -> bool:
        """Whether case is folded."""

    @property
    def source_language(self) -> str | None:
        """Language of all names, for folding; that of a row of MRCONSO.RRF comes first."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Abbreviations of UMLS whose rows are kept; empty for all."""

    @property
    def suppressible(self) -> Literal["drop", "keep"] | None:
        """What becomes of suppressible rows."""

    @property
    def pairs_per_concept(self) -> int | None:
        """Pairs of a concept at most."""

    @property
    def control(self) -> Literal["none", "shuffled-pairs"]:
        """Whether names are dealt to concepts at random."""


@dataclass(frozen=True)
class SynonymData:
    """Training pairs of synonyms.

    Args:
        data: The pairs.
        counts: What was found, for the summary.
    """

    data: PairData
    counts: dict[str, Any]


def read_synonym_data(paths: Sequence[Path], policy: SynonymPolicy, job: Job) -> SynonymData:
    """Read files of synonyms and pair the names of every concept.

    Raises:
        DataError: If a file cannot be used, or no concept has two names.
        ConfigError: If languages are asked for that no file has.
    """
    from lexenc.files.synonyms import SynonymReport, synonym_form
    from lexenc.training.synonyms import gather_sets, number_synonyms, shuffled_sets, synonym_pairs

    forms = {path: synonym_form(path) for path in paths}
    report = SynonymReport()
    with job.progress.task("read synonyms", None, "names") as task:
        sets = gather_sets(_folded(_watched(_entries(paths, policy, report), task), policy))
    _check_languages(forms, policy, report)
    sizes = sets.sizes()
    if not (sizes > 1).any():
        raise DataError(
            f"No concept of {paths[0] if len(paths) == 1 else counted(len(paths), 'file')} has two names "
            f"({counted(len(sizes), 'concept')}, {counted(len(sets.texts), 'name')}).",
            hint="Synonyms are lines with one identifier: C0032821||potassium, then C0032821||kalium.",
        )
    if policy.control == "shuffled-pairs":
        sets = shuffled_sets(sets, seed=job.seed)
    limit = policy.pairs_per_concept or 1
    pairs = synonym_pairs(sets, per_concept=limit, seed=job.seed)
    fold = partial(fold_case, language=policy.source_language)
    data = number_synonyms(sets, pairs, fold=fold)
    counts = _counts(sets, sizes, len(pairs), limit)
    if "MRCONSO" in forms.values():
        counts |= _left_out(policy, report)
    _tell(forms, counts, limit, job)
    if not policy.lowercase:
        _tell_case(data, job)
    return SynonymData(data, counts)


def _entries(paths: Iterable[Path], policy: SynonymPolicy, report: SynonymReport) -> Iterator[SynonymEntry]:
    from lexenc.files.synonyms import read_synonyms

    keep = policy.suppressible == "keep"
    for path in paths:
        yield from read_synonyms(path, languages=policy.languages, keep_suppressible=keep, report=report)


def _watched(entries: Iterable[SynonymEntry], task: Any) -> Iterator[SynonymEntry]:
    number = 0
    for number, entry in enumerate(entries, start=1):
        yield entry
        if number % _STEP == 0:
            task.advance(_STEP)
    task.advance(number % _STEP)


def _folded(
    entries: Iterable[SynonymEntry], policy: SynonymPolicy
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    for concepts, names, language in entries:
        if policy.lowercase:
            own = _OWN_CASE.get(language, language and "en") if language else policy.source_language
            names = tuple(fold_case(name, own) for name in names)
        yield concepts, names


def _check_languages(forms: dict[Path, SynonymForm], policy: SynonymPolicy, report: SynonymReport) -> None:
    """Refuse languages that name nothing: no file tells languages, or none of its rows is of that one."""
    if not policy.languages:
        return
    if "MRCONSO" not in forms.values():
        raise ConfigError(
            "--languages needs MRCONSO.RRF: no other file says which language a name is in.",
            hint="Leave it out, and give the files of the languages you want.",
        )
    missing = [code for code in policy.languages if not report.languages[code]]
    if missing:
        raise ConfigError(
            f"No name of MRCONSO.RRF is in the language {missing[0]}"
            f"{' that is not suppressible' if policy.suppressible == 'drop' else ''}.",
            hint="Which there are, with counts: cut -d'|' -f2 MRCONSO.RRF | sort | uniq -c",
        )


def _counts(sets: SynonymSets, sizes: np.ndarray, pairs: int, limit: int) -> dict[str, Any]:
    own = np.diff(sets.starts)
    return {
        "pairs": pairs,
        "concepts": len(sets.concepts),
        "names": len(sets.texts),
        "concepts_with_one_name": int((sizes == 1).sum()),
        "concepts_with_pairs_drawn": int((own * (own - 1) // 2 > limit).sum()),
    }


def _left_out(policy: SynonymPolicy, report: SynonymReport) -> dict[str, Any]:
    table: dict[str, Any] = {"suppressible": policy.suppressible}
    if policy.suppressible == "drop":
        table["suppressible_rows"] = report.suppressible
    if policy.languages:
        table["rows_of_other_languages"] = report.other_languages
    return table


def _tell(forms: dict[Path, SynonymForm], counts: dict[str, Any], limit: int, job: Job) -> None:
    from lexenc.files.synonyms import FORMS

    for path, form in forms.items():
        job.notices.say(f"{path}: {FORMS[form]}.")
    single, drawn = counts["concepts_with_one_name"], counts["concepts_with_pairs_drawn"]
    sentence = f"{counted(counts['concepts'], 'concept')} with {counted(counts['names'], 'name')}."
    if single:
        sentence += f" {counted(single, 'concept')} with one name only: no pair."
    if drawn:
        sentence += f" {counted(drawn, 'concept')} with more than {counted(limit, 'pair')}: {limit:,} drawn of each."
    job.notices.say(sentence)
    if "suppressible_rows" in counts:
        job.notices.say(
            f"{counted(counts['suppressible_rows'], 'suppressible row')} left out, which SapBERT keeps; "
            "--suppressible keep takes them too."
        )


def _tell_case(data: PairData, job: Job) -> None:
    """Say how many pairs teach nothing but case."""
    alike = int((data.folds[data.anchors] == data.folds[data.positives]).sum())
    if alike:
        job.notices.warn(
            f"{counted(alike, 'pair')} of {len(data):,} {'differs' if alike == 1 else 'differ'} in case only.",
            "--lowercase, as SapBERT has it, makes such names one.",
        )
