"""What the steps of recipes lack before they run, and the scores of those that ran."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lexenc.artifact import DigestStore, cache_folder
from lexenc.encoders.locate import locate_encoder
from lexenc.errors import ConfigError
from lexenc.fetching import Offer, fetch
from lexenc.files.text import counted
from lexenc.pipeline import Forecast, Pipeline
from lexenc.progress import SILENT, Progress
from lexenc.recipes.comparison import CellScores, score_of
from lexenc.recipes.expansion import Expansion, Need
from lexenc.recipes.paper import PaperCell, RecipeTable
from lexenc.resources import BUNDLED_ENCODERS, PREFIX

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


@dataclass(frozen=True)
class Lack:
    """A missing input."""

    what: str
    command: str
    need: Need | None = None


def find_lacks(expansion: Expansion) -> dict[str, list[Lack]]:
    """Return the missing inputs of every step by its name, without using the network.

    Raises:
        ConfigError: If an encoder is a folder that does not exist, or has an impossible name.
    """
    known: dict[str, Lack | None] = {}
    found: dict[str, list[Lack]] = {}
    for step in expansion.pipeline().steps:
        needs, encoders = expansion.needs(step), expansion.encoders(step)
        for need in needs:
            known.setdefault(str(need.path), _file_lack(need))
        for encoder in encoders:
            if encoder not in known:
                known[encoder] = _encoder_lack(encoder)
        read = [*(str(need.path) for need in needs), *encoders]
        lacks = [lack for name in read if (lack := known[name]) is not None]
        if lacks:
            found[step.name] = lacks
    return found


def distinct(lacks: Mapping[str, list[Lack]]) -> list[Lack]:
    """Return every missing input once."""
    return list({lack.what: lack for many in lacks.values() for lack in many}.values())


def needed_by(
    expansion: Expansion, tables: Sequence[RecipeTable], lacks: Mapping[str, list[Lack]]
) -> dict[str, str]:
    """Return the rows of tables that need each missing input, by the input, such as `ELMo, Joint-ELMo`."""
    steps = {step.name: step for step in expansion.pipeline().steps}

    def missing(name: str) -> set[str]:
        return {lack.what for lack in lacks.get(name, [])}.union(*map(missing, steps[name].needs))

    found = {lack.what: list[str]() for lack in distinct(lacks)}
    for table in tables:
        computed: dict[str, set[str]] = {}
        for entry in table.entries():
            for step in (expansion.scores[cell] for cell in entry.cells if cell in expansion.scores):
                computed.setdefault(entry.row, set()).update(missing(step.name))
        place = f"{table.name.rpartition('/')[2]}: " if len(tables) > 1 else ""
        for what, owners in found.items():
            rows = [row for row, own in computed.items() if what in own]
            owners += [place + (", ".join(rows) if len(rows) < len(computed) else "all rows")] if rows else []
    return {what: "; ".join(owners) for what, owners in found.items()}


def _file_lack(need: Need) -> Lack | None:
    if need.path.exists():
        return None
    one, folder = need.resource, need.path.parent
    if one is None:
        return Lack(f"{need.role} ({need.words or f'not found: {need.path}'})", f"--file {need.role}=PATH", need)
    place = "" if folder == cache_folder() / "fetched" / one.family else f" --out {shlex.quote(str(folder))}"
    return Lack(f"{one.name} {one.part}", f"lexenc fetch {one.name} --part {one.part}{place}", need)


def _encoder_lack(name: str) -> Lack | None:
    """Look for an encoder on this machine; one from the hub must have been downloaded before."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if any(isinstance(try_to_load_from_cache(name, file), str) for file in _WEIGHTS):
            return None
    except HFValidationError:
        pass  # a path, or a bundled encoder
    else:
        if not Path(name).exists() and name.removeprefix(PREFIX) not in BUNDLED_ENCODERS:
            return Lack(name, f"hf download {name} --exclude '*.bin' --exclude '*.h5' --exclude '*.ot'")
    locate_encoder(name)
    return None


def refuse_lacks(lacks: Iterable[Lack]) -> None:
    """Check that no input is missing.

    Raises:
        ConfigError: If one is, with the commands that provide them.
    """
    listed = list(lacks)
    if not listed:
        return
    width = max(len(lack.what) for lack in listed)
    lines = [f"  {lack.what.ljust(width)}  {lack.command}" for lack in listed]
    raise ConfigError(
        "\n".join([f"{counted(len(listed), 'input is', 'inputs are')} not here yet:", *lines]),
        hint="--fetch downloads what can be downloaded. --partial skips what needs the others. --pairs and --encoder "
        "select fewer numbers.",
    )


def fetch_lacks(
    lacks: Iterable[Lack],
    *,
    approve: Callable[[Offer], None],
    progress: Progress = SILENT,
    digests: DigestStore | None = None,
) -> None:
    """Download the missing inputs that can be downloaded.

    Raises:
        LexencError: If a download fails.
    """
    for lack in lacks:
        if lack.need is None:
            locate_encoder(lack.what)
        elif lack.need.resource is not None:
            fetch(lack.need.resource, lack.need.path.parent, approve=approve, progress=progress, digests=digests)


def without(pipeline: Pipeline, lacks: Mapping[str, list[Lack]]) -> tuple[Pipeline, dict[str, list[str]]]:
    """Remove the steps with missing inputs, and those that need them.

    Returns:
        The other steps, and the reasons for each removed step.
    """
    reasons: dict[str, list[str]] = {}
    for step in pipeline.steps:
        missing = [f"no {lack.what}" for lack in lacks.get(step.name, [])]
        blocked = [reason for name in step.needs for reason in reasons.get(name, [])]
        if missing or blocked:
            reasons[step.name] = list(dict.fromkeys(missing + blocked))
    kept = tuple(step for step in pipeline.steps if step.name not in reasons)
    return replace(pipeline, steps=kept), reasons


def refuse_others(casts: Iterable[Forecast], out: Path) -> None:
    """Check that no result of other settings would be overwritten.

    Raises:
        ConfigError: If one would.
    """
    refused = [cast for cast in casts if cast.action == "refuse"]
    if refused:
        lines = [f"  {cast.step.name}: {'; '.join(cast.reasons)}" for cast in refused]
        raise ConfigError(
            "\n".join([f"{out} contains {counted(len(refused), 'result')} of other settings or files:", *lines]),
            hint="Choose another --out, or add --force to replace them.",
        )


def found_scores(
    expansion: Expansion, failed: Mapping[str, str], left_out: Mapping[str, Sequence[str]]
) -> CellScores:
    """Read the scores of all cells, given the reasons why steps failed or were left out."""
    scores, reasons, faulty = {}, dict[PaperCell, str](), set()
    absent = {**failed, **{name: "; ".join(own) for name, own in left_out.items()}}
    for cell, step in expansion.scores.items():
        score = None if step.name in absent else score_of(expansion.paper, cell, step.out)
        if score is not None:
            scores[cell] = score
            continue
        reasons[cell] = absent.get(step.name, f"{step.name} has no such score")
        if step.name not in left_out:
            faulty.add(cell)
    return CellScores(scores, reasons, frozenset(faulty))
