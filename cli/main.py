"""The program: its groups of commands, and what becomes of every error."""

from __future__ import annotations

import errno
import inspect
import os
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

import lexenc
from lexenc.errors import ExitCode, LexencError, ManyFaultsError
from lexenc.stages import STAGES

from .commands import COMMANDS, PANELS
from .ui import ReaderGone, mute, show_error, show_errors

_SETTINGS: dict[str, Any] = {
    "no_args_is_help": True,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "rich",
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class LazyGroup(TyperGroup):
    """A group whose help needs only the summaries of its commands; a command is imported when it is used."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the words name, and import it."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and self.loaded(name), rest

    def loaded(self, name: str) -> Any:
        """Return a command of the group with its options."""
        command = self.commands[name]
        if isinstance(command, LazyGroup):
            return command
        app = typer.Typer(add_completion=False, **_SETTINGS)
        full = name if self.name == "lexenc" else f"{self.name} {name}"
        if full in COMMANDS:
            function = COMMANDS[full]
            details = inspect.cleandoc(function.__doc__ or "").replace("\\b\n", "\b\n")  # keeps the line breaks
            app.command(name, help=f"{COMMANDS.summary(full)}\n\n{details}")(function)
        else:
            from .stage_command import stage_command  # here, so that the help of the program need not wait for it

            app.command(name)(stage_command(STAGES[full]))
        return get_command(app)


class LexencGroup(LazyGroup):
    """The program: every error is an `error:` line and a `hint:` line, and every failure has the right exit code."""

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Run a command line.

        Args:
            args: The words after the program's name.
            standalone_mode: Whether to leave the process with the exit code.
            extra: Passed on.
        """
        words = list(sys.argv[1:] if args is None else args)
        code = self._outcome(words, **extra)
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            mute()
        if standalone_mode:
            sys.exit(code)
        return code

    def _outcome(self, words: list[str], **extra: Any) -> int:
        as_json, debug = "--json" in words, "--debug" in words
        try:
            code = super().main(words, standalone_mode=False, **extra)
        except ReaderGone:
            code = ExitCode.DONE
        except SystemExit as error:
            # Typer and rich leave so when they cannot print a help text.
            if not isinstance(error.__context__, BrokenPipeError):
                raise
            mute()
            code = ExitCode.DONE
        except Exception as error:
            if debug:
                traceback.print_exc()
            return _explain(error, words, as_json)
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        # Typer turns Ctrl-C into this code without a word.
        if code == ExitCode.INTERRUPTED:
            show_error("Interrupted.", f"Run the same command again; {_what_is_left(words)}.", as_json=as_json)
        return int(code) if isinstance(code, int) else ExitCode.DONE


def _what_is_left(words: list[str]) -> str:
    """Say what an interrupted command leaves to its next run."""
    named = [word for word in words if not word.startswith("-")]
    name = named[0] if named else ""
    # The commands of a group are two words.
    stage = next((each for each in (" ".join(named[:2]), name) if each in STAGES), None)
    if name == "fetch" or (stage is not None and STAGES[stage].resumable):
        from lexenc.artifact import aside_folder

        begun = [aside_folder(Path(out)) for out in _values_of(words, "--out", "-o")]
        if begun and not any(each.exists() for each in begun):
            return "nothing was finished yet that could be kept"
        return f"{stage or name} continues where it was"
    return "what is finished is kept" if name in ("run", "demo", "reproduce") else "nothing was left half-written"


def _values_of(words: list[str], *options: str) -> list[str]:
    """Give what was written behind an option, as its next word or behind an equals sign."""
    following = [after for word, after in pairwise(words) if word in options]
    return following + [
        word.split("=", 1)[1] for word in words if word.startswith(tuple(f"{each}=" for each in options))
    ]


def _explain(error: Exception, words: list[str], as_json: bool) -> int:
    """Show an error in two lines, several one after the other, and give the exit code."""
    if isinstance(error, LexencError):
        faults = error.faults if isinstance(error, ManyFaultsError) else [error]
        show_errors([(fault.message, fault.hint or "See: lexenc --help") for fault in faults], as_json=as_json)
        return error.exit_code
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return ExitCode.USAGE
    if isinstance(error, typer.TyperException):
        message, hint = _usage(error, words)
        show_error(message, hint, as_json=as_json)
        return ExitCode.USAGE
    if isinstance(error, OSError):
        return _explain_system(error, as_json)
    if isinstance(error, MemoryError):
        show_error(
            "Out of memory.", "Read fewer rows with --limit, or use a machine with more memory.", as_json=as_json
        )
        return ExitCode.FAILED
    detail = (str(error).splitlines() or [""])[0]
    show_error(
        f"Something is wrong inside lexenc ({type(error).__name__} in {_place(error)}: {detail}).",
        "Run again with --debug and send the output of lexenc env with it.",
        as_json=as_json,
    )
    return ExitCode.BUG


# What a checker of types says, and what a person would say.
_PLAINER = (
    ("Value error, ", ""),
    ("Input should be a valid integer, unable to parse string as an integer", "it must be a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "it must be a number"),
    ("Input should be", "it must be"),
)


def _usage(error: typer.TyperException, words: list[str]) -> tuple[str, str]:
    """Turn Typer's own sentence into ours: the suggestion, if there is one, becomes the hint."""
    text = " ".join(error.format_message().split())
    for theirs, ours in _PLAINER:
        text = text.replace(theirs, ours)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "lexenc"
    hint = f"See: {path} --help"
    for mark in (" Did you mean", " (Possible options:"):
        if mark in text:
            text, tail = text.split(mark, 1)
            hint = (mark.strip(" (") + tail).rstrip(")")
    return text.rstrip(".") + ".", _of_other_command(error, words) or _nameless(error) or hint


def _of_other_command(error: typer.TyperException, words: list[str]) -> str | None:
    """Return a hint that names the command to which an unknown option belongs, if the stage knows it."""
    option, name = getattr(error, "option_name", None), next((word for word in words if word in STAGES), None)
    return None if option is None or name is None else STAGES[name].hint_for(option)


def _nameless(error: typer.TyperException) -> str | None:
    """Say that an argument needs no option name, to somebody who gave it one and meant no other option."""
    possibilities, context = getattr(error, "possibilities", None), getattr(error, "ctx", None)
    if possibilities is None or context is None:
        return None
    names = [each.name for each in context.command.params if each.param_type_name == "argument"]
    typed = getattr(error, "option_name", "").strip("-").replace("-", "_")
    close = get_close_matches(typed, [each.strip("-").replace("-", "_") for each in possibilities])
    if not names or (close and typed not in names):
        return None
    shown, verb = [name.upper() for name in names], "is" if len(names) == 1 else "are"
    return f"{' and '.join(shown)} {verb} given without an option name: {context.command_path} {' '.join(shown)}"


_WRONG_PATH = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EROFS,
)


def _explain_system(error: OSError, as_json: bool) -> int:
    """Tell a full disk and a missing permission from our own faults."""
    name = f": {error.filename}" if error.filename else ""
    hints = {
        errno.ENOSPC: "Free some space, or choose an --out on another disk.",
        errno.EACCES: "Check the permissions of the file and its folder.",
        errno.EROFS: "Choose an --out that can be written.",
        errno.EISDIR: "Give a file, not a folder.",
        errno.ENOTDIR: "Part of the path is a file.",
        errno.EEXIST: "Part of the path is a file.",
        errno.ENOENT: "Make its folder first, or check the path.",
    }
    what = str(error.strerror or error).rstrip(".")
    show_error(f"{what}{name}.", hints.get(error.errno or 0, "Check the path."), as_json=as_json)
    return ExitCode.USAGE if error.errno in _WRONG_PATH else ExitCode.FAILED


def _place(error: Exception) -> str:
    """Name the innermost function of ours in a traceback."""
    place = "an unknown place"
    ours = (str(Path(lexenc.__file__).parent), str(Path(__file__).parent))
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(ours):
            module = frame.filename.rsplit(os.sep, 1)[-1].removesuffix(".py")
            place = f"{module}.{frame.name}"
    return place


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lexenc {lexenc.__version__}")
        raise typer.Exit


def _listed() -> None:
    """Stand in the list of commands for one that is not imported yet."""


def build_app() -> typer.Typer:
    """Build the program from the tables of stages and of other commands."""
    app = typer.Typer(cls=LexencGroup, name="lexenc", **_SETTINGS)

    @app.callback()
    def root(
        version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
    ) -> None:
        """Build word translators and sentence encoders, and evaluate them.

        Each stage writes a folder: its files, and a manifest that records what it was made from.
        """

    helps = {"eval": "Score vectors and encoders on a task.", "align-train": "Train word aligners."}
    groups = {name: typer.Typer(cls=LazyGroup, help=text, **_SETTINGS) for name, text in helps.items()}
    for name in STAGES:
        group, _, short = name.rpartition(" ")
        place = groups[group] if group else app
        place.command(short, help=STAGES.summary(name), rich_help_panel="Stages")(_listed)
    for name in COMMANDS:
        app.command(name, help=COMMANDS.summary(name), rich_help_panel=PANELS.get(name, "Helpers"))(_listed)
    for name, group_app in groups.items():
        app.add_typer(group_app, name=name, rich_help_panel="Stages")
    return app


def main() -> None:
    """Run the program."""
    # Threads that spin while they wait are up to 25 times slower where other programs use the same cores (measured),
    # and no faster elsewhere. PyTorch reads this when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Standard error belongs to the program; a user who wants the reports of libraries sets these.
    for name, value in (("HF_HUB_DISABLE_PROGRESS_BARS", "1"), ("TRANSFORMERS_VERBOSITY", "error")):
        os.environ.setdefault(name, value)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape" if stream is sys.stdout else "replace")
    build_app()()
