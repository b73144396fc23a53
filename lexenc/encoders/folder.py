"""Model folders, whoever made them: what is checked before other libraries read them, and what becomes of their errors.

Nothing is imported by a name that is written in a folder. Modules, tokenizers and activation functions are those listed
here, whatever other libraries would accept.
"""

from __future__ import annotations

import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from lexenc.durable import told_of_system
from lexenc.errors import ConfigError, DataError, LexencError, is_panic
from lexenc.structured import checked, opened_tensors, read_json, spelled

STATIC_CLASS = "StaticEmbedding"
"""The module of sentence-transformers with one vector per subword."""
MIXING = "WeightedLayerPooling"
"""The module of sentence-transformers that averages the states of several layers."""
HEAD_PARTS = ("Dense", "Normalize", "LayerNorm", "Dropout")
"""Modules of sentence-transformers that turn one vector per text into another."""
MODULES = ("Transformer", MIXING, "Pooling", STATIC_CLASS, *HEAD_PARTS)
"""The modules of sentence-transformers that lexenc knows."""
MODULES_PATH = "sentence_transformers.models."
"""The path under which every release of sentence-transformers since 3.2 finds its modules."""
SETTINGS = "config_sentence_transformers.json"
SENTENCE_MODEL = "SentenceTransformer"
"""The kind of model, in `SETTINGS`, that turns texts into vectors."""
ELMO_TYPE = "lexenc-elmo"
"""`model_type` in the config.json of a folder of ELMo."""
PROJECTION = "layer-projections.safetensors"
"""The file of a projected encoder with the map of each layer."""
COPY = "Copy the encoder again."
READ = re.compile(r"([\w-]*config|special_tokens_map|added_tokens|modules|config_sentence_transformers)\.json")
"""Files that transformers and sentence-transformers read. Tokenizers are checked by the library that made them."""

# The paths of its modules in releases 1 to 6.
_MODULE = re.compile(r"sentence_transformers\.(?:models|sentence_transformer\.modules|base\.modules)(?:\.\w+)?\.(\w+)")
_GAP = 100_000  # numbers of a vocabulary that may be unused
_POINTER = b"version https://git-lfs.github.com/"
_ATTENTION = ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention", "paged_attention")
# Names of classes of transformers, by the last part of their key; others would be taken for any name in the library.
_CLASSES = {
    "tokenizer_class": re.compile(r"\w*(Tokenizer(Fast)?|Backend)"),
    "processor_class": re.compile(r"\w*(Processor|Tokenizer(Fast)?)"),
    "image_processor_type": re.compile(r"\w*(Processor(Fast|Pil)?|Extractor)"),
    "feature_extractor_type": re.compile(r"\w*(Processor(Fast|Pil)?|Extractor)"),
    "video_processor_type": re.compile(r"\w*Processor"),
}


@dataclass(frozen=True)
class ModuleRow:
    """A row of the table of modules of a sentence-transformers folder.

    Args:
        kind: Its class: one of `MODULES`, or the whole path of any other.
        path: Its folder, relative to that of the model.
    """

    kind: str
    path: str


@dataclass(frozen=True)
class _ModuleEntry:
    type: str
    path: str = ""
    idx: int | None = None
    name: str | None = None
    kwargs: list[str] = field(default_factory=list)


def read_modules(folder: Path) -> list[ModuleRow]:
    """Return the table of modules of a sentence-transformers folder; no rows for a plain language model.

    Raises:
        DataError: If the table is damaged, or a module is outside the folder.
    """
    path = folder / "modules.json"
    if not path.is_file():
        return []
    rows = []
    for each in checked(list[_ModuleEntry], read_json(path, hint=COPY), path, hint=COPY):
        place = PurePath(each.path)
        inside = not place.is_absolute() and ".." not in place.parts and "\0" not in each.path
        if not inside or not (folder / place).resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{path} has a module outside the folder: {each.path!r}", hint="Use another encoder.")
        match = _MODULE.fullmatch(each.type)
        strange = each.type if each.type.isprintable() else repr(each.type)
        rows.append(ModuleRow(match[1] if match and match[1] in MODULES else strange, each.path))
    return rows


def read_settings(path: Path) -> dict[str, Any]:
    """Return a JSON file of settings by name; no settings if there is no file.

    Raises:
        DataError: If it is not a JSON object.
    """
    return checked(dict[str, Any], read_json(path, hint=COPY), path, hint=COPY) if path.is_file() else {}


def checked_settings(kind: type[Any], path: Path, names: Mapping[str, str] | None = None) -> Any:
    """Return those settings of a JSON file that a dataclass has, checked; others do not matter.

    Args:
        kind: The dataclass.
        path: The file.
        names: Names of settings that have another name in the dataclass.

    Raises:
        DataError: If a setting is missing or has another type.
    """
    found = {(names or {}).get(name, name): value for name, value in read_settings(path).items()}
    return checked(kind, {name: found[name] for name in kind.__dataclass_fields__ if name in found}, path, hint=COPY)


