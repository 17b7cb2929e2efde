"""The compiled part of `plumbline.geometry.sunlight_cells`; importing it imports numba.

Plain loops over numbers, which is what numba compiles to machine code that releases the GIL. A
*beam* holds the rays of a cell in 21 numbers: middle and half extent of the origins; middle, half
chord and remaining half extent of the directions; the inverse of their least and
greatest components.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit

from plumbline.core.data import AnyArray
from plumbline.geometry.sunlight_cells import ASK, BLOCK, DARK, EPSILON, LIT, TIME_LEVEL

F = TypeVar("F", bound=Callable[..., Any])

#: Rounding that a ray test of Embree's may add up, for each metre of way.
ROUNDING = 32 * EPSILON
#: Cells of so few rays are cast where many triangles are in the way: that costs less than a proof.
SMALL = 32
#: Triangles that are looked at in a cell before it is rather halved.
SEEN = 64
#: Receivers that are compared with a triangle at once.
WIDTH = 16
#: How far away triangles are thought to be where a cell is halved, metres.
WAY = 50.0
#: No triangle at all.
FREE = -1e30


def compiled(function: F) -> F:
    """Compile a function at its first call."""
    # Sums may be regrouped and joined with products; infinities keep their meaning.
    loose = {"contract", "reassoc", "arcp", "nsz"}
    result: F = njit(nogil=True, error_model="numpy", fastmath=loose)(function)
    return result


def numbers(function: F) -> F:
    """Compile a function in which no infinity occurs: it may run on several numbers at once."""
    result: F = njit(nogil=True, error_model="numpy", fastmath=True)(function)
    return result


@compiled
def set_beam(
    beam: AnyArray, places: AnyArray, r0: int, r1: int, directions: AnyArray, row: int
) -> None:
    """Set a beam to receivers `r0` to `r1` and a row of the tree of times."""
    for i in range(3):
        low = high = places[i, r0]
        for r in range(r0 + 1, r1):
            low, high = min(low, places[i, r]), max(high, places[i, r])
        beam[i], beam[3 + i] = (low + high) / 2, (high - low) / 2
    beam[6:15] = directions[row, :9]
    for i in range(15, 21):
        speed = directions[row, i - 6]
        beam[i] = 1.0 / speed if speed != 0.0 else 1e30


@numbers
def reaches(boxes: AnyArray, node: int, beam: AnyArray) -> bool:
    """Tell whether a ray of a beam may meet a box."""
    near, far = 0.0, 1e30
    for i in range(3):
        # first + way * slow <= high and last + way * fast >= low
        above = (boxes[node, 3 + i] - beam[i] + beam[3 + i]) * beam[15 + i]
        below = (boxes[node, i] - beam[i] - beam[3 + i]) * beam[18 + i]
        if beam[15 + i] > 0:
            far = above if above < far else far
        else:
            near = above if above > near else near
        if beam[18 + i] > 0:
            near = below if below > near else near
        else:
            far = below if below < far else far
    return near <= far


@compiled
def edge(
    beam: AnyArray, corners: AnyArray, triangle: int, side: int, margin: float
) -> tuple[float, float]:
    """Return ``h`` of an edge at the middle of a beam, and by how much it may differ in it."""
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
    loose = abs(beam[9] * nx + beam[10] * ny + beam[11] * nz)
    loose += rx * abs(nx) + ry * abs(ny) + rz * abs(nz)
    loose += hx * abs(dy * ez - dz * ey) + hy * abs(dz * ex - dx * ez)
    loose += hz * abs(dx * ey - dy * ex)
    # The term in both: the change of direction times e × the change of origin.
    sx, sy, sz = abs(beam[9]) + rx, abs(beam[10]) + ry, abs(beam[11]) + rz
    ex, ey, ez = abs(ex), abs(ey), abs(ez)
    loose += sx * (ey * hz + ez * hy) + sy * (ez * hx + ex * hz) + sz * (ex * hy + ey * hx)
    far = abs(ax) + abs(ay) + abs(az)
    return h, loose + (ex + ey + ez) * (margin + ROUNDING * far)


@compiled
def crossed(beam: AnyArray, corners: AnyArray, triangle: int, margin: float) -> int:
    """Return whether all rays of a beam surely miss a triangle (0), surely meet it (2), or not."""
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
    faces = abs(slope) > turn
    placed = faces and abs(offset) > loose
    if placed and (offset > 0) != (slope > 0):
        return 0  # it lies behind
    above = below = outside = False
    sure = 0
    for side in range(3):
        h, doubt = edge(beam, corners, triangle, side, margin)
        if abs(h) > doubt:
            sure += 1
            above, below = above or h > 0, below or h < 0
            # Inside, h has the sign of -slope.
            outside = outside or (faces and (h > 0) == (slope > 0))
    if outside or (above and below):
        return 0
    return 2 if placed and sure == 3 else 1


@compiled
def gather(
    beam: AnyArray,
    corners: AnyArray,
    boxes: AnyArray,
    margin: float,
    stack: AnyArray,
    found: AnyArray,
) -> int:
    """Write the triangles that rays of a beam may meet; return how many, -1: one meets all.

    More than fit into `found` count one more, and the search ends.
    """
    leaves = len(boxes) // 2
    stack[0] = 1
    top, count = 1, 0
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
        triangle = node - leaves
        kind = crossed(beam, corners, triangle, margin)
        if kind == 2:
            return -1
        if kind == 1:
            if count == len(found):
                return count + 1
            found[count] = triangle
            count += 1
    return count


@numbers
def face(
    sides: AnyArray, corners: AnyArray, triangle: int, places: AnyArray, r0: int, r1: int,
    margin: float,
) -> bool:  # fmt: skip
    """Write how rays of receivers pass the sides of a triangle, in steps of rounding.

    Rows 3s to 3s + 2 of `sides` times a ray's direction are above 1 where the ray surely passes
    side s within, below -1 where it surely passes without. Where row 9 is not above 1 a receiver
    may lie in the triangle's plane, and the signs may be the other way round. Tell if any may.
    """
    ax, ay, az = corners[triangle, 0, 0], corners[triangle, 0, 1], corners[triangle, 0, 2]
    bx, by, bz = corners[triangle, 1, 0], corners[triangle, 1, 1], corners[triangle, 1, 2]
    cx, cy, cz = corners[triangle, 2, 0], corners[triangle, 2, 1], corners[triangle, 2, 2]
    ux, uy, uz = bx - ax, by - ay, bz - az
    vx, vy, vz = cx - bx, cy - by, cz - bz
    wx, wy, wz = ax - cx, ay - cy, az - cz
    nx, ny, nz = vy * uz - vz * uy, vz * ux - vx * uz, vx * uy - vy * ux
    # A side of no length is passed neither within nor without.
    u, v = abs(ux) + abs(uy) + abs(uz) + 1e-30, abs(vx) + abs(vy) + abs(vz) + 1e-30
    w, n = abs(wx) + abs(wy) + abs(wz) + 1e-30, abs(nx) + abs(ny) + abs(nz) + 1e-30
    nearest = 2.0
    for r in range(r1 - r0):
        px, py, pz = places[0, r0 + r], places[1, r0 + r], places[2, r0 + r]
        x, y, z = ax - px, ay - py, az - pz
        loose = margin + ROUNDING * (abs(x) + abs(y) + abs(z))
        offset = nx * x + ny * y + nz * z
        ahead = abs(offset) / (n * loose)
        sides[9, r] = ahead
        nearest = nearest if nearest < ahead else ahead
        sign = 1.0 if offset > 0 else -1.0
        one = sign / (u * loose)
        sides[0, r] = one * (uy * z - uz * y)
        sides[1, r] = one * (uz * x - ux * z)
        sides[2, r] = one * (ux * y - uy * x)
        x, y, z = bx - px, by - py, bz - pz
        one = sign / (v * (margin + ROUNDING * (abs(x) + abs(y) + abs(z))))
        sides[3, r] = one * (vy * z - vz * y)
        sides[4, r] = one * (vz * x - vx * z)
        sides[5, r] = one * (vx * y - vy * x)
        x, y, z = cx - px, cy - py, cz - pz
        one = sign / (w * (margin + ROUNDING * (abs(x) + abs(y) + abs(z))))
        sides[6, r] = one * (wy * z - wz * y)
        sides[7, r] = one * (wz * x - wx * z)
        sides[8, r] = one * (wx * y - wy * x)
    return nearest <= 1.0


@numbers
def shade(
    sides: AnyArray, rays: AnyArray, first: int, step: int, best: AnyArray, count: int, width: int
) -> float:
    """Raise `best` (rays, receivers) to how surely rays meet a triangle; return the least of it."""
    for k in range(count):
        x, y, z = rays[first + k * step, 0], rays[first + k * step, 1], rays[first + k * step, 2]
        for r in range(width):
            one = sides[0, r] * x + sides[1, r] * y + sides[2, r] * z
            two = sides[3, r] * x + sides[4, r] * y + sides[5, r] * z
            three = sides[6, r] * x + sides[7, r] * y + sides[8, r] * z
            two = two if two < one else one
            three = three if three < two else two
            old = best[k, r]
            best[k, r] = three if three > old else old
    least = 1e30
    for k in range(count):
        for r in range(width):
            least = best[k, r] if best[k, r] < least else least
    return least


@numbers
def surely(sides: AnyArray, r: int, x: float, y: float, z: float) -> float:
    """Return how surely one ray meets a triangle: above 1 it does, below -1 it does not."""
    one = sides[0, r] * x + sides[1, r] * y + sides[2, r] * z
    two = sides[3, r] * x + sides[4, r] * y + sides[5, r] * z
    three = sides[6, r] * x + sides[7, r] * y + sides[8, r] * z
    met: float = min(one, two, three)
    either: float = max(met, -max(one, two, three))
    return met if sides[9, r] > 1.0 else min(1.0, either)


@compiled
def shade_flat(
    sides: AnyArray, rays: AnyArray, first: int, step: int, best: AnyArray, count: int, width: int
) -> None:
    """Do what `shade` does where receivers may lie in the triangle's plane."""
    for k in range(count):
        ray = first + k * step
        for r in range(width):
            met = surely(sides, r, rays[ray, 0], rays[ray, 1], rays[ray, 2])
            best[k, r] = max(best[k, r], met)


