"""Models of transformers and their tokenizers, loaded from a folder."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from itertools import chain
from pathlib import Path
from threading import RLock, get_ident
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from lexenc.encoders.folder import check_files, count_numbers, guarded, places_of, tensor_shapes
from lexenc.errors import ConfigError, DataError
from lexenc.structured import spelled

UNLIMITED = 1 << 30
TYPES = "token_type_ids"
LANGUAGES = "lexenc_languages"
"""The setting in config.json with the names of the languages of which a model has a vector."""
_TABLES = ("config.json", "modules.json")
_PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt")
_SAFE: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
WEIGHTS: dict[str, Any] = {"use_safetensors": True, "dtype": torch.float32}
"""How all weights are read: never from pickles, and in float32, whatever their precision in the file."""
_INCOMPLETE = "Check that it is a complete folder of transformers or sentence-transformers, with safetensors."
_ONE_AT_A_TIME = RLock()
# A model may have more numbers than its folder, e.g. those of a new head, by this factor and number; not gigabytes.
_GROWTH, _HEAD = 3, 1 << 25
_MOST_LAYERS = 200  # where each has tensors of its own, there may be more
# Constants that older releases of transformers saved with the weights.
_CONSTANTS = ("position_ids", "token_type_ids", "inv_freq", "masked_bias", "version")


class Loaded(NamedTuple):
    """A model of transformers that was loaded.

    Args:
        model: The model.
        missing: Its weights that the folder does not contain, and that are therefore random, by name.
    """

    model: Any
    missing: Mapping[str, Tensor]


def load_pretrained(kind: Any, folder: Path) -> Loaded:
    """Load a model of transformers in float32.

    Code that comes with the model is never run, pickled weights are never read.

    Args:
        kind: One of the `AutoModelFor...` classes.
        folder: As transformers or sentence-transformers writes it.

    Returns:
        The model. Only weights of its head can be missing.

    Raises:
        ConfigError: If the model cannot be loaded.
        DataError: If the folder lacks weights below the head, or contains those of another model.
    """
    with spelled(folder) as place, loading(folder) as found:
        config = AutoConfig.from_pretrained(_place(place), **_SAFE)
        kind.from_pretrained(_place(place), config=config, **WEIGHTS, **_SAFE)
    model, missing = found[-1]
    refuse_missing(folder, missing, model.base_model)
    own = _tensors(model.base_model)
    return Loaded(model, {name: each for name, each in missing.items() if id(each) not in own})


@contextmanager
def loading(folder: Path) -> Iterator[list[Loaded]]:
    """Check a folder and the models that are loaded from it, and turn the errors of other libraries into our own.

    Yields:
        The models of transformers that are loaded meanwhile. Weights may be missing, see `refuse_missing`.

    Raises:
        ConfigError: If the folder contains no model, pickled weights only, or a model that cannot be loaded.
        DataError: If the weights are not those of the model that the folder describes, or are not finite.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no encoder at {folder}.", hint="Check the path.")
    if not any((place / name).is_file() for place in (folder, _place(folder)) for name in _TABLES):
        raise ConfigError(
            f"There is no encoder in {folder}: it contains neither {' nor '.join(_TABLES)}.",
            hint="Use a folder that transformers or sentence-transformers saved.",
        )
    check_files(folder)
    for place in places_of(folder):
        pickled = [path.name for pattern in _PICKLES for path in place.glob(pattern)]
        if pickled and not any(place.glob("*.safetensors")):
            raise ConfigError(
                f"The encoder {folder} contains pickled weights only ({pickled[0]}), which can run code when read.",
                hint="Convert it once where you trust it: load with transformers, then save_pretrained(folder).",
            )
    found: list[Loaded] = []
    with guarded(f"The encoder {folder} cannot be loaded", _INCOMPLETE), quiet_transformers(), _recorded(folder, found):
        yield found


@contextmanager
def _recorded(folder: Path, found: list[Loaded]) -> Iterator[None]:
    """Check every model that is loaded, and record it with its missing weights.

    This is needed because sentence-transformers loads models itself, and does not return which weights are missing.
    """
    original, owner = PreTrainedModel.__dict__["from_pretrained"], get_ident()

    def from_pretrained(cls: Any, *args: Any, **settings: Any) -> Any:
        if get_ident() != owner:
            return original.__func__(cls, *args, **settings)
        if "config" in settings:
            _check_size(folder, Path(args[0], settings.get("subfolder") or ""), cls, settings["config"])
        settings |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
        model, report = original.__func__(cls, *args, **settings)
        _check_model(folder, model, report)
        own = dict(chain(model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False)))
        found.append(Loaded(model, {name: own[name] for name in sorted(report["missing_keys"])}))
        return model

    with _ONE_AT_A_TIME:
        PreTrainedModel.from_pretrained = classmethod(from_pretrained)
        try:
            yield
        finally:
            PreTrainedModel.from_pretrained = original


