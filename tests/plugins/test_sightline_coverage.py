"""Coverage against sectors, shadows and all choices; and what is refused."""

from __future__ import annotations

import io
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sightline_scenes import X, Y, bodies, box, column, held, terrain

from plumbline import api
from plumbline.api import GridData, RefusedError, Result, Scene, UsageError

AT = (X, Y, 0.0)
SQUARE = [[X - 100, Y - 100], [X + 100, Y - 100], [X + 100, Y + 100], [X - 100, Y + 100]]


def plain(folder: Path, **blocks: Any) -> Scene:
    """Return a level plain at height 0 with blocks on it."""
    scene = held(terrain(folder, np.zeros((100, 100))))
    if blocks:
        scene.add(bodies(blocks))
    return scene


def coverage(scene: Scene, candidates: Any, **params: Any) -> Result:
    obstacles = [layer for layer in ("terrain", "city") if layer in scene]
    given = {"area": SQUARE, "obstacles": obstacles, "count": 1, "cell_size": 2.0, **params}
    return api.run("sightline.coverage", scene, candidates=candidates, **given)


def number(result: Result, name: str) -> float:
    value = result.values[name].value
    assert isinstance(value, float)
    return value


def test_range_and_fields_of_view_cut_sectors(tmp_path: Path) -> None:
    scene = plain(tmp_path)
    here = [[X, Y]]
    around = coverage(scene, here, instrument={"height": 10, "range": 50})
    radius = math.sqrt(50**2 - 10**2)
    assert number(around, "covered_area") == pytest.approx(math.pi * radius**2, rel=0.01)
    assert number(around, "demand_area") == pytest.approx(200 * 200, rel=0.01)
    fan = {"height": 10, "range": 50, "horizontal_fov": 60}
    east = coverage(scene, here, instrument=fan | {"azimuth": 90})
    assert number(east, "covered_area") == pytest.approx(math.pi * radius**2 / 6, rel=0.02)
    covered = east.layers["covered"].data
    assert isinstance(covered, GridData)
    row, col = np.nonzero(np.nan_to_num(covered.values) > 0)
    assert col.mean() > covered.values.shape[1] * 0.6
    assert row.mean() == pytest.approx((covered.values.shape[0] - 1) / 2, abs=0.6)
    # Looking down by 45° with 30°: a ring from tan(30°) to tan(60°) of the height.
    down = {"height": 20, "range": 500, "vertical_fov": 30, "tilt": -45}
    ring = number(coverage(scene, here, instrument=down, cell_size=1), "covered_area")
    near, far = 20 * math.tan(math.radians(30)), 20 * math.tan(math.radians(60))
    assert ring == pytest.approx(math.pi * (far**2 - near**2), rel=0.01)


def test_a_wall_throws_a_shadow_of_known_length(tmp_path: Path) -> None:
    # Eye 20 m high at the origin, a long wall 10 m high at y = 40..42: its shadow ends at 84 m.
    scene = plain(tmp_path, wall=box((-400, 40, -1), (400, 42, 10), AT))
    strip = [[X - 1, Y], [X + 1, Y], [X + 1, Y + 100], [X - 1, Y + 100]]
    tool = {"height": 20, "range": 500}
    result = coverage(scene, [[X, Y]], area=strip, instrument=tool, cell_size=0.5)
    # Demand is open ground: 40 m before and 58 m behind the wall.
    assert number(result, "demand_area") == pytest.approx(98 * 2, rel=0.02)
    assert number(result, "gap_area") == pytest.approx((84 - 42) * 2, rel=0.02)
    gaps = result.layers["gaps"].data
    assert isinstance(gaps, GridData)
    assert gaps.values.dtype == np.uint8
    assert (gaps.values == 1).sum() * 0.25 == pytest.approx(number(result, "gap_area"))
    assert (gaps.values == 255).any()


def test_the_best_direction_is_found(tmp_path: Path) -> None:
    scene = plain(tmp_path)
    beside = [[X + 20, Y - 20], [X + 60, Y - 20], [X + 60, Y + 20], [X + 20, Y + 20]]
    tool = {"height": 5, "range": 200, "horizontal_fov": 90}
    result = coverage(scene, [[X, Y]], area=beside, instrument=tool)
    row = dict(
        zip(result.tables["positions"].columns, result.tables["positions"].rows[0], strict=True)
    )
    assert row["azimuth"] == 90.0
    assert number(result, "covered_share") == pytest.approx(100.0)


