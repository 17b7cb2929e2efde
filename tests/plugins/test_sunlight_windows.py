"""Verdicts on windows against times found by hand: pvlib's sun and the edges of walls.

Walls are far taller than any sun of the day, so that light depends on azimuth alone: an edge sets
light free or cuts it off at the instant at which pvlib's sun passes its direction. That instant is
found by bisection here, without anything of Plumbline.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas
import pandas as pd
import pytest
import shapely

from plumbline import api
from plumbline.api import (
    Georeference,
    Layer,
    LayerKind,
    LayerStyle,
    RefusedError,
    Result,
    Scene,
    SunlightPack,
    UsageError,
    VectorData,
    load_pack,
)

CRS = "EPSG:4549"  # central meridian 120° E
X, Y = 500_250.0, 3_993_250.0
DAY = "2001-01-20"
#: Between the instants of the engine's search, and half a square of one sun (0.7 s of longitude).
SECONDS = 10.0


def scene_with(*walls: tuple[float, float, float, float], height: float = 900.0) -> Scene:
    """Return a scene with walls (xmin, ymin, xmax, ymax), metres from the middle."""
    scene = Scene(Georeference.from_text(CRS, (X, Y, 0.0)))
    frame = geopandas.GeoDataFrame(
        {"高度": [height] * len(walls), "基底": [-50.0] * len(walls)},
        geometry=[shapely.box(a + X, b + Y, c + X, d + Y) for a, b, c, d in walls],
        index=[f"wall-{n}" for n in range(len(walls))],
        crs=CRS,
    )
    style = LayerStyle(extrude="高度", base="基底", drape=False)
    crs = api.parse_crs(CRS)
    scene.add(Layer("walls", "墙", LayerKind.VECTOR, VectorData(frame), crs, style=style))
    return scene


def pack(tmp_path: Path, hours: float = 2.0, **values: Any) -> str:
    """Return the path of a pack of one threshold, true solar time 8 to 16, no sweep angle."""
    raw = load_pack("gb50180-2018", SunlightPack).model_dump(mode="json")
    raw["id"] = "test"
    raw["thresholds"] = [{**raw["thresholds"][6], "hours": hours}]  # renewal: Great Cold, all zones
    for name, value in {"sweep_angle": {"rule": "none"}, **values}.items():
        if value is None:
            raw["calculation"][name] = None
        else:
            raw["calculation"][name]["value"] = value
    path = tmp_path / "test.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return str(path)


def window(width: float = 0.02, azimuth: float = 180.0, **more: Any) -> dict[str, Any]:
    """Return a window whose sill lies in the middle of the scene, 1 m above the ground."""
    return {"id": "w", "point": [X, Y, 1.0], "width": width, "azimuth": azimuth, **more}


def judge(scene: Scene, rules: str, windows: Any, **more: Any) -> Result:
    return api.run(
        "sunlight.windows",
        scene,
        windows=windows,
        obstacles=["walls"],
        pack=rules,
        use="renewal",
        **more,
    )


def row(result: Result, n: int = 0) -> dict[str, Any]:
    table = result.tables["windows"]
    return dict(zip(table.columns, table.rows[n], strict=True))


# -- pvlib, by itself ----------------------------------------------------------------------------


def sun(seconds: float) -> tuple[float, float, float]:
    """Return azimuth, true elevation and true solar time (h) by pvlib, seconds of UTC of DAY."""
    from pvlib import solarposition

    lon, lat = Georeference.from_text(CRS).geographic(X, Y)
    times = pd.DatetimeIndex([pd.Timestamp(DAY, tz="UTC") + pd.Timedelta(seconds=seconds)])
    found = solarposition.get_solarposition(times, lat, lon, delta_t=64.0).iloc[0]
    solar = seconds / 3600 + lon / 15 + found["equation_of_time"] / 60
    return found["azimuth"], found["elevation"], solar


def when(passes: Callable[[float], bool], low: float = 0.0, high: float = 36_000.0) -> float:
    """Return the second of UTC at which something becomes true."""
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def at_azimuth(azimuth: float) -> float:
    return when(lambda s: sun(s)[0] >= azimuth)


def at_solar(hours: float) -> float:
    return when(lambda s: sun(s)[2] >= hours)


def direction(dx: float, dy: float) -> float:
    return math.degrees(math.atan2(dx, dy)) % 360


def wall_with_gaps(*gaps: tuple[float, float]) -> list[tuple[float, float, float, float]]:
    """Return a wall 100 m to the south that is open between true solar times (hours)."""
    edges = [-2000.0]
    for start, end in sorted(gaps, reverse=True):
        # The later the sun, the farther west it stands.
        for hours in (end, start):
            edges.append(-100.0 * math.tan(math.radians(sun(at_solar(hours))[0] - 180.0)))
    edges.append(2000.0)
    return [(a, -100.0 - 1e-4, b, -100.0) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def told(result: Result, column: str) -> list[float]:
    """Return instants of the table of periods, seconds of UTC of DAY."""
    k = result.tables["periods"].columns.index(column)
    zero = datetime.fromisoformat(f"{DAY}T00:00:00+00:00")
    return [
        (datetime.fromisoformat(r[k]) - zero).total_seconds() for r in result.tables["periods"].rows
    ]


# -- rules ---------------------------------------------------------------------------------------


def test_a_free_window_has_the_whole_band(tmp_path: Path) -> None:
    result = judge(scene_with((500, 500, 501, 501)), pack(tmp_path), [window(1.8)])
    expected = (at_solar(16) - at_solar(8)) / 3600
    found = row(result)
    assert found["hours"] == pytest.approx(expected, abs=SECONDS / 3600)
    assert (found["verdict"], found["periods"], found["blockers"]) == ("pass", 1, "")
    assert result.tables["periods"].rows[0][3:5] == ("08:00:00", "16:00:00")
    assert result.values["failed"].value == 0
    assert result.figures["days"].startswith(b"\x89PNG")


def test_a_full_window_waits_for_both_ends(tmp_path: Path) -> None:
    # A wall to the south-east, whose west end stands 3 m east of the middle, 20 m away.
    scene = scene_with((3.0, -20.0, 1500.0, -19.999))
    west, east = direction(3.0 + 0.9, -20.0), direction(3.0 - 0.9, -20.0)
    full = judge(scene, pack(tmp_path), [window(1.8)])
    centre = judge(
        scene, pack(tmp_path, window_rule="centre", favourable_width=None), [window(1.8)]
    )
    # Seen from the east end the edge lies farther west: that end is lit last.
    assert east > west
    assert told(full, "start")[0] == pytest.approx(at_azimuth(east), abs=SECONDS)
    middle = direction(3.0, -20.0)
    assert told(centre, "start")[0] == pytest.approx(at_azimuth(middle), abs=SECONDS)
    assert at_azimuth(east) - at_azimuth(middle) > 300
    found = row(full)
    assert found["blockers"].startswith("walls/wall-0 ")
    dark = full.tables["dark"].rows
    assert [r[6:9] for r in dark] == [("obstacle", "walls", "wall-0")]
    assert found["hours"] == pytest.approx((at_solar(16) - at_azimuth(east)) / 3600, abs=0.003)


def test_of_a_wide_window_the_favourable_stretch_counts(tmp_path: Path) -> None:
    # 4.2 m wide: of the stretches of 1.8 m the westernmost is lit first. 2.4 m / 0.6 m are 4 steps.
    scene = scene_with((0.0, -20.0, 1500.0, -19.999))
    best = judge(scene, pack(tmp_path), [window(4.2)])
    whole = judge(scene, pack(tmp_path, favourable_width=None), [window(4.2)])
    expected = at_azimuth(direction(2.1 - 1.8, -20.0))
    assert told(best, "start")[0] == pytest.approx(expected, abs=SECONDS)
    last = at_azimuth(direction(0.0 - 2.1, -20.0))
    assert told(whole, "start")[0] == pytest.approx(last, abs=SECONDS)
    # South is ahead and the outside on the right hand: along the sill runs to the east.
    assert abs(row(best)["stretch"]) == pytest.approx(1.2)


def test_the_sweep_angle_takes_the_sun_along_the_wall(tmp_path: Path) -> None:
    free = (500.0, 500.0, 501.0, 501.0)
    # Looking east, the sun leaves the wall's plane at noon; 15° before with a sweep angle of 15°.
    none = judge(scene_with(free), pack(tmp_path), [window(1.2, 90.0)])
    assert told(none, "end")[0] == pytest.approx(at_solar(12), abs=SECONDS)
    rules = pack(tmp_path, sweep_angle={"rule": "fixed", "angle": 15.0})
    fixed = judge(scene_with(free), rules, [window(1.2, 90.0)])
    assert told(fixed, "end")[0] == pytest.approx(at_azimuth(165.0), abs=SECONDS)
    # arctan(0.3 / 1.2) = 14.04° for this window, arctan(0.3 / 3) = 5.71° for a wider one.
    rules = pack(tmp_path, sweep_angle={"rule": "wall", "wall_thickness": 0.3})
    both = judge(scene_with(free), rules, [window(1.2, 90.0), {**window(3.0, 90.0), "id": "v"}])
    for end, width in zip(told(both, "end"), (1.2, 3.0), strict=True):
        limit = 180.0 - math.degrees(math.atan(0.3 / width))
        assert end == pytest.approx(at_azimuth(limit), abs=SECONDS)
    assert both.tables["dark"].rows[0][6] == "own wall"


def test_periods_shorter_than_the_shortest_do_not_count(tmp_path: Path) -> None:
    # 4 min, 40 min and 6 min of light.
    gaps = ((9.0, 9 + 4 / 60), (11.0, 11 + 40 / 60), (13.0, 13.1))
    scene = scene_with(*wall_with_gaps(*gaps))
    found = row(judge(scene, pack(tmp_path, hours=0.5), [window()]))
    assert found["hours"] == pytest.approx(46 / 60, abs=0.006)
    assert (found["periods"], found["longest"]) == (2, pytest.approx(40 / 60, abs=0.006))
    result = judge(
        scene,
        pack(tmp_path, shortest_period={"great_cold": 10, "winter_solstice": 5}, hours=0.5),
        [window()],
    )
    assert row(result)["hours"] == pytest.approx(40 / 60, abs=0.006)
    assert [r[6] for r in result.tables["periods"].rows] == [0, 1, 0]


def test_only_the_longest_periods_count(tmp_path: Path) -> None:
    gaps = ((9.0, 9 + 20 / 60), (11.0, 11 + 40 / 60), (13.0, 13.5))
    scene = scene_with(*wall_with_gaps(*gaps))
    for count, minutes in (("all", 90), (2, 70), (1, 40)):
        found = row(judge(scene, pack(tmp_path, periods_counted=count), [window()]))
        assert found["hours"] * 60 == pytest.approx(minutes, abs=0.4)


def test_a_low_sun_does_not_count(tmp_path: Path) -> None:
    result = judge(
        scene_with((500, 500, 501, 501)), pack(tmp_path, least_altitude=15.0), [window()]
    )
    rises = when(lambda s: sun(s)[1] >= 15.0, high=14_400)
    sets = when(lambda s: sun(s)[1] < 15.0, low=14_400)
    assert told(result, "start")[0] == pytest.approx(rises, abs=SECONDS)
    assert told(result, "end")[0] == pytest.approx(sets, abs=SECONDS)
    assert {r[6] for r in result.tables["dark"].rows} == {"low sun"}


def test_civil_clock(tmp_path: Path) -> None:
    rules = pack(tmp_path, clock="civil")
    with pytest.raises(UsageError, match="meridian"):
        judge(scene_with((500, 500, 501, 501)), rules, [window()])
    raw = json.loads(Path(rules).read_text())
    raw["calculation"]["meridian"] = {**raw["calculation"]["clock"], "value": 120.0}
    Path(rules).write_text(json.dumps(raw))
    result = judge(scene_with((500, 500, 501, 501)), rules, [window()])
    assert told(result, "start") == [0.0]  # 08:00 +08:00
    assert result.tables["periods"].rows[0][1] == f"{DAY}T08:00:00+08:00"


# -- verdicts ------------------------------------------------------------------------------------


def test_too_close_to_call(tmp_path: Path) -> None:
    scene = scene_with(*wall_with_gaps((11.0, 13.0)))
    for asked, verdict in ((1.9, "pass"), (1.97, "close"), (2.03, "close"), (2.1, "fail")):
        result = judge(scene, pack(tmp_path, hours=asked), [window()])
        found = row(result)
        assert found["verdict"] == verdict
        assert found["margin"] == pytest.approx(2.0 - asked, abs=0.006)
        # The rule's tolerance of 3 min.
        assert found["uncertainty"] == pytest.approx(0.05)
        assert result.values["too_close"].value == (verdict == "close")


def test_uncertain_heights_widen_the_margin(tmp_path: Path) -> None:
    # A long wall of 30 m, 60 m to the south: higher or lower by 1 m moves both ends of the light.
    scene = scene_with((-3000.0, -60.1, 3000.0, -60.0), height=80.0)  # its foot is at -50 m
    plain = row(judge(scene, pack(tmp_path), [window()]))
    wide = row(judge(scene, pack(tmp_path), [window()], height_uncertainty=1.0))
    assert wide["hours"] == plain["hours"]

    def lit(rise: float) -> float:
        """Return the hours in which the sun stands above the wall, by its profile angle."""

        def above(s: float) -> bool:
            azimuth, elevation, _ = sun(s)
            return math.tan(math.radians(elevation)) * 60.0 >= rise * -math.cos(
                math.radians(azimuth)
            )

        return (when(lambda s: not above(s), low=14_400) - when(above, high=14_400)) / 3600

    assert plain["hours"] == pytest.approx(lit(29.0), abs=0.006)
    expected = max(abs(lit(28.0) - lit(29.0)), abs(lit(30.0) - lit(29.0)))
    assert wide["uncertainty"] == pytest.approx(expected, abs=0.01)
    assert wide["uncertainty"] > plain["uncertainty"]


def test_a_period_near_the_shortest_is_uncertain(tmp_path: Path) -> None:
    # Two hours and a period of just 5 min, which may count or not; the tolerance is made small.
    scene = scene_with(*wall_with_gaps((11.0, 13.0), (14.0, 14 + 5 / 60)))
    found = row(judge(scene, pack(tmp_path, tolerance=0.0), [window()]))
    assert found["uncertainty"] == pytest.approx(5 / 60, abs=0.01)


def test_an_unverified_pack_marks_the_verdicts(tmp_path: Path) -> None:
    scene = scene_with((500, 500, 501, 501))
    result = judge(scene, pack(tmp_path), [window()])
    assert any("not verified" in w for w in result.warnings)
    assert not result.values["verified"].value
    assert row(result)["verified"] == 0
    assert row(result)["clause"] == "4.0.9"
    assert result.provenance["pack"]["id"] == "test"
    text = Path(pack(tmp_path)).read_text().replace('"verified": false', '"verified": true')
    (tmp_path / "signed.json").write_text(text)
    signed = judge(scene, str(tmp_path / "signed.json"), [window()])
    assert signed.warnings == ["Windows name no dwellings: each counts as a room by itself."]
    assert row(signed)["verified"] == 1


def test_another_day_is_said(tmp_path: Path) -> None:
    scene = scene_with((500, 500, 501, 501))
    result = judge(scene, pack(tmp_path), [window()], day="2026-06-21")
    assert result.values["day"].value == "2026-06-21"
    assert any("great_cold" in w and "2026-06-21" in w for w in result.warnings)
    assert judge(scene, pack(tmp_path), [window()], year=2026).values["day"].value == "2026-01-20"


# -- windows -------------------------------------------------------------------------------------


def test_facade_lines_carry_windows_by_bay_and_storey(tmp_path: Path) -> None:
    # A house from y = 0 to 12; its south wall of 18 m, drawn against the clock or with it.
    scene = scene_with((-9.0, 0.0, 9.0, 12.0), height=59.0)
    for start, end in ((-9.0, 9.0), (9.0, -9.0)):
        line = {
            "id": "south",
            "line": [[X + start, Y, 0.0], [X + end, Y, 0.0]],
            "width": 1.5,
            "bay": 3.6,
            "storeys": 3,
            "storey_height": 2.9,
            "building": "1",
        }
        result = judge(scene, pack(tmp_path), [line])
        rows = [row(result, n) for n in range(len(result.tables["windows"].rows))]
        assert len(rows) == 3 * 5
        # Above the floor by the pack's sill.
        assert {round(r["z"], 6) for r in rows} == {0.9, 3.8, 6.7}
        assert sorted({round(r["x"] - X, 6) for r in rows}) == [-7.2, -3.6, 0.0, 3.6, 7.2]
        assert {round(r["outward"], 6) for r in rows} == {180.0}
        assert {r["how"] for r in rows} == {"sky"}
        assert {r["storey"] for r in rows} == {"1", "2", "3"}
        assert len({r["id"] for r in rows}) == 15
        assert result.tables["buildings"].rows[0][1:5] == ("1", "", "", "pass")


def test_a_window_without_outside_has_no_verdict(tmp_path: Path) -> None:
    # Nothing stands beside the line: both sides are alike.
    line = {"id": "lost", "line": [[X, Y, 0.0], [X + 3, Y, 0.0]]}
    scene = scene_with((500, 500, 501, 501), height=51.0)
    result = judge(scene, pack(tmp_path), [line, window()])
    assert row(result)["verdict"] == "unknown"
    assert row(result)["hours"] is None
    assert any("“lost”" in w for w in result.warnings)
    assert result.values["verdict"].value == "unknown"
    with pytest.raises(RefusedError, match="outside"):
        judge(scene, pack(tmp_path), [line])
    stated = judge(scene, pack(tmp_path), [{**line, "azimuth": 180}])
    assert row(stated)["verdict"] == "pass"


def test_a_window_that_looks_into_a_building_has_no_verdict(tmp_path: Path) -> None:
    scene = scene_with((-9.0, 0.0, 9.0, 12.0), height=59.0)
    right, wrong = window(1.5, 180.0), {**window(1.5, 0.0), "id": "wrong"}
    # The north wall sees no sun on that day, but it does see the sky.
    north = {"id": "north", "point": [X, Y + 12.0, 1.0], "width": 1.5, "azimuth": 0.0}
    result = judge(scene, pack(tmp_path), [right, wrong, north])
    assert [row(result, n)["verdict"] for n in range(3)] == ["pass", "unknown", "fail"]
    assert any("“wrong”" in w for w in result.warnings)


def test_points_of_a_layer_state_their_windows(tmp_path: Path) -> None:
    scene = scene_with((-9.0, 0.2, 9.0, 12.0), height=59.0)
    frame = geopandas.GeoDataFrame(
        {
            "编号": ["a-1", "a-2", "b-1"],
            "楼号": ["a", "a", "b"],
            "户号": ["101", "101", None],
            "窗宽": [1.5, 1.5, 1.2],
            "朝向": [180.0, 0.0, 0.0],
        },
        geometry=[shapely.Point(X + dx, Y + dy, 1.0) for dx, dy in ((-3, 0), (0, 12), (3, 12))],
        crs=CRS,
    )
    scene.add(Layer("points", "窗", LayerKind.VECTOR, VectorData(frame, True), api.parse_crs(CRS)))
    result = judge(scene, pack(tmp_path), "points")
    assert [row(result, n)["id"] for n in range(3)] == ["0", "1", "2"]
    assert [row(result, n)["verdict"] for n in range(3)] == ["pass", "fail", "fail"]
    # A dwelling is as good as its best window.
    assert result.tables["dwellings"].rows[0][:6] == (
        *("points", "a", "", "101", "pass", pytest.approx(8.0, abs=0.01)),
    )
    assert {r[1]: r[4] for r in result.tables["buildings"].rows} == {"a": "pass", "b": "fail"}
    assert [r[-1] for r in result.tables["buildings"].rows] == ["dwellings", "windows"]
    some = judge(scene, pack(tmp_path), {"layer": "points", "entities": ["2"]})
    assert [r[0] for r in some.tables["windows"].rows] == ["2"]
    held = judge(scene, pack(tmp_path), {"layer": "points", "where": "窗宽 > 1.3 AND 朝向 < 90"})
    assert [r[0] for r in held.tables["windows"].rows] == ["1"]
    with pytest.raises(RefusedError, match="No window"):
        judge(scene, pack(tmp_path), {"layer": "points", "where": "窗宽 > 9"})
    with pytest.raises(UsageError, match="windows"):
        judge(scene, pack(tmp_path), {"layer": "points", "where": "nonsense ("})
    del scene["points"].data.features["朝向"]  # type: ignore[union-attr]
    with pytest.raises(RefusedError, match="azimuth"):
        judge(scene, pack(tmp_path), "points")


def test_half_of_the_rooms_may_be_enough() -> None:
    from plumbline_sunlight.analysis.roll_up import share_verdict

    def verdict(share: float, **counts: int) -> str:
        zero = {"pass": 0, "close": 0, "unknown": 0, "fail": 0}
        return share_verdict({**zero, **counts}, share)

    assert verdict(0.5, **{"pass": 2, "fail": 2}) == "pass"
    assert verdict(0.5, **{"pass": 1, "close": 1, "fail": 2}) == "close"
    assert verdict(0.5, **{"pass": 1, "unknown": 1, "fail": 2}) == "unknown"
    assert verdict(0.5, **{"pass": 1, "fail": 3}) == "fail"
    assert verdict(1.0, **{"pass": 9, "fail": 1}) == "fail"
    assert verdict(1.0, **{"pass": 10}) == "pass"


# -- refusals ------------------------------------------------------------------------------------


def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    scene = scene_with((500, 500, 501, 501))
    good = pack(tmp_path)
    for field, more in (
        ("pack", {"pack": "none-such"}),
        ("zone", {"pack": "gb50180-2018", "use": "dwelling"}),
        ("day", {"day": "yesterday"}),
        ("timezone", {"timezone": "Mars/Olympus"}),
        ("windows", {"windows": [{"id": "p", "point": [X, Y, 1.0]}]}),
        ("windows", {"windows": [{"id": "p"}]}),
        ("obstacles", {"obstacles": []}),
    ):
        request = {"windows": [window()], "obstacles": ["walls"], "pack": good, "use": "renewal"}
        with pytest.raises(UsageError, match=field):
            api.run("sunlight.windows", scene, {**request, **more})
    empty = geopandas.GeoDataFrame({"窗宽": []}, geometry=[], crs=CRS)
    scene.add(Layer("none", "无", LayerKind.VECTOR, VectorData(empty, True), api.parse_crs(CRS)))
    with pytest.raises(RefusedError, match="No window"):
        judge(scene, good, "none")


@pytest.mark.parametrize(("crs", "why"), [(None, "coordinate reference"), ("EPSG:4490", "degrees")])
def test_no_place_on_the_earth_is_refused(tmp_path: Path, crs: str | None, why: str) -> None:
    scene = Scene(Georeference.from_text(crs))
    frame = geopandas.GeoDataFrame({"高度": [3.0]}, geometry=[shapely.box(0, 0, 1, 1)], crs=crs)
    style = LayerStyle(extrude="高度", drape=False)
    known = api.parse_crs(crs) if crs else None
    scene.add(Layer("walls", "墙", LayerKind.VECTOR, VectorData(frame), known, style=style))
    with pytest.raises(RefusedError, match=why):
        judge(scene, pack(tmp_path), [{**window(), "point": [5, 5, 1]}])


def test_the_polar_night_is_refused(tmp_path: Path) -> None:
    scene = Scene(Georeference.from_text("EPSG:32633", (500_000.0, 8_700_000.0, 0.0)))
    frame = geopandas.GeoDataFrame(
        {"高度": [3.0]}, geometry=[shapely.box(5e5, 8.7e6, 5e5 + 1, 8.7e6 + 1)], crs="EPSG:32633"
    )
    style = LayerStyle(extrude="高度", drape=False)
    crs = api.parse_crs("EPSG:32633")
    scene.add(Layer("walls", "墙", LayerKind.VECTOR, VectorData(frame), crs, style=style))
    with pytest.raises(RefusedError, match="does not rise"):
        judge(scene, pack(tmp_path), [{**window(), "point": [500_020.0, 8_700_000.0, 1.0]}])
