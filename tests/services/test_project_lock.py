"""One window per project, and no lock outlives its process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.core.errors import InputError
from plumbline.services.project import ProjectLock

HOLD = """
import sys
from pathlib import Path
from plumbline.services.project import ProjectLock
lock = ProjectLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "项目 p.plumb.gpkg"


def test_the_second_window_is_told_who_has_it(project: Path) -> None:
    with ProjectLock(project) as lock:
        assert lock.path.exists()
        with pytest.raises(InputError, match=f"process {os.getpid()} on"):
            ProjectLock(project)
        ProjectLock(project.with_name("other.plumb.gpkg")).release()
    assert list(project.parent.iterdir()) == []
    lock.release()
    ProjectLock(project).release()


def test_another_process_holds_it_until_it_dies(project: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(project)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline().strip() == b"held"
    with pytest.raises(InputError, match=f"process {child.pid} on"):
        ProjectLock(project)
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    left = [p.name for p in project.parent.iterdir()]
    assert left == [f".{project.name}.lock"]  # stale, and no obstacle
    with ProjectLock(project), pytest.raises(InputError, match=f"process {os.getpid()} on"):
        ProjectLock(project)
    assert list(project.parent.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "\x00" * 3000])
def test_a_lock_file_with_anything_in_it(project: Path, text: str) -> None:
    path = project.with_name(f".{project.name}.lock")
    path.write_text(text, encoding="utf-8")
    with ProjectLock(project):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="another process"):
            ProjectLock(project)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        ProjectLock(tmp_path / "none" / "p.plumb.gpkg")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_project_on_a_read_only_medium_can_be_looked_at(
    project: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="cannot be opened"):
        ProjectLock(project)  # there is no project to look at
    monkeypatch.undo()
    project.write_bytes(b"")
    monkeypatch.setattr(Path, "open", refuse)
    with ProjectLock(project) as lock:
        assert not lock.writable
        ProjectLock(project).release()
