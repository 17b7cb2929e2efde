"""Volumes over a base: cell sums of real rasters, closed forms on meshes, ranges on clouds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import trimesh
from tests.plugins.volume_scenes import X, Y, add, cloud, mesh, raster, scene, sheet, square, values

from plumbline import api
from plumbline.analysis.replay import replay
from plumbline.analysis.store import write_result
from plumbline.api import (
    Layer,
    LayerKind,
    MeshData,
    RefusedError,
    Result,
    Scene,
    TilesData,
    UsageError,
    VectorData,
)
from plumbline.core.tiles import Tile, TileSource

Shape = Callable[[Any, Any], Any]


def polygon_volume(held: Scene, **params: Any) -> Result:
    return api.run("volume.polygon", held, surface="s", **params)


# -- real surfaces -----------------------------------------------------------------------------


def test_the_net_volume_of_real_surfaces_is_the_sum_of_their_cells(real_data: Path) -> None:
    held = Scene()
    for name, layer_id in (("dsm", "s"), ("dtm", "dtm")):
        held.add(api.load(real_data / "terrain" / "opengeos" / f"{name}.tif", layer_id=layer_id)[0])
    result = polygon_volume(held, base="dtm")
    # Read off the files with another tool (README of the real data).
    assert result.values["net"].value == pytest.approx(910_912.54, abs=0.01)
    difference = result.layers["difference"].data
    source = held["s"].data
    assert difference.values.shape == (source.height, source.width)
    assert difference.transform == source.transform
    known = np.isfinite(difference.values)
    assert np.nansum(difference.values) * 4 == pytest.approx(result.values["net"].value)
    assert result.values["area"].value == pytest.approx(4 * known.sum())
    assert result.values["area_empty"].value == pytest.approx(4 * (~known).sum())


def test_goeteborg_stands_over_its_ground(real_data: Path) -> None:
    import rasterio

    held = Scene()
    sums = []
    for name, layer_id in (("DSM", "s"), ("DEM", "ground")):
        path = real_data / "terrain" / "goteborg" / f"{name}_KRbig.tif"
        held.add(api.load(path, layer_id=layer_id)[0])
        with rasterio.open(path) as file:
            sums.append(file.read(1, masked=True).astype(float).sum())
    found = values(polygon_volume(held, base="ground"))
    assert found["net"] == pytest.approx(sums[0] - sums[1], rel=1e-9)
    assert found["above"] - found["below"] == pytest.approx(found["net"])


# -- rasters -----------------------------------------------------------------------------------


def test_cells_on_the_outline_count_by_their_part_inside(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "s", np.full((50, 60), 12.0))
    corners = [[X + 3.3, Y - 41.7], [X + 44.9, Y - 30.2], [X + 20.1, Y - 5.5]]
    result = polygon_volume(held, polygon=corners, base_z=10)
    area = shapely.Polygon(corners).area
    assert result.values["net"].value == pytest.approx(2 * area, rel=1e-7)
    assert result.values["area"].value == pytest.approx(area, rel=1e-7)
    assert result.values["base"].value == "constant"
    assert result.layers["difference"].data.values.shape == (50, 60)


def test_every_base_stands_side_by_side(tmp_path: Path) -> None:
    held = scene()
    y, x = np.mgrid[0:40, 0:40]
    ground = 50 + 0.1 * x - 0.05 * y
    heap = np.where((abs(x - 20) < 5) & (abs(y - 20) < 5), 3.0, 0.0)
    raster(held, tmp_path, "s", ground + heap)
    raster(held, tmp_path, "before", ground)
    table = polygon_volume(held, base="before", base_z=50.0).tables["bases"]
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert list(rows) == ["constant", "lowest", "mean", "plane", "rim", "before"]
    volume = 9 * 9 * 3.0
    assert rows["constant"]["net"] == pytest.approx((ground + heap - 50).sum())
    assert rows["lowest"]["net"] == pytest.approx((ground + heap - ground.min()).sum())
    assert rows["mean"]["net"] == pytest.approx(0.0, abs=1e-6)
    for base in ("plane", "rim", "before"):
        assert rows[base]["net"] == pytest.approx(volume, rel=1e-6)
        assert rows[base]["below"] == pytest.approx(0.0, abs=1e-6)


def test_heights_and_lengths_in_feet_come_out_in_metres(tmp_path: Path) -> None:
    foot = 0.3048
    # EPSG:2994 counts international feet; a raster counts metres unless it says otherwise.
    held = scene("EPSG:2994")
    raster(held, tmp_path, "s", np.full((20, 20), 5.0), 10.0, "EPSG:2994")
    found = values(polygon_volume(held, base_z=2.0))
    assert found["area"] == pytest.approx((200 * foot) ** 2)
    assert found["net"] == pytest.approx(3.0 * (200 * foot) ** 2)
    assert found["cell_size"] == pytest.approx(10 * foot)
    box = trimesh.creation.box((20, 20, 10)).triangles + [0, 0, 5]
    mesh(held, "m", box)
    around = square(-9, -9, 9, 9)
    asked = {"surface": "m", "polygon": around, "base_z": 0.0, "cell_size": 0.1}
    in_mesh = values(api.run("volume.polygon", held, asked))
    assert in_mesh["net"] == pytest.approx(18 * 18 * 10 * foot**3, rel=1e-6)


def test_a_scheme_flattens_the_terrain(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "s", np.full((20, 20), 5.0))
    flat = api.Scheme(
        "b",
        "B",
        terrain_polygon=((X, Y), (X + 10, Y), (X + 10, Y - 20), (X, Y - 20)),
        terrain_height=3.0,
    )
    held.set_schemes([flat])
    request = api.AnalysisRequest("volume.polygon", {"surface": "s", "base_z": 0.0}, "b")
    assert api.run_request(request, held).values["net"].value == pytest.approx(200 * 5 + 200 * 3)
    assert polygon_volume(held, base_z=0.0).values["net"].value == pytest.approx(400 * 5)


# -- meshes: closed forms on tilted ground -----------------------------------------------------


def prism(x: Any, y: Any) -> Any:
    return np.where((abs(x) < 8.13) & (abs(y) < 6.07), 7.0, 0.0)


def cone(x: Any, y: Any) -> Any:
    return np.maximum(0.0, 8 * (1 - np.hypot(x, y) / 10))


def frustum(x: Any, y: Any) -> Any:
    return np.clip(8 - np.maximum(abs(x), abs(y)), 0, 4)


def hemisphere(x: Any, y: Any) -> Any:
    return np.sqrt(np.maximum(0.0, 81 - x**2 - y**2))


def torus(x: Any, y: Any) -> Any:
    return np.sqrt(np.maximum(0.0, 9 - (np.hypot(x, y) - 7) ** 2))


SHAPES: dict[str, tuple[Shape, float]] = {
    "prism": (prism, 16.26 * 12.14 * 7),
    "cone": (cone, math.pi * 100 * 8 / 3),
    "frustum": (frustum, 4 / 3 * (16**2 + 8**2 + 16 * 8)),
    "hemisphere": (hemisphere, 2 / 3 * math.pi * 9**3),
    "torus": (torus, math.pi**2 * 7 * 9),
}


@pytest.mark.parametrize("name", SHAPES)
def test_solids_on_tilted_ground_agree_with_their_closed_form(name: str) -> None:
    shape, volume = SHAPES[name]
    held = scene()
    tilt = sheet(lambda x, y: 0.05 * x - 0.1 * y + 30, 14.0, 14.0)
    if name == "prism":
        # Its own walls: a sheet of triangles would lean them.
        part = trimesh.creation.box((16.26, 12.14, 14.0)).triangles.copy()
        x, y = part[..., 0], part[..., 1]
        part[..., 2] = np.where(part[..., 2] > 0, 7.0, 0.0) + 0.05 * x - 0.1 * y + 30
    else:
        part = sheet(lambda x, y: shape(x, y) + 0.05 * x - 0.1 * y + 30, 12.0, 0.06)
    mesh(held, "s", part, tilt)
    found = polygon_volume(held, polygon=square(-11, -11, 11, 11), base="plane", cell_size=0.22)
    assert found.values["net"].value == pytest.approx(volume, rel=1e-3)
    over_rim = {row[0]: row[4] for row in found.tables["bases"].rows}["rim"]
    assert over_rim == pytest.approx(volume, rel=1e-3)


def test_air_under_an_overhang_is_named() -> None:
    held = scene()
    deck = trimesh.creation.box((20, 10, 0.5)).triangles + [0, 0, 6]
    mesh(held, "s", deck, sheet(lambda x, y: 0.0 * x, 20.0, 20.0))
    found = polygon_volume(held, polygon=square(-15, -15, 15, 15), base_z=0.0, cell_size=0.5)
    assert found.values["net"].value == pytest.approx(20 * 10 * 6.25, rel=1e-3)
    said = next(text for text in found.warnings if "overhang" in text)
    # 20 × 10 m, from the lower side at 5.75 m down to the ground.
    volume = float(said.split("about ")[1].split(" m³")[0])
    assert volume == pytest.approx(20 * 10 * 5.75, rel=0.01)


class OneTile(TileSource):
    """A coarse root with one finer child beneath it."""

    def __init__(self, coarse: MeshData, fine: MeshData) -> None:
        super().__init__()
        assert coarse.bounds is not None
        self.held = {"root": coarse, "fine": fine}
        self.tiles = {
            name: Tile(name, coarse.bounds, error, is_leaf=name == "fine")
            for name, error in (("root", 5.0), ("fine", 0.0))
        }

    def roots(self) -> tuple[Tile, ...]:
        return (self.tiles["root"],)

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        return (self.tiles["fine"],) if tile.id == "root" else ()

    def content(self, tile: Tile) -> MeshData:
        return self.held[tile.id]


def test_tiles_are_measured_as_fine_as_they_are() -> None:
    held = scene()
    data = []
    for height in (3.0, 4.0):
        part = trimesh.creation.box((20, 10, 2 * height)).triangles.reshape(-1, 3) + (X, Y, 0)
        data.append(MeshData(part, np.arange(36).reshape(-1, 3)))
    add(held, "s", LayerKind.TILES, TilesData(OneTile(*data), {"tiles": 2}))
    found = polygon_volume(held, polygon=square(-8, -4, 8, 4), base_z=0.0, cell_size=1.0)
    assert found.values["net"].value == pytest.approx(16 * 8 * 4)
    assert not any("coarser" in text for text in found.warnings)


def test_real_tiles_agree_with_the_same_tile_as_one_mesh(real_data: Path) -> None:
    held = Scene()
    held.add(api.load(real_data / "osgb" / "Production_5" / "metadata.xml", layer_id="s")[0])
    tiles = held["s"]
    assert tiles.kind == LayerKind.TILES
    box = tiles.bounds
    west, south = box.xmin + 20, box.ymin + 20
    ring = [[west, south], [west + 50, south], [west + 50, south + 50], [west, south + 50]]
    by_tiles = polygon_volume(held, polygon=ring, base_z=box.zmin, cell_size=1.0)
    mesh_of_all = tiles.data.mesh().mesh
    whole = Layer("s", "s", LayerKind.MESH, mesh_of_all, tiles.crs)
    other = Scene()
    other.add(whole)
    by_mesh = polygon_volume(other, polygon=ring, base_z=box.zmin, cell_size=1.0)
    assert by_tiles.values["net"].value == pytest.approx(by_mesh.values["net"].value, rel=1e-9)
    assert by_tiles.values["area"].value > 0.9 * 2500


# -- clouds: the stated range ------------------------------------------------------------------


def trial(name: str, density: float, seed: int, base: str) -> tuple[float, float]:
    """Return error and stated half width for a cloud sampled evenly over the map."""
    from plumbline.api import Feedback, base_of, region, volumes_between
    from plumbline_volume.analysis.surfaces import make_cover, surface_of

    shape, volume = SHAPES[name]
    random = np.random.default_rng([seed, int(density)])
    x, y = random.uniform(-14, 14, (2, random.poisson(density * 28**2)))
    z = shape(x, y) + 0.05 * x - 0.1 * y + 30 + random.normal(0, 0.02, len(x))
    if base == "constant":
        z -= 0.05 * x - 0.1 * y
    held = scene()
    cloud(held, "s", np.column_stack([x, y, z]))
    angle = np.linspace(0, 2 * np.pi, 48)[:-1]
    ring = np.column_stack([X + 0.3 + 12.4 * np.cos(angle), Y + 12.4 * np.sin(angle)])
    surface = surface_of(held, "s")
    covered = make_cover([surface], region(((tuple(map(tuple, ring.tolist())),),)), None)
    heights = surface.heights(covered, Feedback())
    found = volumes_between(covered, heights, base_of(base, covered, heights, 30.0))
    return found.net - volume, found.u_net


def holds(trials: int, names: Any, densities: Any, bases: Any) -> dict[Any, float]:
    shares = {}
    for name in names:
        for density in densities:
            for base in bases:
                runs = [trial(name, density, seed, base) for seed in range(trials)]
                shares[name, density, base] = np.mean([abs(error) <= u for error, u in runs])
    return shares


def test_the_stated_range_of_clouds_holds() -> None:
    shares = holds(6, ("prism", "torus"), (4, 16), ("constant", "plane"))
    assert np.mean(list(shares.values())) >= 0.9, shares


@pytest.mark.nightly
def test_the_stated_range_of_clouds_holds_in_two_hundred_trials() -> None:
    shares = holds(200, SHAPES, (4, 16, 64), ("constant", "plane", "rim"))
    assert min(shares.values()) >= 0.9, shares


def test_a_cloud_does_not_depend_on_the_order_of_its_points() -> None:
    random = np.random.default_rng(4)
    x, y = random.uniform(-14, 14, (2, 12_000))
    points = np.column_stack([x, y, hemisphere(x, y)])
    found = []
    for order in (np.arange(len(x)), random.permutation(len(x))):
        held = scene()
        cloud(held, "s", points[order])
        found.append(values(polygon_volume(held, polygon=square(-12, -12, 12, 12))))
    assert found[0] == found[1]


def test_only_points_of_the_classes_asked_for_count() -> None:
    random = np.random.default_rng(4)
    x, y = random.uniform(0, 20, (2, 20_000))
    trees = random.random(len(x)) < 0.5
    held = scene()
    points = np.column_stack([x, y, np.where(trees, 9.0, 2.0)])
    cloud(held, "s", points, classification=np.where(trees, 5, 2).astype(np.uint8))
    found = values(polygon_volume(held, polygon=square(0, 0, 20, 20), base_z=0, classes=[2]))
    assert found["net"] == pytest.approx(800.0, rel=1e-5)
    bare = scene()
    cloud(bare, "s", points)
    with pytest.raises(RefusedError, match="no classes"):
        polygon_volume(bare, classes=[2])


def test_gaps_of_a_cloud_are_told_and_filled_only_near_points() -> None:
    random = np.random.default_rng(9)
    x, y = random.uniform(0, 40, (2, 30_000))
    hole = (abs(x - 20) < 10) & (abs(y - 20) < 10)
    held = scene()
    cloud(held, "s", np.column_stack([x, y, np.full(len(x), 5.0)])[~hole])
    asked = {"polygon": square(0, 0, 40, 40), "base_z": 0.0, "cell_size": 1.0}
    left = values(polygon_volume(held, empty="leave", **asked))
    assert left["area_empty"] == pytest.approx(400.0)
    assert left["net"] == pytest.approx(1200 * 5, rel=1e-5)
    filled = values(polygon_volume(held, empty="interpolate", **asked))
    assert filled["net"] == pytest.approx(1600 * 5, rel=1e-5)
    assert filled["area_interpolated"] == pytest.approx(400.0)
    near = polygon_volume(held, **asked)
    assert 0 < near.values["area_interpolated"].value < 400
    assert any("interpolated" in text for text in near.warnings)


# -- what is refused, and what is said ---------------------------------------------------------


def test_a_polygon_that_crosses_itself_is_refused(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "s", np.ones((20, 20)))
    bow = [[X + 2, Y - 2], [X + 12, Y - 12], [X + 12, Y - 2], [X + 2, Y - 12]]
    with pytest.raises(RefusedError, match="cross"):
        polygon_volume(held, polygon=bow, base_z=0)


def test_a_polygon_outside_of_the_surface_is_refused(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "s", np.ones((20, 20)))
    with pytest.raises(RefusedError, match="outside"):
        polygon_volume(held, polygon=square(100, 100, 120, 120), base_z=0)
    partly = polygon_volume(held, polygon=square(10, -10, 30, 0), base_z=0)
    assert any("50.0 % of the polygon lie outside" in text for text in partly.warnings)
    assert partly.values["area_empty"].value == pytest.approx(100.0)


def test_a_surface_without_heights_inside_is_refused(tmp_path: Path) -> None:
    held = scene()
    z = np.full((20, 20), np.nan)
    z[:, 15:] = 4.0
    raster(held, tmp_path, "s", z)
    with pytest.raises(RefusedError, match="no height"):
        polygon_volume(held, polygon=square(0, -20, 10, 0), base_z=0)
    mostly = polygon_volume(held, base_z=0)
    assert any("More than half" in text for text in mostly.warnings)


def test_numbers_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    held = scene()
    cloud(held, "s", np.random.default_rng(1).uniform(0, 50, (500, 3)))
    with pytest.raises(RefusedError, match="million cells"):
        polygon_volume(held, cell_size=0.001)
    with pytest.raises(UsageError):
        polygon_volume(held, cell_size=1e-300)
    wide = polygon_volume(held, polygon=square(-1e7, -1e7, 1e7, 1e7), base_z=0.0, cell_size=5)
    assert wide.values["area"].value <= 2500
    assert any("outside of the surface" in text for text in wide.warnings)
    raster(held, tmp_path, "t", np.ones((20, 20)))
    pit = {"terrain": "t", "polygon": square(5, -15, 15, -5), "slope_ratio": 20}
    with pytest.raises(UsageError):
        api.run("volume.excavation", held, **pit, bottom=-1e300)
    # Cells of a slope a hundred kilometres wide miss a terrain of 20 m.
    with pytest.raises(RefusedError, match="no heights"):
        api.run("volume.excavation", held, **pit, bottom=-5_000)


def test_a_layer_without_heights_is_refused() -> None:
    import geopandas

    held = scene()
    features = geopandas.GeoDataFrame(geometry=[shapely.box(X, Y, X + 1, Y + 1)], crs="EPSG:4549")
    add(held, "s", LayerKind.VECTOR, VectorData(features))
    with pytest.raises(RefusedError, match="gives no heights"):
        polygon_volume(held)


def test_degrees_are_refused() -> None:
    held = scene("EPSG:4326")
    cloud(held, "s", np.zeros((5, 3)))
    with pytest.raises(RefusedError, match="degrees"):
        polygon_volume(held)


def test_bases_that_are_none_are_named(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "s", np.ones((20, 20)))
    with pytest.raises(UsageError, match="no layer"):
        polygon_volume(held, base="highest")
    with pytest.raises(UsageError, match="needs a height"):
        polygon_volume(held, base="constant")


def test_heights_in_feet_beside_metres_are_told(tmp_path: Path) -> None:
    held = scene()
    raster(held, tmp_path, "s", np.full((20, 20), 328.08))
    raster(held, tmp_path, "other", np.full((20, 20), 100.0))
    found = polygon_volume(held, base="other")
    assert any("seems to be in feet" in text for text in found.warnings)
    held["s"].metadata["z_factor"] = 0.3048
    found = polygon_volume(held, base="other")
    assert any("different units" in text for text in found.warnings)


def test_a_stored_result_replays_to_the_same_numbers(tmp_path: Path) -> None:
    held = scene()
    random = np.random.default_rng(1)
    raster(held, tmp_path, "s", random.normal(10, 1, (30, 30)))
    path = write_result(polygon_volume(held, polygon=square(3.3, -25, 27, -2)), tmp_path / "out")
    assert (tmp_path / "out" / "difference.tif").is_file()
    assert (tmp_path / "out" / "histogram.png").is_file()
    assert replay(path)[1] == []


def test_what_a_scheme_clears_of_a_capture_is_no_volume(tmp_path: Path) -> None:
    """A plateau of 5 m on 20 m x 20 m, by cloud and by mesh: 6 m x 10 m are cleared of both."""
    held = scene()
    x, y = (part.ravel() / 2 + 0.25 for part in np.meshgrid(np.arange(40), np.arange(40)))
    cloud(held, "cloud", np.column_stack([x, y, np.full(len(x), 5.0)]))
    corners = np.array([[0, 0, 5], [20, 0, 5], [20, 20, 5], [0, 20, 5]], float)
    mesh(held, "mesh", corners[[[0, 1, 2], [0, 2, 3]]])
    ring = tuple((X + a, Y + b) for a, b in ((4, 5), (10, 5), (10, 15), (4, 15)))
    held.set_schemes([api.Scheme("s", "S", cleared=(api.Clearing((ring,)),))])
    for layer_id in ("cloud", "mesh"):
        asked = {
            "surface": layer_id, "polygon": square(0, 0, 20, 20), "base_z": 0.0, "cell_size": 1.0,
        }  # fmt: skip
        whole = values(api.run("volume.polygon", held, asked))
        left = values(api.run_request(api.AnalysisRequest("volume.polygon", asked, "s"), held))
        assert whole["net"] == pytest.approx(400 * 5), layer_id
        assert left["net"] == pytest.approx(340 * 5), layer_id
        assert left["area_empty"] == pytest.approx(60), layer_id
