"""mine-bitext: two files + encoder -> sentence pairs that are translations, with scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lexenc.arrays import Doubles, Indices, Matrix, blocks
from lexenc.artifact import UNFINISHED, Manifest
from lexenc.encoders.base import Pooling
from lexenc.errors import ConfigError
from lexenc.files.exchange.writing import PairRow, write_rows
from lexenc.files.parallel import MINED
from lexenc.files.text import counted, write_lines, write_table, writing
from lexenc.parameters import param
from lexenc.search import MARGINS
from lexenc.search.margins import MinedPairs, best_threshold, existing, margin_scores, mined, neighbour_means
from lexenc.search.neighbours import Neighbours
from lexenc.sentences.cleaning import RULES, Rule, Truths, nearly_copied, repeats
from lexenc.sentences.planting import KnownPairs, curve, judge
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.reading import POOLING, open_encoder
from lexenc.stages.sentences.bitext_corpus import SIDES, CleaningLog, Corpus, load_corpus, read_corpus
from lexenc.stages.sentences.bitext_search import SAMPLED, IndexKind, Storage, encoded, neighbours_of
from lexenc.stages.unfinished import once
from lexenc.text.folding import check_language

Mode = Literal["mine", "score", "search"]
LINES, DROPPED, TMX = "lines.tsv", "dropped.tsv", "pairs.tmx"
_NO_ROWS: Indices = np.zeros(0, dtype=np.int64)
_CHOICE, _CLEAN, _SPEED = "Which pairs are written", "Cleaning", "Speed and memory"
_TOGETHER = 65_536


@dataclass(frozen=True)
class MineBitextParams:
    """Parameters of `mine-bitext`."""

    mode: Mode = param(
        "mine",
        "mine: find the translations in two files. score: score the pairs that exist already, in their order. search: "
        "look up every source sentence in the target file.",
    )
    margin: str = param(
        "ratio",
        "Score of a pair. ratio: its cosine divided by the mean cosine of both sentences to their nearest neighbours. "
        "distance: its cosine minus this mean. absolute: its cosine.",
        choices=MARGINS,
    )
    neighbours: int = param(
        4,
        "Neighbours of a sentence that the mean is taken of, the candidates of mine, and the answers of search.",
        ge=1,
    )
    keep: Literal["max", "intersection", "forward", "backward"] = param(
        "max",
        "Pairs of mine. max: the best pairs of either direction, every sentence at most once. intersection: sentences "
        "that are the best of each other. forward: the best target of every source. backward: the best source of every "
        "target.",
    )
    threshold: float | None = param(
        None,
        "Minimum score of a pair. If left out, that of --dev or --planted, or else none, as in LASER. Published "
        "corpora used 1.04 to 1.06 with ratio and LASER; other encoders need other values.",
        group=_CHOICE,
    )
    top: int | None = param(None, "Number of pairs to keep, the best ones.", ge=1, group=_CHOICE)
    planted_alone: float = param(
        0.2,
        "Share of the pairs of --planted of which only one side is mixed in. They have no translation, and show how "
        "often such sentences are paired.",
        ge=0,
        le=0.9,
        group=_CHOICE,
    )
    clean: bool = param(False, "Drop junk, and count it by reason. Examples are in dropped.tsv.", group=_CLEAN)
    rules: tuple[Rule, ...] = param(
        (),
        "Rules of --clean. duplicates: sentences, or pairs, that repeat another one except for case, punctuation, "
        "spaces and, of pairs, numbers. copies: pairs with more than half of their words in common, not only names. "
        "language: sentences in another script, or more like the other file. numbers: pairs with other numbers, "
        "outside of web addresses; one below 100 may be missing. lengths: one side is more than three times longer "
        "than usual. Default: all.",
        group=_CLEAN,
    )
    source_language: str | None = param(
        None, "BCP-47 code of the source, for pairs.tmx and for multilingual units.", check=check_language
    )
    target_language: str | None = param(None, "The same for the target.", check=check_language)
    pooling: Pooling = param("auto", POOLING)
    max_length: int | None = param(None, "Longest sentence in tokens. Longer ones are truncated.", ge=1)
    index: IndexKind = param(
        "exact",
        "exact: compare all sentences. ivf, hnsw: compare some of them, and measure the recall (an hnsw index built by "
        "several threads differs between runs).",
        group=_SPEED,
    )
    storage: Storage = param("float32", "Numbers of the stored vectors. float16 takes half the space.", group=_SPEED)
    token_budget: int = param(
        1536, "Largest number of tokens in a forward pass.", ge=1, affects_result=False, group=_SPEED
    )

    @property
    def names(self) -> frozenset[str]:
        """The rules of cleaning to use."""
        return frozenset(self.rules or RULES) if self.clean else frozenset()


def check_mine_bitext(inputs: Mapping[str, Any], params: MineBitextParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    given = {name for name, path in inputs.items() if path}
    ways = {"--threshold": params.threshold is not None, "--top": params.top is not None, "--dev": "dev" in given}
    chosen = [name for name, there in ways.items() if there]
    sides = given & set(SIDES)
    faults = []
    if params.mode == "score" and (("pairs" in given) == bool(sides) or len(sides) == 1):
        faults.append(("--mode score needs --pairs, or --source and --target.", "Give one file of both sides, or two."))
    if params.mode != "score" and len(sides) < 2:
        faults.append((f"--mode {params.mode} needs --source and --target.", "Give a file of each language."))
    if params.mode != "score" and "pairs" in given:
        faults.append((f"--mode {params.mode} takes no --pairs.", "Existing pairs are scored with --mode score."))
    if len(chosen) > 1:
        faults.append((f"{' and '.join(chosen)} exclude each other.", "Each chooses the pairs to write."))
    if "planted" in given and "dev" in given:
        faults.append(("--planted and --dev exclude each other.", "Give one of them."))
    if params.mode != "mine":
        usual = MineBitextParams()
        wrong = [name for name, there in (("--planted", "planted" in given), ("--keep", params.keep != usual.keep))
                 if there]  # fmt: skip
        wrong += [each for each in chosen if params.mode == "search" and each != "--threshold"]
        faults += [(f"{each} has no effect with --mode {params.mode}.", "Leave it out.") for each in wrong]
    if "planted" not in given and params.planted_alone != MineBitextParams().planted_alone:
        faults.append(("--planted-alone has no effect without --planted.", "Give pairs to mix in."))
    if params.rules and not params.clean:
        faults.append(("--rules has no effect without --clean.", "Add --clean."))
    return [ConfigError(message, hint=hint) for message, hint in faults]


def resolve_mine_bitext(inputs: Mapping[str, Any], params: MineBitextParams) -> MineBitextParams:
    """Name the rules of cleaning that are used, in their usual order."""
    del inputs
    return replace(params, rules=tuple(each for each in RULES if each in params.names))


class _Found(NamedTuple):
    """Pairs to write: rows of both sides, their lines, and scores. Shape [p] each."""

    source: Indices
    target: Indices
    source_lines: Indices
    target_lines: Indices
    scores: Doubles

    def take(self, places: Any) -> _Found:
        """Return some pairs."""
        return _Found(*(each[places] for each in self))


@dataclass(frozen=True)
class _Space:
    """What pairs are chosen from.

    Args:
        corpus: The sentences.
        vectors: Unit vectors of both sides.
        neighbours: Nearest targets of every source, and nearest sources of every target.
        empty: Which sentences of both sides have no vector.
        params: How pairs are chosen.
    """

    corpus: Corpus
    vectors: tuple[Matrix, Matrix]
    neighbours: tuple[Neighbours, Neighbours]
    empty: tuple[Truths, Truths]
    params: MineBitextParams

    def allows(self, rows: Indices, columns: Indices, *, clean: bool = True, planted: bool = True) -> Truths:
        """Return which sentences may be a pair: those that have a vector and break no rule. The shape of `rows`."""
        allowed: Truths = ~(self.empty[0][rows] | self.empty[1][columns])
        if clean and self.corpus.rules is not None:
            allowed &= self.corpus.rules.allows(rows, columns)
        if not planted:
            allowed &= (self.corpus.sides[0].lines[rows] > 0) & (self.corpus.sides[1].lines[columns] > 0)
        return allowed

    def mined(self, *, clean: bool = True, planted: bool = True) -> MinedPairs:
        """Mine pairs of the sentences that are allowed."""
        return mined(*self.neighbours, margin=self.params.margin, keep=self.params.keep,
                     allows=partial(self.allows, clean=clean, planted=planted))  # fmt: skip

    def found(self, source: Indices, target: Indices, scores: Doubles) -> _Found:
        """Return pairs with their lines."""
        lines = [side.lines[rows] for side, rows in zip(self.corpus.sides, (source, target), strict=True)]
        return _Found(source, target, lines[0], lines[1], scores)

    def text(self, side: int, row: int) -> str:
        """Return a sentence."""
        return self.corpus.sides[side].texts[row]


def mine_bitext(inputs: dict[str, Any], params: MineBitextParams, job: Job) -> Outcome:
    """Find or score sentence pairs."""
    work = job.out / UNFINISHED
    work.mkdir(exist_ok=True)
    given = {**inputs, "languages": (params.source_language, params.target_language)}
    names = params.names
    read = once(
        work / "read.json",
        job,
        lambda: read_corpus(given, params.mode, names, params.planted_alone, work, job),
    )
    corpus, log = load_corpus(work, names), CleaningLog(read["dropped"], read["examples"])
    vectors = _vectors(inputs["encoder"], corpus, params, work, job)
    forward, backward, recall = neighbours_of(*vectors, params.neighbours, work, index=params.index, job=job)
    if recall is not None:
        job.notices.say(f"mine-bitext: {params.index} finds {100 * recall:.1f} % of the exact neighbours of a sample.")
    neighbours = forward, backward
    space = _Space(corpus, vectors, neighbours, (_without_vector(vectors[0]), _without_vector(vectors[1])), params)
    counts: dict[str, Any] = dict(read["counts"])
    counts |= {f"{name}_without_vector": int(own.sum()) for name, own in zip(SIDES, space.empty, strict=True)}
    found, chosen = {"mine": _mine, "score": _score, "search": _search}[params.mode](space, inputs, log)
    _warn(found, chosen, counts, params, job)
    _write(job.out, found, corpus, params)
    write_table(job.out / DROPPED, ("reason", "source_line", "target_line", "source", "target"), log.examples)
    head = {
        "mode": params.mode,
        "pairs": len(found.scores),
        **chosen,
        "margin": params.margin,
        "neighbours": params.neighbours,
        **({"keep": params.keep} if params.mode == "mine" else {}),
        "search_space": f"{len(vectors[0]):,} x {len(vectors[1]):,} distinct sentences",
        "index": params.index,
        **({} if recall is None else {"index_recall": recall, "recall_sample": f"{SAMPLED} sentences of each side"}),
        "ties": "lower line first",
        **counts,
        "dropped": dict(log.counts),
        "dropped_total": sum(log.counts.values()),
    }
    tables = [*_curve_table(chosen.get("curve")), *_cleaning_table(log, params)]
    summary = {name: head[name] for name in ("pairs", "threshold", "index_recall") if head.get(name) is not None}
    summary |= {name: value for name, value in counts.items() if value}
    summary |= {"dropped": head["dropped_total"]} if names else {}
    return Outcome({"mode": params.mode} | summary, [head], tables)


def _vectors(place: Path, corpus: Corpus, params: MineBitextParams, work: Path, job: Job) -> tuple[Matrix, Matrix]:
    encoder = open_encoder(place, params.pooling, job, max_length=params.max_length)
    made = [encoded(encoder, side.texts, work / f"{name}.vectors", params.storage, token_budget=params.token_budget,
                    progress=job.progress) for name, side in zip(SIDES, corpus.sides, strict=True)]  # fmt: skip
    return made[0], made[1]


def _without_vector(vectors: Matrix) -> Truths:
    parts = [~vectors[part].any(axis=1) for part in blocks(len(vectors), _TOGETHER)]
    return np.concatenate(parts)


# ---------------------------------------------------------------- choosing pairs


def _mine(space: _Space, inputs: Mapping[str, Any], log: CleaningLog) -> tuple[_Found, dict[str, Any]]:
    known = space.corpus.known
    pairs = space.mined()
    chosen = _threshold(space.params, pairs, known, inputs)
    if inputs.get("planted"):
        # Mined again, so that no sentence of the corpus is lost to a planted one.
        pairs = space.mined(planted=False)
    lowest = chosen["threshold"]
    if space.corpus.rules is not None:
        _log_broken(space, lowest, log)
    found = space.found(*pairs)
    if lowest is not None:
        found = found.take(found.scores >= lowest)
    if space.corpus.rules is not None:
        found = _without_repeats(space, found, log)
    return _best(found, space.params, chosen), chosen


def _threshold(
    params: MineBitextParams, pairs: MinedPairs, known: KnownPairs, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the threshold, where it comes from, and what is known of its quality."""
    chosen: dict[str, Any] = {"threshold": params.threshold, "threshold_from": "none, all pairs are kept"}
    if params.threshold is not None:
        chosen["threshold_from"] = "--threshold"
    if params.top is not None:
        chosen["threshold_from"] = "--top"
    name = next((each for each in ("dev", "planted") if inputs.get(each)), None)
    if name is None:
        return chosen
    judged, correct, _ = judge(pairs.source, pairs.target, known)
    best = best_threshold(pairs.scores[judged], correct[judged], len(known.source))
    if params.threshold is None and params.top is None:
        chosen |= {"threshold": best.value if np.isfinite(best.value) else None,
                   "threshold_from": f"best F1 on --{name}"}  # fmt: skip
    shown = {"value": "threshold", "precision": "precision", "recall": "recall", "f1": "f1"}
    chosen[f"best_on_{name}"] = {key: _finite(getattr(best, own)) for own, key in shown.items()}
    points = curve(pairs.source, pairs.target, pairs.scores, known)
    return chosen | {"curve": [point._asdict() for point in points]}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _log_broken(space: _Space, lowest: float | None, log: CleaningLog) -> None:
    """Log the pairs that would have been mined if no rule for pairs was used."""
    rules = space.corpus.rules
    pairs = space.mined(clean=False, planted=False)
    if rules is None or not len(pairs.scores):
        return
    found = space.found(*pairs)
    if lowest is not None:
        found = found.take(found.scores >= lowest)
    left = np.ones(len(found.scores), dtype=np.bool_)
    for reason, broken in rules.broken(found.source, found.target).items():
        _log_pairs(space, reason, found.take(broken & left), log)
        left &= ~broken


