"""The tool for schemes: what is ticked is compared, differences have colours, the report hears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtWidgets import QApplication
from tool_context import FakeContext

from plumbline.api import (
    EntityRef,
    Georeference,
    Layer,
    LayerKind,
    Scene,
    Scheme,
    VectorData,
    crs_units,
    parse_crs,
)
from plumbline.core.i18n import translator
from plumbline.ui_kit.theme import current_theme
from plumbline_schemes.analysis import massing_edits as edits
from plumbline_schemes.analysis.massing import Block, mesh_of, metadata_of
from plumbline_schemes.panel import COMPARE, DIFF, SCORE, SchemesPanel, indicator_chart

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

X, Y = 500_000.0, 4_000_000.0
CRS = parse_crs("EPSG:4549")
UNITS = crs_units(CRS)
SITE = [[[X - 100, Y - 100], [X + 100, Y - 100], [X + 100, Y + 100], [X - 100, Y + 100]]]


def house(name: str, x: float, storeys: int) -> Block:
    block = edits.placed("house", (X + x, Y), 90.0, 0.0, UNITS)
    tier = replace(block.tiers[0], storeys=storeys)
    return replace(block, id=name, name=name, tiers=(tier,))


def layer(layer_id: str, *blocks: Block) -> Layer:
    return Layer(
        layer_id, layer_id, LayerKind.MESH, mesh_of(blocks, UNITS), CRS,
        metadata=metadata_of(blocks),
    )  # fmt: skip


@pytest.fixture
def context() -> FakeContext:
    """Three houses now; one scheme with the first gone, another with one taller and one lower."""
    scene = Scene(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    now = [house("1", -50, 3), house("2", 0, 3), house("3", 50, 3)]
    scene.add(layer("now", *now))
    scene.add(layer("a", house("4", 80, 6)))
    scene.add(layer("b", house("1", -50, 8), house("2", 0, 2), house("3", 50, 3)))
    gone = tuple(EntityRef("now", name) for name in "123")
    site = {"polygons": SITE}
    scene.set_schemes([
        Scheme("A", "One new", gone[:1], ("a",), site=site),
        Scheme("B", "Two rebuilt", gone, ("b",), site=site),
    ])  # fmt: skip
    return FakeContext(scene)


@pytest.fixture
def panel(context: FakeContext, qtbot: QtBot, qapp: QApplication) -> Iterator[SchemesPanel]:
    import plumbline_schemes

    translator.add_folder(Path(plumbline_schemes.__file__).parent / "translations")
    panel = SchemesPanel(context)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.hide()


def test_what_is_ticked_is_compared_charted_scored_and_goes_into_the_report(
    panel: SchemesPanel, context: FakeContext
) -> None:
    assert panel.analysis == COMPARE
    assert set(panel._ticks) == {"A", "B"}
    panel._asks["schemes.check"].setChecked(False)
    panel.run()
    result = panel.view.result
    assert result is not None
    table = result.tables["matrix"]
    rows = {row[0]: row for row in table.rows}
    far = rows["indicators.far"]
    plot = 14 * 10 / 200**2
    assert far[3:] == pytest.approx([(6 + 3 + 3) * plot, (8 + 2 + 3) * plot])
    chart = indicator_chart(result, panel.word)
    assert [one.series.name for one in chart._drawn] == ["A", "B"]
    panel._keep()
    plan = context.scene.report
    assert plan.schemes == ("A", "B")
    assert [request["analysis"] for request in plan.requests] == ["schemes.indicators"]

    panel.score_button.click()
    assert panel.analysis == SCORE

    panel.choose(COMPARE)
    panel._ticks["A"].setChecked(False)
    assert panel.form.values()["schemes"] == ["B"]
    context.scene.set_schemes([*context.scene.schemes, Scheme("C", "Empty")])
    assert set(panel._ticks) == {"A", "B", "C"}
    assert panel.form.values()["schemes"] == ["B", "C"], "what was left out stays left out"


def test_differences_are_coloured_by_what_happened(
    panel: SchemesPanel, context: FakeContext
) -> None:
    panel.choose(DIFF)
    for b, kinds in (
        ("A", {"1": "Gone", "4": "New"}),
        ("B", {"1": "Taller", "2": "Lower"}),
    ):
        panel.form.set_values({"a": "baseline", "b": b})
        panel.run()
        shown, style = context.canvas.layers["result.changes"]
        assert isinstance(shown.data, VectorData)
        assert style is not None
        rows = shown.data.features
        assert dict(zip(rows["id"], rows["change"], strict=True)) == kinds
        assert style.class_colors["Taller"] == current_theme().analysis.changed
        assert style.extrude == "height", "as a massing over the scene"
    panel.hide()
    assert not context.canvas.layers
