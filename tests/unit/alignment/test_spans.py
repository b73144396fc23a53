from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import BertConfig, PreTrainedTokenizerFast, RobertaConfig, RobertaForQuestionAnswering

from lexenc.alignment.span_model import MARK, SpanModel, all_questions
from lexenc.alignment.spans import SpanAligner, best_spans
from lexenc.encoders.fresh import save_new_transformer, train_tokenizer
from lexenc.encoders.pretrained import load_tokenizer
from lexenc.errors import ConfigError
from lexenc.text.links import Pieces

PAIRS = [
    ("the house is unbelievably big".split(), "la maison est vraiment grande".split()),
    ("dogs , cats !".split(), "chiens et chats".split()),
    ("house".split(), "maison".split()),
]
TEXT = [" ".join(words) for pair in PAIRS for words in pair] * 3


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Encoders with tokenizers of all kinds, and one like RoBERTa with a head for answers."""
    made = {}
    for kind in ("wordpiece", "bpe", "unigram"):
        folder = tmp_path_factory.mktemp("encoders") / kind
        tokenizer = train_tokenizer(iter(TEXT), kind=kind, vocabulary_size=60, lowercase=True, special=True)
        save_new_transformer(folder, tokenizer, dimensions=16, layers=2, heads=2, max_length=64, seed=0)
        made[kind] = folder
    made["bytes"] = tmp_path_factory.mktemp("encoders") / "bytes"
    _save_like_roberta(made["bytes"])
    return made


def _save_like_roberta(folder):
    """Two </s> between sentences, one kind of subwords, positions from behind the padding, a mark that is known."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXT, trainer=trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=True)
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), special, strict=True))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token="<s>", sep_token="</s>", **names)
    config = RobertaConfig(
        vocab_size=len(fast), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=60, type_vocab_size=1, pad_token_id=1,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        RobertaForQuestionAnswering(config).save_pretrained(folder)
    fast.save_pretrained(folder)


def model_of(folder):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return SpanModel.load(folder, new_head=True)


def cut(model, pairs):
    return tuple(model.words.cut([pair[side] for pair in pairs]) for side in (0, 1))


# ---------------------------------------------------------------- the best span


def table(*rows):
    return np.array(rows, dtype=np.float32)


def test_best_span_is_the_product_of_beginning_and_end():
    start = table([0.1, 0.2, 0.6, 0.1], [0.8, 0.1, 0.1, 0.0], [0.0, 0.3, 0.4, 0.3])
    end = table([0.1, 0.5, 0.1, 0.3], [0.7, 0.1, 0.1, 0.1], [0.0, 0.9, 0.05, 0.05])
    spans = best_spans(start, end)
    # 0.6 * 0.3 from word 1 to 2; no answer 0.56; 0.3 * 0.9 within word 0, as an end before a beginning is no span.
    assert spans.first.tolist() == [1, -1, 0]
    assert spans.last.tolist() == [2, -1, 0]
    np.testing.assert_allclose(spans.scores, [0.18, 0, 0.27], atol=1e-6)


def test_best_span_is_no_longer_than_allowed_and_the_shortest_of_equal_ones():
    start, end = table([0, 1, 0, 0], [0, 0.5, 0.5, 0]), table([0, 0.25, 0.25, 0.5], [0, 0.5, 0.5, 0])
    assert [best_spans(start, end, longest=n).last[0] for n in (1, 2, 3)] == [0, 0, 2]
    assert (best_spans(start, end).first[1], best_spans(start, end).last[1]) == (0, 0)


def test_best_span_without_words_is_none():
    spans = best_spans(table([1.0]), table([1.0]))
    assert (spans.first.tolist(), spans.scores.tolist()) == ([-1], [0])


def test_best_span_equals_a_search_of_all_spans():
    draw = np.random.default_rng(0)
    start, end = (draw.dirichlet(np.ones(9), 50).astype(np.float32) for _ in range(2))
    spans = best_spans(start, end, longest=3)
    for row in range(50):
        found = {(i, j): start[row, 1 + i] * end[row, 1 + j] for i in range(8) for j in range(i, min(8, i + 3))}
        best = max(found.values())
        none = start[row, 0] * end[row, 0] >= best
        assert spans.scores[row] == (0 if none else best)
        assert none or found[int(spans.first[row]), int(spans.last[row])] == best


# ---------------------------------------------------------------- questions


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram", "bytes"])
def test_questions_are_what_the_tokenizer_makes_of_marked_sentences(folders, kind):
    model = model_of(folders[kind])
    tokenizer = model._tokenizer
    if kind == "bytes":
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    source, target = cut(model, PAIRS)
    questions = all_questions(source, target, np.ones(3, dtype=bool))
    batch = model.batch(source, target, questions)
    assert len(questions.pairs) == 5 + 4 + 1 + 5 + 3 + 1
    for row, (pair, swapped, word) in enumerate(zip(*(each.tolist() for each in questions), strict=True)):
        asked, context = PAIRS[pair][::-1] if swapped else PAIRS[pair]
        marked = [*asked[:word], MARK, asked[word], MARK, *asked[word + 1 :]]
        right = tokenizer(marked, context, is_split_into_words=True)
        size = len(right["input_ids"])
        assert batch.ids[row, :size].tolist() == right["input_ids"]
        assert size == model.sizes(source, target)[pair]
        assert batch.real[row].tolist() == [1] * size + [0] * (batch.ids.shape[1] - size)
        places = zip(right.word_ids(), right.sequence_ids(), strict=True)
        owners = [place + 1 if side == 1 else -1 for place, side in places]
        assert batch.owners[row, :size].tolist() == [0, *owners[1:]]
        assert (batch.owners[row, size:] == -1).all()
        if kind == "wordpiece":
            assert batch.types[row, :size].tolist() == right["token_type_ids"]


def test_pieces_know_their_words(folders):
    model = model_of(folders["wordpiece"])
    pieces = model.words.cut([["unbelievably", "big"], [], ["\u3000", "house"]])
    assert pieces.lengths.tolist() == [2, 0, 2]
    ids, bounds = pieces.sentence(2)
    assert (len(ids), bounds[0], bounds[-1]) == (int(pieces.sizes[2]), 0, len(ids))
    parts = [model.words.cut([words]) for words in (["unbelievably", "big"], [], ["\u3000", "house"])]
    joined = Pieces.joined(parts)
    for one, other in zip((pieces.ids, pieces.words, pieces.sentences), (joined.ids, joined.words, joined.sentences),
                          strict=True):  # fmt: skip
        assert (one == other).all()


def test_probabilities_are_over_the_context_and_no_answer(folders):
    model = model_of(folders["wordpiece"])
    source, target = cut(model, PAIRS)
    questions = all_questions(source, target, np.ones(3, dtype=bool))
    start, end = model.probabilities(model.batch(source, target, questions))
    np.testing.assert_allclose(start.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(end.sum(1), 1, atol=1e-5)
    assert start.shape == (19, 6)
    assert (start[-1, 2:] == 0).all(), "the context of the last has one word"


# ---------------------------------------------------------------- links


def test_links_have_the_mean_of_both_directions(folders, monkeypatch):
    model = model_of(folders["wordpiece"])
    # Source words 0 and 1, then target words 0 and 1; columns: none, word 0, word 1.
    start = table([0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.0, 0.6, 0.4], [0.2, 0.0, 0.8])
    end = table([0.0, 0.1, 0.9], [0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.5, 0.0, 0.5])
    monkeypatch.setattr(model, "probabilities", lambda batch: (start, end))
    # Word 0 asks: 0 to 1, 0.72. Word 1: none. Target 0: word 0, 0.54. Target 1: word 1, 0.4.
    wanted = {(0, 0): (0.72 + 0.54) / 2, (0, 1): 0.72 / 2, (1, 1): 0.4 / 2}
    found = SpanAligner(model, threshold=0.0).align([(["house", "big"], ["maison", "grande"])])
    assert {(i, j): pytest.approx(score) for i, j, score in next(found.sentences())} == wanted
    kept = SpanAligner(model).align([(["house", "big"], ["maison", "grande"])])
    assert [link[:2] for link in next(kept.sentences())] == [(0, 0)]


@pytest.mark.parametrize("kind", ["wordpiece", "bytes"])
def test_links_do_not_depend_on_batches_or_neighbours(folders, kind):
    model = model_of(folders[kind])
    whole = list(SpanAligner(model, threshold=0.0).align(PAIRS).sentences())
    small = list(SpanAligner(model, threshold=0.0, batch_tokens=1).align(PAIRS).sentences())
    turned = list(SpanAligner(model, threshold=0.0).align(PAIRS[::-1]).sentences())[::-1]
    alone = [next(SpanAligner(model, threshold=0.0).align([pair]).sentences()) for pair in PAIRS]
    assert any(whole)
    for other in (small, turned, alone):
        for links, expected in zip(other, whole, strict=True):
            assert [link[:2] for link in links] == [link[:2] for link in expected]
            np.testing.assert_allclose([link[2] for link in links], [link[2] for link in expected], atol=1e-5)
    assert all(0 <= score <= 1 for links in whole for *_, score in links)


def test_empty_and_long_sentences_have_no_links_and_are_counted(folders):
    aligner = SpanAligner(model_of(folders["wordpiece"]), threshold=0.0)
    long = ["house"] * 40
    pairs = [([], ["maison"]), (["house"], []), ([], []), (long, long), (["house", "\u3000"], ["maison"])]
    links = list(aligner.align(pairs).sentences())
    assert links[:4] == [[], [], [], []]
    assert {link[0] for link in links[4]} <= {0}
    counts = aligner.counts
    assert counts == {"pairs": 5, "empty": 3, "too_long": 1, "unasked": 1, "questions": 2}
    assert len(aligner.align([])) == 0


# ---------------------------------------------------------------- loading


def test_aligner_is_refused_without_a_head_for_answers(folders):
    with pytest.raises(ConfigError, match="answers no questions") as caught:
        SpanAligner.load(folders["wordpiece"])
    assert "align-train span" in caught.value.hint


def test_aligner_by_hub_name_is_the_same_as_by_folder(folders, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: str(folders["bytes"]))
    by_name = SpanAligner.load("someone/aligner", threshold=0.0).align(PAIRS)
    by_folder = SpanAligner.load(folders["bytes"], threshold=0.0).align(PAIRS)
    assert list(by_name.sentences()) == list(by_folder.sentences())


def test_model_with_pickled_weights_is_refused(tmp_path):
    BertConfig(vocab_size=10).save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ConfigError, match="pickled weights only"):
        SpanAligner.load(tmp_path)


def test_new_head_teaches_the_tokenizer_the_mark_and_is_saved_with_it(folders, tmp_path):
    from transformers import AutoModelForQuestionAnswering

    assert load_tokenizer(folders["wordpiece"]).unk_token_id in load_tokenizer(folders["wordpiece"])(MARK)["input_ids"]
    model = model_of(folders["wordpiece"])
    model.save(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    again = AutoModelForQuestionAnswering.from_pretrained(tmp_path)
    assert again.config.vocab_size == len(load_tokenizer(tmp_path))
    assert "token_type_ids" in load_tokenizer(tmp_path).model_input_names
    one, other = (SpanAligner(each, threshold=0.0).align(PAIRS) for each in (model, SpanModel.load(tmp_path)))
    assert list(one.sentences()) == list(other.sentences())
