"""Structured files, read with checks: JSON, YAML, arrays and tensors.

A reader here trusts nothing. Whatever a file contains, the outcome is its value or a `DataError` that names the file
and what is wrong in it. Size, depth and numbers are limited before memory is spent on them.
"""

from __future__ import annotations

import json
import math
import os
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lexenc.errors import DataError

if TYPE_CHECKING:
    import numpy as np

# numpy, yaml and safetensors are imported where they are used: the help of the program must not wait for them.

JSON_BYTES = 16 << 20
"""Largest JSON file. In memory, the worst one takes 24 times as much."""
YAML_BYTES = 1 << 20
"""Largest YAML file. In memory, the worst one takes 400 times as much."""
DEPTH = 64
"""How deep lists and tables may be nested."""
AGAIN = "Make it again."
_NODES = 200_000  # values of a YAML file when every alias is written out
_DIGITS = 100  # of a whole number in JSON; the state of a random generator has 39
_LARGEST = 1 << 63  # of the whole numbers that numpy and other programs take
# An escape of half a character. Those from DC80 to DCFF stand for bytes of words that are not UTF-8.
_HALF_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_T = TypeVar("_T")


# ---------------------------------------------------------------- JSON


def parse_json(text: str, place: Path | str, *, hint: str = AGAIN) -> Any:
    """Return the value of JSON.

    Args:
        text: The JSON.
        place: Where it was read, for messages: a file, or file and line.
        hint: What the user can do if it is damaged.

    Raises:
        DataError: If it is not JSON, is nested more than `DEPTH` deep, or contains NaN, an infinite or very long
            number, or half a character (a lone surrogate that does not stand for a byte).
    """
    try:
        value = json.loads(text, parse_float=_finite, parse_int=_whole, parse_constant=_refuse_constant)
        if text.count("[") + text.count("{") > DEPTH or _HALF_ESCAPED.search(text):
            _check_depth_and_texts(value)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: not JSON ({error}).", hint=hint) from None
    except RecursionError:
        raise DataError(f"{place}: {_too_deep()}.", hint=hint) from None
    except ValueError as error:
        raise DataError(f"{place}: {error}.", hint=hint) from None
    return value


def read_json(path: Path, *, limit: int = JSON_BYTES, hint: str = AGAIN) -> Any:
    """Read a JSON file.

    Args:
        path: The file, in UTF-8.
        limit: Largest size, in bytes.
        hint: What the user can do if it is damaged.

    Raises:
        DataError: If there is no such file, it is too large or not UTF-8, or as `parse_json`.
    """
    return parse_json(_text_of(path, limit, hint), path, hint=hint)


