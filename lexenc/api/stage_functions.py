"""A function for every stage, made from its declaration."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from lexenc.api.inputs import kept_pairs, shown_argument, takes_pairs
from lexenc.api.results import Result
from lexenc.api.settings import PathLike, precision_of, seed_of, setting, watcher
from lexenc.api.words import Words, in_words_of_python, notices_of
from lexenc.artifact import DigestStore, result_folder
from lexenc.device import Precision, check_device_name
from lexenc.errors import ConfigError
from lexenc.parameters import default_of, help_of, parameters, without_none
from lexenc.planning import plan_stage, run_plan
from lexenc.progress import Progress
from lexenc.stage import Input, Stage


def function_name(stage: str) -> str:
    """Give the name of a stage's function: `eval bli` becomes `eval_bli`."""
    return stage.replace(" ", "_").replace("-", "_")


class CallError(ConfigError, TypeError):
    """A call with arguments that the function does not have, or without those that it needs."""


def stage_function(stage: Stage) -> Callable[..., Result]:
    """Make the function of a stage: its signature, types, defaults and help are those of the command.

    Args:
        stage: The stage.
    """
    own = signature(stage)
    name = function_name(stage.name)

    def function(*args: Any, **values: Any) -> Result:
        try:
            given = own.bind(*args, **values).arguments
        except TypeError as error:
            raise _wrong_call(name, own, values, error) from None
        return _run(stage, given)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "lexenc"
    function.__doc__ = docstring(stage)
    function.__signature__ = own  # type: ignore[attr-defined]
    function.__annotations__ = {each.name: each.annotation for each in own.parameters.values()} | {"return": Result}
    return function


def _wrong_call(name: str, own: inspect.Signature, values: Mapping[str, Any], error: TypeError) -> CallError:
    strange = next((each for each in values if each not in own.parameters), None)
    close = get_close_matches(strange or "", own.parameters, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"See help(lexenc.{name})."
    return CallError(f"lexenc.{name}: {error}.", hint=hint)


def signature(stage: Stage) -> inspect.Signature:
    """Give the signature of a stage's function.

    Inputs that the command line takes without a name come first and need none; all else is given by name.
    """
    made = [_input(name, one) for name, one in stage.inputs.items()]
    if stage.makes:
        default = inspect.Parameter.empty if stage.out_required else None
        made.append(_named("out", PathLike if stage.out_required else PathLike | None, default))
    for one, hint in parameters(stage.params).values():
        made.append(_named(one.name, _given_type(hint), default_of(one)))
    made += [_named(name, kind, default) for name, (kind, default, _) in _run_parameters(stage).items()]
    made.sort(key=lambda each: (each.kind, each.default is not inspect.Parameter.empty))
    return inspect.Signature(made, return_annotation=Result)


def _named(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _input(name: str, one: Input) -> inspect.Parameter:
    kind: Any = PathLike | Sequence[PathLike] if one.many else PathLike
    kind = kind | Sequence[tuple[str, str]] if takes_pairs(name, one) else kind
    kind = kind | Mapping[str, PathLike] if one.named else kind
    made = _named(name, kind if one.required else kind | None, inspect.Parameter.empty if one.required else None)
    return made.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) if one.positional else made


def _given_type(hint: Any) -> Any:
    """Give the type of an argument: where the parameter is a tuple, one value or any sequence will do."""
    inner, optional = without_none(hint)
    if get_origin(inner) is tuple:
        one, many = get_args(inner)[0], Sequence
        inner = one | many.__class_getitem__(one)  # type: ignore[attr-defined]
    return inner | None if optional else inner


def _run_parameters(stage: Stage) -> dict[str, tuple[Any, Any, str]]:
    """Give the arguments that say how a stage is run: type, default and help by name."""
    made: dict[str, tuple[Any, Any, str]] = {}
    if stage.makes:
        made["force"] = (bool, False, "Replace another result of lexenc in `out`.")
    if stage.uses_seed:
        made["seed"] = (int | None, None, "Seed of all random choices; None: LEXENC_SEED, else 0.")
    if stage.uses_device:
        made["device"] = (str | None, None, "auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.")
        made["precision"] = (Precision | None, None, "Arithmetic of encoders; None: LEXENC_PRECISION, else float32.")
    made["progress"] = (bool | Progress, False, "True draws bars; or an object with a `task` of your own.")
    return made


def docstring(stage: Stage) -> str:
    """Write the help of a stage's function."""
    lines = [f"{name}: {one.help}" for name, one in stage.inputs.items()]
    if stage.makes:
        lines.append("out: Folder for the result." + ("" if stage.out_required else " None keeps nothing."))
    for one, hint in parameters(stage.params).values():
        lines.append(f"{one.name}: {help_of(one, hint)}")
    lines += [f"{name}: {text}" for name, (_, _, text) in _run_parameters(stage).items()]
    makes = f"Makes: {stage.makes}\n\n" if stage.makes else ""
    words = Words(stage)
    listed = "".join(f"    {words.advised(line)}\n" for line in lines)
    return (
        f"{stage.summary}\n\n{makes}Args:\n{listed}\nReturns:\n    What came of it. A result that is there already is "
        "reused.\n\nRaises:\n    LexencError: If inputs or arguments cannot be used, or the work cannot be done.\n"
    )


def _run(stage: Stage, given: Mapping[str, Any]) -> Result:
    """Plan and run a stage with the arguments of a call."""
    words, answers = Words(stage), list[dict[str, Any]]()
    with in_words_of_python(words), kept_pairs(stage, given) as kept:
        device = setting(given, "device", "auto")
        check_device_name(device)
        out = None if given.get("out") is None else result_folder(os.fspath(given["out"]))
        digests = DigestStore.default()
        plan = plan_stage(
            stage,
            inputs=kept.given,
            params={name: given[one.name] for name, (one, _) in parameters(stage.params).items() if one.name in given},
            seed=seed_of(setting(given, "seed", 0)),
            out=out,
            force=given.get("force", False),
            precision=precision_of(setting(given, "precision", "float32")),
            digests=digests,
        )
        plan = replace(plan, records=kept.records(plan.records))
        manifest = run_plan(
            plan,
            device=device,
            progress=watcher(given.get("progress", False)),
            notices=notices_of(words, answers),
            digests=digests,
            command=_written(stage, given),
        )
    made = Result.of(manifest, plan.out, reused=plan.action == "reuse")
    made.results.extend(answers)
    return made


def _written(stage: Stage, given: Mapping[str, Any]) -> str:
    """Write the call for the manifest."""
    shown = ", ".join(f"{name}={shown_argument(value)}" for name, value in given.items() if name != "progress")
    return f"lexenc.{function_name(stage.name)}({shown})"
