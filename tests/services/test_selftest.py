"""The self-test finds what works, and says what does not without stopping at it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plumbline.core.errors import CancelledError
from plumbline.core.feedback import Feedback
from plumbline.services import selftest
from plumbline.services.selftest import Check, passed, run_self_test


def test_everything_headless_works_here() -> None:
    answers = {
        function.__name__: function
        for _, function in selftest.CHECKS
        if function not in (selftest.check_graphics, selftest.check_window)
    }
    assert len(answers) == len(selftest.CHECKS) - 2
    skipped = set()
    for name, function in answers.items():
        try:
            assert function()
        except selftest.SkippedError:
            skipped.add(name)
    assert skipped <= {"check_chinese_font"}


def one(monkeypatch: pytest.MonkeyPatch, function: object) -> Check:
    monkeypatch.setattr(selftest, "CHECKS", (("Loaders", function),))
    (check,) = run_self_test()
    return check


def test_a_failure_is_an_answer_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OSError("the disk is gone")

    check = one(monkeypatch, broken)
    assert (check.status, check.detail) == ("failed", "the disk is gone")
    assert "bootstrap.py setup" in check.hint
    assert not passed([check])


def test_a_wrong_number_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "MERIDIAN_36", selftest.MERIDIAN_36 + 0.5)
    check = one(monkeypatch, selftest.check_projection)
    assert check.status == "failed"
    assert "0.500 m" in check.detail


def test_a_plugin_that_cannot_be_used_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "office_trees").mkdir()
    (tmp_path / "office_trees" / "plugin.toml").write_text("[plugin", encoding="utf-8")
    monkeypatch.setenv("PLUMBLINE_PLUGINS", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    check = one(monkeypatch, selftest.check_plugins)
    assert check.status == "warning"
    assert "office_trees" in check.detail


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("raise ValueError('no OpenGL')", "no OpenGL"),
        ("import os; os.abort()", "Exit code"),
        ("import sys; sys.exit(7)", "Exit code 7"),
    ],
)
def test_a_child_that_crashes_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, code: str, detail: str
) -> None:
    check = one(monkeypatch, lambda: selftest._child(code))
    assert check.status == "failed"
    assert detail in check.detail


def test_a_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "CHILD_SECONDS", 0.5)
    check = one(monkeypatch, lambda: selftest._child("import time; time.sleep(60)"))
    assert check.status == "failed"
    assert check.seconds < 10


def test_little_space_is_a_warning_not_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "LOW_SPACE", 1e18)
    check = one(monkeypatch, selftest.check_folders)
    assert check.status == "warning"
    assert passed([check])


def test_without_vtk_the_drawing_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "find_spec", lambda _: None)
    assert one(monkeypatch, selftest.check_graphics).status == "skipped"
    assert one(monkeypatch, selftest.check_window).status == "skipped"


def test_it_can_be_cancelled() -> None:
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        run_self_test(feedback)


def test_folders_follow_the_home_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "家"))
    assert "家" in one(monkeypatch, selftest.check_folders).detail


@pytest.mark.parametrize(
    ("line", "name"), [("laspy[lazrs]>=2.5", "laspy"), ("numpy", "numpy"), ("a-b_c.d<2", "a-b_c.d")]
)
def test_names_of_requirements(line: str, name: str) -> None:
    assert selftest._name(line) == name


@pytest.mark.render
@pytest.mark.skipif(sys.platform != "linux", reason="EGL")
def test_a_ball_is_drawn_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    check = one(monkeypatch, selftest.check_graphics)
    assert check.status == "passed", check.detail
    assert "OpenGL" in check.detail
