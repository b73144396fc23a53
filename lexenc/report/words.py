"""The sections on words: which kinds are translated well, and every answer to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lexenc.evaluation.bootstrap import DRAWS, interval
from lexenc.evaluation.groups import BANDS, LIKENESS, SIMILAR, band_of
from lexenc.files.text import counted
from lexenc.randomness import generator
from lexenc.report import charts
from lexenc.report.evidence import Evidence
from lexenc.report.parts import Cell, Figure, Grid, Part, Remark, Section, number, percent, readable, span, word
from lexenc.report.questions import Question, most_wanted
from lexenc.report.systems import System, draws_for

_EVAL = "lexenc eval bli --vectors runs/blended --dictionary test.tsv --out runs/scores"
_HUBS = 12

_Kind = Callable[[Question], str | None]


def by_kind(evidence: Evidence) -> Section:
    """Precision by frequency and by likeness."""
    section = Section(
        "kinds",
        "Words",
        "Which words are translated well",
        "Frequent words have better vectors, and words that look alike in both languages can be translated by their "
        "letters alone; a mean over all words hides both.",
    )
    systems = [one for one in evidence.closely if evidence.questions(one)[0]]
    if not systems:
        section.parts.append(Remark("No answers are at hand. Evaluations keep them where they have a folder:", _EVAL))
        return section
    if evidence.questions(systems[0])[1]:
        title, what = "By frequency of the source word", "rank in the source vocabulary"
        section.parts.append(_figure(evidence, systems, title, BANDS, _band, what, _RANKS))
    else:
        section.parts.append(
            Remark(
                "Frequencies are not known: the vocabulary of the side that asks is not where it was, or lies in a "
                "binary file. Evaluate a mapped space, which has its words beside it:",
                _EVAL,
            )
        )
    section.parts.append(
        _figure(
            evidence,
            systems,
            "By likeness of word and translation",
            LIKENESS,
            lambda one: one.likeness,
            "likeness",
            _ALIKE,
        )
    )
    return section


def _band(one: Question) -> str | None:
    return None if one.frequency is None else band_of(one.frequency)


_RANKS = (
    "Rank is the place of the word in the vocabulary of its vectors, which are ordered by frequency; test words "
    "without vectors are in no band."
)
_ALIKE = (
    "Identical: the gold translation is the same word, whatever the case. Similar: at most "
    f"{SIMILAR:.0%} of the letters of the longer word have to be inserted, deleted or replaced (Levenshtein distance "
    "divided by the longer length), a stand-in for cognates. Of several gold translations the closest counts."
)


def _figure(
    evidence: Evidence, systems: Sequence[System], title: str, kinds: Sequence[str], kind: _Kind, what: str, note: str
) -> Figure:
    names = [evidence.part_of(one) for one in systems]
    counts = _counts(evidence.questions(systems[0])[0], kinds, kind)
    filled = [each for each in kinds if counts[each]]
    shown = {each: f"{each}|n={counts[each]:,}" for each in filled}
    points: list[dict[str, Any]] = []
    rows = []
    for name, system in zip(names, systems, strict=True):
        questions = evidence.questions(system)[0]
        for each in filled:
            values = np.array([float(one.right) for one in questions if kind(one) == each])
            low, high = interval(
                values,
                generator=generator(evidence.seed, f"report {system.label} {each}"),
                draws=draws_for(len(values), DRAWS),
            )
            share = float(values.mean()) if len(values) else float("nan")
            label = f"{each}, {name}: {100 * share:.1f} {span(low, high)} over {counted(len(values), 'word')}"
            ends = {"y": 100 * share, "low": 100 * low, "high": 100 * high}
            points.append({"series": name, "kind": shown[each], "label": label, **ends})
            rows.append(
                [
                    Cell(each, float(kinds.index(each))),
                    Cell(readable(name)),
                    percent(share),
                    Cell(span(low, high), low, "number"),
                    Cell(f"{len(values):,}", len(values), "number"),
                ]
            )
    about = f"Points with intervals: precision at 1 by {what} for {', '.join(names)}."
    drawings = {
        form: charts.draw(charts.groups(points, names, list(shown.values()), width=width, y="P@1 x 100"), about)
        for form, width in (("wide", charts.WIDE if len(filled) > 3 else charts.HALF + 150), ("narrow", charts.NARROW))
    }
    columns = [what, "system", "#P@1", "#95 % interval", "#words"]
    data = Grid("The numbers of this chart", columns, rows, folded=True)
    whole = (
        f"{note} n is the number of test words. Lines are 95 % intervals (percentile bootstrap over the words of the "
        "group, 2,000 draws, fewer where there are very many words); below about 30 words they are too short, and none "
        "at all where all words are right or all wrong."
    )
    return Figure(title, about, drawings, data, f"{whole} System: {systems[0].run.name}.")


def _counts(questions: Sequence[Question], kinds: Sequence[str], kind: _Kind) -> dict[str, int]:
    table = dict.fromkeys(kinds, 0)
    for one in questions:
        own = kind(one)
        if own is not None and own in table:
            table[own] += 1
    return table


# ---------------------------------------------------------------- answers


def answers(evidence: Evidence) -> Section:
    """Answers to read, errors first, and what is answered wrongly again and again."""
    section = Section("answers", "Answers", "Answers to read", "")
    system = evidence.closely[0] if evidence.closely else None
    questions, ranked = evidence.questions(system) if system is not None else ([], False)
    if system is None or not questions:
        section.parts.append(Remark("No answers are at hand. Evaluations keep them where they have a folder:", _EVAL))
        return section
    wrong = sum(not one.right for one in questions)
    lead = (
        f"{system.label}: {counted(wrong, 'word')} of {len(questions):,} "
        f"{'is' if wrong == 1 else 'are'} answered with something that is not in the test dictionary. Not every such "
        "answer is an error of the system: dictionaries leave out good translations. Read some."
    )
    section.parts.extend([_answers_grid(questions, ranked, evidence), *_hubs(questions)])
    return replace(section, lead=lead)


def _answers_grid(questions: Sequence[Question], ranked: bool, evidence: Evidence) -> Grid:
    shown = [*questions]
    if len(shown) > evidence.sample:
        drawn = generator(evidence.seed, "report answers").choice(len(shown), evidence.sample, replace=False)
        shown = [questions[place] for place in sorted(drawn)]
    shown.sort(key=lambda one: (one.right, one.frequency or 10**9))
    rows = [_answer_row(one, ranked) for one in shown]
    drawn_note = f"drawn at random (seed {evidence.seed}) " if len(shown) < len(questions) else ""
    note = (
        f"{len(shown):,} of {len(questions):,} shown, {drawn_note}errors first, the most frequent words first"
        f"{'' if ranked else ' (frequencies not known)'}. Gold rank: place of the best gold translation among all "
        "candidates. ✓ marks gold translations."
    )
    columns = ["word", "", "gold", "answers, best first", "#gold rank", "likeness"]
    if ranked:
        columns.insert(1, "#frequency rank")
    return Grid("Words, gold translations and answers", columns, rows, note, search=True)


def _answer_row(one: Question, ranked: bool) -> list[Cell]:
    golds = set(one.golds)
    cells = [
        word(one.word),
        Cell("✓ right" if one.right else "✗ wrong", float(one.right), "right" if one.right else "wrong"),
        word(", ".join(one.golds)),
        Cell(
            readable(", ".join(one.answers)),
            style="word text",
            marked=[(readable(answer), answer in golds) for answer in one.answers],
        ),
        Cell(f"{one.rank:,}", one.rank, "number"),
        Cell(one.likeness, style="quiet"),
    ]
    if ranked:
        place = Cell("", float("inf"), "number") if one.frequency is None else number(one.frequency, 0)
        cells.insert(1, place)
    return cells


def _hubs(questions: Sequence[Question]) -> list[Part]:
    """Show which words are answered wrongly most often."""
    found = most_wanted(questions)
    wrong = sum(times for _, times, _ in found)
    repeated = [one for one in found if one[1] > 1][:_HUBS]
    if not repeated:
        return [Remark("No word is a wrong answer twice: there are no hubs among the answers.")]
    taken = sum(times for _, times, _ in found[: max(1, len(found) // 100)])
    asked: dict[str, list[str]] = {}
    for one in questions:
        if one.answers and not one.right:
            asked.setdefault(one.answers[0], []).append(one.word)
    rows = [
        [word(name), Cell(f"{times:,}", times, "number"), Cell(f"{right:,}", right, "number"),
         word(", ".join(asked[name][:8]) + (" …" if len(asked[name]) > 8 else ""))]
        for name, times, right in repeated
    ]  # fmt: skip
    note = (
        f"{counted(wrong, 'wrong answer')} name {counted(len(found), 'word')}; the most frequent 1 % of these take "
        f"{100 * taken / max(wrong, 1):.1f} % of them. Words that are near to everything (hubs) are what CSLS was made "
        "against."
    )
    columns = ["answer", "#times wrong", "#times right", "given for"]
    return [Grid("The same wrong answer again and again", columns, rows, note)]
