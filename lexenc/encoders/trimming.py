"""Smaller vocabularies: an encoder that keeps only the subwords that a corpus needs.

The texts of the corpus keep their subwords and their vectors. Most of the parameters of a multilingual encoder are
vectors of subwords of other languages.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer, pre_tokenizers
from transformers import AutoModel, AutoModelForMaskedLM

from lexenc.device import CPU
from lexenc.encoders.base import Encoder, printable
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.folder import (
    COPY,
    READ,
    count_numbers,
    places_of,
    read_model_settings,
    read_modules,
    read_settings,
    saving,
    splitting,
    tensor_shapes,
)
from lexenc.encoders.load import encoder_kind, load_encoder
from lexenc.encoders.pretrained import position_offset, quiet_transformers
from lexenc.encoders.static import StaticEncoder
from lexenc.encoders.subwords import uncut_tokenizer
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError, DataError
from lexenc.progress import SILENT, Progress
from lexenc.randomness import generator
from lexenc.structured import opened_tensors

TYPES = ("Unigram", "BPE", "WordPiece")
"""Types of tokenizers of which subwords can be left out."""
SAMPLE = 128
"""Texts whose vectors are compared."""
_BLOCK = 1024  # texts tokenised at once
_ROUNDS = 6
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_NUMBER = re.compile(r"\w+_token_id|(pad|unk|bos|eos|mask)_index")
_METASPACE = "\u2581"


class Trimmed(NamedTuple):
    """What became of an encoder; each pair is before and after.

    Args:
        subwords: Number of subwords.
        parameters: Number of parameters, those of a head included.
        size: Bytes of its files.
        texts: Number of texts of the corpus.
    """

    subwords: tuple[int, int]
    parameters: tuple[int, int]
    size: tuple[int, int]
    texts: int


def trim_vocabulary(
    folder: Path, out: Path, texts: Callable[[], Iterable[str]], *, progress: Progress = SILENT
) -> Trimmed:
    """Write an encoder that keeps only the subwords of a corpus, its characters, and special subwords.

    All texts are tokenised again with the result, and have to have the same subwords, after each of the encoder's
    prompts; a sample of `SAMPLE` has to have the same vectors, bit for bit.

    Args:
        folder: Folder of a static encoder or a transformer.
        out: Folder of the result.
        texts: Returns the texts of the corpus; called several times.
        progress: Progress bars to update.

    Raises:
        ConfigError: If the encoder is of another kind, or its tokenizer is.
        DataError: If it is damaged, there are no texts, or a text gets other subwords or another vector.

    Memory: the encoder, and one block of texts.
    """
    encoder = _load(folder)
    source: _Static | _Transformer
    source = _Static(encoder) if isinstance(encoder, StaticEncoder) else _Transformer(folder, encoder)
    vocabulary = _Vocabulary(folder, source.body, source.size)
    corpus = _Corpus(texts, sorted({"", *_prompts(folder)}), special=isinstance(encoder, TransformerEncoder))
    before = uncut_tokenizer(encoder.tokenizer)
    with progress.task("Reading", None, "texts") as task:
        seen, sample = corpus.subwords(before, task.advance)
    kept = seen | vocabulary.needed | source.needed | vocabulary.characters(corpus.characters)
    for _ in range(_ROUNDS):
        rows = np.array(sorted(vocabulary.closed(kept)), dtype=np.int64)
        source.write(out, vocabulary.renumbered(rows), rows)
        trimmed = _load(out)
        with progress.task("Comparing", corpus.size, "texts") as task:
            missing = corpus.missing(before, uncut_tokenizer(trimmed.tokenizer), rows, vocabulary, task.advance)
        if not missing - kept:
            break
        kept |= missing
    else:
        raise _changed(folder, "Some texts get other subwords.")
    if missing:
        raise _changed(folder, "Some texts get other subwords, although all of theirs are kept.")
    old, new = (encode_texts(cast(Encoder, each), sample) for each in (encoder, trimmed))
    if not np.array_equal(old, new):
        raise _changed(folder, f"The vectors of some texts differ by {np.abs(old - new).max():.2g}.")
    places = ((len(before.get_vocab()), folder), (len(rows), out))
    return Trimmed(
        (places[0][0], places[1][0]),
        cast(tuple[int, int], tuple(_numbers(each) for _, each in places)),
        cast(tuple[int, int], tuple(sum(path.stat().st_size for path in _files(each)) for _, each in places)),
        corpus.size,
    )


def _load(folder: Path) -> StaticEncoder | TransformerEncoder:
    if encoder_kind(folder) not in ("static", "transformer"):
        raise ConfigError(
            f"The encoder {folder} is of the kind {encoder_kind(folder)}, whose subwords cannot be left out.",
            hint="Use a static encoder or a transformer.",
        )
    encoder: Any = load_encoder(folder, device=CPU)
    return cast("StaticEncoder | TransformerEncoder", encoder)


def _changed(folder: Path, what: str) -> DataError:
    return DataError(
        f"The vocabulary of the encoder {folder} cannot be made smaller. {what}",
        hint="Its tokenizer works in a way that lexenc does not know. Use the encoder as it is.",
    )


def _prompts(folder: Path) -> list[str]:
    return [prompt for prompt in (read_model_settings(folder).prompts or {}).values() if prompt]


def _files(folder: Path) -> list[Path]:
    """Return the files of which an encoder is made."""
    names = (path for place in places_of(folder) if place.is_dir() for path in sorted(place.iterdir()))
    wanted = (path for path in names if path.suffix == ".safetensors" or READ.fullmatch(path.name))
    return [*wanted, *(each for place in places_of(folder) if (each := place / "tokenizer.json").is_file())]


def _numbers(folder: Path) -> int:
    return sum(count_numbers(tensor_shapes(place)) for place in places_of(folder) if place.is_dir())


# ---------------------------------------------------------------- the corpus


class _Corpus:
    """The texts, read again and again.

    Args:
        texts: Returns them.
        prompts: What may precede a text.
        special: Whether special subwords surround a text.
    """

    def __init__(self, texts: Callable[[], Iterable[str]], prompts: Sequence[str], *, special: bool) -> None:
        self._texts, self._prompts, self._special = texts, prompts, special
        self.size = 0
        self.characters: set[str] = set()

    def _blocks(self, advance: Callable[[int], None]) -> Iterator[list[str]]:
        """Yield some texts at a time, each of them once."""
        texts = iter(self._texts())
        while block := list(islice(texts, _BLOCK)):
            yield list(dict.fromkeys(map(printable, block)))
            advance(len(block))

    def _prompted(self, texts: list[str]) -> list[str]:
        return [prompt + text for prompt in self._prompts for text in texts]

    def _ids(self, tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
        with splitting():
            return [each.ids for each in tokenizer.encode_batch_fast(texts, add_special_tokens=self._special)]

    def subwords(self, tokenizer: Tokenizer, advance: Callable[[int], None]) -> tuple[set[int], list[str]]:
        """Return the subwords of all texts, and a sample of the texts. Collect their characters."""
        found: set[int] = set()
        sample: list[str] = []
        draw = generator(0, "texts to compare")
        normalise = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
        seen = 0

        def count(texts: int) -> None:
            self.size += texts
            advance(texts)

        for block in self._blocks(count):
            prompted = self._prompted(block)
            for ids in self._ids(tokenizer, prompted):
                found.update(ids)
            with splitting():
                self.characters.update(*(normalise(text) for text in prompted))
            for text in block:
                seen += 1
                place = len(sample) if len(sample) < SAMPLE else int(draw.integers(seen))
                sample[place : place + 1] = [text] if place < SAMPLE else []
        if not self.size:
            raise DataError("The corpus contains no texts.", hint="Use a text file with one sentence per line.")
        return found, sample

    def missing(
        self,
        before: Tokenizer,
        after: Tokenizer,
        rows: NDArray[np.int64],
        vocabulary: _Vocabulary,
        advance: Callable[[int], None],
    ) -> set[int]:
        """Return all subwords that are part of texts which the smaller vocabulary splits in another way."""
        found: set[int] = set()
        numbers = {int(row): number for number, row in enumerate(rows)}
        for block in self._blocks(advance):
            texts = self._prompted(block)
            for text, old, new in zip(texts, self._ids(before, texts), self._ids(after, texts), strict=True):
                if [numbers.get(each) for each in old] != new:
                    found |= vocabulary.inside(before, text)
        return found


# ---------------------------------------------------------------- the vocabulary


class _Vocabulary:
    """The vocabulary of a tokenizer.

    Args:
        folder: Folder of the encoder, for messages.
        body: The content of its tokenizer.json.
        size: Number of vectors.

    Attributes:
        needed: Subwords that stay in any case.

    Raises:
        ConfigError: If the tokenizer is of another type than `TYPES`.
    """

    def __init__(self, folder: Path, body: dict[str, Any], size: int) -> None:
        self._body, self._model = body, body["model"]
        kind = self._model["type"]
        if kind not in TYPES:
            raise ConfigError(
                f"The tokenizer of the encoder {folder} is of the type {kind}, expected {', '.join(TYPES)}.",
                hint="Use the encoder as it is.",
            )
        listed = kind == "Unigram"
        pieces = self._model["vocab"]
        self._ids: dict[str, int] = {piece: row for row, (piece, _) in enumerate(pieces)} if listed else dict(pieces)
        self._prefix: str = self._model.get("continuing_subword_prefix") or ""
        self._suffix: str = self._model.get("end_of_word_suffix") or ""
        self._longest = max(map(len, self._ids), default=0)
        added = {each["content"]: int(each["id"]) for each in body["added_tokens"]}
        self.needed = {*added.values(), *_numbers_of(body["post_processor"])}
        if listed:
            # The score of an unknown character depends on the lowest score.
            self.needed |= {int(np.argmin([score for _, score in pieces]))} if pieces else set()
            self.needed |= {self._model["unk_id"]} - {None}
        unknown = self._model.get("unk_token")
        self.needed |= {(self._ids | added)[each] for each in (unknown,) if each in self._ids or each in added}
        if body["padding"]:
            self.needed.add(body["padding"]["pad_id"])
        steps = json.dumps([body["normalizer"], body["pre_tokenizer"]])
        single = pre_tokenizers.ByteLevel.alphabet() if "ByteLevel" in steps else []
        self.needed |= {self._ids[each] for each in single if each in self._ids}
        if self._model.get("byte_fallback"):
            self.needed |= {number for piece, number in self._ids.items() if _BYTE.fullmatch(piece)}
        self.needed = {number for number in self.needed if 0 <= number < size}

    def characters(self, characters: Iterable[str]) -> set[int]:
        """Return the subwords that are one character, so that new words of the language are not unknown."""
        forms = (form for each in characters for form in self._forms(each))
        return {self._ids[form] for form in forms if form in self._ids}

    def _forms(self, text: str) -> tuple[str, ...]:
        return (text, self._prefix + text, text + self._suffix, _METASPACE + text)

    def inside(self, tokenizer: Tokenizer, text: str) -> set[int]:
        """Return all subwords that occur in a text."""
        with splitting():
            shown = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
            split = tokenizer.pre_tokenizer.pre_tokenize_str(shown) if tokenizer.pre_tokenizer else [(shown, (0, 0))]
        found = set()
        for word, _ in split:
            for first in range(len(word)):
                for last in range(first + 1, min(len(word), first + self._longest) + 1):
                    found |= {self._ids[form] for form in self._forms(word[first:last]) if form in self._ids}
        return found

    def closed(self, kept: Collection[int]) -> set[int]:
        """Return subwords with those of which merges make them."""
        closed = set(kept)
        if self._model["type"] != "BPE":
            return closed
        parts: dict[int, list[tuple[str, str]]] = {}
        for first, second in self._model["merges"]:
            whole = self._ids.get(first + second.removeprefix(self._prefix))
            if whole is not None:
                parts.setdefault(whole, []).append((first, second))
        waiting = list(closed)
        while waiting:
            for pair in parts.get(waiting.pop(), ()):
                fresh = {self._ids[each] for each in pair if each in self._ids} - closed
                closed |= fresh
                waiting += fresh
        return closed

    def renumbered(self, rows: NDArray[np.int64]) -> str:
        """Return the tokenizer.json that has only some subwords, numbered from 0.

        Args:
            rows: Their numbers so far, in order. Shape [v].
        """
        numbers = {int(row): number for number, row in enumerate(rows)}
        body: dict[str, Any] = {name: deepcopy(each) for name, each in self._body.items() if name != "model"}
        model = dict(self._model)
        if model["type"] == "Unigram":
            model["vocab"] = [each for row, each in enumerate(model["vocab"]) if row in numbers]
            model["unk_id"] = numbers.get(model["unk_id"])
        else:
            ordered = sorted((row, piece) for piece, row in self._ids.items() if row in numbers)
            model["vocab"] = {piece: numbers[row] for row, piece in ordered}
        if model["type"] == "BPE":
            known = model["vocab"]
            merges = ((first, second) for first, second in model["merges"] if first in known and second in known)
            model["merges"] = [list(each) for each in merges if each[0] + each[1].removeprefix(self._prefix) in known]
        for each in body["added_tokens"]:
            each["id"] = numbers[each["id"]]
        _renumber(body["post_processor"], numbers)
        if body["padding"]:
            body["padding"]["pad_id"] = numbers.get(body["padding"]["pad_id"], 0)
        return json.dumps(body | {"model": model}, ensure_ascii=False)


def _numbers_of(step: Any) -> set[int]:
    """Return the numbers of subwords that a post-processor adds."""
    found: set[int] = set()
    for each in (step or {}).get("processors", []):
        found |= _numbers_of(each)
    for name in ("sep", "cls"):
        found |= {step[name][1]} if step and name in step else set()
    for special in _specials(step):
        found |= set(special["ids"])
    return found


def _specials(step: Any) -> list[Any]:
    special = (step or {}).get("special_tokens")
    return list(special.values()) if isinstance(special, dict) else []


def _renumber(step: Any, numbers: dict[int, int]) -> None:
    """Replace the numbers of subwords that a post-processor adds."""
    for each in (step or {}).get("processors", []):
        _renumber(each, numbers)
    for name in ("sep", "cls"):
        if step and name in step:
            step[name][1] = numbers.get(step[name][1], 0)
    for special in _specials(step):
        special["ids"] = [numbers.get(each, 0) for each in special["ids"]]


# ---------------------------------------------------------------- the model


class _Static:
    """A static encoder."""

    def __init__(self, encoder: StaticEncoder) -> None:
        self._encoder = encoder
        self.body: dict[str, Any] = json.loads(encoder.tokenizer.to_str())
        self.size = int(cast(Any, encoder.module)[0].num_embeddings)
        self.needed: set[int] = set()

    def write(self, out: Path, tokenizer: str, rows: NDArray[np.int64]) -> None:
        self._encoder.chosen(Tokenizer.from_str(tokenizer), rows).save(out)


class _Transformer:
    """A transformer, with the head of its folder if there is one.

    Args:
        folder: Its folder.
        encoder: The encoder loaded from it.

    Raises:
        ConfigError: If the model has a decoder, or its tokenizer is no tokenizer.json.
        DataError: If the weights are not those of the vocabulary.
    """

    def __init__(self, folder: Path, encoder: TransformerEncoder) -> None:
        self._folder = folder
        modules = read_modules(folder)
        deeper = folder / (modules[0].path if modules else "")
        self._place = deeper if (deeper / "config.json").is_file() else folder / "0_Transformer"
        model: Any = cast(Any, encoder.module)[0].auto_model
        self._config = model.config
        if not (self._place / "tokenizer.json").is_file():
            raise ConfigError(
                f"The encoder {folder} has no tokenizer.json.",
                hint="Write one with transformers: AutoTokenizer.from_pretrained(folder).save_pretrained(folder).",
            )
        if encoder.partial or self._config.is_encoder_decoder or not hasattr(self._config, "vocab_size"):
            raise ConfigError(
                f"The vocabulary of the encoder {folder} ({self._config.model_type}) is shared with other parts.",
                hint="Use an encoder such as XLM-R or BERT.",
            )
        fast = Tokenizer.from_buffer((self._place / "tokenizer.json").read_bytes())
        self.body: dict[str, Any] = json.loads(fast.to_str())
        self._prefix, self._vectors, self._others = _tensors_of(self._config)
        size = self.size = int(self._config.vocab_size)
        known = set(fast.get_vocab().values())
        self.needed = {number for _, number in _special_numbers(self._config.to_dict())} & known
        if offset := position_offset(model):  # positions begin after the number of the padding, which must not change
            self.needed |= set(range(offset))
        if max(known, default=0) >= size:
            raise DataError(
                f"The tokenizer of the encoder {folder} has numbers up to {max(known):,}, "
                f"but there are {size:,} vectors.",
                hint=f"They belong to different models. {COPY}",
            )

    def write(self, out: Path, tokenizer: str, rows: NDArray[np.int64]) -> None:
        numbers = {int(row): number for number, row in enumerate(rows)}
        for path in _files(self._folder):
            target = out / path.relative_to(self._folder)
            own = path.parent == self._place
            if own and (path.suffix == ".safetensors" or path.name in ("generation_config.json", "added_tokens.json")):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if own and path.name == "tokenizer.json":
                target.write_text(tokenizer, encoding="utf-8")
            elif own and path.name in ("config.json", "tokenizer_config.json"):
                settings = read_settings(path)
                change = self._changed_config if path.name == "config.json" else _changed_tokenizer
                text = json.dumps(change(settings, numbers), indent=2, ensure_ascii=False)
                target.write_text(text + "\n", encoding="utf-8")
            else:
                shutil.copyfile(path, target)
        with saving(out / self._place.relative_to(self._folder)) as place:
            save_file(self._weights(torch.from_numpy(rows)), place / "model.safetensors", metadata={"format": "pt"})

    def _changed_config(self, settings: dict[str, Any], numbers: dict[int, int]) -> dict[str, Any]:
        changed = settings | {"vocab_size": len(numbers)}
        # Numbers that are not in the file are those of the class of the model.
        for name, number in _special_numbers(self._config.to_dict()):
            if numbers.get(number, number) != number or name in settings:
                changed[name] = _mapped(self._config.to_dict()[name], numbers)
        return changed

    def _weights(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the tensors of the folder, those of the vocabulary with only some rows."""
        found: dict[str, torch.Tensor] = {}
        size, chosen = self._config.vocab_size, 0
        whole = self._place / "model.safetensors"
        for path in [whole] if whole.is_file() else sorted(self._place.glob("*.safetensors")):
            with opened_tensors(path, "pt", hint=COPY) as stream:
                tensors = {name: stream.get_tensor(name) for name in stream.keys()}
            for name, tensor in tensors.items():
                own = name.removeprefix(self._prefix)
                if own in self._vectors:
                    if len(tensor) != size:
                        raise DataError(
                            f"The tensor '{name}' of {path} has {len(tensor):,} rows for {size:,} subwords.", hint=COPY
                        )
                    found[name], chosen = tensor[rows], chosen + (tensor.ndim == 2)
                elif own in self._others or tensor.shape[:1] != (size,):  # else it belongs to an unknown head
                    found[name] = tensor
        if not chosen:
            raise DataError(f"The vectors of the subwords of {self._folder} were not found.", hint=COPY)
        return found


