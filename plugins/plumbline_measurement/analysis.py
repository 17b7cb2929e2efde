"""Distances and lines: the numbers of the measurement plugin.

An analysis is one class with four methods, and the split between them is what makes it usable from
a form, a command line and a script alike:

* `Params` says what can be asked. The form, ``plumbline analyses`` and the docs are made from it.
* `check` says in words what is wrong *before* anything runs, beside the field it belongs to.
* `prepare` runs on the scene's thread and copies what is needed out of the scene.
* `compute` is pure: it sees that copy only, so it may run in a worker while the scene changes.

Nothing here knows a widget. All lengths are metres whatever the units of the project CRS are, and
all angles are degrees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Certainty,
    Feedback,
    Georeference,
    LayerRef,
    Params,
    PickedPoints,
    Point,
    Point3,
    Points,
    Problem,
    RasterData,
    RefusedError,
    Result,
    Scene,
    Value,
    azimuth,
    azimuth_sigma,
    cell_positions,
    certainty,
    crs_units,
    expanded,
    geodesic,
    grid_crossings,
    length_sigma,
    parabola_arcs,
    picked_layers,
    rise_and_fall,
    sample_bilinear,
    slope,
    slope_sigma,
    tr,
)


class DistanceParams(Params):
    """What `measure.distance` can be asked. Every field says what it is, in words for the form."""

    start: Annotated[
        Point3, Field(title=N_("Start point"), description=N_("Where the line begins."))
    ]
    end: Annotated[Point3, Field(title=N_("End point"), description=N_("Where the line ends."))]
    picked: PickedPoints = ()


@dataclass(frozen=True)
class Plane:
    """What a measurement needs to know of the project: where its coordinates lie on the earth.

    A copy of the georeference is enough for `compute`; it never sees the scene.
    """

    georeference: Georeference

    def leg(self, start: Point3, end: Point3) -> tuple[float, float]:
        """Return the horizontal and the vertical length of a leg, metres; rising is positive.

        Horizontal lengths are grid lengths: what the coordinates say. In a geographic CRS degrees
        are no lengths, so there the leg is measured on the ellipsoid.
        """
        unit = crs_units(self.georeference.crs)
        vertical = (end[2] - start[2]) * unit.vertical
        if unit.horizontal is None:
            return geodesic(self.georeference, start[:2], end[:2])[1], vertical
        dx, dy = end[0] - start[0], end[1] - start[1]
        return math.hypot(dx, dy) * unit.horizontal, vertical

    @property
    def geographic(self) -> bool:
        """Whether x and y are degrees."""
        return crs_units(self.georeference.crs).horizontal is None

    def notes(self) -> list[str]:
        """Return what a reader must know to trust the lengths."""
        crs = self.georeference.crs
        unit = crs_units(crs)
        if self.geographic:
            return [
                tr(
                    "The project CRS is in degrees: lengths are measured on the ellipsoid, and "
                    "there is no grid north."
                )
            ]
        if not unit.vertical_stated and unit.vertical != 1.0:
            return [
                tr(
                    "The project CRS does not state the unit of heights: they are taken to be in "
                    "the unit of x and y, {factor} m.",
                    factor=unit.vertical,
                )
            ]
        return []


class Distance(Analysis[DistanceParams]):
    """Straight line between two points.

    `azimuth_grid` is what the coordinates say; `azimuth_true` is the azimuth at `start` of the
    geodesic on the ellipsoid of the project CRS, so it holds the meridian convergence and the
    small difference between chord and geodesic. `ground_distance` is the length of that geodesic
    at height 0: beside `horizontal` it shows the scale of the projection.
    """

    id = "measure.distance"
    # Raised whenever a number can change: replaying an old result then says why it differs.
    version = "1"
    title = N_("Distance")
    description = N_(
        "Straight line between two points: in space, horizontal, vertical, slope, azimuth to grid "
        "north and to true north, and the distance on the ellipsoid."
    )
    Params = DistanceParams

    def layers(self, params: DistanceParams) -> list[str]:
        return picked_layers(params.picked)

    def prepare(self, scene: Scene, params: DistanceParams) -> tuple[Plane, Certainty]:
        return Plane(scene.georeference), certainty(scene, params.picked, 2)

    def compute(
        self, inputs: tuple[Plane, Certainty], params: DistanceParams, feedback: Feedback
    ) -> Result:
        start, end = params.start, params.end
        sure = self._sure(*inputs, params)
        notes = inputs[1].notes
        plane = inputs[0]
        horizontal, vertical = plane.leg(start, end)
        angle, percent = slope(horizontal, vertical)
        grid = None if plane.geographic else azimuth(end[0] - start[0], end[1] - start[1])
        true, ground, doubts = self._on_earth(plane.georeference, start, end)
        if horizontal == 0:
            doubts = [tr("Both points are at the same place on the map: there is no azimuth.")]
        return Result(
            values={
                "distance": Value(math.hypot(horizontal, vertical), "m", sure.get("distance")),
                "horizontal": Value(horizontal, "m", sure.get("horizontal")),
                "vertical": Value(vertical, "m", sure.get("vertical")),
                "slope": Value(angle, "°", sure.get("slope")),
                "slope_percent": Value(percent, "%", sure.get("slope_percent")),
                "azimuth_grid": Value(grid, "°", sure.get("azimuth_grid")),
                "azimuth_true": Value(true, "°", sure.get("azimuth_true")),
                "ground_distance": Value(ground, "m", sure.get("ground_distance")),
            },
            warnings=[*plane.notes(), *doubts, *notes],
            # What the canvas draws, and the number it writes beside it.
            points=(start, end),
            headline="distance",
        )

    @staticmethod
    def _sure(plane: Plane, points: Certainty, params: DistanceParams) -> dict[str, float | None]:
        """Return the 95 % uncertainty of each value that follows from its points."""
        if not points.known:
            return {}
        # Both ends move on their own: a difference is as unsure as both together.
        both = math.hypot(*points.sigma.tolist())
        horizontal, vertical = plane.leg(params.start, params.end)
        angle, percent = slope_sigma(horizontal, vertical, both)
        turn = azimuth_sigma(horizontal, both)
        lengths = dict.fromkeys(("distance", "horizontal", "vertical", "ground_distance"), both)
        sigma = {**lengths, "slope": angle, "slope_percent": percent}
        sigma |= {"azimuth_grid": turn, "azimuth_true": turn}
        return {name: expanded(value) for name, value in sigma.items()}

    @staticmethod
    def _on_earth(
        georeference: Georeference, start: Point3, end: Point3
    ) -> tuple[float | None, float | None, list[str]]:
        """Return true azimuth, ellipsoidal distance and warnings.

        A plane without CRS still has a distance, so what needs the earth is left unknown and said
        so. Null is honest; grid north under the name of true north would not be.
        """
        try:
            true, ground = geodesic(georeference, start[:2], end[:2])
        except RefusedError as error:
            return None, None, [tr("No true azimuth and no ellipsoidal distance: {why}", why=error)]
        if not math.isfinite(ground):
            outside = tr("the points lie outside the area of the project CRS.")
            return (
                None,
                None,
                [tr("No true azimuth and no ellipsoidal distance: {why}", why=outside)],
            )
        return (true if start[:2] != end[:2] else None), ground, []


class PolylineParams(Params):
    """What `measure.polyline` can be asked."""

    points: Annotated[
        Points,
        Field(
            min_length=2,
            title=N_("Points of the line"),
            description=N_("At least two; [x, y] takes its height from the surface."),
        ),
    ]
    surface: Annotated[
        LayerRef | None,
        Field(
            title=N_("Surface"),
            description=N_("A terrain raster to lay the line on; optional."),
            # Which kinds of layers the form offers.
            json_schema_extra={"widget": "layer", "kinds": ["raster"]},
        ),
    ] = None
    picked: PickedPoints = ()


@dataclass(frozen=True)
class Ground:
    """Snapshot for a polyline: the plane, and the raster to lay the line on.

    `RasterData` is a description of a file, so it may travel to the worker; the file itself is
    opened there.
    """

    plane: Plane
    surface: RasterData | None
    sure: Certainty


@dataclass(frozen=True)
class Legs:
    """Horizontal length and rise of each leg, metres."""

    horizontal: tuple[float, ...]
    rises: tuple[float, ...]

    @property
    def length(self) -> float:
        """Length in space."""
        return sum(math.hypot(h, v) for h, v in zip(self.horizontal, self.rises, strict=True))


class Polyline(Analysis[PolylineParams]):
    """Length of a line through points, and of the same line laid on a surface.

    Between cell centres the surface is bilinear, so along a straight line each cell gives a
    parabola; lengths and rises are integrated over these parabolas and do not depend on a step.
    """

    id = "measure.polyline"
    version = "1"
    title = N_("Polyline")
    description = N_(
        "Length of a line through points: in space, horizontal, along a surface, with ascent and "
        "descent (along the surface where one is given, else from point to point)."
    )
    Params = PolylineParams

    def check(self, scene: Scene, params: PolylineParams) -> list[Problem]:
        # `check` speaks before anything runs, so a form can show the sentence beside the field.
        if params.surface is None and any(len(point) == 2 for point in params.points):
            return [
                Problem("points", tr("A point without height needs a surface: give z or surface."))
            ]
        return []

    def layers(self, params: PolylineParams) -> list[str]:
        # The runner looks these up, refuses ids that do not exist, and writes path and SHA-256 of
        # each into the result.
        picked = picked_layers(params.picked)
        return list(dict.fromkeys([*picked, *([] if params.surface is None else [params.surface])]))

    def prepare(self, scene: Scene, params: PolylineParams) -> Ground:
        plane = Plane(scene.georeference)
        sure = certainty(scene, params.picked, len(params.points))
        if params.surface is None:
            return Ground(plane, None, sure)
        layer = scene[params.surface]
        if not isinstance(layer.data, RasterData) or layer.data.role != "terrain":
            # The parameter is valid, but this layer cannot answer: that is a refusal (exit code 4).
            raise RefusedError(
                tr(
                    "“{name}” is no terrain raster: a line can be laid on one only.",
                    name=layer.name,
                ),
                tr("Choose a GeoTIFF of heights as surface."),
            )
        return Ground(plane, layer.data, sure)

    def compute(self, inputs: Ground, params: PolylineParams, feedback: Feedback) -> Result:
        if inputs.surface is None:
            points = tuple((p[0], p[1], p[2]) for p in params.points if len(p) == 3)
            legs = _legs(inputs.plane, points)
            up, down = rise_and_fall(np.cumsum([0.0, *legs.rises]))
            return _polyline_result(inputs, points, legs, None, up, down)
        points = _with_heights(params.points, inputs.surface, inputs.plane)
        legs = _legs(inputs.plane, points)
        parts = []
        for n, horizontal in enumerate(legs.horizontal):
            # Reports progress, and raises where the user cancelled.
            feedback.step(n, len(legs.horizontal), tr("Laying the line on the surface"))
            parts.append(_on_surface(inputs.surface, points[n], points[n + 1], horizontal))
        length, up, down = (float(v) for v in np.sum(parts, axis=0))
        return _polyline_result(inputs, points, legs, length, up, down)


def _legs(plane: Plane, points: tuple[Point3, ...]) -> Legs:
    horizontal, rises = zip(*(plane.leg(a, b) for a, b in pairwise(points)), strict=True)
    return Legs(horizontal, rises)


def _with_heights(
    points: tuple[Point, ...], surface: RasterData, plane: Plane
) -> tuple[Point3, ...]:
    """Give the points without z their height on the surface, in the unit of the project's z."""
    per_metre = 1.0 / crs_units(plane.georeference.crs).vertical
    places = np.array([point[:2] for point in points])
    heights = sample_bilinear(surface, places) * per_metre
    return tuple(
        (p[0], p[1], p[2] if len(p) == 3 else _known(h, p))
        for p, h in zip(points, heights, strict=True)
    )


