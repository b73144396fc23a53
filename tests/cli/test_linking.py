"""link, eval xel and encode-concepts as they are typed."""

from __future__ import annotations

import json
import sys

import pytest

KB = ["C1||haus", "C2||hund", "C3||katze", "C4|C5||baum", "C6||K+", "C7||wasser"]
QUERIES = ["C1||Haus", "C2||HUND", "C5||baum", "C99||nirgends"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("linking")
    for name, lines in (("kb.txt", KB), ("queries.txt", QUERIES), ("mentions.txt", ["Haus", "a|b", "K+", "Haus"])):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def link(lexenc, place, static):
    return lambda *more, **kind: lexenc(
        "link", "--knowledge-base", place / "kb.txt", "--encoder", static, *more, **kind
    )


@pytest.fixture
def evaluate(lexenc, place, static):
    files = ["--knowledge-base", place / "kb.txt", "--mentions", place / "queries.txt", "--encoder", static]
    return lambda *more: lexenc("eval", "xel", *files, *more)


def test_link_prints_tab_separated_lines_without_heads(link, place):
    shown = link(place / "mentions.txt", "--top", 2)
    rows = [line.split("\t") for line in shown.lines]
    assert [row[:2] for row in rows] == [[word, rank] for word in ("Haus", "a|b", "K+", "Haus") for rank in "12"]
    assert rows[0] == ["Haus", "1", "C1", "haus", "1.0000"]
    assert rows[4][2:4] == ["C6", "K+"]
    assert "link: 4 mentions, read as plain text." in shown.stderr


def test_link_prints_one_object_per_mention(link, place):
    objects = [json.loads(line) for line in link(place / "mentions.txt", "--json").lines]
    assert [each["mention"] for each in objects] == ["Haus", "a|b", "K+", "Haus"]
    assert objects[0]["answers"][0]["concepts"] == ["C1"]
    assert all(len(each["answers"]) == 5 for each in objects)


def test_link_takes_files_and_standard_input(link, place):
    shown = link(place / "queries.txt", "-", "--top", 1, stdin="Katze\nC6||K+\n")
    assert [line.split("\t")[2] for line in shown.lines][:3] == ["C1", "C2", "C4|C5"]
    assert [line.split("\t")[2] for line in shown.lines][-2:] == ["C3", "C6"]
    assert "5 mentions came as CUI||mention, 1 as plain text." in shown.stderr


def test_link_into_a_folder_prints_nothing_but_where(link, place, tmp_path):
    shown = link(place / "mentions.txt", "--out", tmp_path / "links")
    assert shown.stdout == ""
    assert "link: mentions 4, nil 0, names 6, concepts 7, search exact -> " in shown.stderr
    assert len((tmp_path / "links" / "links.jsonl").read_text(encoding="utf-8").splitlines()) == 4
    assert "reused" in link(place / "mentions.txt", "--out", tmp_path / "links").stderr
    (body,) = [json.loads(line) for line in link(place / "mentions.txt", "--out", tmp_path / "links", "--json").lines]
    assert (body["stage"], body["mentions"]) == ("link", 4)


def test_on_a_terminal_links_are_a_table(link, place, monkeypatch, capsys):
    from lexenc_cli.main import build_app

    del link
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    words = ["link", "--knowledge-base", str(place / "kb.txt"), "--encoder", "mini", str(place / "mentions.txt")]
    build_app()([*words, "--quiet"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "best name" in shown
    assert "─" in shown


def test_eval_xel_prints_names_then_concepts(evaluate):
    first, second, *_ = (json.loads(line) for line in evaluate("--json").lines)
    assert (first["protocol"], first["scored"], first["queries"]) == ("names", "all", 4)
    assert (second["protocol"], second["scored"], second["queries"]) == ("concepts", "answerable", 3)
    assert (first["precision_at_1"], second["precision_at_1"]) == (0.75, 1.0)
    for each in (first, second):
        assert 0 <= each["precision_at_1_low"] <= each["precision_at_1"] <= each["precision_at_5"] <= 1


def test_table_and_objects_of_eval_xel_agree(evaluate):
    objects = [json.loads(line) for line in evaluate("--json").lines]
    shown = evaluate()
    rows = [line.split("\t") for line in shown.lines]
    for own, row in zip(objects[:8], rows[1:9], strict=True):
        assert row[0] == ("control: " if "control" in own else "") + f"{own['protocol']}, {own['scored']}"
        assert row[2] == f"{100 * own['precision_at_1']:.2f}"
    assert rows[-1][-1] == "no"
    assert "3 of 4 mentions have a concept in it (answerable)" in shown.stderr
    assert "names and mentions lower-cased, all names compared" in shown.stderr


def test_an_encoded_base_is_named_by_the_next_step(lexenc, place, static, tmp_path):
    out = tmp_path / "kb"
    shown = lexenc("encode-concepts", place / "kb.txt", "--encoder", static, "--out", out)
    assert shown.stderr.splitlines()[-1] == f"next: lexenc link --knowledge-base {out} --encoder {static} MENTIONS"
    linked = lexenc("link", "--knowledge-base", out, "--encoder", static, "-", stdin="Haus\n", env={})
    assert linked.lines[0] == "Haus\t1\tC1\thaus\t1.0000"


def test_compare_takes_two_of_eval_xel(evaluate, lexenc, tmp_path):
    for name, more in (("one", []), ("other", ["--no-lowercase"])):
        evaluate("--out", tmp_path / name, *more)
    shown = lexenc("compare", tmp_path / "one", tmp_path / "other", "--json")
    found = json.loads(shown.lines[0])
    assert (found["count"], found["first"], found["conventions"]) == (3, 1.0, "different")
    assert "differ in case" in shown.stderr


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("C1||a\nfoo\n", "kb.txt, line 2: not an identifier and a name.", "Write C0032821||potassium."),
        ("C1||a||b\n", "kb.txt, line 1: unexpected text after the name: b", "Write one name per line"),
        ("\n", "kb.txt holds no names.", "One per line: C0032821||potassium."),
        ("C1||\n", "kb.txt, line 1: not an identifier and a name.", "Write C0032821||potassium."),
    ],
)
def test_faults_of_a_knowledge_base_come_before_any_work(fails, place, static, tmp_path, text, message, hint):
    (tmp_path / "kb.txt").write_text(text)
    base = ["--knowledge-base", tmp_path / "kb.txt", "--encoder", static]
    for words in (
        ["link", *base, place / "mentions.txt"],
        ["eval", "xel", *base, "--mentions", place / "queries.txt"],
        ["encode-concepts", tmp_path / "kb.txt", "--encoder", static, "--out", tmp_path / "out"],
    ):
        found = fails(*words)
        assert message in found.message
        assert hint in found.hint
        assert not (tmp_path / "out").exists()


def test_faults_of_mentions_come_before_any_work(fails, place, static, tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "strange.txt").write_text("D1||haus\n")
    base = ["--knowledge-base", place / "kb.txt", "--encoder", static]
    assert "empty.txt holds no mentions." in fails("link", *base, tmp_path / "empty.txt").message
    assert "standard input holds no mentions." in fails("link", *base, "-", stdin="").message
    evaluation = ["eval", "xel", *base, "--mentions"]
    assert "empty.txt holds no mentions." in fails(*evaluation, tmp_path / "empty.txt").message
    found = fails(*evaluation, tmp_path / "strange.txt")
    assert "No mention has its concept in the knowledge base (0 of 1)." in found.message
    assert "identifiers such as D1, the knowledge base C1." in found.hint
    found = fails(*evaluation, place / "mentions.txt")
    assert "mentions.txt, line 1: not an identifier and a name." in found.message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--index", "hnws"], "--index cannot be 'hnws'."),
        (["--threshold", "2"], "--threshold must be at most 1"),
        (["--top", "0"], "--top must be at least 1"),
        (["--mention-language", "turkish!"], "--mention-language must be a language code"),
    ],
)
def test_faults_of_settings(fails, place, static, more, message):
    base = ["--knowledge-base", place / "kb.txt", "--encoder", static]
    assert message in fails("link", *base, place / "mentions.txt", *more).message
