"""Decide whether a stage must run, and run it."""

from __future__ import annotations

import functools
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import lexenc
from lexenc import artifact, durable
from lexenc.artifact import DigestStore, InputRecord, Manifest
from lexenc.device import Precision
from lexenc.encoders.locate import Located, locate_encoder
from lexenc.errors import ConfigError, LexencError, several, unknown_name
from lexenc.files.text import number_of
from lexenc.parameters import as_dict, build, default_of, parameters
from lexenc.progress import SILENT, Progress
from lexenc.resources import bundled_path
from lexenc.stage import GivenSource, Input, Job, Notices, Outcome, Stage

Action = Literal["run", "resume", "reuse", "refuse"]


@dataclass(frozen=True)
class Plan:
    """What a stage would do, and why.

    Args:
        stage: The stage.
        inputs: Paths by input name, as the stage takes them.
        records: What each input is, by name.
        params: Checked parameters.
        seed: Seed of all random choices.
        out: Output folder. None for a result that is only printed.
        key: Key of the recipe.
        precision: Arithmetic of encoders.
        action: What would be done.
        reasons: Why.
        held: For a refusal: what the output folder holds already.
        remedy: For a refusal: what the user can do, besides choosing another folder.
        force: Replace another result of lexenc.
        states: States of the files of each input before their digests were computed.
        altered: Files that were changed after lexenc made them, by input as the user gave it.
    """

    stage: Stage
    inputs: dict[str, Any]
    records: dict[str, list[InputRecord]]
    params: Any
    seed: int
    out: Path | None
    key: str
    precision: Precision = "float32"
    action: Action = "run"
    reasons: tuple[str, ...] = ("no result yet",)
    held: str = "a result"
    remedy: str = "add --force to replace it"
    force: bool = False
    states: Mapping[str, list[artifact.FileStates]] = field(default_factory=dict)
    altered: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def recipe(self) -> dict[str, Any]:
        """The parameters that the result depends on."""
        recipe = as_dict(self.params, only_result=True)
        return recipe | {"precision": self.precision} if self.stage.uses_device else recipe

    def refusal(self, elsewhere: str = "Choose another --out") -> ConfigError:
        """Return the error for a plan that refuses.

        Args:
            elsewhere: How the user can choose another folder.
        """
        message = f"{self.out} already holds {self.held} ({'; '.join(self.reasons)})."
        return ConfigError(message, hint=f"{elsewhere}, or {self.remedy}.")


def check_inputs(stage: Stage, given: Mapping[str, Any]) -> list[ConfigError]:
    """Return the errors in the names of the inputs, without looking at any file."""
    faults = []
    for name in given:
        if name not in stage.inputs:
            fault = unknown_name(f"input of {stage.name}", name, stage.inputs)
            fault.hint = stage.hint_for(name) or fault.hint
            faults.append(fault)
    for name, one in stage.inputs.items():
        if one.required and given.get(name) in (None, [], ()):
            hint = f"It is the {one.help[:1].lower()}{one.help[1:]}"
            faults.append(ConfigError(f"{stage.name} needs --{name.replace('_', '-')}.", hint=hint))
    return faults


def texts_of(value: Any) -> list[Any]:
    """Return the texts of an input that was given as one, several or none."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def numbers_moved(
    stage: Stage, inputs: Mapping[str, Any], params: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return inputs and parameters, in which numbers given for inputs are values of the parameters that they set.

    Raises:
        ConfigError: If such a parameter has a value too.
    """
    kept, values = dict(inputs), dict(params)
    for name, one in stage.inputs.items():
        texts = texts_of(inputs.get(name)) if one.number else []
        if len(texts) == 1 and number_of(str(texts[0])) is not None:
            default, value = default_of(parameters(stage.params)[one.number][0]), values.get(one.number)
            if value is not None and value != default and (default is None or number_of(str(value)) != default):
                option = f"--{one.number.replace('_', '-')}"
                raise ConfigError(f"--{name} {texts[0]} and {option} are the same setting.", hint="Give one of them.")
            del kept[name]
            values[one.number] = texts[0]
    return kept, values


