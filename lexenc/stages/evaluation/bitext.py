"""eval bitext: sentence pairs that are mined by their margin against gold pairs, as for BUCC."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.bitext import MTEB_TASK, TASK, shuffled_f1, shuffled_weighted_f1, weighted_scores
from lexenc.files.bitext import Bitext, SentenceFile, find_bitext, read_bitext
from lexenc.files.evaluations import UNFAIR, Convention, Item, name_of_test
from lexenc.files.text import counted
from lexenc.lexical.text_vectors import TextVectors
from lexenc.parameters import param
from lexenc.search import MARGINS
from lexenc.search.both_sides import best_of_both
from lexenc.search.margins import NEIGHBOURS, Keep, Threshold, best_threshold, mined
from lexenc.search.neighbours import row_norms, top_k
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import (
    SENTENCE_SYSTEM,
    SentenceParams,
    TestSet,
    check_sentence_system,
    evaluate,
    sentence_vectors,
)
from lexenc.stages.lineage import seen_lines, tell_seen_lines

_Vectors = Callable[[list[str], str], TextVectors]
ORACLE = "The threshold was chosen on the gold pairs of the test itself (oracle)."


@dataclass(frozen=True)
class EvalBitextParams(SentenceParams):
    """Parameters of `eval bitext`."""

    protocol: Literal["dev-test", "oracle", "mteb"] = param(
        "dev-test",
        "dev-test: choose the threshold on --dev. oracle: choose it on the test itself, as some papers do; the scores "
        "are too high. mteb: retrieve the nearest target of every gold source without a threshold; weighted F1.",
    )
    margin: str = param(
        "ratio", "Score of a pair: how its cosine compares with the mean cosine to the neighbours.", choices=MARGINS
    )
    neighbours: int = param(NEIGHBOURS, "Nearest neighbours per sentence: its candidates, and its mean cosine.", ge=1)
    keep: Keep = param(
        "max",
        "Pairs to keep. max: the best of both directions, every sentence once; intersection: pairs that are best in "
        "both; forward: the best of every source; backward: the best of every target.",
    )


@dataclass(frozen=True)
class _Mined:
    """The pairs mined from two files: positions in their texts, by falling margin, and whether they are gold pairs."""

    pairs: list[tuple[int, int]]
    scores: np.ndarray
    correct: np.ndarray
    without_vector: int


def eval_bitext(inputs: dict[str, Any], params: EvalBitextParams, job: Job) -> Outcome:
    """Score an encoder, or static vectors, with which a sentence is the mean of its words."""
    test = read_bitext(inputs["source"], inputs["target"], inputs["gold"])
    dev = find_bitext(inputs["dev"], test) if params.protocol == "dev-test" else None
    vectors = sentence_vectors(inputs, params, job)
    files = [inputs[name] for name in ("source", "target", "gold")]
    systems = [inputs.get(name) for name in SENTENCE_SYSTEM]
    (seen,) = seen_lines(systems, [(files, [test.texts(pair) for pair in test.order])])
    learnt = tell_seen_lines([(name_of_test(inputs["source"]), seen)], len(test.order), job)
    facts = {"protocol": params.protocol, "gold_pairs": len(test.gold), **seen.facts}
    facts |= {f"{name}_repeated": side.repeated for name, side in _sides(test)}
    if params.protocol == "mteb":
        return _retrieve(test, vectors, facts, params, job)
    found = _mine(test, vectors, params, job)
    threshold, unfair, where = _threshold(found, test, dev, vectors, params, job)
    facts |= {"margin": params.margin, "neighbours": params.neighbours, "keep": params.keep}
    facts |= {"mined_pairs": len(found.pairs), "threshold": threshold.value}
    facts[UNFAIR] = [*([unfair] if unfair else []), *facts[UNFAIR]]
    if dev is not None:
        facts |= {"threshold_from": str(inputs["dev"]), "dev_f1": threshold.f1}
    accepted = int((found.scores >= threshold.value).sum())
    control = partial(shuffled_f1, pairs=found.pairs[:accepted], gold=test.gold)
    return evaluate(
        TASK, [_test_set(test, list(_items(test, found, accepted)), found.without_vector, facts)], params, job,
        convention=Convention(
            retrieval=f"{params.margin} margin, {params.neighbours} neighbours, {params.keep}, threshold from "
            + ("the test (oracle)" if dev is None else "other text"),
            search_space="all distinct sentences", ties="lower line",
        ),
        controls={"shuffled pairs": control},
        note=f"{accepted:,} of {len(found.pairs):,} mined pairs have at least the threshold "
        f"{threshold.value:.6f}, which was chosen on {where}. {len(test.gold):,} gold pairs.{learnt}",
    )  # fmt: skip


def _sides(test: Bitext) -> list[tuple[str, SentenceFile]]:
    return [("source", test.source), ("target", test.target)]


def _test_set(test: Bitext, items: list[Item], without_vector: int, facts: Mapping[str, Any]) -> TestSet:
    """Return the test set with its counts of what was left out."""
    sizes = [len(side.texts) for _, side in _sides(test)]
    empty = sum(side.empty for _, side in _sides(test))
    left_out = {"empty sentence": empty, "no vector": without_vector, "gold pair of no text": test.without_text}
    facts = {**facts, "coverage": 1 - without_vector / sum(sizes)}
    left_out = {reason: count for reason, count in left_out.items() if count}
    return TestSet.of(test.source.path, items, facts=facts, left_out=left_out)


def _unit(test: Bitext, vectors: _Vectors) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the positions of the texts that have vectors, and these vectors with length 1, for both sides."""
    found = []
    for name, side in _sides(test):
        own = vectors(side.texts, name)
        rows = np.flatnonzero(own.covered)
        matrix = own.matrix if len(rows) == len(own.matrix) else own.matrix[rows]
        found.append((rows, matrix / row_norms(matrix, name)[:, None].astype(np.float32)))
    return found


