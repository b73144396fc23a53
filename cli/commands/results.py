"""results: the scores of any number of evaluations as one table."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lexenc.artifact import InputRecord, Manifest, maker_of, owner_of
from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.evaluation import TASKS
from lexenc.evaluation.leaderboard import BEST, Leaderboard, names_of_tests, system_name
from lexenc.files.evaluations import SCORES, Evaluation, is_evaluation, read_evaluation
from lexenc.files.text import counted
from lexenc.stage import Table

from ..options import Debug, Json, Quiet, Seed
from ..ui import View, show_warning, write_out

_FORMATS = ("table", "csv", "latex", "markdown", "json")


def results_command(
    folders: Annotated[
        list[str],
        typer.Argument(
            help="Folders to search for evaluations. NAME=FOLDER names the system of one evaluation.",
            metavar="FOLDER",
        ),
    ],
    form: Annotated[
        str, typer.Option("--format", help=f"{', '.join(_FORMATS)}. csv and json have plain numbers.", metavar="TEXT")
    ] = "table",
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Name of a row, a folder of it, or best for the best value of each column. The others are compared "
            "with it where both answered the same items: + is significantly better, - significantly worse (paired "
            "bootstrap, Holm's correction, 0.05).",
            metavar="NAME",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="JSON key of a metric to show, e.g. pearson; may be repeated. If left out, the headline of each task.",
            metavar="KEY",
        ),
    ] = None,
    means: Annotated[
        bool, typer.Option("--means", help="Show one column for all tracks of a test set: their mean.")
    ] = False,
    controls: Annotated[
        bool, typer.Option("--controls", help="Show the controls of the evaluations below the systems.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    r"""There is a row for each system, and a column for each metric and test set.

    The best value of a column is marked, except of sweeps, and where conventions or test items differ.

    \b
    Examples:
      $ lexenc results runs
      $ lexenc results runs/scores-mini runs/scores-tuned --baseline mini
      $ lexenc results runs --means --controls --baseline best \
          --format latex > table.tex
    """
    form = "json" if json else form
    if form not in _FORMATS:
        raise ConfigError(f"--format cannot be '{form}'.", hint=f"Choose one of: {', '.join(_FORMATS)}.")
    view = View(json=form == "json", quiet=quiet)
    found = list(_found(folders))
    if not found:
        raise ConfigError(f"There is no evaluation in {', '.join(folders)}.", hint="Evaluate with --out FOLDER first.")
    known = dict.fromkeys(each.key for name in dict.fromkeys(one.task for _, one, _ in found)
                          for each in TASKS[name].metrics)  # fmt: skip
    for key in metric or ():
        if key not in known:
            raise ConfigError(f"No evaluation here has the metric '{key}'.", hint=f"Known: {', '.join(known)}.")
    board = Leaderboard(means=means, with_controls=controls)
    tests = names_of_tests([(evaluation, maker) for _, evaluation, maker in found])
    for name, (_, evaluation, _), test in zip(_system_names(found, tests), found, tests, strict=True):
        board.add(name, evaluation, test, metric or ())
    board.mark_best()
    if baseline is not None:
        board.compare(_row_of(board, baseline), seed=seed)
    note = f"{counted(len(found), 'evaluation')}. {board.conventions()} "
    note += "Shares and correlations are shown x 100, with confidence intervals."
    if any(entry.best for row in board.rows.values() for entry in row.values()):
        note += f" {'*' if form == 'table' else 'Bold'}: best of the column."
    if any(len(evaluation.choices()) > 1 for _, evaluation, _ in found):
        note += " The settings of a sweep have no mark: the best of them would be chosen on the test set."
    unfair = [name for name, row in board.rows.items() if any(each.unfair for each in row.values())]
    note += f" NOT A FAIR TEST of {', '.join(unfair)}: see 'unfair' in scores.json." if unfair else ""
    if board.unpaired:
        rows = ", ".join(board.unpaired)
        note += f" Not compared with {baseline}, as items or gold answers differ or nothing can be computed: {rows}."
    note += f" A control is not significantly worse: {'; '.join(board.weak())}." if board.weak() else ""
    than = "the best of the column" if baseline == BEST and BEST not in board.rows else baseline
    note += f" +, -: significantly better or worse than {than}." if baseline is not None else ""
    _show(view, board, form, note)


def _show(view: View, board: Leaderboard, form: str, note: str) -> None:
    if form == "table":
        tables = list(_tables(board, width=3 if sys.stdout.isatty() else len(board.columns)))
        for table in tables:
            view.table(replace(table, note=note if table is tables[-1] else ""))
    elif form == "json":
        view.results(board.objects(), [])
    elif form == "csv":
        write_out(board.csv())
    else:
        write_out(f"{board.latex()}% {note}\n" if form == "latex" else f"{board.markdown()}\n{note}\n")


def _tables(board: Leaderboard, *, width: int) -> Iterator[Table]:
    """Return the table in parts of at most `width` columns, which fit on a terminal, without rows that are empty."""
    heads, cells = board.marked_heads("table"), board.cells("table")
    for start in range(0, len(heads), width or 1):
        part = slice(start, start + width)
        rows = [[row[0], *row[1:][part]] for row, scores in zip(cells, board.shown.values(), strict=True)
                if any(column in scores for column in board.columns[part])]  # fmt: skip
        yield Table("Results", ["system", *heads[part]], rows)


_Found = tuple[str, Evaluation, Manifest | None]
"""Name that the user gave, the evaluation, and what made it."""


def _found(folders: list[str]) -> list[_Found]:
    """Find the evaluations in folders, each once. Those that cannot be read are left out with a warning.

    Raises:
        LexencError: If one that was named itself, or every one, cannot be read.
    """
    found: dict[Path, _Found] = {}
    damaged: list[LexencError] = []
    for text in folders:
        name, _, path = ("", "", text) if Path(text).exists() else text.rpartition("=")
        if not Path(path).exists():
            raise ConfigError(f"There is no folder {path}.", hint="Check the path.")
        for place, inner, _ in os.walk(path):
            inner[:] = sorted(each for each in inner if not each.startswith("."))
            folder = Path(place)
            if is_evaluation(folder):
                try:
                    found.setdefault(folder.resolve(), (name, _evaluation(folder), maker_of(folder)))
                except LexencError as error:
                    if folder == Path(path):
                        raise
                    damaged.append(error)
    if damaged and not found:
        raise damaged[0]
    for one in damaged:
        show_warning(f"An evaluation is left out: {one.message}", one.hint)
    return list(found.values())


def _evaluation(folder: Path) -> Evaluation:
    evaluation = read_evaluation(folder)
    if evaluation.task not in TASKS:
        raise DataError(f"{folder / SCORES}: there is no task '{evaluation.task}'.", hint="Make it again.")
    return evaluation


def _system_names(found: list[_Found], tests: list[str]) -> list[str]:
    """Return the names of systems. Links by an encoder have the name of the encoder, if it has one set of them."""
    names = [name or system_name(own, made, maker=partial(_maker, own)) for name, own, made in found]
    keys = [(name, own.task, test) for name, (_, own, _), test in zip(names, found, tests, strict=True)]
    return [each[0] or system_name(*each[1:]) if keys.count(key) > 1 else key[0]
            for key, each in zip(keys, found, strict=True)]  # fmt: skip


def _maker(evaluation: Evaluation, record: InputRecord) -> Manifest | None:
    """Return what made an input of an evaluation, if it is still there."""
    path = owner_of(evaluation.folder.absolute().parent / record.path)
    made = maker_of(path) if path is not None else None
    return made if made is not None and made.key == record.made_by else None


def _row_of(board: Leaderboard, baseline: str) -> str:
    """Return the row that a name or a folder means."""
    for name, row in board.rows.items():
        folders = [entry.evaluation.folder.resolve() for entry in row.values()]
        if baseline != name and baseline not in board.rows and Path(baseline).resolve() in folders:
            return name
    return baseline
