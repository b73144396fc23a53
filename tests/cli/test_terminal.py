"""No control character of the user's data reaches a terminal, and a pipe gets tables and JSON that are well formed."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from forks import Forked
from lexenc_cli.ui import plain

pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")

# A title, a colour, a colour by C1, directions of writing, a bell, a carriage return, and separators of lines.
EVIL = ["\x1b]0;owned\x07", "\x1b[35;46mred", "\x9b35;46mc1", "\u202erevert\u2066", "bell\x07\x08", "over\rwritten",
        "line\u2028break\x85", "\x1bc", "\x1b]8;;http://x\x1b\\link", "del\x7f", "tab\tbed"]  # fmt: skip
# Colours of our own, and the moves of a progress bar.
STYLES = re.compile(r"\r|\x1b\[[0-9;?]*[A-Za-z]")
CONTROL = re.compile("[^\n]{0,40}[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069][^\n]{0,20}")

RUN = """
import json, sys
from lexenc_cli.main import build_app
for words in json.loads(open(sys.argv[1]).read()):
    code = build_app()(words, standalone_mode=False)
    print("=", code, flush=True)
"""


@pytest.fixture
def terminal(tmp_path):
    """Run commands in a terminal, and return what it gets."""

    def run(*commands) -> str:
        (tmp_path / "commands.json").write_text(json.dumps([[str(word) for word in each] for each in commands]))
        ours, theirs = os.openpty()
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "250", "LINES": "50"}
        environment.pop("NO_COLOR", None)
        process = Forked(
            ["-c", RUN, tmp_path / "commands.json"],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment,
        )  # fmt: skip
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 1 << 16):
                parts.append(part)
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        assert process.wait() == 0, b"".join(parts).decode("utf-8", "replace")
        shown = b"".join(parts).decode()  # which is UTF-8
        assert shown.count("\n= ") == len(commands), shown
        return shown

    return run


def refuse_controls(shown: str) -> None:
    assert "\x1b[35;46m" not in shown
    assert "over\r" not in shown
    assert CONTROL.findall(STYLES.sub("", shown)) == []


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """Vectors, dictionaries, texts and names that are full of control characters."""
    folder = tmp_path_factory.mktemp("evil")
    words = [f"{number}{each}".replace("\t", "") for number, each in enumerate(EVIL * 3)]
    random = np.random.default_rng(0)
    matrix = random.normal(size=(len(words), 6))
    for name in ("en", "de"):
        rows = [f"{word} " + " ".join(f"{x:.4f}" for x in row) for word, row in zip(words, matrix, strict=True)]
        (folder / f"{name}.vec").write_bytes("\n".join([f"{len(rows)} 6", *rows, ""]).encode())
    lines = [f"{word}\t{word}\n" for word in words if "\r" not in word]
    (folder / "pairs.tsv").write_bytes("".join(lines).encode())
    (folder / "text.tsv").write_bytes("".join(line * 3 for line in lines).encode())
    (folder / "words.txt").write_bytes("".join(f"{word}\n" for word in [*words, *EVIL]).encode())
    (folder / "kb.txt").write_bytes("".join(f"C{i}||{word}\n" for i, word in enumerate(words)).encode())
    return folder


def test_no_control_character_of_words_reaches_a_terminal(evil, static, terminal, tmp_path):
    space = tmp_path / "space\x1b[35;46m\u202e"
    files = ["--source", evil / "en.vec", "--target", evil / "de.vec", "--dictionary", evil / "pairs.tsv"]
    shown = terminal(
        ["map", *files, "--out", space],
        ["map", *files, "--out", space],
        ["map", *files, "--out", space, "--dry-run"],
        ["show", space],
        ["show", space, "--json"],
        ["translate", "--vectors", space, evil / "words.txt"],
        ["translate", "--vectors", space, evil / "words.txt", "--json"],
        ["induce", "--vectors", space, "--dictionary", evil / "pairs.tsv"],
        ["eval", "bli", "--vectors", space, "--dictionary", evil / "pairs.tsv", "--out", tmp_path / "score\x1bc"],
        ["results", tmp_path],
        ["results", f"a\x1b[35;46m={tmp_path / 'score'}\x1bc", "--format", "csv"],
        ["link", "--knowledge-base", evil / "kb.txt", "--encoder", static, evil / "words.txt"],
        ["align", "--pairs", evil / "text.tsv", "--out", tmp_path / "aligned", "--show", "3"],
        ["align", "--pairs", evil / "text.tsv"],
        ["convert", evil / "pairs.tsv"],
        ["convert", evil / "pairs.tsv", "--json"],
    )
    refuse_controls(shown)
    assert shown.count("\r\n= 0\r\n") == 16, shown
    assert r"\x1b[35;46m" in shown, "they are shown as escapes"


def test_no_control_character_of_names_and_errors_reaches_a_terminal(evil, terminal, tmp_path):
    name = "no\x1b[35;46m\u202e\x9b1m\nerror: forged"
    (tmp_path / "bad.yaml").write_text('"st\\eeps": 1\nsteps:\n  - {stage: "m\\e[35;46map\\u202e"}\n')
    (tmp_path / "bad.tsv").write_bytes(b"one\x1b]0;x\x07 two three\nx\n")
    shown = terminal(
        ["show", tmp_path / name],
        ["show", tmp_path / name, "--json"],
        ["show", tmp_path / "\x1b[35;46m\u202e", "--debug"],
        ["map", f"--sou{name}", "x"],
        [f"ma{name}"],
        ["list", name],
        ["env", "--json"],
        ["check", tmp_path / "bad.yaml"],
        ["check", tmp_path / name],
        ["audit", "--train", tmp_path / "bad.tsv", "--test", evil / "pairs.tsv"],
        ["eval", "bli", "--vectors", evil / "en.vec", "--dictionary", evil / "kb.txt"],
        ["results", tmp_path / name],
        ["fetch", name],
        ["encode", evil / "words.txt", "--encoder", name, "--out", tmp_path / "out"],
        ["new-encoder", "--text", evil / "text.tsv", "--vocabulary-size", name, "--out", tmp_path / "out"],
        ["convert", evil / "pairs.tsv", "--out", tmp_path / f"x.{name}"],
        ["report", tmp_path / name],
    )
    refuse_controls(shown)
    assert not re.search("^error: forged", shown, re.MULTILINE)
    assert not re.search("Something is wrong inside", shown)


class _Rude(BaseHTTPRequestHandler):
    def do_GET(self):
        self.wfile.write(b"HTTP/1.1 404 No\x1b]0;x\x07 \xc2\x9b35;46m\r\nServer: \x1b[35;46mx\r\n\r\n")

    def log_message(self, *_):
        pass


def test_no_control_character_of_a_server_reaches_a_terminal(terminal, tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Rude) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{{key}}.tsv"
        (tmp_path / "catalogue.yaml").write_text(
            "rude:\n"
            '  what: "What\\e[35;46m\\u202e"\n  licence: "MIT\\e]0;x\\a"\n  open: true\n  keys: a\n'
            f"  parts:\n    test: {{url: \"{address}\", what: \"t\\e[35;46m\"}}\n"
        )  # fmt: skip
        listed = ["fetch", "--catalogue", tmp_path / "catalogue.yaml"]
        fetched = [*listed, "rude:a", "--part", "test", "--yes"]
        shown = terminal([*listed, "--list"], [*listed, "rude:", "--list"], fetched)
        server.shutdown()
    refuse_controls(shown)
    assert "404" in shown, shown


def test_progress_bars_show_no_control_character(terminal, evil, tmp_path):
    name = tmp_path / "[bold]x\x1b[35;46m\u202e.vec"
    name.write_bytes((evil / "en.vec").read_bytes())
    files = ["--source", name, "--target", name, "--dictionary", evil / "pairs.tsv"]
    refuse_controls(terminal(["map", *files, "--out", tmp_path / "out"]))


def test_escapes():
    assert plain("a\x1b[0m\x9b\u202e\udce9\ud800\t\n") == r"a\x1b[0m\x9b\u202e\xe9\ud800\t" + r"\n"
    assert plain("grün نص עברית 日本\u200f", keep="") == "grün نص עברית 日本\u200f"
    assert plain("a\nb", keep="\n") == "a\nb"


# ---------------------------------------------------------------- pipes


def test_a_tab_in_a_word_adds_no_column_and_is_counted(mapped, attempt, tmp_path):
    (tmp_path / "words.txt").write_text("house\nho\tuse\n")
    shown = attempt("translate", "--vectors", mapped, tmp_path / "words.txt")
    assert {line.count("\t") for line in shown.lines} == {3}
    done = attempt("link", "--knowledge-base", mapped, mapped)
    assert done.code == 2


def test_cells_of_a_piped_table(monkeypatch, capfd):
    from lexenc_cli.ui import show_table, warn_of_breaks

    from lexenc.stage import Table

    show_table(Table("T", ["a", "b"], [["x\ty", "z\r\n"], ["\x1b\u202e", "plain"]]))
    warn_of_breaks()
    captured = capfd.readouterr()
    assert captured.out.splitlines()[1] == "x y\tz  "
    assert "\x1b\u202e\tplain" in captured.out, "data stays data"
    assert captured.err.startswith("warning: 2 cells contain TABs or line breaks, which are printed as spaces.")


def test_json_is_strict_and_utf8(capfdbinary):
    from lexenc_cli.ui import print_json, write_out

    print_json({"a": float("nan"), "b": [float("inf"), {"c": -float("inf")}], "d": "h\udce4us \ud800\u2028\x9b\u202e"})
    write_out("h\udce4us \ud800\n")
    first, second = capfdbinary.readouterr().out.splitlines()
    assert second == b"h\xe4us \xef\xbf\xbd"

    def refuse(name):
        raise AssertionError(name)

    assert json.loads(first.decode("utf-8"), parse_constant=refuse) == {
        "a": None, "b": [None, {"c": None}], "d": "h\udce4us \ud800\u2028\x9b\u202e"}  # fmt: skip
    assert first.isascii()


def test_json_of_a_name_that_is_not_utf8(program, tmp_path):
    done = program("show", os.fsdecode(os.fsencode(tmp_path) + b"/w\xe4"), "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr.decode("utf-8"))["error"].endswith("w\udce4 contains no result of lexenc.")
    assert rb"w\udce4 contains" in done.stderr


def test_closed_streams_and_full_disks(program, tmp_path):
    words = [sys.executable, "-m", "lexenc_cli", "list"]
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *words], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), closed
    if Path("/dev/full").exists():
        done = subprocess.run(["sh", "-c", 'exec "$@" > /dev/full', "sh", *words], capture_output=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(b"error: Standard output cannot be written: No space left on device.\nhint: ")
        done = subprocess.run(["sh", "-c", 'exec "$@" 2> /dev/full', "sh", *words[:-1], "x"], capture_output=True, check=False)  # noqa: E501
        assert done.returncode == 2


def test_only_one_module_prints():
    """What prints past it would not be cleaned."""
    for path in sorted((Path(__file__).parents[2] / "cli").rglob("*.py")):
        if path.name in ("ui.py", "interrupts.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "typer.echo", "typer.secho", "traceback.print_exc", "Console"), path
                assert not re.fullmatch(r"sys\.(stdout|stderr)(\.buffer)?\.write(lines)?", called), path
