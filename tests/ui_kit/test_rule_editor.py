"""Rule packs in the window: read, copied, changed, checked, kept, and marked while unverified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox

from plumbline.analysis import rules
from plumbline.analysis.rule_sheet import RuleSheet, row_of, text_of, value_of
from plumbline.analysis.rules import PackError, known_packs, load_pack
from plumbline.analysis.sunlight_rules import SunlightPack
from plumbline.core.errors import UsageError
from plumbline.ui_kit.field_specs import field_spec
from plumbline.ui_kit.rule_editor import SOURCE, STATE, VALUE, RuleEditor
from plumbline.ui_kit.rule_field import RuleField
from plumbline_sunlight.analysis.packs import PackParams

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

ALTITUDE = ("calculation", "least_altitude", "value")
HOURS = ("thresholds", 0, "hours")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return the office's own folder, which is not there yet."""
    kept = list(rules._folders)
    rules.set_rule_folders([tmp_path / "own"])
    yield tmp_path / "own"
    rules.set_rule_folders(kept)


@pytest.fixture
def editor(folder: Path, themed: QApplication, qtbot: QtBot) -> RuleEditor:
    editor = RuleEditor(SunlightPack, "qingdao")
    editor.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    qtbot.addWidget(editor, before_close_func=lambda widget: setattr(widget, "_changed", False))
    return editor


# -- without a window ----------------------------------------------------------------------------


def test_texts_are_read_as_what_they_say() -> None:
    assert value_of("15", 0.0) == 15
    assert value_of(" 0.5 ", None) == 0.5
    assert value_of("all", 3) == "all"
    assert value_of("", 1.8) is None
    assert value_of("8，16.5", [0, 0]) == [8, 16.5]
    assert value_of("500000, –", [None, None]) == [500_000, None]
    assert value_of("I; II", ["I"]) == ["I", "II"]
    assert value_of("1e9", 0.0) == "1e9", "the check then says that it is no number"
    assert [text_of(v) for v in (None, 15.0, [8.0, 16.25])] == ["–", "15", "8, 16.25"]


def test_a_sheet_says_what_the_pack_says() -> None:
    for pack in known_packs(SunlightPack):
        sheet = RuleSheet(pack)
        assert sheet.pack().sha256 == pack.sha256
        assert sheet.problems() == []
        assert len(sheet.unverified) == len(pack.origins)


def test_what_is_wrong_is_found_in_its_row() -> None:
    sheet = RuleSheet(load_pack("gb50180-2018", SunlightPack))
    sheet.set(("calculation", "step", "value"), "often")
    sheet.set(HOURS, None)
    rows = list(sheet.rows())
    where = [row_of(field, rows) for field, _ in sheet.problems()]
    assert [row.path for row in where if row] == [("calculation", "step", "value"), HOURS]
    with pytest.raises(PackError, match="step"):
        sheet.pack()


def test_a_value_that_may_be_missing_can_be_stated_and_left_out() -> None:
    sheet = RuleSheet(load_pack("gb50180-2018", SunlightPack))
    meridian = ("calculation", "meridian")
    sheet.set((*meridian, "value"), 120.0)
    assert [field for field, _ in sheet.problems()] == ["calculation.meridian.source"]
    sheet.set((*meridian, "source"), "our rules")
    stated = sheet.pack().calculation.meridian
    assert stated is not None
    assert stated.value == 120
    assert not stated.verified
    sheet.set((*meridian, "value"), None)
    assert sheet.pack().calculation.meridian is None


def test_requirements_are_added_and_removed() -> None:
    sheet = RuleSheet(load_pack("gb50180-2018", SunlightPack))
    count = len(sheet.pack().thresholds)
    added = sheet.add(("thresholds", 0))
    assert added == ("thresholds", 1)
    assert sheet.problems()[0][0] == "thresholds[1]", "two for one case contradict each other"
    sheet.set((*added, "use"), "dormitory")
    assert len(sheet.pack().thresholds) == count + 1
    for _ in range(count):
        sheet.remove(("thresholds", 0))
    with pytest.raises(UsageError, match="last"):
        sheet.remove(("thresholds", 0))


