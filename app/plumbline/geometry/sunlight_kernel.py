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
SMALL = 32
#: Triangles of a patch, and in a beam, that are looked at before a cell is rather halved.
PATCH, SEEN = 48, 64
#: Edges whose ends are no farther than this off a line lie on it, metres.
STRAIGHT = 2e-5


def compiled(function: F) -> F:
    """Compile a function at its first call."""
    # Sums may be regrouped and joined with products; infinities keep their meaning.
    loose = {"contract", "reassoc", "arcp", "nsz"}
    result: F = njit(nogil=True, error_model="numpy", fastmath=loose)(function)
    return result


@compiled
def edge(
    beam: AnyArray, corners: AnyArray, triangle: int, side: int, margin: float
) -> tuple[float, float, float]:
    """Return ``h`` of an edge at the middle of a beam, and its bounds from space and from time."""
    # Numbers are read one by one: a slice of an array would be counted, which takes longer.
    after = side + 1 if side < 2 else 0
    vx, vy, vz = corners[triangle, side, 0], corners[triangle, side, 1], corners[triangle, side, 2]
    ax, ay, az = vx - beam[0], vy - beam[1], vz - beam[2]
    ex = corners[triangle, after, 0] - vx
    ey = corners[triangle, after, 1] - vy
    ez = corners[triangle, after, 2] - vz
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
    ox, oy, oz = corners[triangle, 0, 0], corners[triangle, 0, 1], corners[triangle, 0, 2]
    ax, ay, az = ox - beam[0], oy - beam[1], oz - beam[2]
    ux, uy, uz = (
        corners[triangle, 1, 0] - ox,
        corners[triangle, 1, 1] - oy,
        corners[triangle, 1, 2] - oz,
    )
    vx, vy, vz = (
        corners[triangle, 2, 0] - ox,
        corners[triangle, 2, 1] - oy,
        corners[triangle, 2, 2] - oz,
    )
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
def crossings(
    beam: AnyArray, corners: AnyArray, triangle: int, margin: float
) -> tuple[int, bool, bool, float, float]:
    """Return which edges of a triangle rays may cross, as bits, and whether all surely miss it.

    The third answer is whether all rays surely see it from one side and ahead. Then the doubt of
    the edges, by space and by time.
    """
    offset, slope, loose, turn, size, far = plane(beam, corners, triangle, margin)
    faces = abs(slope) > turn
    placed = faces and abs(offset) > loose
    if placed and (offset > 0) != (slope > 0):
        return 0, True, False, 0.0, 0.0
    crossed = 0
    above = below = outside = False
    by_space = by_time = 0.0
    for side in range(3):
        h, space, time = edge(beam, corners, triangle, side, margin)
        if abs(h) > space + time:
            above, below = above or h > 0, below or h < 0
            # Inside, h has the sign of -slope.
            outside = outside or (faces and (h > 0) == (slope > 0))
        else:
            crossed += 1 << side
            by_space += space
            by_time += time
    if outside or (above and below):
        return 0, True, False, 0.0, 0.0
    if crossed == 0:
        by_space, by_time = loose, turn * far
    return crossed, False, placed, by_space / size, by_time / size


@compiled
def covered(
    beam: AnyArray,
    corners: AnyArray,
    neighbours: AnyArray,
    first: int,
    margin: float,
    patch: AnyArray,
    rim: AnyArray,
) -> tuple[bool, float, float]:
    """Tell whether all rays surely meet the surface around a triangle that one of them meets.

    The place where a ray meets the surface moves as the ray does. It leaves a triangle across an
    edge, and goes on where the neighbour lies on the other side of the edge as the rays see it.
    Edges where it does not go on may lie on one line, written into `rim`: then all rays on the
    inner side of it meet the surface. Else return the doubt, by space and time.
    """
    patch[0] = first
    count, done = 1, 0
    while done < count:
        triangle = patch[done]
        done += 1
        crossed, away, placed, by_space, by_time = crossings(beam, corners, triangle, margin)
        if away and done > 1:
            continue
        if away or not placed:
            return False, by_space, by_time
        for side in range(3):
            if not crossed & (1 << side):
                continue
            half = neighbours[triangle, side]
            if half < 0 or not beyond(beam, corners, triangle, side, half):
                if not on_rim(beam, corners, triangle, side, rim):
                    return False, by_space, by_time
                continue
            known = False
            for n in range(count):
                known = known or patch[n] == half // 3
            if not known:
                if count == len(patch):
                    return False, by_space, by_time
                patch[count] = half // 3
                count += 1
    return True, 0.0, 0.0


