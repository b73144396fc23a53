"""eval alignment: the published figures, controls and bands worked out by hand, and every refusal."""

from __future__ import annotations

import pytest

from lexenc.errors import ConfigError, DataError

GOLD = "0-0 1p1\n\n0-1 1-0\n"
PREDICTED = "0-0 1-1\n\n1-0 1-1\n"
PAIRS = "the dog ||| der hund\n ||| \ndog the ||| x y z\n"


@pytest.fixture
def write(tmp_path):
    def to(text: str, name: str):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return to


@pytest.fixture
def score(stage, write):
    """Score links given as text; `pairs` too, other arguments are parameters."""

    def run(gold=GOLD, predicted=PREDICTED, *, pairs=None, out=None, **params):
        files = {"gold": write(gold, "x.gold"), "predicted": write(predicted, "x.out")}
        if pairs is not None:
            files["pairs"] = write(pairs, "x.pairs")
        return stage("eval alignment", out, {"draws": 100} | params, **files)

    return run


def refused(score, *arguments, **named):
    with pytest.raises(DataError) as caught:
        score(*arguments, **named)
    return caught.value.message, caught.value.hint


# ---------------------------------------------------------------- scores


def test_hand_worked_scores(score):
    (head,) = score().manifest.results
    assert {key: head[key] for key in ("sentences", "predicted", "sure", "possible", "sure_hits", "possible_hits")} == {
        "sentences": 3, "predicted": 4, "sure": 3, "possible": 1, "sure_hits": 2, "possible_hits": 3,
    }  # fmt: skip
    assert (head["precision"], head["recall"]) == (3 / 4, 2 / 3)
    assert head["aer"] == pytest.approx(1 - 5 / 7)
    assert head["aer_low"] <= head["aer"] <= head["aer_high"]
    assert (head["gold_counts_from"], head["predicted_counts_from"]) == (0, 0)


def test_the_sentences_bring_controls_and_bands(score):
    made = score(pairs=PAIRS)
    results = made.manifest.results
    assert [each.get("control") for each in results[:3]] == [None, "diagonal", "as many links at random"]
    diagonal = results[1]
    # (0, 0), (1, 1) in the first pair, (0, 0), (1, 2) in the last: one sure link, one possible.
    assert (diagonal["predicted"], diagonal["sure_hits"], diagonal["possible_hits"]) == (4, 1, 2)
    assert results[2]["predicted"] == 4
    frequencies = {each["band"]: each for each in results if each.get("by") == "frequency"}
    assert (frequencies["2-4"]["predicted"], frequencies["2-4"]["sure"]) == (4, 3)
    distances = {each["band"]: each for each in results if each.get("by") == "distance"}
    assert {band: (each["predicted"], each["sure"], each["possible"]) for band, each in distances.items()} == {
        "0": (2, 1, 1), "1": (1, 1, 0), "2-3": (1, 1, 0), "4-7": (0, 0, 0), "8-": (0, 0, 0),
    }  # fmt: skip
    assert distances["8-"]["aer"] is None
    assert [row[0] for row in made.manifest.tables[2].rows] == ["0", "1", "2-3"]


def test_the_same_links_counted_from_one_score_the_same(score):
    plain = score(pairs=PAIRS).manifest.results
    gold, predicted = "1-1 2p2\n\n1-2 2-1\n", "1-1 2-2\n\n2-1 2-2\n"
    both = score(gold, predicted, pairs=PAIRS, gold_one_based=True, system_one_based=True)
    one = score(gold, PREDICTED, pairs=PAIRS, gold_one_based=True)
    for made in (both, one):
        for own, other in zip(made.manifest.results, plain, strict=True):
            assert own | {"gold_counts_from": 0, "predicted_counts_from": 0} == other
    assert score(gold, predicted).manifest.results[0]["aer"] == plain[0]["aer"], "both alike, whatever they count from"


def test_two_files_of_sentences_do_as_well(stage, write, score):
    wanted = score(pairs=PAIRS).manifest.results
    source, target = write("the dog\n\ndog the\n", "s.txt"), write("der hund\n\nx y z\n", "t.txt")
    files = {"gold": write(GOLD, "g"), "predicted": write(PREDICTED, "p"), "source": source, "target": target}
    assert stage("eval alignment", params={"draws": 100}, **files).manifest.results == wanted


