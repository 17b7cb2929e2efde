"""FBX, COLLADA, 3DS, IFCZIP, ASC, IMG, MBTiles, GeoPackage tiles, and tables joined by key."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import openpyxl
import pytest
import rasterio
import rasterio.shutil
import shapely
from tests.io.mesh_files import write

from plumbline.core.data import BimData, MeshData, RasterData, VectorData
from plumbline.core.errors import InputError, UsageError
from plumbline.io import load
from plumbline.io.raster import read_grid, read_image

# -- meshes through the import library -----------------------------------------------------------

DAE = """<?xml version="1.0" encoding="utf-8"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit name="centimeter" meter="0.01"/><up_axis>{up}</up_axis></asset>
<library_images><image id="i"><init_from>wall.png</init_from></image></library_images>
<library_effects><effect id="e"><profile_COMMON><technique sid="t"><lambert>
<diffuse><color>0.8 0.2 0.1 1</color></diffuse></lambert></technique></profile_COMMON></effect>
</library_effects>
<library_materials><material id="m" name="砖"><instance_effect url="#e"/></material>
</library_materials>
<library_geometries><geometry id="g" name="g"><mesh>
<source id="p"><float_array id="pa" count="9">0 0 0 300 0 0 0 400 0</float_array><technique_common>
<accessor source="#pa" count="3" stride="3"><param name="X" type="float"/><param name="Y"
 type="float"/><param name="Z" type="float"/></accessor></technique_common></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
