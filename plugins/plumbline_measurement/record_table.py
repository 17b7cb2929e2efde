"""All measurements as a table in the drawer: the number, how sure, by whom, when, where from."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from plumbline.api import N_, Scene, Table, Value, tr, unit_choice
from plumbline.ui_kit.live import follow, on_language
from plumbline.ui_kit.result_table import ResultTable
from plumbline_measurement.records import measurements, origin_of
from plumbline_measurement.words import SNAPS, headline_of, headline_text, kind_name

WORDS = {
    "number": N_("No."),
    "name": N_("Name"),
    "kind": N_("Kind"),
    "value": N_("Measured value"),
    "uncertainty": N_("Uncertainty (95 %)"),
    "operator": N_("Operator"),
    "created": N_("Created"),
    "layers": N_("Layers"),
    "snaps": N_("Snap"),
    "fineness": N_("Spacing or level of detail"),
}


def overview(scene: Scene) -> Table:
    """Return a row for each measurement of a project, in words."""
    rows = []
    for number, record in enumerate(measurements(scene.records), start=1):
        origin, name = origin_of(record), headline_of(record)
        head = Value(**record.values[name]) if name else Value(None)
        spread = head.uncertainty
        layers = [scene[i].name if i in scene else i for i in origin.layers]
        snaps = dict.fromkeys(tr(SNAPS[snap]) for snap in origin.snaps if snap in SNAPS)
        rows.append(
            (
                number,
                record.name,
                kind_name(record),
                headline_text(record),
                "" if spread is None else unit_choice.text(spread, head.unit),
                record.operator,
                record.created,
                ", ".join(layers),
                ", ".join(snaps),
                ", ".join(origin.fineness),
            )
        )
    return Table(tuple(WORDS), tuple(rows))


class RecordTable(QWidget):
    """The table; it follows the project, the language and the units."""

    #: Id of the measurement whose row was chosen.
    chosen = Signal(str)

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        for change in (scene.records_changed, unit_choice.changed):
            follow(self, change, self.refresh)
        on_language(self, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the measurements as they are now."""
        while (item := self._column.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        self.table = ResultTable(overview(self._scene), lambda name: tr(WORDS[name]))
        self.table.row_chosen.connect(self._chosen)
        self._column.addWidget(self.table)

    def save_csv(self, path: Path) -> None:
        """Write the rows as they are shown."""
        self.table.save_csv(path)

    def _chosen(self, row: dict[str, object]) -> None:
        records, number = measurements(self._scene.records), row["number"]
        if isinstance(number, int) and number <= len(records):
            self.chosen.emit(records[number - 1].id)
