"""Downloads from a server in this process: whole, broken off, altered, refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest

from lexenc.artifact import DigestStore
from lexenc.errors import ConfigError, DataError, LexencError, WorkError
from lexenc.fetching import LOCK, Fetched, _Store, fetch, shown_size, size_of
from lexenc.progress import SILENT
from lexenc.resources.catalogue import Resource, find_resource, read_catalogue

from . import hostile

BODY = bytes(range(256)) * 4096  # a megabyte


class Served(BaseHTTPRequestHandler):
    """Files by path, with the faults that a test asks for."""

    protocol_version = "HTTP/1.1"
    files: ClassVar[dict[str, bytes]] = {}
    redirects: ClassVar[dict[str, str]] = {}
    breaks: ClassVar[list[int]] = []  # after how many bytes the next answers end
    ranges = True
    tag = '"1"'
    asked: ClassVar[list[tuple[str, str, str | None]]] = []

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(send=False)

    def do_GET(self):
        self.answer(send=True)

    def answer(self, send):
        kind = type(self)
        wanted = self.headers.get("Range")
        kind.asked.append((self.command, self.path, wanted))
        if self.path in kind.redirects:
            self.send_response(302)
            self.send_header("Location", kind.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path not in kind.files:
            self.send_error(404)
            return
        body, start = kind.files[self.path], 0
        same = self.headers.get("If-Range") in (None, kind.tag)
        if wanted and kind.ranges and same:
            start = int(re.match(r"bytes=(\d+)-", wanted).group(1))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        if kind.tag:
            self.send_header("ETag", kind.tag)
        self.end_headers()
        if not send:
            return
        end = kind.breaks.pop(0) if kind.breaks else len(body)
        self.wfile.write(body[start : start + end])
        if start + end < len(body):
            self.close_connection = True
            self.connection.close()


@pytest.fixture
def server():
    kind = type("Own", (Served,), {"files": {}, "redirects": {}, "breaks": [], "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as running:
        running.daemon_threads = True
        running.handle_error = lambda *args: None
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        kind.address = f"http://127.0.0.1:{running.server_port}"
        yield kind
        running.shutdown()
        thread.join()


@pytest.fixture
def resource(server):
    server.files["/a/data.txt"] = BODY
    return Resource("x:y", "all", "data", server.address + "/a/data.txt", licence="CC0", open=True)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def digest(body):
    return hashlib.sha256(body).hexdigest()


def test_a_file_comes_once_and_is_remembered(server, resource, tmp_path):
    offers = []
    made = fetch(resource, tmp_path / "new", approve=offers.append)
    assert made.path.read_bytes() == BODY
    assert (made.sha256, made.size, made.reused, made.first) == (digest(BODY), len(BODY), False, True)
    assert [offer.size for offer in offers] == [len(BODY)]
    assert names(tmp_path / "new") == ["data.txt", LOCK]
    kept = json.loads((tmp_path / "new" / LOCK).read_text())["data.txt"]
    assert kept["sha256"] == digest(BODY)
    assert kept["url"] == resource.url
    server.asked.clear()
    assert fetch(resource, tmp_path / "new", approve=offers.append).reused
    assert server.asked == []
    assert len(offers) == 1


def test_nothing_is_fetched_or_made_without_consent(server, resource, tmp_path):
    def refuse(offer):
        raise ConfigError("No.", hint="No.")

    with pytest.raises(ConfigError, match="No"):
        fetch(resource, tmp_path / "new", approve=refuse)
    assert not (tmp_path / "new").exists()
    assert [one[0] for one in server.asked] == ["HEAD"]


def test_a_broken_connection_is_taken_up_again(server, resource, tmp_path):
    server.breaks += [300_000, 400_000]
    assert fetch(resource, tmp_path).path.read_bytes() == BODY
    assert [one[2] for one in server.asked if one[0] == "GET"] == [None, "bytes=300000-", "bytes=700000-"]


def test_the_next_run_continues(server, resource, tmp_path):
    server.breaks += [300_000, 0]
    with pytest.raises(WorkError, match="was interrupted after 300,000 of 1,048,576 bytes") as error:
        fetch(resource, tmp_path)
    assert "resume" in error.value.hint
    assert "data.txt" not in names(tmp_path)
    server.asked.clear()
    assert fetch(resource, tmp_path).path.read_bytes() == BODY
    assert [one[2] for one in server.asked if one[0] == "GET"] == ["bytes=300000-"]
    assert names(tmp_path) == ["data.txt", LOCK]


@pytest.mark.parametrize("change", ["no ranges", "another version", "no tag"])
def test_what_cannot_be_continued_begins_again(server, resource, tmp_path, change):
    if change == "no tag":
        server.tag = ""
    server.breaks += [300_000, 0]
    with pytest.raises(WorkError):
        fetch(resource, tmp_path)
    server.ranges = change != "no ranges"
    if change == "another version":
        server.tag, server.files["/a/data.txt"] = '"2"', BODY[::-1]
    assert fetch(resource, tmp_path).path.read_bytes() == server.files["/a/data.txt"]


def test_interruption_leaves_no_half_file(resource, tmp_path):
    class Stop:
        def task(self, title, total, unit):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(resource, tmp_path, progress=Stop())
    assert "data.txt" not in names(tmp_path)
    assert fetch(resource, tmp_path).path.read_bytes() == BODY


# ---------------------------------------------------------------- what is known of it


def test_wrong_digest_is_an_error_and_nothing_stays(server, tmp_path):
    server.files["/z.txt"] = b"other"
    bad = Resource("x:z", "all", "", server.address + "/z.txt", sha256="0" * 64)
    with pytest.raises(DataError, match=r"has changed: sha256 d9298a10d1b0, but 000000000000 in the catalogue"):
        fetch(bad, tmp_path)
    assert names(tmp_path) == []
    good = Resource("x:z", "all", "", server.address + "/z.txt", sha256=digest(b"other"))
    assert not fetch(good, tmp_path).first


def test_first_use_is_trusted_and_no_other_after_it(server, resource, tmp_path):
    path = fetch(resource, tmp_path).path
    path.unlink()
    server.files["/a/data.txt"], server.tag = b"something else", '"2"'
    with pytest.raises(DataError, match="in its first download") as error:
        fetch(resource, tmp_path)
    assert "--force" in error.value.hint
    assert names(tmp_path) == [LOCK]
    assert fetch(resource, tmp_path, force=True).path.read_bytes() == b"something else"
    assert fetch(resource, tmp_path).reused


def test_altered_and_foreign_files_are_not_passed_on(resource, tmp_path):
    path = fetch(resource, tmp_path).path
    path.write_bytes(b"mine")
    with pytest.raises(DataError, match="has changed since it was fetched"):
        fetch(resource, tmp_path)
    (tmp_path / LOCK).unlink()
    with pytest.raises(DataError, match="was not fetched by lexenc"):
        fetch(resource, tmp_path)
    assert path.read_bytes() == b"mine"
    (tmp_path / LOCK).write_text("{")
    with pytest.raises(DataError, match=r"fetched.json: not JSON"):
        fetch(resource, tmp_path)
    (tmp_path / LOCK).write_text('{"data.txt": {"sha256": 1}}')
    with pytest.raises(DataError, match=r"fetched.json: \["):
        fetch(resource, tmp_path)


# ---------------------------------------------------------------- servers that say no


def test_not_found(server, tmp_path):
    gone = Resource("x:z", "all", "", server.address + "/gone.txt", home="https://example.org")
    with pytest.raises(WorkError, match=r"answered 404 Not Found: http.*/gone.txt") as error:
        fetch(gone, tmp_path)
    assert error.value.hint == "The file may have moved. See https://example.org."
    assert names(tmp_path) == []


def test_nobody_listens(tmp_path):
    with pytest.raises(WorkError, match=r"127.0.0.1 cannot be reached: Connection refused") as error:
        fetch(Resource("x:z", "all", "", "http://127.0.0.1:9/z.txt"), tmp_path)
    assert "HTTPS_PROXY" in error.value.hint
    assert names(tmp_path) == []
    (tmp_path / "there").mkdir()
    with pytest.raises(WorkError):
        fetch(Resource("x:z", "all", "", "http://127.0.0.1:9/z.txt"), tmp_path / "there" / "new" / "inner")
    assert [each.name for each in tmp_path.rglob("*")] == ["there"]


def test_redirects_stay_on_the_host_or_go_to_https(server, resource, tmp_path):
    server.redirects["/r/data.txt"] = "/a/data.txt"
    server.redirects["/s/data.txt"] = server.address.replace("127.0.0.1", "localhost") + "/a/data.txt"
    server.redirects["/f/data.txt"] = "file:///etc/hostname"
    there = Resource("x:y", "all", "", server.address + "/r/data.txt")
    assert fetch(there, tmp_path / "r").path.read_bytes() == BODY
    for place in "sf":
        with pytest.raises((WorkError, ConfigError), match=r"neither https nor the same host|is not allowed"):
            fetch(Resource("x:y", "all", "", f"{server.address}/{place}/data.txt"), tmp_path / place)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "https:///x", "x"])
def test_only_the_web(tmp_path, url):
    with pytest.raises(ConfigError, match="not a web address"):
        fetch(Resource("x:z", "all", "", url), tmp_path)


def test_full_disk_is_said_before_the_download(resource, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("U", (), {"free": 1000})())
    with pytest.raises(WorkError, match=r"data.txt needs 1.05 MB more, but .* has 1 kB free"):
        fetch(resource, tmp_path)
    assert "data.txt" not in names(tmp_path)


def test_two_at_a_time(resource, tmp_path):
    class During:
        def task(self, title, total, unit):
            with pytest.raises(WorkError, match="Another lexenc is fetching"):
                fetch(resource, tmp_path)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(resource, tmp_path, progress=During())
    assert fetch(resource, tmp_path).path.read_bytes() == BODY
    assert names(tmp_path) == ["data.txt", LOCK]


def test_a_file_that_appears_meanwhile_is_kept(resource, tmp_path):
    class During:
        def task(self, title, total, unit):
            (tmp_path / "data.txt").write_bytes(b"mine")
            return SILENT.task(title, total, unit)

    with pytest.raises(DataError, match="was not fetched by lexenc"):
        fetch(resource, tmp_path, progress=During())
    assert (tmp_path / "data.txt").read_bytes() == b"mine"


@pytest.mark.parametrize("name", [".data.txt.partial", ".data.txt.partial.json"])
@pytest.mark.parametrize("kind", ["file", "empty", "link", "folder", "pipe"])
def test_files_of_others_with_our_names_stay(resource, tmp_path, name, kind):
    planted, other = tmp_path / "in" / name, tmp_path / "other"
    planted.parent.mkdir()
    other.write_bytes(b"{}")
    if kind in ("file", "empty"):
        planted.write_bytes(b"mine" if kind == "file" else b"")
    elif kind == "link":
        planted.symlink_to(other)
    elif kind == "folder":
        planted.mkdir()
    else:
        os.mkfifo(planted)
    before = planted.lstat()
    with pytest.raises(DataError, match=f"{name} was not made by lexenc"):
        fetch(resource, tmp_path / "in")
    after = planted.lstat()
    assert (after.st_mode, after.st_ino, after.st_size) == (before.st_mode, before.st_ino, before.st_size)
    assert names(tmp_path / "in") == [name]
    assert other.read_bytes() == b"{}"


def test_a_file_that_took_the_place_of_ours_stays(server, resource, tmp_path):
    server.breaks += [300_000, 0]
    with pytest.raises(WorkError):
        fetch(resource, tmp_path)
    partial = tmp_path / ".data.txt.partial"
    (tmp_path / "new").write_bytes(b"mine")
    (tmp_path / "new").replace(partial)
    with pytest.raises(DataError, match="was not made by lexenc"):
        fetch(resource, tmp_path)
    assert partial.read_bytes() == b"mine"


def test_without_nameless_files(server, resource, tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE")
    server.breaks += [300_000, 0]
    with pytest.raises(WorkError):
        fetch(resource, tmp_path)
    assert fetch(resource, tmp_path).path.read_bytes() == BODY
    assert names(tmp_path) == ["data.txt", LOCK]


# ---------------------------------------------------------------- hostile servers


def fetch_from(answer, folder):
    """Return what was fetched, or the error. Nothing but the whole file may be kept."""
    with hostile.serving(answer) as url:
        try:
            made = fetch(Resource("x:y", "all", "", url, open=True), folder)
        except LexencError as error:
            made = error
    if isinstance(made, LexencError):
        assert not {"data.txt", LOCK} & set(names(folder))
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", made.message)
        return made
    assert made.path.read_bytes() == hostile.BODY
    assert json.loads((folder / LOCK).read_text())["data.txt"]["sha256"] == digest(hostile.BODY)
    return made


@pytest.mark.parametrize("name", hostile.WHOLE)
def test_unusual_but_right(tmp_path, name):
    assert fetch_from(hostile.WHOLE[name], tmp_path).size == len(hostile.BODY)


@pytest.mark.parametrize("name", hostile.PARTIAL)
def test_wrong_parts_never_become_a_file(tmp_path, name):
    error = fetch_from(hostile.PARTIAL[name], tmp_path)
    assert isinstance(error, WorkError)
    assert "was interrupted" in error.message


@pytest.mark.parametrize("name", hostile.REFUSED)
def test_malformed_answers(tmp_path, name):
    error = fetch_from(hostile.REFUSED[name], tmp_path)
    assert isinstance(error, WorkError)
    assert error.exit_code == 1


@pytest.mark.parametrize("name", hostile.SLOW)
def test_slow_servers(tmp_path, name, monkeypatch):
    monkeypatch.setattr("lexenc.fetching._PATIENCE", 0.3)
    begin = time.monotonic()
    assert isinstance(fetch_from(hostile.SLOW[name], tmp_path), WorkError)
    assert time.monotonic() - begin < 20


def test_a_file_without_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr("lexenc.fetching._UNSIZED", 4 << 20)
    monkeypatch.setattr("lexenc.fetching._SPARE", 1 << 20)
    error = fetch_from(hostile.ENDLESS, tmp_path)
    assert "has no end" in error.message


@pytest.mark.parametrize(
    "url", ["http://[::1/x", "http://127.0.0.1:99999/x", "http://h:x/y", "http://h/\x00", "http://h/ä"]
)
def test_addresses_that_are_none(tmp_path, url):
    with pytest.raises(ConfigError, match="is not a web address"):
        fetch(Resource("x:y", "all", "", url), tmp_path)


# ---------------------------------------------------------------- archives


def packed(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


@pytest.fixture
def archive(server):
    def make(body, member="bg-ca.train.trans"):
        server.files["/bg.zip"] = body
        return Resource("p:bg-ca", "train", "", server.address + "/bg.zip", member=member)

    return make


def test_one_file_of_an_archive(archive, server, tmp_path):
    body = packed(**{"a/b/bg-ca.train.trans": "x\ty\n", "__MACOSX/bg-ca.train.trans": "", "bg-ca.test.trans": "z"})
    made = fetch(archive(body), tmp_path)
    assert made.path.name == "bg-ca.train.trans"
    assert made.path.read_text() == "x\ty\n"
    assert names(tmp_path) == ["bg-ca.train.trans", "bg.zip", LOCK]
    server.asked.clear()
    assert fetch(archive(body, "bg-ca.test.trans"), tmp_path).path.read_text() == "z"
    assert server.asked == [], "the archive is there"


def test_names_in_an_archive_lead_nowhere(archive, tmp_path):
    body = packed(**{"../../evil.txt": "bad"})
    made = fetch(archive(body, "evil.txt"), tmp_path / "in")
    assert made.path == tmp_path / "in" / "evil.txt"
    assert not (tmp_path / "evil.txt").exists()
    with pytest.raises(DataError, match="0 files called resource"):
        fetch(archive(body, ".."), tmp_path / "in")


def test_damaged_archives(archive, tmp_path):
    with pytest.raises(DataError, match="not a readable zip file"):
        fetch(archive(b"no zip"), tmp_path / "a")
    twice = packed(**{"a/bg-ca.train.trans": "1", "b/bg-ca.train.trans": "2"})
    with pytest.raises(DataError, match=r"2 files called bg-ca\.train\.trans"):
        fetch(archive(twice), tmp_path / "b")
    broken = bytearray(packed(**{"bg-ca.train.trans": "hello hello"}))
    broken[50] ^= 255
    with pytest.raises(DataError, match="not a readable zip file"):
        fetch(archive(bytes(broken)), tmp_path / "c")
    assert "bg-ca.train.trans" not in names(tmp_path / "c")


@pytest.mark.parametrize("seed", range(200))
def test_altered_archives(tmp_path, seed):
    random = np.random.default_rng(seed)
    path, kind = tmp_path / "bg.zip", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(path, "w", kind[seed % 4]) as archive:
        archive.writestr("bg-ca.train.trans", "hund\tdog\n" * 200)
    body = bytearray(path.read_bytes())
    for place in random.integers(0, len(body), 1 + seed % 5):
        body[place] = random.integers(256)
    path.write_bytes(body[: random.integers(1, len(body))] if seed % 7 == 0 else body)
    resource = Resource("p:bg-ca", "train", "", "http://127.0.0.1:9/bg.zip", member="bg-ca.train.trans")
    store = _Store(tmp_path, False, DigestStore(None), SILENT)
    try:
        store.extract(resource, Fetched(path, "", 0, reused=False, first=False))
    except (DataError, WorkError):
        assert names(tmp_path) == ["bg.zip"]


def test_bombs_links_and_secrets_in_archives(archive, tmp_path, monkeypatch):
    def zipped(info, text, **settings):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(info, text, **settings)
        return bytearray(stream.getvalue())

    name = "bg-ca.train.trans"
    with pytest.raises(DataError, match=r"would unpack to 50 MB from .* kB"):
        fetch(archive(bytes(zipped(name, bytes(50_000_000)))), tmp_path / "a")
    link = zipfile.ZipInfo(name)
    link.external_attr = 0o120777 << 16
    with pytest.raises(DataError, match="is a link, expected a file"):
        fetch(archive(bytes(zipped(link, "/etc/passwd"))), tmp_path / "b")
    secret = zipped(name, "x" * 100)
    secret[6] |= 1
    secret[secret.rfind(b"PK\1\2") + 8] |= 1
    with pytest.raises(DataError, match=r"not a readable zip file: .*encrypted"):
        fetch(archive(bytes(secret)), tmp_path / "c")
    monkeypatch.setattr("lexenc.fetching._TABLE", 60)
    with pytest.raises(DataError, match="its table of files is too large"):
        fetch(archive(bytes(zipped(name, "x"))), tmp_path / "d")


# ---------------------------------------------------------------- the catalogue


def test_catalogue_is_whole():
    table = read_catalogue()
    assert {"muse", "gt-bli", "panlex", "fasttext", "simlex", "xl-bel"} <= set(table)
    assert len(table["gt-bli"].keys) == 28
    assert len(table["panlex"].keys) == 210
    assert len(table["fasttext"].keys) >= 157
    for family in table.values():
        assert family.keys
        assert len(set(family.keys)) == len(family.keys)
        assert family.default is None or family.default in family.parts
        for part in family.parts:
            one = find_resource(table, f"{family.name}:{family.keys[0]}", part)
            assert re.fullmatch(r"https://[\w./-]+", one.url), one.url
            assert re.fullmatch(r"[\w.-]+", one.file)


def test_names_become_addresses():
    table = read_catalogue()
    assert find_resource(table, "muse:en-de", "test").url.endswith("/dictionaries/en-de.5000-6500.txt")
    assert find_resource(table, "fasttext:no").file == "cc.no.300.vec.gz"
    one = find_resource(table, "panlex:bg-ca", "train")
    assert (one.archive, one.file) == ("bg-l2.zip", "bg-ca.train.5000.cc.trans")


@pytest.mark.parametrize(
    ("name", "part", "hint"),
    [
        ("gtbli:en-de", "test", "Did you mean 'gt-bli'?"),
        ("gt-bli:de-en", "test", "Use gt-bli:en-de and swap its columns."),
        ("gt-bli:en-dee", "test", "Did you mean 'gt-bli:en-de'?"),
        ("gt-bli:xx", "test", "See: lexenc fetch gt-bli: --list"),
        ("gt-bli:en-de", None, "Add --part train."),
        ("gt-bli:en-de", "tset", "Did you mean 'test'?"),
        ("muse", None, "Add a key: muse:en-af. See: lexenc fetch muse: --list"),
    ],
)
def test_slips(name, part, hint):
    with pytest.raises(ConfigError) as error:
        find_resource(read_catalogue(), name, part)
    assert error.value.hint == hint


def test_own_catalogue(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("muse: {what: w, licence: l, open: true, keys: a b, parts: {all: {url: 'https://h/{key}'}}}\n")
    assert find_resource(read_catalogue(path), "muse:b", "all").url == "https://h/b"
    good = "what: w, licence: l, open: true"
    for bad in (
        "- 1",
        "x: {what: w}",
        "x: !!python/object:os.system {}",
        "\tx",
        f"x: {{{good}, parts: 1}}",
        f"x: {{{good}, parts: {{all: 1}}}}",
        f"x: {{{good}, parts: {{all: {{url: 1}}}}}}",
        f"x: {{{good}, parts: {{}}, default: []}}",
        "x: {what: w, licence: l, open: 1, parts: {}}",
    ):
        path.write_text(bad)
        with pytest.raises(DataError, match=str(path)) as error:
            read_catalogue(path)
        assert "A family has what, home" in error.value.hint


def test_placeholders_are_no_formats(tmp_path):
    path = tmp_path / "own.yaml"
    url = "https://h/{key.__class__}/{key:>9999999999}/{0}/{/{key}"
    path.write_text(f"x: {{what: w, licence: l, open: true, keys: a, parts: {{all: {{url: '{url}'}}}}}}\n")
    assert find_resource(read_catalogue(path), "x:a", "all").url == url[:-5] + "a"


@pytest.mark.parametrize(
    ("size", "words"), [(None, "unknown"), (12, "12 bytes"), (35081, "35.1 kB"), (4.5e9, "4.5 GB")]
)
def test_sizes(size, words):
    assert shown_size(size) == words


def test_size_of_what_is_not_there(server):
    assert size_of(server.address + "/gone") is None
