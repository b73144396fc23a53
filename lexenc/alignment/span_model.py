"""Span prediction: the input is a sentence with a marked word and its translation, the output a span of the latter.

Source: Nagata, Chousa and Nishino 2020, "A Supervised Word Alignment Method based on Cross-Language Span Prediction
using Multilingual BERT", section 3; Wu, Nagata and Tsuruoka 2023, "WSPAlign". Any model for extractive question
answering can be used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForQuestionAnswering

from lexenc.arrays import Indices, positions
from lexenc.device import CPU, Device
from lexenc.encoders.folder import forward_pass, guarded, saving, without_panic_reports
from lexenc.encoders.pretrained import (
    TYPES,
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


class Questions(NamedTuple):
    """Words whose translations to find.

    Args:
        pairs: Sentence pair of each word. Shape [q], int64.
        swapped: Whether the word is in the target sentence. Shape [q], bool.
        words: Position of the word in its sentence. Shape [q], int64.
    """

    pairs: Indices
    swapped: NDArray[np.bool_]
    words: Indices

    def chosen(self, rows: Any) -> Questions:
        """Return some of the questions."""
        return Questions(self.pairs[rows], self.swapped[rows], self.words[rows])


def all_questions(source: Pieces, target: Pieces, usable: NDArray[np.bool_]) -> Questions:
    """Return a question for every word that has subwords, in both directions.

    Args:
        source: Sentences.
        target: Their translations.
        usable: Which sentence pairs to include. Shape [n].
    """
    parts = []
    for swapped, side in ((False, source), (True, target)):
        pairs = np.repeat(np.arange(len(side)), side.lengths)
        words = positions(side.lengths)
        kept = (np.diff(side.words) > 0) & usable[pairs]
        parts.append(Questions(pairs[kept], np.full(int(kept.sum()), swapped), words[kept]))
    return Questions(*(np.concatenate(each) for each in zip(*parts, strict=True)))


class Batch(NamedTuple):
    """Questions as inputs of the model, padded to L subwords.

    Args:
        ids: Subwords. Shape [b, L].
        types: Token type ids. Shape [b, L].
        real: 0 for padding, else 1. Shape [b, L].
        owners: Answer at each position: 0 for no word (the first subword), j + 1 for word j of the context, -1 where no
            answer begins or ends. Shape [b, L].
        first: Position where the context begins. Shape [b].
        height: Number of words of the longest context.
    """

    ids: Tensor
    types: Tensor
    real: Tensor
    owners: Tensor
    first: Indices
    height: int


class SpanModel:
    """A model for extractive question answering, used with marked words.

    Args:
        module: Model of `AutoModelForQuestionAnswering`.
        tokenizer: Its tokenizer, of transformers.
        device: Device and precision of the computation; parameters stay in float32.

    Raises:
        ConfigError: If the tokenizer has no subword for the mark, or does not report words.
    """

    def __init__(self, module: nn.Module, tokenizer: Any, *, device: Device = CPU) -> None:
        self.words = WordTokenizer(tokenizer)
        self._frame = self.words.pair  # here, so that a damaged tokenizer is an error of loading
        self._mark = self.words.subwords(MARK)
        if not knows_mark(tokenizer):
            raise ConfigError(
                f"The model's tokenizer has no subword for {MARK}, which marks the word to align.",
                hint="Train a model with: lexenc align-train span",
            )
        self.module: Any = module.float().eval().to(device.torch)
        self.device = device
        self._tokenizer = tokenizer
        self._typed = takes_types(module, tokenizer)
        self.limit = longest_input(module)

    @classmethod
    def load(cls, folder: Path, *, device: Device = CPU, new_head: bool = False) -> SpanModel:
        """Load a model from a folder. Code that comes with it is never run, pickled weights are never read.

        Args:
            folder: Folder written by `save_pretrained`.
            device: Device and precision of the computation.
            new_head: Accept any transformer: add a new head for answers, with random numbers of PyTorch's generator,
                and add the mark to the tokenizer.

        Raises:
            ConfigError: If there is no such model in the folder.
        """
        hint = "Check that it is a complete folder of transformers, with safetensors. Copy it again."
        with without_panic_reports(), guarded(f"The model {folder} cannot be used", hint):
            return cls._load(folder, device, new_head)

    @classmethod
    def _load(cls, folder: Path, device: Device, new_head: bool) -> SpanModel:
        module, missing = load_pretrained(AutoModelForQuestionAnswering, folder)
        if missing and not new_head:
            raise ConfigError(
                f"The model {folder} answers no questions ({next(iter(missing))} is missing).",
                hint="Train it with: lexenc align-train span",
            )
        tokenizer = load_tokenizer(folder)
        if new_head and not knows_mark(tokenizer):
            tokenizer.add_tokens([MARK])
            with quiet_transformers():
                module.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        kinds = getattr(module.config, "type_vocab_size", 0) or 0
        if new_head and kinds > 1 and TYPES not in tokenizer.model_input_names:
            tokenizer.model_input_names = [*tokenizer.model_input_names, TYPES]
            tokenizer.init_kwargs["model_input_names"] = tokenizer.model_input_names  # what is saved
        return cls(module, tokenizer, device=device)

    def save(self, folder: Path) -> None:
        """Write a folder that `AutoModelForQuestionAnswering` and `AutoTokenizer` load; safetensors."""
        with saving(folder) as place, quiet_transformers():
            self.module.save_pretrained(place)
            self._tokenizer.save_pretrained(place)

    def sizes(self, source: Pieces, target: Pieces) -> Indices:
        """Return the number of subwords of a question about each sentence pair, the same for every word. Shape [n]."""
        return source.sizes + target.sizes + 2 * len(self._mark) + self.words.pair.size

    def batch(self, source: Pieces, target: Pieces, questions: Questions) -> Batch:
        """Return questions as a batch: the sentence with the marked word, then the other sentence.

        Args:
            source: Sentences.
            target: Their translations.
            questions: Questions about words with subwords, none longer than `limit`.
        """
        frame, mark = self._frame, self._mark
        lines, types, owners, first = [], [], [], []
        for pair, swapped, word in zip(*(each.tolist() for each in questions), strict=True):
            asked, context = (target, source) if swapped else (source, target)
            (ids, bounds), (other, edges) = asked.sentence(pair), context.sentence(pair)
            begin, end = bounds[word : word + 2].tolist()
            head = [frame.before, ids[:begin], mark, ids[begin:end], mark, ids[end:]]
            start = len(frame.before) + len(ids) + 2 * len(mark) + len(frame.between)
            line = np.concatenate([*head, frame.between, other, frame.after]).astype(np.int64)
            owner = np.full(len(line), -1, dtype=np.int64)
            owner[0], owner[start : start + len(other)] = 0, np.repeat(np.arange(1, len(edges)), np.diff(edges))
            lines.append(line)
            types.append(np.array(frame.types(len(ids) + 2 * len(mark), len(other)), dtype=np.int64))
            owners.append(owner)
            first.append(start)
        return Batch(
            ids=self._padded(lines, self._tokenizer.pad_token_id or 0),
            types=self._padded(types, 0),
            real=self._padded([np.ones_like(line) for line in lines], 0),
            owners=self._padded(owners, -1),
            first=np.array(first, dtype=np.int64),
            height=max(int(owner.max()) for owner in owners),
        )

    def _padded(self, rows: list[Indices], filler: int) -> Tensor:
        padded: Tensor = pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True, padding_value=filler)
        return padded.to(self.device.torch)

    def logits(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Score every position as the beginning and as the end of the answer.

        Returns:
            Two tensors of shape [b, L], float32; minus infinity where no answer begins or ends.
        """
        given = {"input_ids": batch.ids, "attention_mask": batch.real}
        if self._typed:
            given[TYPES] = batch.types
        device, dtype = self.device.torch, self.device.dtype
        lower = torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)
        with forward_pass(self.module.config.name_or_path), lower:
            found = self.module(**given)
        outside = batch.owners < 0
        start, end = (
            each.float().masked_fill(outside, float("-inf")) for each in (found.start_logits, found.end_logits)
        )
        return start, end

    def probabilities(self, batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the probabilities that the answer begins, and ends, with each word.

        Returns:
            Two arrays of shape [b, 1 + words of the longest context]: first for no answer, then for each word of the
            context the sum over its subwords.
        """
        with torch.inference_mode():
            owners = batch.owners.clamp(min=0)
            tables = (
                each.new_zeros(len(each), 1 + batch.height).scatter_add_(1, owners, torch.softmax(each, dim=1))
                for each in self.logits(batch)
            )
            start, end = (table.cpu().numpy() for table in tables)
        return start, end


def knows_mark(tokenizer: Any) -> bool:
    """Return whether a tokenizer has a subword for the mark."""
    found = WordTokenizer(tokenizer).subwords(MARK)
    return bool(found) and tokenizer.unk_token_id not in found
