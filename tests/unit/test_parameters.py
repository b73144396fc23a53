from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest
import yaml

from lexenc.parameters import as_dict, build, choices_of, help_of, param, parameters
from lexenc.registry import Registry
from lexenc.stages import STAGES
from lexenc.text.folding import check_language


@dataclass(frozen=True)
class Params:
    epochs: int = param(5, "Passes.", ge=1, le=100)
    learning_rate: float | None = param(None, "Peak.", gt=0)
    warmup: float = param(0.1, "Share.", ge=0, le=1)
    lambda_: float = param(0.3, "Weight.", ge=0, le=1)
    loss: Literal["mneg", "own-hard", "symmetric"] = param("mneg", "Loss.")
    language: str | None = param(None, "Language.", check=check_language)
    name: str = param("x", "Name.")
    mask_known: bool = param(True, "Mask.")
    actions: tuple[str, ...] = param(("unit", "center"), "Actions.")
    sizes: tuple[int, ...] = param((), "Sizes.", ge=1)
    weights: tuple[float, ...] = param((), "Weights.", ge=0, le=1)
    limit: int | None = param(None, "Limit.", ge=1)
    threads: int = param(1, "Threads.", ge=1, affects_result=False)


def made(text: str):
    """Parameters of a piece of YAML, as a pipeline would read them."""
    return build(Params, yaml.safe_load(text) or {}, owner="toy", place="steps[0].params.")


def value(text: str, name: str):
    params, faults = made(text)
    assert not faults, [fault.message for fault in faults]
    return getattr(params, name)


def fault(text: str):
    params, faults = made(text)
    assert len(faults) == 1, [one.message for one in faults]
    assert params == Params(), "a faulty value must leave the default"
    return faults[0]


def test_parameters_defaults():
    params, faults = build(Params, {}, owner="toy")
    assert (params, faults) == (Params(), [])


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("epochs: 3", "epochs", 3),
        ("epochs: 3.0", "epochs", 3),
        ("epochs: '3'", "epochs", 3),
        ("learning_rate: 2e-5", "learning_rate", 2e-5),  # YAML 1.1 reads this as text
        ("learning_rate: 2.0e-5", "learning_rate", 2e-5),
        ("learning-rate: 1", "learning_rate", 1.0),
        ("learning_rate: null", "learning_rate", None),
        ("warmup: 0", "warmup", 0.0),
        ("warmup: 1", "warmup", 1.0),
        ("lambda: 1", "lambda_", 1.0),
        ("loss: own-hard", "loss", "own-hard"),
        ("language: 'no'", "language", "no"),
        ("language: de", "language", "de"),
        ("language: ", "language", None),
        ("mask_known: no", "mask_known", False),
        ("mask-known: true", "mask_known", True),
        ("actions: unit, center,unit", "actions", ("unit", "center", "unit")),
        ("actions: [unit, center]", "actions", ("unit", "center")),
        ("actions: unit", "actions", ("unit",)),
        ("actions: ''", "actions", ()),
        ("actions: []", "actions", ()),
        ("sizes: 1,2, 3", "sizes", (1, 2, 3)),
        ("sizes: 4", "sizes", (4,)),
        ("sizes: [4, '5']", "sizes", (4, 5)),
        ("limit: 7", "limit", 7),
        ("limit: ~", "limit", None),
    ],
)
def test_parameters_values_as_yaml_writes_them(text, name, expected):
    got = value(text, name)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("language: no", "language", "'no'"),
        ("language: yes", "language", "'yes'"),
        ("language: turkish", "language code, got 'turkish'", "'tr'"),
        ("name: 5", "name", "'5'"),
        ("name: [a]", "name", "a"),
        ("name: null", "name", "Name."),
        ("epochs: true", "epochs", "Passes."),
        ("epochs: 2.5", "epochs", "Passes."),
        ("epochs: '2.5'", "epochs", "Passes."),
        ("epochs: two", "epochs", "Passes."),
        ("epochs: null", "epochs", "Passes."),
        ("epochs: [1]", "epochs", "Passes."),
        ("epochs: {a: 1}", "epochs", "Passes."),
        ("epochs: .inf", "epochs", "Passes."),
        ("epochs: .nan", "epochs", "Passes."),
        ("epochs: 0", "at least 1", "Passes."),
        ("limit: 99999999999999999999", "at most 2,147,483,647, got 99,999,999,999,999,999,999", "Limit."),
        ("limit: 1" + "0" * 400, "at most 2,147,483,647, got a number of 401 digits", "Limit."),
        ("limit: -1" + "0" * 400, "at least 1, got a number of 401 digits", "Limit."),
        ("epochs: 101", "at most 100", "Passes."),
        ("learning_rate: 0", "above 0", "Peak."),
        ("learning_rate: .inf", "learning_rate", "Peak."),
        ("learning_rate: .nan", "learning_rate", "Peak."),
        ("learning_rate: 1" + "0" * 400, "learning_rate", "Peak."),
        ("warmup: 1.01", "at most 1", "Share."),
        ("warmup: -0.01", "at least 0", "Share."),
        ("warmup: false", "warmup", "Share."),
        ("mask_known: 1", "mask_known", "true or false"),
        ("mask_known: 'yes'", "mask_known", "true or false"),
        ("mask_known: null", "mask_known", "Mask."),
        ("loss: mnegg", "loss", "Did you mean 'mneg'"),
        ("loss: 17", "loss", "symmetric"),
        ("loss: [mneg]", "loss", "symmetric"),
        ("actions: [unit, no]", "actions", "'no'"),
        ("actions: 5", "actions", "'5'"),
        ("sizes: 1,x", "sizes", "Sizes."),
        ("sizes: [1, 0]", "at least 1", "Sizes."),
        ("sizes: [null]", "sizes", "Sizes."),
        ("lambda: '0,3'", "lambda must be a number, got '0,3'", "Decimals use a point: 0.3."),
        ("lambda: ' ,3 '", "lambda", "Decimals use a point: .3."),
        ("lambda: '0,3,5'", "lambda", "Weight."),
        ("lambda: 'x,3'", "lambda", "Weight."),
        ("epochs: '10,000'", "epochs", "Write it without commas: 10000."),
        ("epochs: '10,'", "epochs", "Passes."),
        ("limit: 0", "at least 1", "Limit."),
        ("limit: false", "limit", "Limit."),
        ("epoch: 3", "epoch", "epochs"),
        ("3: 3", "3", "epochs"),
        ("weights: 0,3", "weights must be at most 1, got 3.", "Decimals use a point: 0.3. Weights."),
        ("weights: [0, 25]", "at most 1, got 25.", "Decimals use a point: 0.25. Weights."),
        ("weights: 0,3,0,5", "at most 1, got 3.", "Decimals use a point. Weights."),
        ("5: 3", "called '5'.", "Decimals use a point: 0.5. Known: "),
    ],
)
def test_parameters_faults_name_place_and_remedy(text, where, hint):
    one = fault(text)
    assert where in one.message
    assert hint in one.hint


