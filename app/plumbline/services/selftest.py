"""The self-test: does Plumbline work on this computer, and if not, what is missing.

Each check does the real thing on something small with a known answer: it transforms a coordinate,
writes and reads a table, measures a line, draws a ball. What may take the interpreter down with it
(OpenGL, Qt, IFC) runs in a child process, so that a crash is an answer like any other.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from plumbline import __version__, api
from plumbline.analysis.registry import Registry
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import LANGUAGES, N_, tr
from plumbline.core.resources import resource
from plumbline.services import paths
from plumbline.services.plugins import PluginHost, plugin_folders

Status = Literal["passed", "warning", "failed", "skipped"]

ON_LINUX = sys.platform.startswith("linux")
CHILD_SECONDS = 120.0
LOW_SPACE = 2e9  # bytes

# Draws a red ball; the last line of its output is what OpenGL is.
BALL = """
import pyvista
plotter = pyvista.Plotter(off_screen=True, window_size=(96, 96), lighting="none")
plotter.set_background("white")
plotter.add_mesh(pyvista.Sphere(), color="red")
red, green, _ = plotter.screenshot(return_img=True)[48, 48]
assert red > 200 and green < 60, (red, green)
lines = plotter.render_window.ReportCapabilities().splitlines()
found = dict(line.partition(" string:")[::2] for line in lines if " string:" in line)
print(found["OpenGL renderer"].strip() + ", OpenGL " + found["OpenGL version"].strip())
"""
WINDOW = """
from PySide6.QtCore import qVersion
from PySide6.QtWidgets import QApplication, QWidget
application = QApplication([])
widget = QWidget()
widget.show()
application.processEvents()
print("Qt " + qVersion() + ", " + application.platformName())
"""
LIBRARIES = """
import ifcopenshell, ifcopenshell.geom, laspy, lazrs, pyogrio, rasterio, scipy, shapely, trimesh
model = ifcopenshell.file(schema="IFC4")
assert model.create_entity("IfcProject", ifcopenshell.guid.new()).is_a("IfcProject")
print("ifcopenshell " + ifcopenshell.version + ", GDAL " + rasterio.__gdal_version__)
"""
RAY = """
import numpy as np
from importlib.metadata import version
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
scene = EmbreeScene()
corners = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0]], dtype=np.float32)
TriangleMesh(scene, corners, np.array([[0, 1, 2]], dtype=np.int32))
start, down = np.array([[[1, 1, 3]], [[0, 0, -1]]], dtype=np.float32)
distance = float(scene.run(start, down, query="DISTANCE")[0])
assert abs(distance - 3.0) < 1e-6, distance
print("embreex " + version("embreex"))
"""
# Length of the meridian of the CGCS2000 ellipsoid from the equator to 36 degrees north, metres;
# integrated numerically, independent of PROJ.
MERIDIAN_36 = 3985542.6703
# Qingdao, 120.5 E 36.1 N on CGCS2000, in EPSG:4549, metres: from Krüger's series for the transverse
# Mercator (Karney 2011, J. Geodesy 85, eq. 35), independent of PROJ.
QINGDAO = (545025.0362, 3996754.4176)


@dataclass(frozen=True)
class Check:
    """One answer of the self-test.

    Attributes
    ----------
    name : str
        What was checked, translated.
    status : str
        ``"passed"``, ``"warning"`` (works, but not as it should), ``"failed"`` or ``"skipped"``.
    detail : str
        What was found.
    hint : str
        What to do about it; empty when all is well.
    seconds : float
        How long it took.
    """

    name: str
    status: Status
    detail: str
    hint: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return asdict(self)


class SkippedError(Exception):
    """A check does not apply here; the text says why."""


class DoubtfulError(Exception):
    """A check passed with a reservation: what it is, and what to do."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


def run_self_test(feedback: Feedback | None = None) -> list[Check]:
    """Run all checks in order; a check that fails does not stop the others."""
    feedback = feedback or Feedback()
    checks = []
    for number, (name, function) in enumerate(CHECKS):
        feedback.step(number, len(CHECKS), tr(name))
        checks.append(_answer(name, function))
    feedback.step(1, 1, "")
    return checks


