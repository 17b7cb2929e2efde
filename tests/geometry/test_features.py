"""Feature edges of bodies whose edges are known."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from plumbline.geometry.features import feature_edges

PLACE = np.array([39_555_000.0, 3_990_000.0, 12.0])


def features_of(mesh: trimesh.Trimesh, owner: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    owner = np.zeros(len(mesh.faces), dtype=int) if owner is None else owner
    return feature_edges(np.asarray(mesh.vertices) + PLACE, np.asarray(mesh.faces), owner)


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_a_box_has_twelve_whole_edges_however_it_is_triangulated(rounds: int) -> None:
    mesh = trimesh.creation.box((4.0, 6.0, 3.0))
    mesh.apply_transform(trimesh.transformations.rotation_matrix(0.4, (1, 2, 3)))
    for _ in range(rounds):
        mesh = mesh.subdivide()
    found = features_of(mesh)
    lengths = np.linalg.norm(found.edges[:, 1] - found.edges[:, 0], axis=1)
    assert np.sort(lengths) == pytest.approx([3.0] * 4 + [4.0] * 4 + [6.0] * 4, abs=1e-6)


def test_soups_without_shared_vertices_and_turned_triangles_have_the_same_edges() -> None:
    mesh = trimesh.creation.box((4.0, 6.0, 3.0)).subdivide()
    apart = np.arange(3 * len(mesh.faces)).reshape(-1, 3)
    soup = trimesh.Trimesh(mesh.triangles.reshape(-1, 3), apart, process=False)
    soup.faces[::2] = soup.faces[::2, ::-1]
    assert len(features_of(soup).edges) == 12


def test_a_cylinder_keeps_its_rims_and_no_line_of_its_wall() -> None:
    mesh = trimesh.creation.cylinder(2.0, 5.0, sections=48)
    found = features_of(mesh).edges - PLACE
    assert np.abs(found[..., 2]) == pytest.approx(2.5)
    assert len(found) == 2 * 48


def test_things_that_touch_keep_their_own_edges() -> None:
    other = trimesh.creation.box((2, 2, 2)).apply_translation((2, 0, 0))
    mesh = trimesh.util.concatenate([trimesh.creation.box((2, 2, 2)), other])
    found = features_of(mesh, np.repeat([7, 9], 12))
    assert len(found.edges) == 24
    assert np.bincount(found.owner)[[7, 9]].tolist() == [12, 12]
    # As one thing the shared wall has no edges along the long sides that go on.
    assert len(features_of(mesh).edges) < 24


def test_nothing_and_slivers_have_no_edges() -> None:
    empty = feature_edges(np.zeros((0, 3)), np.zeros((0, 3), dtype=int), np.zeros(0, dtype=int))
    assert len(empty.edges) == 0
    line = np.array([(0.0, 0, 0), (1, 0, 0), (2, 0, 0)])
    assert len(feature_edges(line, np.array([[0, 1, 2]]), np.array([0])).edges) == 0
