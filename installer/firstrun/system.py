"""What Plumbline needs from the system: libraries, Xvfb for tests, a Chinese font."""

import ctypes
import os
import re
import shutil
import sys
from pathlib import Path

from firstrun.progress import Progress
from firstrun.text import SetupError, say

LINUX = sys.platform.startswith("linux")

# Library -> Debian package. GDAL in rasterio's wheel leaves these to the system, ...
HEADLESS = {"libexpat.so.1": "libexpat1", "libz.so.1": "zlib1g"}
# ... VTK these ...
RENDER = HEADLESS | {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
}
# ... and Qt with its xcb platform plugin these. A test compares the lists with the wheels.
WINDOW = RENDER | {
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libzstd.so.1": "libzstd1",
}
# Without it VTK complains at every window, and works.
WELCOME = {"libXcursor.so.1": "libxcursor1"}
CHINESE_FONT_PACKAGE = "fonts-droid-fallback"
CHINESE_FONT_FILE = re.compile(
    r"DroidSansFallback|Noto(Sans|Serif)CJK|SourceHan|wqy|uming|ukai|msyh|simsun|simhei", re.I
)


def has_display() -> bool:
    """Tell whether windows can be shown here."""
    return not LINUX or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def missing_libraries(needed: dict[str, str]) -> dict[str, str]:
    """Return those of the libraries that the loader does not find, with their packages."""
    return {name: package for name, package in needed.items() if not _loads(name)}


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_chinese_font() -> bool:
    """Tell whether a font with Chinese glyphs is in one of the usual folders."""
    homes = (Path.home() / ".fonts", Path.home() / ".local/share/fonts")
    folders = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), *homes)
    return any(
        CHINESE_FONT_FILE.search(file)
        for folder in folders
        for _, _, files in os.walk(folder)
        for file in files
    )


def provide(needed: dict[str, str], xvfb: bool, welcome: bool, progress: Progress) -> None:
    """See to it that libraries and, if asked for, Xvfb are there; Linux only.

    As root on Debian and its relatives they are installed, otherwise the error names the command
    that installs them. `welcome` asks also for what is good to have: a Chinese font, a library;
    if that cannot be had, a line says so and set-up goes on.
    """
    if not LINUX:
        return
    missing = missing_libraries(needed)
    if xvfb and shutil.which("Xvfb") is None:
        missing["Xvfb"] = "xvfb"
    packages = sorted(set(missing.values()))
    extras = _welcome_packages() if welcome else []
    root = os.geteuid() == 0 and shutil.which("apt-get") is not None
    if root and (packages or extras):
        installed = _apt_install([*packages, *extras], progress)
        if missing and not installed:
            raise SetupError(
                say("The system packages could not be installed."),
                say(
                    "Check the network and the package sources, or run it yourself: {command}",
                    command=apt_command(packages, sudo=False),
                ),
            )
        missing = missing_libraries(needed)
    if missing:
        raise SetupError(
            say("These system libraries are missing: {names}.", names=", ".join(sorted(missing))),
            _advice(missing, packages, extras),
        )
    if welcome and not has_chinese_font() and shutil.which("apt-get"):
        command = apt_command([CHINESE_FONT_PACKAGE], sudo=not root)
        print(
            say("No Chinese font was found; to see Chinese texts run: {command}", command=command),
            flush=True,
        )


def _welcome_packages() -> list[str]:
    font = [] if has_chinese_font() else [CHINESE_FONT_PACKAGE]
    return [*missing_libraries(WELCOME).values(), *font]


def _apt_install(packages: list[str], progress: Progress) -> bool:
    """Install Debian packages; tell whether that worked."""
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-qy"]
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    with progress.step(say("Install system packages: {packages}", packages=" ".join(packages))):
        # The lists may be missing or old; if they cannot be renewed, the old ones may still do.
        progress.command([*apt, "update"])
        return progress.command([*apt, "install", "--no-install-recommends", *packages]).code == 0


def apt_command(packages: list[str], sudo: bool) -> str:
    """Return the command that installs Debian packages."""
    return f"{'sudo ' if sudo else ''}apt-get install -y {' '.join(packages)}"


def _advice(missing: dict[str, str], packages: list[str], extras: list[str]) -> str:
    """Say how the missing libraries come onto this system."""
    if shutil.which("apt-get"):
        command = apt_command([*packages, *extras], sudo=os.geteuid() != 0)
    elif tool := next((t for t in ("dnf", "zypper") if shutil.which(t)), None):
        # RPM packages can be asked for by the library that they provide.
        wanted = ["/usr/bin/Xvfb" if n == "Xvfb" else f"'{n}()(64bit)'" for n in sorted(missing)]
        command = f"sudo {tool} install -y {' '.join(wanted)}"
    else:
        return say("Install them with the system's package manager, then start again.")
    return say("Run this command once, then start again: {command}", command=command)
