"""The plugin host: manifests without importing, problems without crashing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plumbline.analysis.registry import Registry
from plumbline.api import API_VERSION
from plumbline.core.i18n import tr, translator
from plumbline.services import plugins
from plumbline.services.plugins import PluginHost, plugin_folders

MANIFEST = """
[plugin]
id = "{id}"
name = "Trees"
name_zh = "树木"
version = "1.0"
api_version = {api}

[[analyses]]
id = "{analysis}"
title = "Crowns"
class = "{package}.analysis:Crowns"

[[panels]]
id = "{panel}"
title = "Trees"
icon = "tree"
class = "{package}.panel:TreesPanel"
order = {order}
shortcut = "T"
"""

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def _only_folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave installed plugins out, and give the search path back."""
    monkeypatch.setattr(plugins, "entry_points", lambda group: [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    folders = list(translator._plugin_folders)
    yield
    translator._plugin_folders[:] = folders
    for name in set(sys.modules) - before:
        if name.startswith("office_"):
            del sys.modules[name]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_plugin(package: str, manifest: str | None = None, **fields: object) -> Path:
        folder = tmp_path / "插件 plugins" / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("raise RuntimeError('imported too early')\n")
        given = {
            "id": package,
            "api": API_VERSION,
            "analysis": f"{package}.crowns",
            "panel": package,
            "package": package,
            "order": 100,
        }
        text = MANIFEST.format(**{**given, **fields}) if manifest is None else manifest
        (folder / "plugin.toml").write_text(text, encoding="utf-8")
        return folder.parent

    return make_plugin


def discover(folder: Path) -> tuple[PluginHost, Registry]:
    registry = Registry()
    host = PluginHost([folder], registry)
    host.discover()
    return host, registry


def test_a_plugin_in_a_folder_is_found_and_not_imported(make: Make) -> None:
    host, registry = discover(make("office_a", analysis="trees.crowns"))
    assert host.problems == []
    (plugin,) = host.plugins
    assert plugin.package == "office_a"
    assert plugin.title == "Trees"
    assert registry.ids() == ["trees.crowns"]
    assert registry.title("trees.crowns") == "Crowns"
    (panel,) = host.panels
    assert (panel.class_, panel.icon, panel.shortcut) == ("office_a.panel:TreesPanel", "tree", "T")
    assert "office_a" not in sys.modules
    with pytest.raises(RuntimeError, match="imported too early"):
        registry.get("trees.crowns")


def test_panels_come_in_the_order_of_the_command_bar(make: Make) -> None:
    make("office_a", order=30)
    folder = make("office_b", order=10)
    host, _ = discover(folder)
    assert [panel.id for panel in host.panels] == ["office_b", "office_a"]


def test_a_plugin_brings_its_translations(make: Make) -> None:
    folder = make("office_a")
    words = folder / "office_a" / "translations"
    words.mkdir()
    (words / "zh_CN.json").write_text('{"Crown width": "冠幅"}', encoding="utf-8")
    host, _ = discover(folder)
    translator.set_language("zh_CN")
    assert tr("Crown width") == "冠幅"
    assert host.plugins[0].title == "树木"


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("", "plugin"),
        ("[plugin", "cannot be read"),
        ("\x00", "cannot be read"),
        ('[plugin]\nid = "X Y"\nname = "n"\nversion = "1"\napi_version = 1', "plugin.id"),
        ('[plugin]\nid = "x"\nname = "n"\nversion = "1"\napi_version = "one"', "api_version"),
        (MANIFEST + "[surprise]\na = 1\n", "surprise"),
        (MANIFEST.replace("{package}.analysis:Crowns", "os:system"), "own package"),
        (MANIFEST.replace("{package}.panel:", "{package}_evil.panel:"), "own package"),
        (MANIFEST.replace("{package}.analysis:Crowns", "{package}.analysis"), "analyses"),
        (MANIFEST.replace("{api}", "999"), "version 999"),
        (MANIFEST.replace("{api}", "0"), "version 0"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_a_problem_and_the_others_work(
    make: Make, manifest: str, reason: str
) -> None:
    fields = {
        "id": "office_bad",
        "api": API_VERSION,
        "analysis": "bad.crowns",
        "panel": "bad",
        "package": "office_bad",
        "order": 1,
    }
    for name, value in fields.items():
        manifest = manifest.replace("{" + name + "}", str(value))
    make("office_bad", manifest)
    host, registry = discover(make("office_good", analysis="good.crowns"))
    assert [plugin.package for plugin in host.plugins] == ["office_good"]
    (problem,) = host.problems
    assert "office_bad" in problem
    assert reason in problem
    assert registry.ids() == ["good.crowns"]


@pytest.mark.parametrize("same", ["id", "analysis", "panel"])
def test_the_second_of_two_with_one_id_is_refused_whole(make: Make, same: str) -> None:
    make("office_a", **{same: "same.one"})
    host, registry = discover(make("office_b", **{same: "same.one"}))
    assert [plugin.package for plugin in host.plugins] == ["office_a"]
    assert len(host.problems) == 1
    assert "same.one" in host.problems[0]
    assert all(not i.startswith("office_b") for i in registry.ids())


def test_a_folder_cannot_shadow_what_is_installed(make: Make) -> None:
    host, _ = discover(make("json"))
    assert host.plugins == []
    assert len(host.problems) == 1
    import json

    assert json.loads("[1]") == [1]


def test_a_missing_folder_and_a_missing_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Entry:
        name, value = "ghost", "office_ghost"

    monkeypatch.setattr(plugins, "entry_points", lambda group: [Entry()])
    host = PluginHost([tmp_path / "none"], Registry())
    assert host.discover() == []
    assert len(host.problems) == 2


def test_folders_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PLUMBLINE_PLUGINS", os.pathsep.join([str(tmp_path / "a"), "", str(tmp_path)])
    )
    assert plugin_folders() == [tmp_path / "a", tmp_path]


def test_installed_plugins_are_found_without_importing_them() -> None:
    code = (
        "import sys; from plumbline.services.plugins import plugin_host; host = plugin_host();"
        "assert host.problems == [], host.problems;"
        "assert any(p.id == 'measure' for p in host.panels);"
        "assert 'plumbline_measurement' not in sys.modules;"
        "heavy = {'geopandas', 'rasterio', 'trimesh', 'ifcopenshell', 'matplotlib', 'PySide6'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
