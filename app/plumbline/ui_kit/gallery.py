"""Every block of the kit in one window: ``python -m plumbline.ui_kit.gallery``.

For contributors, and for looking at a change in both themes and both languages. With ``--shots
FOLDER`` it saves a picture of each page, theme and language and ends.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMenu,
    QProgressBar,
    QRadioButton,
    QScrollArea,
    QSlider,
    QTabWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from plumbline.api import LayerRef, LayerRefs, Params, Point3, Points
from plumbline.core.i18n import N_, tr, translator
from plumbline.ui_kit.buttons import Kind, button, tool_button
from plumbline.ui_kit.charts import Chart, Series
from plumbline.ui_kit.dock import make_dock
from plumbline.ui_kit.fields import (
    ColorButton,
    ComboBox,
    CoordinateEdit,
    MessageBar,
    ProgressRow,
    SearchField,
    SegmentedControl,
    Swatch,
    UnitSpinBox,
)
from plumbline.ui_kit.fonts import setup_fonts
from plumbline.ui_kit.forms import ParameterForm
from plumbline.ui_kit.icons import app_icon, icon_names, set_icon
from plumbline.ui_kit.labels import ElidedLabel, label
from plumbline.ui_kit.panel import EmptyState, Panel, ResultCard, Section, scroll_area
from plumbline.ui_kit.theme import apply_theme, current_theme
from plumbline.ui_kit.views import table_view, tree_view


class Quality(StrEnum):
    """How fine a sample analysis looks."""

    DRAFT = "draft"
    FINE = "fine"


class SampleParams(Params):
    """One field of every type that a form can show."""

    observer: Annotated[Point3, Field(title=N_("Observer"))]
    surface: Annotated[LayerRef, Field(title=N_("Surface"))]
    eye_height: Annotated[
        float, Field(gt=0, le=100, title=N_("Eye height"), json_schema_extra={"unit": "m"})
    ] = 1.6
    step: Annotated[
        int, Field(ge=1, le=60, title=N_("Step"), json_schema_extra={"unit": "min"})
    ] = 10
    radius: Annotated[
        float | None, Field(title=N_("Radius"), gt=0, json_schema_extra={"unit": "m"})
    ] = None
    day: Annotated[dt.date, Field(title=N_("Day"))] = dt.date(2027, 1, 20)
    start: Annotated[dt.datetime | None, Field(title=N_("Start"))] = None
    quality: Annotated[Quality, Field(title=N_("Quality"))] = Quality.FINE
    side: Annotated[Literal["left", "right"], Field(title=N_("Side"))] = "left"
    name: Annotated[str, Field(title=N_("Name"), max_length=40)] = ""
    vegetation: Annotated[bool, Field(title=N_("Include vegetation"))] = True
    path: Annotated[Points, Field(title=N_("Path"), min_length=2)] = ()
    blockers: Annotated[LayerRefs, Field(title=N_("Obstacles"))] = ()


#: Texts that only data carry; without them the catalogue would miss them.
_CHOICES = (N_("Draft"), N_("Fine"), N_("Left"), N_("Right"))


class Gallery(QMainWindow):
    """The window of the gallery."""

    def __init__(self, app: QApplication) -> None:
        super().__init__()
        self._app = app
        self.setWindowTitle("Plumbline 准绳")
        self.setWindowIcon(app_icon())
        self.resize(1366, 860)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.setCentralWidget(self.pages)
        self._tool_bar()
        self._fill()

    def _tool_bar(self) -> None:
        bar = QToolBar()
        bar.setMovable(False)
        self.addToolBar(bar)
        for name in ("undo", "redo", "select", "measure", "section", "sight", "sun", "volume"):
            action = bar.addAction("")
            set_icon(action, name)
            action.setCheckable(name not in ("undo", "redo"))
            action.setChecked(name == "measure")
            action.setEnabled(name != "redo")
        bar.addSeparator()
        search = SearchField("Search", "Ctrl+K")
        search.setFixedWidth(280)
        bar.addWidget(search)
        spacer = QWidget()
        spacer.setSizePolicy(search.sizePolicy())
        bar.addWidget(spacer)
        bar.addWidget(tool_button("language", "Language", clicked=self._swap_language))
        bar.addWidget(tool_button("theme-dark", "Theme", clicked=self._swap_theme))
        self.statusBar().addWidget(QLabel("X 500 123.456  Y 3 456 789.123  Z 12.34"))
        self.statusBar().addPermanentWidget(ProgressRow("Sunlight hours 日照时数"))

    def _fill(self) -> None:
        for name, make in self._makers().items():
            self.pages.addTab(make(), name)

    def _makers(self) -> dict[str, Callable[[], QWidget]]:
        return {
            "Panel": _panel_page,
            "Fields": _fields_page,
            "Lists": _lists_page,
            "Charts": _charts_page,
            "Icons": _icons_page,
            "Colours": _colours_page,
        }

    def _swap_language(self) -> None:
        translator.set_language("en" if translator.language == "zh_CN" else "zh_CN")

    def _swap_theme(self) -> None:
        apply_theme(self._app, "light" if current_theme().dark else "dark")


def _column(*widgets: QWidget, width: int | None = None) -> QWidget:
    box = QWidget()
    column = QVBoxLayout(box)
    column.setContentsMargins(16, 16, 16, 16)
    column.setSpacing(12)
    for widget in widgets:
        column.addWidget(widget)
    column.addStretch(1)
    if width is not None:
        box.setFixedWidth(width)
    return box


def _row(*widgets: QWidget, stretch: bool = True) -> QWidget:
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    for widget in widgets:
        row.addWidget(widget)
    if stretch:
        row.addStretch(1)
    return box


def sample_form() -> ParameterForm:
    """Return a form with every type of field, two of them wrong."""
    form = ParameterForm(SampleParams)
    form.set_layers(
        [
            ("dsm", "Surface model 数字表面模型", "raster"),
            ("mesh", "Real-scene 3D 实景三维", "mesh"),
        ]
    )
    form.set_values({"observer": (500123.456, 3456789.123, 12.34), "step": 90})
    form.show_all_errors()
    return form


class _SamplePanel(Panel):
    def __init__(self) -> None:
        super().__init__(icon="sight")
        self.form = sample_form()
        self.add(self.form)
        self.retranslate()

    def retranslate(self) -> None:
        self.set_title(tr("Sightline"))
        self.set_instruction(tr("Click the observer, then the target"))
        self.set_primary(tr("Run"), icon="play")


class _ResultPanel(Panel):
    def __init__(self) -> None:
        super().__init__(icon="distance")
        self.card = ResultCard()
        self.card.set_value(1234.3456, "m", 0.03)
        self.add(self.card)
        word = ResultCard("Sightline 通视")
        word.set_text("visible 可见")
        word.set_actions(export=False, report=False)
        self.add(word)
        section = Section("Details 详细信息")
        section.add(ElidedLabel("A long text that gives way to its neighbours and elides", "muted"))
        self.add(section)
        self.add(Section("Closed 已收起", open_=False))
        self.retranslate()

    def retranslate(self) -> None:
        self.set_title(tr("Distance"))
        self.card.set_title(tr("Distance"))
        self.card.set_details([("ΔZ", "−12.340 m"), (tr("Azimuth"), "123.456°")])
        self.card.set_notes([tr("Vegetation was not used.")])


def _panel_page() -> QWidget:
    page = QMainWindow()
    page.setWindowFlags(Qt.WindowType.Widget)
    empty = EmptyState("layers", "Empty scene 空场景", "Drop files here 将文件拖到此处")
    empty.add_action("Open the demo 打开示例", lambda: None, primary=True, icon="demo")
    empty.add_action("Add layer 添加图层", lambda: None, icon="add-layer")
    page.setCentralWidget(empty)
    right, left = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.LeftDockWidgetArea
    page.addDockWidget(right, make_dock("task", "Task 任务", _SamplePanel()))
    page.addDockWidget(left, make_dock("result", "Result 结果", _ResultPanel()))
    return page


def _buttons() -> QWidget:
    kinds: tuple[Kind, ...] = ("primary", "secondary", "ghost", "danger")
    box = QWidget()
    grid = QGridLayout(box)
    grid.setContentsMargins(0, 0, 0, 0)
    for index, kind in enumerate(kinds):
        grid.addWidget(button(f"{kind.title()} 按钮", kind, icon="save"), 0, index)
        off = button("Disabled 停用", kind)
        off.setEnabled(False)
        grid.addWidget(off, 1, index)
    return box


def _choices() -> QWidget:
    ticked, mixed, off = QCheckBox("Ticked 选中"), QCheckBox("Mixed 部分"), QCheckBox("Off 未选")
    ticked.setChecked(True)
    mixed.setTristate(True)
    mixed.setCheckState(Qt.CheckState.PartiallyChecked)
    one, two = QRadioButton("One 一"), QRadioButton("Two 二")
    one.setChecked(True)
    return _row(ticked, mixed, off, one, two)


def _messages() -> list[MessageBar]:
    bars = []
    for kind, text in {
        "info": "The layer has 3 elements without geometry. 图层中有 3 个无几何的构件。",
        "good": "Saved. 已保存。",
        "warn": "The source of this layer has changed. 该图层的源文件已变化。",
        "bad": "The file ends before its header says. 文件不完整。",
    }.items():
        bar = MessageBar()
        bar.show_message(text, kind, action="Details 详情")
        bars.append(bar)
    return bars


def _fields_page() -> QWidget:
    number = UnitSpinBox("m", decimals=2)
    number.set_value(12345.678)
    combo = ComboBox()
    combo.addItems(["CGCS2000 / 3-degree GK CM 120E", "EPSG:4549"])
    segments = SegmentedControl()
    for key, text in {"m": "m", "ha": "ha", "mu": "亩"}.items():
        segments.add(key, text)
    views = SegmentedControl()
    views.add("2d", icon="view-2d", tip="2D")
    views.add("3d", icon="view-3d", tip="3D")
    slider, bar = QSlider(Qt.Orientation.Horizontal), QProgressBar()
    slider.setValue(40)
    bar.setValue(60)
    wrong = QLineEdit("12,x")
    wrong.setProperty("invalid", True)
    point = CoordinateEdit()
    point.set_point((500123.456, 3456789.123, 12.34))
    progress = ProgressRow("Computing sunlight hours for 12 345 points 正在计算日照时数")
    progress.set_progress(0.42)
    left = _column(
        _buttons(), _choices(), number, combo, point, wrong,
        label("Must be 60 min or less. 不得大于 60 min。", "error"), _row(segments, views),
        slider, bar, progress, _row(ColorButton("#2F6FDE"), Swatch("#17946B"),
        Swatch(*current_theme().sequential, smooth=True, width=120)), width=560,
    )  # fmt: skip
    texts = [
        label(f"{role.title()} 文字 0123456789", role)
        for role in ("display", "title", "heading", "body", "caption", "muted", "hint", "error")
    ]
    return _row(left, _column(*texts, *_messages()), stretch=False)


def _lists_page() -> QWidget:
    model = QStandardItemModel()
    model.setHorizontalHeaderLabels(["Layer 图层", "Kind 类型"])
    for group in ("Baseline 现状", "Proposal 方案"):
        parent = QStandardItem(group)
        for name in ("Buildings 建筑", "Terrain 地形", "Trees 树木"):
            child = QStandardItem(name)
            child.setCheckable(True)
            child.setCheckState(Qt.CheckState.Checked)
            parent.appendRow([child, QStandardItem("mesh")])
        model.appendRow([parent, QStandardItem("")])
    tree = tree_view(model)
    tree.setColumnWidth(0, 220)
    tree.expandAll()
    tree.setCurrentIndex(model.index(1, 0, model.index(0, 0)))
    numbers = QStandardItemModel(20, 4)
    numbers.setHorizontalHeaderLabels(["Name 名称", "Area m²", "Height m", "Storeys 层数"])
    for row in range(20):
        for column in range(4):
            text = f"B-{row:03d}" if column == 0 else f"{(row + 1) * (column + 2) * 7.25:.2f}"
            numbers.setItem(row, column, QStandardItem(text))
    table = table_view(numbers)
    table.selectRow(3)
    menu = QMenu()
    for name in ("zoom-to", "rename", "palette", "export", "trash"):
        action = QAction(f"{name.title()} 操作", menu)
        set_icon(action, name)
        menu.addAction(action)
    menu.setWindowFlags(Qt.WindowType.Widget)
    return _row(tree, table, _column(menu), stretch=False)


def _charts_page() -> QWidget:
    x = [index * 2.0 for index in range(400)]
    ground = [12 + 3 * math.sin(v / 60) + 0.4 * math.sin(v / 9) for v in x]
    roofs = [
        g + (24 if 200 < v < 260 or 420 < v < 560 else math.nan)
        for g, v in zip(ground, x, strict=True)
    ]
    profile = Chart()
    profile.set_axes("Distance 距离 (m)", "Height 高程 (m)")
    profile.set_series(
        [Series("Ground 地面", x, ground, "area", "#755D0D"), Series("Roofs 屋顶", x, roofs)]
    )
    bars = Chart()
    bars.set_axes("", "Volume 体积 (m³)", categories=["A 区", "B 区", "C 区", "D 区"])
    bars.set_series(
        [
            Series("Cut 挖方", [0, 1, 2, 3], [1200, 340, 560, 900], "bar", "cut"),
            Series("Fill 填方", [0, 1, 2, 3], [300, 840, 1260, 100], "bar", "fill"),
        ]
    )
    return _column(profile, bars, Chart())


def _icons_page() -> QScrollArea:
    grid = QGridLayout()
    grid.setSpacing(4)
    for index, name in enumerate(icon_names()):
        picture, small = QLabel(), QLabel()
        set_icon(picture, name)
        set_icon(small, name, role="muted", size=16)
        text = ElidedLabel(name, "hint")
        text.setMinimumWidth(110)
        cell = _row(picture, small, text, stretch=False)
        cell.setFixedHeight(32)
        grid.addWidget(cell, index // 7, index % 7)
    column = QVBoxLayout()
    column.setContentsMargins(16, 16, 16, 16)
    column.addLayout(grid)
    column.addStretch(1)
    return scroll_area(column)


def _colours_page() -> QWidget:
    theme = current_theme()
    rows: list[QWidget] = []
    for name, colors in {
        "Categorical 分类": theme.categorical,
        "Sequential 渐变": theme.sequential,
        "Diverging 双向": theme.diverging,
    }.items():
        rows += [label(name, "caption"), _row(*(Swatch(color, width=64) for color in colors))]
    for name, color in theme.analysis:
        rows.append(_row(Swatch(color, width=64), label(name)))
    card = QFrame()
    card.setProperty("card", True)
    inside = QVBoxLayout(card)
    inside.addWidget(label("Card 卡片", "title"))
    return _column(*rows, card)


def _shots(app: QApplication, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    scale = round(app.devicePixelRatio() * 100)
    for mode in ("light", "dark"):
        for language in ("en", "zh_CN"):
            translator.set_language(language)
            apply_theme(app, mode)
            window = Gallery(app)
            window.show()
            for index in range(window.pages.count()):
                window.pages.setCurrentIndex(index)
                app.processEvents()
                name = window.pages.tabText(index).lower()
                window.grab().save(str(folder / f"{name}-{mode}-{language}-{scale}.png"))
            window.close()
            window.deleteLater()
            app.processEvents()


def main(arguments: list[str] | None = None) -> int:
    """Show the gallery, or save pictures of it."""
    parser = argparse.ArgumentParser(prog="plumbline.ui_kit.gallery")
    parser.add_argument("--shots", type=Path, help="save pictures to this folder and end")
    options = parser.parse_args(arguments)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    for warning in setup_fonts(app):
        print(warning, file=sys.stderr)
    if options.shots:
        _shots(app, options.shots)
        return 0
    apply_theme(app, "system")
    window = Gallery(app)
    window.show()
    return app.exec()


if __name__ == "__main__":
    raise SystemExit(main())
