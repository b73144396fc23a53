"""reproduce: tables of a paper made from a tiny world, beside the paper's figures."""

from __future__ import annotations

import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

NAME = "lexical-encoders"
# SimLex-like pairs of words that the world has: both words in English, both in "Finnish", and their scores.
PAIRS = [
    ("house", "house", "haus", "haus", 6, 6),  # a translation once the sides are crossed: leaks
    ("dog", "cat", "hund", "katze", 3, 4),
    ("tree", "water", "baum", "wasser", 1, 1),
    ("red", "blue", "rot", "blau", 4, 4),
    ("sun", "moon", "sonne", "mond", 5, 5),
    ("river", "unicorn", "fluss", "einhorn", 0, 1),  # without vectors
]
CONCEPTS = [("C1", "house", "haus"), ("C2", "dog", "hund"), ("C3", "water", "wasser"), ("C4", "red", "rot")]


def mrconso(concept: str, language: str, name: str) -> str:
    cells = [""] * 18
    cells[0], cells[1], cells[14], cells[16] = concept, language, name, "N"
    return "|".join([*cells, ""])


@pytest.fixture(scope="module")
def files(world, tmp_path_factory):
    """Own files for every role: German also plays the part of Finnish."""
    folder = tmp_path_factory.mktemp("files")
    for code, side in (("en", "en"), ("de", "de"), ("fi", "de")):
        shutil.copy(world / f"{side}.vec", folder / f"{code}.vec")
    heads = ["ID,ENG 1,ENG 2,FIN 1,FIN 2", "ID,ENG,FIN"]
    words = [f"{number},{a},{b},{c},{d}" for number, (a, b, c, d, *_) in enumerate(PAIRS)]
    scores = [f"{number},{first},{second}" for number, (*_, first, second) in enumerate(PAIRS)]
    for name, head, rows in (("translation", heads[0], words), ("scores", heads[1], scores)):
        (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    base = [f"{concept}||{name}" for concept, *names in CONCEPTS for name in names]
    mentions = [f"{concept}||{german.upper()}" for concept, _, german in CONCEPTS]
    names = [mrconso(c, tongue, n) for c, *both in CONCEPTS for tongue, n in zip(("ENG", "GER"), both, strict=True)]
    names += [mrconso(c, tongue, f"a {n}") for c, n, _ in CONCEPTS for tongue in ("ENG",)]
    names += [mrconso("C9", tongue, f"{tongue} name") for tongue in "CHI FIN JPN KOR RUS SPA TUR".split()]
    for name, lines in (("kb.txt", base), ("mentions.txt", mentions), ("MRCONSO.RRF", names)):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    table = {
        "train": world / "train.tsv",
        "test": world / "test.tsv",
        "vectors": folder / "{language}.vec",
        "multi-simlex": folder / "translation.csv",
        "mentions": folder / "mentions.txt",
        "umls": folder / "MRCONSO.RRF",
        "knowledge-base": folder / "kb.txt",
    }
    return [word for role, path in table.items() for word in ("--file", f"{role}={path}")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduced") / "runs"


@pytest.fixture(scope="module")
def bli(lexenc, files, static, runs):
    """Tables 6 and 7 with one stand-in, on one pair."""
    return lexenc(
        "reproduce", f"{NAME}/table-6", f"{NAME}/table-7", "--pairs", "en-de", "--encoder", f"LaBSE={static}", *files,
        "--out", runs,
    )


def rows(stdout: str) -> dict[tuple[str, str], dict[str, str]]:
    """Read printed tables of one recipe: cells by column, by row and kind of number."""
    lines = [line.split("\t") for line in stdout.splitlines()]
    head = lines[0]
    return {(line[0], line[1]): dict(zip(head[2:], line[2:], strict=True)) for line in lines[1:]}


# ---------------------------------------------------------------- tables


def test_a_stand_in_goes_by_its_own_name_and_has_no_gap(bli):
    first, second = bli.stdout.split("\tx 100\t")[1:]
    untuned, tuned = (rows("\tx 100\t" + text) for text in (first.removesuffix("\n"), second))
    assert list(untuned["en-de", "ours"]) == [
        "VecMap", "mBERT noCL 1.0", "mBERT noCL 0.3", "XLM-R noCL 1.0", "XLM-R noCL 0.3", "static noCL 1.0",
        "static noCL 0.3", "xMPNET noCL 1.0", "xMPNET noCL 0.3",
    ]  # fmt: skip
    assert untuned["en-de", "paper's LaBSE"]["static noCL 1.0"] == "25.4"
    assert tuned["en-de", "paper's LaBSE"]["static +CL 0.3"] == "61.1"
    for table in (untuned, tuned):
        for column, ours in table["en-de", "ours"].items():
            paper, gap = table["en-de", "paper"][column], table["en-de", "gap"][column]
            if column == "VecMap":
                assert float(gap) == pytest.approx(float(ours) - float(paper), abs=0.051)
            elif column.startswith("static"):
                assert (paper, gap) == ("-", "-")
                low, high = map(int, table["en-de", "95 %"][column].split("-"))
                assert low - 1 <= float(ours) <= high + 1
            else:
                assert (ours, gap) == ("-", "-")
                assert float(paper) > 0
    assert float(untuned["en-de", "ours"]["VecMap"]) >= 90, "the world is an easy one"
    assert ("average", "paper") not in untuned, "one pair needs no average"


def test_one_in_place_of_all_is_one_set_of_columns(bli, lexenc, files, static, runs):
    words = ["reproduce", f"{NAME}/table-6", "--pairs", "en-de", "--encoder", static, *files, "--out", runs]
    shown = lexenc(*words)
    table = rows(shown.stdout)
    assert list(table["en-de", "ours"]) == ["VecMap", "static noCL 1.0", "static noCL 0.3"]
    assert [kind for _, kind in table] == [
        "ours", "95 %", "paper", "gap", "paper's mBERT", "paper's XLM-R", "paper's LaBSE", "paper's xMPNET",
    ]  # fmt: skip
    assert table["en-de", "paper's mBERT"] == {"VecMap": "-", "static noCL 1.0": "15.6", "static noCL 0.3": "50.7"}
    assert "3 numbers: 3 done; ours - paper" in shown.stderr
    assert shown.stderr.rstrip().endswith("on the mean of 1")
    objects = [json.loads(line) for line in lexenc(*words, "--json", "-q").lines]
    assert [each["encoder"] for each in objects] == [None, str(static), str(static)]
    assert objects[1]["paper"] is objects[1]["difference"] is None
    assert objects[1]["paper_others"] == {"mBERT": 15.6, "XLM-R": 12.7, "LaBSE": 25.4, "xMPNET": 22.0}


def test_a_folder_named_as_the_encoder_is_a_copy_of_it(lexenc, files, static, tmp_path):
    shutil.copytree(static, tmp_path / "LaBSE")
    words = ["--pairs", "en-de", "--encoder", f"LaBSE={tmp_path / 'LaBSE'}", *files, "--out", tmp_path / "runs"]
    table = rows(lexenc("reproduce", f"{NAME}/table-8", *words).stdout)
    for column, gap in table["en-de", "gap"].items():
        ours, paper = (float(table["en-de", kind][column]) for kind in ("ours", "paper"))
        assert float(gap) == pytest.approx(ours - paper, abs=0.051)


def test_bli_says_what_is_done_and_by_which_convention(bli, static):
    lines = bli.stderr.splitlines()
    steps = [line for line in lines if line.startswith("[")]
    assert steps[0] == "[1/6] GT-BLI-5k/en-de/mapped: map; 5 numbers to come"
    assert steps[1] == "[2/6] GT-BLI-5k/en-de/VecMap/translation-nearest: eval bli; 5 numbers to come"
    assert steps[2] == "[3/6] GT-BLI-5k/en-de/static/noCL/translation-nearest: eval bli; 4 numbers to come"
    assert [line.split(": ")[1].split(";")[0] for line in steps[3:]] == ["mine-negatives", "finetune", "eval bli"]
    note = next(line for line in lines if line.startswith(f"{NAME}/table-6: Word translation"))
    for words in ("retrieval: nearest", "query unit: source word", "out of vocabulary: left out", "seed: 0",
                  "coverage: 100.0 %", "direction: source-target", f"{static} in place of LaBSE",
                  "own files for train, test, vectors"):  # fmt: skip
        assert words in note
    assert any(line.startswith(f"{NAME}/table-7: 9 numbers: 3 done, 6 not asked; ") for line in lines)


def test_tables_share_what_they_can_and_nothing_is_done_again(bli, lexenc, files, static, runs):
    words = ["--pairs", "en-de", "--encoder", f"LaBSE={static}", *files, "--out", runs]
    again = lexenc("reproduce", f"{NAME}/table-9", *words)
    steps = [line for line in again.stderr.splitlines() if line.startswith("[")]
    reused = [line for line in again.stderr.splitlines() if "reused" in line]
    assert len(steps) == len(reused) == 5
    tuned = rows("\tx 100\t" + bli.stdout.split("\tx 100\t")[2])
    assert rows(again.stdout)["en-de", "ours"]["0.3"] == tuned["en-de", "ours"]["static +CL 0.3"]
    assert "Word translation on GT-BLI by static tuned, by lambda" in again.stderr


def test_json_has_every_number_with_its_result(bli, lexenc, files, static, runs):
    words = ["--pairs", "en-de", "--encoder", f"LaBSE={static}", *files, "--out", runs, "--json", "-q"]
    objects = [json.loads(line) for line in lexenc("reproduce", f"{NAME}/table-8", *words).lines]
    assert [each["column"] for each in objects] == ["VecMap", "0.1", "0.2", "0.3", "0.4", "0.5", "0.7", "1.0"]
    one = objects[3]
    assert (one["recipe"], one["row"], one["state"]) == (f"{NAME}/table-8", "en-de", "done")
    assert (one["encoder"], one["paper"], one["paper_others"]) == (str(static), None, {"LaBSE": 54.1})
    assert objects[0]["difference"] == pytest.approx(objects[0]["ours"] - objects[0]["paper"])
    assert one["ours"] == pytest.approx(100 * one["result"]["precision_at_1"])
    assert (one["result"]["lambda"], one["result"]["query_unit"]) == (0.3, "source word")


def test_xlsim_leaves_test_pairs_out_of_the_dictionary(lexenc, files, static, runs):
    words = ["--pairs", "en-fi", "--encoder", f"LaBSE={static}"]
    shown = lexenc("reproduce", f"{NAME}/table-10", f"{NAME}/table-1", *words, *files, "--out", runs)
    table, means = shown.stdout.split("\tx 100\t")[1:]
    found = rows("\tx 100\t" + table)
    assert found["en-fi", "paper's LaBSE"]["static noCL 0.5"] == "51.6"
    assert set(found["en-fi", "ours"].values()) & {"?", "!"} == set()
    assert found["en-fi", "ours"]["mBERT noCL 1.0"] == "-"
    clean = (runs / "Multi-SimLex-5k/en-fi/clean/train.tsv").read_text(encoding="utf-8")
    assert "house" not in clean
    assert "dog\thund" in clean
    # The paper's mean over the pair asked for, not over all six; GT-BLI has the pair too.
    found = rows("\tx 100\t" + means)
    assert found["static Multi-SimLex Spearman λ=0.5", "paper's LaBSE"]["noCL λ"] == "51.6"
    assert found["static GT-BLI P@1 λ=0.3", "paper's LaBSE"]["+CL λ"] == "53.3"
    assert found["static Multi-SimLex Spearman λ=0.5", "gap"]["VecMap"] != "-"
    assert "coverage: 83.3 %" in shown.stderr


def test_xel_tunes_on_words_on_names_and_on_both(lexenc, files, static, runs):
    words = ["reproduce", f"{NAME}/table-4", "--pairs", "en-de", "--encoder", f"XLM-R={static}"]
    shown = lexenc(*words, *files, "--out", runs)
    found = rows(shown.stdout)
    assert list(found["static noCL", "ours"]) == ["en-de P@1", "en-de P@5"]
    assert {float(value) for (label, kind), cells in found.items() if kind == "ours" for value in cells.values()} <= {
        0, 25, 50, 75, 100,
    }  # fmt: skip
    assert ("xMPNET noCL", "ours") not in found, "not asked for"
    assert found["xMPNET noCL", "paper"]["en-de P@1"] == "19.5"
    tuned = json.loads((runs / "XL-BEL/static/+CL+UMLS-EN-en-de/tuned/manifest.json").read_text(encoding="utf-8"))
    assert tuned["params"]["languages"] == ["ENG"]
    assert tuned["inputs"]["encoder"][0]["given"].endswith("GT-BLI-5k/en-de/static/tuned")
    assert "protocol: names; scored: all" in shown.stderr


def test_average_is_over_the_pairs_that_have_numbers(attempt, files, static, world, runs):
    words = ["--encoder", f"LaBSE={static}", "--pairs", "en-de,en-fi,en-fr", *files, "--out", runs, "-q"]
    shown = attempt("reproduce", f"{NAME}/table-6", *words, "--partial")
    assert shown.code == 0
    numbers, _, lacking = shown.stdout.partition("what\tneeded by\tcommand\n")
    found = rows(numbers)
    assert set(found["en-fr", "ours"].values()) == {"?", "-"}
    assert {line.split("\t")[1] for line in lacking.splitlines()} == {"en-fr"}, "files of the French alone are missing"
    assert ("en-fr", "gap") not in found
    own = found["average", "paper's LaBSE"]["static noCL 1.0"]
    assert float(own) == pytest.approx((25.4 + 19.3) / 2, abs=0.051)
    both = [float(found[pair, "ours"]["static noCL 1.0"]) for pair in ("en-de", "en-fi")]
    assert float(found["average", "ours"]["static noCL 1.0"]) == pytest.approx(sum(both) / 2, abs=0.051)
    assert float(found["average", "paper"]["mBERT noCL 1.0"]) == pytest.approx((15.6 + 7.9 + 25.2) / 3, abs=0.051)


# ---------------------------------------------------------------- what goes wrong


def test_a_cell_that_fails_leaves_the_others(attempt, files, static, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(static, broken)
    (broken / "model.safetensors").write_bytes(b"nothing")
    words = ["--pairs", "en-de", "--encoder", f"mBERT={broken}", "--encoder", f"LaBSE={static}"]
    shown = attempt("reproduce", f"{NAME}/table-7", *words, *files, "--out", tmp_path / "runs")
    assert shown.code == 1
    found = rows(shown.stdout)["en-de", "ours"]
    assert (found["broken +CL 1.0"], found["broken +CL 0.3"]) == ("!", "!")
    assert float(found["VecMap"]) >= 90
    assert float(found["static +CL 1.0"]) >= 0
    assert "Traceback" not in shown.stderr
    assert "warning: GT-BLI-5k/en-de/broken/negatives failed: " in shown.stderr
    assert not (tmp_path / "runs/GT-BLI-5k/en-de/broken/negatives").exists()


def test_what_is_missing_is_listed_before_anything_runs(fails, static, tmp_path):
    words = ["--pairs", "en-de", "--encoder", "LaBSE", "--data", tmp_path / "data", "--out", tmp_path / "runs"]
    failed = fails("reproduce", f"{NAME}/table-7", *words)
    lines = failed.message.splitlines()
    assert lines[0] == "5 inputs are not here yet:"
    data = tmp_path / "data"
    assert [line.split("  ")[-1].strip() for line in lines[1:]] == [
        f"lexenc fetch fasttext:en --part vec --out {data}/fasttext",
        f"lexenc fetch fasttext:de --part vec --out {data}/fasttext",
        f"lexenc fetch gt-bli:en-de --part train --out {data}/gt-bli",
        f"lexenc fetch gt-bli:en-de --part test --out {data}/gt-bli",
        "hf download sentence-transformers/LaBSE --exclude '*.bin' --exclude '*.h5' --exclude '*.ot'",
    ]
    assert "--fetch" in failed.hint
    assert not (tmp_path / "runs").exists()


def test_without_data_every_row_is_printed_with_the_files_that_it_needs(lexenc, tmp_path):
    words = ["senses/table-2", "senses/table-3", "--data", tmp_path, "--out", tmp_path / "runs", "--partial"]
    shown = lexenc("reproduce", *words)
    numbers, _, lacking = shown.stdout.partition("what\tneeded by\tcommand\n")
    assert {line.split("\t")[0] for line in numbers.splitlines()} >= {"ELMo-1B", "SaBERT-Tiny", "ELMo", "mBERT-Align"}
    needed = {command: owners for _, owners, command in (line.split("\t") for line in lacking.splitlines())}
    assert (needed["--file lm1b=PATH"], needed["--file wiki=PATH"]) == ("table-2: all rows", "table-3: all rows")
    assert needed["--file muse=PATH"] == "table-3: ELMo+Proj, Joint-ELMo+Proj, Bi-SaELMo, Bi-SaELMo+Proj"
    assert "Quoted by the paper, not computed: XLM-tuned, mBERT-tuned, XLM-R-tuned, mBERT+Proj" in shown.stderr
    objects = map(json.loads, lexenc("reproduce", *words, "--json").lines)
    reasons = {(each["row"], each["column"]): each.get("reason") for each in objects}
    assert all(f"no {role} (" in reasons["Bi-SaELMo+Proj", "en-zh"] for role in ("ner", "wiki", "muse"))
    assert "muse" not in reasons["Joint-ELMo", "en-zh"]
    assert reasons["XLM-tuned", "en-de"] is None
    assert not (tmp_path / "runs").exists()


def test_a_table_of_settings_is_printed_and_nothing_runs(lexenc, tmp_path):
    words = ["reproduce", "senses/table-6", "--out", tmp_path / "runs"]
    shown = lexenc(*words)
    lines = [line.split("\t") for line in shown.lines]
    assert lines[0] == ["setting", "paper", "ours", "same"]
    assert ["lstm:dim", "4,096", "--cells 4,096", "="] in lines
    assert ["n_context", "6", "--senses 5", "~"] in lines
    assert ["n_gpus", "2", "-", "≠"] in lines
    assert "Ours: lexenc pretrain --preset saelmo." in shown.stderr
    assert "n_context: the paper counts the sense of the warm-up as well" in shown.stderr
    objects = {each["row"]: each for each in map(json.loads, lexenc(*words, "--json").lines)}
    assert objects["unroll_steps"] == {
        "recipe": "senses/table-6", "row": "unroll_steps", "paper": 16, "ours": 512, "option": "--max-length",
        "same": False, "because": "we read whole sentences, and carry no state from one to the next"}  # fmt: skip
    assert not (tmp_path / "runs").exists()


def test_dry_run_lists_steps_and_what_is_missing_and_writes_nothing(lexenc, files, static, tmp_path):
    words = ["--encoder", f"xMPNET={static}", "--pairs", "en-de", "--out", tmp_path / "runs", "--dry-run"]
    own = [each for each in files if "umls" not in each]
    own = [
        each for place, each in enumerate(own) if not (each == "--file" and own[place + 1 : place + 2] == ["--file"])
    ]
    shown = lexenc("reproduce", f"{NAME}/table-4", *words, *own)
    steps = [line.split("\t") for line in shown.lines[: shown.lines.index("what\tneeded by\tcommand")]]
    assert steps[0] == ["step", "stage", "state", "why"]
    states = {row[0]: row[2] for row in steps[1:]}
    assert states["GT-BLI-5k/en-de/mapped"] == "would run"
    assert states["XL-BEL/static/noCL+UMLS-EN/de"] == "cannot run"
    assert shown.lines[-1].endswith("\t--file umls=PATH")
    assert not (tmp_path / "runs").exists()
    objects = [json.loads(line) for line in lexenc("reproduce", f"{NAME}/table-4", *words, *own, "--json").lines]
    assert {"step", "stage", "action", "why"} == set(objects[0])
    assert objects[-1]["command"] == "--file umls=PATH"


def test_results_of_other_settings_are_not_replaced_unasked(bli, fails, files, static, runs):
    words = ["reproduce", f"{NAME}/table-6", "--pairs", "en-de", "--encoder", f"LaBSE={static}", *files, "--out", runs]
    failed = fails(*words, "--seed", 7)
    assert "of other settings or files:" in failed.message
    assert "GT-BLI-5k/en-de/mapped: seed: 0 -> 7" in failed.message
    assert failed.hint == "Choose another --out, or add --force to replace them."


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["table-55"], "There is no recipe called 'table-55'.", "Did you mean 'table-"),
        (
            [f"{NAME}/table-6", "--pairs", "en-xx"],
            "There is no language pair in these tables called 'en-xx'.",
            "Did you mean",
        ),
        ([f"{NAME}/table-6", "wacse/table-8"], "The tables are of several papers: lexical-encoders, wacse.", "Run"),
        ([f"{NAME}/table-6", "--file", "train"], "--file train is not ROLE=PATH.", "For instance"),
        ([f"{NAME}/table-6", "--file", "trian=a"], "There is no file called 'trian'.", "Did you mean 'train'?"),
        (
            [f"{NAME}/table-4", "--file", "train={language}.tsv"],
            "--file train: {language} is ambiguous",
            "Write {pair}",
        ),
        ([f"{NAME}/table-6", "--encoder", "./nowhere"], "The encoder is not there: ./nowhere", "Check the path"),
        ([f"{NAME}/table-6", "--device", "gpu"], "", ""),
        ([f"{NAME}/table-6", "--retrieval", "cls"], "--retrieval cannot be 'cls'.", "Choose one of"),
    ],
)
def test_wrong_usage(fails, tmp_path, words, message, hint):
    failed = fails("reproduce", *words, "--out", tmp_path / "runs")
    assert failed.message.startswith(message)
    assert failed.hint.startswith(hint)
    assert not (tmp_path / "runs").exists()


