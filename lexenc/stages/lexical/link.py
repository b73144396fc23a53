"""link: mentions + knowledge base + encoder -> the best concepts of every mention."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexenc.arrays import Ragged
from lexenc.artifact import DigestStore, maker_of
from lexenc.encoders.base import Encoder
from lexenc.errors import ConfigError, DataError
from lexenc.files.concepts import stream_mentions
from lexenc.files.text import counted, write_lines
from lexenc.lexical.linking import ApproximateSimilarity, Catalogue, Rankings, VectorSimilarity, link_mentions, recall
from lexenc.lexical.mapping import normalise
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.search.approximate import ApproximateIndex
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.lexical.encode_concepts import INDEXED, VECTORS, NameParams, build_index, encode_base, open_base
from lexenc.stages.lexical.shared import batches
from lexenc.stages.reading import encode_words, folding_of, open_encoder
from lexenc.structured import read_npy
from lexenc.text.folding import check_language

NAME = "links.jsonl"
NIL = "NIL"
TIES = "lower line of the knowledge base first"
_SAMPLE = 200  # mentions on which the recall of an index is measured

KNOWLEDGE_BASE = Input(
    "Knowledge base: 'CUI||name' lines ('CUI|CUI||name' for several concepts), or a folder of encode-concepts.",
    many=True,
)


@dataclass(frozen=True)
class LinkingParams(NameParams):
    """How mentions are looked up."""

    mention_language: str | None = param(
        None, "BCP-47 code of the mentions, for --lowercase, e.g. 'tr' for the dotless i.", check=check_language
    )
    index: Literal["exact", "ivf", "hnsw"] = param(
        "exact",
        "exact: compare every name; ivf, hnsw: compare some of them, and measure the recall (an hnsw index built by "
        "several threads differs between runs).",
    )


@dataclass(frozen=True)
class LinkParams(LinkingParams):
    """Parameters of `link`."""

    top: int = param(5, "Concepts per mention.", ge=1)
    threshold: float | None = param(
        None,
        "Minimum cosine of the best name. A mention below it is answered NIL (not in the knowledge base).",
        ge=-1,
        le=1,
    )


def case_policy(params: NameParams) -> str:
    """Return how case and normal form were treated, in words."""
    case = "names and mentions lower-cased" if params.lowercase else "as written"
    return case if params.unicode == "keep" else f"{case}, in Unicode form {params.unicode.upper()}"


def check_knowledge_base(inputs: Any, params: NameParams) -> list[ConfigError]:
    """Refuse a folder of encoded names next to other files."""
    del params
    value = inputs.get("knowledge_base") or []
    places = [Path(each) for each in (value if isinstance(value, list | tuple) else [value])]
    if len(places) <= 1 or not any(each.is_dir() for each in places):
        return []
    text = "--knowledge-base takes several files, or one folder of encode-concepts."
    return [ConfigError(text, hint="Encode all files together: lexenc encode-concepts")]


def link(inputs: dict[str, Any], params: LinkParams, job: Job) -> Outcome:
    """Link the mentions batch by batch, into a file or to the caller."""
    kinds, nil = Counter[bool](), Counter[bool]()
    for path in inputs["mentions"]:
        if next(stream_mentions(path), None) is None:
            raise DataError(f"{path} holds no mentions.", hint="One mention per line, or CUI||mention.")
    linker = Linker(inputs, params, params.top, job)
    answers = _answers(linker, inputs["mentions"], params, kinds)
    if job.kept:
        write_lines(job.out / NAME, _as_lines(answers, nil))
    else:
        for batch in batches(answers):
            nil.update(body["nil"] for body in batch)
            job.notices.answer(batch, _table(batch))
    linker.close()
    linker.tell_directionless()
    _tell_kinds(kinds, job)
    if linker.recall is not None:
        job.notices.say(f"link: {linker.search_words()}.")
    counts = {"mentions": kinds.total(), "nil": nil[True]}
    counts |= {"names": linker.base.lines, "concepts": len(linker.base.identifiers)}
    return Outcome(counts | linker.search_keys())


def _answers(linker: Linker, paths: list[Path], params: LinkParams, kinds: Counter[bool]) -> Iterator[dict[str, Any]]:
    """Yield one object per mention, and count the lines with identifiers and those without."""
    for batch in batches(chain.from_iterable(map(stream_mentions, paths))):
        kinds.update(bool(mention.concepts) for mention in batch)
        found = linker.link([mention.text for mention in batch])
        for mention, lines, scores in zip(batch, found.answers.tolist(), found.answer_scores.tolist(), strict=True):
            ranked = [(line, score) for line, score in zip(lines, scores, strict=True) if line >= 0]
            best = ranked[0][1]
            nil = params.threshold is not None and best < params.threshold
            yield {
                "mention": mention.text,
                **({"gold": list(mention.concepts)} if mention.concepts else {}),
                "nil": nil,
                "best_score": round(best, 6),
                "answers": [_place(linker, rank, *place) for rank, place in enumerate([] if nil else ranked, start=1)],
            }


def _place(linker: Linker, rank: int, line: int, score: float) -> dict[str, Any]:
    concepts, name = linker.base.identifiers_of(line), linker.base.name_of(line)
    return {"rank": rank, "concepts": concepts, "name": name, "score": round(score, 6)}


def _as_lines(answers: Iterator[dict[str, Any]], nil: Counter[bool]) -> Iterator[str]:
    for body in answers:
        nil.update([body["nil"]])
        # Bytes that are not UTF-8 are escaped, so that the file is UTF-8.
        yield json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")


def _table(bodies: list[dict[str, Any]]) -> Table:
    rows = []
    for body in bodies:
        own = [
            [body["mention"], str(each["rank"]), "|".join(each["concepts"]), each["name"], f"{each['score']:.4f}"]
            for each in body["answers"]
        ]
        # The score shows whether a mention just missed the threshold.
        rows += own or [[body["mention"], "1", NIL, "", f"{body['best_score']:.4f}"]]
    cells = [[cell.replace("\t", " ") for cell in row] for row in rows]
    return Table("Entity linking", ["mention", "rank", "concept", "best name", "cosine"], cells)


def _tell_kinds(kinds: Counter[bool], job: Job) -> None:
    """Report how the lines were read, with a warning if both forms occur."""
    with_identifiers, plain = kinds[True], kinds[False]
    if with_identifiers and plain:
        job.notices.warn(
            f"{counted(with_identifiers, 'mention')} came as CUI||mention, {plain:,} as plain text.",
            "Words without spaces before the first || are taken for identifiers.",
        )
    else:
        form = "CUI||mention" if with_identifiers else "plain text"
        job.notices.say(f"link: {counted(kinds.total(), 'mention')}, read as {form}.")


class Linker:
    """Links mentions to a knowledge base.

    Args:
        inputs: With `knowledge_base` (paths) and `encoder`.
        params: How mentions are looked up.
        places: Answers per mention.
        job: Device, seed, progress and messages of the run. Its folder holds the vectors until `close`.

    The names are encoded when the first mention comes, so that errors in the files are found before.
    """

    def __init__(self, inputs: dict[str, Any], params: LinkingParams, places: int, job: Job) -> None:
        paths: list[Path] = inputs["knowledge_base"]
        self.base = open_base(paths, inputs["encoder"], params, job)
        self.catalogue = Catalogue(
            self.base.line_offsets, Ragged(self.base.concept_offsets, self.base.concepts), len(self.base.identifiers)
        )
        self._place, self._params, self._places, self._job = inputs["encoder"], params, places, job
        self._folder = paths[0] if paths[0].is_dir() else None
        self._made = job.out / "names.npy"
        self.recall: float | None = None
        self.sampled = 0
        self.without_direction = 0

    @cached_property
    def _encoder(self) -> Encoder:
        return open_encoder(self._place, self._params.pooling, self._job, max_length=self._params.max_length)

    @cached_property
    def _vectors(self) -> np.ndarray:
        if self._folder is None:
            return encode_base(self.base, self._encoder, self._made, self._job)
        vectors = read_npy(self._folder / VECTORS, mmap=True, dimensions=2)
        if vectors.shape != (len(self.base.names), self._encoder.dimensions):
            raise DataError(f"{self._folder}: names and vectors do not belong together.", hint="Make it again.")
        return vectors

    @cached_property
    def _index(self) -> ApproximateIndex | None:
        kind = self._params.index
        if kind == "exact":
            return None
        maker = maker_of(self._folder) if self._folder is not None else None
        if self._folder is None or maker is None or maker.params.get("index") != kind:
            return build_index(self._vectors, kind, self._job)
        # faiss trusts its files: a damaged one can end the program or fill the memory.
        if DigestStore.default().of(self._folder / INDEXED) != maker.outputs.get(INDEXED):
            raise DataError(f"{self._folder / INDEXED} is not as lexenc wrote it.", hint="Make its folder again.")
        index = ApproximateIndex.load(self._folder / INDEXED)
        if len(index) != len(self._vectors):
            raise DataError(f"{self._folder}: names and index do not belong together.", hint="Make it again.")
        return index

    def fold(self, mention: str) -> str:
        """Return a mention as it is compared."""
        return folding_of(self._params).fold(mention, self._params.mention_language)

    def link(self, mentions: Sequence[str]) -> Rankings:
        """Rank names and concepts for every mention. Each distinct text is encoded and compared once."""
        texts = [self.fold(mention) for mention in mentions]
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        vectors, _ = normalise(encode_words(self._encoder, list(distinct), self._job), ["unit"])
        rows = np.array([distinct[text] for text in texts], dtype=np.int64)
        self.without_direction += int(np.count_nonzero(~np.any(vectors[rows], axis=1)))
        similarity = VectorSimilarity(vectors, self._vectors, device=self._job.device.name)
        if self._index is not None:
            if self.recall is None:
                self._measure_recall(vectors, self._index)
            similarity = ApproximateSimilarity(similarity, self._index)
        found = link_mentions(similarity, self.catalogue, k=self._places, progress=self._job.progress)
        return found.take(rows)

    def _measure_recall(self, vectors: np.ndarray, index: ApproximateIndex) -> None:
        """Measure which share of the exact answers the index finds, on some mentions of the first batch."""
        chosen = generator(self._job.seed, "recall").permutation(len(vectors))[:_SAMPLE]
        exact = VectorSimilarity(vectors[np.sort(chosen)], self._vectors, device=self._job.device.name)
        wanted = link_mentions(exact, self.catalogue, k=self._places)
        found = link_mentions(ApproximateSimilarity(exact, index), self.catalogue, k=self._places)
        self.recall, self.sampled = recall(found, wanted), len(chosen)

    def search_keys(self) -> dict[str, Any]:
        """Return how names were searched, for a result."""
        keys: dict[str, Any] = {"search": self._params.index}
        if self.recall is not None:
            keys |= {f"recall_at_{self._places}": self.recall, "recall_mentions": self.sampled}
        return keys

    def search_words(self) -> str:
        """Return how names were searched, in words."""
        if self.recall is None:
            return "all names compared"
        found = f"{100 * self.recall:.1f} % of the first {self._places} names"
        return f"index {self._params.index} finds {found} (measured on {counted(self.sampled, 'mention')})"

    def tell_directionless(self) -> None:
        """Warn about mentions whose encoding is zero."""
        count = self.without_direction
        if count:
            self._job.notices.warn(
                f"{counted(count, 'mention')} {'has' if count == 1 else 'have'} no direction: the encoder knows no "
                "part of them.",
                "Their cosine with every name is 0, and their answers mean nothing.",
            )

    def close(self) -> None:
        """Remove the vectors of the names, unless they are those of the knowledge base's own folder."""
        if self._folder is None:
            self._made.unlink(missing_ok=True)


LINK = Stage(
    name="link",
    version=2,
    inputs={
        "mentions": Input(
            "File with one mention per line, plain or CUI||mention; several files, or - for standard input.",
            many=True,
            positional=True,
        ),
        "knowledge_base": KNOWLEDGE_BASE,
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
    },
    params=LinkParams,
    run=link,
    makes=f"{NAME}: the concepts of every mention with best name and cosine. Without --out the same is printed: "
    "mention, rank, concept, name, cosine, separated by TABs if a program reads it.",
    examples=(
        "lexenc link --knowledge-base kb.txt --encoder mini mentions.txt",
        "echo potassium | lexenc link --knowledge-base kb.txt --encoder mini --top 1 -",
        "lexenc link --knowledge-base runs/kb --encoder mini --threshold 0.6 --out runs/links mentions.txt",
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_knowledge_base,
)
