"""Two schemes under one request: the demo's, against prisms of truth and pvlib's sun.

`truth.json` has what the schemes build (base, height, centre); the plan of each building is that of
the generator. Shade is found again here with shapely: a ray to the sun over the plan of a prism.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from plumbline import api
from plumbline.api import (
    EntityRef,
    Feedback,
    Georeference,
    Layer,
    LayerKind,
    LayerStyle,
    Scene,
    Scheme,
    UsageError,
    VectorData,
)

CRS = "EPSG:4549"
X, Y = 500_250.0, 3_993_250.0
REQUEST = {"pack": "gb50180-2018", "zone": "II", "population": 1_000_000}


# -- a small scene -------------------------------------------------------------------------------


def block(layer_id: str, *boxes: tuple[float, float, float, float, float]) -> Layer:
    """Return houses (xmin, ymin, xmax, ymax, height)."""
    frame = geopandas.GeoDataFrame(
        {"高度": [b[4] for b in boxes]},
        geometry=[shapely.box(b[0] + X, b[1] + Y, b[2] + X, b[3] + Y) for b in boxes],
        index=[f"{layer_id}-{n}" for n in range(len(boxes))],
        crs=CRS,
    )
    style = LayerStyle(extrude="高度", drape=False)
    crs = api.parse_crs(CRS)
    return Layer(layer_id, layer_id, LayerKind.VECTOR, VectorData(frame), crs, style=style)


@pytest.fixture
def scene() -> Scene:
    """Return an old wall to the south that scheme `open` clears and `tower` replaces."""
    scene = Scene(Georeference.from_text(CRS, (X, Y, 0.0)))
    scene.add(block("old", (-300, -30, 300, -29, 12), (200, 100, 210, 110, 3)))
    scene.add(block("new", (-200, -40, 200, -38, 60), (-40, -300, 40, -290, 5)))
    cleared = (EntityRef("old", "old-0"),)
    scene.set_schemes(
        [Scheme("open", "开敞", hidden=cleared), Scheme("tower", "高层", cleared, ("new",))]
    )
    return scene


def request(**more: Any) -> dict[str, Any]:
    windows = [
        {"id": "low", "point": [X, Y, 1.0], "width": 1.5, "azimuth": 180},
        {"id": "high", "point": [X, Y, 70.0], "width": 1.5, "azimuth": 180},
    ]
    return {"windows": windows, "obstacles": ["old", "new"], **REQUEST, **more}


def rows(result: api.Result) -> dict[str, dict[str, Any]]:
    table = result.tables["windows"]
    return {r[0]: dict(zip(table.columns, r, strict=True)) for r in table.rows}


def test_what_becomes_of_windows(scene: Scene) -> None:
    result = api.run("sunlight.compare", scene, before="open", after="tower", request=request())
    found = rows(result)
    assert found["low"]["status"] == "newly failing"
    assert found["low"]["verdict_before"] == "pass"
    assert found["low"]["change"] == found["low"]["after"] - found["low"]["before"]
    assert found["high"]["status"] == "unchanged"
    assert result.values["breaks_after"].value == 1
    assert result.values["breaking_schemes"].value == "tower"
    # The low block far to the south shades too little to matter; the wall does it.
    assert result.values["culprits_after"].value == "new/new-0"
    assert result.tables["culprits"].rows[0][0::4] == ("tower", 1)
    assert result.figures["change"].startswith(b"\x89PNG")


def test_a_scheme_can_mend_what_was_wrong(scene: Scene) -> None:
    # 12 m at 29 m hide the sun of that day for more than six hours: the profile angle of 20.8°.
    result = api.run("sunlight.compare", scene, after="open", request=request())
    assert rows(result)["low"]["verdict_before"] in ("fail", "pass")
    before, after = rows(result)["low"]["before"], rows(result)["low"]["after"]
    single = api.run("sunlight.windows", scene, request(obstacles=["old"]))
    assert before == {r[0]: r[1] for r in single.tables["windows"].rows}["low"]
    assert after == pytest.approx(8.0, abs=0.01)
    assert rows(result)["low"]["status"] in ("improved", "newly passing")
    assert result.values["breaking_schemes"].value == ""


def test_which_of_two_schemes_breaks_the_rule(scene: Scene) -> None:
    result = api.run(
        "sunlight.compare", scene, before="tower", after="open", reference="", request=request()
    )
    assert result.values["breaking_schemes"].value == "tower"
    assert (result.values["breaks_before"].value, result.values["breaks_after"].value) == (1, 0)
    assert result.values["culprits_before"].value == "new/new-0"


def test_bad_requests(scene: Scene) -> None:
    for match, params in (
        ("after", {"after": "none", "request": request()}),
        ("same", {"after": "", "request": request()}),
        ("cellar", {"after": "open", "request": request(obstacles=["cellar"])}),
        ("pack", {"after": "open", "request": request(pack="none")}),
        ("moon", {"after": "open", "request": request(moon=1)}),
    ):
        with pytest.raises(UsageError, match=match):
            api.run("sunlight.compare", scene, params)


def test_cells_and_points_before_and_after(scene: Scene) -> None:
    square = [[X - 40, Y - 28], [X + 40, Y - 28], [X + 40, Y + 12], [X - 40, Y + 12]]
    asked = {
        "day": "great_cold",
        "year": 2001,
        "obstacles": ["old", "new"],
        "receivers": {"polygon": square, "cell_size": 8, "height": 1},
    }
    both = {"analysis": "sunlight.hours", "before": "open", "after": "tower"}
    result = api.run("sunlight.compare", scene, request=asked, **both)
    before, after, change = (
        np.array(result.layers[n].data.values)  # type: ignore[union-attr]
        for n in ("before", "after", "change")
    )
    known = np.isfinite(change)
    assert known.sum() == 50
    assert np.array_equal(change[known], (after - before)[known])
    # 60 m high and near: nothing is left of eight hours but what passes its ends.
    assert np.all(change[known] < -6)
    assert result.values["area_less"].value == pytest.approx(50 * 64)
    assert result.values["area_more"].value == 0
    for scheme, name in (("open", "mean_before"), ("tower", "mean_after")):
        names = ["old", "new"] if scheme == "tower" else ["old"]
        own = api.run_request(
            api.AnalysisRequest("sunlight.hours", {**asked, "obstacles": names}, scheme), scene
        )
        assert result.values[name].value == pytest.approx(own.values["hours_mean"].value)
    points = {**asked, "receivers": [[X, Y, 1.0], [X, Y, 80.0]]}
    table = api.run("sunlight.compare", scene, request=points, **both).tables["receivers"]
    low, high = table.rows
    assert low[6] < -6
    assert high[6] == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(UsageError, match="reference"):
        api.run("sunlight.compare", scene, request=asked, reference="", **both)


# -- the demo ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def district(demo_district: Path) -> Scene:
    from plumbline import demo
    from plumbline.demo.project import project_content
    from plumbline.services.project import build_scene, load_entry

    content = project_content(demo.load(demo_district))
    wanted = ("models", "buildings", "windows", "scheme_A", "scheme_B")
    loaded = {
        entry.id: load_entry(entry, content.georeference, Feedback())
        for entry in content.layers
        if entry.id in wanted
    }
    return build_scene(content, loaded)


#: The slab north of the site on which scheme A casts its shade, two others, three storeys.
NORTH = ("B0201", "B0203", "B0204")


@pytest.fixture(scope="module")
def compared(district: Scene) -> api.Result:
    table = district["windows"].data.features  # type: ignore[union-attr]
    chosen = table[table["楼号"].isin(NORTH) & (table["楼层"] <= 3)]
    windows = {"layer": "windows", "entities": chosen.index.astype(str).tolist()}
    asked = {"windows": windows, "obstacles": ["models", "scheme_A", "scheme_B"], **REQUEST}
    return api.run("sunlight.compare", district, before="A", after="B", reference="", request=asked)


def test_scheme_a_breaks_the_rule_and_its_slabs_do_it(compared: api.Result) -> None:
    values = {name: value.value for name, value in compared.values.items()}
    assert values["breaking_schemes"] == "A"
    assert values["breaks_after"] == 0
    assert values["breaks_before"] > 10
    assert values["culprits_before"] == "scheme_A/A2 板楼, scheme_A/A3 板楼"
    failing = [r for r in rows(compared).values() if r["verdict_before"] == "fail"]
    assert {r["building"] for r in failing} == {"B0201"}


def test_the_verdicts_follow_from_truth(
    compared: api.Result, demo_district: Path, district: Scene
) -> None:
    from plumbline.demo import schemes

    truth = json.loads((demo_district / "truth.json").read_text(encoding="utf-8"))
    standing = [_standing(truth, district, k) for k in ("eaves_height", "top_height")]
    suns = _suns()
    found = rows(compared)
    checked = {"pass": 0, "fail": 0}
    for scheme, column in (("A", "before"), ("B", "after")):
        blocks = {b.name: b for b in schemes.SCHEMES[scheme][1]}
        built = [
            _prism(blocks[b["name"]], b, _turn(truth, scheme))
            for b in truth["schemes"][scheme]["buildings"]
        ]
        for one in list(found.values())[::11]:
            # Roofs lie between prisms up to the eaves and prisms up to the top.
            most, least = (_lit(one, [*s, *built], suns, district) for s in standing)
            assert least - 5 <= 60 * one[column] <= most + 5, one["name"]
            for verdict, sure in (("pass", least > 125), ("fail", most < 115)):
                if sure:
                    assert one[f"verdict_{column}"] == verdict
                    checked[verdict] += 1
    assert checked["pass"] > 8
    assert checked["fail"] > 0


def _suns() -> tuple[Any, Any]:
    """Return azimuths from grid north and elevations of each minute of the band, by pvlib."""
    from pvlib import solarposition

    reference = Georeference.from_text(CRS)
    x, y = 534_000.0, 3_993_450.0
    lon, lat = reference.geographic(x, y)
    times = pd.date_range("2001-01-19 22:00", "2001-01-20 12:00", freq="1min", tz="UTC")
    sun = solarposition.get_solarposition(times, lat, lon, delta_t=64.0)
    clock = (times - times[0].normalize()).total_seconds() / 3600 - 24 + lon / 15
    solar = clock + sun["equation_of_time"].to_numpy() / 60
    band = (solar >= 8) & (solar < 16)
    azimuth = sun["azimuth"].to_numpy() - reference.convergence(x, y)
    return azimuth[band], sun["elevation"].to_numpy()[band]


def _standing(truth: dict[str, Any], district: Scene, to: str) -> list[tuple[Any, float]]:
    """Return plan and top of what stands near the windows and is not cleared."""
    frame = district["buildings"].data.features  # type: ignore[union-attr]
    heights = {b["id"]: b["base"] + b[to] for b in truth["buildings"] if not b["demolish"]}
    return [
        (shape, heights[ident])
        for ident, shape in zip(frame["编号"], frame.geometry, strict=True)
        if ident in heights
    ]


def _turn(truth: dict[str, Any], scheme: str) -> float:
    """Return the direction of the streets, read off the centres of two buildings."""
    from plumbline.demo import schemes

    one, other = (1, 2) if scheme == "A" else (0, 1)
    blocks = schemes.SCHEMES[scheme][1]
    a, b = (truth["schemes"][scheme]["buildings"][n]["centre"] for n in (one, other))
    local = (blocks[other].x - blocks[one].x, blocks[other].y - blocks[one].y)
    return math.atan2(b[1] - a[1], b[0] - a[0]) - math.atan2(local[1], local[0])


def _prism(block: Any, stated: dict[str, Any], angle: float) -> tuple[Any, float]:
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    rings = [np.asarray(ring) @ turn + stated["centre"] for ring in block.rings]
    return shapely.Polygon(rings[0], rings[1:]), stated["base"] + stated["height"]


def _lit(
    one: dict[str, Any], prisms: list[tuple[Any, float]], suns: tuple[Any, Any], district: Scene
) -> float:
    """Return the minutes in which both ends of a sill of 1.8 m see the sun over the prisms."""
    row = district["windows"].data.features.loc[int(one["id"])]  # type: ignore[union-attr]
    azimuth = math.radians(row["朝向"])
    out = np.array([math.sin(azimuth), math.cos(azimuth)])
    along = np.array([-out[1], out[0]])
    middle = np.array([row.geometry.x, row.geometry.y])
    lit = np.ones(len(suns[0]), dtype=bool)
    for end in (-0.9, 0.9):
        start = middle + end * along + 0.02 * out
        rays = np.column_stack([np.sin(np.radians(suns[0])), np.cos(np.radians(suns[0]))])
        # The sweep angle of 15°, then every prism.
        lit &= rays @ out > math.sin(math.radians(15))
        lines = shapely.linestrings(
            np.stack([np.broadcast_to(start, rays.shape), start + 500 * rays], 1)
        )
        for shape, top in prisms:
            if shape.distance(shapely.Point(start)) > 500:
                continue
            near = shapely.distance(shapely.intersection(lines, shape), shapely.Point(start))
            rise = near * np.tan(np.radians(suns[1]))
            lit &= ~(np.nan_to_num(rise, nan=np.inf) + row.geometry.z < top)
    return float(lit.sum())
