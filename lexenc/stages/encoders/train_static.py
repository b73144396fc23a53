"""train-static: text -> word vectors (fastText)."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import numpy as np

from lexenc.durable import reserve
from lexenc.errors import ConfigError, DataError, WorkError, unknown_name
from lexenc.files.text import counted, read_lines, write_lines
from lexenc.files.vec_fasttext import check_whole
from lexenc.files.vectors import save_vectors, write_vec
from lexenc.parameters import param
from lexenc.randomness import derived_seed
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import folding_of, unicode_param
from lexenc.text.folding import COMPOSED, UnicodeForm, check_language
from lexenc.text.words import SHOWING, UNSPACED_HINT, letter_pattern, spacing_of

_PERTURB = -6  # M_PERTURB of malloc.h
_LISTEN_SECONDS = 0.2  # where waiting for a thread cannot be interrupted
_FORMATS = ("vec", "bin")


@dataclass(frozen=True)
class TrainStaticParams:
    """Parameters of `train-static`, named like those of fastText."""

    model: Literal["skipgram", "cbow"] = param("skipgram", "Model of fastText.")
    dimensions: int = param(300, "Length of a vector.", ge=1)
    epochs: int = param(5, "Number of passes over the text.", ge=1)
    minimum_count: int = param(5, "Minimum number of occurrences of a word.", ge=1)
    shortest_subword: int = param(3, "Length of the shortest character n-grams; 0 for none.", ge=0)
    longest_subword: int = param(6, "Length of the longest character n-grams; 0 for none.", ge=0)
    window: int = param(5, "Number of context words on each side.", ge=1)
    negatives: int = param(5, "Number of negative samples per word.", ge=1)
    learning_rate: float = param(0.05, "Learning rate at the start; it decreases to 0.", gt=0)
    buckets: int = param(2_000_000, "Number of hash buckets for character n-grams; fewer need less memory.", ge=1)
    lowercase: bool = param(True, "Lower-case the text.")
    unicode: UnicodeForm = unicode_param()
    language: str | None = param(
        None, "BCP-47 code of the language, for lower-casing; e.g. Turkish has a dotless i.", check=check_language
    )
    words_only: bool = param(True, "Drop punctuation. With --no-words-only the text is split at spaces only.")
    threads: int = param(1, "Number of threads. With more than one, the vectors differ slightly between runs.", ge=1)
    write: tuple[str, ...] = param((), "Additional formats: vec, bin (the whole fastText model), or both.")


def train_static(inputs: dict[str, Any], params: TrainStaticParams, job: Job) -> Outcome:
    """Train fastText on one or more text files."""
    text = job.out / "text.txt"
    lines, known = _prepare(inputs["text"], text, params, job)
    if not known:
        raise DataError(
            f"No word occurs {counted(params.minimum_count, 'time')} or more.",
            hint="Lower --minimum-count, or use more text.",
        )
    job.notices.say(f"{counted(lines, 'line')}, {counted(params.threads, 'thread')}.")
    saved = job.out / "model.bin"
    if "bin" in params.write:
        # fastText frees the space again when it opens the file, but a disk that is too small is known before the work.
        reserve(saved, 4 * params.dimensions * (2 * known + params.buckets * (params.longest_subword > 0)))
    try:
        model = _train(text, params, known, derived_seed(job.seed, "fasttext") % (1 << 31))
    except ValueError as error:  # no word is frequent enough
        reason = str(error).rstrip(".")
        raise DataError(
            f"fastText cannot learn from this text: {reason}.", hint="Lower --minimum-count, or use more text."
        ) from None
    except RuntimeError as error:  # the numbers overflowed
        raise WorkError(
            f"fastText failed: {str(error).rstrip('.')}.", hint="Lower --learning-rate, or use more text."
        ) from None
    finally:
        text.unlink(missing_ok=True)
    # The end-of-line token of fastText is not a word of the text.
    words = [word for word in model.get_words() if word != "</s>"]
    matrix = np.stack([model.get_word_vector(word) for word in words]).astype(np.float32)
    save_vectors(job.out, words, matrix)
    if "vec" in params.write:
        write_vec(job.out / "vectors.vec", words, matrix)
    if "bin" in params.write:
        _save(model, saved)
    return Outcome({"words": len(words), "dimensions": params.dimensions, "lines": lines})


def _train(text: Path, params: TrainStaticParams, words: int, seed: int) -> Any:
    """Do the same as `fasttext.train_unsupervised`, which does not accept a seed."""
    from fasttext import FastText

    settings = FastText.unsupervised_default | {
        "input": str(text),
        "model": params.model,
        "dim": params.dimensions,
        "epoch": params.epochs,
        "minCount": params.minimum_count,
        "minn": params.shortest_subword,
        "maxn": params.longest_subword,
        "ws": params.window,
        "neg": params.negatives,
        "lr": params.learning_rate,
        "bucket": params.buckets,
        "thread": params.threads,
        "seed": seed,
        "verbose": 0,
    }
    args = FastText._build_args(settings, set())
    if params.longest_subword == 0:
        # A thread initialises only the first tenth of the matrix; with these additional rows that covers all words.
        args.bucket = 9 * words
    with _zeroed_memory():
        model = FastText._FastText(args=args)
        _run_beside(lambda: FastText.fasttext.train(model.f, args))
    model.set_args(model.f.getArgs())
    return model


def _run_beside(work: Callable[[], None]) -> None:
    """Run a function of C++ in a thread of its own, so that a request to stop is answered while it computes.

    After a request its results are dropped. It has no way to be ended: the thread ends with the process, or with the
    work if the process goes on.
    """
    errors: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LISTEN_SECONDS)
    if errors:
        raise errors[0]


def _save(model: Any, path: Path) -> None:
    """Save a model, and check that it is whole: fastText does not notice when the disk is full or fails."""
    try:
        model.save_model(str(path))
        check_whole(path)
    except (ValueError, DataError):
        raise WorkError(
            f"{path} could not be written as a whole.", hint="Check that the disk works and has enough free space."
        ) from None


@contextmanager
def _zeroed_memory() -> Iterator[None]:
    """Make the C library set new memory to zero.

    fastText does not initialise nine tenths of its matrix. In memory that was used before, the vectors would differ
    from run to run, or not be numbers at all.
    """
    try:
        adjust = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not the GNU C library
        yield
        return
    adjust(_PERTURB, 255)  # new bytes are the complement of this
    try:
        yield
    finally:
        adjust(_PERTURB, 0)


def _prepare(paths: Sequence[Path], text: Path, params: TrainStaticParams, job: Job) -> tuple[int, int]:
    """Write the text with spaces between words, as fastText reads it; return its lines and its frequent words."""
    count, seen, folding = 0, Counter[str](), folding_of(params)
    split = letter_pattern().findall if params.words_only else str.split
    unspaced: list[tuple[Path, int, int]] = []

    def prepared() -> Iterator[str]:
        nonlocal count
        for path in paths:
            before, lines = (count, seen.total()), (line for _, line in read_lines(path))
            first = list(islice(lines, SHOWING))
            for line in chain(first, lines):
                words = split(folding.fold(line, params.language))
                if words:
                    count += 1
                    seen.update(words)
                    yield " ".join(words)
            if spacing_of(first) == "unspaced":
                unspaced.append((path, count - before[0], seen.total() - before[1]))

    write_lines(text, prepared())
    if not count:
        names = ", ".join(str(path) for path in paths)
        raise DataError(f"There are no words in {names}.", hint="Use a text file with one sentence per line.")
    for path, lines, words in unspaced:
        job.notices.warn(
            f"{path}: {counted(lines, 'line')} became {counted(words, 'word')}, as no spaces separate its words.",
            f"{UNSPACED_HINT}, and give --no-words-only.",
        )
    twice = [word for word in seen if (composed := COMPOSED.fold(word)) != word and composed in seen]
    if twice:
        are = "is" if len(twice) == 1 else "are"
        job.notices.warn(
            f"{counted(len(twice), 'word')} {are} written in two Unicode forms, each of which counts ('{twice[0]}').",
            "With --unicode nfc they are one.",
        )
    return count, sum(each >= params.minimum_count for each in seen.values())


def check_train_static(inputs: Any, params: TrainStaticParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    return [unknown_name("format", name, _FORMATS) for name in params.write if name not in _FORMATS]


TRAIN_STATIC = Stage(
    name="train-static",
    version=2,
    inputs={"text": Input("Text, one sentence per line. Can be repeated.", many=True)},
    params=TrainStaticParams,
    run=train_static,
    makes="vectors.npy and words.txt, by frequency; with --write also vectors.vec and model.bin.",
    examples=("lexenc train-static --text corpus.en.txt --dimensions 150 --epochs 10 --out runs/static-en",),
    next_step="lexenc map --source {out} --target OTHER-VECTORS --dictionary DICTIONARY --out {new:mapped}",
    uses_seed=True,
    check=check_train_static,
)
