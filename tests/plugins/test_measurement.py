"""Measurements against closed forms, PROJ and rasterio, at coordinates of real projects."""

from __future__ import annotations

import math
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS, Geod, Transformer

from plumbline import api
from plumbline.api import Georeference, InputError, RefusedError, Result, Scene, UsageError

#: The same place, without and with the prefix of the zone.
PLAIN = ("EPSG:4549", 534_200.0, 3_993_400.0)
PREFIXED = ("EPSG:4528", 40_534_200.0, 3_993_400.0)


def scene(crs: str | None = None) -> Scene:
    return Scene(Georeference.from_text(crs) if crs else None)


def values(result: Result) -> dict[str, Any]:
    return {name: value.value for name, value in result.values.items()}


def distance(crs: str | None, start: Any, end: Any) -> Result:
    return api.run("measure.distance", scene(crs), start=start, end=end)


# -- distance --------------------------------------------------------------------------------


@pytest.mark.parametrize(("crs", "x", "y"), [PLAIN, PREFIXED])
def test_distance_has_its_closed_form_at_large_coordinates(crs: str, x: float, y: float) -> None:
    found = values(distance(crs, [x, y, 12.5], [x + 3.25, y - 4.5, 15.0]))
    assert found["distance"] == pytest.approx(math.sqrt(3.25**2 + 4.5**2 + 2.5**2), abs=1e-9)
    assert found["horizontal"] == pytest.approx(math.hypot(3.25, 4.5), abs=1e-9)
    assert found["vertical"] == pytest.approx(2.5, abs=1e-12)
    assert found["slope"] == pytest.approx(
        math.degrees(math.atan2(2.5, math.hypot(3.25, 4.5))), abs=1e-9
    )
    assert found["slope_percent"] == pytest.approx(250 / math.hypot(3.25, 4.5), abs=1e-9)
    assert found["azimuth_grid"] == pytest.approx(
        math.degrees(math.atan2(3.25, -4.5)) % 360, abs=1e-9
    )


def test_the_prefix_of_the_zone_changes_nothing_but_the_coordinates() -> None:
    lines = [
        values(distance(crs, [x, y, 0], [x + 700, y + 300, 20])) for crs, x, y in (PLAIN, PREFIXED)
    ]
    assert lines[0] == pytest.approx(lines[1], rel=1e-9)


@pytest.mark.parametrize(("crs", "x", "y"), [PLAIN, PREFIXED, ("EPSG:4549", 634_000.0, 3.9934e6)])
@pytest.mark.parametrize("turn", range(0, 360, 45))
def test_true_azimuth_and_ground_distance_are_the_geodesic_s(
    crs: str, x: float, y: float, turn: int
) -> None:
    end = (x + 900 * math.sin(math.radians(turn)), y + 900 * math.cos(math.radians(turn)))
    found = values(distance(crs, [x, y, 0], [*end, 0]))
    to_lon_lat = Transformer.from_crs(CRS(crs), CRS("EPSG:4490"), always_xy=True)
    ellipsoid = Geod(a=6_378_137.0, rf=298.257222101)  # CGCS2000, by definition
    azimuth, _, length = ellipsoid.inv(*to_lon_lat.transform(x, y), *to_lon_lat.transform(*end))
    assert math.remainder(found["azimuth_true"] - azimuth, 360) == pytest.approx(0, abs=1e-9)
    assert found["ground_distance"] == pytest.approx(length, abs=1e-6)


def test_ground_distance_shows_the_scale_of_the_projection() -> None:
    # 1.2 degrees off the central meridian: scale 1 + (107 km / R)^2 / 2.
    found = values(distance("EPSG:4549", [607_000, 4e6, 0], [607_000, 4_001_000, 0]))
    expected = 1000 / (1 + (107_000 / 6_371_000) ** 2 / 2)
    assert found["ground_distance"] == pytest.approx(expected, abs=2e-3)
    assert found["horizontal"] == 1000.0


def test_feet_become_metres() -> None:
    result = distance("EPSG:2994", [640_000, 850_000, 400], [640_100, 850_000, 410])
    found = values(result)
    assert found["horizontal"] == pytest.approx(30.48, abs=1e-9)
    assert found["vertical"] == pytest.approx(3.048, abs=1e-9)
    assert "unit of heights" in result.warnings[0]


