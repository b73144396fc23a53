"""What `encode-concepts`, `link` and `eval xel` share: a knowledge base with vectors, and mentions looked up in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lexenc.artifact import DigestStore, Manifest, maker_of
from lexenc.errors import ConfigError, DataError
from lexenc.files.text import check_language, counted, fold_case
from lexenc.parameters import param
from lexenc.stage import Input, Job
from lexenc.stages.lexical.shared import encode_to_file
from lexenc.stages.reading import POOLING, PoolingChoice, encode_words, open_encoder

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder
    from lexenc.files.concepts import KnowledgeBase
    from lexenc.lexical.linking import Catalogue, Links, Similarity
    from lexenc.search.approximate import ApproximateIndex, ApproximateKind

MAKER = "encode-concepts"
LISTED = "knowledge-base.txt"
VECTORS = "vectors.npy"
INDEXED = "names.index"
TIES = "lower line of the knowledge base first"
BATCH = 4096
_SAMPLE = 200
_Item = TypeVar("_Item")

KNOWLEDGE_BASE = Input(
    "Knowledge base: 'CUI||name' lines ('CUI|CUI||name' where several fit), or a folder of encode-concepts.", many=True
)
INDEX = (
    "exact: every name is compared; ivf and hnsw look at some of them only, and their recall is measured "
    "(hnsw built by several threads is not the same every time)."
)


@dataclass(frozen=True)
class NameParams:
    """How the names of a knowledge base become vectors."""

    pooling: PoolingChoice = param("auto", POOLING)
    max_length: int | None = param(None, "Longest input in tokens; the rest is cut off.", ge=1)
    lowercase: bool = param(
        True, "Lower-case names and mentions alike; SapBERT's own script lower-cases the names only, which costs hits."
    )
    name_language: str | None = param(
        None, "Language code (BCP-47) of the names, for --lowercase: 'tr' gives I its dotless form.",
        check=check_language,
    )  # fmt: skip


@dataclass(frozen=True)
class LinkingParams(NameParams):
    """How mentions are looked up."""

    mention_language: str | None = param(
        None, "Language code (BCP-47) of the mentions, for --lowercase: 'tr' gives I its dotless form.",
        check=check_language,
    )  # fmt: skip
    index: Literal["exact", "ivf", "hnsw"] = param("exact", INDEX)


def case_policy(params: NameParams) -> str:
    """Say how case was treated."""
    return "names and mentions lower-cased" if params.lowercase else "as written"


def batches(items: Iterable[_Item], size: int = BATCH) -> Iterator[list[_Item]]:
    """Cut anything into lists."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


# ---------------------------------------------------------------- the knowledge base


def check_knowledge_base(inputs: dict[str, Any] | Any, params: NameParams) -> list[ConfigError]:
    """Refuse a folder of names beside other files; its vectors are those of the whole base."""
    del params
    places = [Path(each) for each in _listed(inputs.get("knowledge_base"))]
    if len(places) > 1 and any(each.is_dir() for each in places):
        return [
            ConfigError(
                "--knowledge-base takes several files, or one folder of encode-concepts.",
                hint="Encode all files together: lexenc encode-concepts",
            )
        ]
    return []


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def read_base(paths: Sequence[Path], params: NameParams) -> KnowledgeBase:
    """Read a knowledge base under the case policy."""
    from lexenc.files.concepts import read_knowledge_base

    return read_knowledge_base(paths, lowercase=params.lowercase, language=params.name_language)


def encode_base(base: KnowledgeBase, encoder: Encoder, path: Path, job: Job) -> np.ndarray:
    """Encode every name once, into a file; in constant memory however many there are. Rows of length 1."""
    import numpy as np

    from lexenc.lexical.mapping import normalise

    vectors = encode_to_file(encoder, base.texts(), path, job)
    normalise(vectors, ["unit"], out=vectors)
    if isinstance(vectors, np.memmap):
        vectors.flush()
    empty = int((~vectors.any(axis=1)).sum())
    if empty:
        job.notices.warn(
            f"{counted(empty, 'name')} of {len(vectors):,} {'has' if empty == 1 else 'have'} no direction: the encoder "
            "knows no part of them.",
            "Their cosine with everything is 0.",
        )
    return vectors


