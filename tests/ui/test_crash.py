"""A window that is killed with unsaved work: the next one offers it and brings it back."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import geopandas
from shapely.geometry import box

from .hand import Hand

#: Opens a file, keeps a viewpoint, writes the recovery copy, and dies as a power cut would kill it.
VICTIM = """
import os, signal, sys
from pathlib import Path
from PySide6.QtTest import QTest
from plumbline.api import Viewpoint
from plumbline.ui.app import make_application, make_window
app = make_application()
window = make_window(app)
window.show()
session = window.session
session.open_paths([Path(sys.argv[1])])
while session.tasks.tasks or not len(session.scene):
    QTest.qWait(20)
session.scene.set_viewpoints([Viewpoint("撞前", window.canvas.camera())])
session.autosave.write()
while session.tasks.tasks:
    QTest.qWait(20)
assert session.autosave.copy is not None
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_unsaved_work_survives_a_kill(open_window: Callable[..., Hand], tmp_path: Path) -> None:
    path = tmp_path / "地块.geojson"
    frame = geopandas.GeoDataFrame(
        {"编号": ["A1"]}, geometry=[box(120, 36, 120.01, 36.01)], crs=4326
    )
    frame.to_file(path)
    victim = subprocess.run(
        [sys.executable, "-c", VICTIM, str(path)], capture_output=True, text=True, timeout=120
    )
    assert victim.returncode == -signal.SIGKILL, victim.stderr

    hand = open_window()
    session = hand.window.session
    session.answers["recovery"] = "restore"
    session.offer_recoveries()
    hand.rest(60)
    assert [v.name for v in hand.window.scene.viewpoints] == ["撞前"]
    assert len(hand.window.scene) == 1
    assert hand.window.scene.modified, "it is not saved yet, and the window must say so"
    copy = session.autosave.copy
    assert copy is not None

    # Saved under a name, the copy has done its duty.
    session.answers["save_as"] = str(tmp_path / "gerettet")
    session.save()
    hand.rest(60)
    assert session.name == "gerettet"
    assert not copy.exists()
