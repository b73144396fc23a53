"""reproduce: the tables of a paper, made here, beside the paper's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lexenc.artifact import DigestStore, Manifest, cache_folder, result_folder
from lexenc.device import Precision, check_device_name
from lexenc.errors import ConfigError, ExitCode
from lexenc.files.text import counted
from lexenc.pipeline import Forecast, Pipeline, Step
from lexenc.stage import Table

from ..stage_command import shown_summary
from ..ui import View, print_json
from .fetching import approve_offer

if TYPE_CHECKING:
    from lexenc.recipes.comparison import Compared, Found
    from lexenc.recipes.expansion import Expansion, Settings
    from lexenc.recipes.paper import Cell, Paper, RecipeTable
    from lexenc.recipes.running import Lack


def reproduce_command(
    tables: Annotated[
        list[str], typer.Argument(help="Recipes, such as table-6; see: lexenc list recipes", metavar="TABLE")
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", help="Folder for all steps; tables share what they can.", metavar="FOLDER")
    ],
    pairs: Annotated[
        str | None, typer.Option(help="Language pairs, parted by commas; if left out all.", metavar="TEXT")
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="LaBSE: only this one of the paper's; LaBSE=ENC: another in its place, or a copy in a folder of that "
            "name; ENC: in place of all. Several times for several; if left out all of the paper's.",
            metavar="ENC",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder with a folder for every family of lexenc fetch; if left out its cache.", metavar="FOLDER"
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            help="ROLE=PATH: a file of your own. Roles: train, test, vectors, multi_simlex, mentions, umls, "
            "knowledge_base. {pair}, {source}, {target}, {language} and {size} in the path are filled in.",
            metavar="ROLE=PATH",
        ),
    ] = None,
    retrieval: Annotated[
        Literal["nearest", "csls"],
        typer.Option(help="How translations are ranked: nearest or csls; the paper does not say.", metavar="CHOICE"),
    ] = "nearest",
    partial: Annotated[bool, typer.Option("--partial", help="Do what can be done with what is here.")] = False,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch what is missing first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --fetch: accept licences and ask nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List steps, state and what is missing.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace results of other settings.")] = False,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of all random choices.", envvar="LEXENC_SEED", metavar="NUMBER")
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", envvar="LEXENC_DEVICE")] = "auto",
    precision: Annotated[
        Precision,
        typer.Option(
            help="Arithmetic of encoders: float32, bfloat16 or float16.", envvar="LEXENC_PRECISION", metavar="CHOICE"
        ),
    ] = "float32",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per number, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print tables, warnings and errors only.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Draw no bars.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    r"""Compute each number with ordinary steps, one folder each, and reuse those that are up to date.

    If a step fails, its numbers stay empty and the exit code is 1. An encoder that is not in the paper is listed under
    its own name, without a difference.

    \b
    Examples:
      $ lexenc list recipes
      $ lexenc reproduce table-6 table-8 --out runs/paper --dry-run
      $ lexenc reproduce table-6 --encoder LaBSE --pairs en-de,en-fr \
          --fetch --out runs/paper
      $ lexenc reproduce table-6 --encoder mini --pairs en-de \
          --file "vectors={language}.vec.gz" --out runs/trial
    """
    from lexenc.recipes.expansion import Settings, chosen_encoders
    from lexenc.recipes.paper import full_name, read_paper, read_table
    from lexenc.recipes.running import distinct, fetch_lacks, find_lacks

    check_device_name(device)
    view = View(json=json, quiet=quiet, progress=not no_progress)
    names = list(dict.fromkeys(full_name(name) for name in tables))
    paper = read_paper(names[0].split("/")[0])
    settings = Settings(
        out=result_folder(out),
        data=Path(data) if data is not None else cache_folder() / "fetched",
        encoders=chosen_encoders(paper, encoder or []),
        files=dict(_role(one) for one in file or []),
        retrieval=retrieval,
        seed=seed,
        precision=precision,
    )
    asked = _ask(paper, [read_table(paper, name) for name in names], settings, pairs)
    digests = DigestStore.default()
    lacks = find_lacks(asked.expansion)
    if fetch and not dry_run:
        fetch_lacks(
            distinct(lacks),
            approve=lambda offer: approve_offer(offer, yes, view),
            progress=view.watcher(),
            digests=digests,
        )
        lacks = find_lacks(asked.expansion)
    if dry_run:
        _show_steps(asked, lacks, force, digests, view)
        return
    failed = _make(asked, lacks, _Run(partial, force, device), digests, view)
    if failed:
        raise typer.Exit(ExitCode.FAILED)


@dataclass(frozen=True)
class _Asked:
    """What is to be made.

    Args:
        paper: What the tables share.
        tables: The tables.
        cells: Their cells of the pairs asked for.
        expansion: The steps of those whose encoder was asked for.
        settings: The user's.
    """

    paper: Paper
    tables: list[RecipeTable]
    cells: list[Cell]
    expansion: Expansion
    settings: Settings


@dataclass(frozen=True)
class _Run:
    """How it is to be made."""

    partial: bool
    force: bool
    device: str


def _role(text: str) -> tuple[str, str]:
    role, equals, path = text.partition("=")
    if not equals or not path:
        raise ConfigError(f"--file {text} is not ROLE=PATH.", hint="For instance --file 'vectors={language}.vec'.")
    return role.replace("-", "_"), path


def _ask(paper: Paper, tables: list[RecipeTable], settings: Settings, pairs: str | None) -> _Asked:
    from lexenc.recipes.expansion import Expansion
    from lexenc.recipes.paper import wanted_cells
    from lexenc.resources.catalogue import read_catalogue

    extra = os.environ.get("LEXENC_CATALOGUE")
    cells = wanted_cells(tables, [each.strip() for each in (pairs or "").split(",") if each.strip()])
    expansion = Expansion(paper, settings, read_catalogue(Path(extra) if extra else None))
    for cell in cells:
        if cell.encoder is None or cell.encoder in settings.encoders:
            expansion.add(cell)
    return _Asked(paper, tables, cells, expansion, settings)


# ---------------------------------------------------------------- what would be done


def _show_steps(asked: _Asked, lacks: dict[str, list[Lack]], force: bool, digests: DigestStore, view: View) -> None:
    """List all steps with what would be done, and what is missing."""
    from lexenc.recipes.running import distinct, foresee, without

    pipeline, left_out = without(asked.expansion.pipeline(), lacks)
    casts = {cast.step.name: cast for cast in foresee(pipeline, force=force, digests=digests)}
    rows = [_forecast_row(step, casts.get(step.name), left_out) for step in asked.expansion.pipeline().steps]
    objects = [dict(zip(("step", "stage", "action", "why"), row, strict=True)) for row in rows]
    missing = distinct(lacks)
    steps, numbers = counted(len(rows), "step"), counted(len(asked.expansion.scores), "number")
    note = f"{steps} for {numbers}, below {asked.settings.out}."
    view.results(objects, [Table("Steps", ["step", "stage", "state", "why"], rows, note)])
    if missing:
        needed = [[lack.what, lack.command] for lack in missing]
        view.results(
            [{"missing": what, "command": command} for what, command in needed],
            [Table("Not here yet", ["what", "command"], needed, "--fetch fetches what can be fetched.")],
        )


def _forecast_row(step: Step, cast: Forecast | None, left_out: dict[str, str]) -> list[str]:
    words = {"run": "would run", "resume": "would continue", "reuse": "up to date", "refuse": "would refuse"}
    if cast is None:
        return [step.name, step.stage.name, "cannot run", left_out[step.name]]
    return [step.name, step.stage.name, words.get(cast.action, "would run"), "; ".join(cast.reasons)]


# ---------------------------------------------------------------- doing it


def _make(asked: _Asked, lacks: dict[str, list[Lack]], run: _Run, digests: DigestStore, view: View) -> bool:
    """Do all steps and show the tables; tell whether a number failed."""
    from lexenc.recipes.running import (
        Listener,
        distinct,
        foresee,
        found_scores,
        refuse_lacks,
        refuse_others,
        run_steps,
        without,
    )

    if not run.partial:
        refuse_lacks(distinct(lacks))
    pipeline, left_out = without(asked.expansion.pipeline(), lacks)
    refuse_others(foresee(pipeline, force=run.force, digests=digests), asked.settings.out)
    teller = _Teller(asked.expansion, pipeline, view)
    attempt = run_steps(
        pipeline,
        force=run.force,
        device=run.device,
        progress=view.watcher(),
        notices=view.notices(),
        digests=digests,
        listener=Listener(teller.before, teller.after),
    )
    found = found_scores(asked.expansion, attempt, left_out)
    for table in asked.tables:
        _show(asked, table, found, view)
    return bool(found.failed)


@dataclass(frozen=True)
class _Teller:
    """Says what is being done, and how much is left.

    Args:
        expansion: Which step the cells are read from.
        pipeline: The steps that are done.
        view: Where it is shown.
    """

    expansion: Expansion
    pipeline: Pipeline
    view: View

    def before(self, step: Step, done: int) -> None:
        """Say which step begins."""
        coming = {each.name for each in self.pipeline.steps[done:]}
        left = sum(each.name in coming for each in self.expansion.scores.values())
        place = f"[{done + 1}/{len(self.pipeline.steps)}]"
        self.view.say(f"{place} {step.name}: {step.stage.name}; {counted(left, 'number')} to come")

    def after(self, step: Step, manifest: Manifest, reused: bool) -> None:
        """Say what came of it."""
        if reused:
            self.view.say(f"  unchanged since {manifest.created[:10]}, reused")
        else:
            self.view.say(f"  {shown_summary(manifest.summary)}{step.out} ({manifest.seconds:.1f} s)")


def _show(asked: _Asked, table: RecipeTable, found: Found, view: View) -> None:
    """Show one table beside the paper's."""
    from lexenc.recipes.comparison import Systems, as_objects, as_table, compare

    systems = Systems.of(asked.paper, asked.settings.encoders)
    rows = compare(asked.paper, table, found, asked.cells, systems)
    if not rows:
        view.say(f"{table.name}: none of its pairs was asked for.")
        return
    if view.json:
        for one in as_objects(table, rows):
            print_json(one)
        return
    view.table(as_table(table, rows, systems, [*_departures(asked, table), *asked.paper.notes(table)]))
    view.say(_closing(table, [each for row in rows.values() for each in row]))


