"""Word senses: the official scoring, sums of vectors, first senses, ties, intervals over groups, and right answers."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from lexenc.evaluation.wsd import ClusterMeans, TaggedSenses, credit, groups_of, instance_facts, key_scores, tag_vectors
from lexenc.files.semcor import read_semcor
from lexenc.files.sense_keys import SenseTag, TaggedSentence, read_sense_keys, read_tagged_xml

NO_BACK_OFF: dict = {}


def tag(lemma, *keys, part="n", numbers=(), place=0):
    return SenseTag(place, place + 1, lemma, part, keys, numbers)


def filled(*occurrences):
    table = TaggedSenses()
    tags, vectors = zip(*occurrences, strict=True)
    rows = np.array([vector or (0, 0) for vector in vectors], dtype=np.float32)
    table.add(tags, rows, np.array([vector is not None for vector in vectors]))
    return table


def test_several_answers_share_the_credit():
    assert [credit(own, ("a", "b")) for own in ((), ("a",), ("a", "c"), ("a", "b"), ("c",))] == [0, 1, 0.5, 1, 0]
    gold = {"1": ("a", "b"), "2": ("a",), "3": ("c",), "4": ("d",)}
    answers = {"1": ("a", "x"), "2": ("a",), "3": ("x", "y", "z", "c"), "4": (), "not asked": ("q",)}
    precision, recall = 1.75 / 3, 1.75 / 4
    assert key_scores(answers, gold) == pytest.approx(
        (precision, recall, 2 * precision * recall / (precision + recall))
    )
    assert key_scores({}, gold) == (0, 0, 0)


def test_a_multiword_has_the_mean_of_its_words():
    values = np.arange(12, dtype=np.float32).reshape(6, 2) ** 2
    # Word 1 of the first sentence, and words 0 and 2 of the second, have no vector.
    found = SimpleNamespace(values=values, starts=np.array([0, 3, 4, 6]), words=np.array([0, 2, 3, 1, 0, 1]))
    sentences = [
        TaggedSentence("", list(text), [SenseTag(*span, "x", "n") for span in spans])
        for text, spans in (("abcd", [(0, 2), (1, 2), (2, 4)]), ("efg", [(0, 1), (0, 3), (2, 3)]), ("hi", []))
    ]
    vectors, covered = tag_vectors(found, sentences)
    assert covered.tolist() == [True, False, True, False, True, False]
    assert np.allclose(vectors[covered], [values[0], (values[1] + values[2]) / 2, values[3]])
    assert tag_vectors(found, [each._replace(tags=[]) for each in sentences])[0].shape == (0, 2)


def test_a_sense_is_the_mean_of_its_occurrences_in_any_parts():
    random = np.random.default_rng(0)
    keys = [f"w%1:{number:02}:00::" for number in range(40)]
    tags = [tag("w", *random.choice(keys, 1 + row % 2, replace=False)) for row in range(3000)]
    vectors = random.normal(size=(3000, 4)).astype(np.float32)
    covered = random.random(3000) < 0.9
    table = TaggedSenses()
    for part in (slice(0, 7), slice(7, 7), slice(7, 3000)):
        table.add(tags[part], vectors[part], covered[part])
    made = table.vectors()
    assert (table.tags, table.without_vector) == (3000, int((~covered).sum()))
    for key, own in zip(made.keys, made.matrix, strict=True):
        rows = [row for row, each in enumerate(tags) if key in each.keys and covered[row]]
        mean = vectors[rows].mean(axis=0)
        assert np.allclose(own, mean / np.linalg.norm(mean), atol=1e-5)


def test_nearest_of_all_and_of_the_own_lemma_with_ties_to_the_first():
    table = filled(
        (tag("bank", "bank%1"), (1, 0.1)), (tag("bank", "bank%2"), (0, 3)), (tag("bank", "bank%3", part="v"), (1, 1)),
        (tag("shore", "shore%1"), (0, 1)), (tag("deal", "deal%1"), None), (tag("deal", "deal%1", "deal%2"), (2, 0)),
    )  # fmt: skip
    vectors = table.vectors()
    asked = [tag("bank"), tag("shore"), tag("deal"), tag("bank"), tag("new"), tag("deal", part="v")]
    rows = np.array([(0, 1), (1, 0), (9, 0), (0, 0), (1, 1), (1, 1)], dtype=np.float32)
    found = vectors.nearest(asked, rows, np.array([True, True, True, False, True, True]))
    assert [vectors.keys[place] if place >= 0 else None for place in found.nearest] == [
        "bank%2", "deal%1", "deal%1", None, "bank%3", "bank%3"]  # fmt: skip
    assert [vectors.keys[place] if place >= 0 else None for place in found.own] == [
        "bank%2", "shore%1", "deal%1", None, None, None]  # fmt: skip
    assert np.allclose(found.cosines[:2], [1, 1])
    back_off = {("new", "n"): "new%9", ("deal", "v"): "deal%9", ("bank", "n"): "bank%9"}
    chosen = [tuple(each and each.key for each in own) for own in vectors.answers(asked, found, back_off)]
    assert chosen[3:] == [(None, None), ("new%9", "new%9"), ("bank%3", "deal%9")]
    assert vectors.lemmas["deal%2"] == {"deal"}


def test_shuffled_vectors_know_nothing_of_words():
    random = np.random.default_rng(1)
    keys = [f"w{word}%{sense}" for word in range(100) for sense in range(2)]
    vectors = random.normal(size=(200, 8)).astype(np.float32)
    tags = [tag(key.split("%")[0], key) for key in keys]
    table = TaggedSenses()
    table.add(tags, vectors, np.ones(200, dtype=bool))
    made = table.vectors()
    found = made.nearest(tags, vectors, np.ones(200, dtype=bool))
    assert (found.nearest == found.own).all()
    free, own = made.shuffled(tags, vectors, found, generator=np.random.default_rng(0))
    assert free.value < 0.02
    assert 0.45 < own.value < 0.55


def test_the_first_sense_is_the_most_frequent_then_the_lowest_number():
    table = TaggedSenses()
    for each in (tag("a", "a%2", numbers=(2,)), tag("a", "a%1", numbers=(1,)), tag("a", "a%3", "a%2", numbers=(3, 2)),
                 tag("b", "b%5", numbers=(5,)), tag("b", "b%4", numbers=(4,)), tag("c", "c%x"), tag("c", "c%y"),
                 tag("b", "b%9", part="v", numbers=(9,)), tag("d")):  # fmt: skip
        table.count(each)
    found = table.first_senses({("b", "n"): "not this", ("e", "n"): "e%1"})
    assert found == {("a", "n"): "a%2", ("b", "n"): "b%4", ("b", "v"): "b%9", ("c", "n"): "c%x", ("e", "n"): "e%1"}


def test_intervals_draw_groups():
    random = np.random.default_rng(0)
    groups = np.repeat([4, 7, 1, 2, 9], [30, 5, 20, 20, 25])
    rates = np.repeat([0.9, 0.1, 0.5, 0.4, 0.8], [30, 5, 20, 20, 25])
    first, second = ((random.random((2, 100)) < rates).astype(float) for _ in range(2))
    measure = ClusterMeans(["x", "y"])
    columns = [np.stack([*own, np.zeros(100), groups]) for own in (first, second)]
    assert groups_of(columns[0]) == 5
    assert measure.values(columns[0]) == {"x": first[0].mean(), "y": first[1].mean()}
    drawn = measure.drawn(columns, generator=np.random.default_rng(1), draws=4000)
    parts = [np.flatnonzero(groups == each) for each in np.unique(groups)]
    chosen = [np.concatenate([parts[i] for i in own]) for own in np.random.default_rng(2).integers(0, 5, (4000, 5))]
    plain = np.array([first[1][own].mean() for own in chosen])
    assert drawn[0]["y"].mean() == pytest.approx(plain.mean(), abs=0.01)
    assert drawn[0]["y"].std() == pytest.approx(plain.std(), rel=0.05)
    assert plain.std() > 1.5 * np.sqrt(first[1].var() / 100)  # what single items would give
    gap, values = measure.gaps(*columns, generator=np.random.default_rng(1), draws=4000)["x"]
    assert gap == first[0].mean() - second[0].mean()
    assert np.allclose(values, drawn[0]["x"] - drawn[1]["x"])
    alone = measure.scores(columns[:1], generator=np.random.default_rng(1), draws=4000)[0]
    assert alone[1].low < alone[1].value < alone[1].high
    columns[0][-1] = 3
    (one,) = measure.scores(columns[:1], generator=np.random.default_rng(1), draws=100)
    assert (one[0].value, one[0].low, one[0].high) == (first[0].mean(), None, None)


def test_facts_of_several_test_sets():
    one, other = np.zeros((8, 4)), np.zeros((8, 1))
    one[3], other[3], one[0] = 0.5, 1, 1
    found = instance_facts([one, other])
    assert (found["first_sense"], found["first_sense_all_instances"]) == (0.75, 0.6)
    assert found["accuracy_all_instances"] == 0.8
    assert "accuracy_all_instances" not in instance_facts([one])


RIGHT = {"semeval2007": (0.5297, 0.848), "semeval2013": (0.5359, 0.795), "semeval2015": (0.6047, 0.813),
         "senseval2": (0.5640, 0.825)}  # fmt: skip
SIZES = {"semeval2007": (135, 455, 3), "semeval2013": (306, 1644, 13), "semeval2015": (138, 1022, 4),
         "senseval2": (242, 2282, 3)}  # fmt: skip


def test_right_answers_of_semcor_and_the_test_sets(data):
    """Counts, first-sense figures and ceilings that were worked out before, by other code."""
    table, left_out, counts = TaggedSenses(), Counter(), Counter()
    for sentence in read_semcor(data / "wsd" / "semcor.tar.xz", left_out):
        counts["sentences"] += 1
        counts[sentence.document] = 1
        for each in sentence.tags:
            table.count(each)
            # One that is only marked as unmapped does not count as a tag.
            counts["tags"] += bool(each.keys or each.unmapped > 1)
            counts["several keys"] += len(each.keys) + each.unmapped > 1
    assert [counts[name] for name in ("sentences", "tags", "several keys")] == [20_138, 185_273, 666]
    assert len(counts) - 3 == 186
    first = table.first_senses(NO_BACK_OFF)
    for name, (figure, ceiling) in RIGHT.items():
        folder = data / "wsd" / "evaluation" / name
        keys = read_sense_keys(folder / f"{name}.gold.key.txt.gz")
        sentences = list(read_tagged_xml(folder / f"{name}.data.xml.gz", keys, Counter()))
        tags = [each for sentence in sentences for each in sentence.tags]
        assert (len(sentences), len(tags), len({each.document for each in sentences})) == SIZES[name]
        answers = {each.name: {first.get((each.lemma, each.part))} for each in tags}
        assert key_scores(answers, keys).recall == pytest.approx(figure, abs=0.0005)
        seen = np.mean([not set(each.keys).isdisjoint(table.keys) for each in tags])
        assert seen == pytest.approx(ceiling, abs=0.0005)
