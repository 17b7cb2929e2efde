"""The figure of a view corridor: a section from the eye to the landmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plumbline.api import EmbreeCaster, ObstacleLayers, Obstacles, draw_figure, figure_colors, tr
from plumbline_sightline.analysis.landmarks import Sector

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

#: Places along the section.
_PLACES = 1500


def corridor_figure(
    sector: Sector, layers: ObstacleLayers, obstacles: Obstacles, breakers: list[int]
) -> bytes:
    """Return the section from an eye along the middle of its corridor.

    It shows what stands under the line from the eye to the middle of the landmark's side; whoever
    breaks the corridor beside that line is in the table.
    """
    axis = sector.points.mean(axis=0) - sector.eye[:2]
    length = float(np.hypot(*axis))
    along = np.linspace(0.0, 1.0, _PLACES)
    flat = sector.eye[:2] + along[:, None] * axis
    tops, owner = _tops(flat, obstacles)
    places = layers.frame.project(np.column_stack([flat, np.zeros(len(flat))]))[:, :2]
    ground = layers.ground_heights(places)
    tops = layers.frame.project_height(tops)
    eye, sill, top = (
        float(layers.frame.project_height(v))
        for v in (sector.eye[2], sector.sill.mean(), sector.top.mean())
    )
    distance = along * length
    breaks = np.isin(owner, breakers) & (tops > eye + along * (sill - eye))

    def paint(figure: Figure) -> None:
        colors = figure_colors()
        axes = figure.add_subplot()
        known = [v[np.isfinite(v)] for v in (ground, tops)]
        bottom = min([eye, *(float(v.min()) for v in known if len(v))])
        bottom -= 0.05 * max(top - bottom, 1.0)
        stand = np.where(np.isfinite(ground), ground, bottom)
        axes.fill_between(distance, bottom, tops, color=colors["border_strong"], lw=0, step="mid")
        axes.fill_between(distance, bottom, stand, color=colors["border"], lw=0)
        corridor = (eye + along * (sill - eye), eye + along * (top - eye))
        axes.fill_between(distance, *corridor, color=colors["visible"], alpha=0.25, lw=0)
        axes.fill_between(
            distance,
            np.maximum(corridor[0], stand),
            tops,
            where=breaks,
            color=colors["hidden"],
            lw=0,
            step="mid",
            label=tr("Above the limit"),
        )
        axes.plot(distance, corridor[0], color=colors["visible"], label=tr("Height limit"))
        axes.plot([0], [eye], "o", color=colors["accent"], label=tr("Eye"))
        ends = [sill, top]
        axes.plot([length] * 2, ends, "-s", color=colors["text"], ms=4, label=tr("Landmark"))
        axes.set_xlabel(tr("Distance, m"))
        axes.set_ylabel(tr("Height, m"))
        axes.set_xlim(0, length * 1.01)
        axes.set_ylim(bottom, None)
        axes.legend(loc="upper left")

    return draw_figure(paint, (9.0, 3.8))


def _tops(flat: FloatArray, obstacles: Obstacles) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return the highest point over each place and whose it is, NaN and -1 where nothing stands."""
    along = (flat[-1] - flat[0]) / np.linalg.norm(flat[-1] - flat[0])
    side = (obstacles.vertices[:, :2] - flat[0]) @ [-along[1], along[0]]
    a, b, c = side[obstacles.triangles].T
    # Triangles that reach the line; most do not, and need no tree.
    met = np.flatnonzero(
        (np.minimum(np.minimum(a, b), c) < 1.0) & (np.maximum(np.maximum(a, b), c) > -1.0)
    )
    near = obstacles.vertices[obstacles.triangles[met]].reshape(-1, 3)
    caster = EmbreeCaster(near, np.arange(len(near), dtype=np.int32).reshape(-1, 3))
    ceiling = float(caster.high[2]) + 1.0
    origins = np.column_stack([flat, np.full(len(flat), ceiling)])
    down = np.broadcast_to(np.array([0.0, 0.0, -1.0]), origins.shape)
    distance, triangle = caster.first_hits(origins, down)
    hit = triangle >= 0
    owner = np.full(len(flat), -1, dtype=np.intp)
    owner[hit] = obstacles.owner[met[triangle[hit]]]
    return np.where(hit, ceiling - distance, np.nan), owner
