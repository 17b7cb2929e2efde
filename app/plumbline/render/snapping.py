"""What a hand means when it points near a corner: the feature of the scene to snap to.

A snap is solved in float64 from the data of the layers, like a pick, and only to what is seen: a
corner behind a wall, a clipped edge or a hidden element is never snapped to. The order of
preference is the order of `REACH`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import FloatArray, MeshData
from plumbline.core.pick import Pick
from plumbline.geometry.features import Features, feature_edges
from plumbline.geometry.rays import PointSet, Ray, SegmentSet, nearest_on_segments
from plumbline.render.picking import Candidate

#: How near the cursor must come to each kind of feature, pixels of the desktop.
REACH = {
    "point": 8.0,
    "vertex": 11.0,
    "midpoint": 10.0,
    "perpendicular": 10.0,
    "feature": 7.0,
    "edge": 7.0,
}
#: Every kind of place that a hand may be held to; a face is where nothing else is near.
KINDS = (*REACH, "face")
#: Features of each kind that are looked at; those nearest to the cursor first.
_TRIED = 4
#: Meshes without elements are surveyed surfaces when they are this large: their creases are noise.
SURVEYED = 200_000


@dataclass(frozen=True)
class SnapSet:
    """What can be snapped to in a layer, as it is drawn but for the style's height offset.

    Attributes
    ----------
    edges : SegmentSet, optional
        With how many pixels they count is said by `REACH`.
    vertices : PointSet, optional
    middles : PointSet, optional
    kind : str
        What its edges are: ``"feature"`` of a body, or drawn ``"edge"``.
    entity : callable
        From the number of an edge, a vertex or a middle to the id of its entity.
    lift : callable
        From such a number to how far it is drawn above where it is.
    """

    kind: str
    ends: FloatArray
    vertices: FloatArray
    middles: FloatArray
    entity: Callable[[str, int], str] = lambda _kind, _number: ""
    lift: Callable[[str, int], float] = lambda _kind, _number: 0.0
    edge_index: SegmentSet = field(init=False)
    vertex_index: PointSet = field(init=False)
    middle_index: PointSet = field(init=False)

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "edge_index", SegmentSet(self.ends, REACH["perpendicular"]))
        set_field(self, "vertex_index", PointSet(self.vertices, REACH["vertex"]))
        set_field(self, "middle_index", PointSet(self.middles, REACH["midpoint"]))


@dataclass(frozen=True)
class _Found:
    """Somewhere to snap to: what it is, its drawn place, and how many pixels away."""

    snap: str
    place: FloatArray
    pixels: float
    candidate: Candidate
    entity: str
    lift: float


def snap(
    ray: Ray,
    under: Pick | None,
    candidates: Sequence[Candidate],
    base: Iterable[float] | None = None,
    scale: float = 1.0,
    kinds: Container[str] = KINDS,
) -> Pick | None:
    """Return the feature that a ray passes near and that is seen, else what lies under it.

    Parameters
    ----------
    under : Pick, optional
        What the ray meets.
    base : (x, y, z), optional
        The last point; feet of perpendiculars are taken from it.
    scale : float
        Pixels of the ray for each pixel of the desktop.
    kinds : container of str
        What is snapped to, of `KINDS`. Without ``face`` there is nothing between features.
    """
    if under is not None and under.snap == "point" and "point" in kinds:
        return under
    start = None if base is None else np.array(tuple(base), dtype=np.float64)
    found: dict[str, list[_Found]] = {kind: [] for kind in REACH}
    for candidate in candidates:
        lowered = replace(ray, origin=ray.origin - (0.0, 0.0, candidate.offset))
        for one in _near(lowered, candidate, start, scale):
            found[one.snap].append(one)
    if start is not None and under is not None:
        found["perpendicular"] += _on_face(ray, under, candidates, start, scale)
    for kind, reach in REACH.items():
        if kind not in kinds:
            continue
        near = [one for one in found[kind] if one.pixels <= reach * scale]
        for one in sorted(near, key=lambda f: f.pixels)[:_TRIED]:
            if _is_seen(ray, one, candidates):
                return _pick(ray, one)
    if under is None or "face" not in kinds:
        return None
    return replace(under, snap=under.snap or "face")


def hold(ray: Ray, found: Pick | None, base: Iterable[float], upright: bool) -> Pick | None:
    """Return what a hand means that may only move level with a point, or straight above it.

    What is pointed at gives the place on the map, or the height; over the sky the ray does.

    Parameters
    ----------
    found : Pick, optional
        What is pointed at.
    base : (x, y, z)
        The point that the hand is held to.
    upright : bool
        Straight above or below it; else level with it.
    """
    x, y, z = (float(v) for v in base)
    if found is not None:
        px, py, pz = found.position
        return replace(found, position=(x, y, pz) if upright else (px, py, z))
    origin, direction = ray.origin, ray.direction
    if upright:
        across = direction[:2]
        flat = float(across @ across)
        t = 0.0 if flat < 1e-12 else float(across @ ((x, y) - origin[:2])) / flat
        place = (x, y, float(origin[2] + t * direction[2]))
    else:
        flat = float(direction[2])
        t = 0.0 if abs(flat) < 1e-12 else (z - float(origin[2])) / flat
        place = (float(origin[0] + t * direction[0]), float(origin[1] + t * direction[1]), z)
    if abs(flat) < 1e-12 or t <= ray.start:
        return None
    return Pick(place, "", pixel=ray.pixel(t))


def _near(
    ray: Ray, candidate: Candidate, base: FloatArray | None, scale: float
) -> Iterable[_Found]:
    """Return the features of a layer near a ray, as the layer draws them without its offset."""
    for target in candidate.targets:
        if isinstance(target.shape, PointSet):
            places, numbers = target.shape.around(ray, REACH["point"] * scale)
            pixels = _pixels(ray, places)
            for n in _nearest(pixels):
                name = target.entity(int(numbers[n]))
                yield _Found("point", places[n], float(pixels[n]), candidate, name, 0.0)
    for features in candidate.snaps:
        for snap_kind, points in (
            ("vertex", features.vertex_index),
            ("midpoint", features.middle_index),
        ):
            places, numbers = points.around(ray, REACH[snap_kind] * scale)
            yield from _listed(ray, candidate, features, snap_kind, snap_kind, places, numbers)
        ends, numbers = features.edge_index.around(ray, REACH["perpendicular"] * scale)
        if len(ends) == 0:
            continue
        places, _ = nearest_on_segments(ray.origin, ray.direction, ends)
        yield from _listed(ray, candidate, features, features.kind, "edge", places, numbers)
        if base is not None:
            feet, on = _feet(base - (0.0, 0.0, candidate.offset), ends)
            yield from _listed(
                ray, candidate, features, "perpendicular", "edge", feet[on], numbers[on]
            )


def _listed(
    ray: Ray,
    candidate: Candidate,
    features: SnapSet,
    snap_kind: str,
    part: str,
    places: FloatArray,
    numbers: NDArray[np.intp],
) -> Iterable[_Found]:
    pixels = _pixels(ray, places)
    for n in _nearest(pixels):
        number = int(numbers[n])
        entity, lift = features.entity(part, number), features.lift(part, number)
        yield _Found(snap_kind, places[n], float(pixels[n]), candidate, entity, lift)


def _nearest(pixels: FloatArray) -> NDArray[np.intp]:
    return np.argsort(pixels, kind="stable")[: 4 * _TRIED]


def _pixels(ray: Ray, places: FloatArray) -> FloatArray:
    """Return how many pixels each place lies beside a ray; inf behind its start."""
    offset = places - ray.origin
    t = offset @ ray.direction
    away = np.linalg.norm(offset - t[:, None] * ray.direction, axis=1)
    size = np.maximum(ray.pixel_base + ray.pixel_slope * t, 1e-12)
    return np.where(t > ray.start, away / size, np.inf)


def _feet(base: FloatArray, ends: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the feet of the perpendiculars from a point, and which lie on their edges."""
    along = ends[:, 1] - ends[:, 0]
    length2 = np.maximum(np.einsum("ij,ij->i", along, along), 1e-24)
    share = np.einsum("ij,ij->i", base - ends[:, 0], along) / length2
    feet: FloatArray = ends[:, 0] + share[:, None] * along
    return feet, (share >= 0) & (share <= 1)


