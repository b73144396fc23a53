"""demo: the whole pipeline on the bundled encoder, vectors and lexicon."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from lexenc.artifact import DigestStore, Manifest
from lexenc.pipeline import Pipeline, Step, Watcher, read_pipeline, run_pipeline
from lexenc.planning import Plan
from lexenc.resources import ROOT
from lexenc.stage import Job, Table

from ..stage_command import shown_summary
from ..ui import View, print_json

_SWEEPS = {"untuned": "scores-untuned", "tuned": "scores-tuned", "shuffled": "scores-shuffled"}
_QUESTIONS = {
    "blended-against-static": "blend (0.5) beats static vectors (0)",
    "blended-against-encoder": "blend (0.5) beats the tuned encoder (1)",
    "tuned-against-untuned": "tuning helps the encoder (1)",
    "tuned-against-untuned-blended": "tuning helps the blend (0.5)",
    "shuffled-against-untuned": "control: so does tuning on shuffled pairs (1)",
}
_TERMS = 8


def demo_command(
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for all results.", metavar="FOLDER")] = "runs/demo",
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace results of other recipes.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", envvar="LEXENC_DEVICE")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results, warnings and errors only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    r"""Mine hard negatives, fine-tune, map, blend and evaluate, without a network.

    Takes about twenty seconds on two cores.

    \b
    Example:
      $ lexenc demo --out runs/demo
    """
    view = View(json=json, quiet=quiet)
    pipeline = read_pipeline(ROOT / "demo" / "pipeline.yaml", workdir=Path(out))
    made = run_pipeline(
        pipeline,
        list(pipeline.steps),
        force=force,
        device=device,
        progress=view.watcher(),
        notices=view.notices(),
        digests=DigestStore.default(),
        watcher=Watcher(after=lambda step, plan, manifest: _tell(step, plan, manifest, view)),
    )
    if json:
        for name, manifest in made.items():
            for result in manifest.results:
                print_json({"step": name, **result})
        return
    view.table(_scores(made))
    view.table(_answers(made))
    view.table(_translations(pipeline, device, view))
    _next(pipeline, view)


def _tell(step: Step, plan: Plan, manifest: Manifest, view: View) -> None:
    done = "reused" if plan.action == "reuse" else f"{manifest.seconds:.1f} s"
    view.say(f"{step.name}: {shown_summary(manifest.summary)}{step.out} ({done})")


def _headlines(manifest: Manifest) -> list[dict[str, Any]]:
    """Give the headline of every lambda."""
    return manifest.results[: len(manifest.params["lambda"])]


def _scores(made: Mapping[str, Manifest]) -> Table:
    """One row per system, one column per lambda: alone at both ends, blended between them."""
    weights = made["scores-tuned"].params["lambda"]
    rows = []
    for label, step in _SWEEPS.items():
        heads = _headlines(made[step])
        best = max(heads, key=lambda head: head["precision_at_1"])
        rows.append([label, *(f"{100 * h['precision_at_1']:.1f}{'*' if h is best else ''}" for h in heads)])
        rows.append(["", *(f"{100 * h['precision_at_1_low']:.0f}-{100 * h['precision_at_1_high']:.0f}" for h in heads)])
    head = _headlines(made["scores-tuned"])[0]
    note = (
        f"P@1 x 100 with 95 % intervals, * best of the row. {head['retrieval']}, {head['direction']}, per source word, "
        f"{head['queries']} of {round(head['queries'] / head['coverage'])} test words have vectors on both sides; "
        f"{head['search_space_words']:,} German words to choose from. Lambda 0 is VecMap's supervised mapping alone, "
        "lambda 1 the encoder alone; shuffled is the control, tuned on pairs that are none."
    )
    names = ["VecMap" if weight == 0 else f"{weight:g}" for weight in weights]
    return Table("Word translation, English to German", ["lambda", *names], rows, note)


def _answers(made: Mapping[str, Manifest]) -> Table:
    rows = []
    for step, question in _QUESTIONS.items():
        result = made[step].results[0]
        span = f"{100 * result['difference_low']:+.1f} to {100 * result['difference_high']:+.1f}"
        rows.append([question, f"{100 * result['difference']:+.1f}", span, "yes" if result["shown"] else "not shown"])
    note = (
        "Paired bootstrap over the test words, 10,000 draws; lambda in brackets. Not shown: the interval covers zero. "
        "mini was trained on text of this very domain, so that little is left for tuning to add; others "
        "gain (README)."
    )
    return Table("What is shown", ["claim", "P@1 gained", "95 % interval", "answer"], rows, note)


def _translations(pipeline: Pipeline, device: str, view: View) -> Table:
    """Translate some test words with the blended space; evenly spaced ones, not the best ones."""
    import tempfile

    from lexenc.files.dictionaries import read_pairs
    from lexenc.stages.lexical.translate import Translator

    gold = read_pairs(ROOT / "lexicon" / "en-de.test.tsv").translations()
    blended = next(step.out for step in pipeline.steps if step.name == "blended")
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="lexenc-") as folder:
        job = Job(Path(folder), device_name=device)
        translator = Translator(blended, asks="source", answers="target", retrieval="nearest", top=3, job=job)
        found: dict[str, list[str]] = {}
        for answer in translator.ask(list(gold)):
            found.setdefault(answer.source, []).append(answer.target)
    step = len(found) // _TERMS
    for word, targets in list(found.items())[::step][:_TERMS]:
        marked = [f"{target}*" if target in gold[word] else target for target in targets]
        rows.append([word, ", ".join(marked), ", ".join(gold[word])])
    note = f"One test word in {step}, whatever its answers; * is in the glossary."
    return Table("Some terms", ["word", "blended space says", "glossary says"], rows, note)


def _next(pipeline: Pipeline, view: View) -> None:
    blended = next(step.out for step in pipeline.steps if step.name == "blended")
    place = shlex.quote(str(blended))
    view.say("next:")
    view.say(f"  echo 'spreadsheet' | lexenc translate --vectors {place} -      translate your own words")
    view.say(f"  lexenc show {place}      see what made the space, back to the raw files")
    view.say("  lexenc init my.yaml      a pipeline for your own vectors, dictionary and encoder")