def open_base(paths: Sequence[Path], encoder: Path, params: NameParams, job: Job) -> KnowledgeBase:
    """Read a knowledge base from its files, or from a folder in which its names are encoded already.

    Raises:
        DataError: If the folder is none of encode-concepts.
        ConfigError: If it was made with another encoder or other settings.
    """
    if not paths[0].is_dir():
        return read_base(paths, params)
    folder = paths[0]
    maker = maker_of(folder)
    if maker is None or maker.stage != MAKER:
        raise DataError(
            f"{folder} is no knowledge base that lexenc encoded.",
            hint="Give its file, or make the folder with lexenc encode-concepts.",
        )
    _check_maker(folder, maker, encoder, params, job)
    return read_base([folder / LISTED], params)


def _check_maker(folder: Path, maker: Manifest, encoder: Path, params: NameParams, job: Job) -> None:
    """Refuse names that were encoded in another way than the mentions will be."""
    own = maker.inputs["encoder"][0]
    if DigestStore.default().of(encoder) != own.sha256:
        raise ConfigError(
            f"{folder} was encoded with another encoder than {encoder}: {own.given}.",
            hint=f"Use --encoder {own.given}, or encode it again with lexenc encode-concepts.",
        )
    wanted = {name: getattr(params, name) for name in NameParams.__dataclass_fields__} | {"precision": job.precision}
    for name, value in wanted.items():
        if maker.params.get(name) != value:
            option = name.replace("_", "-")
            raise ConfigError(
                f"{folder} was encoded with {option} {maker.params.get(name)}, not {value}.",
                hint=f"Give the same --{option}, or encode it again with lexenc encode-concepts.",
            )


def build_index(vectors: np.ndarray, kind: ApproximateKind, job: Job) -> ApproximateIndex:
    """Build an index over names."""
    from lexenc.randomness import derived_seed
    from lexenc.search.approximate import ApproximateIndex

    return ApproximateIndex(vectors, kind, seed=derived_seed(job.seed, "index") % 2**30, progress=job.progress)


def catalogue_of(base: KnowledgeBase) -> Catalogue:
    """Give what the core needs to know of a knowledge base."""
    from lexenc.arrays import Ragged
    from lexenc.lexical.linking import Catalogue

    return Catalogue(base.line_offsets, Ragged(base.concept_offsets, base.concepts), len(base.identifiers))


# ---------------------------------------------------------------- mentions


