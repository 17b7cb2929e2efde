"""Selecting by click, box, lasso and condition, filters, statistics, dossiers: by real events."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from city_scene import EAST, GROUND, HEIGHTS, NORTH, city, outline
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from plumbline.api import Camera, EntityRef, Layer, LayerKind, VectorData
from plumbline.core.data import MeshData
from plumbline.ui.query_panel import QueryPanel

from .hand import LEFT, NONE, Hand, live

SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def street(hand: Hand) -> Hand:
    """Show the street of three houses from above: footprints and the photographed mesh."""
    window = hand.window
    source = city("footprints", "capture")
    window.scene.set_georeference(source.georeference)
    for layer in reversed(list(source)):
        window.scene.add(layer)
    hand.rest()
    middle = (EAST + 27.0, NORTH + 5.0)
    camera = Camera((*middle, 300.0), (*middle, GROUND), (0, 1, 0), True, 26.0)
    window.canvas.go_to(camera, ease=False)
    hand.rest()
    return hand


def spot(hand: Hand, x: float, y: float, z: float = GROUND) -> QPoint:
    return hand.window.canvas.place_of((EAST + x, NORTH + y, z)).toPoint()


def roof(hand: Hand, n: int) -> QPoint:
    return spot(hand, 20 * n + 5, 5, GROUND + HEIGHTS[n])


def draw(hand: Hand, places: list[QPoint], modifiers: Qt.KeyboardModifier = NONE) -> None:
    """Press at the first place, move to the others, release at the last."""
    canvas = hand.window.canvas.interactor
    window = canvas.window().windowHandle()
    points = [canvas.mapTo(canvas.window(), place) for place in places]
    QTest.mousePress(window, LEFT, modifiers, points[0])
    for start, end in pairwise(points):
        for n in range(1, 5):
            QTest.mouseMove(window, start + (end - start) * (n / 4))
            live(15)
    QTest.mouseRelease(window, LEFT, modifiers, points[-1])
    live(50)


def paste(field: QLineEdit, text: str) -> None:
    """Paste, since `QTest.keyClicks` knows no Chinese."""
    QApplication.clipboard().setText(text)
    QTest.keyClick(field, Qt.Key.Key_V, CONTROL)


def chosen(hand: Hand) -> list[str]:
    return [ref.entity for ref in hand.window.scene.selection]


def test_a_box_selects_adds_and_takes_away(street: Hand) -> None:
    window, camera = street.window, street.window.canvas.camera()
    window.scene.set_view("capture", visible=False)
    street.click(street.action_button("select.box"))
    draw(street, [spot(street, -3, 14), spot(street, 23, -3)])
    assert chosen(street) == ["0", "1"]
    assert window.canvas.camera() == camera, "the drag belongs to the box"
    draw(street, [spot(street, 38, 14), spot(street, 45, 4)], SHIFT)
    assert chosen(street) == ["0", "1", "2"]
    draw(street, [spot(street, 4, 6), spot(street, 5, 4)], CONTROL)  # all within one footprint
    assert chosen(street) == ["1", "2"]
    street.key(Qt.Key.Key_Escape)
    assert not window.actions.commands["select.box"].isChecked()
    draw(street, [spot(street, 12, 3), spot(street, 17, 3)])
    assert chosen(street) == ["1", "2"]
    assert window.canvas.camera() != camera, "without the box the drag turns the view"


def test_a_lasso_selects_what_it_goes_around(street: Hand) -> None:
    street.window.scene.set_view("capture", visible=False)
    street.click(street.action_button("select.lasso"))
    # Around the first and the third, past the second on its southern side.
    around = [(-3, 13), (13, 13), (13, -4), (37, -4), (37, 13), (53, 13), (53, -6), (-3, -6)]
    draw(street, [spot(street, *place) for place in [*around, around[0]]])
    assert chosen(street) == ["0", "2"]


def test_entities_are_built_in_one_action_and_picked_on_the_mesh(
    street: Hand, tmp_path: Path
) -> None:
    window, scene = street.window, street.window.scene
    rates = tmp_path / "rates.csv"
    rates.write_text("No,owner\nA1,Li\n", encoding="utf-8")
    window.session.answers["entity_table"] = str(rates)
    window.actions.commands["entities.build"].trigger()
    street.click(street.button("Join a table…"))
    street.click(street.button("Build entities"))
    street.wait_until(lambda: len(scene.entities) == 3)
    street.rest()
    # The mesh has no buildings of its own: the place tells which is meant.
    street.click(window.canvas.interactor, roof(street, 0))
    assert scene.selection == (EntityRef("footprints", "0"),)
    by_mesh = window.attributes.rows()
    assert by_mesh["Height"] == "12.00 m (measured)"
    assert by_mesh["owner"] == "Li"
    assert len(window.canvas.view._marks) > 2
    # The footprint leads to the same dossier.
    scene.select(())
    scene.set_view("capture", visible=False)
    street.rest()
    street.click(window.canvas.interactor, spot(street, 5, 5))
    assert window.attributes.rows() == by_mesh
    # Between the houses the mesh is nobody's.
    scene.set_view("capture", visible=True)
    street.rest()
    street.click(window.canvas.interactor, spot(street, 15, 5))
    assert scene.selection == ()


def test_one_building_is_taken_out_of_the_mesh(street: Hand) -> None:
    window, scene = street.window, street.window.scene
    window.actions.commands["entities.build"].trigger()
    street.click(street.button("Build entities"))
    street.wait_until(lambda: len(scene.entities) == 3)
    street.rest()
    street.click(window.canvas.interactor, roof(street, 1))
    before = len(scene["capture"].data.triangles)  # type: ignore[union-attr]
    street.click(street.button("Take the selected one out as a layer"))
    street.wait_until(lambda: "capture.A2" in scene)
    taken = scene["capture.A2"].data
    assert isinstance(taken, MeshData)
    assert taken.bounds is not None
    west, south, east, north = outline(1).bounds
    box = (taken.bounds.xmin, taken.bounds.ymin, taken.bounds.xmax, taken.bounds.ymax)
    assert box == pytest.approx((west, south, east, north))
    assert len(scene["capture"].data.triangles) == before  # type: ignore[union-attr]
    scene.history.undo()
    assert "capture.A2" not in scene


def test_condition_filter_and_statistics(street: Hand) -> None:
    window, scene = street.window, street.window.scene
    scene.set_view("capture", visible=False)
    window.show_query("footprints")
    panel = window.tools.currentWidget()
    assert isinstance(panel, QueryPanel)
    street.click(panel.expression)
    paste(panel.expression, "层数 >= 2")
    street.wait_until(lambda: panel.found.text() == "2 of 3")
    panel.value.setCurrentIndex(panel.value.findData("层数"))
    street.wait_until(lambda: bool(panel.rows()) and "sum" in panel.rows()[0])
    row = panel.rows()[0]
    # Two squares of 10 m, 4 and 2 storeys.
    assert (row["count"], row["sum"], row["mean"]) == (2, 6.0, 3.0)
    assert row["area"] == pytest.approx(200.0)
    street.click(street.button("Select"))
    assert chosen(street) == ["0", "1"]
    scene.select(())
    street.click(street.button("Show only these"))
    street.rest()
    street.click(window.canvas.interactor, spot(street, 45, 5))
    assert scene.selection == (), "what is filtered out cannot be picked"
    street.click(window.canvas.interactor, spot(street, 25, 5))
    assert chosen(street) == ["1"]
    window.show_table("footprints")
    assert window.table._proxy.rowCount() == 2
    street.click(street.button("Show everything again"))
    street.rest()
    street.click(window.canvas.interactor, spot(street, 45, 5))
    assert chosen(street) == ["2"]
    assert window.table._proxy.rowCount() == 3


def test_by_place_around_the_selection(street: Hand) -> None:
    window, scene = street.window, street.window.scene
    scene.select([EntityRef("footprints", "1")])
    window.show_query("footprints")
    panel = window.tools.currentWidget()
    assert isinstance(panel, QueryPanel)
    panel.relation.setCurrentIndex(panel.relation.findData("intersects"))
    street.wait_until(lambda: panel.found.text() == "1 of 3")
    street.click(panel.distance)
    QTest.keyClicks(panel.distance, "10.5")  # the neighbours are 10 m away
    street.wait_until(lambda: panel.found.text() == "3 of 3")
    panel.relation.setCurrentIndex(panel.relation.findData("within"))
    street.wait_until(lambda: panel.found.text() == "1 of 3")
    paste(panel.expression, "层数 >")
    street.wait_until(panel.problem.isVisible)
    assert not panel.primary.isEnabled()
    street.click(street.button("Copy the table"))
    assert QApplication.clipboard().text().startswith("count,")


def add_points(hand: Hand, count: int) -> None:
    """Add a layer of points of two kinds; not drawn, since this is about asking."""
    import geopandas as gpd
    import shapely

    numbers = np.arange(count)
    points = shapely.points(EAST + numbers % 300, NORTH + numbers // 300)
    table = {"n": numbers, "kind": np.where(numbers % 2, "a", "b")}
    features = gpd.GeoDataFrame(table, geometry=points)
    scene = hand.window.scene
    scene.add(Layer("many", "many", LayerKind.VECTOR, VectorData(features)))
    scene.set_view("many", visible=False)
    hand.rest()


def test_large_layer_is_asked_in_a_task(hand: Hand) -> None:
    window, scene = hand.window, hand.window.scene
    add_points(hand, 100_000)
    window.show_query("many")
    panel = window.tools.currentWidget()
    assert isinstance(panel, QueryPanel)
    hand.wait_until(lambda: panel.found.text() == "100000 of 100000")
    panel.by.setCurrentIndex(panel.by.findData("kind"))
    panel.expression.setText("n < 250 AND kind = 'b'")
    panel.answer()
    # The window is free at once; what the thread finds is told later.
    assert panel.progress.isVisible()
    assert (panel.found.text(), panel.primary.isEnabled()) == ("", False)
    hand.wait_until(lambda: panel.found.text() == "125 of 100000")
    assert not panel.progress.isVisible()
    assert [(row["class"], row["count"]) for row in panel.rows()] == [("b", 125)]
    hand.click(hand.button("Select"))
    assert len(scene.selection) == 125


def test_question_to_a_large_layer_is_cancelled_or_replaced(hand: Hand) -> None:
    window = hand.window
    add_points(hand, 20_000)
    window.show_query("many")
    panel = window.tools.currentWidget()
    assert isinstance(panel, QueryPanel)
    # More than 10^9 steps.
    slow = "n IN (SELECT a.n FROM t a, t b WHERE a.n + b.n < 0)"
    panel.expression.setText(slow)
    panel.answer()
    panel.progress.cancel_requested.emit()
    hand.wait_until(panel.problem.isVisible)
    assert "Cancelled" in panel.problem.text()
    assert not panel.primary.isEnabled()
    panel.answer()
    old = panel._task
    assert old is not None
    panel.expression.setText("n = 7")
    panel.select()
    assert old.cancelling or old.finished
    hand.wait_until(lambda: [ref.entity for ref in window.scene.selection] == ["7"])
