"""A model that is asked what a word is translated by: the word marked in its sentence, the answer a span of the other.

Source: Nagata, Chousa and Nishino 2020, "A Supervised Word Alignment Method based on Cross-Language Span Prediction
using Multilingual BERT", section 3; Wu, Nagata and Tsuruoka 2023, "WSPAlign". Any model for extractive question
answering will do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModelForQuestionAnswering

from lexenc.device import CPU, Device
from lexenc.encoders.pretrained import (
    arithmetic,
    load_pretrained,
    load_tokenizer,
    longest_input,
    quiet_transformers,
    takes_types,
)
from lexenc.encoders.subwords import WordTokenizer
from lexenc.errors import ConfigError
from lexenc.text.links import Pieces

MARK = "¶"
_TYPES = "token_type_ids"
Indices = NDArray[np.int64]


# ---------------------------------------------------------------------------------------------------------------------
# Questions


class Questions(NamedTuple):
    """Words whose translation is asked for.

    Args:
        pairs: Sentence pair of each. Shape [q], int64.
        swapped: Whether the word is of the target sentence. Shape [q], bool.
        words: Its place in the sentence. Shape [q], int64.
    """

    pairs: Indices
    swapped: NDArray[np.bool_]
    words: Indices

    def chosen(self, rows: Any) -> Questions:
        """Give some of them."""
        return Questions(self.pairs[rows], self.swapped[rows], self.words[rows])


def all_questions(source: Pieces, target: Pieces, usable: NDArray[np.bool_]) -> Questions:
    """Ask about every word that has a subword, in both directions.

    Args:
        source: Sentences.
        target: Their translations.
        usable: Which sentence pairs to ask about. Shape [n].
    """
    parts = []
    for swapped, side in ((False, source), (True, target)):
        pairs = np.repeat(np.arange(len(side)), side.lengths)
        words = np.arange(len(pairs)) - np.repeat(side.sentences[:-1], side.lengths)
        kept = (np.diff(side.words) > 0) & usable[pairs]
        parts.append(Questions(pairs[kept], np.full(int(kept.sum()), swapped), words[kept]))
    return Questions(*(np.concatenate(each) for each in zip(*parts, strict=True)))


class Batch(NamedTuple):
    """Questions as the model takes them; b of them, padded to L subwords.

    Args:
        ids: Shape [b, L].
        types: Shape [b, L].
        real: 0 where a place only fills up. Shape [b, L].
        owners: What the answer may be at each place: 0 no word (the first subword), j + 1 word j of the context,
            -1 where no answer may begin or end. Shape [b, L].
        first: Place where the context begins. Shape [b].
        height: Words of the longest context.
    """

    ids: Tensor
    types: Tensor
    real: Tensor
    owners: Tensor
    first: Indices
    height: int


class SpanModel:
    """A model for extractive question answering, asked about marked words.

    Args:
        module: What `AutoModelForQuestionAnswering` gives.
        tokenizer: Its tokenizer, of transformers.
        device: Where it computes, and how precisely; parameters stay in float32.

    Raises:
        ConfigError: If the tokenizer does not know the mark, or cannot tell words apart.
    """

    def __init__(self, module: nn.Module, tokenizer: Any, *, device: Device = CPU) -> None:
        self.words = WordTokenizer(tokenizer)
        self._mark = self.words.subwords(MARK)
        if not knows_mark(tokenizer):
            raise ConfigError(
                f"The model's tokenizer does not know the mark {MARK}, which stands around the word asked about.",
                hint="Train one with: lexenc align-train span",
            )
        self.module: Any = module.float().eval().to(device.torch)
        self.device = device
        self._tokenizer = tokenizer
        self._typed = takes_types(module) and _TYPES in tokenizer.model_input_names
        self.limit = longest_input(module)

    @classmethod
    def load(cls, folder: Path, *, device: Device = CPU, new_head: bool = False) -> SpanModel:
        """Load a model from a folder; code that comes with it is never run, pickled weights are never read.

        Args:
            folder: As `save_pretrained` writes it.
            device: Where it computes, and how precisely.
            new_head: Take an encoder of any kind, put a new head for answers on it, and teach its tokenizer the mark.
                PyTorch's own generator draws the numbers.

        Raises:
            ConfigError: If there is no such model in the folder.
        """
        module, missing = load_pretrained(AutoModelForQuestionAnswering, folder)
        if missing and not new_head:
            raise ConfigError(
                f"The model {folder} answers no questions ({missing[0]} is missing).",
                hint="Train it for that with: lexenc align-train span",
            )
        tokenizer = load_tokenizer(folder)
        if new_head and not knows_mark(tokenizer):
            tokenizer.add_tokens([MARK])
            with quiet_transformers():
                module.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        if new_head and takes_types(module) and _TYPES not in tokenizer.model_input_names:
            tokenizer.model_input_names = [*tokenizer.model_input_names, _TYPES]
            tokenizer.init_kwargs["model_input_names"] = tokenizer.model_input_names  # what is saved
        return cls(module, tokenizer, device=device)

    def save(self, folder: Path) -> None:
        """Write a folder that `AutoModelForQuestionAnswering` and `AutoTokenizer` load; safetensors."""
        with quiet_transformers():
            self.module.save_pretrained(folder)
            self._tokenizer.save_pretrained(folder)

    def sizes(self, source: Pieces, target: Pieces) -> Indices:
        """Give how many subwords a question about each sentence pair has, whatever the word. Shape [n]."""
        return source.sizes + target.sizes + 2 * len(self._mark) + self.words.pair.size

    def batch(self, source: Pieces, target: Pieces, questions: Questions) -> Batch:
        """Write some questions down: the sentence with the word marked, then the other sentence.

        Args:
            source: Sentences.
            target: Their translations.
            questions: About words with subwords, each no longer than `limit`.
        """
        lines, first, owners = [], [], []
        for pair, swapped, word in zip(*(each.tolist() for each in questions), strict=True):
            asked, context = (target, source) if swapped else (source, target)
            ids, start, owner = self._line(asked.sentence(pair), word, context.sentence(pair))
            lines.append(ids)
            first.append(start)
            owners.append(owner)
        return self._padded(lines, first, owners)

    def _line(
        self, asked: tuple[NDArray[np.int32], Indices], word: int, context: tuple[NDArray[np.int32], Indices]
    ) -> tuple[NDArray[np.int32], int, Indices]:
        """Write one question down; give where its context begins, and the word of each subword of the context."""
        frame, mark = self.words.pair, self._mark
        ids, bounds = asked
        begin, end = int(bounds[word]), int(bounds[word + 1])
        head = [frame.before, ids[:begin], mark, ids[begin:end], mark, ids[end:], frame.between]
        line = np.concatenate([*head, context[0], frame.after]).astype(np.int32)
        owner = np.repeat(np.arange(1, len(context[1])), np.diff(context[1]))
        return line, len(line) - len(frame.after) - len(context[0]), owner

    def _padded(self, lines: list[NDArray[np.int32]], first: list[int], owners: list[Indices]) -> Batch:
        width = max(len(line) for line in lines)
        ids = np.full((len(lines), width), self._tokenizer.pad_token_id or 0, dtype=np.int64)
        types, real = np.zeros_like(ids), np.zeros_like(ids)
        places = np.full((len(lines), width), -1, dtype=np.int64)
        kinds, behind = self.words.pair.types, len(self.words.pair.after)
        between = len(self.words.pair.between)
        for row, (line, start, owner) in enumerate(zip(lines, first, owners, strict=True)):
            ids[row, : len(line)], real[row, : len(line)] = line, 1
            types[row, : start - between], types[row, start - between : start] = kinds[1], kinds[2]
            types[row, start : len(line)] = kinds[3]
            types[row, len(line) - behind : len(line)] = kinds[4]
            places[row, 0], places[row, start : start + len(owner)] = 0, owner
        at = self.device.torch
        return Batch(
            ids=torch.from_numpy(ids).to(at),
            types=torch.from_numpy(types).to(at),
            real=torch.from_numpy(real).to(at),
            owners=torch.from_numpy(places).to(at),
            first=np.array(first, dtype=np.int64),
            height=max((int(owner.max(initial=0)) for owner in owners), default=0),
        )

    def logits(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Score every place as the beginning and as the end of the answer.

        Returns:
            Two of shape [b, L], float32; minus infinity where no answer may begin or end.
        """
        given = {"input_ids": batch.ids, "attention_mask": batch.real}
        if self._typed:
            given[_TYPES] = batch.types
        with arithmetic(self.device):
            found = self.module(**given)
        outside = batch.owners < 0
        start, end = (
            each.float().masked_fill(outside, float("-inf")) for each in (found.start_logits, found.end_logits)
        )
        return start, end

    def probabilities(self, batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Say how probable it is that the answer begins, and ends, with each word.

        Returns:
            Two of shape [b, 1 + words of the longest context]; first that there is no answer, then the words of the
            context, each the sum over its subwords.
        """
        with torch.inference_mode():
            both = [_by_word(each, batch.owners, batch.height) for each in self.logits(batch)]
        return both[0].cpu().numpy(), both[1].cpu().numpy()


def _by_word(logits: Tensor, owners: Tensor, height: int) -> Tensor:
    """Add up what the subwords of each word have. Shape [b, 1 + height]."""
    table = logits.new_zeros(len(logits), 1 + height)
    return table.scatter_add_(1, owners.clamp(min=0), torch.softmax(logits, dim=1))


def knows_mark(tokenizer: Any) -> bool:
    """Return whether a tokenizer has a subword for the mark."""
    found = WordTokenizer(tokenizer).subwords(MARK)
    return bool(found) and tokenizer.unk_token_id not in found