<triangles count="1" material="m"><input semantic="VERTEX" source="#v" offset="0"/>
<p>0 1 2</p></triangles></mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="s">
<node id="东墙" name="东墙"><translate>1000 0 0</translate><instance_geometry url="#g">
<bind_material><technique_common><instance_material symbol="m" target="#m"/></technique_common>
</bind_material></instance_geometry></node>
<node id="西墙" name="西墙"><instance_geometry url="#g"/></node>
</visual_scene></library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>
"""


@pytest.mark.parametrize("up", ["Z_UP", "Y_UP"])
def test_collada_with_its_unit_axis_nodes_and_colours(tmp_path: Path, up: str) -> None:
    (layer,) = load(write(tmp_path / "模 型.dae", DAE.format(up=up)))
    data = layer.data
    assert isinstance(data, MeshData)
    assert layer.metadata["format"] == "COLLADA"
    assert [e.name for e in data.elements] == ["东墙", "西墙"]
    west = data.vertices[data.triangles[data.element_index == 1].ravel()]
    # 3 m by 4 m: level where z is up, upright where y is up.
    assert np.ptp(west, axis=0) == pytest.approx([3, 4, 0] if up == "Z_UP" else [3, 0, 4], abs=1e-5)
    east = data.vertices[data.triangles[data.element_index == 0].ravel()]
    assert east.min(axis=0)[0] == pytest.approx(10, abs=1e-5)
    assert data.materials[0].color[:3] == pytest.approx((0.8, 0.2, 0.1), abs=1e-3)


def chunk(kind: int, content: bytes) -> bytes:
    return struct.pack("<HI", kind, 6 + len(content)) + content


def make_3ds() -> bytes:
    points = struct.pack("<H", 3) + struct.pack("<9f", 0, 0, 0, 3, 0, 0, 0, 0, 4)
    faces = struct.pack("<H", 1) + struct.pack("<4H", 0, 1, 2, 7)
    mesh = chunk(0x4100, chunk(0x4110, points) + chunk(0x4120, faces))
    return chunk(0x4D4D, chunk(0x3D3D, chunk(0x4000, b"wall\0" + mesh)))


def test_3ds_is_z_up(tmp_path: Path) -> None:
    (layer,) = load(write(tmp_path / "a.3ds", make_3ds()))
    assert layer.counts["triangles"] == 1
    assert np.ptp(layer.data.vertices, axis=0) == pytest.approx([3, 0, 4])  # type: ignore[union-attr]


FBX = """; FBX 7.4.0 project file
FBXHeaderExtension:  {
\tFBXHeaderVersion: 1003
\tFBXVersion: 7400
}
GlobalSettings:  {
\tVersion: 1000
\tProperties70:  {
\t\tP: "UpAxis", "int", "Integer", "",1
\t\tP: "UnitScaleFactor", "double", "Number", "",100
\t}
}
Objects:  {
\tGeometry: 1, "Geometry::wall", "Mesh" {
\t\tVertices: *9 {
\t\t\ta: 0,0,0,3,0,0,0,4,0
\t\t}
\t\tPolygonVertexIndex: *3 {
\t\t\ta: 0,1,-3
\t\t}
\t\tGeometryVersion: 124
\t}
\tModel: 2, "Model::wall", "Mesh" {
\t\tVersion: 232
\t}
}
Connections:  {
\tC: "OO",2,0
\tC: "OO",1,2
}
"""


def test_fbx_in_metres(tmp_path: Path) -> None:
    (layer,) = load(write(tmp_path / "a.fbx", FBX))
    size = np.ptp(layer.data.vertices, axis=0)  # type: ignore[union-attr]
    assert layer.counts["triangles"] == 1
    assert size / size.max() == pytest.approx([0.75, 0, 1])
    (scaled,) = load(tmp_path / "a.fbx", {"scale": 4 / size.max()})
    assert np.ptp(scaled.data.vertices, axis=0) == pytest.approx([3, 0, 4])  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["a.fbx", "a.dae", "a.3ds"])
@pytest.mark.parametrize("raw", [b"nothing of the kind", b"<COLLADA>", b"MM\xff\xff\xff\xff"])
def test_damaged_models_are_refused(tmp_path: Path, name: str, raw: bytes) -> None:
    with pytest.raises(InputError):
        load(write(tmp_path / name, raw))


# -- IFCZIP --------------------------------------------------------------------------------------


def test_a_zipped_house_is_the_house(real_data: Path, tmp_path: Path) -> None:
    house = real_data / "ifc/pcert_sample_scene/Building-Structural.ifc"
    path = tmp_path / "楼.ifczip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(house, "../../楼.ifc")
    (layer,), (plain,) = load(path), load(house)
    assert isinstance(layer.data, BimData)
    assert layer.counts == plain.counts
    assert layer.crs == plain.crs
    assert layer.source is not None
    assert layer.source.path == path


@pytest.mark.parametrize("held", [{}, {"a.ifc": b"x", "b.ifc": b"x"}, {"a.ifc": b"\0" * 5_000_000}])
def test_archives_that_hold_none_or_too_much(tmp_path: Path, held: dict[str, bytes]) -> None:
    path = tmp_path / "a.ifczip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "")
        for name, raw in held.items():
            archive.writestr(name, raw)
    with pytest.raises(InputError):
        load(path)


# -- rasters -------------------------------------------------------------------------------------

HEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4) + 0.5


@pytest.mark.parametrize(("name", "driver"), [("a.asc", "AAIGrid"), ("a.img", "HFA")])
def test_grids_of_other_programs(tmp_path: Path, name: str, driver: str) -> None:
    path = tmp_path / name
    source = tmp_path / "source.tif"
    with rasterio.open(
        source, "w", driver="GTiff", width=4, height=3, count=1, dtype="float32", crs="EPSG:4549",
        transform=rasterio.Affine(2, 0, 500000, 0, -2, 4000006), nodata=-9999,
    ) as target:  # fmt: skip
        target.write(HEIGHTS, 1)
    rasterio.shutil.copy(source, path, driver=driver)
    (layer,) = load(path)
    data = layer.data
    assert isinstance(data, RasterData)
    assert data.role == "terrain"
    heights, transform = read_grid(data)
    assert heights == pytest.approx(HEIGHTS)
    assert transform == (2, 0, 500000, 0, -2, 4000006)
    assert layer.metadata["format"] == name[2:].upper()


@pytest.mark.parametrize(("name", "driver"), [("a.mbtiles", "MBTiles"), ("a.gpkg", "GPKG")])
def test_base_maps_as_tiles(tmp_path: Path, name: str, driver: str) -> None:
    path = tmp_path / name
    picture = np.zeros((3, 256, 256), np.uint8)
    picture[0] = 200
    with rasterio.open(
        path, "w", driver=driver, width=256, height=256, count=3, dtype="uint8", crs="EPSG:3857",
        transform=rasterio.Affine(4.77731426794937, 0, 13368838.5, 0, -4.77731426794937, 4320000),
    ) as target:  # fmt: skip
        target.write(picture)
    (layer,) = load(path)
    data = layer.data
    assert isinstance(data, RasterData)
    assert data.role == "imagery"
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 3857
    image, _ = read_image(data, 100_000)
    middle = image[image.shape[0] // 2, image.shape[1] // 2]
    assert middle[0] == pytest.approx(200, abs=8)
    assert middle[1] < 20


@pytest.mark.parametrize("name", ["a.asc", "a.img", "a.mbtiles"])
def test_rasters_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        load(write(tmp_path / name, "<VRTDataset/>"))


# -- tables --------------------------------------------------------------------------------------


@pytest.fixture
def parcels(tmp_path: Path) -> Path:
    path = tmp_path / "地块.geojson"
    shapes = [shapely.box(n, 0, n + 1, 1) for n in range(4)]
    frame = geopandas.GeoDataFrame({"编号": [1, 2, 3, 7], "用途": list("abcd")}, geometry=shapes)
    frame.set_crs(4326).to_file(path)
    return path


def make_xlsx(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["编号", "容积率", "用途"], [2, 1.8, "住宅"], [1, 2.5, "商业"], ["7", 0.9, "绿地"]):
        book.active.append(row)
    book.save(path)


def make_csv(path: Path) -> None:
    text = "编号,容积率,用途\n2,1.8,住宅\n1,2.5,商业\n7,0.9,绿地\n"
    path.write_bytes(text.encode("gbk"))


@pytest.mark.parametrize(("name", "make"), [("指标.xlsx", make_xlsx), ("指标.csv", make_csv)])
def test_a_table_is_joined_by_key(parcels: Path, name: str, make: object) -> None:
    make(parcels.parent / name)  # type: ignore[operator]
    (layer,) = load(parcels, {"table": name, "key": "编号"})
    assert isinstance(layer.data, VectorData)
    frame = layer.data.features
    assert frame["容积率"].tolist()[:2] == [2.5, 1.8]
    assert frame["容积率"].tolist()[3] == 0.9
    assert frame["用途"].tolist() == list("abcd")
    assert frame["用途_指标"].tolist()[0] == "商业"
    assert any("1 features have no row" in warning for warning in layer.warnings)
    assert layer.source is not None
    assert layer.source.options == {"table": name, "key": "编号"}


@pytest.mark.parametrize(
    "options",
    [
        {"table": "../指标.csv"},
        {"table": "指标.csv", "key": "没有"},
        {"table": "指标.csv", "key": "编号=没有"},
    ],
)
def test_joins_that_cannot_be_are_refused(parcels: Path, options: dict[str, str]) -> None:
    make_csv(parcels.parent / "指标.csv")
    with pytest.raises(UsageError):
        load(parcels, options)


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04broken", b"\xff\xfe\x00"])
def test_tables_that_are_none_are_refused(parcels: Path, raw: bytes) -> None:
    (parcels.parent / "a.xlsx").write_bytes(raw)
    with pytest.raises(InputError):
        load(parcels, {"table": "a.xlsx"})
    with pytest.raises(InputError):
        load(parcels, {"table": "gone.csv"})
