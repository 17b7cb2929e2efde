"""What is drawn in front of the scene: lines with a halo, filled outlines, points, and labels.

Lines of one look share an actor, so that hundreds of marks cost like one. Labels never cover each
other: one that finds no room around its place is left out until the view gives it some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkTexturedActor2D

from plumbline.core.data import FloatArray
from plumbline.core.scene import Camera
from plumbline.geometry.polygons import Rings, triangulate
from plumbline.render.camera import Size, project
from plumbline.render.labels import label_actor, text_image
from plumbline.render.parts import Drawn, Label, Part, build
from plumbline.render.theme import RenderTheme

Point = tuple[float, float, float]
Box = tuple[float, float, float, float]
#: Pixels of label text at a pixel ratio of 1.
TEXT = 14
#: A halo is this much wider than what it surrounds, pixels.
HALO = 2.0
#: Opacity of filled outlines.
FILL = 0.35


@dataclass(frozen=True)
class Look:
    """What drawings need to know of the view: scene origin, colours, device pixels per pixel."""

    origin: Point
    theme: RenderTheme
    scale: float


class MarkLike(Protocol):
    """A mark as tools describe it (`plumbline.ui_kit.context.Mark`)."""

    @property
    def points(self) -> Sequence[Point]: ...
    @property
    def kind(self) -> str: ...
    @property
    def tone(self) -> str: ...
    @property
    def width(self) -> float: ...
    @property
    def label(self) -> str: ...
    @property
    def closed(self) -> bool: ...


class Drawing:
    """Parts that come into the overlay renderer together and leave it together."""

    def __init__(self, renderer: vtkRenderer, parts: Iterable[Part], scale: float) -> None:
        self._renderer = renderer
        self.drawn: list[Drawn] = []
        for part in parts:
            drawn = build(part, scale)
            renderer.AddActor(drawn.actor)
            drawn.show(True, 1.0)
            self.drawn.append(drawn)

    def remove(self) -> None:
        """Take everything out of the renderer."""
        for drawn in self.drawn:
            self._renderer.RemoveActor(drawn.actor)
        self.drawn = []


# -- parts ---------------------------------------------------------------------------------------


def band_parts(lines: Sequence[tuple[Sequence[Point], bool]], look: Look) -> list[Part]:
    """Return lines in the colour of measurements, with dots; each with whether it closes."""
    if not any(points for points, _ in lines):
        return []
    points, segments = _joined(lines, look.origin)
    parts, ink = [], look.theme.measure or look.theme.accent
    for color, extra, rise in ((look.theme.halo, HALO, 0.0), (ink, 0.0, 0.6)):
        if len(segments):
            parts.append(_lines(points, segments, color, 2.5 + extra, rise))
        parts.append(_dots(points, color, 8.0 + extra, rise))
    return parts


def mark_parts(marks: Sequence[MarkLike], look: Look) -> list[Part]:
    """Return marks as few parts: one for each kind, tone and width, and one for each halo."""
    groups: dict[tuple[str, str, float], list[MarkLike]] = {}
    for mark in marks:
        if len(mark.points):
            groups.setdefault((mark.kind, mark.tone, mark.width), []).append(mark)
    parts = []
    for (kind, tone, width), members in groups.items():
        color, halo = look.theme.tone(tone), look.theme.halo
        outlines = [(mark.points, mark.closed or kind == "polygon") for mark in members]
        points, segments = _joined(outlines, look.origin)
        if kind == "points":
            parts += [_dots(points, halo, width + HALO, 0.0), _dots(points, color, width, 0.6)]
            continue
        if kind == "polygon":
            parts += _fills([mark.points for mark in members], look.origin, color)
        if len(segments):
            parts += [
                _lines(points, segments, halo, width + HALO, 0.0),
                _lines(points, segments, color, width, 0.6),
            ]
    return parts


def grip_parts(points: Sequence[Point], hot: int | None, look: Look) -> list[Part]:
    """Return round grips that can be dragged; the hot one is larger."""
    place = _local(points, look.origin)
    parts = []
    for n, wider in ((None, 0.0), (hot, 4.0)):
        at = place if n is None else place[n : n + 1]
        if len(at):
            rise = 0.9 if n is None else 1.8
            parts += [
                _dots(at, look.theme.halo, 16.0 + wider, rise),
                _dots(at, look.theme.accent, 13.0 + wider, rise + 0.3),
                _dots(at, look.theme.halo, 5.0 + wider / 2, rise + 0.6),
            ]
    return parts


def _local(points: Sequence[Point], origin: Point) -> np.ndarray:
    given = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    return (given - origin).astype(np.float32)


def _joined(
    lines: Sequence[tuple[Sequence[Point], bool]], origin: Point
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of all lines in a row, and the segments ``(M, 2)`` that join them."""
    counts = np.array([len(points) for points, _ in lines])
    points = np.concatenate([_local(points, origin) for points, _ in lines])
    starts = np.cumsum(counts) - counts
    ends = np.column_stack([np.arange(len(points) - 1), np.arange(1, len(points))])
    inner = np.ones(len(ends), dtype=bool)
    inner[starts[1:] - 1] = False
    closed = np.array([closes for _, closes in lines]) & (counts > 2)
    closing = np.column_stack([starts + counts - 1, starts])[closed]
    return points, np.vstack([ends[inner], closing])


