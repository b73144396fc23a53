"""Functions that are not stages: pipelines, translation, and functions that load and read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lexenc import fetching
from lexenc.api.results import Result
from lexenc.api.settings import PathLike, device_of, existing_path, precision_of, progress_of
from lexenc.api.words import PythonNames, notices_of, python_errors
from lexenc.artifact import DigestStore, cache_folder
from lexenc.device import Precision, check_device_name, choose_device
from lexenc.encoders.locate import locate_encoder
from lexenc.errors import ConfigError
from lexenc.files import dictionaries, spaces, vectors
from lexenc.pipeline import Watcher, chosen_steps, read_pipeline, run_pipeline
from lexenc.progress import Progress
from lexenc.resources.catalogue import find_resource, read_catalogue
from lexenc.stage import Job
from lexenc.stages.lexical import shared
from lexenc.stages.lexical.translate import Translator

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder, Pooling
    from lexenc.lexical.mapping import Mapping as LearnedMapping
    from lexenc.lexical.translation import Answer


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
    """Run the steps of a pipeline file. Results that are up to date are reused.

    Args:
        pipeline: The file (YAML).
        start: First step to run. Earlier ones must be up to date.
        until: Last step to run.
        only: The only step to run.
        force: Replace results of other recipes.
        device: Device of all steps; None: LEXENC_DEVICE, else that of the file.
        workdir: Folder for results, instead of that of the file.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result of every step, by its name.

    Raises:
        LexencError: As the command `run`.
    """
    made: dict[str, Result] = {}
    with python_errors(PythonNames()):
        device = device or os.environ.get("LEXENC_DEVICE")
        if device is not None:
            check_device_name(device)
        read = read_pipeline(existing_path(pipeline), workdir=None if workdir is None else Path(workdir))
        run_pipeline(
            read,
            chosen_steps(read, start=start, until=until, only=only),
            force=force,
            device=device,
            progress=progress_of(progress),
            notices=notices_of(PythonNames()),
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
        words: Words to translate. A warning lists those that are not in the space.
        vectors: Shared space: a folder of map or interpolate.
        top: Number of answers per word.
        from_: Language of the words: source, target, or a language in a space of many languages.
        to: Language of the answers. If it is that of the words, the answers are neighbours.
        retrieval: Retrieval criterion: nearest, csls or inverted-softmax.
        encoder: Encoder of words that are not in the space: the one with which it was blended.
        subwords: fastText .bin for vectors of words that are not in the space: the one from which it was made.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.

    Returns:
        Answers with `source`, `rank` (from 1), `target` and `score`, in the order of the words.

    Raises:
        LexencError: If there is no such space or encoder.
    """
    if isinstance(words, str):
        raise ConfigError("words must be a list of words, got one text.", hint=f"Write [{words!r}].")
    notices = notices_of(PythonNames())
    with python_errors(PythonNames()):
        job = Job(Path.cwd(), device_name=device_of(device), notices=notices, kept=False)
        found = None if encoder is None else locate_encoder(os.fspath(encoder)).path
        translator = Translator(
            existing_path(vectors),
            asks=from_,
            answers=to,
            retrieval=retrieval,
            top=top,
            job=job,
            encoder=found,
            subwords=None if subwords is None else existing_path(subwords),
        )
        made = list(translator.ask(words))
    if translator.unknown:
        notices.warn(f"Not among the {from_} vectors: {', '.join(translator.unknown)}.", None)
    return made


def fetch(
    name: str, *, part: str | None = None, out: PathLike | None = None, accept: bool = False, force: bool = False
) -> Path:
    """Download a public resource, unless it is there already.

    Args:
        name: Family and key, for instance `gt-bli:en-de`. The command `lexenc fetch --list` lists them.
        part: File of the resource, for instance train or test.
        out: Folder to keep it in; None is the cache.
        accept: Confirm that you may use a resource without an open licence.
        force: Download it again, even if it has changed.

    Returns:
        The file.

    Raises:
        LexencError: If there is no such resource, its licence is not accepted, or the download fails.
    """
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
    """A loaded encoder. `encoder` is that of the core library."""

    encoder: Encoder

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self.encoder.dimensions

    def encode(self, texts: Sequence[str], *, progress: bool | Progress = False) -> np.ndarray:
        """Encode words, phrases or sentences as vectors.

        Args:
            texts: Texts. Their vectors do not depend on order or on other texts.
            progress: True shows progress bars; or an object with a `task` method.

        Returns:
            One row per text, not normalised. Shape [n, d], float32.
        """
        from lexenc.encoders.encode import encode_texts

        if isinstance(texts, str):
            raise ConfigError("texts must be a list of texts, got one text.", hint=f"Write [{texts!r}].")
        return encode_texts(self.encoder, list(texts), progress=progress_of(progress))


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
        name: `mini` (bundled), a folder of sentence-transformers, Hugging Face or model2vec, a result, or a name on
            the hub.
        pooling: mean, cls (first token), first-last (mean of both layers), model (the modules of the encoder) or auto:
            model if the encoder has modules, else mean.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic; None: LEXENC_PRECISION, else float32.
        max_length: Maximum length of inputs in tokens; None is that of the encoder.

    Raises:
        LexencError: If there is no such encoder or device.
    """
    from lexenc.encoders import load

    chosen = choose_device(device_of(device), precision_of(precision))
    folder = locate_encoder(os.fspath(name)).path
    return LoadedEncoder(load.load_encoder(folder, pooling=pooling, device=chosen, max_length=max_length))


def load_space(folder: PathLike, *, mmap: bool = False) -> spaces.Space:
    """Load a shared space of map or interpolate: `source` and `target`, each with `words` and `matrix`.

    Args:
        folder: The folder.
        mmap: Load vectors from disk when they are used.

    Raises:
        LexencError: If the folder has no space.
    """
    return spaces.load_space(existing_path(folder), mmap=mmap)


def load_mapping(folder: PathLike) -> LearnedMapping:
    """Load a mapping of map. Its methods `apply_source` and `apply_target` map vectors of new words.

    Args:
        folder: Folder of map.

    Raises:
        LexencError: If the folder has no mapping.
    """
    return shared.load_mapping(existing_path(folder))


def read_vectors(path: PathLike, *, limit: int | None = None) -> vectors.Vectors:
    """Read vectors of any format: `words`, `matrix` (float32) and a `report` of irregularities.

    Args:
        path: .vec, .vec.gz, GloVe text, word2vec or fastText .bin, folder of a result, or `bundled:static/en`.
        limit: Maximum number of rows, which are those of the most frequent words.

    Raises:
        LexencError: If it cannot be read.
    """
    return vectors.read_vectors(existing_path(path), limit=limit)


def read_pairs(
    path: PathLike, *, source_language: str | None = None, target_language: str | None = None
) -> dictionaries.Pairs:
    """Read a dictionary: two columns, or a TMX, XLIFF or TBX file.

    Args:
        path: A file, or for instance `bundled:lexicon/en-de.train.tsv`.
        source_language: Source language in a TMX, XLIFF or TBX file of more than two languages.
        target_language: Target language.

    Raises:
        LexencError: If it cannot be read.
    """
    pairs = dictionaries.read_pairs(existing_path(path), languages=(source_language, target_language))
    for message, hint in pairs.remarks:
        notices_of(PythonNames()).warn(message, hint)
    return pairs
