"""Setbacks to boundary lines, frontage along building lines, and distances between buildings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from plumbline_schemes.analysis.buildings import Building

#: Walls that run along a building line turn from it by less than this, degrees.
ALONG = 15.0


@dataclass(frozen=True)
class Boundary:
    """A line that buildings keep off, or the edge of an area, on the map of the frame."""

    id: str
    kind: str
    shape: Any


@dataclass(frozen=True)
class Setback:
    """The nearest points of a building and a boundary, metres; 0 where they meet."""

    building: Building
    boundary: Boundary
    distance: float
    at: tuple[float, float]
    foot: tuple[float, float]


def setbacks(buildings: Sequence[Building], boundaries: Sequence[Boundary]) -> list[Setback]:
    """Return the setback of every building to every boundary."""
    found = []
    for building in buildings:
        for boundary in boundaries:
            line = shapely.shortest_line(building.footprint, boundary.shape)
            if line is None:
                continue
            (x0, y0), (x1, y1) = shapely.get_coordinates(line)[:2].tolist()
            found.append(Setback(building, boundary, float(line.length), (x0, y0), (x1, y1)))
    return found


def outlines(site: Any) -> list[Boundary]:
    """Return the outlines of the parcels of a site; a hole is an outline too."""
    found = []
    for n, parcel in enumerate(shapely.get_parts(site), 1):
        found.append(Boundary(f"{n}", "parcel", parcel.exterior))
        found += [
            Boundary(f"{n}.{k}", "parcel", hole) for k, hole in enumerate(parcel.interiors, 1)
        ]
    return found


def built_along(line: Any, buildings: Sequence[Building], depth: float) -> float:
    """Return the length of a building line along which walls stand.

    A wall counts where it is no farther from the line than `depth` and runs along it; what two
    walls cover counts once.
    """
    built = 0.0
    outlines = [ring for b in buildings for ring in _rings(b.footprint)]
    walls = np.concatenate([_segments(ring) for ring in outlines]) if outlines else np.empty((0, 4))
    for part in shapely.get_parts(line):
        for start, end in pairwise(shapely.get_coordinates(part)):
            built += _covered(start, end, walls, depth)
    return built


def _rings(shape: Any) -> list[Any]:
    return [r for p in shapely.get_parts(shape) for r in (p.exterior, *p.interiors)]


def _segments(ring: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    points = shapely.get_coordinates(ring)
    return np.column_stack([points[:-1], points[1:]])


def _covered(start: Any, end: Any, walls: Any, depth: float) -> float:
    """Return the length of one straight piece that walls cover."""
    length = float(np.hypot(*(end - start)))
    if length == 0 or len(walls) == 0:
        return 0.0
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    from_, to = walls[:, :2] - start, walls[:, 2:] - start
    t = np.column_stack([from_ @ along, to @ along])
    d = np.column_stack([from_ @ across, to @ across])
    run, drift = np.abs(t[:, 1] - t[:, 0]), np.abs(d[:, 1] - d[:, 0])
    level = (run > 0) & (drift <= np.tan(np.radians(ALONG)) * run)
    spans = [
        _within(t[k], d[k], depth, length)
        for k in np.flatnonzero(level & (np.abs(d).min(axis=1) <= depth + drift))
    ]
    covered, reach = 0.0, 0.0
    for low, high in sorted(span for span in spans if span[1] > span[0]):
        covered += max(high - max(low, reach), 0.0)
        reach = max(reach, high)
    return covered


def _within(t: Any, d: Any, depth: float, length: float) -> tuple[float, float]:
    """Return the part of a wall, as a span of the line, that is no farther off than `depth`."""
    low, high = 0.0, 1.0
    change = d[1] - d[0]
    for sign in (1.0, -1.0):
        # sign * (d0 + s * change) <= depth
        slope, room = sign * change, depth - sign * d[0]
        if abs(slope) < 1e-12:
            if room < -1e-9:
                return 0.0, 0.0
        elif slope > 0:
            high = min(high, room / slope)
        else:
            low = max(low, room / slope)
    if high <= low:
        return 0.0, 0.0
    ends = sorted((t[0] + low * (t[1] - t[0]), t[0] + high * (t[1] - t[0])))
    return max(float(ends[0]), 0.0), min(float(ends[1]), length)


def distances(
    buildings: Sequence[Building], limit: float
) -> list[tuple[Building, Building, float]]:
    """Return the pairs of buildings that are no farther apart than a limit, the nearest first."""
    if len(buildings) < 2:
        return []
    shapes = [building.footprint for building in buildings]
    tree = shapely.STRtree(shapes)
    first, second = tree.query(shapes, predicate="dwithin", distance=limit)
    pairs = [
        (float(shapely.distance(shapes[i], shapes[j])), int(i), int(j))
        for i, j in zip(first, second, strict=True)
        if i < j
    ]
    return [(buildings[i], buildings[j], apart) for apart, i, j in sorted(pairs)]
