"""Every reader with small valid files, and the engine that damages these at random, a million times.

A reader may raise LexencError and nothing else. Each reader runs in a process of its own under a ceiling of memory: a
crash or a hang is a fault of the reader too, and is found from the file that it was reading. A new reader needs an entry
in `READERS`; `lacking` finds the functions that read and that no entry reaches.
"""

from __future__ import annotations

import ast
import json
import mmap
import os
import re
import resource
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import lexenc
from lexenc.errors import LexencError
from tests.fuzz.damage import CONTENTS, JUNK, json_changes

LARGEST = 1024
"""Bytes of an input at most; of longer seeds the first lines are kept."""
HANG = 60.0
"""Seconds after which one input counts as a hang."""
MEMORY = 1_000_000_000

Read = Callable[[Path], Any]


@dataclass(frozen=True)
class Reader:
    """A reader.

    Args:
        name: Name for reports and commands.
        read: Reads a path as far as it goes.
        seeds: Valid files or folders of the world; of a folder one file at a time is damaged.
        slow: Whether it takes milliseconds, so that there are fewer executions.
    """

    name: str
    read: Read
    seeds: tuple[str, ...]
    slow: bool = False


def _all(module: str, function: str, **more: Any) -> Read:
    """Return a reader that exhausts what a function returns, if it is an iterator."""

    def read(path: Path) -> Any:
        found = getattr(sys.modules.get(module) or __import__(module, fromlist=["x"]), function)(path, **more)
        return [_ for _ in found] if isinstance(found, Iterator) else found

    return read


def _encoder(path: Path) -> Any:
    from lexenc.device import CPU
    from lexenc.encoders.encode import encode_texts
    from lexenc.encoders.load import load_encoder

    return encode_texts(load_encoder(path, device=CPU), ["dog", "a cat"])


def _cells(path: Path) -> Any:
    from lexenc.stages.reading import read_cells

    return list(read_cells([path]))


def _trimmed(path: Path) -> Any:
    from lexenc.encoders.trimming import trim_vocabulary

    with TemporaryDirectory() as out:
        return trim_vocabulary(path, Path(out), lambda: ["the dog is here", "cat"])


def _static(path: Path) -> Any:
    """Read one without the comparison with the library of its kind, which takes most of the time."""
    from lexenc.device import CPU
    from lexenc.encoders import ENCODERS

    return ENCODERS["static"].load(path, pooling="auto", device=CPU, max_length=None)


def _elmo(path: Path) -> Any:
    """Read one with its tables, without the comparison with a plain computation."""
    from lexenc.device import CPU
    from lexenc.training import LANGUAGE_MODELS

    return LANGUAGE_MODELS["elmo"].open(path, device=CPU)


def _spans(path: Path) -> Any:
    from lexenc.alignment.span_model import SpanModel

    return SpanModel.load(path)


def _two_sides(path: Path) -> Any:
    from lexenc.files.parallel import parallel_text

    return list(parallel_text(path, path))


def _pairs_of_text(path: Path) -> Any:
    from lexenc.files.parallel import parallel_text

    return list(parallel_text(path, languages=("en", "de")))


def _corpus(path: Path) -> Any:
    import tempfile

    from lexenc.sentences.cleaning import RULES
    from lexenc.stage import Job
    from lexenc.stages.sentences.bitext_corpus import load_corpus, read_corpus

    given = {"source": path, "target": path, "planted": path, "languages": (None, None)}
    with tempfile.TemporaryDirectory() as name:
        folder, names = Path(name), frozenset(RULES)
        read_corpus(given, "mine", names, 0.5, folder, Job(folder))
        return load_corpus(folder, names)


def _nli(path: Path) -> Any:
    from lexenc.files.nli import nli_text

    return list(nli_text(path))


def _sources(kind: str) -> Read:
    def read(path: Path) -> Any:
        from lexenc.stage import GivenSource, Job
        from lexenc.stages.sentences.sources import SourceParams, read_sources

        dev = [GivenSource("pairs", "en-de", path)] if kind == "parallel" else []
        return read_sources({"data": [GivenSource(kind, "", path)], "dev": dev}, SourceParams(), Job(path))

    return read


def _nli_languages(path: Path) -> Any:
    from lexenc.files.nli import aligned_columns, aligned_files, language_files

    return list(aligned_files(language_files(path)) if path.is_dir() else aligned_columns(path))


