"""Models of transformers and their tokenizers, loaded from a folder."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer
from transformers.utils import logging as transformers_logging

from lexenc.errors import ConfigError

UNLIMITED = 1 << 30
_TABLES = ("config.json", "modules.json")
_PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt")


def load_pretrained(kind: Any, folder: Path) -> tuple[Any, list[str]]:
    """Load a model of transformers in float32.

    Code that comes with the model is never run, pickled weights are never read.

    Args:
        kind: `AutoModel`, or another of the `AutoModelFor...` classes.
        folder: As transformers or sentence-transformers writes it.

    Returns:
        The model, and the names of its weights that the folder does not contain and that are therefore random.

    Raises:
        ConfigError: If the model cannot be loaded.
    """
    place = _place(folder)
    settings = {"trust_remote_code": False, "local_files_only": True}
    with loading(folder):
        config = AutoConfig.from_pretrained(place, **settings)
        module, found = kind.from_pretrained(
            place, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **settings
        )
    return module, sorted(found["missing_keys"])


@contextmanager
def loading(folder: Path) -> Iterator[None]:
    """Check a folder, and turn the errors of transformers and sentence-transformers while it is loaded into our own.

    Raises:
        ConfigError: If the folder contains no model, pickled weights only, or a model that cannot be loaded.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no encoder at {folder}.", hint="Check the path.")
    if not any((place / name).is_file() for place in (folder, _place(folder)) for name in _TABLES):
        raise ConfigError(
            f"There is no encoder in {folder}: it contains neither {' nor '.join(_TABLES)}.",
            hint="Use a folder that transformers or sentence-transformers saved.",
        )
    for place in [folder, *(path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[:1].isdigit())]:
        pickled = [path.name for pattern in _PICKLES for path in place.glob(pattern)]
        if pickled and not any(place.glob("*.safetensors")):
            raise ConfigError(
                f"The encoder {folder} contains pickled weights only ({pickled[0]}), which can run code when read.",
                hint="Convert it once where you trust it: load with transformers, then save_pretrained(folder).",
            )
    try:
        with quiet_transformers():
            yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, TypeError, AttributeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"The encoder {folder} cannot be loaded: {first}",
            hint="Check that it is a complete folder of transformers or sentence-transformers, with safetensors.",
        ) from error


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a model that `load_pretrained` has loaded."""
    with quiet_transformers():
        return AutoTokenizer.from_pretrained(_place(folder), trust_remote_code=False, local_files_only=True)


def _place(folder: Path) -> Path:
    """Return the folder of the transformer itself, which older versions of sentence-transformers put one deeper."""
    deeper = folder / "0_Transformer"
    return deeper if not (folder / "config.json").is_file() and deeper.is_dir() else folder


def takes_types(module: nn.Module) -> bool:
    """Return whether a model takes token type ids, which tell two sentences of one input apart."""
    kinds = getattr(getattr(module, "config", None), "type_vocab_size", 0) or 0
    return kinds > 1 and "token_type_ids" in inspect.signature(module.forward).parameters


def longest_input(model: Any) -> int:
    """Return the largest number of subwords of an input; `UNLIMITED` where positions are relative."""
    places = getattr(model.config, "max_position_embeddings", None)
    return int(places - position_offset(model)) if places and places > 0 else UNLIMITED


def position_offset(model: Any) -> int:
    """Return the number of the first position; models of the RoBERTa family start after the padding token's number."""
    padding = getattr(getattr(model.base_model, "embeddings", None), "padding_idx", None)
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
