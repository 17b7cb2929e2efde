"""The window with small files: adding, refusing, asking, linking, undoing, finding."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from PySide6.QtCore import QItemSelectionModel, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QCheckBox
from shapely.geometry import Polygon

from plumbline.api import EntityRef, Group
from plumbline.core.entities import entity_ids
from plumbline.render import camera as moves
from plumbline.services.notifier import Severity, notifier
from plumbline.ui.dialogs.crs import CrsDialog
from plumbline.ui.search import SearchTargets, find

from .hand import Hand
from .test_settings import settings_dialog

CRS = "EPSG:4549"
X, Y = 534000.0, 3993000.0


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """Write four square houses, 10 m to 40 m high, in a folder with spaces and Chinese."""
    folder = tmp_path / "规划 资料"
    folder.mkdir()
    shapes = [
        Polygon(
            [
                (X + dx, Y + dy),
                (X + dx + 20, Y + dy),
                (X + dx + 20, Y + dy + 20),
                (X + dx, Y + dy + 20),
            ]
        )
        for dx, dy in ((0, 0), (60, 0), (0, 60), (60, 60))
    ]
    frame = geopandas.GeoDataFrame(
        {"名称": ["甲", "乙", "丙", "丁"], "高度": [10.0, 20.0, 30.0, 40.0]},
        geometry=shapes,
        crs=CRS,
    )
    path = folder / "建筑.gpkg"
    frame.to_file(path, layer="建筑", driver="GPKG")
    return path


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    """Write a tilted plane as terrain."""
    path = tmp_path / "ground.tif"
    rows, columns = np.mgrid[0:100, 0:100]
    heights = (5 + columns * 0.02 + rows * 0.01).astype("float32")
    with rasterio.open(
        path, "w", driver="GTiff", width=100, height=100, count=1, dtype="float32", crs=CRS,
        transform=Affine(2, 0, X - 40, 0, -2, Y + 130), nodata=-9999,
    ) as target:  # fmt: skip
        target.write(heights, 1)
    return path


@pytest.fixture
def scene_hand(hand: Hand, houses: Path, ground: Path) -> Hand:
    """Return a hand in a window that shows houses on ground."""
    hand.window.session.open_paths([ground])
    hand.rest(60)
    hand.window.session.open_paths([houses])
    hand.rest(60)
    assert len(hand.window.scene) == 2
    return hand


def house_layer(hand: Hand) -> str:
    """Return the id of the houses."""
    return next(layer.id for layer in hand.window.scene if layer.kind == "vector")


def test_dropped_files_are_drawn_where_they_are(hand: Hand, houses: Path, ground: Path) -> None:
    """Drag and drop of two files; the title, the tree and the status line follow."""
    window = hand.window
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(ground)), QUrl.fromLocalFile(str(houses))])
    window.dropEvent(
        QDropEvent(
            QPointF(400, 300), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )  # fmt: skip
    hand.wait_until(lambda: len(window.scene) == 2)
    hand.rest(60)
    assert window.scene.georeference.crs_text == CRS
    assert {layer.name for layer in window.scene} >= {"ground"}
    assert window.canvas.isVisible()
    assert "EPSG:4549" in window.status._crs.text()
    assert hand.colours(window.canvas) > 10


def test_click_selects_and_table_follows_both_ways(scene_hand: Hand) -> None:
    """Canvas to table and back."""
    hand, window = scene_hand, scene_hand.window
    layer_id = house_layer(hand)
    window.canvas.look("top")
    hand.rest(60)
    hand.wait_until(lambda: not window.canvas._ease.isActive())
    window.show_table(layer_id)
    hand.rest(60)
    window.canvas.frame(window.canvas.view.layer_bounds(layer_id), ease=False)
    hand.rest(60)
    ids = entity_ids(window.scene[layer_id])
    import numpy

    from plumbline.render import camera as moves

    camera, view = window.canvas.camera(), window.canvas.view
    x, y, _ = moves.project(camera, numpy.array([[X + 70, Y + 70, 45.0]]), view.size)[0]
    spot = QPoint(round(x), round(window.canvas.interactor.height() - 1 - y))
    hand.click(window.canvas.interactor, spot)
    assert window.scene.selection == (EntityRef(layer_id, ids[3]),)
    assert window.attributes.rows()["名称"] == "丁"
    chosen = window.table._view.selectionModel().selectedRows()
    assert [i.data() for i in chosen] == ["丁"]
    index = window.table._proxy.index(0, 0)
    flags = QItemSelectionModel.SelectionFlag
    window.table._view.selectionModel().select(index, flags.ClearAndSelect | flags.Rows)
    assert [ref.entity for ref in window.scene.selection] == [ids[0]]


def test_undo_takes_back_and_redo_does_again(scene_hand: Hand) -> None:
    """Hide by the eye in the tree, remove, undo twice, redo."""
    hand, window = scene_hand, scene_hand.window
    scene, tree = window.scene, window.tree
    layer_id = scene.layer_ids[0]
    row = tree.visualItemRect(tree.topLevelItem(0))
    hand.click(tree.viewport(), QPoint(tree.viewport().width() - 10, row.center().y()))
    assert not scene.view(layer_id).visible
    scene.remove(layer_id)
    assert layer_id not in scene
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert layer_id in scene
    assert not scene.view(layer_id).visible
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert scene.view(layer_id).visible
    hand.click(hand.action_button("edit.redo"))
    assert not scene.view(layer_id).visible


def test_groups_show_in_the_tree(scene_hand: Hand) -> None:
    """A group holds its layers, hides them, and dissolves."""
    window = scene_hand.window
    scene = window.scene
    group = scene.add_group("现状", scene.layer_ids)
    scene_hand.wait_until(lambda: window.tree.topLevelItem(0).text(0) == "现状")
    assert window.tree.topLevelItem(0).childCount() == 2
    scene.update_group(group, visible=False)
    assert not any(scene.is_visible(i) for i in scene.layer_ids)
    scene.ungroup(group)
    assert not any(isinstance(node, Group) for node in scene.tree)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.tif", None),
        ("empty.ifc", b""),
        ("not a shapefile.shp", b"this is a text"),
        ("cut.laz", b"LASF" + bytes(60)),
        ("drawing.dwg", b"AC1032"),
    ],
)
def test_bad_files_say_so_and_change_nothing(
    scene_hand: Hand, tmp_path: Path, name: str, content: bytes | None
) -> None:
    """One sentence in the message bar, the scene as it was."""
    hand, window = scene_hand, scene_hand.window
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    before = window.scene.layer_ids
    notifier.clear()
    window.session.open_paths([path])
    hand.wait_until(lambda: bool(notifier.notifications), 30)
    hand.rest(30)
    last = notifier.notifications[-1]
    assert last.severity is Severity.ERROR, last.details
    assert name in last.message
    assert window.scene.layer_ids == before
    hand.wait_until(window.message_bar.isVisible, 5)


def test_a_file_without_crs_is_asked_for_never_guessed(
    scene_hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialog opens with nothing chosen; refusing leaves the scene, answering adds the file."""
    hand, window = scene_hand, scene_hand.window
    path = tmp_path / "tri.ply"
    path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty double x\nproperty double y\n"
        "property double z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
        f"{X} {Y} 0\n{X + 10} {Y} 0\n{X} {Y + 10} 5\n3 0 1 2\n"
    )
    asked: list[str] = []

    def refuse(dialog: CrsDialog) -> int:
        asked.append(dialog.crs)
        return 0

    monkeypatch.setattr(CrsDialog, "exec", refuse)
    window.session.open_paths([path])
    hand.wait_until(lambda: bool(asked), 30)
    hand.rest(30)
    assert asked == [""]
    assert len(window.scene) == 2

    def answer(dialog: CrsDialog) -> int:
        dialog.edit.setText("EPSG:4549")
        assert dialog.crs == "EPSG:4549"
        return 1

    monkeypatch.setattr(CrsDialog, "exec", answer)
    window.session.open_paths([path])
    hand.wait_until(lambda: len(window.scene) == 3, 30)
    layer = window.scene["tri"]
    assert layer.source is not None
    assert layer.source.crs == "EPSG:4549"


