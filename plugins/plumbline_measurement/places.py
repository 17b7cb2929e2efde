"""Points, angles and heights: `measure.point`, `measure.angle`, `measure.height`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plumbline.api import (
    N_,
    Analysis,
    Certainty,
    Feedback,
    Georeference,
    LayerRef,
    LayerRefs,
    MeshData,
    Params,
    PickedPoint,
    PickedPoints,
    Point,
    Point3,
    PointCloudData,
    Points,
    Polygon,
    Problem,
    RasterData,
    RefusedError,
    Result,
    Scene,
    Surface,
    Table,
    TilesData,
    UsageError,
    Value,
    azimuth,
    certainty,
    crs_text,
    crs_units,
    expanded,
    parse_crs,
    picked_layers,
    propagated,
    standing,
    surface,
    tr,
    transformer,
)
from plumbline_measurement.areas import ring_of

FloatArray = NDArray[np.float64]


# -- a point ---------------------------------------------------------------------------------


class PointParams(Params):
    """What `measure.point` can be asked."""

    point: Annotated[
        Point, Field(title=N_("Point"), description=N_("[x, y] takes its height from the ground."))
    ]
    layers: Annotated[
        LayerRefs,
        Field(
            title=N_("Layers"),
            description=N_("Terrain, meshes or building models; the first one is the ground."),
        ),
    ] = ()
    crs: Annotated[
        str,
        Field(
            title=N_("Other CRS"),
            description=N_("A further CRS for the coordinates, e.g. EPSG:4528."),
        ),
    ] = ""
    picked: PickedPoints = ()


@dataclass(frozen=True)
class Places:
    """Snapshot: where coordinates lie on the earth, and the surfaces to compare with."""

    georeference: Georeference
    surfaces: tuple[Surface, ...] = ()
    sure: Certainty = field(default_factory=lambda: Certainty(np.empty(0)))
    grounds: Certainty = field(default_factory=lambda: Certainty(np.empty(0)))


class PointAt(Analysis[PointParams]):
    """Coordinates of a point in several CRS, and its height above layers."""

    id = "measure.point"
    version = "1"
    title = N_("Point")
    description = N_(
        "Coordinates of a point in the project CRS, in longitude and latitude and in any other "
        "CRS, and its height above ground and other layers."
    )
    Params = PointParams

    def check(self, scene: Scene, params: PointParams) -> list[Problem]:
        problems = []
        if len(params.point) == 2 and not params.layers:
            problems.append(
                Problem("point", tr("A point without height needs a layer: give z or layers."))
            )
        if params.crs:
            try:
                parse_crs(params.crs)
            except UsageError as error:
                problems.append(Problem("crs", error.message))
        return problems

    def layers(self, params: PointParams) -> list[str]:
        return list(dict.fromkeys([*params.layers, *picked_layers(params.picked)]))

    def prepare(self, scene: Scene, params: PointParams) -> Places:
        grounds = tuple(PickedPoint(layer=name) for name in params.layers)
        return Places(
            scene.georeference,
            tuple(surface(scene, n) for n in params.layers),
            certainty(scene, params.picked, 1),
            certainty(scene, grounds, len(grounds)),
        )

    def compute(self, inputs: Places, params: PointParams, feedback: Feedback) -> Result:
        x, y = params.point[:2]
        place = np.array([[x, y]])
        found = [float(s.heights(place, feedback)[0]) for s in inputs.surfaces]
        z = params.point[2] if len(params.point) == 3 else _height(found[0], x, y)
        factor = crs_units(inputs.georeference.crs).vertical
        above = [(z - h) * factor if math.isfinite(h) else None for h in found]
        values, warnings = _coordinates(inputs.georeference, (x, y, z), params.crs)
        values |= _spread(values, inputs.georeference, inputs.sure)
        values["ground"] = Value(found[0] * factor if found and above[0] is not None else None, "m")
        both = float(np.hypot(inputs.sure.sigma[0], inputs.grounds.sigma[0])) if found else None
        values["height_above_ground"] = Value(above[0] if above else None, "m", expanded(both))
        warnings += inputs.sure.notes
        rows = tuple(
            (s.layer, None if a is None else h * factor, a)
            for s, h, a in zip(inputs.surfaces, found, above, strict=True)
        )
        warnings += [
            tr("“{name}” has no height there.", name=s.name)
            for s, a in zip(inputs.surfaces, above, strict=True)
            if a is None
        ]
        table = Table(("layer", "z", "above"), rows, {"z": "m", "above": "m"})
        return Result(
            values=values,
            tables={"heights": table} if rows else {},
            warnings=warnings,
            points=((x, y, z),),
            headline="height_above_ground" if rows else "z",
        )


def _spread(
    values: dict[str, Value], georeference: Georeference, sure: Certainty
) -> dict[str, Value]:
    """Return the coordinates in the project CRS with their uncertainty, in the unit of each."""
    unit = crs_units(georeference.crs)
    if not sure.known or unit.horizontal is None:
        return {}
    factors = {"x": unit.horizontal, "y": unit.horizontal, "z": unit.vertical}
    sigma = float(sure.sigma[0])
    return {
        name: replace(values[name], uncertainty=expanded(sigma / factor))
        for name, factor in factors.items()
    }


def _height(height: float, x: float, y: float) -> float:
    if not math.isfinite(height):
        raise RefusedError(
            tr("The layer has no height at {x:.3f}, {y:.3f}.", x=x, y=y),
            tr("Give the height of the point, or another layer."),
        )
    return height


def _coordinates(
    georeference: Georeference, point: Point3, other: str
) -> tuple[dict[str, Value], list[str]]:
    """Return the coordinates in each CRS, as the CRS itself counts them."""
    x, y, z = point
    unit = crs_units(georeference.crs)
    across = "°" if unit.horizontal is None else _unit_name(unit.horizontal)
    values = {
        "x": Value(x, across),
        "y": Value(y, across),
        "z": Value(z, _unit_name(unit.vertical)),
        "longitude": Value(None, "°"),
        "latitude": Value(None, "°"),
    }
    try:
        lon, lat = georeference.geographic(x, y)
    except RefusedError as error:
        if other:
            raise
        return values, [tr("No longitude and latitude: {why}", why=error.message)]
    if not (math.isfinite(lon) and math.isfinite(lat)):
        outside = tr("the point lies outside the area of the project CRS.")
        return values, [tr("No longitude and latitude: {why}", why=outside)]
    values |= {"longitude": Value(lon, "°"), "latitude": Value(lat, "°")}
    if not other:
        return values, []
    assert georeference.crs is not None
    target = parse_crs(other)
    there = transformer(georeference.crs, target).transform(x, y, z)
    if not all(math.isfinite(v) for v in there):
        raise RefusedError(
            tr("The point has no coordinates in {crs}.", crs=other),
            tr("Choose a CRS whose area holds the point."),
        )
    unit = crs_units(target)
    across = "°" if unit.horizontal is None else _unit_name(unit.horizontal)
    units = (across, across, _unit_name(unit.vertical))
    for name, value, its in zip(("x", "y", "z"), there, units, strict=True):
        values[f"crs_{name}"] = Value(float(value), its)
    values["crs"] = Value(crs_text(target))
    return values, []


def _unit_name(metres: float) -> str:
    if metres == 1.0:
        return "m"
    return "ft" if abs(metres - 0.3048) < 1e-6 else f"{metres} m"


# -- an angle --------------------------------------------------------------------------------


class AngleParams(Params):
    """What `measure.angle` can be asked."""

    points: Annotated[
        Points,
        Field(
            min_length=3,
            max_length=3,
            title=N_("Three points"),
            description=N_("The angle is at the second; the face goes through all three."),
        ),
    ]
    other: Annotated[
        Points,
        Field(
            max_length=3,
            title=N_("Second face"),
            description=N_("Three points of another face, for the angle between both; optional."),
        ),
    ] = ()
    picked: PickedPoints = ()


class Angle(Analysis[AngleParams]):
    """Angle at a point, slope and aspect of a face, angle between two faces."""

    id = "measure.angle"
    version = "1"
    title = N_("Angle")
    description = N_(
        "Angle at the second of three points, slope and aspect of the face through them, and the "
        "angle between two faces."
    )
    Params = AngleParams

    def check(self, scene: Scene, params: AngleParams) -> list[Problem]:
        problems = []
        for name, points in (("points", params.points), ("other", params.other)):
            if any(len(point) == 2 for point in points):
                problems.append(Problem(name, tr("Every point needs its height.")))
        if params.other and len(params.other) != 3:
            problems.append(Problem("other", tr("A face needs three points.")))
        return problems

    def layers(self, params: AngleParams) -> list[str]:
        return picked_layers(params.picked)

    def prepare(self, scene: Scene, params: AngleParams) -> Places:
        # The points of both faces, in their order.
        count = len(params.points) + len(params.other)
        return Places(scene.georeference, sure=certainty(scene, params.picked, count))

    def compute(self, inputs: Places, params: AngleParams, feedback: Feedback) -> Result:
        points = in_metres(inputs.georeference, params.points)
        warnings = []
        normal = _normal(points)
        if normal is None:
            warnings.append(tr("The three points lie on one line: there is no face."))
        dihedral = None
        if params.other:
            second = _normal(in_metres(inputs.georeference, params.other))
            if second is None:
                warnings.append(tr("The three points lie on one line: there is no face."))
            elif normal is not None:
                # Between the planes, 0 to 90 degrees: three points know no outer side.
                dihedral = min(_between(normal, second), 180 - _between(normal, second))
        slope = None if normal is None else _between(normal, np.array([0.0, 0.0, 1.0]))
        # The way water runs; on a level face it runs nowhere.
        aspect = None if normal is None else azimuth(float(normal[0]), float(normal[1]))
        angle = _angle_at(points)
        if angle is None:
            warnings.append(tr("Two of the points are the same: there is no angle."))
        return Result(
            values={
                name: Value(value, "°", _angle_spread(name, value, inputs, params))
                for name, value in (
                    ("angle", angle),
                    ("slope", slope),
                    ("aspect", aspect),
                    ("dihedral", dihedral),
                )
            },
            warnings=[*warnings, *inputs.sure.notes],
            points=tuple((p[0], p[1], p[2]) for p in params.points if len(p) == 3),
            headline="angle",
        )


def _angle_spread(
    name: str, value: float | None, inputs: Places, params: AngleParams
) -> float | None:
    """Return the expanded uncertainty of an angle, None where nothing is known."""
    if value is None or not inputs.sure.known:
        return None
    points = in_metres(inputs.georeference, (*params.points, *params.other))

    def at(moved: FloatArray) -> float:
        normal = _normal(moved[:3])
        if name == "angle" or normal is None:
            return _known(_angle_at(moved[:3]))
        if name == "slope":
            return _between(normal, np.array([0.0, 0.0, 1.0]))
        if name == "aspect":
            return _known(azimuth(float(normal[0]), float(normal[1])))
        other = _normal(moved[3:])
        between = math.nan if other is None else _between(normal, other)
        return min(between, 180 - between)

    return expanded(propagated(at, points, inputs.sure.sigma))


def _known(angle: float | None) -> float:
    return math.nan if angle is None else angle


def in_metres(georeference: Georeference, points: tuple[Point, ...]) -> FloatArray:
    """Return points ``(N, 3)`` in metres, relative to the first.

    Raises
    ------
    RefusedError
        If the project CRS is in degrees, which are no lengths.
    """
    unit = crs_units(georeference.crs)
    if unit.horizontal is None:
        raise RefusedError(
            tr("The project CRS is in degrees: this needs metres."),
            tr("Set a projected project CRS, e.g. EPSG:4549."),
        )
    local = np.array(points, dtype=np.float64) - np.array(points[0])
    metres: FloatArray = local * [unit.horizontal, unit.horizontal, unit.vertical]
    return metres


def _normal(points: FloatArray) -> FloatArray | None:
    """Return the upward unit normal of the face through three points, None on one line."""
    a, b = points[1] - points[0], points[2] - points[0]
    normal: FloatArray = np.cross(a, b)
    size = float(np.linalg.norm(normal))
    if size <= 1e-12 * float(np.linalg.norm(a)) * float(np.linalg.norm(b)) or size == 0:
        return None
    normal = normal / size
    return -normal if normal[2] < 0 else normal


def _between(a: FloatArray, b: FloatArray) -> float:
    """Return the angle between two vectors; by atan2, which keeps its digits near 0 and 180."""
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b)))


def _angle_at(points: FloatArray) -> float | None:
    a, b = points[0] - points[1], points[2] - points[1]
    return _between(a, b) if a.any() and b.any() else None


# -- a height --------------------------------------------------------------------------------


class HeightParams(Params):
    """What `measure.height` can be asked: a point, a footprint, or both."""

    point: Annotated[
        Point3 | None,
        Field(title=N_("Point"), description=N_("Its height above the ground is measured.")),
    ] = None
    ground: Annotated[
        LayerRef,
        Field(
            title=N_("Ground"),
            description=N_("Terrain, or a mesh of it."),
            json_schema_extra={"widget": "layer", "kinds": ["raster", "mesh"]},
        ),
    ]
    footprint: Annotated[
        Polygon | None,
        Field(title=N_("Footprint"), description=N_("Outline of an object; optional.")),
    ] = None
    object: Annotated[
        LayerRef | None,
        Field(
            title=N_("Object"),
            description=N_("The mesh, building model or point cloud that the object is part of."),
            json_schema_extra={"widget": "layer", "kinds": ["mesh", "bim", "pointcloud"]},
        ),
    ] = None
    picked: PickedPoints = ()


@dataclass(frozen=True)
class Standing:
    """Snapshot: the ground, the points of the object that may be its top, how sure both are."""

    georeference: Georeference
    ground: Surface
    point: Certainty
    height: Certainty
    matter: PointCloudData | MeshData | TilesData | None = None


class Height(Analysis[HeightParams]):
    """Height of a point above ground, and of an object from base to top in its footprint.

    The base is the lowest ground under the corners of the footprint; the top is the highest vertex
    or point of the object inside the footprint.
    """

    id = "measure.height"
    version = "1"
    title = N_("Height")
    description = N_(
        "Height of a point above the ground, and of an object from its base to its top in a "
        "footprint."
    )
    Params = HeightParams

    def check(self, scene: Scene, params: HeightParams) -> list[Problem]:
        if params.point is None and params.footprint is None:
            return [Problem("point", tr("Give a point, a footprint, or both."))]
        if (params.footprint is None) != (params.object is None):
            name = "footprint" if params.footprint is None else "object"
            return [Problem(name, tr("A footprint and an object belong together."))]
        return []

    def layers(self, params: HeightParams) -> list[str]:
        named = [params.ground, *([] if params.object is None else [params.object])]
        return list(dict.fromkeys([*named, *picked_layers(params.picked)]))

    def prepare(self, scene: Scene, params: HeightParams) -> Standing:
        ground = surface(scene, params.ground)
        on_ground = PickedPoint(layer=params.ground)
        point = certainty(scene, (*params.picked, on_ground), 2)
        if params.object is None:
            return Standing(scene.georeference, ground, point, Certainty(np.empty(0)))
        height = certainty(scene, (PickedPoint(layer=params.object), on_ground), 2)
        data = standing(scene, scene[params.object]).data
        matter = data if isinstance(data, PointCloudData) else surface(scene, params.object).data
        if isinstance(matter, RasterData):
            raise RefusedError(
                tr("A terrain raster holds no object."),
                tr("Choose a mesh, a building model or a point cloud."),
            )
        return Standing(scene.georeference, ground, point, height, matter)

    def compute(self, inputs: Standing, params: HeightParams, feedback: Feedback) -> Result:
        factor = crs_units(inputs.georeference.crs).vertical
        values: dict[str, Value] = {}
        points: list[Point3] = []
        if params.point is not None:
            x, y, z = params.point
            ground = _height(float(inputs.ground.heights(np.array([[x, y]]), feedback)[0]), x, y)
            values["height"] = Value((z - ground) * factor, "m", _difference(inputs.point))
            values["ground"] = Value(ground * factor, "m")
            points = [(x, y, ground), params.point]
        if params.footprint is not None:
            ring = ring_of(params.footprint)
            under = inputs.ground.heights(np.asarray(ring.exterior.coords)[:-1, :2], feedback)
            base = _height(float(under.min()), *ring.exterior.coords[int(np.argmin(under))][:2])
            top = _highest(_corners(inputs.matter, ring, feedback), ring)
            size, sure = (float(top[2]) - base) * factor, _difference(inputs.height)
            values["object_height"] = Value(size, "m", sure)
            values["base"] = Value(base * factor, "m")
            values["top"] = Value(float(top[2]) * factor, "m")
            x, y = float(top[0]), float(top[1])
            points = points or [(x, y, base), (x, y, float(top[2]))]
        headline = "height" if params.point is not None else "object_height"
        notes = [*inputs.point.notes, *inputs.height.notes]
        return Result(
            values=values,
            points=tuple(points),
            warnings=list(dict.fromkeys(notes)),
            headline=headline,
        )


def _difference(ends: Certainty) -> float | None:
    """Return the 95 % uncertainty of the difference of two heights."""
    return expanded(math.hypot(*ends.sigma.tolist())) if ends.known else None


def _corners(
    matter: PointCloudData | MeshData | TilesData | None, ring: Any, feedback: Feedback
) -> FloatArray:
    """Return the points of an object around a footprint; of tiles the finest there are."""
    if isinstance(matter, PointCloudData):
        return matter.within(ring.bounds).points
    if isinstance(matter, TilesData):
        return matter.mesh(ring.bounds, feedback=feedback).mesh.vertices
    assert matter is not None
    return matter.vertices


def _highest(corners: FloatArray, ring: object) -> FloatArray:
    """Return the highest point inside or on a ring."""
    import shapely

    shapely.prepare(ring)
    inside = corners[shapely.intersects_xy(ring, corners[:, 0], corners[:, 1])]
    if len(inside) == 0:
        raise RefusedError(
            tr("Nothing of the object lies inside the footprint."),
            tr("Check the footprint and the layer."),
        )
    top: FloatArray = inside[np.argmax(inside[:, 2])]
    return top
