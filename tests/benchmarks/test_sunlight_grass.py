"""Hours of sun on a grid of 1 m against GRASS `r.sun`, which casts along a raster at every step.

`pytest -m benchmark -s tests/benchmarks/test_sunlight_grass.py`; a square kilometre with
``PLUMBLINE_FULL=1``. Both follow the sun from sunrise to sunset in steps of a minute, on one
thread; seconds are those of the processor. GRASS sees the city as a raster of heights, whose walls
lean over a cell, and one declination all day: cells beside a wall differ, others agree to minutes.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import time
from datetime import date, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy.ndimage import binary_dilation
from sunlight_city import city

from plumbline.core.georeference import Georeference
from plumbline.geometry import sunlight
from plumbline.geometry.frame import Frame
from plumbline.geometry.sun import Place, solar_day, sun_positions
from plumbline.geometry.sunlight import Band, Occluder, Receivers, lit_periods, sun_tracks

#: On the middle meridian of its zone, where grid north is true north: r.sun knows no convergence.
X, Y = 500_000.0, 4_000_000.0
FRAME = Frame.of(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
DAY, BEIJING = date(2001, 1, 20), timezone(timedelta(hours=8))

SCRIPT = """
set -e
r.in.gdal -o input={folder}/dsm.tif output=dsm --quiet
g.region raster=dsm
TIMEFORMAT='seconds %U'
time r.sun elevation=dsm insol_time=hours day=20 declination={declination} step={step} --quiet
r.out.bin -f input=hours output={folder}/hours.bin bytes=8 null=-1 --quiet
"""


def heights(side: int, corners: np.ndarray, feet: np.ndarray) -> np.ndarray:
    """Return the city as heights of cells of 1 m, the southern row first."""
    middle = np.arange(side) + 0.5
    grid = np.zeros((side, side))
    for (x0, y0, x1, y1), top in zip(feet, corners[: len(feet), :, 2].max(axis=1), strict=True):
        inside = np.ix_((middle >= y0) & (middle <= y1), (middle >= x0) & (middle <= x1))
        grid[inside] = top
    return grid


def grass(grid: np.ndarray, declination: float, folder: Path) -> tuple[np.ndarray, float]:
    """Return the hours that r.sun gives, the southern row first, and its seconds."""
    side = len(grid)
    transform = rasterio.Affine(1, 0, X, 0, -1, Y + side)
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 1, "dtype": "float64"}
    with rasterio.open(
        folder / "dsm.tif", "w", crs="EPSG:4549", transform=transform, **profile
    ) as file:
        file.write(grid[::-1], 1)
    script = folder / "run.sh"
    script.write_text(
        SCRIPT.format(folder=folder, declination=math.radians(declination), step=1 / 60)
    )
    command = ["grass", "--tmp-location", "EPSG:4549", "--exec", "bash", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = re.search(r"seconds ([\d.]+)", done.stderr)
    assert seconds is not None, done.stderr
    hours = np.fromfile(folder / "hours.bin").reshape(side, side)[::-1]
    return hours, float(seconds[1])


def ours(grid: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the hours of all cells, and the seconds."""
    side = len(grid)
    x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    points = np.column_stack([x.ravel(), y.ravel(), grid.ravel()])
    band = Band(DAY, 0.0, 86_400.0, clock="civil", zone=BEIJING)
    flat = corners.reshape(-1, 3)
    occluder = Occluder(flat, np.arange(len(flat)).reshape(-1, 3))
    few = Receivers(points[:4000])
    lit_periods(occluder, few, sun_tracks(FRAME, few.points, band), workers=1)  # compiles
    occluder.tree = None
    start = time.process_time()
    lit = lit_periods(occluder, Receivers(points), sun_tracks(FRAME, points, band), workers=1)
    seconds = time.process_time() - start
    return (lit.seconds() / 3600).reshape(side, side), seconds


@pytest.mark.timeout(7200)
@pytest.mark.skipif(shutil.which("grass") is None, reason="GRASS is not installed")
def test_hours_on_a_grid_against_r_sun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    side = 1000 if os.environ.get("PLUMBLINE_FULL") else 200
    monkeypatch.setattr(sunlight, "FEW", 0)
    corners, feet = city(float(side))
    inside = (feet[:, 2:] <= side).all(axis=1)
    corners = corners.reshape(-1, len(feet), 3, 3)[:, inside].reshape(-1, 3, 3)
    feet = feet[inside]
    grid = heights(side, corners, feet)
    place = Place.of(FRAME.georeference, X + side / 2, Y + side / 2)
    noon = sun_positions([solar_day(DAY, place).transit], place)
    declination = place.latitude - 90 + float(noon.elevation_true[0])
    theirs, their_seconds = grass(grid, declination, tmp_path)
    mine, seconds = ours(grid, corners)
    edge = np.abs(np.diff(grid, axis=0, prepend=0)) + np.abs(np.diff(grid, axis=1, prepend=0)) > 0
    level = ~binary_dilation(edge, iterations=3)
    minutes = np.abs(mine - theirs)[level] * 60
    print(
        f"\n{side} x {side} cells, {len(corners)} triangles: {seconds:.2f} s, r.sun "
        f"{their_seconds:.2f} s, ratio {their_seconds / seconds:.1f}; away from walls the hours "
        f"differ by {np.median(minutes):.1f} min in the middle, by less than "
        f"{np.quantile(minutes, 0.95):.1f} min on 95 % of the cells; mean "
        f"{mine[level].mean():.3f} h and {theirs[level].mean():.3f} h"
    )
    assert np.median(minutes) < 6
    assert abs(mine[level].mean() - theirs[level].mean()) < 0.1
    assert their_seconds / seconds > 5
