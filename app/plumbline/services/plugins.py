"""The plugin host: finds plugins, reads their manifests without importing their code.

Plugins are packages that an entry point of the group ``plumbline.plugins`` names, or packages in a
folder named by the settings or by ``PLUMBLINE_PLUGINS`` (several, separated as in PATH). Beside a
plugin's ``__init__.py`` stands its ``plugin.toml``::

    [plugin]
    id = "measurement"
    name = "Measurement"
    version = "1.0"
    api_version = 1
    description = "..."

    [[analyses]]
    id = "measure.distance"
    title = "Distance"
    class = "plumbline_measurement.analysis:Distance"

    [[panels]]
    id = "measure"
    title = "Measure"
    icon = "measure"
    class = "plumbline_measurement.panel:MeasurePanel"
    order = 10
    shortcut = "M"

A plugin that cannot be used is a problem in the list, never a crash.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plumbline.analysis.kept import kept_results
from plumbline.analysis.registry import PLUGIN_GROUP, Registry
from plumbline.analysis.registry import registry as default_registry
from plumbline.analysis.rules import set_rule_folders
from plumbline.api import API_VERSION
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr, translator
from plumbline.services.notifier import notifier
from plumbline.services.paths import cache_folder, config_folder
from plumbline.services.settings import SettingsStore

MANIFEST = "plugin.toml"
LARGEST_MANIFEST = 1_000_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class PluginInfo(_Part):
    """Who the plugin is."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")
    name: str = Field(min_length=1, max_length=100)
    #: Name in Chinese; the plugin's translations are asked where it is empty.
    name_zh: str = Field("", max_length=100)
    version: str = Field(min_length=1, max_length=50)
    #: Version of `plumbline.api` that it was written for.
    api_version: int
    description: str = ""


