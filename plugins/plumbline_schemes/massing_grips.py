"""The grips of a block in the canvas: what each drags, and the outline that follows the hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from plumbline.api import CrsUnits, tr
from plumbline.ui_kit.context import Guide, Mark, Point
from plumbline_schemes.analysis.massing import Block, axes_of, footprint
from plumbline_schemes.analysis.massing_edits import moved, pushed, turned, wall

#: Walls of an outline that have grips; the longest ones of more.
MOST_WALLS = 24
#: Distance of the grips that move and turn from the walls, metres.
ASIDE = 8.0
UP = Guide((0.0, 0.0, 1.0))
LEVEL = Guide((0.0, 0.0, 1.0), plane=True)


@dataclass(frozen=True)
class Grip:
    """A place that is dragged, what it keeps to, and what comes of it."""

    place: Point
    guide: Guide
    drag: Callable[[Point], Block]


def grips_of(block: Block, units: CrsUnits) -> list[Grip]:
    """Return the grips of a block: its top, its walls, and two to move and to turn it."""
    middle, along, across, length, width = axes_of(footprint(block))
    unit, up = units.horizontal or 1.0, 1.0 / units.vertical
    top = block.base + block.height * up
    beside = middle - across * (width / 2 + ASIDE / unit)
    before = middle + along * (length / 2 + ASIDE / unit)

    def move(place: Point) -> Block:
        return moved(block, place[0] - beside[0], place[1] - beside[1])

    def turn(place: Point) -> Block:
        old, new = before - middle, np.array(place[:2]) - middle
        return turned(block, _bearing(new) - _bearing(old))

    found = [
        Grip(_at(middle, top), UP, lambda place: raised(block, place[2] - block.base, units)),
        Grip(_at(beside, block.base), LEVEL, move),
        Grip(_at(before, block.base), LEVEL, turn),
    ]
    level = block.base
    for number, tier in enumerate(block.tiers):
        height = level + tier.height * up / 2
        sides = sorted(
            range(len(tier.rings[0])),
            key=lambda n, number=number: (
                -float(np.hypot(*np.subtract(*wall(block, number, n)[:2])))
            ),
        )
        for edge in sorted(sides[:MOST_WALLS]):
            found.append(_wall_grip(block, number, edge, height))
        level += tier.height * up
    return found


def _wall_grip(block: Block, tier: int, edge: int, height: float) -> Grip:
    start, end, normal = wall(block, tier, edge)
    middle = (start + end) / 2

    def push(place: Point) -> Block:
        return pushed(block, tier, edge, float((np.array(place[:2]) - middle) @ normal))

    return Grip(_at(middle, height), Guide((float(normal[0]), float(normal[1]), 0.0)), push)


def raised(block: Block, height: float, units: CrsUnits) -> Block:
    """Return a block of about a height (units of z), by whole storeys of its topmost tier."""
    top = block.tiers[-1]
    below = sum(tier.height for tier in block.tiers[:-1])
    roof = block.height - below - top.height
    wanted = (height * units.vertical - below - roof) / top.storey_height
    tier = replace(top, storeys=max(1, min(250, round(wanted))))
    return replace(block, tiers=(*block.tiers[:-1], tier))


def marks_of(block: Block, units: CrsUnits, tone: str = "accent") -> list[Mark]:
    """Return the edges of a block with its storeys, to follow the hand."""
    up = 1.0 / units.vertical
    level = block.base
    found: list[Mark] = []
    for tier in block.tiers:
        high = level + tier.height * up
        for ring in tier.rings:
            low_ring = [(x, y, level) for x, y in ring]
            high_ring = [(x, y, high) for x, y in ring]
            found += [
                Mark(low_ring, tone=tone, closed=True),
                Mark(high_ring, tone=tone, closed=True),
            ]
            if len(ring) <= MOST_WALLS:
                found += [Mark(pair, tone=tone) for pair in zip(low_ring, high_ring, strict=True)]
        level = high
    text = tr("{n} storeys, {h} m", n=block.storeys, h=f"{block.height:.1f}")
    middle = axes_of(footprint(block))[0]
    found.append(Mark([_at(middle, level)], "points", tone, label=text))
    return found


def _bearing(vector: np.ndarray) -> float:
    return math.degrees(math.atan2(vector[0], vector[1]))


def _at(place: np.ndarray, z: float) -> Point:
    return (float(place[0]), float(place[1]), float(z))
