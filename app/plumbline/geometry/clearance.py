"""Smallest distances between bodies of triangles, exact, for thousands of pairs of bodies at once.

Every body has a binary tree of boxes. For each pair of bodies one walk down both trees towards the
nearest boxes gives a first distance; then all pairs of boxes that could still hold something nearer
are opened, the most promising first. What is not nearer is never looked at, so that a query costs
about the depth of the trees. All pairs of bodies walk together, which is what makes it fast in
NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.feedback import Feedback

Indices = NDArray[np.intp]

#: What is nearer by less than this is not looked for, metres: parallel faces are full of it.
TOLERANCE = 1e-9
#: Triangles in a leaf.
LEAF = 2
#: Pairs of boxes that are opened at a time, at least and at most; pairs of triangles that are
#: measured at a time.
_BATCH, _LARGE, _TRIANGLES = 500, 100_000, 10_000


@dataclass(frozen=True)
class Nearest:
    """Smallest distance of each pair of bodies.

    Attributes
    ----------
    distance : (K,) float64
        inf where it is more than the limit.
    a, b : (K, 3) float64
        Where it is taken, on the first and the second body; NaN where the distance is inf.
    """

    distance: FloatArray
    a: FloatArray
    b: FloatArray


class Bodies:
    """Bodies of triangles, each with a tree of boxes.

    Segments and points are triangles whose corners coincide.

    Parameters
    ----------
    corners : (M, 3, 3) float64
        Triangles, corners, coordinates; relative to an origin nearby, in one unit.
    owner : (M,) integer
        Body of each triangle, 0 to `count` - 1; every body has at least one.
    """

    def __init__(self, corners: FloatArray, owner: AnyArray, count: int) -> None:
        order = _curve_order(corners, owner, count)
        self.corners = corners[order]
        sizes = np.bincount(owner, minlength=count)
        if (sizes == 0).any():
            raise ValueError("a body without triangles has no distance")
        last = np.cumsum(sizes)
        low, high = self.corners.min(axis=1), self.corners.max(axis=1)
        self.lows, self.highs = low, high
        #: First and end of the triangles of each node, and its first child (-1: a leaf).
        begins, ends, children, lows, highs = [], [], [], [], []
        slabs: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        a, b, c = (self.corners[:, n] for n in range(3))
        # Sums from the first triangle on: the normals of any run of triangles are a difference.
        facing = np.concatenate([np.zeros((1, 3)), np.cumsum(np.cross(b - a, c - a), axis=0)])
        begin, end, total = last - sizes, last, 0
        while len(begin):
            split = end - begin > LEAF
            begins.append(begin)
            ends.append(end)
            total += len(begin)
            child = np.full(len(begin), -1)
            child[split] = total + 2 * np.arange(split.sum())
            children.append(child)
            lows.append(_reduce(np.minimum, low, begin, end))
            highs.append(_reduce(np.maximum, high, begin, end))
            middle_of_box = (lows[-1] + highs[-1]) / 2
            slabs.append(
                _slabs(self.corners, begin, end, facing[end] - facing[begin], middle_of_box)
            )
            first, stop = begin[split], end[split]
            middle = (first + stop) // 2
            begin = np.column_stack([first, middle]).ravel()
            end = np.column_stack([middle, stop]).ravel()
        self.begin, self.end = np.concatenate(begins), np.concatenate(ends)
        self.child = np.concatenate(children)
        self.low, self.high = np.concatenate(lows), np.concatenate(highs)
        self.size = np.linalg.norm(self.high - self.low, axis=1)
        self.center, self.axis, self.thickness = (
            np.concatenate([level[n] for level in slabs]) for n in range(3)
        )

    def reach(self, node: Indices, line: FloatArray) -> FloatArray:
        """Return how far nodes reach from their centres along lines of unit length, at most.

        A patch of a smooth surface is a thin slab: across it this is far less than its box.
        """
        across = np.abs(_dot(self.axis[node], line))
        along = np.sqrt(np.maximum(1.0 - across**2, 0.0))
        reach: FloatArray = across * self.thickness[node] + along * self.size[node] / 2
        return reach

    @property
    def boxes(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper corners of the bodies' boxes, for every node; the roots come first."""
        return self.low, self.high


def _reduce(function: np.ufunc, values: FloatArray, begin: Indices, end: Indices) -> FloatArray:
    """Reduce rows over ranges that follow each other, perhaps with gaps."""
    padded = np.concatenate([values, values[-1:]])
    reduced: FloatArray = function.reduceat(padded, np.column_stack([begin, end]).ravel(), axis=0)
    return reduced[::2]


