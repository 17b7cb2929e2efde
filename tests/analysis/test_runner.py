"""Running an analysis: words for what is wrong, provenance for what came out."""

from __future__ import annotations

import pickle
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline import api
from plumbline.analysis.registry import Registry
from plumbline.analysis.runner import begin, needed_layers, run
from plumbline.analysis.validation import InvalidParamsError
from plumbline.core.errors import (
    EXIT_REFUSED,
    EXIT_USAGE,
    CancelledError,
    InputError,
    RefusedError,
    UsageError,
)
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer, LayerEntry, LayerKind, Source, file_sha256
from plumbline.core.scene import Scene, Scheme


def problems(analyses: Registry, scene: Scene, **params: Any) -> dict[str, str]:
    with pytest.raises(InvalidParamsError) as caught:
        run("sample.all", scene, params)
    assert caught.value.exit_code == EXIT_USAGE
    return {p.field: p.message for p in caught.value.problems}


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"count": 0}, "count", "This must be at least 1."),
        ({"count": 11}, "count", "This must be at most 10."),
        ({"count": 2.5}, "count", "This must be a whole number."),
        ({"count": "many"}, "count", "This must be a whole number."),
        ({"at": [1, 2]}, "at", "A point is x, y, z"),
        ({"at": [1, 2, float("nan")]}, "at", "A point is x, y, z"),
        ({"at": "1, 2, inf"}, "at", "A point is x, y, z"),
        ({"at": {"x": 1}}, "at", "A point is x, y, z"),
        ({"at": None}, "at", "A point is x, y, z"),
        ({"surface": 7}, "surface", "Give the id of a layer."),
        ({"surface": "cellar"}, "surface", "There is no layer “cellar”; the layers are: roof."),
        ({"depth": 3}, "depth", "There is no such parameter. The parameters are: at, count"),
        ({"outcome": "field"}, "outcome", "That outcome is bad."),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    analyses: Registry, scene: Scene, params: dict[str, Any], field: str, words: str
) -> None:
    found = problems(analyses, scene, **params)
    assert list(found) == [field]
    assert found[field].startswith(words)


def test_every_wrong_field_is_named_at_once(analyses: Registry, scene: Scene) -> None:
    found = problems(analyses, scene, count=0, at=[1], depth=2)
    assert set(found) == {"count", "at", "depth"}


def test_the_error_keeps_its_problems_across_a_process_border(
    analyses: Registry, scene: Scene
) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        run("sample.all", scene, {"count": 0})
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert again.problems == caught.value.problems
    assert str(again) == str(caught.value)


def test_a_request_bad_as_a_whole_is_refused(analyses: Registry, scene: Scene) -> None:
    with pytest.raises(RefusedError, match="whole request") as caught:
        run("sample.all", scene, {"outcome": "whole"})
    assert caught.value.exit_code == EXIT_REFUSED


def test_a_warning_does_not_stop_the_run(analyses: Registry, scene: Scene) -> None:
    assert run("sample.all", scene, {"outcome": "warning"}).warnings == ["Mind the step."]


def test_numbers_that_overflow_are_refused(analyses: Registry, scene: Scene) -> None:
    with pytest.raises(RefusedError, match="out of range"):
        run("sample.all", scene, {"outcome": "overflow"})


def test_a_result_says_what_it_was_made_from(
    analyses: Registry, scene: Scene, tmp_path: Path
) -> None:
    file = tmp_path / "屋顶 roof.obj"
    file.write_bytes(b"v 0 0 0\n")
    roof = scene["roof"]
    roof.source = Source(file, "obj", options={"up": "y"}, crs="EPSG:4549", size=8)
    result = run("sample.all", scene, {"surface": "roof", "at": "1,2,3"})
    assert (result.analysis, result.version) == ("sample.all", "1")
    assert result.params == {
        "at": [1.0, 2.0, 3.0],
        "count": 3,
        "surface": "roof",
        "outcome": "good",
    }
    (row,) = result.provenance["inputs"]
    assert row["id"] == "roof"
    assert row["path"] == str(file)
    assert row["sha256"] == file_sha256(file)
    assert (row["loader"], row["options"], row["crs"]) == ("obj", {"up": "y"}, "EPSG:4549")
    assert row["lod"] is None
    assert datetime.fromisoformat(result.provenance["started"]).tzinfo is not None
    assert result.provenance["engine"]["plumbline"]
    assert result.provenance["engine"]["numpy"] == np.__version__


