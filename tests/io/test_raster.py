"""GeoTIFF: facts of real files, exact sampling, grids and images in a budget, units, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS, Transformer
from rasterio.warp import Resampling, reproject
from tests.io.mesh_files import write

from plumbline.core.data import RasterData
from plumbline.core.errors import CancelledError, InputError
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer
from plumbline.io import load, raster
from plumbline.io.raster import read_grid, read_image, sample_bilinear
from plumbline.io.writers import write_raster

CORNER = (500_000.0, 4_000_000.0)


def one(path: Path, **options: Any) -> tuple[Layer, RasterData]:
    (layer,) = load(path, options, digest=False)
    assert isinstance(layer.data, RasterData)
    return layer, layer.data


def terrain(
    path: Path, rows: int = 60, columns: int = 80, cell: float = 2.0, **options: Any
) -> Any:
    """Write hills without any regularity; return their heights."""
    rng = np.random.default_rng(3)
    heights = rng.normal(50, 10, (rows, columns)).astype(options.pop("dtype", "float32"))
    transform = options.pop("transform", (cell, 0.0, CORNER[0], 0.0, -cell, CORNER[1]))
    crs = options.pop("crs", CRS.from_epsg(4549))
    write_raster(path, heights, transform, crs, **options)
    return heights


@pytest.mark.parametrize(
    ("name", "size", "epsg"),
    [
        ("goteborg/DSM_KRbig.tif", (234, 223), 3007),
        ("goteborg/DEM_KRbig.tif", (234, 223), 3007),
        ("goteborg/CDSM_KRbig.tif", (234, 223), 3007),
        ("opengeos/dsm.tif", (283, 259), 26918),
        ("opengeos/dtm.tif", (283, 259), 26918),
        ("qgis/dem25.tif", (601, 410), 23030),
    ],
)
def test_real_terrain(real_data: Path, name: str, size: tuple[int, int], epsg: int) -> None:
    layer, data = one(real_data / "terrain" / name)
    assert (data.width, data.height) == size
    assert data.role == "terrain"
    assert layer.counts == {"cells": size[0] * size[1], "bands": 1}
    assert layer.crs is not None
    assert layer.crs.to_epsg() == epsg
    with rasterio.open(real_data / "terrain" / name) as dataset:
        known = dataset.read(1, masked=True).compressed()
        box = dataset.bounds
    assert data.height_range == (known.min(), known.max())
    assert layer.bounds is not None
    assert layer.bounds.as_list()[:2] == [box.left, box.bottom]
    assert layer.bounds.as_list()[3:5] == [box.right, box.top]


def test_net_volume_between_two_real_surfaces(real_data: Path) -> None:
    dsm, transform = read_grid(one(real_data / "terrain/opengeos/dsm.tif")[1])
    dtm, _ = read_grid(one(real_data / "terrain/opengeos/dtm.tif")[1])
    volume = np.nansum(dsm - dtm) * abs(transform[0] * transform[4])
    assert volume == pytest.approx(910_912.54, abs=0.01)


@pytest.mark.parametrize("shift", [(0.3, 0.0), (0.0, 0.7), (0.25, 0.55), (0.5, 0.5), (0.0, 0.0)])
def test_sampling_agrees_with_gdal(tmp_path: Path, shift: tuple[float, float]) -> None:
    terrain(tmp_path / "a.tif")
    _, data = one(tmp_path / "a.tif")
    moved = Affine(2, 0, CORNER[0] + 2 * shift[0], 0, -2, CORNER[1] - 2 * shift[1])
    expected = np.full((58, 78), np.nan)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        reproject(
            dataset.read(1).astype("float64"),
            expected,
            src_transform=dataset.transform,
            src_crs=dataset.crs,
            dst_transform=moved,
            dst_crs=dataset.crs,
            resampling=Resampling.bilinear,
        )
    columns, rows = np.meshgrid(np.arange(78), np.arange(58))
    x = moved.c + 2 * (columns.ravel() + 0.5)
    y = moved.f - 2 * (rows.ravel() + 0.5)
    got = sample_bilinear(data, np.column_stack([x, y])).reshape(58, 78)
    assert np.abs(got - expected).max() < 1e-6


def test_sampling_across_blocks_is_the_same_as_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heights = terrain(tmp_path / "a.tif").astype(np.float64)
    _, data = one(tmp_path / "a.tif")
    rng = np.random.default_rng(5)
    cells = rng.uniform(0.5, [79.5, 59.5], (4000, 2))
    xy = np.column_stack([CORNER[0] + cells[:, 0] * 2, CORNER[1] - cells[:, 1] * 2])
    column, row = np.floor(cells - 0.5).astype(int).T.clip(0, [[78], [58]])
    u, v = (cells - 0.5).T - (column, row)
    expected = (
        heights[row, column] * (1 - u) * (1 - v) + heights[row, column + 1] * u * (1 - v)
        + heights[row + 1, column] * (1 - u) * v + heights[row + 1, column + 1] * u * v
    )  # fmt: skip
    monkeypatch.setattr(raster, "BLOCK", 7)
    assert np.abs(sample_bilinear(data, xy) - expected).max() < 1e-7


def test_sampling_at_the_border_outside_and_beside_nodata(tmp_path: Path) -> None:
    heights = np.arange(12, dtype=np.float32).reshape(3, 4)
    heights[1, 1] = -9999
    write_raster(tmp_path / "a.tif", heights, (1, 0, 0, 0, -1, 3), CRS.from_epsg(4549), -9999)
    _, data = one(tmp_path / "a.tif")
    points = [(0, 3), (4, 0), (4.001, 1), (-0.001, 1), (1.5, 1.5), (1.0, 2.0), (np.nan, 1)]
    got = sample_bilinear(data, np.array(points))
    assert got[:2].tolist() == [0, 11]
    assert np.isnan(got[[2, 3, 4, 6]]).all()
    assert got[5] == pytest.approx((0 + 1 + 4) / 3)  # the cell without data does not count


def test_a_rotated_raster(tmp_path: Path) -> None:
    cos, sin = np.sqrt(3), 1.0  # of 30 degrees, times the cell of 2 m
    heights = terrain(tmp_path / "a.tif", transform=(cos, sin, CORNER[0], sin, -cos, CORNER[1]))

    def place(column: Any, row: Any) -> tuple[Any, Any]:
        return CORNER[0] + cos * column + sin * row, CORNER[1] + sin * column - cos * row

    layer, data = one(tmp_path / "a.tif")
    x, y = place(np.array([10.5, 40.5]), np.array([20.5, 7.5]))
    got = sample_bilinear(data, np.column_stack([x, y]))
    assert got.tolist() == pytest.approx([heights[20, 10], heights[7, 40]], abs=1e-5)
    corners = np.array([place(*c) for c in [(0, 0), (80, 0), (80, 60), (0, 60)]])
    assert layer.bounds is not None
    assert layer.bounds.as_list()[:2] == pytest.approx(corners.min(axis=0).tolist())
    grid, transform = read_grid(data)
    assert transform[1] == transform[3] == 0
    column = int((x[0] - transform[2]) / transform[0])
    row = int((y[0] - transform[5]) / transform[4])
    assert grid[row, column] == pytest.approx(heights[20, 10], abs=15)
    assert np.isnan(grid[0, 0])


def test_another_project_crs(tmp_path: Path) -> None:
    terrain(tmp_path / "a.tif")
    _, plain = one(tmp_path / "a.tif")
    target = CRS.from_epsg(4490)
    (layer,) = load(tmp_path / "a.tif", target_crs=target)
    data = layer.data
    assert isinstance(data, RasterData)
    assert layer.crs == target
    xy = np.array([[30.0, -40.0], [77.3, -60.1]]) + CORNER
    way = Transformer.from_crs("EPSG:4549", "EPSG:4490", always_xy=True)
    lonlat = np.column_stack(way.transform(xy[:, 0], xy[:, 1]))
    assert np.abs(sample_bilinear(data, lonlat) - sample_bilinear(plain, xy)).max() < 1e-5
    assert layer.bounds is not None
    assert layer.bounds.xmin < lonlat[0, 0] < layer.bounds.xmax
    grid, transform = read_grid(data)
    assert transform[2] == pytest.approx(layer.bounds.xmin, abs=2e-5)
    assert np.isfinite(grid).mean() > 0.9
    assert 20 < np.nanmean(grid) < 80


def test_grids_keep_to_their_budget_and_place(tmp_path: Path) -> None:
    terrain(tmp_path / "a.tif", 600, 800)
    _, data = one(tmp_path / "a.tif")
    grid, transform = read_grid(data, max_cells=5000)
    assert grid.size <= 5000
    assert transform[0] * grid.shape[1] == pytest.approx(1600)
    assert transform[4] * grid.shape[0] == pytest.approx(-1200)
    box = (CORNER[0] + 101, CORNER[1] - 203, CORNER[0] + 111, CORNER[1] - 197)
    part, at = read_grid(data, bounds=box)
    whole, _ = read_grid(data)
    assert (at[2], at[5]) == (CORNER[0] + 100, CORNER[1] - 196)
    assert part.shape == (4, 6)
    assert (part == whole[98:102, 50:56]).all()
    outside, _ = read_grid(data, bounds=(0, 0, 10, 10))
    assert outside.size == 0


@pytest.mark.parametrize(
    ("option", "unit", "factor", "source"),
    [
        ("auto", "", 1.0, "assumed"),
        ("auto", "ft", 0.3048, "band"),
        ("auto", "US survey foot", 1200 / 3937, "band"),
        ("ft", "", 0.3048, "option"),
        ("m", "ft", 1.0, "option"),
    ],
)
def test_vertical_units(tmp_path: Path, option: str, unit: str, factor: float, source: str) -> None:
    heights = terrain(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif", "r+") as dataset:
        dataset.units = (unit,)
    layer, data = one(tmp_path / "a.tif", z_unit=option)
    assert layer.metadata["z_factor_source"] == source
    assert data.height_range is not None
    assert data.height_range[1] == pytest.approx(heights.max() * factor)
    grid, _ = read_grid(data)
    assert grid[5, 5] == pytest.approx(heights[5, 5] * factor)
    centre = np.array([[CORNER[0] + 11, CORNER[1] - 11]])
    assert sample_bilinear(data, centre)[0] == pytest.approx(heights[5, 5] * factor)


def test_a_plane_in_feet_without_unit_of_height_is_doubted(tmp_path: Path) -> None:
    terrain(tmp_path / "a.tif", crs=CRS.from_epsg(2994))
    layer, _ = one(tmp_path / "a.tif")
    assert any("foot" in warning for warning in layer.warnings)


def imagery(path: Path, bands: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 255, (bands, 40, 50)).astype(np.uint8)
    if bands == 4:
        image[3, :, :25] = 0
        image[3, :, 25:] = 255
    write_raster(path, image, (0.5, 0, CORNER[0], 0, -0.5, CORNER[1]), CRS.from_epsg(4549))
    return image


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_imagery(tmp_path: Path, bands: int) -> None:
    image = imagery(tmp_path / "a.tif", bands)
    if bands == 4:
        with rasterio.open(tmp_path / "a.tif", "r+") as dataset:
            dataset.colorinterp = [rasterio.enums.ColorInterp(n) for n in (3, 4, 5, 6)]
    layer, data = one(tmp_path / "a.tif")
    assert data.role == "imagery"
    assert layer.counts == {"cells": 2000, "bands": bands}
    rgba, bounds = read_image(data)
    assert rgba.shape == (40, 50, 4)
    assert (rgba[..., 2] == image[min(2, bands - 1)]).all()
    assert bounds == (CORNER[0], CORNER[1] - 20, CORNER[0] + 25, CORNER[1])
    expected = 0 if bands == 4 else 255
    assert (rgba[:, :25, 3] == expected).all()
    assert (rgba[:, 25:, 3] == 255).all()
    small, _ = read_image(data, max_pixels=300)
    assert small.shape[0] * small.shape[1] <= 300


def test_imagery_in_another_crs_is_clear_where_there_is_nothing(tmp_path: Path) -> None:
    imagery(tmp_path / "a.tif", 3)
    (layer,) = load(tmp_path / "a.tif", target_crs=CRS.from_epsg(32651))
    assert isinstance(layer.data, RasterData)
    rgba, bounds = read_image(layer.data)
    assert layer.bounds is not None
    assert bounds[0] == pytest.approx(layer.bounds.xmin, abs=1)
    assert rgba[20, 25, 3] == 255
    assert rgba[..., 3].min() == 0


def test_a_role_can_be_stated(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif", np.ones((4, 4), np.uint8), (1, 0, 0, 0, -1, 9))
    assert one(tmp_path / "a.tif")[1].role == "imagery"
    layer, data = one(tmp_path / "a.tif", role="terrain")
    assert data.role == "terrain"
    assert data.height_range == (1, 1)
    assert layer.crs is None


def test_large_rasters_are_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terrain(tmp_path / "a.tif", 700, 900)
    monkeypatch.setattr(raster, "EXACT_CELLS", 1000)
    monkeypatch.setattr(raster, "WINDOW", 16)
    monkeypatch.setattr(raster, "LARGE", 1000)
    layer, data = one(tmp_path / "a.tif")
    assert layer.metadata["height_range"] == "sampled"
    assert any("overviews" in warning for warning in layer.warnings)
    with rasterio.open(tmp_path / "a.tif", "r+") as dataset:
        dataset.build_overviews([2, 4, 8], Resampling.average)
    layer, data = one(tmp_path / "a.tif")
    assert layer.metadata["height_range"] == "overviews"
    assert layer.warnings == []
    assert data.height_range is not None


def test_reading_can_be_cancelled(tmp_path: Path) -> None:
    terrain(tmp_path / "a.tif")
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        load(tmp_path / "a.tif", feedback=feedback)
    _, data = one(tmp_path / "a.tif")
    with pytest.raises(CancelledError):
        sample_bilinear(data, np.array([CORNER]), feedback)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>", "not what its name says"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "not what its name says"),
        (b"II*\0" + b"\xff" * 50, "cannot be read"),
        (b"II*\0\x08\0\0\0", "cannot be read"),
    ],
)
def test_what_is_no_geotiff_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load(write(tmp_path / "a.tif", content))
    assert "\n" not in str(caught.value)


def test_a_raster_that_is_gone_is_an_error_of_the_user(tmp_path: Path) -> None:
    terrain(tmp_path / "a.tif")
    _, data = one(tmp_path / "a.tif")
    (tmp_path / "a.tif").unlink()
    for read in (read_grid, read_image):
        with pytest.raises(InputError, match="There is no file"):
            read(data)
    with pytest.raises(InputError, match="There is no file"):
        sample_bilinear(data, np.array([[CORNER[0] + 5, CORNER[1] - 5]]))


def test_nothing_but_nodata(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif", np.full((4, 4), np.nan, np.float32), (1, 0, 0, 0, -1, 9))
    layer, data = one(tmp_path / "a.tif")
    assert data.height_range is None
    assert len(layer.warnings) == 1
