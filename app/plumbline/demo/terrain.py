"""The ground: analytic hills and shore, streets graded into it, level platforms under buildings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.demo.frame import HEIGHT, WIDTH, Floats, shore
from plumbline.demo.model import Building, Street

HILLS = (
    # amplitude m, centre u, centre v, sigma u, sigma v
    (50.0, 905.0, 840.0, 165.0, 140.0),
    (24.0, 120.0, 900.0, 150.0, 125.0),
    (9.0, 150.0, 585.0, 75.0, 70.0),
)
SEA_DEPTH, SEA_FALL = 7.0, 55.0
FORMULA = (
    "u = E - 533600, v = N - 3992900, d = v - shore(u) with shore as in plumbline.demo.frame; "
    "sea, d < 0: z = -7 (1 - exp(d / 55)); land: z = 3.2 (1 - exp(-d / 14)) + 0.022 d + "
    "(1 - exp(-d / 60)) (sum over hills of A exp(-((u - u0)^2 / 2 su^2 + (v - v0)^2 / 2 sv^2)) + "
    "1.2 sin(u / 95) cos(v / 120)); hills (A, u0, v0, su, sv): " + str(HILLS)
)


def natural(u: Floats | float, v: Floats | float) -> Floats:
    """Return the height in m of the untouched ground at local points."""
    u, v = np.asarray(u, float), np.asarray(v, float)
    d = v - shore(u)
    inland = np.maximum(d, 0)
    hills = 1.2 * np.sin(u / 95) * np.cos(v / 120)
    for height, u0, v0, su, sv in HILLS:
        hills = hills + height * np.exp(-((u - u0) ** 2 / 2 / su**2 + (v - v0) ** 2 / 2 / sv**2))
    land = 3.2 * (1 - np.exp(-inland / 14)) + 0.022 * inland + (1 - np.exp(-inland / 60)) * hills
    sea = -SEA_DEPTH * (1 - np.exp(np.minimum(d, 0) / SEA_FALL))
    return np.asarray(np.where(d < 0, sea, land))


def cell_centres() -> tuple[Floats, Floats]:
    """Return local u (columns) and v (rows, north first) of the 1 m cell centres."""
    return np.arange(WIDTH) + 0.5, HEIGHT - np.arange(HEIGHT) - 0.5


def grade(streets: list[Street]) -> Floats:
    """Return the ground (1000, 1200) with every street level across and blended into the land."""
    import shapely
    from scipy.ndimage import gaussian_filter
    from scipy.spatial import cKDTree

    u, v = cell_centres()
    z = natural(u[None, :], v[:, None])
    paved = [s for s in streets if s.grade != "园路"]
    marks: dict[float, list[Floats]] = {}
    for street in paved:
        steps = np.arange(0, street.line.length + 1, 1.0)
        line = shapely.get_coordinates(shapely.line_interpolate_point(street.line, steps))
        marks.setdefault(street.width / 2, []).append(line)
    row, col = np.nonzero(burn([(s.line.buffer(s.width / 2 + 11), 1) for s in paved]))
    where = np.column_stack([u[col], v[row]])
    # The street whose edge is nearest rules at a junction.
    best, target = np.full(len(where), np.inf), np.zeros(len(where))
    for half, lines in sorted(marks.items()):
        own = np.vstack(lines)
        level = natural(own[:, 0], own[:, 1])
        distance, nearest = cKDTree(own).query(where, distance_upper_bound=half + 10)
        closer = distance - half < best
        best[closer] = distance[closer] - half
        target[closer] = level[nearest[closer]]
    weight = np.zeros(z.shape)
    weight[row, col] = _fade(best, 1.0, 9.0)
    level_at = z.copy()
    level_at[row, col] = np.where(np.isfinite(best), target, z[row, col])
    graded = z + weight * (level_at - z)
    # Junctions of streets at different heights become ramps instead of steps.
    return np.asarray(graded + weight * (gaussian_filter(graded, 2.5) - graded))


def raise_island(ground: Floats, u: float, v: float, radius: float, level: float) -> Floats:
    """Return the ground with a made round island, level on top and 2 m steep at its rim."""
    grid_u, grid_v = np.meshgrid(*cell_centres())
    away = np.hypot(grid_u - u, grid_v - v)
    weight = np.clip((radius + 2 - away) / 2, 0, 1)
    return np.asarray(ground + weight * (level - ground))


def platforms(ground: Floats, buildings: list[Building], streets: list[Street]) -> Floats:
    """Set every building on a level platform and return the new ground.

    Writes `Building.base`: the mean height of the graded ground under it, in whole centimetres.
    Buildings that touch each other (towers in their podium) share one platform.
    """
    from scipy.ndimage import distance_transform_edt

    group = _touching(buildings)
    owner = burn(
        [(b.footprint, int(group[i]) + 1) for i, b in enumerate(buildings)], all_touched=True
    )
    index = owner.ravel()
    total = np.bincount(index, ground.ravel(), len(buildings) + 1)
    count = np.bincount(index, minlength=len(buildings) + 1)
    for i, building in enumerate(buildings):
        own = group[i] + 1
        building.base = round(float(total[own] / max(count[own], 1)), 2)
    bases = np.zeros(len(buildings) + 1)
    bases[group + 1] = [b.base for b in buildings]
    distance, (row, col) = distance_transform_edt(owner == 0, return_indices=True)
    level = bases[owner[row, col]]
    road = burn([(s.polygon, 1) for s in streets]) > 0
    away = distance_transform_edt(~road)
    weight = _fade(distance, 1.5, 7.0)
    weight *= np.where(distance <= 1.5, 1.0, np.clip(away / 4, 0, 1))
    return np.asarray(ground + weight * (level - ground))


def _touching(buildings: list[Building]) -> NDArray[np.int64]:
    """Return the number of the group of touching buildings that each one belongs to."""
    import shapely
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    shapes = [b.footprint for b in buildings]
    near = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=0.5)
    links = coo_matrix((np.ones(near.shape[1]), near), shape=(len(shapes), len(shapes)))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def burn(
    shapes: list[tuple[Any, int]],
    resolution: float = 1.0,
    *,
    all_touched: bool = False,
    bounds: tuple[float, float, float, float] = (0.0, 0.0, WIDTH, HEIGHT),
) -> NDArray[np.int32]:
    """Return local polygons with their number as raster of the district (or of `bounds`)."""
    from rasterio import Affine
    from rasterio.features import rasterize

    west, south, east, north = bounds
    shape = (round((north - south) / resolution), round((east - west) / resolution))
    if not shapes:
        return np.zeros(shape, np.int32)
    return np.asarray(
        rasterize(
            shapes,
            shape,
            transform=Affine(resolution, 0, west, 0, -resolution, north),
            all_touched=all_touched,
            dtype="int32",
        )
    )


def _fade(distance: Floats, inner: float, outer: float) -> Floats:
    """Return 1 up to `inner`, 0 from `outer` on, a smooth step between."""
    x = np.clip((outer - distance) / (outer - inner), 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def sample(ground: Floats, u: Floats, v: Floats) -> Floats:
    """Return heights in m at local points, bilinear between cell centres."""
    rows, cols = ground.shape
    x = np.clip(np.asarray(u, float) - 0.5, 0, cols - 1.000001)
    y = np.clip(HEIGHT - np.asarray(v, float) - 0.5, 0, rows - 1.000001)
    i, j = y.astype(np.int64), x.astype(np.int64)
    fx, fy = x - j, y - i
    top = ground[i, j] * (1 - fx) + ground[i, j + 1] * fx
    low = ground[i + 1, j] * (1 - fx) + ground[i + 1, j + 1] * fx
    return np.asarray(top * (1 - fy) + low * fy)
