"""The library by name: the same verbs, names, checks and results as the command line."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import lexenc
from lexenc import api, stubs
from lexenc.artifact import read_manifest
from lexenc.parameters import parameters
from lexenc.progress import SILENT
from lexenc.stages import STAGES

pytestmark = pytest.mark.filterwarnings("ignore:The scores are based on")
WORDS = [f"word{number}" for number in range(40)]
OTHER = [f"wort{number}" for number in range(40)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two languages whose vectors are a rotation of each other, and dictionaries."""
    folder = tmp_path_factory.mktemp("world")
    random = np.random.default_rng(0)
    source = random.normal(size=(40, 6))
    rotation, _ = np.linalg.qr(random.normal(size=(6, 6)))
    for name, words, matrix in (("en.vec", WORDS, source), ("de.vec", OTHER, source @ rotation)):
        rows = [f"{word} " + " ".join(f"{x:.5f}" for x in row) for word, row in zip(words, matrix, strict=True)]
        (folder / name).write_text("\n".join(["40 6", *rows]) + "\n", encoding="utf-8")
    pairs = [f"{left}\t{right}\n" for left, right in zip(WORDS, OTHER, strict=True)]
    (folder / "train.tsv").write_text("".join(pairs[:30]), encoding="utf-8")
    (folder / "test.tsv").write_text("".join(pairs[30:]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def files(world):
    return {"source": world / "en.vec", "target": str(world / "de.vec"), "dictionary": world / "train.tsv"}


@pytest.fixture(scope="module")
def mapped(world, files):
    return lexenc.map(**files, out=world / "mapped")


# ---------------------------------------------------------------- what there is


def test_import_is_light():
    code = (
        "import sys, lexenc; before = set(sys.modules); assert lexenc.__version__; lexenc.map; lexenc.eval_bli; "
        "print([name for name in ('torch', 'transformers', 'pandas', 'rich', 'typer') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    code = "import sys; before = set(sys.modules); import lexenc; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['lexenc']\n"


def test_every_stage_is_a_function_and_hides_no_module():
    names = {api.function_name(name) for name in STAGES}
    assert {"map", "eval_bli", "mine_negatives"} <= names
    assert names <= set(lexenc.__all__) <= set(dir(lexenc))
    folder = Path(lexenc.__file__).parent
    modules = {path.stem for path in folder.iterdir()}
    assert not set(lexenc.__all__) & modules


@pytest.mark.parametrize("name", list(STAGES))
def test_signatures_say_what_the_stage_takes(name):
    stage, function = STAGES[name], getattr(lexenc, api.function_name(name))
    own = inspect.signature(function).parameters
    wanted = {*stage.inputs, *(one.name for one, _ in parameters(stage.params).values())}
    assert wanted <= set(own)
    assert function.__doc__.startswith(stage.summary)
    for each in own:
        assert f"    {each}: " in function.__doc__
    for each, one in stage.inputs.items():
        assert (own[each].default is inspect.Parameter.empty) == one.required
    with pytest.raises(TypeError):
        function(nonsense=1)


def test_stub_is_in_step():
    assert stubs.STUB.read_text(encoding="utf-8") == stubs.stub(), "run: make stubs"
    compile(stubs.stub(), "stub", "exec")


@pytest.mark.parametrize("name", list(api.PARTS))
def test_parts_are_there(name):
    assert getattr(lexenc, name).__doc__


def test_modules_come_before_functions():
    import lexenc.stage

    assert inspect.ismodule(lexenc.stage)
    for name in ("maap", "_private", "__wrapped__"):
        assert not hasattr(lexenc, name)
    with pytest.raises(AttributeError, match="Did you mean 'map'"):
        _ = lexenc.mapp


# ---------------------------------------------------------------- doing


def test_results_are_those_of_the_command_line(world, files, mapped, tmp_path):
    from lexenc.planning import plan_stage, run_plan

    given = {name: str(path) for name, path in files.items()}
    plan = plan_stage(STAGES["map"], inputs=given, params={}, out=tmp_path / "cli")
    assert run_plan(plan, device="cpu").key == mapped.manifest.key
    assert (mapped.stage, mapped.out, mapped.reused, mapped.answer) == ("map", world / "mapped", False, True)
    assert mapped.summary == mapped.manifest.summary
    command = read_manifest(mapped.out).command
    assert command.startswith("lexenc.map(")
    assert f"source='{files['source']}'" in command
    assert repr(mapped).startswith("<map: ")
    again = lexenc.map(**files, out=world / "mapped")
    assert again.reused
    assert repr(again).endswith(", reused>")


def test_scores(world, mapped):
    made = lexenc.eval_bli(vectors=mapped.out, dictionary=world / "test.tsv", retrieval="csls", csls_neighbours=5)
    assert made.out is None
    assert made.results[0]["retrieval"] == "csls"
    assert made.results[0]["precision_at_1"] == 1.0
    assert made.summary["queries"] == 10
    assert made.tables[0].columns[0] in str(made)
    assert made.tables[0].title in made._repr_html_()
    json.dumps(made.results)


def test_another_recipe_is_refused_in_words_of_python(world, files, mapped):
    with pytest.raises(lexenc.ConfigError) as error:
        lexenc.map(**files, out=mapped.out, lowercase=True)
    assert "lowercase: False -> True" in str(error.value)
    assert error.value.hint == "Choose another out, or add force=True to replace it."
    assert "--" not in str(error.value)


def test_force_replaces(world, files, tmp_path):
    lexenc.map(**files, out=tmp_path / "x")
    made = lexenc.map(**files, out=tmp_path / "x", lowercase=True, force=True)
    assert made.manifest.params["lowercase"] is True


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"csls_neighbours": 0}, "csls_neighbours must be at least 1, got 0. "),
        ({"retrieval": "neares"}, "retrieval cannot be 'neares'. .*Did you mean 'nearest'"),
        ({"lambda_": 0.5}, "lambda_ needs vectors and encoder"),
        ({"lowercase": "yes"}, "^lowercase must be true or false"),
        ({"device": "gpu"}, "There is no device called 'gpu'"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"precision": "int8"}, "precision cannot be 'int8'"),
        ({"dictionary": "nowhere.tsv"}, "input 'dictionary' is not there: nowhere.tsv"),
        ({"retreival": "csls"}, r"lexenc.eval_bli: got an unexpected keyword argument 'retreival'"),
        ({"out": "."}, "out is the current folder"),
    ],
)
def test_mistakes_are_errors_of_ours(world, mapped, more, message):
    given = {"vectors": mapped.out, "dictionary": world / "test.tsv"} | more
    with pytest.raises(lexenc.LexencError, match=message):
        lexenc.eval_bli(**given)


