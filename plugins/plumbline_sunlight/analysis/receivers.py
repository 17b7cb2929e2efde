"""What receives light: a raster's cells, a grid over polygons, faces of layers, or single points.

`ReceiverSpec` is what a request says, `place_receivers` finds the points and normals in metres of
the obstacles' frame, and `Placed` brings numbers of receivers back onto a raster or a mesh.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from plumbline.api import (
    Feedback,
    GridData,
    Layer,
    LayerKind,
    MeshData,
    ObstacleLayers,
    Obstacles,
    Occluder,
    Point,
    Problem,
    RasterData,
    Receivers,
    RefusedError,
    Region,
    Scene,
    VectorData,
    directions,
    read_grid,
    region,
    tr,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Affine6 = tuple[float, float, float, float, float, float]

#: Receivers of one request.
MAX_RECEIVERS = 4_000_000

#: Directions on each side of a face from which the sky is looked for, to tell outside from inside.
_AROUND = directions(np.arange(8) * 45.0, np.array([70.0, 35.0] * 4))

#: Faces steeper than this to the horizon are facades, flatter ones that look up are roofs.
_STEEP = math.cos(math.radians(60.0))


class ReceiverSpec(BaseModel):
    """Receivers as a request says them: `layers`, `polygon` or `points`, one of them.

    Attributes
    ----------
    layers : tuple of str
        One terrain raster (its cells), or layers whose faces are painted, or layers of points.
    polygon : polygons
        Area with a grid of `cell_size` metres.
    height : float
        Of the grid, and of points without z: metres above the terrain; where there is none, above
        the zero of the project's heights.
    cell_size : float
        Metres; of faces the longest side of a piece.
    faces : str
        ``all``, ``facades`` or ``roofs``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    layers: tuple[str, ...] = ()
    polygon: Region | None = None
    points: tuple[Point, ...] = ()
    cell_size: Annotated[float | None, Field(gt=0, le=1000)] = None
    height: Annotated[float, Field(ge=-500, le=10_000)] = 0.0
    faces: Literal["all", "facades", "roofs"] = "all"

    @property
    def size(self) -> float:
        """Cell size in metres."""
        return self.cell_size or (1.0 if self.polygon else 2.0)


def _read_spec(value: object) -> object:
    """Accept a layer id, a list of ids, a list of points, or the fields by name."""
    if isinstance(value, str):
        return {"layers": (value,)}
    if isinstance(value, list | tuple) and value:
        key = "layers" if all(isinstance(one, str) for one in value) else "points"
        return {key: tuple(value)}
    if isinstance(value, Mapping | ReceiverSpec):
        given = value if isinstance(value, Mapping) else value.model_dump(exclude_defaults=True)
        if sum(bool(given.get(key)) for key in ("layers", "polygon", "points")) != 1:
            raise ValueError(tr("Give one of layers, polygon and points."))
    return value


#: Receivers: a layer id, a list of ids or of points, or a mapping as `ReceiverSpec`.
ReceiverRefs: TypeAlias = Annotated[
    ReceiverSpec, BeforeValidator(_read_spec), Field(json_schema_extra={"widget": "layers"})
]


@dataclass(frozen=True)
class Grid:
    """Cells of a raster in the project CRS; `inside` are the flat indices of the receivers."""

    shape: tuple[int, int]
    transform: Affine6
    inside: IntArray


@dataclass(frozen=True)
class Faces:
    """Pieces of faces: corners ``(N, 3, 3)`` in metres of the frame."""

    corners: FloatArray


@dataclass(frozen=True)
class Placed:
    """Receivers and how numbers of them come back.

    Attributes
    ----------
    receivers : Receivers
    weights : (N,) float64
        Area of each, m²; 1 for points.
    names : tuple of str
        Of points.
    warnings : tuple of str
    """

    receivers: Receivers
    weights: FloatArray
    grid: Grid | None = None
    faces: Faces | None = None
    names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def layer(
        self, obstacles: Obstacles, name: str, title: str, quantity: str, unit: str, values: Any
    ) -> Layer:
        """Return numbers of the receivers as a raster or as a painted mesh."""
        frame = obstacles.frame
        if self.grid is not None:
            whole = np.full(self.grid.shape, np.nan)
            whole.ravel()[self.grid.inside] = values
            if np.asarray(values).dtype == np.bool_:
                flags = np.full(self.grid.shape, 255, dtype=np.uint8)
                flags.ravel()[self.grid.inside] = values
                whole = flags
            data = GridData(whole, self.grid.transform, quantity, unit)
            return Layer(name, title, LayerKind.RASTER, data, frame.georeference.crs)
        assert self.faces is not None
        vertices = frame.project(self.faces.corners.reshape(-1, 3))
        triangles = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
        mesh = MeshData(vertices, triangles, scalars={name: np.asarray(values, dtype=np.float64)})
        return Layer(name, title, LayerKind.MESH, mesh, frame.georeference.crs)


