"""What meshes enclose, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import trimesh

from plumbline.geometry.solids import boundary, solid_of, weld, winding_numbers

FAR = np.array([534_200.0, 3_993_400.0, 40.0])


def cone_frustum(r1: float, r2: float, h: float, n: int) -> np.ndarray:
    """Return a frustum with n sides; closed form h/3 (A1 + sqrt(A1 A2) + A2) of its polygons."""
    a = 2 * np.pi * np.arange(n) / n
    low = np.column_stack([r1 * np.cos(a), r1 * np.sin(a), np.zeros(n)])
    high = np.column_stack([r2 * np.cos(a), r2 * np.sin(a), np.full(n, h)])
    nxt = np.roll(np.arange(n), -1)
    sides = np.concatenate(
        [np.stack([low, low[nxt], high[nxt]], 1), np.stack([low, high[nxt], high], 1)]
    )
    zero, top = np.zeros((n, 3)), np.tile([0, 0, h], (n, 1))
    ends = np.concatenate([np.stack([zero, low[nxt], low], 1), np.stack([top, high, high[nxt]], 1)])
    return np.concatenate([sides, ends])


SOLIDS = [
    ("prism", trimesh.creation.box((20, 12, 7)).triangles, 20 * 12 * 7),
    ("frustum", cone_frustum(10, 6, 5, 720), math.pi * 5 / 3 * (100 + 60 + 36)),
    ("cone", trimesh.creation.cone(10, 12, sections=720).triangles, math.pi * 100 * 12 / 3),
    ("sphere", trimesh.creation.icosphere(5, radius=5).triangles, 4 / 3 * math.pi * 125),
    ("torus", trimesh.creation.torus(10, 3, 256, 128).triangles, 2 * math.pi**2 * 10 * 9),
]


@pytest.mark.parametrize(("name", "corners", "volume"), SOLIDS, ids=[s[0] for s in SOLIDS])
def test_closed_solids_agree_with_their_closed_form(
    name: str, corners: np.ndarray, volume: float
) -> None:
    found = solid_of(corners + FAR)
    assert found.closed
    assert found.method == "tetrahedra"
    assert found.volume == pytest.approx(volume, rel=1e-3)


def test_a_turned_solid_keeps_its_volume_and_normals_inwards_are_found() -> None:
    corners = trimesh.creation.icosphere(3).triangles
    volume = solid_of(corners).volume
    found = solid_of(corners[:, ::-1] + FAR)
    assert found.inverted
    assert found.volume == pytest.approx(volume, rel=1e-6)


def test_triangles_that_face_against_their_neighbours_are_turned() -> None:
    corners = trimesh.creation.torus(5, 1, 64, 32).triangles.copy()
    wrong = np.random.default_rng(2).random(len(corners)) < 0.3
    expected = solid_of(corners).volume
    corners[wrong] = corners[wrong][:, ::-1]
    found = solid_of(corners)
    assert found.closed
    assert found.turned == min(wrong.sum(), len(corners) - wrong.sum())
    assert found.volume == pytest.approx(expected, rel=1e-9)


def test_a_cavity_counts_less_and_an_inverted_neighbour_counts_whole() -> None:
    outer = trimesh.creation.box((4, 4, 4)).triangles
    inner = trimesh.creation.box((1, 1, 1)).triangles[:, ::-1]
    assert solid_of(np.concatenate([outer, inner])).volume == pytest.approx(63.0)
    beside = solid_of(np.concatenate([outer, inner + 10.0]))
    assert beside.volume == pytest.approx(65.0)
    assert beside.inverted


def test_a_junction_of_large_and_small_triangles_is_no_hole() -> None:
    # The top of a box in four triangles around the middle of one side, the walls in two each.
    box = trimesh.creation.box((2, 2, 2)).triangles
    normal = np.cross(box[:, 1] - box[:, 0], box[:, 2] - box[:, 0])
    walls = box[normal[:, 2] <= 0]
    a, b, c, d, m = (-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1), (0, -1, 1)
    top = np.array([(a, m, d), (m, c, d), (m, b, c)], float)
    found = solid_of(np.concatenate([walls, top]) + FAR)
    assert found.closed
    assert found.volume == pytest.approx(8.0, abs=1e-9)


@pytest.mark.parametrize("missing", [1, 60])
def test_a_leaky_sphere_encloses_nearly_the_whole(missing: int) -> None:
    sphere = trimesh.creation.icosphere(4, radius=5)
    corners = sphere.triangles
    # A cap around a pole: the winding number closes it somewhere between flat and round.
    order = np.argsort(-sphere.triangles_center[:, 2])
    keep = np.sort(order[missing:])
    whole, cap = solid_of(corners).volume, corners[order[:missing]]
    height = 5 - cap[..., 2].min()
    assert whole is not None
    found = solid_of(corners[keep] + FAR)
    assert not found.closed
    assert found.method == "winding number"
    assert found.open_length > 0
    assert found.leak_area > 0
    # Closed form of a spherical cap: pi h² (3 r - h) / 3.
    assert whole - math.pi * height**2 * (15 - height) / 3 <= found.volume <= whole + 1e-3


def test_a_box_without_lid_is_full_to_the_brim() -> None:
    box = trimesh.creation.box((3, 4, 5)).triangles
    normal = np.cross(box[:, 1] - box[:, 0], box[:, 2] - box[:, 0])
    found = solid_of(box[normal[:, 2] <= 0] + FAR)
    assert found.leak_area == pytest.approx(12.0)
    assert found.open_length == pytest.approx(14.0)
    # The 0.5 isosurface of the winding number bends into the box under a hole as wide as it.
    assert 40.0 < found.volume <= 60.0
    assert found.uncertainty >= 60.0 - found.volume - 0.5


def test_what_is_no_solid_has_no_volume() -> None:
    assert solid_of(np.empty((0, 3, 3))).method == "none"
    one = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], float)
    assert solid_of(one).volume is None
    degenerate = np.repeat(np.zeros((1, 1, 3)), 3, axis=1).repeat(5, axis=0)
    assert solid_of(degenerate).volume is None


def test_winding_numbers_count_how_often_a_place_is_enclosed() -> None:
    box = trimesh.creation.box((2, 2, 2)).triangles
    places = np.array([[0.1, 0.2, 0.3], [3.0, 0, 0], [0.9, -0.9, 0.9]])
    assert winding_numbers(places, box) == pytest.approx([1, 0, 1], abs=1e-12)
    half = winding_numbers(np.array([[0.0, 0, 1e-9]]), box[:0])
    assert half == pytest.approx([0.0])


def test_a_closed_mesh_has_no_boundary_and_corners_are_welded() -> None:
    points, faces = weld(trimesh.creation.icosphere(2).triangles)
    assert len(points) == 162
    assert len(boundary(faces)) == 0
    assert len(boundary(faces[1:])) == 3