def passed(checks: Iterable[Check]) -> bool:
    """Tell whether nothing failed."""
    return all(check.status != "failed" for check in checks)


def _answer(name: str, function: Callable[[], str]) -> Check:
    """Run one check; whatever it raises is its answer."""
    started = time.monotonic()
    hint = ""
    status: Status = "passed"
    try:
        detail = function()
    except SkippedError as reason:
        status, detail = "skipped", str(reason)
    except DoubtfulError as doubt:
        status, detail, hint = "warning", doubt.detail, doubt.hint
    except Exception as error:
        status, detail = "failed", str(error).strip() or type(error).__name__
        hint = tr("Run the set-up again: python3 installer/bootstrap.py setup")
    return Check(tr(name), status, detail, hint, round(time.monotonic() - started, 3))


def check_versions() -> str:
    """Return the versions; missing packages are named."""
    needed = [r.partition(";") for r in metadata.requires("plumbline") or []]
    names = [_name(r) for r, _, marker in needed if "extra" not in marker]
    missing = [name for name in names if not _installed(name)]
    if missing:
        raise RuntimeError(tr("Not installed: {names}.", names=", ".join(missing)))
    return f"Plumbline {__version__}, Python {platform.python_version()}, {platform.platform()}"


def _name(requirement: str) -> str:
    """Return the name of a package from a line like ``laspy[lazrs]>=2.5``."""
    end = next((i for i, c in enumerate(requirement) if c not in "-_." and not c.isalnum()), None)
    return requirement[:end]


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_folders() -> str:
    """Write into the folders of settings, state, cache and log, and look at the space left."""
    folders = (
        paths.config_folder(),
        paths.state_folder(),
        paths.cache_folder(),
        paths.log_folder(),
    )
    for folder in folders:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"plumbline")
            file.flush()
    free = min(shutil.disk_usage(folder).free for folder in folders)
    detail = tr("{folder}, {free:.1f} GB free", folder=folders[0], free=free / 1e9)
    if free < LOW_SPACE:
        raise DoubtfulError(detail, tr("Free some space: projects and converted data need it."))
    return detail


def check_resources() -> str:
    """See that icons, themes and translations are there."""
    icons = len(list(resource("icons").glob("*.svg")))
    themes = len(list(resource("themes").iterdir()))
    for language in LANGUAGES:
        if language != "en" and not list(resource("translations", language).glob("*.json")):
            raise RuntimeError(tr("The translation {language} is missing.", language=language))
    if not icons or not themes:
        raise RuntimeError(tr("Icons or themes are missing in {folder}.", folder=resource()))
    return tr("{icons} icons, {themes} files of themes", icons=icons, themes=themes)


def check_projection() -> str:
    """Transform a point on the central meridian, which follows from geometry, and one beside it."""
    to_grid = api.transformer(api.parse_crs("EPSG:4490"), api.parse_crs("EPSG:4549"))
    found = (*to_grid.transform(120.0, 36.0), *to_grid.transform(120.5, 36.1))
    known = (500_000.0, MERIDIAN_36, *QINGDAO)
    error = max(abs(a - b) for a, b in zip(found, known, strict=True))
    if not error <= 0.001:  # not a number is wrong too
        raise RuntimeError(tr("Coordinates are wrong by {error:.3f} m.", error=error))
    return tr("CGCS2000 to EPSG:4549 within {error:.4f} m", error=error)


def check_measurement() -> str:
    """Measure a line of known length through the analysis that everybody uses."""
    result = api.run("measure.distance", api.Scene(), start=[0, 0, 0], end=[3, 4, 12])
    length = result.values["distance"].value
    if length != 13.0:
        raise RuntimeError(tr("The line of 13 m measures {length} m.", length=length))
    return tr("a line of 13 m measures {length} m", length=length)


