"""align: a corpus of a toy language to links, a lexicon and a page; odd corpora; work that was stopped."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from lexenc.artifact import UNFINISHED, aside_folder
from lexenc.errors import ConfigError, DataError
from lexenc.files.dictionaries import read_pairs
from lexenc.planning import plan_stage, run_plan
from lexenc.stage import Notices
from lexenc.stages import STAGES
from lexenc.stages.alignment.shared import LinkFiles, read_aligned

EN = "house dog cat tree water fire stone bread milk green red blue night day sun moon star river sea book".split()
DE = (
    "Haus Hund Katze Baum Wasser Feuer Stein Brot Milch grün rot blau Nacht Tag Sonne Mond Stern Fluss See Buch".split()
)


def corpus(count=150):
    """Sentences of words that translate one by one, two of them in the other order; with the places that belong."""
    random = np.random.default_rng(0)
    pairs, gold = [], []
    for _ in range(count):
        words = random.choice(len(EN), size=random.integers(3, 9), replace=False).tolist()
        order = list(range(len(words)))
        swap = int(random.integers(0, len(words) - 1))
        order[swap], order[swap + 1] = order[swap + 1], order[swap]
        pairs.append((" ".join(EN[each] for each in words), " ".join(DE[words[each]] for each in order)))
        gold.append({(place, row) for row, place in enumerate(order)})
    return pairs, gold


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("".join(f"{source} ||| {target}\n" for source, target in corpus()[0]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def aligned(stage, text, tmp_path_factory):
    return stage("align", tmp_path_factory.mktemp("aligned") / "out", {"sweeps": 0.2}, pairs=text)


def links_of(folder):
    return [{(i, j) for i, j, _ in links} for *_, links in read_aligned(folder)]


def test_words_of_a_toy_language_are_linked(aligned):
    found, gold = links_of(aligned.out), corpus()[1]
    right = sum(len(one & other) for one, other in zip(found, gold, strict=True))
    assert right > 0.9 * sum(map(len, found))
    assert right > 0.9 * sum(map(len, gold))


def test_files_stand_line_by_line_and_scores_beside_links(aligned):
    lines = {name: (aligned.out / name).read_text(encoding="utf-8").splitlines()
             for name in ("alignments.txt", "scores.txt", "sentences.txt")}  # fmt: skip
    assert {len(each) for each in lines.values()} == {150}
    for links, scores in zip(lines["alignments.txt"], lines["scores.txt"], strict=True):
        assert len(links.split()) == len(scores.split())
        assert all(re.fullmatch(r"\d+-\d+", each) for each in links.split())
        assert all(0.45 <= float(each) <= 1 for each in scores.split())
    assert lines["sentences.txt"][0] == " ||| ".join(corpus()[0][0])
    assert aligned.manifest.summary["sentence_pairs"] == 150
    assert not (aligned.out / UNFINISHED).exists()


def test_the_lexicon_is_a_dictionary_for_other_commands(aligned):
    pairs = dict(list(read_pairs(aligned.out / "lexicon.tsv"))[::-1])
    known = {word: DE[number].lower() for number, word in enumerate(EN)}
    assert sum(pairs.get(word) == other for word, other in known.items()) >= 18
    head = (aligned.out / "lexicon.tsv").read_text(encoding="utf-8").splitlines()[0]
    assert head.split("\t") == ["source", "target", "probability", "backward_probability", "links"]


def test_the_page_has_a_grid_for_every_sentence_pair_that_was_asked_for(stage, text, tmp_path, aligned):
    assert (aligned.out / "alignments.html").read_text(encoding="utf-8").count("<table>") == 50
    made = stage("align", tmp_path / "out", {"sweeps": 0.05, "drawn": 2}, pairs=text)
    page = (made.out / "alignments.html").read_text(encoding="utf-8")
    assert page.count("<table>") == 2
    assert "default-src 'none'" in page
    assert "//" not in page, "no address, be it http, https or that of the page itself"


def test_grids_for_the_terminal(aligned):
    (table,) = STAGES["align"].draw(aligned.out, 1)
    source, target = corpus()[0][0]
    assert [row[0] for row in table.rows] == [f"{n} {word}" for n, word in enumerate(source.split(), start=1)]
    assert len(table.columns) == len(target.split()) + 1
    assert {cell for row in table.rows for cell in row[1:]} <= {"##", "++", "--", "."}


@pytest.mark.parametrize("how", ["intersection", "grow-diag-final-and", "forward"])
def test_ways_to_join_the_directions(stage, text, tmp_path, how):
    made = stage("align", tmp_path / "out", {"sweeps": 0.1, "symmetrise": how}, pairs=text)
    assert made.manifest.summary["links"] > 500


def test_the_diagonal_model(stage, text, tmp_path):
    made = stage("align", tmp_path / "out", {"model": "diagonal"}, pairs=text)
    found, gold = links_of(made.out), corpus()[1]
    assert sum(len(one & other) for one, other in zip(found, gold, strict=True)) > 0.8 * sum(map(len, gold))


def test_two_files_and_a_tab_are_the_same_corpus(stage, text, tmp_path, aligned):
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for side, path in enumerate(files):
        path.write_text("".join(f"{pair[side]}\n" for pair in corpus()[0]), encoding="utf-8")
    tabs = tmp_path / "tabs.tsv"
    tabs.write_text("".join(f"{source}\t{target}\n" for source, target in corpus()[0]), encoding="utf-8")
    both = stage("align", tmp_path / "out", {"sweeps": 0.2}, source=files[0], target=files[1])
    parted = stage("align", tmp_path / "tabs", {"sweeps": 0.2}, pairs=tabs)
    for made in (both, parted):
        assert (made.out / "alignments.txt").read_bytes() == (aligned.out / "alignments.txt").read_bytes()


def test_known_translations_help_a_small_corpus(stage, tmp_path):
    # Words of the translations stand anyhow: three sentences do not show what belongs together.
    draw = np.random.default_rng(1)
    pairs = [(one, draw.permutation(other.split()).tolist()) for one, other in corpus(3)[0]]
    lines = [f"{one} ||| {' '.join(other)}\n" for one, other in pairs]
    gold = [{(one.split().index(EN[DE.index(word)]), row) for row, word in enumerate(other)} for one, other in pairs]
    (tmp_path / "few.txt").write_text("".join(lines), encoding="utf-8")
    # A word of a dictionary need not be in the corpus, and it may be written otherwise.
    words = [*((one.upper(), other) for one, other in zip(EN, DE, strict=True)), ("cheese", "Käse"), ("sun", "Käse")]
    (tmp_path / "words.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in words), encoding="utf-8")
    rows = "".join(f"{one.lower()}\t{other.lower()}\t0.9\n" for one, other in words)
    (tmp_path / "lexicon.tsv").write_text(f"source\ttarget\tprobability\n{rows}", encoding="utf-8")
    right = []
    for name in (None, "words.tsv", "lexicon.tsv"):
        known = {} if name is None else {"dictionary": tmp_path / name}
        made = stage("align", tmp_path / f"out-{name}", pairs=tmp_path / "few.txt", **known)
        right.append(sum(len(one & other) for one, other in zip(links_of(made.out), gold, strict=True)))
        assert (made.manifest.summary.get("known_pairs") is None) == (name is None)
    assert right[0] < 0.8 * right[1]
    assert min(right[1:]) > 0.95 * sum(map(len, gold))


def test_a_dictionary_the_wrong_way_round_is_told(stage, text, tmp_path):
    (tmp_path / "words.tsv").write_text("Haus\thouse\n", encoding="utf-8")
    made = stage("align", tmp_path / "out", {"sweeps": 0.01}, pairs=text, dictionary=tmp_path / "words.tsv")
    assert any("no pair of it occurs in a sentence pair" in each for each in made.warnings)


def test_case_is_not_counted_unless_asked(stage, tmp_path):
    path = tmp_path / "case.txt"
    path.write_text("Haus Hund ||| HOUSE dog\nhaus ||| house\nHUND ||| Dog\n" * 10, encoding="utf-8")
    made = stage("align", tmp_path / "out", {"min_count": 1}, pairs=path)
    assert set(read_pairs(made.out / "lexicon.tsv")) >= {("haus", "house"), ("hund", "dog")}
    kept = stage("align", tmp_path / "kept", {"min_count": 1, "lowercase": False}, pairs=path)
    assert any(source == "Haus" for source, _ in read_pairs(kept.out / "lexicon.tsv"))


# ---------------------------------------------------------------- encoders and vectors


def test_an_encoder_links_words(stage, tmp_path):
    path = tmp_path / "same.txt"
    path.write_text("the green house ||| the green house\n ||| \nred sea ||| red sea\n", encoding="utf-8")
    made = stage("align", tmp_path / "out", {}, pairs=path, encoder="mini")
    assert made.manifest.params["method"] == "itermax"
    assert links_of(made.out)[0] >= {(0, 0), (1, 1), (2, 2)}
    assert links_of(made.out)[1] == set()


def test_vectors_of_a_shared_space_link_words(stage, tmp_path):
    from lexenc.files.spaces import Space, save_space
    from lexenc.files.vec_report import ReadReport
    from lexenc.files.vectors import Vectors

    matrix = np.random.default_rng(0).normal(size=(len(EN), 8)).astype(np.float32)
    lower = [word.lower() for word in DE]
    space = tmp_path / "space"
    space.mkdir()
    report = ReadReport("made here")
    save_space(space, Space(Vectors(EN, matrix, report), Vectors(lower, matrix, report)))
    path = tmp_path / "corpus.txt"
    path.write_text("house dog unheard ||| Hund Haus\n", encoding="utf-8")
    made = stage("align", tmp_path / "out", {"method": "argmax"}, pairs=path, vectors=space)
    assert links_of(made.out) == [{(0, 1), (1, 0)}]
    assert made.manifest.summary["without_vector"] == 1
    strict = stage("align", tmp_path / "strict", {"method": "argmax", "threshold": 1.0}, pairs=path, vectors=space)
    assert links_of(strict.out)[0] <= {(0, 1), (1, 0)}


# ---------------------------------------------------------------- odd corpora


def lines(path, *texts):
    path.write_text("".join(f"{each}\n" for each in texts), encoding="utf-8")
    return path


def test_empty_lines_stay_in_place(stage, tmp_path):
    path = lines(tmp_path / "c.txt", "a b ||| c d", "", " ||| ", "a ||| ", "a ||| c")
    made = stage("align", tmp_path / "out", {"words": "spaces"}, pairs=path)
    assert len((made.out / "alignments.txt").read_text().splitlines()) == 5
    assert [bool(each) for each in links_of(made.out)[1:4]] == [False] * 3
    assert made.manifest.summary["empty"] == 3
    assert any("1 sentence without words on the other side" in each for each in made.warnings)


@pytest.mark.parametrize("thai", ["เหลือเวลาอีกกี่ชั่วโมง", "เหลือ เวลา อีก กี่ ชั่วโมง"])
def test_words_that_are_single_characters_are_told(stage, tmp_path, thai):
    path = lines(tmp_path / "c.txt", *[f"{thai}\thow many hours are left?"] * 5)
    made = stage("align", tmp_path / "out", {"sweeps": 0.1}, pairs=path)
    told = f"{path}: the words of the source are single characters, as no spaces separate its words."
    assert (told in made.warnings) == (" " not in thai)
    assert ("Split the text into words first, with a program for its language." in made.hints) == (" " not in thai)


def test_unequal_files_name_the_longer_one(stage, tmp_path):
    files = lines(tmp_path / "a.txt", "a", "b"), lines(tmp_path / "b.txt", "c")
    with pytest.raises(DataError, match=r"a\.txt has 2 lines, .*b\.txt 1: lines from 2 on"):
        stage("align", tmp_path / "out", {}, source=files[0], target=files[1])
    assert not (tmp_path / "out").exists()


def test_a_no_break_space_stays_inside_its_word(stage, tmp_path):
    path = lines(tmp_path / "c.txt", *["10\u00a0000 men ||| 10\u00a0000 Mann", "men ||| Mann"] * 20)
    made = stage("align", tmp_path / "out", {"words": "spaces"}, pairs=path)
    assert links_of(made.out)[0] == {(0, 0), (1, 1)}
    assert ("10\u00a0000", "10\u00a0000") in set(read_pairs(made.out / "lexicon.tsv"))


def test_a_very_long_line_gets_no_links_and_is_counted(stage, tmp_path):
    long = " ".join(["word"] * 10_000)
    path = lines(tmp_path / "c.txt", "a b ||| c d", f"{long} ||| {long}", "a ||| c")
    made = stage("align", tmp_path / "out", {"words": "spaces"}, pairs=path)
    assert [bool(each) for each in links_of(made.out)] == [True, False, True]
    assert any("1 sentence pair with more than 200 words" in each for each in made.warnings)


def test_what_is_not_utf_8_is_named_by_line(stage, tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"a ||| b\ncaf\xe9 ||| b\n")
    with pytest.raises(DataError, match="line 2"):
        stage("align", tmp_path / "out", {}, pairs=path)


def test_punctuation_alone_is_words_too(stage, tmp_path):
    path = lines(tmp_path / "c.txt", *["! ? ||| ! ?"] * 20)
    made = stage("align", tmp_path / "out", {}, pairs=path)
    assert len(links_of(made.out)) == 20


TOKENISED = [("i can 't , he said .", "je ne peux pas , l' eau .")] * 3
WRITTEN = [("I can't, he said.", "Je ne peux pas, l'eau.")] * 3
TMX = """<tmx version="1.4"><header srclang="en"/><body>{}</body></tmx>"""
UNIT = "<tu><tuv xml:lang='en'><seg>{}</seg></tuv><tuv xml:lang='fr'><seg>{}</seg></tuv></tu>"


def in_form(folder, form, pairs):
    """Write sentence pairs in a form; return the inputs of align."""
    if form == "two files":
        sides = zip(*pairs, strict=True)
        return {name: lines(folder / name, *side) for name, side in zip(("source", "target"), sides, strict=True)}
    if form == "tmx":
        return {"pairs": lines(folder / "c.tmx", TMX.format("\n".join(UNIT.format(*pair) for pair in pairs)))}
    return {"pairs": lines(folder / "c.txt", *(form.join(pair) for pair in pairs))}


def words_of(stage, folder, form, pairs, **params):
    made = stage("align", folder / "out", {"sweeps": 0.01} | params, **in_form(folder, form, pairs))
    return [(source, target) for source, target, _ in read_aligned(made.out)], made


@pytest.mark.parametrize("form", [" ||| ", "\t", "two files", "tmx"])
def test_words_of_tokenised_text_are_kept(stage, tmp_path, form):
    found, made = words_of(stage, tmp_path, form, TOKENISED)
    assert found == [tuple(side.split() for side in pair) for pair in TOKENISED]
    assert made.manifest.summary["newly_cut"] == 0
    assert "of punctuation" not in " ".join(made.warnings)


@pytest.mark.parametrize("form", ["\t", "two files", "tmx"])
def test_words_of_other_text_are_cut(stage, tmp_path, form):
    found, made = words_of(stage, tmp_path, form, WRITTEN)
    assert found[0] == ("I can't , he said .".split(), "Je ne peux pas , l'eau .".split())
    assert made.manifest.summary["newly_cut"] == 3


def test_words_between_bars_are_kept_whatever_they_are_unless_asked(stage, tmp_path):
    found, made = words_of(stage, tmp_path, " ||| ", WRITTEN)
    assert found[0] == tuple(side.split() for side in WRITTEN[0])
    assert sum("punctuation is not separated from the" in each for each in made.warnings) == 2
    (tmp_path / "asked").mkdir()
    found, made = words_of(stage, tmp_path / "asked", " ||| ", TOKENISED, words="words")
    assert found[0][0] == "i can ' t , he said .".split()
    assert made.manifest.summary["newly_cut"] == 3


def test_each_side_is_cut_as_it_is_written(stage, tmp_path):
    found, _ = words_of(stage, tmp_path, " ||| ", [("私は学生です。", "i am a student .")] * 3)
    assert found[0] == (list("私は学生です。"), "i am a student .".split())
    (tmp_path / "tabs").mkdir()
    found, _ = words_of(stage, tmp_path / "tabs", "\t", [("私 は 学生 で す 。", "I am a student.")] * 3)
    assert found[0] == ("私 は 学生 で す 。".split(), "I am a student .".split())


@pytest.mark.parametrize("content", ["", "\n\n", " ||| \n"])
def test_a_corpus_of_nothing_is_refused(stage, tmp_path, content):
    path = tmp_path / "c.txt"
    path.write_text(content)
    with pytest.raises(DataError, match="no sentence pair"):
        stage("align", tmp_path / "out", {}, pairs=path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("params", "inputs", "message"),
    [
        ({}, {}, "align needs --pairs, or --source and --target"),
        ({}, {"source": 0}, "align needs --target too"),
        ({}, {"pairs": 0, "target": 0}, "--pairs already has both sides"),
        ({"method": "argmax"}, {"pairs": 0}, "--method argmax needs --encoder or --vectors"),
        ({"method": "span"}, {"pairs": 0}, "--method span needs --encoder"),
        ({"method": "statistical"}, {"pairs": 0, "encoder": "mini"}, "--method statistical takes no --encoder"),
        ({"words": "word"}, {"pairs": 0}, "--words"),
    ],
)
def test_settings_that_do_not_go_together(stage, text, tmp_path, params, inputs, message):
    given = {name: text if value == 0 else value for name, value in inputs.items()}
    with pytest.raises(ConfigError) as caught:
        stage("align", tmp_path / "out", params, **given)
    faults = [caught.value, *getattr(caught.value, "faults", [])]
    assert any(message in each.message for each in faults)


def test_eflomal_is_looked_for_before_anything_is_read(stage, text, tmp_path, monkeypatch):
    from lexenc.alignment import eflomal

    monkeypatch.setattr(eflomal.shutil, "which", lambda name: None)
    monkeypatch.setattr(eflomal.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ConfigError, match="eflomal is not installed"):
        stage("align", tmp_path / "out", {"method": "eflomal"}, pairs=text)


def test_eflomal_is_run_and_its_directions_joined(stage, tmp_path, monkeypatch):
    from lexenc.alignment import eflomal

    program = tmp_path / "eflomal-align"
    program.write_text(
        '#!/bin/sh\nwhile [ $# -gt 0 ]; do case "$1" in -f) f="$2";; -r) r="$2";; esac; shift; done\n'
        "printf '0-0 1-1\\n\\n' > \"$f\"; printf '0-0 1-0\\n\\n' > \"$r\"\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(eflomal.sys, "executable", str(tmp_path / "python"))
    path = lines(tmp_path / "c.txt", "a b ||| c d", " ||| ")
    made = stage("align", tmp_path / "out", {"method": "eflomal"}, pairs=path)
    assert links_of(made.out) == [{(0, 0)}, set()]
    union = stage("align", tmp_path / "union", {"method": "eflomal", "symmetrise": "union"}, pairs=path)
    assert links_of(union.out) == [{(0, 0), (1, 0), (1, 1)}, set()]
    program.write_text("#!/bin/sh\necho broken >&2; exit 3\n")
    with pytest.raises(Exception, match="eflomal stopped with 3: broken"):
        stage("align", tmp_path / "broken", {"method": "eflomal"}, pairs=path)


# ---------------------------------------------------------------- stopped and continued


def test_chains_that_are_done_are_kept(text, tmp_path, aligned, monkeypatch):
    from lexenc.alignment import statistical

    said, done = [], []
    plain = statistical.sample_links

    def stopping(bitext, **more):
        done.append(1)
        if len(done) == 4:
            raise KeyboardInterrupt
        plain(bitext, **more)

    def run(out):
        plan = plan_stage(STAGES["align"], inputs={"pairs": str(text)}, params={"sweeps": 0.2}, seed=0, out=out)
        run_plan(plan, device="cpu", notices=Notices(say=said.append))

    monkeypatch.setattr(statistical, "sample_links", stopping)
    monkeypatch.setattr("lexenc.alignment.statistical.cores", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out")
    monkeypatch.setattr(statistical, "sample_links", plain)
    run(tmp_path / "out")
    assert any("3 of 6 chains are finished already" in each for each in said)
    for name in ("alignments.txt", "scores.txt", "lexicon.tsv"):
        assert (tmp_path / "out" / name).read_bytes() == (aligned.out / name).read_bytes()


def test_a_disk_without_room_is_found_before_anything_is_written_to_it(stage, text, tmp_path, monkeypatch):
    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(OSError, match="No space left"):
        stage("align", tmp_path / "out", pairs=text)
    assert not (tmp_path / "out").exists()


def test_parts_that_are_written_are_kept(text, tmp_path, monkeypatch):
    from lexenc.alignment.matching import EmbeddingAligner

    monkeypatch.setattr("lexenc.stages.alignment.align._PART", 40)
    plain, seen = EmbeddingAligner.align, []

    def stopping(self, pairs):
        seen.append(len(pairs))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return plain(self, pairs)

    def run(out):
        inputs = {"pairs": str(text), "encoder": "mini"}
        run_plan(plan_stage(STAGES["align"], inputs=inputs, params={}, seed=0, out=out), device="cpu")

    run(tmp_path / "whole")
    monkeypatch.setattr(EmbeddingAligner, "align", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out")
    state = json.loads((aside_folder(tmp_path / "out") / UNFINISHED / "done.json").read_text())
    assert state["pairs"] == 80
    run(tmp_path / "out")
    assert seen == [40, 40, 40, 40, 30]
    for name in ("alignments.txt", "scores.txt", "sentences.txt", "lexicon.tsv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_counts_of_what_was_unusual_survive_an_interruption(tmp_path, monkeypatch):
    from lexenc.alignment.matching import EmbeddingAligner

    path = lines(tmp_path / "c.txt", *["sun ||| Sonne"] * 3, "sun ||| ", *["sun moon ||| Sonne"] * 4)
    monkeypatch.setattr("lexenc.stages.alignment.align._PART", 5)
    plain, calls, stops = EmbeddingAligner.align, [], [4]

    def stopping(self, pairs):
        calls.append(1)
        if len(calls) in stops:
            raise KeyboardInterrupt
        self.counts["windowed"] += len(pairs)
        return plain(self, pairs)

    def run(out):
        inputs = {"pairs": str(path), "encoder": "mini"}
        return run_plan(plan_stage(STAGES["align"], inputs=inputs, params={}, seed=0, out=out), device="cpu").summary

    monkeypatch.setattr(EmbeddingAligner, "align", stopping)
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out")
    assert run(tmp_path / "out") == whole
    assert (whole["empty"], whole["windowed"]) == (1, 8)


def test_half_a_part_is_written_again(tmp_path):
    links = [[(0, 0, 1.0)], []]
    with LinkFiles(tmp_path, 5) as files:
        files.write(links, {"too_large": 2})
    with (tmp_path / "alignments.txt").open("a") as stream:
        stream.write("0-")
    with LinkFiles(tmp_path, 5) as files:
        assert (files.pairs, files.counts) == (2, {"too_large": 2})
        assert list(files.written(1)) == [[[(0, 0)]], [[]]]
    assert (tmp_path / "alignments.txt").read_text() == "0-0\n\n"


def damaged(path):
    path.write_bytes(path.read_bytes()[:-2])


@pytest.fixture(scope="module")
def stopped(stage, text, tmp_path_factory):
    """The unfinished work of `aligned` when some of its links were written."""
    place, real = tmp_path_factory.mktemp("stopped"), LinkFiles.write

    def stopping(self, *given):
        if self.pairs > 60:
            raise KeyboardInterrupt
        real(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LinkFiles, "write", stopping)
        patch.setattr("lexenc.alignment.statistical._CELLS", 500)
        with pytest.raises(KeyboardInterrupt):
            stage("align", place / "out", {"sweeps": 0.2}, pairs=text)
    return aside_folder(place / "out")


@pytest.mark.parametrize("damage", [damaged, Path.unlink], ids=["cut", "gone"])
@pytest.mark.parametrize(
    "name",
    ["read.json", "done.json", "pairs.numbers", "forward-0.counts", "sentences.txt", "alignments.txt", "scores.txt"],
)
def test_damaged_state_is_made_again(stage, aligned, text, tmp_path, stopped, name, damage):
    """Any file of unfinished work may be cut or gone; the result is the same."""
    shutil.copytree(stopped, aside_folder(tmp_path / "out"))
    damage(aside_folder(tmp_path / "out") / UNFINISHED / name)
    again = stage("align", tmp_path / "out", {"sweeps": 0.2}, pairs=text)
    assert again.manifest.outputs == aligned.manifest.outputs
    assert again.manifest.summary == aligned.manifest.summary


def test_warnings_of_a_part_that_is_done_are_repeated(stage, tmp_path, monkeypatch):
    path = tmp_path / "c.txt"
    path.write_text("\u732b\u304c\u3044\u308b ||| there is a cat\n" * 40, encoding="utf-8")
    whole = stage("align", tmp_path / "whole", {"sweeps": 0.2}, pairs=path)
    assert whole.warnings
    real = LinkFiles.__enter__

    def stopping(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(LinkFiles, "__enter__", stopping)
    with pytest.raises(KeyboardInterrupt):
        stage("align", tmp_path / "out", {"sweeps": 0.2}, pairs=path)
    monkeypatch.setattr(LinkFiles, "__enter__", real)
    again = stage("align", tmp_path / "out", {"sweeps": 0.2}, pairs=path)
    assert again.warnings == whole.warnings
    assert again.manifest.warnings == whole.manifest.warnings
