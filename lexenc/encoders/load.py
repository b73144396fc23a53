"""From a folder to an encoder of the right kind."""

from __future__ import annotations

from pathlib import Path

from lexenc.device import Device
from lexenc.encoders import ENCODERS
from lexenc.encoders.base import Encoder, Pooling
from lexenc.errors import ConfigError


def load_encoder(folder: Path, *, pooling: Pooling = "auto", device: Device, max_length: int | None = None) -> Encoder:
    """Load an encoder from a folder that `locate_encoder` found.

    Args:
        folder: Folder of lexenc, sentence-transformers or Hugging Face.
        pooling: `mean`: mean of the last layer over all real tokens, special ones included. `model`: the encoder's own
            modules. `auto`: its own modules if it has any, otherwise the mean.
        device: Device and precision of the computation.
        max_length: Longest input in tokens; None for the one of the encoder.

    Raises:
        ConfigError: If the folder contains no encoder that can be used.
        DataError: If it is damaged.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no encoder at {folder}.", hint="Check the path.")
    encoder: Encoder = ENCODERS[encoder_kind(folder)].load(
        folder, pooling=pooling, device=device, max_length=max_length
    )
    return encoder


def encoder_kind(folder: Path) -> str:
    """Return the kind of the encoder in a folder; "transformer" for an unknown one, whose loader says what is wrong."""
    return next((name for name in ENCODERS if ENCODERS[name].recognises(folder)), "transformer")