# -- before it runs --------------------------------------------------------------------------


def receiver_problems(scene: Scene, spec: ReceiverSpec) -> list[Problem]:
    """Return what is wrong with receivers, beside their field."""
    kinds = {_kind(scene[one]) for one in spec.layers if one in scene}
    if "" in kinds:
        bad = next(one for one in spec.layers if not _kind(scene[one]))
        text = tr("“{name}” has neither cells nor faces nor points.", name=scene[bad].name)
        return [Problem("receivers", text)]
    if len(kinds) > 1 or (kinds == {"raster"} and len(spec.layers) > 1):
        return [Problem("receivers", tr("Give one raster, or layers with faces, or points."))]
    return []


def shading_layers(scene: Scene, spec: ReceiverSpec, obstacles: tuple[str, ...]) -> list[str]:
    """Return the layers that stand in the way: obstacles, and the receivers' own surfaces."""
    own = [one for one in spec.layers if one in scene and _kind(scene[one]) in ("raster", "faces")]
    return list(dict.fromkeys([*obstacles, *own]))


def _kind(layer: Layer) -> str:
    data = layer.data
    if isinstance(data, RasterData):
        return "raster" if data.role == "terrain" else ""
    if isinstance(data, MeshData):
        return "faces"
    if isinstance(data, VectorData):
        types = set(data.features.geom_type.dropna())
        return "points" if types == {"Point"} else "faces"
    return ""


# -- placing them ----------------------------------------------------------------------------


def place_receivers(
    spec: ReceiverSpec,
    given: ObstacleLayers,
    named: Mapping[str, Layer],
    obstacles: Obstacles,
    occluder: Occluder,
    feedback: Feedback,
) -> Placed:
    """Return the receivers of a request; in a worker.

    Parameters
    ----------
    named : mapping
        The layers of `spec` by id.

    Raises
    ------
    RefusedError
        If there are none, too many, or a single point is inside a building.
    """
    feedback.step(0, 1, tr("Placing receivers"))
    kinds = {_kind(layer) for layer in named.values()}
    if spec.polygon is not None:
        placed = _over_polygon(spec, given)
    elif kinds == {"raster"}:
        placed = _on_raster(given, named[spec.layers[0]])
    elif kinds == {"faces"}:
        return _on_faces(spec, obstacles, occluder)
    else:
        return _at_points(spec, given, named, obstacles, occluder)
    inside = enclosed(placed.receivers.origins, obstacles, occluder) >= 0
    if not inside.any():
        return placed
    assert placed.grid is not None
    kept = np.flatnonzero(~inside)
    if len(kept) == 0:
        raise RefusedError(
            tr("All receivers are inside buildings."), tr("Choose a place in the open.")
        )
    note = tr("{n} cells lie inside buildings and have no value.", n=int(inside.sum()))
    grid = Grid(placed.grid.shape, placed.grid.transform, placed.grid.inside[kept])
    receivers = Receivers(placed.receivers.points[kept])
    return Placed(receivers, placed.weights[kept], grid, warnings=(*placed.warnings, note))


def _grid(
    given: ObstacleLayers, heights: FloatArray, transform: Affine6, inside: IntArray
) -> Placed:
    """Return receivers at cells with heights, metres above the vertical datum."""
    if len(inside) == 0:
        raise RefusedError(
            tr("There is no place to receive light: no cell has a height."),
            tr("Check the polygon against the extent of the terrain."),
        )
    rows, columns = heights.shape
    a, b, c, d, e, f = transform
    row, column = np.divmod(inside, columns)
    x, y = (column + 0.5) * a + (row + 0.5) * b + c, (column + 0.5) * d + (row + 0.5) * e + f
    points = given.frame.local(np.column_stack([x, y, np.zeros(len(x))]))
    points[:, 2] = given.frame.local_height(heights.ravel()[inside])
    area = abs(a * e - b * d) * given.frame.scale[0] * given.frame.scale[1]
    return Placed(
        Receivers(points),
        np.full(len(points), area),
        Grid((rows, columns), transform, inside),
    )


def _on_raster(given: ObstacleLayers, layer: Layer) -> Placed:
    data = layer.data
    assert isinstance(data, RasterData)
    _refuse_many(data.width * data.height)
    heights, transform = read_grid(data, MAX_RECEIVERS)
    if given.ground is not None and given.ground.layer.id == layer.id and given.ground.clip:
        heights = given.ground_heights(_centres(heights.shape, transform)).reshape(heights.shape)
    return _grid(given, heights, transform, np.flatnonzero(np.isfinite(heights)))


