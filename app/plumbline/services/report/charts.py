"""Figures that reports draw themselves: plan of the site, bars of indicators, range of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plumbline.analysis.figures import draw_figure, figure_colors
from plumbline.analysis.result import Table
from plumbline.core.data import MeshData, VectorData
from plumbline.core.i18n import tr
from plumbline.core.scene import Scene, Scheme
from plumbline.core.units import format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Share of the site that is shown around it.
AROUND = 0.35
#: Schemes beside each other in a plan, and bars in a row.
ACROSS = 2


def site_rings(scheme: Scheme) -> list[NDArray[np.float64]]:
    """Return the outlines of the parcels of a scheme, project CRS."""
    polygons: Any = scheme.site.get("polygons") or ()
    if isinstance(polygons, Mapping):
        return []
    found = [np.asarray(ring, dtype=np.float64) for ring in polygons]
    return [ring[:, :2] for ring in found if ring.ndim == 2 and len(ring) > 2]


def site_plan(scene: Scene, schemes: Sequence[Scheme]) -> bytes | None:
    """Return a plan for every scheme, north up: what stays, what goes, what comes.

    None where no scheme says its site and adds nothing.
    """
    rings = [ring for scheme in schemes for ring in site_rings(scheme)]
    new = {scheme.id: _new(scene, scheme) for scheme in schemes}
    corners = [*rings, *(t.reshape(-1, 2) for own in new.values() for t in own if len(t))]
    if not corners:
        return None
    low, high = np.concatenate(corners).min(axis=0), np.concatenate(corners).max(axis=0)
    pad = AROUND * float((high - low).max())
    low, high = low - pad, high + pad
    columns = min(ACROSS, len(schemes))
    rows = -(-len(schemes) // columns)
    wide = 8.0 / columns
    tall = wide * float((high - low)[1] / (high - low)[0])

    def paint(figure: Figure) -> None:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax in axes[len(schemes) :]:
            ax.set_axis_off()
        for ax, scheme in zip(axes, schemes, strict=False):
            _one_plan(ax, scene, scheme, new[scheme.id], (low, high))
        handles = _legend()
        figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), fontsize=8)

    return draw_figure(paint, (8.0, rows * (tall + 0.35) + 0.35))


def _new(scene: Scene, scheme: Scheme) -> list[NDArray[np.float64]]:
    """Return the outlines and upward faces of what a scheme adds, in plan."""
    found: list[NDArray[np.float64]] = []
    for name in scheme.layers:
        data = scene[name].data if name in scene else None
        if isinstance(data, MeshData):
            flat = data.vertices[data.triangles][:, :, :2]
            a, b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
            found.append(flat[np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) > 0.02])
        elif isinstance(data, VectorData):
            found += [ring[None] for ring in _outlines(data)]
    return found


def _outlines(data: VectorData, keep: Any = None) -> list[NDArray[np.float64]]:
    """Return the outer rings of polygons; `keep` tells by the id which."""
    found = []
    for label, shape in zip(data.features.index.astype(str), data.features.geometry, strict=True):
        for part in getattr(shape, "geoms", [shape]):
            if part is not None and part.geom_type == "Polygon" and (keep is None or keep(label)):
                found.append(np.asarray(part.exterior.coords)[:, :2])
    return found


def _one_plan(
    ax: Axes, scene: Scene, scheme: Scheme, new: Sequence[NDArray[np.float64]], box: Any
) -> None:
    from matplotlib.collections import PolyCollection

    colors = figure_colors()
    gone = {(ref.layer, ref.entity) for ref in scheme.hidden}
    for name in dict.fromkeys(ref.layer for ref in scheme.hidden):
        data = scene[name].data if name in scene else None
        if not isinstance(data, VectorData):
            continue
        stays = _outlines(data, lambda i, n=name: (n, i) not in gone)
        goes = _outlines(data, lambda i, n=name: (n, i) in gone)
        ax.add_collection(PolyCollection(stays, facecolor="#d5dae0", edgecolor="#aab3bd", lw=0.3))
        ax.add_collection(
            PolyCollection(goes, facecolor="none", edgecolor=colors["gone"], lw=0.7, ls="--")
        )
    for faces in new:
        ax.add_collection(
            PolyCollection(list(faces), facecolor=colors["new"], edgecolor=colors["new"], lw=0.2)
        )
    for ring in site_rings(scheme):
        closed = np.vstack([ring, ring[:1]])
        ax.plot(closed[:, 0], closed[:, 1], color=colors["text"], lw=1.2, ls=(0, (6, 2, 1, 2)))
    (x0, y0), (x1, y1) = box
    ax.set(xlim=(x0, x1), ylim=(y0, y1), title=scheme.name, xticks=[], yticks=[], aspect="equal")
    ax.grid(visible=False)
    ax.spines[:].set_visible(True)
    _scale_and_north(ax, scene, box)


def _scale_and_north(ax: Axes, scene: Scene, box: Any) -> None:
    """Draw a scale bar and an arrow to true north, or to grid north where the earth is unknown."""
    from plumbline.geometry.geodesy import crs_units

    (x0, y0), (x1, y1) = np.asarray(box)
    crs = scene.georeference.crs
    metres = 1.0 if crs is None else crs_units(crs).horizontal
    if metres is not None:  # degrees have no scale
        length = _round_length(0.25 * (x1 - x0) * metres)
        x, y = x0 + 0.04 * (x1 - x0), y0 + 0.05 * (y1 - y0)
        ax.plot([x, x + length / metres], [y, y], color=figure_colors()["text"], lw=2)
        ax.text(x, y + 0.015 * (y1 - y0), f"{length:g} m", fontsize=7, va="bottom")
    turn = 0.0
    if crs is not None and crs.is_projected:
        turn = scene.georeference.convergence((x0 + x1) / 2, (y0 + y1) / 2)
    angle = np.radians(turn)
    # True north lies by the convergence counter-clockwise of grid north.
    arrow = np.array([-np.sin(angle), np.cos(angle)]) * 0.08 * (y1 - y0)
    foot = np.array([x1 - 0.06 * (x1 - x0), y1 - 0.16 * (y1 - y0)])
    ax.annotate(
        "N", xy=tuple(foot + arrow), xytext=tuple(foot), ha="center", va="top", fontsize=8,
        arrowprops={"arrowstyle": "-|>", "color": figure_colors()["text"], "lw": 1},
    )  # fmt: skip


def _round_length(most: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten below a length."""
    power = 10.0 ** np.floor(np.log10(max(most, 1e-6)))
    return float(max(k * power for k in (1, 2, 5) if k * power <= most))


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colors = figure_colors()
    return [
        Patch(facecolor="#d5dae0", edgecolor="#aab3bd", label=tr("stays")),
        Patch(facecolor="none", edgecolor=colors["gone"], ls="--", label=tr("removed")),
        Patch(facecolor=colors["new"], label=tr("new")),
        Line2D([], [], color=colors["text"], ls=(0, (6, 2, 1, 2)), label=tr("site")),
    ]


