"""From a stage to a command: options, help, defaults and types all come from the stage's own declaration."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from lexenc.artifact import DigestStore, Manifest, result_folder
from lexenc.device import Precision, check_device_name
from lexenc.errors import ExitCode
from lexenc.parameters import choices_of, default_of, help_of, parameters, rule_of, without_none
from lexenc.planning import Plan, plan_stage, run_plan
from lexenc.stage import Input, Stage
from lexenc.stages import stage_of

from .piped_inputs import kept_inputs
from .single_file import SingleFile, unused, wanted_copies, wanted_file
from .ui import View, print_json

_INPUTS, _SETTINGS, _RUN = "Inputs and output", "Settings", "Run"


class StageCommand(TyperCommand):
    """A command whose help has every --no option below its opposite, which leaves more room for the texts."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        from typer import rich_utils

        names = [(one, one.opts, one.secondary_opts) for one in self.params if one.secondary_opts]
        for one, opts, opposites in names:
            one.opts, one.secondary_opts = ["\n".join([*opts, *opposites])], []
        rich_utils.STYLE_OPTIONS_TABLE_PADDING = (0, 1, 0, 0)  # type: ignore[assignment]
        try:
            super().format_help(ctx, formatter)
        finally:
            for one, opts, opposites in names:
                one.opts, one.secondary_opts = opts, opposites


def option_name(name: str) -> str:
    """Return the option of a field."""
    return "--" + name.replace("_", "-")


def stage_command(stage: Stage) -> Callable[..., None]:
    """Build the function that Typer turns into the command of a stage."""

    def command(**values: Any) -> None:
        run_stage(stage, values)

    made = [*_input_parameters(stage), *_own_parameters(stage), *_run_parameters(stage)]
    # Typer reads parameters in this order, and arguments must come first.
    made.sort(key=lambda each: isinstance(each.annotation.__metadata__[0], typer.models.OptionInfo))
    command.__signature__ = inspect.Signature(made)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in made}
    command.__doc__ = _help_text(stage)
    command.__name__ = stage.name.replace(" ", "_").replace("-", "_")
    return command


def _help_text(stage: Stage) -> str:
    parts = [stage.summary]
    if stage.makes:
        parts.append(f"Makes: {stage.makes}")
    shown = []
    for example in stage.examples:
        line, *output = example.splitlines()
        # Broken where a shell would let it be broken, so that it can be copied from a narrow window.
        pieces = textwrap.wrap(line, 70, break_long_words=False, break_on_hyphens=False)
        shown += ["  $ " + " \\\n      ".join(pieces), *(f"    {each}" for each in output)]
    if shown:
        parts.append("\b\nExamples:\n" + "\n".join(shown))  # \b keeps the line breaks of the paragraph
    return "\n\n".join(parts)


