"""What loaders decided and why is told in words: on the layer's page and by ``plumbline info``."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pytest
import shapely
from ifc_text import House

from plumbline.core.decisions import Decision, decisions
from plumbline.io import load
from plumbline.io.info import describe


def told(path: Path, **options: object) -> dict[str, Decision]:
    layer = load(path, **options)[0]  # type: ignore[arg-type]
    return {one.what: one for one in decisions(layer)}


def test_a_shapefile_with_a_crossed_ring_in_gbk(tmp_path: Path) -> None:
    bowtie = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    frame = geopandas.GeoDataFrame(
        {"名称": ["甲区", "乙区"], "高度": [12.0, 30.0]},
        geometry=[bowtie, shapely.box(20, 0, 30, 10)],
        crs="EPSG:4549",
    )
    frame.to_file(tmp_path / "areas.shp", encoding="gbk")
    found = told(tmp_path / "areas.shp")
    assert "EPSG:4549" in found["Coordinate system"].taken
    assert found["Coordinate system"].why == "the file says it"
    assert found["Encoding"].taken.lower() in ("gbk", "gb18030")
    assert "名称" in found["Encoding"].why
    assert found["Repaired rings"].taken == "1 features"
    assert found["Height from"].taken == "高度"
    listed = describe(tmp_path / "areas.shp")[0]["metadata"]["decisions"]
    assert {decision["what"] for decision in listed} == set(found)


def test_a_file_that_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    found = told(tmp_path / "a.obj")
    assert found["Coordinate system"].why == "nothing says it"
    assert told(tmp_path / "a.obj", crs="EPSG:4549")["Coordinate system"].why == "you stated it"


def test_pipes_become_tubes(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(
        {"管径": [300, 600], "埋深": [1.2, 2.0]},
        geometry=[shapely.LineString([(0, 0), (50, 0)]), shapely.LineString([(0, 5), (50, 5)])],
        crs="EPSG:4549",
    )
    frame.to_file(tmp_path / "pipes.gpkg")
    layer = load(tmp_path / "pipes.gpkg")[0]
    assert (layer.style.tube, layer.style.tube_unit, layer.style.depth) == ("管径", 0.001, "埋深")
    assert {one.what: one.taken for one in decisions(layer)}["Tubes from"] == "管径 (mm)"
    frame["管径"] = [0.3, 0.6]
    frame.to_file(tmp_path / "metres.gpkg")
    assert load(tmp_path / "metres.gpkg")[0].style.tube_unit == 1.0
    frame.drop(columns="管径").to_file(tmp_path / "lines.gpkg")
    assert load(tmp_path / "lines.gpkg")[0].style.tube == ""


def test_features_without_geometry_are_counted(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(
        {"n": [1, 2, 3]}, geometry=[shapely.Point(0, 0), None, shapely.Point()], crs="EPSG:4549"
    )
    frame.to_file(tmp_path / "some.gpkg")
    left = told(tmp_path / "some.gpkg")["Left out"]
    assert (left.taken, left.why) == ("2 features", "they have no geometry")


def test_products_that_fail_and_products_without_geometry(tmp_path: Path) -> None:
    extra = """
#100=IFCWALL('0000000000000000000030',$,'broken',$,$,#41,#101,$,$);
#101=IFCPRODUCTDEFINITIONSHAPE($,$,(#102));
#102=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#103));
#103=IFCEXTRUDEDAREASOLID(#104,#11,#46,3.);
#104=IFCRECTANGLEPROFILEDEF(.AREA.,$,#47,0.,0.);
#110=IFCWALL('0000000000000000000031',$,'bare',$,$,#41,$,$,$);"""
    House(extra=extra).write(tmp_path / "a.ifc")
    entry = describe(tmp_path / "a.ifc")[0]
    listed = {one["what"]: one for one in entry["metadata"]["decisions"]}
    assert (listed["Left out"]["taken"], listed["Left out"]["why"]) == (
        "1 elements",
        "they could not be tessellated",
    )
    # How many have a shape is counted in the text of the file.
    text = (tmp_path / "a.ifc").read_text(encoding="utf-8")
    counts = entry["counts"]
    bare = counts["products"] - counts["products_with_geometry"]
    assert counts["products_with_geometry"] == text.count("IFCPRODUCTDEFINITIONSHAPE(")
    assert listed["Without geometry"]["taken"] == f"{bare} of {counts['products']} products"


def test_a_model_without_loss_tells_of_none(tmp_path: Path) -> None:
    House().write(tmp_path / "a.ifc")
    assert "Left out" not in told(tmp_path / "a.ifc")


@pytest.mark.parametrize(
    ("path", "what", "taken", "why"),
    [
        ("osgb/Production_5/metadata.xml", "Shift", "501027.524, 2488718.808", "metadata.xml"),
        ("ifc/georef/Duplex_A_20110907_georeferenced.ifc", "Placed at", "71.0000°", "6859.2 km"),
        ("pointcloud/pdal/lone-star.copc.laz", "Coordinate system", "no CRS", "EPSG:4978"),
        ("pointcloud/autzen_pdal_data/autzen_depth0-1.laz", "Units of the plane", "foot", "header"),
        ("citymodel/plateau/52397519_bldg_6697_op.gml", "Order of axes", "latitude first", ""),
        ("vector/china_derived_gbk_cgcs2000/province_gbk.shp", "Encoding", "gb18030", "陕西省"),
    ],
)
def test_real_files(real_data: Path, path: str, what: str, taken: str, why: str) -> None:
    found = told(real_data / path)[what]
    assert taken in found.taken
    assert why in found.why
