from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from lexenc.errors import ConfigError, DataError, ExitCode, LexencError, WorkError, several, unknown_name
from lexenc.registry import Registry
from lexenc.stage import Stage, Table


@pytest.mark.parametrize(
    ("kind", "code"), [(ConfigError, ExitCode.USAGE), (DataError, ExitCode.USAGE), (WorkError, ExitCode.FAILED)]
)
def test_errors_carry_message_hint_and_code(kind, code):
    error = kind("It is so.", hint="Do this.")
    assert isinstance(error, LexencError)
    assert (error.message, error.hint, str(error), error.exit_code) == ("It is so.", "Do this.", "It is so.", code)
    assert kind("It is so.").hint is None


def test_errors_are_no_key_errors():
    # A KeyError puts its text in quotes.
    assert not issubclass(LexencError, KeyError)


def test_errors_unknown_name_suggests_the_near_one():
    fault = unknown_name("stage", "finetun", ["map", "finetune", "encode"])
    assert "finetun" in fault.message
    assert "finetune" in fault.hint
    assert "encode" not in fault.hint


def test_errors_unknown_name_lists_all_where_none_is_near():
    assert all(name in unknown_name("stage", "zzz", iter(["map", "encode"])).hint for name in ("map", "encode"))
    assert unknown_name("stage", "zzz", []).hint


def test_errors_several_keeps_a_single_one_and_joins_more():
    one, two = ConfigError("First.", hint="Hint one."), ConfigError("Second.")
    assert several("x.yaml", [one]) is one
    both = several("x.yaml", [one, two])
    assert all(text in both.message for text in ("x.yaml", "2", "First.", "Hint one.", "Second."))


def test_errors_several_of_several_are_one_list():
    one, two, three = (ConfigError(f"{name}.") for name in ("First", "Second", "Third"))
    all_three = several("x.yaml", [several("map", [one, two]), three])
    assert all_three.message.splitlines() == ["x.yaml has 3 problems:", "  First.", "  Second.", "  Third."]


# ---------------------------------------------------------------- registry


def test_registry_keeps_the_order_and_imports_on_first_use():
    table = Registry("thing", {"zeta": "math:pi", "alpha": 3, "wrong": "no_such_module_here:x"})
    assert list(table) == ["zeta", "alpha", "wrong"]
    assert "alpha" in table
    assert "beta" not in table
    assert 3 < table["zeta"] < 3.2
    assert table["alpha"] == 3
    with pytest.raises(ModuleNotFoundError):
        table["wrong"]


def test_registry_names_without_one_of_them(monkeypatch):
    table = Registry("thing", {"zeta": 1, "alpha": 2, "beta": 3})
    others = table.without("alpha")
    assert [list(others), list(others)] == [["zeta", "beta"]] * 2
    monkeypatch.setitem(table._entries, "later", 4)
    assert list(others) == ["zeta", "beta", "later"]


def test_registry_does_not_change_the_table_it_was_given():
    given = {"pi": "math:pi"}
    assert Registry("thing", given)["pi"] > 3
    assert given == {"pi": "math:pi"}


def test_registry_unknown_name_is_a_config_error_with_a_suggestion():
    with pytest.raises(ConfigError) as caught:
        Registry("loss", {"mneg": 1, "symmetric": 2})["symetric"]
    assert "symmetric" in caught.value.hint
    assert "loss" in caught.value.message


def points(monkeypatch, *found, group="lexenc.loss"):
    made = [EntryPoint(name, value, group) for name, value in found]
    monkeypatch.setattr("lexenc.registry.entry_points", lambda *, group: [one for one in made if one.group == group])


def test_registry_takes_entries_of_other_packages(monkeypatch):
    points(monkeypatch, ("tau", "math:tau"))
    assert Registry("loss", {"mneg": 1})["tau"] > 6
    assert list(Registry("other", {"mneg": 1})) == ["mneg"]


def test_registry_refuses_to_replace_a_built_in_name(monkeypatch):
    points(monkeypatch, ("mneg", "evil:thing"))
    with pytest.raises(ConfigError, match="evil"):
        list(Registry("loss", {"mneg": 1}))


def test_registry_has_summaries_from_its_table_or_from_the_part(monkeypatch):
    points(monkeypatch, ("tau", "math:tau"), ("gcd", "math:gcd"))
    table = Registry("loss", {"made up": ("no_such_module_here:x", "One sentence.")})
    assert table.summary("made up") == "One sentence."
    assert table.summary("gcd") == "Greatest Common Divisor."


def test_registry_gives_a_stage_the_summary_of_the_table():
    stage = Stage(name="copy", version=1, inputs={}, params=Table, run=print)
    table = Registry("stage", {"copy": (stage, "Copy a file.")})
    assert table["copy"].summary == "Copy a file."
    assert table["copy"] is table["copy"]


def test_registry_of_stages_has_stages_of_their_own_name():
    from lexenc.stages import STAGES

    names = list(STAGES)
    assert len(names) > 5
    assert "finetune" in names
    assert STAGES["finetune"].name == "finetune"
    assert STAGES["mine-negatives"].name == "mine-negatives"
