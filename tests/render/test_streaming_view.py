"""Trees of tiles in a picture: against the same triangles as one mesh, and what a hand does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from render_scenes import CRS, PLACE, color_at, is_sky, new_scene, pixel, viewing
from tile_city import DISTRICT, City

from plumbline.core.clipping import Clipping, ClipPlane
from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.data import Bounds, MeshData, PointCloudData
from plumbline.core.entities import entity_attributes, entity_bounds, entity_name
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Camera
from plumbline.core.scheme import Clearing, Scheme
from plumbline.core.tiles import Content, Tile, TilesData, TileSource, join
from plumbline.render.theme import SOFTWARE

#: So that what is near is shown by the leaves.
FINE = replace(SOFTWARE, tile_pixels=0.5)


def city(across: int = 1) -> City:
    return City(across, corner=(PLACE[0], PLACE[1]))


def layer_of(data: object, **style: object) -> Layer:
    look = LayerStyle.model_validate(style)
    return Layer("city", "city", LayerKind.TILES, data, CRS, style=look)  # type: ignore[arg-type]


def down(x: float, y: float, span: float) -> Camera:
    place = PLACE + (x, y, 0.0)
    return Camera((place[0], place[1], 500.0), (place[0], place[1], 0.0), (0, 1, 0), True, span / 2)


def leaves(source: City) -> MeshData:
    parts = [source.content(tile) for tile in source.data().walk()]
    return join([part for part in parts if isinstance(part, MeshData)])


def picture(layer: Layer, camera: Camera) -> np.ndarray:
    scene = new_scene()
    scene.add(layer)
    with viewing(scene, budget=FINE) as view:
        view.set_camera(camera)
        return view.screenshot().astype(int)


def test_a_tree_looks_like_its_leaves_as_one_mesh() -> None:
    source = city()
    x, y = PLACE[:2]
    camera = Camera((x + 200.0, y - 100.0, 160.0), (x + 200.0, y + 150.0, 0.0))
    tree = picture(layer_of(source.data()), camera)
    whole = leaves(city())
    # `join` keeps no colours of vertices: they are those of the leaves, in the same order.
    parts = [city().content(tile) for tile in city().data().walk()]
    whole.colors = np.concatenate([p.colors for p in parts if isinstance(p, MeshData)])
    mesh = picture(Layer("mesh", "mesh", LayerKind.MESH, whole, CRS), camera)
    near = tree[120:], mesh[120:]  # farther tiles may be coarser
    assert np.mean(np.abs(near[0] - near[1]).max(axis=-1) > 8) < 0.02
    assert len(np.unique(tree.reshape(-1, 3), axis=0)) > 20


def test_what_is_picked_tells_its_tile_and_its_attributes() -> None:
    source = city()
    scene = new_scene()
    scene.add(layer_of(source.data()))
    with viewing(scene, budget=FINE) as view:
        view.set_camera(down(25.0, 25.0, 60.0))
        view.screenshot()
        place = PLACE + (10.0, 10.0, 20 + 10 * np.sin(PLACE[0] / 30))
        found = view.pick(*pixel(view, place))
        assert found is not None
        assert found.entity == "block 4/0/0"
        assert found.position[2] == pytest.approx(_height(*found.position[:2]), abs=2.0)
        groups = dict(entity_attributes(scene["city"], found.entity))
        assert dict(groups["Register"]) == {"row": 0}
        assert dict(groups["Tile"])["Id"] == "4/0/0"
        assert entity_name(scene["city"], found.entity) == "Block block 4/0/0"
        box = entity_bounds(scene["city"], found.entity)
        assert box is not None
        assert box.xmax - box.xmin == pytest.approx(50.0)
        before = view.screenshot().astype(int)
        scene.select([EntityRef("city", found.entity)])
        marked = view.screenshot().astype(int)
        assert np.abs(marked - before).max() > 30


def _height(x: float, y: float) -> float:
    return 20 + 10 * float(np.sin(x / 30) * np.cos(y / 40))


def test_style_and_visibility_apply_to_tiles_that_are_there_and_that_come() -> None:
    scene = new_scene()
    scene.add(layer_of(city().data()))
    with viewing(scene, budget=FINE) as view:
        view.set_camera(down(100.0, 100.0, 100.0))
        tinted = view.screenshot()
        scene.set_style("city", LayerStyle(color_by="solid", color="#ff0000"))
        red = view.screenshot().astype(int)
        assert (red[..., 0] > red[..., 1] + 60).mean() > 0.95
        view.set_camera(down(300.0, 300.0, 100.0))
        red = view.screenshot().astype(int)
        assert (red[..., 0] > red[..., 1] + 60).mean() > 0.95
        scene.set_view("city", visible=False)
        assert (view.screenshot() == (255, 0, 255)).all(axis=-1).mean() > 0.99
        scene.set_view("city", visible=True)
        scene.set_style("city", LayerStyle())
        view.set_camera(down(100.0, 100.0, 100.0))
        assert np.abs(view.screenshot().astype(int) - tinted).max() <= 8


def test_schemes_clear_tiles_and_clipping_cuts_them() -> None:
    scene = new_scene()
    scene.add(layer_of(city().data()))
    ring = PLACE[:2] + np.array([(60, 60), (140, 60), (140, 140), (60, 140)])
    scene.set_schemes([Scheme("a", "A", cleared=(Clearing((tuple(map(tuple, ring.tolist())),)),))])
    with viewing(scene, budget=FINE) as view:
        view.set_camera(down(100.0, 100.0, 120.0))
        center = pixel(view, PLACE + (100.0, 100.0, 20.0))
        assert not is_sky(color_at(view, *center))
        assert view.pick(*center) is not None
        scene.activate_scheme("a")
        assert is_sky(color_at(view, *center))
        assert view.pick(*center) is None
        scene.activate_scheme("")
        assert not is_sky(color_at(view, *center))
        scene.set_clipping(Clipping(planes=(ClipPlane((PLACE[0] + 110, 0.0, 0.0), (1, 0, 0)),)))
        assert is_sky(color_at(view, *center))
        assert view.pick(*center) is None
        beside = pixel(view, PLACE + (130.0, 100.0, 20.0))
        assert not is_sky(color_at(view, *beside))
        assert view.pick(*beside) is not None


class Cloud(TileSource):
    """Points on a plane: a coarse tile, to which four come that lie between its points."""

    def roots(self) -> tuple[Tile, ...]:
        return (Tile("0", self._box(0, 0, 100), 10.0, "add"),)

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        places = [(a, b) for a in (0, 50) for b in (0, 50)]
        return tuple(
            Tile(f"0/{n}", self._box(*place, 50), 1.0, "add", is_leaf=True)
            for n, place in enumerate(places)
        )

    def content(self, tile: Tile) -> Content | None:
        step = 10.0 if tile.id == "0" else 1.0
        box = tile.bounds
        x, y = np.meshgrid(
            np.arange(box.xmin, box.xmax, step) + 0.5, np.arange(box.ymin, box.ymax, step) + 0.5
        )
        points = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
        code = np.full(len(points), 2 if tile.id == "0" else 6, dtype=np.uint8)
        return PointCloudData(points, {"classification": code})

    def _box(self, x: float, y: float, side: float) -> Bounds:
        return Bounds(PLACE[0] + x, PLACE[1] + y, 0, PLACE[0] + x + side, PLACE[1] + y + side, 0)


def test_points_come_beside_coarser_ones_and_tell_their_attributes() -> None:
    source = Cloud()
    data = TiledCloud(source, 10_100, source.roots()[0].bounds, ("classification",))
    scene = new_scene()
    style = LayerStyle(color_by="class", eye_dome=False)
    scene.add(Layer("cloud", "cloud", LayerKind.POINTCLOUD, data, CRS, style=style))
    with viewing(scene, budget=FINE) as view:
        view.set_camera(down(50.0, 50.0, 90.0))
        view.screenshot()
        assert {node.name for node in view.tiles._layers["cloud"].cut} == {
            "0",
            *(f"0/{n}" for n in range(4)),
        }
        found = view.pick(*pixel(view, PLACE + (20.5, 30.5, 0.0)))
        assert found is not None
        assert found.snap == "point"
        np.testing.assert_allclose(found.position, PLACE + (20.5, 30.5, 0.0), atol=0.3)
        groups = dict(entity_attributes(scene["cloud"], found.entity))
        assert "classification" in dict(groups["Point"])
        assert found.entity.startswith("0")
        # From far away the coarse points are enough.
        view.set_camera(down(50.0, 50.0, 9000.0))
        view.screenshot()
        assert {node.name for node in view.tiles._layers["cloud"].cut} == {"0"}


def test_memory_stays_below_its_limits_in_a_flight() -> None:
    source = City(12, cells=64, corner=(PLACE[0], PLACE[1]))
    scene = new_scene()
    scene.add(layer_of(source.data()))
    limit = 4 << 20
    budget = replace(SOFTWARE, tile_memory=limit, tile_upload=limit, tile_triangles=400_000)
    with viewing(scene, budget=budget, request_render=lambda: None) as view:
        for step in range(12):
            view.set_camera(down(200.0 + 400 * step, 2400.0, 500.0))
            view.screenshot()
            assert view.settled.complete
            assert view.tiles.decoded.peak <= limit
            assert view.tiles.uploaded.peak <= limit
        held = len(view.tiles.decoded)
    assert len(set(source.read)) > held > 5


def test_a_source_that_fails_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    source = city()
    plain = source.content

    def content(tile: Tile) -> Content | None:
        if tile.id == "4/0/0":
            raise OSError("the disk is gone")
        return plain(tile)

    monkeypatch.setattr(source, "content", content)
    scene = new_scene()
    scene.add(layer_of(source.data()))
    with viewing(scene, budget=FINE) as view:
        view.set_camera(down(50.0, 50.0, 90.0))
        image = view.screenshot()
        assert view.settled.complete
        assert any("the disk is gone" in note for note in view.tiles.notes())
        assert view.tiles.notes() == []
        assert tuple(image[30, 250]) != (255, 0, 255)


def test_tiles_of_two_layers_share_the_budget_and_leave_with_their_layer() -> None:
    scene = new_scene()
    scene.add(layer_of(city().data()))
    other = City(1, corner=(PLACE[0] + DISTRICT, PLACE[1]))
    scene.add(Layer("other", "other", LayerKind.TILES, TilesData(other), CRS))
    with viewing(scene, budget=FINE) as view:
        view.set_camera(down(400.0, 200.0, 300.0))
        view.screenshot()
        assert view.tiles.complete
        count = len(view.tiles.uploaded)
        scene.remove("other")
        view.screenshot()
        assert 0 < len(view.tiles.uploaded) < count
        assert all(key[0].data is scene["city"].data for key in view.tiles.uploaded)


def test_footprints_are_cut_out_exactly() -> None:
    """The mask of a request is what a scheme clears: nothing of it is drawn or picked."""
    from plumbline.render.parts import Request
    from plumbline.render.streaming.content import Dress, clothe

    source = city()
    content = source.content(source.tile(4, 0, 0))
    mask = shapely.MultiPolygon([shapely.box(*(PLACE[:2] + 10), *(PLACE[:2] + 20))])
    layer = layer_of(source.data())
    held = clothe(content, Dress(Request(layer, layer.style, mask=mask), 0.0, 40.0))
    assert isinstance(held.shown, MeshData)
    corners = held.shown.vertices[held.shown.triangles[held.kept]][..., :2]
    area = shapely.polygons(corners)
    assert shapely.area(shapely.union_all(area)) == pytest.approx(50.0**2 - 10.0**2, rel=1e-6)
