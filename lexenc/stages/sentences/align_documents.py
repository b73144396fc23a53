"""align-documents: two documents, or two folders of documents -> sentences and their translations, in order."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from lexenc.arrays import Floats, blocks
from lexenc.artifact import UNFINISHED
from lexenc.encoders.base import Pooling
from lexenc.errors import ConfigError, DataError
from lexenc.files.exchange.writing import PairRow, write_rows
from lexenc.files.ladders import ladder_line, read_ladder
from lexenc.files.text import counted, read_lines, write_lines, writing
from lexenc.files.vectors import new_table
from lexenc.parameters import param
from lexenc.progress import SILENT, Progress, Within
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.reading import POOLING, open_encoder, set_language
from lexenc.stages.unfinished import once
from lexenc.text.folding import check_language, trim

if TYPE_CHECKING:
    from lexenc.encoders.base import Encoder
    from lexenc.sentences.documents import Blocks, SentenceLinks

ALIGNED, MEMORY, UNALIGNED, REGIONS, DOCUMENTS = (
    "aligned.tsv", "aligned.tmx", "unaligned.tsv", "regions.tsv", "documents.tsv",
)  # fmt: skip
HEADS: dict[str, tuple[str, ...]] = {
    ALIGNED: ("source", "target", "score", "sentences"),
    UNALIGNED: ("side", "line", "text"),
    REGIONS: ("source_lines", "target_lines", "links", "unreliable", "score"),
    DOCUMENTS: ("source_sentences", "target_sentences", "links", "insertions", "deletions", "score", "source_aligned",
                "target_aligned"),
}  # fmt: skip
# Names of languages that are not given, private ones of BCP-47.
_UNNAMED = ("x-source", "x-target")
# Bytes of text whose documents are aligned before the work is saved, and blocks that are encoded before.
_PART, _SEGMENT = 1 << 20, 1 << 15
_SHOWN = 20


@dataclass(frozen=True)
class AlignDocumentsParams:
    """Parameters of `align-documents`."""

    most: int = param(
        8,
        "Largest number of sentences of a link, both sides together. With 8, links are 1:7, 4:4 or smaller.",
        ge=2,
        le=16,
    )
    blocks: Literal["text", "sum"] = param(
        "sum",
        "Vectors of several sentences. sum: the sum of their vectors. text: the vector of their joined text, for which "
        "every sentence is encoded many times: 28 times with --most 8.",
    )
    deletion: float = param(
        0.33,
        "Cost of a sentence without a partner. 0: half the cost of a typical link. 1: the cost of a random pair of "
        "sentences. With a larger one, fewer sentences have no partner.",
        ge=0,
        le=1,
    )
    band: int = param(
        10,
        "How far from a first, rough alignment partners are looked for, in sentences. Time grows with it. Documents "
        "with at most 65,536 pairs of sentences are searched completely.",
        ge=1,
    )
    min_score: float | None = param(
        None, "Lowest score of a link to write: 1 is equal vectors, 0 as similar as random sentences. By default all."
    )
    pooling: Pooling = param("auto", POOLING)
    max_length: int | None = param(None, "Longest text in tokens. Longer blocks are truncated.", ge=1)
    source_language: str | None = param(
        None,
        "BCP-47 code of the source, for TMX and for encoders that were trained with languages.",
        check=check_language,
    )
    target_language: str | None = param(None, "The same for the target.", check=check_language)


class DocumentPair(NamedTuple):
    """Two documents that belong together, by name, with the file of gold links if there is one."""

    name: str
    source: Path
    target: Path
    gold: Path | None


@dataclass(frozen=True)
class Document:
    """A document.

    Args:
        sentences: Its lines that are not blank, with spaces for TABs.
        lines: Number of each of them in the file, counted from 0.
        tabs: Number of lines with a TAB.
    """

    sentences: list[str]
    lines: list[int]
    tabs: int

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file with one sentence per line."""
        kept = [(number - 1, trim(line)) for number, line in read_lines(path) if trim(line)]
        texts = [text.replace("\t", " ") for _, text in kept]
        return cls(texts, [number for number, _ in kept], sum("\t" in text for _, text in kept))

    def joined(self, part: range) -> str:
        """Return the text of some sentences."""
        return " ".join(self.sentences[part.start : part.stop])

    def length(self, part: range) -> int:
        """Return the number of characters of some sentences."""
        return sum(map(len, self.sentences[part.start : part.stop]))

    def shown(self, part: range) -> str:
        """Return the lines of some sentences, counted from 1."""
        ends = [self.lines[each] + 1 for each in (part.start, part.stop - 1)] if part else []
        return "-".join(map(str, dict.fromkeys(ends)))


