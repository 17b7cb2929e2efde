"""Kept measurements as tables and features, for other programs.

Apart from the panel, so that it needs no Qt and its tests no display.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.api import Georeference, Record, parse_crs, transformer

#: Prefix of the analyses whose records belong to this plugin.
PREFIX = "measure."


def measurements(records: Iterable[Record]) -> list[Record]:
    """Return the records of this plugin; a project may hold others."""
    return [r for r in records if str(r.request.get("analysis", "")).startswith(PREFIX)]


@dataclass(frozen=True)
class Origin:
    """Where the points of a measurement come from.

    Attributes
    ----------
    layers, snaps : tuple of str
        Ids of the layers and what was snapped to, each once, in the order of the points.
    fineness : tuple of str
        Of each layer that has one, its level of detail or the spacing of its points, metres.
    """

    layers: tuple[str, ...] = ()
    snaps: tuple[str, ...] = ()
    fineness: tuple[str, ...] = ()


def origin_of(record: Record) -> Origin:
    """Return where the points of a measurement come from."""
    picked = record.request.get("params", {}).get("picked") or ()
    layers = dict.fromkeys(str(p["layer"]) for p in picked if p.get("layer"))
    fine = []
    for row in record.provenance.get("inputs") or ():
        known = [str(row["lod"])] if row.get("lod") else []
        if row.get("resolution"):
            known.append(f"{row['resolution']:.3f} m")
        if known and (not layers or row.get("id") in layers):
            fine.append(" ".join(known))
    return Origin(
        tuple(layers),
        tuple(dict.fromkeys(str(p["snap"]) for p in picked if p.get("snap"))),
        tuple(fine),
    )


def as_csv(records: Sequence[Record], georeference: Georeference) -> str:
    """Return one row for each measurement; numbers keep all their digits.

    A column says its unit in its name, so that a number is never without one. Points are in the
    project CRS, as ``x y z; x y z``.
    """
    names = list(dict.fromkeys((n, v["unit"]) for r in records for n, v in r.values.items()))
    head = ["name", "analysis", *(_column(name, unit) for name, unit in names)]
    sure = [
        (name, unit)
        for name, unit in names
        if any(r.values.get(name, {}).get("uncertainty") is not None for r in records)
    ]
    head += [f"{name} ± [{unit}]" for name, unit in sure]
    head += ["points", "crs", "created", "operator", "layers", "snaps", "fineness"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(head)
    for record in records:
        cells = [record.values.get(name, {}).get("value") for name, _ in names]
        points = "; ".join(" ".join(repr(float(v)) for v in point) for point in record.points)
        spreads = [record.values.get(name, {}).get("uncertainty") for name, _ in sure]
        row = [record.name, record.request.get("analysis"), *cells, *spreads, points]
        row += [georeference.crs_text, record.created, record.operator]
        origin = origin_of(record)
        row += ["; ".join(part) for part in (origin.layers, origin.snaps, origin.fineness)]
        writer.writerow([plain_cell(cell) for cell in row])
    return stream.getvalue()


def _column(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name


def plain_cell(value: Any) -> Any:
    """Return a cell that a spreadsheet takes for what it is; nothing where there is nothing."""
    # A spreadsheet runs a text that begins like a formula; names are typed by people.
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value


def as_geojson(records: Sequence[Record], georeference: Georeference) -> str:
    """Return the measurements as GeoJSON.

    GeoJSON is in longitude and latitude (RFC 7946), so lines are transformed where the project has
    a CRS; the coordinates that were measured stay in the properties. Without a CRS the plane's own
    coordinates are all there is.
    """
    to_lon_lat = None
    if georeference.crs is not None:
        to_lon_lat = transformer(georeference.crs, parse_crs("EPSG:4326"))
    features = []
    for record in records:
        points = [list(point) for point in record.points]
        if to_lon_lat is not None:
            points = [[*to_lon_lat.transform(p[0], p[1]), p[2]] for p in points]
        values = {n: v.get("value") for n, v in record.values.items()}
        units = {n: v.get("unit", "") for n, v in record.values.items()}
        origin = origin_of(record)
        features.append(
            {
                "type": "Feature",
                "id": record.id,
                "geometry": {"type": "LineString", "coordinates": points},
                "properties": {
                    "name": record.name,
                    "analysis": record.request.get("analysis"),
                    **values,
                    "units": units,
                    "uncertainties": {n: v.get("uncertainty") for n, v in record.values.items()},
                    "picked": record.request.get("params", {}).get("picked") or [],
                    "fineness": list(origin.fineness),
                    "crs": georeference.crs_text,
                    "points": [list(point) for point in record.points],
                    "created": record.created,
                    "operator": record.operator,
                },
            }
        )
    document = {"type": "FeatureCollection", "features": features}
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
