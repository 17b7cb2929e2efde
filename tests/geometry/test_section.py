"""Triangles cut by planes, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from plumbline.geometry.section import CutPlane, cut_triangles, enclosed_areas


def area(corners: np.ndarray, plane: CutPlane) -> tuple[float, bool]:
    segments, _ = cut_triangles(corners, plane)
    found, closed = enclosed_areas(plane.flat(segments), np.zeros(len(segments), dtype=int), 1)
    return (0.0 if found[0] is None else found[0].area), bool(closed[0])


@given(
    normal=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda n: np.linalg.norm(n) > 0.1),
    turn=st.floats(0, 360),
)
def test_a_cube_cut_through_its_middle(normal: tuple[float, float, float], turn: float) -> None:
    """A plane through the centre of a unit cube: Ball (1986), area between 1 and √2."""
    box = trimesh.creation.box((1, 1, 1))
    box.apply_transform(trimesh.transformations.rotation_matrix(np.radians(turn), [1, 2, 3]))
    size, closed = area(np.asarray(box.triangles), CutPlane.through(np.zeros(3), np.array(normal)))
    assert closed
    assert 1 - 1e-9 <= size <= np.sqrt(2) + 1e-9


def test_a_sphere_gives_the_circle_of_its_polyhedron() -> None:
    """The cut of a fine ball is a circle but for its facets: π(r² − h²) from below."""
    ball = trimesh.creation.icosphere(6, 10.0)
    size, closed = area(
        np.asarray(ball.triangles), CutPlane.through(np.array([0, 0, 6.0]), np.array([0, 0, 2.0]))
    )
    assert closed
    assert size == pytest.approx(np.pi * 64, rel=1e-3)
    assert size < np.pi * 64


def test_a_pipe_is_two_bands_lengthwise_and_a_ring_across() -> None:
    """Closed form for a polygonal tube: chords of its outer and inner outlines."""
    tube = np.asarray(trimesh.creation.annulus(2, 3, 10, sections=400).triangles)
    upright = CutPlane.upright(np.array([-5.0, 0.5]), np.array([5.0, 0.5]))
    size, closed = area(tube, upright)
    assert closed
    assert size == pytest.approx(20 * (np.sqrt(9 - 0.25) - np.sqrt(4 - 0.25)), rel=2e-4)
    level = CutPlane.through(np.array([0, 0, 1.0]), np.array([0, 0, 1.0]))
    ring, _ = area(tube, level)
    assert ring == pytest.approx(200 * np.sin(np.pi / 200) * 5, rel=1e-9)


@pytest.mark.parametrize(("height", "size"), [(2.0, 6.0), (-2.0, 0.0), (2.1, 0.0), (0.0, 6.0)])
def test_a_plane_that_touches_faces(height: float, size: float) -> None:
    """Corners on the plane count as above it: the top is cut, the bottom is not."""
    box = np.asarray(trimesh.creation.box((2, 3, 4)).triangles)
    plane = CutPlane.through(np.array([0, 0, height]), np.array([0.0, 0.0, 1.0]))
    assert area(box, plane)[0] == pytest.approx(size, abs=1e-12)


def test_a_leaky_body_is_told() -> None:
    box = np.asarray(trimesh.creation.box((2, 3, 4)).triangles)[1:]
    plane = CutPlane.through(np.zeros(3), np.array([0.3, 0.9, 0.1]))
    whole = [area(np.delete(box, n, axis=0), plane)[1] for n in range(len(box))]
    assert not all(whole)


def test_flat_and_space_are_inverse() -> None:
    plane = CutPlane.through(np.array([1.0, 2.0, 3.0]), np.array([1.0, -2.0, 0.5]))
    flat = np.array([[0.0, 0.0], [3.0, -1.0]])
    assert plane.flat(plane.space(flat)) == pytest.approx(flat, abs=1e-12)
    assert (plane.space(flat) - plane.origin) @ plane.normal == pytest.approx(0, abs=1e-12)
