"""Measurements whose points were picked say how sure they are; typed ones say nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plumbline.analysis.validation import InvalidParamsError
from plumbline.api import (
    BimData,
    Layer,
    LayerKind,
    MeshData,
    PointCloudData,
    Scene,
    parse_crs,
    run,
)
from plumbline.core.georeference import Georeference

CRS = "EPSG:4549"
X, Y = 534_000.0, 3_993_000.0


@pytest.fixture
def scene() -> Scene:
    """Return a cloud of 4 points per m², a mesh of 2 m edges, a building model."""
    scene = Scene(Georeference.from_text(CRS))
    crs = parse_crs(CRS)
    grid = np.stack(np.meshgrid(np.linspace(0, 10, 21), np.linspace(0, 10, 21)), -1).reshape(-1, 2)
    points = np.column_stack([grid + [X, Y], np.full(len(grid), 5.0)])
    cloud = Layer("cloud", "点云", LayerKind.POINTCLOUD, PointCloudData(points), crs)
    surveyed = Layer(
        "als",
        "机载",
        LayerKind.POINTCLOUD,
        PointCloudData(points),
        crs,
        metadata={"accuracy": 0.05},
    )
    side = 2.0
    triangle = np.array([[0, 0, 0], [side, 0, 0], [side / 2, side * math.sqrt(3) / 2, 0]])
    mesh = MeshData(triangle + [X, Y, 0], np.array([[0, 1, 2]]))
    model = BimData(triangle + [X, Y, 0], np.array([[0, 1, 2]]))
    for layer in (
        cloud,
        surveyed,
        Layer("mesh", "实景", LayerKind.MESH, mesh, crs),
        Layer("bim", "模型", LayerKind.BIM, model, crs),
    ):
        scene.add(layer)
    return scene


START, END = [X, Y, 5], [X + 30, Y + 40, 5]


def test_typed_points_have_no_uncertainty(scene: Scene) -> None:
    result = run("measure.distance", scene, start=START, end=END)
    assert {v.uncertainty for v in result.values.values()} == {None}
    half = [{"layer": "cloud", "snap": "point"}, {}]
    result = run("measure.distance", scene, start=START, end=END, picked=half)
    assert result.values["distance"].uncertainty is None


@pytest.mark.parametrize(
    ("layer", "sigma"),
    [
        # Spacing of 441 points on 100 m².
        ("cloud", 10 / 21 / math.sqrt(12)),
        ("als", math.hypot(10 / 21 / math.sqrt(12), 0.05)),
        ("mesh", 2 / math.sqrt(12)),
    ],
)
def test_the_layer_says_how_sure(scene: Scene, layer: str, sigma: float) -> None:
    picked = [{"layer": layer, "snap": "point"}] * 2
    result = run("measure.distance", scene, start=START, end=END, picked=picked)
    expected = 2 * math.sqrt(2) * sigma
    assert result.values["distance"].uncertainty == pytest.approx(expected, rel=1e-9)
    assert result.values["azimuth_grid"].uncertainty == pytest.approx(
        math.degrees(expected / 50), rel=1e-9
    )
    assert bool(result.warnings) == (layer != "als")
    assert [row["id"] for row in result.provenance["inputs"]] == [layer]
    assert result.params["picked"][0]["snap"] == "point"


def test_models_that_state_no_accuracy_have_none_and_not_zero(scene: Scene) -> None:
    picked = [{"layer": "bim", "snap": "vertex"}] * 2
    result = run("measure.distance", scene, start=START, end=END, picked=picked)
    assert result.values["distance"].uncertainty is None
    model = scene["bim"]
    model.metadata["accuracy"] = 0.02
    result = run("measure.distance", scene, start=START, end=END, picked=picked)
    assert result.values["distance"].uncertainty == pytest.approx(2 * math.sqrt(2) * 0.02)


def test_lines_areas_and_heights_too(scene: Scene) -> None:
    one = 10 / 21 / math.sqrt(12)
    ring = [[X, Y, 5], [X + 10, Y, 5], [X + 10, Y + 10, 5], [X, Y + 10, 5]]
    picked = [{"layer": "cloud", "snap": "point"}] * 4
    line = run("measure.polyline", scene, points=ring, picked=picked)
    # Two ends with one leg, two bends of 90° with two legs at right angles each.
    assert line.values["length"].uncertainty == pytest.approx(2 * one * math.sqrt(2 + 2 * 2))
    area = run("measure.area", scene, polygon=ring, picked=picked)
    assert area.values["area_horizontal"].uncertainty == pytest.approx(
        2 * one * math.sqrt(4 * 200) / 2
    )
    assert area.values["perimeter"].uncertainty == pytest.approx(2 * one * math.sqrt(4 * 2))
    place = [X + 1, Y + 0.5, 5]
    height = run("measure.height", scene, point=place, ground="mesh", picked=picked[:1])
    assert height.values["height"].uncertainty == pytest.approx(
        2 * math.hypot(one, 2 / math.sqrt(12))
    )


def test_angles_and_points_too(scene: Scene) -> None:
    """A right angle with legs of 10 m: the ends turn it by σ/10, its corner by √2 σ/10."""
    one = 10 / 21 / math.sqrt(12)
    picked = [{"layer": "cloud", "snap": "point"}] * 3
    points = [[X + 10, Y, 5], [X, Y, 5], [X, Y + 10, 5]]
    angle = run("measure.angle", scene, points=points, picked=picked)
    wanted = 2 * math.degrees(one / 10) * math.sqrt(1 + 1 + 2)
    assert angle.values["angle"].uncertainty == pytest.approx(wanted, rel=1e-4)
    assert angle.values["dihedral"].uncertainty is None
    place = [X + 1, Y + 0.5, 5]
    point = run("measure.point", scene, point=place, layers=["mesh"], picked=picked[:1])
    assert point.values["x"].uncertainty == pytest.approx(2 * one)
    assert point.values["height_above_ground"].uncertainty == pytest.approx(
        2 * math.hypot(one, 2 / math.sqrt(12))
    )
    typed = run("measure.point", scene, point=place, layers=["mesh"])
    assert {v.uncertainty for v in typed.values.values()} == {None}


def test_a_record_says_how_fine_its_layers_are(scene: Scene) -> None:
    from plumbline.analysis.picked import with_resolution

    picked = [{"layer": "cloud", "snap": "point"}, {"layer": "bim", "snap": "vertex"}]
    result = run("measure.distance", scene, start=START, end=END, picked=picked)
    rows = with_resolution(scene, result.provenance)["inputs"]
    assert [row["resolution"] for row in rows] == [pytest.approx(10 / 21), None]


def test_unknown_layers_and_snaps_are_refused(scene: Scene) -> None:
    for picked in ([{"layer": "nowhere"}] * 2, [{"layer": "cloud", "snap": "magic"}] * 2):
        with pytest.raises(InvalidParamsError):
            run("measure.distance", scene, start=START, end=END, picked=picked)