def _scored(path: Path) -> Any:
    from lexenc.files.link_sets import read_gold_and_predicted

    return read_gold_and_predicted(path, path, None, None)


def _bitext(path: Path) -> Any:
    from lexenc.files.bitext import read_bitext

    return read_bitext(*(path / f"set.{name}" for name in ("de", "en", "gold"))).gold


def _semcor(path: Path) -> Any:
    from collections import Counter

    from lexenc.files.semcor import read_semcor

    return list(read_semcor(path, Counter()))


def _tagged_xml(path: Path) -> Any:
    from collections import Counter

    from lexenc.files.sense_keys import read_tagged_xml

    return list(read_tagged_xml(path, {f"t{number}": ("x",) for number in range(9)}, Counter()))


def _evaluation(path: Path) -> Any:
    from lexenc.files.evaluations import read_evaluation

    found = read_evaluation(path)
    return [each.flat() for each in found.systems], found.choices(), list(found.items())


def _hub(path: Path) -> Any:
    from lexenc.files.hubs import load_languages, read_hub

    return [load_languages(path, (each, each)) for each in read_hub(path).languages]


def _chosen(path: Path) -> Any:
    from lexenc.files.chosen import chosen_vectors

    return chosen_vectors(path, ["house", "dog"])


def _subwords(path: Path) -> Any:
    from lexenc.files.vec_fasttext import Subwords

    return Subwords(path).vectors(["house", "dogs"])


def _report(path: Path) -> Any:
    """Read all that a page shows of a folder of results."""
    import vl_convert

    from lexenc.report.data import ReportData
    from lexenc.report.page import SECTIONS, build_page
    from lexenc.report.results import find_results

    vl_convert.vegalite_to_svg = lambda *_, **__: "<svg/>"  # which takes a second, and gets only what was checked
    return build_page(ReportData(find_results(path)), title="x", sections=list(SECTIONS))


def _calibration(path: Path) -> Any:
    from lexenc.stage import Job
    from lexenc.stages.lexical.induce import InduceParams, _read_calibration

    return _read_calibration(path, InduceParams(), Job(path))


def _index(path: Path) -> Any:
    from lexenc.search.approximate import ApproximateIndex

    return ApproximateIndex.load(path)


def _answered(path: Path) -> Any:
    """Fetch from a server that sends the bytes of a file, whatever is asked; what is kept must be whole."""
    from lexenc.fetching import fetch
    from lexenc.resources.catalogue import Resource

    folder = path.parent / "downloads"
    shutil.rmtree(folder, ignore_errors=True)
    return fetch(Resource("toy:x", "all", "", f"http://127.0.0.1:{_server(path)}/data.txt", open=True), folder)


