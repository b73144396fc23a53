"""Forward passes over texts of mixed length without a single padded token.

The texts of a batch are sorted by length and laid end to end as one `[tokens, width]` matrix. Every linear layer and
normalisation works on that matrix at once; attention works on one block per length, a plain view of the matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

SHORT = {torch.float32: 8, torch.bfloat16: 4}
"""Up to this length, products written out token by token beat batched matrix products on the processor (measured)."""
MEDIUM = 24
"""Up to this length, batched matrix products beat PyTorch's fused attention on the processor (measured)."""


class Group(NamedTuple):
    """Texts of one length, which lie next to each other in the packed matrix."""

    start: int
    texts: int
    length: int

    @property
    def stop(self) -> int:
        """The row after the last one."""
        return self.start + self.texts * self.length


@dataclass(frozen=True)
class Packed:
    """Texts laid end to end, shortest first.

    Args:
        tokens: Token numbers, shape [tokens].
        positions: Place of each token in its own text, from 0. Shape [tokens].
        groups: The blocks of equal length, in order.
        inverse: Row of each text, in the order given, among the sorted texts. Shape [texts].
    """

    tokens: Tensor
    positions: Tensor
    groups: tuple[Group, ...]
    inverse: Tensor

    def split(self, states: Tensor) -> tuple[Tensor, ...]:
        """Cut rows of tokens into the blocks of equal length; views of the matrix."""
        parts: tuple[Tensor, ...] = states.split([group.texts * group.length for group in self.groups])
        return parts


def pack(tokens: Sequence[Sequence[int]] | Sequence[np.ndarray], device: torch.device) -> Packed:
    """Lay texts end to end, sorted by length.

    Args:
        tokens: Token numbers of each text, special tokens included. A text may have none.
        device: Where the result lies.
    """
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    order = np.argsort(lengths, kind="stable")
    flat = np.fromiter(chain.from_iterable(tokens[i] for i in order), dtype=np.int64, count=int(lengths.sum()))
    groups, places, start = [], [np.empty(0, dtype=np.int64)], 0
    for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        groups.append(Group(start, int(count), int(length)))
        places.append(np.tile(np.arange(length), count))
        start += int(count * length)
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return Packed(
        torch.from_numpy(flat).to(device),
        torch.from_numpy(np.concatenate(places)).to(device),
        tuple(groups),
        torch.from_numpy(inverse).to(device),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Attention


def attend(query: Tensor, key: Tensor, value: Tensor, packed: Packed, attention: Attention) -> Tensor:
    """Let the tokens of each text attend to one another, and to nothing else.

    Args:
        query: Shape [tokens, width]; so are `key` and `value`.
        packed: Which rows belong together.
        attention: Heads, scale, dropout and relative positions.

    Returns:
        Shape [tokens, width]. Equal to attention over each text alone.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2 (checked by
    tests/unit/encoders/test_transformer.py against the unpacked model of transformers).
    """
    blocks = []
    # One split, whose gradient is one concatenation: slices would each fill a whole matrix with zeros on the way back.
    parts = zip(packed.groups, *(packed.split(states) for states in (query, key, value)), strict=True)
    for group, *states in parts:
        if group.length:
            # Every block stays a view: [count, length, heads, width / heads].
            shape = (group.texts, group.length, attention.heads, -1)
            q, k, v = (each.view(shape) for each in states)
            blocks.append(_attend_block(q, k, v, attention).reshape(group.texts * group.length, -1))
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks)


@dataclass(frozen=True)
class Attention:
    """What attention needs besides the states.

    Args:
        heads: Number of heads; a count.
        dropout: Share of the attention weights set to 0; 0 outside training.
        bias: Relative positions: length -> what is added to the scores, shape [1, heads, length, length].
    """

    heads: int
    dropout: float = 0.0
    bias: Callable[[int], Tensor] | None = None


def _attend_block(query: Tensor, key: Tensor, value: Tensor, attention: Attention) -> Tensor:
    """Attention for texts of one length; all shapes [count, length, heads, width / heads]."""
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
        # The scale goes onto the query because that is smaller than the scores of longer texts.
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        weights = torch.softmax(scores if bias is None else scores + bias, dim=-1)
        mixed = (F.dropout(weights, attention.dropout) if attention.dropout else weights) @ v
    return mixed.transpose(1, 2)


def _attend_written_out(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention as sums over products in float32, for texts of a few tokens; shapes as in `_attend_block`."""
    q, k, v = query.float(), key.float(), value.float()
    scores = (q.unsqueeze(2) * k.unsqueeze(1)).sum(-1).mul_(q.shape[-1] ** -0.5)  # [count, i, j, heads]
    weights = torch.softmax(scores, dim=2).unsqueeze(-1)
    mixed = weights[:, :, 0] * v[:, :1]
    for j in range(1, q.shape[1]):
        mixed.addcmul_(weights[:, :, j], v[:, j : j + 1])
    return mixed.to(query.dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Layers


class Weights:
    """Parameters in the precision of the computation.

    Parameters stay in float32, so that training and saving lose nothing. Without gradients their bfloat16 copies are
    kept until the parameter changes; with gradients they are made anew, and the gradient flows through them.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._copies: dict[int, tuple[int, Tensor]] = {}

    def __call__(self, parameter: Tensor) -> Tensor:
        """The parameter, cast where needed."""
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
        """A linear layer, with `gelu` fused in where asked."""
        weight, bias = self(layer.weight), None if layer.bias is None else self(layer.bias)
        if _lean(states):
            # Applies GELU while the result is in the cache.
            product: Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, activation, [], "none")
            return product
        if states.dtype == torch.float32 and states.device.type == "cpu" and _has_fused_linear(torch.float32):
            product = _Linear.apply(states, weight, bias)
        else:
            product = F.linear(states, weight, bias)
        return F.gelu(product) if activation == "gelu" else product

    def normalise(self, states: Tensor, layer: nn.LayerNorm) -> Tensor:
        """A layer normalisation."""
        return F.layer_norm(states, layer.normalized_shape, self(layer.weight), self(layer.bias), layer.eps)


