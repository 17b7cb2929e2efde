"""What the colours of a layer mean, in rows for the legend.

Uses the very functions that colour the layers, so that the legend cannot say something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, GridData, MeshData, PointCloudData, VectorData
from plumbline.core.i18n import N_, tr
from plumbline.core.layer import Layer, LayerStyle
from plumbline.core.units import format_number
from plumbline.render.colors import categories, classes, palette
from plumbline.render.scales import STEPS, Bands, band_keys, scale_of
from plumbline.render.theme import LIGHT, RenderTheme
from plumbline.render.themes import class_keys, element_legend

#: ASPRS standard point classes (LAS 1.4 R15, table 17).
CLASS_NAMES = {
    0: N_("Never classified"),
    1: N_("Unclassified"),
    2: N_("Ground"),
    3: N_("Low vegetation"),
    4: N_("Medium vegetation"),
    5: N_("High vegetation"),
    6: N_("Building"),
    7: N_("Noise"),
    9: N_("Water"),
    10: N_("Rail"),
    11: N_("Road"),
    17: N_("Bridge"),
}
#: More categories than this make no legend.
MAX_ROWS = 12


@dataclass(frozen=True)
class LegendRow:
    """A colour ``#rrggbb`` and what it stands for; a heading has no colour.

    `key` names the class in `LayerStyle.class_colors`; empty where the colour is not of a class.
    """

    text: str
    color: str
    key: str = ""


def legend_rows(layer: Layer, style: LayerStyle, theme: RenderTheme = LIGHT) -> list[LegendRow]:
    """Return the legend of a layer; empty when its colours mean nothing in particular."""
    if isinstance(layer.data, VectorData):
        return _features(layer.data, style, theme)
    if isinstance(layer.data, PointCloudData):
        return _points(layer.data, style)
    if isinstance(layer.data, GridData):
        data = layer.data
        heading = tr(style.legend) if style.legend else _heading(data)
        return _numbers(data.values.ravel(), heading, style, theme)
    if isinstance(layer.data, MeshData) and style.color_by == "scalar":
        numbers = layer.data.scalars.get(style.attribute)
        if numbers is not None:
            heading = tr(style.legend or style.attribute)
            return _numbers(np.asarray(numbers), heading, style, theme)
    if isinstance(layer.data, MeshData) and style.color_by == "attribute" and style.attribute:
        rows = element_legend(layer.data, style, theme)
        above = [LegendRow(tr(style.legend or style.attribute), "")] if rows else []
        keys = class_keys(layer.data, style, [name for name, _ in rows])
        return above + [LegendRow(*row, key) for row, key in zip(rows, keys, strict=True)]
    return []


def _heading(data: GridData) -> str:
    """Return what the numbers are and their unit."""
    quantity = tr(data.quantity) if data.quantity else ""
    return f"{quantity} ({data.unit})" if quantity and data.unit else quantity or data.unit


def _numbers(
    values: AnyArray, heading: str, style: LayerStyle, theme: RenderTheme
) -> list[LegendRow]:
    scale = scale_of(values, style, theme)
    rows = scale.rows()
    above = [LegendRow(heading, "")] if heading and rows else []
    keys = band_keys(len(rows)) if isinstance(scale, Bands) else [""] * len(rows)
    return above + [LegendRow(*row, key) for row, key in zip(rows, keys, strict=True)]


def _features(data: VectorData, style: LayerStyle, theme: RenderTheme) -> list[LegendRow]:
    import pandas as pd

    table = data.features
    named = style.class_colors and style.color_by != "solid"
    coloured = named or style.color_by in ("attribute", "class")
    if style.attribute not in table.columns or not coloured:
        return []
    column = table[style.attribute]
    if style.breaks and style.color_by == "attribute":
        return _numbers(
            pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64),
            tr(style.legend),
            style,
            theme,
        )
    if pd.api.types.is_numeric_dtype(column) and not style.class_colors:
        return _scale(column.to_numpy(dtype=np.float64), style)
    names = sorted({str(value) for value in column.tolist()})
    if len(names) > MAX_ROWS:
        return []
    return _rows(names, categories(names, style.class_colors, theme.categorical), names)


def _points(data: PointCloudData, style: LayerStyle) -> list[LegendRow]:
    if style.color_by == "class" and "classification" in data.attributes:
        numbers = np.unique(data.attributes["classification"])
        names = [_class_name(int(n)) for n in numbers]
        keys = [str(n) for n in numbers]
        return _rows(names, classes(numbers, style.class_colors), keys)[:MAX_ROWS]
    if style.color_by == "elevation":
        return _scale(data.points[:, 2], style)
    return []


def _class_name(number: int) -> str:
    return tr(CLASS_NAMES[number]) if number in CLASS_NAMES else tr("Class {n}", n=number)


def _scale(values: NDArray[np.float64], style: LayerStyle) -> list[LegendRow]:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return []
    low, high = style.value_range or tuple(np.percentile(known, (2, 98)))
    steps = np.linspace(high, low, STEPS)
    digits = 0 if high - low > 20 else 1
    names = [format_number(float(step), digits) for step in steps]
    return _rows(names, palette(style.palette, steps, (float(low), float(high))))


def _rows(
    names: Sequence[str], colors: NDArray[np.uint8], keys: Sequence[str] | None = None
) -> list[LegendRow]:
    return [
        LegendRow(name, f"#{r:02x}{g:02x}{b:02x}", key)
        for name, (r, g, b), key in zip(names, colors, keys or [""] * len(names), strict=True)
    ]
