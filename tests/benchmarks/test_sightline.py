"""Viewsheds against GRASS GIS, GDAL and bare Embree, as ratios measured in one run.

`pytest -m benchmark -s tests/benchmarks/test_sightline.py`; GRASS (Debian: grass-core) and GDAL's
programs (gdal-bin) are compared with where they are installed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline import api
from plumbline.core.georeference import Georeference
from plumbline.geometry.occlusion import blocked, threads_here
from plumbline.geometry.raycast import EmbreeCaster
from plumbline.geometry.viewshed import GridView, needed_heights
from plumbline.io.writers import write_raster

CELL = 10.0
WEST, NORTH = 500_000.0, 4_000_000.0
CRS = "EPSG:32650"

GRASS = """
r.in.gdal -o input={path} output=dem --overwrite --q
g.region raster=dem
start=$(date +%s.%N)
r.viewshed -b input=dem output=seen coordinates={x},{y} observer_elevation=1.7 \
    target_elevation=0 memory=6000 --overwrite --q
end=$(date +%s.%N)
r.out.gdal input=seen output={out} type=Byte --overwrite --q
echo "took $start $end"
"""

MEMORY = """
import sys
from plumbline import api
from plumbline.core.georeference import Georeference

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("VmHWM"))

scene = api.Scene(Georeference.from_text("EPSG:32650", (5e5, 4e6, 0.0)))
for name, path in (("small", sys.argv[1]), ("large", sys.argv[2])):
    scene.add(api.load(path, layer_id=name, digest=False)[0])
    params = {"observer": [float(v) for v in sys.argv[3:5]], "surface": name}
    api.run("sightline.viewshed", scene, **params)
    print(peak())
