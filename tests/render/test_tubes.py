"""Tubes against closed forms: their thickness, their volume, their bends."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import shapely

from plumbline.core.data import Element, MeshData, VectorData
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.render.legend import legend_rows
from plumbline.render.mesh import prepare as prepare_mesh
from plumbline.render.parts import Request
from plumbline.render.tubes import SIDES, Tubes, tubes
from plumbline.render.vector import feature_colors, prepare


def path(*points: tuple[float, float, float]) -> np.ndarray:
    line = np.array(points, dtype=float)
    return np.stack([line[:-1], line[1:]], axis=1)


def volume(made: Tubes) -> float:
    a, b, c = (made.points[made.triangles[:, n]] for n in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def section(radius: float) -> float:
    """Area of the polygon of `SIDES` corners on the circle."""
    return SIDES / 2 * radius**2 * np.sin(2 * np.pi / SIDES)


@pytest.mark.parametrize(
    ("ends", "length"),
    [
        (path((0, 0, 0), (10, 0, 0)), 10),
        (path((0, 0, 0), (0, 0, 7)), 7),
        # A mitre gives to one side what it takes from the other: volume is section times axis.
        (path((0, 0, 0), (10, 0, 0), (10, 8, 0)), 18),
        (path((0, 0, 0), (10, 0, 0), (10, 8, 0), (10, 8, -6)), 24),
    ],
)
def test_the_volume_is_section_times_length(ends: np.ndarray, length: float) -> None:
    made = tubes(ends, np.full(len(ends), 0.5), np.zeros(len(ends), dtype=np.intp))
    assert volume(made) == pytest.approx(section(0.5) * length, rel=1e-9)
    # Every corner lies at the radius from the axis of its segment.
    axis = np.repeat(ends, 2 * SIDES, axis=0)
    along = axis[:, 1] - axis[:, 0]
    along /= np.linalg.norm(along, axis=1)[:, None]
    away = np.linalg.norm(np.cross(made.points - axis[:, 0], along), axis=1)
    assert away == pytest.approx(np.full(len(away), 0.5))


def test_lines_are_closed_each_for_itself() -> None:
    ends = np.concatenate([path((0, 0, 0), (10, 0, 0)), path((10, 0, 0), (10, 5, 0))])
    made = tubes(ends, np.array([0.5, 0.25]), np.array([0, 1]))
    assert volume(made) == pytest.approx(section(0.5) * 10 + section(0.25) * 5, rel=1e-9)
    assert set(made.segment.tolist()) == {0, 1}


def test_a_turn_back_makes_no_spike() -> None:
    ends = path((0, 0, 0), (10, 0, 0), (0, 0.1, 0))
    made = tubes(ends, np.full(2, 0.5), np.zeros(2, dtype=np.intp))
    assert np.isfinite(made.points).all()
    assert made.points[:, 0].max() < 10.2


def test_tubes_lie_below_the_ground() -> None:
    frame = geopandas.GeoDataFrame(
        {"d": [600], "cover": [2.0]},
        geometry=[shapely.LineString([(0, 0), (50, 0)])],
    )
    style = LayerStyle(tube="d", tube_unit=0.001, depth="cover")
    layer = Layer("pipes", "Pipes", LayerKind.VECTOR, VectorData(frame), style=style)
    prepared = prepare(Request(layer, style))
    points = np.concatenate([part.points for part in prepared.parts if part.triangles is not None])
    # Without a terrain the ground is at 0: the upper side at -2 m, the lower at -2.6 m.
    assert points[:, 2].max() == pytest.approx(-2.0, abs=1e-5)
    assert points[:, 2].min() == pytest.approx(-2.6, abs=1e-5)


def test_classes_colour_features_and_the_legend_alike() -> None:
    frame = geopandas.GeoDataFrame(
        {"h": [3.0, 10.0, 25.0, None]}, geometry=[shapely.box(n, 0, n + 1, 1) for n in range(4)]
    )
    style = LayerStyle(color_by="attribute", attribute="h", breaks=(10.0, 20.0))
    layer = Layer("houses", "Houses", LayerKind.VECTOR, VectorData(frame), style=style)
    colors = ["#" + bytes(c).hex() for c in feature_colors(Request(layer, style), layer.data)]  # type: ignore[arg-type]
    rows = {row.text: row.color for row in legend_rows(layer, style) if row.color}
    # A number equal to a break belongs to the class above it.
    assert colors[:3] == [rows["< 10"], rows["10 – 20"], rows["≥ 20"]]
    assert colors[3] not in rows.values()


def test_elements_of_a_model_are_themed_like_features() -> None:
    heights = (3.0, 10.0, 25.0, None)
    elements = [
        Element(f"e{n}", properties={"a": {"h": h, "use": use} if h else {"use": use}})
        for n, (h, use) in enumerate(zip(heights, ("flat", "shop", "flat", None), strict=True))
    ]
    points = np.array([(n + dx, dy, 0.0) for n in range(4) for dx, dy in ((0, 0), (1, 0), (0, 1))])
    triangles = np.arange(12, dtype=np.int32).reshape(-1, 3)
    data = MeshData(
        points, triangles, elements=elements, element_index=np.arange(4, dtype=np.int32)
    )
    style = LayerStyle(color_by="attribute", attribute="h", breaks=(10.0, 20.0))
    layer = Layer("city", "City", LayerKind.MESH, data, style=style)
    rows = {row.text: row.color for row in legend_rows(layer, style) if row.color}
    drawn = prepare_mesh(Request(layer, style)).parts[0].colors
    assert drawn is not None
    colors = ["#" + bytes(c[:3]).hex() for c in drawn]
    assert colors[:3] == [rows["< 10"], rows["10 – 20"], rows["≥ 20"]]
    assert colors[3] not in rows.values()
    style = LayerStyle(color_by="attribute", attribute="use")
    rows = {row.text: row.color for row in legend_rows(layer, style) if row.color}
    drawn = prepare_mesh(Request(layer, style)).parts[0].colors
    assert drawn is not None
    colors = ["#" + bytes(c[:3]).hex() for c in drawn]
    assert colors[:3] == [rows["flat"], rows["shop"], rows["flat"]]
    assert set(rows) == {"flat", "shop"}
