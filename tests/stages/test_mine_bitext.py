"""mine-bitext: pairs are those of the plain computation, and known pairs, cleaning and resuming do what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.errors import LexencError
from lexenc.files.exchange.pairs import PairFile
from lexenc.files.exchange.writing import read_rows
from lexenc.files.parallel import parallel_text
from lexenc.parameters import build
from lexenc.pipeline import read_pipeline
from lexenc.planning import texts_of
from lexenc.search.margins import existing, mined
from lexenc.search.neighbours import top_k
from lexenc.stage import GivenSource, Job
from lexenc.stages.sentences import bitext_search, mine_bitext
from lexenc.stages.sentences.sources import read_sources
from lexenc.stages.sentences.train import TrainParams

from .conftest import DE, EN

ROOT = Path(__file__).parents[2]
NAMES = ("pairs.tsv", "lines.tsv", "pairs.tmx", "dropped.tsv")


def sentences(count, seed=0, words=EN):
    """Sentences of five random words, no two of the same words."""
    random = np.random.default_rng(seed)
    drawn = {tuple(sorted(random.choice(len(words), 5, replace=False))) for _ in range(2 * count)}
    return [" ".join(words[each] for each in own) for own in sorted(drawn)[:count]]


def turned(text):
    """The same words in another order, which a static encoder takes for the same, with one more."""
    return " ".join([*reversed(text.split()), "the"])


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def rows_of(made):
    """Score, source and target of every pair."""
    lines = (made.out / "pairs.tsv").read_text(encoding="utf-8").splitlines()
    return [(float(score), source, target) for score, source, target in (line.split("\t") for line in lines)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Thirty source sentences, of which the first twenty have a translation among 25 targets; some are repeated."""
    folder, texts = tmp_path_factory.mktemp("bitext"), sentences(35)
    source, target = texts[:30], [turned(each) for each in texts[:20]] + texts[30:]
    order = np.random.default_rng(1).permutation(25)
    write(folder / "a.txt", [source[0], "", *source, f" {source[3]} "])
    write(folder / "b.txt", [target[each] for each in order])
    return folder


@pytest.fixture(scope="module")
def unit(static):
    """Unit vectors of texts."""
    encoder = load_encoder(static, device=CPU)

    def encode(texts):
        vectors = encode_texts(encoder, texts)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return encode


def read(path):
    return list(dict.fromkeys(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()))


@pytest.mark.parametrize("margin", ["ratio", "distance", "absolute"])
def test_pairs_are_those_of_the_plain_computation(margin, files, static, unit, stage, tmp_path):
    both = {"source": files / "a.txt", "target": files / "b.txt"}
    made = stage("mine-bitext", tmp_path / "out", {"margin": margin}, encoder=static, **both)
    source, target = read(files / "a.txt"), read(files / "b.txt")
    left, right = unit(source), unit(target)
    pairs = mined(top_k(left, right, k=4), top_k(right, left, k=4), margin=margin)
    found = rows_of(made)
    assert [row[1:] for row in found] == [(source[i], target[j]) for i, j, _ in zip(*pairs, strict=True)]
    np.testing.assert_allclose([row[0] for row in found], pairs.scores, atol=2e-6)
    if margin == "ratio":
        assert {source for _, source, target in found[:20]} == set(source[:20])
    head = made.manifest.results[0]
    assert (head["source_sentences"], head["repeated_source"]) == (32, 2)
    assert head["search_space"] == "30 x 25 distinct sentences"
    assert head["threshold"] is None
    assert "all pairs are written" in made.warnings[-1]
    # Line numbers are those of the files, of a repeated sentence the first.
    lines = [[int(cell) for cell in line.split("\t")] for line in (made.out / "lines.tsv").read_text().splitlines()]
    for name, side in (("a.txt", 0), ("b.txt", 1)):
        whole = (files / name).read_text().splitlines()
        assert [whole[own[side] - 1] for own in lines] == [row[1 + side] for row in found]
    assert any(own[0] == 1 for own in lines)


