"""The kinds of measurements that are made by clicking: how many points, what is asked, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.api import N_, Analysis, Params
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

    @property
    def id(self) -> str:
        """Id of its analysis."""
        return self.analysis.id

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
        else:
            asked = {self.field: places[0] if self.field == "point" else places}
        if self.lays:
            asked["surface"] = surface
        if len(picked) == len(places):
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
        Kind(PointAt, N_("Point"), "point", N_("Click a place."),
             1, 1, "point", "z"),
    )
}  # fmt: skip
