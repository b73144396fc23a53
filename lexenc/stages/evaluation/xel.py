"""eval xel: entity linking scored by name and by concept, beside a control that only compares the spelling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexenc.arrays import Ragged
from lexenc.errors import DataError
from lexenc.evaluation import TASKS
from lexenc.evaluation.bootstrap import paired_difference
from lexenc.evaluation.linking import DEPTH, MEASURE, METRICS, ORDER, PROTOCOLS, gold_ranks, hit_columns
from lexenc.evaluation.ranking import hits_at
from lexenc.files.concepts import ConceptName, KnowledgeBase, concept_numbers, stream_concept_names
from lexenc.files.evaluations import CONTROL, ITEMS, SCORES, UNFAIR, Convention, Item, ScoredSystem, writing_evaluation
from lexenc.files.text import counted
from lexenc.lexical.linking import Rankings, link_mentions
from lexenc.lexical.ngrams import NAME as SPELLING
from lexenc.lexical.ngrams import NgramModel
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.evaluation.shared import compared, difference_cells, score_table, warn_of_scores
from lexenc.stages.lexical.link import KNOWLEDGE_BASE, TIES, Linker, LinkingParams, case_policy, check_knowledge_base
from lexenc.stages.lexical.shared import batches
from lexenc.stages.lineage import seen_names, tell_origin, unfair_note

_DRAWS = 10_000
_Gold = Callable[[list[ConceptName]], Ragged]


@dataclass(frozen=True)
class EvalXelParams(LinkingParams):
    """Parameters of `eval xel`."""

    baseline: bool = param(True, "Score a control too: character 2-4-gram TF-IDF, which only compares the spelling.")


def _ranks(found: Rankings, gold: Ragged, linker: Linker) -> np.ndarray:
    """Return the rank of the first gold answer of every mention for each of `PROTOCOLS`, 0 if none. Shape [2, q]."""
    own = linker.catalogue.concepts, gold, linker.catalogue.count
    return np.stack([gold_ranks(lines, *own) for lines in (found.lines, found.answers)])


def eval_xel(inputs: dict[str, Any], params: EvalXelParams, job: Job) -> Outcome:
    """Score the encoder and the control under both protocols and both denominators."""
    linker, mentions = Linker(inputs, params, DEPTH, job), inputs["mentions"]
    numbers = concept_numbers(linker.base)

    def gold(batch: list[ConceptName]) -> Ragged:
        return Ragged.of([numbers(mention.concepts) for mention in batch])

    answerable = _check_answerable(mentions, linker.base, gold, job)
    facts = {
        "mentions": len(answerable),
        "answerable_mentions": int(answerable.sum()),
        "names": linker.base.lines,
        "distinct_names": len(linker.base.names),
        "concepts": len(linker.base.identifiers),
        "knowledge_base_sha256": linker.base.digest(),
        "gold": "any concept in common counts",
        "case": case_policy(params),
        **_learnt_from(inputs["encoder"], mentions, linker.base, len(answerable), job),
    }
    ranks: list[np.ndarray] = []
    with writing_evaluation(job.out, "xel") as writer:
        writer.write(_items(mentions, linker, gold, ranks))
        linker.close()
        linker.tell_directionless()
        places = np.concatenate(ranks, axis=1)
        writer.systems = list(_score(places, answerable, "", facts | linker.search_keys(), job))
        gains = []
        if params.baseline:
            control = _control(mentions, linker, gold, job)
            writer.systems += _score(control, answerable, SPELLING, facts | {"search": "exact"}, job)
            gains = [_compare(places, control, answerable, facts | linker.search_keys(), job)]
    warn_of_scores(TASKS["xel"], writer.systems, job)
    tables = [score_table(writer.systems, note=_note(facts, linker), first="protocol")]
    tables += [_difference_table(each) for each in gains]
    summary: dict[str, Any] = {"mentions": len(answerable), "answerable": int(answerable.sum())}
    for system, name in zip(writer.systems, PROTOCOLS, strict=False):
        summary[f"precision_at_1_{name}"] = system.scores[0].value
    return Outcome(summary, [each.flat() for each in writer.systems] + gains, tables)


# ---------------------------------------------------------------- gold


def _mentions(path: Path) -> Iterator[list[ConceptName]]:
    return batches(stream_concept_names(path))


def _check_answerable(path: Path, base: KnowledgeBase, gold: _Gold, job: Job) -> np.ndarray:
    """Return which mentions can be answered, and warn if they are few.

    Raises:
        DataError: If none can, or there is no mention.
    """
    parts, first = [], None
    for batch in _mentions(path):
        first = first or batch[0]
        parts.append(gold(batch).lengths > 0)
    if first is None:
        raise DataError(f"{path} holds no mentions.", hint="One per line: C0032821||potassium.")
    flags: np.ndarray = np.concatenate(parts)
    covered, total = int(flags.sum()), len(flags)
    if not covered:
        raise DataError(
            f"No mention has its concept in the knowledge base (0 of {total:,}).",
            hint=f"The mentions have identifiers such as {first.concepts[0]}, the knowledge base "
            f"{base.identifiers[0]}.",
        )
    if 2 * covered < total:
        has = "has its" if covered == 1 else "have their"
        job.notices.warn(
            f"Only {covered:,} of {counted(total, 'mention')} {has} concept in the knowledge base "
            f"({100 * covered / total:.0f} %).",
            "The others count as wrong where all mentions are scored.",
        )
    return flags


def _learnt_from(encoder: Path, path: Path, base: KnowledgeBase, total: int, job: Job) -> dict[str, Any]:
    """Count the mentions that the encoder was fine-tuned on as names of their concepts, and warn."""
    mentions = ((mention.text, mention.concepts) for batch in _mentions(path) for mention in batch)

    def names() -> Iterator[tuple[str, list[str]]]:
        return ((base.name_of(line), base.identifiers_of(line)) for line in range(base.lines))

    count, found = seen_names(encoder, mentions, path, names)
    unfair = [f"{found.origin}."] if found.origin else []
    if count:
        stands, was = ("stands", "was") if count == 1 else ("stand", "were")
        job.notices.warn(
            f"{count:,} of {counted(total, 'mention')} {stands} among the names that the encoder was fine-tuned on "
            f"({', '.join(found.files)}), as a name of the concept: the scores are too high for names that are new.",
            "Test on mentions that the encoder was not fine-tuned on.",
        )
        unfair.insert(0, f"{counted(count, 'mention')} {was} fine-tuned on.")
    tell_origin(found, job)
    return {"mentions_learnt_from": count, UNFAIR: [*unfair, *found.unchecked]}


# ---------------------------------------------------------------- the systems


def _items(path: Path, linker: Linker, gold: _Gold, ranks: list[np.ndarray]) -> Iterator[Item]:
    """Link all mentions, collect the ranks of their gold answers, and yield the answers by concept."""
    for batch in _mentions(path):
        found, wanted = linker.link([mention.text for mention in batch]), gold(batch)
        ranks.append(_ranks(found, wanted, linker))
        places = ranks[-1][PROTOCOLS.index("concepts")]
        for row, mention in enumerate(batch):
            best = tuple(
                {"target": "|".join(linker.base.identifiers_of(line)), "name": linker.base.name_of(line),
                 "score": round(score, 6)}
                for line, score in zip(found.answers[row].tolist(), found.answer_scores[row].tolist(), strict=True)
                if line >= 0
            )  # fmt: skip
            own = [int(places[row])] if places[row] else []
            yield Item((mention.text,), tuple(mention.concepts), bool(len(wanted[row])), best, {"ranks": own})


def _control(path: Path, linker: Linker, gold: _Gold, job: Job) -> np.ndarray:
    """Link all mentions by their spelling, under the same case policy."""
    model, ranks = NgramModel(linker.base.texts()), []
    for batch in _mentions(path):
        similarity = model.similarity([linker.fold(mention.text) for mention in batch])
        found = link_mentions(similarity, linker.catalogue, k=DEPTH, progress=job.progress)
        ranks.append(_ranks(found, gold(batch), linker))
    return np.concatenate(ranks, axis=1)


# ---------------------------------------------------------------- results


def _score(
    places: np.ndarray, answerable: np.ndarray, control: str, facts: dict[str, Any], job: Job
) -> Iterator[ScoredSystem]:
    """Yield the scores for each protocol and denominator."""
    convention = Convention(ties=TIES, seed=job.seed)
    for protocol, scored in ORDER:
        ranks = places[PROTOCOLS.index(protocol)]
        ranks = ranks if scored == "all" else ranks[answerable]
        drawn = generator(job.seed, f"bootstrap {protocol}, {scored}")
        (scores,) = MEASURE.scores([hit_columns(ranks)], generator=drawn)
        labels = {CONTROL: control} if control else {}
        labels |= {"protocol": protocol, "scored": scored}
        yield ScoredSystem("xel", scores, convention, labels, facts | {"similarity": control or "cosine"})


def _compare(
    first: np.ndarray, second: np.ndarray, answerable: np.ndarray, facts: dict[str, Any], job: Job
) -> dict[str, Any]:
    """Compare the encoder with the control on the same answerable mentions, by concept."""
    left, right = (hits_at(each[PROTOCOLS.index("concepts"), answerable], 1) for each in (first, second))
    found = paired_difference(left, right, generator=generator(job.seed, "paired bootstrap"), draws=_DRAWS)
    return {
        "task": "xel",
        **facts,
        "ties": TIES,
        "seed": job.seed,
        "comparison": "encoder against control",
        "control": SPELLING,
        "metric": "precision_at_1",
        "protocol": "concepts",
        "scored": "answerable",
        "queries": len(left),
        **compared(found, float(left.mean()), float(right.mean())),
        "draws": _DRAWS,
    }


def _note(facts: dict[str, Any], linker: Linker) -> str:
    note = (
        f"Knowledge base: {counted(facts['names'], 'name')} of {counted(facts['concepts'], 'concept')}. "
        f"{facts['answerable_mentions']:,} of {counted(facts['mentions'], 'mention')} have a concept in it "
        "(answerable); the others are wrong in 'all'. names: every line counts (SapBERT); concepts: only the best "
        f"name of each concept counts. Any concept in common counts, {facts['case']}, {linker.search_words()}."
    )
    return note + unfair_note(facts[UNFAIR])


def _difference_table(result: dict[str, Any]) -> Table:
    note = (
        f"By concept, {counted(result['queries'], 'answerable mention')}, paired bootstrap, "
        f"{result['draws']:,} draws, seed {result['seed']}. Significant: the interval excludes zero."
    )
    columns = ["systems", "P@1 gained", "95 % interval", "p value", "significant"]
    rows = [["encoder - control", *difference_cells(METRICS[0], result)]]
    return Table("Encoder against control", columns, rows, note)


EVAL_XEL = Stage(
    name="eval xel",
    version=4,
    inputs={
        "knowledge_base": KNOWLEDGE_BASE,
        "mentions": Input("Test mentions: 'CUI||mention' lines (XL-BEL), with or without '||context'."),
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
    },
    params=EvalXelParams,
    run=eval_xel,
    makes=f"{SCORES}, and {ITEMS} with the best concepts of every mention, for lexenc compare and results.",
    examples=(
        "lexenc eval xel --knowledge-base kb.txt --mentions queries.txt --encoder mini",
        "lexenc eval xel --knowledge-base runs/kb --mentions queries.txt --encoder mini --json --out runs/xel",
        "lexenc compare runs/xel-tuned runs/xel-untuned",
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_knowledge_base,
)
