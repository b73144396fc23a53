from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.stage import Job, Notices
from lexenc.stages.sentences import sources as module
from lexenc.stages.sentences.sources import DATA, DEV, SourceParams, check_sources, read_sources

NLI = "premise\thypothesis\tlabel\np\tyes\tentailment\np\tno\tcontradiction\nq\tq yes\tentailment\nq\tq?\tneutral\n"


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"one {i}\tmoja {i}" for i in range(40)]
    write("pairs.tsv", "".join(f"{line}\n" for line in lines))
    write("nli.tsv", NLI)
    write("text.txt", "a\nb\n\na\nc\n")
    for language in ("en", "sw", "ur"):
        write(f"xnli/train.{language}.tsv", NLI.replace("p\t", f"{language} p\t").replace("yes", f"{language} yes"))


def write(name: str, body: str) -> Path:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(body, encoding="utf-8")
    return path


class Read:
    def __init__(self, *data: str, seed: int = 0, source=None, target=None, dev=(), **params: object) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        notices = Notices(warn=lambda message, hint: self.warned.append(message), say=self.said.append)
        texts = {"data": list(data), "dev": list(dev), "source": source, "target": target}
        faults = check_sources(texts, made := SourceParams(**params))
        if faults:
            raise faults[0]
        inputs = {"source": source and Path(source), "target": target and Path(target)} | {
            name: [one.source(text, Path(one.split(text)[1])) for text in texts[name]]
            for name, one in (("data", DATA), ("dev", DEV))
        }
        self.found = read_sources(inputs, made, Job(Path("out"), seed, notices=notices))
        self.data = self.found.data

    @property
    def rows(self):
        texts, data = self.data.texts, self.data
        return [(texts[a], texts[p], tuple(texts[n] for n in own if n >= 0))
                for a, p, own in zip(data.anchors, data.positives, data.negatives, strict=True)]  # fmt: skip

    @property
    def languages(self):
        names = ["", *self.found.languages]
        return [(names[self.data.languages[a]], names[self.data.languages[p]])
                for a, p in zip(self.data.anchors, self.data.positives, strict=True)]  # fmt: skip


def test_sources_of_all_kinds_become_one_table():
    read = Read("nli:nli.tsv", "en-sw=pairs.tsv", "unsupervised:en=text.txt", "cross-lingual-nli:xnli")
    counts = read.found.counts
    assert [(each["kind"], each["read"], each["rows"]) for each in counts] == [
        ("nli", 4, 2), ("parallel", 40, 40), ("unsupervised", 5, 3), ("cross-lingual-nli", 12, 3),
    ]  # fmt: skip
    assert [each.get("with_hard_negatives") for each in counts] == [1, None, None, 3]
    assert counts[2]["left_out"] == {"repeated": 1, "with an empty side": 1}
    assert np.bincount(read.data.sources).tolist() == [2, 40, 3, 3]
    assert read.rows[:3] == [("p", "yes", ("no",)), ("q", "q yes", ()), ("one 0", "moja 0", ())]
    assert read.rows[42:45] == [("a", "a", ()), ("b", "b", ()), ("c", "c", ())]
    assert set(read.found.languages) == {"en", "sw", "ur"}
    assert set(read.languages[:2]) == {("", "")}
    assert set(read.languages[2:42]) == {("en", "sw")}
    assert sorted(each[0] for each in read.languages[45:]) == ["en", "sw", "ur"]
    assert any("nli.tsv (nli): 2 rows of 4 lines; 1 with hard negatives" in line for line in read.said)
    assert [len(each.rows) for each in read.found.parallel] == [40]


def test_two_files_and_lines_for_links():
    write("a.en", "one\n\ntwo\tand\nsame\nthree\n")
    write("a.sw", "moja\nx\nmbili\nsame\ntatu\n")
    read = Read("pairs.tsv", source="a.en", target="a.sw", source_language="en", target_language="sw")
    assert read.rows[:3] == [("one", "moja", ()), ("two\tand", "mbili", ()), ("three", "tatu", ())]
    assert read.found.lines[:3].tolist() == [1, 3, 5]
    first, second = read.found.parallel
    assert (first.name, first.count) == ("a.en and a.sw", 5)
    assert (first.rows.tolist(), first.pairs.tolist()) == ([0, 1, 2], [0, 2, 4])
    assert (second.name, second.count, second.rows.tolist()) == ("pairs.tsv", 40, list(range(3, 43)))
    assert read.found.counts[0]["left_out"] == {"with an empty side": 1, "with the same text on both sides": 1}
    assert set(read.languages) == {("en", "sw")}


