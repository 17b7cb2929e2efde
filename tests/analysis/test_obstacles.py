"""Layers as triangles that know whose they are; areas and volumes by closed form."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from plumbline.api import (
    BimData,
    Element,
    EntityRef,
    Layer,
    LayerKind,
    LayerStyle,
    RefusedError,
    Scene,
    Scheme,
    VectorData,
    build_obstacles,
    load,
    obstacle_layers,
    parse_crs,
)
from plumbline.core.georeference import Georeference
from plumbline.io.writers import write_raster

X, Y = 500_000.0, 4_000_000.0
CRS = "EPSG:4549"


def scene_with(*layers: Layer) -> Scene:
    scene = Scene(Georeference.from_text(CRS, (X, Y, 0.0)))
    for layer in layers:
        scene.add(layer)
    return scene


def houses(style: LayerStyle) -> Layer:
    """Return a 10 m square that is 6 m high, and an L of 300 m² that is 9 m high."""
    frame = geopandas.GeoDataFrame(
        {"高度": [6.0, 9.0]},
        geometry=[
            shapely.box(X, Y, X + 10, Y + 10),
            shapely.box(X + 30, Y, X + 50, Y + 20).difference(
                shapely.box(X + 40, Y + 10, X + 50, Y + 20)
            ),
        ],
        index=["a", "b"],
        crs=CRS,
    )
    return Layer("houses", "楼", LayerKind.VECTOR, VectorData(frame), parse_crs(CRS), style=style)


def volume(corners: np.ndarray) -> float:
    """Return the signed volume of closed triangles, by tetrahedra from the origin."""
    return (
        float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum())
        / 6
    )


def slope_terrain(folder: Path) -> Layer:
    """Return terrain that rises by 0.1 m each metre eastwards, 100 m at X, cells of 1 m."""
    path = folder / "dem.tif"
    columns = np.arange(100) + 0.5 - 20
    heights = np.broadcast_to(100 + 0.1 * columns, (100, 100)).astype(np.float64)
    write_raster(path, heights, (1, 0, X - 20, 0, -1, Y + 70), parse_crs(CRS))
    (layer,) = load(path)
    return layer


def test_extruded_footprints_are_closed_and_stand_on_the_lowest_ground(tmp_path: Path) -> None:
    terrain = slope_terrain(tmp_path)
    scene = scene_with(terrain, houses(LayerStyle(extrude="高度")))
    found = build_obstacles(obstacle_layers(scene, ["houses", terrain.id]))
    assert found.entities[:2] == (EntityRef("houses", "a"), EntityRef("houses", "b"))
    assert found.warnings == ()
    for number, (true, base) in enumerate([(600.0, 100.0), (2700.0, 103.0)]):
        mine = found.corners[found.owner == number]
        assert volume(mine) == pytest.approx(true, rel=1e-9)
        assert mine[..., 2].min() == pytest.approx(base, abs=1e-6)


def test_ground_that_nobody_named_is_not_stood_on(tmp_path: Path) -> None:
    """A replay has the named layers only: other terrain in the scene must not move a number."""
    scene = scene_with(slope_terrain(tmp_path), houses(LayerStyle(extrude="高度")))
    found = build_obstacles(obstacle_layers(scene, ["houses"]))
    assert found.corners[..., 2].min() == 0
    assert "height 0" in found.warnings[0]


def test_terrain_is_the_surface_between_cell_centres(tmp_path: Path) -> None:
    terrain = slope_terrain(tmp_path)
    scene = scene_with(terrain)
    found = build_obstacles(obstacle_layers(scene, [terrain.id]))
    assert len(found.triangles) == 2 * 99 * 99
    caster = found.caster()
    origins = np.array([[10.25, 10.75, 500.0], [33.1, 5.5, 500.0]])
    distance, _ = caster.first_hits(origins, np.tile([0.0, 0.0, -1.0], (2, 1)))
    assert 500 - distance == pytest.approx(100 + 0.1 * origins[:, 0], abs=1e-9)
    small = build_obstacles(obstacle_layers(scene, [terrain.id]), max_cells=2500)
    assert small.lods[terrain.id].startswith("1:")
    assert small.warnings


def test_a_scheme_removes_and_flattens_and_rooms_are_air(tmp_path: Path) -> None:
    terrain = slope_terrain(tmp_path)
    triangle = np.array([[X, Y, 1.0], [X + 1, Y, 1.0], [X, Y + 1, 1.0]])
    bim = BimData(
        np.vstack([triangle, triangle, triangle]),
        np.arange(9).reshape(3, 3),
        elements=[Element("w", "IfcWall"), Element("r", "IfcSpace"), Element("g", "IfcWindow")],
        element_index=np.array([0, 1, 2]),
    )
    model = Layer("m", "模型", LayerKind.BIM, bim, parse_crs(CRS))
    scene = scene_with(terrain, houses(LayerStyle(extrude="高度")), model)
    ring = ((X - 5, Y - 5), (X + 15, Y - 5), (X + 15, Y + 15), (X - 5, Y + 15))
    scheme = Scheme("s", "s", (EntityRef("houses", "b"),), (), ring, 90.0)
    scene.set_schemes([scheme])
    under = scene.under("s")
    found = build_obstacles(obstacle_layers(under, ["houses", terrain.id, "m"], ["IfcWindow"]))
    assert [e.entity for e in found.entities] == ["a", "", "w"]
    assert found.corners[found.owner == 0][..., 2].min() == pytest.approx(90.0)
    assert found.corners[found.owner == 1][..., 2].min() == pytest.approx(90.0)
    base = build_obstacles(obstacle_layers(scene.under(""), ["houses"]))
    assert len(base.entities) == 2


def test_what_has_no_surfaces_is_refused() -> None:
    scene = scene_with(houses(LayerStyle()))
    with pytest.raises(RefusedError, match="cannot stand in the way"):
        obstacle_layers(scene, ["houses"])
