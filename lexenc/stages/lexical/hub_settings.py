"""map --hub: what may be said about it, and which dictionaries belong to which pair of languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.artifact import UNFINISHED
from lexenc.errors import ConfigError, unknown_name
from lexenc.files.dictionaries import Pairs
from lexenc.files.text import check_language
from lexenc.stage import Input
from lexenc.stages.reading import read_dictionary

if TYPE_CHECKING:
    from lexenc.stages.lexical.map import MapParams

# What `map` takes for two languages only.
_FOR_PAIRS = ("source", "target", "dictionary", "validation", "source_vocabulary", "target_vocabulary")
_NAMED = Input("", named=True)


def is_hub_wanted(inputs: Mapping[str, Any], params: MapParams) -> bool:
    """Tell whether many languages are to be mapped."""
    return params.hub is not None or bool(inputs.get("into"))


def anchored_params(params: MapParams) -> MapParams:
    """Fill in what keeps the hub where it is, where nothing else was asked for.

    The hub is not re-weighted, and every language gets the hub's own spread in place of its own, so that languages can
    be compared with each other as well. Measured in the hub 'en' with GT-BLI (de, fr, it; mean P@1 of six directions
    with the hub and of de-fr, fr-de; nearest / CSLS): this 15.4 / 19.6 and 5.1 / 6.2; its own spread 10.6 / 15.0 and
    3.0 / 4.2; rotations 10.6 / 13.2 and 3.7 / 4.2; least squares 15.1 / 19.6 and 4.9 / 5.8; both sides re-weighted and
    the hub's side undone by its inverse (de, fr) 1.4 / 2.0 and 0.1 / 0.1.
    """
    own: dict[str, Any] = {
        "source_reweight": 0.5,
        "target_reweight": 0.0,
        "source_dewhiten": "target",
        "target_dewhiten": "target",
    }
    return replace(params, **{name: value for name, value in own.items() if getattr(params, name) is None})


def check_hub(inputs: Mapping[str, Any], params: MapParams) -> list[ConfigError]:
    """Give the faults in what is said about many languages."""
    names = given_names(inputs)
    return _check_inputs(inputs, params) + _check_names(inputs, params, names) + _check_params(params)


def given_names(inputs: Mapping[str, Any]) -> list[str]:
    """Give the names of `--vectors`, as a user wrote them or as the stage gets them; empty ones for none."""
    value = inputs.get("vectors") or []
    if isinstance(value, Mapping):
        return list(value)
    return [_NAMED.split(str(text))[0] for text in (value if isinstance(value, list | tuple) else [value])]


def _check_inputs(inputs: Mapping[str, Any], params: MapParams) -> list[ConfigError]:
    option = "--into" if inputs.get("into") else "--hub"
    faults = []
    for name in (*_FOR_PAIRS, "mapping"):
        if inputs.get(name):
            hint = "It takes --vectors NAME=PATH for every language, and --dictionaries."
            faults.append(ConfigError(f"--{name.replace('_', '-')} cannot be used with {option}.", hint=hint))
    needs = params.supervision in ("dictionary", "semi")
    if needs and not inputs.get("dictionaries"):
        hint = "A folder with files such as en-de.tsv. Without: --supervision identical, numerals or none."
        faults.append(ConfigError(f"--supervision {params.supervision} needs --dictionaries.", hint=hint))
    return faults


def _check_names(inputs: Mapping[str, Any], params: MapParams, names: Sequence[str]) -> list[ConfigError]:
    hint = "Write it with its name: --vectors en=en.vec"
    if not names:
        return [ConfigError("map --hub needs --vectors.", hint=f"Give every language. {hint}")]
    faults = []
    if "" in names:
        faults.append(ConfigError("--vectors must be NAME=PATH.", hint=hint))
    faults += [ConfigError(f"--vectors cannot be called '{each}'.", hint="Take another name.")
               for each in names if each in (UNFINISHED, "source", "target")]  # fmt: skip
    if inputs.get("into") or "" in names:
        return faults
    if params.hub not in names:
        faults.append(unknown_name("language among --vectors", str(params.hub), names))
    elif len(names) < 2:
        faults.append(ConfigError("--vectors has no language beside the hub.", hint="Give it once per language."))
    return faults


def _check_params(params: MapParams) -> list[ConfigError]:
    stays = "With --hub the hub stays where it is"
    faults = []
    if params.reduce_to is not None:
        faults.append(ConfigError(f"{stays}; --reduce-to cannot be used.", hint="Reduce the vectors before."))
    moves = params.target_reweight != 0 or (params.whiten and params.target_dewhiten != "target")
    if params.kind == "advanced" and moves:
        hint = "Leave --target-reweight and --target-dewhiten out; --source-reweight can do the same."
        faults.append(ConfigError(f"{stays}; the target side cannot be re-weighted, nor left whitened.", hint=hint))
    if params.source_language or params.target_language:
        hint = "Name a language by its code: --vectors tr=vectors.vec"
        faults.append(ConfigError("With --hub the names of --vectors are the language codes.", hint=hint))
    return faults


# ---------------------------------------------------------------- which languages


def code_of(name: str) -> str | None:
    """Give the language code that a name is, or None where it is none."""
    try:
        check_language(name, "--vectors")
    except ConfigError:
        return None
    return name


@dataclass(frozen=True)
class ColumnCase:
    """Case policy of a dictionary whose columns are named languages."""

    lowercase: bool
    source_language: str | None
    target_language: str | None


@dataclass(frozen=True)
class Dictionary:
    """A dictionary file of two languages.

    Args:
        path: The file.
        backwards: Whether its columns stand the other way round than was asked.
    """

    path: Path
    backwards: bool

    def read(self, first: str, second: str, *, lowercase: bool) -> Pairs:
        """Read it so that the left column is of the first language."""
        columns = (second, first) if self.backwards else (first, second)
        pairs = read_dictionary(self.path, ColumnCase(lowercase, *map(code_of, columns)), roles=columns)
        return pairs.swapped() if self.backwards else pairs


class Dictionaries:
    """Dictionaries by the languages of their columns.

    Args:
        given: Files by name such as `en-de`, and at most one folder with files of such names.
        languages: All languages that there are.
        option: What the user calls it.

    Raises:
        ConfigError: If a name is of no two languages, several files are for the same pair, or there is none at all.
    """

    def __init__(self, given: Mapping[str, Path], languages: Sequence[str], option: str) -> None:
        self._option = option
        self._names = {f"{a}-{b}": (a, b) for a in languages for b in languages if a != b}
        self._files: dict[tuple[str, str], Path] = {}
        for name, path in sorted(given.items()):  # what is named comes after the folder and replaces what is in it
            if name and name not in self._names:
                raise unknown_name(f"pair of languages for {option}", name, self._names)
            self._files |= {self._names[name]: path} if name else self._in_folder(path)
        if given and not self._files:
            raise ConfigError(
                f"{option} {given['']} holds no dictionary of {', '.join(languages)}.",
                hint=f"Call files by both languages: {next(iter(self._names))}.tsv",
            )

    def _in_folder(self, folder: Path) -> dict[tuple[str, str], Path]:
        if not folder.is_dir():
            raise ConfigError(
                f"{self._option} {folder} is a file without the names of its languages.",
                hint=f"Write {self._option} {next(iter(self._names))}={folder}",
            )
        found: dict[tuple[str, str], Path] = {}
        for path in sorted(each for each in folder.iterdir() if each.is_file()):
            pair = self._names.get(path.name.split(".", 1)[0])
            if pair in found:
                name = "-".join(pair)
                raise ConfigError(
                    f"{folder} holds several dictionaries of {name}: {found[pair].name}, {path.name}.",
                    hint=f"Say which: {self._option} {name}={path}",
                )
            if pair is not None:
                found[pair] = path
        return found

    def find(self, first: str, second: str) -> Dictionary | None:
        """Give the dictionary of two languages, better one whose first column is the first; None without any."""
        for pair, backwards in (((first, second), False), ((second, first), True)):
            if pair in self._files:
                return Dictionary(self._files[pair], backwards)
        return None

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Give the pairs of languages that have a dictionary, in the order of the languages and each way."""
        return (pair for pair in self._names.values() if pair in self._files or pair[::-1] in self._files)


def hub_next_step(inputs: Mapping[str, Any], params: MapParams) -> str:
    """Give the command to type next: from a language that was mapped to the hub."""
    from lexenc.files.hubs import read_hub

    names = given_names(inputs)
    hub = read_hub(Path(inputs["into"])).hub if inputs.get("into") else params.hub
    other = next((each for each in names if each != hub), names[0])
    return f"lexenc translate --vectors {{out}} --from {other} --to {hub}"