def test_the_choice_keeps_its_promise(tmp_path: Path) -> None:
    blocks = {
        str(n): box((x - 8, y - 8, -1), (x + 8, y + 8, 25), AT)
        for n, (x, y) in enumerate([(-50, -40), (0, 30), (45, -20), (-30, 60), (60, 60)])
    }
    scene = plain(tmp_path, **blocks)
    places = [[X + a, Y + b] for a in (-80, -10, 70) for b in (-80, 0, 85)]
    tool = {"height": 5, "range": 120}
    result = coverage(scene, places, count=3, instrument=tool, cell_size=4.0)
    table = result.tables["positions"]
    assert len(table.rows) == len(places)
    gains = column(table, "gain_area")[:3]
    assert (np.diff(gains) <= 0).all()
    assert gains.sum() == pytest.approx(number(result, "covered_area"))
    assert column(table, "order")[:3].tolist() == [1, 2, 3]
    # Each place alone, then all choices of three of them.
    alone = []
    for place in places:
        covered = coverage(scene, [place], instrument=tool, cell_size=4.0).layers["covered"].data
        assert isinstance(covered, GridData)
        alone.append(np.nan_to_num(covered.values) > 0)
    best = max(np.logical_or.reduce(three).sum() for three in combinations(alone, 3)) * 16.0
    covered_area, bound = number(result, "covered_area"), number(result, "upper_bound")
    assert (1 - 1 / math.e) * best <= covered_area <= best
    assert best <= bound / 100 * number(result, "demand_area") + 1e-6
    assert number(result, "guarantee") == pytest.approx(63.2, abs=0.05)
    again = coverage(scene, places, count=3, instrument=tool, cell_size=4.0)
    assert again.tables == result.tables


def test_an_instrument_stands_on_a_roof_or_where_its_height_says(tmp_path: Path) -> None:
    scene = plain(tmp_path, block=box((-5, -5, -1), (5, 5, 20), AT))
    tool = {"height": 2, "range": 300}
    on_roof = coverage(scene, [[X, Y]], instrument=tool)
    assert on_roof.tables["positions"].rows[0][3] == pytest.approx(22.0)
    given = coverage(scene, [[X, Y, 30.0]], instrument=tool)
    assert given.tables["positions"].rows[0][3] == pytest.approx(30.0)


def test_more_instruments_than_needed_are_not_placed(tmp_path: Path) -> None:
    result = coverage(plain(tmp_path), [[X, Y], [X + 5, Y]], count=5, instrument={"range": 400})
    assert result.values["chosen"].value == 1
    assert number(result, "covered_share") == 100.0
    assert any("1 instruments are enough" in text for text in result.warnings)


def test_the_map_is_drawn(tmp_path: Path) -> None:
    result = coverage(plain(tmp_path), [[X, Y]], instrument={"range": 50})
    picture = np.asarray(Image.open(io.BytesIO(result.figures["map"])).convert("RGB")).astype(int)
    green = (picture[..., 1] > picture[..., 0] + 50) & (picture[..., 1] > picture[..., 2] + 15)
    red = picture[..., 0] > picture[..., 1] + 60
    share = green.sum() / (green.sum() + red.sum())
    assert share == pytest.approx(number(result, "covered_share") / 100, abs=0.04)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    scene = plain(tmp_path, block=box((-5, -5, -1), (5, 5, 20), AT))
    inside = [[X - 4, Y - 4], [X + 4, Y - 4], [X + 4, Y + 4], [X - 4, Y + 4]]
    far = [[X + 5000, Y], [X + 5010, Y], [X + 5010, Y + 10]]
    for params, error, text in (
        ({"area": inside}, RefusedError, "no open ground"),
        ({"area": far}, RefusedError, "no open ground"),
        ({"area": [[X, Y], [X + 1, Y], [X + 2, Y]]}, RefusedError, "no area"),
        ({"instrument": {"range": 0}}, UsageError, "instrument"),
        ({"instrument": {"lens": 50}}, UsageError, "instrument"),
        ({"count": 0}, UsageError, "count"),
        ({"candidates": [[X, Y, 5.0]]}, RefusedError, "inside “block”"),
        ({"candidates": [[X + 50, Y, -5.0]]}, RefusedError, "under the terrain"),
        ({"candidates": []}, UsageError, "candidates"),
        ({"cell_size": 0.01}, RefusedError, "million cells"),
    ):
        with pytest.raises(error, match=text):
            coverage(scene, **{"candidates": [[X + 50, Y]], **params})
