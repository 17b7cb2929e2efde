"""Surfaces that nothing may rise above: planes, cones, corridors and zones, as triangles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from plumbline.api import (
    Georeference,
    Layer,
    ObstacleLayers,
    Point,
    Points,
    RefusedError,
    Region,
    VectorData,
    cone,
    numbers_of,
    region,
    tr,
    triangles_of_features,
)
from plumbline_sightline.analysis.eyes import north_at

FloatArray = NDArray[np.float64]


class _Surface(BaseModel):
    """What all control surfaces have: a name for the tables."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = ""


class Plane(_Surface):
    """A polygon whose corners say how high it is, x, y, z each."""

    kind: Literal["plane"]
    polygon: Points = Field(min_length=3)


class Zone(_Surface):
    """A polygon with one greatest height, above the vertical datum or above the ground, metres."""

    kind: Literal["zone"]
    polygon: Region
    height: float
    above: Literal["datum", "ground"] = "datum"


class Zones(_Surface):
    """The polygons of a layer, each with the greatest height that its attribute says, metres."""

    kind: Literal["zones"]
    layer: str
    attribute: str
    above: Literal["datum", "ground"] = "datum"


class Cone(_Surface):
    """A surface that rises with the distance from a place; a slope of 0 is a disk.

    `height` is that at `radius_from`, metres above the vertical datum; `slope` is the rise for each
    metre outwards. Azimuths are clockwise from true north.
    """

    kind: Literal["cone"]
    center: Point
    height: float
    slope: float = Field(0.0, ge=-10, le=10)
    radius_from: float = Field(0.0, ge=0)
    radius_to: float = Field(gt=0, le=200_000)
    azimuth_from: float = Field(0.0, ge=-360, le=360)
    azimuth_to: float = Field(360.0, ge=-360, le=720)


class Strip(_Surface):
    """A corridor along a line that rises evenly and may widen, as an approach surface does.

    `height` is that at the start, metres above the vertical datum; `slope` the rise for each metre.
    """

    kind: Literal["corridor"]
    start: Point
    end: Point
    width: float = Field(gt=0)
    width_end: float | None = Field(None, gt=0)
    height: float
    slope: float = 0.0


ControlSurface: TypeAlias = Annotated[
    Plane | Zone | Zones | Cone | Strip, Field(discriminator="kind")
]


@dataclass(frozen=True)
class Limit:
    """A control surface as triangles in the frame.

    Attributes
    ----------
    corners : (L, 3, 3) float64
        Where `on_ground`, heights are above the ground.
    """

    name: str
    corners: FloatArray
    on_ground: bool = False


def limits_of(
    surfaces: tuple[ControlSurface, ...],
    layers: ObstacleLayers,
    named: dict[str, Layer],
    georeference: Georeference,
) -> list[Limit]:
    """Return control surfaces as triangles.

    Raises
    ------
    RefusedError
        If one has no area, no heights, or a layer of zones has no such numbers.
    """
    limits = []
    for n, one in enumerate(surfaces):
        limit = _limit(one, layers, named, georeference)
        flat = limit.corners[..., :2]
        sides = flat[:, 1:] - flat[:, :1]
        double = sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 1, 0] * sides[:, 0, 1]
        if len(flat) == 0 or np.abs(double).sum() < 1e-9:
            raise RefusedError(
                tr("Control surface {n} has no area on the map.", n=n + 1),
                tr("Give corners that enclose an area, and radii that differ."),
            )
        kept = limit.corners[np.abs(double) > 0]
        limits.append(replace(limit, name=one.name or f"{one.kind} {n + 1}", corners=kept))
    return limits


def _limit(
    one: ControlSurface,
    layers: ObstacleLayers,
    named: dict[str, Layer],
    georeference: Georeference,
) -> Limit:
    frame = layers.frame
    if isinstance(one, Plane):
        return Limit("", _plane(one, layers))
    if isinstance(one, Zone):
        return Limit("", _flat([region(one.polygon)], [one.height], one, layers), _hangs(one))
    if isinstance(one, Zones):
        return Limit("", _zones(one, named[one.layer], layers), _hangs(one))
    if isinstance(one, Strip):
        return Limit("", _strip(one, layers))
    x, y, _ = frame.local([*one.center[:2], frame.origin[2]]).tolist()
    turn, _ = north_at(georeference, one.center)
    start = one.azimuth_from - turn
    width = one.azimuth_to - one.azimuth_from
    width = 360.0 if width == 360 else width % 360.0
    if one.radius_to <= one.radius_from or width == 0:
        return Limit("", np.empty((0, 3, 3)))
    height = float(frame.local_height(one.height))
    radii = (one.radius_from, one.radius_to)
    return Limit("", cone((x, y), height, one.slope, radii, (start, start + width)))


def _hangs(one: Zone | Zones) -> bool:
    return one.above == "ground"


def _plane(one: Plane, layers: ObstacleLayers) -> FloatArray:
    import shapely

    if any(len(point) == 2 for point in one.polygon):
        raise RefusedError(
            tr("The corners of a control plane need heights."), tr("Give x, y, z for each corner.")
        )
    ring = shapely.Polygon(np.array(one.polygon))
    if not ring.is_valid:
        raise RefusedError(
            tr("The sides of a control plane cross or touch."),
            tr("Give the corners in their order along the outline."),
        )
    corners, _ = triangles_of_features(np.array([ring]))
    return layers.frame.local(corners)


def _flat(
    polygons: list[object], heights: list[float], one: Zone | Zones, layers: ObstacleLayers
) -> FloatArray:
    corners, feature = triangles_of_features(np.array(polygons, dtype=object))
    local = layers.frame.local(corners)
    level = np.array(heights, dtype=np.float64)
    if not _hangs(one):
        level = layers.frame.local_height(level)
    local[..., 2] = level[feature][:, None]
    return local


def _zones(one: Zones, layer: Layer, layers: ObstacleLayers) -> FloatArray:
    data = layer.data
    if not isinstance(data, VectorData):
        raise RefusedError(
            tr("“{name}” holds no zones.", name=layer.name), tr("Choose a layer of polygons.")
        )
    heights = numbers_of(data, one.attribute)
    shapes = data.features.geometry.to_numpy()
    known = np.isfinite(heights) & np.isin(
        data.features.geometry.geom_type.to_numpy(), ("Polygon", "MultiPolygon")
    )
    if not known.any():
        raise RefusedError(
            tr("No polygon of “{name}” has a number in “{column}”.", name=layer.name,
               column=one.attribute),
            tr("Name the attribute that holds the greatest heights in metres."),
        )  # fmt: skip
    return _flat(list(shapes[known]), heights[known].tolist(), one, layers)


def _strip(one: Strip, layers: ObstacleLayers) -> FloatArray:
    frame = layers.frame
    start, end = (frame.local([*p[:2], frame.origin[2]])[:2] for p in (one.start, one.end))
    length = float(np.hypot(*(end - start)))
    if length == 0:
        return np.empty((0, 3, 3))
    across = np.array([-(end - start)[1], (end - start)[0]]) / length / 2
    wide = one.width if one.width_end is None else one.width_end
    low = float(frame.local_height(one.height))
    high = low + one.slope * length
    a, b = start - across * one.width, start + across * one.width
    c, d = end + across * wide, end - across * wide
    corners = [np.array([*p, z]) for p, z in ((a, low), (b, low), (c, high), (d, high))]
    return np.array([[corners[0], corners[2], corners[1]], [corners[0], corners[3], corners[2]]])
