"""What is done to massing: placed, drawn on parcels, moved, turned, pushed, split, aligned, listed.

Everything returns new blocks, checked; angles are degrees clockwise from grid north.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from plumbline.api import N_, CrsUnits, InputError, RefusedError, tr
from plumbline_schemes.analysis.massing import (
    MOST_BLOCKS,
    Block,
    Ring,
    Tier,
    axes_of,
    checked,
    footprint,
    rings_of,
)

FloatArray = NDArray[np.float64]
Place = tuple[float, float]

#: Bytes and rows of a table of blocks.
MOST_BYTES = 20_000_000


@dataclass(frozen=True)
class Template:
    """A block as it is placed by one click; lengths in metres."""

    title: str
    length: float
    width: float
    storeys: int
    storey_height: float = 3.0
    use: str = "住宅"
    wing: float = 0.0
    podium: int = 0
    inset: float = 0.0


TEMPLATES: Mapping[str, Template] = {
    "slab": Template(N_("Slab"), 56, 13, 18),
    "tower": Template(N_("Tower"), 30, 20, 33),
    "court": Template(N_("Courtyard block"), 64, 64, 6, wing=12),
    "podium": Template(N_("Podium and tower"), 64, 44, 24, 3.6, "办公", podium=4, inset=10),
    "house": Template(N_("House"), 14, 10, 3),
}


def placed(name: str, at: Place, angle: float, base: float, units: CrsUnits) -> Block:
    """Return a block of a template, its long side in a direction.

    Raises
    ------
    KeyError
        If there is no such template.
    """
    kind = TEMPLATES[name]
    unit = 1.0 / (units.horizontal or 1.0)
    turn = math.radians(angle)
    along = np.array([math.sin(turn), math.cos(turn)])
    axes = np.array([along, [along[1], -along[0]]])

    def ring(length: float, width: float) -> Ring:
        half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (length / 2, width / 2)
        points = np.array(at) + half @ axes * unit
        return tuple((float(x), float(y)) for x, y in points)

    outer = ring(kind.length, kind.width)
    rings: tuple[Ring, ...] = (outer,)
    if kind.wing:
        rings = (outer, ring(kind.length - 2 * kind.wing, kind.width - 2 * kind.wing))
    tier = Tier(rings, kind.storeys, kind.storey_height, kind.use)
    block = checked(Block("", "", base, (tier,)))
    return with_podium(block, kind.podium, kind.inset, units) if kind.podium else block


def drawn(
    ring: Sequence[Place], base: float, storeys: int, storey_height: float, use: str
) -> Block:
    """Return a block on an outline."""
    return checked(Block("", "", base, (Tier((tuple(ring),), storeys, storey_height, use),)))


def on_parcel(
    parcel: Any, setback: float, base: float, storeys: int, storey_height: float, use: str,
    units: CrsUnits,
) -> list[Block]:  # fmt: skip
    """Return blocks that fill a parcel up to a distance from its lines, metres.

    Raises
    ------
    RefusedError
        If nothing is left.
    """
    left = shapely.buffer(parcel, -setback / (units.horizontal or 1.0), join_style="mitre")
    parts = [p for p in shapely.get_parts(left) if p.geom_type == "Polygon" and p.area > 0]
    if not parts:
        raise RefusedError(
            tr("Nothing is left of the parcel {d} m away from its lines.", d=f"{setback:g}"),
            tr("Give a smaller setback."),
        )
    tier = Tier((), storeys, storey_height, use)
    return [checked(Block("", "", base, (replace(tier, rings=rings_of(part)),))) for part in parts]


def with_podium(
    block: Block,
    storeys: int,
    inset: float,
    units: CrsUnits,
    height: float = 4.5,
    use: str = "商业",
) -> Block:
    """Return a block as a tower that stands back on a podium of its outline; without one for 0.

    Raises
    ------
    RefusedError
        If the tower would have no room.
    """
    lowest, top = block.tiers[0], block.tiers[-1]
    if storeys <= 0:
        return checked(replace(block, tiers=(replace(top, rings=lowest.rings),)))
    room = shapely.buffer(lowest.polygon, -inset / (units.horizontal or 1.0), join_style="mitre")
    parts = [p for p in shapely.get_parts(room) if p.geom_type == "Polygon" and p.area > 0]
    if not parts:
        raise RefusedError(
            tr("No tower stands {d} m back from the podium's walls.", d=f"{inset:g}"),
            tr("Give a smaller distance."),
        )
    largest = max(parts, key=lambda part: float(part.area))
    podium = Tier(lowest.rings, storeys, height, use)
    tower = replace(top, rings=rings_of(largest))
    return checked(replace(block, tiers=(podium, tower)))


# -- moving ----------------------------------------------------------------------------------


def reshaped(block: Block, change: Callable[[FloatArray], FloatArray]) -> Block:
    """Return a block whose corners ``(N, 2)`` went through a function."""

    def ring(points: Ring) -> Ring:
        return tuple((float(x), float(y)) for x, y in change(np.array(points)))

    tiers = tuple(replace(t, rings=tuple(ring(r) for r in t.rings)) for t in block.tiers)
    return checked(replace(block, tiers=tiers))


def moved(block: Block, dx: float, dy: float) -> Block:
    """Return a block elsewhere."""
    return reshaped(block, lambda points: points + (dx, dy))


def turned(block: Block, angle: float) -> Block:
    """Return a block turned about its middle, degrees clockwise."""
    middle = middle_of(block)
    turn = math.radians(angle)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return reshaped(block, lambda points: (points - middle) @ matrix + middle)


def middle_of(block: Block) -> FloatArray:
    """Return the middle of the rectangle around a block."""
    return axes_of(footprint(block))[0]


def direction_of(block: Block) -> float:
    """Return where the long side of a block points, 0 to 180 degrees."""
    along = axes_of(footprint(block))[1]
    return math.degrees(math.atan2(along[0], along[1])) % 180


def aligned(block: Block, angle: float) -> Block:
    """Return a block turned by the least angle that makes a side parallel to a direction."""
    off = (angle - direction_of(block) + 45) % 90 - 45
    return turned(block, off)


def wall(block: Block, tier: int, edge: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return both ends of a wall of the outline of a tier, and its outward normal."""
    ring = np.array(block.tiers[tier].rings[0])
    start, end = ring[edge], ring[(edge + 1) % len(ring)]
    along = (end - start) / float(np.hypot(*(end - start)))
    return start, end, np.array([along[1], -along[0]])


