"""What a user chose, kept between sessions as JSON in the user's own folder.

A damaged file never stops the start: it is put aside, the defaults apply and a notice says so.
Keys of a newer version survive being read and written by this one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from psygnal import Signal
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plumbline.core.errors import InputError
from plumbline.core.i18n import system_language, tr
from plumbline.services import paths
from plumbline.services.notifier import Notifier
from plumbline.services.notifier import notifier as default_notifier

RECENT_KEPT = 12


class NavigationSettings(BaseModel):
    """How the camera moves."""

    model_config = ConfigDict(frozen=True, extra="allow")

    #: Speed of walking, metres per second: brisk, and four times that with Shift.
    walk_speed: float = Field(4.0, gt=0, le=100)
    #: Speed of flying, as a share of the height above ground per second.
    fly_speed: float = Field(0.8, gt=0, le=10)
    #: Height of the eyes when walking, metres.
    eye_height: float = Field(1.6, gt=0, le=10)
    #: Angle that a drag turns by, against that of the default.
    mouse_sensitivity: float = Field(1.0, ge=0.1, le=10)
    invert_wheel: bool = False
    #: Whether the camera moves to a place with a short ease.
    smooth: bool = True


class Settings(BaseModel):
    """All settings with their defaults."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    language: Literal["system", "en", "zh_CN"] = "system"
    theme: Literal["system", "light", "dark"] = "system"
    #: Name of the person at the desk, written into results.
    operator: str = Field("", max_length=200)
    length_unit: Literal["m", "mm", "km"] = "m"
    area_unit: Literal["m²", "ha", "km²", "亩"] = "m²"
    #: What clicks of measuring tools snap to; None for everything.
    snaps: tuple[str, ...] | None = None
    #: Whether a loupe follows the cursor while something is measured.
    loupe: bool = True
    #: Colour of measurements; empty for the theme's.
    measure_color: str = Field("", pattern="^(#[0-9a-fA-F]{6})?$")
    recent_projects: Annotated[tuple[str, ...], Field(max_length=RECENT_KEPT)] = ()
    #: Minutes between recovery copies; 0 for none.
    autosave_minutes: float = Field(3.0, ge=0, le=120)
    quality: Literal["auto", "fast", "balanced", "best"] = "auto"
    #: Points drawn at most while the camera rests.
    point_budget: int = Field(5_000_000, ge=100_000, le=100_000_000)
    navigation: NavigationSettings = NavigationSettings()
    #: Folders with plugins that are not installed packages.
    plugin_folders: tuple[str, ...] = ()
    #: Folders with the office's own rule packs; the user's own `rules` folder comes after them.
    rule_folders: tuple[str, ...] = ()
    #: Geometry of the window as Qt gives it, base64.
    window_geometry: str = ""
    last_folder: str = ""

    @property
    def effective_language(self) -> str:
        """The language to use: the one chosen, or the system's."""
        return system_language() if self.language == "system" else self.language


class SettingsStore:
    """The settings of this user; reads once, writes on every change.

    Parameters
    ----------
    path : Path, optional
        The file; the user's own by default.
    """

    #: Emitted with the new settings.
    changed = Signal(Settings)

    def __init__(self, path: Path | None = None, notifier: Notifier | None = None) -> None:
        self.path = path or paths.config_folder() / "settings.json"
        self._notifier = notifier or default_notifier
        self.settings = self._read()

    def update(self, **changes: Any) -> Settings:
        """Change some settings, write them and announce it.

        Raises
        ------
        ValidationError
            If a value is not allowed; nothing is changed.
        """
        new = Settings.model_validate({**self.settings.model_dump(), **changes})
        if new != self.settings:
            self.settings = new
            self._write()
            self.changed.emit(new)
        return new

    def add_recent(self, project: Path) -> None:
        """Put a project at the top of the recent ones."""
        name = str(project.absolute())
        others = (p for p in self.settings.recent_projects if p != name)
        self.update(recent_projects=(name, *others)[:RECENT_KEPT])

    def remove_recent(self, project: Path | str) -> None:
        """Take a project out of the recent ones."""
        kept = tuple(p for p in self.settings.recent_projects if p != str(project))
        self.update(recent_projects=kept)

    def _read(self) -> Settings:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Settings()
        except (OSError, UnicodeDecodeError) as error:
            return self._put_aside(error)
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as error:
            return self._put_aside(error)
        return self._validate(given)

    def _validate(self, given: Any) -> Settings:
        """Return the settings; single values that are not allowed fall back to their default."""
        try:
            return Settings.model_validate(given)
        except ValidationError as error:
            if not isinstance(given, dict):
                return self._put_aside(error)
            bad = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
            if not bad:
                return self._put_aside(error)
            self._notifier.warning(
                tr("Some settings could not be read and were reset: {names}.", names=", ".join(bad))
            )
            return Settings.model_validate({k: v for k, v in given.items() if k not in bad})

    def _put_aside(self, error: Exception) -> Settings:
        aside = self.path.with_suffix(".damaged.json")
        try:
            self.path.replace(aside)
        except OSError:
            aside = self.path
        self._notifier.warning(
            tr("The settings could not be read; the defaults apply."),
            tr("The old file is kept: {path}.", path=aside),
            str(error),
        )
        return Settings()

    def _write(self) -> None:
        """Write a new file, sync and rename it, so that a crash leaves the old or the new one."""
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        text = json.dumps(self.settings.model_dump(mode="json"), ensure_ascii=False, indent=2)
        try:
            with temporary.open("w", encoding="utf-8") as stream:
                stream.write(text + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            self._notifier.error(
                InputError(
                    tr("The settings cannot be saved: {why}.", why=error.strerror or error),
                    tr("They apply until Plumbline is closed."),
                    str(error),
                )
            )
