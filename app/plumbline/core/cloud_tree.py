"""A point cloud in a tree of tiles: drawn tile by tile, asked by region, never held whole.

To an analysis it is a cloud like any other (`plumbline.core.data.PointCloudData`): `blocks` streams
it, `within` gives a region of it with all points there are. What a view shows of it has no part in
that. A renderer takes `tree`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np

from plumbline.core.data import AnyArray, Bounds, FloatArray, PointCloudData, StoredCloud
from plumbline.core.errors import RefusedError
from plumbline.core.i18n import tr
from plumbline.core.tiles import Move, MovedSource, Tile, TilesData, TileSource

#: More points are not brought into memory at once.
MAX_HELD = 200_000_000

Box = tuple[float, float, float, float]


class TiledCloud(StoredCloud):
    """A cloud whose points lie in the tiles of a tree.

    Parameters
    ----------
    source : TileSource
        Its contents are `PointCloudData`.
    count : int
        Points of all tiles.
    bounds : Bounds
        Of all points.
    names : tuple of str
        Attributes that its points have.
    """

    def __init__(
        self, source: TileSource, count: int, bounds: Bounds, names: tuple[str, ...]
    ) -> None:
        super().__init__(count, bounds, self._stream, self._read_all)
        self._names = names
        self.tree = TilesData(source, {"points": count})

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the attributes; nothing is read."""
        return self._names

    @property
    def points(self) -> FloatArray:
        """Points ``(N, 3)`` of the whole cloud, read now if they were not.

        Raises
        ------
        RefusedError
            If they are more than memory should hold.
        """
        return self._all().points

    @points.setter
    def points(self, points: FloatArray) -> None:
        raise AttributeError("a tiled cloud is moved with `move`")

    def move(self, move: Move) -> None:
        """Bring the cloud into another CRS: every point when it is read."""
        self.tree = TilesData(MovedSource(self.tree.source, move), self.tree.count)
        self._held = None
        box = self.tree.bounds
        assert box is not None
        self._box = box

    def parts(
        self, around: Box | None = None, spacing: float = 0.0
    ) -> Iterator[tuple[Tile, PointCloudData]]:
        """Yield the tiles and points that meet a region, always in the same order.

        Parameters
        ----------
        around : (xmin, ymin, xmax, ymax), optional
            The region; points of a tile that lie outside of it come too.
        spacing : float
            Tiles are not refined where points are this near to each other; 0 for all points.
        """
        for tile in self.tree.walk(around, spacing):
            content = self.tree.source.content(tile)
            if isinstance(content, PointCloudData):
                yield tile, content

    def within(self, box: Box, spacing: float = 0.0) -> PointCloudData:
        """Return the points in a box, its border included; all of them, or of a spacing.

        Raises
        ------
        RefusedError
            If they are more than memory should hold.
        """
        if self._held is not None and spacing == 0:
            return self._held.within(box)
        return _joined((p.within(box) for _, p in self.parts(box, spacing)), self._names)

    def sample(self, most: int) -> PointCloudData:
        """Return about so many points, spread over the cloud as its coarsest tiles are."""
        if self._held is not None:
            return self._held
        queue = [(-t.error, t.id, t) for t in self.tree.source.roots()]
        heapq.heapify(queue)
        taken: list[PointCloudData] = []
        count = 0
        while queue and count < most:
            _, _, tile = heapq.heappop(queue)
            content = self.tree.source.content(tile) if tile.has_content else None
            if isinstance(content, PointCloudData):
                taken.append(content)
                count += len(content.points)
            for child in () if tile.is_leaf else self.tree.source.children(tile):
                heapq.heappush(queue, (-child.error, child.id, child))
        return _joined(iter(taken), self._names)

    def blocks(
        self, size: int, around: Box | None = None
    ) -> Iterator[tuple[AnyArray, AnyArray | None]]:
        """Yield points and their classes from tile after tile, only those around a region."""
        if self._held is not None:
            yield from self._held.blocks(size)
            return
        for _, part in self.parts(around):
            yield from part.blocks(size)

    def _stream(self, size: int) -> Iterator[tuple[AnyArray, AnyArray | None]]:
        return self.blocks(size)

    def _read_all(self) -> PointCloudData:
        if self._count > MAX_HELD:
            raise _too_many(self._count)
        return _joined((p for _, p in self.parts()), self._names)


def tree_of(data: object) -> TilesData | None:
    """Return the tree of tiles that data are drawn from, None where there is none."""
    if isinstance(data, TiledCloud):
        return data.tree
    return data if isinstance(data, TilesData) else None


def _joined(parts: Iterator[PointCloudData], names: tuple[str, ...]) -> PointCloudData:
    held: list[PointCloudData] = []
    count = 0
    for part in parts:
        count += len(part.points)
        if count > MAX_HELD:
            raise _too_many(count)
        if len(part.points):
            held.append(part)
    if not held:
        return PointCloudData(np.empty((0, 3)))
    # An attribute that some tiles lack is one that the cloud has not.
    common = [n for n in names if all(n in p.attributes for p in held)]
    attributes = {n: np.concatenate([p.attributes[n] for p in held]) for n in common}
    return PointCloudData(np.concatenate([p.points for p in held]), attributes)


def _too_many(count: int) -> RefusedError:
    return RefusedError(
        tr("{n:.0f} million points are too many to be held in memory.", n=count / 1e6),
        tr("Give a smaller region, or thin the cloud."),
    )
