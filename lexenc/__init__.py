"""Cross-lingual word vectors and encoders: build, map, blend and evaluate them.

Every command of the program is a function here, made from the same declaration: `lexenc.map`, `lexenc.eval_bli` and so
on. `help(lexenc.map)` lists its arguments. Heavy packages are imported when they are first used.
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Return the function of a stage, or a part of the library, on first use."""
    from importlib import import_module
    from importlib.util import find_spec

    # Modules of the package come first, since accessing one must not import anything else.
    if name == "__all__" or not (name.startswith("_") or find_spec(f"{__name__}.{name}")):
        value: object = import_module(f"{__name__}.api").attribute(name)
        globals()[name] = value
        return value
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the names of the package."""
    return sorted({*globals(), *__getattr__("__all__")})  # type: ignore[misc]
