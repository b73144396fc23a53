"""The program: its groups of commands, and what becomes of every error."""

from __future__ import annotations

import errno
import inspect
import os
import re
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

import lexenc
from lexenc.durable import FULL, told_of_system
from lexenc.errors import ExitCode, LexencError, ManyFaultsError, is_panic
from lexenc.stages import STAGES, stage_of

from . import interrupts
from .commands import COMMANDS, PANELS
from .lost_files import explain_lost_files
from .ui import ReaderGone, mute, show_errors, show_traceback, warn_of_breaks, write_bytes, write_out

# Words with which no file is mapped into memory, and that shall be quick.
_WITHOUT_FILES = {"--help", "-h", "--version"}
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
            app.command(name, help=f"{COMMANDS.summary(full)}\n\n{_paragraphs(function)}")(function)
        else:
            # Here, so that the help of the program need not wait for it.
            from .stage_command import StageCommand, stage_command

            app.command(name, cls=StageCommand)(stage_command(STAGES[full]))
        return get_command(app)


def _paragraphs(function: Any) -> str:
    r"""Return the docstring of a command, with the line ends that it means to keep: those after \b."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(
        each.replace("\\b\n", "\b\n") if each.startswith("\\b") else each.replace("\n", " ") for each in paragraphs
    )


class LexencGroup(LazyGroup):
    """The program: every error is an `error:` line and a `hint:` line, and every failure has the right exit code."""

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Run a command line.

        Args:
            args: The words after the name of the program; by default those of the process.
            standalone_mode: Whether to exit the process with the exit code.
            extra: Further arguments of Typer.
        """
        words = list(sys.argv[1:] if args is None else args)
        code = self._outcome(words, **extra)
        try:
            write_bytes(b"")
        except LexencError as error:  # e.g. the disk is full
            code = _failed(error, words)
        if standalone_mode:
            interrupts.leave(code)
        return code

    def _outcome(self, words: list[str], **extra: Any) -> int:
        try:
            interrupts.command_begins()
            code = super().main(words, standalone_mode=False, **extra)
            warn_of_breaks()
        except ReaderGone:
            code = ExitCode.DONE
        except SystemExit as error:
            # This is how Typer and rich exit when they cannot print a help text.
            if not isinstance(error.__context__, BrokenPipeError):
                raise
            mute()
            code = ExitCode.DONE
        except Exception as error:
            # Some libraries make an error of their own from an interrupt.
            if interrupts.exit_code() is None:
                return _failed(error, words)
            code = ExitCode.INTERRUPTED
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        except BaseException as error:
            if not is_panic(error):
                raise
            return _failed(error, words)
        # Typer turns an interrupt into this code and prints nothing.
        if code == ExitCode.INTERRUPTED:
            left = "nothing was left half-written"
            with suppress(Exception):  # a hint must not change the exit code
                left = _what_is_left(words) or left
            show_errors([("Interrupted.", f"Run the same command again; {left}.")], as_json="--json" in words)
            code = interrupts.exit_code() or ExitCode.INTERRUPTED
        return int(code) if isinstance(code, int) else ExitCode.DONE


def _failed(error: BaseException, words: list[str]) -> int:
    """Show an error, and return the exit code."""
    if "--debug" in words:
        show_traceback()
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return ExitCode.USAGE
    faults, code = _explained(error, words)
    show_errors(faults, as_json="--json" in words)
    return code


def _what_is_left(words: list[str]) -> str:
    """Return what an interrupted command leaves to its next run; empty if nothing."""
    named = [word for word in words if not word.startswith("-")]
    name, stage = named[0] if named else "", stage_of(named)
    if name == "fetch" or (stage is not None and stage.resumable):
        from lexenc.artifact import aside_folder

        outs = [after for word, after in pairwise(words) if word in ("--out", "-o")]
        outs += [word.split("=", 1)[1] for word in words if word.startswith(("--out=", "-o="))]
        kept = [aside_folder(Path(out)) for out in outs if aside_folder(Path(out)).exists()]
        if outs and not kept:
            return "nothing was finished yet that could be kept"
        return f"{name if stage is None else stage.name} continues where it was{f' ({kept[0]})' if kept else ''}"
    return "what is finished is kept" if name in ("run", "demo", "reproduce") else ""