class AnalysisManifest(_Part):
    """An analysis that the plugin offers; `class_` is ``"module:Class"``."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")
    title: str
    class_: str = Field(alias="class", pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


class PanelManifest(_Part):
    """A panel that the plugin offers; `title` is English and passes through `tr`."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")
    title: str
    icon: str = "plugin"
    class_: str = Field(alias="class", pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    #: Place in the command bar, small numbers first.
    order: int = 100
    shortcut: str = ""


class Manifest(_Part):
    """A ``plugin.toml``."""

    plugin: PluginInfo
    analyses: tuple[AnalysisManifest, ...] = ()
    panels: tuple[PanelManifest, ...] = ()


@dataclass(frozen=True)
class Plugin:
    """A plugin that can be used: its manifest, its package and where that is."""

    manifest: Manifest
    package: str
    folder: Path

    @property
    def title(self) -> str:
        """The name in the active language."""
        info = self.manifest.plugin
        return info.name_zh if translator.language == "zh_CN" and info.name_zh else tr(info.name)


class PluginHost:
    """Finds plugins and registers what they offer.

    Parameters
    ----------
    folders : iterable of Path, optional
        Folders that hold plugin packages.
    registry : Registry, optional
        Where analyses go; their classes are imported when first used.
    """

    def __init__(self, folders: Iterable[Path] = (), registry: Registry | None = None) -> None:
        self._folders = list(folders)
        self._registry = registry or default_registry
        self.plugins: list[Plugin] = []
        #: Translated sentences: what could not be used, and why.
        self.problems: list[str] = []

    @property
    def panels(self) -> list[PanelManifest]:
        """Panels of all plugins in the order of the command bar."""
        found = (panel for plugin in self.plugins for panel in plugin.manifest.panels)
        return sorted(found, key=lambda panel: (panel.order, panel.id))

    def discover(self) -> list[Plugin]:
        """Look for plugins and register each that can be used; return them."""
        self.plugins, self.problems = [], []
        for package, folder in (*self._installed(), *self._in_folders()):
            try:
                plugin = Plugin(_read_manifest(folder, package), package, folder)
                self._admit(plugin)
            except UsageError as error:
                self.problems.append(
                    tr("The plugin “{name}” is not used: {why}", name=package, why=error.message)
                )
        return self.plugins

    def _admit(self, plugin: Plugin) -> None:
        info = plugin.manifest.plugin
        if info.api_version != API_VERSION:
            raise UsageError(
                tr(
                    "it was written for version {wanted} of the interface, this is {have}.",
                    wanted=info.api_version,
                    have=API_VERSION,
                )
            )
        _refuse_repeated([info.id], [p.manifest.plugin.id for p in self.plugins])
        panels = [panel.id for panel in plugin.manifest.panels]
        _refuse_repeated(panels, [panel.id for panel in self.panels])
        analyses = [analysis.id for analysis in plugin.manifest.analyses]
        others = [a.id for p in self.plugins for a in p.manifest.analyses]
        _refuse_repeated(analyses, others)
        for analysis in plugin.manifest.analyses:
            self._registry.add(analysis.id, analysis.class_, analysis.title)
        translations = plugin.folder / "translations"
        if translations.is_dir():
            translator.add_folder(translations)
        self.plugins.append(plugin)

    def _installed(self) -> Iterator[tuple[str, Path]]:
        """Yield package and folder of what entry points name."""
        for entry in sorted(entry_points(group=PLUGIN_GROUP), key=lambda e: e.name):
            package = entry.value.partition(":")[0].partition(".")[0]
            # Only a top-level name: looking for a submodule would import its parent.
            spec = find_spec(package)
            places = list(spec.submodule_search_locations or ()) if spec else []
            if places:
                yield package, Path(places[0])
            else:
                why = tr("its package is not there.")
                self.problems.append(
                    tr("The plugin “{name}” is not used: {why}", name=package, why=why)
                )

    def _in_folders(self) -> Iterator[tuple[str, Path]]:
        """Yield the packages with a manifest in the folders, whose code becomes importable."""
        for folder in self._folders:
            if not folder.is_dir():
                self.problems.append(tr("There is no plugin folder “{path}”.", path=folder))
                continue
            found = sorted(p for p in folder.iterdir() if (p / MANIFEST).is_file())
            if found and str(folder) not in sys.path:
                sys.path.append(str(folder))  # at the end: it cannot shadow what is installed
            for package in found:
                spec = find_spec(package.name) if package.name.isidentifier() else None
                places = list(spec.submodule_search_locations or ()) if spec else []
                if places and Path(places[0]).samefile(package):
                    yield package.name, package
                else:
                    why = tr("another package has its name, or it is not a package.")
                    self.problems.append(
                        tr("The plugin “{name}” is not used: {why}", name=package.name, why=why)
                    )


def _read_manifest(folder: Path, package: str) -> Manifest:
    """Read and check a manifest.

    Raises
    ------
    UsageError
        If it is missing, malformed, or names code outside its own package.
    """
    path = folder / MANIFEST
    try:
        with path.open("rb") as stream:
            text = stream.read(LARGEST_MANIFEST).decode("utf-8")
        manifest = Manifest.model_validate(tomllib.loads(text))
    except FileNotFoundError as error:
        raise UsageError(tr("it has no plugin.toml.")) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            tr("its plugin.toml is wrong at {place}: {why}.", place=place, why=first["msg"])
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(tr("its plugin.toml cannot be read: {why}.", why=error)) from error
    classes = [a.class_ for a in manifest.analyses] + [p.class_ for p in manifest.panels]
    for name in classes:
        if name.partition(":")[0].partition(".")[0] != package:
            raise UsageError(tr("{name} is not in its own package.", name=name))
    return manifest


def _refuse_repeated(ids: list[str], others: list[str]) -> None:
    for n, one in enumerate(ids):
        if one in others or one in ids[:n]:
            raise UsageError(tr("the id “{id}” is taken already.", id=one))


def plugin_folders() -> list[Path]:
    """Return the plugin folders of ``PLUMBLINE_PLUGINS`` and of the settings."""
    named = os.environ.get("PLUMBLINE_PLUGINS", "").split(os.pathsep)
    chosen = SettingsStore().settings.plugin_folders
    return [Path(text).expanduser().absolute() for text in (*named, *chosen) if text.strip()]


def rule_folders() -> list[Path]:
    """Return the folders of rule packs of the settings, and this user's own."""
    chosen = SettingsStore().settings.rule_folders
    return [*(Path(text).expanduser().absolute() for text in chosen), config_folder() / "rules"]


@cache
def plugin_host() -> PluginHost:
    """Return the host of this process, discovering at the first call; problems are notified.

    The rule packs that analyses of plugins judge by are found from here on too, and results that
    are kept lie in the cache folder of this user.
    """
    set_rule_folders(rule_folders())
    kept_results.folder = lambda: cache_folder() / "results"
    host = PluginHost(plugin_folders())
    host.discover()
    for problem in host.problems:
        notifier.warning(problem)
    return host