def _without_repeats(space: _Space, found: _Found, log: CleaningLog) -> _Found:
    """Drop pairs that repeat a better one except for their numbers, and near copies."""
    kept = np.ones(len(found.scores), dtype=np.bool_)
    left, right = space.corpus.sides
    if "duplicates" in space.params.names and left.facts is not None and right.facts is not None:
        repeated = repeats(left.facts.shapes[found.source], right.facts.shapes[found.target])
        _log_pairs(space, "near duplicates", found.take(repeated), log)
        kept &= ~repeated
    if "copies" in space.params.names:
        copied = np.array([kept[place] and nearly_copied(space.text(0, source), space.text(1, target))
                           for place, (source, target) in enumerate(zip(found.source, found.target, strict=True))],
                          dtype=np.bool_)  # fmt: skip
        _log_pairs(space, "near copies", found.take(copied), log)
        kept &= ~copied
    return found.take(kept)


def _log_pairs(space: _Space, reason: str, found: _Found, log: CleaningLog) -> None:
    for source, target, *lines, _ in zip(*found, strict=True):
        log.add(reason, [int(each) for each in lines], (space.text(0, int(source)), space.text(1, int(target))))


def _best(found: _Found, params: MineBitextParams, chosen: dict[str, Any], *, ordered: bool = True) -> _Found:
    """Keep the best pairs of --top, in their order."""
    if params.top is None:
        return found
    if len(found.scores) > params.top:
        places = np.arange(params.top) if ordered else np.sort(np.argsort(-found.scores, kind="stable")[: params.top])
        found = found.take(places)
    chosen["threshold"] = float(found.scores.min()) if len(found.scores) else None
    return found


