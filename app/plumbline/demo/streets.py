"""The street plan: a bent grid with lanes and park paths, and the blocks between the streets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.demo.frame import HEIGHT, WIDTH, bend, shore, street_angle
from plumbline.demo.model import Block, Street

COLUMNS = (-80.0, 70.0, 235.0, 400.0, 570.0, 740.0, 915.0, 1085.0, 1300.0)
ROWS = (0.0, 235.0, 375.0, 520.0, 665.0, 815.0, 1120.0)

# name, grade, width, carriage, constant coordinate, value, from, to
_PLAN = (
    ("滨海路", "主干路", 24.0, 15.0, "t", 235, -90, 1310),
    ("海晏街", "次干路", 15.0, 9.0, "t", 375, -90, 1310),
    ("观澜路", "主干路", 20.0, 13.0, "t", 520, -90, 1310),
    ("松岭路", "次干路", 14.0, 8.5, "t", 665, -90, 1310),
    ("青松路", "支路", 12.0, 7.0, "t", 815, -90, 740),
    ("石湾路", "支路", 12.0, 7.0, "s", 70, 235, 1120),
    ("学苑路", "次干路", 14.0, 8.5, "s", 235, 235, 1120),
    ("栈桥路", "支路", 12.0, 7.0, "s", 400, 235, 815),
    ("平澜路", "次干路", 16.0, 10.0, "s", 570, 235, 1120),
    ("云岭路", "次干路", 14.0, 8.5, "s", 740, 235, 1120),
    ("望海路", "次干路", 14.0, 8.5, "s", 915, 235, 665),
    ("东崂路", "支路", 12.0, 7.0, "s", 1085, 235, 1120),
    ("里院东巷", "巷道", 5.0, 5.0, "s", 487, 375, 520),
    ("里院西巷", "巷道", 5.0, 5.0, "s", 318, 375, 520),
    ("同安里巷", "巷道", 5.0, 5.0, "t", 448, 235, 570),
    ("花园巷", "巷道", 6.0, 6.0, "t", 920, 235, 740),
    ("听松巷", "巷道", 6.0, 6.0, "t", 592, 915, 1310),
    ("临海巷", "巷道", 6.0, 6.0, "s", 1085, 150, 235),
)

USES = {
    # column A (west) to H (east) of every row; r0 is the shore strip
    "r0": ("shore",) * 8,
    "r1": ("park", "hotel", "square", "towers", "towers", "slabs11", "museum", "villas"),
    "r2": ("slabs6", "school", "liyuan", "liyuan", "market", "offices", "slabs6", "slabs6"),
    "r3": ("slabs6", "church", "slabs6", "slabs6", "offices", "slabs11", "villas", "villas"),
    "r4": ("villas", "slabs6", "slabs6", "hospital", "slabs6", "park", "park", "villas"),
    "r5": ("park", "villas", "villas", "villas", "slabs6", "park", "park", "park"),
}


def streets() -> list[Street]:
    """Return all streets, lanes and park paths."""
    import shapely

    found = []
    for name, grade, width, carriage, axis, value, low, high in _PLAN:
        run = np.linspace(low, high, int((high - low) / 6) + 2)
        fixed = np.full_like(run, value)
        line = np.column_stack(bend(fixed, run) if axis == "s" else bend(run, fixed))
        shape = shapely.LineString(line).intersection(shapely.box(0, 0, WIDTH, HEIGHT))
        if not shape.is_empty:
            found.append(Street(name, grade, width, carriage, shape))
    return found + _park_paths()


def _park_paths() -> list[Street]:
    """Return the loops around the hill top and the way up to them."""
    import shapely

    turn = np.linspace(0, 2 * np.pi, 73)
    loops = []
    for name, a, b in (("信标山内环", 52, 44), ("信标山外环", 118, 100)):
        wave = 1 + 0.05 * np.sin(3 * turn + a)
        ring = np.column_stack([905 + a * wave * np.cos(turn), 826 + b * wave * np.sin(turn)])
        loops.append(Street(name, "园路", 3.5, 3.5, shapely.LineString(ring)))
    start = np.column_stack(bend(740.0, 830.0))
    way: list[Any] = [start, [[786, 808]], [[806, 788]], [[838, 800]], [[859, 812]]]
    smooth = _smooth(np.vstack(way))
    loops.append(Street("登山步道", "园路", 3.5, 3.5, shapely.LineString(smooth)))
    south = np.vstack([np.column_stack(bend(830.0, 665.0)), [[842, 700], [868, 722], [872, 738]]])
    loops.append(Street("南坡步道", "园路", 3.5, 3.5, shapely.LineString(_smooth(south))))
    return loops


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a smooth curve through the points, about every 3 m."""
    from scipy.interpolate import CubicSpline

    run = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0, run[-1], int(run[-1] / 3) + 2)
    return np.asarray(CubicSpline(run, points)(at))


def land() -> Any:
    """Return the dry land as a shapely polygon in local m."""
    import shapely

    u = np.arange(0, WIDTH + 1, 2.0)
    coast = np.column_stack([u, shore(u)])
    return shapely.Polygon([*coast, (WIDTH, HEIGHT), (0, HEIGHT)])


def blocks(roads: list[Street]) -> list[Block]:
    """Return the land between the streets, split where lanes run through it."""
    import shapely

    built = [r for r in roads if r.grade != "园路"]
    free = land().difference(shapely.union_all([r.polygon for r in built]))
    found = []
    for r, row in enumerate(USES):
        for c, use in enumerate(USES[row]):
            cell = quad(COLUMNS[c], COLUMNS[c + 1], ROWS[r], ROWS[r + 1])
            pieces = shapely.get_parts(free.intersection(cell))
            pieces = sorted(
                (p for p in pieces if p.area > 400), key=lambda p: (p.centroid.x, p.centroid.y)
            )
            angle = street_angle((COLUMNS[c] + COLUMNS[c + 1]) / 2)
            for k, piece in enumerate(pieces):
                mark = f"-{k + 1}" if len(pieces) > 1 else ""
                found.append(Block(f"{'ABCDEFGH'[c]}{r}{mark}", piece, angle, use))
    return found


def quad(s0: float, s1: float, t0: float, t1: float) -> Any:
    """Return a cell of the bent grid as a shapely polygon."""
    import shapely

    s, t = np.linspace(s0, s1, 40), np.linspace(t0, t1, 40)
    ring = [
        np.column_stack(bend(s, np.full(40, t0))),
        np.column_stack(bend(np.full(40, s1), t)),
        np.column_stack(bend(s[::-1], np.full(40, t1))),
        np.column_stack(bend(np.full(40, s0), t[::-1])),
    ]
    return shapely.Polygon(np.vstack(ring)).intersection(shapely.box(0, 0, WIDTH, HEIGHT))


def segments(roads: list[Street]) -> list[tuple[Street, Any]]:
    """Return every street cut at its junctions, so that the lines form a network."""
    import shapely

    noded = shapely.get_parts(shapely.node(shapely.MultiLineString([r.line for r in roads])))
    found = []
    for road in roads:
        corridor = road.line.buffer(0.05)
        found += [(road, p) for p in noded if p.length > 0.5 and corridor.covers(p)]
    return found
