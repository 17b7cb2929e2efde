"""Loading against the fastest readers there are, as ratios measured in one run.

OBJ is compared with VTK's reader, which keeps float32 and no materials; vectors with pyogrio alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely

from plumbline.io import load


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any], runs: int = 5) -> float:
    """Return our shortest time over theirs; runs alternate, so that both meet the same machine."""
    times: dict[Callable[[], Any], list[float]] = {ours: [], theirs: []}
    for _ in range(runs):
        for work in (ours, theirs):
            start = time.perf_counter()
            work()
            times[work].append(time.perf_counter() - start)
    return min(times[ours]) / min(times[theirs])


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an OBJ of 1,002,528 triangles with texture coordinates and normals."""
    n = 708
    path = tmp_path_factory.mktemp("obj") / "grid.obj"
    x, y = (a.ravel().astype(float) for a in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    z = np.sin(x / 9) * 5
    cell = np.arange(n * n) // n * (n + 1) + np.arange(n * n) % n + 1
    lower = np.column_stack([cell, cell + 1, cell + n + 2])
    upper = np.column_stack([cell, cell + n + 2, cell + n + 1])
    with path.open("w") as stream:
        np.savetxt(stream, np.column_stack([x, y, z]), "v %.6f %.6f %.6f")
        np.savetxt(stream, np.column_stack([x, y]) / n, "vt %.5f %.5f")
        np.savetxt(stream, np.tile([0.1, 0.2, 0.97], (len(x), 1)), "vn %.3f %.3f %.3f")
        faces = np.repeat(np.concatenate([lower, upper]), 3, axis=1)
        np.savetxt(stream, faces, "f %d/%d/%d %d/%d/%d %d/%d/%d")
    return path


def test_obj_of_a_million_triangles(grid: Path) -> None:
    from vtkmodules.vtkIOGeometry import vtkOBJReader

    def by_vtk() -> None:
        reader = vtkOBJReader()
        reader.SetFileName(str(grid))
        reader.Update()
        assert reader.GetOutput().GetNumberOfCells() == 1_002_528

    (layer,) = load(grid, digest=False)
    assert layer.counts["triangles"] == 1_002_528
    times = ratio(lambda: load(grid, digest=False), by_vtk)
    print(f"\nOBJ, 1 000 000 triangles: {times:.2f} times VTK's reader")


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson"])
def test_a_hundred_thousand_buildings(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(5e5, 6e5, (100_000, 2))
    angles = np.linspace(0, 2 * np.pi, 9)
    rings = corners[:, None] + 10 * np.column_stack([np.cos(angles), np.sin(angles)])
    rings[:, -1] = rings[:, 0]
    columns = {
        "use": rng.choice(["flats", "office"], 100_000),
        "height": rng.uniform(3, 90, 100_000),
    }
    frame = geopandas.GeoDataFrame(columns, geometry=shapely.polygons(rings), crs=4549)
    path = tmp_path / f"a.{suffix}"
    frame.to_file(path)
    (layer,) = load(path, digest=False)
    assert layer.counts == {"features": 100_000}
    times = ratio(lambda: load(path, digest=False), lambda: pyogrio.read_dataframe(path))
    print(f"\n{suffix}, 100 000 buildings: {times:.2f} times pyogrio alone")
