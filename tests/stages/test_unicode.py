"""Words written in two Unicode normal forms: said where they hide a match, and made one by --unicode."""

from __future__ import annotations

from unicodedata import normalize

import numpy as np
import pytest

from lexenc.errors import ConfigError
from lexenc.files.text import write_lines

ENGLISH = ["apples", "trees", "over", "beautiful", "door", "green", "hear", "juice", "key", "love"]
GERMAN = ["äpfel", "bäume", "über", "schön", "tür", "grün", "hören", "säfte", "schlüssel", "liebe"]


def decomposed(text):
    return normalize("NFD", text)


@pytest.fixture
def files(tmp_path):
    """English and German vectors in NFC, the same words in NFD, and dictionaries in both forms."""
    random = np.random.default_rng(0)

    for name, words in (("en", ENGLISH), ("de", GERMAN), ("de-nfd", list(map(decomposed, GERMAN)))):
        rows = (" ".join(f"{value:.4f}" for value in random.normal(size=6)) for _ in words)
        write_lines(tmp_path / f"{name}.vec", ["10 6", *map(" ".join, zip(words, rows, strict=True))])
    pairs = [f"{left}\t{right}" for left, right in zip(ENGLISH, GERMAN, strict=True)]
    write_lines(tmp_path / "nfc.tsv", pairs)
    write_lines(tmp_path / "nfd.tsv", map(decomposed, pairs))
    return tmp_path


def advice(made):
    return next(each for each in made.hints if "Unicode form" in each)


@pytest.mark.parametrize(("dictionary", "target"), [("nfd.tsv", "de.vec"), ("nfc.tsv", "de-nfd.vec")])
def test_a_hint_says_that_one_form_would_cover_more(stage, files, dictionary, target):
    inputs = {"source": files / "en.vec", "target": files / target, "dictionary": files / dictionary}
    made = stage("map", files / "kept", **inputs)
    assert "Only 1 of 10 dictionary pairs has vectors on both sides (10 %)." in made.warnings
    assert advice(made) == (
        "Do they differ in Unicode form? With --unicode nfc 10 of 10 pairs would have vectors on both sides."
    )
    folded = stage("map", files / "folded", {"unicode": "nfc"}, **inputs)
    assert folded.manifest.summary["pairs_used"] == 10
    assert folded.words("target") == GERMAN


def test_a_hint_comes_where_a_tenth_would_be_covered(stage, files):
    lines = (files / "nfc.tsv").read_text(encoding="utf-8").splitlines()
    write_lines(files / "mixed.tsv", [decomposed(lines[0]), *lines[1:]])
    inputs = {"source": files / "en.vec", "target": files / "de.vec", "dictionary": files / "mixed.tsv"}
    assert "10 of 10 pairs" in advice(stage("map", files / "out", **inputs))


def test_a_hint_names_both_options_where_both_are_needed(stage, files):
    write_lines(files / "upper.tsv", (f"{left.upper()}\t{decomposed(right)}"
                                      for left, right in zip(ENGLISH, GERMAN, strict=True)))  # fmt: skip
    made = stage("map", files / "out", source=files / "en.vec", target=files / "de.vec",
                 dictionary=files / "nfc.tsv")  # fmt: skip
    with pytest.raises(Exception, match="No test word has vectors") as error:
        stage("eval bli", vectors=made.out, dictionary=files / "upper.tsv")
    assert "Do they differ in case and Unicode form? With --lowercase --unicode nfc 10 of 10" in error.value.hint


def test_compatible_letters_need_nfkc(stage, files):
    write_lines(files / "wide.tsv", ["ａｐｐｌｅｓ\täpfel", "trees\tbäume"])
    inputs = {"source": files / "en.vec", "target": files / "de.vec", "dictionary": files / "wide.tsv"}
    assert "--unicode nfkc 2 of 2" in advice(stage("map", files / "out", **inputs))
    assert stage("map", files / "folded", {"unicode": "nfkc"}, **inputs).manifest.summary["pairs_used"] == 2


def test_evaluations_and_induction_fold_their_words(stage, files):
    made = stage("map", files / "out", source=files / "en.vec", target=files / "de.vec", dictionary=files / "nfc.tsv")
    scored = stage("eval bli", params={"unicode": "nfc"}, vectors=made.out, dictionary=files / "nfd.tsv")
    assert scored.manifest.results[0]["queries"] == 10
    pairs = (files / "nfd.tsv").read_text(encoding="utf-8").splitlines()
    write_lines(files / "rated.tsv", (f"{pair}\t{number}" for number, pair in enumerate(pairs)))
    rated = stage("eval xlsim", params={"unicode": "nfc"}, vectors=made.out, pairs=files / "rated.tsv")
    assert rated.manifest.results[0]["coverage"] == 1
    induced = stage("induce", files / "induced", {"unicode": "nfc", "folds": 2}, vectors=made.out,
                    dictionary=files / "nfd.tsv")  # fmt: skip
    assert not any("have vectors on both sides" in each for each in induced.warnings)


