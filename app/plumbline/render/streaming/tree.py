"""The part of a tree of tiles that was met, contained: no circle, no box without end, no fan.

Where a tile has very many children (the roots of a production, one for every 100 m of a city) they
are put into groups, so that a frame costs what is in view and not what is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from plumbline.core.data import FloatArray
from plumbline.core.i18n import tr
from plumbline.core.tiles import Tile, TileSource

#: Deeper tiles are left out; numbers beyond this are no place on earth, metres.
MAX_DEPTH, MAX_NUMBER = 100, 1e9
#: More children than this are put into groups, at most so many; more than that are left out.
FAN, MAX_GROUPS, MAX_FAN = 48, 32, 1_000_000


#: Nodes and their boxes ``(N, 6)``.
Family = tuple[list["Node"], FloatArray]


class Node:
    """A tile, or a group of tiles, with what became of it.

    Attributes
    ----------
    tile : Tile or None
        None for a group, which has nothing to draw.
    error : float
        Metres; never more than that of the node above. Of a group the largest in it.
    children : list of Node or None
        None as long as nobody has read them.
    boxes, errors : (N, 6), (N,) float64
        Of the children, for questions to all of them at once.
    known : bool
        Its content was read, so that what it costs is known.
    ready : bool
        It can be drawn as it is; also when there turned out to be nothing to draw.
    cost, decoded, uploaded : float
        Triangles that it counts for, and its bytes in memory and with the graphics; 0 before it
        was read.
    frame, seen : int, list of Node
        When the scheduler met it last, and which of its children were in view then.
    refined : bool
        Whether the scheduler then went on to its children.
    pixels : float
        Error on the screen at that time.
    holds : Any
        What the owner of the scheduler keeps with it.
    """

    __slots__ = (
        "boxes",
        "children",
        "cost",
        "decoded",
        "depth",
        "error",
        "errors",
        "frame",
        "has_content",
        "holds",
        "known",
        "leaf",
        "name",
        "parent",
        "pixels",
        "ready",
        "refined",
        "seen",
        "tile",
        "uploaded",
    )  # fmt: skip

    def __init__(self, tile: Tile | None, name: str, parent: Node | None, error: float) -> None:
        self.tile, self.name, self.parent, self.error = tile, name, parent, error
        self.depth: int = 0 if parent is None else parent.depth + (tile is not None)
        self.has_content = tile is not None and tile.has_content
        self.leaf = tile is not None and (tile.is_leaf or self.depth >= MAX_DEPTH)
        self.children: list[Node] | None = [] if self.leaf else None
        self.boxes: FloatArray = np.empty((0, 6))
        self.errors: FloatArray = np.empty(0)
        self.known = self.ready = not self.has_content
        self.cost = self.decoded = self.uploaded = 0.0
        self.frame, self.pixels, self.refined = -1, 0.0, False
        self.seen: list[Node] = []
        self.holds: Any = None

    @property
    def adds(self) -> bool:
        """Whether its children come beside it instead of in its place."""
        return self.tile is not None and self.tile.refine == "add"

    def family(self, tiles: Sequence[Tile], source: TileSource) -> Family:
        """Return tiles as children to be; those that cannot be are left out and noted.

        Changes nothing, so that a loader's thread can do it.
        """
        kept = list(_sound(tiles, self, source))
        boxes = np.array([t.bounds.as_list() for t in kept], dtype=np.float64).reshape(-1, 6)
        limit = _error_above(self)
        made = [Node(t, t.id, self, min(limit, _error(t))) for t in kept]
        return _grouped(self, made, boxes) if len(made) > FAN else (made, boxes)

    def take(self, family: Family) -> None:
        """Take children."""
        self.children, self.boxes = family
        self.errors = np.array([node.error for node in self.children])
        if not self.children:
            self.leaf = True

    def drop_children(self) -> None:
        """Forget the children; they are read again when somebody needs them."""
        if not self.leaf and self.tile is not None:
            self.children, self.seen = None, []
            self.boxes, self.errors = np.empty((0, 6)), np.empty(0)


def _error(tile: Tile) -> float:
    """Return the error of a tile; what is no length counts as none, so that nobody refines it."""
    return tile.error if math.isfinite(tile.error) and tile.error > 0 else 0.0


def _error_above(node: Node | None) -> float:
    while node is not None and node.tile is None:
        node = node.parent
    return math.inf if node is None else node.error


def _sound(tiles: Iterable[Tile], parent: Node, source: TileSource) -> Iterable[Tile]:
    above = set()
    node: Node | None = parent
    while node is not None:
        above.add(node.name)
        node = node.parent
    for number, tile in enumerate(tiles):
        if number >= MAX_FAN:
            _leave_out(source, parent.name, tr("its structure is damaged"))
            return
        if tile.id in above:
            source.note(tr("“{name}” refers to itself.", name=tile.id[-120:]))
            continue
        box = tile.bounds.as_list()
        ordered = all(a <= b for a, b in zip(box[:3], box[3:], strict=True))
        if not ordered or not all(abs(v) < MAX_NUMBER for v in box):
            _leave_out(source, tile.id, tr("its box is not finite"))
            continue
        yield tile


def _leave_out(source: TileSource, name: str, why: str) -> None:
    source.note(tr("“{name}” is left out: {why}.", name=name[-120:], why=why))


def _grouped(parent: Node, nodes: list[Node], boxes: FloatArray) -> Family:
    """Put nodes into groups of neighbours: halved along the longer side until few are left."""
    centers = (boxes[:, :2] + boxes[:, 3:5]) / 2
    parts = [np.arange(len(nodes))]
    while len(parts) < MAX_GROUPS and len(parts[0]) > FAN:
        halves = []
        for part in parts:
            spans = np.ptp(centers[part], axis=0)
            order = part[np.argsort(centers[part, int(np.argmax(spans))], kind="stable")]
            middle = len(order) // 2
            halves += [order[:middle], order[middle:]]
        parts = [half for half in halves if len(half)]
    groups, around = [], []
    for number, part in enumerate(parts):
        own = boxes[part]
        error = max(nodes[n].error for n in part)
        group = Node(None, f"{parent.name}//{number}", parent, error)
        for n in part:
            nodes[n].parent = group
        below = [nodes[n] for n in part], own
        group.take(_grouped(group, *below) if len(part) > FAN else below)
        groups.append(group)
        around.append([*own[:, :3].min(axis=0), *own[:, 3:].max(axis=0)])
    return groups, np.array(around)
