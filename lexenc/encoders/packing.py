"""Forward passes over texts of mixed length without padding.

The texts of a batch are sorted by length and concatenated to one `[tokens, width]` matrix. Every linear layer and
normalisation works on the whole matrix; attention works on one block per length, which is a view of the matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from lexenc.encoders.base import Tokens
from lexenc.errors import ConfigError

SHORT = {torch.float32: 8, torch.bfloat16: 4}
"""Up to this length, sums of products are faster on the processor than batched matrix products (measured)."""
MEDIUM = 24
"""Up to this length, batched matrix products are faster on the processor than PyTorch's fused attention (measured)."""


class Group(NamedTuple):
    """Texts of one length, which are neighbours in the packed matrix."""

    texts: int
    length: int


@dataclass(frozen=True)
class Packed:
    """Concatenated texts, shortest first.

    Args:
        tokens: Token ids. Shape [tokens].
        positions: Position of each token in its text, from 0. Shape [tokens].
        groups: The blocks of equal length, in order.
        inverse: Row of each text among the sorted texts. Shape [texts].
        types: Token type id of each token. Shape [tokens]. None for those of the model.
    """

    tokens: Tensor
    positions: Tensor
    groups: tuple[Group, ...]
    inverse: Tensor
    types: Tensor | None = None

    def split(self, states: Tensor) -> tuple[Tensor, ...]:
        """Split the rows of all tokens into the blocks of equal length, without a copy."""
        parts: tuple[Tensor, ...] = states.split([group.texts * group.length for group in self.groups])
        return parts


def pack(tokens: Tokens, device: torch.device, types: Sequence[np.ndarray] | None = None) -> Packed:
    """Concatenate texts, sorted by length.

    Args:
        tokens: Token ids of each text, special tokens included. A text may have none.
        device: Device of the result.
        types: Token type ids of each text. None for those of the model.
    """
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    order = np.argsort(lengths, kind="stable")
    flat = np.fromiter(chain.from_iterable(tokens[i] for i in order), dtype=np.int64, count=int(lengths.sum()))
    groups, places = [], [np.empty(0, dtype=np.int64)]
    for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        groups.append(Group(int(count), int(length)))
        places.append(np.tile(np.arange(length), count))
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return Packed(
        torch.from_numpy(flat).to(device),
        torch.from_numpy(np.concatenate(places)).to(device),
        tuple(groups),
        torch.from_numpy(inverse).to(device),
        None if types is None else torch.from_numpy(np.concatenate([types[i] for i in order])).to(device),
    )


def attend(query: Tensor, key: Tensor, value: Tensor, packed: Packed, attention: Attention) -> Tensor:
    """Compute attention within each text. Shape [tokens, width] in and out.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
    """
    blocks = []
    # One split, whose gradient is one concatenation; the gradient of each slice would be a whole matrix.
    parts = zip(packed.groups, *(packed.split(states) for states in (query, key, value)), strict=True)
    for group, *states in parts:
        if group.length:
            # A view: [count, length, heads, width / heads].
            shape = (group.texts, group.length, attention.heads, -1)
            q, k, v = (each.view(shape) for each in states)
            blocks.append(_attend_block(q, k, v, attention).reshape(group.texts * group.length, -1))
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks)


@dataclass(frozen=True)
class Attention:
    """Settings of attention.

    Args:
        heads: Number of heads.
        dropout: Share of the attention weights set to 0.
        bias: Relative positions: length -> numbers added to the scores, shape [1, heads, length, length].
    """

    heads: int
    dropout: float = 0.0
    bias: Callable[[int], Tensor] | None = None


def _attend_block(query: Tensor, key: Tensor, value: Tensor, attention: Attention) -> Tensor:
    """Compute attention for texts of one length. Shape [count, length, heads, width / heads] in and out."""
    length, plain = query.shape[1], attention.bias is None and not attention.dropout
    if length == 1 and not attention.dropout:
        return value  # a single token can only attend to itself
    if plain and length <= SHORT.get(query.dtype, 0) and _lean(query):
        return _attend_written_out(query, key, value)
    q, k, v = (states.transpose(1, 2) for states in (query, key, value))
    bias = attention.bias(length).to(q.dtype) if attention.bias else None
    if length > MEDIUM or q.device.type != "cpu":
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=attention.dropout)
    else:
        # The query is scaled because it is smaller than the scores of longer texts.
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        weights = torch.softmax(scores if bias is None else scores + bias, dim=-1)
        mixed = (F.dropout(weights, attention.dropout) if attention.dropout else weights) @ v
    return mixed.transpose(1, 2)