@pytest.mark.parametrize(
    ("body", "rows"),
    [("a ||| b\nc ||| d\n", 2), ("a\tb\n", 1), ("a\tb\n" * 3, 3)],
)  # fmt: skip
def test_small_corpora_and_other_forms(body, rows):
    write("few.tsv", body)
    assert len(Read("few.tsv").rows) == rows


def test_limit_draws_rows_of_each_source_by_seed():
    first, again, other = (Read("pairs.tsv", "nli:nli.tsv", limit=5, seed=seed) for seed in (1, 1, 2))
    assert first.rows == again.rows != other.rows
    assert np.bincount(first.data.sources).tolist() == [5, 2]
    assert first.found.lines[:5].tolist() == sorted(first.found.lines[:5].tolist())


def test_hard_negatives_may_be_dropped_or_drawn():
    assert Read("nli:nli.tsv", "pairs.tsv", hard_negatives="drop").data.negatives.shape == (42, 0)
    assert len(Read("nli:nli.tsv", missing_negatives="drop").rows) == 1
    assert Read("nli:nli.tsv", missing_negatives="random").rows[1] == ("q", "q yes", ("no",))
    assert len(Read("cross-lingual-nli:xnli", missing_negatives="keep").rows) == 6


def test_languages_of_cross_lingual_data():
    for data in (["cross-lingual-nli:xnli"], ["cross-lingual-nli:en,sw,ur=xnli"],
                 [f"cross-lingual-nli:{each}=xnli/train.{each}.tsv" for each in ("en", "sw", "ur")]):  # fmt: skip
        read = Read(*data)
        assert len(read.rows) == 3
        assert len(read.found.counts) == 1
        assert len(Read(*data, languages=("en", "sw")).rows) == 2
    assert Read("cross-lingual-nli:sw,en=xnli").found.counts[0]["rows"] == 2
    with pytest.raises(ConfigError, match="no language 'fr'") as caught:
        Read("cross-lingual-nli:xnli", languages=("fr",))
    assert caught.value.hint == "It has en, sw, ur."
    one = Read("cross-lingual-nli:xnli", languages=("sw",))
    assert "has one language (sw)" in one.warned[0]
    assert one.rows == [("sw p", "sw yes", ("no",))]
    with pytest.raises(ConfigError, match="two files in en"):
        Read("cross-lingual-nli:en=nli.tsv", "cross-lingual-nli:en=nli.tsv")


def test_a_file_with_a_language_column():
    head, *lines = NLI.splitlines()
    body = [f"language\t{head}", *(f"{language}\t{language} {line}" for language in ("en", "sw") for line in lines)]
    write("all.tsv", "\n".join(body))
    assert len(Read("cross-lingual-nli:all.tsv").rows) == 2
    assert len(Read("cross-lingual-nli:all.tsv", languages=("sw",)).rows) == 1
    assert len(Read("cross-lingual-nli:en,sw=all.tsv").rows) == 2
    alone = Read("nli:all.tsv")
    assert alone.rows[0] == ("en p", "yes", ("no",))
    assert alone.languages == [("en", "en"), ("en", "en"), ("sw", "sw"), ("sw", "sw")]
    assert Read("nli:all.tsv", languages=("sw",)).languages == [("sw", "sw"), ("sw", "sw")]
    with pytest.raises(DataError, match="no column 'language'"):
        Read("cross-lingual-nli:nli.tsv")


def test_each_source_uses_those_of_the_named_languages_that_it_has():
    head, *lines = NLI.splitlines()
    body = [f"language\t{head}", *(f"{language}\t{language} {line}" for language in ("en", "fr") for line in lines)]
    write("two.tsv", "\n".join(body))
    read = Read("nli:two.tsv", "cross-lingual-nli:xnli", languages=("en", "sw"))
    assert np.bincount(read.data.sources).tolist() == [2, 2]
    assert read.found.counts[0]["left_out"] == {"in other languages": 4, "that are neutral": 1}
    assert {each for pair in read.languages for each in pair} == {"en", "sw"}
    with pytest.raises(ConfigError, match="No training data has the language 'de'") as caught:
        Read("nli:two.tsv", "cross-lingual-nli:xnli", languages=("en", "de"))
    assert caught.value.hint.endswith("has en, fr, sw, ur.")
    for text in ("nli:nli.tsv", "nli:fr=nli.tsv"):
        with pytest.raises(ConfigError, match=r"nli\.tsv has no language 'en' or 'sw'") as caught:
            Read(text, languages=("en", "sw"))
    assert caught.value.hint == "It has fr."
    for text in ("cross-lingual-nli:en,en=two.tsv", "cross-lingual-nli:two.tsv"):
        assert len(Read(text, languages=("en", "en")).rows) == 1


