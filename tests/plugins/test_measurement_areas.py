"""Areas against closed forms, shapely and fine sampling."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Geod

from plumbline import api
from plumbline.api import Georeference, RefusedError, Result, Scene, UsageError

CRS = [("EPSG:4549", 534_200.0, 3_993_400.0), ("EPSG:4528", 40_534_200.0, 3_993_400.0)]


def area(polygon: Any, crs: str | None = None) -> Result:
    return api.run("measure.area", Scene(Georeference.from_text(crs)), polygon=polygon)


def values(result: Result) -> dict[str, Any]:
    return {name: value.value for name, value in result.values.items()}


def turned(points: Any, seed: int) -> Any:
    """Turn points at random in space."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(points) @ q.T


@pytest.mark.parametrize(("crs", "x", "y"), CRS)
@pytest.mark.parametrize("seed", range(5))
def test_a_turned_rectangle_keeps_its_area_and_perimeter(
    crs: str, x: float, y: float, seed: int
) -> None:
    flat = [[0, 0, 0], [12.5, 0, 0], [12.5, 8, 0], [0, 8, 0]]
    points = turned(flat, seed) + [x, y, 30]
    found = values(area(points.tolist(), crs))
    assert found["area_plane"] == pytest.approx(100.0, abs=1e-6)
    assert found["perimeter"] == pytest.approx(41.0, abs=1e-6)
    shadow = shapely.Polygon(points[:, :2] - [x, y]).area
    assert found["area_horizontal"] == pytest.approx(shadow, abs=1e-6)
    assert found["area_surface"] is None


def test_a_facade_has_an_area_but_none_on_the_map() -> None:
    found = values(area([[0, 0, 0], [30, 40, 0], [30, 40, 12], [0, 0, 12]]))
    assert found["area_plane"] == pytest.approx(600.0, abs=1e-9)
    assert found["area_horizontal"] == pytest.approx(0.0, abs=1e-9)


def test_the_best_fit_plane_lies_between_the_corners() -> None:
    # A saddle: its corners stand 1 m above and below the level square.
    result = area([[0, 0, 1], [10, 0, -1], [10, 10, 1], [0, 10, -1]])
    assert result.values["area_plane"].value == pytest.approx(100.0, abs=1e-9)


def test_a_concave_polygon_agrees_with_shapely_and_may_be_closed() -> None:
    ring = [(0, 0), (10, 0), (10, 10), (5, 2), (0, 10), (0, 0)]
    polygon = shapely.Polygon(ring)
    for given in (ring, polygon.wkt, shapely.geometry.mapping(polygon)):
        result = area(given)
        found = values(result)
        assert found["area_horizontal"] == pytest.approx(polygon.area, abs=1e-9)
        assert found["perimeter"] == pytest.approx(polygon.length, abs=1e-9)
        assert found["area_plane"] is None
        assert "no height" in result.warnings[0]


def test_feet_and_degrees() -> None:
    found = values(
        area([[6e6, 8e5, 0], [6e6 + 100, 8e5, 0], [6e6 + 100, 8e5 + 50, 0]], "EPSG:2994")
    )
    assert found["area_plane"] == pytest.approx(2500 * 0.3048**2, abs=1e-6)
    assert found["area_horizontal"] == pytest.approx(2500 * 0.3048**2, abs=1e-6)
    ring = [[120, 36], [120.01, 36], [120.01, 36.01]]
    expected, _ = Geod(ellps="GRS80").polygon_area_perimeter(*zip(*ring, strict=True))
    assert values(area(ring, "EPSG:4490"))["area_horizontal"] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    "polygon",
    [
        [[0, 0], [1, 1]],
        [[0, 0, 0], [1, 0, 0], [1, float("nan"), 0]],
        [[0, 0], [1, 0, 0], [1, 1, 0]],
        "POLYGON ((0 0, 1 0, 1 1",
        "POLYGON ((0 0, 9 0, 9 9, 0 0), (1 1, 2 1, 2 2, 1 1))",
        {"type": "Polygon", "coordinates": 7},
        {"type": "Point", "coordinates": [1, 2]},
        7,
    ],
)
def test_what_is_no_polygon_is_refused(polygon: Any) -> None:
    with pytest.raises(UsageError):
        area(polygon)


@pytest.mark.parametrize("z", [(), (5.0,)])
def test_a_bow_tie_and_a_line_are_refused(z: tuple[float, ...]) -> None:
    with pytest.raises(RefusedError, match="cross or touch"):
        area([[0, 0, *z], [10, 10, *z], [10, 0, *z], [0, 10, *z]])
    with pytest.raises(RefusedError, match=r"one line|no area"):
        area([[0, 0, *z], [5, 5, *z], [10, 10, *z]])


