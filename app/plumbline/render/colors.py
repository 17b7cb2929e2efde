"""From values to colours: palettes, classes of points, categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray
from plumbline.render.theme import rgb

#: ASPRS standard point classes (LAS 1.4 R15, table 17), colours chosen for Plumbline.
ASPRS = {
    0: "#B9BEC6",
    1: "#A7ADB6",
    2: "#A9825A",
    3: "#B7D58A",
    4: "#7DBB57",
    5: "#3F8F4A",
    6: "#D9734E",
    7: "#8A2BE2",
    8: "#F2C14E",
    9: "#3F8FD2",
    10: "#6B4F8A",
    11: "#6D737C",
    12: "#D0D4DA",
    13: "#C9A227",
    14: "#E3C04B",
    15: "#7A5C99",
    16: "#C08BD0",
    17: "#8C6D5A",
    18: "#A0206A",
}
OTHER_CLASS = "#E05A9B"


def rgb8(color: str) -> tuple[int, int, int]:
    """Return ``#rrggbb`` as three bytes."""
    r, g, b = rgb(color)
    return (round(r * 255), round(g * 255), round(b * 255))


def palette(name: str, values: AnyArray, limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Return colours ``(N, 3)`` of numbers on a continuous palette; no number is grey.

    Without limits the palette spans the values between their 2nd and 98th percentile, so that a
    stray point does not eat it.
    """
    import matplotlib

    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    if limits is None:
        limits = (0.0, 1.0)
        if known.any():
            low, high = np.percentile(values[known][:: max(1, known.sum() // 200_000)], (2, 98))
            limits = (float(low), float(high))
    low, high = limits
    share = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    table = matplotlib.colormaps[name if name in matplotlib.colormaps else "viridis"].resampled(256)
    lut = (table(np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    colors = lut[(np.nan_to_num(share) * 255).astype(np.uint8)]
    colors[~known] = (160, 165, 172)
    result: NDArray[np.uint8] = colors
    return result


def categories(
    values: Sequence[Any], named: Mapping[str, str], cycle: Sequence[str]
) -> NDArray[np.uint8]:
    """Return colours ``(N, 3)`` of categories: named ones as given, others from a cycle.

    Others take their place in the cycle by sorted name, so that a colour does not depend on the
    order of features.
    """
    text = np.array([str(v) for v in values], dtype=object)
    names, inverse = np.unique(text.astype(str), return_inverse=True)
    free = [name for name in names if name not in named]
    table = np.array(
        [
            rgb8(named[name]) if name in named else rgb8(cycle[free.index(name) % len(cycle)])
            for name in names
        ],
        dtype=np.uint8,
    ).reshape(-1, 3)
    result: NDArray[np.uint8] = table[inverse]
    return result


def classes(values: AnyArray, named: Mapping[str, str]) -> NDArray[np.uint8]:
    """Return colours ``(N, 3)`` of ASPRS classes, overridden by name of class number."""
    table = np.tile(np.array(rgb8(OTHER_CLASS), dtype=np.uint8), (256, 1))
    for number, color in ASPRS.items():
        table[number] = rgb8(color)
    for name, color in named.items():
        if name.isdigit() and int(name) < 256:
            table[int(name)] = rgb8(color)
    result: NDArray[np.uint8] = table[np.asarray(values).astype(np.uint8)]
    return result
