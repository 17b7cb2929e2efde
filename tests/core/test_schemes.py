"""Schemes as things that one makes: edits that undo takes back, locks, phases."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.core.data import MeshData
from plumbline.core.errors import UsageError
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Phase, Scene, Scheme


def mesh(height: float) -> MeshData:
    return MeshData(np.array([[0, 0, 0], [1, 0, 0], [0, 0, height]], float), np.array([[0, 1, 2]]))


def top(scene: Scene) -> float:
    data = scene["first"].data
    assert isinstance(data, MeshData)
    return float(data.vertices[2, 2])


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    for layer_id in ("old", "first", "second"):
        scene.add(Layer(layer_id, layer_id, LayerKind.MESH, mesh(1.0)))
    gone = (EntityRef("old", "1"), EntityRef("old", "2"))
    scene.set_schemes([Scheme("s", "S", gone, ("first", "second"))])
    return scene


def test_an_edit_of_a_scheme_is_undone_and_a_lock_refuses_it(scene: Scene) -> None:
    scene.update_scheme("s", note="too high")
    assert scene.scheme("s").note == "too high"
    scene.history.undo()
    assert scene.scheme("s").note == ""
    scene.update_scheme("s", locked=True)
    with pytest.raises(UsageError, match="locked"):
        scene.update_scheme("s", name="T")
    scene.update_scheme("s", locked=False, name="T")
    assert scene.scheme("s").name == "T"
    with pytest.raises(UsageError, match="no scheme"):
        scene.update_scheme("t", name="T")


def test_phases_bring_layers_and_take_entities_on_their_day(scene: Scene) -> None:
    first = Phase("2025-01-01", "1", hidden=(EntityRef("old", "1"),), layers=("first",))
    second = Phase("2030-01-01", "2", hidden=(EntityRef("old", "2"),), layers=("second",))
    whole = scene.scheme("s").phased(second).phased(first)
    assert whole.phases == (first, second), "by their dates"
    scene.set_schemes([whole])
    scene.activate_scheme("s")
    seen = {}
    for day in ("2024-12-31", "2025-01-01", "2030-01-01", ""):
        scene.show_day(day)
        there = tuple(i for i in ("first", "second") if scene.is_visible(i))
        seen[day] = (there, sorted(scene.hidden_entities("old")))
    everything = (("first", "second"), ["1", "2"])
    assert seen == {
        "2024-12-31": ((), []),
        "2025-01-01": (("first",), ["1"]),
        "2030-01-01": everything,
        "": everything,
    }


def test_an_analysis_sees_a_scheme_at_its_end_whatever_day_is_shown(scene: Scene) -> None:
    late = Phase("2030-01-01", layers=("first",))
    scene.set_schemes([scene.scheme("s").phased(late)])
    scene.activate_scheme("s")
    scene.show_day("2026-01-01")
    assert not scene.is_visible("first")
    assert scene.under("s").is_visible("first")
    assert not scene.under("s", "2026-01-01").is_visible("first")


def test_a_phase_takes_from_the_others_what_it_names(scene: Scene) -> None:
    scheme = scene.scheme("s").phased(Phase("2025-01-01", layers=("first", "second")))
    scheme = scheme.phased(Phase("2028-01-01", layers=("second",)))
    assert [phase.layers for phase in scheme.phases] == [("first",), ("second",)]
    for begins, layers in (("soon", ()), ("2025-13-01", ()), ("2025-01-01", ("old",))):
        with pytest.raises(UsageError):
            scheme.phased(Phase(begins, layers=layers))


def test_new_data_of_a_layer_are_an_edit(scene: Scene) -> None:
    heard: list[str] = []
    scene.layer_changed.connect(heard.append)
    scene.rename("first", "Tower")
    scene.set_data("first", mesh(2.0), {"format": "massing"})
    assert top(scene) == 2.0
    assert (scene["first"].metadata, scene["first"].name) == ({"format": "massing"}, "Tower")
    scene.history.undo()
    assert top(scene) == 1.0
    scene.history.undo()
    assert scene["first"].name == "first", "the name given before is taken back too"
    assert heard == ["first", "first"]


def test_drags_of_one_face_are_one_step(scene: Scene) -> None:
    for height in (2.0, 3.0, 4.0):
        scene.set_data("first", mesh(height), key="drag")
    scene.history.undo()
    assert top(scene) == 1.0
