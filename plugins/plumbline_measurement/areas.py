"""Areas of polygons: on the map, in their own plane, and along a surface."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Certainty,
    Feedback,
    LayerRef,
    Params,
    PickedPoints,
    Point,
    Point3,
    Polygon,
    Problem,
    RasterData,
    RefusedError,
    Result,
    Scene,
    Value,
    area_sigma,
    best_fit_plane,
    certainty,
    crs_units,
    expanded,
    length_sigma,
    picked_layers,
    read_grid,
    sample_bilinear,
    shoelace,
    surface_area,
    tr,
)
from plumbline_measurement.analysis import Plane

if TYPE_CHECKING:
    import shapely

FloatArray = NDArray[np.float64]

#: Cells of a surface that are read at once; 400 MB of heights.
MAX_CELLS = 50_000_000


class AreaParams(Params):
    """What `measure.area` can be asked."""

    polygon: Annotated[
        Polygon,
        Field(
            title=N_("Corners"),
            description=N_("At least three; [x, y] takes its height from the surface."),
        ),
    ]
    surface: Annotated[
        LayerRef | None,
        Field(
            title=N_("Surface"),
            description=N_("A terrain raster whose area inside the polygon is wanted; optional."),
            json_schema_extra={"widget": "layer", "kinds": ["raster"]},
        ),
    ] = None
    picked: PickedPoints = ()


@dataclass(frozen=True)
class Floor:
    """Snapshot: the plane of the project, the surface, and how sure the corners are."""

    plane: Plane
    surface: RasterData | None
    sure: Certainty


class Area(Analysis[AreaParams]):
    """Area of a polygon on the map, in its best-fit plane and along a surface, and its perimeter.

    Without heights and without a surface the polygon lies level: its own plane is then unknown, and
    the perimeter is horizontal.
    """

    id = "measure.area"
    version = "1"
    title = N_("Area")
    description = N_(
        "Area of a polygon on the map, in its best-fit plane and along a surface, and its "
        "perimeter."
    )
    Params = AreaParams

    def check(self, scene: Scene, params: AreaParams) -> list[Problem]:
        sizes = {len(point) for point in params.polygon}
        if params.surface is None and len(sizes) > 1:
            text = tr("Some corners have a height and some have none: give all, none or a surface.")
            return [Problem("polygon", text)]
        return []

    def layers(self, params: AreaParams) -> list[str]:
        picked = picked_layers(params.picked)
        return list(dict.fromkeys([*picked, *([] if params.surface is None else [params.surface])]))

    def prepare(self, scene: Scene, params: AreaParams) -> Floor:
        plane = Plane(scene.georeference)
        sure = certainty(scene, params.picked, len(params.polygon))
        if params.surface is None:
            return Floor(plane, None, sure)
        layer = scene[params.surface]
        if not isinstance(layer.data, RasterData) or layer.data.role != "terrain":
            raise RefusedError(
                tr("“{name}” is no terrain raster.", name=layer.name),
                tr("Choose a GeoTIFF of heights as surface."),
            )
        return Floor(plane, layer.data, sure)

    def compute(self, inputs: Floor, params: AreaParams, feedback: Feedback) -> Result:
        plane = inputs.plane
        warnings = plane.notes()
        corners = _with_heights(params.polygon, inputs)
        solid = all(len(p) == 3 for p in corners)
        points = np.array([p if len(p) == 3 else (*p, 0.0) for p in corners])
        own = _own_plane(points, plane) if solid else None
        if own is not None:
            _refuse_crossing(own)
        horizontal = _on_map(points, plane, upright=own is not None)
        drawn: tuple[Point3, ...] = tuple((float(x), float(y), float(z)) for x, y, z in points)
        legs = [plane.leg(a, b) for a, b in pairwise((*drawn, drawn[0]))]
        if not solid:
            warnings.append(tr("The corners have no height: the perimeter is horizontal."))
        on_map, in_plane, around = _sigmas(inputs, points, own)
        perimeter = math.fsum(math.hypot(h, v) for h, v in legs)
        plane_area = None if own is None else abs(shoelace(own))
        return Result(
            values={
                "area_horizontal": Value(horizontal, "m²", on_map),
                "area_plane": Value(plane_area, "m²", None if own is None else in_plane),
                "area_surface": Value(_along(inputs, corners, feedback), "m²"),
                "perimeter": Value(perimeter, "m", around),
            },
            warnings=[*warnings, *inputs.sure.notes],
            points=(*drawn, drawn[0]),
            headline="area_horizontal",
        )


def _sigmas(
    inputs: Floor, points: FloatArray, own: FloatArray | None
) -> tuple[float | None, float | None, float | None]:
    """Return the 95 % uncertainties of both areas and of the perimeter."""
    unit = crs_units(inputs.plane.georeference.crs)
    if not inputs.sure.known or unit.horizontal is None:
        return None, None, None
    sigma = inputs.sure.sigma
    metres = (points - points[0]) * [unit.horizontal, unit.horizontal, unit.vertical]
    flat = metres[:, :2] if own is None else own
    return (
        expanded(area_sigma(metres[:, :2], sigma)),
        expanded(area_sigma(flat, sigma)),
        expanded(length_sigma(metres, sigma, closed=True)),
    )


def ring_of(points: tuple[Point, ...]) -> shapely.Polygon:
    """Return a polygon on the map.

    Raises
    ------
    RefusedError
        If its sides cross.
    """
    import shapely

    flat = np.array([point[:2] for point in points])
    _refuse_crossing(flat - flat[0])
    return shapely.Polygon(flat)


def _refuse_crossing(flat: FloatArray) -> None:
    import shapely

    ring = shapely.Polygon(flat)
    if not ring.is_valid or ring.area == 0:
        raise RefusedError(
            tr("The polygon has no area, or its sides cross or touch."),
            tr("Give the corners in their order along the outline."),
            shapely.is_valid_reason(ring),
        )


def _with_heights(polygon: tuple[Point, ...], inputs: Floor) -> tuple[Point, ...]:
    """Give corners without z their height on the surface, in the unit of the project's z."""
    if inputs.surface is None or all(len(point) == 3 for point in polygon):
        return polygon
    per_metre = 1.0 / crs_units(inputs.plane.georeference.crs).vertical
    heights = sample_bilinear(inputs.surface, np.array([p[:2] for p in polygon])) * per_metre
    for point, height in zip(polygon, heights, strict=True):
        if len(point) == 2 and not math.isfinite(height):
            raise RefusedError(
                tr("The surface has no height at {x:.3f}, {y:.3f}.", x=point[0], y=point[1]),
                tr("Keep the polygon inside the surface and off its gaps."),
            )
    return tuple(
        p if len(p) == 3 else (p[0], p[1], float(h)) for p, h in zip(polygon, heights, strict=True)
    )


