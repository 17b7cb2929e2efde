"""`truth.json` against what independent readers measure in the files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plumbline.demo import DemoDistrict


def read(district: DemoDistrict, ident: str) -> Any:
    import geopandas

    layer = district.layer(ident)
    return geopandas.read_file(district.folder / layer.path, layer=layer.sublayer, engine="pyogrio")


def test_buildings_agree_with_the_vector_layer(
    district: DemoDistrict, truth: dict[str, Any]
) -> None:
    table = read(district, "buildings").set_index("编号")
    assert 280 <= len(table) == truth["buildings_total"]["count"] <= 400
    for row in truth["buildings"]:
        own = table.loc[row["id"]]
        assert own.geometry.area == pytest.approx(row["footprint_area"], abs=1e-4)
        assert own["高度"] == pytest.approx(row["height"], abs=0.006)
        assert own["层数"] == row["storeys"]
        assert own["建筑面积"] == pytest.approx(row["storeys"] * own.geometry.area, abs=0.02)
        assert (own["拆除"] == "是") == row["demolish"]
    marked = table[table["拆除"] == "是"]
    assert len(marked) == truth["old_quarter"]["count"] >= 60
    assert marked.area.sum() == pytest.approx(truth["old_quarter"]["footprint_area"], abs=0.01)


def test_building_models_have_the_true_volumes(
    district: DemoDistrict, truth: dict[str, Any]
) -> None:
    """Volume from the OBJ by the divergence theorem: open below, so close it at the base."""
    triangles = objects(district.folder / district.layer("models").path)
    rows = {row["id"]: row for row in truth["buildings"]}
    assert set(rows) <= set(triangles)
    for ident, points in triangles.items():
        if ident not in rows:
            continue
        row = rows[ident]
        points = points.copy()
        # Walls reach below the base; counted from the base their feet hold no volume.
        points[..., 2] = np.maximum(points[..., 2] - row["base"], 0)
        points[..., :2] -= points[..., :2].mean(axis=(0, 1))
        a, b, c = points[:, 0], points[:, 1], points[:, 2]
        # The open underside lies at z = 0, where z dA vanishes: integrate z over the top.
        normal_z = np.cross(b - a, c - a)[:, 2] / 2
        volume = float((normal_z * (a[:, 2] + b[:, 2] + c[:, 2]) / 3).sum())
        assert volume == pytest.approx(row["volume"] + row["volume_extras"], rel=5e-4), ident


def objects(path: Any) -> dict[str, Any]:
    """Return object -> triangles (n, 3, 3) of an OBJ file."""
    vertices, found, name = [], {}, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(k) for k in rest.split()])
        elif kind == "o":
            name = rest
        elif kind == "f":
            found.setdefault(name, []).append([int(k.split("/")[0]) - 1 for k in rest.split()])
    points = np.array(vertices)
    return {key: points[np.array(faces)] for key, faces in found.items()}


def test_terrain_agrees(district: DemoDistrict, truth: dict[str, Any]) -> None:
    import rasterio

    with rasterio.open(district.folder / "terrain.tif") as data:
        assert data.crs.to_epsg() == 4549
        assert data.nodata == -9999
        assert data.overviews(1) == [2, 4, 8]
        assert (data.width, data.height) == (1200, 1000)
        z = data.read(1)
        for sample in truth["terrain"]["samples"]:
            x, y, level = sample["point"]
            assert next(data.sample([(x, y)]))[0] == pytest.approx(level, abs=1e-4)
    for row in truth["terrain"]["volume_above"]:
        assert np.maximum(z - row["level"], 0).sum(dtype=float) == pytest.approx(
            row["volume"], rel=1e-6
        )
    assert z.max() > 60
    assert z.min() < -5


def test_platforms_are_level(district: DemoDistrict) -> None:
    """Terrain under each building is its base: extrusion, models and cloud stand on the ground."""
    import rasterio
    from rasterio import Affine
    from rasterio.features import geometry_mask

    table = read(district, "buildings")
    with rasterio.open(district.folder / "terrain.tif") as data:
        z, transform = data.read(1), data.transform
    west, north = transform.c, transform.f
    for _, row in table.iterrows():
        x0, y0, x1, y1 = row.geometry.bounds
        rows = slice(int(north - y1) - 1, int(north - y0) + 2)
        cols = slice(int(x0 - west) - 1, int(x1 - west) + 2)
        shift = Affine(1, 0, west + cols.start, 0, -1, north - rows.start)
        inside = ~geometry_mask([row.geometry], z[rows, cols].shape, shift)
        assert np.abs(z[rows, cols][inside] - row["基底高程"]).max() < 1e-3


def test_cloud_agrees(district: DemoDistrict, truth: dict[str, Any]) -> None:
    import laspy

    cloud = laspy.read(district.folder / "cloud.laz")
    assert len(cloud.points) == truth["cloud"]["points"] <= 2_500_000
    classes, counts = np.unique(np.asarray(cloud.classification), return_counts=True)
    assert {str(c): n for c, n in zip(classes, counts, strict=True)} == truth["cloud"]["by_class"]
    assert set(classes) == {2, 3, 5, 6, 9, 17}
    assert cloud.header.parse_crs().to_epsg() == 4549
    assert str(cloud.header.version) == "1.4"
    assert cloud.header.point_format.id == 7
    water = np.asarray(cloud.z)[np.asarray(cloud.classification) == 9]
    assert abs(water.mean()) < 0.005
    assert water.std() == pytest.approx(truth["accuracy"]["cloud"]["sigma"], rel=0.05)
    assert np.asarray(cloud.red).max() > 60000


def test_cloud_lies_on_terrain_and_roofs(district: DemoDistrict, truth: dict[str, Any]) -> None:
    import laspy
    import rasterio
    import shapely

    cloud = laspy.read(district.folder / "cloud.laz")
    x, y, z = (np.asarray(cloud[k]) for k in ("x", "y", "z"))
    kind = np.asarray(cloud.classification)
    with rasterio.open(district.folder / "terrain.tif") as data:
        height, west, north = data.read(1), data.bounds.left, data.bounds.top
    ground = np.flatnonzero(kind == 2)[::50]
    error = z[ground] - bilinear(height, x[ground] - west, north - y[ground])
    assert abs(error.mean()) < 0.002
    assert error.std() == pytest.approx(0.02, rel=0.1)
    table = read(district, "buildings").set_index("编号")
    flat = [r for r in truth["buildings"] if r["roof"] == "flat" and r["volume_extras"] > 0]
    assert len(flat) > 20
    for row in flat[:20]:
        inner = table.loc[row["id"]].geometry.buffer(-0.6)
        box = inner.bounds
        near = np.flatnonzero(
            (kind == 6) & (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
        )
        near = near[shapely.contains_xy(inner, x[near], y[near])]
        assert np.median(z[near]) == pytest.approx(row["base"] + row["eaves_height"], abs=0.01)


def bilinear(z: Any, x: Any, y: Any) -> Any:
    """Sample a 1 m raster between its cell centres."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(z.astype(float), [y - 0.5, x - 0.5], order=1, mode="nearest")