def _text_of(path: Path, limit: int, hint: str) -> str:
    if not path.is_file():  # nor a pipe, which would wait for ever
        raise DataError(f"There is no file {path}.", hint=hint)
    with path.open("rb") as stream:
        body = stream.read(limit + 1)
    if len(body) > limit:
        raise DataError(f"{path} has more than {limit:,} bytes.", hint=hint)
    try:
        return body.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        shown = f"byte 0x{body[error.start]:02x} at offset {error.start:,}"
        raise DataError(f"{path}, line {line}: not UTF-8 ({shown}).", hint=hint) from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {_cut(text)} is too large")
    return number


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"the number {_cut(text)} is too large")
    return int(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number of JSON")


def _check_depth_and_texts(value: Any) -> None:
    level: list[Any] = [value]
    for depth in range(DEPTH + 1):
        deeper: list[Any] = []
        for each in level:
            if isinstance(each, str):
                _check_text(each)
            elif isinstance(each, dict | list):
                if depth == DEPTH:
                    raise ValueError(_too_deep())
                deeper += each
                deeper += each.values() if isinstance(each, dict) else ()
        level = deeper


def _check_text(text: str) -> None:
    if _HALF.search(text):
        raise ValueError(f"{shown(text)} contains half a character (a lone surrogate)")


def _too_deep() -> str:
    return f"nested more than {DEPTH} deep"


def _cut(text: str, length: int = 40) -> str:
    return text if len(text) <= length else f"{text[:length]}..."


def shown(value: Any) -> str:
    """Return a value for a message: short, on one line, with control characters escaped."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return repr(_cut(value)) if isinstance(value, str) else _cut(repr(value))


# ---------------------------------------------------------------- types


class _MistypedError(Exception):
    """A value is not of its type.

    Args:
        what: What is wrong with it, as the end of a sentence.
        expected: The type, if that is what is wrong.
    """

    def __init__(self, what: str, expected: str = "") -> None:
        super().__init__(what)
        self.what, self.expected = what, expected
        self.place = ""

    def within(self, key: str | int) -> _MistypedError:
        """Put the key or index of the value in front of its place."""
        plain = isinstance(key, str) and re.fullmatch(r"[\w-]{1,40}", key)
        step = f".{key}" if plain else f"[{shown(key)}]"
        self.place = step + self.place
        return self


_Check = Callable[[Any], Any]


def checked(kind: type[_T], body: Any, place: Path | str, *, hint: str = AGAIN, others: bool = False) -> _T:
    """Return a value of parsed JSON or YAML as a value of a type, after checking every part.

    Args:
        kind: A dataclass, a list, tuple, dictionary or union of known types, `Literal`, an enumeration, a plain type,
            or `Any`. Tuples are made from lists, floats also from whole numbers, and dataclasses from tables, where
            keys without a default must be given.
        body: The value.
        place: Where it was read, for messages.
        hint: What the user can do if it is damaged.
        others: Leave out keys of the outermost table that the dataclass does not have, instead of an error.

    Raises:
        DataError: If a part has another type, a number is not finite or has more than 64 bits, or a key is missing or
            unknown.
    """
    wanted: Any = kind  # for the type checker, a type has no hash
    if others and isinstance(body, Mapping):
        body = {each.name: body[each.name] for each in fields(wanted) if each.name in body}
    try:
        value: _T = _check_of(wanted)(body)
    except _MistypedError as error:
        raise DataError(f"{place}: {error.place.removeprefix('.') or 'the whole'} {error.what}.", hint=hint) from None
    return value


@cache
def _check_of(kind: Any) -> _Check:
    if kind is Any or kind is object:
        return lambda value: value
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _one_of(tuple(each.value for each in kind), kind)
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        return _one_of(inner, lambda value: value)
    if origin in (Union, types.UnionType):
        return _union(inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(*map(_check_of, inner or (str, Any)))
    if isinstance(origin, type) and issubclass(origin, tuple) and inner and inner[-1] is not ...:
        return _fixed(tuple(map(_check_of, inner)))
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _many(_check_of(inner[0] if inner else Any), tuple if issubclass(origin, tuple) else list)
    raise TypeError(f"{kind} cannot be checked")


def _expected(value: Any, expected: str) -> _MistypedError:
    return _MistypedError(f"is {shown(value)}, expected {expected}", expected)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _expected(value, "a text")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _expected(value, "true or false")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -_LARGEST <= value < _LARGEST:
        raise _expected(value, "a whole number of at most 64 bits")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise _expected(value, "a finite number")
    return float(value)


def _nothing(value: Any) -> None:
    if value is not None:
        raise _expected(value, "null")


_PLAIN: dict[Any, _Check] = {str: _text, bool: _truth, int: _integer, float: _number, type(None): _nothing}


def _one_of(values: tuple[Any, ...], make: _Check) -> _Check:
    def check(value: Any) -> Any:
        if not any(value == each and type(value) is type(each) for each in values):
            raise _expected(value, f"one of {', '.join(map(shown, values))}")
        return make(value)

    return check


def _union(kinds: tuple[Any, ...]) -> _Check:
    checks = [_check_of(kind) for kind in kinds]

    def check(value: Any) -> Any:
        failed: list[_MistypedError] = []
        for each in checks:
            try:
                return each(value)
            except _MistypedError as error:
                failed.append(error)
        inner = [error for error in failed if error.place or not error.expected]
        raise inner[0] if inner else _expected(value, " or ".join(error.expected for error in failed))

    return check


def _mapping(key_check: _Check, check_value: _Check) -> _Check:
    def check(value: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise _expected(value, "a table")
        made = {}
        for key, each in value.items():
            try:
                made[key_check(key)] = check_value(each)
            except _MistypedError as error:
                raise error.within(key) from None
        return made

    return check


def _many(check_each: _Check, make: Callable[[list[Any]], Any]) -> _Check:
    def check(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise _expected(value, "a list")
        made = []
        for number, each in enumerate(value):
            try:
                made.append(check_each(each))
            except _MistypedError as error:
                raise error.within(number) from None
        return made if make is list else make(made)

    return check


def _fixed(checks: tuple[_Check, ...]) -> _Check:
    def check(value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != len(checks):
            raise _expected(value, f"a list of {len(checks)}")
        made = []
        for number, (each, own) in enumerate(zip(value, checks, strict=True)):
            try:
                made.append(own(each))
            except _MistypedError as error:
                raise error.within(number) from None
        return tuple(made)

    return check


def _record(kind: Any) -> _Check:
    hints = get_type_hints(kind)
    own = [each for each in fields(kind) if each.init]
    checks = {each.name: _check_of(hints[each.name]) for each in own}
    needed = [each.name for each in own if each.default is MISSING and each.default_factory is MISSING]

    def check(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _expected(value, "a table")
        unknown = next((key for key in value if key not in checks), None)
        if unknown is not None:
            raise _MistypedError("is not a known key").within(unknown)
        missing = next((key for key in needed if key not in value), None)
        if missing is not None:
            raise _MistypedError("is missing").within(missing)
        made = {}
        for key, each in value.items():
            try:
                made[key] = checks[key](each)
            except _MistypedError as error:
                raise error.within(key) from None
        return kind(**made)

    return check


# ---------------------------------------------------------------- YAML


def read_yaml(path: Path, *, hint: str = "Check the indentation and the colons.") -> Any:
    """Read a YAML file of plain values: texts, numbers, true and false, null, lists and tables.

    Dates are texts. Aliases and merge keys (`<<`) are written out.

    Args:
        path: The file, in UTF-8.
        hint: What the user can do if it cannot be read.

    Raises:
        DataError: If there is no such file, it is too large, not UTF-8 or not YAML, a key is repeated or no text, a
            number is not finite or has more than 64 bits, a value has another tag, or aliases or lists are nested
            without measure. The message names the line.
    """
    import yaml

    text = _text_of(path, YAML_BYTES, "Check that it is a text file in UTF-8.")
    line = None
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _count_nodes(node, {})
            return _Values(loader).of(node)
        finally:
            line = loader.line + 1
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else None
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    except RecursionError:
        problem = _too_deep()
    except (ValueError, OverflowError) as error:  # an escape of no character
        problem = _cut(str(error), 80)
    place = f"{path}, line {line}" if line is not None else path
    raise DataError(f"{place}: {_cut(' '.join(problem.split()), 200)}.", hint=hint)


def _refused(node: Any, problem: str) -> Exception:
    import yaml

    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _count_nodes(node: Any, known: dict[int, int], depth: int = 0) -> int:
    """Return the number of values below a node when every alias is written out."""
    if depth > DEPTH:
        raise _refused(node, _too_deep())
    own = known.get(id(node))
    if own == 0:
        raise _refused(node, "an alias within its own value")
    if own is None:
        known[id(node)] = 0
        parts = [] if isinstance(node.value, str) else node.value
        flat = [part for each in parts for part in (each if isinstance(each, tuple) else (each,))]
        own = known[id(node)] = 1 + sum(_count_nodes(part, known, depth + 1) for part in flat)
    if own > _NODES:
        raise _refused(node, f"aliases that stand for more than {_NODES:,} values")
    return own


class _Values:
    """Makes plain values from the nodes of a YAML document, whose constructors are not used: some raise anything."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._scalars = {
            "null": lambda node: None,
            "bool": loader.construct_yaml_bool,
            "int": self._integer,
            "float": self._number,
            "str": self._text,
            "timestamp": self._text,
            "value": self._text,
        }

    def of(self, node: Any) -> Any:
        """Return the value of a node."""
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if node.id == "mapping" and kind == "map":
            return self._mapping(node)
        if node.id == "sequence" and kind == "seq":
            return [self.of(each) for each in node.value]
        if node.id != "scalar" or kind not in self._scalars:
            raise _refused(node, f"a value of the kind {shown(kind)}, which is not used here")
        try:
            return self._scalars[kind](node)
        except (ValueError, KeyError, IndexError, OverflowError):
            raise _refused(node, f"{shown(node.value)} is no {kind}") from None

    def _mapping(self, node: Any) -> dict[str, Any]:
        keys = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        self._loader.flatten_mapping(node)
        seen: set[Any] = set()
        for each in keys:
            key = self._key(each)
            if key in seen:
                raise _refused(each, f"{shown(key)} is there twice")
            seen.add(key)
        return {self._key(key): self.of(value) for key, value in node.value}

    def _key(self, node: Any) -> Any:
        if node.id != "scalar":
            raise _refused(node, "a key that is a list or a table")
        return self.of(node)

    def _text(self, node: Any) -> str:
        if _HALF.search(node.value):
            raise _refused(node, f"{shown(node.value)} contains half a character (a lone surrogate)")
        if "\0" in node.value:
            raise _refused(node, f"{shown(node.value)} contains a character that no path and no text has")
        return str(node.value)

    def _integer(self, node: Any) -> int:
        number = int(self._loader.construct_yaml_int(node))
        if not -_LARGEST <= number < _LARGEST:
            raise _refused(node, f"the number {_cut(node.value)} is too large")
        return number

    def _number(self, node: Any) -> float:
        number = float(self._loader.construct_yaml_float(node))
        if not math.isfinite(number):
            raise _refused(node, f"{_cut(node.value)} is not a finite number")
        return number


