"""From the numbers of a grid or a painted mesh to colours, and what the colours mean.

One scale colours the picture and writes the legend, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray
from plumbline.core.i18n import tr
from plumbline.core.layer import LayerStyle
from plumbline.core.units import format_number
from plumbline.render.colors import categories, palette, rgb8
from plumbline.render.theme import RenderTheme

#: Colours shown of a continuous palette.
STEPS = 5
#: More classes than this make no legend.
MAX_CLASSES = 24


class Scale(Protocol):
    """Colours of numbers."""

    def colors(self, values: AnyArray) -> NDArray[np.uint8]:
        """Return RGBA ``(N, 4)`` of numbers ``(N,)``; alpha 0 is not drawn."""

    def rows(self) -> list[tuple[str, str]]:
        """Return what to write in the legend and its colour ``#rrggbb``, highest first."""


@dataclass(frozen=True)
class Ramp:
    """A continuous palette between two limits."""

    palette: str
    limits: tuple[float, float]

    def colors(self, values: AnyArray) -> NDArray[np.uint8]:
        """Return RGBA of numbers."""
        return _opaque(palette(self.palette, values, self.limits), np.isfinite(values))

    def rows(self) -> list[tuple[str, str]]:
        """Return a few steps from the highest down."""
        low, high = self.limits
        if low == high:
            return _named([_plain(low)], self.colors(np.array([low])))
        steps = np.linspace(high, low, STEPS)
        # Two digits of a step tell them apart; zeros that all of them end in tell nothing.
        digits = max(0, 1 - int(np.floor(np.log10((high - low) / (STEPS - 1)))))
        while digits and np.allclose(np.round(steps, digits - 1), steps, rtol=0, atol=1e-9):
            digits -= 1
        return _named([format_number(float(s), digits) for s in steps], self.colors(steps))


@dataclass(frozen=True)
class Bands:
    """Numbers between breaks share a colour; a break belongs to the band above it."""

    breaks: tuple[float, ...]
    table: NDArray[np.uint8]

    def colors(self, values: AnyArray) -> NDArray[np.uint8]:
        """Return RGBA of numbers."""
        known = np.isfinite(values)
        return _opaque(self.table[np.digitize(np.nan_to_num(values), self.breaks)], known)

    def rows(self) -> list[tuple[str, str]]:
        """Return the limits of each band."""
        limits = [_plain(value) for value in self.breaks]
        between = [f"{low} – {high}" for low, high in pairwise(limits)]
        names = [f"< {limits[0]}", *between, f"≥ {limits[-1]}"]
        return _named(names[::-1], self.table[::-1])


def band_keys(count: int) -> list[str]:
    """Return how `LayerStyle.class_colors` names bands in the order of the legend."""
    return [str(n) for n in range(count)][::-1]


@dataclass(frozen=True)
class Classes:
    """Whole numbers that stand for classes; `hidden` ones are not drawn."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    table: NDArray[np.uint8]
    hidden: frozenset[int] = frozenset()

    def colors(self, values: AnyArray) -> NDArray[np.uint8]:
        """Return RGBA of numbers."""
        place = np.searchsorted(self.numbers, values)
        place = np.minimum(place, max(len(self.numbers) - 1, 0))
        drawn = [n for n in self.numbers if n not in self.hidden]
        known = np.isin(values, np.array(drawn, dtype=np.float64))
        if not self.numbers:
            return np.zeros((len(values), 4), dtype=np.uint8)
        return _opaque(self.table[place], known)

    def rows(self) -> list[tuple[str, str]]:
        """Return the classes that are drawn."""
        shown = [n for n, number in enumerate(self.numbers) if number not in self.hidden][::-1]
        if len(shown) > MAX_CLASSES:
            return []
        return _named([self.names[n] for n in shown], self.table[shown])


@dataclass(frozen=True)
class Plain:
    """One colour for every number."""

    color: str

    def colors(self, values: AnyArray) -> NDArray[np.uint8]:
        """Return RGBA of numbers."""
        rgb = np.tile(np.array(rgb8(self.color), dtype=np.uint8), (len(values), 1))
        return _opaque(rgb, np.isfinite(values))

    def rows(self) -> list[tuple[str, str]]:
        """Return nothing: the colour stands for no number."""
        return []


def scale_of(values: AnyArray, style: LayerStyle, theme: RenderTheme) -> Scale:
    """Return how numbers are coloured.

    Parameters
    ----------
    values : (N,) float or uint8
        All numbers of the layer, NaN where there is none (255 in uint8).
    """
    whole = values.dtype == np.uint8
    if style.color_by == "solid":
        return Plain(style.color)
    if style.breaks and not whole:
        return _bands(style)
    if whole or style.color_by == "class" or style.class_colors:
        return _classes(values, style, theme)
    return Ramp(style.palette, limits_of(values, style))


def limits_of(values: AnyArray, style: LayerStyle) -> tuple[float, float]:
    """Return what the palette spans: the style's range, else all numbers."""
    if style.value_range is not None:
        return style.value_range
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def _bands(style: LayerStyle) -> Bands:
    count = len(style.breaks) + 1
    table = palette(style.palette, np.arange(count), (0.0, max(count - 1.0, 1.0)))
    for name, color in style.class_colors.items():
        if name.isdigit() and int(name) < count:
            table[int(name)] = rgb8(color)
    return Bands(style.breaks, table)


def _classes(values: AnyArray, style: LayerStyle, theme: RenderTheme) -> Classes:
    found = np.unique(values[values != 255] if values.dtype == np.uint8 else values)
    numbers = sorted({int(n) for n in found[np.isfinite(found)]})
    boolean = set(numbers) <= {0, 1}
    named = {"1": theme.categorical[0], "0": theme.none} if boolean else {}
    default = {0: tr("No"), 1: tr("Yes")} if boolean else {}
    given = style.class_names
    names = [tr(given[str(n)]) if str(n) in given else default.get(n, str(n)) for n in numbers]
    table = categories([str(n) for n in numbers], named | style.class_colors, theme.categorical)
    hidden = frozenset(int(name) for name in style.hidden_classes if name.isdigit())
    return Classes(tuple(numbers), tuple(names), table, hidden)


def _plain(value: float) -> str:
    """Return a limit with the decimals that it was given with."""
    digits = len(f"{value:.6f}".rstrip("0").partition(".")[2])
    return format_number(value, digits)


def _opaque(colors: NDArray[np.uint8], known: AnyArray) -> NDArray[np.uint8]:
    alpha = np.where(known, 255, 0).astype(np.uint8)
    result: NDArray[np.uint8] = np.column_stack([colors, alpha])
    return result


def _named(names: Sequence[str], colors: NDArray[np.uint8]) -> list[tuple[str, str]]:
    pairs = zip(names, colors, strict=True)
    return [(name, "#" + bytes(color[:3]).hex()) for name, color in pairs]
