"""Ranking names and concepts: always what sorting everything gives."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.arrays import Ragged
from lexenc.lexical.linking import ApproximateSimilarity, Catalogue, VectorSimilarity, link_mentions, recall
from lexenc.lexical.ngrams import NgramModel
from lexenc.search.approximate import ApproximateIndex


def catalogue(lines):
    """Lines as (name, concepts), names ascending."""
    names = [name for name, _ in lines]
    offsets = np.searchsorted(names, np.arange(max(names) + 2)).astype(np.int64)
    return Catalogue(offsets, Ragged.of([own for _, own in lines]), max(max(own) for _, own in lines) + 1)


def sorted_out(scores, lines, k):
    """Both rankings of one mention by sorting all lines."""
    order = sorted(range(len(lines)), key=lambda line: (-scores[lines[line][0]], line))
    seen, answers = set(), []
    for line in order:
        if not set(lines[line][1]) <= seen:
            answers.append(line)
            seen |= set(lines[line][1])
    return order[:k], answers[:k]


def listed(row):
    return [line for line in row.tolist() if line >= 0]


def random_lines(random, names, concepts, composite=0.2):
    lines = []
    for name in range(names):
        for _ in range(random.choice([1, 1, 1, 3])):
            size = 2 if random.random() < composite else 1
            lines.append((name, sorted(set(random.integers(0, concepts, size).tolist()))))
    used = {own: place for place, own in enumerate(sorted({own for _, many in lines for own in many}))}
    return [(name, [used[own] for own in many]) for name, many in lines]


def unit(random, rows, columns=8):
    matrix = random.normal(size=(rows, columns)).astype(np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


@pytest.mark.parametrize("concepts", [2, 7, 40, 400])
@pytest.mark.parametrize("k", [1, 5, 10])
def test_both_rankings_are_those_of_sorting_everything(concepts, k):
    random = np.random.default_rng(concepts + k)
    lines = random_lines(random, 600, concepts)
    names, mentions = unit(random, 600), unit(random, 30)
    names[50:300] = names[50] + 1e-7 * names[50:300]  # a crowd of names that float32 can hardly tell apart
    names[300:310], mentions[3] = names[300], 0
    mentions[4:6] = names[50]
    found = link_mentions(VectorSimilarity(mentions, names), catalogue(lines), k=k)
    scores = np.array([[np.dot(m.astype(float), n.astype(float)) for n in names] for m in mentions])
    for row, own in enumerate(VectorSimilarity(mentions, names).engine.exact(
        np.arange(30), np.tile(np.arange(600), (30, 1))
    )):  # fmt: skip
        np.testing.assert_allclose(own, scores[row], atol=1e-12)
        wanted, answers = sorted_out(own, lines, k)
        assert listed(found.lines[row]) == wanted
        assert listed(found.answers[row]) == answers
        assert found.answer_scores[row, : len(answers)].tolist() == [own[lines[line][0]] for line in answers]


def test_a_concept_with_thousands_of_names_does_not_hide_the_others():
    random = np.random.default_rng(0)
    names, mentions = unit(random, 5000), unit(random, 3)
    names[:4990] = mentions[0] + 0.01 * names[:4990]
    lines = [(name, [0] if name < 4990 else [name - 4989]) for name in range(5000)]
    found = link_mentions(VectorSimilarity(mentions, names), catalogue(lines), k=10)
    assert (found.answers >= 0).all()
    assert len({lines[line][1][0] for line in found.answers[0].tolist()}) == 10
    assert all(lines[line][1] == [0] for line in found.lines[0].tolist())


def test_identical_names_are_answered_in_their_order():
    mentions, names = np.ones((2, 4), np.float32), np.ones((9, 4), np.float32)
    mentions[1] = 0
    found = link_mentions(VectorSimilarity(mentions, names), catalogue([(i, [i // 2]) for i in range(9)]), k=3)
    assert found.lines.tolist() == [[0, 1, 2]] * 2
    assert found.answers.tolist() == [[0, 2, 4]] * 2


def test_fewer_concepts_than_places_leave_places_empty():
    random = np.random.default_rng(0)
    found = link_mentions(VectorSimilarity(unit(random, 2), unit(random, 3)),
                          catalogue([(0, [0]), (1, [0, 1]), (2, [0])]), k=5)  # fmt: skip
    assert ((found.answers >= 0).sum(axis=1) <= 2).all()
    assert (found.lines[:, 3:] == -1).all()
    assert np.isneginf(found.line_scores[:, 3:]).all()


def test_a_line_of_several_concepts_is_one_answer_until_all_are_known():
    scores = np.eye(4, dtype=np.float32)[:1]
    names = np.array([[0.9], [0.8], [0.7], [0.6]]) * np.ones((1, 4))
    lines = [(0, [0, 1]), (1, [1]), (2, [1, 2]), (3, [0, 2])]
    found = link_mentions(VectorSimilarity(scores, names.astype(np.float32)), catalogue(lines), k=4)
    assert listed(found.answers[0]) == [0, 2]


# ---------------------------------------------------------------- approximate indexes


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_what_an_index_proposes_is_scored_as_the_exact_search_does(kind, tmp_path):
    random = np.random.default_rng(0)
    names, mentions = unit(random, 1000, 16), unit(random, 40, 16)
    names[10], mentions[0], mentions[1] = names[900], names[900], 0
    lines = catalogue([(name, [name // 3]) for name in range(1000)])
    exact = VectorSimilarity(mentions, names)
    wanted = link_mentions(exact, lines, k=5)
    index = ApproximateIndex(names, kind)
    found = link_mentions(ApproximateSimilarity(exact, index), lines, k=5)
    assert recall(found, wanted) > 0.8
    assert recall(wanted, wanted) == 1
    assert (found.answers >= 0).all()
    assert found.lines[0, :2].tolist() == [10, 900], "ties by number"
    assert found.lines[1].tolist() == [0, 1, 2, 3, 4], "a mention without a direction"
    best = found.lines[:, 0] == wanted.lines[:, 0]
    assert best.mean() > 0.8
    assert found.line_scores[best, 0].tolist() == wanted.line_scores[best, 0].tolist()
    index.save(tmp_path / "index")
    again = ApproximateIndex.load(tmp_path / "index")
    assert len(again) == 1000
    assert (again.propose(mentions, 5) == index.propose(mentions, 5)).all()


def test_few_names_are_looked_at_in_full():
    random = np.random.default_rng(0)
    names = unit(random, 20)
    exact = VectorSimilarity(names, names)
    lines = catalogue([(name, [name]) for name in range(20)])
    found = link_mentions(ApproximateSimilarity(exact, ApproximateIndex(names, "ivf")), lines, k=30)
    assert recall(found, link_mentions(exact, lines, k=30)) == 1


# ---------------------------------------------------------------- spelling


def test_ngrams_rank_as_sorting_everything_does():
    names = ["heart", "heart attack", "attack", "head", "potassium", "kalium", "k", "K+", "ключ"]
    mentions = ["heart atack", "K+", "zzz", "q", "potasium", "ключи"]
    lines = [(name, [name % 4]) for name in range(len(names))]
    similarity = NgramModel(names).similarity(mentions)
    scores, _ = similarity.everything(np.arange(len(mentions)))
    found = link_mentions(similarity, catalogue(lines), k=4)
    for row, own in enumerate(scores):
        wanted, answers = sorted_out(own, lines, 4)
        assert listed(found.lines[row]) == wanted
        assert listed(found.answers[row]) == answers
    best = [names[row[0]] for row in found.lines]
    assert best == ["heart attack", "K+", "heart", "heart", "potassium", "ключ"], "no overlap: the first name"


def test_names_of_one_letter_have_no_ngrams():
    found = link_mentions(NgramModel(["a", "b"]).similarity(["ab"]), catalogue([(0, [0]), (1, [1])]), k=2)
    assert found.lines.tolist() == [[0, 1]]
    assert found.line_scores.tolist() == [[0, 0]]
