"""The kinds of measurements that are made by clicking: how many points, what is asked, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.api import N_, Analysis, Params, Pick
from plumbline_measurement.analysis import Distance, Polyline
from plumbline_measurement.areas import Area
from plumbline_measurement.places import Angle, PointAt


@dataclass(frozen=True)
class Kind:
    """One kind of measurement.

    Attributes
    ----------
    title, icon, first : str
        English words, and what to do first.
    least, most : int
        Points that it needs and takes; 0 for as many as are clicked.
    field : str
        Parameter that takes the points; ``start`` stands for start and end.
    headline : str
        The value that is written large and beside the line.
    lays : bool
        Whether it can be laid on a surface.
    faces : bool
        Each click gives a face, which is three points.
    """

    analysis: type[Analysis[Any]]
    title: str
    icon: str
    first: str
    least: int
    most: int
    field: str
    headline: str
    closed: bool = False
    lays: bool = False
    faces: bool = False

    @property
    def id(self) -> str:
        """Its key among the kinds: the id of its analysis, unless faces are clicked for it."""
        return f"{self.analysis.id}:faces" if self.faces else self.analysis.id

    @property
    def each(self) -> int:
        """Points that a click gives."""
        return 3 if self.faces else 1

    def params(
        self,
        points: Sequence[Sequence[float]],
        surface: str | None = None,
        picked: Sequence[dict[str, str]] = (),
    ) -> dict[str, Any]:
        """Return the request for points."""
        places = [list(point) for point in points]
        if self.field == "start":
            asked: dict[str, Any] = {"start": places[0], "end": places[1]}
        elif self.faces:
            asked = {"points": places[:3], "other": places[3:]}
        else:
            asked = {self.field: places[0] if self.field == "point" else places}
        if self.lays:
            asked["surface"] = surface
        if len(picked) * self.each == len(places):
            asked["picked"] = list(picked)
        return asked

    def placed(self, params: Mapping[str, Any]) -> list[tuple[float, ...]]:
        """Return the points of a request."""
        if self.field == "start":
            return [tuple(params["start"]), tuple(params["end"])]
        given = params[self.field]
        return [tuple(given)] if self.field == "point" else [tuple(point) for point in given]

    def validated(self, points: Sequence[Sequence[float]]) -> Params:
        """Return the parameters for points with heights, for a number that follows the mouse."""
        return self.analysis.Params.model_validate(self.params(points))


#: Pixels that the points of a clicked face are apart.
FACE = 40.0


def face_points(pick: Pick) -> list[tuple[float, float, float]]:
    """Return three points of a clicked face, the clicked one last; none where there is no face."""
    if pick.normal is None:
        return []
    normal, place = np.array(pick.normal), np.array(pick.position)
    # Across the normal, from the axis that is farthest from it.
    one = np.cross(normal, np.eye(3)[int(np.argmin(np.abs(normal)))])
    one /= np.linalg.norm(one)
    size = max(FACE * pick.pixel, 0.1)
    corners = [place + size * one, place + size * np.cross(normal, one), place]
    return [(float(x), float(y), float(z)) for x, y, z in corners]


KINDS: dict[str, Kind] = {
    kind.id: kind
    for kind in (
        Kind(Distance, N_("Distance"), "distance", N_("Click where the measurement begins."),
             2, 2, "start", "distance"),
        Kind(Polyline, N_("Polyline"), "polyline", N_("Click where the measurement begins."),
             2, 0, "points", "length", lays=True),
        Kind(Area, N_("Area"), "area", N_("Click the first corner."),
             3, 0, "polygon", "area_horizontal", closed=True, lays=True),
        Kind(Angle, N_("Angle"), "angle", N_("Click a point on one leg of the angle."),
             3, 3, "points", "angle"),
        Kind(Angle, N_("Slope of faces"), "slope",
             N_("Click a face for its slope, then another one."),
             3, 6, "points", "dihedral", faces=True),
        Kind(PointAt, N_("Point"), "point", N_("Click a place."),
             1, 1, "point", "z"),
    )
}  # fmt: skip
