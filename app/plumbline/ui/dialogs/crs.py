"""Choosing a coordinate reference system: for a new project, or for a file that does not say its.

The list comes from the PROJ database on this machine; nothing is preselected for a file, because
a guessed CRS moves a city without anyone noticing.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from plumbline.api import UserError, parse_crs, tr
from plumbline.core.crs import crs_label
from plumbline.ui_kit.labels import label

#: Offered before anything is typed: CGCS2000 3-degree zones along the coast and inland, then
#: geographic CGCS2000 and the world.
COMMON = (
    "EPSG:4549", "EPSG:4548", "EPSG:4547", "EPSG:4546", "EPSG:4545", "EPSG:4544", "EPSG:4550",
    "EPSG:4551", "EPSG:4528", "EPSG:4527", "EPSG:4490", "EPSG:4326",
)  # fmt: skip
LIMIT = 80


@cache
def _catalogue() -> list[tuple[str, str]]:
    """Return (code, name) of every CRS that a project can be in."""
    from pyproj.database import query_crs_info
    from pyproj.enums import PJType

    kinds = [PJType.PROJECTED_CRS, PJType.GEOGRAPHIC_2D_CRS, PJType.COMPOUND_CRS]
    found = query_crs_info(auth_name="EPSG", pj_types=kinds)
    return [(f"{info.auth_name}:{info.code}", info.name) for info in found]


class CrsDialog(QDialog):
    """Asks for one CRS; `crs` is its text after `exec` returned accepted."""

    def __init__(
        self,
        title: str,
        question: str,
        parent: QWidget | None = None,
        *,
        first: str = "",
        plane: bool = False,
    ) -> None:
        super().__init__(parent)
        self._first = first
        #: The user chose to work without a CRS.
        self.plane_chosen = False
        self.setWindowTitle(title)
        self.setObjectName("crsDialog")
        self.crs = ""
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(tr("Search by name or code, e.g. CGCS2000 120E or EPSG:4549"))
        self.edit.setClearButtonEnabled(True)
        self.edit.textChanged.connect(self._search)
        self.list = QListWidget()
        self.list.setUniformItemSizes(True)
        self.list.currentItemChanged.connect(lambda _now, _old: self._check())
        self.list.itemDoubleClicked.connect(lambda _item: self.accept())
        self._problem = label("", "error", wrap=True)
        buttons = QDialogButtonBox.StandardButton
        self._buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        self._buttons.button(buttons.Ok).setText(tr("Use this CRS"))
        self._buttons.button(buttons.Ok).setProperty("kind", "primary")
        self._buttons.button(buttons.Cancel).setText(tr("Cancel"))
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        if plane:
            own = self._buttons.addButton(
                tr("Work in its own plane"), QDialogButtonBox.ButtonRole.ActionRole
            )
            own.setToolTip(tr("Without a CRS: nothing that needs the earth can be computed."))
            own.clicked.connect(lambda _=False: self._choose_plane())
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addWidget(label(question, wrap=True))
        column.addWidget(self.edit)
        column.addWidget(self.list, 1)
        column.addWidget(self._problem)
        column.addWidget(self._buttons)
        self.resize(560, 460)
        self._search("")

    def _choose_plane(self) -> None:
        self.plane_chosen = True
        self.accept()

    def _search(self, text: str) -> None:
        words = text.casefold().split()
        self.list.clear()
        if words:
            rows = [
                (code, name)
                for code, name in _catalogue()
                if all(word in f"{code} {name}".casefold() for word in words)
            ][:LIMIT]
        else:
            names = dict(_catalogue())
            offered = dict.fromkeys((self._first, *COMMON))
            rows = [(code, names[code]) for code in offered if code in names]
        for code, name in rows:
            item = QListWidgetItem(f"{code}    {name}")
            item.setData(Qt.ItemDataRole.UserRole, code)
            self.list.addItem(item)
        if len(rows) == 1:
            self.list.setCurrentRow(0)
        self._check()

    def _check(self) -> None:
        """Take the chosen row, else what was typed if it is a CRS (WKT, PROJ string)."""
        item = self.list.currentItem()
        typed = self.edit.text().strip()
        self._problem.setText("")
        if item is not None:
            self.crs = str(item.data(Qt.ItemDataRole.UserRole))
        else:
            self.crs = ""
            if typed and self.list.count() == 0:
                try:
                    self._problem.setText(crs_label(parse_crs(typed)))
                    self.crs = typed
                except UserError as error:
                    self._problem.setText(str(error))
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(self.crs))
