"""Many rays against many triangles: found by Embree, answered in float64.

Embree works in float32, so it sees coordinates relative to an origin near the mesh and only names
the triangle; where the ray meets it is computed anew from the float64 vertices. Rays that pass so
close to an edge that float32 cannot tell are decided by `plumbline.geometry.rays`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.feedback import Feedback
from plumbline.geometry.rays import Ray, TriangleSet

#: Rays between two looks at the cancel button.
BATCH = 100_000


class RayCaster(Protocol):
    """What answers rays; other engines can take the place of Embree.

    Attributes
    ----------
    resolution : float
        How far beside a triangle a segment may pass and still be said to meet it, metres.
    """

    resolution: float

    def first_hits(
        self, origins: FloatArray, directions: FloatArray, feedback: Feedback | None = None
    ) -> tuple[FloatArray, NDArray[np.intp]]:
        """Return the distance to the first triangle along each ray, and its index.

        Parameters
        ----------
        origins : (N, 3) float64
            Project CRS.
        directions : (N, 3) float64
            Unit length.

        Returns
        -------
        distance : (N,) float64
            inf where a ray meets nothing.
        triangle : (N,) intp
            -1 where a ray meets nothing.
        """

    def occluded(
        self, starts: FloatArray, ends: FloatArray, feedback: Feedback | None = None
    ) -> NDArray[np.bool_]:
        """Tell which segments meet a triangle, to within `resolution`; the fastest question.

        Parameters
        ----------
        starts, ends : (N, 3) float64
            Project CRS. Both ends are to be free by more than `resolution`: a nearer triangle may
            count or not.

        Returns
        -------
        (N,) bool
        """


class EmbreeCaster:
    """Triangles in an Embree tree.

    Parameters
    ----------
    vertices : (N, 3) float64
        Project CRS.
    triangles : (M, 3) integer
    """

    def __init__(self, vertices: FloatArray, triangles: AnyArray) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self._vertices, self._triangles = vertices, triangles
        used = vertices[triangles.ravel()] if len(triangles) else np.zeros((1, 3))
        self.low, self.high = used.min(axis=0), used.max(axis=0)
        self._origin = (self.low + self.high) / 2
        #: Four steps of float32 at the border of the mesh.
        self.resolution = float(np.abs(self.high - self._origin).max() or 1.0) * 2.0**-21
        self._exact: TriangleSet | None = None
        self._scene = EmbreeScene(robust=True)
        local = np.ascontiguousarray(vertices - self._origin, dtype=np.float32)
        if len(triangles):
            TriangleMesh(self._scene, local, np.ascontiguousarray(triangles, dtype=np.int32))

    def first_hits(
        self, origins: FloatArray, directions: FloatArray, feedback: Feedback | None = None
    ) -> tuple[FloatArray, NDArray[np.intp]]:
        """Return distance and index of the first triangle along each ray; see `RayCaster`."""
        feedback = feedback or Feedback()
        distance = np.full(len(origins), np.inf)
        triangle = np.full(len(origins), -1, dtype=np.intp)
        if len(self._triangles) == 0:
            return distance, triangle
        for start in range(0, len(origins), BATCH):
            feedback.check()
            part = slice(start, start + BATCH)
            distance[part], triangle[part] = self._some(origins[part], directions[part])
        return distance, triangle

    def occluded(
        self, starts: FloatArray, ends: FloatArray, feedback: Feedback | None = None
    ) -> NDArray[np.bool_]:
        """Tell which segments meet a triangle; see `RayCaster`. Embree alone, in float32."""
        feedback = feedback or Feedback()
        meets = np.zeros(len(starts), dtype=np.bool_)
        if len(self._triangles) == 0:
            return meets
        whole = np.ones(min(BATCH, len(starts)), dtype=np.float32)
        for start in range(0, len(starts), BATCH):
            feedback.check()
            part = slice(start, start + BATCH)
            origins, ways = np.empty((2, *starts[part].shape), dtype=np.float32)
            np.subtract(starts[part], self._origin, out=origins, casting="same_kind")
            # Not of unit length: Embree counts distance in lengths of the direction.
            np.subtract(ends[part], starts[part], out=ways, casting="same_kind")
            found = self._scene.run(origins, ways, dists=whole[: len(ways)], query="OCCLUDED")
            meets[part] = found >= 0
        return meets

    def _some(
        self, origins: FloatArray, directions: FloatArray
    ) -> tuple[FloatArray, NDArray[np.intp]]:
        found = self._named(origins, directions)
        distance = self._confirmed(origins, directions, found)
        # An edge within rounding: Embree's triangle is not the one, or it saw none at all.
        doubtful = np.flatnonzero(~np.isfinite(distance) & self._near_box(origins, directions))
        if len(doubtful):
            distance[doubtful], found[doubtful] = self._beside(
                origins[doubtful], directions[doubtful], found[doubtful] >= 0
            )
        found[~np.isfinite(distance)] = -1
        return distance, found

    def _named(self, origins: FloatArray, directions: FloatArray) -> NDArray[np.intp]:
        """Return the triangle that Embree names for each ray, -1 for none."""
        named: NDArray[np.intp] = self._scene.run(
            np.ascontiguousarray(origins - self._origin, dtype=np.float32),
            np.ascontiguousarray(directions, dtype=np.float32),
            query="INTERSECT",
        ).astype(np.intp)
        return named

    def _confirmed(
        self, origins: FloatArray, directions: FloatArray, named: NDArray[np.intp]
    ) -> FloatArray:
        """Return the distance to the named triangles in float64, inf where they are missed."""
        distance = np.full(len(origins), np.inf)
        hit = np.flatnonzero(named >= 0)
        corners = self._vertices[self._triangles[named[hit]]]
        distance[hit] = _meet(origins[hit], directions[hit], corners)
        return distance

    def _beside(
        self, origins: FloatArray, directions: FloatArray, suspect: NDArray[np.bool_]
    ) -> tuple[FloatArray, NDArray[np.intp]]:
        """Decide rays that pass within rounding of an edge, by rays to all four sides of them.

        A ray whose neighbours meet nothing either has met nothing. Where neighbours meet triangles
        the first that the ray itself meets counts; where it meets none of them, all are asked.
        """
        across = np.cross(directions, np.eye(3)[np.argmin(np.abs(directions), axis=1)])
        across /= np.linalg.norm(across, axis=1)[:, None]
        upward = np.cross(directions, across)
        distance = np.full(len(origins), np.inf)
        triangle = np.full(len(origins), -1, dtype=np.intp)
        suspect = suspect.copy()
        # Slantwise: outlines are often parallel to the axes, and so is `across`.
        for side in (across + upward, across - upward, -across + upward, -across - upward):
            named = self._named(origins + side * self.resolution, directions)
            suspect |= named >= 0
            met = self._confirmed(origins, directions, named)
            nearer = met < distance
            distance[nearer], triangle[nearer] = met[nearer], named[nearer]
        for n in np.flatnonzero(suspect & ~np.isfinite(distance)):
            exact = self._exactly().hit(Ray(origins[n], directions[n]))
            if exact is not None:
                distance[n], triangle[n] = exact.t, exact.primitive
        return distance, triangle

    def _exactly(self) -> TriangleSet:
        if self._exact is None:
            self._exact = TriangleSet(self._vertices, self._triangles)
        return self._exact

    def _near_box(self, origins: FloatArray, directions: FloatArray) -> NDArray[np.bool_]:
        """Tell which rays meet the box of the mesh; the others need no second look."""
        with np.errstate(divide="ignore", invalid="ignore"):
            one = (self.low - 1e-6 - origins) / directions
            two = (self.high + 1e-6 - origins) / directions
        # 0 / 0: along a face of the box, which is inside.
        near = np.nanmax(np.minimum(one, two), axis=1, initial=0.0)
        far = np.nanmin(np.maximum(one, two), axis=1, initial=np.inf)
        meets: NDArray[np.bool_] = near <= far
        return meets


def _meet(origins: FloatArray, directions: FloatArray, corners: FloatArray) -> FloatArray:
    """Return the distance along each ray to its own triangle, inf where it misses.

    The edge functions are those of `plumbline.geometry.rays.ray_triangles`, so both agree on which
    side of an edge a ray passes.
    """
    rows = np.arange(len(origins))
    kz = np.argmax(np.abs(directions), axis=1)
    kx, ky = (kz + 1) % 3, (kz + 2) % 3
    dz = directions[rows, kz]
    kx, ky = np.where(dz < 0, ky, kx), np.where(dz < 0, kx, ky)
    local = corners - origins[:, None, :]
    z = local[rows, :, kz]
    x = local[rows, :, kx] - (directions[rows, kx] / dz)[:, None] * z
    y = local[rows, :, ky] - (directions[rows, ky] / dz)[:, None] * z
    u = x[:, 2] * y[:, 1] - y[:, 2] * x[:, 1]
    v = x[:, 0] * y[:, 2] - y[:, 0] * x[:, 2]
    w = x[:, 1] * y[:, 0] - y[:, 1] * x[:, 0]
    det = u + v + w
    inside = ((u >= 0) & (v >= 0) & (w >= 0)) | ((u <= 0) & (v <= 0) & (w <= 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (u * z[:, 0] + v * z[:, 1] + w * z[:, 2]) / dz / det
    met: FloatArray = np.where(inside & (det != 0) & (t >= 0), t, np.inf)
    return met


def heights_from_above(
    caster: RayCaster, xy: AnyArray, ceiling: float, feedback: Feedback | None = None
) -> FloatArray:
    """Return the height at which a plumb line from above first meets the triangles.

    Parameters
    ----------
    xy : (N, 2) float64
        Project CRS.
    ceiling : float
        A height above all triangles.

    Returns
    -------
    (N,) float64
        NaN where there is nothing below.
    """
    places = np.asarray(xy, dtype=np.float64)
    origins = np.column_stack([places, np.full(len(places), ceiling)])
    down = np.broadcast_to(np.array([0.0, 0.0, -1.0]), origins.shape)
    distance, _ = caster.first_hits(origins, down, feedback)
    heights: FloatArray = np.where(np.isfinite(distance), ceiling - distance, np.nan)
    return heights