def _over_polygon(spec: ReceiverSpec, given: ObstacleLayers) -> Placed:
    import shapely

    assert spec.polygon is not None
    shape = region(spec.polygon)
    step = spec.size / given.frame.scale[0]
    xmin, ymin, xmax, ymax = shape.bounds
    x0, y1 = math.floor(xmin / step) * step, math.ceil(ymax / step) * step
    columns = max(1, math.ceil((xmax - x0) / step - 1e-9))
    rows = max(1, math.ceil((y1 - ymin) / step - 1e-9))
    _refuse_many(rows * columns)
    transform = (step, 0.0, x0, 0.0, -step, y1)
    centres = _centres((rows, columns), transform)
    within = shapely.contains_xy(shape, centres[:, 0], centres[:, 1])
    ground = np.zeros(len(centres))
    warnings: tuple[str, ...] = ()
    if given.ground is not None:
        ground = given.ground_heights(centres)
    else:
        warnings = (tr("There is no terrain: the grid lies at a constant height."),)
    heights = (ground + spec.height).reshape(rows, columns)
    chosen = np.flatnonzero(within & np.isfinite(heights.ravel()))
    placed = _grid(given, heights, transform, chosen)
    return Placed(placed.receivers, placed.weights, placed.grid, warnings=warnings)


def _centres(shape: tuple[int, ...], transform: Affine6) -> FloatArray:
    a, b, c, d, e, f = transform
    row, column = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    x, y = (column + 0.5) * a + (row + 0.5) * b + c, (column + 0.5) * d + (row + 0.5) * e + f
    return np.column_stack([x, y])


def _refuse_many(count: int) -> None:
    if count > MAX_RECEIVERS:
        raise RefusedError(
            tr("{n:.1f} million receivers are too many for one request.", n=count / 1e6),
            tr("Choose a smaller area or larger cells."),
        )


# -- faces -----------------------------------------------------------------------------------


def _on_faces(spec: ReceiverSpec, obstacles: Obstacles, occluder: Occluder) -> Placed:
    mine = np.array([one.layer in spec.layers for one in obstacles.entities], dtype=np.bool_)
    corners = obstacles.corners[mine[obstacles.owner]]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(across, axis=1)
    corners, across, size = corners[size > 0], across[size > 0], size[size > 0]
    if len(corners) == 0:
        raise RefusedError(
            tr("The layers have no faces that receive light."), tr("Choose other layers.")
        )
    normals = outward(corners.mean(axis=1), across / size[:, None], occluder)
    chosen = np.ones(len(corners), dtype=np.bool_)
    if spec.faces == "roofs":
        chosen = normals[:, 2] > _STEEP
    elif spec.faces == "facades":
        chosen = np.abs(normals[:, 2]) <= _STEEP
    corners, normals = corners[chosen], normals[chosen]
    count = float((0.5 * size[chosen] / (0.25 * spec.size**2) + 1).sum())
    _refuse_many(int(count))
    pieces, face = subdivided(corners, spec.size)
    if len(pieces) == 0:
        raise RefusedError(
            tr("The layers have no faces that receive light."), tr("Choose other layers.")
        )
    area = 0.5 * np.linalg.norm(
        np.cross(pieces[:, 1] - pieces[:, 0], pieces[:, 2] - pieces[:, 0]), axis=1
    )
    return Placed(Receivers(pieces.mean(axis=1), normals[face]), area, faces=Faces(pieces))


def outward(middles: FloatArray, normals: FloatArray, occluder: Occluder) -> FloatArray:
    """Return normals turned to the side from which more rays reach the sky.

    Files do not agree on which side of a triangle is the outside; where both sides see as much of
    the sky the normal stays as it is.
    """
    free = np.zeros((2, len(normals)))
    for n, sign in enumerate((1.0, -1.0)):
        for ray in _AROUND:
            # Directions of the upper sky that lie on this side of the face.
            here = np.flatnonzero(sign * (normals @ ray) > 0.05)
            origins = middles[here] + 0.02 * sign * normals[here]
            rays = np.broadcast_to(ray, origins.shape)
            free[n, here] += ~occluder.blocked(origins, rays)
    return np.where((free[1] > free[0])[:, None], -normals, normals)


