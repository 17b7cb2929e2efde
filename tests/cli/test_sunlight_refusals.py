"""Sunlight that cannot be computed is refused with a clear sentence, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pytest
import trimesh

from plumbline.api import SunlightPack, load_pack

X, Y = 534_000.0, 3_994_000.0
CRS = ("--crs", "EPSG:4549")
HERE = f"receivers=[[{X},{Y},1]]"
WINDOW = json.dumps([{"id": "w", "point": [X, Y, 1.0], "width": 1.5, "azimuth": 180.0}])


@pytest.fixture
def layers(tmp_path: Path) -> dict[str, Path]:
    """Return a building of 20 m around a place, and a layer of windows that has none."""
    house = trimesh.creation.box((20, 20, 20))
    house.apply_translation((X, Y, 5))
    none = geopandas.GeoDataFrame({"width": []}, geometry=[], crs="EPSG:4549")
    paths = {"house": tmp_path / "house.obj", "none": tmp_path / "none.gpkg"}
    paths["house"].write_text(house.export(file_type="obj", digits=3))
    none.to_file(paths["none"], geometry_type="Point")
    return paths


def broken(tmp_path: Path, **values: Any) -> str:
    """Return the path of a pack in which values are other ones; None takes one away."""
    raw = load_pack("gb50180-2018", SunlightPack).model_dump(mode="json")
    for name, value in values.items():
        if value is None:
            del raw["calculation"][name]
        else:
            raw["calculation"][name]["value"] = value
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return str(path)


def refused(cli: Any, tmp_path: Path, *arguments: str) -> str:
    """Run; return what it said, having left nothing behind."""
    before = {path.name for path in tmp_path.iterdir()}
    done = cli("run", *arguments, "--out", tmp_path / "out", "--json")
    assert done.code in (2, 3, 4)
    assert "Traceback" not in done.err
    assert {path.name for path in tmp_path.iterdir()} == before
    said: str = done.err
    return said


def test_the_polar_night(cli: Any, tmp_path: Path) -> None:
    arctic = ("--crs", "EPSG:32633", "-p", "receivers=[[500000,8000000,0]]")
    said = refused(cli, tmp_path, "sunlight.hours", *arctic, "-p", "day=2001-12-21")
    assert "does not rise high enough" in said


def test_a_date_outside_the_ephemeris(cli: Any, tmp_path: Path) -> None:
    said = refused(cli, tmp_path, "sunlight.hours", *CRS, "-p", HERE, "-p", "day=3500-01-20")
    assert "outside the ephemeris" in said


def test_a_receiver_inside_a_building(cli: Any, tmp_path: Path, layers: dict[str, Path]) -> None:
    asked = ("-p", HERE, "-p", "day=2001-01-20", "-p", 'obstacles=["house"]')
    house = f"house={layers['house']}"
    said = refused(cli, tmp_path, "sunlight.hours", "--layer", house, *CRS, *asked)
    assert "inside" in said


def test_no_coordinate_reference_system(cli: Any, tmp_path: Path) -> None:
    for analysis, asked in (
        ("sunlight.hours", (HERE, "day=2001-01-20")),
        ("sunlight.position", ("time=2001-01-20T12:00",)),
    ):
        given = [word for one in asked for word in ("-p", one)]
        assert "coordinate reference system" in refused(cli, tmp_path, analysis, *given)


def test_no_window(cli: Any, tmp_path: Path, layers: dict[str, Path]) -> None:
    given = [word for id_, path in layers.items() for word in ("--layer", f"{id_}={path}")]
    asked = ("-p", 'windows=["none"]', "-p", 'obstacles=["house"]', "-p", "pack=beijing")
    said = refused(cli, tmp_path, "sunlight.windows", *given, *CRS, *asked)
    assert "No window" in said


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"clock": None}, "calculation.clock: This is required"),
        ({"clock": "civil"}, "calculation.meridian: the civil clock needs"),
        ({"least_altitude": 95.0}, "calculation.least_altitude"),
        ({"band": {"great_cold": [16.0, 8.0]}}, "calculation.band"),
    ],
)
@pytest.mark.parametrize("analysis", ["sunlight.windows", "sunlight.hours"])
def test_a_pack_with_a_missing_or_contradictory_value(
    cli: Any, tmp_path: Path, layers: dict[str, Path], analysis: str, values: Any, named: str
) -> None:
    asked = ["-p", f"pack={broken(tmp_path, **values)}", "-p", "use=renewal"]
    if analysis == "sunlight.windows":
        asked += ["-p", f"windows={WINDOW}", "-p", 'obstacles=["house"]']
    else:
        asked += ["-p", HERE, "-p", "day=2001-01-20"]
    house = f"house={layers['house']}"
    assert named in refused(cli, tmp_path, analysis, "--layer", house, *CRS, *asked)
