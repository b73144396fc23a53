"""From a stage to a command: options, help, defaults and types all come from the stage's own declaration."""

from __future__ import annotations

import inspect
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from lexenc.artifact import DigestStore, Manifest, result_folder
from lexenc.device import Precision, check_device_name
from lexenc.errors import ExitCode
from lexenc.parameters import choices_of, default_of, help_of, parameters, rule_of, without_none
from lexenc.planning import Plan, plan_stage, run_plan
from lexenc.stage import Input, Stage, Table
from lexenc.stages import STAGES

from .piped_inputs import kept_inputs
from .single_file import SingleFile, wanted_copies, wanted_file
from .ui import View, print_json

_INPUTS, _SETTINGS, _RUN = "Inputs and output", "Settings", "Run"


def option_name(name: str) -> str:
    """Give the option of a field."""
    return "--" + name.replace("_", "-")


def stage_command(stage: Stage) -> Callable[..., None]:
    """Build the function that Typer turns into the command of a stage."""

    def command(**values: Any) -> None:
        run_stage(stage, values)

    made = [*_input_parameters(stage), *_own_parameters(stage), *_run_parameters(stage)]
    # Arguments without an option name come first, as Typer reads them in this order.
    made.sort(key=lambda each: not _is_argument(each))
    command.__signature__ = inspect.Signature(made)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in made}
    command.__doc__ = help_text(stage.summary, stage.makes, stage.examples)
    command.__name__ = stage.name.replace(" ", "_").replace("-", "_")
    return command


def help_text(summary: str, makes: str, examples: tuple[tuple[str, str], ...]) -> str:
    """Give a command's help: what it does, what it makes, examples with what they print."""
    parts = [summary]
    if makes:
        parts.append(f"Makes: {makes}")
    if examples:
        shown = "\n".join(_wrapped(line) + ("\n" + _indented(output) if output else "") for line, output in examples)
        # \b keeps the line breaks of the paragraph that follows.
        parts.append(f"\b\nExamples:\n{shown}")
    return "\n\n".join(parts)


def _wrapped(line: str) -> str:
    """Break an example where a shell would let it be broken, so that it can be copied from a narrow window."""
    pieces = textwrap.wrap(line, 70, break_long_words=False, break_on_hyphens=False)
    return "  $ " + " \\\n      ".join(pieces)


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(each, typer.models.ArgumentInfo) for each in parameter.annotation.__metadata__)


