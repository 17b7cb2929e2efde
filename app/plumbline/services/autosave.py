"""Recovery copies: what is open is written aside now and then, so that a crash costs minutes.

Copies are project files in the user's own state folder, never beside the project. Each is locked
by the window that writes it; a copy that nobody holds was left by a crash and is offered at the
next start. Saving, or leaving in the ordinary way, removes it.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from plumbline.core.errors import UserError
from plumbline.core.i18n import tr
from plumbline.core.scene import Camera, Scene
from plumbline.services import paths
from plumbline.services.notifier import Notifier
from plumbline.services.notifier import notifier as default_notifier
from plumbline.services.project import (
    SUFFIX,
    ProjectContent,
    ProjectLock,
    read_project,
    snapshot,
    write_content,
)
from plumbline.services.tasks import TaskRunner

log = logging.getLogger(__name__)

#: Seconds without an edit after which a copy is written early.
IDLE = 20.0
#: Key in the extra values of a copy: the project that it belongs to.
OF_PROJECT = "recovery_of"


@dataclass
class Recovery:
    """A copy that a crash left; holds its lock until restored or discarded.

    Attributes
    ----------
    project : Path, optional
        The project file that it belongs to; None when that was never saved.
    saved_at : str
        When the copy was written, UTC.
    """

    path: Path
    project: Path | None
    saved_at: str
    layers: int
    records: int
    lock: ProjectLock = field(repr=False)

    def restore(self) -> ProjectContent:
        """Return the content to build the scene from; give the recovery to `Autosave.watch`.

        Raises
        ------
        InputError
            If the copy is damaged.
        """
        content = read_project(self.path)
        extra = {key: value for key, value in content.extra.items() if key != OF_PROJECT}
        return replace(content, extra=extra)

    def discard(self) -> None:
        """Remove the copy."""
        _remove(self.path)
        self.lock.release()

    def keep(self) -> None:
        """Leave the copy for another start."""
        self.lock.release()


def recovery_folder() -> Path:
    """Return the folder of recovery copies."""
    folder = paths.state_folder() / "recovery"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def find_recoveries() -> list[Recovery]:
    """Return the copies that crashes left, newest first; those of running windows are not."""
    found = []
    for path in recovery_folder().glob(f"*{SUFFIX}"):
        try:
            lock = ProjectLock(path)
        except UserError:
            continue  # a window that runs holds it
        try:
            content = read_project(path)
        except UserError as error:
            # Killed while the very first copy was written would leave no file under this name;
            # a copy that cannot be read is kept for whoever can mend it, and not offered again.
            log.warning("%s", error)
            with suppress(OSError):
                path.replace(path.with_suffix(".damaged"))
            lock.release()
            continue
        project = content.extra.get(OF_PROJECT)
        found.append(
            Recovery(
                path,
                Path(project) if isinstance(project, str) and project else None,
                content.saved_at,
                len(content.layers),
                len(content.records),
                lock,
            )
        )
    return sorted(found, key=lambda recovery: recovery.saved_at, reverse=True)


class Autosave:
    """Writes recovery copies of the open scene.

    Parameters
    ----------
    runner : TaskRunner
        Writes in its threads.
    minutes : float
        Longest time that edits go without a copy; 0 switches copies off.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        runner: TaskRunner,
        minutes: float = 3.0,
        *,
        notifier: Notifier | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.minutes = minutes
        self._runner = runner
        self._notifier = notifier or default_notifier
        self._clock = clock
        self._scene: Scene | None = None
        self._project: Path | None = None
        self._camera: Callable[[], Camera | None] = lambda: None
        self._copy: Path | None = None
        self._lock: ProjectLock | None = None
        self._first_edit: float | None = None
        self._last_edit = 0.0
        self._writing = False
        self._told = False

    @property
    def copy(self) -> Path | None:
        """The copy of the open scene, None while there is none."""
        return self._copy if self._copy is not None and self._copy.exists() else None

    def watch(
        self,
        scene: Scene,
        project: Path | None,
        camera: Callable[[], Camera | None] = lambda: None,
        recovery: Recovery | None = None,
    ) -> None:
        """Look after another scene; the copy of the last one is removed.

        Parameters
        ----------
        project : Path, optional
            Its file, None before it is saved the first time.
        camera : callable
            Returns the view when a copy is written.
        recovery : Recovery, optional
            The copy that the scene was restored from: kept until the scene is saved.
        """
        self.close()
        self._scene, self._project, self._camera = scene, project, camera
        if recovery is not None:
            self._copy, self._lock = recovery.path, recovery.lock
        scene.history.changed.connect(self._edited)
        scene.modified_changed.connect(self._modified)

    def saved_as(self, project: Path) -> None:
        """Note that the scene has another file now."""
        self._project = project

    def tick(self) -> None:
        """Write a copy when it is time; called every few seconds on the scene's thread."""
        if self._first_edit is None or self.minutes <= 0:
            return
        now = self._clock()
        if now - self._last_edit >= IDLE or now - self._first_edit >= 60 * self.minutes:
            self.write()

    def write(self) -> None:
        """Start writing a copy now, unless one is being written."""
        scene = self._scene
        if scene is None or self._writing:
            return
        extra = {OF_PROJECT: str(self._project) if self._project else ""}
        content = snapshot(scene, self._camera(), extra)
        path = self._claim()
        first, self._first_edit = self._first_edit, None
        self._writing = True

        def done(_nothing: None) -> None:
            self._writing = False
            if scene is not self._scene or self._copy != path:
                _remove(path)  # saved or closed meanwhile

        def stopped() -> None:
            self._writing = False
            if scene is self._scene:  # try again at the next tick
                self._first_edit = self._first_edit or first or self._clock()

        def failed(error: Exception) -> None:
            stopped()
            if not self._told:  # once: it would come again every few seconds
                self._told = True
                self._notifier.warning(tr("No recovery copy could be written."), details=str(error))

        self._runner.submit(
            tr("Recovery copy"),
            lambda _feedback: write_content(content, path),
            done,
            failed,
            stopped,
        )

    def close(self) -> None:
        """Remove the copy: the scene was saved, or its user lets it go."""
        if self._scene is not None:
            self._scene.history.changed.disconnect(self._edited, missing_ok=True)
            self._scene.modified_changed.disconnect(self._modified, missing_ok=True)
        self._scene = None
        self._discard()

    def _claim(self) -> Path:
        """Return the file of this window's copies, locked."""
        if self._copy is None:
            name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}{SUFFIX}"
            self._copy = recovery_folder() / name
            self._lock = ProjectLock(self._copy)
        return self._copy

    def _discard(self) -> None:
        if self._copy is not None:
            _remove(self._copy)
        if self._lock is not None:
            self._lock.release()
        self._copy = self._lock = None
        self._first_edit = None

    def _edited(self) -> None:
        self._last_edit = self._clock()
        if self._first_edit is None:
            self._first_edit = self._last_edit

    def _modified(self, modified: bool) -> None:
        if not modified:
            self._discard()


def _remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-journal"):
        with suppress(OSError):
            path.with_name(name).unlink(missing_ok=True)