@cache
def _server(path: Path) -> int:
    """Start a server on the loopback address, and return its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listening.accept()
            with suppress(OSError), connection:
                connection.recv(65536)
                connection.sendall(path.read_bytes())

    threading.Thread(target=serve, daemon=True).start()
    return int(listening.getsockname()[1])


def _unpacked(path: Path) -> Any:
    from lexenc.artifact import DigestStore
    from lexenc.fetching import Fetched, _Store
    from lexenc.progress import SILENT
    from lexenc.resources.catalogue import Resource

    folder = path.parent / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    made = Fetched(path, "", 0, reused=False, first=False)
    resource = Resource("toy:x", "all", "", "http://127.0.0.1/toy.zip", member="data.txt", open=True)
    return _Store(folder, False, DigestStore(None), SILENT).extract(resource, made)


def _log(path: Path) -> Any:
    from lexenc.files.logs import StepLog

    return StepLog(path).resume(2)


def _unfinished(path: Path) -> Any:
    from lexenc.stages.unfinished import _done

    return _done(path / "done.json")


def _kept(path: Path) -> Any:
    from lexenc.artifact import DigestStore
    from lexenc.fetching import _Store
    from lexenc.progress import SILENT

    return _Store(path, False, DigestStore(None), SILENT).kept("toy.tsv")


def _show(path: Path) -> Any:
    """Read what `show` and planning read of a result."""
    from lexenc.artifact import DigestStore, altered_outputs, is_artifact, read_manifest, strangers

    manifest = read_manifest(path)
    return is_artifact(path), altered_outputs(path, manifest, DigestStore(None)), strangers(path)


READERS = {
    each.name: each
    for each in (
        Reader("lines", _all("lexenc.files.text", "read_lines"), ("text.tsv", "train.tsv.gz")),
        Reader("json-lines", _all("lexenc.files.text", "json_lines"), ("bli/items.jsonl",)),
        Reader("pairs", _all("lexenc.files.dictionaries", "read_pairs"), ("train.tsv", "induced/lexicon.tsv", "train.tsv.gz")),
        Reader("pairs-xml", _all("lexenc.files.dictionaries", "read_pairs", languages=("en", "de")), ("memory.tmx", "terms.tbx", "terms.tbx2", "units.xlf", "units.xlf2", "sdl.xlf")),
        Reader("vocabulary", _all("lexenc.files.vocabularies", "read_vocabulary"), ("de.txt", "en.txt", "mapped/source/words.txt")),
        Reader("negatives", _all("lexenc.files.negatives", "read_negatives"), ("negatives/negatives.jsonl",)),
        Reader("similarity", _all("lexenc.files.multi_simlex", "read_scored_pairs"), ("rated.txt", "pairs/pairs.tsv")),
        Reader("multi-simlex", _all("lexenc.files.multi_simlex", "read_scored_pairs", language="fr"), ("simlex", "concepticon.tsv")),
        Reader("nli", _nli, ("nli.tsv", "nli.jsonl", "triplets.csv", "sts.csv")),
        Reader("nli-languages", _nli_languages, ("xnli", "xnli.tsv")),
        Reader("nli-classes", _all("lexenc.stages.evaluation.nli", "read_nli"), ("nli.tsv", "xnli.tsv", "nli.jsonl")),
        Reader("paraphrases", _all("lexenc.stages.evaluation.paraphrase", "read_paraphrase_data"), ("same-meaning.tsv", "same-meaning.csv")),
        Reader("sources", _sources("unsupervised"), ("text.en",)),
        Reader("sources-nli", _sources("nli"), ("nli.tsv", "sts.csv")),
        Reader("sources-parallel", _sources("parallel"), ("text.tsv", "few.tsv")),
        Reader("bitext", _bitext, ("bucc",)),
        Reader("semcor", _semcor, ("semcor", "semcor.tar.xz")),
        Reader("tagged-xml", _tagged_xml, ("tagged.xml",)),
        Reader("entities", _all("lexenc.files.entities", "read_entities"), ("named.tsv", "named.txt")),
        Reader("sense-keys", _all("lexenc.files.sense_keys", "read_sense_keys"), ("tagged.key",)),
        Reader("first-senses", _all("lexenc.files.sense_keys", "read_first_senses"), ("cntlist.rev", "index.sense")),
        Reader("labelled", _all("lexenc.files.labelled", "read_labelled"), ("topics.csv", "topics.de.tsv", "moods.tsv", "moods.txt")),
        Reader("sentiment", _all("lexenc.stages.evaluation.sentiment", "read_sentiment", classes=("bad", "good")), ("moods.tsv", "moods.txt")),
        Reader("senseval", _all("lexenc.files.senseval", "read_senseval"), ("senses.pos", "senses.xml")),
        Reader("sts", _all("lexenc.stages.evaluation.sts", "_read", scores="distance"), ("sts.tsv", "sts.csv", "sts.jsonl")),
        Reader("tatoeba", _all("lexenc.files.tatoeba", "tatoeba_files"), ("tatoeba",)),
        Reader("parallel", _pairs_of_text, ("text.tsv", "few.tsv", "documents/aligned.tsv", "memory.tmx", "sdl.xlf")),
        Reader("scored-parallel", _pairs_of_text, ("mined-score", "mined/pairs.tsv")),
        Reader("corpus", _corpus, ("text.tsv",)),
        Reader("ladder", _all("lexenc.files.ladders", "read_ladder"), ("gold.ladder",)),
        Reader("two-sides", _two_sides, ("text.en",)),
        Reader("links", _all("lexenc.files.alignments", "read_alignments"), ("few.links", "aligned")),
        Reader("gold-links", _scored, ("few.predicted",)),
        Reader("table-of-pairs", _all("lexenc.files.exchange.writing", "read_rows"), ("train.tsv", "induced/lexicon.tsv", "translated.stdout", "mined/pairs.tsv")),
        Reader("review", _all("lexenc.files.lexicons", "read_review"), ("review.csv", "induced/review.csv")),
        Reader("sense-bank", _all("lexenc.training.sense_aware.bank", "load_bank"), ("language-sense",)),
        Reader("sense-review", _all("lexenc.files.sense_reviews", "read_sense_review"), ("senses.csv", "sensed/review.csv")),
        Reader("senses", _all("lexenc.stages.senses.lexicon", "read_sense_lexicon"), ("sensed", "sensed-read")),
        Reader("concepts", _all("lexenc.files.concepts", "stream_concept_names"), ("kb.txt",)),
        Reader("mentions", _all("lexenc.files.concepts", "stream_mentions"), ("mentions.txt", "en.txt")),
        Reader("synonyms", _all("lexenc.files.synonyms", "read_synonyms"), ("synonyms.txt", "synonym-pairs.txt", "MRCONSO.RRF")),
        Reader("vec", _all("lexenc.files.vectors", "read_vectors"), ("en.vec", "words/vectors.vec")),
        Reader("vec-skipping", _all("lexenc.files.vectors", "read_vectors", bad_lines="skip"), ("en.vec",)),
        Reader("word2vec", _all("lexenc.files.vectors", "read_vectors"), ("en.bin", "part1.bin")),
        Reader("fasttext", _all("lexenc.files.vectors", "read_vectors"), ("words/model.bin",)),
        Reader("subwords", _subwords, ("words/model.bin",)),
        Reader("chosen", _chosen, ("en.vec",)),
        Reader("space", _all("lexenc.files.spaces", "load_space"), ("mapped",)),
        Reader("npy", _all("lexenc.files.vectors", "load_vectors"), ("mapped/source",)),
        Reader("mapping", _all("lexenc.files.tensors", "read_tensors"), ("mapped/mapping.safetensors",)),
        Reader("hub", _hub, ("hub",)),
        Reader("evaluation", _evaluation, ("bli", "xlsim", "xel")),
        Reader("manifest", _show, ("bli", "mapped")),
        Reader("calibration", _calibration, ("induced",)),
        Reader("report", _report, ("bli", "induced", "plotted"), slow=True),
        Reader("pipeline", _all("lexenc.pipeline", "read_pipeline"), ("pipeline.yaml",), slow=True),
        Reader("catalogue", _all("lexenc.resources.catalogue", "read_catalogue"), ("catalogue.yaml",), slow=True),
        Reader("fetched", _kept, ("downloads",)),
        Reader("answer", _answered, ("answer.http",), slow=True),
        Reader("archive", _unpacked, ("toy.zip",)),
        Reader("checkpoint", _all("lexenc.training.checkpoints", "load_checkpoint"), ("checkpoint",)),
        Reader("log", _log, ("tuned/training.jsonl",)),
        Reader("unfinished", _unfinished, ("unfinished",)),
        Reader("static-encoder", _static, ("static",), slow=True),
        Reader("elmo", _elmo, ("elmo",), slow=True),
        Reader("encoder", _encoder, ("transformer", "static", "spoken"), slow=True),
        Reader("projected", _encoder, ("projected/de", "projected-one/de"), slow=True),
        Reader("trimmed-encoder", _trimmed, ("transformer", "static"), slow=True),
        Reader("cells", _cells, ("text.tsv",)),
        Reader("spans", _spans, ("aligner",), slow=True),
        Reader("index", _index, ("concepts-ivf/names.index",)),
    )
}  # fmt: skip


# ---------------------------------------------------------------- damage at random


EXTREMES = [
    b"", b"0", b"-1", b"nan", b"-inf", b"1e999", b"1e-999", b"9" * 30, b"9" * 400, b"0.5", b"1,5", b"true", b"null", b"''", b'"', b"\\",
    b"\t", b"\n", b"\r\n", b"\r", b" ", b"||", b"|||", b",", b";", b"=", b":", b"-", b"#", b"{", b"}", b"[", b"]", b"<", b">", b"&", b"\0",
    b"\x1b[31m", b"\x7f", b"\xc2\x9b", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    "\u2028".encode(), "\u0085".encode(), "\u202e".encode(), "\u00a0".encode(), "\u3000".encode(), "\u200b".encode(), "é".encode(),
    "e\u0301".encode(), "İ".encode(), "ß".encode(), "٣".encode(), "²".encode(), b"%s", b"{0}", b"../..", b"x" * 300, b"&amp;", b"&#0;",
    b"&#xD800;", b"&x;", b"<![CDATA[", b"]]>", b"<!--", b"<?", b"xml:lang=", b"NaN", b"Infinity", b'"\\ud800"', b"1e400", b"&a", b"*a",
    b"!!int x", b"? ", b"- ", b"<<:", b"---", b"1_0", b"1:99", b"2024-13-45", b"0-0", b"0p0", b"-1-0", b"99999999999-1", b"1-", b"C1|C2||",
]  # fmt: skip
INTEGERS = [0, 1, 2, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1]
_TOKENS = re.compile(rb"[\w.+-]+|\s|[^\w\s]")
_WHOLE = [each for each in CONTENTS.values() if isinstance(each, bytes) and len(each) <= 4 * LARGEST]


def _token(data: bytes, draw: Random) -> bytes:
    """Replace, repeat, delete or swap tokens of a part of a file: words, numbers, separators."""
    start = draw.randrange(max(1, len(data) - 100))
    tokens = _TOKENS.findall(data, start, start + 200) or [b""]
    at, other = draw.randrange(len(tokens)), draw.randrange(len(tokens))
    kind = draw.randrange(5)
    if kind == 0:
        tokens[at] = draw.choice(EXTREMES)
    elif kind == 1:
        tokens[at], tokens[other] = tokens[other], tokens[at]
    elif kind == 2:
        del tokens[at : at + draw.randint(1, 4)]
    elif kind == 3:
        tokens[at:at] = tokens[other : other + draw.randint(1, 12)]
    else:
        tokens[at] = tokens[other]
    return b"".join([data[:start], *tokens, data[start + 200 :]])


def _line(data: bytes, draw: Random) -> bytes:
    lines = data.split(b"\n")
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    kind = draw.randrange(4)
    if kind == 0:
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 1:
        lines.insert(at, lines[other])
    elif kind == 2:
        del lines[at : at + draw.randint(1, 3)]
    else:
        separator = draw.choice([b"\t", b",", b" ", b"||", b";", b":"])
        cells = lines[at].split(separator)
        cells[draw.randrange(len(cells))] = draw.choice(EXTREMES)
        lines[at] = separator.join(cells * draw.randint(1, 2))
    return b"\n".join(lines)


def _bytes(data: bytes, draw: Random) -> bytes:
    body = bytearray(data or b"\0")
    at = draw.randrange(len(body))
    kind = draw.randrange(5)
    if kind == 0:
        body[at] ^= 1 << draw.randrange(8)
    elif kind == 1:
        body[at : at + draw.randint(1, 20)] = b""
    elif kind == 2:
        body[at:at] = draw.choice(EXTREMES)
    elif kind == 3:
        body[at:] = b"" if draw.random() < 0.3 else JUNK[: draw.randint(1, 40)] + bytes(body[at:])
    else:
        # Where formats keep their sizes: at multiples of four from the start, most of them early.
        size, form = draw.choice([(4, "<I"), (8, "<Q"), (4, ">I"), (2, "<H"), (4, "<f")])
        start = 4 * draw.randrange(max(1, min(len(body), 200) // 4))
        value = draw.choice([0.0, -1.0, float("nan"), 3e38]) if form == "<f" else draw.choice(INTEGERS) % 256**size
        body[start : start + size] = struct.pack(form, value)
    return bytes(body)


def _json(data: bytes, draw: Random) -> bytes:
    return next((new for _, new in json_changes(data, draw, 1)), data)


def mutated(data: bytes, draw: Random) -> bytes:
    """Return a file with one to four changes."""
    if draw.random() < 0.002:
        return draw.choice(_WHOLE)
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        begins = data[:1]
        kinds = [_token, _line, _bytes] + ([_json] * 4 if begins in (b"{", b"[") else [])
        if data.count(b"\0") > 4:
            kinds = [_bytes]
        data = draw.choice(kinds)(data, draw)
    return data[: 16 * LARGEST]


# ---------------------------------------------------------------- the engine


@dataclass
class Found:
    """A fault: what happened, where, and the input, which file of a folder it is for, and how often it was met."""

    what: str
    data: bytes
    seed: str
    part: str = ""
    times: int = 1


@dataclass
class Campaign:
    """What one reader did: executions, seconds, and the faults by what happened and where."""

    reader: str
    executions: int = 0
    refused: int = 0
    seconds: float = 0.0  # of the processor
    faults: dict[str, Found] = field(default_factory=dict)


def outcome(read: Read, path: Path) -> tuple[str, str]:
    """Read a path. Return what tells outcomes apart, and the fault in words: empty for success and for LexencError."""
    try:
        read(path)
    except LexencError as error:
        return f"{type(error).__name__} {_where(error)}", "" if error.message.strip() else "an error without a message"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        what = f"{type(error).__name__} in {_where(error)}"
        return what, f"{what}: {' '.join(str(error).split())[:160]}"
    return "read", ""


def _where(error: BaseException) -> str:
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "/lexenc/" in code.co_filename:
            place = f"{Path(code.co_filename).stem}.{code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _cut(data: bytes) -> bytes:
    """Cut a long seed after a line, if it is text."""
    if len(data) <= LARGEST or b"\0" in data[:LARGEST]:
        return data
    return data[: data.rfind(b"\n", 0, LARGEST) + 1] or data[:LARGEST]


class Inputs:
    """The seeds of a reader, copied into a folder, one file of which is damaged at a time."""

    def __init__(self, reader: Reader, world: Path, place: Path) -> None:
        self.corpus: list[tuple[str, str, bytes]] = []  # seed, part, content
        self._place, self._now, self._stream = place, ("", ""), -1
        for seed in reader.seeds:
            original, copy = world / seed, place / seed.replace("/", "_")
            if original.is_dir():
                shutil.copytree(original, copy)
            else:
                shutil.copyfile(original, copy)
            inside = (
                [each for each in sorted(original.rglob("*")) if each.is_file()] if original.is_dir() else [original]
            )
            for each in inside:
                part = each.relative_to(original).as_posix() if original.is_dir() else ""
                self.corpus.append((seed, part, _cut(each.read_bytes())))
        self.valid = {(seed, part): data for seed, part, data in self.corpus}

    def path(self, seed: str) -> Path:
        return self._place / seed.replace("/", "_")

    def write(self, seed: str, part: str, data: bytes) -> Path:
        """Put a content in its place, and what was damaged before back into its own."""
        path = self.path(seed)
        if self._now != (seed, part):
            if self._stream >= 0:
                self._fill(self.valid[self._now])
                os.close(self._stream)
            self._stream, self._now = os.open(path / part if part else path, os.O_RDWR | os.O_CREAT), (seed, part)
        self._fill(data)
        return path

    def _fill(self, data: bytes) -> None:
        os.ftruncate(self._stream, 0)
        os.pwrite(self._stream, data, 0)


def fuzz(
    reader: Reader, world: Path, place: Path, *, executions: int, seconds: float, seed: int, guided: bool = False
) -> Campaign:
    """Read damaged files until there were so many executions, or the time is over.

    Args:
        reader: The reader.
        world: The folder of `make_world`.
        place: Folder for inputs, best in memory.
        executions: Number of executions at most.
        seconds: Seconds at most.
        seed: Seed of all changes.
        guided: Whether atheris guides the changes by coverage.
    """
    done, started = Campaign(reader.name), time.monotonic()
    part = 0
    while done.executions < executions and time.monotonic() - started < seconds:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        (place / "shared").write_bytes(bytes(64))
        with (place / "shared").open("r+b") as stream:
            shared = mmap.mmap(stream.fileno(), 64)
        left = executions - done.executions
        child = os.fork()
        if child == 0 and guided:
            words = [reader.name, world, place, left, started + seconds, seed + part]
            os.execv(sys.executable, [sys.executable, "-m", "tests.fuzz.guided", *map(str, words)])
        if child == 0:
            _work(reader, world, place, shared, left, started + seconds, seed + part)
        stopped, spent = _watch(child, shared)
        done.seconds += spent
        count, refused = struct.unpack_from("<QQ", shared)
        done.executions, done.refused = done.executions + count, done.refused + refused
        for line in _lines_of(place / "faults.jsonl"):
            _add(done, Found(line["what"], bytes.fromhex(line["data"]), line["seed"], line["part"], line["times"]))
        if stopped:
            _add(done, _culprit(stopped, place))
        part += 1
    return done


def _add(done: Campaign, found: Found) -> None:
    key = found.what.split(": ")[0]
    if key in done.faults:
        done.faults[key].times += found.times
    else:
        done.faults[key] = found


def _lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def _culprit(stopped: str, place: Path) -> Found:
    seed, part = (place / "now").read_text().split("\n")
    path = place / seed.replace("/", "_") / part if part else place / seed.replace("/", "_")
    return Found(stopped, path.read_bytes(), seed, part)


def _watch(child: int, shared: mmap.mmap) -> tuple[str, float]:
    """Wait for a worker; return the signal that ended it, or that it hung, and its seconds of the processor."""
    last, since = -1, time.monotonic()
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            what = "" if code == 0 else f"signal {-code}" if code < 0 else f"exit code {code}"
            return what, usage.ru_utime + usage.ru_stime
        (count,) = struct.unpack_from("<Q", shared)
        if count != last:
            last, since = count, time.monotonic()
        elif time.monotonic() - since > HANG:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"no answer in {HANG:.0f} s", HANG
        time.sleep(0.02)


def confine() -> None:
    """Set the ceiling of memory of this process, and send what libraries print to nowhere."""
    size = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (size + MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)


def _work(reader: Reader, world: Path, place: Path, shared: mmap.mmap, executions: int, end: float, seed: int) -> None:
    code = 97
    try:
        confine()
        draw, inputs, seen = Random(f"{reader.name} {seed}"), Inputs(reader, world, place), set()
        faults: dict[str, Found] = {}
        refused, now = 0, os.open(place / "now", os.O_RDWR | os.O_CREAT)
        where = ("", "")
        for count in range(executions):
            name, part, data = inputs.corpus[draw.randrange(len(inputs.corpus))]
            data = mutated(data, draw) if count >= len(inputs.valid) else data
            if where != (name, part):
                where = (name, part)
                os.ftruncate(now, 0)
                os.pwrite(now, f"{name}\n{part}".encode(), 0)
            sign, fault = outcome(reader.read, inputs.write(name, part, data))
            refused += sign != "read"
            struct.pack_into("<QQ", shared, 0, count + 1, refused)
            if sign not in seen and len(inputs.corpus) < 500:
                seen.add(sign)
                inputs.corpus.append((name, part, data))  # what leads somewhere new leads further
            if fault:
                known = faults.setdefault(sign, Found(fault, data, name, part, 0))
                known.times += 1
                if len(data) < len(known.data):
                    known.data = data
            if count % 64 == 0 and time.monotonic() > end:
                break
        with (place / "faults.jsonl").open("w") as stream:
            for each in faults.values():
                stream.write(json.dumps({**vars(each), "data": each.data.hex()}) + "\n")
        code = 0
    finally:
        os._exit(code)


def again(reader: Reader, world: Path, place: Path, found: Found) -> str:
    """Read one input in a process of its own; return the fault in words, or nothing."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shared, answer = mmap.mmap(-1, 64), place / "answer"
    child = os.fork()
    if child == 0:
        code = 97
        with suppress(BaseException):
            confine()
            _, fault = outcome(reader.read, Inputs(reader, world, place).write(found.seed, found.part, found.data))
            answer.write_text(fault)
            code = 0
        os._exit(code)
    return _watch(child, shared)[0] or answer.read_text()


