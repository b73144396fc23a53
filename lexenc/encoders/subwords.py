"""Sentences of words as subwords: the tokeniser itself tells which word a subword belongs to.

Words are never tokenised one by one, which gives other subwords.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Encoding, Tokenizer

from lexenc.arrays import starts_of
from lexenc.encoders.base import printable
from lexenc.errors import ConfigError
from lexenc.text.links import Pieces


def uncut_tokenizer(tokenizer: Any) -> Tokenizer:
    """Make a tokeniser like another, but one that neither cuts nor pads.

    Args:
        tokenizer: Compiled, or one of transformers.

    Raises:
        ConfigError: If it has no compiled form; it could then not say which word a subword belongs to.
    """
    backend = tokenizer if isinstance(tokenizer, Tokenizer) else getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise ConfigError(
            f"The tokenizer {type(tokenizer).__name__} does not tell which word a subword belongs to.",
            hint="Use an encoder with a tokenizer.json.",
        )
    # A copy: the original's settings belong to others, who change them on each call.
    own = Tokenizer.from_str(backend.to_str())
    own.no_padding()
    own.no_truncation()
    return own


class WordTokenizer:
    """Cuts words into subwords, whole sentences at once, and knows which word every subword belongs to.

    Args:
        tokenizer: Neither cuts nor pads.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._own, self._spaced = tokenizer, _needs_space(tokenizer)

    @cached_property
    def single(self) -> Frame:
        """The special subwords around a sentence."""
        return _frame(self._own, ["a"])

    @cached_property
    def pair(self) -> Frame:
        """The special subwords around a sentence and another."""
        return _frame(self._own, ["a"], ["a"])

    def encode(self, sentences: Iterable[Sequence[str]], *, special: bool) -> list[Encoding]:
        """Give the subwords of sentences as the tokeniser does, each with its `ids` and `word_ids`.

        Args:
            sentences: Words of each; one may have no subwords, such as a lone control character.
            special: Whether to put special subwords around every sentence; they belong to no word.
        """
        texts: list[list[str]] = [list(words) for words in sentences]
        if not _is_unicode(texts):
            texts = [[printable(word) for word in words] for words in texts]
        if self._spaced:
            texts = [[f" {word}" if word else "" for word in words] for words in texts]
        # The fast variant would leave out which word a subword belongs to.
        found: list[Encoding] = self._own.encode_batch(texts, is_pretokenized=True, add_special_tokens=special)
        return found

    def cut(self, sentences: Sequence[Sequence[str]]) -> Pieces:
        """Cut sentences of words into subwords, without special ones."""
        encodings = self.encode(sentences, special=False)
        counts = [
            np.bincount(np.array(encoding.word_ids, dtype=np.int64), minlength=len(words))
            for encoding, words in zip(encodings, sentences, strict=True)
        ]
        ids = np.fromiter((number for encoding in encodings for number in encoding.ids), dtype=np.int32)
        flat = np.concatenate([np.zeros(0, dtype=np.int64), *counts])
        return Pieces(ids, starts_of(flat), starts_of([len(words) for words in sentences]))

    def subwords(self, word: str) -> list[int]:
        """Give the subwords of one word."""
        ids: list[int] = self.encode([[word]], special=False)[0].ids
        return ids


class Frame(NamedTuple):
    """The special subwords around one sentence or two, as the tokenizer puts them.

    Args:
        before: Subwords before the first sentence.
        between: Between the two; empty for one.
        after: At the end.
        types: What the model is told of the kind of subword: before, first, between, second and after.
    """

    before: list[int]
    between: list[int]
    after: list[int]
    types: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many special subwords."""
        return len(self.before) + len(self.between) + len(self.after)


def _frame(tokenizer: Tokenizer, words: list[str], others: list[str] | None = None) -> Frame:
    """See where a tokenizer puts special subwords around one sentence or two."""
    made = tokenizer.encode(words, others, is_pretokenized=True)
    owners = made.sequence_ids
    places = [[i for i, owner in enumerate(owners) if owner == wanted] for wanted in (0, 1)]
    first, second = places[0], places[1] or places[0][-1:]
    split = first[-1] + 1
    kinds = [0, made.type_ids[first[0]], made.type_ids[first[-1]], made.type_ids[second[-1]], made.type_ids[-1]]
    between = made.ids[split : second[0]] if places[1] else []
    return Frame(made.ids[: first[0]], between, made.ids[second[-1] + 1 :], tuple(kinds))


def _is_unicode(sentences: list[list[str]]) -> bool:
    """Whether no word holds bytes that could not be decoded."""
    try:
        "".join(chain.from_iterable(sentences)).encode()
    except UnicodeEncodeError:
        return False
    return True


def _needs_space(tokenizer: Tokenizer) -> bool:
    """Whether a word in a text differs from one at its beginning: subwords of bytes include the space before them."""
    first = json.loads(tokenizer.to_str())["pre_tokenizer"] or {}
    parts: list[dict[str, Any]] = [first, *first.get("pretokenizers", [])]
    return any(part.get("type") == "ByteLevel" and not part["add_prefix_space"] for part in parts)