def check_plugins() -> str:
    """Read the manifests of all plugins; a registry of its own keeps the real one as it is."""
    host = PluginHost(plugin_folders(), Registry())
    found = host.discover()
    names = ", ".join(f"{plugin.title} {plugin.manifest.plugin.version}" for plugin in found)
    if host.problems:
        raise DoubtfulError(" ".join(host.problems), tr("Update the plugin or remove it."))
    return names or "–"


def check_rays() -> str:
    """Shoot a ray at a triangle 3 m away, in a child process."""
    return _child(RAY)


def check_loaders() -> str:
    """Import every loader."""
    specs = api.loaders()
    for spec in specs:
        spec.resolve()
    return tr("{n} formats", n=len(specs))


def check_tables() -> str:
    """Write a GeoPackage with Chinese names and values in a Chinese path, and read it again."""
    import geopandas
    from shapely.geometry import Point

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "准绳 test.gpkg"
        table = geopandas.GeoDataFrame(
            {"用途": ["住宅", "商业"]}, geometry=[Point(1, 2), Point(3, 4)], crs="EPSG:4549"
        )
        table.to_file(file, layer="建筑", driver="GPKG", engine="pyogrio")
        again = geopandas.read_file(file, layer="建筑", engine="pyogrio")
    if list(again["用途"]) != ["住宅", "商业"] or again.crs != table.crs:
        raise RuntimeError(tr("What was read is not what was written."))
    return tr("written and read: {n} rows", n=len(again))


def check_libraries() -> str:
    """Import the libraries that read files, and make an IFC model, in a child process."""
    return _child(LIBRARIES)


def check_graphics() -> str:
    """Draw a ball off screen and look at its colour."""
    if find_spec("pyvista") is None or find_spec("vtkmodules") is None:
        raise SkippedError(tr("VTK is not installed: this is a set-up without the window."))
    variables = {}
    if ON_LINUX and not _has_display():
        variables["VTK_DEFAULT_OPENGL_WINDOW"] = "vtkEGLRenderWindow"
    return _child(BALL, variables)


def check_window() -> str:
    """Show a window for a moment."""
    if find_spec("PySide6") is None:
        raise SkippedError(tr("Qt is not installed: this is a set-up without the window."))
    if not _has_display():
        raise SkippedError(tr("There is no display."))
    return _child(WINDOW)


def check_chinese_font() -> str:
    """Ask the system for a font with Chinese glyphs; Windows and macOS always have one."""
    lister = shutil.which("fc-list")
    if not ON_LINUX or lister is None:
        raise SkippedError(tr("Fonts cannot be asked for here."))
    done = subprocess.run(
        [lister, ":charset=51c6 7ef3", "family"],
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
    )
    families = sorted({line.partition(",")[0] for line in done.stdout.splitlines() if line})
    if not families:
        raise DoubtfulError(
            tr("No font with Chinese glyphs."),
            tr("Install one, on Debian and Ubuntu: apt-get install fonts-droid-fallback"),
        )
    return ", ".join(families[:3])


def _has_display() -> bool:
    return not ON_LINUX or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))


def _child(code: str, variables: dict[str, str] | None = None) -> str:
    """Run Python code in a child process and return the last line it prints.

    Raises
    ------
    RuntimeError
        If it fails, crashes or takes too long; the text is the last line of its errors.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(variables or {})},
            timeout=CHILD_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(tr("No answer within {n:.0f} s.", n=CHILD_SECONDS)) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else ""
        raise RuntimeError(tr("Exit code {code}: {reason}", code=done.returncode, reason=reason))
    return done.stdout.strip().splitlines()[-1]


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    (N_("Versions and packages"), check_versions),
    (N_("Folders and disk space"), check_folders),
    (N_("Icons, themes, translations"), check_resources),
    (N_("Coordinate transformation"), check_projection),
    (N_("Measurement"), check_measurement),
    (N_("Ray casting"), check_rays),
    (N_("Loaders"), check_loaders),
    (N_("Tables and Chinese text"), check_tables),
    (N_("Libraries for files and IFC"), check_libraries),
    (N_("Plugins"), check_plugins),
    (N_("OpenGL"), check_graphics),
    (N_("Window"), check_window),
    (N_("Chinese font"), check_chinese_font),
)
