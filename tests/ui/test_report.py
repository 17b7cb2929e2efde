"""The report of what stands in the window, by its command in the menu."""

from __future__ import annotations

from pathlib import Path

import geopandas
import shapely
from pytestqt.qtbot import QtBot

from plumbline.core.report_plan import ReportPlan
from plumbline.core.scene import Scheme
from plumbline.io.registry import load

from .hand import Hand


def test_the_menu_writes_the_report_of_a_project_that_was_never_saved(
    hand: Hand, tmp_path: Path, qtbot: QtBot
) -> None:
    window = hand.window
    command = window.actions.commands["project.report"]
    assert not command.isEnabled(), "nothing is there to be reported"
    box = shapely.box(534_000, 3_994_000, 534_020, 3_994_020)
    geopandas.GeoDataFrame({"层数": [3]}, geometry=[box], crs="EPSG:4549").to_file(
        tmp_path / "house.gpkg", engine="pyogrio"
    )
    (layer,) = load(tmp_path / "house.gpkg", layer_id="house")
    window.scene.add(layer)
    site = {"polygons": [list(box.buffer(5).exterior.coords)]}
    window.scene.set_schemes([Scheme("A", "Plan A", layers=("house",), site=site)])
    window.scene.set_report(ReportPlan("From the window"))
    assert command.isEnabled()
    out = tmp_path / "window.html"
    window.session.answers["report"] = str(out)
    command.trigger()
    qtbot.waitUntil(out.exists, timeout=120_000)
    page = out.read_text("utf-8")
    assert "From the window" in page
    assert "Plan A" in page
    hand.rest()
