"""Isochrones against closed forms of a plane and a cone, and against bad rasters."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline import api
from plumbline.api import Georeference, GridData, Layer, LayerKind, RefusedError, Scene, UsageError
from plumbline.io.writers import write_raster

X, Y = 534_000.0, 3_993_000.0


def scene_with(values: Any, transform: tuple[float, ...], crs: str = "EPSG:4549") -> Scene:
    scene = Scene(Georeference.from_text(crs, (X, Y, 0.0)))
    grid = GridData(np.asarray(values), transform)  # type: ignore[arg-type]
    scene.add(Layer("hours", "时数", LayerKind.RASTER, grid, scene.georeference.crs))
    return scene


def north_up(cell: float, rows: int) -> tuple[float, ...]:
    return (cell, 0.0, X, 0.0, -cell, Y + rows * cell)


def centres(cell: float, rows: int, columns: int) -> tuple[Any, Any]:
    x = (np.arange(columns) + 0.5) * cell
    return np.meshgrid(x, (rows - np.arange(rows) - 0.5) * cell)


def test_a_plane_has_straight_lines_and_bands_of_equal_width() -> None:
    # Hours rise by 1 h each 10 m to the east; 2 m cells, 100 m by 60 m.
    x, _ = centres(2.0, 30, 50)
    result = api.run(
        "sunlight.isochrones",
        scene_with(x / 10, north_up(2.0, 30)),
        hours="hours",
        levels=[4, 2, 2.5],
    )
    # Between the outermost centres: 98 m by 58 m.
    assert [r[0] for r in result.tables["levels"].rows] == [2, 2.5, 4]
    for _, length in result.tables["levels"].rows:
        assert length == pytest.approx(58.0)
    areas = {(a, b): s for a, b, s in result.tables["bands"].rows}
    assert areas == {
        (None, 2): pytest.approx(58 * 19),
        (2, 2.5): pytest.approx(58 * 5),
        (2.5, 4): pytest.approx(58 * 15),
        (4, None): pytest.approx(58 * 59),
    }
    assert result.values["area"].value == pytest.approx(98 * 58)
    lines = result.layers["isochrones"].data.features  # type: ignore[union-attr]
    west, south, east, north = lines.geometry.iloc[0].bounds
    assert (west, east) == pytest.approx((X + 20, X + 20))
    assert (south, north) == pytest.approx((Y + 1, Y + 59))


def test_a_cone_has_circles() -> None:
    # 8 h less 1 h for each 20 m from the middle: 5 h is a circle of 60 m.
    x, y = centres(1.0, 240, 240)
    hours = 8 - np.hypot(x - 120, y - 120) / 20
    result = api.run(
        "sunlight.isochrones", scene_with(hours, north_up(1.0, 240)), hours="hours", levels=[5, 7]
    )
    lengths = dict(result.tables["levels"].rows)
    assert lengths[5] == pytest.approx(2 * math.pi * 60, rel=2e-3)
    assert lengths[7] == pytest.approx(2 * math.pi * 20, rel=2e-3)
    bands = {(a, b): s for a, b, s in result.tables["bands"].rows}
    assert bands[5, 7] == pytest.approx(math.pi * (60**2 - 20**2), rel=2e-3)


def test_a_turned_raster_and_one_in_feet() -> None:
    # The plane again, its rows running to the east; then in feet.
    x, _ = centres(2.0, 30, 50)
    turned = (0.0, 2.0, X, 2.0, 0.0, Y)
    result = api.run("sunlight.isochrones", scene_with(x / 10, turned), hours="hours", levels=[3])
    west, south, east, north = (
        result.layers["isochrones"].bounds.as_list()[:2]
        + (  # type: ignore
            result.layers["isochrones"].bounds.as_list()[3:5]  # type: ignore[union-attr]
        )
    )
    assert (south, north) == pytest.approx((Y + 30, Y + 30))
    assert east - west == pytest.approx(58)
    feet = api.run(
        "sunlight.isochrones",
        scene_with(x / 10, north_up(2.0, 30), "EPSG:2994"),
        hours="hours",
        levels=[3],
    )
    assert feet.tables["levels"].rows[0][1] == pytest.approx(58 * 0.3048)


def test_gaps_end_lines_and_a_geotiff_says_the_same(tmp_path: Path) -> None:
    x, y = centres(2.0, 30, 50)
    hours = np.where((y > 20) & (y < 30), np.nan, x / 10)
    write_raster(tmp_path / "hours.tif", hours, north_up(2.0, 30), api.parse_crs("EPSG:4549"))
    scene = Scene(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    for layer in api.load(tmp_path / "hours.tif"):
        layer.id = "hours"
        scene.add(layer)
    from_file = api.run("sunlight.isochrones", scene, hours="hours", levels=[3])
    given = api.run(
        "sunlight.isochrones", scene_with(hours, north_up(2.0, 30)), hours="hours", levels=[3]
    )
    assert from_file.tables == given.tables
    # Centres at 21..29 are missing, so that 19 to 31 is open.
    assert given.tables["levels"].rows[0][1] == pytest.approx(58 - 12)
    png = given.figures["isochrones"]
    assert png.startswith(b"\x89PNG")


def test_levels_that_nothing_reaches_are_said() -> None:
    result = api.run(
        "sunlight.isochrones",
        scene_with(np.full((4, 4), 3.0), north_up(1.0, 4)),
        hours="hours",
        levels=[2, 6],
    )
    assert any("6 h" in w for w in result.warnings)
    assert result.values["area"].value == pytest.approx(9)
    assert len(result.layers["bands"].data.features) == 1  # type: ignore[union-attr]


def test_what_cannot_be_contoured_is_refused() -> None:
    with pytest.raises(RefusedError, match="no hours"):
        api.run(
            "sunlight.isochrones",
            scene_with(np.full((4, 4), np.nan), north_up(1.0, 4)),
            hours="hours",
        )
    with pytest.raises(RefusedError, match="degrees"):
        api.run(
            "sunlight.isochrones",
            scene_with(np.eye(4), (1e-5, 0, 120, 0, -1e-5, 36), "EPSG:4490"),
            hours="hours",
        )
    with pytest.raises(UsageError, match="twice"):
        api.run(
            "sunlight.isochrones",
            scene_with(np.eye(4), north_up(1.0, 4)),
            hours="hours",
            levels=[2, 2],
        )


def test_a_request_gives_the_raster() -> None:
    scene = scene_with(np.eye(4), north_up(1.0, 4))
    square = [[X, Y], [X + 40, Y], [X + 40, Y + 40], [X, Y + 40]]
    asked = {
        "day": "2001-01-20",
        "receivers": {"polygon": square, "cell_size": 4, "height": 1},
        "band_from": 9,
        "band_to": 15,
    }
    result = api.run("sunlight.isochrones", scene, request=asked, levels=[1, 7])
    # Nothing stands there: six hours everywhere.
    assert result.values["lowest"].value == pytest.approx(6.0, abs=0.01)
    assert {(a, b): s for a, b, s in result.tables["bands"].rows}[1, 7] == pytest.approx(36.0**2)
    for params in ({"request": asked, "hours": "hours"}, {}, {"request": {"day": "2001-01-20"}}):
        with pytest.raises(UsageError, match=r"hours|request"):
            api.run("sunlight.isochrones", scene, params)