def test_a_source_that_changed_since_it_was_loaded_has_no_digest(
    analyses: Registry, scene: Scene, tmp_path: Path
) -> None:
    file = tmp_path / "roof.obj"
    file.write_bytes(b"other bytes")
    scene["roof"].source = Source(file, "obj", size=8)
    (row,) = run("sample.all", scene, {"surface": "roof"}).provenance["inputs"]
    assert row["sha256"] is None


def test_the_snapshot_is_taken_before_the_worker_starts(analyses: Registry, scene: Scene) -> None:
    prepared = begin("sample.all", scene, {})
    scene.remove("roof")
    results: list[float] = []
    worker = threading.Thread(
        target=lambda: results.append(prepared.compute().values["layers"].value)  # type: ignore[arg-type]
    )
    worker.start()
    worker.join()
    assert results == [1]


def test_cancelling_leaves_no_result(analyses: Registry, scene: Scene) -> None:
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(CancelledError):
        run("sample.all", scene, {}, feedback)


def test_progress_is_reported(analyses: Registry, scene: Scene) -> None:
    seen: list[float] = []
    run("sample.all", scene, {"count": 4}, Feedback(lambda share, _: seen.append(share)))
    assert seen == [0.0, 0.25, 0.5, 0.75]


def test_an_absent_layer_says_why_it_is_absent(analyses: Registry, scene: Scene) -> None:
    scene.set_absent([LayerEntry("old", "Old", LayerKind.MESH, problem="The disk is gone.")])
    with pytest.raises(InputError, match="The disk is gone"):
        run("sample.all", scene, {"surface": "old"})


def test_only_the_layers_that_a_request_reads_are_needed(analyses: Registry) -> None:
    assert needed_layers("sample.all", {"surface": "roof"}) == ["roof"]
    assert needed_layers("sample.all", {}) == []


def test_a_scheme_is_looked_at_without_showing_it(analyses: Registry, scene: Scene) -> None:
    scene.set_schemes([Scheme("a", "A", layers=("roof",)), Scheme("b", "B")])
    assert run("sample.all", scene, {}, scheme="b").provenance["scheme"] == "b"
    assert scene.active_scheme is None
    with pytest.raises(UsageError, match="no scheme “c”"):
        run("sample.all", scene, {}, scheme="c")


def test_under_a_scheme_the_scene_shows_that_scheme(scene: Scene) -> None:
    scene.set_schemes([Scheme("a", "A", layers=("roof",)), Scheme("b", "B")])
    assert scene.under("a").is_visible("roof")
    assert not scene.under("b").is_visible("roof")


def test_python_takes_parameters_as_keywords_and_as_a_mapping(
    analyses: Registry, scene: Scene
) -> None:
    a = api.run("sample.all", scene, at=[4, 0, 0], count=2)
    b = api.run("sample.all", scene, {"at": [4, 0, 0]}, count=2)
    c = api.run_request(api.AnalysisRequest("sample.all", {"at": [4, 0, 0], "count": 2}), scene)
    assert a.values == b.values == c.values


def test_a_layer_in_another_place_is_not_touched(analyses: Registry, scene: Scene) -> None:
    before = scene["roof"].data
    run("sample.all", scene, {"surface": "roof"})
    assert isinstance(scene["roof"], Layer)
    assert scene["roof"].data is before
