"""Encoders of Hugging Face and sentence-transformers: texts to vectors, with gradients where wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tokenizers import Tokenizer
from torch import Tensor, nn

from lexenc.device import CPU, Device
from lexenc.encoders.base import Pooling, printable
from lexenc.encoders.locate import locate_encoder
from lexenc.encoders.packing import Backbone, Layer, Packed, PackedBackbone, RectangularBackbone, Weights, pack
from lexenc.encoders.pretrained import UNLIMITED, loading, longest_input, position_offset, quiet_transformers
from lexenc.encoders.subwords import uncut_tokenizer
from lexenc.errors import ConfigError

_HEADS = ("Dense", "Normalize", "LayerNorm", "Dropout")


class TransformerEncoder:
    """A language model, its pooling and what follows the pooling.

    Args:
        module: The modules as sentence-transformers arranges them: Transformer, Pooling, then Dense, Normalize, ...
        device: Where to compute, and how precisely. Parameters stay in float32.
        max_length: Longest text in tokens, special tokens included. None takes the model's own.

    Raises:
        ConfigError: If the modules are of a kind that is not known here.
    """

    kind = "transformer"

    def __init__(self, module: SentenceTransformer, *, device: Device = CPU, max_length: int | None = None) -> None:
        names = [type(part).__name__ for part in module]
        strange = [name for name in names[2:] if name not in _HEADS]
        if names[:2] != ["Transformer", "Pooling"] or strange:
            raise ConfigError(
                f"The encoder is made of {', '.join(names)}, "
                f"expected Transformer, Pooling and then any of {', '.join(_HEADS)}.",
                hint="Use pooling mean to keep only the language model, or another encoder.",
            )
        self.module: nn.Module = module
        self._modules: list[Any] = list(module)
        self._model: Any = self._modules[0].auto_model
        self._limit = _longest(self._modules[0], self._model, max_length)
        # Saved with the encoder, so that sentence-transformers cuts texts at the same place.
        self._modules[0].max_seq_length = self._limit
        self.tokenizer: Any = self._modules[0].tokenizer
        if isinstance(getattr(self.tokenizer, "backend_tokenizer", None), Tokenizer):
            fast = uncut_tokenizer(self.tokenizer)
            fast.enable_truncation(self._limit, direction=self.tokenizer.truncation_side)
            self.tokenizer = fast
        self._prompt: str = module.prompts.get(module.default_prompt_name) or ""
        self._prompt_length = 0
        if self._prompt and not self._modules[1].include_prompt:
            self._prompt_length = _prompt_length(self.tokenise([""])[0], self._modules[0].tokenizer)
        self.module.float().eval()
        self._packed = _packed_backbone(self._model)
        self.to(device.torch, device.dtype)
        self.dimensions = int(self.embed(self.tokenise(["a"])).shape[1])

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path,
        *,
        pooling: Pooling = "auto",
        device: Device = CPU,
        max_length: int | None = None,
    ) -> TransformerEncoder:
        """Load an encoder. Code that comes with a model is never run, pickled weights are never read.

        Args:
            name_or_folder: A folder, a bundled name or a name on the Hugging Face hub.
            pooling: `mean`: mean of the last layer over all tokens, special tokens included (the definition of the
                paper, section 3). `model`: the encoder's own modules. `auto`: its own where it has any, else `mean`.
            device: Where to compute, and how precisely.
            max_length: Longest text in tokens; None takes the model's own.

        Raises:
            ConfigError: If there is no such encoder, or it cannot be used.
            WorkError: If the hub cannot be reached.
        """
        return cls.load_folder(
            locate_encoder(str(name_or_folder)).path, pooling=pooling, device=device, max_length=max_length
        )

    @classmethod
    def load_folder(
        cls,
        folder: Path,
        *,
        pooling: Pooling = "auto",
        device: Device = CPU,
        max_length: int | None = None,
    ) -> TransformerEncoder:
        """Load an encoder from a folder; arguments and errors as in `load`."""
        if pooling == "model" and (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
            raise ConfigError(
                f"The encoder {folder} is a plain language model, without pooling of its own.",
                hint="Use pooling mean.",
            )
        with loading(folder):
            module = SentenceTransformer(
                str(folder),
                device="cpu",
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True, "dtype": torch.float32},
            )
        if pooling == "mean":
            module = _with_mean_pooling(module)
        return cls(module, device=device, max_length=max_length)

    # -----------------------------------------------------------------------------------------------------------------

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of each text, special tokens included, cut at the greatest length.

        Args:
            texts: Any texts; the default prompt of the encoder is put before each.
        """
        texts = [self._prompt + printable(text) for text in texts]
        if isinstance(self.tokenizer, Tokenizer):
            return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]
        if not texts:
            return []
        cut = self.tokenizer(texts, truncation=True, max_length=self._limit)
        return cast(list[list[int]], cut["input_ids"])

    def embed(self, tokens: Sequence[Sequence[int]] | Sequence[np.ndarray]) -> Tensor:
        """Vectors of texts, in one packed pass without padding.

        Args:
            tokens: Token numbers as `tokenise` gives them; lengths may be mixed in any order.

        Returns:
            Shape [n, d], float32, in the order given. Carries gradients unless they are switched off.
        """
        if not tokens:
            return torch.zeros(0, self.dimensions, device=self._device)
        packed = pack(tokens, self._device)
        if not len(packed.tokens):
            states = torch.zeros(0, self._model.config.hidden_size, device=self._device)
        else:
            states = self._backbone(packed).float()
        features = {"sentence_embedding": self._pool(states, packed)}
        for part in self._modules[2:]:
            features = part(features)
        return features["sentence_embedding"][packed.inverse].float()

    def states(self, tokens: Sequence[Sequence[int]] | Sequence[np.ndarray], layer: int | None = None) -> Tensor:
        """States of all tokens after a layer, in one packed pass; pooling and what follows it take no part.

        Args:
            tokens: Token numbers, special tokens included; no text longer than `longest`.
            layer: From 0, before the first layer, to `layers`, after the last; None is the last.

        Returns:
            Shape [all tokens, width], float32, texts behind each other in the order given.
        """
        packed = pack(tokens, self._device)
        if not len(packed.tokens):
            return torch.zeros(0, self.width, device=self._device)
        states = self._backbone(packed, layer).float()
        lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
        if (np.diff(lengths) >= 0).all():
            return states
        order = np.argsort(lengths, kind="stable")
        rows = np.argsort(np.repeat(order, lengths[order]), kind="stable")
        return states[torch.from_numpy(rows).to(self._device)]

    def _pool(self, states: Tensor, packed: Packed) -> Tensor:
        """One row per text, shortest text first. Shape [n, width]."""
        pooling = self._modules[1]
        blocks = []
        for group, part in zip(packed.groups, packed.split(states), strict=True):
            block = part.view(group.texts, group.length, states.shape[-1])
            if not group.length:
                width = pooling.pooling_output_dimension
                blocks.append(states.new_zeros(group.texts, width))  # no tokens at all: some tokenisers add none to ""
            elif pooling.get_config_dict().get("pooling_mode") == "mean" and not self._prompt_length:
                blocks.append(block.mean(1))
            else:
                features = {"token_embeddings": block, "attention_mask": block.new_ones(block.shape[:2]).long()}
                if self._prompt_length:
                    features["prompt_length"] = torch.tensor([self._prompt_length])
                blocks.append(pooling(features)["sentence_embedding"])
        return torch.cat(blocks)

    # -----------------------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> int:
        """How many layers the language model has."""
        return int(self._model.config.num_hidden_layers)

    @property
    def width(self) -> int:
        """Length of a state."""
        return int(self._model.config.hidden_size)

    @property
    def longest(self) -> int:
        """Longest input in tokens, special tokens included."""
        return self._limit

    @property
    def side_by_side(self) -> bool:
        """Whether several threads may call `embed` at once and gain by it."""
        return self._device.type == "cpu" and self._packed is not None

    @property
    def packed(self) -> bool:
        """Whether texts of all lengths share one pass; otherwise there is one pass per length."""
        return self._packed is not None

    def parameters(self) -> Iterator[nn.Parameter]:
        """The parameters that the vectors depend on, float32."""
        # The pooler of BERT-like models sees the first token only and takes no part here.
        return (values for name, values in self.module.named_parameters() if ".pooler." not in name)

    def train(self) -> TransformerEncoder:
        """Switch dropout on."""
        self.module.train()
        return self

    def eval(self) -> TransformerEncoder:
        """Switch dropout off."""
        self.module.eval()
        return self

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> TransformerEncoder:
        """Move to a device and choose the precision of the computation; parameters stay in float32."""
        self.module.to(device=torch.device(device))
        self._device = torch.device(device)
        self._backbone: Backbone
        if self._packed is None:
            self._backbone = RectangularBackbone(self._model, dtype)
        else:
            self._packed.weights = Weights(dtype)
            self._backbone = self._packed
        return self

    def save(self, folder: Path) -> None:
        """Write a folder that `SentenceTransformer(str(folder))` loads and that encodes the same; safetensors."""
        with quiet_transformers():
            cast(SentenceTransformer, self.module).save(str(folder), create_model_card=False)


