"""Feature edges: where a surface ends or bends, as a person would draw them.

The edges of the triangles that a flat wall happens to be cut into are not among them, and an edge
that a tessellation cut into pieces is whole again, so that its middle is the middle of the wall.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray

#: Corners nearer than this are one, in the unit of the coordinates.
SAME = 1e-4
#: Two triangles that meet at a smaller angle make one flat or smoothly bent face, degrees.
CREASE = 20.0

_Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Features:
    """Feature edges ``(E, 2, 3)`` and the thing ``(E,)`` that each belongs to."""

    edges: FloatArray
    owner: NDArray[np.intp]


def feature_edges(
    vertices: FloatArray, triangles: AnyArray, owner: AnyArray, degrees: float = CREASE
) -> Features:
    """Return the boundary and crease edges of things, each thing by itself.

    Parameters
    ----------
    vertices : (N, 3) float64
    triangles : (M, 3) integer
    owner : (M,) integer
        The thing that each triangle belongs to; things that touch keep their own edges.
    """
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(normals, axis=1)
    solid = size > SAME**2
    corners, owner, normals = corners[solid], np.asarray(owner)[solid], normals[solid]
    if len(corners) == 0:
        return Features(np.empty((0, 2, 3)), np.empty(0, dtype=np.intp))
    normals /= size[solid][:, None]
    place = _places(corners.reshape(-1, 3) - corners[0, 0]).reshape(-1, 3)
    pairs = np.concatenate([place[:, [0, 1]], place[:, [1, 2]], place[:, [2, 0]]])
    ends = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    face = np.tile(np.arange(len(corners)), 3)
    swap = pairs[:, 0] > pairs[:, 1]
    pairs[swap], ends[swap] = pairs[swap][:, ::-1], ends[swap][:, ::-1]
    key = _mixed([owner[face], pairs[:, 0], pairs[:, 1]])
    order = np.argsort(key, kind="stable")
    starts = np.nonzero(np.r_[True, key[order][1:] != key[order][:-1]])[0]
    counts = np.diff(np.r_[starts, len(key)])
    sharp = counts != 2
    twins = starts[~sharp]
    one, two = normals[face[order[twins]]], normals[face[order[twins + 1]]]
    # Whichever way the triangles are wound.
    sharp[~sharp] = np.abs(np.einsum("ij,ij->i", one, two)) < np.cos(np.radians(degrees))
    chosen = order[starts[sharp]]
    chosen = chosen[pairs[chosen, 0] != pairs[chosen, 1]]
    return _whole(ends[chosen], pairs[chosen], owner[face[chosen]].astype(np.intp))


def _places(points: FloatArray) -> _Keys:
    """Return a number for each point, the same for points in the same place."""
    cells = np.round(points / SAME).astype(np.int64)
    return _mixed(list(cells.T))


def _mixed(columns: list[Any]) -> _Keys:
    """Return a 64-bit number for each row of integers (the finaliser of SplitMix64).

    Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA.
    """
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        mixed ^= np.asarray(column).astype(np.uint64)
        mixed += np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _whole(ends: FloatArray, pairs: _Keys, owner: NDArray[np.intp]) -> Features:
    """Join edges that run on in one line through a corner where nothing else meets."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(ends)
    if count == 0:
        return Features(ends, owner)
    corner = _mixed([np.tile(owner, 2), pairs.T.ravel()])
    edge = np.tile(np.arange(count), 2)
    far = np.concatenate([ends[:, 1] - ends[:, 0], ends[:, 0] - ends[:, 1]])
    order = np.argsort(corner, kind="stable")
    starts = np.nonzero(np.r_[True, corner[order][1:] != corner[order][:-1]])[0]
    meets = np.diff(np.r_[starts, len(corner)])
    first = order[starts[meets == 2]]
    second = order[starts[meets == 2] + 1]
    lengths = np.linalg.norm(far[first], axis=1) * np.linalg.norm(far[second], axis=1)
    straight = np.einsum("ij,ij->i", far[first], far[second]) < -(1 - 1e-7) * lengths
    a, b = edge[first[straight]], edge[second[straight]]
    links = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    groups, label = connected_components(links, directed=False)
    # The ends of a line are those that are farthest along it.
    along = ends[np.unique(label, return_index=True)[1]]
    direction = along[:, 1] - along[:, 0]
    points = ends.reshape(-1, 3)
    group = np.repeat(label, 2)
    reach = np.einsum("ij,ij->i", points - along[group, 0], direction[group])
    low, high = np.full(groups, -1), np.full(groups, -1)
    by_reach = np.argsort(reach, kind="stable")
    high[group[by_reach]] = by_reach
    low[group[by_reach[::-1]]] = by_reach[::-1]
    whole = np.stack([points[low], points[high]], axis=1)
    return Features(whole, owner[np.unique(label, return_index=True)[1]])
