"""The page: sections in order, a headline that the evidence supports, and one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lexenc import __version__
from lexenc.errors import ConfigError, unknown_name
from lexenc.files.text import counted
from lexenc.report import learning, lineage, scores, space, tables, tasks, verdicts, words
from lexenc.report.evidence import Evidence
from lexenc.report.parts import Figure, Section, is_number, readable, span
from lexenc.report.systems import Claim, System
from lexenc.resources import ROOT

SECTIONS: dict[str, Callable[[Evidence], Section]] = {
    "claims": scores.claims,
    "scores": scores.scores,
    "lambda": scores.over_lambda,
    "kinds": words.by_kind,
    "answers": words.answers,
    "space": space.space,
    "learning": learning.learning,
    "runs": lineage.lineage,
}


@dataclass(frozen=True)
class Page:
    """A report.

    Args:
        html: The whole file.
        results: How many results it speaks of.
        charts: How many charts it has.
        headline: Its main finding.
    """

    html: str
    results: int
    charts: int
    headline: str


def check_sections(names: Sequence[str]) -> None:
    """Refuse sections that there are not.

    Raises:
        ConfigError: If a name is unknown, or there is none at all.
    """
    for name in names:
        if name not in SECTIONS:
            raise unknown_name("section", name, SECTIONS)
    if not names:
        raise ConfigError("--sections names no section.", hint=f"Known: {', '.join(SECTIONS)}.")


def build_page(evidence: Evidence, *, title: str, sections: Sequence[str]) -> Page:
    """Build a report as one HTML file.

    The same results, options and seed give the same bytes.

    Args:
        evidence: What is reported on.
        title: Of the page.
        sections: Names from `SECTIONS`; they are shown in that order whatever the order here.

    Raises:
        ConfigError: As `check_sections`.
    """
    check_sections(sections)
    made = [make(evidence) for name, make in SECTIONS.items() if name in sections]
    figures = [part for one in made for part in one.parts if isinstance(part, Figure)]
    headline, qualified = _headline(evidence)
    html = _render(
        title=readable(title),
        headline=headline,
        qualified=qualified,
        warnings=verdicts.warnings(evidence.runs, evidence.verdicts),
        tiles=_tiles(evidence),
        sections=made,
        origin=_origin(evidence),
        version=__version__,
    )
    return Page(html, len(evidence.runs.finished), len(figures), headline)


def _render(**values: object) -> str:
    import jinja2

    folder = ROOT / "report"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((folder / name).read_text(encoding="utf-8").strip() for name in ("page.css", "page.js"))
    return environment.get_template("page.html").render(
        **values, style=style, script=script, style_digest=_digest(style), script_digest=_digest(script)
    )


def _digest(text: str) -> str:
    """Give the digest by which a Content-Security-Policy lets exactly this text be used."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _origin(evidence: Evidence) -> str:
    manifests = [run.manifest for run in evidence.runs.finished]
    days = sorted({manifest.created[:10] for manifest in manifests})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    pending = f", {len(evidence.runs.unfinished)} not finished" if evidence.runs.unfinished else ""
    return f"{counted(len(manifests), 'result')} made {when}{pending}"


# ---------------------------------------------------------------- headline


def _headline(evidence: Evidence) -> tuple[str, str]:
    """Say the main finding in words, and what it holds for."""
    if not evidence.closely:
        return _without_translation(evidence)
    best = evidence.closely[0]
    claim = next(iter(_main_claims(evidence)), None)
    if claim is None:
        head = best.head
        ends = span(head.get("precision_at_1_low"), head.get("precision_at_1_high"))
        sentence = f"{best.label} translates {100 * head['precision_at_1']:.1f} % {ends} of the test words rightly."
        return readable(sentence), _holds_for(best)
    return readable(_sentence(claim)), _holds_for(best) + _choice(evidence, claim, best) + _tuning(evidence, best)


def _choice(evidence: Evidence, claim: Claim, best: System) -> str:
    """Say why the gain is not the distance between two tiles, where lambda had to be chosen."""
    if not _is_chosen(claim):
        return ""
    rival = next((one for one in evidence.closely if one is not best and one.weight == 0), None)
    apart = ""
    if rival is not None and _is_blend(best):
        distance = 100 * (best.head["precision_at_1"] - rival.head["precision_at_1"])
        apart = (
            f" On the words that chose it, lambda {best.weight:g} looks {distance:+.1f} points better "
            f"({100 * best.head['precision_at_1']:.1f} against {100 * rival.head['precision_at_1']:.1f}); the gain "
            "above leaves out what choosing adds."
        )
    return f" {claim.how[:1].upper()}{claim.how[1:]}, both ways.{apart}"


