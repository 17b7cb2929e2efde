"""Kept measurements as CSV and GeoJSON."""

import csv
import io
import json
from dataclasses import replace

import pytest

from plumbline import api
from plumbline.api import Georeference, Record, Scene, Value
from plumbline_measurement.records import as_csv, as_geojson, measurements

GAUSS_KRUGER = Georeference.from_text("EPSG:4549")


def record(name: str = "街宽 width", analysis: str = "measure.distance") -> Record:
    return Record(
        id="r1",
        name=name,
        request={"analysis": analysis, "params": {}},
        values={
            "distance": Value(12.345678901234567, "m").as_json(),
            "azimuth_true": Value(None, "°").as_json(),
        },
        points=((534_200.0, 3_993_400.0, 5.0), (534_212.0, 3_993_400.0, 7.0)),
        created="2026-11-20T10:00:00+08:00",
        operator="林悦",
    )


def test_only_measurements_are_listed() -> None:
    assert measurements([record(), record(analysis="sunlight.hours")]) == [record()]


def test_csv_keeps_every_digit_and_says_units() -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv([record()], GAUSS_KRUGER)))
    assert float(row["distance [m]"]) == 12.345678901234567
    assert row["azimuth_true [°]"] == ""
    assert row["points"] == "534200.0 3993400.0 5.0; 534212.0 3993400.0 7.0"
    assert (row["name"], row["crs"], row["operator"]) == ("街宽 width", "EPSG:4549", "林悦")


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@sum", "\tx"])
def test_a_spreadsheet_runs_no_name_as_a_formula(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv([record(name)], GAUSS_KRUGER)))
    assert row["name"] == f"'{name}"


def test_geojson_is_in_longitude_and_latitude() -> None:
    document = json.loads(as_geojson([record()], GAUSS_KRUGER))
    (feature,) = document["features"]
    lon, lat, height = feature["geometry"]["coordinates"][0]
    assert (lon, lat) == pytest.approx((120.38, 36.07), abs=0.01)
    assert height == 5.0
    assert feature["properties"]["points"][0] == [534_200.0, 3_993_400.0, 5.0]
    assert feature["properties"]["units"]["distance"] == "m"
    # Back in the project CRS it is the place that was measured.
    back = api.transformer(api.parse_crs("EPSG:4326"), GAUSS_KRUGER.crs)
    assert back.transform(lon, lat) == pytest.approx((534_200.0, 3_993_400.0), abs=1e-3)


def test_without_a_crs_the_plane_s_own_coordinates_are_written() -> None:
    (feature,) = json.loads(as_geojson([record()], Scene().georeference))["features"]
    assert feature["geometry"]["coordinates"][0] == [534_200.0, 3_993_400.0, 5.0]
    assert feature["properties"]["crs"] is None


def test_the_source_of_the_points_goes_with_them() -> None:
    """Layers, snaps, spacing and uncertainty are in the record, and in CSV and GeoJSON."""
    picked = [{"layer": "als", "snap": "point"}, {"layer": "tower", "snap": "vertex"}]
    inputs = [
        {"id": "als", "lod": None, "resolution": 0.25},
        {"id": "tower", "lod": "2.2", "resolution": None},
    ]
    one = replace(
        record(),
        request={"analysis": "measure.distance", "params": {"picked": picked}},
        values={"distance": Value(12.5, "m", 0.2).as_json()},
        provenance={"inputs": inputs},
    )
    (row,) = csv.DictReader(io.StringIO(as_csv([one], GAUSS_KRUGER)))
    assert (row["layers"], row["snaps"]) == ("als; tower", "point; vertex")
    assert row["fineness"] == "0.250 m; 2.2"
    assert float(row["distance ± [m]"]) == 0.2
    (feature,) = json.loads(as_geojson([one], GAUSS_KRUGER))["features"]
    assert feature["properties"]["picked"] == picked
    assert feature["properties"]["uncertainties"] == {"distance": 0.2}
    assert feature["properties"]["fineness"] == ["0.250 m", "2.2"]
