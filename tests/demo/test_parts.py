"""Parts of buildings: heights, volumes and closed meshes agree with each other."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.demo.parts import Part, triangles

PARTS = {
    "flat": Part(3, 4, 12, 8, 0.3, eaves=6),
    "parapet": Part(3, 4, 12, 8, 0.3, eaves=6, parapet=0.9),
    "gable": Part(3, 4, 12, 8, 0.3, eaves=6, roof="gable", rise=3),
    "hip": Part(3, 4, 12, 8, 0.3, eaves=6, roof="hip", rise=3),
    "pyramid": Part(3, 4, 9, 9, 0.3, eaves=6, roof="pyramid", rise=3),
    "octagon": Part(3, 4, 9, 9, 0.3, eaves=6, roof="pyramid", rise=3, sides=8),
    "raised": Part(3, 4, 4, 3, 0.3, eaves=9, bottom=6),
}


def mesh_of(part: Part) -> object:
    """Return the faces of a part as one trimesh."""
    import trimesh

    points, cuts, count = [], [], 0
    for face in part.faces():
        p, cut = triangles(face)
        points.append(p)
        cuts.append(cut + count)
        count += len(p)
    mesh = trimesh.Trimesh(np.vstack(points), np.vstack(cuts), process=False)
    mesh.merge_vertices(digits_vertex=6)
    return mesh


@pytest.mark.parametrize("name", PARTS)
def test_mesh_is_closed_and_has_the_volume_of_the_construction(name: str) -> None:
    part = PARTS[name]
    mesh = mesh_of(part)
    assert mesh.is_watertight  # type: ignore[attr-defined]
    expected = part.volume + part.parapet_volume
    assert mesh.volume == pytest.approx(expected, rel=1e-9)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", PARTS)
def test_heights_add_up_to_the_volume(name: str) -> None:
    part = PARTS[name]
    step = 0.02
    u, v = np.meshgrid(np.arange(-6, 12, step), np.arange(-5, 13, step))
    z = part.heights(u, v)
    volume = np.nansum(z - part.bottom) * step**2
    assert volume == pytest.approx(part.volume + part.parapet_volume, rel=4e-3)


def test_a_hole_is_neither_roof_nor_volume() -> None:
    hole = Part(3, 4, 4, 3, 0.3, eaves=20).polygon
    podium = Part(3, 4, 12, 8, 0.3, eaves=6, parapet=0.9, holes=(hole,))
    assert podium.volume == pytest.approx((96 - 12) * 6)
    assert np.isnan(podium.heights(np.array([3.0]), np.array([4.0])))[0]
    assert mesh_of(podium).is_watertight  # type: ignore[attr-defined]
