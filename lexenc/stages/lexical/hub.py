"""map --hub and map --into: many languages in the space of one of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.artifact import UNFINISHED
from lexenc.errors import ConfigError, DataError
from lexenc.files.hubs import Hub, read_hub, share_files, write_hub
from lexenc.files.text import counted
from lexenc.stage import Job, Outcome, Table
from lexenc.stages.lexical.hub_settings import Dictionaries, Dictionary, code_of
from lexenc.stages.reading import fold_vectors, tell_findings

if TYPE_CHECKING:
    from lexenc.files.vectors import Vectors
    from lexenc.lexical.mapping import Normalisation
    from lexenc.stages.lexical.map import MapParams


@dataclass(frozen=True)
class Plan:
    """What is to be mapped where; everything that can be wrong with it is found before any file is read.

    Args:
        about: The space as it will be.
        raw: Files of raw vectors, by language; of those in `into` there are none.
        into: The space that is added to, if any.
        training: Dictionaries.
        tests: Test dictionaries.
    """

    about: Hub
    raw: Mapping[str, Path]
    into: Path | None
    training: Dictionaries
    tests: Dictionaries

    @property
    def new(self) -> list[str]:
        """Give the languages to map: all that were given but the hub."""
        return [name for name in self.raw if name != self.about.hub]

    def dictionary(self, name: str) -> Dictionary | None:
        """Give the training dictionary of a language with the hub."""
        return self.training.find(name, self.about.hub)


@dataclass(frozen=True)
class _Centre:
    """The language that stays.

    Args:
        vectors: Its normalised vectors.
        steps: What raw ones go through.
    """

    vectors: Vectors
    steps: Normalisation


def map_to_hub(inputs: dict[str, Any], params: MapParams, job: Job) -> Outcome:
    """Map one language after the other to the hub, and score all pairs that have a test dictionary."""
    from lexenc.stages.lexical.hub_pairs import headline, pair_tables, score_pairs

    plan = read_plan(inputs, params)
    work = job.out / UNFINISHED
    work.mkdir(exist_ok=True)
    centre = _centre(plan, params, job)
    reports = [_mapped_once(name, plan, centre, params, work, job) for name in plan.new]
    size = centre.vectors.matrix.shape[1]
    del centre
    if plan.into is not None:
        for name in read_hub(plan.into).languages:
            share_files(plan.into / name, job.out / name)
    write_hub(job.out, plan.about)
    results = score_pairs(plan, params, job, scratch=work)
    shutil.rmtree(work)
    summary = {"languages": len(plan.about.languages), "mapped": len(reports), "hub": plan.about.hub}
    summary |= {"dimensions": size} | headline(results)
    tables = [_language_table(plan, reports), *pair_tables(results, plan.about.languages)]
    answer = all(each.get("verdict") != "not found" for each in reports)
    return Outcome(summary, [*results, *reports], tables, answer=answer)


def read_plan(inputs: Mapping[str, Any], params: MapParams) -> Plan:
    """Find out which languages there are and what belongs to them.

    Raises:
        ConfigError: If a language is there twice, has no dictionary, or the space has other settings.
    """
    raw, into = inputs["vectors"], inputs.get("into")
    if into is None:
        about = Hub(str(params.hub), list(raw), params.lowercase)
    else:
        about = _enlarged(read_hub(into), into, list(raw), params)
    training = Dictionaries(inputs["dictionaries"], about.languages, "--dictionaries")
    tests = Dictionaries(inputs["test_dictionaries"], about.languages, "--test-dictionaries")
    plan = Plan(about, raw, into, training, tests)
    needs = params.supervision in ("dictionary", "semi")
    for name in plan.new:
        if needs and plan.dictionary(name) is None:
            pair = f"{about.hub}-{name}"
            hint = f"Add {pair}.tsv to the folder, or name it: --dictionaries {pair}=PATH"
            raise ConfigError(f"--dictionaries has none of {about.hub} and {name}.", hint=hint)
    return plan


def _enlarged(space: Hub, into: Path, names: list[str], params: MapParams) -> Hub:
    """Give what a space will be made of when languages are added to it."""
    twice = [name for name in names if name in space.languages]
    if twice:
        hint = "Only new languages are added; what is there stays."
        raise ConfigError(f"{into} holds '{twice[0]}' already.", hint=hint)
    if params.hub is not None and params.hub != space.hub:
        raise ConfigError(f"The hub of {into} is '{space.hub}', not '{params.hub}'.", hint="Leave --hub out.")
    if params.lowercase != space.lowercase:
        was, remedy = ("lower-cased", "Add") if space.lowercase else ("not lower-cased", "Leave out")
        raise ConfigError(f"The words of {into} are {was}.", hint=f"{remedy} --lowercase.")
    return Hub(space.hub, [*space.languages, *names], space.lowercase)


# ---------------------------------------------------------------- the hub and the others


def _centre(plan: Plan, params: MapParams, job: Job) -> _Centre:
    """Normalise the hub and write it, or take it from the space that is added to."""
    import numpy as np

    from lexenc.files.vectors import load_vectors, save_vectors
    from lexenc.lexical.mapping import Mapping, fit_normalisation
    from lexenc.stages.lexical.mappings import load_mapping, save_mapping

    hub = plan.about.hub
    if plan.into is not None:
        steps = load_mapping(plan.into / hub).source_normalisation
        if steps is None:
            raise DataError(f"{plan.into / hub} does not say how its vectors were normalised.", hint="Make it again.")
        return _Centre(load_vectors(plan.into / hub), steps)
    vectors = read_language(hub, plan, params, job)
    steps = fit_normalisation(vectors.matrix, params.normalise or ())
    steps.apply(vectors.matrix, out=vectors.matrix)
    size = vectors.matrix.shape[1]
    same = np.eye(size)
    stays = Mapping(same, same, np.ones(size), rank=size, pairs=0, kind="orthogonal", whitened=False)
    save_vectors(job.out / hub, vectors.words, vectors.matrix)
    save_mapping(job.out / hub, stays.normalised_by(steps, steps))
    return _Centre(vectors, steps)


def read_language(name: str, plan: Plan, params: MapParams, job: Job) -> Vectors:
    """Read the raw vectors of a language, folded where that was asked for."""
    from lexenc.files.vectors import read_vectors

    vectors = read_vectors(
        plan.raw[name],
        limit=params.limit,
        duplicates=params.duplicates,
        bad_lines=params.bad_lines,
        progress=job.progress,
    )
    tell_findings(vectors, job)
    return fold_vectors(vectors, code_of(name)) if params.lowercase else vectors


def _mapped_once(name: str, plan: Plan, centre: _Centre, params: MapParams, work: Path, job: Job) -> dict[str, Any]:
    """Map a language, unless earlier work has done so; gives what is to be reported of it."""
    done = work / f"{name}.json"
    if done.is_file():
        job.notices.say(f"map: {name} is finished already.")
        report: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        return report
    with own_place(name, work / name, job):
        report = _map_language(name, plan, centre, params, job)
    shutil.rmtree(job.out / name, ignore_errors=True)
    (work / name).rename(job.out / name)
    done.write_text(json.dumps(report), encoding="utf-8")
    return report


@contextmanager
def own_place(name: str, folder: Path, job: Job) -> Iterator[None]:
    """Let the work on one language go into a folder of its own, and its remarks begin with its name."""
    out, notices = job.out, job.notices
    folder.mkdir(parents=True, exist_ok=True)
    job.out = folder
    job.notices = replace(
        notices,
        warn=lambda message, hint: notices.warn(f"{name}: {message}", hint),
        say=lambda message: notices.say(f"{name}: {message}"),
    )
    try:
        yield
    finally:
        job.out, job.notices = out, notices


def _map_language(name: str, plan: Plan, centre: _Centre, params: MapParams, job: Job) -> dict[str, Any]:
    from lexenc.files.vectors import save_vectors
    from lexenc.lexical.hub import anchored
    from lexenc.stages.lexical.map_learning import learn_mapping
    from lexenc.stages.lexical.mappings import moved, save_mapping

    vectors = read_language(name, plan, params, job)
    size, wanted = vectors.matrix.shape[1], centre.vectors.matrix.shape[1]
    if size != wanted:
        raise ConfigError(
            f"{plan.raw[name]} has {counted(size, 'column')}, the hub {wanted}.",
            hint="Vectors of all languages need one size.",
        )
    hub, found = plan.about.hub, plan.dictionary(name)
    given = {"dictionary": found.read(name, hub, lowercase=params.lowercase) if found is not None else None}
    own = replace(params, source_language=code_of(name), target_language=code_of(hub))
    # The hub is normalised already, and is so once and for all: whoever is added later meets the same.
    learnt = learn_mapping(vectors, centre.vectors, given, own, job, target_normalise=("none",))
    mapping = replace(anchored(learnt.mapping), target_normalisation=centre.steps)
    made = moved(vectors, mapping, "source")
    save_vectors(job.out, made.words, made.matrix)
    save_mapping(job.out, mapping)
    report = {"task": "map", "language": name, "hub": hub, "words": len(made.words), "dimensions": wanted}
    return report | {"pairs_used": mapping.pairs, "rank": mapping.rank} | learnt.summary


def _language_table(plan: Plan, reports: list[dict[str, Any]]) -> Table:
    """Show the languages that were mapped."""
    judged = any("verdict" in each for each in reports)
    rows = [
        [each["language"], f"{each['words']:,}", f"{each['pairs_used']:,}", f"{each['rank']:,}"]
        + ([str(each.get("verdict", ""))] if judged else [])
        for each in reports
    ]
    columns = ["language", "words", "pairs used", "rank"] + (["mapping"] if judged else [])
    note = f"The space is that of '{plan.about.hub}', which stays where it is."
    if plan.into is not None:
        others = [name for name in plan.about.languages if name not in plan.raw and name != plan.about.hub]
        note += f" {', '.join(others) or 'Nothing else'}: as in {plan.into}."
    return Table(f"Mapped to '{plan.about.hub}'", columns, rows, note)
