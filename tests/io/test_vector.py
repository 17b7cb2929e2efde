"""Vector files: features, encodings, CRS, repaired rings, heights, several layers."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from tests.io.mesh_files import write

from plumbline.core.data import VectorData
from plumbline.core.errors import CancelledError, InputError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer
from plumbline.io import load, vector
from plumbline.io.writers import write_vector

SQUARE = shapely.box(0, 0, 10, 10)


def one(path: Path, **options: Any) -> tuple[Layer, geopandas.GeoDataFrame]:
    """Load the one layer of a file."""
    (layer,) = load(path, options, digest=False)
    assert isinstance(layer.data, VectorData)
    return layer, layer.data.features


def frame(shapes: Iterable[Any], crs: str | None = "EPSG:4549", **columns: Any) -> Any:
    return geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=crs)


def shapefile(
    folder: Path, names: list[bytes], values: list[bytes], width: int = 20, language: int = 0
) -> Path:
    """Write a Shapefile of points whose DBF texts are exactly these bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "图层.shp"
    frame([shapely.Point(n, 0) for n in range(len(values))], n=range(len(values))).to_file(path)
    for suffix in (".cpg", ".dbf"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    head = struct.pack("<4BIHH17xB2x", 3, 126, 11, 20, len(values), 33 + 32 * len(names),
                       1 + width * len(names), language)  # fmt: skip
    fields = b"".join(struct.pack("<11sc4xBB14x", name, b"C", width, 0) for name in names)
    rows = b"".join(b" " + value.ljust(width) * len(names) for value in values)
    path.with_suffix(".dbf").write_bytes(head + fields + b"\r" + rows + b"\x1a")
    return path


# --- real files -----------------------------------------------------------------------------------


def test_goteborg_buildings(real_data: Path) -> None:
    layer, features = one(real_data / "vector/goteborg/buildings.shp")
    assert layer.counts == {"features": 137}
    assert features.area.sum() == pytest.approx(108_219.668, abs=0.001)
    assert layer.metadata["repaired"] == 2
    assert layer.warnings == ["2 features with invalid rings were repaired."]
    assert features.is_valid.all()
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 3007
    assert "OPERATÖR" in layer.metadata["fields"]
    assert "Rådhuset" in set(features["BYGGNADSNA"])


def test_delft_base_map(real_data: Path) -> None:
    layer, features = one(real_data / "vector/delft_bgt/bgt_pand.sqlite")
    assert layer.counts == {"features": 160}
    assert features.area.sum() == pytest.approx(8_654.035, abs=0.001)
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 28992
    for name in ("begroeidterreindeel", "overbruggingsdeel", "waterdeel", "wegdeel"):
        one(real_data / f"vector/delft_bgt/bgt_{name}.sqlite")


@pytest.mark.parametrize("with_cpg", [True, False])
def test_provinces_in_gbk(real_data: Path, tmp_path: Path, with_cpg: bool) -> None:
    for file in (real_data / "vector/china_derived_gbk_cgcs2000").iterdir():
        if with_cpg or file.suffix != ".cpg":
            shutil.copy(file, tmp_path)
    layer, features = one(tmp_path / "province_gbk.shp")
    assert layer.counts == {"features": 34}
    assert {"山东省", "浙江省", "陕西省"} <= set(features["名称"])
    assert layer.metadata["encoding"] == "gb18030"
    assert layer.metadata["encoding_source"] == ("cpg" if with_cpg else "detected")
    assert "名称" in layer.metadata["encoding_sample"]
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4490


def test_buildings_with_heights(real_data: Path) -> None:
    layer, features = one(real_data / "vector/pybdshadow/bd_demo.json")
    assert layer.counts == {"features": 1_374}
    assert layer.style.extrude == "height"
    assert (features["height"].min(), features["height"].max()) == (3, 96)
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4326


# --- encodings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "encoding", "found"),
    [
        (["用途", "住宅", "结构"], "gbk", "gb18030"),
        (["用途", "住宅", "结构"], "utf-8", "utf-8"),
        (["Straße", "Gärten", "Größe"], "cp1252", "cp1252"),
        (["plain", "text"], "ascii", "utf-8"),
    ],
)
def test_encodings_are_found(tmp_path: Path, texts: list[str], encoding: str, found: str) -> None:
    raw = [text.encode(encoding) for text in texts]
    layer, features = one(shapefile(tmp_path, [raw[0][:10]], raw))
    assert list(features.iloc[:, 0]) == texts
    assert layer.metadata["encoding"] == found


