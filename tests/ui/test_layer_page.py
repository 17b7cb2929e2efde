"""The layer's page: themes of numbers by the mouse, and what was decided when the file was read."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QLabel

from plumbline.api import LayerStyle
from plumbline.render.legend import LegendRow, legend_rows
from plumbline.ui.layer_panel import LayerPanel
from plumbline.ui.render_theme import render_theme
from plumbline.ui_kit.fields import ColorButton, ComboBox
from plumbline.ui_kit.theme import current_theme

from .hand import Hand
from .test_window import houses as houses


@pytest.fixture
def page(hand: Hand, houses: Path) -> Hand:
    """Show the page of four houses of 10 to 40 m."""
    hand.window.session.open_paths([houses])
    hand.wait_until(lambda: len(hand.window.scene) == 1)
    hand.rest()
    hand.window.show_layer_panel(hand.window.scene.layer_ids[0])
    return hand


def choice(hand: Hand, key: str) -> ComboBox:
    """Return the box of the page that offers a key, once it is to be seen."""
    panel = hand.window.tools.currentWidget()

    def found() -> list[ComboBox]:
        boxes = panel.findChildren(ComboBox)
        return [box for box in boxes if box.isVisible() and box.findData(key) >= 0]

    hand.wait_until(lambda: bool(found()))
    return found()[0]


def test_graduated_classes_with_their_legend(page: Hand) -> None:
    window = page.window
    layer_id = window.scene.layer_ids[0]
    panel = window.tools.currentWidget()
    assert isinstance(panel, LayerPanel)
    box = choice(page, "名称")
    box.setCurrentIndex(box.findData("高度"))
    style = window.scene.style(layer_id)
    assert (style.color_by, style.attribute, style.breaks) == ("attribute", "高度", ())
    methods = choice(page, "natural")
    methods.setCurrentIndex(methods.findData("natural"))
    # Five classes are asked for, and four houses make four.
    assert window.scene.style(layer_id).breaks == (20, 30, 40)
    page.rest()
    legend = window.canvas._legend
    texts = [label.text() for label in legend.findChildren(QLabel) if label.isVisible()]
    assert "≥ 40" in texts
    assert "< 20" in texts
    assert choice(page, "natural").currentData() == "natural"
    window.scene.history.undo()
    assert window.scene.style(layer_id).breaks == ()


def test_the_page_says_what_was_decided_and_why(page: Hand) -> None:
    panel = page.window.tools.currentWidget()
    texts = [label.text().replace("\u200b", "") for label in panel.findChildren(QLabel)]
    assert "Coordinate system" in texts
    assert any("EPSG:4549" in text and "the file says it" in text for text in texts)
    assert any(text.startswith("高度") and "those of heights" in text for text in texts)


def test_the_colour_of_a_category_is_chosen_on_its_swatch(
    page: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = page.window
    layer_id = window.scene.layer_ids[0]
    panel = window.tools.currentWidget()
    box = choice(page, "名称")
    box.setCurrentIndex(box.findData("名称"))
    page.rest()
    before = {row.key: row.color for row in rows_of(page)}
    assert len(before) == 4
    wanted = sorted(before)[1]
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_args: QColor("#123456"))

    def swatches() -> list[ColorButton]:
        found = panel.findChildren(ColorButton)
        return [one for one in found if one.isVisible() and one.toolTip().endswith(wanted)]

    page.wait_until(lambda: len(swatches()) == 1)
    panel.scroll_to(swatches()[0])
    page.wait_until(lambda: not swatches()[0].visibleRegion().isEmpty())
    page.click(swatches()[0])
    # The others keep what they had.
    assert {row.key: row.color for row in rows_of(page)} == {**before, wanted: "#123456"}
    assert window.scene.style(layer_id).class_colors[wanted] == "#123456"


def test_the_colour_of_a_band_leaves_the_palette_to_the_others(page: Hand) -> None:
    scene = page.window.scene
    layer_id = scene.layer_ids[0]
    style = LayerStyle(color_by="attribute", attribute="高度", breaks=(20, 30))
    scene.set_style(layer_id, style)
    before = rows_of(page)
    assert [row.key for row in before if row.key] == ["2", "1", "0"]
    scene.set_style(layer_id, style.model_copy(update={"class_colors": {"2": "#123456"}}))
    changed = [row for row, old in zip(rows_of(page), before, strict=True) if row != old]
    assert [(row.text, row.color) for row in changed] == [("≥ 30", "#123456")]


def rows_of(hand: Hand) -> list[LegendRow]:
    """Return the legend of the first layer."""
    scene = hand.window.scene
    layer_id = scene.layer_ids[0]
    return legend_rows(scene[layer_id], scene.style(layer_id), render_theme(current_theme()))
