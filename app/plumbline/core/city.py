"""What a city is made of: one id for a footprint, what stands above it, models of it and its rows.

A `CityEntity` owns no geometry of its layers. It says which things in them are the same building,
so that picking any of them leads to the same dossier, and keeps its outline, so that the part of a
mesh, of tiles or of a cloud above it can be told from its neighbours' without touching the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from plumbline.core.data import Bounds
from plumbline.core.pick import EntityRef

if TYPE_CHECKING:
    import shapely

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class SurfacePart:
    """What of a mesh, of tiles or of a cloud stands above an entity's outline.

    Attributes
    ----------
    count : int
        Triangles (the cut ones as often as they were cut) or points.
    what : str
        ``"triangles"`` or ``"points"``.
    low, high : float
        Lowest and highest z, project CRS.
    """

    layer: str
    count: int
    what: str
    low: float
    high: float


class DocumentName(str):
    """The name of a document among the attributes of an entity, so that a window can open it."""


@dataclass(frozen=True)
class CityEntity:
    """A building, or whatever else stands on a footprint, with all that is known of it.

    Attributes
    ----------
    id : str
        Unique in the project.
    outline : tuple of polygons
        Each a tuple of rings of (x, y), the first around it, project CRS; closed rings.
    parts : tuple of EntityRef
        The things in layers that are this entity; its footprint first.
    surfaces : tuple of SurfacePart
        Layers without things of their own, of which the part above the outline belongs to it.
    base, top : float, optional
        Ground and roof, z of the project CRS.
    height : float, optional
        Metres.
    storeys : float, optional
    sources : dict of str to str
        Where ``height`` and ``storeys`` come from: a column, or how they were measured.
    rows : dict of str to dict
        Rows of tables by the name of the table.
    documents : tuple of str
        Paths (relative to the project, or absolute) and addresses.
    """

    id: str
    name: str = ""
    outline: tuple[tuple[Ring, ...], ...] = ()
    parts: tuple[EntityRef, ...] = ()
    surfaces: tuple[SurfacePart, ...] = ()
    base: float | None = None
    top: float | None = None
    height: float | None = None
    storeys: float | None = None
    sources: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    documents: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.id

    def shape(self) -> shapely.MultiPolygon:
        """Return the outline as a geometry, project CRS."""
        import shapely

        return shapely.MultiPolygon(
            [shapely.Polygon(rings[0], list(rings[1:])) for rings in self.outline if rings]
        )


def box_of(entity: CityEntity) -> Bounds | None:
    """Return the box around an entity from its ground to its roof; None where these are unknown."""
    if entity.base is None or entity.top is None or not entity.outline:
        return None
    west, south, east, north = entity.shape().bounds
    return Bounds(west, south, entity.base, east, north, entity.top)


def outline_of(shape: shapely.Geometry) -> tuple[tuple[Ring, ...], ...]:
    """Return the polygons of a geometry as plain rings of (x, y); holes after the outer ring."""
    import shapely

    found = []
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon" and not part.is_empty:
            rings = [part.exterior, *part.interiors]
            found.append(
                tuple(tuple((float(p[0]), float(p[1])) for p in ring.coords) for ring in rings)
            )
    return tuple(found)


class EntityBook:
    """Finds entities by id, by what was picked, and by place."""

    def __init__(self, entities: Iterable[CityEntity] = ()) -> None:
        self.entities = tuple(entities)
        self.by_id: Mapping[str, CityEntity] = {one.id: one for one in self.entities}
        self._of = {ref: one for one in reversed(self.entities) for ref in one.parts}
        self.surfaces = frozenset(part.layer for one in self.entities for part in one.surfaces)

    def of(self, ref: EntityRef) -> CityEntity | None:
        """Return the entity that a thing in a layer is part of."""
        return self._of.get(ref)

    def at(self, layer: str, x: float, y: float) -> CityEntity | None:
        """Return the entity that owns the part of a surface at a place; the first of several."""
        if layer not in self.surfaces:
            return None
        import shapely

        found = sorted(self._tree.query(shapely.Point(x, y), predicate="intersects").tolist())
        owners = [self.entities[n] for n in found]
        return next((o for o in owners if any(part.layer == layer for part in o.surfaces)), None)

    @cached_property
    def shapes(self) -> list[shapely.MultiPolygon]:
        """The outlines, in the order of the entities."""
        return [one.shape() for one in self.entities]

    @cached_property
    def _tree(self) -> Any:
        import shapely

        return shapely.STRtree(self.shapes)