def _mine(test: Bitext, vectors: _Vectors, params: EvalBitextParams, job: Job) -> _Mined:
    """Mine pairs of distinct sentences, and compare them with the gold pairs."""
    (rows, source), (columns, target) = _unit(test, vectors)
    best = best_of_both(source, target, k=params.neighbours, device=job.device.name, progress=job.progress)
    found = mined(*best, margin=params.margin, keep=params.keep)
    pairs = list(zip(rows[found.source].tolist(), columns[found.target].tolist(), strict=True))
    correct = np.array([pair in test.gold for pair in pairs], dtype=np.bool_)
    without = len(test.source.texts) + len(test.target.texts) - len(rows) - len(columns)
    return _Mined(pairs, found.scores, correct, without)


def _threshold(
    found: _Mined, test: Bitext, dev: Bitext | None, vectors: _Vectors, params: EvalBitextParams, job: Job
) -> tuple[Threshold, str, str]:
    """Choose the threshold on development data, or else on the test; return why that is unfair, and where it was."""
    if dev is None:
        job.notices.warn(ORACLE, "Use it only to compare with papers that did the same. Otherwise give --dev.")
        return best_threshold(found.scores, found.correct, len(test.gold)), ORACLE, "the test itself: an oracle"
    own = _mine(dev, vectors, params, job)
    best = best_threshold(own.scores, own.correct, len(dev.gold))
    if not best.f1:
        raise DataError(
            f"None of the {counted(len(own.pairs), 'pair')} mined from {dev.path.parent} is a gold pair.",
            hint="Check the ids in its gold file. There is no threshold otherwise.",
        )
    shared = len({test.texts(pair) for pair in test.gold} & {dev.texts(pair) for pair in dev.gold})
    reason = f"The threshold was chosen on {counted(shared, 'gold pair')} of the test too ({dev.path})."
    if shared:
        job.notices.warn(reason, "Use other text as --dev.")
    return (
        best,
        reason if shared else "",
        f"{counted(len(dev.gold), 'gold pair')} of {dev.path.parent} (F1 {100 * best.f1:.2f} there)",
    )


