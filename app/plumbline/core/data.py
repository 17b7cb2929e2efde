"""What layers hold: plain arrays and tables in the project CRS, one class for each kind.

Coordinates are float64. Nothing here knows a file format, a style or a view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pyproj import CRS

    from plumbline.core.tiles import TilesData

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.integer[Any]]
AnyArray: TypeAlias = NDArray[Any]


def _reduced(function: np.ufunc, points: AnyArray) -> AnyArray:
    """Reduce points ``(N, 3)`` to one ``(3,)``, NaN left out.

    NumPy reduces rows of three numbers one by one; rows of many at once are thirty times faster,
    and clouds have a hundred million points.
    """
    width = 256
    whole = len(points) // width * width
    rest = points[whole:]
    if whole:
        rows = points[:whole].reshape(-1, width * 3)
        rest = np.concatenate([function.reduce(rows, axis=0).reshape(width, 3), rest])
    reduced: AnyArray = function.reduce(rest, axis=0)
    return reduced


@dataclass(frozen=True)
class Bounds:
    """An axis-aligned box in the project CRS, metres (or the units of that CRS)."""

    xmin: float
    ymin: float
    zmin: float
    xmax: float
    ymax: float
    zmax: float

    @classmethod
    def of(cls, points: AnyArray) -> Bounds | None:
        """Return the box of finite points ``(N, 3)``, or None when there are none."""
        if len(points) == 0:
            return None
        return cls(*(float(v) for v in (*_reduced(np.fmin, points), *_reduced(np.fmax, points))))

    @classmethod
    def union(cls, boxes: Iterable[Bounds | None]) -> Bounds | None:
        """Return the box around several boxes, or None when there are none."""
        known = [box for box in boxes if box is not None]
        if not known:
            return None
        low = np.min([box.low for box in known], axis=0)
        high = np.max([box.high for box in known], axis=0)
        return cls(*(float(v) for v in (*low, *high)))

    @property
    def low(self) -> FloatArray:
        """Lower corner ``(3,)``."""
        return np.array([self.xmin, self.ymin, self.zmin])

    @property
    def high(self) -> FloatArray:
        """Upper corner ``(3,)``."""
        return np.array([self.xmax, self.ymax, self.zmax])

    @property
    def center(self) -> FloatArray:
        """Centre ``(3,)``."""
        return (self.low + self.high) / 2

    @property
    def diagonal(self) -> float:
        """Length of the space diagonal."""
        return float(np.linalg.norm(self.high - self.low))

    def as_list(self) -> list[float]:
        """Return ``[xmin, ymin, zmin, xmax, ymax, zmax]``."""
        return [self.xmin, self.ymin, self.zmin, self.xmax, self.ymax, self.zmax]


@dataclass(frozen=True)
class Texture:
    """An image of a material: a file, or its encoded bytes (PNG, JPEG) when it was embedded."""

    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Material:
    """Appearance of a part of a mesh; `color` is RGBA in 0..1."""

    name: str
    color: tuple[float, float, float, float] = (0.8, 0.8, 0.8, 1.0)
    texture: Texture | None = None


@dataclass
class Element:
    """One named thing in a layer: an IFC product, an object of a mesh, a city object.

    Attributes
    ----------
    id : str
        Identifier that the file gives (GlobalId for IFC), unique in the layer.
    cls : str
        Class, e.g. ``IfcWall``.
    properties : dict
        Groups of properties: ``{"Pset_WallCommon": {"IsExternal": True}, ...}``.
    """

    id: str
    cls: str = ""
    name: str = ""
    storey: str = ""
    type_name: str = ""
    material: str = ""
    parent: str = ""
    properties: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class MeshData:
    """Triangles with materials and, where the file names its parts, elements.

    Attributes
    ----------
    vertices : (N, 3) float64
        Project CRS.
    triangles : (M, 3) integer
        Indices into `vertices`.
    uv : (N, 2) float32, optional
        Texture coordinates, origin at the lower left of the image.
    colors : (N, 4) uint8, optional
        Vertex colours RGBA.
    materials : list of Material
    material_index : (M,) int32, optional
        Index into `materials` for each triangle.
    elements : list of Element
    element_index : (M,) int32, optional
        Index into `elements` for each triangle, -1 for none.
    scalars : dict of str to (M,) float
        Numbers of each triangle by name, e.g. hours of sun; NaN where there is none.
    """

    vertices: FloatArray
    triangles: IntArray
    uv: AnyArray | None = None
    colors: AnyArray | None = None
    materials: list[Material] = field(default_factory=list)
    material_index: AnyArray | None = None
    elements: list[Element] = field(default_factory=list)
    element_index: AnyArray | None = None
    scalars: dict[str, AnyArray] = field(default_factory=dict)

    @property
    def bounds(self) -> Bounds | None:
        """Box of all vertices."""
        return Bounds.of(self.vertices)

    @property
    def counts(self) -> dict[str, int]:
        """Counts for `plumbline info`."""
        counts = {"vertices": len(self.vertices), "triangles": len(self.triangles)}
        if self.elements:
            counts["elements"] = len(self.elements)
        buildings = sum(element.cls == "Building" for element in self.elements)
        if buildings:
            counts["buildings"] = buildings
        return counts


@dataclass
class Storey:
    """A storey of a building; `elevation` in metres above the building's own zero."""

    id: str
    name: str
    elevation: float | None
    building: str = ""


