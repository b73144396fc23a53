"""Write pairs as TMX 1.4, XLIFF 1.2 or 2.0, TBX 2 or 3, as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import IO, Literal

import lexenc
from lexenc.errors import DataError
from lexenc.files.text import begins_with_scores, cells_of, counted, number_of, read_lines, refuse_csv, tab_hint
from lexenc.text.folding import trim

Kind = Literal["tsv", "tmx", "tbx", "tbx2", "xliff", "xliff2"]
SUFFIXES: dict[str, Kind] = {".tmx": "tmx", ".tbx": "tbx", ".xlf": "xliff", ".xliff": "xliff", ".tsv": "tsv",
                             ".txt": "tsv"}  # fmt: skip
# XML cannot contain these characters, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class PairRow:
    """A pair to write, with a probability or similarity if there is one."""

    source: str
    target: str
    score: float | None = None


@dataclass
class Written:
    """Number of pairs written, and of characters removed because XML cannot contain them."""

    pairs: int = 0
    characters: int = 0


def read_rows(path: Path) -> Iterator[PairRow]:
    """Yield the pairs of a table with TABs between columns: source, target, and optionally a score.

    The output of `translate` is read as well (source, rank, target, score), the output of `mine-bitext` and LASER
    (score, source, target), and so are lexicons, whose first line
    begins with source and target: their third column is the score, and further columns are ignored.

    Args:
        path: The file; gzip is unpacked.

    Raises:
        DataError: If a line has other columns, or there are no pairs.
    """
    found, heads, scored = False, 0, begins_with_scores(path)
    for number, line in read_lines(path):
        if not trim(line):
            continue
        cells = cells_of(line, "\t" if "\t" in line else "", path, number)
        if number == 1 and len(cells) > 2 and cells[:2] == ["source", "target"] and number_of(cells[2]) is None:
            heads = len(cells)
            continue
        row = _row([*cells[1:], cells[0]] if scored and len(cells) == 3 else cells, heads)
        if row is None:
            raise DataError(
                f"{path}, line {number}: not source, target and perhaps a score ({counted(len(cells), 'column')}).",
                hint="No column may be empty, and the score is a number." if "\t" in line else tab_hint(line),
            )
        if number == 1:
            refuse_csv(line, path)
        found = True
        yield row
    if not found:
        raise DataError(f"{path} holds no pairs.", hint="One pair per line: source, TAB, target.")


def _row(cells: list[str], heads: int) -> PairRow | None:
    if heads:
        cells = cells[:3] if len(cells) == heads else []
    elif len(cells) == 4 and cells[1].isdigit():
        cells = [cells[0], *cells[2:]]
    if len(cells) not in (2, 3) or not all(cells):
        return None
    score = number_of(cells[2]) if len(cells) == 3 else None
    return None if len(cells) == 3 and score is None else PairRow(cells[0], cells[1], score)


def write_rows(stream: IO[bytes], rows: Iterable[PairRow], kind: Kind, source: str = "", target: str = "") -> Written:
    """Write pairs in one of the formats, as a stream.

    Scores are written as `<prop type="x-score">` in TMX, and as notes in XLIFF and TBX, which have no field for them.
    In TBX all translations of a word are terms of one concept, at the place of the first one. All pairs are kept in
    memory for that. In other formats every pair is an entry.

    Args:
        stream: File to write to.
        rows: The pairs.
        kind: Format: `tbx` is version 3 (2019), `tbx2` version 2 (2008), `xliff` is 1.2, `xliff2` 2.0.
        source: Language of the left side. `tsv` needs none.
        target: Language of the right side.
    """
    made = Written()

    def clean(text: str) -> str:
        held, lost = _FORBIDDEN.subn("", text)
        made.characters += lost
        return escape(held, quote=False)

    if kind == "tsv":
        for row in rows:
            stream.write(f"{row.source}\t{row.target}\n".encode("utf-8", "surrogateescape"))
            made.pairs += 1
        return made
    form = _FORMS[kind]
    about = {"source": source, "target": target, "version": lexenc.__version__}
    names = {name: f'"{escape(value)}"' for name, value in about.items()}
    stream.write(('<?xml version="1.0" encoding="UTF-8"?>\n' + form.head.format(**names)).encode())
    entries: Iterable[tuple[str, list[PairRow]]] = ((row.source, [row]) for row in rows)
    if form.grouped:
        found: dict[str, list[PairRow]] = {}
        for row in rows:
            found.setdefault(row.source, []).append(row)
        entries = found.items()
    for number, (word, many) in enumerate(entries, start=1):
        made.pairs += len(many)
        terms = [(clean(row.target), "" if row.score is None else f"{row.score:.6g}") for row in many]
        stream.write(form.filled(number, clean(word), terms, names).encode())
    stream.write(form.foot.encode())
    return made


@dataclass(frozen=True)
class _Form:
    """Templates of a format. Its `note` holds the score of a pair; a `grouped` entry has all targets of a source."""

    head: str
    entry: str
    target: str
    note: str
    foot: str
    grouped: bool = False

    def filled(self, number: int, word: str, terms: list[tuple[str, str]], names: dict[str, str]) -> str:
        """Return an entry with the translations of a word and their scores, which are empty if unknown."""
        notes = [self.note.format(score=score) if score else "" for _, score in terms]
        targets = "".join(
            self.target.format(text=text, note=note, review=_REVIEW if note else "", **names)
            for (text, _), note in zip(terms, notes, strict=True)
        )
        return self.entry.format(number=number, word=word, targets=targets, note=notes[0], **names)


# A pair with a score is from a machine and needs review.
_REVIEW = ' state="needs-review-translation"'
_NOTE = "<note>score {score}</note>"
_FORMS: dict[str, _Form] = {
    "tmx": _Form(
        '<tmx version="1.4"><header creationtool="lexenc" creationtoolversion={version} segtype="phrase" '
        'o-tmf="tsv" adminlang="en" srclang={source} datatype="plaintext"/><body>\n',
        '<tu tuid="{number}">{note}<tuv xml:lang={source}><seg>{word}</seg></tuv>{targets}</tu>\n',
        "<tuv xml:lang={target}><seg>{text}</seg></tuv>",
        '<prop type="x-score">{score}</prop>',
        "</body></tmx>\n",
    ),
    "tbx": _Form(
        '<tbx type="TBX-Core" style="dca" xml:lang={source} xmlns="urn:iso:std:iso:30042:ed-2"><tbxHeader><fileDesc>'
        "<sourceDesc><p>Word pairs written by lexenc.</p></sourceDesc></fileDesc></tbxHeader><text><body>\n",
        '<conceptEntry id="c{number}"><langSec xml:lang={source}><termSec><term>{word}</term></termSec></langSec>'
        "<langSec xml:lang={target}>{targets}</langSec></conceptEntry>\n",
        "<termSec><term>{text}</term>{note}</termSec>",
        _NOTE,
        "</body></text></tbx>\n",
        grouped=True,
    ),
    "tbx2": _Form(
        '<martif type="TBX" xml:lang={source}><martifHeader><fileDesc><sourceDesc><p>Word pairs written by lexenc.'
        "</p></sourceDesc></fileDesc></martifHeader><text><body>\n",
        '<termEntry id="c{number}"><langSet xml:lang={source}><tig><term>{word}</term></tig></langSet>'
        "<langSet xml:lang={target}>{targets}</langSet></termEntry>\n",
        "<tig><term>{text}</term>{note}</tig>",
        _NOTE,
        "</body></text></martif>\n",
        grouped=True,
    ),
    "xliff": _Form(
        '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file original="pairs" '
        'source-language={source} target-language={target} datatype="plaintext"><body>\n',
        '<trans-unit id="{number}"><source>{word}</source>{targets}</trans-unit>\n',
        "<target{review}>{text}</target>{note}",
        _NOTE,
        "</body></file></xliff>\n",
    ),
    "xliff2": _Form(
        '<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0" srcLang={source} trgLang={target}>'
        '<file id="f1">\n',
        '<unit id="{number}">{note}<segment state="translated"><source>{word}</source>{targets}</segment></unit>\n',
        "<target>{text}</target>",
        '<notes><note category="score">{score}</note></notes>',
        "</file></xliff>\n",
    ),
}
