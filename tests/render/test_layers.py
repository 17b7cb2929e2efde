"""Each kind of layer: its actors, and colours under known pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image
from render_scenes import (
    CRS,
    PLACE,
    above,
    boxes_layer,
    color_at,
    hills,
    image_layer,
    is_sky,
    new_scene,
    pixel,
    terrain_layer,
    vector_layer,
    viewing,
)

from plumbline.core.data import BimData, Element, Material, MeshData, PointCloudData, Texture
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.core.scene import Camera
from plumbline.render import camera as moves


def near(color: tuple[int, int, int], wanted: tuple[int, int, int], within: int = 12) -> bool:
    return max(abs(a - b) for a, b in zip(color, wanted, strict=True)) <= within


def photo_layer(tmp_path: Path, *, embedded: bool = False) -> Layer:
    """A square of 40 m with a photograph of four colours; red is the upper left quarter."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32, :32], image[:32, 32:] = (250, 0, 0), (0, 250, 0)
    image[32:, :32], image[32:, 32:] = (0, 0, 250), (250, 250, 0)
    path = tmp_path / "photo.png"
    Image.fromarray(image).save(path)
    texture = Texture(None, path.read_bytes()) if embedded else Texture(path)
    corners = PLACE + np.array([[0, 0, 5], [40, 0, 5], [40, 40, 5], [0, 40, 5]], dtype=np.float64)
    data = MeshData(
        corners,
        np.array([[0, 1, 2], [0, 2, 3]]),
        uv=np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32),
        materials=[Material("photo", texture=texture)],
        material_index=np.zeros(2, dtype=np.int32),
    )
    return Layer("photo", "photo", LayerKind.MESH, data, CRS)


@pytest.mark.parametrize("embedded", [False, True])
def test_photographs_are_shown_as_they_are(tmp_path: Path, embedded: bool) -> None:
    scene = new_scene()
    scene.add(photo_layer(tmp_path, embedded=embedded))
    with viewing(scene) as view:
        view.set_camera(above(20, 20))
        for x, y, wanted in (
            (10, 30, (250, 0, 0)),
            (30, 30, (0, 250, 0)),
            (10, 10, (0, 0, 250)),
            (30, 10, (250, 250, 0)),
        ):
            assert near(color_at(view, *pixel(view, PLACE + (x, y, 5))), wanted)
        assert is_sky(color_at(view, 2, 2))


def test_a_missing_photograph_leaves_the_material(tmp_path: Path) -> None:
    scene = new_scene()
    layer = photo_layer(tmp_path)
    (tmp_path / "photo.png").unlink()
    scene.add(layer)
    with viewing(scene) as view:
        view.set_camera(above(20, 20))
        r, g, b = color_at(view, *pixel(view, PLACE + (10, 30, 5)))
        assert r == pytest.approx(g, abs=20) == pytest.approx(b, abs=20)


def test_materials_and_vertex_colours() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    painted = boxes_layer("painted")
    assert isinstance(painted.data, MeshData)
    painted.data.materials, painted.data.material_index = [], None
    painted.data.vertices += (0, 50, 0)
    painted.data.colors = np.full((len(painted.data.vertices), 4), (200, 30, 30, 255), np.uint8)
    scene.add(painted)
    with viewing(scene) as view:
        view.set_camera(above(20, 30, span=100))
        r, g, b = color_at(view, *pixel(view, PLACE + (5, 5, 10)))
        assert g > 1.5 * r
        assert g > 1.5 * b
        r, g, b = color_at(view, *pixel(view, PLACE + (35, 5, 30)))
        assert b > 1.5 * g
        r, g, b = color_at(view, *pixel(view, PLACE + (5, 55, 10)))
        assert r > 2 * g


