"""Charts as Vega-Lite specifications, drawn as SVG so that the page needs no script and no network.

Colours are variables of the page's style sheet, so that one drawing serves light mode, dark mode and print.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Any

import numpy as np

from lexenc.errors import WorkError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

WIDE, NARROW, HALF = 980, 350, 470
_SERIES = [f"var(--series-{number})" for number in range(1, 9)]
# Seven shapes and eight colours: 56 series differ in one or the other.
_SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right"]
_DASHES = [[1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4], [12, 2]]
_QUIET, _GRID, _PAPER = "var(--quiet)", "var(--grid)", "var(--paper)"
# Colours of a picture that stands alone: those of the page's style sheet in print.
_INK, _FONTS = "#000000", "Liberation Sans, Arial, Helvetica, sans-serif"
_PRINTED = {"paper": "#ffffff", "quiet": "#444444", "grid": "#cccccc", "box": "#eeeeee"} | {
    f"series-{number}": f"#{colour}"
    for number, colour in enumerate("0068a8 c65300 007d5c a8487f 6b5fb5 7a6a00 0090ad 8c3b2e".split(), start=1)
}
_VERSION = "6.1"
_ADDRESSES = 96 << 30  # with 64 GB it ends the process, with 96 GB it draws (measured)
_LEGEND_ROW = 18  # height of a row of a legend
LETTER = 7.2  # mean width of a letter at the size of labels

# Positions need two decimals only; texts and labels keep theirs.
_POSITIONS = re.compile(r' (?:d|transform|x2|y2)="[^"]*"')
_DIGITS = re.compile(r"(\d\.\d\d)\d+")
# Marks are clipped at the frame by names that count on from one drawing to the next.
_CLIPS = re.compile(r' clip-path="url\(#clip\d+\)"|<clipPath.*?</clipPath>', re.DOTALL)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})

# HTML and SVG cannot hold control characters or half of a surrogate pair.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

Spec = dict[str, Any]


def readable(text: object) -> str:
    """Return a text with characters replaced that a page cannot show."""
    return _UNPRINTABLE.sub("\ufffd", str(text))


def draw(spec: Spec, about: str) -> str:
    """Draw a specification.

    Returns:
        An SVG element without styles, scripts or identifiers that could clash with those of another.
    """
    import vl_convert

    _check_address_space()
    whole = _readable({"background": "transparent", "padding": 4, "config": _config(), **spec})
    text: str = vl_convert.vegalite_to_svg(whole, vl_version=_VERSION)
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    width, height = box.groups() if box else ("300", "150")
    body = _CLIPS.sub("", _POSITIONS.sub(lambda found: _DIGITS.sub(r"\1", found[0]), body))
    return (
        f'<svg role="graphics-document" aria-label="{readable(about).translate(_ENTITIES)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}">{body}'
    )


def draw_alone(spec: Spec, about: str) -> str:
    """Draw a specification as the SVG file of a picture on white paper, with colours and fonts of its own."""
    body = draw(spec, about).removeprefix("<svg ")
    for name, colour in _PRINTED.items():
        body = body.replace(f"var(--{name})", colour)
    body = body.replace("currentColor", _INK).replace('font-family="inherit"', f'font-family="{_FONTS}"')
    head, _, rest = body.partition(">")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" {head}>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{rest}\n'
    )


def _check_address_space() -> None:
    """Raise an error where the drawing engine could not reserve its addresses: it would end the process.

    Raises:
        WorkError: If the process may have too few.
    """
    if resource is None:
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most != resource.RLIM_INFINITY and most < _ADDRESSES:
        raise WorkError(
            f"Charts need {_ADDRESSES >> 30} GB of addresses, and this process may have {most >> 30} GB.",
            hint="Run it without the limit (ulimit -v unlimited). Little of it is used as memory.",
        )


def draw_both(spec: Callable[[int], Spec], about: str, wide: int = WIDE) -> dict[str, str]:
    """Draw the specification of a width for wide and for narrow pages."""
    return {form: draw(spec(width), about) for form, width in (("wide", wide), ("narrow", NARROW))}


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_readable(each) for each in value]
    return readable(value) if isinstance(value, str) else value


def _config() -> Spec:
    label = {"labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": 12, "titleFontSize": 12,
             "titleFontWeight": "normal"}  # fmt: skip
    axis = {"gridColor": _GRID, "domainColor": _QUIET, "tickColor": _QUIET, "tickSize": 4, "labelPadding": 4,
            "titlePadding": 8, "labelLimit": 0, "titleLimit": 0}  # fmt: skip
    legend = {"orient": "top", "title": None, "symbolStrokeWidth": 2, "symbolSize": 90, "labelLimit": 300,
              "columnPadding": 18, "rowPadding": 4, "offset": 12}  # fmt: skip
    return {
        "font": "inherit",
        "view": {"stroke": None},
        "axis": label | axis,
        "legend": label | legend,
        "text": {"fill": "currentColor", "fontSize": 12},
        "rule": {"color": "currentColor"},
        "line": {"strokeWidth": 2.2},
        "point": {"filled": True, "size": 70, "opacity": 1},
    }


def _series(names: Sequence[str], width: int, *, left: int = 0) -> tuple[Spec, Spec, Spec]:
    """Return colour, shape and dash by series, so that no reader depends on colour.

    Args:
        names: The series.
        width: Width of the legend.
        left: How far on the left of the frame it begins. A legend that begins at the frame and is wider widens the
            drawing, which a narrow page then shows smaller, with its letters.
    """
    columns = max(1, int(width // (6.2 * max(map(len, names), default=1) + 40)))
    legend: Spec = {"columns": columns, "symbolOpacity": 1}
    if left:
        legend |= {"orient": "none", "legendX": -left, "legendY": -_LEGEND_ROW * -(-len(names) // columns) - 10}
    colour, shape, dash = (
        {**_coded("series", names, [marks[i % len(marks)] for i in range(len(names))], legend), "sort": [*names]}
        for marks in (_SERIES, _SHAPES, _DASHES)
    )
    return colour, shape, dash


def _number(field: str, title: str | None, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, **more}


def _layer(kind: str, encoding: Spec, rows: Sequence[Spec] | None = None, **mark: Any) -> Spec:
    """Return a layer that screen readers skip, with data of its own if there are rows."""
    layer = {"mark": {"type": kind, "aria": False, **mark}, "encoding": encoding}
    return layer if rows is None else {"data": {"values": [*rows]}, **layer}


def _points(encoding: Spec, **mark: Any) -> Spec:
    """Return a layer of points that screen readers and the keyboard reach by their labels."""
    return {"mark": {"type": "point", **mark}, "encoding": {**encoding, "description": {"field": "label"}}}


def _chart(rows: Sequence[Spec], width: int, height: int, encoding: Spec, *layers: Spec) -> Spec:
    data = {"values": [*rows]}
    return {"data": data, "width": width, "height": height, "encoding": encoding, "layer": [*layers]}


def curve(rows: Sequence[Spec], names: Sequence[str], *, width: int, x: str, y: str) -> Spec:
    """Return a chart of lines with bands; rows have `series`, `x`, `y`, `low`, `high`, `label`."""
    colour, shape, dash = _series(names, width)
    axis = {"grid": False, "format": ",.4~r", "values": _ticks(rows, width - 70), "labelOverlap": False}
    up = _number("y", y, scale={"zero": False, "nice": True})
    return _chart(
        rows, width - 70, 320 if width > NARROW else 260, {"x": _number("x", x, axis=axis), "color": colour},
        _layer("area", {"y": {**up, "field": "low"}, "y2": {"field": "high"}}, opacity=0.13),
        _layer("line", {"y": up, "strokeDash": dash}),
        _points({"y": up, "shape": shape}),
    )  # fmt: skip


def _ticks(rows: Sequence[Spec], width: int) -> list[float]:
    """Return the values that have room for a label: both ends, then those between."""
    values = sorted({row["x"] for row in rows})
    scale = width / ((values[-1] - values[0]) or 1)
    chosen: list[float] = []
    for value in (values[0], values[-1], *values):
        room = LETTER * len(f"{value:.4g}") + 6
        if all(abs(value - other) * scale >= room for other in chosen):
            chosen.append(value)
    return sorted(chosen)


def intervals(rows: Sequence[Spec], names: Sequence[str], kinds: Sequence[str], *, width: int, x: str) -> Spec:
    """Return a chart of points with intervals in groups; rows have `series`, `kind`, `y`, `low`, `high`, `label`."""
    letters = 26 if width > NARROW else 15
    room = int(LETTER * min(letters, max(map(len, kinds), default=1))) + 24
    narrow = width <= NARROW
    colour, shape, _ = _series(names, width if narrow else width - room, left=room if narrow else 0)
    axis = {"title": None, "ticks": False, "domain": False, "labelLimit": room, "labelPadding": 8}
    down = {"field": "kind", "type": "ordinal", "sort": [*kinds], "axis": axis, "scale": {"paddingInner": 0.3}}
    along = _number("y", x, scale={"nice": True}, axis={"tickCount": 6})
    encoding = {"y": down, "yOffset": {"field": "series", "sort": [*names]}, "color": colour}
    return _chart(
        rows, width - room - 30, len(kinds) * (14 * len(names) + 14), encoding,
        _layer("rule", {"x": {**along, "field": "low"}, "x2": {"field": "high"}}, strokeWidth=2),
        _points({"x": along, "shape": shape}),
    )  # fmt: skip


def lines(rows: Sequence[Spec], names: Sequence[str], *, width: int, x: str, y: str, logarithmic: bool = False) -> Spec:
    """Return a line chart; rows have `series`, `x`, `y`, `line` (whether the line has them), `label` (for a point)."""
    colour, shape, dash = _series(names, width)
    # Lines are thin if points of means lie on top of them.
    noisy = any("label" in row and not row["line"] for row in rows)
    thin = {"strokeWidth": 1, "opacity": 0.5} if noisy else {"strokeWidth": 2}
    line = _layer("line", {} if noisy else {"strokeDash": dash}, **thin)
    across = _number("x", x, axis={"grid": False, "tickCount": 6})
    kind: Spec = {"type": "log"} if logarithmic else {"zero": False}
    up = _number("y", y, scale=kind, axis={"format": ",.4~r", **({"tickCount": 5} if logarithmic else {})})
    return _chart(
        rows, width - 70, 220, {"x": across, "y": up, "color": colour},
        {"transform": [{"filter": "datum.line"}], **line},
        {"transform": [{"filter": "isValid(datum.label)"}], **_points({"shape": shape})},
    )  # fmt: skip


def shares(rows: Sequence[Spec], *, width: int, x: str, y: str, diagonal: bool) -> Spec:
    """Return a chart of points between 0 and 1 on both axes; rows have `x`, `y`, `label`."""
    axes = {side: _number(side, title, scale={"domain": [0, 1]}) for side, title in (("x", x), ("y", y))}
    ends = [{"x": 0, "y": 0}, {"x": 1, "y": 1}] if diagonal else []
    return _chart(
        rows, width - 70, 260, axes,
        _layer("line", {}, ends, color=_QUIET, strokeDash=[4, 4], strokeWidth=1),
        _layer("line", {}, color=_SERIES[0]),
        _points({}, color=_SERIES[0]),
    )  # fmt: skip


_PADDING = 22  # between the points of a plane and its edge
_LABELLED = 14  # pairs of a plane that are named
_ANSWERED = ["answered correctly", "answered wrongly"]
_LANGUAGES = ["source word", "its translation"]


def plane(pairs: Sequence[tuple[str, str, bool]], places: np.ndarray, explained: Sequence[float]) -> Spec:
    """Return a chart of words of two languages, with a line from each word to its translation.

    Args:
        pairs: Word, translation, and whether the answer was correct.
        places: Positions of the words and of the translations. Shape [2, n, 2].
        explained: Share of the variance along both axes.
    """
    rows: list[Spec] = []
    for place, (word, translation, right) in enumerate(pairs):
        label = f"{word} → {translation}, {'correct' if right else 'wrong'}"
        own = {"label": label, "answer": _ANSWERED[0 if right else 1], "pair": place}
        for language, text, (x, y) in zip(_LANGUAGES, (word, translation), places[:, place], strict=True):
            rows.append({**own, "language": language, "word": text, "x": round(float(x), 4), "y": round(float(y), 4)})
    axis = {"labels": False, "ticks": False, "grid": False, "domain": False}
    scale = {"zero": False, "nice": False, "padding": _PADDING}
    titles = {"x": "first component, {:.1f} % of the variance", "y": "second component, {:.1f} %"}
    encoding = {
        side: _number(side, title.format(100 * share), axis=axis, scale=scale)
        for (side, title), share in zip(titles.items(), explained, strict=True)
    }
    above, below = {"columns": 2}, {"columns": 2, "orient": "bottom", "offset": 4, "symbolType": "stroke"}
    line = {
        "detail": {"field": "pair"},
        "description": {"field": "label"},
        "stroke": _coded("answer", _ANSWERED, [_QUIET, _SERIES[1]], below),
        "strokeDash": _coded("answer", _ANSWERED, [[1, 0], [4, 3]], below),
    }
    point = {
        "fill": _coded("language", _LANGUAGES, [_SERIES[0], _SERIES[2]], above),
        "shape": _coded("language", _LANGUAGES, ["circle", "square"], above),
    }
    named: Spec = {"encoding": {"text": {"field": "word"}}, "rows": _labels(rows), "dy": -9, "fontSize": 11.5}
    return _chart(
        rows, HALF - 30, HALF - 90, encoding,
        {"mark": {"type": "line", "strokeWidth": 1, "opacity": 0.6}, "encoding": line},
        _points(point, size=44, stroke=_PAPER, strokeWidth=0.7),
        _layer("text", **named, stroke=_PAPER, strokeWidth=3.5),
        _layer("text", **named),
    )  # fmt: skip


_SIDE, _BETWEEN = 400, 46  # panels of scatter: their side, and the space between two


def scatter(rows: Sequence[Spec], languages: Sequence[str], titles: Sequence[str] = ("", "")) -> Spec:
    """Return a square chart of texts by language, equally scaled along both axes.

    Args:
        rows: Texts with `x`, `y`, `language`, `label`, and `mark`: the group of texts that are marked and joined by
            lines, or empty; and `name`, which is written beside a marked one, or empty.
        languages: The languages in the order of the legend.
        titles: Titles of both axes.
    """
    places = np.array([(row["x"], row["y"]) for row in rows])
    low, high = places.min(axis=0), places.max(axis=0)
    half = max(float((high - low).max()) / 2, 1e-9) * (1 + 2 * _PADDING / _SIDE)
    axis = {"labels": False, "ticks": False, "grid": False, "domain": False}
    encoding = {
        side: _number(side, title or None, axis=axis, scale={"domain": [middle - half, middle + half], "nice": False})
        for side, title, middle in zip("xy", titles, ((low + high) / 2).tolist(), strict=True)
    }
    legend = {"columns": 4, "symbolOpacity": 1, "symbolStrokeWidth": 0}
    point = {
        channel: _coded("language", languages, [marks[i % len(marks)] for i in range(len(languages))], legend)
        for channel, marks in (("fill", _SERIES), ("shape", _SHAPES))
    }
    marked = [row for row in rows if row["mark"]]
    # In mixed order, as the language that is drawn last would cover the others.
    mixed = [rows[place] for place in np.random.default_rng(0).permutation(len(rows)).tolist()]
    joined = {"detail": {"field": "mark"}, "order": {"field": "order"}}
    # Every other language has its names on the left, since translations may lie on each other.
    names: list[Spec] = [
        {"encoding": {"text": {"field": "name"}}, "dx": dx, "align": align, "fontWeight": 600,
         "rows": [row for row in marked if languages.index(row["language"]) % 2 == odd]}
        for odd, (dx, align) in enumerate(((8, "left"), (-8, "right")))
    ]  # fmt: skip
    return {
        "view": {"stroke": _GRID},
        **_chart(
            [row for row in mixed if not row["mark"]], _SIDE, _SIDE, encoding,
            _points(point, size=30, opacity=0.8, stroke=_PAPER, strokeWidth=0.5),
            _layer("line", joined, marked, strokeWidth=1.5, color="currentColor"),
            {"data": {"values": marked}, **_points(point, size=110, stroke="currentColor", strokeWidth=1.6)},
            *(_layer("text", **name, stroke=_PAPER, strokeWidth=3.5) for name in names),
            *(_layer("text", **name) for name in names),
        ),
    }  # fmt: skip


def panels(scatters: Sequence[Spec], titles: Sequence[Sequence[str]], note: Sequence[str]) -> Spec:
    """Return charts of `scatter` side by side, two in a row, with one legend.

    Args:
        scatters: The charts.
        titles: The title of each, and lines below it.
        note: What is written below the picture.
    """
    width = _SIDE if len(scatters) == 1 else 2 * _SIDE + _BETWEEN
    below = [line for text in note for line in wrap(text, int(width / 6.4))]
    heads = [
        {"text": first, "subtitle": [*more], "anchor": "start", "frame": "group", "offset": 8, "color": "currentColor",
         "fontSize": 14, "subtitleFontSize": 12, "subtitleColor": _QUIET}
        for first, *more in titles
    ]  # fmt: skip
    shown = [{"title": head, **each} for head, each in zip(heads, scatters, strict=True)]
    lines = {"type": "text", "aria": False, "align": "left", "baseline": "top", "lineHeight": 17, "color": _QUIET,
             "x": 0, "y": 0, "text": below}  # fmt: skip
    caption = {"data": {"values": [{}]}, "mark": lines, "width": _SIDE, "height": 17 * len(below)}
    grid = {"concat": shown, "columns": 2, "spacing": _BETWEEN}
    shared = {"scale": {"fill": "shared", "shape": "shared"}, "legend": {"fill": "shared", "shape": "shared"}}
    return {"vconcat": [{**grid, "resolve": shared}, caption], "spacing": 16, "resolve": shared}


def bars(rows: Sequence[Spec], names: Sequence[str], *, width: int, x: str) -> Spec:
    """Return a chart of horizontal bars; rows have `name`, `x` from 0 to 1, `text` (written at its end), `label`.

    Args:
        rows: The bars.
        names: Their names from top to bottom.
        width: Width of the page.
        x: Title of the axis.
    """
    room = int(LETTER * min(15 if width <= NARROW else 30, max(map(len, names), default=1))) + 24
    axis = {"title": None, "ticks": False, "domain": False, "labelLimit": room, "labelPadding": 8}
    down = {"field": "name", "type": "ordinal", "sort": [*names], "axis": axis, "scale": {"paddingInner": 0.35}}
    along = _number("x", x, scale={"domain": [0, 1]}, axis={"format": ".0%", "tickCount": 5})
    return _chart(
        rows, width - room - 64, 30 * len(names) + 10, {"y": down, "x": along},
        {"mark": {"type": "bar", "color": _SERIES[0], "cornerRadiusEnd": 2},
         "encoding": {"description": {"field": "label"}}},
        _layer("text", {"text": {"field": "text"}}, align="left", dx=6),
    )  # fmt: skip


def neighbourhood(
    rows: Sequence[Spec], spokes: Sequence[tuple[int, int]], languages: Sequence[str], titles: Sequence[str]
) -> Spec:
    """Return a square chart of the senses of a word and of the words nearest to each, equally scaled along both axes.

    Args:
        rows: Senses and words with `x`, `y`, `language`, `name` (written beside it if there is room), `label`, and
            `sense`: whether it is one. Senses come first.
        spokes: Rows of a sense and of a word that is near it, which a line joins.
        languages: The languages in the order of the legend.
        titles: Titles of both axes.
    """
    places = np.array([(row["x"], row["y"]) for row in rows])
    low, high = places.min(axis=0), places.max(axis=0)
    half = max(float((high - low).max()) / 2, 1e-9) * (1 + 6 * _PADDING / _SIDE)
    middle = (low + high) / 2
    axis = {"labels": False, "ticks": False, "grid": False, "domain": False}
    encoding = {
        side: _number(side, title or None, axis=axis, scale={"domain": [centre - half, centre + half], "nice": False})
        for side, title, centre in zip("xy", titles, middle.tolist(), strict=True)
    }
    legend = {"columns": 4, "symbolOpacity": 1, "symbolStrokeWidth": 0}
    point = {
        channel: _coded("language", languages, [marks[i % len(marks)] for i in range(len(languages))], legend)
        for channel, marks in (("fill", _SERIES), ("shape", _SHAPES))
    }
    lines = [
        {"spoke": number, "x": rows[place]["x"], "y": rows[place]["y"]}
        for number, both in enumerate(spokes)
        for place in both
    ]
    pixels = (places - middle) / half * _SIDE / 2 + _SIDE / 2
    halos: list[Spec] = [{"stroke": _PAPER, "strokeWidth": 3.5}, {}]
    names: list[Spec] = [
        {"encoding": {"text": {"field": "name"}}, "rows": own, **_ASIDE[side],
         **({"fontSize": 13, "fontWeight": 700} if own[0]["sense"] else {"fontSize": 11.5})}
        for side, own in _with_room(rows, pixels).items() if own
    ]  # fmt: skip
    return {
        "view": {"stroke": _GRID},
        **_chart(
            [row for row in rows if not row["sense"]], _SIDE, _SIDE, encoding,
            _layer("line", {"detail": {"field": "spoke"}}, lines, strokeWidth=1, color=_QUIET, opacity=0.35),
            _points(point, size=42, opacity=0.9, stroke=_PAPER, strokeWidth=0.6),
            {"data": {"values": [row for row in rows if row["sense"]]},
             **_points(point, size=190, stroke="currentColor", strokeWidth=1.8)},
            *(_layer("text", **name, **halo) for name in names for halo in halos),
        ),
    }  # fmt: skip


# Where a name may be beside its point, the best place first; the last four are those of senses, which are larger.
_ASIDE: dict[str, Spec] = {
    "above": {"dy": -10},
    "right": {"dx": 7, "align": "left"},
    "left": {"dx": -7, "align": "right"},
    "below": {"dy": 11},
    "above sense": {"dy": -16},
    "right sense": {"dx": 12, "align": "left"},
    "left sense": {"dx": -12, "align": "right"},
    "below sense": {"dy": 17},
}


def _with_room(rows: Sequence[Spec], pixels: np.ndarray) -> dict[str, list[Spec]]:
    """Return the rows whose names do not overlap, by where they are; the first ones have precedence.

    Senses always have a name, which is above them if there is room nowhere.
    """
    reach = [9 if row["sense"] else 4 for row in rows]
    points = [(x - own, y - own, x + own, y + own) for own, (x, y) in zip(reach, pixels.tolist(), strict=True)]
    taken: list[tuple[float, float, float, float]] = []
    chosen: dict[str, list[Spec]] = {side: [] for side in _ASIDE}
    for number, (row, (x, y)) in enumerate(zip(rows, pixels.tolist(), strict=True)):
        size, high = LETTER * len(row["name"]) * (1.3 if row["sense"] else 0.95) + 4, 13
        away, lift = (11, 9) if row["sense"] else (6, 4)
        boxes = {
            "above": (x - size / 2, y + lift, x + size / 2, y + lift + high),
            "right": (x + away, y - high / 2, x + away + size, y + high / 2),
            "left": (x - away - size, y - high / 2, x - away, y + high / 2),
            "below": (x - size / 2, y - lift - high, x + size / 2, y - lift),
        }
        if row["sense"]:
            boxes = {f"{side} sense": box for side, box in boxes.items()}
        others = [*taken, *points[:number], *points[number + 1 :]]
        free = [
            side
            for side, box in boxes.items()
            if (row["sense"] or (box[0] >= 0 and box[2] <= _SIDE and box[1] >= 0 and box[3] <= _SIDE))
            and not any(_overlap(box, other) for other in others)
        ]
        side = free[0] if free else "above sense" if row["sense"] else ""
        if row["name"] and side:
            taken.append(boxes[side])
            chosen[side].append(row)
    return chosen


def _coded(name: str, domain: Sequence[str], marks: Sequence[Any], legend: Spec | None) -> Spec:
    scale = {"domain": [*domain], "range": [*marks]}
    return {"field": name, "type": "nominal", "scale": scale, "legend": legend}


def _labels(rows: Sequence[Spec]) -> list[Spec]:
    """Return the words whose labels do not overlap, in whole pairs; the outermost pairs come first."""
    points = np.array([(row["x"], row["y"]) for row in rows])
    low, size = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    view = np.array([HALF - 30, HALF - 90])
    pixels = _PADDING + (points - low) / size * (view - 2 * _PADDING)
    distance = np.linalg.norm(points - points.mean(axis=0), axis=1)
    pairs = sorted(range(0, len(rows), 2), key=lambda place: -max(distance[place], distance[place + 1]))
    taken: list[tuple[float, float, float, float]] = []
    chosen: list[Spec] = []
    for place in pairs:
        if len(chosen) >= 2 * _LABELLED:
            break
        both = rows[place : place + 2]
        halves = [LETTER * len(row["word"]) / 2 + 3 for row in both]
        boxes = [
            (x - half, y, x + half, y + 19)
            for half, (x, y) in zip(halves, pixels[place : place + 2].tolist(), strict=True)
        ]
        # A label that leaves the plane would overlap the title of an axis, or be cut.
        inside = all(box[0] >= 0 and box[2] <= view[0] for box in boxes)
        if inside and not any(_overlap(one, other) for one in boxes for other in taken) and not _overlap(*boxes):
            taken += boxes
            chosen += both
    return chosen


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


_NODE, _GAP, _ROW = 164, 38, 54  # boxes of a pipeline: width, space between columns, height with space


def pipeline(nodes: Sequence[Spec], edges: Sequence[tuple[str, str]]) -> Spec:
    """Return a drawing of boxes in columns, with a line from each input to its result.

    Nodes have `id`, `name`, `what`, `column`, `kind` (`raw`, `made` or `pending`), `label`; edges join their ids.
    """
    places = _places(nodes, edges)
    boxes = []
    for node in nodes:
        x, y = places[node["id"]]
        lines = {"middle": x + 10, "line1": y + 14, "line2": y + 29}
        texts = {"first": _short(node["name"]), "second": _short(node["what"], 26)}
        boxes.append({**node, "x": x, "x2": x + _NODE, "y": y, "y2": y + 40, **lines, **texts})
    curves = [
        {"edge": number, "step": step, "x": x, "y": y}
        for number, (start, end) in enumerate(edges)
        for step, (x, y) in enumerate(_bend(places[start], places[end]))
    ]
    width, height = (max(box[side] for box in boxes) + 4 for side in ("x2", "y2"))
    scale = {side: {"type": "quantitative", "axis": None, "scale": {"domain": domain, "nice": False, "zero": False}}
             for side, domain in (("x", [0, width]), ("y", [height, 0]))}  # fmt: skip

    def at(x: str, y: str) -> Spec:
        return {"x": {**scale["x"], "field": x}, "y": {**scale["y"], "field": y}}

    def text(line: str, field: str, **mark: Any) -> Spec:
        return _layer("text", {**at("middle", line), "text": {"field": field}}, align="left", **mark)

    kinds = ["raw", "made", "pending"]
    box = {
        **at("x", "y"),
        "x2": {"field": "x2"},
        "y2": {"field": "y2"},
        "description": {"field": "label"},
        "fill": _coded("kind", kinds, [_PAPER, "var(--box)", _PAPER], None),
        "stroke": _coded("kind", kinds, [_GRID, "var(--series-1)", "var(--series-2)"], None),
        "strokeDash": _coded("kind", kinds, [[1, 0], [1, 0], [4, 3]], None),
    }
    line = {**at("x", "y"), "detail": {"field": "edge"}, "order": {"field": "step"}}
    return _chart(
        boxes, width, height, {},
        _layer("line", line, curves, interpolate="basis", strokeWidth=1.3, color=_QUIET, opacity=0.55),
        {"mark": {"type": "rect", "cornerRadius": 6, "strokeWidth": 1.3}, "encoding": box},
        text("line1", "first", fontSize=12.5, fontWeight=600),
        text("line2", "second", fontSize=11, opacity=0.75),
    )  # fmt: skip


def _short(text: str, letters: int = 18) -> str:
    """Shorten a text in the middle, since names often differ at their ends."""
    return text if len(text) <= letters else f"{text[: letters // 2]}…{text[-(letters - letters // 2 - 1) :]}"


def _places(nodes: Sequence[Spec], edges: Sequence[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Return positions in columns; within a column, nodes are sorted by the mean height of their inputs."""
    before: dict[str, list[str]] = {}
    for start, end in edges:
        before.setdefault(end, []).append(start)
    columns: dict[int, list[str]] = {}
    for node in nodes:
        columns.setdefault(node["column"], []).append(node["id"])
    tallest = max(map(len, columns.values()))
    places: dict[str, tuple[float, float]] = {}

    def height(name: str) -> float:
        known = [places[each][1] for each in before.get(name, []) if each in places]
        return float(np.mean(known)) if known else 0.0

    for column in sorted(columns):
        names = sorted(columns[column], key=height) if column else columns[column]
        top = (tallest - len(names)) * _ROW / 2
        places |= {name: (2 + column * (_NODE + _GAP), 2 + top + row * _ROW) for row, name in enumerate(names)}
    return places


def _bend(start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    left, right = (start[0] + _NODE, start[1] + 20), (end[0], end[1] + 20)
    middle = right[0] - _GAP / 2
    near = left[0] + _GAP / 2
    return [left, left, (near, left[1]), (middle, right[1]), right, right]
