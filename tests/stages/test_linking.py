"""encode-concepts, link, eval xel, and compare of two eval xel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError
from lexenc.planning import plan_stage, run_plan
from lexenc.stage import Notices
from lexenc.stages import STAGES

KB = [
    "C1||haus", "C1||Haus", "C2||hund", "C2|C9||hund und katze", "C3||katze", "C4||baum", "C5||K+", "C6||wasser",
    "C7||feuer", "C8||stein", "C3||katze",
]  # fmt: skip
QUERIES = [
    "C1||Haus", "C2||HUND", "C5|C77||K+", "C99||nirgends", "C1||Haus", "C9||hund und katze",
    "C3||magnezyum (Mg2+)||ein <tgt>magnezyum (Mg2+)</tgt> hier",
]  # fmt: skip


@pytest.fixture(scope="module")
def kb(tmp_path_factory):
    path = tmp_path_factory.mktemp("kb") / "kb.txt"
    path.write_text("\n".join(KB) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def queries(kb):
    path = kb.with_name("queries.txt")
    path.write_text("\n".join(QUERIES) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def evaluated(stage, kb, queries, static, tmp_path_factory):
    out = tmp_path_factory.mktemp("xel") / "scores"
    return stage("eval xel", out, knowledge_base=[kb], mentions=queries, encoder=static)


def answers(name, static, params=None, **inputs):
    """Run `link` without a folder: its objects, rows, remarks and warnings."""
    objects, rows, said, warned = [], [], [], []
    notices = Notices(
        warn=lambda message, hint: warned.append(message),
        say=said.append,
        answer=lambda own, table: (objects.extend(own), rows.extend(table.rows)),
    )
    given = {key: [str(each) for each in value] for key, value in inputs.items()}
    plan = plan_stage(STAGES["link"], inputs=given | {"encoder": str(static)}, params=params or {})
    manifest = run_plan(plan, device="cpu", notices=notices)
    return objects, rows, said, warned, manifest


# ---------------------------------------------------------------- eval xel


def test_names_of_all_mentions_come_first_then_concepts_of_answerable_ones(evaluated):
    results = evaluated.manifest.results
    assert [(each["protocol"], each["scored"], "control" in each) for each in results] == [
        ("names", "all", False), ("concepts", "answerable", False), ("names", "answerable", False),
        ("concepts", "all", False), ("names", "all", True), ("concepts", "answerable", True),
        ("names", "answerable", True), ("concepts", "all", True), ("concepts", "answerable", True),
    ]  # fmt: skip
    first, second = results[:2]
    assert (first["queries"], second["queries"]) == (7, 6)
    # Haus twice, HUND, K+ and the phrase are found; nothing like magnezyum is there, and C99 is not.
    assert (first["precision_at_1"], second["precision_at_1"]) == (pytest.approx(5 / 7), pytest.approx(5 / 6))
    for each in results[:8]:
        assert 0 <= each["precision_at_1_low"] <= each["precision_at_1"] <= each["precision_at_1_high"] <= 1
        assert each["precision_at_1"] <= each["precision_at_5"] <= each["precision_at_10"] <= 1
        assert (each["mentions"], each["answerable_mentions"]) == (7, 6)
        assert (each["names"], each["distinct_names"], each["concepts"]) == (9, 9, 9)
        assert (each["case"], each["seed"]) == ("names and mentions lower-cased", 0)
        assert each["ties"] == "lower line of the knowledge base first"
    assert first["similarity"] == "cosine"
    assert {each["similarity"] for each in results[4:8]} == {"character 2-4-gram TF-IDF"}


def test_the_control_is_compared_with_the_encoder_in_pairs(evaluated):
    compared, second, control = (evaluated.manifest.results[place] for place in (-1, 1, 5))
    assert (compared["first"], compared["second"]) == (second["precision_at_1"], control["precision_at_1"])
    assert compared["difference"] == pytest.approx(compared["first"] - compared["second"])
    assert compared["difference_low"] <= compared["difference"] <= compared["difference_high"]
    assert (compared["queries"], compared["shown"]) == (6, False)
    assert [table.title for table in evaluated.manifest.tables] == ["Entity linking", "Encoder against control"]


def test_without_the_control_there_is_nothing_to_compare(stage, kb, queries, static, evaluated):
    alone = stage("eval xel", params={"baseline": False}, knowledge_base=[kb], mentions=queries, encoder=static)
    assert alone.manifest.results == evaluated.manifest.results[:4]
    assert len(alone.manifest.tables) == 1


def test_predictions_hold_every_mention_and_what_was_answered(evaluated):
    rows = evaluated.json_lines("items.jsonl")
    assert evaluated.files == {"items.jsonl", "scores.json", "manifest.json"}
    assert [row["asked"] for row in rows][:3] == [["Haus"], ["HUND"], ["K+"]]
    assert rows[6]["asked"] == ["magnezyum (Mg2+)"]
    assert [row["covered"] for row in rows] == [True, True, True, False, True, True, True]
    assert rows[0]["answers"][0] == {"target": "C1", "name": "haus", "score": 1.0}
    assert (rows[2]["gold"], rows[2]["numbers"]["ranks"]) == (["C5", "C77"], [1])
    assert rows[5]["answers"][0]["target"] == "C2|C9"
    for row in rows:
        targets = [own for each in row["answers"] for own in each["target"].split("|")]
        assert len({*targets}) >= len(row["answers"]) - 1, "concepts do not come again"


def test_mentions_that_the_encoder_was_tuned_on_are_counted(stage, kb, queries, static, tmp_path):
    from lexenc.files.concepts import stream_concept_names

    first = next(stream_concept_names(queries))
    names = tmp_path / "names.txt"
    lines = [f"{first.concepts[0]}||{first.text.upper()}", f"{first.concepts[0]}||another name", f"C9||{first.text}"]
    names.write_text("\n".join(lines) + "\n", encoding="utf-8")
    tuned = stage("finetune", tmp_path / "tuned", {"epochs": 1}, synonyms=[names], encoder=static)
    given = {"knowledge_base": [kb], "mentions": queries}
    made = stage("eval xel", encoder=tuned.out, **given)
    assert made.manifest.results[0]["mentions_learnt_from"] >= 1
    assert any("the encoder was fine-tuned on" in each for each in made.warnings)
    assert "NOT A FAIR TEST" in made.manifest.tables[0].note
    names.unlink()
    gone = stage("eval xel", encoder=tuned.out, **given)
    assert gone.manifest.results[0]["mentions_learnt_from"] == 0
    assert any("cannot be checked" in each for each in gone.warnings)
    assert stage("eval xel", encoder=static, **given).manifest.results[0]["mentions_learnt_from"] == 0


def test_case_counts_where_that_is_wanted(stage, kb, queries, static):
    made = stage("eval xel", params={"lowercase": False}, knowledge_base=[kb], mentions=queries, encoder=static)
    head = made.manifest.results[0]
    assert (head["case"], head["names"], head["distinct_names"]) == ("as written", 10, 10)
    control = made.manifest.results[5]
    assert control["precision_at_1"] == pytest.approx(4 / 6), "HUND shares no character with hund"


def test_mentions_without_their_concepts_are_refused_or_told(stage, kb, static, tmp_path):
    strange, few, empty, plain = (tmp_path / name for name in ("strange", "few", "empty", "plain"))
    strange.write_text("D1||haus\n")
    few.write_text("D1||haus\nD2||haus\nC1||haus\n")
    empty.write_text("\n")
    plain.write_text("C1||haus\nhaus\n")
    for path, message in (
        (strange, r"No mention has its concept in the knowledge base \(0 of 1\)"),
        (empty, "holds no mentions"),
        (plain, "line 2: not an identifier and a name"),
    ):
        with pytest.raises(DataError, match=message):
            stage("eval xel", knowledge_base=[kb], mentions=path, encoder=static)
    made = stage("eval xel", knowledge_base=[kb], mentions=few, encoder=static)
    assert "Only 1 of 3 mentions has its concept in the knowledge base (33 %)." in made.warnings


def test_several_files_are_one_knowledge_base(stage, kb, queries, static, evaluated, tmp_path):
    lines = kb.read_text(encoding="utf-8").splitlines(keepends=True)
    parts = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path, own in zip(parts, (lines[:4], lines[4:]), strict=True):
        path.write_text("".join(own), encoding="utf-8")
    made = stage("eval xel", knowledge_base=parts, mentions=queries, encoder=static)
    assert made.manifest.results == evaluated.manifest.results


# ---------------------------------------------------------------- encode-concepts


@pytest.fixture(scope="module")
def encoded(stage, kb, static, tmp_path_factory):
    out = tmp_path_factory.mktemp("encoded") / "kb"
    return stage("encode-concepts", out, knowledge_base=[kb], encoder=static)


def test_an_encoded_base_gives_the_same_results(stage, kb, queries, static, encoded, evaluated):
    assert encoded.files == {"vectors.npy", "words.txt", "knowledge-base.txt", "manifest.json"}
    assert encoded.words()[:2] == ["haus", "hund"]
    np.testing.assert_allclose(np.linalg.norm(encoded.matrix(), axis=1), 1, atol=1e-6)
    made = stage("eval xel", knowledge_base=[encoded.out], mentions=queries, encoder=static)
    assert made.manifest.results == evaluated.manifest.results


def test_an_encoded_base_is_for_its_encoder_and_settings(stage, queries, static, transformer, encoded, mapped, kb):
    files = {"knowledge_base": [encoded.out], "mentions": queries}
    with pytest.raises(ConfigError, match="was encoded with another encoder"):
        stage("eval xel", encoder=transformer, **files)
    with pytest.raises(ConfigError, match="was encoded with lowercase True, not False"):
        stage("eval xel", params={"lowercase": False}, encoder=static, **files)
    with pytest.raises(DataError, match="is not a knowledge base that lexenc encoded"):
        stage("eval xel", encoder=static, knowledge_base=[mapped.out], mentions=queries)
    with pytest.raises(ConfigError, match="several files, or one folder"):
        stage("eval xel", encoder=static, knowledge_base=[encoded.out, kb], mentions=queries)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A base large enough for an index."""
    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnop"))
    words = ["".join(random.choice(letters, 8)) for _ in range(300)]
    path = tmp_path_factory.mktemp("many") / "kb.txt"
    path.write_text("".join(f"C{row // 2}||{word}\n" for row, word in enumerate(words)))
    return path


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_an_index_says_what_it_misses_and_is_kept(stage, many, static, tmp_path, kind):
    params = {"index": kind, "baseline": False}
    files = {"mentions": many, "encoder": static}
    exact = stage("eval xel", params={"baseline": False}, knowledge_base=[many], **files).manifest.results[1]
    encoded = stage("encode-concepts", tmp_path / "kb", {"index": kind}, knowledge_base=[many], encoder=static)
    assert "names.index" in encoded.files
    for base in (many, encoded.out):
        made = stage("eval xel", params=params, knowledge_base=[base], **files)
        found = made.manifest.results[1]
        assert (found["search"], found["recall_mentions"]) == (kind, 200)
        assert 0.8 < found["recall_at_10"] <= 1
        assert found["precision_at_1"] == pytest.approx(exact["precision_at_1"], abs=0.03)
        assert f"index {kind} finds" in made.manifest.tables[0].note
    assert exact["search"] == "exact"
    assert "recall_at_10" not in exact
    index = encoded.out / "names.index"
    index.write_bytes(index.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"names\.index is not as lexenc wrote it"):
        stage("eval xel", params=params, knowledge_base=[encoded.out], **files)


