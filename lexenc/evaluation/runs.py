"""Scores that are means over runs with different seeds, and how much the runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lexenc.evaluation.bootstrap import Columns, Measure


class RunMeasure(Measure):
    """Metrics that are means over runs. The first row of the columns belongs to the items, the others to the runs.

    Attributes:
        rows: Number of rows of a run.
    """

    rows = 1

    def runs(self, columns: Columns) -> list[Columns]:
        """Return the columns of every run alone, each with the row of the items before its own."""
        ends = range(1 + self.rows, len(columns) + 1, self.rows)
        return [np.concatenate([columns[:1], columns[end - self.rows : end]]) for end in ends]

    def spread(self, tracks: Sequence[Columns]) -> Mapping[str, Any]:
        """Return the metrics of each run, the means over test sets, and their standard deviation over runs.

        The deviation is that of a sample, with the number of runs less one as divisor. None for a single run.
        """
        values = [[self.values(run) for run in self.runs(columns)] for columns in tracks]
        found: dict[str, Any] = {}
        for name in self.metrics:
            own = [float(np.mean([each[name] for each in run])) for run in zip(*values, strict=False)]
            found[f"{name}_by_seed"] = own
            found[f"{name}_sd"] = float(np.std(own, ddof=1)) if len(own) > 1 else None
        return found
