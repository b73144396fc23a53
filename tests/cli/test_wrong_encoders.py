"""Encoders that would compute something wrong: every command that loads one refuses it, and writes nothing."""

from __future__ import annotations

import shlex
import shutil

import pytest
from safetensors.torch import load_file, save_file

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


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_weights_are_refused_everywhere(lacking, mapped, world, fails, tmp_path, command):
    (tmp_path / "pairs.txt").write_text("the house ||| das haus\nthe dog ||| der hund\n", encoding="utf-8")
    (tmp_path / "links.txt").write_text("0-0 1-1\n0-0 1-1\n", encoding="utf-8")
    places = {"ENC": lacking, "OUT": tmp_path / "out", "PAIRS": tmp_path / "pairs.txt", "LINKS": tmp_path / "links.txt",
              "W/mapped": mapped}  # fmt: skip
    words = [str(places.get(word, word.replace("W/", f"{world}/"))) for word in shlex.split(COMMANDS[command])]
    found = fails(*words, early=False)
    assert "encoder.layer.0.output.dense.bias" in found.message
    assert str(lacking) in found.message
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