@dataclass
class BimData(MeshData):
    """A building model: a mesh whose triangles belong to elements, with storeys.

    Attributes
    ----------
    storeys : list of Storey
    spatial : dict of str to str
        Parent of every spatial element and element by id (project > site > building > storey).
    products : int
        Products in the file; those without geometry are in `elements` but own no triangle.
    tally : dict of str to int
        What only the schema of the file can count: ``products_with_geometry`` (they have a
        representation), ``elements`` (parts of the building, openings included),
        ``elements_with_geometry``, ``spaces``.
    """

    storeys: list[Storey] = field(default_factory=list)
    spatial: dict[str, str] = field(default_factory=dict)
    products: int = 0
    tally: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Counts for `plumbline info`."""
        return {
            "products": self.products,
            "elements": len(self.elements),
            **self.tally,
            "storeys": len(self.storeys),
            "vertices": len(self.vertices),
            "triangles": len(self.triangles),
        }


@dataclass
class PointCloudData:
    """Points with attributes.

    Attributes
    ----------
    points : (N, 3) float64
    attributes : dict of str to (N, ...) array
        Plain names: ``rgb`` (N, 3) uint8, ``classification`` uint8, ``intensity`` uint16,
        ``return_number``, ``number_of_returns``, ``gps_time``; others as the file calls them.
    """

    points: FloatArray
    attributes: dict[str, AnyArray] = field(default_factory=dict)

    @property
    def bounds(self) -> Bounds | None:
        """Box of all points."""
        return Bounds.of(self.points)

    @property
    def counts(self) -> dict[str, int]:
        """Counts for `plumbline info`."""
        return {"points": len(self.points)}

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the attributes, without reading points that are in a file."""
        return tuple(self.attributes)

    def within(self, box: tuple[float, float, float, float]) -> PointCloudData:
        """Return the points in ``(xmin, ymin, xmax, ymax)``, its border included."""
        points = self.points
        (x, y), (west, south, east, north) = (points[:, 0], points[:, 1]), box
        inside = (x >= west) & (x <= east) & (y >= south) & (y <= north)
        attributes = {name: values[inside] for name, values in self.attributes.items()}
        return PointCloudData(points[inside], attributes)

    def blocks(
        self, size: int, around: tuple[float, float, float, float] | None = None
    ) -> Iterator[tuple[AnyArray, AnyArray | None]]:
        """Yield points ``(N, 3)`` and their classes (None without), at most `size` at a time.

        Parameters
        ----------
        around : (xmin, ymin, xmax, ymax), optional
            Points outside of it may be left out.
        """
        classes = self.attributes.get("classification")
        for start in range(0, len(self.points), size):
            part = slice(start, start + size)
            yield self.points[part], None if classes is None else classes[part]


class StoredCloud(PointCloudData):
    """A cloud that stays in its file: streamed in blocks, or read whole when someone asks for it.

    Analyses that need each point once go through `blocks` and take no more memory for a hundred
    million points than for one; `points` and `attributes` read the whole file when first asked for.

    Parameters
    ----------
    count : int
    bounds : Bounds
        Of all finite points.
    stream : callable
        Gives blocks of at most as many points as it is asked for, from the first on, each time; a
        block may hold points that are not finite.
    whole : callable
        Reads it all.
    """

    def __init__(
        self,
        count: int,
        bounds: Bounds,
        stream: Callable[[int], Iterator[tuple[AnyArray, AnyArray | None]]],
        whole: Callable[[], PointCloudData],
    ) -> None:
        self._count, self._box, self._stream, self._whole = count, bounds, stream, whole
        self._held: PointCloudData | None = None

    def __repr__(self) -> str:
        return f"StoredCloud({self._count} points)"

    def _all(self) -> PointCloudData:
        if self._held is None:
            self._held = self._whole()
        return self._held

    @property
    def points(self) -> FloatArray:
        """Points ``(N, 3)``; read now if they were not."""
        return self._all().points

    @points.setter
    def points(self, points: FloatArray) -> None:
        self._all().points = points

    @property
    def attributes(self) -> dict[str, AnyArray]:  # type: ignore[override]
        """Attributes; read now if they were not."""
        return self._all().attributes

    @property
    def bounds(self) -> Bounds | None:
        """Box of all points."""
        return self._box if self._held is None else self._held.bounds

    @property
    def counts(self) -> dict[str, int]:
        """Counts for `plumbline info`."""
        return {"points": self._count} if self._held is None else self._held.counts

    def blocks(
        self, size: int, around: tuple[float, float, float, float] | None = None
    ) -> Iterator[tuple[AnyArray, AnyArray | None]]:
        """Yield points and their classes; from the file unless it was read whole."""
        return self._stream(size) if self._held is None else self._held.blocks(size)