def align_documents(inputs: dict[str, Any], params: AlignDocumentsParams, job: Job) -> Outcome:
    """Align the sentences of two documents, or of all documents of two folders that have the same name."""
    together, lonely = inputs["source"].is_dir(), Counter[str]()
    if together:
        pairs = _paired(inputs, lonely)
    else:
        pairs = [DocumentPair("", inputs["source"], inputs["target"], inputs.get("gold"))]
    encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length)
    work = job.out / UNFINISHED
    work.mkdir(exist_ok=True)
    parts, documents = list(_parts(pairs)), list[dict[str, Any]]()
    with (job.progress if together else SILENT).task("Align", len(pairs), "documents") as task:
        for number, part in enumerate(parts):
            aligning = _Aligning(encoder, inputs["encoder"], params, job, number, together)
            documents += once(work / f"{number}.json", job, partial(aligning.part, part))["documents"]
            task.advance(len(part))
    _write(job, len(parts), params, together)
    return _outcome(documents, lonely, together, job)


# ---------------------------------------------------------------- documents


def _paired(inputs: Mapping[str, Any], lonely: Counter[str]) -> list[DocumentPair]:
    """Pair the documents of two folders by name, and count those without a partner.

    The name is what stands before the first point, unless two documents of a folder have the same.
    """
    sides = [_documents(inputs[name]) if inputs.get(name) else {} for name in ("source", "target", "gold")]
    short = all(len(set(map(_stem, side))) == len(side) for side in sides)
    source, target, gold = ({_stem(name) if short else name: path for name, path in side.items()} for side in sides)
    pairs = [DocumentPair(name, path, target[name], gold.get(name)) for name, path in source.items() if name in target]
    if not pairs:
        one, other = (next(iter(side), "(no file)") for side in sides[:2])
        raise DataError(
            f"No document of {inputs['source']} has the same name as one of {inputs['target']}: {one}, {other}.",
            hint="Documents that belong together need the same name up to the first point, e.g. doc1.en and doc1.de.",
        )
    for name, side in (("source", source), ("target", target)):
        lonely[name] += len(side) - len(pairs)
    return pairs


def _stem(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.split('.')[0]}"


