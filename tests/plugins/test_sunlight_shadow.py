"""Shadows against their closed forms: a box throws a prism, and its length is height / tan."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from shapely import affinity

from plumbline import api
from plumbline.analysis.store import write_result
from plumbline.api import (
    Georeference,
    GridData,
    Layer,
    LayerKind,
    LayerStyle,
    MeshData,
    RefusedError,
    Scene,
    UsageError,
    VectorData,
)

X, Y = 500_000.0, 4_000_000.0
HIGH = {"azimuth": 180.0, "elevation": 45.0}


def scene(crs: str | None = "EPSG:4549", x: float = X) -> Scene:
    """Return a scene with a box of 20 × 10 m, 30 m high, its middle at (x, Y)."""
    made = Scene(Georeference.from_text(crs, (x, Y, 0.0)))
    frame = geopandas.GeoDataFrame(
        {"高度": [31.0], "基底": [-1.0]},
        geometry=[shapely.box(x - 10, Y - 5, x + 10, Y + 5)],
        index=["box"],
        crs=crs,
    )
    style = LayerStyle(extrude="高度", base="基底", drape=False)
    own = api.parse_crs(crs) if crs else None
    made.add(Layer("box", "楼", LayerKind.VECTOR, VectorData(frame), own, style=style))
    return made


def around(half: float, x: float = X, y: float = Y) -> list[list[float]]:
    return [[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half]]


def shadow_of_the_box(azimuth: float, elevation: float) -> shapely.Polygon:
    """Return the shadow on the ground, the box's own footprint left out: a hull of two outlines."""
    foot = shapely.box(X - 10, Y - 5, X + 10, Y + 5)
    reach = 30 / math.tan(math.radians(elevation))
    dx, dy = (-reach * f(math.radians(azimuth)) for f in (math.sin, math.cos))
    hull = shapely.union_all([foot, affinity.translate(foot, dx, dy)]).convex_hull
    return hull.difference(foot)


@pytest.mark.parametrize(("azimuth", "elevation"), [(180.0, 45.0), (143.0, 30.0), (250.0, 20.0)])
def test_the_shadow_of_a_box(azimuth: float, elevation: float) -> None:
    sun = {"azimuth": azimuth, "elevation": elevation, "north": "grid"}
    receivers = {"polygon": around(120), "cell_size": 1}
    result = api.run("sunlight.shadow", scene(), sun=sun, receivers=receivers, obstacles=["box"])
    expected = shadow_of_the_box(azimuth, elevation)
    outline = result.layers["shadows"].data.features.geometry.iloc[0]
    # Cells of 1 m follow an outline to half a cell; receivers are lifted by 2 cm.
    assert outline.symmetric_difference(expected).area < 0.55 * expected.length
    assert outline.area == pytest.approx(expected.area, rel=0.02)
    cells = result.layers["sunlit"].data
    assert isinstance(cells, GridData)
    assert cells.values.dtype == np.uint8
    assert (cells.values == 255).sum() == 200  # the footprint
    dark = (cells.values == 0).sum()
    assert dark == outline.area
    share = 100 * (cells.values == 1).sum() / (240 * 240 - 200)
    assert result.values["sunlit_share"].value == pytest.approx(share)


def test_true_north_is_turned_by_the_convergence() -> None:
    # 127 km east of the central meridian: 0.82 degrees.
    x = 627_000.0
    made = scene(x=x)
    bend = made.georeference.convergence(x, Y)
    asked = {"receivers": {"polygon": around(60, x), "cell_size": 0.5}, "obstacles": ["box"]}
    true = {"azimuth": 150.0, "elevation": 35.0, "north": "true"}
    grid = {"azimuth": 150.0 - bend, "elevation": 35.0, "north": "grid"}
    one = api.run("sunlight.shadow", made, asked, sun=true)
    two = api.run("sunlight.shadow", made, asked, sun=grid)
    other = api.run("sunlight.shadow", made, asked, sun={**true, "north": "grid"})
    same = [r.layers["sunlit"].data.values for r in (one, two, other)]
    # The squares of one sun are 500 m wide: 0.003 degrees of convergence, a cell at the outline.
    assert (same[0] != same[1]).sum() <= 3
    assert (same[0] != same[2]).sum() > 30


def test_a_time_has_the_sun_of_that_time() -> None:
    asked = {"receivers": {"polygon": around(100), "cell_size": 2}, "obstacles": ["box"]}
    at = api.run("sunlight.shadow", scene(), asked, time="2001-01-20T10:00+08:00")
    where = api.run("sunlight.position", scene(), time="2001-01-20T10:00+08:00", point=[X, Y])
    for name in ("azimuth_true", "azimuth_grid"):
        assert at.values[name].value == pytest.approx(where.values[name].value, abs=0.005)
    sun = {
        "azimuth": where.values["azimuth_true"].value,
        "elevation": where.values["elevation_true"].value,
    }
    given = api.run("sunlight.shadow", scene(), asked, sun=sun)
    different = at.layers["sunlit"].data.values != given.layers["sunlit"].data.values
    assert different.sum() <= 2


