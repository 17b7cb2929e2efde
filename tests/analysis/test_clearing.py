"""What a scheme takes away of a captured mesh is gone for analyses too, by closed form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from plumbline import api
from plumbline.analysis.clearing import keeping, removing
from plumbline.api import (
    Clearing,
    Element,
    EntityRef,
    Layer,
    LayerKind,
    MeshData,
    PointCloudData,
    Scene,
    Scheme,
    build_obstacles,
    crs_units,
    obstacle_layers,
    parse_crs,
    standing,
    surface,
)
from plumbline.core.georeference import Georeference
from plumbline.geometry.masking import StandingCloud

X, Y = 500_000.0, 4_000_000.0
CRS = "EPSG:4549"
FACES = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]] + [
    face
    for n in range(4)
    for face in ([n, (n + 1) % 4, 4 + (n + 1) % 4], [n, 4 + (n + 1) % 4, 4 + n])
]


def box(x: float, y: float, size: float, height: float) -> MeshData:
    ring = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size + (X + x, Y + y)
    low = np.column_stack([ring, np.zeros(4)])
    return MeshData(np.vstack([low, low + (0, 0, height)]), np.array(FACES))


def named(data: MeshData, entity: str) -> MeshData:
    data.elements = [Element(entity, "Building")]
    data.element_index = np.zeros(len(data.triangles), dtype=np.int32)
    return data


def square(x: float, y: float, size: float) -> tuple[tuple[float, float], ...]:
    return tuple((X + x + a, Y + y + b) for a, b in ((0, 0), (size, 0), (size, size), (0, size)))


@pytest.fixture
def scene() -> Scene:
    """A capture of a block of 20 m x 20 m x 10 m, and a model of its north-eastern quarter."""
    scene = Scene(Georeference.from_text(CRS, (X, Y, 0.0)))
    for layer_id, data in (
        ("capture", box(0, 0, 20, 10)),
        ("model", named(box(10, 10, 10, 10), "q")),
    ):
        scene.add(Layer(layer_id, layer_id, LayerKind.MESH, data, parse_crs(CRS)))
    return scene


def area(scene: Scene, layer_id: str) -> float:
    corners = build_obstacles(obstacle_layers(scene, [layer_id])).corners
    edges = corners[:, 1:] - corners[:, :1]
    return float(np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2)


def test_obstacles_and_heights_lose_what_stands_above_a_cleared_area(scene: Scene) -> None:
    scene.set_schemes([Scheme("s", "S", cleared=(Clearing((square(10, 10, 15),)),))])
    under = scene.under("s")
    # Two level faces lose 10 m x 10 m each, two walls lose 10 m of length; nothing closes the cut.
    assert area(scene, "capture") == pytest.approx(2 * 400 + 4 * 200)
    assert area(under, "capture") == pytest.approx(2 * 300 + 2 * 200 + 2 * 100)
    assert area(under, "model") == pytest.approx(area(scene, "model")), "a model is no capture"
    places = np.array([[X + 5, Y + 5], [X + 15, Y + 15]])
    assert surface(scene, "capture").heights(places) == pytest.approx([10, 10])
    heights = surface(under, "capture").heights(places)
    assert heights[0] == pytest.approx(10)
    assert np.isnan(heights[1])


def test_taking_a_building_out_of_a_scheme_clears_the_capture_around_it(scene: Scene) -> None:
    ref = EntityRef("model", "q")
    scheme = removing(scene, Scheme("s", "S"), [ref])
    assert scheme.hidden == (ref,)
    ((cleared,),) = [(one.rings,) for one in scheme.cleared]
    ring = np.array(cleared[0]) - (X, Y)
    assert (ring.min(axis=0), ring.max(axis=0)) == (
        pytest.approx([9, 9]), pytest.approx([21, 21]),
    ), "with a metre around it"  # fmt: skip
    scene.set_schemes([scheme])
    assert area(scene.under("s"), "model") == 0
    assert np.isnan(surface(scene.under("s"), "capture").heights(np.array([[X + 15, Y + 15]]))[0])
    assert keeping(scheme, [ref]) == Scheme("s", "S")


@pytest.mark.parametrize(("level", "crs"), [(7.0, CRS), (None, CRS), (7.0, "EPSG:6527+8228")])
def test_a_levelled_terrain_is_level_for_heights_as_it_is_for_obstacles(
    tmp_path: Path, level: float | None, crs: str
) -> None:
    """A slope of 1 in 10 eastwards, levelled in a square: the slope outside, the level inside."""
    x0, y0 = (X, Y)
    columns = np.arange(40) + 0.5
    path = tmp_path / "slope.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=40, height=40, count=1, dtype="float64",
        transform=rasterio.Affine(1, 0, x0, 0, -1, y0 + 40),
    ) as file:  # fmt: skip
        file.write(np.tile(100 + columns / 10, (40, 1)), 1)
    scene = Scene(Georeference.from_text(crs, (X, Y, 0.0)))
    scene.add(replace(api.load(path, layer_id="slope")[0], crs=scene.georeference.crs))
    scene.set_schemes([Scheme("s", "S", terrain_polygon=square(10, 10, 10), terrain_height=level)])
    places = np.array([[X + 5, Y + 15], [X + 15, Y + 15], [X + 25, Y + 15]])
    unit = crs_units(scene.georeference.crs).vertical
    slope = np.array([100.5, 101.5, 102.5]) / unit
    inside = np.nan if level is None else level
    assert surface(scene, "slope").heights(places) == pytest.approx(slope)
    under = scene.under("s")
    found = surface(under, "slope").heights(places)
    np.testing.assert_allclose(found, [slope[0], inside, slope[2]], rtol=1e-9)
    ground = obstacle_layers(under, ["slope"]).ground_heights(places)
    np.testing.assert_allclose(found * unit, ground, rtol=1e-9)


def test_a_cloud_loses_its_points_in_a_cleared_area(scene: Scene) -> None:
    """One point on each of 20 m x 20 m: 100 of 400 go, with their classes."""
    x, y = (part.ravel() + 0.5 for part in np.meshgrid(np.arange(20), np.arange(20)))
    classes = (x > 10).astype(np.uint8)
    data = PointCloudData(np.column_stack([X + x, Y + y, x]), {"classification": classes})
    scene.add(Layer("cloud", "cloud", LayerKind.POINTCLOUD, data, parse_crs(CRS)))
    scene.set_schemes([Scheme("s", "S", cleared=(Clearing((square(10, 10, 15),)),))])
    assert standing(scene, scene["cloud"]).data is data
    left = standing(scene.under("s"), scene["cloud"]).data
    assert isinstance(left, StandingCloud)
    blocks = list(left.blocks(64))
    assert max(len(points) for points, _ in blocks) <= 64
    for points, kinds in (
        (left.points, left.attributes["classification"]),
        (np.concatenate([p for p, _ in blocks]), np.concatenate([c for _, c in blocks])),
    ):
        assert len(points) == 300
        assert not ((points[:, 0] > X + 10) & (points[:, 1] > Y + 10)).any()
        assert int(kinds.sum()) == 100
    assert len(left.within((X, Y + 10, X + 20, Y + 20)).points) == 100
    assert len(data.points) == 400, "the source stays as it is"
