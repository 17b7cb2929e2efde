"""Pipes and cables as tubes: lines with a thickness in metres, mitred where they bend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray

#: Sides of a tube: round enough for the eye, few enough for a city.
SIDES = 12
#: Bends sharper than this are cut straight: a mitre would run far out (cosine to the mitre plane).
SHARPEST = 0.3


@dataclass(frozen=True)
class Tubes:
    """Triangles of tubes.

    Attributes
    ----------
    points, normals : (N, 3) float64
    triangles : (M, 3) intp
    segment : (M,) intp
        Segment that each triangle belongs to.
    """

    points: FloatArray
    normals: FloatArray
    triangles: NDArray[np.intp]
    segment: NDArray[np.intp]


def tubes(ends: FloatArray, radius: FloatArray, line: NDArray[np.intp]) -> Tubes:
    """Return tubes around segments, closed at both ends of each line.

    Parameters
    ----------
    ends : (S, 2, 3) float64
        Segments, those of a line one after the other; none without a length.
    radius : (S,) float64
        In the unit of the coordinates.
    line : (S,) intp
        Line of each segment.
    """
    axis = ends[:, 1] - ends[:, 0]
    axis = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    planes = _mitres(ends, axis, line)
    # Seen along its axis a circle is spanned by two directions across it.
    up = np.where(np.abs(axis[:, 2:]) < 0.99, (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    side = np.cross(axis, up)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    turn = 2 * np.pi * np.arange(SIDES) / SIDES
    out = (
        side[:, None] * np.cos(turn)[:, None]
        + np.cross(side, axis)[:, None] * np.sin(turn)[:, None]
    )
    ring = ends[:, :, None] + radius[:, None, None, None] * out[:, None]
    # Along the axis onto the mitre: (S, end, side, xyz).
    offset = np.einsum("sekx,sex->sek", ends[:, :, None] - ring, planes)
    along = offset / np.einsum("sx,sex->se", axis, planes)[..., None]
    points = ring + along[..., None] * axis[:, None, None]
    normals = np.broadcast_to(out[:, None], points.shape)
    triangles, segment = _faces(line)
    return Tubes(points.reshape(-1, 3), normals.reshape(-1, 3).copy(), triangles, segment)


def _mitres(ends: FloatArray, axis: FloatArray, line: NDArray[np.intp]) -> FloatArray:
    """Return the normals ``(S, 2, 3)`` of the planes that end each segment."""
    planes = np.repeat(axis[:, None], 2, axis=1)
    joined = np.flatnonzero((line[1:] == line[:-1]) & (ends[1:, 0] == ends[:-1, 1]).all(axis=1))
    middle = axis[joined] + axis[joined + 1]
    length = np.linalg.norm(middle, axis=1, keepdims=True)
    middle = np.divide(middle, length, out=np.zeros_like(middle), where=length > 0)
    gentle = np.einsum("ij,ij->i", middle, axis[joined]) > SHARPEST
    planes[joined[gentle], 1] = middle[gentle]
    planes[joined[gentle] + 1, 0] = middle[gentle]
    return planes


def _faces(line: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the walls of all segments, and a lid at the first and the last end of each line."""
    count = len(line)
    k = np.arange(SIDES)
    after = (k + 1) % SIDES
    a, b = k, after
    c, d = k + SIDES, after + SIDES
    wall = np.concatenate([np.column_stack([a, c, b]), np.column_stack([b, c, d])])
    fan = np.column_stack([np.zeros(SIDES - 2, dtype=np.intp), k[1:-1], k[2:]])
    start = 2 * SIDES * np.arange(count)
    new = np.r_[True, line[1:] != line[:-1]] if count else np.empty(0, bool)
    end = np.r_[new[1:], True] if count else new
    firsts, lasts = np.flatnonzero(new), np.flatnonzero(end)
    parts = [
        (start[:, None, None] + wall).reshape(-1, 3),
        (start[firsts, None, None] + fan).reshape(-1, 3),
        (start[lasts, None, None] + fan[:, ::-1] + SIDES).reshape(-1, 3),
    ]
    segment = [
        np.repeat(np.arange(count), len(wall)),
        np.repeat(firsts, len(fan)),
        np.repeat(lasts, len(fan)),
    ]
    return np.concatenate(parts).astype(np.intp), np.concatenate(segment)
