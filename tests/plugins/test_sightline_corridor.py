"""View corridors against plane geometry and against the truth of the demo district."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sightline_scenes import X, Y, bodies, box, held, terrain

from plumbline import api
from plumbline.analysis import runner
from plumbline.api import GridData, MeshData, RefusedError, Result, Scene, UsageError

AT = (X, Y, 0.0)
#: 40 m wide and 60 m high, 200 m north of the origin.
LANDMARK = box((-20, 200, 0), (20, 230, 60), AT)
OUTLINE = [
    [X - 20, Y + 200, 60],
    [X + 20, Y + 200, 60],
    [X + 20, Y + 230, 60],
    [X - 20, Y + 230, 60],
]


def corridor(scene: Scene, **params: Any) -> Result:
    given = {"viewpoints": [[X, Y, 10.0]], "obstacles": ["city"], **params}
    return api.run("sightline.corridor", scene, **given)


def city(**more: Any) -> Scene:
    """Return the landmark and what stands before it."""
    return held(bodies({"landmark": LANDMARK, **more}))


def test_the_limit_is_the_plane_from_the_eye_to_the_sill() -> None:
    # Sill 20 m at 200 m, eye 10 m: the limit is 10 + y / 20. The block's near side is at 95 m.
    scene = city(
        high=box((-5, 95, 0), (5, 105, 25), AT),
        low=box((-5, 60, 0), (5, 70, 12.9), AT),
        beside=box((30, 95, 0), (40, 105, 90), AT),
        behind=box((-5, 240, 0), (5, 250, 90), AT),
    )
    result = corridor(
        scene, landmark={"layer": "city", "entities": ["landmark"]}, protected_height=40
    )
    table = result.tables["breakers"]
    assert [row[0] for row in table.rows] == ["high"]
    assert table.rows[0][3] == pytest.approx(25 - (10 + 95 / 20))
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["y"] - Y, row["z"]) == pytest.approx((95.0, 25.0))
    assert row["limit"] == pytest.approx(14.75)
    assert result.values["breakers"].value == 1
    assert result.values["highest_exceedance"].value == pytest.approx(10.25)
    # A pyramid on the side that faces the eye: 40 m wide, 40 m high, 200 m long.
    assert result.values["volume"].value == pytest.approx(40 * 40 * 200 / 3)
    assert result.values["area"].value == pytest.approx(40 * 200 / 2, rel=0.02)
    # A roof a hand's breadth higher touches.
    taller = city(low=box((-5, 60, 0), (5, 70, 13.1), AT))
    again = corridor(
        taller, landmark={"layer": "city", "entities": ["landmark"]}, protected_height=40
    )
    assert again.values["highest_exceedance"].value == pytest.approx(0.1)


def test_an_outline_and_an_entity_give_the_same() -> None:
    scene = city(high=box((-5, 95, 0), (5, 105, 25), AT))
    one = corridor(scene, landmark="city", protected_height=40, obstacles=["city"])
    assert one.values["breakers"].value == 0  # the whole layer is the landmark
    entity = corridor(scene, landmark={"layer": "city", "entities": ["landmark"]})
    outline = corridor(scene, landmark=OUTLINE, protected_height=30, obstacles=["city"])
    assert outline.values["volume"].value == pytest.approx(entity.values["volume"].value)
    text = "; ".join(",".join(map(str, point)) for point in OUTLINE)
    typed = corridor(scene, landmark=text, protected_height=30)
    assert typed.tables == outline.tables
    ring = {"type": "Polygon", "coordinates": [[*OUTLINE, OUTLINE[0]]]}
    assert corridor(scene, landmark=ring, protected_height=30).tables == outline.tables


def test_the_raster_holds_the_limit_at_every_cell() -> None:
    scene = city()
    result = corridor(
        scene,
        landmark={"layer": "city", "entities": ["landmark"]},
        protected_height=40,
        cell_size=1,
    )
    layer = result.layers["height_limit"]
    assert isinstance(layer.data, GridData)
    a, _, c, _, e, f = layer.data.transform
    rows, columns = layer.data.values.shape
    x = c + (np.arange(columns) + 0.5) * a - X
    y = f + (np.arange(rows) + 0.5) * e - Y
    grid_x, grid_y = np.meshgrid(x, y)
    inside = (grid_y < 200) & (np.abs(grid_x) < grid_y * 0.1)
    assert (np.isfinite(layer.data.values) == inside).mean() > 0.99
    both = inside & np.isfinite(layer.data.values)
    assert layer.data.values[both] == pytest.approx((10 + grid_y / 20)[both])
    assert layer.data.heights
    body = result.layers["corridor"].data
    assert isinstance(body, MeshData)
    corners = body.vertices[body.triangles] - [X, Y, 10]
    # Closed and facing outwards: its signed volume is that of the pyramid.
    assert np.linalg.det(corners).sum() / 6 == pytest.approx(40 * 40 * 200 / 3)


def test_a_path_takes_the_worst_of_its_places(tmp_path: Path) -> None:
    # Walking north from 0 to 100 m, eye 10 m: the block at 150 m, 25 m high, is worst from the end.
    scene = city(high=box((-5, 150, 0), (5, 160, 25), AT))
    landmark = {"layer": "city", "entities": ["landmark"]}
    path = [[X, Y, 10.0], [X, Y + 100, 10.0]]
    result = corridor(
        scene, viewpoints=None, path=path, spacing=25, landmark=landmark, protected_height=40
    )
    assert result.values["viewpoints"].value == 5
    row = dict(
        zip(result.tables["breakers"].columns, result.tables["breakers"].rows[0], strict=True)
    )
    from_start = 25 - (10 + 10 * 150 / 200)
    from_end = 25 - (10 + 10 * 50 / 100)
    assert row["exceedance"] == pytest.approx(max(from_start, from_end))
    assert row["viewpoint"] == 5
    # Through a house: those places are left out, and that is said.
    through = city(house=box((-5, 40, 0), (5, 60, 20), AT))
    told = corridor(
        through, viewpoints=None, path=path, spacing=25, landmark=landmark, protected_height=40
    )
    assert told.values["viewpoints"].value == 4
    assert any("1 of 5 places on the path are left out" in text for text in told.warnings)


def test_a_point_has_a_width() -> None:
    scene = city(mast=box((3.0, 100, 0), (3.2, 100.2, 50), AT))
    target = [[X, Y + 199, 40]]
    # Half way the corridor has half its width: a mast at 3 m is inside 14 m and outside 10 m.
    assert corridor(scene, landmark=target, width=14).values["breakers"].value == 1
    assert corridor(scene, landmark=target, width=10).values["breakers"].value == 0


def test_ground_breaks_a_corridor_too(tmp_path: Path) -> None:
    heights = np.full((100, 100), 0.0)
    heights[35, :] = 18.0  # a dam at y = 145
    scene = held(terrain(tmp_path, heights), bodies({"landmark": LANDMARK}))
    landmark = {"layer": "city", "entities": ["landmark"]}
    result = corridor(scene, landmark=landmark, protected_height=40, obstacles=["terrain", "city"])
    row = result.tables["breakers"].rows[0]
    assert (row[0], row[2]) == ("", "terrain")
    assert row[3] == pytest.approx(18 - (10 + 145 / 20))


def test_the_truth_of_the_demo_names_a_breaker(demo_scene: tuple[Scene, dict[str, Any]]) -> None:
    scene, truth = demo_scene
    # The others begin inside of buildings.
    lines = {v["name"]: v for v in truth["sightlines"] if v["name"].startswith(("church", "pier"))}
    assert {line["visible"] for line in lines.values()} == {True, False}
    for name, line in lines.items():
        result = api.run(
            "sightline.corridor",
            scene,
            viewpoints=[line["observer"]],
            landmark=[line["target"]],
            width=0.02,
            obstacles=["models"],
        )
        found = result.values["highest_exceedance"].value
        if line["visible"]:
            assert result.values["breakers"].value == 0, name
        else:
            # The truth looks at every 0.2 m of the line; roofs rise less than 2 in between.
            assert found == pytest.approx(-line["clearance"], abs=0.4), name
            assert result.tables["breakers"].rows[0][0].startswith("B0"), name


def test_a_scheme_can_break_what_the_baseline_keeps(
    demo_scene: tuple[Scene, dict[str, Any]],
) -> None:
    scene, _ = demo_scene
    tower = scene["scheme_A"].data
    assert isinstance(tower, MeshData)
    x, y, z = tower.vertices[np.argmax(tower.vertices[:, 2])].tolist()
    params = {"viewpoints": [[x, y - 300, z - 5]], "landmark": [[x, y + 300, z - 5]]}
    for scheme, breaks in (("A", True), ("B", False)):
        obstacles = {"obstacles": ["models", f"scheme_{scheme}"]}
        result = runner.run("sightline.corridor", scene, params | obstacles, None, scheme)
        rows = result.tables["breakers"].rows
        own = [row[3] for row in rows if row[2] == f"scheme_{scheme}"]
        assert bool(own) == breaks
        assert max(own, default=5.0) == pytest.approx(5.0, abs=0.01)


def test_the_figure_shows_who_stands_in_the_way() -> None:
    scene = city(high=box((-5, 95, 0), (5, 105, 25), AT))
    result = corridor(scene, landmark={"layer": "city", "entities": ["landmark"]})
    picture = np.asarray(Image.open(io.BytesIO(result.figures["section"])).convert("RGB"))
    red = np.abs(picture.astype(int) - [0xD2, 0x44, 0x1C]).max(axis=2) < 8
    columns = np.flatnonzero(red[200:].any(axis=0))
    assert 1 < len(columns) < 120
    assert math.isclose(columns.mean() / picture.shape[1], 0.5, abs_tol=0.06)


def test_what_cannot_be_is_refused() -> None:
    scene = city(house=box((-5, 40, 0), (5, 60, 20), AT))
    landmark = {"layer": "city", "entities": ["landmark"]}
    for params, error, text in (
        ({"landmark": landmark, "viewpoints": None}, UsageError, "either viewpoints or a path"),
        ({"landmark": landmark, "path": [[X, Y, 1], [X, Y, 2]]}, UsageError, "either viewpoints"),
        ({"landmark": {"layer": "city", "entities": ["no"]}}, UsageError, "no entity “no”"),
        ({"landmark": [[X, Y + 200]]}, RefusedError, "no heights"),
        ({"landmark": landmark, "viewpoints": [[X, Y + 50, 5]]}, RefusedError, "inside “house”"),
        ({"landmark": OUTLINE, "viewpoints": [[X, Y + 215, 70]]}, RefusedError, "on the landmark"),
        ({"landmark": landmark, "cell_size": 0.01}, RefusedError, "million cells"),
        ({"landmark": landmark, "cell_size": 1e-300}, UsageError, "at least 0.01"),
        (
            {"landmark": landmark, "viewpoints": None, "path": [[X, Y, 9], [X + 1e9, Y, 9]]},
            RefusedError,
            "at most 500",
        ),
        ({"landmark": landmark, "width": 0}, UsageError, "greater than 0"),
        ({"landmark": []}, UsageError, "landmark"),
    ):
        with pytest.raises(error, match=text):
            corridor(scene, **params)
