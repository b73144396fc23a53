"""Parameters of stages: a frozen dataclass from which options, pipeline keys and manifest entries are made."""

from __future__ import annotations

import math
import operator
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lexenc.errors import ConfigError, unknown_name

# Larger whole numbers overflow in libraries, some of which then end the process.
_LARGEST = (1 << 31) - 1


@dataclass(frozen=True)
class Rule:
    """Properties of a parameter besides its type and default; see `param`."""

    help: str
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    affects_result: bool = True
    check: Callable[[str, str], None] | None = None
    group: str = ""
    choices: Iterable[str] | None = None
    positional: bool = False
    none: str = ""


def param(  # noqa: PLR0913 - one for each property of a parameter
    default: Any,
    help: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    affects_result: bool = True,
    check: Callable[[str, str], None] | None = None,
    group: str = "",
    choices: Iterable[str] | None = None,
    positional: bool = False,
    none: str = "",
) -> Any:
    """Declare a parameter.

    Args:
        default: Default value.
        help: One sentence with unit and effect.
        ge: Smallest allowed value.
        gt: Value that it must exceed.
        le: Largest allowed value.
        affects_result: False for a parameter that changes speed or memory only, which is not part of the recipe.
        check: For text: called with the value and the name to show; raises ConfigError for a wrong value.
        group: Heading of the help under which it is listed. Empty for the default one.
        choices: For text or a tuple of texts: the allowed values, e.g. the names of a `Registry`.
        positional: For a tuple of texts: whether the command line takes them as arguments instead of an option.
        none: For an optional parameter: a word that means None, such as `auto`.
    """
    rule = Rule(help, ge, gt, le, affects_result, check, group, choices, positional, none)
    return field(default=default, metadata={"rule": rule})


def rule_of(one: Field[Any]) -> Rule:
    """Return the rule of a field."""
    rule: Rule = one.metadata["rule"]
    return rule


def shown_name(name: str) -> str:
    """Return the name that a user sees, without the underscore of fields such as `lambda_`."""
    return name.rstrip("_")


@cache
def parameters(kind: type) -> Mapping[str, tuple[Field[Any], Any]]:
    """Return the fields of a parameter dataclass with their types, by the name that a user sees.

    The type of a parameter with choices is a `Literal` of their names.
    """
    hints = get_type_hints(kind)  # slow, and used again and again while commands are built
    return MappingProxyType({shown_name(one.name): (one, _chosen(hints[one.name], one)) for one in fields(kind)})


def _chosen(hint: Any, one: Field[Any]) -> Any:
    choices = rule_of(one).choices
    if choices is None:
        return hint
    inner, optional = without_none(hint)
    named: Any = Literal.__getitem__(tuple(choices))
    named = types.GenericAlias(tuple, (named, ...)) if get_origin(inner) is tuple else named
    return named | None if optional else named


def choices_of(hint: Any) -> list[str]:
    """Return the allowed values of a parameter's type; an empty list where any value of the type is allowed."""
    inner, _ = without_none(hint)
    inner = get_args(inner)[0] if get_origin(inner) is tuple else inner
    return [str(each) for each in get_args(inner)] if get_origin(inner) is Literal else []


def help_of(one: Field[Any], hint: Any) -> str:
    """Return the help text of a parameter, with its choices unless the text explains each of them."""
    text, choices = rule_of(one).help, choices_of(hint)
    return text if all(f"{each}:" in text for each in choices) else f"{text} One of: {', '.join(choices)}."


def build(
    kind: type,
    given: Mapping[str, Any],
    *,
    owner: str,
    place: str = "",
    elsewhere: Callable[[str], str | None] = lambda name: None,
) -> tuple[Any, list[ConfigError]]:
    """Make a parameter object from values, and collect all errors.

    Args:
        kind: The dataclass.
        given: Values by name. `-` and `_` are the same.
        owner: The stage, for messages.
        place: Where the values stand, for messages. Empty on the command line.
        elsewhere: Returns a hint for the name of a parameter that belongs to another stage, else None.

    Returns:
        The object, with defaults in place of wrong values, and the errors.
    """
    known = parameters(kind)
    values: dict[str, Any] = {}
    faults: list[ConfigError] = []
    for name, value in given.items():
        key = str(name).replace("-", "_")
        if key not in known:
            fault = unknown_name(f"parameter of {owner}", str(name), known)
            fault.hint = elsewhere(key) or fault.hint
            if key.isdecimal():
                fault.hint = _pointed(given, name, fault.hint)
            faults.append(fault)
            continue
        one, hint = known[key]
        label = f"{place}{key}" if place else f"--{key.replace('_', '-')}"
        try:
            values[one.name] = _checked(value, hint, rule_of(one), label)
        except ConfigError as fault:
            faults.append(fault)
    return kind(**values), faults


def _pointed(given: Mapping[str, Any], name: Any, hint: str | None) -> str:
    """Return how to write a decimal whose fraction became a name, since YAML reads `{lambda: 0,3}` as two entries."""
    names = list(given)
    place = names.index(name)
    before = given[names[place - 1]] if place else None
    whole = before if isinstance(before, int) and not isinstance(before, bool) else 0
    point = _with_point(f"{whole},{name}")
    return point if given[name] is None else f"{point} {hint}"


