"""What the package carries: sizes, agreement, an honest lexicon, and the demo that uses all of it."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lexenc_cli.main import build_app
from typer.testing import CliRunner, Result

import lexenc
from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.files.dictionaries import read_pairs
from lexenc.files.vectors import load_vectors
from lexenc.lexical.audit import find_leaks
from lexenc.resources import ROOT, bundled_names
from lexenc.stages import STAGES

REPOSITORY = Path(__file__).parents[2]


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def run(*words: str) -> str:
    result = CliRunner().invoke(build_app(), list(words))
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_bundled_sizes_stay_small():
    assert size_of(ROOT / "mini") <= 12_000_000
    assert size_of(ROOT / "static") <= 6_000_000


def test_bundled_static_vectors_have_no_more_dimensions_than_mini():
    encoder = load_encoder(ROOT / "mini", device=CPU)
    for language, least in (("en", 3000), ("de", 5000)):
        vectors = load_vectors(ROOT / "static" / language)
        assert vectors.matrix.shape[1] <= encoder.dimensions
        assert len(vectors.words) >= least


def test_bundled_encoder_brings_translations_together_in_every_language():
    encoder = load_encoder(ROOT / "mini", device=CPU)
    save = [
        "Save the file under another name.",
        "Speichern Sie die Datei unter einem anderen Namen.",
        "Enregistrez le fichier sous un autre nom.",
        "Salva il file con un altro nome.",
        "Tallenna tiedosto toisella nimellä.",
        "Dosyayı başka bir isimle kaydedin.",
        "Сохраните файл под другим именем.",
        "Salvesta fail teise nimega.",
        "Deseu el fitxer amb un altre nom.",
    ]
    vectors = encode_texts(encoder, [*save, "Draw a circle in the chart."])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    closeness = vectors[1:-1] @ vectors[0]
    assert (closeness > vectors[1:-1] @ vectors[-1] + 0.2).all(), closeness


def test_bundled_encoder_computes_the_same_in_sentence_transformers(tmp_path):
    from sentence_transformers import SentenceTransformer

    lines = read_pairs(ROOT / "lexicon" / "en-de.test.tsv").sources[:50]
    texts = [*lines, "Save the file under another name.", "Größe 日本 слово " * 80, ""]
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    run("encode", str(tmp_path / "texts.txt"), "--encoder", "mini", "--out", str(tmp_path / "out"))
    theirs = SentenceTransformer(str(ROOT / "mini"), device="cpu")
    for expected in (theirs.encode(texts), np.stack([theirs.encode(text) for text in texts])):
        np.testing.assert_allclose(np.load(tmp_path / "out" / "vectors.npy"), expected, atol=1e-5)


def test_bundled_model_card_names_the_source():
    card = (ROOT / "mini" / "README.md").read_text(encoding="utf-8")
    assert "LibreOffice" in card
    assert "mpl-2.0" in card


def test_bundled_lexicon_is_large_and_has_no_leak():
    with (ROOT / "lexicon" / "lexicon.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert len({row["english"] for row in rows}) >= 1000
    for language in ("de", "fr"):
        train, test = (read_pairs(ROOT / "lexicon" / f"en-{language}.{part}.tsv") for part in ("train", "test"))
        leaks = find_leaks(list(train), list(test))
        assert (leaks.pairs, leaks.sources, leaks.targets) == ([], [], [])
        assert any(len(targets) > 1 for targets in test.translations().values())


def test_bundled_lexicon_can_be_derived_again(tmp_path):
    script = REPOSITORY / "examples" / "mini" / "split_lexicon.py"
    lexicon = ROOT / "lexicon" / "lexicon.tsv"
    subprocess.run([sys.executable, script, "--lexicon", lexicon, "--out", tmp_path], check=True, capture_output=True)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert len(made) == 4
    for name in made:
        assert (tmp_path / name).read_bytes() == (ROOT / "lexicon" / name).read_bytes()


def test_bundled_names_are_listed_and_usable():
    names = bundled_names()
    assert {"static/en", "static/de", "lexicon/en-de.train.tsv"} <= set(names)
    assert "bundled:static/en" in run("list", "bundled")


def test_rows_of_mean_0_lack_a_dimension_and_are_whitened_all_the_same(tmp_path):
    """The dictionary determines all 99 dimensions of the 100 columns. Without whitening the precision is 0.199."""
    words = ["--dictionary", "bundled:lexicon/en-de.train.tsv", "--normalise", "unit,centeremb,unit"]
    result = CliRunner().invoke(build_app(), ["map", "--source", "bundled:static/en", "--target", "bundled:static/de",
                                              *words, "--out", str(tmp_path / "out")])  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "determine" not in result.stderr
    assert '"rank": 99' in (tmp_path / "out" / "manifest.json").read_text()
    scores = lexenc.eval_bli(vectors=tmp_path / "out", dictionary="bundled:lexicon/en-de.test.tsv")
    assert round(scores.results[0]["precision_at_1"], 3) == 0.258


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> tuple[Path, str, str]:
    out = tmp_path_factory.mktemp("demo") / "runs"
    result = CliRunner().invoke(build_app(), ["demo", "--out", str(out)])
    assert result.exit_code == 0, result.stderr
    return out, result.stdout, result.stderr


def test_demo_begins_with_the_glossary(demo):
    out, stdout, stderr = demo
    lines = [line.split("\t") for line in stdout.splitlines()]
    assert lines[0] == ["English", "German", "probability", "in the test list"]
    assert len(lines[1:9]) == 8
    entries = (out / "glossary" / "lexicon.tsv").read_text(encoding="utf-8").splitlines()[1:]
    said = re.search(r"A seed list of 1,498 pairs became a glossary of ([\d,]+) entries", stderr)
    assert int(said.group(1).replace(",", "")) == len(entries) > 1498
    found = json.loads((out / "glossary" / "manifest.json").read_text())["results"][0]
    assert found["basis"] == "held out"
    assert found["precision_at_threshold"] > 0.75
    assert found["known_pairs"] == sum(each.split("\t")[8].startswith("known") for each in entries)
    assert found["known_pairs"] + found["known_pairs_without_vectors"] == 1498, "the whole seed list"
    for source, target, probability, listed in lines[1:9]:
        entry = next(each.split("\t") for each in entries if each.startswith(f"{source}\t{target}\t"))
        assert f"{float(entry[2]):.2f}" == probability
        assert listed != target
    assert "next:" in stderr


def test_demo_prints_the_blend_beside_its_parts(demo):
    lines = [line.split("\t") for line in demo[1].splitlines()]
    head = lines.index(["lambda", "VecMap", "0.1", "0.2", "0.3", "0.4", "0.5", "0.7", "encoder"])
    scores = [float(cell) for cell in lines[head + 1][1:]]
    assert max(scores[1:-1]) > max(scores[0], scores[-1])


def test_demo_shows_that_the_blend_beats_both_parts_and_the_control_nothing(demo):
    out, _, _ = demo
    shown = {}
    for name in ("blend-against-static", "blend-against-encoder", "shuffled-against-untuned"):
        shown[name] = json.loads((out / name / "manifest.json").read_text())["results"][0]
    assert shown["blend-against-static"]["difference_low"] > 0
    assert shown["blend-against-encoder"]["difference_low"] > 0
    assert shown["shuffled-against-untuned"]["difference_low"] <= 0


def test_example_pipeline_runs_as_it_stands(tmp_path):
    path = REPOSITORY / "examples" / "en-de" / "pipeline.yaml"
    run("check", str(path))
    assert "would run" in run("run", str(path), "--workdir", str(tmp_path), "--dry-run")
    stdout = run("run", str(path), "--workdir", str(tmp_path), "--json", "-q")
    scores = [json.loads(line) for line in stdout.splitlines() if '"scores"' in line]
    assert scores[0]["precision_at_1"] > 0.4
    run("run", str(path), "--workdir", str(tmp_path), "--json", "-q")


def test_recipe_of_mini_has_no_faults_but_its_missing_text():
    path = REPOSITORY / "examples" / "mini" / "pipeline.yaml"
    result = CliRunner().invoke(build_app(), ["run", str(path), "--dry-run"])
    assert result.exit_code == 2
    assert "runs/text/" in result.stderr


def test_readme_commands_exist():
    """Every `lexenc` line of the README parses: its command and its options are there."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    fenced = [line for block in text.split("```")[1::2] for line in block.splitlines()]
    lines = [line for line in fenced if line.startswith("lexenc ")]
    assert len(lines) >= 8

    @functools.cache
    def help_of(*command: str) -> Result:
        return CliRunner().invoke(build_app(), [*command, "--help"], env={"COLUMNS": "200", **os.environ})

    for line in lines:
        words = line.split()
        shown = help_of(*(words[1:3] if " ".join(words[1:3]) in STAGES else words[1:2]))
        assert shown.exit_code == 0, line
        for option in (word for word in words if word.startswith("--")):
            assert option in shown.stdout, line