# ---------------------------------------------------------------- fetching, listing


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(world, tmp_path, monkeypatch):
    """A mirror of the families that Table 6 needs, with the files of the tiny world."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=world)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        parts = ", ".join(f"{name}: {{url: '{address}/{name}.tsv'}}" for name in ("train", "test"))
        path = tmp_path / "catalogue.yaml"
        path.write_text(
            f"gt-bli: {{what: dictionaries, licence: none, open: false, keys: en-de, parts: {{{parts}}}}}\n"
            "fasttext: {what: vectors, licence: none, open: true, keys: en de, default: vec,"
            f" parts: {{vec: {{url: '{address}/{{key}}.vec'}}}}}}\n",
            encoding="utf-8",
        )
        monkeypatch.setenv("LEXENC_CATALOGUE", str(path))
        yield path
        server.shutdown()
        thread.join()


def test_fetch_brings_what_is_missing(mirror, lexenc, fails, static, tmp_path):
    words = ["reproduce", f"{NAME}/table-6", "--pairs", "en-de", "--encoder", static, "--data", tmp_path / "data",
             "--out", tmp_path / "runs"]  # fmt: skip
    failed = fails(*words, "--fetch", "-q")
    assert "The licence of gt-bli:en-de is not an open one" in failed.message
    shown = lexenc(*words, "--fetch", "--yes")
    assert (tmp_path / "data/fasttext/en.vec").is_file()
    assert float(rows(shown.stdout)["en-de", "ours"]["VecMap"]) >= 90
    assert rows(lexenc(*words).stdout) == rows(shown.stdout)


def test_list_recipes(lexenc):
    lines = lexenc("list", "recipes").lines
    assert lines[0] == "name\twhat"
    assert len(lines) == 1 + 12 + 8 + 8 + 7
    assert any(line.startswith(f"{NAME}/table-6\tWord translation on GT-BLI") for line in lines)
    assert json.loads(lexenc("list", "recipes", "--json").lines[0])["name"] == f"{NAME}/table-1"
