"""Runs the command line in this process (fast) or in a child (exit codes, streams, signals)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from plumbline.cli.main import main


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output; anything else there fails."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Run = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture
def child() -> Run:
    """Run a command as a process of its own, without a display."""

    def run(*arguments: object, **variables: str) -> Outcome:
        environment = {
            k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")
        }
        done = subprocess.run(
            [sys.executable, "-m", "plumbline", *map(str, arguments)],
            capture_output=True,
            env=environment | variables,
            timeout=120,
        )
        return Outcome(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))

    return run


def write_terrain(path: Path, crs: str | None = "EPSG:4549") -> Path:
    """Write a plane of heights, 60 by 40 cells of 2 m, that rises by 0.25 to the east."""
    heights = np.tile(50 + 0.25 * (np.arange(60) + 0.5) * 2, (40, 1)).astype("float32")
    with rasterio.open(
        path, "w", driver="GTiff", width=60, height=40, count=1, dtype="float32", crs=crs,
        transform=Affine(2, 0, 534_000, 0, -2, 3_994_000),
    ) as file:  # fmt: skip
        file.write(heights, 1)
    return path


@pytest.fixture
def terrain(tmp_path: Path) -> Path:
    """Return a terrain raster in EPSG:4549 in a folder with a space and Chinese characters."""
    folder = tmp_path / "资料 data"
    folder.mkdir()
    return write_terrain(folder / "地形 dem.tif")


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Return a triangle as OBJ, which says no CRS."""
    path = tmp_path / "box.obj"
    path.write_text("v 534010 3993990 5\nv 534020 3993990 5\nv 534010 3993980 9\nf 1 2 3\n")
    return path