def _check_size(folder: Path, place: Path, kind: Any, config: Any) -> None:
    """Compare the size of a model with that of its weights, before memory is allocated for it.

    Args:
        folder: Folder of the encoder.
        place: The one in it with the weights.
        kind: Class of the model.
        config: Its settings.

    Raises:
        DataError: If the settings describe a far larger model, or one with impossible settings.
    """
    shapes = tensor_shapes(place)
    if not shapes:
        raise DataError(f"The encoder {folder} contains no safetensors weights.", hint=_INCOMPLETE)
    for name, value in sorted(config.to_dict().items()):
        layers = "layer" in name and isinstance(value, int | float)
        if layers and not value <= max(_MOST_LAYERS, len(shapes)):
            raise DataError(
                f"The config.json of the encoder {folder} has {name} {value}, but there are {len(shapes)} tensors.",
                hint="It belongs to other weights. Copy the encoder again.",
            )
    with torch.device("meta"):
        # A copy, because making a model completes its settings.
        model = kind(deepcopy(config))
    numbers, known = sum(each.numel() for each in chain(model.parameters(), model.buffers())), count_numbers(shapes)
    if numbers > _GROWTH * known + _HEAD:
        raise DataError(
            f"The config.json of the encoder {folder} describes a model of {numbers:,} numbers, "
            f"but its weights have {known:,}.",
            hint="It belongs to other weights. Copy the encoder again.",
        )


def _check_model(folder: Path, model: Any, report: Mapping[str, Any]) -> None:
    """Check that a model has a possible size, and that its weights are its own and finite.

    Args:
        folder: Its folder.
        model: The model.
        report: What transformers says about the tensors of the folder.
    """
    config = model.config
    languages = getattr(config, "languages", None)
    if languages and hasattr(config, "default_language") and config.default_language not in languages:
        raise ConfigError(
            f"The encoder {folder} ({config.model_type}) needs a language ({', '.join(languages)}), and has none.",
            hint=f'Write "default_language": "{languages[0]}" into its config.json.',
        )
    if getattr(config, "num_hidden_layers", 1) < 1:
        raise DataError(f"The encoder {folder} has no layers.", hint="Check num_hidden_layers in its config.json.")
    for name, found, expected in sorted(report["mismatched_keys"]):
        raise DataError(
            f"The encoder {folder} has weights of shape {tuple(found)}, expected {tuple(expected)} ({name}).",
            hint="Its config.json belongs to other weights. Copy it again.",
        )
    if superfluous := _superfluous(model, report["unexpected_keys"]):
        missing = sorted(name for name in report["missing_keys"] if "pooler" not in name.split("."))
        lacks = f"lacks weights: {_listed(missing)}, and " if missing else ""
        others = f"has weights that {type(model).__name__} does not use: {_listed(superfluous)}"
        raise DataError(
            f"The encoder {folder} {lacks}{others}.",
            hint="Its config.json belongs to other weights, or the model needs code that comes with it.",
        )
    for name, weights in model.named_parameters():
        if not weights.numel():
            raise DataError(f"The encoder {folder} has empty weights ({name}).", hint="Check the sizes in config.json.")
        # The sum is finite unless a number is not, or it is too large itself; it takes a third of the time.
        if not torch.isfinite(weights.detach().sum()) and not torch.isfinite(weights.detach()).all():
            raise DataError(
                f"The encoder {folder} has weights that are not finite ({name}).",
                hint="The training that made it failed. Use another encoder.",
            )


def _superfluous(model: Any, names: Iterable[str]) -> list[str]:
    """Return the tensors of a folder that belong to a part of a model which has no place for them.

    Heads are no part of the model. Poolers and constants, such as numbered positions, are harmless.
    """
    base = model.base_model
    parts, buffers = {name for name, _ in base.named_children()}, {name for name, _ in base.named_buffers()}
    found = []
    for name in sorted(names):
        own = name.removeprefix(f"{model.base_model_prefix}.")
        first, _, _ = own.partition(".")
        harmless = own in buffers or "pooler" in own.split(".") or own.rpartition(".")[2] in _CONSTANTS
        if first in parts and not harmless:
            found.append(name)
    return found


