"""link: mentions + knowledge base + encoder -> the best concepts of every mention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.errors import DataError
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.lexical.linking import KNOWLEDGE_BASE, Linker, LinkingParams, batches, check_knowledge_base

if TYPE_CHECKING:
    from lexenc.files.concepts import ConceptName

NAME = "links.jsonl"
NIL = "NIL"


@dataclass(frozen=True)
class LinkParams(LinkingParams):
    """Parameters of `link`."""

    top: int = param(5, "Concepts per mention.", ge=1)
    threshold: float | None = param(
        None, "Smallest cosine of the best name; a mention below it is answered NIL: not in the knowledge base.",
        ge=-1, le=1,
    )  # fmt: skip


def link(inputs: dict[str, Any], params: LinkParams, job: Job) -> Outcome:
    """Answer the mentions batch by batch, into a file or as they come."""
    from lexenc.files.text import write_lines

    kinds, nil = Counter[bool](), Counter[bool]()
    _check_mentions(inputs["mentions"])
    linker = Linker(inputs, params, params.top, job)
    answers = _answers(linker, inputs["mentions"], params, kinds)
    if job.kept:
        write_lines(job.out / NAME, _counting(answers, nil))
    else:
        for batch in batches(answers):
            nil.update(body["nil"] for body in batch)
            job.notices.answer(batch, _table(batch))
    linker.close()
    linker.tell_directionless()
    _tell_kinds(kinds, job)
    if linker.recall is not None:
        job.notices.say(f"link: {linker.search_words()}.")
    return Outcome(
        {
            "mentions": kinds.total(),
            "nil": nil[True],
            "names": linker.base.lines,
            "concepts": len(linker.base.identifiers),
            **linker.search_keys(),
        }
    )


def _answers(linker: Linker, paths: list[Path], params: LinkParams, kinds: Counter[bool]) -> Iterator[dict[str, Any]]:
    """Give one object per mention, and count the lines with identifiers and those without."""
    for batch in batches(_mentions(paths)):
        kinds.update(bool(mention.concepts) for mention in batch)
        found = linker.link([mention.text for mention in batch])
        for mention, lines, scores in zip(batch, found.answers.tolist(), found.answer_scores.tolist(), strict=True):
            ranked = [(line, score) for line, score in zip(lines, scores, strict=True) if line >= 0]
            yield _answer(linker, mention, ranked, params)


def _mentions(paths: list[Path]) -> Iterator[ConceptName]:
    from lexenc.files.concepts import stream_mentions

    for path in paths:
        yield from stream_mentions(path)


def _check_mentions(paths: list[Path]) -> None:
    """Refuse files without mentions before the long work begins."""
    for path in paths:
        if next(_mentions([path]), None) is None:
            raise DataError(f"{path} holds no mentions.", hint="One mention per line, or CUI||mention.")


def _answer(
    linker: Linker, mention: ConceptName, ranked: list[tuple[int, float]], params: LinkParams
) -> dict[str, Any]:
    body: dict[str, Any] = {"mention": mention.text}
    if mention.concepts:
        body["gold"] = list(mention.concepts)
    best = ranked[0][1]
    nil = params.threshold is not None and best < params.threshold
    return body | {
        "nil": nil,
        "best_score": round(best, 6),
        "answers": [
            {
                "rank": rank,
                "concepts": linker.base.identifiers_of(line),
                "name": linker.base.name_of(line),
                "score": round(score, 6),
            }
            for rank, (line, score) in enumerate([] if nil else ranked, start=1)
        ],
    }


def _counting(answers: Iterator[dict[str, Any]], nil: Counter[bool]) -> Iterator[str]:
    import json

    for body in answers:
        nil.update([body["nil"]])
        # Bytes that are no text leave the file UTF-8 when they are escaped.
        yield json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")


def _table(bodies: list[dict[str, Any]]) -> Table:
    rows = []
    for body in bodies:
        own = [
            [body["mention"], str(each["rank"]), "|".join(each["concepts"]), each["name"], f"{each['score']:.4f}"]
            for each in body["answers"]
        ]
        # What is missed by little can be told from what is nothing like any name.
        rows += own or [[body["mention"], "1", NIL, "", f"{body['best_score']:.4f}"]]
    cells = [[cell.replace("\t", " ") for cell in row] for row in rows]
    return Table("Entity linking", ["mention", "rank", "concept", "best name", "cosine"], cells)


def _tell_kinds(kinds: Counter[bool], job: Job) -> None:
    """Say how the lines were read; a mixture may be a slip."""
    with_identifiers, plain = kinds[True], kinds[False]
    if with_identifiers and plain:
        job.notices.warn(
            f"{counted(with_identifiers, 'mention')} came as CUI||mention, {plain:,} as plain text.",
            "Words without spaces before the first || are taken for identifiers.",
        )
    else:
        form = "CUI||mention" if with_identifiers else "plain text"
        job.notices.say(f"link: {counted(kinds.total(), 'mention')}, read as {form}.")


LINK = Stage(
    name="link",
    version=1,
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
    makes=f"{NAME}: for every mention its concepts with best name and cosine. Without --out the same is printed: "
    "mention, rank, concept, name, cosine, separated by TABs where a program reads it.",
    examples=(
        ("lexenc link --knowledge-base kb.txt --encoder mini mentions.txt", ""),
        ("echo potassium | lexenc link --knowledge-base kb.txt --encoder mini --top 1 -", ""),
        ("lexenc link --knowledge-base runs/kb --encoder mini --threshold 0.6 --out runs/links mentions.txt", ""),
    ),
    uses_device=True,
    uses_seed=True,
    out_required=False,
    check=check_knowledge_base,
)
