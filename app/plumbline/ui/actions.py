"""The commands of the window: what each is called, its key, and what it calls.

Only wiring is here; nothing is done here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence

from plumbline.api import N_, Scene, tr
from plumbline.ui.canvas import Mode
from plumbline.ui.commands import Command, Commands
from plumbline.ui.region_select import Shape
from plumbline.ui.report import ask_report
from plumbline.ui_kit.live import follow

if TYPE_CHECKING:
    from plumbline.ui.main_window import MainWindow

#: Beginnings of the commands that need something in the scene.
DRAWN = ("view.", "select.", "entities.", "project.picture", "project.report")


class Actions(QObject):
    """Builds the table of commands and keeps their states true."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._scene: Scene | None = None
        self.commands = Commands(window)
        self._add_project()
        self._add_view()
        self._add_selection()
        self._add_tools()
        self._add_window()
        window.canvas.mode_changed.connect(self._show_mode)

    def bind(self, scene: Scene) -> None:
        """Follow another scene's history and selection."""
        self._scene = scene
        follow(self, scene.history.changed, self._refresh)
        follow(self, scene.selection_changed, self._refresh)
        follow(self, scene.tree_changed, self._refresh)
        self._refresh()

    def _add(
        self,
        command_id: str,
        text: str,
        run: object,
        icon: str = "",
        shortcut: str = "",
        checkable: bool = False,
    ) -> QAction:
        return self.commands.add(Command(command_id, text, run, icon, shortcut, checkable))  # type: ignore[arg-type]

    def _add_project(self) -> None:
        session, window = self._window.session, self._window
        add = self._add
        add("project.new", N_("New project…"), session.ask_new, "new", "Ctrl+N")
        add("project.open", N_("Open…"), session.ask_open, "open", "Ctrl+O")
        add("project.demo", N_("Open the demo district"), session.open_demo, "demo")
        add("project.add", N_("Add files…"), session.ask_add, "add-layer", "Ctrl+Shift+O")
        add("project.save", N_("Save"), session.save, "save", "Ctrl+S")
        add("project.save_as", N_("Save as…"), session.ask_save_as, "save", "Ctrl+Shift+S")
        add("project.picture", N_("Save picture…"), window.ask_picture, "screenshot", "Ctrl+P")
        add("project.report", N_("Write the report…"), lambda: ask_report(session), "report")
        add("project.close", N_("Close project"), session.close_project, "close", "Ctrl+W")
        add("project.quit", N_("Quit"), window.close, "", "Ctrl+Q")
        add("edit.undo", N_("Undo"), lambda: window.scene.history.undo(), "undo", "Ctrl+Z")
        add("edit.redo", N_("Redo"), lambda: window.scene.history.redo(), "redo", "Ctrl+Shift+Z")
        add("edit.deselect", N_("Deselect"), lambda: window.scene.select(()), "", "Ctrl+D")

    def _add_view(self) -> None:
        canvas, window, add = self._window.canvas, self._window, self._add
        add("view.all", N_("Show everything"), canvas.frame, "home", "Home")
        add(
            "view.selection",
            N_("Zoom to selection"),
            window.zoom_to_selection,
            "zoom-selection",
            "F",
        )
        add("view.top", N_("From above"), lambda: canvas.look("top"), "view-top", "7")
        add("view.front", N_("From the south"), lambda: canvas.look("front"), "view-front", "1")
        add("view.side", N_("From the east"), lambda: canvas.look("right"), "view-side", "3")
        add("view.iso", N_("Isometric"), lambda: canvas.look("iso"), "view-iso", "0")
        add("view.north", N_("Turn north"), canvas.turn_north, "compass", "N")
        parallel = add(
            "view.parallel", N_("Orthographic"), self._toggle_parallel, "orthographic", "5", True
        )
        parallel.setChecked(False)
        add("view.plan", N_("Plan view (2D)"), self._toggle_plan, "view-2d", "2", True)
        group = QActionGroup(self)
        for mode, text, icon, key in (
            (Mode.ORBIT, N_("Orbit"), "orbit", "F2"),
            (Mode.WALK, N_("Walk"), "walk", "F3"),
            (Mode.FLY, N_("Fly"), "fly", "F4"),
        ):
            action = add(
                f"view.{mode.value}", text, lambda m=mode: canvas.set_mode(m), icon, key, True
            )
            group.addAction(action)
        self.commands["view.orbit"].setChecked(True)
        compare = add(
            "view.compare", N_("Compare schemes"), window.compare.toggle, "swipe", "C", True
        )
        window.compare.active_changed.connect(compare.setChecked)
        add("view.keep", N_("Keep this view"), window.add_viewpoint, "bookmark-add", "Ctrl+B")

    def _add_selection(self) -> None:
        window, region, add = self._window, self._window.canvas.region, self._add
        for shape, text, icon, key in (
            (Shape.BOX, N_("Select by box"), "select-box", "R"),
            (Shape.LASSO, N_("Select by lasso"), "select-lasso", "Shift+R"),
        ):
            add(f"select.{shape.value}", text, lambda s=shape: self._draw(s), icon, key, True)
        add("select.query", N_("Select, filter and count…"), window.show_query, "filter", "Ctrl+F")
        add("select.invert", N_("Invert selection"), window.invert_selection, "", "Ctrl+I")
        add("entities.build", N_("Entities…"), window.show_entities, "layers", "Ctrl+E")
        region.shape_changed.connect(self._show_shape)

    def _draw(self, shape: Shape) -> None:
        """Let a drag draw a shape; again: let it move the camera."""
        checked = self.commands[f"select.{shape.value}"].isChecked()
        if self._window.tools.active:
            self._window.tools.close_tool()
        self._window.canvas.region.choose(shape if checked else Shape.NONE)

    def _show_shape(self, shape: Shape) -> None:
        for name in ("box", "lasso"):
            self.commands[f"select.{name}"].setChecked(shape.value == name)

    def _add_tools(self) -> None:
        for panel in self._window.session.panels:
            self._add(
                f"tool.{panel.id}",
                panel.title,
                lambda panel_id=panel.id: self._window.open_tool(panel_id),
                panel.icon,
                panel.shortcut,
                True,
            )
        select = self._add(
            "tool.select", N_("Select"), self._window.tools.close_tool, "select", "V", True
        )
        select.setChecked(True)

    def _add_window(self) -> None:
        window, add = self._window, self._add
        preferences = window.preferences
        add("window.search", N_("Search…"), window.search, "search", "Ctrl+K")
        scene = add(
            "window.scene", N_("Scene panel"), self._toggle_scene, "sidebar-left", "F9", True
        )
        scene.setChecked(True)
        for page, text, icon, key in (
            ("table", N_("Attribute table"), "table", "F6"),
            ("tasks", N_("Tasks"), "tasks", "F7"),
            ("messages", N_("Messages"), "messages", "F8"),
        ):
            add(f"window.{page}", text, lambda name=page: self._toggle_drawer(name), icon, key)
        add(
            "window.theme",
            N_("Light or dark"),
            preferences.toggle_theme,
            "theme-dark",
            "Ctrl+Shift+D",
        )
        add(
            "window.language",
            N_("中文 / English"),
            preferences.toggle_language,
            "language",
            "Ctrl+L",
        )
        add(
            "window.settings",
            N_("Settings…"),
            lambda: preferences.show_settings(window),
            "settings",
            "Ctrl+,",
        )
        add("help.keys", N_("Keyboard and mouse"), self._show_keys, "keyboard", "F1")
        add("help.log", N_("Show the log file"), preferences.show_log, "file")
        add("help.about", N_("About Plumbline"), lambda: preferences.show_about(window), "info")

    # -- states ----------------------------------------------------------------------------

    def navigation_groups(self) -> list[list[QAction]]:
        """Return the actions beside the compass, in groups."""
        names = (
            ("view.all", "view.top", "view.front", "view.side", "view.iso"),
            ("view.plan", "view.parallel", "view.compare"),
            ("view.orbit", "view.walk", "view.fly"),
            ("select.box", "select.lasso"),
        )
        return [[self.commands[f"{name}"] for name in group] for group in names]

    def show_active_tool(self, panel_id: str) -> None:
        """Check the button of the active tool."""
        for panel in self._window.session.panels:
            self.commands[f"tool.{panel.id}"].setChecked(panel.id == panel_id)
        self.commands["tool.select"].setChecked(not panel_id)

    def _refresh(self) -> None:
        scene = self._scene
        if scene is None:
            return
        for name, label in (
            ("edit.undo", scene.history.undo_label),
            ("edit.redo", scene.history.redo_label),
        ):
            action = self.commands[name]
            action.setEnabled(label is not None)
            text = tr("Undo") if name == "edit.undo" else tr("Redo")
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            action.setToolTip(f"{text}: {label} ({keys})" if label else f"{text} ({keys})")
        some = len(scene) > 0
        for command in self.commands:
            if command.id.startswith(DRAWN):
                self.commands[command.id].setEnabled(some)
        chosen = bool(scene.selection)
        self.commands["view.selection"].setEnabled(chosen)
        self.commands["edit.deselect"].setEnabled(chosen)
        self.commands["select.invert"].setEnabled(chosen)

    def _show_mode(self, mode: Mode) -> None:
        self.commands[f"view.{mode.value}"].setChecked(True)

    def _toggle_parallel(self) -> None:
        self._window.canvas.set_parallel(self.commands["view.parallel"].isChecked())

    def _toggle_scene(self) -> None:
        self._window.left_dock.setVisible(self.commands["window.scene"].isChecked())

    def _toggle_plan(self) -> None:
        """Look straight down without perspective, north up; again: back to 3D."""
        flat = self.commands["view.plan"].isChecked()
        self.commands["view.parallel"].setChecked(flat)
        self._window.canvas.set_plan(flat)

    def _toggle_drawer(self, name: str) -> None:
        window = self._window
        page = {"table": window.table, "tasks": window.tasks, "messages": window.messages}[name]
        if window.drawer.isVisible() and window.drawer_tabs.currentWidget() is page:
            window.drawer.hide()
        else:
            window.show_drawer(page)

    def _show_keys(self) -> None:
        from plumbline.ui.dialogs.shortcuts import ShortcutsDialog

        ShortcutsDialog(self.commands, self._window).open()
