"""A small city written by hand: a tower of two levels of detail, a house with a yard, trees."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.io.mesh_files import write

#: Corners of a box of 10 x 20 x 5, whose lower corner is (0, 0, 0), in millimetres.
BOX = [
    [x, y, z] for z in (0, 5000) for x, y in ((0, 0), (10_000, 0), (10_000, 20_000), (0, 20_000))
]
SHELL = [
    [[0, 3, 2, 1]],
    [[4, 5, 6, 7]],
    [[0, 1, 5, 4]],
    [[1, 2, 6, 5]],
    [[2, 3, 7, 6]],
    [[3, 0, 4, 7]],
]
MEANING = {
    "surfaces": [{"type": "GroundSurface"}, {"type": "RoofSurface"}, {"type": "WallSurface"}],
    "values": [[0, 1, 2, 2, 2, 2]],
}
YARD = [[2000, 2000, 5000], [2000, 8000, 5000], [8000, 8000, 5000], [8000, 2000, 5000]]


def city() -> dict[str, Any]:
    """Return the city as a CityJSON document at (500000, 4000000, 100), EPSG:32651."""
    flat = {"type": "MultiSurface", "lod": "0", "boundaries": [SHELL[0]]}
    solid = {"type": "Solid", "lod": "2.2", "boundaries": [SHELL], "semantics": deepcopy(MEANING)}
    # The roof has a hole: an outline and a yard in it, the other way round.
    roof = {"type": "MultiSurface", "lod": "1", "boundaries": [[[4, 5, 6, 7], [8, 9, 10, 11]]]}
    tree = {
        "type": "GeometryInstance",
        "template": 0,
        "boundaries": [0],
        "transformationMatrix": [2, 0, 0, 50, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1],
    }
    crown = {"type": "MultiSurface", "lod": "1", "boundaries": [[[1, 2, 3]]]}
    return {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [0.001] * 3, "translate": [500_000, 4_000_000, 100]},
        "metadata": {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/32651"},
        "CityObjects": {
            "tower": {
                "type": "Building",
                "attributes": {"name": "塔", "storeys": 4, "owner": {"kind": "public"}},
                "children": ["tower-a"],
                "geometry": [flat],
            },
            "tower-a": {"type": "BuildingPart", "parents": ["tower"], "geometry": [solid]},
            "house": {"type": "Building", "geometry": [roof]},
            "tree": {"type": "SolitaryVegetationObject", "geometry": [tree]},
            "path": {
                "type": "Road",
                "geometry": [{"type": "MultiLineString", "lod": "0", "boundaries": [[0, 1]]}],
            },
        },
        "vertices": BOX + YARD,
        "geometry-templates": {
            "templates": [crown],
            "vertices-templates": [[9, 9, 9], [0, 0, 0], [1, 0, 0], [0, 1, 0]],
        },
    }


def write_city(path: Path, document: dict[str, Any] | None = None) -> Path:
    return write(path, json.dumps(document or city(), ensure_ascii=False))


def write_sequence(path: Path) -> Path:
    """Write the city as CityJSONSeq: the head, then a line for each object with its parts."""
    document = city()
    objects = document.pop("CityObjects")
    vertices = document.pop("vertices")
    lines = [{**document, "CityObjects": {}, "vertices": []}]
    for family in (("tower", "tower-a"), ("house",), ("tree",), ("path",)):
        members = {key: objects[key] for key in family}
        lines.append(
            {
                "type": "CityJSONFeature",
                "id": family[0],
                "CityObjects": members,
                "vertices": vertices,
            }  # type: ignore[dict-item]
        )
    return write(path, "\n".join(json.dumps(line) for line in lines) + "\n")
