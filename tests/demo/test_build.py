"""Building: the same bytes every time, all or nothing, never over other people's files."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from plumbline import demo
from plumbline.core.errors import CancelledError, InputError
from plumbline.core.feedback import Feedback
from plumbline.demo import vectors
from plumbline.demo.building import construct


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.mark.slow
def test_two_builds_are_the_same_bytes(demo_district: Path, tmp_path: Path) -> None:
    """Built over an earlier one, which keeps what the user put there."""
    out = tmp_path / "示范 城区"
    out.mkdir()
    (out / "demo.json").write_text("{}", encoding="utf-8")
    (out / "mine.plumb.gpkg").write_bytes(b"my project")
    again = digests(demo.build(out).folder)
    assert again.pop("mine.plumb.gpkg") == hashlib.sha256(b"my project").hexdigest()
    assert again == digests(demo_district)
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_construction_depends_on_the_seed_only() -> None:
    first, second, other = construct(1), construct(1), construct(2)
    assert first.trees == second.trees
    assert [b.parts for b in first.buildings] == [b.parts for b in second.buildings]
    assert (first.ground == second.ground).all()
    assert [b.parts for b in first.buildings] != [b.parts for b in other.buildings]


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    stop = threading.Event()

    def report(fraction: float, text: str) -> None:
        if fraction >= 0.12:
            stop.set()

    with pytest.raises(CancelledError):
        demo.build(tmp_path / "demo", Feedback(report, stop))
    assert list(tmp_path.iterdir()) == []


def test_other_content_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is not a demo district"):
        demo.build(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_failed_build_keeps_the_earlier_district(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = tmp_path / "demo"
    earlier.mkdir()
    (earlier / "demo.json").write_text("{}", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vectors, "write", full)
    with pytest.raises(InputError, match="No space left"):
        demo.build(earlier)
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]
    assert [p.name for p in earlier.iterdir()] == ["demo.json"]
