"""Measurements for spreadsheets, GIS, CAD and paper, read back with other readers."""

from __future__ import annotations

import io
from pathlib import Path

import ezdxf
import geopandas
import openpyxl
import pytest
from PIL import Image

from plumbline.analysis.runner import run
from plumbline.api import Record, Scene, parse_crs
from plumbline.core.georeference import Georeference
from plumbline_measurement.exports import as_dxf, as_xlsx, write_geopackage
from plumbline_measurement.sheet import record_digest, sheet_pdf

GEOREFERENCE = Georeference.from_text("EPSG:4549")
X, Y = 534_000.123456789, 3_993_000.987654321


@pytest.fixture
def records() -> list[Record]:
    """Return a distance, and a polyline of forty points with a hostile name."""
    scene = Scene(GEOREFERENCE)
    made = []
    asked = {
        "measure.distance": {"start": [X, Y, 5], "end": [X + 30, Y + 40, 5]},
        "measure.polyline": {"points": [[X + n, Y + n % 3, n / 7] for n in range(40)]},
    }
    for n, (analysis, params) in enumerate(asked.items()):
        result = run(analysis, scene, params)
        made.append(
            Record(
                id=f"r{n}",
                name=("街宽 1", "=cmd|'/c calc'!A1")[n],
                request={"analysis": analysis, "version": "1", "params": result.params},
                values={name: v.as_json() for name, v in result.values.items()},
                points=result.points,
                label=("50.00 m", "")[n],
                created="2026-11-20T10:00:00+08:00",
                operator="王工",
                provenance=result.provenance,
            )
        )
    return made


def test_a_workbook_keeps_numbers_as_numbers(records: list[Record]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(as_xlsx(records, GEOREFERENCE)))
    values, points = book.worksheets
    rows = {row[2]: row for row in values.iter_rows(min_row=2, max_row=9, values_only=True)}
    assert rows["distance"][3] == records[0].values["distance"]["value"]
    assert rows["distance"][4:6] == ("m", None)
    assert rows["distance"][6].isoformat() == "2026-11-20T10:00:00"
    assert points.max_row == 1 + 2 + 40
    first = [cell.value for cell in points[2]]
    assert first[:5] == ["街宽 1", 1, X, Y, 5]
    # A formula would be run by whoever opens the file.
    names = {cell.value for cell in values["A"]}
    assert "'=cmd|'/c calc'!A1" in names
    assert all(cell.data_type != "f" for row in values.iter_rows() for cell in row)


def test_a_geopackage_lies_where_it_was_measured(records: list[Record], tmp_path: Path) -> None:
    path = tmp_path / "量测.gpkg"
    write_geopackage(records, GEOREFERENCE, path)
    frame = geopandas.read_file(path)
    assert frame.crs == parse_crs("EPSG:4549")
    assert list(frame.geometry.iloc[0].coords) == [(X, Y, 5), (X + 30, Y + 40, 5)]
    assert frame["distance"].iloc[0] == pytest.approx(50)
    assert frame["operator"].tolist() == ["王工", "王工"]


def test_a_drawing_has_the_lines_in_space(records: list[Record]) -> None:
    drawing = ezdxf.read(io.StringIO(as_dxf(records, GEOREFERENCE).decode()))
    line = drawing.modelspace().query("POLYLINE[layer=='measure.distance']")[0]
    first = next(iter(line.vertices)).dxf.location
    assert (first.x, first.y, first.z) == pytest.approx((X, Y, 5), abs=1e-6)
    assert next(t.dxf.text for t in drawing.modelspace().query("TEXT")) == "街宽 1 50.00 m"


def test_the_sheet_is_one_page_and_the_same_every_time(records: list[Record]) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (1600, 1000), (120, 150, 170)).save(stream, "PNG")
    for record in records:
        pdf = sheet_pdf(record, GEOREFERENCE, stream.getvalue(), {"distance": "距离"})
        assert pdf.startswith(b"%PDF")
        assert pdf.count(b"/Type /Page\n") == 1
        # Latin letters and digits have a font of their own: free Chinese fonts hold none.
        assert b"DejaVuSans" in pdf
        assert pdf == sheet_pdf(record, GEOREFERENCE, stream.getvalue(), {"distance": "距离"})


def test_the_digest_follows_the_measurement_and_not_its_name(records: list[Record]) -> None:
    from dataclasses import replace

    first = records[0]
    assert record_digest(replace(first, name="其他", visible=False)) == record_digest(first)
    moved = replace(first, points=((X, Y, 5.0), (X + 30, Y + 40, 5.001)))
    assert record_digest(moved) != record_digest(first)
