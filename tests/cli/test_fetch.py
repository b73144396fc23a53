"""fetch: what is shown and asked before anything is fetched, and the path that a pipeline goes on with."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def catalogue(world, tmp_path, monkeypatch):
    """A catalogue of two families, with the files of the tiny world behind it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=world)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/{{key}}.tsv"
        path = tmp_path / "catalogue.yaml"
        path.write_text(
            f"free: {{what: dictionaries, licence: CC0, open: true, keys: test train gone, default: all,"
            f" parts: {{all: {{url: '{address}'}}}}}}\n"
            f"closed: {{what: dictionaries, home: 'https://example.org', licence: CC BY-NC 4.0, open: false,"
            f" keys: test train, parts: {{one: {{url: '{address}', what: all of it}}, two: {{url: '{address}'}}}}}}\n",
            encoding="utf-8",
        )
        monkeypatch.setenv("LEXENC_CATALOGUE", str(path))
        monkeypatch.setenv("LEXENC_CACHE", str(tmp_path / "cache"))
        yield path
        server.shutdown()
        thread.join()


def test_path_goes_to_standard_output_and_all_else_does_not(catalogue, world, mapped, lexenc, tmp_path):
    shown = lexenc("fetch", "free:test")
    (path,) = shown.lines
    assert path == str(tmp_path / "cache" / "fetched" / "free" / "test.tsv")
    lines = shown.stderr.splitlines()
    assert lines[0] == "free:test all: dictionaries"
    assert lines[2:4] == ["  licence  CC0", f"  size     {(world / 'test.tsv').stat().st_size} bytes"]
    assert "No earlier checksum was known" in shown.stderr
    lexenc("eval", "bli", "--vectors", mapped, "--dictionary", path)
    again = lexenc("fetch", "free:test")
    assert (again.lines, again.stderr) == ([path], f"fetch: already downloaded, unchanged ({path})\n")
    assert lexenc("fetch", "free:test", "-q").stderr == ""


def test_licence_must_be_accepted_where_it_is_not_open(catalogue, fails, lexenc, tmp_path):
    failed = fails("fetch", "closed:test", "--part", "one", "--out", tmp_path / "here", "--quiet")
    assert failed.message == (
        "The licence of closed:test is not an open one (CC BY-NC 4.0), and there is no terminal to ask on."
    )
    assert failed.hint == "Add --yes if you may use it. See https://example.org."
    assert not (tmp_path / "here").exists()
    shown = lexenc("fetch", "closed:test", "--part", "one", "--yes", "--out", tmp_path / "here", "--json")
    body = json.loads(shown.stdout)
    assert body["path"] == str(tmp_path / "here" / "test.tsv")
    assert (body["licence"], body["part"], body["reused"], body["first"]) == ("CC BY-NC 4.0", "one", False, True)


def test_lists(catalogue, lexenc):
    families = lexenc("fetch", "--list").lines
    assert families[0] == "family\twhat\tnames\tparts\tlicence"
    assert "free:\tdictionaries\t3\tall\tCC0" in families
    assert any(line.startswith("gt-bli:\t") for line in families)
    assert lexenc("fetch", "closed:").lines == ["name", "closed:test", "closed:train"]
    assert lexenc("fetch", "closed", "--list").lines[1:] == ["closed:test", "closed:train"]
    assert json.loads(lexenc("fetch", "free:", "--json").lines[0])["name"] == "free:test"
    assert any(line.startswith("muse:KEY\t") for line in lexenc("list", "resources").lines)


@pytest.mark.parametrize(
    ("args", "code", "message", "hint"),
    [
        (["fre:test"], 2, "no resource called 'fre'", "Did you mean 'free'?"),
        (["free:tset"], 2, "There is no free:tset.", "Did you mean 'free:test'?"),
        (["closed:test"], 2, "has several parts: one (all of it), two ().", "--part one"),
        (["free:gone", "-q"], 1, "answered 404", "may have moved"),
        (["free"], 2, "names many resources", "free:test"),
        (["fre", "--list"], 2, "no resource called 'fre'", "Did you mean 'free'?"),
    ],
)
def test_slips(catalogue, fails, args, code, message, hint):
    failed = fails("fetch", *args, code=code)
    assert message in failed.message
    assert hint in failed.hint


def test_broken_catalogue(catalogue, fails):
    catalogue.write_text("free: 1\n")
    failed = fails("fetch", "--list")
    assert failed.message == f"{catalogue}: free is 1, expected a table."
    assert "each part has a url" in failed.hint