def _attend_written_out(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Do the same as `_attend_block` with sums of products in float32, for texts of a few tokens."""
    q, k, v = query.float(), key.float(), value.float()
    scores = (q.unsqueeze(2) * k.unsqueeze(1)).sum(-1).mul_(q.shape[-1] ** -0.5)  # [count, i, j, heads]
    weights = torch.softmax(scores, dim=2).unsqueeze(-1)
    mixed = weights[:, :, 0] * v[:, :1]
    for j in range(1, q.shape[1]):
        mixed.addcmul_(weights[:, :, j], v[:, j : j + 1])
    return mixed.to(query.dtype)


class Weights:
    """Parameters in the precision of the computation; the originals stay in float32 for training and saving.

    Without gradients the bfloat16 copy of a parameter is kept until the parameter changes. With gradients it is made
    anew, and the gradient flows through it.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._copies: dict[int, tuple[int, Tensor]] = {}

    def __call__(self, parameter: Tensor) -> Tensor:
        """Return a parameter, cast if needed."""
        if parameter.dtype == self.dtype:
            return parameter
        if torch.is_grad_enabled():
            return parameter.to(self.dtype)
        version, copy = self._copies.get(id(parameter), (-1, parameter))
        if version != parameter._version or copy.device != parameter.device:
            copy = parameter.detach().to(self.dtype)
            self._copies[id(parameter)] = (parameter._version, copy)
        return copy

    def linear(self, states: Tensor, layer: nn.Linear, activation: str = "none") -> Tensor:
        """Apply a linear layer, and then `gelu` if that is the activation."""
        weight, bias = self(layer.weight), None if layer.bias is None else self(layer.bias)
        if _lean(states):
            product: Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, activation, [], "none")
            return product
        if states.dtype == torch.float32 and states.device.type == "cpu" and _has_fused_linear(torch.float32):
            product = _Linear.apply(states, weight, bias)
        else:
            product = F.linear(states, weight, bias)
        return F.gelu(product) if activation == "gelu" else product

    def normalise(self, states: Tensor, layer: nn.LayerNorm) -> Tensor:
        """Apply a layer normalisation."""
        return F.layer_norm(states, layer.normalized_shape, self(layer.weight), self(layer.bias), layer.eps)


