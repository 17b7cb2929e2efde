"""The settings, applied at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from plumbline.api import N_, tr
from plumbline.core.units import AREA_UNITS, LENGTH_UNITS
from plumbline.ui_kit.fields import ComboBox, inset
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.panel import scroll_area

if TYPE_CHECKING:
    from plumbline.services.settings import NavigationSettings, Settings
    from plumbline.ui.preferences import Preferences


#: Colours of measurements that stand out from most scenes.
COLORS = {
    "": N_("As the theme"),
    "#D2441C": N_("Red-orange"),
    "#F2B02E": N_("Amber"),
    "#2FB380": N_("Green"),
    "#B8478A": N_("Magenta"),
    "#FFFFFF": N_("White"),
    "#1B2230": N_("Black"),
}


class SettingsDialog(QDialog):
    """Language, theme, operator, recovery copies; units and colour; how the camera moves."""

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self.setWindowTitle(tr("Settings"))
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(24)
        self._form.setVerticalSpacing(10)
        self._add_person(preferences.store.settings)
        self._add_measuring(preferences.store.settings)
        self._add_picture(preferences.store.settings)
        self._add_navigation(preferences.store.settings.navigation)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setText(tr("Close"))
        buttons.rejected.connect(self.accept)
        inside = QVBoxLayout()
        inside.setContentsMargins(20, 0, 20, 0)
        inside.addLayout(self._form)
        area = scroll_area(inside)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 16, 0, 16)
        column.setSpacing(16)
        column.addWidget(area)
        foot = QVBoxLayout()
        foot.setContentsMargins(20, 0, 20, 0)
        foot.setSpacing(16)
        foot.addWidget(label(tr("Changes apply at once."), "hint"))
        foot.addWidget(buttons)
        column.addLayout(foot)
        # Whole where there is room for it; the smallest screens are 768 pixels high.
        whole = self.sizeHint().height() + area.widget().sizeHint().height()
        whole -= area.sizeHint().height()
        self.resize(460, min(whole, int(0.8 * self.screen().availableGeometry().height())))

    def _add_person(self, settings: Settings) -> None:
        form, system = self._form, ("system", tr("As the system"))
        languages = [system, ("en", "English"), ("zh_CN", "简体中文")]
        form.addRow(tr("Language"), self._choice("language", settings.language, languages))
        themes = [system, ("light", tr("Light")), ("dark", tr("Dark"))]
        form.addRow(tr("Theme"), self._choice("theme", settings.theme, themes))
        operator = QLineEdit(settings.operator)
        operator.setPlaceholderText(tr("Written into every result"))
        operator.editingFinished.connect(lambda: self._set("operator", operator.text()[:200]))
        form.addRow(tr("Operator"), operator)
        minutes = _number(settings.autosave_minutes, (0, 120), 0, "min")
        minutes.setSpecialValueText(tr("Never"))
        minutes.valueChanged.connect(lambda value: self._set("autosave_minutes", value))
        form.addRow(tr("Recovery copy every"), minutes)

    def _add_measuring(self, settings: Settings) -> None:
        form = self._form
        form.addRow(label(tr("Measuring"), "heading"))
        for text, name, units in (
            (tr("Lengths in"), "length_unit", LENGTH_UNITS),
            (tr("Areas in"), "area_unit", AREA_UNITS),
        ):
            choices = [(unit, unit) for unit in units]
            form.addRow(text, self._choice(name, getattr(settings, name), choices))
        colors = [(color, tr(name)) for color, name in COLORS.items()]
        if settings.measure_color not in COLORS:
            colors.append((settings.measure_color, settings.measure_color))
        form.addRow(
            tr("Colour of measurements"),
            self._choice("measure_color", settings.measure_color, colors),
        )

    def _add_picture(self, settings: Settings) -> None:
        form = self._form
        form.addRow(label(tr("The picture"), "heading"))
        qualities = [("auto", tr("As the machine can")), ("fast", tr("Fast"))]
        qualities += [("balanced", tr("Balanced")), ("best", tr("Best"))]
        form.addRow(tr("Quality"), self._choice("quality", settings.quality, qualities))
        millions = _number(settings.point_budget / 1e6, (0.1, 100.0), 1, tr("million"))
        millions.valueChanged.connect(lambda value: self._set("point_budget", round(value * 1e6)))
        form.addRow(tr("Points of a cloud, at most"), millions)

    def _add_navigation(self, habits: NavigationSettings) -> None:
        form = self._form
        form.addRow(label(tr("Moving the camera"), "heading"))
        for text, name, factor, limits, decimals, unit in (
            (tr("Walking speed"), "walk_speed", 1.0, (0.1, 100.0), 1, "m/s"),
            (tr("Height of the eyes"), "eye_height", 1.0, (0.1, 10.0), 2, "m"),
            (tr("Flying speed, of the height"), "fly_speed", 100.0, (1, 1000), 0, "%/s"),
            (tr("Turn of a drag"), "mouse_sensitivity", 100.0, (10, 1000), 0, "%"),
        ):
            box = _number(getattr(habits, name) * factor, limits, decimals, unit)
            box.valueChanged.connect(lambda value, n=name, f=factor: self._move(n, value / f))
            form.addRow(text, box)
        for text, name in (
            (tr("Turn the wheel the other way"), "invert_wheel"),
            (tr("Glide to places"), "smooth"),
        ):
            tick = QCheckBox(text)
            tick.setChecked(getattr(habits, name))
            tick.toggled.connect(lambda value, n=name: self._move(n, value))
            form.addRow("", tick)

    def _move(self, name: str, value: object) -> None:
        habits = self._preferences.store.settings.navigation
        self._set("navigation", habits.model_copy(update={name: value}).model_dump())

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


def _number(value: float, limits: tuple[float, float], decimals: int, unit: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    inset(box)
    box.setRange(*limits)
    box.setDecimals(decimals)
    box.setSuffix(f" {unit}")
    box.setSingleStep(10.0 ** -min(decimals, 1) if decimals else max(1.0, limits[1] / 100))
    box.setValue(value)
    return box
