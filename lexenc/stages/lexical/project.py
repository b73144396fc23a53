"""project: encoders + text + dictionary -> encoders of two languages in one space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices, blocks
from lexenc.artifact import Manifest
from lexenc.encoders.base import WordEncoder
from lexenc.encoders.card import model_card, write_card
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.bootstrap import interval
from lexenc.files.spaces import Space, save_space
from lexenc.files.text import counted, read_lines
from lexenc.files.vec_report import ReadReport
from lexenc.files.vectors import Vectors
from lexenc.lexical.anchors import (
    SUMS,
    Anchors,
    Fitness,
    Split,
    Wanted,
    average_contexts,
    fit_map,
    hold_out,
    judge_map,
    line_limits,
    line_numbers,
    wanted_words,
)
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.reading import coverage_advice, open_encoder, read_dictionary
from lexenc.text.folding import Folding, UnicodeForm
from lexenc.text.words import Segmentation, segmenter

if TYPE_CHECKING:
    from lexenc.encoders.projected import Projectable

SPACE = "anchors"
BEFORE = "anchors-before"
"""The anchors of one encoder of both languages, without the map."""
_FEWEST = 10  # pairs
_MEMORY = 2**29  # bytes of the sums of layers that are averaged in one pass
_READING = "Reading of texts"
_Both = tuple[Anchors, Anchors]


@dataclass(frozen=True)
class ProjectParams:
    """Parameters of `project`."""

    method: Literal["lstsq", "procrustes"] = param(
        "lstsq",
        "Map of each layer. lstsq: least squares, as in the paper; it needs more pairs than the encoder has "
        "dimensions. procrustes: the nearest rotation, which keeps the distances within the second language.",
    )
    layers: tuple[int, ...] = param(
        (),
        "Layers to map, e.g. 0,1,2; 0 is the input of the first layer, negative numbers count from the end. Each is "
        "mapped to the layer of the same number of the other encoder. If left out, those of which vectors of texts "
        "are made: the last of a transformer.",
    )
    most_occurrences: int = param(
        200,
        "Largest number of occurrences of a word to average, drawn at random, one per line. More: better anchors, and "
        "more time.",
        ge=1,
        le=1_000_000,
    )
    minimum_count: int = param(5, "Smallest number of occurrences of a word.", ge=1)
    vocabulary: int = param(
        10_000,
        "Number of most frequent words of each text that get an anchor without being in a pair. Held-out words are "
        "looked up among them.",
        ge=0,
        le=1_000_000,
    )
    identical: bool = param(True, "Also learn from the strings that occur in both texts, each once.")
    held_out: float = param(
        0.1, "Share of the words of the second language to test the maps on, which are not learned from.", ge=0, le=0.5
    )
    pooling: Literal["auto", "mean", "cls", "model"] = param(
        "auto",
        "Pooling of the vectors of texts. mean: mean of the last layer over all tokens, including special ones; cls: "
        "the first token of the last layer; model: the modules of the encoder; auto: model if it has modules, else "
        "mean.",
    )
    words: Segmentation = param(
        "words",
        "How texts are split into words. words: Unicode words and punctuation. spaces: the text between spaces. "
        "characters: for languages without spaces. spacy: tokens of spaCy, if installed.",
        group=_READING,
    )
    lowercase: bool = param(
        True, "Ignore case when words are compared. The encoder sees words as they are.", group=_READING
    )


@dataclass(frozen=True)
class _Spelling:
    """How the words of a dictionary are folded, as `read_dictionary` needs it."""

    lowercase: bool
    source_language: str
    target_language: str
    unicode: UnicodeForm = "nfc"

    @property
    def folding(self) -> Folding:
        return Folding(self.lowercase, self.unicode)


@dataclass(frozen=True)
class _Text:
    """The text of a language.

    Args:
        language: Its name.
        path: The file.
        cut: Splits a line into words.
        fold: Brings a word to the form in which words are compared.
    """

    language: str
    path: Path
    cut: Callable[[str], list[str]]
    fold: Callable[[str], str]

    def sentences(self, job: Job, what: str) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the words of every line that is not blank, as they are and folded."""
        with job.progress.task(f"{what} {self.path.name}", None, "lines") as task:
            for _, line in read_lines(self.path):
                task.advance(1)
                if words := self.cut(line):
                    yield words, [self.fold(word) for word in words]

    def numbers(self, job: Job) -> Iterator[float]:
        """Yield the random number of every line."""
        return line_numbers(job.seed, f"lines of {self.language}")