def test_a_name_never_changes_the_language_of_a_row():
    head, *lines = NLI.splitlines()
    body = [f"language\t{head}", *(f"{language}\t{language} {line}" for language in ("en", "sw") for line in lines)]
    write("all.tsv", "\n".join(body))
    alone = Read("cross-lingual-nli:en=all.tsv")
    assert alone.rows == [("en p", "yes", ("no",))]
    assert "has one language (en)" in alone.warned[0]
    both = Read("cross-lingual-nli:en=all.tsv", "cross-lingual-nli:sw=all.tsv")
    assert [row[0] for row in both.rows] == ["en p", "sw p"]
    assert both.rows == Read("cross-lingual-nli:all.tsv").rows
    assert Read("nli:sw=all.tsv").languages == [("sw", "sw")] * 2
    for kind in ("nli", "cross-lingual-nli"):
        with pytest.raises(DataError, match=r"all\.tsv has no language 'fr'") as caught:
            Read(f"{kind}:fr=all.tsv")
        assert caught.value.hint == "It has en, sw."


def test_scored_pairs_are_announced():
    write("sts.csv", "a,b,5.0\nc,d,3.5\n")
    read = Read("nli:sts.csv")
    assert read.rows == [("a", "b", ())]
    assert "sts.csv has scores: pairs with a score of at least 4 are positives." in read.said
    assert len(Read("nli:sts.csv", min_similarity=3).rows) == 2
    with pytest.raises(DataError, match=r"sts.csv has no row to train on \(2 with a lower score\)"):
        Read("nli:sts.csv", min_similarity=6)


@pytest.mark.parametrize(
    ("data", "params", "said"),
    [
        ([], {}, "no training data"),
        ([], {"source": "pairs.tsv"}, "belong together"),
        (["en=pairs.tsv"], {}, "en=pairs.tsv needs two languages"),
        (["en-sw-ke=pairs.tsv"], {}, "needs two languages"),
        (["Latin=pairs.tsv"], {}, "must be a language code"),
        (["nli:en-US,de=nli.tsv"], {}, "needs one language"),
        (["pairs.tsv"], {"languages": ("en",)}, "--languages has no meaning"),
        (["pairs.tsv"], {"dev": ["en=pairs.tsv"]}, "needs two languages"),
        (["unsupervised:empty.txt"], {}, "empty.txt has no row to train on (it is empty)"),
        (["empty.txt"], {}, "no row to train on"),
        (["same.tsv"], {}, "no row to train on (2 with the same text on both sides)"),
        (["tab.tsv"], {}, "line 2: TAB 2 times, expected once"),
        ([], {"source": "text.txt", "target": "same.tsv"}, "have no counterpart"),
        (["nli:neutral.tsv"], {}, "no row to train on (1 that are neutral)"),
        (["cross-lingual-nli:."], {}, "no files such as"),
    ],
)
def test_what_cannot_be_used_is_an_error_that_says_what_to_do(data, params, said):
    write("empty.txt", "")
    write("same.tsv", "a\ta\nb\tb\n")
    write("tab.tsv", "a\tb\nc\td\te\n")
    write("neutral.tsv", "a\tb\tneutral\n")
    with pytest.raises(LexencError) as caught:
        Read(*data, **params)
    assert said in caught.value.message
    assert caught.value.hint
    if "TAB" in said:
        assert "--source and --target" in caught.value.hint


def test_names_of_languages_with_scripts():
    assert Read("zh-Hant,en=pairs.tsv").languages[0] == ("zh-Hant", "en")


# ---------------------------------------------------------------- development data


