"""Computed grids and painted meshes: colours of cells, holes, picking and what the legend says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from render_scenes import (
    PLACE,
    above,
    boxes_layer,
    color_at,
    grid_layer,
    hills,
    is_sky,
    new_scene,
    pixel,
    terrain_layer,
    viewing,
)

from plumbline.core.data import GridData, MeshData
from plumbline.core.entities import entity_attributes, entity_bounds, entity_name
from plumbline.core.layer import Layer, LayerStyle
from plumbline.core.pick import EntityRef
from plumbline.render.legend import legend_rows
from plumbline.render.scales import scale_of
from plumbline.render.scene_view import SceneView
from plumbline.render.theme import LIGHT

YES_NO = np.array([[1, 0, 255], [0, 1, 1]], dtype=np.uint8)
RED_BLUE = {"1": "#ff0000", "0": "#0000ff"}


def seen(view: SceneView, x: float, y: float, z: float = 0.0) -> tuple[int, int, int]:
    return color_at(view, *pixel(view, PLACE + (x, y, z)))


def mostly(color: tuple[int, int, int]) -> str:
    """Return which of red, green and blue leads clearly, else nothing."""
    order = np.argsort(color)
    return "rgb"[order[-1]] if color[order[-1]] - color[order[-2]] > 60 else ""


def test_a_grid_without_terrain_shows_its_cells_and_no_more(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(grid_layer(YES_NO, class_colors=RED_BLUE))
    with viewing(scene) as view:
        view.set_camera(above(15, 10, span=50))
        # Close to the corners of cells: nothing is blurred between them.
        assert mostly(seen(view, 9, 11)) == "r"
        assert mostly(seen(view, 9, 9)) == "b"
        assert mostly(seen(view, 11, 11)) == "b"
        assert mostly(seen(view, 11, 9)) == "r"
        assert is_sky(seen(view, 25, 15))  # no data
        assert is_sky(seen(view, 31, 5))
        assert is_sky(seen(view, 15, 21))


def test_a_grid_without_terrain_lies_at_the_foot_of_what_stands_there() -> None:
    scene = new_scene()
    boxes = boxes_layer()
    assert isinstance(boxes.data, MeshData)
    boxes.data.vertices += (0.0, 0.0, 40.0)
    scene.add(boxes)
    scene.add(grid_layer(YES_NO, class_colors=RED_BLUE))
    with viewing(scene) as view:
        view.set_camera(above(15, 10, span=50))
        pick = view.pick(*pixel(view, PLACE + (15, 5, 40)))
        assert pick is not None
        assert pick.layer == "grid"
        assert pick.position[2] == pytest.approx(40)


def test_a_grid_is_laid_on_the_terrain_and_picked_by_cell(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    scene.add(grid_layer(YES_NO, cell=50.0, class_colors=RED_BLUE))
    with viewing(scene) as view:
        view.set_camera(above(75, 50, span=160))
        for x, y, leads in ((25, 25, "b"), (25, 75, "r"), (75, 75, "b"), (140, 20, "r")):
            assert mostly(seen(view, x, y, float(hills(x, y)))) == leads
        assert mostly(seen(view, 125, 75, float(hills(125, 75)))) == ""  # no data: the terrain
        x, y = pixel(view, PLACE + (75, 25, hills(75, 25)))
        pick = view.pick(x, y)
        assert pick is not None
        assert (pick.layer, pick.entity, pick.primitive) == ("grid", "4", 4)
        ground = hills(pick.position[0] - PLACE[0], pick.position[1] - PLACE[1])
        assert pick.position[2] == pytest.approx(float(ground), abs=0.02)
        hole = view.pick(*pixel(view, PLACE + (125, 75, hills(125, 75))))
        assert hole is not None
        assert hole.layer == "terrain"


def test_a_grid_beyond_the_terrain_goes_on_level(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path, lambda x, y: 30.0 + 0 * x, cells=20))
    scene.add(grid_layer(np.ones((4, 8)), class_colors={"1": "#ff0000"}, color_by="class"))
    with viewing(scene) as view:
        view.set_camera(above(40, 20, span=100))
        assert mostly(seen(view, 20, 20, 30)) == "r"
        assert mostly(seen(view, 70, 20, 30)) == "r"
        pick = view.pick(*pixel(view, PLACE + (70, 20, 30)))
        assert pick is not None
        assert pick.position[2] == pytest.approx(30)


def test_heights_stand_as_a_surface_of_their_own(tmp_path: Path) -> None:
    scene = new_scene()
    heights = np.full((10, 10), 60.0)
    heights[:, 5:] = np.nan
    scene.add(terrain_layer(tmp_path))
    scene.add(grid_layer(heights, cell=20.0, heights=True, color_by="solid", color="#ff0000"))
    with viewing(scene) as view:
        view.set_camera(above(100, 100, span=260))
        assert mostly(seen(view, 50, 100, 60)) == "r"
        assert mostly(seen(view, 150, 100, 20)) == ""
        pick = view.pick(*pixel(view, PLACE + (50, 100, 60)))
        assert pick is not None
        assert pick.layer == "grid"
        assert pick.position[2] == pytest.approx(60)


def test_a_turned_grid_is_drawn_where_its_transform_says() -> None:
    scene = new_scene()
    layer = grid_layer(YES_NO, class_colors=RED_BLUE)
    # Columns go north, rows go east.
    turned = GridData(YES_NO, (0.0, 10.0, PLACE[0], 10.0, 0.0, PLACE[1]), "Distance", "m")
    scene.add(replace(layer, data=turned))
    with viewing(scene) as view:
        view.set_camera(above(10, 15, span=50))
        assert mostly(seen(view, 5, 5)) == "r"
        assert mostly(seen(view, 5, 15)) == "b"
        assert mostly(seen(view, 15, 25)) == "r"
        assert is_sky(seen(view, 5, 25))


def test_a_selected_cell_is_outlined(tmp_path: Path) -> None:
    scene = new_scene()
    scene.add(terrain_layer(tmp_path))
    scene.add(grid_layer(YES_NO, cell=50.0))
    with viewing(scene) as view:
        view.set_camera(above(75, 50, span=160))
        before = view.screenshot().astype(int)
        scene.select([EntityRef("grid", "4")])
        changed = np.abs(view.screenshot().astype(int) - before).sum(axis=2) > 60
        assert 100 < changed.sum() < 0.1 * changed.size
        box = view.selection_bounds()
        assert box is not None
        assert box.xmin == pytest.approx(PLACE[0] + 50)
        assert box.ymax == pytest.approx(PLACE[1] + 50)


def test_the_attributes_of_a_cell() -> None:
    layer = grid_layer(np.array([[1.25, np.nan]]))
    assert entity_name(layer, "0") == "Distance: 1.25 m"
    ((_, rows),) = entity_attributes(layer, "0")
    assert dict(rows)["Distance"] == "1.25 m"
    assert dict(rows)["X"] == PLACE[0] + 5
    assert dict(entity_attributes(layer, "1")[0][1])["Distance"] == "–"
    assert entity_attributes(layer, "2") == []
    assert entity_attributes(layer, "²") == []
    box = entity_bounds(layer, "1")
    assert box is not None
    assert (box.xmin, box.xmax) == (PLACE[0] + 10, PLACE[0] + 20)
    yes_no = grid_layer(YES_NO)
    assert [entity_name(yes_no, str(n)) for n in (0, 1, 2)] == [
        "Distance: Yes",
        "Distance: No",
        "Distance: –",
    ]


def test_a_break_belongs_to_the_band_above_it() -> None:
    style = LayerStyle(breaks=(1, 2.5), palette="viridis")
    colors = scale_of(np.zeros(1), style, LIGHT).colors(np.array([0.99, 1.0, 2.49, 2.5, np.nan]))
    assert colors[:, 3].tolist() == [255, 255, 255, 255, 0]
    assert (colors[1] == colors[2]).all()
    assert len({tuple(c) for c in colors[[0, 1, 3]]}) == 3


def test_breaks_must_rise() -> None:
    for breaks in ((2, 1), (1, 1), (float("nan"),)):
        with pytest.raises(ValueError, match="rise"):
            LayerStyle(breaks=breaks)


def texts(layer: Layer) -> list[str]:
    return [row.text for row in legend_rows(layer, layer.style)]


def test_the_legend_of_a_grid() -> None:
    banded = grid_layer(np.arange(12.0).reshape(3, 4), breaks=(1, 2.5, 1000))
    assert texts(banded) == ["Distance (m)", "≥ 1\u2009000", "2.5 – 1\u2009000", "1 – 2.5", "< 1"]
    assert texts(grid_layer(YES_NO)) == ["Distance (m)", "Yes", "No"]
    named = grid_layer(
        np.array([[3, 7, 255]], dtype=np.uint8),
        class_names={"3": "Rail"},
        class_colors={"3": "#123456"},
        hidden_classes=("7",),
        legend="Kind",
    )
    assert [(r.text, r.color) for r in legend_rows(named, named.style)] == [
        ("Kind", ""),
        ("Rail", "#123456"),
    ]
    ramp = grid_layer(np.array([[0.0, 0.4]]))
    assert texts(ramp) == ["Distance (m)", "0.4", "0.3", "0.2", "0.1", "0.0"]
    assert texts(grid_layer(np.array([[1.0]]), color_by="solid")) == []


def test_a_mesh_painted_by_its_numbers() -> None:
    layer = boxes_layer(color_by="scalar", attribute="hours", breaks=(4,), palette="viridis")
    assert isinstance(layer.data, MeshData)
    numbers = np.r_[np.full(12, 2.0), np.full(10, 6.0), np.nan, np.nan]
    layer.data.scalars["hours"] = numbers
    layer.style = layer.style.model_copy(
        update={"class_colors": {"0": "#ff0000", "1": "#0000ff"}, "legend": "Sun (h)"}
    )
    scene = new_scene()
    scene.add(layer)
    assert [row.text for row in legend_rows(layer, layer.style)] == ["Sun (h)", "≥ 4", "< 4"]
    with viewing(scene) as view:
        view.set_camera(above(20, 5))
        assert mostly(seen(view, 5, 5, 10)) == "r"
        pick = view.pick(*pixel(view, PLACE + (5, 5, 10)))
        assert pick is not None
        ((_, rows),) = [g for g in entity_attributes(layer, pick.entity) if g[0] == "Results"]
        assert rows == [("hours", "2.00")]


def test_a_triangle_of_a_painted_mesh_without_elements_is_a_thing() -> None:
    layer = boxes_layer(color_by="scalar", attribute="hours")
    assert isinstance(layer.data, MeshData)
    layer.data.elements, layer.data.element_index = [], None
    layer.data.scalars["hours"] = np.arange(24.0)
    scene = new_scene()
    scene.add(layer)
    with viewing(scene) as view:
        view.set_camera(above(20, 5))
        pick = view.pick(*pixel(view, PLACE + (5, 4, 10)))
        assert pick is not None
        assert pick.entity == str(pick.primitive)
        assert entity_attributes(layer, pick.entity)[0][1] == [("hours", f"{pick.primitive}.00")]
        scene.select([EntityRef("boxes", pick.entity)])
        box = view.selection_bounds()
        assert box is not None
        assert (box.zmin, box.zmax) == (10, 10)


def test_a_grid_without_terrain_is_laid_on_the_models() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    scene.add(grid_layer(np.ones((10, 10), np.uint8), cell=1.0, class_colors=RED_BLUE))
    with viewing(scene) as view:
        view.set_camera(above(5, 5, span=20))
        assert mostly(seen(view, 5, 5, 10)) == "r", "on the roof of the low box"
        pick = view.pick(*pixel(view, PLACE + (5.5, 5.5, 10)))
        assert pick is not None
        assert pick.layer == "grid"
        assert pick.position[2] == pytest.approx(10, abs=0.01)
        scene.select([EntityRef("grid", pick.entity)])
        box = view.selection_bounds()
        assert box is not None
        assert box.zmax == pytest.approx(10, abs=0.01)


def test_a_mesh_painted_by_classes() -> None:
    layer = boxes_layer(
        color_by="scalar",
        attribute="visible",
        class_colors=RED_BLUE,
        class_names={"1": "Visible", "0": "Hidden"},
    )
    assert isinstance(layer.data, MeshData)
    layer.data.scalars["visible"] = np.repeat([1.0, 0.0], 12)
    assert [row.text for row in legend_rows(layer, layer.style)] == ["visible", "Visible", "Hidden"]
    scene = new_scene()
    scene.add(layer)
    with viewing(scene) as view:
        view.set_camera(above(20, 5))
        assert mostly(seen(view, 5, 5, 10)) == "r"
        assert mostly(seen(view, 35, 5, 30)) == "b"
