"""Envelopes hold what they promise: judged again with the solid in the way, by the engine itself.

The height of a single window's limit is also found here by the sun of pvlib.
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
    Georeference,
    Layer,
    LayerKind,
    LayerStyle,
    MeshData,
    RefusedError,
    Result,
    Scene,
    SunlightPack,
    UsageError,
    VectorData,
    load_pack,
)

CRS = "EPSG:4549"
X, Y = 500_250.0, 3_993_250.0
SITE = [[X - 30, Y - 50], [X + 30, Y - 50], [X + 30, Y - 20], [X - 30, Y - 20]]


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """Return a pack that asks for two hours of a full window on Great Cold, no sweep angle."""
    raw = load_pack("gb50180-2018", SunlightPack).model_dump(mode="json")
    raw["thresholds"] = [{**raw["thresholds"][6], "hours": 2.0}]
    raw["calculation"]["sweep_angle"]["value"] = {"rule": "none"}
    (tmp_path / "two.json").write_text(json.dumps(raw), encoding="utf-8")
    return str(tmp_path / "two.json")


def scene_with(*boxes: tuple[float, float, float, float, float]) -> Scene:
    """Return a scene with houses (xmin, ymin, xmax, ymax, height)."""
    scene = Scene(Georeference.from_text(CRS, (X, Y, 0.0)))
    frame = geopandas.GeoDataFrame(
        {"高度": [b[4] for b in boxes]},
        geometry=[shapely.box(b[0] + X, b[1] + Y, b[2] + X, b[3] + Y) for b in boxes],
        index=[f"house-{n}" for n in range(len(boxes))],
        crs=CRS,
    )
    style = LayerStyle(extrude="高度", drape=False)
    crs = api.parse_crs(CRS)
    scene.add(Layer("houses", "楼", LayerKind.VECTOR, VectorData(frame), crs, style=style))
    return scene


#: The protected house stands north of the site, its windows look south.
HOUSE = (-20.0, 0.0, 20.0, 12.0, 18.0)


def windows(*places: tuple[float, float]) -> list[dict[str, Any]]:
    """Return windows at (x, z) of the south wall."""
    return [
        {"id": f"w{n}", "point": [X + x, Y, z], "width": 1.5, "azimuth": 180}
        for n, (x, z) in enumerate(places)
    ]


def envelope(scene: Scene, rules: str, given: Any, **more: Any) -> Result:
    request = {
        "site": SITE,
        "windows": given,
        "obstacles": ["houses"],
        "pack": rules,
        "use": "renewal",
        "ground_z": 0.0,
        "cell_size": 2.0,
    }
    return api.run("sunlight.envelope", scene, {**request, **more})


def verdicts(scene: Scene, rules: str, given: Any, layer: Layer | None = None) -> dict[str, Any]:
    obstacles = ["houses"]
    if layer is not None:
        scene.add(layer)
        obstacles.append(layer.id)
    result = api.run(
        "sunlight.windows", scene, windows=given, obstacles=obstacles, pack=rules, use="renewal"
    )
    if layer is not None:
        scene.remove(layer.id)
    return {row[0]: row[4] for row in result.tables["windows"].rows}


def raised(result: Result, cells: np.ndarray, by: float) -> Layer:
    """Return the solid with some cells higher, built anew from the raster."""
    grid = result.layers["height"].data
    heights = np.nan_to_num(np.array(grid.values))  # type: ignore[union-attr]
    heights[cells] += by
    a, _, c, _, e, f = grid.transform  # type: ignore[union-attr]
    boxes = []
    for row, column in np.argwhere(heights > 0):
        x, y = c + column * a, f + row * e
        boxes.append((x - X, y + e - Y, x + a - X, y - Y, float(heights[row, column])))
    layer = scene_with(*boxes)["houses"]
    layer.id = "solid"
    return layer


def test_every_window_stays_legal_below_the_envelope_and_a_metre_more_breaks_one(
    rules: str,
) -> None:
    scene = scene_with(HOUSE)
    given = windows((-15.0, 1.0), (0.0, 1.0), (14.0, 1.0), (0.0, 10.0))
    assert set(verdicts(scene, rules, given).values()) == {"pass"}
    result = envelope(scene, rules, given)
    solid = result.layers["solid"]
    assert isinstance(solid.data, MeshData)
    assert set(verdicts(scene, rules, given, solid).values()) == {"pass"}
    grid = np.array(result.layers["height"].data.values)  # type: ignore[union-attr]
    inside = np.isfinite(grid)
    assert inside.sum() == 30 * 15
    # The same solid from the raster is as legal; a metre more on what is limited is not.
    assert set(verdicts(scene, rules, given, raised(result, ~inside, 0.0)).values()) == {"pass"}
    limited = inside & (np.nan_to_num(grid) < 99.0)
    assert limited.any()
    broken = verdicts(scene, rules, given, raised(result, limited, 1.0))
    assert set(broken.values()) != {"pass"}
    # Lower everywhere is legal too.
    assert set(
        verdicts(scene, rules, given, raised(result, inside & (grid > 3), -2.0)).values()
    ) == {"pass"}


def test_one_critical_cell_breaks_a_single_window(rules: str) -> None:
    # Walls leave the window nothing but the sun over the site.
    scene = scene_with(HOUSE, (-200, -19, -8, -18, 300), (8, -19, 200, -18, 300))
    given = windows((0.0, 1.0))
    result = envelope(scene, rules, given, cell_size=5.0)
    grid = np.array(result.layers["height"].data.values)  # type: ignore[union-attr]
    assert set(verdicts(scene, rules, given, result.layers["solid"]).values()) == {"pass"}
    found = {
        verdicts(scene, rules, given, raised(result, _only(grid, n), 2.0))["w0"]
        for n in np.flatnonzero(np.nan_to_num(grid.ravel(), nan=99.0) < 60.0)[::6]
    }
    assert found - {"pass"}


def _only(grid: np.ndarray, n: int) -> np.ndarray:
    chosen = np.zeros(grid.size, dtype=bool)
    chosen[n] = True
    return chosen.reshape(grid.shape)


def test_the_limit_of_a_window_is_that_of_the_sun(rules: str) -> None:
    # Before the window alone: the two highest hours and their margin lie around noon.
    scene = scene_with(HOUSE)
    result = envelope(scene, rules, windows((0.0, 1.0)), site=[
        [X - 400, Y - 21], [X + 400, Y - 21], [X + 400, Y - 20], [X - 400, Y - 20]
    ], cell_size=1.0, max_height=300)  # fmt: skip
    row = dict(zip(result.tables["windows"].columns, result.tables["windows"].rows[0], strict=True))
    assert row["kept"] + row["free"] == pytest.approx(123.5, abs=0.1)
    from pvlib import solarposition

    lon, lat = Georeference.from_text(CRS).geographic(X, Y)
    times = pd.DatetimeIndex(
        pd.date_range(row["kept_from"], row["kept_to"], freq="30s").tz_convert("UTC")
    )
    sun = solarposition.get_solarposition(times, lat, lon, delta_t=64.0)
    grid = result.layers["height"].data
    heights = np.array(grid.values)[0]  # type: ignore[union-attr]
    a, _, c, *_ = grid.transform  # type: ignore[union-attr]
    for azimuth, elevation in zip(sun["azimuth"], sun["elevation"], strict=True):
        for end in (-0.75, 0.75):
            # Where the ray passes over the strip, 19.98 m off the lifted sill.
            x = X + end + 19.98 * math.tan(math.radians(azimuth - 180)) * -1
            ray = 1.0 + 19.98 / math.cos(math.radians(azimuth - 180)) * math.tan(
                math.radians(elevation)
            )
            column = int((x - c) // a)
            assert heights[column] <= ray + 1e-6
            # Not more than the width of a cell and its depth can cost.
            assert heights[column] >= ray - 1.2


def test_what_stands_on_the_site_is_cleared(rules: str) -> None:
    scene = scene_with(HOUSE, (-10, -40, 10, -30, 60))
    cleared = envelope(scene, rules, windows((0.0, 1.0)))
    assert cleared.values["cleared"].value == 1
    kept = envelope(scene, rules, windows((0.0, 1.0)), clear_site=False)
    assert kept.values["cleared"].value == 0
    alone = envelope(scene_with(HOUSE), rules, windows((0.0, 1.0)))
    assert cleared.values["volume"].value == pytest.approx(alone.values["volume"].value)


def test_numbers_of_a_site_without_limits(rules: str) -> None:
    # A window that looks north is shaded by its own house and has nothing to keep.
    scene = scene_with(HOUSE)
    north = [{"id": "n", "point": [X, Y + 12, 1.0], "width": 1.5, "azimuth": 0}]
    result = envelope(scene, rules, north, max_height=31.0)
    values = {name: value.value for name, value in result.values.items()}
    assert values["failing_already"] == 1
    assert values["height_min"] == values["height_max"] == 31.0
    assert values["site_area"] == pytest.approx(1800)
    assert values["volume"] == pytest.approx(1800 * 31)
    # Ten storeys of 3 m.
    assert values["far"] == pytest.approx(10.0)
    assert values["floor_area"] == pytest.approx(18_000)
    assert values["limiting"] == 0
    mesh = result.layers["solid"].data
    corners = mesh.vertices[mesh.triangles] - [X, Y, 0]  # type: ignore[union-attr]
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume == pytest.approx(1800 * 31)


def test_windows_that_fail_keep_what_they_have(rules: str) -> None:
    # A wall to the south of the site leaves a slit of an hour.
    scene = scene_with(HOUSE, (-400, -60, -3, -59, 300), (3, -60, 400, -59, 300))
    given = windows((0.0, 1.0))
    assert verdicts(scene, rules, given)["w0"] == "fail"
    keep = envelope(scene, rules, given)
    assert any("fail already" in w for w in keep.warnings)
    assert keep.values["limiting"].value == 1
    ignore = envelope(scene, rules, given, already_failing="ignore")
    assert ignore.values["limiting"].value == 0

    def hours(layer: Layer | None) -> float:
        names = ["houses"]
        if layer is not None:
            scene.add(layer)
            names.append(layer.id)
        found = api.run(
            "sunlight.windows", scene, windows=given, obstacles=names, pack=rules, use="renewal"
        )
        if layer is not None:
            scene.remove(layer.id)
        return float(found.tables["windows"].rows[0][1])

    assert hours(keep.layers["solid"]) == pytest.approx(hours(None), abs=0.005)


def test_what_cannot_be_is_refused(rules: str) -> None:
    scene = scene_with(HOUSE)
    with pytest.raises(RefusedError, match="terrain"):
        envelope(scene, rules, windows((0.0, 1.0)), ground_z=None)
    with pytest.raises(RefusedError, match="cells"):
        envelope(scene, rules, windows((0.0, 1.0)), cell_size=0.01)
    with pytest.raises(UsageError, match="windows"):
        envelope(scene, rules, [{"id": "w"}])
    with pytest.raises(RefusedError, match="polygon"):
        envelope(scene, rules, windows((0.0, 1.0)), site=[SITE[0], SITE[2], SITE[1], SITE[3]])
