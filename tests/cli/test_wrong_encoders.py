"""Encoders that would compute something wrong: every command that loads one refuses it, and writes nothing."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, MBartConfig, MBartModel

COMMANDS = {
    "encode": "encode W/en.txt --encoder ENC --out OUT",
    "finetune": "finetune --pairs W/train.tsv --encoder ENC --epochs 1 --out OUT",
    "interpolate": "interpolate --vectors W/mapped --encoder ENC --dictionary W/train.tsv --out OUT",
    "mine-negatives": "mine-negatives --pairs W/train.tsv --encoder ENC --target-vocabulary W/de.txt --out OUT",
    "eval bli": "eval bli --encoder ENC --dictionary W/train.tsv --source-vocabulary W/en.txt "
                "--target-vocabulary W/de.txt --out OUT",
    "align": "align --pairs PAIRS --method argmax --encoder ENC --words spaces --out OUT",
    "align span": "align --pairs PAIRS --method span --encoder ENC --words spaces --out OUT",
    "align-train softmax": "align-train softmax --pairs PAIRS --encoder ENC --epochs 1 --out OUT",
    "align-train span": "align-train span --pairs PAIRS --alignments LINKS --encoder ENC --epochs 1 --out OUT",
}  # fmt: skip


@pytest.fixture(scope="module")
def lacking(transformer, tmp_path_factory):
    """An encoder without the biases of its last layer."""
    folder = tmp_path_factory.mktemp("lacking") / "encoder"
    shutil.copytree(transformer, folder)
    tensors = load_file(folder / "model.safetensors")
    kept = {name: each for name, each in tensors.items() if not name.endswith("0.output.dense.bias")}
    assert len(kept) == len(tensors) - 1
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def typed(command, world, tmp_path, **places):
    """The words of a command, with files that are made here."""
    (tmp_path / "pairs.txt").write_text("the house ||| das haus\nthe dog ||| der hund\n", encoding="utf-8")
    (tmp_path / "links.txt").write_text("0-0 1-1\n0-0 1-1\n", encoding="utf-8")
    places |= {"OUT": tmp_path / "out", "PAIRS": tmp_path / "pairs.txt", "LINKS": tmp_path / "links.txt"}
    return [str(places.get(word, word.replace("W/", f"{world}/"))) for word in shlex.split(COMMANDS[command])]


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_weights_are_refused_everywhere(lacking, mapped, world, fails, tmp_path, command):
    found = fails(*typed(command, world, tmp_path, ENC=lacking, **{"W/mapped": mapped}), early=False)
    assert "encoder.layer.0.output.dense.bias" in found.message
    assert str(lacking) in found.message
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def part(transformer, tmp_path_factory):
    """The folder of an encoder-decoder model, of which sentence-transformers loads no encoder alone."""
    folder = tmp_path_factory.mktemp("part") / "mbart"
    tokenizer = AutoTokenizer.from_pretrained(transformer)
    layers = {"encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    widths = {"d_model": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64}
    torch.manual_seed(0)
    MBartModel(MBartConfig(vocab_size=len(tokenizer), pad_token_id=0, **layers, **widths)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("command", ["encode", "align"])
def test_the_encoder_of_an_encoder_decoder_model_can_be_used(part, world, lexenc, tmp_path, command):
    lexenc(*typed(command, world, tmp_path, ENC=part))


@pytest.mark.parametrize("command", ["finetune", "align-train softmax"])
def test_it_is_not_trained_if_it_cannot_be_saved(part, world, fails, tmp_path, command):
    found = fails(*typed(command, world, tmp_path, ENC=part), early=False)
    assert f"The encoder {part} is a part of an encoder-decoder model" in found.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\x00\xff{"])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "modules.json"])
def test_damaged_transformers_are_refused(transformer, world, fails, tmp_path, name, content):
    folder = tmp_path / "encoder"
    shutil.copytree(transformer, folder)
    (folder / name).write_bytes(content)
    found = fails("encode", world / "en.txt", "--encoder", folder, "--out", tmp_path / "out", early=False)
    assert str(folder) in found.message
    assert not (tmp_path / "out").exists()


def test_a_missing_tokenizer_and_an_empty_table_are_named(static, world, fails, tmp_path):
    for name, content, says in (("tokenizer.json", None, "tokenizer.save"), ("modules.json", "[]", "Copy")):
        folder = tmp_path / name.partition(".")[0]
        shutil.copytree(static, folder)
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_text(content)
        found = fails("encode", world / "en.txt", "--encoder", folder, "--out", tmp_path / "out", early=False)
        assert name in found.message
        assert says in found.hint
        assert "weights" not in found.hint


@pytest.mark.parametrize("named", ["config.json", "modules.json"])
def test_code_in_the_folder_of_an_encoder_is_not_run(transformer, attempt, world, tmp_path, named):
    folder, ran = tmp_path / "encoder", tmp_path / "ran"
    shutil.copytree(transformer, folder)
    code = f"import pathlib\npathlib.Path({str(ran)!r}).touch()\nclass Own: pass\n"
    for name in ("own.py", "modeling_own.py", "configuration_own.py"):
        (folder / name).write_text(code)
    body = json.loads((folder / named).read_text())
    if named == "config.json":
        own = {kind: f"{kind}_own.Own" for kind in ("modeling", "configuration")}
        body["auto_map"] = {"AutoModel": own["modeling"], "AutoConfig": own["configuration"]}
        body["model_type"] = "own"
    else:
        body[0]["type"] = "own.Own"
    (folder / named).write_text(json.dumps(body))
    shown = attempt("encode", world / "en.txt", "--encoder", folder, "--out", tmp_path / "out")
    assert shown.code in (1, 2), shown.stderr
    assert shown.stderr.count("\nerror:") + shown.stderr.startswith("error:") == 1
    assert not ran.exists()