def _locate(stage: Stage, name: str, given: str, made_by: str | None) -> Located:
    _, given = stage.inputs[name].split(given)
    if stage.inputs[name].kind == "encoder":
        return locate_encoder(given)
    path = bundled_path(given) or Path(given)
    if not path.exists():
        if fault := stage.inputs[name].unknown_kind(given):
            raise fault
        hint = f"Run the stage that makes it first: {made_by}" if made_by else "Check the path."
        raise ConfigError(f"{stage.name}: input '{name}' is not there: {given}", hint=hint)
    return Located(path, None)


def find_inputs(
    stage: Stage, given: Mapping[str, Any], makers: Mapping[str, str] | None = None
) -> dict[str, list[Located]]:
    """Find all inputs.

    Args:
        stage: The stage.
        given: Text or list of texts by input name. None for an optional input that was left out.
        makers: For the hint on a missing input: the command that makes it, by the text given for it.

    Raises:
        ConfigError: If inputs are missing or unknown, all of them in one error.
    """
    faults = check_inputs(stage, given)
    found: dict[str, list[Located]] = {}
    for name, one in stage.inputs.items():
        texts, option = [str(text) for text in texts_of(given.get(name))], f"--{name.replace('_', '-')}"
        if len(texts) > 1 and not one.repeated:
            faults.append(ConfigError(f"{stage.name} takes one --{name}, got {len(texts)}.", hint="Give it once."))
        own = [one.label(text) for text in texts] if one.named else []
        for each in dict.fromkeys(own):
            if own.count(each) > 1:
                shown = repr(each) if each else "one without a name"
                faults.append(ConfigError(f"{option} has {shown} more than once.", hint=one.help))
        found[name] = []
        for text in texts:
            try:
                found[name].append(_locate(stage, name, text, (makers or {}).get(text)))
            except ConfigError as fault:
                faults.append(fault)
    if faults:
        raise several(stage.name, faults)
    return found


def _check_apart(found: Mapping[str, list[Located]], out: Path) -> None:
    """Refuse an output folder that would replace an input, or change it by lying in it."""
    place = out.resolve()
    for name, many in found.items():
        for path in (one.path.resolve() for one in many):
            if path.is_relative_to(place) or place.is_relative_to(path):
                where = "is" if path == place else "lies in" if place.is_relative_to(path) else "holds"
                message = f"The output folder {out} {where} the input '{name}' itself."
                raise ConfigError(message, hint="Choose another folder.")


def _records(
    stage: Stage, found: Mapping[str, list[Located]], given: Mapping[str, Any], out: Path, digests: DigestStore
) -> dict[str, list[InputRecord]]:
    places = [one for many in found.values() for one in many]
    known = iter(digests.of_many([one.path for one in places]))
    records: dict[str, list[InputRecord]] = {}
    base = out.absolute().parent
    for name, many in found.items():
        records[name] = [
            InputRecord(
                given=str(text),
                path=os.path.relpath(one.path.absolute(), base),
                sha256=next(known),
                made_by=_maker_key(one.path),
                revision=one.revision,
                name=stage.inputs[name].label(str(text)) or None,
            )
            for text, one in zip(texts_of(given.get(name)), many, strict=True)
        ]
    return {name: many for name, many in records.items() if many}


def _maker_key(path: Path) -> str | None:
    folder = artifact.owner_of(path)
    maker = artifact.maker_of(folder) if folder is not None else None
    return maker.key if maker is not None else None


