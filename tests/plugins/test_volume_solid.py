"""Volumes of entities: closed forms, a real house against another program, leaks, normals."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
import trimesh
from tests.plugins.volume_scenes import X, Y, add, cloud, mesh, scene, values

from plumbline import api
from plumbline.api import LayerKind, RefusedError, Result, Scene, UsageError, VectorData


def rows(result: Result) -> list[dict[str, Any]]:
    table = result.tables["solids"]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_entities_are_measured_one_by_one() -> None:
    held = scene()
    box = trimesh.creation.box((10, 8, 6)).triangles
    ball = trimesh.creation.icosphere(5, radius=4).triangles + [30, 0, 0]
    ring = trimesh.creation.torus(10, 3, 256, 128).triangles + [0, 60, 0]
    mesh(held, "m", box, ball, ring)
    result = api.run("volume.solid", held, layer="m")
    found = rows(result)
    expected = [480.0, 4 / 3 * math.pi * 64, 2 * math.pi**2 * 10 * 9]
    assert [row["id"] for row in found] == ["0", "1", "2"]
    assert [row["volume"] for row in found] == pytest.approx(expected, rel=1e-3)
    assert found[0]["area"] == pytest.approx(2 * (80 + 60 + 48))
    assert all(row["closed"] and row["method"] == "tetrahedra" for row in found)
    assert values(result)["volume"] == pytest.approx(sum(row["volume"] for row in found))
    one = api.run("volume.solid", held, layer="m", entities=["0"])
    assert values(one)["volume"] == pytest.approx(480.0)


def test_a_real_house_agrees_with_the_reference_and_its_own_quantities(real_data: Path) -> None:
    held = Scene()
    path = real_data / "ifc" / "web-ifc" / "AC20-FZK-Haus.ifc"
    held.add(api.load(path, layer_id="house")[0])
    result = api.run("volume.solid", held, layer="house")
    reference = real_data / "reference" / "ifc_quantities" / "AC20-FZK-Haus.csv"
    with reference.open(encoding="utf-8") as stream:
        known = {row["GlobalId"]: row for row in csv.DictReader(stream)}
    compared, stated = 0, dict.fromkeys(("IfcWall", "IfcSlab", "IfcSpace"), 0)
    for row in rows(result):
        other = known[row["id"]]
        if other["closed"] == "True":
            compared += 1
            assert row["closed"]
            assert row["volume"] == pytest.approx(float(other["mesh_volume_m3"]), rel=0.01)
            assert row["area"] == pytest.approx(float(other["mesh_area_m2"]), rel=0.01)
        for cls in stated:
            if row["class"].startswith(cls) and row["net_in_file"] is not None:
                quantities = [q for q in (row["net_in_file"], row["gross_in_file"]) if q]
                stated[cls] += any(abs(row["volume"] / q - 1) < 0.01 for q in quantities)
    assert compared >= 80
    # The README of the real data: walls 13 of 13, slabs 4 of 4, spaces 7 of 7 within 1 %.
    assert stated == {"IfcWall": 13, "IfcSlab": 4, "IfcSpace": 7}
    assert any("rooms" in text for text in result.warnings)
    total = math.fsum(row["volume"] for row in rows(result) if row["class"] != "IfcSpace")
    assert values(result)["volume"] == pytest.approx(total)


def test_leaks_and_normals_are_said() -> None:
    held = scene()
    box = trimesh.creation.box((4, 4, 4)).triangles
    normal = np.cross(box[:, 1] - box[:, 0], box[:, 2] - box[:, 0])
    ball = trimesh.creation.icosphere(4, radius=3).triangles
    mesh(held, "m", box[:, ::-1], ball[20:] + [20, 0, 0], box[normal[:, 2] <= 0] + [40, 0, 0])
    result = api.run("volume.solid", held, layer="m")
    inwards, holed, open_box = rows(result)
    assert inwards["volume"] == pytest.approx(64.0)
    assert any("point inwards" in text for text in result.warnings)
    assert not holed["closed"]
    assert holed["method"] == "winding number"
    assert holed["volume"] == pytest.approx(4 / 3 * math.pi * 27, rel=0.02)
    assert open_box["leak_area"] == pytest.approx(16.0)
    assert open_box["open_length"] == pytest.approx(16.0)
    assert any("2 solids are not closed" in text for text in result.warnings)
    assert result.values["volume"].uncertainty > 0
    assert result.values["closed"].value == 1


def test_feet_come_out_in_metres() -> None:
    held = scene("EPSG:2994")
    mesh(held, "m", trimesh.creation.box((10, 10, 10)).triangles)
    found = values(api.run("volume.solid", held, layer="m"))
    assert found["volume"] == pytest.approx(1000 * 0.3048**3)
    assert found["area"] == pytest.approx(600 * 0.3048**2)


def test_footprints_with_heights_are_solids() -> None:
    held = scene()
    shapes = [shapely.box(X, Y, X + 10, Y + 5), shapely.Point(X + 30, Y).buffer(4, quad_segs=90)]
    features = geopandas.GeoDataFrame({"h": [6.0, 10.0]}, geometry=shapes, crs="EPSG:4549")
    layer = add(held, "v", LayerKind.VECTOR, VectorData(features))
    with pytest.raises(RefusedError):
        api.run("volume.solid", held, layer="v")
    held.set_style("v", layer.style.model_copy(update={"extrude": "h"}))
    found = rows(api.run("volume.solid", held, layer="v"))
    assert [row["volume"] for row in found] == pytest.approx([300.0, 160 * math.pi], rel=1e-4)


def test_what_holds_no_solids_is_refused() -> None:
    held = scene()
    cloud(held, "c", np.zeros((4, 3)))
    with pytest.raises(RefusedError, match="no solids"):
        api.run("volume.solid", held, layer="c")
    mesh(held, "m", trimesh.creation.box((1, 1, 1)).triangles, np.zeros((1, 3, 3)))
    with pytest.raises(UsageError, match="no entity"):
        api.run("volume.solid", held, layer="m", entities=["tower"])
    flat = api.run("volume.solid", held, layer="m")
    assert any("enclose nothing" in text for text in flat.warnings)
    assert values(flat)["volume"] == pytest.approx(1.0)