class Linker:
    """A knowledge base, ready to be asked.

    Args:
        inputs: With `knowledge_base` (paths) and `encoder`.
        params: How mentions are looked up.
        places: Answers per mention.
        job: Device, progress, remarks; its folder holds the vectors meanwhile.
    """

    def __init__(self, inputs: dict[str, Any], params: LinkingParams, places: int, job: Job) -> None:
        self.base = open_base(inputs["knowledge_base"], inputs["encoder"], params, job)
        self.catalogue = catalogue_of(self.base)
        self._inputs, self._params, self._places, self._job = inputs, params, places, job
        self.recall: float | None = None
        self.sampled = 0
        self.without_direction = 0

    # Encoding takes long; until a mention comes, the files can still turn out to be wrong.

    @cached_property
    def _encoder(self) -> Encoder:
        settings = self._params
        return open_encoder(self._inputs["encoder"], settings.pooling, self._job, max_length=settings.max_length)

    @cached_property
    def _folder(self) -> Path | None:
        """Where the names are encoded already."""
        first: Path = self._inputs["knowledge_base"][0]
        return first if first.is_dir() else None

    @property
    def _made(self) -> Path:
        return self._job.out / "names.npy"

    @cached_property
    def _vectors(self) -> np.ndarray:
        import numpy as np

        if self._folder is None:
            return encode_base(self.base, self._encoder, self._made, self._job)
        vectors: np.ndarray = np.load(self._folder / VECTORS, mmap_mode="r", allow_pickle=False)
        if vectors.shape != (len(self.base.names), self._encoder.dimensions):
            raise DataError(f"{self._folder}: names and vectors do not belong together.", hint="Make it again.")
        return vectors

    @cached_property
    def _index(self) -> ApproximateIndex | None:
        kind = self._params.index
        if kind == "exact":
            return None
        maker = maker_of(self._folder) if self._folder is not None else None
        if self._folder is None or maker is None or maker.params["index"] != kind:
            return build_index(self._vectors, kind, self._job)
        from lexenc.search.approximate import ApproximateIndex

        index = ApproximateIndex.load(self._folder / INDEXED)
        if len(index) != len(self._vectors):
            raise DataError(f"{self._folder}: names and index do not belong together.", hint="Make it again.")
        return index

    def fold(self, mention: str) -> str:
        """Give a mention as it is compared."""
        return fold_case(mention, self._params.mention_language) if self._params.lowercase else mention

    def link(self, mentions: Sequence[str]) -> Links:
        """Look up mentions; each distinct text is encoded and compared once."""
        import numpy as np

        from lexenc.lexical.linking import link_mentions
        from lexenc.lexical.mapping import normalise

        texts = [self.fold(mention) for mention in mentions]
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        vectors, _ = normalise(encode_words(self._encoder, list(distinct), self._job), ["unit"])
        rows = np.array([distinct[text] for text in texts], dtype=np.int64)
        self.without_direction += int(np.count_nonzero(~np.any(vectors[rows], axis=1)))
        found = link_mentions(self._similarity(vectors), self.catalogue, k=self._places, progress=self._job.progress)
        return found.take(rows)

    def _similarity(self, vectors: np.ndarray) -> Similarity:
        from lexenc.lexical.linking import ApproximateSimilarity, VectorSimilarity

        exact = VectorSimilarity(vectors, self._vectors, device=self._job.device.name)
        if self._index is None:
            return exact
        if self.recall is None:
            self._measure(vectors)
        return ApproximateSimilarity(exact, self._index)

    def _measure(self, vectors: np.ndarray) -> None:
        """Measure on some mentions of the first batch how many of the exact answers the index gives."""
        import numpy as np

        from lexenc.lexical.linking import ApproximateSimilarity, VectorSimilarity, link_mentions, recall
        from lexenc.randomness import generator

        if self._index is None:
            return
        chosen = generator(self._job.seed, "recall").permutation(len(vectors))[:_SAMPLE]
        exact = VectorSimilarity(vectors[np.sort(chosen)], self._vectors, device=self._job.device.name)
        wanted = link_mentions(exact, self.catalogue, k=self._places)
        found = link_mentions(ApproximateSimilarity(exact, self._index), self.catalogue, k=self._places)
        self.recall, self.sampled = recall(found, wanted), len(chosen)

    def search_keys(self) -> dict[str, Any]:
        """Say how names were searched, for a result."""
        keys: dict[str, Any] = {"search": self._params.index}
        if self.recall is not None:
            keys |= {f"recall_at_{self._places}": self.recall, "recall_mentions": self.sampled}
        return keys

    def search_words(self) -> str:
        """Say the same to a person."""
        if self.recall is None:
            return "all names compared"
        found = f"{100 * self.recall:.1f} % of the first {self._places} names"
        return f"index {self._params.index} finds {found} (measured on {counted(self.sampled, 'mention')})"

    def tell_directionless(self) -> None:
        """Warn of mentions that the encoder gave no direction."""
        count = self.without_direction
        if count:
            self._job.notices.warn(
                f"{counted(count, 'mention')} {'has' if count == 1 else 'have'} no direction: the encoder knows no "
                "part of them.",
                "Their cosine with every name is 0, and their answers mean nothing.",
            )

    def close(self) -> None:
        """Remove the vectors that were made on the way."""
        if self._folder is None:
            self._made.unlink(missing_ok=True)