def test_heights_have_the_unit_that_the_crs_states() -> None:
    found = values(distance("EPSG:2229+5703", [6.5e6, 1.8e6, 0], [6.5e6 + 3937, 1.8e6, 10]))
    assert found["horizontal"] == pytest.approx(1200.0, abs=1e-9)
    assert found["vertical"] == 10.0


def test_degrees_are_measured_on_the_ellipsoid() -> None:
    result = distance("EPSG:4490", [120.0, 36.0, 0], [120.001, 36.0, 30])
    found = values(result)
    _, _, length = Geod(a=6_378_137.0, rf=298.257222101).inv(120.0, 36.0, 120.001, 36.0)
    assert found["horizontal"] == found["ground_distance"] == pytest.approx(length)
    assert found["distance"] == pytest.approx(math.hypot(length, 30))
    assert found["azimuth_grid"] is None
    assert "in degrees" in result.warnings[0]


def test_without_a_crs_what_needs_the_earth_is_unknown_and_said() -> None:
    result = distance(None, [0, 0, 0], [3, 4, 0])
    found = values(result)
    assert (found["distance"], found["azimuth_grid"]) == pytest.approx((5.0, 36.8698976458))
    assert found["azimuth_true"] is None
    assert found["ground_distance"] is None
    assert "No true azimuth" in result.warnings[0]


def test_one_point_twice_has_no_direction() -> None:
    result = distance("EPSG:4549", [5e5, 4e6, 7], [5e5, 4e6, 7])
    assert values(result) == {
        "distance": 0.0,
        "horizontal": 0.0,
        "vertical": 0.0,
        "slope": None,
        "slope_percent": None,
        "azimuth_grid": None,
        "azimuth_true": None,
        "ground_distance": 0.0,
    }
    assert "there is no azimuth" in result.warnings[0]


def test_a_plumb_line() -> None:
    found = values(distance("EPSG:4549", [5e5, 4e6, 0], [5e5, 4e6, -12.5]))
    assert (found["distance"], found["vertical"], found["slope"]) == (12.5, -12.5, -90.0)
    assert found["slope_percent"] is None


def test_far_outside_the_projection_there_is_no_earth() -> None:
    result = distance("EPSG:4549", [1e12, 1e12, 0], [0, 0, 0])
    assert result.values["azimuth_true"].value is None
    assert "outside the area" in result.warnings[0]


def test_no_uncertainty_is_invented() -> None:
    result = distance("EPSG:4549", [5e5, 4e6, 0], [5e5, 4e6, 1])
    assert all(value.uncertainty is None for value in result.values.values())


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"start": [0, 0, 0]},
        {"start": [0, 0], "end": [1, 1, 1]},
        {"start": [0, 0, float("nan")], "end": [1, 1, 1]},
        {"start": "0,0,inf", "end": [1, 1, 1]},
        {"start": [1e309, 0, 0], "end": [1, 1, 1]},
        {"start": "north", "end": [1, 1, 1]},
        {"start": [0, 0, 0], "end": [1, 1, 1], "__class__": "x"},
        {"start": {"__reduce__": 1}, "end": [[]]},
    ],
)
def test_hostile_parameters_are_refused_in_words(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        api.run("measure.distance", scene(), params)


def test_coordinates_that_overflow_are_refused() -> None:
    with pytest.raises(RefusedError, match="out of range"):
        distance(None, [1.7e308, 0, 0], [-1.7e308, 0, 0])


# -- polyline --------------------------------------------------------------------------------


def test_polyline_in_closed_form() -> None:
    x, y = PREFIXED[1:]
    points = [[x, y, 10], [x + 3, y + 4, 10], [x + 3, y + 4, 22], [x + 12, y + 4, 10]]
    result = api.run("measure.polyline", scene(PREFIXED[0]), points=points)
    found = values(result)
    assert found["length"] == pytest.approx(5 + 12 + 15, abs=1e-9)
    assert found["horizontal_length"] == pytest.approx(5 + 9, abs=1e-9)
    assert (found["ascent"], found["descent"]) == pytest.approx((12.0, 12.0))
    assert found["surface_length"] is None
    assert result.points == tuple(tuple(p) for p in points)


def test_points_of_other_sizes_and_too_few_are_refused() -> None:
    for points in ([], [[0, 0, 0]], [[0, 0, 0], [1]], [[0, 0, 0], [1, 2, 3, 4]]):
        with pytest.raises(UsageError):
            api.run("measure.polyline", scene(), points=points)


def test_a_point_without_height_needs_a_surface() -> None:
    with pytest.raises(UsageError, match="needs a surface"):
        api.run("measure.polyline", scene(), points=[[0, 0], [1, 1, 1]])


def raster(path: Path, heights: Any, cell: float = 2.0, nodata: float | None = None) -> Path:
    rows, columns = heights.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float64",
        crs="EPSG:4549", nodata=nodata,
        transform=Affine(cell, 0, 534_000, 0, -cell, 3_994_000),
    ) as file:  # fmt: skip
        file.write(heights.astype("float64"), 1)
    return path