class _Linear(torch.autograd.Function):  # type: ignore[misc]
    """A linear layer whose forward pass and input gradient are computed by oneDNN."""

    @staticmethod
    def forward(context: Any, states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Shape [tokens, in] -> [tokens, out]."""
        context.save_for_backward(states, weight)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "none")
        return product

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return the gradients of states, weight and bias."""
        states, weight = context.saved_tensors
        gradient = gradient.contiguous()
        to_states, to_weight, to_bias = context.needs_input_grad
        return (
            torch.ops.mkldnn._linear_pointwise(gradient, weight.t(), None, "none", [], "none") if to_states else None,
            gradient.t() @ states if to_weight else None,
            gradient.sum(0) if to_bias else None,
        )


@cache
def _has_fused_linear(dtype: torch.dtype) -> bool:
    """Return whether oneDNN has a linear layer for a precision, and whether it is faster than MKL.

    In float32 it is 10 % faster with AVX-512; with AVX2 alone MKL is up to 50 % faster, GELU included.
    """
    if dtype == torch.float32 and not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return False
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise") or not torch.backends.mkldnn.is_available():
        return False
    try:
        states, weight = torch.ones(2, 4, dtype=dtype), torch.ones(3, 4, dtype=dtype)
        product = torch.ops.mkldnn._linear_pointwise(states, weight, None, "gelu", [], "none")
        return bool(torch.allclose(product.float(), F.gelu(torch.full((2, 3), 4.0)), atol=0.05))
    except (RuntimeError, NotImplementedError):
        return False


def _lean(states: Tensor) -> bool:
    """Return whether to use the operations that record no gradient."""
    return states.device.type == "cpu" and not torch.is_grad_enabled() and _has_fused_linear(states.dtype)


@dataclass(frozen=True)
class Layer:
    """One layer of a BERT-like encoder; the parts are the modules of transformers.

    Args:
        query: Linear layer of the attention, like `key`, `value` and `output`.
        attention_norm: Normalisation after the attention.
        inner: First linear layer of the feed-forward part; `outer` is the second.
        output_norm: Normalisation after the feed-forward part.
        activation: Function between `inner` and `outer`.
        gelu: Whether `activation` is the exact GELU, which can be fused.
        attention_dropout: Dropout of the attention weights.
        outer_dropout: Dropout after `outer`.
        output_dropout: Dropout after `output`.
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    output: nn.Linear
    attention_norm: nn.LayerNorm
    inner: nn.Linear
    outer: nn.Linear
    output_norm: nn.LayerNorm
    activation: Callable[[Tensor], Tensor]
    gelu: bool
    attention_dropout: float
    outer_dropout: float
    output_dropout: float = 0.0

    def __call__(self, states: Tensor, packed: Packed, weights: Weights, attention: Attention) -> Tensor:
        """Shape [tokens, width] in and out."""
        training = self.query.training
        query, key, value = (weights.linear(states, layer) for layer in (self.query, self.key, self.value))
        mixed = weights.linear(attend(query, key, value, packed, attention), self.output)
        mixed = F.dropout(mixed, self.output_dropout, training)
        states = weights.normalise(_add(mixed, states), self.attention_norm)
        if self.gelu:
            inner = weights.linear(states, self.inner, "gelu")
        else:
            inner = self.activation(weights.linear(states, self.inner))
        outer = F.dropout(weights.linear(inner, self.outer), self.outer_dropout, training)
        return weights.normalise(_add(outer, states), self.output_norm)


def _add(fresh: Tensor, old: Tensor) -> Tensor:
    """Return the sum, in the memory of `fresh` if no gradient needs it."""
    return fresh + old if torch.is_grad_enabled() else fresh.add_(old)


class Backbone(Protocol):
    """Computes the states of packed tokens after some layers of a language model, in one pass."""

    def __call__(self, packed: Packed, layers: Sequence[int | None] = (None,)) -> list[Tensor]:
        """Return the states after some layers: 0 for the input of the first, None for the result of the model.

        Each has the shape [tokens, width].
        """


@dataclass
class PackedBackbone:
    """A BERT-like model whose layers work on the packed matrix.

    Args:
        embed: Token ids and positions, and token type ids or None, each [1, tokens] -> states, [1, tokens, width].
        layers: The layers in order.
        heads: Number of attention heads.
        offset: Number of the first position (2 in models of the RoBERTa family).
        bias: Relative positions, see `Attention`.
        weights: Parameters in the precision of the computation.
    """

    embed: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    layers: Sequence[Layer]
    heads: int
    offset: int
    bias: Callable[[int], Tensor] | None
    weights: Weights

    def __call__(self, packed: Packed, layers: Sequence[int | None] = (None,)) -> list[Tensor]:
        """Compute no more layers than needed. Shape of each [tokens, width]."""
        types = None if packed.types is None else packed.types.unsqueeze(0)
        states = self.embed(packed.tokens.unsqueeze(0), packed.positions.unsqueeze(0) + self.offset, types)
        states = states.squeeze(0).to(self.weights.dtype)
        wanted = [len(self.layers) if layer is None else layer for layer in layers]
        found = {0: states}
        for number, each in enumerate(self.layers[: max(wanted)], start=1):
            dropout = each.attention_dropout if each.query.training else 0.0
            states = each(states, packed, self.weights, Attention(self.heads, dropout, self.bias))
            if number in wanted:
                found[number] = states
        return [found[number] for number in wanted]


@dataclass(frozen=True)
class RectangularBackbone:
    """Any other model: one call per length, so that there is no padding.

    Args:
        model: A model of transformers.
        dtype: Precision of the computation; below float32 by `torch.autocast`.
        types: Length of a text -> its token type ids. None if the model does not take them.
    """

    model: Any
    dtype: torch.dtype
    types: Callable[[int], Sequence[int]] | None = None

    def __call__(self, packed: Packed, layers: Sequence[int | None] = (None,)) -> list[Tensor]:
        """Shape of each [tokens, width]."""
        blocks: list[list[Tensor]] = [[] for _ in layers]
        inner = any(layer is not None for layer in layers)
        with torch.autocast(packed.tokens.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            kinds = [None] * len(packed.groups) if packed.types is None else packed.split(packed.types)
            for group, part, types in zip(packed.groups, packed.split(packed.tokens), kinds, strict=True):
                if group.length:
                    tokens = part.view(group.texts, group.length)
                    given = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
                    if types is not None:
                        given["token_type_ids"] = types.view(group.texts, group.length)
                    elif self.types:
                        given["token_type_ids"] = tokens.new_tensor([self.types(group.length)]).expand_as(tokens)
                    found = self.model(**given, output_hidden_states=inner)
                    for layer, block in zip(layers, blocks, strict=True):
                        states = found.last_hidden_state if layer is None else self._state(found, layer)
                        block.append(states.reshape(group.texts * group.length, -1))
        return [torch.cat(block) for block in blocks]

    def _state(self, found: Any, layer: int) -> Tensor:
        states, layers = found.hidden_states, self.model.config.num_hidden_layers
        if len(states) != layers + 1:
            raise ConfigError(
                f"The encoder {self.model.config.name_or_path} has {layers} layers, but {len(states)} states of them.",
                hint="Use layer -1, the last, or another encoder.",
            )
        return cast(Tensor, states[layer])