def _explained(error: BaseException, words: list[str]) -> tuple[list[tuple[str, str | None]], int]:
    """Return the messages and hints of an error, and the exit code.

    Readers and stages say more of what is wrong. The errors of Python and of libraries are caught here as well, so that
    what one of them lets through ends properly.
    """
    if isinstance(error, LexencError):
        faults = error.faults if isinstance(error, ManyFaultsError) else [error]
        return [(fault.message, fault.hint or "See: lexenc --help") for fault in faults], error.exit_code
    if isinstance(error, typer.TyperException):
        return [_usage(error, words)], ExitCode.USAGE
    if isinstance(error, OSError):
        return [_of_system(error)], ExitCode.USAGE if error.errno in _WRONG_PATH else ExitCode.FAILED
    detail = (str(error).splitlines() or [""])[0].rstrip(".")
    told = told_of_system(error)
    if told is not None and told.errno in FULL:
        return [_of_system(told)], ExitCode.FAILED
    if isinstance(error, MemoryError) or _NO_MEMORY.search(detail):
        hint = "Read fewer rows with --limit, or use a machine with more memory."
        return [("Out of memory.", hint)], ExitCode.FAILED
    names = (name for each in type(error).__mro__ for name in (each.__name__, f"{each.__module__}.{each.__name__}"))
    known = next((_DAMAGED[name] for name in names if name in _DAMAGED), None)
    if known is not None:
        return [(f"A file cannot be read: {known} ({_place(error)}: {detail}).", _DAMAGED_HINT)], ExitCode.USAGE
    message = f"Something is wrong inside lexenc ({type(error).__name__} in {_place(error)}: {detail})."
    return [(message, "Run again with --debug, and report the output together with that of lexenc env.")], ExitCode.BUG


def _of_system(error: OSError) -> tuple[str, str]:
    name = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes | os.PathLike) else ""
    full = "Free some space there, or write to another disk: with --out, or with TMPDIR for what is only printed."
    hint = full if error.errno in FULL else _WRONG_PATH.get(error.errno or 0, "Check the path.")
    return f"{str(error.strerror or error).rstrip('.')}{name}.", hint


_NO_MEMORY = re.compile(r"not enough memory|out of memory|std::bad_alloc|Unable to allocate|os error 12\b", re.I)
# Errors by which libraries, and Python itself, say that a file is damaged.
_DAMAGED = {
    "SafetensorError": "its tensors are damaged",
    "RecursionError": "it is nested too deeply",
    "UnicodeError": "it holds text that is not UTF-8, or half a character",
    "EOFError": "it is cut",
    "zlib.error": "its packed content is damaged",
    "BadZipFile": "it is no whole zip file",
    "UnpicklingError": "it is a pickled object, which is never read",
}
_DAMAGED_HINT = "Run again with --debug to see which one, and copy it or make it again."


_WRONG_PATH = {
    errno.EACCES: "Check the permissions of the file and its folder.",
    errno.EEXIST: "Part of the path is a file.",
    errno.EISDIR: "Give a file, not a folder.",
    errno.ENAMETOOLONG: "Check the path.",
    errno.ENOENT: "Create its folder first, or check the path.",
    errno.ENOTDIR: "Part of the path is a file.",
    errno.EROFS: "Choose an --out that can be written.",
}


def _place(error: BaseException) -> str:
    """Return the innermost function of the package in a traceback."""
    place = "an unknown place"
    own = (str(Path(lexenc.__file__).parent), str(Path(__file__).parent))
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(own):
            place = f"{Path(frame.filename).stem}.{frame.name}"
    return place


# Sentences of the type checker that Typer uses, and plainer ones.
_PLAINER = (
    ("Value error, ", ""),
    ("Input should be a valid integer, unable to parse string as an integer", "it must be a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "it must be a number"),
    ("Input should be", "it must be"),
)


def _usage(error: typer.TyperException, words: list[str]) -> tuple[str, str]:
    """Return Typer's message and a hint. Its suggestion, if there is one, becomes the hint."""
    text = " ".join(error.format_message().split())
    for theirs, plain in _PLAINER:
        text = text.replace(theirs, plain)
    context = getattr(error, "ctx", None)
    hint = f"See: {'lexenc' if context is None else context.command_path} --help"
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
    """Return the hint that an argument is given without an option name, unless another option is close."""
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


def _version(wanted: bool) -> None:
    if wanted:
        write_out(f"lexenc {lexenc.__version__}\n")
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
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape" if stream is sys.stdout else "replace")
    if not _WITHOUT_FILES.intersection(sys.argv):
        explain_lost_files()
    build_app()()


def _open_closed_streams() -> None:
    """Open the standard streams that the caller of the process closed, so that no other file gets their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