def test_pipes_lie_at_their_depth(district: DemoDistrict, truth: dict[str, Any]) -> None:
    import rasterio
    import shapely

    table = read(district, "pipes")
    assert len(table) == truth["pipes"]["count"]
    for kind, own in truth["pipes"]["by_class"].items():
        mine = table[table["类别"] == kind]
        assert len(mine) == own["count"]
        assert mine["长度"].sum() == pytest.approx(own["length"], abs=0.5)
    points, index = shapely.get_coordinates(table.geometry, include_z=True, return_index=True)
    with rasterio.open(district.folder / "terrain.tif") as data:
        height, west, north = data.read(1), data.bounds.left, data.bounds.top
    depth = bilinear(height, points[:, 0] - west, north - points[:, 1]) - points[:, 2]
    inner = (points[:, 0] > west + 1) & (points[:, 0] < west + 1199)
    assert np.abs(depth - table["埋深"].to_numpy()[index])[inner].max() < 0.005


def test_trees_agree_and_stand_clear_of_buildings(
    district: DemoDistrict, truth: dict[str, Any]
) -> None:
    trees, buildings = read(district, "trees"), read(district, "buildings")
    table = np.array(truth["trees"]["table"])
    assert len(trees) == truth["trees"]["count"] == len(table)
    assert trees["高度"].to_numpy() == pytest.approx(table[:, 3])
    assert table[:, 6].sum() == pytest.approx(truth["trees"]["canopy_volume"], rel=1e-6)
    assert table[:, 6] == pytest.approx(4 / 3 * np.pi * table[:, 4] ** 2 * table[:, 5], rel=1e-6)
    crowns = trees.geometry.buffer(trees["冠幅"] / 2)
    assert len(buildings.sindex.query(crowns, predicate="intersects")[0]) == 0