def _departures(asked: _Asked, table: RecipeTable) -> list[str]:
    """Name what is not the paper's."""
    replaced: dict[str, list[str]] = {}
    for name in dict.fromkeys(cell.encoder for cell in table.cells() if cell.encoder in asked.settings.encoders):
        own = asked.settings.encoders[str(name)]
        if own != asked.paper.encoders[str(name)]:
            replaced.setdefault(own, []).append(str(name))
    parts = [f"{own} in place of {', '.join(names)}" for own, names in replaced.items()]
    roles = {role for cell in table.cells() for role in asked.paper.datasets[cell.dataset]["files"]}
    files = [role for role in asked.settings.files if role in roles]
    parts += [f"own files for {', '.join(files)}"] if files else []
    return [f"Not the paper's: {'; '.join(parts)}."] if parts else []


def _closing(table: RecipeTable, places: Sequence[Compared]) -> str:
    """Count the numbers, and say how far they are from the paper's."""
    from lexenc.recipes.comparison import AVERAGE

    cells = [each for each in places if each.row != AVERAGE]
    gaps = [each.difference for each in cells if each.difference is not None]
    states = {state: sum(each.state == state for each in cells) for state in ("done", "failed", "no data", "not asked")}
    parts = [f"{count} {state}" for state, count in states.items() if count]
    mean = f"; ours - paper {sum(gaps) / len(gaps):+.1f} on the mean of {len(gaps)}" if gaps else ""
    return f"{table.name}: {counted(len(cells), 'number')}: {', '.join(parts)}{mean}"