def on_surface(path: Path, points: Any) -> Result:
    held = Scene()
    held.add(api.load(path, layer_id="dem")[0])
    return api.run("measure.polyline", held, points=points, surface="dem")


def plane(rows: int, columns: int, dx: float, dy: float, cell: float = 2.0) -> Any:
    """Return heights of a plane that rises by dx to the east and dy to the north."""
    x = (np.arange(columns) + 0.5) * cell
    y = -(np.arange(rows) + 0.5) * cell
    return 50 + dx * x[None, :] + dy * y[:, None]


def test_on_a_plane_the_surface_length_is_the_slope_length(tmp_path: Path) -> None:
    path = raster(tmp_path / "plane.tif", plane(40, 60, 0.25, -0.1))
    a, b = (534_010.3, 3_993_985.7), (534_100.9, 3_993_931.1)
    found = values(on_surface(path, [a, b]))
    run = math.hypot(b[0] - a[0], b[1] - a[1])
    rise = 0.25 * (b[0] - a[0]) - 0.1 * (b[1] - a[1])
    assert found["surface_length"] == pytest.approx(math.hypot(run, rise), abs=1e-6)
    assert found["length"] == pytest.approx(math.hypot(run, rise), abs=1e-6)
    assert found["ascent"] == pytest.approx(rise, abs=1e-6)
    assert found["descent"] == pytest.approx(0.0, abs=1e-6)


def test_a_rough_surface_agrees_with_fine_bilinear_sampling(tmp_path: Path) -> None:
    heights = np.random.default_rng(11).normal(60, 1.5, (40, 60))
    path = raster(tmp_path / "rough.tif", heights)
    line = [(534_008.0, 3_993_990.0), (534_095.5, 3_993_940.25), (534_020.0, 3_993_950.0)]
    found = values(on_surface(path, line))
    length, up = 0.0, 0.0
    for a, b in pairwise(line):
        share = np.linspace(0, 1, 400_001)[:, None]
        at = np.array(a) + share * (np.array(b) - np.array(a))
        column, row = (at[:, 0] - 534_000) / 2 - 0.5, (3_994_000 - at[:, 1]) / 2 - 0.5
        c, r = np.floor(column).astype(int), np.floor(row).astype(int)
        u, v = column - c, row - r
        z = (1 - v) * ((1 - u) * heights[r, c] + u * heights[r, c + 1]) + v * (
            (1 - u) * heights[r + 1, c] + u * heights[r + 1, c + 1]
        )
        steps = np.diff(z)
        length += np.hypot(np.hypot(*np.diff(at, axis=0).T), steps).sum()
        up += steps[steps > 0].sum()
    # Chords cut the corner at every edge of a cell, so the reference is a little short.
    assert 0 < found["surface_length"] - length < 2e-5 * length
    assert 0 < found["ascent"] - up < 1e-4 * up
    assert found["surface_length"] > found["length"]


def test_heights_of_points_come_from_the_surface_unless_given(tmp_path: Path) -> None:
    path = raster(tmp_path / "plane.tif", plane(40, 60, 0.0, 0.0))
    result = on_surface(path, [(534_010, 3_993_980), (534_020, 3_993_980, 62.0)])
    assert [p[2] for p in result.points] == pytest.approx([50.0, 62.0])
    assert result.values["length"].value == pytest.approx(math.hypot(10, 12))
    assert result.values["surface_length"].value == pytest.approx(10.0)