def test_language_byte_of_the_table_decides_between_chinese_scripts(tmp_path: Path) -> None:
    raw = [text.encode("big5") for text in ("臺北市", "圖層", "樓高")]
    layer, features = one(shapefile(tmp_path, [b"name"], raw, language=0x78))
    assert list(features["name"]) == ["臺北市", "圖層", "樓高"]
    assert layer.metadata["encoding_source"] == "dbf"


def test_a_cpg_that_lies_is_reported_and_not_followed(tmp_path: Path) -> None:
    path = shapefile(tmp_path, [b"name"], ["建筑高度".encode("gbk")])
    write(path.with_suffix(".cpg"), "UTF-8")
    layer, features = one(path)
    assert list(features["name"]) == ["建筑高度"]
    assert any("UTF-8" in warning for warning in layer.warnings)


def test_the_user_decides_the_encoding(tmp_path: Path) -> None:
    path = shapefile(tmp_path, [b"name"], ["Größe".encode("cp1252")])
    layer, features = one(path, encoding="latin-1")
    assert list(features["name"]) == ["Größe"]
    assert layer.metadata["encoding_source"] == "option"
    with pytest.raises(UsageError, match="no value for the option encoding"):
        load(path, {"encoding": "klingon"})


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_a_character_cut_by_the_width_of_its_field(tmp_path: Path, encoding: str) -> None:
    long = "青岛市黄岛区长江中路".encode(encoding)
    path = shapefile(tmp_path, [b"name"], [long[:7], "区".encode(encoding)], width=7)
    _, features = one(path)
    assert features["name"].iloc[0] == ("青岛市" if encoding == "gbk" else "青岛")
    assert features["name"].iloc[1] == "区"


# --- geometry -------------------------------------------------------------------------------------


def test_bow_tie_keeps_both_halves(tmp_path: Path) -> None:
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    write_vector(frame([bow_tie, SQUARE], n=[1, 2]), tmp_path / "a.gpkg")
    layer, features = one(tmp_path / "a.gpkg")
    assert layer.metadata["repaired"] == 1
    assert features.area.tolist() == pytest.approx([2, 100])
    assert set(features.geom_type) <= {"Polygon", "MultiPolygon"}


def test_features_without_geometry_are_left_out_and_counted(tmp_path: Path) -> None:
    write_vector(frame([SQUARE, None, shapely.Polygon()], n=[1, 2, 3]), tmp_path / "a.gpkg")
    layer, features = one(tmp_path / "a.gpkg")
    assert layer.counts == {"features": 1}
    assert layer.metadata["without_geometry"] == 2
    assert list(features["n"]) == [1]


def test_heights_are_kept(tmp_path: Path) -> None:
    line = shapely.LineString([(0, 0, 1.25), (1, 0, 2.5)])
    write_vector(frame([line]), tmp_path / "a.gpkg")
    layer, features = one(tmp_path / "a.gpkg")
    assert isinstance(layer.data, VectorData)
    assert layer.data.has_z
    assert shapely.get_coordinates(features.geometry, include_z=True)[:, 2].tolist() == [1.25, 2.5]
    assert layer.bounds is not None
    assert (layer.bounds.zmin, layer.bounds.zmax) == (1.25, 2.5)


