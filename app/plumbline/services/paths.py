"""Folders outside projects: settings, state, cache and log, each under one root where asked.

``PLUMBLINE_HOME`` puts all of them into one folder (tests, a USB disk, a locked-down desk);
otherwise each is where the system keeps such things.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from plumbline.core.errors import InputError
from plumbline.core.i18n import tr


def config_folder() -> Path:
    """Return the folder of the settings, made if needed."""
    return _folder("config", lambda: platformdirs.user_config_path("plumbline", False))


def state_folder() -> Path:
    """Return the folder of recovery copies, made if needed."""
    return _folder("state", lambda: platformdirs.user_state_path("plumbline", False))


def cache_folder() -> Path:
    """Return the folder of what can be computed again, made if needed."""
    return _folder("cache", lambda: platformdirs.user_cache_path("plumbline", False))


def tiles_folders(project: Path | None = None) -> tuple[Path, ...]:
    """Return the folders for what is tiled once: beside a project, and that of the caches."""
    shared = cache_folder() / "tiles"
    if project is None:
        return (shared,)
    return (project.with_name(project.name.removesuffix(".plumb.gpkg") + ".tiles"), shared)


def data_folder() -> Path:
    """Return the folder of what Plumbline makes for this user and cannot lose, made if needed."""
    return _folder("data", lambda: platformdirs.user_data_path("plumbline", False))


def log_folder() -> Path:
    """Return the folder of the log file, made if needed."""
    return _folder("log", lambda: platformdirs.user_log_path("plumbline", False))


def _folder(name: str, system: Callable[[], Path]) -> Path:
    home = os.environ.get("PLUMBLINE_HOME")
    folder = Path(home).expanduser().absolute() / name if home else system()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            tr("The folder “{path}” cannot be made: {why}.", path=folder, why=error.strerror),
            tr("Set PLUMBLINE_HOME to a folder that you may write to."),
        ) from error
    return folder
