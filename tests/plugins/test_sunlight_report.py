"""The report of the demo names the one scheme that breaks the rule on sun, and who does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from plumbline.analysis.kept import kept_results
from plumbline.cli.main import main
from plumbline.demo import project as demo_project
from plumbline.services.project import read_project, write_content

#: The slab north of the site on which scheme A casts its shade, and one beside it.
NORTH = ("B0201", "B0203")
RULE = {"pack": "gb50180-2018", "use": "dwelling", "zone": "II", "population": 1_000_000}


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    kept_results.clear()
    yield
    kept_results.clear()


@pytest.mark.slow
def test_the_report_names_the_scheme_and_the_building(
    demo_district: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / demo_project.DISTRICT).symlink_to(demo_district, target_is_directory=True)
    (tmp_path / "district.version").write_text(demo_project.generator_version())
    project = demo_project.ensure_demo(tmp_path)
    where = {"layer": "windows", "where": f"楼号 in {NORTH!r} and 楼层 <= 1"}
    request = {
        "analysis": "sunlight.windows",
        "params": {
            "windows": [where], "obstacles": ["models", "scheme_A", "scheme_B"], **RULE,
        },
    }  # fmt: skip
    content = read_project(project)
    plan = replace(content.report, requests=(request,), weights={}, rates={})
    write_content(replace(content, report=plan), project)
    out = tmp_path / "report.xlsx"
    code = main(["report", str(project), "--out", str(out), "--no-pictures", "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert json.loads(said.out)["gaps"] == []
    book = openpyxl.load_workbook(out)
    sheets = {name: [[c.value for c in row] for row in book[name]] for name in book.sheetnames}
    rows = next(rows for name, rows in sheets.items() if name.startswith("Windows that fail"))
    failing = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    # All windows passed before: what fails under A alone is what A's slabs do.
    assert {(row["Scheme"], row["Building"]) for row in failing} == {("Scheme A", "B0201")}
    assert all("scheme_A/A3 板楼" in row["What takes the sun"] for row in failing)
    counts = {row[0]: row[2:] for row in sheets["Sunlight on windows"]}
    assert counts["Indicator"] == ["Scheme A", "Scheme B"]
    assert counts["Fails"] == [len(failing), 0]
    assert counts["Windows that fail newly"] == [len(failing), 0]
