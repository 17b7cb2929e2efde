"""One layer of tiles in a picture: its actors, what rays meet of it, what is selected in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from plumbline.core.cloud_tree import tree_of
from plumbline.core.data import Bounds, Element, MeshData, PointCloudData
from plumbline.core.i18n import N_, tr
from plumbline.core.scene import Camera
from plumbline.core.tiles import TilesData
from plumbline.render.camera import Size
from plumbline.render.mesh import mark_triangles
from plumbline.render.parts import Drawn, Part, Prepared, Request, Target
from plumbline.render.streaming.content import Dress, Held, is_cloud, slim
from plumbline.render.streaming.scheduler import Limits, Plan, Scheduler
from plumbline.render.streaming.shapes import TilePoints, TileShape
from plumbline.render.streaming.tree import Node
from plumbline.render.streaming.view import TileView


class Shown(Protocol):
    """What a view keeps of a layer that it shows."""

    prepared: Prepared
    drawn: list[Drawn]


@dataclass(frozen=True)
class Stage:
    """Where actors go."""

    add: Callable[[Part], Drawn]
    remove: Callable[[Drawn], None]


@dataclass(eq=False)
class TileLayer:
    """A tree of tiles as it is drawn; belongs to the thread of the plotter.

    Attributes
    ----------
    plan : Plan
        Of the last frame.
    told : int
        Notes of the source that somebody was told.
    """

    shown: Shown
    data: TilesData
    stage: Stage
    dress: Dress
    plan: Plan = field(default_factory=Plan)
    told: int = 0
    moving: bool = False

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.data.source)
        self._cut: dict[Node, None] = {}
        self._in_use: set[Node] = set()
        self._opacity = 1.0
        self._meshes = TileShape(lambda: self._of(MeshData), self._pickable)
        self._clouds = TilePoints(lambda: self._of(PointCloudData), self._pickable, 6.0)
        self.told = len(self.data.source.notes)
        self._prepare()

    # -- frames ------------------------------------------------------------------------------

    def start(self, camera: Camera, size: Size, limits: Limits) -> Plan:
        """Plan a frame; `finish` shows it once what is at hand has become actors."""
        self._view = TileView.of(camera, size, self.dress.request.style.z_offset)
        self.plan = self.scheduler.plan(self._view, limits)
        self._in_use = {*self.plan.needed, *self._cut}
        return self.plan

    def finish(self, opacity: float, moving: bool) -> bool:
        """Show what is ready of the frame; tell whether something changed."""
        self.scheduler.cover(self.plan, self._view)
        cut = dict.fromkeys(node for node in self.plan.draw if node.holds is not None)
        changed = cut.keys() != self._cut.keys()
        for node in self._cut:
            if node not in cut:
                _show(node, False, opacity)
        for node in cut:
            if node not in self._cut:
                _show(node, True, opacity)
        self._cut, self._opacity = cut, opacity
        self._in_use = {*self.plan.needed, *cut}
        if changed:
            self._changed()
        return changed

    def hide(self) -> bool:
        """Show nothing; what is held may go when others need the room."""
        changed = bool(self._cut)
        for node in self._cut:
            _show(node, False, self._opacity)
        self._cut, self._in_use = {}, set()
        self.plan = Plan(complete=True)
        if changed:
            self._changed()
        return changed

    def needs(self, node: Node) -> bool:
        """Tell whether a node must be kept."""
        return node in self._in_use

    @property
    def cut(self) -> Iterable[Node]:
        """What is drawn now."""
        return self._cut

    @property
    def triangles(self) -> float:
        """What the frame costs."""
        return sum(node.cost for node in self._cut)

    @property
    def stale(self) -> list[Node]:
        """What is drawn as it looked before the last change of style."""
        return [node for node in self._cut if node.holds.look is not self.dress]

    # -- actors ------------------------------------------------------------------------------

    def upload(self, node: Node) -> None:
        """Make the actors of what is ready for it."""
        held = node.holds
        self._remove(held)
        made = []
        for part in held.parts or ():
            drawn = self.stage.add(part)
            drawn.set_moving(self.moving)
            slim(drawn)
            made.append(drawn)
        held.drawn, held.parts = made, None
        node.ready = True
        drawn_now = node in self._cut
        _show(node, drawn_now, self._opacity)
        if drawn_now:
            self._changed()

    def release(self, node: Node) -> None:
        """Take the actors away."""
        held = node.holds
        if held is not None:
            self._remove(held)
            node.ready = False

    def _remove(self, held: Held) -> None:
        for drawn in held.drawn or ():
            self.stage.remove(drawn)
        held.drawn = None

    # -- style -------------------------------------------------------------------------------

    def restyle(self, dress: Dress) -> None:
        """Look otherwise: what is drawn stays as it is until it is made anew."""
        old, self.dress = self.dress.request, dress
        new = dress.request
        moved = old.origin != new.origin or old.style.z_offset != new.style.z_offset
        if moved:
            self.hide()
        stack = [self.scheduler.root]
        while stack:
            node = stack.pop()
            stack += node.children or ()
            held = node.holds
            if held is None:
                continue
            held.parts = None
            if node not in self._cut:
                self.release(node)
        self._prepare()

    # -- picking and selection ---------------------------------------------------------------

    def _prepare(self) -> None:
        """Offer the view what it asks a layer for; it stays the same while tiles come and go."""
        targets = [
            Target(shape, entity=self._entity_in(shape), primitive=self._primitive_in(shape))
            for shape in (self._meshes, self._clouds)
        ]
        eye_dome = self.dress.request.style.eye_dome
        self.shown.prepared = Prepared(
            [], targets, self._highlight, self._extent, eye_dome=eye_dome and self._has_points
        )
        self._changed()

    @property
    def _has_points(self) -> bool:
        return any(isinstance(node.holds.content, PointCloudData) for node in self._cut)

    def _changed(self) -> None:
        self._meshes.forget()
        self._clouds.forget()
        self.shown.drawn = [d for node in self._cut for d in node.holds.drawn or ()]
        self.shown.prepared.eye_dome = self.dress.request.style.eye_dome and self._has_points

    def _of(self, kind: type) -> list[Node]:
        return [n for n in self._cut if isinstance(n.holds.shown, kind) and len(n.holds.kept)]

    def _pickable(self, held: Held) -> Any:
        return held.pickable(self.dress.request)

    def _primitive_in(self, shape: TileShape) -> Callable[[int], int]:
        def primitive(number: int) -> int:
            node, n = shape.find(number)
            return int(node.holds.kept[n])

        return primitive

    def _entity_in(self, shape: TileShape) -> Callable[[int], str]:
        def entity(number: int) -> str:
            node, n = shape.find(number)
            element = self._element(node, int(node.holds.kept[n]))
            self.data.remember(element, self._box(node, element.id))
            return element.id

        return entity

    def _element(self, node: Node, primitive: int) -> Element:
        """Return what was hit in a tile: its element, its point, or else the tile."""
        tile, shown = node.tile, node.holds.shown
        assert tile is not None
        error = "0 m" if node.leaf else f"{node.error:.3g} m"
        source = {tr("Id"): tile.id, tr("May be wrong by"): error}
        if isinstance(shown, PointCloudData):
            place = zip("XYZ", shown.points[primitive].tolist(), strict=True)
            values = {name: _plain(v[primitive]) for name, v in shown.attributes.items()}
            groups = {N_("Point"): {**dict(place), **values}, N_("Tile"): source}
            return Element(f"{tile.id}:{primitive}", name=str(primitive), properties=groups)
        if shown.element_index is not None and (n := int(shown.element_index[primitive])) >= 0:
            found = shown.elements[n]
            groups = {**found.properties, N_("Tile"): source}
            return Element(found.id, found.cls, found.name, properties=groups)
        name = tile.id.replace("\\", "/").rpartition("/")[2]
        return Element(tile.id, name=name, properties={N_("Tile"): source})

    def _box(self, node: Node, entity: str) -> Bounds | None:
        triangles = _triangles_of(node, {entity})
        shown = node.holds.shown
        if isinstance(shown, PointCloudData):
            _, _, number = entity.rpartition(":")
            return Bounds.of(shown.points[int(number)][None])
        return Bounds.of(shown.vertices[triangles.ravel()])

    def _highlight(self, ids: Iterable[str]) -> list[Part]:
        wanted, request = set(ids), self.dress.request
        parts: list[Part] = []
        places = []
        for node in self._cut:
            shown = node.holds.shown
            if isinstance(shown, MeshData):
                marks = mark_triangles(request, shown.vertices, _triangles_of(node, wanted))
                # A tile as a whole is surveyed: its creases are noise.
                parts += marks[:1] if node.name in wanted else marks
            elif isinstance(shown, PointCloudData):
                places += [shown.points[n] for n in _points_of(node, wanted)]
        if places:
            size = max(10.0, 2 * request.style.point_size)
            color = request.theme.selection
            points = request.local32(np.array(places))
            parts.append(Part(points, color=color, size=size, round=True, lit=False))
        return parts

    def _extent(self, ids: Iterable[str]) -> Bounds | None:
        return Bounds.union(self.data.box_of(entity) for entity in ids)


def _show(node: Node, visible: bool, opacity: float) -> None:
    for drawn in node.holds.drawn or ():
        drawn.show(visible, opacity)


def _triangles_of(node: Node, ids: set[str]) -> Any:
    """Return the triangles of a tile that belong to elements, or all if it is named itself."""
    shown, kept = node.holds.shown, node.holds.kept
    if not isinstance(shown, MeshData):
        return np.empty((0, 3), dtype=np.intp)
    if node.name in ids:
        return shown.triangles[kept]
    if shown.element_index is None:
        return shown.triangles[:0]
    chosen = np.array([element.id in ids for element in shown.elements] + [False])
    return shown.triangles[kept][chosen[shown.element_index[kept]]]


def _points_of(node: Node, ids: set[str]) -> list[int]:
    before = f"{node.name}:"
    numbers = [entity[len(before) :] for entity in ids if entity.startswith(before)]
    return [int(n) for n in numbers if n.isdigit() and int(n) < len(node.holds.shown.points)]


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) if np.ndim(value) else value.item()


def dress_for(request: Request) -> Dress:
    """Return how the tiles of a layer are to look."""
    box = request.layer.bounds
    low, high = (0.0, 0.0) if box is None else (box.zmin, box.zmax)
    return Dress(request, low, high)


def pixels_for(request: Request) -> float:
    """Return the error on the screen that is good enough: of clouds a distance of points."""
    if is_cloud(request.layer.data):
        return request.budget.point_pixels
    return request.budget.tile_pixels


def data_of(request: Request) -> TilesData | None:
    """Return the tree that a layer is drawn from, None where there is none."""
    return tree_of(request.layer.data)
