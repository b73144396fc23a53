"""Deciding whether a stage must run, and running it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import lexenc
from lexenc import artifact
from lexenc.artifact import DigestStore, InputRecord, Manifest
from lexenc.device import Precision
from lexenc.encoders.locate import Located, locate_encoder
from lexenc.errors import ConfigError, LexencError, several, unknown_name
from lexenc.parameters import as_dict, build
from lexenc.progress import SILENT, Progress
from lexenc.resources import bundled_path
from lexenc.stage import Input, Job, Notices, Outcome, Stage

Action = Literal["run", "resume", "reuse", "refuse"]


@dataclass(frozen=True)
class Decision:
    """What to do with a place for a result.

    Args:
        action: What.
        reasons: Why.
        held: What stands in the way, where the action is to refuse.
        remedy: What the user can do about it there.
    """

    action: Action
    reasons: tuple[str, ...]
    held: str = "a result"
    remedy: str = "add --force to replace it"


@dataclass(frozen=True)
class Plan:
    """What would be done, and why."""

    stage: Stage
    inputs: dict[str, Any]
    records: dict[str, list[InputRecord]]
    params: Any
    seed: int
    out: Path | None
    key: str
    decision: Decision
    precision: Precision = "float32"

    def refusal(self, elsewhere: str = "Choose another --out") -> ConfigError:
        """Give the plan as an error.

        Args:
            elsewhere: How the caller lets the user choose another place.
        """
        hint = f"{elsewhere}, or {self.decision.remedy}."
        return ConfigError(f"{self.out} already holds {self.decision.held} ({'; '.join(self.reasons)}).", hint=hint)

    @property
    def action(self) -> Action:
        """What would be done."""
        return self.decision.action

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why."""
        return self.decision.reasons


def check_inputs(stage: Stage, given: Mapping[str, Any]) -> list[ConfigError]:
    """Give the faults in the names of the inputs, without looking at any file."""
    faults = [unknown_name(f"input of {stage.name}", name, stage.inputs) for name in given if name not in stage.inputs]
    for fault, name in zip(faults, (name for name in given if name not in stage.inputs), strict=True):
        fault.hint = stage.hint_for(name) or fault.hint
    for name, one in stage.inputs.items():
        if one.required and given.get(name) in (None, [], ()):
            faults.append(
                ConfigError(f"{stage.name} needs --{name.replace('_', '-')}.", hint=f"It is the {_lower(one.help)}")
            )
    return faults


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _locate(stage: Stage, name: str, given: str, made_by: str | None) -> Located:
    """Find one input, or say what makes it."""
    if stage.inputs[name].kind == "encoder":
        return locate_encoder(given)
    given = stage.inputs[name].split(given)[1]
    path = bundled_path(given) or Path(given)
    if not path.exists():
        hint = "Check the path."
        if made_by:
            hint = f"Run the stage that makes it first: {made_by}"
        raise ConfigError(f"{stage.name}: input '{name}' is not there: {given}", hint=hint)
    return Located(path, None)


def find_inputs(
    stage: Stage, given: Mapping[str, Any], makers: Mapping[str, str] | None = None
) -> dict[str, list[Located]]:
    """Find all inputs, collecting every fault.

    Args:
        stage: The stage.
        given: Text or list of texts by input name; None for an optional one left out.
        makers: Command that makes an input, by the text given for it, for the hint where it is missing.

    Raises:
        ConfigError: If inputs are missing or unknown, all in one error.
    """
    faults = check_inputs(stage, given)
    found: dict[str, list[Located]] = {}
    for name in stage.inputs:
        value = given.get(name)
        texts = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
        if len(texts) > 1 and not stage.inputs[name].many:
            faults.append(ConfigError(f"{stage.name} takes one --{name}, got {len(texts)}.", hint="Give it once."))
        found[name] = []
        faults += _repeated_names(name, stage.inputs[name], texts)
        for text in texts:
            try:
                found[name].append(_locate(stage, name, str(text), (makers or {}).get(str(text))))
            except ConfigError as fault:
                faults.append(fault)
    if faults:
        raise several(stage.name, faults)
    return found


def _repeated_names(name: str, one: Input, texts: Sequence[Any]) -> list[ConfigError]:
    """Give the faults of inputs that are told apart by name and have the same one."""
    own = [one.split(str(text))[0] for text in texts] if one.named else []
    repeated = [each for each in dict.fromkeys(own) if own.count(each) > 1]
    return [
        ConfigError(
            f"--{name.replace('_', '-')} has {repr(each) if each else 'one without a name'} more than once.",
            hint=one.help,
        )
        for each in repeated
    ]


