"""Cities larger than memory: a tree of tiles, coarse at the root, finer towards the leaves.

The tree knows neither Qt nor VTK nor a file format. A `TileSource` reads one; the renderer asks it
for what the camera sees, an analysis for what a region needs (`TilesData.mesh`), and neither ever
holds the whole.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from plumbline.core.data import AnyArray, Bounds, Element, FloatArray, MeshData, PointCloudData
from plumbline.core.feedback import Feedback

#: Moves points ``(N, 3)`` into the project CRS.
Move = Callable[[FloatArray], FloatArray]
Content = MeshData | PointCloudData
#: Things with attributes that a tree keeps of those that somebody met.
MOST_MET = 10_000


@dataclass(frozen=True)
class Tile:
    """One node of the tree.

    Attributes
    ----------
    id : str
        Unique in its source and the same at every opening.
    bounds : Bounds
        Box of the tile and everything below it, in the CRS of its source.
    error : float
        Metres by which it may be wrong when it is shown without its children; 0 for the finest.
    refine : str
        ``"replace"``: children stand in its place; ``"add"``: they come beside it.
    has_content : bool
        Whether there is something to draw in it.
    is_leaf : bool
        Whether it is known to have no children; otherwise `TileSource.children` tells.
    hull : (N, 3) float64, optional
        Points that span the tile where its volume stands askew in the CRS of the source: moved
        into another CRS they give a tighter box than the corners of `bounds`.
    moved_from : Tile, optional
        The tile as the source below a `MovedSource` knows it.
    """

    id: str
    bounds: Bounds
    error: float
    refine: Literal["replace", "add"] = "replace"
    has_content: bool = True
    is_leaf: bool = False
    hull: FloatArray | None = field(default=None, compare=False, repr=False)
    moved_from: Tile | None = field(default=None, compare=False, repr=False)


class TileSource(ABC):
    """Reads a tree of tiles; every method may be called from any thread.

    A branch that cannot be read is left out and noted once in `notes`; nothing outside the folder
    of the source is ever read.
    """

    def __init__(self) -> None:
        #: Translated sentences about branches that were left out.
        self.notes: list[str] = []

    @abstractmethod
    def roots(self) -> tuple[Tile, ...]:
        """Return the coarsest tiles."""

    @abstractmethod
    def children(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the children of a tile; none for a leaf, or where they cannot be read."""

    @abstractmethod
    def content(self, tile: Tile) -> Content | None:
        """Return what is drawn of a tile, in the CRS of the source; None where there is nothing."""

    def note(self, text: str) -> None:
        """Keep a sentence about a branch that was left out, once."""
        if text not in self.notes and len(self.notes) < 100:
            self.notes.append(text)


