"""Colours of the elements of a model by an attribute of theirs, and the legend of these colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray, MeshData
from plumbline.core.layer import LayerStyle
from plumbline.render.colors import categories, rgb8
from plumbline.render.scales import band_keys, scale_of
from plumbline.render.theme import RenderTheme

#: More categories than this make no legend.
MAX_ROWS = 12


def element_values(data: MeshData, attribute: str) -> list[Any]:
    """Return an attribute of each element, None where it has none of that name."""
    return [
        next((group[attribute] for group in one.properties.values() if attribute in group), None)
        for one in data.elements
    ]


def as_numbers(values: Sequence[Any]) -> FloatArray | None:
    """Return values as numbers, NaN for none; None if there are others, or none at all."""
    known = [value for value in values if value is not None]
    if not known or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in known):
        return None
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def element_colors(data: MeshData, style: LayerStyle, theme: RenderTheme) -> NDArray[np.uint8]:
    """Return the colour ``(N + 1, 3)`` of each element; the last is that of the index -1."""
    values = element_values(data, style.attribute)
    numbers = as_numbers(values)
    none = np.array(rgb8(theme.none), dtype=np.uint8)
    if numbers is not None and (style.breaks or not style.class_colors):
        bands = scale_of(numbers, style, theme).colors(numbers)
        colors = np.where(bands[:, 3:] > 0, bands[:, :3], none)
    else:
        named = categories(["" if v is None else v for v in values], style.class_colors,
                           theme.categorical)  # fmt: skip
        unknown = np.array([value is None for value in values], dtype=bool)
        colors = np.where(unknown[:, None], none, named)
    result: NDArray[np.uint8] = np.concatenate([colors, none[None]]).astype(np.uint8)
    return result


def element_legend(data: MeshData, style: LayerStyle, theme: RenderTheme) -> list[tuple[str, str]]:
    """Return what to write in the legend and its colour ``#rrggbb``; none of too many classes."""
    values = element_values(data, style.attribute)
    numbers = as_numbers(values)
    if numbers is not None and (style.breaks or not style.class_colors):
        return scale_of(numbers, style, theme).rows()
    colors = element_colors(data, style, theme)
    known = {str(v): bytes(c).hex() for v, c in zip(values, colors, strict=False) if v is not None}
    return [(name, f"#{known[name]}") for name in sorted(known)] if len(known) <= MAX_ROWS else []


def class_keys(data: MeshData, style: LayerStyle, names: Sequence[str]) -> list[str]:
    """Return how `LayerStyle.class_colors` names the rows of `element_legend`; "" for a ramp's."""
    if as_numbers(element_values(data, style.attribute)) is None:
        return list(names)
    if style.breaks:
        return band_keys(len(names))
    return list(names) if style.class_colors else [""] * len(names)