def project(inputs: dict[str, Any], params: ProjectParams, job: Job) -> Outcome:
    """Map the layers of the encoder of the second language into the space of that of the first."""
    names = (*inputs["text"],)
    spelling = _Spelling(params.lowercase, *names)
    texts = [_text(name, path, spelling, params) for name, path in inputs["text"].items()]
    given = inputs["encoder"]
    paths = (given.get("", given.get(names[0])), given.get("", given.get(names[1])))
    encoders = _open(paths, params, job)
    layers = _layers(encoders, paths, params)
    wanted = _wanted(inputs["dictionary"], (texts[0], texts[1]), spelling, params, job)
    split = hold_out(wanted.pairs, params.held_out, generator(job.seed, "held-out words"))
    limits = [
        line_limits((own for _, own in text.sentences(job, "draw lines of")), _rows(words), text.numbers(job),
                    most=params.most_occurrences)
        for text, words in zip(texts, wanted.words, strict=True)
    ]  # fmt: skip
    maps, results = {}, list[dict[str, Any]]()
    anchors: _Both | None = None
    for pair, anchors in _anchors(encoders, layers, texts, wanted, limits, job):
        found, matrix = _learn(anchors, wanted, split, names, params, job)
        maps[pair[1]] = matrix.astype(np.float32)
        results.append({"layer": pair[0], **({"layer_of_second": pair[1]} if pair[0] != pair[1] else {}), **found})
    _save(encoders, paths, names, maps, params, job)
    assert anchors is not None
    _save_space(SPACE, (anchors[0].matrix, anchors[1].matrix @ maps[layers[-1][1]]), anchors, wanted, texts, job)
    if paths[0] == paths[1]:
        _save_space(BEFORE, (anchors[0].matrix, anchors[1].matrix), anchors, wanted, texts, job)
    return Outcome(
        {
            "languages": [*names],
            "layers": len(layers),
            "pairs": len(wanted.pairs),
            "pairs_of_dictionary": wanted.of_dictionary,
            "identical_strings": wanted.identical,
            "left_out": dict(wanted.left_out),
            "words": {name: len(words) for name, words in zip(names, wanted.words, strict=True)},
            "dimensions": int(next(iter(maps.values())).shape[1]),
        },
        results,
        [_fit_table(results, names, params), _spread_table(results, names)],
    )


def _text(name: str, path: Path, spelling: _Spelling, params: ProjectParams) -> _Text:
    return _Text(name, path, segmenter(params.words, name), lambda word: spelling.folding.fold(word, name))


def _rows(words: Sequence[str]) -> dict[str, int]:
    return {word: row for row, word in enumerate(words)}


# ---------------------------------------------------------------- encoders


