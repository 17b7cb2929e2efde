"""Choosing entities of a layer by expression and by place, and counting what was chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from plumbline.analysis.result import Table
from plumbline.core.data import FloatArray, MeshData, VectorData
from plumbline.core.entities import entity_ids, table_columns, table_rows
from plumbline.core.errors import RefusedError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.core.where import where
from plumbline.geometry.geodesy import crs_units

if TYPE_CHECKING:
    import shapely

Relation = Literal["intersects", "within", "contains", "disjoint"]
Rows = NDArray[np.intp]
#: Features that are compared with the place between two looks at whether to go on.
_BATCH = 5000


def query(
    layer: Layer,
    expression: str = "",
    place: shapely.Geometry | None = None,
    relation: Relation = "intersects",
    distance: float = 0.0,
    feedback: Feedback | None = None,
) -> Rows:
    """Return the rows of a layer's attribute table that fulfil all conditions.

    Parameters
    ----------
    expression : str
        See `plumbline.core.where.where`.
    place : geometry, optional
        Project CRS.
    relation : str
        Of the entity to the place: ``intersects``, lies ``within`` it, ``contains`` it, or is
        ``disjoint`` from it. An element of a model counts as its box on the map.
    distance : float
        The place is widened by this first, units of the CRS.

    Raises
    ------
    UsageError
        If the expression is none, or the layer has no attributes.
    """
    feedback = feedback or Feedback()
    rows = where(layer, expression, feedback.part(0.0, 0.6))
    if place is None:
        return rows
    import shapely

    shapes = footprints(layer)[rows]
    area = place if distance == 0 else shapely.buffer(place, distance)
    shapely.prepare(area)
    known = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    tests = {
        "intersects": lambda s: shapely.intersects(area, s),
        "within": lambda s: shapely.covers(area, s),
        "contains": lambda s: shapely.covered_by(area, s),
        "disjoint": lambda s: shapely.disjoint(area, s),
    }
    chosen = np.zeros(len(rows), dtype=bool)
    asked = np.flatnonzero(known)
    for start in range(0, len(asked), _BATCH):
        feedback.part(0.6, 1.0).step(start, len(asked))
        some = asked[start : start + _BATCH]
        chosen[some] = tests[relation](shapes[some])
    found: Rows = rows[chosen]
    return found


@dataclass(frozen=True)
class Question:
    """What is asked of a layer, with all that a thread needs to answer it without the scene.

    Attributes
    ----------
    place : Layer or array of geometry, optional
        The things that together are the place, see `query`.
    by, value : str
        Columns of the statistics, see `statistics`.
    """

    layer: Layer
    georeference: Georeference
    expression: str = ""
    place: Layer | NDArray[np.object_] | None = None
    relation: Relation = "intersects"
    distance: float = 0.0
    by: str = ""
    value: str = ""


@dataclass(frozen=True)
class Answer:
    """The rows that were chosen out of `total`, and their statistics."""

    rows: Rows
    total: int
    table: Table


def ask(question: Question, feedback: Feedback | None = None) -> Answer:
    """Answer a question; raises what `query` and `statistics` raise."""
    import shapely

    feedback = feedback or Feedback()
    layer, place = question.layer, question.place
    feedback.step(0, 1, tr("Looking through “{name}”", name=layer.name))
    if place is not None:
        shapes = footprints(place) if isinstance(place, Layer) else place
        place = shapely.union_all(shapes[~shapely.is_missing(shapes)])
    rows = query(
        layer,
        question.expression,
        place,
        question.relation,
        question.distance,
        feedback.part(0.1, 0.7),
    )
    feedback.step(0.7, 1)
    by, value = question.by, question.value
    table = statistics(layer, rows, question.georeference, by, value, feedback.part(0.7, 1.0))
    return Answer(rows, len(entity_ids(layer)), table)


def footprints(layer: Layer) -> NDArray[np.object_]:
    """Return a geometry on the map for each row of a layer's attribute table, None where none."""
    import shapely

    data = layer.data
    if isinstance(data, VectorData):
        shapes: NDArray[np.object_] = data.features.geometry.to_numpy()
        return shapes
    if not isinstance(data, MeshData) or not data.elements:
        raise RefusedError(
            tr("“{name}” has no entities.", name=layer.name),
            tr("Choose a vector layer, or a model with elements."),
        )
    low, high = _boxes(data)
    shapes = np.full(len(data.elements), None, dtype=object)
    solid = np.isfinite(low).all(axis=1)
    shapes[solid] = shapely.box(*low[solid].T, *high[solid].T)
    return shapes


def _boxes(data: MeshData) -> tuple[FloatArray, FloatArray]:
    low = np.full((len(data.elements), 2), np.inf)
    high = -low
    if data.element_index is not None:
        owned = np.asarray(data.element_index) >= 0
        owner = np.asarray(data.element_index)[owned]
        corners = data.vertices[data.triangles[owned]][..., :2]
        np.minimum.at(low, owner, corners.min(axis=1))
        np.maximum.at(high, owner, corners.max(axis=1))
    return low, high


COLUMNS = ("class", "count", "area", "length", "sum", "mean", "min", "max")


def statistics(
    layer: Layer,
    rows: Rows,
    georeference: Georeference,
    by: str = "",
    value: str = "",
    feedback: Feedback | None = None,
) -> Table:
    """Return counts, areas, lengths and numbers of chosen entities, by class.

    Parameters
    ----------
    by : str
        Column that tells the classes apart; empty for one class.
    value : str
        Column whose numbers are summed; cells that hold none are left out.

    Raises
    ------
    UsageError
        If a column is not there.
    """
    columns = table_columns(layer)
    for name in filter(None, (by, value)):
        if name not in columns:
            raise UsageError(
                tr("There is no column “{name}”.", name=name[:80]),
                tr("The columns are: {names}.", names=", ".join(columns)[:500]),
            )
    table = table_rows(layer)
    classes: dict[str, list[int]] = {}
    for place, n in enumerate(rows.tolist()):
        name = _text(table[n][columns.index(by)]) if by else ""
        classes.setdefault(name, []).append(place)
    shapes = footprints(layer)[rows]
    factor = crs_units(georeference.crs).horizontal
    feedback = feedback or Feedback()
    found = []
    for done, name in enumerate(sorted(classes)):
        feedback.step(done, len(classes))
        mine = classes[name]
        numbers = [_number(table[rows[n]][columns.index(value)]) for n in mine] if value else []
        sizes = _sizes(layer, shapes[mine], factor)
        found.append((name, len(mine), *sizes, *_summary([v for v in numbers if v is not None])))
    return Table(COLUMNS, tuple(found), {"area": "m²", "length": "m"})


def _sizes(
    layer: Layer, shapes: NDArray[np.object_], factor: float | None
) -> tuple[float | None, float | None]:
    """Return the areas and lengths of features, m² and m; of models and in degrees none."""
    import shapely

    if not isinstance(layer.data, VectorData) or factor is None:
        return None, None
    kinds = shapely.get_dimensions(shapes)
    area = math.fsum(shapely.area(shapes[kinds == 2])) * factor**2
    length = math.fsum(shapely.length(shapes[kinds == 1])) * factor
    return (area if (kinds == 2).any() else None), (length if (kinds == 1).any() else None)


def _summary(
    numbers: Sequence[float],
) -> tuple[float | None, float | None, float | None, float | None]:
    if not numbers:
        return None, None, None, None
    total = math.fsum(numbers)
    return total, total / len(numbers), min(numbers), max(numbers)


def _number(cell: Any) -> float | None:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _text(cell: Any) -> str:
    return "" if cell is None or cell != cell else str(cell)
