"""Small analyses of every kind of outcome, in a registry of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import pytest
from pydantic import Field

from plumbline.analysis import registry as registry_module
from plumbline.analysis import runner
from plumbline.analysis.base import Analysis
from plumbline.analysis.params import LayerRef, Params, Point3
from plumbline.analysis.registry import Registry
from plumbline.analysis.result import Result, Table, Value
from plumbline.core.errors import Problem
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer, LayerKind
from plumbline.core.scene import Scene


class SampleParams(Params):
    """One parameter of each kind that the tests need."""

    at: Point3 = (0.0, 0.0, 0.0)
    count: Annotated[int, Field(ge=1, le=10)] = 3
    surface: LayerRef | None = None
    outcome: str = "good"


class Sample(Analysis[SampleParams]):
    """Gives values, a table and a figure; warns, refuses or overflows when asked."""

    id = "sample.all"
    title = "Sample"
    Params = SampleParams

    def layers(self, params: SampleParams) -> list[str]:
        return [] if params.surface is None else [params.surface]

    def check(self, scene: Scene, params: SampleParams) -> list[Problem]:
        return {
            "field": [Problem("outcome", "That outcome is bad.")],
            "whole": [Problem("", "The whole request is bad.")],
            "warning": [Problem("outcome", "Mind the step.", "warning")],
        }.get(params.outcome, [])

    def prepare(self, scene: Scene, params: SampleParams) -> list[str]:
        return scene.layer_ids

    def compute(self, inputs: list[str], params: SampleParams, feedback: Feedback) -> Result:
        for n in range(params.count):
            feedback.step(n, params.count)
        length = float("inf") if params.outcome == "overflow" else np.float64(params.at[0]) + 0.1
        rows = tuple((n, n / 3, None, True) for n in range(params.count))
        return Result(
            values={"length": Value(length, "m", 0.02), "layers": Value(len(inputs))},
            tables={"rows/of": Table(("n", "third", "none", "yes"), rows, {"third": "m"})},
            figures={"chart": b"\x89PNG\r\n\x1a\n"},
            headline="length",
        )


@pytest.fixture
def analyses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Return a registry with the sample only, in the place of the process's own."""
    registry = Registry()
    registry.add(Sample.id, Sample, "Sample")
    monkeypatch.setattr(registry_module, "registry", registry)
    monkeypatch.setattr(runner, "registry", registry)
    return registry


def layer(layer_id: str, kind: LayerKind = LayerKind.MESH) -> Layer:
    """Return a triangle as a layer without a source."""
    from plumbline.core.data import MeshData

    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    return Layer(layer_id, layer_id, kind, MeshData(corners, np.array([[0, 1, 2]])))


@pytest.fixture
def scene() -> Scene:
    """Return a scene with one mesh layer called ``roof``."""
    result = Scene()
    result.add(layer("roof"))
    return result
