"""Drawings of the report."""

from __future__ import annotations

import re

import numpy as np
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


def test_names_of_senses_are_beside_them_where_another_is_above():
    rows = [{"name": name, "sense": "#" in name} for name in ("bank#1", "bank#2", "bank#3", "ufer")]
    places = np.array([[100.0, 100.0], [115.0, 100.0], [107.0, 85.0], [107.0, 112.0]])
    found = {row["name"]: side for side, own in charts._with_room(rows, places).items() for row in own}
    assert found == {"bank#1": "left sense", "bank#2": "right sense", "bank#3": "below sense", "ufer": "above"}
