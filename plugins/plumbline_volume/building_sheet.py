"""The sheet of one building: all that was found of it, one line each, beside the canvas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from plumbline.ui_kit.labels import ElidedLabel, label
from plumbline.ui_kit.result_table import cell_text

#: What says nothing beside other lines.
LEFT_OUT = ("id", "name", "number", "samples")


class BuildingSheet(QWidget):
    """Names and numbers of a row of the table of buildings.

    Parameters
    ----------
    word : callable
        Gives the translated name of a column.
    """

    def __init__(self, word: Callable[[str], str]) -> None:
        super().__init__()
        self._word = word
        self._rows: list[tuple[str, str]] = []
        self._title = label("", "caption")
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._title)
        column.addLayout(self._grid)
        self.hide()

    def rows(self) -> list[tuple[str, str]]:
        """Return what is shown: names and values."""
        return list(self._rows)

    def show_building(self, row: Mapping[str, Any], units: Mapping[str, str]) -> None:
        """Show a building; what is not known is left out."""
        named = (str(row[key]) for key in ("number", "name", "id") if row.get(key))
        self._title.setText(" · ".join(dict.fromkeys(named)))
        self._rows = [
            (self._word(key), _text(value, units.get(key, "")))
            for key, value in row.items()
            if key not in LEFT_OUT and value is not None and value != ""
        ]
        while (item := self._grid.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for number, (name, value) in enumerate(self._rows):
            text = label(value)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._grid.addWidget(ElidedLabel(name, "muted"), number, 0)
            self._grid.addWidget(text, number, 1, Qt.AlignmentFlag.AlignRight)
        self.show()


def _text(value: Any, unit: str) -> str:
    return f"{cell_text(value, unit)} {unit}".strip()
