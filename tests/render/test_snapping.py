"""Snapping to corners, middles, feet and edges that are seen, at the coordinates of a city."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from render_scenes import CRS, PLACE, boxes_layer, new_scene, pixel, vector_layer, viewing

from plumbline.core.clipping import Clipping, ClipPlane
from plumbline.core.data import BimData, Element, MeshData, PointCloudData, Storey
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.pick import EntityRef, Pick
from plumbline.core.scene import Camera, Scene, Scheme
from plumbline.render.scene_view import SceneView


def at(x: float, y: float, z: float = 0.0) -> tuple[float, float, float]:
    return (PLACE[0] + x, PLACE[1] + y, PLACE[2] + z)


#: From the south-east above: the low box is at (0..10, 0..10, 0..10).
EYE = Camera(at(60, -70, 50), at(8, 5, 5), view_angle=9.0)


def snap(view: SceneView, place: tuple[float, float, float], dx: int, dy: int) -> Pick | None:
    x, y = pixel(view, np.array(place))
    return view.snap(x + dx, y + dy)


@pytest.mark.parametrize("parallel", [False, True])
def test_corners_middles_and_edges_of_a_box(parallel: bool) -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(EYE)
        view.set_parallel(parallel)
        for place, kind in (
            (at(10, 0, 10), "vertex"),
            (at(10, 10, 10), "vertex"),
            (at(5, 0, 10), "midpoint"),
            (at(10, 0, 5), "midpoint"),
        ):
            found = snap(view, place, 3, 2)
            assert found is not None
            assert (found.snap, found.entity) == (kind, "low")
            assert found.position == pytest.approx(place, abs=1e-9)
            assert found.pixel > 0
        edge = snap(view, at(2, 0, 10), 1, 2)
        assert edge is not None
        assert edge.snap == "feature"
        assert edge.position[1:] == pytest.approx(at(0, 0, 10)[1:], abs=1e-9)
        # The edge between the two triangles of a face is none.
        face = snap(view, at(6.5, 0, 3.5), 0, 0)
        assert face is not None
        assert face.snap == "face"


def test_hidden_corners_are_not_snapped_to() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(EYE)
        behind = snap(view, at(0, 10, 0), 0, 0)
        assert behind is not None
        assert behind.snap != "vertex"
        # Hidden elements and clipped edges are not there either.
        corner = at(10, 0, 10)
        scene.set_clipping(Clipping(planes=(ClipPlane(at(0, 0, 8), (0, 0, -1)),)))
        clipped = snap(view, corner, 0, 0)
        assert clipped is None or clipped.snap != "vertex"
        scene.history.undo()
        scene.set_schemes([Scheme("s", "s", hidden=(EntityRef("boxes", "low"),))])
        scene.activate_scheme("s")
        assert snap(view, corner, 0, 0) is None
        scene.activate_scheme("")
        assert snap(view, corner, 0, 0) is not None


def test_the_foot_of_a_perpendicular_on_an_edge_and_on_a_face() -> None:
    scene = new_scene()
    scene.add(boxes_layer())
    with viewing(scene) as view:
        view.set_camera(EYE)
        base = at(2.5, -20, 10)
        found = view.snap(*pixel(view, np.array(at(2.7, 0, 10))), base=base)
        assert found is not None
        assert found.snap == "perpendicular"
        assert found.position == pytest.approx(at(2.5, 0, 10), abs=1e-9)
        base = at(6.5, -20, 4)
        found = view.snap(*pixel(view, np.array(at(6.6, 0, 4.1))), base=base)
        assert found is not None
        assert found.snap == "perpendicular"
        assert found.position == pytest.approx(at(6.5, 0, 4), abs=1e-9)


def test_points_of_a_cloud_near_the_cursor() -> None:
    scene = new_scene()
    points = np.array([at(x, y, 2.0) for x in range(0, 20, 5) for y in range(0, 20, 5)])
    scene.add(Layer("cloud", "cloud", LayerKind.POINTCLOUD, PointCloudData(points), CRS))
    with viewing(scene) as view:
        view.set_camera(EYE)
        found = snap(view, at(5, 5, 2), 4, 3)
    assert found is not None
    assert (found.snap, found.layer) == ("point", "cloud")
    assert found.position == pytest.approx(at(5, 5, 2), abs=1e-9)


def test_lines_and_extruded_footprints() -> None:
    scene = new_scene()
    line = shapely.LineString([(0, -10, 1), (12, -10, 1), (20, -20, 1)])
    scene.add(vector_layer("lines", [line], has_z=True))
    scene.add(vector_layer("houses", [shapely.box(0, 0, 10, 10)], {"h": [9.0]}, extrude="h"))
    with viewing(scene) as view:
        view.set_camera(EYE)
        bend, corner = snap(view, at(12, -10, 1), 3, 2), snap(view, at(10, 0, 9), 2, 2)
        middle = snap(view, at(6, -10, 1), 2, 1)
    assert bend is not None
    assert corner is not None
    assert middle is not None
    assert (bend.snap, bend.layer, bend.entity) == ("vertex", "lines", "f0")
    assert bend.position == pytest.approx(at(12, -10, 1), abs=1e-9)
    assert (corner.snap, corner.entity) == ("vertex", "f0")
    assert corner.position == pytest.approx(at(10, 0, 9), abs=1e-9)
    assert middle.snap == "midpoint"


def house() -> Scene:
    from render_scenes import box_mesh

    box, faces = box_mesh(0, 0, 0, 10)
    data = BimData(
        np.vstack([box, box + (0, 0, 12)]),
        np.vstack([faces, faces + len(box)]),
        elements=[Element("below", storey="0"), Element("above", storey="1")],
        element_index=np.repeat([0, 1], len(faces)).astype(np.int32),
        storeys=[Storey("0", "0", 0.0), Storey("1", "1", 12.0)],
    )
    scene = new_scene()
    scene.add(Layer("house", "house", LayerKind.BIM, data, CRS))
    return scene


def test_storeys_apart_snap_to_where_they_are() -> None:
    scene = house()
    scene.set_clipping(Clipping(explode=8.0))
    with viewing(scene) as view:
        view.set_camera(EYE)
        found = snap(view, at(10, 0, 20), 2, 2)
    assert found is not None
    assert (found.snap, found.entity) == ("vertex", "above")
    assert found.position == pytest.approx(at(10, 0, 12), abs=1e-9)


def test_a_surveyed_mesh_offers_the_corners_of_its_triangles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plumbline.render.snapping.SURVEYED", 1)
    scene = new_scene()
    corners = np.array([at(0, 0), at(10, 0), at(10, 10), at(0, 10), at(5, 5, 1)])
    data = MeshData(corners, np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]))
    scene.add(Layer("mesh", "mesh", LayerKind.MESH, data, CRS))
    with viewing(scene) as view:
        view.set_camera(EYE)
        top, side = snap(view, at(5, 5, 1), 2, 1), snap(view, at(7.4, 0.1, 0), 0, 1)
    assert top is not None
    assert top.snap == "vertex"
    assert side is not None
    assert side.snap == "face"
