"""The settings dialog: what is chosen holds at once, in the window that is open."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QDoubleSpinBox

from plumbline.ui.dialogs.settings import SettingsDialog

from .hand import Hand


def settings_dialog(hand: Hand) -> SettingsDialog:
    hand.window.preferences.show_settings(hand.window)
    hand.wait_until(lambda: bool(hand.window.findChildren(SettingsDialog)))
    return hand.window.findChildren(SettingsDialog)[-1]


def test_speeds_and_recovery_copies_hold_at_once(hand: Hand) -> None:
    window, dialog = hand.window, settings_dialog(hand)
    boxes = {box.suffix(): box for box in dialog.findChildren(QDoubleSpinBox)}
    boxes[" m/s"].setValue(7.5)
    boxes[" min"].setValue(12)
    assert window.canvas.habits.walk_speed == pytest.approx(7.5)
    assert window.canvas.habits.eye_height == pytest.approx(1.6)
    assert window.session.autosave.minutes == 12
    dialog.close()
