"""reproduce: the tables of a paper, computed here and compared with the paper."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lexenc.artifact import DigestStore, Manifest, cache_folder, result_folder
from lexenc.device import Precision, check_device_name
from lexenc.errors import ConfigError, ExitCode
from lexenc.files.text import counted
from lexenc.parameters import checked_choice
from lexenc.pipeline import Pipeline, Step, Watcher, forecast, run_pipeline
from lexenc.planning import Plan
from lexenc.recipes.comparison import (
    AVERAGE,
    CellScores,
    Encoders,
    PaperComparison,
    as_objects,
    as_table,
    compare,
)
from lexenc.recipes.expansion import Expansion, Settings, chosen_encoders
from lexenc.recipes.paper import PaperCell, RecipeTable, full_name, read_paper, read_table, wanted_cells
from lexenc.recipes.running import (
    Lack,
    distinct,
    fetch_lacks,
    find_lacks,
    found_scores,
    needed_by,
    refuse_lacks,
    refuse_others,
    without,
)
from lexenc.recipes.settings import as_setting_objects, as_settings_table, settings_in
from lexenc.resources.catalogue import read_catalogue
from lexenc.search import RETRIEVAL
from lexenc.stage import Table

from ..options import Debug, Device, Force, Json, NoProgress, Quiet, Seed
from ..stage_command import completion, shown_summary
from ..ui import View, print_json
from .fetching import approve_offer


def reproduce_command(
    tables: Annotated[
        list[str], typer.Argument(help="Recipes, e.g. msimcse/table-2. See: lexenc list recipes", metavar="TABLE")
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", help="Folder for all steps. Tables share steps.", metavar="FOLDER")
    ],
    pairs: Annotated[
        str | None, typer.Option(help="Language pairs, separated by commas. If left out, all.", metavar="TEXT")
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="LaBSE: this encoder of the paper only. LaBSE=ENC: another encoder in its place, or a copy in a "
            "folder of that name. ENC: in place of all. May be repeated. If left out, all encoders of the paper.",
            metavar="ENC",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder with a folder for each family of lexenc fetch. If left out, its cache.", metavar="FOLDER"
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            help="ROLE=PATH: your own file in a role that --dry-run lists, such as train, vectors or tatoeba. "
            "{pair}, {source}, {target}, {language} and {size} in the path are replaced.",
            metavar="ROLE=PATH",
        ),
    ] = None,
    retrieval: Annotated[
        str,
        typer.Option(
            help=f"How answers are ranked, which the paper does not name. One of: {', '.join(RETRIEVAL)}.",
            metavar="CHOICE",
            autocompletion=completion(RETRIEVAL),
        ),
    ] = "nearest",
    partial: Annotated[bool, typer.Option("--partial", help="Skip what needs missing inputs.")] = False,
    fetch: Annotated[bool, typer.Option("--fetch", help="Download missing inputs first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --fetch: accept licences without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List steps, their state and missing inputs.")] = False,
    force: Force = False,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Annotated[
        Precision,
        typer.Option(
            help="Precision of encoders: float32, bfloat16 or float16.", envvar="LEXENC_PRECISION", metavar="CHOICE"
        ),
    ] = "float32",
    json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    r"""Compute each number with ordinary steps, one folder each, and reuse those that are up to date.

    If a step fails, its numbers stay empty and the exit code is 1. An encoder that is not in the paper is listed under
    its own name, without a difference.

    \b
    Examples:
      $ lexenc list recipes
      $ lexenc reproduce lexical-encoders/table-6 --encoder LaBSE \
          --pairs en-de,en-fr --fetch --out runs/paper
      $ lexenc reproduce lexical-encoders/table-6 --encoder mini --pairs en-de \
          --file "vectors={language}.vec.gz" --out runs/trial
      $ lexenc reproduce msimcse/table-2 --out runs/msimcse --dry-run
    """
    check_device_name(device)
    checked_choice(retrieval, RETRIEVAL, "--retrieval")
    view = View(json=json, quiet=quiet, progress=not no_progress)
    digests = DigestStore.default()
    names = list(dict.fromkeys(full_name(name) for name in tables))
    paper = read_paper(_only_paper(names))
    settings = Settings(
        out=result_folder(out),
        data=Path(data) if data is not None else cache_folder() / "fetched",
        encoders=chosen_encoders(paper, encoder or []),
        files=dict(_role(one) for one in file or []),
        retrieval=retrieval,
        seed=seed,
        precision=precision,
    )
    request = _request([read_table(paper, name) for name in names], pairs, settings)
    lacks = find_lacks(request.expansion)
    if fetch and not dry_run:
        fetch_lacks(
            distinct(lacks),
            approve=lambda offer: approve_offer(offer, yes, view),
            progress=view.watcher(),
            digests=digests,
        )
        lacks = find_lacks(request.expansion)
    pipeline, left_out = without(request.expansion.pipeline(), lacks)
    if not (partial or dry_run):
        refuse_lacks(distinct(lacks))
    casts = forecast(pipeline, list(pipeline.steps), force=force, digests=digests)
    if dry_run:
        states = {cast.step.name: (_STATES.get(cast.action, "would run"), "; ".join(cast.reasons)) for cast in casts}
        _show_steps(request, states, left_out, view)
        _show_lacks(request, lacks, view)
        return
    refuse_others(casts, settings.out)
    failed: dict[str, str] = {}
    run_pipeline(
        pipeline,
        list(pipeline.steps),
        force=force,
        device=device,
        progress=view.watcher(),
        notices=view.notices(),
        digests=digests,
        watcher=_watcher(request.expansion, pipeline, failed, view),
    )
    found = found_scores(request.expansion, failed, left_out)
    for table in request.tables:
        _show(request, table, found, view)
    if not view.json:  # where each number has its reasons
        _show_lacks(request, lacks, view)
    if found.failed:
        raise typer.Exit(ExitCode.FAILED)


@dataclass(frozen=True)
class _Request:
    """Requested tables."""

    tables: list[RecipeTable]
    cells: list[PaperCell]
    expansion: Expansion


def _only_paper(names: Sequence[str]) -> str:
    papers = list(dict.fromkeys(name.partition("/")[0] for name in names))
    if len(papers) > 1:
        raise ConfigError(f"The tables are of several papers: {', '.join(papers)}.", hint="Run reproduce for each.")
    return papers[0]


def _role(text: str) -> tuple[str, str]:
    role, equals, path = text.partition("=")
    if not equals or not path:
        raise ConfigError(f"--file {text} is not ROLE=PATH.", hint="For instance --file 'vectors={language}.vec'.")
    return role.replace("-", "_"), path


def _request(tables: list[RecipeTable], pairs: str | None, settings: Settings) -> _Request:
    extra = os.environ.get("LEXENC_CATALOGUE")
    paper = read_paper(tables[0].name.split("/")[0])
    cells = wanted_cells(tables, [each.strip() for each in (pairs or "").split(",") if each.strip()])
    expansion = Expansion(paper, settings, read_catalogue(Path(extra) if extra else None))
    for cell in cells:
        if not paper.is_quoted(cell) and (cell.encoder is None or cell.encoder in settings.encoders):
            expansion.add(cell)
    return _Request(tables, cells, expansion)


_STATES = {"run": "would run", "resume": "would continue", "reuse": "up to date", "refuse": "would refuse"}


def _show_steps(
    request: _Request, states: dict[str, tuple[str, str]], left_out: dict[str, list[str]], view: View
) -> None:
    """List all steps with their state."""
    rows = [
        [step.name, step.stage.name, *states.get(step.name, ("cannot run", "".join(left_out.get(step.name, [])[:1])))]
        for step in request.expansion.pipeline().steps
    ]
    objects = [dict(zip(("step", "stage", "action", "why"), row, strict=True)) for row in rows]
    steps, numbers = counted(len(rows), "step"), counted(len(request.expansion.scores), "number")
    note = f"{steps} for {numbers}, below {request.expansion.settings.out}."
    view.results(objects, [Table("Steps", ["step", "stage", "state", "why"], rows, note)])


def _show_lacks(request: _Request, lacks: dict[str, list[Lack]], view: View) -> None:
    """List the missing inputs, the rows that need them, and the commands that provide them."""
    rows = needed_by(request.expansion, request.tables, lacks)
    names = ("missing", "rows", "command")
    needed = [[lack.what, rows[lack.what], lack.command] for lack in distinct(lacks)]
    if needed:
        note = "--fetch downloads what can be downloaded."
        table = Table("Missing inputs", ["what", "needed by", "command"], needed, note)
        view.results((dict(zip(names, each, strict=True)) for each in needed), [table])


def _watcher(expansion: Expansion, pipeline: Pipeline, failed: dict[str, str], view: View) -> Watcher:
    """Print each step with the number of cells to come, and collect the reasons of those that fail."""
    names = [step.name for step in pipeline.steps]

    def before(step: Step, plan: Plan) -> None:
        done = names.index(step.name)
        left = sum(each.name in names[done:] for each in expansion.scores.values())
        view.say(f"[{done + 1}/{len(names)}] {step.name}: {step.stage.name}; {counted(left, 'number')} to come")

    def after(step: Step, plan: Plan, manifest: Manifest) -> None:
        made = f"{shown_summary(manifest.summary)}{step.out} ({manifest.seconds:.1f} s)"
        view.say(f"  unchanged since {manifest.created[:10]}, reused" if plan.action == "reuse" else f"  {made}")

    return Watcher(before, after, lambda step, reason: failed.update({step.name: reason}))


def _show(request: _Request, table: RecipeTable, found: CellScores, view: View) -> None:
    """Print one table next to that of the paper."""
    if table.settings:
        known = settings_in(table)
        view.results(as_setting_objects(table, known), [as_settings_table(table, known)])
        return
    paper, settings = request.expansion.paper, request.expansion.settings
    encoders = Encoders.of(paper, settings.encoders)
    rows = compare(paper, table, found, request.cells, encoders)
    if not rows:
        view.say(f"{table.name}: none of its language pairs was requested.")
    elif view.json:
        for one in as_objects(table, rows):
            print_json(one)
    else:
        view.table(as_table(table, rows, encoders, [*_departures(request.expansion, table), *paper.notes(table)]))
        view.say(_closing(table, [each for row in rows.values() for each in row]))


def _departures(expansion: Expansion, table: RecipeTable) -> list[str]:
    """Return a sentence on inputs that are not those of the paper."""
    paper, settings = expansion.paper, expansion.settings
    replaced: dict[str, list[str]] = {}
    for name in dict.fromkeys(cell.encoder for cell in table.cells() if cell.encoder in settings.encoders):
        own = settings.encoders[str(name)]
        if own != paper.encoders[str(name)]:
            replaced.setdefault(own, []).append(str(name))
    parts = [f"{own} in place of {', '.join(names)}" for own, names in replaced.items()]
    roles = {role for cell in table.cells() for role in paper.datasets[cell.dataset]["files"]}
    files = [role for role in settings.files if role in roles]
    parts += [f"own files for {', '.join(files)}"] if files else []
    return [f"Not the paper's: {'; '.join(parts)}."] if parts else []


def _closing(table: RecipeTable, places: Sequence[PaperComparison]) -> str:
    """Return the number of scores, and their mean distance from the paper."""
    cells = [each for each in places if each.row != AVERAGE]
    gaps = [each.difference for each in cells if each.difference is not None]
    states = {state: sum(each.state == state for each in cells) for state in ("done", "failed", "no data", "not asked")}
    parts = [f"{count} {state}" for state, count in states.items() if count]
    mean = f"; ours - paper {sum(gaps) / len(gaps):+.1f} on the mean of {len(gaps)}" if gaps else ""
    return f"{table.name}: {counted(len(cells), 'number')}: {', '.join(parts)}{mean}"
