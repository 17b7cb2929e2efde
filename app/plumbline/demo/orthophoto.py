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
    shore,
)
from plumbline.demo.grounds import COVER
from plumbline.demo.model import District
from plumbline.demo.surface import BUILDING, PIER, TREE, WATER, Sampling, Surface, surface
from plumbline.demo.terrain import burn

RESOLUTION = 0.25

# cover: colour, fine grain, coarse blotches
_LOOK: dict[str, tuple[tuple[int, int, int], float, float]] = {
    "sea": ((40, 80, 96), 0.03, 0.05), "sand": ((214, 194, 154), 0.03, 0.05),
    "rock": ((128, 116, 100), 0.2, 0.2), "grass": ((96, 116, 62), 0.09, 0.14),
    "asphalt": ((92, 92, 94), 0.035, 0.05), "sidewalk": ((172, 164, 154), 0.04, 0.05),
    "plaza": ((190, 180, 166), 0.03, 0.05), "concrete": ((158, 154, 146), 0.04, 0.07),
    "track": ((166, 78, 60), 0.03, 0.03), "turf": ((78, 128, 62), 0.04, 0.05),
    "brick": ((154, 138, 124), 0.06, 0.08), "forest": ((84, 96, 58), 0.14, 0.2),
    "path": ((184, 170, 146), 0.05, 0.06), "earth": ((152, 138, 116), 0.08, 0.14),
    "parking": ((116, 116, 116), 0.03, 0.05), "court": ((72, 110, 128), 0.02, 0.03),
    "stone": ((172, 164, 152), 0.06, 0.05), "garden": ((100, 118, 66), 0.12, 0.18),
}  # fmt: skip
_CROWN = {
    "法桐": (86, 110, 52), "黑松": (52, 74, 44), "刺槐": (82, 106, 54), "雪松": (56, 82, 58),
    "银杏": (110, 124, 56), "樱花": (128, 118, 84), "冬青": (70, 98, 50),
}  # fmt: skip


def paint(district: District) -> Bytes:
    """Return the picture (4000, 4800, 3) at 0.25 m."""
    rng = random(district.seed, "orthophoto")
    at = Sampling.grid(RESOLUTION)
    seen = surface(district, at)
    fine, coarse, broad = (noise(at.shape, cell, rng) for cell in (1.6, 18, 160))
    image = _ground(district, at.shape, fine, coarse, broad, rng)
    height = seen.z.copy()
    _cars(district, image, height, seen, rng)
    _crowns(district, image, seen, fine, rng)
    _roofs(district, image, seen, at, fine, rng)
    wet = seen.kind == WATER
    _shade(image, height, wet)
    _sea(image, seen, at, coarse, broad, fine)
    return np.clip(image, 0, 255, out=image).astype(np.uint8)


def _ground(
    district: District, shape: tuple[int, int], fine: Any, coarse: Any, broad: Any, rng: Any
) -> NDArray[np.float32]:
    names = sorted(_LOOK, key=COVER.__getitem__)
    cover = burn(district.covers, RESOLUTION).astype(np.uint8)
    colours = np.array([_LOOK[n][0] for n in names], np.float32)
    grain = np.array([_LOOK[n][1] for n in names], np.float32)[cover]
    grain *= fine
    grain += np.array([_LOOK[n][2] for n in names], np.float32)[cover] * (
        0.6 * coarse + 0.5 * broad
    )
    grain += 1
    image = colours[cover]
    image *= grain[..., None]
    dry = np.isin(cover, [COVER["grass"], COVER["garden"], COVER["forest"]]) & (
        coarse + broad > 0.55
    )
    image[dry] *= np.array([1.16, 1.05, 0.95], np.float32)
    _patterns(image, cover)
    _markings(district, image)
    return image