@dataclass(frozen=True)
class ModelSettings:
    """Settings of a whole model of sentence-transformers that change what it computes.

    Args:
        model_type: Kind of model; lexenc uses `SENTENCE_MODEL`.
        prompts: Texts that can precede a text, by name.
        default_prompt_name: The one that precedes every text. None for none.
        truncate_dim: Number of dimensions to keep. None for all.
        similarity_fn_name: Function that compares two vectors.
    """

    model_type: str = SENTENCE_MODEL
    prompts: dict[str, str | None] | None = None
    default_prompt_name: str | None = None
    truncate_dim: int | None = None
    similarity_fn_name: str | None = None

    @property
    def prompt(self) -> str:
        """The text that precedes every text; may be empty."""
        return (self.prompts or {}).get(self.default_prompt_name or "") or ""


def read_model_settings(folder: Path) -> ModelSettings:
    """Return the settings of a model of sentence-transformers.

    Raises:
        DataError: If they are damaged, or do not fit each other.
    """
    path = folder / SETTINGS
    settings: ModelSettings = checked_settings(ModelSettings, path)
    # Every model of sentence-transformers has the prompts query and document, which are empty if they are not given.
    known = {"query", "document", *(settings.prompts or {})}
    if settings.default_prompt_name is not None and settings.default_prompt_name not in known:
        raise DataError(
            f"{path} has the default prompt {settings.default_prompt_name!r}, "
            f"but the prompts {', '.join(sorted(known))}.",
            hint="Correct default_prompt_name.",
        )
    if settings.truncate_dim is not None and settings.truncate_dim < 1:
        raise DataError(
            f"{path} has the truncate_dim {settings.truncate_dim}, expected a positive number.", hint="Correct it."
        )
    return settings


def static_modules(folder: Path) -> list[ModuleRow]:
    """Return the table of modules of a static encoder, which begins with `STATIC_CLASS`; no rows for another folder.

    Folders of model2vec before 0.3 have no table. The one that later releases write follows from its settings.

    Raises:
        DataError: If the table is damaged.
    """
    modules = read_modules(folder)
    if not modules and (settings := read_settings(folder / "config.json")).get("model_type") == "model2vec":
        names = [STATIC_CLASS, *(["Normalize"] if settings.get("normalize") else [])]
        modules = [ModuleRow(name, "" if name == STATIC_CLASS else f"1_{name}") for name in names]
    return modules if modules and modules[0].kind == STATIC_CLASS else []


# ---------------------------------------------------------------- files


def places_of(folder: Path) -> list[Path]:
    """Return the folder of a model and those of its modules."""
    own = [folder / each.path for each in read_modules(folder)]
    return list(dict.fromkeys([folder, folder / "0_Transformer", *own]))


def check_files(folder: Path) -> None:
    """Check the small files of a model, which other libraries read without checks.

    Raises:
        ConfigError: If the model needs code or files from elsewhere.
        DataError: If a file is damaged, or a pointer to a file that was not downloaded.
    """
    for place in places_of(folder):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if path.is_file() and path.stat().st_size < 1024:
                with path.open("rb") as stream:
                    if stream.read(len(_POINTER)) == _POINTER:
                        raise DataError(
                            f"{path} is a pointer of Git LFS, not the file itself.", hint="Download it: git lfs pull"
                        )
            if path.name == "adapter_config.json":
                raise ConfigError(
                    f"The encoder {folder} is an adapter ({path.name}), whose model is elsewhere.",
                    hint="Merge it with its model: merge_and_unload() of peft, then save_pretrained(folder).",
                )
            if READ.fullmatch(path.name):
                _check_names(read_json(path, hint=COPY), path)
        _check_index(place / "model.safetensors.index.json")


def _check_names(value: Any, path: Path) -> None:
    """Check the values by which other libraries find classes or code, at any depth."""
    if isinstance(value, list):
        for each in value:
            _check_names(each, path)
    if not isinstance(value, dict):
        return
    for key, each in value.items():
        pattern = _CLASSES.get(key)
        if pattern and each is not None and not (isinstance(each, str) and pattern.fullmatch(each)):
            raise ConfigError(f"{path} has the {key} {each!r:.80}, which is none of transformers.", hint=COPY)
        if key.endswith(("attn_implementation", "experts_implementation")) or "_implementation_internal" in key:
            names = each.values() if isinstance(each, dict) else [each]
            if any(isinstance(name, str) and name not in _ATTENTION and "/" in name for name in names):
                raise ConfigError(
                    f"{path} has the {key} {each!r:.80}, which is code from elsewhere.",
                    hint="Code that comes with an encoder is never run. Remove the setting, or use another encoder.",
                )
        _check_names(each, path)


