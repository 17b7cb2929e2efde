"""440 layers in one tree: built once for all, toggled without building, scrolled in place."""

from __future__ import annotations

import time

import geopandas
import pytest
import shapely
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from plumbline.api import Georeference, Layer, LayerKind, Scene, VectorData
from plumbline.ui.app import make_application
from plumbline.ui.layer_tree import LayerTree

LAYERS, GROUPS = 440, 22


class Counted(LayerTree):
    """Counts how often its rows are built."""

    built = 0

    def rebuild(self) -> None:
        self.built += 1
        super().rebuild()


def fill(scene: Scene, count: int) -> None:
    frame = geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:4549")
    groups = [scene.add_group(f"Group {n}") for n in range(GROUPS)]
    for n in range(count):
        layer = Layer(f"l{n}", f"Layer {n}", LayerKind.VECTOR, VectorData(frame), frame.crs)
        scene.add(layer, group=groups[n % GROUPS])


@pytest.fixture
def tree(qtbot: QtBot) -> Counted:
    make_application()
    tree = Counted()
    qtbot.addWidget(tree)
    tree.resize(300, 600)
    scene = Scene(Georeference.from_text("EPSG:4549"))
    tree.bind(scene)
    with qtbot.waitExposed(tree):
        tree.show()
    tree.built = 0
    fill(scene, LAYERS)
    qtbot.waitUntil(lambda: len(tree._items()) == LAYERS + GROUPS)
    return tree


def test_rows_are_built_once_for_all(tree: Counted) -> None:
    assert tree.built == 1


def test_an_eye_is_toggled_where_it_is(tree: Counted, qtbot: QtBot) -> None:
    scene = tree._scene
    assert scene is not None
    tree.verticalScrollBar().setValue(tree.verticalScrollBar().maximum() // 2)
    place, built = tree.verticalScrollBar().value(), tree.built
    item = tree.itemAt(QPoint(40, 300))
    if item.data(0, Qt.ItemDataRole.UserRole + 1):  # a group
        item = tree.itemBelow(item)
    layer_id = item.data(0, Qt.ItemDataRole.UserRole)
    row: QRect = tree.visualItemRect(item)
    eye = QPoint(tree.viewport().width() - 14, row.center().y())
    QTest.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=eye)
    assert not scene.view(layer_id).visible
    qtbot.waitUntil(lambda: item.data(1, Qt.ItemDataRole.UserRole + 2) is False)
    assert tree.built == built, "showing and hiding builds no rows"
    assert tree.verticalScrollBar().value() == place


def test_what_is_asked_at_once_is_up_to_date(tree: Counted) -> None:
    scene = tree._scene
    assert scene is not None
    scene.remove("l7")
    tree.choose("l8")
    assert tree.selected_layers() == ["l8"]
    assert "l7" not in [item.data(0, Qt.ItemDataRole.UserRole) for item in tree._items()]


@pytest.mark.benchmark
def test_how_long_it_takes(tree: Counted) -> None:
    scene = tree._scene
    assert scene is not None
    began = time.process_time()
    tree.rebuild()
    print(f"\n{LAYERS} layers: rows {1000 * (time.process_time() - began):.0f} ms", end="")
    bar = tree.verticalScrollBar()
    began = time.process_time()
    for n in range(30):
        bar.setValue(bar.maximum() * n // 30)
        tree.viewport().repaint()
    print(f", a step of scrolling {1000 * (time.process_time() - began) / 30:.1f} ms", end="")
    began = time.process_time()
    scene.update_group(scene.groups[0].id, visible=False)
    tree._rows.settle()
    tree._eyes.settle()
    print(f", a group of {LAYERS // GROUPS} hidden {1000 * (time.process_time() - began):.0f} ms")