def _patterns(image: NDArray[np.float32], cover: Bytes) -> None:
    """Lay slabs on the squares and stripes into the turf."""
    rows, cols = np.arange(image.shape[0])[:, None], np.arange(image.shape[1])[None, :]
    slabs = ((rows % 24 < 1) | (cols % 24 < 1)) & (cover == COVER["plaza"])
    image[slabs] *= 0.88
    mown = ((rows + cols) // 26 % 2 == 0) & (cover == COVER["turf"])
    image[mown] *= 1.09


def _px(points: Any) -> list[tuple[float, float]]:
    points = np.asarray(points, float)
    return [(x / RESOLUTION, (HEIGHT - y) / RESOLUTION) for x, y in points[:, :2]]


def _markings(district: District, image: NDArray[np.float32]) -> None:
    """Draw lane lines, stop lines, zebra crossings, parking bays and sports lines."""
    import shapely
    from PIL import Image, ImageDraw

    layer = Image.new("L", (image.shape[1], image.shape[0]), 0)
    draw = ImageDraw.Draw(layer)

    wide = [s for s in district.streets if s.carriage >= 7 and s.grade not in ("园路", "巷道")]
    tree = shapely.STRtree([s.line for s in wide])
    for street in wide:
        others = [wide[i] for i in tree.query(street.line.buffer(20)) if wide[i] is not street]
        crossing = shapely.union_all(
            [o.line.buffer(o.carriage / 2 + 5.5, cap_style="flat") for o in others]
        )
        free = street.line.difference(crossing)
        if street.carriage > 12:
            for side in (-0.25, 0.25):
                _line(draw, shapely.offset_curve(free, side), 2, None)
            for side in (-street.carriage / 4, street.carriage / 4):
                _line(draw, shapely.offset_curve(free, side), 1, (3.0, 4.5))
        elif street.carriage > 8:
            _line(draw, free, 2, None)
        else:
            _line(draw, free, 1, (2.5, 3.5))
        for side in (-1, 1):
            _line(draw, shapely.offset_curve(free, side * (street.carriage / 2 - 0.35)), 1, None)
        _zebras(draw, street, free)
    _bays(draw, district)
    _sports(draw, district)
    mark = np.asarray(layer)
    yellow = np.array([214, 178, 86], np.float32)
    where = mark == 200
    image[where] = image[where] * 0.25 + yellow * 0.75
    where = mark == 255
    image[where] = image[where] * 0.25 + 0.75 * 226


def _line(draw: Any, geometry: Any, width: int, dash: tuple[float, float] | None) -> None:
    import shapely
    from shapely.ops import substring

    for line in shapely.get_parts(geometry):
        if line.length < 1:
            continue
        if dash is None:
            draw.line(_px(line.coords), fill=200 if width > 1 else 255, width=width)
            continue
        for start in np.arange(0, line.length, sum(dash)):
            piece = substring(line, start, min(start + dash[0], line.length))
            if piece.length > 0.2:
                draw.line(_px(piece.coords), fill=255, width=width)


def _zebras(draw: Any, street: Any, free: Any) -> None:
    """Draw a zebra crossing where a stretch of street meets a junction."""
    import shapely

    for line in shapely.get_parts(free):
        if line.length < 25:
            continue
        for first, second in ((0.4, 3.6), (line.length - 0.4, line.length - 3.6)):
            a, b = (np.array(line.interpolate(k).coords[0]) for k in (first, second))
            along = (b - a) / np.hypot(*(b - a))
            across = np.array([-along[1], along[0]])
            for k in np.arange(-street.carriage / 2 + 0.6, street.carriage / 2 - 0.4, 1.1):
                draw.line(_px([a + across * k, b + across * k]), fill=255, width=2)


def _bays(draw: Any, district: District) -> None:
    """Draw parking bays on the parking grounds."""
    for shape, cover in district.covers:
        if cover != COVER["parking"] or shape.geom_type != "Polygon":
            continue
        rect = np.asarray(shape.minimum_rotated_rectangle.exterior.coords)
        edges = np.diff(rect, axis=0)
        k = int(np.argmax(np.hypot(*edges.T)))
        length = np.hypot(*edges[k])
        along, across = edges[k] / length, edges[(k + 1) % 4] / np.hypot(*edges[(k + 1) % 4])
        depth = np.hypot(*edges[(k + 1) % 4])
        for at in np.arange(2, length - 2, 2.6):
            for near in (0.3, depth - 5.3):
                a = rect[k] + along * at + across * near
                draw.line(_px([a, a + across * 5.0]), fill=255, width=1)


def _sports(draw: Any, district: District) -> None:
    import shapely

    for shape, cover in district.covers:
        if cover == COVER["track"]:
            for lane in range(1, 6):
                draw.line(_px(shape.buffer(-1.22 * lane).exterior.coords), fill=255, width=1)
        elif cover == COVER["turf"]:
            box = shape.minimum_rotated_rectangle.buffer(-4, join_style="mitre")
            corners = np.asarray(box.exterior.coords)
            draw.line(_px(corners), fill=255, width=1)
            edges = np.hypot(*np.diff(corners, axis=0).T)
            k = int(np.argmax(edges))
            ends = [
                (corners[k] + corners[k + 1]) / 2,
                (corners[(k + 2) % 4] + corners[(k + 2) % 4 + 1]) / 2,
            ]
            draw.line(_px(ends), fill=255, width=1)
            draw.line(_px(shapely.Point(box.centroid).buffer(6).exterior.coords), fill=255, width=1)
        elif cover == COVER["court"] and shape.geom_type == "Polygon":
            draw.line(
                _px(shape.buffer(-0.8, join_style="mitre").exterior.coords), fill=255, width=1
            )
            draw.line(
                _px(shapely.Point(shape.centroid).buffer(1.8).exterior.coords), fill=255, width=1
            )


_PAINT = np.array(
    [
        (232, 232, 230),
        (240, 240, 238),
        (40, 42, 46),
        (62, 64, 70),
        (164, 168, 172),
        (140, 30, 30),
        (40, 66, 110),
        (196, 190, 176),
    ],
    np.float32,
)


def _cars(
    district: District, image: NDArray[np.float32], height: Any, seen: Surface, rng: Any
) -> None:
    """Park and drive cars. They are in the picture only: no height product has them."""
    from PIL import Image, ImageDraw

    layer = Image.new("I", (image.shape[1], image.shape[0]), 0)
    draw = ImageDraw.Draw(layer)
    spots = [*_driving(district, rng), *_parked(district, rng)]
    tones = []
    for number, (u, v, angle, long) in enumerate(spots, start=1):
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        for fraction, value in (
            ((-0.5, 0.5), 3 * number),
            ((-0.28, -0.18), 3 * number + 1),
            ((0.1, 0.24), 3 * number + 1),
        ):
            ring = [
                np.array([u, v]) + along * long * f + across * 0.92 * s
                for f, s in (
                    (fraction[0], -1),
                    (fraction[1], -1),
                    (fraction[1], 1),
                    (fraction[0], 1),
                )
            ]
            draw.polygon(_px(ring), fill=value)
        tones.append(_PAINT[int(rng.integers(len(_PAINT)))])
    ids = np.asarray(layer)
    hit = (ids > 0) & ((seen.kind == 0) | (seen.kind == PIER))
    number, glass = ids[hit] // 3 - 1, ids[hit] % 3 == 1
    colour = np.array(tones, np.float32)[number]
    colour[glass] = (34, 40, 46)
    image[hit] = colour
    height[hit] += 1.45


def _driving(district: District, rng: Any) -> list[tuple[float, float, float, float]]:
    found = []
    for street in district.streets:
        if street.carriage < 7:
            continue
        lanes = [-0.35, -0.15, 0.15, 0.35] if street.carriage > 12 else [-0.25, 0.25]
        for lane in lanes:
            run = 12.0
            while run < street.line.length - 12:
                a, b = (np.array(street.line.interpolate(run + k).coords[0]) for k in (0, 1))
                angle = float(np.arctan2(*(b - a)[::-1]))
                side = np.array([np.sin(angle), -np.cos(angle)]) * lane * street.carriage
                long = 4.6 if rng.random() < 0.94 else 10.5
                found.append((a[0] + side[0], a[1] + side[1], angle, long))
                run += float(rng.gamma(1.6, 28)) + 9
    return found


def _parked(district: District, rng: Any) -> list[tuple[float, float, float, float]]:
    import shapely

    found = []
    for shape, cover in district.covers:
        if cover != COVER["parking"] or shape.geom_type != "Polygon":
            continue
        rect = np.asarray(shape.minimum_rotated_rectangle.exterior.coords)
        edges = np.diff(rect, axis=0)
        k = int(np.argmax(np.hypot(*edges.T)))
        length, depth = np.hypot(*edges[k]), np.hypot(*edges[(k + 1) % 4])
        along, across = edges[k] / length, edges[(k + 1) % 4] / depth
        angle = float(np.arctan2(across[1], across[0]))
        for at in np.arange(3.3, length - 3, 2.6):
            for near in (2.8, depth - 2.8):
                if rng.random() < 0.68:
                    p = rect[k] + along * at + across * near
                    found.append((float(p[0]), float(p[1]), angle, 4.6))
    for street in district.streets:  # along the kerb
        if not 6 < street.carriage < 9:
            continue
        line = street.line.offset_curve(street.carriage / 2 - 1.15)
        for run in np.arange(16, line.length - 16, 5.8):
            if rng.random() < 0.42:
                a, b = (shapely.get_coordinates(line.interpolate(run + k))[0] for k in (0, 1))
                found.append((float(a[0]), float(a[1]), float(np.arctan2(*(b - a)[::-1])), 4.5))
    return found


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

    dzdu = np.empty_like(z)
    dzdu[:, 1:-1] = (z[:, 2:] - z[:, :-2]) / (2 * RESOLUTION)
    dzdu[:, [0, -1]] = 0
    dzdv = np.empty_like(z)
    dzdv[1:-1] = (z[:-2] - z[2:]) / (2 * RESOLUTION)
    dzdv[[0, -1]] = 0
    np.clip(dzdu, -2.5, 2.5, out=dzdu)
    np.clip(dzdv, -2.5, 2.5, out=dzdv)
    a, e = np.radians(SUN_AZIMUTH), np.radians(SUN_ELEVATION)
    sun = np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e)
    light = (sun[2] - dzdu * np.float32(sun[0]) - dzdv * np.float32(sun[1])).astype(np.float32)
    light /= np.sqrt(1 + dzdu**2 + dzdv**2)
    np.maximum(light, 0, out=light)
    light *= np.float32(0.62 / sun[2])
    dark = shadows(z, RESOLUTION) & ~wet
    soft = Image.fromarray((dark * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.3))
    light *= 1 - np.asarray(soft, np.float32) * np.float32(0.86 / 255)
    # Sky light is blue, sunlight warm.
    for band, (sky, warm) in enumerate(((0.40, 1.02), (0.42, 0.99), (0.47, 0.92))):
        image[..., band] *= np.float32(sky) + np.float32(warm) * light