def _slabs(
    corners: FloatArray, begin: Indices, end: Indices, facing: FloatArray, middle: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return for each range of triangles a slab that holds it: centre, unit axis, half thickness.

    The axis is the mean normal, which makes the slab thin; any other would be as true.
    """
    length = np.linalg.norm(facing, axis=1)
    axis = facing / np.where(length > 0, length, 1.0)[:, None]
    axis[length == 0] = (0.0, 0.0, 1.0)
    node = np.repeat(np.arange(len(begin)), end - begin)
    index = np.arange(len(node)) + np.repeat(
        begin - np.r_[0, np.cumsum(end - begin)[:-1]], end - begin
    )
    height = _dot(corners[index] - middle[node][:, None], axis[node][:, None])
    first = np.r_[0, np.cumsum(end - begin)[:-1]]
    low = np.minimum.reduceat(height.min(axis=1), first)
    high = np.maximum.reduceat(height.max(axis=1), first)
    # A hair thicker: rounding must not cut anything off.
    thickness = (high - low) / 2 * (1 + 1e-12)
    return middle + ((low + high) / 2)[:, None] * axis, axis, thickness


def _curve_order(corners: FloatArray, owner: AnyArray, count: int) -> Indices:
    """Return triangles by body and, within it, along a Morton curve through the body's box."""
    centers = corners.mean(axis=1)
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, owner, centers)
    np.maximum.at(high, owner, centers)
    span = (high - low).max(axis=1)
    scale = (2**20 - 1) / np.where(span > 0, span, 1.0)
    cells = ((centers - low[owner]) * scale[owner][:, None]).astype(np.uint64)
    code = np.zeros(len(cells), dtype=np.uint64)
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
    return np.lexsort((code, owner))


def nearest(
    first: Bodies,
    second: Bodies,
    pairs: AnyArray,
    limit: float = np.inf,
    feedback: Feedback | None = None,
) -> Nearest:
    """Return the smallest distance of each pair of bodies.

    Parameters
    ----------
    first, second : Bodies
        May be the same object; coordinates relative to the same origin.
    pairs : (K, 2) integer
        A body of `first` and a body of `second`.
    limit : float
        Pairs farther apart than this are not measured.
    feedback : Feedback, optional
        Cancelling.
    """
    feedback = feedback or Feedback()
    search = _Search(first, second, np.asarray(pairs, dtype=np.intp).reshape(-1, 2), limit)
    search.descend()
    search.open_rest(feedback)
    return search.result()


