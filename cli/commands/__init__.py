"""Commands that are not stages: where each is defined, and what it does."""

from __future__ import annotations

from lexenc.registry import Registry

COMMANDS = Registry(
    "command",
    {
        "translate": ("lexenc_cli.commands.translating:translate_command", "Translate words."),
        "convert": (
            "lexenc_cli.commands.converting:convert_command",
            "Convert translation memories and termbases to word pairs, and back.",
        ),
        "run": ("lexenc_cli.commands.pipeline:run_command", "Run the steps of a pipeline."),
        "status": ("lexenc_cli.commands.pipeline:status_command", "Show which steps of a pipeline are up to date."),
        "check": ("lexenc_cli.commands.pipeline:check_command", "Check a pipeline file without running it."),
        "init": ("lexenc_cli.commands.pipeline:init_command", "Write a commented pipeline file to start from."),
        "demo": (
            "lexenc_cli.commands.demonstrating:demo_command",
            "Build and evaluate an English-German glossary from the bundled data.",
        ),
        "reproduce": (
            "lexenc_cli.commands.reproducing:reproduce_command",
            "Reproduce tables of a paper and compare them with the printed ones.",
        ),
        "fetch": ("lexenc_cli.commands.fetching:fetch_command", "Download a public resource and print its path."),
        "report": (
            "lexenc_cli.commands.reporting:report_command",
            "Write an HTML report of results: scores, charts, errors and provenance.",
        ),
        "results": ("lexenc_cli.commands.results:results_command", "Show the scores of evaluations as one table."),
        "show": ("lexenc_cli.commands.inspecting:show_command", "Show what a result was made from."),
        "list": ("lexenc_cli.commands.inspecting:list_command", "List stages, encoders, losses, resources and so on."),
        "env": ("lexenc_cli.commands.inspecting:env_command", "Print versions and devices, for bug reports."),
    },
)
PANELS = {"translate": "Stages", "convert": "Stages"} | dict.fromkeys(("run", "status", "check", "init"), "Pipelines")
"""Headings of the help under which these commands are listed; the others are helpers."""
