"""What a scheme takes away of a captured mesh is gone for analyses too, by closed form."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.analysis.clearing import keeping, removing
from plumbline.api import (
    Clearing,
    Element,
    EntityRef,
    Layer,
    LayerKind,
    MeshData,
    Scene,
    Scheme,
    build_obstacles,
    obstacle_layers,
    parse_crs,
    surface,
)
from plumbline.core.georeference import Georeference

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
