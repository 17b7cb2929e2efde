"""A child process hands over its answer, and takes nothing with it when it dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline.core.errors import CancelledError, InputError, RefusedError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import translator
from plumbline.io.child import (
    CHILD_FLAG,
    ChildDefectError,
    ChildResult,
    child_command,
    run_in_child,
)

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def temp_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put temporary folders where the test sees whether they are cleared away."""
    folder = tmp_path / "temp 临时"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    yield folder
    assert [f.name for f in folder.iterdir() if f.name != "pid"] == []


def run(name: str, feedback: Feedback | None = None, /, **args: Any) -> ChildResult:
    """Run one of the functions in `child_workers`."""
    options = {key: args.pop(key) for key in ("memory", "patience") if key in args}
    return run_in_child(f"child_workers:{name}", args, feedback, subject="屋 x.ifc", **options)


def test_answer_comes_back_with_progress() -> None:
    """Arrays keep their numbers, progress arrives in order, the child stays light."""
    seen: list[tuple[float, str]] = []
    feedback = Feedback(lambda fraction, text: seen.append((fraction, text)))
    result = run("double", feedback, name="准绳", numbers=[1, 2])
    assert result.document["name"] == "准绳"
    np.testing.assert_array_equal(result.arrays["twice"], [2.0, 4.0])
    assert seen == [(0.25, "a quarter"), (0.5, "half")]
    heavy = {"PySide6", "vtkmodules", "vtk", "pyvista", "geopandas", "pydantic", "matplotlib"}
    assert heavy.isdisjoint(m.split(".")[0] for m in result.document["modules"])


def test_frozen_application_is_its_own_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an interpreter beside it the application starts itself, by its own entry point."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert child_command() == [sys.executable, CHILD_FLAG]
    command = [sys.executable, "-m", "plumbline", CHILD_FLAG]
    monkeypatch.setattr("plumbline.io.child.child_command", lambda: command)
    document = run("double", name="n", numbers=[]).document
    assert "plumbline.cli.main" not in document["modules"]


def test_given_folder_is_the_callers(tmp_path: Path) -> None:
    """The caller's folder keeps the answer, which can be read again."""
    folder = tmp_path / "kept"
    folder.mkdir()
    run_in_child("child_workers:double", {"name": "n", "numbers": [3]}, subject="x", folder=folder)
    np.testing.assert_array_equal(ChildResult.read(folder).arrays["twice"], [6.0])


def test_given_folder_goes_with_a_failure(tmp_path: Path) -> None:
    """A half-written answer is no answer."""
    folder = tmp_path / "kept"
    folder.mkdir()
    with pytest.raises(InputError):
        run_in_child("child_workers:die", {}, subject="x", folder=folder)
    assert not folder.exists()


def test_crash_is_an_input_error() -> None:
    """A child that aborts is an error that names the file and the reason."""
    with pytest.raises(InputError, match=r"屋 x\.ifc.*(SIGABRT|exit code)"):
        run("die")


@pytest.mark.parametrize("code", [0, 3])
def test_silent_end_is_an_input_error(code: int) -> None:
    """A child that ends without an answer has crashed, whatever its exit code."""
    with pytest.raises(InputError, match=f"exit code {code}"):
        run("leave", code=code)


def test_user_error_keeps_all_its_parts() -> None:
    """Message, hint, details and class cross the border."""
    with pytest.raises(RefusedError) as caught:
        run("refuse", kind="refused")
    assert caught.value.message == "坏文件 is bad."
    assert caught.value.hint == "Mend it."
    assert caught.value.details == "byte 7"


@pytest.mark.parametrize(("name", "says"), [("fail", "ZeroDivisionError"), ("nan", "ValueError")])
def test_defect_is_no_input_error(name: str, says: str) -> None:
    """What is our fault is not blamed on the file."""
    with pytest.raises(ChildDefectError, match=says):
        run(name)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_memory_is_capped() -> None:
    """A child that wants more than allowed is stopped with a clear error."""
    with pytest.raises(InputError, match="more memory"):
        run("gorge", bytes=3 * 1024**3, memory=2 * 1024**3)


def test_cancel_kills_at_once(temp_folder: Path) -> None:
    """Cancelling does not wait for the child to notice."""
    feedback = Feedback()
    started = threading.Event()
    caught: list[BaseException] = []

    def work() -> None:
        try:
            report = Feedback(lambda f, t: started.set(), feedback._cancel)
            run("sleep", report)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(20)
    before = time.monotonic()
    feedback.cancel()
    thread.join(10)
    assert time.monotonic() - before < 2
    assert [type(error) for error in caught] == [CancelledError]
    assert not alive(int((temp_folder / "pid").read_text()))


def test_cancelled_before_the_start_starts_nothing(temp_folder: Path) -> None:
    """A task that was cancelled in the queue costs nothing."""
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        run("sleep", feedback)
    assert not (temp_folder / "pid").exists()


def test_silence_is_not_waited_for_without_end() -> None:
    """A child that hangs is stopped after the patience given."""
    with pytest.raises(InputError, match="standstill"):
        run("sleep", patience=1.5)


def test_child_speaks_the_language_of_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts made in the child are in the language that the user chose."""
    old = translator.language
    translator.set_language("zh_CN")
    try:
        with pytest.raises(InputError, match="崩溃"):
            run("die")
    finally:
        translator.set_language(old)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_child_dies_with_its_parent(temp_folder: Path, tmp_path: Path) -> None:
    """A killed parent leaves no child that works on for nobody."""
    script = (
        "import sys, tempfile\n"
        "tempfile.tempdir = sys.argv[1]\n"
        "from plumbline.io.child import run_in_child\n"
        "run_in_child('child_workers:sleep', {}, subject='x')\n"
    )
    temp = tmp_path / "other"
    temp.mkdir()
    parent = subprocess.Popen([sys.executable, "-c", script, str(temp)])
    pid_file = temp / "pid"
    wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(int(pid_file.read_text())))


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)
