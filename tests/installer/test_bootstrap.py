"""Set-up on a fresh machine: what it says, what it needs from the system, what it installs."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import shutil
import string
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import bootstrap as script
from firstrun import environment, system, text
from firstrun.environment import Environment
from firstrun.progress import Finished, Progress
from firstrun.text import CHINESE, SetupError

ROOT = Path(__file__).resolve().parents[2]
BOOTSTRAP = ROOT / "installer" / "bootstrap.py"


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "setup.log")


# --- words --------------------------------------------------------------------------------------


def said() -> set[str]:
    """Return the texts that set-up can say."""
    found = {line for _, *lines in environment.TROUBLES for line in lines}
    for file in (ROOT / "installer").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                argument = node.args[0] if node.args else None
                if node.func.id == "say" and isinstance(argument, ast.Constant):
                    found.add(argument.value)
    return found


def test_everything_is_said_in_both_languages() -> None:
    assert said() == CHINESE.keys()


def test_fields_are_the_same_in_both_languages() -> None:
    def fields(line: str) -> list[str]:
        return sorted(f for _, f, _, _ in string.Formatter().parse(line) if f)

    assert not {e: c for e, c in CHINESE.items() if fields(e) != fields(c)}


def test_chinese_systems_are_addressed_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    assert text.say("The disk is full.") == "The disk is full."
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert text.say("The disk is full.") == "磁盘已满。"


def test_an_old_python_can_read_the_script_that_refuses_it() -> None:
    ast.parse(BOOTSTRAP.read_text(encoding="utf-8"), feature_version=(3, 7))


# --- command line -------------------------------------------------------------------------------


def bootstrap(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BOOTSTRAP), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **variables},
    )


def test_help_names_the_commands() -> None:
    done = bootstrap("--help")
    assert done.returncode == 0
    assert all(f"bootstrap.py {name}" in done.stdout for name in ("run", "test", "setup"))


def test_unknown_command_and_missing_wheelhouse_are_plain_errors(tmp_path: Path) -> None:
    for arguments in (["fly"], ["setup", "--wheelhouse", str(tmp_path / "none")]):
        done = bootstrap(*arguments)
        assert done.returncode == 1
        assert arguments[-1] in done.stderr
        assert "What to do:" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(not system.LINUX, reason="other systems always have a display")
def test_files_without_a_display_are_refused_before_the_set_up() -> None:
    started = time.monotonic()
    done = bootstrap("run", "city.obj")
    assert done.returncode == 1
    assert "There is no display" in done.stderr
    assert "plumbline info city.obj" in done.stderr
    assert time.monotonic() - started < 5


# --- system -------------------------------------------------------------------------------------

NOWHERE = {"libno-such-library.so.9": "libno-such-library9"}


@pytest.mark.skipif(not system.LINUX, reason="sonames of Linux")
def test_only_libraries_that_do_not_load_are_missing() -> None:
    assert system.missing_libraries({"libc.so.6": "libc6"} | NOWHERE) == NOWHERE


@pytest.mark.parametrize(
    ("tool", "command"),
    [
        ("apt-get", "sudo apt-get install -y libno-such-library9"),
        ("dnf", "sudo dnf install -y 'libno-such-library.so.9()(64bit)'"),
        ("none", "with the system's package manager"),
    ],
)
def test_without_root_the_one_command_is_named(
    tool: str, command: str, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "LINUX", True)
    monkeypatch.setattr(system.os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(system.shutil, "which", lambda name: name if name == tool else None)
    with pytest.raises(SetupError) as caught:
        system.provide(NOWHERE, xvfb=False, welcome=False, progress=progress)
    assert "libno-such-library.so.9" in caught.value.message
    assert command in caught.value.hint


def test_root_on_debian_installs_what_is_missing(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def record(arguments: list[str], *_: object) -> Finished:
        commands.append(arguments)
        return Finished(0, "")

    monkeypatch.setattr(system, "LINUX", True)
    monkeypatch.setattr(system.os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(system.shutil, "which", lambda name: name if name == "apt-get" else None)
    monkeypatch.setattr(progress, "command", record)
    with pytest.raises(SetupError, match="libno-such-library"):  # apt said yes, yet it is not there
        system.provide(NOWHERE, xvfb=True, welcome=True, progress=progress)
    assert "update" in commands[0]
    assert {"install", "libno-such-library9", "xvfb"} <= set(commands[1])


def test_what_is_only_welcome_does_not_stop_the_set_up(
    progress: Progress, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system, "LINUX", True)
    monkeypatch.setattr(system.os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(system.shutil, "which", lambda name: name if name == "apt-get" else None)
    monkeypatch.setattr(system, "has_chinese_font", lambda: False)
    monkeypatch.setattr(progress, "command", lambda *_: Finished(100, "no network"))
    system.provide({}, xvfb=False, welcome=True, progress=progress)
    assert "apt-get install -y fonts-droid-fallback" in capsys.readouterr().out


# --- environment --------------------------------------------------------------------------------

BACKEND = """
import zipfile
from pathlib import Path


