"""The section with the words of both languages on planes."""

from __future__ import annotations

from lexenc.report import charts
from lexenc.report.evidence import Evidence
from lexenc.report.parts import Cell, Figure, Grid, Part, Remark, Section, number, readable, word
from lexenc.report.planes import Missing, Plane, choose_pairs, planes_of

_EVAL = "lexenc eval bli --vectors runs/mapped --dictionary test.tsv --out runs/scores"
_BLEND = (
    "lexenc interpolate --vectors runs/mapped --encoder runs/encoder --dictionary train.tsv --lambda 0.4 "
    "--out runs/blended"
)


def space(evidence: Evidence) -> Section:
    """Translation pairs in every space that the best system went through."""
    lead = (
        "Each line ties a word to its translation. Where mapping and tuning work, translations move together and lines "
        "grow short. A plane keeps a small part of what many dimensions hold: the share stands at each axis, and the "
        "cosines below are those of the whole space."
    )
    section = Section("space", "Map", "Both languages in one picture", lead)
    system = evidence.closely[0] if evidence.closely else None
    questions = evidence.questions(system)[0] if system is not None else []
    if system is None or len(questions) < 3:
        section.parts.append(
            Remark("No answers to choose words from. Evaluations keep them where they have a folder:", _EVAL)
        )
        return section
    found = planes_of(evidence.runs, system, choose_pairs(questions, evidence.seed), evidence.device)
    section.parts.extend([_figure(one) for one in found if isinstance(one, Plane)])
    section.parts.extend(_missing([one for one in found if isinstance(one, Missing)]))
    if not any("Blended" in one.title for one in found):
        section.parts.append(Remark("There is no blended space to draw. To make one:", _BLEND))
    return section


def _figure(shown: Plane) -> Figure:
    right = sum(one.right for one in shown.pairs)
    about = (
        f"{shown.title}: {len(shown.pairs)} words and their translations as points on a plane, {right} of them "
        f"answered rightly; mean cosine of the pairs {shown.together:.2f}, of unrelated words {shown.apart:.2f}."
    )
    note = (
        f"{len(shown.pairs)} pairs. Mean cosine of a word and its translation {shown.together:.2f}, of words that "
        f"belong to different pairs {shown.apart:.2f}."
    )
    rows = [
        [word(pair.source), word(pair.target), Cell("right" if pair.right else "wrong"),
         *(number(float(value), 3) for value in (*shown.source[place], *shown.target[place]))]
        for place, pair in enumerate(shown.pairs)
    ]  # fmt: skip
    columns = ["word", "translation", "answered", "#x", "#y", "#x of translation", "#y of translation"]
    data = Grid("The numbers of this chart", columns, rows, folded=True)
    drawing = charts.draw(charts.plane(shown, languages=("source word", "its translation")), about)
    return Figure(readable(shown.title), readable(about), {"any": drawing}, data, note, half=True)


def _missing(missing: list[Missing]) -> list[Part]:
    return [Remark(readable(f"{one.title}: not drawn, {one.why.rstrip('.')}.")) for one in missing]