# ---------------------------------------------------------------------------------------------------------------------
# Loading


def _with_mean_pooling(module: SentenceTransformer) -> SentenceTransformer:
    """The language model of an encoder, with mean pooling over all tokens and nothing behind it."""
    if type(module[0]).__name__ != "Transformer":
        raise ConfigError(
            f"The encoder begins with {type(module[0]).__name__}, expected a Transformer.", hint="Use another encoder."
        )
    pooling = modules.Pooling(module[0].get_embedding_dimension(), "mean")
    return SentenceTransformer(
        modules=[module[0], pooling],
        device="cpu",
        prompts=module.prompts,
        default_prompt_name=module.default_prompt_name,
    )


def _longest(transformer: Any, model: Any, wanted: int | None) -> int:
    """Longest text in tokens that user, tokeniser and position table allow."""
    limits = [limit for limit in (wanted, transformer.max_seq_length) if limit]
    if longest_input(model) < UNLIMITED:
        limits.append(longest_input(model))
    if wanted is not None and wanted < 3:
        raise ConfigError(f"The greatest length must be at least 3 tokens, got {wanted}.", hint="Use 16 or more.")
    return int(min(limits, default=512))


def _prompt_length(prompt: Sequence[int], tokenizer: Any) -> int:
    """Tokens of the prompt, without a special token at its end (as sentence-transformers counts them)."""
    return len(prompt) - int(bool(prompt) and prompt[-1] in tokenizer.all_special_ids)


