"""From a folder to an encoder of the right kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lexenc.device import Device
from lexenc.encoders import ENCODERS
from lexenc.encoders.base import Encoder, Pooling
from lexenc.encoders.folder import forward_pass, guarded, quiet_loading
from lexenc.errors import ConfigError, DataError

_TEXTS = ("a", "Größe 3, and The rest of it.", "日本 слово")
# Largest difference from the plain computation, as a share of the largest number.
_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1, "float16": 0.1}


def load_encoder(folder: Path, *, pooling: Pooling = "auto", device: Device, max_length: int | None = None) -> Encoder:
    """Load an encoder from a folder that `locate_encoder` found.

    Args:
        folder: Folder of lexenc, sentence-transformers or Hugging Face.
        pooling: `mean`: mean of the last layer over all real tokens, special ones included. `cls`: the first token of
            the last layer. `first-last`: mean of the output of the first layer and the last over all tokens. `model`:
            the encoder's own modules. `auto`: its own modules if it has any, otherwise the mean.
        device: Device and precision of the computation.
        max_length: Longest input in tokens; None for the one of the encoder.

    Raises:
        ConfigError: If the folder contains no encoder that can be used, or one that does not compute what its own
            library computes.
        DataError: If it is damaged.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no encoder at {folder}.", hint="Check the path.")
    hint = "Check that it is a complete folder of transformers or sentence-transformers. Copy it again."
    with quiet_loading(), guarded(f"The encoder {folder} cannot be used", hint):
        encoder: Encoder = ENCODERS[encoder_kind(folder)].load(
            folder, pooling=pooling, device=device, max_length=max_length
        )
        _check_vectors(folder, encoder, _TOLERANCE[device.precision])
    return encoder


def _check_vectors(folder: Path, encoder: Encoder, tolerance: float) -> None:
    """Compare the vectors of a few texts with those of the plain computation."""
    import torch

    with forward_pass(folder), torch.no_grad():
        found = encoder.embed(encoder.tokenise(_TEXTS)).cpu().numpy()
        expected = encoder.reference(_TEXTS)
    if not found.size or not np.isfinite(found).all():
        kind = "numbers that are not finite" if found.size else "no dimensions"
        raise DataError(f"The vectors of the encoder {folder} have {kind}.", hint="Copy it again, or use another.")
    same_shape = found.shape == expected.shape == (len(_TEXTS), encoder.dimensions)
    distance = float(np.abs(found - expected).max()) if same_shape else float("inf")
    if not distance <= tolerance * float(np.abs(expected).max()):
        how = f"differ by {distance:.2g}" if same_shape else f"have shape {found.shape}, expected {expected.shape}"
        raise ConfigError(
            f"The vectors of the encoder {folder} {how} from those of its own library.",
            hint="lexenc does not support this encoder yet. Use another.",
        )


def encoder_kind(folder: Path) -> str:
    """Return the kind of the encoder in a folder; "transformer" for an unknown one, whose loader says what is wrong."""
    return next((name for name in ENCODERS if ENCODERS[name].recognises(folder)), "transformer")


def check_transformer(folder: Path, what: str, *, hint: str) -> None:
    """Refuse an encoder that has no states of subwords in their context.

    Args:
        folder: Its folder.
        what: What needs them, for the message.
        hint: What to use instead.

    Raises:
        ConfigError: If it is not a transformer.
    """
    kind = encoder_kind(folder)
    if not ENCODERS[kind].language_model:
        raise ConfigError(f"{what} needs a transformer, and the encoder {folder} is of kind {kind}.", hint=hint)
