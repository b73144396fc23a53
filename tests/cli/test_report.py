"""report: what the command says and refuses, and what its page holds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from lexenc.report.page import SECTIONS


class Outline(HTMLParser):
    """What a page holds, as far as tests ask."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(report_page):
    return report_page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Outline(html)


def test_the_page_has_all_sections_and_speaks_of_the_runs(page, html):
    assert [each["id"] for each in page.all("section")] == list(SECTIONS)
    text = " ".join(page.text)
    for name in ("scores-tuned", "scores-static", "mapped", "tuned", "csls", "lambda", "95 % interval"):
        assert name in text
    assert re.search(r"<h1>[^<]*(beats|does not significantly beat)[^<]*\[-?\d+\.\d, -?\d+\.\d\]", html)


def test_everything_is_in_the_file(page, html):
    assert len(html) < 3_000_000
    policy = next(each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for _, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            assert (attrs.get(name) or "#").startswith(("#", "data:,")), attrs
        assert not any(name.startswith("on") or name == "style" for name in attrs), attrs
    assert not re.search(r"url\(|@import|https?:", html)


def test_words_of_files_are_text(page, html):
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert page.all("img") == []
    assert "&lt;script&gt;hacked=1&lt;/script&gt;" in html


def test_every_chart_has_its_numbers_and_a_name(page):
    charts = [attrs for attrs in page.all("div") if attrs.get("class") == "chart"]
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(charts) == len(page.all("figure")) >= 9
    assert len(set(ids)) == len(ids)
    for chart in charts:
        assert chart["tabindex"] == "0"
        assert chart["aria-labelledby"] in ids
    drawings = page.all("svg")
    assert all(each["aria-label"] for each in drawings)
    assert len(page.all("details")) >= len(charts)


def test_links_lead_somewhere(page):
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {each["href"][1:] for each in page.all("a")} <= ids


def test_the_same_runs_give_the_same_bytes(lexenc, report_runs, report_page, tmp_path):
    out = tmp_path / "again.html"
    lexenc("report", report_runs, "--out", out, "--title", "Worlds <b>apart</b>")
    assert out.read_bytes() == report_page.read_bytes()


def test_a_file_that_is_there_is_kept(fails, lexenc, report_runs, tmp_path):
    out = tmp_path / "report.html"
    out.write_text("mine")
    found = fails("report", report_runs, "--out", out, "--sections", "runs")
    assert "already exists" in found.message
    assert "--force" in found.hint
    assert out.read_text() == "mine"
    shown = lexenc("report", report_runs, "--out", out, "--sections", "runs", "--force")
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert shown.stdout == ""
    assert "report: " in shown.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_json_is_one_object(lexenc, report_runs, tmp_path):
    out = tmp_path / "report.html"
    shown = lexenc("report", report_runs, "--out", out, "--sections", "claims,runs", "--json")
    table = json.loads(shown.stdout)
    assert table["charts"] == 1
    assert table["bytes"] == out.stat().st_size
    assert "points" in table["headline"]
    assert shown.stderr == ""


def test_a_sample_says_so(lexenc, report_runs, tmp_path):
    out = tmp_path / "report.html"
    lexenc("report", report_runs, "--out", out, "--sections", "answers", "--sample", 3)
    assert "3 of 12 queries shown, drawn at random (seed 0)" in out.read_text(encoding="utf-8")


def test_results_without_scores_say_what_would_be_needed(lexenc, mapped, tmp_path):
    out = tmp_path / "report.html"
    shown = lexenc("report", mapped, "--out", out)
    text = out.read_text(encoding="utf-8")
    assert shown.stderr.startswith("There are no evaluations in this folder: nothing has been scored yet.\n")
    assert re.search(r"report: 1 result, .*, \d+\.\d kB -> ", shown.stderr)
    assert text.count('class="remark"') >= 6
    assert "<code>lexenc eval bli" in text
    assert "<code>lexenc finetune" in text


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["absent"], "The folder to report on does not exist: absent", "results"),
        (["."], "There is no result of lexenc in .", "lexenc demo"),
        ([".", "--sections", "score"], "There is no section called 'score'.", "'scores'"),
        ([".", "--sections", ","], "--sections names no section.", "Known: board, claims"),
        ([".", "--out", "x/report.html"], "There is no folder x", "Create it first"),
        ([".", "--out", "."], "--out is a folder", "Give a file"),
        ([".", "--device", "gpu"], "gpu", "cpu"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_leaves_nothing(fails, tmp_path, monkeypatch, words, message, hint):
    monkeypatch.chdir(tmp_path)
    found = fails("report", *words)
    assert message in found.message
    assert hint in found.hint
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_evaluation_is_warned_of(lexenc, fails, world, mapped, tmp_path):
    runs = tmp_path / "runs"
    for name, retrieval in (("nearest", "nearest"), ("csls", "csls")):
        lexenc("eval", "bli", "--vectors", mapped, "--dictionary", world / "test.tsv", "--retrieval", retrieval,
               "--out", runs / name)  # fmt: skip
    file = runs / "nearest" / "items.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    shown = lexenc("report", runs, "--out", tmp_path / "report.html", "--sections", "claims,scores", "--quiet")
    said = " ".join(shown.stderr.split())
    assert said.startswith("warning: The answers of nearest are left out:")
    assert "items.jsonl is damaged: it lacks 1 item of those in scores.json" in said
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Nothing has been compared" not in text
    assert text.count("The answers of nearest are left out") == 2
    table = ["results", f"a={runs / 'nearest'}", f"b={runs / 'csls'}", "--baseline", "a"]
    assert "is damaged: it lacks 1 item" in fails(*table, early=False).message