def _sea(image: Any, seen: Surface, at: Sampling, coarse: Any, broad: Any, fine: Any) -> None:
    """Paint shallow to deep water, waves, foam at the shore and wet sand."""
    depth = np.maximum(-seen.ground, 0)
    wet = seen.kind == WATER
    u = np.arange(image.shape[1]) * RESOLUTION
    away = shore(u)[None, :].astype(np.float32) - at.v.astype(np.float32)
    clear = np.exp(-depth / 1.5)[..., None]
    murk = np.exp(-depth / 5.5)[..., None]
    deep, mid = np.array([24, 66, 88], np.float32), np.array([62, 126, 126], np.float32)
    bed = np.array([176, 166, 128], np.float32)
    water = deep + (mid - deep) * murk + (bed - mid) * 0.8 * clear
    wave = np.sin(away / 3.1 + 2.2 * broad + 1.1 * coarse) * (0.5 + 0.5 * coarse)
    water *= (1 + 0.035 * wave + 0.03 * fine + 0.06 * broad)[..., None]
    lines = np.zeros_like(depth)
    for at_depth, width, strength in ((1.0, 0.9, 1.0), (7.5, 1.0, 0.75), (16.0, 0.9, 0.45)):
        run = away - at_depth - 2.6 * broad - 1.1 * coarse
        lines = np.maximum(
            lines, strength * np.exp(-((run / width) ** 2)) * (fine * 0.35 + coarse * 0.5 + 0.62)
        )
    foam = np.clip(lines, 0, 1)[..., None]
    water = water * (1 - foam) + 238 * foam
    image[wet] = water[wet]
    damp = (~wet) & (seen.kind == 0) & (seen.ground < 0.9)
    image[damp] *= (0.76 + 0.26 * np.clip(seen.ground[damp] / 0.9, 0, 1))[:, None]


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
