"""The main window: puts the parts in their places and connects them.

It knows the parts and no plugin; what a part does stays in the part. Work on files is in
`plumbline.ui.session`, commands are built in `plumbline.ui.actions`.
"""

from __future__ import annotations

import base64
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QMainWindow,
    QMenu,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QWidget,
)

from plumbline.api import Bounds, EntityRef, Pick, Scene, tr
from plumbline.core.city import box_of
from plumbline.core.entities import entity_bounds
from plumbline.core.selection import inverted, picked
from plumbline.core.units import unit_choice
from plumbline.ui.actions import Actions
from plumbline.ui.attribute_table import AttributeTable
from plumbline.ui.attributes import AttributePanel, title_of
from plumbline.ui.canvas import Canvas
from plumbline.ui.command_bar import CommandBar
from plumbline.ui.compare import Compare
from plumbline.ui.drawer import ChartPage, MessageList, TaskList
from plumbline.ui.entities_panel import EntitiesPanel
from plumbline.ui.layer_panel import LayerPanel
from plumbline.ui.layer_tree import LayerTree
from plumbline.ui.message_bar import MessageBar
from plumbline.ui.opening import DocumentOpener
from plumbline.ui.preferences import Preferences
from plumbline.ui.query_panel import QueryPanel
from plumbline.ui.scheme_panel import SchemePanel
from plumbline.ui.search import SearchBox, SearchTargets
from plumbline.ui.session import Session
from plumbline.ui.start_page import StartPage
from plumbline.ui.status import StatusLine
from plumbline.ui.tool_host import ToolHost
from plumbline.ui.viewpoints import ViewpointList
from plumbline.ui_kit.dock import make_dock
from plumbline.ui_kit.icons import app_icon, icon
from plumbline.ui_kit.live import follow, on_language
from plumbline.ui_kit.panel import Panel

SIDE_WIDTH = 300