@dataclass
class VectorData:
    """Features with attributes; z is NaN-free where `has_z`, else features lie on the terrain.

    The index of `features` holds the entity ids and is unique.
    """

    features: GeoDataFrame
    has_z: bool = False

    @property
    def bounds(self) -> Bounds | None:
        """Box of all features; z is 0 for 2D features."""
        import shapely

        geometry = self.features.geometry.to_numpy()
        points = shapely.get_coordinates(geometry, include_z=True)
        return Bounds.of(np.nan_to_num(points, nan=0.0))

    @property
    def counts(self) -> dict[str, int]:
        """Counts for `plumbline info`."""
        return {"features": len(self.features)}


@dataclass
class RasterData:
    """A raster on disk: terrain (one band of heights) or imagery; never loaded whole.

    `path` is opened anew by each reader (`plumbline.io.raster`), so that this object can travel
    between threads. When the file's CRS differs from the project's, `crs` differs from the layer's
    and readers go through a warped view.

    Attributes
    ----------
    role : str
        ``"terrain"`` or ``"imagery"``.
    transform : tuple of 6 floats
        Affine transform (a, b, c, d, e, f) of the file: x = a·col + b·row + c,
        y = d·col + e·row + f.
    height_range : (low, high), optional
        Lowest and highest height of terrain, metres.
    z_factor : float
        Metres per vertical unit of the file.
    """

    path: Path
    role: str
    width: int
    height: int
    bands: int
    dtype: str
    transform: tuple[float, float, float, float, float, float]
    bounds: Bounds | None
    crs: CRS | None = None
    nodata: float | None = None
    height_range: tuple[float, float] | None = None
    z_factor: float = 1.0
    target_crs: CRS | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Counts for `plumbline info`."""
        return {"cells": self.width * self.height, "bands": self.bands}


@dataclass
class GridData:
    """A raster that was computed, in memory: hours of sun, a viewshed, a difference of heights.

    Attributes
    ----------
    values : (rows, columns) float or uint8
        First row in the north; NaN, or 255 in uint8, where there is no data.
    transform : tuple of 6 floats
        From (column, row) of cell corners to the project CRS, as `RasterData.transform`.
    quantity : str
        What the numbers are, English text that passes through `tr`.
    heights : bool
        The numbers are heights in metres above the vertical datum: it is drawn as a surface
        there. Else it is laid on the terrain.
    """

    values: AnyArray
    transform: tuple[float, float, float, float, float, float]
    quantity: str = ""
    unit: str = ""
    heights: bool = False

    @property
    def nodata(self) -> float:
        """What stands for no data."""
        return 255.0 if self.values.dtype == np.uint8 else float("nan")

    @property
    def bounds(self) -> Bounds | None:
        """Box of the cells; z is 0 unless the numbers are heights."""
        rows, columns = self.values.shape
        a, b, c, d, e, f = self.transform
        corners = np.array([(i, j) for i in (0, columns) for j in (0, rows)], dtype=np.float64)
        x, y = corners @ [a, b] + c, corners @ [d, e] + f
        low = high = 0.0
        if self.heights and np.isfinite(self.values).any():
            low, high = float(np.nanmin(self.values)), float(np.nanmax(self.values))
        return Bounds(float(x.min()), float(y.min()), low, float(x.max()), float(y.max()), high)

    @property
    def counts(self) -> dict[str, int]:
        """Counts for `plumbline info`."""
        return {"cells": int(self.values.size), "bands": 1}


LayerData: TypeAlias = (
    "MeshData | BimData | PointCloudData | VectorData | RasterData | GridData | TilesData"
)