def _lines(points: Any, segments: Any, color: str, width: float, rise: float) -> Part:
    return Part(points, lines=segments, color=color, size=width, lit=False, draped=True, rise=rise)


def _dots(points: Any, color: str, size: float, rise: float) -> Part:
    return Part(points, color=color, size=size, round=True, lit=False, draped=True, rise=rise)


def _fills(outlines: Sequence[Sequence[Point]], origin: Point, color: str) -> list[Part]:
    """Return the areas inside of outlines, each flat in a plane of its own, also an upright one."""
    flat, places, counts = [], [], []
    for outline in outlines:
        place = _local(outline, origin)
        if len(place) < 3:
            continue
        following = np.roll(place, -1, axis=0)
        normal = np.cross(place, following).sum(axis=0)  # Newell
        away = int(np.argmax(np.abs(normal)))
        axes = [(1, 2), (2, 0), (0, 1)][away]
        order = slice(None) if normal[away] > 0 else slice(None, None, -1)
        flat.append(place[order][:, axes].astype(np.float64))
        places.append(place[order])
        counts.append(len(place))
    if not places:
        return []
    ends = np.cumsum(counts)
    number = np.arange(len(counts))
    rings = Rings(np.concatenate(flat), None, ends - counts, ends, number, number)
    triangles, _ = triangulate(rings)
    look: dict[str, Any] = {"color": color, "opacity": FILL, "lit": False, "draped": True}
    return [Part(np.concatenate(places), triangles, **look)]


# -- labels --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tag:
    """The label of a mark: a text and the place it belongs to, project CRS."""

    text: str
    place: Point


def tag(text: str, points: Sequence[Point], closed: bool) -> list[Tag]:
    """Return the label of a line, half-way along it, or of an outline, in its middle."""
    if not text or not len(points):
        return []
    x, y, z = _middle(np.asarray(points, dtype=np.float64), closed)
    return [Tag(text, (float(x), float(y), float(z)))]


def _middle(points: FloatArray, closed: bool) -> FloatArray:
    if closed or len(points) == 1:
        middle: FloatArray = points.mean(axis=0)
        return middle
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    reached = np.r_[0.0, np.cumsum(lengths)]
    n = int(np.searchsorted(reached, reached[-1] / 2, side="right")) - 1
    n = min(n, len(lengths) - 1)
    share = (reached[-1] / 2 - reached[n]) / lengths[n] if lengths[n] else 0.0
    result: FloatArray = points[n] + (points[n + 1] - points[n]) * share
    return result