# ---------------------------------------------------------------- arrays


_NPY = re.compile(
    rb"\s*\{\s*'descr':\s*'([<>|=][a-zA-Z]\d{1,2})',\s*'fortran_order':\s*(True|False),"
    rb"\s*'shape':\s*\(([\dL,\s]{0,700})\),?\s*\}\s*"
)


def read_npy(
    path: Path, *, mmap: bool = False, dimensions: int | None = None, kinds: str = "f", hint: str = AGAIN
) -> np.ndarray:
    """Read a `.npy` file. Its header is compared with its size before memory is allocated.

    Args:
        path: The file.
        mmap: Keep the numbers on disk, read-only, and load pages when they are used.
        dimensions: Number of dimensions it must have. None allows any.
        kinds: Kinds of numbers it may have, as in `numpy.dtype.kind`: `f` floats, `i` whole numbers, `u` those without
            sign, `b` truth values.
        hint: What the user can do if it is damaged.

    Returns:
        The array in the order and type of the file.

    Raises:
        DataError: If there is no such file, it is not an array of this kind, or has another size than its header says.
    """
    import numpy as np

    if not path.is_file():
        raise DataError(f"There is no file {path}.", hint=hint)
    with path.open("rb") as stream:
        begin = stream.read(8)
        wide = begin[6:7] != b"\x01"
        length = int.from_bytes(stream.read(4 if wide else 2), "little")
        match = _NPY.fullmatch(stream.read(length)) if begin.startswith(b"\x93NUMPY") and length < 10_000 else None
        if match is None:
            raise DataError(f"{path} is not a .npy file of numbers, or is damaged.", hint=hint)
        try:
            dtype = np.dtype(match[1].decode())
        except TypeError:
            raise DataError(f"{path} has numbers of the unknown type {match[1].decode()}.", hint=hint) from None
        sizes = [each.strip().removesuffix(b"L") for each in match[3].split(b",") if each.strip()]
        if not all(each.isdigit() and len(each) <= 18 for each in sizes):
            raise DataError(f"{path} has a header with a shape that is none.", hint=hint)
        shape = tuple(map(int, sizes))
        if dtype.kind not in kinds or (dimensions is not None and len(shape) != dimensions):
            named = {"f": "floats", "i": "whole numbers", "u": "whole numbers", "b": "truth values"}
            wanted = " or ".join(dict.fromkeys(named[kind] for kind in kinds))
            form = {None: "an array", 1: "a list", 2: "a table"}.get(dimensions, f"{dimensions} dimensions")
            raise DataError(f"{path} has shape {list(shape)} and type {dtype}, expected {form} of {wanted}.", hint=hint)
        start, size = stream.tell(), path.stat().st_size
        expected = start + math.prod(shape) * dtype.itemsize
        if size != expected:
            raise DataError(f"{path} has {size:,} bytes, but its header says {expected:,}: it is damaged.", hint=hint)
        order: Literal["C", "F"] = "F" if match[2] == b"True" else "C"
        try:
            if not math.prod(shape):
                return np.empty(shape, dtype)
            if mmap:
                return np.memmap(path, dtype, mode="r", offset=start, shape=shape, order=order)
            return np.fromfile(stream, dtype).reshape(shape, order=order)
        except ValueError as error:  # more dimensions or rows than numpy takes
            raise DataError(f"{path} has shape {list(shape)} ({error}).", hint=hint) from None


