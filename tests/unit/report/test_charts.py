"""Drawings of the report."""

from __future__ import annotations

import pytest

from lexenc import charts
from lexenc.errors import WorkError


def test_too_few_addresses_are_an_error(monkeypatch):
    monkeypatch.setattr(charts.resource, "getrlimit", lambda kind: (8 << 30, 8 << 30))
    with pytest.raises(WorkError, match="need 96 GB of addresses, and this process may have 8 GB"):
        charts.draw({}, "nothing")