# ---------------------------------------------------------------- link


def test_link_answers_every_mention_in_its_place(kb, static, tmp_path):
    path = tmp_path / "mentions.txt"
    path.write_text("Haus\nK+\n\nHaus\nmagnezyum (Mg2+)\na|b\n", encoding="utf-8")
    objects, rows, said, warned, manifest = answers("link", static, {"top": 2}, knowledge_base=[kb], mentions=[path])
    assert [each["mention"] for each in objects] == ["Haus", "K+", "Haus", "magnezyum (Mg2+)", "a|b"]
    assert objects[0] == objects[2]
    first = objects[0]["answers"][0]
    assert (first["rank"], first["concepts"], first["name"]) == (1, ["C1"], "haus")
    assert first["score"] == pytest.approx(1, abs=1e-5)
    assert all(len(each["answers"]) == 2 and not each["nil"] for each in objects)
    assert rows[0] == ["Haus", "1", "C1", "haus", "1.0000"]
    assert len(rows) == 10
    assert "link: 5 mentions, read as plain text." in said
    assert (manifest.summary["mentions"], manifest.results, warned) == (5, [], [])


def test_link_tells_mentions_with_identifiers_from_plain_ones(kb, queries, static, tmp_path):
    path = tmp_path / "mixed.txt"
    path.write_text("C1||Haus\nHaus\n", encoding="utf-8")
    objects, _, _, warned, _ = answers("link", static, knowledge_base=[kb], mentions=[queries, path])
    assert objects[2]["gold"] == ["C5", "C77"]
    assert "gold" not in objects[-1]
    assert warned == ["8 mentions came as CUI||mention, 1 as plain text."]
    assert answers("link", static, knowledge_base=[kb], mentions=[queries])[2][-1] == (
        "link: 7 mentions, read as CUI||mention."
    )


