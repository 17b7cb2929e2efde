"""Colours of roofs and walls, and the small repeating pictures of both."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.demo.frame import Bytes, noise, random

ROOFS: dict[str, tuple[int, int, int]] = {
    "red": (178, 84, 58), "rust": (158, 78, 60), "brown": (138, 86, 66), "slate": (104, 108, 112),
    "grey": (150, 149, 144), "light": (186, 185, 180), "sand": (176, 167, 148),
    "blue": (84, 122, 164), "copper": (104, 140, 122), "gold": (196, 158, 72),
}  # fmt: skip
"""Colour of every roof covering; orthophoto and models use these very values."""
TILED = ("red", "rust", "brown", "slate", "gold")

WALLS: dict[str, tuple[int, int, int]] = {
    "yellow": (222, 192, 132), "brick": (158, 92, 70), "plaster": (214, 205, 188),
    "white": (228, 226, 220), "beige": (220, 198, 160), "grey": (186, 186, 184),
    "stone": (176, 166, 150), "shop": (206, 198, 186), "school": (212, 132, 100),
    "office": (188, 190, 192), "curtain": (96, 130, 152), "glass": (70, 108, 134),
    "tower": (232, 218, 192), "hotel": (236, 220, 186), "church": (206, 178, 128),
    "cream": (232, 216, 182),
    "salmon": (218, 172, 144),
    "terrace": (206, 150, 118),
    "lighthouse": (238, 236, 230),
}  # fmt: skip
"""Mean colour of every facade."""

BAY = {"glass": 3.0, "curtain": 3.0, "office": 3.6, "school": 4.2, "shop": 5.0, "church": 4.5}
"""Width in m of one bay of windows where it is not `BAY_WIDTH`."""
BAY_WIDTH = 3.3
TILE_BAYS = 4
"""A facade picture holds this many bays and as many storeys."""


def bay_width(style: str) -> float:
    """Return the width in m of one bay of a facade."""
    return BAY.get(style, BAY_WIDTH)


@cache
def facade(style: str, seed: int, size: int = 512) -> Bytes:
    """Return a picture (size, size, 3) of 4 bays by 4 storeys that repeats on all sides."""
    rng = random(seed, f"facade {style}")
    cell = size // TILE_BAYS
    image = np.empty((size, size, 3), np.float32)
    image[:] = WALLS[style]
    image += (noise((size, size), 3, rng) * 5 + noise((size, size), 40, rng) * 4)[..., None]
    if style in ("brick", "school"):
        image[::4] *= 0.93
    for row in range(TILE_BAYS):
        for column in range(TILE_BAYS):
            bay = image[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
            _bay(bay, style, rng)
    return np.clip(image, 0, 255).astype(np.uint8)


def _bay(bay: NDArray[np.float32], style: str, rng: np.random.Generator) -> None:
    """Draw one bay of one storey into `bay`, its rows running down."""
    if style in ("glass", "curtain"):
        _curtain_wall(bay, style, rng)
    elif style == "church":
        _window(bay, 0.38, 0.62, 0.12, 0.82, rng, frame=(150, 128, 92))
    elif style == "lighthouse":
        _window(bay, 0.42, 0.58, 0.35, 0.65, rng)
    elif style == "shop":
        _fill(bay, 0.0, 1.0, 0.02, 0.26, np.array(rng.choice(_SIGNS)), 6.0, rng)
        _window(bay, 0.06, 0.94, 0.32, 0.98, rng, frame=(120, 120, 120))
    elif style in ("office", "school"):
        _window(bay, 0.1, 0.9, 0.25, 0.78, rng, panes=3)
    elif style in ("tower", "terrace", "hotel", "beige", "grey", "white", "cream", "salmon"):
        _balcony_bay(bay, style, rng)
    else:
        _window(bay, 0.32, 0.68, 0.25, 0.75, rng, frame=(228, 220, 204))


_SIGNS = np.array([(176, 52, 44), (40, 84, 140), (196, 140, 40), (60, 116, 84), (210, 206, 196)])


def _balcony_bay(bay: NDArray[np.float32], style: str, rng: np.random.Generator) -> None:
    wide = style in ("tower", "terrace", "hotel")
    if style in ("tower", "terrace"):  # coloured piers from bottom to top
        tone = np.array((186, 112, 84) if style == "tower" else (236, 226, 208), np.float32)
        _fill(bay, 0.0, 0.09, 0.0, 1.0, tone, 4.0, rng)
    _window(bay, 0.14 if wide else 0.2, 0.86 if wide else 0.8, 0.2, 0.72, rng, panes=2)
    if wide or rng.random() < 0.5:  # the parapet of a balcony, with its shade below
        tone = np.array((200, 206, 208) if wide else (196, 190, 180), np.float32)
        _fill(bay, 0.06, 0.94, 0.62, 0.9, tone, 4.0, rng)
        _fill(bay, 0.06, 0.94, 0.9, 0.95, tone * 0.55, 2.0, rng)
    elif rng.random() < 0.6:  # an air conditioner under the window
        _fill(bay, 0.3, 0.52, 0.77, 0.9, np.array((206, 206, 202), np.float32), 8.0, rng)


def _curtain_wall(bay: NDArray[np.float32], style: str, rng: np.random.Generator) -> None:
    base = np.array(WALLS[style], np.float32)
    _fill(bay, 0.0, 1.0, 0.0, 1.0, base * float(rng.uniform(0.85, 1.2)), 3.0, rng)
    bay += np.linspace(14, -14, bay.shape[0], dtype=np.float32)[:, None, None]
    _fill(bay, 0.0, 1.0, 0.82, 1.0, base * 0.62, 2.0, rng)
    for x in (0.0, 0.5):
        _fill(bay, x, x + 0.035, 0.0, 1.0, np.array((176, 184, 188), np.float32), 2.0, rng)


def _window(
    bay: NDArray[np.float32], x0: float, x1: float, y0: float, y1: float, rng: np.random.Generator,
    *, frame: tuple[int, int, int] = (226, 226, 224), panes: int = 2,
) -> None:  # fmt: skip
    glass = np.array((62, 76, 88), np.float32) * float(rng.uniform(0.65, 1.35))
    edge = 0.03
    _fill(bay, x0 - edge, x1 + edge, y0 - edge, y1 + edge, np.array(frame, np.float32), 3.0, rng)
    _fill(bay, x0, x1, y0, y1, glass, 3.0, rng)
    if rng.random() < 0.4:  # a curtain
        _fill(bay, x0, x0 + 0.4 * (x1 - x0), y0, y1, glass * 0.4 + 110, 5.0, rng)
    for k in range(1, panes):
        x = x0 + (x1 - x0) * k / panes
        _fill(bay, x - 0.012, x + 0.012, y0, y1, np.array(frame, np.float32), 2.0, rng)
    _fill(
        bay,
        x0 - edge,
        x1 + edge,
        y1 + edge,
        y1 + edge + 0.035,
        np.array(frame, np.float32) * 0.6,
        2.0,
        rng,
    )


def _fill(
    bay: NDArray[np.float32], x0: float, x1: float, y0: float, y1: float, tone: Any, grain: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    rows, cols = bay.shape[:2]
    part = bay[
        round(max(y0, 0) * rows) : round(y1 * rows), round(max(x0, 0) * cols) : round(x1 * cols)
    ]
    part[:] = np.asarray(tone, np.float32) + rng.normal(0, grain, part.shape[:2])[..., None]


def leaves(colour: tuple[int, int, int], seed: int, size: int = 128) -> Bytes:
    """Return a picture of foliage that repeats sideways: dark below, lit above, in clumps."""
    rng = random(seed, f"leaves {colour}")
    clumps = noise((size, size), 9, rng) * 0.16 + noise((size, size), 3, rng) * 0.16
    rise = np.linspace(1.22, 0.5, size, dtype=np.float32)[:, None]
    image = np.array(colour, np.float32) * ((1 + clumps) * rise)[..., None]
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def roof(name: str, seed: int, size: int = 256) -> Bytes:
    """Return a picture (size, size, 3) of 8 m x 8 m of a roof covering."""
    rng = random(seed, f"roof {name}")
    image = np.empty((size, size, 3), np.float32)
    image[:] = ROOFS[name]
    image *= (1 + 0.05 * noise((size, size), 6, rng) + 0.04 * noise((size, size), 40, rng))[
        ..., None
    ]
    if name in TILED:
        image[:: size // 24] *= 0.86
        image *= 1 + rng.normal(0, 0.025, (size, size, 1)).astype(np.float32)
    elif name in ("blue", "copper"):
        image[:, :: size // 16] *= 0.88
    else:
        image[:: size // 2] *= 0.9
        image[:, :: size // 2] *= 0.9
    return np.clip(image, 0, 255).astype(np.uint8)