class MainWindow(QMainWindow):
    """The workstation."""

    def __init__(self, session: Session, preferences: Preferences) -> None:
        super().__init__()
        self.session, self.preferences = session, preferences
        self.setObjectName("mainWindow")
        self.setWindowIcon(app_icon())
        self.setAcceptDrops(True)
        self.setDockOptions(QMainWindow.DockOption.AnimatedDocks)
        self.resize(1600, 1000)
        self._make_parts()
        self.actions = Actions(self)
        self._lay_out()
        self._connect()
        self._bind()
        self._take_up_settings()
        follow(self, session.store.changed, self._take_up_settings)
        on_language(self, self.retranslate)
        self.retranslate()
        self._restore_places()

    # -- building --------------------------------------------------------------------------

    def _make_parts(self) -> None:
        session = self.session
        self.canvas = Canvas(session.scene, session.prepare_async)
        self.compare = Compare(self.canvas)
        self.start_page = StartPage()
        self.tree = LayerTree()
        self.schemes = SchemePanel()
        self.viewpoints = ViewpointList()
        self.attributes = AttributePanel()
        self.documents = DocumentOpener(session)
        self.table = AttributeTable()
        self.chart = ChartPage()
        self.tasks = TaskList(session.tasks)
        self.messages = MessageList(session.notifier)
        self.message_bar = MessageBar(session.notifier)
        self.status = StatusLine()
        self.tools = ToolHost(
            self.canvas, session.scene, session.tasks, lambda: session.settings.operator
        )

    def _lay_out(self) -> None:
        self.center = QStackedWidget()
        self.center.addWidget(self.start_page)
        self.center.addWidget(self.canvas)
        self.center.setMinimumSize(QSize(320, 240))
        self.setCentralWidget(self.center)
        self.message_bar.setParent(self.center)
        self.scene_tabs = QTabWidget()
        self.scene_tabs.setDocumentMode(True)
        for part in (self.tree, self.schemes, self.viewpoints):
            self.scene_tabs.addTab(part, "")
        left = QSplitter(Qt.Orientation.Vertical)
        left.addWidget(self.scene_tabs)
        left.addWidget(self.attributes)
        left.setSizes([480, 360])
        left.setChildrenCollapsible(False)
        self.drawer_tabs = QTabWidget()
        self.drawer_tabs.setDocumentMode(True)
        for part in (self.table, self.chart, self.tasks, self.messages):
            self.drawer_tabs.addTab(part, "")
        areas = Qt.DockWidgetArea
        self.left_dock = self._dock("sceneDock", left, areas.LeftDockWidgetArea)
        self.right_dock = self._dock("taskDock", self.tools, areas.RightDockWidgetArea)
        self.drawer = self._dock("drawer", self.drawer_tabs, areas.BottomDockWidgetArea)
        self.setCorner(Qt.Corner.BottomLeftCorner, areas.BottomDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, areas.BottomDockWidgetArea)
        # A panel has a title of its own.
        self.right_dock.setTitleBarWidget(QWidget(self.right_dock))
        self.right_dock.hide()
        self.drawer.hide()
        self.resizeDocks(
            [self.left_dock, self.right_dock], [SIDE_WIDTH, 340], Qt.Orientation.Horizontal
        )
        self.resizeDocks([self.drawer], [240], Qt.Orientation.Vertical)
        self.command_bar = CommandBar(self.actions)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.command_bar)
        self.setStatusBar(self.status)
        self.canvas.navigation.set_actions(self.actions.navigation_groups())

    def _dock(self, name: str, content: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = make_dock(name, "", content, self)
        self.addDockWidget(area, dock)
        return dock

    def _connect(self) -> None:
        session, canvas = self.session, self.canvas
        session.scene_replaced.connect(self._bind)
        session.title_changed.connect(self._show_title)
        session.view_requested.connect(lambda camera: canvas.go_to(camera, ease=False))
        session.frame_requested.connect(lambda: canvas.frame(ease=False))
        session.camera_of = canvas.camera
        session.window = self
        page = self.start_page
        page.demo_requested.connect(session.open_demo)
        page.new_requested.connect(session.ask_new)
        page.open_requested.connect(session.ask_open)
        page.add_requested.connect(session.ask_add)
        page.recent_requested.connect(lambda path: session.open_paths([Path(path)]))
        canvas.picked.connect(self._picked)
        canvas.aim.changed.connect(
            lambda kinds, loupe: session.store.update(snaps=kinds, loupe=loupe)
        )
        canvas.menu_requested.connect(self._canvas_menu)
        canvas.cursor_moved.connect(self.status.show_position)
        canvas.frame_drawn.connect(self.status.show_frame_time)
        canvas.tiles.noted.connect(session.notifier.warning)
        canvas.navigation.north_requested.connect(canvas.turn_north)
        tree = self.tree
        tree.zoom_requested.connect(self.zoom_to_layer)
        tree.style_requested.connect(self.show_layer_panel)
        tree.table_requested.connect(self.show_table)
        tree.query_requested.connect(self.show_query)
        tree.remove_requested.connect(lambda layer_id: session.scene.remove(layer_id))
        tree.reload_requested.connect(session.reload)
        tree.relink_requested.connect(session.relink)
        self.schemes.compare_requested.connect(self.compare.toggle)
        self.viewpoints.chosen.connect(self.show_viewpoint)
        self.viewpoints.add_requested.connect(self.add_viewpoint)
        self.attributes.document_requested.connect(self.documents.open)
        self.table.zoom_requested.connect(self.zoom_to_selection)
        self.status.cancel_requested.connect(self.tasks.cancel_newest)
        self.tasks.running_changed.connect(self.status.show_task)
        self.tools.closed = self._tool_closed
        self.tools.chart_shown.connect(self._show_chart)
        self.message_bar.details_requested.connect(lambda: self.show_drawer(self.messages))

    def _bind(self) -> None:
        """Show the session's scene in every part."""
        scene = self.session.scene
        if self.canvas.view.scene is not scene:
            self.canvas.set_scene(scene)
        else:
            self.canvas.bind_overlays(scene)
        self.compare.bind(scene)
        for part in (
            self.tree,
            self.schemes,
            self.viewpoints,
            self.attributes,
            self.table,
            self.status,
            self.tools,
        ):
            part.bind(scene)
        self.actions.bind(scene)
        follow(self, scene.tree_changed, self._show_center)
        follow(self, scene.absent_changed, self._show_center)
        follow(self, scene.modified_changed, self._show_title)
        self._show_center()
        self._show_title()

    def _take_up_settings(self) -> None:
        settings = self.session.settings
        self.canvas.habits = settings.navigation
        self.canvas.aim.choose(settings.snaps, settings.loupe)
        self.canvas.set_measure_color(settings.measure_color)
        unit_choice.choose(settings.length_unit, settings.area_unit)
        self.canvas.set_quality(settings.quality, settings.point_budget)

    # -- texts -----------------------------------------------------------------------------

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self.left_dock.setWindowTitle(tr("Scene"))
        self.right_dock.setWindowTitle(tr("Task"))
        self.drawer.setWindowTitle(tr("Tables, tasks and messages"))
        for n, text in enumerate((tr("Layers"), tr("Schemes"), tr("Viewpoints"))):
            self.scene_tabs.setTabText(n, text)
        for n, text in enumerate((tr("Table"), tr("Result"), tr("Tasks"), tr("Messages"))):
            self.drawer_tabs.setTabText(n, text)
        self._show_title()

    def _show_title(self) -> None:
        name = self.session.name or tr("Untitled")
        mark = "• " if self.session.scene.modified else ""
        self.setWindowTitle(f"{mark}{name} – Plumbline 准绳")
        self.command_bar.set_project(name, self.session.scene.modified)

    def _show_center(self) -> None:
        busy = self.session.has_project or len(self.session.scene) > 0
        self.center.setCurrentWidget(self.canvas if busy else self.start_page)
        self.left_dock.setVisible(busy and not self._left_closed())
        self.command_bar.set_tools_enabled(len(self.session.scene) > 0)
        if not busy:
            self.right_dock.hide()
            self.drawer.hide()
            self.start_page.set_recent(self.session.recent())

    def _left_closed(self) -> bool:
        return not self.actions.commands["window.scene"].isChecked()

    # -- doing -----------------------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        """The open scene."""
        return self.session.scene

    def open_tool(self, panel_id: str) -> None:
        """Show a tool's panel, or close it when it is open."""
        manifest = next(p for p in self.session.panels if p.id == panel_id)
        if self.tools.active == panel_id:
            self.tools.close_tool()
            return
        self.tools.open_tool(manifest)
        self.right_dock.show()
        self.actions.show_active_tool(panel_id)

    def _tool_closed(self) -> None:
        self.right_dock.hide()
        self.actions.show_active_tool("")
        self.canvas.interactor.setFocus()

    def _show_chart(self, title: str, chart: QWidget) -> None:
        self.chart.show_chart(title, chart)
        self.show_drawer(self.chart)

    def show_layer_panel(self, layer_id: str) -> None:
        """Show style and information of a layer."""
        self._show_panel(LayerPanel(self.scene, layer_id))

    def show_table(self, layer_id: str) -> None:
        """Show the attribute table of a layer."""
        self.table.show_layer(layer_id)
        self.show_drawer(self.table)

    def show_query(self, layer_id: str = "") -> None:
        """Choose by expression and place, filter and count."""
        panel = QueryPanel(self.scene, self.session)
        if layer_id:
            panel.choose(layer_id)
        self._show_panel(panel)

    def show_entities(self) -> None:
        """Build entities from footprints, and work with them."""
        self._show_panel(EntitiesPanel(self.scene, self.session))

    def _show_panel(self, panel: Panel) -> None:
        self.tools.show_panel(panel)
        self.actions.show_active_tool("")
        self.right_dock.show()

    def invert_selection(self) -> None:
        """Select what is shown but not selected in the layers that hold the selection."""
        self.scene.select(inverted(self.scene))

    def show_drawer(self, page: QWidget) -> None:
        """Open the drawer at one of its pages."""
        self.drawer_tabs.setCurrentWidget(page)
        self.drawer.show()

    def zoom_to_layer(self, layer_id: str) -> None:
        """Frame one layer."""
        self.canvas.frame(self.canvas.view.layer_bounds(layer_id))

    def zoom_to_selection(self) -> None:
        """Frame what is selected."""
        self.zoom_to_entities(self.scene.selection)

    def zoom_to_entities(self, refs: tuple[EntityRef, ...]) -> None:
        """Frame entities, as they are drawn where the view knows it."""
        view = self.canvas.view
        box = view.extent(refs) or Bounds.union(
            entity_bounds(self.scene[ref.layer], ref.entity) for ref in refs
        )
        owners = (self.scene.entity_book.of(ref) for ref in refs)
        box = Bounds.union([box, *(box_of(one) for one in owners if one is not None)])
        if box is not None:
            self.canvas.frame(box)

    def zoom_to_entity(self, ref: EntityRef) -> None:
        """Select one entity and frame it."""
        self.scene.select([ref])
        self.zoom_to_entities((ref,))

    def zoom_to_point(self, x: float, y: float, z: float | None) -> None:
        """Frame a place, 50 m around it."""
        height = (self.canvas.view.ground_height(x, y) or 0.0) if z is None else z
        self.canvas.frame(Bounds(x - 50, y - 50, height - 10, x + 50, y + 50, height + 40))

    def show_viewpoint(self, name: str) -> None:
        """Go to a named camera."""
        for viewpoint in self.scene.viewpoints:
            if viewpoint.name == name:
                if viewpoint.clipping is not None:
                    self.scene.set_clipping(viewpoint.clipping)
                self.canvas.go_to(viewpoint.camera)

    def add_viewpoint(self) -> None:
        """Keep the camera under a name."""
        self.scene_tabs.setCurrentWidget(self.viewpoints)
        self.left_dock.show()
        self.viewpoints.add(self.canvas.camera())

    def search(self) -> None:
        """Open the search box."""
        targets = SearchTargets(
            self.zoom_to_layer, self.zoom_to_entity, self.zoom_to_point, self.show_viewpoint
        )
        SearchBox(self.scene, self.actions.commands, targets, self).open()

    def ask_picture(self) -> None:
        """Ask where to save a picture of the canvas, and save it."""
        answer = self.session.answers.get("picture")
        if answer is None:
            answer, _ = QFileDialog.getSaveFileName(
                self, tr("Save picture"), f"{self.session.name or 'plumbline'}.png", "PNG (*.png)"
            )
        if answer:
            self.session.save_picture(Path(answer), lambda path: self.canvas.views.screenshot(path))

    # -- canvas ----------------------------------------------------------------------------

    def _picked(self, pick: Pick | None, add: bool) -> None:
        ref = picked(self.scene, pick)
        now = self.scene.selection
        if ref is None:
            self.scene.select(now if add else ())
        elif add:
            self.scene.select([r for r in now if r != ref] if ref in now else [*now, ref])
        else:
            self.scene.select([ref])
        if pick is not None and not add:
            self.tree.choose(pick.layer)

    def _canvas_menu(self, pick: Pick | None, where: QPoint) -> None:
        menu = self.make_canvas_menu(pick)
        menu.exec(where)
        menu.deleteLater()

    def make_canvas_menu(self, pick: Pick | None) -> QMenu:
        """Return what can be done with what is under the cursor."""
        menu = QMenu(self)
        scene = self.scene
        if pick is not None:
            layer = scene[pick.layer]
            if (ref := picked(scene, pick)) is not None:
                head = menu.addAction(title_of(scene, ref))
                head.setEnabled(False)
                menu.addAction(
                    icon("zoom-selection", role="muted"), tr("Zoom to it")
                ).triggered.connect(lambda: self.zoom_to_entity(ref))
            menu.addAction(
                icon("coordinates", role="muted"), tr("Copy coordinates")
            ).triggered.connect(
                lambda: self.session.copy_text(", ".join(f"{v:.3f}" for v in pick.position))
            )
            menu.addSeparator()
            menu.addAction(
                icon("eye-off", role="muted"), tr("Hide “{name}”", name=layer.name)
            ).triggered.connect(lambda: scene.set_view(layer.id, visible=False))
            menu.addAction(
                icon("palette", role="muted"), tr("Style and information")
            ).triggered.connect(lambda: self.show_layer_panel(layer.id))
            menu.addSeparator()
        for command in ("view.all", "view.top", "view.iso"):
            menu.addAction(self.actions.commands[command])
        return menu

    # -- files and closing -----------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open a project, or add the files."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        # After the drop has ended: a dialog inside of it would hold the other program.
        QTimer.singleShot(0, lambda: self.session.open_paths(paths))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask for unsaved work, await what runs, release VTK."""
        if not self.session.may_discard():
            event.ignore()
            return
        self.session.store.update(window_geometry=_text(self.saveGeometry()))
        self.tools.shut_down()
        self.session.close()
        self.canvas.close_view()
        event.accept()

    def _restore_places(self) -> None:
        settings = self.session.settings
        if settings.window_geometry:
            self.restoreGeometry(_bytes(settings.window_geometry))


def _text(data: QByteArray) -> str:
    return base64.b64encode(data.data()).decode()


def _bytes(text: str) -> QByteArray:
    return QByteArray(base64.b64decode(text))
