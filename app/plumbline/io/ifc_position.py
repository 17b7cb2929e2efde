"""Where an IFC model says it is: map conversion, property sets that stand in for it, site.

`declared_position` collects, in the child, what the file says, as plain numbers. `place` decides,
in the parent, what it means: the transformation from the file's metres into the map CRS.

Sources: IFC 4.3 (ISO 16739-1:2024), IfcMapConversion, IfcProjectedCRS and
IfcCoordinateReferenceSystem; buildingSMART, *User Guide for Geo-referencing in IFC* (2020), which
defines ePSet_MapConversion and ePSet_ProjectedCRS for IFC2x3.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline.core.crs import crs_label, horizontal_crs, transformer
from plumbline.core.data import FloatArray
from plumbline.core.i18n import tr
from plumbline.io.crs_check import outside_area

if TYPE_CHECKING:
    from pyproj import CRS

#: Scales this near to 1 are those of a map projection; others are units.
_NEAR_ONE = 0.01
#: Metres by which the site may miss the map conversion before it counts as a conflict.
_CONFLICT = 2000.0
_SITE_UNITS = {
    "MILLIMETRE": 0.001,
    "CENTIMETRE": 0.01,
    "METRE": 1.0,
    "METER": 1.0,
    "KILOMETRE": 1000.0,
    "FOOT": 0.3048,
    "US SURVEY FOOT": 1200 / 3937,
}


# -- what the file says (child) -----------------------------------------------------------------


def declared_position(model: Any, metres_per_unit: float) -> dict[str, Any]:
    """Collect every statement about position in a model, as plain JSON values.

    Parameters
    ----------
    model : ifcopenshell.file
        The open model.
    metres_per_unit : float
        Metres per length unit of the model.

    Returns
    -------
    dict
        ``conversion`` (numbers in map units, None without one), ``site`` (degrees and metres),
        ``true_north`` (degrees clockwise from the model's y axis), ``world`` (placement of the
        world coordinate system, 4 rows, metres), ``metres_per_unit``.
    """
    context = _model_context(model)
    return no_position(metres_per_unit) | {
        "conversion": _map_conversion(model) or _property_conversion(model),
        "site": _site(model, metres_per_unit),
        "true_north": _true_north(context),
        "world": _world(context, metres_per_unit),
    }


def no_position(metres_per_unit: float) -> dict[str, Any]:
    """Return what `declared_position` gives for a model that says nothing."""
    return {
        "conversion": None,
        "site": None,
        "true_north": None,
        "world": None,
        "metres_per_unit": metres_per_unit,
    }


def _model_context(model: Any) -> Any:
    contexts = model.by_type("IfcGeometricRepresentationContext", include_subtypes=False)
    solid = [c for c in contexts if c.ContextType == "Model"]
    return (solid or list(contexts) or [None])[0]


def _map_conversion(model: Any) -> dict[str, Any] | None:
    if model.schema == "IFC2X3":
        return None
    found = model.by_type("IfcCoordinateOperation")
    if not found:
        return None
    operation = found[0]
    crs = operation.TargetCRS
    statement: dict[str, Any] = {
        "kind": operation.is_a(),
        "crs": _crs_texts(crs),
        "map_unit": _metres(getattr(crs, "MapUnit", None)),
        "vertical_datum": getattr(crs, "VerticalDatum", None),
        "axis": [1.0, 0.0],
        "scale": 1.0,
        "factors": [1.0, 1.0, 1.0],
    }
    if operation.is_a("IfcMapConversion"):
        factors = [getattr(operation, f"Factor{a}", None) or 1.0 for a in "XYZ"]
        statement |= {
            "offset": [operation.Eastings, operation.Northings, operation.OrthogonalHeight],
            "axis": [operation.XAxisAbscissa, operation.XAxisOrdinate],
            "scale": operation.Scale,
            "factors": factors,
        }
    else:
        offsets = [getattr(operation, n, None) for n in ("FirstCoordinate", "SecondCoordinate")]
        statement["offset"] = [
            *(getattr(o, "wrappedValue", o) for o in offsets),
            getattr(operation, "Height", None),
        ]
    return statement


def _crs_texts(crs: Any) -> list[str]:
    """Return everything that may name the CRS, best first."""
    if crs is None:
        return []
    known = [w.WellKnownText for w in getattr(crs, "WellKnownText", None) or ()]
    return [str(t) for t in (*known, crs.Name, getattr(crs, "Description", None)) if t]


def _metres(unit: Any) -> float | None:
    """Return metres per length unit, None when there is no unit."""
    from ifcopenshell.util.unit import get_prefix_multiplier

    if unit is None:
        return None
    if unit.is_a("IfcSIUnit"):
        return float(get_prefix_multiplier(unit.Prefix))
    if unit.is_a("IfcConversionBasedUnit"):
        factor = unit.ConversionFactor
        base = _metres(factor.UnitComponent)
        return None if base is None else float(factor.ValueComponent.wrappedValue) * base
    return None


def _property_conversion(model: Any) -> dict[str, Any] | None:
    """Read the property sets that carry a map conversion in IFC2x3, on project or site."""
    from ifcopenshell.util.element import get_psets

    for owner in (*model.by_type("IfcProject"), *model.by_type("IfcSite")):
        sets = {str(k).lower(): v for k, v in get_psets(owner).items()}
        values = sets.get("epset_mapconversion")
        if not values:
            continue
        crs = sets.get("epset_projectedcrs", {})
        unit = str(crs.get("MapUnit") or "").upper().replace("_", " ").strip()
        return {
            "kind": "ePSet_MapConversion",
            "crs": [str(crs[k]) for k in ("Name", "Description") if crs.get(k)],
            "map_unit": _SITE_UNITS.get(unit),
            "vertical_datum": crs.get("VerticalDatum"),
            "offset": [values.get(k) for k in ("Eastings", "Northings", "OrthogonalHeight")],
            "axis": [values.get("XAxisAbscissa"), values.get("XAxisOrdinate")],
            "scale": values.get("Scale"),
            "factors": [1.0, 1.0, 1.0],
        }
    return None


def _site(model: Any, metres_per_unit: float) -> dict[str, Any] | None:
    """Return longitude, latitude (degrees) and height (metres) of the first site that has them."""
    for site in model.by_type("IfcSite"):
        latitude, longitude = _degrees(site.RefLatitude), _degrees(site.RefLongitude)
        if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
            continue
        height = (site.RefElevation or 0.0) * metres_per_unit
        return {"latitude": latitude, "longitude": longitude, "elevation": height}
    return None


def _degrees(angle: Any) -> float | None:
    """Return degrees of a compound angle (degrees, minutes, seconds, millionths)."""
    if not angle:
        return None
    return float(sum(part / unit for part, unit in zip(angle, (1, 60, 3600, 3.6e9), strict=False)))


def _true_north(context: Any) -> float | None:
    direction = getattr(context, "TrueNorth", None)
    if direction is None:
        return None
    x, y = direction.DirectionRatios[:2]
    return math.degrees(math.atan2(x, y)) if (x, y) != (0.0, 0.0) else None


def _world(context: Any, metres_per_unit: float) -> list[list[float]] | None:
    """Return the placement of the world coordinate system, None when it is the identity."""
    from ifcopenshell.util.placement import get_axis2placement

    placement = getattr(context, "WorldCoordinateSystem", None)
    if placement is None:
        return None
    matrix = np.array(get_axis2placement(placement), dtype=np.float64)
    matrix[:3, 3] *= metres_per_unit
    if np.array_equal(matrix, np.eye(4)) or not np.isfinite(matrix).all():
        return None
    return [[float(v) for v in row] for row in matrix]


# -- what it means (parent) ---------------------------------------------------------------------


@dataclass
class Placement:
    """How to bring metres of the file into map coordinates.

    Attributes
    ----------
    matrix : (4, 4) float64
        From metres in the file to coordinates of `crs` (metres where there is none).
    """

    matrix: FloatArray = field(default_factory=lambda: np.eye(4))
    crs: CRS | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def apply(self, vertices: FloatArray) -> FloatArray:
        """Return vertices ``(N, 3)`` in map coordinates."""
        placed: FloatArray = vertices @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return placed


def place(declared: dict[str, Any]) -> Placement:
    """Decide where a model lies.

    Map coordinates = offset + scale · rotation · local coordinates, where the offset is in map
    units, the rotation turns the local x axis to ``axis``, and the scale brings units of the file
    to map units (IFC 4.3, IfcMapConversion). Map units are those of the project where none are
    given.
    """
    placement = Placement(metadata={"georeference": "none"})
    site, conversion = declared["site"], declared["conversion"]
    if site is not None:
        placement.metadata["site"] = site
    if declared["true_north"] is not None:
        placement.metadata["true_north"] = declared["true_north"]
    if conversion is None:
        return placement
    offset = np.array([_number(v) for v in conversion["offset"]])
    offset[2] = np.nan_to_num(offset[2])
    if np.isnan(offset).any():
        placement.warnings.append(
            tr("The map conversion lacks its offset; the model keeps its own coordinates.")
        )
        return placement
    placement.crs = _named_crs(conversion["crs"], placement.warnings)
    crs_unit = _unit(placement.crs)
    map_unit = conversion["map_unit"] or declared["metres_per_unit"]
    map_unit = _believable_unit(placement, conversion, offset, map_unit)
    scale = _scale(conversion, map_unit, declared["metres_per_unit"], placement.warnings)
    abscissa, ordinate = (np.nan_to_num(_number(v)) for v in conversion["axis"])
    angle = math.atan2(ordinate, abscissa) if abscissa or ordinate else 0.0
    turn = np.array(
        [
            [math.cos(angle), -math.sin(angle), 0.0],
            [math.sin(angle), math.cos(angle), 0.0],
            [0.0, 0.0, 1.0],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * (scale * np.array(conversion["factors"])) / crs_unit
    matrix[:3, 3] = offset * map_unit / crs_unit
    if declared["world"] is not None:
        matrix = matrix @ np.linalg.inv(np.array(declared["world"]))
    placement.matrix = matrix
    _note(placement, conversion, offset * map_unit / crs_unit, angle, scale)
    _compare_with_site(placement, site)
    return placement


def _number(value: Any) -> float:
    """Return a number, also one written as text in a property; NaN for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _unit(crs: CRS | None) -> float:
    """Return metres per unit of a CRS."""
    return 1.0 if crs is None else float(crs.axis_info[0].unit_conversion_factor)


