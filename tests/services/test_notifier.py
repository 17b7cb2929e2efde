"""Messages and the hooks that bring uncaught exceptions to them."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline import __version__
from plumbline.core.errors import CancelledError, InputError
from plumbline.services import log
from plumbline.services.notifier import KEPT, Notification, Notifier, Severity


@pytest.fixture
def notifier() -> Notifier:
    return Notifier()


@pytest.fixture(autouse=True)
def _pythons_own_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test tools have put their own hook in its place."""
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)


@pytest.fixture
def log_file(notifier: Notifier) -> Iterator[Path]:
    path = log.setup(notifier=notifier)
    yield path
    log.shutdown()


def test_each_kind_of_message(notifier: Notifier) -> None:
    told: list[Notification] = []
    notifier.notified.connect(told.append)
    notifier.info("Saved.")
    notifier.warning("Two trees are missing.", "Look again.", "index 3, 4")
    notifier.error(InputError("“a” is empty.", "Copy it again.", "0 bytes"))
    notifier.error(KeyError("x"))
    notifier.error(CancelledError())
    assert [n.severity for n in told] == [
        Severity.INFO,
        Severity.WARNING,
        Severity.ERROR,
        Severity.DEFECT,
    ]
    assert notifier.notifications == told
    assert told[2].details == "0 bytes"
    assert all(n.time.utcoffset() is not None for n in told)
    notifier.clear()
    assert notifier.notifications == []


def test_the_text_to_copy_is_enough_for_someone_else(notifier: Notifier) -> None:
    def deep_inside() -> None:
        raise RuntimeError("wrong turn")

    try:
        deep_inside()
    except RuntimeError as error:
        notifier.error(error)
    text = notifier.notifications[0].copy_text
    for part in (
        __version__,
        "Python 3",
        sys.platform[:5].capitalize(),
        "deep_inside",
        "wrong turn",
    ):
        assert part in text


def test_only_the_last_messages_are_kept(notifier: Notifier) -> None:
    for n in range(KEPT + 10):
        notifier.info(str(n))
    assert len(notifier.notifications) == KEPT
    assert notifier.notifications[-1].message == str(KEPT + 9)


def test_the_log_is_utf_8_and_holds_messages_with_details(
    notifier: Notifier, log_file: Path
) -> None:
    notifier.warning("图层“建筑”有 2 个无效面。", details="rows 3, 4")
    logging.getLogger("plumbline.io").info("read 青岛.laz")
    text = log_file.read_text(encoding="utf-8")
    assert "图层“建筑”有 2 个无效面。" in text
    assert "rows 3, 4" in text
    assert "read 青岛.laz" in text
    assert __version__ in text
    assert log.setup() == log_file


def test_the_log_rotates(notifier: Notifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LARGEST", 2000)
    path = log.setup(notifier=notifier)
    try:
        for n in range(200):
            logging.getLogger("plumbline").info("%s %s", n, "x" * 50)
        files = list(path.parent.glob("plumbline.log*"))
        assert len(files) == log.KEPT + 1
        assert all(f.stat().st_size <= 2100 for f in files)
    finally:
        log.shutdown()


def test_all_three_hooks_reach_the_notifier(
    notifier: Notifier, log_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sys.excepthook(ValueError, ValueError("main thread"), None)

    def fails() -> None:
        raise ValueError("other thread")

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()

    class Bad:
        def __del__(self) -> None:
            raise ValueError("while dying")

    Bad()
    details = [n.details for n in notifier.notifications]
    assert [n.severity for n in notifier.notifications] == [Severity.DEFECT] * 3
    for text, detail in zip(("main thread", "other thread", "while dying"), details, strict=True):
        assert text in detail
        assert text in log_file.read_text(encoding="utf-8")
    assert "main thread" in capsys.readouterr().err


def test_a_user_error_that_nobody_caught_is_told_as_one(notifier: Notifier, log_file: Path) -> None:
    error = InputError("“a” is empty.", "Copy it again.")
    sys.excepthook(InputError, error, None)
    assert notifier.notifications[0].severity is Severity.ERROR


def test_a_listener_that_fails_does_not_hide_the_exception(
    notifier: Notifier, log_file: Path
) -> None:
    def broken(_notification: Notification) -> None:
        raise RuntimeError("the message bar is broken")

    notifier.notified.connect(broken)
    sys.excepthook(ValueError, ValueError("the real one"), None)
    text = log_file.read_text(encoding="utf-8")
    assert "the real one" in text
    assert "the message bar is broken" in text


def test_shutdown_gives_the_hooks_back(notifier: Notifier) -> None:
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    log.setup(notifier=notifier)
    assert sys.excepthook is not before[0]
    log.shutdown()
    log.shutdown()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == before


def test_a_crash_below_python_leaves_a_trace(tmp_path: Path) -> None:
    code = (
        "import os, signal; from plumbline.services import log; path = log.setup();"
        "print(path.parent); import sys; sys.stdout.flush();"
        "os.kill(os.getpid(), signal.SIGSEGV)"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert child.returncode != 0
    folder = Path(child.stdout.decode().strip())
    assert "Segmentation fault" in (folder / "faults.log").read_text(encoding="utf-8")
