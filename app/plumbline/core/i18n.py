"""Translation of every text that a user reads.

The English sentence is the key; ``resources/translations/<language>/*.json`` and the
``translations/<language>.json`` of plugins hold the other languages. Works without Qt, so that the
command line, reports and the window share one catalogue.
"""

from __future__ import annotations

import json
import locale
import os
from pathlib import Path

from psygnal import Signal

from plumbline.core.resources import resource

LANGUAGES = {"en": "English", "zh_CN": "简体中文"}


class Translator:
    """The catalogue of the active language; emits `changed` when the language is switched."""

    changed = Signal(str)

    def __init__(self) -> None:
        self.language = "en"
        self._catalogue: dict[str, str] = {}
        self._plugin_folders: list[Path] = []

    def set_language(self, language: str) -> None:
        """Switch to ``"en"`` or ``"zh_CN"``; an unknown language means English."""
        language = language if language in LANGUAGES else "en"
        if language == self.language:
            return
        self.language = language
        self._load()
        self.changed.emit(language)

    def add_folder(self, folder: Path) -> None:
        """Add the ``translations`` folder of a plugin, which holds ``<language>.json``."""
        if folder not in self._plugin_folders:
            self._plugin_folders.append(folder)
            self._load()

    def _load(self) -> None:
        files = sorted(resource("translations", self.language).glob("*.json"))
        files += [folder / f"{self.language}.json" for folder in self._plugin_folders]
        self._catalogue = {}
        for file in files:
            if file.is_file():
                self._catalogue.update(json.loads(file.read_text(encoding="utf-8")))

    def text(self, key: str) -> str:
        """Return the translation of an English text, or the text itself."""
        return self._catalogue.get(key, key)


translator = Translator()


def tr(text: str, /, **fields: object) -> str:
    """Translate a literal English text and fill its named fields.

    Examples
    --------
    >>> tr("{n} points", n=3)
    '3 points'
    """
    translated = translator.text(text)
    return translated.format(**fields) if fields else translated


def N_(text: str) -> str:
    """Mark a text for the catalogue that is translated later with ``tr(variable)``."""
    return text


def system_language() -> str:
    """Return ``"zh_CN"`` when the system speaks Chinese, else ``"en"``."""
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    name = next((n for n in names if n), "") or (locale.getlocale()[0] or "")
    return "zh_CN" if name.lower().startswith(("zh", "chinese")) else "en"
