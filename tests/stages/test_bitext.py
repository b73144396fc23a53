"""eval bitext: mined pairs against gold pairs, with a threshold from other text, and the other protocols."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score

from lexenc.errors import ConfigError, DataError

WORDS = "house dog cat tree water fire stone bread milk green red blue night day sun moon star river".split()


def sentences(draw, count):
    return [" ".join(draw.choice(WORDS, 6)) for _ in range(count)]


def written(folder, seed, *, ids=True, pairs=60, others=40):
    """Write a small BUCC set whose pairs differ by one word, with sentences that have no partner."""
    draw = np.random.default_rng(seed)
    left = sentences(draw, pairs)
    right = [" ".join([draw.choice(WORDS), *text.split()[1:]]) for text in left]
    left, right = left + sentences(draw, others), right + sentences(draw, others // 2)
    orders = draw.permutation(len(left)), draw.permutation(len(right))
    folder.mkdir(exist_ok=True)
    for name, texts, order in (("de", left, orders[0]), ("en", right, orders[1])):
        lines = [f"{name}-{row}\t{texts[row]}" if ids else texts[row] for row in order]
        (folder / f"set.{name}").write_text("\n".join(lines) + "\n")
    places = [np.argsort(order) + 1 for order in orders]
    gold = [f"de-{row}\ten-{row}" if ids else f"{places[0][row]}\t{places[1][row]}" for row in range(pairs)]
    (folder / "set.gold").write_text("\n".join(gold) + "\n")
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bucc")
    return {
        "test": written(folder / "test", 0),
        "plain": written(folder / "plain", 0, ids=False),
        "dev": written(folder / "dev", 1),
    }


def files(folder):
    return {"source": folder / "set.de", "target": folder / "set.en", "gold": folder / "set.gold"}


@pytest.fixture
def run(stage, static, sets):
    """Evaluate a set of files."""

    def evaluated(name="test", out=None, protocol="dev-test", params=None, **inputs):
        dev = {"dev": sets["dev"]} if protocol == "dev-test" else {}
        params = {"protocol": protocol, "draws": 200, **(params or {})}
        return stage("eval bitext", out, params, **{**files(sets[name]), **dev, "encoder": static, **inputs})

    return evaluated


def mined(made):
    return [(item["asked"][0], each["target"], each["score"]) for item in made.json_lines("items.jsonl")
            for each in item["answers"]]  # fmt: skip


def test_the_threshold_comes_from_dev_and_never_from_the_test(run, sets, tmp_path):
    made = run(out=tmp_path / "out")
    head, control = made.manifest.results
    items = made.json_lines("items.jsonl")
    predicted, gold, hits = (sum(item["numbers"][name] for item in items) for name in ("predicted", "gold", "hits"))
    assert head["f1"] == pytest.approx(2 * hits / (predicted + gold))
    assert (head["precision"], head["recall"]) == pytest.approx((hits / predicted, hits / gold))
    assert head["f1_low"] <= head["f1"] <= head["f1_high"]
    assert min(score for *_, score in mined(made)) >= head["threshold"]
    assert (head["protocol"], head["gold_pairs"], control["control"]) == ("dev-test", 60, "shuffled pairs")
    assert control["f1"] < 0.1 < head["f1"]
    other = tmp_path / "other.gold"
    other.write_text("".join(f"de-{row}\ten-{(row + 7) % 60}\n" for row in range(60)))
    again = run(out=tmp_path / "again", gold=other)
    assert mined(again) == mined(made)
    assert again.manifest.results[0]["f1"] < 0.2


def test_an_oracle_is_at_least_as_good_and_is_called_one(run, stage, tmp_path):
    oracle, fair = run(protocol="oracle", out=tmp_path / "oracle"), run(out=tmp_path / "fair")
    (first, *_), (second, *_) = oracle.manifest.results, fair.manifest.results
    assert first["f1"] >= second["f1"]
    assert first["protocol"] == "oracle"
    assert "oracle" in first["unfair"][0]
    assert "NOT A FAIR TEST" in oracle.manifest.tables[0].note
    assert any("oracle" in each for each in oracle.warnings)
    # Sentences that only one of them accepted are compared too.
    gaps = stage("compare", params={"draws": 200}, first=oracle.out, second=fair.out)
    assert gaps.manifest.results[0]["difference"] == pytest.approx(first["f1"] - second["f1"])
    assert any("differ in protocol" in each for each in gaps.warnings)


def test_plain_lines_give_the_same_as_ids(run):
    first, second = (run(name, protocol="oracle").manifest.results[0] for name in ("test", "plain"))
    assert {key: first[key] for key in ("f1", "threshold")} == {key: second[key] for key in ("f1", "threshold")}


def test_repeated_and_empty_sentences_are_counted_once(run, sets, tmp_path):
    for name, path in files(sets["test"]).items():
        text = path.read_text()
        line = text.split("\n", 1)[0].split("\t")[1]
        (tmp_path / name).write_text(text + ("" if name == "gold" else f"again\t{line}\nnone\t\n"))
    more = {name: tmp_path / name for name in ("source", "target")}
    plain, made = run(protocol="oracle").manifest.results[0], run(protocol="oracle", **more).manifest.results[0]
    assert (made["f1"], made["source_repeated"], made["target_repeated"]) == (plain["f1"], 1, 1)
    assert made["left_out"] == {"empty sentence": 2}


def test_the_protocol_of_mteb_is_that_of_scikit_learn(run, tmp_path):
    made = run(protocol="mteb", out=tmp_path / "out")
    items = made.json_lines("items.jsonl")
    gold, found = [item["gold"][0] for item in items], [item["answers"][0]["target"] for item in items]
    head, control = made.manifest.results
    settings = {"average": "weighted", "zero_division": 0, "labels": sorted({*gold, *found})}
    assert (head["task"], head["gold_pairs"]) == ("bitext-mteb", 60)
    assert head["f1"] == pytest.approx(f1_score(gold, found, **settings))
    assert head["precision"] == pytest.approx(precision_score(gold, found, **settings))
    assert (control["control"], control["f1"] < 0.1) == ("shuffled answers", True)
    assert head["recall"] == pytest.approx(np.mean([one == other for one, other in zip(gold, found, strict=True)]))


def test_what_does_not_fit_is_refused(run, sets, stage, static, tmp_path):
    with pytest.raises(ConfigError, match="needs --dev"):
        stage("eval bitext", **files(sets["test"]), encoder=static)
    with pytest.raises(ConfigError, match="uses no --dev"):
        run(protocol="oracle", dev=sets["dev"])
    (tmp_path / "gold").write_text("en-1\tde-1\n")
    with pytest.raises(DataError, match=r"gold, line 1: .*set.de has no sentence 'en-1'"):
        run(gold=tmp_path / "gold")
    (tmp_path / "dev").mkdir()
    with pytest.raises(DataError, match=r"has no file set\.de"):
        run(dev=tmp_path / "dev")
    for name in ("sample.de", "sample.en", "sample.gold"):
        (tmp_path / "dev" / name).write_text((sets["dev"] / f"set.{name[7:]}").read_text())
    assert run(dev=tmp_path / "dev").manifest.results[0]["f1"] == run().manifest.results[0]["f1"]
    same = run(dev=sets["test"])
    assert "chosen on 60 gold pairs of the test too" in same.manifest.results[0]["unfair"][0]
    assert any("of the test too" in each for each in same.warnings)
    (tmp_path / "dev" / "sample.gold").write_text("de-99\ten-0\n")
    with pytest.raises(DataError, match="is a gold pair"):
        run(dev=tmp_path / "dev")