def test_link_answers_nil_below_the_threshold(stage, kb, static, tmp_path):
    path = tmp_path / "mentions.txt"
    path.write_text("Haus\nxyzzy\n", encoding="utf-8")
    objects, rows, _, _, manifest = answers("link", static, {"threshold": 0.99}, knowledge_base=[kb], mentions=[path])
    assert [each["nil"] for each in objects] == [False, True]
    assert objects[1]["answers"] == []
    assert objects[1]["best_score"] < 0.99
    assert rows[-1] == ["xyzzy", "1", "NIL", "", f"{objects[1]['best_score']:.4f}"]
    assert manifest.summary["nil"] == 1
    kept = stage("link", tmp_path / "links", {"threshold": 0.99}, knowledge_base=[kb], mentions=[path], encoder=static)
    assert kept.json_lines("links.jsonl") == objects
    assert kept.files == {"links.jsonl", "manifest.json"}
    assert kept.manifest.summary["nil"] == 1


def test_link_in_batches_is_link_at_once(kb, static, tmp_path, monkeypatch):
    path = tmp_path / "mentions.txt"
    path.write_text("".join(f"{word}\n" for word in ["haus", "hund", "K+", "katze", "haus", "baum", "rot"]))
    whole = answers("link", static, knowledge_base=[kb], mentions=[path])[0]
    monkeypatch.setattr("lexenc.stages.lexical.link.batches.__defaults__", (3,))
    assert answers("link", static, knowledge_base=[kb], mentions=[path])[0] == whole