def _on_face(
    ray: Ray, under: Pick, candidates: Sequence[Candidate], base: FloatArray, scale: float
) -> list[_Found]:
    """Return the foot of the perpendicular on the face under the ray, if it is near."""
    candidate = next((c for c in candidates if c.layer == under.layer), None)
    if under.normal is None or candidate is None:
        return []
    normal, place = np.array(under.normal), np.array(under.position)
    foot = base - normal * float((base - place) @ normal)
    pixels = float(_pixels(ray, (foot + (0.0, 0.0, candidate.offset))[None])[0])
    if pixels > REACH["perpendicular"] * scale or np.linalg.norm(foot - base) < 1e-9:
        return []
    return [_Found("perpendicular", foot, pixels, candidate, under.entity, 0.0)]


def _is_seen(ray: Ray, found: _Found, candidates: Sequence[Candidate]) -> bool:
    """Tell whether nothing solid stands before a feature, and it is not clipped."""
    if not found.candidate.shows(found.place):
        return False
    place = found.place + (0.0, 0.0, found.candidate.offset)
    if ray.pixel_slope > 0:
        direction = place - ray.origin
        direction /= np.linalg.norm(direction)
        origin = ray.origin
    else:
        direction = ray.direction
        origin = place - direction * float((place - ray.origin) @ direction)
    away = float((place - origin) @ direction)
    sight = replace(ray, origin=origin, direction=direction)
    # The faces that meet in a corner may be met a rounding before it.
    limit = away - max(1e-6 * abs(away), 0.5 * ray.pixel(away))
    for candidate in candidates:
        if candidate.yields and not found.candidate.yields:
            continue
        for target in candidate.targets:
            if target.solid:
                hit = candidate.hit(target, sight)
                if hit is not None and hit.t < limit:
                    return False
    return True