class MovedSource(TileSource):
    """A source in another CRS: every vertex is moved, not the tile as a whole.

    A moved tile carries the one that it was made of, so that nothing is kept of tiles that nobody
    holds any more.
    """

    def __init__(self, source: TileSource, move: Move) -> None:
        super().__init__()
        self.notes = source.notes
        self._source, self._move = source, move
        self._roots: tuple[Tile, ...] | None = None

    def roots(self) -> tuple[Tile, ...]:
        """Return the roots with their boxes moved."""
        if self._roots is None:
            self._roots = tuple(map(self._moved, self._source.roots()))
        return self._roots

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the children with their boxes moved."""
        return tuple(map(self._moved, self._source.children(tile.moved_from or tile)))

    def content(self, tile: Tile) -> Content | None:
        """Return the content with its points moved."""
        content = self._source.content(tile.moved_from or tile)
        if isinstance(content, MeshData):
            return replace(content, vertices=self._move(content.vertices))
        if isinstance(content, PointCloudData):
            return replace(content, points=self._move(content.points))
        return None

    def _moved(self, tile: Tile) -> Tile:
        # Middles of edges and sides too: a box that is straight here is bent there.
        lattice = np.meshgrid(*np.linspace(tile.bounds.low, tile.bounds.high, 3).T)
        points = np.column_stack([axis.ravel() for axis in lattice])
        if tile.hull is not None:
            points = tile.hull
        moved = self._move(points)
        box = Bounds.of(moved)
        assert box is not None
        hull = None if tile.hull is None else moved
        return replace(tile, bounds=box, hull=hull, moved_from=tile)


@dataclass(frozen=True)
class Cut:
    """Part of a tree at one level of detail.

    Attributes
    ----------
    error : float
        Metres: the largest `Tile.error` of the tiles that were taken though they have children.
    tiles : tuple of str
        Their ids, in order.
    """

    mesh: MeshData
    error: float
    tiles: tuple[str, ...]


@dataclass
class TilesData:
    """A tree of tiles as a layer's data.

    Attributes
    ----------
    count : dict of str to int
        What the loader counted without reading everything, e.g. ``tiles``.
    """

    source: TileSource
    count: dict[str, int] = field(default_factory=dict)
    _met: dict[str, tuple[Element, Bounds | None]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def remember(self, element: Element, box: Bounds | None) -> None:
        """Keep what somebody met in a tile, so that its attributes can be asked for by its id.

        Nobody can list the things in a city; of those that were met the latest are kept.
        """
        self._met.pop(element.id, None)
        self._met[element.id] = (element, box)
        if len(self._met) > MOST_MET:
            del self._met[next(iter(self._met))]

    def element(self, entity: str) -> Element | None:
        """Return a thing that somebody met, by its id."""
        return self._met[entity][0] if entity in self._met else None

    def box_of(self, entity: str) -> Bounds | None:
        """Return the box of a thing that somebody met, project CRS."""
        return self._met[entity][1] if entity in self._met else None

    @property
    def bounds(self) -> Bounds | None:
        """Box of all roots."""
        return Bounds.union(tile.bounds for tile in self.source.roots())

    @property
    def counts(self) -> dict[str, int]:
        """Counts for `plumbline info`."""
        return dict(self.count)

    def walk(
        self,
        around: tuple[float, float, float, float] | None = None,
        error: float = 0.0,
        feedback: Feedback | None = None,
    ) -> Iterator[Tile]:
        """Yield the tiles with content that show a region well enough, always in the same order.

        Nothing but the boxes of tiles is held, so a tree of any size can be walked.

        Parameters
        ----------
        around : (xmin, ymin, xmax, ymax), optional
            Only tiles whose box touches this.
        error : float
            Tiles that are wrong by no more than this are not refined, metres.
        """
        feedback = feedback or Feedback()
        stack = sorted(self.source.roots(), key=lambda t: t.id, reverse=True)
        while stack:
            feedback.check()
            tile = stack.pop()
            if not _touches(tile.bounds, around):
                continue
            refined: tuple[Tile, ...] = ()
            if not tile.is_leaf and (tile.error > error or not tile.has_content):
                refined = self.source.children(tile)
            if tile.has_content and (tile.refine == "add" or not refined):
                yield tile
            stack += sorted(refined, key=lambda t: t.id, reverse=True)

    def mesh(
        self,
        around: tuple[float, float, float, float] | None = None,
        error: float = 0.0,
        max_triangles: int = 6_000_000,
        feedback: Feedback | None = None,
    ) -> Cut:
        """Return the triangles of a region at a level of detail that does not depend on any view.

        The tile with the largest error is refined first, ties by id, until every tile is good
        enough or the budget is spent; so the same question always gives the same mesh.

        Parameters
        ----------
        around : (xmin, ymin, xmax, ymax), optional
            Only tiles whose box touches this; triangles are not cut at its border.
        error : float
            Tiles that are wrong by no more than this are not refined, metres.
        """
        feedback = feedback or Feedback()
        queue = [(-t.error, t.id, t) for t in self.source.roots() if _touches(t.bounds, around)]
        heapq.heapify(queue)
        taken: dict[str, MeshData] = {}
        spent = worst = 0.0
        while queue:
            feedback.check()
            _, _, tile = heapq.heappop(queue)
            refined: tuple[Tile, ...] = ()
            # A tile that holds nothing stands for its children whatever error it states.
            coarse = tile.error > error or not tile.has_content
            if coarse and not tile.is_leaf and spent < max_triangles:
                children = self.source.children(tile)
                refined = tuple(c for c in children if _touches(c.bounds, around))
                if children and not refined:
                    continue
            for child in refined:
                heapq.heappush(queue, (-child.error, child.id, child))
            if refined and tile.refine == "replace":
                continue
            if not refined and not tile.is_leaf:
                worst = max(worst, tile.error if spent >= max_triangles else min(tile.error, error))
            content = self.source.content(tile) if tile.has_content else None
            if isinstance(content, MeshData):
                taken[tile.id] = content
                spent += len(content.triangles)
        names = tuple(sorted(taken))
        return Cut(join([taken[name] for name in names]), worst, names)


def _touches(box: Bounds, around: tuple[float, float, float, float] | None) -> bool:
    if around is None:
        return True
    west, south, east, north = around
    return box.xmin <= east and box.xmax >= west and box.ymin <= north and box.ymax >= south


def join(parts: list[MeshData]) -> MeshData:
    """Return several meshes as one, with the materials and elements of all."""
    if not parts:
        return MeshData(np.empty((0, 3)), np.empty((0, 3), dtype=np.int32))
    shift = np.cumsum([0, *(len(p.vertices) for p in parts)])
    vertices = np.concatenate([p.vertices for p in parts])
    triangles = np.concatenate(
        [np.asarray(p.triangles, dtype=np.int64) + n for p, n in zip(parts, shift, strict=False)]
    )
    joined = MeshData(vertices, triangles)
    if any(p.uv is not None for p in parts):
        joined.uv = np.concatenate(
            [np.zeros((len(p.vertices), 2), "f4") if p.uv is None else p.uv for p in parts]
        )
    joined.material_index = _indices(parts, "materials", "material_index")
    joined.materials = [m for p in parts for m in p.materials]
    joined.element_index = _indices(parts, "elements", "element_index")
    joined.elements = [e for p in parts for e in p.elements]
    return joined


def _indices(parts: list[MeshData], things: str, index: str) -> AnyArray | None:
    """Return the material or element of each triangle of all parts, -1 for none."""
    if all(getattr(p, index) is None for p in parts):
        return None
    found, before = [], 0
    for p in parts:
        own = getattr(p, index)
        none = np.full(len(p.triangles), -1)
        found.append(none if own is None else np.where(own >= 0, np.asarray(own) + before, -1))
        before += len(getattr(p, things))
    result: AnyArray = np.concatenate(found).astype(np.int32)
    return result
