"""Classifiers: a pair is joined as the model's own library joins it, and heads learn."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from lexenc.device import CPU
from lexenc.encoders.elmo import ElmoSettings, new_elmo
from lexenc.encoders.load import load_encoder
from lexenc.encoders.static import StaticEncoder
from lexenc.errors import ConfigError
from lexenc.training.classification import ClassificationObjective, Dense, FineTuned, accuracy, predicted_classes
from lexenc.training.recurrent import BiLstm
from lexenc.training.schedule import Schedule
from lexenc.training.trainer import Trainer

WORDS = "[PAD] [UNK] [CLS] [SEP] dog cat runs sleeps the a".split()
PAIRS = [("the dog", "a dog runs"), ("a cat sleeps the dog runs", "the"), ("", "cat"), ("dog " * 9, "cat " * 5)]


def tokenizer_of(pair="[CLS] $A [SEP] $B:1 [SEP]:1"):
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return inner


def save_bert(folder, **more):
    inner = tokenizer_of(**more)
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    kinds = ["input_ids", "token_type_ids", "attention_mask"]
    PreTrainedTokenizerFast(tokenizer_object=inner, **names, model_input_names=kinds).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=24, initializer_range=0.5, **shape)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def encoder(bert):
    return load_encoder(bert, pooling="cls", device=CPU, max_length=12)


def test_a_pair_is_one_input_with_the_types_of_its_model(bert, encoder):
    found = encoder.tokenise_pairs(PAIRS)
    tokenizer, model = AutoTokenizer.from_pretrained(bert), AutoModel.from_pretrained(bert).eval()
    vectors = encoder.embed_pairs(found.tokens, found.types).detach()
    for row, pair in enumerate(PAIRS):
        given = tokenizer(*pair, truncation=True, max_length=12, return_tensors="pt")
        assert found.tokens[row] == given["input_ids"][0].tolist()
        assert found.types[row].tolist() == given["token_type_ids"][0].tolist()
        assert torch.allclose(vectors[row], model(**given).last_hidden_state[0, 0], atol=1e-5)
    assert found.truncated == 1
    assert not torch.allclose(vectors, encoder.embed_pairs(found.tokens).detach(), atol=1e-3), "types matter"


def test_sentences_without_a_mark_between_them_are_refused(tmp_path):
    encoder = load_encoder(save_bert(tmp_path, pair="[CLS] $A $B:1 [SEP]:1"), device=CPU)
    with pytest.raises(ConfigError, match="without a mark"):
        encoder.tokenise_pairs(PAIRS)


@pytest.mark.parametrize("kind", [FineTuned, Dense, BiLstm])
@pytest.mark.parametrize("texts", [1, 2])
def test_it_learns_and_does_not_depend_on_how_a_step_is_split(kind, texts, encoder):
    rows = [(f"the {a} {b}", f"the {c}")[:texts] for a in ("dog", "cat") for b in ("runs", "a") for c in ("dog", "cat")]
    right = np.array([int("dog" in each[-1]) for each in rows])
    examples = kind.read(encoder, rows)
    classifier = kind(encoder, texts=texts, classes=2, seed=0)
    objective = ClassificationObjective(classifier, examples, right)
    every = objective.rows(0)
    assert len(examples) == 8
    whole = objective.losses(every, 0)
    parts = torch.cat([objective.losses(every[part], 0) for part in (slice(0, 3), slice(3, 8))])
    assert torch.allclose(whole, parts, atol=1e-5)
    assert float(whole.mean().detach()) == pytest.approx(np.log(2), abs=0.3)
    schedule = Schedule(epochs=60 if kind is Dense else 20, batch_size=8, learning_rate=5e-3, warmup=0.0)
    Trainer(objective, schedule=schedule).run()
    assert accuracy(classifier, examples, right) == 1
    assert predicted_classes(classifier, examples, tokens=1).tolist() == right.tolist()


def test_only_fine_tuning_changes_the_encoder(encoder):
    for kind in (FineTuned, Dense, BiLstm):
        assert ("encoder" in kind(encoder, texts=2, classes=3, seed=0).modules) == kind.tunes
    first, again, other = (
        Dense(encoder, texts=2, classes=3, seed=seed).modules["head"][0].weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_dense_features_do_not_depend_on_scale(encoder):
    small = SimpleNamespace(tokenise=encoder.tokenise, dimensions=16, embed=lambda tokens: 1e-2 * encoder.embed(tokens))
    for one, other in zip(Dense.read(encoder, PAIRS).data, Dense.read(small, PAIRS).data, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_a_bilstm_reads_each_text_in_both_directions_and_pools_their_maximum(encoder):
    """Against the packed bidirectional LSTM of PyTorch, with the states of the model text by text."""
    rows = [*PAIRS, ("a dog", "")]
    examples = BiLstm.read(encoder, rows)
    classifier = BiLstm(encoder, texts=2, classes=3, seed=0)
    own = torch.nn.LSTM(16, 300, bidirectional=True, batch_first=True)
    for name, each in own.named_parameters():
        direction = classifier.modules["lstm"][name.endswith("_reverse")]
        each.data = dict(direction.named_parameters())[name.removesuffix("_reverse")].detach()

    def vector(text):
        tokens = encoder.tokenise([text])
        states = encoder.states(tokens)[1:-1].detach()
        normal = torch.nn.functional.layer_norm(states if len(states) else torch.zeros(1, 16), (16,), eps=1e-12)
        return own(normal[None])[0][0].amax(dim=0)

    assert (examples.truncated, examples.sizes.tolist()) == (0, [6, 12, 2, 18, 4])
    sides = [[vector(text) for text in row] for row in rows]
    expected = torch.stack([torch.cat([u, v, (u - v).abs(), u * v]) for u, v in sides])
    found = classifier.logits(examples, np.arange(len(rows)))
    assert torch.allclose(found, classifier.modules["head"](expected), atol=2e-3), "states are stored with 16 bits"
    long = BiLstm.read(encoder, [("dog " * 30,)])
    assert (long.truncated, long.sizes.tolist()) == (1, [12])


def test_a_bilstm_reads_static_encoders_and_elmo():
    elmo = new_elmo(tokenizer_of(), ElmoSettings(dimensions=8, layers=2), seed=0)
    for encoder, width in ((StaticEncoder(tokenizer_of(), torch.randn(len(WORDS), 6)), 6), (elmo, 16)):
        examples = BiLstm.read(encoder, PAIRS)
        assert BiLstm(encoder, texts=2, classes=2, seed=0).logits(examples, np.arange(4)).shape == (4, 2)
        assert (examples.data[0].values.shape, examples.data[0].values.dtype) == ((27, width), np.float16)
