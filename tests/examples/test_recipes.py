"""The tables of a paper as data: free of typing errors as far as they check each other, and every cell has steps."""

from __future__ import annotations

import json
from decimal import Decimal
from statistics import fmean

import pytest

from lexenc.encoders.elmo import CharacterInput
from lexenc.errors import ConfigError
from lexenc.recipes.comparison import CellScores, Encoders, compare
from lexenc.recipes.expansion import Expansion, Settings, chosen_encoders, fill, folder_name
from lexenc.recipes.paper import PaperCell, full_name, read_paper, read_table, recipe_names, table_names, wanted_cells
from lexenc.recipes.settings import settings_in
from lexenc.resources.catalogue import read_catalogue
from lexenc.stages.encoders.pretrain import PretrainParams, resolve_pretrain
from lexenc.training.masked import BERT
from lexenc.training.word_prediction import _settings as elmo_settings

NAME = "lexical-encoders"
TABLES = [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13]
PAPER = read_paper(NAME)
CATALOGUE = read_catalogue()
READ = {number: read_table(PAPER, f"{NAME}/table-{number}") for number in TABLES}


def expansion(tmp_path, **more):
    settings = {"out": tmp_path / "runs", "data": tmp_path / "data", "encoders": PAPER.encoders} | more
    return Expansion(PAPER, Settings(**settings), CATALOGUE)


def figures(number: int, column: str) -> list[float | None]:
    return [entry.figure for entry in READ[number].entries() if entry.column == column]


# ---------------------------------------------------------------- the tables


def test_all_tables_are_there_in_their_order():
    assert table_names(NAME) == [f"{NAME}/table-{number}" for number in TABLES]
    others = [f"msimcse/table-{number}" for number in range(1, 9)]
    others += [f"senses/table-{number}" for number in range(2, 9)]
    others += [f"wacse/table-{number}" for number in range(3, 11)]
    assert recipe_names() == [*table_names(NAME), *others]


@pytest.mark.parametrize(
    ("number", "rows", "columns"),
    [(1, 8, 5), (2, 10, 13), (3, 10, 4), (4, 12, 8), (6, 28, 9), (7, 28, 9), (8, 28, 8), (9, 28, 8), (10, 6, 9),
     (11, 6, 9), (12, 6, 9), (13, 6, 9)],
)  # fmt: skip
def test_tables_have_the_shape_of_the_paper(number, rows, columns):
    table = READ[number]
    assert (len(table.rows), len(table.columns)) == (rows, columns)
    assert all(len(row) == columns for row in table.rows.values())
    assert all(0 <= entry.figure <= 100 for entry in table.entries() if entry.figure is not None)


@pytest.mark.parametrize("number", [number for number in TABLES if READ[number].averages])
def test_averages_of_the_rows_are_those_of_the_paper(number):
    table = READ[number]
    assert len(table.averages) == len(table.columns)
    checked = 0
    for column, stated in zip(table.columns, table.averages, strict=True):
        own = figures(number, column)
        if None in own:
            continue
        exact = sum(Decimal(str(each)) for each in own) / len(own)
        assert abs(exact - Decimal(str(stated))) <= Decimal("0.05"), (column, float(exact), stated)
        checked += 1
    assert checked >= 4


@pytest.mark.parametrize(
    ("one", "column", "other", "same"),
    [
        *((8, weight, 6, f"LaBSE noCL {weight}") for weight in ("0.3", "1.0")),
        *((9, weight, 7, f"LaBSE +CL {weight}") for weight in ("0.3", "1.0")),
        *((12, weight, 10, f"xMPNET noCL {weight}") for weight in ("0.5", "1.0")),
        *((13, weight, 11, f"xMPNET +CL {weight}") for weight in ("0.5", "1.0")),
        *((number, "VecMap", 6, "VecMap") for number in (7, 8, 9)),
        *((number, "VecMap", 10, "VecMap") for number in (11, 12, 13)),
    ],
)
def test_columns_that_are_in_two_tables_agree(one, column, other, same):
    assert figures(one, column) == figures(other, same)