def pushed(block: Block, tier: int, edge: int, distance: float) -> Block:
    """Return a block with a wall moved outwards by a distance, units of the CRS.

    The walls beside it keep their directions.

    Raises
    ------
    UsageError
        If the outline would cross itself.
    """
    ring = np.array(block.tiers[tier].rings[0])
    count = len(ring)
    _, _, normal = wall(block, tier, edge)
    first, last = edge, (edge + 1) % count
    for corner, other in ((first, ring[edge - 1]), (last, ring[(edge + 2) % count])):
        side = ring[corner] - other
        lean = float(side @ normal)
        # Along the wall beside it, unless that is nearly parallel.
        step = side * (distance / lean) if abs(lean) > 0.2 * np.hypot(*side) else normal * distance
        ring[corner] = ring[corner] + step
    rings = (tuple((float(x), float(y)) for x, y in ring), *block.tiers[tier].rings[1:])
    tiers = list(block.tiers)
    tiers[tier] = replace(tiers[tier], rings=rings)
    return checked(replace(block, tiers=tuple(tiers)))


def split(block: Block, start: Place, end: Place) -> list[Block]:
    """Return the parts of a block on both sides of a line, which is as long as needed.

    Raises
    ------
    RefusedError
        If the line does not part it.
    """
    a, b = np.array(start), np.array(end)
    length = float(np.hypot(*(b - a)))
    if length == 0:
        raise _unparted()
    x0, y0, x1, y1 = footprint(block).bounds
    far = (b - a) / length * (math.hypot(x1 - x0, y1 - y0) + np.hypot(*(a - (x0, y0))))
    aside = np.array([far[1], -far[0]])
    sides = [
        shapely.Polygon([a - far, a + far, a + far + aside * s, a - far + aside * s])
        for s in (1, -1)
    ]
    found: list[Block] = []
    for side in sides:
        tiers = [
            replace(tier, rings=rings_of(part))
            for tier in block.tiers
            for part in [_largest(shapely.intersection(tier.polygon, side))]
            if part is not None
        ]
        if tiers and tiers[0].storeys == block.tiers[0].storeys:
            found.append(checked(replace(block, id="", tiers=tuple(tiers))))
    if len(found) < 2:
        raise _unparted()
    return found