def test_counts_of_every_line_are_kept(score, tmp_path):
    made = score(out=tmp_path / "scores")
    assert made.files == {"scores.json", "items.jsonl", "manifest.json"}
    items = made.json_lines("items.jsonl")
    assert list(items[0]["numbers"]) == ["predicted", "sure", "possible", "sure_hits", "possible_hits"]
    assert [list(each["numbers"].values()) for each in items] == [[2, 1, 1, 1, 2], [0] * 5, [2, 2, 0, 1, 1]]
    assert [each["asked"] for each in items] == [["1"], ["2"], ["3"]]
    assert [len(items[0]["gold"]), len(items[0]["answers"]), items[1]["answers"]] == [2, 2, []]


def test_the_seed_alone_decides_on_draws(stage, write):
    files = {"gold": write(GOLD * 5, "g"), "predicted": write(PREDICTED * 5, "p"), "pairs": write(PAIRS * 5, "t")}
    runs = [stage("eval alignment", params={"draws": 100}, seed=seed, **files).manifest.results for seed in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0][2]["possible_hits"] != runs[2][2]["possible_hits"] or runs[0][0]["aer_low"] != runs[2][0]["aer_low"]


# ---------------------------------------------------------------- results of align


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "runs"
    made.mkdir()
    (made / "alignments.txt").write_text(PREDICTED)
    (made / "scores.txt").write_text("1 0.5\n\n1 1\n")
    (made / "sentences.txt").write_text(PAIRS)
    return made


def test_a_result_of_align_brings_its_sentences(stage, write, folder, score):
    made = stage("eval alignment", params={"draws": 100}, gold=write(GOLD, "g"), predicted=folder)
    assert made.manifest.results == score(pairs=PAIRS).manifest.results


def test_links_of_other_words_are_refused(stage, write, folder):
    gold = write(GOLD, "g")
    with pytest.raises(DataError) as caught:
        stage("eval alignment", gold=gold, predicted=folder, pairs=write(PAIRS.replace("y z", "yz"), "t"))
    assert caught.value.message.startswith("Line 3: 2 target words in")
    assert "--words spaces" in caught.value.hint
    with pytest.raises(DataError, match=r"t has 2 lines, .*sentences\.txt 3"):
        stage("eval alignment", gold=gold, predicted=folder, pairs=write("a ||| b\nc ||| d\n", "t"))


@pytest.mark.parametrize("place", ["", "alignments.txt"])
def test_gold_links_of_words_that_align_cut_itself_are_refused(stage, write, tmp_path, place):
    text = write("I can't.\tJe ne peux pas.\n", "c.tsv")
    made = stage("align", tmp_path / "cut", {"sweeps": 0.01}, pairs=text).out
    files = {"gold": write("0-0 1-2\n", "g"), "predicted": made / place}
    zero = {"draws": 100, "system_one_based": False}
    with pytest.raises(DataError, match="1 sentence pair of other words than those between the spaces"):
        stage("eval alignment", None, zero, **files)
    with pytest.raises(DataError, match=r"Line 1: 2 source words in .* 3 in "):
        stage("eval alignment", None, zero, **files, pairs=text)
    # They are right if they are of the words that were aligned.
    stage("eval alignment", None, zero, **files, pairs=made / "sentences.txt")


def test_gold_links_past_the_words_of_a_result_are_refused(stage, write, tmp_path):
    zero = {"draws": 100, "system_one_based": False}
    made = stage("align", tmp_path / "kept", {"sweeps": 0.01}, pairs=write("a b ||| c d\n", "c.txt")).out
    with pytest.raises(DataError, match=r"g, line 1: '2-1' runs past the sentence"):
        stage("eval alignment", None, zero, gold=write("0-0 2-1\n", "g"), predicted=made)
    stage("eval alignment", None, zero, gold=write("0-0 1-1\n", "g"), predicted=made)


# ---------------------------------------------------------------- from where words are counted


