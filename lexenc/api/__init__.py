"""The functions of the library: one for every stage, and parts that work with arrays."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

from lexenc.api.stage_functions import function_name, stage_function
from lexenc.stages import STAGES

# Other attributes `lexenc.NAME`, and their places.
PARTS = {
    "Result": "lexenc.api.results:Result",
    "LexencWarning": "lexenc.api.words:LexencWarning",
    "LoadedEncoder": "lexenc.api.parts:LoadedEncoder",
    "LexencError": "lexenc.errors:LexencError",
    "ConfigError": "lexenc.errors:ConfigError",
    "DataError": "lexenc.errors:DataError",
    "WorkError": "lexenc.errors:WorkError",
    "translate": "lexenc.api.parts:translate",
    "run": "lexenc.api.parts:run",
    "fetch": "lexenc.api.parts:fetch",
    "convert": "lexenc.api.files:convert",
    "write_report": "lexenc.api.files:write_report",
    "load_space": "lexenc.api.parts:load_space",
    "load_mapping": "lexenc.api.parts:load_mapping",
    "load_encoder": "lexenc.api.parts:load_encoder",
    "read_vectors": "lexenc.api.parts:read_vectors",
    "read_pairs": "lexenc.api.parts:read_pairs",
    "fit_mapping": "lexenc.lexical.mapping:fit_mapping",
    "normalise": "lexenc.lexical.mapping:normalise",
    "fit_correction": "lexenc.search.retrieval:fit_correction",
    "retrieve": "lexenc.search.retrieval:retrieve",
}


def attribute(name: str) -> Any:
    """Return the attribute `lexenc.NAME`.

    Raises:
        AttributeError: If there is none.
    """
    stages = {function_name(each): each for each in STAGES}
    if name == "__all__":
        return [*stages, *PARTS]
    if name in stages:
        return stage_function(STAGES[stages[name]])
    if name in PARTS:
        module, _, own = PARTS[name].partition(":")
        return getattr(import_module(module), own)
    close = get_close_matches(name, [*stages, *PARTS], n=1)
    meant = f". Did you mean '{close[0]}'?" if close else ""
    raise AttributeError(f"module 'lexenc' has no attribute '{name}'{meant}")
