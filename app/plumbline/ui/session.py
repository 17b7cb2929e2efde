"""The open project and the work on it: open, add, save, close, recover.

Owns the scene, the task runner, the notifier and the settings; asks people through dialogs and
knows the window only as the parent of those. Everything slow runs as a task; the scene changes
only here, on the GUI thread, when a task delivers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from plumbline.api import Camera, Feedback, Georeference, Layer, Scene, load, loaders, tr
from plumbline.core.crs import crs_label, horizontal_crs, transformer, working_crs
from plumbline.core.errors import InputError, MissingCrsError, UserError
from plumbline.core.layer import LayerEntry
from plumbline.services import paths
from plumbline.services.autosave import Autosave, Recovery, find_recoveries
from plumbline.services.notifier import Notifier
from plumbline.services.plugins import PanelManifest
from plumbline.services.project import (
    SUFFIX,
    ProjectContent,
    ProjectLock,
    build_scene,
    load_entry,
    note_problem,
    project_path,
    read_project,
    relinked,
    snapshot,
    write_content,
)
from plumbline.services.settings import Settings, SettingsStore
from plumbline.services.tasks import TaskRunner
from plumbline.ui.dialogs.crs import CrsDialog
from plumbline.ui_kit.live import follow

if TYPE_CHECKING:
    from pyproj import CRS

T = TypeVar("T")

#: How often edits are looked for that want a recovery copy, milliseconds.
AUTOSAVE_CHECK = 5000


class Session(QObject):
    """What is open, and what can be done with it."""

    #: Another scene is open now.
    scene_replaced = Signal()
    title_changed = Signal()
    #: The canvas should take this camera.
    view_requested = Signal(object)
    #: The canvas should show everything.
    frame_requested = Signal()

    def __init__(
        self,
        store: SettingsStore,
        tasks: TaskRunner,
        notifier: Notifier,
        panels: Iterable[PanelManifest] = (),
    ) -> None:
        super().__init__()
        self.store, self.tasks, self.notifier = store, tasks, notifier
        self.panels = sorted(panels, key=lambda panel: panel.order)
        self.scene = Scene()
        self.path: Path | None = None
        self.has_project = False
        self.window: QWidget | None = None
        #: Gives the camera to be saved; set by the window.
        self.camera_of: Callable[[], Camera] = lambda: Camera((0, 0, 0), (0, 1, 0))
        self._lock: ProjectLock | None = None
        self.autosave = Autosave(tasks, store.settings.autosave_minutes, notifier=notifier)
        self._watch()
        follow(self, store.changed, self._set_autosave)
        timer = QTimer(self)
        timer.timeout.connect(self.autosave.tick)
        timer.start(AUTOSAVE_CHECK)
        self._unframed = True
        self._loading = 0
        #: Loaded files without a CRS that wait for a project CRS or an answer.
        self._unplaced: list[tuple[Path, list[Layer]]] = []
        #: What other programs or versions keep in the project file.
        self._extra: Mapping[str, Any] = {}
        #: Where dialogs answer in tests: name of the dialog to its answer.
        self.answers: dict[str, Any] = {}

    # -- reading ---------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The settings of this user."""
        return self.store.settings

    @property
    def name(self) -> str:
        """Name of the project, empty when it was never saved."""
        return self.path.name.removesuffix(SUFFIX) if self.path else ""

    @property
    def busy(self) -> bool:
        """Whether layers are being loaded."""
        return self._loading > 0

    def recent(self) -> list[Path]:
        """Return the recent projects, newest first."""
        return [Path(text) for text in self.settings.recent_projects]

    def prepare_async(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run a preparation of the renderer in a worker, deliver it on this thread."""
        self.tasks.submit(tr("Preparing the picture"), lambda _feedback: work(), done)

    # -- projects --------------------------------------------------------------------------

    def ask_new(self) -> None:
        """Ask for the CRS of a new project and start it."""
        if not self.may_discard():
            return
        dialog = CrsDialog(
            tr("New project"),
            tr("In which coordinate reference system is the project? Files are brought into it."),
            self.window,
        )
        if self._ask("crs", dialog):
            self.new(self.answers.get("crs") or dialog.crs)

    def new(self, crs: str) -> None:
        """Start an empty project in a CRS."""
        self._replace(Scene(Georeference.from_text(crs)), None)
        self.has_project = True
        self._unframed = True
        self.scene_replaced.emit()

    def ask_open(self) -> None:
        """Ask for a project or files and open them."""
        patterns = " ".join(f"*{e}" for spec in loaders() for e in spec.extensions)
        filters = ";;".join(
            [
                tr("Projects and files") + f" (*{SUFFIX} {patterns})",
                tr("Plumbline projects") + f" (*{SUFFIX})",
                tr("All files") + " (*)",
            ]
        )
        self.open_paths(self._ask_files("open", tr("Open"), filters))

    def open_paths(self, given: list[Path]) -> None:
        """Open a project, or add files to the open one."""
        projects = [path for path in given if path.name.lower().endswith(SUFFIX)]
        if projects:
            if len(given) > 1:
                self.notifier.warning(
                    tr("One project is opened at a time: {name}.", name=projects[0].name)
                )
            self.open_project(projects[0])
        elif given:
            self.add_files(given)

    def open_project(self, path: Path) -> None:
        """Open a project: its tree at once, its layers as they arrive."""
        if not self.may_discard():
            return
        if path == self.path and self._lock is not None:
            # Going back to what was saved: this window holds the lock already.
            self._lock.release()
            self._lock = None
        try:
            lock = ProjectLock(path)
        except UserError as error:
            self.notifier.error(error)
            return

        def failed(error: Exception) -> None:
            lock.release()
            self.store.remove_recent(path)
            self.notifier.error(error)

        self.tasks.submit(
            tr("Opening {name}", name=path.name),
            lambda _feedback: read_project(path),
            lambda content: self._opened(content, path, lock),
            failed,
        )

    def _opened(
        self,
        content: ProjectContent,
        path: Path | None,
        lock: ProjectLock | None,
        recovery: Recovery | None = None,
    ) -> None:
        self._replace(build_scene(content), path, lock, recovery)
        self._extra = content.extra
        self.has_project = True
        self._unframed = content.camera is None
        for text in content.warnings:
            self.notifier.warning(text)
        self.scene_replaced.emit()
        if content.camera is not None:
            self.view_requested.emit(content.camera)
        if path is not None:
            self.store.add_recent(path)
        # What is looked at comes first.
        for entry in sorted(self.scene.absent, key=lambda e: not e.view.visible):
            self._load_entry(entry)

    def _load_entry(self, entry: LayerEntry) -> None:
        scene, project = self.scene, self.path
        self._loading += 1

        def done(layer: Layer) -> None:
            self._loading -= 1
            if scene is self.scene:
                scene.arrive(layer)
                self._tell_warnings(layer)
                self._frame_once()

        def failed(error: Exception) -> None:
            self._loading -= 1
            if scene is self.scene:
                note_problem(scene, entry.id, getattr(error, "message", str(error)))
                self.notifier.error(error)

        self.tasks.submit(
            tr("Loading {name}", name=entry.name),
            lambda feedback: load_entry(entry, scene.georeference, feedback, project),
            done,
            failed,
            self._load_cancelled,
        )

    def _load_cancelled(self) -> None:
        self._loading -= 1

    def relink(self, layer_id: str) -> None:
        """Ask where the source of an absent layer is now, and load it from there."""
        found = self._ask_files("relink", tr("Where is the file now?"), tr("All files") + " (*)")
        entry = next((e for e in self.scene.absent if e.id == layer_id), None)
        if found and entry is not None:
            self._load_entry(relinked(entry, found[0]))
            self.scene.mark_modified()

    def reload(self, layer_id: str) -> None:
        """Load a layer's file again."""
        scene, layer, project = self.scene, self.scene[layer_id], self.path
        if layer.source is None:
            self.notifier.info(
                tr("“{name}” lives in the project and has no file.", name=layer.name)
            )
            return
        entry = LayerEntry(layer.id, layer.name, layer.kind, replace(layer.source, sha256=""))

        def done(fresh: Layer) -> None:
            if scene is self.scene and layer_id in scene:
                scene.replace_data(fresh)

        self.tasks.submit(
            tr("Loading {name}", name=layer.name),
            lambda feedback: load_entry(entry, scene.georeference, feedback, project),
            done,
        )

    # -- adding files ----------------------------------------------------------------------

    def ask_add(self) -> None:
        """Ask for files and add them."""
        families = [f"{spec.title} (*{' *'.join(spec.extensions)})" for spec in loaders()]
        patterns = " ".join(f"*{e}" for spec in loaders() for e in spec.extensions)
        filters = ";;".join([tr("All formats") + f" ({patterns})", *families])
        self.add_files(self._ask_files("add", tr("Add files"), filters))

    def add_files(self, given: Iterable[Path], crs: str | None = None) -> None:
        """Load files in workers and add their layers."""
        for path in given:
            self.has_project = True
            self._add_file(Path(path), crs)

    def _add_file(self, path: Path, crs: str | None) -> None:
        scene, project = self.scene, self.path
        self._loading += 1

        def work(feedback: Feedback) -> list[Layer]:
            return load(
                path,
                None,
                feedback,
                crs=crs,
                target_crs=scene.georeference.crs,
                cache=paths.cache_folder(),
                tiles=paths.tiles_folders(project),
            )

        def done(layers: list[Layer]) -> None:
            self._loading -= 1
            if scene is self.scene:
                self._place(path, layers, crs)
                self._ask_unplaced()

        def failed(error: Exception) -> None:
            self._loading -= 1
            if isinstance(error, MissingCrsError):
                self._ask_crs(path, str(error.message))
            else:
                self.notifier.error(error)
            self._ask_unplaced()

        self.tasks.submit(
            tr("Loading {name}", name=path.name), work, done, failed, self._load_cancelled
        )

    def _place(self, path: Path, layers: list[Layer], crs: str | None) -> None:
        """Add layers; the first ones decide the project CRS, and never in silence."""
        if self.scene.georeference.crs is not None or len(self.scene):
            self._add_layers(path, layers, crs)
        elif any(layer.crs is None for layer in layers):
            # Other files may know the CRS: ask when they are there.
            self._unplaced.append((path, layers))
        elif (box := layers[0].bounds) and (chosen := working_crs(layers[0].crs, box.center)):
            self.scene.set_georeference(Georeference(chosen, self._origin(layers[0], chosen)))
            self.notifier.info(
                tr(
                    "“{name}” is not in metres on a map; the project is in {crs}.",
                    name=path.name,
                    crs=crs_label(chosen),
                ),
                tr("To work in another CRS, start a new project in it."),
            )
            self._add_file(path, crs)
        else:
            self._add_layers(path, layers, crs)

    @staticmethod
    def _origin(layer: Layer, crs: CRS) -> tuple[float, float, float]:
        """Return a scene origin near a layer in degrees, whole hundreds of metres."""
        assert layer.crs is not None
        assert layer.bounds is not None
        center = layer.bounds.center.tolist()
        place = center if layer.crs.is_geocentric else center[:2]
        east, north = transformer(horizontal_crs(layer.crs), crs).transform(*place)[:2]
        return round(east, -2), round(north, -2), 0.0

    def _ask_unplaced(self) -> None:
        """Ask about the next file without a CRS, once nothing else is loading."""
        if self._loading or not self._unplaced:
            return
        path, layers = self._unplaced.pop(0)
        message = tr("“{name}” does not say its coordinate reference system.", name=path.name)
        if self.scene.georeference.crs is not None or not self._ask_crs(path, message, plane=True):
            self._add_layers(path, layers, None)
        self._ask_unplaced()

    def _add_layers(self, path: Path, layers: list[Layer], crs: str | None) -> None:
        """Add what a file gave; another file may have set the project CRS in the meantime."""
        for layer in reversed(layers):
            layer.id = self.scene.unique_id(layer.id)
            try:
                self.scene.add(layer)
            except UserError as error:
                if self.scene.georeference.crs is not None:
                    self._add_file(path, crs)
                else:
                    self.notifier.error(error)
                return
            self._tell_warnings(layer)
        self._frame_once()

    def _ask_crs(self, path: Path, message: str, *, plane: bool = False) -> bool:
        """Ask for the CRS of a file and load it with the answer.

        Parameters
        ----------
        plane : bool
            Offer to work in the file's own plane, without a CRS.

        Returns
        -------
        bool
            False when the file shall stay in its own plane.
        """
        question = tr("In which system are its coordinates? Nothing is guessed; ask its maker.")
        dialog = CrsDialog(
            tr("Coordinate reference system of {name}", name=path.name),
            f"{message} {question}",
            self.window,
            first=self.scene.georeference.crs_text or "",
            plane=plane,
        )
        accepted = self._ask("crs", dialog)
        if accepted and dialog.plane_chosen:
            return False
        if accepted:
            self._add_file(path, self.answers.get("crs") or dialog.crs)
        else:
            self.notifier.warning(
                tr("“{name}” was not added: its CRS is not known.", name=path.name)
            )
        return True

    def _tell_warnings(self, layer: Layer) -> None:
        if layer.warnings:
            more = len(layer.warnings) - 1
            self.notifier.warning(
                f"{layer.name}: {layer.warnings[0]}",
                tr("{n} more; see the layer's information.", n=more) if more else "",
                "\n".join(layer.warnings),
            )

    def _frame_once(self) -> None:
        """Show everything when the first layers of a project without a camera are there."""
        if self._unframed and self._loading == 0:
            self._unframed = False
            # After the renderer has taken the layer in.
            QTimer.singleShot(0, self.frame_requested.emit)

    # -- demo ------------------------------------------------------------------------------

    def open_demo(self, folder: Path | None = None) -> None:
        """Open the demo district; build it first where there is none of this version.

        Parameters
        ----------
        folder : Path, optional
            Where it is; this user's data folder otherwise.
        """
        if not self.may_discard():
            return
        from plumbline.demo.project import demo_folder, ensure_demo

        self.tasks.submit(
            tr("Building the demo district"),
            lambda feedback: ensure_demo(folder or demo_folder(), feedback),
            self.open_project,
        )

    # -- saving ----------------------------------------------------------------------------

    def save(self) -> None:
        """Save in a worker; asks for a name the first time."""
        if self.path is None:
            self.ask_save_as()
        else:
            self._save(self.path)

    def ask_save_as(self) -> None:
        """Ask for a name and save under it."""
        path = self._ask_name()
        if path is not None:
            self._save(path, as_new=path != self.path)

    def _ask_name(self) -> Path | None:
        answer = self.answers.get("save_as")
        if answer is None:
            start = str(Path(self.settings.last_folder or Path.home()) / f"{tr('Project')}{SUFFIX}")
            answer, _ = QFileDialog.getSaveFileName(
                self.window, tr("Save as"), start, tr("Plumbline projects") + f" (*{SUFFIX})"
            )
        return project_path(answer) if answer else None

    def _save(self, path: Path, *, as_new: bool = False) -> None:
        """Take the snapshot here, write it in a worker; edits made meanwhile stay unsaved."""
        try:
            lock = ProjectLock(path) if path != self.path else None
        except UserError as error:
            self.notifier.error(error)
            return
        scene, content = self.scene, snapshot(self.scene, self.camera_of(), self._extra)
        scene.mark_modified(False)

        def failed(error: Exception) -> None:
            if lock is not None:
                lock.release()
            scene.mark_modified()
            self.notifier.error(error)

        def done(_nothing: None) -> None:
            if scene is self.scene:
                self._saved(path, lock)
            elif lock is not None:
                lock.release()

        self.tasks.submit(
            tr("Saving {name}", name=path.name),
            lambda _feedback: write_content(content, path, replace_file=as_new),
            done,
            failed,
            lambda: failed(InputError(tr("Saving was cancelled."), tr("Save again."))),
        )

    def _save_now(self) -> bool:
        """Save before something goes away; return whether that went well."""
        path = self.path or self._ask_name()
        if path is None:
            return False
        lock: ProjectLock | None = None
        try:
            lock = ProjectLock(path) if path != self.path else None
            content = snapshot(self.scene, self.camera_of(), self._extra)
            write_content(content, path, replace_file=lock is not None)
        except UserError as error:
            if lock is not None:
                lock.release()
            self.notifier.error(error)
            return False
        self.scene.mark_modified(False)
        self._saved(path, lock)
        return True

    def _saved(self, path: Path, lock: ProjectLock | None) -> None:
        if lock is not None:
            if self._lock is not None:
                self._lock.release()
            self._lock = lock
        self.path = path
        self.autosave.saved_as(path)
        self.store.add_recent(path)
        self.store.update(last_folder=str(path.parent))
        self.title_changed.emit()
        self.notifier.info(tr("Saved: {path}", path=path))

    def may_discard(self) -> bool:
        """Ask about unsaved work; return whether to go on."""
        if not self.scene.modified:
            return True
        answer = self.answers.get("discard")
        if answer is None:
            box = QMessageBox(self.window)
            box.setIcon(QMessageBox.Icon.Question)
            box.setWindowTitle(tr("Unsaved work"))
            box.setText(tr("Save the changes to “{name}”?", name=self.name or tr("Untitled")))
            save = box.addButton(tr("Save"), QMessageBox.ButtonRole.AcceptRole)
            drop = box.addButton(tr("Do not save"), QMessageBox.ButtonRole.DestructiveRole)
            box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
            box.exec()
            clicked = box.clickedButton()
            answer = "save" if clicked is save else "drop" if clicked is drop else "cancel"
        return self._save_now() if answer == "save" else answer == "drop"

    def close_project(self) -> None:
        """Go back to the start page."""
        if self.may_discard():
            self._replace(Scene(), None)
            self.has_project = False
            self.scene_replaced.emit()

    def close(self) -> None:
        """Stop what runs, remove the recovery copy and let go of the project."""
        self.tasks.close()
        self.autosave.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _replace(
        self,
        scene: Scene,
        path: Path | None,
        lock: ProjectLock | None = None,
        recovery: Recovery | None = None,
    ) -> None:
        self.tasks.cancel_all()
        if self._lock is not None:
            self._lock.release()
        self._lock = lock
        self.scene, self.path, self._extra = scene, path, {}
        self._unplaced.clear()
        self._watch(recovery)

    def _set_autosave(self) -> None:
        self.autosave.minutes = self.settings.autosave_minutes

    def _watch(self, recovery: Recovery | None = None) -> None:
        self.autosave.watch(self.scene, self.path, lambda: self.camera_of(), recovery)

    # -- recovery --------------------------------------------------------------------------

    def offer_recoveries(self) -> None:
        """Offer what a crash left, the newest first; the others wait for the next start."""
        found = find_recoveries()
        for recovery in found[1:]:
            recovery.keep()
        if not found:
            return
        recovery = found[0]
        name = recovery.project.name.removesuffix(SUFFIX) if recovery.project else tr("Untitled")
        answer = self.answers.get("recovery")
        if answer is None:
            box = QMessageBox(self.window)
            box.setIcon(QMessageBox.Icon.Question)
            box.setWindowTitle(tr("Unsaved work was found"))
            box.setText(tr("Plumbline ended unexpectedly while “{name}” was open.", name=name))
            box.setInformativeText(
                tr("The recovery copy of {time} has its unsaved work.", time=recovery.saved_at)
            )
            restore = box.addButton(tr("Restore"), QMessageBox.ButtonRole.AcceptRole)
            discard = box.addButton(tr("Discard it"), QMessageBox.ButtonRole.DestructiveRole)
            box.addButton(tr("Decide later"), QMessageBox.ButtonRole.RejectRole)
            box.exec()
            clicked = box.clickedButton()
            answer = "restore" if clicked is restore else "drop" if clicked is discard else "later"
        if answer == "restore":
            self._restore(recovery)
        elif answer == "drop":
            recovery.discard()
        else:
            recovery.keep()

    def _restore(self, recovery: Recovery) -> None:
        try:
            lock = ProjectLock(recovery.project) if recovery.project else None
            content = recovery.restore()
        except UserError as error:
            recovery.keep()
            self.notifier.error(error)
            return
        self._opened(content, recovery.project, lock, recovery)
        self.scene.mark_modified()

    # -- dialogs ---------------------------------------------------------------------------

    def _ask(self, name: str, dialog: CrsDialog) -> bool:
        """Run a dialog, or take the answer that a test gave."""
        if name in self.answers:
            return bool(self.answers[name])
        return bool(dialog.exec())

    def _ask_files(self, name: str, title: str, filters: str) -> list[Path]:
        if name in self.answers:
            return [Path(p) for p in self.answers[name]]
        found, _ = QFileDialog.getOpenFileNames(
            self.window, title, self.settings.last_folder, filters
        )
        if found:
            self.store.update(last_folder=str(Path(found[0]).parent))
        return [Path(text) for text in found]

    def copy_text(self, text: str) -> None:
        """Put a text on the clipboard and say so."""
        QGuiApplication.clipboard().setText(text)
        self.notifier.info(tr("Copied: {text}", text=text))

    def save_picture(self, path: Path, write: Callable[[Path], None]) -> None:
        """Save a picture of the canvas."""
        try:
            write(path)
        except OSError as error:
            raise InputError(
                tr("“{path}” cannot be written: {why}.", path=path, why=error.strerror or error),
                tr("Choose another folder."),
            ) from error
        self.notifier.info(tr("Saved: {path}", path=path))