def _unparted() -> RefusedError:
    return RefusedError(
        tr("The line does not part the building."), tr("Draw it from one side to the other.")
    )


def _largest(shape: Any) -> Any | None:
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > 1e-6]
    return max(parts, key=lambda part: float(part.area), default=None)


# -- tables ----------------------------------------------------------------------------------

#: What columns of a table of blocks may be called, by what they mean.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("名称", "楼号", "name"),
    "use": ("用途", "use"),
    "storeys": ("层数", "storeys"),
    "storey_height": ("层高", "storey_height"),
    "x": ("x", "X", "东坐标"),
    "y": ("y", "Y", "北坐标"),
    "length": ("长", "面宽", "length"),
    "width": ("宽", "进深", "width"),
    "angle": ("方位角", "朝向", "angle"),
    "base": ("基底高程", "室内地坪", "base"),
    "dwellings": ("户数", "dwellings"),
}
NEEDED = ("x", "y", "length", "width", "storeys")


def table_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table, CSV (UTF-8 or GBK) or XLSX, by the names of its columns.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(tr("“{name}” is too large for a table.", name=path.name))
        if path.suffix.lower() == ".xlsx":
            return _workbook(path)
        data = path.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("gb18030")
        return list(csv.DictReader(io.StringIO(text)))
    except InputError:
        raise
    except Exception as error:  # of many kinds, by what is wrong inside
        raise InputError(
            tr("“{name}” is no table that can be read.", name=path.name),
            tr("Give a CSV or XLSX file with a row for each building."),
            str(error),
        ) from error


def _workbook(path: Path) -> list[dict[str, Any]]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        rows = book.active.iter_rows(values_only=True, max_row=MOST_BLOCKS + 2)
        head = [str(name or "") for name in next(rows, ())]
        return [dict(zip(head, row, strict=False)) for row in rows]
    finally:
        book.close()


def from_table(
    rows: Sequence[Mapping[str, Any]], units: CrsUnits, ground: Callable[[float, float], float]
) -> list[Block]:
    """Return the blocks that a table lists: places, lengths in metres, storeys.

    Parameters
    ----------
    ground : callable
        Returns the height of the ground at a place, for rows that state no level.

    Raises
    ------
    InputError
        If a column or a number is missing or cannot be; the message names the row.
    """
    if len(rows) > MOST_BLOCKS:
        raise InputError(tr("The table has more than {n} buildings.", n=MOST_BLOCKS))
    found = []
    for n, row in enumerate(rows, 1):
        given = {
            meaning: row[name]
            for meaning, names in COLUMNS.items()
            for name in names
            if row.get(name) not in (None, "")
        }
        missing = [meaning for meaning in NEEDED if meaning not in given]
        if missing:
            raise InputError(
                tr("Row {n} of the table has no “{name}”.", n=n, name=missing[0]),
                tr("Its columns are {names}.", names=", ".join(NEEDED)),
            )
        try:
            found.append(_of_row(given, n, units, ground))
        except (ValueError, TypeError) as error:
            raise InputError(
                tr("Row {n} of the table has a number that cannot be.", n=n), "", str(error)
            ) from error
    return found


def _of_row(
    given: Mapping[str, Any], n: int, units: CrsUnits, ground: Callable[[float, float], float]
) -> Block:
    x, y, length, width = (float(given[name]) for name in ("x", "y", "length", "width"))
    if not (all(map(math.isfinite, (x, y))) and 0.5 <= length <= 5000 and 0.5 <= width <= 5000):
        raise ValueError((x, y, length, width))
    turn = math.radians(float(given.get("angle", 90)))
    along = np.array([math.sin(turn), math.cos(turn)])
    axes = np.array([along, [along[1], -along[0]]]) / (units.horizontal or 1.0)
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (length / 2, width / 2)
    ring = tuple((float(a), float(b)) for a, b in np.array([x, y]) + half @ axes)
    base = float(given["base"]) / units.vertical if "base" in given else ground(x, y)
    tier = Tier(
        (ring,), int(given["storeys"]), float(given.get("storey_height", 3.0)),
        str(given.get("use", "住宅")),
    )  # fmt: skip
    name = str(given.get("name", n))
    return checked(Block("", name, base, (tier,), dwellings=int(given.get("dwellings", 0))))