@pytest.mark.parametrize("text", ["weights: 0,2.5", "weights: 3", "sizes: 0,3", "weights: -1,0"])
def test_parameters_that_are_no_decimal_comma_have_the_plain_hint(text):
    assert "Decimals" not in fault(text).hint


@pytest.mark.parametrize(("text", "meant"), [("{lambda: 0,3}", "0.3"), ("{epochs: 2, weights: 1,25}", "1.25")])
def test_parameters_that_a_decimal_comma_cut_off_have_a_hint(text, meant):
    _, (one,) = made(text)
    assert one.message == f"There is no parameter of toy called '{meant.split('.')[1]}'."
    assert one.hint == f"Decimals use a point: {meant}."


def test_parameters_language_codes_are_checked_in_every_stage():
    found = 0
    for name in STAGES:
        for key in parameters(STAGES[name].params):
            if key.endswith("language"):
                found += 1
                _, (one,) = build(STAGES[name].params, {key: "turkish"}, owner=name)
                assert one.message == f"--{key.replace('_', '-')} must be a language code, got 'turkish'."
                assert build(STAGES[name].params, {key: "tr-TR"}, owner=name)[1] == []
    assert found > 8


def test_parameters_all_faults_come_together():
    params, faults = made("{epochs: 0, warmup: 2, nonsense: 1, loss: x, name: ok}")
    assert len(faults) == 4
    assert params == Params(name="ok")


def test_parameters_labels_are_options_on_the_command_line_and_places_in_a_file():
    _, (command,) = build(Params, {"learning_rate": 0}, owner="toy")
    assert command.message.startswith("--learning-rate ")
    _, (place,) = build(Params, {"learning-rate": 0}, owner="toy", place="steps[0].params.")
    assert place.message.startswith("steps[0].params.learning_rate ")


def test_parameters_as_dict_is_plain_and_can_be_built_again():
    params, _ = build(Params, {"lambda": "0.5", "actions": "unit,center", "limit": 4}, owner="toy")
    table = as_dict(params)
    assert table["lambda"] == 0.5
    assert table["actions"] == ["unit", "center"]
    assert build(Params, table, owner="toy") == (params, [])


def test_parameters_result_only_leaves_out_what_changes_speed():
    assert "threads" in as_dict(Params())
    assert "threads" not in as_dict(Params(), only_result=True)
    assert set(as_dict(Params())) - set(as_dict(Params(), only_result=True)) == {"threads"}


def test_parameters_are_known_by_the_names_that_users_see():
    known = parameters(Params)
    assert "lambda" in known
    assert "lambda_" not in known
    assert known["epochs"][1] is int


# ---------------------------------------------------------------- choices from a table of parts


TABLE = Registry("loss", {"mneg": 1, "own-hard": 2})


@dataclass(frozen=True)
class Chosen:
    loss: str | None = param(None, "Loss.", choices=TABLE)
    losses: tuple[str, ...] = param(("mneg",), "mneg: one; own-hard: another.", choices=TABLE)


def test_choices_are_the_names_of_a_table():
    params, faults = build(Chosen, {"loss": "own-hard", "losses": "own-hard, mneg"}, owner="toy")
    assert not faults
    assert (params.loss, params.losses) == ("own-hard", ("own-hard", "mneg"))
    assert build(Chosen, {"loss": None}, owner="toy")[0].loss is None
    for name in ("loss", "losses"):
        _, faults = build(Chosen, {name: "own-hart"}, owner="toy")
        assert faults[0].message == f"--{name} cannot be 'own-hart'."
        assert faults[0].hint == "Choose one of: mneg, own-hard. Did you mean 'own-hard'?"


def test_choices_are_listed_where_the_help_does_not_explain_them():
    table = parameters(Chosen)
    assert [choices_of(hint) for _, hint in table.values()] == [["mneg", "own-hard"]] * 2
    assert help_of(*table["loss"]) == "Loss. One of: mneg, own-hard."
    assert help_of(*table["losses"]) == "mneg: one; own-hard: another."


def test_a_word_may_stand_for_none():
    @dataclass(frozen=True)
    class Counted:
        count: int | None = param(None, "Count.", ge=1, none="auto")

    found = [build(Counted, {"count": each}, owner="toy")[0].count for each in ("auto", "3", 3, None)]
    assert found == [None, 3, 3, None]
    assert "whole number or auto, got 'most'" in build(Counted, {"count": "most"}, owner="toy")[1][0].message