def _check_apart(found: Mapping[str, list[Located]], out: Path) -> None:
    """Refuse a result that would replace what it is made from, or change it by lying in it."""
    place = out.resolve()
    for name, many in found.items():
        for path in (one.path.resolve() for one in many):
            if path.is_relative_to(place) or place.is_relative_to(path):
                where = "is" if path == place else "lies in" if place.is_relative_to(path) else "holds"
                raise ConfigError(
                    f"The result folder {out} {where} the input '{name}' itself.", hint="Choose another folder for it."
                )


def _records(
    stage: Stage,
    found: Mapping[str, list[Located]],
    given: Mapping[str, Any],
    out: Path | None,
    digests: DigestStore,
) -> dict[str, list[InputRecord]]:
    """Describe all inputs by what they hold."""
    places = [one for many in found.values() for one in many]
    known = iter(digests.of_many([one.path for one in places]))
    records: dict[str, list[InputRecord]] = {}
    base = (out or Path.cwd() / "result").absolute().parent
    for name, many in found.items():
        value = given.get(name)
        texts = value if isinstance(value, list | tuple) else [value]
        records[name] = [
            InputRecord(
                given=str(text),
                path=os.path.relpath(one.path.absolute(), base),
                sha256=next(known),
                made_by=_maker_key(one.path),
                revision=one.revision,
                name=stage.inputs[name].split(str(text))[0] or None,
            )
            for text, one in zip(texts, many, strict=False)
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
    """Decide what a stage has to do. Writes nothing.

    Args:
        stage: The stage.
        inputs: Text, or list of texts, by input name.
        params: Values by parameter name, unchecked.
        seed: The user's seed; left out of the recipe of a stage that draws no random number.
        out: Result folder; None for a result that is only printed.
        force: Replace another result of ours.
        precision: Arithmetic of encoders; part of the recipe where it means something.
        digests: Remembered digests.
        makers: Command that makes an input, by the text given for it.

    Raises:
        ConfigError: If inputs or parameters cannot be used, or the place is not ours; all faults together.
    """
    built, faults = build(stage.params, params, owner=stage.name, elsewhere=stage.hint_for)
    try:
        found = find_inputs(stage, inputs, makers)
    except ConfigError as fault:
        faults.append(fault)
        found = {}
    if not faults and stage.check is not None:
        faults += stage.check(inputs, built)
    if faults:
        raise several(stage.name, faults)
    if stage.resolve is not None:
        built = stage.resolve(inputs, built)
    if out is not None:
        artifact.check_place(out)
        _check_apart(found, out)
    digests = digests or DigestStore(None)
    # A result that is only printed needs no key, and large inputs then need not be read twice.
    records = _records(stage, found, inputs, out, digests) if out is not None else {}
    recipe = as_dict(built, only_result=True)
    if stage.uses_device:
        recipe["precision"] = precision
    key = artifact.recipe_key(stage.name, stage.version, recipe, seed if stage.uses_seed else 0, records)
    paths = {name: _paths(stage.inputs[name], many, inputs.get(name)) for name, many in found.items()}
    decision = _decide(_Wanted(stage, key, recipe, seed, records), out, force, digests)
    return Plan(stage, paths, records, built, seed, out, key, decision, precision)


def _paths(one: Input, many: list[Located], given: Any) -> Any:
    """Give an input as the stage takes it: a path or None, a list of paths, or paths by name."""
    if one.named:
        texts = given if isinstance(given, list | tuple) else [given]
        return {one.split(str(text))[0]: each.path for text, each in zip(texts, many, strict=False)}
    if one.many:
        return [each.path for each in many]
    return many[0].path if many else None


@dataclass(frozen=True)
class _Wanted:
    """What decides whether a result is the one asked for.

    Args:
        stage: What makes it.
        key: Key of the recipe.
        recipe: Parameters that the result depends on.
        seed: The user's seed.
        records: The inputs.
    """

    stage: Stage
    key: str
    recipe: dict[str, Any]
    seed: int
    records: dict[str, list[InputRecord]]


def _decide(wanted: _Wanted, out: Path | None, force: bool, digests: DigestStore) -> Decision:
    decision = Decision("run", ("no result yet",))
    if out is None:
        return decision
    if artifact.is_artifact(out):
        decision = _beside_result(wanted, out, force, digests)
    unfinished = artifact.unfinished_key(out)
    if decision.action != "run" or unfinished is None:
        return decision
    if unfinished == wanted.key:
        return Decision("resume", ("unfinished work of the same recipe",))
    if force:
        return decision
    remedy = "add --force to drop it; the command that began it would continue it"
    place = f"of other settings or inputs, in {artifact.aside_folder(out).name}"
    return Decision("refuse", (place,), "unfinished work", remedy)


def _beside_result(wanted: _Wanted, out: Path, force: bool, digests: DigestStore) -> Decision:
    """Decide where there is a result already."""
    try:
        manifest = artifact.read_manifest(out)
    except LexencError as error:
        return _replaced(out, [error.message.rstrip(".")], force)
    reasons = _differences(wanted, manifest)
    reasons += [f"output {name} was altered" for name in artifact.altered_outputs(out, manifest, digests)]
    if not reasons and manifest.key == wanted.key:
        return Decision("reuse", (f"unchanged since {manifest.created[:10]}",))
    return _replaced(out, reasons or ["made by another recipe"], force)


def _replaced(out: Path, reasons: list[str], force: bool) -> Decision:
    """Replace a result if that was asked for, and nothing but the result would go."""
    if not force:
        return Decision("refuse", tuple(reasons))
    found = artifact.strangers(out)
    if not found:
        return Decision("run", tuple(reasons))
    listed = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    what = "a file" if len(found) == 1 else "files"
    return Decision("refuse", (listed,), f"{what} that lexenc did not make", "move what is yours elsewhere")


def _differences(wanted: _Wanted, manifest: Manifest) -> list[str]:
    """Say in words how an existing result differs from what is asked for."""
    stage = wanted.stage
    if manifest.stage != stage.name:
        return [f"made by {manifest.stage}"]
    reasons = []
    if manifest.stage_version != stage.version:
        reasons.append(f"made by {stage.name} v{manifest.stage_version}")
    for name, value in wanted.recipe.items():
        before = manifest.params.get(name)
        if before != value:
            reasons.append(f"{name}: {_shown(before)} -> {_shown(value)}")
    if stage.uses_seed and manifest.seed != wanted.seed:
        reasons.append(f"seed: {manifest.seed} -> {wanted.seed}")
    for name in stage.inputs:
        before_inputs = [one.identity for one in manifest.inputs.get(name, [])]
        if before_inputs != [one.identity for one in wanted.records.get(name, [])]:
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
    """Do what was planned.

    Args:
        plan: From `plan_stage`.
        device: Device as the user named it.
        progress: Who watches.
        notices: Where remarks go.
        digests: Remembered digests.
        command: The command line, for the manifest.
        finished: Called with the folder of what was made before it gets its name, or goes if it is not kept.

    Returns:
        The manifest of the result, new or reused. Without a result folder, the same for what was only printed.

    Raises:
        ConfigError: If the plan was to refuse.
    """
    notices = notices or Notices()
    if plan.action == "refuse":
        raise plan.refusal()
    if plan.action == "reuse" and plan.out is not None:
        return artifact.read_manifest(plan.out)
    began = time.perf_counter()
    with _workplace(plan) as (folder, continued):
        job = Job(
            folder, plan.seed, device, plan.precision, progress, notices, continued, plan.key, plan.out is not None
        )
        outcome = plan.stage.run(plan.inputs, plan.params, job)
        outputs = {}
        if plan.out is not None:
            artifact.share(folder)
            outputs = artifact.output_digests(folder, digests or DigestStore(None))
        manifest = _manifest(plan, job, outcome, outputs, time.perf_counter() - began, command)
        if plan.out is not None:
            artifact.write_manifest(folder, manifest)
        finished(folder)
    return manifest


@contextmanager
def _workplace(plan: Plan) -> Iterator[tuple[Path, bool]]:
    if plan.out is None:
        with tempfile.TemporaryDirectory(prefix="lexenc-") as name:
            yield Path(name), False
    else:
        with artifact.building(plan.out, plan.key, resumable=plan.stage.resumable) as place:
            yield place


def _manifest(
    plan: Plan, job: Job, outcome: Outcome, outputs: dict[str, str], seconds: float, command: str
) -> Manifest:
    recipe = as_dict(plan.params, only_result=True)
    settings = {name: value for name, value in as_dict(plan.params).items() if name not in recipe}
    if plan.stage.uses_device:
        recipe["precision"] = plan.precision
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
        tables=[asdict(table) for table in outcome.tables],
        device=job.used_device.name,
        precision=job.used_device.precision,
        seconds=round(seconds, 3),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command or " ".join(sys.argv),
        versions=package_versions(),
        commit=_commit(),
        answer=outcome.answer,
    )


def package_versions() -> dict[str, str]:
    """Give the versions of the packages that results may depend on."""
    table = {"python": sys.version.split()[0], "lexenc": lexenc.__version__}
    for name in (
        "numpy",
        "torch",
        "transformers",
        "tokenizers",
        "sentence-transformers",
        "fasttext",
        "faiss-cpu",
        "scikit-learn",
    ):
        try:
            table[name] = version(name)
        except PackageNotFoundError:
            continue
    return table


def _commit() -> str | None:
    """Give the commit of the repository that the user works in, read without starting git."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        head = folder / ".git" / "HEAD"
        if head.is_file():
            text = head.read_text(encoding="utf-8", errors="replace").strip()
            if not text.startswith("ref: "):
                return text
            reference = folder / ".git" / text[5:]
            return reference.read_text(encoding="utf-8").strip() if reference.is_file() else None
    return None
