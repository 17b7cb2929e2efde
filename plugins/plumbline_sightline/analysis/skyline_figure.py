"""The figure of a skyline: elevation over azimuth, peaks named, a second one overlaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.api import Azimuths, Obstacles, Skyline, draw_figure, figure_colors, tr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

#: Names written over peaks, at most; no two nearer than this share of the width.
_NAMES, _APART = 8, 0.07


def skyline_figure(
    azimuths: Azimuths, line: Skyline, obstacles: Obstacles, other: Skyline | None, north: str
) -> bytes:
    """Return a skyline as a figure; with another one, what that raises and what it lowers."""
    colors = figure_colors()
    degrees = azimuths.degrees
    floor = _floor([one.elevation for one in (line, other) if one is not None])
    first, second = (
        np.where(np.isnan(one.elevation), floor, one.elevation) for one in (line, other or line)
    )

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.fill_between(degrees, floor, first, color=colors["border"], lw=0)
        if other is not None:
            _overlay(axes, degrees, first, second)
        label = tr("Skyline") if other is None else tr("First")
        axes.plot(degrees, first, color=colors["text"], lw=1.2, label=label)
        named = other is None and _name_peaks(axes, degrees, line, obstacles, floor)
        top = max(float(v.max()) for v in (first, second))
        room = 0.45 if named else 0.15
        # A range of one azimuth still has a width.
        end = max(degrees[-1], degrees[0] + azimuths.step)
        axes.set(xlim=(degrees[0], end), ylim=(floor, top + (top - floor) * room + 0.1))
        axes.set_ylabel(tr("Elevation, °"))
        axes.set_xlabel(
            tr("Azimuth from true north, °")
            if north == "true"
            else tr("Azimuth from grid north, °")
        )
        _compass(axes, float(degrees[0]), float(degrees[-1]))
        if other is not None:
            axes.legend(loc="upper right", ncols=4)

    return draw_figure(paint, (10.0, 3.8))


def _floor(elevations: list[FloatArray]) -> float:
    """Return the lower border of the figure: the level, or what is seen a little below it.

    The edge of a model that ends at one's feet would take all the room.
    """
    known = np.concatenate(elevations)
    known = known[~np.isnan(known)]
    if len(known) == 0 or known.min() >= 0:
        return 0.0
    return max(float(known.min()) - 0.1, -1.0 - 0.3 * max(float(known.max()), 0.0))


def _overlay(axes: Axes, degrees: FloatArray, first: FloatArray, second: FloatArray) -> None:
    colors = figure_colors()
    for mask, color, text in (
        (second > first, colors["new"], tr("Raised")),
        (second < first, colors["gone"], tr("Lowered")),
    ):
        axes.fill_between(
            degrees, first, second, where=mask, color=color, alpha=0.45, lw=0, label=text
        )
    axes.plot(degrees, second, color=colors["accent"], lw=1.2, label=tr("Second"))


def _name_peaks(
    axes: Axes, degrees: FloatArray, line: Skyline, obstacles: Obstacles, floor: float
) -> bool:
    """Write names over the highest peaks of named things; tell whether there were any."""
    colors = figure_colors()
    width = degrees[-1] - degrees[0]
    named = np.array([bool(entity.entity) for entity in obstacles.entities] + [False])
    owner = np.full(len(line.triangle), len(named) - 1)
    stands = line.triangle >= 0
    owner[stands] = obstacles.owner[line.triangle[stands]]
    taken: list[tuple[float, int]] = []
    height = np.where(named[owner], np.nan_to_num(line.elevation, nan=floor), floor)
    for n in np.argsort(-height, kind="stable").tolist():
        if len(taken) == _NAMES or height[n] <= max(floor, 0.0):
            break
        here = float(degrees[n])
        beside = min(here - degrees[0], degrees[-1] - here) < 0.01 * width
        if beside or any(abs(here - at) < _APART * width or owner[n] == who for at, who in taken):
            continue
        taken.append((here, int(owner[n])))
        name = obstacles.names[owner[n]]
        axes.annotate(
            name if len(name) <= 16 else name[:15] + "…",
            (here, float(height[n])),
            xytext=(0, 8),
            textcoords="offset points",
            rotation=35,
            fontsize=8,
            color=colors["muted"],
            arrowprops={"arrowstyle": "-", "lw": 0.6, "color": colors["muted"]},
        )
    return bool(taken)


def _compass(axes: Axes, start: float, end: float) -> None:
    """Mark azimuths, with the points of the compass where the range is wide."""
    width = end - start
    step = next(s for s in (1, 2, 5, 10, 15, 30, 45) if width / s <= 12 or s == 45)
    names = {0: tr("N"), 90: tr("E"), 180: tr("S"), 270: tr("W")}
    ticks = np.arange(np.ceil(start / step) * step, end + step * 0.01, step)
    axes.set_xticks(ticks)
    whole = [round(float(tick)) % 360 for tick in ticks]
    axes.set_xticklabels([f"{t}\n{names[t]}" if t in names else f"{t}" for t in whole])