def _items(test: Bitext, found: _Mined, accepted: int) -> Iterator[Item]:
    """Yield every source sentence that has a gold pair or an accepted pair."""
    gold: dict[int, list[int]] = {}
    answers: dict[int, list[tuple[int, float]]] = {}
    for source, target in sorted(test.gold):
        gold.setdefault(source, []).append(target)
    for (source, target), score in zip(found.pairs[:accepted], found.scores.tolist(), strict=False):
        answers.setdefault(source, []).append((target, score))
    for source in sorted({*gold, *answers}):
        right, own = gold.get(source, []), answers.get(source, [])
        yield Item(
            (test.source.texts[source],),
            tuple(test.target.texts[each] for each in right),
            answers=tuple({"target": test.target.texts[each], "score": score} for each, score in own),
            numbers={"predicted": len(own), "gold": len(right), "hits": sum(each in right for each, _ in own)},
        )


def _retrieve(test: Bitext, vectors: _Vectors, facts: dict[str, Any], params: EvalBitextParams, job: Job) -> Outcome:
    """Score the nearest target of every gold source, as mteb does."""
    (rows, source), (columns, target) = _unit(test, vectors)
    place = {row: number for number, row in enumerate(rows.tolist())}
    asked = sorted({left for left, _ in test.gold if left in place})
    best = top_k(source[[place[each] for each in asked]], target, k=1, device=job.device.name, progress=job.progress)
    nearest = {
        left: (int(columns[row]), score)
        for left, row, score in zip(asked, best.indices[:, 0].tolist(), best.scores[:, 0].tolist(), strict=True)
    } if len(target) else {}  # fmt: skip
    found = [nearest.get(left, (-1, 0.0)) for left, _ in test.order]
    gold, answers = [right for _, right in test.order], [each for each, _ in found]
    scores = weighted_scores(gold, answers)
    items = [
        Item(
            (test.source.texts[left],), (test.target.texts[right],),
            answers=({"target": test.target.texts[answer], "score": score},) if answer >= 0 else (),
            numbers={name: float(values[number]) for name, values in scores.items()},
        )
        for number, ((left, right), (answer, score)) in enumerate(zip(test.order, found, strict=True))
    ]  # fmt: skip
    without = len(test.source.texts) + len(test.target.texts) - len(rows) - len(columns)
    return evaluate(
        MTEB_TASK, [_test_set(test, items, without, facts)], params, job,
        convention=Convention(retrieval="nearest by cosine", search_space="all distinct target sentences",
                              direction="gold sources only", ties="lower line"),
        controls={"shuffled answers": partial(shuffled_weighted_f1, gold=gold, found=answers)},
        note="Scores of every target are weighted by its gold pairs, without a threshold. They do not compare with "
        "those of mined pairs.",
    )  # fmt: skip


def check_eval_bitext(inputs: Mapping[str, Any], params: EvalBitextParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    dev = bool(inputs.get("dev"))
    table = [
        (params.protocol == "dev-test" and not dev, "--protocol dev-test needs --dev.",
         "Give a folder with source, target and gold of other text. The threshold is chosen there."),
        (params.protocol != "dev-test" and dev, f"--protocol {params.protocol} uses no --dev.",
         "Leave it out, or choose --protocol dev-test."),
    ]  # fmt: skip
    faults = [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]
    return check_sentence_system(inputs) + faults


EVAL_BITEXT = Stage(
    name="eval bitext", version=1, params=EvalBitextParams, run=eval_bitext, check=check_eval_bitext,
    inputs={
        "source": Input("Source sentences, one per line; each may follow its id and a TAB (BUCC)."),
        "target": Input("Target sentences, the same."),
        "gold": Input("Pairs: source id, TAB, target id. Without ids, line numbers from 1."),
        "dev": Input("Folder of other text with the same file names, or with one file each of the same last "
                     "extension. The threshold comes from it.", required=False),
        **SENTENCE_SYSTEM,
    },
    makes="scores.json, and items.jsonl with the gold pairs and the mined pairs of every source sentence.",
    examples=(
        "lexenc eval bitext --source de-en.test.de --target de-en.test.en --gold de-en.test.gold --dev sample/ "
        "--encoder mini",
    ),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip
