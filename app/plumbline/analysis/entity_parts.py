"""What of a layer belongs to which footprint: things of models by surface, the rest by cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.city import SurfacePart
from plumbline.core.data import AnyArray, BimData, FloatArray, MeshData, PointCloudData
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer
from plumbline.core.tiles import TilesData
from plumbline.geometry.prism import Columns, Cut, cut_by_outline

#: Share of what a thing covers on the map that a footprint has to hold for the two to be one; and
#: of a footprint that a mesh has to cover, which the crown of a tree beside it does not.
SHARE = 0.5
#: The roof is the height that this share of the covered ground does not exceed: chimneys, aerials
#: and branches above it do not count.
ROOF = 0.98
#: Footprints of one cell of this size are cut from one reading of a tree of tiles, CRS units.
CELL = 200.0
#: The ground is looked for this far around an outline, metres.
AROUND = 2.0
_BLOCK = 1_000_000


@dataclass(frozen=True)
class Measured:
    """The part of a surface above an outline; its roof and the ground beside it (z, project CRS).

    `foot` is the lowest of the surface above the outline and close around it: the walls of a
    capture often stand outside of the outline.
    """

    part: SurfacePart
    roof: float
    foot: float


def owners_of_models(
    data: MeshData,
    shapes: NDArray[np.object_],
    ids: Mapping[str, int],
    feedback: Feedback,
) -> Iterator[tuple[int, str]]:
    """Yield the number of the footprint and the id of each element that belongs to it.

    Parameters
    ----------
    ids : mapping
        Numbers of footprints by their ids: a thing of the same id is theirs wherever it lies.
    """
    import shapely

    if data.element_index is None or len(data.triangles) == 0:
        return
    root = _roots(data)
    owned = np.flatnonzero(np.asarray(data.element_index) >= 0)
    corners = data.vertices[np.asarray(data.triangles)[owned]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # What it covers on the map decides; walls, which cover nothing, where there is nothing else.
    weight = np.abs(normal[:, 2]) + 1e-6 * np.linalg.norm(normal, axis=1)
    feedback.check()
    middle = shapely.points(corners.mean(axis=1)[:, :2])
    group = root[np.asarray(data.element_index)[owned]]
    total = np.bincount(group, weight, minlength=len(data.elements))
    tree = shapely.STRtree(shapes)
    triangle, footprint = tree.query(middle, predicate="intersects")
    pairs, place = np.unique(
        np.column_stack([group[triangle], footprint]), axis=0, return_inverse=True
    )
    inside = np.bincount(place.reshape(-1), weight[triangle], minlength=len(pairs))
    owner = np.full(len(data.elements), -1)
    best = SHARE * total
    for (thing, number), area in zip(pairs.tolist(), inside.tolist(), strict=True):
        if area > best[thing]:
            owner[thing], best[thing] = number, area
    for n in np.unique(root).tolist():
        owner[n] = ids.get(data.elements[n].id, owner[n])
    drawn = np.zeros(len(data.elements), dtype=bool)
    drawn[np.unique(np.asarray(data.element_index)[owned])] = True
    for n, element in enumerate(data.elements):
        if owner[root[n]] >= 0 and (drawn[n] or root[n] == n):
            yield int(owner[root[n]]), element.id


def _roots(data: MeshData) -> NDArray[np.intp]:
    """Return the element that stands for each: its building in IFC, else its topmost ancestor."""
    number = {element.id: n for n, element in enumerate(data.elements)}
    buildings = {storey.building for storey in data.storeys} if isinstance(data, BimData) else set()
    parents = {element.id: element.parent for element in data.elements}
    if isinstance(data, BimData):
        parents = {**parents, **data.spatial}
    roots = np.arange(len(data.elements))
    first_of: dict[str, int] = {}
    for n, element in enumerate(data.elements):
        chain = [element.id]
        while (above := parents.get(chain[-1], "")) and above not in chain:
            chain.append(above)
        building = next((one for one in chain if one in buildings), "")
        if building:
            roots[n] = first_of.setdefault(building, number.get(building, n))
        elif not isinstance(data, BimData):
            roots[n] = number[next(one for one in reversed(chain) if one in number)]
    return roots


def meshes_above(
    layer: Layer,
    shapes: NDArray[np.object_],
    around: NDArray[np.object_],
    feedback: Feedback,
) -> Iterator[tuple[int, Measured]]:
    """Yield what of a mesh or of tiles covers each outline, by the number of the outline.

    Parameters
    ----------
    around : (N,) geometries
        Where the ground of each is looked for.
    """
    data = layer.data
    if isinstance(data, MeshData):
        numbers = np.arange(len(shapes))
        yield from _of_mesh(layer.id, data, shapes, around, numbers, feedback)
        return
    assert isinstance(data, TilesData)
    import shapely

    box = data.bounds
    bounds = shapely.bounds(around)
    if box is None:
        return
    near = np.flatnonzero(
        (bounds[:, 0] <= box.xmax) & (bounds[:, 2] >= box.xmin)
        & (bounds[:, 1] <= box.ymax) & (bounds[:, 3] >= box.ymin)
    )  # fmt: skip
    cells = np.floor(bounds[near, :2] / CELL).astype(np.int64)
    found, cell_of = np.unique(cells, axis=0, return_inverse=True)
    for n in range(len(found)):
        part = feedback.part(n / len(found), (n + 1) / len(found))
        mine = near[cell_of.reshape(-1) == n]
        low, high = bounds[mine, :2].min(axis=0), bounds[mine, 2:].max(axis=0)
        part_box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        mesh = data.mesh(part_box, feedback=part).mesh
        yield from _of_mesh(layer.id, mesh, shapes, around, mine, part)


def _of_mesh(
    layer: str,
    data: MeshData,
    shapes: NDArray[np.object_],
    around: NDArray[np.object_],
    numbers: NDArray[np.intp],
    feedback: Feedback,
) -> Iterator[tuple[int, Measured]]:
    import shapely

    columns = Columns(data.vertices, data.triangles)
    for n, number in enumerate(numbers.tolist()):
        if n % 50 == 0:
            feedback.check()
        cut = cut_by_outline(data.vertices, data.triangles, shapes[number], columns)
        corners = corners_of(data, cut)
        if covered(corners).sum() >= SHARE * shapely.area(shapes[number]):
            part = SurfacePart(
                layer,
                len(corners),
                "triangles",
                float(corners[..., 2].min()),
                float(corners[..., 2].max()),
            )
            beside = cut_by_outline(data.vertices, data.triangles, around[number], columns)
            foot = float(corners_of(data, beside)[..., 2].min())
            yield number, Measured(part, _roof(corners), foot)


def corners_of(data: MeshData, cut: Cut) -> FloatArray:
    """Return the corners ``(N, 3, 3)`` of the triangles of a cut."""
    triangles: AnyArray = np.asarray(data.triangles)
    pieces = cut.weights @ data.vertices[triangles[cut.owner]]
    corners: FloatArray = np.concatenate([data.vertices[triangles[cut.whole]], pieces])
    return corners


def _roof(corners: FloatArray) -> float:
    """Return the height that all but the highest of the covered ground stays below."""
    z = corners[..., 2].max(axis=1)
    order = np.argsort(z, kind="stable")
    area = np.cumsum(covered(corners)[order])
    return float(z[order][np.searchsorted(area, ROOF * area[-1])])


def covered(corners: FloatArray) -> FloatArray:
    """Return what each triangle ``(N, 3, 3)`` covers on the map, square units of the CRS."""
    a, b = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    area: FloatArray = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    return area


def clouds_above(
    layer: Layer,
    shapes: NDArray[np.object_],
    around: NDArray[np.object_],
    feedback: Feedback,
) -> Iterator[tuple[int, Measured]]:
    """Yield which points stand above each outline, by the number of the outline."""
    inside = _heights(layer, shapes, feedback)
    beside = inside if around is shapes else _heights(layer, around, feedback)
    for number in sorted(inside):
        z = inside[number]
        part = SurfacePart(layer.id, len(z), "points", float(z.min()), float(z.max()))
        # A point of a cloud may lie anywhere below; the lowest few do not count.
        foot = float(np.quantile(beside[number], 1 - ROOF))
        yield number, Measured(part, float(np.quantile(z, ROOF)), foot)


def _heights(
    layer: Layer, shapes: NDArray[np.object_], feedback: Feedback
) -> dict[int, NDArray[np.float64]]:
    """Return z of the points above each outline, by the number of the outline."""
    import shapely

    data = layer.data
    assert isinstance(data, PointCloudData)
    tree = shapely.STRtree(shapes)
    box = shapely.total_bounds(shapes)
    heights: dict[int, list[NDArray[np.float64]]] = {}
    for points, _ in data.blocks(_BLOCK):
        feedback.check()
        near = points[((points[:, :2] >= box[:2]) & (points[:, :2] <= box[2:])).all(axis=1)]
        point, footprint = tree.query(shapely.points(near[:, :2]), predicate="intersects")
        order = np.argsort(footprint, kind="stable")
        numbers, starts = np.unique(footprint[order], return_index=True)
        for number, z in zip(
            numbers.tolist(), np.split(near[point[order], 2], starts[1:]), strict=True
        ):
            heights.setdefault(number, []).append(z)
    return {number: np.concatenate(z) for number, z in heights.items()}
