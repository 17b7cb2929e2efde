"""Profiles against GDAL's bilinear sampling, closed forms and medians."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.warp import reproject

from plumbline import api
from plumbline.api import (
    Layer,
    LayerKind,
    MeshData,
    PointCloudData,
    RefusedError,
    Scene,
    Table,
    UsageError,
)

X, Y, CELL = 534_000.0, 3_994_000.0, 2.0


def dem(path: Path, heights: Any, nodata: float | None = None) -> Layer:
    rows, columns = heights.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float64",
        crs="EPSG:4549", nodata=nodata, transform=Affine(CELL, 0, X, 0, -CELL, Y),
    ) as file:  # fmt: skip
        file.write(np.asarray(heights, dtype="float64"), 1)
    return api.load(path, layer_id="dem")[0]


def gdal_bilinear(path: Path, x: float, y: float) -> float:
    """Return what GDAL makes of one cell of the same size around a place."""
    cell = np.zeros((1, 1))
    with rasterio.open(path) as file:
        reproject(
            file.read(1),
            cell,
            src_transform=file.transform,
            src_crs=file.crs,
            dst_transform=Affine(CELL, 0, x - CELL / 2, 0, -CELL, y + CELL / 2),
            dst_crs=file.crs,
            resampling=Resampling.bilinear,
        )
    return float(cell[0, 0])


def roof(x: float, y: float, z: float) -> MeshData:
    """Return a gabled roof over 10 × 8 m, its ridge 3 m above z, running along x."""
    points = [[0, 0, 0], [10, 0, 0], [10, 4, 3], [0, 4, 3], [10, 8, 0], [0, 8, 0]]
    triangles = [[0, 1, 2], [0, 2, 3], [3, 2, 4], [3, 4, 5]]
    return MeshData(np.array(points, float) + [x, y, z], np.array(triangles))


def column(table: Table, name: str) -> np.ndarray:
    at = table.columns.index(name)
    return np.array([np.nan if row[at] is None else row[at] for row in table.rows])


def run(scene: Scene, line: Any, *layers: str, **params: Any) -> Table:
    return api.run("measure.profile", scene, line=line, layers=layers, **params).tables["profile"]


def test_rasters_agree_with_bilinear_sampling_by_gdal(tmp_path: Path) -> None:
    heights = np.random.default_rng(7).normal(60, 5, (40, 60))
    held = Scene()
    held.add(dem(tmp_path / "rough.tif", heights))
    line = [[X + 5.1, Y - 7.3], [X + 101.7, Y - 60.2], [X + 30, Y - 70]]
    table = run(held, line, "dem", step=2.5)
    assert table.columns == ("distance", "x", "y", "dem")
    found = column(table, "dem")
    expected = [gdal_bilinear(tmp_path / "rough.tif", row[1], row[2]) for row in table.rows]
    assert len(found) > 70
    assert found == pytest.approx(expected, abs=1e-6)


def test_stations_are_at_every_step_and_every_corner(tmp_path: Path) -> None:
    held = Scene()
    held.add(dem(tmp_path / "level.tif", np.full((40, 60), 5.0)))
    line = [[X + 10, Y - 10], [X + 13, Y - 14], [X + 13, Y - 14], [X + 13, Y - 20.5]]
    table = run(held, line, "dem", step=2)
    assert column(table, "distance") == pytest.approx([0, 2, 4, 5, 6, 8, 10, 11.5])
    assert column(table, "x")[:3] - X == pytest.approx([10, 11.2, 12.4])
    assert table.rows[3][1:3] == (X + 13, Y - 14)
    assert table.rows[-1][1:3] == (X + 13, Y - 20.5)
    short = run(held, line[:2], "dem", step=100)
    assert column(short, "distance") == pytest.approx([0, 5])
    # 0.1 is no binary number: the end comes once all the same.
    tenth = run(held, line[:2], "dem", step=0.1)
    assert len(tenth.rows) == 51
    assert np.diff(column(tenth, "distance")) == pytest.approx(np.full(50, 0.1), abs=1e-9)


def test_terrain_roof_and_cloud_on_one_profile(tmp_path: Path) -> None:
    held = Scene()
    layer = dem(tmp_path / "level.tif", np.full((40, 60), 5.0))
    held.add(layer)
    held.add(Layer("roof", "Roof", LayerKind.MESH, roof(X + 20, Y - 40, 9), layer.crs))
    rng = np.random.default_rng(1)
    points = np.column_stack(
        [X + rng.uniform(0, 60, 20_000), Y - rng.uniform(0, 60, 20_000), rng.normal(7, 1, 20_000)]
    )
    held.add(Layer("cloud", "Cloud", LayerKind.POINTCLOUD, PointCloudData(points), layer.crs))
    line = [[X + 25, Y - 50], [X + 25, Y - 22]]
    result = api.run(
        "measure.profile", held, line=line, layers=["dem", "roof", "cloud"], step=0.5, width=2
    )
    table = result.tables["profile"]
    y = column(table, "y") - (Y - 40)
    gable = np.where((y >= 0) & (y <= 8), 9 + 3 * (1 - np.abs(y - 4) / 4), np.nan)
    assert column(table, "roof") == pytest.approx(gable, abs=1e-6, nan_ok=True)
    assert column(table, "dem") == pytest.approx(np.full(len(y), 5.0))
    near = np.abs(points[:, 0] - X - 25) <= 1
    for n, at in enumerate(column(table, "y")):
        low, high = max(at - 0.25, Y - 50), min(at + 0.25, Y - 22)
        inside = near & (points[:, 1] > low) & (points[:, 1] <= high)
        assert column(table, "cloud")[n] == pytest.approx(np.median(points[inside, 2]))
    rows = {row[0]: row[1:] for row in result.tables["layers"].rows}
    assert rows["roof"][:2] == pytest.approx((9, 12), abs=1e-6)
    assert rows["roof"][2] == pytest.approx(math.degrees(math.atan2(3, 4)), abs=1e-5)
    assert rows["roof"][3:5] == pytest.approx((3, 3), abs=1e-6)
    assert rows["roof"][5] == int(np.isnan(gable).sum())
    assert result.values["z_max"].value == pytest.approx(max(12, np.nanmax(column(table, "cloud"))))


def test_feet_become_metres() -> None:
    from pyproj import CRS

    crs = CRS("EPSG:2994")
    held = Scene(api.Georeference(crs))
    held.add(Layer("roof", "Roof", LayerKind.MESH, roof(0, 0, 100), crs))
    table = run(held, [[5, 1], [5, 7]], "roof", step=0.3048)
    assert column(table, "distance")[-1] == pytest.approx(6 * 0.3048)
    assert column(table, "y") == pytest.approx(range(1, 8))
    assert column(table, "roof")[3] == pytest.approx(103 * 0.3048, abs=1e-9)


def test_gaps_are_unknown_not_zero(tmp_path: Path) -> None:
    heights = np.full((40, 60), 5.0)
    heights[5:20, 20:30] = -9999
    held = Scene()
    held.add(dem(tmp_path / "gap.tif", heights, nodata=-9999))
    z = column(run(held, [[X + 10, Y - 24], [X + 110, Y - 24]], "dem"), "dem")
    assert np.isnan(z[32:49]).all()
    assert z[~np.isnan(z)] == pytest.approx(np.full((~np.isnan(z)).sum(), 5.0))


def test_profiles_that_cannot_be_answered(tmp_path: Path) -> None:
    held = Scene()
    layer = dem(tmp_path / "level.tif", np.full((40, 60), 5.0))
    held.add(layer)
    held.add(Layer("x", "X", LayerKind.MESH, roof(X, Y, 9), layer.crs))
    line = [[X + 10, Y - 10], [X + 13, Y - 14]]
    for params in (
        {"line": line[:1], "layers": ["dem"]},
        {"line": line, "layers": []},
        {"line": line, "layers": ["dem", "dem"]},
        {"line": line, "layers": ["x"]},
        {"line": line, "layers": ["dem"], "step": 0},
        {"line": line, "layers": ["dem"], "step": 1e-9},
        {"line": line, "layers": ["dem"], "width": -1},
        {"line": [line[0], line[0]], "layers": ["dem"]},
        {"line": [line[0], [float("nan"), 0]], "layers": ["dem"]},
        {"line": line, "layers": ["nothing"]},
    ):
        with pytest.raises(UsageError):
            api.run("measure.profile", held, params)
    with pytest.raises(RefusedError, match="None of the layers"):
        api.run("measure.profile", held, line=[[0, 0], [1, 1]], layers=["dem"])


def test_on_the_real_surface_of_goeteborg(real_data: Path) -> None:
    path = real_data / "terrain" / "goteborg" / "DEM_KRbig.tif"
    held = Scene()
    held.add(api.load(path, layer_id="dem")[0])
    line = [[147_740.25, 6_398_600.5], [147_930.75, 6_398_760.5]]
    table = run(held, line, "dem", step=3)
    with rasterio.open(path) as file:
        z, inverse = file.read(1).astype(float), ~file.transform
    for _, x, y, found in table.rows:
        c, r = inverse @ (x, y)
        j, i = math.floor(c - 0.5), math.floor(r - 0.5)
        u, v = c - 0.5 - j, r - 0.5 - i
        expected = (1 - v) * ((1 - u) * z[i, j] + u * z[i, j + 1]) + v * (
            (1 - u) * z[i + 1, j] + u * z[i + 1, j + 1]
        )
        assert found == pytest.approx(expected, abs=1e-6)
