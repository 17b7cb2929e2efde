"""The sea of the orthophoto: depths, waves, foam, boats, and parasols on the beach."""

from __future__ import annotations

from typing import Any

import numpy as np

from plumbline.demo.frame import HEIGHT, Bytes, shore
from plumbline.demo.picture import RESOLUTION, haze, pixels
from plumbline.demo.surface import WATER, Sampling, Surface

SEA_NORTH = 280.0
"""No water lies north of this local northing, in m."""


def draw_sea(image: Any, seen: Surface, at: Sampling, coarse: Any, broad: Any, fine: Any) -> Bytes:
    """Paint shallow to deep water, waves, foam at the shore and wet sand; return bare water."""
    rows = slice(round((HEIGHT - SEA_NORTH) / RESOLUTION), None)
    image, coarse, broad, fine = image[rows], coarse[rows], broad[rows], fine[rows]
    ground, kind = seen.ground[rows], seen.kind[rows]
    depth = np.maximum(-ground, 0)
    u = np.arange(image.shape[1]) * RESOLUTION
    away = shore(u)[None, :].astype(np.float32) - at.v[rows].astype(np.float32)
    clear = np.exp(-depth / 1.5)[..., None]
    murk = np.exp(-depth / 5.5)[..., None]
    deep, mid = np.array([24, 66, 88], np.float32), np.array([62, 126, 126], np.float32)
    bed = np.array([176, 166, 128], np.float32)
    water = deep + (mid - deep) * murk + (bed - mid) * np.float32(0.8) * clear
    wave = np.sin(away / 3.1 + 2.2 * broad + 1.1 * coarse) * (0.5 + 0.5 * coarse)
    water *= (1 + 0.035 * wave + 0.03 * fine + 0.06 * broad)[..., None].astype(np.float32)
    lines = np.zeros_like(depth)
    for at_depth, width, strength in ((1.0, 0.9, 1.0), (7.5, 1.0, 0.75), (16.0, 0.9, 0.45)):
        run = away - at_depth - 2.6 * broad - 1.1 * coarse
        crest = strength * np.exp(-((run / width) ** 2))
        lines = np.maximum(lines, crest * (fine * 0.35 + coarse * 0.5 + 0.62))
    foam = np.clip(lines, 0, 1)[..., None].astype(np.float32)
    water = water * (1 - foam) + 238 * foam
    wet = kind == WATER
    image[wet] = water[wet]
    damp = (kind == 0) & (ground < 0.9)
    image[damp] *= (0.76 + 0.26 * np.clip(ground[damp] / 0.9, 0, 1))[:, None]
    haze(water)
    return np.asarray(np.clip(water, 0, 255), np.uint8)


def afloat(
    photo: Bytes, water: Bytes, seen: Surface, rng: np.random.Generator
) -> tuple[Bytes, Bytes]:
    """Add parasols on the beach and boats with their wakes; return the photo and the bare sea."""
    from PIL import Image, ImageDraw, ImageFilter

    top = photo.shape[0] - water.shape[0]
    pictures = [Image.fromarray(photo), Image.fromarray(water)]
    layer = Image.new("RGBA", (water.shape[1], water.shape[0]), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    wakes = Image.new("L", layer.size, 0)
    foam = ImageDraw.Draw(wakes)
    for u, v, angle, long, fast in _BOATS:
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        bow = np.array([u, v])

        def put(
            points: list[tuple[float, float]],
            long: float = long,
            bow: Any = bow,
            along: Any = along,
            across: Any = across,
        ) -> list[tuple[float, float]]:
            return [
                (x, y - top)
                for x, y in pixels([bow + long * (a * along + b * across) for a, b in points])
            ]

        if fast:
            for k in range(18, 0, -1):  # fainter and wider behind
                near, far, fade = -0.4 - 0.3 * k, -0.1 - 0.3 * k, round(120 * (1 - k / 19) ** 1.5)
                for side in (-1, 1):
                    arm = [(near, side * -0.24 * near), (far, side * -0.24 * far)]
                    foam.line(put(arm), fill=fade, width=3)
                wide = 0.12 + 0.012 * k
                foam.polygon(
                    put([(near, wide), (near, -wide), (far, -wide), (far, wide)]), fill=fade
                )
        hull = [(0, 0), (-0.3, 0.15), (-1, 0.13), (-1, -0.13), (-0.3, -0.15)]
        draw.polygon(put(hull), fill=(236, 236, 232, 255))
        draw.polygon(
            put([(-0.4, 0.07), (-0.75, 0.07), (-0.75, -0.07), (-0.4, -0.07)]),
            fill=(92, 104, 116, 255),
        )
    soft = wakes.filter(ImageFilter.GaussianBlur(2.2))
    for number, picture in enumerate(pictures):
        place = (0, top if number == 0 else 0)
        picture.paste((236, 242, 242), place, soft)
        picture.paste(layer, place, layer)
    _parasols(pictures[0], seen, rng)
    return np.asarray(pictures[0]), np.asarray(pictures[1])


# Bow in local m, direction in rad, length in m, whether it leaves a wake.
_BOATS = (
    (520.0, 64.0, 0.35, 16.0, True),
    (820.0, 96.0, 2.6, 9.0, True),
    (240.0, 120.0, -0.6, 8.0, False),
    (262.0, 131.0, -0.4, 7.0, False),
    (225.0, 96.0, -0.8, 9.0, False),
    (960.0, 38.0, 3.3, 22.0, True),
    (690.0, 130.0, 1.2, 7.0, False),
    (90.0, 60.0, 0.15, 12.0, True),
)
_PARASOLS = ((206, 62, 54), (236, 200, 80), (64, 120, 186), (240, 240, 236), (224, 130, 60))


def _parasols(picture: Any, seen: Surface, rng: np.random.Generator) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    for row in (9.0, 13.5, 18.0):
        for u in np.arange(410, 840, 4.6):
            if rng.random() < 0.45:
                continue
            at = u + float(rng.normal(0, 0.5))
            x, y = pixels([(at, float(shore(at)) + row + float(rng.normal(0, 0.6)))])[0]
            if seen.kind[int(y), int(x)] != 0:
                continue
            draw.ellipse((x - 9, y - 9, x - 1, y - 1), fill=(132, 118, 92))  # its shadow
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=_PARASOLS[int(rng.integers(5))])
