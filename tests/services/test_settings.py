"""Settings survive, damage never stops the start, keys of newer versions are kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from plumbline.core.i18n import LANGUAGES
from plumbline.core.units import AREA_UNITS, LENGTH_UNITS
from plumbline.services import paths
from plumbline.services.notifier import Notifier, Severity
from plumbline.services.settings import RECENT_KEPT, Settings, SettingsStore


@pytest.fixture
def notifier() -> Notifier:
    return Notifier()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "设置" / "settings.json"


@pytest.fixture
def store(path: Path, notifier: Notifier) -> SettingsStore:
    path.parent.mkdir()
    return SettingsStore(path, notifier)


def test_a_change_is_announced_and_there_at_the_next_start(
    store: SettingsStore, path: Path
) -> None:
    told: list[Settings] = []
    store.changed.connect(told.append)
    store.update(operator="王工", theme="dark", point_budget=1_000_000)
    store.update(operator="王工")
    assert len(told) == 1
    again = SettingsStore(path).settings
    assert (again.operator, again.theme, again.point_budget) == ("王工", "dark", 1_000_000)
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]
    assert "王工" in path.read_text(encoding="utf-8")


def test_a_value_that_is_not_allowed_changes_nothing(store: SettingsStore, path: Path) -> None:
    for change in ({"theme": "pink"}, {"point_budget": 5}, {"autosave_minutes": float("nan")}):
        with pytest.raises(ValidationError):
            store.update(**change)
    assert store.settings == Settings()
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", "[" * 100_000, "\ufeff{}x"])
def test_a_damaged_file_is_put_aside(path: Path, notifier: Notifier, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    store = SettingsStore(path, notifier)
    assert store.settings == Settings()
    (told,) = notifier.notifications
    assert told.severity is Severity.WARNING
    aside = path.with_suffix(".damaged.json")
    assert aside.read_text(encoding="utf-8") == text
    assert str(aside) in told.hint
    store.update(operator="x")
    assert SettingsStore(path, notifier).settings.operator == "x"


def test_bytes_that_are_no_text(path: Path, notifier: Notifier) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\x00{")
    assert SettingsStore(path, notifier).settings == Settings()
    assert len(notifier.notifications) == 1


def test_one_bad_value_costs_only_itself(path: Path, notifier: Notifier) -> None:
    path.parent.mkdir()
    path.write_text(
        json.dumps({"theme": "pink", "operator": "A", "navigation": {"walk_speed": -1}}),
        encoding="utf-8",
    )
    settings = SettingsStore(path, notifier).settings
    assert settings.operator == "A"
    assert settings.theme == "system"
    assert settings.navigation.walk_speed == 4.0
    (told,) = notifier.notifications
    assert "theme" in told.message
    assert "navigation" in told.message


def test_keys_of_a_newer_version_survive(path: Path, notifier: Notifier) -> None:
    path.parent.mkdir()
    newer = {"operator": "A", "holograms": {"on": True}, "navigation": {"teleport": 3}}
    path.write_text(json.dumps(newer), encoding="utf-8")
    SettingsStore(path, notifier).update(operator="B")
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["holograms"] == {"on": True}
    assert kept["navigation"]["teleport"] == 3
    assert kept["operator"] == "B"
    assert notifier.notifications == []


def test_recent_projects_are_unique_newest_first_and_few(
    store: SettingsStore, tmp_path: Path
) -> None:
    projects = [tmp_path / f"{n}.plumb.gpkg" for n in range(RECENT_KEPT + 3)]
    for project in (*projects, projects[5]):
        store.add_recent(project)
    recent = store.settings.recent_projects
    assert recent[0] == str(projects[5])
    assert recent[1] == str(projects[-1])
    assert len(recent) == len(set(recent)) == RECENT_KEPT
    store.remove_recent(projects[5])
    assert str(projects[5]) not in store.settings.recent_projects


def test_a_folder_that_cannot_be_written_is_told(path: Path, notifier: Notifier) -> None:
    store = SettingsStore(path, notifier)  # its folder does not exist
    store.update(operator="x")
    assert store.settings.operator == "x"
    (told,) = notifier.notifications
    assert told.severity is Severity.ERROR


def test_choices_are_those_of_the_core() -> None:
    fields = Settings.model_fields
    assert set(fields["language"].annotation.__args__) == {"system", *LANGUAGES}
    assert set(fields["length_unit"].annotation.__args__) == set(LENGTH_UNITS)
    assert set(fields["area_unit"].annotation.__args__) == set(AREA_UNITS)


@pytest.mark.parametrize(
    ("chosen", "system", "language"),
    [("system", "zh_CN.UTF-8", "zh_CN"), ("system", "fr_FR", "en"), ("en", "zh_CN.UTF-8", "en")],
)
def test_the_language_in_use(
    chosen: str, system: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", system)
    assert Settings.model_validate({"language": chosen}).effective_language == language


def test_all_folders_are_under_plumbline_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "家 home"))
    folders = [
        paths.config_folder(),
        paths.state_folder(),
        paths.cache_folder(),
        paths.log_folder(),
    ]
    assert len(set(folders)) == 4
    assert all(f.is_dir() and f.parent == tmp_path / "家 home" for f in folders)
    assert SettingsStore().path == folders[0] / "settings.json"


@pytest.mark.skipif(sys.platform == "win32", reason="platformdirs differ")
def test_without_it_they_are_where_the_system_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLUMBLINE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert paths.config_folder().is_relative_to(tmp_path)
    assert "plumbline" in paths.state_folder().parts
