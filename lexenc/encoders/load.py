"""From a folder to an encoder of the right kind."""

from __future__ import annotations

from pathlib import Path

from lexenc.device import Device
from lexenc.encoders.base import Encoder, Pooling
from lexenc.errors import ConfigError


def load_encoder(folder: Path, *, pooling: Pooling = "auto", device: Device, max_length: int | None = None) -> Encoder:
    """Load an encoder from a folder that `locate_encoder` found.

    Args:
        folder: A sentence-transformers or Hugging Face folder, or one of ours.
        pooling: `mean`: mean of the last layer over all real tokens, special ones included. `model`: the encoder's own
            modules. `auto`: its own where it has any, otherwise the mean. A bag of subwords has one way only.
        device: Where it computes, and how precisely.
        max_length: Longest input in tokens; None leaves it to the encoder.

    Raises:
        ConfigError: If the folder holds no encoder that can be used.
        DataError: If it is damaged.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no encoder at {folder}.", hint="Check the path.")
    # The readers import PyTorch, and the transformer's also transformers: seconds that a bag of subwords need not pay.
    from lexenc.encoders.static import StaticEncoder, is_static

    if is_static(folder):
        return StaticEncoder.load(folder, device=device)
    from lexenc.encoders.transformer import TransformerEncoder

    return TransformerEncoder.load_folder(folder, pooling=pooling, device=device, max_length=max_length)
