"""The virtual environment: made once, from a lock with hashes, and mended when it was cut short."""

import errno
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from firstrun.progress import Finished, Progress
from firstrun.text import SetupError, say

# Started from inside an environment, set-up still belongs to the Python that this one came from.
BASE_PYTHON = str(getattr(sys, "_base_executable", sys.executable))
ROOT = Path(__file__).resolve().parents[2]
# Free space that set-up needs: the environment and what pip unpacks on the way, in bytes.
SPACE = {True: 3.0e9, False: 1.5e9}
# What must import after set-up, else the packages do not fit this computer.
PROBE = {
    True: "import plumbline, numpy, rasterio, ifcopenshell, PySide6, vtkmodules.all",
    False: "import plumbline, numpy, rasterio, ifcopenshell",
}


@dataclass(frozen=True)
class Environment:
    """One virtual environment beside the project.

    Attributes
    ----------
    folder : Path
        Where it is.
    window : bool
        With Qt and VTK.
    dev : bool
        With what tests and checks need.
    """

    folder: Path
    window: bool
    dev: bool

    @property
    def python(self) -> Path:
        """Return its interpreter."""
        windows = sys.platform == "win32"
        return self.folder / ("Scripts/python.exe" if windows else "bin/python")

    @property
    def site_packages(self) -> Path | None:
        """Return the folder of its packages, or None while it has none."""
        found = [*self.folder.glob("lib/python*/site-packages"), self.folder / "Lib/site-packages"]
        return next((folder for folder in found if folder.is_dir()), None)

    @property
    def lock(self) -> Path:
        """Return the lock file it is made from."""
        name = "workstation" if self.window else "headless"
        return ROOT / "requirements" / f"{name}{'-dev' if self.dev else ''}.txt"

    @property
    def _stamp(self) -> Path:
        return self.folder / "plumbline-setup.json"

    @property
    def _unfinished(self) -> Path:
        return self.folder / "plumbline-setup.unfinished"

    def _fingerprint(self) -> dict[str, str]:
        """Return what a finished set-up depends on; an environment that moved is not finished."""
        files = (self.lock, ROOT / "pyproject.toml")
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
        return {"inputs": digest, "folder": str(self.folder), "python": platform.python_version()}

    def is_ready(self) -> bool:
        """Tell, without starting anything, whether set-up was finished for the present lock."""
        if self._unfinished.exists() or not self.python.exists():
            return False
        try:
            stamps = json.loads(self._stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(stamps, dict) and stamps.get(self.lock.name) == self._fingerprint()

    def set_up(self, progress: Progress, wheelhouse: Path | None) -> None:
        """Make the environment, or bring it to the present lock."""
        check_python(progress)
        _check_space(self.folder.parent, SPACE[self.window])
        if self._unfinished.exists() or not self._fits_python():
            shutil.rmtree(self.folder, ignore_errors=True)
        if not self.python.exists():
            with progress.step(say("Create the environment {folder}", folder=self.folder.name)):
                self._create(progress)
        self._unfinished.touch()
        self._install_locked(progress, wheelhouse)
        with progress.step(say("Install Plumbline itself")):
            arguments = ["--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT)]
            _require(self._pip(progress, arguments))
            self._make_link_relative()
        with progress.step(say("Check the installation")):
            self._probe(progress)
        self._write_stamp()
        self._unfinished.unlink()

    def _fits_python(self) -> bool:
        """Tell whether the environment was made by this version of Python, in this place."""
        if not self._stamp.exists():
            return True  # new, or made by hand: install into it
        try:
            stamps = json.loads(self._stamp.read_text(encoding="utf-8"))
            return all(
                (stamp["python"], stamp["folder"]) == (platform.python_version(), str(self.folder))
                for stamp in stamps.values()
            )
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            return False

    def _create(self, progress: Progress) -> None:
        command = [BASE_PYTHON, "-m", "venv", str(self.folder)]
        if not _has_ensurepip():  # Debian without python3-venv: the system's pip fills it instead
            command.append("--without-pip")
        if progress.command(command).code:
            raise SetupError(
                say("The environment {folder} could not be created.", folder=self.folder),
                say("Delete that folder if it is there, then start again."),
            )

    def _pip(self, progress: Progress, arguments: list[str]) -> Finished:
        packages = self.site_packages
        inside = packages is not None and (packages / "pip" / "__main__.py").exists()
        pip = (
            [str(self.python), "-m", "pip"]
            if inside
            else [BASE_PYTHON, "-m", "pip", "--python", str(self.python)]
        )
        total = self.lock.read_text(encoding="utf-8").count("==")

        def describe(lines: list[str]) -> str:
            if any(line.startswith("Installing collected packages") for line in lines):
                return say("unpacking")
            heads = ("Collecting ", "Requirement already satisfied", "Ignoring ")
            n = sum(line.startswith(heads) for line in lines)
            return say("{n} of {total} packages", n=n, total=total) if n else ""

        options = ["--no-input", "--progress-bar", "off", "--no-warn-script-location"]
        return progress.command([*pip, "install", *options, *arguments], describe)

    def _install_locked(self, progress: Progress, wheelhouse: Path | None) -> None:
        arguments = ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
        arguments += ["--requirement", str(self.lock)]
        if wheelhouse:
            arguments += ["--no-index", "--find-links", str(wheelhouse)]
        n = len(re.findall(r"^[\w.-]+==", self.lock.read_text(encoding="utf-8"), re.M))
        with progress.step(say("Install {n} packages", n=n)):
            _require(self._pip(progress, arguments))

    def _make_link_relative(self) -> None:
        """Write the link to the sources as a relative path.

        Python 3.11 reads .pth files in the locale's encoding, so that an absolute path with
        Chinese characters is lost under some locales; the relative one is plain ASCII.
        """
        assert self.site_packages is not None
        link = self.site_packages / "_plumbline.pth"
        lines = link.read_text(encoding="utf-8").splitlines()
        relative = [os.path.relpath(line, link.parent) for line in lines if line]
        link.write_text("\n".join(relative) + "\n", encoding="utf-8")

    def _probe(self, progress: Progress) -> None:
        if progress.command([str(self.python), "-c", PROBE[self.window]]).code:
            raise SetupError(
                say("The installed packages do not work on this computer."),
                say(
                    "Start again; if it fails again, send the log to whoever looks after Plumbline."
                ),
            )

    def _write_stamp(self) -> None:
        """Record which locks the environment serves: its own, and the smaller of the same kind."""
        stamps = {self.lock.name: self._fingerprint()}
        smaller = Environment(self.folder, self.window, dev=False)
        stamps[smaller.lock.name] = smaller._fingerprint()
        self._stamp.write_text(json.dumps(stamps, ensure_ascii=False), encoding="utf-8")


def check_python(progress: Progress) -> None:
    """Refuse a Python that was built without modules that Plumbline needs, or that lacks pip."""
    needed = ("ctypes", "sqlite3", "ssl", "venv", "zlib")
    lacking = [name for name in needed if not _imports(name)]
    if lacking:
        raise SetupError(
            say(
                "This Python lacks the modules that Plumbline needs: {modules}.",
                modules=", ".join(lacking),
            ),
            say("Install a complete Python 3.11 or newer and start this script with it."),
        )
    if not _has_ensurepip() and progress.command([BASE_PYTHON, "-m", "pip", "--version"]).code:
        raise SetupError(
            say("This Python has neither pip nor ensurepip, so that nothing can be installed."),
            say(
                "Install pip (on Debian and Ubuntu: apt-get install python3-pip), then start again."
            ),
        )


def _imports(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _has_ensurepip() -> bool:
    return importlib.util.find_spec("ensurepip") is not None


def _check_space(folder: Path, need: float) -> None:
    if not os.access(folder, os.W_OK):
        raise _not_writable(folder)
    free = shutil.disk_usage(folder).free
    if free < need:
        raise SetupError(
            say(
                "{folder} has {free:.1f} GB of free disk space, and set-up needs {need:.1f} GB.",
                folder=folder,
                free=free / 1e9,
                need=need / 1e9,
            ),
            say("Free some space, or move the project to a larger disk, then start again."),
        )


def _not_writable(place: object) -> SetupError:
    return SetupError(
        say("{folder} cannot be written to.", folder=place),
        say("Copy the project to a folder of your own, then start again."),
    )


# What pip says -> what it means and what to do. The first that matches counts: a lost connection
# also leads to "no matching distribution" further down.
TROUBLES = (
    (
        r"No space left on device|Errno 28|There is not enough space on the disk",
        "The disk is full.",
        "Free some space, or move the project to a larger disk, then start again.",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "A package differs from the one that was locked, so nothing was installed.",
        "Start again; if it stays so, do not trust that source of packages.",
    ),
    (
        r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|NameResolutionError"
        r"|Connection(Reset|Refused)?Error|SSLError|Temporary failure in name resolution",
        "The packages could not be downloaded: the package index cannot be reached.",
        "Check the network and pip's configuration (pip config list), or pass --wheelhouse FOLDER.",
    ),
    (
        r"No matching distribution found for (?P<name>[^\s=<>(]+)",
        "There is no ready-made package {name} for this Python ({version}) and system.",
        "Use Python 3.11 to 3.13 on Linux, Windows or macOS, or complete the folder of packages.",
    ),
)


def _require(result: Finished) -> None:
    """Turn a failed pip into one sentence."""
    if result.code == 0:
        return
    for pattern, message, hint in TROUBLES:
        if found := re.search(pattern, result.output):
            fields = found.groupdict() | {"version": platform.python_version()}
            raise SetupError(say(message, **fields), say(hint))
    raise SetupError(
        say("The packages could not be installed."),
        say("Start again; if it fails again, send the log to whoever looks after Plumbline."),
    )


def explain(trouble: SetupError | OSError) -> SetupError:
    """Return what went wrong as one sentence; raise an `OSError` that is a defect of ours."""
    if isinstance(trouble, SetupError):
        return trouble
    if trouble.errno == errno.ENOSPC:
        return SetupError(
            say("The disk is full."),
            say("Free some space, or move the project to a larger disk, then start again."),
        )
    if trouble.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return _not_writable(trouble.filename or ROOT)
    raise trouble