def test_link_agrees_with_eval_xel(kb, queries, static, evaluated):
    objects = answers("link", static, {"top": 10}, knowledge_base=[kb], mentions=[queries])[0]
    for own, row in zip(objects, evaluated.json_lines("items.jsonl"), strict=True):
        assert [("|".join(each["concepts"]), each["score"]) for each in own["answers"]] == [
            (each["target"], each["score"]) for each in row["answers"]
        ]


def test_link_warns_of_texts_without_a_direction(kb, static, tmp_path, monkeypatch):
    path = tmp_path / "mentions.txt"
    path.write_text("haus\nhund\n")
    monkeypatch.setattr(
        "lexenc.stages.lexical.link.encode_words", lambda encoder, words, job: np.zeros((len(words), 16))
    )
    objects, _, _, warned, _ = answers("link", static, knowledge_base=[kb], mentions=[path])
    assert warned == ["2 mentions have no direction: the encoder knows no part of them."]
    assert [each["name"] for each in objects[0]["answers"][:2]] == ["haus", "hund"], "ties by line"


def test_an_empty_file_of_mentions_is_an_error(stage, kb, static, tmp_path):
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(DataError, match=r"empty\.txt holds no mentions"):
        stage("link", tmp_path / "out", knowledge_base=[kb], mentions=[tmp_path / "empty.txt"], encoder=static)
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- compare


@pytest.fixture(scope="module")
def other(stage, kb, queries, transformer, tmp_path_factory):
    out = tmp_path_factory.mktemp("other") / "scores"
    return stage("eval xel", out, knowledge_base=[kb], mentions=queries, encoder=transformer)


