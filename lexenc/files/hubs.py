"""A space of many languages in one folder: a folder per language, and `hub.json`, which names the hub language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lexenc.durable import share
from lexenc.errors import ConfigError, DataError, unknown_name
from lexenc.files.dictionaries import Pairs, read_pairs
from lexenc.files.spaces import SIDES, load_space
from lexenc.files.vectors import Vectors, load_vectors
from lexenc.structured import checked, read_json, shown
from lexenc.text.folding import AS_IT_IS, Folding, UnicodeForm, check_language

HUB = "hub.json"
_FILES = ("words.txt", "vectors.npy", "mapping.safetensors")


@dataclass(frozen=True)
class Hub:
    """The language whose space it is, all languages including it, and how words were folded."""

    hub: str
    languages: list[str]
    lowercase: bool
    unicode: UnicodeForm = "keep"

    @property
    def folding(self) -> Folding:
        """How its words were folded."""
        return Folding(self.lowercase, self.unicode)


def is_hub(folder: Path) -> bool:
    """Return whether a folder contains a space of many languages."""
    try:
        return (folder / HUB).is_file()
    except OSError:  # such as a name that is too long
        return False


def read_hub(folder: Path) -> Hub:
    """Read which languages a space contains.

    Raises:
        DataError: If the folder contains no such space, or its `hub.json` is damaged.
    """
    path = folder / HUB
    if not path.is_file():
        raise DataError(f"{folder} holds no space of many languages (no {HUB}).", hint="Make one with: lexenc map-hub")
    hint = "Make the space again."
    found = checked(Hub, read_json(path, hint=hint), path, hint=hint)
    if found.hub not in found.languages:
        raise DataError(f"{path}: the hub {shown(found.hub)} is not one of its languages.", hint=hint)
    missing = [each for each in found.languages if not (folder / each / "words.txt").is_file()]
    if missing:
        raise DataError(f"{folder} holds no {missing[0]}/words.txt.", hint=hint)
    return found


def write_hub(folder: Path, hub: Hub) -> None:
    """Write which languages a space contains."""
    (folder / HUB).write_text(json.dumps(asdict(hub), ensure_ascii=False) + "\n", encoding="utf-8")


def share_files(source: Path, target: Path) -> None:
    """Link the words, vectors and mapping of one folder into another one.

    Hard links take no space; where the file system has none, the files are copied. Results never change in place.

    Args:
        source: Folder that has the files.
        target: Folder to link them into. Created if necessary.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        if (source / name).is_file():
            share(source / name, target / name)


def load_languages(folder: Path, names: tuple[str, str]) -> tuple[Vectors, Vectors]:
    """Load two languages of a space: `source` and `target` of a pair, or any two of many.

    Args:
        folder: The space.
        names: Names of the languages. If both are the same, the language is loaded once.

    Raises:
        DataError: If the folder contains no space, or the dimensions differ.
        ConfigError: If the space has no language of that name.
    """
    hub = is_hub(folder)
    known = read_hub(folder).languages if hub else SIDES
    for name in names:
        if name not in known:
            raise unknown_name(f"language in {folder}", name, known)
    if not hub:
        space = load_space(folder)
        return space.side(names[0]), space.side(names[1])
    first = load_vectors(folder / names[0])
    return first, first if names[0] == names[1] else load_vectors(folder / names[1])


def code_of(name: str) -> str | None:
    """Return `name` if it is a language code, else None."""
    try:
        check_language(name, "--vectors")
    except ConfigError:
        return None
    return name


class HubDictionaries:
    """Dictionary files, found by the two languages of their columns.

    Args:
        given: Files by name such as `en-de`, and at most one folder (named "") with files such as `en-de.tsv`. A named
            file replaces that of the folder.
        languages: All languages of the space.
        option: Option that the user gave them with, for messages.
        folding: How words are folded, each as its language does.

    Raises:
        ConfigError: If a name is not a pair of `languages`, several files are for the same pair, or none is.
    """

    def __init__(
        self, given: Mapping[str, Path], languages: Sequence[str], option: str, *, folding: Folding = AS_IT_IS
    ) -> None:
        self._option, self._folding = option, folding
        self._names = {f"{a}-{b}": (a, b) for a in languages for b in languages if a != b}
        self._files: dict[tuple[str, str], Path] = {}
        for name, path in sorted(given.items()):
            if name and name not in self._names:
                raise unknown_name(f"pair of languages for {option}", name, self._names)
            self._files |= {self._names[name]: path} if name else self._in_folder(path)
        if given and not self._files:
            raise ConfigError(
                f"{option} {given['']} holds no dictionary of {', '.join(languages)}.",
                hint=f"Name each file after its languages, e.g. {next(iter(self._names))}.tsv",
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
                    hint=f"Choose one: {self._option} {name}={path}",
                )
            if pair is not None:
                found[pair] = path
        return found

    def __contains__(self, pair: tuple[str, str]) -> bool:
        return pair in self._files or pair[::-1] in self._files

    def read(self, first: str, second: str) -> Pairs | None:
        """Read the dictionary of two languages, or return None if there is none.

        Args:
            first: Language of the left column of the result.
            second: Language of the right column.

        A file whose left column is of `first` comes before one with the columns swapped.
        """
        columns = (first, second) if (first, second) in self._files else (second, first)
        if columns not in self._files:
            return None
        codes = (code_of(columns[0]), code_of(columns[1]))
        pairs = read_pairs(self._files[columns], roles=columns, languages=codes)
        pairs = pairs.folded(self._folding, *codes) if self._folding else pairs
        return pairs if columns == (first, second) else pairs.swapped()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield the pairs of languages that have a dictionary, in the order of the languages and in both directions."""
        return (pair for pair in self._names.values() if pair in self)