def test_development_files():
    write("dev.tsv", "one 3\tmoja 3\nx\ty\n\nz\tw\n")
    write("sts.csv", "a,b,5.0\nc,d,3.5\n")
    read = Read("en-sw=pairs.tsv", dev=["en-sw=dev.tsv", "sts.csv"])
    pairs, scored = read.found.development
    assert (pairs.name, len(pairs), pairs.scores, pairs.languages) == ("en-sw", 3, [], ("en", "sw"))
    assert (scored.name, scored.scores) == ("sts.csv", [5.0, 3.5])
    assert (scored.sources, scored.targets) == (["a", "c"], ["b", "d"])
    assert read.warned == ["1 of 3 development pairs (en-sw) are in the training data."]
    write("none.tsv", "\n")
    with pytest.raises(DataError, match=r"none\.tsv has no development pairs"):
        Read("pairs.tsv", dev=["none.tsv"])


def test_development_pairs_are_compared_as_pairs_without_case():
    write("dev.tsv", "One 3\tMOJA 3\none 3\tmoja 4\nmoja 5\tone 5\nnew\tmoja 6\n")
    read = Read("en-sw=pairs.tsv", dev=["dev.tsv"])
    assert read.warned == ["2 of 4 development pairs (dev.tsv) are in the training data."]
    assert read.found.development_pairs == 4