def _is_blend(one: System) -> bool:
    return one.weight is not None and 0 < one.weight < 1


def _is_chosen(claim: Claim) -> bool:
    return claim.how.startswith("lambda chosen")


def _tuning(evidence: Evidence, best: System) -> str:
    """Say what tuning alone gained, and what it gained on pairs that are none."""
    claims = [one for one in evidence.claims if one.tuning and (one.link == best.run.name or one.control)]
    told = [
        f"{'the control' if one.control else 'Tuning gained the encoder alone'} {100 * one.gain.mean:+.1f} points "
        f"{span(one.gain.low, one.gain.high)}{'' if one.gain.shown else ', not shown'}"
        for one in sorted(claims, key=lambda one: one.control)
    ]
    return f" {'; '.join(told[:2])}." if any(not one.control for one in claims) else ""


def _sentence(claim: Claim) -> str:
    gain, ends = claim.gain, span(claim.gain.low, claim.gain.high)
    chosen = ", lambda chosen on other words" if _is_chosen(claim) else ""
    if gain.shown and gain.mean > 0:
        return f"{claim.short[0]} {100 * gain.mean:.1f} points {ends}{chosen}."
    return f"{claim.short[1]} {100 * gain.mean:+.1f} points {ends}{chosen}."


def _holds_for(best: System) -> str:
    head = best.head
    asked = round(head["queries"] / head["coverage"]) if head.get("coverage") else head["queries"]
    return readable(
        f"Precision at 1 with 95 % intervals ({best.run.name}): {head['queries']:,} of {counted(asked, 'test word')} "
        f"have vectors on both sides, {head['retrieval']} over the {head['search_space']} of "
        f"{counted(head['search_space_words'], 'word')}."
    )


def _without_translation(evidence: Evidence) -> tuple[str, str]:
    for one, told, how in tasks.best_of_tasks(evidence):
        return readable(f"{told}: {one.value:.1f} {span(*one.ends, scale=1)}."), readable(f"{how}, x 100.")
    for run in evidence.evaluations():
        for result in run.manifest.results:
            for key, value in result.items():
                low, high = result.get(f"{key}_low"), result.get(f"{key}_high")
                if is_number(value) and is_number(low) and is_number(high):
                    sentence = f"{run.name}: {tables.head(key)} {value:.3f} {span(low, high, scale=1, digits=3)}."
                    return readable(sentence), "With its 95 % interval; the convention stands beside the score below."
    if evidence.verdicts:
        told = "Self-learning judged itself, without a dictionary; nothing has been scored on one yet."
        return verdicts.headline(evidence.verdicts), told
    return "Nothing has been scored yet.", "The sections below say what was made, and which commands score it."


def _tiles(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Give the few figures that matter: (what, value, interval)."""
    best = evidence.closely[0] if evidence.closely else None
    chosen = next((one for one in _main_claims(evidence) if _is_chosen(one)), None)
    flattered = best if chosen is not None and best is not None and _is_blend(best) else None
    tiles = [
        (_tile_name(evidence, one, one is flattered), f"{100 * one.head['precision_at_1']:.1f}",
         span(one.head.get("precision_at_1_low"), one.head.get("precision_at_1_high")))
        for one in sorted(evidence.closely, key=lambda one: -1.0 if one.weight is None else one.weight)
    ]  # fmt: skip
    if chosen is not None and chosen.score is not None:
        place = next((i for i, one in enumerate(tiles) if one[0].startswith("best")), len(tiles))
        gain = f"{100 * chosen.gain.mean:+.1f} points"
        tiles.insert(place, ("blend, lambda chosen on other words", f"{100 * chosen.score:.1f}", gain))
    control = _control_tile(evidence)
    return [(readable(what), value, ends) for what, value, ends in [*tiles, *control]]


def _main_claims(evidence: Evidence) -> list[Claim]:
    """Give the claims that may stand in the headline, the main one first."""
    if not evidence.closely:
        return []
    return [one for one in evidence.claims if one.short[0] and one.link == evidence.closely[0].run.name]


def _tile_name(evidence: Evidence, one: System, chosen: bool) -> str:
    name = evidence.part_of(one)
    return f"best {name}, chosen on these words" if chosen else name


def _control_tile(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Give what tuning on pairs that are none reaches with the same weight."""
    best = evidence.closely[0] if evidence.closely else None
    for one in evidence.systems:
        if best is not None and one.control and one.weight == best.weight and one.convention == best.convention:
            ends = span(one.head.get("precision_at_1_low"), one.head.get("precision_at_1_high"))
            return [(f"control, {evidence.part_of(one)}", f"{100 * one.head['precision_at_1']:.1f}", ends)]
    return []