def plan_stage(  # noqa: PLR0913 - all that decides whether work is to be done
    stage: Stage,
    *,
    inputs: Mapping[str, Any],
    params: Mapping[str, Any],
    seed: int = 0,
    out: Path | None = None,
    force: bool = False,
    precision: Precision = "float32",
    digests: DigestStore | None = None,
    makers: Mapping[str, str] | None = None,
) -> Plan:
    """Decide what a stage has to do. Nothing is written.

    Args:
        stage: The stage.
        inputs: Text, or list of texts, by input name.
        params: Values by parameter name, unchecked.
        seed: Seed of all random choices. It is not part of the recipe of a stage that makes none.
        out: Output folder. None for a result that is only printed.
        force: Replace another result of lexenc.
        precision: Arithmetic of encoders. It is part of the recipe of a stage that uses a device.
        digests: Remembered digests.
        makers: For the hint on a missing input: the command that makes it, by the text given for it.

    Raises:
        ConfigError: If inputs, parameters or the output folder cannot be used, with all errors.
    """
    inputs, params = numbers_moved(stage, inputs, params)
    built, faults = build(stage.params, params, owner=stage.name, elsewhere=stage.hint_for)
    found: dict[str, list[Located]] = {}
    try:
        found = find_inputs(stage, inputs, makers)
    except ConfigError as fault:
        faults.append(fault)
    if not faults and stage.check is not None:
        faults += stage.check(inputs, built)
    if faults:
        raise several(stage.name, faults)
    if stage.resolve is not None:
        built = stage.resolve(inputs, built)
    if out is not None:
        out = out.resolve() if out.is_symlink() else out
        artifact.check_place(out)
        _check_apart(found, out)
    digests = digests or DigestStore(None)
    paths = {name: _paths(stage.inputs[name], many, inputs.get(name)) for name, many in found.items()}
    plan = Plan(stage, paths, {}, built, seed, out, "", precision, force=force)
    if out is None:  # a result that is only printed needs no key, so large inputs are not read twice
        plan = replace(plan, altered=_altered(found, inputs, digests, later=True))
    else:
        states = {name: [artifact.states_of(one.path) for one in many] for name, many in found.items() if many}
        records = _records(stage, found, inputs, out, digests)
        plan = replace(plan, records=records, states=states, altered=_altered(found, inputs, digests, later=False))
    key = artifact.recipe_key(stage.name, stage.version, plan.recipe, seed if stage.uses_seed else 0, plan.records)
    return _decided(replace(plan, key=key), digests)


def _altered(
    found: Mapping[str, list[Located]], inputs: Mapping[str, Any], digests: DigestStore, *, later: bool
) -> dict[str, list[str]]:
    """Return the files that were changed after lexenc made them, by input as the user gave it."""
    given = [(str(text), one.path) for name, many in found.items()
             for text, one in zip(texts_of(inputs.get(name)), many, strict=True)]  # fmt: skip
    parts = ((text, artifact.altered_parts(path, digests, later=later)) for text, path in given)
    return {text: names for text, names in parts if names}


def _paths(one: Input, many: list[Located], given: Any) -> Any:
    """Return an input as the stage takes it: a path or None, a list of paths or sources, or paths by name."""
    if one.kinds:
        return [one.source(str(text), each.path) for text, each in zip(texts_of(given), many, strict=True)]
    if one.named:
        return {one.label(str(text)): each.path for text, each in zip(texts_of(given), many, strict=True)}
    if one.many:
        return [each.path for each in many]
    return many[0].path if many else None


def _decided(plan: Plan, digests: DigestStore) -> Plan:
    """Decide by what is there now. It is done again when the place is locked."""
    out = plan.out
    if out is None:
        return plan
    artifact.check_place(out)
    plan = replace(plan, action="run", reasons=("no result yet",))
    if artifact.is_artifact(out):
        plan = _beside_result(plan, out, digests)
    unfinished = artifact.unfinished_key(out)
    if plan.action != "run" or unfinished is None:
        return plan
    droppable = artifact.can_be_dropped(out)
    if unfinished == plan.key and not (plan.force and droppable):
        return replace(plan, action="resume", reasons=("unfinished work of the same recipe",))
    if plan.force or droppable:
        return plan
    remedy = "add --force to drop it; the command that began it would continue it"
    reason = f"of other settings or inputs, in {artifact.aside_folder(out).name}"
    return replace(plan, action="refuse", reasons=(reason,), held="unfinished work", remedy=remedy)


def _beside_result(plan: Plan, out: Path, digests: DigestStore) -> Plan:
    """Decide what to do if the output folder holds a result already."""
    try:
        manifest = artifact.read_manifest(out)
    except LexencError as error:
        reasons = [error.message.rstrip(".")]
    else:
        reasons = _differences(plan, manifest)
        reasons += [f"output {name} was altered" for name in artifact.altered_outputs(out, manifest, digests)]
        if not reasons and manifest.key == plan.key:
            return replace(plan, action="reuse", reasons=(f"unchanged since {manifest.created[:10]}",))
    plan = replace(plan, reasons=tuple(reasons or ["made by another recipe"]))
    try:
        found = artifact.strangers(out)
    except ConfigError:
        if plan.force:
            raise
        return replace(plan, action="refuse", remedy="check the folder and remove it yourself")
    if not plan.force:
        return replace(plan, action="refuse")
    if not found:
        return plan
    held = f"{'a file' if len(found) == 1 else 'files'} that lexenc did not make"
    remedy = "move your files elsewhere"
    return replace(plan, action="refuse", reasons=(artifact.few(found),), held=held, remedy=remedy)


