"""Sentences of words as subwords. The tokenizer itself reports the word to which each subword belongs.

Words are never tokenised one by one, because that returns other subwords.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain, groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from lexenc.arrays import Indices, starts_of
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


Offsets = NDArray[np.int64]
NO_TEXT = -1
"""Both offsets of a subword that stands for no part of a text: a special one, or one of the prompt."""


def offset_tokens(tokenizer: Tokenizer, texts: Sequence[str], *, prompt: str = "") -> list[tuple[list[int], Offsets]]:
    """Split texts into subwords, and report which characters each subword stands for.

    Args:
        tokenizer: The tokenizer, with its truncation.
        texts: The texts; bytes that are not UTF-8 are surrogate escapes.
        prompt: What precedes every text.

    Returns:
        For each text its token ids, special tokens included, and for each of them its first character in the text and
        the one after its last. Shape [t, 2], int64. Spaces at both ends are left out, so that a subword that is only a
        space has two equal offsets. Several subwords may share a character. Special subwords and those of the prompt
        have `NO_TEXT` twice.
    """
    with splitting():
        found: list[Encoding] = tokenizer.encode_batch([prompt + printable(text) for text in texts])
    marks = _space_marks(tokenizer)
    return [(each.ids, _offsets(each, text, prompt, marks)) for each, text in zip(found, texts, strict=True)]


def _offsets(encoding: Encoding, text: str, prompt: str, marks: str) -> Offsets:
    shown = printable(text)
    whole, size = prompt + shown, len(prompt)
    begin, end = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2).T
    if marks:  # a space before the first letter has the place of the letter
        end = np.where([not token.strip(marks) for token in encoding.tokens], begin, end)
    # The first place from each on that is no space, and the last place up to each that follows no space.
    solid = np.fromiter((not character.isspace() for character in whole), dtype=np.bool_, count=len(whole))
    places = np.arange(len(whole) + 1)
    following = np.minimum.accumulate(np.where(np.append(solid, True), places, len(whole))[::-1])[::-1]
    preceding = np.maximum.accumulate(np.where(np.append(True, solid), places, 0))
    outside = np.array([owner is None for owner in encoding.sequence_ids], dtype=np.bool_)
    outside |= np.where(begin < end, np.minimum(preceding[end], end) <= size, begin < size) if size else False
    begin = np.minimum(np.maximum(following[begin], size), end) if size else np.minimum(following[begin], end)
    end = np.maximum(preceding[end], begin)
    pairs = np.stack([begin, end], axis=1) - size
    pairs[outside] = 0
    if shown != text:
        pairs = _raw_places(text)[pairs]
    pairs[outside] = NO_TEXT
    return pairs


def _space_marks(tokenizer: Tokenizer) -> str:
    """Return the characters by which subwords of a tokenizer show spaces."""
    steps = [part.__getstate__() for part in (tokenizer.normalizer, tokenizer.pre_tokenizer) if part is not None]
    found = b"".join(steps).decode()
    return ("\u2581" if "\u2581" in found else "") + ("\u0120" if "ByteLevel" in found else "")


def _raw_places(text: str) -> Offsets:
    """Return the place in a text of every character, and of the end, of its printable form. Shape [c + 1]."""
    sizes: list[int] = []
    for escaped, run in groupby(text, lambda character: "\ud800" <= character <= "\udfff"):
        data = list(run)
        if not escaped:
            sizes += [1] * len(data)
            continue
        rest = "".join(data).encode("utf-8", "surrogateescape")
        while rest:
            try:
                good, bad = len(rest), len(rest)
                rest.decode("utf-8")
            except UnicodeDecodeError as error:
                good, bad = error.start, error.end
            sizes += [len(character.encode()) for character in rest[:good].decode("utf-8")]
            sizes += [bad - good] if bad > good else []
            rest = rest[bad:]
    return np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.int64))])


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

    def around(self, first: NDArray[np.integer], second: NDArray[np.integer] | None = None) -> tuple[Indices, Indices]:
        """Return one sentence or two with the special subwords, and the places of the sentences in them.

        Args:
            first: Subwords of a sentence. Shape [m].
            second: Subwords of another one, for the frame of a pair. Shape [n].

        Returns:
            Shape [m + n + `size`], and the places, shape [m + n].
        """
        second = first[:0] if second is None else second
        ids = np.concatenate([self.before, first, self.between, second, self.after]).astype(np.int64)
        begin, middle = len(self.before), len(self.before) + len(first) + len(self.between)
        return ids, np.concatenate([begin + np.arange(len(first)), middle + np.arange(len(second))])

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
