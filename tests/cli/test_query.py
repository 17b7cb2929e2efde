"""``query`` and ``formats`` as people and scripts use them."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import pytest
import shapely
from tests.io.test_registry_hostile import MAKERS

from plumbline.cli.main import main
from plumbline.io import load
from plumbline.io.registry import loader_for, loaders


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["query", *arguments, "--json"]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """Write four houses in a row, 10 m apart, each 5 m by 5 m."""
    frame = geopandas.GeoDataFrame(
        {"用途": ["住宅", "住宅", "商业", None], "层数": [6, 18, 3, 1]},
        geometry=[shapely.box(500_000 + 10 * n, 0, 500_005 + 10 * n, 5) for n in range(4)],
        crs="EPSG:4549",
    )
    path = tmp_path / "楼 房.gpkg"
    frame.to_file(path)
    return path


def test_by_expression_with_statistics(houses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(capsys, str(houses), "--where", "层数 >= 3", "--by", "用途", "--value", "层数")
    assert answer["count"] == 3
    assert answer["statistics"] == [
        {"class": "住宅", "count": 2, "area": 50.0, "length": None, "sum": 24.0, "mean": 12.0,
         "min": 6.0, "max": 18.0},
        {"class": "商业", "count": 1, "area": 25.0, "length": None, "sum": 3.0, "mean": 3.0,
         "min": 3.0, "max": 3.0},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "buffer", "count"),
    [("intersects", "0", 2), ("within", "0", 1), ("intersects", "9", 3), ("disjoint", "0", 2)],
)
def test_by_place(
    houses: Path, capsys: pytest.CaptureFixture[str], how: str, buffer: str, count: int
) -> None:
    place = "POLYGON ((499999 -1, 500012 -1, 500012 6, 499999 6, 499999 -1))"
    assert ask(capsys, str(houses), f"--{how}", place, "--buffer", buffer)["count"] == count


def test_what_is_chosen_is_written(
    houses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "选.gpkg"
    ask(capsys, str(houses), "--where", "用途 IS NULL", "--out", str(out))
    assert geopandas.read_file(out)["层数"].tolist() == [1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--where", "高度 >"],
        ["--by", "没有"],
        ["--within", "nowhere"],
        ["--within", "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"],
        ["--layer", "gone"],
    ],
)
def test_bad_questions_are_usage_errors(
    houses: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["query", str(houses), *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_real_buildings_and_walls(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Göteborg: 137 buildings, 108,219.668 m²; AC20-FZK-Haus: 13 walls."""
    answer = ask(capsys, str(real_data / "vector/goteborg/buildings.shp"))
    (row,) = answer["statistics"]  # type: ignore[misc]
    assert row["count"] == 137
    assert row["area"] == pytest.approx(108_219.668, abs=1e-3)
    house = str(real_data / "ifc/web-ifc/AC20-FZK-Haus.ifc")
    assert ask(capsys, house, "--where", "Class LIKE 'IfcWall%'")["count"] == 13


# -- formats --------------------------------------------------------------------------------------

#: Formats whose one file is made or real in a test of their own.
ELSEWHERE = {
    "las": "tests/io/test_pointcloud.py",
    "ifc": "tests/io/test_ifc.py",
    "ifczip": "tests/io/test_more_formats.py",
    "address": "tests/io/test_stores.py",
}


def test_every_row_of_the_table_has_a_file_that_loads(tmp_path: Path) -> None:
    made = set()
    for name, make in MAKERS.items():
        path = tmp_path / name
        make(path)
        made.add(loader_for(path).id)
        assert load(path, digest=False)
    rows = {spec.id for spec in loaders()}
    assert rows == made | set(ELSEWHERE)
    assert not made & set(ELSEWHERE)
    root = Path(__file__).resolve().parents[2]
    assert all((root / file).is_file() for file in ELSEWHERE.values())


def test_the_page_of_the_manual_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "formats", "--markdown"]) == 0
    page = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
    assert capsys.readouterr().out == page.read_text(encoding="utf-8")