@pytest.mark.parametrize(("gold", "predicted", "params", "named"), [
    ("1-1\n", "0-0\n", {}, "gold"),
    ("1-1\n2p1\n", "1-1\n1-0\n", {}, "gold"),
    ("0p0\n", "1-1\n", {}, "system"),
    ("1-1\n", "1-1\n", {"gold_one_based": True}, "system"),
    ("1-1\n", "1-1\n", {"system_one_based": True}, "gold"),
    ("1-1\n", "1-1\n", {"gold_one_based": False}, "system"),
    ("0-0\n", "1-1\n", {"gold_one_based": False}, "system"),
])  # fmt: skip
def test_a_file_that_does_not_show_what_the_other_does_is_refused(score, gold, predicted, params, named):
    message, hint = refused(score, gold, predicted, **params)
    other = "x.out" if named == "gold" else "x.gold"
    assert f"{'x.gold' if named == 'gold' else 'x.out'} holds no index 0, " in message
    assert f"{other} {'is said to count words from' if params else 'does (line '}" in message
    assert hint.startswith(f"Add --{named}-one-based if")
    assert f"--no-{named}-one-based" in hint
    score(gold, predicted, **params | {f"{named}_one_based": False})
    if not params:
        score(gold, predicted, **{f"{named}_one_based": True})


@pytest.mark.parametrize(("gold", "predicted", "params"), [
    ("0-0\n", "0-1\n", {}),
    ("1-1\n", "1-1\n", {}),
    ("1-1\n", "0-0\n", {"gold_one_based": True}),
    ("0-0\n", "1-1\n", {"system_one_based": True}),
    ("1-1\n", "1-1\n", {"gold_one_based": True, "system_one_based": True}),
    ("1-1\n", "1-1\n", {"gold_one_based": True, "system_one_based": False}),
    ("1-1\n", "\n", {"gold_one_based": True}),
    ("0-0\n", "\n", {}),
])  # fmt: skip
def test_what_shows_no_clash_is_scored(score, gold, predicted, params):
    score(gold, predicted, **params)


@pytest.mark.parametrize("option", ["gold", "system"])
def test_an_index_0_in_a_file_said_to_count_from_one_is_refused(score, option):
    message, hint = refused(score, **{f"{option}_one_based": True})
    assert f"{'x.gold' if option == 'gold' else 'x.out'}, line 1: '0-0' has index 0" in message
    assert "Remove the option" in hint


def test_without_any_index_0_beside_sentences_there_is_a_warning(score):
    made = score("1-1\n", "1-1\n", pairs="a b ||| c d\n")
    assert "Neither file holds an index 0; both are read as counting words from 0." in made.warnings
    assert score("1-1\n", "1-1\n").warnings == ["The scores are based on 1 sentence pair only."]


# ---------------------------------------------------------------- ranges, lines, tokens


@pytest.mark.parametrize(("gold", "predicted", "message", "hint"), [
    ("0-0\n0-0\n", "0-0\n2-1 0-2\n", "x.out, line 2: '2-1' runs past the sentence, which has 2 source words and 1 "
     "target word, counted from 0", "Are these the sentences"),
    ("0-0\n0-0 1p1\n", "0-0\n9-9\n", "x.gold, line 2: '1p1' runs past", "Are these the sentences"),
    ("0-0 3-3\n0-7\n", "0-0\n\n", "x.gold, line 1: '3-3' runs past", "Are these the sentences"),
    ("1-1\n2-1\n", "1-1\n1-1\n", "x.gold, line 2: '2-1' runs past", "If x.gold counts words from 1, add --gold-one-b"),
])  # fmt: skip
def test_an_index_past_its_sentence_is_refused(score, gold, predicted, message, hint):
    found = refused(score, gold, predicted, pairs="a b c ||| d e f\na b ||| c\n")
    assert message in found[0]
    assert found[1].startswith(hint)


def test_an_index_past_its_sentence_is_shown_as_it_is_written(score):
    message, _ = refused(score, "1-1 3-1\n", "0-0\n", pairs="a b ||| c\n", gold_one_based=True)
    assert "line 1: '3-1' runs past the sentence, which has 2 source words and 1 target word, counted from 1" in message


def test_links_of_an_empty_sentence_are_refused(score):
    assert "has 0 source words and 0 target words" in refused(score, "0-0\n0-0\n", "0-0\n0-0\n", pairs="a ||| b\n\n")[0]


def test_unequal_numbers_of_lines_are_refused(score):
    assert "x.gold has 3 lines, " in (found := refused(score, GOLD, PREDICTED + "\n"))[0]
    assert found[0].endswith("x.out 4.")
    assert "empty line" in found[1]
    assert "x.gold has 3 lines, " in (found := refused(score, pairs=PAIRS + "a ||| b\n"))[0]
    assert found[0].endswith("x.pairs 4.")


