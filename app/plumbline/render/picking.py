"""What lies under a pixel: the visible primitives in front, solved in float64.

Every visible layer offers its targets, in data coordinates. The nearest solid surface hides what
lies behind it; lines, points and things laid on the ground win over the surface that carries them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from plumbline.core.data import FloatArray
from plumbline.core.pick import Pick
from plumbline.core.scene import Camera
from plumbline.geometry.clip import Region, common
from plumbline.geometry.rays import Hit, Ray
from plumbline.render.camera import Size, project
from plumbline.render.camera import ray as ray_through
from plumbline.render.parts import Target

if TYPE_CHECKING:
    from plumbline.render.snapping import SnapSet


@dataclass(frozen=True)
class Candidate:
    """A visible layer, as the picker sees it.

    Attributes
    ----------
    offset : float
        How far it is drawn above its data.
    regions : sequence of Region
        What is shown of it lies in all of them; all of it where there are none.
    yields : bool
        It is seen through: what lies behind it comes first.
    """

    layer: str
    targets: Sequence[Target]
    offset: float = 0.0
    regions: Sequence[Region] = ()
    yields: bool = False
    #: What a hand may snap to in it.
    snaps: Sequence[SnapSet] = ()

    def hit(self, target: Target, ray: Ray) -> Hit | None:
        """Return the first of a target along a ray that is shown."""
        lowered = _lowered(ray, self.offset)
        if not self.regions:
            return target.shape.hit(lowered)
        spans = common([r.spans(ray.origin, ray.direction, ray.start) for r in self.regions])
        for near, far in spans:
            start = near
            for _ in range(_TRIES):
                hit = target.shape.hit(replace(lowered, start=start))
                if hit is None:
                    return None
                if hit.t > far:
                    break
                if self.shows(hit.position):
                    return hit
                # A point or a line beside the ray may be clipped where the ray is not.
                start = float(np.nextafter(hit.t, np.inf))
        return None

    def shows(self, position: FloatArray) -> bool:
        """Tell whether a place of its data ``(3,)`` is not clipped."""
        drawn = position[None] + (0.0, 0.0, self.offset)
        return all(bool(region.contains(drawn)[0]) for region in self.regions)


#: How far behind the ground something laid on it may be and still count as on it: a share of the
#: distance, and pixels. Draped shapes follow the ground only within a tolerance.
DRAPE_METRES = 1.0
DRAPE_PIXELS = 6.0
#: Clipped points and lines beside a ray that are passed over before it is given up.
_TRIES = 64


def pick(ray: Ray, candidates: Iterable[Candidate]) -> Pick | None:
    """Return what a ray meets first among layers listed from the top of the tree downwards."""
    hits = [
        (candidate, target, hit)
        for candidate in candidates
        for target in candidate.targets
        if (hit := candidate.hit(target, ray)) is not None
    ]
    hits = [h for h in hits if not h[0].yields] or hits
    if not hits:
        return None
    solid = min((h for h in hits if h[1].solid), key=lambda h: h[2].t, default=None)
    front = solid[2].t if solid else np.inf
    marks = [h for h in hits if not h[1].solid and _in_front(h[2], h[1], front, ray)]
    if not marks:
        assert solid is not None  # marks are only dropped for a solid surface before them
        return _result(ray, *solid)
    # Points before lines before areas, then the nearest, then the upper layer (min is stable).
    best = min(marks, key=lambda h: (_rank(h[1]), 0.0 if h[1].draped else h[2].t))
    candidate, target, hit = best
    result = _result(ray, candidate, target, hit)
    if solid is not None and target.draped and _rank(target) == 2:
        # Something flat on the ground: its outline says what, the ground says exactly where.
        surface = _result(ray, *solid)
        return replace(result, position=surface.position, normal=surface.normal)
    return result


def is_hidden(
    place: FloatArray, camera: Camera, size: Size, candidates: Iterable[Candidate]
) -> bool:
    """Tell whether something solid stands between the viewer and a place, by more than a pixel."""
    x, y, _ = project(camera, place[None], size)[0]
    ray = ray_through(camera, float(x), float(y), size)
    away = float((place - ray.origin) @ ray.direction)
    limit = away - DRAPE_METRES - DRAPE_PIXELS * ray.pixel(away)
    return any(
        (hit := candidate.hit(target, ray)) is not None and hit.t < limit
        for candidate in candidates
        for target in candidate.targets
        if target.solid and not candidate.yields
    )


def _lowered(ray: Ray, offset: float) -> Ray:
    """Move the ray instead of the data of a layer that is drawn above its heights."""
    return replace(ray, origin=ray.origin - (0.0, 0.0, offset)) if offset else ray


def _in_front(hit: Hit, target: Target, front: float, ray: Ray) -> bool:
    if hit.t <= front:
        return True
    slack = DRAPE_METRES + DRAPE_PIXELS * ray.pixel(hit.t) if target.draped else ray.pixel(hit.t)
    return hit.t - front <= slack


def _rank(target: Target) -> int:
    name = type(target.shape).__name__
    return {"PointSet": 0, "TilePoints": 0, "SegmentSet": 1}.get(name, 2)


def _result(ray: Ray, candidate: Candidate, target: Target, hit: Hit) -> Pick:
    normal = hit.normal
    lift = target.lift(hit.primitive) if target.lift is not None else 0.0
    x, y, z = (float(v) for v in hit.position)
    return Pick(
        position=(x, y, z - lift),
        layer=candidate.layer,
        entity=target.entity(hit.primitive) if hit.primitive >= 0 else "",
        primitive=target.primitive(hit.primitive) if hit.primitive >= 0 else -1,
        normal=None if normal is None else (float(normal[0]), float(normal[1]), float(normal[2])),
        snap="point" if _rank(target) == 0 else "edge" if _rank(target) == 1 else "",
        pixel=ray.pixel(hit.t),
    )
