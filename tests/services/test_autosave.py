"""Recovery copies: written when it is time, gone when not needed, found after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from plumbline.core.errors import InputError
from plumbline.core.scene import Camera, Scene, Viewpoint
from plumbline.services import autosave as module
from plumbline.services.autosave import IDLE, Autosave, find_recoveries, recovery_folder
from plumbline.services.notifier import Notifier
from plumbline.services.project import build_scene, load_entry, open_project, save_project
from plumbline.services.tasks import TaskRunner


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def notifier() -> Notifier:
    return Notifier()


@pytest.fixture
def runner(notifier: Notifier) -> Iterator[TaskRunner]:
    runner = TaskRunner(notifier=notifier)
    yield runner
    assert runner.close(10)


@pytest.fixture
def autosave(runner: TaskRunner, clock: Clock, notifier: Notifier) -> Iterator[Autosave]:
    autosave = Autosave(runner, minutes=3, clock=clock, notifier=notifier)
    yield autosave
    autosave.close()
    assert list(recovery_folder().iterdir()) == []


def edit(scene: Scene, name: str, camera: Camera) -> None:
    scene.set_viewpoints([*scene.viewpoints, Viewpoint(name, camera)])


def test_a_copy_comes_when_the_hands_rest(
    autosave: Autosave, runner: TaskRunner, clock: Clock, scene: Scene, camera: Camera
) -> None:
    autosave.watch(scene, None)
    clock.now += 1000
    autosave.tick()
    runner.wait(10)
    assert autosave.copy is None  # nothing was edited
    edit(scene, "a", camera)
    clock.now += IDLE - 1
    autosave.tick()
    assert runner.tasks == []
    clock.now += 1
    autosave.tick()
    assert runner.wait(10)
    assert autosave.copy is not None
    assert autosave.copy.is_relative_to(recovery_folder())
    again, warnings, _ = open_project(autosave.copy)
    assert warnings == []
    assert again.viewpoints == scene.viewpoints
    assert scene.modified  # a copy is not a save


def test_a_copy_comes_in_time_even_when_edits_never_stop(
    autosave: Autosave, runner: TaskRunner, clock: Clock, scene: Scene, camera: Camera
) -> None:
    autosave.watch(scene, None)
    written = 0
    for n in range(60):
        edit(scene, str(n), camera)
        clock.now += 10
        autosave.tick()
        written += bool(runner.tasks)
        runner.wait(10)
    assert written == 60 * 10 // (3 * 60 + 10)


def test_zero_minutes_switch_it_off(
    autosave: Autosave, runner: TaskRunner, clock: Clock, scene: Scene, camera: Camera
) -> None:
    autosave.minutes = 0
    autosave.watch(scene, None)
    edit(scene, "a", camera)
    clock.now += 10_000
    autosave.tick()
    assert runner.tasks == []


def test_saving_removes_the_copy(
    autosave: Autosave, runner: TaskRunner, scene: Scene, camera: Camera, tmp_path: Path
) -> None:
    autosave.watch(scene, None)
    edit(scene, "a", camera)
    autosave.write()
    runner.wait(10)
    assert autosave.copy is not None
    save_project(scene, tmp_path / "p.plumb.gpkg")
    assert autosave.copy is None
    assert list(recovery_folder().iterdir()) == []


def test_a_copy_that_ends_after_the_save_is_removed_too(
    autosave: Autosave, runner: TaskRunner, scene: Scene, camera: Camera, tmp_path: Path
) -> None:
    autosave.watch(scene, None)
    edit(scene, "a", camera)
    autosave.write()
    save_project(scene, tmp_path / "p.plumb.gpkg")
    runner.wait(10)
    assert [p for p in recovery_folder().iterdir() if p.suffix == ".gpkg"] == []


def test_another_scene_takes_over(
    autosave: Autosave, runner: TaskRunner, scene: Scene, camera: Camera
) -> None:
    autosave.watch(scene, None)
    edit(scene, "a", camera)
    autosave.write()
    runner.wait(10)
    other = Scene()
    autosave.watch(other, None)
    assert autosave.copy is None
    edit(scene, "b", camera)
    autosave.tick()
    assert runner.tasks == []


def test_a_failure_is_told_once_and_tried_again(
    autosave: Autosave,
    runner: TaskRunner,
    clock: Clock,
    notifier: Notifier,
    scene: Scene,
    camera: Camera,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_args: object) -> None:
        raise InputError("The disk is full.")

    with monkeypatch.context() as faulty:
        faulty.setattr(module, "write_content", full)
        autosave.watch(scene, None)
        edit(scene, "a", camera)
        for _ in range(3):
            clock.now += IDLE
            autosave.tick()
            runner.wait(10)
    assert [n.message for n in notifier.notifications] == ["No recovery copy could be written."]
    clock.now += IDLE
    autosave.tick()
    runner.wait(10)
    assert autosave.copy is not None


def test_a_copy_that_was_cancelled_is_tried_again_in_silence(
    runner: TaskRunner, clock: Clock, notifier: Notifier, scene: Scene, camera: Camera
) -> None:
    busy = TaskRunner(notifier=notifier, threads=1)
    release = threading.Event()
    autosave = Autosave(busy, clock=clock, notifier=notifier)
    autosave.watch(scene, None)
    edit(scene, "a", camera)
    busy.submit("Long", lambda _feedback: release.wait(30))
    clock.now += IDLE
    autosave.tick()
    busy.cancel_all()  # what opening another project does
    release.set()
    assert busy.wait(10)
    assert autosave.copy is None
    autosave.tick()
    assert busy.wait(10)
    assert autosave.copy is not None
    assert notifier.notifications == []
    autosave.close()
    assert busy.close(10)


def test_a_running_window_keeps_its_copy(
    autosave: Autosave, runner: TaskRunner, scene: Scene, camera: Camera
) -> None:
    autosave.watch(scene, None)
    edit(scene, "a", camera)
    autosave.write()
    runner.wait(10)
    assert find_recoveries() == []


CRASH = """
import sys
from pathlib import Path
from plumbline.services.autosave import Autosave
from plumbline.services.project import open_project
from plumbline.services.tasks import TaskRunner
from plumbline.core.scene import Camera, Viewpoint
path = Path(sys.argv[1])
scene, _, camera = open_project(path)
runner = TaskRunner()
autosave = Autosave(runner)
autosave.watch(scene, path, lambda: camera)
for n in range(5):
    scene.set_viewpoints([*scene.viewpoints, Viewpoint(f"v{n}", camera)])
    scene.rename("tower", f"T{n}")
    autosave.write()
    runner.wait()