# ---------------------------------------------------------------------------------------------------------------------
# Architectures that can be packed


def _packed_backbone(model: Any) -> PackedBackbone | None:
    """The packed form of a model, or None where it is not known to be the same."""
    find_layers = _LAYERS.get(getattr(model.config, "model_type", ""))
    if find_layers is None or getattr(model.config, "is_decoder", False):
        return None
    try:
        layers = find_layers(model)
        backbone = PackedBackbone(
            embed=_embedding(model),
            layers=layers,
            heads=model.config.num_attention_heads,
            offset=position_offset(model),
            bias=_relative_positions(model),
            dtype=torch.float32,
        )
        return backbone if _agree(backbone, RectangularBackbone(model, torch.float32), model.config) else None
    except (AttributeError, TypeError, RuntimeError):
        return None  # a variant that another release of transformers builds differently


def _agree(first: Backbone, second: Backbone, config: Any) -> bool:
    """Whether two ways to compute a model give the same on a few made-up texts."""
    numbers = [number for number in range(min(config.vocab_size, 40)) if number != config.pad_token_id]
    texts = [[numbers[(7 * i + j) % len(numbers)] for j in range(length)] for i, length in enumerate((3, 1, 5, 3, 30))]
    with torch.inference_mode():
        packed = pack(texts, torch.device("cpu"))
        one, other = first(packed), second(packed)
        return bool(torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().mean())))