@compiled
def on_rim(beam: AnyArray, corners: AnyArray, triangle: int, side: int, rim: AnyArray) -> bool:
    """Tell whether an edge lies on the rim: v, w, inner sign of h; an unset one (0) is set to it.

    The rays of the beam see the triangle from one side.
    """
    v, w = corners[triangle, side], corners[triangle, side + 1 if side < 2 else 0]
    u = corners[triangle, (side + 2) % 3]
    ex, ey, ez = w[0] - v[0], w[1] - v[1], w[2] - v[2]
    tx, ty, tz = u[0] - v[0], u[1] - v[1], u[2] - v[2]
    slope = (ey * tz - ez * ty) * beam[6] + (ez * tx - ex * tz) * beam[7]
    slope += (ex * ty - ey * tx) * beam[8]
    inner = -1.0 if slope > 0 else 1.0
    if rim[6] == 0.0:
        rim[0:3], rim[3:6], rim[6] = v, w, inner
        return True
    rx, ry, rz = rim[3] - rim[0], rim[4] - rim[1], rim[5] - rim[2]
    square = rx * rx + ry * ry + rz * rz
    for end in (v, w):
        ax, ay, az = end[0] - rim[0], end[1] - rim[1], end[2] - rim[2]
        cx, cy, cz = ry * az - rz * ay, rz * ax - rx * az, rx * ay - ry * ax
        if cx * cx + cy * cy + cz * cz > square * STRAIGHT * STRAIGHT:
            return False
    if rx * ex + ry * ey + rz * ez < 0:
        inner = -inner
    same: bool = inner == rim[6]
    return same


@compiled
def within(beam: AnyArray, v: AnyArray, w: AnyArray, rim: AnyArray, margin: float) -> bool:
    """Tell whether an edge surely lies on the inner side of the rim as all origins see it."""
    rx, ry, rz = rim[3] - rim[0], rim[4] - rim[1], rim[5] - rim[2]
    ax, ay, az = rim[0] - beam[0], rim[1] - beam[1], rim[2] - beam[2]
    nx, ny, nz = ry * az - rz * ay, rz * ax - rx * az, rx * ay - ry * ax
    for end in (v, w):
        bx, by, bz = end[0] - beam[0], end[1] - beam[1], end[2] - beam[2]
        h = rim[6] * (bx * nx + by * ny + bz * nz)
        # (b - d) · (r × (a - d)), d the change of origin: linear in d, since d · (r × d) = 0.
        gx, gy, gz = bx - ax, by - ay, bz - az
        cx, cy, cz = gy * rz - gz * ry, gz * rx - gx * rz, gx * ry - gy * rx
        loose = beam[3] * abs(cx) + beam[4] * abs(cy) + beam[5] * abs(cz)
        size = abs(rx) + abs(ry) + abs(rz)
        loose += size * (abs(bx) + abs(by) + abs(bz)) * ROUNDING + margin * (
            abs(cx) + abs(cy) + abs(cz) + abs(nx) + abs(ny) + abs(nz)
        )
        if h <= loose:
            return False
    return True


