"""Stage, area and volume against sums over cells and the closed form of a bowl."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests.plugins.volume_scenes import X, Y, raster, scene, square, values

from plumbline import api
from plumbline.api import RefusedError, UsageError


def test_a_bowl_fills_as_its_closed_form_says(tmp_path: Path) -> None:
    held = scene()
    y, x = np.mgrid[0:400, 0:400] * 0.25 - 49.875
    raster(held, tmp_path, "bowl", (x**2 + y**2) / 100, 0.25)
    levels = [0.0, 1.0, 4.0, 9.0]
    result = api.run("volume.storage", held, surface="bowl", level=levels)
    table = result.tables["storage"]
    assert table.columns[:3] == ("level", "area", "volume")
    for level, row in zip(levels, table.rows, strict=True):
        # A paraboloid z = r² / 100 holds 50 pi h² under h, on pi 100 h.
        assert row[0] == level
        assert row[1] == pytest.approx(100 * math.pi * level, rel=2e-3)
        assert row[2] == pytest.approx(50 * math.pi * level**2, rel=1e-3)
    depth = result.layers["depth"].data
    assert depth.values.shape == (400, 400)
    assert np.nanmax(depth.values) == pytest.approx(9.0, abs=0.01)
    assert result.values["volume"].value == table.rows[-1][2]


def test_a_hollow_behind_a_ridge_stays_dry_until_the_ridge_is_under_water(tmp_path: Path) -> None:
    held = scene()
    ground = np.zeros((20, 41))
    ground[:, 20] = 5.0
    ground[:, 21:] = 1.0
    raster(held, tmp_path, "g", ground)
    asked = {"surface": "g", "level": "2, 6"}
    every = api.run("volume.storage", held, **asked).tables["storage"].rows
    assert every[0][1:3] == pytest.approx((800.0, 20 * 20 * 2 + 20 * 20 * 1))
    joined = api.run("volume.storage", held, **asked, water="connected").tables["storage"].rows
    assert joined[0][1:3] == pytest.approx((400.0, 800.0))
    assert joined[1][1:3] == pytest.approx(every[1][1:3])
    behind = api.run(
        "volume.storage", held, **asked, water="connected", source=[X + 30.5, Y - 10.5]
    )
    assert behind.tables["storage"].rows[0][1:3] == pytest.approx((400.0, 400.0))
    with pytest.raises(RefusedError, match="source"):
        api.run("volume.storage", held, **asked, water="connected", source=[X - 5, Y])


def test_goeteborg_under_water_is_the_sum_of_its_cells(real_data: Path) -> None:
    import rasterio

    path = real_data / "terrain" / "goteborg" / "DEM_KRbig.tif"
    held = api.Scene()
    held.add(api.load(path, layer_id="dem")[0])
    with rasterio.open(path) as file:
        z = file.read(1).astype(float)
    for row in (
        api.run("volume.storage", held, surface="dem", level=[2, 4.5]).tables["storage"].rows
    ):
        assert row[1] == pytest.approx((z < row[0]).sum())
        assert row[2] == pytest.approx(np.maximum(row[0] - z, 0).sum(), rel=1e-9)


def test_a_polygon_cuts_the_water_exactly_and_the_border_is_told(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "g", np.zeros((20, 20)))
    corners = [[X + 2.2, Y - 3.1], [X + 15.7, Y - 4.4], [X + 9.3, Y - 17.9]]
    result = api.run("volume.storage", held, surface="g", level=3.0, polygon=corners)
    (x0, y0), (x1, y1), (x2, y2) = corners
    area = abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / 2
    assert values(result)["area"] == pytest.approx(area, rel=1e-6)
    assert values(result)["volume"] == pytest.approx(3 * area, rel=1e-6)
    assert any("border" in text for text in result.warnings)


def test_bad_levels_are_refused(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "g", np.zeros((20, 20)))
    for level in ([], "high", [float("nan")]):
        with pytest.raises(UsageError):
            api.run("volume.storage", held, surface="g", level=level)
    z = np.full((20, 20), np.nan)
    z[0, 0] = 0.0
    raster(held, tmp_path, "gaps", z)
    with pytest.raises(RefusedError, match="no height"):
        api.run("volume.storage", held, surface="gaps", level=1, polygon=square(5, -15, 15, -5))