def test_calls_that_do_not_fit_are_type_errors_too(world):
    with pytest.raises(TypeError, match="missing a required argument: 'out'"):
        lexenc.map(source=world / "en.vec", target=world / "de.vec", dictionary=world / "train.tsv")
    with pytest.raises(lexenc.ConfigError) as error:
        lexenc.eval_bli(dictionary=world / "test.tsv", retreival="csls")
    assert error.value.hint == "Did you mean retrieval?"


def test_remarks_are_warnings_at_the_users_line(world, files, tmp_path):
    (tmp_path / "more.tsv").write_text((world / "train.tsv").read_text() + "unknown\tunbekannt\n")
    with pytest.warns(lexenc.LexencWarning, match="1 of 31 dictionary pairs has a word without a vector") as seen:
        lexenc.map(**files | {"dictionary": tmp_path / "more.tsv"}, out=tmp_path / "x")
    assert seen[0].filename == __file__


def test_environment_counts_where_nothing_is_said(world, mapped, monkeypatch):
    monkeypatch.setenv("LEXENC_DEVICE", "gpu")
    monkeypatch.setenv("LEXENC_SEED", "7")
    given = {"vectors": mapped.out, "dictionary": world / "test.tsv"}
    with pytest.raises(lexenc.ConfigError, match="gpu"):
        lexenc.eval_bli(**given)
    assert lexenc.eval_bli(**given, device="cpu").results[0]["seed"] == 7
    assert lexenc.eval_bli(**given, device="cpu", seed=3).results[0]["seed"] == 3


def test_progress_is_told(world, files, tmp_path, capsys):
    class Watcher:
        titles: list[str] = []  # noqa: RUF012

        def task(self, title, total, unit):
            self.titles.append(title)
            return SILENT.task(title, total, unit)

    lexenc.map(**files, out=tmp_path / "x", progress=Watcher())
    assert Watcher.titles
    lexenc.map(**files, out=tmp_path / "y", progress=True)
    assert capsys.readouterr().out == ""


def test_positional_inputs_and_several(world, mapped, tmp_path):
    made = lexenc.export(mapped.out, out=tmp_path / "vec", format="vec")
    assert (made.out / "source.vec").is_file()


# ---------------------------------------------------------------- arrays


def test_arrays(world, mapped):
    space = lexenc.load_space(mapped.out)
    assert space.source.words == WORDS
    raw = lexenc.read_vectors(world / "en.vec")
    mapping = lexenc.load_mapping(mapped.out)
    assert np.allclose(mapping.apply_source(raw.matrix), space.source.matrix, atol=1e-5)
    source, target = (lexenc.normalise(side.matrix, ["unit"])[0] for side in (space.source, space.target))
    correction = lexenc.fit_correction(target, source, criterion="csls", csls_neighbours=5)
    found = lexenc.retrieve(source[:3], target, k=1, correction=correction)
    assert [space.target.words[row] for row in found.indices[:, 0]] == OTHER[:3]
    learned = lexenc.fit_mapping(source[:30], target[:30], kind="orthogonal")
    assert learned.pairs == 30
    pairs = lexenc.read_pairs("bundled:lexicon/en-de.test.tsv")
    assert len(pairs) > 400


