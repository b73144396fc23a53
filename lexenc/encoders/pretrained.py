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

from lexenc.device import Device
from lexenc.errors import ConfigError


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
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(place, **settings)
            module, found = kind.from_pretrained(
                place, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **settings
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, TypeError, AttributeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"The model {folder} cannot be loaded: {first}",
            hint="Use a folder that transformers saved, with safetensors.",
        ) from None
    return module, sorted(found["missing_keys"])


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


def longest_input(module: Any) -> int:
    """Return the number of subwords that a model takes at most."""
    places = getattr(module.config, "max_position_embeddings", None)
    if not places or places < 0:
        return 1 << 30  # positions are relative
    embeddings = getattr(module.base_model, "embeddings", None)
    padding = getattr(embeddings, "padding_idx", None)
    # Models of the RoBERTa family count positions from the one after the number of the padding subword.
    return int(places - (padding + 1 if isinstance(padding, int) else 0))


@contextmanager
def arithmetic(device: Device) -> Iterator[None]:
    """Compute with the precision of a device."""
    with torch.autocast(device.torch.type, dtype=device.dtype, enabled=device.dtype != torch.float32):
        yield


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
