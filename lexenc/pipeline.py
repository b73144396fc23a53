"""Pipelines: read a YAML file into steps, and run them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lexenc.artifact import DigestStore, Manifest
from lexenc.device import Precision, check_device_name
from lexenc.errors import ConfigError, DataError, LexencError, ManyFaultsError, several, unknown_name
from lexenc.parameters import as_dict, build
from lexenc.planning import Plan, check_inputs, find_inputs, numbers_moved, plan_stage, run_plan, texts_of
from lexenc.progress import SILENT, Progress
from lexenc.resources import PREFIX
from lexenc.stage import Notices, Stage
from lexenc.stages import STAGES
from lexenc.structured import read_yaml, shown

_REFERENCE = re.compile(r"\$\{([^}]*)\}")
# A name is a folder of the workdir, and `${name.file}` ends it at the first dot.
_NAME = re.compile(r"[\w-]+")
_TOP = ("seed", "workdir", "device", "precision", "steps")
_STEP = ("stage", "name", "inputs", "params", "seed")


@dataclass(frozen=True)
class Step:
    """One step of a pipeline.

    Args:
        name: Unique; also the name of its result folder.
        stage: What it runs.
        inputs: Text or list of texts by input name, references resolved to paths.
        params: Values by parameter name, checked.
        given_params: Names of the parameters that the file sets; the others are defaults.
        seed: Seed of this step.
        out: Output folder.
        needs: Names of the steps whose results it reads.
    """

    name: str
    stage: Stage
    inputs: dict[str, Any]
    params: dict[str, Any]
    given_params: tuple[str, ...]
    seed: int
    out: Path
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Pipeline:
    """The steps of a file, in order."""

    path: Path
    steps: tuple[Step, ...]
    device: str = "auto"
    precision: Precision = "float32"


@dataclass
class _Reader:
    """Collects errors while a file is read. References to steps that could not be read are not errors of their own."""

    folder: Path
    faults: list[ConfigError] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    unnamed: bool = False  # whether a step may have a name that could not be read

    def fault(self, message: str, hint: str | None = None) -> None:
        self.faults.append(ConfigError(message, hint=hint))


def read_pipeline(path: Path, *, workdir: Path | None = None) -> Pipeline:
    """Read and check a pipeline file.

    Args:
        path: The YAML file. Paths in it are relative to it.
        workdir: Output folder, instead of the one in the file.

    Raises:
        ConfigError: If the file cannot be used, with all errors.
    """
    pipeline, faults = _parse(path, workdir)
    if faults:
        raise several(path.name, faults)
    return pipeline


def find_faults(path: Path) -> tuple[Pipeline, list[ConfigError]]:
    """Read a pipeline file as far as possible, and return all its errors, including missing input files."""
    pipeline, faults = _parse(path, None)
    missing = missing_inputs(pipeline, pipeline.steps)
    return pipeline, faults + [
        each if isinstance(each, ConfigError) else ConfigError(each.message, hint=each.hint) for each in missing
    ]


def _parse(path: Path, workdir: Path | None) -> tuple[Pipeline, list[ConfigError]]:
    body = _load(path)
    reader = _Reader(path.parent)
    body, lost = _meant(body, _TOP, "pipeline key", "", reader)
    seed = _seed(body.get("seed", 0), "seed", reader)
    named = body.get("workdir", "runs")
    if not isinstance(named, str) or not named:
        reader.fault(f"workdir must be the name of a folder, got {shown(named)}.", "Write 'workdir: runs'.")
        named = "runs"
    work = workdir or reader.folder / named
    steps: list[Step] = []
    entries = body.get("steps")
    if not isinstance(entries, list) or not entries:
        if "steps" in body or not lost:
            reader.fault("steps must be a list with at least one step.", "Begin with 'steps:' and '- stage: map'.")
        entries = []
    for number, entry in enumerate(entries):
        step = _read_step(entry, f"steps[{number}]", steps, seed, work, reader)
        if step is not None:
            steps.append(step)
    precision = body.get("precision", "float32")
    if precision not in ("float32", "bfloat16", "float16"):
        reader.fault(f"precision cannot be {shown(precision)}.", "Choose one of: float32, bfloat16, float16.")
    device = str(body.get("device", "auto"))
    try:
        check_device_name(device)
    except ConfigError as fault:
        reader.faults.append(fault)
    return Pipeline(path, tuple(steps), device, precision), reader.faults


def _load(path: Path) -> dict[str, Any]:
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, not a pipeline file.", hint="Give a YAML file, such as pipeline.yaml.")
    if not path.is_file():
        raise ConfigError(f"There is no pipeline file {path}.", hint="Write a commented one with: lexenc init")
    try:
        body = read_yaml(path)
    except DataError as error:
        raise ConfigError(error.message, hint=error.hint) from None
    if not isinstance(body, dict):
        raise ConfigError(f"{path} is not a table of keys and values.", hint="Write one with: lexenc init")
    return body


def _meant(
    table: Mapping[Any, Any],
    known: Collection[str],
    kind: str,
    place: str,
    reader: _Reader,
    hint_for: Callable[[str], str | None] = lambda key: None,
) -> tuple[dict[Any, Any], bool]:
    """Report unknown keys, and read on as though those that were probably meant stood there.

    Otherwise one wrong key would be several errors: that it is unknown, and that what it holds is missing.

    Returns:
        The table with the meant keys, and whether a key is still unknown: what is missing may be under it.
    """
    made, lost = dict(table), False
    for key in table:
        if key in known:
            continue
        fault = unknown_name(kind, str(key), known)
        reader.fault(f"{place}{fault.message}", hint_for(str(key)) or fault.hint)
        (meant,) = get_close_matches(str(key), known, n=1) or (None,)
        if meant is None or meant in made:
            lost = True
        else:
            made[meant] = made.pop(key)
    return made, lost


def _seed(value: Any, place: str, reader: _Reader) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        reader.fault(f"{place} must be a whole number of at least 0, got {shown(value)}.")
        return 0
    return value


def _read_step(entry: Any, place: str, before: list[Step], seed: int, work: Path, reader: _Reader) -> Step | None:
    if not isinstance(entry, dict):
        reader.fault(f"{place} must be a table, got {shown(entry)}.", "Write '- stage: map'.")
        return None
    entry, lost = _meant(entry, _STEP, "step key", f"{place}: ", reader)
    reader.unnamed |= lost and "name" not in entry
    name = entry.get("stage")
    if name is None and lost:
        reader.unread.add(str(entry.get("name")).replace(" ", "-"))
        return None
    if not isinstance(name, str) or name.replace("-", " ") not in _stage_names():
        fault = unknown_name("stage", str(name), STAGES)
        reader.fault(f"{place}: {fault.message}", fault.hint)
        meant = get_close_matches(str(name), STAGES, n=1)
        reader.unread |= {str(each).replace(" ", "-") for each in ([entry["name"]] if "name" in entry else meant)}
        return None
    stage: Stage = STAGES[_stage_names()[name.replace("-", " ")]]
    named = entry.get("name", name)
    label = str(named).replace(" ", "-")
    if not isinstance(named, str) or not _NAME.fullmatch(label):
        reader.fault(f"{place}.name cannot be {shown(named)}.", "Use letters, digits, - and _, in quotes if need be.")
    if label in [step.name for step in before] and not (lost and "name" not in entry):
        reader.fault(f"{place}: there is already a step called '{label}'.", "Give it another name: 'name: ...'.")
    given_params, read_inputs = _table(entry, "params", place, reader), _table(entry, "inputs", place, reader)
    try:
        read_inputs, given_params = numbers_moved(stage, read_inputs, given_params)
    except ConfigError as fault:
        reader.fault(f"{place}: {fault.message}", fault.hint)
    params, faults = build(stage.params, given_params, owner=stage.name, place=f"{place}.params.")
    reader.faults += faults
    given_inputs = None if lost and "inputs" not in entry else read_inputs
    before_inputs = len(reader.faults)
    inputs, needs = _read_inputs(stage, given_inputs, place, before, reader)
    if stage.check is not None and not faults and given_inputs is not None and len(reader.faults) == before_inputs:
        reader.faults += stage.check(inputs, params)
    given = tuple(str(key).replace("-", "_") for key in given_params)
    own_seed = _seed(entry.get("seed", seed), f"{place}.seed", reader)
    return Step(label, stage, inputs, as_dict(params), given, own_seed, work / label, needs)


def _stage_names() -> dict[str, str]:
    """Return stage names by a form in which `eval-bli` and `eval bli` are the same."""
    return {name.replace("-", " "): name for name in STAGES}


def _table(entry: Mapping[str, Any], key: str, place: str, reader: _Reader) -> dict[str, Any]:
    value = entry.get(key) or {}
    if not isinstance(value, dict):
        reader.fault(f"{place}.{key} must be a table, got {shown(value)}.", f"Write '{key}: {{name: value}}'.")
        return {}
    return value


def _read_inputs(
    stage: Stage, given: Mapping[str, Any] | None, place: str, before: list[Step], reader: _Reader
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read the inputs of a step. `given` is None if they may stand under an unknown key."""
    found: dict[str, Any] = {}
    needs: list[str] = []
    names = {str(key).replace("-", "_"): value for key, value in (given or {}).items()}
    names, _ = _meant(names, stage.inputs, f"input of {stage.name}", f"{place}: ", reader, stage.hint_for)
    for name, value in names.items():
        one = stage.inputs.get(name)
        texts = value if isinstance(value, list) else [value]
        if one is not None and (one.named or one.kinds):  # `{en: a.vec}`, or `- nli: b.tsv`
            named = [each.items() if isinstance(each, dict) else [(None, each)] for each in texts]
            texts = [one.typed(str(own), text) if own is not None and isinstance(text, str) else text
                     for items in named for own, text in items]  # fmt: skip
            value = texts if isinstance(value, dict) else value
        resolved = []
        for text in texts:
            if not isinstance(text, str):
                hint = f"Write it in quotes: '{shown(text)}'." if isinstance(text, int | float) else "Write a path."
                reader.fault(f"{place}.inputs.{name} must be text, got {shown(text)}.", hint)
                continue
            own, rest = one.split(text) if one is not None else ("", text)
            resolved.append(own + _resolve(stage, name, rest, place, before, needs, reader))
        found[name] = resolved if isinstance(value, list) else (resolved[0] if resolved else None)
    # A missing input may stand under a wrong key. A value that is no text was reported above.
    known = {name: None if value in ([], {}) else "given" for name, value in names.items() if name in stage.inputs}
    missing = [] if given is None else check_inputs(stage, known)
    for fault in missing if len(missing) > len(names) - len(known) else ():
        reader.fault(f"{place}: {fault.message}", fault.hint)
    return found, tuple(needs)


