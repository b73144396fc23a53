"""map-hub: vectors of many languages + dictionaries with one of them, the hub -> one space for all."""

from __future__ import annotations

import collections.abc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lexenc.artifact import UNFINISHED
from lexenc.durable import clear_tree, flush_tree, share
from lexenc.errors import ConfigError, DataError, unknown_name
from lexenc.files.hubs import Hub, HubDictionaries, code_of, read_hub, share_files, write_hub
from lexenc.files.text import counted
from lexenc.files.vectors import Vectors, load_vectors, read_vectors, save_vectors
from lexenc.lexical.hub import anchored
from lexenc.lexical.mapping import Mapping, Normalisation, fit_normalisation, space_rank
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.lexical.map import LearningParams, check_device, check_learning, fill_in, learn_mapping
from lexenc.stages.lexical.shared import ReadingParams, as_read, load_mapping, mapped, save_mapping
from lexenc.stages.reading import folding_of, tell_remarks
from lexenc.stages.unfinished import once, own_folder

_VECTORS = Input(
    "Vectors of a language with its name, e.g. en=en.vec. Give it once per language.", many=True, named=True
)
# The hub is not re-weighted, and every language gets the hub's spread instead of its own, so that languages can be
# compared with each other as well. Measured in the hub 'en' with GT-BLI (de, fr, it; mean P@1 of six directions with
# the hub and of de-fr, fr-de; nearest / CSLS): this 15.4 / 19.6 and 5.1 / 6.2; own spread 10.6 / 15.0 and 3.0 / 4.2;
# rotations 10.6 / 13.2 and 3.7 / 4.2; least squares 15.1 / 19.6 and 4.9 / 5.8; both sides re-weighted and the hub's
# side undone by its inverse (de, fr) 1.4 / 2.0 and 0.1 / 0.1.
_ANCHORED: dict[str, Any] = {
    "source_reweight": 0.5,
    "target_reweight": 0.0,
    "source_dewhiten": "target",
    "target_dewhiten": "target",
}


@dataclass(frozen=True)
class MapHubParams(ReadingParams, LearningParams):
    """Parameters of `map-hub`."""

    hub: str | None = param(None, "Name of the language whose space all others are mapped to. It does not move.")


def resolve_map_hub(inputs: collections.abc.Mapping[str, Any], params: MapHubParams) -> MapHubParams:
    """Fill in the values that keep the hub where it is, then those of the preset."""
    del inputs
    own = {name: value for name, value in _ANCHORED.items() if getattr(params, name) is None}
    resolved: MapHubParams = fill_in(replace(params, **own))
    return resolved


