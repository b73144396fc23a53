"""The steps that compute the cells of a table, and the files that the steps need."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lexenc.device import Precision
from lexenc.errors import ConfigError, several, unknown_name
from lexenc.parameters import as_dict, build, shown_name
from lexenc.pipeline import Pipeline, Step
from lexenc.recipes.paper import Paper, PaperCell
from lexenc.resources.catalogue import Family, Resource, find_resource
from lexenc.stage import Stage
from lexenc.stages import STAGES

_VALUE = re.compile(r"(?<!\$)\{(\w+)\}")
_REFERENCE = re.compile(r"(\w+=)?\$\{(\w+)(?:\.(.+))?\}")
_FETCHED = re.compile(r"[\w-]+:\S+( \S+)?")
# How a configuration, all of whose values are texts, writes a switch.
_SWITCHES: dict[Any, bool] = {"true": True, "false": False}
# Placeholders in the paths of user files.
PLACEHOLDERS = ("pair", "source", "target", "language", "size")


@dataclass(frozen=True)
class Settings:
    """Options of the user."""

    out: Path
    data: Path
    encoders: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    retrieval: str = "nearest"
    seed: int = 0
    precision: Precision = "float32"


@dataclass(frozen=True)
class Need:
    """A file that no step makes."""

    path: Path
    role: str
    resource: Resource | None = None
    words: str = ""


class Expansion:
    """The steps of some cells, without duplicates.

    Raises:
        ConfigError: If a user file has an unknown role or placeholder, or if encoders would share a folder.
    """

    def __init__(self, paper: Paper, settings: Settings, catalogue: Mapping[str, Family]) -> None:
        self.paper, self.settings, self._catalogue = paper, settings, catalogue
        self._steps: dict[str, Step] = {}
        self._needs: dict[str, list[Need]] = {}
        self.scores: dict[PaperCell, Step] = {}
        self._check_files()
        self._check_folders()

    def add(self, cell: PaperCell) -> None:
        """Add a cell and the steps that it needs."""
        values = self._values(cell)
        self.scores[cell] = self._step(str(self.paper.datasets[cell.dataset]["scores"]), values)

    def pipeline(self) -> Pipeline:
        """Return all steps in an order in which they can run."""
        return Pipeline(Path(self.paper.name), tuple(self._steps.values()), precision=self.settings.precision)

    def needs(self, step: Step) -> list[Need]:
        """Return the files that a step reads and no step makes."""
        found: dict[str, list[Need]] = {}
        for name, text in _typed(step):
            path = Path(step.stage.inputs[name].split(text)[1])
            found |= {own: needs for own in map(str, (path, *path.parents)) if (needs := self._needs.get(own))}
        return [need for needs in found.values() for need in needs]

    def encoders(self, step: Step) -> list[str]:
        """Return the encoders that a step reads and no step makes."""
        given = [text for name, text in _typed(step) if step.stage.inputs[name].kind == "encoder"]
        return [text for text in given if text in self.settings.encoders.values()]

    def _values(self, cell: PaperCell) -> dict[str, str]:
        """Return the values of the placeholders in templates for one cell."""
        dataset, configuration = self.paper.datasets[cell.dataset], self.paper.configurations[cell.configuration]
        values = {**_words(dataset), **_words(configuration), **self.paper.languages_of(cell)}
        values |= {"part": self.paper.sizes.get(cell.size, ""), "retrieval": self.settings.retrieval}
        if cell.encoder is not None:
            encoder = self.settings.encoders[cell.encoder]
            values |= {"encoder": encoder, "name": folder_name(encoder)}
        return values | self._files({**dataset["files"], **configuration.get("files", {})}, values)

    def _files(self, wanted: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
        """Return the paths of the files of a data set by role, with one role per language where it has two."""
        found = {}
        for role, what in wanted.items():
            if "{language}" not in str(what):
                # A file of one language belongs to the target language.
                alone = {"language": values["target"]} if "{target}" in str(what) else {}
                found[role] = self._file(role, what, {**values, **alone})
                continue
            for side in ("source", "target"):
                found[f"{side}_{role}"] = self._file(role, what, {**values, "language": values[side]})
        return found

    def _file(self, role: str, what: str | list[str], values: Mapping[str, str]) -> str:
        own = self.settings.files.get(role)
        if own is not None:
            path = fill(own, {name: values[name] for name in PLACEHOLDERS if name in values})
            needs = [Need(Path(path), role)]
        else:
            needs = []
            for each in [what] if isinstance(what, str) else what:
                words = fill(each, values)
                if _FETCHED.fullmatch(words):
                    name, _, part = words.partition(" ")
                    resource = find_resource(self._catalogue, name, part or None)
                    needs.append(Need(self.settings.data / resource.family / resource.file, role, resource))
                else:
                    owner = values["language"] if "{language}" in each else values["pair"]
                    name = role if words == each else f"{role}-{owner}"
                    needs.append(Need(self.settings.data / name, role, words=words))
        self._needs[str(needs[0].path)] = needs
        return str(needs[0].path)

    def _check_files(self) -> None:
        owners = [*self.paper.datasets.values(), *self.paper.configurations.values()]
        files = [(role, str(what)) for each in owners for role, what in each.get("files", {}).items()]
        known = sorted({role for role, _ in files})
        of_one_language = {role for role, what in files if "{language}" in what or "{target}" in what}
        faults = []
        for role, path in self.settings.files.items():
            if role not in known:
                faults.append(unknown_name("file", role, known))
            elif "{language}" in path and role not in of_one_language:
                message = f"--file {role}: {{language}} is ambiguous, since {role} has two languages."
                faults.append(ConfigError(message, hint="Write {pair}, {source} or {target}."))
            faults += [
                unknown_name(f"placeholder in --file {role}", name, PLACEHOLDERS)
                for name in _VALUE.findall(path)
                if name not in PLACEHOLDERS
            ]
        if faults:
            raise several("--file", faults)

    def _check_folders(self) -> None:
        """Check that no two encoders, and no encoder and step, share a folder."""
        outs = [template["out"].split("/") for template in self.paper.steps.values()]
        systems = [str(each.get("system", "")) for each in self.paper.configurations.values()]
        taken = {parts[1]: f"the step {parts[1]}" for parts in outs if parts[0] == "{place}"}
        taken |= {system: system for system in systems}
        for encoder in dict.fromkeys(self.settings.encoders.values()):
            name = folder_name(encoder)
            if name in taken:
                raise ConfigError(
                    f"Results of {encoder} and of {taken[name]} would be in the same folder, {name}.",
                    hint="Rename the folder of the encoder.",
                )
            taken[name] = encoder

    def _step(self, name: str, values: Mapping[str, str]) -> Step:
        """Return a step for some values; it is made after those that it needs, unless it exists."""
        template = self.paper.steps[name]
        label = fill(template["out"], values)
        if label not in self._steps:
            stage: Stage = STAGES[template["stage"]]
            needed: list[Step] = []
            inputs = {key: self._inputs(text, values, needed.append) for key, text in template["inputs"].items()}
            given, params = self._params(stage, template.get("params", {}), values)
            self._steps[label] = Step(
                name=label,
                stage=stage,
                inputs={key: text for key, text in inputs.items() if text},
                params=params,
                given_params=given,
                seed=self.settings.seed,
                out=self.settings.out / label,
                needs=tuple(dict.fromkeys(each.name for each in needed)),
            )
        return self._steps[label]

    def _inputs(
        self, template: str | list[str], values: Mapping[str, str], needed: Callable[[Step], None]
    ) -> str | list[str]:
        """Return the text of an input, or the texts of one that is given several times."""
        texts = fill(_text(template), values).split("\n")
        found = [text for each in texts if (text := self._input(each, values, needed))]
        return found if isinstance(template, list) or len(texts) > 1 else "".join(found)

    def _input(self, template: str, values: Mapping[str, str], needed: Callable[[Step], None]) -> str:
        """Return the path or encoder of an input."""
        text = fill(template, values)
        reference = _REFERENCE.fullmatch(text)
        if reference is None:
            return text
        label, name, file = reference.groups()
        step = self._step(name, values)
        needed(step)
        return f"{label or ''}{step.out / file if file else step.out}"

    def _params(
        self, stage: Stage, own: Mapping[str, Any], values: Mapping[str, str]
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Return the names of the parameters that are set, and all values."""
        known = {shown_name(one.name) for one in fields(stage.params)}
        shared = {name: value for name, value in self.paper.common.items() if name in known}
        filled = {
            name: fill(value, values) if isinstance(value, str) else value for name, value in {**shared, **own}.items()
        }
        given = {name: _SWITCHES.get(value, value) for name, value in filled.items() if value != ""}
        params, faults = build(stage.params, given, owner=stage.name)
        if faults:
            raise several(f"{self.paper.name}, {stage.name}", faults)
        return tuple(given), as_dict(params)