def build_editable(folder, settings=None, metadata=None):
    info = "plumbline-1.dist-info"
    with zipfile.ZipFile(Path(folder) / "plumbline-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("_plumbline.pth", str(Path("app").resolve()))
        head = "Metadata-Version: 2.1\\nName: plumbline\\nVersion: 1\\n"
        wheel.writestr(f"{info}/METADATA", head)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return "plumbline-1-py3-none-any.whl"
"""


def make_wheel(folder: Path, name: str, code: str) -> Path:
    """Write a wheel with one module."""
    info = f"{name}-1.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest())
        record += f"{path},sha256={digest.decode().rstrip('=')},{len(content.encode())}\n"
    file = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return file


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small project with a lock and a wheelhouse, in a path that is hard on tools."""
    root = tmp_path / "准绳 project (1)"
    (root / "app" / "plumbline").mkdir(parents=True)
    (root / "app" / "plumbline" / "__init__.py").touch()
    (root / "requirements").mkdir()
    (root / "wheels").mkdir()
    wheel = make_wheel(root / "wheels", "tinybackend", BACKEND)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (root / "requirements/headless.txt").write_text(f"tinybackend==1 --hash=sha256:{digest}\n")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["tinybackend"]\nbuild-backend = "tinybackend"\n'
    )
    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setattr(environment, "PROBE", {False: "import plumbline, tinybackend"})
    # As on Debian without python3-venv: our own pip fills the environment. Also faster.
    monkeypatch.setattr(environment, "_has_ensurepip", lambda: False)
    return root


def headless(root: Path) -> Environment:
    return Environment(root / ".venv", window=False, dev=False)


def test_set_up_once_then_never_again(project: Path, progress: Progress) -> None:
    env = headless(project)
    assert not env.is_ready()
    env.set_up(progress, project / "wheels")
    assert env.is_ready()
    where = [str(env.python), "-c", "import plumbline; print(plumbline.__file__)"]
    found = subprocess.run(where, capture_output=True, text=True, encoding="utf-8", check=True)
    assert Path(found.stdout.strip()).parents[2] == project
    (link,) = env.folder.glob("**/_plumbline.pth")
    assert link.read_bytes().isascii()

    started = time.monotonic()
    assert env.is_ready()
    assert time.monotonic() - started < 0.5

    lock = project / "requirements/headless.txt"
    lock.write_text(lock.read_text() + "# changed\n")
    assert not env.is_ready()


def test_interrupted_set_up_starts_afresh(
    project: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = headless(project)

    def interrupt(*_: object) -> None:
        half = env.folder / "half-written"
        half.touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "_make_link_relative", interrupt)
        with pytest.raises(KeyboardInterrupt):
            env.set_up(progress, project / "wheels")
    assert (env.folder / "half-written").exists()
    assert not env.is_ready()
    env.set_up(progress, project / "wheels")
    assert env.is_ready()
    assert not (env.folder / "half-written").exists()


