"""The library by name: a function for every stage, and the parts that take and give arrays."""

from __future__ import annotations

import html
import inspect
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from lexenc.artifact import DigestStore, Manifest, result_folder
from lexenc.device import Device, Precision, check_device_name, choose_device
from lexenc.errors import ConfigError, LexencError, ManyFaultsError
from lexenc.parameters import default_of, parameters, rule_of, without_none
from lexenc.planning import plan_stage, run_plan
from lexenc.progress import SILENT, Progress, Task, log
from lexenc.resources import bundled_path
from lexenc.stage import Input, Job, Notices, Stage, Table
from lexenc.stages import STAGES

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder, Pooling
    from lexenc.files.dictionaries import Pairs
    from lexenc.files.spaces import Space
    from lexenc.files.vectors import Vectors
    from lexenc.lexical.mapping import Mapping as LearnedMapping
    from lexenc.lexical.translation import Answer
    from lexenc.search.retrieval import Criterion

PathLike = str | os.PathLike[str]
_OWN = str(Path(__file__).parent)
_OPTION = re.compile(r"--[a-z][a-z0-9-]*")

# What else can be had as `lexenc.NAME`, and where it is.
PARTS = {
    "Result": "lexenc.api:Result",
    "LexencWarning": "lexenc.api:LexencWarning",
    "LoadedEncoder": "lexenc.api:LoadedEncoder",
    "LexencError": "lexenc.errors:LexencError",
    "ConfigError": "lexenc.errors:ConfigError",
    "DataError": "lexenc.errors:DataError",
    "WorkError": "lexenc.errors:WorkError",
    "translate": "lexenc.api:translate",
    "run": "lexenc.api:run",
    "fetch": "lexenc.api:fetch",
    "load_space": "lexenc.api:load_space",
    "load_mapping": "lexenc.api:load_mapping",
    "load_encoder": "lexenc.api:load_encoder",
    "read_vectors": "lexenc.api:read_vectors",
    "read_pairs": "lexenc.api:read_pairs",
    "fit_mapping": "lexenc.lexical.mapping:fit_mapping",
    "normalise": "lexenc.lexical.mapping:normalise",
    "fit_correction": "lexenc.search.retrieval:fit_correction",
    "retrieve": "lexenc.search.retrieval:retrieve",
}


def function_name(stage: str) -> str:
    """Give the name of a stage's function: `eval bli` becomes `eval_bli`."""
    return stage.replace(" ", "_").replace("-", "_")


def attribute(name: str) -> Any:
    """Give what `lexenc.NAME` is.

    Raises:
        AttributeError: If there is no such thing.
    """
    stages = {function_name(each): each for each in STAGES}
    if name == "__all__":
        return [*stages, *PARTS]
    if name in stages:
        return stage_function(STAGES[stages[name]])
    if name in PARTS:
        module, _, own = PARTS[name].partition(":")
        return getattr(import_module(module), own)
    close = get_close_matches(name, [*stages, *PARTS], n=1)
    meant = f". Did you mean '{close[0]}'?" if close else ""
    raise AttributeError(f"module 'lexenc' has no attribute '{name}'{meant}")


class LexencWarning(UserWarning):
    """Something that may spoil a result but does not stop the work."""


class CallError(ConfigError, TypeError):
    """A call with arguments that the function does not have, or without those that it needs."""


# ---------------------------------------------------------------- results


