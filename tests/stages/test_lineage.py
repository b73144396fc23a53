"""Evidence that is circular is found through encoders, links and lexicons, in every evaluation and in induce."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from lexenc.artifact import DigestStore, InputRecord, Manifest, read_manifest, write_manifest
from lexenc.errors import DataError
from lexenc.stages import STAGES
from lexenc.stages.lineage import LINKS, ONLY_READ, ONLY_READ_BY, PAIRS, SYNONYMS, Unknown, ancestors

LOOSE = {"words": "spaces", "min_count": 1, "min_probability": 0}
QUICK = {"epochs": 1, "batch_size": 8}
# Inputs that are models or vectors, what they were mined with, or text: followed to what they were made from.
PARTS = {"encoder", "vectors", "source", "target", "mapping", "into", "negatives", "text", "validation_pairs"}
PARTS |= {"dictionaries", "data", "tokenizer", "teacher", "senses", "model"}


def head(made):
    return made.manifest.results[0]


def fair(made):
    return head(made)["unfair"] == [] and not any("NOT A FAIR" in each.note for each in made.manifest.tables)


@pytest.fixture(scope="module")
def chain(stage, static, world, tmp_path_factory):
    """An encoder tuned on a corpus, links of the corpus by it, a lexicon from them, and vectors blended with it."""
    folder = tmp_path_factory.mktemp("chain")
    tuned = stage("finetune", folder / "tuned", QUICK, pairs=world / "text.tsv", encoder=static)
    linked = stage("align", folder / "linked", LOOSE, pairs=world / "text.tsv", encoder=tuned.out)
    lexicon = linked.out / "lexicon.tsv"
    mapped = stage("map", folder / "mapped", source=world / "en.vec", target=world / "de.vec", dictionary=lexicon)
    stage("interpolate", folder / "blend", {"lambda": 0.3}, vectors=mapped.out, encoder=tuned.out, dictionary=lexicon)
    return folder


@pytest.fixture(scope="module")
def other(stage, world, tmp_path_factory):
    """A lexicon of another corpus, by a statistical aligner."""
    folder = tmp_path_factory.mktemp("other")
    lines = (world / "text.tsv").read_text(encoding="utf-8").replace("there", "here").replace("ist", "war").splitlines()
    (folder / "other.txt").write_text("".join(each.replace("\t", " ||| ") + "\n" for each in lines), encoding="utf-8")
    stage("align", folder / "linked", LOOSE | {"method": "statistical"}, pairs=folder / "other.txt")
    return folder


# ---------------------------------------------------------------- induce


def blended(stage, folder, world, encoder, dictionary):
    mapped = stage("map", folder / "m", source=world / "en.vec", target=world / "de.vec", dictionary=dictionary)
    files = {"vectors": mapped.out, "encoder": encoder, "dictionary": dictionary}
    return stage("interpolate", folder / "b", {"lambda": 0.3}, **files).out


@pytest.fixture
def few_pairs(pairs_file, tmp_path):
    return pairs_file(tmp_path / "pairs.tsv", [("house", "haus"), ("dog", "hund"), ("sun", "sonne")])


@pytest.mark.parametrize("name", ["dictionary", "held_out"])
def test_a_lexicon_of_the_corpus_of_an_encoder_is_no_evidence(stage, chain, world, few_pairs, name, tmp_path):
    vectors = chain / "blend" if name == "dictionary" else blended(stage, tmp_path, world, chain / "tuned", few_pairs)
    given = {"vectors": vectors, name: chain / "linked" / "lexicon.tsv"}
    made = stage("induce", tmp_path / "induced", **given)
    assert (head(made)["basis"], head(made)["optimistic"]) == ("optimistic", True)
    assert any("lexicon.tsv was made from" in each and "text.tsv" in each for each in made.warnings)
    assert "lower bound" not in made.manifest.tables[0].note
    assert "lexicon.tsv was made from" in head(made)["unfair"][0]
    first = (made.out / "lexicon.tsv").read_text(encoding="utf-8").split("\t")
    assert first[2] == "optimistic_probability"


def test_a_lexicon_of_another_corpus_is_evidence(stage, chain, other, world, few_pairs, tmp_path):
    vectors = blended(stage, tmp_path, world, chain / "tuned", few_pairs)
    made = stage("induce", vectors=vectors, held_out=other / "linked" / "lexicon.tsv")
    assert (head(made)["basis"], head(made)["unfair"]) == ("held out", [])


def test_a_mapping_may_be_learned_from_the_lexicon_that_judges_it(stage, other, world, tmp_path):
    lexicon = other / "linked" / "lexicon.tsv"
    mapped = stage("map", tmp_path / "m", source=world / "en.vec", target=world / "de.vec", dictionary=lexicon)
    made = stage("induce", vectors=mapped.out, dictionary=lexicon)
    assert (head(made)["basis"], head(made)["unfair"]) == ("cross-fitted", [])


def test_links_by_the_encoder_that_is_judged_are_no_evidence(stage, static, world, few_pairs, tmp_path):
    linked = stage("align", tmp_path / "linked", LOOSE, pairs=world / "text.tsv", encoder=static)
    vectors = blended(stage, tmp_path, world, static, few_pairs)
    made = stage("induce", vectors=vectors, held_out=linked.out / "lexicon.tsv")
    assert head(made)["optimistic"]
    direct = stage("eval bli", encoder=static, dictionary=linked.out / "lexicon.tsv",
                   source_vocabulary=world / "en.txt", target_vocabulary=world / "de.txt")  # fmt: skip
    assert "was made with" in head(direct)["unfair"][0]
    assert head(direct)["pairs_learnt_from"] == 0


# ---------------------------------------------------------------- words


def test_vectors_of_the_text_that_the_test_lexicon_comes_from(stage, world, tmp_path):
    rows = [line.split("\t") for line in (world / "text.tsv").read_text(encoding="utf-8").splitlines()]
    for name, column in (("source", 0), ("target", 1)):
        (tmp_path / name).write_text("".join(f"{row[column]}\n" for row in rows), encoding="utf-8")
        stage("train-static", tmp_path / f"static-{name}", {"dimensions": 8, "minimum_count": 1, "buckets": 100},
              text=[tmp_path / name])  # fmt: skip
    sides = {name: tmp_path / name for name in ("source", "target")}
    linked = stage("align", tmp_path / "linked", LOOSE | {"method": "statistical"}, **sides)
    (tmp_path / "pairs.tsv").write_text("house\thaus\ndog\thund\nsun\tsonne\n", encoding="utf-8")
    files = {name: tmp_path / f"static-{name}" for name in sides}
    mapped = stage("map", tmp_path / "m", **files, dictionary=tmp_path / "pairs.tsv")
    made = stage("eval bli", vectors=mapped.out, dictionary=linked.out / "lexicon.tsv")
    assert "so was" in head(made)["unfair"][-1]
    assert "NOT A FAIR TEST" in made.manifest.tables[0].note
    assert fair(stage("eval bli", vectors=mapped.out, dictionary=world / "test.tsv"))


def test_a_corpus_in_another_form_is_the_same_corpus(stage, world, few_pairs, tmp_path):
    """The lexicon comes from one file of pairs, the vectors from the two sides of it, tokenised and in other order."""
    rows = [line.split("\t") for line in (world / "text.tsv").read_text(encoding="utf-8").splitlines()]
    for name, column in (("source", 0), ("target", 1)):
        text = "".join(f" {row[column].upper()} \n" for row in rows[::-1])
        (tmp_path / name).write_text(text, encoding="utf-8")
        stage("train-static", tmp_path / f"static-{name}", {"dimensions": 8, "minimum_count": 1, "buckets": 100},
              text=[tmp_path / name])  # fmt: skip
    linked = stage("align", tmp_path / "linked", LOOSE | {"method": "statistical"}, pairs=world / "text.tsv")
    files = {name: tmp_path / f"static-{name}" for name in ("source", "target")}
    mapped = stage("map", tmp_path / "m", **files, dictionary=few_pairs)
    made = stage("eval bli", vectors=mapped.out, dictionary=linked.out / "lexicon.tsv")
    assert "which has 50 % of its sentences" in head(made)["unfair"][-1], "one side of both"
    assert any("the scores are too high" in each for each in made.warnings)


def test_test_pairs_among_synonyms_and_sentences(stage, static, transformer, pairs_file, tmp_path):
    pairs = pairs_file(tmp_path / "test.tsv", [("dog\thund", "1"), ("cat\tkatze", "2"), ("Sun\tsonne", "3")])
    names = tmp_path / "names.txt"
    names.write_text("C1||dog\nC1||hund\nC2||cat\nC3||katze\nC4||sun\nC4||SONNE\n", encoding="utf-8")
    tuned = stage("finetune", tmp_path / "tuned", QUICK, synonyms=[names], encoder=static)
    made = stage("eval xlsim", None, {"draws": 100}, pairs=pairs, encoder=tuned.out)
    assert head(made)["pairs_learnt_from"] == 2
    assert fair(stage("eval xlsim", None, {"draws": 100}, pairs=pairs, encoder=static))
    # A corpus with bars, read by align-train, is no dictionary, but may hold a test pair.
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("the dog ||| der hund\ncat ||| katze\n" * 8, encoding="utf-8")
    softmax = stage("align-train softmax", tmp_path / "softmax", {"epochs": 1}, pairs=corpus, encoder=transformer)
    made = stage("eval xlsim", None, {"draws": 100}, pairs=pairs, encoder=softmax.out)
    assert head(made)["pairs_learnt_from"] == 1


def test_comparisons_and_tables_repeat_what_is_not_fair(stage, mapped, world, tmp_path, pairs_file):
    same = pairs_file(tmp_path / "same.tsv", [("house", "haus"), ("dog", "hund"), ("apple", "apfel")])
    made = stage("eval bli", tmp_path / "scores", vectors=mapped.out, dictionary=same)
    compared = stage("compare", params={"draws": 100}, first=made.out, second=made.out)
    assert any("is not a fair test: 2 test pairs were learnt from." in each for each in compared.warnings)


def test_mentions_beside_a_name_of_their_concept_in_training_pairs(stage, static, pairs_file, tmp_path):
    kb, mentions = tmp_path / "kb.txt", tmp_path / "mentions.txt"
    kb.write_text("C1||cold\nC1||Erkältung\nC2||flu\nC3||ache\n", encoding="utf-8")
    mentions.write_text("C1||common cold\nC2||grippe\nC3||ache\n", encoding="utf-8")
    pairs = pairs_file(tmp_path / "pairs.tsv", [("ERKÄLTUNG", "Common Cold"), ("grippe", "cold"), ("x", "y")])
    tuned = stage("finetune", tmp_path / "tuned", QUICK, pairs=pairs, encoder=static)
    made = stage("eval xel", knowledge_base=[kb], mentions=mentions, encoder=tuned.out)
    assert head(made)["mentions_learnt_from"] == 1, "cold is no name of C2"
    assert any("pairs.tsv" in each for each in made.warnings)
    assert "NOT A FAIR TEST" in made.manifest.tables[0].note


@pytest.mark.parametrize("damage", ["{", "{}", None])
def test_damaged_manifest_is_never_a_fair_test(stage, chain, world, tmp_path, damage):
    shutil.copytree(chain, tmp_path / "chain")
    place = tmp_path / "chain" / "mapped"
    (place / "manifest.json").unlink() if damage is None else (place / "manifest.json").write_text(damage)
    why = f"{place} has no manifest of lexenc" if damage is None else f"{place / 'manifest.json'} cannot be read"
    made = stage("eval bli", vectors=place, dictionary=world / "test.tsv")
    assert head(made)["unfair"] == [f"{why}: leaks are not checked."]
    assert not fair(made)
    assert [why in each for each in made.warnings].count(True) == 1
    later = stage("eval bli", vectors=tmp_path / "chain" / "blend", dictionary=world / "test.tsv")
    assert head(later)["unfair"][-1] == f"{why}: leaks are not checked.", "of what it was made from"


# ---------------------------------------------------------------- sentences


def test_sentence_pairs_that_an_encoder_was_tuned_on(stage, static, pairs_file, tmp_path):
    rows = [("a dog runs", "ein hund läuft"), ("the sea", "das meer"), ("a tree", "die sonne")]
    first, second = tmp_path / "first.tsv", tmp_path / "second.tsv"
    for path in (first, second):
        path.write_text("".join(f"{a}{path.stem[0]}\t{b}\t{n}\n" for n, (a, b) in enumerate(rows)), encoding="utf-8")
    pairs = pairs_file(tmp_path / "pairs.tsv", [("Das Meer", "the seaF"), ("a tree", "die sonne")])
    tuned = stage("finetune", tmp_path / "tuned", QUICK, pairs=pairs, encoder=static)
    made = stage("eval sts", tmp_path / "out", {"draws": 100}, pairs=[first, second], encoder=tuned.out)
    mean, one, other = made.manifest.results[:3]
    assert (one["pairs_learnt_from"], other["pairs_learnt_from"]) == (1, 0)
    assert mean["unfair"] == ["first: 1 test pair was learnt from."]
    assert "NOT A FAIR TEST: first: 1 test pair" in made.manifest.tables[0].note


def test_two_files_that_an_encoder_was_tuned_on(stage, static, tmp_path):
    test, source, target = (tmp_path / name for name in ("test.tsv", "a.en", "a.de"))
    test.write_text("a dog runs\tein hund läuft\t1\nthe sea\tdas meer\t2\na tree\tdie sonne\t3\n", encoding="utf-8")
    source.write_text("the sea\nx\n", encoding="utf-8")
    target.write_text("Das Meer\ny\n", encoding="utf-8")
    tuned = stage("finetune", tmp_path / "tuned", QUICK, source=source, target=target, encoder=static)
    made = stage("eval sts", None, {"draws": 100}, pairs=test, encoder=tuned.out)
    assert head(made)["pairs_learnt_from"] == 1
    target.write_text("other\ny\n", encoding="utf-8")
    made = stage("eval sts", None, {"draws": 100}, pairs=test, encoder=tuned.out)
    assert head(made)["pairs_learnt_from"] == 0
    assert any("cannot be checked" in each and "a.en" in each for each in made.warnings)


@pytest.mark.parametrize(
    ("name", "body", "found"),
    [
        ("parallel", "the sea\tDas Meer\n", 1),
        ("parallel:en-de", "the sea ||| Das Meer\na dog runs ||| ein hund läuft\n", 2),
        ("nli", "das meer\tThe sea\tentailment\na tree\tdie sonne\tneutral\n", 1),
        ("nli", "sentence1,sentence2,score\na tree,die sonne,2.5\n", 1),
        ("unsupervised", "the sea\ndas meer\n", 0),
        ("cross-lingual-nli", {"en": "the sea\tx\t0\n", "de": "y\tdas meer\t0\n"}, 1),
        ("pairs", "the sea\tDas Meer\n", 1),
        ("pairs", "the sea,das meer,4.5\n", 1),
    ],
)
def test_sources_of_training_data(stage, static, pairs_file, tmp_path, name, body, found):
    test, file = tmp_path / "test.tsv", tmp_path / "data"
    test.write_text("a dog runs\tein hund läuft\t1\nthe sea\tdas meer\t2\na tree\tdie sonne\t3\n", encoding="utf-8")
    if isinstance(body, dict):
        file.mkdir()
        for language, text in body.items():
            (file / f"train.{language}.tsv").write_text(text, encoding="utf-8")
    else:
        file.write_text(body, encoding="utf-8")
    tuned = stage("finetune", tmp_path / "tuned", QUICK, pairs=pairs_file(tmp_path / "p", [("x", "y")]), encoder=static)
    record = InputRecord(f"{name}:data", "data", DigestStore(None).of(file), name=name)
    inputs = {"dev" if name == "pairs" else "data": [record]}
    write_manifest(tuned.out, replace(tuned.manifest, stage="train", inputs=inputs))
    made = stage("eval sts", None, {"draws": 100}, pairs=test, encoder=tuned.out)
    assert head(made)["pairs_learnt_from"] == found
    if isinstance(body, str):
        file.write_text("changed\n", encoding="utf-8")
        made = stage("eval sts", None, {"draws": 100}, pairs=test, encoder=tuned.out)
        assert any("is gone or has changed" in each for each in made.warnings)


def test_single_sentences_of_the_training_text(stage, static, pairs_file, tmp_path):
    test, text = tmp_path / "test.tsv", tmp_path / "text"
    test.write_text("a dog runs\tein Hund läuft\t1\nthe sea\tdas meer\t2\na tree\tdie sonne\t3\n", encoding="utf-8")
    text.write_text("The  sea\nein hund\tA dogruns\nx\tdie sonne\n", encoding="utf-8")
    tuned = stage("finetune", tmp_path / "tuned", QUICK, pairs=pairs_file(tmp_path / "p", [("x", "y")]), encoder=static)

    def made_from(maker, name, label=""):
        record = InputRecord("text", "text", DigestStore(None).of(text), name=label)
        write_manifest(tuned.out, replace(tuned.manifest, stage=maker, inputs={name: [record]}))
        made = stage("eval sts", None, {"draws": 100}, pairs=test, encoder=tuned.out)
        assert fair(made)
        assert head(made)["pairs_learnt_from"] == 0
        assert any("in the training text" in each for each in made.said) == bool(head(made)["sentences_learnt_from"])
        return head(made)["sentences_learnt_from"]

    assert made_from("pretrain", "text", "en") == 3
    assert made_from("new-encoder", "text") == 0, "a tokenizer is learned from it, and nothing else"
    text.write_text("The  sea\nein hund\nAdogruns\n", encoding="utf-8")
    assert made_from("train", "data", "unsupervised:en") == 2
    text.write_text("the sea\tx\tneutral\ny\ta tree\tcontradiction\n", encoding="utf-8")
    assert made_from("train", "data", "nli") == 2
    text.write_text("the sea\tx\ny\ta tree\n", encoding="utf-8")
    assert made_from("train", "data", "parallel:en-de") == 2
    assert made_from("train", "dev", "pairs") == 0, "weights are chosen on it"


def test_audit_of_an_encoder(stage, static, pairs_file, tmp_path):
    pairs = pairs_file(tmp_path / "pairs.tsv", [("The sea", "das Meer"), ("dog", "Hund")])
    tuned = stage("finetune", tmp_path / "tuned", QUICK, pairs=pairs, encoder=static)
    (tmp_path / "test.en").write_text("thesea\na dog\n", encoding="utf-8")
    (tmp_path / "test.de").write_text("das meer\nhund\n", encoding="utf-8")
    both = {"test": tmp_path / "test.en", "test_target": tmp_path / "test.de"}
    made = stage("audit", tmp_path / "out", encoder=tuned.out, **both)
    assert (head(made)["leaked_pairs"], head(made)["leaked_sentences"], made.manifest.answer) == (1, 3, False)
    assert (tmp_path / "out" / "leaks.tsv").read_text() == "thesea\tdas meer\n"
    words = pairs_file(tmp_path / "words.tsv", [("hund", "dog"), ("sun", "sonne")])
    made = stage("audit", None, encoder=tuned.out, test=words)
    assert (head(made)["leaked_pairs"], head(made)["test_lines"]) == (1, 2)
    made = stage("audit", None, encoder=static, test=words)
    assert (head(made)["leaked_pairs"], made.manifest.answer) == (0, True)
    (tuned.out / "manifest.json").unlink()
    with pytest.raises(DataError, match="no manifest that says what it was trained on"):
        stage("audit", None, encoder=tuned.out, test=words)


LINES = [("the sea", "das Meer"), ("Hund", "dog")]  # each in one word: as a dictionary has it


SWAHILI = "the sea\tx\t0\n", "y\tdas meer\t0\n"
COLUMNS = "language\tpremise\thypothesis\tlabel\nen\tthe sea\tx\t0\nde\ty\tdas meer\t0\n"


@pytest.mark.parametrize(
    ("given", "languages", "found"),
    [
        ({"": COLUMNS}, None, 1),
        ({"en,de": COLUMNS}, None, 1),
        ({"en": SWAHILI[0], "de": SWAHILI[1]}, None, 1),
        ({"en": SWAHILI[0], "de": SWAHILI[1]}, ["en"], 0),
        ({"en": SWAHILI[0], "sw": "a\tb\t0\n", "de": SWAHILI[1]}, [], 1),
        ({"en": COLUMNS}, None, 0),
    ],
)
def test_aligned_inference_counts_across_languages(stage, static, pairs_file, tmp_path, given, languages, found):
    test = tmp_path / "test.tsv"
    test.write_text("a dog runs\tein hund läuft\t1\nthe sea\tdas meer\t2\na tree\tdie sonne\t3\n", encoding="utf-8")
    tuned = stage("finetune", tmp_path / "tuned", QUICK, pairs=pairs_file(tmp_path / "p", [("x", "y")]), encoder=static)
    records = []
    for number, (name, body) in enumerate(given.items()):
        file = tmp_path / f"data{number}"
        file.write_text(body, encoding="utf-8")
        label = f"cross-lingual-nli:{name}" if name else "cross-lingual-nli"
        records.append(InputRecord(file.name, file.name, DigestStore(None).of(file), name=label))
    params = tuned.manifest.params | {"languages": languages}
    write_manifest(tuned.out, replace(tuned.manifest, stage="train", params=params, inputs={"data": records}))
    made = stage("eval sts", None, {"draws": 100}, pairs=test, encoder=tuned.out)
    assert head(made)["pairs_learnt_from"] == found
    (tmp_path / "data0").unlink()
    made = stage("eval sts", None, {"draws": 100}, pairs=test, encoder=tuned.out)
    assert any("is gone or has changed" in each for each in made.warnings)


@pytest.mark.parametrize(
    ("name", "separator"),
    [
        *(("finetune", each) for each in ("\t", " ")),
        *((each, mark) for each in ("pretrain", "align", "align-train softmax", "align-train span")
          for mark in ("\t", " ||| ")),
        ("mine-negatives", "\t"),
        ("mine-bitext", "\t"),
    ],
)  # fmt: skip
def test_pairs_of_every_stage_are_read_as_it_reads_them(stage, static, pairs_file, tmp_path, name, separator):
    pairs = [(one.replace(" ", "_"), two.replace(" ", "_")) for one, two in LINES] if separator == " " else LINES
    test, file = tmp_path / "test.tsv", tmp_path / "data"
    test.write_text("".join(f"{one}\t{two}\t{n}\n" for n, (one, two) in enumerate([*pairs, ("x", "y")])), "utf-8")
    tuned = stage("finetune", tmp_path / "tuned", QUICK, pairs=pairs_file(tmp_path / "p", [("x", "y")]), encoder=static)
    first = pairs_file(tmp_path / "first", [("a", "b")])
    file.write_text("".join(f"{one}{separator}{two}\n" for one, two in pairs), encoding="utf-8")
    files = [first, file] if STAGES[name].inputs["pairs"].repeated else [file]
    records = [InputRecord(each.name, each.name, DigestStore(None).of(each)) for each in files]
    write_manifest(tuned.out, replace(tuned.manifest, stage=name, inputs={"pairs": records}))
    made = stage("eval sts", None, {"draws": 100}, pairs=test, encoder=tuned.out)
    assert head(made)["pairs_learnt_from"] == 2


def test_every_stage_with_pairs_is_tested():
    tested = {"finetune", "pretrain", "align", "align-train softmax", "align-train span", "mine-negatives",
              "mine-bitext"}  # fmt: skip
    assert {name for name in STAGES if "pairs" in STAGES[name].inputs and not name.startswith("eval")} == tested


GOLD = "0-0 1-1 2-2 3-3\n"


@pytest.fixture(scope="module")
def test_set(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gold")
    lines = [f"das {b} ist hier ||| the {a} is here\n" for a, b in (("dog", "hund"), ("cat", "katze"), ("sun", "mond"))]
    (folder / "text").write_text("".join(lines), encoding="utf-8")
    (folder / "gold").write_text(GOLD * 3, encoding="utf-8")
    (folder / "more").write_text("".join(lines) + "Das  Meer ||| the sea\n", encoding="utf-8")
    (folder / "more gold").write_text(GOLD * 3 + "0-0 1-1\n", encoding="utf-8")
    return folder


def scored(stage, test_set, encoder, folder, method="softmax"):
    given = {} if encoder is None else {"encoder": encoder}
    made = stage("align", folder / "linked", {"words": "spaces", "method": method}, pairs=test_set / "text", **given)
    known = {"draws": 100, "gold_one_based": False, "system_one_based": False}
    return stage("eval alignment", None, known, gold=test_set / "gold", predicted=made.out)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"pairs": "text", "alignments": "gold"}, "trained on the gold links"),
        ({"pairs": "more", "alignments": "more gold"}, "trained on links of 3 of the sentence pairs"),
        ({"pairs": "other", "validation_pairs": "text", "validation": "gold"}, "selected on the gold links"),
    ],
)
def test_an_aligner_that_saw_the_gold_links(stage, transformer, test_set, how, said, tmp_path):
    (test_set / "other").write_text("ein haus ||| a house\n" * 4, encoding="utf-8")
    given = {name: test_set / file for name, file in how.items()}
    params = {"epochs": 1} | ({"objectives": "supervised"} if "alignments" in how else {})
    tuned = stage("align-train softmax", tmp_path / "tuned", params, encoder=transformer, **given)
    made = scored(stage, test_set, tuned.out, tmp_path)
    assert len(head(made)["unfair"]) == 1
    assert said in head(made)["unfair"][0]
    assert any(said in each for each in made.warnings)


def test_training_on_the_test_sentences_without_links_is_information(stage, transformer, test_set, tmp_path):
    files = {"pairs": test_set / "more", "encoder": transformer}
    tuned = stage("align-train softmax", tmp_path / "tuned", {"epochs": 1}, **files)
    made = scored(stage, test_set, tuned.out, tmp_path)
    assert (head(made)["sentences_trained_on"], head(made)["unfair"]) == (3, [])
    assert "trained on 3 of them without gold links" in made.manifest.tables[0].note
    alone = scored(stage, test_set, None, tmp_path / "corpus", "statistical")
    assert (head(alone)["sentences_trained_on"], head(alone)["unfair"]) == (3, [])
    plain = scored(stage, test_set, transformer, tmp_path / "plain", "itermax")
    assert (head(plain)["sentences_trained_on"], head(plain)["unfair"]) == (0, [])


def test_links_of_an_aligner_are_no_gold_for_itself(stage, transformer, test_set, tmp_path):
    silver = stage("align", tmp_path / "silver", LOOSE, pairs=test_set / "text", encoder=transformer)
    linked = stage("align", tmp_path / "linked", LOOSE | {"method": "argmax"}, pairs=test_set / "text",
                   encoder=transformer)  # fmt: skip
    made = stage("eval alignment", None, {"draws": 100}, gold=silver.out, predicted=linked.out)
    assert "was made with" in head(made)["unfair"][0]
    same = stage("eval alignment", None, {"draws": 100}, gold=silver.out / "alignments.txt", predicted=silver.out)
    assert any("has the links that are tested" in each for each in head(same)["unfair"])


# ---------------------------------------------------------------- the chain itself


def test_ancestors_are_the_files_and_results_of_every_step(chain):
    found = list(ancestors(chain / "blend"))
    names = [(each.maker.stage, each.name, each.tuned) for each in found]
    assert names == [
        ("interpolate", "vectors", False),
        ("map", "source", False),
        ("map", "target", False),
        ("map", "dictionary", False),
        ("interpolate", "encoder", False),
        ("finetune", "pairs", True),
        ("finetune", "encoder", True),
        ("interpolate", "dictionary", False),
    ]
    whole = {(each.maker.stage, each.name) for each in ancestors(chain / "blend", dictionaries=True)}
    assert {("align", "pairs"), ("align", "encoder")} <= whole


def test_a_step_that_was_replaced_since_is_a_gap(stage, chain, world, static, tmp_path):
    shutil.copytree(chain / "tuned", tmp_path / "tuned")
    files = {"vectors": chain / "mapped", "encoder": tmp_path / "tuned", "dictionary": world / "train.tsv"}
    blend = stage("interpolate", tmp_path / "blend", {"lambda": 0.3}, **files)
    shutil.rmtree(tmp_path / "tuned")
    stage("finetune", tmp_path / "tuned", QUICK, pairs=world / "train.tsv", encoder=static)
    (gap,) = [each for each in ancestors(blend.out) if isinstance(each, Unknown)]
    assert "was replaced since" in gap.gap
    assert read_manifest(tmp_path / "tuned").stage == "finetune"


def test_every_input_of_every_stage_is_of_a_known_kind():
    """A new input is something to learn from, a part, or only read: otherwise circular evidence is not found."""
    known = {*PAIRS, *SYNONYMS, *LINKS, *ONLY_READ, *PARTS}
    tested = {name for name in STAGES if name.startswith("eval") or name in ("compare", "audit", "induce", "export")}
    asked = [(name, one) for name in STAGES if name not in tested for one in STAGES[name].inputs]
    assert len(asked) > 40
    told = [each for each in asked if each[1] not in known and each not in ONLY_READ_BY]
    assert told == [("read-review", "review")]
    assert {each for each in ONLY_READ_BY if each not in set(asked)} == set()


def test_a_manifest_that_names_itself_ends(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    record = InputRecord("a", "a", "00", made_by="k")
    body = {name: {} for name in ("params", "outputs", "summary", "versions")} | {"results": [], "tables": []}
    names = ("created", "command", "device", "precision")
    write_manifest(
        folder,
        Manifest(
            stage="map", stage_version=1, key="k", seed=0, seconds=0.0, inputs={"source": [record]}, **body,
            **dict.fromkeys(names, ""),
        ),
    )  # fmt: skip
    found = list(ancestors(folder))
    assert [type(each).__name__ for each in found] == ["Ancestor", "Unknown"]