def test_large_development_files_are_sampled_by_seed(monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD_OUT", 5)
    write("dev.tsv", "".join(f"d {i}\te {i}\n" for i in range(30)))
    write("sts.tsv", "".join(f"d {i}\te {i}\t{i}\n" for i in range(30)))
    first, again, other = (Read("pairs.tsv", dev=["dev.tsv", "sts.tsv"], seed=seed) for seed in (0, 0, 1))
    assert [len(each) for each in first.found.development] == [5, 5]
    assert first.found.development == again.found.development != other.found.development
    assert "5 of 30 development pairs (dev.tsv), drawn at random." in first.said
    assert all(one.split()[1] == f"{score:g}" for one, score in
               zip(first.found.development[1].sources, first.found.development[1].scores, strict=True))  # fmt: skip


@pytest.mark.parametrize(
    ("body", "said"), [("a\tb\t5\n", "one pair with a score"), ("a\tb\t5\n" * 3, "all 3 scores are 5")]
)
def test_scores_without_a_correlation(body, said):
    write("sts.tsv", body)
    with pytest.raises(DataError, match=f"sts.tsv: .*{said}") as caught:
        Read("pairs.tsv", dev=["sts.tsv"])
    assert caught.value.hint == "Give pairs with different scores."


def test_rows_of_every_source_add_up():
    write("pairs.tsv", "".join(f"one {i}\tmoja {i}\n" for i in range(40)) + "same\tsame\n\none 1\tmoja 1\n")
    read = Read("en-sw=pairs.tsv", "nli:nli.tsv", "cross-lingual-nli:xnli", "unsupervised:text.txt", limit=30,
                dev_share=0.3, missing_negatives="drop")  # fmt: skip
    counts = read.found.counts
    for each in counts:
        others = sum(each.get(name, 0) for name in ("held_out", "contradictions", "not_drawn"))
        assert each["read"] == each["rows"] + others + sum(each["left_out"].values())
    assert [each["rows"] for each in counts] == np.bincount(read.data.sources).tolist()
    assert counts[0]["held_out"] == read.found.development_pairs == 9
    assert counts[0]["not_drawn"] == 11
    assert any(
        line.startswith("pairs.tsv (parallel): 21 rows of 43 lines; 9 held out; 11 not drawn") for line in read.said
    )
    assert any("xnli (cross-lingual-nli): 3 rows of 4 lines in each of 3 languages, which count 3 times" in line
               for line in read.said)  # fmt: skip
    assert [each["files"] for each in counts[1:3]] == [
        ["nli.tsv"],
        [f"xnli/train.{each}.tsv" for each in ("en", "sw", "ur")],
    ]


def test_a_share_is_held_out_of_every_pair_of_languages(monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD_OUT", 6)
    write("more.tsv", "".join(f"un {i}\tdeux {i}\n" for i in range(20)))
    read = Read("en-sw=pairs.tsv", "fr-sw=more.tsv", dev_share=0.2)
    assert {each.name: len(each) for each in read.found.development} == {"en-sw": 6, "fr-sw": 4}


def test_a_share_below_one_row():
    with pytest.raises(DataError, match=r"--dev 0\.001 of 40 parallel rows is less than one row") as caught:
        Read("pairs.tsv", dev_share=0.001)
    assert "0.025" in caught.value.hint


def test_similarity_has_no_effect_on_labels():
    assert Read("nli:nli.tsv", min_similarity=4.5).warned == [
        "nli.tsv has labels: --min-similarity is not used for it."
    ]
    assert Read("nli:nli.tsv").warned == []


def test_sources_without_a_usable_row_say_why():
    write("ent.tsv", "p\tq\tentailment\n")
    write("sts.csv", "a,b,5.0\nc,d,3.5\n")
    for missing in ("drop", "random"):
        with pytest.raises(DataError) as caught:
            Read("nli:ent.tsv", missing_negatives=missing)
        assert caught.value.hint == "There is no contradiction at all: use --missing-negatives keep."
    with pytest.raises(DataError) as caught:
        Read("nli:sts.csv", min_similarity=6)
    assert caught.value.hint == "The highest score is 5: use a lower --min-similarity."


def test_a_share_is_held_out_by_seed():
    write("more.tsv", "".join(f"un {i}\tmoja {i} y\n" for i in range(10)) + "un 3\tone 7\n")
    given = ("en-sw=pairs.tsv", "fr-sw=more.tsv", "nli:nli.tsv")
    read, again, other = (Read(*given, dev_share=0.4, seed=seed) for seed in (0, 0, 1))
    held = {each.name: each for each in read.found.development}
    assert set(held) == {"en-sw", "fr-sw"}
    total = sum(map(len, held.values()))
    assert 10 <= total <= 20
    assert len(read.rows) == 40 + 11 + 2 - total
    texts = {text.lower() for row in read.rows for text in (*row[:2], *row[2])}
    assert not texts & {text.lower() for each in held.values() for text in (*each.sources, *each.targets)}
    assert read.found.development == again.found.development != other.found.development
    assert [len(each.rows) for each in read.found.parallel] == np.bincount(read.data.sources).tolist()[:2]
    assert (read.data.anchors[read.found.parallel[0].rows] >= 0).all()
    lines = read.found.parallel[0].pairs
    assert [read.rows[row][0] for row in read.found.parallel[0].rows] == [f"one {line}" for line in lines]


def test_a_share_that_cannot_be_held_out(monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD_OUT", 7)
    assert sum(map(len, Read("pairs.tsv", dev_share=0.5).found.development)) == 7
    write("alike.tsv", "".join(f"a\tb {i}\n" for i in range(40)))
    for data in ("alike.tsv", "nli:nli.tsv"):
        with pytest.raises(DataError, match=r"No row .* can be held out with --dev 0\.1"):
            Read(data, dev_share=0.1)
    write("half.tsv", "".join(f"a\tb {i}\n" for i in range(30)) + "".join(f"x {i}\ty {i}\n" for i in range(6)))
    assert "rows are held out: the others share a text" in Read("half.tsv", dev_share=0.5).warned[0]


def test_english_only_training_of_the_benchmark(data):
    """SICK and STS-B as they were published: 2,705 pairs."""
    sick, sts = data / "nli" / "sick" / "SICK_train.txt.gz", data / "sts" / "stsb" / "stsb-en-train.csv.gz"
    read = Read(f"nli:{sick}", f"nli:{sts}")
    assert [each["rows"] for each in read.found.counts] == [1299, 1406]
    assert len(read.data) == 2705


def test_a_tab_inside_a_real_line(data, tmp_path):
    folder = data / "parallel" / "multi30k"
    (german,) = [path for path in folder.iterdir() if path.name.startswith("train.de")]
    (english,) = [path for path in folder.iterdir() if path.name.startswith("train.en")]
    read = Read(source=english, target=german)
    assert len(read.rows) > 28_000
    assert sum("\t" in row[1] for row in read.rows) == 1
    lines = [gzip.open(path, "rt", encoding="utf-8").read().split("\n") if path.suffix == ".gz"
             else path.read_text("utf-8").split("\n") for path in (english, german)]  # fmt: skip
    write("both.tsv", "".join(f"{one}\t{other}\n" for one, other in zip(*lines, strict=True) if one))
    with pytest.raises(DataError, match="line 7366: TAB 2 times"):
        Read("both.tsv")
