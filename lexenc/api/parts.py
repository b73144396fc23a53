"""Functions and objects that are no stage: pipelines, translation, and what loads and reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lexenc.api.results import Result
from lexenc.api.settings import PathLike, precision_of, setting, watcher
from lexenc.api.words import Words, in_words_of_python, notices_of
from lexenc.artifact import DigestStore
from lexenc.device import Device, Precision, check_device_name, choose_device
from lexenc.errors import ConfigError
from lexenc.progress import Progress
from lexenc.resources import bundled_path
from lexenc.stage import Job

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder, Pooling
    from lexenc.files.dictionaries import Pairs
    from lexenc.files.spaces import Space
    from lexenc.files.vectors import Vectors
    from lexenc.lexical.mapping import Mapping as LearnedMapping
    from lexenc.lexical.translation import Answer


def _path(name: PathLike) -> Path:
    """Find a file or folder, or what is bundled under a name.

    Raises:
        ConfigError: If it is not there.
    """
    path = bundled_path(os.fspath(name)) or Path(name)
    if not path.exists():
        raise ConfigError(f"There is nothing at {name}.", hint="Check the path.")
    return path


def run(
    pipeline: PathLike,
    *,
    start: str | None = None,
    until: str | None = None,
    only: str | None = None,
    force: bool = False,
    device: str | None = None,
    workdir: PathLike | None = None,
    progress: bool | Progress = False,
) -> dict[str, Result]:
    """Run the steps of a pipeline file; what is up to date is reused.

    Args:
        pipeline: The file (YAML).
        start: First step to run; earlier ones must be up to date.
        until: Last step to run.
        only: The only step to run.
        force: Replace results of other recipes.
        device: For all steps; None: LEXENC_DEVICE, else the file's.
        workdir: Folder for results, in place of the file's.
        progress: True draws bars; or an object with a `task` of your own.

    Returns:
        The result of every step, by its name.

    Raises:
        LexencError: As the command `run`.
    """
    from lexenc.pipeline import Watcher, chosen_steps, read_pipeline, run_pipeline

    made: dict[str, Result] = {}
    with in_words_of_python(Words(None)):
        device = device or os.environ.get("LEXENC_DEVICE")
        if device is not None:
            check_device_name(device)
        read = read_pipeline(_path(pipeline), workdir=None if workdir is None else Path(workdir))
        run_pipeline(
            read,
            chosen_steps(read, start=start, until=until, only=only),
            force=force,
            device=device,
            progress=watcher(progress),
            notices=notices_of(Words(None)),
            digests=DigestStore.default(),
            watcher=Watcher(
                after=lambda step, plan, manifest: made.update(
                    {step.name: Result.of(manifest, step.out, reused=plan.action == "reuse")}
                )
            ),
        )
    return made


def translate(  # noqa: PLR0913 - the options of the command
    words: Sequence[str],
    *,
    vectors: PathLike,
    top: int = 5,
    from_: str = "source",
    to: str = "target",
    retrieval: str = "nearest",
    encoder: PathLike | None = None,
    subwords: PathLike | None = None,
    device: str | None = None,
) -> list[Answer]:
    """Translate words, or list their neighbours within a language.

    Args:
        words: The words; those that the space does not hold are named in a warning.
        vectors: Shared space: a folder of map or interpolate.
        top: Answers per word.
        from_: Language of the words: source, target, or a name in a space of many languages.
        to: Language of the answers, likewise; the same lists neighbours.
        retrieval: How answers are ranked: nearest, csls or inverted-softmax.
        encoder: Encodes words that the space does not hold; the one that it was blended with.
        subwords: fastText .bin that makes vectors of words that the space does not hold; the one it was made from.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.

    Returns:
        Answers with `source`, `rank` (from 1), `target` and `score`, in the order of the words.

    Raises:
        LexencError: If there is no such space or encoder.
    """
    from lexenc.encoders.locate import locate_encoder
    from lexenc.stages.lexical.translate import Translator

    if isinstance(words, str):
        raise ConfigError("words must be a list of words, got one text.", hint=f"Write [{words!r}].")
    notices = notices_of(Words(None))
    with in_words_of_python(Words(None)):
        name = setting({"device": device}, "device", "auto")
        check_device_name(name)
        found = None if encoder is None else locate_encoder(os.fspath(encoder)).path
        job = Job(Path.cwd(), device_name=name, notices=notices, kept=False)
        translator = Translator(
            _path(vectors),
            asks=from_,
            answers=to,
            retrieval=retrieval,
            top=top,
            job=job,
            encoder=found,
            subwords=None if subwords is None else _path(subwords),
        )
        made = list(translator.ask(words))
    if translator.unknown:
        notices.warn(f"Not among the {from_} vectors: {', '.join(translator.unknown)}.", None)
    return made


def fetch(
    name: str, *, part: str | None = None, out: PathLike | None = None, accept: bool = False, force: bool = False
) -> Path:
    """Fetch a public resource, once.

    Args:
        name: Family and key, for instance `gt-bli:en-de`; `lexenc fetch --list` on the command line lists them.
        part: Which file of it, for instance train or test.
        out: Folder to keep it in; None is the cache.
        accept: Whether you may use it where its licence is not an open one.
        force: Fetch again, and take whatever comes.

    Returns:
        The file.

    Raises:
        LexencError: If there is no such resource, its licence is not accepted, or it cannot be fetched.
    """
    from lexenc import fetching
    from lexenc.artifact import cache_folder
    from lexenc.resources.catalogue import find_resource, read_catalogue

    extra = os.environ.get("LEXENC_CATALOGUE")
    resource = find_resource(read_catalogue(Path(extra) if extra else None), name, part)

    def approve(offer: fetching.Offer) -> None:
        if not (accept or resource.open):
            raise ConfigError(
                f"The licence of {name} is not an open one ({resource.licence}).",
                hint=f"Add accept=True if you may use it. See {resource.home or resource.url}.",
            )

    folder = Path(out) if out is not None else cache_folder() / "fetched" / resource.family
    return fetching.fetch(resource, folder, approve=approve, force=force, digests=DigestStore.default()).path


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder, ready for texts.

    Args:
        encoder: What it is inside.
    """

    encoder: Encoder

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self.encoder.dimensions

    def encode(self, texts: Sequence[str], *, progress: bool | Progress = False) -> np.ndarray:
        """Turn words, phrases or sentences into vectors.

        Args:
            texts: The texts; order and neighbours of a text do not change its vector.
            progress: True draws bars; or an object with a `task` of your own.

        Returns:
            One row per text, not of length 1. Shape [n, d], float32.
        """
        from lexenc.encoders.encode import encode_texts

        if isinstance(texts, str):
            raise ConfigError("texts must be a list of texts, got one text.", hint=f"Write [{texts!r}].")
        return encode_texts(self.encoder, list(texts), progress=watcher(progress))


