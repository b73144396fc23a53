"""audit of sentence files, line-aligned or alone."""

from __future__ import annotations

import pytest

from lexenc.errors import ConfigError, DataError
from lexenc.files.parallel import parallel_text
from lexenc.text.folding import same_sentence


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def found(made, *names):
    return [made.manifest.results[0][name] for name in names]


@pytest.fixture
def train(tmp_path):
    return {
        "train": write(tmp_path / "train.en", "A dog , he said .", "", "the sea", "one\ttwo"),
        "train_target": write(tmp_path / "train.de", "Ein Hund, sagte er.", "", "das Meer", "eins zwei"),
    }


def test_two_files_are_compared_without_case_and_spaces(stage, train, tmp_path):
    test = write(tmp_path / "test.tsv", "a dog, he said.\tein hund, sagte er.", "das meer\tthe sea", "the sea\tder See")
    made = stage("audit", tmp_path / "out", test=test, **train)
    assert found(made, "leaked_pairs", "leaked_swapped_pairs", "leaked_sentences", "test_sentences") == [1, 1, 4, 5]
    assert found(made, "train_kept", "train_lines", "test_lines") == [1, 3, 3]
    assert (tmp_path / "out" / "train.tsv").read_text() == "one two\teins zwei\n"
    assert made.manifest.answer
    assert not stage("audit", None, test=test, **train).manifest.answer


def test_single_sentences_are_compared_with_both_sides(stage, train, tmp_path):
    test = write(tmp_path / "test.txt", "das meer", "new")
    made = stage("audit", tmp_path / "out", {"sentences": True}, test=test, **train)
    assert found(made, "leaked_pairs", "leaked_lines", "leaked_sentences", "train_kept") == [1, 1, 1, 2]
    made = stage("audit", tmp_path / "alone", {"sentences": True}, train=train["train"], test=test)
    assert (found(made, "leaked_sentences", "train_kept"), made.manifest.answer) == ([0, 3], True)
    pairs = write(tmp_path / "pairs.tsv", "x ||| The sea")
    made = stage("audit", tmp_path / "text", {"sentences": True}, train=train["train_target"], test=pairs)
    assert found(made, "leaked_sentences", "train_kept") == [0, 3]
    assert (tmp_path / "text" / "train.tsv").read_text() == "Ein Hund, sagte er.\ndas Meer\neins zwei\n"


def test_what_cannot_be_compared_is_refused(stage, train, tmp_path):
    test = write(tmp_path / "test.txt", "")
    with pytest.raises(DataError, match="no sentence in"):
        stage("audit", None, {"sentences": True}, test=test, **train)
    with pytest.raises(ConfigError, match="either --train or --encoder"):
        stage("audit", None, {"sentences": True}, test=test)
    with pytest.raises(ConfigError, match="always compared without case"):
        stage("audit", None, {"sentences": True, "lowercase": True}, train=test, test=test)


def test_real_leaks(stage, data):
    folder, lafand = data / "parallel", data / "parallel" / "lafand" / "en-swa"
    train, dev, test = (
        [same_sentence(pair[1:]) for pair in parallel_text(*(lafand / f"{part}.{side}.gz" for side in ("en", "swa")))]
        for part in ("train", "dev", "test")
    )
    known = set(train)
    assert [sum(pair in known for pair in part) for part in (dev, test)] == [3, 8]
    made = stage(
        "audit",
        None,
        train=folder / "enja" / "train.ja.gz",
        train_target=folder / "enja" / "train.en.gz",
        test=data / "tatoeba" / "tatoeba.jpn-eng.jpn",
        test_target=data / "tatoeba" / "tatoeba.jpn-eng.eng",
    )
    assert found(made, "leaked_pairs") == [50]
