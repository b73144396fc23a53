"""Stages that read TMX, XLIFF and TBX files say what they leave out, and write it into the manifest."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest

import lexenc

FORBIDDEN = '<termNote type="administrativeStatus">forbidden</termNote>'


@pytest.fixture
def termbase(world, tmp_path):
    """The training dictionary with a forbidden translation of every word."""
    pairs = [line.split("\t") for line in (world / "train.tsv").read_text(encoding="utf-8").splitlines()]
    entries = "".join(
        f'<termEntry><langSet xml:lang="en"><tig><term>{source}</term></tig></langSet><langSet xml:lang="de"><tig>'
        f"<term>{target}</term></tig><tig><term>{other}</term>{FORBIDDEN}</tig></langSet></termEntry>"
        for (source, target), (_, other) in pairwise([*pairs, pairs[0]])
    )
    path = tmp_path / "terms.tbx"
    path.write_text(f"<martif><text><body>{entries}</body></text></martif>", encoding="utf-8")
    return path, len(pairs)


@pytest.fixture
def memory(tmp_path):
    """Twenty sentence pairs, every fifth of them not translated."""
    units = "".join(
        f'<trans-unit><source>a dog number {n}</source><target state="{"new" if n % 5 == 0 else "final"}">ein Hund '
        f"Nummer {n}</target></trans-unit>"
        for n in range(20)
    )
    path = tmp_path / "memory.xlf"
    path.write_text(
        f'<xliff version="1.2"><file source-language="en" target-language="de"><body>{units}</body></file></xliff>'
    )
    return path


def test_a_dictionary_without_its_forbidden_terms(stage, world, termbase, tmp_path, map_inputs):
    path, count = termbase
    told = f"{path}: Skipped {count} deprecated, forbidden or obsolete terms."
    made = stage("map", tmp_path / "a", {}, **map_inputs | {"dictionary": path})
    same = stage("map", tmp_path / "b", {}, **map_inputs)
    vectors = [(each.out / "source" / "vectors.npy").read_bytes() for each in (made, same)]
    assert vectors[0] == vectors[1]
    assert told in made.warnings
    assert "lexenc convert keeps them with --keep deprecated." in made.hints
    assert made.manifest.warnings == made.warnings
    assert told in stage("audit", tmp_path / "c", {}, train=path, test=world / "test.tsv").warnings
    with pytest.warns(lexenc.LexencWarning, match=f"Skipped {count} deprecated"):
        assert len(lexenc.read_pairs(path)) == count
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lexenc.read_pairs(world / "train.tsv")


def test_sentence_pairs_without_those_that_are_not_translated(stage, memory, termbase, tmp_path):
    made = stage("align", tmp_path / "a", {"sweeps": 0.05}, pairs=memory, dictionary=termbase[0])
    assert made.manifest.summary["sentence_pairs"] == 16
    assert f"{memory}: Skipped 4 units that are not translated yet." in made.warnings
    assert f"{termbase[0]}: Skipped {termbase[1]} deprecated, forbidden or obsolete terms." in made.warnings
    assert made.manifest.warnings == made.warnings
