"""eval xel: entity linking scored by name and by concept, beside a control that knows spelling alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.errors import DataError
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.linking_tables import difference_table, protocol_table
from lexenc.stages.lexical.link import (
    KNOWLEDGE_BASE,
    TIES,
    Linker,
    LinkingParams,
    batches,
    case_policy,
    check_knowledge_base,
)

if TYPE_CHECKING:
    import numpy as np

    from lexenc.arrays import Ragged
    from lexenc.files.concepts import ConceptName, KnowledgeBase
    from lexenc.files.predictions import Prediction
    from lexenc.lexical.linking import Rankings

_DRAWS = 10_000


@dataclass(frozen=True)
class EvalXelParams(LinkingParams):
    """Parameters of `eval xel`."""

    baseline: bool = param(True, "Score a control too: character 2-4-gram TF-IDF, which knows spelling alone.")


@dataclass
class _Ranks:
    """Place of the first gold answer of every mention, 0 where there is none; batch by batch.

    Args:
        names: Among the lines of the knowledge base.
        concepts: Among concepts.
    """

    names: list[np.ndarray] = field(default_factory=list)
    concepts: list[np.ndarray] = field(default_factory=list)

    def add(self, found: Rankings, concepts: Ragged, gold: Ragged, count: int) -> np.ndarray:
        """Find the gold answers of a batch; gives those among concepts."""
        from lexenc.evaluation.linking import gold_ranks

        self.names.append(gold_ranks(found.lines, concepts, gold, count))
        self.concepts.append(gold_ranks(found.answers, concepts, gold, count))
        return self.concepts[-1]

    def joined(self) -> dict[str, np.ndarray]:
        """Give the places of all mentions by protocol."""
        import numpy as np

        return {"names": np.concatenate(self.names), "concepts": np.concatenate(self.concepts)}


@dataclass
class _Answerable:
    """Which mentions have a gold concept in the knowledge base, counted as they come.

    Args:
        flags: Batch by batch.
    """

    flags: list[np.ndarray] = field(default_factory=list)

    def joined(self) -> np.ndarray:
        """Give them for all mentions. Shape [q], bool."""
        import numpy as np

        return np.concatenate(self.flags)


def eval_xel(inputs: dict[str, Any], params: EvalXelParams, job: Job) -> Outcome:
    """Score the encoder and the control under both protocols and both denominators."""
    from lexenc.evaluation.linking import DEPTH
    from lexenc.files.predictions import NAME, write_predictions

    linker = Linker(inputs, params, DEPTH, job)
    gold = _gold_of(linker)
    answerable = _check_answerable(inputs["mentions"], linker.base, gold, job)
    learnt = _learnt_from(inputs["encoder"], inputs["mentions"], len(answerable), job)
    ranks = _Ranks()
    write_predictions(job.out / NAME, _predictions(inputs["mentions"], linker, gold, ranks))
    linker.close()
    linker.tell_directionless()
    shared = _shared_keys(linker, answerable, params, job) | {"mentions_learnt_from": learnt}
    places = ranks.joined()
    results = list(_score(places, answerable, "", shared, job))
    compared = []
    if params.baseline:
        control = _control(inputs["mentions"], linker, gold, job)
        results += _score(control, answerable, _control_name(), shared, job)
        compared = [_compare(places, control, answerable, shared, job)]
    tables = [protocol_table(results, linker.search_words()), *map(difference_table, compared)]
    summary = {"mentions": len(answerable), "answerable": int(answerable.sum())}
    for result, name in ((results[0], "precision_at_1_names"), (results[1], "precision_at_1_concepts")):
        summary[name] = result["precision_at_1"]
    return Outcome(summary, results + compared, tables)


# ---------------------------------------------------------------- gold


def _gold_of(linker: Linker) -> Callable[[list[ConceptName]], Ragged]:
    """Give a function that finds the gold concepts of mentions in the knowledge base."""
    from lexenc.arrays import Ragged
    from lexenc.files.concepts import concept_numbers

    numbers = concept_numbers(linker.base)
    return lambda mentions: Ragged.of([numbers(mention.concepts) for mention in mentions])


def _mentions(path: Path) -> Iterator[list[ConceptName]]:
    from lexenc.files.concepts import stream_concept_names

    return batches(stream_concept_names(path))


def _check_answerable(
    path: Path, base: KnowledgeBase, gold: Callable[[list[ConceptName]], Ragged], job: Job
) -> np.ndarray:
    """Tell which mentions can be answered, and warn where they are few.

    Raises:
        DataError: If none can, or there is no mention.
    """
    found = _Answerable()
    first = None
    for batch in _mentions(path):
        first = first or batch[0]
        found.flags.append(gold(batch).lengths > 0)
    if first is None:
        raise DataError(f"{path} holds no mentions.", hint="One per line: C0032821||potassium.")
    flags = found.joined()
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


def _learnt_from(encoder: Path, path: Path, total: int, job: Job) -> int:
    """Count the mentions that the encoder was tuned on as names of their concepts, and warn."""
    from lexenc.stages.lineage import seen_names, tell_gaps

    mentions = ((mention.text, mention.concepts) for batch in _mentions(path) for mention in batch)
    count, found = seen_names(encoder, mentions, path)
    if count:
        stands = "stands" if count == 1 else "stand"
        job.notices.warn(
            f"{count:,} of {counted(total, 'mention')} {stands} among the synonyms that the encoder was tuned on "
            f"({', '.join(found.files)}), as a name of the concept: the scores are too high for names that are new.",
            "Test on mentions that the encoder was not tuned on.",
        )
    tell_gaps(found, job)
    return count


# ---------------------------------------------------------------- the systems


def _predictions(
    path: Path, linker: Linker, gold: Callable[[list[ConceptName]], Ragged], ranks: _Ranks
) -> Iterator[Prediction]:
    """Answer all mentions, collect the places of their gold answers, and give their predictions by concept."""
    from lexenc.files.predictions import Prediction

    for batch in _mentions(path):
        found, wanted = linker.link([mention.text for mention in batch]), gold(batch)
        places = ranks.add(found, linker.catalogue.concepts, wanted, linker.catalogue.count)
        for row, mention in enumerate(batch):
            best = [
                {"target": "|".join(linker.base.identifiers_of(line)), "name": linker.base.name_of(line),
                 "score": round(score, 6)}
                for line, score in zip(found.answers[row].tolist(), found.answer_scores[row].tolist(), strict=True)
                if line >= 0
            ]  # fmt: skip
            own = [int(places[row])] if places[row] else []
            yield Prediction(mention.text, list(mention.concepts), bool(len(wanted[row])), own, best)


def _control_name() -> str:
    from lexenc.lexical.ngrams import NAME

    return NAME


def _control(
    path: Path, linker: Linker, gold: Callable[[list[ConceptName]], Ragged], job: Job
) -> dict[str, np.ndarray]:
    """Answer all mentions by their spelling, under the same case policy."""
    from lexenc.evaluation.linking import DEPTH
    from lexenc.lexical.linking import link_mentions
    from lexenc.lexical.ngrams import NgramModel

    model = NgramModel(linker.base.texts())
    ranks = _Ranks()
    for batch in _mentions(path):
        similarity = model.similarity([linker.fold(mention.text) for mention in batch])
        found = link_mentions(similarity, linker.catalogue, k=DEPTH, progress=job.progress)
        ranks.add(found, linker.catalogue.concepts, gold(batch), linker.catalogue.count)
    return ranks.joined()


# ---------------------------------------------------------------- results


def _shared_keys(linker: Linker, answerable: np.ndarray, params: EvalXelParams, job: Job) -> dict[str, Any]:
    return {
        "task": "xel",
        "mentions": len(answerable),
        "answerable_mentions": int(answerable.sum()),
        "names": linker.base.lines,
        "distinct_names": len(linker.base.names),
        "concepts": len(linker.base.identifiers),
        "knowledge_base_sha256": linker.base.digest(),
        "gold": "any concept in common counts",
        "case": case_policy(params),
        "ties": TIES,
        "seed": job.seed,
        **linker.search_keys(),
    }


def _score(
    places: dict[str, np.ndarray], answerable: np.ndarray, control: str, shared: dict[str, Any], job: Job
) -> Iterator[dict[str, Any]]:
    """Give one result for each protocol and denominator."""
    from lexenc.evaluation.linking import ORDER, summary
    from lexenc.randomness import generator

    own = {"control": control, "search": "exact"} if control else {}
    for protocol, scored in ORDER:
        ranks = places[protocol] if scored == "all" else places[protocol][answerable]
        keys = {"protocol": protocol, "scored": scored, "similarity": control or "cosine"}
        hidden = {key for key in shared if control and key.startswith("recall")}
        kept = {key: value for key, value in shared.items() if key not in hidden}
        yield {**kept, **own, **keys, **summary(ranks, generator(job.seed, f"bootstrap {protocol}, {scored}"))}


def _compare(
    first: dict[str, np.ndarray],
    second: dict[str, np.ndarray],
    answerable: np.ndarray,
    shared: dict[str, Any],
    job: Job,
) -> dict[str, Any]:
    """Compare the encoder with the control on the same answerable mentions, by concept."""
    from lexenc.evaluation.bootstrap import paired_difference
    from lexenc.evaluation.ranking import hits_at
    from lexenc.randomness import generator

    left, right = (hits_at(each["concepts"][answerable], 1) for each in (first, second))
    found = paired_difference(left, right, generator=generator(job.seed, "paired bootstrap"), draws=_DRAWS)
    return {
        **shared,
        "comparison": "encoder against control",
        "control": _control_name(),
        "metric": "precision_at_1",
        "protocol": "concepts",
        "scored": "answerable",
        "queries": len(left),
        "first": float(left.mean()),
        "second": float(right.mean()),
        "difference": found.mean,
        "difference_low": found.low,
        "difference_high": found.high,
        "p_value": found.p_value,
        "shown": found.shown,
        "draws": _DRAWS,
    }


EVAL_XEL = Stage(
    name="eval xel",
    version=2,
    inputs={
        "knowledge_base": KNOWLEDGE_BASE,
        "mentions": Input("Test mentions: 'CUI||mention' lines (XL-BEL), with or without '||context'."),
        "encoder": Input("Encoder: 'mini', a folder, or a hub name.", kind="encoder"),
    },
    params=EvalXelParams,
    run=eval_xel,
    makes="predictions.jsonl: for every mention its best concepts and where the gold one stands, for compare.",
    examples=(
        ("lexenc eval xel --knowledge-base kb.txt --mentions queries.txt --encoder mini", ""),
        (
            "lexenc eval xel --knowledge-base runs/kb --mentions queries.txt --encoder mini --json --out runs/xel",
            "",
        ),
        ("lexenc compare runs/xel-tuned runs/xel-untuned", ""),
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_knowledge_base,
)