def _own_plane(points: FloatArray, plane: Plane) -> FloatArray | None:
    """Return the corners in their best-fit plane, metres; None in degrees, which have no plane."""
    unit = crs_units(plane.georeference.crs)
    if unit.horizontal is None:
        return None
    fit = best_fit_plane((points - points[0]) * [unit.horizontal, unit.horizontal, unit.vertical])
    if fit is None:
        raise RefusedError(
            tr("The corners lie on one line."), tr("Give corners that enclose an area.")
        )
    return fit[1]


def _on_map(points: FloatArray, plane: Plane, upright: bool) -> float:
    """Return the area that the coordinates enclose on the map, m²; on the ellipsoid in degrees."""
    unit = crs_units(plane.georeference.crs)
    flat = points[:, :2] - points[0, :2]
    if not upright:
        # A facade has no area on the map and is none the worse for it.
        _refuse_crossing(flat)
    if unit.horizontal is not None:
        return abs(shoelace(flat)) * unit.horizontal**2
    crs = plane.georeference.crs
    assert crs is not None
    places = [plane.georeference.geographic(float(x), float(y)) for x, y in points[:, :2]]
    geod = crs.get_geod()
    assert geod is not None
    lon, lat = zip(*places, strict=True)
    area, _ = geod.polygon_area_perimeter(lon, lat)
    return abs(float(area))


def _along(inputs: Floor, corners: tuple[Point, ...], feedback: Feedback) -> float | None:
    """Return the area of the surface inside the polygon, m²; None without a surface."""
    unit = crs_units(inputs.plane.georeference.crs)
    if inputs.surface is None or unit.horizontal is None:
        return None
    ring = ring_of(corners)
    data = inputs.surface
    box = ring.bounds
    cells = np.prod([box[2] - box[0], box[3] - box[1]]) / abs(
        data.transform[0] * data.transform[4] - data.transform[1] * data.transform[3]
    )
    if cells > MAX_CELLS:
        raise RefusedError(
            tr("The polygon holds {n:.0f} million cells of the surface.", n=cells / 1e6),
            tr("Choose a smaller polygon or a coarser surface."),
        )
    feedback.step(0, 1, tr("Measuring the surface"))
    # A cell more on every side: heights between cell centres need both.
    span = math.hypot(*data.transform[:2]) + math.hypot(*data.transform[3:5])
    around = (box[0] - span, box[1] - span, box[2] + span, box[3] + span)
    heights, transform = read_grid(data, 2 * MAX_CELLS, around)
    # Heights are metres: in the unit of the map, slopes are what they are.
    area, covered = surface_area(heights / unit.horizontal, transform, ring)
    if covered < ring.area * (1 - 1e-9):
        raise RefusedError(
            tr(
                "The surface has heights for {share:.1f} % of the polygon only.",
                share=100 * covered / ring.area,
            ),
            tr("Keep the polygon inside the surface and off its gaps."),
        )
    return area * unit.horizontal**2