def bars(
    rows: Sequence[tuple[str, str, int, Mapping[str, float | None]]], names: Mapping[str, str]
) -> bytes | None:
    """Return bars for every indicator: (title, unit, decimals, numbers by scheme).

    What is unknown has no bar and says so; None where nothing is known.
    """
    rows = [row for row in rows if any(value is not None for value in row[3].values())]
    if not rows:
        return None
    columns = min(3, len(rows))
    lines = -(-len(rows) // columns)
    bar = 0.24 * max(2, len(names)) + 0.75

    def paint(figure: Figure) -> None:
        colors = figure_colors()["categorical"]
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for ax in axes[len(rows) :]:
            ax.set_axis_off()
        for ax, (title, unit, digits, numbers) in zip(axes, rows, strict=False):
            places = np.arange(len(names))
            known = [numbers.get(name) for name in names]
            heights = [0.0 if value is None else value for value in known]
            tones = [colors[n % len(colors)] for n in range(len(names))]
            ax.barh(places, heights, color=tones, height=0.62)
            room = max([abs(h) for h in heights] + [1e-9])
            for place, value in zip(places, known, strict=True):
                text = tr("unknown") if value is None else format_number(value, digits)
                ax.text((value or 0.0) + 0.03 * room, place, text, va="center", fontsize=8)
            ax.set_yticks(places, list(names.values()))
            ax.set(title=f"{title}, {unit}" if unit else title, xlim=(0, 1.35 * room), xticks=[])
            ax.title.set_fontsize(9)
            ax.invert_yaxis()
            ax.grid(visible=False)
            ax.spines["bottom"].set_visible(False)

    return draw_figure(paint, (8.0, lines * bar))


def weight_ranges(sensitivity: Table, titles: Mapping[str, str]) -> bytes:
    """Return for every criterion its weight and the range in which the winner stays the winner."""
    rows = [dict(zip(sensitivity.columns, row, strict=True)) for row in sensitivity.rows]

    def paint(figure: Figure) -> None:
        colors = figure_colors()
        ax = figure.subplots()
        for n, row in enumerate(rows):
            lower = 0.0 if row["lower"] is None else float(row["lower"])
            upper = 1.0 if row["upper"] is None else float(row["upper"])
            ax.barh(n, 1.0, color=colors["border"], height=0.42)
            ax.barh(n, upper - lower, left=lower, color=colors["visible"], height=0.42)
            ax.plot([row["weight"]], [n], "o", color=colors["text"], ms=6)
            for at, name, side in (
                (lower, row["winner_below"], "right"), (upper, row["winner_above"], "left"),
            ):  # fmt: skip
                if name and 0 < at < 1:
                    ax.text(at, n - 0.3, f"{at:.2f}", ha=side, va="bottom", fontsize=7)
        ax.set_yticks(range(len(rows)), [titles.get(r["criterion"], r["criterion"]) for r in rows])
        ax.set(xlim=(0, 1), xlabel=tr("weight (dot), and where the winner stays (green)"))
        ax.invert_yaxis()
        ax.grid(visible=False)

    return draw_figure(paint, (8.0, 0.9 + 0.42 * len(rows)))