@compiled
def touches(beam: AnyArray, corners: AnyArray, triangle: int, margin: float) -> bool:
    """Tell whether a triangle may touch the box of a beam's origins."""
    for i in range(3):
        a, b, c = corners[triangle, 0, i], corners[triangle, 1, i], corners[triangle, 2, i]
        reach = beam[3 + i] + margin
        if min(a, b, c) - beam[i] > reach or beam[i] - max(a, b, c) > reach:
            return False
    offset, _, loose, _, _, _ = plane(beam, corners, triangle, margin)
    met: bool = abs(offset) <= loose
    return met


@compiled
def beyond(beam: AnyArray, corners: AnyArray, triangle: int, side: int, half: int) -> bool:
    """Tell whether rays surely see a triangle and its neighbour on two sides of their edge.

    `half` is three times the neighbour plus its side.
    """
    after = side + 1 if side < 2 else 0
    vx, vy, vz = corners[triangle, side, 0], corners[triangle, side, 1], corners[triangle, side, 2]
    ex = corners[triangle, after, 0] - vx
    ey = corners[triangle, after, 1] - vy
    ez = corners[triangle, after, 2] - vz
    rx, ry, rz = beam[12] + ROUNDING, beam[13] + ROUNDING, beam[14] + ROUNDING
    before = 0.0
    for n in range(2):
        one, tip = triangle, (side + 2) % 3
        if n == 1:
            one, tip = half // 3, (half % 3 + 2) % 3
        tx = corners[one, tip, 0] - vx
        ty = corners[one, tip, 1] - vy
        tz = corners[one, tip, 2] - vz
        nx, ny, nz = ey * tz - ez * ty, ez * tx - ex * tz, ex * ty - ey * tx
        slope = nx * beam[6] + ny * beam[7] + nz * beam[8]
        turn = abs(nx * beam[9] + ny * beam[10] + nz * beam[11])
        turn += rx * abs(nx) + ry * abs(ny) + rz * abs(nz)
        if abs(slope) <= turn or before * slope > 0.0:
            return False
        before = slope
    return True


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
def uniform(
    beam: AnyArray,
    corners: AnyArray,
    neighbours: AnyArray,
    boxes: AnyArray,
    margin: float,
    stack: AnyArray,
    rim: AnyArray,
    inner: bool,
) -> tuple[bool, float, float]:
    """Tell whether no ray passes an outline but that on the rim; else the doubt.

    What a ray meets changes where it passes an edge with no triangle on its other side, or where
    its origin passes a triangle. `inner` leaves out outlines on the inner side of the rim.
    """
    leaves = len(boxes) // 2
    stack[0] = 1
    top, seen = 1, 0
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
            crossed, away, placed, by_space, by_time = crossings(beam, corners, triangle, margin)
            if away:
                continue
            seen += 1
            if seen > SEEN:
                return False, by_space, by_time
            # Only smaller blocks help there; a single receiver does not move.
            moves = beam[3] + beam[4] + beam[5] > 0
            if moves and touches(beam, corners, triangle, margin):
                return False, 1.0, 0.0
            for side in range(3):
                if not crossed & (1 << side):
                    continue
                half = neighbours[triangle, side]
                if half >= 0 and beyond(beam, corners, triangle, side, half):
                    continue
                after = side + 1 if side < 2 else 0
                v, w = corners[triangle, side], corners[triangle, after]
                if inner and within(beam, v, w, rim, margin):
                    continue
                if not placed or not on_rim(beam, corners, triangle, side, rim):
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
def rim_side(rim: AnyArray, origin: AnyArray, ray: AnyArray, margin: float) -> float:
    """Return by how much a ray surely passes on the inner side of a rim (negative: outer), or 0."""
    ex, ey, ez = rim[3] - rim[0], rim[4] - rim[1], rim[5] - rim[2]
    ax, ay, az = rim[0] - origin[0], rim[1] - origin[1], rim[2] - origin[2]
    nx, ny, nz = ey * az - ez * ay, ez * ax - ex * az, ex * ay - ey * ax
    h = rim[6] * (ray[0] * nx + ray[1] * ny + ray[2] * nz)
    far = abs(ax) + abs(ay) + abs(az)
    sure = (abs(ex) + abs(ey) + abs(ez)) * (2 * margin + 2 * STRAIGHT + ROUNDING * far)
    return h if abs(h) > sure else 0.0


