"""Criteria of schemes: what is better, and what results change against a reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plumbline.api import Result, Table, Value

#: Criteria of which it is known that less is better, by analysis; more is of the others here.
LESS: dict[str, tuple[str, ...]] = {
    "schemes.check": ("failed", "unknown"),
    "schemes.conflicts": ("conflicts", "area", "length"),
    "schemes.earthwork": ("cut", "fill", "moved"),
    "sunlight.windows": ("failed", "newly_failing", "hours_lost"),
    "sightline.corridor": ("breakers", "newly_broken", "broken", "highest_exceedance"),
    "sightline.skyline": ("change_area", "rise_max"),
    "volume.cutfill": ("cut", "fill"),
    "volume.demolition": ("buildings", "floor_area", "volume", "debris", "cost"),
}
MORE: dict[str, tuple[str, ...]] = {
    "schemes.indicators": ("green_ratio",),
    "schemes.check": ("passed",),
    "sunlight.windows": ("passed", "newly_passing", "hours_gained"),
}
FAIL, PASS = "fail", "pass"


def better_of(analysis: str, value: str) -> str:
    """Return ``less`` or ``more``, or nothing where the planner has to say it."""
    if value in LESS.get(analysis, ()):
        return "less"
    return "more" if value in MORE.get(analysis, ()) else ""


def _rows(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def windows_change(before: Result, after: Result) -> dict[str, Value]:
    """Return what windows lose and gain; they are paired by layer and id.

    A window fails newly that fails and did not fail before, or was not there. Hours are the sums
    over windows that are there in both.
    """
    was = {(row["layer"], row["id"]): row for row in _rows(before.tables["windows"])}
    newly_failing = newly_passing = 0
    lost = gained = 0.0
    for row in _rows(after.tables["windows"]):
        old = was.get((row["layer"], row["id"]))
        newly_failing += row["verdict"] == FAIL and (old is None or old["verdict"] != FAIL)
        newly_passing += row["verdict"] == PASS and old is not None and old["verdict"] == FAIL
        if old is not None and old["hours"] is not None and row["hours"] is not None:
            change = row["hours"] - old["hours"]
            lost, gained = lost + max(-change, 0.0), gained + max(change, 0.0)
    return {
        "newly_failing": Value(newly_failing),
        "newly_passing": Value(newly_passing),
        "hours_lost": Value(lost, "h"),
        "hours_gained": Value(gained, "h"),
    }


def corridor_change(before: Result, after: Result) -> dict[str, Value]:
    """Return the entities that break a corridor and did not, and whether it is broken anew."""
    was = {(row["layer"], row["entity"]) for row in _rows(before.tables["breakers"])}
    new = [
        row for row in _rows(after.tables["breakers"]) if (row["layer"], row["entity"]) not in was
    ]
    worst = max((row["exceedance"] for row in new), default=0.0)
    return {
        "newly_broken": Value(len(new)),
        "broken": Value(int(bool(new))),
        "new_exceedance": Value(worst, "m"),
    }


def skyline_change(before: Result, after: Result) -> dict[str, Value]:
    """Return by how much the skyline rises and falls, azimuth by azimuth.

    The area is the sum of the differences of elevation times the step of azimuth.
    """
    was = {row["azimuth"]: row["elevation"] for row in _rows(before.tables["skyline"])}
    now = {row["azimuth"]: row["elevation"] for row in _rows(after.tables["skyline"])}
    both = [a for a in now if was.get(a) is not None and now[a] is not None]
    changes = [now[a] - was[a] for a in both]
    step = (both[1] - both[0]) % 360.0 if len(both) > 1 else 0.0
    return {
        "rise_max": Value(max([0.0, *changes]), "°"),
        "fall_max": Value(max([0.0, *(-change for change in changes)]), "°"),
        "change_area": Value(step * sum(map(abs, changes)), "°²"),
    }


#: What the results of an analysis say when they are held against those of the reference.
CHANGES: Mapping[str, Callable[[Result, Result], dict[str, Value]]] = {
    "sunlight.windows": windows_change,
    "sightline.corridor": corridor_change,
    "sightline.skyline": skyline_change,
}
