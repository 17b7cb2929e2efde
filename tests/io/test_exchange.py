"""KML, KMZ, GML, DXF and tables with coordinates."""

from __future__ import annotations

import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from pyproj import CRS
from tests.io.mesh_files import write

from plumbline.core.data import VectorData
from plumbline.core.errors import InputError, UsageError
from plumbline.core.layer import Layer
from plumbline.io import load

KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>D</name>
<Folder><name>地块</name>
<Placemark><name>甲</name><ExtendedData><Data name="h"><value>3.5</value></Data></ExtendedData>
<Polygon><outerBoundaryIs><LinearRing><coordinates>
120,30,0 120.1,30,0 120.1,30.1,0 120,30,0</coordinates></LinearRing></outerBoundaryIs></Polygon>
</Placemark></Folder>
<Folder><name>roads</name><Placemark><name>b</name><LineString><coordinates>
120,30,5 121,31,6</coordinates></LineString></Placemark></Folder>
</Document></kml>"""


def features(layer: Layer) -> geopandas.GeoDataFrame:
    assert isinstance(layer.data, VectorData)
    return layer.data.features


def kmz(path: Path, name: str = "doc.kml", text: str = KML) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return path


@pytest.mark.parametrize("name", ["图 a.kml", "图 a.kmz"])
def test_folders_of_kml_are_layers(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path, KML) if path.suffix == ".kml" else kmz(path)
    plots, roads = load(path, digest=False)
    assert [plots.name, roads.name] == ["地块", "roads"]
    assert plots.crs == CRS.from_epsg(4326)
    assert features(plots)["Name"].tolist() == ["甲"]
    assert features(plots)["h"].tolist() == ["3.5"]
    assert "tessellate" not in plots.metadata["fields"]
    assert shapely.get_coordinates(features(roads).geometry, include_z=True).tolist() == [
        [120, 30, 5], [121, 31, 6],
    ]  # fmt: skip
    (only,) = load(path, sublayer="roads", digest=False)
    assert only.counts == {"features": 1}


def gml(path: Path) -> Path:
    boxes = [shapely.box(n, 0, n + 1, 2) for n in range(3)]
    frame = geopandas.GeoDataFrame({"名": ["甲", "乙", "丙"]}, geometry=boxes, crs=32651)
    frame.to_file(path, driver="GML")
    path.with_suffix(".xsd").unlink()
    return path


def test_gml_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    path = gml(tmp_path / "a.gml")
    (layer,) = load(path, digest=False)
    assert layer.counts == {"features": 3}
    assert layer.crs == CRS.from_epsg(32651)
    assert features(layer)["名"].tolist() == ["甲", "乙", "丙"]
    assert features(layer).geometry.area.tolist() == [2, 2, 2]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".kml", ".gml", ".kmz"])
def test_xml_that_declares_entities_or_is_cut_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    raw = gml(path).read_bytes() if suffix == ".gml" else KML.encode()
    if suffix == ".kmz":
        raw = kmz(path).read_bytes()
    else:
        head, _, rest = raw.partition(b"?>")
        bomb = head + b'?><!DOCTYPE a [<!ENTITY b "c">]>' + rest
        with pytest.raises(InputError, match="declares entities"):
            load(write(path, bomb), digest=False)
        with pytest.raises(InputError, match="is no"):
            load(write(path, b"<html></html>"), digest=False)
    for n in range(1, 20):
        with pytest.raises(InputError) as caught:
            load(write(path, raw[: len(raw) * n // 20]), digest=False)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)


def test_a_kmz_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.io.exchange._MAX_UNPACKED", 1000)
    path = kmz(tmp_path / "a.kmz", text=KML + " " * 5000)
    with pytest.raises(InputError, match="more memory"):
        load(path, digest=False)
    with pytest.raises(InputError, match="no KMZ file"):
        load(kmz(tmp_path / "b.kmz", "picture.png", "x"), digest=False)


def dxf(units: int = 6) -> str:
    """Return a drawing: a wall, a text, and a door block that is inserted twice."""
    pairs: list[tuple[int, object]] = [
        (0, "SECTION"), (2, "HEADER"), (9, "$ACADVER"), (1, "AC1015"),
        (9, "$DWGCODEPAGE"), (3, "ANSI_936"), (9, "$INSUNITS"), (70, units), (0, "ENDSEC"),
        (0, "SECTION"), (2, "BLOCKS"),
        (0, "BLOCK"), (8, "0"), (2, "DOOR"), (70, 0), (10, 0), (20, 0), (30, 0),
        (0, "LINE"), (8, "0"), (10, 0), (20, 0), (30, 0), (11, 1), (21, 0), (31, 0),
        (0, "ENDBLK"), (8, "0"), (0, "ENDSEC"),
        (0, "SECTION"), (2, "ENTITIES"),
        (0, "LINE"), (8, "墙"), (10, 0), (20, 0), (30, 0), (11, 10), (21, 0), (31, 0),
        (0, "TEXT"), (8, "注记"), (10, 5), (20, 5), (30, 0), (40, 1), (1, "三层住宅"),
        (0, "INSERT"), (8, "门"), (2, "DOOR"), (10, 100), (20, 0), (30, 0),
        (0, "INSERT"), (8, "门"), (2, "DOOR"), (10, 200), (20, 0), (30, 0), (41, 2),
        (0, "ENDSEC"), (0, "EOF"),
    ]  # fmt: skip
    return "".join(f"{code:3}\n{value}\n" for code, value in pairs)


def test_a_drawing_with_layers_texts_and_blocks(tmp_path: Path) -> None:
    (layer,) = load(write(tmp_path / "图.dxf", dxf().encode("gbk")), digest=False)
    frame = features(layer)
    assert layer.metadata["cad_layers"] == {"墙": 1, "注记": 1, "门": 2}
    assert frame.loc[frame["Layer"] == "注记", "Text"].tolist() == ["三层住宅"]
    doors = frame[frame["Layer"] == "门"].geometry.bounds[["minx", "maxx"]].to_numpy()
    assert doors.tolist() == [[100, 101], [200, 202]]
    assert layer.crs is None
    assert layer.metadata["units"] == "m"
    assert not layer.warnings


def test_the_unit_of_a_drawing_is_said_and_the_user_decides(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dxf", dxf(4).encode("gbk"))
    (layer,) = load(path, digest=False)
    assert any("scale=0.001" in warning for warning in layer.warnings)
    (scaled,) = load(path, {"scale": "0.001"}, digest=False)
    assert not scaled.warnings
    assert features(scaled).total_bounds == pytest.approx(features(layer).total_bounds / 1000)
    with pytest.raises(UsageError, match="positive"):
        load(path, {"scale": "-1"}, digest=False)


def test_drawings_that_cannot_be_read(tmp_path: Path) -> None:
    raw = dxf().encode("gbk")
    path = tmp_path / "a.dxf"
    for n in range(1, 20):
        with pytest.raises(InputError):
            load(write(path, raw[: len(raw) * n // 20]), digest=False)
    with pytest.raises(InputError, match="binary DXF"):
        load(write(path, b"AutoCAD Binary DXF\r\n\x1a\0" + raw), digest=False)
    with pytest.raises(InputError, match="ODA File Converter"):
        load(write(tmp_path / "a.dwg", b"AC1032"), digest=False)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("name,x,y\n甲,1,2\n乙,3,4\n", "x,y"),
        ("名称;经度;纬度;高程\n甲;1;2;7.5\n乙;3;4;8\n", "经度,纬度,高程"),
        ("N\tE\tn2\n2\t1\ta\n4\t3\tb\n", "E,N"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_table_becomes_points(tmp_path: Path, text: str, columns: str, encoding: str) -> None:
    (layer,) = load(write(tmp_path / "点 位.csv", text.encode(encoding)), digest=False)
    frame = features(layer)
    assert shapely.get_coordinates(frame.geometry).tolist() == [[1, 2], [3, 4]]
    assert layer.metadata["columns"] == columns
    assert layer.crs is None
    assert isinstance(layer.data, VectorData)
    assert layer.data.has_z == ("高程" in columns)
    if "甲" in text:
        assert frame.iloc[:, 0].tolist() == ["甲", "乙"]


def test_the_user_names_the_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,y,h,geometry\n4000000,500000,9,p\n4000001,bad,9,q\n")
    (layer,) = load(path, {"x": "y", "y": "x", "z": "h"}, crs="EPSG:4549", digest=False)
    assert layer.crs == CRS.from_epsg(4549)
    points = shapely.get_coordinates(features(layer).geometry, include_z=True)
    assert points.tolist() == [[500_000, 4_000_000, 9]]
    assert features(layer)["geometry_text"].tolist() == ["p"]
    assert any("1 features without geometry" in warning for warning in layer.warnings)
    with pytest.raises(UsageError, match="no column “q”"):
        load(path, {"x": "q"}, digest=False)


@pytest.mark.parametrize(
    ("raw", "error", "words"),
    [
        (b"a,b\n1,2\n", InputError, "which of its columns is x"),
        (b"x,y\n1,2,3\n", InputError, "longer than its first line"),
        (b"x,y\n1,2\n1,2,3,4\n", InputError, "cannot be read"),
        (b"x,y\na,b\n", InputError, "no row has coordinates"),
        (b"no table at all\n", InputError, "no CSV"),
        (b"PK\x03\x04\0\0\0", InputError, "no CSV"),
        (b'x,y\n1,"2\n', InputError, "cannot be read"),
    ],
)
def test_tables_that_are_none(
    tmp_path: Path, raw: bytes, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        load(write(tmp_path / "a.csv", raw), digest=False)


def test_a_real_drawing(real_data: Path) -> None:
    (layer,) = load(real_data / "vector/dxf/floorplan.dxf", digest=False)
    assert layer.counts == {"features": 1_575}
    assert layer.crs is None
    assert sum(layer.metadata["cad_layers"].values()) == 1_575
    assert "A-NOTE" in layer.metadata["cad_layers"]
    texts = features(layer)["Text"].dropna()
    assert len(texts) > 80
    assert np.isfinite(features(layer).total_bounds).all()
