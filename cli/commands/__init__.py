"""Commands that are not stages."""

from __future__ import annotations

import typer

from .demonstrating import demo_command
from .inspecting import env_command, list_command, show_command
from .pipeline import check_command, init_command, run_command, status_command
from .translating import translate_command


def register(app: typer.Typer) -> None:
    """Add the helpers to the program."""
    app.command("translate", rich_help_panel="Stages")(translate_command)
    app.command("run", rich_help_panel="Pipelines")(run_command)
    app.command("status", rich_help_panel="Pipelines")(status_command)
    app.command("check", rich_help_panel="Pipelines")(check_command)
    app.command("init", rich_help_panel="Pipelines")(init_command)
    app.command("demo", rich_help_panel="Helpers")(demo_command)
    app.command("show", rich_help_panel="Helpers")(show_command)
    app.command("list", rich_help_panel="Helpers")(list_command)
    app.command("env", rich_help_panel="Helpers")(env_command)
