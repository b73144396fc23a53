"""The built-in kinds of encoders. What needs PyTorch or transformers is imported when it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.device import Device
from lexenc.encoders.base import OWN, EncoderKind, Layers, Pooling, Unit, WordEncoder
from lexenc.encoders.folder import ELMO_TYPE, PROJECTION, read_modules, read_settings, static_modules
from lexenc.errors import ConfigError
from lexenc.randomness import torch_generator

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from lexenc.encoders.elmo import ElmoEncoder, ElmoSettings
    from lexenc.encoders.projected import ProjectedEncoder
    from lexenc.encoders.static import StaticEncoder
    from lexenc.encoders.transformer import TransformerEncoder
    from lexenc.encoders.word_vectors import ElmoWords, StaticWords, TransformerWords


class _StaticKind:
    """Encoders with one vector per subword (`StaticEmbedding` of sentence-transformers)."""

    learning_rate = 1e-3  # AdamW moves a weight by about this much; the vectors are large, and each occurs in few pairs
    special_tokens = False
    language_model = False

    def recognises(self, folder: Path) -> bool:
        return bool(static_modules(folder))

    def load(self, folder: Path, *, pooling: Pooling, device: Device, max_length: int | None) -> StaticEncoder:
        from lexenc.encoders.static import StaticEncoder

        return StaticEncoder.load(folder, pooling=pooling, device=device, max_length=max_length)

    def create(self, folder: Path, tokenizer: Tokenizer, *, dimensions: int, seed: int, **settings: Any) -> None:
        import torch

        from lexenc.encoders.static import StaticEncoder

        shape = (tokenizer.get_vocab_size(), dimensions)
        weights = torch.randn(shape, generator=torch_generator(seed, "new encoder")) * settings["deviation"]
        StaticEncoder(tokenizer, weights).save(folder)

    def faults(self, **settings: Any) -> list[ConfigError]:
        return []

    def words(self, encoder: StaticEncoder, *, layer: Layers, unit: Unit) -> StaticWords:
        from lexenc.encoders.word_vectors import StaticWords

        return StaticWords(encoder, unit)


class _ElmoKind:
    """Two stacks of LSTMs over words (ELMo)."""

    learning_rate = 1e-3
    special_tokens = True
    language_model = False
    library = "lexenc"

    def recognises(self, folder: Path) -> bool:
        return read_settings(folder / "config.json").get("model_type") == ELMO_TYPE

    def load(self, folder: Path, *, pooling: Pooling, device: Device, max_length: int | None) -> ElmoEncoder:
        from lexenc.encoders.elmo import ElmoEncoder

        return ElmoEncoder.load(folder, pooling=pooling, device=device, max_length=max_length)

    def create(self, folder: Path, tokenizer: Tokenizer, *, dimensions: int, seed: int, **settings: Any) -> None:
        from lexenc.encoders.elmo import new_elmo

        new_elmo(tokenizer, _elmo_settings(dimensions, settings), seed=seed).save(folder)

    def faults(self, **settings: Any) -> list[ConfigError]:
        if settings["dimensions"] % 2 == 0:
            return []
        odd = settings["dimensions"]
        return [
            ConfigError(
                f"--dimensions {odd} is odd, but a vector has a half for each direction.", hint=f"Use {odd + 1}."
            )
        ]

    def words(self, encoder: ElmoEncoder, *, layer: Layers, unit: Unit) -> ElmoWords:
        from lexenc.encoders.word_vectors import ElmoWords

        return ElmoWords(encoder, layer, unit)


def _elmo_settings(dimensions: int, settings: dict[str, Any]) -> ElmoSettings:
    from lexenc.encoders.elmo import ElmoSettings

    return ElmoSettings(dimensions // 2, settings["layers"], max_length=settings["max_length"])


class _TransformerKind:
    """Language models of transformers, with the pooling of sentence-transformers."""

    learning_rate = 2e-5  # the weights are small, and all texts share them
    special_tokens = True
    language_model = True

    def recognises(self, folder: Path) -> bool:
        modules = read_modules(folder)
        return modules[0].kind == "Transformer" if modules else (folder / "config.json").is_file()

    def load(self, folder: Path, *, pooling: Pooling, device: Device, max_length: int | None) -> TransformerEncoder:
        from lexenc.encoders.transformer import TransformerEncoder

        return TransformerEncoder.load_folder(folder, pooling=pooling, device=device, max_length=max_length)

    def create(self, folder: Path, tokenizer: Tokenizer, *, dimensions: int, seed: int, **settings: Any) -> None:
        from lexenc.encoders.fresh import save_new_transformer

        shape = {name: settings[name] for name in ("layers", "heads", "max_length")}
        save_new_transformer(folder, tokenizer, dimensions=dimensions, seed=seed, **shape)

    def faults(self, **settings: Any) -> list[ConfigError]:
        dimensions, heads = settings["dimensions"], settings["heads"]
        if dimensions % heads == 0:
            return []
        return [
            ConfigError(
                f"--dimensions {dimensions} is not a multiple of --heads {heads}.",
                hint=f"Use --heads {max(each for each in range(1, heads + 1) if dimensions % each == 0)}.",
            )
        ]

    def words(self, encoder: TransformerEncoder, *, layer: Layers, unit: Unit) -> TransformerWords:
        from lexenc.encoders.word_vectors import TransformerWords

        return TransformerWords(encoder, layer, unit)


class _ProjectedKind:
    """Encoders whose layers are mapped into the space of another one (`lexenc project`)."""

    learning_rate = 2e-5
    special_tokens = True
    language_model = False

    def recognises(self, folder: Path) -> bool:
        return (folder / PROJECTION).is_file()

    def load(self, folder: Path, *, pooling: Pooling, device: Device, max_length: int | None) -> ProjectedEncoder:
        from lexenc.encoders.projected import ProjectedEncoder, read_maps

        if pooling not in OWN:
            raise ConfigError(
                f"The encoder {folder} is projected, so pooling {pooling} does not fit it.",
                hint=f"Use pooling auto. To have another pooling, project again: lexenc project --pooling {pooling}",
            )
        maps, kind = read_maps(folder), ELMO if ELMO.recognises(folder) else TRANSFORMER
        inner: Any = kind.load(folder, pooling=pooling, device=device, max_length=max_length)
        return ProjectedEncoder(inner, maps, folder)

    def create(self, folder: Path, tokenizer: Tokenizer, *, dimensions: int, seed: int, **settings: Any) -> None:
        raise ConfigError("A projected encoder is made from another one.", hint="See: lexenc project --help")

    def faults(self, **settings: Any) -> list[ConfigError]:
        return []

    def words(self, encoder: ProjectedEncoder, *, layer: Layers, unit: Unit) -> WordEncoder:
        inner: Any = encoder.inner
        kind = ELMO if inner.kind == "elmo" else TRANSFORMER
        return encoder.words(lambda number: kind.words(inner, layer=number, unit=unit), layer)


STATIC: EncoderKind = _StaticKind()
ELMO: EncoderKind = _ElmoKind()
TRANSFORMER: EncoderKind = _TransformerKind()
PROJECTED: EncoderKind = _ProjectedKind()
