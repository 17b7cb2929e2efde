"""The orthophoto, painted from the construction under one sun."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.demo import facades
from plumbline.demo.frame import (
    HEIGHT,
    SUN_AZIMUTH,
    SUN_ELEVATION,
    WIDTH,
    Bytes,
    Floats,
    noise,
    random,
)
from plumbline.demo.grounds import COVER
from plumbline.demo.markings import draw_cars, draw_markings
from plumbline.demo.model import District
from plumbline.demo.picture import RESOLUTION, haze, in_strips
from plumbline.demo.sea import afloat, draw_sea
from plumbline.demo.surface import BUILDING, PIER, TREE, WATER, Sampling, Surface, surface
from plumbline.demo.terrain import burn

# cover: colour, fine grain, coarse blotches
_LOOK: dict[str, tuple[tuple[int, int, int], float, float]] = {
    "sea": ((40, 80, 96), 0.03, 0.05),
    "sand": ((214, 194, 154), 0.03, 0.05),
    "rock": ((128, 116, 100), 0.2, 0.2),
    "grass": ((96, 116, 62), 0.09, 0.14),
    "asphalt": ((92, 92, 94), 0.035, 0.05),
    "sidewalk": ((172, 164, 154), 0.04, 0.05),
    "plaza": ((190, 180, 166), 0.03, 0.05),
    "concrete": ((158, 154, 146), 0.04, 0.07),
    "track": ((166, 78, 60), 0.03, 0.03),
    "turf": ((78, 128, 62), 0.04, 0.05),
    "brick": ((154, 138, 124), 0.06, 0.08),
    "forest": ((84, 96, 58), 0.14, 0.2),
    "path": ((184, 170, 146), 0.05, 0.06),
    "earth": ((152, 138, 116), 0.08, 0.14),
    "parking": ((116, 116, 116), 0.03, 0.05),
    "court": ((72, 110, 128), 0.02, 0.03),
    "stone": ((172, 164, 152), 0.06, 0.05),
    "hedge": ((58, 82, 44), 0.25, 0.1),
    "garden": ((100, 118, 66), 0.12, 0.18),
}
_CROWN = {
    "法桐": (86, 110, 52),
    "黑松": (52, 74, 44),
    "刺槐": (82, 106, 54),
    "雪松": (56, 82, 58),
    "银杏": (110, 124, 56),
    "樱花": (104, 116, 66),
    "冬青": (70, 98, 50),
}


def paint(district: District) -> tuple[Bytes, Bytes]:
    """Return the picture (4000, 4800, 3) at 0.25 m, and that of the bare sea in its south."""
    rng = random(district.seed, "orthophoto")
    at = Sampling.grid(RESOLUTION)
    seen = surface(district, at)
    fine, coarse, broad = (noise(at.shape, cell, rng) for cell in (1.6, 18, 160))
    image = _ground(district, fine, coarse, broad)
    draw_markings(district, image)
    height = seen.z.copy()
    draw_cars(district, image, height, seen, rng)
    _crowns(district, image, seen, fine, rng)
    _roofs(district, image, seen, at, fine, rng)
    _shade(image, height, seen.kind == WATER)
    water = draw_sea(image, seen, at, coarse, broad, fine)
    photo = np.empty(image.shape, np.uint8)

    def develop(rows: slice) -> None:
        haze(image[rows])
        photo[rows] = np.clip(image[rows], 0, 255)

    in_strips(len(image), develop)
    return afloat(photo, water, seen, random(district.seed, "boats"))


def _ground(district: District, fine: Any, coarse: Any, broad: Any) -> NDArray[np.float32]:
    """Return the covers in their colours, grain and blotches."""
    names = sorted(_LOOK, key=COVER.__getitem__)
    cover = burn(district.covers, RESOLUTION).astype(np.uint8)
    colours = np.array([_LOOK[n][0] for n in names], np.float32)
    grain = np.array([_LOOK[n][1] for n in names], np.float32)
    blotch = np.array([_LOOK[n][2] for n in names], np.float32)
    lawn = np.isin(np.arange(len(names)), [COVER["grass"], COVER["garden"], COVER["forest"]])
    image = np.empty((*cover.shape, 3), np.float32)
    cols = np.arange(cover.shape[1])[None, :]

    def lay(rows: slice) -> None:
        kind = cover[rows]
        value = 1 + grain[kind] * fine[rows]
        value += blotch[kind] * (np.float32(0.6) * coarse[rows] + np.float32(0.5) * broad[rows])
        across = np.arange(rows.start, rows.stop)[:, None]
        # Slabs on the squares, stripes where the turf was mown.
        value[((across % 24 < 1) | (cols % 24 < 1)) & (kind == COVER["plaza"])] *= 0.88
        value[((across + cols) // 26 % 2 == 0) & (kind == COVER["turf"])] *= 1.09
        part = image[rows]
        part[:] = colours[kind]
        part *= value[..., None]
        dry = lawn[kind] & (coarse[rows] + broad[rows] > 0.55)
        part[dry] *= np.array([1.16, 1.05, 0.95], np.float32)

    in_strips(len(cover), lay)
    return image


def _crowns(district: District, image: Any, seen: Surface, fine: Any, rng: Any) -> None:
    if not district.trees:
        return
    tone = np.array([_CROWN[t.species] for t in district.trees], np.float32)
    tone *= rng.normal(1, 0.09, (len(tone), 1)).astype(np.float32)
    tone += rng.normal(0, 4, tone.shape).astype(np.float32)
    hit = seen.kind == TREE
    image[hit] = tone[seen.ident[hit]] * (1 + 0.2 * fine[hit])[:, None]


def _roofs(
    district: District, image: Any, seen: Surface, at: Sampling, fine: Any, rng: Any
) -> None:
    """Paint roofs in the colours of `facades.ROOFS` with the rows of tiles and seams."""
    parts = [(*b.parts, *b.extras) for b in district.buildings]
    age = rng.normal(1, 0.045, len(parts))
    for index, own in enumerate(parts):
        for number, part in enumerate(own):
            window = at.window(part.polygon.bounds)
            hit = (
                (seen.kind[window] == BUILDING)
                & (seen.ident[window] == index)
                & (seen.part[window] == number)
            )
            if not hit.any():
                continue
            p, q = part.own(*at.at(window))
            p, q = p[hit], q[hit]
            tone = np.array(facades.ROOFS[part.tile], np.float32) * np.float32(age[index])
            value = 1 + 0.05 * fine[window][hit]
            if part.tile in facades.TILED:
                value = value - 0.07 * ((np.abs(q) / 0.75) % 1 < 0.34)
            elif part.tile in ("blue", "copper"):
                value = value - 0.08 * ((np.abs(p) / 1.5) % 1 < 0.2)
            elif part.roof == "flat":
                value = value - 0.06 * ((p / 6.0) % 1 < 0.05) - 0.05 * ((q / 6.0) % 1 < 0.05)
                if part.parapet:
                    edge = (
                        np.maximum(np.abs(p) - part.length / 2, np.abs(q) - part.depth / 2) > -0.3
                    )
                    value = np.where(edge & (part.sides == 4), 1.14, value)
            image[window][hit] = tone * value[:, None]
    deck = seen.kind == PIER
    image[deck] = np.array(facades.ROOFS["light"], np.float32) * (1 + 0.04 * fine[deck])[:, None]


def shadows(z: NDArray[np.float32], step: float) -> NDArray[np.bool_]:
    """Return where the sun is hidden on a height raster (north row first, cells of `step` m)."""
    azimuth = np.radians(SUN_AZIMUTH)
    reach = float(z.max() - z.min()) / np.tan(np.radians(SUN_ELEVATION))
    highest = z.copy()
    span = 0.0
    move = step
    # Doubling: after k rounds `highest` holds the best of 2^k points towards the sun.
    first = True
    while span < reach:
        rows, cols = round(-np.cos(azimuth) * move / step), round(np.sin(azimuth) * move / step)
        drop = np.float32(np.hypot(rows, cols) * step * np.tan(np.radians(SUN_ELEVATION)))
        shifted = _shift(highest, rows, cols) - drop
        if first:
            highest, first = shifted, False
        else:
            np.maximum(highest, shifted, out=highest)
        span += move
        move = max(span, step)
    return np.asarray(highest > z + 0.12)


def _shift(z: NDArray[np.float32], rows: int, cols: int) -> NDArray[np.float32]:
    """Return z moved so that each cell holds the value `rows` down and `cols` right of it."""
    moved = np.full_like(z, -1e4)
    high, wide = z.shape
    to = (
        slice(max(0, -rows), min(high, high - rows)),
        slice(max(0, -cols), min(wide, wide - cols)),
    )
    source = (
        slice(max(0, rows), min(high, high + rows)),
        slice(max(0, cols), min(wide, wide + cols)),
    )
    moved[to] = z[source]
    return moved


def _shade(image: NDArray[np.float32], z: NDArray[np.float32], wet: NDArray[np.bool_]) -> None:
    """Darken what turns from the sun and what lies in shadow, with a soft edge."""
    from PIL import Image, ImageFilter

    dark = shadows(z, RESOLUTION) & ~wet
    blurred = Image.fromarray((dark * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.3))
    soft = np.asarray(blurred)
    a, e = np.radians(SUN_AZIMUTH), np.radians(SUN_ELEVATION)
    east, north, up = (
        np.float32(k) for k in (np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e))
    )
    step, steepest = np.float32(2 * RESOLUTION), np.float32(2.5)

    def light_up(rows: slice) -> None:
        near = np.arange(rows.start, rows.stop)
        above, below = z[np.maximum(near - 1, 0)], z[np.minimum(near + 1, len(z) - 1)]
        dzdv = np.clip((above - below) / step, -steepest, steepest)
        dzdu = np.zeros_like(dzdv)
        own = z[rows]
        dzdu[:, 1:-1] = np.clip((own[:, 2:] - own[:, :-2]) / step, -steepest, steepest)
        light = (up - dzdu * east - dzdv * north) / np.sqrt(1 + dzdu**2 + dzdv**2)
        light = np.clip(light * np.float32(0.6) / up, 0, np.float32(0.78))
        light *= 1 - soft[rows].astype(np.float32) * np.float32(0.86 / 255)
        # Sky light is blue, sunlight warm.
        for band, (sky, warm) in enumerate(((0.40, 1.02), (0.42, 0.99), (0.47, 0.92))):
            image[rows, :, band] *= np.float32(sky) + np.float32(warm) * light

    in_strips(len(z), light_up)


def crop(image: Bytes, bounds: tuple[float, float, float, float], size: int) -> Bytes:
    """Return a square part of the picture, resampled to `size` pixels."""
    from PIL import Image

    west, south, east, north = bounds
    box = (
        west / RESOLUTION,
        (HEIGHT - north) / RESOLUTION,
        east / RESOLUTION,
        (HEIGHT - south) / RESOLUTION,
    )
    picture = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(picture)


def colours(image: Bytes, u: Floats, v: Floats) -> Bytes:
    """Return the colour (n, 3) of the picture at local points."""
    row = np.clip(((HEIGHT - v) / RESOLUTION).astype(np.int64), 0, image.shape[0] - 1)
    col = np.clip((u / RESOLUTION).astype(np.int64), 0, round(WIDTH / RESOLUTION) - 1)
    return np.asarray(image[row, col])
