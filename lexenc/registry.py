"""Names of parts, each imported on first use."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from lexenc.errors import ConfigError, unknown_name


class Registry:
    """A table from names to parts, in declared order.

    Args:
        kind: What the table holds, in the singular; also the entry-point group `lexenc.<kind>`.
        entries: A part for each name, or the text `package.module:attribute` from which it is imported on first use.

    Raises:
        ConfigError: If another package wants to replace a built-in name.
    """

    def __init__(self, kind: str, entries: dict[str, Any]) -> None:
        self.kind = kind
        self._entries = dict(entries)
        for point in entry_points(group=f"lexenc.{kind.replace(' ', '_')}"):
            if point.name in self._entries:
                raise ConfigError(
                    f"{point.value} wants to replace the built-in {kind} '{point.name}'.",
                    hint="Rename it in the package that provides it.",
                )
            self._entries[point.name] = point.value

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Any:
        if name not in self._entries:
            raise unknown_name(self.kind, name, self._entries)
        entry = self._entries[name]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = self._entries[name] = getattr(import_module(module), attribute)
        return entry