def _resolve(
    stage: Stage, name: str, text: str, place: str, before: list[Step], needs: list[str], reader: _Reader
) -> str:
    """Resolve `${step.file}` and relative paths. Names of encoders stay as they are."""
    match = _REFERENCE.fullmatch(text)
    if match:
        head, _, rest = match.group(1).partition(".")
        known = {step.name: step for step in before}
        if head not in known and (head in reader.unread or reader.unnamed):
            return text
        if head not in known:
            fault = unknown_name("earlier step", head, known)
            reader.fault(f"{place}.inputs.{name}: {fault.message}", fault.hint)
            return text
        needs.append(head)
        return str(known[head].out / rest) if rest else str(known[head].out)
    if "${" in text:
        reader.fault(
            f"{place}.inputs.{name}: a reference stands alone, got '{text}'.", "Write '${step}' or '${step.file}'."
        )
        return text
    if text.startswith(PREFIX):
        return text
    path = reader.folder / text
    is_name = name in stage.inputs and stage.inputs[name].kind == "encoder" and not path.exists()
    return text if is_name else str(path)


# ---------------------------------------------------------------- running


def chosen_steps(pipeline: Pipeline, *, start: str | None, until: str | None, only: str | None) -> list[Step]:
    """Return the steps between two names, both included, or a single one.

    Raises:
        ConfigError: If there is no step with such a name, or the first comes after the last.
    """
    names = [step.name for step in pipeline.steps]
    for name in (start, until, only):
        if name is not None and name not in names:
            raise unknown_name(f"step in {pipeline.path.name}", name, names)
    if only is not None and (start or until):
        raise ConfigError("--only runs one step, --from and --until several.", hint="Give one or the other.")
    if only is not None:
        start = until = only
    first = names.index(start) if start else 0
    last = names.index(until) if until else len(names) - 1
    if first > last:
        raise ConfigError(f"Step '{start}' comes after '{until}'.", hint=f"The order is: {', '.join(names)}.")
    return list(pipeline.steps[first : last + 1])


