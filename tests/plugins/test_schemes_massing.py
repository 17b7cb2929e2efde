"""Massing: volumes and areas by closed form, edits by geometry, tables row by row."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plumbline.api import (
    InputError,
    Layer,
    LayerKind,
    MeshData,
    RefusedError,
    Scene,
    Scheme,
    UsageError,
    crs_units,
    parse_crs,
    run,
)
from plumbline.core.georeference import Georeference
from plumbline_schemes.analysis import massing_edits as edits
from plumbline_schemes.analysis.massing import (
    Block,
    Roof,
    Tier,
    blocks_of,
    checked,
    mesh_of,
    metadata_of,
)

X, Y = 500_000.0, 4_000_000.0
CRS = "EPSG:4549"
METRES = crs_units(parse_crs(CRS))
FEET = crs_units(parse_crs("EPSG:2263"))


def rectangle(length: float, width: float) -> tuple[tuple[float, float], ...]:
    return ((X, Y), (X + length, Y), (X + length, Y + width), (X, Y + width))


def block(*tiers: Tier, roof: Roof = "flat", rise: float = 0.0) -> Block:
    return checked(Block("b", "1", 5.0, tiers, roof, rise))


def volume(mesh: MeshData) -> float:
    """Return the volume inside of closed faces (Gauss); the same from any origin if closed."""
    found = [
        float(np.einsum("ij,ij->i", c[:, 0], np.cross(c[:, 1], c[:, 2])).sum()) / 6
        for shift in ((0, 0, 0), (37, -11, 250))
        for c in [(mesh.vertices - (X, Y, 0) + shift)[mesh.triangles]]
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-9), "it is closed"
    return found[0]


@pytest.mark.parametrize(
    ("roof", "more"),
    [
        ("flat", 0.0),
        ("shed", 20 * 10 * 4 / 2),
        ("gable", 20 * 10 * 4 / 2),
        # A ridge of 10 m: a prism of its length, and a pyramid over the square of both ends.
        ("hip", 10 * 10 * 4 / 2 + 10 * 10 * 4 / 3),
    ],
)
def test_roofs_close_the_solid(roof: Roof, more: float) -> None:
    tier = Tier((rectangle(20, 10),), 3, 3.0)
    mesh = mesh_of([block(tier, roof=roof, rise=4.0)], METRES)
    assert volume(mesh) == pytest.approx(20 * 10 * 9 + more)
    top = 5 + 9 + (4 if roof != "flat" else 0)
    assert mesh.vertices[:, 2].max() == pytest.approx(top)


def test_courts_podiums_and_overhangs_are_solids_too() -> None:
    court = Tier(
        (
            rectangle(40, 30),
            ((X + 10, Y + 10), (X + 30, Y + 10), (X + 30, Y + 20), (X + 10, Y + 20)),
        ),
        6,
    )
    assert volume(mesh_of([block(court)], METRES)) == pytest.approx((1200 - 200) * 18)
    podium = edits.with_podium(block(Tier((rectangle(40, 30),), 10, 3.6, "办公")), 3, 5.0, METRES)
    assert volume(mesh_of([podium], METRES)) == pytest.approx(1200 * 13.5 + 30 * 20 * 36)
    assert podium.floor_area(METRES) == pytest.approx(1200 * 3 + 600 * 10)
    table_top = block(Tier((rectangle(10, 10),), 2), Tier((rectangle(30, 10),), 1))
    assert volume(mesh_of([table_top], METRES)) == pytest.approx(100 * 6 + 300 * 3)
    with pytest.raises(RefusedError, match="No tower"):
        edits.with_podium(podium, 3, 20.0, METRES)


def test_lengths_are_metres_where_the_project_counts_feet() -> None:
    foot = FEET.horizontal
    assert foot is not None
    tower = edits.placed("slab", (X, Y), 90.0, 0.0, FEET)
    mesh = mesh_of([tower], FEET)
    size = np.ptp(mesh.vertices, axis=0) * (foot, foot, FEET.vertical)
    assert size == pytest.approx([56, 13, 54])
    assert tower.floor_area(FEET) == pytest.approx(56 * 13 * 18)


def test_blocks_are_moved_turned_aligned_pushed_and_split() -> None:
    slab = block(Tier((rectangle(20, 10),), 3))
    assert edits.direction_of(slab) == pytest.approx(90)
    turned = edits.turned(slab, 30)
    assert edits.direction_of(turned) == pytest.approx(120)
    assert edits.middle_of(turned) == pytest.approx([X + 10, Y + 5])
    assert edits.direction_of(edits.aligned(turned, 10.0)) == pytest.approx(100), "the nearer side"
    moved = edits.moved(slab, 3, -4)
    assert edits.middle_of(moved) == pytest.approx([X + 13, Y + 1])
    for edge in range(4):
        assert edits.pushed(slab, 0, edge, 2.0).tiers[0].polygon.area == pytest.approx(
            200 + 2 * (20 if edge % 2 == 0 else 10)
        )
    leaning = block(Tier((((X, Y), (X + 20, Y), (X + 15, Y + 10), (X + 5, Y + 10)),), 3))
    pushed = edits.pushed(leaning, 0, 2, 2.0).tiers[0].polygon
    assert pushed.area == pytest.approx((20 + 8) / 2 * 12), "its neighbours keep their directions"
    with pytest.raises(UsageError, match="crosses itself"):
        edits.pushed(leaning, 0, 2, 40.0)
    left, right = edits.split(slab, (X + 5, Y - 1), (X + 5, Y + 20))
    assert sorted([left.tiers[0].polygon.area, right.tiers[0].polygon.area]) == [
        pytest.approx(50), pytest.approx(150),
    ]  # fmt: skip
    with pytest.raises(RefusedError, match="part"):
        edits.split(slab, (X - 5, Y), (X - 5, Y + 1))


def test_a_parcel_is_filled_up_to_its_setback() -> None:
    import shapely

    parcel = shapely.box(X, Y, X + 50, Y + 40)
    (filled,) = edits.on_parcel(parcel, 5.0, 0.0, 6, 3.0, "住宅", METRES)
    assert filled.tiers[0].polygon.equals(shapely.box(X + 5, Y + 5, X + 45, Y + 35))
    with pytest.raises(RefusedError, match="Nothing is left"):
        edits.on_parcel(parcel, 25.0, 0.0, 6, 3.0, "住宅", METRES)


def test_indicators_count_what_was_drawn() -> None:
    podium = edits.with_podium(block(Tier((rectangle(40, 30),), 10, 3.6, "办公")), 3, 5.0, METRES)
    slab = replace(
        edits.moved(block(Tier((rectangle(50, 10),), 6)), 0, 50), id="c", name="2", dwellings=36
    )
    scene = Scene(Georeference.from_text(CRS, (X, Y, 0.0)))
    blocks = [podium, slab]
    scene.add(
        Layer(
            "m",
            "m",
            LayerKind.MESH,
            mesh_of(blocks, METRES),
            parse_crs(CRS),
            metadata=metadata_of(blocks),
        )
    )
    site = [[[[X - 10, Y - 10], [X + 90, Y - 10], [X + 90, Y + 90], [X - 10, Y + 90]]]]
    scene.set_schemes([Scheme("s", "S", layers=("m",))])
    result = run("schemes.indicators", scene, scheme="s", site=site)
    values = {name: value.value for name, value in result.values.items()}
    area = 100 * 100
    floors = 1200 * 3 + 600 * 10 + 500 * 6
    assert values["floor_area"] == pytest.approx(floors)
    assert values["far"] == pytest.approx(floors / area)
    assert values["density"] == pytest.approx((1200 + 500) / area)
    assert values["dwellings"] == 36
    assert blocks_of(scene["m"]) == tuple(blocks), "as kept in the project"


def test_bad_blocks_and_damaged_layers_are_refused() -> None:
    good = Tier((rectangle(20, 10),), 3)
    bow = ((X, Y), (X + 10, Y + 10), (X + 10, Y), (X, Y + 10))
    for tier in (
        replace(good, storeys=0), replace(good, storeys=301), replace(good, storey_height=math.nan),
        replace(good, rings=(bow,)), replace(good, rings=(((X, Y), (X + 1, Y)),)),
        replace(good, rings=(((X, Y), (math.inf, Y), (X, Y + 1)),)),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            block(tier)
    layer = Layer("m", "m", LayerKind.MESH, mesh_of([], METRES), metadata={"massing": [{"id": 1}]})
    with pytest.raises(UsageError, match="damaged"):
        blocks_of(layer)
    with pytest.raises(RefusedError, match="degrees"):
        mesh_of([block(good)], crs_units(parse_crs("EPSG:4490")))


def test_a_table_becomes_blocks(tmp_path: Path) -> None:
    path = tmp_path / "楼.csv"
    rows = [
        ["名称", "用途", "层数", "层高", "x", "y", "面宽", "进深", "方位角"],
        ["1#", "住宅", 18, 2.9, X, Y, 40, 12, 90],
        ["2#", "商业", 2, "", X + 60, Y, 30, 20, 0],
    ]
    with path.open("w", encoding="gbk", newline="") as stream:
        csv.writer(stream).writerows(rows)
    found = edits.from_table(edits.table_rows(path), METRES, lambda x, _y: x - X)
    assert [(b.name, b.storeys, b.base) for b in found] == [("1#", 18, 0.0), ("2#", 2, 60.0)]
    assert found[0].height == pytest.approx(52.2)
    assert found[1].tiers[0].polygon.bounds == pytest.approx((X + 50, Y - 15, X + 70, Y + 15))
    with pytest.raises(InputError, match=r"Row 1 .* “storeys”"):
        edits.from_table([{"x": 1, "y": 2, "length": 3, "width": 4}], METRES, lambda _x, _y: 0)
    with pytest.raises(InputError, match="Row 1"):
        edits.from_table(
            [{"x": "a", "y": 2, "length": 3, "width": 4, "storeys": 1}], METRES, lambda _x, _y: 0
        )
    (tmp_path / "bad.xlsx").write_bytes(b"no")
    with pytest.raises(InputError, match="no table"):
        edits.table_rows(tmp_path / "bad.xlsx")
