"""senses: the senses of words in a corpus, tags in running text, and what a reviewer makes of them."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError, ManyFaultsError
from lexenc.files.text import table_rows
from lexenc.files.vectors import read_vectors

EN = [
    line
    for i in range(12)
    for line in (
        f"the bank of the river is green and the water is red {i}",
        f"the bank , house {i} , has the money and the bread",
        f"a dog and a cat and the {'New York' if i % 2 else 'York'} sun are here",
    )
]
DE = [f"das haus {i} und der fluss sind hier und das geld ist da" for i in range(8)]
QUICK = {"drawn": 0, "sentences": 30, "count": 2, "examples": 2}


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write(folder / "en.txt", [EN[0].replace("the bank", "The Bank", 1), "", *EN[1:]])
    write(folder / "de.txt", DE)
    return folder


@pytest.fixture(scope="module")
def found(stage, corpus, transformer, tmp_path_factory):
    """The senses of two words, with a text of another language, and links."""
    folder = tmp_path_factory.mktemp("found")
    (folder / "links").mkdir()
    pairs = [("the bank is green", "das ufer ist"), ("the bank has money", "die bank hat geld"), ("a bank", "ein")]
    write(folder / "links" / "sentences.txt", [" ||| ".join(pair) for pair in pairs] * 3)
    write(folder / "links" / "alignments.txt", ["0-0 1-1 2-2", "1-0 1-1", "0-0"] * 3)
    write(folder / "links" / "scores.txt", ["1 1 1", "1 1", "1"] * 3)
    params = QUICK | {"word": ["bank", "river"]}
    return stage("senses", folder / "out", params, encoder=transformer, text=[f"en={corpus}/en.txt",
                 f"de={corpus}/de.txt"], alignments=f"en-de={folder}/links")  # fmt: skip


def rows_of(path):
    return [row for _, row in table_rows(path, ())]


def test_senses_come_with_shares_words_examples_and_vectors(found, corpus, transformer):
    from lexenc.device import CPU
    from lexenc.encoders.load import load_encoder
    from lexenc.encoders.word_vectors import word_encoder

    assert found.files == {
        "senses.json", "senses.safetensors", "senses.vec", "vectors.npy", "words.txt", "concordance.tsv", "review.csv",
        "senses.html", "senses.svg", "manifest.json",
    }  # fmt: skip
    bank, river = found.json("senses.json")["headwords"]
    assert (bank["word"], bank["occurrences"], bank["sampled"]) == ("bank", 24, 24), "The Bank is one of them"
    assert sum(each["count"] for each in bank["senses"]) == 24
    assert sum(each["share"] for each in bank["senses"]) == pytest.approx(1, abs=1e-5)
    assert bank["senses"][0]["share"] >= bank["senses"][1]["share"]
    first = bank["senses"][0]
    assert {*first["nearest"]} == {"en", "de"}
    assert "bank" not in {each["word"] for each in first["nearest"]["en"]}
    cosines = [each["score"] for each in first["nearest"]["en"]]
    assert cosines == sorted(cosines, reverse=True)
    rows = rows_of(found.out / "concordance.tsv")
    own = [row for row in rows if row["word"] == "bank"]
    assert Counter(row["sense"] for row in own) == {each["sense"]: each["count"] for each in bank["senses"]}
    assert (own[0]["form"], rows[0]["line"]) in {("Bank", "1"), ("bank", own[0]["line"])}
    lines = (corpus / "en.txt").read_text(encoding="utf-8").splitlines()
    assert all(f"{row['left']} {row['form']}".strip() in lines[int(row["line"]) - 1] for row in rows)
    # The vector of a sense is the mean of its occurrences.
    read = read_vectors(found.out / "senses.vec")
    assert read.words == ["bank#1", "bank#2", "river#1", "river#2"] == found.words()
    assert read.matrix == pytest.approx(found.matrix(), rel=1e-4, abs=1e-5)
    sentences = [re.findall(r"\w+|,", lines[int(row["line"]) - 1]) for row in own if row["sense"] == "bank#1"]
    vectors = word_encoder(load_encoder(transformer, device=CPU), layer=1, unit="words")(sentences)
    values = [vectors.part(i, i + 1).values[words.index("bank" if "bank" in words else "Bank")]
              for i, words in enumerate(sentences)]  # fmt: skip
    assert np.mean(values, axis=0) == pytest.approx(read.matrix[0], abs=1e-4)
    assert river["senses"][0]["examples"][0]["word"] == "river"
    assert len(found.manifest.results) == 4
    assert found.manifest.summary["occurrences"] == 36


def test_typical_words_are_those_by_which_the_senses_differ(stage, corpus, transformer, tmp_path):
    made = stage("senses", tmp_path / "out", QUICK | {"word": ["bank"], "count": 1}, encoder=transformer,
                 text=[f"en={corpus}/en.txt"])  # fmt: skip
    (entry,) = made.json("senses.json")["headwords"]
    words = [each["word"] for each in entry["senses"][0]["context_words"]]
    assert {"of", "has", "money", "green"} & {*words}
    assert not {"dog", "cat", "bank"} & {*words}, "they are not in its sentences"


def test_the_same_again_and_another_word_changes_nothing(stage, found, corpus, transformer, tmp_path):
    text = [f"en={corpus}/en.txt"]
    one, two = (stage("senses", tmp_path / name, QUICK | {"word": words, "most_occurrences": 10}, encoder=transformer,
                      text=text) for name, words in (("one", ["bank"]), ("two", ["sun", "bank"])))  # fmt: skip
    assert one.json("senses.json")["headwords"][0] == two.json("senses.json")["headwords"][1]
    assert one.json("senses.json")["headwords"][0]["sampled"] == 10
    again = stage("senses", tmp_path / "again", QUICK | {"word": ["bank"], "most_occurrences": 10},
                  encoder=transformer, text=text)  # fmt: skip
    for name in ("senses.json", "senses.vec", "concordance.tsv", "review.csv", "senses.html"):
        assert (one.out / name).read_bytes() == (again.out / name).read_bytes()


def test_stopped_and_continued_is_the_same_result(stage, corpus, transformer, tmp_path, monkeypatch):
    from lexenc.stages.senses import finding as module

    real, seen = module._senses_of, []

    def stopped(head, *args):
        seen.append(head.text)
        if seen == ["bank", "sun"]:
            raise KeyboardInterrupt
        return real(head, *args)

    params, text = QUICK | {"word": ["bank", "sun"]}, [f"en={corpus}/en.txt"]
    straight = stage("senses", tmp_path / "straight", params, encoder=transformer, text=text)
    monkeypatch.setattr(module, "_senses_of", stopped)
    with pytest.raises(KeyboardInterrupt):
        stage("senses", tmp_path / "out", params, encoder=transformer, text=text)
    made = stage("senses", tmp_path / "out", params, encoder=transformer, text=text)
    assert seen == ["bank", "sun", "sun"], "bank was finished"
    assert made.files == straight.files
    assert made.manifest.outputs == straight.manifest.outputs


def test_tags_are_the_senses_of_the_concordance(stage, found, corpus, tmp_path):
    made = stage("senses", tmp_path / "out", senses=found.out, tag=corpus / "en.txt")
    tags = rows_of(made.out / "tags.tsv")
    assert Counter(row["line"] for row in tags)["1"] == len(EN[0].split())
    tagged = [(row["line"], row["sense"]) for row in tags if row["sense"].startswith("bank")]
    own = [(row["line"], row["sense"]) for row in rows_of(found.out / "concordance.tsv") if row["word"] == "bank"]
    assert sorted(tagged) == sorted(own)
    assert all(0 < float(row["confidence"]) <= 1 for row in tags if row["sense"])
    assert made.manifest.summary == {"tagged_lines": 37, "tokens": len(tags), "headwords_found": 36, "tagged": 36}


def test_senses_of_another_encoder_are_refused(stage, found, corpus, static, tmp_path):
    with pytest.raises(ConfigError, match="made with another encoder than"):
        stage("senses", tmp_path / "out", senses=found.out, tag=corpus / "en.txt", encoder=static)
    with pytest.raises(ConfigError, match="no headword is of the language de"):
        stage("senses", tmp_path / "out", senses=found.out, tag=f"de={corpus}/de.txt")
    with pytest.raises(ConfigError, match="was made at layer 1, not 0"):
        stage("senses", tmp_path / "out", {"layer": 0}, senses=found.out, tag=corpus / "en.txt")


def test_translations_are_counted_from_links_or_are_the_nearest_words(found):
    bank, river = found.json("senses.json")["headwords"]
    linked = [each["translations"]["de"] for each in bank["senses"]]
    counts = Counter()
    for each in linked:
        assert each["method"] == ("word links" if each["links"] else "nearest words")
        if each["links"]:
            counts.update({word["word"]: round(word["score"] * each["links"]) for word in each["words"]})
    assert counts == {"ufer": 3, "die bank": 3}, "a headword without a link has no translation"
    assert any("3 of 9 occurrences in" in sentence for sentence in found.said)
    assert river["senses"][0]["translations"]["de"]["method"] == "nearest words"
    assert any("river: no linked occurrence" in warning for warning in found.warnings)


def test_the_longest_headword_counts_and_files_and_languages_of_headwords(stage, corpus, transformer, tmp_path):
    heads = write(tmp_path / "heads.txt", ["  York ", "new york", "", "bank"])
    made = stage("senses", tmp_path / "out", QUICK | {"word": ["de=haus", "bank"]}, encoder=transformer,
                 text=[f"en={corpus}/en.txt", f"de={corpus}/de.txt"], headwords=heads)  # fmt: skip
    entries = {(each["language"], each["word"]): each for each in made.json("senses.json")["headwords"]}
    assert {key: each["occurrences"] for key, each in entries.items()} == {
        ("de", "haus"): 8, ("en", "bank"): 24, ("en", "york"): 6, ("en", "new york"): 6,
    }  # fmt: skip
    assert entries["en", "new york"]["senses"][0]["sense"] == "new_york#1"
    cased = stage("senses", tmp_path / "cased", QUICK | {"word": ["bank"], "lowercase": False}, encoder=transformer,
                  text=[f"en={corpus}/en.txt"])  # fmt: skip
    assert cased.json("senses.json")["headwords"][0]["occurrences"] == 23


def test_headwords_that_are_rare_or_missing(stage, corpus, transformer, tmp_path):
    made = stage("senses", tmp_path / "out", QUICK | {"word": ["riverr", "bank", "5"], "count": 3},
                 encoder=transformer, text=[f"en={corpus}/en.txt"])  # fmt: skip
    assert any("1 headword without an occurrence left out: 'riverr'" in each for each in made.warnings)
    assert "Did you mean 'river'?" in made.hints
    assert any("5: only 2 occurrences" in each for each in made.warnings)
    assert any("5: 2 different occurrences, so 2 senses, not 3" in each for each in made.warnings)
    with pytest.raises(DataError, match="no occurrence of 'zebra'"):
        stage("senses", tmp_path / "none", {"word": ["zebra"]}, encoder=transformer, text=[f"en={corpus}/en.txt"])


def test_static_encoders_have_no_senses(stage, corpus, static, tmp_path):
    with pytest.raises(ConfigError, match="is static: a word has the same vector in every sentence") as caught:
        stage("senses", tmp_path / "out", {"word": ["bank"]}, encoder=static, text=[f"en={corpus}/en.txt"])
    assert "encoder with context" in caught.value.hint


@pytest.mark.parametrize(
    ("params", "inputs", "says"),
    [
        ({}, {"text": ["en={c}/en.txt"], "encoder": "{e}"}, "no headword"),
        ({"word": ["a"]}, {"encoder": "{e}"}, "needs --text"),
        ({"word": ["a"]}, {"text": ["en={c}/en.txt"]}, "needs --encoder"),
        ({"word": ["a"]}, {"text": ["{c}/en.txt"], "encoder": "{e}"}, "has no language"),
        ({"word": ["a"]}, {"senses": "{c}", "tag": "{c}/en.txt"}, "has headwords already"),
        ({}, {"senses": "{c}"}, "--senses needs --tag"),
        ({}, {"senses": "{c}", "tag": "{c}/en.txt", "text": ["en={c}/en.txt"]}, "exclude each other"),
        ({}, {"senses": "{c}", "tag": "{c}/en.txt"}, "holds no senses.json"),
        ({"word": [" "]}, {"text": ["en={c}/en.txt"], "encoder": "{e}"}, "has no word"),
        ({"word": ["bank"]}, {"text": ["en={c}/en.txt"], "encoder": "{e}", "alignments": "fr-de={c}"}, "no language"),
        ({"word": ["bank"]}, {"text": ["en={c}/en.txt"], "encoder": "{e}", "alignments": "en-de={c}"}, "sentences.txt"),
        ({"word": ["bank"], "layer": 5}, {"text": ["en={c}/en.txt"], "encoder": "{e}"}, "no layer 5"),
    ],
)
def test_errors_name_the_option(stage, corpus, transformer, tmp_path, params, inputs, says):
    given = {
        name: [each.format(c=corpus, e=transformer) for each in value]
        if isinstance(value, list)
        else value.format(c=corpus, e=transformer)
        for name, value in inputs.items()
    }
    with pytest.raises((ConfigError, DataError, ManyFaultsError)) as caught:
        stage("senses", tmp_path / "out", QUICK | params, **given)
    assert says in str(caught.value)
    assert caught.value.hint


def test_a_sense_aware_model_brings_its_own_senses(stage, corpus, transformer, tmp_path):
    import shutil

    import torch

    from lexenc.training.sense_aware.bank import load_bank, save_senses
    from lexenc.training.sense_aware.inventory import SenseInventory
    from lexenc.training.sense_aware.settings import SensePlan, SenseSettings
    from lexenc.training.sense_aware.table import SenseTable

    model = shutil.copytree(transformer, tmp_path / "model", ignore=shutil.ignore_patterns("manifest.json"))
    settings = SenseSettings(senses=3, width=2, start="noise", warmup=0.0, prune_every=0)
    table = SenseTable(SenseInventory(SensePlan(np.array([3, 1]), settings), 16), 16)
    table.begin(1)
    torch.manual_seed(0)
    table.inventory.centres.normal_()
    table.inventory.projection.normal_()
    table.inventory.enabled.fill_(True)
    save_senses(model, ["bank", "sun"], {"senses": table}, context="both")
    text = [f"en={corpus}/en.txt"]
    params = {name: value for name, value in QUICK.items() if name != "count"} | {"drawn": 1}
    made = stage("senses", tmp_path / "out", params | {"word": ["bank", "sun"]}, model=model, text=text)
    assert any("sun: the model has no senses of it" in each for each in made.warnings)
    (entry,) = made.json("senses.json")["headwords"]
    rows = [row for row in rows_of(made.out / "concordance.tsv") if row["word"] == "bank"]
    assert {row["sense"] for row in rows} == {each["sense"] for each in entry["senses"]}
    vectors = dict(zip(made.words(), made.matrix(), strict=True))
    bank = load_bank(model)
    assert {name.split("#")[0] for name in vectors} == {"bank"}
    assert sum(each["count"] for each in entry["senses"]) == 24 == len(rows)
    assert len(bank.centres("bank")) == 3
    drawn = (made.out / "senses.svg").read_text(encoding="utf-8")
    names = {each["sense"] for each in entry["senses"]}
    assert all(f">{name}</text>" in drawn for name in names)
    assert ">sun</text>" in drawn, "the only other sense vector of the model is a neighbour of each"
    page = (made.out / "senses.html").read_text(encoding="utf-8")
    assert "principal components of the sense vectors of all frequent words" in page
    tagged = stage("senses", tmp_path / "tagged", senses=made.out, tag=corpus / "en.txt")
    tags = {row["line"]: row["sense"] for row in rows_of(tagged.out / "tags.tsv") if row["sense"]}
    assert tags == {row["line"]: row["sense"] for row in rows}
    with pytest.raises(ConfigError, match="no model with senses"):
        stage("senses", tmp_path / "plain", params | {"word": ["bank"]}, model=transformer, text=text)
    with pytest.raises(ConfigError, match="--count has no effect"):
        stage("senses", tmp_path / "plain", QUICK | {"word": ["bank"]}, model=transformer, text=text)


# ---------------------------------------------------------------- page and picture

EVIL = "<script>alert(1)</script>"


def test_page_and_picture_stand_alone_and_no_text_harms_them(stage, transformer, tmp_path):
    text = write(tmp_path / "en.txt", [f"here {EVIL} the bank {i} & \"the river\" {'is' if i % 2 else 'was'} {EVIL}"
                                       for i in range(24)])  # fmt: skip
    made = stage("senses", tmp_path / "out", {"word": ["bank", "script"], "count": 2}, encoder=transformer,
                 text=[f"en={text}"])  # fmt: skip
    page = (made.out / "senses.html").read_text(encoding="utf-8")
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert "<mark>bank</mark>" in page
    assert "<h1>Senses of bank, script</h1>" in page
    assert not re.search(r'(src|href)="http', page)
    picture = (made.out / "senses.svg").read_text(encoding="utf-8")
    assert picture.startswith('<?xml version="1.0"')
    assert "bank#1" in picture
    assert "<script" not in picture


# ---------------------------------------------------------------- review


def review(folder, path, **decisions):
    with (folder / "review.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        for row in rows:
            name, decision = decisions.get(row["sense"].replace("#", "_"), ("", ""))
            table.writerow(row | {"name": name, "decision": decision})
    return path


@pytest.fixture(scope="module")
def three(stage, corpus, transformer, tmp_path_factory):
    """Four senses of one word and two of another."""
    folder = tmp_path_factory.mktemp("three")
    text = [f"en={corpus}/en.txt"]
    return stage("senses", folder / "out", QUICK | {"word": ["bank", "river"], "count": 3}, encoder=transformer,
                 text=text)  # fmt: skip


def test_a_review_merges_names_and_drops(stage, three, corpus, tmp_path):
    path = review(three.out, tmp_path / "edited.csv", bank_3=("", "bank#2"), bank_2=("edge, of a river", ""),
                  bank_1=("money", "keep"), river_2=("x", "drop"))  # fmt: skip
    made = stage("read-review", tmp_path / "out", review=path, senses=three.out)
    assert made.manifest.summary == {"headwords": 2, "senses": 3, "named": 2, "merged": 1, "dropped": 1}
    bank, river = made.json("senses.json")["headwords"]
    before = {each["sense"]: each for each in three.json("senses.json")["headwords"][0]["senses"]}
    after = {each["sense"]: each for each in bank["senses"]}
    assert {name: each["name"] for name, each in after.items()} == {"bank#1": "money", "bank#2": "edge, of a river"}
    assert after["bank#2"]["count"] == before["bank#2"]["count"] + before["bank#3"]["count"]
    assert [each["sense"] for each in river["senses"]] == ["river#1"]
    old, new = (read_vectors(each.out / "senses.vec") for each in (three, made))
    weights = np.array([before["bank#2"]["count"], before["bank#3"]["count"]])
    merged = weights @ old.matrix[1:3] / weights.sum()
    assert new.matrix[new.words.index("bank#2")] == pytest.approx(merged, abs=1e-5)
    lines = {row["line"]: row["sense"] for row in rows_of(made.out / "concordance.tsv") if row["word"] == "bank"}
    tagged = stage("senses", tmp_path / "tagged", senses=made.out, tag=corpus / "en.txt")
    tags = {row["line"]: row["sense"] for row in rows_of(tagged.out / "tags.tsv") if row["sense"].startswith("bank")}
    assert tags == lines
    assert tagged.manifest.summary["headwords_found"] == 36
    assert tagged.manifest.summary["tagged"] == 24 + river["senses"][0]["count"]
    assert "edge, of a river" in (made.out / "senses.html").read_text(encoding="utf-8")
    # A reviewed inventory can be reviewed again.
    again = stage("read-review", tmp_path / "again", senses=made.out,
                  review=review(made.out, tmp_path / "again.csv", bank_2=("", "drop")))  # fmt: skip
    left = again.json("senses.json")["headwords"]
    assert [[each["sense"] for each in entry["senses"]] for entry in left] == [["bank#1"], ["river#1"]]


@pytest.mark.parametrize(
    ("decisions", "says"),
    [
        ({"bank_1": ("", "bank#9")}, "there is no sense bank#9"),
        ({"bank_1": ("", "maybe")}, "unknown decision 'maybe'"),
        ({"bank_1": ("", "bank#2"), "bank_2": ("", "bank#1")}, "merged into each other"),
        ({"bank_1": ("", "bank#2"), "bank_2": ("", "drop")}, "which is dropped"),
        ({"bank_1": ("", "river#1")}, "senses of different words"),
        (dict.fromkeys(("bank_1", "bank_2", "bank_3", "river_1", "river_2", "river_3"), ("", "drop")), "every sense"),
    ],
)
def test_reviews_that_cannot_be_meant(stage, three, tmp_path, decisions, says):
    path = review(three.out, tmp_path / "edited.csv", **decisions)
    with pytest.raises(DataError, match=says):
        stage("read-review", tmp_path / "out", review=path, senses=three.out)


def test_a_review_of_senses_needs_the_senses_and_a_folder(stage, three, tmp_path):
    with pytest.raises(ConfigError, match="--senses is missing"):
        stage("read-review", tmp_path / "out", review=three.out / "review.csv")
    with pytest.raises(ConfigError, match="makes a folder"):
        stage("read-review", None, review=three.out / "review.csv", senses=three.out)
    other = write(tmp_path / "other.csv", ["source,target,decision", "a,b,ok"])
    with pytest.raises(ConfigError, match="no review of senses"):
        stage("read-review", tmp_path / "out", review=other, senses=three.out)


def test_damaged_senses_are_refused(stage, three, corpus, tmp_path):
    import shutil

    from safetensors.numpy import load_file, save_file

    broken = shutil.copytree(three.out, tmp_path / "broken")
    tensors = load_file(broken / "senses.safetensors")
    tensors["0.entries"] = tensors["0.entries"][:1].copy()
    save_file(tensors, broken / "senses.safetensors")
    with pytest.raises(DataError, match="does not fit"):
        stage("senses", tmp_path / "out", senses=broken, tag=corpus / "en.txt")
    body = json.loads((broken / "senses.json").read_text(encoding="utf-8"))
    body["headwords"][0]["senses"] = "none"
    (broken / "senses.json").write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(DataError, match="expected"):
        stage("senses", tmp_path / "out", senses=broken, tag=corpus / "en.txt")
