"""Earthwork whose cut and fill follow by integration of a slope."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from tests.plugins.volume_scenes import CRS, X, Y, raster, scene, values

from plumbline import api
from plumbline.api import (
    Layer,
    LayerKind,
    LayerStyle,
    RefusedError,
    Result,
    Scheme,
    UsageError,
    VectorData,
)


def earthwork(
    folder: Path,
    boxes: Any = (),
    level: Any = (),
    scheme: dict[str, Any] | None = None,
    **params: Any,
) -> Result:
    """The ground rises by 1 in 10 towards the east, from 10 m at the west of 100 x 100 m."""
    held = scene()
    heights = np.tile(10 + 0.1 * (np.arange(100) + 0.5), (100, 1))
    heights[:, 90:] = np.nan
    raster(held, folder, "terrain", heights)
    layers: tuple[str, ...] = ()
    if len(boxes):
        shapes = [shapely.box(X + w, Y - s, X + e, Y - n) for w, s, e, n in boxes]
        frame = geopandas.GeoDataFrame(
            {"tall": [9.0] * len(boxes), "level": level}, geometry=shapes, crs=CRS
        )
        style = LayerStyle(extrude="tall", base="level")
        held.add(
            Layer("new", "new", LayerKind.VECTOR, VectorData(frame), held.georeference.crs),
            style=style,
        )
        layers = ("new",)
    held.set_schemes([Scheme("S", "S", layers=layers, **(scheme or {}))])
    asked = {"scheme": "S", "terrain": "terrain", **params}
    return api.run("schemes.earthwork", held, asked)


def test_a_ground_floor_cuts_above_and_fills_below(tmp_path: Path) -> None:
    # 40 m along the slope: the ground goes from 12 m to 16 m, the floor lies at 13 m.
    found = values(earthwork(tmp_path, [(20, 60, 60, 40)], [13.0]))
    # Triangles of 3 m by 30 m and of 1 m by 10 m, 20 m deep.
    assert found["cut"] == pytest.approx(3 * 30 / 2 * 20, rel=2e-4)
    assert found["fill"] == pytest.approx(1 * 10 / 2 * 20, rel=2e-3)
    assert found["net"] == pytest.approx(found["fill"] - found["cut"], abs=1e-9)
    assert found["moved"] == pytest.approx(found["fill"] + found["cut"], abs=1e-9)
    assert found["area"] == pytest.approx(800, abs=1e-6)


def test_levelled_ground_is_moved_once(tmp_path: Path) -> None:
    ring = ((X + 20, Y - 60), (X + 60, Y - 60), (X + 60, Y - 40), (X + 20, Y - 40))
    levelled = {"terrain_polygon": ring, "terrain_height": 14.0}
    result = earthwork(tmp_path, [(30, 55, 40, 45)], [15.0], levelled)
    ground, house = result.tables["levels"].rows
    # Balanced about the middle; then the house stands 1 m above the level ground.
    assert ground[4] == pytest.approx(2 * 20 / 2 * 20, rel=1e-3)
    assert ground[5] == pytest.approx(2 * 20 / 2 * 20, rel=1e-3)
    assert house[4:6] == (0.0, pytest.approx(100 * 1.0, rel=1e-9))
    assert result.values["fill"].value == pytest.approx(ground[5] + 100, rel=1e-9)


def test_a_finer_cell_comes_nearer(tmp_path: Path) -> None:
    # The west wall lies between samples, where the ground is at 12.037 m.
    exact = (13 - 12.037) ** 2 / 0.1 / 2 * 19.7
    box = (20.37, 59.9, 58.9, 40.2)
    errors = [
        abs(values(earthwork(tmp_path, [box], [13.0], cell_size=cell))["fill"] - exact)
        for cell in (16.0, 0.1)
    ]
    assert errors[1] < 0.01 * exact < errors[0]


def test_ground_that_is_not_known_is_no_zero(tmp_path: Path) -> None:
    result = earthwork(tmp_path, [(80, 60, 100, 40)], [13.0])
    found = values(result)
    assert found["cut"] is None
    assert found["fill"] is None
    assert found["area_empty"] == pytest.approx(200, rel=0.1)
    assert any("no heights" in text for text in result.warnings)


def test_a_house_without_a_level_is_named_and_not_counted(tmp_path: Path) -> None:
    boxes = [(20, 60, 30, 50), (40, 60, 50, 50)]
    result = earthwork(tmp_path, boxes, [12.0, float("nan")])
    assert len(result.tables["levels"].rows) == 1
    assert any("has no level" in text for text in result.warnings)


def test_what_cannot_be_counted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="builds nothing"):
        earthwork(tmp_path)
    held = scene()
    raster(held, tmp_path, "terrain", np.full((4, 4), 10.0))
    with pytest.raises(UsageError, match="no scheme “X”"):
        api.run("schemes.earthwork", held, {"scheme": "X", "terrain": "terrain"})
