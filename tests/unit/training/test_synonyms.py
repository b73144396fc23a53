"""Sets of synonyms: gathering, exact and uniform drawing of pairs, the control, relations in a batch, whole runs."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from lexenc.encoders.static import StaticEncoder
from lexenc.training.contrastive import Encoded, PairObjective, contrast_of, encode_with_gradient
from lexenc.training.data import batch_of, number_pairs, store_tokens, with_pair_classes
from lexenc.training.losses import mneg, multi_similarity
from lexenc.training.schedule import Schedule
from lexenc.training.synonyms import gather_sets, number_synonyms, pair_places, shuffled_sets, synonym_pairs
from lexenc.training.trainer import Trainer

NAMES = st.sampled_from(["a", "A", "b", "c", "d", "D", "e", "f"])
CONCEPTS = st.lists(st.sampled_from(["C1", "C2", "C3", "C4"]), min_size=1, max_size=2, unique=True)
ENTRIES = st.lists(st.tuples(CONCEPTS, st.lists(NAMES, min_size=1, max_size=2)), min_size=1, max_size=14)


def sets_of(*entries):
    """From `C1 a b c`: a concept and names, each on a line of its own."""
    return gather_sets(
        (["".join(concept)], [name]) for concept, *names in (each.split() for each in entries) for name in names
    )


def shown(sets, pairs):
    return [(sets.concepts[c], sets.texts[a], sets.texts[b]) for c, a, b in pairs.tolist()]


# ---------------------------------------------------------------- gathering


def slow_sets(entries):
    """Names of every concept, and listed pairs, in order and without repeats."""
    names, listed = {}, {}
    for concepts, own in entries:
        for concept in concepts:
            names.setdefault(concept, {})
            if len(own) == 1:
                names[concept][own[0]] = None
            elif own[0] != own[1]:
                listed.setdefault((concept, frozenset(own)), (concept, *own))
    return {concept: list(own) for concept, own in names.items()}, list(listed.values())


@settings(max_examples=150)
@given(ENTRIES)
def test_gathering_equals_a_slow_loop(entries):
    sets = gather_sets(entries)
    names, listed = slow_sets(entries)
    found = {concept: [sets.texts[i] for i in sets.names[place]] for place, concept in enumerate(sets.concepts)}
    assert found == names
    assert list(found) == list(names), "in order of first appearance"
    assert shown(sets, sets.listed) == listed
    assert len(set(sets.texts)) == len(sets.texts)
    members = {(c, name) for c, own in names.items() for name in own}
    members |= {(c, name) for c, *own in listed for name in own}
    assert {(sets.concepts[c], sets.texts[t]) for c, t in sets.memberships().tolist()} == members
    assert sets.sizes().tolist() == [sum(c == concept for c, _ in members) for concept in sets.concepts]


def test_nothing_at_all_is_no_error():
    sets = gather_sets([])
    assert synonym_pairs(sets, per_concept=5, seed=0).shape == (0, 3)
    assert sets.sizes().tolist() == []


# ---------------------------------------------------------------- pairs


@settings(max_examples=100)
@given(ENTRIES)
def test_all_pairs_where_none_has_to_be_drawn(entries):
    sets = gather_sets(entries)
    names, listed = slow_sets(entries)
    wanted = [(concept, a, b) for concept, own in names.items() for a, b in combinations(own, 2)]
    seen = {(c, frozenset(own)) for c, *own in wanted}
    wanted += [each for each in listed if (each[0], frozenset(each[1:])) not in seen]
    assert Counter(shown(sets, synonym_pairs(sets, per_concept=99, seed=0))) == Counter(wanted)


@given(st.integers(2, 70))
def test_pairs_are_numbered_once_each(size):
    first, second = pair_places(np.arange(size * (size - 1) // 2))
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == set(combinations(range(size), 2))


@pytest.mark.parametrize("size", [5_000, 100_001, 60_000_000])
def test_pairs_of_large_concepts_are_numbered_without_rounding(size):
    rows = np.array([1, 2, 3, size // 2, size - 1])
    last = rows * (rows - 1) // 2  # of (0, row); the one before is (row - 2, row - 1)
    for number, place in ((last, (np.zeros(5), rows)), (last[1:] - 1, (rows[1:] - 2, rows[1:] - 1))):
        np.testing.assert_array_equal(pair_places(number), place)


def test_drawing_is_exact_and_every_pair_is_as_likely():
    sets = sets_of("C1 a b c d e f", "C2 x")
    times = Counter()
    for seed in range(3000):
        pairs = shown(sets, synonym_pairs(sets, per_concept=4, seed=seed))
        assert len(set(pairs)) == 4
        times.update(pairs)
    assert len(times) == 15
    # 3000 draws of 4 out of 15: 800 each, with a standard deviation of 24.
    squares = sum((count - 800) ** 2 / 800 for count in times.values()) / (1 - 4 / 15)
    assert squares < 36.1, "chi square with 14 degrees of freedom, one in a thousand"


def test_sets_of_pairs_are_all_as_likely():
    sets = sets_of("C1 a b c")
    times = Counter(frozenset(shown(sets, synonym_pairs(sets, per_concept=2, seed=seed))) for seed in range(1500))
    assert len(times) == 3
    assert sum((count - 500) ** 2 / 500 for count in times.values()) < 13.8


def test_drawing_depends_on_the_seed_and_the_concept_alone():
    own = "C1 " + " ".join(f"n{i}" for i in range(30))
    alone, among = sets_of(own), sets_of("C0 n3 z y", own, "C2 n5 w")

    def drawn(sets, seed=0):
        return [each for each in shown(sets, synonym_pairs(sets, per_concept=7, seed=seed)) if each[0] == "C1"]

    assert drawn(alone) == drawn(among)
    assert drawn(alone, 1) != drawn(alone)
    other = sets_of(own.replace("C1", "C9"))
    assert {each[1:] for each in shown(other, synonym_pairs(other, per_concept=7, seed=0))} != {
        each[1:] for each in drawn(alone)
    }


def test_a_concept_of_many_names_takes_no_room():
    sets = sets_of("C1 " + " ".join(f"n{i}" for i in range(5000)))
    tracemalloc.start()
    pairs = synonym_pairs(sets, per_concept=50, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pairs.shape == (50, 3)
    assert peak < 2_000_000, "12.5 million pairs would be a hundred times that"


def test_listed_pairs_are_trained_as_they_stand():
    sets = gather_sets(
        [(["C1"], [f"a{i}", f"b{i}"]) for i in range(9)] + [(["C1"], ["b0", "a0"]), (["C1"], ["x", "x"])]
    )
    pairs = synonym_pairs(sets, per_concept=3, seed=0)
    assert shown(sets, pairs) == [("C1", f"a{i}", f"b{i}") for i in range(9)]


# ---------------------------------------------------------------- control


def test_shuffled_names_keep_sizes_and_texts():
    entries = [([f"C{i}"], [f"n{(7 * i + k) % 60}"]) for i in range(25) for k in range(1 + i % 5)]
    entries += [(["C3"], ["p", "q"]), (["C90"], ["alone"])]
    sets = gather_sets(entries)
    dealt = shuffled_sets(sets, seed=0)
    assert dealt.sizes().tolist() == sets.sizes().tolist()
    assert len(synonym_pairs(dealt, per_concept=9, seed=0)) == len(synonym_pairs(sets, per_concept=9, seed=0))
    before, after = (Counter(each.memberships()[:, 1].tolist()) for each in (sets, dealt))
    assert sorted(before.values()) == sorted(after.values()), "a name of several concepts is one of as many"

    def paired(each):
        return {each.texts[i] for i in synonym_pairs(each, per_concept=99, seed=0)[:, 1:].ravel()}

    assert paired(dealt) == paired(sets)
    assert "alone" not in paired(dealt)
    same = set(shown(sets, synonym_pairs(sets, per_concept=99, seed=0))) & set(
        shown(dealt, synonym_pairs(dealt, per_concept=99, seed=0))
    )
    assert len(same) < 5
    again = shuffled_sets(sets, seed=0)
    assert again.names.values.tolist() == dealt.names.values.tolist()
    assert shuffled_sets(sets, seed=1).names.values.tolist() != dealt.names.values.tolist()


# ---------------------------------------------------------------- relations


@settings(max_examples=150)
@given(ENTRIES, st.data())
def test_rows_that_share_text_or_concept_are_related(entries, draw):
    sets = gather_sets(entries)
    pairs = synonym_pairs(sets, per_concept=99, seed=0)
    if not len(pairs):
        return
    data = number_synonyms(sets, pairs)
    assert sorted(data.texts) == sorted({sets.texts[i] for i in pairs[:, 1:].ravel()})
    chosen = np.array(draw.draw(st.lists(st.integers(0, len(pairs) - 1), min_size=1, max_size=6)))
    batch = batch_of(data, chosen)
    texts = [data.texts[i] for i in batch.texts]
    assert len(set(texts)) == len(texts)
    rows = [texts[i] for i in [*batch.anchors, *batch.positives]]
    own = shown(sets, pairs[chosen])
    assert rows == [each[1] for each in own] + [each[2] for each in own]
    assert batch.labels.tolist() == pairs[chosen, 0].tolist()
    concepts = {}
    for concept, text in sets.memberships().tolist():
        concepts.setdefault(sets.texts[text].lower(), set()).add(concept)
    wanted = [[bool(concepts[a.lower()] & concepts[b.lower()]) for b in rows] for a in rows]
    assert batch.related.tolist() == wanted
    count = len(chosen)
    wanted_known = np.array(wanted)[:count, count:]
    np.fill_diagonal(wanted_known, False)
    assert batch.known_positives.tolist() == wanted_known.tolist()
    bare = batch_of(data, chosen, mask_known=False)
    assert not bare.related.any()
    assert not bare.known_positives.any()


def test_a_name_without_a_pair_tells_what_its_other_case_may_stand_for():
    sets = gather_sets([(["C1"], ["Cold", "flu"]), (["C2"], ["chill", "frost"]), (["C2"], ["cold"])])
    pairs = synonym_pairs(sets, per_concept=9, seed=0)
    assert shown(sets, pairs) == [("C1", "Cold", "flu"), ("C2", "chill", "frost")]
    batch = batch_of(number_synonyms(sets, pairs), np.array([0, 1]))  # rows: Cold, chill, flu, frost
    assert batch.related[0].tolist() == [True, True, True, True]
    assert batch.related[2].tolist() == [True, False, True, False]


def test_known_translations_of_pairs_are_related():
    data = with_pair_classes(number_pairs(["dog", "hound", "Dog", "cat"], ["hund", "hund", "köter", "katze"], []))
    batch = batch_of(data, np.array([0, 1, 3]))  # the third pair is in no batch
    rows = ["dog", "hound", "cat", "hund", "hund", "katze"]
    found = {frozenset((rows[i], rows[j])) for i, j in np.argwhere(batch.related).tolist()}
    assert found == {
        frozenset(each) for each in (["dog", "hund"], ["hound", "hund"], ["cat", "katze"], *([row] for row in rows))
    }
    assert batch.labels.tolist() == [0, 1, 3]


# ---------------------------------------------------------------- runs

STEMS = "kal natr eis kupf silb gold blei zinn".split()
ENDINGS = "ium o on ia er".split()


def encoder(seed=0):
    vocabulary = {each: i for i, each in enumerate([f"{stem}{end}" for stem in STEMS for end in ENDINGS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary | {"[UNK]": len(vocabulary)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = torch.randn(len(vocabulary) + 1, 8, generator=torch.Generator().manual_seed(seed))
    return StaticEncoder(tokenizer, weights)


def training(seed=0, loss=multi_similarity, **schedule):
    sets = sets_of(*(f"{stem} " + " ".join(stem + end for end in ENDINGS) for stem in STEMS))
    data = number_synonyms(sets, synonym_pairs(sets, per_concept=6, seed=seed))
    made = encoder()
    plan = replace(
        Schedule(
            epochs=4, batch_size=10, learning_rate=0.05, warmup=0, clip=0, checkpoint_seconds=0, schedule="constant"
        ),
        **schedule,
    )
    pairs = PairObjective(made, data, store_tokens(made.tokenise, data.texts), loss=loss)
    return Trainer(pairs, schedule=plan, seed=seed)


def spread(made):
    """How much nearer names of one concept are than others, in cosines."""
    with torch.no_grad():
        rows = torch.nn.functional.normalize(
            made.embed(made.tokenise([stem + end for stem in STEMS for end in ENDINGS])), dim=-1
        )
    cosines = rows @ rows.T
    same = torch.kron(torch.eye(len(STEMS)), torch.ones(len(ENDINGS), len(ENDINGS))).bool()
    off = ~torch.eye(len(rows), dtype=torch.bool)
    return float(cosines[same & off].mean() - cosines[~same].mean())


@pytest.mark.parametrize("loss", [multi_similarity, mneg])
def test_synonyms_come_together(loss):
    run = training(loss=loss, epochs=12)
    before = spread(run.objective.encoder)
    records = []
    run.run(record=records.append)
    assert spread(run.objective.encoder) > before + 0.5
    assert {record.learning_rate for record in records} == {0.05}


@pytest.mark.parametrize("stops", [(1,), (3, 7)], ids=str)
def test_resumed_run_ends_with_the_same_bits(tmp_path, stops):
    whole, records = training(), []
    whole.run(record=records.append)
    seen = {}

    def stopping(at):
        def record(one):
            seen[one.step] = one
            if one.step == at:
                raise KeyboardInterrupt

        return record

    for at in stops:
        with pytest.raises(KeyboardInterrupt):
            training().run(tmp_path, record=stopping(at))
    again = training()
    again.run(tmp_path, record=stopping(None))
    for name, each in whole.objective.encoder.module.state_dict().items():
        assert torch.equal(each, again.objective.encoder.module.state_dict()[name])
    assert [seen[step] for step in sorted(seen)] == records


@pytest.mark.parametrize("chunk_tokens", [1, 5, 11])
def test_cached_chunks_equal_the_full_batch(chunk_tokens):
    def gradient(tokens_per_pass):
        pairs = training().objective
        batch = batch_of(pairs.data, np.arange(20))
        tokens = [pairs.tokens[text] for text in batch.texts]
        sizes = np.array([len(each) for each in tokens])
        encodings, send_back = encode_with_gradient(
            lambda part: Encoded(pairs.embed(tokens[part])), sizes, tokens_per_pass
        )
        loss = multi_similarity(contrast_of(encodings, batch), margin=2.0)
        loss.backward()
        send_back({})
        return loss.detach(), next(pairs.encoder.module.parameters()).grad

    for one, other in zip(gradient(10_000), gradient(chunk_tokens), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    assert gradient(10_000)[1].abs().max() > 1e-3


def test_constant_schedule_rises_and_stays():
    records = []
    training(warmup=0.25).run(record=records.append)
    rates = [record.learning_rate for record in records]
    rising = -(-len(rates) // 4)
    assert rates[:rising] == [pytest.approx(0.05 * step / rising) for step in range(rising)]
    assert set(rates[rising:]) == {0.05}
