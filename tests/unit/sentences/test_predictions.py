"""Aligned word prediction, and masked language modelling of sentences and pairs."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lexenc.encoders.static import StaticEncoder
from lexenc.encoders.subwords import WordTokenizer
from lexenc.errors import ConfigError, DataError
from lexenc.sentences import OBJECTIVES
from lexenc.sentences.aligned_words import AlignedWordPrediction
from lexenc.sentences.masked_text import MaskedSentences, MaskedTranslations
from lexenc.sentences.terms import distinct_subwords

ALL = np.arange(5)


def caught(term, rows=ALL, step=0):
    """Return the masked texts that a term predicts, and its losses."""
    texts = []
    losses = term._head.losses

    def spy(encoder, given):
        texts.extend(given)
        return losses(encoder, given)

    term._head.losses = spy
    try:
        found = term.losses(rows, step, None)
    finally:
        del term._head.losses
    return texts, found


def spans(given, row, side):
    return (given.words.target if side else given.words.source)[row].astype(int).tolist()


# ---------------------------------------------------------------- aligned word prediction


def test_all_subwords_of_linked_words_are_masked_and_predict_the_translation(make_given):
    given = make_given()
    texts, _ = caught(AlignedWordPrediction(given, share=1))
    assert len(texts) == 8, "four rows with links, both sides"
    text_of = dict(zip([(0, 0), (1, 0), (2, 0), (4, 0), (0, 1), (1, 1), (2, 1), (4, 1)], texts, strict=True))
    seen = set()
    for (row, side), text in text_of.items():
        own, other = (given.data.anchors, given.data.positives)[:: -1 if side else 1]
        ids, target = given.tokens[own[row]].tolist(), given.tokens[other[row]].tolist()
        expected, labels = list(ids), {}
        _, words, others = given.words.dictionary(np.array([row]), backward=bool(side))
        for i, j in zip(words.tolist(), others.tolist(), strict=True):
            (begin, end), (first, last) = spans(given, row, side)[i], spans(given, row, 1 - side)[j]
            expected[begin:end] = [given.head.mask] * (end - begin)
            count = min(end - begin, last - first)
            seen.add((end - begin > last - first) - (end - begin < last - first))
            labels |= {begin + k: (target[first + k], 1 / count) for k in range(count)}
        assert text.ids.tolist() == expected
        assert text.places.tolist() == sorted(labels)
        assert text.right.tolist() == [labels[place][0] for place in sorted(labels)]
        np.testing.assert_allclose(text.weights, [labels[place][1] for place in sorted(labels)])
    assert seen == {-1, 0, 1}, "words of more, of fewer, and of as many subwords"


@pytest.mark.parametrize(("sizes", "labelled"), [((3, 2), 2), ((2, 3), 2), ((1, 4), 1), ((4, 1), 1)])
def test_words_of_different_length(make_given, sizes, labelled):
    cut = make_given().encoder.tokenise
    letters = ["".join(each) for length in (1, 4) for each in product("aeinosu", repeat=length)]
    counts = [len(each) - 2 for each in cut(letters)]
    words = [letters[counts.index(size)] for size in sizes]
    given = make_given([(f"the {words[0]} house", f"la {words[1]}")], [[(1, 1, 0.9)]])
    sides = [spans(given, 0, side)[1] for side in (0, 1)]
    assert [end - begin for begin, end in sides] == list(sizes)
    texts, loss = caught(AlignedWordPrediction(given, share=1), np.array([0]))
    assert torch.isfinite(loss).all()
    for text, (begin, end), other, side in zip(texts, sides, sides[::-1], (0, 1), strict=True):
        ids = [given.tokens[each[0]] for each in (given.data.anchors, given.data.positives)]
        assert np.flatnonzero(text.ids == given.head.mask).tolist() == list(range(begin, end))
        assert np.delete(text.ids, range(begin, end)).tolist() == np.delete(ids[side], range(begin, end)).tolist()
        assert text.places.tolist() == list(range(begin, begin + labelled))
        assert text.right.tolist() == ids[1 - side][other[0] : other[0] + labelled].tolist()


@pytest.mark.parametrize("reduction", ["paper", "mean"])
@pytest.mark.parametrize("whole", [True, False])
def test_the_loss_is_the_one_of_the_equations(make_given, reduction, whole):
    given = make_given(whole=whole)
    term = AlignedWordPrediction(given, share=1, reduction=reduction)
    texts, losses = caught(term)
    expected = np.zeros(5)
    with torch.no_grad():
        for text, row in zip(texts, [0, 1, 2, 4] * 2, strict=True):
            logits = given.head.logits(given.encoder.states([text.ids]))[torch.from_numpy(text.places)]
            columns = text.right if whole else np.searchsorted(given.head.vocabulary, text.right)
            each = F.cross_entropy(logits, torch.from_numpy(columns), reduction="none").numpy()
            expected[row] += (each.mean() if reduction == "mean" else (each * text.weights).sum()) / 2
    np.testing.assert_allclose(losses.detach().numpy(), expected, rtol=1e-5)
    assert losses[3] == 0, "no links"


def test_rows_without_links_and_words_that_are_cut_off(make_given):
    given = make_given()
    assert AlignedWordPrediction(given, share=1).losses(np.array([3]), 0, None).tolist() == [0]
    assert AlignedWordPrediction(given, share=1).losses(ALL[:0], 0, None).tolist() == []
    short = make_given(longest=6)
    assert short.words.counts["cut_off"] > 0
    texts, losses = caught(AlignedWordPrediction(short, share=1))
    assert torch.isfinite(losses).all()
    assert all(max(text.places) < 5 and len(text.ids) <= 6 for text in texts)


def test_losses_do_not_depend_on_the_other_rows(make_given):
    term = AlignedWordPrediction(make_given(), share=0.5)
    whole = term.losses(ALL, 7, None)
    parts = torch.cat([term.losses(part, 7, None) for part in (ALL[:2], ALL[2:3], ALL[3:])])
    torch.testing.assert_close(whole, parts)
    torch.testing.assert_close(term.losses(ALL[::-1].copy(), 7, None), whole.flip(0))
    assert not torch.equal(term.losses(ALL, 8, None), whole)


def test_a_share_of_the_words_is_masked_at_least_one(make_given):
    given = make_given()
    term = AlignedWordPrediction(given, share=0.01)
    texts, _ = caught(term)
    joint, _ = caught(AlignedWordPrediction(given, share=1))
    assert len(texts) == len(joint) == 8
    for text, both in zip(texts, joint, strict=True):
        masked, all_masked = (np.flatnonzero(each.ids == given.head.mask) for each in (text, both))
        assert 0 < len(masked) <= len(all_masked)
        assert set(masked) <= set(all_masked)
        assert set(text.places) <= set(both.places)
        assert text.weights.sum() == pytest.approx(both.weights.sum()), "the sum stands for all linked words"
    assert sum(len(text.places) for text in texts) < sum(len(text.places) for text in joint)


def test_sizes_are_those_of_both_sentences(make_given):
    given = make_given()
    lengths = given.tokens.lengths
    expected = lengths[given.data.anchors] + lengths[given.data.positives]
    expected[3] = 0
    assert AlignedWordPrediction(given, share=1).sizes(ALL).tolist() == expected.tolist()
    assert AlignedWordPrediction(given, share=1).sizes(ALL[::-1]).tolist() == expected[::-1].tolist()


# ---------------------------------------------------------------- masked language modelling


@pytest.mark.parametrize("kind", [MaskedSentences, MaskedTranslations])
def test_unknown_characters_are_not_predicted(make_given, kind):
    given = make_given([("日 the house 日", "日 la casa 日"), ("日 日", "日")], [[], []])
    unknown = given.encoder.tokenise(["日"])[0][1]
    term = kind(given, share=1)
    texts, losses = caught(term, np.arange(2))
    assert losses[0] > 0
    assert losses[1] == 0
    assert len(texts) == 1
    assert unknown in texts[0].ids
    assert unknown not in texts[0].right


def test_one_sentence_of_each_row_is_masked(make_given):
    given = make_given(parallel=np.zeros(5, dtype=bool))
    term = MaskedSentences(given, share=0.5)
    sides = set()
    for step in range(6):
        texts, losses = caught(term, step=step)
        assert (losses > 0).all()
        for row, text in enumerate(texts):
            found = text.ids.copy()
            found[text.places] = text.right
            both = [given.tokens[side[row]].tolist() for side in (given.data.anchors, given.data.positives)]
            sides.add(both.index(found.tolist()))
            assert 0 < min(text.places)
            assert max(text.places) < len(found) - 1
    assert sides == {0, 1}
    assert term.sizes(ALL).tolist() == [
        max(len(given.tokens[a]), len(given.tokens[b]))
        for a, b in zip(given.data.anchors, given.data.positives, strict=True)
    ]


def test_a_sentence_and_its_translation_are_one_input(make_given):
    given = make_given(parallel=np.array([True, True, True, False, True]))
    term = MaskedTranslations(given, share=0.3)
    frame = WordTokenizer(given.encoder.tokenizer).pair
    orders = set()
    for step in range(6):
        texts, losses = caught(term, step=step)
        assert (losses > 0).tolist() == [True, True, True, False, True]
        for row, text in zip([0, 1, 2, 4], texts, strict=True):
            found = text.ids.copy()
            found[text.places] = text.right
            one, other = (given.tokens[side[row]].tolist()[1:-1] for side in (given.data.anchors, given.data.positives))
            joined = [[*frame.before, *a, *frame.between, *b, *frame.after] for a, b in ((one, other), (other, one))]
            orders.add(joined.index(found.tolist()))
    assert orders == {0, 1}
    assert term.sizes(np.array([3, 4])).tolist() == [0, len(found)]


def test_pairs_are_as_long_as_the_model_takes_not_as_one_sentence(make_given):
    assert MaskedTranslations(make_given(longest=8)).too_long == 0
    pairs = [("house " * 30, "maison " * 30), ("house", "maison")]
    term = MaskedTranslations(make_given(pairs, [[], []]))
    assert term.too_long == 1
    assert term.losses(np.array([0]), 0, None).tolist() == [0]
    with pytest.raises(DataError, match="All 1 pairs are too long: a sentence and its translation together may have"):
        MaskedTranslations(make_given(pairs[:1], [[]]))


def test_texts_without_subwords_have_nothing_to_mask(make_given):
    given = make_given([("", ""), ("", "maison")], [[], []])
    for kind in (MaskedSentences, MaskedTranslations):
        term = kind(given)
        losses = torch.stack([term.losses(np.array([0, 1]), step, None).detach() for step in range(8)])
        assert (losses[:, 0] == 0).all()
        assert (losses[:, 1] > 0).any()


def test_replacements_are_subwords_of_the_corpus_and_never_special(make_given):
    given = make_given()
    term = MaskedTranslations(given)
    special = set(
        WordTokenizer(given.encoder.tokenizer).pair.before + WordTokenizer(given.encoder.tokenizer).pair.after
    )
    assert set(term._others.tolist()) == set(distinct_subwords(given.tokens).tolist()) - special


# ---------------------------------------------------------------- all of them

TERMS = [AlignedWordPrediction, MaskedSentences, MaskedTranslations]


@pytest.mark.parametrize("kind", TERMS)
def test_gradients_are_finite_and_reach_encoder_and_head(make_given, kind):
    given = make_given()
    term = kind(given)
    assert term.modules == {"head": given.head.module}
    assert not term.uses_states
    given.encoder.module.train()
    term.losses(ALL, 0, None).sum().backward()
    for module in (given.encoder.module, given.head.module):
        gradients = {name: each.grad for name, each in module.named_parameters() if each.grad is not None}
        assert all(torch.isfinite(each).all() for each in gradients.values())
        assert sum(float(each.abs().sum()) for each in gradients.values()) > 0
        missing = {name for name, _ in module.named_parameters()} - set(gradients)
        assert not [name for name in missing if "pooler" not in name]


@pytest.mark.parametrize("kind", TERMS)
def test_the_same_bits_every_time(make_given, kind):
    results = []
    for _ in range(2):
        given = make_given()
        loss = kind(given, **({"share": 0.4})).losses(ALL, 5, None)
        loss.sum().backward()
        results.append((loss, [each.grad for each in given.encoder.module.parameters() if each.grad is not None]))
    assert torch.equal(results[0][0], results[1][0])
    assert all(torch.equal(one, other) for one, other in zip(results[0][1], results[1][1], strict=True))


def test_every_objective_refuses_an_encoder_without_states(make_given):
    static = StaticEncoder.__new__(StaticEncoder)
    given = replace(make_given(), encoder=static)
    for name in OBJECTIVES:
        with pytest.raises(ConfigError, match="static encoder has no states"):
            OBJECTIVES[name](given)


def test_what_is_missing_is_an_error(make_given):
    given = make_given()
    for kind in TERMS:
        with pytest.raises(ConfigError, match="need a prediction head"):
            kind(replace(given, head=None))
    with pytest.raises(ConfigError, match="need word links"):
        AlignedWordPrediction(replace(given, words=None), share=1)
    for share in (0, 1.5):
        with pytest.raises(ConfigError, match="at most 1, got"):
            AlignedWordPrediction(given, share=share)


def test_scores_that_need_much_memory_are_computed_in_parts(make_given, monkeypatch):
    results = []
    for most in (1 << 29, 200):
        monkeypatch.setattr("lexenc.encoders.masked_language._SCORES", most)
        given = make_given()
        losses = AlignedWordPrediction(given, share=1).losses(ALL, 0, None)
        losses.sum().backward()
        results.append([losses, *(each.grad for each in given.encoder.module.parameters() if each.grad is not None)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
