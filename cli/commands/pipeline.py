"""run, status, check, init: pipeline files."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from lexenc.artifact import DigestStore, Manifest
from lexenc.device import check_device_name
from lexenc.durable import replacing
from lexenc.errors import ConfigError, ExitCode, several
from lexenc.parameters import as_dict, build
from lexenc.pipeline import (
    Forecast,
    Pipeline,
    Step,
    Watcher,
    chosen_steps,
    find_faults,
    forecast,
    read_pipeline,
    refuse_faults,
    run_pipeline,
)
from lexenc.planning import Plan
from lexenc.resources import ROOT
from lexenc.stage import Table

from ..options import Debug, Json, NoProgress, Quiet
from ..stage_command import shown_summary
from ..ui import View, print_json, show_table

File = Annotated[str, typer.Argument(help="Pipeline file (YAML).", metavar="PIPELINE")]
Check = Annotated[
    bool, typer.Option("--check-content", help="Compute digests of large inputs again.")
]
_WORDS = dict(run="would run", resume="would continue", reuse="up to date", refuse="would refuse", wait="would run")


def run_command(
    pipeline: File,
    start: Annotated[
        str | None, typer.Option("--from", help="First step to run. Earlier steps must be up to date.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Last step to run.")] = None,
    only: Annotated[str | None, typer.Option(help="The only step to run.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace results of other recipes.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done and why.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(envvar="LEXENC_DEVICE", help="auto, cpu, cuda, cuda:N or mps, for all steps.")
    ] = None,
    workdir: Annotated[str | None, typer.Option(help="Output folder, instead of the one in the file.")] = None,
    check_content: Check = False,
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    r"""Reuse the results of steps that are up to date.

    \b
    Examples:
      $ lexenc run examples/en-de/pipeline.yaml --dry-run
      $ lexenc run examples/en-de/pipeline.yaml --from finetune
    """
    view = View(json=json, quiet=quiet, progress=not no_progress)
    if device is not None:
        check_device_name(device)
    read = read_pipeline(Path(pipeline), workdir=Path(workdir) if workdir else None)
    steps = chosen_steps(read, start=start, until=until, only=only)
    digests = DigestStore.default(trust=not check_content)
    if dry_run:
        refuse_faults(read, steps)
        _show_forecasts(forecast(read, steps, force=force, digests=digests), view)
        return
    made = run_pipeline(
        read,
        steps,
        force=force,
        device=device,
        progress=view.watcher(),
        notices=view.notices(),
        digests=digests,
        watcher=Watcher(after=lambda step, plan, manifest: _show_step(step, plan, manifest, view)),
    )
    if not all(manifest.answer for manifest in made.values()):
        raise typer.Exit(ExitCode.FAILED)


def _show_step(step: Step, plan: Plan, manifest: Manifest, view: View) -> None:
    if plan.action == "reuse":
        view.say(f"{step.name}: unchanged since {manifest.created[:10]}, reused ({step.out})")
    else:
        view.say(f"{step.name}: {shown_summary(manifest.summary)}{step.out} ({manifest.seconds:.1f} s)")
    results = [{"step": step.name, **one} for one in manifest.results]
    view.results(results, manifest.tables)


def _show_forecasts(casts: list[Forecast], view: View) -> None:
    if view.json:
        for cast in casts:
            print_json({"step": cast.step.name, "action": cast.action, "reasons": list(cast.reasons)})
        return
    rows = [[cast.step.name, _WORDS[cast.action], "; ".join(cast.reasons)] for cast in casts]
    show_table(Table("Steps", ["step", "state", "why"], rows))


def status_command(pipeline: File, check_content: Check = False, json: Json = False, debug: Debug = False) -> None:
    r"""Exit with 1 if any step is not up to date.

    \b
    Example:
      $ lexenc status pipeline.yaml
    """
    read = read_pipeline(Path(pipeline))
    refuse_faults(read, read.steps)
    casts = forecast(read, list(read.steps), force=False, digests=DigestStore.default(trust=not check_content))
    _show_forecasts(casts, View(json=json))
    if any(cast.action != "reuse" for cast in casts):
        raise typer.Exit(ExitCode.FAILED)


def check_command(
    pipeline: File,
    show: Annotated[bool, typer.Option(help="Print every value and its source.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    r"""Report all errors at once, and exit with 2 if there are any.

    The order of precedence is: option, environment variable (LEXENC_DEVICE), file, default.

    \b
    Examples:
      $ lexenc check pipeline.yaml
      $ lexenc check pipeline.yaml --show
    """
    read, faults = find_faults(Path(pipeline))
    if faults:
        raise several(Path(pipeline).name, faults)
    if show:
        _show_values(read, json)
    elif json:
        print_json({"pipeline": pipeline, "steps": len(read.steps), "faults": 0})
    else:
        View().say(f"{pipeline}: {len(read.steps)} step{'s' if len(read.steps) != 1 else ''}, no faults.")


def _show_values(read: Pipeline, json: bool) -> None:
    variable = os.environ.get("LEXENC_DEVICE")
    rows = [["run", "device", variable or read.device, "LEXENC_DEVICE" if variable else "file or default"]]
    for step in read.steps:
        rows.append([step.name, "seed", str(step.seed), "file or default"])
        params, _ = build(step.stage.params, step.params, owner=step.stage.name)
        params = step.stage.resolve(step.inputs, params) if step.stage.resolve else params
        for name, value in as_dict(params).items():
            shown = ",".join(str(each) for each in value) if isinstance(value, list) else str(value)
            rows.append([step.name, name, shown, "file" if name in step.given_params else "default"])
    if json:
        for row in rows:
            print_json(dict(zip(("step", "name", "value", "from"), row, strict=True)))
    else:
        show_table(Table("Values", ["step", "name", "value", "from"], rows))


def init_command(
    path: Annotated[str, typer.Argument(help="File to write.", metavar="PIPELINE")] = "pipeline.yaml",
    debug: Debug = False,
) -> None:
    r"""Refuse to replace a file that exists.

    \b
    Example:
      $ lexenc init pipeline.yaml
    """
    place = Path(path)
    if place.exists():
        raise ConfigError(f"{place} already exists.", hint="Choose another name.")
    text = (ROOT / "pipeline.yaml").read_text(encoding="utf-8")
    with replacing(place) as stream:
        stream.write(text.replace("pipeline.yaml", place.name).encode("utf-8", "surrogateescape"))
    View().say(f"Wrote {place}.")
    View().say(f"next: put your files under 'inputs', then: lexenc check {shlex.quote(str(place))}")