class _Search:
    def __init__(self, first: Bodies, second: Bodies, pairs: Indices, limit: float) -> None:
        self.first, self.second, self.pairs = first, second, pairs
        # Just beyond the limit, so that a pair at the limit counts.
        self.best = np.full(len(pairs), limit + 2 * TOLERANCE)
        self.found = np.zeros(len(pairs), dtype=bool)
        self.a, self.b = (np.full((len(pairs), 3), np.nan) for _ in "ab")

    def result(self) -> Nearest:
        # What is nearer than the tolerance touches.
        distance = np.where(self.best < TOLERANCE, 0.0, self.best)
        return Nearest(np.where(self.found, distance, np.inf), self.a, self.b)

    def worth(self, pair: Indices | slice = slice(None)) -> FloatArray:
        """Return how near something must be to be worth a look."""
        distance: FloatArray = self.best[pair] - TOLERANCE
        return distance

    def descend(self) -> None:
        """Walk to one leaf of each body, always into the nearer half."""
        pair = np.flatnonzero(self.gap(self.pairs[:, 0], self.pairs[:, 1]) < self.worth())
        a, b = self.pairs[pair, 0].copy(), self.pairs[pair, 1].copy()
        while True:
            left, right = self.halves(a, b)
            if len(left) + len(right) == 0:
                break
            one = self.first.child[a[left]]
            a[left] = self.nearer(one, b[left], one + 1, b[left])[0]
            two = self.second.child[b[right]]
            b[right] = self.nearer(a[right], two, a[right], two + 1)[1]
        for start in range(0, len(pair), _TRIANGLES):
            part = slice(start, start + _TRIANGLES)
            self.measure(pair[part], a[part], b[part])

    def halves(self, a: Indices, b: Indices) -> tuple[Indices, Indices]:
        """Return where the first and where the second node is to be opened: the larger one."""
        open_a, open_b = self.first.child[a] >= 0, self.second.child[b] >= 0
        larger = self.first.size[a] >= self.second.size[b]
        left = open_a & (larger | ~open_b)
        return np.flatnonzero(left), np.flatnonzero(open_b & ~left)

    def nearer(self, a1: Indices, b1: Indices, a2: Indices, b2: Indices) -> tuple[Indices, Indices]:
        """Return the nearer of two pairs of nodes; where boxes overlap, by their centres."""
        gap1, gap2 = self.gap(a1, b1), self.gap(a2, b2)
        second = (gap2 < gap1) | ((gap2 == gap1) & (self.apart(a2, b2) < self.apart(a1, b1)))
        return np.where(second, a2, a1), np.where(second, b2, b1)

    def apart(self, a: Indices, b: Indices) -> FloatArray:
        across = self.first.low[a] + self.first.high[a] - self.second.low[b] - self.second.high[b]
        distance: FloatArray = np.einsum("ij,ij->i", across, across)
        return distance

    def gap(self, a: Indices, b: Indices) -> FloatArray:
        """Return the distance between boxes: no two triangles in them are nearer."""
        one, two = self.first, self.second
        apart = np.maximum(two.low[b] - one.high[a], one.low[a] - two.high[b])
        distance: FloatArray = np.linalg.norm(np.maximum(apart, 0.0), axis=1)
        return distance

    def line(self, pair: Indices) -> FloatArray:
        """Return the direction of the best line so far, 0 where there is none."""
        line = np.nan_to_num(self.b[pair] - self.a[pair])
        length = np.linalg.norm(line, axis=1)
        direction: FloatArray = line / np.where(length > 0, length, 1.0)[:, None]
        return direction

    def ahead(self, pair: Indices, a: Indices, b: Indices) -> FloatArray:
        """Return how far apart slabs are at least along the best line so far.

        Where two smooth surfaces face each other boxes overlap in all but the smallest patches;
        across the line between them slabs do not.
        """
        line = self.line(pair)
        apart = _dot(self.second.center[b] - self.first.center[a], line)
        gap: FloatArray = apart - self.first.reach(a, line) - self.second.reach(b, line)
        return gap

    def open_rest(self, feedback: Feedback) -> None:
        """Open every pair of nodes that could hold something nearer than what is known."""
        pair = np.arange(len(self.pairs))
        rest = [(pair, self.pairs[:, 0], self.pairs[:, 1])]
        while rest:
            feedback.check()
            pair, a, b = rest.pop()
            gap = self.gap(a, b)
            keep = np.flatnonzero(gap < self.worth(pair))
            keep = keep[self.ahead(pair[keep], a[keep], b[keep]) < self.worth(pair[keep])]
            keep = keep[np.argsort(gap[keep], kind="stable")]
            # The nearest go on to their leaves first: what they find spares most of the others,
            # which wait in ever larger heaps so that none is looked at often.
            batch = int(np.clip(len(self.pairs), _BATCH, _LARGE))
            heaps = [batch * 2**n for n in range(1, 40) if batch * 2**n < 2 * len(keep)]
            for start, stop in reversed(list(zip([batch, *heaps], heaps, strict=False))):
                later = keep[start:stop]
                rest.append((pair[later], a[later], b[later]))
            keep = keep[:batch]
            if len(keep):
                rest += self.opened(pair[keep], a[keep], b[keep])

    def opened(
        self, pair: Indices, a: Indices, b: Indices
    ) -> list[tuple[Indices, Indices, Indices]]:
        """Measure pairs of leaves, and return the halves of the others."""
        left, right = self.halves(a, b)
        leaf = np.setdiff1d(np.arange(len(pair)), np.r_[left, right], assume_unique=True)
        gap = self.gap(a[leaf], b[leaf])
        for start in range(0, len(leaf), _TRIANGLES // LEAF**2):
            some = slice(start, start + _TRIANGLES // LEAF**2)
            # Nearest first: what an earlier part found may spare a later one.
            part = leaf[some][gap[some] < self.worth(pair[leaf[some]])]
            self.measure(pair[part], a[part], b[part])
        if len(left) + len(right) == 0:
            return []
        one, two = self.first.child[a[left]], self.second.child[b[right]]
        return [
            (
                np.concatenate([pair[left], pair[left], pair[right], pair[right]]),
                np.concatenate([one, one + 1, a[right], a[right]]),
                np.concatenate([b[left], b[left], two, two + 1]),
            )
        ]

    def measure(self, pair: Indices, a: Indices, b: Indices) -> None:
        """Measure the triangles of pairs of leaves."""
        if len(pair) == 0:
            return
        p = np.minimum(self.first.begin[a][:, None] + np.arange(LEAF), self.first.end[a, None] - 1)
        q = np.minimum(
            self.second.begin[b][:, None] + np.arange(LEAF), self.second.end[b, None] - 1
        )
        p, q = np.repeat(p, LEAF, axis=1).ravel(), np.tile(q, LEAF).ravel()
        owner = np.repeat(pair, LEAF**2)
        near = self.promising(owner, p, q)
        if len(near) == 0:
            return
        owner, p, q = owner[near], p[near], q[near]
        distance, on_p, on_q = triangle_distances(self.first.corners[p], self.second.corners[q])
        order = np.lexsort((distance, owner))
        leads = order[np.r_[True, owner[order][1:] != owner[order][:-1]]]
        leads = leads[distance[leads] < self.best[owner[leads]]]
        target = owner[leads]
        self.best[target], self.found[target] = distance[leads], True
        self.a[target], self.b[target] = on_p[leads], on_q[leads]

    def promising(self, owner: Indices, p: Indices, q: Indices) -> Indices:
        """Return the triangles that no plane across the best line so far keeps apart far enough."""
        p_corners, q_corners = self.first.corners[p], self.second.corners[q]
        line = self.line(owner)
        # Three at a time: reductions over short axes are slow.
        on_p, on_q = _dot(p_corners, line[:, None]).T, _dot(q_corners, line[:, None]).T
        ahead = np.minimum(np.minimum(on_q[0], on_q[1]), on_q[2])
        ahead -= np.maximum(np.maximum(on_p[0], on_p[1]), on_p[2])
        one, two = self.first, self.second
        apart = np.maximum(
            two.lows[q] - one.highs[p],
            one.lows[p] - two.highs[q],
        )
        boxes = np.linalg.norm(np.maximum(apart, 0.0), axis=1)
        return np.flatnonzero(np.maximum(ahead, boxes) < self.worth(owner))


def triangle_distances(p: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the smallest distance between triangles, pair by pair, and where it is taken.

    The distance of two triangles is taken between two edges, or between a corner of one and the
    inside of the other, or it is 0 where an edge of one passes through the other. Triangles may be
    segments or points.

    Parameters
    ----------
    p, q : (N, 3, 3) float64

    Returns
    -------
    distance : (N,) float64
    on_p, on_q : (N, 3) float64
    """
    parts = [_edges(p, q), _through(p, q), _corners(p, q)]
    parts += [(d, y, x) for d, x, y in (_through(q, p), _corners(q, p))]
    distance = np.concatenate([part[0] for part in parts], axis=1)
    on_p = np.concatenate([part[1] for part in parts], axis=1)
    on_q = np.concatenate([part[2] for part in parts], axis=1)
    rows, best = np.arange(len(p)), np.argmin(distance, axis=1)
    return distance[rows, best], on_p[rows, best], on_q[rows, best]


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    product: FloatArray = np.einsum("...i,...i->...", a, b)
    return product


def _edges(p: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the distances of all 9 pairs of edges, after Ericson (2005), section 5.1.9."""
    start1 = np.repeat(p, 3, axis=1)
    along1 = np.repeat(np.roll(p, -1, axis=1) - p, 3, axis=1)
    start2, along2 = np.tile(q, (1, 3, 1)), np.tile(np.roll(q, -1, axis=1) - q, (1, 3, 1))
    r = start1 - start2
    a, e, b = _dot(along1, along1), _dot(along2, along2), _dot(along1, along2)
    c, f = _dot(along1, r), _dot(along2, r)
    det = a * e - b * b
    # Parallel edges: any start will do, the two steps below find the rest.
    oblique = det > 1e-14 * a * e
    s = np.clip((b * f - c * e) / np.where(oblique, det, 1.0), 0.0, 1.0) * oblique
    t = np.clip((b * s + f) / np.where(e > 0, e, 1.0), 0.0, 1.0) * (e > 0)
    s = np.clip((b * t - c) / np.where(a > 0, a, 1.0), 0.0, 1.0) * (a > 0)
    on1, on2 = start1 + s[..., None] * along1, start2 + t[..., None] * along2
    return np.linalg.norm(on1 - on2, axis=2), on1, on2


def _inside(at: FloatArray, t: FloatArray, normal: FloatArray) -> NDArray[np.bool_]:
    """Tell which points ``(N, K, 3)`` lie above the inside of a triangle ``(N, 3, 3)``."""
    inside = np.ones(at.shape[:2], dtype=bool)
    for n in range(3):
        edge = (t[:, (n + 1) % 3] - t[:, n])[:, None]
        inside &= _dot(np.cross(edge, at - t[:, n][:, None]), normal[:, None]) >= 0
    return inside


def _corners(p: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the distances of the corners of p to the inside of q, inf where they lie beside it."""
    normal = np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0])
    size = np.linalg.norm(normal, axis=1)
    unit = normal / np.where(size > 0, size, 1.0)[:, None]
    height = _dot(p - q[:, :1], unit[:, None])
    inside = _inside(p, q, normal) & (size > 0)[:, None]
    distance = np.where(inside, np.abs(height), np.inf)
    return distance, p, p - height[..., None] * unit[:, None]


def _through(p: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return 0 where an edge of p passes through q, inf where it does not."""
    normal = np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0])
    height = _dot(p - q[:, :1], normal[:, None])
    other = np.roll(height, -1, axis=1)
    crossing = height * other < 0
    share = height / np.where(crossing, height - other, 1.0)
    at = p + share[..., None] * (np.roll(p, -1, axis=1) - p)
    inside = crossing & _inside(at, q, normal)
    return np.where(inside, 0.0, np.inf), at, at
