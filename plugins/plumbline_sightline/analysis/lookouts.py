"""Places that somebody may look from: windows, facades and roofs of layers, as points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.api import Frame, Layer, MeshData, RefusedError, VectorData, tr

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp]

#: A window is looked from this far before it, metres: outside of its wall and its reveal.
BEFORE_WINDOW = 0.5
#: Points of features may lie a little inside of the wall, metres.
_BEFORE_POINT = 0.3
_BEFORE_WALL = 0.05
#: Steeper than this a triangle is a wall, flatter a roof: the z of its unit normal.
_ROOF = 0.3
#: Points on facades and roofs of one request.
MAX_POINTS = 5_000_000


@dataclass(frozen=True)
class Lookout:
    """A window, or all walls or the roof of one entity."""

    kind: str
    entity: str
    name: str
    layer: str
    storey: str = ""


@dataclass(frozen=True)
class Lookouts:
    """Lookouts with the points they are made of.

    Attributes
    ----------
    points : (P, 3) float64
        Metres of the frame.
    normal : (P, 3) float64
        Unit, across the wall or the window, either way; 0 where none is known.
    before : (P,) float64
        How far before the point an eye is, metres.
    lookout : (P,) intp
    weight : (P,) float64
        Area that each point of a wall or a roof stands for, m²; 1 for windows.
    """

    lookouts: tuple[Lookout, ...]
    points: FloatArray
    normal: FloatArray
    before: FloatArray
    lookout: Indices
    weight: FloatArray

    def eyes_towards(self, chosen: Indices, target: FloatArray) -> FloatArray:
        """Return where eyes at points are that look at a target, ``(N, 3)``."""
        points, normal = self.points[chosen], self.normal[chosen]
        way = target - points
        side = np.sign(np.einsum("ij,ij->i", normal, way))
        flat = np.linalg.norm(normal, axis=1) == 0
        way[:, 2] = 0.0
        length = np.linalg.norm(way, axis=1)
        ahead = way / np.where(length > 0, length, 1.0)[:, None]
        step = np.where(flat[:, None], ahead, normal * side[:, None])
        eyes: FloatArray = points + step * self.before[chosen, None]
        return eyes


def _joined(parts: Sequence[Lookouts]) -> Lookouts:
    lookouts = tuple(one for part in parts for one in part.lookouts)
    starts = np.cumsum([0, *(len(part.lookouts) for part in parts)])
    return Lookouts(
        lookouts,
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.normal for part in parts]),
        np.concatenate([part.before for part in parts]),
        np.concatenate([p.lookout + n for p, n in zip(parts, starts[:-1], strict=True)]),
        np.concatenate([part.weight for part in parts]),
    )


def lookouts_of(
    windows: Sequence[tuple[Layer, frozenset[str]]],
    facades: Sequence[tuple[Layer, frozenset[str]]],
    frame: Frame,
    spacing: float,
    roof_height: float,
) -> Lookouts:
    """Return the lookouts of layers; each with the entities that a scheme hides.

    Raises
    ------
    RefusedError
        If a layer has no windows or no triangles.
    """
    parts = [_windows(layer, hidden, frame) for layer, hidden in windows]
    parts += [_facades(layer, hidden, frame, spacing, roof_height) for layer, hidden in facades]
    return _joined(parts)


def _windows(layer: Layer, hidden: frozenset[str], frame: Frame) -> Lookouts:
    data = layer.data
    if isinstance(data, VectorData) and data.has_z:
        return _features(layer, data, hidden, frame)
    if not isinstance(data, MeshData) or data.element_index is None:
        raise _no_windows(layer)
    known = [
        n
        for n, element in enumerate(data.elements)
        if element.cls == "IfcWindow" and element.id not in hidden
    ]
    points, normals, lookouts = [], [], []
    order = np.argsort(data.element_index, kind="stable")
    index = data.element_index[order]
    ends = (np.searchsorted(index, known, side=side) for side in ("left", "right"))
    for n, start, end in zip(known, *ends, strict=True):
        triangles = data.triangles[order[start:end]]
        if len(triangles) == 0:
            continue
        corners = frame.local(data.vertices[np.unique(triangles)])
        low, high = corners.min(axis=0), corners.max(axis=0)
        points.append((low + high) / 2)
        normals.append(_across(corners))
        element = data.elements[n]
        lookouts.append(Lookout("window", element.id, element.name, layer.id, element.storey))
    if not lookouts:
        raise _no_windows(layer)
    count = len(lookouts)
    return Lookouts(
        tuple(lookouts),
        np.array(points),
        np.array(normals),
        np.full(count, BEFORE_WINDOW),
        np.arange(count),
        np.ones(count),
    )


def _no_windows(layer: Layer) -> RefusedError:
    return RefusedError(
        tr("“{name}” holds no windows.", name=layer.name),
        tr("Choose a building model with windows, or points of windows with heights."),
    )


def _across(corners: FloatArray) -> FloatArray:
    """Return the level direction in which a window is thinnest; 0 where it has none."""
    flat = corners[:, :2] - corners[:, :2].mean(axis=0)
    values, vectors = np.linalg.eigh(flat.T @ flat)
    if values[1] <= 1e-12 or values[0] > 0.25 * values[1]:
        return np.zeros(3)
    return np.array([*vectors[:, 0], 0.0])


def _features(layer: Layer, data: VectorData, hidden: frozenset[str], frame: Frame) -> Lookouts:
    import shapely

    ids = data.features.index.astype(str).to_numpy()
    shapes = data.features.geometry.to_numpy()
    chosen = np.flatnonzero(
        ~(shapely.is_missing(shapes) | shapely.is_empty(shapes)) & ~np.isin(ids, list(hidden))
    )
    corners, which = shapely.get_coordinates(shapes[chosen], include_z=True, return_index=True)
    count = np.maximum(np.bincount(which, minlength=len(chosen)), 1)
    middle = np.column_stack(
        [np.bincount(which, corners[:, n], minlength=len(chosen)) / count for n in range(3)]
    )
    if len(chosen) == 0:
        raise _no_windows(layer)
    return Lookouts(
        tuple(Lookout("window", str(ids[n]), "", layer.id) for n in chosen),
        frame.local(middle),
        np.zeros((len(chosen), 3)),
        np.full(len(chosen), _BEFORE_POINT),
        np.arange(len(chosen)),
        np.ones(len(chosen)),
    )


def _facades(
    layer: Layer, hidden: frozenset[str], frame: Frame, spacing: float, roof_height: float
) -> Lookouts:
    """Return points on the walls and above the roofs of entities, at most `spacing` apart."""
    data = layer.data
    if not isinstance(data, MeshData) or len(data.triangles) == 0:
        raise RefusedError(
            tr("“{name}” has no facades.", name=layer.name), tr("Choose models or meshes.")
        )
    owner = np.full(len(data.triangles), -1)
    if data.element_index is not None:
        owner = np.asarray(data.element_index)
    air = ("IfcSpace", "IfcOpeningElement")
    gone = [element.id in hidden or element.cls in air for element in data.elements]
    chosen = np.flatnonzero(~np.array([*gone, False])[owner])
    corners = frame.local(data.vertices[data.triangles[chosen]])
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1)
    solid = length > 0
    corners, normal = corners[solid], normal[solid] / length[solid, None]
    owner, area = owner[chosen][solid], length[solid] / 2
    # Nobody looks out of what faces down.
    kept = normal[:, 2] >= -_ROOF
    corners, normal, owner, area = corners[kept], normal[kept], owner[kept], area[kept]
    points, triangle = _sampled(corners, spacing)
    roof = normal[triangle, 2] > _ROOF
    points[roof, 2] += roof_height
    before = np.where(roof, 0.0, _BEFORE_WALL)
    key = 2 * (owner[triangle] + 1) + roof
    used, lookout = np.unique(key, return_inverse=True)
    lookouts = []
    for value in used.tolist():
        n, kind = value // 2 - 1, "roof" if value % 2 else "facade"
        element = data.elements[n] if n >= 0 else None
        lookouts.append(
            Lookout(kind, element.id, element.name, layer.id, element.storey)
            if element is not None
            else Lookout(kind, "", "", layer.id)
        )
    weight = (area / np.bincount(triangle, minlength=len(area)))[triangle]
    return Lookouts(tuple(lookouts), points, normal[triangle], before, lookout, weight)


def _sampled(corners: FloatArray, spacing: float) -> tuple[FloatArray, Indices]:
    """Return middles of equal parts of triangles, no side of a part longer than `spacing`."""
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(axis=1)
    parts = np.maximum(np.ceil(sides / spacing), 1).astype(np.intp)
    if (parts.astype(np.float64) ** 2).sum() > MAX_POINTS:
        raise RefusedError(
            tr(
                "The facades would have {n:.0f} million points.",
                n=(parts.astype(np.float64) ** 2).sum() / 1e6,
            ),
            tr("Give a larger facade_spacing or fewer facades."),
        )
    points: list[FloatArray] = []
    triangles: list[Indices] = []
    for count in np.unique(parts).tolist():
        some = np.flatnonzero(parts == count)
        weights = _middles(count)
        points.append(np.einsum("kc,tcd->tkd", weights, corners[some]).reshape(-1, 3))
        triangles.append(np.repeat(some, len(weights)))
    return np.concatenate(points), np.concatenate(triangles)


def _middles(count: int) -> FloatArray:
    """Return the weights of the middles of ``count²`` equal parts of a triangle."""
    weights = []
    for i in range(count):
        for j in range(count - i):
            weights.append((i + 1 / 3, j + 1 / 3))
            if j < count - i - 1:
                weights.append((i + 2 / 3, j + 2 / 3))
    uv = np.array(weights) / count
    return np.column_stack([1 - uv.sum(axis=1), uv])