def _parameter(name: str, kind: Any, info: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def _input_parameters(stage: Stage) -> list[inspect.Parameter]:
    made = [_input_parameter(name, one) for name, one in stage.inputs.items()]
    text = "Folder for the result." if stage.out_required else "Folder for the result; without it, it is only printed."
    if stage.files:
        text = _file_help(stage)
    info = typer.Option("--out", "-o", help=text, metavar="FOLDER", rich_help_panel=_INPUTS)
    if stage.makes:
        made.append(
            _parameter("out", str if stage.out_required else str | None, info, ... if stage.out_required else None)
        )
    return [*made, *_copy_parameters(stage)]


def _copy_parameters(stage: Stage) -> list[inspect.Parameter]:
    """Give the options that put a file of the result in another place too, or show a part of it."""
    made = []
    for name, file in stage.copies.items():
        info = typer.Option(
            option_name(name), help=f"Put {file} of the result here too.", metavar="FILE", rich_help_panel=_INPUTS
        )
        made.append(_parameter(f"copy_{name}", str | None, info, None))
    if stage.draw is not None:
        info = typer.Option(
            "--show", help="Draw the first so many in the terminal.", min=0, metavar="NUMBER", rich_help_panel=_INPUTS
        )
        made.append(_parameter("run_show", int, info, 0))
    return made


def _file_help(stage: Stage) -> str:
    """Say what becomes of a name with an ending, and without any name."""
    named = ", ".join(f"NAME{ending}: only {name}" for ending, name in stage.files.items())
    first = next(iter(stage.files.values()))
    return f"Folder for the result, or one file of it ({named}); - or nothing: {first} printed."


def _input_parameter(name: str, one: Input) -> inspect.Parameter:
    kind: Any = list[str] if one.many else str
    default: Any = ... if one.required else None
    if not one.required:
        kind = kind | None
    metavar = "ENC" if one.kind == "encoder" else "NAME=PATH" if one.named else "PATH"
    if one.positional:
        return _parameter(name, kind, typer.Argument(help=one.help, metavar=name.upper()), default)
    info = typer.Option(option_name(name), help=one.help, metavar=metavar, rich_help_panel=_INPUTS)
    return _parameter(name, kind, info, default)


def _own_parameters(stage: Stage) -> list[inspect.Parameter]:
    made = []
    for shown, (one, hint) in parameters(stage.params).items():
        rule, default = rule_of(one), default_of(one)
        inner, optional = without_none(hint)
        text = help_of(one, hint)
        text = text if rule.affects_result else f"{text} Same result."
        choices, panel = choices_of(hint), rule.group or _SETTINGS
        if inner is bool:
            declared = f"{option_name(shown)}/--no-{shown.replace('_', '-')}"
            info = typer.Option(declared, help=text, rich_help_panel=panel)
            made.append(_parameter(one.name, bool, info, default))
            continue
        info = typer.Option(
            option_name(shown),
            help=text,
            rich_help_panel=panel,
            metavar=_metavar(hint),
            autocompletion=completion(choices) if choices else None,
        )
        # Words reach the stage as they were typed: it checks them as it checks a pipeline file, all faults at once.
        made.append(_parameter(one.name, str | None if optional else str, info, _typed(default)))
    return made


def _typed(default: Any) -> str | None:
    """Write a default as a user would."""
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
    table: list[tuple[str, Any, str, Any, str | None]] = []
    if stage.uses_device:
        text = "Arithmetic. float32: exact; bfloat16: faster on hardware that supports it; float16: for GPUs only."
        table += [
            ("device", str, "auto, cpu, cuda, cuda:N or mps.", "auto", "LEXENC_DEVICE"),
            ("precision", Precision, text, "float32", "LEXENC_PRECISION"),
        ]
    if stage.uses_seed:
        table.append(("seed", int, "Seed of all random choices.", 0, "LEXENC_SEED"))
    table.append(("json", bool, "Print one JSON object per line, nothing else.", False, None))
    if stage.makes:
        table += [
            ("dry_run", bool, "Say what would be done and why; write nothing.", False, None),
            ("force", bool, "Replace another result of lexenc in --out.", False, None),
            ("check_content", bool, "Read large inputs again in place of trusting remembered digests.", False, None),
        ]
    table += [
        ("quiet", bool, "Print results, warnings and errors only.", False, None),
        ("no_progress", bool, "Draw no bars.", False, None),
        ("debug", bool, "Show the traceback of an error.", False, None),
    ]
    made = []
    for name, kind, text, default, variable in table:
        declared = [option_name(name), *(["-q"] if name == "quiet" else []), *(["-f"] if name == "force" else [])]
        smallest, metavar = 0 if kind is int else None, None if kind is bool else _metavar(kind)
        info = typer.Option(*declared, help=text, envvar=variable, rich_help_panel=_RUN, min=smallest, metavar=metavar)
        made.append(_parameter(f"run_{name}", kind, info, default))
    return made


# ---------------------------------------------------------------- doing


def run_stage(stage: Stage, values: Mapping[str, Any]) -> None:
    """Plan and run a stage with the values of its command line, and show what came of it."""
    view = View(json=values["run_json"], quiet=values["run_quiet"], progress=not values["run_no_progress"])
    check_device_name(values.get("run_device", "auto"))
    single = wanted_file(stage, values)
    out = None if single is not None or values.get("out") is None else result_folder(values["out"])
    with kept_inputs(stage, values) as kept:
        digests = DigestStore.default(trust=not values.get("run_check_content", False))
        plan = plan_stage(
            stage,
            inputs=kept.given,
            params={one.name.rstrip("_"): values[one.name] for one, _ in parameters(stage.params).values()},
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
            show_plan(plan, view)
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
        _show_single(plan, manifest, view, single)
    if not manifest.answer:
        if plan.action == "reuse":
            # A stage that runs says itself what was wanted and not found.
            hint = f"The exit code is 1. See: lexenc show {shlex.quote(str(plan.out))}"
            view.notices().warn(f"{stage.name}: the answer kept in {plan.out} is no.", hint)
        raise typer.Exit(ExitCode.FAILED)


def _show_more(plan: Plan, copies: list[SingleFile], values: Mapping[str, Any], view: View) -> None:
    """Put files of the result where they are wanted too, and draw what was asked for."""
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


def show_plan(plan: Plan, view: View) -> None:
    """Say what would be done."""
    words = {"run": "would run", "resume": "would continue", "reuse": "would reuse", "refuse": "would refuse"}
    if view.json:
        print_json(
            {"stage": plan.stage.name, "out": str(plan.out), "action": plan.action, "reasons": list(plan.reasons)}
        )
    else:
        view.say(f"{plan.stage.name}: {words[plan.action]} ({'; '.join(plan.reasons)}).")


def show_result(plan: Plan, manifest: Manifest, view: View) -> None:
    """Show results on standard output; counts, place and next step on standard error."""
    if plan.action == "reuse":
        view.say(f"{plan.stage.name}: unchanged since {manifest.created[:10]}, reused ({plan.out})")
    elif plan.out is not None:
        view.say(f"{plan.stage.name}: {shown_summary(manifest.summary)}{plan.out} ({manifest.seconds:.1f} s)")
    place = None if plan.out is None else str(plan.out)
    # Without a place, whatever has no results has shown its answers as they came.
    results = manifest.results or (
        [] if place is None else [{"stage": plan.stage.name, "out": place} | manifest.summary]
    )
    view.results(results, [Table(**table) for table in manifest.tables])
    # What is not to be relied on is not to be gone on with.
    sound = manifest.answer and manifest.summary.get("verdict") != "doubtful"
    if sound and plan.stage.next_step and plan.out is not None and not view.json:
        view.say("next: " + _next_step(plan))


def _show_single(plan: Plan, manifest: Manifest, view: View, single: SingleFile) -> None:
    """Show what there is to say beside one file; standard output belongs to the file where it went there."""
    view.say(f"{plan.stage.name}: {shown_summary(manifest.summary)}{single.place} ({manifest.seconds:.1f} s)")
    if single.path is not None:
        view.results(manifest.results, [Table(**table) for table in manifest.tables])


def _next_step(plan: Plan) -> str:
    """Fill in the result folder and the inputs as the user named them, and go on with the same case."""
    step = plan.stage.next_step or ""
    lines = step(plan.inputs, plan.params) if callable(step) else step
    lines = (lines,) if isinstance(lines, str) else lines
    absent = [f"{{{name}}}" for name in plan.stage.inputs if name not in plan.records]
    line = next((each for each in lines if not any(name in each for name in absent)), lines[0])
    line = line.replace("{out}", shlex.quote(str(plan.out)))
    for name, many in plan.records.items():
        line = line.replace(f"{{{name}}}", shlex.quote(many[0].given))
    following = _stage_of(line)
    own, known = parameters(plan.stage.params), parameters(following.params) if following else {}
    for name in ("lowercase", "source_language", "target_language"):
        value = getattr(plan.params, name, None)
        if value and name in known and value != default_of(own[name][0]):
            line += f" {option_name(name)}" + ("" if value is True else f" {shlex.quote(value)}")
    return line


def _stage_of(line: str) -> Stage | None:
    """Give the stage that a command line runs, if it runs one; the commands of a group are two words."""
    words = shlex.split(line)[1:3]
    for name in (" ".join(words), *words[:1]):
        if name in STAGES:
            stage: Stage = STAGES[name]
            return stage
    return None


def shown_summary(summary: Mapping[str, Any]) -> str:
    """Write the counts of a summary in one line, ending with an arrow."""
    parts = []
    for name, value in summary.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        shown = f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else value
        # 'precision at 1 0.5' would read as one number after the other.
        parts.append(f"{name.replace('_', ' ')}{':' if _numbered(name) else ''} {shown}")
    return ", ".join(parts) + (" -> " if parts else "-> ")


def _numbered(name: str) -> bool:
    """Tell whether a name ends in a number of its own, unlike f1."""
    return name.rpartition("_")[2].isdigit()
