"""Regions, and geometry parameters that name features of a layer."""

from __future__ import annotations

from typing import Annotated, Any

import geopandas
import pytest
import shapely
from pydantic import Field

from plumbline.analysis.base import Analysis
from plumbline.analysis.params import Params, Points, Polygon, Region
from plumbline.analysis.regions import region
from plumbline.analysis.registry import registry
from plumbline.analysis.result import Result, Value
from plumbline.analysis.runner import begin, needed_layers
from plumbline.analysis.validation import InvalidParamsError
from plumbline.api import Layer, LayerKind, RefusedError, VectorData, parse_crs
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.core.scene import Scene

CRS = "EPSG:4549"
X, Y = 500_000.0, 4_000_000.0


class SizeParams(Params):
    area: Annotated[Region, Field()] = ((((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),),)  # type: ignore[assignment]
    ring: Polygon | None = None
    line: Points = ()


class Size(Analysis[SizeParams]):
    id = "test.size"
    Params = SizeParams

    def prepare(self, scene: Scene, params: SizeParams) -> None:
        return None

    def compute(self, inputs: None, params: SizeParams, feedback: Feedback) -> Result:
        return Result({"area": Value(region(params.area).area), "points": Value(len(params.line))})


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(registry, "get", lambda _: Size)
    scene = Scene(Georeference.from_text(CRS))
    yard = shapely.box(X, Y, X + 10, Y + 10).difference(shapely.box(X + 2, Y + 2, X + 4, Y + 4))
    frame = geopandas.GeoDataFrame(
        {"编号": ["A", "B", "C"]},
        geometry=[
            yard,
            shapely.box(X + 20, Y, X + 25, Y + 5),
            shapely.box(X + 25, Y, X + 30, Y + 5),
        ],
        crs=CRS,
    )
    lines = geopandas.GeoDataFrame(
        {"n": [1, 2]},
        geometry=[
            shapely.LineString([(X, Y), (X + 1, Y)]),
            shapely.LineString([(X + 1, Y), (X + 1, Y + 5)]),
        ],
        crs=CRS,
    )
    for name, data in (("parcels", frame), ("roads", lines)):
        scene.add(Layer(name, name, LayerKind.VECTOR, VectorData(data), parse_crs(CRS)))
    return scene


def run(scene: Scene, **params: Any) -> Result:
    return begin("test.size", scene, params).compute()


SQUARE = [[X, Y], [X + 4, Y], [X + 4, Y + 4], [X, Y + 4]]
HOLE = [[X + 1, Y + 1], [X + 2, Y + 1], [X + 2, Y + 2], [X + 1, Y + 2]]
FAR = [[X + 9, Y], [X + 10, Y], [X + 10, Y + 1]]


@pytest.mark.parametrize(
    ("given", "area"),
    [
        (SQUARE, 16),
        ([*SQUARE, SQUARE[0]], 16),
        ([SQUARE, HOLE], 15),
        ([[SQUARE, HOLE], [FAR]], 15.5),
        ({"type": "Polygon", "coordinates": [SQUARE, HOLE]}, 15),
        ({"type": "MultiPolygon", "coordinates": [[SQUARE], [FAR]]}, 16.5),
        (shapely.Polygon(SQUARE, [HOLE]).wkt, 15),
        (shapely.MultiPolygon([(SQUARE, [HOLE]), (FAR, [])]).wkt, 15.5),
        (f"{X},{Y}; {X + 4},{Y}; {X + 4},{Y + 4}", 8),
        ({"layer": "parcels", "where": "编号 = 'A'"}, 96),
        ({"layer": "parcels", "where": "编号 IN ('B', 'C')"}, 50),
        ({"layer": "parcels"}, 146),
    ],
)
def test_regions(scene: Scene, given: Any, area: float) -> None:
    result = run(scene, area=given)
    assert result.values["area"].value == pytest.approx(area, rel=1e-9)
    # What is stored asks for the same again, without the layer.
    again = begin("test.size", Scene(), {"area": result.params["area"]}).compute()
    assert again.values["area"].value == result.values["area"].value


@pytest.mark.parametrize(
    "given",
    [
        [[X, Y], [X + 4, Y + 4], [X + 4, Y], [X, Y + 4]],
        [[X, Y], [X + 1, Y], [X + 2, Y]],
        [[SQUARE], [SQUARE]],
    ],
)
def test_regions_that_enclose_nothing_or_cross_are_refused(scene: Scene, given: Any) -> None:
    with pytest.raises(RefusedError):
        run(scene, area=given)


@pytest.mark.parametrize(
    "given",
    [
        "POINT (1 2)",
        "POLYGON ((1 2",
        [],
        [[]],
        [[X, Y], [X, float("nan")], [X + 1, Y]],
        {"type": "Point", "coordinates": [1, 2]},
        {"layer": "parcels", "where": "编号 = 'Z'"},
        {"layer": "parcels", "where": "nonsense ="},
        {"layer": "nowhere"},
        {"layer": "parcels", "where": "1=1", "more": 1},
        17,
    ],
)
def test_bad_regions_name_the_parameter(scene: Scene, given: Any) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        run(scene, area=given)
    assert [p.field for p in caught.value.problems] == ["area"]


def test_lines_and_rings_by_reference_and_their_layers_are_inputs(scene: Scene) -> None:
    asked = {"line": {"layer": "roads"}, "ring": {"layer": "parcels", "where": "编号 = 'B'"}}
    prepared = begin("test.size", scene, asked)
    assert [tuple(p) for p in prepared.request.params["line"]] == [
        (X, Y),
        (X + 1, Y),
        (X + 1, Y + 5),
    ]
    assert len(prepared.request.params["ring"]) == 4
    assert set(prepared.sources) == {"roads", "parcels"}
    assert needed_layers("test.size", asked) == ["roads", "parcels"]
    with pytest.raises(InvalidParamsError):
        begin("test.size", scene, {"ring": {"layer": "parcels"}})
