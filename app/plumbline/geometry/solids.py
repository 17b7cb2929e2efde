"""Volumes of meshes: exact where they are closed, and what a leaky one encloses.

A closed mesh is a sum of signed tetrahedra (Zhang and Chen 2001, *Efficient feature extraction for
2D/3D objects in mesh representation*). A leaky one encloses what its generalized winding number
says, where that is above one half (Jacobson, Kavan and Sorkine-Hornung 2013, *Robust inside-outside
segmentation using generalized winding numbers*). Its holes are first closed by fans, so that the
tetrahedra give nearly all of it; voxels only carry the difference between the fans and the winding
number, near the holes. Coordinates are equal metres on all axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray

#: Corners nearer than this are one, metres.
WELD = 1e-5
#: Open sides beyond which a mesh is a soup that encloses nothing that could be told.
MAX_OPEN = 50_000
#: Pairs of voxel and open side that are evaluated for one mesh.
_PAIRS = 40_000_000
#: Open sides among which corners are sought that lie on other sides.
_JUNCTIONS = 4_000


@dataclass(frozen=True)
class Solid:
    """What a mesh encloses.

    Attributes
    ----------
    volume : float or None
        m³; None where it encloses nothing that could be told.
    area : float
        Area of its triangles, m².
    closed : bool
        Every side of a triangle has its neighbour.
    method : str
        ``tetrahedra``, ``winding number`` or ``none``.
    turned : int
        Triangles that faced the wrong way and were turned.
    inverted : bool
        All of a part faced inwards.
    open_length : float
        Length of the sides without a neighbour, metres.
    leak_area : float
        Area of fans over the holes, m².
    uncertainty : float or None
        0 for a closed mesh; else half the width of the range that holes leave, m³.
    """

    volume: float | None
    area: float
    closed: bool
    method: str
    turned: int = 0
    inverted: bool = False
    open_length: float = 0.0
    leak_area: float = 0.0
    uncertainty: float | None = 0.0


def triangle_areas(corners: FloatArray) -> FloatArray:
    """Return the area ``(M,)`` of triangles ``(M, 3, 3)``."""
    sides = corners[:, 1:] - corners[:, :1]
    areas: FloatArray = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2
    return areas


def tetrahedra(corners: FloatArray) -> FloatArray:
    """Return the signed volume ``(M,)`` of the tetrahedra from triangles to the origin."""
    cross = np.cross(corners[:, 1], corners[:, 2])
    volumes: FloatArray = np.einsum("ij,ij->i", corners[:, 0], cross) / 6
    return volumes


def solid_of(corners: FloatArray) -> Solid:
    """Return what triangles ``(M, 3, 3)`` enclose, metres.

    Cavities are closed parts that face inwards inside another part; a part that faces inwards and
    lies in no other is turned, and that is said.
    """
    area = float(triangle_areas(corners).sum()) if len(corners) else 0.0
    # Near the origin: the products of large coordinates would cost digits.
    origin = corners.reshape(-1, 3).mean(axis=0) if len(corners) else np.zeros(3)
    points, faces = weld(corners - origin)
    if len(faces) < 2:
        return Solid(None, area, False, "none", uncertainty=None)
    chain = boundary(faces)
    turned = 0
    if len(chain):
        faces, turned = _turn(faces)
        chain = boundary(faces)
    if len(chain):
        chain = _without_junctions(points, chain)
    if len(chain) > MAX_OPEN:
        length = _lengths(points, chain)
        return Solid(None, area, False, "none", turned, False, length, uncertainty=None)
    if len(chain) == 0:
        volume, inverted = _closed_volume(points, faces)
        return Solid(volume, area, True, "tetrahedra", turned, inverted)
    return replace(_leaky(points, faces, chain), area=area, turned=turned)


def weld(corners: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return points and triangles of a soup ``(M, 3, 3)``; triangles without area are left out."""
    flat = corners.reshape(-1, 3)
    _, first, number = np.unique(
        np.rint(flat / WELD).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    faces = number.reshape(-1, 3)
    a, b, c = faces.T
    return flat[first], faces[(a != b) & (b != c) & (c != a)]


def boundary(faces: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the sides ``(K, 2)`` that no other triangle runs through in the other direction."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return _cancel(sides)


def _cancel(sides: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return what is left of directed sides when opposite ones cancel."""
    low, high = sides.min(axis=1), sides.max(axis=1)
    sign = np.where(sides[:, 0] == low, 1, -1)
    _, first, number = np.unique(
        np.column_stack([low, high]), axis=0, return_index=True, return_inverse=True
    )
    total = np.bincount(number.ravel(), sign, len(first)).astype(np.intp)
    pairs = np.column_stack([low, high])[first]
    directed = np.where(total[:, None] > 0, pairs, pairs[:, ::-1])
    left: NDArray[np.intp] = np.repeat(directed, np.abs(total), axis=0)
    return left


def _lengths(points: FloatArray, chain: NDArray[np.intp]) -> float:
    return float(np.linalg.norm(points[chain[:, 1]] - points[chain[:, 0]], axis=1).sum())


def _turn(faces: NDArray[np.intp]) -> tuple[NDArray[np.intp], int]:
    """Turn triangles so that neighbours agree, as few as possible in each connected part.

    Each triangle is two nodes, as it is and turned; neighbours that run through their side in
    opposite directions connect like with like, others like with unlike.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(faces)
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    owner = np.tile(np.arange(count), 3)
    low, high = sides.min(axis=1), sides.max(axis=1)
    forward = sides[:, 0] == low
    order = np.lexsort((high, low))
    low, high, owner, forward = low[order], high[order], owner[order], forward[order]
    new = np.r_[True, (low[1:] != low[:-1]) | (high[1:] != high[:-1])]
    start = np.flatnonzero(new)
    pair = start[np.diff(np.r_[start, len(low)]) == 2]
    one, two, unlike = owner[pair], owner[pair + 1], forward[pair] == forward[pair + 1]
    shift = np.where(unlike, count, 0)
    row = np.r_[one, one + count]
    column = np.r_[two + shift, two + count - shift]
    graph = coo_array((np.ones(len(row), bool), (row, column)), (2 * count, 2 * count))
    _, label = connected_components(graph, directed=False)
    as_is, other = label[:count], label[count:]
    # Both of a pair of parts hold the same triangles; the one that keeps more of them wins.
    kept = np.bincount(as_is, minlength=int(label.max()) + 1)
    turn = (kept[other] > kept[as_is]) | ((kept[other] == kept[as_is]) & (other < as_is))
    result = np.where(turn[:, None], faces[:, ::-1], faces)
    return result, int(turn.sum())


def _without_junctions(points: FloatArray, chain: NDArray[np.intp]) -> NDArray[np.intp]:
    """Cut open sides at the open corners that lie on them; what then cancels was no hole.

    Exporters leave such T-junctions where one large triangle meets several small ones.
    """
    if len(chain) > _JUNCTIONS:
        return chain
    corners = np.unique(chain)
    places = points[corners]
    parts = []
    for a, b in chain:
        along = points[b] - points[a]
        length = float(np.linalg.norm(along))
        t = (places - points[a]) @ along / length**2
        away = np.linalg.norm(places - points[a] - t[:, None] * along, axis=1)
        on = (away < 2 * WELD) & (t * length > WELD) & ((1 - t) * length > WELD)
        stops = np.r_[a, corners[on][np.argsort(t[on])], b]
        parts.append(np.column_stack([stops[:-1], stops[1:]]))
    return _cancel(np.concatenate(parts))


def _components(count: int, pairs: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the number of the connected part of each of `count` nodes."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (count, count))
    labels: NDArray[np.intp] = connected_components(graph, directed=False)[1].astype(np.intp)
    return labels


def _closed_volume(points: FloatArray, faces: NDArray[np.intp]) -> tuple[float, bool]:
    """Return the volume of closed parts, and whether one of them faced inwards."""
    part = _components(len(points), faces[:, [0, 1, 1, 2]].reshape(-1, 2))[faces[:, 0]]
    names, part = np.unique(part, return_inverse=True)
    volumes = np.bincount(part, tetrahedra(points[faces]), len(names))
    inwards = np.flatnonzero(volumes < 0)
    inverted = False
    for n in inwards:
        outer = part != n
        inside = False
        if outer.any() and len(inwards) < len(names):
            place = points[faces[part == n][:1]].mean(axis=1)
            inside = abs(winding_numbers(place, points[faces[outer]])[0]) > 0.5
        if not inside:
            volumes[n] *= -1
            inverted = True
    return float(volumes.sum()), inverted


# -- leaky meshes ------------------------------------------------------------------------------


def _leaky(points: FloatArray, faces: NDArray[np.intp], chain: NDArray[np.intp]) -> Solid:
    corners = points[faces]
    fans = _fans(points, chain)
    leak = float(triangle_areas(fans).sum())
    length = _lengths(points, chain)
    whole = np.concatenate([corners, fans])
    filled = float(tetrahedra(whole).sum())
    inverted = filled < 0
    if inverted:
        whole, fans, filled = whole[:, ::-1], fans[:, ::-1], -filled
    missing, edge = _beyond_fans(whole, fans)
    volume = max(0.0, filled + missing)
    doubt = max(abs(missing), leak * edge / 2)
    return Solid(volume, 0.0, False, "winding number", 0, inverted, length, leak, doubt)


def _fans(points: FloatArray, chain: NDArray[np.intp]) -> FloatArray:
    """Return triangles ``(K, 3, 3)`` that close a chain, each connected part around its middle."""
    corners, local = np.unique(chain, return_inverse=True)
    local = local.reshape(-1, 2)
    loop = _components(len(corners), local)[local[:, 0]]
    middle = points[chain].mean(axis=1)
    weight = np.linalg.norm(points[chain[:, 1]] - points[chain[:, 0]], axis=1)
    total = np.bincount(loop, weight)
    centre = np.column_stack(
        [np.bincount(loop, weight * middle[:, axis]) / total for axis in range(3)]
    )
    return np.stack([points[chain[:, 1]], points[chain[:, 0]], centre[loop]], axis=1)


def _beyond_fans(whole: FloatArray, fans: FloatArray) -> tuple[float, float]:
    """Return by how much the winding number's inside exceeds the closed mesh, and the voxel's edge.

    Parameters
    ----------
    whole : (M, 3, 3)
        The mesh with its holes closed by `fans` ``(K, 3, 3)``.
    """
    low, high = whole.min(axis=(0, 1)), whole.max(axis=(0, 1))
    cells = np.clip(_PAIRS / len(fans), 16**3, 96**3)
    span = np.maximum(high - low, 1e-9)
    edge = float(max((np.prod(span) / cells) ** (1 / 3), span.max() / 512))
    counts = np.ceil(span / edge).astype(np.intp) + 1
    # Off any corner by an irrational share: no plumb line runs through an edge.
    start = low - edge * np.array([0.41421356, 0.73205081, 0.23606798])
    columns = np.zeros((counts[0], counts[1], counts[2]), np.int32)
    _scan()(whole, start, edge, columns)
    inside = np.flatnonzero(np.ones(columns.shape, bool))
    places = start + edge * (np.column_stack(np.unravel_index(inside, columns.shape)) + 0.5)
    integer = columns.ravel().astype(np.float64)
    leaky = integer - winding_numbers(places, fans)
    return float(((leaky > 0.5).astype(float) - integer).sum()) * edge**3, edge


def winding_numbers(places: FloatArray, corners: FloatArray) -> FloatArray:
    """Return the generalized winding number ``(N,)`` of triangles ``(M, 3, 3)`` at places.

    Solid angles by van Oosterom and Strackee 1983 (IEEE Trans. Biomed. Eng. 30: 125-126).
    """
    result = np.zeros(len(places))
    _angles()(np.ascontiguousarray(places), np.ascontiguousarray(corners), result)
    return result


@cache
def _angles() -> Callable[..., None]:
    import numba

    @numba.njit(nogil=True)
    def angles(places, corners, result):  # type: ignore[no-untyped-def]
        for i in range(len(places)):
            total = 0.0
            px, py, pz = places[i, 0], places[i, 1], places[i, 2]
            for j in range(len(corners)):
                ax, ay, az = corners[j, 0, 0] - px, corners[j, 0, 1] - py, corners[j, 0, 2] - pz
                bx, by, bz = corners[j, 1, 0] - px, corners[j, 1, 1] - py, corners[j, 1, 2] - pz
                cx, cy, cz = corners[j, 2, 0] - px, corners[j, 2, 1] - py, corners[j, 2, 2] - pz
                a = np.sqrt(ax * ax + ay * ay + az * az)
                b = np.sqrt(bx * bx + by * by + bz * bz)
                c = np.sqrt(cx * cx + cy * cy + cz * cz)
                up = ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx)
                ab = ax * bx + ay * by + az * bz
                bc = bx * cx + by * cy + bz * cz
                ca = cx * ax + cy * ay + cz * az
                total += np.arctan2(up, a * b * c + ab * c + bc * a + ca * b)
            result[i] = total / (2 * np.pi)

    return angles  # type: ignore[no-any-return]


@cache
def _scan() -> Callable[..., None]:
    """Return the scan that counts, for each voxel, the faces above it: down less up."""
    import numba

    @numba.njit(nogil=True)
    def scan(corners, start, edge, counts):  # type: ignore[no-untyped-def]
        nx, ny, nz = counts.shape
        for j in range(len(corners)):
            x = (corners[j, :, 0] - start[0]) / edge - 0.5
            y = (corners[j, :, 1] - start[1]) / edge - 0.5
            z = (corners[j, :, 2] - start[2]) / edge - 0.5
            det = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
            if det == 0.0:
                continue
            for column in range(max(0, int(np.ceil(x.min()))), min(nx - 1, int(x.max())) + 1):
                for row in range(max(0, int(np.ceil(y.min()))), min(ny - 1, int(y.max())) + 1):
                    u = ((column - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (row - y[0])) / det
                    v = ((x[1] - x[0]) * (row - y[0]) - (column - x[0]) * (y[1] - y[0])) / det
                    if u < 0.0 or v < 0.0 or u + v > 1.0:
                        continue
                    height = z[0] + u * (z[1] - z[0]) + v * (z[2] - z[0])
                    top = min(nz, int(np.ceil(height)))
                    # A face that looks up ends the solid: what is below it is inside.
                    for level in range(top):
                        counts[column, row, level] += 1 if det > 0.0 else -1

    return scan  # type: ignore[no-any-return]