@pytest.mark.parametrize("other", [2, 1])
def test_evaluations_and_induction_say_that_a_form_would_cover_more(stage, files, other):
    made = stage("map", files / "out", source=files / "en.vec", target=files / "de.vec", dictionary=files / "nfc.tsv")
    lines = (files / "nfc.tsv").read_text(encoding="utf-8").splitlines()
    mixed = [*map(decomposed, lines[:other]), *lines[other:]]
    write_lines(files / "mixed.tsv", mixed)
    write_lines(files / "rated.tsv", (f"{pair}\t{number}" for number, pair in enumerate(mixed)))
    runs = [
        stage("eval bli", vectors=made.out, dictionary=files / "mixed.tsv"),
        stage("eval xlsim", vectors=made.out, pairs=files / "rated.tsv"),
        stage("induce", files / "induced", {"folds": 2}, vectors=made.out, dictionary=files / "mixed.tsv"),
    ]
    for run, what in zip(runs, ("test words", "test pairs", "dictionary pairs"), strict=True):
        share = f"{10 - other} of 10 {what} have vectors on both sides ({100 - 10 * other} %)."
        assert share in run.warnings
        assert "With --unicode nfc 10 of 10 pairs" in advice(run)


def test_an_evaluation_without_a_wrong_option_has_no_hint(stage, files):
    made = stage("map", files / "out", source=files / "en.vec", target=files / "de.vec", dictionary=files / "nfc.tsv")
    lines = (files / "nfc.tsv").read_text(encoding="utf-8").splitlines()
    write_lines(files / "unknown.tsv", [*lines, "nowhere\tnirgends", "never\tnie"])
    scored = stage("eval bli", vectors=made.out, dictionary=files / "unknown.tsv")
    assert not any("have vectors" in each for each in scored.warnings)


def test_audit_finds_leaks_across_forms(stage, files):
    made = stage("audit", files / "out", train=files / "nfc.tsv", test=files / "nfd.tsv")
    found = made.manifest.results[0]
    assert (found["leaked_pairs"], found["leaked_lines"], found["train_kept"]) == (10, 10, 0)
    assert (found["train_lines_with_decomposed_letters"], found["test_lines_with_decomposed_letters"]) == (0, 9)
    assert (made.out / "leaks.tsv").read_text(encoding="utf-8") == (files / "nfd.tsv").read_text(encoding="utf-8")


def test_leaks_are_found_across_forms_without_being_asked(stage, files):
    made = stage("map", files / "out", source=files / "en.vec", target=files / "de.vec", dictionary=files / "nfc.tsv")
    scored = stage("eval bli", params={"unicode": "nfc"}, vectors=made.out, dictionary=files / "nfd.tsv")
    assert scored.manifest.results[0]["pairs_learnt_from"] == 10


def test_a_space_of_many_languages_keeps_its_form(stage, files):
    vectors = [f"en={files / 'en.vec'}", f"de={files / 'de.vec'}"]
    hub = stage("map-hub", files / "hub", {"hub": "en", "unicode": "nfc"}, vectors=vectors,
                dictionaries=[f"en-de={files / 'nfd.tsv'}"])  # fmt: skip
    scored = stage("eval bli", vectors=hub.out, dictionary=files / "nfd.tsv", params={"pair": ("en-de",)})
    assert scored.manifest.results[0]["queries"] == 10
    more = {"vectors": [f"fr={files / 'de-nfd.vec'}"], "dictionaries": [f"en-fr={files / 'nfd.tsv'}"], "into": hub.out}
    with pytest.raises(ConfigError, match="were read with --unicode nfc"):
        stage("map-hub", files / "more", **more)


def test_text_in_two_forms_is_said_and_joined(stage, files):
    write_lines(files / "text.txt", ["über den bäumen", decomposed("über den wolken")] * 20)
    params = {"dimensions": 4, "epochs": 1, "minimum_count": 1, "buckets": 1000}
    made = stage("train-static", files / "kept", params, text=[files / "text.txt"])
    assert made.warnings == [
        f"1 word is written in two Unicode forms, each of which counts ('{decomposed('über')}')."
    ]
    assert set(made.words()) == {"über", decomposed("über"), "den", "bäumen", "wolken"}
    joined = stage("train-static", files / "joined", params | {"unicode": "nfc"}, text=[files / "text.txt"])
    assert (set(joined.words()), joined.warnings) == ({"über", "den", "bäumen", "wolken"}, [])


def test_words_are_not_cut_at_their_marks(stage, files):
    write_lines(files / "text.txt", ["हिन्दी में लिखा, می‌خواهم ภาษา"] * 20)
    params = {"dimensions": 4, "epochs": 1, "minimum_count": 1, "buckets": 1000}
    made = stage("train-static", files / "out", params, text=[files / "text.txt"])
    assert set(made.words()) == {"हिन्दी", "में", "लिखा", "می‌خواهم", "ภาษา"}