@dataclass(frozen=True)
class Forecast:
    """What a run would do with one step: `run`, `resume`, `reuse`, `refuse`, or `wait` for an earlier one."""

    step: Step
    action: str
    reasons: tuple[str, ...]


def forecast(pipeline: Pipeline, steps: list[Step], *, force: bool, digests: DigestStore) -> list[Forecast]:
    """Return what a run would do, without doing it."""
    made: list[Forecast] = []
    stale: set[str] = set()
    for step in steps:
        waiting = [name for name in step.needs if name in stale]
        if waiting:
            stale.add(step.name)
            made.append(Forecast(step, "wait", (f"after {', '.join(dict.fromkeys(waiting))}",)))
            continue
        plan = _plan(pipeline, step, force=force, digests=digests)
        if plan.action != "reuse":
            stale.add(step.name)
        made.append(Forecast(step, plan.action, plan.reasons))
    return made


def _plan(pipeline: Pipeline, step: Step, *, force: bool, digests: DigestStore) -> Plan:
    made = _made_inputs(pipeline, step)
    run = f"lexenc run {shlex.quote(str(pipeline.path))} --until"
    makers = {text: f"{run} {shlex.quote(maker)}" for text, maker in made.items()}
    return plan_stage(
        step.stage,
        inputs=step.inputs,
        params=step.params,
        seed=step.seed,
        out=step.out,
        force=force,
        precision=pipeline.precision,
        digests=digests,
        makers=makers,
    )