def _pick(ray: Ray, found: _Found) -> Pick:
    x, y, z = (float(v) for v in found.place - (0.0, 0.0, found.lift))
    away = float((found.place - ray.origin) @ ray.direction)
    return Pick(
        (x, y, z), found.candidate.layer, found.entity, snap=found.snap, pixel=ray.pixel(away)
    )


# -- features of the kinds -----------------------------------------------------------------------

#: Features that were computed, by the identity of their data, for as long as those live.
_known: dict[int, tuple[Any, Features]] = {}


def mesh_features(data: MeshData) -> Features:
    """Return the feature edges of a mesh, each element by itself; computed once for its data."""
    key = id(data.vertices)
    kept = _known.get(key)
    if kept is not None and kept[0]() is data.vertices:
        return kept[1]
    index = data.element_index
    owner = np.zeros(len(data.triangles), dtype=np.intp) if index is None else index
    found = feature_edges(data.vertices, data.triangles, owner)
    _known[key] = (ref(data.vertices, lambda _: _known.pop(key, None)), found)
    return found


def mesh_snaps(data: MeshData, kept: NDArray[np.intp], lift: FloatArray | None) -> list[SnapSet]:
    """Return what can be snapped to in a mesh of which only some triangles are shown.

    Bodies offer their feature edges, ends and middles; surveyed surfaces the corners of their
    triangles.

    Parameters
    ----------
    kept : (K,) integer
        The triangles that are shown.
    lift : (elements + 1,) float64, optional
        How far each element is drawn above where it is.
    """
    if len(kept) == 0:
        return []
    if data.element_index is None and len(data.triangles) > SURVEYED:
        corners = data.vertices[np.unique(data.triangles[kept])]
        none = np.empty((0, 2, 3))
        return [SnapSet("feature", none, corners, np.empty((0, 3)))]
    found = mesh_features(data)
    edges, owner = found.edges, found.owner
    if data.element_index is not None:
        shown = np.zeros(len(data.elements) + 1, dtype=bool)
        shown[data.element_index[kept]] = True
        edges, owner = edges[shown[owner]], owner[shown[owner]]
    rise = np.zeros(len(owner)) if lift is None else lift[owner]
    drawn = edges + np.array((0.0, 0.0, 1.0)) * rise[:, None, None]
    named = data.element_index is not None

    def entity(part: str, number: int) -> str:
        edge = number // 2 if part == "vertex" else number
        return data.elements[owner[edge]].id if named and owner[edge] >= 0 else ""

    def lifted(part: str, number: int) -> float:
        return float(rise[number // 2 if part == "vertex" else number])

    return [SnapSet("feature", drawn, drawn.reshape(-1, 3), drawn.mean(axis=1), entity, lifted)]
