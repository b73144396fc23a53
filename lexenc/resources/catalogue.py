"""The catalogue of public resources: their names, addresses and licences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import permutations
from pathlib import Path
from urllib.parse import urlsplit

from lexenc.errors import ConfigError, unknown_name
from lexenc.structured import checked, read_yaml

CATALOGUE = Path(__file__).parent / "catalogue.yaml"


@dataclass(frozen=True)
class Part:
    """One file of a resource.

    Args:
        url: Address, with the placeholders `{key}`, `{source}` and `{target}`.
        what: Description.
        member: File in the archive at the address, with the same placeholders; empty if it is not an archive.
        sha256: Digest of the file at the address, if known.
    """

    url: str
    what: str = ""
    member: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Family:
    """Resources of one kind, for instance dictionaries of many language pairs.

    Args:
        name: Name, which stands before the colon.
        what: Description in one line.
        home: Page of its authors.
        licence: Name of the licence.
        open: Whether the licence allows everyone to use and share the data, even commercially.
        keys: Names that may stand after the colon.
        parts: Files by name.
        default: Default part, if there is one.
    """

    name: str
    what: str
    home: str
    licence: str
    open: bool
    keys: tuple[str, ...]
    parts: Mapping[str, Part]
    default: str | None = None


@dataclass(frozen=True)
class Resource:
    """One file that can be fetched. Other fields are those of `Family` and `Part`.

    Args:
        name: Family and key.
        part: Name of the part.
    """

    name: str
    part: str
    what: str
    url: str
    member: str = ""
    licence: str = "not known"
    open: bool = False
    home: str = ""
    sha256: str = ""

    @property
    def family(self) -> str:
        """Name of the family."""
        return self.name.partition(":")[0]

    @property
    def archive(self) -> str:
        """Name of the file at the address."""
        try:
            return _file_name(urlsplit(self.url).path)
        except ValueError:  # not an address, which `fetch` reports
            return _file_name("")

    @property
    def file(self) -> str:
        """Name of the file for commands."""
        return _file_name(self.member) if self.member else self.archive


def _file_name(path: str) -> str:
    """Return the last part of a path. It never leads out of a folder."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    return "resource" if name in ("", ".", "..") else name


def read_catalogue(extra: Path | None = None) -> dict[str, Family]:
    """Read the catalogue.

    Args:
        extra: Another file in the same format, for instance with the addresses of a mirror. It overrides the built-in
            entries.

    Raises:
        DataError: If the file cannot be read.
    """
    return _families(CATALOGUE) | ({} if extra is None else _families(extra))


def _families(path: Path) -> dict[str, Family]:
    hint = "A family has what, home, licence, open, keys and parts; each part has a url."
    body = checked(dict[str, _Entry], read_yaml(path, hint=hint), path, hint=hint)
    return {name: one.family(name) for name, one in body.items()}


@dataclass(frozen=True)
class _Entry:
    """A family as a catalogue describes it.

    Keys are listed, or made of languages that have a pair with English each, or with each other.
    """

    what: str
    licence: str
    open: bool
    parts: dict[str, Part]
    home: str = ""
    keys: str = ""
    english: str = ""
    pairs: str = ""
    default: str | None = None

    def family(self, name: str) -> Family:
        keys = self.keys.split()
        for language in self.english.split():
            keys += [f"en-{language}", f"{language}-en"]
        keys += ["-".join(pair) for pair in permutations(self.pairs.split(), 2)]
        return Family(name, self.what, self.home, self.licence, self.open, tuple(keys), self.parts, self.default)


def find_resource(catalogue: Mapping[str, Family], name: str, part: str | None = None) -> Resource:
    """Return the resource of a name such as `gt-bli:en-de`.

    Args:
        catalogue: The catalogue.
        name: Family and key, with a colon between them.
        part: File of the resource, for instance `train`; None for its default.

    Raises:
        ConfigError: If there is no such resource.
    """
    family = find_family(catalogue, name)
    key = name.partition(":")[2]
    if key not in family.keys:
        reverse = "-".join(reversed(key.split("-")))
        if reverse != key and reverse in family.keys:
            raise ConfigError(
                f"There is no {name}, but the other direction.",
                hint=f"Use {family.name}:{reverse} and swap its columns.",
            )
        close = get_close_matches(key, family.keys, n=1)
        hint = f"Did you mean '{family.name}:{close[0]}'?" if close else f"See: lexenc fetch {family.name}: --list"
        raise ConfigError(f"There is no {name}.", hint=hint)
    part = part or family.default
    if part is None:
        listed = ", ".join(f"{each} ({one.what})" for each, one in family.parts.items())
        raise ConfigError(f"{name} has several parts: {listed}.", hint=f"Add --part {next(iter(family.parts))}.")
    if part not in family.parts:
        raise unknown_name(f"part of {name}", part, family.parts)
    source, _, target = key.partition("-")
    own = family.parts[part]

    def filled(text: str) -> str:  # not str.format, whose fields reach into Python
        return text.replace("{key}", key).replace("{source}", source).replace("{target}", target)

    return Resource(
        name=name,
        part=part,
        what=f"{family.what}; {own.what}" if own.what else family.what,
        url=filled(own.url),
        member=filled(own.member),
        licence=family.licence,
        open=family.open,
        home=family.home,
        sha256=own.sha256,
    )


def find_family(catalogue: Mapping[str, Family], name: str) -> Family:
    """Return the family of a name.

    Raises:
        ConfigError: If there is no such family, or the name has no colon.
    """
    first, colon, _ = name.partition(":")
    if first not in catalogue:
        raise unknown_name("resource", first, catalogue)
    if not colon:
        one = catalogue[first]
        hint = f"Add a key: {first}:{one.keys[0] if one.keys else ''}. See: lexenc fetch {first}: --list"
        raise ConfigError(f"'{name}' names many resources.", hint=hint)
    return catalogue[first]
