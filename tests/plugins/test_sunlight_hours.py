"""Hours of sun against closed forms: boxes as slabs, the sun of pvlib, PROJ's convergence.

The reference here uses nothing of Plumbline: NREL's algorithm through pvlib's own entry, the
convergence as 1.5-degree-zone geometry by finite differences of PROJ, and the intersection of a ray
with an axis-parallel box as three slabs, looked at every second.
"""

from __future__ import annotations

from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer

from plumbline import api
from plumbline.api import (
    Georeference,
    GridData,
    Layer,
    LayerKind,
    LayerStyle,
    MeshData,
    RefusedError,
    Result,
    Scene,
    UsageError,
    VectorData,
)

CRS = "EPSG:4549"  # central meridian 120° E
Box = tuple[float, float, float, float, float]  # x from, to; y from, to; height

#: Seconds that a transition may be off.
NEAR = 15.0

SCENES: dict[str, list[Box]] = {
    "one box": [(-10, 10, -40, -25, 30)],
    "two boxes": [(-35, -12, -40, -25, 30), (8, 30, -45, -20, 45)],
    "a wall": [(-3, 60, -8, -7.5, 12)],
    "a courtyard": [
        (-20, 20, -22, -15, 18),
        (-20, 20, 15, 22, 18),
        (-27, -20, -22, 22, 18),
        (20, 27, -22, 22, 18),
    ],
}
PLACES = {"23° N": (120.0, 23.0), "40° N, edge of the zone": (121.49, 40.0), "52° N": (119.2, 52.0)}


def scene_at(longitude: float, latitude: float, boxes: list[Box]) -> tuple[Scene, float, float]:
    """Return a scene with boxes around a place, metres on the grid, and the place in the CRS."""
    x, y = Transformer.from_crs("EPSG:4490", CRS, always_xy=True).transform(longitude, latitude)
    scene = Scene(Georeference.from_text(CRS, (x, y, 0.0)))
    frame = geopandas.GeoDataFrame(
        {"高度": [b[4] + 1.0 for b in boxes], "基底": [-1.0] * len(boxes)},
        geometry=[shapely.box(b[0] + x, b[2] + y, b[1] + x, b[3] + y) for b in boxes],
        index=[f"box-{n}" for n in range(len(boxes))],
        crs=CRS,
    )
    style = LayerStyle(extrude="高度", base="基底", drape=False)
    data = VectorData(frame)
    scene.add(Layer("boxes", "楼", LayerKind.VECTOR, data, api.parse_crs(CRS), style=style))
    return scene, x, y


def suns(longitude: float, latitude: float, day: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return seconds of true solar time from 8 to 16, azimuth from true north, and elevation."""
    from pvlib import solarposition

    begin = pd.Timestamp(f"{day}T08:00", tz="UTC") - pd.Timedelta(hours=longitude / 15)
    times = pd.date_range(begin, periods=9 * 3600, freq="s")
    found = solarposition.get_solarposition(times, latitude, longitude, method="nrel_numpy")
    mean = (times.tz_localize(None) - pd.Timestamp(day)).total_seconds().to_numpy()
    solar = mean + longitude * 240 + found["equation_of_time"].to_numpy() * 60
    inside = (solar >= 8 * 3600) & (solar <= 16 * 3600)
    seconds = mean[inside]
    return seconds, found["azimuth"].to_numpy()[inside], found["elevation"].to_numpy()[inside]


def convergence(longitude: float, latitude: float) -> float:
    """Return the azimuth of the grid's north from true north, by finite differences of PROJ."""
    there = Transformer.from_crs("EPSG:4490", CRS, always_xy=True)
    (x0, x1), (y0, y1) = there.transform([longitude] * 2, [latitude - 1e-4, latitude + 1e-4])
    return -float(np.degrees(np.arctan2(x1 - x0, y1 - y0)))


def transitions(boxes: list[Box], place: tuple[float, float], day: str, bend: float) -> list[float]:
    """Return the seconds of UTC of the day at which the light at (0, 0, 0) changes."""
    seconds, azimuth, elevation = suns(*place, day)
    a, e = np.radians(azimuth - bend), np.radians(elevation)
    ray = np.stack([np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e)], axis=1)
    lit = np.ones(len(ray), dtype=bool)
    for x0, x1, y0, y1, top in boxes:
        low, high = np.array([x0, y0, -1.0]) / ray, np.array([x1, y1, top]) / ray
        near = np.minimum(low, high).max(axis=1)
        far = np.maximum(low, high).min(axis=1)
        lit &= ~((near <= far) & (far > 0))
    changes = np.flatnonzero(lit[1:] != lit[:-1])
    edges = [seconds[0]] * int(lit[0]) + list(seconds[changes] + 0.5) + [seconds[-1]] * int(lit[-1])
    return [float(t) for t in edges]