def _open(paths: tuple[Path, Path], params: ProjectParams, job: Job) -> tuple[Projectable, Projectable]:
    """Open the encoder of each language.

    Raises:
        ConfigError: If one has no layers, or cannot be saved, or their vectors of texts are made in different ways.
    """
    from lexenc.encoders.elmo import ElmoEncoder
    from lexenc.encoders.projected import text_layers
    from lexenc.encoders.transformer import TransformerEncoder

    opened: dict[Path, Projectable] = {}
    for path in dict.fromkeys(paths):
        encoder = open_encoder(path, params.pooling, job, training=True)
        if not isinstance(encoder, TransformerEncoder | ElmoEncoder):
            raise ConfigError(
                f"The encoder {path} is {encoder.kind}: its words have the same vector in every sentence.",
                hint="Map its vectors instead: lexenc map. project needs a transformer or ELMo.",
            )
        opened[path] = encoder
    first, second = opened[paths[0]], opened[paths[1]]
    ways = [(each.settings.vector if isinstance(each, ElmoEncoder) and each.settings.vector in ("mean", "concat")
             else "layer", len(text_layers(each))) for each in (first, second)]  # fmt: skip
    if ways[0] != ways[1]:
        told = " and ".join(f"{count} ({way})" if count > 1 else "one" for way, count in ways)
        raise ConfigError(
            f"The encoders make vectors of texts of different numbers of layers: {told}.", hint="Use --pooling mean."
        )
    return first, second


def _layers(
    encoders: tuple[Projectable, Projectable], paths: tuple[Path, Path], params: ProjectParams
) -> list[tuple[int, int]]:
    """Return the layers to map, of the first and the second encoder.

    Raises:
        ConfigError: If one does not exist, or those of which vectors of texts are made are not among them.
    """
    from lexenc.encoders.projected import text_layers

    needed = list(zip(*(text_layers(each) for each in encoders), strict=True))
    if not params.layers:
        return needed
    for encoder, path in zip(encoders, paths, strict=True):
        for layer in params.layers:
            if not -encoder.layers - 1 <= layer <= encoder.layers:
                number = counted(encoder.layers, "layer")
                raise ConfigError(
                    f"--layers: the encoder {path} has {number}, so there is no layer {layer}.",
                    hint=f"Use layers from 0 to {encoder.layers}, or -1 for the last.",
                )
    first, second = ([layer % (each.layers + 1) for layer in params.layers] for each in encoders)
    found = list(dict.fromkeys(zip(first, second, strict=True)))
    if len({other for _, other in found}) < len(found):
        raise ConfigError("--layers has a layer of the second encoder twice.", hint="Give each once.")
    if missing := [pair for pair in needed if pair not in found]:
        own = missing[0][0] if missing[0][0] == missing[0][1] else missing[0][0] - encoders[0].layers - 1
        raise ConfigError(
            f"--layers lacks layer {own}, of which vectors of texts are made, so that these would not be mapped.",
            hint=f"Add it: --layers {','.join(map(str, (*params.layers, own)))}",
        )
    return found


def _save(
    encoders: tuple[Projectable, Projectable],
    paths: tuple[Path, Path],
    names: tuple[str, ...],
    maps: Mapping[int, np.ndarray],
    params: ProjectParams,
    job: Job,
) -> None:
    """Write a folder for each language: the encoder of the first as it is, and that of the second with its maps."""
    from lexenc.encoders.projected import save_projected

    for name in names:
        (job.out / name).mkdir()
    encoders[0].save(job.out / names[0])
    save_projected(job.out / names[1], encoders[1], maps)
    listed = ", ".join(map(str, maps))
    told = {
        names[0]: f"The encoder `{paths[0].name}`, unchanged, with which `{names[1]}` beside it shares a space.",
        names[1]: f"The encoder `{paths[1].name}`, of which the layers {listed} are mapped into the space of "
        f"`{paths[0].name}` (`{names[0]}` beside it) by lexenc project --method {params.method}. lexenc maps the "
        "states of words at these layers too; other programs map only vectors of texts.",
    }
    for name, encoder in zip(names, encoders, strict=True):
        library = "lexenc" if encoder.kind == "elmo" else "sentence-transformers"
        write_card(job.out / name, model_card(name, [told[name]], library=library))


# ---------------------------------------------------------------- words and anchors