@pytest.mark.parametrize(("option", "name"), [("gold", "x.gold"), ("predicted", "x.out")])
@pytest.mark.parametrize(("token", "what"), [("0-", "is not a link"), ("0--1", "has a negative index"), ("a", "is no")])
def test_what_is_no_link_is_refused(score, option, name, token, what):
    message, _ = refused(score, **{option: f"0-0\n0-0 {token}\n\n"})
    assert f"{name}, line 2: '{token}' {what}" in message


def test_possible_links_of_a_system_are_refused(score):
    message, hint = refused(score, "1-1\n", "\n".join(["1-1 2p3"]) + "\n", gold_one_based=True, system_one_based=True)
    assert "x.out, line 1: '2p3' is a possible link" in message
    assert hint == "Are --gold and --predicted swapped?"


def test_lines_with_different_names_are_refused(score):
    assert "Line 2 is called '8' in" in refused(score, "7\t0-0\n8\t0-0\n", "7\t0-0\n9\t0-0\n")[0]
    score("7\t0-0\n8\t0-0\n", "0-0\n0-0\n")


def test_a_gold_file_without_links_is_refused(score):
    assert "x.gold holds no links" in refused(score, "\n", "0-0\n")[0]
    assert "x.gold holds no links" in refused(score, "", "")[0]


def test_without_predicted_or_sure_links_there_is_a_warning(score):
    made = score("0-0\n", "\n")
    assert "x.out holds no links." in made.warnings[0]
    head = made.manifest.results[0]
    assert (head["aer"], head["precision"], head["recall"]) == (1.0, None, 0.0)
    made = score("0p0\n", "0-0\n")
    assert "x.gold holds no sure links." in made.warnings[0]
    assert (made.manifest.results[0]["aer"], made.manifest.results[0]["recall"]) == (0.0, None)
    table = made.manifest.tables[0]
    assert dict(zip(table.columns, table.rows[0], strict=True))["recall"] == "-"


def test_options_that_do_not_go_together_are_refused(stage, write):
    files = {"gold": write(GOLD, "g"), "predicted": write(PREDICTED, "p"), "source": write(PAIRS, "t")}
    with pytest.raises(ConfigError, match="--source needs --target"):
        stage("eval alignment", **files)
    with pytest.raises(ConfigError, match="--pairs stands for --source and --target"):
        stage("eval alignment", **files, target=files["source"], pairs=files["source"])


# ---------------------------------------------------------------- compare


@pytest.fixture
def evaluated(stage, write, tmp_path):
    gold = "".join("0-0 1-1 2p2\n" for _ in range(30))
    files = {"gold": write(gold, "g"), "pairs": write("a b c ||| d e f\n" * 30, "t")}
    outs = []
    for name, line in (("good", "0-0 1-1\n"), ("poor", "0-0 1-2\n")):
        outs.append(tmp_path / name)
        links = write("".join(line if row % 3 else "0-0 1-1 2-1\n" for row in range(30)), f"{name}.out")
        stage("eval alignment", outs[-1], {"draws": 100}, predicted=links, **files)
    return outs


def test_compare_gives_the_error_rates_and_their_difference(stage, evaluated):
    made = stage("compare", params={"draws": 500}, first=evaluated[0], second=evaluated[1] / "items.jsonl")
    found = {each["metric"]: each for each in made.manifest.results}
    assert list(found) == ["aer", "precision", "recall", "f1"]
    aer = found["aer"]
    assert aer["first"] == pytest.approx(1 - 120 / 130)
    assert aer["second"] == pytest.approx(1 - 80 / 130)
    assert aer["difference"] == pytest.approx(-40 / 130)
    assert aer["difference_low"] < aer["difference"] < aer["difference_high"] < 0
    assert (aer["shown"], aer["count"]) == (True, 30)
    assert made.manifest.tables[0].rows[0][:4] == ["AER", "7.69", "38.46", "-30.77"]


def test_compare_refuses_other_gold_links_and_other_kinds(stage, score, evaluated, pairs_file, tmp_path):
    other = score(out=tmp_path / "other").out
    with pytest.raises(DataError, match=r"asked different questions \(3[0-3] items are only in one of them"):
        stage("compare", first=evaluated[0], second=other)
    less = copied(evaluated[1], tmp_path / "less", lambda lines: lines[:-1])
    with pytest.raises(DataError, match="is damaged: it lacks 1 item of those in scores"):
        stage("compare", first=evaluated[0], second=less)
    with pytest.raises(DataError, match="is not an evaluation"):
        stage("compare", first=pairs_file(tmp_path / "words.tsv", [("a", "b")]), second=other)