def told(result: Result, day: str) -> list[float]:
    """Return starts and ends of all periods, seconds of UTC of the day."""
    rows = result.tables["periods"].rows
    texts = [t for row in rows for t in row[1:3]]
    return [(pd.Timestamp(t) - pd.Timestamp(day, tz="UTC")).total_seconds() for t in texts]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", SCENES)
def test_lit_minutes_in_closed_form(name: str, place: str) -> None:
    boxes, where = SCENES[name], PLACES[place]
    scene, x, y = scene_at(*where, boxes)
    result = api.run(
        "sunlight.hours",
        scene,
        day="2001-01-20",
        receivers=[[x, y, -0.02]],  # lifted to 0 by the engine
        obstacles=["boxes"],
    )
    expected = transitions(boxes, where, "2001-01-20", convergence(*where))
    assert told(result, "2001-01-20") == pytest.approx(expected, abs=NEAR)
    lit = sum(b - a for a, b in zip(expected[::2], expected[1::2], strict=True)) / 3600
    row = result.tables["receivers"].rows[0]
    assert row[4] == pytest.approx(lit, abs=2 * NEAR * max(1, len(expected)) / 3600)
    assert row[6] == len(expected) // 2


def test_without_convergence_it_would_be_wrong() -> None:
    """At the edge of the zone the same closed form on true north misses by minutes."""
    where = PLACES["40° N, edge of the zone"]
    scene, x, y = scene_at(*where, SCENES["one box"])
    result = api.run(
        "sunlight.hours",
        scene,
        day="2001-01-20",
        receivers=[[x, y, -0.02]],
        obstacles=["boxes"],
    )
    ignored = transitions(SCENES["one box"], where, "2001-01-20", 0.0)
    off = np.abs(np.array(told(result, "2001-01-20")) - ignored)
    assert off[1:3].min() > 120  # almost 1 degree of convergence at some 4 min each


def test_blockers_are_named() -> None:
    scene, x, y = scene_at(120.0, 40.0, SCENES["two boxes"])
    result = api.run(
        "sunlight.hours", scene, day="2001-01-20", receivers=[[x, y, 0]], obstacles=["boxes"]
    )
    dark = result.tables["dark"].rows
    assert [row[4:] for row in dark] == [
        ("obstacle", "boxes", "box-1"),
        ("obstacle", "boxes", "box-0"),
    ]
    lit = [row[3] for row in result.tables["periods"].rows]
    minutes = sum(lit) + sum(row[3] for row in dark)
    assert minutes == pytest.approx(480, abs=0.1)


def test_a_grid_is_a_raster_of_the_same_hours() -> None:
    scene, x, y = scene_at(120.0, 40.0, SCENES["one box"])
    polygon = [[x - 20, y - 45], [x + 20, y - 45], [x + 20, y + 15], [x - 20, y + 15]]
    result = api.run(
        "sunlight.hours",
        scene,
        day="great_cold",
        year=2001,
        receivers={"polygon": polygon, "cell_size": 5, "height": 0.5},
        obstacles=["boxes"],
    )
    grid = result.layers["hours"].data
    assert isinstance(grid, GridData)
    assert grid.transform[0::4] == (5, -5)
    inside = np.isnan(grid.values)
    assert inside.any()
    a, _, c, _, e, f = grid.transform
    for row, column in np.argwhere(~inside)[::30]:
        cx, cy = c + (column + 0.5) * a, f + (row + 0.5) * e
        at = api.run(
            "sunlight.hours",
            scene,
            day="2001-01-20",
            receivers=[[cx, cy, 0.5]],
            obstacles=["boxes"],
        )
        assert grid.values[row, column] == pytest.approx(at.values["hours_mean"].value, abs=1e-9)
    for row, column in np.argwhere(inside):
        cx, cy = c + (column + 0.5) * a - x, f + (row + 0.5) * e - y
        assert (-10 < cx < 10 and -40 < cy < -25) or cx < -20 or cx > 20 or cy > 15 or cy < -45


