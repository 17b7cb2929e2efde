"""What lies in a part of the screen: the things that a box or a lasso touches.

Everything that is drawn there counts, also what stands behind something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.core.city import CityEntity
from plumbline.core.data import FloatArray
from plumbline.core.entities import entity_ids
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Camera, Scene
from plumbline.core.selection import part_of
from plumbline.geometry.rays import PointSet, SegmentSet, TriangleSet
from plumbline.render.camera import Size, project
from plumbline.render.picking import Candidate

if TYPE_CHECKING:
    import shapely


def things_in(
    scene: Scene,
    camera: Camera,
    size: Size,
    region: shapely.Polygon,
    candidates: Iterable[Candidate],
) -> list[EntityRef]:
    """Return what a region of the screen touches, layer by layer from the top of the tree.

    Parameters
    ----------
    region : Polygon
        Pixels from the lower left corner; it may cross itself, as a lasso does.
    candidates : iterable of Candidate
        The layers that are shown.
    """
    import shapely

    area = region if region.is_valid else shapely.make_valid(region)
    shapely.prepare(area)
    found: list[EntityRef] = []
    for candidate in candidates:
        known = set(entity_ids(scene[candidate.layer]))
        if known:
            ids = _touched(candidate, camera, size, area)
            found += [EntityRef(candidate.layer, i) for i in ids if i in known]
        found += _owners(scene, candidate.layer, camera, size, area)
    return list(dict.fromkeys(found))


def _touched(candidate: Candidate, camera: Camera, size: Size, area: shapely.Geometry) -> list[str]:
    """Return the ids of the things of a layer of which something drawn is in an area."""
    ids: list[str] = []
    for target in candidate.targets:
        if not isinstance(target.shape, TriangleSet | SegmentSet | PointSet):
            continue
        cells = target.shape.cells + (0.0, 0.0, candidate.offset)
        inside = np.flatnonzero(cells_in(cells, camera, size, area))
        if candidate.regions:
            middle = cells[inside].mean(axis=1) - (0.0, 0.0, candidate.offset)
            shown = [candidate.shows(place) for place in middle]
            inside = inside[np.array(shown, dtype=bool)]
        ids += [target.entity(n) for n in inside.tolist()]
    return list(dict.fromkeys(filter(None, ids)))


def cells_in(
    cells: FloatArray, camera: Camera, size: Size, area: shapely.Geometry
) -> NDArray[np.bool_]:
    """Tell which points, segments or triangles ``(M, 1..3, 3)`` touch an area of the screen."""
    import shapely

    count, corners = cells.shape[:2]
    seen = project(camera, cells.reshape(-1, 3), size).reshape(count, corners, 3)
    west, south, east, north = area.bounds
    low, high = seen[..., :2].min(axis=1), seen[..., :2].max(axis=1)
    # What reaches behind the viewer has no place on the screen; parallel views see behind it too.
    near = np.full(count, True) if camera.parallel else (seen[..., 2] > 0).all(axis=1)
    near &= (low[:, 0] <= east) & (high[:, 0] >= west)
    near &= (low[:, 1] <= north) & (high[:, 1] >= south)
    flat = seen[near][..., :2]
    if corners == 1:
        near[near] = shapely.intersects_xy(area, flat[:, 0, 0], flat[:, 0, 1])
        return near
    ring = np.concatenate([flat, flat[:, :1]], axis=1) if corners == 3 else flat
    touched = shapely.intersects(area, shapely.linestrings(ring))
    if corners == 3:  # the whole area may lie in one triangle
        place = np.array(area.representative_point().coords[0])
        sides = np.roll(flat, -1, axis=1) - flat
        away = place - flat
        turns = sides[..., 0] * away[..., 1] - sides[..., 1] * away[..., 0]
        touched |= (turns >= 0).all(axis=1) | (turns <= 0).all(axis=1)
    near[near] = touched
    return near


def _owners(
    scene: Scene, layer: str, camera: Camera, size: Size, area: shapely.Geometry
) -> list[EntityRef]:
    """Return the entities whose part of a surface touches an area, each by its first part."""
    import shapely

    book = scene.entity_book
    if layer not in book.surfaces:
        return []
    found = []
    for one in book.entities:
        ref = part_of(scene, one)
        if ref is None or not any(part.layer == layer for part in one.surfaces):
            continue
        seen = project(camera, prism_corners(one), size)
        if not camera.parallel and (seen[:, 2] <= 0).any():
            continue
        if shapely.intersects(area, shapely.MultiPoint(seen[:, :2]).convex_hull):
            found.append(ref)
    return found


def prism_corners(one: CityEntity) -> FloatArray:
    """Return the corners ``(N, 3)`` of an entity's outline at its ground and at its roof."""
    xy = np.array([point for rings in one.outline for ring in rings[:1] for point in ring])
    low = one.base if one.base is not None else min(p.low for p in one.surfaces)
    high = one.top if one.top is not None else max(p.high for p in one.surfaces)
    return np.concatenate([np.column_stack([xy, np.full(len(xy), z)]) for z in (low, high)])