def _tensors_of(config: Any) -> tuple[str, set[str], set[str]]:
    """Return the prefix of the tensors of a model, and the names, without it, of those with a row for every subword.

    The last are the names of all others.
    """
    with torch.device("meta"), quiet_transformers():
        try:
            model = AutoModelForMaskedLM.from_config(deepcopy(config))
        except ValueError:  # a model without such a head
            model = AutoModel.from_config(deepcopy(config))
    prefix = f"{model.base_model_prefix}."
    tables = [each for each in (model.get_input_embeddings(), model.get_output_embeddings()) if each is not None]
    found: set[str] = set()
    for place, part in model.named_modules():
        own = dict(part.named_parameters(recurse=False))
        # The head of a model may have the bias of its last layer.
        near = any(child is table for child in part.children() for table in tables[1:])
        if any(part is table for table in tables):
            found |= {f"{place}.{name}" for name in own}
        elif near:
            found |= {f"{place}.{name}" for name, each in own.items() if each.shape == (config.vocab_size,)}
    names = {name.removeprefix(prefix) for name in model.state_dict()}
    found = {name.removeprefix(prefix) for name in found}
    return prefix, found, names - found


def _special_numbers(settings: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the settings of a model that are numbers of subwords; a list of numbers gives several."""
    found = []
    for name, value in settings.items():
        if _NUMBER.fullmatch(name):
            numbers = value if isinstance(value, list) else [value]
            found += [(name, each) for each in numbers if type(each) is int]
    return found


def _mapped(value: Any, numbers: Mapping[int, int]) -> Any:
    if isinstance(value, list):
        return [_mapped(each, numbers) for each in value]
    return numbers.get(value, value)


def _changed_tokenizer(settings: dict[str, Any], numbers: dict[int, int]) -> dict[str, Any]:
    added = settings.get("added_tokens_decoder")
    if not isinstance(added, dict):
        return settings
    known = {str(old): str(new) for old, new in numbers.items()}
    kept = {known[number]: each for number, each in added.items() if number in known}
    return settings | {"added_tokens_decoder": kept}