def test_table_1_has_the_averages_of_the_others():
    own = {}
    for number in (6, 7, 10, 11):
        own |= {
            (number, column): value for column, value in zip(READ[number].columns, READ[number].averages, strict=True)
        }
    for row, entries in READ[1].rows.items():
        encoder, dataset, *_, weight = row.split()
        without, tuned = (6, 7) if dataset == "GT-BLI" else (10, 11)
        weight = weight.removeprefix("λ=")
        wanted = [own[without, "VecMap"]]
        wanted += [own[without, f"{encoder} noCL {each}"] for each in ("1.0", weight)]
        wanted += [own[tuned, f"{encoder} +CL {each}"] for each in ("1.0", weight)]
        assert [entry.figure for entry in entries] == wanted, row


def test_rows_are_all_pairs_of_the_data_set():
    for number in (2, 3, 6, 7, 8, 9, 10, 11, 12, 13):
        dataset = READ[number].cells()[0].dataset
        assert list(READ[number].rows) == PAPER.pairs(dataset) or number in (6, 7, 8, 9)
        assert set(READ[number].rows) == set(PAPER.pairs(dataset))
    assert len(PAPER.pairs("GT-BLI")) == len(set(PAPER.pairs("GT-BLI"))) == 28


def test_labels_say_which_cell():
    entry = READ[9].rows["en-de"][READ[9].columns.index("0.4")]
    assert entry.cells == (PaperCell("GT-BLI", "5k", "en-de", "+CL", "P@1", "LaBSE", 0.4),)
    assert READ[9].rows["en-de"][0].cells == (PaperCell("GT-BLI", "5k", "en-de", "VecMap", "P@1"),)
    mean = READ[1].rows["xMPNET Multi-SimLex Spearman λ=0.5"][4]
    assert {(cell.configuration, cell.weight, cell.encoder) for cell in mean.cells} == {("+CL", 0.5, "xMPNET")}
    assert [cell.pair for cell in mean.cells] == PAPER.pairs("Multi-SimLex")
    assert READ[4].rows["xMPNET +CL+UMLS-all"][3].cells == (
        PaperCell("XL-BEL", "5k", "en-fi", "+CL+UMLS-all", "P@5", "xMPNET", None),
    )
    caption = READ[2].rows["bg-ca"][READ[2].columns.index("LaBSE noCL 1.0")]
    assert (caption.figure, READ[2].averages[READ[2].columns.index("LaBSE noCL 1.0")]) == (None, 17.0)


def test_figures_of_single_cells_give_means_of_some():
    table = READ[6]
    cells = [table.rows[pair][0].cells[0] for pair in ("en-de", "en-fr")]
    assert PAPER.mean_figure(cells) == pytest.approx(fmean([55.6, 64.1]))
    strange = PaperCell("GT-BLI", "1k", "en-de", "VecMap", "P@1")
    assert PAPER.mean_figure([*cells, strange]) is None


def test_names_of_recipes():
    assert full_name("table-13") == full_name(f"{NAME}/table-13") == f"{NAME}/table-13"
    with pytest.raises(ConfigError, match="names several recipes") as caught:
        full_name("table-6")
    assert caught.value.hint == f"Choose one of: {NAME}/table-6, msimcse/table-6, senses/table-6, wacse/table-6."
    with pytest.raises(ConfigError, match="no recipe called 'tabel-6'") as caught:
        full_name("tabel-6")
    assert caught.value.hint.startswith("Did you mean 'table-")


def test_some_pairs():
    assert {cell.pair for cell in wanted_cells([READ[6], READ[10]], ["en-fi"])} == {"en-fi"}
    with pytest.raises(ConfigError) as caught:
        wanted_cells([READ[6]], ["en-de", "de-en"])
    assert caught.value.message == "There is no language pair in these tables called 'de-en'."


