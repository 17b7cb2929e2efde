"""Verdicts of a day's sunlight without casting: cells of receivers and times against triangles.

A cell is a block of neighbouring receivers during a stretch of the sun's course. The few triangles
that any of its rays may meet are found in a tree of boxes, once for the cell. If there are none all
its rays are lit, if one surely meets all they are dark; otherwise the rays are compared with these
triangles one by one, many at once in the registers of the processor. Cells with too many triangles
are halved in space or in time; where even small ones have too many, rays are cast.

For an edge from v to w and a ray from p in direction d, ``h = d · ((w - p) × (v - p))`` is the
edge's length times the signed distance between edge and ray times the sine of their angle. A ray
meets a triangle if all three have the sign that says that its plane lies ahead. h is linear in d
and in p, so its bounds over boxes of both are exact up to the term in both, which is added. What
passes an edge closer than the rounding of Embree's float32 is left to Embree: the verdicts are
those of casting every receiver at every sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray

#: Receivers and samples (two to this power) of the largest cells.
BLOCK, TIME_LEVEL = 128, 5

DARK, LIT, ASK = 0, 1, 2

#: Rounding of float32.
EPSILON = 2.0**-24

#: Corners of boxes that hold nothing, metres; an infinity would not survive fast arithmetic.
NOWHERE = 1e100


@dataclass(frozen=True)
class TriangleTree:
    """Boxes around triangles in a complete binary tree; node n has children 2n and 2n + 1.

    Attributes
    ----------
    corners : (M, 3, 3) float64
        Triangles along a space-filling curve, one for each leaf.
    boxes : (2L, 6) float64
        Low and high corner, wider by what rounding may move; of empty leaves low is above high.
    margin : float
        How far float32 may move a corner or an origin, metres.
    """

    corners: FloatArray
    boxes: FloatArray
    margin: float

    @classmethod
    def of(cls, corners: FloatArray, reach: float) -> TriangleTree:
        """Build the tree of triangles ``(M, 3, 3)``; `reach` bounds all coordinates from 0."""
        corners = np.ascontiguousarray(corners[curve_order(corners.mean(axis=1))])
        leaves = 1 << max(0, int(np.ceil(np.log2(max(1, len(corners))))))
        boxes = np.empty((2 * leaves, 6))
        boxes[:, :3], boxes[:, 3:] = NOWHERE, -NOWHERE
        margin = 1e-4 + 4 * EPSILON * reach
        wide = margin + 32 * EPSILON * 4 * reach
        used = slice(leaves, leaves + len(corners))
        boxes[used, :3] = corners.min(axis=1) - wide
        boxes[used, 3:] = corners.max(axis=1) + wide
        while leaves > 1:
            part = boxes[leaves : 2 * leaves].reshape(-1, 2, 6)
            leaves //= 2
            boxes[leaves : 2 * leaves, :3] = part[:, :, :3].min(axis=1)
            boxes[leaves : 2 * leaves, 3:] = part[:, :, 3:].max(axis=1)
        return cls(corners, boxes, margin)


def curve_order(points: AnyArray) -> NDArray[np.intp]:
    """Return the order of points ``(N, 3)`` along a Morton curve of 21 bits for each axis."""
    if len(points) == 0:
        return np.empty(0, dtype=np.intp)
    low = points.min(axis=0)
    span = float((points.max(axis=0) - low).max()) or 1.0
    cells = ((points - low) * ((2**21 - 1) / span)).astype(np.uint64)
    code = np.zeros(len(points), dtype=np.uint64)
    for axis in range(3):
        v = cells[:, axis]
        for shift, mask in (
            (32, 0x1F00000000FFFF),
            (16, 0x1F0000FF0000FF),
            (8, 0x100F00F00F00F00F),
            (4, 0x10C30C30C30C30C3),
            (2, 0x1249249249249249),
        ):
            v = (v | (v << np.uint64(shift))) & np.uint64(mask)
        code |= v << np.uint64(axis)
    return np.argsort(code, kind="stable")


@dataclass(frozen=True)
class TimeTree:
    """Directions of the sun bounded over aligned stretches of 1, 2, 4, … samples.

    Attributes
    ----------
    offsets : (levels,) int64
        Row ``offsets[level] + n`` stands for all instants from sample ``n * 2**level`` to sample
        ``(n + 1) * 2**level``.
    rows : (R, 15) float64
        Directions are ``middle + t * chord + rest`` with t from -1 to 1 and `rest` within a box:
        the three vectors, and the least and the greatest components.
    """

    offsets: NDArray[np.int64]
    rows: FloatArray

    @classmethod
    def of(cls, directions: FloatArray, between: int) -> TimeTree:
        """Build the tree of directions ``(F, 3)``, every `between`-th that of a sample."""
        samples = (len(directions) - 1) // between + 1
        whole = -(-samples // 2**TIME_LEVEL) * 2**TIME_LEVEL * between + 1
        # The last one is repeated to fill the tree up.
        last = np.repeat(directions[-1:], whole - len(directions), axis=0)
        padded = np.concatenate([directions, last])
        rows: list[FloatArray] = []
        offsets = [0]
        for level in range(TIME_LEVEL + 1):
            size = between * 2**level
            groups = np.lib.stride_tricks.sliding_window_view(padded, size + 1, axis=0)[::size]
            groups = groups.transpose(0, 2, 1)
            middle = (groups[:, 0] + groups[:, -1]) / 2
            chord = (groups[:, -1] - groups[:, 0]) / 2
            length = np.maximum(np.einsum("nd,nd->n", chord, chord), 1e-300)
            off = groups - middle[:, None]
            t = np.clip(np.einsum("nkd,nd->nk", off, chord) / length[:, None], -1, 1)
            rest = np.abs(off - t[..., None] * chord[:, None]).max(axis=1)
            least, greatest = groups.min(axis=1), groups.max(axis=1)
            rows.append(np.hstack([middle, chord, rest, least, greatest]))
            offsets.append(offsets[-1] + len(groups))
        return cls(np.array(offsets[:-1], dtype=np.int64), np.concatenate(rows))


def verdicts(
    tree: TriangleTree,
    directions: FloatArray,
    between: int,
    origins: FloatArray,
    wanted: NDArray[np.bool_],
) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Return `DARK`, `LIT` or `ASK` (Embree) at samples for receivers ``(K, B)``, and the changes.

    Parameters
    ----------
    directions : (F, 3) float64
        Towards the sun; every `between`-th is that of a sample.
    origins : (B, 3) float64
        In the axes of the tree; neighbours stand together.
    wanted : (K, B) bool
        Verdicts that are needed; the others are `DARK`.

    Returns
    -------
    state : (K, B) uint8
    turns : (K - 1, B) int16
        How many instants after a sample light changes; -1 where it does not, or Embree is to tell.
    """
    # Compiled at its first use: numba is not imported before that.
    from plumbline.geometry import sunlight_kernel

    state = np.zeros(wanted.shape, dtype=np.uint8)
    turns = np.full((len(wanted) - 1, wanted.shape[1]), -1, dtype=np.int16)
    times = TimeTree.of(directions, between)
    sunlight_kernel.follow(
        (tree.corners, tree.boxes, tree.margin),
        (times.offsets, times.rows),
        (np.ascontiguousarray(directions), between),
        np.ascontiguousarray(origins.T),
        wanted,
        state,
        turns,
    )
    state *= wanted  # DARK is 0
    return state, turns
