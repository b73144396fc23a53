"""What turns the pooled vector of a text into its final one: modules of sentence-transformers, and a cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lexenc.encoders.base import class_of, one_line, read_settings
from lexenc.errors import ConfigError, DataError

HEAD_PARTS = ("Dense", "Normalize", "LayerNorm", "Dropout")
"""Modules of sentence-transformers that turn one vector per text into another."""

SETTINGS = "config_sentence_transformers.json"
_WEIGHTS = "model.safetensors"


class Head(nn.Module):  # type: ignore[misc]
    """The modules after the pooling of an encoder.

    Args:
        parts: Modules of sentence-transformers, each of a class in `HEAD_PARTS`.
        dimensions: Number of dimensions to keep (`truncate_dim` of sentence-transformers). None for all.
    """

    def __init__(self, parts: Sequence[nn.Module] = (), dimensions: int | None = None) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.dimensions = dimensions

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the final vectors. Shape [n, width] -> [n, d]."""
        features = {"sentence_embedding": vectors}
        for part in self.parts:
            features = part(features)
        return features["sentence_embedding"][:, : self.dimensions]


def load_head(folder: Path, modules: Sequence[Mapping[str, str]], *, width: int, dimensions: int | None) -> Head:
    """Load the modules after the pooling, in float32.

    Args:
        folder: Folder of sentence-transformers.
        modules: Their rows in the table of modules.
        width: Length of the vectors that come in.
        dimensions: See `Head`.

    Raises:
        ConfigError: If a module is of another class than those in `HEAD_PARTS`, or needs code that comes with it.
        DataError: If a module is damaged, or does not fit the one before it.
    """
    check_head(folder, modules)
    if not modules:
        return Head(dimensions=dimensions)
    from sentence_transformers.sentence_transformer import modules as classes

    strange = [class_of(each) for each in modules if class_of(each) not in HEAD_PARTS]
    if strange:
        raise ConfigError(
            f"The encoder {folder} has the module {strange[0]}, expected any of {', '.join(HEAD_PARTS)}.",
            hint="Use pooling mean, which leaves out all modules after the mean, or another encoder.",
        )
    parts: list[nn.Module] = []
    features = {"sentence_embedding": torch.zeros(1, width)}
    for each in modules:
        try:
            part = getattr(classes, class_of(each)).load(str(folder), subfolder=each["path"], local_files_only=True)
            # Errors of a width that does not fit the module before name the module.
            features = part.float().eval()(features)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError) as error:
            raise DataError(
                f"The {class_of(each)} in {folder / each['path']} cannot be used: {one_line(error)}",
                hint="Copy the encoder or make it again.",
            ) from None
        parts.append(part)
    return Head(parts, dimensions)


def check_head(folder: Path, modules: Sequence[Mapping[str, str]]) -> None:
    """Check the files of modules for what sentence-transformers reads and computes without an error.

    Raises:
        ConfigError: If the folder belongs to another kind of model, of which sentence-transformers takes the mean, or
            an activation function is code of its own, for which it takes Tanh.
        DataError: If weights are damaged, not finite, or pickled.
    """
    kind = read_settings(folder / SETTINGS).get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer" and (folder / "modules.json").is_file():
        raise ConfigError(
            f"{folder / SETTINGS} belongs to a {kind}, expected a SentenceTransformer.",
            hint="Use pooling mean, which takes the mean of its tokens, or another encoder.",
        )
    for each in modules:
        place = folder / each["path"]
        activation = str(read_settings(place / "config.json").get("activation_function", "torch."))
        if not activation.startswith("torch."):
            raise ConfigError(
                f"{place / 'config.json'} names the activation function {activation}, which is not part of PyTorch.",
                hint="Code that comes with an encoder is never run. Use another encoder.",
            )
        if (place / _WEIGHTS).is_file():
            read_weights(place / _WEIGHTS)
        elif (place / "pytorch_model.bin").is_file():
            raise ConfigError(
                f"{place} contains pickled weights only, which can run code when read.",
                hint="Convert it once where you trust it: load with sentence-transformers, then save(folder).",
            )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file, all of which have to be finite.

    Raises:
        DataError: If the file is damaged, or a number is NaN or infinite.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise DataError(f"{path} is damaged: {error}.", hint="Copy the encoder or make it again.") from None
    for name, each in tensors.items():
        if each.is_floating_point() and not torch.isfinite(each.float()).all():
            raise DataError(
                f"The tensor '{name}' of {path} has numbers that are not finite.",
                hint="The training that made it failed. Use another encoder.",
            )
    return tensors