def test_other_commands_read_the_pairs(files, static, stage, tmp_path):
    both = {"source": files / "a.txt", "target": files / "b.txt"}
    params = {"top": 20, "source_language": "en", "target_language": "de"}
    made = stage("mine-bitext", tmp_path / "out", params, encoder=static, **both)
    found = rows_of(made)
    assert len(found) == 20
    assert made.manifest.results[0]["threshold"] == pytest.approx(found[-1][0], abs=1e-6)
    for place in (made.out, made.out / "pairs.tsv", made.out / "pairs.tmx"):
        assert [tuple(pair)[1:] for pair in parallel_text(place)] == [row[1:] for row in found]
    assert [(row.score, row.source, row.target) for row in read_rows(made.out / "pairs.tsv")] == found
    tmx = PairFile(made.out / "pairs.tmx")
    assert (len(list(tmx)), tmx.found.source, tmx.found.target) == (20, "en", "de")
    sources = read_sources({"data": [GivenSource("parallel", "en-de", made.out)]}, TrainParams(), Job(tmp_path))
    assert len(sources.data) == 20
    assert sources.languages == ["en", "de"]


def test_a_stopped_run_goes_on_and_gives_the_same_bytes(files, static, stage, tmp_path, monkeypatch):
    both = {"source": files / "a.txt", "target": files / "b.txt", "encoder": static}
    whole = stage("mine-bitext", tmp_path / "whole", **both)
    monkeypatch.setattr(bitext_search, "ENCODED_TOGETHER", 8)
    monkeypatch.setattr(bitext_search, "COMPARED_TOGETHER", 7 * 25)
    monkeypatch.setattr(bitext_search, "FEWEST_TOGETHER", 1)
    note, calls, stopped = bitext_search._note, [], 0

    def stopping(path, rows):
        note(path, rows)
        calls.append(path.name)
        raise KeyboardInterrupt

    monkeypatch.setattr(bitext_search, "_note", stopping)
    for _ in range(20):
        try:
            made = stage("mine-bitext", tmp_path / "stopped", **both)
            break
        except KeyboardInterrupt:
            stopped += 1
    assert stopped == 4 + 4 + 4  # parts of both sides, and of the search but the last
    assert calls.count("searched.json") == 4
    assert made.files == whole.files
    for name in NAMES:
        assert (made.out / name).read_bytes() == (whole.out / name).read_bytes()


def test_existing_pairs_are_scored_among_the_corpus(files, static, unit, stage, tmp_path):
    source = sentences(24)
    target = [turned(each) for each in source[:20]] + source[3:7]
    lines = [*zip(source, target, strict=True), (source[0], target[0]), (source[1], "")]
    write(tmp_path / "pairs.tsv", ["\t".join(pair) for pair in lines])
    made = stage("mine-bitext", tmp_path / "out", {"mode": "score"}, encoder=static, pairs=tmp_path / "pairs.tsv")
    found = rows_of(made)
    assert [row[1:] for row in found] == lines[:-1]
    left, right = unit(source), unit(target)
    rows = np.append(np.arange(24), 0)
    own = existing(left, right, top_k(left, right, k=4), top_k(right, left, k=4), source_rows=rows, target_rows=rows)
    np.testing.assert_allclose([row[0] for row in found], own, atol=2e-6)
    assert min(row[0] for row in found[:20]) > max(row[0] for row in found[20:24])
    assert made.manifest.results[0]["empty_pairs"] == 1
    # Its own output, two files, and the best ones only.
    again = stage("mine-bitext", tmp_path / "again", {"mode": "score"}, encoder=static, pairs=made.out)
    assert rows_of(again) == found
    write(tmp_path / "a", source)
    write(tmp_path / "b", target)
    sides = {"source": tmp_path / "a", "target": tmp_path / "b"}
    best = stage("mine-bitext", tmp_path / "best", {"mode": "score", "top": 20}, encoder=static, **sides)
    assert [row[1:] for row in rows_of(best)] == lines[:20]
    write(tmp_path / "b", target[:-1])
    with pytest.raises(LexencError, match=r"has 24 lines, .*b 23"):
        stage("mine-bitext", tmp_path / "not", {"mode": "score"}, encoder=static, **sides)


def test_search_answers_every_source_sentence(files, static, unit, stage, tmp_path):
    both = {"source": files / "a.txt", "target": files / "b.txt"}
    params = {"mode": "search", "neighbours": 3, "margin": "absolute"}
    made = stage("mine-bitext", tmp_path / "out", params, encoder=static, **both)
    source, target = read(files / "a.txt"), read(files / "b.txt")
    best = top_k(unit(source), unit(target), k=3)
    assert [row[1:] for row in rows_of(made)] == [
        (source[i], target[j]) for i, row in enumerate(best.indices) for j in row
    ]
    assert made.manifest.results[0]["answered"] == 30