def test_heights_that_are_all_zero_are_none(tmp_path: Path) -> None:
    write_vector(frame([shapely.force_3d(SQUARE)]), tmp_path / "a.gpkg")
    layer, features = one(tmp_path / "a.gpkg")
    assert isinstance(layer.data, VectorData)
    assert not layer.data.has_z
    assert not shapely.has_z(features.geometry.iloc[0])


def test_a_repaired_polygon_with_heights_has_no_hole_in_them(tmp_path: Path) -> None:
    bow_tie = shapely.Polygon([(0, 0, 5), (2, 2, 5), (2, 0, 5), (0, 2, 5)])
    write_vector(frame([bow_tie]), tmp_path / "a.gpkg")
    layer, features = one(tmp_path / "a.gpkg")
    assert isinstance(layer.data, VectorData)
    assert layer.data.has_z
    z = shapely.get_coordinates(features.geometry, include_z=True)[:, 2]
    assert z.tolist() == pytest.approx([5.0] * len(z))


@pytest.mark.parametrize(
    ("column", "values", "extruded"),
    [
        ("高度", [12.5], True),
        ("Height", [3], True),
        ("BLDG_HEIGHT", [3.0], True),
        ("height", ["12 m"], False),
        ("weight", [3.0], False),
    ],
)
def test_buildings_are_extruded_by_a_height(
    tmp_path: Path, column: str, values: list[Any], extruded: bool
) -> None:
    write_vector(frame([SQUARE], **{column: values}), tmp_path / "a.gpkg")
    layer, _ = one(tmp_path / "a.gpkg")
    assert layer.style.extrude == (column if extruded else "")


# --- containers and CRS ---------------------------------------------------------------------------


def test_a_geopackage_gives_its_layers_but_not_our_tables(tmp_path: Path) -> None:
    path = tmp_path / "规划 a.gpkg"
    for name in ("parcels", "道路", "plumbline_scene"):
        frame([SQUARE], n=[1]).to_file(path, layer=name, driver="GPKG")
    layers = load(path)
    assert [layer.name for layer in layers] == ["parcels", "道路"]
    assert len({layer.id for layer in layers}) == 2
    assert [layer.source.sublayer for layer in layers if layer.source] == ["parcels", "道路"]
    (again,) = load(path, sublayer="道路", layer_id="roads")
    assert again.id == "roads"
    assert again.source is not None
    assert again.source.sublayer == "道路"
    with pytest.raises(InputError, match="no layer “x”"):
        load(path, sublayer="x")
    with pytest.raises(InputError, match="no layer"):
        load(path, sublayer="plumbline_scene")


def test_ids_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_vector(frame([SQUARE] * 3, n=[1, 2, 3]), path)
    _, features = one(path)
    assert features.index.tolist() == [1, 2, 3]


def cancelled_at(limit: float) -> Feedback:
    """Return a feedback whose user cancels as soon as this much is done."""
    feedback = Feedback(lambda fraction, text: feedback.cancel() if fraction > limit else None)
    return feedback


def test_batches_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [shapely.Point(n, n) for n in range(100)]
    for name, driver in (("a.gpkg", "GPKG"), ("a.shp", "ESRI Shapefile"), ("a.fgb", "FlatGeobuf")):
        frame(shapes, n=range(100)).to_file(tmp_path / name, driver=driver)
        monkeypatch.setattr(vector, "BATCH", 7)
        layer, features = one(tmp_path / name)
        assert layer.counts == {"features": 100}
        assert sorted(features["n"]) == list(range(100))
        assert features.index.is_unique
        with pytest.raises(CancelledError):
            load(tmp_path / name, feedback=cancelled_at(0.4))


def geojson(x: float, y: float, **members: Any) -> str:
    geometry = {"type": "Point", "coordinates": [x, y]}
    feature = {"type": "Feature", "properties": {"名": "点"}, "geometry": geometry}
    return json.dumps({"type": "FeatureCollection", **members, "features": [feature]})


