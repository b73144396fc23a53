"""Files that are not what they should be: every reader refuses them in two lines and leaves nothing behind."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from pathlib import Path

import pytest

# A command for every kind of file that the program reads; FILE is the bad one.
READERS = {
    "pairs of mining": "mine-negatives --pairs FILE --encoder ENC --target-vocabulary W/de.txt",
    "vocabulary": "mine-negatives --pairs W/train.tsv --encoder ENC --target-vocabulary FILE",
    "pairs of tuning": "finetune --pairs FILE --encoder ENC --epochs 1",
    "synonyms": "finetune --synonyms FILE --encoder ENC",
    "negatives": "finetune --pairs W/train.tsv --negatives FILE --encoder ENC --epochs 1",
    "source vectors": "map --source FILE --target W/de.vec --dictionary W/train.tsv",
    "target vectors": "map --source W/en.vec --target FILE --dictionary W/train.tsv",
    "dictionary": "map --source W/en.vec --target W/de.vec --dictionary FILE",
    "mapping": "apply-mapping --source W/en.vec --mapping FILE",
    "space": "interpolate --vectors FILE --encoder ENC --dictionary W/train.tsv",
    "encoder": "encode W/en.txt --encoder FILE",
    "test dictionary": "eval bli --vectors SPACE --dictionary FILE",
    "scored space": "eval bli --vectors FILE --dictionary W/test.tsv",
    "audited dictionary": "audit --train W/train.tsv --test FILE",
    "exported vectors": "export FILE",
    "text of an encoder": "new-encoder --text FILE --vocabulary-size 150",
    "text of vectors": "train-static --text FILE",
}


def garbage() -> bytes:
    return b"\xff\xfe\x00" + random.Random(0).randbytes(5000)


def half(packed: bytes) -> bytes:
    return packed[: len(packed) // 2]


CONTENTS = {
    "empty": b"",
    "blank lines": b"\n\n  \n\t\n",
    "garbage": garbage(),
    "zip archive": b"PK\x03\x04" + garbage(),
    "half a packed file": half(gzip.compress(random.Random(1).randbytes(5000).hex().encode())),
    "nul bytes": b"\x00" * 2000,
    "web page": b'<!DOCTYPE html>\n<html lang="en"><body><p>word\tWort</p></body></html>\n',
    "translation memory": b'<?xml version="1.0"?>\n<tmx version="1.4"><header srclang="en"/><body></body></tmx>\n',
    "corpus with tags": b'<doc id="12" url="https://example.org">\nWord one.\n</doc>\n',
    "messages": b'# German\nmsgid ""\nmsgstr ""\n\nmsgid "word"\nmsgstr "Wort"\n',
}


@pytest.fixture
def line(world, static, mapped):
    """Turn a template into the words of a command."""

    def fill(template, path, out):
        table = {"FILE": path, "ENC": static, "SPACE": mapped}
        words = [table.get(word, word.replace("W/", f"{world}/") if word.startswith("W/") else word)
                 for word in template.split()]  # fmt: skip
        return [*words, "--out", out]

    return fill


# One column of odd characters is a legal text, vocabulary or word list.
LEGAL = {("text of an encoder", "nul bytes"), ("vocabulary", "nul bytes")}
BAD = [(reader, content) for reader in READERS for content in CONTENTS if (reader, content) not in LEGAL]


def written(tmp_path, content):
    path = tmp_path / "given" / "file"
    path.parent.mkdir()
    path.write_bytes(CONTENTS[content])
    (tmp_path / "results").mkdir()
    return path


@pytest.mark.parametrize(("reader", "content"), BAD)
def test_bad_file_is_refused(line, fails, tmp_path, reader, content):
    path = written(tmp_path, content)
    found = fails(*line(READERS[reader], path, tmp_path / "results" / "out"), early=False)
    assert str(path) in found.message
    assert len(found.message) < 400, "the message does not repeat the file"
    if reader != "negatives" and not reader.startswith("pairs of tuning"):
        assert list((tmp_path / "results").iterdir()) == [], "nothing half-written stays"


@pytest.mark.parametrize(("reader", "content"), sorted(LEGAL))
def test_odd_characters_are_legal_text(line, lexenc, tmp_path, reader, content):
    lexenc(*line(READERS[reader], written(tmp_path, content), tmp_path / "results" / "out"))
    assert (tmp_path / "results" / "out" / "manifest.json").is_file()


@pytest.mark.parametrize("reader", [name for name in READERS if name not in ("negatives",)])
def test_folder_in_place_of_a_file(line, fails, tmp_path, reader):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "notes.txt").write_text("x")
    found = fails(*line(READERS[reader], folder, tmp_path / "out"), early=False)
    assert "folder" in found.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("reader", READERS)
def test_missing_file(line, fails, tmp_path, reader):
    found = fails(*line(READERS[reader], tmp_path / "none", tmp_path / "out"))
    assert found.message.endswith(f" is not there: {tmp_path / 'none'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reader", ["dictionary", "source vectors", "pairs of mining", "audited dictionary"])
def test_huge_line(line, fails, tmp_path, reader):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 5_000_000)
    found = fails(*line(READERS[reader], path, tmp_path / "out"), early=False)
    assert f"{path}, line 1: " in found.message
    assert len(found.message) < 400


@pytest.mark.parametrize(
    "command", ["eval sts --encoder ENC --pairs FILE", "eval xlsim --encoder ENC --pairs FILE", "read-review FILE"]
)
def test_quotation_mark_that_is_never_closed(line, fails, tmp_path, command):
    path = tmp_path / "file.csv"
    path.write_text('source,target,decision\n"' + "x" * 200_000 + ",y,2\n")
    found = fails(*line(command, path, tmp_path / "out"), early=False)
    assert found.message.startswith(f"{path}, line ")
    assert "field limit" in found.message
    assert "quotation marks" in found.hint


@pytest.mark.parametrize("reader", ["dictionary", "vocabulary", "source vectors", "pairs of tuning"])
def test_truncated_gzip_says_that_it_is_damaged(line, fails, world, tmp_path, reader):
    name = {
        "dictionary": "train.tsv",
        "vocabulary": "de.txt",
        "source vectors": "en.vec",
        "pairs of tuning": "train.tsv",
    }
    path = tmp_path / "file.gz"
    path.write_bytes(half(gzip.compress((world / name[reader]).read_bytes())))
    assert "is damaged" in fails(*line(READERS[reader], path, tmp_path / "out"), early=False).message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("reader", ["dictionary", "source vectors", "vocabulary"])
def test_no_permission_to_read(line, fails, tmp_path, reader):
    path = tmp_path / "file"
    path.write_text("dog\thund\n")
    path.chmod(0)
    assert "Permission denied" in fails(*line(READERS[reader], path, tmp_path / "out"), early=False).message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_to_write(world, fails, tmp_path):
    tmp_path.chmod(0o500)
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    try:
        assert "Permission denied" in fails("map", *files, "--out", tmp_path / "out").message
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to")
def test_a_place_that_cannot_be_written_is_named_as_the_user_typed_it(world, fails):
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    found = fails("map", *files, "--out", "/proc/out", early=False)
    assert found.message.endswith(": /proc/out.")


def test_damaged_encoder(static, world, fails, tmp_path):
    for name in ("model.safetensors", "tokenizer.json", "modules.json"):
        folder = tmp_path / name
        shutil.copytree(static, folder)
        (folder / name).write_bytes(garbage())
        found = fails("encode", world / "en.txt", "--encoder", folder, "--out", tmp_path / "out", early=False)
        assert str(folder) in found.message


def test_damaged_space(mapped, world, fails, tmp_path):
    shutil.copytree(mapped, tmp_path / "space")
    (tmp_path / "space" / "source" / "vectors.npy").write_bytes(b"\x93NUMPY" + garbage())
    found = fails("eval", "bli", "--vectors", tmp_path / "space", "--dictionary", world / "test.tsv", early=False)
    assert "vectors.npy" in found.message
    found = fails("translate", "--vectors", tmp_path / "space", world / "en.txt", early=False)
    assert "vectors.npy" in found.message


def test_damaged_items_and_scores(fails, world, mapped, tmp_path, lexenc):
    lexenc("eval", "bli", "--vectors", mapped, "--dictionary", world / "test.tsv", "--out", tmp_path / "scores")
    for name in ("items.jsonl", "scores.json"):
        whole = (tmp_path / "scores" / name).read_bytes()
        for content in (b"{", b"[]\n", b'{"asked": 1}\n', b'{"a": 1}\n', garbage()):
            (tmp_path / "scores" / name).write_bytes(content)
            assert name in fails("compare", tmp_path / "scores", tmp_path / "scores", early=False).message
        (tmp_path / "scores" / name).write_bytes(whole)
    (tmp_path / "scores" / "items.jsonl").write_bytes(b"")
    message = fails("compare", tmp_path / "scores", tmp_path / "scores", early=False).message
    assert message.endswith("items.jsonl is damaged: it lacks 12 items of those in scores.json.")


def test_damaged_manifest(mapped, fails, tmp_path):
    shutil.copytree(mapped, tmp_path / "space")
    for content in (b"", b"{}", b"[]", garbage()):
        (tmp_path / "space" / "manifest.json").write_bytes(content)
        assert "manifest" in fails("show", tmp_path / "space").message


def test_words_of_translate(mapped, fails, tmp_path):
    for content in (garbage(), b"gr\xfcn\n"):
        (tmp_path / "words.txt").write_bytes(content)
        assert (
            "words.txt is not UTF-8"
            in fails("translate", "--vectors", mapped, tmp_path / "words.txt", early=False).message
        )
    assert "folder" in fails("translate", "--vectors", mapped, tmp_path, early=False).message


# Inputs that are lines of text, and so never a translation memory.
LINES = (
    "train-static --text FILE",
    "new-encoder --text FILE",
    "encode FILE --encoder ENC",
    "link FILE --knowledge-base W/en.txt --encoder ENC",
    "link W/en.txt --knowledge-base FILE --encoder ENC",
    "encode-concepts FILE --encoder ENC",
    "eval xel --knowledge-base FILE --mentions W/en.txt --encoder ENC",
    "eval sts --pairs FILE --encoder ENC",
    "eval nli --train FILE --test FILE --encoder ENC",
    "eval ner --train FILE --test FILE --encoder ENC",
    "eval paraphrase --train FILE --test FILE --encoder ENC",
    "eval sentiment --train FILE --test FILE --encoder ENC",
    "eval xlsim --pairs FILE --encoder ENC",
    "cross-pairs --source FILE --target FILE",
    "align --source FILE --target FILE",
    "eval alignment --gold FILE --predicted FILE",
    "mine-negatives --pairs W/train.tsv --encoder ENC --target-vocabulary FILE",
    "finetune --pairs W/train.tsv --negatives FILE --encoder ENC",
    "finetune --synonyms FILE --encoder ENC",
    "interpolate --vectors SPACE --encoder ENC --dictionary W/train.tsv --source-vocabulary FILE",
    "induce --vectors SPACE --dictionary W/train.tsv --words FILE",
)


@pytest.mark.parametrize("template", LINES)
def test_a_translation_memory_is_not_read_as_lines(line, fails, tmp_path, template):
    path = tmp_path / "memory.tmx"
    sides = "".join(f'<tuv xml:lang="{code}"><seg>{text}</seg></tuv>' for code, text in (("en", "a"), ("de", "b")))
    path.write_text(f'<?xml version="1.0"?>\n<tmx><header srclang="en"/><body><tu>{sides}</tu></body></tmx>')
    found = fails(*line(template, path, tmp_path / "out"), early=False)
    assert found.message == f"{path} is TMX, expected lines of text."
    assert f"lexenc convert {path} | cut -f1 > text.txt" in found.hint
    assert not (tmp_path / "out").exists()
