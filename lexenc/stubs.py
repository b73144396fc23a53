"""The types of `lexenc.NAME` for editors and type checkers, written from the stages: `python -m lexenc.stubs`."""

from __future__ import annotations

import inspect
import os
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from lexenc.api import PARTS
from lexenc.api.stage_functions import docstring, function_name, signature
from lexenc.progress import Progress
from lexenc.stage import Stage
from lexenc.stages import STAGES

STUB = Path(__file__).parent / "__init__.pyi"
_HEAD = '''"""Types of the package; made by `python -m lexenc.stubs` from the declarations of the stages."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Literal

{imports}
from lexenc.progress import Progress

__version__: str
'''
_WIDTH = 120


def stub() -> str:
    """Return the stub: every stage with its arguments and help, and imports of all other names."""
    places: dict[str, list[str]] = {}
    for name, place in PARTS.items():
        places.setdefault(place.partition(":")[0], []).append(name)
    imports = "\n".join(
        f"from {module} import {own} as {own}" for module, names in sorted(places.items()) for own in sorted(names)
    )
    stages: list[Stage] = [STAGES[name] for name in STAGES if STAGES[name].run.__module__.startswith("lexenc.")]
    return _HEAD.format(imports=imports) + "".join("\n" + _function(stage) for stage in stages)


def _function(stage: Stage) -> str:
    own = signature(stage)
    lines = [f"def {function_name(stage.name)}("]
    named = False
    for each in own.parameters.values():
        if each.kind is inspect.Parameter.KEYWORD_ONLY and not named:
            named = True
            lines.append("    *,")
        default = "" if each.default is inspect.Parameter.empty else f" = {each.default!r}"
        lines.append(f"    {each.name}: {written(each.annotation)}{default},")
    text = inspect.cleandoc(docstring(stage)).replace("\\", "\\\\")
    body = "\n".join(f"    {line}" if line else "" for line in text.splitlines())
    return "\n".join([*lines, ") -> Result:", f'    """{body.strip()}', '    """', ""])


def written(annotation: Any) -> str:
    """Return a type as it is written in Python."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "None"
    if origin in (Union, types.UnionType):
        return " | ".join(written(each) for each in inner)
    if origin is Literal:
        # Sorted, because Python gives `Literal["a", "b"] | None` the order in which it met the same values first.
        return f"Literal[{', '.join(sorted(map(repr, inner)))}]"
    if origin is os.PathLike:
        return "PathLike[str]"
    if origin is tuple:
        return f"tuple[{', '.join(written(each) for each in inner)}]"
    if origin is Sequence:
        return f"Sequence[{written(inner[0])}]"
    if origin is Mapping:
        return f"Mapping[{written(inner[0])}, {written(inner[1])}]"
    return "Progress" if annotation is Progress else str(annotation.__name__)


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
    sys.stderr.write(f"Wrote {STUB}.\n")
