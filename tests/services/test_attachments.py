"""Which documents of entities are opened: files beside the project, and nothing that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.core.errors import InputError, RefusedError
from plumbline.services.attachments import attached_file


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "城市"
    (folder / "plans").mkdir(parents=True)
    (folder / "plans" / "楼 1.PDF").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "outside.pdf").write_bytes(b"%PDF-1.7\n")
    return folder / "city.plumb.gpkg"


def test_files_beside_the_project_are_opened(project: Path) -> None:
    file = project.parent / "plans" / "楼 1.PDF"
    assert attached_file("plans/楼 1.PDF", project) == file.resolve()
    assert attached_file(str(file), project) == file.resolve()


@pytest.mark.parametrize(
    "name",
    ["../outside.pdf", "plans/../../outside.pdf", "/etc/outside.pdf", "plans/link.pdf"],
)
def test_files_elsewhere_are_refused(project: Path, name: str) -> None:
    try:
        (project.parent / "plans" / "link.pdf").symlink_to(project.parent.parent / "outside.pdf")
    except OSError:
        if "link" in name:
            pytest.skip("this system makes no links for this user")
    with pytest.raises(RefusedError, match="beside the project"):
        attached_file(name, project)


@pytest.mark.parametrize(
    "name",
    ["run.exe", "run.BAT", "a.pdf.lnk", "x.desktop", "page.html", "book.xlsm", "run", "a.sh"],
)
def test_what_may_run_is_refused(project: Path, name: str) -> None:
    (project.parent / name).write_bytes(b"data")
    with pytest.raises(RefusedError, match="may be programs"):
        attached_file(name, project)


@pytest.mark.parametrize("begin", [b"MZ\x90\x00", b"\x7fELF", b"#!/bin/sh\n"])
def test_a_program_by_another_name_is_refused(project: Path, begin: bytes) -> None:
    (project.parent / "plan.pdf").write_bytes(begin)
    with pytest.raises(RefusedError, match="is a program"):
        attached_file("plan.pdf", project)


@pytest.mark.parametrize(
    "name", ["http://example.com/a.pdf", "gone.pdf", "a\0b.pdf", "x" * 5000 + ".pdf"]
)
def test_what_is_no_file_here_is_told(project: Path, name: str) -> None:
    with pytest.raises(InputError):
        attached_file(name, project)


def test_without_a_project_file_nothing_is_beside_it(project: Path) -> None:
    with pytest.raises(RefusedError, match="before the project is saved"):
        attached_file("plans/楼 1.PDF", None)
