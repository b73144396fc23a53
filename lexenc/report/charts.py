"""Charts as Vega-Lite specifications, drawn into SVG here: the page shows them without any script or network.

Colours are variables of the page's style sheet: one drawing serves light, dark and paper.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lexenc.report.parts import readable
from lexenc.report.planes import Plane

WIDE, NARROW, HALF = 980, 350, 470
_SERIES = [f"var(--series-{number})" for number in range(1, 7)]
_SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]
_DASHES = [[1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4], [12, 2]]
_QUIET, _GRID, _PAPER = "var(--quiet)", "var(--grid)", "var(--paper)"
_VERSION = "6.1"
_LETTER = 7.2  # mean width of a letter at the size of labels
_PADDING = 22  # between the points of a plane and its edge
_LABELLED = 14  # pairs of a plane that are named

# Of places, two digits after the point are more than a screen can show; texts and labels stay as they are.
_PLACES = re.compile(r' (?:d|transform|x2|y2)="[^"]*"')
_DIGITS = re.compile(r"(\d\.\d\d)\d+")

Spec = dict[str, Any]


def draw(spec: Spec, about: str) -> str:
    """Draw a specification.

    Args:
        spec: Vega-Lite, with its data in it.
        about: What the chart shows, for those who cannot see it.

    Returns:
        An SVG element without styles, scripts or names that could clash with those of another.
    """
    import vl_convert

    whole = _readable({"background": "transparent", "padding": 4, "config": _config(), **spec})
    text: str = vl_convert.vegalite_to_svg(whole, vl_version=_VERSION)
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    size = box.groups() if box else ("300", "150")
    label = _escaped(readable(about))
    body = _PLACES.sub(lambda found: _DIGITS.sub(r"\1", found[0]), body)
    return (
        f'<svg role="graphics-document" aria-label="{label}" width="{size[0]}" height="{size[1]}" '
        f'viewBox="0 0 {size[0]} {size[1]}">{body}'
    )


def _readable(value: Any) -> Any:
    """Make every text of a specification one that SVG can hold."""
    if isinstance(value, dict):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_readable(each) for each in value]
    return readable(value) if isinstance(value, str) else value


def _escaped(text: str) -> str:
    for mark, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(mark, name)
    return text


def _config() -> Spec:
    label = {"labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": 12, "titleFontSize": 12,
             "titleFontWeight": "normal"}  # fmt: skip
    return {
        "font": "inherit",
        "view": {"stroke": None},
        "axis": {
            **label,
            "gridColor": _GRID,
            "domainColor": _QUIET,
            "tickColor": _QUIET,
            "tickSize": 4,
            "labelPadding": 4,
            "titlePadding": 8,
            "labelLimit": 0,
            "titleLimit": 0,
        },
        "legend": {
            **label,
            "orient": "top",
            "title": None,
            "symbolStrokeWidth": 2,
            "symbolSize": 90,
            "labelLimit": 300,
            "columnPadding": 18,
            "rowPadding": 4,
            "offset": 12,
        },
        "text": {"fill": "currentColor", "fontSize": 12},
        "rule": {"color": "currentColor"},
        "line": {"strokeWidth": 2.2},
        "point": {"filled": True, "size": 70, "opacity": 1},
    }


def _series(names: Sequence[str], width: int) -> tuple[Spec, Spec, Spec]:
    """Tell series apart by colour, shape and dash, so that no reader depends on colour."""
    columns = max(1, int(width // (6.2 * max(map(len, names), default=1) + 40)))
    legend = {"columns": columns, "symbolOpacity": 1}
    kept = [*names]
    return tuple(
        {"field": "series", "type": "nominal", "sort": kept, "legend": legend,
         "scale": {"domain": kept, "range": [marks[i % len(marks)] for i in range(len(kept))]}}
        for marks in (_SERIES, _SHAPES, _DASHES)
    )  # type: ignore[return-value] # fmt: skip


def _values(rows: Sequence[Spec]) -> Spec:
    return {"values": [*rows]}


# ---------------------------------------------------------------- scores


def curve(rows: Sequence[Spec], names: Sequence[str], *, width: int, x: str, y: str) -> Spec:
    """Lines with bands of their intervals.

    Args:
        rows: `series`, `x`, `y`, `low`, `high`, `label`.
        names: The series in order.
        width: In pixels.
        x: Title of the horizontal axis.
        y: Title of the vertical axis.
    """
    colour, shape, dash = _series(names, width)
    axis = {"grid": False, "format": ",.4~r", "values": _ticks(rows, width - 70), "labelOverlap": False}
    across = {"field": "x", "type": "quantitative", "title": x, "axis": axis}
    up = {"field": "y", "type": "quantitative", "title": y, "scale": {"zero": False, "nice": True}}
    return {
        "data": _values(rows),
        "width": width - 70,
        "height": 320 if width > NARROW else 260,
        "encoding": {"x": across, "color": colour},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.13, "aria": False},
                "encoding": {"y": {**up, "field": "low"}, "y2": {"field": "high"}},
            },
            {"mark": {"type": "line", "aria": False}, "encoding": {"y": up, "strokeDash": dash}},
            {"mark": {"type": "point"}, "encoding": {"y": up, "shape": shape, "description": {"field": "label"}}},
        ],
    }


def _ticks(rows: Sequence[Spec], width: int) -> list[float]:
    """Choose values whose figures have room: the best one, the ends, then whatever fits between them."""
    values = sorted({row["x"] for row in rows})
    best = max(rows, key=lambda row: row["y"])["x"]
    scale = width / ((values[-1] - values[0]) or 1)
    chosen: list[float] = []
    for value in (best, values[0], values[-1], *values):
        room = _LETTER * len(f"{value:.4g}") + 6
        if all(abs(value - other) * scale >= room for other in chosen):
            chosen.append(value)
    return sorted(chosen)


def groups(rows: Sequence[Spec], names: Sequence[str], kinds: Sequence[str], *, width: int, y: str) -> Spec:
    """Points with intervals, side by side within each group.

    Args:
        rows: `series`, `kind`, `y`, `low`, `high`, `label`; lines of a kind's name are parted by `|`.
        names: The series in order.
        kinds: The groups in order.
        width: In pixels.
        y: Title of the vertical axis.
    """
    colour, shape, _ = _series(names, width)
    axis = {"labelExpr": "split(datum.label, '|')", "labelAngle": 0, "labelPadding": 10, "title": None, "ticks": False,
            "grid": False, "labelFontSize": 12 if width > NARROW else 10}  # fmt: skip
    across = {"field": "kind", "type": "ordinal", "sort": [*kinds], "axis": axis, "scale": {"paddingInner": 0.35}}
    up: Spec = {"field": "y", "type": "quantitative", "title": y, "scale": {"domainMin": 0, "nice": True}}
    if 96 < max((row["y"] for row in rows), default=0) <= 100:
        # Marks of 100 need room above their middle.
        up |= {"scale": {"domain": [0, 104], "nice": False}, "axis": {"values": [*range(0, 101, 20)]}}
    return {
        "data": _values(rows),
        "width": width - 70,
        "height": 260,
        "encoding": {"x": across, "xOffset": {"field": "series", "sort": [*names]}, "color": colour},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2, "aria": False},
                "encoding": {"y": {**up, "field": "low"}, "y2": {"field": "high"}},
            },
            {"mark": {"type": "point"}, "encoding": {"y": up, "shape": shape, "description": {"field": "label"}}},
        ],
    }


def intervals(rows: Sequence[Spec], names: Sequence[str], kinds: Sequence[str], *, width: int, x: str) -> Spec:
    """Points with intervals along lines, one group below the other: names of any length have room, on narrow pages too.

    Args:
        rows: `series`, `kind`, `y`, `low`, `high`, `label`.
        names: The series in order.
        kinds: The groups in order.
        width: In pixels.
        x: Title of the horizontal axis.
    """
    colour, shape, _ = _series(names, width)
    letters = 26 if width > NARROW else 15
    room = int(_LETTER * min(letters, max(map(len, kinds), default=1))) + 24
    axis = {"title": None, "ticks": False, "domain": False, "labelLimit": room, "labelPadding": 8}
    down = {"field": "kind", "type": "ordinal", "sort": [*kinds], "axis": axis, "scale": {"paddingInner": 0.3}}
    along = {"field": "y", "type": "quantitative", "title": x, "scale": {"nice": True}, "axis": {"tickCount": 6}}
    return {
        "data": _values(rows),
        "width": width - room - 30,
        "height": len(kinds) * (14 * len(names) + 14),
        "encoding": {"y": down, "yOffset": {"field": "series", "sort": [*names]}, "color": colour},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2, "aria": False},
                "encoding": {"x": {**along, "field": "low"}, "x2": {"field": "high"}},
            },
            {"mark": {"type": "point"}, "encoding": {"x": along, "shape": shape, "description": {"field": "label"}}},
        ],
    }


# ---------------------------------------------------------------- learning


def lines(rows: Sequence[Spec], names: Sequence[str], *, width: int, x: str, y: str) -> Spec:
    """Plain lines, thin where there are points that say the same with less noise.

    Args:
        rows: `series`, `x`, `y`, and `label` for what is a point; `line` where it belongs to the line.
        names: The series in order.
        width: In pixels.
        x: Title of the horizontal axis.
        y: Title of the vertical axis.
    """
    colour, shape, dash = _series(names, width)
    across = {"field": "x", "type": "quantitative", "title": x, "axis": {"grid": False, "tickCount": 6}}
    up = {"field": "y", "type": "quantitative", "title": y, "scale": {"zero": False}, "axis": {"format": ",.4~r"}}
    noisy = any("label" in row and not row["line"] for row in rows)
    drawn: Spec = {"type": "line", "aria": False, "strokeWidth": 1 if noisy else 2, "opacity": 0.5 if noisy else 1}
    return {
        "data": _values(rows),
        "width": width - 70,
        "height": 220,
        "encoding": {"x": across, "y": up, "color": colour},
        "layer": [
            {
                "transform": [{"filter": "datum.line"}],
                "mark": drawn,
                "encoding": {} if noisy else {"strokeDash": dash},
            },
            {
                "transform": [{"filter": "isValid(datum.label)"}],
                "mark": {"type": "point"},
                "encoding": {"shape": shape, "description": {"field": "label"}},
            },
        ],
    }


def shares(rows: Sequence[Spec], *, width: int, x: str, y: str, diagonal: bool) -> Spec:
    """Points between 0 and 1 on both axes, with a line through them.

    Args:
        rows: `x`, `y`, `label`, both in [0, 1].
        width: In pixels.
        x: Title of the horizontal axis.
        y: Title of the vertical axis.
        diagonal: Whether both should agree.
    """
    axes = {
        side: {"field": side, "type": "quantitative", "title": title, "scale": {"domain": [0, 1]}}
        for side, title in (("x", x), ("y", y))
    }
    ends = [{"x": 0, "y": 0}, {"x": 1, "y": 1}] if diagonal else []
    return {
        "width": width - 70,
        "height": 260,
        "encoding": axes,
        "layer": [
            {
                "data": {"values": ends},
                "mark": {"type": "line", "color": _QUIET, "strokeDash": [4, 4], "strokeWidth": 1, "aria": False},
            },
            {"data": _values(rows), "mark": {"type": "line", "color": _SERIES[0], "aria": False}},
            {
                "data": _values(rows),
                "mark": {"type": "point", "color": _SERIES[0]},
                "encoding": {"description": {"field": "label"}},
            },
        ],
    }


# ---------------------------------------------------------------- planes


def plane(shown: Plane, *, width: int = HALF, languages: tuple[str, str] = ("source", "target")) -> Spec:
    """Words of both languages, with a line from every word to its translation.

    Args:
        shown: The projection.
        width: In pixels.
        languages: What the legend calls the two.
    """
    rows: list[Spec] = []
    for place, pair in enumerate(shown.pairs):
        label = f"{pair.source} → {pair.target}, {'right' if pair.right else 'wrong'}"
        own = {"label": label, "answer": "answered rightly" if pair.right else "answered wrongly"}
        for language, (x, y) in zip(languages, (shown.source[place], shown.target[place]), strict=True):
            rows.append({**own, "pair": place, "language": language, "x": round(float(x), 4), "y": round(float(y), 4)})
    axis = {"labels": False, "ticks": False, "grid": False, "domain": False}
    encoding = {
        side: {
            "field": side,
            "type": "quantitative",
            "axis": {**axis, "title": title},
            "scale": {"zero": False, "nice": False, "padding": _PADDING},
        }
        for side, title in (
            ("x", f"first component, {100 * shown.explained[0]:.1f} % of the variance"),
            ("y", f"second component, {100 * shown.explained[1]:.1f} %"),
        )
    }
    answered = ["answered rightly", "answered wrongly"]
    above, below = {"columns": 2}, {"columns": 2, "orient": "bottom", "offset": 4, "symbolType": "stroke"}
    words = _values(_labels(rows, width))
    named: Spec = {"type": "text", "dy": -9, "fontSize": 11.5, "aria": False}
    return {
        "data": _values(rows),
        "width": width - 30,
        "height": width - 90,
        "encoding": encoding,
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.6},
                "encoding": {
                    "detail": {"field": "pair"},
                    "description": {"field": "label"},
                    "stroke": _coded("answer", answered, [_QUIET, _SERIES[1]], below),
                    "strokeDash": _coded("answer", answered, [[1, 0], [4, 3]], below),
                },
            },
            {
                "mark": {"type": "point", "size": 44, "stroke": _PAPER, "strokeWidth": 0.7},
                "encoding": {
                    "fill": _coded("language", [*languages], [_SERIES[0], _SERIES[2]], above),
                    "shape": _coded("language", [*languages], ["circle", "square"], above),
                    "description": {"field": "label"},
                },
            },
            {
                "data": words,
                "mark": {**named, "stroke": _PAPER, "strokeWidth": 3.5},
                "encoding": {"text": {"field": "word"}},
            },
            {"data": words, "mark": named, "encoding": {"text": {"field": "word"}}},
        ],
    }


def _coded(name: str, domain: Sequence[str], marks: Sequence[Any], legend: Spec) -> Spec:
    scale = {"domain": [*domain], "range": [*marks]}
    return {"field": name, "type": "nominal", "scale": scale, "legend": legend}


def _labels(rows: Sequence[Spec], width: int) -> list[Spec]:
    """Choose words whose labels do not touch, both words of a pair or none; the outermost pairs first."""
    points = np.array([(row["x"], row["y"]) for row in rows])
    low, size = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    view = np.array([width - 30, width - 90])
    pixels = _PADDING + (points - low) / size * (view - 2 * _PADDING)
    distance = np.linalg.norm(points - points.mean(axis=0), axis=1)
    pairs = sorted(range(0, len(rows), 2), key=lambda place: -max(distance[place], distance[place + 1]))
    taken: list[tuple[float, float, float, float]] = []
    chosen: list[Spec] = []
    for place in pairs:
        names = [part.strip() for part in rows[place]["label"].rsplit(",", 1)[0].split(" → ", 1)]
        boxes = [_box(float(pixels[place + side, 0]), float(pixels[place + side, 1]), names[side]) for side in (0, 1)]
        if len(chosen) >= 2 * _LABELLED:
            break
        # What leaves the plane would stand on the title of an axis, or be cut.
        inside = all(box[0] >= 0 and box[2] <= view[0] for box in boxes)
        free = inside and not any(_touch(one, other) for one in boxes for other in taken) and not _touch(*boxes)
        if free:
            taken += boxes
            chosen += [{**rows[place + side], "word": names[side]} for side in (0, 1)]
    return chosen


def _box(x: float, y: float, text: str) -> tuple[float, float, float, float]:
    half = _LETTER * len(text) / 2 + 3
    return x - half, y, x + half, y + 19


def _touch(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


# ---------------------------------------------------------------- pipeline

_NODE, _GAP, _ROW = 164, 38, 54


def pipeline(nodes: Sequence[Spec], edges: Sequence[tuple[str, str]]) -> Spec:
    """Boxes in columns, with a line from what was read to what was made of it.

    Args:
        nodes: `id`, `name`, `what`, `column`, `kind` (`raw`, `made` or `pending`), `label`.
        edges: Identities of what was read and of what was made.
    """
    places = _places(nodes, edges)
    boxes = [
        {**node, "x": places[node["id"]][0], "x2": places[node["id"]][0] + _NODE,
         "y": places[node["id"]][1], "y2": places[node["id"]][1] + 40,
         "middle": places[node["id"]][0] + 10, "line1": places[node["id"]][1] + 14,
         "line2": places[node["id"]][1] + 29, "first": _short(node["name"]), "second": _short(node["what"], 26)}
        for node in nodes
    ]  # fmt: skip
    curves = [
        {"edge": number, "step": step, "x": x, "y": y}
        for number, (start, end) in enumerate(edges)
        for step, (x, y) in enumerate(_bend(places[start], places[end]))
    ]
    width = max(box["x2"] for box in boxes) + 4
    height = max(box["y2"] for box in boxes) + 4
    scale = {side: {"type": "quantitative", "axis": None, "scale": {"domain": domain, "nice": False, "zero": False}}
             for side, domain in (("x", [0, width]), ("y", [height, 0]))}  # fmt: skip

    def at(x: str, y: str) -> Spec:
        return {"x": {**scale["x"], "field": x}, "y": {**scale["y"], "field": y}}

    kinds = ["raw", "made", "pending"]
    return {
        "width": width,
        "height": height,
        "layer": [
            {
                "data": {"values": curves},
                "mark": {
                    "type": "line",
                    "interpolate": "basis",
                    "strokeWidth": 1.3,
                    "color": _QUIET,
                    "opacity": 0.55,
                    "aria": False,
                },
                "encoding": {**at("x", "y"), "detail": {"field": "edge"}, "order": {"field": "step"}},
            },
            {
                "data": _values(boxes),
                "mark": {"type": "rect", "cornerRadius": 6, "strokeWidth": 1.3},
                "encoding": {
                    **at("x", "y"),
                    "x2": {"field": "x2"},
                    "y2": {"field": "y2"},
                    "description": {"field": "label"},
                    "fill": _coded("kind", kinds, [_PAPER, "var(--box)", _PAPER], None),  # type: ignore[arg-type]
                    "stroke": _coded("kind", kinds, [_GRID, "var(--series-1)", "var(--series-2)"], None),  # type: ignore[arg-type]
                    "strokeDash": _coded("kind", kinds, [[1, 0], [1, 0], [4, 3]], None),  # type: ignore[arg-type]
                },
            },
            {
                "data": _values(boxes),
                "mark": {"type": "text", "align": "left", "fontSize": 12.5, "fontWeight": 600, "aria": False},
                "encoding": {**at("middle", "line1"), "text": {"field": "first"}},
            },
            {
                "data": _values(boxes),
                "mark": {"type": "text", "align": "left", "fontSize": 11, "opacity": 0.75, "aria": False},
                "encoding": {**at("middle", "line2"), "text": {"field": "second"}},
            },
        ],
    }


def _short(text: str, letters: int = 18) -> str:
    """Shorten in the middle: names of results often differ at their ends."""
    return text if len(text) <= letters else f"{text[: letters // 2]}…{text[-(letters - letters // 2 - 1) :]}"


def _places(nodes: Sequence[Spec], edges: Sequence[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Put nodes into columns; within one, near the mean height of what they are made from."""
    before: dict[str, list[str]] = {}
    for start, end in edges:
        before.setdefault(end, []).append(start)
    columns: dict[int, list[str]] = {}
    for node in nodes:
        columns.setdefault(node["column"], []).append(node["id"])
    tallest = max(map(len, columns.values()))
    places: dict[str, tuple[float, float]] = {}
    for column in sorted(columns):
        names = columns[column]

        def height(name: str) -> float:
            known = [places[each][1] for each in before.get(name, []) if each in places]
            return float(np.mean(known)) if known else 0.0

        if column:
            names = sorted(names, key=height)
        top = (tallest - len(names)) * _ROW / 2
        for row, name in enumerate(names):
            places[name] = (2 + column * (_NODE + _GAP), 2 + top + row * _ROW)
    return places


def _bend(start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    left, right = (start[0] + _NODE, start[1] + 20), (end[0], end[1] + 20)
    middle = right[0] - _GAP / 2
    near = left[0] + _GAP / 2
    return [left, left, (near, left[1]), (middle, right[1]), right, right]
