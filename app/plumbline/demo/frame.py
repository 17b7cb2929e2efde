"""Where the demo district lies, how its streets are bent, and its seeded noise.

Everything in this package is worked out in *local* metres, counted east and north from the
south-west corner of the district, and becomes EPSG:4549 by adding `ORIGIN` on writing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

CRS = "EPSG:4549"
ORIGIN = (533600.0, 3992900.0)
"""Easting and northing in m of the south-west corner in EPSG:4549 (near 36.07N 120.38E)."""
WIDTH, HEIGHT = 1200.0, 1000.0
"""Extent in m to the east and to the north."""

SUN_AZIMUTH, SUN_ELEVATION = 138.0, 47.0
"""The one sun of the orthophoto and the textures, in degrees (azimuth from grid north)."""


def random(seed: int, theme: str) -> np.random.Generator:
    """Return the random numbers of one theme, independent of those of every other theme."""
    return np.random.default_rng([seed, *theme.encode()])


def bend(s: Floats | float, t: Floats | float) -> tuple[Floats, Floats]:
    """Map the straight street grid (s, t) in m to the bent one in local coordinates in m."""
    s, t = np.asarray(s, float), np.asarray(t, float)
    u = s + 14 * np.sin(t / 210 + 0.6) + 0.03 * (t - 500)
    v = t + 16 * np.sin(s / 190 + 0.4) - 0.05 * (s - 600)
    return u, v


def street_angle(s: float) -> float:
    """Return the direction in rad of the east-west streets at `s`, anticlockwise from east."""
    return float(np.arctan(16 / 190 * np.cos(s / 190 + 0.4) - 0.05))


def shore(u: Floats | float) -> Floats:
    """Return the local northing in m of the shore line at local easting `u` in m."""
    u = np.asarray(u, float)
    line = 172 + 16 * np.sin(u / 190 + 0.4) - 0.05 * (u - 600)
    cape = -62 * np.exp(-(((u - 1085) / 72) ** 2)) - 24 * np.exp(-(((u - 60) / 70) ** 2))
    bay = 14 * np.exp(-(((u - 640) / 150) ** 2))
    ripple = 2.2 * np.sin(u / 17) * np.exp(-(((u - 1085) / 130) ** 2)) + 0.8 * np.sin(u / 41)
    return np.asarray(line + cape + bay + ripple)


def noise(shape: tuple[int, int], cell: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth noise, about -1 to 1, whose bumps are `cell` pixels wide.

    Parameters
    ----------
    shape : (rows, columns) of the wanted array.
    cell : size of a bump in pixels.
    rng : source of the random numbers.
    """
    from PIL import Image

    rows, cols = (int(np.ceil(n / cell)) + 3 for n in shape)
    coarse = rng.normal(0, 0.55, (rows, cols)).astype(np.float32)
    box = (1.0, 1.0, 1.0 + shape[1] / cell, 1.0 + shape[0] / cell)
    image = Image.fromarray(coarse).resize(
        (shape[1], shape[0]),
        Image.Resampling.BICUBIC if cell > 2 else Image.Resampling.BILINEAR,
        box=box,
    )
    return np.asarray(image)


def to_crs(points: Any) -> Floats:
    """Return local coordinates (n, 2 or 3) in m as EPSG:4549 ones."""
    moved: Floats = np.array(points, float)
    moved[..., 0] += ORIGIN[0]
    moved[..., 1] += ORIGIN[1]
    return moved
