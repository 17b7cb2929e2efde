"""``demo`` without a window: project, analyses, report."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from plumbline.analysis.store import read_result
from plumbline.core.i18n import translator
from plumbline.demo import project as demo_project
from plumbline.services.project import open_project, read_project


@pytest.fixture
def folder(demo_district: Path, tmp_path: Path) -> Path:
    """Return a demo folder whose district is built already, in another place."""
    folder = tmp_path / "示范 demo"
    folder.mkdir()
    (folder / demo_project.DISTRICT).symlink_to(demo_district, target_is_directory=True)
    (folder / "district.version").write_text(demo_project.generator_version())
    return folder


@pytest.fixture
def without_vtk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take VTK away: pictures are the render tier's."""
    monkeypatch.setattr("plumbline.cli.window.find_spec", lambda name: None)


@pytest.fixture
def short_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare the schemes by one request: `test_report.py` runs them all, at night."""
    from plumbline.demo import report

    everything = report.requests
    monkeypatch.setattr(report, "requests", lambda district: everything(district)[:1])


@pytest.fixture
def two_analyses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask two analyses only: what every one of them gives is checked once, above."""
    from plumbline.cli import demo

    everything = demo.requests

    def few(district: Any) -> dict[str, dict[str, Any]]:
        asked = everything(district)
        return {name: asked[name] for name in ("measure.polyline", "measure.point")}

    monkeypatch.setattr(demo, "requests", few)


class Texts(HTMLParser):
    """Collects the texts of a page and fails on what is not closed."""

    VOID = ("meta", "img", "br", "!doctype")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        assert not any(name in ("src", "href") and "://" in value for name, value in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


# Every analysis there is: minutes where the machine has other things to do.
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("without_vtk", "short_report")
def test_the_demo_runs_without_a_window(cli: Any, folder: Path) -> None:
    done = cli("demo", "--out", folder, "--no-open", "--json")
    assert done.code == 0
    answer = done.json
    listed = {row["id"] for row in cli("analyses", "--json").json["analyses"]}
    assert set(answer["results"]) == listed, "an analysis has no request for the demo"
    assert answer["failed"] == {}
    for name, path in answer["results"].items():
        assert read_result(path).analysis == name
    page = Texts()
    text = Path(answer["report"]).read_text("utf-8")
    page.feed(text)
    assert page.open == []
    assert "EPSG:4549" in text
    assert "surface_length" in page.texts


@pytest.mark.usefixtures("without_vtk", "two_analyses", "short_report")
def test_the_report_speaks_chinese(cli: Any, folder: Path) -> None:
    assert cli("--lang", "zh_CN", "demo", "--out", folder, "--no-open").code == 0
    text = (folder / "report.html").read_text("utf-8")
    assert 'lang="zh-CN"' in text
    assert "准绳示范片区" in text
    assert "折线" in text
    names = {entry.name for entry in read_project(folder / "demo.plumb.gpkg").layers}
    assert "正射影像" in names
    translator.set_language("en")


@pytest.mark.usefixtures("without_vtk", "two_analyses", "short_report")
def test_what_the_demo_measures_is_true(cli: Any, folder: Path) -> None:
    answer = cli("demo", "--out", folder, "--no-open", "--json").json
    result = read_result(answer["results"]["measure.polyline"])
    line = result.params["points"]
    # The straight parts by hand; the ground between them is longer, and not by much.
    horizontal = sum(math.dist(a[:2], b[:2]) for a, b in pairwise(line))
    assert result.values["horizontal_length"].value == pytest.approx(horizontal, abs=1e-6)
    surface = result.values["surface_length"].value
    assert isinstance(surface, float)
    assert horizontal < surface < 1.2 * horizontal
    assert cli("replay", answer["results"]["measure.polyline"]).code == 0


@pytest.mark.usefixtures("without_vtk", "two_analyses", "short_report")
def test_a_second_run_replaces_results_and_keeps_the_project(cli: Any, folder: Path) -> None:
    assert cli("demo", "--out", folder, "--no-open").code == 0
    project = folder / "demo.plumb.gpkg"
    assert cli("new", folder / "mine", "--crs", "EPSG:4549").code == 0
    before = project.read_bytes()
    assert cli("demo", "--out", folder, "--no-open").code == 0
    assert project.read_bytes() == before
    assert (folder / "mine.plumb.gpkg").exists()


@pytest.mark.slow
def test_every_layer_of_the_project_loads(folder: Path) -> None:
    project = demo_project.ensure_demo(folder)
    scene, warnings, camera = open_project(project)
    assert warnings == []
    assert scene.absent == ()
    assert len(scene) == len(read_project(project).layers)
    assert camera is not None
    assert scene.viewpoints
    truth = json.loads((folder / "district" / "truth.json").read_text("utf-8"))
    for scheme in scene.schemes:
        assert len(scheme.hidden) == 2 * len(truth["old_quarter"]["buildings"])
        from plumbline.core.entities import entity_ids

        for layer in ("models", "buildings"):
            known = set(entity_ids(scene[layer]))
            assert {r.entity for r in scheme.hidden if r.layer == layer} <= known