def test_facades_see_half_of_the_band() -> None:
    """A free box and a band symmetric about noon: a face has the hours of the side it looks to.

    The southern wall has all of the band, east and west half of it, the northern none; the roof
    all.
    """
    scene, x, y = scene_at(120.0, 40.0, [(-5, 5, -5, 5, 20)])
    result = api.run(
        "sunlight.hours",
        scene,
        day="winter_solstice",
        year=2001,
        receivers={"layers": ["boxes"], "cell_size": 5},
        band_from="9:00",
        band_to="15:00",
    )
    mesh = result.layers["hours"].data
    assert isinstance(mesh, MeshData)
    corners = mesh.vertices[mesh.triangles] - [x, y, 0]
    middle, hours = corners.mean(axis=1), mesh.scalars["hours"]
    sides = {
        6.0: (middle[:, 1] < -4.99) & (middle[:, 2] > 0),
        0.0: middle[:, 1] > 4.99,
        3.0: (np.abs(middle[:, 0]) > 4.99) & (middle[:, 2] > 0),
    }
    for expected, side in sides.items():
        assert hours[side] == pytest.approx(expected, abs=NEAR / 3600 * 2), expected
    roof = corners[:, :, 2].min(axis=1) > 19.99
    assert hours[roof] == pytest.approx(6.0, abs=0.01)
    assert np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max() <= 5 * (1 + 1e-6)


def test_a_pack_says_band_and_what_counts() -> None:
    scene, x, y = scene_at(120.0, 40.0, SCENES["two boxes"])
    result = api.run(
        "sunlight.hours",
        scene,
        day="great_cold",
        receivers=[[x, y, 0]],
        obstacles=["boxes"],
        pack="gb50180-2018",
        zone="II",
        population=1_000_000,
    )
    assert result.values["band_hours"].value == pytest.approx(8.0, abs=0.01)
    assert any("not verified" in warning for warning in result.warnings)
    assert result.provenance["pack"]["id"] == "gb50180-2018"


def test_only_the_longest_periods_add() -> None:
    scene, x, y = scene_at(120.0, 40.0, SCENES["two boxes"])
    asked: dict[str, Any] = {"day": "2001-01-20", "receivers": [[x, y, 0]], "obstacles": ["boxes"]}
    every = api.run("sunlight.hours", scene, asked)
    lengths = sorted(row[3] / 60 for row in every.tables["periods"].rows)
    one = api.run("sunlight.hours", scene, {**asked, "longest_count": 1})
    assert one.values["hours_mean"].value == pytest.approx(lengths[-1])
    long = api.run("sunlight.hours", scene, {**asked, "shortest": lengths[0] * 60 + 1})
    assert long.values["hours_mean"].value == pytest.approx(sum(lengths[1:]))


def test_what_cannot_be_computed_is_refused() -> None:
    scene, x, y = scene_at(120.0, 40.0, SCENES["one box"])
    asked: dict[str, Any] = {"day": "2001-01-20", "receivers": [[x, y, 0]], "obstacles": ["boxes"]}

    def refused(kind: type[Exception], why: str, **more: Any) -> None:
        with pytest.raises(kind, match=why):
            api.run("sunlight.hours", scene, {**asked, **more})

    refused(RefusedError, "inside “.*box-0”", receivers=[[x, y - 30, 5.0]])
    refused(UsageError, "step", step=0)
    refused(UsageError, "ends before it begins", band_from=15, band_to=9)
    refused(UsageError, "neither a date nor a standard day", day="yesterday")
    refused(UsageError, "needs a year", day="great_cold")
    refused(RefusedError, "outside the ephemeris", day="3500-01-20")
    refused(UsageError, "leave one of them out", pack="gb50180-2018", zone="I", band_from=8)
    refused(UsageError, "one of layers, polygon and points", receivers={"cell_size": 2})
    with pytest.raises(RefusedError, match="no coordinate reference system"):
        api.run("sunlight.hours", Scene(), day="2001-01-20", receivers=[[0, 0, 0]])


def test_polar_night_is_refused_and_polar_day_is_lit() -> None:
    scene = Scene(Georeference.from_text("EPSG:32633", (500_000.0, 8_000_000.0, 0.0)))
    asked = {"receivers": [[500_000.0, 8_000_000.0, 0.0]]}
    with pytest.raises(RefusedError, match="does not rise high enough"):
        api.run("sunlight.hours", scene, asked, day="2001-12-21", timezone="+01:00")
    day = api.run(
        "sunlight.hours",
        scene,
        asked,
        day="2001-06-21",
        timezone="+01:00",
        band_from=0,
        band_to=24,
    )
    assert day.values["hours_mean"].value == pytest.approx(24.0, abs=0.01)