@compiled
def probe(
    cell: AnyArray, rim: AnyArray, origins: AnyArray, rays: AnyArray, last: int, margin: float
) -> tuple[int, int, int, int]:
    """Return receiver and sample of the rays farthest on the inner and the outer side of a rim."""
    most, least = 0.0, 0.0
    answer = (-1, -1, -1, -1)
    for r in range(cell[0], cell[1]):
        for k in range(cell[3] << cell[2], min((cell[3] + 1) << cell[2], last)):
            side = rim_side(rim, origins[r], rays[k], margin)
            if side > most:
                most = side
                answer = (r, k, answer[2], answer[3])
            elif side < least:
                least = side
                answer = (answer[0], answer[1], r, k)
    return answer


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
    rims: AnyArray,
    probes: AnyArray,
) -> tuple[int, int]:
    """Write the verdicts of cells of which one ray was cast; write the halves of the others.

    A cell is (first receiver, end, level, number of the stretch); `found` is the triangle that its
    ray meets, -1 for none. A cell with one rim is written into `rims` (v, w, inner sign) and
    `probes` (the cell; receiver and sample on the inner and on the outer side). Return how many
    halves and how many rims there are.
    """
    corners, neighbours, boxes, margin = tree
    beam, stack = np.empty(21), np.empty(64, dtype=np.int64)
    patch, rim = np.empty(PATCH, dtype=np.int64), np.empty(7)
    count = ringed = 0
    for cell in range(len(cells)):
        r0, r1, level, n = cells[cell, 0], cells[cell, 1], cells[cell, 2], cells[cell, 3]
        set_beam(beam, origins, r0, r1, directions, offsets[level] + n)
        k0, k1 = n << level, (n + 1) << level
        first = found[cell]
        rim[:] = 0.0
        sure, inner = True, False
        by_space = by_time = 0.0
        if first >= 0:
            sure, by_space, by_time = covered(beam, corners, neighbours, first, margin, patch, rim)
            inner = sure and rim[6] != 0.0
        if sure and (first < 0 or inner):
            sure, by_space, by_time = uniform(
                beam, corners, neighbours, boxes, margin, stack, rim, inner
            )
        if sure and rim[6] == 0.0:
            paint(state, r0, r1, k0, k1, DARK if first >= 0 else LIT)
        elif sure:
            rims[ringed] = rim
            probes[ringed, 0:4] = cells[cell]
            side = probe(cells[cell], rim, origins, directions, state.shape[1], margin)
            probes[ringed, 4], probes[ringed, 5] = side[0], side[1]
            probes[ringed, 6], probes[ringed, 7] = side[2], side[3]
            ringed += 1
        elif (r1 - r0) << level <= SMALL:
            paint(state, r0, r1, k0, k1, ASK)
        else:
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
    return count, ringed


@compiled
def settle(
    rims: AnyArray,
    probes: AnyArray,
    answers: AnyArray,
    origins: AnyArray,
    rays: AnyArray,
    state: AnyArray,
    margin: float,
) -> None:
    """Write the verdicts of cells with a rim; `answers` are those of their two probes."""
    for n in range(len(rims)):
        r0, r1, level, stretch = probes[n, 0], probes[n, 1], probes[n, 2], probes[n, 3]
        for r in range(r0, r1):
            for k in range(stretch << level, min((stretch + 1) << level, state.shape[1])):
                side = rim_side(rims[n], origins[r], rays[k], margin)
                if side == 0.0:
                    state[r, k] = ASK
                else:
                    state[r, k] = answers[n, 0] if side > 0 else answers[n, 1]


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
