"""align-documents: two documents or two folders become links, tables and a translation memory that others read."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from lexenc.artifact import UNFINISHED, aside_folder
from lexenc.encoders import encode
from lexenc.errors import ConfigError, DataError
from lexenc.files.exchange.pairs import PairFile
from lexenc.files.parallel import parallel_text
from lexenc.planning import plan_stage, run_plan
from lexenc.stages import STAGES
from lexenc.stages.sentences import align_documents

WORDS = (
    "house dog cat tree water fire stone bread milk green red blue night day sun moon star river mountain sea book pen "
    "table chair door window street city land hand head foot eye ear heart bird fish horse cow apple"
).split()


def write(path, lines):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def sentences(count, seed=0):
    words = np.random.default_rng(seed).permutation(WORDS).tolist()
    return [" ".join(words[2 * i : 2 * i + 2]) for i in range(count)]


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """A document with a blank line and a TAB, and one that lacks its sixth sentence and joins two others."""
    folder, text = tmp_path_factory.mktemp("documents"), sentences(20)
    other = [*text[:5], *text[6:10], f"{text[10]} {text[11]}", *text[12:], text[2]]
    source = write(folder / "a.txt", [text[0].replace(" ", "\t", 1), "", *text[1:]])
    gold = ["[0]:[0]:0.1", *(f"[{i + 1}]:[{i}]:0.2" for i in range(1, 5)), *(f"[{i + 2}]:[{i}]" for i in range(5, 9))]
    gold += ["[11, 12]:[9]", *(f"[{i + 1}]:[{i - 2}]" for i in range(12, 20)), "[6]:[]", "[]:[18]"]
    return {"source": source, "target": write(folder / "b.txt", other), "gold": write(folder / "gold", gold)}


def rows(path):
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_document_becomes_a_table_and_a_memory(stage, static, documents, tmp_path):
    made = stage("align-documents", tmp_path / "out", encoder=static, **documents)
    assert made.files == {
        "manifest.json",
        "aligned.tsv",
        "aligned.tmx",
        "unaligned.tsv",
        "regions.tsv",
        "documents.tsv",
    }
    head, strict, lax = made.manifest.results
    assert head["kinds"] == {"1:1": 17, "1:0": 1, "2:1": 1, "0:1": 1}
    assert (head["insertions"], head["deletions"], head["source_sentences"]) == (1, 1, 20)
    assert 0.9 < head["source_aligned"] < 1
    assert (strict["f1"], lax["f1"], strict["gold"]) == (1, 1, 18)
    table = rows(made.out / "aligned.tsv")
    assert table[0] == ["source", "target", "score", "sentences"]
    assert [row[3] for row in table[1:3]] == ["[0]:[0]", "[2]:[1]"]
    assert "[11, 12]:[9]" in {row[3] for row in table}
    assert float(table[1][2]) == pytest.approx(1, abs=0.01)
    text = sentences(20)
    assert rows(made.out / "unaligned.tsv")[1:] == [["source", "7", text[5]], ["target", "19", text[2]]]
    # Others read both files.
    pairs = [pair[1:] for pair in parallel_text(made.out / "aligned.tsv")]
    assert pairs == [tuple(row[:2]) for row in table[1:]] == [pair[1:] for pair in PairFile(made.out / "aligned.tmx")]
    assert "1 sentence with a TAB, which became a space." in made.warnings
    assert "join equal texts" in made.warnings[-1]


def test_a_minimum_score_and_both_kinds_of_blocks(stage, static, documents, tmp_path):
    plain = {name: documents[name] for name in ("source", "target")}
    made = stage("align-documents", tmp_path / "out", {"blocks": "text", "min_score": 0.999}, encoder=static, **plain)
    assert made.manifest.summary["links"] == 18
    left = made.manifest.summary.get("below_min_score", 0)
    assert len(rows(made.out / "aligned.tsv")) == 1 + 18 - left


def test_folders_are_paired_by_name(stage, static, documents, tmp_path):
    for side in ("source", "target"):
        shutil.copytree(documents[side].parent, tmp_path / side, ignore=lambda *_: ["a.txt", "b.txt", "gold"])
        shutil.copy(documents[side], write(tmp_path / side / f"one.{side}", []))
        write(tmp_path / side / "more" / "two.txt", sentences(3, seed=1))
        write(tmp_path / side / "empty", [] if side == "target" else ["a dog"])
        write(tmp_path / side / f"alone-{side}", ["a cat"])
    shutil.copy(documents["gold"], write(tmp_path / "gold" / "one.gold", []))
    given = {name: tmp_path / name for name in ("source", "target", "gold")}
    made = stage("align-documents", tmp_path / "out", encoder=static, **given)
    head, strict, _ = made.manifest.results
    assert (head["documents"], head["without_partner"], head["empty"], strict["gold"]) == (2, 2, 1, 18)
    assert {row[-1] for row in rows(made.out / "aligned.tsv")} == {"document", "more/two", "one"}
    assert [row[-1] for row in rows(made.out / "documents.tsv")] == ["document", "more/two", "one"]
    alone = stage("align-documents", tmp_path / "alone", encoder=static, **documents)
    own = [row[:-1] for row in rows(made.out / "aligned.tsv") if row[-1] == "one"]
    assert own == rows(alone.out / "aligned.tsv")[1:]
    assert "1 of the source and 1 of the target" in made.warnings[0]


def test_documents_that_do_not_belong_together_are_doubtful(stage, static, documents, tmp_path):
    other = write(tmp_path / "other.txt", [f"{word} ende" for word in "ab cd ef gh ij kl mn op qr st uv wx".split()])
    made = stage("align-documents", None, source=documents["source"], target=other, encoder=static)
    assert made.manifest.summary["verdict"] == "doubtful"
    assert "score no better than random sentences" in made.warnings[-1]


def test_what_cannot_be_aligned_is_refused(stage, static, documents, tmp_path):
    empty, folder, none = write(tmp_path / "empty", ["", " "]), tmp_path / "folder", tmp_path / "none"
    write(folder / "x.txt", ["a dog"])
    none.mkdir()
    plain = {"source": documents["source"], "encoder": static}
    with pytest.raises(DataError, match="empty contains no sentences"):
        stage("align-documents", None, target=empty, **plain)
    with pytest.raises(ConfigError, match="--target is a folder, but --source is not"):
        stage("align-documents", None, target=folder, **plain)
    with pytest.raises(DataError, match=r"same name as one of .*: x.txt, \(no file\)"):
        stage("align-documents", None, source=folder, target=none, encoder=static)
    with pytest.raises(DataError, match="line 1: 'a-b' is not a link"):
        stage("align-documents", None, target=documents["target"], gold=write(tmp_path / "gold", ["a-b"]), **plain)
    with pytest.raises(ConfigError, match="belong together"):
        stage("align-documents", None, {"source_language": "en"}, target=documents["target"], **plain)


def test_work_that_was_stopped_goes_on(stage, static, documents, tmp_path, monkeypatch):
    monkeypatch.setattr(align_documents, "_SEGMENT", 8)
    given = {name: str(path) for name, path in documents.items()} | {"encoder": str(static)}
    plan = plan_stage(STAGES["align-documents"], inputs=given, params={}, out=tmp_path / "out")
    whole = stage("align-documents", tmp_path / "whole", **documents, encoder=static)
    calls, original = [], encode.encode_texts

    def stopping(encoder, texts, **more):
        calls.append(len(texts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(encoder, texts, **more)

    monkeypatch.setattr(encode, "encode_texts", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, device="cpu")
    assert (aside_folder(tmp_path / "out") / UNFINISHED / "source.npy").exists()
    again = plan_stage(STAGES["align-documents"], inputs=given, params={}, out=tmp_path / "out")
    assert again.action == "resume"
    run_plan(again, device="cpu")
    assert calls == [8, 8, 4, 4, 8, 8, 2], "the first two parts are not encoded again"
    assert rows(tmp_path / "out" / "aligned.tsv") == rows(whole.out / "aligned.tsv")
