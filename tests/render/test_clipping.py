"""Clipped things are neither drawn nor picked; the pixels and the picks agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from render_scenes import (
    CRS,
    PLACE,
    SIZE,
    above,
    box_mesh,
    boxes_layer,
    color_at,
    hills,
    is_sky,
    new_scene,
    pixel,
    terrain_layer,
    viewing,
)

from plumbline.core.clipping import ClipBox, Clipping, ClipPlane, ClipPrism, ClipSlab
from plumbline.core.data import BimData, Element, MeshData, PointCloudData, Storey
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Camera, Scene
from plumbline.geometry.clip import region_of
from plumbline.geometry.rays import ray_triangles
from plumbline.render import camera as moves


def at(x: float, y: float, z: float = 0.0) -> tuple[float, float, float]:
    return (PLACE[0] + x, PLACE[1] + y, PLACE[2] + z)


def flat(x: float, y: float) -> tuple[float, float]:
    return at(x, y)[:2]


CLIPPINGS = {
    "box": Clipping(box=ClipBox(at(20, 5, 15), (60, 50, 30), 30.0)),
    "planes": Clipping(
        planes=(ClipPlane(at(10, 0, 0), (1, 0.4, 0)), ClipPlane(at(0, 0, 20), (0, 0, -1)))
    ),
    "slab": Clipping(slab=ClipSlab(at(20, 5, 10), (0.3, 1, 0.2), 25.0)),
    "prism": Clipping(
        prism=ClipPrism((flat(-40, -40), flat(80, -40), flat(20, 0), flat(80, 60), flat(-40, 60)))
    ),
    "hole": Clipping(
        prism=ClipPrism((flat(0, -20), flat(40, -20), flat(40, 30), flat(0, 30)), False)
    ),
}  # fmt: skip


def soup() -> MeshData:
    rng = np.random.default_rng(8)
    centers = PLACE + rng.uniform((-60, -60, 0), (100, 70, 40), (600, 3))
    corners = centers[:, None] + rng.normal(0, 12, (600, 3, 3))
    return MeshData(corners.reshape(-1, 3), np.arange(1800).reshape(-1, 3))


def slanted() -> Camera:
    focal = PLACE + (20, 5, 10)
    return Camera(tuple(focal + np.array([130.0, -180.0, 150.0])), tuple(focal))


@pytest.mark.parametrize("name", CLIPPINGS)
def test_picks_and_pixels_know_only_what_is_kept(name: str) -> None:
    """200 picks against every triangle in float64; where nothing is picked, the sky is drawn."""
    scene, data, clipping = new_scene(), soup(), CLIPPINGS[name]
    scene.add(Layer("mesh", "mesh", LayerKind.MESH, data, CRS, style=LayerStyle(color="#00ff00")))
    scene.set_clipping(clipping)
    corners, region = data.vertices[data.triangles], region_of(clipping)
    rng, met, compared = np.random.default_rng(2), 0, 0
    with viewing(scene) as view:
        view.set_camera(slanted())
        picture = view.screenshot().astype(int)
        for x, y in rng.integers((0, 0), SIZE, (200, 2)):
            ray = moves.ray(view.camera(), x + 0.5, y + 0.5, SIZE)
            t = ray_triangles(ray.origin, ray.direction, corners)
            t = t[np.isfinite(t) & (t > 0)]
            places = ray.origin + t[:, None] * ray.direction
            t = t[region.contains(places)] if len(t) else t
            found = view.pick(int(x), int(y))
            assert (found is None) == (len(t) == 0), (x, y)
            if found is not None:
                met += 1
                away = np.linalg.norm(np.array(found.position) - ray.origin)
                assert away == pytest.approx(t.min(), abs=1e-6)
            row = SIZE[1] - 1 - y
            around = picture[max(0, row - 2) : row + 3, max(0, x - 2) : x + 3]
            sky = around[..., 0] > 240  # a pink sky, a green mesh
            green = around[..., 0] <= around[..., 1]
            if sky.all() or green.all():  # on a rim, a pixel mixes with its neighbour
                compared += 1
                assert bool(sky.all()) == (found is None), (x, y)
    assert met > 20
    assert compared > 80


def test_an_inactive_clipping_and_undo_show_everything_again() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(above(20, 5, span=90))
        whole = view.screenshot()
        scene.set_clipping(Clipping(planes=(ClipPlane(at(0, 0, 1e4), (0, 0, 1)),)))
        assert view.visible_bounds() is not None
        assert all(is_sky(color_at(view, x, y)) for y in (60, 120) for x in (80, 160, 240))
        scene.set_clipping(replace(scene.clipping, active=False))
        assert np.abs(view.screenshot().astype(int) - whole).mean() < 0.5
        scene.history.undo()
        scene.history.undo()
        assert scene.clipping == Clipping()
        assert np.abs(view.screenshot().astype(int) - whole).mean() < 0.5


def test_points_of_a_cloud_beside_the_ray_are_not_picked_when_clipped() -> None:
    scene = new_scene()
    rng = np.random.default_rng(3)
    points = PLACE + rng.uniform((-50, -50, 0), (50, 50, 20), (20_000, 3))
    scene.add(Layer("cloud", "cloud", LayerKind.POINTCLOUD, PointCloudData(points), CRS))
    scene.set_clipping(Clipping(planes=(ClipPlane(at(0, 0, 10), (0, 0, -1)),)))
    with viewing(scene) as view:
        view.set_camera(above(20, 5, span=90))
        picks = [view.pick(x, y) for x in range(100, 220, 6) for y in range(60, 180, 6)]
    heights = [pick.position[2] for pick in picks if pick is not None]
    assert len(heights) > 200
    assert max(heights) <= PLACE[2] + 10 + 1e-7


def under_the_hill(tmp_path: Path) -> Scene:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path, hills))
    low = PLACE + np.array([(x, y, -200.0) for x in (-400.0, 800.0) for y in (-400.0, 800.0)])
    slab = MeshData(low, np.array([[0, 2, 1], [1, 2, 3]]))
    scene.add(Layer("below", "below", LayerKind.MESH, slab, CRS, style=LayerStyle(color="#ff0000")))
    return scene


def test_below_the_ground_is_seen_and_picked(tmp_path: Path) -> None:
    scene = under_the_hill(tmp_path)
    with viewing(scene) as view:
        view.set_camera(above(200, 200, span=200))
        x, y = SIZE[0] // 2, SIZE[1] // 2
        assert view.pick(x, y).layer != "below"
        solid = color_at(view, x, y)
        scene.set_clipping(Clipping(ground="transparent"))
        seen = color_at(view, x, y)
        assert view.pick(x, y).layer == "below"
        assert int(seen[0]) - int(seen[1]) > int(solid[0]) - int(solid[1]) + 30
        area = tuple(flat(*c) for c in ((170, 170), (230, 170), (230, 230), (170, 230)))
        scene.set_clipping(Clipping(ground="cut", ground_area=area))
        inside, outside = (pixel(view, PLACE + (d, d, 30.0)) for d in (200, 260))
        assert view.pick(*inside).layer == "below"
        assert view.pick(*outside).layer != "below"
        assert color_at(view, *inside)[1] < 60
        assert color_at(view, *outside)[1] > 60
        scene.set_clipping(Clipping(ground="cut"))
        assert view.pick(*outside).layer == "below"


def storeys() -> BimData:
    vertices, triangles, owner = [], [], []
    for n in range(3):
        box, faces = box_mesh(-10, -10, 0, 20)
        triangles.append(faces + len(box) * n)
        vertices.append((box - PLACE) * (1, 1, 0.125) + PLACE + (0, 0, 3 * n))
        owner += [n] * len(faces)
    elements = [Element(f"e{n}", "IfcSlab", storey=f"s{n}") for n in range(3)]
    return BimData(
        np.vstack(vertices),
        np.vstack(triangles),
        elements=elements,
        element_index=np.array(owner, dtype=np.int32),
        storeys=[Storey(f"s{n}", f"Level {n}", 3.0 * n) for n in range(3)],
    )


def test_storeys_come_apart_and_are_measured_where_they_are() -> None:
    scene = new_scene()
    scene.add(Layer("house", "house", LayerKind.BIM, storeys(), CRS))
    with viewing(scene) as view:
        view.set_camera(Camera(at(60, -120, 25), at(0, 0, 15)))
        assert view.pick(*pixel(view, np.array(at(0, -10, 27.0)))) is None
        scene.set_clipping(Clipping(explode=10.0))
        found = view.pick(*pixel(view, np.array(at(0, -10, 27.0))))
    assert found is not None
    assert found.entity == "e2"
    assert found.position == pytest.approx(at(0, -10, 7.0), abs=0.7)


def test_xray_and_ghosts_let_the_background_through() -> None:
    scene = new_scene()
    scene.add(Layer("house", "house", LayerKind.BIM, storeys(), CRS))
    with viewing(scene) as view:
        view.set_camera(Camera(at(60, -120, 25), at(0, 0, 5)))
        place = pixel(view, np.array(at(0, -10, 1.2)))

        def pink() -> int:
            red, green, blue = (int(v) for v in color_at(view, *place))
            return (red + blue) // 2 - green

        solid = pink()
        scene.set_clipping(Clipping(look="xray"))
        xray = pink()
        scene.set_clipping(Clipping(look="ghost"))
        ghost = pink()
        scene.select([EntityRef("house", "e0")])
        marked = pink()
    assert solid < xray < ghost
    assert marked < ghost