def load_encoder(
    name: PathLike,
    *,
    pooling: Pooling = "auto",
    device: str | None = None,
    precision: Precision | None = None,
    max_length: int | None = None,
) -> LoadedEncoder:
    """Load an encoder.

    Args:
        name: `mini` (bundled), a sentence-transformers or Hugging Face folder, a result of ours, or a name on the hub.
        pooling: mean, model (the encoder's own modules) or auto: its own where it has any, else mean.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic; None: LEXENC_PRECISION, else float32.
        max_length: Longest input in tokens; None leaves it to the encoder.

    Raises:
        LexencError: If there is no such encoder or device.
    """
    from lexenc.encoders import load
    from lexenc.encoders.locate import locate_encoder

    chosen: Device = choose_device(
        setting({"device": device}, "device", "auto"),
        precision_of(setting({"precision": precision}, "precision", "float32")),
    )
    folder = locate_encoder(os.fspath(name)).path
    return LoadedEncoder(load.load_encoder(folder, pooling=pooling, device=chosen, max_length=max_length))


def load_space(folder: PathLike, *, mmap: bool = False) -> Space:
    """Load a shared space that map or interpolate made: `source` and `target`, each with `words` and `matrix`.

    Args:
        folder: The folder.
        mmap: Leave the vectors on disk until they are used.

    Raises:
        LexencError: If the folder holds no space.
    """
    from lexenc.files import spaces

    return spaces.load_space(_path(folder), mmap=mmap)


def load_mapping(folder: PathLike) -> LearnedMapping:
    """Load the mapping that map learned; `apply_source` and `apply_target` take vectors of new words.

    Args:
        folder: The folder that map made.

    Raises:
        LexencError: If it holds no mapping.
    """
    from lexenc.stages.lexical import shared

    return shared.load_mapping(_path(folder))


def read_vectors(path: PathLike, *, limit: int | None = None) -> Vectors:
    """Read vectors of any format: `words`, `matrix` (float32) and a `report` of what was irregular.

    Args:
        path: .vec, .vec.gz, GloVe text, word2vec or fastText .bin, a folder of ours, or `bundled:static/en`.
        limit: Read the first rows only; they are the most frequent words.

    Raises:
        LexencError: If it cannot be read.
    """
    from lexenc.files import vectors

    return vectors.read_vectors(_path(path), limit=limit)


def read_pairs(path: PathLike, *, source_language: str | None = None, target_language: str | None = None) -> Pairs:
    """Read a dictionary: two columns, or a TMX, XLIFF or TBX file.

    Args:
        path: The file, or for instance `bundled:lexicon/en-de.train.tsv`.
        source_language: Of a TMX, XLIFF or TBX file of more than two languages, which one is the source.
        target_language: The same of the target.

    Raises:
        LexencError: If it cannot be read.
    """
    from lexenc.files import dictionaries

    return dictionaries.read_pairs(_path(path), languages=(source_language, target_language))