@dataclass(frozen=True, repr=False)
class Result:
    """What came of a stage.

    Args:
        stage: The stage.
        out: Its folder; None where nothing was kept.
        summary: Counts.
        results: One plain object per result; the first is the headline.
        tables: The same for people; `print(result)` shows them.
        answer: False where the answer to what was asked is no.
        reused: Whether it was there already.
        manifest: All that is known of how it was made.
    """

    stage: str
    out: Path | None
    summary: dict[str, Any]
    results: list[dict[str, Any]]
    tables: list[Table]
    answer: bool
    reused: bool
    manifest: Manifest

    @classmethod
    def of(cls, manifest: Manifest, out: Path | None, *, reused: bool) -> Result:
        """Make it of a manifest."""
        tables = [Table(**table) for table in manifest.tables]
        return cls(manifest.stage, out, manifest.summary, manifest.results, tables, manifest.answer, reused, manifest)

    def __repr__(self) -> str:
        parts = [f"{name}={_shown(value)}" for name, value in self.summary.items()]
        parts += [f"out='{self.out}'"] if self.out is not None else []
        return f"<{self.stage}: {', '.join(parts)}{', reused' if self.reused else ''}>"

    def __str__(self) -> str:
        return "\n\n".join(_as_text(table) for table in self.tables) or repr(self)

    def _repr_html_(self) -> str:
        return "".join(_as_html(table) for table in self.tables) or f"<code>{html.escape(repr(self))}</code>"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _as_text(table: Table) -> str:
    rows = [table.columns, *table.rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([table.title, *lines, *([table.note] if table.note else [])])


def _as_html(table: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f"<table><caption>{html.escape(table.title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table><p><small>{html.escape(table.note)}</small></p>"
    )


# ---------------------------------------------------------------- a function for every stage


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
        lines.append(f"{one.name}: {_with_choices(rule_of(one).help, without_none(hint)[0])}")
    lines += [f"{name}: {text}" for name, (_, _, text) in _run_parameters(stage).items()]
    makes = f"Makes: {stage.makes}\n\n" if stage.makes else ""
    words = _Words(stage)
    listed = "".join(f"    {words.advised(line)}\n" for line in lines)
    return (
        f"{stage.summary}\n\n{makes}Args:\n{listed}\nReturns:\n    What came of it. A result that is there already is "
        "reused.\n\nRaises:\n    LexencError: If inputs or arguments cannot be used, or the work cannot be done.\n"
    )


def _with_choices(text: str, kind: Any) -> str:
    choices = [str(each) for each in get_args(kind)] if get_origin(kind) is Literal else []
    return text if all(f"{each}:" in text for each in choices) else f"{text} One of: {', '.join(choices)}."


def _run(stage: Stage, given: Mapping[str, Any]) -> Result:
    """Plan and run a stage with the arguments of a call."""
    words, answers = _Words(stage), list[dict[str, Any]]()
    with _in_words_of_python(words):
        device = _setting(given, "device", "auto")
        check_device_name(device)
        out = None if given.get("out") is None else result_folder(os.fspath(given["out"]))
        digests = DigestStore.default()
        plan = plan_stage(
            stage,
            inputs={name: _texts(given[name]) for name in stage.inputs if given.get(name) is not None},
            params={name: given[one.name] for name, (one, _) in parameters(stage.params).items() if one.name in given},
            seed=_seed(_setting(given, "seed", 0)),
            out=out,
            force=given.get("force", False),
            precision=_precision(_setting(given, "precision", "float32")),
            digests=digests,
        )
        manifest = run_plan(
            plan,
            device=device,
            progress=_watcher(given.get("progress", False)),
            notices=_notices(words, answers),
            digests=digests,
            command=_written(stage, given),
        )
    made = Result.of(manifest, plan.out, reused=plan.action == "reuse")
    made.results.extend(answers)
    return made


def _texts(value: Any) -> str | list[str]:
    """Write paths as a user would type them."""
    if isinstance(value, Mapping):
        return [f"{name}={os.fspath(path)}" if name else os.fspath(path) for name, path in value.items()]
    return os.fspath(value) if isinstance(value, str | os.PathLike) else [os.fspath(each) for each in value]


def _setting(given: Mapping[str, Any], name: str, default: Any) -> Any:
    value = given.get(name)
    return os.environ.get(f"LEXENC_{name.upper()}", default) if value is None else value


def _seed(value: Any) -> int:
    try:
        seed = int(value)
    except (TypeError, ValueError):
        seed = -1
    if seed < 0:
        raise ConfigError(f"seed must be a whole number of at least 0, got {value!r}.", hint="Take any, and keep it.")
    return seed


def _precision(value: Any) -> Precision:
    if value not in get_args(Precision):
        raise ConfigError(f"precision cannot be {value!r}.", hint=f"Choose one of: {', '.join(get_args(Precision))}.")
    chosen: Precision = value
    return chosen


def _written(stage: Stage, given: Mapping[str, Any]) -> str:
    """Write the call for the manifest."""
    shown = ", ".join(
        f"{name}={os.fspath(value) if isinstance(value, os.PathLike) else value!r}"
        for name, value in given.items()
        if name != "progress"
    )
    return f"lexenc.{function_name(stage.name)}({shown})"


# ---------------------------------------------------------------- words


class _Words:
    """Writes the options in a message as the arguments that they are here.

    Args:
        stage: Whose options; None for what is no stage.
    """

    def __init__(self, stage: Stage | None) -> None:
        self._names = {f"--{name}": name for name in ("out", "force", "seed", "device", "precision")}
        self._flags = {"--force"}
        if stage is not None:
            self._names |= {"--" + name.replace("_", "-"): name for name in stage.inputs}
            for name, (one, hint) in parameters(stage.params).items():
                option = "--" + name.replace("_", "-")
                self._names[option] = one.name
                self._flags |= {option} if without_none(hint)[0] is bool else set()

    def told(self, text: str) -> str:
        """Write a sentence: `--csls-neighbours` becomes `csls_neighbours`."""
        return _OPTION.sub(lambda found: self._names.get(found[0], found[0]), text)

    def advised(self, text: str | None) -> str | None:
        """Write a hint, in which a flag is something to be typed: `--lowercase` becomes `lowercase=True`."""
        if text is None:
            return None
        return _OPTION.sub(
            lambda found: self._names.get(found[0], found[0]) + ("=True" if found[0] in self._flags else ""), text
        )


@contextmanager
def _in_words_of_python(words: _Words) -> Iterator[None]:
    try:
        yield
    except LexencError as error:
        several = error.faults if isinstance(error, ManyFaultsError) else []
        for one in (error, *several):
            one.message, one.hint = words.told(one.message), words.advised(one.hint)
        # With the hint, which a traceback would otherwise not show.
        error.args = (error.message + (f" {error.hint}" if error.hint else ""),)
        raise


def _notices(words: _Words, answers: list[dict[str, Any]] | None = None) -> Notices:
    """Make warnings of remarks, and keep the answers of a stage that hands them over as they come."""

    def warn(message: str, hint: str | None) -> None:
        text = words.told(message) + (f" {words.advised(hint)}" if hint else "")
        warnings.warn(text, LexencWarning, stacklevel=_depth())

    def answer(objects: Sequence[Mapping[str, Any]], table: Table) -> None:
        if answers is not None:
            answers.extend(dict(one) for one in objects)

    return Notices(warn=warn, say=lambda sentence: log.info(words.told(sentence)), answer=answer)


def _depth() -> int:
    """Count the frames up to the first that is not ours, so that a warning names the user's own line."""
    depth, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OWN) and frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth


class _Row:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, count: int) -> None:
        self._bar.update(count)


class _Bars:
    """Bars in a terminal or a notebook."""

    @contextmanager
    def task(self, title: str, total: int | None, unit: str) -> Iterator[Task]:
        from tqdm.auto import tqdm

        with tqdm(desc=title, total=total, unit=f" {unit}", leave=False) as bar:
            yield _Row(bar)


def _watcher(progress: bool | Progress) -> Progress:
    if isinstance(progress, bool):
        return _Bars() if progress else SILENT
    return progress


# ---------------------------------------------------------------- what is no stage


def _path(name: PathLike) -> Path:
    """Find a file or folder, or what is bundled under a name.

    Raises:
        ConfigError: If it is not there.
    """
    path = bundled_path(os.fspath(name)) or Path(name)
    if not path.exists():
        raise ConfigError(f"There is nothing at {name}.", hint="Check the path.")
    return path


def run(
    pipeline: PathLike,
    *,
    start: str | None = None,
    until: str | None = None,
    only: str | None = None,
    force: bool = False,
    device: str | None = None,
    workdir: PathLike | None = None,
    progress: bool | Progress = False,
) -> dict[str, Result]:
    """Run the steps of a pipeline file; what is up to date is reused.

    Args:
        pipeline: The file (YAML).
        start: First step to run; earlier ones must be up to date.
        until: Last step to run.
        only: The only step to run.
        force: Replace results of other recipes.
        device: For all steps; None: LEXENC_DEVICE, else the file's.
        workdir: Folder for results, in place of the file's.
        progress: True draws bars; or an object with a `task` of your own.

    Returns:
        The result of every step, by its name.

    Raises:
        LexencError: As the command `run`.
    """
    from lexenc.pipeline import Watcher, chosen_steps, read_pipeline, run_pipeline

    made: dict[str, Result] = {}
    with _in_words_of_python(_Words(None)):
        device = device or os.environ.get("LEXENC_DEVICE")
        if device is not None:
            check_device_name(device)
        read = read_pipeline(_path(pipeline), workdir=None if workdir is None else Path(workdir))
        run_pipeline(
            read,
            chosen_steps(read, start=start, until=until, only=only),
            force=force,
            device=device,
            progress=_watcher(progress),
            notices=_notices(_Words(None)),
            digests=DigestStore.default(),
            watcher=Watcher(
                after=lambda step, plan, manifest: made.update(
                    {step.name: Result.of(manifest, step.out, reused=plan.action == "reuse")}
                )
            ),
        )
    return made