print("ready", flush=True)
sys.stdin.read()
"""


def crash(project: Path) -> None:
    """Open and edit a project in a child with recovery copies, and kill it."""
    child = subprocess.Popen(
        [sys.executable, "-c", CRASH, str(project)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline().strip() == b"ready"
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()


def test_nothing_is_lost_in_a_crash(
    autosave: Autosave, runner: TaskRunner, scene: Scene, camera: Camera, tmp_path: Path
) -> None:
    project = tmp_path / "项目.plumb.gpkg"
    save_project(scene, project, camera)
    crash(project)
    (recovery,) = find_recoveries()
    assert recovery.project == project
    assert (recovery.layers, recovery.records) == (2, 2)
    assert recovery.saved_at.endswith("Z")
    content = recovery.restore()
    assert content.extra == {}
    assert content.camera == camera
    again = build_scene(content)
    autosave.watch(again, recovery.project, recovery=recovery)
    again.mark_modified()
    assert [v.name for v in again.viewpoints] == ["海边", *(f"v{n}" for n in range(5))]
    assert autosave.copy == recovery.path  # until it is saved
    for entry in again.absent:
        again.arrive(load_entry(entry, content.georeference))
    assert again["tower"].name == "T4"
    save_project(again, project)
    assert autosave.copy is None
    assert find_recoveries() == []
    final, warnings, _ = open_project(project)
    assert warnings == []
    assert len(final.viewpoints) == 6


def test_restored_and_saved_before_stored_layers_arrive(
    autosave: Autosave, scene: Scene, camera: Camera, tmp_path: Path
) -> None:
    """Data inside the copy go into the project although nobody has loaded them yet."""
    project = tmp_path / "p.plumb.gpkg"
    save_project(scene, project, camera)
    crash(project)
    (recovery,) = find_recoveries()
    restored = build_scene(recovery.restore())
    project.unlink()
    save_project(restored, project)
    recovery.discard()
    final, warnings, _ = open_project(project)
    assert warnings == []
    vertices = final["tower"].data.vertices
    np.testing.assert_array_equal(vertices, scene["tower"].data.vertices)


def test_a_recovery_can_wait_or_be_discarded(scene: Scene, camera: Camera, tmp_path: Path) -> None:
    project = tmp_path / "p.plumb.gpkg"
    save_project(scene, project, camera)
    crash(project)
    (recovery,) = find_recoveries()
    assert find_recoveries() == []  # held by this window
    recovery.keep()
    (recovery,) = find_recoveries()
    recovery.discard()
    assert find_recoveries() == []
    assert list(recovery_folder().iterdir()) == []


def test_a_copy_that_cannot_be_read_is_kept_but_not_offered() -> None:
    broken = recovery_folder() / "1-ffffffff.plumb.gpkg"
    broken.write_bytes(b"SQLite format 3\0 and then nothing")
    assert find_recoveries() == []
    assert find_recoveries() == []
    kept = [p for p in recovery_folder().iterdir() if not p.name.startswith(".")]
    assert [p.suffix for p in kept] == [".damaged"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_the_kill_is_a_kill() -> None:
    """The child above dies by SIGKILL, not by an error of its own."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
