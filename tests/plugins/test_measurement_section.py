"""Sections and counts: against closed forms, shapely and IfcOpenShell's own quantities."""

from __future__ import annotations

import io
import math
from pathlib import Path

import ezdxf
import geopandas
import numpy as np
import pytest
import shapely
import trimesh

from plumbline.analysis.replay import replay
from plumbline.analysis.store import write_result
from plumbline.analysis.validation import InvalidParamsError
from plumbline.api import (
    Element,
    Layer,
    LayerKind,
    MeshData,
    PointCloudData,
    RefusedError,
    Scene,
    VectorData,
    load,
    parse_crs,
    run,
)
from plumbline.core.georeference import Georeference
from plumbline.io.writers import write_raster

X, Y, Z = 40_534_000.0, 3_993_000.0, 25.0
CRS = "EPSG:4528"  # CGCS2000, zone number in the easting


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Return two boxes (20 x 10 x 6 and 4 x 4 x 4), a cloud, terrain that rises eastwards."""
    scene = Scene(Georeference.from_text(CRS, (X, Y, 0.0)))
    boxes = [trimesh.creation.box((20, 10, 6)), trimesh.creation.box((4, 4, 4))]
    places = [(X + 10, Y + 5, Z + 3), (X + 40, Y + 2, Z + 2)]
    vertices = np.vstack([b.vertices + p for b, p in zip(boxes, places, strict=True)])
    triangles = np.vstack([boxes[0].faces, boxes[1].faces + 8])
    elements = [Element("hall", "IfcWall"), Element("hut", "IfcSlab")]
    mesh = MeshData(vertices, triangles, elements=elements, element_index=np.repeat([0, 1], 12))
    scene.add(Layer("m", "模型", LayerKind.MESH, mesh, parse_crs(CRS)))
    aside = (-1.0, 0.0, 0.2)
    points = np.array([[X + t + 0.5, Y + 2.01 + s, Z + 9] for t in range(50) for s in aside])
    cloud = PointCloudData(points, {"classification": np.repeat([2, 6], 75).astype(np.uint8)})
    scene.add(Layer("c", "点云", LayerKind.POINTCLOUD, cloud, parse_crs(CRS)))
    heights = np.broadcast_to(Z + 0.1 * (np.arange(120) + 0.5 - 20), (80, 120)).copy()
    write_raster(tmp_path / "dem.tif", heights, (1, 0, X - 20, 0, -1, Y + 50), parse_crs(CRS))
    scene.add(load(tmp_path / "dem.tif", layer_id="dem")[0])
    return scene


LINE = [[X - 5, Y + 2], [X + 55, Y + 2]]


def test_a_line_through_boxes_cloud_and_terrain(scene: Scene) -> None:
    result = run("measure.section", scene, line=LINE, layers=["m", "c", "dem"], width=0.5)
    rows = {row[1] or row[0]: row for row in result.tables["cuts"].rows}
    assert rows["hall"][3:5] == pytest.approx((52, 120), abs=1e-6)
    assert rows["hut"][3:5] == pytest.approx((16, 16), abs=1e-6)
    assert rows["hall"][5:7] == pytest.approx((Z, Z + 6), abs=1e-6)
    assert rows["dem"][3] == pytest.approx(60 * math.hypot(1, 0.1), abs=1e-6)
    assert rows["dem"][4] is None
    assert result.values["area"].value == pytest.approx(136, abs=1e-6)
    assert result.values["points"].value == 100
    lines = result.layers["cut_lines"].data
    assert isinstance(lines, VectorData)
    hall = lines.features[lines.features.entity == "hall"].geometry.iloc[0]
    corners = shapely.get_coordinates(hall, include_z=True)
    assert corners[:, 1] == pytest.approx(Y + 2, abs=1e-6)
    assert (corners[:, 0].min(), corners[:, 0].max()) == pytest.approx((X, X + 20), abs=1e-6)
    drawing = ezdxf.read(io.StringIO(result.documents["section.dxf"].decode()))
    outlines = [e for e in drawing.modelspace().query("LWPOLYLINE") if e.closed]
    flat = np.array([tuple(p[:2]) for e in outlines for p in e.get_points()])
    assert (flat.min(axis=0), flat.max(axis=0)) == (
        pytest.approx([5, Z], abs=1e-6),
        pytest.approx([47, Z + 6], abs=1e-6),
    )
    assert len(drawing.modelspace().query("POINT")) == 100


def test_a_line_that_ends_inside_cuts_the_area_off(scene: Scene) -> None:
    bent = [[X + 5, Y + 2], [X + 15, Y + 2], [X + 15, Y + 30]]
    result = run("measure.section", scene, line=bent, layers=["m"])
    rows = result.tables["cuts"].rows
    assert [row[2] for row in rows] == [1, 2]
    assert [row[4] for row in rows] == pytest.approx([60, 48], abs=1e-6)
    assert result.values["line_length"].value == pytest.approx(38)


def test_a_plane_of_any_direction(scene: Scene) -> None:
    level = {"point": [X, Y, Z + 5], "normal": [0, 0, 3]}
    result = run("measure.section", scene, plane=level, layers=["m"])
    assert [row[4] for row in result.tables["cuts"].rows] == pytest.approx([200], abs=1e-6)
    tilted = {"point": [X + 10, Y + 5, Z + 3], "normal": [0, 1, 1]}
    result = run("measure.section", scene, plane=tilted, layers=["m"])
    assert result.tables["cuts"].rows[0][4] == pytest.approx(20 * 6 * math.sqrt(2), abs=1e-6)


def test_a_section_replays(scene: Scene, tmp_path: Path) -> None:
    result = run("measure.section", scene, line=LINE, layers=["dem"])
    path = write_result(result, tmp_path / "out")
    _, differences = replay(path)
    assert differences == []


@pytest.mark.parametrize(
    "params",
    [
        {"layers": ["m"]},
        {"layers": ["m"], "line": LINE, "plane": {"point": [0, 0, 0], "normal": [0, 0, 1]}},
        {"layers": ["m"], "plane": {"point": [0, 0, 0], "normal": [0, 0, 0]}},
        {"layers": ["m"], "plane": {"point": [0, 0, float("nan")], "normal": [0, 0, 1]}},
        {"layers": ["m"], "line": [[X, Y], [X, Y]]},
        {"layers": ["m"], "line": LINE, "width": 0},
        {"layers": [], "line": LINE},
    ],
)
def test_bad_sections_are_refused_before_they_run(scene: Scene, params: dict[str, object]) -> None:
    with pytest.raises(InvalidParamsError):
        run("measure.section", scene, params)


def test_a_section_beside_everything_is_refused(scene: Scene) -> None:
    with pytest.raises(RefusedError, match="cuts through none"):
        run("measure.section", scene, line=[[X, Y + 900], [X + 5, Y + 900]], layers=["m", "c"])


def test_the_walls_of_a_real_house(real_data: Path) -> None:
    """At 1 m above the floor: every closed wall's cut area is below its footprint quantity."""
    house = load(real_data / "ifc/web-ifc/AC20-FZK-Haus.ifc", layer_id="ifc")[0]
    scene = Scene(Georeference(house.crs))
    scene.add(house)
    level = {"point": [0, 0, 1.0], "normal": [0, 0, 1]}
    result = run("measure.section", scene, plane=level, layers=["ifc"])
    data = house.data
    assert isinstance(data, MeshData)
    classes = {element.id: element.cls for element in data.elements}
    walls = [r for r in result.tables["cuts"].rows if classes[r[1]].startswith("IfcWall")]
    assert len(walls) >= 8
    assert all(row[4] is not None and 0.1 < row[4] < 12 for row in walls)
    rooms = [r for r in result.tables["cuts"].rows if classes[r[1]] == "IfcSpace"]
    assert not rooms, "a room is air"