def _named_crs(texts: list[str], warnings: list[str]) -> CRS | None:
    """Return the projected CRS that the file names, by code, WKT or exact name."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    for text in texts:
        code = re.search(r"EPSG\s*[:_ ]*\s*(\d{4,6})", text, re.IGNORECASE)
        try:
            crs = CRS.from_user_input(f"EPSG:{code[1]}" if code else text)
        except CRSError:
            continue
        if crs.is_projected or (crs.is_compound and horizontal_crs(crs).is_projected):
            return crs
        warnings.append(
            tr("The file names {crs}, which is no map projection; state the CRS.",
               crs=crs_label(crs))
        )  # fmt: skip
        return None
    warnings.append(
        tr("The map conversion names no CRS that is known ({name}); state the CRS.",
           name=texts[0][:60] if texts else "–")
    )  # fmt: skip
    return None


def _believable_unit(
    placement: Placement, conversion: dict[str, Any], offset: FloatArray, map_unit: float
) -> float:
    """Return the unit of the offset; metres where only they fall into the area of the CRS.

    Exporters forget the map unit: then the project's unit holds by the standard, though the
    numbers are often metres.
    """
    crs = placement.crs
    if crs is None or conversion["map_unit"] is not None or map_unit == 1.0:
        return map_unit
    plane = offset[:2] / _unit(crs)
    if outside_area(crs, *(plane * map_unit)) and not outside_area(crs, *plane):
        placement.warnings.append(
            tr("The offset of the map conversion states no unit; taken as metres, since in units "
               "of the model it lies outside the area of {crs}.", crs=crs_label(crs))
        )  # fmt: skip
        return 1.0
    return map_unit


def _scale(
    conversion: dict[str, Any], map_unit: float, model_unit: float, warnings: list[str]
) -> float:
    """Return map metres per metre of the model.

    By the standard the scale also converts units. Many exporters leave it at 1 in spite of
    different units; a model a thousand times too large is never meant.
    """
    stated = float(np.nan_to_num(_number(conversion["scale"]))) or 1.0
    scale = stated * map_unit / model_unit
    if abs(scale - 1.0) <= _NEAR_ONE:
        return scale
    if abs(stated - 1.0) <= _NEAR_ONE:
        warnings.append(
            tr("The scale of the map conversion ignores that model and map have different units; "
               "taken as {scale} between metres.", scale=f"{stated:.8g}")
        )  # fmt: skip
        return stated
    warnings.append(tr("The map conversion scales the model by {scale}.", scale=f"{scale:.8g}"))
    return scale


def _note(
    placement: Placement,
    conversion: dict[str, Any],
    origin: FloatArray,
    angle: float,
    scale: float,
) -> None:
    placement.metadata |= {
        "georeference": conversion["kind"],
        "crs_source": conversion["kind"],
        "origin": [float(v) for v in origin],
        "rotation": math.degrees(angle),
        "scale": scale,
    }
    if conversion["vertical_datum"]:
        placement.metadata["vertical_datum"] = str(conversion["vertical_datum"])
    crs = placement.crs
    if crs is None:
        return
    placement.metadata["units"] = crs.axis_info[0].unit_name
    placement.metadata["z_factor"] = _unit(crs)
    if outside_area(crs, float(origin[0]), float(origin[1])):
        placement.warnings.append(
            tr("The model lies outside the area where {crs} is used.", crs=crs_label(crs))
        )


def _compare_with_site(placement: Placement, site: dict[str, Any] | None) -> None:
    """Warn where latitude and longitude of the site say something else than the map conversion."""
    from pyproj import Geod

    crs = placement.crs
    if crs is None or site is None or crs.geodetic_crs is None:
        return
    x, y = placement.metadata["origin"][:2]
    lon, lat = transformer(horizontal_crs(crs), crs.geodetic_crs.to_2d()).transform(x, y)
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return
    _, _, distance = Geod(ellps="WGS84").inv(lon, lat, site["longitude"], site["latitude"])
    placement.metadata["site_distance"] = float(distance)
    if distance > _CONFLICT:
        placement.warnings.append(
            tr(
                "The file contradicts itself: {kind} ({crs}) puts the model at {here}, IfcSite at "
                "{there}, {distance} km apart. The map conversion is used.",
                kind=placement.metadata["georeference"],
                crs=crs_label(crs),
                here=_lat_lon(lat, lon),
                there=_lat_lon(site["latitude"], site["longitude"]),
                distance=f"{distance / 1000:.1f}",
            )
        )


def _lat_lon(lat: float, lon: float) -> str:
    return f"{abs(lat):.4f}°{'N' if lat >= 0 else 'S'} {abs(lon):.4f}°{'E' if lon >= 0 else 'W'}"