def _wanted(path: Path, texts: tuple[_Text, _Text], spelling: _Spelling, params: ProjectParams, job: Job) -> Wanted:
    """Read the dictionary, count the words of the texts, and decide which words get anchors.

    Raises:
        DataError: If a text is empty, or there are too few pairs.
    """
    pairs = read_dictionary(path, spelling, job, roles=(texts[0].language, texts[1].language))
    counts: list[Counter[str]] = []
    for text in texts:
        own: Counter[str] = Counter()
        for _, folded in text.sentences(job, "count words of"):
            own.update(folded)
        if not own:
            raise DataError(f"There is no text in {text.path}.", hint="Use a text file with one sentence per line.")
        counts.append(own)
    wanted = wanted_words(
        pairs,
        (counts[0], counts[1]),
        cut=(texts[0].cut, texts[1].cut),
        minimum=params.minimum_count,
        vocabulary=params.vocabulary,
        identical=params.identical,
    )
    lost, shown = wanted.left_out.total(), ", ".join(f"{why}: {many:,}" for why, many in wanted.left_out.items())
    advice = coverage_advice(pairs, counts[0], counts[1], folding=spelling.folding) if lost else None
    told = f" Left out of the dictionary: {shown}." if lost else ""
    if len(wanted.pairs) < _FEWEST:
        raise DataError(
            f"{path}: only {counted(len(wanted.pairs), 'pair')} of words that occur in both texts, at least {_FEWEST} "
            f"are needed.{told}",
            hint=advice or "Use more text, a larger dictionary, or a smaller --minimum-count.",
        )
    job.notices.say(
        f"{counted(len(wanted.pairs), 'pair')}: {wanted.of_dictionary:,} of the dictionary and "
        f"{len(wanted.pairs) - wanted.of_dictionary:,} further identical strings.{told}"
    )
    if advice:
        job.notices.warn(f"{path}: {counted(lost, 'pair')} left out.", advice)
    return wanted