# -- counting --------------------------------------------------------------------------------

YARD = [
    [[X - 1, Y - 1], [X + 45, Y - 1], [X + 45, Y + 12], [X - 1, Y + 12]],
    [[X + 5, Y + 1], [X + 9, Y + 1], [X + 9, Y + 3], [X + 5, Y + 3]],
]


@pytest.fixture
def plan(scene: Scene) -> Scene:
    """Return the scene with parcels of two uses beside."""
    frame = geopandas.GeoDataFrame(
        {"用途": ["住宅", "住宅", None]},
        geometry=[shapely.box(X + d, Y, X + d + 10, Y + 10) for d in (0, 42, 80)],
        crs=CRS,
    )
    scene.add(Layer("p", "地块", LayerKind.VECTOR, VectorData(frame), parse_crs(CRS)))
    return scene


def test_what_lies_inside_by_class(plan: Scene) -> None:
    result = run("measure.count", plan, polygon=YARD, layers=["m", "c", "p", "dem"], by="用途")
    rows = {(row[0], row[1]): row for row in result.tables["counts"].rows}
    yard = shapely.Polygon(YARD[0], [YARD[1]])
    assert result.values["polygon_area"].value == pytest.approx(yard.area)
    assert result.values["entities"].value == 3
    assert rows["m", "IfcWall"][2] == 1
    assert rows["m", "IfcSlab"][5:] == pytest.approx((Z, Z + 4))
    cloud = plan["c"].data
    assert isinstance(cloud, PointCloudData)
    inside = shapely.contains_xy(yard, cloud.points[:, :2])
    assert result.values["points"].value == inside.sum()
    assert sum(row[2] for row in rows.values() if row[0] == "c") == result.values["points"].value
    # The centre of the second parcel is outside of the yard, though a part of it is inside.
    assert rows["p", "住宅"][2:4] == (1, pytest.approx(100 - 8))
    cells = rows["dem", ""]
    assert cells[2] == 46 * 13 - 8
    assert cells[3] == pytest.approx(46 * 13 - 8)


@pytest.mark.parametrize(("how", "count"), [("centre", 1), ("whole", 0), ("touching", 2)])
def test_what_counts_as_inside(plan: Scene, how: str, count: int) -> None:
    """The first parcel surrounds the hole and is not wholly inside."""
    result = run("measure.count", plan, polygon=YARD, layers=["p"], inside=how)
    assert result.values["entities"].value == count


def test_bad_counts_are_refused(plan: Scene) -> None:
    with pytest.raises(InvalidParamsError):
        run("measure.count", plan, polygon=YARD, layers=["p"], by="层数")
    crossed = [[X, Y], [X + 9, Y + 9], [X + 9, Y], [X, Y + 9]]
    with pytest.raises(RefusedError):
        run("measure.count", plan, polygon=crossed, layers=["p"])