def _parameter(name: str, kind: Any, default: Any, info: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def _input_parameters(stage: Stage) -> list[inspect.Parameter]:
    made = [_input_parameter(name, one) for name, one in stage.inputs.items()]
    text = "Output folder." if stage.out_required else "Output folder. Without it, the result is only printed."
    if stage.files:
        named = ", ".join(f"NAME{ending}: only {name}" for ending, name in stage.files.items())
        first = next(iter(stage.files.values()))
        missing = "-" if stage.out_required else "- or without --out"
        text = f"Output folder, or one file of the result ({named}). With {missing}, {first} is printed."
    if stage.makes:
        info = typer.Option("--out", "-o", help=text, metavar="FOLDER", rich_help_panel=_INPUTS)
        kind, default = (str, ...) if stage.out_required else (str | None, None)
        made.append(_parameter("out", kind, default, info))
    for name, file in stage.copies.items():
        text = f"Also write {file} of the result here."
        info = typer.Option(option_name(name), help=text, metavar="FILE", rich_help_panel=_INPUTS)
        made.append(_parameter(f"copy_{name}", str | None, None, info))
    if stage.draw is not None:
        text = "Number of results to draw in the terminal."
        info = typer.Option("--show", help=text, min=0, metavar="NUMBER", rich_help_panel=_INPUTS)
        made.append(_parameter("run_show", int, 0, info))
    return made


def _input_parameter(name: str, one: Input) -> inspect.Parameter:
    kind: Any = list[str] if one.repeated else str
    kind, default = (kind, ...) if one.required else (kind | None, None)
    if one.positional:
        return _parameter(name, kind, default, typer.Argument(help=one.help, metavar=name.upper()))
    metavar = one.written.replace("PATH", "ENC") if one.kind == "encoder" else one.written
    info = typer.Option(option_name(name), help=one.help, metavar=metavar, rich_help_panel=_INPUTS)
    return _parameter(name, kind, default, info)


def _own_parameters(stage: Stage) -> list[inspect.Parameter]:
    made = []
    for shown, (one, hint) in parameters(stage.params).items():
        rule, default = rule_of(one), default_of(one)
        kind, optional = without_none(hint)
        text = _with_default(help_of(one, hint), default) + ("" if rule.affects_result else " Same result.")
        choices, panel = choices_of(hint), rule.group or _SETTINGS
        if rule.positional:
            info = typer.Argument(help=text, metavar=shown.upper(), show_default=False)
            made.append(_parameter(one.name, list[str], [], info))
            continue
        if kind is bool:
            declared = f"{option_name(shown)}/--no-{shown.replace('_', '-')}"
            info = typer.Option(declared, help=text, show_default=False, rich_help_panel=panel)
            made.append(_parameter(one.name, bool, default, info))
            continue
        info = typer.Option(
            option_name(shown),
            help=text,
            show_default=False,
            rich_help_panel=panel,
            metavar=_metavar(hint) + (f"|{rule.none}" if rule.none else ""),
            autocompletion=completion(choices) if choices else None,
        )
        # The stage gets the text that was typed: it checks it as it checks a pipeline file, and reports all errors.
        made.append(_parameter(one.name, str | None if optional else str, _typed(default), info))
    return made


def _with_default(text: str, default: Any) -> str:
    """Add the default to a help text, unless the text says it."""
    shown = {True: "yes", False: "no"}[default] if isinstance(default, bool) else _typed(default)
    return f"{text} Default: {shown}." if shown and "default" not in text.lower() else text


def _typed(default: Any) -> str | None:
    """Return a default as a user would type it."""
    if isinstance(default, tuple):
        return ",".join(str(each) for each in default)
    return f"{default:g}" if isinstance(default, float) else None if default is None else str(default)


def _metavar(kind: Any) -> str:
    return "CHOICE" if choices_of(kind) else "NUMBER" if without_none(kind)[0] in (int, float) else "TEXT"


def completion(choices: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a shell completion for an option with choices. After a comma it completes the next one."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{each}" for each in choices if each.startswith(last)]

    return complete


def _run_parameters(stage: Stage) -> list[inspect.Parameter]:
    arithmetic = "float32: exact; bfloat16: faster on hardware that supports it; float16: for GPUs only."
    table: list[tuple[bool, str, Any, str, Any]] = [
        (stage.uses_device, "device", str, "auto, cpu, cuda, cuda:N or mps.", "auto"),
        (stage.uses_device, "precision", Precision, arithmetic, "float32"),
        (stage.uses_seed, "seed", int, "Seed of all random choices.", 0),
        (True, "json", bool, "Print JSON, one object per line.", False),
        (bool(stage.makes), "dry_run", bool, "Only show what would be done and why.", False),
        (bool(stage.makes), "force", bool, "Replace another result in --out.", False),
        (bool(stage.makes), "check_content", bool, "Compute digests of large inputs again.", False),
        (True, "quiet", bool, "Print results and warnings only.", False),
        (True, "no_progress", bool, "Draw no progress bars.", False),
        (True, "debug", bool, "Show the traceback of an error.", False),
    ]
    made = []
    for wanted, name, kind, text, default in table:
        short = {"quiet": ["-q"], "force": ["-f"]}.get(name, [])
        if wanted:
            variable = None if kind is bool else f"LEXENC_{name.upper()}"
            info = typer.Option(
                option_name(name),
                *short,
                help=text if variable is None else f"{text} Default: {default}, or ${variable}.",
                envvar=variable,
                show_envvar=False,
                show_default=False,
                rich_help_panel=_RUN,
                min=0 if kind is int else None,
                metavar=None if kind is bool else _metavar(kind),
            )
            made.append(_parameter(f"run_{name}", kind, default, info))
    return made


# ---------------------------------------------------------------- running


def run_stage(stage: Stage, values: Mapping[str, Any]) -> None:
    """Plan and run a stage with the values of its command line, and show the outcome."""
    view = View(json=values["run_json"], quiet=values["run_quiet"], progress=not values["run_no_progress"])
    check_device_name(values.get("run_device", "auto"))
    single = wanted_file(stage, values)
    out = None if single is not None or values.get("out") is None else result_folder(values["out"])
    with kept_inputs(stage, values) as kept:
        digests = DigestStore.default(trust=not values.get("run_check_content", False))
        plan = plan_stage(
            stage,
            inputs=kept.given,
            params={shown: values[one.name] for shown, (one, _) in parameters(stage.params).items()},
            seed=values.get("run_seed", 0),
            out=out,
            force=values.get("run_force", False),
            precision=values.get("run_precision", "float32"),
            digests=digests,
        )
        plan = replace(plan, records=kept.records(plan.records))
        copies = wanted_copies(stage, values, plan)
        for each in [*copies, *([] if single is None else [single])]:
            each.check_apart(plan.inputs)
        if values.get("run_dry_run"):
            _show_plan(plan, view)
            return
        if plan.action == "resume":
            view.say(f"{stage.name}: continuing unfinished work (same settings).")
        manifest = run_plan(
            plan,
            device=values.get("run_device", "auto"),
            progress=view.watcher(),
            notices=kept.notices(view.notices()),
            digests=digests,
            command=shlex.join(["lexenc", *sys.argv[1:]]),
            **({} if single is None else {"finished": lambda folder: _deliver([single, *copies], folder)}),
        )
    if single is None:
        show_result(plan, manifest, view)
        _show_more(plan, copies, values, view)
    else:
        view.say(f"{stage.name}: {shown_summary(manifest.summary)}{single.place} ({manifest.seconds:.1f} s)")
        if single.path is not None:  # otherwise standard output belongs to the file
            view.results(manifest.results, manifest.tables)
    if not manifest.answer:
        if plan.action == "reuse":  # a stage that runs explains it itself
            hint = f"The exit code is 1. See: lexenc show {shlex.quote(str(plan.out))}"
            view.notices().warn(f"{stage.name}: the answer saved in {plan.out} is no.", hint)
        raise typer.Exit(ExitCode.FAILED)


def _show_more(plan: Plan, copies: Sequence[SingleFile], values: Mapping[str, Any], view: View) -> None:
    if plan.out is None:
        return
    _deliver(copies, plan.out)
    for each in copies:
        view.say(f"{each.name} -> {each.place}")
    if values.get("run_show") and plan.stage.draw is not None:
        view.results([], plan.stage.draw(plan.out, values["run_show"]))


def _deliver(files: Sequence[SingleFile], folder: Path) -> None:
    for each in files:
        each.deliver(folder)


def _show_plan(plan: Plan, view: View) -> None:
    words = {"run": "would run", "resume": "would continue", "reuse": "would reuse", "refuse": "would refuse"}
    if view.json:
        body = {"stage": plan.stage.name, "out": str(plan.out), "action": plan.action, "reasons": list(plan.reasons)}
        print_json(body)
    else:
        view.say(f"{plan.stage.name}: {words[plan.action]} ({'; '.join(plan.reasons)}).")


def show_result(plan: Plan, manifest: Manifest, view: View) -> None:
    """Show results on standard output, and counts, output folder and next step on standard error."""
    if plan.action == "reuse":
        view.say(f"{plan.stage.name}: unchanged since {manifest.created[:10]}, reused ({plan.out})")
    elif plan.out is not None:
        view.say(f"{plan.stage.name}: {shown_summary(manifest.summary)}{plan.out} ({manifest.seconds:.1f} s)")
    results = manifest.results
    if not results and plan.out is not None:  # without --out, such a stage has printed its answers already
        results = [{"stage": plan.stage.name, "out": str(plan.out)} | manifest.summary]
    view.results(results, manifest.tables)
    # Unreliable results print no suggested next command.
    sound = manifest.answer and manifest.summary.get("verdict") != "doubtful"
    if sound and plan.stage.next_step and plan.out is not None and not view.json:
        if line := _next_step(plan, plan.out, manifest):
            view.say(f"next: {line}")


# What the next command has to do alike, if it can.
_CARRIED = ("lowercase", "unicode", "language", "source_language", "target_language", "name_language", "pooling",
            "max_length")  # fmt: skip
_SLOT = re.compile(r"\{(new:)?(\w+)\}")


def _next_step(plan: Plan, out: Path, made: Manifest) -> str:
    """Return the next command, with the output folder, the inputs as the user typed them, and the same settings."""
    step = plan.stage.next_step or ""
    line = step(made) if callable(step) else step
    # What came through a pipe cannot be read again.
    given = {name: [one.given for one in many] for name, many in plan.records.items()
             if not any(one.given == "-" or one.given.startswith("/dev/fd/") for one in many)}  # fmt: skip
    words: list[str] = []
    if not line:  # not every result has a next step
        return line
    for word in shlex.split(line):
        slot = _SLOT.search(word)
        if slot is None:
            words.append(word)
            continue
        new, name = slot.groups()
        own = [str(unused(out.with_name(name)))] if new else [str(out)] if name == "out" else given.get(name)
        values = [word.replace(slot[0], each) for each in own or [name.upper().replace("_", "-")]]
        option = [words.pop()] if words[-1].startswith("--") else []
        words += [each for value in values for each in (*option, value)]
    return shlex.join([*words, *_alike(plan, stage_of(words[1:]))])


def _alike(plan: Plan, following: Stage | None) -> Iterator[str]:
    """Yield the options with which the next command does the same as this one."""
    own, known = parameters(plan.stage.params), parameters(following.params) if following else {}
    for name in _CARRIED:
        shown = "source_language" if name == "language" and name not in known else name
        value = getattr(plan.params, name, None)
        if value is None or shown not in known or value == default_of(known[shown][0]):
            continue
        if value is True or value != default_of(own[name][0]):
            yield f"--no-{shown}" if value is False else option_name(shown)
            yield from [] if isinstance(value, bool) else [str(value)]
    if following is not None and following.uses_device and plan.precision != "float32":
        yield from ("--precision", plan.precision)


def shown_summary(summary: Mapping[str, Any]) -> str:
    """Return the counts of a summary in one line that ends with an arrow."""
    parts = []
    for name, value in summary.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        shown = f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else value
        # With a colon after a number: 'precision at 1 0.5' would be hard to read.
        colon = ":" if name.rpartition("_")[2].isdigit() else ""
        parts.append(f"{name.replace('_', ' ')}{colon} {shown}")
    return ", ".join(parts) + (" -> " if parts else "-> ")