def check_map_hub(inputs: collections.abc.Mapping[str, Any], params: MapHubParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    resolved = resolve_map_hub(inputs, params)
    faults = check_learning(resolved)
    if resolved.supervision in ("dictionary", "semi") and not inputs.get("dictionaries"):
        hint = "A folder with files such as en-de.tsv. Without: --supervision identical, numerals or none."
        faults.append(ConfigError(f"--supervision {resolved.supervision} needs --dictionaries.", hint=hint))
    if resolved.supervision not in ("dictionary", "semi") and inputs.get("dictionaries"):
        hint = "Use --supervision semi, which starts from them, or leave --dictionaries out."
        faults.append(ConfigError(f"--supervision {resolved.supervision} takes no --dictionaries.", hint=hint))
    if resolved.reduce_to is not None:
        hint = "Reduce the vectors before."
        faults.append(ConfigError("The hub does not move; --reduce-to cannot be used.", hint=hint))
    moves = resolved.target_reweight != 0 or (resolved.whiten and resolved.target_dewhiten != "target")
    if resolved.kind == "advanced" and moves:
        hint = "Leave --target-reweight and --target-dewhiten out; --source-reweight can do the same."
        faults.append(ConfigError("The hub does not move; the target side cannot be re-weighted, nor left whitened.",
                                  hint=hint))  # fmt: skip
    return faults + _check_names(inputs, params)


def _check_names(inputs: collections.abc.Mapping[str, Any], params: MapHubParams) -> list[ConfigError]:
    names = _names(inputs)
    hint = "Write it with its name: --vectors en=en.vec"
    faults = [ConfigError("--vectors must be NAME=PATH.", hint=hint)] if "" in names else []
    faults += [ConfigError(f"--vectors cannot be called '{each}'.", hint="Use another name.")
               for each in names if each in (UNFINISHED, "source", "target")]  # fmt: skip
    if inputs.get("into") or "" in names:
        return faults
    if params.hub is None:
        hint = f"Choose one of: {', '.join(names)}. Or add languages to a hub: --into FOLDER"
        faults.append(ConfigError("map-hub needs --hub, the name of a language.", hint=hint))
    elif params.hub not in names:
        faults.append(unknown_name("language among --vectors", params.hub, names))
    elif len(names) < 2:
        faults.append(ConfigError("--vectors has no language besides the hub.", hint="Give it once per language."))
    return faults


def _names(inputs: collections.abc.Mapping[str, Any]) -> list[str]:
    """Return the names of `--vectors`, whether the values are texts of a user or paths by name."""
    value = inputs.get("vectors") or []
    if isinstance(value, collections.abc.Mapping):
        return list(value)
    return [_VECTORS.label(str(text)) for text in (value if isinstance(value, list | tuple) else [value])]


@dataclass(frozen=True)
class _Task:
    """What to map where. All errors of the inputs are found before any vectors are read.

    Args:
        about: The space as it will be.
        raw: Files of raw vectors by language; none for the languages of `into`.
        into: The space to add to, if any.
        dictionaries: Training dictionaries.
    """

    about: Hub
    raw: collections.abc.Mapping[str, Path]
    into: Path | None
    dictionaries: HubDictionaries

    @classmethod
    def of(cls, inputs: collections.abc.Mapping[str, Any], params: MapHubParams) -> _Task:
        """Find out which languages there are, and their dictionaries.

        Raises:
            ConfigError: If a language occurs twice or has no dictionary, or the space has other settings.
        """
        raw, into = inputs["vectors"], inputs.get("into")
        about = Hub(str(params.hub), list(raw), params.lowercase, params.unicode)
        if into is not None:
            about = _enlarged(read_hub(into), into, list(raw), params)
        dictionaries = HubDictionaries(
            inputs["dictionaries"], about.languages, "--dictionaries", folding=folding_of(params)
        )
        task = cls(about, raw, into, dictionaries)
        for name in task.new if params.supervision in ("dictionary", "semi") else ():
            if (name, about.hub) not in dictionaries:
                pair = f"{about.hub}-{name}"
                hint = f"Add {pair}.tsv to the folder, or name it: --dictionaries {pair}=PATH"
                raise ConfigError(f"--dictionaries has none of {about.hub} and {name}.", hint=hint)
        return task

    @property
    def new(self) -> list[str]:
        """The languages to map: all that were given except the hub."""
        return [name for name in self.raw if name != self.about.hub]


def _enlarged(space: Hub, into: Path, names: list[str], params: MapHubParams) -> Hub:
    """Describe a space with more languages, after checking that they can be added."""
    twice = [name for name in names if name in space.languages]
    if twice:
        raise ConfigError(f"{into} holds '{twice[0]}' already.", hint="Only new languages can be added.")
    if params.hub is not None and params.hub != space.hub:
        raise ConfigError(f"The hub of {into} is '{space.hub}', not '{params.hub}'.", hint="Leave --hub out.")
    if params.lowercase != space.lowercase:
        was, remedy = ("lower-cased", "Add") if space.lowercase else ("not lower-cased", "Leave out")
        raise ConfigError(f"The words of {into} are {was}.", hint=f"{remedy} --lowercase.")
    if params.unicode != space.unicode:
        hint = f"Use --unicode {space.unicode}."
        raise ConfigError(f"The words of {into} were read with --unicode {space.unicode}.", hint=hint)
    return replace(space, languages=[*space.languages, *names])


def map_hub(inputs: dict[str, Any], params: MapHubParams, job: Job) -> Outcome:
    """Map one language after the other to the hub."""
    check_device(job)
    task = _Task.of(inputs, params)
    (job.out / UNFINISHED).mkdir(exist_ok=True)
    vectors, steps = _hub_vectors(task, params, job)
    reports = [_map_once(name, task, vectors, steps, params, job) for name in task.new]
    if task.into is not None:
        for name in read_hub(task.into).languages:
            share_files(task.into / name, job.out / name)
    write_hub(job.out, task.about)
    summary = {"languages": len(task.about.languages), "mapped": len(reports), "hub": task.about.hub}
    summary |= {"dimensions": vectors.matrix.shape[1]}
    answer = all(each.get("verdict") != "not found" for each in reports)
    return Outcome(summary, reports, [_table(task, reports)], answer=answer)


def _hub_vectors(task: _Task, params: MapHubParams, job: Job) -> tuple[Vectors, Normalisation]:
    """Normalise the hub and write it, or load it from the space to add to; return its normalisation as well."""
    hub = task.about.hub
    if task.into is not None:
        known = load_mapping(task.into / hub).source_normalisation
        if known is None:
            raise DataError(f"{task.into / hub} does not say how its vectors were normalised.", hint="Make it again.")
        return load_vectors(task.into / hub), known
    vectors = read_language(hub, task.raw[hub], params, job)
    steps = fit_normalisation(vectors.matrix, params.normalise or ())
    steps.apply(vectors.matrix, out=vectors.matrix)
    size = vectors.matrix.shape[1]
    same = np.eye(size)
    rank = space_rank(vectors.matrix)
    stays = Mapping(same, same, np.ones(size), rank=rank, pairs=0, kind="orthogonal", whitened=False)
    save_vectors(job.out / hub, vectors.words, vectors.matrix)
    save_mapping(job.out / hub, stays.normalised_by(steps, steps))
    return vectors, steps


def read_language(name: str, path: Path, params: MapHubParams, job: Job) -> Vectors:
    """Read the raw vectors of a language."""
    return as_read(read_vectors(path, progress=job.progress, **params.options), params, code_of(name), job)


def _map_once(
    name: str, task: _Task, hub: Vectors, steps: Normalisation, params: MapHubParams, job: Job
) -> dict[str, Any]:
    """Map a language unless earlier, interrupted work has done it; return its report."""
    folder = job.out / UNFINISHED / name
    done = folder / UNFINISHED / "done.json"
    if done.is_file():
        job.notices.say(f"map-hub: {name} is finished already.")
    (folder / UNFINISHED).mkdir(parents=True, exist_ok=True)

    def work() -> tuple[dict[str, Any], list[Path]]:
        clear_tree(folder, keep=(UNFINISHED,))
        with own_folder(name, folder, job):
            made = _map_language(name, task, hub, steps, params, job)
        flush_tree(folder, without=(UNFINISHED,))
        return made, [each for each in folder.iterdir() if each.name != UNFINISHED]

    report = once(done, job, work)
    (job.out / name).mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name != UNFINISHED:
            share(path, job.out / name / path.name)
    return report


def _map_language(
    name: str, task: _Task, hub: Vectors, steps: Normalisation, params: MapHubParams, job: Job
) -> dict[str, Any]:
    vectors = read_language(name, task.raw[name], params, job)
    size, wanted = vectors.matrix.shape[1], hub.matrix.shape[1]
    if size != wanted:
        raise ConfigError(
            f"{task.raw[name]} has {counted(size, 'column')}, the hub {wanted}.",
            hint="Vectors of all languages need the same size.",
        )
    pairs = task.dictionaries.read(name, task.about.hub)
    if pairs is not None:
        tell_remarks(pairs, job)
    # The hub is normalised already, once for all, so that languages added later are mapped to the same vectors.
    learned = learn_mapping(
        vectors,
        hub,
        pairs,
        params,
        job,
        folding=folding_of(params),
        languages=(code_of(name), code_of(task.about.hub)),
        target_normalise=("none",),
    )
    mapping = replace(anchored(learned.mapping), target_normalisation=steps)
    made = mapped(vectors, mapping, "source")
    save_vectors(job.out, made.words, made.matrix)
    save_mapping(job.out, mapping)
    report = {"task": "map", "language": name, "hub": task.about.hub, "words": len(made.words), "dimensions": wanted}
    return report | {"pairs_used": mapping.pairs, "rank": mapping.rank} | learned.summary


def _table(task: _Task, reports: list[dict[str, Any]]) -> Table:
    judged = any("verdict" in each for each in reports)
    rows = [
        [each["language"], f"{each['words']:,}", f"{each['pairs_used']:,}", f"{each['rank']:,}"]
        + ([str(each.get("verdict", ""))] if judged else [])
        for each in reports
    ]
    columns = ["language", "words", "pairs used", "rank"] + (["mapping"] if judged else [])
    note = f"The space is that of '{task.about.hub}', which does not move."
    if task.into is not None:
        others = [name for name in task.about.languages if name not in task.raw and name != task.about.hub]
        note += f" Unchanged from {task.into}: {', '.join(others) or 'no other language'}."
    return Table(f"Mapped to '{task.about.hub}'", columns, rows, note)


MAP_HUB = Stage(
    name="map-hub",
    version=2,
    inputs={
        "vectors": _VECTORS,
        "dictionaries": Input(
            "Folder with training dictionaries such as en-de.tsv, or a dictionary as en-de=PATH.",
            required=False,
            many=True,
            named=True,
        ),
        "into": Input("Space of map-hub to add languages to. Its own languages do not move.", required=False),
    },
    params=MapHubParams,
    run=map_hub,
    makes="hub.json, and for every language a folder with vectors.npy, words.txt and mapping.safetensors; after "
    "self-learning also iterations.jsonl and induced.tsv.",
    examples=(
        "lexenc map-hub --hub en --vectors en=en.vec --vectors de=de.vec --vectors fr=fr.vec --dictionaries train/ "
        "--out runs/hub",
        "lexenc map-hub --into runs/hub --vectors it=it.vec --dictionaries train/ --out runs/hub-it",
    ),
    next_step="lexenc eval bli --vectors {out} --dictionary TEST-DICTIONARIES",
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_map_hub,
    resolve=resolve_map_hub,
    elsewhere=dict.fromkeys(("test_dictionaries", "retrieval"), "eval bli")
    | dict.fromkeys(("source", "target", "dictionary"), "map")
    | {"mapping": "apply-mapping"},
)
