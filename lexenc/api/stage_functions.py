"""Functions of stages, made from their declarations."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from lexenc.api.inputs import call_inputs, shown_argument, takes_pairs
from lexenc.api.results import Result
from lexenc.api.settings import PathLike, device_of, precision_of, progress_of, seed_of
from lexenc.api.words import PythonNames, notices_of, python_errors
from lexenc.artifact import DigestStore, result_folder
from lexenc.device import Precision
from lexenc.errors import ConfigError
from lexenc.parameters import default_of, help_of, parameters, rule_of, without_none
from lexenc.planning import plan_stage, run_plan
from lexenc.progress import Progress
from lexenc.stage import Input, Stage


def function_name(stage: str) -> str:
    """Return the name of a stage's function: `eval bli` becomes `eval_bli`."""
    return stage.replace(" ", "_").replace("-", "_")


class CallError(ConfigError, TypeError):
    """A call with unknown arguments, or without required ones."""


def stage_function(stage: Stage) -> Callable[..., Result]:
    """Return the function of a stage, with the types, defaults and help of the command."""
    own = signature(stage)
    name = function_name(stage.name)

    def function(*args: Any, **values: Any) -> Result:
        try:
            given = own.bind(*args, **values).arguments
        except TypeError as error:
            unknown = next((each for each in values if each not in own.parameters), "")
            close = get_close_matches(unknown, own.parameters, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"See help(lexenc.{name})."
            raise CallError(f"lexenc.{name}: {error}.", hint=hint) from None
        return _run(stage, given)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "lexenc"
    function.__doc__ = docstring(stage)
    function.__signature__ = own  # type: ignore[attr-defined]
    function.__annotations__ = {each.name: each.annotation for each in own.parameters.values()} | {"return": Result}
    return function


def signature(stage: Stage) -> inspect.Signature:
    """Return the signature of a stage's function. Only what is positional in the command is positional."""
    made = [_input(name, one) for name, one in stage.inputs.items()]
    if stage.makes:
        default = inspect.Parameter.empty if stage.out_required else None
        made.append(_named("out", PathLike if stage.out_required else PathLike | None, default))
    for one, hint in parameters(stage.params).values():
        own = _named(one.name, _given_type(hint), default_of(one))
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        made.append(own.replace(kind=positional) if rule_of(one).positional else own)
    made += [_named(name, kind, default) for name, (kind, default, _) in _run_parameters(stage).items()]
    made.sort(key=lambda each: (each.kind, each.default is not inspect.Parameter.empty))
    return inspect.Signature(made, return_annotation=Result)


def _named(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _input(name: str, one: Input) -> inspect.Parameter:
    kind: Any = PathLike | Sequence[PathLike] if one.repeated else PathLike
    kind = kind | Sequence[tuple[str, str]] if takes_pairs(name, one) else kind
    kind = kind | Mapping[str, PathLike] if one.named or one.kinds else kind
    kind = kind | float if one.number else kind
    made = _named(name, kind if one.required else kind | None, inspect.Parameter.empty if one.required else None)
    return made.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) if one.positional else made


def _given_type(hint: Any) -> Any:
    """Return the type of an argument. Tuples may be given as one value or any sequence."""
    inner, optional = without_none(hint)
    if get_origin(inner) is tuple:
        one, many = get_args(inner)[0], Sequence
        inner = one | many.__class_getitem__(one)  # type: ignore[attr-defined]
    return inner | None if optional else inner


def _run_parameters(stage: Stage) -> dict[str, tuple[Any, Any, str]]:
    """Return type, default and help of the arguments that are not parameters of the stage."""
    made: dict[str, tuple[Any, Any, str]] = {}
    if stage.makes:
        made["force"] = (bool, False, "Replace another result in `out`.")
    if stage.uses_seed:
        made["seed"] = (int | None, None, "Seed of all random choices; None: LEXENC_SEED, else 0.")
    if stage.uses_device:
        made["device"] = (str | None, None, "auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.")
        made["precision"] = (Precision | None, None, "Arithmetic of encoders; None: LEXENC_PRECISION, else float32.")
    made["progress"] = (bool | Progress, False, "True shows progress bars; or an object with a `task` method.")
    return made


def docstring(stage: Stage) -> str:
    """Return the docstring of a stage's function."""
    lines = [f"{name}: {one.help}" for name, one in stage.inputs.items()]
    if stage.makes:
        lines.append("out: Folder for the result." + ("" if stage.out_required else " None does not keep it."))
    for one, hint in parameters(stage.params).values():
        lines.append(f"{one.name}: {help_of(one, hint)}")
    lines += [f"{name}: {text}" for name, (_, _, text) in _run_parameters(stage).items()]
    makes = f"Makes: {stage.makes}\n\n" if stage.makes else ""
    names = PythonNames(stage)
    listed = "".join(f"    {names.hint(line)}\n" for line in lines)
    return (
        f"{stage.summary}\n\n{makes}Args:\n{listed}\nReturns:\n    The result. An existing result is reused.\n\n"
        "Raises:\n    LexencError: If inputs or arguments cannot be used, or the work cannot be done.\n"
    )


def _run(stage: Stage, given: Mapping[str, Any]) -> Result:
    names, answers = PythonNames(stage), list[dict[str, Any]]()
    shown = ", ".join(f"{name}={shown_argument(value)}" for name, value in given.items() if name != "progress")
    with python_errors(names), call_inputs(stage, given) as inputs:
        device = device_of(given.get("device"))
        out = None if given.get("out") is None else result_folder(os.fspath(given["out"]))
        digests = DigestStore.default()
        plan = plan_stage(
            stage,
            inputs=inputs.given,
            params={name: given[one.name] for name, (one, _) in parameters(stage.params).items() if one.name in given},
            seed=seed_of(given.get("seed")),
            out=out,
            force=given.get("force", False),
            precision=precision_of(given.get("precision")),
            digests=digests,
        )
        plan = replace(plan, records=inputs.records(plan.records))
        manifest = run_plan(
            plan,
            device=device,
            progress=progress_of(given.get("progress", False)),
            notices=notices_of(names, answers),
            digests=digests,
            command=f"lexenc.{function_name(stage.name)}({shown})",
        )
    made = Result.of(manifest, plan.out, reused=plan.action == "reuse")
    made.results.extend(answers)
    return made
