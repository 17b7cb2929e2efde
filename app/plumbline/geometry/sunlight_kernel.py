"""The compiled part of `plumbline.geometry.sunlight_cells`; importing it imports numba.

Plain loops over numbers, which is what numba compiles to machine code that releases the GIL. A
*beam* holds the rays of a cell in 21 numbers: middle and half extent of the origins; middle, half
chord and remaining half extent of the directions; their least and greatest components.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit

from plumbline.core.data import AnyArray
from plumbline.geometry.sunlight_cells import ASK, DARK, EPSILON, LEAF, LIT

F = TypeVar("F", bound=Callable[..., Any])

#: Rounding that a ray test of Embree's may add up, for each metre of way.
ROUNDING = 32 * EPSILON
#: Cells of so few rays are cast: that costs less than a proof.
SMALL = 8
#: Triangles of a patch that are looked at before a cell is rather halved.
PATCH = 48


def compiled(function: F) -> F:
    """Compile a function at its first call."""
    result: F = njit(nogil=True, error_model="numpy")(function)
    return result


@compiled
def edge(beam: AnyArray, v: AnyArray, w: AnyArray, margin: float) -> tuple[float, float, float]:
    """Return ``h`` of an edge at the middle of a beam, and its bounds from space and from time."""
    ax, ay, az = v[0] - beam[0], v[1] - beam[1], v[2] - beam[2]
    ex, ey, ez = w[0] - v[0], w[1] - v[1], w[2] - v[2]
    hx, hy, hz = beam[3], beam[4], beam[5]
    dx, dy, dz = beam[6], beam[7], beam[8]
    rx, ry, rz = beam[12], beam[13], beam[14]
    nx, ny, nz = ey * az - ez * ay, ez * ax - ex * az, ex * ay - ey * ax
    h = dx * nx + dy * ny + dz * nz
    time = abs(beam[9] * nx + beam[10] * ny + beam[11] * nz)
    time += rx * abs(nx) + ry * abs(ny) + rz * abs(nz)
    space = hx * abs(dy * ez - dz * ey) + hy * abs(dz * ex - dx * ez) + hz * abs(dx * ey - dy * ex)
    # The term in both: the change of direction times e × the change of origin.
    sx, sy, sz = abs(beam[9]) + rx, abs(beam[10]) + ry, abs(beam[11]) + rz
    ex, ey, ez = abs(ex), abs(ey), abs(ez)
    space += sx * (ey * hz + ez * hy) + sy * (ez * hx + ex * hz) + sz * (ex * hy + ey * hx)
    far = abs(ax) + abs(ay) + abs(az)
    return h, space + (ex + ey + ez) * (margin + ROUNDING * far), time


@compiled
def plane(
    beam: AnyArray, corners: AnyArray, triangle: int, margin: float
) -> tuple[float, float, float, float, float, float]:
    """Return how a triangle's plane lies to a beam: offset, slope, their bounds, size, distance.

    Where both are sure, the plane lies ahead of all rays (one sign) or behind (two).
    """
    a, b, c = corners[triangle, 0], corners[triangle, 1], corners[triangle, 2]
    ax, ay, az = a[0] - beam[0], a[1] - beam[1], a[2] - beam[2]
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    offset = nx * ax + ny * ay + nz * az
    slope = nx * beam[6] + ny * beam[7] + nz * beam[8]
    turn = abs(nx * beam[9] + ny * beam[10] + nz * beam[11])
    nx, ny, nz = abs(nx), abs(ny), abs(nz)
    size, far = nx + ny + nz, abs(ax) + abs(ay) + abs(az)
    loose = beam[3] * nx + beam[4] * ny + beam[5] * nz + size * (margin + ROUNDING * far)
    turn += beam[12] * nx + beam[13] * ny + beam[14] * nz + ROUNDING * size
    return offset, slope, loose, turn, size, far


@compiled
def misses(
    beam: AnyArray, corners: AnyArray, triangle: int, margin: float
) -> tuple[bool, float, float]:
    """Tell whether all rays of a beam surely miss a triangle; else the doubt, by space and time."""
    above = below = False
    by_space = by_time = 0.0
    for side in range(3):
        after = side + 1 if side < 2 else 0
        h, space, time = edge(beam, corners[triangle, side], corners[triangle, after], margin)
        if h > space + time:
            above = True
        elif h < -space - time:
            below = True
        else:
            by_space += space
            by_time += time
        if above and below:
            return True, 0.0, 0.0
    offset, slope, loose, turn, size, _ = plane(beam, corners, triangle, margin)
    if abs(offset) > loose and abs(slope) > turn and (offset > 0) != (slope > 0):
        return True, 0.0, 0.0
    return False, by_space / size, by_time / size


@compiled
def covered(
    beam: AnyArray,
    corners: AnyArray,
    neighbours: AnyArray,
    first: int,
    margin: float,
    patch: AnyArray,
) -> tuple[bool, float, float]:
    """Tell whether all rays surely meet the surface around a triangle that one of them meets.

    The place where a ray meets the surface moves as the ray does. It leaves a triangle across an
    edge, and goes on where the neighbour lies on the other side of the edge as the rays see it.
    Else return the doubt, by space and time.
    """
    patch[0] = first
    count, done = 1, 0
    while done < count:
        triangle = patch[done]
        done += 1
        offset, slope, loose, turn, size, far = plane(beam, corners, triangle, margin)
        faces = abs(slope) > turn
        crossed = 0
        above = below = outside = False
        by_space = by_time = 0.0
        for side in range(3):
            after = side + 1 if side < 2 else 0
            h, space, time = edge(beam, corners[triangle, side], corners[triangle, after], margin)
            if abs(h) > space + time:
                above, below = above or h > 0, below or h < 0
                # Inside, h has the sign of -slope.
                outside = outside or (faces and (h > 0) == (slope > 0))
            else:
                crossed += 1 << side
                by_space += space
                by_time += time
        if (outside or (above and below)) and done > 1:
            continue
        if not (faces and abs(offset) > loose and (offset > 0) == (slope > 0)):
            return False, loose / size, turn * far / size
        for side in range(3):
            if crossed & (1 << side):
                half = neighbours[triangle, side]
                known = half < 0 or not beyond(beam, corners, triangle, side, half, slope > 0)
                if known or outside or count == len(patch):
                    return False, by_space / size, by_time / size
                for n in range(count):
                    known = known or patch[n] == half // 3
                if not known:
                    patch[count] = half // 3
                    count += 1
    return True, 0.0, 0.0


@compiled
def beyond(
    beam: AnyArray, corners: AnyArray, triangle: int, side: int, half: int, ahead: bool
) -> bool:
    """Tell whether rays of a beam surely see a neighbour on the other side of a triangle's edge.

    `half` is three times the neighbour plus its side; `ahead` is the sign with which the rays see
    the triangle itself.
    """
    v, w = corners[triangle, side], corners[triangle, side + 1 if side < 2 else 0]
    tip = corners[half // 3, (half % 3 + 2) % 3]
    ex, ey, ez = w[0] - v[0], w[1] - v[1], w[2] - v[2]
    tx, ty, tz = tip[0] - v[0], tip[1] - v[1], tip[2] - v[2]
    nx, ny, nz = ey * tz - ez * ty, ez * tx - ex * tz, ex * ty - ey * tx
    slope = nx * beam[6] + ny * beam[7] + nz * beam[8]
    turn = abs(nx * beam[9] + ny * beam[10] + nz * beam[11])
    rx, ry, rz = beam[12] + ROUNDING, beam[13] + ROUNDING, beam[14] + ROUNDING
    turn += rx * abs(nx) + ry * abs(ny) + rz * abs(nz)
    sure: bool = abs(slope) > turn and (slope > 0) != ahead
    return sure


@compiled
def reaches(boxes: AnyArray, node: int, beam: AnyArray) -> bool:
    """Tell whether a ray of a beam may meet a box."""
    near, far = 0.0, np.inf
    for i in range(3):
        slow, fast = beam[15 + i], beam[18 + i]
        # first + s * slow <= high and last + s * fast >= low
        above = boxes[node, 3 + i] - beam[i] + beam[3 + i]
        below = boxes[node, i] - beam[i] - beam[3 + i]
        if slow > 0:
            if above < far * slow:
                far = above / slow
        elif slow < 0:
            if above < near * slow:
                near = above / slow
        elif above < 0:
            return False
        if fast > 0:
            if below > near * fast:
                near = below / fast
        elif fast < 0:
            if below > far * fast:
                far = below / fast
        elif below > 0:
            return False
        if near > far:
            return False
    return True


@compiled
def empty(
    beam: AnyArray, corners: AnyArray, boxes: AnyArray, margin: float, stack: AnyArray
) -> tuple[bool, float, float]:
    """Tell whether all rays of a beam surely miss every triangle; else the doubt."""
    leaves = len(boxes) // 2
    stack[0] = 1
    top = 1
    while top > 0:
        top -= 1
        node = stack[top]
        if not reaches(boxes, node, beam):
            continue
        if node < leaves:
            stack[top] = 2 * node
            stack[top + 1] = 2 * node + 1
            top += 2
            continue
        first = (node - leaves) * LEAF
        for triangle in range(first, min(first + LEAF, len(corners))):
            away, by_space, by_time = misses(beam, corners, triangle, margin)
            if not away:
                return False, by_space, by_time
    return True, 0.0, 0.0


@compiled
def set_beam(
    beam: AnyArray, origins: AnyArray, r0: int, r1: int, directions: AnyArray, row: int
) -> None:
    """Set a beam to receivers `r0` to `r1` and a row of the tree of times."""
    for i in range(3):
        low = high = origins[r0, i]
        for r in range(r0 + 1, r1):
            low, high = min(low, origins[r, i]), max(high, origins[r, i])
        beam[i], beam[3 + i] = (low + high) / 2, (high - low) / 2
    beam[6:21] = directions[row]


@compiled
def paint(state: AnyArray, r0: int, r1: int, k0: int, k1: int, value: int) -> None:
    """Write one verdict into a cell."""
    for r in range(r0, r1):
        for k in range(k0, min(k1, state.shape[1])):
            state[r, k] = value


@compiled
def judge(
    tree: Any,
    offsets: AnyArray,
    directions: AnyArray,
    origins: AnyArray,
    state: AnyArray,
    cells: AnyArray,
    found: AnyArray,
    halves: AnyArray,
) -> int:
    """Write the verdicts of cells of which one ray was cast; write the halves of the others.

    A cell is (first receiver, end, level, number of the stretch); `found` is the triangle that its
    ray meets, -1 for none. Return how many halves there are.
    """
    corners, neighbours, boxes, margin = tree
    beam, stack = np.empty(21), np.empty(64, dtype=np.int64)
    patch = np.empty(PATCH, dtype=np.int64)
    count = 0
    for cell in range(len(cells)):
        r0, r1, level, n = cells[cell, 0], cells[cell, 1], cells[cell, 2], cells[cell, 3]
        set_beam(beam, origins, r0, r1, directions, offsets[level] + n)
        if found[cell] >= 0:
            sure, by_space, by_time = covered(beam, corners, neighbours, found[cell], margin, patch)
        else:
            sure, by_space, by_time = empty(beam, corners, boxes, margin, stack)
        k0, k1 = n << level, (n + 1) << level
        if sure:
            paint(state, r0, r1, k0, k1, DARK if found[cell] >= 0 else LIT)
            continue
        if (r1 - r0) << level <= 2 * SMALL:
            paint(state, r0, r1, k0, k1, ASK)
            continue
        in_time = level > 0 and (r1 - r0 == 1 or by_time > by_space)
        for second in range(2):
            halves[count, 0], halves[count, 1] = r0, r1
            halves[count, 2], halves[count, 3] = level, n
            if in_time:
                halves[count, 2], halves[count, 3] = level - 1, 2 * n + second
            else:
                halves[count, 1 - second] = (r0 + r1) // 2
            if (halves[count, 3] << halves[count, 2]) < state.shape[1]:
                count += 1
    return count


@compiled
def join(order: AnyArray, key: AnyArray, corners: AnyArray, neighbours: AnyArray) -> None:
    """Write for each side of each triangle the neighbour that leads on straightest.

    `order` sorts the sides by `key`, which two sides share where they have the same ends.
    """
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and key[order[end]] == key[order[start]]:
            end += 1
        for n in range(start, end):
            best, least = -1, np.inf
            for m in range(start, end):
                if m != n:
                    bend = fold(corners, order[n], order[m])
                    if bend < least:
                        best, least = order[m], bend
            neighbours[order[n] // 3, order[n] % 3] = best
        start = end


@compiled
def fold(corners: AnyArray, one: int, two: int) -> float:
    """Return the cosine between two triangles as they lie off a side that they share."""
    v, w = corners[one // 3, one % 3], corners[one // 3, (one % 3 + 1) % 3]
    p, q = corners[one // 3, (one % 3 + 2) % 3], corners[two // 3, (two % 3 + 2) % 3]
    e, p, q = w - v, p - v, q - v
    square = e @ e
    if square == 0:
        return 1.0
    p, q = p - (p @ e) / square * e, q - (q @ e) / square * e
    size = np.sqrt((p @ p) * (q @ q))
    return (p @ q) / size if size > 0 else 1.0
