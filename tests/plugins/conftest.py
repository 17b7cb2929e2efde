"""A canvas and a tool context without a window: what a panel's test hands to the panel."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from psygnal import Signal

from plumbline.analysis import runner
from plumbline.api import Pick, Record, Result, Scene

Point = tuple[float, float, float]


class FakeCanvas:
    """Signals to fire by hand; remembers the rubber band."""

    hovered = Signal(object)
    clicked = Signal(object)
    finished = Signal()
    stepped_back = Signal()
    escaped = Signal()

    def __init__(self) -> None:
        self.preview: tuple[list[Point], str] | None = None

    def show_preview(
        self, points: Sequence[Point], label: str = "", *, closed: bool = False
    ) -> None:
        self.preview = (list(points), label)

    def clear_preview(self) -> None:
        self.preview = None

    def click(self, *position: float) -> None:
        self.clicked.emit(Pick((position[0], position[1], position[2]), "terrain"))

    def hover(self, *position: float) -> None:
        at = Pick((position[0], position[1], position[2]), "terrain") if position else None
        self.hovered.emit(at)


class FakeContext:
    """Runs analyses at once, on this thread."""

    operator = "Lin Yue"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.canvas = FakeCanvas()
        self.closed = 0

    def run(
        self,
        analysis: str,
        params: Mapping[str, Any],
        done: Callable[[Result], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        try:
            result = runner.run(analysis, self.scene, params)
        except Exception as error:
            if failed is None:
                raise
            failed(error)
            return
        done(result)

    def keep(self, result: Result, name: str) -> Record:
        record = Record(
            id=uuid.uuid4().hex,
            name=name,
            request={"analysis": result.analysis, "params": result.params},
            values={key: value.as_json() for key, value in result.values.items()},
            points=result.points,
            created="2026-11-20T10:00:00+08:00",
            operator=self.operator,
        )
        self.scene.set_records([*self.scene.records, record])
        return record

    def close_tool(self) -> None:
        self.closed += 1


@pytest.fixture
def context() -> FakeContext:
    """Return a tool context on an empty scene in EPSG:4549."""
    from plumbline.api import Georeference

    return FakeContext(Scene(Georeference.from_text("EPSG:4549", (500_000.0, 4_000_000.0, 0.0))))