def test_plan_is_sound(district: DemoDistrict) -> None:
    """No building overlaps another, stands on a street or in the sea; parcels do not overlap."""
    buildings, areas, parcels = (read(district, k) for k in ("buildings", "road_areas", "parcels"))
    left, right = buildings.sindex.query(buildings.geometry, predicate="intersects")
    for i, j in zip(left[left < right], right[left < right], strict=True):
        assert buildings.geometry[i].intersection(buildings.geometry[j]).area < 1e-3
    streets = areas[areas["类型"] == "道路红线"]
    i, j = streets.sindex.query(buildings.geometry, predicate="intersects")
    assert len(i) == 0, buildings["名称"][i].tolist()
    assert (buildings["基底高程"] > 2).all()
    assert buildings.is_valid.all()
    assert parcels.is_valid.all()
    left, right = parcels.sindex.query(parcels.geometry, predicate="overlaps")
    for i, j in zip(left, right, strict=True):
        assert parcels.geometry[i].intersection(parcels.geometry[j]).area < 1e-3
    assert parcels["面积"].to_numpy() == pytest.approx(parcels.area.to_numpy(), abs=0.01)


def test_streets_connect(district: DemoDistrict) -> None:
    """Every stretch of street can be reached from every other one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    roads = read(district, "roads")
    ends = np.array([[*g.coords[0], *g.coords[-1]] for g in roads.geometry]).round(3).reshape(-1, 2)
    _, node = np.unique(ends, axis=0, return_inverse=True)
    node = node.ravel()
    graph = coo_matrix((np.ones(len(roads)), (node[::2], node[1::2])), shape=(node.max() + 1,) * 2)
    assert connected_components(graph, directed=False)[0] == 1


def test_windows_lie_on_the_walls_of_dwellings(district: DemoDistrict) -> None:
    windows = read(district, "windows")
    buildings = read(district, "buildings").set_index("编号")
    assert len(windows) > 500
    assert windows["编号"].is_unique
    walls = buildings.loc[windows["楼号"]]
    away = windows.geometry.distance(walls.geometry.boundary, align=False)
    assert away.max() < 1e-6
    storey = (walls["檐口高度"] / walls["层数"]).to_numpy()
    floor = walls["基底高程"].to_numpy() + (windows["楼层"].to_numpy() - 1) * storey
    assert np.abs(windows.geometry.z.to_numpy() - floor - 0.9).max() < 0.06
    assert windows["朝向"].between(165, 195).all()


def test_sightlines_have_both_verdicts(truth: dict[str, Any]) -> None:
    verdicts = [line["visible"] for line in truth["sightlines"]]
    assert sum(verdicts) >= 3
    assert verdicts.count(False) >= 3
    for line in truth["sightlines"]:
        assert line["visible"] == (line["clearance"] > 1)


def test_gbk_copy_reads_as_what_it_is(district: DemoDistrict) -> None:
    import geopandas

    copy = geopandas.read_file(district.folder / "buildings_gbk.shp", engine="pyogrio")
    assert copy["用途"].tolist() == read(district, "buildings")["用途"].tolist()
    raw = (district.folder / "buildings_gbk.dbf").read_bytes()
    assert "住宅".encode("gbk") in raw
