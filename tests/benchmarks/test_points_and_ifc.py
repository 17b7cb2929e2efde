"""How much slower loading is than the bare library, as ratios measured side by side in one run.

`pytest -m benchmark -s tests/benchmarks/test_points_and_ifc.py`
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import laspy
import pytest

from plumbline.io import load

BARE_IFC = """
import os, sys
import ifcopenshell, ifcopenshell.geom
model = ifcopenshell.open(sys.argv[1])
iterator = ifcopenshell.geom.iterator(
    ifcopenshell.geom.settings(), model, os.cpu_count(), exclude=["IfcOpeningElement"]
)
more = iterator.initialize()
while more:
    iterator.get().geometry.verts_buffer
    more = iterator.next()
os._exit(0)
"""


def alternating(own: Callable[[], object], bare: Callable[[], object], times: int) -> float:
    """Return the ratio of the best times, measured in turn so that both see the same machine."""
    best = [float("inf"), float("inf")]
    for _ in range(times):
        for n, run in enumerate((own, bare)):
            started = time.perf_counter()
            run()
            best[n] = min(best[n], time.perf_counter() - started)
    return best[0] / best[1]


@pytest.mark.parametrize(
    "file", ["3dfier_ahn3/ahn3_cropped_1.laz", "autzen_pdal_data/autzen_depth0-1.laz"]
)
def test_laz_against_decoding_alone(real_data: Path, file: str) -> None:
    """Print what loading into float64 layers costs beside laspy and lazrs decoding alone."""
    path = real_data / "pointcloud" / file
    backend = laspy.LazBackend.LazrsParallel
    ratio = alternating(
        lambda: load(path, digest=False), lambda: laspy.read(path, laz_backend=backend), 8
    )
    print(f"\n{file}: {ratio:.2f} times laspy + lazrs")


@pytest.mark.parametrize(
    "file",
    [
        "ifc/web-ifc/AC20-FZK-Haus.ifc",
        "ifc/georef/Duplex_A_20110907_georeferenced.ifc",
    ],
)
def test_ifc_against_the_bare_iterator(real_data: Path, tmp_path: Path, file: str) -> None:
    """Print what a first opening costs beside a process that only tessellates, and a second one."""
    path = real_data / file
    command = [sys.executable, "-c", BARE_IFC, str(path)]
    bare: Callable[[], object] = lambda: subprocess.run(command, check=True)  # noqa: E731
    ratio = alternating(lambda: load(path, digest=False), bare, 3)
    load(path, digest=False, cache=tmp_path)
    again = alternating(lambda: load(path, digest=False, cache=tmp_path), bare, 3)
    print(f"\n{file}: {ratio:.2f} times the bare iterator, {again:.3f} from the cache")