@contextmanager
def spelled(path: Path) -> Iterator[Path]:
    """Yield a path of a file or folder that is UTF-8, as libraries in Rust and C++ need it; mostly the path itself."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        stream = os.open(path, os.O_RDONLY)  # on Linux only can there be such a path
        try:
            yield Path(f"/proc/self/fd/{stream}")
        finally:
            os.close(stream)
    else:
        yield path


@contextmanager
def opened_tensors(path: Path, framework: Literal["numpy", "pt"] = "numpy", *, hint: str = AGAIN) -> Iterator[Any]:
    """Open a safetensors file, as `read_tensors_of` reads it.

    Yields:
        The file as `safetensors.safe_open` returns it.

    Raises:
        DataError: If there is no such file, or the block finds it damaged or cut.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise DataError(f"There is no file {path}.", hint=hint)
    path.open("rb").close()  # where it must not be read, this says so better
    try:
        with spelled(path) as named, safe_open(named, framework=framework) as stream:
            yield stream
    except (SafetensorError, OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
        raise DataError(f"{path} is damaged ({_cut(' '.join(str(error).split()), 120)}).", hint=hint) from None


def read_tensors_of(
    path: Path, framework: Literal["numpy", "pt"] = "numpy", *, hint: str = AGAIN
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a safetensors file.

    Args:
        path: The file.
        framework: `numpy` or `pt` (PyTorch): what the tensors become.
        hint: What the user can do if it is damaged.

    Returns:
        Tensors by name, and the texts of its metadata by name.

    Raises:
        DataError: If there is no such file, or it is damaged or cut.
    """
    with opened_tensors(path, framework, hint=hint) as stream:
        return {name: stream.get_tensor(name) for name in stream.keys()}, dict(stream.metadata() or {})