def test_planted_pairs_give_precision_and_recall(files, static, stage, tmp_path):
    texts = sentences(60, seed=5, words=DE)
    right = [(each, f"{turned(each)} is") for each in texts[:12]]
    # Of these eight, the target of each has the words of the next. So eight wrong pairs have the highest margins.
    wrong = [(texts[12 + i], " ".join(reversed(texts[12 + (i + 1) % 8].split()))) for i in range(8)]
    write(tmp_path / "known.tsv", ["\t".join(pair) for pair in right + wrong])
    both = {"source": files / "a.txt", "target": files / "b.txt", "encoder": static}
    plain = stage("mine-bitext", tmp_path / "plain", {"threshold": 0}, **both)
    params = {"planted_alone": 0, "margin": "absolute", "keep": "intersection"}
    made = stage("mine-bitext", tmp_path / "out", params, planted=tmp_path / "known.tsv", **both)
    head = made.manifest.results[0]
    assert (head["planted_pairs"], head["planted_alone"], head["not_planted"]) == (20, 0, 0)
    assert head["threshold_from"] == "best F1 on --planted"
    last = head["curve"][-1]
    assert last["recall"] == 12 / 20
    assert last["precision"] == pytest.approx(12 / 20)
    assert last["f1"] == pytest.approx(12 / 20)
    assert last["false_alarms"] is None
    texts_of_plan = {text for pair in right + wrong for text in pair}
    assert not texts_of_plan & {text for row in rows_of(made) for text in row[1:]}
    # A threshold of the user's is used, and the curve is shown.
    params = {"threshold": 0.0, "planted_alone": 0.5}
    chosen = stage("mine-bitext", tmp_path / "chosen", params, planted=tmp_path / "known.tsv", **both)
    head = chosen.manifest.results[0]
    assert (head["planted_pairs"], head["planted_alone"], head["threshold_from"]) == (10, 10, "--threshold")
    assert 0 <= head["curve"][-1]["false_alarms"] <= 1
    assert {row[1:] for row in rows_of(chosen)} == {row[1:] for row in rows_of(plain)}
    assert chosen.manifest.tables[0].columns[0] == "threshold"


def test_threshold_of_known_pairs_of_the_files(files, static, stage, tmp_path):
    source, target = read(files / "a.txt"), read(files / "b.txt")
    gold = [(each, turned(each)) for each in source[:20]]
    write(tmp_path / "gold.tsv", ["\t".join(pair) for pair in gold])
    both = {"source": files / "a.txt", "target": files / "b.txt", "encoder": static}
    made = stage("mine-bitext", tmp_path / "out", dev=tmp_path / "gold.tsv", **both)
    assert {row[1:] for row in rows_of(made)} == set(gold)
    head = made.manifest.results[0]
    assert head["best_on_dev"]["f1"] == 1
    assert head["threshold_from"] == "best F1 on --dev"
    whole = (files / "a.txt").read_text().splitlines()
    lines = [f"{whole.index(one) + 1}\t{target.index(other) + 1}" for one, other in gold]
    write(tmp_path / "numbers.tsv", lines)
    numbered = stage("mine-bitext", tmp_path / "numbered", dev=tmp_path / "numbers.tsv", **both)
    assert (numbered.out / "pairs.tsv").read_bytes() == (made.out / "pairs.tsv").read_bytes()
    write(tmp_path / "other.tsv", ["no\tnein"])
    with pytest.raises(LexencError, match="none of 1 pair is in the files, read as sentences"):
        stage("mine-bitext", tmp_path / "not", dev=tmp_path / "other.tsv", **both)


@pytest.mark.parametrize("index", ["ivf", "hnsw"])
def test_an_index_finds_the_neighbours_and_its_recall_is_told(index, files, static, stage, tmp_path):
    both = {"source": files / "a.txt", "target": files / "b.txt", "encoder": static}
    params = {"index": index, "threshold": 0, "storage": "float16"}
    made = stage("mine-bitext", tmp_path / "out", params, **both)
    assert made.manifest.results[0]["index_recall"] == 1  # so few are searched exactly
    assert any("finds 100.0 % of the exact neighbours" in text for text in made.said)