"""


def shortest(
    work: Callable[[], Any], runs: int = 3, clock: Callable[[], float] = time.perf_counter
) -> float:
    times = []
    for _ in range(runs):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def fractal(n: int) -> np.ndarray:
    """Return mountains of 600 m with a power spectrum, in n by n cells."""
    noise = np.fft.rfft2(np.random.default_rng(7).standard_normal((n, n)))
    frequency = np.hypot(np.fft.rfftfreq(n), np.fft.fftfreq(n)[:, None])
    frequency[0, 0] = 1.0
    z = np.fft.irfft2(noise * frequency**-2.2, (n, n))
    return np.asarray((z - z.min()) * (600 / np.ptp(z)), dtype=np.float32)


@pytest.fixture(scope="module")
def mountains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sight") / "mountains.tif"
    write_raster(path, fractal(4000), (CELL, 0, WEST, 0, -CELL, NORTH), api.parse_crs(CRS))
    return path


@pytest.fixture(scope="module")
def heights(mountains: Path) -> np.ndarray:
    import rasterio

    needed_heights(np.zeros((9, 9), np.float32), GridView(4, 4, 1.0))  # compiles
    with rasterio.open(mountains) as dataset:
        return np.asarray(dataset.read(1))


def view_of(z: np.ndarray, row: int, column: int) -> GridView:
    return GridView(row, column, float(z[row, column]) + 1.7, (CELL, CELL))


def place_of(row: int, column: int) -> tuple[float, float]:
    return WEST + (column + 0.5) * CELL, NORTH - (row + 0.5) * CELL


def by_grass(path: Path, x: float, y: float, folder: Path) -> tuple[float, np.ndarray]:
    """Return how long r.viewshed alone took, and what it sees."""
    import rasterio

    program = shutil.which("grass")
    if program is None:
        pytest.skip("GRASS is not installed (Debian: grass-core)")
    location = folder / "location"
    if not location.exists():
        subprocess.run([program, "-c", str(path), str(location), "-e"], check=True,
                       capture_output=True)  # fmt: skip
    out, script = folder / "seen.tif", folder / "run.sh"
    script.write_text(GRASS.format(path=path, x=x, y=y, out=out))
    done = subprocess.run(
        [program, str(location / "PERMANENT"), "--exec", "bash", str(script)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    took = next(line for line in done.stdout.splitlines() if line.startswith("took")).split()
    with rasterio.open(out) as dataset:
        return float(took[2]) - float(took[1]), dataset.read(1) == 1


@pytest.mark.parametrize(("row", "column"), [(432, 432), (2000, 2000), (2118, 3008)])
def test_sixteen_million_cells_against_grass(
    mountains: Path, heights: np.ndarray, row: int, column: int, tmp_path: Path
) -> None:
    view = view_of(heights, row, column)
    theirs, seen = by_grass(mountains, *place_of(row, column), tmp_path)
    ours = shortest(lambda: needed_heights(heights, view))
    same = float(((needed_heights(heights, view) <= 0) == seen).mean())
    print(
        f"\nviewshed of 4 000 x 4 000 cells from {row}, {column} ({100 * seen.mean():.1f} % seen): "
        f"{ours:.2f} s, GRASS {theirs:.1f} s: {theirs / ours:.1f} times as fast, "
        f"the same in {100 * same:.4f} % of cells"
    )
    assert same >= 0.999
    assert theirs / ours >= 10


def test_a_preview_against_gdal(mountains: Path, heights: np.ndarray, tmp_path: Path) -> None:
    program = shutil.which("gdal_viewshed")
    if program is None:
        pytest.skip("gdal_viewshed is not installed (Debian: gdal-bin)")
    x, y = place_of(2000, 2000)
    out = tmp_path / "gdal.tif"
    command = [program, "-ox", str(x), "-oy", str(y), "-oz", "1.7", "-q", str(mountains), str(out)]
    theirs = shortest(lambda: subprocess.run(command, check=True, capture_output=True))
    scene = api.Scene(Georeference.from_text(CRS, (WEST, NORTH, 0.0)))
    scene.add(api.load(mountains, layer_id="dem", digest=False)[0])

    def preview(step: float = 0.0) -> Any:
        return api.run(
            "sightline.viewshed", scene, observer=[x + step, y], surface="dem", preview=True
        )

    start = time.perf_counter()
    preview()
    first = time.perf_counter() - start
    again = shortest(lambda: preview(50.0))
    print(
        f"\npreview of 4 000 x 4 000 cells: {first:.2f} s from the file, {again:.3f} s while "
        f"dragging; gdal_viewshed {theirs:.2f} s: {first / theirs:.2f} and "
        f"{again / theirs:.2f} times its time"
    )
    assert first <= 2 * theirs


def city(triangles: int) -> tuple[EmbreeCaster, float]:
    """Return boxes of streets and blocks, and the side of the city in metres."""
    count = round((triangles / 12) ** 0.5)
    rng = np.random.default_rng(1)
    x, y = (a.ravel() * 25.0 for a in np.meshgrid(np.arange(count), np.arange(count)))
    size, height = rng.uniform(8, 20, (2, count * count)), rng.gamma(2.0, 9.0, count * count) + 3
    unit = np.array([[a, b, c] for c in (0, 1) for b in (0, 1) for a in (0, 1)], dtype=float)
    places = np.column_stack([x, y, np.zeros_like(x)])[:, None]
    points = places + unit * np.column_stack([*size, height])[:, None]
    faces = [(0, 1, 5, 4), (1, 3, 7, 5), (3, 2, 6, 7), (2, 0, 4, 6), (4, 5, 7, 6), (2, 3, 1, 0)]
    cells = np.array([t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))])
    every = (np.arange(count * count)[:, None, None] * 8 + cells).reshape(-1, 3)
    return EmbreeCaster(points.reshape(-1, 3), every), count * 25.0


def rays_over(side: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an eye over the roofs and targets on the ground all over the city."""
    across = np.linspace(0.5, side - 0.5, round(count**0.5))
    x, y = (a.ravel() for a in np.meshgrid(across, across))
    return np.array([side / 2 + 3, side / 2 + 3, 90.0]), np.column_stack([x, y, 0 * x + 0.01])