def _known(height: float, place: Point) -> float:
    """Return a height, or refuse where the surface has none: no number is made up for a gap."""
    if not math.isfinite(height):
        raise RefusedError(
            tr("The surface has no height at {x:.3f}, {y:.3f}.", x=place[0], y=place[1]),
            tr("Keep the line inside the surface and off its gaps."),
        )
    return float(height)


def _on_surface(
    surface: RasterData, start: Point3, end: Point3, horizontal: float
) -> tuple[float, float, float]:
    """Return length, ascent and descent of one leg along the surface, metres."""
    a, b = np.array(start[:2]), np.array(end[:2])
    if np.array_equal(a, b):
        return 0.0, 0.0, 0.0
    # Bilinear heights bend where the line passes from centre to centre, at half cells.
    cuts = grid_crossings(*(cell_positions(surface, np.array([a, b])) - 0.5))
    # Both ends and the middle of each piece: three heights hold a parabola.
    fractions = np.empty(2 * len(cuts) - 1)
    fractions[::2], fractions[1::2] = cuts, (cuts[:-1] + cuts[1:]) / 2
    places = a + fractions[:, None] * (b - a)
    heights = sample_bilinear(surface, places)
    missing = np.flatnonzero(np.isnan(heights))
    if len(missing):
        x, y = places[missing[0]]
        _known(math.nan, (float(x), float(y)))
    lengths = np.diff(cuts) * horizontal
    return parabola_arcs(lengths, heights[:-1:2], heights[1::2], heights[2::2])


def _polyline_result(
    inputs: Ground,
    points: tuple[Point3, ...],
    legs: Legs,
    surface_length: float | None,
    ascent: float,
    descent: float,
) -> Result:
    space = horizontal = None
    unit = crs_units(inputs.plane.georeference.crs)
    if inputs.sure.known and unit.horizontal is not None:
        scale = [unit.horizontal, unit.horizontal, unit.vertical]
        metres = (np.array(points) - points[0]) * scale
        space = expanded(length_sigma(metres, inputs.sure.sigma))
        horizontal = expanded(length_sigma(metres[:, :2], inputs.sure.sigma))
    return Result(
        values={
            "length": Value(legs.length, "m", space),
            "horizontal_length": Value(math.fsum(legs.horizontal), "m", horizontal),
            # Null, not a copy of another length: without a surface it is not known.
            "surface_length": Value(surface_length, "m"),
            "ascent": Value(ascent, "m"),
            "descent": Value(descent, "m"),
        },
        warnings=[*inputs.plane.notes(), *inputs.sure.notes],
        points=points,
        headline="length",
    )