def cloud_layer(**style: object) -> Layer:
    """A carpet of points: z = 10 in the west (class 2), 30 in the east (class 6)."""
    x, y = (v.ravel() for v in np.meshgrid(np.arange(0, 60, 0.25), np.arange(0, 40, 0.25)))
    east = x > 30
    points = PLACE + np.column_stack([x, y, np.where(east, 30.0, 10.0)])
    attributes = {
        "classification": np.where(east, 6, 2).astype(np.uint8),
        "intensity": np.where(east, 60_000, 0).astype(np.uint16),
        "rgb": np.where(east[:, None], (10, 200, 10), (200, 10, 10)).astype(np.uint8),
        "age": np.where(east, 1.0, 0.0),
    }
    look = LayerStyle.model_validate({"point_size": 4, "eye_dome": False, **style})
    data = PointCloudData(points, attributes)
    return Layer("cloud", "cloud", LayerKind.POINTCLOUD, data, CRS, style=look)


@pytest.mark.parametrize(
    ("style", "west", "east"),
    [
        ({}, (200, 10, 10), (10, 200, 10)),
        ({"color_by": "class"}, (0xA9, 0x82, 0x5A), (0xD9, 0x73, 0x4E)),
        ({"color_by": "class", "class_colors": {"6": "#0000ff"}}, (0xA9, 0x82, 0x5A), (0, 0, 255)),
        ({"color_by": "elevation"}, (68, 1, 84), (253, 231, 36)),
        ({"color_by": "intensity"}, (0, 0, 0), (255, 255, 255)),
        ({"color_by": "attribute", "attribute": "age"}, (68, 1, 84), (253, 231, 36)),
        ({"color_by": "solid", "color": "#336699"}, (0x33, 0x66, 0x99), (0x33, 0x66, 0x99)),
    ],
)
def test_points_are_coloured_as_asked(
    style: dict[str, object],
    west: tuple[int, int, int],
    east: tuple[int, int, int],
) -> None:
    scene = new_scene()
    scene.add(cloud_layer(**style))
    with viewing(scene) as view:
        view._effects.set_depth(occlusion=False, eye_dome=False, smooth=False, reach=1)
        view._update_effects = lambda: None  # type: ignore[method-assign]
        view.set_camera(above(30, 20, span=50))
        assert near(color_at(view, *pixel(view, PLACE + (12, 20, 10))), west)
        assert near(color_at(view, *pixel(view, PLACE + (48, 20, 30))), east)


def test_a_moving_camera_sees_an_even_sample_of_points() -> None:
    scene = new_scene()
    scene.add(cloud_layer())
    from dataclasses import replace

    from plumbline.render.theme import SOFTWARE

    with viewing(scene, budget=replace(SOFTWARE, moving_points=3000)) as view:
        (drawn,) = view.layers.shown["cloud"].drawn
        total = drawn.actor.GetMapper().GetInput().GetNumberOfPoints()
        view.begin_interaction()
        sample = drawn.actor.GetMapper().GetInput()
        assert (total, sample.GetNumberOfPoints()) == (38_400, 3000)
        low_x, high_x, low_y, high_y, _, _ = sample.GetBounds()
        assert high_x - low_x > 59
        assert high_y - low_y > 39
        view.end_interaction()
        assert drawn.actor.GetMapper().GetInput().GetNumberOfPoints() == total


def bim_layer(**style: object) -> Layer:
    boxes = boxes_layer()
    assert isinstance(boxes.data, MeshData)
    data = BimData(**vars(boxes.data))
    data.elements = [Element("wall", "IfcWall", storey="s1"), Element("room", "IfcSpace")]
    data.materials[1] = Material("glass", (0.2, 0.2, 0.9, 0.3))
    return Layer("bim", "bim", LayerKind.BIM, data, CRS, style=LayerStyle.model_validate(style))


def test_bim_hides_classes_and_shows_glass() -> None:
    scene = new_scene()
    scene.add(bim_layer())
    with viewing(scene) as view:
        view.set_camera(above(20, 5))
        glass = color_at(view, *pixel(view, PLACE + (35, 5, 30)))
        assert not is_sky(glass)
        assert glass[0] > 90, "the sky shines through"
        scene.set_style("bim", LayerStyle(hidden_classes=("IfcSpace",)))
        assert is_sky(color_at(view, *pixel(view, PLACE + (35, 5, 30))))
        assert view.pick(*pixel(view, PLACE + (35, 5, 30))) is None
        assert not is_sky(color_at(view, *pixel(view, PLACE + (5, 5, 10))))


