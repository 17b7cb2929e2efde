"""The numbers of one block of massing, and the indicators that are told while one builds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QWidget

from plumbline.api import CrsUnits, Result, format_number, tr
from plumbline.ui_kit import Section, label
from plumbline.ui_kit.context import ToolContext
from plumbline.ui_kit.fields import ComboBox, UnitSpinBox
from plumbline_schemes.analysis.massing import USES, Block, checked
from plumbline_schemes.analysis.massing_edits import direction_of, turned, with_podium

#: Milliseconds after an edit until the indicators are asked.
LIVE_AFTER = 150
#: Indicators that are told while one works: name, digits, unit.
TOLD = (
    ("far", 2, ""), ("density", 3, ""), ("floor_area", 0, "m²"), ("footprint_area", 0, "m²"),
    ("height_max", 1, "m"), ("setback_min", 1, "m"),
)  # fmt: skip
#: What a podium starts with when none was there, metres.
INSET, ROOF_RISE = 6.0, 3.0


class BlockForm(Section):
    """Name, use, storeys, podium, roof, level and direction of a block."""

    #: An edit: a function from the block to the edited block.
    edited = Signal(object)

    def __init__(self, units: Callable[[], CrsUnits]) -> None:
        super().__init__()
        self._units = units
        self.name = QLineEdit()
        self.name.editingFinished.connect(lambda: self._set(name=self.name.text().strip()))
        self.use = ComboBox()
        self.use.setEditable(True)
        self.use.addItems(list(USES))
        for signal in (self.use.textActivated, self.use.lineEdit().editingFinished):
            signal.connect(lambda *_: self._set_tier(use=self.use.currentText()))
        self.storeys = _spin("", 0, 1, 300, lambda v: self._set_tier(storeys=round(v)))
        self.storey_height = _spin(
            "m", 2, 1, 50, lambda v: self._set_tier(storey_height=v), step=0.1
        )
        self.podium = _spin("", 0, 0, 50, lambda _v: self._set_podium())
        self.inset = _spin("m", 1, 0, 200, lambda _v: self._set_podium())
        self.roof = ComboBox()
        for key in ("flat", "shed", "gable", "hip"):
            self.roof.addItem("", key)
        self.roof.activated.connect(lambda _n: self._set_roof())
        self.roof_height = _spin("m", 1, 0, 100, lambda v: self._set(roof_height=v))
        self.base = _spin("m", 2, None, None, self._set_base, step=0.5)
        self.angle = _spin("°", 1, None, None, self._set_angle)
        self.dwellings = _spin("", 0, 0, 100000, lambda v: self._set(dwellings=round(v)))
        self._rows = [
            field_row(self, part)
            for part in (
                self.name, self.use, self.storeys, self.storey_height, self.podium, self.inset,
                self.roof, self.roof_height, self.base, self.angle, self.dwellings,
            )
        ]  # fmt: skip
        for part in self.findChildren(UnitSpinBox):
            part.value_committed.connect(self._keep_where_empty)

    def retranslate(self) -> None:
        """Set every text again."""
        self.set_title(tr("Building"))
        names = (
            tr("Name"), tr("Use"), tr("Storeys"), tr("Storey height"), tr("Storeys of the podium"),
            tr("Tower stands back"), tr("Roof"), tr("Height of the roof"), tr("Ground floor"),
            tr("Direction"), tr("Number of dwellings"),
        )  # fmt: skip
        for row, text in zip(self._rows, names, strict=True):
            row.setText(text)
        for n, text in enumerate((tr("Flat"), tr("Shed roof"), tr("Gable"), tr("Hipped"))):
            self.roof.setItemText(n, text)

    def show_block(self, block: Block) -> None:
        """Show the numbers of a block; what is being typed stays as it is."""
        units, top = self._units(), block.tiers[-1]
        self.name.setText(block.name)
        self.use.setCurrentText(top.use)
        two = len(block.tiers) > 1
        inset = self.inset.value() or INSET
        if two:
            walls = block.tiers[0].polygon.exterior
            inset = round(walls.distance(top.polygon.exterior) * (units.horizontal or 1.0), 2)
        for part, value in (
            (self.storeys, top.storeys), (self.storey_height, top.storey_height),
            (self.podium, block.tiers[0].storeys if two else 0), (self.inset, inset),
            (self.roof_height, block.roof_height), (self.base, block.base * units.vertical),
            (self.angle, round(direction_of(block), 2)), (self.dwellings, block.dwellings),
        ):  # fmt: skip
            if not part.pending and (not part.hasFocus() or part.value() != value):
                part.set_value(float(value))
        self.roof.setCurrentIndex(self.roof.findData(block.roof))
        self.roof_height.setEnabled(block.roof != "flat")

    def _keep_where_empty(self, value: float | None) -> None:
        """Edit nothing where no number was typed, which shows the old one again."""
        if value is None:
            self.edited.emit(lambda block: block)

    def finish(self) -> None:
        """Take what is being typed as meant: another block comes."""
        for part in self.findChildren(UnitSpinBox):
            part.commit()

    def _set(self, **changes: object) -> None:
        self.edited.emit(lambda block: checked(replace(block, **changes)))

    def _set_tier(self, **changes: object) -> None:
        def edit(block: Block) -> Block:
            top = replace(block.tiers[-1], **changes)  # type: ignore[arg-type]
            return checked(replace(block, tiers=(*block.tiers[:-1], top)))

        self.edited.emit(edit)

    def _set_podium(self) -> None:
        storeys, inset = round(self.podium.value() or 0), self.inset.value() or 0.0

        def edit(block: Block) -> Block:
            if not storeys and len(block.tiers) == 1:
                return block
            return with_podium(block, storeys, inset, self._units())

        self.edited.emit(edit)

    def _set_roof(self) -> None:
        roof = self.roof.currentData()

        def edit(block: Block) -> Block:
            rise = block.roof_height or (0.0 if roof == "flat" else ROOF_RISE)
            return checked(replace(block, roof=roof, roof_height=rise))

        self.edited.emit(edit)

    def _set_base(self, value: float) -> None:
        self._set(base=value / self._units().vertical)

    def _set_angle(self, value: float) -> None:
        self.edited.emit(lambda block: turned(block, value - direction_of(block)))


class LiveNumbers(Section):
    """The indicators of the scheme that is shown, asked again after every edit."""

    def __init__(self, context: ToolContext) -> None:
        super().__init__()
        self._context = context
        grid = QGridLayout()
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(2, 1)
        grid.setHorizontalSpacing(12)
        self.told = {name: label("–", "heading") for name, _, _ in TOLD}
        self._names = [label("", "muted") for _ in TOLD]
        for n, (name, _, _) in enumerate(TOLD):
            grid.addWidget(self._names[n], n // 2, 2 * (n % 2))
            grid.addWidget(self.told[name], n // 2, 2 * (n % 2) + 1)
        self._why = label("", "hint", wrap=True)
        self.body.addLayout(grid)
        self.add(self._why)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(LIVE_AFTER)
        self._timer.timeout.connect(self._ask)

    def retranslate(self) -> None:
        """Set every text again."""
        self.set_title(tr("Indicators"))
        texts = (
            tr("Plot ratio"), tr("Density"), tr("Floors"), tr("Footprint"), tr("Highest"),
            tr("Setback"),
        )  # fmt: skip
        for name, text in zip(self._names, texts, strict=True):
            name.setText(text)

    def ask_soon(self) -> None:
        """Ask once the hand rests."""
        self._timer.start()

    def _ask(self) -> None:
        shown = self._context.scene.active_scheme
        if shown is None or not self.isVisible():
            self._untold("")
            return
        params = {"scheme": shown.id}
        self._context.preview(
            "massing", "schemes.indicators", params, self._tell, lambda e: self._untold(str(e))
        )

    def _tell(self, result: Result) -> None:
        for name, digits, unit in TOLD:
            value = result.values.get(name)
            number = None if value is None else value.value
            text = "–"
            if isinstance(number, int | float):
                text = f"{format_number(float(number), digits)} {unit}".strip()
            self.told[name].setText(text)
        self._why.setText("")

    def _untold(self, why: str) -> None:
        for text in self.told.values():
            text.setText("–")
        self._why.setText(why)


def field_row(section: Section, field: QWidget) -> QLabel:
    """Put a field with a name before it into a section; return what holds the name."""
    holder = QWidget()
    name = label("", "muted")
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(name, 1)
    field.setFixedWidth(140)
    row.addWidget(field)
    section.add(holder)
    return name


def _spin(
    unit: str,
    decimals: int,
    low: float | None,
    high: float | None,
    changed: Callable[[float], None],
    step: float = 1.0,
) -> UnitSpinBox:
    box = UnitSpinBox(unit, decimals=decimals, step=step, minimum=low, maximum=high)
    box.value_committed.connect(lambda value: None if value is None else changed(value))
    return box
