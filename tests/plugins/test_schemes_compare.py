"""The matrix of schemes: it agrees with single runs, counts changes, and says what was kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from tests.plugins.volume_scenes import CRS, X, Y, scene, square

from plumbline import api
from plumbline.analysis.kept import kept_results
from plumbline.analysis.replay import replay
from plumbline.analysis.store import write_result
from plumbline.api import (
    EntityRef,
    Layer,
    LayerKind,
    LayerStyle,
    Result,
    Scene,
    Scheme,
    Table,
    UsageError,
    VectorData,
)
from plumbline_schemes.analysis.criteria import corridor_change, skyline_change, windows_change

INDICATORS = {"analysis": "schemes.indicators", "params": {"site": square(0, 0, 100, 100)}}
CONFLICTS = {
    "analysis": "schemes.conflicts",
    "params": {"schemes": ["@scheme"], "plans": [{"layer": "pipes", "distance": 2}]},
}


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kept_results, "folder", None)
    kept_results.clear()
    yield
    kept_results.clear()


def houses(held: Scene, name: str, *boxes: Any, tall: float = 9.0) -> None:
    shapes = [shapely.box(X + w, Y + s, X + e, Y + n) for w, s, e, n in boxes]
    frame = geopandas.GeoDataFrame(
        {"高度": [tall] * len(shapes), "层数": [round(tall / 3)] * len(shapes)},
        geometry=shapes, crs=CRS,
    )  # fmt: skip
    layer = Layer(name, name, LayerKind.VECTOR, VectorData(frame), held.georeference.crs)
    held.add(layer, style=LayerStyle(extrude="高度"))


@pytest.fixture
def city() -> Scene:
    """Two schemes on a hectare: A builds 400 m² of 9 m, B 800 m² of 30 m across a pipe."""
    held = scene()
    houses(held, "now", (0, 0, 10, 10), (50, 50, 60, 60))
    houses(held, "new_A", (20, 20, 40, 40))
    houses(held, "new_B", (60, 20, 80, 60), tall=30.0)
    line = shapely.LineString([(X + 70, Y - 10), (X + 70, Y + 200)])
    pipes = VectorData(geopandas.GeoDataFrame(geometry=[line], crs=CRS))
    held.add(Layer("pipes", "pipes", LayerKind.VECTOR, pipes, held.georeference.crs))
    held.set_schemes(
        [
            Scheme("A", "A", layers=("new_A",), hidden=(EntityRef("now", "0"),)),
            Scheme("B", "B", layers=("new_B",), hidden=(EntityRef("now", "1"),)),
        ]
    )
    return held


def compare(held: Scene, *requests: Any, **params: Any) -> Result:
    asked = {"schemes": ["A", "B"], "requests": list(requests or (INDICATORS, CONFLICTS))}
    return api.run("schemes.compare", held, {**asked, **params})


def matrix(result: Result) -> dict[str, dict[str, Any]]:
    table = result.tables["matrix"]
    return {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}


def computed(result: Result) -> list[tuple[str, str]]:
    runs = result.provenance["runs"]
    return [(run["scheme"], run["request"]) for run in runs if not run["kept"]]


def test_the_matrix_holds_what_single_runs_give(city: Scene) -> None:
    result = compare(city)
    found = matrix(result)
    for scheme in ("A", "B"):
        alone = api.run(
            "schemes.indicators", city, {**INDICATORS["params"], "scheme": scheme}, scheme=scheme
        )
        numbers = {n: v for n, v in alone.values.items() if not isinstance(v.value, str)}
        assert len(numbers) > 10
        for name, value in numbers.items():
            assert found[f"indicators.{name}"][scheme] == value.value, name
    # By hand: what is new, what stays of the present state, and the pipe under B.
    assert found["indicators.footprint_area"]["A"] == pytest.approx(400 + 100)
    assert found["indicators.footprint_area"]["B"] == pytest.approx(800 + 100)
    assert found["indicators.floor_area"]["B"] == pytest.approx(8000 + 300)
    assert found["conflicts.length"] == {
        "unit": "m", "better": "less", "A": 0.0, "B": pytest.approx(40.0),
    }  # fmt: skip
    rows = result.tables["conflicts_conflicts"].rows
    assert [row[0] for row in rows] == ["B"]
    assert result.values["gaps"].value == 0


def test_only_what_a_changed_scheme_changes_is_computed_again(city: Scene) -> None:
    first = compare(city)
    assert len(computed(first)) == 4
    assert computed(compare(city)) == []
    a, b = city.schemes
    city.set_schemes([a, replace(b, hidden=())])
    second = compare(city)
    assert {scheme for scheme, _ in computed(second)} == {"B"}
    assert matrix(second)["indicators.footprint_area"]["B"] == pytest.approx(800)
    # Names move no number.
    city.set_schemes([replace(a, name="another"), replace(b, hidden=(), note="text")])
    assert computed(compare(city)) == []
    # Another house in a layer is another content, under the same names.
    city.remove("new_A")
    houses(city, "new_A", (20, 20, 40, 45))
    city.set_schemes([a, replace(b, hidden=())])
    third = compare(city)
    assert ("A", "indicators") in computed(third)
    assert matrix(third)["indicators.footprint_area"]["A"] == pytest.approx(500 + 100)


def test_what_is_kept_is_the_same_to_the_last_digit_in_another_process(
    city: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_results, "folder", lambda: tmp_path)
    first = compare(city)
    kept_results.clear()
    second = compare(city)
    assert computed(second) == []
    assert second.tables == first.tables
    assert second.values == first.values
    # A damaged file is computed again.
    for file in tmp_path.glob("*.json"):
        file.write_text(file.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    kept_results.clear()
    third = compare(city)
    assert len(computed(third)) == 4
    assert third.tables == first.tables


def test_a_request_that_cannot_be_answered_is_a_gap_with_its_reason(city: Scene) -> None:
    far = {"analysis": "schemes.indicators", "params": {"site": square(500, 500, 600, 600)}}
    a, b = city.schemes
    city.set_schemes([a, b, Scheme("none", "none")])
    result = compare(city, far, schemes=["A", "none"], weights={"indicators.far": 1})
    assert result.values["gaps"].value == 2
    columns, rows = result.tables["gaps"].columns, result.tables["gaps"].rows
    assert columns == ("scheme", "request", "analysis", "why")
    assert [row[0] for row in rows] == ["A", "none"]
    assert all(row[3] for row in rows)
    assert result.tables["matrix"].rows == ()
    assert json.loads(result.documents["score.json"])["matrix"] == {}
    assert any("A, none" in text for text in result.warnings)


def test_costs_add_up_and_are_unknown_where_one_part_is(city: Scene) -> None:
    rates = {"indicators.floor_area": 3000.0, "conflicts.length": 5000.0}
    total = matrix(compare(city, rates=rates))["cost.total"]
    floor = {"A": 1200 + 300, "B": 8000 + 300}
    assert total["A"] == pytest.approx(3000 * floor["A"])
    assert total["B"] == pytest.approx(3000 * floor["B"] + 5000 * 40)
    rates = {"indicators.parking": 1.0, "indicators.floor_area": 1.0}
    unknown = matrix(compare(city, rates=rates))["cost.total"]
    assert (unknown["A"], unknown["B"]) == (None, None)


def test_the_score_is_ready_to_be_run(city: Scene) -> None:
    result = compare(city, weights={"indicators.far": 3, "conflicts.length": 1})
    request = json.loads(result.documents["score.json"])
    assert request["better"] == {"conflicts.length": "less"}
    score = api.run("schemes.score", city, request)
    # B has the higher FAR, A the clear pipe: 3/4 against 1/4.
    ranking = {row[0]: row[1] for row in score.tables["scores"].rows}
    assert ranking == {"B": pytest.approx(0.75), "A": pytest.approx(0.25)}


def test_what_a_scheme_removes_stands_in_requests(city: Scene) -> None:
    asked = {
        "analysis": "schemes.indicators",
        "params": {"buildings": ["@hidden:now"], "site": square(0, 0, 100, 100)},
        "name": "gone",
        "under": "baseline",
    }
    found = matrix(compare(city, asked))
    assert found["gone.footprint_area"]["A"] == pytest.approx(100)
    assert found["gone.buildings"]["B"] == 1


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"schemes": ["A", "X"]}, "no scheme “X”"),
        ({"schemes": ["A", "A"]}, "named twice"),
        ({"reference": "X"}, "no scheme “X”"),
        ({"requests": [INDICATORS, INDICATORS]}, "different names"),
        ({"requests": [{"analysis": "schemes.compare", "params": {}}]}, "within a comparison"),
        ({"requests": [{"analysis": "schemes.none", "params": {}}]}, "schemes.none"),
        ({"requests": [{"analysis": "schemes.indicators", "params": {"nothing": 1}}]}, "nothing"),
    ],
)
def test_what_cannot_be_compared_is_said(city: Scene, params: Any, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        compare(city, **params)


def test_a_stored_comparison_replays_elsewhere(city: Scene, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    held = scene()
    for layer in city:
        assert isinstance(layer.data, VectorData)
        layer.data.features.to_file(here / f"{layer.id}.gpkg", engine="pyogrio")
        loaded = api.load(here / f"{layer.id}.gpkg", layer_id=layer.id)[0]
        held.add(loaded, style=city.style(layer.id))
    a, b = city.schemes
    first = held["now"].data.features.index.astype(str)[0]
    held.set_schemes([replace(a, hidden=(EntityRef("now", first),)), replace(b, hidden=())])
    write_result(compare(held), here / "result")
    shutil.move(here, tmp_path / "there")
    result, differences = replay(tmp_path / "there" / "result")
    assert differences == []
    assert len(computed(result)) == 4, "a replay that looks up its answer proves nothing"
    assert matrix(result)["indicators.footprint_area"]["A"] == pytest.approx(500)


# -- what changes against the reference ------------------------------------------------------


def of(name: str, columns: tuple[str, ...], *rows: tuple[Any, ...]) -> Result:
    return Result(tables={name: Table(columns, rows)})


def test_windows_that_fail_newly_and_hours_that_are_lost() -> None:
    columns = ("layer", "id", "verdict", "hours")
    before = of("windows", columns, ("w", "1", "pass", 3.0), ("w", "2", "fail", 1.0),
                ("w", "3", "fail", 1.5), ("w", "4", "pass", 2.5))  # fmt: skip
    after = of("windows", columns, ("w", "1", "fail", 1.0), ("w", "2", "fail", 0.5),
               ("w", "3", "pass", 2.25), ("n", "1", "fail", 0.0), ("w", "4", "pass", None),
               )  # fmt: skip
    change = {name: value.value for name, value in windows_change(before, after).items()}
    assert change == {
        "newly_failing": 2, "newly_passing": 1, "hours_lost": 2.5, "hours_gained": 0.75,
    }  # fmt: skip


def test_corridors_that_are_broken_anew() -> None:
    columns = ("layer", "entity", "exceedance")
    before = of("breakers", columns, ("m", "1", 5.0))
    after = of("breakers", columns, ("m", "1", 9.0), ("new", "1", 2.0), ("new", "2", 3.5))
    change = {name: value.value for name, value in corridor_change(before, after).items()}
    assert change == {"newly_broken": 2, "broken": 1, "new_exceedance": 3.5}


def test_a_skyline_that_rises_and_falls() -> None:
    columns = ("azimuth", "elevation")
    before = of("skyline", columns, (350.0, 1.0), (355.0, 2.0), (0.0, 3.0), (5.0, None))
    after = of("skyline", columns, (350.0, 1.5), (355.0, 1.0), (0.0, 3.0), (5.0, 4.0))
    change = {name: value.value for name, value in skyline_change(before, after).items()}
    # Three azimuths known in both, 5° apart across north: 5 * (0.5 + 1.0).
    assert change == {"rise_max": 0.5, "fall_max": 1.0, "change_area": pytest.approx(7.5)}