@compiled
def turn(faces: AnyArray, count: int, r: int, rays: AnyArray, low: int, high: int) -> int:
    """Return the last instant before light changes between two, -1 where it is not sure.

    Bisected as `plumbline.geometry.sunlight` does it with rays.
    """
    first = 0.0
    start = low
    while True:
        middle = low if first == 0.0 else (low + high) // 2
        met = FREE
        for n in range(count):
            met = max(met, surely(faces[n], r, rays[middle, 0], rays[middle, 1], rays[middle, 2]))
            if met > 1.0:
                break
        if abs(met) <= 1.0:
            return -1
        if first == 0.0:
            first = met
        elif (met > 1.0) == (first > 1.0):
            low = middle
        else:
            high = middle
        if high - low <= 1:
            return low - start


@numbers
def sort(best: AnyArray, rows: int, width: int, codes: AnyArray) -> None:
    """Write verdicts for how surely rays are met, and after them where they differ from before."""
    for k in range(rows):
        for r in range(width):
            met = best[k, r]
            codes[k, r] = DARK if met > 1.0 else LIT if met < -1.0 else ASK


@compiled
def decide(
    tree: Any,
    cell: Any,
    found: AnyArray,
    count: int,
    sun: Any,
    places: AnyArray,
    wanted: AnyArray,
    room: Any,
    state: AnyArray,
    turns: AnyArray,
) -> None:
    """Write the verdicts of a cell, ray by ray against the triangles that any may meet."""
    corners, _, margin = tree
    rays, between = sun
    r0, r1, k0, k1 = cell
    faces, best, codes = room
    width = r1 - r0
    # With the first sample of the next stretch, for the change between both.
    rows = min(k1 + 1, len(state)) - k0
    best[:rows] = FREE
    for n in range(count):
        flat = face(faces[n], corners, found[n], places, r0, r1, margin)
        if flat:
            shade_flat(faces[n], rays, k0 * between, between, best, rows, width)
        elif shade(faces[n], rays, k0 * between, between, best, rows, width) > 1.0:
            state[k0:k1, r0:r1] = DARK
            return
    sort(best, rows, width, codes)
    for k in range(rows):
        if k0 + k < k1:
            state[k0 + k, r0:r1] = codes[k, :width]
        if k == 0:
            continue
        change = 0
        for r in range(width):
            change += codes[k, r] != codes[k - 1, r]
        if change == 0:
            continue
        sample = k0 + k - 1
        low = sample * between
        for r in range(width):
            if codes[k, r] + codes[k - 1, r] != DARK + LIT:
                continue
            if wanted[sample, r0 + r] and wanted[sample + 1, r0 + r]:
                turns[sample, r0 + r] = turn(faces, count, r, rays, low, low + between)


