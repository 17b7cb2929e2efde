"""What VTK reports as an error fails the test that caused it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PROBE = """
from vtkmodules.vtkIOLegacy import vtkPolyDataReader

def test_reading_nothing():
    reader = vtkPolyDataReader()
    reader.SetFileName("no-such-file.vtk")
    reader.Update()
"""


def test_vtk_errors_fail_the_test(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes((TESTS.parent / "pyproject.toml").read_bytes())
    folder = tmp_path / "tests" / "render"
    folder.mkdir(parents=True)
    (folder.parent / "conftest.py").write_bytes((TESTS / "conftest.py").read_bytes())
    (folder / "test_probe.py").write_text(PROBE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "VTK reported errors" in done.stdout
    assert "no-such-file.vtk" in done.stdout