class _Linear(torch.autograd.Function):  # type: ignore[misc]
    """A linear layer whose forward pass and input gradient run in oneDNN, where that is faster."""

    @staticmethod
    def forward(context: Any, states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Shape [tokens, in] -> [tokens, out]."""
        context.save_for_backward(states, weight)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "none")
        return product

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Gradients of states, weight and bias."""
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
    """Whether oneDNN's linear layer is there for the precision, and the faster one.

    In float32 it is a tenth faster than MKL with AVX-512; with AVX2 alone MKL is up to a half faster, GELU included.
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
    """Whether shortcuts that record no gradient may be taken."""
    return states.device.type == "cpu" and not torch.is_grad_enabled() and _has_fused_linear(states.dtype)


@dataclass(frozen=True)
class Layer:
    """One layer of a BERT-like encoder, by the part each module plays; the modules stay those of transformers.

    Args:
        query: Linear layer of the attention; so are `key`, `value` and `output`.
        attention_norm: Normalisation after the attention.
        inner: First linear layer of the feed-forward part; `outer` the second.
        output_norm: Normalisation after the feed-forward part.
        activation: Function between `inner` and `outer`.
        gelu: Whether `activation` is the exact GELU, which can be fused.
        attention_dropout: Dropout of the attention weights.
        dropouts: Dropout after `output` and after `outer`.
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
    dropouts: tuple[float, float]

    def __call__(self, states: Tensor, packed: Packed, weights: Weights, attention: Attention) -> Tensor:
        """Shape [tokens, width] in and out."""
        training = self.query.training
        query, key, value = (weights.linear(states, layer) for layer in (self.query, self.key, self.value))
        mixed = weights.linear(attend(query, key, value, packed, attention), self.output)
        mixed = F.dropout(mixed, self.dropouts[0], training)
        states = weights.normalise(_add(mixed, states), self.attention_norm)
        if self.gelu:
            inner = weights.linear(states, self.inner, "gelu")
        else:
            inner = self.activation(weights.linear(states, self.inner))
        outer = F.dropout(weights.linear(inner, self.outer), self.dropouts[1], training)
        return weights.normalise(_add(outer, states), self.output_norm)


def _add(fresh: Tensor, old: Tensor) -> Tensor:
    """The sum; in the memory of `fresh` where no gradient needs it."""
    return fresh + old if torch.is_grad_enabled() else fresh.add_(old)


# ---------------------------------------------------------------------------------------------------------------------
# Whole models


class Backbone(Protocol):
    """Turns packed tokens into a layer of a language model."""

    def __call__(self, packed: Packed, layer: int | None = None) -> Tensor:
        """States after a layer: 0 before the first, None after the last. Shape [tokens, width], in its precision."""


class PackedBackbone:
    """A BERT-like model whose layers work on the packed matrix.

    Args:
        embed: Token numbers and positions, both [1, tokens] -> first states, [1, tokens, width].
        layers: The layers in order.
        heads: Attention heads; a count.
        offset: Number of the first position (2 in models of the RoBERTa family).
        bias: Relative positions, see `Attention`.
        dtype: Precision of the computation.
    """

    def __init__(
        self,
        *,
        embed: Callable[[Tensor, Tensor], Tensor],
        layers: Sequence[Layer],
        heads: int,
        offset: int,
        bias: Callable[[int], Tensor] | None,
        dtype: torch.dtype,
    ) -> None:
        self.embed, self.layers, self.heads, self.offset, self.bias = embed, tuple(layers), heads, offset, bias
        self.weights = Weights(dtype)

    def __call__(self, packed: Packed, layer: int | None = None) -> Tensor:
        """Shape [tokens, width]; layers after the one asked for are not computed."""
        states = self.embed(packed.tokens.unsqueeze(0), packed.positions.unsqueeze(0) + self.offset)
        states = states.squeeze(0).to(self.weights.dtype)
        for each in self.layers[:layer]:
            dropout = each.attention_dropout if each.query.training else 0.0
            states = each(states, packed, self.weights, Attention(self.heads, dropout, self.bias))
        return states


class RectangularBackbone:
    """Any other model: one call per length, so that nothing is padded either.

    Args:
        model: A model of transformers.
        dtype: Precision of the computation; below float32 through `torch.autocast`.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        self.model, self.dtype = model, dtype

    def __call__(self, packed: Packed, layer: int | None = None) -> Tensor:
        """Shape [tokens, width]."""
        blocks = []
        lower = self.dtype != torch.float32
        with torch.autocast(packed.tokens.device.type, dtype=self.dtype if lower else None, enabled=lower):
            for group in packed.groups:
                if group.length:
                    tokens = packed.tokens[group.start : group.stop].view(group.texts, group.length)
                    states = self._states(tokens, layer)
                    blocks.append(states.reshape(group.texts * group.length, -1))
        return torch.cat(blocks)

    def _states(self, tokens: Tensor, layer: int | None) -> Tensor:
        """Shape [texts, length] -> [texts, length, width]."""
        given = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        found = self.model(**given, output_hidden_states=layer is not None)
        states: Tensor = found.last_hidden_state if layer is None else found.hidden_states[layer]
        return states
