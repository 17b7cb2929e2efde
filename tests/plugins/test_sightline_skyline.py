"""Skylines against closed forms, their differences, their azimuths and their refusals."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sightline_scenes import X, Y, bodies, box, column, held, terrain

from plumbline import api
from plumbline.api import (
    Layer,
    LayerKind,
    MeshData,
    RefusedError,
    Result,
    Scene,
    Scheme,
    UsageError,
)
from plumbline.core.pick import EntityRef

AT = (X, Y, 0.0)


def skyline(scene: Scene, *obstacles: str, **params: Any) -> Result:
    given = {"viewpoint": [X, Y, 0.0], **params}
    return api.run("sightline.skyline", scene, obstacles=obstacles, **given)


def test_a_box_is_exact_in_every_azimuth() -> None:
    low, high = (-20.0, 50.0, -2.0), (35.0, 80.0, 42.0)
    scene = held(bodies({"tower": box(low, high, AT)}, crs=None), crs=None)
    table = skyline(scene, "city").tables["skyline"]
    assert table.columns[:4] == ("azimuth", "elevation", "distance", "entity")
    azimuth, elevation = column(table, "azimuth"), column(table, "elevation")
    assert azimuth == pytest.approx(np.arange(3600) / 10)
    a = np.radians(azimuth)
    # Seen from the south: the top edge at 50 m, unless a ray leaves through a side before.
    with np.errstate(divide="ignore", invalid="ignore"):
        near = 50.0 / np.cos(a)
        expected = np.degrees(np.arctan(42.0 / near))
    clear = (np.cos(a) > 0) & (50 * np.tan(a) > -19.9) & (50 * np.tan(a) < 34.9)
    assert clear.sum() > 550
    assert elevation[clear] == pytest.approx(expected[clear], abs=1e-9)
    assert column(table, "distance")[clear] == pytest.approx(near[clear])
    assert {row[3] for row in table.rows if row[1] is not None} == {"tower"}
    assert np.isnan(elevation[(azimuth > 90) & (azimuth < 270)]).all()


def test_a_hill_is_the_plane_that_it_is(tmp_path: Path) -> None:
    # Terrain rising 1 in 10 to the north; the viewpoint 2 m above it, cut at 400 m.
    north = (np.arange(100)[:, None] * -10.0 - 5 + 500) + np.zeros((100, 100))
    scene = held(terrain(tmp_path, 50 + north * 0.1))
    result = skyline(scene, "terrain", viewpoint=[X, Y], observer_height=2.0, max_distance=400)
    table = result.tables["skyline"]
    turn = scene.georeference.convergence(X, Y)
    grid = np.radians(column(table, "azimuth") - turn)
    expected = np.degrees(np.arctan2(400 * 0.1 * np.cos(grid) - 2.0, 400.0))
    assert column(table, "elevation") == pytest.approx(expected, abs=1e-4)
    assert result.values["north"].value == "true"
    assert result.values["highest_elevation"].value == pytest.approx(math.degrees(math.atan(0.095)))


def test_azimuths_are_from_true_north() -> None:
    mast = bodies({"mast": box((-0.5, 300, -5), (0.5, 301, 60), AT)})
    scene = held(mast)
    turn = scene.georeference.convergence(X, Y)
    assert abs(turn) > 0.2
    table = skyline(scene, "city", azimuth_from=-2, azimuth_to=2, step=0.01).tables["skyline"]
    azimuth, elevation = column(table, "azimuth"), column(table, "elevation")
    seen = np.where(azimuth > 180, azimuth - 360, azimuth)[~np.isnan(elevation)]
    half = math.degrees(math.atan(0.5 / 300))
    assert seen.min() == pytest.approx(turn - half, abs=0.011)
    assert seen.max() == pytest.approx(turn + half, abs=0.011)


def test_curvature_lowers_what_is_far() -> None:
    # 1, 10 and 50 km; the drop is d² (1 - k) / 2R, R the Gaussian radius there.
    for away in (1_000.0, 10_000.0, 50_000.0):
        wall = bodies({"w": box((-1, away, -50), (1, away + 1, 900), AT)})
        scene = held(wall)
        turn = scene.georeference.convergence(X, Y)
        around = {"azimuth_from": turn, "azimuth_to": turn + 0.0005, "step": 0.001}
        flat = skyline(scene, "city", **around).tables["skyline"].rows[0]
        bent = skyline(scene, "city", **around, curvature=True).tables["skyline"].rows[0]
        lat = math.radians(scene.georeference.geographic(X, Y)[1])
        a, e2 = 6378137.0, 0.00669438002290
        radius = a * math.sqrt(1 - e2) / (1 - e2 * math.sin(lat) ** 2)
        assert flat[1] == pytest.approx(math.degrees(math.atan(900 / away)), abs=1e-6)
        fallen = 900 - away**2 * 0.87 / (2 * radius)
        assert bent[1] == pytest.approx(math.degrees(math.atan(fallen / away)), abs=1e-5)


def two_schemes() -> Scene:
    """Return a scene with a tower at 100 m, 30 m high; scheme low hides it, scheme high adds."""
    scene = held(
        bodies({"old": box((-10, 100, -1), (10, 110, 30), AT)}, crs=None),
        bodies({"new": box((-10, 100, -1), (10, 110, 60), AT)}, "tower", crs=None),
        crs=None,
    )
    scene.set_schemes(
        [Scheme("low", "low", hidden=(EntityRef("city", "old"),)), Scheme("high", "high")]
    )
    return scene


def profile_area(height: float) -> float:
    """Return the area under the top of the tower, degrees by degrees."""
    a = np.linspace(-1, 1, 200_001) * math.atan(0.1)
    return float(np.degrees(np.trapezoid(np.degrees(np.arctan(height / 100 * np.cos(a))), a)))


def test_the_difference_of_two_sets_is_the_area_between_them() -> None:
    scene = two_schemes()
    result = skyline(scene, "city", compare=["tower"], step=0.002, azimuth_from=340, azimuth_to=20)
    expected = profile_area(60) - profile_area(30)
    assert result.values["difference_area"].value == pytest.approx(expected, rel=1e-3)
    assert result.values["raised_area"].value == pytest.approx(expected, rel=1e-3)
    assert result.values["lowered_area"].value == 0.0
    assert result.headline == "difference_area"
    assert len(result.tables["skyline_compare"].rows) == len(result.tables["skyline"].rows)
    # Sine of the elevation instead of the angle: what it covers of the sphere, square degrees.
    a = np.linspace(-1, 1, 20_001) * math.atan(0.1)
    sines = [np.sin(np.arctan(h / 100 * np.cos(a))) for h in (60, 30)]
    solid = float(np.trapezoid(sines[0] - sines[1], a)) * math.degrees(1) ** 2
    assert result.values["difference_solid_angle"].value == pytest.approx(solid, rel=1e-3)


def test_a_scheme_is_compared_with_the_baseline() -> None:
    scene = two_schemes()
    result = skyline(scene, "city", compare_scheme="low", step=0.002)
    assert result.values["lowered_area"].value == pytest.approx(profile_area(30), rel=1e-3)
    assert result.values["raised_area"].value == 0.0
    with pytest.raises(UsageError, match=r"compare_scheme: The schemes are: low, high\."):
        skyline(scene, "city", compare_scheme="none")


def test_a_range_through_north_is_told_and_nonsense_refused() -> None:
    scene = held(bodies({"tower": box((-5, 50, -5), (5, 60, 20), AT)}))
    around = skyline(scene, "city", azimuth_from=350, azimuth_to=10)
    assert len(around.tables["skyline"].rows) == 201
    assert any("past north" in text for text in around.warnings)
    assert any("Nothing stands in" in text for text in around.warnings)
    for params, text in (
        ({"azimuth_from": 90, "azimuth_to": 90}, "empty"),
        ({"azimuth_from": -90, "azimuth_to": 300}, "more than a full circle"),
        ({"step": 0.2}, "at most 0.1"),
        ({"step": 0.0}, "at least 0.001"),
        ({"max_distance": 0}, "greater than 0"),
    ):
        with pytest.raises(UsageError, match=text):
            skyline(scene, "city", **params)
    with pytest.raises(RefusedError, match="inside “tower”"):
        skyline(scene, "city", viewpoint=[X, Y + 55, 10])
    plane = held(bodies({"t": box((-5, 50, -5), (5, 60, 20), AT)}, crs=None), crs=None)
    with pytest.raises(RefusedError, match="no coordinate reference system"):
        skyline(plane, "city", curvature=True)


def test_nothing_at_all_has_no_skyline() -> None:
    empty = Layer("none", "none", LayerKind.MESH, MeshData(np.empty((0, 3)), np.empty((0, 3), int)))
    scene = held(bodies({"tower": box((-5, 50, -5), (5, 60, 20), AT)}, crs=None), empty, crs=None)
    result = skyline(scene, "none")
    assert result.values["highest_elevation"].value is None
    assert {row[1] for row in result.tables["skyline"].rows} == {None}
    assert any("100.0 %" in text for text in result.warnings)
    # Against nothing, the whole skyline is the difference.
    against = skyline(scene, "city", compare=["none"]).values["lowered_area"].value
    assert against == pytest.approx(
        skyline(scene, "none", compare=["city"]).values["raised_area"].value
    )
    with pytest.raises(RefusedError, match="out of range"):
        skyline(scene, "city", viewpoint=[1e300, Y, 1])


def test_the_figure_has_the_skyline_and_both_colours_of_the_difference() -> None:
    result = skyline(two_schemes(), "city", compare=["tower"], azimuth_from=340, azimuth_to=20)
    png = result.figures["skyline"]
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    assert picture.shape == (570, 1500, 3)
    raised = np.abs(picture - picture[190, 750]).max(axis=2) < 4
    # The tower is 11.4° of 40° wide, and what is new stands on what was there.
    assert 300 < raised[190].sum() < 480
    assert result.figures["skyline"] == png
