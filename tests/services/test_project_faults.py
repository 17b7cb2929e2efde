"""Projects that are damaged, hostile, newer, locked, or meet a full disk."""

from __future__ import annotations

import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from plumbline.core.errors import InputError
from plumbline.core.scene import Camera, Record, Scene
from plumbline.services.project import geopackage, open_project, read_project, save_project, writer

MakeRecord = Callable[[str, float], Record]
Edit = Callable[..., None]


@pytest.fixture
def path(scene: Scene, tmp_path: Path, camera: Camera) -> Path:
    path = tmp_path / "p.plumb.gpkg"
    save_project(scene, path, camera, {"saved": 1})
    return path


def test_a_newer_project_is_refused_politely_and_left_alone(
    scene: Scene, path: Path, edit: Edit
) -> None:
    edit(path, "UPDATE plumbline_meta SET value='2' WHERE key='schema_version'")
    edit(path, "UPDATE plumbline_meta SET value='\"9.1\"' WHERE key='version'")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"newer Plumbline \(9\.1\)") as caught:
        read_project(path)
    assert "Update" in caught.value.hint
    with pytest.raises(InputError, match="newer"):
        save_project(scene, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", ["0", "x", "1.5"])
def test_an_impossible_version_is_damage(path: Path, version: str, edit: Edit) -> None:
    edit(path, "UPDATE plumbline_meta SET value=? WHERE key='schema_version'", (version,))
    with pytest.raises(InputError, match="damaged"):
        read_project(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a Plumbline project"),
        (b"%PDF-1.7", "not a Plumbline project"),
        (b"SQLite format 3\0" + b"\0" * 200, "damaged"),
        (b"SQLite format 3\0" + bytes(range(256)) * 40, "damaged"),
    ],
)
def test_files_that_are_no_project(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "p.plumb.gpkg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_project(path)
    assert path.read_bytes() == content


def test_missing_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.plumb.gpkg", tmp_path):
        with pytest.raises(InputError, match="cannot be opened"):
            open_project(path)


def test_a_geopackage_that_is_no_project_is_not_overwritten(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    scene["buildings"].data.features.to_file(path, layer="roads", driver="GPKG")
    before = path.read_bytes()
    for action in (lambda: read_project(path), lambda: save_project(scene, path)):
        with pytest.raises(InputError, match="not a Plumbline project"):
            action()
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_truncated_project_is_an_error_or_a_warning(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    """Which of both depends on what the lost pages held; never a traceback, never silence."""
    try:
        scene, warnings, _ = open_project(path)
    except InputError as error:
        message, lost = error.message, 1
    else:
        message, lost = " ".join(warnings), len(scene.absent)
    assert "damaged" in message
    assert lost > 0


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("UPDATE plumbline_viewpoints SET viewpoint=?", '{"name": "x", "camera": {}}'),
        ("UPDATE plumbline_viewpoints SET viewpoint=?", "[" * 100_000),
        ("UPDATE plumbline_meta SET value=? WHERE key='camera'", '{"position": [NaN, 0, 0]}'),
        ("UPDATE plumbline_meta SET value=? WHERE key='camera'", '{"position": [1e999, 0, 0]}'),
        ("UPDATE plumbline_meta SET value=? WHERE key='extra'", "7"),
        ("UPDATE plumbline_records SET record=? WHERE position=0", "__import__('os')"),
        ("UPDATE plumbline_schemes SET scheme=?", b"\x80\x04."),
        ("UPDATE plumbline_styles SET style=? WHERE layer='tower'", '{"color": 5}'),
        ("UPDATE plumbline_views SET view=? WHERE layer='tower'", '{"opacity": 7}'),
        ("UPDATE plumbline_layers SET kind=? WHERE id='tower'", "spaceship"),
        ("UPDATE plumbline_layers SET source=? WHERE id='buildings'", '{"path": "a\\u0000b"}'),
        ("UPDATE plumbline_tree SET kind=? WHERE position=0", "root"),
        ("UPDATE plumbline_data SET data=?", b"PK\x03\x04 nothing"),
        ("UPDATE plumbline_data SET format=?", "pickle"),
        ("UPDATE plumbline_data SET description=?", "{"),
    ],
)
def test_a_broken_entry_is_a_warning_and_the_rest_opens(
    path: Path, sql: str, value: object, edit: Edit
) -> None:
    edit(path, sql, (value,))
    scene, warnings, _ = open_project(path)
    assert len(warnings) == 1
    assert len(scene.records) >= 1
    assert len(scene) + len(scene.absent) >= 1


def test_tables_replaced_by_views_are_refused(path: Path, edit: Edit) -> None:
    edit(path, "DROP TABLE plumbline_records")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    edit(
        path,
        f"CREATE VIEW plumbline_records AS {endless} SELECT i AS position, 'x' AS record FROM n",
    )
    with pytest.raises(InputError, match="damaged"):
        read_project(path)


def test_a_tree_that_repeats_and_forgets_layers_is_mended(path: Path, edit: Edit) -> None:
    edit(path, "DELETE FROM plumbline_tree WHERE item = 'tower'")
    edit(path, "INSERT INTO plumbline_tree VALUES (90, 'buildings', 'layer', '', '', 1)")
    edit(path, "INSERT INTO plumbline_tree VALUES (91, 'group_1', 'group', '', 'again', 1)")
    edit(path, "INSERT INTO plumbline_tree VALUES (92, 'ghost', 'layer', '', '', 1)")
    scene, _, _ = open_project(path)
    assert sorted(scene.layer_ids) == ["buildings", "tower"]
    assert len(scene.groups) == 1


def test_locked_by_another_program(
    scene: Scene, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = geopackage.connect
    monkeypatch.setattr(geopackage, "connect", lambda path: connect(path, timeout=0.05))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match="in use by another program"):
            save_project(scene, path)
        with pytest.raises(InputError, match="in use by another program"):
            read_project(path)
    save_project(scene, path)


def test_saving_while_another_program_reads_in_wal_mode(
    scene: Scene, path: Path, make_record: MakeRecord
) -> None:
    """QGIS switches files it opens to a write-ahead log."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        assert other.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
        other.execute("SELECT count(*) FROM plumbline_layers").fetchone()
        scene.set_records([make_record("only", 1.0)])
        save_project(scene, path)
        assert other.execute("SELECT count(*) FROM plumbline_records").fetchone() == (1,)
        assert len(read_project(path).records) == 1
    assert len(read_project(path).records) == 1
    assert not path.with_name(path.name + "-wal").exists()


def test_replacing_a_file_in_wal_mode_leaves_no_log_behind(scene: Scene, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("UPDATE plumbline_meta SET value='\"old\"' WHERE key='version'")
        with pytest.raises(InputError, match="in use"):
            save_project(scene, path, replace_file=True)
    save_project(scene, path, extra={"saved": 2}, replace_file=True)
    assert read_project(path).extra == {"saved": 2}
    assert sorted(p.name for p in path.parent.iterdir() if p.is_file()) == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
@pytest.mark.parametrize("replace_file", [False, True])
def test_a_disk_that_fills_up_leaves_the_last_save(
    scene: Scene, path: Path, replace_file: bool, make_record: MakeRecord
) -> None:
    many = [make_record(f"r{n}", float(n)) for n in range(5000)]
    scene.set_records(many)
    limit = path.stat().st_size + 64_000

    def save() -> None:
        save_project(scene, path, extra={"saved": 2}, replace_file=replace_file)

    with pytest.raises(InputError) as caught:
        with_file_limit(limit, save)
    assert "untouched" in caught.value.hint
    assert scene.modified
    content = read_project(path)
    assert content.extra == {"saved": 1}
    assert len(content.records) == 2
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    save()
    assert len(read_project(path).records) == 5000


def with_file_limit(size: int, action: Callable[[], None]) -> None:
    """Run with a limit to the size of files: writes beyond it fail as on a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        action()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_what_sqlite_says_on_a_full_disk_is_said_in_words(
    scene: Scene, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(*_args: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(writer, "_write_measurements", full)
    with pytest.raises(InputError, match="disk is full"):
        save_project(scene, path)
    monkeypatch.undo()
    assert read_project(path).extra == {"saved": 1}
    assert len(path.read_bytes()) == len(before)


def test_a_folder_that_is_not_there(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be saved"):
        save_project(scene, tmp_path / "none" / "p.plumb.gpkg")
