"""demo: the whole pipeline on the bundled encoder, vectors and lexicon."""

from __future__ import annotations

import shlex
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
from lexenc.stage import Table

from ..options import Debug, Device, Force, Json, Quiet
from ..stage_command import shown_summary
from ..ui import View, print_json

_LEXICON = ROOT / "lexicon"
_COMPARISONS = {
    "blend-against-static": "blend (0.5) against static vectors (0)",
    "blend-against-encoder": "blend (0.5) against encoder (1)",
    "tuned-against-untuned": "encoder (1): fine-tuned against not",
    "shuffled-against-untuned": "control (1): shuffled pairs against not",
}
_EXAMPLES = 8


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
    view.table(_glossary(folders["glossary"], made["glossary"]))
    view.table(_blend(read_evaluation(folders["scores"])))
    view.table(_differences(made))
    place = shlex.quote(str(folders["blended"]))
    view.say("next:")
    view.say(f"  echo 'spreadsheet' | lexenc translate --vectors {place} -      translate your own words")
    review = shlex.quote(str(folders["glossary"] / "review.csv"))
    view.say(f"  {review}      accept or reject entries in a spreadsheet, then: lexenc read-review")
    view.say(f"  lexenc show {place}      see what made the space, back to the raw files")
    view.say("  lexenc init my.yaml      a pipeline for your own vectors, dictionary and encoder")


def _glossary(folder: Path, manifest: Manifest) -> Table:
    """Say what became of the seed list, with entries for evenly spaced test words."""
    seeds, test = (read_pairs(_LEXICON / f"en-de.{part}.tsv") for part in ("train", "test"))
    gold, entries = test.translations(), read_pairs(folder / "lexicon.tsv")
    known = set(seeds)  # without a probability if they are not among the candidates
    made = [(*pair, p) for pair, p in zip(entries, entries.probabilities, strict=True)
            if pair[0] in gold and pair not in known]  # fmt: skip
    step = max(1, len(made) // _EXAMPLES)
    rows = [
        [source, target, f"{probability:.2f}", "yes" if target in gold[source] else ", ".join(gold[source])]
        for source, target, probability in made[::step][:_EXAMPLES]
    ]
    found = manifest.results[0]
    right, low, high = (100 * found[f"precision_at_threshold{end}"] for end in ("", "_low", "_high"))
    title = f"A seed list of {len(seeds):,} pairs became a glossary of {len(entries):,} entries"
    note = (
        f"{found['known_pairs']:,} entries were known. Of the others about {right:.0f} in 100 are right "
        f"({low:.0f}-{high:.0f}), judged on {found['entries']} test words; a translation that the test list lacks "
        f"counts as wrong. Shown: one test word in {step}, whatever its answer."
    )
    return Table(title, ["English", "German", "probability", "in the test list"], rows, note)


def _blend(evaluation: Evaluation) -> Table:
    """Return a table with a column for each lambda."""
    weights = [labels["lambda"] for labels in evaluation.choices()]
    heads = [next(each for each in evaluation.systems if each.labels["lambda"] == weight) for weight in weights]
    metric = TASKS[evaluation.task].headline
    scores = [each.scores[0] for each in heads]
    ends = [[metric.show(end, digits=0) for end in (score.low, score.high)] for score in scores]
    rows = [
        [metric.head, *(metric.show(score.value, digits=1) for score in scores)],
        ["", *("-".join(own) for own in ends)],
    ]
    head = evaluation.headline
    asked, known = round(head.scores[0].n / head.facts["coverage"]), head.convention
    note = (
        f"{metric.head} x 100 with 95 % confidence intervals. {known.retrieval}, {known.direction}, per source word, "
        f"{head.scores[0].n} of {asked} test words have vectors on both sides, {known.search_space_words:,} German "
        "candidates. Lambda is the encoder's weight: 0 is VecMap's supervised mapping alone, 1 the encoder alone."
    )
    names = ["VecMap" if weight == 0 else "encoder" if weight == 1 else f"{weight:g}" for weight in weights]
    return Table("Word translation: the blend against its parts", ["lambda", *names], rows, note)


def _differences(made: Mapping[str, Manifest]) -> Table:
    results = {step: made[step].results[0] for step in _COMPARISONS}
    rows = []
    for step, compared in _COMPARISONS.items():
        gain, low, high = (100 * results[step][key] for key in ("difference", "difference_low", "difference_high"))
        rows.append([compared, f"{gain:+.1f}", f"{low:+.1f} to {high:+.1f}", "yes" if results[step]["shown"] else "no"])
    note = (
        f"Paired bootstrap over the test words, {results['tuned-against-untuned']['draws']:,} draws, lambda in "
        "brackets. Shown: the interval excludes zero. mini was trained on text of this very domain, so that "
        "fine-tuning has little to add to it; the control was fine-tuned on shuffled pairs."
    )
    return Table("Differences in P@1", ["first against second", "difference", "95 % interval", "shown"], rows, note)
