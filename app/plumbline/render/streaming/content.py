"""From what a tile holds to arrays that can be drawn; runs in the threads of the loader."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.data import AnyArray, MeshData, PointCloudData
from plumbline.core.tiles import Content, Tile, TileSource
from plumbline.geometry.masking import cleared_mesh, standing_points
from plumbline.geometry.rays import Pickable, PointSet, TriangleSet
from plumbline.render import mesh, pointcloud
from plumbline.render.parts import Drawn, Part, Request

#: What an actor costs, and a point, in triangles.
ACTOR, POINT = 400.0, 0.25
#: Bytes of a named thing with its attributes, roughly.
ELEMENT = 1000.0


@dataclass
class Held:
    """What is kept of a tile: its content as it was read, and how it is drawn.

    Attributes
    ----------
    content : MeshData or PointCloudData, optional
        Project CRS, with nothing taken away; None where the tile holds nothing.
    look : Dress, optional
        What `parts` or `drawn` were made for.
    parts : list of Part, optional
        Ready to become actors, which takes their place.
    shown : MeshData or PointCloudData, optional
        The content without what a scheme clears.
    kept : (M,) integer
        Triangles or points of `shown` that are drawn.
    drawn : list of Drawn, optional
    shape : Pickable, optional
        Made when somebody picks in it for the first time.
    """

    content: Content | None
    look: Dress | None = None
    parts: list[Part] | None = None
    shown: Content | None = None
    kept: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    drawn: list[Drawn] | None = None
    shape: Pickable | None = None
    box: AnyArray | None = None

    @property
    def triangles(self) -> float:
        """What it costs a frame."""
        if self.parts is None:
            return 0.0
        return sum(_cost(part) for part in self.parts)

    @property
    def decoded(self) -> float:
        """Bytes in memory, without what the actors hold."""
        parts = sum(_part_bytes(part) for part in self.parts or ())
        masked = _content_bytes(self.shown) if self.shown is not self.content else 0.0
        return _content_bytes(self.content) + masked + parts

    @property
    def uploaded(self) -> float:
        """Bytes of its actors: with the graphics, and what VTK keeps beside that."""
        return sum(_uploaded(part) for part in self.parts or ())

    def pickable(self, request: Request) -> Pickable:
        """Return its shape for rays."""
        if self.shape is None:
            shown = self.shown
            if isinstance(shown, MeshData):
                self.shape = TriangleSet(shown.vertices, shown.triangles[self.kept])
            else:
                assert shown is not None
                size = max(request.style.point_size / 2, 1.5)
                self.shape = PointSet(shown.points[self.kept], size)
        return self.shape


class Dress:
    """How the tiles of one layer are to look.

    Colours that need a range of numbers, or the richest attribute there is, are settled once for
    the whole layer: tiles that chose for themselves would differ from their neighbours.
    """

    def __init__(self, request: Request, low: float, high: float) -> None:
        self._request, self._heights = request, (low, high)
        self._settled: Request | None = None
        self._lock = threading.Lock()

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self._request

    def for_points(self, cloud: PointCloudData) -> Request:
        """Return the request with the colouring of points settled, by the first tile that came."""
        with self._lock:
            if self._settled is None and len(cloud.points):
                self._settled = self._settle(cloud)
            return self._settled or self._request

    def for_mesh(self) -> Request:
        """Return the request with the range of heights settled."""
        style = self._request.style
        if style.color_by != "elevation" or style.value_range is not None:
            return self._request
        return replace(self._request, style=style.model_copy(update={"value_range": self._heights}))

    def _settle(self, cloud: PointCloudData) -> Request:
        style = self._request.style
        by = pointcloud.coloring(style, cloud)
        update: dict[str, object] = {"color_by": by}
        if style.value_range is None:
            name = "intensity" if by == "intensity" else style.attribute
            if by == "elevation":
                update["value_range"] = self._heights
            elif by in ("intensity", "attribute") and name in cloud.attributes:
                low, high = np.percentile(cloud.attributes[name], (2, 98))
                update["value_range"] = (float(low), float(max(high, low + 1e-9)))
        return replace(self._request, style=style.model_copy(update=update))


def read(source: TileSource, tile: Tile, dress: Dress) -> Held:
    """Read a tile and make it ready to be drawn."""
    return clothe(source.content(tile), dress)


def clothe(content: Content | None, dress: Dress) -> Held:
    """Make a content ready to be drawn; what a scheme clears or hides is left out."""
    if isinstance(content, MeshData) and len(content.triangles):
        return _mesh(content, dress)
    if isinstance(content, PointCloudData) and len(content.points):
        return _points(content, dress)
    return Held(None, dress, [])


def _mesh(content: MeshData, dress: Dress) -> Held:
    request = dress.for_mesh()
    shown = content
    if request.mask is not None:
        shown = cleared_mesh(content, request.mask)
    kept = mesh.kept_triangles(shown, request.hidden)
    parts = mesh.parts_of(request, shown, kept) if len(kept) else []
    return Held(content, dress, parts, shown, kept, box=_box(content.vertices))


def _points(content: PointCloudData, dress: Dress) -> Held:
    request = dress.for_points(content)
    kept = np.arange(len(content.points))
    if request.mask is not None:
        kept = kept[standing_points(content.points, request.mask)]
    parts = []
    if len(kept):
        parts.append(
            Part(
                points=request.local32(content.points[kept]),
                colors=pointcloud.colors(request, content)[kept],
                lit=False,
                size=request.style.point_size,
                spacing=pointcloud.spacing_of(content.points[kept, :2], len(kept)),
            )
        )
    return Held(content, dress, parts, content, kept, box=_box(content.points))


def _box(points: AnyArray) -> AnyArray:
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def is_cloud(data: object) -> bool:
    """Tell whether a layer is a cloud in tiles: the error of a tile is a distance of points."""
    return isinstance(data, TiledCloud)


# -- what it takes -------------------------------------------------------------------------------


def _cost(part: Part) -> float:
    if part.triangles is None:
        return ACTOR + POINT * len(part.points)
    return ACTOR + len(part.triangles)


def _nbytes(*arrays: AnyArray | None) -> float:
    return float(sum(array.nbytes for array in arrays if array is not None))


def _content_bytes(content: Content | None) -> float:
    if content is None:
        return 0.0
    if isinstance(content, PointCloudData):
        return _nbytes(content.points, *content.attributes.values())
    pictures = sum(len(m.texture.data or b"") for m in content.materials if m.texture is not None)
    return (
        ELEMENT * len(content.elements)
        + pictures
        + _nbytes(
            content.vertices,
            content.triangles,
            content.uv,
            content.colors,
            content.material_index,
            content.element_index,
            *content.scalars.values(),
        )
    )


def _part_bytes(part: Part) -> float:
    arrays = (part.triangles, part.lines, part.colors, part.normals, part.uv, part.image)
    return _nbytes(part.points, *arrays)


def _uploaded(part: Part) -> float:
    """Return bytes of an actor: points and colours twice, cells as VTK and as the card keep them.

    A picture is there as it is, and with the graphics as RGBA with its smaller versions.
    """
    bytes_ = 2 * _nbytes(part.points, part.colors, part.normals, part.uv)
    cells = part.triangles if part.triangles is not None else np.empty((len(part.points), 1))
    bytes_ += cells.shape[0] * (8 + cells.shape[1] * (8 + 4))
    if part.image is not None:
        height, width, bands = part.image.shape
        bytes_ += height * width * (bands + 4 * 4 / 3)
    return float(bytes_)


def slim(drawn: Drawn) -> None:
    """Let go of the arrays that an actor has taken over; small ones still tell their kind."""
    part = drawn.part
    drawn.part = replace(
        part,
        triangles=None if part.triangles is None else part.triangles[:1].copy(),
        colors=None if part.colors is None else part.colors[:1].copy(),
        uv=None,
        normals=None,
        image=None if part.image is None else part.image[:1, :1].copy(),
    )