def test_files_without_crs_wait_for_those_that_have_one(
    hand: Hand, tmp_path: Path, houses: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened together: the project takes the CRS that is stated, then the other is asked for."""
    window = hand.window
    path = tmp_path / "tri.ply"
    path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty double x\nproperty double y\n"
        "property double z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
        f"{X} {Y} 0\n{X + 10} {Y} 0\n{X} {Y + 10} 5\n3 0 1 2\n"
    )
    first: list[str] = []

    def answer(dialog: CrsDialog) -> int:
        first.append(dialog.list.item(0).text())
        dialog.list.setCurrentRow(0)
        return 1

    monkeypatch.setattr(CrsDialog, "exec", answer)
    window.session.open_paths([path, houses])
    hand.wait_until(lambda: len(window.scene) == 2, 60)
    assert len(first) == 1
    assert first[0].startswith(CRS)
    assert window.scene.georeference.crs_text == CRS
    assert window.scene["tri"].crs is not None


def test_a_lone_file_without_crs_may_stay_in_its_plane(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question comes even then; the answer is the user's."""
    path = tmp_path / "tri.obj"
    path.write_text("v 0 0 0\nv 9 0 0\nv 0 9 3\nf 1 2 3\n")
    asked: list[CrsDialog] = []

    def own_plane(dialog: CrsDialog) -> int:
        asked.append(dialog)
        dialog._choose_plane()
        return 1

    monkeypatch.setattr(CrsDialog, "exec", own_plane)
    hand.window.session.open_paths([path])
    hand.wait_until(lambda: len(hand.window.scene) == 1, 60)
    assert len(asked) == 1
    assert hand.window.scene.georeference.crs is None


def test_data_in_degrees_are_drawn_in_metres(hand: Hand, tmp_path: Path) -> None:
    """CGCS2000 in degrees goes to its own 3-degree zone, and the window says so."""
    shape = Polygon([(120.38, 36.07), (120.381, 36.07), (120.381, 36.071), (120.38, 36.071)])
    path = tmp_path / "度.gpkg"
    geopandas.GeoDataFrame({"高度": [12.0]}, geometry=[shape], crs=4490).to_file(path)
    window = hand.window
    window.session.open_paths([path])
    hand.wait_until(lambda: len(window.scene) == 1, 60)
    assert window.scene.georeference.crs_text == "EPSG:4549"
    box = next(iter(window.scene)).bounds
    assert box is not None
    # 0.001° of latitude at 36.07° is 110.95 m (meridian arc, Snyder 1987, eq. 3-21); 90.1 m of
    # parallel, turned by the convergence of 0.224°, add 0.35 m to the box.
    assert box.ymax - box.ymin == pytest.approx(111.30, abs=0.05)
    assert "EPSG:4549" in notifier.notifications[-1].message


def test_search_finds_commands_layers_entities_and_coordinates(scene_hand: Hand) -> None:
    """One box for all, with something to run behind every line."""
    window = scene_hand.window
    went: list[object] = []
    targets = SearchTargets(
        went.append, went.append, lambda x, y, z: went.append((x, y, z)), went.append
    )

    def first(text: str) -> str:
        hits = find(text, window.scene, window.actions.commands, targets)
        hits[0].run()
        return hits[0].text

    assert first("534020.5, 3993010") == "Go to 534020.5, 3993010"
    assert went[-1] == (534020.5, 3993010.0, None)
    assert first("ground") == "ground"
    assert first("丙") == "丙"
    assert went[-1] == EntityRef(
        house_layer(scene_hand), entity_ids(window.scene[house_layer(scene_hand)])[2]
    )
    assert "Isometric" in [
        h.text for h in find("isom", window.scene, window.actions.commands, targets)
    ]


def test_save_fails_plainly_and_loses_nothing(scene_hand: Hand, tmp_path: Path) -> None:
    """A folder that cannot be written; then a good one; reopening gives the same layers."""
    hand, window = scene_hand, scene_hand.window
    session = window.session
    session.answers["save_as"] = str(tmp_path / "nowhere" / "p.plumb.gpkg")
    session.save()
    hand.rest(30)
    assert window.scene.modified
    assert notifier.notifications[-1].severity is Severity.ERROR
    session.answers["save_as"] = str(tmp_path / "项目 一")
    session.save()
    hand.rest(30)
    assert session.name == "项目 一"
    assert not window.scene.modified
    ids = window.scene.layer_ids
    session.open_project(tmp_path / "项目 一.plumb.gpkg")
    hand.wait_until(lambda: window.session.name == "项目 一" and not window.scene.absent, 60)
    assert window.scene.layer_ids == ids


def test_a_source_that_moved_is_kept_and_relinked(
    scene_hand: Hand, tmp_path: Path, ground: Path
) -> None:
    """The row stays in the tree with a warning; relinking brings the layer back."""
    hand, window = scene_hand, scene_hand.window
    session = window.session
    session.answers["save_as"] = str(tmp_path / "p")
    session.save()
    hand.rest(30)
    moved = tmp_path / "elsewhere.tif"
    ground.rename(moved)
    session.open_project(tmp_path / "p.plumb.gpkg")
    hand.wait_until(lambda: any(entry.problem for entry in window.scene.absent), 60)
    assert "ground" in [window.tree.topLevelItem(n).text(0) for n in range(2)]
    session.answers["relink"] = [str(moved)]
    session.relink("ground")
    hand.wait_until(lambda: "ground" in window.scene, 60)


def test_every_command_has_a_translation_and_no_key_twice(hand: Hand) -> None:
    """Switching to Chinese changes every text; shortcuts are unique."""
    window = hand.window
    english = {c.id: window.actions.commands[c.id].text() for c in window.actions.commands}
    window.preferences.set(language="zh_CN")
    chinese = {c.id: window.actions.commands[c.id].text() for c in window.actions.commands}
    same = {k for k in english if english[k] == chinese[k]} - {"window.language"}
    assert not same
    keys = [window.actions.commands[c.id].shortcut().toString() for c in window.actions.commands]
    keys = [key for key in keys if key]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)])
