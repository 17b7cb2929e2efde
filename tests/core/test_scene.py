"""The scene: edits with undo, one thread, one CRS, absent layers that find their places."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.crs import parse_crs
from plumbline.core.data import PointCloudData
from plumbline.core.errors import UsageError
from plumbline.core.georeference import Georeference
from plumbline.core.layer import Layer, LayerEntry, LayerKind, LayerStyle
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Camera, Group, Record, Scene, Scheme, Viewpoint, WrongThreadError

CRS = "EPSG:4549"


def make_layer(layer_id: str, crs: str | None = CRS, at: float = 0.0) -> Layer:
    points = np.array([[500000.0 + at, 4000000.0, 5.0], [500100.0 + at, 4000100.0, 9.0]])
    data = PointCloudData(points)
    known = parse_crs(crs) if crs else None
    return Layer(layer_id, layer_id.upper(), LayerKind.POINTCLOUD, data, known)


def make_scene(*ids: str) -> Scene:
    scene = Scene()
    for layer_id in reversed(ids):
        scene.add(make_layer(layer_id))
    return scene


def state(scene: Scene) -> tuple[object, ...]:
    """Return everything that undo has to restore."""
    return (
        scene.tree,
        [(layer.id, layer.name, scene.style(layer.id), scene.view(layer.id)) for layer in scene],
        scene.viewpoints,
        scene.records,
        scene.schemes,
        scene.active_scheme,
        scene.absent,
    )


def test_the_first_layer_gives_crs_and_origin() -> None:
    scene = Scene()
    scene.add(make_layer("a"))
    assert scene.georeference.crs_text == CRS
    assert scene.georeference.origin == (500000.0, 4000000.0, 0.0)
    with pytest.raises(UsageError, match=r"EPSG:28992.*EPSG:4549"):
        scene.add(make_layer("b", "EPSG:28992"))
    with pytest.raises(UsageError):
        scene.add(make_layer("c", None))
    assert scene.layer_ids == ["a"]


def test_a_stated_georeference_stays() -> None:
    georeference = Georeference.from_text(CRS, (1.0, 2.0, 3.0))
    scene = Scene(georeference)
    scene.add(make_layer("a"))
    assert scene.georeference is georeference
    with pytest.raises(UsageError, match="cannot change"):
        scene.set_georeference(Georeference.from_text("EPSG:28992"))
    scene.set_georeference(Georeference.from_text(CRS, (9.0, 9.0, 9.0)))


def test_ids_are_unique_and_missing_ones_are_named() -> None:
    scene = make_scene("a", "b")
    assert scene.unique_id("a") == "a_2"
    assert scene.unique_id(" ") == "layer"
    with pytest.raises(UsageError, match="already"):
        scene.add(make_layer("a"))
    with pytest.raises(UsageError) as caught:
        scene["missing"]
    assert "a, b" in caught.value.hint


EDITS: list[Callable[[Scene], object]] = [
    lambda s: s.add(make_layer("new"), group="group_1"),
    lambda s: s.remove("a"),
    lambda s: s.remove("c"),
    lambda s: s.rename("b", "城市"),
    lambda s: s.set_style("a", LayerStyle(color="#000000")),
    lambda s: s.set_view("a", visible=False),
    lambda s: s.set_view("a", opacity=0.3),
    lambda s: s.add_group("G", ["a", "b"]),
    lambda s: s.update_group("group_1", name="H", visible=False),
    lambda s: s.ungroup("group_1"),
    lambda s: s.set_tree([Group("group_1", "G", ("b", "a")), "c"]),
    lambda s: s.set_viewpoints([Viewpoint("v", Camera((0, 0, 1), (0, 0, 0)))]),
    lambda s: s.set_records([Record("r", "R", {}, {})]),
    lambda s: s.set_schemes([Scheme("s", "S"), Scheme("t", "T")]),
    lambda s: s.remove_absent("gone"),
]


@given(st.lists(st.integers(0, len(EDITS) - 1), min_size=1, max_size=8))
def test_undo_takes_back_any_edits_and_redo_does_them_again(numbers: list[int]) -> None:
    scene = make_scene("a", "b", "c")
    scene.add_group("G", ["c"])
    scene.set_absent([LayerEntry("gone", "Gone", LayerKind.MESH, group="group_1")])
    scene.history.clear()
    before = state(scene)
    for number in numbers:
        try:
            EDITS[number](scene)
        except (UsageError, ValueError):
            continue  # not possible after the edits before it; must leave no trace
    after = state(scene)
    steps = 0
    while scene.history.undo_label is not None:
        scene.history.undo()
        steps += 1
    assert state(scene) == before
    for _ in range(steps):
        scene.history.redo()
    assert state(scene) == after


def test_every_edit_is_announced_and_marks_the_project() -> None:
    for n, (signal, edit) in enumerate(
        [
            ("layer_added", EDITS[0]),
            ("layer_removed", EDITS[1]),
            ("layer_renamed", EDITS[3]),
            ("style_changed", EDITS[4]),
            ("view_changed", EDITS[5]),
            ("tree_changed", EDITS[7]),
            ("viewpoints_changed", EDITS[11]),
            ("records_changed", EDITS[12]),
            ("schemes_changed", EDITS[13]),
        ]
    ):
        scene = make_scene("a", "b", "c")
        scene.add_group("G", ["c"])
        scene.mark_modified(False)
        heard: list[object] = []
        getattr(scene, signal).connect(lambda *args, heard=heard: heard.append(args))
        edit(scene)
        assert heard, (n, signal)
        assert scene.modified


def test_a_tree_must_hold_every_layer_once() -> None:
    scene = make_scene("a", "b")
    for tree in (["a"], ["a", "b", "b"], ["a", "b", "c"], [Group("g", "G", ("a", "a")), "b"]):
        with pytest.raises(ValueError, match="exactly once"):
            scene.set_tree(tree)
    assert scene.tree == ("a", "b")


def test_visibility_counts_layer_group_and_scheme() -> None:
    scene = make_scene("a", "b")
    group = scene.add_group("G", ["a"])
    assert scene.is_visible("a")
    scene.update_group(group, visible=False)
    assert not scene.is_visible("a")
    scene.update_group(group, visible=True)
    hidden = (EntityRef("b", "7"),)
    scene.set_schemes([Scheme("s", "S", hidden, layers=("a",)), Scheme("t", "T")])
    assert not scene.is_visible("a"), "what a scheme adds is not part of the baseline"
    scene.activate_scheme("t")
    assert not scene.is_visible("a")
    scene.activate_scheme("s")
    assert scene.is_visible("a")
    assert scene.hidden_entities("b") == {"7"}
    assert scene.hidden_entities("a") == frozenset()


def test_removing_a_layer_unselects_its_entities_until_undone() -> None:
    scene = make_scene("a", "b")
    refs = [EntityRef("a", "1"), EntityRef("b", "2"), EntityRef("a", "1")]
    scene.select(refs)
    assert scene.selection == (refs[0], refs[1])
    scene.remove("a")
    assert scene.selection == (refs[1],)
    scene.history.undo()
    assert scene.selection == (refs[0], refs[1])


def test_a_dragged_slider_is_one_step() -> None:
    scene = make_scene("a")
    scene.history.clear()
    for value in (0.9, 0.5, 0.1):
        scene.set_view("a", opacity=value)
    scene.history.undo()
    assert scene.view("a").opacity == 1.0
    assert scene.history.undo_label is None


def test_changes_off_the_thread_are_a_defect() -> None:
    scene = make_scene("a")
    caught: list[BaseException] = []

    def elsewhere() -> None:
        for change in (
            lambda: scene.add(make_layer("b")),
            lambda: scene.remove("a"),
            lambda: scene.select([]),
            lambda: scene.set_view("a", visible=False),
            lambda: scene.set_absent([]),
        ):
            try:
                change()
            except WrongThreadError as error:
                caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(caught) == 5
    assert scene.layer_ids == ["a"]


# -- absent layers ---------------------------------------------------------------------------


@given(st.permutations("abcdef"), st.permutations("abcdef"), st.integers(0, 6))
def test_absent_layers_find_their_places_in_any_order(
    tree: list[str], arrivals: list[str], cut: int
) -> None:
    full: list[str | Group] = [*tree[:cut], Group("group_1", "G", tuple(tree[cut:]))]
    entries = []
    for n, item in enumerate(tree):
        above = tuple(tree[:n]) if n < cut else tuple(tree[cut:n])
        group = "" if n < cut else "group_1"
        entries.append(LayerEntry(item, item, LayerKind.POINTCLOUD, group=group, above=above))
    scene = Scene(Georeference.from_text(CRS))
    scene.set_tree([Group("group_1", "G")])
    scene.set_absent(entries)
    for layer_id in arrivals:
        assert scene.full_tree == tuple(full)
        scene.arrive(make_layer(layer_id))
    assert scene.tree == tuple(full)
    assert scene.absent == ()


def test_undo_after_an_arrival_keeps_what_arrived() -> None:
    scene = make_scene("a", "b")
    scene.set_absent([LayerEntry("late", "Late", LayerKind.MESH, above=("a",))])
    scene.remove("a")
    scene.arrive(make_layer("late"))
    scene.history.undo()
    assert sorted(scene.layer_ids) == ["a", "b", "late"]
    assert scene.absent == ()


def test_dropping_an_absent_layer_can_be_undone_even_after_others_arrived() -> None:
    scene = make_scene("a")
    entries = [LayerEntry(i, i, LayerKind.MESH) for i in ("x", "y")]
    scene.set_absent(entries)
    scene.remove_absent("x")
    assert [e.id for e in scene.absent] == ["y"]
    scene.arrive(make_layer("y"))
    scene.history.undo()
    assert [e.id for e in scene.absent] == ["x"]
    assert scene.unique_id("x") == "x_2"
    with pytest.raises(UsageError, match="already"):
        scene.add(make_layer("x"))


def test_an_arrival_is_no_edit() -> None:
    scene = Scene(Georeference.from_text(CRS))
    scene.set_absent([LayerEntry("a", "A", LayerKind.MESH)])
    scene.arrive(make_layer("a"))
    assert not scene.modified
    assert scene.history.undo_label is None
    scene.set_absent([LayerEntry("b", "B", LayerKind.MESH)])
    with pytest.raises(UsageError):
        scene.arrive(make_layer("b", "EPSG:28992"))
    assert [e.id for e in scene.absent] == ["b"]
