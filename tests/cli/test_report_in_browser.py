"""The page of report, opened in headless Chromium at two widths, light and dark.

The page comes as it is for errors and requests; for questions about its layout a copy of it gets one more script, which
its policy is told of. It stands in a frame, as a window of Chromium cannot be as narrow as that of a phone, and sends
its answers to the page around it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lexenc.alignment.grids import LinkGrid, html_page
from lexenc.artifact import Manifest, write_manifest
from lexenc.files.evaluations import Convention, Score, ScoredSystem, writing_evaluation
from lexenc.report.data import ReportData
from lexenc.report.page import SECTIONS, build_page
from lexenc.report.results import find_results

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = os.environ.get("LEXENC_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
ONLY_WITH_BROWSER = pytest.mark.skipif(
    BROWSER is None, reason="NO PAGE WAS OPENED: no Chromium here; install it with: make browser"
)
pytestmark = ONLY_WITH_BROWSER

CHECK = r"""
(() => {
  const shown = (one) => one.getClientRects().length > 0 && getComputedStyle(one).visibility === "visible";
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const inner = document.documentElement.clientWidth;
  const reach = all("a[href], button, input, summary, [tabindex]").filter(shown);
  const refused = reach.filter((one) => { one.focus(); return document.activeElement !== one; });
  const heads = all("th").filter((one) => shown(one) && one.closest("table").tBodies[0].rows.length > 1);
  const drawn = all(".chart").map((chart) => all("svg", chart).filter((svg) => {
    const box = svg.getBoundingClientRect();
    return box.width > 50 && box.height > 30 && all("path, rect, line", svg).some((mark) => {
      const own = mark.getBoundingClientRect();
      return own.width + own.height > 4 && own.left >= box.left - 40 && own.right <= box.right + 40;
    });
  }).length);
  const table = document.querySelector("table[data-search]");
  const words = () => [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[0].textContent);
  const head = table.querySelector("th");
  head.querySelector("button").click();
  const up = words();
  head.querySelector("button").click();
  const down = words();
  const box = table.closest(".table").querySelector("input");
  box.value = up[0];
  box.dispatchEvent(new Event("input"));
  const chart = document.querySelector("#lambda .chart");
  chart.focus();
  chart.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  const mark = document.querySelector("#lambda .role-mark [aria-label]");
  parent.postMessage(JSON.stringify({
    width: innerWidth,
    wide: all("body *").filter((one) => shown(one) && one.getBoundingClientRect().right > inner + 1
      && !one.closest(".scroll, .fit, nav, svg")).map((one) => one.outerHTML.slice(0, 120)),
    page: document.documentElement.scrollWidth - inner,
    refused: refused.map((one) => one.outerHTML.slice(0, 120)),
    charts: drawn,
    unreached: all(".chart").filter((one) => !reach.includes(one)).length
      + heads.filter((one) => !reach.includes(one.querySelector("button"))).length,
    heads: heads.length,
    jumps: reach.filter((one) => one.tabIndex > 0).length,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    mark: getComputedStyle(mark).fill,
    label: getComputedStyle(document.querySelector("#lambda .role-axis-label text")).fill,
    sorted: head.getAttribute("aria-sort"), up, down, found: words(),
    tip: document.querySelector("#lambda .tip").textContent,
    requests: performance.getEntriesByType("resource").length,
    hacked: typeof window.hacked, scripts: document.scripts.length,
  }), "*");
})();
"""


FRAME = """<!doctype html><title>frame</title>
<iframe src="{page}" width="{width}" height="900" style="border:0"></iframe>
<script>addEventListener("message", (event) => {{ document.documentElement.dataset.check = event.data; }});</script>
"""


def open_page(page: Path, folder: Path, *, dark: bool = False) -> subprocess.CompletedProcess:
    scheme = 0 if dark else 1
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
        "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}",
        f"--blink-settings=preferredColorScheme={scheme}", "--enable-logging=stderr", "--window-size=1400,1000",
        "--virtual-time-budget=2000", "--dump-dom",
    ]  # fmt: skip
    return subprocess.run([BROWSER, *options, page.as_uri()], capture_output=True, check=True, text=True)


def console(done: subprocess.CompletedProcess) -> list[str]:
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def checked(report_page, tmp_path_factory):
    """The page with the script that answers."""
    text = report_page.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(CHECK.encode()).digest()).decode()
    text = text.replace("script-src '", f"script-src 'sha256-{digest}' '", 1)
    text = text.replace("</body>", f"<script>{CHECK}</script></body>")
    path = tmp_path_factory.mktemp("checked") / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def seen(checked, tmp_path_factory):
    """Give what the page is like at a width, opened once each."""
    known: dict[tuple[int, bool], dict] = {}

    def look(width: int, *, dark: bool = False) -> dict:
        if (width, dark) not in known:
            place = tmp_path_factory.mktemp("frame")
            frame = place / "frame.html"
            frame.write_text(FRAME.format(page=checked.as_uri(), width=width), encoding="utf-8")
            done = open_page(frame, place / "profile", dark=dark)
            assert console(done) == []
            found = re.search(r'data-check="([^"]*)"', done.stdout)
            assert found, "the script of the test has not run"
            known[width, dark] = json.loads(html.unescape(found[1]))
        return known[width, dark]

    return look


def test_the_page_as_it_is_has_no_errors(report_page, tmp_path):
    done = open_page(report_page, tmp_path)
    assert console(done) == []
    assert done.stdout.count('<th scope="col"><button') > 20


def test_words_of_alignments_run_no_script(tmp_path):
    evil = ["<img src=x onerror=\"document.title='run'\">", "</table><script>document.title='run'</script>"]
    page = html_page([LinkGrid(1, evil, evil[::-1], {(0, 0): 0.9, (1, 1): 0.5})])
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    done = open_page(tmp_path / "page.html", tmp_path / "first")
    assert console(done) == []
    assert "<title>Word alignments</title>" in done.stdout
    assert "rgba(var(--mark)" in done.stdout
    # Even a script that came into the page unescaped would not run.
    (tmp_path / "page.html").write_text(page.replace("</body>", f"{''.join(evil)}</body>"), encoding="utf-8")
    done = open_page(tmp_path / "page.html", tmp_path / "second")
    assert "<title>Word alignments</title>" in done.stdout
    assert any("Content Security Policy" in line for line in console(done))


@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn_once(seen, width):
    found = seen(width)
    assert found["width"] == width
    assert len(found["charts"]) >= 9
    assert set(found["charts"]) == {1}


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(seen, width):
    found = seen(width)
    assert found["page"] <= 0
    assert found["wide"] == []


def test_the_keyboard_reaches_every_chart_and_head(seen):
    found = seen(1280)
    assert found["heads"] > 20
    assert found["refused"] == []
    assert found["unreached"] == found["jumps"] == 0
    assert "lambda 0:" in found["tip"]


def test_tables_sort_and_filter(seen):
    found = seen(1280)
    assert found["sorted"] == "descending"
    assert found["up"] == found["down"][::-1]
    assert len(found["up"]) == 12
    assert found["found"] == found["up"][:1]


def test_dark_is_dark_in_charts_too(seen):
    light, dark = seen(1280), seen(1280, dark=True)
    assert not light["dark"]
    assert dark["dark"]

    def brightness(colour: str) -> float:
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    assert brightness(light["paper"]) > 240 > 60 > brightness(dark["paper"])
    for name in ("ink", "label"):
        assert brightness(light[name]) < 80 < 180 < brightness(dark[name])
    assert light["mark"] != dark["mark"]
    assert set(dark["charts"]) == {1}


def test_nothing_in_a_file_runs_and_nothing_is_fetched(seen):
    found = seen(1280)
    assert found["hacked"] == "undefined"
    assert found["scripts"] == 2
    assert found["requests"] == 0


# ---------------------------------------------------------------- long names, noise, many runs


WIDTH = r"""
(() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const inner = document.documentElement.clientWidth;
  const links = [...document.querySelectorAll("nav a")].map((one) => one.getBoundingClientRect());
  const box = document.querySelector(".warning").getBoundingClientRect();
  parent.postMessage(JSON.stringify({
    page: document.documentElement.scrollWidth - inner,
    hidden: links.filter((one) => one.right > inner || one.left < 0).length,
    links: links.length,
    warned: box.width > 100 && box.top < document.querySelector("nav").getBoundingClientRect().top,
  }), "*");
})();
"""


@pytest.fixture(scope="module")
def hard_page(tmp_path_factory):
    """A page of what is hard to lay out: digests, long names, many tasks, noise."""
    root = tmp_path_factory.mktemp("hard")
    digest = "9a95ee1ec16c5897f085397ac6e9f445e710701d390a8b3254b584ccf413d8f3"
    linked = [
        ScoredSystem("xel", (Score("precision_at_1", 0.8, 0.7, 0.9, 6),), Convention(), labels,
                     {"knowledge_base_sha256": digest})
        for labels in ({"protocol": "concepts"}, {"control": "character TF-IDF"})
    ]  # fmt: skip
    other = {"task": "x", "a_long_text": digest.upper(), "b": "https://example.org/" + "long" * 30, "value": 0.1,
             "value_low": 0.05, "value_high": 0.2}  # fmt: skip
    lost = {"verdict": "not found", "consistency": 0.8, "chance_consistency": 0.5, "frequency_agreement": 0.0}
    for name, stage, results, summary in (
        ("linked-" + "by-a-long-name-" * 6, "eval xel", [], {}),
        ("other", "eval new", [other, {**other, "value": 0.2}], {}),
        ("unbroken" * 9, "map", [], lost),
    ):
        folder = root / name
        folder.mkdir()
        if name.startswith("linked"):
            with writing_evaluation(folder, "xel") as writer:
                writer.write([])
                writer.systems = linked
            results = [each.flat() for each in linked]
        manifest = Manifest(
            stage=stage, stage_version=1, key=name, params={}, seed=0, inputs={}, outputs={}, summary=summary,
            results=results, tables=[], device="cpu", precision="float32", seconds=1.0,
            created="2026-01-01T00:00:00+00:00", command="", versions={"lexenc": "0"},
        )  # fmt: skip
        write_manifest(folder, manifest)
    text = build_page(ReportData(find_results(root)), title="hard", sections=[*SECTIONS]).html
    code = base64.b64encode(hashlib.sha256(WIDTH.encode()).digest()).decode()
    text = text.replace("script-src '", f"script-src 'sha256-{code}' '", 1)
    path = root / "page.html"
    path.write_text(text.replace("</body>", f"<script>{WIDTH}</script></body>"), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1280, 390])
def test_long_names_and_digests_do_not_widen_the_page(hard_page, tmp_path, width):
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(page=hard_page.as_uri(), width=width), encoding="utf-8")
    done = open_page(frame, tmp_path / "profile")
    assert console(done) == []
    found = json.loads(html.unescape(re.search(r'data-check="([^"]*)"', done.stdout)[1]))
    assert found == {"page": 0, "hidden": 0, "links": 9, "warned": True}


SAVE = r"""
(() => {
  URL.createObjectURL = (blob) => {
    blob.text().then((text) => parent.postMessage(JSON.stringify({
      text, page: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      requests: performance.getEntriesByType("resource").length,
      dark: matchMedia("(prefers-color-scheme: dark)").matches,
      marked: document.querySelector("mark").textContent,
    }), "*"));
    return "#";
  };
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const table = document.querySelector("table[data-saved]");
  table.querySelector("input").value = "=money, \"cash\"";
  table.rows[2].querySelector("select").value = "bank#1";
  table.closest(".table").querySelector(".save button").click();
})();
"""


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_a_page_of_senses_saves_the_review_that_read_review_reads(tmp_path, width, dark):
    from lexenc.files.sense_reviews import read_sense_review
    from lexenc.word_senses.description import ContextExample, HeadwordEntry, SenseEntry, WordScore
    from lexenc.word_senses.page import senses_page

    near = {"en": [WordScore("money", 0.5)]}
    examples = [ContextExample(3, "they sat on the ", "bank", f" of the river {'and so on ' * 9}", 0.9)]
    senses = [SenseEntry(f"bank#{i}", 5, 0.5, 0.8, nearest=near, examples=examples) for i in (1, 2)]
    entry = HeadwordEntry("bank", "en", 10, 10, senses)
    text = senses_page([entry], {}, languages=["en"], drawn=1, origin="", notes=[])
    digest = base64.b64encode(hashlib.sha256(SAVE.encode()).digest()).decode()
    text = text.replace("script-src '", f"script-src 'sha256-{digest}' '", 1)
    page, frame = tmp_path / "page.html", tmp_path / "frame.html"
    page.write_text(text.replace("</body>", f"<script>{SAVE}</script></body>"), encoding="utf-8")
    frame.write_text(FRAME.format(page=page.as_uri(), width=width), encoding="utf-8")
    done = open_page(frame, tmp_path / "profile", dark=dark)
    assert console(done) == []
    seen = json.loads(html.unescape(re.search(r'data-check="([^"]*)"', done.stdout)[1]))
    assert (seen["page"], seen["requests"], seen["dark"], seen["marked"]) == (0, 0, dark, "bank")
    (tmp_path / "saved.csv").write_text(seen["text"], encoding="utf-8")
    found = [(each.sense, each.name, each.into) for each in read_sense_review(tmp_path / "saved.csv")]
    assert found == [("bank#1", '=money, "cash"', "bank#1"), ("bank#2", "", "bank#1")]
