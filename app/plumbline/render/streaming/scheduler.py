"""Which tiles a frame shows and which are read next: by the error that is left on the screen.

Each frame walks from the roots to the tiles in view, those with the largest error first, and goes
no further where the error is small enough or the frame has enough to draw. Nothing else of the tree
is touched, so that a frame costs what it shows, whatever the size of the city.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from plumbline.core.tiles import TileSource
from plumbline.render.streaming.tree import Family, Node
from plumbline.render.streaming.view import TileView

#: On the way down a tile is read for its own sake where the error on the screen has shrunk by this
#: factor since the last one that was, unless it is nearly good enough already.
STRIDE, NEARLY = 8.0, 4.0
#: Tiles of one frame.
MAX_TILES = 2000
#: Levels below a tile that may stand in for it.
STAND_IN = 3


@dataclass(frozen=True)
class Limits:
    """How fine a frame is to be, and what it may take.

    Attributes
    ----------
    pixels : float
        A tile whose error is smaller than this on the screen is good enough.
    error : float
        If finite, metres of error that are good enough wherever the tile is, instead of `pixels`.
    triangles : float
        Triangles of all tiles that are drawn.
    decoded, uploaded : float
        Bytes in memory and with the graphics.
    guess : bool
        A tile that was never read counts as much as the one above it, so that too much is not even
        asked for. Without it the picture in the end is the same whatever was read before.
    """

    pixels: float
    error: float = math.inf
    triangles: float = math.inf
    decoded: float = math.inf
    uploaded: float = math.inf
    guess: bool = False


@dataclass(order=True)
class Want:
    """Something to read: the content of a node, or its children.

    `rank` is small where it is urgent: minus the error on the screen of what is shown without it.
    """

    rank: float
    name: str
    node: Node = field(compare=False)
    children: bool = field(compare=False, default=False)


@dataclass
class Plan:
    """What a frame shows.

    Attributes
    ----------
    draw : list of Node
        All of them ready.
    needed : list of Node
        What would be drawn if all were read.
    passed : list of Node
        Coarser tiles that were passed on the way to those.
    wants : list of Want
        The most urgent first.
    complete : bool
        Nothing is missing: `draw` is `needed`.
    limited : bool
        Something would be finer if the limits allowed it.
    error : float
        Largest error of what is needed and has finer levels, metres.
    visits : int
        Nodes that the frame touched.
    """

    draw: list[Node] = field(default_factory=list)
    needed: list[Node] = field(default_factory=list)
    passed: list[Node] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)
    complete: bool = False
    limited: bool = False
    error: float = 0.0
    visits: int = 0


@dataclass(frozen=True)
class Settled:
    """How far tiles were refined for a picture that waited for them.

    Attributes
    ----------
    complete : bool
        Everything was read that the error, the budget and memory allow.
    error : float
        Largest error of a tile that is shown though there are finer ones, metres; 0 for none.
    """

    complete: bool
    error: float


class Scheduler:
    """Schedules one tree; belongs to one thread.

    Parameters
    ----------
    source : TileSource
        Read by nobody but `read_children`: all else is left to who takes the wants.
    """

    def __init__(self, source: TileSource) -> None:
        self.source = source
        self.root = Node(None, "", None, math.inf)
        self.frame = 0
        self._expanded: dict[Node, int] = {}

    def read_children(self, node: Node) -> Family:
        """Read the children of a node; changes nothing, so that a loader's thread can do it."""
        found = self.source.roots() if node.tile is None else self.source.children(node.tile)
        return node.family(found, self.source)

    def take_children(self, node: Node, family: Family) -> None:
        """Take the children that were read of a node."""
        if node.children is None:
            node.take(family)
            self._expanded[node] = self.frame

    def plan(self, view: TileView, limits: Limits) -> Plan:
        """Return what is needed and what to read for a view; then `cover` says what to draw."""
        self.frame += 1
        plan = Plan()
        if self.root.children is None:
            plan.wants.append(Want(-math.inf, "", self.root, True))
            return plan
        self._descend(view, limits, plan)
        plan.wants.sort()
        return plan

    def cover(self, plan: Plan, view: TileView) -> None:
        """Choose what to draw from what is ready now; for the newest plan."""
        plan.wants = [want for want in plan.wants if want.children or not want.node.ready]
        plan.complete = not plan.wants
        if self.root.refined:
            plan.draw = self._covered(self.root, view, False) or []

    # -- from the roots to what is good enough ------------------------------------------------

    def _descend(self, view: TileView, limits: Limits, plan: Plan) -> None:
        spent = _Spent(limits)
        queue: list[tuple[float, str, Node]] = []
        root = self.root
        root.frame, root.refined = self.frame, True
        root.seen = self._visible(root, view)
        for child in root.seen:
            heapq.heappush(queue, (-child.pixels, child.name, child))
        if not spent.add(root.seen, None):
            plan.limited, root.seen, queue = True, [], []
        while queue:
            _, _, node = heapq.heappop(queue)
            node.frame, node.refined, node.seen = self.frame, False, []
            plan.visits += 1
            coarse = not node.leaf and not self._is_fine(node, limits)
            if coarse:
                self._refine(node, view, spent, plan, queue)
            if not node.refined and not node.leaf and node.has_content:
                plan.error = max(plan.error, node.error)
            if node.has_content:
                shown = not node.refined or node.adds
                (plan.needed if shown else plan.passed).append(node)
            # As long as nobody has read its children it is taken for a step on the way down.
            passing = node.refined or (coarse and node.children is None)
            if not node.ready and self._is_wanted(node, passing, limits):
                plan.wants.append(Want(-_pixels_above(node), node.name, node))

    def _refine(
        self,
        node: Node,
        view: TileView,
        spent: _Spent,
        plan: Plan,
        queue: list[tuple[float, str, Node]],
    ) -> None:
        """Go on to the children of a node in view, if they are known and there is room."""
        if node.children is None:
            plan.wants.append(Want(-node.pixels, node.name, node, True))
            return
        if not node.children:
            return
        seen = self._visible(node, view)
        plan.visits += len(node.children)
        if not spent.add(seen, node):
            plan.limited = True
            return
        node.refined, node.seen = True, seen
        for child in seen:
            heapq.heappush(queue, (-child.pixels, child.name, child))

    @staticmethod
    def _is_fine(node: Node, limits: Limits) -> bool:
        if not node.has_content:
            return False  # there is nothing to look at
        if math.isfinite(limits.error):
            return node.error <= limits.error
        return node.pixels <= limits.pixels

    def _is_wanted(self, node: Node, passing: bool, limits: Limits) -> bool:
        """Tell whether a node is to be read: to be drawn, or as a step on the way down."""
        if not passing or node.adds:
            return True
        # What was read and has no actor yet will stand for it in this very frame.
        above = next((up for up in _above(node) if up.ready or up.holds is not None), None)
        if above is None:
            # Nothing stands for this place yet: the coarsest tile comes first.
            return next(_above(node), None) is None
        floor = NEARLY * (limits.pixels if not math.isfinite(limits.error) else 0.0)
        return node.pixels * STRIDE <= above.pixels and node.pixels > floor

    def _visible(self, node: Node, view: TileView) -> list[Node]:
        children = node.children or []
        if not children:
            return []
        seen, pixels = view.look_at(node.boxes)
        errors = node.errors * pixels
        found = []
        for n in np.flatnonzero(seen):
            child = children[n]
            child.pixels = float(errors[n])
            found.append(child)
        return found

    # -- what is there, without holes ---------------------------------------------------------

    def _covered(self, node: Node, view: TileView, stands: bool) -> list[Node] | None:
        """Return what is drawn for a node in view; None where something coarser must stay.

        `stands` tells that something coarser is ready.
        """
        if not node.refined:
            if node.ready:
                return [node] if node.has_content else []
            return self._stand_ins(node, view, STAND_IN)
        if node.adds:
            own = [node] if node.ready and node.has_content else []
            for child in node.seen:
                own += self._covered(child, view, True) or []
            return own if node.ready or not stands else None
        ready = node.has_content and node.ready
        found: list[Node] = []
        for child in node.seen:
            part = self._covered(child, view, stands or ready)
            if part is None and (ready or stands):
                return [node] if ready else None
            found += part or []
        return found

    def _stand_ins(self, node: Node, view: TileView, levels: int) -> list[Node] | None:
        """Return finer tiles that are there and stand for a node wholly, None if they do not."""
        if not node.children or node.adds or levels == 0:
            return None
        found: list[Node] = []
        for child in self._visible(node, view):
            if child.ready:
                found += [child] if child.has_content else []
                continue
            part = self._stand_ins(child, view, levels - 1)
            if part is None:
                return None
            found += part
        for child in found:
            child.frame = self.frame
        return found

    # -- what nobody looks at -----------------------------------------------------------------

    def spare(self, plan: Plan) -> Iterator[Want]:
        """Yield what would help the next movement: what is coarser, then what is beside."""
        yield from (Want(-up.pixels, up.name, up) for up in plan.passed if not up.ready)
        parents = {node.parent: None for node in plan.needed if node.parent is not None}
        for parent in parents:
            for child in parent.children or ():
                if not child.ready and child.frame != self.frame:
                    yield Want(0.0, child.name, child)

    def forget(self, keep: int) -> None:
        """Forget children of nodes that were not met for long, so that at most `keep` stay known.

        Whoever holds something of theirs has let go of it before: nodes with content that was read
        stay.
        """
        if len(self._expanded) <= keep:
            return
        for node in sorted(self._expanded, key=lambda n: n.frame)[: len(self._expanded) // 4]:
            if node.frame != self.frame and not any(map(_is_held, node.children or ())):
                node.drop_children()
                del self._expanded[node]

    @property
    def expanded(self) -> int:
        """How many nodes know their children."""
        return len(self._expanded)


class _Spent:
    """What the tiles take that were chosen so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._triangles = self._decoded = self._uploaded = 0.0
        self._tiles = 0

    def add(self, nodes: list[Node], parent: Node | None) -> bool:
        """Take nodes, in the place of their parent or beside it, if there is room for them."""
        limits = self._limits
        triangles, decoded, uploaded = self._triangles, self._decoded, self._uploaded
        tiles = self._tiles
        if parent is not None and not parent.adds and parent.has_content:
            triangles -= parent.cost
            decoded -= parent.decoded
            uploaded -= parent.uploaded
            tiles -= 1
        guess = parent if limits.guess and parent is not None else None
        for node in nodes:
            if not node.has_content:
                continue
            like = node if node.known or guess is None else guess
            tiles += 1
            triangles += like.cost
            decoded += like.decoded
            uploaded += like.uploaded
        # A group, or a tile that holds nothing, cannot stand for what is in it: it may be slow.
        hollow = parent is None or not parent.has_content
        fits = hollow or triangles <= limits.triangles
        fits = fits and tiles <= MAX_TILES
        if not fits or decoded > limits.decoded or uploaded > limits.uploaded:
            return False
        self._triangles, self._decoded, self._uploaded = triangles, decoded, uploaded
        self._tiles = tiles
        return True


def _above(node: Node) -> Iterator[Node]:
    up = node.parent
    while up is not None:
        if up.has_content:
            yield up
        up = up.parent


def _pixels_above(node: Node) -> float:
    """Return the error on the screen of what may be shown in the place of a node."""
    up = node.parent
    while up is not None and up.tile is None:
        up = up.parent
    return math.inf if up is None else up.pixels


def _is_held(node: Node) -> bool:
    if node.tile is None:  # of a group nobody holds anything, but of what is in it
        return any(map(_is_held, node.children or ()))
    return node.holds is not None or bool(node.children)