def _made_inputs(pipeline: Pipeline, step: Step) -> dict[str, str]:
    """Return the inputs of a step that earlier steps make, with the names of those steps."""
    outs = {other.name: other.out for other in pipeline.steps if other.name in step.needs}
    known = step.stage.inputs
    texts = [(known[name], text) for name, value in step.inputs.items() if name in known for text in texts_of(value)]
    return {
        text: name for one, text in texts for name, out in outs.items() if Path(one.split(text)[1]).is_relative_to(out)
    }


@dataclass(frozen=True)
class Watcher:
    """Functions to call before each step, with its plan, and after it, with the plan and the manifest.

    If there is a function `failed`, it is called with the reason for each step that fails, and for each that needs such
    a step. The others are run. Without it, the first failure ends the run.
    """

    before: Callable[[Step, Plan], None] = lambda step, plan: None
    after: Callable[[Step, Plan, Manifest], None] = lambda step, plan, manifest: None
    failed: Callable[[Step, str], None] | None = None


def run_pipeline(
    pipeline: Pipeline,
    steps: list[Step],
    *,
    force: bool = False,
    device: str | None = None,
    progress: Progress = SILENT,
    notices: Notices | None = None,
    digests: DigestStore | None = None,
    watcher: Watcher | None = None,
) -> dict[str, Manifest]:
    """Run or reuse steps in order.

    Args:
        pipeline: The file.
        steps: The steps to run. Other steps that they depend on must be up to date.
        force: Replace results of other recipes.
        device: Device, instead of the one in the file.
        progress: Progress bar to update.
        notices: Where messages go.
        digests: Remembered digests.
        watcher: Functions to call before and after each step, and for one that fails.

    Raises:
        LexencError: If a step fails, and the watcher has no function for it.
        ConfigError: If an earlier step that is not among `steps` is not up to date, or a result would be replaced.
    """
    digests, notices, watcher = digests or DigestStore(None), notices or Notices(), watcher or Watcher()
    device = device or pipeline.device
    refuse_faults(pipeline, steps)
    _check_earlier(pipeline, steps, digests)
    made: dict[str, Manifest] = {}
    reasons: dict[str, str] = {}
    for step in steps:
        blocked = [reasons[name] for name in step.needs if name in reasons]
        if watcher.failed is not None and blocked:
            reasons[step.name] = blocked[0]
            watcher.failed(step, blocked[0])
            continue
        try:
            plan = _plan(pipeline, step, force=force, digests=digests)
            if plan.action == "refuse":
                raise _refusal(step, plan)
            watcher.before(step, plan)
            made[step.name] = run_plan(plan, device=device, progress=progress, notices=notices, digests=digests)
        except (LexencError, OSError, MemoryError, RuntimeError) as error:  # e.g. PyTorch runs out of memory
            if watcher.failed is None:
                raise
            reasons[step.name] = _one_line(error)
            hint = error.hint if isinstance(error, LexencError) else None
            notices.warn(f"{step.name} failed: {reasons[step.name]}", hint or "The steps that need it are skipped.")
            watcher.failed(step, reasons[step.name])
            continue
        watcher.after(step, plan, made[step.name])
    return made


def _refusal(step: Step, plan: Plan) -> ConfigError:
    fault = plan.refusal("Choose another --workdir")
    return ConfigError(
        f"Step '{step.name}': {fault.message}", hint=f"{fault.hint} --only {step.name} does this step alone."
    )


def _one_line(error: Exception) -> str:
    if isinstance(error, ManyFaultsError):
        return " ".join(fault.message for fault in error.faults)
    return error.message if isinstance(error, LexencError) else f"{type(error).__name__}: {error}"


def _check_earlier(pipeline: Pipeline, steps: list[Step], digests: DigestStore) -> None:
    names = {step.name for step in steps}
    outside = {name for step in steps for name in step.needs} - names
    wanted = set(outside)
    for step in reversed(pipeline.steps):
        if step.name in wanted:
            wanted.update(step.needs)
    earlier = [step for step in pipeline.steps if step.name in wanted - names]
    for cast in forecast(pipeline, earlier, force=False, digests=digests):
        if cast.step.name in outside and cast.action != "reuse":
            raise ConfigError(
                f"Step '{cast.step.name}' is not up to date ({'; '.join(cast.reasons)}).",
                hint=f"Run it first: lexenc run {shlex.quote(str(pipeline.path))} --until {cast.step.name}",
            )


def missing_inputs(pipeline: Pipeline, steps: Sequence[Step]) -> list[LexencError]:
    """Return an error for each input file that does not exist, with the steps that read it."""
    faults: dict[tuple[str, str | None], list[LexencError]] = {}
    for step in steps:
        made = _made_inputs(pipeline, step)
        # References that could not be resolved were reported when the file was read.
        own = {
            name: [text for text in texts_of(value) if text not in made and "${" not in text]
            for name, value in step.inputs.items()
        }
        partial = {name: texts for name, texts in own.items() if texts and name in step.stage.inputs}
        # Under the name of the step, since a pipeline may have several steps of one stage.
        reduced = replace(step.stage, name=step.name, inputs={name: step.stage.inputs[name] for name in partial})
        try:
            find_inputs(reduced, partial)
        except LexencError as error:
            for one in error.faults if isinstance(error, ManyFaultsError) else [error]:
                file = one.message.rpartition(_NOT_THERE)[2] if _NOT_THERE in one.message else one.message
                faults.setdefault((file, one.hint), []).append(one)
    return [_of_steps(same) for same in faults.values()]


_NOT_THERE = " is not there: "


def _of_steps(same: Sequence[LexencError]) -> LexencError:
    """Return the errors of steps that miss the same file as one."""
    if len(same) == 1 or _NOT_THERE not in same[0].message:
        return same[0]
    places, file = [], ""
    for one in same:
        place, _, file = one.message.partition(_NOT_THERE)
        places.append(place)
    return ConfigError(f"{'; '.join(dict.fromkeys(places))}{_NOT_THERE}{file}", hint=same[0].hint)


def refuse_faults(pipeline: Pipeline, steps: Sequence[Step]) -> None:
    """Check that the input files of all steps exist.

    Raises:
        LexencError: If some do not, with all errors.
    """
    faults = missing_inputs(pipeline, steps)
    if faults:
        raise several(pipeline.path.name, faults)