def translate(  # noqa: PLR0913 - the options of the command
    words: Sequence[str],
    *,
    vectors: PathLike,
    top: int = 5,
    from_: str = "source",
    to: str = "target",
    retrieval: Criterion = "nearest",
    encoder: PathLike | None = None,
    subwords: PathLike | None = None,
    device: str | None = None,
) -> list[Answer]:
    """Translate words, or list their neighbours within a language.

    Args:
        words: The words; those that the space does not hold are named in a warning.
        vectors: Shared space: a folder of map or interpolate.
        top: Answers per word.
        from_: Language of the words: source, target, or a name in a space of many languages.
        to: Language of the answers, likewise; the same lists neighbours.
        retrieval: How answers are ranked: nearest, csls or inverted-softmax.
        encoder: Encodes words that the space does not hold; the one that it was blended with.
        subwords: fastText .bin that makes vectors of words that the space does not hold; the one it was made from.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.

    Returns:
        Answers with `source`, `rank` (from 1), `target` and `score`, in the order of the words.

    Raises:
        LexencError: If there is no such space or encoder.
    """
    from lexenc.encoders.locate import locate_encoder
    from lexenc.stages.translate import Translator

    if isinstance(words, str):
        raise ConfigError("words must be a list of words, got one text.", hint=f"Write [{words!r}].")
    notices = _notices(_Words(None))
    with _in_words_of_python(_Words(None)):
        name = _setting({"device": device}, "device", "auto")
        check_device_name(name)
        found = None if encoder is None else locate_encoder(os.fspath(encoder)).path
        job = Job(Path.cwd(), device_name=name, notices=notices, kept=False)
        translator = Translator(
            _path(vectors),
            asks=from_,
            answers=to,
            retrieval=retrieval,
            top=top,
            job=job,
            encoder=found,
            subwords=None if subwords is None else _path(subwords),
        )
        made = list(translator.ask(words))
    if translator.unknown:
        notices.warn(f"Not among the {from_} vectors: {', '.join(translator.unknown)}.", None)
    return made


