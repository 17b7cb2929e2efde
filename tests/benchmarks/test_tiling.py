"""What indexing a cloud into COPC costs: memory by size, and time beside copying it with laspy.

`pytest -m benchmark -s tests/benchmarks/test_tiling.py`
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import laspy
import numpy as np
import pytest

INDEX = """
import resource, sys, time
from pathlib import Path
from plumbline.io.copc_writer import write_copc
start = time.process_time()
write_copc(Path(sys.argv[1]), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time() - start)
"""
COPY = """
import resource, sys, time, laspy
start = time.process_time()
with laspy.open(sys.argv[1]) as source:
    with laspy.open(sys.argv[2], "w", header=source.header) as target:
        for block in source.chunk_iterator(500_000):
            target.write_points(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time() - start)
"""


def city(path: Path, count: int) -> None:
    """Write points of a city, block by block: 25 for each square metre."""
    random = np.random.default_rng(1)
    header = laspy.LasHeader(point_format=7, version="1.4")
    header.scales = np.full(3, 0.001)
    side = (count / 25) ** 0.5
    with laspy.open(path, "w", header=header) as out:
        for _ in range(0, count, 1_000_000):
            block = laspy.ScaleAwarePointRecord.zeros(1_000_000, header=header)
            block.x, block.y = random.uniform(0, side, (2, 1_000_000))
            block.z = random.uniform(0, 3, 1_000_000) + 30 * (random.random(1_000_000) > 0.7)
            block.intensity = random.integers(0, 4000, 1_000_000)
            out.write_points(block)


def child(code: str, *paths: Path) -> tuple[float, float]:
    """Return the most memory in MB and the CPU seconds of a process of its own."""
    run = [sys.executable, "-c", code, *map(str, paths)]
    told = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    return float(told[0]), float(told[1])


@pytest.mark.timeout(1800)
def test_memory_does_not_grow_with_the_cloud(tmp_path: Path) -> None:
    peaks = []
    for millions in (3, 12):
        city(tmp_path / "c.las", millions * 1_000_000)
        memory, seconds = child(INDEX, tmp_path / "c.las", tmp_path / "c.copc.laz")
        _, bare = child(COPY, tmp_path / "c.las", tmp_path / "copy.laz")
        print(f"\n{millions} million points: {memory:.0f} MB, {seconds:.0f} s of CPU, "
              f"{seconds / bare:.1f} times copying into LAZ")  # fmt: skip
        peaks.append(memory)
        (tmp_path / "c.copc.laz").unlink()
    assert peaks[1] < 1.3 * peaks[0]
