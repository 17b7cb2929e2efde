"""What a loader decided about a file and why: for the layer's page and ``plumbline info``.

Loaders note decisions as plain values under agreed keys of `Layer.metadata`; here they become
sentences. A decision that nobody had to make is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plumbline.core.crs import crs_label
from plumbline.core.i18n import N_, tr
from plumbline.core.layer import Layer

#: Where a CRS, an encoding or a unit comes from; names of files speak for themselves.
SOURCES = {
    "file": N_("the file says it"),
    "user": N_("you stated it"),
    "none": N_("nothing says it"),
    "assumed": N_("nothing says it; assumed"),
    "plane": N_("taken as in the plane"),
    "control": N_("from control points"),
    "detected": N_("recognised by its characters"),
    "cpg": N_("the .cpg file says it"),
    "option": N_("you stated it"),
    "header": N_("the header says it"),
    "RFC 7946": N_("the format prescribes it (RFC 7946)"),
    "header GeoTIFF keys": N_("the header says it (GeoTIFF keys)"),
    "header WKT": N_("the header says it (WKT)"),
}
#: Keys of the metadata that are told here.
KEYS = frozenset(
    {
        "crs_source",
        "crs_declared",
        "crs_doubt",
        "srs",
        "reprojected",
        "operation",
        "axis_order",
        "shift",
        "shift_source",
        "origin",
        "rotation",
        "georeference",
        "site_distance",
        "units",
        "vertical_units",
        "z_factor",
        "z_factor_source",
        "metres_per_unit",
        "up",
        "encoding",
        "encoding_source",
        "encoding_sample",
        "repaired",
        "without_geometry",
        "z",
        "height_attribute",
        "tube_attribute",
        "colors",
        "failed",
        "skipped",
        "control",
    }
)


@dataclass(frozen=True)
class Decision:
    """What was taken, and why; translated. `why` may be empty."""

    what: str
    taken: str
    why: str = ""


def decisions(layer: Layer) -> list[Decision]:
    """Return what was decided when a layer was loaded, the weightiest first."""
    noted = layer.metadata
    return [
        *_crs(layer, noted),
        *_units(noted),
        *_place(noted),
        *_text(noted),
        *_products(layer),
        *_shapes(noted),
    ]


def _because(source: object) -> str:
    text = str(source or "")
    return tr(SOURCES[text]) if text in SOURCES else text


def _crs(layer: Layer, noted: Mapping[str, Any]) -> Iterator[Decision]:
    why = _because(noted.get("crs_source")) or ("" if layer.crs else _because("none"))
    if declared := noted.get("crs_doubt"):
        why = tr("the file says {crs}, but {why}", crs=noted.get("crs_declared", "–"), why=declared)
    elif noted.get("srs"):
        why = f"{why}: {noted['srs']}"
    yield Decision(tr("Coordinate system"), crs_label(layer.crs), why)
    if moved := noted.get("reprojected"):
        yield Decision(tr("Reprojected"), str(moved), str(noted.get("operation", "")))
    if order := noted.get("axis_order"):
        yield Decision(tr("Order of axes"), str(order))


def _units(noted: Mapping[str, Any]) -> Iterator[Decision]:
    if plane := noted.get("units"):
        yield Decision(tr("Units of the plane"), str(plane), _because(noted.get("crs_source")))
    if "metres_per_unit" in noted:
        text = tr("1 unit is {n} m", n=f"{noted['metres_per_unit']:.9g}")
        yield Decision(tr("Units of the model"), text, _because("file"))
    if noted.get("z_factor_source"):
        taken = noted.get("vertical_units") or tr("1 unit is {n} m", n=f"{noted['z_factor']:.9g}")
        yield Decision(tr("Units of heights"), str(taken), _because(noted["z_factor_source"]))
    if up := noted.get("up"):
        yield Decision(tr("Upward axis"), str(up).upper())


def _place(noted: Mapping[str, Any]) -> Iterator[Decision]:
    if shift := noted.get("shift"):
        yield Decision(tr("Shift"), _numbers(shift), _because(noted.get("shift_source")))
    if kind := noted.get("georeference"):
        if "origin" not in noted:
            yield Decision(tr("Placed at"), tr("as drawn"), tr("the model says no place on earth"))
            return
        taken = tr(
            "{origin}, turned by {angle}°, scale {scale}",
            origin=_numbers(noted["origin"]),
            angle=f"{noted.get('rotation', 0.0):.4f}",
            scale=f"{noted.get('scale', 1.0):.9g}",
        )
        why = str(kind)
        if (away := noted.get("site_distance", 0.0)) > 1000:
            why = tr("{kind}; IfcSite is {away} km off", kind=kind, away=f"{away / 1000:.1f}")
        yield Decision(tr("Placed at"), taken, why)
    if isinstance(control := noted.get("control"), Mapping):
        parts = [f"{key}: {_plain(value)}" for key, value in control.items()]
        yield Decision(tr("Control points"), "; ".join(parts))


def _text(noted: Mapping[str, Any]) -> Iterator[Decision]:
    if encoding := noted.get("encoding"):
        sample = ", ".join(map(str, list(noted.get("encoding_sample", ()))[:3]))
        why = _because(noted.get("encoding_source"))
        yield Decision(tr("Encoding"), str(encoding), f"{why}: {sample}" if sample else why)
    if colors := noted.get("colors"):
        yield Decision(tr("Colours"), str(colors))


def _products(layer: Layer) -> Iterator[Decision]:
    """Tell how many products of a building model are listed but not to be seen."""
    counts = layer.counts
    shaped = counts.get("products_with_geometry")
    if shaped is not None and (bare := counts["products"] - shaped) > 0:
        taken = tr("{n} of {total} products", n=bare, total=counts["products"])
        why = tr("the file gives them no shape; they are kept with their attributes")
        yield Decision(tr("Without geometry"), taken, why)


def _shapes(noted: Mapping[str, Any]) -> Iterator[Decision]:
    if repaired := noted.get("repaired"):
        text = tr("{n} features", n=repaired)
        yield Decision(tr("Repaired rings"), text, tr("they crossed or touched themselves"))
    if lost := noted.get("without_geometry"):
        yield Decision(tr("Left out"), tr("{n} features", n=lost), tr("they have no geometry"))
    for key, why in (
        ("failed", N_("they could not be tessellated")),
        ("skipped", N_("see the notes")),
    ):
        if gone := noted.get(key):
            count = len(gone) if isinstance(gone, list | tuple | dict) else gone
            yield Decision(tr("Left out"), tr("{n} elements", n=count), tr(why))
    if flat := noted.get("z"):
        yield Decision(tr("Heights"), str(flat))
    if column := noted.get("tube_attribute"):
        why = tr("its name and its numbers are those of diameters")
        yield Decision(tr("Tubes from"), str(column), why)
    if column := noted.get("height_attribute"):
        why = tr("its name and its numbers are those of heights")
        yield Decision(tr("Height from"), str(column), why)


def _numbers(values: Any) -> str:
    return ", ".join(f"{float(v):.3f}" for v in values)


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