def test_shadows_of_a_day() -> None:
    receivers = {"polygon": around(40, y=Y + 45), "cell_size": 4}
    result = api.run(
        "sunlight.shadow",
        scene(),
        day="winter_solstice",
        year=2001,
        interval=60,
        receivers=receivers,
        obstacles=["box"],
    )
    rows = result.tables["hourly"].rows
    assert [row[0][11:16] for row in rows] == [f"{h:02d}:00" for h in range(8, 17)]
    share = result.layers["sunlit"].data.values
    assert result.values["sunlit_share"].value == pytest.approx(np.mean([row[4] for row in rows]))
    assert np.nanmax(share) > 80 > 40 > np.nanmin(share)
    assert len(result.layers["shadows"].data.features) >= 7


def test_faces_are_painted() -> None:
    sun = {"azimuth": 180.0, "elevation": 40.0, "north": "grid"}
    result = api.run("sunlight.shadow", scene(), sun=sun, receivers=["box"])
    mesh = result.layers["sunlit"].data
    assert isinstance(mesh, MeshData)
    middle = mesh.vertices[mesh.triangles].mean(axis=1)
    lit = mesh.scalars["sunlit"]
    south, north = middle[:, 1] < Y - 4.99, middle[:, 1] > Y + 4.99
    roof = mesh.vertices[mesh.triangles][:, :, 2].min(axis=1) > 29.99
    assert lit[south].all()
    assert lit[roof].all()
    assert not lit[north].any()


def test_a_raster_surface_shades_itself_on_its_own_grid(tmp_path: Path) -> None:
    """A step of 10 m between cells: at 45 degrees it shades the 10 m behind it."""
    heights = np.zeros((40, 60), dtype=np.float32)
    heights[20:, :] = 10.0  # high in the south
    path = tmp_path / "steps.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=40,
        width=60,
        count=1,
        dtype="float32",
        crs="EPSG:4549",
        transform=rasterio.Affine(1.0, 0.0, X, 0.0, -1.0, Y),
    ) as file:
        file.write(heights, 1)
    layer = api.load(path)[0]
    made = Scene(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    made.add(layer)
    sun = {"azimuth": 180.0, "elevation": 45.0, "north": "grid"}
    result = api.run("sunlight.shadow", made, sun=sun, receivers=layer.id)
    out = tmp_path / "out"
    write_result(result, out)
    with rasterio.open(out / "sunlit.tif") as file:
        assert file.shape == (40, 60)
        assert file.transform == rasterio.Affine(1.0, 0.0, X, 0.0, -1.0, Y)
        assert file.nodata == 255
        lit = file.read(1)
    # Row 20 is the edge, 10 m high at its centre line; 19 the foot of the slope of one cell.
    assert lit[:10].all()
    assert lit[20:].all()
    # Row 10 is 10 m behind the edge, on the outline itself; outer columns lie on the border.
    assert not lit[11:20, 1:-1].any()


def test_without_a_crs_only_grid_north_is_known() -> None:
    asked: dict[str, Any] = {"receivers": {"polygon": around(50)}, "obstacles": ["box"]}
    sun = {"azimuth": 180.0, "elevation": 45.0}
    found = api.run("sunlight.shadow", scene(None), asked, sun={**sun, "north": "grid"})
    assert found.values["sunlit_share"].value < 100
    for more in ({"sun": sun}, {"time": "2026-01-20T10:00+08:00"}):
        with pytest.raises(RefusedError, match="no coordinate reference system"):
            api.run("sunlight.shadow", scene(None), asked, **more)


def test_refusals() -> None:
    asked: dict[str, Any] = {"receivers": {"polygon": around(50)}, "obstacles": ["box"]}
    with pytest.raises(RefusedError, match="below the horizon"):
        api.run("sunlight.shadow", scene(), asked, time="2026-01-20T23:00+08:00")
    with pytest.raises(UsageError, match="one of time, sun and day"):
        api.run("sunlight.shadow", scene(), asked)
    with pytest.raises(UsageError, match="greater than 0"):
        api.run("sunlight.shadow", scene(), asked, sun={"azimuth": 0, "elevation": 0})
    with pytest.raises(RefusedError, match="inside"):
        api.run("sunlight.shadow", scene(), {**asked, "receivers": [[X, Y, 3.0]]}, sun=HIGH)
    wide = {"polygon": around(5000), "cell_size": 0.5}
    with pytest.raises(RefusedError, match="million receivers"):
        api.run("sunlight.shadow", scene(), {**asked, "receivers": wide}, sun=HIGH)