def _text(value: str | list[str]) -> str:
    """Return a text, or several texts as lines."""
    return value if isinstance(value, str) else "\n".join(value)


def _words(table: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in table.items() if isinstance(value, str | list)}


def _typed(step: Step) -> list[tuple[str, str]]:
    """Return every text of the inputs of a step, with the name of its input."""
    listed = ((name, [own] if isinstance(own, str) else own) for name, own in step.inputs.items())
    return [(name, text) for name, texts in listed for text in texts]


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace `{name}` by its value, recursively; unknown names are kept."""
    return _VALUE.sub(lambda found: fill(values[found[1]], values) if found[1] in values else found[0], text)


def folder_name(encoder: str) -> str:
    """Return the folder name of results of an encoder: the last part of its name or path."""
    return re.sub(r"[^\w.+-]", "-", Path(encoder).name) or "encoder"


def chosen_encoders(paper: Paper, words: list[str]) -> dict[str, str]:
    """Return the encoders to use, by their names in the paper.

    Args:
        paper: The paper.
        words: `LaBSE` for the one on the hub, `LaBSE=FOLDER` to replace it, `FOLDER` to replace all. If empty, all
            encoders of the paper.

    Raises:
        ConfigError: If the paper has no such encoder, or one is named twice.
    """
    if not words:
        return dict(paper.encoders)
    known = {name.lower(): name for name in paper.encoders}
    chosen: dict[str, str] = {}
    for word in words:
        name, equals, other = word.partition("=")
        own = known.get(name.lower())
        # A word that looks like the name of an encoder, and is neither folder nor path, is probably misspelled.
        slip = not Path(word).exists() and "/" not in word and get_close_matches(word.lower(), known, n=1)
        if own is None and (equals or slip):
            raise unknown_name("encoder of the paper", name, paper.encoders)
        if equals and not other:
            raise ConfigError(f"--encoder {word} names no encoder.", hint=f"Write {own}=mini.")
        for each in paper.encoders if own is None else [own]:
            if each in chosen:
                raise ConfigError(f"--encoder names {each} twice.", hint="Name every encoder once.")
            chosen[each] = other or (word if own is None else paper.encoders[each])
    return chosen