def as_dict(params: Any, *, only_result: bool = False) -> dict[str, Any]:
    """Return the values by the names that a user sees, as plain lists, numbers and text.

    Args:
        params: A parameter object.
        only_result: Leave out what does not affect the result.
    """
    table: dict[str, Any] = {}
    for one in fields(params):
        if only_result and not rule_of(one).affects_result:
            continue
        value = getattr(params, one.name)
        table[shown_name(one.name)] = list(value) if isinstance(value, tuple) else value
    return table


def default_of(one: Field[Any]) -> Any:
    """Return the default of a field."""
    return None if one.default is MISSING else one.default


def without_none(hint: Any) -> tuple[Any, bool]:
    """Split an optional type into the type and whether None is allowed."""
    if get_origin(hint) in (Union, types.UnionType):
        rest = [each for each in get_args(hint) if each is not type(None)]
        return rest[0], len(rest) < len(get_args(hint))
    return hint, False


def _checked(value: Any, hint: Any, rule: Rule, label: str) -> Any:
    hint, optional = without_none(hint)
    if value is None or (rule.none and value == rule.none):
        if optional:
            return None
        raise ConfigError(f"{label} must have a value.", hint=rule.help)
    if get_origin(hint) is not tuple:
        return _one(value, hint, rule, label)
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    parts = parts if isinstance(parts, list | tuple) else [parts]
    inner = get_args(hint)[0]
    try:
        return tuple(_one(part, inner, rule, label) for part in parts if part != "")
    except ConfigError as fault:
        if inner is float and len(parts) > 1 and all(re.fullmatch(r"\d+", str(part)) for part in parts):
            point = _with_point(f"{parts[0]},{parts[1]}") if len(parts) == 2 else "Decimals use a point."
            fault.hint = f"{point} {fault.hint}"
        raise


def _one(value: Any, hint: Any, rule: Rule, label: str) -> Any:
    if get_origin(hint) is Literal:
        return checked_choice(value, get_args(hint), label)
    if hint is str:
        text = _text(value, label)
        if rule.check is not None:
            rule.check(text, label)
        return text
    if hint is bool:
        if isinstance(value, bool):
            return value
        raise ConfigError(f"{label} must be true or false, got {value!r}.", hint="Write true or false.")
    return _number(value, hint, rule, label)


def checked_choice(value: Any, choices: Iterable[Any], label: str) -> Any:
    """Return a value that is one of the choices.

    Args:
        value: The value as it was given.
        choices: The allowed values.
        label: Where the value stands, for messages, e.g. `--loss`.

    Raises:
        ConfigError: If it is not one of the choices.
    """
    if isinstance(value, bool):
        return _text(value, label)
    choices = [str(each) for each in choices]
    if value in choices:
        return value
    hint = unknown_name("choice", str(value), choices).hint or ""
    meant = f" {hint}" if hint.startswith("Did") else ""
    raise ConfigError(f"{label} cannot be '{value}'.", hint=f"Choose one of: {', '.join(choices)}.{meant}")


def _text(value: Any, label: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        word, words = ("yes", "yes, on or true") if value else ("no", "no, off or false")
        hint = f"YAML reads {words} as {str(value).lower()}. Write it in quotes: '{word}'."
        raise ConfigError(f"{label} must be text, got {value}.", hint=hint)
    raise ConfigError(f"{label} must be text, got {value!r}.", hint=f"Write it in quotes: '{value}'.")


def _without_comma(value: Any, hint: Any) -> str | None:
    """Return how to write a number without its comma: `0,3` with a point, and `10,000` as a whole number."""
    if not isinstance(value, str) or not re.fullmatch(r"[+-]?[\d,]*\d", value.strip()) or "," not in value:
        return None
    if hint is int:
        return f"Write it without commas: {value.strip().replace(',', '')}."
    return _with_point(value.strip()) if value.count(",") == 1 else None


def _with_point(number: str) -> str:
    return f"Decimals use a point: {number.replace(',', '.')}."


def _shown_number(number: float) -> str:
    if not isinstance(number, int):
        return f"{number:g}"
    return f"{number:,}" if abs(number) < 10**30 else f"a number of {len(str(abs(number)))} digits"


def _number(value: Any, hint: Any, rule: Rule, label: str) -> Any:
    kind = ("a whole number" if hint is int else "a number") + (f" or {rule.none}" if rule.none else "")
    try:
        # YAML 1.1 reads 2e-5 as text, although a number is meant.
        number = None if isinstance(value, bool) else hint(value)
    except (TypeError, ValueError, OverflowError):  # the last one for .inf as a whole number, or 400 digits
        number = None
    if number is None or (hint is int and isinstance(value, float) and not value.is_integer()):
        raise ConfigError(f"{label} must be {kind}, got {value!r}.", hint=_without_comma(value, hint) or rule.help)
    if hint is float and not math.isfinite(number):
        raise ConfigError(f"{label} must be a finite number, got {value!r}.", hint=rule.help)
    smallest, largest = (-_LARGEST, _LARGEST) if hint is int else (None, None)
    limits = (("at least", smallest if rule.minimum is None else rule.minimum, operator.lt),
              ("above", rule.above, operator.le),
              ("at most", largest if rule.maximum is None else rule.maximum, operator.gt))  # fmt: skip
    for words, limit, breaks in limits:
        if limit is not None and breaks(number, limit):
            shown = f"{words} {_shown_number(limit)}, got {_shown_number(number)}"
            raise ConfigError(f"{label} must be {shown}.", hint=rule.help)
    return number
