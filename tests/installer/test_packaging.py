"""pyproject.toml knows every plugin, and the packages can be imported as lightly as promised."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(p.parent.name for p in (ROOT / "plugins").glob("*/__init__.py"))
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Each takes a good part of a second; they are imported by the function that needs them.
HEAVY = {
    "geopandas",
    "ifcopenshell",
    "matplotlib",
    "pandas",
    "pyogrio",
    "rasterio",
    "scipy",
    "trimesh",
    "PySide6",
    "pyvista",
    "vtkmodules",
}
LIGHT = ["core", "geometry", "io", "analysis", "api", "services", "cli", "demo"]


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_is_packaged_offered_and_held_to_the_rules(plugin: str) -> None:
    wheel = SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert f"plugins/{plugin}" in wheel["packages"]
    assert plugin in SETTINGS["project"]["entry-points"]["plumbline.plugins"].values()
    linter = SETTINGS["tool"]["importlinter"]
    assert plugin in linter["root_packages"]
    contracts = {contract["name"]: contract for contract in linter["contracts"]}
    named = {
        "Headless packages know neither Qt nor VTK": f"{plugin}.analysis",
        "A plugin imports the api (and ui_kit in its panel), nothing else of ours": plugin,
    }
    for name, module in named.items():
        assert module in contracts[name]["source_modules"]
    application = contracts["The application never imports a plugin by name"]
    assert plugin in application["forbidden_modules"]
    assert f"{plugin}.analysis" in SETTINGS["tool"]["mypy"]["packages"]


@pytest.mark.parametrize("name", LIGHT)
def test_headless_packages_import_without_the_heavy_libraries(name: str) -> None:
    folder = ROOT / "app" / "plumbline" / name
    modules = [
        ".".join(("plumbline", name, *file.relative_to(folder).with_suffix("").parts))
        for file in sorted(folder.rglob("*.py"))
        if file.name != "__main__.py"
    ]
    code = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}: importlib.import_module(name.removesuffix('.__init__'))\n"
        f"print(json.dumps(sorted({HEAVY!r} & sys.modules.keys())))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
