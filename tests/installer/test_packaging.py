"""pyproject.toml knows every plugin, and the packages can be imported as lightly as promised."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
        # Kernels are what is heavy; they are imported inside the functions that call them.
        if file.name != "__main__.py" and not file.stem.endswith(("_kernel", "_kernels"))
    ]
    code = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}: importlib.import_module(name.removesuffix('.__init__'))\n"
        f"print(json.dumps(sorted({HEAVY!r} & sys.modules.keys())))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


# Where the name that is imported differs from the name of the package.
PACKAGE_OF = {
    "PIL": "pillow",
    "PySide6": "pyside6-essentials",
    "docx": "python-docx",
    "vtkmodules": "vtk",
}


def imported() -> dict[str, str]:
    """Return package -> a file that imports it, for all that is neither ours nor Python's."""
    own = {"plumbline", *PLUGINS}
    found = {}
    for file in [*(ROOT / "app").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            for name in {module.partition(".")[0] for module in modules} - own:
                if name not in sys.stdlib_module_names:
                    found[PACKAGE_OF.get(name, name)] = str(file.relative_to(ROOT))
    return {canonicalize_name(name): file for name, file in found.items()}


def test_what_is_imported_is_declared() -> None:
    project = SETTINGS["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["gui"]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    undeclared = {name: file for name, file in imported().items() if name not in declared}
    assert not undeclared
