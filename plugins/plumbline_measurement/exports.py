"""Kept measurements for spreadsheets, GIS and CAD: XLSX, GeoPackage, DXF.

CSV and GeoJSON are in `records`; both need nothing but Python.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.api import (
    N_,
    Drawing,
    Georeference,
    Record,
    crs_units,
    dxf_bytes,
    tr,
    write_vector,
)
from plumbline_measurement.records import origin_of, plain_cell

#: What a row says of a measurement besides its values.
HEAD = (
    N_("Name"),
    N_("Analysis"),
    N_("Value name"),
    N_("Measured value"),
    N_("Unit"),
    N_("Uncertainty (95 %)"),
    N_("Created"),
    N_("Operator"),
    N_("Layers"),
    N_("Snap"),
    N_("Spacing or level of detail"),
)


def as_xlsx(records: Sequence[Record], georeference: Georeference) -> bytes:
    """Return a workbook: one sheet with every value, one with every point.

    Numbers are numbers with all their digits; texts that begin like a formula stay texts.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    values, points = book.active, book.create_sheet(tr("Coordinates"))
    values.title = tr("Measurements")
    values.append([tr(name) for name in HEAD])
    points.append([tr("Name"), tr("Point"), "x", "y", "z", tr("Layer"), tr("Snap"), tr("CRS")])
    for record in records:
        about = (plain_cell(record.name), record.request.get("analysis"))
        origin = origin_of(record)
        source_of = ["; ".join(part) for part in (origin.layers, origin.snaps, origin.fineness)]
        for name, value in record.values.items():
            number = (name, value.get("value"), value.get("unit"), value.get("uncertainty"))
            who = (_time(record.created), plain_cell(record.operator))
            values.append([*about, *number, *who, *source_of])
        picked = record.request.get("params", {}).get("picked") or ()
        for n, point in enumerate(record.points):
            source = picked[n] if n < len(picked) else {}
            place = [about[0], n + 1, *point, source.get("layer", ""), source.get("snap", "")]
            points.append([*place, georeference.crs_text])
    for sheet, widths in ((values, (24, 18, 20, 18, 8, 18, 20, 16)), (points, (24, 8, 18, 18, 12))):
        sheet.freeze_panes = "A2"
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for n, width in enumerate(widths):
            sheet.column_dimensions[get_column_letter(n + 1)].width = width
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _time(text: str) -> datetime | str:
    """Return a time as spreadsheets know it: local, without a zone."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return text


def write_geopackage(records: Sequence[Record], georeference: Georeference, path: Path) -> None:
    """Write measurements as features with their values, replacing the file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    import geopandas

    rows: list[dict[str, Any]] = []
    for record in records:
        row: dict[str, Any] = {"name": record.name, "analysis": record.request.get("analysis")}
        for name, value in record.values.items():
            row[name] = value.get("value")
            row[f"{name}_unit"] = value.get("unit")
            row[f"{name}_uncertainty"] = value.get("uncertainty")
        origin = origin_of(record)
        row |= {"created": record.created, "operator": record.operator}
        for name in ("layers", "snaps", "fineness"):
            row[name] = "; ".join(getattr(origin, name))
        rows.append(row)
    shapes = [_shape(record) for record in records]
    frame = geopandas.GeoDataFrame(rows, geometry=shapes, crs=georeference.crs)
    write_vector(frame, path, layer="measurements")


def _shape(record: Record) -> Any:
    import shapely

    if not record.points:
        return None
    return (
        shapely.Point(record.points[0])
        if len(record.points) == 1
        else shapely.LineString(record.points)
    )


def as_dxf(records: Sequence[Record], georeference: Georeference) -> bytes:
    """Return measurements as 3D lines with their labels, metres, a layer for each analysis."""
    unit = crs_units(georeference.crs)
    across = unit.horizontal or 1.0
    drawing = Drawing()
    for record in records:
        if not record.points:
            continue
        layer = str(record.request.get("analysis", "")) or "measurements"
        points = np.array(record.points) * [across, across, unit.vertical]
        if len(points) == 1:
            drawing.points.append((layer, points))
        else:
            drawing.lines.append((layer, points))
        text = f"{record.name} {record.label}".strip()
        drawing.texts.append((layer, points.mean(axis=0).tolist(), text))
    return dxf_bytes(drawing)