def _differences(plan: Plan, manifest: Manifest) -> list[str]:
    """Return how an existing result differs from the one that is planned."""
    stage = plan.stage
    if manifest.stage != stage.name:
        return [f"made by {manifest.stage}"]
    reasons = []
    if manifest.stage_version != stage.version:
        reasons.append(f"made by {stage.name} v{manifest.stage_version}")
    for name, value in plan.recipe.items():
        before = manifest.params.get(name)
        if before != value:
            reasons.append(f"{name}: {_shown(before)} -> {_shown(value)}")
    if stage.uses_seed and manifest.seed != plan.seed:
        reasons.append(f"seed: {manifest.seed} -> {plan.seed}")
    for name in stage.inputs:
        before_inputs = [one.identity for one in manifest.inputs.get(name, [])]
        if before_inputs != [one.identity for one in plan.records.get(name, [])]:
            reasons.append(f"input {name} changed")
    return reasons


def _shown(value: Any) -> str:
    return ",".join(str(each) for each in value) if isinstance(value, list) else str(value)


def run_plan(
    plan: Plan,
    *,
    device: str = "auto",
    progress: Progress = SILENT,
    notices: Notices | None = None,
    digests: DigestStore | None = None,
    command: str = "",
    finished: Callable[[Path], None] = lambda folder: None,
) -> Manifest:
    """Carry out a plan.

    Args:
        plan: The plan.
        device: Device as the user named it.
        progress: Progress bar to update.
        notices: Where messages go.
        digests: Remembered digests.
        command: The command line, for the manifest.
        finished: Called with the folder of the result before it gets its name, or is deleted if it is not kept.

    Returns:
        The manifest of the result, new or reused, also for a result that is only printed.

    Raises:
        ConfigError: If the plan is to refuse.
    """
    notices, digests = notices or Notices(), digests or DigestStore(None)
    run = _Run(device, progress, notices, digests, command, finished)
    if plan.action == "refuse":
        raise plan.refusal()
    if plan.out is None:
        with tempfile.TemporaryDirectory(prefix="lexenc-") as name, durable.naming(Path(name)):
            return _work(plan, Path(name), run)
    if plan.action == "reuse":
        artifact.sweep(plan.out, plan.key)
        _tell_of_old(plan.out, notices)
        return artifact.read_manifest(plan.out)
    out = plan.out
    with artifact.locked(out) as folder:
        plan = _decided(plan, digests)  # another process may have finished meanwhile
        if plan.action == "refuse":
            raise plan.refusal()
        if plan.action == "reuse":
            return artifact.read_manifest(out)
        made = artifact.finished_manifest(folder, plan.key, digests) if plan.action == "resume" else None
        keep: artifact.Keep = "nothing" if plan.action == "run" else "unfinished" if made is None else "finished"
        resumable = plan.stage.resumable
        building = artifact.building(folder, out, plan.key, keep=keep, resumable=resumable, force=plan.force)
        with building, durable.naming(out):
            manifest = made or _work(plan, folder, run)
        _tell_of_old(out, notices)
        return manifest


def _tell_of_old(out: Path, notices: Notices) -> None:
    old = artifact.kept_old(out)
    if old is not None:
        notices.warn(f"The older result could not be deleted, and is in {old}.", "Delete it, or ask its owner to.")


@dataclass(frozen=True)
class _Run:
    """The arguments of `run_plan` besides the plan."""

    device: str
    progress: Progress
    notices: Notices
    digests: DigestStore
    command: str
    finished: Callable[[Path], None]