def fetch(
    name: str, *, part: str | None = None, out: PathLike | None = None, accept: bool = False, force: bool = False
) -> Path:
    """Fetch a public resource, once.

    Args:
        name: Family and key, for instance `gt-bli:en-de`; `lexenc fetch --list` on the command line lists them.
        part: Which file of it, for instance train or test.
        out: Folder to keep it in; None is the cache.
        accept: Whether you may use it where its licence is not an open one.
        force: Fetch again, and take whatever comes.

    Returns:
        The file.

    Raises:
        LexencError: If there is no such resource, its licence is not accepted, or it cannot be fetched.
    """
    from lexenc import fetching
    from lexenc.artifact import cache_folder
    from lexenc.resources.catalogue import find_resource, read_catalogue

    extra = os.environ.get("LEXENC_CATALOGUE")
    resource = find_resource(read_catalogue(Path(extra) if extra else None), name, part)

    def approve(offer: fetching.Offer) -> None:
        if not (accept or resource.open):
            raise ConfigError(
                f"The licence of {name} is not an open one ({resource.licence}).",
                hint=f"Add accept=True if you may use it. See {resource.home or resource.url}.",
            )

    folder = Path(out) if out is not None else cache_folder() / "fetched" / resource.family
    return fetching.fetch(resource, folder, approve=approve, force=force, digests=DigestStore.default()).path


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder, ready for texts.

    Args:
        encoder: What it is inside.
    """

    encoder: Encoder

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self.encoder.dimensions

    def encode(self, texts: Sequence[str], *, progress: bool | Progress = False) -> np.ndarray:
        """Turn words, phrases or sentences into vectors.

        Args:
            texts: The texts; order and neighbours of a text do not change its vector.
            progress: True draws bars; or an object with a `task` of your own.

        Returns:
            One row per text, not of length 1. Shape [n, d], float32.
        """
        from lexenc.encoders.encode import encode_texts

        if isinstance(texts, str):
            raise ConfigError("texts must be a list of texts, got one text.", hint=f"Write [{texts!r}].")
        return encode_texts(self.encoder, list(texts), progress=_watcher(progress))


def load_encoder(
    name: PathLike,
    *,
    pooling: Pooling = "auto",
    device: str | None = None,
    precision: Precision | None = None,
    max_length: int | None = None,
) -> LoadedEncoder:
    """Load an encoder.

    Args:
        name: `mini` (bundled), a sentence-transformers or Hugging Face folder, a result of ours, or a name on the hub.
        pooling: mean, model (the encoder's own modules) or auto: its own where it has any, else mean.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic; None: LEXENC_PRECISION, else float32.
        max_length: Longest input in tokens; None leaves it to the encoder.

    Raises:
        LexencError: If there is no such encoder or device.
    """
    from lexenc.encoders import load
    from lexenc.encoders.locate import locate_encoder

    chosen: Device = choose_device(
        _setting({"device": device}, "device", "auto"),
        _precision(_setting({"precision": precision}, "precision", "float32")),
    )
    folder = locate_encoder(os.fspath(name)).path
    return LoadedEncoder(load.load_encoder(folder, pooling=pooling, device=chosen, max_length=max_length))


def load_space(folder: PathLike, *, mmap: bool = False) -> Space:
    """Load a shared space that map or interpolate made: `source` and `target`, each with `words` and `matrix`.

    Args:
        folder: The folder.
        mmap: Leave the vectors on disk until they are used.

    Raises:
        LexencError: If the folder holds no space.
    """
    from lexenc.files import spaces

    return spaces.load_space(_path(folder), mmap=mmap)


def load_mapping(folder: PathLike) -> LearnedMapping:
    """Load the mapping that map learned; `apply_source` and `apply_target` take vectors of new words.

    Args:
        folder: The folder that map made.

    Raises:
        LexencError: If it holds no mapping.
    """
    from lexenc.stages import mappings

    return mappings.load_mapping(_path(folder))


def read_vectors(path: PathLike, *, limit: int | None = None) -> Vectors:
    """Read vectors of any format: `words`, `matrix` (float32) and a `report` of what was irregular.

    Args:
        path: .vec, .vec.gz, GloVe text, word2vec or fastText .bin, a folder of ours, or `bundled:static/en`.
        limit: Read the first rows only; they are the most frequent words.

    Raises:
        LexencError: If it cannot be read.
    """
    from lexenc.files import vectors

    return vectors.read_vectors(_path(path), limit=limit)


def read_pairs(path: PathLike, *, source_language: str | None = None, target_language: str | None = None) -> Pairs:
    """Read a dictionary: two columns, or a TMX, XLIFF or TBX file.

    Args:
        path: The file, or for instance `bundled:lexicon/en-de.train.tsv`.
        source_language: Of a TMX, XLIFF or TBX file of more than two languages, which one is the source.
        target_language: The same of the target.

    Raises:
        LexencError: If it cannot be read.
    """
    from lexenc.files import dictionaries

    return dictionaries.read_pairs(_path(path), languages=(source_language, target_language))
