"""eval topics, eval clustering and eval language-id: probes, their controls and what they leave out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, v_measure_score

from lexenc.errors import ConfigError, DataError

from .conftest import DE, EN

FEW = {"draws": 100}


def write(path, rows):
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def documents(words):
    """The first half of the words is one topic, the second another one."""
    return [(f"topic {i // 20}", f"the {words[i]} and the {words[i - i % 20 + (7 * i + 3) % 20]}") for i in range(40)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("topics")
    rows = documents(EN)
    for name, words in (("en", EN), ("de", DE)):
        write(folder / f"{name}.tsv", [f"{label}\t{text}" for label, text in documents(words)])
        write(folder / f"{name}.txt", [text for _, text in documents(words)])
    write(folder / "news.tsv", ["category\theadline\ttext\turl", *(f'{a}\tnew\t"{b}\n{b}"\tx' for a, b in rows[::2])])
    odd = ["topic 0\t", "\tx", "alone", f"topic 1\t{rows[0][1].upper()}", "topic 9\tnew"]
    odd += ['topic 0\t"so', "topic 1\tmoon"]
    write(folder / "odd.tsv", odd)
    return folder


def encoded(stage, encoder, path, out):
    return stage("encode", out, words=path, encoder=encoder).unit()


def test_topics_are_those_of_scikit_learn(stage, static, files, tmp_path):
    tests = [files / "de.tsv", files / "news.tsv"]
    made = stage("eval topics", tmp_path / "out", FEW | {"c": 5}, train=files / "en.tsv", test=tests, encoder=static)
    (mean, german, news), gold = made.manifest.results[:3], [int(label[-1]) for label, _ in documents(EN)]
    english, vectors = (encoded(stage, static, files / f"{name}.txt", tmp_path / name) for name in ("en", "de"))
    found = LogisticRegression(C=5, max_iter=1000).fit(english, gold).predict(vectors)
    assert german["accuracy"] == pytest.approx((found == gold).mean())
    assert german["macro_f1"] == pytest.approx(f1_score(gold, found, average="macro"))
    assert (mean["track"], mean["accuracy"]) == ("macro mean", (german["accuracy"] + news["accuracy"]) / 2)
    assert (news["documents"], german["c"], german["training_documents"]) == (20, 5, 40)
    controls = {(each["track"], each["control"]): each["accuracy"] for each in made.manifest.results[3:]}
    assert controls["de", "majority class"] == 0.5
    assert not any("c" in each for each in made.manifest.results[3:]), "a control has its own"
    assert controls["news", "characters only"] > 0.9
    assert made.json_lines("items.jsonl")[-1]["asked"][0].startswith("new the cow"), "headline, and text of two lines"
    same = stage("compare", params=FEW, first=made.out, second=made.out).manifest.results
    assert [each["difference"] for each in same] == [0] * 6


def test_what_cannot_be_tested_is_counted_and_c_is_chosen_on_the_training_text(stage, static, files, tmp_path):
    made = stage("eval topics", None, FEW | {"documents": "mean"}, train=files / "en.tsv", test=[files / "odd.tsv"],
                 encoder=static)  # fmt: skip
    head = made.manifest.results[0]
    assert (head["documents"], head["c"] in (1, 10, 100)) == (2, True)
    assert head["left_out"] == {"no text": 1, "no label": 1, "too few columns": 1, "also in the training text": 1,
                                "label not in the training text": 1}  # fmt: skip
    # The test set does not decide on C.
    alone = stage("eval topics", None, FEW, train=files / "en.tsv", test=[files / "de.tsv"], encoder=static)
    assert alone.manifest.results[0]["c"] == head["c"]
    with pytest.raises(DataError, match=r"no document to test on \(also in the training text: 40"):
        stage("eval topics", None, FEW, train=files / "en.tsv", test=[files / "en.tsv"], encoder=static)
    one = write(tmp_path / "one.tsv", ["a\tb", "a\tc"])
    with pytest.raises(DataError, match="only the label 'a'"):
        stage("eval topics", None, FEW, train=one, test=[files / "en.tsv"], encoder=static)


def test_long_documents_are_cut_or_the_mean_of_their_sentences(stage, transformer, files, tmp_path):
    long = write(tmp_path / "long.tsv", [f"{label}\t{text}. {'the dog. ' * 20}" for label, text in documents(DE)])
    results = {}
    for how in ("cut", "mean"):
        made = stage("eval topics", None, FEW | {"documents": how}, train=files / "en.tsv", test=[long],
                     encoder=transformer)  # fmt: skip
        results[how] = made.warnings
    assert any("long.tsv: 40 of 40 documents are cut at 32 tokens" in each for each in results["cut"])
    assert not any("cut" in each for each in results["mean"])


def test_clusters_are_those_of_scikit_learn_and_purity_is_a_loop(stage, static, files, tmp_path):
    made = stage("eval clustering", tmp_path / "out", FEW | {"seeds": 2, "clusters": 3}, 7, texts=[files / "en.tsv"],
                 encoder=static)  # fmt: skip
    head, control = made.manifest.results
    gold = np.array([int(label[-1]) for label, _ in documents(EN)])
    vectors = encoded(stage, static, files / "en.txt", tmp_path / "en")
    micro, macro, both = [], [], []
    for row, seed in enumerate((7, 8)):
        found = KMeans(3, n_init=10, random_state=seed).fit_predict(vectors)
        own = [each["numbers"]["clusters"][row] for each in made.json_lines("items.jsonl")]
        assert v_measure_score(found, own) == 1
        most = [max((gold[found == k] == label).sum() for label in (0, 1)) for k in range(3)]
        micro.append(sum(most) / 40)
        macro.append(np.mean([most[k] / (found == k).sum() for k in range(3)]))
        both.append(v_measure_score(gold, found))
    assert [head[name] for name in ("purity", "macro_purity", "v_measure")] == [
        pytest.approx(np.mean(own)) for own in (micro, macro, both)
    ]
    assert head["purity_deviation"] == pytest.approx(np.std(micro, ddof=1))
    assert head["purity_low"] <= head["purity"] <= head["purity_high"]
    assert (head["chance"], control["control"], 0.5 <= control["purity"] < 0.8) == (1 / 3, "random clusters", True)
    same = stage("compare", params=FEW, first=made.out, second=made.out).manifest.results
    assert [each["difference"] for each in same] == [0] * 3
    with pytest.raises(DataError, match="40 different vectors of 2 labels cannot form 41 clusters"):
        stage("eval clustering", None, FEW | {"clusters": 41}, texts=[files / "en.tsv"], encoder=static)


def test_languages_are_split_by_line(stage, static, files, tmp_path):
    texts = {"en": files / "en.txt", "de": files / "de.txt"}
    given = [f"{name}={path}" for name, path in texts.items()]
    made = stage("eval language-id", tmp_path / "out", FEW, text=given, encoder=static)
    head, control = made.manifest.results
    tested = [each["asked"][0] for each in made.json_lines("items.jsonl")]
    lines = {name: path.read_text(encoding="utf-8").splitlines() for name, path in texts.items()}
    rows = {name: {own.index(text) for text in tested if text in own} for name, own in lines.items()}
    assert (len(rows["en"]), rows["en"], head["sentences"]) == (8, rows["de"], 16), "both translations are tested"
    rest = [row for row in range(40) if row not in rows["en"]]
    english, german = (encoded(stage, static, path, tmp_path / name) for name, path in texts.items())
    probe = LogisticRegression(C=1).fit(np.concatenate([english[rest], german[rest]]), np.repeat([0, 1], 32))
    own = sorted(rows["en"])
    right = (probe.predict(english[own]) == 0).sum() + (probe.predict(german[own]) == 1).sum()
    assert head["accuracy"] == right / 16
    assert (control["control"], control["accuracy"] > 0.9, head["majority_class"]) == ("characters only", True, 0.5)
    shown = stage("compare", params=FEW, first=made.out, second=made.out).manifest.tables[0].note
    assert "A smaller accuracy is better." in shown
    longer = write(tmp_path / "longer.txt", [*lines["de"], "das", ""])
    with pytest.raises(DataError, match=r"40 \(en\), 42 \(de\) lines"):
        stage("eval language-id", None, FEW, text=[given[0], f"de={longer}"], encoder=static)
    repeated = write(tmp_path / "repeated.txt", ["dog", "", *["cat"] * 38])
    made = stage("eval language-id", None, FEW, text=[given[0], f"de={repeated}"], encoder=static)
    assert made.manifest.results[0]["left_out"] == {"empty": 1, "also in the training part": 8}
    for wrong, message in ((given[:1], "Two languages"), ([str(texts["en"]), given[1]], "has no language")):
        with pytest.raises(ConfigError, match=message):
            stage("eval language-id", None, FEW, text=wrong, encoder=static)


def test_masakhanews_is_read_as_it_is_published(data):
    from lexenc.files.labelled import read_labelled

    rows, skipped = read_labelled(data / "topics" / "masakhanews" / "eng.dev.tsv.gz")
    assert (len(rows), skipped.total(), len({row.label for row in rows})) == (472, 0, 6), "cells hold line breaks"
    swahili, _ = read_labelled(data / "topics" / "masakhanews" / "swa.test.tsv.gz")
    assert (len(swahili), swahili[0].label) == (476, "business")