def minimised(reader: Reader, world: Path, place: Path, found: Found, *, seconds: float) -> bytes:
    """Delete parts of an input as long as the fault stays the same, so long at most."""
    end, key, data = time.monotonic() + seconds, found.what.split(": ")[0], found.data
    size = max(1, len(data) // 2)
    while size and time.monotonic() < end:
        start = 0
        while start < len(data) and time.monotonic() < end:
            shorter = data[:start] + data[start + size :]
            if again(reader, world, place, Found(key, shorter, found.seed, found.part)).split(": ")[0] == key:
                data = shorter
            else:
                start += size
        size //= 2
    return data


# ---------------------------------------------------------------- what has no entry


PRIMITIVES = {
    "read_text", "read_bytes", "loads", "load_file", "safe_open", "read_lines", "json_lines", "open_bytes", "table_rows", "csv_rows",
    "safe_load", "memmap", "parse_json", "read_json", "read_yaml", "read_npy", "read_tensors_of", "opened_tensors", "iterparse", "read_index", "fromfile",
}  # fmt: skip
"""Names of functions that read files or parse their content."""

ELSEWHERE = {
    "alignment/eflomal.py": "what eflomal writes, through readers of links",
    "alignment/grids.py": "its own templates",
    "report/page.py": "its own templates",
    "resources/__init__.py": "its own presets",
    "recipes/paper.py": "its own recipes",
    "fetching.py": "the hostile server of the tests of fetch",
    "encoders/subwords.py": "tokenizers that are read already",
    "alignment/statistical.py": "its own memory maps, in the harness of faults",
    "stages/encoders/encode.py": "lines of text",
    "stages/evaluation/seeds.py": "its own memory maps, in the harness of faults",
    "stages/evaluation/language_id.py": "lines of text",
    "stages/lexical/audit.py": "lines of text; pairs, words and vectors through their readers",
    "stages/sentences/align_documents.py": "lines of text; ladders through their reader",
    "stages/encoders/plot.py": "lines of text; words and vectors through their readers",
    "stages/encoders/train_static.py": "lines of text",
    "stages/senses/review.py": "rows of a concordance of its own; reviews and senses through their readers",
    "stages/senses/reading.py": "lines of text",
    "stages/senses/tagging.py": "lines of text; senses through their reader",
    "stages/senses/translations.py": "links and their sentences, through their readers",
    "stages/lexical/project.py": "lines of text; encoders and pairs through their readers",
    "stages/encoders/pretraining_text.py": "lines of text, and sentence pairs through their reader",
    "planning.py": "the commit of the working directory",
    "stages/lineage.py": "inputs of other commands, through their readers",
    "stages/training.py": "its own log, in the harness of faults",
    "stages/alignment/align.py": "its own unfinished work, in the harness of faults",
    "stages/alignment/shared.py": "its own unfinished work, in the harness of faults",
    "stages/sentences/bitext_search.py": "its own unfinished work, in the harness of faults",
    "stages/sentences/links.py": "links through the reader of alignments, and the words of results of align",
    "stages/lexical/link.py": "vectors through the reader npy, an index by its digest; the cases damage both",
    "stages/lexical/map.py": "its own log, in the harness of faults",
    "stages/lexical/map_hub.py": "its own unfinished work, in the harness of faults",
    "structured.py": "through every reader of JSON, YAML, npy and safetensors",
    "durable.py": "writes",
}
"""Modules that read what no reader here reaches, and where that is tested."""


def reading_functions() -> Iterator[tuple[str, str]]:
    """Yield the functions of the package that call something that reads: module and name."""
    root = Path(lexenc.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                called = {
                    getattr(each.func, "attr", getattr(each.func, "id", ""))
                    for each in ast.walk(node)
                    if isinstance(each, ast.Call)
                }
                if called & PRIMITIVES:
                    yield path.relative_to(root).as_posix(), node.name


def lacking(world: Path, place: Path) -> list[str]:
    """Say which modules read what no reader reaches with its valid files, and which readers refuse these."""
    place.mkdir(parents=True, exist_ok=True)
    answer, child = place.parent / "lacking.txt", os.fork()
    if child == 0:  # because what draws charts starts threads, after which this process could not be forked safely
        try:
            answer.write_text("\n".join(_lacking(world, place)))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return answer.read_text().splitlines() if answer.is_file() else ["the search for readers itself failed"]


def _lacking(world: Path, place: Path) -> list[str]:
    root, reached, refusing = f"{Path(lexenc.__file__).parent}/", set(), []

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(root):
            reached.add((frame.f_code.co_filename.removeprefix(root), frame.f_code.co_name))

    for reader in READERS.values():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        inputs = Inputs(reader, world, place)
        sys.setprofile(note)
        try:
            refusing += [
                f"{reader.name}: {sign}"
                for seed in reader.seeds
                if (sign := outcome(reader.read, inputs.path(seed))[0]) != "read"
            ]
        finally:
            sys.setprofile(None)
    wanted: dict[str, bool] = {}
    for module, name in reading_functions():
        wanted[module] = wanted.get(module, False) or (module, name) in reached
    lost = [module for module, found in wanted.items() if not found and module not in ELSEWHERE]
    return [f"no reader of readers.py reaches {each}" for each in lost] + [
        f"a valid file is refused: {each}" for each in refusing
    ]
