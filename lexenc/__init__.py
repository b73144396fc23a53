"""Cross-lingual lexical and sentence encoders: build them, map them, blend them, prove them.

Every command of the program is a function here, made from the same declaration: `lexenc.map`, `lexenc.eval_bli` and so
on; `help(lexenc.map)` says what it takes. Nothing heavy is imported before it is used.
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Make a function of a stage, or import a part of the library, on first use."""
    from importlib import import_module
    from importlib.util import find_spec

    # Modules of the package come first: to ask for one must import nothing but itself.
    if name == "__all__" or not (name.startswith("_") or find_spec(f"{__name__}.{name}")):
        value: object = import_module(f"{__name__}.api").attribute(name)
        globals()[name] = value
        return value
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    """List what there is."""
    return sorted({*globals(), *__getattr__("__all__")})  # type: ignore[misc]