@pytest.mark.parametrize(("questions", "place"), [("covered", 1), ("all", 3)])
@pytest.mark.parametrize("metric", ["precision_at_1", "precision_at_5"])
def test_compare_gives_the_numbers_of_eval_xel(stage, evaluated, other, questions, place, metric):
    params = {"questions": questions, "metric": metric, "draws": 100}
    made = stage("compare", params=params, first=evaluated.out, second=other.out)
    found = made.manifest.results[0]
    wanted = [each.manifest.results[place] for each in (evaluated, other)]
    assert [found["first"], found["second"]] == [each[metric] for each in wanted]
    assert found["count"] == wanted[0]["queries"]
    assert (found["conventions"], made.warnings) == ("alike", [])
    policy = {"covered": "items not covered are left out", "all": "items not covered: counted wrong"}[questions]
    assert policy in made.manifest.tables[0].note


def test_compare_knows_the_base_whether_encoded_or_not(stage, queries, static, encoded, evaluated, tmp_path):
    again = stage("eval xel", tmp_path / "again", knowledge_base=[encoded.out], mentions=queries, encoder=static)
    made = stage("compare", params={"draws": 100}, first=evaluated.out, second=again.out)
    assert (made.manifest.results[0]["conventions"], made.warnings) == ("alike", [])


def test_compare_warns_of_another_base_and_case(stage, kb, queries, static, evaluated, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text(kb.read_text(encoding="utf-8") + "C100||berg\n", encoding="utf-8")
    files = {"mentions": queries, "encoder": static}
    other = stage("eval xel", tmp_path / "other", knowledge_base=[more], **files)
    cased = stage("eval xel", tmp_path / "cased", {"lowercase": False}, knowledge_base=[kb], **files)
    (names,) = stage("compare", params={"draws": 100}, first=evaluated.out, second=other.out).warnings
    assert "differ in knowledge base: sha256 " in names
    _, case = stage("compare", params={"draws": 100}, first=evaluated.out, second=cased.out).warnings
    assert "differ in case: names and mentions lower-cased in" in case


def test_compare_refuses_what_needs_every_place(stage, evaluated, other):
    with pytest.raises(ConfigError, match="There is no metric of entity linking called 'reciprocal_rank'"):
        stage("compare", params={"metric": "reciprocal_rank"}, first=evaluated.out, second=other.out)


# ---------------------------------------------------------------- real data


def shared_base(data: Path, language: str, out: Path, *, ordered: bool = False) -> Path:
    """The mentions of all other languages, as a knowledge base."""
    lines = [
        line
        for other in ("en", "de", "fi", "ru", "tr")
        if other != language
        for line in (data / "xel" / "xlbel-v0" / f"{other}_1k_test_query.txt").read_text("utf-8").splitlines()
    ]
    out.write_text("\n".join(sorted(lines) if ordered else lines) + "\n", encoding="utf-8")
    return out


@pytest.mark.data
@pytest.mark.parametrize(
    ("language", "answerable", "hits"), [("de", 343, 65), ("fi", 464, 62), ("ru", 489, 10), ("tr", 623, 121)]
)
def test_the_control_reaches_what_was_measured_elsewhere(stage, data, static, tmp_path, language, answerable, hits):
    """Hits among all 1,000 mentions; of ties (919 Russian mentions overlap with nothing) the first name counts."""
    base = shared_base(data, language, tmp_path / "kb.txt", ordered=True)
    mentions = data / "xel" / "xlbel-v0" / f"{language}_1k_test_query.txt"
    control = stage("eval xel", knowledge_base=[base], mentions=mentions, encoder=static).manifest.results[4]
    assert (control["control"], control["protocol"], control["scored"]) == (
        "character 2-4-gram TF-IDF", "names", "all",
    )  # fmt: skip
    assert (control["queries"], control["answerable_mentions"]) == (1000, answerable)
    assert round(1000 * control["precision_at_1"]) == hits


@pytest.mark.data
def test_bundled_encoder_on_russian_mentions(stage, data, tmp_path):
    base = shared_base(data, "ru", tmp_path / "kb.txt")
    mentions = data / "xel" / "xlbel-v0" / "ru_1k_test_query.txt"
    made = stage("eval xel", knowledge_base=[base], mentions=mentions, encoder="mini")
    first, second = made.manifest.results[:2]
    assert (first["queries"], second["queries"], first["names"]) == (1000, 489, 3861)
    assert second["precision_at_1"] == pytest.approx(first["precision_at_1"] * 1000 / 489)
    assert json.dumps(made.manifest.results)