class _Board:
    """Texts in the overlay renderer; actors of texts that stay are used again."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        self._pool: dict[tuple[int, tuple[float, float]], vtkTexturedActor2D] = {}
        self.actors: list[vtkTexturedActor2D] = []
        self.boxes: list[Box] = []
        self._images: list[np.ndarray] = []

    def write(
        self, texts: Iterable[tuple[np.ndarray, tuple[float, float], Box, FloatArray]]
    ) -> None:
        """Show images, each moved by some pixels from a place relative to the scene origin."""
        old, self._pool, self.boxes, self._images = self._pool, {}, [], []
        self.actors = []
        for image, shift, box, place in texts:
            key = (id(image), shift)
            actor = old.pop(key, None)
            if actor is None or key in self._pool:
                actor = label_actor(image, shift)
                position = actor.GetPositionCoordinate()
                position.SetCoordinateSystemToWorld()
                self._renderer.AddViewProp(actor)
            actor.GetPositionCoordinate().SetValue(*(float(v) for v in place))
            actor.VisibilityOn()
            self._pool[key] = actor
            self.actors.append(actor)
            self.boxes.append(box)
            self._images.append(image)  # keeps the identity in the key from being used again
        for actor in old.values():
            self._renderer.RemoveViewProp(actor)

    def clear(self) -> None:
        """Take all texts away."""
        self.write(())


class Tags:
    """Labels of measurements and marks, the first ones first, none over another."""

    #: More than this many labels nobody reads.
    MOST = 200

    def __init__(self, renderer: vtkRenderer) -> None:
        self._board = _Board(renderer)

    @property
    def boxes(self) -> list[Box]:
        """Boxes of the labels that are shown: (left, bottom, right, top), device pixels."""
        return self._board.boxes

    def show(self, tags: Sequence[Tag], camera: Camera, size: Size, look: Look) -> None:
        """Write the labels that find room above, below or beside their places."""
        self._board.write(self._placed(tags, camera, size, look))

    def clear(self) -> None:
        """Take all labels away."""
        self._board.clear()

    def _placed(
        self, tags: Sequence[Tag], camera: Camera, size: Size, look: Look
    ) -> Iterator[tuple[np.ndarray, tuple[float, float], Box, FloatArray]]:
        if not tags:
            return
        places = np.array([entry.place for entry in tags], dtype=np.float64)
        x, y, _ = project(camera, places, size).T
        room = _Room()
        for n in np.nonzero(_in_view(camera, places, size))[0]:
            theme, scale = look.theme, look.scale
            image = text_image(tags[n].text, round(TEXT * scale), theme.text, theme.halo)
            height, width = image.shape[:2]
            up, aside = height / 2 + 6 * scale, width / 2 + 8 * scale
            for shift in ((0.0, up), (0.0, -up), (aside, 0.0), (-aside, 0.0)):
                box = _box(x[n] + shift[0], y[n] + shift[1], width, height)
                if room.take(box):
                    yield image, shift, box, places[n] - look.origin
                    break
            if len(room) == self.MOST:
                return


class Names:
    """Names of features, as many as find room: the nearest first, none over another.

    Set anew whenever the camera comes to rest.
    """

    #: More than this many names nobody reads.
    MOST = 120

    def __init__(self, renderer: vtkRenderer) -> None:
        self._board = _Board(renderer)

    @property
    def count(self) -> int:
        """How many names are written."""
        return len(self._board.actors)

    def show(
        self,
        labels: Sequence[Label],
        camera: Camera,
        size: Size,
        look: Look,
        is_hidden: Callable[[FloatArray], bool],
    ) -> None:
        """Write the names that are in view."""
        self._board.write(self._placed(labels, camera, size, look, is_hidden))

    def _placed(
        self,
        labels: Sequence[Label],
        camera: Camera,
        size: Size,
        look: Look,
        is_hidden: Callable[[FloatArray], bool],
    ) -> Iterator[tuple[np.ndarray, tuple[float, float], Box, FloatArray]]:
        if not labels:
            return
        places = np.array([label.place for label in labels], dtype=np.float64)
        x, y, depth = project(camera, places, size).T
        seen = np.nonzero(_in_view(camera, places, size))[0]
        room = _Room()
        theme = look.theme
        for n in sorted(seen, key=lambda n: float(depth[n]))[: 4 * self.MOST]:
            text = labels[n].text
            image = text_image(text, round(TEXT * look.scale * 0.9), theme.text, theme.halo)
            box = _box(x[n], y[n], image.shape[1], image.shape[0])
            if not room.has(box) or is_hidden(places[n]):
                continue
            room.take(box)
            yield image, (0.0, 0.0), box, places[n] - look.origin
            if len(room) == self.MOST:
                return

    def give_way(self, boxes: Sequence[Box]) -> None:
        """Hide the names that stand where labels are now, and show the others again."""
        room = _Room(boxes)
        for actor, box in zip(self._board.actors, self._board.boxes, strict=True):
            actor.SetVisibility(room.has(box))

    def clear(self) -> None:
        """Take all names away."""
        self._board.clear()


class _Room:
    """The part of the picture that is still free of text."""

    def __init__(self, taken: Sequence[Box] = ()) -> None:
        self._taken = np.array(taken, dtype=np.float64).reshape(-1, 4)

    def __len__(self) -> int:
        return len(self._taken)

    def has(self, box: Box) -> bool:
        """Tell whether a box touches none that is taken."""
        left, bottom, right, top = self._taken.T
        apart = (left >= box[2]) | (right <= box[0]) | (bottom >= box[3]) | (top <= box[1])
        return bool(apart.all())

    def take(self, box: Box) -> bool:
        """Take a box if it is free."""
        free = self.has(box)
        if free:
            self._taken = np.vstack([self._taken, box])
        return free


def _box(x: float, y: float, width: float, height: float) -> Box:
    return (
        float(x) - width / 2,
        float(y) - height / 2,
        float(x) + width / 2,
        float(y) + height / 2,
    )


def _in_view(camera: Camera, places: FloatArray, size: Size) -> np.ndarray:
    x, y, depth = project(camera, places, size).T
    with np.errstate(invalid="ignore"):
        inside: np.ndarray = (x > 0) & (x < size[0]) & (y > 0) & (y < size[1])
        return inside & ((depth > 0) | camera.parallel)