def _embedding(model: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """Token numbers and positions to the first states."""
    project = getattr(model, "embeddings_project", None)

    def embed(tokens: Tensor, positions: Tensor) -> Tensor:
        states = model.embeddings(input_ids=tokens, position_ids=positions)
        return cast(Tensor, states if project is None else project(states))

    return embed


def _relative_positions(model: Any) -> Callable[[int], Tensor] | None:
    """MPNet's table of relative positions as a function of the length."""
    if model.config.model_type != "mpnet":
        return None
    encoder, device = model.encoder, model.embeddings.word_embeddings.weight

    def bias(length: int) -> Tensor:
        return cast(Tensor, encoder.compute_position_bias(device.new_empty(1, length, 1)))

    return bias


def _bert_layers(model: Any) -> list[Layer]:
    """Layers of BERT, ELECTRA and the RoBERTa family."""
    return [
        Layer(
            query=layer.attention.self.query,
            key=layer.attention.self.key,
            value=layer.attention.self.value,
            output=layer.attention.output.dense,
            attention_norm=layer.attention.output.LayerNorm,
            inner=layer.intermediate.dense,
            outer=layer.output.dense,
            output_norm=layer.output.LayerNorm,
            activation=layer.intermediate.intermediate_act_fn,
            gelu=model.config.hidden_act == "gelu",
            attention_dropout=layer.attention.self.dropout.p,
            dropouts=(layer.attention.output.dropout.p, layer.output.dropout.p),
        )
        for layer in model.encoder.layer
    ]


def _mpnet_layers(model: Any) -> list[Layer]:
    """Layers of MPNet."""
    return [
        Layer(
            query=layer.attention.attn.q,
            key=layer.attention.attn.k,
            value=layer.attention.attn.v,
            output=layer.attention.attn.o,
            attention_norm=layer.attention.LayerNorm,
            inner=layer.intermediate.dense,
            outer=layer.output.dense,
            output_norm=layer.output.LayerNorm,
            activation=layer.intermediate.intermediate_act_fn,
            gelu=model.config.hidden_act == "gelu",
            attention_dropout=layer.attention.attn.dropout.p,
            dropouts=(layer.attention.dropout.p, layer.output.dropout.p),
        )
        for layer in model.encoder.layer
    ]


def _distilbert_layers(model: Any) -> list[Layer]:
    """Layers of DistilBERT, which has no dropout behind the attention."""
    return [
        Layer(
            query=layer.attention.q_lin,
            key=layer.attention.k_lin,
            value=layer.attention.v_lin,
            output=layer.attention.out_lin,
            attention_norm=layer.sa_layer_norm,
            inner=layer.ffn.lin1,
            outer=layer.ffn.lin2,
            output_norm=layer.output_layer_norm,
            activation=layer.ffn.activation,
            gelu=model.config.activation == "gelu",
            attention_dropout=layer.attention.dropout.p,
            dropouts=(0.0, layer.ffn.dropout.p),
        )
        for layer in model.transformer.layer
    ]


_LAYERS: dict[str, Callable[[Any], list[Layer]]] = {
    "bert": _bert_layers,
    "camembert": _bert_layers,
    "distilbert": _distilbert_layers,
    "electra": _bert_layers,
    "mpnet": _mpnet_layers,
    "roberta": _bert_layers,
    "xlm-roberta": _bert_layers,
}
