"""Every file of the district opens in the library that users would open it with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline.core.errors import InputError
from plumbline.demo import DemoDistrict, load


def test_every_layer_is_there(district: DemoDistrict) -> None:
    assert len({layer.id for layer in district.layers}) == len(district.layers) >= 14
    for layer in district.layers:
        assert (district.folder / layer.path).stat().st_size > 200, layer.id
        assert layer.group in district.groups
    for viewpoint in district.viewpoints:
        for x, y, z in (viewpoint.position, viewpoint.focal_point):
            assert district.bounds[0] - 500 < x < district.bounds[2] + 500
            assert district.bounds[1] - 500 < y < district.bounds[3] + 500
            assert -1 < z < 600


def test_styles_are_styles(district: DemoDistrict) -> None:
    from plumbline.core.layer import LayerStyle

    for layer in district.layers:
        LayerStyle(**layer.style)


def test_orthophoto(district: DemoDistrict) -> None:
    import rasterio

    with rasterio.open(district.folder / "orthophoto.tif") as data:
        assert (data.count, data.width, data.height) == (3, 4800, 4000)
        assert data.crs.to_epsg() == 4549
        assert data.overviews(1) == [2, 4, 8]
        with rasterio.open(district.folder / "terrain.tif") as terrain:
            assert data.bounds == terrain.bounds
        sea = data.read(window=((3700, 3900), (2400, 2800))).mean(axis=(1, 2))
    assert sea[2] > sea[0]  # the sea is blue


def test_photogrammetry_is_one_skin(district: DemoDistrict, truth: dict[str, Any]) -> None:
    import trimesh

    folder = district.folder / "photogrammetry"
    text = (folder / "metadata.xml").read_text(encoding="utf-8")
    assert "<SRS>EPSG:4549</SRS>" in text
    origin = [float(k) for k in re.search(r"<SRSOrigin>(.*)</SRSOrigin>", text)[1].split(",")]  # type: ignore[index]
    vertices, faces = geometry(folder / "photogrammetry.obj")
    assert 100_000 < len(faces) <= 250_000
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.body_count == 1
    assert mesh.is_winding_consistent
    names = re.findall(r"map_Kd (\S+)", (folder / "photogrammetry.mtl").read_text(encoding="utf-8"))
    assert 2 <= len(names) <= 5
    assert all((folder / name).is_file() for name in names)
    assert vertices[:, :2].min() > -1
    assert origin[0] == pytest.approx(district.bounds[0] + 232)
    check_roofs(district, truth, vertices + origin)


def check_roofs(district: DemoDistrict, truth: dict[str, Any], points: Any) -> None:
    """Flat roofs of the mesh lie at their true height within its noise."""
    import geopandas
    import shapely

    table = geopandas.read_file(district.folder / "buildings.gpkg", layer="buildings").set_index(
        "编号"
    )
    low, high = points.min(axis=0), points.max(axis=0)
    checked = 0
    for row in truth["buildings"]:
        inner = table.loc[row["id"]].geometry.buffer(-1.6)
        x0, y0, x1, y1 = inner.bounds if not inner.is_empty else (0, 0, 0, 0)
        if row["roof"] != "flat" or x0 < low[0] or y0 < low[1] or x1 > high[0] or y1 > high[1]:
            continue
        own = points[shapely.contains_xy(inner, points[:, 0], points[:, 1])]
        assert np.median(own[:, 2]) == pytest.approx(row["base"] + row["eaves_height"], abs=0.03)
        checked += 1
    assert checked >= 5


def geometry(path: Path) -> tuple[Any, Any]:
    """Return vertices and triangles of an OBJ file."""
    vertices, faces = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(k) for k in rest.split()])
        elif kind == "f":
            faces.append([int(k.split("/")[0]) - 1 for k in rest.split()])
    return np.array(vertices), np.array(faces)


@pytest.mark.parametrize("letter", ["A", "B"])
def test_scheme(district: DemoDistrict, truth: dict[str, Any], letter: str) -> None:
    """Geometry, quantities and place of a scheme as ifcopenshell sees them."""
    import ifcopenshell
    import ifcopenshell.geom
    import ifcopenshell.util.element as element
    import ifcopenshell.util.geolocation as geolocation

    model = ifcopenshell.open(str(district.folder / f"scheme_{letter}.ifc"))
    own = truth["schemes"][letter]
    buildings = {b.Name: b for b in model.by_type("IfcBuilding")}
    assert set(buildings) == {b["name"] for b in own["buildings"]}
    assert len(model.by_type("IfcWindow")) == sum(b["windows"] for b in own["buildings"])
    assert len(model.by_type("IfcBuildingStorey")) == sum(b["storeys"] for b in own["buildings"])
    floor = sum(
        element.get_pset(s, "Qto_SpaceBaseQuantities", "GrossFloorArea")
        for s in model.by_type("IfcSpace")
    )
    assert floor == pytest.approx(own["floor_area"])
    assert own["far"] == pytest.approx(own["floor_area"] / own["site_area"], abs=1e-6)
    assert model.by_type("IfcProjectedCRS")[0].Name == "EPSG:4549"
    settings = ifcopenshell.geom.settings()
    settings.set("use-world-coords", True)
    for row in own["buildings"]:
        roof = next(
            s
            for storey in element.get_decomposition(buildings[row["name"]])
            if storey.is_a("IfcSlab") and storey.PredefinedType == "ROOF"
            for s in [storey]
        )
        shape = ifcopenshell.geom.create_shape(settings, roof)
        points = np.array(shape.geometry.verts).reshape(-1, 3)
        placed = np.array([geolocation.auto_xyz2enh(model, *p) for p in points])
        assert placed[:, 2].max() == pytest.approx(row["base"] + row["height"], abs=1e-3)
        centre = (placed[:, :2].min(axis=0) + placed[:, :2].max(axis=0)) / 2
        assert centre == pytest.approx(row["centre"], abs=2e-3)


@pytest.mark.parametrize("letter", ["A", "B"])
def test_scheme_quantities_are_those_of_the_geometry(district: DemoDistrict, letter: str) -> None:
    import ifcopenshell
    import ifcopenshell.geom
    import ifcopenshell.util.element as element
    import ifcopenshell.util.shape as shapes

    model = ifcopenshell.open(str(district.folder / f"scheme_{letter}.ifc"))
    settings = ifcopenshell.geom.settings()
    for kind, qto, name in (
        ("IfcWall", "Qto_WallBaseQuantities", "NetVolume"),
        ("IfcSlab", "Qto_SlabBaseQuantities", "NetVolume"),
        ("IfcSpace", "Qto_SpaceBaseQuantities", "NetVolume"),
    ):
        for product in model.by_type(kind)[:40]:
            shape = ifcopenshell.geom.create_shape(settings, product)
            stated = element.get_pset(product, qto, name)
            assert shapes.get_volume(shape.geometry) == pytest.approx(stated, rel=1e-6)


def test_a_folder_without_a_district_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no readable demo district"):
        load(tmp_path)
    (tmp_path / "demo.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="no readable demo district"):
        load(tmp_path)
