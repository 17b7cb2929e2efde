"""The command line as a process: streams, signals, speed, exit codes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli import main as module
from plumbline.core.errors import EXIT_DEFECT


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from plumbline.cli.main import main; code = main(['--help']);"
        "heavy = {'numpy', 'pyproj', 'pydantic', 'rasterio', 'geopandas', 'PySide6', 'vtkmodules'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    for name in module.COMMANDS:
        assert f"    {name} " in done.stdout


def test_help_of_every_command(cli: Any) -> None:
    for name in module.COMMANDS:
        done = cli(name, "--help")
        assert done.code == 0
        assert done.out.startswith(f"usage: plumbline {name}")


def test_version(cli: Any) -> None:
    import plumbline

    done = cli("--version")
    assert (done.code, done.out) == (0, f"Plumbline {plumbline.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("wobble",), "no command"),
        (("layer",), "Did you mean layers"),
        (("info",), "required"),
        (("run", "measure.distance"), "--out"),
        (("info", "--nonsense", "x.tif"), "--nonsense"),
        (("render", "x.obj", "--out", "x.png", "--size", "12"), "1600x1000"),
        (("render", "x.obj", "--out", "x.png", "--size", "99999x99999"), "1600x1000"),
        (("render", "x.obj", "--out", "x.pdf"), "x.pdf"),
        (("--lang", "tlh", "info", "x"), "--lang"),
    ],
)
def test_a_command_line_that_is_not_understood_is_one_line(
    cli: Any, arguments: tuple[str, ...], words: str
) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""


def test_chinese(cli: Any, tmp_path: Path) -> None:
    done = cli("--lang", "zh_CN", "info", tmp_path / "没有.tif")
    assert done.code == 3
    assert "没有文件" in done.err
    assert "实景三维" in cli("--help", "--lang", "zh_CN").out


def test_a_defect_is_said_to_be_one(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect\nof two lines")

    monkeypatch.setattr("plumbline.io.info.describe", broken)
    done = cli("info", "x.tif", "--json")
    assert done.code == EXIT_DEFECT
    assert "defect in Plumbline (ZeroDivisionError" in done.err
    assert len(done.err.splitlines()) == 1
    assert done.json["error"]["exit_code"] == EXIT_DEFECT
    with pytest.raises(ZeroDivisionError):
        cli("info", "x.tif", "--debug")


def test_ctrl_c_is_130(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("plumbline.io.info.describe", interrupted)
    done = cli("info", "x.tif")
    assert done.code == 130
    assert done.err == "plumbline: Cancelled; nothing was changed.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
def test_ctrl_c_stops_a_running_process(tmp_path: Path) -> None:
    pipe = tmp_path / "endless.tif"
    # Whoever runs the tests in the background may have them ignore Ctrl-C.
    slow = (
        "import signal, sys, time, plumbline.io.info as i;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "i.describe = lambda *a, **k: (print('busy', flush=True, file=sys.stderr), time.sleep(60));"
        "from plumbline.cli.main import main; sys.exit(main(['info', 'x.tif', '--json']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", slow], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"busy\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=50)
    assert process.returncode == 130
    assert out == b""
    assert b"Cancelled" in err
    assert not pipe.exists()


def test_what_a_library_prints_does_not_reach_standard_output(tmp_path: Path) -> None:
    noisy = (
        "import os, sys, plumbline.io.info as i\n"
        "def describe(*a, **k):\n"
        "    print('from Python')\n"
        "    os.write(1, b'from C\\n')\n"
        "    os.system('echo from a child')\n"
        "    return []\n"
        "i.describe = describe\n"
        "from plumbline.cli.main import main\n"
        "sys.exit(main(['info', 'x.tif', '--json']))\n"
    )
    done = subprocess.run([sys.executable, "-c", noisy], capture_output=True, text=True)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"files": []}
    for text in ("from Python", "from C", "from a child"):
        assert text in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes of that kind")
def test_a_reader_that_goes_away_is_no_error() -> None:
    python = shlex.quote(sys.executable)
    process = subprocess.Popen(
        f"{python} -m plumbline analyses | true; exit ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", stderr=subprocess.PIPE,
    )  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == b""


@pytest.mark.parametrize("locale", ["C", "POSIX", "zh_CN.UTF-8"])
def test_paths_and_texts_are_utf8_in_every_locale(child: Any, terrain: Path, locale: str) -> None:
    done = child("info", terrain, "--json", LC_ALL=locale, LANG=locale)
    assert done.code == 0
    assert done.json["files"][0]["path"] == str(terrain)
    shown = child("info", terrain, LC_ALL=locale, LANG=locale)
    assert "地形 dem.tif" in shown.out


def test_no_display_is_said_and_a_path_alone_means_open(child: Any, terrain: Path) -> None:
    for arguments in ((), ("open",), (terrain,), ("open", terrain)):
        done = child(*arguments)
        assert done.code == 2
        assert "display" in done.err or "needs" in done.err
        assert len(done.err.splitlines()) == 1
    gone = child(terrain.with_name("gone.plumb.gpkg"))
    assert gone.code == 3


def test_without_qt_and_vtk_the_window_says_what_to_install(
    cli: Any, terrain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.cli.window.find_spec", lambda name: None)
    for arguments in (("open",), ("render", terrain, "--out", tmp_path / "x.png")):
        done = cli(*arguments)
        assert done.code == 2
        assert "plumbline[gui]" in done.err


def test_self_test(child: Any) -> None:
    done = child("self-test", "--json")
    assert done.json["passed"] is (done.code == 0)
    names = {check["status"] for check in done.json["checks"]}
    assert names <= {"passed", "warning", "failed", "skipped"}


def test_help_is_quick() -> None:
    """Processor time, against an interpreter that does nothing, on whatever machine this is."""

    def seconds(*arguments: str) -> float:
        best = 1e9
        for _ in range(3):
            start = os.times()
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            end = os.times()
            used = end.children_user - start.children_user
            best = min(best, used + end.children_system - start.children_system)
        return best

    bare = seconds("-c", "import argparse, json, tomllib")
    assert seconds("-m", "plumbline", "--help") < bare + 0.3


def test_exit_codes_of_a_process(child: Any, terrain: Path, tmp_path: Path) -> None:
    run = ("run", "measure.distance", "--out", tmp_path / "o")
    good = ("-p", "start=0,0,0", "-p", "end=3,4,0")
    assert child(*run, *good).code == 0
    assert child(*run).code == 2
    assert child("info", tmp_path / "gone.tif").code == 3
    assert child(*run, "-p", "start=1.7e308,0,0", "-p", "end=-1.7e308,0,0").code == 4
    assert os.listdir(tmp_path / "o") == ["result.json"]  # noqa: PTH208
