"""The settings, applied at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from plumbline.api import tr
from plumbline.ui_kit.fields import ComboBox, inset
from plumbline.ui_kit.labels import label

if TYPE_CHECKING:
    from plumbline.ui.preferences import Preferences


class SettingsDialog(QDialog):
    """Language, theme, operator, recovery copies."""

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self.setWindowTitle(tr("Settings"))
        settings = preferences.store.settings
        form = QFormLayout()
        form.setHorizontalSpacing(24)
        form.setVerticalSpacing(10)
        form.addRow(
            tr("Language"),
            self._choice(
                "language",
                settings.language,
                [("system", tr("As the system")), ("en", "English"), ("zh_CN", "简体中文")],
            ),
        )
        form.addRow(
            tr("Theme"),
            self._choice(
                "theme",
                settings.theme,
                [("system", tr("As the system")), ("light", tr("Light")), ("dark", tr("Dark"))],
            ),
        )
        operator = QLineEdit(settings.operator)
        operator.setPlaceholderText(tr("Written into every result"))
        operator.editingFinished.connect(lambda: self._set("operator", operator.text()[:200]))
        form.addRow(tr("Operator"), operator)
        minutes = QDoubleSpinBox()
        inset(minutes)
        minutes.setRange(0, 120)
        minutes.setDecimals(0)
        minutes.setSuffix(" min")
        minutes.setSpecialValueText(tr("Never"))
        minutes.setValue(settings.autosave_minutes)
        minutes.valueChanged.connect(lambda value: self._set("autosave_minutes", value))
        form.addRow(tr("Recovery copy every"), minutes)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setText(tr("Close"))
        buttons.rejected.connect(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(16)
        column.addLayout(form)
        column.addWidget(label(tr("Changes apply at once."), "hint"))
        column.addWidget(buttons)
        self.resize(440, self.sizeHint().height())

    def _choice(self, name: str, value: str, choices: list[tuple[str, str]]) -> ComboBox:
        box = ComboBox()
        for key, text in choices:
            box.addItem(text, key)
        box.setCurrentIndex(box.findData(value))
        change: Callable[[int], None] = lambda _n: self._set(name, box.currentData())  # noqa: E731
        box.currentIndexChanged.connect(change)
        return box

    def _set(self, name: str, value: object) -> None:
        self._preferences.set(**{name: value})