def test_rays_through_a_city_against_bare_embree() -> None:
    caster, side = city(2_000_000)
    eye, targets = rays_over(side, 4_000_000)
    origin = (caster.low + caster.high) / 2
    origins = np.broadcast_to(eye - origin, targets.shape).astype(np.float32)
    ways, whole = (targets - eye).astype(np.float32), np.ones(len(targets), np.float32)

    def bare() -> Any:
        return caster._scene.run(origins, ways, dists=whole, query="OCCLUDED")

    times: dict[str, list[float]] = {"bare": [], "one": [], "all": []}
    for _ in range(4):
        # One thread by its own processor time, so that others on the machine do not count.
        times["bare"].append(shortest(bare, 1, time.thread_time))
        times["one"].append(
            shortest(lambda: blocked(caster, eye, targets, threads=1), 1, time.thread_time)
        )
        times["all"].append(shortest(lambda: blocked(caster, eye, targets), 1))
    assert np.array_equal(blocked(caster, eye, targets), bare() >= 0)
    alone, one, every = (min(times[name]) for name in ("bare", "one", "all"))
    rate = len(targets) / 1e6
    print(
        f"\n4 000 000 rays, 2 000 000 triangles: bare embreex {rate / alone:.1f} million rays/s on "
        f"one thread, ours {rate / one:.1f} on one ({alone / one:.2f} of it), {rate / every:.1f} "
        f"on {threads_here()} by the clock"
    )
    assert alone / one >= 0.85


def test_cost_against_cells_and_triangles(heights: np.ndarray) -> None:
    print("\ncells: seconds, nanoseconds a cell")
    for n in (126, 400, 1265, 4000):
        z = np.ascontiguousarray(heights[:n, :n])
        seconds = shortest(lambda z=z, n=n: needed_heights(z, view_of(z, n // 2, n // 2)))
        print(f"{n * n:>10}: {seconds:.4f} s, {1e9 * seconds / n**2:.0f} ns")
    print("triangles: seconds for the tree, million rays/s")
    for count in (2_000, 20_000, 200_000, 2_000_000):
        start = time.perf_counter()
        caster, side = city(count)
        built = time.perf_counter() - start
        eye, targets = rays_over(side, 1_000_000)
        seconds = shortest(lambda c=caster, e=eye, t=targets: blocked(c, e, t))
        print(f"{count:>10}: {built:.2f} s, {1 / seconds:.1f}")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_of_sixteen_million_cells(mountains: Path, heights: np.ndarray) -> None:
    x, y = place_of(50, 50)
    small = mountains.with_name("small.tif")
    transform = (CELL, 0, WEST, 0, -CELL, NORTH)
    write_raster(small, heights[:100, :100], transform, api.parse_crs(CRS))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(small), str(mountains), str(x), str(y)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    before, after = (int(part) / 1024 for part in done.stdout.split())
    print(
        f"\npeak memory of a viewshed of 16 000 000 cells: {after:.0f} MB; of 10 000 cells "
        f"{before:.0f} MB; {(after - before) * 2**20 / 16e6:.0f} bytes a cell"
    )
    assert (after - before) * 2**20 / 16e6 < 64


def test_previews_a_second_on_the_demo(demo_district: Path) -> None:
    from plumbline.demo.layers import LAYERS

    truth = json.loads((demo_district / "truth.json").read_text(encoding="utf-8"))
    files = {one.id: one.path for one in LAYERS}
    west, south = truth["bounds"][:2]
    scene = api.Scene(Georeference.from_text(truth["crs"], (west, south, 0.0)))
    for name in ("terrain", "models"):
        scene.add(api.load(demo_district / files[name], layer_id=name)[0])
    x, y = west + 600, south + 450

    def drag(analysis: str, **params: Any) -> float:
        def once(step: float) -> None:
            api.run(analysis, scene, **params, observer=[x + step, y])

        def ten() -> None:
            for n in range(10):
                once(1.0 + n)

        ten()
        return 10 / shortest(ten, 5)

    both = ["terrain", "models"]
    targets = [[x + 300, y + 200], [x - 300, y + 200], [x, y + 300]]
    rates = {
        "viewshed of the terrain": drag("sightline.viewshed", surface="terrain", preview=True),
        "viewshed of terrain and models": drag("sightline.viewshed", surface=both, preview=True),
        "three lines": drag("sightline.line", obstacles=both, targets=targets),
    }
    print()
    for what, rate in rates.items():
        print(f"dragging on the demo, {what}: {rate:.0f} previews a second")
    assert min(rates.values()) >= 10
