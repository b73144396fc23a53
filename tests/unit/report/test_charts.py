"""Drawings of the report."""

from __future__ import annotations

import re

import pytest

from lexenc import charts
from lexenc.errors import WorkError


def test_too_few_addresses_are_an_error(monkeypatch):
    monkeypatch.setattr(charts.resource, "getrlimit", lambda kind: (8 << 30, 8 << 30))
    with pytest.raises(WorkError, match="need 96 GB of addresses, and this process may have 8 GB"):
        charts.draw({}, "nothing")


def test_the_legend_of_intervals_does_not_widen_a_narrow_page():
    """A page shows a wider drawing smaller, with its letters."""
    names = ["clusters of documents, 12 clusters", "control random clusters " * 3]
    rows = [{"series": name, "kind": "a system of 20 letters", "y": 50, "low": 45, "high": 55, "label": name}
            for name in names]  # fmt: skip
    spec = charts.intervals(rows, names, ["a system of 20 letters"], width=charts.NARROW, x="purity")
    drawn = charts.draw(spec, "clusters")
    assert float(re.search(r'width="([\d.]+)"', drawn)[1]) <= charts.NARROW
    assert names[0] in drawn
