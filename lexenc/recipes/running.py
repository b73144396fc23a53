"""Making what recipes ask for: what is missing first, then step by step; what fails takes only its own cells along."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lexenc.artifact import DigestStore, Manifest, cache_folder
from lexenc.encoders.locate import locate_encoder
from lexenc.errors import ConfigError, LexencError, ManyFaultsError
from lexenc.fetching import Offer, fetch
from lexenc.files.text import counted
from lexenc.pipeline import Forecast, Pipeline, Step, forecast, plan_step
from lexenc.planning import run_plan
from lexenc.progress import SILENT, Progress
from lexenc.recipes.comparison import Found, score_of
from lexenc.recipes.expansion import Expansion, Need
from lexenc.recipes.paper import Cell
from lexenc.stage import Notices

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


@dataclass(frozen=True)
class Lack:
    """Something that steps read and that is not there.

    Args:
        what: A file's name, or an encoder's.
        command: What to type to have it.
        need: The file; None for an encoder.
    """

    what: str
    command: str
    need: Need | None = None


def find_lacks(expansion: Expansion) -> dict[str, list[Lack]]:
    """Give what is missing, by the name of the step that reads it; without asking the network.

    Args:
        expansion: The steps.

    Raises:
        ConfigError: If an encoder is a folder that is not there, or has a name that none can have.
    """
    known: dict[str, Lack | None] = {}
    found: dict[str, list[Lack]] = {}
    for step in expansion.pipeline().steps:
        for need in expansion.needs(step):
            known.setdefault(str(need.path), _file_lack(need))
        for encoder in expansion.encoders(step):
            if encoder not in known:
                known[encoder] = _encoder_lack(encoder)
        read = [*(str(need.path) for need in expansion.needs(step)), *expansion.encoders(step)]
        lacks = [lack for name in read if (lack := known[name]) is not None]
        if lacks:
            found[step.name] = lacks
    return found


def distinct(lacks: Mapping[str, list[Lack]]) -> list[Lack]:
    """Give everything that is missing once."""
    return list({lack.what: lack for many in lacks.values() for lack in many}.values())


def _file_lack(need: Need) -> Lack | None:
    if need.path.exists():
        return None
    own = f"--file {need.role}=PATH"
    if need.resource is None:
        words = need.words or f"not there: {need.path}"
        return Lack(f"{need.role} ({words})", own, need)
    one = need.resource
    folder = need.path.parent
    place = "" if folder == cache_folder() / "fetched" / one.family else f" --out {shlex.quote(str(folder))}"
    return Lack(f"{one.name} {one.part}", f"lexenc fetch {one.name} --part {one.part}{place}", need)


def _encoder_lack(name: str) -> Lack | None:
    """Look for an encoder here; a name on the hub is looked up among what was downloaded before."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if any(isinstance(try_to_load_from_cache(name, file), str) for file in _WEIGHTS):
            return None
    except HFValidationError:
        pass  # a path, or bundled
    else:
        if not Path(name).exists() and not _is_bundled(name):
            return Lack(name, f"hf download {name} --exclude '*.bin' --exclude '*.h5' --exclude '*.ot'")
    locate_encoder(name)
    return None


def _is_bundled(name: str) -> bool:
    from lexenc.resources import BUNDLED_ENCODERS, PREFIX

    return name.removeprefix(PREFIX) in BUNDLED_ENCODERS


def refuse_lacks(lacks: Iterable[Lack]) -> None:
    """Refuse to begin without what is missing, with the command for each of it.

    Raises:
        ConfigError: If there is anything.
    """
    listed = list(lacks)
    if not listed:
        return
    width = max(len(lack.what) for lack in listed)
    lines = [f"  {lack.what.ljust(width)}  {lack.command}" for lack in listed]
    raise ConfigError(
        "\n".join([f"{counted(len(listed), 'input')} {'is' if len(listed) == 1 else 'are'} not here yet:", *lines]),
        hint="--fetch fetches what can be fetched; --partial does what can be done without; --pairs and --encoder "
        "ask for less.",
    )


def fetch_lacks(
    lacks: Iterable[Lack],
    *,
    approve: Callable[[Offer], None],
    progress: Progress = SILENT,
    digests: DigestStore | None = None,
) -> None:
    """Fetch what is missing, as far as it can be fetched.

    Args:
        lacks: What is missing.
        approve: Called before a file is fetched; raises where the user does not agree.
        progress: Who watches.
        digests: Remembered digests.

    Raises:
        LexencError: If something cannot be fetched.
    """
    for lack in lacks:
        if lack.need is None:
            locate_encoder(lack.what)
        elif lack.need.resource is not None:
            fetch(lack.need.resource, lack.need.path.parent, approve=approve, progress=progress, digests=digests)


# ---------------------------------------------------------------- doing


