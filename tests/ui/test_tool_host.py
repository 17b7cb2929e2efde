"""What the window does for tools: previews, result layers, exports, the drawer, the bar."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel

from plumbline.analysis.registry import registry
from plumbline.api import (
    Analysis,
    Feedback,
    Georeference,
    GridData,
    Layer,
    LayerKind,
    Params,
    RefusedError,
    Result,
    Scene,
    Table,
    UsageError,
    Value,
)
from plumbline.services.notifier import notifier
from plumbline.ui_kit.charts import Chart, Series

from .hand import Hand, live

X, Y = 534_000.0, 3_993_000.0


class CountParams(Params):
    number: int


class Count(Analysis[CountParams]):
    """Gives back its number; the gate holds it up."""

    id = "test.count"
    title = "Count"
    Params = CountParams
    gate = threading.Event()

    def prepare(self, scene: Scene, params: CountParams) -> None:
        if params.number < 0:
            raise RefusedError("No number is less than nothing.")

    def compute(self, inputs: None, params: CountParams, feedback: Feedback) -> Result:
        while not self.gate.wait(0.01):
            feedback.check()
        grids = {
            name: Layer(
                name, name, LayerKind.RASTER,
                GridData(np.ones((2, 2), np.uint8), (1.0, 0.0, X, 0.0, -1.0, Y)),
                Georeference.from_text("EPSG:4549", (X, Y, 0.0)).crs,
            )
            for name in ("one", "two")
        }  # fmt: skip
        return Result(
            values={"number": Value(params.number)},
            tables={"rows": Table(("n",), ((params.number,),))},
            layers=grids,
            headline="number",
        )


@pytest.fixture
def tools(hand: Hand) -> Iterator[Any]:
    registry.ids()
    registry.add("test.count", Count, "Count")
    Count.gate.clear()
    hand.window.scene.set_georeference(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    yield hand.window.tools
    Count.gate.set()
    registry.remove("test.count")


def test_of_many_previews_the_first_and_the_last_are_computed(hand: Hand, tools: Any) -> None:
    numbers: list[Any] = []
    refused: list[str] = []
    for number in (1, 2, 3, -1, 4):
        tools.preview(
            "live", "test.count", {"number": number},
            lambda result: numbers.append(result.values["number"].value),
            lambda error: refused.append(str(error)),
        )  # fmt: skip
    assert hand.window.session.tasks.tasks == []
    Count.gate.set()
    hand.wait_until(lambda: len(numbers) == 2, 10)
    live(100)
    assert numbers == [1, 4]
    tools.preview(
        "live", "test.count", {"number": -1}, numbers.append, lambda e: refused.append("no")
    )
    assert refused == ["no"]


def test_a_closed_tool_hears_of_no_preview(hand: Hand, tools: Any) -> None:
    heard: list[Any] = []
    tools.preview("live", "test.count", {"number": 1}, heard.append)
    tools.close_tool()
    Count.gate.set()
    live(200)
    assert heard == []
    tools.preview("live", "test.count", {"number": 2}, heard.append)
    hand.wait_until(lambda: len(heard) == 1, 10)


def run(hand: Hand, tools: Any) -> Result:
    Count.gate.set()
    done: list[Result] = []
    running = tools.run("test.count", {"number": 7}, done.append)
    assert running is not None
    hand.wait_until(lambda: len(done) == 1, 10)
    assert running.finished
    return done[0]


def test_layers_of_results_share_a_group_and_leave_in_one_step(hand: Hand, tools: Any) -> None:
    result, scene = run(hand, tools), hand.window.scene
    first = tools.add_layers(result, {"one": "Einser"})
    second = tools.add_layers(result)
    assert [group.name for group in scene.groups] == ["Results"]
    assert list(scene.groups[0].layers) == [*second, *first]
    assert [scene[layer].name for layer in first] == ["Einser", "two"]
    assert scene[first[0]].metadata["request"]["params"] == {"number": 7}
    scene.history.undo()
    scene.history.undo()
    assert len(scene) == 0
    assert scene.groups == []
    scene.history.redo()
    assert scene.layer_ids == first


def test_export_writes_a_result_folder_and_says_where(
    hand: Hand, tools: Any, tmp_path: Path
) -> None:
    result = run(hand, tools)
    asked: list[str] = []
    tools.ask_folder = lambda title: asked.append(title) or str(tmp_path)
    for _ in range(2):
        tools.export(result)
        hand.rest(20)
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == 2
    document = json.loads((folders[0] / "result.json").read_text("utf-8"))
    assert document["values"]["number"]["value"] == 7
    assert (folders[0] / "one.tif").is_file()
    assert any(str(folders[0]) in n.message for n in notifier.notifications)
    tools.ask_folder = lambda _title: ""
    tools.export(result)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_result_is_printed_with_a_map(hand: Hand, tools: Any, tmp_path: Path) -> None:
    result = run(hand, tools)
    asked: list[str] = []
    tools.ask_print = lambda name: asked.append(name) or str(tmp_path / "sheet")
    tools.print_result(result, str)
    hand.wait_until(lambda: (tmp_path / "sheet.pdf").exists(), 60)
    hand.rest()
    assert asked[0].endswith(".pdf")
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")
    tools.ask_print = lambda _name: str(tmp_path / "sheet.odt")
    with pytest.raises(UsageError, match="no format"):
        tools.print_result(result, str)
    tools.ask_print = lambda _name: ""
    tools.print_result(result, str)


def test_a_chart_opens_the_drawer_and_can_be_saved(hand: Hand, tools: Any, tmp_path: Path) -> None:
    chart = Chart()
    chart.set_series([Series("a", [0, 1], [2, 3])])
    tools.show_chart("Profile", chart)
    page = hand.window.chart
    assert page.isVisible()
    assert page.chart is chart
    page.ask_file = lambda name: str(tmp_path / name)
    hand.click(page._numbers)
    hand.click(page._picture)
    assert (tmp_path / "Profile.csv").read_text("utf-8-sig").splitlines()[1] == "a,0.0,2.0"
    assert (tmp_path / "Profile.png").stat().st_size > 1000
    tools.show_chart("Other", QLabel("x"))
    assert not page._numbers.isVisible()


def test_a_bar_stands_at_the_foot_of_the_canvas(hand: Hand, tools: Any) -> None:
    window = hand.window
    window.center.setCurrentWidget(window.canvas)
    bar = QLabel("Bar")
    tools.show_bar(bar)
    live(50)
    assert bar.isVisible()
    frame = tools._bar.geometry()
    assert window.canvas.rect().contains(frame)
    assert window.canvas.height() - frame.bottom() < 20
    window.resize(1000, 700)
    live(100)
    assert window.canvas.rect().contains(tools._bar.geometry())
    tools.show_bar(None)
    assert not tools._bar.isVisible()
    assert bar.parent() is None