def test_nothing_is_clipped_at_common_sizes(open_window: object, size: tuple[int, int]) -> None:
    """The command bar fits, in both languages."""
    hand = open_window(*size)  # type: ignore[operator]
    for language in ("en", "zh_CN"):
        hand.window.preferences.set(language=language)
        bar = hand.window.command_bar
        inside = bar.rect()
        for child in bar.findChildren(type(bar._search)):
            if child.isVisible():
                assert inside.contains(child.mapTo(bar, child.rect().bottomRight())), child.text()


def test_walk_keeps_the_eyes_above_the_ground(scene_hand: Hand) -> None:
    """W moves ahead with the eyes above the terrain, Esc goes back to orbit."""
    from plumbline.ui.canvas import Mode

    hand, window = scene_hand, scene_hand.window
    canvas = window.canvas
    hand.key(Qt.Key.Key_F3)
    assert canvas.mode is Mode.WALK
    start = canvas.camera()
    canvas._keys.add(Qt.Key.Key_W)
    canvas._clock.start()
    canvas._step.start()
    hand.wait_until(lambda: canvas.camera().position != start.position, 10)
    canvas._keys.clear()
    hand.rest(30)
    x, y, z = canvas.camera().position
    height = canvas.view.ground_height(x, y)
    if height is not None:
        assert z - height == pytest.approx(canvas.habits.eye_height, abs=0.01)
    hand.click(canvas.interactor, QPoint(5, 5))
    hand.key(Qt.Key.Key_Escape)
    assert canvas.mode is Mode.ORBIT


def test_the_wheel_turns_the_other_way_once_it_is_chosen(scene_hand: Hand) -> None:
    hand = scene_hand
    canvas, middle = hand.window.canvas, QPoint(300, 250)

    def zoomed() -> float:
        before = moves.distance(canvas.camera())
        hand.wheel(canvas.interactor, middle, 120)
        return moves.distance(canvas.camera()) / before

    assert zoomed() < 1
    dialog = settings_dialog(hand)
    tick = dialog.findChildren(QCheckBox)[0]
    hand.click(tick, QPoint(8, tick.height() // 2))
    assert hand.window.session.settings.navigation.invert_wheel
    dialog.close()
    assert zoomed() > 1
