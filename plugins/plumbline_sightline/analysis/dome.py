"""How open the sky is above a place: sky view factor, visible share of the dome, openness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Georeference,
    ObstacleLayers,
    Obstacles,
    Params,
    Point,
    Result,
    Scene,
    Sky,
    Table,
    Value,
    build_obstacles,
    draw_figure,
    figure_colors,
    format_number,
    obstacle_layers,
    sky_of,
    tr,
)
from plumbline_sightline.analysis.eyes import box_around, eye_at, north_at
from plumbline_sightline.analysis.fields import ObstacleRefs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Degrees between the azimuths of the quadrature.
STEP = 0.25
#: Pixels across the dome of the figure.
_PIXELS = 1000


class DomeParams(Params):
    """What `sightline.dome` can be asked."""

    point: Annotated[
        Point,
        Field(title=N_("Place"), description=N_("Where the sky is looked at, facing upwards.")),
    ]
    obstacles: ObstacleRefs
    radius: Annotated[
        float | None,
        Field(
            gt=0,
            title=N_("Radius"),
            description=N_("What is farther away does not count; everything counts otherwise."),
            json_schema_extra={"unit": "m"},
        ),
    ] = None
    observer_height: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            title=N_("Eye height"),
            description=N_("Above the ground, where the place has no height of its own."),
            json_schema_extra={"unit": "m"},
        ),
    ] = 1.6


@dataclass(frozen=True)
class Around:
    """Snapshot: the obstacles and where they lie on the earth."""

    layers: ObstacleLayers
    georeference: Georeference

    @property
    def names(self) -> dict[str, str]:
        """What people call the layers, by id."""
        return {one.layer.id: one.layer.name for one in self.layers.layers}


class Dome(Analysis[DomeParams]):
    """Sky above a place.

    The sky view factor is that of a horizontal surface: parts of the sky weigh with the cosine of
    their angle from the zenith, 1 with a free horizon. It is exact in elevation and a midpoint rule
    over 1440 azimuths; the uncertainty is the error of the rule on every third of them.
    """

    id = "sightline.dome"
    version = "1"
    title = N_("Sky dome")
    description = N_(
        "Sky view factor, visible share of the sky dome and openness at a place, with a fisheye "
        "figure and the horizon."
    )
    Params = DomeParams

    def layers(self, params: DomeParams) -> list[str]:
        return list(params.obstacles)

    def prepare(self, scene: Scene, params: DomeParams) -> Around:
        return Around(obstacle_layers(scene, params.obstacles), scene.georeference)

    def compute(self, inputs: Around, params: DomeParams, feedback: Feedback) -> Result:
        box = box_around(inputs.layers, [params.point], params.radius)
        obstacles = build_obstacles(inputs.layers, feedback.part(0.0, 0.4), box)
        eye = eye_at(params.point, params.observer_height, inputs.layers, obstacles)
        turn, north = north_at(inputs.georeference, params.point)
        limit = np.inf if params.radius is None else params.radius
        sky = sky_of(obstacles.corners - eye.place, STEP, limit, feedback.part(0.4, 0.9))
        return Result(
            values={
                "sky_view_factor": Value(sky.view_factor, "", sky.view_factor_error),
                "visible_share": Value(sky.visible_share, "", sky.visible_share_error),
                "openness": Value(sky.openness, "°", sky.openness_error),
                "north": Value(north),
            },
            tables={"horizon": _horizon(sky, turn)},
            figures={"fisheye": fisheye(sky, obstacles, turn, inputs.names)},
            warnings=[*obstacles.warnings, *eye.warnings],
            points=(eye.point,),
            headline="sky_view_factor",
            provenance={
                "lods": obstacles.lods,
                "triangles": len(obstacles.triangles),
                "quadrature": {"azimuths": sky.azimuths.count, "elevation": "exact"},
                "convergence": turn,
            },
        )


def _horizon(sky: Sky, turn: float) -> Table:
    """Return the horizon by azimuth, from north on."""
    azimuth = (sky.azimuths.degrees + turn) % 360.0
    rows = [
        (float(azimuth[n]), None if np.isnan(sky.horizon[n]) else float(sky.horizon[n]))
        for n in np.argsort(azimuth, kind="stable")
    ]
    return Table(("azimuth", "elevation"), tuple(rows), {"azimuth": "°", "elevation": "°"})


# -- figure ----------------------------------------------------------------------------------


def fisheye(sky: Sky, obstacles: Obstacles, turn: float, names: dict[str, str]) -> bytes:
    """Return the dome as seen on a plan: north up, east on the right, zenith in the middle.

    Equidistant: the distance from the middle is the angle from the zenith.
    """
    layer, known = dome_picture(sky, obstacles, turn)
    colors = figure_colors()

    def paint(figure: Figure) -> None:
        from matplotlib.colors import to_rgb
        from matplotlib.patches import Patch

        axes = figure.add_subplot()
        palette = {-2: "white", -1: colors["sky_top"]}
        palette |= {n: colors["categorical"][n % 10] for n in range(len(known))}
        image = np.ones((*layer.shape, 3))
        for number, color in palette.items():
            image[layer == number] = to_rgb(color)
        axes.imshow(image, extent=(-90, 90, -90, 90), interpolation="antialiased")
        _graticule(axes)
        share = format_number(100 * sky.visible_share, 1)
        axes.set_title(
            tr("Sky view factor {factor}", factor=format_number(sky.view_factor, 3))
            + f"   {tr('Visible sky {share} %', share=share)}"
        )
        handles = [Patch(color=palette[-1], label=tr("Sky"))]
        handles += [Patch(color=palette[n], label=names[one]) for n, one in enumerate(known)]
        axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.06, 0.5))

    return draw_figure(paint, (7.2, 5.4))


def _graticule(axes: object) -> None:
    """Draw circles of elevation and the points of the compass."""
    from matplotlib.axes import Axes
    from matplotlib.patches import Circle

    assert isinstance(axes, Axes)
    colors = figure_colors()
    for elevation in (0, 30, 60):
        ring = Circle((0, 0), 90 - elevation, fill=False, lw=0.7, color=colors["muted"], alpha=0.7)
        axes.add_patch(ring)
        if elevation:
            axes.text(
                0, elevation - 90, f"{elevation}°", ha="center", va="bottom", fontsize=8,
                color=colors["text"],
            )  # fmt: skip
    for x, y, text in ((0, 97, tr("N")), (97, 0, tr("E")), (0, -97, tr("S")), (-97, 0, tr("W"))):
        axes.text(x, y, text, ha="center", va="center", fontsize=11)
    axes.set(xlim=(-104, 104), ylim=(-104, 104), aspect="equal")
    axes.axis("off")


def dome_picture(
    sky: Sky, obstacles: Obstacles, turn: float
) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return for each pixel -2 outside, -1 sky, else the number of the layer that hides it.

    Also the ids of those layers.
    """
    layers = list(dict.fromkeys(entity.layer for entity in obstacles.entities))
    of_owner = np.array([layers.index(e.layer) for e in obstacles.entities] + [0])
    row, column = np.indices((_PIXELS, _PIXELS))
    half = _PIXELS / 2
    x, y = (column + 0.5 - half) / half, (half - row - 0.5) / half
    zenith = np.hypot(x, y)
    inside = zenith <= 1
    azimuths = sky.azimuths
    bearing = np.degrees(np.arctan2(x[inside], y[inside])) - turn
    k = np.floor((bearing - azimuths.start) / azimuths.step + 0.5).astype(np.intp) % azimuths.count
    # One sorted key for azimuth and elevation: a pixel is covered where the last interval that
    # begins below it has not ended yet.
    elevation = (1 - zenith[inside]) * np.pi / 2
    covered = sky.covered
    at = np.searchsorted(covered.azimuth * 4.0 + covered.low, k * 4.0 + elevation, side="right") - 1
    picture = np.full((_PIXELS, _PIXELS), -2, dtype=np.intp)
    seen = np.full(len(k), -1, dtype=np.intp)
    if len(covered.azimuth):
        hidden = (at >= 0) & (covered.azimuth[at] == k) & (covered.high[at] >= elevation)
        seen[hidden] = of_owner[obstacles.owner[covered.nearest[at[hidden]]]]
    picture[inside] = seen
    return picture, tuple(layers)
