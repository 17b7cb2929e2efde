"""The bar of a day: hand, standard days, play."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from plumbline.ui_kit.time_bar import LitBar, TimeBar, clock_text


@pytest.fixture
def bar(themed: QApplication, qtbot: QtBot) -> TimeBar:
    bar = TimeBar()
    qtbot.addWidget(bar)
    bar.resize(640, 90)
    bar.set_day(date(2026, 1, 20), "great_cold")
    bar.show()
    qtbot.waitExposed(bar)
    return bar


def told(bar: TimeBar) -> list[tuple[Any, float]]:
    heard: list[tuple[Any, float]] = []
    bar.changed.connect(lambda day, minutes: heard.append((day, minutes)))
    return heard


def test_the_hand_goes_where_the_mouse_is(bar: TimeBar) -> None:
    heard = told(bar)
    middle = QPoint(bar.scale.width() // 2, 12)
    bar.set_minutes(0.0)
    QTest.mouseClick(bar.scale, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    assert heard[-1][0] == date(2026, 1, 20)
    assert heard[-1][1] == pytest.approx(720, abs=4)
    QTest.keyClick(bar.scale, Qt.Key.Key_Right)
    assert heard[-1][1] - heard[-2][1] == 5.0
    assert bar._time.text() == clock_text(heard[-1][1])


def test_another_day_is_no_standard_day_any_more(bar: TimeBar) -> None:
    heard, asked = told(bar), []
    bar.standard_day_requested.connect(asked.append)
    bar._date.stepBy(1)
    assert heard[-1][0] != date(2026, 1, 20)
    assert bar._days.currentIndex() == -1
    bar._days.setCurrentIndex(4)
    bar._days.activated.emit(4)
    assert asked == ["winter_solstice"]


def test_play_goes_from_sunrise_to_sunset_and_round_again(bar: TimeBar, qtbot: QtBot) -> None:
    bar.set_light((420.0, 1020.0))
    bar.set_minutes(1019.0)
    bar._speed.setCurrentIndex(3)
    heard = told(bar)
    QTest.mouseClick(bar._play, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(heard) > 3, timeout=3000)
    minutes = [minute for _, minute in heard]
    assert min(minutes) == 420.0
    assert max(minutes) <= 1020.0
    bar.hide()
    assert not bar.playing


def test_a_day_of_lit_and_dark_is_clicked(themed: QApplication, qtbot: QtBot) -> None:
    lit = LitBar()
    qtbot.addWidget(lit)
    lit.resize(300, 36)
    lit.set_periods([(480.0, 600.0)], (420.0, 1020.0), (480.0, 960.0))
    lit.show()
    heard: list[float] = []
    lit.clicked.connect(heard.append)
    QTest.mouseClick(lit, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(150, 8))
    assert heard[0] == pytest.approx(720.0, abs=3)
    picture = lit.grab().toImage()
    inside, outside = picture.pixelColor(60, 4), picture.pixelColor(200, 4)
    assert inside.lightness() > outside.lightness() + 20
    assert lit.toolTip() == "08:00-10:00"
