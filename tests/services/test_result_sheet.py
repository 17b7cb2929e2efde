"""The sheet of any result: what is on its map, and that its numbers are on paper."""

from __future__ import annotations

import io
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from PIL import Image
from pyproj import CRS

from plumbline.api import (
    Georeference,
    GridData,
    Layer,
    LayerKind,
    Result,
    Scene,
    Table,
    Value,
    VectorData,
)
from plumbline.services.documents import backdrop_of, map_png, result_document, write_document
from plumbline.services.documents.content import Facts, Picture, Sheet

PLANE = CRS("EPSG:4549")
X, Y = 534_000.0, 3_993_000.0


def scene() -> Scene:
    made = Scene(Georeference(PLANE, (X, Y, 0.0)))
    houses = [shapely.box(X + 10, Y + 10, X + 30, Y + 20)]
    data = VectorData(geopandas.GeoDataFrame({}, geometry=houses, crs=PLANE))
    made.add(Layer("houses", "houses", LayerKind.VECTOR, data, PLANE))
    return made


def result() -> Result:
    """Return 100 x 100 m, its west half seen, with a guard at a place in the east."""
    cells = np.zeros((20, 20), dtype=np.uint8)
    cells[:, :10] = 1
    grid = GridData(cells, (5.0, 0.0, X, 0.0, -5.0, Y + 100), "Visible")
    return Result(
        values={"visible_area": Value(5000.0, "m²", 12.0), "observers": Value(1)},
        tables={
            "positions": Table(
                ("position", "x", "name"),
                tuple((n, X + 0.25, f"guard {n}") for n in range(400)),
                {"x": "m"},
            )
        },
        layers={"visible": Layer("visible", "Visible", LayerKind.RASTER, grid, PLANE)},
        warnings=["one thing"],
        points=((X + 80.0, Y + 50.0, 3.0),),
        analysis="sightline.viewshed",
        params={"observer_height": 1.6},
        provenance={"started": "2026-11-20T10:00:00+08:00", "crs": "EPSG:4549"},
    )


def drawn() -> np.ndarray:
    png = map_png(result(), backdrop_of(scene()))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_the_map_shows_the_layer_where_it_is_and_the_houses_under_it() -> None:
    image = drawn()
    r, g, b = image[..., 0], image[..., 1], image[..., 2]
    green = (g > r + 25) & (g > b + 5)
    columns = np.flatnonzero(green.sum(axis=0) > 50)
    rows = np.flatnonzero(green.sum(axis=1) > 50)
    # The half of 112 m that is shown, as wide as half of it is high.
    assert (columns[-1] - columns[0]) / (rows[-1] - rows[0]) == pytest.approx(0.5, abs=0.02)
    assert map_png(result(), backdrop_of(scene())) == map_png(result(), backdrop_of(scene()))
    empty = Scene(Georeference(PLANE, (X, Y, 0.0)))
    assert map_png(result(), backdrop_of(empty)) != map_png(result(), backdrop_of(scene()))
    nowhere = Result(values={"a": Value(1.0)})
    assert map_png(nowhere, backdrop_of(scene())) == b""


def test_numbers_tables_and_origin_stand_on_the_sheet(tmp_path: Path) -> None:
    made = result()
    document = result_document(
        made, str.upper, map_picture=map_png(made, backdrop_of(scene())), operator="Lin Yue"
    )
    facts = [row for block in document.blocks if isinstance(block, Facts) for row in block.rows]
    said = dict(facts)["VISIBLE_AREA"]
    assert "±" in said
    assert said.endswith("m²")

    assert ("Operator", "Lin Yue") in facts
    assert any(isinstance(block, Picture) for block in document.blocks)
    table = next(b for b in document.blocks if isinstance(b, Sheet) and b.name == "POSITIONS")
    assert [column.title for column in table.columns] == ["POSITION", "X, m", "NAME"]
    assert table.rows[3] == (3.0, X + 0.25, "guard 3")
    assert len(table.rows) == 300
    for ending in (".pdf", ".docx", ".xlsx"):
        path = write_document(document, tmp_path / f"sheet{ending}")
        assert path.stat().st_size > 5000
