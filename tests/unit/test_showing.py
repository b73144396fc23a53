from __future__ import annotations

from lexenc_cli.commands.inspecting import _chain


def test_tables_of_counts_have_a_line_per_row(tmp_path):
    from lexenc.artifact import Manifest

    body = {name: {} for name in ("inputs", "outputs", "versions")} | {"results": [], "tables": []}
    rows = [{"source": "a.tsv", "rows": 3, "left_out": {"repeated": 1}}, {"source": "b.tsv", "rows": 2, "left_out": {}}]
    names = ("created", "command", "device", "precision")
    manifest = Manifest(
        stage="train", stage_version=1, key="k", seed=0, seconds=0.0, params={"languages": [], "steps": 4},
        summary={"pairs": 5, "sources": rows}, **body, **dict.fromkeys(names, ""),
    )  # fmt: skip
    lines = [line.strip() for line in _chain(tmp_path, manifest, 0, set())]
    assert lines[1].startswith("settings: steps 4, seed 0")
    assert lines[2:] == [
        "counts: pairs 5", "sources: source a.tsv, rows 3, left_out (repeated 1)", "sources: source b.tsv, rows 2",
    ]  # fmt: skip
