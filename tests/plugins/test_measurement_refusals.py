"""What cannot be measured is refused in words, by every analysis, for each kind of bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sightline_scenes import X, Y, bodies, box, terrain

from plumbline.api import (
    BimData,
    Georeference,
    Layer,
    LayerKind,
    MeshData,
    PointCloudData,
    Scene,
    UserError,
    parse_crs,
    run,
)

NAN = float("nan")
#: Far from everything, but within the area of the CRS.
AWAY = 20_000.0
BOW = [[X, Y, 5], [X + 9, Y + 9, 5], [X + 9, Y, 5], [X, Y + 9, 5]]
FLAT_BOW = [corner[:2] for corner in BOW]
SQUARE = [[X, Y, 5], [X + 9, Y, 5], [X + 9, Y + 9, 5], [X, Y + 9, 5]]
LINE = [[X, Y], [X + 9, Y]]


def square(x: float = X, y: float = Y) -> list[list[float]]:
    return [[x, y], [x + 9, y], [x + 9, y + 9], [x, y + 9]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return a terrain, a house, and an empty layer of each kind."""
    crs, none = parse_crs("EPSG:4549"), np.empty((0, 3))
    scene = Scene(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    scene.add(terrain(tmp_path_factory.mktemp("terrain"), np.full((50, 50), 5.0), cell=4.0))
    scene.add(bodies({"house": box((0, 0, 0), (9, 9, 9), (X, Y, 5))}, "house", classes={}))
    cells = np.empty((0, 3), dtype=np.int64)
    scene.add(Layer("cloud", "cloud", LayerKind.POINTCLOUD, PointCloudData(none), crs))
    scene.add(Layer("mesh", "mesh", LayerKind.MESH, MeshData(none, cells), crs))
    scene.add(Layer("bim", "bim", LayerKind.BIM, BimData(none, cells), crs))
    return scene


FEWER: list[tuple[str, dict[str, Any]]] = [
    ("measure.point", {"point": [X]}),
    ("measure.distance", {"start": [X, Y, 5]}),
    ("measure.polyline", {"points": [[X, Y, 5]]}),
    ("measure.area", {"polygon": SQUARE[:2]}),
    ("measure.height", {"ground": "terrain"}),
    ("measure.angle", {"points": SQUARE[:2]}),
    ("measure.profile", {"line": LINE[:1], "layers": ["terrain"]}),
    ("measure.section", {"line": LINE[:1], "layers": ["house"]}),
    ("measure.count", {"polygon": square()[:2], "layers": ["house"]}),
]
OUTSIDE = [
    ("measure.point", {"point": [X + AWAY, Y], "layers": ["terrain"]}),
    ("measure.polyline", {"points": [[X, Y], [X + AWAY, Y]], "surface": "terrain"}),
    ("measure.area", {"polygon": square(X + AWAY), "surface": "terrain"}),
    ("measure.height", {"point": [X + AWAY, Y, 5], "ground": "terrain"}),
    ("measure.profile", {"line": [[X + AWAY, Y], [X + AWAY, Y + 9]], "layers": ["terrain"]}),
    ("measure.section", {"line": [[X + AWAY, Y], [X + AWAY, Y + 9]], "layers": ["house"]}),
]
EMPTY = [
    ("measure.point", {"point": [X, Y], "layers": ["mesh"]}),
    ("measure.height", {"point": [X, Y, 5], "ground": "mesh"}),
    ("measure.clearance", {"a": ["cloud"], "b": ["bim"]}),
    ("measure.profile", {"line": LINE, "layers": ["cloud", "mesh"]}),
    ("measure.section", {"line": LINE, "layers": ["mesh", "bim"]}),
]
CROSSING = [
    ("measure.area", {"polygon": BOW}),
    ("measure.height", {"footprint": FLAT_BOW, "object": "house", "ground": "terrain"}),
    ("measure.count", {"polygon": FLAT_BOW, "layers": ["house"]}),
]
NOT_A_NUMBER = [
    ("measure.point", {"point": [X, NAN, 5]}),
    ("measure.distance", {"start": [X, Y, NAN], "end": [X, Y, 5]}),
    ("measure.polyline", {"points": [[X, Y, 5], [NAN, Y, 5]]}),
    ("measure.area", {"polygon": [*SQUARE[:3], [X, NAN, 5]]}),
    ("measure.height", {"point": [X, Y, NAN], "ground": "terrain"}),
    ("measure.angle", {"points": [*SQUARE[:2], [NAN, Y, 5]]}),
    ("measure.clearance", {"a": ["house"], "b": ["terrain"], "max_distance": NAN}),
    ("measure.profile", {"line": [[X, Y], [NAN, Y]], "layers": ["terrain"]}),
    ("measure.section", {"line": [[X, Y], [NAN, Y]], "layers": ["house"]}),
    ("measure.count", {"polygon": [*square()[:3], [X, NAN]], "layers": ["house"]}),
]


@pytest.mark.parametrize(
    ("analysis", "params"),
    [
        pytest.param(*case, id=f"{kind}-{case[0]}")
        for kind, cases in (
            ("fewer", FEWER),
            ("outside", OUTSIDE),
            ("empty", EMPTY),
            ("crossing", CROSSING),
            ("nan", NOT_A_NUMBER),
        )
        for case in cases
    ],
)
def test_bad_input_is_refused_in_a_sentence(
    scene: Scene, analysis: str, params: dict[str, Any]
) -> None:
    with pytest.raises(UserError) as refusal:
        run(analysis, scene, **params)
    sentence = str(refusal.value)
    assert len(sentence) > 15
    assert "Traceback" not in sentence


def test_a_count_of_an_empty_layer_is_zero_and_said(scene: Scene) -> None:
    counted = run("measure.count", scene, polygon=square(), layers=["cloud"])
    assert counted.values["entities"].value == 0
    assert any("Nothing of" in note for note in counted.warnings)