# -- in the window -------------------------------------------------------------------------------


def write(editor: RuleEditor, path: tuple[str | int, ...], column: int, text: str) -> None:
    """Type a text into a cell, as a hand does."""
    item = editor._items[path]
    editor.tree.itemDoubleClicked.emit(item, column)
    (line,) = editor.tree.viewport().findChildren(QLineEdit)
    line.selectAll()
    line.insert(text)
    line.setModified(True)
    delegate = editor.tree.itemDelegate()
    delegate.commitData.emit(line)
    delegate.closeEditor.emit(line)
    QApplication.sendPostedEvents(line, 52)  # DeferredDelete: the next cell has its own


def test_what_ships_is_read_only_and_marked(editor: RuleEditor) -> None:
    assert "not verified" in editor.packs.currentText()
    assert "26 values" in editor.problems.text()
    assert editor._items[ALTITUDE].text(STATE) == "Not verified"
    assert editor._items[ALTITUDE].text(VALUE) == "15"
    editor.tree.itemDoubleClicked.emit(editor._items[ALTITUDE], VALUE)
    assert not editor.tree.viewport().findChildren(QLineEdit)
    assert not editor.save.isEnabled()


def test_a_copy_is_changed_checked_and_kept(
    editor: RuleEditor, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.show()
    editor.copy_pack()
    editor.fields["id"].setText("ours")
    editor.fields["id"].textEdited.emit("ours")
    write(editor, ALTITUDE, VALUE, "high")
    assert "calculation.least_altitude" in editor.problems.text()
    assert not editor.save.isEnabled()
    assert not folder.exists(), "nothing is written while it is wrong"
    write(editor, ALTITUDE, VALUE, "12.5")
    write(editor, ALTITUDE, SOURCE, "Qingdao 2026, page 4")
    editor._items[ALTITUDE].setCheckState(STATE, Qt.CheckState.Checked)
    assert "25 values" in editor.problems.text()
    with qtbot.waitSignal(editor.kept) as kept:
        editor.save.click()
    assert kept.args == ["ours"]
    pack = load_pack("ours", SunlightPack)
    stated = pack.calculation.least_altitude
    assert (stated.value, stated.verified, stated.source) == (12.5, True, "Qingdao 2026, page 4")
    assert pack.rule().least_altitude == 12.5
    assert [path.name for path in folder.iterdir()] == ["ours.json"]
    assert json.loads((folder / "ours.json").read_text("utf-8"))["id"] == "ours"
    assert editor.packs.currentData() == "ours"
    # A change that is not kept is not lost without being asked.
    asked = []
    answers = QMessageBox.StandardButton
    monkeypatch.setattr(QMessageBox, "question", lambda *_args: asked.append(1) or answers.Cancel)
    write(editor, ALTITUDE, VALUE, "11")
    editor.close()
    assert asked
    assert editor.isVisible()
    monkeypatch.setattr(QMessageBox, "question", lambda *_args: answers.Discard)
    editor.close()
    assert not editor.isVisible()
    assert load_pack("ours", SunlightPack).calculation.least_altitude.value == 12.5


def test_the_field_takes_what_was_kept(folder: Path, themed: QApplication, qtbot: QtBot) -> None:
    spec = field_spec("pack", PackParams.model_fields["pack"])
    field = RuleField(spec, SunlightPack)
    qtbot.addWidget(field)
    field.put("beijing")
    editor = field.edit_packs()
    assert editor.packs.currentData() == "beijing"
    editor.copy_pack()
    with qtbot.waitSignal(field.edited):
        editor.keep()
    assert field.get() == "beijing-1"
    editor.close()