@dataclass(frozen=True)
class _WeightIndex:
    weight_map: dict[str, str]


def _check_index(path: Path) -> None:
    """Check the names of the files of which the weights consist."""
    if not path.is_file():
        return
    for name in set(checked_settings(_WeightIndex, path).weight_map.values()):
        if not re.fullmatch(r"[\w.-]+\.safetensors", name) or not path.with_name(name).is_file():
            raise DataError(f"{path} names the file {name!r:.80}, which is not there.", hint=COPY)


def tensor_shapes(place: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors in the safetensors files of a folder by name. Numbers are not read.

    Raises:
        DataError: If a file is damaged or cut.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(place.glob("*.safetensors")):
        with opened_tensors(path, hint=COPY) as stream:
            shapes |= {name: tuple(stream.get_slice(name).get_shape()) for name in stream.keys()}
    return shapes


def count_numbers(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return how many numbers tensors have in all."""
    return sum(math.prod(shape) for shape in shapes.values())


# ---------------------------------------------------------------- errors


@contextmanager
def guarded(what: str, hint: str) -> Iterator[None]:
    """Turn whatever other libraries raise about an encoder into an error that names it, with theirs as its cause.

    Args:
        what: What is wrong, as the beginning of a sentence: `The encoder X cannot be loaded`.
        hint: What the user can do.

    Raises:
        DataError: If something is raised. Our own errors and errors of memory stay as they are.
    """
    try:
        yield
    except (LexencError, MemoryError):
        raise
    except BaseException as error:
        # That of PyTorch is no MemoryError.
        if type(error).__name__ == "OutOfMemoryError" or not (isinstance(error, Exception) or is_panic(error)):
            raise
        raise DataError(f"{what}: {one_line(error)}", hint=hint) from error


@contextmanager
def without_panic_reports() -> Iterator[None]:
    """Keep what Rust prints about a panic from standard error. All else that is printed there appears afterwards."""
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError, AttributeError):  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        shown = True
        try:
            yield
        except BaseException as error:
            shown = not (is_panic(error) or is_panic(error.__cause__ or error))
            raise
        finally:
            os.dup2(saved, 2)
            aside.seek(0)
            printed = aside.read() if shown else b""
            if printed:
                os.write(saved, printed)
            os.close(saved)


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep remarks of sentence-transformers and reports of panics from standard error while an encoder is loaded."""
    logger = logging.getLogger("sentence_transformers")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with without_panic_reports():
            yield
    finally:
        logger.setLevel(before)


def check_vocabulary(tokenizer: Any) -> None:
    """Check that a tokenizer of the tokenizers library numbers its subwords without large gaps.

    With a gap, the library takes very long to write it, and models have no vectors for the numbers.

    Raises:
        DataError: If a number is far larger than the vocabulary.
    """
    numbers = tokenizer.get_vocab().values()
    largest = max(numbers, default=0)
    if largest > 2 * len(numbers) + _GAP:
        raise DataError(
            f"The tokenizer of the encoder has {len(numbers):,} subwords, but one of the number {largest:,}.",
            hint=f"Its tokenizer.json is damaged. {COPY}",
        )


@contextmanager
def saving(folder: Path) -> Iterator[Path]:
    """Make a folder, and turn errors of the disk, as libraries in Rust report them, into those of Python.

    Yields:
        A path of the folder that all libraries accept.

    Raises:
        OSError: If the disk is full or the like, with the folder as its file name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with spelled(folder) as place:
            yield place
    except Exception as error:  # of safetensors, or the bare class from tokenizers
        told = told_of_system(error)
        if told is None:
            raise
        raise OSError(told.errno, told.strerror, str(folder)) from error


def forward_pass(name: str | Path) -> Any:
    """Return a context in which what a model or tokenizer raises becomes an error that names the encoder.

    Raises:
        DataError: If it fails. Errors of memory stay as they are.
    """
    hint = "Its settings, weights and tokenizer may belong to different models. Copy it again, or use another."
    return guarded(f"The encoder {name} cannot compute", hint)


def splitting() -> Any:
    """Return a context in which what a tokenizer raises becomes an error.

    Raises:
        DataError: If it fails, or panics.
    """
    return guarded("The tokenizer of the encoder cannot split the text", "Its tokenizer.json is damaged. " + COPY)


def one_line(error: BaseException) -> str:
    """Return the text of an error as one line, with the class of the error if it is not a sentence."""
    text = " ".join(str(error).split())[:300]
    return text if " " in text else f"{type(error).__name__}: {text}"