# -- along a surface -------------------------------------------------------------------------

X, Y, CELL = 534_000.0, 3_994_000.0, 2.0


def scene(path: Path, heights: Any, nodata: float | None = None) -> Scene:
    rows, columns = heights.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float64",
        crs="EPSG:4549", nodata=nodata, transform=Affine(CELL, 0, X, 0, -CELL, Y),
    ) as file:  # fmt: skip
        file.write(heights.astype("float64"), 1)
    held = Scene()
    held.add(api.load(path, layer_id="dem")[0])
    return held


OUTLINE = [(X + 11.3, Y - 10.7), (X + 90.1, Y - 17.2), (X + 71.9, Y - 70.4), (X + 40, Y - 30)]


def test_on_a_plane_the_surface_is_the_polygon_over_the_cosine(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:40, 0:60]
    held = scene(tmp_path / "plane.tif", 50 + 0.3 * CELL * columns - 0.4 * CELL * rows)
    result = api.run("measure.area", held, polygon=OUTLINE, surface="dem")
    found = values(result)
    flat = shapely.Polygon(np.array(OUTLINE) - (X, Y)).area
    assert found["area_horizontal"] == pytest.approx(flat, abs=1e-6)
    assert found["area_surface"] == pytest.approx(flat * math.sqrt(1.25), abs=1e-6)
    assert found["area_plane"] == pytest.approx(flat * math.sqrt(1.25), abs=1e-6)


def test_a_rough_surface_agrees_with_fine_sampling(tmp_path: Path) -> None:
    heights = np.random.default_rng(5).normal(60, 0.7, (40, 60))
    held = scene(tmp_path / "rough.tif", heights)
    # Whole cells between centres, so that the sampling needs no outline.
    square = [(X + 21, Y - 21), (X + 61, Y - 21), (X + 61, Y - 51), (X + 21, Y - 51)]
    found = values(api.run("measure.area", held, polygon=square, surface="dem"))
    z = heights[10:26, 10:31]
    nodes = (np.arange(60) + 0.5) / 60
    u, v = np.meshgrid(nodes, nodes)
    total = 0.0
    for r in range(15):
        for c in range(20):
            a, b, d, e = z[r, c], z[r, c + 1], z[r + 1, c], z[r + 1, c + 1]
            east = ((b - a) * (1 - v) + (e - d) * v) / CELL
            south = ((d - a) * (1 - u) + (e - b) * u) / CELL
            total += float(np.sqrt(1 + east**2 + south**2).mean()) * CELL**2
    assert found["area_surface"] == pytest.approx(total, rel=2e-5)
    # Cut in two, the halves are the whole.
    halves = [
        [square[0], square[1], square[2]],
        [square[0], square[2], square[3]],
    ]
    parts = [
        values(api.run("measure.area", held, polygon=half, surface="dem"))["area_surface"]
        for half in halves
    ]
    assert sum(parts) == pytest.approx(found["area_surface"], rel=1e-6)


def test_the_whole_raster_up_to_its_border(tmp_path: Path) -> None:
    held = scene(tmp_path / "level.tif", np.full((4, 6), 7.0))
    whole = [(X, Y), (X + 12, Y), (X + 12, Y - 8), (X, Y - 8)]
    found = values(api.run("measure.area", held, polygon=whole, surface="dem"))
    assert found["area_surface"] == pytest.approx(96.0, abs=1e-9)


def test_gaps_and_what_lies_outside_are_refused(tmp_path: Path) -> None:
    heights = np.full((40, 60), 5.0)
    heights[20, 20] = -9999
    held = scene(tmp_path / "gap.tif", heights, nodata=-9999)
    gap = [(X + 30, Y - 30, 0), (X + 60, Y - 30, 0), (X + 60, Y - 60, 0)]
    with pytest.raises(RefusedError, match="of the polygon only"):
        api.run(
            "measure.area",
            held,
            polygon=[(X + 20, Y - 20, 0), (X + 60, Y - 20, 0), (X + 20, Y - 60, 0)],
            surface="dem",
        )
    with pytest.raises(RefusedError, match="of the polygon only"):
        api.run("measure.area", held, polygon=[(x - 50, y, z) for x, y, z in gap], surface="dem")
    with pytest.raises(RefusedError, match="no height at"):
        api.run("measure.area", held, polygon=[(x + 9000, y) for x, y, _ in gap], surface="dem")
