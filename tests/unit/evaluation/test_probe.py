"""Probes and clusterings: metrics against scikit-learn, resampling, and cases at the edge."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, v_measure_score

from lexenc.correlation import unit_rows
from lexenc.evaluation.bootstrap import ends
from lexenc.evaluation.clustering import Clusterings
from lexenc.evaluation.probe import Labels, fit_probe, predict_by_characters
from lexenc.files.labelled import read_labelled

BOTH = Labels(["accuracy", "macro_f1"])
CLUSTERS = Clusterings(["purity", "macro_purity", "v_measure"])


def test_draws_are_the_values_of_drawn_items():
    random = np.random.default_rng(0)
    columns = np.stack([random.integers(0, 4, 30), random.integers(0, 3, 30), random.integers(0, 3, 30)]).astype(float)
    for measure in (BOTH, CLUSTERS):
        one, other = measure.drawn([columns, columns[[0, 2, 1]]], generator=np.random.default_rng(1), draws=20)
        times = np.random.default_rng(1).multinomial(30, np.full(30, 1 / 30), size=20)
        for place, count in enumerate(times):
            drawn = measure.values(np.repeat(columns, count, axis=1))
            for name in measure.metrics:
                if measure is BOTH:  # clusters keep their label, and V-measure is centred
                    assert one[name][place] == pytest.approx(drawn[name])
        assert set(other) == set(measure.metrics)
        assert measure.gaps(columns, columns, generator=random, draws=9)[measure.metrics[0]][1].tolist() == [0] * 9


def test_draws_of_v_measure_are_around_the_value():
    random = np.random.default_rng(0)
    columns = random.integers(0, 7, (3, 200)).astype(float)
    value = CLUSTERS.values(columns)["v_measure"]
    (found,) = CLUSTERS.drawn([columns], generator=np.random.default_rng(1), draws=200)
    times = np.random.default_rng(1).multinomial(200, np.full(200, 1 / 200), size=200)
    plain = np.array([CLUSTERS.values(np.repeat(columns, count, axis=1))["v_measure"] for count in times])
    assert plain.min() > value, "repeated documents share label and cluster"
    assert found["v_measure"] == pytest.approx(plain - plain.mean() + value)
    low, high = ends(found["v_measure"], 0.95)
    assert low < value < high


def test_labels_that_only_one_side_has_count():
    gold, found = np.array([0, 0, 1, 1, 3.0]), np.array([0, 2, 1, 1, 0.0])
    values = BOTH.values(np.stack([gold, found]))
    f1 = f1_score(gold, found, average="macro", zero_division=0)
    assert values == {"accuracy": 0.6, "macro_f1": pytest.approx(f1)}
    assert np.isnan(list(BOTH.values(np.zeros((2, 0))).values())).all()
    assert BOTH.values(np.array([[0, 1.0], [-1, 1]]))["accuracy"] == 0.5, "nothing was predicted for the first"


@pytest.mark.parametrize(("gold", "clusters"), [([0, 0, 0], [0, 1, 2]), ([0, 1, 2], [0, 0, 0]), ([0, 0], [0, 0])])
def test_degenerate_clusterings(gold, clusters):
    values = CLUSTERS.values(np.array([gold, clusters], dtype=float))
    assert values["v_measure"] == pytest.approx(v_measure_score(gold, clusters))


def test_probes_of_little_or_odd_text():
    rows, labels = unit_rows(np.array([[1, 0], [0, 1], [0, 0.0]])), np.array([0, 1, 1])
    probe = fit_probe(rows, labels, c=None, seed=1 << 62)
    assert (probe.c, probe.accuracies, probe.converged) == (1, {}, True), "a label with one row: no cross-validation"
    assert fit_probe(rows, labels, c=100, seed=0).predict(rows[:2]).tolist() == [0, 1]
    (found,) = predict_by_characters(["", "", ""], labels, [["x"]], c=1, seed=0)
    assert found.tolist() == [1]


def test_quotes_are_text_without_a_head(tmp_path):
    path = tmp_path / "texts"
    path.write_bytes(b'\xef\xbb\xbfa\t"so\r\n\r\nb\tit, is" \xe2\x80\x8b\tof two\r\n')
    assert read_labelled(path)[0] == [("a", '"so', 1), ("b", 'it, is" \u200b\tof two', 3)]
    path.write_text('label,text\nx,"one, ""two"""\n', encoding="utf-8")
    assert read_labelled(path)[0] == [("x", 'one, "two"', 2)]


def test_the_label_may_stand_behind_the_text(tmp_path):
    path = tmp_path / "texts"
    path.write_text("so\tit is\tgood\nno\tbad\nyes\tgood\n")
    read = [("good", "so it is", 1), ("bad", "no", 2), ("good", "yes", 3)]
    assert [each._replace(text=each.text.replace("\t", " ")) for each in read_labelled(path)[0]] == read
    path.write_text("no\tbad\nyes\tgood\n")
    assert [each.label for each in read_labelled(path)[0]] == ["no", "yes"], "of equal numbers, the first column"
    assert [each.label for each in read_labelled(path, known={"good", "bad"})[0]] == ["bad", "good"]
    path.write_text("no\tbad\t\nyes\tgood\t\n")
    assert [each.label for each in read_labelled(path)[0]] == ["no", "yes"], "an empty last column is none"
