"""Transformer encoders of Hugging Face and sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tokenizers import Tokenizer
from torch import Tensor, nn

from lexenc.device import CPU, Device
from lexenc.encoders.base import (
    OWN,
    Languages,
    Layers,
    Pooling,
    Tokens,
    check_no_languages,
    printable,
    unknown_language,
    unsavable,
)
from lexenc.encoders.folder import (
    COPY,
    HEAD_PARTS,
    MIXING,
    SENTENCE_MODEL,
    ModelSettings,
    ModuleRow,
    check_files,
    forward_pass,
    read_model_settings,
    read_modules,
    saving,
    splitting,
)
from lexenc.encoders.heads import Head, check_head, check_pooling, check_transformer
from lexenc.encoders.languages import (
    add_language_rows,
    language_rows,
    no_language_rows,
    read_languages,
)
from lexenc.encoders.packing import Backbone, Layer, Packed, PackedBackbone, RectangularBackbone, Weights, pack
from lexenc.encoders.pretrained import (
    WEIGHTS,
    encoder_part,
    has_decoder,
    loading,
    longest_input,
    position_offset,
    quiet_transformers,
    refuse_missing,
    takes_types,
)
from lexenc.encoders.subwords import Offsets, WordTokenizer, offset_tokens, uncut_tokenizer
from lexenc.errors import ConfigError, DataError
from lexenc.randomness import torch_generator
from lexenc.structured import spelled


class TokenPairs(NamedTuple):
    """Pairs of texts, each as one input.

    Args:
        tokens: Token ids, special tokens included, truncated.
        types: Token type ids. None for a model that takes none.
        truncated: Number of pairs that were too long. The longer text of a pair loses its tokens first.
    """

    tokens: list[list[int]]
    types: list[np.ndarray] | None
    truncated: int


class TransformerEncoder:
    """A language model, its pooling and the modules after the pooling.

    Args:
        module: Modules of sentence-transformers: Transformer, Pooling, then any of Dense, Normalize, ...
        device: Device and precision of the computation. Parameters stay in float32.
        max_length: Longest text in tokens, special tokens included. None for the limit of the model.

    Attributes:
        languages: Names of the languages of which it has a vector.
        language_number: 1 + the place of `language` in `languages`; 0 for none.
        longest: Longest input in tokens, special tokens included; `UNLIMITED` for a model without a limit.
        side_by_side: Whether `embed` is faster in several threads at once.
        partial: Whether it is the encoder of a model of which sentence-transformers always loads the decoder too, so
            that it cannot be saved as a folder of its own.

    Raises:
        ConfigError: If there are other modules, or `max_length` is too small.
    """

    kind = "transformer"
    partial = False

    def __init__(self, module: SentenceTransformer, *, device: Device = CPU, max_length: int | None = None) -> None:
        _check_parts([type(part).__name__ for part in module])
        self.module: nn.Module = module
        self._modules: list[Any] = list(module)
        self._model: Any = self._modules[0].auto_model
        self._mixed = _mixed_layers(self._modules[1], self._model)
        self._pooling, *parts = self._modules[2 if self._mixed else 1 :]
        self._head = Head(parts, module.truncate_dim)
        self._name: str = self._model.config.name_or_path
        limits = (max_length, self._modules[0].max_seq_length, longest_input(self._model))
        self.longest = int(min(limit for limit in limits if limit is not None))
        if self.longest < 3:
            raise ConfigError(
                f"The longest input must be at least 3 tokens, got {self.longest}.", hint="Use 16 or more."
            )
        # Saved with the encoder, so that sentence-transformers truncates texts at the same place.
        self._modules[0].max_seq_length = self.longest
        self.tokenizer: Any = self._modules[0].tokenizer
        typed = self._takes_types = takes_types(self._model, self.tokenizer)
        if isinstance(getattr(self.tokenizer, "backend_tokenizer", None), Tokenizer):
            fast = uncut_tokenizer(self.tokenizer)
            fast.enable_truncation(self.longest, direction=self.tokenizer.truncation_side)
            self.tokenizer = fast
        frame = WordTokenizer(self.tokenizer).single if typed else None
        types = None if frame is None else lambda length: frame.types(length - frame.size)
        self._prompt: str = module.prompts.get(module.default_prompt_name) or ""
        self._prompt_length = 0
        if self._prompt and not self._pooling.include_prompt:
            prompt = self.tokenise([""])[0]
            # As sentence-transformers counts, without a special token at the end.
            special = bool(prompt) and prompt[-1] in self._modules[0].tokenizer.all_special_ids
            self._prompt_length = len(prompt) - int(special)
        self.module.float().eval()
        self._typed = frame is not None and any(frame.types(1))
        self.languages, self.language_number = read_languages(self._model), 0
        packed = None if self._typed else _packed_backbone(self._model)
        if packed is not None:
            packed.weights = Weights(device.dtype)
        self._backbone: Backbone = packed or RectangularBackbone(self._model, device.dtype, types)
        self._device = device.torch
        self.module.to(self._device)
        self.side_by_side = self._device.type == "cpu" and packed is not None
        self.dimensions = int(self.embed(self.tokenise(["a"])).shape[1])

    @classmethod
    def load_folder(
        cls, folder: Path, *, pooling: Pooling = "auto", device: Device = CPU, max_length: int | None = None
    ) -> TransformerEncoder:
        """Load an encoder from a folder. Code that comes with a model is never run, pickled weights are never read.

        Args:
            folder: Folder of transformers or sentence-transformers.
            pooling: See `lexenc.encoders.load.load_encoder`.
            device: Device and precision of the computation.
            max_length: Longest text in tokens. None for the limit of the model.

        Raises:
            ConfigError: If the encoder cannot be used.
            DataError: If its weights are not those of the model that the folder describes.
        """
        has_modules = (folder / "modules.json").is_file()
        if pooling == "model" and (folder / "config.json").is_file() and not has_modules:
            raise ConfigError(
                f"The encoder {folder} is a plain language model, without pooling of its own.", hint="Use pooling mean."
            )
        rows, settings = _checked_rows(folder, pooling), read_model_settings(folder)
        with spelled(folder) as place, loading(folder) as found:
            if rows and settings.model_type == SENTENCE_MODEL:
                module = _assembled(place, rows, settings)
            else:
                module = SentenceTransformer(
                    str(place),
                    device="cpu",
                    trust_remote_code=False,
                    local_files_only=True,
                    model_kwargs=dict(WEIGHTS),
                )
            loaded = encoder_part(folder, found) if found else None
        partial = bool(found) and has_decoder(module[0].auto_model)
        if partial and pooling in OWN and has_modules:
            raise ConfigError(
                f"The encoder {folder} takes its vectors from the decoder of an encoder-decoder model.",
                hint="Use pooling mean, which takes them from the encoder, or another encoder.",
            )
        if loaded:
            refuse_missing(folder, loaded.missing, loaded.model)
            module[0].model = loaded.model
        if pooling not in OWN or not has_modules:
            # A text is encoded as it is, not as a message in the chat template of the tokenizer.
            getattr(module[0], "modality_config", {}).pop("message", None)
        if pooling not in OWN:
            module = SentenceTransformer(
                modules=[module[0], *_pooling_parts(pooling, module[0])],
                device="cpu",
                prompts=module.prompts,
                default_prompt_name=module.default_prompt_name,
            )
        encoder = cls(module, device=device, max_length=max_length)
        encoder.partial = partial
        return encoder

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of texts, special tokens included, truncated. The default prompt precedes each text."""
        texts = [self._prompt + printable(text) for text in texts]
        with splitting():
            if isinstance(self.tokenizer, Tokenizer):
                return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]
            if not texts:
                return []
            cut = self.tokenizer(texts, truncation=True, max_length=self.longest)
        return cast(list[list[int]], cut["input_ids"])

    def tokenise_with_offsets(self, texts: Sequence[str]) -> list[tuple[list[int], Offsets]]:
        """Return the token ids of texts, the same as `tokenise`, and the characters that each token stands for.

        Returns:
            For each text its ids and their places in it, shape [t, 2]; see `lexenc.encoders.subwords.offset_tokens`.

        Raises:
            ConfigError: If the tokenizer does not report places.
        """
        if not isinstance(self.tokenizer, Tokenizer):
            uncut_tokenizer(self.tokenizer)
        return offset_tokens(self.tokenizer, texts, prompt=self._prompt)

    def tokenise_pairs(self, pairs: Sequence[tuple[str, str]]) -> TokenPairs:
        """Join two texts to one input, as the tokenizer joins pairs. The default prompt precedes the first text.

        Raises:
            ConfigError: If the tokenizer puts nothing between two texts, or is a slow one.
        """
        if not WordTokenizer(self.tokenizer).pair.between:
            raise ConfigError(
                f"The tokenizer of the encoder {self._name} joins two sentences without a mark between them.",
                hint="Use another encoder, or one vector for each sentence.",
            )
        with splitting():
            found = self.tokenizer.encode_batch_fast(
                [(self._prompt + printable(one), printable(other)) for one, other in pairs]
            )
        types = [np.array(each.type_ids) for each in found] if self._takes_types else None
        return TokenPairs([each.ids for each in found], types, sum(bool(each.overflowing) for each in found))

    def embed(self, tokens: Tokens, languages: Languages | None = None) -> Tensor:
        """Return the vectors of texts, computed in one packed pass without padding. Differentiable.

        Args:
            tokens: Token ids as `tokenise` returns them.
            languages: See `embed_with_states`.

        Returns:
            Shape [n, d], float32.
        """
        return self._pass(tokens, languages)[0]

    def embed_pairs(self, tokens: Tokens, types: Sequence[np.ndarray] | None = None) -> Tensor:
        """Return one vector of each pair of texts. Differentiable.

        Args:
            tokens: Token ids as `tokenise_pairs` returns them.
            types: Their token type ids.

        Returns:
            Shape [n, d], float32, pooled like a single text.
        """
        return self._pass(tokens, None, types)[0]

    def embed_with_states(self, tokens: Tokens, languages: Languages | None = None) -> tuple[Tensor, Tensor]:
        """Return the vectors of texts and the states of their tokens after the last layer, from one packed pass.

        Args:
            tokens: Token ids as `tokenise` returns them.
            languages: One number per text, or an array of one per token: 0 for no language, otherwise 1 + its place in
                `languages` of the encoder. None for `language` everywhere.

        Returns:
            Vectors of shape [n, d], those of `embed`, and states of shape [all tokens, width], special tokens included,
            the texts concatenated in the order given. Both float32 and differentiable.

        Raises:
            ConfigError: If the encoder has no such language.
        """
        vectors, states = self._pass(tokens, languages)
        return vectors, self._in_order(states, tokens)

    def _pass(
        self, tokens: Tokens, languages: Languages | None, types: Sequence[np.ndarray] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the vectors of texts in their order, and the states of packed tokens."""
        if not len(tokens):
            return torch.zeros(0, self.dimensions, device=self._device), self._nothing()
        packed = pack(tokens, self._device, self._types(tokens, languages) if types is None else types)
        with forward_pass(self._name):
            if not len(packed.tokens):
                pooled = states = self._nothing()
            elif not self._mixed:
                pooled = states = self._backbone(packed)[0].float()
            else:
                states, *layers = (each.float() for each in self._backbone(packed, [None, *self._mixed]))
                parts = [share * each for share, each in zip(self._mixed.values(), layers, strict=True)]
                pooled = torch.stack(parts).sum(0)
            return self._head(self._pool(pooled, packed))[packed.inverse].float(), states

    def _types(self, tokens: Tokens, languages: Languages | None) -> list[np.ndarray] | None:
        """Return the token type ids of texts in some languages; None if no text has one."""
        if languages is None and self.language_number:
            languages = [self.language_number] * len(tokens)
        if languages is None or not any(np.any(each) for each in languages):
            return None
        if not self.languages:
            check_no_languages(languages)
        rows = language_rows(self._model, self.languages)
        found = []
        for size, each in zip(map(len, tokens), languages, strict=True):
            numbers = np.broadcast_to(np.asarray(each), size)
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(rows):
                raise ConfigError(
                    f"The encoder has {len(rows) - 1} languages, but a text has the language number {numbers.max()}.",
                    hint="Add languages to the encoder, or leave the language out.",
                )
            found.append(rows[numbers])
        return found

    @property
    def language(self) -> str | None:
        """The language of all texts whose language is not given. Can be set."""
        return self.languages[self.language_number - 1] if self.language_number else None

    @language.setter
    def language(self, name: str | None) -> None:
        if name is not None and name not in self.languages:
            raise unknown_language(self._name, name, self.languages)
        self.language_number = 0 if name is None else 1 + self.languages.index(name)

    def add_languages(self, names: Sequence[str], *, seed: int = 0) -> None:
        """Give the encoder a vector for each of some languages, which is added to the input of every token.

        Source: Lample and Conneau 2019, "Cross-lingual Language Model Pretraining", section 3.1. Here the vectors are
        rows of the token type embedding, so that other libraries open the encoder. They use row 0, no language.

        Args:
            names: Their names, which are saved with the encoder. They follow those that it has.
            seed: Seed of the new vectors, which are those of no language plus noise of deviation 0.02.

        Raises:
            ConfigError: If a name is empty or there twice, or the model has no token type embedding.
        """
        if self._typed:
            raise no_language_rows(self._name)
        add_language_rows(self._model, [*self.languages, *names], torch_generator(seed, "languages"))
        self.languages = read_languages(self._model)

    def _in_order(self, states: Tensor, tokens: Tokens) -> Tensor:
        """Return the states of packed tokens in the order of the texts. Shape [tokens, width] in and out."""
        lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
        if (np.diff(lengths) >= 0).all():
            return states
        order = np.argsort(lengths, kind="stable")
        rows = np.argsort(np.repeat(order, lengths[order]), kind="stable")
        return states[torch.from_numpy(rows).to(self._device)]

    def reference(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts one by one with sentence-transformers. Shape [n, d], float32."""
        # One text needs no padding, and some tokenizers have no token for it.
        settings = {"batch_size": 1, "show_progress_bar": False, "processing_kwargs": {"text": {"padding": False}}}
        backend = getattr(self._modules[0].tokenizer, "backend_tokenizer", None)
        before = backend.truncation if isinstance(backend, Tokenizer) else None
        vectors = cast(np.ndarray, cast(SentenceTransformer, self.module).encode(list(texts), **settings))
        if isinstance(backend, Tokenizer):  # the call has set truncation, which would be saved with the encoder
            backend.no_truncation() if before is None else backend.enable_truncation(**before)
        return vectors

    def states(self, tokens: Tokens, layer: Layers | None = None, languages: Languages | None = None) -> Tensor:
        """Return the states of all tokens after a layer, or after all, computed in one packed pass; without pooling.

        Args:
            tokens: Token ids, special tokens included. No text is longer than `longest`.
            layer: From 0, the input of the first layer, to `layers`, the output of the last; None for the last. Several
                are concatenated. `mean` for the mean of all of them, `concat` for all concatenated.
            languages: See `embed_with_states`.

        Returns:
            Shape [all tokens, width], float32, the texts concatenated; wider for several layers.
        """
        packed = pack(tokens, self._device, self._types(tokens, languages))
        if not len(packed.tokens):
            return self._nothing()
        every = range(self.layers + 1) if isinstance(layer, str) else layer if isinstance(layer, tuple) else [layer]
        with forward_pass(self._name):
            wanted = [None if each == self.layers else each for each in every]
            found = [each.float() for each in self._backbone(packed, wanted)]
            states = torch.stack(found).mean(0) if layer == "mean" else torch.cat(found, dim=1)
        return self._in_order(states, tokens)

    def _nothing(self) -> Tensor:
        """Return the states of no tokens."""
        return torch.zeros(0, self.width, device=self._device)

    def _pool(self, states: Tensor, packed: Packed) -> Tensor:
        """Return one row per text, shortest text first. Shape [n, width]."""
        pooling = self._pooling
        blocks = []
        for group, part in zip(packed.groups, packed.split(states), strict=True):
            block = part.view(group.texts, group.length, states.shape[-1])
            if not group.length:
                width = pooling.pooling_output_dimension
                blocks.append(states.new_zeros(group.texts, width))  # some tokenizers return no tokens at all for ""
            elif pooling.get_config_dict().get("pooling_mode") == "mean" and not self._prompt_length:
                blocks.append(block.mean(1))
            else:
                features = {"token_embeddings": block, "attention_mask": block.new_ones(block.shape[:2]).long()}
                if self._prompt_length:
                    features["prompt_length"] = torch.tensor([self._prompt_length])
                blocks.append(pooling(features)["sentence_embedding"])
        return torch.cat(blocks)

    @property
    def packed(self) -> PackedBackbone | None:
        """The layers that compute texts of mixed length without padding; None if the architecture is unknown."""
        return self._backbone if isinstance(self._backbone, PackedBackbone) else None

    @property
    def layers(self) -> int:
        """Number of layers."""
        return int(self._model.config.num_hidden_layers)

    @property
    def width(self) -> int:
        """Length of a state."""
        return int(self._model.config.hidden_size)

    def save(self, folder: Path) -> None:
        """Write a folder that `SentenceTransformer(str(folder))` loads and that encodes the same; safetensors.

        Raises:
            ConfigError: If the encoder is `partial`.
        """
        if self.partial:
            raise unsavable(self._name)
        with saving(folder) as place, quiet_transformers():
            cast(SentenceTransformer, self.module).save(str(place), create_model_card=False)

    def check_linear(self) -> None:
        """Check that the vector of a text is a weighted mean of the states of the last layer, perhaps of length 1.

        Raises:
            ConfigError: If layers are mixed, the pooling is no mean, or other modules follow it.
        """
        parts = [type(each).__name__ for each in self._head.parts]
        strange = [each for each in parts if each not in ("Normalize", "Dropout")]
        strange += [MIXING] if self._mixed else []
        strange += [] if self._head.dimensions is None else ["truncate_dim"]
        mode = self._pooling.get_config_dict().get("pooling_mode")
        strange += [] if mode in _MEANS else [f"pooling {mode}"]
        if strange:
            raise ConfigError(
                f"The vectors of texts of the encoder {self._name} are no means of the states of its last layer: it "
                f"has {', '.join(strange)}.",
                hint="Use --pooling mean, which takes only its language model.",
            )

    def save_projected(self, folder: Path, matrix: np.ndarray) -> None:
        """Write a folder whose texts have the vectors of this encoder times a matrix, by a `Dense` after the pooling.

        Args:
            folder: As in `save`.
            matrix: Shape [width, k], float32.

        Raises:
            ConfigError: As `save` and `check_linear`.
        """
        self.check_linear()
        if self.partial:
            raise unsavable(self._name)
        model = cast(SentenceTransformer, self.module)
        dense = modules.Dense(*matrix.shape, bias=False, activation_function=nn.Identity())
        dense.linear.weight.data = torch.from_numpy(np.ascontiguousarray(matrix.T, dtype=np.float32))
        projected = SentenceTransformer(
            modules=[*self._modules[:2], dense, *self._modules[2:]],
            device=str(self._device),
            prompts=model.prompts,
            default_prompt_name=model.default_prompt_name,
            similarity_fn_name=model.similarity_fn_name,
        )
        with saving(folder) as place, quiet_transformers():
            projected.save(str(place), create_model_card=False)


def _check_parts(kinds: Sequence[str], *, whole: bool = True) -> None:
    """Check the modules of an encoder, or only the first of them.

    Raises:
        ConfigError: If there are other modules than lexenc knows.
    """
    if not whole and kinds[:1] != ["Transformer"]:
        raise ConfigError(f"The encoder begins with {kinds[0]}, expected a Transformer.", hint="Use another encoder.")
    plain = [kind for place, kind in enumerate(kinds) if (place, kind) != (1, MIXING)]
    if whole and (plain[:2] != ["Transformer", "Pooling"] or any(each not in HEAD_PARTS for each in plain[2:])):
        raise ConfigError(
            f"The encoder is made of {', '.join(kinds)}, "
            f"expected Transformer, Pooling and then any of {', '.join(HEAD_PARTS)}.",
            hint="Use pooling mean, which keeps only the language model, or another encoder.",
        )


def _checked_rows(folder: Path, pooling: Pooling) -> list[ModuleRow]:
    """Return the rows of the table of modules that are used, after checking their classes and settings."""
    check_files(folder)
    rows, table = read_modules(folder), folder / "modules.json"
    if not rows and table.is_file():
        raise DataError(f"{table} names no module.", hint=COPY)
    if rows and pooling not in OWN:
        rows = rows[:1]
    if rows:
        _check_parts([each.kind for each in rows], whole=pooling in OWN)
        check_transformer(folder / rows[0].path)
    for each in rows[1:]:
        if each.kind == "Pooling":
            check_pooling(folder / each.path)
    if pooling in OWN:
        check_head(folder, [each for each in rows[1:] if each.kind != "Pooling"])
    return rows


def _pooling_parts(pooling: Pooling, transformer: Any) -> list[nn.Module]:
    """Return the modules of a pooling that replaces those of an encoder. Their settings are saved with the encoder."""
    width, config = transformer.get_embedding_dimension(), transformer.auto_model.config
    config.output_hidden_states = pooling == "first-last"
    if pooling != "first-last":
        return [modules.Pooling(width, pooling)]
    weights = torch.zeros(config.num_hidden_layers)
    weights[0] += 1
    weights[-1] += 1
    mixing = modules.WeightedLayerPooling(width, len(weights), layer_start=1, layer_weights=nn.Parameter(weights))
    return [mixing, modules.Pooling(width, "mean")]


def _mixed_layers(mixing: Any, model: Any) -> dict[int, float]:
    """Return the layers whose states are averaged before the pooling, with their shares; none for only the last.

    The shares are not trained.
    """
    if type(mixing).__name__ != MIXING:
        return {}
    first, layers = mixing.layer_start, model.config.num_hidden_layers
    weights = mixing.layer_weights.requires_grad_(False)
    if first < 0 or first + len(weights) != layers + 1 or not float(weights.sum()):
        raise DataError(
            f"The {MIXING} of the encoder weights {len(weights)} layers from layer {first} on by {weights.tolist()}, "
            f"but there are {layers} layers.",
            hint="Use pooling mean, which takes the last layer, or another encoder.",
        )
    if not model.config.output_hidden_states:
        raise ConfigError(
            f"The encoder has a {MIXING}, but its config.json does not ask for the states of all layers.",
            hint='Write "output_hidden_states": true into its config.json, or use pooling mean.',
        )
    shares = (weights / weights.sum()).tolist()
    return {first + place: share for place, share in enumerate(shares) if share}


def _assembled(folder: Path, rows: Sequence[ModuleRow], settings: ModelSettings) -> SentenceTransformer:
    """Load the modules of a folder whose classes are known, as `SentenceTransformer(folder)` would."""
    how = {"local_files_only": True, "trust_remote_code": False, "model_kwargs": dict(WEIGHTS)}
    parts = [getattr(modules, each.kind).load(str(folder), subfolder=each.path, **how) for each in rows]
    known = SentenceTransformer.SUPPORTED_SIMILARITY_FN_NAMES
    return SentenceTransformer(
        modules=parts,
        device="cpu",
        prompts=settings.prompts,
        default_prompt_name=settings.default_prompt_name,
        similarity_fn_name=settings.similarity_fn_name if settings.similarity_fn_name in known else None,
        truncate_dim=settings.truncate_dim,
    )


def _packed_backbone(model: Any) -> PackedBackbone | None:
    """Return the packed form of a model; None if the architecture is unknown or its results differ."""
    kind = getattr(model.config, "model_type", "")
    if kind not in _LAYERS or getattr(model.config, "is_decoder", False):
        return None
    place, parts = _LAYERS[kind]
    gelu = getattr(model.config, "activation" if kind == "distilbert" else "hidden_act", "") == "gelu"
    try:
        backbone = PackedBackbone(
            embed=partial(_embed, model),
            layers=[
                Layer(gelu=gelu, **{name: attrgetter(path)(layer) for name, path in parts.items()})
                for layer in attrgetter(place)(model)
            ],
            heads=model.config.num_attention_heads,
            offset=position_offset(model),
            bias=partial(_relative_positions, model) if kind == "mpnet" else None,
            weights=Weights(torch.float32),
        )
        return backbone if _agree(backbone, RectangularBackbone(model, torch.float32), model) else None
    except (AttributeError, TypeError, RuntimeError):
        return None  # a variant that another release of transformers builds differently


def _agree(first: Backbone, second: Backbone, model: Any) -> bool:
    """Return whether two ways to compute a model have the same result for a few random texts."""
    config, longest = model.config, longest_input(model)
    numbers = [number for number in range(min(config.vocab_size, 40)) if number != config.pad_token_id]
    lengths = [min(length, longest) for length in (3, 1, 5, 3, 30)]
    texts = [[numbers[(7 * i + j) % len(numbers)] for j in range(length)] for i, length in enumerate(lengths)]
    with torch.inference_mode():
        packed = pack(texts, torch.device("cpu"))
        (one,), (other,) = first(packed), second(packed)
        return bool(torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().mean())))