def test_translate(mapped):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        answers = lexenc.translate(["word3", "nothing"], vectors=mapped.out, top=2)
    assert [(one.source, one.rank) for one in answers] == [("word3", 1), ("word3", 2)]
    assert answers[0].target == "wort3"
    assert [str(one.message) for one in seen if one.category is lexenc.LexencWarning] == [
        "Not among the source vectors: nothing."
    ]
    assert lexenc.translate(["wort3"], vectors=mapped.out, from_="target", to="source")[0].target == "word3"
    with pytest.raises(lexenc.ConfigError, match="must be a list"):
        lexenc.translate("word3", vectors=mapped.out)
    with pytest.raises(lexenc.ConfigError, match="nothing at nowhere"):
        lexenc.translate(["word3"], vectors="nowhere")


def test_encoder():
    encoder = lexenc.load_encoder("mini", device="cpu")
    vectors = encoder.encode(["house", "print preview", ""])
    assert vectors.shape == (3, encoder.dimensions)
    assert vectors.dtype == np.float32
    with pytest.raises(lexenc.ConfigError, match="must be a list"):
        encoder.encode("house")
    with pytest.raises(lexenc.LexencError, match="There is no encoder"):
        lexenc.load_encoder("minni")


def test_pairs_of_words_stand_for_a_dictionary(world, files, mapped, tmp_path):
    pairs = list(zip(WORDS[:30], OTHER[:30], strict=True))
    made = lexenc.map(**{**files, "dictionary": pairs}, out=tmp_path / "mapped")
    assert made.manifest.inputs["dictionary"][0].given == "the pairs given as dictionary"
    assert made.manifest.key == mapped.manifest.key
    assert "dictionary=[30 pairs]" in made.manifest.command
    test = lexenc.read_pairs(world / "test.tsv")
    assert lexenc.eval_bli(vectors=mapped.out, dictionary=test).results[0]["queries"] == 10
    with pytest.raises(lexenc.ConfigError, match="dictionary takes a path, or a list of word pairs, got"):
        lexenc.eval_bli(vectors=mapped.out, dictionary=[("print", "drucken", "x")])
    with pytest.raises(lexenc.ConfigError, match="vectors takes a path, got 3"):
        lexenc.eval_bli(vectors=3, dictionary=world / "test.tsv")
    with pytest.raises(lexenc.ConfigError, match="TAB"):
        lexenc.eval_bli(vectors=mapped.out, dictionary=[("a\tb", "c")])


def test_convert_and_report(world, mapped, tmp_path):
    languages = {"source_language": "en", "target_language": "de"}
    made = lexenc.convert(world / "test.tsv", out=tmp_path / "terms.tbx", **languages)
    pairs = lexenc.read_pairs(made)
    assert pairs.targets == OTHER[30:]
    back = lexenc.convert(made, out=tmp_path / "back.tsv")
    assert back.read_bytes() == (world / "test.tsv").read_bytes()
    assert lexenc.convert([("a", "b")], out=back, force=True).read_text() == "a\tb\n"
    for more, message in (({"out": back}, "exists already"), ({"out": tmp_path / "x.doc"}, "cannot infer a format"),
                          ({"out": tmp_path / "x.tmx"}, "needs languages")):  # fmt: skip
        with pytest.raises(lexenc.ConfigError, match=message):
            lexenc.convert([("a", "b")], **more)
    lexenc.eval_bli(vectors=mapped.out, dictionary=world / "test.tsv", out=tmp_path / "runs" / "scores")
    page = lexenc.write_report(tmp_path / "runs", out=tmp_path / "page.html", sections=["scores"])
    assert "<html" in page.read_text(encoding="utf-8")


def test_pipelines(world, tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        f"""workdir: runs
steps:
  - stage: map
    name: mapped
    inputs: {{source: {world}/en.vec, target: {world}/de.vec, dictionary: {world}/train.tsv}}
  - stage: eval bli
    name: scores
    inputs: {{vectors: "${{mapped}}", dictionary: {world}/test.tsv}}
""",
        encoding="utf-8",
    )
    made = lexenc.run(path)
    assert list(made) == ["mapped", "scores"]
    assert made["scores"].results[0]["precision_at_1"] == 1.0
    assert all(one.reused for one in lexenc.run(path).values())


def test_fetch_wants_the_licence_accepted(monkeypatch):
    monkeypatch.setattr("lexenc.fetching.size_of", lambda url: None)
    with pytest.raises(lexenc.ConfigError, match=r"CC BY-NC 4\.0") as error:
        lexenc.fetch("muse:en-de", part="test")
    assert error.value.hint.startswith("Add accept=True")


def test_answers_handed_over_as_they_come_are_results(monkeypatch, world):
    from lexenc.stage import Outcome, Stage, Table

    def work(inputs, params, job):
        for start in (0, 2):
            job.notices.answer([{"answer": number} for number in (start, start + 1)], Table("t", ["n"], []))
        return Outcome({"answers": 4})

    stage = STAGES["audit"]
    own = Stage("own", 1, stage.inputs, stage.params, work, "Return answers.", makes="nothing", out_required=False)
    made = api.stage_function(own)(train=world / "train.tsv", test=world / "test.tsv")
    assert made.results == [{"answer": number} for number in range(4)]
