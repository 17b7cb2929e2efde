"""Words for measurements: the analyses name their values for programs, the window for people."""

from __future__ import annotations

from plumbline.api import N_, Record, Value, tr, value_text
from plumbline_measurement.kinds import KINDS

NAMES = {
    "distance": N_("Distance"),
    "horizontal": N_("Horizontal"),
    "vertical": N_("Vertical"),
    "slope": N_("Slope"),
    "slope_percent": N_("Gradient"),
    "azimuth_grid": N_("Azimuth, grid north"),
    "azimuth_true": N_("Azimuth, true north"),
    "ground_distance": N_("On the ellipsoid"),
    "length": N_("Length"),
    "horizontal_length": N_("Horizontal length"),
    "surface_length": N_("Length on the surface"),
    "ascent": N_("Ascent"),
    "descent": N_("Descent"),
    "area_horizontal": N_("Area on the map"),
    "area_plane": N_("Area in its plane"),
    "area_surface": N_("Area on the surface"),
    "perimeter": N_("Perimeter"),
    "angle": N_("Angle"),
    "aspect": N_("Aspect"),
    "dihedral": N_("Angle between faces"),
    "x": N_("Easting"),
    "y": N_("Northing"),
    "z": N_("Height"),
    "longitude": N_("Longitude"),
    "latitude": N_("Latitude"),
    "ground": N_("Ground"),
    "height_above_ground": N_("Height above ground"),
}
#: What a point was picked at.
SNAPS = {
    "vertex": N_("Corner"),
    "midpoint": N_("Middle of an edge"),
    "perpendicular": N_("Foot of the perpendicular"),
    "feature": N_("Edge of a body"),
    "edge": N_("Line"),
    "point": N_("Point of a cloud"),
    "face": N_("Surface"),
}


def named_text(name: str, value: Value) -> str:
    """Return a value as people read it, a dash where there is none."""
    if not isinstance(value.value, int | float):
        return "–"
    return value_text(name, float(value.value), value.unit, value.uncertainty)


def headline_of(record: Record) -> str:
    """Return the name of the value that matters most in a record."""
    kind = KINDS.get(str(record.request.get("analysis", "")))
    name = record.headline or (kind.headline if kind is not None else "")
    return name if name in record.values else next(iter(record.values), "")


def headline_text(record: Record) -> str:
    """Return that value as people read it."""
    name = headline_of(record)
    return "–" if not name else named_text(name, Value(**record.values[name]))


def kind_name(record: Record) -> str:
    """Return what kind of measurement a record is, translated."""
    analysis = str(record.request.get("analysis", ""))
    return tr(KINDS[analysis].title) if analysis in KINDS else analysis
