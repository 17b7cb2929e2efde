"""Sun-path diagrams: silhouettes and the sun's ways, as fisheye and unrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.api import N_, STANDARD_DAYS, Sky, draw_figure, figure_colors, tr

FloatArray = NDArray[np.float64]

#: Silhouettes that have a colour and a name of their own.
NAMED = 7

#: What people call standard days here.
DAYS = {name: title for name, (_, title) in STANDARD_DAYS.items()}


@dataclass(frozen=True)
class Path:
    """The sun's way on a day: degrees from true north, true elevation, true solar time (h)."""

    azimuth: FloatArray
    elevation: FloatArray
    hours: FloatArray

    @classmethod
    def empty(cls) -> Path:
        """Return the path of a day without sun."""
        nothing = np.empty(0)
        return cls(nothing, nothing, nothing)

    def at_hours(self) -> list[tuple[int, float, float]]:
        """Return (hour, azimuth, elevation) at whole hours of true solar time."""
        found = []
        for hour in range(1, 24):
            inside = len(self.hours) and self.hours.min() <= hour <= self.hours.max()
            if inside and np.all(np.diff(self.hours) > 0):
                azimuth = np.interp(hour, self.hours, np.unwrap(self.azimuth, period=360))
                elevation = float(np.interp(hour, self.hours, self.elevation))
                if elevation > 0:
                    found.append((hour, float(azimuth) % 360.0, elevation))
        return found


Paths = Sequence[tuple[str, Path]]


def fisheye(sky: Sky, labels: Sequence[str], paths: Paths, turn: float) -> bytes:
    """Return the sky as on a plan: true north up, equidistant from the zenith in the middle."""

    def place(azimuth: FloatArray, elevation: FloatArray) -> FloatArray:
        a, r = np.radians(azimuth), 90.0 - elevation
        points: FloatArray = np.stack([r * np.sin(a), r * np.cos(a)], axis=-1)
        return points

    def paint(figure: Any) -> None:
        from matplotlib.patches import Circle

        colors = figure_colors()
        axes = figure.add_subplot()
        axes.add_patch(Circle((0, 0), 90, color=colors["sky_top"], alpha=0.35, linewidth=0))
        handles = _silhouettes(axes, sky, labels, turn, place)
        for elevation in (0, 30, 60):
            ring = Circle((0, 0), 90 - elevation, fill=False, lw=0.7, color=colors["muted"])
            axes.add_patch(ring)
            if elevation:
                spot = place(np.array(225.0), np.array(float(elevation)))
                axes.text(*spot, f"{elevation}°", fontsize=7.5, color=colors["muted"])
        handles += _ways(axes, paths, place)
        for x, y, text in (
            *((0, 97, tr("N")), (97, 0, tr("E"))),
            *((0, -97, tr("S")), (-97, 0, tr("W"))),
        ):
            axes.text(x, y, text, ha="center", va="center", fontsize=11)
        axes.set(xlim=(-104, 104), ylim=(-104, 104), aspect="equal")
        axes.axis("off")
        axes.set_title(tr("Sun path"))
        figure.legend(handles=handles, loc="outside right center")

    return draw_figure(paint, (8.0, 5.6))


def unrolled(sky: Sky, labels: Sequence[str], paths: Paths, turn: float) -> bytes:
    """Return azimuth across and elevation up, from north over south to north."""

    def place(azimuth: FloatArray, elevation: FloatArray) -> FloatArray:
        points: FloatArray = np.stack([azimuth, elevation], axis=-1)
        return points

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        handles = _silhouettes(axes, sky, labels, turn, place)
        handles += _ways(axes, paths, place)
        axes.set(xlim=(0, 360), ylim=(0, 90))
        axes.set_xticks(range(0, 361, 45), [tr(p) for p in _POINTS])
        axes.set_xlabel(tr("Azimuth from true north"))
        axes.set_ylabel(tr("Elevation (°)"))
        axes.set_title(tr("Sun path"))
        figure.legend(handles=handles, loc="outside lower center", ncols=4)

    return draw_figure(paint, (9.0, 5.0))


_POINTS = (
    *(N_("N"), N_("NE"), N_("E"), N_("SE"), N_("S")),
    *(N_("SW"), N_("W"), N_("NW"), N_("N")),
)


def _silhouettes(axes: Any, sky: Sky, labels: Sequence[str], turn: float, place: Any) -> list[Any]:
    """Draw what is covered, the largest in colours; return handles of a legend."""
    from matplotlib.patches import Patch

    colors = figure_colors()
    covered, half = sky.covered, sky.azimuths.step / 2
    if len(covered.azimuth) == 0:
        return []
    azimuth = (sky.azimuths.degrees[covered.azimuth] + turn) % 360.0
    low, high = np.degrees(covered.low), np.degrees(covered.high)
    quads = np.stack(
        [
            place(azimuth + side * half, edge)
            for side, edge in ((-1, low), (1, low), (1, high), (-1, high))
        ],
        axis=1,
    )
    names = np.array(labels)
    size = np.sin(covered.high) - np.sin(covered.low)
    known, number = np.unique(names, return_inverse=True)
    weight = np.bincount(number, size)
    leading = [str(known[n]) for n in np.argsort(-weight, kind="stable")[:NAMED]]
    palette = [tone for n, tone in enumerate(colors["categorical"]) if n != 1]
    handles = []
    for k, name in enumerate(leading):
        tone = palette[k % len(palette)]
        axes.add_collection(_covering(quads[names == name], tone))
        handles.append(Patch(color=tone, label=name))
    others = ~np.isin(names, leading)
    if others.any():
        tone = colors["shade"]
        axes.add_collection(_covering(quads[others], tone))
        handles.append(Patch(color=tone, label=tr("others")))
    return handles


def _covering(quads: FloatArray, tone: str) -> Any:
    """Return quads of one colour without seams."""
    from matplotlib.collections import PolyCollection

    return PolyCollection(list(quads), facecolors=tone, edgecolors="none", antialiaseds=False)


def _ways(axes: Any, paths: Paths, place: Any) -> list[Any]:
    """Draw the sun's ways with their hours; return handles of a legend."""
    from matplotlib.patheffects import withStroke

    colors = figure_colors()
    styles = ("-", "--", "-.", ":")
    handles = []
    for n, (name, path) in enumerate(paths):
        if len(path.azimuth) == 0:
            continue
        # Where the way crosses north the line is cut, so that it does not run across.
        jump = np.flatnonzero(np.abs(np.diff(path.azimuth)) > 180) + 1
        points = place(path.azimuth, np.maximum(path.elevation, 0.0))
        style = styles[n % len(styles)]
        for part in np.split(points, jump):
            (line,) = axes.plot(*part.T, style, color=colors["lit"], linewidth=2.0, zorder=3)
        line.set_label(tr(DAYS.get(name, name)))
        handles.append(line)
        for hour, azimuth, elevation in path.at_hours():
            spot = place(np.array(azimuth), np.array(elevation))
            axes.plot(*spot, "o", color=colors["lit"], markersize=3.5, zorder=4)
            text = axes.annotate(
                f"{hour}", spot, (0, 4), textcoords="offset points", ha="center", fontsize=6.5
            )
            text.set(zorder=5, path_effects=[withStroke(linewidth=1.6, foreground="white")])
    return handles