def _documents(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by their path in it, without hidden ones."""
    paths = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name.as_posix(): path for name, path in paths.items() if not any(part[0] == "." for part in name.parts)}


def _parts(pairs: Sequence[DocumentPair]) -> Iterator[list[DocumentPair]]:
    """Cut document pairs into parts of at least `_PART` bytes."""
    sizes = [pair.source.stat().st_size + pair.target.stat().st_size for pair in pairs]
    part: list[DocumentPair] = []
    total = 0
    for pair, size in zip(pairs, sizes, strict=True):
        part.append(pair)
        total += size
        if total >= _PART or pair is pairs[-1]:
            yield part
            part, total = [], 0


# ---------------------------------------------------------------- alignment


@dataclass(frozen=True)
class _Aligning:
    """Aligns a part of the document pairs.

    Args:
        encoder: The encoder.
        folder: Its folder, for messages.
        params: Parameters of the stage.
        job: Progress and messages.
        number: Number of the part.
        together: Whether the documents are from folders, so that rows have their names.
    """

    encoder: Encoder
    folder: Path
    params: AlignDocumentsParams
    job: Job
    number: int
    together: bool

    @property
    def work(self) -> Path:
        """Folder of unfinished work."""
        return self.job.out / UNFINISHED

    @property
    def progress(self) -> Progress:
        """Progress within a document, if there is only one."""
        return SILENT if self.together else self.job.progress

    def part(self, pairs: Sequence[DocumentPair]) -> tuple[dict[str, Any], list[Path]]:
        """Align document pairs one by one. Return the counts of each, and files of rows."""
        rows: dict[str, list[str]] = {name: [] for name in HEADS}
        documents = []
        for place, pair in enumerate(pairs):
            found: dict[str, list[tuple[str, ...]]] = {name: [] for name in HEADS}
            documents.append(self._pair(pair, place, found))
            more = (" ".join(pair.name.split()),) if self.together else ()
            for name, table in found.items():
                rows[name] += ["\t".join((*row, *more)) for row in table]
        files = {name: self.work / f"{self.number}-{name}" for name in HEADS}
        for name, path in files.items():
            write_lines(path, rows[name])
        return {"documents": documents}, list(files.values())

    def _pair(self, pair: DocumentPair, place: int, rows: dict[str, list[tuple[str, ...]]]) -> dict[str, Any]:
        from lexenc.sentences.documents import align_blocks, compare_links

        one, other = Document.read(pair.source), Document.read(pair.target)
        made: dict[str, Any] = {"name": pair.name, "sentences": [len(one.sentences), len(other.sentences)],
                                "tabs": one.tabs + other.tabs, "kinds": {}}  # fmt: skip
        for path, document in ((pair.source, one), (pair.target, other)):
            if not document.sentences:
                if self.together:
                    return made
                raise DataError(f"{path} contains no sentences.", hint="Use a file with one sentence per line.")
        sides = [self._blocks(each, place, side) for side, each in (("source", one), ("target", other))]
        links = align_blocks(
            *sides,
            most=self.params.most,
            deletion=self.params.deletion,
            band=self.params.band,
            progress=self.progress,
        )
        made |= _rows(one, other, links, self.params.min_score, rows)
        if pair.gold is not None:
            moved = (([one.lines[i] for i in left], [other.lines[i] for i in right]) for left, right, _ in links)
            made["gold"] = list(map(asdict, compare_links(moved, read_ladder(pair.gold))))
        return made

    def _blocks(self, document: Document, place: int, side: str) -> Blocks:
        """Encode the blocks of a document. What is encoded is on the disk if there is much, and not encoded again."""
        from lexenc.encoders.encode import encode_texts
        from lexenc.sentences.documents import Blocks, BlockTexts, centred, scale_rows

        language = self.params.source_language if side == "source" else self.params.target_language
        if language is not None and getattr(self.encoder, "languages", None):
            set_language(self.encoder, self.folder, language)
        sizes = min(self.params.most - 1, len(document.sentences))
        texts = BlockTexts(document.sentences, 1 if self.params.blocks == "sum" else sizes)
        vectors = self._table(side, len(texts))
        with self.progress.task(f"Encode the {side}", len(texts), "texts") as task:

            def encode(part: slice) -> tuple[dict[str, Any], list[Path]]:
                scale_rows(encode_texts(self.encoder, texts[part], out=vectors[part], progress=Within(task)))
                if isinstance(vectors, np.memmap):
                    vectors.flush()
                return {"sum": _sum(vectors[part])}, []

            parts = blocks(len(texts), _SEGMENT)
            for number, part in enumerate(parts):
                if len(parts) == 1:
                    encode(part)
                    continue
                note = self.work / f"{self.number}-{place}-{side}-{number}.json"
                if once(note, self.job, partial(encode, part))["sum"] != _sum(vectors[part]):
                    encode(part)  # the note is of other vectors
        vectors = centred(vectors, texts.rows[0], partial(self._table, f"{side}-centred"))
        if self.params.blocks == "text":
            return Blocks(vectors, texts.rows)
        return Blocks.summed(vectors[texts.rows[0]], sizes, partial(self._table, f"{side}-sums"))

    def _table(self, name: str, rows: int) -> Floats:
        """Return an array for vectors: a file if it is large, the one of work that was stopped if there is one."""
        shape = rows, self.encoder.dimensions
        if rows <= _SEGMENT:
            return np.empty(shape, dtype=np.float32)
        path = self.work / f"{name}.npy"
        with suppress(OSError, ValueError):
            found: Floats = np.load(path, mmap_mode="r+")
            if found.shape == shape and found.dtype == np.float32:
                return found
        return new_table(path, *shape)


def _sum(vectors: Floats) -> float:
    return float(vectors.sum(dtype=np.float64))


def _rows(
    one: Document, other: Document, links: SentenceLinks, least: float | None, rows: dict[str, list[tuple[str, ...]]]
) -> dict[str, Any]:
    """Add the rows of a document pair, and return its counts."""
    from lexenc.sentences.documents import poor_regions

    kinds, sums = Counter[str](), defaultdict[str, float](float)
    counts = dict.fromkeys(("below", "unreliable", "equal"), 0)
    characters = [0, 0]
    for left, right, score in links:
        kinds[kind := f"{len(left)}:{len(right)}"] += 1
        if not (left and right):
            side, document, part = ("target", other, right) if right else ("source", one, left)
            rows[UNALIGNED] += [(side, document.shown(range(i, i + 1)), document.sentences[i]) for i in part]
            continue
        sums[kind] += score
        characters = [characters[0] + one.length(left), characters[1] + other.length(right)]
        texts = one.joined(left), other.joined(right)
        counts["unreliable"] += score < links.chance
        counts["equal"] += texts[0] == texts[1]
        if least is not None and score < least:
            counts["below"] += 1
            continue
        numbers = ladder_line([one.lines[i] for i in left], [other.lines[i] for i in right])
        rows[ALIGNED].append((*texts, f"{score:.4f}", numbers))
    regions = poor_regions(links)
    for each in regions:
        ends = ((side[each.first], side[each.last + 1]) for side in (links.source, links.target))
        lines = (document.shown(range(*end)) for document, end in zip((one, other), ends, strict=True))
        rows[REGIONS].append((*lines, str(each.last + 1 - each.first), str(each.unreliable), _shown(each.score)))
    totals = [document.length(range(len(document.sentences))) for document in (one, other)]
    number, mean = _linked(kinds, sums)
    rows[DOCUMENTS].append((
        *(f"{len(document.sentences)}" for document in (one, other)), str(number),
        str(kinds["0:1"]), str(kinds["1:0"]), _shown(mean),
        *(f"{part / whole:.4f}" for part, whole in zip(characters, totals, strict=True)),
    ))  # fmt: skip
    return counts | {"kinds": {kind: (count, sums.get(kind)) for kind, count in kinds.items()},
                     "characters": [characters, totals], "regions": len(regions)}  # fmt: skip


def _shown(score: float | None) -> str:
    return "" if score is None or np.isnan(score) else f"{score:.4f}"


def _linked(kinds: Counter[str], sums: Mapping[str, float]) -> tuple[int, float | None]:
    """Return the number of links with two sides, and their mean score."""
    number = kinds.total() - kinds["1:0"] - kinds["0:1"]
    return number, sum(sums.values()) / number if number else None


# ---------------------------------------------------------------- results


def _write(job: Job, parts: int, params: AlignDocumentsParams, together: bool) -> None:
    """Join the rows of all parts, and write the links as TMX too."""
    work = job.out / UNFINISHED
    for name, heads in HEADS.items():
        with writing(job.out / name) as stream:
            stream.write("\t".join((*heads, "document") if together else heads).encode() + b"\n")
            for number in range(parts):
                with (work / f"{number}-{name}").open("rb") as part:
                    shutil.copyfileobj(part, stream)
    languages = [
        given or usual for given, usual in zip((params.source_language, params.target_language), _UNNAMED, strict=True)
    ]
    if languages == list(_UNNAMED):
        job.notices.say(f"{MEMORY} names the languages {' and '.join(languages)}: see --source-language.")
    with writing(job.out / MEMORY) as stream:
        made = write_rows(stream, _pairs(job.out / ALIGNED), "tmx", *languages)
    if made.characters:
        job.notices.warn(f"{counted(made.characters, 'character')} that XML cannot hold left out of {MEMORY}.", None)


def _pairs(path: Path) -> Iterator[PairRow]:
    for number, line in read_lines(path):
        if number > 1:
            source, target, score = line.split("\t")[:3]
            yield PairRow(source, target, float(score))


def _outcome(documents: Sequence[Mapping[str, Any]], lonely: Counter[str], together: bool, job: Job) -> Outcome:
    aligned = [each for each in documents if each["kinds"]]
    if not aligned:
        raise DataError("All documents are empty on one side.", hint="Use files with one sentence per line.")
    kinds, sums = Counter[str](), defaultdict[str, float](float)
    for each in aligned:
        for kind, (count, score) in each["kinds"].items():
            kinds[kind] += count
            if score is not None:
                sums[kind] += score
    links, score = _linked(kinds, sums)
    total = {name: sum(each[name] for each in aligned) for name in ("unreliable", "below", "equal", "regions")}
    part, whole = ([sum(each["characters"][row][side] for each in aligned) for side in (0, 1)] for row in (0, 1))
    head: dict[str, Any] = {"documents": len(aligned)} if together else {}
    head |= {f"{name}_sentences": sum(each["sentences"][side] for each in aligned)
             for side, name in enumerate(("source", "target"))}  # fmt: skip
    head |= {"links": links, "insertions": kinds["0:1"], "deletions": kinds["1:0"], "mean_score": score,
             "mean_cost": None if score is None else 1 - score, "source_aligned": part[0] / whole[0],
             "target_aligned": part[1] / whole[1], "unreliable_links": total["unreliable"],
             "low_quality_regions": total["regions"]}  # fmt: skip
    if total["below"]:
        head["below_min_score"] = total["below"]
    empty = len(documents) - len(aligned)
    head |= {name: number for name, number in (("without_partner", lonely.total()), ("empty", empty)) if number}
    if 2 * total["unreliable"] > links or not links:
        head["verdict"] = "doubtful"
    _warn(documents, head, total, lonely, empty, job)
    rows = [
        [kind, f"{count:,}", f"{100 * count / kinds.total():.1f}", _shown(sums[kind] / count) if kind in sums else ""]
        for kind, count in kinds.most_common()
    ]
    note = "Score: 1 is equal vectors, 0 as similar as random sentences. 1:0 is a deletion, 0:1 an insertion."
    tables = [
        Table("Links by number of source and target sentences", ["link", "number", "%", "mean score"], rows, note)
    ]
    gold = [each["gold"] for each in aligned if "gold" in each]
    scores = [_agreement(name, each) for name, each in zip(("strict", "lax"), zip(*gold, strict=True), strict=False)]
    if scores:
        columns = ["precision", "recall", "f1", "links", "gold"]
        cells = [[each["agreement"], *(f"{each[name]:.4f}" for name in columns[:3]),
                  *(f"{each[name]:,}" for name in columns[3:])] for each in scores]  # fmt: skip
        note = "Strict: the same sentences. Lax: some in common on both sides. Insertions and deletions do not count."
        title = f"Agreement with gold links, {counted(len(gold), 'document')}"
        tables.append(Table(title, ["agreement", *columns], cells, note))
    return Outcome({name: value for name, value in head.items() if value is not None},
                   [head | {"kinds": dict(kinds.most_common())}, *scores], tables)  # fmt: skip


def _agreement(name: str, parts: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    from lexenc.sentences.documents import Agreement

    found = Agreement(**{field: sum(part[field] for part in parts) for field in parts[0]})
    return {"agreement": name, "precision": found.precision, "recall": found.recall, "f1": found.f1,
            "links": found.links, "gold": found.gold}  # fmt: skip


def _warn(
    documents: Sequence[Mapping[str, Any]], head: Mapping[str, Any], total: Mapping[str, int], lonely: Counter[str],
    empty: int, job: Job,
) -> None:  # fmt: skip
    """Warn of what was left out, and of links that cannot be relied on."""
    warn = job.notices.warn
    if lonely.total():
        shown = " and ".join(f"{number:,} of the {side}" for side, number in lonely.items() if number)
        warn(f"Documents without a partner of the same name: {shown}.", "They are left out.")
    if empty:
        warn(f"{counted(empty, 'document pair')} with an empty side left out.", None)
    tabs = sum(each["tabs"] for each in documents)
    if tabs:
        hint = "Is it a file with both languages? A document has the sentences of one language."
        warn(f"{counted(tabs, 'sentence')} with a TAB, which became a space.", hint)
    if 2 * total["equal"] > head["links"] > 0:
        warn(
            f"{total['equal']:,} of {counted(head['links'], 'link')} join equal texts.", "Are both documents the same?"
        )
    if head.get("verdict"):
        warn(
            f"{total['unreliable']:,} of {counted(head['links'], 'link')} score no better than random sentences.",
            "Are the documents translations in the same order, and does the encoder know both languages?",
        )
    elif total["regions"]:
        job.notices.say(f"{counted(total['regions'], 'region')} of low quality: see {REGIONS}.")


def check_align_documents(inputs: Mapping[str, Any], params: AlignDocumentsParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    given = [name for name in ("source", "target", "gold") if inputs.get(name)]
    folders = {name for name in given if Path(str(inputs[name])).is_dir()}
    faults = []
    if folders and folders != set(given):
        shown = " and ".join(f"--{name}" for name in given if name not in folders)
        message = f"--{min(folders)} is a folder, but {shown} {'is' if len(given) - len(folders) == 1 else 'are'} not."
        faults.append(ConfigError(message, hint="Give files only, or folders only."))
    languages = params.source_language, params.target_language
    if any(languages) and None in languages:
        faults.append(ConfigError("--source-language and --target-language belong together.", hint="Give both."))
    return faults


ALIGN_DOCUMENTS = Stage(
    name="align-documents",
    version=1,
    inputs={
        "source": Input("Document with one sentence per line, or a folder of documents. Blank lines are skipped."),
        "target": Input("Its translation, or a folder of translations: doc1.de belongs to doc1.en."),
        "encoder": Input("Encoder that knows both languages.", kind="encoder"),
        "gold": Input(
            "Gold links to score against, one per line as [0]:[0, 1], with lines counted from 0; or a folder of them.",
            required=False,
        ),
    },
    params=AlignDocumentsParams,
    run=align_documents,
    makes="aligned.tsv (source, target, score, and the lines of both as [0]:[0, 1], from 0), which train reads, and "
    "aligned.tmx; unaligned.tsv, the insertions and deletions; regions.tsv, parts of low quality, and documents.tsv, "
    "with lines counted from 1.",
    examples=(
        "lexenc align-documents --source book.en --target book.de --encoder mini --out runs/book",
        "lexenc align-documents --source a.txt --target b.txt --encoder ENC --most 8 --out aligned.tmx",
        "lexenc align-documents --source news/en --target news/sw --encoder ENC --blocks sum --out runs/news",
    ),
    next_step="lexenc train --data {out}/aligned.tsv --encoder {encoder} --out {new:trained}",
    out_required=False,
    files={".tsv": ALIGNED, ".tmx": MEMORY},
    uses_device=True,
    resumable=True,
    check=check_align_documents,
)
