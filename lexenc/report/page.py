"""The page: sections in order and a headline that the results support, in one self-contained file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lexenc.errors import ConfigError, unknown_name
from lexenc.files.text import counted
from lexenc.pages import Figure, Section, is_number, readable, render_page, span
from lexenc.report import answers, board, learning, lineage, planes, scores, tables, verdicts
from lexenc.report.claims import Claim
from lexenc.report.data import ReportData
from lexenc.report.systems import System, over

SECTIONS: dict[str, Callable[[ReportData], Section]] = {
    "board": board.board,
    "claims": scores.claims,
    "scores": scores.scores,
    "lambda": scores.over_lambda,
    "kinds": answers.by_kind,
    "answers": answers.answers,
    "space": planes.space,
    "learning": learning.learning,
    "runs": lineage.lineage,
}


@dataclass(frozen=True)
class Page:
    """A report."""

    html: str
    results: int
    charts: int
    headline: str
    warnings: list[str]  # what is damaged


def check_sections(names: Sequence[str]) -> None:
    """Check the names of sections.

    Raises:
        ConfigError: If a name is unknown, or there is none.
    """
    for name in names:
        if name not in SECTIONS:
            raise unknown_name("section", name, SECTIONS)
    if not names:
        raise ConfigError("--sections names no section.", hint=f"Known: {', '.join(SECTIONS)}.")


def build_page(data: ReportData, *, title: str, sections: Sequence[str]) -> Page:
    """Build a report as one HTML file; equal results, options and seeds produce equal bytes.

    Raises:
        ConfigError: As for `check_sections`.
    """
    check_sections(sections)
    made = [make(data) for name, make in SECTIONS.items() if name in sections]
    figures = [part for one in made for part in one.parts if isinstance(part, Figure)]
    headline, qualified = _headline(data) if data.main else _without_scores(data)
    manifests = [each.manifest for each in data.results.finished]
    days = sorted({manifest.created[:10] for manifest in manifests})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    pending = f", {len(data.results.unfinished)} not finished" if data.results.unfinished else ""
    damaged = [readable(sentence) for sentence in data.damaged]
    html = render_page(
        title=readable(title),
        headline=readable(headline),
        qualified=readable(qualified),
        warnings=[*damaged, *verdicts.warnings(data.results, data.verdicts), *verdicts.unfair(data.results)],
        tiles=_tiles(data) if data.main else [],
        sections=made,
        origin=f"{counted(len(manifests), 'result')} made {when}{pending}",
    )
    return Page(html, len(manifests), len(figures), readable(headline), damaged)


def _main_claim(data: ReportData) -> Claim | None:
    """Return the claim of the headline: the gain of blending for the main system, if there is one."""
    return next((one for one in data.claims if one.headline and one.link == data.main[0].result.name), None)


def _headline(data: ReportData) -> tuple[str, str]:
    """Return the main finding, and what it holds for. A control that does as well comes before anything else.

    If only other systems have such a control, it comes after the main finding.
    """
    main, claim = data.main[0], _main_claim(data)
    metric, known = main.task.headline, main.head.convention
    candidates = counted(known.search_space_words, "candidate") if known.search_space_words else ""
    asked = ", ".join(filter(None, [over(main), candidates, known.retrieval]))
    qualified = f"{metric.head} with 95 % confidence intervals ({main.result.name}): {asked}."
    if claim is not None and claim.headline is not None:
        sentence = f"{claim.headline[0 if claim.significant and claim.better else 1]} {claim.shown} points."
        sentence = sentence.replace(" by +", " by ")
        qualified += f" {claim.how[:1].upper()}{claim.how[1:]}."
    else:
        sentence = _compared(data)
    qualified += _tuning(data)
    weak, controls = _controls(data)
    over_all = board.summary(data)
    if over_all:  # the rest is about one task of several
        sentence, qualified = over_all, f"{main.task.title}: {sentence} {qualified}"
    if main in weak:
        return controls, f"{sentence} {qualified}"
    return sentence, f"{controls} {qualified}".lstrip()


def _controls(data: ReportData) -> tuple[list[System], str]:
    """Return the systems that do not significantly beat a control, and a sentence on them."""
    weak = list({one.label: one for one, _ in data.strong_controls}.values())
    if len(weak) < 2:
        return weak, "".join(sentence for _, sentence in data.strong_controls[:1])
    several = f"{len(weak)} of {counted(len(data.controlled), 'system')}"
    names = verdicts.listed([one.label for one in weak])
    return weak, f"{several} on the same test set do not significantly beat a control: {names}."


def _compared(data: ReportData) -> str:
    """Return how the systems on the test set of the main one compare."""
    main = data.main[0]
    metric = main.task.headline
    own = data.pairs_like(main)
    if not own:
        low, high = main.score.low, main.score.high
        contains_zero = low is not None and high is not None and low <= 0 <= high
        chance = ", not significantly different from 0" if contains_zero else ""
        return f"{main.label}: {main.task.title.lower()}, {metric.head} {main.shown}{chance}."
    won = sum(one.significant for one in own)
    if len(own) == 1:
        first, second = (one.label for one in own[0].systems)
        verb = "beats" if won else "does not significantly beat"
        return f"{first} {verb} {second}: {metric.head} {own[0].shown}."
    several = counted(len({one.label for claim in own for one in claim.systems}), "system")
    best = data.winner(main)
    if best is not None:
        return f"{best.label} beats all others of {several} on the same test set ({metric.head}, Holm's correction)."
    return f"{won} of {len(own)} differences between {several} on the same test set are significant ({metric.head})."


def _tuning(data: ReportData) -> str:
    """Return what fine-tuning gained, and what it gained on shuffled pairs."""
    claims = [one for one in data.claims if one.tuning and (one.control or one.link == data.main[0].result.name)]
    if all(one.control for one in claims):
        return ""
    told = [
        f"{'on shuffled pairs (control)' if one.control else 'Fine-tuning changed the encoder alone by'} {one.shown} "
        f"points{'' if one.gain.shown else ', not significant'}"
        for one in sorted(claims, key=lambda one: one.control)
    ]
    return f" {'; '.join(told[:2])}."


def _without_scores(data: ReportData) -> tuple[str, str]:
    for result in data.results.finished:
        for each in result.manifest.results if result.name not in data.unread else ():
            for key, value in each.items():
                low, high = each.get(f"{key}_low"), each.get(f"{key}_high")
                if is_number(value) and is_number(low) and is_number(high):
                    sentence = f"{result.name}: {tables.head(key)} {value:.3f} {span(low, high, scale=1, digits=3)}."
                    return sentence, "With its 95 % confidence interval. The table below shows its conventions."
    if data.verdicts:
        told = "Self-learning judged itself without a dictionary. Nothing has been evaluated on one yet."
        return verdicts.headline(data.verdicts), told
    if len(data.unread) > len(data.results.unreadable):  # not only results that may be no evaluations
        return "No scores can be read.", "The warnings say why."
    told = "There are no evaluations in this folder: nothing has been scored yet."
    return told, "The sections below show what was made, and which commands score it."


def _tiles(data: ReportData) -> list[tuple[str, str, str]]:
    """Return the most important numbers: (what, value, interval)."""
    main, claim = data.main[0], _main_claim(data)
    chosen = claim if claim is not None and claim.chosen else None
    tiles = []
    for one in sorted(data.main, key=lambda one: -1.0 if one.weight is None else one.weight):
        if one is main and chosen is not None:
            gain = f"{chosen.shown.split(' [')[0]} points"
            tiles.append(("blend, lambda chosen on other items", chosen.metric.show(chosen.first, digits=1), gain))
        else:
            tiles.append(_tile(data.part_of(one), one))
    alike = [one for one in data.by_task[main.task.name] if one.test_set == main.test_set and one.weight in (None, 1)]
    controls = [one for one in alike if one.control and one not in data.main]
    return tiles + [_tile(f"control, {data.part_of(one)}", one) for one in controls[:1]]


def _tile(name: str, system: System) -> tuple[str, str, str]:
    value, _, ends = system.shown.partition(" ")
    return readable(name), value, ends
