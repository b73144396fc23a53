"""Commands that are not stages."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import typer

from .converting import convert_command
from .demonstrating import demo_command
from .fetching import fetch_command
from .inspecting import env_command, list_command, show_command
from .pipeline import check_command, init_command, run_command, status_command
from .reporting import report_command
from .reproducing import reproduce_command
from .translating import translate_command


def _add(app: typer.Typer, name: str, function: Callable[..., None], panel: str) -> None:
    # The two characters stand in the docstrings; Typer keeps the line breaks after the one that they mean.
    text = inspect.cleandoc(function.__doc__ or "").replace("\\b\n", "\b\n")
    app.command(name, help=text, rich_help_panel=panel)(function)


def register(app: typer.Typer) -> None:
    """Add the helpers to the program."""
    _add(app, "translate", translate_command, "Stages")
    _add(app, "convert", convert_command, "Stages")
    _add(app, "run", run_command, "Pipelines")
    _add(app, "status", status_command, "Pipelines")
    _add(app, "check", check_command, "Pipelines")
    _add(app, "init", init_command, "Pipelines")
    _add(app, "demo", demo_command, "Helpers")
    _add(app, "reproduce", reproduce_command, "Helpers")
    _add(app, "fetch", fetch_command, "Helpers")
    _add(app, "report", report_command, "Helpers")
    _add(app, "show", show_command, "Helpers")
    _add(app, "list", list_command, "Helpers")
    _add(app, "env", env_command, "Helpers")