def test_junk_is_dropped_and_counted(static, stage, tmp_path):
    texts = sentences(60)
    source = [*texts[:40], f"{texts[0].upper()}!", "Дом и собака", f"{texts[41]} 12 34", texts[42], "cat"]
    target = [*map(turned, texts[:40]), f"{turned(texts[41])} 12 35", texts[42], " ".join(["cat the"] * 40)]
    both = {"source": write(tmp_path / "a", source), "target": write(tmp_path / "b", target), "encoder": static}
    params = {"clean": True, "threshold": 0, "rules": "duplicates,language,numbers,lengths"}
    made = stage("mine-bitext", tmp_path / "out", params, **both)
    dropped = made.manifest.results[0]["dropped"]
    assert dropped["near duplicates (source)"] == dropped["wrong language (source)"] == 1
    assert dropped["numbers"] >= 1
    assert dropped["lengths"] >= 1
    listed = [line.split("\t") for line in (made.out / "dropped.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    assert ["wrong language (source)", "42", "", "Дом и собака", ""] in listed
    assert ["near duplicates (source)", "41", "", f"{texts[0].upper()}!", ""] in listed
    assert ["numbers", "43", "41", source[42], target[40]] in listed
    assert any("not told apart" in text for text in made.said)
    copies = stage("mine-bitext", tmp_path / "copies", {"clean": True, "threshold": 0, "rules": "copies"}, **both)
    assert copies.manifest.results[0]["dropped"]["copies"] == 1
    assert copies.manifest.results[0]["dropped"]["near copies"] >= 40
    score = write(tmp_path / "pairs", [f"{source[0]}\t{target[0]}"] * 2 + [f"{source[0]}!\t{target[0]}", "a 11\tb 12"])
    params = {"mode": "score", "clean": True, "rules": "duplicates,numbers"}
    scored = stage("mine-bitext", tmp_path / "scored", params, pairs=score, encoder=static)
    assert scored.manifest.results[0]["dropped"] == {"numbers": 1, "exact duplicates": 1, "near duplicates": 1}
    assert (scored.out / "lines.tsv").read_text() == "1\t1\n"


@pytest.mark.parametrize(
    ("params", "inputs", "text"),
    [
        ({"mode": "score"}, {"source": "a"}, "needs --pairs, or --source and --target"),
        ({}, {"source": "a"}, "--mode mine needs --source and --target"),
        ({"threshold": 1, "top": 3}, {"source": "a", "target": "b"}, "--threshold and --top exclude each other"),
        ({"mode": "search"}, {"source": "a", "target": "b", "planted": "a"}, "--planted has no effect"),
        ({"rules": "copies"}, {"source": "a", "target": "b"}, "--rules has no effect without --clean"),
        ({"rules": "typos", "clean": True}, {"source": "a", "target": "b"}, "--rules cannot be 'typos'"),
        ({}, {"source": "empty", "target": "b"}, "empty holds no sentence"),
        ({}, {"source": "a", "target": "b", "planted": "a.b"}, "0 pairs can be mixed in"),
    ],
)
def test_errors(params, inputs, text, static, stage, tmp_path):
    write(tmp_path / "a", ["dog", "cat"])
    write(tmp_path / "b", ["hund"])
    write(tmp_path / "a.b", ["dog\thund"])
    write(tmp_path / "empty", ["", " "])
    with pytest.raises(LexencError, match=text):
        given = {name: tmp_path / each for name, each in inputs.items()}
        stage("mine-bitext", tmp_path / "out", params, encoder=static, **given)


def test_one_sentence_each_is_a_pair(static, stage, tmp_path):
    both = {"source": write(tmp_path / "a", ["the dog"]), "target": write(tmp_path / "b", ["dog the"])}
    made = stage("mine-bitext", tmp_path / "out", encoder=static, **both)
    assert [row[1:] for row in rows_of(made)] == [("the dog", "dog the")]
    assert mine_bitext._next_step(made.manifest).startswith("lexenc train --data {out}")


def test_the_example_of_self_training_can_be_run():
    steps = read_pipeline(ROOT / "examples" / "self-training" / "pipeline.yaml").steps
    assert [step.stage.name for step in steps] == ["train", "mine-bitext"] * 3
    files = {Path(each).name for step in steps for given in step.inputs.values() for each in texts_of(given)}
    assert {"en.txt", "de.txt", "seed.tsv", "known.tsv"} <= files
    for step in steps:
        params, faults = build(step.stage.params, step.params, owner=step.name)
        assert not faults
        assert step.stage.check is None or not step.stage.check(step.inputs, params)