def _anchors(
    encoders: tuple[Projectable, Projectable],
    layers: Sequence[tuple[int, int]],
    texts: Sequence[_Text],
    wanted: Wanted,
    limits: Sequence[list[float]],
    job: Job,
) -> Iterator[tuple[tuple[int, int], _Both]]:
    """Average the states of all words at each layer of both encoders: as many layers in one pass as memory allows."""
    from lexenc.encoders.word_vectors import word_encoder

    size = max(len(words) * encoder.width for words, encoder in zip(wanted.words, encoders, strict=True))
    for part in blocks(len(layers), max(1, _MEMORY // (SUMS * size))):
        found = []
        chosen = zip(*layers[part], strict=True)
        for encoder, own, text, words, limit in zip(encoders, chosen, texts, wanted.words, limits, strict=True):
            states: WordEncoder = word_encoder(cast(Any, encoder), layer=own, unit="words")
            sentences = text.sentences(job, f"layer {', '.join(map(str, own))}:")
            found.append(average_contexts(states, sentences, _rows(words), text.numbers(job), limit, layers=len(own)))
        yield from zip(layers[part], zip(*found, strict=True), strict=True)


def _save_space(
    name: str, vectors: tuple[Floats, Floats], anchors: _Both, wanted: Wanted, texts: Sequence[_Text], job: Job
) -> None:
    """Write vectors of both languages as a shared space, without words that have no anchor."""
    sides = []
    for own, rows, words, text in zip(anchors, vectors, wanted.words, texts, strict=True):
        kept = np.flatnonzero(own.occurrences).tolist()
        chosen = [words[row] for row in kept]
        sides.append(Vectors(chosen, np.ascontiguousarray(rows[kept], np.float32), ReadReport(str(text.path))))
    (job.out / name).mkdir()
    save_space(job.out / name, Space(*sides))


# ---------------------------------------------------------------- maps


def _learn(
    anchors: tuple[Anchors, Anchors],
    wanted: Wanted,
    split: Split,
    names: tuple[str, ...],
    params: ProjectParams,
    job: Job,
) -> tuple[dict[str, Any], Doubles]:
    """Learn the map of a layer, and score it; return the scores and the map.

    Raises:
        DataError: If too few words of pairs have vectors.
    """
    index = [_rows(words) for words in wanted.words]
    table = np.array([[own[word] for own, word in zip(index, pair, strict=True)] for pair in wanted.pairs])
    has = np.logical_and(*(own.occurrences[rows] > 0 for own, rows in zip(anchors, table.T, strict=True)))
    train, test = (rows[has[rows]] for rows in split)
    if len(train) < _FEWEST:
        raise DataError(
            f"Only {counted(len(train), 'pair')} to learn from, at least {_FEWEST} are needed.",
            hint="Use more text, a larger dictionary, or a smaller --held-out.",
        )
    matrices = anchors[0].matrix, anchors[1].matrix
    learned = fit_map(matrices, _columns(table, train), params.method)
    if learned.announcement:
        job.notices.warn(learned.announcement, "Use a larger dictionary, or --method procrustes.")
    random = generator(job.seed, "shuffled pairs")
    mixed = table[train]
    shuffled = fit_map(matrices, (mixed[:, 0], random.permutation(mixed[:, 1])), params.method)
    found: dict[str, Any] = {"pairs": len(train), "without_vector": int((~has).sum())}
    if len(test):
        held = _columns(table, test)
        judge = {"precision": learned.source, "shuffled": shuffled.source}
        fits = {name: judge_map(matrices, held, each, device=job.device.name) for name, each in judge.items()}
        if matrices[0].shape[1] == matrices[1].shape[1]:
            fits["before"] = judge_map(matrices, held, None, device=job.device.name)
        found |= _scores(fits, len(test), int((anchors[0].occurrences > 0).sum()), job)
    found["spread"] = {
        name: {"within": round(each.spread.within, 6), "between": round(each.spread.between, 6)}
        for name, each in zip(names, anchors, strict=True)
    }
    return found, learned.source


def _columns(table: np.ndarray, rows: Indices) -> tuple[Indices, Indices]:
    return table[rows, 0], table[rows, 1]


def _scores(fits: Mapping[str, Fitness], pairs: int, candidates: int, job: Job) -> dict[str, Any]:
    """Return precision at 1 with its interval, that of the controls, and what remains of the distances."""
    own = fits["precision"]
    low, high = interval(own.hits.astype(np.float64), generator=generator(job.seed, "intervals"))
    found = {
        "precision_at_1": float(own.hits.mean()),
        "low": low,
        "high": high,
        "precision_at_1_before": float(fits["before"].hits.mean()) if "before" in fits else None,
        "precision_at_1_shuffled": float(fits["shuffled"].hits.mean()),
        "residual": own.residual,
        "residual_before": fits["before"].residual if "before" in fits else None,
        "residual_shuffled": fits["shuffled"].residual,
    }
    rounded = {name: None if each is None else round(each, 6) for name, each in found.items()}
    return {"held_out_words": len(own.hits), "held_out_pairs": pairs, "search_space": candidates, **rounded}


# ---------------------------------------------------------------- tables


def _fit_table(results: Sequence[Mapping[str, Any]], names: tuple[str, ...], params: ProjectParams) -> Table:
    """Return how well the maps fit held-out words."""

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f}"

    columns = ["layer", "pairs", "P@1 %", "95 % interval", "before", "shuffled", "residual %", "before", "shuffled"]
    rows = []
    for each in results:
        one = [str(each["layer"]), f"{each['pairs']:,}"]
        if "precision_at_1" in each:
            one += [percent(each["precision_at_1"]), f"{percent(each['low'])} to {percent(each['high'])}"]
            one += [percent(each[f"{name}_{which}"] if which else each[name])
                    for name in ("precision_at_1", "residual") for which in ("", "before", "shuffled")][1:]  # fmt: skip
        rows.append(one + ["-"] * (len(columns) - len(one)))
    note = "No words are held out."
    if tested := [each for each in results if "precision_at_1" in each]:
        first = tested[0]
        note = (
            f"{counted(first['held_out_words'], 'held-out word')} of {names[1]}, looked up by cosine among "
            f"{counted(first['search_space'], 'word')} of {names[0]}; any translation of the dictionary is right. "
            "Residual: squared distances of held-out pairs, as a share of squared lengths. Before: without a map. "
            "Shuffled: a map from shuffled pairs (control)."
        )
    return Table(f"Maps from {names[1]} to {names[0]} ({params.method})", columns, rows, note)


def _spread_table(results: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> Table:
    """Return how far the occurrences of words are from their anchors."""
    rows = [
        [str(each["layer"]), name, f"{each['spread'][name]['within']:.3f}", f"{each['spread'][name]['between']:.3f}"]
        for each in results
        for name in names
    ]
    note = "Mean cosine distances: of the occurrences of a word to their mean, and between the means of two words."
    return Table("Spread of words", ["layer", "language", "within a word", "between words"], rows, note)


# ---------------------------------------------------------------- stage


def check_project(inputs: Mapping[str, Any], params: ProjectParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    faults = []
    texts = _names_of("text", inputs)
    wrong = [name for name in texts if not name or name in (SPACE, BEFORE)]
    if len(texts) != 2 or wrong:
        told = f"the name '{wrong[0]}'" if wrong and wrong[0] else "no name" if wrong else counted(len(texts), "text")
        hint = "Give the text of both languages, the second is mapped: --text en=en.txt --text de=de.txt"
        faults.append(ConfigError(f"--text needs two languages with names, got {told}.", hint=hint))
    encoders = _names_of("encoder", inputs)
    if encoders != [""] and {*encoders} != {*texts} and not faults:
        lacking = next((name for name in texts if name not in encoders), None)
        strange = next((name for name in encoders if name not in texts), None)
        told = f"has none for {lacking}" if lacking else f"has {strange}, of which there is no text"
        hint = f"Give one for each language: {' '.join(f'--encoder {name}=ENC' for name in texts)}, or one for both."
        faults.append(ConfigError(f"--encoder {told}.", hint=hint))
    return faults


def _names_of(name: str, inputs: Mapping[str, Any]) -> list[str]:
    """Return the names of an input that was given as one text or several, or by name."""
    given = inputs.get(name) or []
    if isinstance(given, Mapping):
        return [*given]
    return [PROJECT.inputs[name].label(str(each)) for each in ([given] if isinstance(given, str | Path) else given)]


def _next_step(made: Manifest) -> str:
    """Return the command that encodes sentences of the second language."""
    return f"lexenc encode SENTENCES --encoder {{out}}/{made.summary['languages'][1]} --out {{new:sentences}}"


PROJECT = Stage(
    name="project",
    version=1,
    inputs={
        "encoder": Input(
            "Encoder of each language, e.g. en=runs/en-lm: a transformer or ELMo. Their widths may differ. Without a "
            "name: one encoder for both languages.",
            kind="encoder",
            many=True,
            named=True,
        ),
        "text": Input(
            "Text of each language with its name, e.g. en=en.txt, one sentence per line. The second one is mapped into "
            "the space of the first (the paper maps the first).",
            many=True,
            named=True,
        ),
        "dictionary": Input("Word pairs, the first language in the first column; a result of induce too."),
    },
    params=ProjectParams,
    run=project,
    check=check_project,
    makes="an encoder per language, in folders of their names, and the anchors as a shared space; of one encoder also "
    "anchors-before, without the map.",
    examples=(
        "lexenc project --encoder en=runs/en-lm --encoder de=runs/de-lm --text en=en.txt --text de=de.txt "
        "--dictionary en-de.tsv --out runs/projected",
        "lexenc project --encoder runs/lm --text en=en.txt --text de=de.txt --dictionary en-de.tsv "
        "--method procrustes --layers 0,1,2 --out runs/projected",
        "lexenc eval bli --vectors runs/projected/anchors --dictionary test.tsv --direction target-source",
    ),
    next_step=_next_step,
    uses_device=True,
    uses_seed=True,
)
