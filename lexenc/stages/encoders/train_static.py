"""train-static: text -> word vectors (fastText)."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lexenc.errors import DataError, WorkError
from lexenc.files.text import check_language, counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage

_WORD = re.compile(r"\w+")
_PERTURB = -6  # M_PERTURB of malloc.h


@dataclass(frozen=True)
class TrainStaticParams:
    """Parameters of `train-static`; names as fastText's users know them, in full."""

    model: Literal["skipgram", "cbow"] = param("skipgram", "What fastText learns to predict.")
    dimensions: int = param(300, "Length of a vector.", ge=1)
    epochs: int = param(5, "Passes over the text.", ge=1)
    minimum_count: int = param(5, "Occurrences that a word needs.", ge=1)
    shortest_subword: int = param(3, "Shortest character n-gram; 0 for words only.", ge=0)
    longest_subword: int = param(6, "Longest character n-gram; 0 for words only.", ge=0)
    window: int = param(5, "Words of context on each side.", ge=1)
    negatives: int = param(5, "Random words against each true one.", ge=1)
    learning_rate: float = param(0.05, "At the start; falls to 0.", gt=0)
    buckets: int = param(2_000_000, "Places for character n-grams; fewer need less memory.", ge=1)
    lowercase: bool = param(True, "Lower-case the text first.")
    language: str | None = param(
        None, "Language code (BCP-47), for lower-casing: 'tr' gives I its dotless small form.", check=check_language
    )
    words_only: bool = param(True, "Keep words, drop punctuation; --no-words-only splits at spaces as fastText does.")
    threads: int = param(1, "Threads; with more than one, fastText gives slightly other vectors on every run.", ge=1)
    write: tuple[str, ...] = param((), "Also write other formats: vec, bin (the whole fastText model), or both.")


def train_static(inputs: dict[str, Any], params: TrainStaticParams, job: Job) -> Outcome:
    """Train fastText on one or more text files."""
    import numpy as np

    from lexenc.files.vectors import save_vectors, write_vec
    from lexenc.randomness import derived_seed

    text = job.out / "text.txt"
    lines, known = _prepare(inputs["text"], text, params)
    job.notices.say(f"{counted(lines, 'line')}, {counted(params.threads, 'thread')}.")
    try:
        model = _train(text, params, known, derived_seed(job.seed, "fasttext") % (1 << 31))
    except ValueError as error:  # fastText raises it for text without a word that is frequent enough
        reason = str(error).rstrip(".")
        raise DataError(
            f"fastText cannot learn from this text: {reason}.", hint="Lower --minimum-count, or give more text."
        ) from None
    except RuntimeError as error:  # its numbers grew beyond all bounds
        raise WorkError(
            f"fastText gave up: {str(error).rstrip('.')}.", hint="Lower --learning-rate, or give more text."
        ) from None
    finally:
        text.unlink(missing_ok=True)
    # fastText puts its end-of-line token among the words; it is no word of the text.
    words = [word for word in model.get_words() if word != "</s>"]
    matrix = np.stack([model.get_word_vector(word) for word in words]).astype(np.float32)
    save_vectors(job.out, words, matrix)
    if "vec" in params.write:
        write_vec(job.out / "vectors.vec", words, matrix)
    if "bin" in params.write:
        model.save_model(str(job.out / "model.bin"))
    return Outcome({"words": len(words), "dimensions": params.dimensions, "lines": lines})


def _train(text: Path, params: TrainStaticParams, words: int, seed: int) -> Any:
    """Do what `fasttext.train_unsupervised` does; it refuses the seed, which everything below it knows."""
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
        # One thread sets the first tenth of the matrix to random numbers: with these rows after them, all words.
        args.bucket = 9 * words
    with _zeroed_memory():
        model = FastText._FastText(args=args)
        FastText.fasttext.train(model.f, args)
    model.set_args(model.f.getArgs())
    return model


@contextmanager
def _zeroed_memory() -> Iterator[None]:
    """Have the C library set new memory to zero.

    fastText leaves nine tenths of its matrix as it finds them. In memory that was used before these are any bits, and
    the vectors then differ from run to run, or are no numbers at all.
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


def _prepare(paths: Sequence[Path], text: Path, params: TrainStaticParams) -> tuple[int, int]:
    """Write the text as fastText reads it: words between spaces. Gives the number of lines and of frequent words."""
    from lexenc.files.text import write_lines

    count = 0
    seen: Counter[str] = Counter()

    def prepared() -> Iterator[str]:
        nonlocal count
        for line in _sentences(paths):
            words = _words(line, params)
            if words:
                count += 1
                seen.update(words)
                yield " ".join(words)

    write_lines(text, prepared())
    if not count:
        names = ", ".join(str(path) for path in paths)
        raise DataError(f"There are no words in {names}.", hint="Give a text file with one sentence per line.")
    return count, sum(each >= params.minimum_count for each in seen.values())


def _sentences(paths: Iterable[Path]) -> Iterator[str]:
    from lexenc.files.text import read_lines

    for path in paths:
        yield from (line for _, line in read_lines(path))


def _words(line: str, params: TrainStaticParams) -> list[str]:
    from lexenc.files.text import fold_case

    line = fold_case(line, params.language) if params.lowercase else line
    return _WORD.findall(line) if params.words_only else line.split()


def check_train_static(inputs: Any, params: TrainStaticParams) -> list[Any]:
    """Give the faults that only several values together show."""
    from lexenc.errors import unknown_name

    return [unknown_name("format", name, ("vec", "bin")) for name in params.write if name not in ("vec", "bin")]


TRAIN_STATIC = Stage(
    name="train-static",
    version=1,
    inputs={"text": Input("Text, one sentence per line. May be given several times.", many=True)},
    params=TrainStaticParams,
    run=train_static,
    makes="vectors.npy and words.txt, by frequency; on request vectors.vec and model.bin.",
    examples=(("lexenc train-static --text corpus.en.txt --dimensions 150 --epochs 10 --out runs/static-en", ""),),
    next_step="lexenc map --source {out} --target OTHER-LANGUAGE --dictionary DICTIONARY --out runs/mapped",
    uses_seed=True,
    check=check_train_static,
)