def subdivided(corners: FloatArray, size: float) -> tuple[FloatArray, IntArray]:
    """Return triangles ``(N, 3, 3)`` halved until no side is longer, and the one each is of."""
    done: list[tuple[FloatArray, IntArray]] = []
    face = np.arange(len(corners))
    while len(corners):
        sides = np.linalg.norm(corners[:, [1, 2, 0]] - corners, axis=2)
        longest = sides.argmax(axis=1)
        large = sides.max(axis=1) > size * (1 + 1e-9)
        done.append((corners[~large], face[~large]))
        corners, face, longest = corners[large], face[large], longest[large]
        rows = np.arange(len(corners))
        a, b, c = (corners[rows, (longest + n) % 3] for n in range(3))
        middle = (a + b) / 2
        corners = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
        face = np.concatenate([face, face])
    pieces = np.concatenate([part for part, _ in done]) if done else np.empty((0, 3, 3))
    owner = np.concatenate([part for _, part in done]) if done else np.empty(0, dtype=np.intp)
    order = np.argsort(owner, kind="stable")
    return pieces[order], owner[order]


# -- points ----------------------------------------------------------------------------------


def _at_points(
    spec: ReceiverSpec,
    given: ObstacleLayers,
    named: Mapping[str, Layer],
    obstacles: Obstacles,
    occluder: Occluder,
) -> Placed:
    places, names = [list(point) for point in spec.points], []
    for layer in named.values():
        assert isinstance(layer.data, VectorData)
        for label, point in zip(
            layer.data.features.index, layer.data.features.geometry, strict=True
        ):
            if point is not None and not point.is_empty:
                places.append([*point.coords[0]][: 3 if layer.data.has_z else 2])
                names.append(str(label))
    _refuse_many(len(places))
    if not places:
        raise RefusedError(tr("There are no points."), tr("Choose another layer."))
    names = names or [str(n + 1) for n in range(len(places))]
    flat = np.array([place[:2] for place in places])
    local = given.frame.local(np.array([[*p, 0.0][:3] for p in places]))
    bare = np.array([len(place) == 2 for place in places])
    if bare.any():
        ground = given.ground_heights(flat[bare])
        if given.ground is None or not np.isfinite(ground).all():
            raise RefusedError(
                tr("A point without height needs terrain under it: give z, or add terrain.")
            )
        local[bare, 2] = given.frame.local_height(ground + spec.height)
    receivers = Receivers(local)
    body = enclosed(receivers.origins, obstacles, occluder)
    if (body >= 0).any():
        first = int(np.flatnonzero(body >= 0)[0])
        raise RefusedError(
            tr(
                "Point {id} is inside “{name}”: no sun reaches it.",
                id=names[first],
                name=obstacles.names[body[first]],
            ),
            tr("Move it outside of the building, or above its roof."),
        )
    return Placed(receivers, np.ones(len(places)), names=tuple(names))


#: Up and to four sides; not along the axes, on which walls tend to stand.
_PROBES = directions(np.array([17.0, 107.0, 197.0, 287.0, 33.0]), np.array([3.0] * 4 + [88.0]))


def enclosed(origins: FloatArray, obstacles: Obstacles, occluder: Occluder) -> IntArray:
    """Return the body that each point is inside of, -1 where it is in the open.

    A point is inside a body if the ray upwards and three of four sideways leave it: if each crosses
    its triangles an odd number of times.
    """
    body = np.full(len(origins), -1, dtype=np.intp)
    up = np.broadcast_to(_PROBES[-1], origins.shape)
    first = occluder.first(origins, up)
    asked = np.flatnonzero(first >= 0)
    if len(asked) == 0:
        return body
    owner = obstacles.owner[first[asked]].astype(np.intp)
    odd = [_crossings(origins[asked], ray, owner, obstacles, occluder) % 2 for ray in _PROBES]
    within = (odd[-1] == 1) & (np.sum(odd[:-1], axis=0) >= 3)
    body[asked[within]] = owner[within]
    return body


def _crossings(
    origins: FloatArray, ray: FloatArray, owner: IntArray, obstacles: Obstacles, occluder: Occluder
) -> IntArray:
    """Return how many triangles of its owner each ray crosses; the far side of 64 is not seen."""
    count = np.zeros(len(origins), dtype=np.intp)
    going = np.arange(len(origins))
    places = origins.copy()
    for _ in range(64):
        rays = np.broadcast_to(ray, (len(going), 3))
        hit = occluder.first(places, rays)
        met = hit >= 0
        going, places, hit = going[met], places[met], hit[met]
        if len(going) == 0:
            break
        count[going] += obstacles.owner[hit] == owner[going]
        corners = obstacles.vertices[obstacles.triangles[hit]]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        slope = across @ ray
        with np.errstate(divide="ignore", invalid="ignore"):
            way = np.einsum("nd,nd->n", across, corners[:, 0] - places) / slope
        way = np.where(np.isfinite(way), np.maximum(way, 0.0), 0.0)
        # Beyond the triangle by more than float32 can lose.
        places = places + (way + 0.002)[:, None] * ray
    return count
