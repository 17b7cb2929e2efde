"""``report``: documents read back by other libraries, gaps instead of numbers, the demo's truth."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import geopandas
import openpyxl
import pytest
import shapely

from plumbline.analysis.kept import kept_results
from plumbline.analysis.rules import rule_files
from plumbline.core.errors import CancelledError, UserError
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import translator
from plumbline.core.layer import LayerStyle
from plumbline.core.pick import EntityRef
from plumbline.core.report_plan import ReportPlan
from plumbline.core.scene import Record, Scene, Scheme
from plumbline.demo import project as demo_project
from plumbline.io.registry import load
from plumbline.services.project import read_project, snapshot, write_content
from plumbline.services.report.process import report_in_process

CRS = "EPSG:4549"
X, Y = 534_000.0, 3_994_000.0
SITE = [[X, Y], [X + 100, Y], [X + 100, Y + 100], [X, Y + 100]]


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    kept_results.clear()
    yield
    kept_results.clear()


def add(scene: Scene, folder: Path, name: str, boxes: Any, tall: float, **more: Any) -> None:
    shapes = [shapely.box(X + w, Y + s, X + e, Y + n) for w, s, e, n in boxes]
    frame = geopandas.GeoDataFrame(
        {"高度": [tall] * len(shapes), "层数": [round(tall / 3)] * len(shapes)} | more,
        geometry=shapes, crs=CRS,
    )  # fmt: skip
    path = folder / f"{name}.gpkg"
    frame.to_file(path, engine="pyogrio")
    scene.add(load(path, layer_id=name)[0], style=LayerStyle(extrude="高度"))


def city(folder: Path, **plan: Any) -> Path:
    """Return a project: A builds 400 m² of 9 m, B 800 m² of 30 m, C nothing at all."""
    scene = Scene(Georeference.from_text(CRS, (X, Y, 0.0)))
    add(scene, folder, "now", [(0, 0, 10, 10), (50, 50, 60, 60)], 6.0)
    add(scene, folder, "new_A", [(20, 20, 40, 40)], 9.0)
    add(scene, folder, "new_B", [(60, 20, 80, 60)], 30.0)
    first = str(scene["now"].data.features.index[0])
    site = {"polygons": [SITE], "controls": {"far_max": 0.5, "height_max": 24}}
    gone = (EntityRef("now", first),)
    scene.set_schemes(
        [
            Scheme("A", "Plan A 低层", gone, ("new_A",), site=site, note="=two courts"),
            Scheme("B", "Plan B 高层", gone, ("new_B",), site=site),
            Scheme("C", "Plan C", site=site),
        ]
    )
    asked: dict[str, Any] = {
        "title": "Two plans",
        "author": "林岳",
        "schemes": ("A", "B"),
        "requests": ({"analysis": "schemes.check", "params": {"pack": ""}},),
        "weights": {"check.far": 1.0, "check.failed": 1.0},
        "rates": {"check.floor_area": 3000.0},
    }
    scene.set_report(ReportPlan(**{**asked, **plan}))
    project = folder / "city.plumb.gpkg"
    write_content(snapshot(scene), project)
    return project


def workbook(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(path)
    return {name: [tuple(c.value for c in row) for row in book[name]] for name in book.sheetnames}


def column(rows: list[tuple[Any, ...]], title: str) -> dict[str, Any]:
    place = rows[0].index(title)
    return {str(row[0]): row[place] for row in rows[1:]}


def test_one_command_writes_every_format_with_the_same_numbers(cli: Any, tmp_path: Path) -> None:
    project = city(tmp_path)
    outs = [tmp_path / f"r.{end}" for end in ("pdf", "docx", "xlsx", "html")]
    named = [part for out in outs for part in ("--out", out)]
    done = cli("report", project, *named, "--no-pictures", "--json")
    assert done.code == 0, done.err
    assert done.json["files"] == [str(out) for out in outs]
    sheets = workbook(outs[2])
    a, b = (column(sheets["Indicators"], name) for name in ("Plan A 低层", "Plan B 高层"))
    # By hand: 20 x 20 m on 3 storeys and one old house of 2; 20 x 40 m on 10 storeys and it.
    assert a["Gross floor area"] == pytest.approx(400 * 3 + 200)
    assert b["Gross floor area"] == pytest.approx(800 * 10 + 200)
    assert b["Plot ratio (FAR)"] == pytest.approx(0.82)
    assert a["Building density"] == pytest.approx(5.0)
    verdicts = {(row[0], row[1]): row[2:6] for row in sheets["Verdicts"][1:]}
    value, limit, verdict, margin = verdicts["Plan B 高层", "Plot ratio, greatest"]
    assert (value, limit, verdict) == (pytest.approx(0.82), "≤ 0.5", "fails")
    assert margin == pytest.approx(-0.32)
    assert verdicts["Plan A 低层", "Greatest height"][2] == "passes"
    totals = sheets["Cost by the given rates"][-1]
    assert totals[2:] == (pytest.approx(1400 * 3000), pytest.approx(8200 * 3000))
    assert column(sheets["Schemes"], "Note")["Plan A 低层"] == "=two courts"
    texts = {
        "html": outs[3].read_text("utf-8"),
        "docx": "\n".join(
            [p.text for p in docx.Document(str(outs[1])).paragraphs]
            + [c.text for t in docx.Document(str(outs[1])).tables for r in t.rows for c in r.cells]
        ),
    }
    if shutil.which("pdftotext"):
        found = subprocess.run(
            ["pdftotext", "-layout", str(outs[0]), "-"], capture_output=True, check=True
        )
        texts["pdf"] = found.stdout.decode("utf-8")
    for kind, text in texts.items():
        for expected in ("Two plans", "Plan A 低层", "林岳", "0.82", "fails", "≤ 0.5", "[1]"):
            assert expected in text, (kind, expected)
    assert b"/FontFile2" in outs[0].read_bytes()


def test_every_input_has_its_digest_and_every_request_its_place(cli: Any, tmp_path: Path) -> None:
    project = city(tmp_path)
    out, evidence = tmp_path / "r.xlsx", tmp_path / "evidence"
    done = cli("report", project, "--out", out, "--results", evidence, "--no-pictures", "--json")
    assert done.code == 0, done.err
    sheets = workbook(out)
    inputs = {row[1]: row[2] for row in sheets["Inputs"][1:]}
    assert set(inputs) == {"now.gpkg", "new_A.gpkg", "new_B.gpkg"}
    from plumbline.core.layer import file_sha256

    assert inputs["new_A.gpkg"] == file_sha256(tmp_path / "new_A.gpkg")
    assert sheets["Requests"][1][:2] == ("[1]", "schemes.check 1")
    assert str(tmp_path) not in json.dumps(sheets, default=str), "a report tells no machine's paths"
    # The numbers of the report can be computed again.
    for name in ("compare", "score"):
        assert cli("replay", evidence / name).code == 0


def test_a_second_report_computes_what_has_changed_only(cli: Any, tmp_path: Path) -> None:
    project = city(tmp_path)
    first = cli("report", project, "--out", tmp_path / "1.html", "--no-pictures", "--json").json
    again = cli("report", project, "--out", tmp_path / "2.html", "--no-pictures", "--json").json
    assert (first["computed"], again["computed"], again["kept"]) == (2, 0, 2)


def test_an_empty_scheme_is_a_gap_and_never_a_number(cli: Any, tmp_path: Path) -> None:
    project = city(tmp_path, schemes=("A", "C"))
    out = tmp_path / "r.xlsx"
    done = cli("report", project, "--out", out, "--no-pictures", "--json")
    assert done.code == 0, done.err
    assert any("C, check:" in gap for gap in done.json["gaps"])
    sheets = workbook(out)
    assert set(column(sheets["Indicators"], "Plan C").values()) == {None}
    front = " ".join(str(row[0]) for row in sheets["Two plans"])
    assert "Nothing is recommended" in front


def test_a_project_without_schemes_says_so(cli: Any, tmp_path: Path) -> None:
    scene = Scene(Georeference.from_text(CRS, (X, Y, 0.0)))
    project = tmp_path / "empty.plumb.gpkg"
    write_content(snapshot(scene), project)
    out = tmp_path / "r.html"
    done = cli("report", project, "--out", out, "--no-pictures")
    assert done.code == 0, done.err
    assert "nothing is compared" in out.read_text("utf-8")


def test_an_office_changes_titles_order_words_and_look(cli: Any, tmp_path: Path) -> None:
    project = city(tmp_path)
    template = tmp_path / "office.toml"
    assert cli("report", "--copy-template", template).code == 0
    tomllib.loads(template.read_text("utf-8"))
    assert cli("report", "--copy-template", template).code == 2, "never written over"
    from PIL import Image

    Image.new("RGB", (40, 20), "#c06030").save(tmp_path / "logo.png")
    styles = docx.Document()
    styles.sections[0].header.paragraphs[0].text = "Office of planning"
    styles.save(str(tmp_path / "office.docx"))
    text = template.read_text("utf-8")
    text = text.replace('logo = ""', 'logo = "logo.png"').replace(
        'docx = ""', 'docx = "office.docx"'
    )
    text = text.replace('en = "Verdicts"', 'en = "What the code says"').replace(
        "#1f5f8b", "#aa3300"
    )
    text += '\n[words.far]\nen = "Floor area ratio"\nzh_CN = "容积率"\n'
    template.write_text(text, "utf-8")
    outs = tmp_path / "r.html", tmp_path / "r.docx"
    done = cli("report", project, "--template", template, "--out", outs[0], "--out", outs[1],
               "--no-pictures")  # fmt: skip
    assert done.code == 0, done.err
    page = outs[0].read_text("utf-8")
    for expected in ("What the code says", "Floor area ratio", "#aa3300", "data:image/png"):
        assert expected in page, expected
    assert docx.Document(str(outs[1])).sections[0].header.paragraphs[0].text == "Office of planning"


def test_the_report_speaks_chinese(cli: Any, tmp_path: Path) -> None:
    project = city(tmp_path, title="")
    out = tmp_path / "r.html"
    assert cli("--lang", "zh_CN", "report", project, "--out", out, "--no-pictures").code == 0
    translator.set_language("en")
    page = out.read_text("utf-8")
    for expected in ("规划方案比选报告", "结论摘要", "容积率", "不达标", "推荐", 'lang="zh-CN"'):
        assert expected in page, expected
    assert "Recommended" not in page


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        ({"schemes": ("A", "X")}, "no scheme “X”"),
        ({"viewpoints": ("nowhere",)}, "no view “nowhere”"),
        ({"template": "unknown"}, "no template “unknown”"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(
    cli: Any, tmp_path: Path, plan: Any, match: str
) -> None:
    done = cli("report", city(tmp_path, **plan), "--out", tmp_path / "r.html", "--no-pictures")
    assert done.code == 2
    assert match in done.err
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    "text",
    [
        "id = 3",
        "not toml",
        'id = "x"\n[[sections]]\nkind = "unheard"\n',
        'id = "x"\n[look]\nlogo = "../../secret.png"\n[[sections]]\nkind = "summary"\n',
        'id = "x"\n[look]\naccent = "red;}"\n[[sections]]\nkind = "summary"\n',
    ],
)
def test_a_broken_template_is_refused_in_a_sentence(cli: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.toml").write_text(text, "utf-8")
    done = cli("report", city(tmp_path), "--out", tmp_path / "r.html", "--no-pictures",
               "--template", tmp_path / "bad.toml")  # fmt: skip
    assert done.code == 3
    assert "bad.toml” is no template" in done.err
    assert "Traceback" not in done.err


def test_what_the_command_lacks_is_said(cli: Any, tmp_path: Path) -> None:
    assert cli("report", "--out", "r.pdf").code == 2
    assert cli("report", city(tmp_path), "--out", tmp_path / "r.odt").code == 2


@pytest.mark.timeout(900)
def test_the_demos_report_follows_from_its_truth(
    cli: Any, demo_district: Path, tmp_path: Path
) -> None:
    """Everything that construction fixes: areas, counts, heights, volumes, levels, demolition."""
    (tmp_path / demo_project.DISTRICT).symlink_to(demo_district, target_is_directory=True)
    (tmp_path / "district.version").write_text(demo_project.generator_version())
    project = demo_project.ensure_demo(tmp_path)
    # Sun and sights have no truth by construction, and take longest.
    content = read_project(project)
    fixed = [
        request
        for request in content.report.requests
        if request["analysis"].partition(".")[0] in ("schemes", "volume")
    ]
    assert len(fixed) == 4
    plan = replace(content.report, requests=tuple(fixed), weights={"check.far": 1.0})
    write_content(replace(content, report=plan), project)
    out = tmp_path / "r.xlsx"
    done = cli("report", project, "--out", out, "--no-pictures", "--json")
    assert done.code == 0, done.err
    assert done.json["gaps"] == []
    truth = json.loads((demo_district / "truth.json").read_text("utf-8"))
    sheets = workbook(out)
    present = column(sheets["Indicators"], "Present state")
    before = truth["old_quarter"]
    # Attributes of the present buildings are rounded to 0.1 m².
    for title, key in (("Footprint area", "footprint_area"), ("Gross floor area", "floor_area")):
        assert present[title] == pytest.approx(before[key], rel=1e-4)
    assert present["Dwellings"] == before["dwellings"]
    assert present["Buildings"] == before["count"]
    gone = column(sheets["Demolition"], "Scheme A")
    assert gone["Buildings"] == before["count"]
    assert gone["Volume"] == pytest.approx(before["volume"], rel=0.01)
    for scheme in ("A", "B"):
        expected = truth["schemes"][scheme]
        found = column(sheets["Indicators"], f"Scheme {scheme}")
        for title, key, factor in (
            ("Site area", "site_area", 1), ("Footprint area", "footprint_area", 1),
            ("Gross floor area", "floor_area", 1), ("Plot ratio (FAR)", "far", 1),
            ("Building density", "density", 100), ("Greatest height", "height_max", 1),
            ("Dwellings", "dwellings", 1), ("Volume", "volume", 1),
        ):  # fmt: skip
            assert found[title] == pytest.approx(expected[key] * factor, rel=1e-5), (scheme, title)
        assert found["Buildings"] == len(expected["buildings"])
        assert found["Most storeys"] == max(b["storeys"] for b in expected["buildings"])
        rows = [row for row in sheets["Earthwork (in parts)"][1:] if row[0] == f"Scheme {scheme}"]
        levels = {row[2]: row[4] for row in rows}
        assert levels == {b["name"]: pytest.approx(b["base"]) for b in expected["buildings"]}
    earth, cost = sheets["Earthwork"], sheets["Cost by the given rates"]
    for n, scheme in enumerate(("A", "B"), 2):
        moved = column(earth, f"Scheme {scheme}")["Earth moved"]
        assert cost[-1][n] == pytest.approx(moved * 35 + gone["Budget of demolition"], rel=1e-9)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_the_demos_whole_plan_has_no_gaps(cli: Any, demo_district: Path, tmp_path: Path) -> None:
    (tmp_path / demo_project.DISTRICT).symlink_to(demo_district, target_is_directory=True)
    (tmp_path / "district.version").write_text(demo_project.generator_version())
    project = demo_project.ensure_demo(tmp_path)
    out = tmp_path / "r.pdf"
    done = cli("report", project, "--out", out, "--no-pictures", "--json")
    assert done.code == 0, done.err
    assert done.json["gaps"] == []
    assert done.json["schemes"] == ["A", "B"]
    assert done.json["criteria"] > 60


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"site": {"polygons": [[[x + 900, y] for x, y in SITE]], "controls": {"far_max": 1}}},
            "No building",
        ),
        ({"site": {}}, "Give a site"),
        ({"layers": ("gone",)}, "gone"),
    ],
)
def test_bad_schemes_are_gaps_with_their_reason(
    cli: Any, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    project = city(tmp_path)
    content = read_project(project)
    a, b, c = content.schemes
    schemes = (replace(a, **change), b, c)
    write_content(replace(content, schemes=schemes), project)
    out = tmp_path / "r.xlsx"
    done = cli("report", project, "--out", out, "--no-pictures", "--json")
    assert done.code == 0, done.err
    assert any(why in gap for gap in done.json["gaps"]), done.json["gaps"]
    sheets = workbook(out)
    if "Indicators" in sheets:
        assert set(column(sheets["Indicators"], "Plan A 低层").values()) <= {None, 10_000}


def test_a_plan_survives_its_project(tmp_path: Path) -> None:
    from plumbline.services.project import open_project

    project = city(tmp_path)
    scene, _, _ = open_project(project)
    assert scene.report.weights == {"check.far": 1.0, "check.failed": 1.0}
    assert scene.report.requests[0]["analysis"] == "schemes.check"
    changed = replace(scene.report, title="Another")
    scene.set_report(changed)
    scene.history.undo()
    assert scene.report.title == "Two plans"


def test_results_that_were_added_stand_in_the_report(cli: Any, tmp_path: Path) -> None:
    project = city(tmp_path, records=("width", "lost"))
    content = read_project(project)
    record = Record(
        "width",
        "Width of the lane",
        {"analysis": "measure.distance", "version": "1", "params": {}},
        {"distance": {"value": 7.25, "unit": "m", "uncertainty": 0.02}},
        provenance={"inputs": [{"id": "lane", "path": "/far/away/lane.laz", "sha256": "ab" * 32}]},
    )
    write_content(replace(content, records=(record,)), project)
    out = tmp_path / "r.xlsx"
    done = cli("report", project, "--out", out, "--no-pictures", "--json")
    assert done.code == 0, done.err
    assert any("“lost”" in gap for gap in done.json["gaps"])
    sheets = workbook(out)
    assert sheets["Width of the lane"][1] == ("distance", 7.25, "m", 0.02)
    assert ("lane", "lane.laz", "ab" * 32) in sheets["Inputs"]


def test_the_window_writes_what_stands_in_it_by_a_process_of_its_own(tmp_path: Path) -> None:
    content = replace(read_project(city(tmp_path)), viewpoints=())
    out = tmp_path / "窗口.html"
    told: list[str] = []
    feedback = Feedback(lambda fraction, text: told.append(text))
    assert report_in_process(content, "城市", out, feedback, "林岳") == out
    page = out.read_text("utf-8")
    assert "Two plans" in page
    assert "城市.plumb.gpkg" in page
    assert told == ["Writing the report"]
    broken = replace(content, report=replace(content.report, schemes=("X",)))
    with pytest.raises(UserError, match="no scheme “X”"):
        report_in_process(broken, "城市", tmp_path / "no.html", feedback)


def test_a_report_that_is_cancelled_ends_its_process(tmp_path: Path) -> None:
    content = read_project(city(tmp_path))
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        report_in_process(content, "city", tmp_path / "no.html", feedback)
    assert not (tmp_path / "no.html").exists()


def test_a_rule_pack_without_a_limit_leaves_a_marked_gap(cli: Any, tmp_path: Path) -> None:
    """A pack that lacks the density gives no verdict by it, nor a number that nobody stated."""
    pack = json.loads(rule_files()["gb50180-2018-site"].read_text(encoding="utf-8"))
    for one in pack["limits"]:
        del one["density"]
    broken = tmp_path / "own.json"
    broken.write_text(json.dumps(pack | {"id": "own"}), encoding="utf-8")
    request = {"analysis": "schemes.check", "params": {"pack": str(broken), "zone": "II"}}
    project = city(tmp_path, requests=(request,), weights={}, rates={})
    out = tmp_path / "r.xlsx"
    done = cli("report", project, "--out", out, "--no-pictures", "--json")
    assert done.code == 0, done.err
    for scheme in ("A", "B"):
        assert any(
            gap.startswith(f"{scheme}, check:") and "limits[0].density: This is required" in gap
            for gap in done.json["gaps"]
        ), done.json["gaps"]
    sheets = workbook(out)
    assert "Verdicts" not in sheets
    assert any("limits[0].density" in str(row[0]) for row in sheets["Two plans"])


def test_a_rule_pack_that_ends_below_a_scheme_says_nothing_of_it(cli: Any, tmp_path: Path) -> None:
    """Limits up to 3 storeys: A (1400 m² on 500 m²) is told by them, B (8200 on 900) is not."""
    pack = json.loads(rule_files()["gb50180-2018-site"].read_text(encoding="utf-8"))
    pack["limits"] = [one for one in pack["limits"] if one["category"] == "low"]
    low = tmp_path / "low.json"
    low.write_text(json.dumps(pack | {"id": "low"}), encoding="utf-8")
    request = {"analysis": "schemes.check", "params": {"pack": str(low), "zone": "II"}}
    project = city(tmp_path, requests=(request,), weights={}, rates={})
    out = tmp_path / "r.xlsx"
    done = cli("report", project, "--out", out, "--no-pictures", "--json")
    assert done.code == 0, done.err
    said = workbook(out)["Verdicts"][1:]
    by_pack = {row[0] for row in said if row[1] == "Building density, greatest"}
    assert by_pack == {"Plan A 低层"}
    # The plan's own limits are all that is said of B.
    assert {str(row[3]) for row in said if row[0] == "Plan B 高层"} == {"≤ 0.5", "≤ 24"}