@dataclass(frozen=True)
class Attempt:
    """What came of some steps.

    Args:
        made: Manifests by the name of the step.
        failed: Why a step has no result, by its name; the reason of the step that it waits for, where it waits.
    """

    made: dict[str, Manifest] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listener:
    """Who is told about each step.

    Args:
        before: Called with a step that is about to be planned, and how many steps are done.
        after: Called with its result, and whether it was there already.
    """

    before: Callable[[Step, int], None] = lambda step, done: None
    after: Callable[[Step, Manifest, bool], None] = lambda step, manifest, reused: None


def without(pipeline: Pipeline, lacks: Mapping[str, list[Lack]]) -> tuple[Pipeline, dict[str, str]]:
    """Leave out the steps that cannot be done for want of something, and those that need them.

    Returns:
        The other steps, and the reason for every one left out.
    """
    reasons: dict[str, str] = {}
    for step in pipeline.steps:
        blocked = [reasons[name] for name in step.needs if name in reasons]
        missing = [f"no {lack.what}" for lack in lacks.get(step.name, [])]
        if blocked or missing:
            reasons[step.name] = (missing + blocked)[0]
    kept = tuple(step for step in pipeline.steps if step.name not in reasons)
    return replace(pipeline, steps=kept), reasons


def foresee(pipeline: Pipeline, *, force: bool, digests: DigestStore) -> list[Forecast]:
    """Say what a run would do with every step."""
    return forecast(pipeline, list(pipeline.steps), force=force, digests=digests)


def refuse_others(casts: Iterable[Forecast], out: Path) -> None:
    """Refuse to begin where results of other settings are in the way.

    Raises:
        ConfigError: If there are any.
    """
    refused = [cast for cast in casts if cast.action == "refuse"]
    if not refused:
        return
    lines = [f"  {cast.step.name}: {'; '.join(cast.reasons)}" for cast in refused]
    raise ConfigError(
        "\n".join([f"{out} holds {counted(len(refused), 'result')} of other settings or files:", *lines]),
        hint="Choose another --out, or add --force to replace them.",
    )


def run_steps(
    pipeline: Pipeline,
    *,
    force: bool = False,
    device: str = "auto",
    progress: Progress = SILENT,
    notices: Notices | None = None,
    digests: DigestStore | None = None,
    listener: Listener | None = None,
) -> Attempt:
    """Run or reuse steps in order; one that fails leaves out those that need it, and no others.

    Args:
        pipeline: The steps.
        force: Replace results of other recipes.
        device: Where encoders compute.
        progress: Who watches.
        notices: Where remarks go; failures go there too.
        digests: Remembered digests.
        listener: Who is told about each step.
    """
    notices, listener = notices or Notices(), listener or Listener()
    attempt = Attempt()
    for done, step in enumerate(pipeline.steps):
        blocked = [attempt.failed[name] for name in step.needs if name in attempt.failed]
        if blocked:
            attempt.failed[step.name] = blocked[0]
            continue
        listener.before(step, done)
        try:
            manifest, reused = _do(step, pipeline, force, device, progress, notices, digests or DigestStore(None))
        except (LexencError, OSError, MemoryError, RuntimeError) as error:  # of PyTorch: out of memory, for one
            reason = _reason(error)
            attempt.failed[step.name] = reason
            hint = error.hint if isinstance(error, LexencError) else None
            notices.warn(f"{step.name} failed: {reason}", hint or "The cells that need it stay empty.")
            continue
        attempt.made[step.name] = manifest
        listener.after(step, manifest, reused)
    return attempt


def _reason(error: Exception) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, ManyFaultsError):
        return " ".join(fault.message for fault in error.faults)
    return error.message if isinstance(error, LexencError) else f"{type(error).__name__}: {error}"


def _do(
    step: Step, pipeline: Pipeline, force: bool, device: str, progress: Progress, notices: Notices, digests: DigestStore
) -> tuple[Manifest, bool]:
    """Run or reuse one step; tell which."""
    plan = plan_step(pipeline, step, force=force, digests=digests)
    manifest = run_plan(plan, device=device, progress=progress, notices=notices, digests=digests)
    return manifest, plan.action == "reuse"


def found_scores(expansion: Expansion, attempt: Attempt, left_out: Mapping[str, str]) -> Found:
    """Read the numbers of all cells from what was made.

    Args:
        expansion: The cells and their steps.
        attempt: What came of the steps.
        left_out: Why steps were not tried, by name.
    """
    scores, reasons, failed = {}, dict[Cell, str](), set()
    for cell, step in expansion.scores.items():
        manifest = attempt.made.get(step.name)
        score = None if manifest is None else score_of(expansion.paper, cell, manifest)
        if score is not None:
            scores[cell] = score
            continue
        reasons[cell] = left_out.get(step.name) or attempt.failed.get(step.name) or f"{step.name} has no such result"
        if step.name not in left_out:
            failed.add(cell)
    return Found(scores, reasons, frozenset(failed))
