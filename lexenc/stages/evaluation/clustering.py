"""eval clustering: k-means on vectors of documents against their labels, over several seeds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexenc.correlation import unit_rows
from lexenc.errors import DataError
from lexenc.evaluation.clustering import RANDOM, Clusterings, cluster_columns, k_means, random_purity
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import Convention, Item
from lexenc.files.labelled import LabelledText, read_labelled
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import TestSet, evaluate
from lexenc.stages.evaluation.topics import DocumentParams, document_vectors, shown

METRICS = (Metric("purity", "purity"), Metric("macro_purity", "macro purity"), Metric("v_measure", "V-measure"))
MEASURE = Clusterings([metric.key for metric in METRICS])
TASK = Task("clustering", "Clusters of documents", METRICS, MEASURE, cluster_columns, item="document", test="texts",
            compared=MEASURE.metrics, heads=("document", "label", "clusters"),
            cells=lambda item: (item.asked[0], *item.gold, ", ".join(map(str, item.numbers["clusters"]))))  # fmt: skip


@dataclass(frozen=True)
class EvalClusteringParams(DocumentParams):
    """Parameters of `eval clustering`."""

    clusters: int | None = param(None, "Number of clusters. If left out, the number of labels of the file.", ge=2)
    seeds: int = param(5, "Number of clusterings: with --seed, the next one, and so on.", ge=1, le=100)


def eval_clustering(inputs: dict[str, Any], params: EvalClusteringParams, job: Job) -> Outcome:
    """Cluster the documents of every file by themselves."""
    texts = [read_labelled(path) for path in inputs["texts"]]
    vectors = document_vectors(inputs["encoder"], params, job)
    spreads = []

    def scored(path: Path, rows: list[LabelledText], skipped: Counter[str]) -> TestSet:
        found, names = vectors([row.text for row in rows], path.name), sorted({row.label for row in rows})
        own = unit_rows(found.matrix[found.covered])
        skipped += Counter({"zero vector": len(rows) - len(own)}) if len(own) < len(rows) else Counter()
        rows = [row for row, covered in zip(rows, found.covered, strict=True) if covered]
        k = params.clusters or len(names)
        if k < 2 or len(np.unique(own, axis=0)) < k:
            raise DataError(
                f"{path}: {counted(len(np.unique(own, axis=0)), 'different vector')} of {counted(len(names), 'label')} "
                f"cannot form {counted(k, 'cluster')}.",
                hint="Two clusters or more are needed, and as many documents. Use --clusters or another file.",
            )
        seeds = [(job.seed + place) % (1 << 32) for place in range(params.seeds)]
        clusters = k_means(own, k, seeds, progress=job.progress).T.tolist()
        items = [
            Item((shown(row.text),), (row.label,), numbers={"gold": names.index(row.label), "clusters": places})
            for row, places in zip(rows, clusters, strict=True)
        ]
        by_seed = {name: each.tolist() for name, each in MEASURE.by_seed(cluster_columns(items, True)).items()}
        spread = {f"{name}_deviation": float(np.std(each, ddof=1)) if len(each) > 1 else 0.0
                  for name, each in by_seed.items()}  # fmt: skip
        spreads.append((k, spread))
        facts = {"clusters": k, "seeds": params.seeds, "chance": 1 / k}
        return TestSet.of(path, items, facts=facts, left_out=skipped, own={"by_seed": by_seed, **spread})

    found = [scored(path, *each) for path, each in zip(inputs["texts"], texts, strict=True)]
    several = [
        f"{each.name + ': ' if len(found) > 1 else ''}{k} clusters (1/k: {100 / k:.1f}), standard deviation "
        + ", ".join(f"{100 * spread[f'{metric.key}_deviation']:.1f}" for metric in METRICS)
        for each, (k, spread) in zip(found, spreads, strict=True)
    ]
    note = (
        f"k-means on vectors of length 1, ten starts: means over {counted(params.seeds, 'seed')}, intervals over "
        f"documents. {'; '.join(several)} over seeds, in the order of the columns. Purity counts documents, macro "
        f"purity is the mean over clusters. {RANDOM.capitalize()} have the same sizes."
    )
    controls = {RANDOM: random_purity}
    return evaluate(TASK, found, params, job, convention=Convention(), controls=controls, note=note)


EVAL_CLUSTERING = Stage(
    name="eval clustering", version=2, params=EvalClusteringParams, run=eval_clustering,
    inputs={
        "texts": Input("Documents: label, TAB, text; or a table with category, headline and text. Each file is "
                       "clustered by itself.", many=True),
        "encoder": Input("Encoder.", kind="encoder"),
    },
    makes="scores.json, and items.jsonl with the clusters of every document.",
    examples=("lexenc eval clustering --texts eng.tsv --texts swa.tsv --encoder mini --seeds 5",),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip
