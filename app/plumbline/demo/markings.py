"""What is drawn on the ground of the orthophoto: lanes, crossings, sports lines, and cars."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.demo.grounds import COVER
from plumbline.demo.model import District
from plumbline.demo.picture import pixels
from plumbline.demo.surface import PIER, Surface


def draw_markings(district: District, image: NDArray[np.float32]) -> None:
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
            draw.line(pixels(line.coords), fill=200 if width > 1 else 255, width=width)
            continue
        for start in np.arange(0, line.length, sum(dash)):
            piece = substring(line, start, min(start + dash[0], line.length))
            if piece.length > 0.2:
                draw.line(pixels(piece.coords), fill=255, width=width)


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
                draw.line(pixels([a + across * k, b + across * k]), fill=255, width=2)


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
                draw.line(pixels([a, a + across * 5.0]), fill=255, width=1)


def _sports(draw: Any, district: District) -> None:
    import shapely

    for shape, cover in district.covers:
        if cover == COVER["track"]:
            for lane in range(1, 6):
                draw.line(pixels(shape.buffer(-1.22 * lane).exterior.coords), fill=255, width=1)
        elif cover == COVER["turf"]:
            box = shape.minimum_rotated_rectangle.buffer(-4, join_style="mitre")
            corners = np.asarray(box.exterior.coords)
            draw.line(pixels(corners), fill=255, width=1)
            edges = np.hypot(*np.diff(corners, axis=0).T)
            k = int(np.argmax(edges))
            ends = [
                (corners[k] + corners[k + 1]) / 2,
                (corners[(k + 2) % 4] + corners[(k + 2) % 4 + 1]) / 2,
            ]
            draw.line(pixels(ends), fill=255, width=1)
            draw.line(
                pixels(shapely.Point(box.centroid).buffer(6).exterior.coords), fill=255, width=1
            )
        elif cover == COVER["court"] and shape.geom_type == "Polygon":
            draw.line(
                pixels(shape.buffer(-0.8, join_style="mitre").exterior.coords), fill=255, width=1
            )
            draw.line(
                pixels(shapely.Point(shape.centroid).buffer(1.8).exterior.coords), fill=255, width=1
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


def draw_cars(
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
            draw.polygon(pixels(ring), fill=value)
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
