"""The classified coloured point cloud, sampled from the true surfaces with noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from plumbline.demo import facades
from plumbline.demo.frame import CRS, HEIGHT, ORIGIN, WIDTH, Bytes, random
from plumbline.demo.model import District
from plumbline.demo.orthophoto import colours
from plumbline.demo.surface import BUILDING, GROUND, PIER, TREE, WATER, Sampling, surface

PITCH = 0.7
"""Mean spacing in m of the first returns."""
SIGMA = 0.02
"""Standard deviation in m of the height noise (and of the distance noise on walls)."""
CLASS = {
    "ground": 2,
    "low vegetation": 3,
    "high vegetation": 5,
    "building": 6,
    "water": 9,
    "pier": 17,
}


def write(district: District, photo: Bytes, path: Path) -> dict[int, int]:
    """Write the LAZ file and return how many points each class has."""
    rng = random(district.seed, "cloud")
    points = _first_returns(district, rng)
    points = _join(points, _walls(district, rng))
    order = np.argsort(
        np.floor(points["v"] / 20) * 1000 + np.floor(points["u"] / 20), kind="stable"
    )
    points = {name: values[order] for name, values in points.items()}
    _save(points, photo, rng, path)
    classes, counts = np.unique(points["class"], return_counts=True)
    return {int(c): int(n) for c, n in zip(classes, counts, strict=True)}


def _sampling(rng: np.random.Generator) -> Sampling:
    """Return points near the cells of a grid: as even as a scanner's, never in rows."""
    grid = Sampling.grid(PITCH, (0.0, 0.0, WIDTH // PITCH * PITCH, HEIGHT // PITCH * PITCH))
    shake = PITCH * 0.45
    u = grid.u + rng.uniform(-shake, shake, grid.shape)
    v = grid.v + rng.uniform(-shake, shake, grid.shape)
    return Sampling(u, v, grid.west, grid.north, PITCH, shake)


def _first_returns(district: District, rng: np.random.Generator) -> dict[str, Any]:
    at = _sampling(rng)
    seen = surface(district, at)
    keep = (seen.kind != WATER) | (rng.random(at.shape) < 0.08)  # most light is lost on water
    u, v, z = at.u[keep], at.v[keep], seen.z[keep].astype(float)
    kind, ident, below = seen.kind[keep], seen.ident[keep], seen.ground[keep].astype(float)
    crown = kind == TREE
    heights = np.array([t.height for t in district.trees] or [0.0])
    shrub = crown & (heights[np.maximum(ident, 0)] < 2.0)
    high = crown & ~shrub
    # Light enters a crown a little before it comes back; some of it reaches the ground.
    z[high] -= np.minimum(rng.exponential(0.25, int(high.sum())), 0.4 * (z - below)[high])
    label = np.select(
        [kind == BUILDING, shrub, crown, kind == PIER, kind == WATER],
        [
            CLASS["building"],
            CLASS["low vegetation"],
            CLASS["high vegetation"],
            CLASS["pier"],
            CLASS["water"],
        ],
        CLASS["ground"],
    )
    through = high & (rng.random(len(u)) < 0.35)
    count = np.where(through, 2, 1)
    strength = np.select(
        [kind == GROUND, kind == BUILDING, crown, kind == WATER], [620, 780, 420, 90], 700
    )
    first = {
        "u": u,
        "v": v,
        "z": z + rng.normal(0, SIGMA, len(u)),
        "class": label,
        "return": np.ones(len(u), int),
        "returns": count,
        "intensity": strength * rng.uniform(0.75, 1.25, len(u)),
        "shade": np.ones(len(u)),
        "tone": np.zeros((len(u), 3)),
    }
    n = int(through.sum())
    last = {
        "u": u[through],
        "v": v[through],
        "z": below[through] + rng.normal(0, SIGMA, n),
        "class": np.full(n, CLASS["ground"]),
        "return": np.full(n, 2),
        "returns": np.full(n, 2),
        "intensity": 300 * rng.uniform(0.75, 1.25, n),
        "shade": np.full(n, 0.55),
        "tone": np.zeros((n, 3)),
    }
    return _join(first, last)


def _walls(district: District, rng: np.random.Generator) -> dict[str, Any]:
    """Return sparse points on the walls, as slanting pulses leave them."""
    ends, low, high, tone = [], [], [], []
    for building in district.buildings:
        for part in building.parts:
            ring = part.corners
            for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                ends.append((*a, *b))
                low.append(building.base)
                tone.append(facades.WALLS[building.facade])
                high.append(building.base + part.eaves)
    wall, bottom, top = np.array(ends), np.array(low), np.array(high)
    length = np.hypot(wall[:, 2] - wall[:, 0], wall[:, 3] - wall[:, 1])
    count = rng.poisson(length * (top - bottom) * 0.4)
    pick = np.repeat(np.arange(len(wall)), count)
    along, up = rng.random(len(pick)), rng.random(len(pick))
    out = rng.normal(0.01, SIGMA, len(pick)) / length[pick]
    du, dv = (wall[:, 2] - wall[:, 0])[pick], (wall[:, 3] - wall[:, 1])[pick]
    n = len(pick)
    return {
        "u": wall[pick, 0] + along * du + out * dv,
        "v": wall[pick, 1] + along * dv - out * du,
        "z": bottom[pick] + up * (top - bottom)[pick],
        "class": np.full(n, CLASS["building"]),
        "return": np.ones(n, int),
        "returns": np.ones(n, int),
        "intensity": 500 * rng.uniform(0.7, 1.3, n),
        "shade": np.full(n, -1.0),
        "tone": np.array(tone)[pick],
    }


def _join(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    return {name: np.concatenate([a[name], b[name]]) for name in a}


def _save(points: dict[str, Any], photo: Bytes, rng: np.random.Generator, path: Path) -> None:
    """Write LAS 1.4, point format 7, with the CRS as WKT."""
    import datetime

    import laspy
    import pyproj

    header = laspy.LasHeader(point_format=7, version="1.4")
    header.scales = np.full(3, 0.001)
    header.offsets = np.array([ORIGIN[0], ORIGIN[1], 0.0])
    header.creation_date = datetime.date(2026, 1, 1)
    header.generating_software = "Plumbline demo"
    header.system_identifier = "synthetic"
    header.add_crs(pyproj.CRS.from_user_input(CRS))
    cloud = laspy.LasData(header)
    cloud.x = points["u"] + ORIGIN[0]
    cloud.y = points["v"] + ORIGIN[1]
    cloud.z = points["z"]
    cloud.classification = points["class"].astype(np.uint8)
    cloud.return_number = points["return"].astype(np.uint8)
    cloud.number_of_returns = points["returns"].astype(np.uint8)
    cloud.intensity = (points["intensity"] * 40).astype(np.uint16)
    n = len(points["u"])
    cloud.gps_time = np.arange(n) * 2e-6 + 1.0e8
    colour = _colour(points, photo, rng)
    for band, name in enumerate(("red", "green", "blue")):
        cloud[name] = colour[:, band]
    cloud.write(path)


def _colour(points: dict[str, Any], photo: Bytes, rng: np.random.Generator) -> Any:
    rgb = colours(photo, points["u"], points["v"]).astype(float)
    shade = points["shade"]
    rgb *= np.where(shade < 0, 1.0, shade)[:, None]
    wall = shade < 0
    light = rng.normal(0.86, 0.06, (int(wall.sum()), 1))
    # A third of the wall is window.
    dark = np.where(rng.random((int(wall.sum()), 1)) < 0.33, 0.45, 1.0)
    rgb[wall] = points["tone"][wall] * light * dark
    return (np.clip(rgb, 0, 255) * 257).astype(np.uint16)