def refuse_missing(folder: Path, missing: Mapping[str, Tensor], model: nn.Module) -> None:
    """Refuse a model some of whose weights are not in its folder.

    Its pooler may be missing, because it is never used, and so may positions that are computed (Marian).

    Args:
        folder: The folder.
        missing: The weights that are not there, and therefore random. Those of a head or a decoder, which are no part
            of `model`, may be.
        model: The model that is used.

    Raises:
        DataError: If the model lacks weights.
    """
    used = _tensors(model)
    for part in model.modules():
        if part is getattr(model, "pooler", None) or "Sinusoidal" in type(part).__name__:
            used -= _tensors(part)
    lacking = [name for name, each in missing.items() if id(each) in used]
    if lacking:
        raise DataError(
            f"The encoder {folder} lacks weights: {_listed(lacking)}.",
            hint="They would be random. Copy the encoder again; a model that needs code of its own cannot be used.",
        )


def _tensors(model: nn.Module) -> set[int]:
    return {id(each) for each in chain(model.parameters(), model.buffers())}


def _listed(names: list[str]) -> str:
    """Return the number of tensors and the first names."""
    number = "1 tensor" if len(names) == 1 else f"{len(names):,} tensors"
    return f"{number} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"


def encoder_part(folder: Path, found: list[Loaded]) -> Loaded:
    """Return the model in which sentence-transformers loaded a folder; of an encoder-decoder model the encoder.

    Of some such models, e.g. M2M100, sentence-transformers loads the encoder alone but does not find its weights.
    Of others, e.g. MBart, it takes the states of the decoder.

    Args:
        folder: The folder.
        found: The models that were loaded, inside of `loading`.
    """
    loaded = found[-1]
    if loaded.missing and loaded.model.config.is_encoder_decoder:
        config = AutoConfig.from_pretrained(_place(folder), **_SAFE)
        AutoModel.from_pretrained(_place(folder), config=config, **WEIGHTS, **_SAFE)
        loaded = min(found[-2:], key=lambda each: len(each.missing))
    return loaded._replace(model=loaded.model.get_encoder()) if has_decoder(loaded.model) else loaded


def has_decoder(model: Any) -> bool:
    """Return whether a model is an encoder and a decoder."""
    return bool(getattr(model.config, "is_encoder_decoder", False)) and getattr(model, "decoder", None) is not None


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a model that `load_pretrained` has loaded.

    Raises:
        DataError: If it cannot be loaded.
    """
    what = f"The tokenizer of {folder} cannot be loaded"
    with spelled(folder) as place, guarded(what, _INCOMPLETE), quiet_transformers():
        return AutoTokenizer.from_pretrained(_place(place), **_SAFE)


def _place(folder: Path) -> Path:
    """Return the folder of the transformer itself, which older versions of sentence-transformers put one deeper."""
    deeper = folder / "0_Transformer"
    return deeper if not (folder / "config.json").is_file() and deeper.is_dir() else folder


def takes_types(module: nn.Module, tokenizer: Any) -> bool:
    """Return whether to give a model token type ids, which tell two sentences of one input apart.

    Args:
        module: Model of transformers.
        tokenizer: Its tokenizer, of transformers.
    """
    # A model without such a number, e.g. XLNet, distinguishes any types.
    kinds = getattr(module.config, "type_vocab_size", None)
    languages = getattr(module.config, LANGUAGES, None)
    if kinds and isinstance(languages, list):
        kinds -= len(languages)
    return kinds not in (0, 1) and TYPES in tokenizer.model_input_names and TYPES in _arguments(module)


def _arguments(module: nn.Module) -> Iterable[str]:
    return inspect.signature(module.forward).parameters


def longest_input(model: Any) -> int:
    """Return the largest number of subwords of an input; `UNLIMITED` where positions are relative."""
    places = getattr(model.config, "max_position_embeddings", None)
    return int(places - position_offset(model)) if places and places > 0 else UNLIMITED


def position_offset(model: Any) -> int:
    """Return the number of the first position; models of the RoBERTa family start after the padding token's number."""
    embeddings = getattr(model.base_model, "embeddings", None)
    padding = getattr(embeddings, "padding_idx", None) if hasattr(embeddings, "position_embeddings") else None
    return padding + 1 if isinstance(padding, int) else 0


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers from drawing progress bars and from reporting missing weights, which callers do themselves."""
    shown, loudness = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(loudness)
        if shown:
            transformers_logging.enable_progress_bar()
