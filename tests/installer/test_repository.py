"""The project names no machine and no registry: it comes from anywhere and runs anywhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Put together here, so that this file does not hold what it looks for.
FORBIDDEN = [
    "/".join(("", "work", "")),
    "/".join(("", "root", "")),
    "py" + "pi.org",
    "python" + "hosted",
    "extra" + "-index-url",
    "deb.debian" + ".org",
]


def project_files() -> list[Path]:
    """Return the files under version control, or skip where there is no git."""
    try:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.decode("utf-8").split("\0") if name]
    return [file for file in files if file.is_file()]


def test_no_file_names_a_machine_or_a_registry() -> None:
    files = project_files()
    assert len(files) > 50
    found = [
        f"{file.relative_to(ROOT)}: {word}"
        for file in files
        for word in FORBIDDEN
        if word.encode() in file.read_bytes()
    ]
    assert not found, "\n".join(found)


def test_no_file_is_too_large_for_a_repository() -> None:
    large = [f for f in project_files() if f.stat().st_size > 5_000_000]
    assert not large