def _score(space: _Space, inputs: Mapping[str, Any], log: CleaningLog) -> tuple[_Found, dict[str, Any]]:
    del log
    corpus, params = space.corpus, space.params
    source, target, lines = corpus.rows
    scores = existing(*space.vectors, *space.neighbours, margin=params.margin, source_rows=source, target_rows=target)
    known = (scores > -np.inf) & space.allows(source, target, clean=False)
    found = _Found(source, target, lines, lines, scores).take(known)
    chosen = _threshold(params, MinedPairs(found.source, found.target, found.scores), corpus.known, inputs)
    chosen["undefined"] = int((~known).sum())
    if chosen["threshold"] is not None:
        found = found.take(found.scores >= chosen["threshold"])
    return _best(found, params, chosen, ordered=False), chosen


def _search(space: _Space, inputs: Mapping[str, Any], log: CleaningLog) -> tuple[_Found, dict[str, Any]]:
    del log
    forward, backward = space.neighbours
    rows = np.broadcast_to(np.arange(len(forward.indices))[:, None], forward.indices.shape)
    means = neighbour_means(forward), neighbour_means(backward)
    there = forward.indices >= 0
    cosines = np.where(there, forward.scores, 0.0)
    scores = margin_scores(cosines, means[0][:, None], means[1][forward.indices], space.params.margin)
    scores = np.where(there & space.allows(rows, forward.indices), scores, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")
    scores = np.take_along_axis(scores, order, axis=1).ravel()
    targets = np.take_along_axis(forward.indices, order, axis=1).ravel()
    chosen = _threshold(space.params, MinedPairs(_NO_ROWS, _NO_ROWS, np.zeros(0)), space.corpus.known, {})
    kept = scores > -np.inf if space.params.threshold is None else scores >= space.params.threshold
    found = space.found(rows.ravel()[kept], targets[kept], scores[kept])
    chosen["answered"] = len(np.unique(found.source))
    return found, chosen


def _warn(
    found: _Found, chosen: Mapping[str, Any], counts: Mapping[str, Any], params: MineBitextParams, job: Job
) -> None:
    for name in SIDES:
        if counts[f"{name}_without_vector"]:
            job.notices.warn(
                f"{counted(counts[f'{name}_without_vector'], f'{name} sentence')} without a vector: the encoder knows "
                "none of their words.",
                "They are in no pair. An encoder for this language knows them.",
            )
    if not len(found.scores):
        job.notices.warn("No pair was found.", "Lower --threshold, or check that the encoder knows both languages.")
    if params.mode == "mine" and chosen["threshold"] is None and len(found.scores):
        job.notices.warn(
            "No threshold was given, so all pairs are written, the best first. The last ones are no translations.",
            "Mix in known pairs with --planted to see precision and recall, or give --threshold, --top or --dev.",
        )


# ---------------------------------------------------------------- writing


def _write(out: Path, found: _Found, corpus: Corpus, params: MineBitextParams) -> None:
    texts = [side.texts for side in corpus.sides]

    def rows() -> Iterator[PairRow]:
        for source, target, score in zip(found.source, found.target, found.scores, strict=True):
            yield PairRow(texts[0][int(source)], texts[1][int(target)], float(score))

    write_lines(out / MINED, (f"{row.score:.6f}\t{row.source}\t{row.target}" for row in rows()))
    write_lines(out / LINES, (f"{one}\t{other}" for one, other in
                              zip(found.source_lines.tolist(), found.target_lines.tolist(), strict=True)))  # fmt: skip
    languages = params.source_language or "x-source", params.target_language or "x-target"
    with writing(out / TMX) as stream:
        write_rows(stream, rows(), "tmx", *languages)


_HEADS = ("threshold", "precision", "recall", "f1", "false_alarms", "pairs")


def _curve_table(points: list[dict[str, Any]] | None) -> list[Table]:
    if points is None:
        return []
    shares = [["-" if point[name] is None else f"{100 * point[name]:.1f}" for name in _HEADS[1:5]] for point in points]
    rows = [[f"{point['threshold']:.4f}", *own, f"{point['pairs']:,}"]
            for point, own in zip(points, shares, strict=True)]  # fmt: skip
    note = (
        "Precision and recall in percent, of known pairs. The precision is a lower bound among sentences that have a "
        "translation. False alarms: planted sentences without a translation that are paired. Pairs: of all other "
        "sentences."
    )
    return [Table("Known pairs by threshold", ["threshold", "precision", "recall", "F1", "false alarms", "pairs"], rows,
                  note)]  # fmt: skip


def _cleaning_table(log: CleaningLog, params: MineBitextParams) -> list[Table]:
    if not params.clean:
        return []
    rows = [[reason, f"{count:,}"] for reason, count in log.counts.items()] or [["nothing", "0"]]
    what = "sentences of a side and pairs" if params.mode != "score" else "pairs"
    note = f"Dropped {what}, each by its first reason; {DROPPED} has examples. Rules: {', '.join(params.rules)}."
    return [Table("Cleaning", ["reason", "dropped"], rows, note)]


def _next_step(made: Manifest) -> str:
    """Return the command that trains on the pairs; nothing for a search, whose answers are no pairs."""
    if made.summary["mode"] == "search" or not made.summary["pairs"]:
        return ""
    return "lexenc train --data {out} --encoder {encoder} --out {new:encoder}"


MINE_BITEXT = Stage(
    name="mine-bitext",
    version=2,
    inputs={
        "source": Input("Sentences, one per line. With --mode score, line by line with --target.", required=False),
        "target": Input("Sentences of the other language, one per line.", required=False),
        "pairs": Input(
            "With --mode score, pairs instead of --source and --target: source, TAB, target; 'source ||| target'; TMX "
            "or XLIFF; or a result of mine-bitext.",
            required=False,
        ),
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
        "planted": Input(
            "Known pairs that are not in the files: source, TAB, target. They are mixed in, precision and recall are "
            "measured on them, and they are not written.",
            required=False,
        ),
        "dev": Input(
            "Known pairs of the files: source, TAB, target; or their line numbers. The threshold with the best F1 on "
            "them is used.",
            required=False,
        ),
    },
    params=MineBitextParams,
    run=mine_bitext,
    makes="pairs.tsv (score, source, target; the best first, of score in the order of the input, of search by source) "
    "and lines.tsv (their lines in the files); pairs.tmx; dropped.tsv. A sentence that is repeated takes part once, "
    "with its first line.",
    examples=(
        "lexenc mine-bitext --source a.txt --target b.txt --encoder ENC --clean --planted known.tsv --out runs/bitext",
        "lexenc mine-bitext --mode score --pairs corpus.tsv --encoder ENC --top 100000 --out runs/scored",
        "lexenc mine-bitext --source a.txt --target b.txt --encoder mini --threshold 1.06 > pairs.tsv",
    ),
    next_step=_next_step,
    out_required=False,
    files={".tsv": MINED, ".tmx": TMX},
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_mine_bitext,
    resolve=resolve_mine_bitext,
    copies={"tmx": TMX},
)
