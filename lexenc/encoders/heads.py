"""What turns the pooled vector of a text into its final one: modules of sentence-transformers, and a cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lexenc.encoders.folder import (
    HEAD_PARTS,
    MIXING,
    SENTENCE_MODEL,
    SETTINGS,
    ModuleRow,
    checked_settings,
    guarded,
    read_model_settings,
)
from lexenc.errors import ConfigError, DataError
from lexenc.structured import read_tensors_of

_WEIGHTS = "model.safetensors"
# Arguments for transformers that change nothing, or that lexenc sets itself.
_ARGUMENTS = {"trust_remote_code", "dtype", "torch_dtype", "use_safetensors", "attn_implementation", "unpad_inputs"}
_AGAIN = "Copy the encoder or make it again."
# Activation functions of a Dense, by the names that releases of sentence-transformers write.
_ACTIVATION = re.compile(
    r"torch\.nn\.(?:modules\.(?:activation|linear)\.)?(?:Tanh|ReLU|ReLU6|GELU|SiLU|Mish|ELU|SELU|CELU|LeakyReLU|PReLU|"
    r"Sigmoid|LogSigmoid|Softplus|Softsign|Tanhshrink|Hardtanh|Hardswish|Hardsigmoid|Identity)"
)


@dataclass(frozen=True)
class _DenseSettings:
    in_features: int
    out_features: int
    bias: bool = True
    activation_function: str = "torch.nn.Tanh"
    module_input_name: str = "sentence_embedding"
    module_output_name: str | None = None
    use_residual: bool = False

    def shapes(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {"linear.weight": (self.out_features, self.in_features)}
        if self.bias:
            found["linear.bias"] = (self.out_features,)
        if self.use_residual and self.in_features != self.out_features:
            found["residual.weight"] = (self.out_features, self.in_features)
        return found


@dataclass(frozen=True)
class _LayerNormSettings:
    dimension: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"norm.weight": (self.dimension,), "norm.bias": (self.dimension,)}


@dataclass(frozen=True)
class _DropoutSettings:
    dropout: float = 0.2

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {}


@dataclass(frozen=True)
class _NormalizeSettings:
    module_input_name: str = "sentence_embedding"
    module_output_name: str | None = None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {}


@dataclass(frozen=True)
class _MixingSettings:
    num_hidden_layers: int = 12
    layer_start: int = 4

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"layer_weights": (self.num_hidden_layers + 1 - self.layer_start,)}


_HEAD_SETTINGS: dict[str, Any] = {
    "Dense": _DenseSettings,
    "Normalize": _NormalizeSettings,
    "LayerNorm": _LayerNormSettings,
    "Dropout": _DropoutSettings,
    MIXING: _MixingSettings,
}


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


def load_head(folder: Path, modules: Sequence[ModuleRow], *, width: int, dimensions: int | None) -> Head:
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
    strange = [each.kind for each in modules if each.kind not in HEAD_PARTS]
    if strange:
        raise ConfigError(
            f"The encoder {folder} has the module {strange[0]}, expected any of {', '.join(HEAD_PARTS)}.",
            hint="Use pooling mean, which leaves out all modules after the mean, or another encoder.",
        )
    check_head(folder, modules)
    if not modules:
        return Head(dimensions=dimensions)
    from sentence_transformers.sentence_transformer import modules as classes

    parts: list[nn.Module] = []
    features = {"sentence_embedding": torch.zeros(1, width)}
    for each in modules:
        with guarded(f"The {each.kind} in {folder / each.path} cannot be used", _AGAIN):
            part = getattr(classes, each.kind).load(str(folder), subfolder=each.path, local_files_only=True)
            # Errors of a width that does not fit the module before name the module.
            features = part.float().eval()(features)
        parts.append(part)
    return Head(parts, dimensions)


def check_head(folder: Path, modules: Sequence[ModuleRow]) -> None:
    """Check the files of modules before sentence-transformers reads them.

    Args:
        folder: Folder of sentence-transformers.
        modules: Rows of the table of modules, each of a class in `HEAD_PARTS`, or `MIXING`.

    Raises:
        ConfigError: If the folder belongs to another kind of model, of which sentence-transformers takes the mean, or
            an activation function is not one of PyTorch.
        DataError: If settings or weights are damaged or do not fit each other, or weights are not finite, or pickled.
    """
    kind = read_model_settings(folder).model_type
    if kind != SENTENCE_MODEL and (folder / "modules.json").is_file():
        raise ConfigError(
            f"{folder / SETTINGS} belongs to a {kind}, expected a SentenceTransformer.",
            hint="Use pooling mean, which takes the mean of its tokens, or another encoder.",
        )
    for each in modules:
        place = folder / each.path
        settings = checked_settings(_HEAD_SETTINGS[each.kind], place / "config.json")
        activation = getattr(settings, "activation_function", "torch.nn.Tanh")
        if not _ACTIVATION.fullmatch(activation):
            raise ConfigError(
                f"{place / 'config.json'} names the activation function {activation!r:.80}, "
                "which is not one of PyTorch's.",
                hint="Code that comes with an encoder is never run. Use another encoder.",
            )
        expected = settings.shapes()
        if expected and (place / _WEIGHTS).is_file():
            found = {name: tuple(tensor.shape) for name, tensor in read_weights(place / _WEIGHTS).items()}
            for name, shape in expected.items():
                if found.get(name) != shape:
                    there = f"shape {found[name]}" if name in found else "no such tensor"
                    raise DataError(
                        f"{place / 'config.json'} describes {name} of shape {shape}, "
                        f"but {place / _WEIGHTS} has {there}.",
                        hint=_AGAIN,
                    )
        elif (place / "pytorch_model.bin").is_file():
            raise ConfigError(
                f"{place} contains pickled weights only, which can run code when read.",
                hint="Convert it once where you trust it: load with sentence-transformers, then save(folder).",
            )


@dataclass(frozen=True)
class _PoolingSettings:
    embedding_dimension: int
    pooling_mode: str | list[str] = "mean"
    include_prompt: bool = True
    pooling_mode_cls_token: bool = False
    pooling_mode_max_tokens: bool = False
    pooling_mode_mean_tokens: bool = True
    pooling_mode_mean_sqrt_len_tokens: bool = False
    pooling_mode_weightedmean_tokens: bool = False
    pooling_mode_lasttoken: bool = False


def check_pooling(place: Path) -> None:
    """Check the settings of the module that makes one vector of those of the tokens.

    Raises:
        DataError: If they are damaged.
    """
    checked_settings(_PoolingSettings, place / "config.json", {"word_embedding_dimension": "embedding_dimension"})


@dataclass(frozen=True)
class _Modality:
    method: Literal["forward"] = "forward"
    method_output_name: Any = None
    format: Any = None


@dataclass(frozen=True)
class _TransformerSettings:
    max_seq_length: int | None = None
    do_lower_case: bool = False
    transformer_task: Literal["feature-extraction"] = "feature-extraction"
    tokenizer_name_or_path: None = None
    modality_config: dict[str, _Modality | dict[str, Any]] | None = None
    module_output_name: str | None = None
    model_args: dict[str, Any] | None = None
    model_kwargs: dict[str, Any] | None = None
    tokenizer_args: dict[str, Any] | None = None
    processor_kwargs: dict[str, Any] | None = None
    config_args: dict[str, Any] | None = None
    config_kwargs: dict[str, Any] | None = None
    processing_kwargs: dict[str, Any] | None = None


def check_transformer(place: Path) -> None:
    """Check the settings with which sentence-transformers loads a language model.

    Raises:
        ConfigError: If they name files from elsewhere, or arguments that lexenc does not know.
        DataError: If they are damaged.
    """
    for path in sorted(place.glob("sentence_*_config.json")):
        settings: _TransformerSettings = checked_settings(_TransformerSettings, path)
        if settings.max_seq_length is not None and settings.max_seq_length < 1:
            raise DataError(f"{path}: max_seq_length is {settings.max_seq_length}.", hint="Use at least 16.")
        for name, values in vars(settings).items():
            known = _ARGUMENTS if name.endswith(("_args", "_kwargs")) else None
            strange = sorted(set(values or ()) - known) if known is not None else []
            if strange:
                raise ConfigError(
                    f"{path} has the argument {strange[0]!r:.80} in {name}, which lexenc does not know.",
                    hint="Remove it, or use another encoder.",
                )
        text = (settings.modality_config or {}).get("text", _Modality())
        if not isinstance(text, _Modality):
            raise ConfigError(f"{path} calls a method for text that is not forward.", hint="Use another encoder.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file, all of which have to be finite.

    Raises:
        DataError: If the file is damaged, or a number is NaN or infinite.
    """
    tensors: dict[str, Tensor] = read_tensors_of(path, "pt", hint=_AGAIN)[0]
    for name, each in tensors.items():
        if each.is_floating_point() and not torch.isfinite(each.float()).all():
            raise DataError(
                f"The tensor '{name}' of {path} has numbers that are not finite.",
                hint="The training that made it failed. Use another encoder.",
            )
    return tensors