def test_an_environment_that_was_moved_is_made_anew(project: Path, progress: Progress) -> None:
    env = headless(project)
    env.set_up(progress, project / "wheels")
    moved = Environment(project / "elsewhere", window=False, dev=False)
    shutil.move(env.folder, moved.folder)
    assert not moved.is_ready()
    moved.set_up(progress, project / "wheels")
    assert moved.is_ready()


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"headless.txt": 1}'])
def test_a_broken_stamp_means_not_ready(project: Path, content: str) -> None:
    env = headless(project)
    env.python.parent.mkdir(parents=True)
    env.python.touch()
    (env.folder / "plumbline-setup.json").write_text(content)
    assert not env.is_ready()


def test_the_development_set_serves_the_run(project: Path, progress: Progress) -> None:
    lock = (project / "requirements/headless.txt").read_text()
    (project / "requirements/headless-dev.txt").write_text(lock)
    dev = Environment(project / ".venv", window=False, dev=True)
    dev.set_up(progress, project / "wheels")
    assert dev.is_ready()
    assert headless(project).is_ready()
    (dev.folder / "plumbline-setup.json").write_text(
        json.dumps({"headless.txt": headless(project)._fingerprint()})
    )
    assert not dev.is_ready()


def failure(env: Environment, progress: Progress, wheels: Path | None) -> str:
    with pytest.raises(SetupError) as caught:
        env.set_up(progress, wheels)
    assert not env.is_ready()
    assert caught.value.hint
    return caught.value.message


def test_a_package_that_was_changed_is_refused(project: Path, progress: Progress) -> None:
    make_wheel(project / "wheels", "tinybackend", BACKEND + "# changed\n")
    message = failure(headless(project), progress, project / "wheels")
    assert message == "A package differs from the one that was locked, so nothing was installed."


def test_no_network_is_said_plainly(
    project: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    message = failure(headless(project), progress, None)
    assert message == "The packages could not be downloaded: the package index cannot be reached."
    assert "127.0.0.1" in progress.log.read_text(encoding="utf-8")


def test_a_package_that_is_not_to_be_had_is_named(project: Path, progress: Progress) -> None:
    (project / "wheels/tinybackend-1-py3-none-any.whl").unlink()
    assert "tinybackend" in failure(headless(project), progress, project / "wheels")


def test_too_little_space_is_said_before_anything_is_made(
    project: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        environment.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 1)
    )
    assert "0.0 GB of free disk space" in failure(headless(project), progress, project / "wheels")
    assert not (project / ".venv").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("OSError: [Errno 28] No space left on device: '/x'", "The disk is full."),
        ("something else", "The packages could not be installed."),
    ],
)
def test_what_pip_says_becomes_one_sentence(output: str, message: str) -> None:
    with pytest.raises(SetupError, match=re.escape(message)):
        environment._require(Finished(1, output))


def test_packages_that_do_not_work_here_are_not_passed_off_as_ready(
    project: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "PROBE", {False: "import no_such_module"})
    message = failure(headless(project), progress, project / "wheels")
    assert message == "The installed packages do not work on this computer."


def test_a_python_without_its_parts_is_refused(
    project: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports: Callable[[str], bool] = environment._imports
    monkeypatch.setattr(environment, "_imports", lambda n: n != "sqlite3" and imports(n))
    assert "sqlite3" in failure(headless(project), progress, project / "wheels")


# --- tests on all cores -------------------------------------------------------------------------


def test_tests_are_spread_over_the_cores_unless_somebody_looks_on_or_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script.shutil, "which", lambda _name: None)
    monkeypatch.setattr(script.os, "cpu_count", lambda: 2)
    headless = Environment(tmp_path, window=False, dev=True)
    window = Environment(tmp_path, window=True, dev=True)
    spread = ["-n", "2", "--dist", "loadfile"]
    assert script.workers(headless, ["-m", "headless"]) == spread
    for alone in (["-s"], ["-n0"], ["--pdb"], ["-m", "benchmark"]):
        assert script.workers(headless, alone) == []
    assert script.workers(window, []) == []  # one screen for all
    monkeypatch.setattr(script.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert script.workers(window, []) == spread
