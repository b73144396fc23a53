"""demo: the whole pipeline on the bundled encoder, vectors and lexicon."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from lexenc.artifact import DigestStore, Manifest
from lexenc.evaluation import TASKS
from lexenc.files.dictionaries import read_pairs
from lexenc.files.evaluations import Evaluation, read_evaluation
from lexenc.pipeline import Step, Watcher, read_pipeline, run_pipeline
from lexenc.planning import Plan
from lexenc.resources import ROOT
from lexenc.stage import Job, Table
from lexenc.stages.lexical.translate import Translator

from ..options import Debug, Device, Force, Json, Quiet
from ..stage_command import shown_summary
from ..ui import View, print_json

_SWEEPS = {"not fine-tuned": "scores-untuned", "fine-tuned": "scores-tuned", "shuffled": "scores-shuffled"}
_COMPARISONS = {
    "blended-against-static": "blend (0.5) against static vectors (0)",
    "blended-against-encoder": "blend (0.5) against fine-tuned encoder (1)",
    "tuned-against-untuned": "encoder (1): fine-tuned against not",
    "tuned-against-untuned-blended": "blend (0.5): fine-tuned against not",
    "shuffled-against-untuned": "control (1): shuffled against not",
}
_TERMS = 8


def demo_command(
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for all results.", metavar="FOLDER")] = "runs/demo",
    force: Force = False,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    r"""Mine hard negatives, fine-tune, map, blend and evaluate, without a network.

    Takes about twenty seconds on two cores.

    \b
    Example:
      $ lexenc demo --out runs/demo
    """
    view = View(json=json, quiet=quiet)
    pipeline = read_pipeline(ROOT / "demo" / "pipeline.yaml", workdir=Path(out))

    def done(step: Step, plan: Plan, manifest: Manifest) -> None:
        state = "reused" if plan.action == "reuse" else f"{manifest.seconds:.1f} s"
        view.say(f"{step.name}: {shown_summary(manifest.summary)}{step.out} ({state})")

    made = run_pipeline(
        pipeline,
        list(pipeline.steps),
        force=force,
        device=device,
        progress=view.watcher(),
        notices=view.notices(),
        digests=DigestStore.default(),
        watcher=Watcher(after=done),
    )
    if json:
        for name, manifest in made.items():
            for result in manifest.results:
                print_json({"step": name, **result})
        return
    folders = {step.name: step.out for step in pipeline.steps}
    view.table(_scores(folders))
    view.table(_differences(made))
    view.table(_translations(folders["blended"], device))
    place = shlex.quote(str(folders["blended"]))
    view.say("next:")
    view.say(f"  echo 'spreadsheet' | lexenc translate --vectors {place} -      translate your own words")
    view.say(f"  lexenc show {place}      see what made the space, back to the raw files")
    view.say("  lexenc init my.yaml      a pipeline for your own vectors, dictionary and encoder")


def _scores(folders: Mapping[str, Path]) -> Table:
    """Return a table with a row for each encoder and a column for each lambda."""
    evaluations: dict[str, Evaluation] = {label: read_evaluation(folders[step]) for label, step in _SWEEPS.items()}
    weights = [labels["lambda"] for labels in evaluations["fine-tuned"].choices()]
    rows = []
    for label, evaluation in evaluations.items():
        heads = [next(each for each in evaluation.systems if each.labels["lambda"] == weight) for weight in weights]
        metric = TASKS[evaluation.task].headline
        scores = [each.scores[0] for each in heads]
        best = max(score.value or 0.0 for score in scores)
        shown = [f"{metric.show(score.value, digits=1)}{'*' if score.value == best else ''}" for score in scores]
        ends = [[metric.show(end, digits=0) for end in (score.low, score.high)] for score in scores]
        rows += [[label, *shown], ["", *("-".join(own) for own in ends)]]
    head = evaluations["fine-tuned"].headline
    asked = round(head.scores[0].n / head.facts["coverage"])
    known = head.convention
    note = (
        f"{metric.head} x 100 with 95 % confidence intervals, * best of the row. {known.retrieval}, {known.direction}, "
        f"per source word, {head.scores[0].n} of {asked} test words have vectors on both sides, "
        f"{known.search_space_words:,} German candidates. Lambda 0 is VecMap's supervised mapping alone, lambda 1 the "
        "encoder alone. Shuffled is the control, fine-tuned on shuffled pairs."
    )
    names = ["VecMap" if weight == 0 else f"{weight:g}" for weight in weights]
    return Table("Word translation, English to German", ["lambda", *names], rows, note)


def _differences(made: Mapping[str, Manifest]) -> Table:
    results = {step: made[step].results[0] for step in _COMPARISONS}
    rows = []
    for step, compared in _COMPARISONS.items():
        gain, low, high = (100 * results[step][key] for key in ("difference", "difference_low", "difference_high"))
        significant = "yes" if results[step]["shown"] else "no"
        rows.append([compared, f"{gain:+.1f}", f"{low:+.1f} to {high:+.1f}", significant])
    one = results["tuned-against-untuned"]
    change = f"{100 * one['difference']:+.1f} points, {'' if one['shown'] else 'not '}significant"
    note = (
        f"Paired bootstrap over the test words, {one['draws']:,} draws, lambda in brackets. Significant: the interval "
        f"excludes zero. Fine-tuning changed the P@1 of the encoder alone by {change}."
    )
    columns = ["first against second", "difference", "95 % interval", "significant"]
    return Table("Differences in P@1", columns, rows, note)


def _translations(blended: Path, device: str) -> Table:
    """Translate evenly spaced test words in the blended space."""
    gold = read_pairs(ROOT / "lexicon" / "en-de.test.tsv").translations()
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="lexenc-") as folder:
        job = Job(Path(folder), device_name=device)
        translator = Translator(blended, asks="source", answers="target", retrieval="nearest", top=3, job=job)
        for answer in translator.ask(list(gold)):
            found.setdefault(answer.source, []).append(answer.target)
    step = len(found) // _TERMS
    rows = [
        [word, ", ".join(f"{each}*" if each in gold[word] else each for each in targets), ", ".join(gold[word])]
        for word, targets in list(found.items())[::step][:_TERMS]
    ]
    note = f"One test word in {step}, whatever its answers. * is in the glossary."
    return Table("Some terms", ["word", "answers of the blended space", "glossary"], rows, note)
