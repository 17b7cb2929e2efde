"""``kill -9`` at random moments of saving never leaves a project that does not open."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import geopandas as gpd
import numpy as np
import pytest

from plumbline.core.data import VectorData
from plumbline.core.georeference import Georeference
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.scene import Record, Scene
from plumbline.services.project import open_project, read_project, save_project

pytestmark = [
    pytest.mark.slow,
    # The child only saves until it dies; threads of libraries that it lacks are not missed.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
    pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL"),
]


def state(n: int) -> Scene:
    """Return a scene that says n in three tables, so that a mixed state shows."""
    georeference = Georeference.from_text("EPSG:4549")
    scene = Scene(georeference)
    points = gpd.points_from_xy(np.arange(n % 50 + 1.0), np.zeros(n % 50 + 1))
    frame = gpd.GeoDataFrame({"n": [n] * len(points)}, geometry=points, crs=georeference.crs)
    scene.add(Layer("result", "R", LayerKind.RESULT, VectorData(frame), georeference.crs))
    line = ((0.0, 0.0, 0.0), (float(n), 0.0, 0.0))
    scene.set_records(Record(f"r{n}-{i}", "R", {}, {}, line) for i in range(n % 40 + 1))
    return scene


def save_until_killed(path: Path, start: int, said: int) -> NoReturn:
    """Save one state after the other; say each number once it is saved."""
    try:
        n = start
        while True:
            n += 1
            save_project(state(n), path, extra={"n": n})
            os.write(said, f"{n}\n".encode())
    finally:
        os._exit(1)


def killed_while_saving(path: Path, start: int, seconds: float, saves: int = 1) -> int:
    """Let a child save some times and go on, kill it a moment later; return the last it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        save_until_killed(path, start, writing)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = [stream.readline() for _ in range(saves)]
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        said += stream.readlines()
    assert os.WIFSIGNALED(status), "the child failed before it was killed"
    numbers = [int(line) for line in said if line.endswith("\n")]
    return numbers[-1] if numbers else start


def check(path: Path, at_least: int) -> int:
    """Open the project; its parts must belong to one save, at least as new as was said."""
    content = read_project(path)
    n = int(content.extra["n"])
    assert n >= at_least
    assert len(content.records) == n % 40 + 1
    assert content.records[0].id == f"r{n}-0"
    scene, warnings, _ = open_project(path)
    assert warnings == []
    frame = scene["result"].data.features
    assert frame["n"].tolist() == [n] * (n % 50 + 1)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        lines = db.execute("SELECT count(*) FROM measurements").fetchone()
    assert lines == (n % 40 + 1,)
    return n


def test_fifty_kills_while_saving(tmp_path: Path) -> None:
    path = tmp_path / "p.plumb.gpkg"
    save_project(state(0), path, extra={"n": 0})
    chance = random.Random(20261120)
    n = rolled_back = 0
    for _ in range(50):
        said = killed_while_saving(path, n, chance.uniform(0.0, 0.05))
        rolled_back += path.with_name(path.name + "-journal").exists()
        n = check(path, said)
    assert rolled_back > 5, "the kills did not hit saves"


def test_kills_while_a_new_file_is_written(tmp_path: Path) -> None:
    chance = random.Random(7)
    for n in range(10):
        path = tmp_path / f"{n}.plumb.gpkg"
        killed_while_saving(path, 0, chance.uniform(0.0, 0.06), saves=0)
        if path.exists():
            check(path, 1)