@compiled
def unwanted(wanted: AnyArray, r0: int, r1: int, k0: int, k1: int) -> bool:
    """Tell whether nobody asks for the verdicts of a cell and the sample after it."""
    for k in range(k0, min(k1 + 1, len(wanted))):
        for r in range(r0, r1):
            if wanted[k, r]:
                return False
    return True


@compiled
def narrow(
    beam: AnyArray, corners: AnyArray, margin: float, some: AnyArray, count: int, found: AnyArray
) -> int:
    """Write which of some triangles rays of a beam may meet; return how many, -1: one meets all."""
    kept = 0
    for n in range(count):
        kind = crossed(beam, corners, some[n], margin)
        if kind == 2:
            return -1
        found[kept] = some[n]
        kept += kind
    return kept


@compiled
def follow(
    tree: Any, times: Any, sun: Any, places: AnyArray, wanted: AnyArray, state: AnyArray,
    turns: AnyArray,
) -> None:  # fmt: skip
    """Write the verdicts of receivers at samples and the instants at which they change.

    Parameters
    ----------
    tree : corners (M, 3, 3), boxes (2L, 6), margin
    times : offsets (levels,), rows (R, 15)
        As in `TimeTree`.
    sun : rays (F, 3), between
        Every `between`-th ray is one of a sample.
    places : (3, B)
    state : (K, B) uint8
    turns : (K - 1, B) int16
        Instants after each sample at which light changes before the next; -1 is kept where it does
        not, or is not known to.
    """
    corners, boxes, margin = tree
    offsets, bounds = times
    beam, stack = np.empty(21), np.empty(64, dtype=np.int64)
    some, found = np.empty(SEEN, dtype=np.int64), np.empty(SEEN, dtype=np.int64)
    rows = 2**TIME_LEVEL + 1
    room = (
        np.empty((SEEN, 10, WIDTH)), np.empty((rows, WIDTH)), np.empty((rows, WIDTH), np.uint8),
    )  # fmt: skip
    cells = np.empty((32, 4), dtype=np.int64)
    samples, receivers = state.shape
    stretches = -(-samples // 2**TIME_LEVEL)
    for n in range(-(-receivers // BLOCK) * stretches):
        block = n // stretches * BLOCK
        cells[0, 0], cells[0, 1] = block, min(block + BLOCK, receivers)
        cells[0, 2], cells[0, 3] = TIME_LEVEL, n % stretches
        top = 1
        while top > 0:
            top -= 1
            r0, r1, level, stretch = cells[top, 0], cells[top, 1], cells[top, 2], cells[top, 3]
            k0, k1 = stretch << level, min((stretch + 1) << level, samples)
            if k0 >= k1 or unwanted(wanted, r0, r1, k0, k1):
                continue
            row = offsets[level] + stretch
            set_beam(beam, places, r0, r1, bounds, row)
            count = gather(beam, corners, boxes, margin, stack, some)
            if count <= 0:
                state[k0:k1, r0:r1] = DARK if count < 0 else LIT
            elif count > SEEN and (r1 - r0) << level <= SMALL:
                state[k0:k1, r0:r1] = ASK
            elif count > SEEN:
                halve(cells, top, beam)
                top += 2
            else:
                for r in range(r0, r1, WIDTH):
                    end = min(r + WIDTH, r1)
                    set_beam(beam, places, r, end, bounds, row)
                    kept = narrow(beam, corners, margin, some, count, found)
                    if kept <= 0:
                        state[k0:k1, r:end] = DARK if kept < 0 else LIT
                    else:
                        cell = (r, end, k0, k1)
                        decide(tree, cell, found, kept, sun, places, wanted, room, state, turns)


@compiled
def halve(cells: AnyArray, at: int, beam: AnyArray) -> None:
    """Write the halves of a cell in its place, in space or in time, whichever is wider."""
    r0, r1, level, stretch = cells[at, 0], cells[at, 1], cells[at, 2], cells[at, 3]
    wide = max(beam[3], beam[4], beam[5])
    turned = WAY * max(abs(beam[9]), abs(beam[10]), abs(beam[11]))
    in_time = level > 0 and (r1 - r0 == 1 or turned > wide)
    for half in range(2):
        cells[at + half, 0], cells[at + half, 1] = r0, r1
        cells[at + half, 2], cells[at + half, 3] = level, stretch
        if in_time:
            cells[at + half, 2], cells[at + half, 3] = level - 1, 2 * stretch + half
        else:
            cells[at + half, 1 - half] = (r0 + r1) // 2
