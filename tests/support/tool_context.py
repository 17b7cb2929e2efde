"""A canvas and a tool context without a window: what the test of a panel hands to the panel."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image
from psygnal import Signal

from plumbline.analysis import runner
from plumbline.api import (
    Bounds,
    Camera,
    EntityRef,
    Layer,
    LayerStyle,
    Pick,
    Record,
    Result,
    Scene,
    UserError,
)

Point = tuple[float, float, float]


class FakeCanvas:
    """Signals to fire by hand; remembers what it was told to draw."""

    hovered = Signal(object)
    clicked = Signal(object)
    finished = Signal()
    stepped_back = Signal()
    escaped = Signal()
    handle_moved = Signal(int, object)
    handle_released = Signal(int, object)

    def __init__(self) -> None:
        #: Points and label of the rubber band, None when there is none.
        self.preview: tuple[list[Point], str] | None = None
        self.preview_closed = False
        self.marks: dict[str, list[Any]] = {}
        self.handles: list[Point] = []
        self.layers: dict[str, tuple[Layer, LayerStyle | None]] = {}
        self.camera = Camera((0.0, 0.0, 100.0), (0.0, 0.0, 0.0))
        self.zoomed: list[Bounds] = []
        #: Azimuth (grid) and elevation, None in the plain light; and how often it was set.
        self.sun: tuple[float, float] | None = None
        self.suns = 0
        #: Whether clicks snap, and the point that the next one is measured from.
        self.aim: tuple[bool, Point | None] = (False, None)

    # -- what a tool calls -----------------------------------------------------------------

    def set_aim(self, *, snap: bool, base: Point | None = None) -> None:
        self.aim = (snap, base)

    def show_preview(
        self, points: Sequence[Point], label: str = "", *, closed: bool = False
    ) -> None:
        self.preview, self.preview_closed = (list(points), label), closed

    def clear_preview(self) -> None:
        self.preview = None

    def show_marks(self, key: str, marks: Sequence[Any]) -> None:
        self.marks[key] = list(marks)

    def clear_marks(self, key: str = "") -> None:
        for name in [key] if key else list(self.marks):
            self.marks.pop(name, None)

    def set_handles(self, points: Sequence[Point], guides: Sequence[Any] = ()) -> None:
        self.handles, self.guides = list(points), list(guides)

    def show_layer(
        self, key: str, layer: Layer | None, style: LayerStyle | None = None, *, live: bool = False
    ) -> None:
        if layer is None:
            self.layers.pop(key, None)
        else:
            self.layers[key] = (layer, style)

    def go_to(self, camera: Camera) -> None:
        self.camera = camera

    def zoom_to(self, bounds: Bounds) -> None:
        self.zoomed.append(bounds)

    def picture(self) -> bytes:
        stream = io.BytesIO()
        Image.new("RGB", (160, 100), (90, 120, 150)).save(stream, "PNG")
        return stream.getvalue()

    def set_sun(self, azimuth_grid: float | None, elevation: float = 0.0) -> None:
        self.sun = None if azimuth_grid is None else (azimuth_grid, elevation)
        self.suns += 1

    # -- what the mouse does ---------------------------------------------------------------

    def click(self, *position: float, ref: EntityRef | None = None) -> None:
        self.clicked.emit(_pick(position, ref))

    def hover(self, *position: float) -> None:
        self.hovered.emit(_pick(position) if position else None)

    def drag_handle(self, index: int, *position: float, release: bool = True) -> None:
        self.handle_moved.emit(index, _pick(position))
        if release:
            self.handle_released.emit(index, _pick(position))


def _pick(position: Sequence[float], ref: EntityRef | None = None) -> Pick:
    x, y, z = position
    layer, entity = (ref.layer, ref.entity) if ref else ("terrain", "")
    return Pick((x, y, z), layer, entity)


class FakeContext:
    """Runs analyses at once, on this thread; remembers what it was asked to keep or show."""

    operator = "Lin Yue"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.canvas = FakeCanvas()
        self.closed = 0
        self.exported: list[Result] = []
        self.printed: list[tuple[Result, Callable[[str], str]]] = []
        self.bar: Any = None
        self.charts: list[tuple[str, Any]] = []
        #: Name, seconds for each picture, and what each showed.
        self.films: list[tuple[str, float, list[tuple[str, Any]]]] = []
        self.previews: list[tuple[str, str, dict[str, Any]]] = []

    def run(
        self,
        analysis: str,
        params: Mapping[str, Any],
        done: Callable[[Result], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        shown = self.scene.active_scheme
        try:
            scheme = shown.id if shown else ""
            result = runner.run(analysis, self.scene, params, scheme=scheme)
        except UserError as error:
            if failed is None:
                raise
            failed(error)
            return
        done(result)

    def preview(
        self,
        key: str,
        analysis: str,
        params: Mapping[str, Any],
        done: Callable[[Result], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self.previews.append((key, analysis, dict(params)))
        self.run(analysis, params, done, failed or (lambda _error: None))

    def add_layers(self, result: Result, names: Mapping[str, str] | None = None) -> list[str]:
        added = []
        with self.scene.history.step("add"):
            for key, layer in result.layers.items():
                name = (names or {}).get(key, layer.name)
                made = replace(layer, id=self.scene.unique_id(layer.id), name=name)
                self.scene.add(made)
                added.append(made.id)
        return added

    def export(self, result: Result) -> None:
        self.exported.append(result)

    def film(
        self,
        name: str,
        count: int,
        seconds: float,
        show: Callable[[int], str],
        ended: Callable[[], object],
    ) -> None:
        """Take all pictures at once; they are told as caption and sun."""
        self.films.append((name, seconds, [(show(n), self.canvas.sun) for n in range(count)]))
        ended()

    def print_result(self, result: Result, word: Callable[[str], str]) -> None:
        self.printed.append((result, word))

    def show_chart(self, title: str, chart: Any) -> None:
        self.charts.append((title, chart))

    def show_bar(self, bar: Any) -> None:
        self.bar = bar
        if bar is not None:
            bar.show()

    def keep(self, result: Result, name: str, instead_of: str = "") -> Record:
        record = Record(
            id=instead_of or uuid.uuid4().hex,
            name=name,
            request={"analysis": result.analysis, "params": result.params},
            values={key: value.as_json() for key, value in result.values.items()},
            points=result.points,
            created="2026-11-20T10:00:00+08:00",
            operator=self.operator,
            headline=result.headline,
        )
        kept = [record if old.id == instead_of else old for old in self.scene.records]
        self.scene.set_records(kept if instead_of else [*kept, record])
        return record

    def close_tool(self) -> None:
        self.closed += 1
