"""Thirty schemes by eight requests on the demo: computed, looked up, and with one scheme changed.

Times are those of the processor, since a busy machine says nothing about the wall clock.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plumbline import api
from plumbline.analysis.kept import kept_results
from plumbline.api import Feedback, Result, Scene
from plumbline.demo import load
from plumbline.demo.project import project_content
from plumbline.demo.report import requests
from plumbline.services.project import build_scene, load_entry

SCHEMES = 30


@pytest.fixture
def city(demo_district: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Scene, dict[str, Any]]:
    """Return the demo with thirty schemes, each of which keeps other buildings, and a request."""
    from plumbline.services.plugins import plugin_host

    plugin_host()
    monkeypatch.setattr(kept_results, "folder", None)
    kept_results.clear()
    district = load(demo_district)
    content = project_content(district)
    wanted = {"terrain", "models", "buildings", "site", "windows", "pipes", "road_areas", "cloud",
              "scheme_A", "scheme_B"}  # fmt: skip
    held = {
        entry.id: load_entry(entry, content.georeference, Feedback())
        for entry in content.layers
        if entry.id in wanted
    }
    scene = build_scene(content, held)
    scene.set_schemes(
        replace(old, id=f"{old.id}{n}", name=f"{old.name} {n}", hidden=old.hidden[: -2 * n or None])
        for n in range(SCHEMES // 2)
        for old in content.schemes
    )
    asked = requests(district)
    for one in asked:  # rays over the whole terrain would drown what is measured here
        if one["analysis"].startswith("sightline."):
            one["params"]["obstacles"] = ["models", "@layers"]
    indicators = {"analysis": "schemes.indicators", "params": {"site": "site"}}
    return scene, {"schemes": [s.id for s in scene.schemes], "requests": [indicators, *asked]}


def timed(scene: Scene, request: dict[str, Any]) -> tuple[Result, float]:
    start = time.process_time()
    result = api.run("schemes.compare", scene, request)
    return result, time.process_time() - start


def computed(result: Result) -> list[tuple[str, str]]:
    runs = result.provenance["runs"]
    return [(run["scheme"], run["request"]) for run in runs if not run["kept"]]


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_a_matrix_of_thirty_schemes(city: tuple[Scene, dict[str, Any]]) -> None:
    scene, request = city
    assert len(request["schemes"]) == SCHEMES
    assert len(request["requests"]) == 8
    first, cold = timed(scene, request)
    again, warm = timed(scene, request)
    changed = scene.schemes[7]
    scene.update_scheme(changed.id, hidden=changed.hidden[:-6])
    third, partly = timed(scene, request)
    print(
        f"\n{SCHEMES} schemes x 8 requests, {len(first.tables['matrix'].rows)} criteria: computed "
        f"{cold:.1f} s, looked up {warm:.1f} s ({cold / warm:.0f} times faster), one scheme "
        f"changed {partly:.1f} s ({len(computed(third))} of {SCHEMES * 8} computed)"
    )
    assert first.values["gaps"].value == 0
    assert computed(again) == []
    assert again.tables == first.tables
    assert {scheme for scheme, _ in computed(third)} == {changed.id}
    assert warm < cold / 5