def test_a_line_across_a_gap_or_off_the_surface_is_refused(tmp_path: Path) -> None:
    heights = plane(40, 60, 0.0, 0.0)
    heights[10:20, 20:30] = -9999
    path = raster(tmp_path / "gap.tif", heights, nodata=-9999)
    for line in (
        [(534_010, 3_993_970), (534_110, 3_993_970)],
        [(534_010, 3_993_980), (533_000, 3_993_980)],
        [(534_010, 3_993_980), (534_000 + 121, 3_993_980)],
    ):
        with pytest.raises(RefusedError, match="no height at"):
            on_surface(path, line)


def test_a_surface_that_is_no_terrain_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "box.obj"
    file.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    held = Scene()
    held.add(api.load(file, layer_id="box")[0])
    with pytest.raises(RefusedError, match="no terrain raster"):
        api.run("measure.polyline", held, points=[[0, 0, 0], [1, 1, 1]], surface="box")


def test_a_surface_whose_file_is_gone_is_an_input_error(tmp_path: Path) -> None:
    path = raster(tmp_path / "plane.tif", plane(10, 10, 0.0, 0.0))
    held = Scene()
    held.add(api.load(path, layer_id="dem")[0])
    path.unlink()
    with pytest.raises(InputError):
        api.run(
            "measure.polyline", held, points=[[534_005, 3_993_990], [534_010, 3_993_990]],
            surface="dem",
        )  # fmt: skip


def test_a_surface_in_another_crs_is_sampled_in_its_own_grid(tmp_path: Path) -> None:
    path = raster(tmp_path / "plane.tif", plane(40, 60, 0.25, -0.1))
    held = Scene(Georeference.from_text("EPSG:4528"))
    target = held.georeference.crs
    held.add(api.load(path, layer_id="dem", target_crs=target)[0])
    line = [(40_534_010.3, 3_993_985.7), (40_534_100.9, 3_993_931.1)]
    found = values(api.run("measure.polyline", held, points=line, surface="dem"))
    same = values(on_surface(path, [(x - 4e7, y) for x, y in line]))
    assert found == pytest.approx(same, abs=1e-6)


# -- the plugin as an example ----------------------------------------------------------------


def test_the_manifest_offers_what_the_classes_are() -> None:
    import plumbline_measurement

    folder = Path(plumbline_measurement.__file__).parent
    manifest = tomllib.loads((folder / "plugin.toml").read_text("utf-8"))
    assert manifest["plugin"]["api_version"] == api.API_VERSION
    from plumbline.analysis.registry import Registry

    for row in manifest["analyses"]:
        registry = Registry()
        registry.add(row["id"], row["class"])
        analysis = registry.get(row["id"])
        assert (analysis.id, analysis.title) == (row["id"], row["title"])


def test_on_the_real_surface_of_goeteborg(real_data: Path) -> None:
    path = real_data / "terrain" / "goteborg" / "DEM_KRbig.tif"
    held = Scene()
    held.add(api.load(path, layer_id="dem")[0])
    line = [[147_740.25, 6_398_600.5], [147_930.75, 6_398_760.5]]
    found = values(api.run("measure.polyline", held, points=line, surface="dem"))
    straight = math.hypot(190.5, 160.0)
    assert found["horizontal_length"] == pytest.approx(straight, abs=1e-9)
    assert straight < found["surface_length"] < 1.3 * straight
    with rasterio.open(path) as file:
        z = file.read(1).astype(float)
        inverse = ~file.transform
    ends = []
    for x, y in line:
        column, row = inverse.a * x + inverse.c - 0.5, inverse.e * y + inverse.f - 0.5
        c, r = math.floor(column), math.floor(row)
        u, v = column - c, row - r
        ends.append(
            (1 - v) * ((1 - u) * z[r, c] + u * z[r, c + 1])
            + v * ((1 - u) * z[r + 1, c] + u * z[r + 1, c + 1])
        )
    assert found["ascent"] - found["descent"] == pytest.approx(ends[1] - ends[0], abs=1e-6)