def _work(plan: Plan, folder: Path, run: _Run) -> Manifest:
    """Run the stage in a folder."""
    began = time.perf_counter()
    _check_unchanged(plan, run.digests)
    warnings: list[str] = []
    notices = _collecting(run.notices, plan, warnings)
    for given, names in plan.altered.items():
        which = "" if names == [Path(given).name] else f": {artifact.few(names)}"
        message = f"{given} was changed after lexenc made it{which}."
        notices.warn(
            message, "Its manifest does not describe it any more. Make it again, unless you changed it yourself."
        )
    origins = (artifact.unknown_origin(path) for paths in plan.inputs.values() for path in paths_of(paths))
    for origin in dict.fromkeys(filter(None, origins)):
        message = f"{origin}, so it is not known what the result was made from, and no leak can be checked."
        notices.warn(message, "Make it again elsewhere, or restore its manifest.")
    kept, continued = plan.out is not None, plan.action == "resume"
    job = Job(folder, plan.seed, run.device, plan.precision, run.progress, notices, continued, plan.key, kept)
    outcome = plan.stage.run(plan.inputs, plan.params, job)
    outputs = artifact.complete(folder, run.digests) if kept else {}
    _check_unchanged(plan, run.digests)
    manifest = _manifest(plan, job, outcome, outputs, time.perf_counter() - began, run.command, warnings)
    if kept:
        artifact.write_manifest(folder, manifest)
    run.finished(folder)
    return manifest


def _check_unchanged(plan: Plan, digests: DigestStore) -> None:
    """Check that the inputs are those whose digests are part of the recipe.

    Raises:
        InputChangedError: If one has changed.
    """
    for name, records in plan.records.items():
        for path, state, record in zip(paths_of(plan.inputs[name]), plan.states[name], records, strict=True):
            if digests.changed(path, state, record.sha256):
                message = f"{record.given} has changed since {plan.stage.name} began to read it."
                raise artifact.InputChangedError(message, hint="Run the same command again when nothing writes to it.")


def paths_of(paths: Any) -> list[Path]:
    """Return the paths of an input as a list."""
    many = list(paths.values()) if isinstance(paths, dict) else texts_of(paths)
    return [each.path if isinstance(each, GivenSource) else each for each in many]


def _collecting(notices: Notices, plan: Plan, warnings: list[str]) -> Notices:
    """Return notices that also add every warning to a list, with the inputs named as the user gave them."""

    def warn(message: str, hint: str | None) -> None:
        text = message
        for name, records in plan.records.items():
            for path, record in zip(paths_of(plan.inputs[name]), records, strict=False):
                text = text.replace(str(path), record.given)
        if text not in warnings:
            warnings.append(text)
        notices.warn(message, hint)

    return replace(notices, warn=warn)


def _manifest(
    plan: Plan,
    job: Job,
    outcome: Outcome,
    outputs: dict[str, str],
    seconds: float,
    command: str,
    warnings: list[str],
) -> Manifest:
    recipe = plan.recipe
    settings = {name: value for name, value in as_dict(plan.params).items() if name not in recipe}
    return Manifest(
        stage=plan.stage.name,
        stage_version=plan.stage.version,
        key=plan.key,
        params=recipe,
        settings=settings,
        seed=plan.seed,
        inputs=plan.records,
        outputs=outputs,
        summary=outcome.summary,
        results=outcome.results,
        tables=outcome.tables,
        device=job.used_device.name,
        precision=job.used_device.precision,
        seconds=round(seconds, 3),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command or " ".join(sys.argv),
        versions=package_versions(),
        commit=_commit(),
        answer=outcome.answer,
        warnings=warnings,
    )


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that results may depend on."""
    table = {"python": sys.version.split()[0], "lexenc": lexenc.__version__}
    for name in ("numpy", "torch", "transformers", "tokenizers", "sentence-transformers", "fasttext", "faiss-cpu",
                 "scikit-learn"):  # fmt: skip
        with suppress(PackageNotFoundError):
            table[name] = _version(name)
    return table


# Reading it takes as long as a small stage.
_version = functools.cache(version)


_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REFERENCE = re.compile(r"ref: (refs/[\w./+@-]+)")


def _commit() -> str | None:
    """Return the commit of the repository around the current folder, without running git, or None."""
    with suppress(OSError):  # no permission, or the current folder was removed
        for folder in (Path.cwd(), *Path.cwd().parents):
            git = folder / ".git"
            if os.path.lexists(git):
                text = _line_of(git / "HEAD")
                named = _REFERENCE.fullmatch(text)
                if named and ".." not in named[1].split("/"):
                    text = _line_of(git / named[1])
                return text if _COMMIT.fullmatch(text) else None
    return None


def _line_of(path: Path) -> str:
    """Return the text of a short file, but never of one that a link points to."""
    with durable.opened(path) as stream:
        return os.read(stream, 1000).decode("utf-8", "replace").strip()
