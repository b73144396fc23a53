"""Sentences of words as subwords. The tokenizer itself reports the word to which each subword belongs.

Words are never tokenised one by one, because that returns other subwords.
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
from lexenc.encoders.folder import check_vocabulary, splitting
from lexenc.errors import ConfigError
from lexenc.text.links import Pieces


def uncut_tokenizer(tokenizer: Any) -> Tokenizer:
    """Return a copy of a tokenizer that neither truncates nor pads.

    Args:
        tokenizer: Tokenizer of the tokenizers library or of transformers.

    Raises:
        ConfigError: If it is a slow tokenizer, which does not report the word of a subword.
    """
    backend = tokenizer if isinstance(tokenizer, Tokenizer) else getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise ConfigError(
            f"The tokenizer {type(tokenizer).__name__} does not report which word a subword belongs to.",
            hint="Use an encoder with a tokenizer.json.",
        )
    # A copy, because the owner of the original changes its settings on each call.
    check_vocabulary(backend)
    with splitting():
        own = Tokenizer.from_str(backend.to_str())
        own.no_padding()
        own.no_truncation()
    return own


class WordTokenizer:
    """Splits the words of sentences into subwords, and reports the word of every subword.

    Args:
        tokenizer: Tokenizer of the tokenizers library or of transformers.

    Raises:
        ConfigError: If it is a slow tokenizer, which does not report the word of a subword.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._own = uncut_tokenizer(tokenizer)
        # Byte-level subwords include the space, so that a word inside a text differs from one at its start.
        first = json.loads(self._own.to_str())["pre_tokenizer"] or {}
        parts: list[dict[str, Any]] = [first, *first.get("pretokenizers", [])]
        self._spaced = any(part.get("type") == "ByteLevel" and not part["add_prefix_space"] for part in parts)

    @cached_property
    def single(self) -> Frame:
        """The special subwords around a sentence."""
        return _frame(self._own, ["a"])

    @cached_property
    def pair(self) -> Frame:
        """The special subwords around a pair of sentences."""
        return _frame(self._own, ["a"], ["a"])

    def encode(self, sentences: Iterable[Sequence[str]], *, special: bool) -> list[Encoding]:
        """Return the encodings of sentences, with `ids` and `word_ids`.

        Args:
            sentences: Words of each sentence. A word may have no subwords, e.g. a single control character.
            special: Whether to add special subwords around every sentence; they belong to no word.
        """
        texts: list[list[str]] = [list(words) for words in sentences]
        try:
            "".join(chain.from_iterable(texts)).encode()
        except UnicodeEncodeError:
            texts = [[printable(word) for word in words] for words in texts]
        if self._spaced:
            texts = [[f" {word}" if word else "" for word in words] for words in texts]
        # The fast variant does not report words.
        with splitting():
            found: list[Encoding] = self._own.encode_batch(texts, is_pretokenized=True, add_special_tokens=special)
        return found

    def cut(self, sentences: Sequence[Sequence[str]]) -> Pieces:
        """Split sentences of words into subwords, without special ones."""
        encodings = self.encode(sentences, special=False)
        counts = [
            np.bincount(np.array(encoding.word_ids, dtype=np.int64), minlength=len(words))
            for encoding, words in zip(encodings, sentences, strict=True)
        ]
        ids = np.fromiter((number for encoding in encodings for number in encoding.ids), dtype=np.int32)
        flat = np.concatenate([np.zeros(0, dtype=np.int64), *counts])
        return Pieces(ids, starts_of(flat), starts_of([len(words) for words in sentences]))

    def subwords(self, word: str) -> list[int]:
        """Return the subwords of one word."""
        ids: list[int] = self.encode([[word]], special=False)[0].ids
        return ids


class Frame(NamedTuple):
    """The special subwords that a tokenizer adds around one sentence or two.

    Args:
        before: Subwords before the first sentence.
        between: Subwords between the two; empty for one sentence.
        after: Subwords at the end.
        kinds: Token type ids of the five parts: before, first sentence, between, second sentence, after. One for each
            special subword, and one for each sentence.
    """

    before: list[int]
    between: list[int]
    after: list[int]
    kinds: tuple[list[int], ...]

    @property
    def size(self) -> int:
        """Number of special subwords."""
        return len(self.before) + len(self.between) + len(self.after)

    def types(self, first: int, second: int = 0) -> list[int]:
        """Return the token type ids of an input from the number of subwords of both sentences."""
        before, one, between, other, after = self.kinds
        return before + one * first + between + other * second + after


def _frame(tokenizer: Tokenizer, words: list[str], others: list[str] | None = None) -> Frame:
    """Find out where a tokenizer adds special subwords."""
    with splitting():
        made = tokenizer.encode(words, others, is_pretokenized=True)
    owners = made.sequence_ids
    places = [[i for i, owner in enumerate(owners) if owner == wanted] for wanted in (0, 1)]
    if not places[0] or (others and not places[1]):
        raise ConfigError(
            "The tokenizer of the encoder has no subword for the letter a.",
            hint="Use an encoder with another tokenizer.",
        )
    first, second = places[0], places[1] or places[0][-1:]
    split, end = first[-1] + 1, second[-1] + 1
    inner = slice(split, second[0] if places[1] else split)
    parts = (slice(first[0]), slice(first[0], first[0] + 1), inner, slice(end - 1, end), slice(end, None))
    return Frame(made.ids[parts[0]], made.ids[inner], made.ids[parts[4]], tuple(made.type_ids[each] for each in parts))
