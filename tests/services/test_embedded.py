"""Layers inside the project: every kind comes back bit by bit, damage and hostility are refused."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine

from plumbline.core.crs import parse_crs
from plumbline.core.data import (
    BimData,
    Bounds,
    Element,
    GridData,
    LayerData,
    Material,
    MeshData,
    PointCloudData,
    RasterData,
    Storey,
    Texture,
    VectorData,
)
from plumbline.core.errors import InputError
from plumbline.core.georeference import Georeference
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.scene import Scene
from plumbline.services.project import arrays, embedded, open_project, save_project

CRS = parse_crs("EPSG:4549")


def through_a_project(folder: Path, data: LayerData, layer_id: str = "成果") -> LayerData:
    """Save one layer without a source and open it again."""
    scene = Scene(Georeference(CRS))
    scene.add(Layer(layer_id, "R", LayerKind.RESULT, data, CRS, metadata={"format": "memory"}))
    path = folder / "p.plumb.gpkg"
    save_project(scene, path, replace_file=True)
    again, warnings, _ = open_project(path)
    assert warnings == []
    layer = again[layer_id]
    assert layer.crs == CRS
    assert layer.metadata == {"format": "memory"}
    return layer.data


def test_features_with_every_type_of_attribute(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {
            "用途": ["住宅", None, "商业"],
            "层数": np.array([6, -1, 33], dtype=np.int32),
            "高度": [18.0, np.nan, 1e-300],
            "拆迁": [True, False, True],
            "count": pd.array([1, None, 3], dtype="Int64"),
            "seen": pd.Series(
                [datetime(2026, 1, 1), None, datetime(2026, 11, 20, 10, 0, 0, 500)],
                dtype="datetime64[ms]",
            ).to_numpy(),
            "at": pd.to_datetime([datetime(2026, 1, 1, tzinfo=UTC)] * 3),
            "fine": pd.array(["2026-01-01T00:00:00.123456789"] * 3, dtype="datetime64[ns]"),
            "here": pd.date_range("2026-03-29", periods=3, freq="D", tz="Europe/Amsterdam"),
            "tags": [["a", 1], {"b": None}, None],
            "FID": [7, 8, 9],
            "Fid": ["x", "y", 'quote " and ; --'],
            "entity": [0.5, 0.25, 0.125],
        },
        geometry=[
            shapely.box(0, 0, 1, 1),
            None,
            shapely.Polygon([(0, 0, 1), (5, 0, 1), (5, 5, 2), (0, 0, 1)]),
        ],
        index=pd.Index(["a", "b", "{0D6F}"], dtype=object),
        crs=CRS,
    )
    data = through_a_project(tmp_path, VectorData(frame, has_z=True))
    assert isinstance(data, VectorData)
    assert data.has_z
    assert_geodataframe_equal(data.features, frame, check_dtype=False, check_index_type=False)
    other = gpd.read_file(tmp_path / "p.plumb.gpkg", layer="成果")
    assert other["seen"].tolist()[2] == frame["seen"].iloc[2]
    assert other["at"].tolist() == frame["at"].tolist()
    assert other.geometry.has_z.tolist() == [False, False, True]
    assert data.features["tags"].tolist() == [["a", 1], {"b": None}, None]
    for column in ("层数", "高度", "拆迁", "count", "seen", "FID"):
        assert data.features[column].dtype == frame[column].dtype, column


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
            st.floats(allow_nan=True, allow_infinity=False),
            st.integers(-(2**63), 2**63 - 1),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_values_come_back(tmp_path: Path, rows: list[tuple[str, float, int]]) -> None:
    frame = gpd.GeoDataFrame(
        {"t": [r[0] for r in rows], "f": [r[1] for r in rows], "i": [r[2] for r in rows]},
        geometry=[shapely.Point(n, n) for n in range(len(rows))],
        crs=CRS,
    )
    data = through_a_project(tmp_path, VectorData(frame))
    assert isinstance(data, VectorData)
    assert data.features["t"].tolist() == frame["t"].tolist()
    assert data.features["i"].tolist() == frame["i"].tolist()
    np.testing.assert_array_equal(data.features["f"], frame["f"])
    assert data.features.index.tolist() == list(range(len(rows)))


@pytest.mark.parametrize(
    "layer_id",
    [
        "gpkg_contents",
        "PLUMBLINE_meta",
        "measurements",
        "Measurements",
        'a"; DROP TABLE x; --',
        "x" * 300,
    ],
)
def test_any_id_can_be_a_table(tmp_path: Path, layer_id: str) -> None:
    frame = gpd.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs=CRS)
    data = through_a_project(tmp_path, VectorData(frame), layer_id)
    assert isinstance(data, VectorData)
    assert data.features.geometry.iloc[0].y == 2


def test_a_vector_result_is_shown_by_other_programs(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"体积": [12.5]}, geometry=[shapely.box(0, 0, 1, 2)], crs=CRS)
    through_a_project(tmp_path, VectorData(frame))
    seen = gpd.read_file(tmp_path / "p.plumb.gpkg", layer="成果")
    assert seen.crs.to_epsg() == 4549
    assert seen["体积"].tolist() == [12.5]
    assert seen.area.tolist() == [2.0]


def make_mesh() -> MeshData:
    generator = np.random.default_rng(7)
    return MeshData(
        generator.uniform(4e6, 4.1e6, (20, 3)),
        generator.integers(0, 20, (30, 3)),
        uv=generator.random((20, 2)).astype(np.float32),
        colors=generator.integers(0, 255, (20, 4)).astype(np.uint8),
        materials=[
            Material("砖", (0.5, 0.25, 0.125, 1.0), Texture(data=b"\x89PNG picture")),
            Material("glass", (0.1, 0.2, 0.3, 0.4)),
        ],
        material_index=generator.integers(-1, 2, 30).astype(np.int32),
        elements=[Element("e1", "IfcWall", "墙", properties={"Pset": {"Fire": True, "n": 1.5}})],
        element_index=generator.integers(-1, 1, 30).astype(np.int32),
        scalars={"日照 h": np.r_[np.nan, np.linspace(0, 8, 29)], "n": np.arange(30.0)},
    )


def assert_same_mesh(one: MeshData, other: MeshData) -> None:
    for name in ("vertices", "triangles", "uv", "colors", "material_index", "element_index"):
        a, b = getattr(one, name), getattr(other, name)
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert one.elements == other.elements
    assert one.materials == other.materials
    assert list(one.scalars) == list(other.scalars)
    for name, numbers in one.scalars.items():
        np.testing.assert_array_equal(numbers, other.scalars[name])


def test_a_mesh_with_everything(tmp_path: Path) -> None:
    mesh = make_mesh()
    data = through_a_project(tmp_path, mesh)
    assert type(data) is MeshData
    assert_same_mesh(data, mesh)


def test_textures_in_files_come_along(tmp_path: Path) -> None:
    image = tmp_path / "t.png"
    image.write_bytes(b"\x89PNG other")
    mesh = make_mesh()
    mesh.materials = [Material("m", texture=Texture(path=image)), mesh.materials[1]]
    data = through_a_project(tmp_path, mesh)
    assert isinstance(data, MeshData)
    assert data.materials[0].texture == Texture(data=b"\x89PNG other")


def test_a_building_model(tmp_path: Path) -> None:
    mesh = make_mesh()
    bim = BimData(
        **{name: getattr(mesh, name) for name in MeshData.__dataclass_fields__},
        storeys=[Storey("s", "一层", 0.0, "b"), Storey("t", "二层", None)],
        spatial={"s": "b", "e1": "s"},
        products=127,
        tally={"spaces": 7},
    )
    data = through_a_project(tmp_path, bim)
    assert isinstance(data, BimData)
    assert_same_mesh(data, bim)
    for name in set(BimData.__dataclass_fields__) - set(MeshData.__dataclass_fields__):
        assert getattr(data, name) == getattr(bim, name)
        assert getattr(data, name)


def test_a_point_cloud(tmp_path: Path) -> None:
    cloud = PointCloudData(
        np.random.default_rng(1).uniform(4e6, 5e6, (100, 3)),
        {
            "rgb": np.arange(300, dtype=np.uint8).reshape(100, 3),
            "强度 a/b:c": np.arange(100, dtype=np.uint16),
        },
    )
    data = through_a_project(tmp_path, cloud)
    assert isinstance(data, PointCloudData)
    np.testing.assert_array_equal(data.points, cloud.points)
    assert list(data.attributes) == list(cloud.attributes)
    for name, array in cloud.attributes.items():
        np.testing.assert_array_equal(data.attributes[name], array)
        assert data.attributes[name].dtype == array.dtype


@pytest.mark.parametrize(
    "values",
    [
        np.array([[1, 0, 255], [0, 1, 1]], dtype=np.uint8),
        np.array([[1.5, np.nan], [0.0, -3e300]]),
        np.array([[0.1, np.nan]], dtype=np.float32),
    ],
)
def test_a_computed_grid(tmp_path: Path, values: np.ndarray) -> None:
    grid = GridData(values, (2.0, 0.5, 555_000.25, 0.0, -2.0, 3_990_000.5), "日照", "h", True)
    data = through_a_project(tmp_path, grid)
    assert isinstance(data, GridData)
    np.testing.assert_array_equal(data.values, values)
    assert data.values.dtype == values.dtype
    assert replace(data, values=values) == replace(grid, values=values)


def test_a_raster_is_kept_whole_when_its_file_goes(tmp_path: Path) -> None:
    path = tmp_path / "visible.tif"
    transform = Affine(2, 0, 500000, 0, -2, 4000000)
    heights = np.arange(12, dtype=np.float32).reshape(3, 4)
    with rasterio.open(
        path, "w", driver="GTiff", width=4, height=3, count=1, dtype="float32", transform=transform
    ) as file:
        file.write(heights, 1)
    bounds = Bounds(500000, 3999994, 0, 500008, 4000000, 11)
    raster = RasterData(
        path, "terrain", 4, 3, 1, "float32", tuple(transform)[:6], bounds, CRS, None, (0.0, 11.0)
    )
    data = through_a_project(tmp_path, raster)
    path.unlink()
    assert isinstance(data, RasterData)
    assert data.path != path
    for name in ("role", "width", "transform", "bounds", "crs", "height_range", "z_factor"):
        assert getattr(data, name) == getattr(raster, name)
    with rasterio.open(data.path) as file:
        np.testing.assert_array_equal(file.read(1), heights)


def test_a_raster_whose_file_is_gone_stops_the_save_in_words(tmp_path: Path) -> None:
    raster = RasterData(
        tmp_path / "gone.tif", "terrain", 1, 1, 1, "uint8", (1, 0, 0, 0, -1, 0), None, CRS
    )
    with pytest.raises(InputError, match=r"gone\.tif"):
        through_a_project(tmp_path, raster)
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_large_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LARGEST_BLOB", 1000)
    with pytest.raises(InputError, match="too large"):
        through_a_project(tmp_path, PointCloudData(np.zeros((100, 3))))


def test_unchanged_data_are_not_written_again(tmp_path: Path) -> None:
    scene = Scene(Georeference(CRS))
    frame = gpd.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs=CRS)
    scene.add(Layer("v", "V", LayerKind.RESULT, VectorData(frame), CRS))
    scene.add(Layer("m", "M", LayerKind.RESULT, make_mesh(), CRS))
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE v ADD COLUMN note TEXT")  # a user's own column, in a GIS
        db.execute("UPDATE v SET note = 'mine'")
        db.commit()
        save_project(scene, path)
        assert db.execute("SELECT note FROM v").fetchall() == [("mine",)]
        frame.loc[0, "n"] = 2
        save_project(scene, path)
        assert db.execute("SELECT * FROM v").description[-1][0] == "n"
        assert db.execute("SELECT n FROM v").fetchall() == [(2,)]


# -- hostile data ----------------------------------------------------------------------------


def packed(**members: np.ndarray) -> bytes:
    return arrays.pack(members)


def pickled() -> bytes:
    buffer = io.BytesIO()
    names = np.frombuffer(json.dumps(["vertices", "triangles"]).encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=True, names=names, a0=np.array([{}], dtype=object), a1=names)
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("names.npy", b"\0" * 10_000_000)
    return buffer.getvalue()


TRIANGLE = np.array([[0, 1, 2]])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        pickled(),
        bomb(),
        packed(vertices=np.zeros((3, 3)), triangles=np.array([[0, 1, 3]])),
        packed(vertices=np.zeros((3, 3)), triangles=np.array([[0, 1, -1]])),
        packed(vertices=np.zeros((3, 3)), triangles=np.array([[0.0, 1.0, 2.0]])),
        packed(vertices=np.zeros((3, 2)), triangles=TRIANGLE),
        packed(vertices=np.zeros((3, 3), dtype=np.float32), triangles=TRIANGLE),
        packed(vertices=np.zeros((3, 3)), triangles=TRIANGLE, uv=np.zeros((2, 2))),
        packed(vertices=np.zeros((3, 3)), triangles=TRIANGLE, material_index=np.array([5])),
        packed(vertices=np.zeros((3, 3)), triangles=TRIANGLE, element_index=np.array([0, 0])),
        packed(triangles=TRIANGLE),
        packed(vertices=np.zeros((3, 3)), triangles=TRIANGLE, **{"scalar:n": np.zeros(2)}),
        packed(vertices=np.zeros((3, 3)), triangles=TRIANGLE, **{"scalar:n": np.array(["x"])}),
    ],
)
def test_hostile_arrays_are_refused(
    tmp_path: Path, edit: Callable[..., None], monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(arrays, "LARGEST_ARRAYS", 5_000_000)
    scene = Scene(Georeference(CRS))
    scene.add(Layer("m", "M", LayerKind.MESH, MeshData(np.zeros((3, 3)), TRIANGLE), CRS))
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    edit(path, "UPDATE plumbline_data SET data = ?", (data,))
    again, warnings, _ = open_project(path)
    assert len(warnings) == 1
    assert "damaged" in warnings[0]
    assert [entry.id for entry in again.absent] == ["m"]


GRID = {"transform": [1, 0, 0, 0, -1, 0], "quantity": "q", "unit": "", "heights": False}


@pytest.mark.parametrize(
    ("values", "change"),
    [
        (np.zeros(3), {}),
        (np.zeros((0, 3)), {}),
        (np.zeros((2, 2), dtype=np.int64), {}),
        (np.zeros((2, 2)), {"transform": [1, 0, 0]}),
        (np.zeros((2, 2)), {"transform": [0, 0, 0, 0, 0, 0]}),
        (np.zeros((2, 2)), {"transform": [1e999, 0, 0, 0, 1, 0]}),
        (np.zeros((2, 2)), {"quantity": 5}),
        (np.zeros((2, 2)), {"heights": "perhaps"}),
    ],
)
def test_hostile_grids_are_refused(
    tmp_path: Path, edit: Callable[..., None], values: np.ndarray, change: dict[str, object]
) -> None:
    scene = Scene(Georeference(CRS))
    grid = GridData(np.zeros((2, 2)), (1, 0, 0, 0, -1, 0), "q")
    scene.add(Layer("g", "G", LayerKind.RASTER, grid, CRS))
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    edit(path, "UPDATE plumbline_data SET data = ?", (packed(values=values),))
    edit(path, "UPDATE plumbline_data SET description = ?", (json.dumps(GRID | change),))
    again, warnings, _ = open_project(path)
    assert len(warnings) == 1
    assert "damaged" in warnings[0]
    assert [entry.id for entry in again.absent] == ["g"]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("UPDATE plumbline_data SET table_name = ?", "plumbline_meta"),
        ("UPDATE plumbline_data SET table_name = ?", 'v"; DROP TABLE v; --'),
        ("UPDATE v SET geom = ?", b"GP\x00\xff rubbish"),
        ("UPDATE v SET geom = ?", b"GP\x00\x01\x00\x00\x00\x00\x01\x02"),
        ("UPDATE v SET entity = ?", "same"),
        ("UPDATE v SET n = ?", "many"),
        (
            "UPDATE plumbline_data SET description = ?",
            '{"index": "object", "has_z": false, "geometry": "g",'
            ' "columns": [{"name": "n", "column": "sql", "dtype": "int64"}]}',
        ),
    ],
)
def test_hostile_features_are_refused(
    tmp_path: Path, edit: Callable[..., None], sql: str, value: object
) -> None:
    frame = gpd.GeoDataFrame(
        {"n": [1, 2]}, geometry=[shapely.Point(1, 2)] * 2, index=["a", "b"], crs=CRS
    )
    scene = Scene(Georeference(CRS))
    scene.add(Layer("v", "V", LayerKind.RESULT, VectorData(frame), CRS))
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path)
    edit(path, sql, (value,))
    again, warnings, _ = open_project(path)
    assert len(warnings) == 1
    assert "damaged" in warnings[0]
    assert len(again) == 0
