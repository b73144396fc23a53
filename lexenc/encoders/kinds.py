"""The built-in kinds of encoders. What needs PyTorch or transformers is imported when it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.device import Device
from lexenc.encoders.base import EncoderKind, Pooling, Unit, read_modules
from lexenc.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from lexenc.encoders.static import StaticEncoder
    from lexenc.encoders.transformer import TransformerEncoder
    from lexenc.encoders.word_vectors import StaticWords, TransformerWords


class StaticKind:
    """Encoders with one vector per subword (`StaticEmbedding` of sentence-transformers)."""

    learning_rate = 1e-3  # AdamW moves a weight by about this much; the vectors are large, and each occurs in few pairs
    special_tokens = False

    def recognises(self, folder: Path) -> bool:
        """Return whether the first module of a folder is a `StaticEmbedding`."""
        modules = read_modules(folder)
        return bool(modules) and modules[0].get("type", "").endswith("StaticEmbedding")

    def load(self, folder: Path, *, pooling: Pooling, device: Device, max_length: int | None) -> StaticEncoder:
        """Load an encoder; there is one way of pooling, and no longest input."""
        from lexenc.encoders.static import StaticEncoder

        return StaticEncoder.load(folder, device=device)

    def create(self, folder: Path, tokenizer: Tokenizer, *, dimensions: int, seed: int, **settings: Any) -> None:
        """Write an encoder with random vectors."""
        from lexenc.encoders.fresh import new_static

        new_static(tokenizer, dimensions=dimensions, deviation=settings["deviation"], seed=seed).save(folder)

    def faults(self, **settings: Any) -> list[ConfigError]:
        """Return no errors; all settings fit together."""
        return []

    def words(self, encoder: StaticEncoder, *, layer: int, unit: Unit) -> StaticWords:
        """Return the encoder of words; there are no layers."""
        from lexenc.encoders.word_vectors import StaticWords

        return StaticWords(encoder, unit)


class TransformerKind:
    """Language models of transformers, with the pooling of sentence-transformers."""

    learning_rate = 2e-5  # the weights are small, and all texts share them
    special_tokens = True

    def recognises(self, folder: Path) -> bool:
        """Return whether a folder contains a language model, or modules that begin with one."""
        modules = read_modules(folder)
        return modules[0].get("type", "").endswith("Transformer") if modules else (folder / "config.json").is_file()

    def load(self, folder: Path, *, pooling: Pooling, device: Device, max_length: int | None) -> TransformerEncoder:
        """Load an encoder."""
        from lexenc.encoders.transformer import TransformerEncoder

        return TransformerEncoder.load_folder(folder, pooling=pooling, device=device, max_length=max_length)

    def create(self, folder: Path, tokenizer: Tokenizer, *, dimensions: int, seed: int, **settings: Any) -> None:
        """Write a BERT with random weights."""
        from lexenc.encoders.fresh import save_new_transformer

        shape = {name: settings[name] for name in ("layers", "heads", "max_length")}
        save_new_transformer(folder, tokenizer, dimensions=dimensions, seed=seed, **shape)

    def faults(self, **settings: Any) -> list[ConfigError]:
        """Return an error if the heads do not divide the dimensions."""
        dimensions, heads = settings["dimensions"], settings["heads"]
        if dimensions % heads == 0:
            return []
        return [
            ConfigError(
                f"--dimensions {dimensions} is not a multiple of --heads {heads}.",
                hint=f"Use --heads {max(each for each in range(1, heads + 1) if dimensions % each == 0)}.",
            )
        ]

    def words(self, encoder: TransformerEncoder, *, layer: int, unit: Unit) -> TransformerWords:
        """Return the encoder of words at a layer."""
        from lexenc.encoders.word_vectors import TransformerWords

        return TransformerWords(encoder, layer, unit)


STATIC: EncoderKind = StaticKind()
TRANSFORMER: EncoderKind = TransformerKind()
