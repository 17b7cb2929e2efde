"""Where the files of `resources/` are, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def resource_root() -> Path:
    """Return the folder that holds icons, themes, translations, rules, templates and fonts."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_resources"
    return installed if installed.is_dir() else package.parents[1] / "resources"


def resource(*parts: str) -> Path:
    """Return the path of one resource, e.g. ``resource("icons", "home.svg")``."""
    return resource_root().joinpath(*parts)