def named(crs: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": crs}}


def test_geojson_is_wgs84_unless_it_says_otherwise(tmp_path: Path) -> None:
    layer, features = one(write(tmp_path / "a.geojson", geojson(120.4, 36.1)))
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4326
    assert layer.metadata["crs_source"] == "RFC 7946"
    assert features.geometry.iloc[0].x == 120.4
    text = geojson(534000, 4003000, crs=named("urn:ogc:def:crs:EPSG::4549"))
    layer, _ = one(write(tmp_path / "b.json", text))
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4549
    assert layer.metadata["crs_source"] == "file"


def test_geojson_in_metres_without_crs_is_not_taken_for_degrees(tmp_path: Path) -> None:
    layer, _ = one(write(tmp_path / "a.geojson", geojson(534000, 4003000)))
    assert layer.crs is None
    assert isinstance(layer.data, VectorData)
    assert layer.data.features.crs is None
    assert len(layer.warnings) == 1


def test_a_file_without_crs_stays_without_one(tmp_path: Path) -> None:
    frame([SQUARE], n=[1]).to_file(tmp_path / "a.shp")
    (tmp_path / "a.prj").unlink()
    layer, _ = one(tmp_path / "a.shp")
    assert layer.crs is None
    (stated,) = load(tmp_path / "a.shp", crs="EPSG:4549")
    assert stated.crs is not None
    assert stated.crs.to_epsg() == 4549
    assert stated.metadata["crs_source"] == "user"
    assert isinstance(stated.data, VectorData)
    assert stated.data.features.crs == stated.crs


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.shp", b"not a shapefile at all, but long enough " * 9, "not what its name says"),
        ("a.gpkg", b"<OGRVRTDataSource></OGRVRTDataSource>" * 3, "not what its name says"),
        ("a.sqlite", b"PK\x03\x04" * 40, "not what its name says"),
        ("a.fgb", b"id,x,y\n1,2,3\n", "not what its name says"),
        ("a.geojson", b"<OGRVRTDataSource></OGRVRTDataSource>", "not what its name says"),
        ("a.json", b'{"type": "Topology", "objects": {}, "arcs": []}', "cannot be read"),
        ("a.json", b'{"type": "gdal_streamed_alg", "command_line": "x"}', "not what its name says"),
        ("a.json", b'{"hello": "world"}', "not what its name says"),
        ("a.json", b'{"type": "FeatureCollection", "features": [', "cut off"),
    ],
)
def test_mislabelled_files_are_refused(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load(write(tmp_path / name, content))
    assert "\n" not in str(caught.value)


def test_a_geopackage_named_sqlite_and_the_reverse(real_data: Path, tmp_path: Path) -> None:
    shutil.copy(real_data / "vector/delft_bgt/bgt_pand.sqlite", tmp_path / "a.gpkg")
    with pytest.raises(InputError):
        load(tmp_path / "a.gpkg")


def test_shapefile_without_its_companions(tmp_path: Path) -> None:
    frame([SQUARE], n=[1]).to_file(tmp_path / "a.shp")
    (tmp_path / "a.dbf").unlink()
    layer, _ = one(tmp_path / "a.shp")
    assert any(".dbf" in warning for warning in layer.warnings)
    (tmp_path / "a.shx").unlink()
    with pytest.raises(InputError, match=r"no \.shx"):
        load(tmp_path / "a.shp")


def test_coordinates_stay_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    corner = rng.uniform(500_000, 600_000, (2_000, 2))
    boxes = shapely.box(corner[:, 0], corner[:, 1], corner[:, 0] + 10, corner[:, 1] + 10)
    write_vector(frame(boxes, 高度=rng.uniform(3, 100, 2_000)), tmp_path / "a.gpkg")
    _, features = one(tmp_path / "a.gpkg")
    assert (shapely.bounds(features.geometry)[:, :2] == corner).all()
