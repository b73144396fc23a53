"""A tiny world of two languages, and stages run in it with the core's own functions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lexenc.artifact import Manifest
from lexenc.planning import plan_stage, run_plan
from lexenc.stage import Notices
from lexenc.stages import STAGES

EN = (
    "house dog cat tree water fire stone bread milk green red blue night day sun moon star river mountain sea book pen "
    "table chair door window street city land hand head foot eye ear heart bird fish horse cow apple"
).split()
DE = (
    "haus hund katze baum wasser feuer stein brot milch grün rot blau nacht tag sonne mond stern fluss berg meer buch "
    "stift tisch stuhl tür fenster straße stadt land hand kopf fuß auge ohr herz vogel fisch pferd kuh apfel"
).split()
SPLIT = 28


class Made:
    """A finished stage: where its files are, its manifest, what it said, and its warnings with their hints."""

    def __init__(
        self, out: Path | None, manifest: Manifest, told: list[tuple[str, str | None]], said: list[str]
    ) -> None:
        self.out, self.manifest, self.said = out, manifest, said
        self.warnings, self.hints = [message for message, _ in told], [hint for _, hint in told if hint]

    @property
    def files(self) -> set[str]:
        return {path.relative_to(self.out).as_posix() for path in self.out.rglob("*") if path.is_file()}

    def matrix(self, side: str = "") -> np.ndarray:
        return np.load(self.out / side / "vectors.npy")

    def words(self, side: str = "") -> list[str]:
        return (self.out / side / "words.txt").read_text(encoding="utf-8").splitlines()

    def unit(self, side: str = "") -> np.ndarray:
        matrix = self.matrix(side).astype(float)
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)

    def json(self, name: str) -> dict:
        return json.loads((self.out / name).read_text(encoding="utf-8"))

    def json_lines(self, name: str) -> list[dict]:
        return [json.loads(line) for line in (self.out / name).read_text(encoding="utf-8").splitlines()]


def make(name: str, out: Path | None = None, params: dict | None = None, seed: int = 0, **inputs: object) -> Made:
    told: list[tuple[str, str | None]] = []
    said: list[str] = []
    given = {key: [str(each) for each in value] if isinstance(value, list) else str(value)
             for key, value in inputs.items()}  # fmt: skip
    plan = plan_stage(STAGES[name], inputs=given, params=params or {}, seed=seed, out=out)
    manifest = run_plan(plan, device="cpu", notices=Notices(lambda *each: told.append(each), said.append))
    return Made(out, manifest, told, said)


@pytest.fixture(scope="session")
def stage():
    """Plan and run a stage: `stage(name, out, params, seed, **inputs)`."""
    return make


def write_vec(path: Path, words: list[str], matrix: np.ndarray) -> None:
    rows = [f"{word} " + " ".join(f"{x:.5f}" for x in row) for word, row in zip(words, matrix, strict=True)]
    path.write_text("\n".join([f"{len(words)} {matrix.shape[1]}", *rows]) + "\n", encoding="utf-8")


def write_pairs(path: Path, pairs) -> Path:
    path.write_text("".join(f"{left}\t{right}\n" for left, right in pairs), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def pairs_file():
    """Write pairs to a file."""
    return write_pairs


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors that are a noisy rotation of each other (8 dimensions; wide.* have 24), dictionaries, text."""
    folder = tmp_path_factory.mktemp("world")
    random = np.random.default_rng(0)
    for size, names in ((8, ("en.vec", "de.vec")), (24, ("wide.en.vec", "wide.de.vec"))):
        source = random.normal(size=(len(EN), size))
        rotation, _ = np.linalg.qr(random.normal(size=(size, size)))
        write_vec(folder / names[0], EN, source)
        write_vec(folder / names[1], DE, source @ rotation + 0.4 * random.normal(size=source.shape))
    pairs = list(zip(EN, DE, strict=True))
    write_pairs(folder / "train.tsv", pairs[:SPLIT])
    write_pairs(folder / "test.tsv", pairs[SPLIT:])
    (folder / "en.txt").write_text("\n".join(EN) + "\n", encoding="utf-8")
    (folder / "de.txt").write_text("".join(f"{word} {99 - i}\n" for i, word in enumerate(DE)), encoding="utf-8")
    write_pairs(folder / "text.tsv", [(f"the {a} is here and a {a} was there", f"das {b} ist hier") for a, b in pairs])
    return folder


@pytest.fixture(scope="session")
def static(world: Path) -> Path:
    """An untrained bag of subwords, 16 dimensions."""
    params = {"dimensions": 16, "vocabulary_size": 200}
    make("new-encoder", world / "static", params, text=[world / "text.tsv"])
    return world / "static"


@pytest.fixture(scope="session")
def transformer(world: Path) -> Path:
    """An untrained transformer of one layer, 16 dimensions."""
    size = {"dimensions": 16, "layers": 1, "heads": 2, "max_length": 32, "vocabulary_size": 200}
    make("new-encoder", world / "transformer", {"kind": "transformer"} | size, text=[world / "text.tsv"])
    return world / "transformer"


@pytest.fixture(params=["static", "transformer"])
def encoder(request: pytest.FixtureRequest) -> Path:
    """An encoder of either kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def map_inputs(world: Path) -> dict[str, Path]:
    return {"source": world / "en.vec", "target": world / "de.vec", "dictionary": world / "train.tsv"}


@pytest.fixture(scope="session")
def mapped(map_inputs: dict[str, Path], world: Path) -> Made:
    return make("map", world / "mapped", **map_inputs)


@pytest.fixture
def cut_training(monkeypatch):
    """Return a function after which the seventh step of training is interrupted, once.

    It returns a list, to which the seed of every step is added.
    """

    def cut():
        from lexenc.training.trainer import Trainer

        taken, step = [], Trainer.take_step

        def stopping(trainer, *given):
            taken.append(trainer.seed)
            if len(taken) == 7:
                raise KeyboardInterrupt
            return step(trainer, *given)

        monkeypatch.setattr(Trainer, "take_step", stopping)
        return taken

    return cut
