"""Tables of named parts. A part is imported when it is first used, and other packages can add parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from lexenc.errors import ConfigError, unknown_name


class Registry:
    """A table of parts by name, in declared order. Listing the names and their summaries imports no part.

    Args:
        kind: What the table holds, in the singular. Other packages add parts under the entry point `lexenc.<kind>`.
        entries: For each name the part, or its place `package.module:attribute`; or a pair of the place and a summary.

    Raises:
        ConfigError: On first use, if another package wants to replace a built-in name.
    """

    def __init__(self, kind: str, entries: Mapping[str, Any]) -> None:
        self.kind = kind
        self._declared = dict(entries)
        self._loaded: dict[str, Any] = {}

    @cached_property
    def _entries(self) -> dict[str, Any]:
        entries = dict(self._declared)
        for point in entry_points(group=f"lexenc.{self.kind.replace(' ', '_')}"):
            if point.name in entries:
                raise ConfigError(
                    f"{point.value} wants to replace the built-in {self.kind} '{point.name}'.",
                    hint="Rename it in the package that provides it.",
                )
            entries[point.name] = point.value
        return entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            place, summary = self._entry(name)
            part = place
            if isinstance(place, str):
                module, _, attribute = place.partition(":")
                part = getattr(import_module(module), attribute)
            if summary and is_dataclass(part) and not isinstance(part, type) and hasattr(part, "summary"):
                part = replace(part, summary=summary)
            self._loaded[name] = part
        return self._loaded[name]

    def _entry(self, name: str) -> tuple[Any, str]:
        if name not in self._entries:
            raise unknown_name(self.kind, name, self._entries)
        entry = self._entries[name]
        return entry if type(entry) is tuple else (entry, "")  # a part may be a named tuple

    def without(self, name: str) -> Iterable[str]:
        """Return all other names. They are listed when they are needed, as those of the table are."""
        return _Others(self, name)

    def summary(self, name: str) -> str:
        """Return one sentence on a part. A part without a summary in the table is imported and asked for its own."""
        _, summary = self._entry(name)
        if summary:
            return summary
        part = self[name]
        return getattr(part, "summary", "") or next(iter((part.__doc__ or "").strip().splitlines()), "")


@dataclass(frozen=True)
class _Others:
    """The names of a table but one."""

    table: Registry
    name: str

    def __iter__(self) -> Iterator[str]:
        return (each for each in self.table if each != self.name)
