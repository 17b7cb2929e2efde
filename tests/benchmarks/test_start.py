"""From start to an interactive window, against importing the same libraries and an empty canvas.

Both are whole processes, timed by themselves from their start to the first drawn frame, in turn;
the ratio of medians is printed, nothing is asserted on times.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

import pytest

RUNS = 5

#: What any program with this canvas pays: the imports, a window, a first frame.
EMPTY = """
import time; start = time.perf_counter()
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow
import vtk
from pyvistaqt import QtInteractor
app = QApplication([])
window = QMainWindow(); window.resize(1600, 1000)
canvas = QtInteractor(window, auto_update=False)
window.setCentralWidget(canvas); window.show()
def drawn():
    canvas.ren_win.Render()
    print(time.perf_counter() - start, flush=True)
    canvas.close(); app.quit()
QTimer.singleShot(0, drawn)
app.exec()
"""

PLUMBLINE = """
import time; start = time.perf_counter()
from PySide6.QtCore import QTimer
from plumbline.ui.app import make_application, make_window
app = make_application()
window = make_window(app)
window.session.new("EPSG:4549")
def drawn(seconds):
    print(time.perf_counter() - start, flush=True)
    window.canvas.frame_drawn.disconnect(drawn)
    QTimer.singleShot(0, lambda: (window.scene.mark_modified(False), window.close(), app.quit()))
window.canvas.frame_drawn.connect(drawn)
window.show()
window.canvas.interactor.render()
app.exec()
"""


def _seconds(program: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    return float(done.stdout.split()[0])


@pytest.mark.benchmark
@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="needs a display")
def test_start_against_an_empty_canvas(capsys: pytest.CaptureFixture[str]) -> None:
    """Print the medians of both and their ratio."""
    _seconds(EMPTY), _seconds(PLUMBLINE)  # warm the file cache
    pairs = [(_seconds(EMPTY), _seconds(PLUMBLINE)) for _ in range(RUNS)]
    empty, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    with capsys.disabled():
        print(f"\nempty canvas {empty:.2f} s, Plumbline {ours:.2f} s, ratio {ours / empty:.2f}")
    assert ours > 0