def copied(folder, out, change):
    """Copy an evaluation with other lines of items."""
    out.mkdir()
    lines = (folder / "items.jsonl").read_text().splitlines(keepends=True)
    (out / "items.jsonl").write_text("".join(change(lines)))
    (out / "scores.json").write_bytes((folder / "scores.json").read_bytes())
    return out


def test_compare_refuses_a_metric_of_another_task(stage, evaluated):
    with pytest.raises(ConfigError, match="There is no metric of word alignment called 'reciprocal_rank'"):
        stage("compare", params={"metric": "reciprocal_rank"}, first=evaluated[0], second=evaluated[1])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\t2\n", "line 31: not JSON"),
        ("{}\n", "line 31: not an item"),
        ('{"asked": "31", "gold": []}\n', "line 31: not an item"),
        ('{"asked": ["31"], "gold": []}\n', "without the numbers"),
    ],
)
def test_compare_refuses_damaged_items(stage, evaluated, tmp_path, line, message):
    damaged = copied(evaluated[0], tmp_path / "damaged", lambda lines: [*lines, line])
    with pytest.raises(DataError, match=message):
        stage("compare", first=damaged, second=damaged)


def test_compare_refuses_items_without_their_numbers(stage, evaluated, tmp_path):
    damaged = copied(evaluated[0], tmp_path / "damaged", lambda lines: [each.replace("hits", "h") for each in lines])
    with pytest.raises(DataError, match="without the numbers"):
        stage("compare", first=damaged, second=damaged)


def test_compare_without_a_precision_shows_none(stage, score, tmp_path):
    out = score("0-0\n", "\n", out=tmp_path / "none").out
    made = stage("compare", params={"draws": 100}, first=out, second=out)
    by_metric = {each["metric"]: each for each in made.manifest.results}
    assert (by_metric["aer"]["difference"], by_metric["precision"]["difference"]) == (0, None)
    assert made.manifest.tables[0].rows[1][1:] == ["-"] * 5 + ["no"]


# ---------------------------------------------------------------- real data

PUBLISHED = [("enfr", 4.07, 447, 6038, 4038, 13400, 54.72), ("roen", 20.75, 248, 5014, 6198, 0, None)]


@pytest.mark.data
@pytest.mark.parametrize(("pair", "aer", "sentences", "predicted", "sure", "possible", "diagonal"), PUBLISHED)
def test_published_outputs_score_as_published(stage, data, pair, aer, sentences, predicted, sure, possible, diagonal):
    folder = data / "align"
    files = {"gold": folder / f"{pair}.gold", "predicted": folder / f"{pair}.awesome-align.out"}
    made = stage("eval alignment", None, {"gold_one_based": True}, **files, pairs=folder / f"{pair}.src-tgt")
    head, control = made.manifest.results[:2]
    assert round(100 * head["aer"], 2) == aer
    assert [head[key] for key in ("sentences", "predicted", "sure", "possible")] == [
        sentences, predicted, sure, possible,
    ]  # fmt: skip
    assert head["aer_low"] < head["aer"] < head["aer_high"]
    assert control["aer"] > 2 * head["aer"]
    assert diagonal is None or round(100 * control["aer"], 2) == diagonal
    without = stage("eval alignment", None, {"gold_one_based": True}, **files).manifest.results
    assert [each["aer"] for each in without] == [head["aer"]]


@pytest.mark.data
@pytest.mark.parametrize("pair", ["enfr", "roen"])
@pytest.mark.parametrize(("params", "message", "hint"), [
    ({}, "holds no index 0, ", "Add --gold-one-based"),
    ({"gold_one_based": False}, "runs past the sentence", "add --gold-one-based"),
    ({"gold_one_based": True, "system_one_based": True}, "has index 0", "Remove the option"),
])  # fmt: skip
def test_the_wrong_base_is_refused(stage, data, pair, params, message, hint):
    folder = data / "align"
    files = {"gold": folder / f"{pair}.gold", "predicted": folder / f"{pair}.awesome-align.out"}
    with pytest.raises(DataError) as caught:
        stage("eval alignment", None, params, **files, pairs=folder / f"{pair}.src-tgt")
    assert message in caught.value.message
    assert hint in caught.value.hint
