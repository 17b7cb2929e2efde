"""What every test gets: its tier, fresh settings, English, and VTK errors that fail.

Tiers follow the folder, or the end of a file's name where a folder holds several:

    ui        tests/ui, tests/ui_kit, test_*_ui.py, test_*_panel.py    Qt, VTK and a display
    render    tests/render, test_*_render.py                           VTK, no display
    headless  everything else                                          neither Qt nor VTK

Where Qt or VTK is not installed their tiers are not even imported. Where there is no display,
Xvfb is started as soon as a UI test is about to run; of several test processes (`pytest -n 2`) each
starts its own, since they would fight for the mouse. `nightly` and `benchmark` tests run only when
asked for: `pytest -m nightly`, `pytest -m benchmark -s`.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).resolve().parent
ON_REQUEST = ("nightly", "benchmark")
NEEDS = {"ui": ("PySide6", "pyvistaqt", "vtkmodules"), "render": ("vtkmodules", "pyvista")}
ABSENT = {tier for tier, names in NEEDS.items() if not all(map(find_spec, names))}
SCREEN = "1920x1080x24"
#: Name of this process among several of pytest-xdist, empty where it is the only one.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

# pyvistaqt and pytest-qt ask which Qt to use; there is only one.
os.environ.setdefault("QT_API", "pyside6")
os.environ.setdefault("PYTEST_QT_API", "pyside6")

# Threads of linear algebra that meet a loaded machine wait for each other: one request took thirty
# times as long. Set before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A slow machine is no failure, and CI tries the same examples every time.
settings.register_profile("plumbline", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("plumbline")


def tier_of(path: Path) -> str:
    """Return the tier that a test file or a folder of them belongs to."""
    folder = path.relative_to(TESTS).parts[:1] if path.is_relative_to(TESTS) else ()
    if folder in (("ui",), ("ui_kit",)) or path.stem.endswith(("_ui", "_panel")):
        return "ui"
    return "render" if folder == ("render",) or path.stem.endswith("_render") else "headless"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the folders and files of tiers that cannot run here."""
    return True if tier_of(collection_path) in ABSENT else None


def pytest_report_header() -> list[str]:
    """Say which tiers are left out, so that nobody takes a part for the whole."""
    return [
        f"tier left out: {tier} (not installed: {', '.join(NEEDS[tier])})"
        for tier in sorted(ABSENT)
    ]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the test with its tier, before -m is applied."""
    own = next((t for t in ("render", "ui") if item.get_closest_marker(t)), None)
    tier = own or tier_of(item.path)
    item.add_marker(tier)
    if tier in ABSENT:
        item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(NEEDS[tier])}"))
    if "benchmarks" in item.path.parts:
        item.add_marker("benchmark")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out long tests unless -m names them."""
    asked = str(config.option.markexpr)
    barred = [name for name in ON_REQUEST if name not in asked]
    left_out = [item for item in items if any(map(item.get_closest_marker, barred))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


# --- display ----------------------------------------------------------------------------------


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start Xvfb if a UI test is about to run and there is no display."""
    wanted = any(item.get_closest_marker("ui") for item in session.items)
    if wanted and not session.config.option.collectonly and sys.platform.startswith("linux"):
        if WORKER or not os.environ.get("DISPLAY"):
            session.config.add_cleanup(start_display())
        os.environ.setdefault("QT_QPA_PLATFORM", "xcb")


def start_display() -> object:
    """Start Xvfb on a free display and return the function that ends it."""
    program = shutil.which("Xvfb")
    if program is None:
        raise pytest.UsageError(
            "The UI tests need a display or Xvfb: run them with "
            "`python3 installer/bootstrap.py test`, or leave them out with -m 'not ui'."
        )
    reading, writing = os.pipe()
    command = [program, "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    server = subprocess.Popen(
        command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    if not number:
        raise pytest.UsageError(f"Xvfb did not start (exit code {server.wait()}).")
    os.environ["DISPLAY"] = f":{number}"

    def stop() -> None:
        server.terminate()
        server.wait(timeout=10)

    return stop


# --- every test ---------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _fresh_settings(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give settings, logs and caches an empty folder, and the language English."""
    from plumbline.core.i18n import translator

    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path_factory.mktemp("home")))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, "C.UTF-8")
    translator.set_language("en")
    yield
    translator.set_language("en")


@pytest.fixture(autouse=True)
def _strict_graphics(request: pytest.FixtureRequest) -> Iterator[None]:
    """In the render and ui tiers VTK errors fail, and plotters and widgets die with their test."""
    if request.node.get_closest_marker("headless"):
        yield
        return
    errors: list[str] = []
    _listen_to_vtk(errors)
    yield
    _close_graphics()
    _listen_to_vtk(None)
    if errors:
        pytest.fail("VTK reported errors:\n" + "\n".join(errors), pytrace=False)


def _listen_to_vtk(errors: list[str] | None) -> None:
    """Collect what VTK reports as an error, or go back to its own output window."""
    from vtkmodules.util.misc import calldata_type
    from vtkmodules.util.vtkConstants import VTK_STRING
    from vtkmodules.vtkCommonCore import vtkOutputWindow, vtkStringOutputWindow

    if errors is None:
        vtkOutputWindow.SetInstance(None)
        return

    @calldata_type(VTK_STRING)
    def note(_caller: object, _event: str, message: str) -> None:
        errors.append(message)

    window = vtkStringOutputWindow()
    window.AddObserver("ErrorEvent", note)
    vtkOutputWindow.SetInstance(window)


def _close_graphics() -> None:
    """Close every plotter and delete every widget that the test has left."""
    if "pyvista" in sys.modules:
        sys.modules["pyvista"].close_all()
    if "PySide6.QtWidgets" in sys.modules:
        from PySide6.QtCore import QEvent
        from PySide6.QtWidgets import QApplication

        application = QApplication.instance()
        if isinstance(application, QApplication):
            for widget in application.topLevelWidgets():
                widget.deleteLater()
            application.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            application.processEvents()
    gc.collect()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data, or skip: it is not part of the project."""
    beside = TESTS.parents[1] / "shared" / "data"
    folder = Path(os.environ.get("PLUMBLINE_REAL_DATA", beside))
    if not folder.is_dir():
        pytest.skip("real data not present")
    return folder


@pytest.fixture(scope="session")
def demo_district(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the demo district, built once per session; read it, never write it.

    Of several test processes the first builds it and the others wait.
    """
    from plumbline import demo

    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if WORKER else own) / "demo"
    district, ended = shared / "district", shared / "ended"
    try:
        shared.mkdir()
    except FileExistsError:
        while not ended.exists():
            time.sleep(0.2)
    else:
        try:
            demo.build(district)
        finally:
            ended.touch()
    return district