# ---------------------------------------------------------------- the steps


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The steps of all tables."""
    made = expansion(tmp_path_factory.mktemp("whole"))
    for cell in wanted_cells(list(READ.values()), []):
        made.add(cell)
    return made


def test_every_cell_has_steps_that_come_in_order(whole):
    steps = whole.pipeline().steps
    places = {step.name: place for place, step in enumerate(steps)}
    assert len(places) == len(steps)
    for step in steps:
        assert all(places[name] < places[step.name] for name in step.needs)
    assert set(whole.scores) == set(wanted_cells(list(READ.values()), []))
    counts = {name: sum(step.stage.name == name for step in steps) for name in ("map", "finetune", "eval bli")}
    # 28 pairs of GT-BLI, 10 of PanLex-BLI twice, 6 with the dictionaries that test pairs were taken from.
    assert counts["map"] == 28 + 10 + 10 + 6
    assert counts["eval bli"] == 28 * (1 + 2 * 4) + 10 * (1 + 2 * 4) + 10 * (1 + 2 * 1)
    on_words, on_names = 4 * 28 + 4 * 10 + 10 + 4 * 6, 2 * (2 + 2 * 4)
    assert counts["finetune"] == on_words + on_names


def test_equal_folders_mean_equal_steps(whole, tmp_path):
    """A step is made once, for the first cell that needs it; every other cell must mean the same."""
    known = {step.name: step for step in whole.pipeline().steps}
    root = whole.settings.out
    for cell in wanted_cells([READ[4], READ[6], READ[7], READ[12]], ["en-de", "en-fi"]):
        alone = expansion(tmp_path, out=root, data=whole.settings.data)
        alone.add(cell)
        for step in alone.pipeline().steps:
            assert step == known[step.name]


def test_settings_are_those_of_the_paper(whole):
    steps = {step.name: step for step in whole.pipeline().steps}
    place = "GT-BLI-5k/en-de"
    assert steps[f"{place}/mapped"].params["limit"] == 200_000
    assert steps[f"{place}/LaBSE/negatives"].params["count"] == 10
    assert steps[f"{place}/LaBSE/negatives"].inputs["encoder"] == "sentence-transformers/LaBSE"
    tuned = steps[f"{place}/LaBSE/tuned"].params
    assert (tuned["epochs"], tuned["batch_size"], tuned["scale"], tuned["loss"]) == (5, 128, 20.0, "mneg")
    assert (tuned["learning_rate"], tuned["weight_decay"]) == (None, 0.01)
    for step in steps.values():
        assert step.params.get("pooling", "mean") == "mean"
        assert step.params.get("lowercase", True) is True
    scored = steps[f"{place}/LaBSE/+CL/translation-nearest"]
    assert scored.inputs["encoder"] == str(whole.settings.out / place / "LaBSE/tuned")
    assert scored.params["lambda"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0]
    static = steps[f"{place}/VecMap/translation-nearest"]
    assert "encoder" not in static.inputs
    assert static.params["lambda"] == []
    assert PAPER.encoders["mBERT"].endswith("-uncased")


def test_every_file_that_can_be_fetched_is_in_the_catalogue(whole):
    needs = {str(need.path): need for step in whole.pipeline().steps for need in whole.needs(step)}
    names = {need.resource.name.split(":")[0] for need in needs.values() if need.resource is not None}
    assert names == {"gt-bli", "panlex", "fasttext", "multi-simlex", "xl-bel"}
    asked = {need.role for need in needs.values() if need.resource is None}
    assert asked == {"umls", "knowledge_base"}
    dictionaries, vectors, similarity, mentions, umls = 28 * 2 + 10 * 3, 8 + 5, 2, 4, 2
    assert len(needs) == dictionaries + vectors + similarity + mentions + umls


def test_stand_ins_share_what_they_make(tmp_path):
    encoders = chosen_encoders(PAPER, ["mini"])
    assert encoders == dict.fromkeys(PAPER.encoders, "mini")
    made = expansion(tmp_path, encoders=encoders)
    for cell in wanted_cells([READ[6]], ["en-de"]):
        made.add(cell)
    assert [step.name for step in made.pipeline().steps] == [
        f"GT-BLI-5k/en-de/{name}" for name in ("mapped", "VecMap/translation-nearest", "mini/noCL/translation-nearest")
    ]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["labse"], {"LaBSE": "sentence-transformers/LaBSE"}),
        (["LaBSE=mini", "XLM-R"], {"LaBSE": "mini", "XLM-R": "xlm-roberta-base"}),
        (["xMPNET=a/b=c"], {"xMPNET": "a/b=c"}),
    ],
)
def test_chosen_encoders(words, wanted):
    assert chosen_encoders(PAPER, words) == wanted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["BERT=mini"], "There is no encoder of the paper called 'BERT'."),
        (["xmpnett"], "There is no encoder of the paper called 'xmpnett'."),
        (["LaBSE="], "--encoder LaBSE= names no encoder."),
        (["mini", "LaBSE"], "--encoder names LaBSE twice."),
    ],
)
def test_encoders_that_cannot_be_chosen(words, message):
    with pytest.raises(ConfigError) as caught:
        chosen_encoders(PAPER, words)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        ({"LaBSE": "a/enc", "mBERT": "b/enc"}, "Results of b/enc and of a/enc would be in the same folder, enc."),
        ({"LaBSE": "a/mapped"}, "Results of a/mapped and of the step mapped would be in the same folder, mapped."),
        ({"LaBSE": "VecMap"}, "Results of VecMap and of VecMap would be in the same folder, VecMap."),
    ],
)
def test_encoders_never_share_a_folder(tmp_path, encoders, message):
    with pytest.raises(ConfigError) as caught:
        expansion(tmp_path, encoders=encoders)
    assert caught.value.message == message


def test_own_files_and_their_placeholders(tmp_path):
    made = expansion(tmp_path, files={"vectors": "{language}.vec", "train": "{pair}/{size}.tsv"})
    made.add(READ[3].rows["bg-ca"][0].cells[0])
    mapped = made.pipeline().steps[0]
    assert mapped.inputs == {"source": "bg.vec", "target": "ca.vec", "dictionary": "bg-ca/1k.tsv"}
    # Mentions are of the second language alone.
    for path in ("{language}.txt", "{target}.txt"):
        made = expansion(tmp_path, files={"mentions": path})
        made.add(READ[4].rows["XLM-R noCL"][2].cells[0])
        assert made.pipeline().steps[-1].inputs["mentions"] == "fi.txt"
    with pytest.raises(ConfigError) as caught:
        expansion(tmp_path, files={"vector": "a.vec", "train": "{langauge}.tsv"})
    assert "There is no file called 'vector'.  hint: Did you mean 'vectors'?" in caught.value.message
    assert "Did you mean 'language'?" in caught.value.message


def test_templates():
    assert fill("{a}/${b}/{c}", {"a": "{d}", "d": "x", "b": "no"}) == "x/${b}/{c}"
    assert [folder_name(each) for each in ("org/LaBSE", "./my model/", "mini")] == ["LaBSE", "my-model", "mini"]


# ---------------------------------------------------------------- papers on sentences


@pytest.fixture(scope="module", params=["msimcse", "senses", "wacse"])
def sentences(request, tmp_path_factory):
    """A paper on sentence encoders: its tables by number, and the steps of all of them."""
    paper = read_paper(request.param)
    tables = {name.rpartition("-")[2]: read_table(paper, name) for name in table_names(paper.name)}
    folder = tmp_path_factory.mktemp(paper.name)
    settings = Settings(out=folder / "runs", data=folder / "data", encoders=paper.encoders)
    made = Expansion(paper, settings, CATALOGUE)
    for cell in wanted_cells(list(tables.values()), []):
        if not paper.is_quoted(cell):
            made.add(cell)
    return paper, tables, made


def test_every_cell_has_steps_whose_files_are_named(sentences):
    paper, tables, made = sentences
    assert {cell.configuration for table in tables.values() for cell in table.cells()} == set(paper.configurations)
    for step in made.pipeline().steps:
        known = {str(need.path) for need in made.needs(step)} | set(paper.encoders.values())
        for name, given in step.inputs.items():
            for text in [given] if isinstance(given, str) else given:
                path = step.stage.inputs[name].split(text)[1]
                assert path.startswith((*known, str(made.settings.out))), (step.name, name, text)
        assert not [value for value in [step.name, *map(str, step.params.values())] if "{" in value], step.name


def test_settings_of_training_are_those_of_the_papers(sentences):
    paper, _, made = sentences
    steps = {step.name: step for step in made.pipeline().steps}
    if paper.name == "msimcse":
        trained = steps["xlm-roberta-large/NLI-256/encoder"]
        assert (trained.params["batch_size"], trained.params["epochs"], trained.params["pooling"]) == (256, 1, "cls")
        mixed = steps["xlm-roberta-large/fr-NLI-10k/encoder"].inputs["data"]
        assert [text.partition(":")[0] for text in mixed] == ["nli", "parallel"]
        assert steps["xlm-roberta-large/untuned/STS17-es-en"].params["pooling"] == "first-last"
    elif paper.name == "senses":
        trained = {name: resolve_pretrain(step.inputs, PretrainParams(**step.params)) for name, step in steps.items()
                   if step.stage.name == "pretrain"}  # fmt: skip
        made_of = {name: (each.model, each.senses, each.steps) for name, each in trained.items()}
        assert made_of["SaELMo/encoder"] == ("elmo", 5, 1_000_000)
        assert made_of["BERT-Tiny/encoder"] == ("bert", 1, 1_000_000)
        assert made_of["Bi-SaELMo/en-zh/encoder"] == ("elmo", 3, 600_000)
        assert made_of["Joint-ELMo/en-zh/encoder"] == made_of["ELMo/zh"] == ("elmo", 1, 600_000)
        assert sum(name.startswith("ELMo/") for name in trained) == 5, "a model of a language serves all its pairs"
        projected = steps["ELMo+Proj/en-de/encoders"].inputs["encoder"]
        assert [text.partition("/runs/")[::2] for text in projected] == [
            (f"{name}={made.settings.out.parent}", f"ELMo/{name}") for name in ("en", "de")]  # fmt: skip
        scored = steps["Bi-SaELMo+Proj/en-es/XNLI"]
        assert [str(scored.inputs[name]).rpartition("/")[2] for name in ("encoder", "test_encoder")] == ["en", "es"]
        assert "test_encoder" not in steps["Bi-SaELMo/en-es/XNLI"].inputs
    else:
        trained = steps["xlm-roberta-base/WACSE-tuned/8 languages, 10k/encoder"]
        assert trained.params["objective"] == ["tr:0.8", "awp:0.02", "wtr:0.18"]
        assert (trained.params["steps"], trained.params["batch_size"], len(trained.inputs["data"])) == (10_000, 1024, 8)
        long = steps["xlm-roberta-base/WACSE/36 languages, 100k/encoder"]
        assert (long.params["steps"], len(long.inputs["alignments"])) == (100_000, 36)
        spoken = [name for name, step in steps.items() if step.params.get("language_embedding")]
        assert len(spoken) == 2


def test_means_that_the_papers_state():
    paper = read_paper("wacse")
    pairs, means, inference = (read_table(paper, f"wacse/table-{number}") for number in (5, 4, 7))
    for row in ("XLM-R DAP", "XLM-R WACSE"):
        own = {entry.column: entry.figure for entry in pairs.rows[row]}
        whole, without = (entry.figure for entry in means.rows[row])
        assert fmean(own.values()) == pytest.approx(whole, abs=0.06)
        assert fmean(value for pair, value in own.items() if pair != "fr-pl") == pytest.approx(without, abs=0.06)
    for entries in inference.rows.values():
        *by_language, mean = (entry.figure for entry in entries)
        assert fmean(by_language) == pytest.approx(mean, abs=0.06)


@pytest.mark.parametrize(("table", "gain"), [("table-3", 0.52), ("table-4", 2.09), ("table-5", 1.29)])
def test_gains_that_the_paper_on_senses_states(table, gain):
    references = {"XLM-tuned", "mBERT-tuned", "XLM-R-tuned", "mBERT+Proj", "mBERT-Align"}  # of more training data
    rows = read_table(read_paper("senses"), f"senses/{table}").rows
    figures = {name: [entry.figure for entry in row] for name, row in rows.items()}
    own = [max(pair) for pair in zip(figures.pop("Bi-SaELMo"), figures.pop("Bi-SaELMo+Proj"), strict=True)]
    baselines = [own for name, own in figures.items() if name not in references]
    best = [max(filter(None, column)) for column in zip(*baselines, strict=True)]
    assert fmean(own) - fmean(best) == pytest.approx(gain, abs=0.006)


def settings(number):
    return {each.name: each for each in settings_in(read_table(read_paper("senses"), f"senses/table-{number}"))}


@pytest.mark.parametrize(("number", "rows", "senses", "steps"), [(6, 25, 5, 10**6), (8, 25, 3, 600_000)])
def test_settings_of_elmo_are_what_the_model_has(number, rows, senses, steps):
    found = settings(number)
    assert len(found) == rows
    assert (found["n_context"].ours, found["n_context"].paper - 1, found["n_epochs"].ours) == (senses, senses, steps)
    assert found["all_clip_norm_val"].ours * found["unroll_steps"].paper == pytest.approx(10, abs=1e-3)
    assert [name for name, each in found.items() if not each.same] == [
        "n_gpus", "unroll_steps", "remove_less_freqent_contexts"]  # fmt: skip
    whole = resolve_pretrain({}, PretrainParams(preset="saelmo" if number == 6 else "bi-saelmo"))
    made = elmo_settings(vars(whole))
    assert made.characters.filters[-1] == (7, 1024)
    fixed = {
        "max_word_length": made.characters.longest, "char_cnn:max_characters_per_token": made.characters.longest,
        "char_cnn:embedding:dim": made.characters.width, "char_cnn:n_highway": made.characters.highway,
        "char_cnn:n_characters": CharacterInput(made.characters, 2).characters.num_embeddings,
        "dropout": made.dropout, "lstm:cell_clip": made.clip, "lstm:proj_clip": made.clip, "lstm:dim": made.cells,
        "lstm:projection_dim": made.dimensions, "lstm:n_layers": made.layers,
    }  # fmt: skip
    assert {name: found[name].ours for name in fixed} == fixed


def test_settings_of_bert_are_what_the_model_has(tmp_path):
    found = settings(7)
    assert len(found) == 21
    assert {name for name, each in found.items() if not each.same} == {
        "max_position_embeddings", *(name for name in found if name.startswith("pooler_"))}  # fmt: skip
    assert found["contextual_warmup"].ours * 1_000_000 == found["contextual_warmup"].paper
    small = {"vocabulary": 12, "layers": 1, "dimensions": 8, "heads": 2, "max_length": 9, "language_sampling": 1.0}
    options = vars(resolve_pretrain({}, PretrainParams(preset="sabert-tiny"))) | small | {"minimum_count": 1}
    BERT.create(tmp_path / "bert", BERT.tokenizer({"en": ["a b"]}, options), options, seed=0)
    made = json.loads((tmp_path / "bert/config.json").read_text())
    fixed = "attention_probs_dropout_prob hidden_act hidden_dropout_prob initializer_range type_vocab_size".split()
    assert {name: found[name].ours for name in fixed} == {name: made[name] for name in fixed}
    assert found["intermediate_size"].ours == 4 * found["hidden_size"].ours
    assert made["intermediate_size"] == 4 * made["hidden_size"]


def test_quoted_rows_have_figures_and_no_steps(tmp_path):
    paper = read_paper("msimcse")
    table = read_table(paper, "msimcse/table-2")
    quoted = [entry for entry in table.rows["LASER"] if entry.figure is not None]
    assert all(paper.is_quoted(cell) for entry in quoted for cell in entry.cells)
    found = CellScores({}, {})
    rows = compare(paper, table, found, wanted_cells([table], ["sw-en"]), Encoders.of(paper, paper.encoders))
    (only,) = rows["LASER"]
    assert (only.state, only.value, only.figure) == ("not asked", None, 42.4)