def _embed(model: Any, tokens: Tensor, positions: Tensor, types: Tensor | None) -> Tensor:
    """Return the input of the first layer."""
    given = {} if types is None else {"token_type_ids": types}
    states = model.embeddings(input_ids=tokens, position_ids=positions, **given)
    project = getattr(model, "embeddings_project", None)
    return cast(Tensor, states if project is None else project(states))


def _relative_positions(model: Any, length: int) -> Tensor:
    """Return MPNet's table of relative positions."""
    states = model.embeddings.word_embeddings.weight.new_empty(1, length, 1)
    return cast(Tensor, model.encoder.compute_position_bias(states))


# Poolings that are weighted means of the tokens.
_MEANS = ("mean", "cls", "weightedmean", "lasttoken", "mean_sqrt_len_tokens")
_BERT = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "output_norm": "output.LayerNorm",
    "activation": "intermediate.intermediate_act_fn",
    "attention_dropout": "attention.self.dropout.p",
    "output_dropout": "attention.output.dropout.p",
    "outer_dropout": "output.dropout.p",
}
_MPNET = _BERT | {
    "query": "attention.attn.q",
    "key": "attention.attn.k",
    "value": "attention.attn.v",
    "output": "attention.attn.o",
    "attention_norm": "attention.LayerNorm",
    "attention_dropout": "attention.attn.dropout.p",
    "output_dropout": "attention.dropout.p",
}
_DISTILBERT = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "output": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "inner": "ffn.lin1",
    "outer": "ffn.lin2",
    "output_norm": "output_layer_norm",
    "activation": "ffn.activation",
    "attention_dropout": "attention.dropout.p",
    "outer_dropout": "ffn.dropout.p",
}
# Where the layers of a model are, and where in a layer its parts are.
_LAYERS = {
    "bert": ("encoder.layer", _BERT),
    "camembert": ("encoder.layer", _BERT),
    "distilbert": ("transformer.layer", _DISTILBERT),
    "electra": ("encoder.layer", _BERT),
    "mpnet": ("encoder.layer", _MPNET),
    "roberta": ("encoder.layer", _BERT),
    "xlm-roberta": ("encoder.layer", _BERT),
}
