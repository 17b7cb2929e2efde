"""The table of analyses: id to class, imported when first used.

The plugin host fills it from the manifests of the plugins that are switched on. A script that
starts no host gets the analyses of the installed plugins, read from the same manifests, so that
``plumbline.api.run`` works in a bare interpreter.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from plumbline.analysis.base import Analysis
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr

#: Entry-point group of plugins; the value names the package that holds ``plugin.toml``.
PLUGIN_GROUP = "plumbline.plugins"


@dataclass
class _Row:
    #: As it was added; `loaded` is the class once it was imported.
    target: str | type[Analysis[Any]]
    title: str
    loaded: type[Analysis[Any]] | None = None


class Registry:
    """Analyses by id."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._filled = False

    def add(self, analysis_id: str, target: str | type[Analysis[Any]], title: str = "") -> None:
        """Add an analysis.

        Parameters
        ----------
        analysis_id : str
            Stable id, e.g. ``"measure.distance"``.
        target : str or type
            ``"module:Class"``, imported when first used, or the class itself.
        title : str
            English title for lists that must not import the class.

        Raises
        ------
        UsageError
            If another class has that id already.
        """
        self._filled = True
        known = self._rows.get(analysis_id)
        if known is not None and known.target != target:
            raise UsageError(
                tr("Two plugins offer an analysis “{id}”.", id=analysis_id),
                tr("Switch one of them off in the settings."),
                f"{known.target} / {target}",
            )
        self._rows[analysis_id] = _Row(target, title)

    def remove(self, analysis_id: str) -> None:
        """Take an analysis out, e.g. when its plugin is switched off; unknown ids are ignored."""
        self._rows.pop(analysis_id, None)

    def ids(self) -> list[str]:
        """Return every id, sorted."""
        self._discover()
        return sorted(self._rows)

    def title(self, analysis_id: str) -> str:
        """Return the translated title without importing the class where the manifest gives one."""
        row = self._row(analysis_id)
        return tr(row.title or self.get(analysis_id).title or analysis_id)

    def get(self, analysis_id: str) -> type[Analysis[Any]]:
        """Return the class of an analysis, importing its module when needed.

        Raises
        ------
        UsageError
            If there is none of that id; the hint names similar ones.
        """
        row = self._row(analysis_id)
        if row.loaded is None:
            if isinstance(row.target, str):
                module, _, name = row.target.partition(":")
                row.loaded = getattr(import_module(module), name)
            else:
                row.loaded = row.target
        assert row.loaded is not None
        return row.loaded

    def _row(self, analysis_id: str) -> _Row:
        self._discover()
        if analysis_id not in self._rows:
            near = get_close_matches(analysis_id, self._rows, n=3, cutoff=0.5)
            raise UsageError(
                tr("There is no analysis “{id}”.", id=analysis_id[:80]),
                tr("Did you mean {ids}?", ids=", ".join(near))
                if near
                else tr("The analyses are: {ids}.", ids=", ".join(self.ids()) or "–"),
            )
        return self._rows[analysis_id]

    def _discover(self) -> None:
        """Read the manifests of installed plugins, unless a plugin host has filled the table."""
        if self._filled:
            return
        self._filled = True
        for entry in entry_points(group=PLUGIN_GROUP):
            spec = find_spec(entry.module)
            for folder in (spec and spec.submodule_search_locations) or ():
                manifest = Path(folder) / "plugin.toml"
                if manifest.is_file():
                    data = tomllib.loads(manifest.read_text(encoding="utf-8"))
                    for row in data.get("analyses", ()):
                        self.add(row["id"], row["class"], row.get("title", ""))


#: The registry of this process.
registry = Registry()
