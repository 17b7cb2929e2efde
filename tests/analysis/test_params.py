"""Points and lines as people write them."""

from typing import Any

import pytest
from pydantic import ValidationError

from plumbline.analysis.params import (
    Entities,
    EntityRefs,
    Params,
    Point,
    Point3,
    Points,
    Polygon,
)


class Shape(Params):
    at: Point3 = (0.0, 0.0, 0.0)
    place: Point = (0.0, 0.0)
    line: Points = ()


class Land(Params):
    ring: Polygon = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    of: EntityRefs = ()


@pytest.mark.parametrize(
    "text", ["1,2,3", "1, 2, 3", "1 2 3", "1;2;3", "1，2，3", [1, 2, 3], (1.0, "2", 3)]
)
def test_points(text: Any) -> None:
    assert Shape(at=text).at == (1.0, 2.0, 3.0)


def test_a_point_may_leave_its_height_to_the_surface() -> None:
    assert Shape(place=[1, 2]).place == (1.0, 2.0)
    assert Shape(place=[1, 2, 3]).place == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    "line",
    [
        [[0, 0, 0], [3, 4, 0]],
        "0,0,0; 3,4,0",
        "0 0 0\n3 4 0\n",
        "LINESTRING Z (0 0 0, 3 4 0)",
        {"type": "LineString", "coordinates": [[0, 0, 0], [3, 4, 0]]},
    ],
)
def test_lines(line: Any) -> None:
    assert Shape(line=line).line == ((0.0, 0.0, 0.0), (3.0, 4.0, 0.0))


@pytest.mark.parametrize(
    "line",
    ["POLYGON ((0 0, 1 1, 0 1))", "LINESTRING (0 0", [[1]], 5, {"coordinates": 7}, [["a", 1]]],
)
def test_what_is_no_line(line: Any) -> None:
    with pytest.raises(ValidationError):
        Shape(line=line)


@pytest.mark.parametrize(
    "ring",
    [
        [[0, 0], [3, 0], [0, 4]],
        [[0, 0], [3, 0], [0, 4], [0, 0]],
        "0,0; 3,0; 0,4; 0,0",
        "POLYGON ((0 0, 3 0, 0 4, 0 0))",
        {"type": "Polygon", "coordinates": [[[0, 0], [3, 0], [0, 4], [0, 0]]]},
    ],
)
def test_polygons(ring: Any) -> None:
    assert Land(ring=ring).ring == ((0.0, 0.0), (3.0, 0.0), (0.0, 4.0))


@pytest.mark.parametrize(
    "ring", ["POLYGON ((0 0, 3 0, 0 4), (1 1, 2 1, 1 2))", "LINESTRING (0 0, 3 0)", [[0, 0]], "x"]
)
def test_what_is_no_polygon(ring: Any) -> None:
    with pytest.raises(ValidationError):
        Land(ring=ring)


@pytest.mark.parametrize("of", ["bim", ["bim"], {"layer": "bim"}, [{"layer": "bim"}]])
def test_layers_and_entities(of: Any) -> None:
    land = Land(of=of)
    assert land.of == (Entities(layer="bim"),)
    assert Land.model_validate(land.model_dump(mode="json")) == land