def test_bim_by_class_and_storey() -> None:
    scene = new_scene()
    scene.add(bim_layer(color_by="class", class_colors={"IfcWall": "#ff0000"}))
    with viewing(scene) as view:
        view.set_camera(above(20, 5))
        r, g, _ = color_at(view, *pixel(view, PLACE + (5, 5, 10)))
        assert r > 4 * g
        style = LayerStyle(color_by="storey", class_colors={"s1": "#00ff00"})
        scene.set_style("bim", style)
        r, g, _ = color_at(view, *pixel(view, PLACE + (5, 5, 10)))
        assert g > 4 * r


def test_terrain_lies_at_its_heights(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    with viewing(scene) as view:
        (drawn,) = view.layers.shown["terrain"].drawn
        points = drawn.part.points.astype(np.float64)
        inner = points[(points[:, 0] > 5) & (points[:, 0] < 395)]
        assert np.abs(hills(inner[:, 0], inner[:, 1]) - inner[:, 2]).max() < 1e-3
        assert len(drawn.part.triangles) < 200 * 200, "simplified"
        assert view.ground_height(PLACE[0] + 101, PLACE[1] + 57) == pytest.approx(
            hills(np.array(101.0), np.array(57.0)), abs=0.01
        )


def test_imagery_is_laid_on_the_terrain(tmp_path: Path) -> None:
    bands = np.zeros((3, 100, 100), np.uint8)
    bands[0, :50], bands[1, 50:] = 250, 250  # red in the north, green in the south
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    scene.add(image_layer(tmp_path, bands, 4.0))
    with viewing(scene) as view:
        view.set_camera(above(200, 200, span=380))
        north, south = PLACE + (200, 300, 20), PLACE + (200, 100, 20)
        r, g, _ = color_at(view, *pixel(view, north))
        assert r > 100 > 3 * g
        r, g, _ = color_at(view, *pixel(view, south))
        assert g > 100 > 3 * r
        found = view.pick(*pixel(view, north))
        assert found is not None
        assert found.layer == "terrain", "the photograph shows the ground"
        scene.set_view("image", visible=False)
        r, g, b = color_at(view, *pixel(view, north))
        assert max(r, g, b) - min(r, g, b) < 90, "terrain in its own colours again"


def test_imagery_without_terrain_is_a_flat_sheet(tmp_path: Path) -> None:
    bands = np.full((3, 50, 50), 200, np.uint8)
    scene = new_scene()
    scene.add(image_layer(tmp_path, bands, 1.0))
    with viewing(scene) as view:
        view.set_camera(above(25, 25))
        assert near(color_at(view, *pixel(view, PLACE + (25, 25, 0))), (200, 200, 200))
        found = view.pick(*pixel(view, PLACE + (25, 25, 0)))
        assert found is not None
        assert found.position[2] == pytest.approx(0)


def test_polygons_follow_the_ground(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    park = shapely.box(40, 40, 260, 300)
    scene.add(vector_layer("park", [park], color="#ff0000"))
    with viewing(scene) as view:
        drawn = view.layers.shown["park"].drawn
        faces = next(d.part for d in drawn if d.part.triangles is not None)
        corners = faces.points.astype(np.float64)[faces.triangles]
        middle = corners.mean(axis=1)
        departure = np.abs(hills(middle[:, 0], middle[:, 1]) - middle[:, 2])
        assert departure.max() < 0.3
        view.set_camera(above(150, 170, span=300))
        for x, y in ((60, 60), (150, 170), (240, 280)):
            assert color_at(view, *pixel(view, PLACE + (x, y, 20)))[0] > 200
        assert color_at(view, *pixel(view, PLACE + (30, 170, 20)))[0] < 220


def test_buildings_stand_on_the_lowest_ground(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    house = shapely.box(100, 100, 130, 112)
    scene.add(vector_layer("houses", [house], {"h": [18.0]}, extrude="h"))
    with viewing(scene) as view:
        box = view.extent(scene_refs("houses", "f0"))
        corners = np.array(house.exterior.coords)
        ground = hills(corners[:, 0], corners[:, 1]).min()
        assert box is not None
        assert box.zmin == pytest.approx(ground, abs=0.05)
        assert box.zmax == pytest.approx(box.zmin + 18)


def scene_refs(layer: str, *ids: str) -> list[object]:
    from plumbline.core.pick import EntityRef

    return [EntityRef(layer, i) for i in ids]


def test_base_attribute_and_flat_features() -> None:
    scene = new_scene()
    shapes = [shapely.box(0, 0, 10, 10), shapely.box(20, 0, 30, 10)]
    columns: dict[str, list[object]] = {"h": [5.0, None], "b": [100.0, None]}
    scene.add(vector_layer("houses", shapes, columns, extrude="h", base="b"))
    with viewing(scene) as view:
        tall, flat = (view.extent(scene_refs("houses", f)) for f in ("f0", "f1"))
        assert tall is not None
        assert (tall.zmin, tall.zmax) == (100, 105)
        assert flat is not None
        assert (flat.zmin, flat.zmax) == (0, 0)


def test_categories_take_their_colours() -> None:
    scene = new_scene()
    shapes = [shapely.box(0, 0, 10, 10), shapely.box(20, 0, 30, 10)]
    use = {"用途": ["住宅", "学校"]}
    colors = {"住宅": "#ff0000", "学校": "#00ff00"}
    scene.add(
        vector_layer(
            "plots", shapes, use, color_by="attribute", attribute="用途", class_colors=colors
        )
    )
    with viewing(scene) as view:
        view.set_camera(above(15, 5))
        assert near(color_at(view, *pixel(view, PLACE + (5, 5, 0))), (255, 0, 0), 25)
        assert near(color_at(view, *pixel(view, PLACE + (25, 5, 0))), (0, 255, 0), 25)


def test_lines_and_points_are_seen_and_pipes_keep_their_depth() -> None:
    scene = new_scene()
    pipe = shapely.LineString([(0, 0, -2.0), (40, 0, -3.0)])
    tree = shapely.Point(20, 20, 4.0)
    scene.add(vector_layer("net", [pipe, tree], has_z=True, line_width=5, color="#00ff00"))
    with viewing(scene) as view:
        view.set_camera(above(20, 10))
        assert color_at(view, *pixel(view, PLACE + (20, 0, -2.5)))[1] > 200
        assert color_at(view, *pixel(view, PLACE + (20, 20, 4)))[1] > 120
        found = view.pick(*pixel(view, PLACE + (10, 0, -2.25)))
        assert found is not None
        assert found.entity == "f0"
        assert found.snap == "edge"
        x, _, z = np.array(found.position) - PLACE
        assert z == pytest.approx(-2 - x / 40, abs=1e-9), "on the axis of the pipe"


def test_opacity_lets_the_sky_through() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(above(5, 5))
        solid = color_at(view, *pixel(view, PLACE + (5, 5, 10)))
        scene.set_view("boxes", opacity=0.3)
        thin = color_at(view, *pixel(view, PLACE + (5, 5, 10)))
        assert thin[0] > solid[0] + 60


def test_z_offset_moves_the_picture_and_not_the_data() -> None:
    scene = new_scene()
    scene.add(boxes_layer(z_offset=100.0))
    with viewing(scene) as view:
        side = Camera(tuple(PLACE + (5, -300, 105)), tuple(PLACE + (5, 0, 105)), parallel=True)
        view.set_camera(side)
        found = view.pick(*pixel(view, PLACE + (5, 0, 105)))
        assert found is not None
        assert found.position == pytest.approx(tuple(PLACE + (5, 0, 5)), abs=0.5)
        assert not is_sky(color_at(view, *pixel(view, PLACE + (5, 0, 105))))
        assert view.pick(*pixel(view, PLACE + (5, 0, 5))) is None
        assert moves.distance(view.camera()) == pytest.approx(300)
