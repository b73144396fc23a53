"""Folders that are damaged or made to do harm: one error that names the file and the value, before memory is spent."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from lexenc.alignment.span_model import SpanModel
from lexenc.device import CPU
from lexenc.encoders.folder import ModuleRow, guarded, read_modules, saving, without_panic_reports
from lexenc.encoders.load import load_encoder
from lexenc.encoders.static import StaticEncoder
from lexenc.errors import ConfigError, DataError, LexencError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnop", "the", "house"]
BERT = {
    "vocab_size": len(WORDS),
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
}


def tokenizer(*, special: bool) -> Tokenizer:
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    return made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small language model."""
    folder = tmp_path_factory.mktemp("plain") / "bert"
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    BertModel(BertConfig(**BERT)).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer(special=True), **names).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def headed(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with modules."""
    folder = tmp_path_factory.mktemp("headed") / "encoder"
    parts = [Transformer(str(plain)), Pooling(8, "mean"), Dense(8, 4)]
    SentenceTransformer(modules=parts, device="cpu").save(str(folder), create_model_card=False)
    return folder


@pytest.fixture
def copied(request: pytest.FixtureRequest, tmp_path: Path):
    def copy(name: str, file: str = "", content: object = None, **values: object) -> Path:
        """A copy of a fixture with another file, or other values in a JSON file."""
        folder = tmp_path / f"copy{len(list(tmp_path.iterdir()))}"
        if name == "static":
            StaticEncoder(tokenizer(special=False), torch.ones(len(WORDS), 4)).save(folder)
        else:
            shutil.copytree(request.getfixturevalue(name), folder)
        if values:
            known = json.loads((folder / file).read_text()) if (folder / file).exists() else {}
            content = json.dumps(known | values)
        if content is not None:
            (folder / file).write_bytes(content if isinstance(content, bytes) else str(content).encode())
        return folder

    return copy


def refused(folder: Path, *says: str) -> LexencError:
    with pytest.raises(LexencError) as caught:
        load_encoder(folder, device=CPU)
    for each in says:
        assert each in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2
    return caught.value


# ---------------------------------------------------------------- modules


@pytest.mark.parametrize(
    "path",
    [
        "sentence_transformers.models",
        "sentence_transformers.models.Pooling",
        "sentence_transformers.sentence_transformer.modules",
        "sentence_transformers.sentence_transformer.modules.pooling",
        "sentence_transformers.base.modules.pooling",
    ],
)
def test_modules_are_known_by_old_and_new_paths(tmp_path: Path, path: str) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"type": f"{path}.Pooling", "path": "1_Pooling"}]))
    assert read_modules(tmp_path) == [ModuleRow("Pooling", "1_Pooling")]


OTHERS = [
    "os.system",
    "subprocess.Popen",
    "my_code.Pooling",
    "Pooling",
    "sentence_transformers.models.WordWeights",
    "sentence_transformers.base.modules.router.Router",
    "sentence_transformers.models..Pooling",
    "sentence_transformers.evil.Pooling",
    "sentence_transformers.models.Pooling\n",
]


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", ["headed", "static"])
def test_other_modules_are_refused_by_name_and_never_imported(copied, monkeypatch, name: str, kind: str) -> None:
    folder = copied(name)
    path = folder / "modules.json"
    rows = json.loads(path.read_text())
    path.write_text(json.dumps([*rows, {"idx": 9, "name": "9", "path": "", "type": kind}]))
    monkeypatch.setattr("importlib.import_module", lambda name, *_: pytest.fail(f"{name} was imported"))
    error = refused(folder, kind.strip(), "Dense, Normalize, LayerNorm, Dropout")
    assert isinstance(error, ConfigError)


@pytest.mark.parametrize("path", ["../x", "/etc", "a/../../x", "a\0b", "out"])
def test_modules_stay_in_the_folder(copied, path: str) -> None:
    folder = copied("headed")
    (folder / "out").symlink_to("/etc")
    rows = json.loads((folder / "modules.json").read_text())
    rows[-1]["path"] = path
    (folder / "modules.json").write_text(json.dumps(rows))
    refused(folder, "has a module outside the folder")


@pytest.mark.parametrize(
    "body", ["5", "{}", "[5]", '[{"type": 5}]', '[{"path": ""}]', "[" * 100_000, "[NaN]", "\ufeff["]
)
def test_damaged_tables_of_modules(copied, body: str) -> None:
    refused(copied("headed", "modules.json", body), "modules.json")


@pytest.mark.parametrize(
    "activation",
    [
        "torch.nn.modules.module.Module",
        "torch.utils.cpp_extension.load",
        "torch.os.system",
        "os.system",
        5,
        "torch.nn.X",
    ],
)
def test_activation_functions_are_those_of_a_list(copied, monkeypatch, activation: object) -> None:
    folder = copied("headed", "2_Dense/config.json", activation_function=activation)
    monkeypatch.setattr("importlib.import_module", lambda name, *_: pytest.fail(f"{name} was imported"))
    refused(folder, "2_Dense/config.json", "activation_function" if activation == 5 else str(activation))


@pytest.mark.parametrize(
    ("file", "values", "says"),
    [
        ("config.json", {"attn_implementation": "someone/kernel"}, "code from elsewhere"),
        ("config.json", {"_attn_implementation": {"": "someone/kernel"}}, "code from elsewhere"),
        ("sentence_bert_config.json", {"model_kwargs": {"attn_implementation": "a/b"}}, "code from elsewhere"),
        ("sentence_bert_config.json", {"model_args": {"state_dict": {}}}, "argument 'state_dict' in model_args"),
        ("sentence_bert_config.json", {"processor_kwargs": {"gguf_file": "x"}}, "argument 'gguf_file'"),
        ("sentence_bert_config.json", {"tokenizer_name_or_path": "/etc"}, "tokenizer_name_or_path is '/etc'"),
        ("sentence_bert_config.json", {"max_seq_length": "many"}, "max_seq_length is 'many'"),
        ("sentence_bert_config.json", {"max_seq_length": 0}, "max_seq_length is 0"),
        ("sentence_bert_config.json", {"transformer_task": "text-generation"}, "transformer_task is"),
        ("sentence_bert_config.json", {"modality_config": {"text": {"method": "save_pretrained"}}}, "calls a method"),
        ("tokenizer_config.json", {"tokenizer_class": "Trainer"}, "tokenizer_class 'Trainer'"),
        ("tokenizer_config.json", {"processor_class": "pipeline"}, "processor_class 'pipeline'"),
        ("config.json", {"tokenizer_class": 7}, "tokenizer_class 7"),
        ("1_Pooling/config.json", {"pooling_mode": 5}, "pooling_mode is 5"),
        ("1_Pooling/config.json", {"embedding_dimension": "8"}, "embedding_dimension is '8'"),
        ("2_Dense/config.json", {"in_features": 10**9, "out_features": 10**9}, "(1000000000, 1000000000)"),
        ("2_Dense/config.json", {"bias": "yes"}, "bias is 'yes'"),
        ("config_sentence_transformers.json", {"truncate_dim": 0}, "truncate_dim 0"),
        ("config_sentence_transformers.json", {"prompts": 5}, "prompts is 5"),
    ],
)
def test_settings_are_checked(copied, file: str, values: dict[str, object], says: str) -> None:
    refused(copied("headed", file, **values), file, says)


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    "values",
    [
        {"vocab_size": 10**10},
        {"hidden_size": 10**6},
        {"hidden_size": 10**18},
        {"intermediate_size": 10**9},
        {"max_position_embeddings": 10**10},
        {"type_vocab_size": 10**9},
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 10**30},
        {"vocab_size": -1},
        {"pad_token_id": 10**6},
        {"max_position_embeddings": 0},
        {"hidden_size": "8"},
        {"vocab_size": None},
        {"num_attention_heads": 0},
        {"model_type": 5},
        {"model_type": "nothing"},
        {"layer_norm_eps": [1]},
        {"hidden_act": "os.system"},
    ],
)
def test_settings_of_other_sizes_allocate_nothing(copied, monkeypatch, values: dict[str, object]) -> None:
    folder = copied("plain", "config.json", **values)
    largest = [0]
    plain = torch.empty

    def watched(*shape: object, **settings: object) -> torch.Tensor:
        made = plain(*shape, **settings)
        if made.device.type != "meta":
            largest.append(made.numel())
        return made

    monkeypatch.setattr(torch, "empty", watched)
    refused(folder, str(folder))
    with pytest.raises(LexencError):
        SpanModel.load(folder, new_head=True)
    assert max(largest) < 1 << 26


def test_pointers_of_git_lfs_are_named(copied) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 133466304\n"
    for name, file in (("plain", "model.safetensors"), ("static", "tokenizer.json"), ("headed", "2_Dense/config.json")):
        error = refused(copied(name, file, pointer), f"{file} is a pointer of Git LFS")
        assert error.hint == "Download it: git lfs pull"


def test_half_of_the_weights(copied) -> None:
    for name in ("plain", "static", "headed"):
        folder = copied(name)
        path = folder / "model.safetensors"
        for length in (0, 5, 100, path.stat().st_size - 1):
            path.write_bytes(path.read_bytes()[:length])
            refused(folder, str(folder))


def test_adapters_and_outside_shards(copied) -> None:
    refused(copied("plain", "adapter_config.json", base_model_name_or_path="/etc"), "is an adapter")
    for name in ("../../x.safetensors", "/etc/x.safetensors", "model.bin", "gone.safetensors"):
        folder = copied("plain", "model.safetensors.index.json", weight_map={"a": name}, metadata={})
        refused(folder, "model.safetensors.index.json", name)


# ---------------------------------------------------------------- tokenizers


def altered(folder: Path, change) -> Path:
    path = folder / "tokenizer.json"
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))
    return folder


def panic_at_loading(body: dict) -> None:
    body["model"] = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    body["model"]["continuing_subword_prefix"] = "xlnet"
    body["added_tokens"] = []


def panic_at_splitting(body: dict) -> None:
    body["post_processor"]["special_tokens"] = {}
    for item in body["post_processor"]["single"]:
        if "SpecialToken" in item:
            item["SpecialToken"]["id"] = "nothing"


def gap(body: dict) -> None:
    body["model"]["vocab"]["house"] = 4_000_000_000


@pytest.mark.parametrize(("name", "change"), [
    ("static", panic_at_loading),
    ("plain", panic_at_loading),
    ("plain", panic_at_splitting),
    ("static", gap),
    ("plain", gap),
])  # fmt: skip
def test_panics_of_tokenizers_are_errors(copied, capfd, name: str, change) -> None:
    folder = altered(copied(name), change)
    capfd.readouterr()  # of making the encoder
    refused(folder)
    assert capfd.readouterr().err == ""
    if name == "plain":
        with pytest.raises(LexencError):
            SpanModel.load(altered(copied(name), change), new_head=True)
        assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", "5", '{"model": 5}', "\x00", '{"version": "1.0", "model": {"type": "X"}}']
)
def test_damaged_tokenizers(copied, body: str) -> None:
    refused(copied("static", "tokenizer.json", body), "tokenizer.json cannot be read")
    refused(copied("plain", "tokenizer.json", body))


@pytest.mark.parametrize("number", [28, 5, 122])
def test_errors_of_the_disk_keep_their_number(tmp_path: Path, number: int) -> None:
    for error in (SafetensorError(f"I/O error: no (os error {number})"), Exception(f"no (os error {number})")):
        with pytest.raises(OSError, match=str(tmp_path)) as caught, saving(tmp_path):
            raise error
        assert caught.value.errno == number
    with pytest.raises(KeyError), saving(tmp_path):
        raise KeyError("x")


def test_saving_where_it_is_impossible(tmp_path: Path, plain: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(OSError, match="irectory"):
        StaticEncoder(tokenizer(special=False), torch.ones(len(WORDS), 4)).save(tmp_path)
    with pytest.raises(OSError, match="irectory"):
        load_encoder(plain, device=CPU).save(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all paths are text")
@pytest.mark.parametrize("name", ["plain", "headed", "static", "new span model"])
def test_paths_that_are_not_text(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    odd, other = (tmp_path / os.fsdecode(raw) for raw in (b"\xe9", b"\xff\xfe"))
    span = name == "new span model"
    if name == "static":
        StaticEncoder(tokenizer(special=False), torch.ones(len(WORDS), 4)).save(odd)
    else:
        shutil.copytree(request.getfixturevalue("plain" if span else name), odd)
    if span:
        SpanModel.load(odd, new_head=True).save(other)
        SpanModel.load(other)
    else:
        encoder = load_encoder(odd, device=CPU)
        encoder.save(other)
        assert (load_encoder(other, device=CPU).reference(["the house"]) == encoder.reference(["the house"])).all()
    assert b"/proc/" not in b"".join(each.read_bytes() for each in other.rglob("*.json"))


def test_remarks_of_libraries_stay_away(copied, capfd) -> None:
    folder = copied("headed", "2_Dense/config.json", something=1)
    settings = {"prompts": {"query": "a "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    capfd.readouterr()
    load_encoder(folder, device=CPU)
    assert capfd.readouterr().err == ""


def test_what_is_printed_meanwhile_appears(capfd) -> None:
    with without_panic_reports():
        os.write(2, b"remark\n")
    assert capfd.readouterr().err == "remark\n"


def test_errors_keep_their_cause_and_interrupts_pass() -> None:
    with (
        pytest.raises(DataError, match="X cannot be loaded: KeyError: 'a'") as caught,
        guarded("X cannot be loaded", "."),
    ):
        raise KeyError("a")
    assert isinstance(caught.value.__cause__, KeyError)
    for kind in (KeyboardInterrupt, SystemExit, MemoryError):
        with pytest.raises(kind), guarded("X", "."):
            raise kind
